"""Joins with failures: the rows that stay null, the warnings, and arguments that are refused."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.joins.queries import ACTIONS
from fastlaunch_nb.schema.columns import TEXT
from tests.helpers.joins import (
    COLUMNS,
    SECRET_KEY,
    collect_warnings,
    prepare_every_read,
    record_requests,
    refuse_operations,
)
from tests.helpers.samples import ACCOUNT, REGION, deny_operations

OTHER, ELSEWHERE = "111122223333", "eu-west-1"


# --- accounts -------------------------------------------------------------------------


def test_accounts_without_a_target(
    demo: Demo, targets: list[fl.Target], images: pd.DataFrame
) -> None:
    """Their rows get nulls, and one warning names them; other rows get their values."""
    rows = pd.concat(
        [images, images.assign(account_id="9999\x1b88887777")], ignore_index=True
    ).astype(images.dtypes)
    with collect_warnings() as messages:
        found = fl.enrich(rows, "ami", "snapshots", targets=targets)
    [message] = messages
    assert message.startswith("No target leads to 9999\\x1b88887777: ")
    known = found[found["account_id"] == ACCOUNT]
    assert set(known[["image_name", "snapshots"]].notna().values.flat) == {True}
    unknown = found[found["account_id"] != ACCOUNT]
    assert set(unknown[COLUMNS["ami"] + COLUMNS["snapshots"]].isna().values.flat) == {True}


def test_an_account_that_cannot_be_opened(
    demo: Demo, targets: list[fl.Target], images: pd.DataFrame
) -> None:
    """A warning has the account and AWS's answer about the role; nothing is raised."""
    role = fl.targets(accounts=OTHER, role="Reader")
    rows = images.assign(account_id=pd.array([OTHER] * len(images), dtype=TEXT))
    with deny_operations("AssumeRole"), collect_warnings() as messages:
        found = fl.enrich(rows, "ami", targets=role)
    assert set(found["image_state"].isna()) == {True}
    assert messages[0].startswith(f"The account {OTHER} could not be opened: AssumeRole")
    assert "Allow the IAM action sts:AssumeRole" in messages[0]
    assert messages[1].startswith(f"No target leads to {OTHER}: ")


def test_only_accounts_of_rows_are_opened(demo: Demo, images: pd.DataFrame) -> None:
    """A target with the id of an account is not opened if no row belongs to it."""
    role = fl.targets(accounts=[OTHER], role="Reader")
    with deny_operations("AssumeRole"):
        found = fl.enrich(images, "ami", targets=[demo.session, *role])
    assert set(found["image_name"].notna()) == {True}


def test_rows_without_an_account(demo: Demo, targets: list[fl.Target]) -> None:
    """They belong to the account of the one target; with two, they get nulls and a warning."""
    page = demo.session.client("ec2").describe_fast_launch_images()
    rows = fl.from_pages(page, region=REGION)
    found = fl.enrich(rows, "ami", targets=demo.session)
    assert set(found["image_name"].notna()) == {True}
    assert set(found["account_id"].isna()) == {True}
    with collect_warnings() as messages:
        found = fl.enrich(rows, "ami", targets=targets)
    assert set(found["image_name"].isna()) == {True}
    [message] = messages
    assert message.startswith(f"{len(rows)} rows have no account or no region")


# --- regions --------------------------------------------------------------------------


def test_siblings_in_regions_that_cannot_be_read(demo: Demo, images: pd.DataFrame) -> None:
    """Siblings in other regions count, and a warning names the region."""
    with refuse_operations("DescribeImages", region="eu-west-1"), collect_warnings() as messages:
        found = fl.enrich(images, "siblings", regions=["eu-west-1", "ap-southeast-2"])
    assert set(found["siblings"]) == {1}
    [message] = messages
    assert message.startswith(f"siblings could not be read in {ACCOUNT} eu-west-1: DescribeImages")
    with refuse_operations("DescribeImages", region="eu-west-1"), collect_warnings():
        found = fl.enrich(images, "siblings", regions="eu-west-1")
    assert set(found[COLUMNS["siblings"]].isna().values.flat) == {True}


def test_snapshots_in_regions_that_cannot_be_read(demo: Demo, targets: list[fl.Target]) -> None:
    """The result has the other regions, with a warning; if all fail, the error is raised."""
    everything = fl.snapshots(targets, regions=demo.regions)
    with refuse_operations("DescribeSnapshots", region=ELSEWHERE), collect_warnings() as messages:
        found = fl.snapshots(targets, regions=demo.regions)
    expected = everything[everything["region"] != ELSEWHERE].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    [message] = messages
    where = f"{ACCOUNT} {ELSEWHERE}, {OTHER} {ELSEWHERE}"
    assert message.startswith(f"snapshots could not be read in {where}: DescribeSnapshots: AWS")
    assert "Allow the IAM action ec2:DescribeSnapshots." in message
    with (
        refuse_operations("DescribeSnapshots"),
        pytest.raises(fl.ReadError, match="DescribeSnapshots"),
    ):
        fl.snapshots(targets, regions=demo.regions)


def test_metrics_in_regions_that_cannot_be_read(demo: Demo, targets: list[fl.Target]) -> None:
    """The result has the other regions, with a warning; if all fail, the error is raised."""
    images = fl.sweep(targets, regions=demo.regions, progress=False).images
    with refuse_operations("GetMetricData", region=ELSEWHERE), collect_warnings() as messages:
        found = fl.metrics(images, targets=targets)
    assert set(found["region"]) == {*demo.regions} - {ELSEWHERE}
    [message] = messages
    assert message.startswith(f"metrics could not be read in {ACCOUNT} {ELSEWHERE}, {OTHER}")
    with refuse_operations("ListMetrics"), pytest.raises(fl.ReadError, match="ListMetrics"):
        fl.metrics(images, targets=targets)


# --- operations that are refused ------------------------------------------------------


@pytest.mark.parametrize(
    ("join", "action"),
    [
        pytest.param(join, action, marks=() if action == actions[-1] else pytest.mark.deep)
        for join, actions in ACTIONS.items()
        for action in actions
        if join != "cost"
    ],
)
def test_a_refused_action_leaves_nulls(
    demo: Demo, images: pd.DataFrame, join: str, action: str
) -> None:
    """Its join gets nulls and one warning that names the action; other joins are complete."""
    prepare_every_read(demo, images["image_id"].iloc[0])
    has_no_key = fl.enrich(images, "kms")["kms_key_id"].eq("") if join == "kms" else None
    with refuse_operations(action.partition(":")[2]), collect_warnings() as messages:
        found = fl.enrich(images, "quota", "ami", join)
    [message] = [message for message in messages if message.startswith(f"{join} could not")]
    assert f"Allow the IAM action {action}." in message
    assert SECRET_KEY not in message
    known = found[COLUMNS[join]].notna().any(axis=1)
    if join == "template":  # a row without one needs no request
        assert known.equals(images["launch_template_name"].isna())
    elif action.startswith("kms:"):  # nor does one that is not encrypted
        assert has_no_key is not None
        assert known.tolist() == has_no_key.tolist()
        assert known.any()
    else:
        assert not known.any()
    is_named = found["not_read"].str.contains(f"{join}: UnauthorizedOperation")
    assert is_named.tolist() == (~known).tolist() or join == "intent"
    assert set(found["parallel_launches_quota"].notna()) == {join != "quota"}
    assert set(found["image_state"].notna()) == {action != "ec2:DescribeImages"}


def test_warnings_come_in_order(demo: Demo, targets: list[fl.Target]) -> None:
    """There is one per join and reason, in the order of the joins, with regions in order."""
    images = fl.sweep(targets, regions=demo.regions, progress=False).images
    operations = ("GetServiceQuota", "ListMetrics", "DescribeImages", "DescribeSnapshots")
    runs = []
    for workers in (1, 32):
        with refuse_operations(*operations), collect_warnings() as messages:
            joins = ("quota", "snapshots", "metrics", "ami")
            fl.enrich(images, *joins, targets=targets, max_workers=workers)
        runs.append(messages)
    assert runs[0] == runs[1]
    assert [message.split()[0] for message in runs[0]] == ["ami", "snapshots", "metrics", "quota"]
    for part in (f"{ACCOUNT} ap-southeast-2, ", " and 3 more: "):
        assert [part in message for message in runs[0]] == [True] * 4, (part, runs[0])


def test_a_region_without_opt_in(demo: Demo) -> None:
    """If the account has not opted in to a region, its rows get nulls and a warning."""
    rows = fl.from_pages([{"ImageId": "ami-01"}], account_id=ACCOUNT, region="me-south-1")
    with collect_warnings() as messages:
        found = fl.enrich(rows, "ami")
    assert found["image_state"].isna().tolist() == [True]
    [message] = messages
    assert "AuthFailure" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"joins": ["snapshot"]}, "'snapshot' cannot be joined.* Did you mean 'snapshots'"),
        ({"joins": [7]}, "7 cannot be joined"),
        ({"targets": "build-farm"}, "targets has a str"),
        ({"targets": []}, "targets is empty"),
        ({"regions": []}, "regions is empty"),
        ({"regions": "Europe"}, "region is 'Europe'"),
        ({"prices": 0.05}, "prices is a float"),
        ({"window": 14}, "window is 14"),
        ({"window": None}, "window is None"),
        ({"window": "500 days"}, "keeps numbers for 455 days"),
        ({"max_workers": 0}, "max_workers is 0"),
        ({"images": [1]}, "Got a list"),
        ({"images": pd.DataFrame({"image_id": ["ami-1"]})}, "lacks account_id, region"),
    ],
)
def test_an_invalid_argument_is_refused(
    demo: Demo, images: pd.DataFrame, arguments: dict[str, Any], message: str
) -> None:
    """The error has the value that was passed and what was expected; no request is sent."""
    rows, joins = arguments.pop("images", images), arguments.pop("joins", ())
    with record_requests(demo) as calls, pytest.raises(fl.InputError, match=message):
        fl.enrich(rows, *joins, **arguments)
    assert not calls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"period": "90 seconds"}, "period is .*: expected that, or a multiple"),
        ({"period": "1 minute", "since": "20 days"}, "for periods of 0 days 00:05:00"),
        ({"period": 60}, "period is 60"),
        ({"since": "1 second"}, "since is '1 second'"),
        ({"targets": 3}, "targets has a int"),
    ],
)
def test_an_invalid_argument_of_metrics_is_refused(
    demo: Demo, images: pd.DataFrame, arguments: dict[str, Any], message: str
) -> None:
    """A period or window without data in CloudWatch is refused too; no request is sent."""
    with record_requests(demo) as calls, pytest.raises(fl.InputError, match=message):
        fl.metrics(images, **arguments)
    assert not calls


def test_an_invalid_region_in_the_rows_is_refused(demo: Demo, images: pd.DataFrame) -> None:
    """Text that is not the name of a region never becomes part of an address."""
    hostile = images.assign(region=pd.array(["x.example/"] * len(images), dtype=TEXT))
    with (
        record_requests(demo) as calls,
        pytest.raises(fl.InputError, match=r"region is 'x\.example/'"),
    ):
        fl.enrich(hostile, "ami")
    assert not calls
