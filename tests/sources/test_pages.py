"""Pages: accepted sources, their rows, and errors."""

from __future__ import annotations

import io
import json
import warnings
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import TIME
from tests.helpers.samples import SINCE, item

# The output in the AWS CLI's reference for describe-fast-launch-images (AWS CLI documentation).
AWS_EXAMPLE = """{
    "FastLaunchImages": [
        {
            "ImageId": "ami-01234567890abcedf",
            "ResourceType": "snapshot",
            "SnapshotConfiguration": {},
            "LaunchTemplate": {
                "LaunchTemplateId": "lt-01234567890abcedf",
                "LaunchTemplateName": "EC2FastLaunchDefaultResourceCreation-a8c6215d",
                "Version": "1"
            },
            "MaxParallelLaunches": 6,
            "OwnerId": "0123456789123",
            "State": "enabled",
            "StateTransitionReason": "Client.UserInitiated",
            "StateTransitionTime": "2022-01-27T22:20:06.552000+00:00"
        }
    ]
}"""


def test_every_field_has_its_column() -> None:
    """Each field of an item is in its column, milliseconds included."""
    row = fl.from_pages([item(7)], account_id="000000000001", region="eu-west-1").iloc[0]
    assert row.drop("observed_at").to_dict() == {
        "account_id": "000000000001",
        "region": "eu-west-1",
        "image_id": "ami-00000000000000007",
        "state": "enabled",
        "state_transition_reason": "Client.UserInitiated",
        "state_transition_time": pd.Timestamp(SINCE),
        "resource_type": "snapshot",
        "target_resource_count": 5,
        "max_parallel_launches": 6,
        "launch_template_id": "lt-00000000000000007",
        "launch_template_name": "runner",
        "launch_template_version": "1",
        "owner_id": "123456789012",
    }


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(json.loads(AWS_EXAMPLE), id="dict"),
        pytest.param([json.loads(AWS_EXAMPLE)], id="pages"),
        pytest.param(iter([json.loads(AWS_EXAMPLE)]), id="iterator"),
        pytest.param(json.loads(AWS_EXAMPLE)["FastLaunchImages"], id="items"),
        pytest.param(AWS_EXAMPLE, id="text"),
        pytest.param("\ufeff" + AWS_EXAMPLE, id="text with a byte order mark"),
        pytest.param(AWS_EXAMPLE.encode(), id="bytes"),
        pytest.param(AWS_EXAMPLE.encode("utf-16"), id="PowerShell's UTF-16"),
        pytest.param(io.StringIO(AWS_EXAMPLE), id="open file"),
        pytest.param(io.BytesIO(AWS_EXAMPLE.encode()), id="open binary file"),
    ],
)
def test_sources(source: object) -> None:
    """Every accepted kind of source gives the same row."""
    row = fl.from_pages(source).iloc[0]
    assert row["image_id"] == "ami-01234567890abcedf"
    assert row["owner_id"] == "0123456789123"
    assert row["state_transition_time"] == pd.Timestamp("2022-01-27T22:20:06.552Z")
    assert row["target_resource_count"] is pd.NA


def test_a_page_may_lack_images() -> None:
    """A page of an empty response is a page, not an error."""
    assert len(fl.from_pages([{"ResponseMetadata": {}}, {"FastLaunchImages": []}])) == 0


def test_observed_at_is_the_first_date() -> None:
    """observed_at is the Date header of the first response, AWS's own clock, in every row."""
    first = {"date": "Thu, 15 Jan 2026 12:00:03 GMT"}
    later = {"date": "Thu, 15 Jan 2026 12:00:09 GMT"}
    pages = [
        {"FastLaunchImages": [item(n)], "ResponseMetadata": {"HTTPHeaders": headers}}
        for n, headers in enumerate([first, later])
    ]
    observed = fl.from_pages(pages)["observed_at"]
    assert observed.unique().tolist() == [pd.Timestamp("2026-01-15T12:00:03Z")]
    observed = fl.from_pages(pages, observed_at="2026-01-01T02:00:00+02:00")["observed_at"]
    assert observed.unique().tolist() == [pd.Timestamp("2026-01-01T00:00:00Z")]


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        pytest.param("-365D", "-365D", id="a year ago"),
        pytest.param("10min", "10min", id="10 minutes ahead"),
        pytest.param("10min 1s", "0s", id="10 minutes and a second ahead"),
        pytest.param("25h", "0s", id="25 hours ahead"),
    ],
)
def test_a_date_in_the_future_is_refused(
    monkeypatch: pytest.MonkeyPatch, ahead: str, expected: str
) -> None:
    """A Date header over 10 minutes ahead gives way to this machine's time, with a warning."""
    now = pd.Timestamp("2026-03-01T00:00:00.5Z")
    monkeypatch.setattr("fastlaunch_nb.sources.pages.read_clock", lambda: now)
    time = now.floor("s") + pd.Timedelta(ahead)
    headers = {"date": f"{time:%a, %d %b %Y %H:%M:%S} GMT"}
    page = {"FastLaunchImages": [item(1)], "ResponseMetadata": {"HTTPHeaders": headers}}
    with warnings.catch_warnings(record=True, action="always") as caught:
        observed = fl.from_pages(page)["observed_at"]
    assert observed.tolist() == [now.floor("s") + pd.Timedelta(expected)]
    quoted = [
        [f"{moment:%Y-%m-%d %H:%M:%S}" in str(warning.message) for moment in (time, now)]
        for warning in caught
    ]
    assert quoted == ([] if ahead == expected else [[True, True]])


def test_a_date_in_the_year_9999_is_refused() -> None:
    """A Date header of the year 9999 is no overflow."""
    headers = {"date": "Fri, 31 Dec 9999 23:59:59 GMT"}
    page = {"FastLaunchImages": [item(1)], "ResponseMetadata": {"HTTPHeaders": headers}}
    with pytest.warns(fl.FastLaunchWarning, match="1 response had a Date header of up to 9999"):
        assert fl.from_pages(page)["observed_at"].dt.year.tolist() < [2100]


def test_a_malformed_date_is_null() -> None:
    """A malformed Date header leaves observed_at null; the rows stay."""
    page = {"FastLaunchImages": [item(1)], "ResponseMetadata": {"HTTPHeaders": {"date": "soon"}}}
    assert fl.from_pages(page)["observed_at"].isna().tolist() == [True]


def test_next_token_of_a_limited_read() -> None:
    """The output of the AWS CLI with --max-items has the token to continue."""
    page = {"FastLaunchImages": [item(1)], "NextToken": "abc"}
    assert fl.from_pages(page).attrs["next_token"] == "abc"
    assert fl.from_pages([item(1)]).attrs["next_token"] is None
    last = {"FastLaunchImages": [item(2)]}
    assert fl.from_pages([page, last]).attrs["next_token"] is None
    assert fl.from_pages([last, page]).attrs["next_token"] == "abc"


BY_REGION = {
    "us-east-1": {"FastLaunchImages": [item(1), item(2)]},
    "eu-west-1": [item(3)],
    "us-gov-west-1": item(4),
    "ap-south-1": {"FastLaunchImages": []},
    "eusc-de-east-1": [],
}
REGIONS = ["us-east-1", "us-east-1", "eu-west-1", "us-gov-west-1"]


@pytest.mark.parametrize(
    ("source", "accounts"),
    [
        pytest.param(BY_REGION, [None] * 4, id="by region"),
        pytest.param(json.dumps(BY_REGION, default=str), [None] * 4, id="text"),
        pytest.param([{name: page} for name, page in BY_REGION.items()], [None] * 4, id="apart"),
        pytest.param({"111122223333": BY_REGION}, ["111122223333"] * 4, id="by account"),
        pytest.param(
            {name: {"111122223333": page} for name, page in BY_REGION.items() if page},
            ["111122223333"] * 4,
            id="by region and account",
        ),
    ],
)
def test_a_map_has_regions_and_accounts(source: Any, accounts: list[str | None]) -> None:
    """The keys of a map fill region and account, its values are whatever a source may be."""
    images = fl.from_pages(source)
    assert images["image_id"].tolist() == [f"ami-{n:017x}" for n in (1, 2, 3, 4)]
    assert images["region"].tolist() == REGIONS
    assert [None if value is pd.NA else value for value in images["account_id"]] == accounts
    filled = fl.from_pages(source, account_id="111122223333")
    assert filled["account_id"].tolist() == ["111122223333"] * 4


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"us-east-1": 5}, "Got int in 'us-east-1'"),
        ({"us-east-1": {"error": "denied"}}, "Got a dict with the keys 'error' in 'us-east-1'"),
        ('{"us-east-1": "denied"}', "Got text without JSON in the text in 'us-east-1'"),
        ({"us-east-1": {"eu-west-1": []}}, "Got a dict with the keys 'eu-west-1' in 'us-east-1'"),
        ({"us-east-1": [], "Ohio": []}, "Got a dict with the keys 'us-east-1', 'Ohio'"),
        ({"US East": []}, "Got a dict with the keys 'US East'"),
        ({"12345": []}, "Got a dict with the keys '12345'"),
    ],
)
def test_other_maps_are_refused(source: Any, problem: str) -> None:
    """A region that holds something else is an error that names it: nothing is left out."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_pages(source)
    assert problem in str(caught.value)


def test_a_contradiction_is_refused() -> None:
    """A region or account that the source contradicts is an error with both."""
    images = fl.from_pages(BY_REGION["us-east-1"], region="us-east-1")
    assert fl.from_pages({"us-east-1": BY_REGION["us-east-1"]}, region="us-east-1").equals(images)
    with pytest.raises(fl.SourceError, match="the region 'us-east-1', but region is 'eu-west-1'"):
        fl.from_pages(BY_REGION, region="eu-west-1")


def test_each_region_has_its_own_time_and_end() -> None:
    """Each region of a map has its first Date; a token of one of several is a warning."""

    def make_page(number: int, second: int, **fields: Any) -> dict[str, Any]:
        headers = {"date": f"Thu, 15 Jan 2026 12:00:0{second} GMT"}
        metadata = {"HTTPHeaders": headers}
        return {"FastLaunchImages": [item(number)], "ResponseMetadata": metadata, **fields}

    pages = {"us-east-1": [make_page(1, 1, NextToken="a"), make_page(2, 2)]}
    two = {**pages, "eu-west-1": [make_page(3, 3, NextToken="b")]}
    with pytest.warns(fl.FastLaunchWarning, match="^eu-west-1: the read stopped early") as caught:
        images = fl.from_pages(two)
    assert images["observed_at"].dt.second.tolist() == [1, 1, 3]
    assert (len(caught), images.attrs["next_token"]) == (1, None)
    assert fl.from_pages(pages).attrs["next_token"] is None
    assert fl.from_pages({"eu-west-1": two["eu-west-1"]}).attrs["next_token"] == "b"


@pytest.mark.parametrize(
    "source",
    [
        [[item(1)], [item(2)]],
        [{"FastLaunchImages": [item(1)]}, item(2)],
        [[{"FastLaunchImages": [item(1)]}], {"FastLaunchImages": [item(2)]}],
    ],
)
def test_lists_in_lists(source: Any) -> None:
    """Lists in lists, as jq and several commands make them, give their images in order."""
    pd.testing.assert_frame_equal(fl.from_pages(source), fl.from_pages([item(1), item(2)]))


@pytest.mark.parametrize(
    "fields",
    [
        {"SnapshotConfiguration": {"TargetResourceCount": 5}},
        {"LaunchTemplate": {"Version": "1"}},
        {"StateTransitionReason": "Client.UserInitiated"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_any_field_makes_an_item(fields: dict[str, Any]) -> None:
    """A dict with a single field of an item is an item."""
    images = fl.from_pages([fields])
    assert images.notna().sum(axis=None) == 1


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z"),
        ("2026-01-15T12:00:00", "2026-01-15T12:00:00Z"),
        ("2026-01-15T12:00:00.001+01:00", "2026-01-15T11:00:00.001Z"),
        (SINCE, SINCE),
        (SINCE.replace(tzinfo=None), SINCE),
    ],
)
def test_times_become_utc(text: Any, time: Any) -> None:
    """A time in another time zone is converted; without a time zone it is in UTC."""
    items = [item(1, StateTransitionTime=since) for since in ("2026-01-01T00:00:00-08:00", text)]
    for source in (items, items[1:]):
        times = fl.from_pages(source)["state_transition_time"]
        expected = pd.Timestamp(time).tz_convert("UTC")
        assert (times.iloc[-1], str(times.dtype)) == (expected, TIME)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (None, "NoneType"),
        (5, "int"),
        ({}, "an empty dict"),
        ([{}], "an empty dict"),
        ({"Images": []}, "'Images'"),
        ({"Version": "1", "TargetResourceCount": 5}, "'Version', 'TargetResourceCount'"),
        (dict.fromkeys("abcdef", 1), "'a', 'b', 'c', 'd', 'e'."),
        ({"Images": [], "ResponseMetadata": {}}, "'Images'"),
        ({"FastLaunchImages": 3}, "int"),
        ({"FastLaunchImages": ["ami-1"]}, "list"),
        ([1], "int"),
        ("", "empty"),
        ("{", "Cannot parse the text as JSON"),
        ("no-such-file.json", "'no-such-file.json'"),
        ("x" * 5000, "neither JSON text nor a readable file"),
        (pd.DataFrame(), "a DataFrame, which needs no conversion"),
        ([{"ImageId": 3}], "ImageId with int"),
        ([{"ImageId": "ami-1", "MaxParallelLaunches": "6"}], "MaxParallelLaunches with str"),
        ([{"ImageId": "ami-1", "MaxParallelLaunches": True}], "MaxParallelLaunches with bool"),
        (
            [{"ImageId": "ami-1", "SnapshotConfiguration": 5}],
            "SnapshotConfiguration with int, not a dict",
        ),
        ([{"ImageId": "ami-1", "StateTransitionTime": "soon"}], "not an ISO 8601 time"),
    ],
)
def test_other_sources_are_refused(source: object, problem: str) -> None:
    """The error describes the accepted sources, and the problem of this one."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_pages(source)
    assert "Expected a DescribeFastLaunchImages result" in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "argument",
    [
        {"account_id": "123"},
        {"account_id": 123456789012},
        {"region": "US East"},
        {"observed_at": "noon"},
        {"observed_at": "NaT"},
        {"observed_at": 1700000000},
    ],
)
def test_bad_arguments_are_refused(argument: dict[str, Any]) -> None:
    """A malformed account, region or time is refused with its name."""
    with pytest.raises(fl.InputError, match=next(iter(argument))):
        fl.from_pages([], **argument)
