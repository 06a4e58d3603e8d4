"""The life of Fast Launch in the embedded EC2, by plain boto3."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.samples import ACCOUNT, REGION, Connect

AMI, LINUX, SHARED = "ami-0123456789abcdef0", "ami-0000000000000000f", "ami-0000000000000000a"
OTHER = "999988887777"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


@pytest.fixture
def client(connect: Connect) -> Any:
    """A plain boto3 client of an embedded EC2 with a few AMIs, by either way."""
    backend = get_backend(ACCOUNT, REGION)
    for image_id, owner in ((AMI, ACCOUNT), (SHARED, OTHER), (LINUX, ACCOUNT)):
        backend.add_windows_image(image_id, name="an image", owner_id=owner)
    backend.amis[LINUX].platform = None
    return connect()


def described(client: Any, image_id: str = AMI) -> dict[str, Any] | None:
    """Return an image as DescribeFastLaunchImages has it, or None."""
    found = client.describe_fast_launch_images(ImageIds=[image_id])["FastLaunchImages"]
    return found[0] if found else None


def state(client: Any) -> str | None:
    """Return the state of the image, or None where it is gone."""
    image = described(client)
    return image["State"] if image else None


def snapshots(client: Any) -> list[dict[str, Any]]:
    """Return the snapshots that Fast Launch made."""
    found: list[dict[str, Any]] = client.describe_snapshots(Filters=CREATED)["Snapshots"]
    return found


def later(**duration: float) -> None:
    """Let virtual time pass."""
    CLOCK.advance(**duration)


def events() -> list[str]:
    """Return the states that EventBridge told, in order."""
    lines = to_json_lines(CHANGE_LOG).splitlines()
    return [json.loads(line)["detail"]["state"] for line in lines]


# --- the documented ways --------------------------------------------------------------


def test_from_enabling_to_the_target(client: Any) -> None:
    """The first snapshots make it enabled; it goes on, six at a time, until the target is there."""
    target = {"TargetResourceCount": 10}
    answer = client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration=target)
    assert answer["State"] == "enabling"
    assert (answer["MaxParallelLaunches"], answer["OwnerId"]) == (6, ACCOUNT)
    assert answer["StateTransitionReason"] == "Client.UserInitiated"
    seen = []
    for minutes in (29, 1, 29, 1, 60):
        later(minutes=minutes)
        seen.append((state(client), len(snapshots(client))))
    full = ("enabled", 10)
    assert seen == [("enabling", 0), ("enabled", 6), ("enabled", 6), full, full]
    assert events() == ["enabling", "enabled"]


def test_snapshots_are_as_documented(client: Any) -> None:
    """They have the documented description and tags, and begin when virtual time says."""
    ec2 = get_backend(ACCOUNT, REGION)
    template = ec2.create_launch_template("runner", "", {}, {})
    asked = {"LaunchTemplateName": "runner", "Version": "1"}
    answer = client.enable_fast_launch(ImageId=AMI, LaunchTemplate=asked)
    assert answer["LaunchTemplate"] == {"LaunchTemplateId": template.id, **asked}
    later(minutes=30)
    first = snapshots(client)[0]
    assert first["Description"] == f"This is Fast Launch snapshot for image {AMI}"
    assert {tag["Key"]: tag["Value"] for tag in first["Tags"]} == {
        "CreatedBy": "EC2 Fast Launch",
        "CreatedByLaunchTemplateVersion": "1",
        "CreatedByLaunchTemplateName": "runner",
    }
    assert first["StartTime"] == CLOCK.now()
    assert client.describe_volumes()["Volumes"] == []


def test_disabling(client: Any) -> None:
    """Disabling leaves the snapshots until the clean-up ends; then all of it is gone."""
    client.enable_fast_launch(ImageId=AMI)
    later(hours=1)
    assert client.disable_fast_launch(ImageId=AMI)["State"] == "disabling"
    assert len(snapshots(client)) == 5
    later(minutes=10)
    assert (state(client), snapshots(client)) == (None, [])
    assert events() == ["enabling", "enabled", "disabling", "disabled"]
    assert client.enable_fast_launch(ImageId=AMI)["State"] == "enabling"


def test_disabling_while_preparing(client: Any) -> None:
    """Nothing is prepared once it is disabling, and nothing is left."""
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=25)
    client.disable_fast_launch(ImageId=AMI)
    later(hours=2)
    assert (state(client), snapshots(client)) == (None, [])
    assert events() == ["enabling", "disabling", "disabled"]


def test_a_first_enable_that_fails(client: Any) -> None:
    """A failure before the first snapshot is enabling-failed; enabling again starts over."""
    get_backend(ACCOUNT, REGION).break_preparation(AMI)
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=30)
    failed = described(client)
    assert failed is not None
    assert failed["State"] == "enabling-failed"
    assert failed["StateTransitionReason"].startswith("Unable to stop instance ID=i-")
    later(hours=5)
    assert (state(client), snapshots(client)) == ("enabling-failed", [])
    assert client.enable_fast_launch(ImageId=AMI)["State"] == "enabling"
    later(minutes=30)
    assert (state(client), len(snapshots(client))) == ("enabled", 5)


def test_a_later_failure(client: Any) -> None:
    """A failure after that is enabled-failed; the stock stays, and enabling again fills it up."""
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=30)
    get_backend(ACCOUNT, REGION).break_preparation(AMI, "because")
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 8})
    assert state(client) == "enabled"
    later(minutes=30)
    failed = described(client)
    assert failed is not None
    assert (failed["State"], failed["StateTransitionReason"]) == ("enabled-failed", "because")
    assert len(snapshots(client)) == 5
    assert client.enable_fast_launch(ImageId=AMI)["State"] == "enabled"
    assert events() == ["enabling", "enabled", "enabled-failed", "enabled"]


def test_a_clean_up_that_fails(client: Any) -> None:
    """Snapshots may remain after disabling-failed; disabling again, or with Force, ends it."""
    ec2 = get_backend(ACCOUNT, REGION)
    for force in (False, True):
        client.enable_fast_launch(ImageId=AMI)
        later(hours=1)
        ec2.break_clean_up(AMI)
        client.disable_fast_launch(ImageId=AMI, Force=force)
        later(minutes=10)
        expected = (None, 0) if force else ("disabling-failed", 5)
        assert (state(client), len(snapshots(client))) == expected, f"Force={force}"
        if not force:
            client.disable_fast_launch(ImageId=AMI)
            later(minutes=10)
    assert (state(client), snapshots(client)) == (None, [])


def test_settings_changed_while_enabled(client: Any) -> None:
    """A lower target gives snapshots up at once; a higher one is filled; the state stays."""
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=30)
    for target, at_once, after in ((2, 2, 2), (9, 2, 8), (9, 8, 9)):
        client.enable_fast_launch(
            ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": target}
        )
        found = [len(snapshots(client))]
        later(minutes=30)
        found.append(len(snapshots(client)))
        assert (state(client), found) == ("enabled", [at_once, after]), f"target {target}"
    assert events() == ["enabling", "enabled"]


def test_preparation_takes_as_long_as_is_set(client: Any) -> None:
    """What one preparation instance takes is a setting of the account and region."""
    get_backend(ACCOUNT, REGION).pace.preparation = timedelta(seconds=482)
    client.enable_fast_launch(ImageId=AMI)
    later(seconds=481)
    assert state(client) == "enabling"
    later(seconds=1)
    assert state(client) == "enabled"


def test_another_preparation_time_is_for_those_that_begin_from_then_on(client: Any) -> None:
    """A pool that is there already takes it over with the next instances; 0 is refused."""
    ec2 = get_backend(ACCOUNT, REGION)
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 7})
    later(minutes=10)
    ec2.pace.preparation = timedelta(minutes=5)
    seen = []
    for minutes in (19, 1, 4, 1):
        later(minutes=minutes)
        seen.append(len(snapshots(client)))
    assert seen == [0, 6, 6, 7]
    for name, wrong in (("preparation", 0), ("preparation", -1), ("clean_up", -1)):
        with pytest.raises(ValueError, match=f"{name} is .* Expected a timedelta"):
            setattr(ec2.pace, name, timedelta(minutes=wrong))


def test_launches_take_from_the_pool(client: Any) -> None:
    """A launch takes the oldest snapshot at once, and another is prepared in its place."""
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=30)
    life = get_backend(ACCOUNT, REGION).lives[AMI]
    oldest, *others = life.snapshots
    assert life.take()
    assert {snapshot["SnapshotId"] for snapshot in snapshots(client)} == set(others)
    later(minutes=29)
    assert len(snapshots(client)) == 4
    later(minutes=1)
    assert len(snapshots(client)) == 5
    assert oldest not in life.snapshots
    assert events() == ["enabling", "enabled"]


def test_launches_from_an_empty_pool_are_cold(client: Any) -> None:
    """Where there is no snapshot none is taken, and the pool fills up again afterwards."""
    client.enable_fast_launch(ImageId=AMI, SnapshotConfiguration={"TargetResourceCount": 2})
    life = get_backend(ACCOUNT, REGION).lives[AMI]
    assert not life.take()
    later(minutes=30)
    assert [life.take() for _ in range(3)] == [True, True, False]
    assert snapshots(client) == []
    assert (life.pool.used, life.pool.missed) == (2, 2)
    later(minutes=30)
    assert len(snapshots(client)) == 2


def test_a_launch_at_the_very_time_of_a_snapshot(client: Any) -> None:
    """Who comes when something is due, before the clock gets to it, finds it done."""
    launched: list[bool] = []
    ec2 = get_backend(ACCOUNT, REGION)
    due = CLOCK.now() + timedelta(minutes=30)
    CLOCK.at(due, lambda: launched.append(ec2.lives[AMI].take()))
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=30)
    assert launched == [True]
    assert len(snapshots(client)) == ec2.lives[AMI].pool.stock == 4
    assert events() == ["enabling", "enabled"]


def test_an_image_of_no_known_state_is_disabled(client: Any) -> None:
    """What was put there without a state is disabled as it is: it is not enabled first."""
    get_backend(ACCOUNT, REGION).add_fast_launch_image(FastLaunchImage(AMI))
    client.disable_fast_launch(ImageId=AMI)
    later(minutes=10)
    assert events() == ["disabling", "disabled"]


def test_a_reset_ends_every_life(client: Any) -> None:
    """What was on its way before moto is reset does not come, nor is it remembered."""
    client.enable_fast_launch(ImageId=AMI)
    later(minutes=30)
    client.disable_fast_launch(ImageId=AMI)
    client.enable_fast_launch(ImageId=SHARED)
    get_backend(ACCOUNT, REGION).reset()
    later(hours=1)
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []
    assert (events(), snapshots(client)) == ([], [])


def test_one_request_is_at_one_time(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the clock runs, a change has one time: in the answer, and in the event."""
    seconds = count()
    monkeypatch.setattr(CLOCK, "_counter", lambda: next(seconds))
    CLOCK.run()
    since = client.enable_fast_launch(ImageId=AMI)["StateTransitionTime"]
    assert [change.time for change in CHANGE_LOG] == [since]
    assert CLOCK.now() > since


def test_an_image_that_another_account_shared(client: Any) -> None:
    """OwnerId is not given for an AMI that another account owns."""
    assert "OwnerId" not in client.enable_fast_launch(ImageId=SHARED)
    image = described(client, SHARED)
    assert image is not None
    assert "OwnerId" not in image


@pytest.mark.parametrize("version", ["1", "2", "$Latest", "$Default"])
def test_versions_of_a_launch_template(client: Any, version: str) -> None:
    """A version that is there is taken, by its number or as EC2 names it."""
    get_backend(ACCOUNT, REGION).add_launch_template("two", 2)
    asked = {"LaunchTemplateName": "two", "Version": version}
    answer = client.enable_fast_launch(ImageId=AMI, LaunchTemplate=asked)
    assert answer["LaunchTemplate"]["Version"] == version


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"ImageId": "i-1"}, "InvalidAMIID.Malformed"),
        ({"ImageId": "ami-00000000000000001"}, "InvalidAMIID.NotFound"),
        ({"ImageId": LINUX}, "InvalidParameterValue"),
        ({"ImageId": AMI, "ResourceType": "volume"}, "InvalidParameterValue"),
        ({"ImageId": AMI, "MaxParallelLaunches": 5}, "InvalidParameterValue"),
        (
            {"ImageId": AMI, "SnapshotConfiguration": {"TargetResourceCount": 0}},
            "InvalidParameterValue",
        ),
        (
            {
                "ImageId": AMI,
                "LaunchTemplate": {
                    "LaunchTemplateId": "lt-0123456789abcdef0",
                    "LaunchTemplateName": "runner",
                    "Version": "1",
                },
            },
            "InvalidParameterCombination",
        ),
        (
            {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateName": "x", "Version": ""}},
            "MissingParameter",
        ),
        ({"ImageId": AMI, "LaunchTemplate": {"Version": "1"}}, "MissingParameter"),
        *(
            (
                {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateName": "two", "Version": wrong}},
                "InvalidLaunchTemplateId.VersionNotFound",
            )
            for wrong in ("0", "3", "99", "abc", "$latest", "01")
        ),
        (
            {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateName": "x", "Version": "1"}},
            "InvalidLaunchTemplateName.NotFoundException",
        ),
        (
            {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "1"}},
            "InvalidLaunchTemplateId.NotFound",
        ),
    ],
)
def test_enabling_is_refused(client: Any, parameters: dict[str, Any], code: str) -> None:
    """Arguments are checked as EC2 does, before anything happens, in a dry run too."""
    get_backend(ACCOUNT, REGION).add_launch_template("two", 2)
    for dry_run in (False, True):
        with pytest.raises(ClientError) as caught:
            client.enable_fast_launch(**parameters, DryRun=dry_run)
        answer = caught.value.response
        found = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
        assert found == (code, 400), f"DryRun={dry_run}"
    assert events() == []


def test_what_can_not_be_now_is_refused(client: Any) -> None:
    """Nothing can be disabled that is not there, nor enabled before its snapshots are gone."""

    def refusal(action: Any, **parameters: Any) -> str:
        with pytest.raises(ClientError) as caught:
            action(ImageId=AMI, **parameters)
        return str(caught.value.response["Error"]["Code"])

    assert refusal(client.disable_fast_launch) == "InvalidParameterValue"
    assert refusal(client.enable_fast_launch, DryRun=True) == "DryRunOperation"
    client.enable_fast_launch(ImageId=AMI)
    assert refusal(client.disable_fast_launch, DryRun=True) == "DryRunOperation"
    client.disable_fast_launch(ImageId=AMI)
    assert refusal(client.enable_fast_launch) == "IncorrectState"
    assert refusal(client.disable_fast_launch) == "IncorrectState"
    assert events() == ["enabling", "disabling"]
