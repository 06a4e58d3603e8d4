"""Uncertainty: how far a result may be from what other days of the same kind would give.

Days are resampled as a whole, because launches of one day depend on each other.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlaunch_nb.pool.launch_pattern import DAY, HOUR, IntArray

MIN_DAYS: Final = 5
"""Fewer days with launches give no interval: there is too little to resample."""
FEW_DAYS: Final = 14
"""Fewer days than these give a warning: each day of the week occurs less than twice."""
HOLDOUT_DAYS: Final = 12
"""From so many days on, the last third checks the target of the others."""
MAX_BLOCKS: Final = 728
"""More days are resampled in blocks of several."""
_SAMPLES: Final = 1_000
_TREND_SHARE: Final = 0.2
_TREND_PROBABILITY: Final = 0.01


class ShareRange(NamedTuple):
    """An interval of a share of launches: in 95 of 100 samples of days it is within."""

    low: float
    high: float


class Trend(NamedTuple):
    """The launches a day in the first half of the days, and in the second half."""

    before: float
    after: float


def number_days(times: IntArray) -> IntArray:
    """Return the day of each launch, numbered from 0; days begin at their quietest hour in UTC.

    So a busy night in UTC, which is a working day elsewhere, is not cut in two.

    Examples
    --------
    >>> number_days(np.array([23, 24, 25, 48]) * 3_600_000_000).tolist()
    [0, 0, 0, 1]
    """
    hours = np.bincount(times // HOUR % 24, minlength=24)
    days = (times - int(np.argmin(hours + np.roll(hours, 1))) * HOUR) // DAY
    numbers: IntArray = days - days.min()
    return numbers


class DayBootstrap:
    """Samples of days, drawn with replacement, under which shares and targets vary.

    Parameters
    ----------
    launches : array of int
        The launches of each day, also of days without any.
    seed : int
        The seed of the samples.
    """

    def __init__(self, launches: IntArray, seed: int) -> None:
        blocks = _sum_blocks(launches)
        draw = np.random.default_rng(seed)
        even = np.full(len(blocks), 1 / len(blocks))
        self._weights = draw.multinomial(len(blocks), even, _SAMPLES).astype(float)
        self._launches = self._weights @ blocks
        self._total = int(launches.sum())
        tail = _widen_tail(0.025, int(np.count_nonzero(blocks)))
        self._tails = (tail, 1 - tail)

    def find_share_range(self, cold: IntArray) -> ShareRange:
        """Return the interval of the warm share, from the cold launches of each day.

        A sample without any cold launch does not prove that there are none: of `n` launches,
        up to 3 / `n` may be cold (the rule of three).
        """
        low, high = np.nanquantile(self._sample_shares(cold), self._tails).tolist()
        if not cold.any():
            low = min(low, max(0.0, 1 - 3 / self._total))
        return ShareRange(low, high)

    def find_target_range(
        self, count_cold: Callable[[int], IntArray], share: float, top: int
    ) -> tuple[int, int]:
        """Return the interval of the smallest target that reaches a share.

        A sample needs at most a target if that reaches the share in the sample. So the quantiles
        of the needed target are found by bisection.
        """

        def fraction(target: int) -> float:
            shares = self._sample_shares(count_cold(target))
            return float(np.mean(shares[~np.isnan(shares)] >= share))

        low, high = (1 + bisect_left(range(1, top), tail, key=fraction) for tail in self._tails)
        return low, high

    def _sample_shares(self, cold: IntArray) -> NDArray[np.float64]:
        """Return the warm share in each sample, NaN for one without launches."""
        launches = np.where(self._launches > 0, self._launches, np.nan)
        shares: NDArray[np.float64] = 1 - (self._weights @ _sum_blocks(cold)) / launches
        return shares


def _sum_blocks(counts: IntArray) -> IntArray:
    """Return the counts of each day, or of blocks of days if there are very many."""
    block = -(-len(counts) // MAX_BLOCKS)
    sums: IntArray = np.add.reduceat(counts, np.arange(0, len(counts), block))
    return sums


def _widen_tail(tail: float, days: int) -> float:
    """Return a smaller tail for few days, whose samples vary too little.

    This is the expanded percentile interval (Hesterberg, "What Teachers Should Know About the
    Bootstrap", 2015), with the quantile of Student's t by its series in 1 / degrees of freedom.
    """
    if days < 2:
        return 0.0
    normal, freedom = NormalDist(), days - 1
    z = normal.inv_cdf(tail)
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return normal.cdf(t * math.sqrt(days / freedom))


def find_trend(launches: IntArray, seed: int) -> Trend | None:
    """Return the trend of launches a day; None if chance explains it, or if it is small.

    The days are shuffled: in fewer than 1 of 100 orders may the launches go with the time as
    much as they do, and the halves must differ by a fifth.
    """
    half = len(launches) // 2
    if half < 2:
        return None
    before, after = float(launches[:half].mean()), float(launches[-half:].mean())
    if abs(after - before) < _TREND_SHARE * max(before, after):
        return None
    blocks = _sum_blocks(launches)
    time = np.arange(len(blocks)) - (len(blocks) - 1) / 2
    orders = np.random.default_rng(seed).permuted(np.tile(blocks, (_SAMPLES, 1)), axis=1)
    by_chance = np.mean(np.abs(orders @ time) >= abs(blocks @ time))
    return Trend(before, after) if by_chance < _TREND_PROBABILITY else None
