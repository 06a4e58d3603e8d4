"""The log of requests: each answer is a line that says who called what, and has no secret."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.request_log import LOGGER, make_printer
from tests.helpers.fake_aws import Request, build_page, build_response, open_sessions, run_fake_aws
from tests.helpers.samples import ACCOUNT, REGION, run_python

TOKEN = "FwoGZXIvYXdzE" + "q1W/" * 60
READ = f"profile 'default' (explicit) {REGION} ec2:DescribeFastLaunchImages"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of requests at the level INFO."""
    caplog.set_level(logging.INFO, logger="fastlaunch_nb")
    return caplog


def list_lines(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the log without seconds."""
    records = [record for record in log.records if record.name == "fastlaunch_nb"]
    return [re.sub(r"\d+\.\d{3} s", "S", record.getMessage()) for record in records]


def refuse(code: str) -> bytes:
    """Return an error response of EC2."""
    error = f"<Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors>"
    return build_response(f"<Response>{error}<RequestID>r-2</RequestID></Response>", 403)


def test_each_page_is_a_line(log: pytest.LogCaptureFixture) -> None:
    """A line has the caller, region, operation, page, status, seconds and request id."""

    def answer(request: Request) -> bytes:
        is_last = "NextToken" in request.parameters
        return build_page(["ami-0123456789abcdef0"], "" if is_last else "more")

    with run_fake_aws(answer):
        fl.describe(open_sessions(1)[0])
    first, second, identity = list_lines(log)
    assert first == f"{READ} page 1: 200 in S, request r-1"
    assert second == f"{READ} page 2: 200 in S, request r-1"
    assert f"{REGION} sts:GetCallerIdentity page 1: 200 in S" in identity


def test_a_second_read_begins_with_page_1(log: pytest.LogCaptureFixture) -> None:
    """Pages are counted for each read, also if one client makes both."""
    with run_fake_aws(lambda _: build_page([])):
        client = RegionClient(AccountSession(open_sessions(1)[0]), REGION)
        for _ in range(2):
            items = client.iter_items("ec2", "DescribeFastLaunchImages", "FastLaunchImages", {})
            assert list(items) == []
    assert [line.partition(" page ")[2][:1] for line in list_lines(log)] == ["1", "1"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refuse("UnauthorizedOperation"), "403 UnauthorizedOperation in S, request r-2"),
        (b"", "ConnectionClosedError in S"),
        (build_response("<html></html>", 407), "407 in S"),
        (build_response("<html><br></html>"), "ResponseParserError in S"),
    ],
)
def test_a_failure_is_a_line(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, answer: Any, expected: str
) -> None:
    """A line has the error code, or the exception if there is no answer."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with run_fake_aws(lambda _: answer), pytest.raises(fl.ReadError, match="DescribeFastLaunch"):
        fl.describe(open_sessions(1)[0])
    assert list_lines(log) == [f"{READ} page 1: {expected}"]


def test_an_assumed_role_is_named_by_its_account(ec2: Any, log: pytest.LogCaptureFixture) -> None:
    """The profile assumes the role; the account that has the role is read."""
    own = AccountSession(boto3.Session("x", "y", region_name=REGION))
    assumed = own.assume_role("444455556666", "Reader", None)
    client = RegionClient(assumed, REGION)
    assert list(client.iter_items("ec2", "DescribeSnapshots", "Snapshots", {})) == []
    first, second = list_lines(log)
    assert first.startswith(f"profile 'default' (explicit) {REGION} sts:AssumeRole page 1: 200")
    assert second.startswith(f"account 444455556666 {REGION} ec2:DescribeSnapshots page 1: 200")


def test_no_line_has_a_secret(log: pytest.LogCaptureFixture) -> None:
    """Neither keys and tokens nor parameters are in the log."""
    session = boto3.Session(f"AKIA{ACCOUNT}", "hunter2", TOKEN, region_name=REGION)
    with run_fake_aws(lambda _: build_page([])):
        fl.describe(session, filters={"owner-id": ["999988887777"]})
    text = "\n".join(list_lines(log))
    assert "200 in S" in text
    assert [it for it in (ACCOUNT, "hunter2", TOKEN, "9999") if it in text] == []


def test_the_log_is_silent_by_default(caplog: pytest.LogCaptureFixture) -> None:
    """Without a level of its own, a read logs nothing, so that no program prints it."""
    with run_fake_aws(lambda _: build_page([])):
        fl.describe(open_sessions(1)[0])
    assert list_lines(caplog) == []


def test_a_kernel_prints_on_the_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a kernel, lines go to the terminal of its server, and not into the notebook."""
    terminal = tmp_path / "terminal"
    record = LOGGER.makeRecord("fastlaunch_nb", logging.INFO, "", 0, "a line", (), None)
    with terminal.open("w") as file:
        stream = SimpleNamespace(_original_stdstream_copy=file.fileno())
        monkeypatch.setattr("sys.stderr", stream)
        make_printer().emit(record)
    assert terminal.read_text().endswith(" a line\n")


@pytest.mark.deep
def test_a_variable_prints_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """FASTLAUNCH_NB_VERBOSE=1 prints the log of any process."""
    monkeypatch.setenv("FASTLAUNCH_NB_VERBOSE", "1")
    script = (
        "import contextlib, io, sys\nerr = sys.stderr = io.StringIO()\nimport fastlaunch_nb as fl\n"
        "with fl.demo():\n    fl.describe()\nprint(err.getvalue())"
    )
    assert "ec2:DescribeFastLaunchImages page 1: 200" in run_python(script)
