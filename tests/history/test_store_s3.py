"""A store on S3: the answers of a folder, one request for a file, and clear errors."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from pyarrow import fs
from werkzeug.serving import WSGIRequestHandler, make_server

import fastlaunch_nb as fl
from fastlaunch_nb.history import store
from fastlaunch_nb.history.store import ParquetStore
from tests.helpers.cases import some
from tests.helpers.histories import (
    assert_same_answers,
    count_images,
    make_history,
    make_small_sweep,
    query_all,
)
from tests.helpers.processes import LIMIT

LIMITS = {name: getattr(store, name) for name in ("S3_CONNECT_TIMEOUT", "S3_REQUEST_TIMEOUT")}
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DENIED = (
    b"<Error><Code>AccessDenied</Code><Message>AKIAIOSFODNN7EXAMPLE is not allowed</Message>"
    b"</Error>"
)


class FakeS3:
    """An S3 on this machine that records requests, and can refuse or delay them."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.arrivals = Semaphore(0)  # released by each request
        self.refuses: Callable[[str], bool] = lambda request: False
        self.delay: Callable[[], object] = lambda: None
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Any, start: Any) -> Any:
        """Answer a request, or refuse it."""
        query = environ["QUERY_STRING"]
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' * bool(query)}{query}"
        self.requests.append(request)
        self.arrivals.release()
        self.delay()
        if self.refuses(request):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [DENIED]
        return self._moto(environ, start)


class QuietHandler(WSGIRequestHandler):
    """A request handler without a log."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the base class's
        """Log nothing."""


@contextmanager
def serve(s3: FakeS3) -> Iterator[str]:
    """Serve S3, each request in its own thread; yield the address."""
    server = make_server("127.0.0.1", 0, s3, threaded=True, request_handler=QuietHandler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """Yield an S3 with one empty bucket, named ``bucket``; requests do not time out."""
    s3 = FakeS3()
    for name in LIMITS:
        monkeypatch.setattr(store, name, LIMIT)
    with serve(s3) as address:
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        s3.requests.clear()
        try:
            yield s3
        finally:
            s3.refuses, s3.delay = (lambda request: False), (lambda: None)
            for key in list_keys(client):
                client.delete_object(Bucket="bucket", Key=key)
            client.close()


def list_keys(client: Any) -> list[str]:
    """Return the keys in the bucket."""
    return [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket").get("Contents", [])]


# --- answers --------------------------------------------------------------------------


@pytest.mark.deep
def test_s3_answers_as_a_folder_does(s3: FakeS3, tmp_path: Path) -> None:
    """Recorded once, recorded again and merged, a store on S3 gives the answers of a folder."""
    local, remote = make_history(tmp_path), fl.History("s3://bucket/fleet")
    for minute in range(3):
        remote.record(make_small_sweep(minute))
    remote.record(local.observations().query("event_id.notna()"))
    assert [request.split()[0] for request in s3.requests] == ["PUT"] * 7  # one for each file
    assert [request for request in s3.requests if "?" in request] == []
    assert_same_answers(query_all(remote), query_all(local))
    remote.record(make_small_sweep(1))
    assert_same_answers(query_all(remote), query_all(local))
    s3.requests.clear()
    remote.compact()
    puts = [name for name in s3.requests if name.startswith("PUT") and "parquet" in name]
    assert len(puts) == 2
    assert sum(request.startswith("DELETE") for request in s3.requests) == 8
    assert_same_answers(query_all(remote), query_all(local))
    assert_same_answers(query_all(pickle.loads(pickle.dumps(remote))), query_all(local))
    assert repr(remote) == "History('s3://bucket/fleet')"


@pytest.mark.parametrize(
    "prefix", ["", "/", "/plain/", "/a=b/c d", "/100%25", "/ümlaut", "/a//b#c", "/date=2026"]
)
def test_a_prefix_is_taken_literally(s3: FakeS3, prefix: str) -> None:
    """A prefix may have any name."""
    history = fl.History(f"s3://bucket{prefix}")
    history.record(make_small_sweep(0))
    assert count_images(fl.History(f"s3://bucket{prefix}")) == {"sweep-0000.00": 4}
    folder = prefix.strip("/").replace("//", "/")
    expected = f"{folder}/" if folder else ("images/", "coverage/")
    keys = some(list_keys(boto3.client("s3")))
    assert [key for key in keys if not key.startswith(expected)] == []


# --- errors ---------------------------------------------------------------------------


def test_errors_of_s3_have_a_remedy_and_no_secret(s3: FakeS3) -> None:
    """A refused request is a StoreError that names the permissions; no file is damaged."""
    history = fl.History("s3://bucket/fleet")
    for minute in range(2):
        history.record(make_small_sweep(minute))
    for refused, call in (
        ("GET /bucket?", history.images),  # the listing
        ("GET /bucket/fleet/images", history.images),
        ("HEAD /bucket/fleet/coverage", history.compact),
        ("PUT", lambda: history.record(make_small_sweep(2))),
        ("DELETE", history.compact),
    ):
        s3.refuses = lambda request, refused=refused: request.startswith(refused)  # type: ignore[misc]
        with pytest.raises(fl.StoreError, match="'s3://bucket/fleet' could not be") as caught:
            call()
        assert "EXAMPLE" not in str(caught.value)
        assert "AKIA" not in str(caught.value)
        assert "It takes s3:ListBucket" in str(caught.value), refused
        s3.refuses = lambda request: False
        assert set(count_images(history)) == {"sweep-0000.00", "sweep-0001.00"}
    with pytest.raises(fl.StoreError, match="Create the bucket first"):
        fl.History("s3://no-such-bucket/fleet").record(make_small_sweep(0))
    with pytest.raises(fl.StoreError, match="There is no store at 's3://bucket/other'"):
        fl.History("s3://bucket/other").images()


@pytest.mark.deep
def test_a_large_file_appears_with_its_last_part(s3: FakeS3) -> None:
    """If a file takes several requests and one of them fails, there is no file."""
    remote = ParquetStore("s3://bucket/fleet")
    large = pa.table({"noise": [random.Random(0).randbytes(11 << 20)]})
    s3.refuses = lambda request: "partNumber=2" in request
    with pytest.raises(fl.StoreError, match="could not be written to"):
        remote.write("images", "2026-01-01", "large", large)
    with pytest.raises(fl.StoreError, match="There is no store"):
        remote.list_files()
    s3.refuses = lambda request: False
    remote.write("images", "2026-01-01", "large", large)
    assert [file.size > 11 << 20 for file in remote.list_files()] == [True]


def test_an_unreachable_s3_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error shows that the connection failed."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(fl.StoreError, match=r"could not be listed: .*connect"):
        fl.History("s3://bucket/fleet").images()


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
def test_an_address_with_a_secret_is_refused(address: Any) -> None:
    """The error does not repeat the secret."""
    with pytest.raises(fl.InputError, match="The store's address") as caught:
        fl.History(address)
    assert "EXAMPLE" not in str(caught.value)
    assert "K7MDENG" not in str(caught.value)


# --- connections ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "http://127.0.0.1:2"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:3"}, "http://127.0.0.1:3"),
    ],
    ids=["of all services", "of S3"],
)
def test_the_environment_names_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], endpoint: str
) -> None:
    """S3 is where AWS's variables point; it has 10 s to connect, and 20 s to answer."""
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


def test_the_region_is_that_of_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an endpoint the region of the bucket is looked up; an empty endpoint is none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    regions = {"bucket": "eu-north-1"}
    monkeypatch.setattr(fs, "resolve_s3_region", regions.__getitem__)
    system, _ = ParquetStore("s3://bucket/fleet")._location
    assert system.region == "eu-north-1"
    assert system.__reduce__()[1][0]["endpoint_override"] == ""


def test_an_s3_that_does_not_answer_is_given_up(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is repeated as often as allowed, and no more."""
    monkeypatch.setattr(store, "S3_REQUEST_TIMEOUT", 1)
    monkeypatch.setattr(store, "S3_ATTEMPTS", 2)
    over = Event()
    s3.delay = over.wait
    try:
        with pytest.raises(fl.StoreError, match=r"could not be listed: .*Timeout"):
            fl.History("s3://bucket/fleet").images()
        for _ in range(2):
            s3.arrivals.acquire()
        assert len(s3.requests) == 2
    finally:
        over.set()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda history: history.images(), id="read"),
        pytest.param(lambda history: history.record(make_small_sweep(0)), id="record"),
    ],
)
def test_an_s3_that_never_ends_its_answer_is_given_up(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch, use: Callable[[fl.History], object]
) -> None:
    """A request without an end, as to an S3 that sends byte by byte, is a clear error."""
    monkeypatch.setattr(store, "S3_TIMEOUT", 0.1)
    over = Event()
    s3.delay = over.wait
    try:
        with pytest.raises(fl.StoreError, match=r"S3 took longer than 0\.1 seconds"):
            use(fl.History("s3://bucket/fleet"))
    finally:
        over.set()


@pytest.mark.deep
def test_an_s3_that_answers_after_5_seconds(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limits that users have, a slow S3 gets one request for each file."""
    for name, limit in LIMITS.items():
        monkeypatch.setattr(store, name, limit)
    s3.delay = lambda: Event().wait(5)
    fl.History("s3://bucket/fleet").record(make_small_sweep(0))
    assert [request.split()[0] for request in s3.requests] == ["PUT", "PUT"]
