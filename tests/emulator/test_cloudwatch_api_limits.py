"""The embedded CloudWatch has the limits of AWS's: ages of metrics, points per response."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb.emulator.clock import CLOCK
from tests.helpers.samples import ACCOUNT

AVAILABLE_SNAPSHOTS = {
    "Namespace": "AWS/EC2",
    "MetricName": "NumberOfAvailableFastLaunchSnapshots",
    "Dimensions": [{"Name": "ImageId", "Value": "ami-00000001"}],
}


@pytest.fixture
def cloudwatch_client(ec2: Any) -> Any:
    """A client of CloudWatch, with one image that was enabled at the start."""
    ec2.add_windows_image("ami-00000001", name="own", owner_id=ACCOUNT)
    ec2.enable_fast_launch("ami-00000001")
    return boto3.client("cloudwatch", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.mark.parametrize(
    ("parameters", "age", "expected"),
    [
        ({}, timedelta(days=14), True),
        ({}, timedelta(days=14, seconds=1), False),
        ({"RecentlyActive": "PT3H"}, timedelta(hours=3), True),
        ({"RecentlyActive": "PT3H"}, timedelta(hours=3, seconds=1), False),
    ],
)
def test_a_metric_is_listed_for_two_weeks(
    cloudwatch_client: Any, ec2: Any, parameters: dict[str, str], age: timedelta, *, expected: bool
) -> None:
    """A metric is listed for two weeks after its last value, or for three hours if recent."""
    ec2.forget("ami-00000001")
    ec2.meters["ami-00000001"].end()
    ec2.meters["ami-00000001"].count_launch(is_fast=False)
    CLOCK.advance(seconds=age.total_seconds())
    response = cloudwatch_client.list_metrics(
        MetricName="NumberOfInstancesNotFastLaunched", **parameters
    )
    assert bool(response["Metrics"]) == expected


@pytest.mark.parametrize("maximum", [1, 100_800])
def test_a_page_has_at_most_100800_points(cloudwatch_client: Any, maximum: int) -> None:
    """GetMetricData returns 1 to 100,800 points per page."""
    query = {"Id": "q", "MetricStat": {"Metric": AVAILABLE_SNAPSHOTS, "Period": 300, "Stat": "Sum"}}
    start = CLOCK.now()
    CLOCK.advance(minutes=10)
    parameters = {"MetricDataQueries": [query], "StartTime": start, "EndTime": CLOCK.now()}
    [result] = cloudwatch_client.get_metric_data(**parameters, MaxDatapoints=maximum)[
        "MetricDataResults"
    ]
    assert len(result["Values"]) == min(maximum, 2)
    for wrong in (100_801, -1):
        with pytest.raises(ClientError, match="ValidationError"):
            cloudwatch_client.get_metric_data(**parameters, MaxDatapoints=wrong)


@pytest.mark.parametrize(
    ("minutes", "refused"), [(1439 * 5, False), (1440 * 5, False), (1440 * 5 + 1, True)]
)
def test_statistics_have_at_most_1440_points(
    cloudwatch_client: Any, minutes: int, *, refused: bool
) -> None:
    """GetMetricStatistics returns 1,440 points, and an error for more."""
    start = CLOCK.now()
    parameters = {**AVAILABLE_SNAPSHOTS, "Period": 300, "Statistics": ["Sum"], "StartTime": start}
    end = start + timedelta(minutes=minutes)
    if refused:
        with pytest.raises(ClientError, match="exceeds the limit of 1,440"):
            cloudwatch_client.get_metric_statistics(**parameters, EndTime=end)
    else:
        response = cloudwatch_client.get_metric_statistics(**parameters, EndTime=end)
        assert [point["Sum"] for point in response["Datapoints"]] == [0]
