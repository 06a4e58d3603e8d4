"""Frames: each function that takes a frame takes those of every library, or says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb import export
from fastlaunch_nb.formatting import to_csv
from fastlaunch_nb.frames import convert_arrow, is_frame, to_pandas_frame
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.joins import METRICS, SNAPSHOTS
from fastlaunch_nb.validation import validate_columns
from tests.helpers.cases import some
from tests.helpers.samples import ACCOUNT, REGION

KEYS: dict[str, Any] = {
    "account_id": ACCOUNT,
    "region": REGION,
    "image_id": "ami-0abcdef1234567890",
}
SINCE = ("2026-01-01", None)
NOON = pd.Timestamp("2026-01-15T12:00:00Z").as_unit("us")


class Tables(NamedTuple):
    """A table of each kind."""

    images: Any
    coverage: Any
    intervals: Any
    findings: Any
    snapshots: Any
    metrics: Any
    launches: Any
    events: Any


def make_tables() -> Tables:
    """Return tables of one image, which was enabled, has two launches, and is observed twice."""
    item = {
        "ImageId": KEYS["image_id"],
        "State": "enabled",
        "StateTransitionTime": "2026-01-15T09:10:00Z",
        "LaunchTemplate": {"LaunchTemplateId": "lt-0abcdef1234567890", "Version": "1"},
        "SnapshotConfiguration": {"TargetResourceCount": 5},
        "MaxParallelLaunches": 6,
    }
    source: dict[str, Any] = {"account_id": ACCOUNT, "region": REGION, "observed_at": NOON}
    images = fl.from_pages([item], **source).assign(available_snapshots=3)
    numbers: dict[str, Any] = {"snapshots": 5, "snapshot_gib": 250, "snapshot_full_gib": 100.0}
    images = validate_columns("images", images.assign(**numbers))
    coverage = pd.DataFrame(
        {
            "sweep_id": "s-1",
            "account_id": ACCOUNT,
            "account_name": "games",
            "region": REGION,
            "scope": "",
            "status": "complete",
            "error_code": None,
            "error_message": None,
            "request_id": None,
            "pages": 1,
            "rows": 1,
            "seconds": 0.5,
            "retries": 0,
            "observed_at": [NOON],
            "checkpoint": None,
        }
    )
    event = {**KEYS, "state": "enabled", "observed_at": NOON, "state_transition_time": NOON}
    metric = {**KEYS, "time": NOON, "period": 300, "fast_launches": 2, "available_snapshots": 3}
    snapshot = {**KEYS, "snapshot_id": "snap-1", "snapshot_state": "completed"}
    times = {"snapshot_time": NOON, "observed_at": NOON, "volume_gib": 50}
    metrics = make_table([{**metric, "snapshot_creation_time": 400.0}], METRICS)
    return Tables(
        images=images,
        coverage=validate_columns("coverage", coverage),
        intervals=fl.intervals(images),
        findings=fl.findings(images),
        snapshots=make_table([{**snapshot, **times}], SNAPSHOTS),
        metrics=metrics,
        launches=fl.launches(metrics),
        events=fl.from_events(EVENT).assign(**event),
    )


EVENT = {
    "id": "01234567-0123-0123-0123-012345678901",
    "source": "aws.ec2",
    "detail-type": "EC2 Fast Launch State-change Notification",
    "account": ACCOUNT,
    "region": REGION,
    "time": "2026-01-15T12:00:00Z",
    "detail": {"imageId": KEYS["image_id"], "resourceType": "snapshot", "state": "enabled"},
}
TABLES = make_tables()

FUNCTIONS: dict[str, Callable[[Tables], Any]] = {
    "timeline": lambda it: fl.timeline(it.intervals),
    "timeline of images": lambda it: fl.timeline(it.images, coverage=it.coverage),
    "state_mix": lambda it: fl.state_mix(it.intervals, coverage=it.coverage),
    "fleet_map": lambda it: fl.fleet_map(it.coverage),
    "capacity": lambda it: fl.capacity(it.images),
    "capacity over time": lambda it: fl.capacity(it.images, metrics=it.metrics),
    "panel": lambda it: fl.panel(it.images, intervals=it.intervals, findings=it.findings).filtered,
    "findings": lambda it: fl.findings(
        it.images, intervals=it.intervals, coverage=it.coverage, snapshots=it.snapshots
    ),
    "unchecked": lambda it: fl.unchecked(it.images, coverage=it.coverage),
    "Filters.apply": lambda it: fl.Filters(state="enabled", state_transition_time=SINCE).apply(
        it.images
    ),
    "Filters.counts": lambda it: fl.Filters(state="enabled").counts(it.images),
    "enrich": lambda it: fl.enrich(it.images, "cost", prices=fl.Prices()),
    "right_size": lambda it: fl.right_size(it.launches, fill_time=it.metrics),
    "measure_fill_time": lambda it: fl.measure_fill_time(it.metrics),
    "measure_fill_time of snapshots": lambda it: fl.measure_fill_time(
        snapshots=it.snapshots, intervals=it.intervals
    ),
    "to_table": lambda it: export.to_table(it.images).columns,
}
"""Each public function that takes frames, called with them."""


def make_objects(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose columns are all objects."""
    return rows.astype(object)


def make_categories(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose texts are categories, and whose times are in Tokyo."""
    texts = {name: "category" for name in rows if rows[name].dtype == "string"}
    times = dict.fromkeys(rows.select_dtypes("datetimetz"), "datetime64[ns, Asia/Tokyo]")
    return rows.astype({**texts, **times})


KINDS = ["images", "coverage", "intervals", "findings", "snapshots", "metrics", "events"]
EXPECTED: dict[str, Any] = {}
"""Results of the functions for our own frames, each computed once."""

LIBRARIES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": pl.from_pandas,
    "polars, categories": lambda rows: pl.from_pandas(rows).with_columns(
        pl.col(pl.String).cast(pl.Categorical)
    ),
    "pyarrow": lambda rows: pa.Table.from_pandas(rows, preserve_index=False),
    "pandas, pyarrow": lambda rows: rows.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, objects": make_objects,
    "pandas, categories": make_categories,
}


def describe(result: Any) -> Any:
    """Return a result in a form that can be compared."""
    if isinstance(result, pd.DataFrame):
        return {name: str(values.dtype) for name, values in result.items()}, result.to_csv()
    return repr(result)


@pytest.mark.parametrize("library", ["polars, categories", "pandas, objects"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_frames_of_any_library(function: str, library: str) -> None:
    """Each function has the same result for frames of any library and dtype."""
    convert = LIBRARIES[library]
    result = FUNCTIONS[function](Tables(*map(convert, TABLES)))
    if function not in EXPECTED:
        EXPECTED[function] = FUNCTIONS[function](TABLES)
    expected = EXPECTED[function]
    is_same_frame = function in ("Filters.apply", "enrich") and library.startswith("pandas")
    if is_same_frame:  # these return the rows that they were given
        assert list(result) == list(expected)
        assert len(result) == len(expected) == 1
    else:
        assert describe(result) == describe(expected)


@pytest.mark.parametrize("library", ["polars, categories", "pandas, objects"])
def test_a_history_records_frames_of_any_library(library: str, tmp_path: Path) -> None:
    """A store has the same rows for events and sweeps in frames of any library."""
    tables = Tables(*map(LIBRARIES[library], TABLES))
    answers = []
    for name, it in {"any": tables, "pandas": TABLES}.items():
        history = fl.History(tmp_path / name)
        history.record(it.events)
        history.record(it)
        answers.append([history.observations(), history.coverage()])
    for found, expected in some(zip(*answers, strict=True)):
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gets_its_dtypes(kind: str, library: str) -> None:
    """A table of each kind has our columns and dtypes, whatever the library and its dtypes."""
    rows = getattr(TABLES, kind)
    valid = validate_columns(kind, LIBRARIES[library](rows))
    pd.testing.assert_frame_equal(valid, validate_columns(kind, rows))


@pytest.mark.parametrize("library", LIBRARIES)
def test_intervals_are_of_the_same_library(library: str) -> None:
    """Intervals come back as a frame of the library of the observations."""
    convert = LIBRARIES[library]
    result = fl.intervals(convert(TABLES.images), convert(TABLES.coverage))
    assert type(result) is type(convert(TABLES.images))
    pd.testing.assert_frame_equal(fl.load(result), fl.intervals(TABLES.images, TABLES.coverage))


# --- what is refused ------------------------------------------------------------------


def make_relation(rows: pd.DataFrame) -> Any:
    """Return rows as a relation of DuckDB."""
    return duckdb.connect().from_arrow(pa.Table.from_pandas(rows, preserve_index=False))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("make_lazy", "call"),
    [
        (lambda rows: pl.from_pandas(rows).lazy(), r"polars. .*: frame\.collect\(\)"),
        (make_relation, r"duckdb. .*: narwhals\.from_native\(frame\)\.collect\(\)"),
    ],
    ids=["polars", "duckdb"],
)
def test_lazy_frames_are_refused(function: str, make_lazy: Any, call: str) -> None:
    """The error of a lazy frame has the call that returns its rows."""
    with pytest.raises(fl.InputError, match=f"Got a lazy frame of {call}"):
        FUNCTIONS[function](Tables(*map(make_lazy, TABLES)))


def without_zone(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows as Spark's toPandas() does: times in the zone of its session, without it."""
    times = rows.select_dtypes("datetimetz")
    local = times.apply(
        lambda values: values.dt.tz_convert("America/New_York").dt.tz_localize(None)
    )
    return rows.assign(**local)


@pytest.mark.parametrize("library", ["pandas, pyarrow", "polars"])
@pytest.mark.parametrize("function", some(name for name in FUNCTIONS if name != "Filters.counts"))
def test_times_without_a_zone_are_refused(function: str, library: str) -> None:
    """No function takes times of an unknown zone, which would be hours off without notice."""
    convert = LIBRARIES[library]
    with pytest.raises(fl.InputError, match=r'tz_localize\("UTC"\)'):
        FUNCTIONS[function](Tables(*(convert(without_zone(rows)) for rows in TABLES)))


def test_other_objects_are_no_frames() -> None:
    """A list of rows, a Series and a path are no frames."""
    others: list[Any] = [[{"image_id": "ami-1"}], TABLES.images["image_id"], "images.csv", 5]
    for value in some(others):
        assert not is_frame(value)
        with pytest.raises(fl.InputError, match=r"Expected images.* Got a"):
            fl.capacity(value)


# --- conversions ----------------------------------------------------------------------


def test_a_right_frame_is_not_copied() -> None:
    """A frame with the dtypes of the schema shares its columns with the result."""
    valid = validate_columns("images", TABLES.images)
    assert to_pandas_frame(TABLES.images, "") is TABLES.images
    times = [rows["observed_at"].to_numpy("datetime64[us]") for rows in (valid, TABLES.images)]
    first, second = times
    assert np.shares_memory(first, second)


def test_whole_numbers_stay_exact() -> None:
    """A count with nulls becomes no float, which would round it."""
    rows = convert_arrow(pa.table({"n": pa.array([2**53 + 1, None])}))
    assert rows["n"].tolist() == [2**53 + 1, pd.NA]


def test_csv_guards_categories() -> None:
    """A formula is guarded in a column of any dtype that may have text."""
    rows = pd.DataFrame({"a": pd.Series(["=1"], dtype="category"), "b": ["=2"], "c": ["=3"]})
    rows = rows.astype({"b": pd.ArrowDtype(pa.string()), "c": object})
    assert to_csv(rows) == "a,b,c\n'=1,'=2,'=3\n"
