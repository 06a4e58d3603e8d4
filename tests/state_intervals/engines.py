"""Engines: the frames in which intervals are computed, and how to read and compare results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

import fastlaunch_nb as fl
from tests.helpers.interval_oracle import Case, make_frames

COLUMNS = [
    "account_id",
    "region",
    "image_id",
    "state",
    "start",
    "end",
    "last_seen",
    "start_exact",
    "state_transition_reason",
]


def convert_to_polars(*tables: pd.DataFrame) -> list[Any]:
    """Return frames of Polars."""
    return [pl.from_pandas(table) for table in tables]


def convert_to_lazy_polars(*tables: pd.DataFrame) -> list[Any]:
    """Return lazy frames of Polars."""
    return [table.lazy() for table in convert_to_polars(*tables)]


def convert_to_duckdb(*tables: pd.DataFrame) -> list[Any]:
    """Return relations of a DuckDB whose time zone is not UTC."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Europe/Berlin'")
    return [connection.from_arrow(pa.Table.from_pandas(table)) for table in tables]


ENGINES: list[tuple[Callable[..., list[Any]], Callable[[Any], pa.Table]]] = [
    (lambda *tables: list(tables), pa.Table.from_pandas),
    (convert_to_polars, lambda table: table.to_arrow()),
    (convert_to_lazy_polars, lambda table: table.collect().to_arrow()),
    (convert_to_duckdb, lambda table: table.to_arrow_table()),
]
"""Functions that convert DataFrames, and that read a result as Arrow."""
NAMES = ["pandas", "polars", "lazy polars", "duckdb"]


def compute(case: Case, max_gap: Any = None) -> pd.DataFrame:
    """Return the intervals of a case, by Polars, which is the fastest with few rows."""
    observations, coverage = convert_to_polars(*make_frames(case))
    table: pd.DataFrame = fl.intervals(observations, coverage, max_gap=max_gap).to_pandas()
    return table


def convert_to_utc(table: pa.Table) -> pd.DataFrame:
    """Return a result as a DataFrame with times in UTC."""
    times = {name: table[name].cast(pa.timestamp("us", "UTC")) for name in COLUMNS[4:7]}
    result: pd.DataFrame = table.to_pandas()
    return result.assign(**{name: column.to_pandas() for name, column in times.items()})


def list_rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return intervals as rows of Python values, as the oracle does."""
    assert list(table) == COLUMNS
    plain = table.astype(object).where(table.notna(), None)
    return [
        tuple(v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for v in row)
        for row in plain.itertuples(index=False, name=None)
    ]
