"""The workers of a sweep: threads of its own, or an executor of the caller.

A thread runs one task at a time. A worker outside this process gets several at once and runs
them in threads of its own, so that it does not wait for one answer after the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent import futures
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from math import ceil
from typing import Final, TypeAlias

from fastlaunch_nb.aws.read_limits import TimeLimit, make_timeout_error
from fastlaunch_nb.aws.targets import AccountCache
from fastlaunch_nb.collect.tasks import AccountTask, RegionScan
from fastlaunch_nb.threads import DaemonExecutor

Task: TypeAlias = AccountTask | RegionScan
POLL_SECONDS: Final = 0.1  # between two looks at reads that nothing can end
READS_PER_WORKER: Final = 16
"""How many reads a worker outside this process does at once, if its number is unknown."""
_OVERDUE_SECONDS: Final = 5.0  # for a read to end after its time limit


def runs_in_process(executor: futures.Executor) -> bool:
    """Return True if the workers of an executor are threads that share this memory."""
    isolated = getattr(futures, "InterpreterPoolExecutor", ())  # a subclass, since Python 3.14
    return isinstance(executor, futures.ThreadPoolExecutor) and not isinstance(executor, isolated)


class WorkerPool:
    """The workers of a sweep, with at most `max_workers` reads at once.

    `batch_size` is the number of tasks to submit at once.
    """

    def __init__(self, executor: futures.Executor | None, max_workers: int) -> None:
        self._is_own = executor is None
        self._executor = executor or DaemonExecutor()
        self._is_here = self._is_own or runs_in_process(self._executor)
        self._cache = AccountCache(max_workers)
        self._token = secrets.token_hex(8)
        self.batch_size = 1 if self._is_here else _share_out(max_workers, self._executor)

    def close(self) -> None:
        """Stop threads of its own without waiting for them."""
        if self._is_own:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def submit(
        self, tasks: Sequence[Task], limits: Sequence[TimeLimit]
    ) -> futures.Future[list[Task]]:
        """Submit tasks to a worker; limits are for tasks of this process."""
        if self._is_here:
            return self._executor.submit(_run_here, tasks, self._cache, limits)
        return self._executor.submit(run_elsewhere, tasks, self._token, self.batch_size)


def _share_out(max_workers: int, executor: futures.Executor) -> int:
    """Return how many of the reads each worker of an executor does at once."""
    count = getattr(executor, "_max_workers", None)  # of the standard library's pools, and loky's
    if isinstance(count, int) and count > 0:
        return ceil(max_workers / count)
    return min(max_workers, READS_PER_WORKER)


def _run_here(
    tasks: Sequence[Task], cache: AccountCache, limits: Sequence[TimeLimit]
) -> list[Task]:
    return [_run(task, cache, limit) for task, limit in zip(tasks, limits, strict=True)]


def _run(task: Task, cache: AccountCache, limit: TimeLimit) -> Task:
    return task.run(cache, limit)


def run_elsewhere(tasks: Sequence[Task], sweep_token: str, connections: int) -> list[Task]:
    """Run tasks in another process, each in a thread; what a task raises becomes its error."""
    cache = get_process_cache(sweep_token, connections)
    with closing(DaemonExecutor()) as threads:
        limits = [TimeLimit(task.timeout) for task in tasks]
        running = [
            threads.submit(_run, task, cache, limit)
            for task, limit in zip(tasks, limits, strict=True)
        ]
        return list(map(_wait, tasks, running, limits))


@lru_cache(maxsize=4)
def get_process_cache(_sweep_token: str, connections: int) -> AccountCache:
    """Return this process's cache for a sweep; another sweep may find other credentials."""
    return AccountCache(connections)


def _wait(task: Task, future: futures.Future[Task], limit: TimeLimit) -> Task:
    """Return a task when it has run, or with an error when it is overdue."""
    while not future.done() and not is_overdue(limit):
        futures.wait([future], POLL_SECONDS)
    if not future.done():
        return fail_overdue(task, limit)
    if error := future.exception():
        task.fail(error)
    return task


def is_overdue(limit: TimeLimit) -> bool:
    """Return True if a read goes on after its limit: it waits for what nothing can end."""
    return limit.seconds_left < -_OVERDUE_SECONDS


def fail_overdue(task: Task, limit: TimeLimit) -> Task:
    """Return a copy of a task that failed, as its own thread may still change the original."""
    failed = replace(task)
    failed.fail(make_timeout_error(limit.seconds, task.operation, task.region))
    return failed
