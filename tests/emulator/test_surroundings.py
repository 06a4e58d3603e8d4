"""Resources of other services in the emulator, read through plain boto3 as the joins read them."""

from __future__ import annotations

from typing import Any

import pytest

from fastlaunch_nb.emulator import surroundings
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.samples import ACCOUNT, REGION, Connect

pytestmark = pytest.mark.http

AMI = "ami-0123456789abcdef0"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]
AVAILABLE = [*CREATED, {"Name": "status", "Values": ["available"]}]


@pytest.mark.parametrize("is_granted", [True, False])
def test_an_encrypted_image(connect: Connect, is_granted: bool) -> None:
    """An AMI with a key, and the snapshots of its pool, are encrypted with it; KMS answers it."""
    ec2, kms = get_backend(ACCOUNT, REGION), connect("kms")
    arn = surroundings.add_key(ec2, is_granted=is_granted)
    ec2.add_windows_image(AMI, name="x", owner_id=ACCOUNT, kms_key_id=arn)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(hours=1)
    client = connect()
    [image] = client.describe_images(ImageIds=[AMI])["Images"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    snapshots = client.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert [snapshot["KmsKeyId"] for snapshot in snapshots] == [arn] * 6
    key = kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (key["KeyState"], key["KeyManager"], key["KeySpec"]) == (
        "Enabled",
        "CUSTOMER",
        "SYMMETRIC_DEFAULT",
    )
    assert key["CreationDate"] < CLOCK.now()
    role = "AWSServiceRoleForEC2FastLaunch"
    grants = kms.list_grants(KeyId=arn)["Grants"]
    assert [grant["GranteePrincipal"].endswith(f"/{role}") for grant in grants] == [
        True
    ] * is_granted
    surroundings.disable_key(ec2, arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"


def test_an_image_without_a_key_is_not_encrypted(connect: Connect) -> None:
    """An AMI is not encrypted unless it has a key."""
    get_backend(ACCOUNT, REGION).add_windows_image(AMI, name="x", owner_id=ACCOUNT)
    [image] = connect().describe_images(ImageIds=[AMI])["Images"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is False


def test_an_auto_scaling_group(connect: Connect) -> None:
    """Auto Scaling answers a group with its launch template, and launches nothing."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 1, {"ImageId": AMI})
    template = {"LaunchTemplateName": "runner", "Version": "$Latest"}
    surroundings.add_auto_scaling_group(ec2, "agents", template, most=4)
    [group] = connect("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["AutoScalingGroupName"], group["MaxSize"]) == ("agents", 4)
    assert group["LaunchTemplate"].items() >= template.items()
    assert group["LaunchTemplate"]["LaunchTemplateId"].startswith("lt-")
    assert group["CreatedTime"] == CLOCK.now()
    assert connect().describe_instances()["Reservations"] == []


def test_leftovers_are_attached_to_nothing(connect: Connect) -> None:
    """Volumes and interfaces that are left over have the tag of Fast Launch and are available."""
    surroundings.add_leftovers(get_backend(ACCOUNT, REGION), volumes=2, gib=50, interfaces=1)
    client: Any = connect()
    volumes = client.describe_volumes(Filters=AVAILABLE)["Volumes"]
    assert [(volume["Size"], volume["State"]) for volume in volumes] == [(50, "available")] * 2
    assert {volume["CreateTime"] for volume in volumes} == {CLOCK.now()}
    [interface] = client.describe_network_interfaces(Filters=AVAILABLE)["NetworkInterfaces"]
    assert interface["Status"] == "available"
