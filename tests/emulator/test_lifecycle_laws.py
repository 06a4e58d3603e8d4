"""Laws of the lifecycle in the emulator, for any requests in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.moto_extension import get_backend, install, reset_emulator
from fastlaunch_nb.pool.fill_time import PREPARATION_LIMIT
from fastlaunch_nb.schema.columns import API_STATES
from tests.helpers.samples import ACCOUNT, REGION

IMAGES = [f"ami-{number:017x}" for number in range(3)]
TRANSITIONS = {
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
FINAL_STATES = {None, "enabled", "enabled-failed", "enabling-failed", "disabling-failed"}
IMAGE_IDS = st.sampled_from(IMAGES)
FAILURES = ["break_preparation", "break_one_preparation", "break_clean_up"]
Step = tuple[Any, ...]


def get_error_code(request: Callable[[], object]) -> str | None:
    """Return the error code of a request, or None if it succeeds."""
    try:
        request()
    except EC2Error as error:
        return error.code
    return None


class Emulator:
    """An emulator with Windows images that are not enabled, and the steps of the laws."""

    def __init__(self, seed: int = 0) -> None:
        install()
        reset_emulator(seed)
        self.ec2 = get_backend(ACCOUNT, REGION)
        for image_id in IMAGES:
            self.ec2.add_windows_image(image_id, name="an image", owner_id=ACCOUNT)

    def enable(self, image_id: str, target: int, parallel: int) -> None:
        """Enable an image or change its settings."""
        settings = {"target_resource_count": target, "max_parallel_launches": parallel}
        code = get_error_code(lambda: self.ec2.enable_fast_launch(image_id, **settings))
        assert code in (None, "IncorrectState")

    def disable(self, image_id: str, force: bool) -> None:
        """Disable an image."""
        code = get_error_code(lambda: self.ec2.disable_fast_launch(image_id, force=force))
        assert code in (None, "IncorrectState", "InvalidParameterValue")

    def advance(self, minutes: int) -> None:
        """Advance the clock."""
        CLOCK.advance(minutes=minutes)

    def break_preparation(self, image_id: str) -> None:
        """Make the next preparations hang."""
        self.ec2.break_preparation(image_id)

    def break_one_preparation(self, image_id: str) -> None:
        """Make the next preparation hang."""
        self.ec2.break_preparation(image_id, instances=1)

    def break_clean_up(self, image_id: str) -> None:
        """Make the next clean-up fail."""
        self.ec2.break_clean_up(image_id)

    def take(self, image_id: str) -> None:
        """Launch an instance, which takes the oldest snapshot if there is one."""
        lifecycle = self.ec2.lives.get(image_id)
        if lifecycle:
            before = list(lifecycle.snapshots)
            assert lifecycle.launch() == next(iter(before), None)
            assert lifecycle.snapshots == before[1:]

    def take_when_filled(self, image_id: str) -> None:
        """Wait for a snapshot if one is in preparation, then launch an instance."""
        lifecycle = self.ec2.lives.get(image_id)
        while lifecycle and lifecycle.pool.in_preparation and not lifecycle.pool.stock:
            CLOCK.advance(minutes=10)
        self.take(image_id)

    def dump(self) -> str:
        """Return everything that clients can see: events, images and snapshots."""
        images, _ = self.ec2.describe_fast_launch_images([], [], None, None)
        snapshots = [(s.id, s.volume.id, s.start_time, s.description) for s in self.snapshots()]
        events = to_json_lines(CHANGE_LOG)
        return "\n".join([events, *map(str, images), *map(str, snapshots)])

    def snapshots(self) -> list[Any]:
        """Return the snapshots that Fast Launch created."""
        snapshots = self.ec2.snapshots.values()
        return [s for s in snapshots if s.description.startswith("This is Fast Launch")]


class Lifecycles(RuleBasedStateMachine):
    """Any requests for a few images, in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.emulator = Emulator()
        self.steps: list[Step] = []

    def step(self, *step: Any) -> None:
        """Run a step and store it."""
        self.steps.append(step)
        getattr(self.emulator, step[0])(*step[1:])

    @rule(image_id=IMAGE_IDS, numbers=st.tuples(st.integers(1, 9), st.integers(6, 8)))
    def enable(self, image_id: str, numbers: tuple[int, int]) -> None:
        """Enable an image or change its settings."""
        self.step("enable", image_id, *numbers)

    @rule(image_id=IMAGE_IDS, force=st.booleans())
    def disable(self, image_id: str, force: bool) -> None:
        """Disable an image."""
        self.step("disable", image_id, force)

    @rule(minutes=st.sampled_from([1, 9, 10, 29, 30, 31, 90]))
    def pass_time(self, minutes: int) -> None:
        """Advance the clock."""
        self.step("advance", minutes)

    @rule(image_id=IMAGE_IDS, method=st.sampled_from(FAILURES))
    def inject_failure(self, image_id: str, method: str) -> None:
        """Make the next preparation or clean-up fail."""
        self.step(method, image_id)

    @rule(image_id=IMAGE_IDS)
    def fail_clean_up_and_retry(self, image_id: str) -> None:
        """Disable with a failing clean-up, wait, and disable again."""
        self.step("break_clean_up", image_id)
        for _ in range(2):
            self.step("disable", image_id, False)
            self.step("advance", 10)

    @rule(image_id=IMAGE_IDS, method=st.sampled_from(["take", "take_when_filled"]))
    def launch_instance(self, image_id: str, method: str) -> None:
        """Launch an instance, at once or as soon as there is a snapshot."""
        self.step(method, image_id)

    @invariant()
    def pools_follow_their_settings(self) -> None:
        """Law: preparations are the missing snapshots up to the limit; the stock is never above."""
        for lifecycle in self.emulator.ec2.lives.values():
            pool, image = lifecycle.pool, lifecycle.image
            missing = image.target_resource_count - len(lifecycle.snapshots)
            is_filling = image.state in ("enabling", "enabled")
            expected = min(missing, image.max_parallel_launches) if is_filling else 0
            assert pool.in_preparation == expected
            assert len(lifecycle.snapshots) == pool.stock <= image.target_resource_count

    @invariant()
    def nothing_is_enabling_for_longer_than_the_limit(self) -> None:
        """Law: after EC2's limit for a preparation instance, no image is enabling."""
        for lifecycle in self.emulator.ec2.lives.values():
            image = lifecycle.image
            age = (CLOCK.now() - image.state_transition_time).total_seconds()
            assert image.state != "enabling" or age < PREPARATION_LIMIT

    @invariant()
    def every_snapshot_has_an_image(self) -> None:
        """Law: every snapshot belongs to an image; a disabled image leaves none."""
        lifecycles = self.emulator.ec2.lives.values()
        expected = {name for lifecycle in lifecycles for name in lifecycle.snapshots}
        assert expected == {snapshot.id for snapshot in self.emulator.snapshots()}

    @invariant()
    def the_change_log_is_consistent(self) -> None:
        """Law: times never go back, transitions are documented, the last state is the current."""
        times = [change.time for change in CHANGE_LOG]
        assert times == sorted(times)
        states: dict[str, str | None] = dict.fromkeys(IMAGES)
        for change in CHANGE_LOG:
            image = change.image
            if change.is_transition:
                assert (states[image.image_id], image.state) in TRANSITIONS
            states[image.image_id] = image.state
        images, _ = self.emulator.ec2.describe_fast_launch_images([], [], None, None)
        present = {name: state for name, state in states.items() if state not in (None, "disabled")}
        assert {image.image_id: image.state for image in images} == present
        assert set(present.values()) <= set(API_STATES)

    def teardown(self) -> None:
        """Check the laws of complete runs."""
        dump = self.emulator.dump()
        self.every_image_reaches_a_final_state()
        self.the_same_steps_give_the_same_bytes(dump)

    def every_image_reaches_a_final_state(self) -> None:
        """Law: after a day every image is in a final state, with a full pool if enabled."""
        CLOCK.advance(hours=24)
        self.the_change_log_is_consistent()
        for image_id in IMAGES:
            image = self.emulator.ec2.image_index.get(image_id)
            assert (image and image.state) in FINAL_STATES
            if image and image.state == "enabled":
                lifecycle = self.emulator.ec2.lives[image_id]
                assert len(lifecycle.snapshots) == image.target_resource_count

    def the_same_steps_give_the_same_bytes(self, dump: str) -> None:
        """Law: the same steps with the same seed give the same bytes, however much is read."""
        for read in (lambda: None, mock_random.random):
            self.emulator = Emulator()
            for name, *arguments in self.steps:
                read()
                getattr(self.emulator, name)(*arguments)
            assert self.emulator.dump() == dump


TestLifecycles = Lifecycles.TestCase
TestLifecycles.settings = settings(  # without shrinking, which takes minutes
    max_examples=max(4, settings().max_examples // 4),
    stateful_step_count=25,
    phases=[Phase.explicit, Phase.generate],
)


def test_another_seed_gives_other_ids() -> None:
    """The ids of snapshots and of failed instances follow from the seed."""

    def run(seed: int) -> str:
        emulator = Emulator(seed)
        emulator.break_preparation(IMAGES[0])
        emulator.enable(IMAGES[0], 3, 6)
        emulator.enable(IMAGES[1], 3, 6)
        emulator.advance(40)
        return emulator.dump()

    assert run(5) == run(5)
    assert "snap-" in run(5)
    assert run(5) != run(6)
