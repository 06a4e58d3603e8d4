"""The laws of Fast Launch in the embedded EC2: whatever is asked, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import EC2Error
from fastlaunch_nb.emulator.moto_extension import get_backend, install, reset_emulator
from fastlaunch_nb.schema.columns import API_STATES
from tests.helpers.samples import ACCOUNT, REGION

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
ENDS = {None, "enabled", "enabled-failed", "enabling-failed", "disabling-failed"}
images = st.sampled_from(IMAGES)
Step = tuple[Any, ...]


def refusal(ask: Callable[[], object]) -> str | None:
    """Return the code that a request is refused with, or None."""
    try:
        ask()
    except EC2Error as error:
        return error.code
    return None


class World:
    """An embedded EC2 with Windows images that nobody has enabled yet, and what may be done."""

    def __init__(self, seed: int = 0) -> None:
        install()
        reset_emulator(seed)
        self.ec2 = get_backend(ACCOUNT, REGION)
        for image_id in IMAGES:
            self.ec2.add_windows_image(image_id, name="an image", owner_id=ACCOUNT)

    def enable(self, image_id: str, target: int, parallel: int) -> None:
        """Ask for Fast Launch, or for other settings."""
        asked = {"target_resource_count": target, "max_parallel_launches": parallel}
        code = refusal(lambda: self.ec2.enable_fast_launch(image_id, **asked))
        assert code in (None, "IncorrectState")

    def disable(self, image_id: str, force: bool) -> None:
        """Ask for its end."""
        code = refusal(lambda: self.ec2.disable_fast_launch(image_id, force=force))
        assert code in (None, "IncorrectState", "InvalidParameterValue")

    def advance(self, minutes: int) -> None:
        """Let time pass."""
        CLOCK.advance(minutes=minutes)

    def break_preparation(self, image_id: str) -> None:
        """Have the next preparation fail."""
        self.ec2.break_preparation(image_id)

    def break_clean_up(self, image_id: str) -> None:
        """Have the next clean-up fail."""
        self.ec2.break_clean_up(image_id)

    def take(self, image_id: str) -> None:
        """Launch an instance: it takes the oldest snapshot, where there is one."""
        life = self.ec2.lives.get(image_id)
        if life:
            before = list(life.snapshots)
            assert life.take() is (len(before) > 0)
            assert life.snapshots == before[1:]

    def take_when_filled(self, image_id: str) -> None:
        """Launch an instance as soon as there is a snapshot, where one is prepared."""
        life = self.ec2.lives.get(image_id)
        while life and life.pool.in_preparation and not life.pool.stock:
            CLOCK.advance(minutes=10)
        self.take(image_id)

    def story(self) -> str:
        """Return all that can be seen of it."""
        seen, _ = self.ec2.describe_fast_launch_images([], [], None, None)
        made = [(s.id, s.volume.id, s.start_time, s.description) for s in self.snapshots()]
        lines = to_json_lines(CHANGE_LOG)
        return "\n".join([lines, *map(str, seen), *map(str, made)])

    def snapshots(self) -> list[Any]:
        """Return the snapshots that Fast Launch made."""
        there = self.ec2.snapshots.values()
        return [s for s in there if s.description.startswith("This is Fast Launch")]


class Lives(RuleBasedStateMachine):
    """Anything that may be asked of a few images, in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.steps: list[Step] = []

    def step(self, *step: Any) -> None:
        """Take a step, and remember it."""
        self.steps.append(step)
        getattr(self.world, step[0])(*step[1:])

    @rule(image_id=images, numbers=st.tuples(st.integers(1, 9), st.integers(6, 8)))
    def enable(self, image_id: str, numbers: tuple[int, int]) -> None:
        """Enable, or change what was asked for."""
        self.step("enable", image_id, *numbers)

    @rule(image_id=images, force=st.booleans())
    def disable(self, image_id: str, force: bool) -> None:
        """Disable."""
        self.step("disable", image_id, force)

    @rule(minutes=st.sampled_from([1, 9, 10, 29, 30, 31, 90]))
    def time_passes(self, minutes: int) -> None:
        """Let what is due happen."""
        self.step("advance", minutes)

    @rule(image_id=images, what=st.sampled_from(["break_preparation", "break_clean_up"]))
    def something_breaks(self, image_id: str, what: str) -> None:
        """Have the next preparation or clean-up fail."""
        self.step(what, image_id)

    @rule(image_id=images)
    def a_clean_up_fails_and_is_tried_again(self, image_id: str) -> None:
        """Disable in vain, wait, and disable again."""
        self.step("break_clean_up", image_id)
        for _ in range(2):
            self.step("disable", image_id, False)
            self.step("advance", 10)

    @rule(image_id=images, how=st.sampled_from(["take", "take_when_filled"]))
    def an_instance_is_launched(self, image_id: str, how: str) -> None:
        """Take a snapshot, where there is one; or wait for one, where one is prepared."""
        self.step(how, image_id)

    @invariant()
    def never_more_than_asked_for(self) -> None:
        """Law: as many at work as lack and are allowed, never more snapshots than asked for."""
        for life in self.world.ec2.lives.values():
            pool, image = life.pool, life.image
            lacking = image.target_resource_count - len(life.snapshots)
            expected = min(lacking, image.max_parallel_launches)
            works = image.state in ("enabling", "enabled")
            assert pool.in_preparation == (expected if works else 0)
            assert len(life.snapshots) == pool.stock <= image.target_resource_count

    @invariant()
    def no_snapshot_without_an_image(self) -> None:
        """Law: a disabled image leaves no snapshot, and no other is there."""
        lives = self.world.ec2.lives.values()
        kept = {name for life in lives for name in life.snapshots}
        assert kept == {snapshot.id for snapshot in self.world.snapshots()}

    @invariant()
    def the_journal_is_true(self) -> None:
        """Law: time never runs backwards, every move is a known one, the last is what is seen."""
        journal = CHANGE_LOG
        assert [c.time for c in journal] == sorted(c.time for c in journal)
        last: dict[str, str | None] = dict.fromkeys(IMAGES)
        for change in journal:
            image = change.image
            if change.is_transition:
                assert (last[image.image_id], image.state) in MOVES
            last[image.image_id] = image.state
        seen, _ = self.world.ec2.describe_fast_launch_images([], [], None, None)
        there = {name: now for name, now in last.items() if now not in (None, "disabled")}
        assert {image.image_id: image.state for image in seen} == there
        assert set(there.values()) <= set(API_STATES)

    def teardown(self) -> None:
        """See to the laws of whole stories."""
        told = self.world.story()
        self.it_comes_to_an_end()
        self.it_can_be_told_again(told)

    def it_comes_to_an_end(self) -> None:
        """Law: every path ends in a documented state, its pool full, or given up, or gone."""
        CLOCK.advance(hours=24)
        self.the_journal_is_true()
        for image_id in IMAGES:
            image = self.world.ec2.image_index.get(image_id)
            assert (image and image.state) in ENDS
            if image and image.state == "enabled":
                life = self.world.ec2.lives[image_id]
                assert len(life.snapshots) == image.target_resource_count

    def it_can_be_told_again(self, told: str) -> None:
        """Law: the same steps with one seed are the same byte for byte, whatever is read."""
        for read in (lambda: None, mock_random.random):
            self.world = World()
            for name, *arguments in self.steps:
                read()
                getattr(self.world, name)(*arguments)
            assert self.world.story() == told


TestLives = Lives.TestCase
TestLives.settings = settings(  # a failure is told as it was found: shrinking it takes minutes
    max_examples=max(4, settings().max_examples // 4),
    stateful_step_count=25,
    phases=[Phase.explicit, Phase.generate],
)


def test_another_seed_is_another_story() -> None:
    """The ids of what is made, and of what fails, follow from the seed."""

    def told(seed: int) -> str:
        world = World(seed)
        world.break_preparation(IMAGES[0])
        world.enable(IMAGES[0], 3, 6)
        world.enable(IMAGES[1], 3, 6)
        world.advance(40)
        return world.story()

    assert told(5) == told(5)
    assert "snap-" in told(5)
    assert told(5) != told(6)
