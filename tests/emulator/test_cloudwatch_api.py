"""CloudWatch and Service Quotas of the embedded EC2, by plain boto3, against naive counting."""

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
from tests.helpers.samples import ACCOUNT, REGION, Connect

AMI, PLAIN = "ami-0123456789abcdef0", "ami-0000000000000000f"
STOCK = "NumberOfAvailableFastLaunchSnapshots"
FAST, COLD = "NumberOfInstancesFastLaunched", "NumberOfInstancesNotFastLaunched"
REFILL, CREATION = "FastLaunchSnapshotUsedToRefillStartTime", "FastLaunchSnapshotCreationTime"
FIVE = (STOCK, FAST, COLD, REFILL, CREATION)


def populated() -> Any:
    """Return the state of an account and region with two AMIs, of which none is enabled."""
    ec2 = get_backend(ACCOUNT, REGION)
    for image_id in (AMI, PLAIN):
        ec2.add_windows_image(image_id, name="own", owner_id=ACCOUNT)
    return ec2


@pytest.fixture
def client(ec2: Any) -> Any:
    """A boto3 client of CloudWatch, in-process, where there are two AMIs."""
    populated()
    return boto3.client("cloudwatch", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def either(connect: Connect) -> Any:
    """The same, in-process and over HTTP: for one test of each operation."""
    populated()
    return connect("cloudwatch")


def later(**duration: float) -> datetime:
    """Let virtual time pass."""
    return CLOCK.advance(**duration)


def launch(ec2: Any, count: int, image_id: str = AMI) -> None:
    """Launch instances."""
    asked = {"instance_type": "m5.large", "is_instance_type_default": True}
    ec2.run_instances(image_id, count, None, [], **asked)


def metric(name: str, image_id: str = AMI) -> dict[str, Any]:
    """Return a metric as CloudWatch is asked for it."""
    dimensions = [{"Name": "ImageId", "Value": image_id}]
    return {"Namespace": "AWS/EC2", "MetricName": name, "Dimensions": dimensions}


def query(name: str, stat: str = "Sum", period: int = 300, **more: Any) -> dict[str, Any]:
    """Return one query of GetMetricData."""
    asked = {"Metric": metric(name), "Period": period, "Stat": stat, **more}
    return {"Id": f"{name[0].lower()}{name[1:]}{stat}", "MetricStat": asked}


def read(
    client: Any, *queries: dict[str, Any], start: datetime = START, **more: Any
) -> list[dict[datetime, float]]:
    """Return the points of each query from a time until now, in the order of time."""
    end = CLOCK.now() + timedelta(seconds=1)
    asked = {"ScanBy": "TimestampAscending", **more}
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, **asked
    )
    found: dict[str, dict[datetime, float]] = {each["Id"]: {} for each in queries}
    for page in pages:
        for result in page["MetricDataResults"]:
            points = zip(result["Timestamps"], result["Values"], strict=True)
            found[result["Id"]].update(points)
    return [found[each["Id"]] for each in queries]


def listed(client: Any, **asked: Any) -> list[tuple[str, str]]:
    """Return name and image of each metric that CloudWatch lists."""
    pages = client.get_paginator("list_metrics").paginate(Namespace="AWS/EC2", **asked)
    return [
        (found["MetricName"], found["Dimensions"][0]["Value"])
        for page in pages
        for found in page["Metrics"]
    ]


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


# --- what is told ---------------------------------------------------------------------


def test_the_stock_is_told_every_five_minutes_and_at_each_change(client: Any) -> None:
    """From the request that enables an image on, and until it is disabled; not before or after."""
    ec2 = get_backend(ACCOUNT, REGION)
    later(minutes=7)
    ec2.enable_fast_launch(AMI)
    later(minutes=28)
    launch(ec2, 1)  # two minutes before the snapshots come
    later(minutes=4)
    launch(ec2, 2)
    later(minutes=1)
    ec2.disable_fast_launch(AMI)
    later(hours=2)
    least, most, count = read(
        client, *(query(STOCK, stat) for stat in ("Minimum", "Maximum", "SampleCount"))
    )
    after = {(time - START) // timedelta(minutes=1): value for time, value in most.items()}
    assert after == {**dict.fromkeys(range(5, 35, 5), 0), 35: 5, 40: 3, 45: 3}
    assert [least[START + timedelta(minutes=minute)] for minute in (30, 35, 40)] == [0, 0, 3]
    assert [*count.values()] == [1, *[1] * 5, 3, 1, 1]


def test_launches_are_counted_when_they_are(client: Any) -> None:
    """Fast and cold ones add up in their period; where there was none there is no point."""
    ec2 = get_backend(ACCOUNT, REGION)
    launch(ec2, 1)  # not enabled yet
    ec2.enable_fast_launch(AMI)
    later(minutes=31)
    launch(ec2, 3)
    later(minutes=3)
    launch(ec2, 4)
    launch(ec2, 2, PLAIN)
    fast, cold = read(client, query(FAST), query(COLD))
    assert (fast, cold) == ({START + timedelta(minutes=30): 5}, {START + timedelta(minutes=30): 2})


def test_launches_that_bypass_the_pool_are_not_fast(client: Any) -> None:
    """Block device mappings make a launch count as one that was not fast, and leave the stock."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(minutes=30)
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80}}
    asked = {"is_instance_type_default": True, "block_device_mappings": [mapping]}
    ec2.run_instances(AMI, 3, None, [], **asked)
    fast, cold, stock = read(client, query(FAST), query(COLD), query(STOCK, "Minimum"))
    now = CLOCK.now()
    assert (fast, cold[now], stock[now]) == ({}, 3, 5)


def test_a_launch_from_an_owners_pool_counts_for_the_owner(connect: Connect) -> None:
    """The metrics are those of the account whose snapshot it was."""
    other = get_backend("999988887777", REGION)
    other.add_windows_image(AMI, name="shared", owner_id="999988887777", shared_with=[ACCOUNT])
    other.enable_fast_launch(AMI)
    later(minutes=30)
    launch(get_backend(ACCOUNT, REGION), 2)
    assert listed(connect("cloudwatch")) == []
    theirs = connect("cloudwatch", "999988887777")
    assert read(theirs, query(FAST)) == [{CLOCK.now(): 2}]


def test_preparation_is_timed(client: Any) -> None:
    """What each snapshot took, and how long one that was used waited until its refill began.

    Ten are used at once, and six are prepared at a time: four wait until those are done.
    """
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI, target_resource_count=10)
    later(hours=2)
    ec2.pace.preparation = timedelta(minutes=20)
    launch(ec2, 10)
    used = CLOCK.now()
    later(hours=2)
    waited, refilled, took, made = read(
        client,
        query(REFILL, "Average"),
        query(REFILL, "SampleCount"),
        query(CREATION, "Average"),
        query(CREATION, "SampleCount"),
    )
    minutes = {minute: used + timedelta(minutes=minute) for minute in (0, 20, 40)}
    assert waited == {minutes[0]: 0, minutes[20]: 1200}
    assert refilled == {minutes[0]: 6, minutes[20]: 4}
    half_hours = [START + timedelta(minutes=minute) for minute in (30, 60)]
    assert took == {**dict.fromkeys(half_hours, 1800), minutes[20]: 1200, minutes[40]: 1200}
    assert [*made.values()] == [6, 4, 6, 4]


def test_a_failure_delays_the_refill_until_it_is_enabled_again(client: Any) -> None:
    """What was used before waits all the time, and what was given up took no time."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(minutes=30)
    ec2.break_preparation(AMI)
    launch(ec2, 1)
    later(minutes=30)  # its preparation fails
    launch(ec2, 1)
    later(minutes=60)
    ec2.enable_fast_launch(AMI)
    later(minutes=30)
    waited, made = read(client, query(REFILL), query(CREATION, "SampleCount"))
    assert [*waited.values()] == [0, 3600]
    assert [*made.values()] == [5, 2]


def test_a_target_that_is_lowered_gives_up_what_is_in_preparation(client: Any) -> None:
    """What no longer has a place is never made, and the stock falls at once."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI, target_resource_count=12)
    later(minutes=40)
    ec2.enable_fast_launch(AMI, target_resource_count=8)
    later(minutes=30)
    ec2.enable_fast_launch(AMI, target_resource_count=3)
    later(minutes=10)
    stock, made = read(client, query(STOCK, "Minimum"), query(CREATION, "SampleCount"))
    assert [*made.values()] == [6, 2]
    assert [*stock.values()][-3:] == [3, 3, 3]


def test_what_was_wanted_before_is_prepared_before(client: Any) -> None:
    """While a pool fills for the first time, what is used waits until all of that has begun."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI, target_resource_count=20)
    later(minutes=31)
    launch(ec2, 1)
    later(hours=2)
    (waited,) = read(client, query(REFILL))
    assert waited == {START + timedelta(minutes=90): 59 * 60}


def test_what_is_no_longer_wanted_is_never_refilled(client: Any) -> None:
    """Nor is what waited for its refill when the target was lowered, or Fast Launch forgotten."""
    ec2 = get_backend(ACCOUNT, REGION)
    lowered = partial(ec2.enable_fast_launch, AMI, target_resource_count=6)
    for given_up in (lowered, partial(ec2.abandon, AMI)):
        ec2.enable_fast_launch(AMI, target_resource_count=10)
        later(hours=1)
        launch(ec2, 10)
        given_up()
        ec2.enable_fast_launch(AMI, target_resource_count=10)
        later(hours=1)
    refilled = read(client, query(REFILL, "SampleCount"))[0]
    assert [*refilled.values()] == [6, 6]


def test_a_pool_that_begins_anew_is_timed_anew(client: Any) -> None:
    """What was in preparation when Fast Launch was forgotten is never told of."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(minutes=10)
    ec2.abandon(AMI)
    ec2.pace.preparation = timedelta(minutes=25)
    ec2.enable_fast_launch(AMI)
    later(hours=1)
    took = read(client, query(CREATION, "Average"))[0]
    assert took == {START + timedelta(minutes=35): 25 * 60}


def test_metrics_stay_when_fast_launch_ends(client: Any) -> None:
    """What was told stays to be read, and an image that is enabled again goes on."""
    ec2 = get_backend(ACCOUNT, REGION)
    for _ in range(2):
        ec2.enable_fast_launch(AMI)
        later(minutes=30)
        launch(ec2, 1)
        ec2.disable_fast_launch(AMI)
        later(minutes=30)
    launched, stock = read(client, query(FAST), query(STOCK, "Maximum"))
    assert [*launched.values()] == [1, 1]
    there = [(time - START) // timedelta(minutes=5) for time in stock]
    assert there == [*range(8), *range(12, 20)]


def test_an_orphan_has_no_stock(client: Any) -> None:
    """Where Fast Launch was forgotten nothing more is told."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(minutes=30)
    ec2.abandon(AMI)
    later(hours=1)
    (stock,) = read(client, query(STOCK))
    assert [*stock.values()] == [0] * 6


# --- the law --------------------------------------------------------------------------

_STEPS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 6)), max_size=10)


@given(steps=_STEPS, target=st.integers(1, 9), period=st.sampled_from([300, 600, 3600]))
def test_metrics_agree_with_the_model(
    client: Any, steps: list[tuple[int, int]], target: int, period: int
) -> None:
    """A Pool that is looked at every minute has the same extremes, and counts the same launches."""
    reset_emulator()
    ec2 = populated()
    ec2.enable_fast_launch(AMI, target_resource_count=target)
    pool = Pool(target, 6, 1800)
    stocks, fast = {0: 0}, {0: 0}
    for minutes, count in steps:
        for _ in range(minutes):
            pool.advance(pool.now + 60)
            stocks[int(pool.now)], fast[int(pool.now)] = pool.stock, 0
        later(minutes=minutes)
        launch(ec2, count)
        fast[int(pool.now)] = sum(pool.take() for _ in range(count))
        stocks[int(pool.now)] = pool.stock
    wanted = ((STOCK, "Minimum"), (STOCK, "Maximum"), (FAST, "Sum"))
    least, most, total = read(client, *(query(*each, period=period) for each in wanted))

    def naive(values: dict[int, int], reduce: Any) -> dict[datetime, int]:
        grouped: dict[int, list[int]] = {}
        for second, value in values.items():
            grouped.setdefault(second // period, []).append(value)
        return {START + timedelta(seconds=period * n): reduce(some) for n, some in grouped.items()}

    assert least == naive(stocks, min)
    assert most == naive(stocks, max)
    assert total == {time: count for time, count in naive(fast, sum).items() if count}


# --- what is asked --------------------------------------------------------------------


def test_the_five_metrics_are_listed(either: Any) -> None:
    """Each of an image that has had a value, with ImageId as its dimension; filters hold."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    assert listed(either) == [(STOCK, AMI)]
    later(minutes=30)
    launch(ec2, 6)
    assert listed(either) == [(name, AMI) for name in FIVE]
    assert listed(either, MetricName=COLD) == [(COLD, AMI)]
    assert listed(either, Dimensions=[{"Name": "ImageId"}], MetricName=FAST) == [(FAST, AMI)]
    assert listed(either, Dimensions=[{"Name": "ImageId", "Value": PLAIN}]) == []
    assert either.list_metrics(Namespace="AWS/EBS")["Metrics"] == []


def test_what_has_had_no_value_for_two_weeks_is_not_listed(client: Any) -> None:
    """And where only recent ones are asked for, for three hours."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(hours=1)
    launch(ec2, 1)
    later(hours=4)
    assert listed(client, RecentlyActive="PT3H") == [(STOCK, AMI)]
    later(days=13)
    assert (FAST, AMI) in listed(client)
    later(days=1)
    assert listed(client) == [(STOCK, AMI)]
    ec2.disable_fast_launch(AMI)
    later(days=15)
    assert listed(client) == []


def test_metrics_are_listed_in_pages(client: Any) -> None:
    """500 a page, each metric once; a page can be asked for again, and a bad token not."""
    ec2 = get_backend(ACCOUNT, REGION)
    ids = [f"ami-{number:017x}" for number in range(501)]
    for image_id in ids:
        whole = client.list_metrics(Namespace="AWS/EC2") if image_id == ids[-1] else None
        image = FastLaunchImage(image_id, state="enabling", target_resource_count=1)
        ec2.add_fast_launch_image(image)
        ec2.disable_fast_launch(image_id)
    assert whole is not None
    assert ("NextToken" in whole, len(whole["Metrics"])) == (False, 500)
    assert [image_id for _, image_id in listed(client)] == ids
    first = client.list_metrics(Namespace="AWS/EC2")
    assert len(first["Metrics"]) == 500
    for _ in range(2):
        second = client.list_metrics(Namespace="AWS/EC2", NextToken=first["NextToken"])
        assert ("NextToken" in second, len(second["Metrics"])) == (False, 1)
    with pytest.raises(ClientError) as caught:
        client.list_metrics(NextToken="x")
    assert code(caught) == "InvalidParameterValue"


@pytest.mark.parametrize("order", ["TimestampAscending", "TimestampDescending"])
def test_points_come_in_pages(either: Any, order: str) -> None:
    """Pages of seven points together are what one page has, in either order."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(hours=2)
    launch(ec2, 2)
    asked = {
        "MetricDataQueries": [query(STOCK), query(COLD), query(FAST), query(CREATION)],
        "StartTime": START,
        "EndTime": CLOCK.now() + timedelta(seconds=1),
        "ScanBy": order,
    }
    whole = either.get_metric_data(**asked)
    assert "NextToken" not in whole
    joined: dict[str, list[Any]] = {}
    pages = [either.get_metric_data(**asked, MaxDatapoints=7)]
    while token := pages[-1].get("NextToken"):
        pages.append(either.get_metric_data(**asked, MaxDatapoints=7, NextToken=token))
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
        for result in whole["MetricDataResults"]
    }
    times = whole["MetricDataResults"][0]["Timestamps"]
    assert times == sorted(times, reverse=order == "TimestampDescending")
    with pytest.raises(ClientError) as caught:
        either.get_metric_data(**asked, NextToken="x")
    assert code(caught) == "InvalidParameterValue"


def test_a_window_begins_with_the_period_it_starts_in(client: Any) -> None:
    """Periods are whole multiples of themselves, and an end is not included."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(hours=3)
    answer = client.get_metric_data(
        MetricDataQueries=[query(STOCK, "SampleCount", period=3600)],
        StartTime=START + timedelta(minutes=59),
        EndTime=START + timedelta(hours=2),
        ScanBy="TimestampAscending",
    )
    (result,) = answer["MetricDataResults"]
    assert result["Timestamps"] == [START, START + timedelta(hours=1)]
    assert result["Values"] == [12, 12]


def test_a_shorter_period_has_the_same_points(client: Any) -> None:
    """Nothing is finer than five minutes: a window of single ones holds those that begin in it."""
    get_backend(ACCOUNT, REGION).enable_fast_launch(AMI)
    later(minutes=16)
    (points,) = read(client, query(STOCK, period=60), start=START + timedelta(minutes=7))
    assert [*points] == [START + timedelta(minutes=minute) for minute in (10, 15)]


def test_the_statistics_of_one_metric_are_the_same(either: Any) -> None:
    """GetMetricStatistics has what GetMetricData has."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(minutes=50)
    launch(ec2, 300)  # more than there are
    stats = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]
    window = {"StartTime": START, "EndTime": CLOCK.now() + timedelta(seconds=1)}
    for name in FIVE:
        asked = {**metric(name), "Period": 600, "Statistics": stats, **window}
        answer = either.get_metric_statistics(**asked)
        expected = read(either, *(query(name, stat, period=600) for stat in stats))
        found = [
            {point["Timestamp"]: point[stat] for point in answer["Datapoints"]} for stat in stats
        ]
        assert found == expected, name
        unit = "Seconds" if "Time" in name else "Count"
        assert {point["Unit"] for point in answer["Datapoints"]} == {unit}, name


def test_what_does_not_match_has_no_points(client: Any) -> None:
    """Another image, no image, one dimension more, another unit: that is another metric."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    later(minutes=10)
    wrong = [query(STOCK) for _ in range(4)]
    wrong[0]["MetricStat"]["Metric"] = metric(STOCK, PLAIN)
    wrong[1]["MetricStat"]["Metric"] = {**metric(STOCK), "Dimensions": []}
    wrong[2]["MetricStat"]["Metric"]["Dimensions"].append({"Name": "InstanceId", "Value": "i"})
    wrong[3] = query(STOCK, Unit="Seconds")
    assert [read(client, each) for each in wrong] == [[{}]] * 4
    (right,) = read(client, query(STOCK, Unit="Count"))
    assert len(right) == 3


def test_motos_own_metrics_are_as_they_were(client: Any) -> None:
    """What somebody puts there is read beside ours, in the order in which it is asked for."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    theirs = {"MetricName": "CPUUtilization", "Value": 7.0, "Timestamp": START}
    client.put_metric_data(Namespace="AWS/EC2", MetricData=[theirs])
    cpu = query("CPUUtilization")
    cpu["MetricStat"]["Metric"]["Dimensions"] = []
    assert read(client, query(STOCK), cpu, query(STOCK, "Maximum")) == [
        {START: 0},
        {START: 7},
        {START: 0},
    ]
    names = [found["MetricName"] for found in client.list_metrics()["Metrics"]]
    assert names == ["CPUUtilization", STOCK]
    asked = {"Period": 300, "Statistics": ["Sum"], "StartTime": START}
    answer = client.get_metric_statistics(
        **asked,
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        EndTime=START + timedelta(minutes=5),
    )
    assert [point["Sum"] for point in answer["Datapoints"]] == [7]


def test_a_query_may_return_nothing(client: Any) -> None:
    """What is only there for others to refer to is left out."""
    get_backend(ACCOUNT, REGION).enable_fast_launch(AMI)
    answer = client.get_metric_data(
        MetricDataQueries=[{**query(STOCK), "ReturnData": False}, query(COLD)],
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
def test_what_cannot_be_asked_of_one_metric(
    client: Any, change: dict[str, Any], expected: str
) -> None:
    """Percentiles, no time, and more than 1,440 points are refused."""
    end = START + timedelta(days=5)
    asked = {**metric(STOCK), "Period": 300, "Statistics": ["Sum"], "StartTime": START}
    client.get_metric_statistics(**{**asked, "EndTime": end})
    wrong = {**asked, "EndTime": end, **change}
    with pytest.raises(ClientError) as caught:
        client.get_metric_statistics(**{name: value for name, value in wrong.items() if value})
    assert code(caught) == expected


def test_what_cannot_be_asked_of_many(client: Any) -> None:
    """Percentiles, and more points than GetMetricData gives, are refused."""
    asked = {"StartTime": START, "EndTime": START + timedelta(hours=1)}
    for wrong in (
        {"MetricDataQueries": [query(STOCK, "p99")]},
        {"MetricDataQueries": [query(STOCK)], "MaxDatapoints": 100_801},
    ):
        with pytest.raises(ClientError) as caught:
            client.get_metric_data(**asked, **wrong)
        assert code(caught) == "ValidationError"


# --- Service Quotas -------------------------------------------------------------------


def test_the_quota_of_parallel_launches(connect: Connect) -> None:
    """It is 40 by default, and as it was set in one account and region; others are moto's."""
    client = connect("service-quotas")
    asked = {"ServiceCode": "ec2fastlaunch", "QuotaCode": "L-DC79B53E"}
    quota = client.get_service_quota(**asked)["Quota"]
    assert (quota["Value"], quota["QuotaName"]) == (40, "Parallel instance launches")
    get_backend(ACCOUNT, REGION).parallel_quota = 100
    assert client.get_service_quota(**asked)["Quota"]["Value"] == 100
    other = connect("service-quotas", "999988887777")
    assert other.get_service_quota(**asked)["Quota"]["Value"] == 40
    vpc = client.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]
    assert vpc["ServiceCode"] == "vpc"
    with pytest.raises(ClientError) as caught:
        client.get_service_quota(ServiceCode="ec2fastlaunch", QuotaCode="L-00000000")
    assert code(caught) == "NoSuchResourceException"
