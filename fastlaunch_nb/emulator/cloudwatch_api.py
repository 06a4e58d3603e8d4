"""CloudWatch of the embedded EC2: the five metrics of Fast Launch, beside all that moto keeps.

moto keeps points in a list, and searches all of it for each. Those of Fast Launch are made
from its meters when they are asked for. An expression over them is answered with nothing, as
moto has no metric math.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    ValidationError,
)
from moto.cloudwatch.models import CloudWatchBackend, MetricDatum
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from fastlaunch_nb.emulator.assumptions import LISTED_FOR, LISTED_RECENT, METRIC_DIMENSION
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import existing
from fastlaunch_nb.emulator.metric_samples import STATISTICS, UNITS, Point

NAMESPACE = "AWS/EC2"
METRICS_A_PAGE = 500
MOST_POINTS = 100_800  # of a GetMetricData
MOST_STATISTICS = 1_440  # points of a GetMetricStatistics
_moto_data = CloudWatchBackend.get_metric_data
_moto_statistics = CloudWatchResponse.get_metric_statistics
_moto_answer = CloudWatchResponse.get_metric_data


def install() -> None:
    """Teach moto's CloudWatch the metrics of Fast Launch."""
    backend: Any = CloudWatchBackend
    backend.get_metric_data = _data
    response: Any = CloudWatchResponse
    response.list_metrics = _answer_list_metrics
    response.get_metric_data = _answer_get_metric_data
    response.get_metric_statistics = _answer_get_metric_statistics


# --- ListMetrics ----------------------------------------------------------------------


def _answer_list_metrics(request: Any) -> ActionResult:
    """Answer a page of what moto lists, and then of the metrics of Fast Launch."""
    asked = request._get_params()
    name, namespace = asked.get("MetricName"), asked.get("Namespace")
    dimensions = asked.get("Dimensions") or []
    cloudwatch = request.cloudwatch_backend
    found = cloudwatch.get_filtered_metrics(name, namespace, dimensions)
    with CLOCK.still() as now:
        since = now - (LISTED_RECENT if asked.get("RecentlyActive") else LISTED_FOR)
        ours = _listed(cloudwatch, since.timestamp())
        found += [metric for metric in ours if metric.filter(namespace, name, dimensions)]
    start = _position(asked.get("NextToken"))
    end = start + METRICS_A_PAGE
    token = _token(end) if end < len(found) else None
    return ActionResult({"Metrics": found[start:end], "NextToken": token})


def _listed(cloudwatch: Any, since: float) -> Iterator[MetricDatum]:
    """Yield each metric that has had a value since a time."""
    ec2 = existing(cloudwatch.account_id, cloudwatch.region_name)
    for image_id, meter in sorted(ec2.meters.items() if ec2 else ()):
        dimensions = [{"Name": METRIC_DIMENSION, "Value": image_id}]
        for name, unit in UNITS.items():
            if meter.has_any(name, since):
                yield MetricDatum(NAMESPACE, name, 0, dimensions, None, unit)


# --- GetMetricData --------------------------------------------------------------------


def _answer_get_metric_data(request: Any) -> ActionResult:
    """Answer a page: as many points as MaxDatapoints says, of all queries in their order."""
    answer: Any = _moto_answer(request).result
    asked = request._get_params()
    most = asked.get("MaxDatapoints") or MOST_POINTS
    if not 1 <= most <= MOST_POINTS:
        raise ValidationError(f"MaxDatapoints is {most}. Expected 1 to {MOST_POINTS}.")
    start = _position(asked.get("NextToken"))
    end = start + most
    page, before = [], 0
    for result in answer["MetricDataResults"]:
        part = slice(max(0, start - before), max(0, end - before))
        before += len(result["values"])
        page.append(
            {
                **result,
                "values": result["values"][part],
                "timestamps": result["timestamps"][part],
                "status_code": "Complete" if before <= end else "PartialData",
            }
        )
    token = _token(end) if end < before else None
    return ActionResult({"MetricDataResults": page, "NextToken": token})


def _data(
    cloudwatch: Any,
    queries: Sequence[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """Return the results of all queries, moto's own among them, in their order."""
    others = [query for query in queries if not _is_ours(query)]
    results = _moto_data(cloudwatch, others, start_time, end_time, scan_by)
    found = {result["id"]: result for result in results}
    with CLOCK.still():
        for query in queries:
            if _is_ours(query) and query.get("ReturnData", True):
                found[query["Id"]] = _result(cloudwatch, query, start_time, end_time, scan_by)
    return [found[query["Id"]] for query in queries if query["Id"] in found]


def _is_ours(query: Mapping[str, Any]) -> bool:
    metric = query.get("MetricStat", {}).get("Metric", {})
    return metric.get("Namespace") == NAMESPACE and metric.get("MetricName") in UNITS


def _result(
    cloudwatch: Any, query: Mapping[str, Any], start: datetime, end: datetime, scan_by: str
) -> dict[str, Any]:
    asked = query["MetricStat"]
    name, statistic = asked["Metric"]["MetricName"], asked["Stat"]
    _check_statistic(statistic)
    points = _points(
        cloudwatch, asked["Metric"], (start, end), int(asked["Period"]), asked.get("Unit")
    )
    if scan_by == "TimestampDescending":
        points.reverse()
    return {
        "id": query["Id"],
        "label": query.get("Label") or name,
        "values": [point.statistic(statistic) for point in points],
        "timestamps": [_moment(point) for point in points],
        "status_code": "Complete",
    }


def _points(
    cloudwatch: Any,
    metric: Mapping[str, Any],
    window: tuple[datetime, datetime],
    period: int,
    unit: str | None,
) -> list[Point]:
    """Return the points of one metric of one image; none where anything does not match."""
    ec2 = existing(cloudwatch.account_id, cloudwatch.region_name)
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or []}
    name = metric["MetricName"]
    image_id = dimensions.pop(METRIC_DIMENSION, None)
    meter = ec2.meters.get(image_id) if ec2 else None
    if meter is None or dimensions or unit not in (None, UNITS[name]):
        return []
    start, end = (_seconds(time) for time in window)
    points: list[Point] = meter.points(name, start, end, period)
    return points


# --- GetMetricStatistics --------------------------------------------------------------


def _answer_get_metric_statistics(request: Any) -> ActionResult:
    """Answer the points of one metric; moto answers for all but ours."""
    asked = request._get_params()
    name, period = asked["MetricName"], int(asked["Period"])
    if asked["Namespace"] != NAMESPACE or name not in UNITS:
        return _moto_statistics(request)
    window = asked["StartTime"], asked["EndTime"]
    statistics = _checked_statistics(asked, period, window)
    with CLOCK.still():
        points = _points(request.cloudwatch_backend, asked, window, period, asked.get("Unit"))
    datapoints = [
        {
            "Timestamp": _moment(point),
            "Unit": UNITS[name],
            **{statistic: point.statistic(statistic) for statistic in statistics},
        }
        for point in points
    ]
    return ActionResult({"Label": name, "Datapoints": datapoints})


def _checked_statistics(
    asked: Mapping[str, Any], period: int, window: tuple[datetime, datetime]
) -> list[str]:
    """Return the statistics that are asked for; refuse what can not be asked."""
    statistics: list[str] = asked.get("Statistics") or []
    if not statistics:
        raise InvalidParameterCombination("Expected Statistics; there are no percentiles.")
    for statistic in statistics:
        _check_statistic(statistic)
    start, end = (_seconds(time) for time in window)
    if not start < end:
        raise InvalidParameterValue("The parameter StartTime must be less than EndTime.")
    if (end - start) / period > MOST_STATISTICS:
        raise InvalidParameterCombination(
            f"You have requested up to {int((end - start) / period):,} datapoints, which exceeds "
            f"the limit of {MOST_STATISTICS:,}."
        )
    return statistics


# --- their parts ----------------------------------------------------------------------


def _check_statistic(name: str) -> None:
    if name not in STATISTICS:
        raise ValidationError(f"The value {name} for parameter Stat is not supported.")


def _seconds(time: datetime) -> float:
    """Return a time in seconds of Unix; moto's are in UTC without saying so."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _moment(point: Point) -> datetime:
    return datetime.fromtimestamp(point.time, UTC).replace(tzinfo=None)


def _token(position: int) -> str:
    return base64.b64encode(json.dumps({"after": position}).encode()).decode()


def _position(token: str | None) -> int:
    """Return where a token's page starts; refuse what is no token of ours."""
    if token is None:
        return 0
    try:
        return int(json.loads(base64.b64decode(token))["after"])
    except (ValueError, TypeError, KeyError):
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None
