"""Right sizing: as `Pool` and the embedded EC2 have it, launch by launch, and no larger."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.pool import launch_pattern, simulation, sizing
from fastlaunch_nb.pool.sizing import Curve, RightSize
from tests.helpers.samples import ACCOUNT, REGION

AMI = "ami-0123456789abcdef0"
HOUR = 3_600
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

moments = st.lists(st.integers(0, 300), min_size=1, max_size=40).map(sorted)
targets, parallels, fills = st.integers(1, 12), st.integers(1, 8), st.integers(1, 60)


def one_by_one(times: list[int], target: int, max_parallel: int, fill_time: int) -> list[bool]:
    """Return which launches find a snapshot in a pool that is full at first."""
    pool, seen = fl.Pool(target, max_parallel, fill_time, stock=target), []
    for now in times:
        pool.advance(now)
        seen.append(pool.take())
    return seen


def at(*seconds: float) -> list[datetime]:
    """Return times so many seconds after a Monday."""
    return [MONDAY + timedelta(seconds=second) for second in seconds]


def hours(pattern: str, days: int = 7) -> list[float]:
    """Return the launches of a pattern, in hours after the first Monday."""
    found: list[float] = (launch_pattern.launch_times(pattern, days) / 3.6e9).tolist()
    return found


# --- as the model has it --------------------------------------------------------------

CROWD = [0] * 7 + [10] * 3 + [20] * 6 + [21, 30, 30, 300]
"""Many at once, some of them when snapshots come in, and in the end one at a full pool."""


@given(moments, st.lists(st.tuples(targets, parallels), min_size=1, max_size=6), fills)
@example(CROWD, [(1, 1), (3, 2), (5, 8), (12, 3)], 10)
@example([5], [(1, 1)], 1)
@example([0, 0, 60, 60], [(2, 1), (1, 8)], 60)
def test_as_the_model_has_it(times: list[int], pools: list[tuple[int, int]], fill: int) -> None:
    """Law: for every launch the same answer as of a `Pool`, however many are played at once."""
    sizes = np.array(pools)
    seen = simulation.found(np.array(times), sizes[:, 0], sizes[:, 1], fill)
    assert seen.tolist() == [one_by_one(times, *pool, fill) for pool in pools]


@given(moments, targets, parallels, fills)
@example(CROWD, 5, 2, 10)
@example(list(range(0, 60, 2)), 12, 1, 40)
def test_in_portions(times: list[int], target: int, max_parallel: int, fill: int) -> None:
    """Law: played in portions, because they are many, it is the same."""
    pools = (np.array([target, 1, target + 1]), np.array([max_parallel, 8, 1]))
    whole = simulation.found(np.array(times), *pools, fill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "_CELLS", 13)
        patch.setattr(simulation, "_BLOCK", 3)
        assert (simulation.found(np.array(times), *pools, fill) == whole).all()


@given(moments, targets, parallels, fills)
@example(CROWD, 4, 2, 10)
def test_more_is_never_worse(times: list[int], target: int, max_parallel: int, fill: int) -> None:
    """Law: a larger target, or more instances, has found as many launches at every moment."""
    pools = (np.array([target, target + 1, target]), np.array([max_parallel, *[max_parallel] * 2]))
    pools[1][2] += 1
    so_far = simulation.found(np.array(times), *pools, fill).cumsum(axis=1)
    assert (so_far[1:] >= so_far[0]).all()


@given(moments, parallels, fills)
@example(CROWD, 3, 10)
@example([0, 10], 1, 10)
@example([0, 9], 1, 10)
def test_the_target_at_which_all_are_warm(times: list[int], parallel: int, fill: int) -> None:
    """Law: no smaller target has a snapshot for every launch."""
    full = simulation.full_target(np.array(times), parallel, fill)
    assert all(one_by_one(times, full, parallel, fill))
    assert full == 1 or not all(one_by_one(times, full - 1, parallel, fill))


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.deep) for n in (1, 2))])
def test_as_the_embedded_ec2_has_it(ec2: Any, seed: int) -> None:
    """Launch by launch, the embedded EC2 has a snapshot exactly where it was foretold."""
    draw = random.Random(seed)
    times = sorted(draw.choices(range(0, 4 * HOUR, 60), k=60))
    ec2.add_windows_image(AMI, name="an image", owner_id=ACCOUNT)
    size = fl.right_size(at(*times), warm=0.8, fill_time=1200, max_parallel=6)
    ec2.pace.preparation = timedelta(seconds=1200)
    asked = {"SnapshotConfiguration": {"TargetResourceCount": size.target}}
    client = boto3.client(
        "ec2", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.enable_fast_launch(ImageId=AMI, MaxParallelLaunches=6, **asked)
    CLOCK.advance(hours=12)
    life, took = ec2.lives[AMI], []
    for step in np.diff(times, prepend=0).tolist():
        CLOCK.advance(seconds=step)
        took.append(life.take())
    foretold = simulation.found(np.array(times), np.array([size.target]), np.array([6]), 1200)
    assert took == foretold[0].tolist()
    assert (life.pool.used, life.pool.missed) == (60 - size.cold, size.cold)
    assert 0 < size.cold <= 12


# --- the smallest ---------------------------------------------------------------------


@given(moments, st.sampled_from([0.3, 0.5, 0.8, 0.9, 1.0]), fills)
@example([0, 0], 0.5, 60)
@example(CROWD, 0.8, 10)
@example([0] * 30 + [60] * 30, 0.75, 10)
def test_the_smallest(times: list[int], warm: float, fill: int) -> None:
    """Law: no smaller target does with the quota, and no fewer instances with that target."""

    def share(target: int, max_parallel: int) -> float:
        seen = one_by_one(times, target, max_parallel, fill)
        return sum(seen) / len(seen)

    size = fl.right_size(at(*times), warm=warm, fill_time=fill, quota=9)
    enough = (target for target in itertools.count(1) if share(target, 9) >= warm)
    assert size.target == next(enough)
    fewest = (parallel for parallel in range(6, 10) if share(size.target, parallel) >= warm)
    assert size.max_parallel == next(fewest)
    assert size.warm == share(size.target, size.max_parallel) >= warm
    assert size.cold == round((1 - size.warm) * size.launches)
    for target, foretold in zip(*size.curve, strict=True):
        assert foretold == share(int(target), size.max_parallel)


def test_a_large_one() -> None:
    """Among hundreds of targets the smallest is found, and the curve shows where."""
    size = fl.right_size("700 at 08:00 on weekdays", warm=0.9, days=3)
    assert (size.target, size.max_parallel, size.launches, size.cold) == (630, 14, 2100, 210)
    assert (size.curve.target[-1], size.curve.warm[-1]) == (756, 1)  # a day refills 672
    where = size.curve.target.tolist().index(630)
    assert size.curve.target[where - 1] == 629
    assert size.curve.warm[where - 1] < 0.9 <= size.curve.warm[where]
    apart = {756 * number // 65 for number in range(1, 65)}
    assert set(size.curve.target.tolist()) == {*apart, 629, 630, 756}
    assert min(np.diff(size.curve.warm)) >= 0


@pytest.mark.parametrize("launches", [1, 2, 64])
def test_a_small_curve_is_whole(launches: int) -> None:
    """Up to 64 targets it has them all, one after the other."""
    size = fl.right_size(f"{launches} at 08:00", warm=0.5, days=1)
    assert size.target == -(-launches // 2)
    assert size.curve.target.tolist() == [*range(1, launches + 1)]
    assert size.curve.warm.tolist() == [target / launches for target in size.curve.target]


def test_max_parallel_may_be_given() -> None:
    """With fewer preparation instances it takes more snapshots; what is given is kept."""

    def size(**options: int) -> tuple[int, int]:
        words = "30 an hour from 08:00 to 12:00 on weekdays"
        found = fl.right_size(words, warm=0.95, days=7, **options)
        return found.target, found.max_parallel

    assert size() == (15, 15)
    assert size(max_parallel=6) == (72, 6)
    assert size(max_parallel=15) == (15, 15)
    assert size(max_parallel=50) == (15, 50)
    assert size(quota=6) == (72, 6)


def test_more_instances_than_there_is_work_for() -> None:
    """However many may be at work, it is as if they were as many as are wanted."""
    size = fl.right_size("7 at 08:00", quota=10**12)
    assert (size.target, size.max_parallel) == (7, 6)
    assert fl.right_size("7 at 08:00", max_parallel=10**12).target == 7


def test_what_holds_unless_said() -> None:
    """A year less a day, half an hour to prepare one, 99 in 100 warm, at once as they come."""
    size = fl.right_size("100 at 08:00")
    assert (size.launches, size.fill_time) == (364 * 100, 1800)
    assert (size.target, size.warm, size.cold) == (99, 0.99, 364)


@pytest.mark.parametrize(
    ("cold", "of", "says"),
    [(1, 20_001, "99.99%"), (0, 20_001, "100.00%"), (1, 2, "50.00%"), (20_001, 20_001, "0.00%")],
)
def test_what_it_says(cold: int, of: int, says: str) -> None:
    """It reads well, and never says 100 % where a launch was cold."""
    curve = Curve(np.array([1]), np.array([1.0]))
    size = RightSize(20_000, 6, (of - cold) / of, of, cold, 1800.0, curve)
    assert repr(size) == (
        f"RightSize(target=20000, max_parallel=6: {says} of {of:,} launches warm, {cold:,} cold)"
    )


def test_results_are_compared_by_what_they_say() -> None:
    """Two are equal if they recommend and achieve the same."""
    assert fl.right_size("1 at 08:00", warm=0.1) == fl.right_size("1 at 08:00", warm=0.2)


def test_too_much_to_ask() -> None:
    """Where the pool can not keep up, that is said, with what would help."""
    with pytest.raises(fl.InputError, match=r"With 1,000 snapshots and 40 .* make 80\.0 an hour"):
        fl.right_size("200 an hour daily", days=1)
    with pytest.raises(fl.InputError, match=r"With 9 .*, 90\.00% of launches .* Expected 99\.00%"):
        fl.right_size("10 at 08:00", days=20, max_target=9)
    assert fl.right_size("10 at 08:00", days=20, max_target=9, warm=0.9).target == 9


# --- launches -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("2 at 08:00 on weekdays", [24 * day + 8 for day in range(5) for _ in range(2)]),
        ("1 at 8:00 and 20:30 on Sat", [128, 140.5]),
        ("1 launch at 0:00, 6:00 and 12:00 on Sundays", [144, 150, 156]),
        ("2 an hour from 09:00 to 11:00 on Wed", [57, 57.5, 58, 58.5]),
        ("2 per hour from 23:00 to 01:00 on tuesday", [47, 47.5, 48, 48.5]),
        ("3 from 09:00 to 12:00 on mondays", [9, 10, 11]),
        ("1 at 00:00", [0, 24, 48, 72, 96, 120, 144]),
        ("1 at 00:00 daily", [0, 24, 48, 72, 96, 120, 144]),
        ("1 AT 00:00 every day", [0, 24, 48, 72, 96, 120, 144]),
        ("1 at 00:00 on Mon, Wed and Fri", [0, 48, 96]),
        ("1 at 00:00 on Sat-Mon", [0, 120, 144]),
        ("1 at 00:00 on Friday to Saturday, tue", [24, 96, 120]),
        ("1 at 00:00 on weekends and Mon", [0, 120, 144]),
        ("1 at 12:00 on Tue; 1 at 11:00 on Tue ;2 at 24:00 on Mon", [24, 24, 35, 36]),
        ("1 an hour on Mon", list(range(24))),
        ("3 from 22:30 to 01:30 on Sun", [166.5, 167.5, 168.5]),
        ("2 from 06:00 to 06:00 on Mon", [6, 18]),
        ("1 at 0:59 and 23:59 on Mon", [59 / 60, 23 + 59 / 60]),
        ("1 at 00:00 on Mon to Mon", [0]),
        ("1 at 00:00 on Sun-Sat", [0, 24, 48, 72, 96, 120, 144]),
    ],
)
def test_patterns(pattern: str, expected: list[float]) -> None:
    """Words say when launches are, from a Monday on, in order."""
    assert hours(pattern) == expected


@given(st.integers(1, 40), st.integers(0, 23), st.integers(1, 24))
@example(7, 22, 5)
def test_so_many_an_hour(count: int, start: int, over: int) -> None:
    """Law: an hour of "10 an hour" has 10 launches."""
    found = hours(f"{count} an hour from {start}:00 to {(start + over) % 24}:00 on Mon")
    full = np.floor(found).astype(int)
    assert np.unique(full, return_counts=True)[1].tolist() == [count] * over
    assert min(full) == start


def test_times_are_whole_microseconds() -> None:
    """Where launches can not be evenly apart, each comes in the microsecond that has begun."""
    for pattern in ("7 an hour from 00:00 to 01:00 on Mon", "7 from 00:00 to 01:00 on Mon"):
        found = launch_pattern.launch_times(pattern, days=7)
        assert found.dtype == np.int64
        assert found.tolist() == [number * HOUR * 1_000_000 // 7 for number in range(7)]


def test_days_begin_on_a_monday() -> None:
    """Of ten days seven are weekdays or more: Monday to Friday, and three of the next week."""
    assert len(hours("1 at 08:00 on weekdays", days=10)) == 8
    assert len(hours("1 at 08:00 on weekends", days=10)) == 2


LATER = MONDAY + timedelta(hours=1)
EAST = LATER.astimezone(timezone(timedelta(hours=5, minutes=30)))
PAIR = np.array(["2026-01-05T00", "2026-01-05T01"], dtype="datetime64[h]")
SAME: list[Any] = [
    [MONDAY, LATER],
    iter([LATER, MONDAY]),
    [MONDAY.replace(tzinfo=None), EAST],
    PAIR,
    [PAIR[0].astype("datetime64[ns]"), EAST],
    pd.Series(PAIR[::-1]),
    pd.Series(PAIR).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    pd.DatetimeIndex(["2026-01-05T01:00+01:00", "2026-01-05T02:00+01:00"]),
    [pd.Timestamp("2026-01-05"), pd.Timestamp("2026-01-05T01", tz="UTC")],
]


@pytest.mark.parametrize("times", SAME, ids=lambda value: type(value).__name__)
def test_real_times(times: Any) -> None:
    """Datetimes of Python, numpy and pandas are taken in any order; without a zone they are UTC."""
    found = launch_pattern.launch_times(times, days=1)
    first = int(MONDAY.timestamp()) * 1_000_000
    assert found.tolist() == [first, first + HOUR * 1_000_000]


def test_a_spread_is_from_at_once_to_its_end() -> None:
    """No launch comes before its time or after the spread; each microsecond of it may be drawn."""
    spread = sizing._spread_out(np.zeros(1_000, dtype=np.int64), 3e-6, seed=0)
    assert set(spread.tolist()) == {0, 1, 2, 3}
    assert sizing._spread_out(np.array([5]), 0, seed=0).tolist() == [5]


def test_a_spread_is_drawn_from_the_seed() -> None:
    """The same seed gives the same result, another seed another; a spread takes fewer snapshots."""

    def size(**options: Any) -> Any:
        return fl.right_size("40 at 08:00 on weekdays", warm=0.9, days=14, **options)

    one, same, other = (size(spread=7_200, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.curve.warm.tolist() == same.curve.warm.tolist()
    assert not np.array_equal(one.curve.warm[:9], other.curve.warm[:9])
    assert one.target < size().target == size(seed=2).target == 36


# --- refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("40", "'40'. Expected such as"),
        ("", "''. Expected such as"),
        ("1 at 08:00;", "''. Expected such as"),
        ("forty at 08:00", "'forty at 08:00'. Expected such as"),
        ("40 at 8", "'40 at 8'. Expected such as"),
        ("4 an hour at 08:00", "an hour, and at a time"),
        ("0 at 08:00", "Expected a count from 1"),
        ("5000001 at 08:00", "Expected a count from 1 to 5,000,000"),
        ("5000000 at 08:00 on Mon; 1 at 09:00 on Mon", "launches are 260,000,052 in 364 days"),
        ("9" * 5000 + " at 08:00", "Expected a count from 1"),
        ("40 at 25:00", "'25:00'. Expected 00:00 to 24:00"),
        ("40 at 24:01", "'24:01'. Expected 00:00 to 24:00"),
        ("40 at 08:60", "'08:60'. Expected 00:00 to 24:00"),
        ("40 at 08:00 on wekdays", "'wekdays'. Did you mean 'weekdays'?"),
        ("40 at 08:00 on Mon-weekends", "'mon-weekends'. Expected such as Mon-Fri"),
        ("5000 an hour", "launches are 43,680,000 in 364 days. Expected at most 5,000,000"),
        (pd.Series([], dtype="datetime64[us]"), "no launch at all"),
        ([], "no launch at all"),
        (40, "launches is 40. Expected such as"),
        (["08:00"], "launches has '08:00'. Expected datetimes"),
        ([MONDAY.date()], "Expected datetimes"),
        ([pd.NaT], "launches has NaT. Expected datetimes"),
        ([np.datetime64("NaT")], "Expected datetimes"),
        (pd.Series([MONDAY, None]), "launches has 1 missing times"),
        (np.array([["2026-01-05"]], dtype="datetime64[s]"), "2 dimensions"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_launches_that_are_none(wrong: Any, says: str) -> None:
    """What says no launches is refused: what was given, and what was expected."""
    with pytest.raises(fl.InputError) as refused:
        fl.right_size(wrong)
    assert says in str(refused.value)


def test_a_pattern_without_a_day() -> None:
    """Days in which the pattern has no launch are refused."""
    with pytest.raises(fl.InputError, match="on Sun': no launch at all"):
        fl.right_size("1 at 08:00 on Sun", days=6)


def test_the_most_launches() -> None:
    """Five million are still taken, and one more is not, in words or as times."""
    assert len(launch_pattern.launch_times("5000000 at 08:00", days=1)) == 5_000_000
    with pytest.raises(fl.InputError, match=r"5,000,001 in 1 days\. Expected at most 5,000,000"):
        launch_pattern.launch_times("5000000 at 08:00; 1 at 09:00", days=1)
    with pytest.raises(fl.InputError, match=r"are 5,000,001\. Expected at most 5,000,000"):
        launch_pattern.launch_times(np.zeros(5_000_001, dtype="datetime64[s]"), days=1)


WEEK = 7 * 86_400


@pytest.mark.parametrize(
    "last",
    [
        {"warm": 1},
        {"warm": 1e-9},
        {"fill_time": WEEK},
        {"fill_time": 1e-6},
        {"max_parallel": 6},
        {"quota": 6},
        {"max_target": 1},
        {"days": 1},
        {"days": 100_000},
        {"spread": WEEK},
        {"spread": 1e-6},
        {"seed": 0},
    ],
    ids=str,
)
def test_the_last_number_that_is_in_range(last: dict[str, Any]) -> None:
    """The ends of each range belong to it."""
    size = fl.right_size("1 at 08:00 on Mon", **{"days": 7, **last})
    assert (size.target, size.max_parallel, size.warm) == (1, 6, 1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"warm": 0}, "warm is 0"),
        ({"warm": 99}, "warm is 99. Expected a share"),
        ({"warm": 1.001}, "warm is 1.001. Expected a share above 0, up to 1"),
        ({"warm": float("nan")}, "warm is nan"),
        ({"warm": "0.9"}, "warm is '0.9'"),
        ({"warm": True}, "warm is True"),
        ({"fill_time": 0}, "fill_time is 0"),
        ({"fill_time": float("inf")}, "fill_time is inf"),
        ({"fill_time": WEEK + 1}, "fill_time is 604801. Expected seconds above 0, up to a week"),
        ({"max_parallel": 5}, "max_parallel is 5. Expected a whole number, 6 or more"),
        ({"max_parallel": 6.5}, "max_parallel is 6.5"),
        ({"quota": 5}, "quota is 5"),
        ({"max_target": 0}, "max_target is 0"),
        ({"days": 0}, "days is 0. Expected a whole number, 1 to 100,000"),
        ({"days": 100_001}, "days is 100001"),
        ({"spread": -1}, "spread is -1"),
        ({"spread": WEEK + 1}, "spread is 604801. Expected seconds, 0 up to a week"),
        ({"seed": -1}, "seed is -1. Expected a whole number, 0 or more"),
        ({"spread": None}, "spread is None. Expected seconds"),
        ({"max_parallel": "6"}, "max_parallel is '6'"),
        ({"seed": True}, "seed is True"),
    ],
    ids=str,
)
def test_numbers_out_of_range(wrong: dict[str, Any], says: str) -> None:
    """A number out of its range is refused by name."""
    with pytest.raises(fl.InputError, match=says):
        fl.right_size("40 at 08:00 on weekdays", **wrong)
