"""AWS's limits, on each side of each: what is asked at once, how far back, and in which pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import boto3
import pandas as pd
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.emulator import fast_launch_backend
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import FastLaunchBackend
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.errors import FastLaunchError
from fastlaunch_nb.joins import cloudwatch, fetch, queries
from fastlaunch_nb.joins.queries import AccountRegion
from fastlaunch_nb.schema.columns import COMPLETE
from tests.helpers.samples import ACCOUNT, REGION

NOON = pd.Timestamp("2026-01-15T12:00:00Z")


class Asker:
    """Answers a page a request, and notes what it was asked."""

    region = REGION
    access = None

    def __init__(self, answer: Callable[[str, dict[str, Any]], Sequence[Any]]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any], int | None]] = []

    def pages(
        self, _service: str, operation: str, part: str, request: Any, page_size: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the one page there is."""
        self.asked.append((operation, dict(request), page_size))
        yield {part: self.answer(operation, request)}

    def items(self, *asked: Any) -> Iterator[Any]:
        """Yield what the page lists."""
        for page in self.pages(*asked):
            yield from page[asked[2]]

    def sizes(self, operation: str, part: Callable[[dict[str, Any]], Sequence[Any]]) -> list[int]:
        """Return how much each request of an operation asked for."""
        return [len(part(request)) for name, request, _ in self.asked if name == operation]

    def page_sizes(self, operation: str) -> set[int | None]:
        """Return the page sizes that were asked for."""
        return {size for name, _, size in self.asked if name == operation}


def place_of(asker: Any, count: int) -> AccountRegion:
    """Return a place with so many images."""
    return AccountRegion(ACCOUNT, asker, [f"ami-{number}" for number in range(count)])


def values(request: dict[str, Any]) -> Sequence[str]:
    """Return the values of a request's first filter."""
    found: Sequence[str] = request["Filters"][0]["Values"]
    return found


# --- values of a filter, 200 ----------------------------------------------------------

IN_BATCHES = [(0, []), (1, [1]), (199, [199]), (200, [200]), (201, [200, 1]),
              (400, [200, 200]), (401, [200, 200, 1])]  # fmt: skip


@pytest.mark.parametrize(("count", "expected"), IN_BATCHES)
def test_amis_are_asked_for_200_at_a_time(count: int, expected: list[int]) -> None:
    """EC2 takes 200 values of a filter: each image is asked for once."""
    asker = Asker(lambda _, request: [{"ImageId": value} for value in values(request)])
    place = place_of(asker, count)
    assert [row["image_id"] for row in queries.listed(place)] == place.image_ids
    assert asker.sizes("DescribeImages", values) == expected


@pytest.mark.parametrize(("count", "expected"), IN_BATCHES)
def test_names_are_asked_for_200_at_a_time(
    count: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are the ids of the AMIs that have these names, of DescribeFastLaunchImages."""
    asked: list[int] = []

    def read(_access: Any, _region: str, request: dict[str, Any]) -> Any:
        asked.append(len(request["ImageIds"]))
        return SimpleNamespace(items=[{"ImageId": name} for name in request["ImageIds"][:1]])

    monkeypatch.setattr("fastlaunch_nb.joins.queries.read_fast_launch_images", read)
    asker = Asker(lambda _, request: [{"ImageId": v, "Name": v} for v in values(request)])
    names = [f"win-{number}" for number in range(count)]
    rows = place_of(asker, 0).of_names(names)
    assert [row["image_name"] for row in rows] == names
    assert asker.sizes("DescribeImages", values) == expected
    assert asked == expected
    assert sum(row["has"] for row in rows) == len(expected)


@pytest.mark.parametrize(("count", "expected"), IN_BATCHES)
def test_instances_are_asked_for_200_at_a_time(count: int, expected: list[int]) -> None:
    """And so are their volumes, and the snapshots that these were made of."""
    answers: dict[str, Callable[[str], Any]] = {
        "DescribeImages": lambda value: {"ImageId": value},
        "DescribeInstances": lambda value: {"Instances": [_instance(value)]},
        "DescribeVolumes": lambda value: {"VolumeId": value, "SnapshotId": f"snap-{value}"},
        "DescribeSnapshots": lambda value: {"SnapshotId": value, "Tags": [queries._TAG]},
    }
    asker = Asker(lambda name, request: [answers[name](value) for value in values(request)])
    rows = queries.instances(place_of(asker, count))
    assert [row["fast"] for row in rows] == [1] * count
    for operation, size in (
        ("DescribeInstances", 1000),
        ("DescribeVolumes", 500),
        ("DescribeSnapshots", 1000),
    ):
        assert asker.sizes(operation, values) == expected, operation
        assert asker.page_sizes(operation) <= {size}, operation


def _instance(image_id: str) -> dict[str, Any]:
    device = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": f"vol-{image_id}"}}
    return {
        "ImageId": image_id,
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [device],
    }


def test_snapshots_are_read_1000_a_page() -> None:
    """The largest page there is."""
    asker = Asker(lambda *_: [{"SnapshotId": "snap-1"}])
    assert len(queries.made_snapshots(place_of(asker, 1))) == 1
    assert asker.page_sizes("DescribeSnapshots") == {1000}


# --- queries of GetMetricData, 500 ----------------------------------------------------


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
def test_numbers_are_asked_for_500_at_a_time(count: int, expected: list[int]) -> None:
    """GetMetricData takes 500 queries, and each image's numbers are its own."""
    place = place_of(None, count)
    place.until = NOON

    def answer(operation: str, request: dict[str, Any]) -> Sequence[Any]:
        if operation == "ListMetrics":
            name = request["MetricName"]
            return [
                {"MetricName": name, "Dimensions": [{"Name": "ImageId", "Value": image_id}]}
                for image_id in place.image_ids
            ]
        return [_answered(query) for query in request["MetricDataQueries"]]

    asker: Any = Asker(answer)
    place.asker = asker
    asked = cloudwatch.MetricQuery(pd.Timedelta(days=1), {cloudwatch.STOCK: pd.Timedelta(hours=1)})
    rows = cloudwatch.fetch_metrics(place, asked)
    assert asker.sizes("GetMetricData", lambda request: request["MetricDataQueries"]) == expected
    assert {row["image_id"]: row["available_snapshots"] for row in rows} == {
        image_id: number for number, image_id in enumerate(place.image_ids)
    }


def _answered(query: dict[str, Any]) -> dict[str, Any]:
    image_id = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
    value = float(image_id.removeprefix("ami-"))
    return {"Id": query["Id"], "Timestamps": [NOON], "Values": [value]}


# --- what CloudWatch keeps ------------------------------------------------------------

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
def test_what_cloudwatch_keeps_may_be_asked_for(window: pd.Timedelta, period: pd.Timedelta) -> None:
    """Minutes for 15 days, five of them for 63, and hours for 455; all columns in one period."""
    for given in (window, window.to_pytimedelta(), str(window)):
        asked = cloudwatch.metric_query("since", given, period)
        assert asked == cloudwatch.MetricQuery(window, dict.fromkeys(cloudwatch.ALL, period))


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
def test_what_it_does_not_keep_is_refused(window: Any, period: Any, message: str) -> None:
    """A minute more than it keeps, or a period that it does not keep so long."""
    with pytest.raises(fl.InputError, match=message):
        cloudwatch.metric_query("since", window, period)


@pytest.mark.parametrize(
    ("window", "stock"),
    [
        (HOUR, 15 * MINUTE),
        (14 * DAY, 15 * MINUTE),
        (14 * DAY + MINUTE, HOUR),
        (455 * DAY, HOUR),
    ],
)
def test_a_summary_is_fine_for_two_weeks(window: pd.Timedelta, stock: pd.Timedelta) -> None:
    """The stock comes by the quarter of an hour for 14 days, else by the hour, as launches do."""
    asked = cloudwatch.summary("window", window)
    assert asked == cloudwatch.MetricQuery(
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
def test_a_window_begins_where_a_period_does(
    until: str, window: str, period: str, since: str
) -> None:
    """It is as long as was asked for, and up to a period longer; never shorter."""
    place = place_of(Asker(lambda *_: []), 1)
    place.until = pd.Timestamp(f"2026-01-15T{until}Z")
    assert cloudwatch.fetch_metrics(place, cloudwatch.metric_query("since", window, period)) == []
    assert place.since == pd.Timestamp(f"2026-01-15T{since}Z")


# --- pages of exactly the limit -------------------------------------------------------


class Listed(NamedTuple):
    """An operation that lists: where its items are, and the page size that we ask for."""

    service: str
    operation: str
    part: str
    size: int | None


PAGED = [
    Listed("ec2", "DescribeSnapshots", "Snapshots", 1000),
    Listed("ec2", "DescribeInstances", "Reservations", 1000),
    Listed("ec2", "DescribeVolumes", "Volumes", 500),
    Listed("cloudwatch", "ListMetrics", "Metrics", None),
    Listed("cloudwatch", "GetMetricData", "MetricDataResults", None),
]


@pytest.mark.parametrize("sizes", [[500], [500, 0], [500, 1]], ids=str)
@pytest.mark.parametrize("listed", PAGED, ids=[listed.operation for listed in PAGED])
def test_a_full_page_may_be_the_last(
    monkeypatch: pytest.MonkeyPatch, listed: Listed, sizes: list[int]
) -> None:
    """Only the token says whether there is more: it is followed, if to an empty page."""
    asked: list[dict[str, Any]] = []

    def answer(_self: object, name: str, request: dict[str, Any]) -> dict[str, Any]:
        assert name == listed.operation
        asked.append(request)
        count = sizes[len(asked) - 1]
        token = {"NextToken": "more"} if len(asked) < len(sizes) else {}
        return {listed.part: [{"Id": "q0"}] * count, **token}

    monkeypatch.setattr(BaseClient, "_make_api_call", answer)
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    asker = RegionClient(AccountSession(session), REGION)
    pages = asker.pages(listed.service, listed.operation, listed.part, {}, listed.size)
    assert [len(page[listed.part]) for page in pages] == sizes
    assert [request.get("NextToken") for request in asked] == [None, "more"][: len(sizes)]
    assert {request.get("MaxResults") for request in asked} == {listed.size}


# --- DescribeFastLaunchImages, 200 a page ---------------------------------------------

PAGES_OF_200 = [(199, [199]), (200, [200]), (201, [200, 1]), (400, [200, 200])]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int | None, int]]:
    """What each request asked for at most, and how many it got."""
    noted: list[tuple[int | None, int]] = []
    real = FastLaunchBackend.describe_fast_launch_images

    def describe(self: Any, **asked: Any) -> Any:
        page, token = real(self, **asked)
        noted.append((asked["max_results"], len(page)))
        return page, token

    monkeypatch.setattr(FastLaunchBackend, "describe_fast_launch_images", describe)
    return noted


def fill(ec2: Any, count: int) -> list[str]:
    """Put images there; return their ids."""
    ids = [f"ami-{number:017x}" for number in range(count)]
    ec2.add_fast_launch_images(FastLaunchImage(image_id) for image_id in ids)
    return ids


@pytest.mark.parametrize(("count", "expected"), PAGES_OF_200)
def test_a_read_is_whole(
    ec2: Any, answers: list[tuple[int | None, int]], count: int, expected: list[int]
) -> None:
    """Images are read in full pages, none is asked for in vain, and each is there once."""
    ids = fill(ec2, count)
    assert fl.describe(region=REGION)["image_id"].tolist() == ids
    assert answers == [(None, size) for size in expected]
    answers.clear()
    assert fl.describe(region=REGION, page_size=200)["image_id"].tolist() == ids
    assert answers == [(200, size) for size in expected]
    answers.clear()
    swept = fl.sweep(boto3.Session(), regions=REGION, progress=False)
    assert swept.images["image_id"].tolist() == ids
    assert swept.coverage[["rows", "pages"]].values.tolist() == [[count, len(expected)]]
    assert answers == [(200, size) for size in expected]


@pytest.mark.parametrize("count", [200, 400])
def test_an_empty_page_may_be_the_last(
    ec2: Any, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Where a full page has a token, and nothing follows, the read ends without an error."""
    ids = fill(ec2, count)
    real = FastLaunchBackend.describe_fast_launch_images

    def describe(self: Any, **asked: Any) -> Any:
        page, token = real(self, **asked)
        return page, token or (fast_launch_backend._token(page[-1].image_id) if page else None)

    monkeypatch.setattr(FastLaunchBackend, "describe_fast_launch_images", describe)
    images = fl.describe(region=REGION)
    assert (images["image_id"].tolist(), images.attrs["next_token"]) == (ids, None)
    swept = fl.sweep(boto3.Session(), regions=REGION, progress=False)
    assert swept.images["image_id"].tolist() == ids
    assert swept.coverage["status"].tolist() == [COMPLETE]


def test_so_many_images_may_be_asked_for_at_once(ec2: Any) -> None:
    """From 0, which is EC2's own choice, to 200; its answer to 201 is an error."""
    ids = fill(ec2, 201)
    client = boto3.client("ec2", aws_access_key_id="x", aws_secret_access_key="x")
    for most, expected in ((0, 200), (1, 1), (199, 199), (200, 200)):
        answer = client.describe_fast_launch_images(MaxResults=most)
        found = [image["ImageId"] for image in answer["FastLaunchImages"]]
        assert found == ids[:expected], most
        assert "NextToken" in answer, most
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        client.describe_fast_launch_images(MaxResults=201)
    assert len(fl.describe(region=REGION, page_size=0)) == 201
    for wrong in (-1, 201):
        with pytest.raises(fl.InputError, match=f"page_size is {wrong}. .* from 0 to 200"):
            fl.describe(region=REGION, page_size=wrong)


# --- how much is told -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ("a", "1 a"),
        ("ab", "1 a, 1 b"),
        ("abc", "1 a, 1 b, 1 c"),
        ("abcd", "1 a, 1 b, 1 c and 1 more"),
        ("abcde", "1 a, 1 b, 1 c and 2 more"),
    ],
)
def test_a_warning_names_three_places(regions: str, expected: str) -> None:
    """And says how many more there are."""
    error = FastLaunchError("No.")
    failures = [fetch.Failure("ami", "1", region, error) for region in regions]
    assert fetch.told(failures) == [f"ami could not be read in {expected}: No."]


# --- CloudWatch of the embedded EC2 ---------------------------------------------------


@pytest.fixture
def cloudwatch_client(ec2: Any) -> Any:
    """A client of CloudWatch, where an image was enabled at the start."""
    ec2.add_windows_image("ami-00000001", name="own", owner_id=ACCOUNT)
    ec2.enable_fast_launch("ami-00000001")
    return boto3.client("cloudwatch", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.mark.parametrize(
    ("asked", "passed", "expected"),
    [
        ({}, timedelta(days=14), True),
        ({}, timedelta(days=14, seconds=1), False),
        ({"RecentlyActive": "PT3H"}, timedelta(hours=3), True),
        ({"RecentlyActive": "PT3H"}, timedelta(hours=3, seconds=1), False),
    ],
)
def test_a_metric_is_listed_for_so_long(
    cloudwatch_client: Any, ec2: Any, asked: dict[str, str], passed: timedelta, *, expected: bool
) -> None:
    """Two weeks after its last value, or three hours where only recent ones are asked for."""
    ec2.forget("ami-00000001")
    ec2.meters["ami-00000001"].end()
    ec2.meters["ami-00000001"].launched(is_fast=False)
    CLOCK.advance(seconds=passed.total_seconds())
    answer = cloudwatch_client.list_metrics(MetricName="NumberOfInstancesNotFastLaunched", **asked)
    assert bool(answer["Metrics"]) == expected


@pytest.mark.parametrize("most", [1, 100_800])
def test_so_many_points_may_be_asked_for(cloudwatch_client: Any, most: int) -> None:
    """GetMetricData gives from 1 to 100,800 points a page."""
    query = {"Id": "q", "MetricStat": {"Metric": _STOCK, "Period": 300, "Stat": "Sum"}}
    start = CLOCK.now()
    CLOCK.advance(minutes=10)
    asked = {"MetricDataQueries": [query], "StartTime": start, "EndTime": CLOCK.now()}
    [result] = cloudwatch_client.get_metric_data(**asked, MaxDatapoints=most)["MetricDataResults"]
    assert len(result["Values"]) == min(most, 2)
    for wrong in (100_801, -1):
        with pytest.raises(ClientError, match="ValidationError"):
            cloudwatch_client.get_metric_data(**asked, MaxDatapoints=wrong)


_STOCK = {
    "Namespace": "AWS/EC2",
    "MetricName": "NumberOfAvailableFastLaunchSnapshots",
    "Dimensions": [{"Name": "ImageId", "Value": "ami-00000001"}],
}


@pytest.mark.parametrize(
    ("minutes", "refused"), [(1439 * 5, False), (1440 * 5, False), (1440 * 5 + 1, True)]
)
def test_so_many_statistics_may_be_asked_for(
    cloudwatch_client: Any, minutes: int, *, refused: bool
) -> None:
    """GetMetricStatistics gives 1,440 points, and an error for more."""
    start = CLOCK.now()
    asked = {**_STOCK, "Period": 300, "Statistics": ["Sum"], "StartTime": start}
    end = start + timedelta(minutes=minutes)
    if refused:
        with pytest.raises(ClientError, match="exceeds the limit of 1,440"):
            cloudwatch_client.get_metric_statistics(**asked, EndTime=end)
    else:
        answer = cloudwatch_client.get_metric_statistics(**asked, EndTime=end)
        assert [point["Sum"] for point in answer["Datapoints"]] == [0]
