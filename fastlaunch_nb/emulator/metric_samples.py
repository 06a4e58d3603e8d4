"""What CloudWatch gets to know of the Fast Launch of one image: stock, launches, preparation.

A record of what changed, and when. Points, a value every five minutes, are made of it when
they are asked for: 60 days of the demo fleet would be some 700,000 of them.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf
from typing import Any

from fastlaunch_nb.emulator.assumptions import METRIC_PERIOD
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.pool.model import Pool

STOCK = "NumberOfAvailableFastLaunchSnapshots"
FAST, COLD = "NumberOfInstancesFastLaunched", "NumberOfInstancesNotFastLaunched"
REFILL = "FastLaunchSnapshotUsedToRefillStartTime"
CREATION = "FastLaunchSnapshotCreationTime"
UNITS = {STOCK: "Count", FAST: "Count", COLD: "Count", REFILL: "Seconds", CREATION: "Seconds"}
"""The five metrics, and their units."""

STATISTICS = ("SampleCount", "Sum", "Minimum", "Maximum", "Average")


@dataclass
class Point:
    """The statistics of a metric over one period, which begins at `time`, in seconds of Unix."""

    time: int
    count: int = 0
    total: float = 0.0
    least: float = inf
    most: float = -inf

    def add(self, value: float) -> None:
        """Take another sample in."""
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)

    def statistic(self, name: str) -> float:
        """Return one of the :data:`STATISTICS`."""
        average = self.total / self.count
        values = (float(self.count), self.total, float(self.least), float(self.most), average)
        return values[STATISTICS.index(name)]


class PoolRecorder:
    """The record of one image, on the virtual clock; it stays when Fast Launch is disabled.

    Examples
    --------
    >>> recorder, pool = PoolRecorder(), Pool(target=5, max_parallel=6, fill_time=1800)
    >>> recorder.follow(pool)
    >>> recorder.launched(is_fast=False)
    >>> start = CLOCK.now().timestamp()
    >>> [point.statistic("Sum") for point in recorder.points(COLD, start, start + 300)]
    [1.0]
    >>> [point.statistic("Maximum") for point in recorder.points(STOCK, start, start + 300)]
    [0.0]
    """

    def __init__(self) -> None:
        self._stock: list[tuple[float, int | None]] = []  # from a time on; None: no Fast Launch
        self._told: dict[str, list[tuple[float, float]]] = {
            name: [] for name in UNITS if name != STOCK
        }
        self._at_work: list[tuple[float, float]] = []  # when each is due, and what it takes
        self._wanted: deque[float | None] = deque()  # what is to begin: since when it was used

    # --- what happens -----------------------------------------------------------------

    def follow(self, pool: Pool, *, arrived: int = 0, used: bool = False) -> None:
        """See how the pool is after a change: snapshots that arrived, or one that was used.

        What was used first is prepared again first, after all that was wanted before.
        """
        now = _now()
        for _, seconds in self._at_work[:arrived]:
            self._told[CREATION].append((now, seconds))
        del self._at_work[:arrived]
        self._wanted.extend([now] * used)
        self._begin(pool, now)
        del self._at_work[pool.in_preparation :]  # given up, that which began last
        lacking = max(0, pool.target - pool.stock - pool.in_preparation)
        self._wanted.extend([None] * (lacking - len(self._wanted)))
        while len(self._wanted) > lacking:
            self._wanted.pop()
        self._note(now, pool.stock)

    def launched(self, *, is_fast: bool) -> None:
        """Count a launch."""
        self._told[FAST if is_fast else COLD].append((_now(), 1))

    def end(self) -> None:
        """Have no stock from now on: Fast Launch is no more."""
        self._at_work.clear()
        self._wanted.clear()
        self._note(_now(), None)

    def _begin(self, pool: Pool, now: float) -> None:
        for _ in range(pool.in_preparation - len(self._at_work)):
            insort(self._at_work, (pool.now + pool.fill_time, pool.fill_time))
            used = self._wanted.popleft() if self._wanted else None
            if used is not None:
                self._told[REFILL].append((now, now - used))

    def _note(self, now: float, stock: int | None) -> None:
        """Note the stock; of several at one time the last counts, and of equal ones the first."""
        if self._stock and self._stock[-1][0] == now:
            self._stock.pop()
        if not self._stock or self._stock[-1][1] != stock:
            self._stock.append((now, stock))

    # --- what is asked ----------------------------------------------------------------

    def points(self, name: str, start: float, end: float, period: int = METRIC_PERIOD) -> Any:
        """Return the points of a metric whose periods begin before `end`, in order.

        The first period is that in which `start` is: periods begin at whole multiples.
        """
        first = _floor(start, period)
        low, high = _floor(first, METRIC_PERIOD), METRIC_PERIOD * ceil(end / METRIC_PERIOD)
        high = max(high, period * ceil(end / period))
        found: dict[int, Point] = {}
        for time, value in self._samples(name, low, high):
            begins = _floor(_floor(time, METRIC_PERIOD), period)
            if begins >= first:
                found.setdefault(begins, Point(begins)).add(value)
        return [found[begins] for begins in sorted(found)]

    def has_any(self, name: str, start: float) -> bool:
        """Say whether a metric has a value since a time."""
        if name != STOCK:
            return bool(self._told[name]) and self._told[name][-1][0] >= start
        return next(self._samples(name, start, inf), None) is not None

    def _samples(self, name: str, low: float, high: float) -> Iterator[tuple[float, float]]:
        """Yield values with their times: of the stock each change, and one at regular times."""
        if name != STOCK:
            yield from ((time, value) for time, value in self._told[name] if low <= time < high)
            return
        high = min(high, _now() + 1e-6)  # what is now is known
        for (since, stock), (until, _) in pairwise([*self._stock, (inf, None)]):
            if stock is None or until <= low or since >= high:
                continue
            if since >= low:
                yield since, stock
            regular = METRIC_PERIOD * max(
                ceil(low / METRIC_PERIOD), int(since // METRIC_PERIOD) + 1
            )
            for time in range(regular, ceil(min(until, high)), METRIC_PERIOD):
                yield time, stock


def _floor(time: float, period: int) -> int:
    return int(time // period) * period


def _now() -> float:
    return CLOCK.now().timestamp()
