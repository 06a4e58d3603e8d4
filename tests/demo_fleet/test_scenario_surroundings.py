"""The surroundings of the demo fleet: each of them is there, for one image or region."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet import scenario
from fastlaunch_nb.demo_fleet.demo import KEY, Demo
from fastlaunch_nb.demo_fleet.scenario_defects import DefectAssignment
from fastlaunch_nb.demo_fleet.scenario_surroundings import schedule_surroundings
from tests.helpers.cases import some

CREATED = {"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}
AVAILABLE = [CREATED, {"Name": "status", "Values": ["available"]}]
SNAPSHOTS = {"ResourceType": "EBS_SNAPSHOT"}


class Fleet:
    """A running demo, its images by their ids, and the roles of its defects."""

    def __init__(self, demo: Demo, roles: DefectAssignment) -> None:
        self.demo, self.roles = demo, roles
        targets = fl.targets(profiles=demo.accounts.values())
        images = fl.sweep(targets, regions=demo.regions, progress=False).images
        self.images: dict[str, Any] = {row["image_id"]: row for row in images.to_dict("records")}

    def connect(self, account_id: str, region: str, service: str = "ec2") -> Any:
        """Return a client of a service, by the demo's key: each test hides its profiles."""
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY}
        client = boto3.client(service, region, endpoint_url=self.demo.endpoint_url, **keys)
        client.meta.events.register(
            "before-sign",
            lambda request, **_: request.headers.add_header("x-moto-account-id", account_id),
        )
        return client

    def find(self, role: str, service: str = "ec2") -> tuple[str, dict[str, Any], Any]:
        """Return the id and the row of the image with a role, and a client of its region."""
        image_id = getattr(self.roles, role)
        row = self.images[image_id]
        return image_id, row, self.connect(row["account_id"], row["region"], service)

    def connect_all(self, service: str = "ec2") -> Iterator[Any]:
        """Yield a client for each account and region."""
        for account_id in self.demo.accounts:
            for region in self.demo.regions:
                yield self.connect(account_id, region, service)


@pytest.fixture(
    scope="module", params=[0, *(pytest.param(seed, marks=pytest.mark.deep) for seed in (3, 4, 6))]
)
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A demo fleet, for all tests."""
    roles: list[DefectAssignment] = []

    def schedule(stories: Any, assignment: DefectAssignment, *rest: Any) -> None:
        roles.append(assignment)
        original(stories, assignment, *rest)

    with pytest.MonkeyPatch.context() as patch:
        original = schedule_surroundings
        patch.setattr(scenario, "schedule_surroundings", schedule)
        with fl.demo(request.param) as demo:
            yield Fleet(demo, roles[0])


def test_each_role_is_another_image(fleet: Fleet) -> None:
    """No image has two roles, and each image with a surrounding is enabled."""
    ids = [value for value in vars(fleet.roles).values() if isinstance(value, str)]
    assert len(set(ids)) == len(ids) == 14
    names = (
        "floating",
        "tokenless",
        "encrypted",
        "threatened",
        "succeeded",
        "intended",
        "tampered",
    )
    assert {fleet.images[getattr(fleet.roles, name)]["state"] for name in names} == {"enabled"}


def test_images_of_one_name_follow_the_latest_version(fleet: Fleet) -> None:
    """The images of one name use $Latest, and no others; in one region it has become forbidden."""
    image_id, row, client = fleet.find("floating")
    latest = {
        name: row
        for name, row in fleet.images.items()
        if row["launch_template_version"] == "$Latest"
    }
    assert image_id in latest
    assert {row["account_id"] for row in latest.values()} == {row["account_id"]}
    [version] = client.describe_launch_template_versions(
        LaunchTemplateId=row["launch_template_id"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert version["VersionNumber"] == 10
    assert version["CreateTime"] > row["state_transition_time"]
    assert version["LaunchTemplateData"]["DisableApiTermination"]


def test_one_region_enforces_what_one_template_lacks(fleet: Fleet) -> None:
    """Where IMDSv2 is enforced, only the template of one image does not require tokens."""
    image_id, row, client = fleet.find("tokenless")
    states = [
        each.get_instance_metadata_defaults()["AccountLevel"].get("HttpTokensEnforced")
        for each in fleet.connect_all()
    ]
    assert sorted(map(str, states)) == [*["None"] * 5, "enabled"]
    assert client.get_instance_metadata_defaults()["AccountLevel"]
    lacking = [
        name
        for name, other in fleet.images.items()
        if (other["account_id"], other["region"]) == (row["account_id"], row["region"])
        and not pd.isna(other["launch_template_id"])
        and not requires_tokens(client, other)
    ]
    assert lacking == [image_id]


def requires_tokens(client: Any, row: dict[str, Any]) -> bool:
    """Return True if the launch template of an image requires IMDSv2."""
    request = {"Versions": [row["launch_template_version"]]}
    answer = client.describe_launch_template_versions(
        LaunchTemplateId=row["launch_template_id"], **request
    )
    settings = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return bool(settings.get("MetadataOptions", {}).get("HttpTokens") == "required")


def test_one_image_has_a_disabled_key(fleet: Fleet) -> None:
    """The AMI of one image is encrypted with a key that is disabled; no other AMI is."""
    image_id, row, client = fleet.find("encrypted")
    [root] = client.describe_images(ImageIds=[image_id])["Images"][0]["BlockDeviceMappings"]
    [snapshot] = client.describe_snapshots(SnapshotIds=[root["Ebs"]["SnapshotId"]])["Snapshots"]
    kms = fleet.connect(row["account_id"], row["region"], "kms")
    assert kms.describe_key(KeyId=snapshot["KmsKeyId"])["KeyMetadata"]["KeyState"] == "Disabled"
    encrypted = [
        image["ImageId"]
        for each in fleet.connect_all()
        for image in each.describe_images(Owners=["self"])["Images"]
        if image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    ]
    assert encrypted == [image_id]


def test_one_group_will_bypass_a_pool(fleet: Fleet) -> None:
    """An Auto Scaling group without instances has a template with volumes for one image."""
    image_id, _, client = fleet.find("threatened")
    groups = [
        group
        for each in fleet.connect_all("autoscaling")
        for group in each.describe_auto_scaling_groups()["AutoScalingGroups"]
    ]
    [group] = groups
    assert group["Instances"] == []
    [version] = client.describe_launch_template_versions(
        LaunchTemplateId=group["LaunchTemplate"]["LaunchTemplateId"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    settings = version["LaunchTemplateData"]
    assert settings["ImageId"] == image_id
    assert [disk["DeviceName"] for disk in settings["BlockDeviceMappings"]] == ["/dev/sda1"]


def test_one_image_has_a_successor_in_use(fleet: Fleet) -> None:
    """A newer AMI of an image's family is launched, and does not have Fast Launch."""
    image_id, _, client = fleet.find("succeeded")
    amis = {ami["ImageId"]: ami for ami in client.describe_images(Owners=["self"])["Images"]}
    name = amis[image_id]["Name"]
    [successor] = [ami for ami in amis.values() if ami["Name"] == f"{name}.1"]
    assert successor["CreationDate"] > amis[image_id]["CreationDate"]
    assert successor["LastLaunchedTime"] > successor["CreationDate"]
    assert successor["ImageId"] not in fleet.images


def test_image_builder_intends_another_target_for_one_image(fleet: Fleet) -> None:
    """One configuration has the settings of all images of a name, but one more target."""
    image_id, row, _ = fleet.find("intended")
    found = [
        client.get_distribution_configuration(distributionConfigurationArn=summary["arn"])
        for client in fleet.connect_all("imagebuilder")
        for summary in client.list_distribution_configurations()[
            "distributionConfigurationSummaryList"
        ]
    ]
    [answer] = found
    distributions = answer["distributionConfiguration"]["distributions"]
    settings = {it["region"]: it["fastLaunchConfigurations"][0] for it in distributions}
    assert set(settings) == set(fleet.demo.regions)
    assert {it["accountId"] for it in settings.values()} == {row["account_id"]}
    here = settings[row["region"]]
    target = here["snapshotConfiguration"]["targetResourceCount"]
    assert target == row["target_resource_count"] + 5, image_id
    assert here["maxParallelLaunches"] == row["max_parallel_launches"]
    others = [it["snapshotConfiguration"] for it in settings.values() if it is not here]
    assert others == [{"targetResourceCount": row["target_resource_count"]}] * 2


def test_one_stock_disagrees_with_ec2(fleet: Fleet) -> None:
    """EC2 lists ten snapshots less than CloudWatch's stock for one image."""
    image_id, row, client = fleet.find("tampered")
    description = {"Name": "description", "Values": [f"*{image_id}"]}
    snapshots = client.describe_snapshots(OwnerIds=["self"], Filters=[CREATED, description])
    cloudwatch = fleet.connect(row["account_id"], row["region"], "cloudwatch")
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/EC2",
        MetricName="NumberOfAvailableFastLaunchSnapshots",
        Dimensions=[{"Name": "ImageId", "Value": image_id}],
        StartTime=fleet.demo.clock.now() - timedelta(minutes=5),
        EndTime=fleet.demo.clock.now() + timedelta(minutes=5),
        Period=300,
        Statistics=["Minimum"],
    )["Datapoints"]
    stock = {point["Minimum"] for point in points}
    assert stock == {len(snapshots["Snapshots"]) + 10}


def test_one_region_keeps_used_snapshots(fleet: Fleet) -> None:
    """One rule of Recycle Bin keeps all snapshots; another excludes those of Fast Launch."""
    rules = [
        client.get_rule(Identifier=rule["Identifier"])
        for client in fleet.connect_all("rbin")
        for rule in client.list_rules(**SNAPSHOTS)["Rules"]
    ]
    assert sorted(len(rule["ExcludeResourceTags"]) for rule in rules) == [0, 1]


def test_one_region_has_leftovers(fleet: Fleet) -> None:
    """Volumes and an interface of Fast Launch are left over in one region."""
    counts = [
        (
            len(client.describe_volumes(Filters=AVAILABLE)["Volumes"]),
            len(client.describe_network_interfaces(Filters=AVAILABLE)["NetworkInterfaces"]),
        )
        for client in fleet.connect_all()
    ]
    assert sorted(some(counts)) == [*[(0, 0)] * 5, (2, 1)]
