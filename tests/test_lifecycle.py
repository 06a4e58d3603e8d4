"""The life of Fast Launch in the embedded EC2: by plain boto3, and by its laws."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fastlaunch_nb import emulator
from fastlaunch_nb.emulator.models import EC2Error
from fastlaunch_nb.frame import API_STATES

from .conftest import ACCOUNT, REGION

AMI, LINUX, SHARED = "ami-0123456789abcdef0", "ami-0000000000000000f", "ami-0000000000000000a"
OTHER = "999988887777"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


@pytest.fixture(params=["in-process", "http"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A plain boto3 client of an embedded EC2 with a few AMIs, by either way."""
    server = None
    if request.param == "in-process":
        request.getfixturevalue("ec2")
    else:
        monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        server = emulator.Server()
        emulator.forget_everything()
    backend = emulator.backend(ACCOUNT, REGION)
    for image_id, owner in ((AMI, ACCOUNT), (SHARED, OTHER), (LINUX, ACCOUNT)):
        backend.add_windows_image(image_id, name="an image", owner_id=owner)
    backend.amis[LINUX].platform = None
    endpoint = server.endpoint_url if server else None
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    yield boto3.client("ec2", region_name=REGION, endpoint_url=endpoint, **keys)
    if server:
        server.stop()


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
    emulator.CLOCK.advance(**duration)


def events() -> list[str]:
    """Return the states that EventBridge told, in order."""
    lines = emulator.json_lines(emulator.JOURNAL).splitlines()
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
    ec2 = emulator.backend(ACCOUNT, REGION)
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
    assert first["StartTime"] == emulator.CLOCK.now()
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
    emulator.backend(ACCOUNT, REGION).break_preparation(AMI)
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
    emulator.backend(ACCOUNT, REGION).break_preparation(AMI, "because")
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
    ec2 = emulator.backend(ACCOUNT, REGION)
    for force in (False, True):
        client.enable_fast_launch(ImageId=AMI)
        later(hours=1)
        ec2.break_clean_up(AMI)
        client.disable_fast_launch(ImageId=AMI, Force=force)
        later(minutes=10)
        assert state(client) == (None if force else "disabling-failed")
        assert len(snapshots(client)) == (0 if force else 5)
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
        assert len(snapshots(client)) == at_once
        later(minutes=30)
        assert (state(client), len(snapshots(client))) == ("enabled", after)
    assert events() == ["enabling", "enabled"]


def test_preparation_takes_as_long_as_is_set(client: Any) -> None:
    """What one preparation instance takes is a setting of the account and region."""
    emulator.backend(ACCOUNT, REGION).pace.preparation = timedelta(seconds=482)
    client.enable_fast_launch(ImageId=AMI)
    later(seconds=481)
    assert state(client) == "enabling"
    later(seconds=1)
    assert state(client) == "enabled"


def test_an_image_that_another_account_shared(client: Any) -> None:
    """OwnerId is not given for an AMI that another account owns."""
    assert "OwnerId" not in client.enable_fast_launch(ImageId=SHARED)
    image = described(client, SHARED)
    assert image is not None
    assert "OwnerId" not in image


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
    for dry_run in (False, True):
        with pytest.raises(ClientError) as caught:
            client.enable_fast_launch(**parameters, DryRun=dry_run)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
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


# --- laws -----------------------------------------------------------------------------

IMAGES = [f"ami-{number:017x}" for number in range(3)]
MOVES = {
    (None, "enabling"),
    ("enabling", "enabled"),
    ("enabling", "enabling-failed"),
    ("enabling-failed", "enabling"),
    ("enabled", "enabled-failed"),
    ("enabled-failed", "enabled"),
    *((before, "disabling") for before in API_STATES if before != "disabling"),
    ("disabling", "disabled"),
    ("disabling", "disabling-failed"),
    ("disabled", "enabling"),
}
images = st.sampled_from(IMAGES)


def refusal(ask: Callable[[], object]) -> str | None:
    """Return the code that a request is refused with, or None."""
    try:
        ask()
    except EC2Error as error:
        return error.code
    return None


class Lives(RuleBasedStateMachine):
    """Anything that may be asked of a few images, in any order, while time passes."""

    @initialize()
    def begin(self) -> None:
        """Begin with Windows images that nobody has enabled."""
        emulator.install()
        emulator.forget_everything()
        self.ec2 = emulator.backend(ACCOUNT, REGION)
        for image_id in IMAGES:
            self.ec2.add_windows_image(image_id, name="an image", owner_id=ACCOUNT)

    @rule(image_id=images, numbers=st.tuples(st.integers(1, 9), st.integers(6, 8)))
    def enable(self, image_id: str, numbers: tuple[int, int]) -> None:
        """Enable, or change what was asked for."""
        target, parallel = numbers
        asked = {"target_resource_count": target, "max_parallel_launches": parallel}
        code = refusal(lambda: self.ec2.enable_fast_launch(image_id, **asked))
        assert code in (None, "IncorrectState")

    @rule(image_id=images, force=st.booleans())
    def disable(self, image_id: str, force: bool) -> None:
        """Disable."""
        code = refusal(lambda: self.ec2.disable_fast_launch(image_id, force=force))
        assert code in (None, "IncorrectState", "InvalidParameterValue")

    @rule(minutes=st.sampled_from([1, 9, 10, 29, 30, 31, 90]))
    def time_passes(self, minutes: int) -> None:
        """Let what is due happen."""
        emulator.CLOCK.advance(minutes=minutes)

    @rule(image_id=images, what=st.sampled_from(["break_preparation", "break_clean_up"]))
    def something_breaks(self, image_id: str, what: str) -> None:
        """Have the next preparation or clean-up fail."""
        getattr(self.ec2, what)(image_id)

    @rule(image_id=images)
    def an_instance_is_launched(self, image_id: str) -> None:
        """Take a snapshot, where there is one."""
        life = self.ec2.lives.get(image_id)
        if life:
            there = len(life.snapshots) > 0
            assert life.take() is there

    @invariant()
    def never_more_than_asked_for(self) -> None:
        """Law: never more at work than allowed, never more snapshots than asked for."""
        for life in self.ec2.lives.values():
            pool, image = life.pool, life.image
            assert pool.in_preparation <= image.max_parallel_launches
            assert len(life.snapshots) == pool.stock <= image.target_resource_count

    @invariant()
    def no_snapshot_without_an_image(self) -> None:
        """Law: a disabled image leaves no snapshot, and no other is there."""
        kept = {name for life in self.ec2.lives.values() for name in life.snapshots}
        there = self.ec2.snapshots.values()
        assert kept == {s.id for s in there if s.description.startswith("This is Fast Launch")}

    @invariant()
    def the_journal_is_true(self) -> None:
        """Law: time never runs backwards, every move is a known one, the last is what is seen."""
        journal = emulator.JOURNAL
        assert [c.time for c in journal] == sorted(c.time for c in journal)
        last: dict[str, str | None] = dict.fromkeys(IMAGES)
        for change in journal:
            image = change.image
            if change.is_transition:
                assert (last[image.image_id], image.state) in MOVES
            last[image.image_id] = image.state
        seen, _ = self.ec2.describe_fast_launch_images([], [], None, None)
        there = {name: now for name, now in last.items() if now not in (None, "disabled")}
        assert {image.image_id: image.state for image in seen} == there
        assert set(there.values()) <= set(API_STATES)


TestLives = Lives.TestCase
TestLives.settings = settings(stateful_step_count=30)


def test_the_same_seed_is_the_same_story() -> None:
    """Two runs with one seed are the same byte for byte: events, ids and all."""

    def played() -> str:
        emulator.install()
        emulator.forget_everything(5)
        ec2 = emulator.backend(ACCOUNT, REGION)
        for image_id in IMAGES:
            ec2.add_windows_image(image_id, name="an image", owner_id=ACCOUNT)
            ec2.break_preparation(image_id)
            ec2.enable_fast_launch(image_id)
            emulator.CLOCK.advance(minutes=20)
        ec2.enable_fast_launch(IMAGES[0])
        emulator.CLOCK.advance(hours=3)
        return emulator.json_lines(emulator.JOURNAL) + str(sorted(ec2.snapshots))

    assert played() == played()
    assert "snap-" in played()
