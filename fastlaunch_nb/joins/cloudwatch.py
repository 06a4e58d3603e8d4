"""CloudWatch: the metrics of the images in one account and region, period by period.

AWS does not document the dimension that names an image. So a series belongs to an
image if any of its dimensions has the image's id as its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import InputError, ReadError
from fastlaunch_nb.joins.queries import AccountRegion, Row, split_batches
from fastlaunch_nb.sources.pages import parse_response_time
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
_MAX_QUERIES = 500  # in one request of GetMetricData
_RETENTION = (  # maximum age of data to the shortest period that is left (CloudWatch User Guide)
    (pd.Timedelta(days=15), pd.Timedelta(minutes=1)),
    (pd.Timedelta(days=63), pd.Timedelta(minutes=5)),
    (pd.Timedelta(days=455), pd.Timedelta(hours=1)),
)
_HOUR, _QUARTER = pd.Timedelta(hours=1), pd.Timedelta(minutes=15)
_TWO_WEEKS = pd.Timedelta(days=14)


class MetricQuery(NamedTuple):
    """A query of metrics: the length of the window, and the period of each column."""

    window: pd.Timedelta
    periods: Mapping[str, pd.Timedelta]


class _Series(NamedTuple):
    """One metric of one image."""

    column: str
    image_id: str
    metric: Mapping[str, Any]  # as CloudWatch lists it, and as a query names it


def make_metric_query(name: str, window: object, period: object) -> MetricQuery:
    """Return a query with one period for all columns; refuse data that CloudWatch has deleted."""
    period = _require_duration("period", period, "1 hour")
    length = _require_duration(name, window, "14 days")
    shortest = next((shortest for age, shortest in _RETENTION if length <= age), None)
    if shortest is None:
        raise InputError(
            f"{name} is {window!r}. CloudWatch keeps numbers for 455 days: expected at most that."
        )
    if period % shortest:
        raise InputError(
            f"period is {period}. CloudWatch keeps numbers that are {length} old for periods of "
            f"{shortest}: expected that, or a multiple."
        )
    return MetricQuery(length, dict.fromkeys(ALL, period))


def make_summary_query(window: object) -> MetricQuery:
    """Return the query for a summary: launches by the hour, the stock more often if cheap."""
    length = make_metric_query("window", window, _HOUR).window
    period = _QUARTER if length <= _TWO_WEEKS else _HOUR
    return MetricQuery(length, {STOCK: period, FAST: _HOUR, COLD: _HOUR})


def _require_duration(name: str, value: object, example: str) -> pd.Timedelta:
    duration = parse_duration(name, value, example, least=pd.Timedelta(minutes=1))
    if duration is None:
        raise InputError(f"{name} is None. Expected a duration such as {example!r}.")
    return duration


def fetch_metrics(region: AccountRegion, query: MetricQuery) -> list[Row]:
    """Return one row for each image and period with data, in order.

    The window ends when the images were observed or, if that is unknown, when
    CloudWatch answered. It starts at a full period.
    """
    series = _find_series(region, query.periods)
    if region.until is None:
        message = "CloudWatch's response has no date, so the end of the window is unknown."
        raise ReadError(
            message, operation="ListMetrics", region=region.client.region, code="NoDate"
        )
    region.since = (region.until - query.window).floor(max(query.periods.values()))
    cells: dict[tuple[str, datetime, int], Row] = {}
    for batch in split_batches(series, _MAX_QUERIES):
        for (column, image_id, _), points in _fetch_points(region, batch, query.periods):
            period = int(query.periods[column].total_seconds())
            is_average = _METRICS[column][1] == "Average"
            for time, value in points:
                row = cells.setdefault((image_id, time, period), {})
                row[column] = value if is_average else round(value)
    key = region.key
    return [
        {**key, "image_id": image_id, "time": time, "period": period, **row}
        for (image_id, time, period), row in sorted(cells.items(), key=itemgetter(0))
    ]


def _find_series(region: AccountRegion, columns: Iterable[str]) -> list[_Series]:
    """Return the series of each image; of several, the one with the fewest dimensions."""
    image_ids = frozenset(region.image_ids)
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for column in columns:
        for metric in _list_metrics(region, _METRICS[column][0]):
            values = {dimension.get("Value") for dimension in metric.get("Dimensions", [])}
            for image_id in image_ids & values:
                other = best.setdefault((column, image_id), metric)
                best[column, image_id] = min(other, metric, key=_rank_dimensions)
    return [_Series(*key, best[key]) for key in sorted(best)]


def _rank_dimensions(metric: Mapping[str, Any]) -> tuple[int, str]:
    dimensions = metric.get("Dimensions", [])
    return len(dimensions), repr(sorted((it.get("Name"), it.get("Value")) for it in dimensions))


def _list_metrics(region: AccountRegion, name: str) -> Iterator[Mapping[str, Any]]:
    request = {"Namespace": _NAMESPACE, "MetricName": name}
    for page in region.client.iter_pages("cloudwatch", "ListMetrics", "Metrics", request):
        region.until = region.until or parse_response_time(page).time
        yield from page.get("Metrics", ())


def _fetch_points(
    region: AccountRegion, batch: list[_Series], periods: Mapping[str, pd.Timedelta]
) -> Iterator[tuple[_Series, Iterable[tuple[datetime, float]]]]:
    """Yield series and their times and values; a series may come in several parts."""
    queries = []
    for number, series in enumerate(batch):
        period, statistic = periods[series.column], _METRICS[series.column][1]
        query = {"Metric": series.metric, "Period": int(period.total_seconds()), "Stat": statistic}
        queries.append({"Id": f"q{number}", "MetricStat": query})
    window = {"StartTime": region.since, "EndTime": region.until}
    request = {**window, "ScanBy": "TimestampAscending", "MetricDataQueries": queries}
    for result in region.client.iter_items(
        "cloudwatch", "GetMetricData", "MetricDataResults", request
    ):
        series = batch[int(result["Id"].removeprefix("q"))]
        yield series, zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True)
