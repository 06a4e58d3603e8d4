"""Threads and locks: no task keeps the process, and no lock outlives a fork."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, wait
from itertools import pairwise

import pytest

from fastlaunch_nb import threads
from fastlaunch_nb.threads import DaemonExecutor, ForkSafeLock
from tests.helpers import processes
from tests.helpers.samples import run_python


def test_results_and_errors_come_back() -> None:
    """A future has the result of its task, or its error, in the order of the tasks."""
    with DaemonExecutor(2) as executor:
        made = [executor.submit(divmod, number, 3) for number in (7, 8)]
        failed = executor.submit(divmod, 1, 0)
        assert [future.result() for future in made] == [(2, 1), (2, 2)]
        with pytest.raises(ZeroDivisionError, match="modulo by zero"):
            failed.result()


def test_a_wait_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller waits in slices, as Ctrl-C ends no long wait for a lock on Windows."""
    slices: list[float | None] = []
    unblocked = threading.Event()

    def wait_briefly(pending: list[Future[bool]], timeout: float | None = None) -> None:
        slices.append(timeout)
        if len(slices) == 3:
            unblocked.set()
        wait(pending, timeout)

    monkeypatch.setattr(threads, "wait", wait_briefly)
    with DaemonExecutor(1) as executor:
        assert executor.submit(unblocked.wait, processes.LIMIT).result() is True
    assert set(slices) == {0.2}
    assert len(slices) >= 3


@pytest.mark.parametrize("timeout", [0, 0.01, 0.25])
def test_a_wait_has_its_limit(timeout: float) -> None:
    """A limit of more or less than a slice ends the wait; the task goes on."""
    unblocked = threading.Event()
    with DaemonExecutor(1) as executor:
        future = executor.submit(unblocked.wait, processes.LIMIT)
        with pytest.raises(TimeoutError, match=r"^$"):
            future.result(timeout)
        unblocked.set()
        assert future.result(processes.LIMIT) is True


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_threads_than_allowed(limit: int) -> None:
    """As many tasks as allowed run at once; an idle thread takes the next one."""
    running, most, lock = 0, 0, threading.Lock()
    enough = threading.Barrier(limit)

    def work(_: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        enough.wait(processes.LIMIT)
        with lock:
            running -= 1
        return threading.get_ident()

    with DaemonExecutor(limit) as executor:
        threads = set(executor.map(work, range(limit * 4)))
    assert most == limit
    assert len(threads) == limit


def test_a_task_that_hangs_keeps_no_other_waiting() -> None:
    """Without a limit, a task always finds a thread."""
    unblocked = threading.Event()
    executor = DaemonExecutor()
    hanging = [executor.submit(unblocked.wait, processes.LIMIT) for _ in range(3)]
    assert executor.submit(abs, -1).result(processes.LIMIT) == 1
    assert [future.done() for future in hanging] == [False] * 3
    unblocked.set()
    executor.shutdown()


def test_an_idle_thread_is_used_again() -> None:
    """Tasks one after another share a thread."""
    executor = DaemonExecutor()
    idents = []
    for _ in range(5):
        idents.append(executor.submit(threading.get_ident).result())
        while executor._idle._value == 0:  # until the thread waits for the next task
            pass
    executor.shutdown()
    assert [first == second for first, second in pairwise(idents)] == [True] * 4


def test_waiting_tasks_can_be_cancelled() -> None:
    """A shutdown that cancels lets the running task end, and starts no other."""
    started, unblocked = threading.Event(), threading.Event()

    def work() -> bool:
        started.set()
        return unblocked.wait(processes.LIMIT)

    executor = DaemonExecutor(1)
    running, waiting = executor.submit(work), executor.submit(work)
    started.wait(processes.LIMIT)
    executor.shutdown(wait=False, cancel_futures=True)
    unblocked.set()
    assert running.result(processes.LIMIT)
    assert waiting.cancelled()


def test_the_interpreter_ends_while_a_task_runs() -> None:
    """A script ends with its last line, whatever its threads wait for."""
    script = (
        "import threading\n"
        "from fastlaunch_nb.threads import DaemonExecutor\n"
        "started, never = threading.Event(), threading.Event()\n"
        "DaemonExecutor().submit(lambda: (started.set(), never.wait()))\n"
        "started.wait(); print('last line')\n"
    )
    assert run_python(script) == "last line"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_lock_is_free_in_a_fork() -> None:
    """A lock that another thread holds is free in a child, and held in its parent."""
    lock = ForkSafeLock()
    with lock:
        child = os.fork()
        if child == 0:
            with lock:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert lock._lock.locked()
