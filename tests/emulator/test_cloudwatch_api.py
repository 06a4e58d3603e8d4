"""CloudWatch of the emulator, through plain boto3, compared with naive counting."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.emulator.clock import CLOCK, START
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.pool.model import Pool
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, REGION, Connect

pytestmark = pytest.mark.http

AMI, PLAIN = "ami-0123456789abcdef0", "ami-0000000000000000f"
STOCK = "NumberOfAvailableFastLaunchSnapshots"
FAST, COLD = "NumberOfInstancesFastLaunched", "NumberOfInstancesNotFastLaunched"
REFILL, CREATION = "FastLaunchSnapshotUsedToRefillStartTime", "FastLaunchSnapshotCreationTime"
FIVE = (STOCK, FAST, COLD, REFILL, CREATION)


def add_amis() -> Any:
    """Add two AMIs to the default account and region, which take long to prepare."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.pace.preparation = timedelta(minutes=30)
    for image_id in (AMI, PLAIN):
        ec2.add_windows_image(image_id, name="own", owner_id=ACCOUNT)
    return ec2


@pytest.fixture
def client(ec2: Any) -> Any:
    """A boto3 client of CloudWatch, in-process, with two AMIs that are not enabled."""
    add_amis()
    return boto3.client("cloudwatch", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def either_client(connect: Connect) -> Any:
    """The same client, in-process and over HTTP, for one test of each operation."""
    add_amis()
    return connect("cloudwatch")


def launch(ec2: Any, count: int, image_id: str = AMI) -> None:
    """Launch instances."""
    kind = {"instance_type": "m5.large", "is_instance_type_default": True}
    ec2.run_instances(image_id, count, None, [], **kind)


def make_metric(name: str, image_id: str = AMI) -> dict[str, Any]:
    """Return a metric as parameters of CloudWatch."""
    dimensions = [{"Name": "ImageId", "Value": image_id}]
    return {"Namespace": "AWS/EC2", "MetricName": name, "Dimensions": dimensions}


def make_query(name: str, stat: str = "Sum", period: int = 300, **more: Any) -> dict[str, Any]:
    """Return a query of GetMetricData."""
    metric_stat = {"Metric": make_metric(name), "Period": period, "Stat": stat, **more}
    return {"Id": f"{name[0].lower()}{name[1:]}{stat}", "MetricStat": metric_stat}


def read_points(
    client: Any, *queries: dict[str, Any], start: datetime = START
) -> list[dict[datetime, float]]:
    """Return the points of each query from a time until now, in order of time."""
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=start,
        EndTime=CLOCK.now() + timedelta(seconds=1),
        ScanBy="TimestampAscending",
    )
    points: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
    for page in pages:
        for result in page["MetricDataResults"]:
            pairs = zip(result["Timestamps"], result["Values"], strict=True)
            points[result["Id"]].update(pairs)
    return [points[query["Id"]] for query in queries]


def list_metrics(client: Any, **filters: Any) -> list[tuple[str, str]]:
    """Return the name and the image id of each metric that CloudWatch lists."""
    pages = client.get_paginator("list_metrics").paginate(Namespace="AWS/EC2", **filters)
    return [
        (metric["MetricName"], metric["Dimensions"][0]["Value"])
        for page in pages
        for metric in page["Metrics"]
    ]


def error_code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


# --- metrics --------------------------------------------------------------------------


def test_the_stock_has_a_value_every_five_minutes_and_at_each_change(client: Any) -> None:
    """The stock has values from the request that enables an image until it is disabled."""
    ec2 = get_backend(ACCOUNT, REGION)
    CLOCK.advance(minutes=7)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=28)
    launch(ec2, 1)  # two minutes before the snapshots are ready
    CLOCK.advance(minutes=4)
    launch(ec2, 2)
    CLOCK.advance(minutes=1)
    ec2.disable_fast_launch(AMI)
    CLOCK.advance(hours=2)
    least, most, count = read_points(
        client, *(make_query(STOCK, stat) for stat in ("Minimum", "Maximum", "SampleCount"))
    )
    by_minute = {(time - START) // timedelta(minutes=1): value for time, value in most.items()}
    assert by_minute == {**dict.fromkeys(range(5, 35, 5), 0), 35: 5, 40: 3, 45: 3}
    assert [least[START + timedelta(minutes=minute)] for minute in (30, 35, 40)] == [0, 0, 3]
    assert [*count.values()] == [1, *[1] * 5, 3, 1, 1]


def test_launches_are_counted_by_period(client: Any) -> None:
    """Fast and cold launches add up in their period; a period without launches has no point."""
    ec2 = get_backend(ACCOUNT, REGION)
    launch(ec2, 1)  # not enabled yet
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=31)
    launch(ec2, 3)
    CLOCK.advance(minutes=3)
    launch(ec2, 4)
    launch(ec2, 2, PLAIN)
    fast, cold = read_points(client, make_query(FAST), make_query(COLD))
    assert (fast, cold) == ({START + timedelta(minutes=30): 5}, {START + timedelta(minutes=30): 2})


def test_launches_that_bypass_the_pool_are_not_fast(client: Any) -> None:
    """A launch with block device mappings counts as not fast and leaves the stock."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80}}
    options = {"is_instance_type_default": True, "block_device_mappings": [mapping]}
    ec2.run_instances(AMI, 3, None, [], **options)
    fast, cold, stock = read_points(
        client, make_query(FAST), make_query(COLD), make_query(STOCK, "Minimum")
    )
    now = CLOCK.now()
    assert (fast, cold[now], stock[now]) == ({}, 3, 5)


def test_a_launch_from_an_owners_pool_counts_for_the_owner(connect: Connect) -> None:
    """A launch counts in the metrics of the account that owned the snapshot."""
    owner = get_backend("999988887777", REGION)
    owner.add_windows_image(AMI, name="shared", owner_id="999988887777", shared_with=[ACCOUNT])
    owner.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    launch(get_backend(ACCOUNT, REGION), 2)
    assert list_metrics(connect("cloudwatch")) == []
    owner_client = connect("cloudwatch", "999988887777")
    assert read_points(owner_client, make_query(FAST)) == [{CLOCK.now(): 2}]


def test_preparation_is_timed(client: Any) -> None:
    """The metrics report each preparation time, and the wait of each refill before it began.

    Ten snapshots are used at once, and six are prepared at a time: four refills wait.
    """
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI, target_resource_count=10)
    CLOCK.advance(hours=2)
    ec2.pace.preparation = timedelta(minutes=20)
    launch(ec2, 10)
    used_at = CLOCK.now()
    CLOCK.advance(hours=2)
    waits, refills, durations, creations = read_points(
        client,
        make_query(REFILL, "Average"),
        make_query(REFILL, "SampleCount"),
        make_query(CREATION, "Average"),
        make_query(CREATION, "SampleCount"),
    )
    minutes = {minute: used_at + timedelta(minutes=minute) for minute in (0, 20, 40)}
    assert waits == {minutes[0]: 0, minutes[20]: 1200}
    assert refills == {minutes[0]: 6, minutes[20]: 4}
    half_hours = [START + timedelta(minutes=minute) for minute in (30, 60)]
    assert durations == {**dict.fromkeys(half_hours, 1800), minutes[20]: 1200, minutes[40]: 1200}
    assert [*creations.values()] == [6, 4, 6, 4]


def test_a_failure_delays_the_refill_until_it_is_enabled_again(client: Any) -> None:
    """A refill waits through the failure, and a canceled preparation has no duration."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    ec2.break_preparation(AMI)
    launch(ec2, 1)
    CLOCK.advance(minutes=30)  # its preparation fails
    launch(ec2, 1)
    CLOCK.advance(minutes=60)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    waits, creations = read_points(client, make_query(REFILL), make_query(CREATION, "SampleCount"))
    assert [*waits.values()] == [0, 3600]
    assert [*creations.values()] == [5, 2]


def test_a_lower_target_cancels_preparations(client: Any) -> None:
    """Preparations above the new target never finish, and the stock falls at once."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI, target_resource_count=12)
    CLOCK.advance(minutes=40)
    ec2.enable_fast_launch(AMI, target_resource_count=8)
    CLOCK.advance(minutes=30)
    ec2.enable_fast_launch(AMI, target_resource_count=3)
    CLOCK.advance(minutes=10)
    stock, creations = read_points(
        client, make_query(STOCK, "Minimum"), make_query(CREATION, "SampleCount")
    )
    assert [*creations.values()] == [6, 2]
    assert [*stock.values()][-3:] == [3, 3, 3]


def test_refills_wait_until_the_first_fill_has_begun(client: Any) -> None:
    """While a pool fills for the first time, a refill waits until all of that has begun."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI, target_resource_count=20)
    CLOCK.advance(minutes=31)
    launch(ec2, 1)
    CLOCK.advance(hours=2)
    (waits,) = read_points(client, make_query(REFILL))
    assert waits == {START + timedelta(minutes=90): 59 * 60}


def test_canceled_refills_have_no_values(client: Any) -> None:
    """A refill that waits when the target is lowered or Fast Launch is abandoned never begins."""
    ec2 = get_backend(ACCOUNT, REGION)
    lower_target = partial(ec2.enable_fast_launch, AMI, target_resource_count=6)
    for cancel in (lower_target, partial(ec2.abandon, AMI)):
        ec2.enable_fast_launch(AMI, target_resource_count=10)
        CLOCK.advance(hours=1)
        launch(ec2, 10)
        cancel()
        ec2.enable_fast_launch(AMI, target_resource_count=10)
        CLOCK.advance(hours=1)
    (refills,) = read_points(client, make_query(REFILL, "SampleCount"))
    assert [*refills.values()] == [6, 6]


def test_a_new_pool_is_timed_from_its_own_start(client: Any) -> None:
    """Preparations that ran when Fast Launch was abandoned have no values."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=10)
    ec2.abandon(AMI)
    ec2.pace.preparation = timedelta(minutes=25)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(hours=1)
    (durations,) = read_points(client, make_query(CREATION, "Average"))
    assert durations == {START + timedelta(minutes=35): 25 * 60}


def test_metrics_remain_when_fast_launch_ends(client: Any) -> None:
    """Old values can still be read, and an image that is enabled again adds to them."""
    ec2 = get_backend(ACCOUNT, REGION)
    for _ in range(2):
        ec2.enable_fast_launch(AMI)
        CLOCK.advance(minutes=30)
        launch(ec2, 1)
        ec2.disable_fast_launch(AMI)
        CLOCK.advance(minutes=30)
    fast, stock = read_points(client, make_query(FAST), make_query(STOCK, "Maximum"))
    assert [*fast.values()] == [1, 1]
    periods = [(time - START) // timedelta(minutes=5) for time in stock]
    assert periods == [*range(8), *range(12, 20)]


def test_an_orphan_has_no_stock(client: Any) -> None:
    """The stock has no values after Fast Launch is abandoned."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    ec2.abandon(AMI)
    CLOCK.advance(hours=1)
    (stock,) = read_points(client, make_query(STOCK))
    assert [*stock.values()] == [0] * 6


# --- comparison with the model --------------------------------------------------------

_STEPS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 6)), max_size=10)


@given(steps=_STEPS, target=st.integers(1, 9), period=st.sampled_from([300, 600, 3600]))
def test_metrics_agree_with_the_model(
    client: Any, steps: list[tuple[int, int]], target: int, period: int
) -> None:
    """A Pool that is sampled every minute has the same extremes and the same fast launches."""
    reset_emulator()
    ec2 = add_amis()
    ec2.enable_fast_launch(AMI, target_resource_count=target)
    pool = Pool(target, 6, 1800)
    stocks, fast = {0: 0}, {0: 0}
    for minutes, count in steps:
        for _ in range(minutes):
            pool.advance(pool.now + 60)
            stocks[int(pool.now)], fast[int(pool.now)] = pool.stock, 0
        CLOCK.advance(minutes=minutes)
        launch(ec2, count)
        fast[int(pool.now)] = sum(pool.take() for _ in range(count))
        stocks[int(pool.now)] = pool.stock
    least, most, total = read_points(
        client,
        make_query(STOCK, "Minimum", period),
        make_query(STOCK, "Maximum", period),
        make_query(FAST, "Sum", period),
    )

    def reduce_by_period(values: dict[int, int], reduce: Any) -> dict[datetime, int]:
        groups: dict[int, list[int]] = {}
        for second, value in values.items():
            groups.setdefault(second // period, []).append(value)
        return {
            START + timedelta(seconds=period * number): reduce(group)
            for number, group in groups.items()
        }

    assert least == reduce_by_period(stocks, min)
    assert most == reduce_by_period(stocks, max)
    totals = reduce_by_period(fast, sum)
    assert total == {time: count for time, count in totals.items() if count}


# --- requests -------------------------------------------------------------------------


def test_metrics_with_values_are_listed(either_client: Any) -> None:
    """ListMetrics lists the metrics of an image that have values, and applies its filters."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    assert list_metrics(either_client) == [(STOCK, AMI)]
    CLOCK.advance(minutes=30)
    launch(ec2, 6)
    assert list_metrics(either_client) == [(name, AMI) for name in FIVE]
    assert list_metrics(either_client, MetricName=COLD) == [(COLD, AMI)]
    assert list_metrics(either_client, Dimensions=[{"Name": "ImageId"}], MetricName=FAST) == [
        (FAST, AMI)
    ]
    assert list_metrics(either_client, Dimensions=[{"Name": "ImageId", "Value": PLAIN}]) == []
    assert either_client.list_metrics(Namespace="AWS/EBS")["Metrics"] == []


def test_metrics_without_recent_values_are_not_listed(client: Any) -> None:
    """ListMetrics omits metrics without a value for two weeks, or three hours if RecentlyActive."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(hours=1)
    launch(ec2, 1)
    CLOCK.advance(hours=4)
    assert list_metrics(client, RecentlyActive="PT3H") == [(STOCK, AMI)]
    CLOCK.advance(days=13)
    assert (FAST, AMI) in list_metrics(client)
    CLOCK.advance(days=1)
    assert list_metrics(client) == [(STOCK, AMI)]
    ec2.disable_fast_launch(AMI)
    CLOCK.advance(days=15)
    assert list_metrics(client) == []


def test_metrics_are_listed_in_pages(client: Any) -> None:
    """A page has 500 metrics; a page can be read again, and an invalid token is refused."""
    ec2 = get_backend(ACCOUNT, REGION)
    ids = [f"ami-{number:017x}" for number in range(501)]
    for image_id in ids:
        full = client.list_metrics(Namespace="AWS/EC2") if image_id == ids[-1] else None
        image = FastLaunchImage(image_id, state="enabling", target_resource_count=1)
        add_fast_launch_images(ec2, [image])
        ec2.disable_fast_launch(image_id)
    assert full is not None
    assert ("NextToken" in full, len(full["Metrics"])) == (False, 500)
    assert [image_id for _, image_id in list_metrics(client)] == ids
    first = client.list_metrics(Namespace="AWS/EC2")
    assert len(first["Metrics"]) == 500
    for _ in range(2):
        second = client.list_metrics(Namespace="AWS/EC2", NextToken=first["NextToken"])
        assert ("NextToken" in second, len(second["Metrics"])) == (False, 1)
    with pytest.raises(ClientError) as caught:
        client.list_metrics(NextToken="x")
    assert error_code(caught) == "InvalidParameterValue"


@pytest.mark.parametrize("order", ["TimestampAscending", "TimestampDescending"])
def test_points_come_in_pages(either_client: Any, order: str) -> None:
    """Pages of seven points together equal one large page, in either order."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(hours=2)
    launch(ec2, 2)
    request = {
        "MetricDataQueries": [
            make_query(STOCK),
            make_query(COLD),
            make_query(FAST),
            make_query(CREATION),
        ],
        "StartTime": START,
        "EndTime": CLOCK.now() + timedelta(seconds=1),
        "ScanBy": order,
    }
    full = either_client.get_metric_data(**request)
    assert "NextToken" not in full
    joined: dict[str, list[Any]] = {}
    pages = [either_client.get_metric_data(**request, MaxDatapoints=7)]
    while token := pages[-1].get("NextToken"):
        pages.append(either_client.get_metric_data(**request, MaxDatapoints=7, NextToken=token))
    for page in pages:
        assert sum(len(result["Values"]) for result in page["MetricDataResults"]) <= 7
        for result in page["MetricDataResults"]:
            pairs = zip(result["Timestamps"], result["Values"], strict=True)
            joined.setdefault(result["Id"], []).extend(pairs)
    assert len(pages) == 4
    assert pages[0]["MetricDataResults"][0]["StatusCode"] == "PartialData"
    assert {result["StatusCode"] for result in pages[-1]["MetricDataResults"]} == {"Complete"}
    assert joined == {
        result["Id"]: [*zip(result["Timestamps"], result["Values"], strict=True)]
        for result in full["MetricDataResults"]
    }
    times = full["MetricDataResults"][0]["Timestamps"]
    assert times == sorted(times, reverse=order == "TimestampDescending")
    with pytest.raises(ClientError) as caught:
        either_client.get_metric_data(**request, NextToken="x")
    assert error_code(caught) == "InvalidParameterValue"


def test_a_window_begins_with_the_period_of_its_start(client: Any) -> None:
    """Periods begin at multiples of their length, and the end of the window is excluded."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(hours=3)
    answer = client.get_metric_data(
        MetricDataQueries=[make_query(STOCK, "SampleCount", period=3600)],
        StartTime=START + timedelta(minutes=59),
        EndTime=START + timedelta(hours=2),
        ScanBy="TimestampAscending",
    )
    (result,) = answer["MetricDataResults"]
    assert result["Timestamps"] == [START, START + timedelta(hours=1)]
    assert result["Values"] == [12, 12]


def test_a_shorter_period_has_the_same_points(client: Any) -> None:
    """Points are five minutes apart; a shorter period returns those that begin in the window."""
    get_backend(ACCOUNT, REGION).enable_fast_launch(AMI)
    CLOCK.advance(minutes=16)
    (points,) = read_points(
        client, make_query(STOCK, period=60), start=START + timedelta(minutes=7)
    )
    assert [*points] == [START + timedelta(minutes=minute) for minute in (10, 15)]


def test_get_metric_statistics_agrees_with_get_metric_data(either_client: Any) -> None:
    """GetMetricStatistics returns the same values as GetMetricData, with the unit."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=50)
    launch(ec2, 300)  # more than the pool holds
    stats = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]
    window = {"StartTime": START, "EndTime": CLOCK.now() + timedelta(seconds=1)}
    for name in FIVE:
        answer = either_client.get_metric_statistics(
            **make_metric(name), Period=600, Statistics=stats, **window
        )
        expected = read_points(
            either_client, *(make_query(name, stat, period=600) for stat in stats)
        )
        points = [
            {point["Timestamp"]: point[stat] for point in answer["Datapoints"]} for stat in stats
        ]
        assert points == expected, name
        unit = "Seconds" if "Time" in name else "Count"
        assert {point["Unit"] for point in answer["Datapoints"]} == {unit}, name


def test_a_metric_that_does_not_match_has_no_points(client: Any) -> None:
    """Another image, no image, an extra dimension or another unit returns no points."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=10)
    wrong = [make_query(STOCK) for _ in range(4)]
    wrong[0]["MetricStat"]["Metric"] = make_metric(STOCK, PLAIN)
    wrong[1]["MetricStat"]["Metric"] = {**make_metric(STOCK), "Dimensions": []}
    wrong[2]["MetricStat"]["Metric"]["Dimensions"].append({"Name": "InstanceId", "Value": "i"})
    wrong[3] = make_query(STOCK, Unit="Seconds")
    assert [read_points(client, query) for query in wrong] == [[{}]] * 4
    (points,) = read_points(client, make_query(STOCK, Unit="Count"))
    assert len(points) == 3


def test_other_metrics_work_as_in_moto(client: Any) -> None:
    """Metrics that a client puts are read together with ours, in the order of the queries."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    datum = {"MetricName": "CPUUtilization", "Value": 7.0, "Timestamp": START}
    client.put_metric_data(Namespace="AWS/EC2", MetricData=[datum])
    cpu = make_query("CPUUtilization")
    cpu["MetricStat"]["Metric"]["Dimensions"] = []
    assert read_points(client, make_query(STOCK), cpu, make_query(STOCK, "Maximum")) == [
        {START: 0},
        {START: 7},
        {START: 0},
    ]
    names = [metric["MetricName"] for metric in client.list_metrics()["Metrics"]]
    assert names == ["CPUUtilization", STOCK]
    answer = client.get_metric_statistics(
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        Period=300,
        Statistics=["Sum"],
        StartTime=START,
        EndTime=START + timedelta(minutes=5),
    )
    assert [point["Sum"] for point in answer["Datapoints"]] == [7]


def test_a_query_may_return_nothing(client: Any) -> None:
    """A query with ReturnData=False, which only other queries refer to, has no result."""
    get_backend(ACCOUNT, REGION).enable_fast_launch(AMI)
    answer = client.get_metric_data(
        MetricDataQueries=[{**make_query(STOCK), "ReturnData": False}, make_query(COLD)],
        StartTime=START,
        EndTime=START + timedelta(minutes=5),
    )
    (result,) = answer["MetricDataResults"]
    assert (result["Label"], result["Values"]) == (COLD, [])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Statistics": ["p99"]}, "ValidationError"),
        ({"Statistics": None, "ExtendedStatistics": ["p99"]}, "InvalidParameterCombination"),
        ({"EndTime": START}, "InvalidParameterValue"),
        ({"EndTime": START + timedelta(days=6)}, "InvalidParameterCombination"),
    ],
)
def test_invalid_get_metric_statistics_is_refused(
    client: Any, change: dict[str, Any], expected: str
) -> None:
    """Percentiles, an empty window and more than 1,440 points are refused."""
    window = {"StartTime": START, "EndTime": START + timedelta(days=5)}
    valid = {**make_metric(STOCK), "Period": 300, "Statistics": ["Sum"], **window}
    client.get_metric_statistics(**valid)
    wrong = {**valid, **change}
    with pytest.raises(ClientError) as caught:
        client.get_metric_statistics(**{name: value for name, value in wrong.items() if value})
    assert error_code(caught) == expected


def test_invalid_get_metric_data_is_refused(client: Any) -> None:
    """Percentiles and more than 100,800 points per page are refused."""
    window = {"StartTime": START, "EndTime": START + timedelta(hours=1)}
    for wrong in (
        {"MetricDataQueries": [make_query(STOCK, "p99")]},
        {"MetricDataQueries": [make_query(STOCK)], "MaxDatapoints": 100_801},
    ):
        with pytest.raises(ClientError) as caught:
            client.get_metric_data(**window, **wrong)
        assert error_code(caught) == "ValidationError"
