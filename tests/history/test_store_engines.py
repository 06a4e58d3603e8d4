"""A store read in place: DuckDB, Polars and Spark find the rows and intervals of a history."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, EVENTS, TEXT
from tests.helpers.histories import assert_same, make_varied_history, write_duckdb_source
from tests.helpers.samples import ROOT

KEY = list(columns.KEY)
SPARK_CODE = re.compile(r"```python\n(coverage = spark\.read.*?)```", re.DOTALL)


def convert_to_pandas(table: pa.Table, names: list[str], by: list[str]) -> pd.DataFrame:
    """Return columns of a table with the dtypes of the schema, sorted."""
    dtypes = {column.name: column.dtype for column in (*EVENTS, *COVERAGE)}
    columns = {}
    for name in names:
        is_time = pa.types.is_timestamp(table[name].type)
        column = table[name].cast(pa.timestamp("us", "UTC")) if is_time else table[name]
        columns[name] = column.to_pandas()
    rows = pd.DataFrame(columns)
    rows = rows.astype({name: dtypes.get(name, TEXT) for name in names if name in dtypes})
    return rows.sort_values(by, ignore_index=True)


def check_engine(
    history: fl.History, images: Any, coverage: Any, to_arrow: Callable[[Any], pa.Table]
) -> None:
    """Compare the rows and intervals of an engine with those of a history."""
    names, by = [column.name for column in COLUMNS], [*KEY, "observed_at"]
    observations = history.observations()[names].sort_values(by, ignore_index=True)
    assert_same(convert_to_pandas(to_arrow(images), names, by), observations)
    expected = history.intervals()
    table = to_arrow(fl.intervals(images, coverage))
    times = ["start", "end", "last_seen"]
    names = [*KEY, "state", "state_transition_reason", *times]
    intervals = convert_to_pandas(table, names, [*KEY, "start"])
    assert len(intervals) == len(expected)
    assert_same(intervals[[*KEY, *times]], expected[[*KEY, *times]])
    assert intervals["state"].tolist() == expected["state"].tolist()


@pytest.mark.deep
def test_duckdb_reads_a_store(tmp_path: Path) -> None:
    """DuckDB finds the same rows and intervals, before and after a merge."""
    history = make_varied_history(tmp_path)
    for _ in range(2):
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'Europe/Berlin'")
        images = connection.sql(f"select * {write_duckdb_source(tmp_path)}")
        coverage = connection.sql(f"from '{tmp_path}/coverage/*/*.parquet'")
        check_engine(history, images, coverage, lambda table: table.to_arrow_table())
        history.compact()


@pytest.mark.deep
def test_polars_reads_a_store(tmp_path: Path) -> None:
    """Polars finds the same rows and intervals, before and after a merge."""
    history = make_varied_history(tmp_path)
    for _ in range(2):
        images, coverage = (
            pl.scan_parquet(f"{tmp_path}/{kind}/*/*.parquet", hive_partitioning=True)
            for kind in ("images", "coverage")
        )
        images = images.join(coverage, on=["sweep_id", "record_id"], how="semi")
        check_engine(history, images, coverage, lambda table: table.collect().to_arrow())
        history.compact()


@pytest.mark.deep
def test_spark_reads_a_store(tmp_path: Path, spark: Any) -> None:
    """Spark finds the same with the code of the notebook, which reads whole folders."""
    history = make_varied_history(tmp_path)
    cells = nbformat.read(ROOT / "notebooks" / "06_history.ipynb", as_version=4).cells
    (code,) = (block for cell in cells for block in SPARK_CODE.findall(cell.source))
    names = {"spark": spark, "store": tmp_path, "fl": fl}
    exec(code, names)  # noqa: S102  a cell of our own
    check_engine(history, names["observations"], names["coverage"], lambda table: table.toArrow())
