"""Loading: each file that the toolkit writes, and what other tools make of its tables."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

import fastlaunch_nb as fl
from fastlaunch_nb import export
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME
from tests.helpers.table_samples import tables

ENDINGS = [".parquet", ".csv", ".json", ".xlsx"]
AS_UTC = "ignore:Excel knows no time zones:fastlaunch_nb.FastLaunchWarning"


def save_and_load(rows: pd.DataFrame, ending: str) -> pd.DataFrame:
    """Return rows that were written to a file and loaded from it."""
    with tempfile.TemporaryDirectory() as folder:
        export.save(rows, Path(folder, f"rows{ending}"))
        return fl.load(Path(folder, f"rows{ending}"))


def read_with_duckdb(rows: pd.DataFrame) -> Any:
    """Return rows as a relation of a DuckDB in another time zone."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'America/New_York'")
    return connection.from_arrow(pa.Table.from_pandas(rows, preserve_index=False))


TRIPS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda rows: rows,
    "pandas, objects": lambda rows: rows.astype(object),
    "pandas, pyarrow": lambda rows: rows.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas,
    "lazy polars": lambda rows: pl.from_pandas(rows).lazy(),
    "pyarrow": lambda rows: pa.Table.from_pandas(rows, preserve_index=False),
    "duckdb": read_with_duckdb,
    "duckdb, pandas": lambda rows: read_with_duckdb(rows).df(),
    "duckdb, polars": lambda rows: read_with_duckdb(rows).pl(),
}


# --- laws -----------------------------------------------------------------------------


@pytest.mark.filterwarnings(AS_UTC)
@pytest.mark.parametrize("ending", ENDINGS)
@given(tables())
def test_a_saved_table_comes_back(ending: str, rows: pd.DataFrame) -> None:
    """Law: a table that was saved is loaded as it was, dtypes and empty texts included."""
    pd.testing.assert_frame_equal(save_and_load(rows, ending), rows)


@pytest.mark.filterwarnings(AS_UTC)
@pytest.mark.parametrize("ending", [*ENDINGS, ".CSV", ".Xlsx"])
def test_images_come_back(images: pd.DataFrame, ending: str) -> None:
    """Images with hostile text come back; the ending may be in any case."""
    texts = {"image_name": "=cmd|' /C calc'!A0", "owner_id": "012345678901"}
    plain = images.assign(**texts).astype(dict.fromkeys(texts, TEXT))
    pd.testing.assert_frame_equal(save_and_load(plain, ending), plain)


@pytest.mark.parametrize("name", TRIPS)
@given(tables())
def test_a_trip_through_another_library_changes_nothing(name: str, rows: pd.DataFrame) -> None:
    """Law: a table that comes back from another library has our columns and dtypes again."""
    pd.testing.assert_frame_equal(fl.load(TRIPS[name](rows)), rows)


@pytest.mark.deep
@given(tables())
def test_a_trip_through_spark_changes_nothing(spark: Any, rows: pd.DataFrame) -> None:
    """Law: Spark in another time zone returns our table, as a frame of Spark or of Arrow."""
    frame = spark.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False))
    for result in (frame, frame.toArrow()):
        pd.testing.assert_frame_equal(fl.load(result), rows)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".json"])
def test_numbers_are_exact(ending: str) -> None:
    """Every digit of a number comes back; Excel alone rounds to 15."""
    numbers = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789]
    rows = pd.DataFrame({"image_id": "ami-1", "monthly_usd_low": pd.array(numbers, "Float64")})
    assert save_and_load(rows, ending)["monthly_usd_low"].tolist() == numbers


# --- account ids ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (123456789012, "123456789012"),
        (12345678901, "012345678901"),
        (123456789012.0, "123456789012"),
        ("12345678901", "012345678901"),
        ("012345678901.0", "012345678901"),
        ("1.23456789012E+11", "123456789012"),
        ("1,23456789012E+11", "123456789012"),
        ("1.2345678901e10", "012345678901"),
        ("123456789012", "123456789012"),
        ("123456000000", "123456000000"),
        ("000000000000", "000000000000"),
        (0, "000000000000"),
        (None, None),
        ("", None),
    ],
)
def test_account_ids_are_digits_again(found: Any, expected: str | None) -> None:
    """An account id that became a number, or lost its zeros, has 12 digits again."""
    rows = pd.DataFrame({"account_id": [found], "image_id": ["ami-1"]})
    assert (
        fl.load(rows)["account_id"].astype(object).where(lambda it: it.notna(), None)[0] == expected
    )


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("1.23457E+11", "a rounded number"),
        ("1,23457E+11", "a rounded number"),
        (123457000000, "a rounded number"),
        (1.23457e11, "a rounded number"),
        (1234567890123, "Expected an account id, 12 digits"),
        (12.5, "Expected an account id, 12 digits"),
        (True, "Expected an account id, 12 digits"),
    ],
)
def test_account_ids_without_all_digits_are_refused(found: Any, message: str) -> None:
    """A number whose digits were rounded away names no account."""
    rows = pd.DataFrame({"owner_id": [found], "image_id": ["ami-1"]})
    with pytest.raises(fl.InputError, match=f"owner_id has .*{message}"):
        fl.load(rows)


def test_short_floats_are_no_account_ids() -> None:
    """A float of 32 bits holds no 12 digits."""
    rows = pd.DataFrame({"account_id": pd.Series([123456789012], dtype="float32"), "image_id": "a"})
    with pytest.raises(fl.InputError, match="a rounded number"):
        fl.load(rows)


# --- times ----------------------------------------------------------------------------

NAIVE = pd.Timestamp("2026-01-15 12:00:00")


@pytest.mark.parametrize(
    "times",
    [
        pd.Series([NAIVE]),
        pd.Series([NAIVE]).astype("datetime64[ns]"),
        pd.Series([NAIVE.to_pydatetime()], dtype=object),
        pd.Series([NAIVE]).convert_dtypes(dtype_backend="pyarrow"),
        pd.Series(["2026-01-15 12:00:00"]),
        pd.Series(["2026-01-15"]),
    ],
    ids=["us", "ns", "datetime", "pyarrow", "text", "a day"],
)
def test_times_without_a_zone_are_refused(times: pd.Series) -> None:
    """The error names the column, a time, the remedy, and the zone of Spark's session."""
    rows = pd.DataFrame({"image_id": ["ami-1"], "observed_at": times})
    with pytest.raises(fl.InputError) as caught:
        fl.load(rows)
    for part in ("2026-01-15", 'df["observed_at"].dt.tz_localize("UTC")', "session.timeZone"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-15T12:00:00Z",
        "2026-01-15 07:00:00-05:00",
        "2026-01-15 12:00:00+00",
        "2026-01-15 12:00:00.000 UTC",
        "2026-01-15T13:00+0100",
        pd.Timestamp("2026-01-15T21:00", tz="Asia/Tokyo"),
        pd.Timestamp("2026-01-15T21:00", tz="Asia/Tokyo").to_pydatetime(),
    ],
)
def test_times_of_any_zone_become_utc(time: Any) -> None:
    """A time that names its zone is the same instant in UTC."""
    rows = pd.DataFrame({"image_id": ["ami-1"], "observed_at": pd.Series([time], dtype=object)})
    loaded = fl.load(rows)["observed_at"]
    assert str(loaded.dtype) == TIME
    assert loaded[0] == NAIVE.tz_localize("UTC")


def test_other_text_is_no_time() -> None:
    """A time in the form of a country is refused, with an example of ISO 8601."""
    rows = pd.DataFrame({"image_id": ["ami-1"], "observed_at": ["15.01.2026 12:00"]})
    with pytest.raises(fl.InputError, match=r"'15.01.2026 12:00'. Expected times in ISO 8601"):
        fl.load(rows)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_spark_has_a_zone_of_its_own(zone: str, tmp_path: Path) -> None:
    """Parquet of Spark has times in UTC, whether its type has a zone or is Spark's own."""
    times = pa.array([NAIVE], pa.timestamp("us"))
    table = pa.table({"image_id": ["ami-1"], "observed_at": times})
    file = tmp_path / "images.parquet"
    file.mkdir()
    write = {"use_deprecated_int96_timestamps": True, "store_schema": False}
    with pq.ParquetWriter(file / "part-0.parquet", table.schema, **write) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"org.apache.spark.version": "4.0.0"})
    assert fl.load(file)["observed_at"][0] == NAIVE.tz_localize("UTC")
    assert fl.load(file / "part-0.parquet")["observed_at"][0] == NAIVE.tz_localize("UTC")
    pq.write_table(table, file / "part-0.parquet", **write)
    with pytest.raises(fl.InputError, match="times without a time zone"):
        fl.load(file)
    pq.write_table(
        table.set_column(1, "observed_at", times.cast(pa.timestamp("us", zone))),
        file / "part-0.parquet",
    )
    assert fl.load(file)["observed_at"][0] == NAIVE.tz_localize("UTC")


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")  # Spark itself warns of pandas 3
def test_rows_of_spark_name_their_zone(spark: Any, images: pd.DataFrame) -> None:
    """What toPandas() returns, in the time of Spark's session, is refused and explained."""
    frame = spark.createDataFrame(pa.Table.from_pandas(images, preserve_index=False))
    with pytest.raises(fl.InputError, match=r"toPandas\(\) of Spark"):
        fl.load(frame.toPandas())


# --- files of other tools -------------------------------------------------------------

GERMAN = (
    "account_id;image_id;observed_at;snapshots_monthly_usd;max_parallel_launches\r\n"
    "12345678901;ami-1;2026-01-15T12:00:00Z;0,5;6\r\n"
    ';"";;;\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_of_a_german_excel(tmp_path: Path, encoding: str) -> None:
    """Semicolons, decimal commas, lost zeros and any encoding of Windows are read."""
    file = tmp_path / "images.csv"
    file.write_bytes(GERMAN.replace("ami-1", "größe").encode(encoding))
    rows = fl.load(file)
    assert rows.iloc[0].tolist() == ["012345678901", "größe", NAIVE.tz_localize("UTC"), 0.5, 6]
    assert rows["image_id"].tolist()[1] == ""
    assert rows.iloc[1].drop("image_id").notna().sum() == 0


def test_an_index_of_pandas_is_left_out(tmp_path: Path, images: pd.DataFrame) -> None:
    """Rows that pandas wrote with its index have the columns of the toolkit alone."""
    plain = images.assign(state_transition_reason=None).astype({"state_transition_reason": TEXT})
    plain.to_csv(tmp_path / "images.csv")
    pd.testing.assert_frame_equal(fl.load(tmp_path / "images.csv"), plain)
    plain.set_index(["region", "image_id"]).to_parquet(tmp_path / "images.parquet")
    loaded = fl.load(tmp_path / "images.parquet")
    assert set(loaded) == set(plain)
    pd.testing.assert_frame_equal(loaded[list(plain)], plain)


def test_excel_of_pandas_is_read(tmp_path: Path, images: pd.DataFrame) -> None:
    """pandas writes nulls as empty texts and an index without a name: both are left out."""
    times = images.select_dtypes("datetimetz").apply(lambda values: values.dt.tz_localize(None))
    plain = images.assign(state_transition_reason=None).astype({"state_transition_reason": TEXT})
    plain.assign(**times).to_excel(tmp_path / "images.xlsx")
    with pytest.warns(fl.FastLaunchWarning, match="count as UTC"):
        loaded = fl.load(tmp_path / "images.xlsx")
    pd.testing.assert_frame_equal(loaded, plain)


def test_json_lines_are_read(tmp_path: Path, images: pd.DataFrame) -> None:
    """JSON may have an object on each line, as Spark and pandas write it."""
    file = tmp_path / "images.json"
    images.to_json(file, orient="records", lines=True, date_format="iso", date_unit="us")
    pd.testing.assert_frame_equal(fl.load(file), images)
    file.write_text("[]")
    assert list(fl.load(file)) == list(images)


@pytest.mark.filterwarnings(AS_UTC)
def test_excel_changes_types(tmp_path: Path) -> None:
    """A workbook with other sheets, numbers for ids and blank rows is read; errors are null."""
    workbook = openpyxl.Workbook()
    workbook.active.append(["a note"])
    sheet = workbook.create_sheet("images")
    sheet.append([])
    sheet.append(["", "account_id", "image_id", "observed_at", "max_parallel_launches", "team"])
    sheet.append([0, 12345678901, "ami-1", NAIVE.to_pydatetime(), 6.0, "a"])
    sheet.append([])
    sheet.append([1, 123456789012, 5, None, "#N/A"])
    workbook.save(tmp_path / "images.xlsx")
    rows = fl.load(tmp_path / "images.xlsx")
    assert rows["account_id"].tolist() == ["012345678901", "123456789012"]
    assert rows["image_id"].tolist() == ["ami-1", "5"]
    assert rows["observed_at"].tolist() == [NAIVE.tz_localize("UTC"), pd.NaT]
    assert rows["max_parallel_launches"].dtype == COUNT
    assert "" not in rows
    assert rows["team"].tolist() == ["a", None]


def test_times_of_excel_count_as_utc(tmp_path: Path, images: pd.DataFrame) -> None:
    """The warning names the columns, once for a file, at the caller's line."""
    export.save(images, tmp_path / "images.xlsx")
    with pytest.warns(fl.FastLaunchWarning) as caught:
        fl.load(tmp_path / "images.xlsx")
    [warning] = caught
    assert "state_transition_time, observed_at in 'images.xlsx' count as UTC" in str(
        warning.message
    )
    assert warning.filename == __file__


def test_other_columns_stay(tmp_path: Path, images: pd.DataFrame) -> None:
    """A column of your own stays in its place, and is text in CSV."""
    mine = pd.concat([pd.Series(range(8), name="rank"), images], axis=1)
    export.save(mine, tmp_path / "images.csv")
    assert fl.load(tmp_path / "images.csv")["rank"].tolist() == [str(rank) for rank in range(8)]
    export.save(mine, tmp_path / "images.parquet")
    pd.testing.assert_frame_equal(fl.load(tmp_path / "images.parquet"), mine)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"name,price\na,1\n", "Got the columns name, price"),
        ("rows.csv", b"", "is no CSV"),
        ("rows.csv", b"image_id,state\na,b,c\n", "is no CSV"),
        ("rows.json", b'[{"ImageId": "ami-1"}]', "fl.from_pages reads"),
        ("rows.json", b'{"detail-type": "x"}', "fl.from_events reads"),
        ("rows.json", b"[1, 2]", "is no list of objects"),
        ("rows.json", b"image", "is no JSON"),
        ("rows.parquet", b"PAR1", "is no Parquet"),
        ("rows.xlsx", b"PK", "is no Excel workbook"),
        ("rows.xls", b"", "Expected a table of fastlaunch_nb"),
        ("rows.csv", b"image_id,snapshots\na,many\n", "snapshots is string, such as 'many'"),
        ("rows.csv", b"image_id,snapshots\na,1.5\n", "snapshots is Float64, such as 1.5"),
        ("rows.csv", b"image_id,start,end,start_exact\na,,,maybe\n", "start_exact"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """The error names the columns or the problem."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(fl.InputError, match=message):
        fl.load(tmp_path / name)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.csv", "'none.csv' could not be read: No such file"),
        (5, "Got a int"),
        ([{"image_id": "ami-1"}], "Got a list"),
        (pd.DataFrame(), "Got no column"),
    ],
)
def test_other_sources_are_refused(source: Any, message: str) -> None:
    """A source is a file or a frame."""
    with pytest.raises(fl.SourceError, match=message):
        fl.load(source)
