"""Inputs of intervals: frames of any library and dtype are read, and bad ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import INTERVAL_TIMES
from tests.helpers.image_stories import make_case
from tests.helpers.interval_oracle import Case, make_frames
from tests.state_intervals.engines import (
    COLUMNS,
    ENGINES,
    NAMES,
    convert_to_polars,
    convert_to_utc,
    list_rows,
)


@pytest.mark.parametrize(("convert", "read"), ENGINES, ids=NAMES)
def test_empty_frames(convert: Callable[..., list[Any]], read: Callable[[Any], pa.Table]) -> None:
    """No observations make no intervals, but all columns; without a coverage there are no scans."""
    empty = make_frames(Case([], []))
    for native in (convert(*empty), convert(empty[0])):
        assert list_rows(convert_to_utc(read(fl.intervals(*native)))) == []
    observations, _ = make_frames(make_case((1, "enabled", 0), (2, "enabling", 2)))
    table = convert_to_utc(read(fl.intervals(*convert(observations))))
    assert table["state"].tolist() == ["enabled", "enabling"]


def test_pandas_gets_the_declared_dtypes(images: pd.DataFrame) -> None:
    """Intervals of images have the dtypes of the schema, and times in UTC."""
    shuffled = pd.concat([images.drop(columns="owner_id")] * 2)  # with a repeated index
    table = fl.intervals(shuffled)
    assert len(images) - images["observed_at"].isna().sum() == len(table)
    declared = {column.name: column.dtype for column in columns.COLUMNS}
    declared |= {**INTERVAL_TIMES, "start_exact": "bool"}
    assert {name: declared[name] for name in COLUMNS} == dict(table.dtypes.astype(str))
    pd.testing.assert_frame_equal(table, fl.intervals(images.iloc[::-1]))


def test_other_dtypes_change_nothing(images: pd.DataFrame) -> None:
    """Categories, other time zones and units, Arrow dtypes and null columns are read as well."""
    expected = fl.intervals(images)
    times = images["observed_at"].dt.tz_convert("Asia/Tokyo").astype("datetime64[ns, Asia/Tokyo]")
    other = images.assign(observed_at=times, state=images["state"].astype("category"))
    pd.testing.assert_frame_equal(expected, fl.intervals(other))
    arrow = images.convert_dtypes(dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(expected, fl.intervals(arrow))
    bare = images.assign(account_id=None, state_transition_time=None)
    assert not fl.intervals(bare)["start_exact"].any()


def test_a_column_of_nulls_becomes_text() -> None:
    """Where no account is known, Polars gets a column of text all the same."""
    (observations,) = convert_to_polars(make_frames(make_case((1, "enabled", 0)))[0])
    observations = observations.with_columns(account_id=None)
    assert observations["account_id"].dtype == pl.Null
    assert fl.intervals(observations)["account_id"].dtype == pl.String


def test_the_shortest_gap_is_a_microsecond() -> None:
    """A gap may be as short as times are precise."""
    assert len(fl.intervals(OBSERVATIONS, COVERAGE, max_gap="1us"))


WRONG_GAPS: list[Any] = ["soon", 60, "0s", "-1h", "NaT", [], True]
OBSERVATIONS, COVERAGE = make_frames(make_case((1, "enabled", 0), scans=" c"))


@pytest.mark.parametrize(
    ("observations", "coverage", "max_gap", "message"),
    [
        ([], None, None, "observations is a list. Expected a DataFrame of pandas"),
        (pa.table({"a": [1]}), None, None, "observations has no column account_id"),
        (OBSERVATIONS["state"], None, None, "observations is a Series"),
        (OBSERVATIONS.drop(columns=["state", "region"]), None, None, "no column region, state."),
        (OBSERVATIONS.rename(columns={"state": "State"}), None, None, "Did you mean 'State'"),
        (
            OBSERVATIONS.assign(observed_at="2026-01-15"),
            None,
            None,
            "observed_at is String. Expected times with a time zone: convert the column first",
        ),
        (OBSERVATIONS.assign(account_id=1), None, None, "account_id is Int64. Expected text"),
        (
            OBSERVATIONS.assign(observed_at=pd.Timestamp("2026-01-15")),
            None,
            None,
            r'tz_localize\("UTC"\)',
        ),
        (OBSERVATIONS, COVERAGE.drop(columns="scope"), None, "coverage has no column scope"),
        (OBSERVATIONS, COVERAGE.assign(asked_at=1.5), None, "In coverage, asked_at is Float64"),
        (
            OBSERVATIONS,
            pl.from_pandas(COVERAGE),
            None,
            "is a frame of pandas, coverage is a frame of polars",
        ),
        *((OBSERVATIONS, COVERAGE, wrong, "max_gap is") for wrong in WRONG_GAPS),
    ],
)
def test_bad_input_is_refused(observations: Any, coverage: Any, max_gap: Any, message: str) -> None:
    """The message names the argument and what was expected."""
    with pytest.raises(fl.InputError, match=message):
        fl.intervals(observations, coverage, max_gap=max_gap)


def test_a_lazy_frame_is_refused_before_it_is_computed() -> None:
    """A column of the wrong dtype is found in the schema, before anything is computed."""

    def fail(_: Any) -> Any:
        raise AssertionError

    schema = {str(name): pl.String() for name in OBSERVATIONS}
    lazy = pl.from_pandas(OBSERVATIONS).lazy().map_batches(fail, schema=schema)
    with pytest.raises(fl.InputError, match="observed_at is String"):
        fl.intervals(lazy)
