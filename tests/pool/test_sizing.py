"""Tests of right sizing: the smallest pool that is enough, by the model and the emulator."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.pool import sizing
from fastlaunch_nb.pool.model import count_warm_launches
from fastlaunch_nb.pool.sizing import Curve, RightSize
from tests.helpers.samples import ACCOUNT, REGION
from tests.pool.test_model import CROWD, fills, launch_times, parallels, play_launches

AMI = "ami-0123456789abcdef0"
HOUR = 3_600
WEEK = 7 * 86_400
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def datetimes(*seconds: float) -> list[datetime]:
    """Return times so many seconds after a Monday."""
    return [MONDAY + timedelta(seconds=second) for second in seconds]


# --- the smallest ---------------------------------------------------------------------


@given(
    launch_times, st.sampled_from([0.3, 0.5, 0.8, 0.9, 1.0]), fills, st.none() | st.integers(6, 8)
)
@example([0, 0], 0.5, 60, None)
@example(CROWD, 0.8, 10, None)
@example([0] * 30 + [60] * 30, 0.75, 10, None)
@example([0] * 30 + [60] * 30, 0.75, 10, 7)
def test_no_smaller_pool_is_enough(
    times: list[int], min_warm_share: float, fill: int, max_parallel: int | None
) -> None:
    """Law: event by event, no smaller target is enough, and no fewer instances for that target."""

    def share(target: int, parallel: int) -> float:
        warm = play_launches(times, target, parallel, fill)
        return sum(warm) / len(warm)

    size = fl.right_size(
        datetimes(*times),
        min_warm_share=min_warm_share,
        fill_time=fill,
        max_parallel=max_parallel,
        quota=9,
    )
    most = max_parallel or 9
    enough = (n for n in itertools.count(1) if share(n, most) >= min_warm_share)
    assert size.target_count == next(enough)
    fewest = (n for n in range(6, 10) if share(size.target_count, n) >= min_warm_share)
    assert size.max_parallel == (max_parallel or next(fewest))
    assert size.warm_share == share(size.target_count, size.max_parallel) >= min_warm_share
    assert size.cold == round((1 - size.warm_share) * size.launches)
    for target, warm_share in zip(*size.curve, strict=True):
        assert warm_share == share(int(target), size.max_parallel)


@given(launch_times, st.integers(1, 12), parallels, fills)
@example(CROWD, 5, 2, 10)
@example(CROWD * 2, 3, 10, 10)
@example([0, 10], 1, 1, 10)
@example([0, 9], 1, 1, 10)
@example(list(range(0, 60, 2)), 12, 1, 40)
def test_stretches_are_the_launches(
    times: list[int], target: int, parallel: int, fill: int
) -> None:
    """Law: stretch by stretch, as many launches are cold as in one pool; none at the top target."""
    pools = sizing._Pools(np.array(sorted(times)) * 1_000_000, fill, max_target=10**6)
    cold = play_launches(sorted(times), target, parallel, fill).count(False)
    assert pools.count_cold(target, parallel) == cold
    top = pools.top_target(parallel)
    assert all(play_launches(sorted(times), top, parallel, fill))
    assert top == 1 or not all(play_launches(sorted(times), top - 1, parallel, fill))


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.deep) for n in (1, 2))])
def test_the_emulator_matches_the_size(ec2: Any, seed: int) -> None:
    """Launch by launch, the emulator has a snapshot exactly where the model has one."""
    draw = random.Random(seed)
    times = sorted(draw.choices(range(0, 4 * HOUR, 60), k=60))
    ec2.add_windows_image(AMI, name="an image", owner_id=ACCOUNT)
    size = fl.right_size(datetimes(*times), min_warm_share=0.8, fill_time=1200, max_parallel=6)
    ec2.pace.preparation = timedelta(seconds=1200)
    client = boto3.client(
        "ec2", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.enable_fast_launch(
        ImageId=AMI,
        MaxParallelLaunches=6,
        SnapshotConfiguration={"TargetResourceCount": size.target_count},
    )
    CLOCK.advance(hours=12)
    life, warm = ec2.lives[AMI], []
    for step in np.diff(times, prepend=0).tolist():
        CLOCK.advance(seconds=step)
        warm.append(life.launch() is not None)
    assert warm == play_launches(times, size.target_count, 6, 1200)
    assert count_warm_launches(times, size.target_count, 6, 1200) == sum(warm) == 60 - size.cold
    assert (life.pool.used, life.pool.missed) == (60 - size.cold, size.cold)
    assert 0 < size.cold <= 12


def test_the_smallest_of_hundreds_is_found() -> None:
    """The smallest of hundreds of targets is found, and the curve has it and the one below."""
    size = fl.right_size("700 at 08:00 on weekdays", min_warm_share=0.9, days=3)
    assert (size.target_count, size.max_parallel, size.launches, size.cold) == (630, 14, 2100, 210)
    assert (size.curve.target_count[-1], size.curve.warm_share[-1]) == (756, 1)  # a day refills 672
    index = size.curve.target_count.tolist().index(630)
    assert size.curve.target_count[index - 1] == 629
    assert size.curve.warm_share[index - 1] < 0.9 <= size.curve.warm_share[index]
    evenly_apart = {756 * number // 65 for number in range(1, 65)}
    assert set(size.curve.target_count.tolist()) == {*evenly_apart, 629, 630, 756}
    assert min(np.diff(size.curve.warm_share)) >= 0


@pytest.mark.parametrize("launches", [1, 2, 64])
def test_a_small_curve_is_whole(launches: int) -> None:
    """A curve of up to 64 targets has all of them."""
    size = fl.right_size(f"{launches} at 08:00", min_warm_share=0.5, days=1)
    assert size.target_count == -(-launches // 2)
    assert size.curve.target_count.tolist() == [*range(1, launches + 1)]
    assert size.curve.warm_share.tolist() == [n / launches for n in range(1, launches + 1)]


def test_max_parallel_may_be_given() -> None:
    """Fewer preparation instances need more snapshots; a number that is given stays."""

    def size(**options: int) -> tuple[int, int]:
        pattern = "30 an hour from 08:00 to 12:00 on weekdays"
        found = fl.right_size(pattern, min_warm_share=0.95, days=7, **options)
        return found.target_count, found.max_parallel

    assert size() == (15, 15)
    assert size(max_parallel=6) == (72, 6)
    assert size(max_parallel=15) == (15, 15)
    assert size(max_parallel=50) == (15, 50)
    assert size(quota=6) == (72, 6)


def test_more_instances_than_snapshots_change_nothing() -> None:
    """More instances than the target never run, however many may."""
    size = fl.right_size("7 at 08:00", quota=10**12)
    assert (size.target_count, size.max_parallel) == (7, 6)
    assert fl.right_size("7 at 08:00", max_parallel=10**12).target_count == 7


def test_defaults() -> None:
    """By default: 52 weeks, half an hour for a snapshot, 99 of 100 launches warm, no jitter."""
    size = fl.right_size("100 at 08:00")
    assert (size.launches, size.fill_time) == (364 * 100, 1800)
    assert (size.target_count, size.warm_share, size.cold) == (99, 0.99, 364)


@pytest.mark.parametrize(
    ("cold", "launches", "percent"),
    [(1, 20_001, "99.99%"), (0, 20_001, "100.00%"), (1, 2, "50.00%"), (20_001, 20_001, "0.00%")],
)
def test_repr_never_rounds_up_to_100_percent(cold: int, launches: int, percent: str) -> None:
    """A repr reads well, and has 100 % only if no launch is cold."""
    curve = Curve(np.array([1]), np.array([1.0]))
    size = RightSize(20_000, 6, (launches - cold) / launches, launches, cold, 1800.0, curve)
    assert repr(size) == (
        f"RightSize(target_count=20000, max_parallel=6: {percent} of {launches:,} launches warm, "
        f"{cold:,} cold)"
    )


def test_equal_sizes_are_equal() -> None:
    """Two results are equal if they recommend and achieve the same."""
    one, other = (fl.right_size("1 at 08:00", min_warm_share=share) for share in (0.1, 0.2))
    assert one == other


def test_an_unreachable_share_is_refused() -> None:
    """If no pool can keep up, the error says so, and what would help."""
    with pytest.raises(fl.InputError, match=r"With 1,000 snapshots and 40 .* 80\.0 an hour"):
        fl.right_size("200 an hour daily", days=1)
    with pytest.raises(fl.InputError, match=r"With 1,000 .* prepare 2,400\.0 an hour"):
        fl.right_size("3000 an hour daily", days=1, fill_time=60)
    with pytest.raises(fl.InputError, match=r"With 9 .*, 90\.00% of launches .* Expected 99\.00%"):
        fl.right_size("10 at 08:00", days=20, max_target=9)
    assert fl.right_size("10 at 08:00", days=20, max_target=9, min_warm_share=0.9).target_count == 9


def test_jitter_covers_its_whole_range() -> None:
    """A delay is between 0 and the jitter, both included; each microsecond may be drawn."""
    delayed = sizing._add_jitter(np.zeros(1_000, dtype=np.int64), 3e-6, seed=0)
    assert set(delayed.tolist()) == {0, 1, 2, 3}
    assert sizing._add_jitter(np.array([5]), 0, seed=0).tolist() == [5]


def test_jitter_depends_on_the_seed() -> None:
    """Equal seeds give equal results, others do not; with jitter fewer snapshots are enough."""

    def size(**options: Any) -> Any:
        pattern = "40 at 08:00 on weekdays"
        return fl.right_size(pattern, min_warm_share=0.9, days=14, **options)

    one, same, other = (size(jitter=7_200, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.curve.warm_share.tolist() == same.curve.warm_share.tolist()
    assert not np.array_equal(one.curve.warm_share[:9], other.curve.warm_share[:9])
    assert one.target_count < size().target_count == size(seed=2).target_count == 36


# --- invalid numbers ------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [
        {"min_warm_share": 1},
        {"min_warm_share": 1e-9},
        {"fill_time": WEEK},
        {"fill_time": 1e-6},
        {"max_parallel": 6},
        {"quota": 6},
        {"max_target": 1},
        {"days": 1},
        {"days": 100_000},
        {"jitter": WEEK},
        {"jitter": 1e-6},
        {"seed": 0},
    ],
    ids=str,
)
def test_ranges_include_their_limits(limit: dict[str, Any]) -> None:
    """The ends of each range belong to it."""
    size = fl.right_size("1 at 08:00 on Mon", **{"days": 7, **limit})
    assert (size.target_count, size.max_parallel, size.warm_share) == (1, 6, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_warm_share": 0}, "min_warm_share is 0"),
        ({"min_warm_share": 99}, "min_warm_share is 99. Expected a share"),
        ({"min_warm_share": 1.001}, "min_warm_share is 1.001. Expected a share above 0, up to 1"),
        ({"min_warm_share": float("nan")}, "min_warm_share is nan"),
        ({"min_warm_share": "0.9"}, "min_warm_share is '0.9'"),
        ({"min_warm_share": True}, "min_warm_share is True"),
        ({"fill_time": 0}, "fill_time is 0"),
        ({"fill_time": float("inf")}, "fill_time is inf"),
        ({"fill_time": WEEK + 1}, "fill_time is 604801. Expected seconds above 0, up to a week"),
        ({"max_parallel": 5}, "max_parallel is 5. Expected a whole number of 6 or more"),
        ({"max_parallel": 6.5}, "max_parallel is 6.5"),
        ({"quota": 5}, "quota is 5"),
        ({"max_target": 0}, "max_target is 0"),
        ({"days": 0}, "days is 0. Expected a whole number from 1 to 100000"),
        ({"days": 100_001}, "days is 100001"),
        ({"jitter": -1}, "jitter is -1"),
        ({"jitter": WEEK + 1}, "jitter is 604801. Expected seconds, 0 up to a week"),
        ({"seed": -1}, "seed is -1. Expected a whole number of 0 or more"),
        ({"jitter": None}, "jitter is None. Expected seconds"),
        ({"max_parallel": "6"}, "max_parallel is '6'"),
        ({"seed": True}, "seed is True"),
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    """The error names the number that is out of its range."""
    with pytest.raises(fl.InputError, match=message):
        fl.right_size("40 at 08:00 on weekdays", **wrong)


# --- old names ------------------------------------------------------------------------

OLD_ARGUMENTS = [("warm", "min_warm_share", 0.5), ("spread", "jitter", 60.0)]


@pytest.mark.parametrize(("old", "new", "value"), OLD_ARGUMENTS)
def test_old_arguments_work_with_a_warning(old: str, new: str, value: float) -> None:
    """An old argument gives what the new one gives, and warns at the line of the call."""
    message = rf"right_size\({old}=\) is now right_size\({new}=\)"
    with pytest.warns(DeprecationWarning, match=message) as warned:
        size = fl.right_size("40 at 08:00", **{old: value})  # type: ignore[arg-type]
    assert [warning.filename for warning in warned] == [__file__]
    assert size == fl.right_size("40 at 08:00", **{new: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("old", "new", "value"), OLD_ARGUMENTS)
def test_an_old_and_a_new_argument_are_refused(old: str, new: str, value: float) -> None:
    """An argument under both of its names is refused, even if the values are equal."""
    with pytest.raises(fl.InputError, match=f"{old} is now {new}. Expected {new} alone"):
        fl.right_size("40 at 08:00", **{old: value, new: value})  # type: ignore[arg-type]


def test_an_unknown_argument_is_a_type_error() -> None:
    """Arguments that never existed are refused as Python refuses them."""
    with pytest.raises(TypeError, match="hot"):
        fl.right_size("40 at 08:00", hot=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(("old", "new"), [("target", "target_count"), ("warm", "warm_share")])
def test_old_attributes_work_with_a_warning(old: str, new: str) -> None:
    """An old attribute of a size or a curve has the value of the new one, and warns."""
    size = fl.right_size("4 at 08:00", days=1)
    for result in (size, size.curve):
        message = f"{type(result).__name__}.{old} is now {type(result).__name__}.{new}"
        with pytest.warns(DeprecationWarning, match=message) as warned:
            value = getattr(result, old)
        assert [warning.filename for warning in warned] == [__file__]
        assert np.array_equal(value, getattr(result, new))
