"""Launches in the embedded EC2: what RunInstances takes from a pool, by plain boto3."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.emulator.change_log import CHANGE_LOG, DISABLED, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.pool.model import Pool
from tests.helpers.cases import costly
from tests.helpers.samples import ACCOUNT, REGION, Connect

AMI, SHARED, OTHER = "ami-0123456789abcdef0", "ami-0000000000000000a", "999988887777"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


@pytest.fixture
def client(connect: Connect) -> Any:
    """A boto3 client of EC2, where there is one AMI of its account, and one shared with it."""
    get_backend(ACCOUNT, REGION).add_windows_image(AMI, name="own", owner_id=ACCOUNT)
    get_backend(OTHER, REGION).add_windows_image(
        SHARED, name="shared", owner_id=OTHER, shared_with=[ACCOUNT]
    )
    return connect("ec2")


def enable(image_id: str = AMI, account_id: str = ACCOUNT, target: int = 5) -> Any:
    """Enable an image, let its pool fill up, and return its life."""
    ec2 = get_backend(account_id, REGION)
    ec2.enable_fast_launch(image_id, target_resource_count=target)
    CLOCK.advance(minutes=30 * (1 + target // 6))
    assert ec2.lives[image_id].pool.stock == target
    return ec2.lives[image_id]


def run(client: Any, count: int = 1, **asked: Any) -> list[dict[str, Any]]:
    """Launch instances of the AMI, and return them as DescribeInstances has them."""
    asked = {"ImageId": AMI, "MinCount": 1, "MaxCount": count, **asked}
    launched = [it["InstanceId"] for it in client.run_instances(**asked)["Instances"]]
    answer = client.describe_instances(InstanceIds=launched)["Reservations"]
    found = {it["InstanceId"]: it for each in answer for it in each["Instances"]}
    return [found[instance_id] for instance_id in launched]


def volumes(client: Any, instances: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the root volume of each instance, as DescribeVolumes has it."""
    found = {}
    for volume in client.describe_volumes()["Volumes"]:
        (attached,) = volume["Attachments"]
        found[attached["InstanceId"], attached["Device"]] = volume
    return [found[instance["InstanceId"], instance["RootDeviceName"]] for instance in instances]


def roots(client: Any, instances: Iterable[dict[str, Any]]) -> list[str]:
    """Return which snapshot the root volume of each instance was made from."""
    return [volume["SnapshotId"] for volume in volumes(client, instances)]


def own_snapshot(client: Any, image_id: str = AMI) -> str:
    """Return the AMI's own snapshot, as DescribeImages has it."""
    (image,) = client.describe_images(ImageIds=[image_id])["Images"]
    return str(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def prepared(client: Any) -> list[str]:
    """Return the snapshots in the pool that EC2 lists."""
    found = client.describe_snapshots(Filters=CREATED, OwnerIds=["self"])["Snapshots"]
    return [snapshot["SnapshotId"] for snapshot in found]


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


# --- what takes from the pool ---------------------------------------------------------


def test_each_instance_takes_the_oldest_snapshot_and_then_they_boot_cold(client: Any) -> None:
    """Seven instances, five snapshots: in their order, used up, and prepared again."""
    stock = list(enable().snapshots)
    assert roots(client, run(client, 7)) == [*stock, *[own_snapshot(client)] * 2]
    assert prepared(client) == []
    CLOCK.advance(minutes=30)
    assert len(prepared(client)) == 5
    assert not {*prepared(client)} & {*stock}


def test_an_ami_without_fast_launch_boots_cold(client: Any) -> None:
    """Its root volume is made from its own snapshot, and as large as DescribeImages says."""
    (volume,) = volumes(client, run(client))
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
    """Whoever says what the volumes are gets a root made from the AMI's own snapshot."""
    enable()
    asked: dict[str, Any] = {"BlockDeviceMappings": [mapping]}
    if template:
        get_backend(ACCOUNT, REGION).add_launch_template("runner", 1, asked)
        asked = {"LaunchTemplate": {"LaunchTemplateName": "runner"}}
    (instance,) = run(client, **asked)
    assert roots(client, [instance]) == [own_snapshot(client)]
    assert len(prepared(client)) == 5
    names = [volume["DeviceName"] for volume in instance["BlockDeviceMappings"]]
    assert names == list(dict.fromkeys(["/dev/sda1", mapping["DeviceName"]]))
    sizes = {volume["Size"] for volume in client.describe_volumes()["Volumes"]}
    assert mapping["Ebs"]["VolumeSize"] in sizes
    assert len(client.describe_volumes()["Volumes"]) == len(names)


def test_a_root_from_another_snapshot_is_made_from_that(client: Any) -> None:
    """A mapping that names a snapshot for the root has it, and not the AMI's own."""
    other = enable().snapshots[3]
    ebs = {"SnapshotId": other, "VolumeSize": 50}
    asked = [{"DeviceName": "/dev/sda1", "Ebs": ebs}]
    assert roots(client, run(client, BlockDeviceMappings=asked)) == [other]


def test_no_root_is_made_where_none_is_wanted(client: Any) -> None:
    """NoDevice takes the root volume away."""
    asked = [{"DeviceName": "/dev/sda1", "NoDevice": ""}]
    (instance,) = run(client, BlockDeviceMappings=asked)
    assert instance["BlockDeviceMappings"] == []


def test_a_launch_template_may_name_the_ami(client: Any) -> None:
    """An instance of a template's AMI takes from the pool like any other."""
    stock = list(enable().snapshots)
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 1, {"ImageId": AMI})
    launched = client.run_instances(
        MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "runner"}
    )
    assert roots(client, launched["Instances"]) == stock[:1]


def test_auto_scaling_takes_from_the_pool(client: Any, connect: Connect) -> None:
    """Whatever launches instances takes from the pool, not RunInstances alone."""
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
    (reservation,) = client.describe_instances()["Reservations"]
    assert roots(client, reservation["Instances"]) == stock[:2]


def test_a_fleet_takes_from_the_pool(client: Any) -> None:
    """So does an EC2 Fleet, whose launch template names the AMI."""
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
    found = client.describe_instances()["Reservations"]
    instances = [instance for each in found for instance in each["Instances"]]
    assert sorted(roots(client, instances)) == sorted(stock[:2])


def test_what_moto_launches_without_an_ami_is_left_to_moto(ec2: Any) -> None:
    """Its other services launch from AMIs that nobody has put there."""
    reset_emulator()
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.run_instances("ami-12345678", 1, None, [], is_instance_type_default=True)
    (volume,) = ec2.describe_volumes()
    assert (volume.snapshot_id, volume.size) == (None, 8)


# --- states ---------------------------------------------------------------------------


def test_what_is_in_stock_after_a_failure_is_used_and_not_prepared_again(client: Any) -> None:
    """After enabled-failed launches use the stock up."""
    ec2 = get_backend(ACCOUNT, REGION)
    stock = list(enable().snapshots)
    ec2.break_preparation(AMI)
    run(client)
    CLOCK.advance(minutes=30)
    assert ec2.image_index.get(AMI).state == "enabled-failed"
    assert roots(client, run(client, 5)) == [*stock[1:], own_snapshot(client)]
    CLOCK.advance(hours=5)
    assert prepared(client) == []


def test_launches_while_disabling_boot_cold(client: Any) -> None:
    """Once it is disabled nothing is taken, and the clean-up ends as it would have."""
    enable()
    client.disable_fast_launch(ImageId=AMI)
    assert roots(client, run(client)) == [own_snapshot(client)]
    assert not get_backend(ACCOUNT, REGION).lives[AMI].take()
    assert len(prepared(client)) == 5
    CLOCK.advance(minutes=10)
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []
    assert prepared(client) == []
    assert roots(client, run(client)) == [own_snapshot(client)]


@pytest.mark.parametrize(("state", "refilled"), [("enabled", 3), ("enabled-failed", 0)])
def test_what_was_put_there_has_a_full_pool_of_numbers(
    client: Any, state: str, refilled: int
) -> None:
    """Its snapshots get ids as they are taken; those prepared in their place are real."""
    image = FastLaunchImage(AMI, state=state, target_resource_count=3, max_parallel_launches=6)
    get_backend(ACCOUNT, REGION).add_fast_launch_image(image)
    own = own_snapshot(client)
    found = roots(client, run(client, 4))
    assert len({*found}) == 4
    assert found[3] == own
    CLOCK.advance(minutes=30)
    assert len(prepared(client)) == refilled
    assert client.describe_fast_launch_images()["FastLaunchImages"][0]["State"] == state


def test_numbers_are_older_than_real_snapshots(client: Any) -> None:
    """Of a pool of both what was only a number is taken first, and the real one stays."""
    image = FastLaunchImage(AMI, state="enabled", target_resource_count=2)
    get_backend(ACCOUNT, REGION).add_fast_launch_image(image)
    run(client)
    CLOCK.advance(minutes=30)
    (real,) = prepared(client)
    first, second = roots(client, run(client, 2))
    assert (first != real, second) == (True, real)
    assert prepared(client) == []


@pytest.mark.parametrize("state", ["enabling", "enabling-failed", "disabling", None])
def test_what_was_put_there_without_a_stock_stays_as_it_is(client: Any, state: str | None) -> None:
    """A launch from an image that has nothing prepared boots cold, and changes nothing."""
    image = FastLaunchImage(AMI, state=state, target_resource_count=3)
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_fast_launch_image(image)
    assert roots(client, run(client)) == [own_snapshot(client)]
    CLOCK.advance(hours=5)
    assert ec2.image_index.get(AMI) == image


# --- accounts -------------------------------------------------------------------------


def test_a_shared_ami_takes_from_the_owners_pool(client: Any) -> None:
    """Who launches an AMI that is shared with it uses snapshots of the account that owns it."""
    stock = list(enable(SHARED, OTHER, target=1).snapshots)
    own = own_snapshot(client, SHARED)
    instances = run(client, 2, ImageId=SHARED)
    assert roots(client, instances) == [*stock, own]
    assert {instance["Platform"] for instance in instances} == {"windows"}


def test_an_own_pool_is_used_before_the_owners(client: Any) -> None:
    """Where both have snapshots the account's own come first, then the owner's, then none."""
    theirs = list(enable(SHARED, OTHER, target=2).snapshots)
    mine = list(enable(SHARED, target=2).snapshots)
    found = roots(client, run(client, 5, ImageId=SHARED))
    assert found == [*mine, *theirs, own_snapshot(client, SHARED)]


def test_an_ami_that_is_not_there_is_not_launched(client: Any) -> None:
    """What is unknown, deregistered, or another account's and not shared is refused."""
    backend = get_backend(OTHER, REGION)
    backend.amis[SHARED].launch_permissions.clear()
    get_backend(ACCOUNT, REGION).deregister(AMI)
    for image_id in (AMI, SHARED, "ami-00000000000000001"):
        with pytest.raises(ClientError) as caught:
            client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
        assert code(caught) == "InvalidAMIID.NotFound", image_id
    assert client.describe_instances()["Reservations"] == []


# --- requests -------------------------------------------------------------------------


def test_a_dry_run_takes_nothing(client: Any) -> None:
    """A launch that is only tried leaves the pool as it was."""
    enable()
    with pytest.raises(ClientError) as caught:
        client.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, DryRun=True)
    assert code(caught) == "DryRunOperation"
    assert len(prepared(client)) == 5


def test_counts_that_cannot_be_are_refused(client: Any) -> None:
    """More at least than at most, or none at all, is no launch."""
    for least, most in ((2, 1), (0, 0)):
        with pytest.raises(ClientError) as caught:
            client.run_instances(ImageId=AMI, MinCount=least, MaxCount=most)
        assert code(caught) == "InvalidParameterValue", (least, most)


def test_launches_have_the_virtual_time(client: Any) -> None:
    """Instances, volumes and what attaches them begin when virtual time says."""
    CLOCK.advance(days=3, minutes=7)
    (instance,) = run(client)
    (volume,) = volumes(client, [instance])
    (nic,) = instance["NetworkInterfaces"]
    times = [
        instance["LaunchTime"],
        volume["CreateTime"],
        volume["Attachments"][0]["AttachTime"],
        instance["BlockDeviceMappings"][0]["Ebs"]["AttachTime"],
        nic["Attachment"]["AttachTime"],
    ]
    assert times == [CLOCK.now()] * 5


def test_the_same_seed_and_requests_have_the_same_answers(connect: Connect) -> None:
    """Ids of instances and volumes follow from the launches, not from what was read between."""

    def told(reads: int) -> list[Any]:
        reset_emulator(seed=3)
        ec2 = get_backend(ACCOUNT, REGION)
        ec2.add_windows_image(AMI, name="own", owner_id=ACCOUNT)
        client, sts = connect("ec2"), connect("sts")
        enable()
        found = []
        for _ in range(3):
            found += run(client, 3, ClientToken="t")
            for _ in range(reads):
                sts.get_caller_identity()
                client.describe_volumes()
        return [found, client.describe_volumes()["Volumes"]]

    assert told(reads=0) == told(reads=2)


# --- the law --------------------------------------------------------------------------

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
def test_launches_agree_with_the_model(
    ec2: Any, launches: list[tuple[int, int]], target: int, parallel: int, fill_time: int
) -> None:
    """Each launch is fast or cold as one from a Pool at the same time, from the first second on."""
    reset_emulator()
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.pace.preparation = timedelta(seconds=fill_time)
    ec2.add_windows_image(AMI, name="own", owner_id=ACCOUNT)
    client = boto3.client("ec2", aws_access_key_id="x", aws_secret_access_key="x")
    own = own_snapshot(client)
    client.enable_fast_launch(
        ImageId=AMI,
        SnapshotConfiguration={"TargetResourceCount": target},
        MaxParallelLaunches=parallel,
    )
    pool = Pool(target, parallel, fill_time)
    for wait, count in launches:
        CLOCK.advance(seconds=wait)
        pool.advance(pool.now + wait)
        warm = [root != own for root in roots(client, run(client, count))]
        assert warm == [pool.take() for _ in range(count)]
    life = ec2.lives[AMI].pool
    assert (life.stock, life.used, life.missed) == (pool.stock, pool.used, pool.missed)


# --- what else is put there, and goes wrong -------------------------------------------


def test_launch_templates_say_what_they_were_given(client: Any) -> None:
    """DescribeLaunchTemplateVersions has each version's settings; unknown ones are refused."""
    said = {
        "UserData": "aGVsbG8=",
        "DisableApiTermination": True,
        "MetadataOptions": {"HttpEndpoint": "disabled"},
        "InstanceMarketOptions": {"MarketType": "spot"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80}}],
    }
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 2, said)
    answer = client.describe_launch_template_versions(LaunchTemplateName="runner")
    versions = answer["LaunchTemplateVersions"]
    assert [version["LaunchTemplateData"] for version in versions] == [said] * 2
    with pytest.raises(ValueError, match=r"Userdata.*Expected settings of LaunchTemplateData"):
        ec2.add_launch_template("wrong", 1, {"Userdata": "x"})


def test_images_may_be_deprecated(client: Any) -> None:
    """DescribeImages says since when, or from when on; and nothing of an image that is not."""
    when = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    get_backend(ACCOUNT, REGION).add_windows_image(
        "ami-00000000000000001", name="old", owner_id=ACCOUNT, deprecation_time=when
    )
    found = client.describe_images(Owners=["self"])["Images"]
    times = {image["ImageId"]: image.get("DeprecationTime") for image in found}
    assert times == {AMI: None, "ami-00000000000000001": "2027-01-02T03:04:05.000Z"}


def test_fast_launch_goes_on_where_the_ami_is_deregistered(client: Any) -> None:
    """The AMI is gone, its snapshots are paid for; who deregisters what is not there is told."""
    enable()
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.deregister(AMI)
    assert client.describe_images(Owners=["self"])["Images"] == []
    assert client.describe_fast_launch_images()["FastLaunchImages"][0]["State"] == "enabled"
    assert len(prepared(client)) == 5
    with pytest.raises(ValueError, match=f"{AMI} is not an AMI of {ACCOUNT} in {REGION}"):
        ec2.deregister(AMI)
    client.disable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    assert prepared(client) == []


def test_snapshots_may_be_orphaned(client: Any) -> None:
    """Fast Launch is forgotten without a word, and its snapshots are there with their tags."""
    life = enable()
    ec2 = get_backend(ACCOUNT, REGION)
    told = to_json_lines(CHANGE_LOG)
    ec2.abandon(AMI)
    CLOCK.advance(hours=5)
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []
    assert prepared(client) == life.snapshots
    (snapshot, *_) = client.describe_snapshots(Filters=CREATED)["Snapshots"]
    assert snapshot["Description"] == f"This is Fast Launch snapshot for image {AMI}"
    assert (snapshot["VolumeSize"], snapshot["State"]) == (50, "completed")
    assert to_json_lines(CHANGE_LOG) == told
    assert CHANGE_LOG[-1].image.state == DISABLED
    assert roots(client, run(client)) == [own_snapshot(client)]
    with pytest.raises(ValueError, match=f"{AMI} does not have Fast Launch in {REGION}"):
        ec2.abandon(AMI)
