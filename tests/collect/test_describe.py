"""describe: its parameters, its rows, paging, and what it refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws import xml_columns
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.fast_launch_pages import split_token
from fastlaunch_nb.collect.describe import describe
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.image import FastLaunchImage
from tests.aws.test_error_translation import RawBody
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, REGION, SINCE

STATES = ("enabled", "enabling", "enabled-failed")


def add_images(ec2: Any, count: int) -> None:
    """Add images with alternating states and owners to the embedded EC2."""
    images = (
        FastLaunchImage(
            f"ami-{n:017x}",
            state=STATES[n % 3],
            owner_id=("111111111111", None)[n % 2],
            state_transition_time=SINCE,
        )
        for n in range(count)
    )
    add_fast_launch_images(ec2, images)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that were called, each of which fails: nothing is sent."""
    operations: list[str] = []

    def refuse(_self: object, operation: str, _parameters: object) -> None:
        operations.append(operation)
        raise AssertionError(f"{operation} was sent")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    return operations


# --- rows -----------------------------------------------------------------------------


def test_each_image_is_a_row(ec2: Any) -> None:
    """A row has the account and region that were read, and AWS's clock."""
    add_images(ec2, 3)
    images = describe(region=REGION)
    assert images["image_id"].tolist() == [f"ami-{n:017x}" for n in range(3)]
    assert images["account_id"].unique().tolist() == [ACCOUNT]
    assert images["region"].unique().tolist() == [REGION]
    assert images["observed_at"].unique().tolist() == [pd.Timestamp("2026-01-15T12:00:00Z")]
    assert images.attrs["next_token"] is None


def test_rows_equal_those_of_boto3(demo: Demo) -> None:
    """The DataFrame has the rows that boto3's paginator reads with the same parameters."""
    parameters: dict[str, Any] = {"Filters": [{"Name": "state", "Values": ["enabled"]}]}
    client = boto3.client("ec2")
    pages = client.get_paginator("describe_fast_launch_images").paginate(
        **parameters, PaginationConfig={"PageSize": 3, "MaxItems": 5}
    )
    expected = fl.from_pages(pages, account_id=ACCOUNT, region=client.meta.region_name)
    images = describe(filters=parameters["Filters"], page_size=3, max_items=5)
    pd.testing.assert_frame_equal(images, expected)
    assert images.attrs == expected.attrs
    assert images.attrs["next_token"] is not None


@pytest.mark.parametrize(
    "filters",
    [
        {"state": ["enabled", "enabling"]},
        [{"Name": "state", "Values": ["enabled", "enabling"]}],
        fl.Filters(state=["enabled", "enabling"]),
    ],
)
def test_filters_may_have_any_form(ec2: Any, filters: Any) -> None:
    """Filters are sent to EC2 in every form that a caller may use."""
    add_images(ec2, 6)
    assert describe(filters=filters)["state"].unique().tolist() == ["enabled", "enabling"]


def test_filters_that_ec2_lacks_are_applied_to_the_rows(ec2: Any) -> None:
    """Conditions beyond EC2's filters apply as well."""
    add_images(ec2, 6)
    matching = describe(filters=fl.Filters(state="enabled", owner_id=[None]))
    assert matching["image_id"].tolist() == ["ami-00000000000000003"]
    assert describe(filters=fl.Filters(region="eu-west-1")).empty


def test_an_unknown_state_is_sent_with_a_warning(ec2: Any) -> None:
    """AWS may add states: an unknown one is sent, and a warning suggests a known one."""
    with pytest.warns(fl.FastLaunchWarning, match="Did you mean 'enabling'?"):
        images = describe(filters={"state": ["enablin"]})
    assert images.empty
    assert set(images.attrs) == {"next_token"}


def test_image_ids_may_have_any_form(ec2: Any) -> None:
    """Image ids may be a list, a column or a single one."""
    add_images(ec2, 4)
    ids = [f"ami-{n:017x}" for n in (1, 3)]
    assert describe(image_ids=ids)["image_id"].tolist() == ids
    assert describe(image_ids=pd.Series(ids))["image_id"].tolist() == ids
    assert describe(image_ids=ids[0])["image_id"].tolist() == ids[:1]


def test_an_allowed_dry_run_is_empty(ec2: Any) -> None:
    """A dry run that is allowed returns an empty DataFrame with all columns."""
    add_images(ec2, 2)
    images = describe(dry_run=True)
    assert images.empty
    assert images.columns.tolist() == describe().columns.tolist()


# --- the account ----------------------------------------------------------------------


def test_a_profile_with_a_role_reads_the_other_account(demo: Demo) -> None:
    """The rows have the account that the role belongs to."""
    images = describe(boto3.Session(profile_name="game-servers"))
    assert images["account_id"].unique().tolist() == ["111122223333"]


def test_an_account_id_that_cannot_be_read_is_null(
    ec2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows matter more than the account id: it is null, and a warning has the error."""
    add_images(ec2, 1)

    def fail(*_: object) -> str:
        raise fl.ReadError("no", operation="GetCallerIdentity", code="AccessDenied")

    monkeypatch.setattr(AccountSession, "get_account_id", fail)
    with pytest.warns(fl.FastLaunchWarning, match="account_id is null: GetCallerIdentity: Acc"):
        images = describe()
    assert images["account_id"].isna().tolist() == [True]


def test_a_proxy_in_place_of_sts_costs_no_rows(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """If only STS is unreachable, the rows are complete and the account id is null."""
    send = URLLib3Session.send

    def respond(self: URLLib3Session, request: Any) -> AWSResponse:
        if "GetCallerIdentity" in str(request.body):
            return AWSResponse(request.url, 200, {}, RawBody(b"<html><body>no</body></html>"))
        return send(self, request)

    monkeypatch.setattr(URLLib3Session, "send", respond)
    with pytest.warns(fl.FastLaunchWarning, match="the response is not from AWS"):
        images = describe(demo.session)
    assert images["account_id"].isna().tolist() == [True] * 8


# --- paging ---------------------------------------------------------------------------

steps = st.tuples(st.none() | st.integers(1, 7), st.none() | st.integers(1, 9))


@given(plan=st.lists(steps, min_size=1, max_size=6), filtered=st.booleans())
def test_resumed_pages_equal_one_read(
    ec2: Any, plan: list[tuple[int | None, int | None]], filtered: bool
) -> None:
    """Any mixture of max_items, page_size and starting_token reads the same rows in order."""
    add_images(ec2, 23)
    filters = {"state": ["enabled", "enabling"]} if filtered else None
    expected = describe(filters=filters)["image_id"].tolist()
    rows: list[str] = []
    token = None
    for max_items, page_size in [*plan, (None, 2)]:
        images = describe(
            filters=filters, max_items=max_items, page_size=page_size, starting_token=token
        )
        rows += images["image_id"].tolist()
        token = images.attrs["next_token"]
        if token is None:
            break
    assert rows == expected
    assert token is None


@pytest.fixture
def paginator(ec2: Any) -> Any:
    """boto3's paginator of an embedded EC2 with 23 images."""
    add_images(ec2, 23)
    return boto3.client("ec2").get_paginator("describe_fast_launch_images")


@pytest.mark.parametrize("form", ["columns", "items"])
@given(plan=st.lists(steps, min_size=1, max_size=6), state=st.sampled_from([*STATES, "disabling"]))
@example(plan=[(0, None), (2, 4), (3, 4), (3, 4), (None, 1)], state="enabled")
def test_slices_equal_those_of_boto3(
    paginator: Any, form: str, plan: list[tuple[int | None, int | None]], state: str
) -> None:
    """Rows and resume token equal those of boto3's paginator, inside a page as well."""
    filters = [{"Name": "state", "Values": [state, "enabling"]}]
    token = None
    with pytest.MonkeyPatch.context() as patch:
        if form == "items":  # a response that is left to botocore's parser
            patch.setattr(xml_columns, "extract_columns", lambda *_: None)
        for max_items, page_size in [*plan, (None, None)]:
            # botocore repeats rows where a token skips more than a page.
            size = page_size if page_size and page_size >= split_token(token)[1] else None
            paging = {"MaxItems": max_items, "PageSize": size, "StartingToken": token}
            pages = paginator.paginate(PaginationConfig=paging, Filters=filters)
            expected = pages.build_full_result()
            images = describe(
                filters=filters, max_items=max_items, page_size=size, starting_token=token
            )
            token = expected.get("NextToken")
            ids = [image["ImageId"] for image in expected["FastLaunchImages"]]
            assert (images["image_id"].tolist(), images.attrs["next_token"]) == (ids, token)
            if token is None:
                break


def test_max_items_may_be_zero(ec2: Any) -> None:
    """As in boto3, max_items=0 reads nothing, and its token continues from the start."""
    add_images(ec2, 3)
    nothing = describe(max_items=0)
    assert nothing.empty
    assert len(describe(starting_token=nothing.attrs["next_token"])) == 3


def test_a_token_of_boto3_may_be_invalid(ec2: Any) -> None:
    """An invalid token inside boto3's resume token is EC2's error as well."""
    token = base64.b64encode(json.dumps({"NextToken": "bogus"}).encode()).decode()
    with pytest.raises(fl.ReadError, match="without starting_token") as caught:
        describe(starting_token=token)
    assert caught.value.code == "InvalidNextToken"


# --- refused before a request is sent -------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image_ids": ["i-0123456789abcdef0"]}, "'i-0123456789abcdef0'"),
        ({"image_ids": ["AMI-0123456789ABCDEF0"]}, "lower case"),
        ({"image_ids": [None]}, "None"),
        ({"image_ids": []}, "None, to read all"),
        ({"filters": {"stat": ["enabled"]}}, "Did you mean 'state'?"),
        ({"filters": {"owner_id": ["1"]}}, "Did you mean 'owner-id'?"),
        ({"filters": [{"Name": "state"}]}, "'Values'"),
        ({"filters": ["state"]}, "'Name'"),
        ({"filters": {"state": []}}, "no values"),
        ({"filters": {"state": 3}}, "Expected text"),
        ({"filters": 5}, "filters is 5"),
        ({"filters": "enabled"}, "filters is 'enabled'"),
        ({"image_ids": 5}, "image_ids is 5"),
        ({"max_items": -1}, "max_items is -1"),
        ({"max_items": True}, "max_items is True"),
        ({"max_items": "5"}, "max_items is '5'"),
        ({"page_size": -1}, "from 0 to 200"),
        ({"page_size": 201}, "from 0 to 200"),
        ({"page_size": 5, "image_ids": "ami-00000001"}, "leave page_size out"),
        ({"page_size": 5, "filters": fl.Filters(image_id="ami-00000001")}, "leave page_size out"),
        ({"filters": fl.Filters(available_snapshots=(1, None))}, "Read without it, join"),
        ({"image_ids": "ami-00000001", "filters": fl.Filters(image_id="ami-00000002")}, "twice"),
        ({"starting_token": ""}, "starting_token"),
        ({"starting_token": 5}, "starting_token"),
        ({"region": "Ireland!"}, "region is 'Ireland!'"),
        ({"session": "production"}, "boto3.Session(profile_name="),
    ],
)
def test_an_invalid_argument_is_refused(
    calls: list[str], wrong: dict[str, Any], message: str
) -> None:
    """An error names the argument and what was expected, before any request is sent."""
    with pytest.raises(fl.InputError) as caught:
        describe(**{"region": REGION, **wrong})
    assert message in str(caught.value)
    assert calls == []


def test_a_missing_region_is_refused(calls: list[str]) -> None:
    """Without a region the message names the parameter and the variable; nothing is sent."""
    with pytest.raises(fl.SetupError, match=r"AWS_DEFAULT_REGION.*region='us-east-1'"):
        describe()
    assert calls == []


def test_a_malformed_region_of_the_session_is_refused(calls: list[str]) -> None:
    """The region of a session is checked like one that is passed."""
    with pytest.raises(fl.InputError, match="region is 'US East'"):
        describe(boto3.Session(region_name="US East"))
    assert calls == []
