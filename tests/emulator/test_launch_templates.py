"""Launch templates of Fast Launch in the emulator: forbidden settings, and the default one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from tests.helpers.samples import ACCOUNT, REGION, Connect

AMI, OTHER = "ami-0123456789abcdef0", "ami-0123456789abcdef1"
TAGS = [{"Key": "team", "Value": "x"}]
FORBIDDEN: dict[str, dict[str, Any]] = {  # the setting in the message to the settings
    "UserData": {"UserData": "aGVsbG8="},
    "DisableApiTermination": {"DisableApiTermination": True},
    "MetadataOptions.HttpEndpoint": {"MetadataOptions": {"HttpEndpoint": "disabled"}},
    "InstanceMarketOptions": {"InstanceMarketOptions": {"MarketType": "spot"}},
    "InstanceInitiatedShutdownBehavior": {"InstanceInitiatedShutdownBehavior": "terminate"},
    **{
        f"TagSpecifications of {kind}": {
            "TagSpecifications": [{"ResourceType": kind, "Tags": TAGS}]
        }
        for kind in ("network-interface", "elastic-gpu", "spot-instances-request")
    },
}
ALLOWED: list[dict[str, Any]] = [
    {"DisableApiTermination": False},
    {"MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required"}},
    {"InstanceInitiatedShutdownBehavior": "stop"},
    {
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume")
        ]
    },
]


@pytest.fixture
def client(connect: Connect) -> Any:
    """A boto3 client of an emulator with two AMIs, in-process and over HTTP."""
    for image_id in (AMI, OTHER):
        get_backend(ACCOUNT, REGION).add_windows_image(image_id, name="x", owner_id=ACCOUNT)
    return connect()


def describe_template(client: Any, image_id: str = AMI) -> dict[str, Any]:
    """Return the launch template of an image."""
    [image] = client.describe_fast_launch_images(ImageIds=[image_id])["FastLaunchImages"]
    template: dict[str, Any] = image["LaunchTemplate"]
    return template


# --- forbidden settings ---------------------------------------------------------------


@pytest.mark.parametrize("setting", FORBIDDEN)
@pytest.mark.parametrize("version", ["2", "$Latest", "$Default"])
def test_enable_refuses_forbidden_settings(client: Any, setting: str, version: str) -> None:
    """Enable refuses a version with a setting that Fast Launch forbids, and names the setting."""
    client.create_launch_template(
        LaunchTemplateName="runner", LaunchTemplateData={"EbsOptimized": True}
    )
    client.create_launch_template_version(
        LaunchTemplateName="runner", LaunchTemplateData=FORBIDDEN[setting]
    )
    client.modify_launch_template(LaunchTemplateName="runner", DefaultVersion="2")
    template = {"LaunchTemplateName": "runner", "Version": version}
    for dry_run in (True, False):
        with pytest.raises(ClientError, match=re.escape(setting)) as caught:
            client.enable_fast_launch(ImageId=AMI, LaunchTemplate=template, DryRun=dry_run)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []
    client.enable_fast_launch(ImageId=AMI, LaunchTemplate={**template, "Version": "1"})


@pytest.mark.parametrize("settings", ALLOWED)
def test_enable_accepts_other_settings(client: Any, settings: dict[str, Any]) -> None:
    """Other values of the same settings are accepted."""
    client.create_launch_template(LaunchTemplateName="runner", LaunchTemplateData=settings)
    template = {"LaunchTemplateName": "runner", "Version": "1"}
    assert client.enable_fast_launch(ImageId=AMI, LaunchTemplate=template)["State"] == "enabling"


def test_a_version_may_become_forbidden_later(client: Any) -> None:
    """An image by $Latest keeps its pool when a version becomes forbidden; enabling it fails."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 1)
    template = {"LaunchTemplateName": "runner", "Version": "$Latest"}
    client.enable_fast_launch(ImageId=AMI, LaunchTemplate=template)
    ec2.add_template_version("runner", FORBIDDEN["UserData"])
    CLOCK.advance(hours=1)
    [image] = client.describe_fast_launch_images()["FastLaunchImages"]
    assert (image["State"], image["LaunchTemplate"]["Version"]) == ("enabled", "$Latest")
    with pytest.raises(ClientError, match="UserData"):
        client.enable_fast_launch(ImageId=AMI, LaunchTemplate=template)


# --- the default template -------------------------------------------------------------


@pytest.mark.http
def test_without_a_template_there_is_the_default_one(client: Any) -> None:
    """Describe names AWS's own launch template, which exists, one for all images of a region."""
    assert client.enable_fast_launch(ImageId=AMI)["LaunchTemplate"] == {}
    client.enable_fast_launch(ImageId=OTHER)
    template = describe_template(client)
    assert template == describe_template(client, OTHER)
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    name = template["LaunchTemplateName"]
    assert re.fullmatch(f"EC2FastLaunchDefaultResourceCreation-{uuid}", name)
    assert template["Version"] == "1"
    [existing] = client.describe_launch_templates()["LaunchTemplates"]
    assert (existing["LaunchTemplateName"], existing["CreateTime"]) == (name, CLOCK.now())
    assert existing["LaunchTemplateId"] == template["LaunchTemplateId"]
    CLOCK.advance(hours=1)
    [snapshot, *_] = client.describe_snapshots(OwnerIds=["self"], Filters=CREATED)["Snapshots"]
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}
    assert tags["CreatedByLaunchTemplateName"] == name


CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


def test_a_dry_run_creates_no_template(client: Any) -> None:
    """A dry run of Enable leaves no launch template."""
    with pytest.raises(ClientError, match="DryRunOperation"):
        client.enable_fast_launch(ImageId=AMI, DryRun=True)
    assert client.describe_launch_templates()["LaunchTemplates"] == []


def test_the_default_template_follows_from_the_seed(connect: Connect) -> None:
    """Its name and id are the same for a seed, however much is read, and differ between seeds."""

    def enable(seed: int, reads: int) -> dict[str, Any]:
        reset_emulator(seed)
        get_backend(ACCOUNT, REGION).add_windows_image(AMI, name="x", owner_id=ACCOUNT)
        client = connect()
        for _ in range(reads):
            client.describe_vpcs()
        client.enable_fast_launch(ImageId=AMI)
        return describe_template(client)

    assert enable(1, 0) == enable(1, 3)
    assert enable(1, 0)["LaunchTemplateName"] != enable(2, 0)["LaunchTemplateName"]


# --- times ----------------------------------------------------------------------------


@pytest.mark.http
def test_times_follow_the_virtual_clock(client: Any) -> None:
    """CreateTime of a template and of its versions is the time of the emulator's clock."""
    start = CLOCK.now()
    settings = {"LaunchTemplateName": "runner", "LaunchTemplateData": {"EbsOptimized": True}}
    created = client.create_launch_template(**settings)["LaunchTemplate"]
    CLOCK.advance(days=3)
    client.create_launch_template_version(**settings)
    get_backend(ACCOUNT, REGION).add_template_version("runner", {})
    answer = client.describe_launch_template_versions(LaunchTemplateName="runner")
    times = [version["CreateTime"] for version in answer["LaunchTemplateVersions"]]
    assert (created["CreateTime"], times) == (start, [start, *[start + timedelta(days=3)] * 2])
