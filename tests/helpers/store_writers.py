"""Processes that write into one store: some are killed in the middle, some all write at once.

Run it with ``python -m tests.helpers.store_writers dying|stopped|racing FOLDER``. It forks,
because a new interpreter for each writer would take longer than all that they write.
It prints the name of each sweep that record() has returned from.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import fastlaunch_nb as fl
from tests.helpers.histories import small

PROCESSES, EACH = 8, 50
_WATCHED = {"open", "os.mkdir", "os.rename", "os.remove", "os.truncate", "os.chmod"}
"""What Python tells of before it does it, and what a writer does."""


def forked(work: Callable[[], None]) -> int:
    """Start a process that does this and no more; return its id."""
    if process := os.fork():
        return process
    try:
        work()
    except BaseException:  # a fork of this process must not go on as this process
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def ended(process: int) -> int:
    """Wait for a process; return how it ended: below 0 it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def tell(name: str, to: int = 1) -> None:
    """Say that a sweep is kept: at once, and as a whole line, whoever else is saying so."""
    os.write(to, f"{name}\n".encode())


# --- killed at each step of writing ---------------------------------------------------


def dying(store: str) -> None:
    """Write two sweeps again and again, killed one step later each time, until all are done."""
    for last in count():
        status = ended(forked(lambda last=last: _until(store, last)))  # type: ignore[misc]
        if status != -signal.SIGKILL:
            sys.exit(status)


def _until(store: str, last: int) -> None:
    left = iter(range(last))

    def is_last() -> bool:
        return next(left, None) is None

    def step(event: str, args: tuple[Any, ...]) -> None:
        if event in _WATCHED and str(args[0]).startswith(store) and is_last():
            os.kill(os.getpid(), signal.SIGKILL)

    _tear(is_last)
    sweeps = [small(last, f"step-{last}-{which}") for which in "ab"]
    sys.addaudithook(step)
    for sweep in sweeps:
        fl.History(store).record(sweep)
        tell(sweep.sweep_id)


def _tear(is_last: Callable[[], bool]) -> None:
    """Make it a step that a file has been written by half."""
    real = os.fsync

    def fsync(number: Any) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode) and is_last():
            os.ftruncate(number, os.fstat(number).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        real(number)

    os.fsync = fsync  # type: ignore[assignment]


# --- killed from outside --------------------------------------------------------------


def stopped(store: str) -> None:
    """Write without an end, killed from outside after ever more sweeps."""
    for most in range(1, 9):
        end, own = os.pipe()
        writer = forked(lambda most=most, own=own: _on_and_on(store, most, own))  # type: ignore[misc]
        os.close(own)
        try:
            for name in _lines(end, most):
                tell(name)
        finally:
            os.kill(writer, signal.SIGKILL)
        with os.fdopen(end) as late:  # what it had said before it died
            for name in late:
                tell(name.strip())
        ended(writer)


def _lines(end: int, most: int) -> Iterator[str]:
    for _ in range(most):
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(end, 1) or sys.exit("a writer has ended by itself")
        yield line.decode().strip()


def _on_and_on(store: str, most: int, own: int) -> None:
    for minute in count():
        name = f"stopped-{most}-{minute}"
        fl.History(store).record(small(minute, name))
        tell(name, own)


# --- all at once ----------------------------------------------------------------------


def racing(store: str) -> None:
    """Write from many processes at once, while one more merges what is there.

    They hold back their last sweep until standard input ends.
    """
    writers = [forked(lambda n=n: _many(store, n)) for n in range(PROCESSES)]  # type: ignore[misc]
    merger = forked(lambda: _merge(store))
    try:
        worst = max(map(ended, writers))
    finally:
        os.kill(merger, signal.SIGKILL)
    sys.exit(worst or (0 if ended(merger) == -signal.SIGKILL else 1))


def _many(store: str, process: int) -> None:
    sweep = small(process)
    for number in range(EACH):
        if number == EACH - 1:
            os.read(0, 1)
        name = f"race-{process}-{number}"
        covered = sweep.coverage.assign(sweep_id=name)
        fl.History(store).record(sweep._replace(sweep_id=name, coverage=covered))
        tell(name)


def _merge(store: str) -> None:
    while True:
        if os.path.isdir(store):
            fl.History(store).compact()


if __name__ == "__main__":
    {"dying": dying, "stopped": stopped, "racing": racing}[sys.argv[1]](sys.argv[2])
