"""The search for a pool: all sizes under the same launches, each size played once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

import numpy as np

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.pool.launch_pattern import IntArray
from fastlaunch_nb.pool.model import count_warm_launches, find_cold_launches

MIN_PARALLEL: Final = 6
"""The smallest MaxParallelLaunches that EnableFastLaunch accepts."""


class Reading(NamedTuple):
    """One reading of launches whose times are not all exact: sorted times, and their days."""

    times: IntArray  # microseconds
    days: IntArray  # numbered from 0


class PoolSearch:
    """Pools of all sizes under the same launches; of several readings, the worst one counts.

    Larger is never worse, so sizes can be bisected. Suppose that a pool with a larger target, or
    more instances, falls behind a smaller one for the first time: after `n` warm launches each, it
    misses the launch that the smaller one serves. It was never behind before, so each of its
    replacements was ready no later, so it has at least as many snapshots: a contradiction.
    """

    def __init__(
        self,
        readings: Sequence[Reading],
        fill_time: float,
        max_target: int,
        days: int | None = None,
    ) -> None:
        self.readings, self.fill_time, self.max_target = readings, fill_time, max_target
        self.launches = len(readings[0].times)
        self._days = days  # None: count no days, and play equal stretches once
        self._fill = max(1, round(fill_time * 1e6))
        # Stretches are large, so few are cached: a search ends next to its result.
        self._stretches = lru_cache(maxsize=2 * len(readings))(self._split)
        self._peaks = lru_cache(maxsize=2 * len(readings))(self._find_peaks)
        self._by_day: dict[tuple[int, int], IntArray] = {}
        self._counts: dict[tuple[int, int], int] = {}

    def _split(self, number: int, parallel: int) -> dict[tuple[int, int], list[float]]:
        return split_launches(self.readings[number].times, parallel, self._fill)

    def _find_peaks(self, number: int, parallel: int) -> IntArray:
        return find_peaks(self.readings[number].times, parallel, self._fill)

    def count_cold(self, target: int, parallel: int) -> int:
        """Return the number of cold launches in the worst reading; all without a target."""
        if not target:
            return self.launches
        key = target, min(parallel, target)  # more instances than the target never run
        if key not in self._counts:
            if self._days:
                count = int(self.count_cold_by_day(target, parallel).sum())
            else:
                numbers = range(len(self.readings))
                count = max(self._count_cold(number, target, parallel) for number in numbers)
            self._counts[key] = count
        return self._counts[key]

    def _count_cold(self, number: int, target: int, parallel: int) -> int:
        return sum(
            times_seen * (len(times) - count_warm_launches(times, target, parallel, self._fill))
            for (peak, times_seen), times in self._stretches(number, parallel).items()
            if peak > target
        )

    def count_cold_by_day(self, target: int, parallel: int) -> IntArray:
        """Return the cold launches of each day, in the worst reading."""
        key = target, min(parallel, target)
        if key not in self._by_day:
            numbers = range(len(self.readings))
            played = (self._list_cold_days(number, target, parallel) for number in numbers)
            self._by_day[key] = np.bincount(max(played, key=len), minlength=self._days or 0)
        return self._by_day[key]

    def _list_cold_days(self, number: int, target: int, parallel: int) -> IntArray:
        """Return the day of each cold launch."""
        times, days = self.readings[number]
        is_played = self._peaks(number, parallel) > target
        played, first = times[is_played], times[0]
        launches = (played - first).astype(float).tolist()
        return days[is_played][find_cold_launches(launches, target, parallel, self._fill)]

    def warm_share(self, target: int, parallel: int) -> float:
        """Return the share of launches that find a snapshot."""
        return (self.launches - self.count_cold(target, parallel)) / self.launches

    def top_target(self, parallel: int) -> int:
        """Return the target that makes all launches warm, or the largest to try."""
        peaks = (self._peaks(number, parallel).max() for number in range(len(self.readings)))
        return min(int(max(peaks)), self.max_target)

    def find_target(self, share: float, parallel: int) -> int:
        """Return the smallest target that reaches a share with so many instances."""
        top = self.top_target(parallel)
        if (best := self.warm_share(top, parallel)) < share:
            raise InputError(
                f"With {top:,} snapshots and {parallel} preparation instances, which prepare "
                f"{parallel * 3600 / self.fill_time:,.1f} an hour, {format_share(best)} of "
                f"launches find a snapshot. Expected {share:.2%}: lower min_warm_share, or raise "
                "quota, max_parallel or max_target."
            )
        targets = range(1, top)
        return 1 + bisect_left(targets, share, key=lambda target: self.warm_share(target, parallel))

    def find_parallel(self, share: float, target: int, quota: int) -> int:
        """Return the fewest instances that reach a share that `quota` instances reach."""
        numbers = range(MIN_PARALLEL, min(quota, target))  # more than the target never run
        return MIN_PARALLEL + bisect_left(numbers, share, key=partial(self.warm_share, target))

    def find_cheapest(self, parallel: int, snapshot_usd: float, cold_usd: float) -> int:
        """Return the target with the lowest cost of its snapshots and of its cold launches.

        The costs are those of one snapshot and of one cold launch, both for the whole time. A
        range of targets is left out if even the snapshots of its lowest target and the cold
        launches of its highest one cost more than the best so far.
        """

        def cost(target: int) -> float:
            return target * snapshot_usd + self.count_cold(target, parallel) * cold_usd

        ends = (0, self.top_target(parallel))
        best, ranges = min(ends, key=cost), [ends]
        while ranges:
            low, high = ranges.pop()
            bound = (low + 1) * snapshot_usd + self.count_cold(high, parallel) * cold_usd
            if high - low > 1 and bound < cost(best):
                middle = (low + high) // 2
                best = min(sorted((best, middle)), key=cost)
                ranges += [(middle, high), (low, middle)]
        return best


def format_share(share: float) -> str:
    """Format a share in percent; only a whole one is 100."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:.2f}%"


# --- stretches ------------------------------------------------------------------------


def split_launches(
    times: IntArray, max_parallel: int, fill_time: int
) -> dict[tuple[int, int], list[float]]:
    """Split launches into stretches that begin at a full pool; keep one of several equal ones.

    A launch after the last replacement finds a full pool, also if launches before it were cold,
    as these leave less to prepare.

    Returns
    -------
    dict of (int, int) to list of float
        By the snapshots in use at once if all launches are warm, and by how often a stretch
        occurs: microseconds after the very first launch. Single launches are left out.

    Examples
    --------
    >>> split_launches(np.array([0, 0, 50, 500, 900, 900, 950]), 1, 60)
    {(3, 2): [0.0, 0.0, 50.0]}
    """
    lengths, in_use = _find_stretches(times, max_parallel, fill_time)
    is_long = np.repeat(lengths > 1, lengths)
    first, times, in_use, lengths = times[0], times[is_long], in_use[is_long], lengths[lengths > 1]
    ends = lengths.cumsum()
    starts = ends - lengths
    peaks = np.maximum.reduceat(in_use, starts).tolist() if len(starts) else []
    offsets = (times - np.repeat(times[starts], lengths)).tobytes()
    cuts = partial(zip, starts.tolist(), ends.tolist(), strict=True)
    parts = [offsets[8 * start : 8 * end] for start, end in cuts()]
    # Floats are exact below 2**53 microseconds, 285 years, and compared faster than integers.
    launches = (times - first).astype(float).tolist()
    numbers = Counter(parts)
    stretches: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for peak, part, (start, end) in zip(peaks, parts, cuts(), strict=True):
        if number := numbers.pop(part, 0):  # the first of its kind
            stretches[peak, number] += launches[start:end]
    return dict(stretches)


def find_peaks(times: IntArray, max_parallel: int, fill_time: int) -> IntArray:
    """Return for each launch the snapshots in use at once in its stretch, if all are warm.

    Examples
    --------
    >>> find_peaks(np.array([0, 0, 50, 500, 900, 900, 950]), 1, 60).tolist()
    [3, 3, 3, 1, 3, 3, 3]
    """
    lengths, in_use = _find_stretches(times, max_parallel, fill_time)
    peaks = np.maximum.reduceat(in_use, lengths.cumsum() - lengths)
    return np.repeat(peaks, lengths)


def _find_stretches(
    times: IntArray, max_parallel: int, fill_time: int
) -> tuple[IntArray, IntArray]:
    """Return the lengths of all stretches, and for each launch the snapshots in use."""
    ready = _find_replacements(times, max_parallel, fill_time)
    starts = np.flatnonzero(np.append(True, ready[:-1] <= times[1:]))
    in_use = np.arange(1, len(times) + 1) - np.searchsorted(ready, times, side="right")
    return np.diff(starts, append=len(times)), in_use


def _find_replacements(times: IntArray, max_parallel: int, fill_time: int) -> IntArray:
    """Return when the snapshot of each launch is replaced if all launches are warm.

    This depends on the `max_parallel`-th launch before it, see
    :func:`~fastlaunch_nb.pool.model.find_cold_launches`: a running maximum, less the fill times.
    """
    max_parallel = min(max_parallel, len(times))
    rows = -(-len(times) // max_parallel)
    chains = np.full(rows * max_parallel, times[-1])
    chains[: len(times)] = times
    fill_times = np.arange(rows)[:, None] * fill_time
    latest = np.maximum.accumulate(chains.reshape(rows, max_parallel) - fill_times, axis=0)
    ready: IntArray = (latest + fill_times + fill_time).ravel()[: len(times)]
    return ready
