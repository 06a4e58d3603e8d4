"""Processes that write into one store: killed in the middle, or all at the same time.

Run it with ``python -m tests.helpers.store_writers step-by-step|at-random|together FOLDER``.
It forks, because a new interpreter for each writer would take longer than all writes. It
prints the name of each sweep that record() has returned from.
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
from tests.helpers.histories import make_small_sweep

PROCESSES, SWEEPS_EACH, DAYS = 8, 30, 3
_AUDITED = {"open", "os.mkdir", "os.rename", "os.remove", "os.truncate", "os.chmod"}
"""Audit events of Python that a writer raises."""


def fork(work: Callable[[], None]) -> int:
    """Do the work in a new process; return its id."""
    if process := os.fork():
        return process
    try:
        work()
    except BaseException:  # the fork must not continue as this process
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def wait_for(process: int) -> int:
    """Wait for a process to end; return its exit code, which is negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def report(name: str, to: int = 1) -> None:
    """Print the name of a recorded sweep at once, as a whole line, whatever others print."""
    os.write(to, f"{name}\n".encode())


# --- killed at each step of writing ---------------------------------------------------


def kill_step_by_step(store: str) -> None:
    """Write two sweeps again and again, killed one step later each time, until both are done."""
    for steps in count():
        status = wait_for(fork(lambda steps=steps: _write_until(store, steps)))  # type: ignore[misc]
        if status != -signal.SIGKILL:
            sys.exit(status)


def _write_until(store: str, steps: int) -> None:
    """Write two sweeps, and die after so many steps."""
    remaining = iter(range(steps))

    def is_last() -> bool:
        return next(remaining, None) is None

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in _AUDITED and str(args[0]).startswith(store) and is_last():
            os.kill(os.getpid(), signal.SIGKILL)

    _die_in_fsync(is_last)
    sweeps = [make_small_sweep(steps, f"step-{steps}-{letter}") for letter in "ab"]
    sys.addaudithook(audit)
    for sweep in sweeps:
        fl.History(store).record(sweep)
        report(sweep.sweep_id)


def _die_in_fsync(is_last: Callable[[], bool]) -> None:
    """Count it as a step that half of a file is written."""
    real = os.fsync

    def fsync(descriptor: Any) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and is_last():
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


# --- killed from outside --------------------------------------------------------------


def kill_at_random(store: str) -> None:
    """Start writers that never stop, and kill each of them after one more sweep than the last."""
    for sweeps in range(1, 9):
        read_end, write_end = os.pipe()
        writer = fork(lambda n=sweeps, to=write_end: _write_forever(store, n, to))  # type: ignore[misc]
        os.close(write_end)
        try:
            for name in _read_lines(read_end, sweeps):
                report(name)
        finally:
            os.kill(writer, signal.SIGKILL)
        with os.fdopen(read_end) as late_lines:
            for name in late_lines:
                report(name.strip())
        wait_for(writer)


def _read_lines(read_end: int, count: int) -> Iterator[str]:
    for _ in range(count):
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(read_end, 1) or sys.exit("a writer ended by itself")
        yield line.decode().strip()


def _write_forever(store: str, number: int, to: int) -> None:
    for minute in count():
        name = f"stopped-{number}-{minute}"
        fl.History(store).record(make_small_sweep(minute, name))
        report(name, to)


# --- at the same time -----------------------------------------------------------------


def write_together(store: str) -> None:
    """Write sweeps of three days from many processes, while another one merges files.

    They record their last sweep only after standard input has ended.
    """
    writers = [fork(lambda n=n: _write_many(store, n)) for n in range(PROCESSES)]  # type: ignore[misc]
    merger = fork(lambda: _merge_forever(store))
    try:
        worst = max(map(wait_for, writers))
    finally:
        os.kill(merger, signal.SIGKILL)
    sys.exit(worst or (0 if wait_for(merger) == -signal.SIGKILL else 1))


def _write_many(store: str, process: int) -> None:
    sweep = make_small_sweep(-24 * 60 * (process % DAYS))
    for number in range(SWEEPS_EACH):
        if number == SWEEPS_EACH - 1:
            os.read(0, 1)
        name = f"race-{process}-{number}"
        coverage = sweep.coverage.assign(sweep_id=name)
        fl.History(store).record(sweep._replace(sweep_id=name, coverage=coverage))
        report(name)


def _merge_forever(store: str) -> None:
    while True:
        if os.path.isdir(store):
            fl.History(store).compact()


_MODES = {
    "step-by-step": kill_step_by_step,
    "at-random": kill_at_random,
    "together": write_together,
}

if __name__ == "__main__":
    _MODES[sys.argv[1]](sys.argv[2])
