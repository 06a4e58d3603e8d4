"""The lifecycle of Fast Launch in the emulator, through plain boto3."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, REGION, Connect

AMI, SHARED = "ami-0123456789abcdef0", "ami-0000000000000000a"
OTHER = "999988887777"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


@pytest.fixture
def client(connect: Connect) -> Any:
    """A boto3 client of an emulator with two AMIs, in-process and over HTTP."""
    backend = get_backend(ACCOUNT, REGION)
    for image_id, owner in ((AMI, ACCOUNT), (SHARED, OTHER)):
        backend.add_windows_image(image_id, name="an image", owner_id=owner)
    return connect()


def describe_image(client: Any, image_id: str = AMI) -> dict[str, Any]:
    """Return an image from DescribeFastLaunchImages; without Fast Launch it is empty."""
    images = client.describe_fast_launch_images(ImageIds=[image_id])["FastLaunchImages"]
    return images[0] if images else {}


def get_state(client: Any) -> str | None:
    """Return the state of the image, or None if it does not have Fast Launch."""
    return describe_image(client).get("State")


def list_snapshots(client: Any) -> list[dict[str, Any]]:
    """Return the snapshots that Fast Launch created."""
    snapshots: list[dict[str, Any]] = client.describe_snapshots(Filters=CREATED)["Snapshots"]
    return snapshots


def list_event_states() -> list[str]:
    """Return the states in EventBridge's events, in order."""
    lines = to_json_lines(CHANGE_LOG).splitlines()
    return [json.loads(line)["detail"]["state"] for line in lines]


# --- documented transitions ------------------------------------------------------------


def test_from_enabling_to_the_target(client: Any) -> None:
    """The first snapshots make the image enabled; six at a time follow until the target."""
    target = {"TargetResourceCount": 10}
    answer = client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration=target)
    assert answer["State"] == "enabling"
    assert (answer["MaxParallelLaunches"], answer["OwnerId"]) == (6, ACCOUNT)
    assert answer["StateTransitionReason"] == "Client.UserInitiated"
    steps = []
    for minutes in (9, 1, 9, 1, 60):
        CLOCK.advance(minutes=minutes)
        steps.append((get_state(client), len(list_snapshots(client))))
    full = ("enabled", 10)
    assert steps == [("enabling", 0), ("enabled", 6), ("enabled", 6), full, full]
    assert list_event_states() == ["enabling", "enabled"]


def test_snapshots_are_as_documented(client: Any) -> None:
    """Snapshots have the documented description and tags, and start at virtual time."""
    ec2 = get_backend(ACCOUNT, REGION)
    template = ec2.create_launch_template("runner", "", {}, {})
    specification = {"LaunchTemplateName": "runner", "Version": "1"}
    answer = client.enable_fast_launch(ImageId=AMI, LaunchTemplate=specification)
    assert answer["LaunchTemplate"] == {"LaunchTemplateId": template.id, **specification}
    CLOCK.advance(minutes=10)
    first = list_snapshots(client)[0]
    assert first["Description"] == f"This is Fast Launch snapshot for image {AMI}"
    assert {tag["Key"]: tag["Value"] for tag in first["Tags"]} == {
        "CreatedBy": "EC2 Fast Launch",
        "CreatedByLaunchTemplateVersion": "1",
        "CreatedByLaunchTemplateName": "runner",
    }
    assert first["StartTime"] == CLOCK.now()
    assert 0 < first["FullSnapshotSizeInBytes"] < first["VolumeSize"] * 2**30
    assert client.describe_volumes()["Volumes"] == []


def test_a_clean_up_deletes_all_snapshots_at_its_end(client: Any) -> None:
    """The snapshots of a disabling image remain until the clean-up ends."""
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(hours=1)
    assert client.disable_fast_launch(ImageId=AMI)["State"] == "disabling"
    assert len(list_snapshots(client)) == 5
    CLOCK.advance(minutes=10)
    assert (get_state(client), list_snapshots(client)) == (None, [])
    assert list_event_states() == ["enabling", "enabled", "disabling", "disabled"]
    assert client.enable_fast_launch(ImageId=AMI)["State"] == "enabling"


def test_disabling_while_preparing(client: Any) -> None:
    """A disabling image prepares no snapshots, and none are left."""
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=9)
    client.disable_fast_launch(ImageId=AMI)
    CLOCK.advance(hours=2)
    assert (get_state(client), list_snapshots(client)) == (None, [])
    assert list_event_states() == ["enabling", "disabling", "disabled"]


def test_a_failure_before_the_first_snapshot_is_enabling_failed(client: Any) -> None:
    """It fails when EC2 gives up; after it, enabling again starts from the beginning."""
    get_backend(ACCOUNT, REGION).break_preparation(AMI)
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=29)
    assert get_state(client) == "enabling"
    CLOCK.advance(minutes=1)
    failed = describe_image(client)
    assert failed["State"] == "enabling-failed"
    assert failed["StateTransitionReason"].startswith("Unable to stop instance ID=i-")
    CLOCK.advance(hours=5)
    assert (get_state(client), list_snapshots(client)) == ("enabling-failed", [])
    assert client.enable_fast_launch(ImageId=AMI)["State"] == "enabling"
    CLOCK.advance(minutes=10)
    assert (get_state(client), len(list_snapshots(client))) == ("enabled", 5)


def test_a_later_failure_is_enabled_failed(client: Any) -> None:
    """After enabled-failed the stock remains, and enabling again refills it."""
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    get_backend(ACCOUNT, REGION).break_preparation(AMI, "because")
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 8})
    CLOCK.advance(minutes=29)
    assert get_state(client) == "enabled"
    CLOCK.advance(minutes=1)
    failed = describe_image(client)
    assert (failed["State"], failed["StateTransitionReason"]) == ("enabled-failed", "because")
    assert len(list_snapshots(client)) == 5
    assert client.enable_fast_launch(ImageId=AMI)["State"] == "enabled"
    assert list_event_states() == ["enabling", "enabled", "enabled-failed", "enabled"]


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(1800, "enabled"), (1801, "enabling-failed"), (144_000, "enabling-failed")],
)
def test_a_slow_preparation_fails_at_the_limit(client: Any, seconds: int, state: str) -> None:
    """An instance may take as long as EC2's limit; one that takes longer fails at the limit."""
    get_backend(ACCOUNT, REGION).pace.preparation = timedelta(seconds=seconds)
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(seconds=1799)
    assert get_state(client) == "enabling"
    CLOCK.advance(seconds=1)
    assert get_state(client) == state
    CLOCK.advance(days=2)
    assert get_state(client) == state


def test_one_failed_instance_does_not_fail_the_others(client: Any) -> None:
    """With one hanging instance of six, the others enable the image, which fails at the limit."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.break_preparation(AMI, "because", instances=1)
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 9})
    steps = []
    for minutes in (10, 10, 9, 1, 600):
        CLOCK.advance(minutes=minutes)
        steps.append((get_state(client), len(list_snapshots(client))))
    failed = ("enabled-failed", 8)
    assert steps == [("enabled", 5), ("enabled", 8), ("enabled", 8), failed, failed]
    assert describe_image(client)["StateTransitionReason"] == "because"
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 9})
    CLOCK.advance(hours=1)
    assert (get_state(client), len(list_snapshots(client))) == ("enabled", 9)


def test_a_lower_target_ends_an_instance_that_hangs(client: Any) -> None:
    """A preparation instance that is canceled before the limit fails nothing."""
    get_backend(ACCOUNT, REGION).break_preparation(AMI, instances=1)
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=20)
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 4})
    CLOCK.advance(hours=1)
    assert (get_state(client), len(list_snapshots(client))) == ("enabled", 4)


def test_an_image_may_have_a_preparation_time_of_its_own(client: Any) -> None:
    """The duration of an image's preparation instances may differ from that of its region."""
    get_backend(ACCOUNT, REGION).pace.preparation_of[AMI] = timedelta(minutes=25)
    for image_id in (AMI, SHARED):
        client.enable_fast_launch(ImageId=image_id)
    CLOCK.advance(minutes=24)
    assert (get_state(client), describe_image(client, SHARED)["State"]) == ("enabling", "enabled")
    CLOCK.advance(minutes=1)
    assert get_state(client) == "enabled"


def test_a_failed_clean_up_leaves_snapshots(client: Any) -> None:
    """Snapshots remain after disabling-failed; disabling again, or with Force, deletes them."""
    ec2 = get_backend(ACCOUNT, REGION)
    for force in (False, True):
        client.enable_fast_launch(ImageId=AMI)
        CLOCK.advance(hours=1)
        ec2.break_clean_up(AMI)
        client.disable_fast_launch(ImageId=AMI, Force=force)
        CLOCK.advance(minutes=10)
        expected = (None, 0) if force else ("disabling-failed", 5)
        assert (get_state(client), len(list_snapshots(client))) == expected, f"Force={force}"
        if not force:
            client.disable_fast_launch(ImageId=AMI)
            CLOCK.advance(minutes=10)
    assert (get_state(client), list_snapshots(client)) == (None, [])


def test_settings_change_while_enabled(client: Any) -> None:
    """A lower target deletes snapshots at once, a higher one is filled; the state stays."""
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    for target, at_once, after in ((2, 2, 2), (9, 2, 8), (9, 8, 9)):
        client.enable_fast_launch(
            ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": target}
        )
        counts = [len(list_snapshots(client))]
        CLOCK.advance(minutes=10)
        counts.append(len(list_snapshots(client)))
        assert (get_state(client), counts) == ("enabled", [at_once, after]), f"target {target}"
    assert list_event_states() == ["enabling", "enabled"]


def test_the_preparation_time_is_a_setting(client: Any) -> None:
    """The duration of a preparation instance is a setting of the account and region."""
    get_backend(ACCOUNT, REGION).pace.preparation = timedelta(seconds=482)
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(seconds=481)
    assert get_state(client) == "enabling"
    CLOCK.advance(seconds=1)
    assert get_state(client) == "enabled"


def test_a_new_preparation_time_applies_to_later_instances(client: Any) -> None:
    """An existing pool uses a new preparation time for its next instances; 0 is refused."""
    ec2 = get_backend(ACCOUNT, REGION)
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 7})
    CLOCK.advance(minutes=5)
    ec2.pace.preparation = timedelta(minutes=3)
    counts = []
    for minutes in (4, 1, 2, 1):
        CLOCK.advance(minutes=minutes)
        counts.append(len(list_snapshots(client)))
    assert counts == [0, 6, 6, 7]
    for name, wrong in (("preparation", 0), ("preparation", -1), ("clean_up", -1)):
        with pytest.raises(ValueError, match=f"{name} is .* Expected a timedelta"):
            setattr(ec2.pace, name, timedelta(minutes=wrong))


def test_launches_take_from_the_pool(client: Any) -> None:
    """A launch takes the oldest snapshot at once, and a replacement is prepared."""
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    lifecycle = get_backend(ACCOUNT, REGION).lives[AMI]
    oldest, *others = lifecycle.snapshots
    assert lifecycle.launch() == oldest
    assert {snapshot["SnapshotId"] for snapshot in list_snapshots(client)} == set(others)
    CLOCK.advance(minutes=9)
    assert len(list_snapshots(client)) == 4
    CLOCK.advance(minutes=1)
    assert len(list_snapshots(client)) == 5
    assert oldest not in lifecycle.snapshots
    assert list_event_states() == ["enabling", "enabled"]


def test_launches_from_an_empty_pool_are_cold(client: Any) -> None:
    """A launch without a snapshot takes none, and the pool fills again afterwards."""
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 2})
    lifecycle = get_backend(ACCOUNT, REGION).lives[AMI]
    assert lifecycle.launch() is None
    CLOCK.advance(minutes=10)
    snapshots = lifecycle.snapshots.copy()
    assert [lifecycle.launch() for _ in range(3)] == [*snapshots, None]
    assert list_snapshots(client) == []
    assert (lifecycle.pool.used, lifecycle.pool.missed) == (2, 2)
    CLOCK.advance(minutes=10)
    assert len(list_snapshots(client)) == 2


def test_a_launch_at_the_time_a_snapshot_is_due_takes_it(client: Any) -> None:
    """A launch before the clock runs the preparation of the same time takes the snapshot."""
    results: list[str | None] = []
    ec2 = get_backend(ACCOUNT, REGION)
    due = CLOCK.now() + timedelta(minutes=10)
    CLOCK.at(due, lambda: results.append(ec2.lives[AMI].launch()))
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    assert len(results) == 1
    assert results[0] is not None
    assert len(list_snapshots(client)) == ec2.lives[AMI].pool.stock == 4
    assert list_event_states() == ["enabling", "enabled"]


def test_an_image_without_state_can_be_disabled(client: Any) -> None:
    """An image that was added without a state is disabled without being enabled first."""
    add_fast_launch_images(get_backend(ACCOUNT, REGION), [FastLaunchImage(AMI)])
    client.disable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    assert list_event_states() == ["disabling", "disabled"]


def test_a_reset_ends_every_lifecycle(client: Any) -> None:
    """A reset of moto cancels scheduled actions and removes events and snapshots."""
    client.enable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    client.disable_fast_launch(ImageId=AMI)
    client.enable_fast_launch(ImageId=SHARED)
    get_backend(ACCOUNT, REGION).reset()
    CLOCK.advance(hours=1)
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []
    assert (list_event_states(), list_snapshots(client)) == ([], [])


def test_a_request_happens_at_one_time(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a running clock, the answer and the event of a request have the same time."""
    seconds = count()
    monkeypatch.setattr(CLOCK, "_counter", lambda: next(seconds))
    CLOCK.run()
    since = client.enable_fast_launch(ImageId=AMI)["StateTransitionTime"]
    assert [change.time for change in CHANGE_LOG] == [since]
    assert CLOCK.now() > since


def test_a_shared_image_has_no_owner_id(client: Any) -> None:
    """OwnerId is missing for an AMI that another account owns."""
    assert "OwnerId" not in client.enable_fast_launch(ImageId=SHARED)
    assert "OwnerId" not in describe_image(client, SHARED)
