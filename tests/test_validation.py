"""Validation: checks of the columns of DataFrames."""

from __future__ import annotations

import io

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME
from fastlaunch_nb.validation import validate_columns


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
