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
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb import emulator
from fastlaunch_nb.pool import launches, played

from .conftest import ACCOUNT, REGION

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
    found: list[float] = (launches.launch_times(pattern, days) / 3.6e9).tolist()
    return found


# --- as the model has it --------------------------------------------------------------


@given(moments, st.lists(st.tuples(targets, parallels), min_size=1, max_size=6), fills)
def test_as_the_model_has_it(times: list[int], pools: list[tuple[int, int]], fill: int) -> None:
    """Law: for every launch the same answer as of a `Pool`, however many are played at once."""
    sizes = np.array(pools)
    seen = played.found(np.array(times), sizes[:, 0], sizes[:, 1], fill)
    assert seen.tolist() == [one_by_one(times, *pool, fill) for pool in pools]


@given(moments, targets, parallels, fills)
def test_in_portions(times: list[int], target: int, max_parallel: int, fill: int) -> None:
    """Law: played in portions, because they are many, it is the same."""
    pools = (np.array([target, 1, target + 1]), np.array([max_parallel, 8, 1]))
    whole = played.found(np.array(times), *pools, fill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(played, "_CELLS", 13)
        patch.setattr(played, "_BLOCK", 3)
        assert (played.found(np.array(times), *pools, fill) == whole).all()


@given(moments, targets, parallels, fills)
def test_more_is_never_worse(times: list[int], target: int, max_parallel: int, fill: int) -> None:
    """Law: a larger target, or more instances, has found as many launches at every moment."""
    pools = (np.array([target, target + 1, target]), np.array([max_parallel, *[max_parallel] * 2]))
    pools[1][2] += 1
    so_far = played.found(np.array(times), *pools, fill).cumsum(axis=1)
    assert (so_far[1:] >= so_far[0]).all()


@given(moments, parallels, fills)
def test_the_target_at_which_all_are_warm(times: list[int], parallel: int, fill: int) -> None:
    """Law: no smaller target has a snapshot for every launch."""
    full = played.full_target(np.array(times), parallel, fill)
    assert all(one_by_one(times, full, parallel, fill))
    assert full == 1 or not all(one_by_one(times, full - 1, parallel, fill))


@pytest.mark.parametrize("seed", range(3))
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
    emulator.CLOCK.advance(hours=12)
    life, took = ec2.lives[AMI], []
    for step in np.diff(times, prepend=0).tolist():
        emulator.CLOCK.advance(seconds=step)
        took.append(life.take())
    foretold = played.found(np.array(times), np.array([size.target]), np.array([6]), 1200)
    assert took == foretold[0].tolist()
    assert (life.pool.used, life.pool.missed) == (60 - size.cold, size.cold)
    assert 0 < size.cold <= 12


# --- the smallest ---------------------------------------------------------------------


@given(moments, st.sampled_from([0.3, 0.5, 0.8, 0.9, 1.0]), fills)
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
    size = fl.right_size("700 at 08:00 on weekdays", warm=0.9, days=20)
    assert (size.target, size.max_parallel, size.launches) == (630, 14, 700 * 15)
    assert (size.curve.target[-1], size.curve.warm[-1]) == (812, 1)  # a day refills 672
    where = size.curve.target.tolist().index(630)
    assert size.curve.target[where - 1] == 629
    assert size.curve.warm[where - 1] < 0.9 <= size.curve.warm[where]
    assert len(size.curve.target) < 70
    assert min(np.diff(size.curve.warm)) >= 0


def test_max_parallel_may_be_given() -> None:
    """With fewer preparation instances it takes more snapshots; what is given is kept."""
    words, options = "30 an hour from 08:00 to 12:00 on weekdays", {"warm": 0.95, "days": 28}
    free = fl.right_size(words, **options)  # type: ignore[arg-type]
    few = fl.right_size(words, max_parallel=6, **options)  # type: ignore[arg-type]
    assert (few.max_parallel, few.target > free.target) == (6, True)
    assert fl.right_size(words, max_parallel=free.max_parallel, **options).target == free.target  # type: ignore[arg-type]
    assert fl.right_size(words, max_parallel=50, **options).max_parallel == 50  # type: ignore[arg-type]


def test_more_instances_than_there_is_work_for() -> None:
    """However many may be at work, it is as if they were as many as are wanted."""
    size = fl.right_size("7 at 08:00", quota=10**12)
    assert (size.target, size.max_parallel) == (7, 6)
    assert fl.right_size("7 at 08:00", max_parallel=10**12).target == 7


def test_what_it_says() -> None:
    """It reads well, and never says 100 % where a launch was cold."""
    size = fl.right_size("20001 at 12:00", warm=0.99995, days=1, max_target=30_000)
    assert repr(size) == (
        "RightSize(target=20000, max_parallel=6: 99.99% of 20,001 launches warm, 1 cold)"
    )
    assert fl.right_size("1 at 08:00", warm=0.1) == fl.right_size("1 at 08:00", warm=0.2)


def test_too_much_to_ask() -> None:
    """Where the pool can not keep up, that is said, with what would help."""
    with pytest.raises(fl.InputError, match=r"With 1,000 snapshots and 40 .* make 80\.0 an hour"):
        fl.right_size("200 an hour daily", days=20)
    with pytest.raises(fl.InputError, match=r"With 9 .*, 90\.00% of launches .* Expected 99\.00%"):
        fl.right_size("10 at 08:00", days=20, max_target=9)


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
    ],
)
def test_patterns(pattern: str, expected: list[float]) -> None:
    """Words say when launches are, from a Monday on, in order."""
    assert hours(pattern) == expected


@given(st.integers(1, 40), st.integers(0, 23), st.integers(1, 24))
def test_so_many_an_hour(count: int, start: int, over: int) -> None:
    """Law: an hour of "10 an hour" has 10 launches."""
    found = hours(f"{count} an hour from {start}:00 to {(start + over) % 24}:00 on Mon")
    full = np.floor(found).astype(int)
    assert np.unique(full, return_counts=True)[1].tolist() == [count] * over
    assert min(full) == start


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
    found = launches.launch_times(times, days=1)
    first = int(MONDAY.timestamp()) * 1_000_000
    assert found.tolist() == [first, first + HOUR * 1_000_000]


def test_a_spread_is_drawn_from_the_seed() -> None:
    """The same seed gives the same result, another seed another; a spread takes fewer snapshots."""

    def size(**options: Any) -> Any:
        return fl.right_size("40 at 08:00 on weekdays", warm=0.9, days=70, **options)

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
        ("9" * 5000 + " at 08:00", "Expected a count from 1"),
        ("40 at 25:00", "'25:00'. Expected 00:00 to 24:00"),
        ("40 at 24:01", "'24:01'. Expected 00:00 to 24:00"),
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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"warm": 0}, "warm is 0"),
        ({"warm": 99}, "warm is 99. Expected a share"),
        ({"warm": float("nan")}, "warm is nan"),
        ({"warm": "0.9"}, "warm is '0.9'"),
        ({"warm": True}, "warm is True"),
        ({"fill_time": 0}, "fill_time is 0"),
        ({"fill_time": float("inf")}, "fill_time is inf"),
        ({"max_parallel": 5}, "max_parallel is 5. Expected a whole number, 6 or more"),
        ({"max_parallel": 6.5}, "max_parallel is 6.5"),
        ({"quota": 5}, "quota is 5"),
        ({"max_target": 0}, "max_target is 0"),
        ({"days": 0}, "days is 0. Expected a whole number, 1 to 100,000"),
        ({"days": 10**9}, "days is 1000000000"),
        ({"spread": -1}, "spread is -1"),
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
