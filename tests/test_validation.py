"""Validation: checks of the columns of DataFrames."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME
from fastlaunch_nb.validation import (
    parse_api_filters,
    parse_image_ids,
    parse_regions,
    validate_columns,
)
from tests.helpers.cases import some


def test_columns_are_converted_to_the_schema(images: pd.DataFrame) -> None:
    """Other time zones become UTC, and columns without values get their dtype."""
    in_tokyo = images["observed_at"].dt.tz_convert("Asia/Tokyo")
    other = images.assign(observed_at=in_tokyo, owner_id=float("nan"), launch_template_id=None)
    valid = validate_columns("images", other)
    assert str(valid["observed_at"].dtype) == TIME
    assert valid["observed_at"].tolist() == images["observed_at"].tolist()
    assert str(valid["owner_id"].dtype) == TEXT


def test_whole_floats_become_counts(images: pd.DataFrame) -> None:
    """A count may be a float, and an index may have a column's name, which it keeps."""
    floats = images["max_parallel_launches"].astype("float64")
    indexed = images.assign(max_parallel_launches=floats).set_index("image_id", drop=False)
    assert validate_columns("images", indexed)["max_parallel_launches"].dtype == COUNT
    assert fl.capacity(indexed) == fl.capacity(images)
    assert indexed.index.name == "image_id"


def test_columns_of_other_types_are_refused(images: pd.DataFrame) -> None:
    """Every view refuses images after a round trip through CSV."""
    from_csv = pd.read_csv(io.StringIO(images.to_csv(index=False)))
    for view in (fl.timeline, fl.capacity, fl.panel):
        with pytest.raises(fl.InputError, match="CSV files keep no types"):
            view(from_csv)


def test_the_first_column_of_another_type_is_named(images: pd.DataFrame) -> None:
    """Of several columns with another type, the first one is named, on every run."""
    for columns in (["observed_at", "image_id"], ["image_id", "observed_at"]):
        wrong = images[columns].assign(image_id=1, observed_at=1)
        with pytest.raises(fl.InputError, match=f"In this one {columns[0]} is int64"):
            validate_columns("images", wrong)


# --- lists of text --------------------------------------------------------------------

IDS = ["ami-0abcdef1234567890", "ami-01234567890abcdef"]
ACCOUNTS = ["111122223333", "444455556666"]
LISTS: dict[str, tuple[list[str], Callable[[Any], Any]]] = {
    "regions": (["us-east-1", "eu-west-1"], parse_regions),
    "image ids": (IDS, parse_image_ids),
    "states": (["enabled", "enabling"], lambda it: parse_api_filters({"state": it})),
    "owners": (ACCOUNTS, lambda it: parse_api_filters([{"Name": "owner-id", "Values": it}])),
    "accounts": (ACCOUNTS, lambda it: fl.targets(accounts=it, role="reader")),
    "regions of code": (
        ["us-east-1", "eu-west-1"],
        lambda it: fl.Filters(state="enabled").to_code("cli", regions=it),
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_text_stands_for_a_list(name: str) -> None:
    """papermill sets one text: it is a list of one, or of several between commas."""
    values, parse = LISTS[name]
    assert parse(values[0]) == parse(values[:1])
    for text in (",".join(values), ", ".join(values)):
        assert parse(text) == parse(values)
        assert parse(text) != parse(values[:1])


def test_every_list_argument_takes_a_text() -> None:
    """Each argument of a public function that takes texts also takes a single one."""
    functions = [getattr(fl, name) for name in fl.__all__ if name.islower()]
    functions += [fl.Filters.__init__, fl.Filters.to_code]
    annotations = [
        str(parameter.annotation)
        for function in functions
        for parameter in inspect.signature(function).parameters.values()
    ]
    lists = [it for it in annotations if re.search(r"(Iterable|Sequence|list)\[str", it)]
    assert len(lists) > 5
    assert [it for it in some(lists) if not re.search(r"(^|\| )str \|", it)] == []
