"""The right size of a pool: the smallest with which enough launches find a snapshot."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlaunch_nb.errors import InputError, accept_old_names, warn_renamed
from fastlaunch_nb.number_checks import parse_count, parse_number, parse_share
from fastlaunch_nb.pool.launch_pattern import MAX_DAYS, IntArray, parse_launches
from fastlaunch_nb.pool.model import count_warm_launches

MIN_PARALLEL: Final = 6
"""The smallest MaxParallelLaunches that EnableFastLaunch accepts."""
MAX_SECONDS: Final = 7 * 86_400
"""The longest fill time and the longest jitter."""
_CURVE_POINTS = 64


class Curve(NamedTuple):
    """The share of launches that find a snapshot, by target count in rising order."""

    target_count: IntArray
    warm_share: NDArray[np.float64]

    @property
    def target(self) -> IntArray:
        """Old name of `target_count`."""
        warn_renamed("Curve.target", "Curve.target_count")
        return self.target_count

    @property
    def warm(self) -> NDArray[np.float64]:
        """Old name of `warm_share`."""
        warn_renamed("Curve.warm", "Curve.warm_share")
        return self.warm_share


@dataclass(frozen=True)
class RightSize:
    """The size of a pool that is large enough, and what it achieves.

    Attributes
    ----------
    target_count : int
        Snapshots to keep in stock (TargetResourceCount).
    max_parallel : int
        Preparation instances that run at once (MaxParallelLaunches).
    warm_share : float
        The share of launches that find a snapshot.
    launches, cold : int
        The number of launches, and of those that find no snapshot.
    fill_time : float
        Seconds that a preparation instance takes.
    curve : Curve
        Arrays `target_count` and `warm_share`: the share for other targets with the same
        `max_parallel`, up to the target that makes all launches warm. All targets if there
        are at most 64, else some 64 of them.
    """

    target_count: int
    max_parallel: int
    warm_share: float
    launches: int
    cold: int
    fill_time: float
    curve: Curve = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return (
            f"RightSize(target_count={self.target_count}, max_parallel={self.max_parallel}: "
            f"{_percent(self.warm_share)} of {self.launches:,} launches warm, {self.cold:,} cold)"
        )

    @property
    def target(self) -> int:
        """Old name of `target_count`."""
        warn_renamed("RightSize.target", "RightSize.target_count")
        return self.target_count

    @property
    def warm(self) -> float:
        """Old name of `warm_share`."""
        warn_renamed("RightSize.warm", "RightSize.warm_share")
        return self.warm_share


@accept_old_names(warm="min_warm_share", spread="jitter")
def right_size(
    launches: Any,
    *,
    min_warm_share: float = 0.99,
    fill_time: float = 1800.0,
    max_parallel: int | None = None,
    quota: int = 40,
    max_target: int = 1_000,
    days: int = 364,
    jitter: float = 0.0,
    seed: int = 0,
) -> RightSize:
    """Return the smallest pool with which enough launches find a snapshot.

    Every launch is played against a :class:`Pool` that is full at first. A launch that finds
    no snapshot is cold: it boots without one, and takes none later.

    Parameters
    ----------
    launches : str, or datetimes
        A pattern, such as ``"40 at 08:00 on weekdays; 5 at 22:00 daily"`` or
        ``"10 an hour from 09:00 to 17:00 on Mon-Fri"``: counts ``at`` times, ``an hour``, or
        ``from`` a time ``to`` another; ``daily``, or ``on`` days; ``;`` between several. Or the
        times of real launches: datetimes, an array or a pandas Series of them. Times without a
        zone are in UTC, as are those of a pattern. Times count by the microsecond.
    min_warm_share : float, default 0.99
        The share of launches that must find a snapshot, above 0 and up to 1.
    fill_time : float, default 1800
        Seconds that a preparation instance takes, above 0 and up to a week.
    max_parallel : int, optional
        Preparation instances that may run at once (MaxParallelLaunches), 6 or more. Default: the
        fewest, 6 or more, that are enough for the target that `quota` of them would need.
    quota : int, default 40
        Preparation instances that may run in the region if `max_parallel` is not given; 40 is
        EC2's default, for all images together.
    max_target : int, default 1000
        The largest target to try.
    days : int, default 364
        The number of days of a pattern, the first a Monday. More days make a difference
        with a `jitter`, or if the pool does not fill up between two days.
    jitter : float, default 0
        Delay each launch by up to this many seconds, evenly at random.
    seed : int, default 0
        The seed of the random delays; the same seed gives the same result.

    Returns
    -------
    RightSize
        `target_count`, `max_parallel`, the `warm_share` that they achieve, and the `curve`.

    Raises
    ------
    InputError
        If an argument is invalid, or no target up to `max_target` is large enough.

    Examples
    --------
    Forty runners that start at eight: half an hour is too long to prepare any in between.

    >>> right_size("40 at 08:00 on weekdays")
    RightSize(target_count=40, max_parallel=6: 100.00% of 10,400 launches warm, 0 cold)

    If they start within two hours, and one in ten may boot slowly, fewer are enough:

    >>> size = right_size("40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200)
    >>> size
    RightSize(target_count=12, max_parallel=10: 90.24% of 10,400 launches warm, 1,015 cold)
    >>> size.curve.target_count[9:13], size.curve.warm_share[9:13].round(3)
    (array([10, 11, 12, 13]), array([0.818, 0.865, 0.902, 0.933]))
    """
    share = parse_share("min_warm_share", min_warm_share)
    fill_time = parse_number(
        "fill_time", fill_time, "seconds above 0, up to a week", most=MAX_SECONDS
    )
    jitter = parse_number(
        "jitter", jitter, "seconds, 0 up to a week", most=MAX_SECONDS, allow_zero=True
    )
    days = parse_count("days", days, least=1, most=MAX_DAYS)
    max_target = parse_count("max_target", max_target, least=1)
    quota = parse_count("quota", quota, least=MIN_PARALLEL)
    seed = parse_count("seed", seed)
    parallel = quota
    if max_parallel is not None:
        parallel = parse_count("max_parallel", max_parallel, least=MIN_PARALLEL)
    times = _add_jitter(parse_launches(launches, days), jitter, seed)
    pools = _Pools(times, fill_time, max_target)
    target = pools.find_target(share, parallel)
    if max_parallel is None:
        parallel = pools.find_parallel(share, target, quota)
    return pools.describe(target, parallel)


class _Pools:
    """Pools of all sizes under the same launches, each stretch of which is played once.

    Larger is never worse, so sizes can be bisected. Suppose that a pool with a larger target, or
    more instances, falls behind a smaller one for the first time: after `n` warm launches each, it
    misses the launch that the smaller one serves. It was never behind before, so each of its
    replacements was ready no later, so it has at least as many snapshots: a contradiction.
    """

    def __init__(self, times: IntArray, fill_time: float, max_target: int) -> None:
        self.times, self.fill_time, self.max_target = times, fill_time, max_target
        self._fill = max(1, round(fill_time * 1e6))
        split = partial(split_launches, times, fill_time=self._fill)
        # Stretches are large, so few are cached: a search ends next to its result.
        self._stretches = lru_cache(maxsize=2)(split)
        self.count_cold = cache(self._count_cold)

    def _count_cold(self, target: int, parallel: int) -> int:
        return sum(
            number * (len(times) - count_warm_launches(times, target, parallel, float(self._fill)))
            for (peak, number), times in self._stretches(parallel).items()
            if peak > target
        )

    def warm_share(self, target: int, parallel: int) -> float:
        """Return the share of launches that find a snapshot."""
        return (len(self.times) - self.count_cold(target, parallel)) / len(self.times)

    def top_target(self, parallel: int) -> int:
        """Return the target that makes all launches warm, or the largest to try."""
        peaks = (peak for peak, _ in self._stretches(parallel))
        return min(max(peaks, default=1), self.max_target)

    def find_target(self, share: float, parallel: int) -> int:
        """Return the smallest target that reaches a share with so many instances."""
        top = self.top_target(parallel)
        if (best := self.warm_share(top, parallel)) < share:
            raise InputError(
                f"With {top:,} snapshots and {parallel} preparation instances, which prepare "
                f"{parallel * 3600 / self.fill_time:,.1f} an hour, {_percent(best)} of launches "
                f"find a snapshot. Expected {share:.2%}: lower min_warm_share, or raise quota, "
                "max_parallel or max_target."
            )
        targets = range(1, top)
        return 1 + bisect_left(targets, share, key=lambda target: self.warm_share(target, parallel))

    def find_parallel(self, share: float, target: int, quota: int) -> int:
        """Return the fewest instances that reach a share that `quota` instances reach."""
        numbers = range(MIN_PARALLEL, min(quota, target))  # more than the target never run
        return MIN_PARALLEL + bisect_left(numbers, share, key=partial(self.warm_share, target))

    def describe(self, target: int, parallel: int) -> RightSize:
        """Return a size with its share and its curve."""
        top = self.top_target(parallel)
        evenly_apart = np.linspace(0, top, _CURVE_POINTS + 2)[1:-1].astype(np.int64)
        targets = np.unique([*evenly_apart[evenly_apart > 0], max(1, target - 1), target, top])
        curve = Curve(targets, np.array([self.warm_share(n, parallel) for n in targets.tolist()]))
        share, cold = self.warm_share(target, parallel), self.count_cold(target, parallel)
        return RightSize(target, parallel, share, len(self.times), cold, self.fill_time, curve)


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
    ready = _find_replacements(times, max_parallel, fill_time)
    starts = np.flatnonzero(np.append(True, ready[:-1] <= times[1:]))
    lengths = np.diff(starts, append=len(times))
    is_long = np.repeat(lengths > 1, lengths)
    first, times, ready, lengths = times[0], times[is_long], ready[is_long], lengths[lengths > 1]
    ends = lengths.cumsum()
    starts = ends - lengths
    in_use = np.arange(1, len(times) + 1) - np.searchsorted(ready, times, side="right")
    peaks = np.maximum.reduceat(in_use, starts).tolist()
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


def _find_replacements(times: IntArray, max_parallel: int, fill_time: int) -> IntArray:
    """Return when the snapshot of each launch is replaced if all launches are warm.

    This depends on the `max_parallel`-th launch before it, see
    :func:`~fastlaunch_nb.pool.model.count_warm_launches`: a running maximum, less the fill times.
    """
    max_parallel = min(max_parallel, len(times))
    rows = -(-len(times) // max_parallel)
    chains = np.full(rows * max_parallel, times[-1])
    chains[: len(times)] = times
    fill_times = np.arange(rows)[:, None] * fill_time
    latest = np.maximum.accumulate(chains.reshape(rows, max_parallel) - fill_times, axis=0)
    ready: IntArray = (latest + fill_times + fill_time).ravel()[: len(times)]
    return ready


def _add_jitter(times: IntArray, jitter: float, seed: int) -> IntArray:
    """Delay each launch at random."""
    if not jitter:
        return times
    delays = np.random.default_rng(seed).integers(0, round(jitter * 1e6), len(times), endpoint=True)
    return np.sort(times + delays)


def _percent(share: float) -> str:
    """Format a share in percent; only a whole one is 100."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:.2f}%"
