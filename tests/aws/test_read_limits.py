"""Limits of reads: threads, forks, and processes that end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws.read_limits import Breaker, TimeLimit, check_time, limit_pages
from fastlaunch_nb.threads import DaemonExecutor
from tests.helpers import processes
from tests.helpers.fake_aws import Chunks, Request, build_page, run_fake_aws


@given(st.lists(st.integers(0, 9), min_size=1), st.sampled_from([None, 0, 5]))
def test_no_page_is_read_twice(following: list[int], start: int | None) -> None:
    """Whatever circle the tokens of pages make, the page that one leads back to is not read."""

    def iter_pages() -> Iterator[dict[str, Any]]:
        """Yield pages that are named like the tokens that lead to them."""
        name = start
        for token in following:
            yield {"name": name, "NextToken": f"t{token}"}
            name = token
        yield {"name": name}

    names: list[int | None] = []
    token = None if start is None else f"t{start}"
    has_circle = len({start, *following}) < len(following) + 1
    with pytest.raises(fl.ReadError, match="in a circle") if has_circle else nullcontext():
        names.extend(page["name"] for page in limit_pages(iter_pages(), token))
    names_read = names or [start]
    assert len(names_read) == len(set(names_read))
    assert has_circle or names == [start, *following]


def test_pages_restart_the_time_of_their_thread() -> None:
    """Each page counts for the limit of the thread that reads it, and for no other."""
    limit, other = TimeLimit(60), TimeLimit(60)
    with other.watch(), limit.watch():
        before = limit._start, other._start
        list(limit_pages([{}, {}]))
        assert limit._start != before[0]
        assert other._start == before[1]


def test_a_limit_ends_only_the_reads_of_its_thread() -> None:
    """A thread whose limit another thread ended raises; the others go on."""
    limit, ended = TimeLimit(60), Event()

    def read() -> None:
        with limit.watch():
            ended.wait(processes.LIMIT)
            check_time()

    with DaemonExecutor() as executor:
        reading = executor.submit(read)
        limit.end()
        ended.set()
        with pytest.raises(fl.ReadError, match="Timeout"):
            reading.result()
    check_time()


@pytest.mark.parametrize(
    ("codes", "is_broken"),
    [
        (["Timeout"] * 2, False),
        (["Timeout"] * 3, True),
        (["Timeout", "ReadTimeoutError", "ConnectTimeoutError"], True),
        (["Timeout", "Timeout", None, "Timeout"], False),
        (["Timeout", "Timeout", "UnauthorizedOperation", "Timeout"], False),
        (["Timeout", "Timeout", "Unresponsive", "Timeout"], True),
    ],
    ids=str,
)
def test_the_breaker_counts_timeouts_in_a_row(codes: list[str | None], is_broken: bool) -> None:
    """Three in a row are needed; any answer of the region starts the count anew."""
    breaker = Breaker()
    found = [breaker.record("eu-west-1", code) for code in codes]
    assert any(found) == is_broken == breaker.is_broken("eu-west-1")
    assert not breaker.is_broken("us-east-1")


def test_each_region_has_its_own_count() -> None:
    """Timeouts of different regions, and those of opening accounts, do not add up."""
    breaker, keys = Breaker(), ["eu-west-1", "us-east-1", None]
    assert [breaker.record(key, "Timeout") for key in keys * 2] == [False] * 6
    assert [breaker.record(key, "Timeout") for key in keys] == [True] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_child_has_a_watchdog_of_its_own() -> None:
    """A process that was forked while reads ran can end its own reads."""
    with TimeLimit(60).watch():  # its parent has a watchdog by now
        child = os.fork()
        if child == 0:
            limit = TimeLimit(0.01)
            with limit.watch():
                while limit._error is None:  # until the child's own watchdog ends the reads
                    pass
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


SCRIPT = """
import boto3, fastlaunch_nb as fl
swept = fl.sweep(boto3.Session("AKIA000000000001", "secret", region_name="us-east-1"),
                 regions=["eu-west-1", "us-east-1"], max_workers=1, progress=False)
print(swept)
"""


def test_ctrl_c_ends_a_script_that_hangs() -> None:
    """A script goes on with what came, and its process ends, although AWS never answers."""
    hangs = Event()

    def answer(request: Request) -> Chunks:
        if request.region == "eu-west-1":
            return build_page(["ami-1"])
        hangs.set()
        return None

    command = [sys.executable, "-c", SCRIPT]
    with run_fake_aws(answer), processes.process(command) as script:
        assert hangs.wait(processes.LIMIT)
        ended = script.end(signal.SIGINT)
    assert ended.out.splitlines() == ["Sweep: 1 image, 1 complete, 1 interrupted"], ended.err
    assert ended.code == 0
