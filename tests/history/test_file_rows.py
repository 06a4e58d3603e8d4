"""Stored files of other versions and types: nothing is lost, and nothing unknown is removed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.history import file_rows
from fastlaunch_nb.history.file_rows import REQUIRED, VERSION, VERSION_KEY, parse_file
from fastlaunch_nb.history.file_schema import KINDS, SCHEMAS
from tests.helpers.cases import some
from tests.helpers.histories import assert_same, list_files, make_history

SAFE_TYPES: dict[pa.DataType, list[pa.DataType]] = {
    pa.string(): [
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    pa.int64(): [pa.int16(), pa.int32(), pa.uint64()],
    pa.float64(): [pa.float32()],
    pa.timestamp("us", "UTC"): [
        pa.timestamp("ns", "UTC"),
        pa.timestamp("ms", "UTC"),
        pa.timestamp("us"),
        pa.timestamp("us", "Europe/Berlin"),
    ],
}


OPTIONAL = {
    kind: [column.name for column in columns if column.name not in REQUIRED[kind]]
    for kind, columns in KINDS.items()
}


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the rows of a file, as another program or version would."""
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)


def read_store(folder: Path) -> dict[str, pd.DataFrame]:
    """Return all rows of a store, by the kind of file that they come from."""
    history = fl.History(folder)
    rows = history.observations()
    is_event = rows["event_id"].notna()
    return {
        "images": rows[~is_event].reset_index(drop=True),
        "events": rows[is_event].reset_index(drop=True),
        "coverage": history.coverage(),
    }


# --- other versions -------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(st.data())
def test_files_of_any_version_lose_nothing(kind: str, data: Any) -> None:
    """Whatever columns, types and versions files have, all rows are read, and stay in a merge."""
    dropped = data.draw(st.sets(st.sampled_from(OPTIONAL[kind])), "dropped")
    types = {
        field.name: data.draw(st.sampled_from([field.type, *SAFE_TYPES[field.type]]), field.name)
        for field in SCHEMAS[kind]
    }
    files = st.tuples(st.sampled_from([None, 0, VERSION, VERSION + 1]), st.booleans())
    changes = data.draw(st.lists(files, min_size=3, max_size=3), "version, and has a new column")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_history(folder)
        expected = read_store(folder)
        for column in dropped & {*expected[kind]}:
            expected[kind][column] = expected[kind][column].mask(expected[kind].index >= 0)
        unknown = {}
        for path, (version, has_more) in zip(list_files(folder, kind), changes, strict=False):
            rewrite(path, partial(change_table, types, dropped, version, has_more))
            if has_more or version == VERSION + 1:
                unknown[path] = path.read_bytes()
        for _ in range(2):
            found = read_store(folder)
            for part, frame in expected.items():
                assert_same(found[part], frame)
            fl.History(folder).compact()
            assert {path: path.read_bytes() for path in unknown} == unknown


def change_table(
    types: dict[str, pa.DataType],
    dropped: set[str],
    version: int | None,
    has_more: bool,
    table: pa.Table,
) -> pa.Table:
    """Return rows with other types and columns."""
    table = table.cast(pa.schema([pa.field(name, types[name]) for name in table.column_names]))
    table = table.drop_columns(sorted(dropped))
    if has_more:
        table = table.append_column("later", pa.array(["new"] * len(table)))
    metadata = None if version is None else {VERSION_KEY: str(version)}
    return table.replace_schema_metadata(metadata)


def drop_column(name: str, table: pa.Table) -> pa.Table:
    return table.drop_columns([name])


def change_numbers_to_text(table: pa.Table) -> pa.Table:
    name = "max_parallel_launches"
    return table.set_column(table.column_names.index(name), name, pa.array(["6"] * len(table)))


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        pytest.param(
            kind,
            partial(drop_column, name),
            f"of another schema (no column {name})",
            id=f"{kind} {name}",
        )
        for kind, names in REQUIRED.items()
        for name in names
    ]
    + [
        pytest.param(
            "images",
            change_numbers_to_text,
            "of another schema (string in the column max_parallel_launches)",
            id="text in place of numbers",
        )
    ],
)
def test_a_file_that_means_nothing_is_left_out(
    tmp_path: Path, kind: str, change: Callable[[pa.Table], pa.Table], problem: str
) -> None:
    """A file without a column that it needs, or with other values, is named with its problem."""
    make_history(tmp_path)
    path = list_files(tmp_path, kind)[0]
    rewrite(path, change)
    content = path.read_bytes()
    with pytest.warns(fl.FastLaunchWarning) as caught:
        fl.History(tmp_path).observations()
    assert str(caught[0].message) == (
        f"1 file is {problem} and left out; all other files were read: {path}"
    )
    fl.History(tmp_path).compact()
    assert path.read_bytes() == content


@pytest.mark.parametrize("less", [0, 1])
@pytest.mark.parametrize("limit", ["_MAX_ROWS", "_MAX_BYTES"])
def test_a_file_that_would_fill_the_memory_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, less: int
) -> None:
    """A file, however small it is, has at most so many rows, and bytes once decompressed."""
    make_history(tmp_path)
    path = list_files(tmp_path, "images")[0]
    footer = pq.read_metadata(path)
    sizes = [footer.row_group(number).total_byte_size for number in range(footer.num_row_groups)]
    most = {"_MAX_ROWS": footer.num_rows, "_MAX_BYTES": sum(sizes)}[limit]
    monkeypatch.setattr(file_rows, limit, most - less)
    found = parse_file(pa.BufferReader(path.read_bytes()).read_buffer(), "images")
    assert (found.rows is None) == bool(less)
    assert found.problem == (f"too large to read ({footer.num_rows:,} rows)" if less else "")


def test_each_file_has_its_version(tmp_path: Path) -> None:
    """Recorded and merged files name the version of their schema."""
    history = make_history(tmp_path)
    for _ in range(2):
        for path in some(list_files(tmp_path)):
            assert pq.read_schema(path).metadata[VERSION_KEY] == str(VERSION).encode()
        history.compact()
