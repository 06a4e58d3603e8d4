"""The model of a pool: its laws, against the plainest way to say the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.pool.model import Pool

FILL = 10
targets, parallels = st.integers(0, 12), st.integers(1, 8)


class Played(RuleBasedStateMachine):
    """Anything that may be done to a pool, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(6, 3, FILL)
        self.launches = 0
        self.stopped = False

    @rule(seconds=st.integers(0, 25))
    def time_passes(self, seconds: int) -> None:
        """Snapshots arrive in the order of time."""
        arrived = self.pool.advance(self.pool.now + seconds)
        assert arrived == sorted(arrived)

    @rule()
    def launch(self) -> None:
        """A launch finds a snapshot exactly where there is one."""
        there = self.pool.stock > 0
        assert self.pool.take() is there
        self.launches += 1

    @rule(numbers=st.tuples(targets, parallels))
    def resize(self, numbers: tuple[int, int]) -> None:
        """Ask for other numbers."""
        self.pool.resize(*numbers)
        self.stopped = False

    @rule()
    def stop(self) -> None:
        """Prepare nothing more."""
        self.pool.stop()
        self.stopped = True

    @invariant()
    def never_more_than_asked_for(self) -> None:
        """Law: never more snapshots than asked for, never more at work than allowed."""
        assert self.pool.stock >= 0
        assert self.pool.stock + self.pool.in_preparation <= self.pool.target
        assert self.pool.in_preparation <= self.pool.max_parallel

    @invariant()
    def always_at_work(self) -> None:
        """Law: as many at work as lack and may be, none where it was stopped."""
        lacking = self.pool.target - self.pool.stock
        expected = 0 if self.stopped else min(lacking, self.pool.max_parallel)
        assert self.pool.in_preparation == expected

    @invariant()
    def every_launch_is_counted(self) -> None:
        """Law: each launch was warm or cold."""
        assert self.pool.used + self.pool.missed == self.launches

    @precondition(lambda self: not self.stopped)
    @rule()
    def full_in_the_end(self) -> None:
        """Law: left alone long enough, it is full."""
        self.pool.advance(self.pool.now + FILL * (self.pool.target + 1))
        assert self.pool.stock == self.pool.target


TestPool = Played.TestCase


ALL_AT_ONCE = [(0, True)] * 3 + [(FILL, True)] * 5 + [(FILL + 1, True)] * 2


@given(targets, parallels, st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=30))
@example(0, 1, [(5, True)])
@example(4, 3, ALL_AT_ONCE)
@example(3, 8, ALL_AT_ONCE)
@example(12, 1, [(second, True) for second in range(0, 30, 3)])
def test_a_pool_is_what_a_stopwatch_says(
    target: int, max_parallel: int, steps: list[tuple[int, bool]]
) -> None:
    """Law: second by second, by the plainest loop, the same stock and the same misses."""
    pool = Pool(target, max_parallel, FILL)
    stock, missed, ends = 0, 0, [FILL] * min(target, max_parallel)
    for now in range(FILL * 31):  # the last launches are replaced as well
        for _ in range(ends.count(now)):
            stock += 1
        ends = [end for end in ends if end > now]
        for _ in range(sum(1 for when, launch in steps if launch and when == now)):
            missed, stock = (missed, stock - 1) if stock else (missed + 1, 0)
            pool.advance(now)
            pool.take()
        ends += [now + FILL] * (min(target - stock, max_parallel) - len(ends))
        pool.advance(now)
        assert (stock, missed, len(ends)) == (pool.stock, pool.missed, pool.in_preparation)


@given(st.lists(st.integers(0, 20), max_size=10), targets, parallels)
def test_steps_do_not_matter(steps: list[int], target: int, max_parallel: int) -> None:
    """Law: time that passes in pieces brings the same snapshots at the same times."""
    pieces, whole = Pool(target, max_parallel, FILL), Pool(target, max_parallel, FILL)
    arrived = [when for step in steps for when in pieces.advance(pieces.now + step)]
    assert arrived == whole.advance(sum(steps))


def test_another_fill_time_is_for_what_begins_from_then_on() -> None:
    """What is in preparation keeps the time that it began with."""
    pool = Pool(2, 1, FILL)
    pool.fill_time = 1
    assert pool.advance(FILL + 1) == [FILL, FILL + 1]
    assert pool.fill_time == 1
    with pytest.raises(InputError, match="fill_time is 0"):
        pool.fill_time = 0


def test_what_is_due_next() -> None:
    """The next snapshot comes when the first preparation ends; without one there is no next."""
    pool = Pool(3, 2, FILL)

    def seen(now: int) -> tuple[int, float | None]:
        pool.advance(now)
        return pool.stock, pool.next_due

    assert seen(0) == seen(FILL - 1) == (0, FILL)
    assert seen(FILL) == seen(2 * FILL - 1) == (2, 2 * FILL)
    assert seen(2 * FILL) == (3, None)


def test_what_a_smaller_pool_gives_up() -> None:
    """Stock above the target goes first; of the work in progress stays what began first."""
    pool = Pool(6, 2, FILL, stock=3)
    pool.advance(4)
    pool.resize(6, 3)
    assert (pool.stock, pool.in_preparation, pool.next_due) == (3, 3, FILL)
    pool.resize(4, 3)
    assert (pool.stock, pool.in_preparation, pool.next_due) == (3, 1, FILL)
    pool.resize(2, 3)
    assert (pool.stock, pool.in_preparation, pool.next_due) == (2, 0, None)


def test_a_pool_that_was_stopped() -> None:
    """It keeps its stock and prepares nothing, not for a launch either, until it is resized."""
    pool = Pool(3, 3, FILL, stock=2)
    pool.stop()
    assert (pool.take(), pool.stock, pool.in_preparation) == (True, 1, 0)
    assert pool.advance(5 * FILL) == []
    pool.resize(3, 3)
    assert (pool.stock, pool.in_preparation) == (1, 2)


@pytest.mark.parametrize(
    "least",
    [{"target": 0}, {"max_parallel": 1}, {"fill_time": 1e-9}, {"stock": 0}, {"stock": 5}],
    ids=str,
)
def test_the_last_number_that_is_in_range(least: dict[str, float]) -> None:
    """The ends of each range belong to it."""
    pool = Pool(**{"target": 5, "max_parallel": 6, "fill_time": 1800, **least})  # type: ignore[arg-type]
    assert {name: getattr(pool, name) for name in least} == least


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"target": -1}, "target is -1"),
        ({"max_parallel": 0}, "max_parallel 0"),
        ({"fill_time": 0}, "fill_time is 0"),
        ({"fill_time": float("nan")}, "fill_time is nan"),
        ({"stock": 6}, "stock is 6"),
        ({"stock": -1}, "stock is -1"),
    ],
    ids=str,
)
def test_refused(wrong: dict[str, float], says: str) -> None:
    """A number out of its range is refused by name."""
    with pytest.raises(InputError, match=says):
        Pool(**{"target": 5, "max_parallel": 6, "fill_time": 1800, **wrong})  # type: ignore[arg-type]


def test_time_only_goes_forward() -> None:
    """A pool is not asked about the past."""
    pool = Pool(1, 1, 1, now=5)
    with pytest.raises(InputError, match="before 5"):
        pool.advance(4)
    assert pool.advance(5) == []
    assert repr(pool) == "Pool(0 of 1 in stock, 1 in preparation, 0 used, 0 missed)"
