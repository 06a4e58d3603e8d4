"""CloudWatch's limits: queries per request, and how long it retains which periods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.joins import cloudwatch
from tests.helpers.region_client import StubRegionClient, create_account_region

NOON = pd.Timestamp("2026-01-15T12:00:00Z")

# --- 500 queries of GetMetricData -----------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (499, [499]),
        (500, [500]),
        (501, [500, 1]),
        (1000, [500, 500]),
        (1001, [500, 500, 1]),
    ],
)
def test_a_request_has_at_most_500_queries(count: int, expected: list[int]) -> None:
    """GetMetricData accepts 500 queries, and each image gets its own numbers."""
    account_region = create_account_region(None, count)
    account_region.until = NOON

    def respond(operation: str, request: dict[str, Any]) -> Sequence[Any]:
        if operation == "ListMetrics":
            name = request["MetricName"]
            return [
                {"MetricName": name, "Dimensions": [{"Name": "ImageId", "Value": image_id}]}
                for image_id in account_region.image_ids
            ]
        return [build_result(query) for query in request["MetricDataQueries"]]

    client: Any = StubRegionClient(respond)
    account_region.client = client
    query = cloudwatch.MetricQuery(pd.Timedelta(days=1), {cloudwatch.STOCK: pd.Timedelta(hours=1)})
    rows = cloudwatch.fetch_metrics(account_region, query)
    assert client.sizes("GetMetricData", lambda request: request["MetricDataQueries"]) == expected
    assert {row["image_id"]: row["available_snapshots"] for row in rows} == {
        image_id: number for number, image_id in enumerate(account_region.image_ids)
    }


def build_result(query: dict[str, Any]) -> dict[str, Any]:
    image_id = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
    value = float(image_id.removeprefix("ami-"))
    return {"Id": query["Id"], "Timestamps": [NOON], "Values": [value]}


# --- retention ------------------------------------------------------------------------

MINUTE, HOUR, DAY = (pd.Timedelta(1, unit) for unit in ("min", "h", "D"))


@pytest.mark.parametrize(
    ("window", "period"),
    [
        (MINUTE, MINUTE),
        (15 * DAY, MINUTE),
        (15 * DAY, 7 * MINUTE),
        (63 * DAY, 5 * MINUTE),
        (63 * DAY, 10 * MINUTE),
        (455 * DAY, HOUR),
        (455 * DAY, 2 * HOUR),
        (455 * DAY, DAY),
    ],
)
def test_a_period_within_retention_is_accepted(window: pd.Timedelta, period: pd.Timedelta) -> None:
    """CloudWatch has minutes for 15 days, 5 minutes for 63 and hours for 455."""
    for value in (window, window.to_pytimedelta(), str(window)):
        query = cloudwatch.make_metric_query("since", value, period)
        assert query == cloudwatch.MetricQuery(window, dict.fromkeys(cloudwatch.ALL, period))


@pytest.mark.parametrize(
    ("window", "period", "message"),
    [
        (15 * DAY + MINUTE, MINUTE, "15 days 00:01:00 old for periods of 0 days 00:05:00"),
        (15 * DAY + MINUTE, 7 * MINUTE, "for periods of 0 days 00:05:00"),
        (63 * DAY + MINUTE, 5 * MINUTE, "63 days 00:01:00 old for periods of 0 days 01:00:00"),
        (63 * DAY + MINUTE, 90 * MINUTE, "for periods of 0 days 01:00:00"),
        (DAY, 90 * MINUTE / 60, "period is 0 days 00:01:30"),
        (455 * DAY + MINUTE, HOUR, "CloudWatch keeps numbers for 455 days"),
        (455 * DAY + MINUTE, DAY, "CloudWatch keeps numbers for 455 days"),
        (MINUTE - pd.Timedelta(1, "s"), MINUTE, r"since is Timedelta\('0 days 00:00:59'\)"),
        (DAY, MINUTE - pd.Timedelta(1, "s"), r"period is Timedelta\('0 days 00:00:59'\)"),
        (None, HOUR, "since is None. Expected a duration such as '14 days'"),
        (DAY, None, "period is None. Expected a duration such as '1 hour'"),
    ],
)
def test_a_period_beyond_retention_is_refused(window: Any, period: Any, message: str) -> None:
    """A window that is a minute too long, or a period that is too short for it, is an error."""
    with pytest.raises(fl.InputError, match=message):
        cloudwatch.make_metric_query("since", window, period)


@pytest.mark.parametrize(
    ("window", "stock"),
    [(HOUR, 15 * MINUTE), (14 * DAY, 15 * MINUTE), (14 * DAY + MINUTE, HOUR), (455 * DAY, HOUR)],
)
def test_a_summary_has_quarter_hours_for_two_weeks(
    window: pd.Timedelta, stock: pd.Timedelta
) -> None:
    """Available snapshots have quarter hours up to 14 days, else hours, as launches have."""
    query = cloudwatch.make_summary_query(window)
    assert query == cloudwatch.MetricQuery(
        window, {cloudwatch.STOCK: stock, cloudwatch.FAST: HOUR, cloudwatch.COLD: HOUR}
    )


@pytest.mark.parametrize(
    ("until", "window", "period", "since"),
    [
        ("12:00", "1 hour", "1 hour", "11:00"),
        ("12:17", "1 hour", "1 hour", "11:00"),
        ("12:17", "1 hour", "5 minutes", "11:15"),
        ("12:59:59", "2 hours", "1 hour", "10:00"),
        ("12:17", "1 minute", "1 minute", "12:16"),
    ],
)
def test_a_window_begins_with_a_period(until: str, window: str, period: str, since: str) -> None:
    """A window is as long as requested, or up to one period longer; never shorter."""
    account_region = create_account_region(StubRegionClient(lambda *_: []), 1)
    account_region.until = pd.Timestamp(f"2026-01-15T{until}Z")
    query = cloudwatch.make_metric_query("since", window, period)
    assert cloudwatch.fetch_metrics(account_region, query) == []
    assert account_region.since == pd.Timestamp(f"2026-01-15T{since}Z")
