"""Tables of every kind with awkward values, drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from fastlaunch_nb.schema.columns import COLUMNS, COUNT, COVERAGE, EVENTS, FLAG, NUMBER, TEXT, TIME
from fastlaunch_nb.schema.joins import FINDINGS, JOINED, METRICS, SNAPSHOTS, UNCHECKED
from fastlaunch_nb.schema.tables import ACCOUNT_IDS, CHANGES, INTERVALS, LAUNCHES

TABLES: Mapping[str, dict[str, Any]] = {
    "images": {
        **{column.name: column.dtype for column in COLUMNS},
        **dict(list(JOINED.items())[::7]),
        "account_name": TEXT,
    },
    **{
        name: {column.name: column.dtype for column in columns}
        for name, columns in (
            ("changes", CHANGES),
            ("coverage", COVERAGE),
            ("events", EVENTS),
            ("findings", FINDINGS),
            ("intervals", INTERVALS),
            ("launches", LAUNCHES),
            ("metrics", METRICS),
            ("snapshots", SNAPSHOTS),
            ("unchecked", UNCHECKED),
        )
    },
}
"""Columns and dtypes of every table that the toolkit returns."""

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
_TEXTS = st.one_of(
    st.none(),
    TEXTS,
    st.text("a=1+-@;,\t\n\"' ＝", max_size=6),
    st.sampled_from(["", "null", "NaN", "007", "1e5", "#N/A", "_x0041_", "2026-01-15", "True"]),
)
_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    TEXT: _TEXTS,
    TIME: st.none()
    | st.datetimes(datetime(1950, 1, 1), datetime(2200, 1, 1)).map(
        lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000, tzinfo=UTC)
    ),
    COUNT: st.none() | st.integers(0, 10**14),
    NUMBER: st.none() | st.floats(0, 1e9).map(lambda value: float(f"{value:.14g}")),
    FLAG: st.booleans(),
}
_ACCOUNT_IDS = st.none() | st.integers(0, 10**12 - 1).map(lambda number: f"{number:012}")


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a table of the toolkit with its dtypes and a few rows; a row has a region, at least."""
    dtypes = TABLES[draw(st.sampled_from(sorted(TABLES)))]
    size = draw(st.integers(1, 4))
    columns = {
        name: draw(
            st.lists(
                _ACCOUNT_IDS if name in ACCOUNT_IDS else _VALUES[dtype],
                min_size=size,
                max_size=size,
            )
        )
        for name, dtype in dtypes.items()
    }
    columns["region"] = ["us-east-1"] * size
    return pd.DataFrame(
        {name: pd.Series(columns[name], dtype=dtypes.get(name, TEXT)) for name in columns}
    )
