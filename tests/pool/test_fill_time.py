"""Tests of the fill time: assumed, given, and measured in three ways."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.metric_samples import CREATION, REFILL, STOCK
from fastlaunch_nb.pool.fill_time import (
    ASSUMED,
    DEFAULT_FILL_TIME,
    FILL_TIME_RANGE,
    FillTime,
    measure_fill_time,
    parse_fill_time,
)
from tests.helpers.samples import ACCOUNT, REGION

AMI = "ami-0123456789abcdef0"
START = pd.Timestamp("2026-01-05T08:00Z")
IMAGE = {"account_id": ACCOUNT, "region": REGION, "image_id": AMI}


def make_metrics(period: int = 300, **columns: list[Any]) -> pd.DataFrame:
    """Return metrics of one image, period by period."""
    length = max(map(len, columns.values()))
    times = [START + pd.Timedelta(seconds=period * n) for n in range(length)]
    return pd.DataFrame({**IMAGE, "time": times, "period": period, **columns})


def play_emulator(ec2: Any, fill_time: int, *, minutes: list[int]) -> pd.DataFrame:
    """Return the metrics of an emulated image with launches in these minutes."""
    ec2.add_windows_image(AMI, name="an image", owner_id=ACCOUNT)
    ec2.pace.preparation = timedelta(seconds=fill_time)
    client = boto3.client(
        "ec2", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.enable_fast_launch(
        ImageId=AMI, MaxParallelLaunches=6, SnapshotConfiguration={"TargetResourceCount": 6}
    )
    CLOCK.advance(hours=12)
    start = CLOCK.now().timestamp()
    for before, minute in zip([0, *minutes], minutes, strict=False):
        CLOCK.advance(minutes=minute - before, seconds=1)
        ec2.lives[AMI].launch()
    CLOCK.advance(hours=2)
    columns = {
        "available_snapshots": (STOCK, "Minimum"),
        "refill_start_time": (REFILL, "Average"),
        "snapshot_creation_time": (CREATION, "Average"),
    }
    points = {
        (name, point.time): point.statistic(statistic)
        for name, (metric, statistic) in columns.items()
        for point in ec2.meters[AMI].compute_points(metric, start, CLOCK.now().timestamp())
    }
    frame = pd.Series(points).unstack(0).rename_axis("time").reset_index()
    times = pd.to_datetime(frame["time"], unit="s", utc=True)
    return frame.assign(**IMAGE, time=times, period=300)


# --- the emulator ---------------------------------------------------------------------


@pytest.mark.parametrize("fill_time", [300, 480, 1500])
def test_the_fill_time_of_the_emulator_is_found(ec2: Any, fill_time: int) -> None:
    """The creation times that CloudWatch has give the fill time of the emulator exactly."""
    metrics = play_emulator(ec2, fill_time, minutes=[10, 200, 201, 400])
    measured = measure_fill_time(metrics)
    assert measured[:3] == (fill_time, fill_time, fill_time)
    assert measured.source.startswith("measured: CloudWatch's creation times in ")


@pytest.mark.parametrize("fill_time", [300, 480, 1500])
def test_the_stock_of_the_emulator_shows_the_fill_time(ec2: Any, fill_time: int) -> None:
    """Without creation times, falls and rises of the stock give it within half a period."""
    draw = random.Random(0)
    minutes = [60 * n + draw.randrange(20) for n in range(1, 60)]
    metrics = play_emulator(ec2, fill_time, minutes=minutes).drop(columns="snapshot_creation_time")
    measured = measure_fill_time(metrics)
    assert measured.seconds == pytest.approx(fill_time, abs=75)
    assert measured.low <= fill_time <= measured.high
    assert measured.source == "measured: 59 refills of CloudWatch's stock"


# --- creation times -------------------------------------------------------------------


def test_creation_times_have_a_range() -> None:
    """The middle one counts, with the range of all but the most extreme tenths."""
    values = [400.0 + n for n in range(101)]
    measured = measure_fill_time(make_metrics(snapshot_creation_time=values))
    assert measured == FillTime(
        450, 410, 490, "measured: CloudWatch's creation times in 101 periods"
    )


@pytest.mark.parametrize(
    ("value", "is_used"),
    [(29.9, False), (30.0, True), (1800.0, True), (1800.1, False), (1.77e9, False), (None, False)],
)
def test_creation_times_that_are_no_durations_are_ignored(value: float, is_used: bool) -> None:
    """A value that is no preparation's duration in seconds is not used: it is something else."""
    measured = measure_fill_time(make_metrics(snapshot_creation_time=[value]))
    assert measured == (FillTime(value, value, value, measured.source) if is_used else ASSUMED)


def test_the_shortest_delay_counts() -> None:
    """The shortest delay before a preparation is part of the fill time; longer ones are waits."""
    metrics = make_metrics(
        snapshot_creation_time=[300.0, 300.0, 300.0], refill_start_time=[20.0, 900.0, 1.77e9]
    )
    assert measure_fill_time(metrics).seconds == 320
    assert measure_fill_time(metrics.tail(1)).seconds == 300


# --- the stock ------------------------------------------------------------------------


def measure_stock(*stock: float | None, period: int = 300) -> FillTime:
    """Return what a stock gives, period by period."""
    return measure_fill_time(make_metrics(period, available_snapshots=list(stock)))


def test_a_refill_is_from_a_fall_to_the_next_rise() -> None:
    """The stock falls in one period, and shows the rise three periods later: 10 minutes."""
    measured = measure_stock(5, 4, 4, 5)
    assert measured == FillTime(300, 30, 600, "measured: 1 refill of CloudWatch's stock")
    assert measure_stock(5, 3, 2, 2, 3, 4, 5).seconds == 600
    assert measure_stock(5, 4, 4, 5, 5, 4, 4, 4, 5).seconds == 450


@pytest.mark.parametrize(
    "stock",
    [
        (5, 4, 4, 4),
        (5, 5, 5, 5),
        (5, 4, None, 5),
        (5, None, 4, 5),
        (4, 3, 3, 4, 4, 4, 5),
        (5, 4, *[4] * 7, 5),
    ],
    ids=["no rise", "no fall", "gap", "gap before", "not full", "beyond EC2's limit"],
)
def test_a_stock_without_a_clear_refill_measures_nothing(stock: tuple[float | None, ...]) -> None:
    """Without a fall of a full stock and a rise after it, nothing is measured."""
    assert measure_stock(*stock) == ASSUMED


def test_long_periods_show_no_refill() -> None:
    """Periods of ten minutes show refills, longer ones do not."""
    assert measure_stock(5, 4, 4, 5, period=600).seconds == 600
    assert measure_stock(5, 4, 4, 5, period=660) == ASSUMED


def test_images_are_measured_apart() -> None:
    """A fall of one image and a rise of another are no refill."""
    one = make_metrics(available_snapshots=[5, 4, 4])
    other = make_metrics(available_snapshots=[2, 2, 5]).assign(image_id="ami-0123456789abcdef1")
    assert measure_fill_time(pd.concat([one, other])) == ASSUMED


# --- snapshots ------------------------------------------------------------------------


def make_start(*seconds: float, exact: bool = True, state: str = "enabling") -> tuple[Any, Any]:
    """Return an interval, and snapshots that start so many seconds after it."""
    intervals = pd.DataFrame([{**IMAGE, "state": state, "start": START, "start_exact": exact}])
    rows = [{**IMAGE, "snapshot_time": START + pd.Timedelta(seconds=n)} for n in seconds]
    return pd.DataFrame(rows), intervals


def test_the_first_snapshot_after_enabling_measures() -> None:
    """The time from enabling to the start of the first snapshot counts."""
    snapshots, intervals = make_start(-60, 500, 900)
    measured = measure_fill_time(snapshots=snapshots, intervals=intervals)
    assert measured == FillTime(
        500, 500, 500, "measured: from enabling to the first snapshot, 1 times"
    )
    metrics = make_metrics(snapshot_creation_time=[400.0])
    assert measure_fill_time(metrics, snapshots=snapshots, intervals=intervals).seconds == 400


@pytest.mark.parametrize(
    ("seconds", "options"),
    [(1801, {}), (500, {"exact": False}), (500, {"state": "enabled"}), (-1, {})],
    ids=str,
)
def test_a_start_that_is_not_known_measures_nothing(seconds: int, options: dict[str, Any]) -> None:
    """Without the exact time of enabling, or without a snapshot in time, nothing is measured."""
    snapshots, intervals = make_start(seconds, **options)
    assert measure_fill_time(snapshots=snapshots, intervals=intervals) == ASSUMED


# --- arguments ------------------------------------------------------------------------


def test_without_a_measurement_it_is_ten_minutes() -> None:
    """The assumed fill time is 10 minutes, with the range from 4 to 30."""
    assert measure_fill_time() == parse_fill_time(None) == ASSUMED
    assert ASSUMED[:3] == (DEFAULT_FILL_TIME, *FILL_TIME_RANGE) == (600, 240, 1800)


def test_a_given_fill_time_has_no_range() -> None:
    """Seconds that a user gives are certain; a measured fill time passes as it is."""
    assert parse_fill_time(60) == FillTime(60, 60, 60, "given")
    measured = FillTime(300, 200, 400, "measured")
    assert parse_fill_time(measured) == measured


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": 600}, "metrics is no DataFrame. .* Got a int"),
        ({"metrics": pd.DataFrame({"time": []})}, "metrics lacks the columns period"),
        ({"snapshots": make_start(1)[0]}, "snapshots come without intervals"),
        (
            {"snapshots": make_start(1)[0], "intervals": pd.DataFrame({"state": []})},
            "intervals lacks the columns account_id, region, image_id, start, start_exact",
        ),
        (
            {"snapshots": pd.DataFrame({"region": []}), "intervals": make_start(1)[1]},
            "snapshots lacks the columns account_id, image_id, snapshot_time",
        ),
    ],
)
def test_frames_that_measure_nothing_are_refused(arguments: dict[str, Any], message: str) -> None:
    """The error names the frame and what it lacks."""
    with pytest.raises(fl.InputError, match=message):
        measure_fill_time(**arguments)


@pytest.mark.parametrize(
    "wrong", [FillTime(300, 400, 500, "x"), FillTime(0, 0, 0, "x"), "600", 0, 604_801], ids=str
)
def test_an_impossible_fill_time_is_refused(wrong: Any) -> None:
    """The error names the fill time."""
    with pytest.raises(fl.InputError, match="fill_time"):
        parse_fill_time(wrong)
