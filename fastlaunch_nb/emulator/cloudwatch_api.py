"""CloudWatch of the emulator: moto's metrics, and the five metrics of Fast Launch.

moto stores points in a list and searches all of it for each request. The points of Fast
Launch are computed from recorders on request. Expressions over them have no results,
because moto has no metric math.
"""

from __future__ import annotations

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

from fastlaunch_nb.emulator import assumptions
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.fast_launch_backend import (
    find_backend,
    make_page_token,
    parse_page_token,
)
from fastlaunch_nb.emulator.metric_samples import STATISTICS, UNITS, Point

NAMESPACE = "AWS/EC2"
METRICS_PER_PAGE = 500
MAX_POINTS = 100_800  # of a GetMetricData
MAX_STATISTICS = 1_440  # points of a GetMetricStatistics
_moto_compute_data = CloudWatchBackend.get_metric_data
_moto_get_metric_data = CloudWatchResponse.get_metric_data
_moto_get_metric_statistics = CloudWatchResponse.get_metric_statistics


# --- ListMetrics ----------------------------------------------------------------------


def list_metrics(request: Any) -> ActionResult:
    """Answer ListMetrics with a page of moto's metrics and then of those of Fast Launch."""
    parameters = request._get_params()
    name, namespace = parameters.get("MetricName"), parameters.get("Namespace")
    dimensions = parameters.get("Dimensions") or []
    cloudwatch = request.cloudwatch_backend
    metrics = cloudwatch.get_filtered_metrics(name, namespace, dimensions)
    with CLOCK.still() as now:
        is_recent = parameters.get("RecentlyActive")
        age = assumptions.METRIC_RECENT_FOR if is_recent else assumptions.METRIC_LISTED_FOR
        ours = _list_since(cloudwatch, (now - age).timestamp())
        metrics += [metric for metric in ours if metric.filter(namespace, name, dimensions)]
    start = _parse_token(parameters.get("NextToken"))
    end = start + METRICS_PER_PAGE
    token = make_page_token(str(end)) if end < len(metrics) else None
    return ActionResult({"Metrics": metrics[start:end], "NextToken": token})


def _list_since(cloudwatch: Any, start: float) -> Iterator[MetricDatum]:
    """Yield each Fast Launch metric that has a value at or after a time."""
    ec2 = find_backend(cloudwatch.account_id, cloudwatch.region_name)
    for image_id, recorder in sorted(ec2.meters.items() if ec2 else ()):
        dimensions = [{"Name": assumptions.METRIC_DIMENSION, "Value": image_id}]
        for name, unit in UNITS.items():
            if recorder.has_samples(name, start):
                yield MetricDatum(NAMESPACE, name, 0, dimensions, None, unit)


# --- GetMetricData --------------------------------------------------------------------


def get_metric_data(request: Any) -> ActionResult:
    """Answer GetMetricData with a page of at most MaxDatapoints points, in query order."""
    answer: Any = _moto_get_metric_data(request).result
    parameters = request._get_params()
    max_points = parameters.get("MaxDatapoints") or MAX_POINTS
    if not 1 <= max_points <= MAX_POINTS:
        raise ValidationError(f"MaxDatapoints is {max_points}. Expected 1 to {MAX_POINTS}.")
    start = _parse_token(parameters.get("NextToken"))
    end = start + max_points
    page, offset = [], 0
    for result in answer["MetricDataResults"]:
        on_page = slice(max(0, start - offset), max(0, end - offset))
        points = {name: result[name][on_page] for name in ("values", "timestamps")}
        offset += len(result["values"])
        status = "Complete" if offset <= end else "PartialData"
        page.append({**result, **points, "status_code": status})
    token = make_page_token(str(end)) if end < offset else None
    return ActionResult({"MetricDataResults": page, "NextToken": token})


def compute_metric_data(
    cloudwatch: Any,
    queries: Sequence[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """Return the results of all queries in their order; moto computes those of other metrics."""
    others = [query for query in queries if not _is_fast_launch(query)]
    moto_results = _moto_compute_data(cloudwatch, others, start_time, end_time, scan_by)
    results = {result["id"]: result for result in moto_results}
    with CLOCK.still():
        for query in queries:
            if _is_fast_launch(query) and query.get("ReturnData", True):
                results[query["Id"]] = _run_query(cloudwatch, query, start_time, end_time, scan_by)
    return [results[query["Id"]] for query in queries if query["Id"] in results]


def _is_fast_launch(query: Mapping[str, Any]) -> bool:
    metric = query.get("MetricStat", {}).get("Metric", {})
    return metric.get("Namespace") == NAMESPACE and metric.get("MetricName") in UNITS


def _run_query(
    cloudwatch: Any, query: Mapping[str, Any], start: datetime, end: datetime, scan_by: str
) -> dict[str, Any]:
    metric_stat = query["MetricStat"]
    metric, statistic = metric_stat["Metric"], metric_stat["Stat"]
    _check_statistic(statistic)
    parameters = {**metric_stat, **metric, "StartTime": start, "EndTime": end}
    points = _compute_points(cloudwatch, parameters)
    if scan_by == "TimestampDescending":
        points.reverse()
    return {
        "id": query["Id"],
        "label": query.get("Label") or metric["MetricName"],
        "values": [point.statistic(statistic) for point in points],
        "timestamps": [_timestamp(point) for point in points],
        "status_code": "Complete",
    }


def _compute_points(cloudwatch: Any, parameters: Mapping[str, Any]) -> list[Point]:
    """Return the points of one metric of one image; none if a dimension or the unit differs.

    The parameters are those of GetMetricStatistics.
    """
    ec2 = find_backend(cloudwatch.account_id, cloudwatch.region_name)
    dimensions = {entry["Name"]: entry["Value"] for entry in parameters.get("Dimensions") or []}
    name, unit = parameters["MetricName"], parameters.get("Unit")
    recorder = ec2.meters.get(dimensions.pop(assumptions.METRIC_DIMENSION, None)) if ec2 else None
    if recorder is None or dimensions or unit not in (None, UNITS[name]):
        return []
    start, end = _find_window(parameters)
    points: list[Point] = recorder.compute_points(name, start, end, int(parameters["Period"]))
    return points


# --- GetMetricStatistics --------------------------------------------------------------


def get_metric_statistics(request: Any) -> ActionResult:
    """Answer GetMetricStatistics for a metric of Fast Launch; moto answers for all others."""
    parameters = request._get_params()
    name = parameters["MetricName"]
    if parameters["Namespace"] != NAMESPACE or name not in UNITS:
        return _moto_get_metric_statistics(request)
    statistics = _validate_statistics(parameters)
    with CLOCK.still():
        points = _compute_points(request.cloudwatch_backend, parameters)
    datapoints = [
        {
            "Timestamp": _timestamp(point),
            "Unit": UNITS[name],
            **{statistic: point.statistic(statistic) for statistic in statistics},
        }
        for point in points
    ]
    return ActionResult({"Label": name, "Datapoints": datapoints})


def _validate_statistics(parameters: Mapping[str, Any]) -> list[str]:
    """Return the requested statistics, or raise if the request is invalid."""
    statistics: list[str] = parameters.get("Statistics") or []
    if not statistics:
        raise InvalidParameterCombination("Expected Statistics; percentiles are not supported.")
    for statistic in statistics:
        _check_statistic(statistic)
    start, end = _find_window(parameters)
    if not start < end:
        raise InvalidParameterValue("The parameter StartTime must be less than EndTime.")
    count = (end - start) / int(parameters["Period"])
    if count > MAX_STATISTICS:
        raise InvalidParameterCombination(
            f"You have requested up to {int(count):,} datapoints, which exceeds the limit of "
            f"{MAX_STATISTICS:,}."
        )
    return statistics


# --- helpers --------------------------------------------------------------------------


def _check_statistic(name: str) -> None:
    if name not in STATISTICS:
        raise ValidationError(f"The value {name} for parameter Stat is not supported.")


def _find_window(parameters: Mapping[str, Any]) -> list[float]:
    """Return the start and the end in Unix seconds; moto's times in UTC have no time zone."""
    times = parameters["StartTime"], parameters["EndTime"]
    return [(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() for time in times]


def _timestamp(point: Point) -> datetime:
    return datetime.fromtimestamp(point.time, UTC).replace(tzinfo=None)


def _parse_token(token: str | None) -> int:
    """Return the position at which a token's page starts, or raise if the token is invalid."""
    try:
        return int(parse_page_token(token)) if token is not None else 0
    except (EC2Error, ValueError):
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None
