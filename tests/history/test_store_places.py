"""The store in other places and hands: on S3; read in place by DuckDB, Polars and Spark."""

from __future__ import annotations

import pickle
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

import boto3
import duckdb
import nbformat
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from pyarrow import fs
from werkzeug.serving import WSGIRequestHandler, make_server

import fastlaunch_nb as fl
from fastlaunch_nb.history import store as history_files
from fastlaunch_nb.history.store import ParquetStore
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, EVENTS, TEXT
from tests.helpers.cases import some
from tests.helpers.histories import (
    PLACES,
    answers,
    counts,
    eventful,
    files,
    in_place,
    looked,
    same,
    same_answers,
    small,
)
from tests.helpers.processes import LIMIT
from tests.helpers.samples import ROOT, item

KEY = list(columns.KEY)
SPARKS = re.compile(r"```python\n(looks = spark\.read.*?)```", re.DOTALL)

# --- S3 -------------------------------------------------------------------------------

LIMITS = history_files.S3_CONNECT_TIMEOUT, history_files.S3_REQUEST_TIMEOUT

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DENIED = (
    b"<Error><Code>AccessDenied</Code><Message>AKIAIOSFODNN7EXAMPLE is not allowed</Message>"
    b"</Error>"
)


class S3:
    """An S3 on this machine: what it was asked, what it refuses, and when it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.came = Semaphore(0)  # released by each request
        self.refuses: Callable[[str], bool] = lambda asked: False
        self.delay: Callable[[], object] = lambda: None
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Any, start: Any) -> Any:
        """Answer a request, or refuse it."""
        query = environ["QUERY_STRING"]
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' * bool(query)}{query}"
        self.asked.append(asked)
        self.came.release()
        self.delay()
        if self.refuses(asked):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [DENIED]
        return self._moto(environ, start)


class Quiet(WSGIRequestHandler):
    """Answers, and says nothing of it."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the base class's
        """Say nothing."""


@contextmanager
def served(s3: S3) -> Iterator[str]:
    """Serve it, each request in a thread of its own; give its address."""
    server = make_server("127.0.0.1", 0, s3, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An S3 with one empty bucket, named ``bucket``; no request to it is ever repeated."""
    s3 = S3()
    monkeypatch.setattr(history_files, "S3_CONNECT_TIMEOUT", LIMIT)
    monkeypatch.setattr(history_files, "S3_REQUEST_TIMEOUT", LIMIT)
    with served(s3) as address:
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        s3.asked.clear()
        try:
            yield s3
        finally:
            s3.refuses, s3.delay = (lambda asked: False), (lambda: None)
            for found in client.list_objects_v2(Bucket="bucket").get("Contents", []):
                client.delete_object(Bucket="bucket", Key=found["Key"])
            client.close()


@pytest.mark.deep
def test_s3_answers_as_a_folder_does(s3: S3, tmp_path: Path) -> None:
    """What is recorded on S3, again, and merged, gives the answers of a store on a disk."""
    local, remote = eventful(tmp_path), fl.History("s3://bucket/fleet")
    for minute in range(3):
        remote.record(small(minute))
    remote.record(local.observations().query("event_id.notna()"))
    assert [asked.split()[0] for asked in s3.asked] == ["PUT"] * 7  # a file is one request
    assert [asked for asked in s3.asked if "?" in asked] == []
    same_answers(answers(remote), answers(local))
    remote.record(small(1))
    same_answers(answers(remote), answers(local))
    s3.asked.clear()
    remote.compact()
    made = [asked for asked in s3.asked if asked.startswith("PUT") and "parquet" in asked]
    assert len(made) == 2
    assert sum(asked.startswith("DELETE") for asked in s3.asked) == 8
    same_answers(answers(remote), answers(local))
    same_answers(answers(pickle.loads(pickle.dumps(remote))), answers(local))
    assert repr(remote) == "History('s3://bucket/fleet')"


@pytest.mark.parametrize(
    "prefix", ["", "/", "/plain/", "/a=b/c d", "/100%25", "/ümlaut", "/a//b#c", "/date=2026"]
)
def test_any_prefix(s3: S3, prefix: str) -> None:
    """A prefix may have any name: it is taken by the letter."""
    history = fl.History(f"s3://bucket{prefix}")
    history.record(small(0))
    assert counts(fl.History(f"s3://bucket{prefix}")) == {"sweep-0000.00": 4}
    keys = [
        found["Key"] for found in boto3.client("s3").list_objects_v2(Bucket="bucket")["Contents"]
    ]
    folder = prefix.strip("/").replace("//", "/")
    expected = f"{folder}/" if folder else ("images/", "coverage/")
    assert [key for key in some(keys) if not key.startswith(expected)] == []


def test_s3_refuses(s3: S3) -> None:
    """What S3 refuses is a StoreError that says what it takes and no secret; no file is damaged."""
    history = fl.History("s3://bucket/fleet")
    for minute in range(2):
        history.record(small(minute))
    for method, ask in (
        ("GET /bucket?", history.images),  # the listing
        ("GET /bucket/fleet/images", history.images),
        ("HEAD /bucket/fleet/coverage", history.compact),
        ("PUT", lambda: history.record(small(2))),
        ("DELETE", history.compact),
    ):
        s3.refuses = lambda asked, method=method: asked.startswith(method)  # type: ignore[misc]
        with pytest.raises(fl.StoreError, match="'s3://bucket/fleet' could not be") as caught:
            ask()
        assert "EXAMPLE" not in str(caught.value)
        assert "AKIA" not in str(caught.value)
        assert "It takes s3:ListBucket" in str(caught.value), method
        s3.refuses = lambda asked: False
        assert set(counts(history)) == {"sweep-0000.00", "sweep-0001.00"}
    with pytest.raises(fl.StoreError, match="Create the bucket first"):
        fl.History("s3://no-such-bucket/fleet").record(small(0))
    with pytest.raises(fl.StoreError, match="There is no store at 's3://bucket/other'"):
        fl.History("s3://bucket/other").images()


@pytest.mark.deep
def test_a_large_file_that_breaks_off(s3: S3) -> None:
    """Of a file that is too large for one request nothing is there until all of it is."""
    place = ParquetStore("s3://bucket/fleet")
    large = pa.table({"noise": [random.Random(0).randbytes(11 << 20)]})
    s3.refuses = lambda asked: "partNumber=2" in asked
    with pytest.raises(fl.StoreError, match="could not be written to"):
        place.write("images", "2026-01-01", "large", large)
    with pytest.raises(fl.StoreError, match="There is no store"):
        place.list_files()
    s3.refuses = lambda asked: False
    place.write("images", "2026-01-01", "large", large)
    assert [file.size > 11 << 20 for file in place.list_files()] == [True]


def test_s3_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """If S3 is not to be reached, that is what is said."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(fl.StoreError, match=r"could not be listed: .*connect"):
        fl.History("s3://bucket/fleet").images()


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "http://127.0.0.1:2"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:3"}, "http://127.0.0.1:3"),
    ],
    ids=["of all services", "of S3"],
)
def test_what_s3_is_made_with(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], endpoint: str
) -> None:
    """S3 is where AWS's variables say; it has 10 s to take a connection, and 20 s to answer."""
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:2", **variables}.items():
        monkeypatch.setenv(name, value)
    system, path = ParquetStore("s3://bucket/fleet")._location
    expected = {
        "connect_timeout": 10,
        "request_timeout": 20,
        "endpoint_override": endpoint,
        "allow_delayed_open": True,
    }
    options = system.__reduce__()[1][0]
    assert {name: options[name] for name in expected} == expected
    assert path == "bucket/fleet"


def test_without_an_endpoint_the_bucket_says_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bucket on AWS itself the region is looked up; an empty endpoint is none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    regions = {"bucket": "eu-north-1"}
    monkeypatch.setattr(fs, "resolve_s3_region", regions.__getitem__)
    system, _ = ParquetStore("s3://bucket/fleet")._location
    assert system.region == "eu-north-1"
    assert system.__reduce__()[1][0]["endpoint_override"] == ""


def test_s3_that_does_not_answer_is_given_up(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing comes within the limit, S3 is asked as often as it may be, and no more."""
    monkeypatch.setattr(history_files, "S3_REQUEST_TIMEOUT", 1)
    monkeypatch.setattr(history_files, "S3_ATTEMPTS", 2)
    over = Event()
    s3.delay = over.wait
    try:
        with pytest.raises(fl.StoreError, match=r"could not be listed: .*Timeout"):
            fl.History("s3://bucket/fleet").images()
        for _ in range(2):
            s3.came.acquire()
        assert len(s3.asked) == 2
    finally:
        over.set()


@pytest.mark.deep
def test_s3_that_answers_after_5_seconds(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limits of users a slow S3 is waited for, and asked once for each thing."""
    monkeypatch.setattr(history_files, "S3_CONNECT_TIMEOUT", LIMITS[0])
    monkeypatch.setattr(history_files, "S3_REQUEST_TIMEOUT", LIMITS[1])
    s3.delay = lambda: Event().wait(5)
    fl.History("s3://bucket/fleet").record(small(0))
    assert [asked.split()[0] for asked in s3.asked] == ["PUT", "PUT"]


@pytest.mark.parametrize(
    "address",
    [
        f"s3://AKIAIOSFODNN7EXAMPLE:{SECRET}@bucket/fleet",
        f"s3://AKIAIOSFODNN7EXAMPLE:{SECRET.replace('/', '%2F')}@bucket/fleet",
        f"s3://bucket/fleet?secret_key={SECRET}",
        f"S3://key:{SECRET}@bucket",
        Path(f"s3://key:{SECRET}@bucket/fleet"),
        f"gs://key:{SECRET}@bucket/fleet",
    ],
)
def test_an_address_with_a_secret(address: Any) -> None:
    """An address that holds credentials is refused, and not repeated."""
    with pytest.raises(fl.InputError, match="The store's address") as caught:
        fl.History(address)
    assert "EXAMPLE" not in str(caught.value)
    assert "K7MDENG" not in str(caught.value)


# --- read in place --------------------------------------------------------------------


def varied(store: Path) -> fl.History:
    """Return a history in which much happens, with what writers that died have left."""
    history = fl.History(store)
    history.record(looked(0, (PLACES[0], [item(1), item(2, "enabling")]), (PLACES[1], [])))
    history.record(looked(30, (PLACES[0], [item(1, "enabling-failed")]), (PLACES[2], [item(3)])))
    history.record(looked(70, (PLACES[0], "failed"), (PLACES[1], [item(4, None)])))
    history.record(looked(90, (PLACES[0], [item(1), item(2)]), (PLACES[2], "partial")))
    for kind in ("images", "coverage"):
        path = files(store, kind)[0]
        shutil.copy(path, path.with_name(f".{path.name}.0a1b2c3d"))
    fl.History(store / "other").record(small(9))
    lost = files(store / "other", "images")[0]
    shutil.copy(lost, files(store, "images")[0].parent)  # a sweep without its coverage
    shutil.rmtree(store / "other")
    return history


def compared(found: pa.Table, names: list[str], by: list[str]) -> pd.DataFrame:
    """Return rows of any engine, in the types of the frame."""
    types = {column.name: column.dtype for column in (*EVENTS, *COVERAGE)}
    rows = pd.DataFrame(
        {
            name: (
                found[name].cast(pa.timestamp("us", "UTC"))
                if pa.types.is_timestamp(found[name].type)
                else found[name]
            ).to_pandas()
            for name in names
        }
    )
    rows = rows.astype({name: types.get(name, TEXT) for name in names if name in types})
    return rows.sort_values(by, ignore_index=True)


def agree(history: fl.History, looks: Any, coverage: Any, arrow: Callable[[Any], pa.Table]) -> None:
    """Refuse an engine that does not give the rows and the intervals of a history."""
    columns = [column.name for column in COLUMNS]
    seen = history.observations()[columns].sort_values([*KEY, "observed_at"], ignore_index=True)
    same(compared(arrow(looks), columns, [*KEY, "observed_at"]), seen)
    told = history.intervals()
    found = arrow(fl.intervals(looks, coverage))
    reckoned = compared(found, [*KEY, "state", "state_transition_reason"], KEY)
    names = ["start", "end", "last_seen"]
    times = compared(found, [*KEY, "state", *names], [*KEY, "start"])
    assert len(reckoned) == len(told)
    same(times[[*KEY, *names]], told[[*KEY, *names]])
    assert times["state"].tolist() == told["state"].tolist()


def test_duckdb_reads_it_in_place(tmp_path: Path) -> None:
    """DuckDB finds the same looks and reckons the same intervals, before and after a merge."""
    history = varied(tmp_path)
    for _ in range(2):
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'Europe/Berlin'")
        looks = connection.sql(f"select * {in_place(tmp_path)}")
        coverage = connection.sql(f"from '{tmp_path}/coverage/*/*.parquet'")
        agree(history, looks, coverage, lambda table: table.to_arrow_table())
        history.compact()


def test_polars_reads_it_in_place(tmp_path: Path) -> None:
    """Polars does as well."""
    history = varied(tmp_path)
    for _ in range(2):
        images, coverage = (
            pl.scan_parquet(f"{tmp_path}/{kind}/*/*.parquet", hive_partitioning=True)
            for kind in ("images", "coverage")
        )
        looks = images.join(coverage, on=["sweep_id", "record_id"], how="semi")
        agree(history, looks, coverage, lambda table: table.collect().to_arrow())
        history.compact()


@pytest.mark.deep
def test_spark_reads_it_in_place(tmp_path: Path, spark: Any) -> None:
    """Spark does as well, of whole folders, by the code that the notebook has for it."""
    history = varied(tmp_path)
    cells = nbformat.read(ROOT / "notebooks" / "06_history.ipynb", as_version=4).cells
    (code,) = (block for cell in cells for block in SPARKS.findall(cell.source))
    names = {"spark": spark, "store": tmp_path, "fl": fl}
    exec(code, names)  # noqa: S102  a cell of our own
    agree(history, names["seen"], names["looks"], lambda table: table.toArrow())
