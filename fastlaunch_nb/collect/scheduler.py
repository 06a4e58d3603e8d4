"""The scheduler of a sweep: its queue and its progress."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent import futures
from contextlib import closing, suppress
from dataclasses import replace
from heapq import heappop, heappush
from itertools import chain
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeAlias
from zlib import crc32

from fastlaunch_nb.aws.clients import get_partition
from fastlaunch_nb.aws.read_limits import Breaker, TimeLimit, make_unresponsive_error
from fastlaunch_nb.aws.targets import get_account_name, mark_sweep
from fastlaunch_nb.collect.tasks import INTERRUPTION, AccountTask, RegionScan
from fastlaunch_nb.collect.workers import POLL_SECONDS, Task, WorkerPool, fail_overdue, is_overdue
from fastlaunch_nb.errors import InputError, ReadError, describe_exception, warn
from fastlaunch_nb.schema.columns import NOT_OPTED_IN

Progress: TypeAlias = bool | Callable[[int, int], object] | None
_STOP_SECONDS = 0.5  # for reads to end after Ctrl-C
_Running: TypeAlias = list[tuple[Task, TimeLimit]]  # the tasks of one future


class SweepScheduler:
    """Scheduler that opens accounts and scans their regions, at most `max_workers` at once.

    Every scan is a copy of `template`. Without an `executor` it has threads of its own. If
    `progress` is None, it shows a progress bar in a terminal or a notebook only. It ends early
    after Ctrl-C, and when another thread sets `stop`.
    """

    def __init__(
        self,
        account_tasks: Sequence[AccountTask],
        earlier_scans: Sequence[RegionScan],
        template: RegionScan,
        executor: futures.Executor | None,
        max_workers: int,
        *,
        progress: Progress,
        stop: Event | None,
    ) -> None:
        self._template = template
        self._executor = executor
        self._max_workers = max_workers
        self._progress = progress
        self._stop = stop or Event()
        self._queue = TaskQueue()
        self._breaker = Breaker()
        self._running: dict[futures.Future[list[Task]], _Running] = {}
        self._free = max_workers
        self._done: SimpleQueue[futures.Future[list[Task]]] = SimpleQueue()
        self._pending_accounts = {task.number: task for task in account_tasks}
        self._scans = {scan.key: scan for scan in earlier_scans}
        self._had_one_target = len({scan.number for scan in earlier_scans}) == 1
        self._account_ids: set[str] = set()  # of accounts that are open
        self._duplicates: list[str] = []
        self._is_stopped = False

    def run(self) -> list[RegionScan]:
        """Run all tasks, until Ctrl-C; return the scans, including those of an earlier sweep."""
        for task in self._pending_accounts.values():
            self._queue.add(task)
        pool = WorkerPool(self._executor, self._max_workers)
        with closing(pool), mark_sweep():
            self._progress_bar = _create_progress(self._progress, len(self._pending_accounts))
            with closing(self._progress_bar):
                self._run_tasks(pool)
        for task in self._pending_accounts.values():
            for scan in self._create_scans(task):
                self._scans.setdefault(scan.key, scan)
        for account_id in self._duplicates:
            warn(f"Two targets lead to account {account_id}. It is read once.")
        return [scan.finalize() for scan in self._scans.values()]

    def _run_tasks(self, pool: WorkerPool) -> None:
        with suppress(KeyboardInterrupt):
            while (self._queue or self._running) and not self._stop.is_set():
                self._submit_tasks(pool)
                self._receive_results(POLL_SECONDS)
        if self._queue or self._running:
            self._end_running()

    def _submit_tasks(self, pool: WorkerPool) -> None:
        while self._queue and self._free:
            size = min(pool.batch_size, self._free, len(self._queue))
            tasks = [self._queue.take() for _ in range(size)]
            limits = [TimeLimit(task.timeout) for task in tasks]
            try:
                future = pool.submit(tasks, limits)
            except Exception as error:  # the executor is broken or shut down
                for task in tasks:
                    self._finish_task(task, error)
                continue
            self._running[future] = list(zip(tasks, limits, strict=True))
            self._free -= size
            future.add_done_callback(self._done.put)  # also if the executor cancels it

    def _receive_results(self, timeout: float) -> None:
        """Record the tasks that have ended; wait for one, at most `timeout` seconds."""
        try:
            self._receive(self._done.get(timeout=timeout))
        except Empty:
            self._fail_overdue_tasks()
        with suppress(Empty):
            while True:
                self._receive(self._done.get_nowait())

    def _fail_overdue_tasks(self) -> None:
        """Fail reads that wait for what nothing can end, such as a name server."""
        for future, running in list(self._running.items()):
            if all(is_overdue(limit) for _, limit in running):
                for task, limit in self._take_running(future):
                    self._finish_task(fail_overdue(task, limit), None)

    def _take_running(self, future: futures.Future[list[Task]]) -> _Running:
        running = self._running.pop(future, [])
        self._free += len(running)
        return running

    def _receive(self, future: futures.Future[list[Task]]) -> None:
        running = [task for task, _ in self._take_running(future)]
        error = futures.CancelledError() if future.cancelled() else future.exception()
        results: Any = running if error else future.result()
        if not isinstance(results, list) or list(map(type, results)) != list(map(type, running)):
            error = TypeError(f"The executor returned a {type(results).__name__} for scans.")
        for task in running if error else results:
            self._finish_task(task, error)

    def _finish_task(self, task: Task, error: BaseException | None) -> None:
        """Record a task. Ctrl-C may come at any line: an account is pending until its end."""
        self._queue.release(task)
        was_cancelled = isinstance(error, futures.CancelledError) and self._is_stopped
        if isinstance(task, RegionScan) and not was_cancelled:
            if error:
                task.fail(error)
            self._scans[task.key] = task
        elif isinstance(task, AccountTask) and not was_cancelled:
            if error:
                task.fail(error)
            if task.error:
                self._fail_account(task, task.error)
            elif task.account_id in self._account_ids:
                self._duplicates.append(str(task.account_id))
            else:
                self._start_scans(task)
            del self._pending_accounts[task.number]
        self._progress_bar.update(task)
        if self._breaker.record(task.region, task.error_code):
            self._leave_out(task)

    def _leave_out(self, task: Task) -> None:
        """Fail what waits for the region of a task, or for an account, and has no page yet."""
        for other, limit in list(chain(*self._running.values())):
            if other.region == task.region and not getattr(other, "pages", 0):
                limit.end(make_unresponsive_error(task.operation, task.region))
        for other in self._queue.take_all(task.region):
            self._finish_task(other, make_unresponsive_error(task.operation, task.region))

    def _fail_account(self, task: AccountTask, error: BaseException) -> None:
        """Fail all scans of an account that did not open; rows of an earlier sweep stay."""
        earlier = [
            scan
            for scan in self._scans.values()
            if scan.number == task.number
            or (scan.account_id and scan.account_id == task.account_id)
        ]
        incomplete = [self._retry(scan, task) for scan in earlier if scan.is_incomplete]
        for scan in incomplete if earlier else self._create_scans(task):
            scan.fail(error)
            self._scans[scan.key] = scan

    def _start_scans(self, task: AccountTask) -> None:
        """Queue the scans of an account, except those that an earlier sweep completed."""
        self._account_ids.add(str(task.account_id))
        created = self._create_scans(task)
        known = [self._scans.get(scan.key, scan) for scan in created]
        scans = [self._retry(scan, task) for scan in known if scan.is_incomplete]
        self._progress_bar.extend(len(scans))
        for scan in scans:
            self._scans[scan.key] = scan
            region = str(scan.region)
            if not task.regions.get(region, True):
                scan.status = NOT_OPTED_IN
            elif self._breaker.is_broken(region):
                scan.fail(make_unresponsive_error(scan.operation, region))
            elif get_partition(region) != task.partition:
                message = f"{region} is not in the partition {task.partition} of this account."
                scan.fail(InputError(f"{message} Pass regions of that partition."))
            else:
                self._queue.add(scan)
                continue
            self._progress_bar.update(scan)
        self._drop_obsolete_scans(task, {scan.region for scan in created})

    def _retry(self, scan: RegionScan, task: AccountTask) -> RegionScan:
        return scan.retry(task.target, self._template.timeout)

    def _drop_obsolete_scans(self, task: AccountTask, regions: set[str | None]) -> None:
        """Drop failed scans whose account or regions were unknown until now."""
        name = get_account_name(task.target)
        for key, scan in list(self._scans.items()):
            same_target = (
                self._had_one_target
                or scan.number == task.number
                or (name is not None and scan.account_name == name)
            )
            had_no_account = scan.account_id is None and same_target
            had_no_region = scan.account_id == task.account_id and scan.region not in regions
            if scan.is_incomplete and (had_no_account or had_no_region):
                del self._scans[key]

    def _create_scans(self, task: AccountTask) -> list[RegionScan]:
        """Return the scans of an account; one without a region if its regions are unknown."""
        return [
            replace(
                self._template,
                target=task.target,
                number=task.number,
                account_id=task.account_id,
                account_name=get_account_name(task.target),
                region=region,
            )
            for region in task.regions_to_scan()
        ]

    def _end_running(self) -> None:
        """End all reads; record what they have. A second Ctrl-C does not even wait for that."""
        self._is_stopped = True
        end = time.monotonic() + _STOP_SECONDS
        with suppress(KeyboardInterrupt):
            for future, running in list(self._running.items()):
                future.cancel()
                for _, limit in running:
                    limit.end(ReadError("the sweep was stopped", code=INTERRUPTION))
            while self._running and (seconds := end - time.monotonic()) > 0:
                self._receive_results(seconds)


# --- queue ----------------------------------------------------------------------------


class TaskQueue:
    """Queue of tasks: accounts first, then scans of the region with the fewest running.

    So a region that does not respond occupies few workers. Each region has its own
    order of accounts, so that a slow account does not come up in all regions at once.
    """

    def __init__(self) -> None:
        self._account_tasks: deque[AccountTask] = deque()
        self._scans: dict[str | None, list[tuple[int, int, RegionScan]]] = {}
        self._running: Counter[str | None] = Counter()

    def __len__(self) -> int:
        return len(self._account_tasks) + sum(map(len, self._scans.values()))

    def add(self, task: Task) -> None:
        """Add a task."""
        if isinstance(task, AccountTask):
            self._account_tasks.append(task)
        else:
            order = crc32(f"{task.number} {task.region}".encode())
            heappush(self._scans.setdefault(task.region, []), (order, task.number, task))

    def take(self) -> Task:
        """Remove the next task and return it."""
        if self._account_tasks:
            return self._account_tasks.popleft()
        region = min(filter(self._scans.get, self._scans), key=self._running.__getitem__)
        self._running[region] += 1
        return heappop(self._scans[region])[-1]

    def release(self, task: Task) -> None:
        """Record that a task is no longer running."""
        if isinstance(task, RegionScan):
            self._running[task.region] -= 1

    def take_all(self, region: str | None) -> Sequence[Task]:
        """Remove all scans of a region and return them; if it is None, all accounts."""
        if region is None:
            accounts, self._account_tasks = self._account_tasks, deque()
            return accounts
        scans = [scan for *_, scan in self._scans.pop(region, ())]
        self._running[region] += len(scans)
        return scans


# --- progress -------------------------------------------------------------------------


class _TqdmProgress:
    """Progress bar with the number of tasks, failures and rows."""

    def __init__(self, total: int) -> None:
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(total=total, desc="Sweep", unit=" reads", leave=False)
        self._failed = self._rows = 0

    def close(self) -> None:
        """Remove the bar."""
        self._bar.refresh()  # show the last numbers, even right after an earlier refresh
        self._bar.close()

    def extend(self, count: int) -> None:
        """Add tasks to the total."""
        done = self._bar.n
        self._bar.reset(self._bar.total + count)  # the only way for a notebook's bar
        self._bar.update(done)

    def update(self, task: Task) -> None:
        """Record that a task has ended."""
        if isinstance(task, RegionScan):
            self._rows += task.rows
            self._failed += task.is_incomplete
        else:
            self._failed += task.error is not None
        self._bar.set_postfix(failed=self._failed, rows=f"{self._rows:,}", refresh=False)
        self._bar.update()


class _CallbackProgress:
    """Progress for a function of the caller, which gets the tasks done and their total.

    If it raises an error, it is not called again, and the sweep goes on.
    """

    def __init__(self, total: int, callback: Callable[[int, int], object]) -> None:
        self._done, self._total = 0, total
        self._callback: Callable[[int, int], object] | None = callback
        self._call()

    def close(self) -> None:
        """Do nothing: the function has got all numbers."""

    def extend(self, count: int) -> None:
        """Add tasks to the total; the next call of the function has the new total."""
        self._total += count

    def update(self, _task: Task) -> None:
        """Record that a task has ended."""
        self._done += 1
        self._call()

    def _call(self) -> None:
        if self._callback is not None:
            try:
                self._callback(self._done, self._total)
            except Exception as error:
                self._callback = None
                reason = describe_exception(error)
                warn(f"progress raised {reason}. It is not called again; the sweep goes on.")


def _create_progress(progress: Progress, total: int) -> _TqdmProgress | _CallbackProgress:
    if callable(progress):
        return _CallbackProgress(total, progress)
    if progress is None:  # show a bar to people, and none in a log
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        progress = sys.stderr.isatty() or hasattr(shell, "kernel")
    return _TqdmProgress(total) if progress else _CallbackProgress(total, lambda *_: None)
