"""The joins that are read when they are named, over HTTP: the values for images of the demo."""

from __future__ import annotations

from typing import Any

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.joins.encryption import get_role_arn
from tests.helpers.joins import COLUMNS, get_ec2, list_values, prepare_every_read, record_requests
from tests.helpers.samples import ACCOUNT, REGION

TAGS = [{"Key": "CreatedBy", "Value": "EC2 Fast Launch"}]


def enrich_first(images: pd.DataFrame, join: str) -> dict[str, Any]:
    """Return the columns of a join for the first image."""
    return list_values(fl.enrich(images, join)[COLUMNS[join]])[0]


def test_rules_of_recycle_bin(demo: Demo, images: pd.DataFrame) -> None:
    """Rules that keep used snapshots are named, for all images of the account and region."""
    assert enrich_first(images, "recycle_bin") == {"recycle_bin_rules": ""}
    ec2 = get_ec2()
    excluded = {"CreatedBy": "EC2 Fast Launch"}
    keeping = [ec2.add_retention_rule(), ec2.add_retention_rule(resource_tags=excluded)]
    ec2.add_retention_rule(exclude_resource_tags=excluded)
    ec2.add_retention_rule(resource_tags={"Team": "web"})
    found = fl.enrich(images, "recycle_bin")
    assert set(found["recycle_bin_rules"]) == {", ".join(keeping)}


def test_leftovers_of_a_region(demo: Demo, images: pd.DataFrame) -> None:
    """Volumes and interfaces count if they have the tag and are attached to nothing."""
    client = demo.session.client("ec2")
    subnet = client.describe_subnets()["Subnets"][0]
    for tags in (TAGS, [{"Key": "CreatedBy", "Value": "me"}]):
        client.create_volume(
            AvailabilityZone=f"{REGION}a",
            Size=50,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
        )
        client.create_network_interface(
            SubnetId=subnet["SubnetId"],
            TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}],
        )
    numbers = {"leftover_volumes": 1, "leftover_volume_gib": 50, "leftover_interfaces": 1}
    assert enrich_first(images, "leftovers") == numbers


def test_launchers_of_an_image(demo: Demo, images: pd.DataFrame) -> None:
    """A launch template and its Auto Scaling group are found before their first launch."""
    session, image_id = demo.session, images["image_id"].iloc[0]
    device = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80, "VolumeType": "gp3"}}
    data = {"ImageId": image_id, "InstanceType": "m5.large", "BlockDeviceMappings": [device]}
    session.client("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)
    session.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="web-asg",
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"},
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=[f"{REGION}a"],
    )
    found = fl.enrich(images, "launchers")["bypassing_launchers"]
    expected = "launch-template/web:1, auto-scaling-group/web-asg"
    assert found.tolist() == [expected, *[""] * (len(images) - 1)]


def test_the_key_of_an_image(demo: Demo, images: pd.DataFrame) -> None:
    """Its state and the grant are those of KMS; other images have none, but one of the demo."""
    before = list_values(fl.enrich(images, "kms")[COLUMNS["kms"]])
    key = prepare_every_read(demo, images["image_id"].iloc[0])
    state = {"kms_key_id": key, "kms_key_state": "Enabled", "kms_grant": "missing"}
    found = list_values(fl.enrich(images, "kms")[COLUMNS["kms"]])
    none = {"kms_key_id": "", "kms_key_state": None, "kms_grant": None}
    assert found == [state, *before[1:]]
    assert before.count(none) == len(images) - 1
    kms, role = demo.session.client("kms"), get_role_arn("aws", ACCOUNT)
    kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"])
    kms.disable_key(KeyId=key.rpartition("/")[2])
    changes = {"kms_key_state": "Disabled", "kms_grant": "granted"}
    assert enrich_first(images, "kms") == {**state, **changes}


def test_enforcement_of_imdsv2(demo: Demo, images: pd.DataFrame) -> None:
    """It is a setting of each account and region."""
    column = "imds_http_tokens_enforced"
    assert enrich_first(images, "imds") == {column: "no-preference"}
    get_ec2().metadata_defaults = {"HttpTokensEnforced": "enabled"}
    assert enrich_first(images, "imds") == {column: "enabled"}


def test_the_intent_of_an_image(demo: Demo, images: pd.DataFrame) -> None:
    """A configuration in another region counts for the region that it distributes to."""
    before = list_values(fl.enrich(images, "intent")[COLUMNS["intent"]])
    name = get_ec2().amis[images["image_id"].iloc[0]].name
    settings = {"enabled": True, "maxParallelLaunches": 6, "accountId": ACCOUNT}
    distribution = {
        "region": REGION,
        "amiDistributionConfiguration": {"name": name},
        "fastLaunchConfigurations": [settings],
    }
    arn = get_ec2(region="eu-west-1").add_distribution_configuration("windows", [distribution])
    found = fl.enrich(images, "intent", regions=[REGION, "eu-west-1"])
    first, *others = list_values(found[COLUMNS["intent"]])
    known = {"intended_fast_launch": "enabled", "intended_max_parallel_launches": 6}
    assert first == {**dict.fromkeys(first), **known, "intended_by": arn}
    assert others == before[1:]
    assert list_values(fl.enrich(images, "intent")[COLUMNS["intent"]]) == before
    assert set(before[0].values()) == {None}


def test_the_requests_of_the_joins(demo: Demo, images: pd.DataFrame) -> None:
    """In a region with one key and one configuration, six joins are thirteen requests."""
    joins = ("recycle_bin", "leftovers", "launchers", "kms", "imds", "intent")
    with record_requests(demo) as calls:
        fl.enrich(images, *joins)
    actions = [action for action, *_ in calls if action != "sts:GetCallerIdentity"]
    assert len(actions) == 13, actions
