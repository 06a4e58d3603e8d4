"""Speed of a sweep in two processes, against threads of one. ``make bench`` prints a table.

Each process answers its own requests after a delay, so that no server takes a part of the CPU.
The two are measured in turns, each in a new process.
"""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from email.utils import formatdate
from functools import partial
from multiprocessing import get_context
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

import fastlaunch_nb as fl
from benchmarks.replay import answer
from benchmarks.sweep import ENVIRONMENT, ROLE, afresh, in_turns, row

ACCOUNTS, REGIONS, WORKERS, DELAY = 500, 20, 32, 0.02
OPTIONS = Namespace(regions=REGIONS, images=1, every=10, hung="")


class Body:
    """The body of an answer, as botocore reads it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield all of it."""
        yield self._text.encode()


def send(_session: URLLib3Session, request: Any) -> AWSResponse:
    """Answer a request in this process, after the delay."""
    time.sleep(DELAY)
    signed, form = (
        part.encode() if isinstance(part, str) else part
        for part in (request.headers["Authorization"], request.body)
    )
    headers = {"Content-Type": "text/xml;charset=UTF-8", "Date": formatdate(usegmt=True)}
    return AWSResponse(request.url, 200, headers, Body(answer(signed.decode(), form, OPTIONS)))


def answer_here() -> None:
    """Let this process answer its own requests."""
    os.environ.update(ENVIRONMENT)
    URLLib3Session.send = send


def read(processes: int) -> float:
    """Return the seconds of a sweep in so many processes; with threads, if there are none."""
    answer_here()
    targets = fl.targets(accounts=[f"{10**11 + number}" for number in range(ACCOUNTS)], role=ROLE)
    sweep = partial(fl.sweep, targets, max_workers=WORKERS, progress=False, strict=True)
    if not processes:
        began = time.perf_counter()
        sweep()
        return time.perf_counter() - began
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=answer_here) as executor:
        list(executor.map(time.sleep, [0.5] * processes))  # they start
        began = time.perf_counter()
        sweep(executor=executor)
        return time.perf_counter() - began


def main() -> None:
    """Measure, and print a Markdown table."""
    threads, processes = in_turns(1, partial(afresh, read, 0), partial(afresh, read, 2))
    print("| what | measured | alternative | ratio | goal |\n|---|---|---|---|---|")
    what = f"{ACCOUNTS * REGIONS:,} targets, {DELAY * 1000:.0f} ms a call, 2 processes"
    peer = f"{WORKERS} threads of one process: {threads:.1f} s"
    row(what, f"{processes:.1f} s", peer, threads / processes, "1.4 × faster on 2 cores")


if __name__ == "__main__":
    main()
