"""The course of a sweep: what waits, what is under way, who does it, and how far it is."""

from __future__ import annotations

import secrets
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from heapq import heappop, heappush
from threading import Event
from typing import Any, Self, TypeAlias
from zlib import crc32

from fastlaunch_nb.aws.clients import partition_of
from fastlaunch_nb.aws.targets import AccountCache, target_name
from fastlaunch_nb.collect.tasks import AccountTask, Key, RegionScan
from fastlaunch_nb.errors import InputError, warn
from fastlaunch_nb.schema.columns import NOT_OPTED_IN

Job: TypeAlias = AccountTask | RegionScan
Progress: TypeAlias = bool | Callable[[int, int], object] | None
_GRACE = 5  # seconds that reads under way get to end at a page, after Ctrl-C


class SweepScheduler:
    """Opens accounts, and looks at their regions, many at once, until nothing is left to do.

    Parameters
    ----------
    openings : sequence of Opening
        The accounts.
    question : Look
        What every look is a copy of.
    executor : concurrent.futures.Executor or None
        Who does it; threads of its own if None.
    workers : int
        How many jobs may be under way at once.
    progress : bool, None or callable
        Whether to show a bar; None where a person is watching. Or what to tell instead.
    """

    def __init__(
        self,
        openings: Sequence[AccountTask],
        question: RegionScan,
        executor: futures.Executor | None,
        workers: int,
        progress: Progress,
    ) -> None:
        self._openings = openings
        self._question = question
        self._executor = executor
        self._workers = workers
        self._progress = progress
        self._queue = _Queue()
        self._under_way: dict[futures.Future[Job], Job] = {}
        self._waiting: dict[int, AccountTask] = {}
        self._looks: dict[Key, RegionScan] = {}
        self._seen: set[str] = set()
        self._twice: list[str] = []
        self._was_alone = False
        self._stopped = Event()

    def run(self, before: dict[Key, RegionScan]) -> list[RegionScan]:
        """Do it all; return the looks, those of an earlier sweep included. Ctrl-C ends it early."""
        self._looks = dict(before)
        self._was_alone = len({look.number for look in before.values()}) == 1
        for opening in self._openings:
            self._waiting[opening.number] = opening
            self._queue.add(opening)
        bar = _progress_bar(self._progress, len(self._openings))
        with bar as self._bar, _pool(self._executor, self._workers) as pool:
            submit = _submitter(pool, AccountCache(self._workers), self._stopped)
            try:
                while self._queue or self._under_way:
                    self._send(submit)
                    self._receive(None)
            except KeyboardInterrupt:
                self._stop()
        for opening in self._waiting.values():
            for look in self._asked(opening):
                self._looks.setdefault(look.key, look)
        for account_id in self._twice:
            warn(f"Two targets lead to account {account_id}. It is read once.")
        return [look.settled() for look in self._looks.values()]

    def _send(self, submit: Callable[[Job], futures.Future[Job]]) -> None:
        while self._queue and len(self._under_way) < self._workers:
            job = self._queue.take()
            try:
                self._under_way[submit(job)] = job
            except RuntimeError as error:  # the executor is broken, or shut down
                self._finish(job, error)

    def _receive(self, patience: float | None) -> None:
        done, _ = futures.wait(self._under_way, patience, futures.FIRST_COMPLETED)
        for future in done:
            job = self._under_way.pop(future)
            error = futures.CancelledError() if future.cancelled() else future.exception()
            self._finish(job if error else future.result(), error)

    def _finish(self, job: Job, error: BaseException | None) -> None:
        self._queue.done(job)
        if not (error and self._stopped.is_set()):  # else it was given up, and says so by itself
            self._note(job, error)
        self._bar.tell(job)

    def _note(self, job: Job, error: BaseException | None) -> None:
        if isinstance(job, RegionScan):
            if error:
                job.fail(error)
            self._looks[job.key] = job
        else:
            job.error = job.error or error
            self._opened(job)

    def _opened(self, opening: AccountTask) -> None:
        """Send a look to each region of an account; Ctrl-C may come at any line of this."""
        if opening.error:
            self._not_opened(opening, opening.error)
        elif opening.account_id in self._seen:
            self._twice.append(str(opening.account_id))
        else:
            self._look_everywhere(opening)
        del self._waiting[opening.number]

    def _not_opened(self, opening: AccountTask, error: BaseException) -> None:
        """Note it in what is left of an account; what an earlier sweep brought stays."""
        earlier = [
            look
            for look in self._looks.values()
            if look.number == opening.number
            or (look.account_id and look.account_id == opening.account_id)
        ]
        left = [look.again(opening.source) for look in earlier if look.is_left]
        for look in left if earlier else self._asked(opening):
            look.fail(error)
            self._looks[look.key] = look

    def _look_everywhere(self, opening: AccountTask) -> None:
        self._seen.add(str(opening.account_id))
        asked = self._asked(opening)
        looks = [look for look in map(self._or_earlier, asked) if look.is_left]
        self._bar.expect(len(looks))
        for look in looks:
            self._looks[look.key] = look
            self._look(look, opening)
        self._forget(opening, {look.region for look in asked})

    def _forget(self, opening: AccountTask, regions: set[str | None]) -> None:
        """Forget what could not be told of an account until now: whose it is, or which regions."""
        for key, look in list(self._looks.items()):
            told = look.account_id is None and self._may_be(look, opening)
            settled = look.account_id == opening.account_id and look.region not in regions
            if look.is_left and (told or settled):
                del self._looks[key]

    def _may_be(self, look: RegionScan, opening: AccountTask) -> bool:
        """Tell a look at an account that could not be told from one at the account opened now."""
        name = target_name(opening.source)
        return (
            look.number == opening.number
            or (name is not None and look.account_name == name)
            or self._was_alone
        )

    def _or_earlier(self, look: RegionScan) -> RegionScan:
        """Return what an earlier sweep began in the place of a look."""
        earlier = self._looks.get(look.key)
        if earlier is None:
            return look
        return earlier.again(look.source) if earlier.is_left else earlier

    def _look(self, look: RegionScan, opening: AccountTask) -> None:
        region = str(look.region)
        if not opening.regions.get(region, True):
            look.status = NOT_OPTED_IN
        elif partition_of(region) != opening.partition:
            place = f"the partition {opening.partition}, where this account is"
            look.fail(InputError(f"{region} is not in {place}."))
        else:
            self._queue.add(look)
            return
        self._bar.tell(look)

    def _asked(self, opening: AccountTask) -> list[RegionScan]:
        """Return the looks at an account; one without a region where those are not known."""
        return [
            replace(
                self._question,
                source=opening.source,
                number=opening.number,
                account_id=opening.account_id,
                account_name=target_name(opening.source),
                region=region,
            )
            for region in opening.to_look_at()
        ]

    def _stop(self) -> None:
        """Let what is under way end at a page; a second Ctrl-C does not wait for that."""
        self._stopped.set()
        for future in self._under_way:
            future.cancel()
        with suppress(KeyboardInterrupt):
            left = 0
            while len(self._under_way) != left:
                left = len(self._under_way)
                self._receive(_GRACE)


# --- what waits -----------------------------------------------------------------------


class _Queue:
    """What waits: accounts to open, then looks, of the region that has the fewest under way.

    So a region that does not answer holds few workers up. Each region takes the
    accounts in an order of its own, so that one that answers slowly does not
    come up in all of them at once.
    """

    def __init__(self) -> None:
        self._openings: deque[AccountTask] = deque()
        self._looks: dict[str | None, list[tuple[int, int, RegionScan]]] = {}
        self._under_way: Counter[str | None] = Counter()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, job: Job) -> None:
        self._size += 1
        if isinstance(job, AccountTask):
            self._openings.append(job)
        else:
            order = crc32(f"{job.number} {job.region}".encode())
            heappush(self._looks.setdefault(job.region, []), (order, job.number, job))

    def take(self) -> Job:
        """Return what goes next."""
        self._size -= 1
        if self._openings:
            return self._openings.popleft()
        region = min(filter(self._looks.get, self._looks), key=self._under_way.__getitem__)
        self._under_way[region] += 1
        return heappop(self._looks[region])[-1]

    def done(self, job: Job) -> None:
        """Note that a job is under way no more."""
        if isinstance(job, RegionScan):
            self._under_way[job.region] -= 1


# --- who does it ----------------------------------------------------------------------


def runs_in_process(executor: futures.Executor) -> bool:
    """Tell an executor whose threads share our memory from one that works elsewhere."""
    elsewhere = getattr(futures, "InterpreterPoolExecutor", ())  # Python 3.14; it is no thread's
    return isinstance(executor, futures.ThreadPoolExecutor) and not isinstance(executor, elsewhere)


@contextmanager
def _pool(executor: futures.Executor | None, workers: int) -> Iterator[futures.Executor]:
    if executor is not None:
        yield executor
        return
    threads = futures.ThreadPoolExecutor(workers, thread_name_prefix="fastlaunch_nb")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _submitter(
    pool: futures.Executor, vault: AccountCache, stopped: Event
) -> Callable[[Job], futures.Future[Job]]:
    if runs_in_process(pool):
        return lambda job: pool.submit(job.go, vault, stopped)
    sweep = secrets.token_hex(8)
    return lambda job: pool.submit(_go_elsewhere, job, sweep)


def _go_elsewhere(job: Job, sweep: str) -> Job:
    return job.go(_vault_of(sweep), None)


@lru_cache(maxsize=4)
def _vault_of(_sweep: str) -> AccountCache:
    """Return this process's vault for a sweep: another one may find other credentials."""
    return AccountCache()


# --- how far it is --------------------------------------------------------------------


class _TqdmProgress:
    """A bar of tqdm's: how many are done, how many failed, how many rows there are."""

    def __init__(self, total: int) -> None:
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(total=total, desc="Sweep", unit=" reads", leave=False)
        self._failed = self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.refresh()  # the last word, however soon it came
        self._bar.close()

    def expect(self, more: int) -> None:
        """Note that there is more to do than was known."""
        done = self._bar.n
        self._bar.reset(self._bar.total + more)  # a notebook's bar has no other way
        self._bar.update(done)

    def tell(self, job: Job) -> None:
        """Note that a job has ended."""
        if isinstance(job, RegionScan):
            self._rows += job.rows
            self._failed += job.is_left
        else:
            self._failed += job.error is not None
        self._bar.set_postfix(failed=self._failed, rows=f"{self._rows:,}", refresh=False)
        self._bar.update()


class _CallbackProgress:
    """A function of the caller's in the place of a bar: it hears how many are done, of how many."""

    def __init__(self, total: int, listener: Callable[[int, int], object]) -> None:
        self._done, self._total = 0, total
        self._listener = listener

    def __enter__(self) -> Self:
        self._listener(0, self._total)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def expect(self, more: int) -> None:
        """Note that there is more to do than was known; the next call says so."""
        self._total += more

    def tell(self, _job: Job) -> None:
        """Note that a job has ended."""
        self._done += 1
        self._listener(self._done, self._total)


def _progress_bar(wanted: Progress, total: int) -> _TqdmProgress | _CallbackProgress:
    if callable(wanted):
        return _CallbackProgress(total, wanted)
    shown = _is_watched() if wanted is None else wanted
    return _TqdmProgress(total) if shown else _CallbackProgress(total, lambda _done, _total: None)


def _is_watched() -> bool:
    """Tell a terminal or a notebook from a log."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.stderr.isatty() or hasattr(shell, "kernel")
