"""The column `not_read`: every join that failed for a row, and no other."""

from __future__ import annotations

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.errors import ReadError
from fastlaunch_nb.joins import not_read
from fastlaunch_nb.joins.fetch import Accounts, Failure
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.columns import COLUMNS, KEY, TEXT
from tests.helpers.joins import collect_warnings, refuse_operations
from tests.helpers.samples import ACCOUNT, REGION, deny_operations

ELSEWHERE, OTHER = "eu-west-1", "111122223333"


def test_everything_was_read(demo: Demo, images: pd.DataFrame) -> None:
    """The column is empty text, never null, and comes with every join."""
    found = fl.enrich(images, "ami")
    assert found["not_read"].tolist() == [""] * len(images)
    assert found["not_read"].dtype == TEXT


def test_refused_joins_are_named(demo: Demo, targets: list[fl.Target]) -> None:
    """A row names the joins that its account and region refused, in the order of the joins."""
    images = fl.sweep(targets, regions=[REGION, ELSEWHERE], progress=False).images
    with (
        refuse_operations("DescribeSnapshots", "GetServiceQuota", region=ELSEWHERE),
        collect_warnings(),
    ):
        found = fl.enrich(images, "quota", "snapshots", "ami", targets=targets)
    text = "snapshots: UnauthorizedOperation; quota: UnauthorizedOperation"
    assert found.groupby("region")["not_read"].unique().map(list).to_dict() == {
        REGION: [""],
        ELSEWHERE: [text],
    }
    again = fl.enrich(found, "snapshots", targets=targets)
    expected = found["not_read"].str.removeprefix("snapshots: UnauthorizedOperation; ")
    assert again["not_read"].equals(expected)
    pd.testing.assert_index_equal(again.columns, found.columns)


def test_siblings_are_incomplete_everywhere(demo: Demo, images: pd.DataFrame) -> None:
    """A region that refuses hides siblings from every image, though the others are counted."""
    with refuse_operations("DescribeImages", region=ELSEWHERE), collect_warnings():
        found = fl.enrich(images, "siblings", regions=[REGION, ELSEWHERE])
    assert set(found["siblings"].notna()) == {True}
    assert set(found["not_read"]) == {"siblings: UnauthorizedOperation"}


def test_only_images_of_a_lost_template_lack_it(demo: Demo, images: pd.DataFrame) -> None:
    """Other templates of the same account and region were read."""
    template = {"LaunchTemplateName": "gone", "Version": "1"}
    items = [
        {"ImageId": images["image_id"].iloc[0], "LaunchTemplate": template, "State": "enabled"}
    ]
    lost = fl.from_pages(items, account_id=ACCOUNT, region=REGION)
    with collect_warnings():
        found = fl.enrich(pd.concat([images, lost], ignore_index=True), "template")
    code = "InvalidLaunchTemplateName.NotFoundException"
    assert found["not_read"].tolist() == [""] * len(images) + [f"template: {code}"]


def test_rows_that_no_request_can_be_for(demo: Demo, images: pd.DataFrame) -> None:
    """A row without a target or a key says so; one whose role is denied has AWS's code."""
    rows = pd.concat([images.head(3)] * 2, ignore_index=True)
    rows["account_id"] = pd.array([ACCOUNT, "999988887777", OTHER, None, ACCOUNT, ACCOUNT], TEXT)
    rows.loc[4, "region"] = None
    rows.loc[5, "image_id"] = None
    role = fl.targets(accounts=OTHER, role="Reader")
    with deny_operations("AssumeRole"), collect_warnings():
        found = fl.enrich(rows, "ami", "quota", targets=[demo.session, *role])
    codes = ["", "NoTarget", "AccessDenied", "NoKey", "NoKey", "NoKey"]
    assert found["not_read"].tolist() == [
        f"ami: {code}; quota: {code}" if code else "" for code in codes
    ]


@pytest.mark.parametrize(
    ("text", "chosen", "expected"),
    [
        ("quota: Timeout", {"ami"}, "quota: Timeout"),
        ("quota: Timeout", {"quota"}, ""),
        ("mine: X; quota: Timeout; ami: A, B", {"kms"}, "ami: A, B; quota: Timeout; mine: X"),
        (None, {"kms"}, ""),
    ],
)
def test_codes_of_earlier_joins_stay(text: str | None, chosen: set[str], expected: str) -> None:
    """A join that is made again replaces its own code alone."""
    images = pd.DataFrame({"not_read": pd.array([text], TEXT)}, index=["x"])
    assert not_read.get_codes(images, chosen).tolist() == [expected]


def test_different_codes_of_one_join_are_all_named() -> None:
    """Two templates of a region may fail for two reasons, which a row cannot tell apart."""
    columns = [column for column in COLUMNS if column.name in KEY]
    key = dict(zip(KEY, (ACCOUNT, REGION, "ami-0"), strict=True))
    rows = make_table([key], columns)
    failures = [
        Failure("template", ACCOUNT, REGION, ReadError("No.", code=code))
        for code in ("A", "B", "A")
    ]
    accounts = Accounts({ACCOUNT: object()}, [])  # type: ignore[dict-item]
    for value, expected in ((None, "template: A, B"), ("", "")):
        values = pd.DataFrame({"template_forbidden": pd.array([value], TEXT)})
        codes = not_read.get_codes(rows, {"template"})
        found = not_read.add_codes(codes, rows, {"template": values}, accounts, failures)
        assert found.tolist() == [expected]
