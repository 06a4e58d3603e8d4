"""RunInstances of the emulator through plain boto3: fast boots from a pool, and cold boots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.pool.model import Pool
from tests.helpers.cases import costly
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, REGION, Connect

AMI, SHARED, OTHER = "ami-0123456789abcdef0", "ami-0000000000000000a", "999988887777"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


@pytest.fixture
def client(connect: Connect) -> Any:
    """A boto3 client of EC2 with one AMI of its account, and one shared with it."""
    get_backend(ACCOUNT, REGION).add_windows_image(AMI, name="own", owner_id=ACCOUNT)
    get_backend(OTHER, REGION).add_windows_image(
        SHARED, name="shared", owner_id=OTHER, shared_with=[ACCOUNT]
    )
    return connect("ec2")


def enable(image_id: str = AMI, account_id: str = ACCOUNT, target: int = 5) -> Any:
    """Enable an image, fill its pool, and return its lifecycle."""
    ec2 = get_backend(account_id, REGION)
    ec2.enable_fast_launch(image_id, target_resource_count=target)
    CLOCK.advance(minutes=30 * (1 + target // 6))
    assert ec2.lives[image_id].pool.stock == target
    return ec2.lives[image_id]


def launch(client: Any, count: int = 1, **parameters: Any) -> list[dict[str, Any]]:
    """Launch instances of the AMI, and return them from DescribeInstances."""
    request = {"ImageId": AMI, "MinCount": 1, "MaxCount": count, **parameters}
    ids = [it["InstanceId"] for it in client.run_instances(**request)["Instances"]]
    instances = {instance["InstanceId"]: instance for instance in list_instances(client, ids)}
    return [instances[instance_id] for instance_id in ids]


def list_instances(client: Any, ids: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return instances from DescribeInstances, all of them by default."""
    reservations = client.describe_instances(InstanceIds=ids)["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def list_root_volumes(client: Any, instances: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the root volume of each instance from DescribeVolumes."""
    volumes = {}
    for volume in client.describe_volumes()["Volumes"]:
        (attachment,) = volume["Attachments"]
        volumes[attachment["InstanceId"], attachment["Device"]] = volume
    return [volumes[instance["InstanceId"], instance["RootDeviceName"]] for instance in instances]


def list_root_snapshots(client: Any, instances: Iterable[dict[str, Any]]) -> list[str]:
    """Return the snapshot from which the root volume of each instance was created."""
    return [volume["SnapshotId"] for volume in list_root_volumes(client, instances)]


def get_ami_snapshot(client: Any, image_id: str = AMI) -> str:
    """Return the AMI's own snapshot from DescribeImages."""
    (image,) = client.describe_images(ImageIds=[image_id])["Images"]
    return str(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def list_pool_snapshots(client: Any) -> list[str]:
    """Return the snapshots of the pool from DescribeSnapshots."""
    snapshots = client.describe_snapshots(Filters=CREATED, OwnerIds=["self"])["Snapshots"]
    return [snapshot["SnapshotId"] for snapshot in snapshots]


def error_code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


# --- launches from a pool -------------------------------------------------------------


@pytest.mark.http
def test_each_instance_takes_the_oldest_snapshot_until_the_pool_is_empty(client: Any) -> None:
    """Seven instances take five snapshots, the oldest first; five more are prepared."""
    stock = list(enable().snapshots)
    snapshots = list_root_snapshots(client, launch(client, 7))
    assert snapshots == [*stock, *[get_ami_snapshot(client)] * 2]
    assert list_pool_snapshots(client) == []
    CLOCK.advance(minutes=30)
    assert len(list_pool_snapshots(client)) == 5
    assert not {*list_pool_snapshots(client)} & {*stock}


def test_an_ami_without_fast_launch_boots_cold(client: Any) -> None:
    """The root volume of a cold boot has the AMI's own snapshot and the size in DescribeImages."""
    (volume,) = list_root_volumes(client, launch(client))
    (image,) = client.describe_images(ImageIds=[AMI])["Images"]
    ebs = image["BlockDeviceMappings"][0]["Ebs"]
    assert (volume["SnapshotId"], volume["Size"]) == (ebs["SnapshotId"], ebs["VolumeSize"])
    assert volume["Size"] == 50
    (snapshot,) = client.describe_snapshots(SnapshotIds=[ebs["SnapshotId"]])["Snapshots"]
    assert snapshot["VolumeSize"] == 50


@pytest.mark.parametrize(
    "mapping",
    [
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10}},
    ],
)
@pytest.mark.parametrize("template", [False, True])
def test_block_device_mappings_bypass_the_pool(
    client: Any, mapping: dict[str, Any], template: bool
) -> None:
    """With block device mappings the root volume is created from the AMI's own snapshot."""
    enable()
    parameters: dict[str, Any] = {"BlockDeviceMappings": [mapping]}
    if template:
        get_backend(ACCOUNT, REGION).add_launch_template("runner", 1, parameters)
        parameters = {"LaunchTemplate": {"LaunchTemplateName": "runner"}}
    (instance,) = launch(client, **parameters)
    assert list_root_snapshots(client, [instance]) == [get_ami_snapshot(client)]
    assert len(list_pool_snapshots(client)) == 5
    names = [volume["DeviceName"] for volume in instance["BlockDeviceMappings"]]
    assert names == list(dict.fromkeys(["/dev/sda1", mapping["DeviceName"]]))
    sizes = {volume["Size"] for volume in client.describe_volumes()["Volumes"]}
    assert mapping["Ebs"]["VolumeSize"] in sizes
    assert len(client.describe_volumes()["Volumes"]) == len(names)


@pytest.mark.parametrize(
    "ebs",
    [
        {"VolumeType": "gp3"},
        {"VolumeType": "gp3", "Iops": 4000},
        {"VolumeType": "io2", "Iops": 8000},
        {"Encrypted": True},
        {"DeleteOnTermination": True},
    ],
)
@pytest.mark.parametrize("template", [False, True])
def test_a_mapping_without_a_size_has_that_of_the_ami(
    client: Any, ebs: dict[str, Any], template: bool
) -> None:
    """A root volume has what a mapping sets and the size of its AMI, and bypasses the pool."""
    enable()
    mapping = {"DeviceName": "/dev/sda1", "Ebs": ebs}
    parameters: dict[str, Any] = {"BlockDeviceMappings": [mapping]}
    if template:
        get_backend(ACCOUNT, REGION).add_launch_template("runner", 1, parameters)
        parameters = {"LaunchTemplate": {"LaunchTemplateName": "runner"}}
    instances = launch(client, **parameters)
    assert list_root_snapshots(client, instances) == [get_ami_snapshot(client)]
    assert len(list_pool_snapshots(client)) == 5
    [volume] = list_root_volumes(client, instances)
    assert volume["Size"] == 50
    expected = {name: value for name, value in ebs.items() if name != "DeleteOnTermination"}
    assert {name: volume[name] for name in expected} == expected


def test_a_mapping_can_name_the_root_snapshot(client: Any) -> None:
    """A snapshot in a mapping of the root volume replaces the AMI's own."""
    other = enable().snapshots[3]
    ebs = {"SnapshotId": other, "VolumeSize": 50}
    mappings = [{"DeviceName": "/dev/sda1", "Ebs": ebs}]
    assert list_root_snapshots(client, launch(client, BlockDeviceMappings=mappings)) == [other]


def test_no_device_removes_the_root_volume(client: Any) -> None:
    """A mapping with NoDevice leaves the instance without a root volume."""
    mappings = [{"DeviceName": "/dev/sda1", "NoDevice": ""}]
    (instance,) = launch(client, BlockDeviceMappings=mappings)
    assert instance["BlockDeviceMappings"] == []


def test_a_launch_template_may_name_the_ami(client: Any) -> None:
    """An instance of a launch template's AMI takes a snapshot like any other."""
    stock = list(enable().snapshots)
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 1, {"ImageId": AMI})
    answer = client.run_instances(
        MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "runner"}
    )
    assert list_root_snapshots(client, answer["Instances"]) == stock[:1]


@pytest.mark.http
def test_auto_scaling_takes_from_the_pool(client: Any, connect: Connect) -> None:
    """Instances that Auto Scaling launches take snapshots, too."""
    stock = list(enable().snapshots)
    scaling = connect("autoscaling")
    scaling.create_launch_configuration(
        LaunchConfigurationName="c", ImageId=AMI, InstanceType="m5.large"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="g",
        LaunchConfigurationName="c",
        MinSize=2,
        MaxSize=2,
        AvailabilityZones=["us-east-1a"],
    )
    assert list_root_snapshots(client, list_instances(client)) == stock[:2]


@pytest.mark.http
def test_a_fleet_takes_from_the_pool(client: Any) -> None:
    """Instances of an EC2 Fleet, whose launch template names the AMI, take snapshots, too."""
    stock = list(enable().snapshots)
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 1, {"ImageId": AMI, "InstanceType": "m5.large"})
    template = {"LaunchTemplateName": "runner", "Version": "1"}
    client.create_fleet(
        LaunchTemplateConfigs=[{"LaunchTemplateSpecification": template}],
        TargetCapacitySpecification={
            "TotalTargetCapacity": 2,
            "OnDemandTargetCapacity": 2,
            "DefaultTargetCapacityType": "on-demand",
        },
        Type="instant",
    )
    snapshots = list_root_snapshots(client, list_instances(client))
    assert sorted(snapshots) == sorted(stock[:2])


def test_launches_from_unknown_amis_are_left_to_moto(ec2: Any) -> None:
    """Other services of moto can launch from AMIs that do not exist."""
    reset_emulator()
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.run_instances("ami-12345678", 1, None, [], is_instance_type_default=True)
    (volume,) = ec2.describe_volumes()
    assert (volume.snapshot_id, volume.size) == (None, 8)


# --- states ---------------------------------------------------------------------------


def test_the_stock_is_used_up_after_a_failure(client: Any) -> None:
    """After enabled-failed, launches take the remaining snapshots, and none are prepared."""
    ec2 = get_backend(ACCOUNT, REGION)
    stock = list(enable().snapshots)
    ec2.break_preparation(AMI)
    launch(client)
    CLOCK.advance(minutes=30)
    assert ec2.image_index.get(AMI).state == "enabled-failed"
    assert list_root_snapshots(client, launch(client, 5)) == [*stock[1:], get_ami_snapshot(client)]
    CLOCK.advance(hours=5)
    assert list_pool_snapshots(client) == []


def test_launches_while_disabling_boot_cold(client: Any) -> None:
    """While disabling, launches take no snapshot, and the clean-up ends as usual."""
    enable()
    client.disable_fast_launch(ImageId=AMI)
    assert list_root_snapshots(client, launch(client)) == [get_ami_snapshot(client)]
    assert get_backend(ACCOUNT, REGION).lives[AMI].launch() is None
    assert len(list_pool_snapshots(client)) == 5
    CLOCK.advance(minutes=10)
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []
    assert list_pool_snapshots(client) == []
    assert list_root_snapshots(client, launch(client)) == [get_ami_snapshot(client)]


@pytest.mark.parametrize(("state", "refilled"), [("enabled", 3), ("enabled-failed", 0)])
def test_an_added_image_has_a_full_pool_of_numbers(client: Any, state: str, refilled: int) -> None:
    """Its snapshots get ids when they are taken; their replacements exist in EC2."""
    image = FastLaunchImage(AMI, state=state, target_resource_count=3, max_parallel_launches=6)
    add_fast_launch_images(get_backend(ACCOUNT, REGION), [image])
    snapshots = list_root_snapshots(client, launch(client, 4))
    assert len({*snapshots}) == 4
    assert snapshots[3] == get_ami_snapshot(client)
    CLOCK.advance(minutes=30)
    assert len(list_pool_snapshots(client)) == refilled
    assert client.describe_fast_launch_images()["FastLaunchImages"][0]["State"] == state


def test_numbers_are_older_than_existing_snapshots(client: Any) -> None:
    """Snapshots that are only numbers are taken before snapshots that exist in EC2."""
    image = FastLaunchImage(AMI, state="enabled", target_resource_count=2)
    add_fast_launch_images(get_backend(ACCOUNT, REGION), [image])
    launch(client)
    CLOCK.advance(minutes=30)
    (existing,) = list_pool_snapshots(client)
    first, second = list_root_snapshots(client, launch(client, 2))
    assert (first != existing, second) == (True, existing)
    assert list_pool_snapshots(client) == []


@pytest.mark.parametrize("state", ["enabling", "enabling-failed", "disabling", None])
def test_an_added_image_without_a_stock_boots_cold(client: Any, state: str | None) -> None:
    """A launch from an added image that has no snapshots boots cold and changes nothing."""
    image = FastLaunchImage(AMI, state=state, target_resource_count=3)
    ec2 = get_backend(ACCOUNT, REGION)
    add_fast_launch_images(ec2, [image])
    assert list_root_snapshots(client, launch(client)) == [get_ami_snapshot(client)]
    CLOCK.advance(hours=5)
    assert ec2.image_index.get(AMI) == image


# --- accounts -------------------------------------------------------------------------


def test_a_shared_ami_takes_from_the_owners_pool(client: Any) -> None:
    """A launch of a shared AMI takes a snapshot of the account that owns it."""
    stock = list(enable(SHARED, OTHER, target=1).snapshots)
    ami_snapshot = get_ami_snapshot(client, SHARED)
    instances = launch(client, 2, ImageId=SHARED)
    assert list_root_snapshots(client, instances) == [*stock, ami_snapshot]
    assert {instance["Platform"] for instance in instances} == {"windows"}


def test_an_own_pool_is_used_before_the_owners(client: Any) -> None:
    """Launches take the account's own snapshots first, then the owner's, then none."""
    owners = list(enable(SHARED, OTHER, target=2).snapshots)
    own = list(enable(SHARED, target=2).snapshots)
    snapshots = list_root_snapshots(client, launch(client, 5, ImageId=SHARED))
    assert snapshots == [*own, *owners, get_ami_snapshot(client, SHARED)]


def test_an_unavailable_ami_is_refused(client: Any) -> None:
    """An AMI that is unknown, deregistered or not shared is refused."""
    backend = get_backend(OTHER, REGION)
    backend.amis[SHARED].launch_permissions.clear()
    get_backend(ACCOUNT, REGION).deregister_image(AMI)
    for image_id in (AMI, SHARED, "ami-00000000000000001"):
        with pytest.raises(ClientError) as caught:
            client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
        assert error_code(caught) == "InvalidAMIID.NotFound", image_id
    assert client.describe_instances()["Reservations"] == []


# --- requests -------------------------------------------------------------------------


def test_a_dry_run_takes_nothing(client: Any) -> None:
    """A dry run leaves the pool unchanged."""
    enable()
    with pytest.raises(ClientError) as caught:
        client.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, DryRun=True)
    assert error_code(caught) == "DryRunOperation"
    assert len(list_pool_snapshots(client)) == 5


@pytest.mark.http
def test_invalid_counts_are_refused(client: Any) -> None:
    """MinCount above MaxCount and counts of 0 are refused with both numbers."""
    for least, most in ((2, 1), (0, 0)):
        with pytest.raises(ClientError) as caught:
            client.run_instances(ImageId=AMI, MinCount=least, MaxCount=most)
        assert error_code(caught) == "InvalidParameterValue", (least, most)
        assert f"MinCount is {least}, MaxCount is {most}. Expected" in str(caught.value)


def test_launches_have_virtual_times(client: Any) -> None:
    """Instances, volumes and attachments have times of the virtual clock."""
    CLOCK.advance(days=3, minutes=7)
    (instance,) = launch(client)
    (volume,) = list_root_volumes(client, [instance])
    (nic,) = instance["NetworkInterfaces"]
    times = [
        instance["LaunchTime"],
        volume["CreateTime"],
        volume["Attachments"][0]["AttachTime"],
        instance["BlockDeviceMappings"][0]["Ebs"]["AttachTime"],
        nic["Attachment"]["AttachTime"],
    ]
    assert times == [CLOCK.now()] * 5


def test_the_same_seed_and_requests_give_the_same_answers(connect: Connect) -> None:
    """Ids of instances and volumes follow from the launches, not from reads in between."""

    def launch_and_read(reads: int) -> list[Any]:
        reset_emulator(seed=3)
        ec2 = get_backend(ACCOUNT, REGION)
        ec2.add_windows_image(AMI, name="own", owner_id=ACCOUNT)
        client, sts = connect("ec2"), connect("sts")
        enable()
        instances = []
        for _ in range(3):
            instances += launch(client, 3, ClientToken="t")
            for _ in range(reads):
                sts.get_caller_identity()
                client.describe_volumes()
        return [instances, client.describe_volumes()["Volumes"]]

    assert launch_and_read(reads=0) == launch_and_read(reads=2)


# --- comparison with the model --------------------------------------------------------

_LAUNCHES = st.lists(
    st.tuples(st.sampled_from([0, 1, 299, 600, 601, 1800, 5000]), st.integers(1, 4)), max_size=12
)


@costly
@given(
    launches=_LAUNCHES,
    target=st.integers(1, 9),
    parallel=st.integers(6, 8),
    fill_time=st.sampled_from([300, 601, 1800]),
)
@pytest.mark.http
def test_launches_agree_with_the_model(
    ec2: Any, launches: list[tuple[int, int]], target: int, parallel: int, fill_time: int
) -> None:
    """Law: each launch is fast exactly if a launch from a Pool at the same time is."""
    reset_emulator()
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.pace.preparation = timedelta(seconds=fill_time)
    ec2.add_windows_image(AMI, name="own", owner_id=ACCOUNT)
    client = boto3.client("ec2", aws_access_key_id="x", aws_secret_access_key="x")
    ami_snapshot = get_ami_snapshot(client)
    client.enable_fast_launch(
        ImageId=AMI,
        SnapshotConfiguration={"TargetResourceCount": target},
        MaxParallelLaunches=parallel,
    )
    pool = Pool(target, parallel, fill_time)
    for wait, count in launches:
        CLOCK.advance(seconds=wait)
        pool.advance(pool.now + wait)
        snapshots = list_root_snapshots(client, launch(client, count))
        is_fast = [snapshot != ami_snapshot for snapshot in snapshots]
        assert is_fast == [pool.take() for _ in range(count)]
    actual = ec2.lives[AMI].pool
    assert (actual.stock, actual.used, actual.missed) == (pool.stock, pool.used, pool.missed)


# --- the last launch ------------------------------------------------------------------


def test_a_launch_is_reported_a_day_later(client: Any) -> None:
    """LastLaunchedTime is the last launch that is a day old, of every account that launches."""

    def last_launched(image_id: str = AMI) -> Any:
        [image] = client.describe_images(ImageIds=[image_id])["Images"]
        return image.get("LastLaunchedTime")

    def format_now() -> str:
        return f"{CLOCK.now():%Y-%m-%dT%H:%M:%S.000Z}"

    first = format_now()
    launch(client)
    CLOCK.advance(hours=20)
    second = format_now()
    launch(client, count=2)
    launch(client, ImageId=SHARED)
    reports = []
    for hours in (3, 1, 19, 1):
        CLOCK.advance(hours=hours)
        reports.append(last_launched())
    assert reports == [None, first, first, second]
    assert last_launched(SHARED) == second
