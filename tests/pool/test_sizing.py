"""Tests of right sizing: the smallest pool that is enough, by the model and the emulator."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.pool.fill_time import FillTime
from fastlaunch_nb.pool.model import count_warm_launches
from fastlaunch_nb.pool.sizing import Curve, Holdout, RightSize
from tests.helpers.samples import ACCOUNT, REGION
from tests.pool.test_model import CROWD, fills, launch_times, play_launches

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
    size = fl.right_size("700 at 08:00 on weekdays", min_warm_share=0.9, days=3, fill_time=1800)
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

    def size(**options: Any) -> tuple[int, int]:
        pattern = "30 an hour evenly from 08:00 to 12:00 on weekdays"
        found = fl.right_size(pattern, min_warm_share=0.95, days=7, fill_time=1800, **options)
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
    """By default: 52 weeks, ten minutes for a snapshot, 99 of 100 launches warm, no jitter."""
    size = fl.right_size("100 at 08:00")
    assert (size.launches, size.fill_time) == (364 * 100, 600)
    assert (size.target_count, size.warm_share, size.cold) == (99, 0.99, 364)


@pytest.mark.parametrize(
    ("cold", "launches", "percent"),
    [(1, 20_001, "99.99%"), (0, 20_001, "100.00%"), (1, 2, "50.00%"), (20_001, 20_001, "0.00%")],
)
def test_repr_never_rounds_up_to_100_percent(cold: int, launches: int, percent: str) -> None:
    """A repr reads well, and has 100 % only if no launch is cold."""
    curve = Curve(np.array([1]), np.array([1.0]))
    share, times = (launches - cold) / launches, (1800.0, 1800.0)
    size = RightSize(20_000, 6, share, launches, cold, times[0], curve, times)
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
        fl.right_size("200 an hour evenly", days=1, fill_time=1800)
    with pytest.raises(fl.InputError, match=r"With 1,000 .* prepare 2,400\.0 an hour"):
        fl.right_size("3000 an hour evenly", days=1, fill_time=60)
    with pytest.raises(fl.InputError, match=r"With 9 .*, 90\.00% of launches .* Expected 99\.00%"):
        fl.right_size("10 at 08:00", days=20, max_target=9)
    assert fl.right_size("10 at 08:00", days=20, max_target=9, min_warm_share=0.9).target_count == 9


def test_jitter_depends_on_the_seed() -> None:
    """Equal seeds give equal results, others do not; with jitter fewer snapshots are enough."""

    def size(**options: Any) -> Any:
        pattern = "40 at 08:00 on weekdays"
        return fl.right_size(pattern, min_warm_share=0.9, days=14, fill_time=1800, **options)

    one, same, other = (size(jitter=7_200, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.curve.warm_share.tolist() == same.curve.warm_share.tolist()
    assert not np.array_equal(one.curve.warm_share[:9], other.curve.warm_share[:9])
    assert one.target_count < size().target_count == size(seed=2).target_count == 36


# --- how sure it is -------------------------------------------------------------------


def draw_days(means: list[float], seed: int, hours: int = 24) -> list[datetime]:
    """Return random launches, so many a day on average."""
    draw = np.random.default_rng(seed)
    seconds = [
        day * 86_400 + second
        for day, mean in enumerate(means)
        for second in draw.random(draw.poisson(mean)) * hours * HOUR
    ]
    return datetimes(*sorted(seconds))


def test_an_assumed_fill_time_shows_its_range() -> None:
    """Without a measurement, the targets for 4 and for 30 minutes are part of the result."""
    size = fl.right_size("10 an hour daily")
    assert (size.fill_time_range, size.fill_time_targets) == ((240, 1800), (4, 11))
    assert repr(size).split("\n")[2] == (
        "  fill time 10 min, assumed, not measured; target 4 at 4 min, target 11 at 30 min"
    )
    busy = fl.right_size("200 an hour evenly", days=2)
    assert busy.fill_time_targets is not None
    assert busy.fill_time_targets[1] is None
    assert "no target is enough at 30 min" in repr(busy)


def test_a_given_fill_time_is_certain() -> None:
    """Seconds that a user gives have no range, also if they are those of the default."""
    size = fl.right_size("10 at 08:00", fill_time=600, days=1)
    assert (size.fill_time_range, size.fill_time_targets) == ((600, 600), None)
    assert "fill time" not in repr(size)


def test_a_fill_time_may_be_measured() -> None:
    """A frame of metrics, or what was measured from one, gives the fill time and its range."""
    metrics = {"time": datetimes(0, 300), "period": 300, "snapshot_creation_time": [400.0, 500.0]}
    size = fl.right_size("10 an hour", fill_time=pd.DataFrame(metrics), days=30)
    assert (size.fill_time, size.fill_time_range) == (450, (410, 490))
    assert size.fill_time_source == "measured: CloudWatch's creation times in 2 periods"
    assert size == fl.right_size("10 an hour", fill_time=FillTime(450, 410, 490, ""), days=30)
    assert "fill time 7.5 min, measured: " in repr(size)
    exact = fl.right_size("10 an hour", fill_time=FillTime(450, 450, 450, "measured: x"), days=30)
    assert exact.fill_time_targets is None
    assert repr(exact).endswith("\n  fill time 7.5 min, measured: x")


def test_an_exact_pattern_has_no_interval() -> None:
    """Where nothing is random, nothing is uncertain; with jitter something is."""
    exact = fl.right_size("10 at 08:00", days=30)
    assert (exact.warm_share_range, exact.target_range, exact.band) == (None, None, None)
    assert fl.right_size("10 at 08:00", days=30, jitter=900).target_range is not None


def test_a_random_pattern_has_an_interval() -> None:
    """The interval has the share and the target; its band follows the curve."""
    size = fl.right_size("40 from 08:00 to 10:00 on weekdays", min_warm_share=0.95, days=60)
    assert size.warm_share_range is not None
    assert size.target_range is not None
    assert size.band is not None
    assert size.warm_share_range.low < size.warm_share < size.warm_share_range.high
    assert size.target_range[0] <= size.target_count <= size.target_range[1]
    assert set(size.band.low <= size.curve.warm_share) == {True}
    assert set(size.band.high >= size.curve.warm_share - 1e-12) == {True}
    index = size.curve.target_count.tolist().index(size.target_count)
    assert (size.band.low[index], size.band.high[index]) == size.warm_share_range


@pytest.mark.parametrize(("days", "is_there"), [(4, False), (5, True)])
def test_an_interval_needs_five_days(days: int, is_there: bool) -> None:
    """Five days with launches give an interval, four do not."""
    size = fl.right_size(draw_days([30] * days, seed=0))
    assert (size.target_range is not None) is is_there


def test_fewer_days_are_less_sure() -> None:
    """The interval of the share shrinks with the days."""

    def width(days: int) -> float:
        interval = fl.right_size("60 from 08:00 to 10:00", min_warm_share=0.9, days=days)
        assert interval.warm_share_range is not None
        return interval.warm_share_range.high - interval.warm_share_range.low

    assert width(7) > 1.5 * width(28) > 2 * width(112)


@pytest.mark.parametrize(("days", "warns"), [(13, True), (14, False)])
def test_few_days_give_a_warning(days: int, warns: bool) -> None:
    """Fewer than two weeks of real launches give a warning."""
    size = fl.right_size(draw_days([30] * days, seed=0))
    assert (f"Only {days} days: other weeks may differ." in size.warnings) is warns
    assert (f"Caution: Only {days} days" in repr(size)) is warns


@pytest.mark.parametrize(
    ("launches", "share", "warns"),
    [(99, 0.99, True), (100, 0.99, False), (99, 0.9, False), (999, 1, True), (1000, 1, False)],
)
def test_few_launches_give_a_warning(launches: int, share: float, warns: bool) -> None:
    """A share of 99 % cannot be judged by fewer than 100 launches."""
    times = datetimes(*[(n % 20) * 86_400 + n for n in range(launches)])
    size = fl.right_size(times, min_warm_share=share)
    assert any(f"Only {launches} launches" in text for text in ["", *size.warnings]) is warns


def test_a_trend_gives_a_warning() -> None:
    """Launches that double over the days give a warning, steady ones do not."""
    rising = fl.right_size(draw_days([20 + n for n in range(28)], seed=0))
    assert ["have a trend" in text for text in rising.warnings] == [True]
    assert fl.right_size(draw_days([30] * 28, seed=0)).warnings == ()


@pytest.mark.parametrize(("days", "is_checked"), [(11, False), (12, True)])
def test_the_last_third_checks_the_target(days: int, is_checked: bool) -> None:
    """From twelve days on, the target of the earlier days is played with the last third."""
    size = fl.right_size(datetimes(*[day * 86_400 for day in range(days) for _ in range(9)]))
    assert size.holdout == (Holdout(9, 1.0, 4, 36) if is_checked else None)


def test_a_holdout_check_shows_what_changed() -> None:
    """If the later days are busier, their share with the target of the earlier days is lower."""
    counts = [10] * 8 + [20] * 4
    times = datetimes(*[day * 86_400 for day, count in enumerate(counts) for _ in range(count)])
    size = fl.right_size(times)
    assert size.target_count == 20
    assert size.holdout == Holdout(10, 0.5, 4, 80)
    assert (
        "held-out check: the earlier days need target 10, with which 50.00% of the last 4 days"
    ) in repr(size)


def test_a_pattern_needs_no_check() -> None:
    """A pattern is no sample: no check, and no warning, however short it is."""
    size = fl.right_size("2 an hour", days=13)
    assert (size.holdout, size.warnings) == (None, ())


@pytest.mark.deep
def test_intervals_cover_the_truth() -> None:
    """Of 60 samples of 14 days, at least 50 have an interval with the target of a long time."""

    def draw(days: int, seed: int) -> list[datetime]:
        """Return launches of days that differ: each has a busy hour of its own strength."""
        rng = np.random.default_rng(seed)
        seconds = [
            day * 86_400 + second
            for day, mean in enumerate(rng.gamma(4, 10, days))
            for second in rng.random(rng.poisson(mean)) * HOUR
        ]
        return datetimes(*sorted(seconds))

    truth = fl.right_size(draw(3_000, 0), min_warm_share=0.95).target_count
    ranges = [fl.right_size(draw(14, seed), min_warm_share=0.95) for seed in range(1, 61)]
    targets = [size.target_range for size in ranges if size.target_range]
    assert sum(low <= truth <= high for low, high in targets) >= 50
    assert len({size.target_count for size in ranges}) > 5


# --- sums by period -------------------------------------------------------------------


def make_sums(*counts: int, period: int = HOUR) -> pd.DataFrame:
    """Return launches of which only the sum of each period is known."""
    frame = pd.DataFrame({"time": datetimes(*[period * n for n in range(len(counts))])})
    frame["end"] = frame["time"] + timedelta(seconds=period)
    return frame.loc[np.repeat(np.arange(len(counts)), counts)]


def test_sums_of_two_periods_may_come_together() -> None:
    """Ten and ten launches around a full hour may be twenty at once: the sum does not know."""
    size = fl.right_size(make_sums(0, 0, 10, 10, 0), fill_time=1800)
    assert size.target_count == 20
    assert size.target_if_spread is not None
    assert 5 <= size.target_if_spread < 20
    assert size.warnings[0].startswith("The launches are sums by period, which lose their times")
    assert f"{size.target_if_spread} would do if they are spread at random" in repr(size)


@pytest.mark.parametrize(
    ("counts", "target"), [((10,), 10), ((10, 0, 10), 10), ((10, 10, 10), 20), ((3, 9, 5, 8), 14)]
)
def test_only_neighbours_come_together(counts: tuple[int, ...], target: int) -> None:
    """If a snapshot takes less than a period, two periods in a row may come together at once."""
    assert (
        fl.right_size(make_sums(*counts), fill_time=1800, min_warm_share=1).target_count == target
    )


@pytest.mark.parametrize(
    ("fill_time", "target"),
    [(299, 20), (300.000001, 20), (300.000002, 30), (600, 30), (601, 40), (3600, 40)],
)
def test_longer_fill_times_touch_more_periods(fill_time: float, target: int) -> None:
    """Of periods of 5 minutes, 10 minutes of filling touch three; here are four in all.

    From the last microsecond of one to the start of the next but one are 5 minutes and one.
    """
    sums = make_sums(0, 10, 10, 10, 10, period=300)
    assert fl.right_size(sums, fill_time=fill_time, min_warm_share=1).target_count == target


@given(
    st.lists(st.integers(0, 3_000), min_size=1, max_size=40),
    st.sampled_from([60, 300, 700]),
    st.sampled_from([30, 300, 650, 1_800]),
)
@example([290, 299, 300, 301, 599, 600], 300, 310)
@example(list(range(0, 3_000, 75)), 60, 1_800)
def test_sums_never_need_less_than_their_launches(
    seconds: list[int], period: int, fill_time: int
) -> None:
    """Law: launches whose times are lost need no fewer snapshots than with their times."""
    counts = np.bincount(np.array(seconds) // period)
    options: dict[str, Any] = {"fill_time": fill_time, "min_warm_share": 1}
    sums = fl.right_size(make_sums(*counts.tolist(), period=period), **options)
    assert sums.target_count >= fl.right_size(datetimes(*seconds), **options).target_count
    assert sums.target_count >= (sums.target_if_spread or 0)


def test_exact_times_need_no_second_reading() -> None:
    """Launches with exact times have neither the other target nor the warning."""
    size = fl.right_size(datetimes(0, 5, 9))
    assert size.target_if_spread is None
    assert not any("sums" in text for text in ["", *size.warnings])


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
