"""HTTP heads on a real connection: a sweep has boto3's rows, or both fail."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator

import boto3
import pandas as pd
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import fastlaunch_nb as fl
from tests.collect.test_sweep_equal_rows import ITEM, build_body, try_read
from tests.helpers.fake_aws import FakeAWS, open_sessions, run_fake_aws
from tests.helpers.samples import REGION

BODY = build_body(ITEM * 2)
DATE = re.compile(rb"(?im)^date:[^\r\n]*")


@pytest.fixture
def fake() -> Iterator[FakeAWS]:
    """An AWS whose answers are set by each test."""
    with run_fake_aws(lambda _: b"") as running:
        yield running


def read_both(fake: FakeAWS, answer: bytes) -> list[pd.DataFrame | None]:
    """Return the images that boto3 and a sweep read from an answer, or None for each failure."""
    fake.answer = lambda _: iter([answer])
    [session] = open_sessions(1)
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5)
    session._session.set_default_client_config(config)

    def use_boto3() -> pd.DataFrame:
        pages = session.client("ec2").get_paginator("describe_fast_launch_images").paginate()
        return fl.from_pages(list(pages), account_id="000000000001", region=REGION)

    def sweep() -> pd.DataFrame:
        return fl.sweep(session, regions=REGION, progress=False, strict=True).images

    reads: list[tuple[Callable[[], pd.DataFrame], type[Exception]]] = [
        (use_boto3, Exception),
        (sweep, fl.SweepError),
    ]
    return [try_read(read, error) for read, error in reads]


def build_answer(head: dict[str, str], body: bytes = BODY, start: str = "HTTP/1.1 200 OK") -> bytes:
    """Build an answer with exactly these headers; a Date in the past unless they have one."""
    lines = [start, *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


USUAL = {"Content-Type": "text/xml", "Date": "Thu, 15 Jan 2026 12:00:00 GMT"}
LENGTH = {"Content-Length": str(len(BODY))}
CHUNKED = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:90], BODY[90:]))
ANSWERS = {
    "usual": build_answer(USUAL | LENGTH),
    "no length": build_answer(USUAL),
    "no headers at all": build_answer({}),
    "HTTP/1.0": build_answer(USUAL | LENGTH, start="HTTP/1.0 200 OK"),
    "chunks": build_answer(USUAL | {"Transfer-Encoding": "chunked"}, CHUNKED + b"0\r\n\r\n"),
    "chunks without the last": build_answer(USUAL | {"Transfer-Encoding": "chunked"}, CHUNKED),
    "too long a length": build_answer(USUAL | {"Content-Length": "99999"}),
    "too short a length": build_answer(USUAL | {"Content-Length": "200"}),
    "no number as length": build_answer(USUAL | {"Content-Length": "many"}),
    "a length below zero": build_answer(USUAL | {"Content-Length": "-5"}),
    "gzip": build_answer(USUAL | {"Content-Encoding": "gzip"}, gzip.compress(BODY)),
    "gzip in name only": build_answer(USUAL | LENGTH | {"Content-Encoding": "gzip"}),
    "100 before it": b"HTTP/1.1 100 Continue\r\n\r\n" + build_answer(USUAL | LENGTH),
    "201": build_answer(USUAL | LENGTH, start="HTTP/1.1 201 Created"),
    "204": build_answer(USUAL, b"", start="HTTP/1.1 204 No Content"),
    "206": build_answer(USUAL | LENGTH, start="HTTP/1.1 206 Partial Content"),
    "a status without a reason": build_answer(USUAL | LENGTH, start="HTTP/1.1 200"),
    "no status": build_answer(USUAL | LENGTH, start="HTTP/1.1"),
    "another charset": build_answer(USUAL | LENGTH | {"Content-Type": "text/xml; charset=latin1"}),
    "a date that is none": build_answer(USUAL | LENGTH | {"Date": "yesterday"}),
    "two dates": build_answer(USUAL | LENGTH | {"DATE": "Thu, 15 Jan 2026 12:00:09 GMT"}),
    "a redirect": build_answer(USUAL | {"Location": "/elsewhere"}, start="HTTP/1.1 302 Found"),
}


def assert_same(rows: list[pd.DataFrame | None]) -> None:
    """Check that a sweep read what boto3 read, but for the time of an answer without a date."""
    expected, swept = rows
    assert (expected is None) == (swept is None), rows
    if expected is not None and swept is not None:
        pd.testing.assert_frame_equal(
            swept.drop(columns="observed_at"), expected.drop(columns="observed_at")
        )


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_head_is_read_as_boto3_reads_it(fake: FakeAWS, answer: bytes) -> None:
    """Whatever the head says of the body, a sweep has boto3's rows, or fails as boto3 does."""
    assert_same(read_both(fake, answer))


def test_the_date_is_the_time_of_the_rows(fake: FakeAWS) -> None:
    """The time of rows is the head's date, by boto3 and by a sweep."""
    expected, swept = read_both(fake, ANSWERS["usual"])
    assert expected is not None
    assert swept is not None
    for rows in (expected, swept):
        assert rows["observed_at"].tolist() == [pd.Timestamp("2026-01-15 12:00", tz="UTC")] * 2


edits = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 12), st.binary(max_size=8)), max_size=3
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*ANSWERS.values()]), edits)
@example(ANSWERS["usual"], [(9, 3, b"299")])
def test_a_damaged_answer_is_read_as_boto3_reads_it(
    fake: FakeAWS, answer: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    """However head and body are damaged, a sweep has boto3's rows, or both fail."""
    for position, length, inserted in edits:
        answer = answer[:position] + inserted + answer[position + length :]
    assert_same(read_both(fake, answer))


def test_the_sessions_of_these_tests_lead_to_the_fake(fake: FakeAWS) -> None:
    """Nothing here could reach another AWS."""
    client = boto3.Session("AKIA000000000001", "secret", region_name=REGION).client("ec2")
    assert client.meta.endpoint_url == fake.endpoint_url
