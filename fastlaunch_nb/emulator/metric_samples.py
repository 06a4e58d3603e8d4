"""CloudWatch samples of one image with Fast Launch: stock, launches, preparation times.

A recorder stores changes and their times. It computes points, one value every five minutes,
only on request: for 60 days of the demo fleet there would be some 700,000 of them.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from math import ceil, inf
from typing import NamedTuple

from fastlaunch_nb.emulator.assumptions import METRIC_PERIOD
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.pool.model import Pool

STOCK = "NumberOfAvailableFastLaunchSnapshots"
FAST, COLD = "NumberOfInstancesFastLaunched", "NumberOfInstancesNotFastLaunched"
REFILL = "FastLaunchSnapshotUsedToRefillStartTime"
CREATION = "FastLaunchSnapshotCreationTime"
UNITS = {STOCK: "Count", FAST: "Count", COLD: "Count", REFILL: "Seconds", CREATION: "Seconds"}
"""The five metrics and their units."""

STATISTICS: Mapping[str, Callable[[list[float]], float]] = {
    "SampleCount": len,
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda samples: sum(samples) / len(samples),
}


class Point(NamedTuple):
    """The samples of a metric in one period, which begins at the Unix time `time`."""

    time: int
    samples: list[float]

    def statistic(self, name: str) -> float:
        """Return one of the :data:`STATISTICS`."""
        return float(STATISTICS[name](self.samples))


class PoolRecorder:
    """The metrics of one image over virtual time; they remain when Fast Launch is disabled.

    Examples
    --------
    >>> recorder, pool = PoolRecorder(), Pool(target=5, max_parallel=6, fill_time=1800)
    >>> recorder.record_pool(pool)
    >>> recorder.count_launch(is_fast=False)
    >>> start = CLOCK.now().timestamp()
    >>> [point.statistic("Sum") for point in recorder.compute_points(COLD, start, start + 300)]
    [1.0]
    >>> [point.statistic("Maximum") for point in recorder.compute_points(STOCK, start, start + 300)]
    [0.0]
    """

    def __init__(self) -> None:
        self._stock: list[tuple[float, int | None]] = []  # from a time on; None: not enabled
        self._samples: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._preparing: list[tuple[float, float]] = []  # due time and duration of each
        self._waiting: deque[float | None] = deque()  # to be prepared; when its snapshot was used

    # --- recording --------------------------------------------------------------------

    def record_pool(self, pool: Pool, *, arrived: int = 0, used: bool = False) -> None:
        """Record the pool after a change: snapshots that arrived, or one that was used.

        The snapshot used first is replaced first, after all preparations that waited before.
        """
        now = _now()
        for _, seconds in self._preparing[:arrived]:
            self._samples[CREATION].append((now, seconds))
        del self._preparing[:arrived]
        self._waiting.extend([now] * used)
        self._start_preparations(pool, now)
        del self._preparing[pool.in_preparation :]  # canceled, the last to start first
        lacking = max(0, pool.target - pool.stock - pool.in_preparation)
        self._waiting.extend([None] * (lacking - len(self._waiting)))
        while len(self._waiting) > lacking:
            self._waiting.pop()
        self._record_stock(now, pool.stock)

    def count_launch(self, *, is_fast: bool) -> None:
        """Count a launch."""
        self._samples[FAST if is_fast else COLD].append((_now(), 1))

    def end(self) -> None:
        """Stop recording the stock: Fast Launch has ended."""
        self._preparing.clear()
        self._waiting.clear()
        self._record_stock(_now(), None)

    def _start_preparations(self, pool: Pool, now: float) -> None:
        for _ in range(pool.in_preparation - len(self._preparing)):
            insort(self._preparing, (pool.now + pool.fill_time, pool.fill_time))
            used_at = self._waiting.popleft() if self._waiting else None
            if used_at is not None:
                self._samples[REFILL].append((now, now - used_at))

    def _record_stock(self, now: float, stock: int | None) -> None:
        """Record the stock: the last value of several at one time, the first of equal ones."""
        if self._stock and self._stock[-1][0] == now:
            self._stock.pop()
        if not self._stock or self._stock[-1][1] != stock:
            self._stock.append((now, stock))

    # --- reading ----------------------------------------------------------------------

    def compute_points(
        self, name: str, start: float, end: float, period: int = METRIC_PERIOD
    ) -> list[Point]:
        """Return the points of a metric in the periods that begin before `end`, in order.

        Periods begin at multiples of their length. The first one contains `start`.
        """
        first = _floor(start, period)
        low, high = _floor(first, METRIC_PERIOD), METRIC_PERIOD * ceil(end / METRIC_PERIOD)
        high = max(high, period * ceil(end / period))
        samples: defaultdict[int, list[float]] = defaultdict(list)
        for time, value in self._read_samples(name, low, high):
            begin = _floor(_floor(time, METRIC_PERIOD), period)
            if begin >= first:
                samples[begin].append(value)
        return [Point(begin, values) for begin, values in sorted(samples.items())]

    def has_samples(self, name: str, start: float) -> bool:
        """Return True if a metric has a value at or after a time."""
        return next(self._read_samples(name, start, inf), None) is not None

    def _read_samples(self, name: str, low: float, high: float) -> Iterator[tuple[float, float]]:
        """Yield times and values; of the stock, each change and one value every five minutes."""
        if name != STOCK:
            yield from ((time, value) for time, value in self._samples[name] if low <= time < high)
            return
        high = min(high, _now() + 1e-6)  # up to and including the current value
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
