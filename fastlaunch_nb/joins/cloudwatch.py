"""What CloudWatch has of one account and region: the numbers of each image, period by period.

Under which dimension it keeps an image is not documented, so it is found out: a
series is an image's if a value of its dimensions is the image's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.errors import InputError, ReadError
from fastlaunch_nb.joins.queries import AccountRegion, Row, answered_at, batches
from fastlaunch_nb.validation import parse_duration

STOCK, FAST, COLD = "available_snapshots", "fast_launches", "cold_launches"
_METRICS: Mapping[str, tuple[str, str]] = {  # column to CloudWatch's metric and statistic
    STOCK: ("NumberOfAvailableFastLaunchSnapshots", "Minimum"),
    FAST: ("NumberOfInstancesFastLaunched", "Sum"),
    COLD: ("NumberOfInstancesNotFastLaunched", "Sum"),
    "refill_start_time": ("FastLaunchSnapshotUsedToRefillStartTime", "Average"),
    "snapshot_creation_time": ("FastLaunchSnapshotCreationTime", "Average"),
}
ALL: Final = tuple(_METRICS)
_NAMESPACE = "AWS/EC2"
_QUERIES = 500  # of GetMetricData, at most
_KEPT = (  # how old numbers may be, and how fine they then are, at best (CloudWatch User Guide)
    (pd.Timedelta(days=15), pd.Timedelta(minutes=1)),
    (pd.Timedelta(days=63), pd.Timedelta(minutes=5)),
    (pd.Timedelta(days=455), pd.Timedelta(hours=1)),
)
_HOUR, _FINE, _FINE_FOR = pd.Timedelta(hours=1), pd.Timedelta(minutes=15), pd.Timedelta(days=14)


class MetricQuery(NamedTuple):
    """What is wanted of CloudWatch: how far back, and each column in which periods."""

    window: pd.Timedelta
    periods: Mapping[str, pd.Timedelta]


class _Series(NamedTuple):
    """One metric of one image."""

    column: str
    image_id: str
    metric: Mapping[str, Any]  # as CloudWatch names it


_Cell: TypeAlias = tuple[str, pd.Timestamp, int]


def metric_query(name: str, window: object, period: object) -> MetricQuery:
    """Return what every column is wanted in; refuse what CloudWatch does not keep."""
    period = _duration("period", period, "1 hour")
    span = _duration(name, window, "14 days")
    finest = next((finest for age, finest in _KEPT if span <= age), None)
    if finest is None:
        raise InputError(f"{name} is {window!r}. CloudWatch keeps numbers for 455 days.")
    if period % finest:
        raise InputError(
            f"period is {period}. CloudWatch keeps numbers that are {span} old for periods of "
            f"{finest}: expected that, or a multiple."
        )
    return MetricQuery(span, dict.fromkeys(ALL, period))


def summary(name: str, window: object) -> MetricQuery:
    """Return what is wanted to sum up a window: the stock as fine as is cheap, launches by hour."""
    span = metric_query(name, window, _HOUR).window
    stock = _FINE if span <= _FINE_FOR else _HOUR
    return MetricQuery(span, {STOCK: stock, FAST: _HOUR, COLD: _HOUR})


def _duration(name: str, value: object, example: str) -> pd.Timedelta:
    found = parse_duration(name, value, example, least=pd.Timedelta(minutes=1))
    if found is None:
        raise InputError(f"{name} is None. Expected a duration such as {example!r}.")
    return found


def fetch_metrics(place: AccountRegion, asked: MetricQuery) -> list[Row]:
    """Return a row for each image and period that CloudWatch has numbers for, in order.

    The window ends when the images were seen or, where that is not known, when
    CloudWatch answered; it begins where a period does.
    """
    found = _found(place, asked.periods)
    if place.until is None:
        message = "CloudWatch's response has no date, so the end of the window is unknown."
        raise ReadError(message, operation="ListMetrics", region=place.asker.region, code="NoDate")
    longest = max(asked.periods.values())
    place.since = (place.until - asked.window).floor(longest)
    cells: dict[_Cell, Row] = {}
    for some in batches(found, _QUERIES):
        for series, time, value in _values(place, some, asked.periods):
            period = int(asked.periods[series.column].total_seconds())
            row = cells.setdefault((series.image_id, time, period), {})
            row[series.column] = value if _METRICS[series.column][1] == "Average" else round(value)
    return [
        {**place.key, "image_id": image_id, "time": time, "period": period, **cells[cell]}
        for cell in sorted(cells)
        for image_id, time, period in [cell]
    ]


def _found(place: AccountRegion, columns: Iterable[str]) -> list[_Series]:
    """Return the series of the images; where one has several, that with the fewest dimensions."""
    wanted_ids = frozenset(place.image_ids)
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for column in columns:
        for metric in _listed(place, _METRICS[column][0]):
            dimensions = metric.get("Dimensions", [])
            for image_id in wanted_ids & {it.get("Value") for it in dimensions}:
                known = best.setdefault((column, image_id), metric)
                best[column, image_id] = min(known, metric, key=_plainness)
    return [_Series(*key, best[key]) for key in sorted(best)]


def _plainness(metric: Mapping[str, Any]) -> tuple[int, str]:
    dimensions = metric.get("Dimensions", [])
    return len(dimensions), repr(sorted((it.get("Name"), it.get("Value")) for it in dimensions))


def _listed(place: AccountRegion, name: str) -> Iterator[Mapping[str, Any]]:
    request = {"Namespace": _NAMESPACE, "MetricName": name}
    for page in place.asker.pages("cloudwatch", "ListMetrics", "Metrics", request):
        place.until = place.until if place.until is not None else answered_at(page)
        yield from page.get("Metrics", ())


def _values(
    place: AccountRegion, some: list[_Series], periods: Mapping[str, pd.Timedelta]
) -> Iterator[tuple[_Series, pd.Timestamp, float]]:
    request = {
        "StartTime": place.since,
        "EndTime": place.until,
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [
            _query(f"q{number}", series, periods[series.column])
            for number, series in enumerate(some)
        ],
    }
    part = "MetricDataResults"
    for result in place.asker.items("cloudwatch", "GetMetricData", part, request):
        series = some[int(result["Id"].removeprefix("q"))]
        times = pd.to_datetime(result.get("Timestamps", []), utc=True)
        for time, value in zip(times, result.get("Values", ()), strict=True):
            yield series, time, value


def _query(name: str, series: _Series, period: pd.Timedelta) -> dict[str, Any]:
    metric = {
        "Namespace": _NAMESPACE,
        "MetricName": series.metric["MetricName"],
        "Dimensions": series.metric["Dimensions"],
    }
    stat = {"Metric": metric, "Period": int(period.total_seconds())}
    return {"Id": name, "MetricStat": {**stat, "Stat": _METRICS[series.column][1]}}
