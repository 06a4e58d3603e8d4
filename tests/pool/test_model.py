"""Tests of the model of a pool: its laws, and the same numbers from simpler models."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.pool.model import Pool, count_warm_launches

FILL = 10
targets, parallels, fills = st.integers(0, 12), st.integers(1, 8), st.integers(1, 60)
launch_times = st.lists(st.integers(0, 300), min_size=1, max_size=40).map(sorted)
CROWD = [0] * 7 + [10] * 3 + [20] * 6 + [21, 30, 30, 300]
"""Many at once, some of them when snapshots arrive, and at the end one that meets a full pool."""


def play_launches(times: list[int], target: int, max_parallel: int, fill_time: int) -> list[bool]:
    """Return which launches find a snapshot in a pool that is full at first."""
    pool, warm = Pool(target, max_parallel, fill_time, stock=target), []
    for now in times:
        pool.advance(now)
        warm.append(pool.take())
    return warm


class PoolMachine(RuleBasedStateMachine):
    """Everything that may happen to a pool, in any order."""

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
        """A launch finds a snapshot exactly if one is in stock."""
        in_stock = self.pool.stock > 0
        assert self.pool.take() is in_stock
        self.launches += 1

    @rule(numbers=st.tuples(targets, parallels))
    def resize(self, numbers: tuple[int, int]) -> None:
        """A pool that is resized is no longer stopped."""
        self.pool.resize(*numbers)
        self.stopped = False

    @rule()
    def stop(self) -> None:
        """A pool may be stopped."""
        self.pool.stop()
        self.stopped = True

    @invariant()
    def never_exceeds_its_limits(self) -> None:
        """Law: never more snapshots than the target, never more preparations than allowed."""
        assert self.pool.stock >= 0
        assert self.pool.stock + self.pool.in_preparation <= self.pool.target
        assert self.pool.in_preparation <= self.pool.max_parallel

    @invariant()
    def always_refills(self) -> None:
        """Law: as many preparations as are needed and allowed; none in a stopped pool."""
        missing = self.pool.target - self.pool.stock
        expected = 0 if self.stopped else min(missing, self.pool.max_parallel)
        assert self.pool.in_preparation == expected

    @invariant()
    def every_launch_is_counted(self) -> None:
        """Law: each launch is warm or cold."""
        assert self.pool.used + self.pool.missed == self.launches

    @precondition(lambda self: not self.stopped)
    @rule()
    def fills_up(self) -> None:
        """Law: without launches a pool fills up."""
        self.pool.advance(self.pool.now + FILL * (self.pool.target + 1))
        assert self.pool.stock == self.pool.target


TestPool = PoolMachine.TestCase

ALL_AT_ONCE = [(0, True)] * 3 + [(FILL, True)] * 5 + [(FILL + 1, True)] * 2


@given(targets, parallels, st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=30))
@example(0, 1, [(5, True)])
@example(4, 3, ALL_AT_ONCE)
@example(3, 8, ALL_AT_ONCE)
@example(12, 1, [(second, True) for second in range(0, 30, 3)])
def test_a_pool_matches_a_loop_over_seconds(
    target: int, max_parallel: int, steps: list[tuple[int, bool]]
) -> None:
    """Law: second by second, the simplest loop has the same stock and the same misses."""
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
    """Law: time that passes in steps brings the same snapshots at the same times."""
    stepped, direct = Pool(target, max_parallel, FILL), Pool(target, max_parallel, FILL)
    arrived = [when for step in steps for when in stepped.advance(stepped.now + step)]
    assert arrived == direct.advance(sum(steps))


def test_a_new_fill_time_applies_to_later_preparations() -> None:
    """A preparation that runs keeps the fill time that it started with."""
    pool = Pool(2, 1, FILL)
    pool.fill_time = 1
    assert pool.advance(FILL + 1) == [FILL, FILL + 1]
    assert pool.fill_time == 1
    with pytest.raises(InputError, match="fill_time is 0"):
        pool.fill_time = 0


def test_the_next_snapshot_is_due_when_a_preparation_ends() -> None:
    """The next snapshot arrives when the first preparation ends; without one none is due."""
    pool = Pool(3, 2, FILL)

    def advance(now: int) -> tuple[int, float | None]:
        pool.advance(now)
        return pool.stock, pool.next_due

    assert advance(0) == advance(FILL - 1) == (0, FILL)
    assert advance(FILL) == advance(2 * FILL - 1) == (2, 2 * FILL)
    assert advance(2 * FILL) == (3, None)


def test_a_smaller_pool_drops_stock_and_late_preparations() -> None:
    """Stock above the target is dropped; the preparations that started first go on."""
    pool = Pool(6, 2, FILL, stock=3)
    pool.advance(4)
    pool.resize(6, 3)
    assert (pool.stock, pool.in_preparation, pool.next_due) == (3, 3, FILL)
    pool.resize(4, 3)
    assert (pool.stock, pool.in_preparation, pool.next_due) == (3, 1, FILL)
    pool.resize(2, 3)
    assert (pool.stock, pool.in_preparation, pool.next_due) == (2, 0, None)


def test_a_stopped_pool_does_not_refill() -> None:
    """A stopped pool keeps its stock and prepares nothing until it is resized."""
    pool = Pool(3, 3, FILL, stock=2)
    pool.stop()
    assert (pool.take(), pool.stock, pool.in_preparation) == (True, 1, 0)
    assert pool.advance(5 * FILL) == []
    pool.resize(3, 3)
    assert (pool.stock, pool.in_preparation) == (1, 2)


@pytest.mark.parametrize(
    "limit",
    [{"target": 0}, {"max_parallel": 1}, {"fill_time": 1e-9}, {"stock": 0}, {"stock": 5}],
    ids=str,
)
def test_ranges_include_their_limits(limit: dict[str, float]) -> None:
    """The ends of each range belong to it."""
    pool = Pool(**{"target": 5, "max_parallel": 6, "fill_time": 1800, **limit})  # type: ignore[arg-type]
    assert {name: getattr(pool, name) for name in limit} == limit


@pytest.mark.parametrize(
    ("wrong", "message"),
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
def test_a_number_out_of_range_is_refused(wrong: dict[str, float], message: str) -> None:
    """The error names the number that is out of its range."""
    with pytest.raises(InputError, match=message):
        Pool(**{"target": 5, "max_parallel": 6, "fill_time": 1800, **wrong})  # type: ignore[arg-type]


def test_time_only_goes_forward() -> None:
    """A pool cannot go back in time."""
    pool = Pool(1, 1, 1, now=5)
    with pytest.raises(InputError, match="before 5"):
        pool.advance(4)
    assert pool.advance(5) == []
    assert repr(pool) == "Pool(0 of 1 in stock, 1 in preparation, 0 used, 0 missed)"


# --- the recurrence -------------------------------------------------------------------


@given(launch_times, st.integers(1, 12), parallels, fills)
@example(CROWD, 1, 1, 10)
@example(CROWD, 3, 2, 10)
@example(CROWD, 5, 8, 10)
@example(CROWD, 12, 3, 10)
@example([5], 1, 1, 1)
@example([0, 0, 60, 60], 2, 1, 60)
@example([0, 0, 60, 60], 1, 8, 60)
def test_the_recurrence_matches_the_pool(
    times: list[int], target: int, max_parallel: int, fill: int
) -> None:
    """Law: launch by launch, the recurrence and the events find the same snapshots."""
    warm = [
        count_warm_launches(times[:n], target, max_parallel, fill) for n in range(len(times) + 1)
    ]
    assert [after > before for before, after in itertools.pairwise(warm)] == play_launches(
        times, target, max_parallel, fill
    )


@given(launch_times, st.integers(1, 12), parallels, fills)
@example(CROWD, 4, 2, 10)
def test_a_larger_pool_is_never_worse(
    times: list[int], target: int, max_parallel: int, fill: int
) -> None:
    """Law: a larger target, or more instances, never falls behind in warm launches."""
    for n in range(1, len(times) + 1):
        warm = count_warm_launches(times[:n], target, max_parallel, fill)
        assert count_warm_launches(times[:n], target + 1, max_parallel, fill) >= warm
        assert count_warm_launches(times[:n], target, max_parallel + 1, fill) >= warm
