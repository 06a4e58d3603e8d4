"""A store on S3: the answers of a folder, one request for a file, and clear errors."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

import boto3
import pytest
from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import fastlaunch_nb as fl
from fastlaunch_nb.aws import s3_files, sessions
from fastlaunch_nb.aws.s3_files import S3Files
from tests.helpers.cases import some
from tests.helpers.histories import (
    assert_same_answers,
    count_images,
    make_history,
    make_small_sweep,
    query_all,
)
from tests.helpers.processes import LIMIT

LIMITS = dict(sessions.TIMEOUTS)
TIMEOUTS = "fastlaunch_nb.aws.clients.TIMEOUTS"
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
    monkeypatch.setattr(TIMEOUTS, dict.fromkeys(LIMITS, LIMIT))
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
        remote.record(make_small_sweep(minute), compact=False)
    remote.record(local.observations().query("event_id.notna()"), compact=False)
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


def test_days_are_merged_and_deleted_on_s3(s3: FakeS3) -> None:
    """`record` lists a store once, and merges the day before; a deleted day leaves no file."""
    history = fl.History("s3://bucket/fleet")
    methods = {}
    for minute in (0, 1, 2, 3, 60, 61):
        s3.requests.clear()
        history.record(make_small_sweep(minute))
        methods[minute] = [request.split()[0] for request in s3.requests]
    assert methods[3] == methods[61] == ["PUT", "PUT", "GET", "GET", "GET"]
    with closing(boto3.client("s3")) as client:
        keys = list_keys(client)
    assert sum("date=2026-03-28/merged-" in key for key in keys) == 2
    assert len(keys) == 2 + 4
    assert set(count_images(history).values()) == {4}
    assert history.delete_before("2026-03-29") == ["2026-03-28"]
    assert sorted(count_images(history)) == ["sweep-0060.00", "sweep-0061.00"]
    assert history.delete_before("2026-03-30") == ["2026-03-29"]
    with pytest.raises(fl.StoreError, match="There is no store"):
        history.coverage()


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
        ("GET /bucket/fleet/coverage", history.compact),
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


def test_an_unreachable_s3_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error shows that the connection failed."""
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(fl.StoreError, match=r"could not be listed: .*connect"):
        fl.History("s3://bucket/fleet").images()


def test_an_answer_that_breaks_off_is_read_again(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read three times until it is whole; after that it is an error, and not damaged."""
    history = fl.History("s3://bucket/fleet")
    history.record(make_small_sweep(0))
    reads: list[object] = []
    whole = StreamingBody.read

    def read(body: StreamingBody, amt: int | None = None) -> Any:
        reads.append(body)
        if len(reads) in failing:
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)
        return whole(body, amt)

    monkeypatch.setattr(StreamingBody, "read", read)
    failing = {1, 2}
    assert count_images(history) == {"sweep-0000.00": 4}
    failing = set(range(100))
    with pytest.raises(fl.StoreError, match="could not be read: GetObject"):
        fl.History("s3://bucket/fleet").images()


def test_a_file_that_another_process_merged_is_gone(s3: FakeS3) -> None:
    """S3's answer that there is no such key is not an error of the store."""
    files = S3Files("bucket", connections=1)
    with pytest.raises(FileNotFoundError, match="fleet/none"):
        files.read("fleet/none")
    files.remove("fleet/none")


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


def test_an_s3_that_does_not_answer_is_given_up(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is repeated as often as allowed, and no more."""
    monkeypatch.setattr(TIMEOUTS, {"connect_timeout": LIMIT, "read_timeout": 1})
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
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
    monkeypatch.setattr(s3_files, "TIMEOUT", 0.1)
    over = Event()
    s3.delay = over.wait
    try:
        with pytest.raises(fl.StoreError, match=r"no whole answer came within 0\.1 sec"):
            use(fl.History("s3://bucket/fleet"))
    finally:
        over.set()


@pytest.mark.deep
def test_an_s3_that_answers_after_5_seconds(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limits that users have, a slow S3 gets one request for each file."""
    monkeypatch.setattr(TIMEOUTS, LIMITS)
    s3.delay = lambda: Event().wait(5)
    fl.History("s3://bucket/fleet").record(make_small_sweep(0), compact=False)
    assert [request.split()[0] for request in s3.requests] == ["PUT", "PUT"]
