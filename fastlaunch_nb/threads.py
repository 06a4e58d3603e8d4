"""Threads for tasks that may hang, and locks of processes that may fork."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_SLICE = 0.2  # seconds


class InterruptibleFuture(Future[T]):
    """A future whose result may be waited for until Ctrl-C, which ends no long wait on Windows."""

    def result(self, timeout: float | None = None) -> T:
        """Return the result; wait for it in slices, at most `timeout` seconds in all."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self.done() and (left := end - time.monotonic()) > _SLICE:
            wait([self], min(left, _SLICE))
        return super().result(max(0.0, min(end - time.monotonic(), _SLICE)))


class DaemonExecutor(Executor):
    """An executor whose threads, unlike those of the standard pool, let the interpreter end.

    It starts a thread for a task that finds none idle.

    Parameters
    ----------
    max_workers : int, optional
        How many threads there are at the most; by default one for each task at a time.

    Examples
    --------
    >>> with DaemonExecutor(2) as executor:
    ...     list(executor.map(abs, [-1, -2, -3]))
    [1, 2, 3]
    """

    def __init__(self, max_workers: int | None = None) -> None:
        self._max_workers = max_workers
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._futures: set[Future[Any]] = set()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Let a thread call a function; return the future of its result."""
        future: Future[T] = InterruptibleFuture()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        self._jobs.put(run)
        may_start = self._max_workers is None or len(self._threads) < self._max_workers
        if not self._idle.acquire(blocking=False) and may_start:
            thread = threading.Thread(target=self._work, name="fastlaunch_nb", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads after their tasks; with `wait`, return then."""
        if cancel_futures:
            for future in list(self._futures):
                future.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def close(self) -> None:
        """Start no other task, and wait for none."""
        self.shutdown(wait=False, cancel_futures=True)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # which holds the task and its result
            self._idle.release()


class ForkSafeLock:
    """A lock of a module that is free in a fork, where no other thread could release it."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
