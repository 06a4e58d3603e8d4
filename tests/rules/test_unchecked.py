"""Rules that could not judge: where, why, and how to have the value read."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.rules.evaluate import RULES
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE
from fastlaunch_nb.schema.joins import SNAPSHOTS, UNCHECKED
from tests.helpers.rules import ACCOUNT, HEALTHY, OTHER, REGION, make_images

WHOLE: dict[str, Any] = {
    "coverage": pd.DataFrame(columns=[column.name for column in COVERAGE]),
    "snapshots": pd.DataFrame(columns=[column.name for column in SNAPSHOTS]),
}


def list_unchecked(images: pd.DataFrame, **arguments: Any) -> list[tuple[Any, ...]]:
    """Return the rows of what could not be judged, with None for null."""
    rows = fl.unchecked(images, **{**WHOLE, **arguments})
    assert {column.name: column.dtype for column in UNCHECKED} == rows.dtypes.astype(str).to_dict()
    return list(rows.astype(object).where(rows.notna(), None).itertuples(index=False, name=None))


def test_all_is_checked_where_all_was_read() -> None:
    """With every value, coverage and snapshots, nothing is left to check."""
    assert list_unchecked(make_images([HEALTHY])) == []


def test_without_images_there_is_nothing_to_check() -> None:
    """A fleet without images leaves no rule about images unchecked."""
    assert list_unchecked(make_images([])) == []


def test_a_missing_argument_is_named() -> None:
    """Without a coverage and snapshots, orphans are unchecked everywhere."""
    [row] = list_unchecked(make_images([HEALTHY]), coverage=None, snapshots=None)
    how = "Pass coverage=, as fl.sweep returns it. Pass snapshots=fl.snapshots(...)."
    assert row == ("orphaned", None, None, "join", how)
    [row] = list_unchecked(make_images([HEALTHY]), snapshots=None)
    assert row[-1] == "Pass snapshots=fl.snapshots(...)."


def test_a_missing_join_is_named() -> None:
    """A column that was not joined leaves its rule unchecked, in each account and region."""
    rows = [HEALTHY, {**HEALTHY, "region": "us-east-1"}, {**HEALTHY, "account_id": OTHER}]
    images = make_images(rows).drop(columns=["parallel_launches_quota"])
    how = 'Join "quota": fl.enrich(images, "quota").'
    assert list_unchecked(images) == [
        ("over-quota", ACCOUNT, REGION, "join", how),
        ("over-quota", ACCOUNT, "us-east-1", "join", how),
        ("over-quota", OTHER, REGION, "join", how),
    ]


def test_a_refusal_is_named() -> None:
    """If a join was refused in one region, the rule is unchecked there, with the error code."""
    refused = {"parallel_launches_quota": None, "not_read": "kms: Timeout; quota: AccessDenied"}
    images = make_images([HEALTHY, {**HEALTHY, **refused, "region": "us-east-1"}])
    [row] = list_unchecked(images)
    how = 'The join "quota" was refused: AccessDenied. Allow it, join again.'
    assert row == ("over-quota", ACCOUNT, "us-east-1", "permission", how)


def test_a_value_that_aws_leaves_out_is_named() -> None:
    """If AWS's answer lacks a value of some images, the rules that read it are unchecked there."""
    unknown = {"max_parallel_launches": None}
    images = make_images([HEALTHY, {**HEALTHY, **unknown, "image_id": "ami-1"}])
    how = "AWS's answer lacks max_parallel_launches of 1 image. Read it again."
    assert list_unchecked(images) == [
        (name, ACCOUNT, REGION, "value", how)
        for name in ("below-target", "slow-to-fill", "over-quota", "drift")
    ]


def test_a_value_that_a_join_leaves_open_is_named() -> None:
    """If a join was made and has no value for an image, AWS's answer is not blamed for it."""
    images = make_images([{**HEALTHY, "successor_in_use": None}])
    [row] = list_unchecked(images)
    how = 'The join "siblings" could not determine successor_in_use of 1 image.'
    assert row == ("successor-without", ACCOUNT, REGION, "value", how)


def test_images_of_describe_leave_every_join_unchecked() -> None:
    """Without any join, each rule about a joined column is unchecked, once."""
    images = make_images([HEALTHY])[[column.name for column in COLUMNS]]
    rows = list_unchecked(images)
    assert {why for *_, why, _ in rows} == {"join"}
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names))
    plain = {"failed", "stuck", "slow-to-fill", "moving-template", "drift", "orphaned"}
    assert {rule.name for rule in RULES} - set(names) == plain


def test_only_the_chosen_rules_are_listed() -> None:
    """Rules of the user count, those that are not chosen do not."""
    images = make_images([HEALTHY]).drop(columns=["kms_grant"])
    mine = fl.Rule("mine", "low", "x", "y", lambda facts: facts.images, reads=("kms_grant",))
    [row] = list_unchecked(images, rules=[mine])
    assert row[0] == "mine"
    assert list_unchecked(images, rules=[]) == []


def test_bad_input_is_refused() -> None:
    """The same arguments are refused as by findings."""
    with pytest.raises(InputError, match="lacks state"):
        fl.unchecked(make_images([HEALTHY]).drop(columns="state"))
    with pytest.raises(InputError, match="rules has a int"):
        fl.unchecked(make_images([HEALTHY]), rules=[1])  # type: ignore[list-item]
