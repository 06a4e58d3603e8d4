"""Which size of a pool is right: the smallest with which enough launches find a snapshot."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.pool.launch_pattern import MOST_DAYS, launch_times
from fastlaunch_nb.pool.simulation import Whole, full_target, warm_counts

FEWEST_PARALLEL: Final = 6
"""EnableFastLaunch takes no smaller MaxParallelLaunches."""
LONGEST: Final = 7 * 86_400
"""Seconds of a fill time, and of a spread, at most."""
_AT_ONCE = 64
"""How many targets are tried at once."""


class Curve(NamedTuple):
    """The share of launches that find a snapshot, for targets in rising order."""

    target: Whole
    warm: NDArray[np.float64]


@dataclass(frozen=True)
class RightSize:
    """The size of a pool that is large enough, and what it achieves.

    Attributes
    ----------
    target : int
        Snapshots to keep in stock (TargetResourceCount).
    max_parallel : int
        Preparation instances at work at once (MaxParallelLaunches).
    warm : float
        The share of launches that find a snapshot then.
    launches, cold : int
        Launches that were played, and those of them that found none.
    fill_time : float
        Seconds that a preparation instance took.
    curve : Curve
        Arrays `target` and `warm`: that share for other targets, with `max_parallel`, up to
        that at which all are warm. Some 64 of them, and all where there are no more.
    """

    target: int
    max_parallel: int
    warm: float
    launches: int
    cold: int
    fill_time: float
    curve: Curve = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return (
            f"RightSize(target={self.target}, max_parallel={self.max_parallel}: "
            f"{_percent(self.warm)} of {self.launches:,} launches warm, {self.cold:,} cold)"
        )


def right_size(
    launches: Any,
    *,
    warm: float = 0.99,
    fill_time: float = 1800.0,
    max_parallel: int | None = None,
    quota: int = 40,
    max_target: int = 1_000,
    days: int = 364,
    spread: float = 0.0,
    seed: int = 0,
) -> RightSize:
    """Return the smallest pool with which enough launches find a snapshot.

    Every launch is played against a :class:`Pool` that is full at first. One that finds no
    snapshot boots without, and takes none later.

    Parameters
    ----------
    launches : str, or datetimes
        A pattern in words, such as ``"40 at 08:00 on weekdays; 5 at 22:00 daily"`` or
        ``"10 an hour from 09:00 to 17:00 on Mon-Fri"``: counts ``at`` times, ``an hour``, or
        ``from`` a time ``to`` another; ``daily``, or ``on`` days; ``;`` between several. Or when
        launches really were: datetimes, an array or a pandas Series of them. All times are in
        UTC, also those without a zone, and count by the microsecond.
    warm : float, default 0.99
        The share of launches that has to find one, above 0 and up to 1.
    fill_time : float, default 1800
        Seconds that a preparation instance takes, above 0 and up to a week.
    max_parallel : int, optional
        Preparation instances at once (MaxParallelLaunches), 6 or more. Else the fewest, 6 or
        more, that are enough for the target that would do with `quota` of them.
    quota : int, default 40
        As many may be at work in the region, where `max_parallel` is not given; 40 is EC2's
        default, for all images together.
    max_target : int, default 1000
        No larger target is tried.
    days : int, default 364
        How many days of a pattern are played, the first a Monday. More of them make a difference
        where there is a `spread`, or where the pool does not fill up between two of its days.
    spread : float, default 0
        Each launch comes up to so many seconds later, evenly at random.
    seed : int, default 0
        Which random numbers; the same give the same result.

    Returns
    -------
    RightSize
        `target`, `max_parallel`, the share `warm` that they achieve, and the `curve`.

    Raises
    ------
    InputError
        An argument is none of the above, or no target up to `max_target` is large enough.

    Examples
    --------
    Forty runners that start at eight: half an hour is too long to prepare any in between.

    >>> right_size("40 at 08:00 on weekdays")
    RightSize(target=40, max_parallel=6: 100.00% of 10,400 launches warm, 0 cold)

    If they come within two hours, and one in ten may boot slowly, less will do:

    >>> size = right_size("40 at 08:00 on weekdays", warm=0.9, spread=7200)
    >>> size
    RightSize(target=12, max_parallel=10: 90.24% of 10,400 launches warm, 1,015 cold)
    >>> size.curve.target[9:13], size.curve.warm[9:13].round(3)
    (array([10, 11, 12, 13]), array([0.818, 0.865, 0.902, 0.933]))
    """
    _check_number("warm", warm, 1, "a share above 0, up to 1")
    _check_number("fill_time", fill_time, LONGEST, "seconds above 0, up to a week")
    if spread != 0:
        _check_number("spread", spread, LONGEST, "seconds, 0 up to a week")
    _check("days", days, 1, MOST_DAYS)
    _check("max_target", max_target, 1)
    _check("quota", quota, FEWEST_PARALLEL)
    _check("seed", seed, 0)
    if max_parallel is not None:
        _check("max_parallel", max_parallel, FEWEST_PARALLEL)
    times = _spread_out(launch_times(launches, days), spread, seed)
    trials = _Trials(times, float(fill_time), int(max_target))
    target = _smallest_target(trials, warm, int(max_parallel or quota))
    parallel = int(max_parallel or 0) or _fewest_parallel(trials, warm, target, quota)
    return _result(trials, target, parallel)


class _Trials:
    """Pools that were played over the launches, each once."""

    def __init__(self, times: Whole, fill_time: float, max_target: int) -> None:
        self.times, self.fill_time, self.max_target = times, fill_time, max_target
        self._fill = max(1, round(fill_time * 1e6))
        self._counts: dict[tuple[int, int], int] = {}

    def top(self, parallel: int) -> int:
        """Return the target at which all launches are warm, or the largest to be tried."""
        return min(full_target(self.times, parallel, self._fill), self.max_target)

    def counts(self, targets: Whole, parallels: Whole) -> Whole:
        """Return how many launches are warm, for each pool."""
        pools = list(zip(targets.tolist(), parallels.tolist(), strict=True))
        if new := [pool for pool in pools if pool not in self._counts]:
            played = np.array(new)
            found = warm_counts(self.times, played[:, 0], played[:, 1], self._fill)
            self._counts.update(zip(new, found.tolist(), strict=True))
        return np.array([self._counts[pool] for pool in pools])

    def shares(self, targets: Whole, parallels: Whole) -> NDArray[np.float64]:
        """Return which share of launches is warm, for each pool."""
        shares: NDArray[np.float64] = self.counts(targets, parallels) / len(self.times)
        return shares


def _smallest_target(trials: _Trials, warm: float, parallel: int) -> int:
    """Search between a target that is too small and one that is enough; see `played`."""
    low, high = 0, trials.top(parallel)
    tried = np.append(_between(low, high), high)  # that one too: one run costs as much as many
    best = trials.shares(tried, np.full(len(tried), parallel))[-1]
    if best < warm:
        raise InputError(
            f"With {high:,} snapshots and {parallel} preparation instances, which make "
            f"{parallel * 3600 / trials.fill_time:,.1f} an hour, {_percent(best)} of launches find "
            f"one. Expected {warm:.2%}: ask for less, or allow more by quota, max_parallel or "
            "max_target."
        )
    while high - low > 1:
        tried = _between(low, high)
        enough = trials.shares(tried, np.full(len(tried), parallel)) >= warm
        high = int(tried[enough].min(initial=high))
        low = int(tried[~enough].max(initial=low))
    return high


def _fewest_parallel(trials: _Trials, warm: float, target: int, quota: int) -> int:
    """Return how many instances are enough for a target that does with `quota` of them."""
    most = max(FEWEST_PARALLEL, min(quota, target))  # more than are wanted are never at work
    tried = np.arange(FEWEST_PARALLEL, most + 1)
    return int(tried[trials.shares(np.full(len(tried), target), tried) >= warm].min())


def _result(trials: _Trials, target: int, parallel: int) -> RightSize:
    top = trials.top(parallel)
    targets = np.unique([*_between(0, top), max(1, target - 1), target, top])
    warm = trials.shares(targets, np.full(len(targets), parallel))
    count = int(trials.counts(np.array([target]), np.array([parallel]))[0])
    total = len(trials.times)
    curve = Curve(targets, warm)
    return RightSize(target, parallel, count / total, total, total - count, trials.fill_time, curve)


def _between(low: int, high: int) -> Whole:
    """Return whole numbers between two, all of them or some that are evenly apart."""
    apart = np.linspace(low, high, _AT_ONCE + 2)[1:-1].astype(np.int64)
    return np.unique(apart[apart > low])


def _spread_out(times: Whole, spread: float, seed: int) -> Whole:
    """Let each launch come a little later, at random."""
    if not spread:
        return times
    later = np.random.default_rng(seed).integers(0, round(spread * 1e6), len(times), endpoint=True)
    return np.sort(times + later)


def _check(name: str, value: Any, low: int, high: int | None = None) -> None:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < low or (high is not None and value > high):
        upto = " or more" if high is None else f" to {high:,}"
        raise InputError(f"{name} is {value!r}. Expected a whole number, {low}{upto}.")


def _check_number(name: str, value: Any, highest: float, expected: str) -> None:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not 0 < value <= highest:
        raise InputError(f"{name} is {value!r}. Expected {expected}.")


def _percent(share: float) -> str:
    """Return a share in percent; never 100 where it is less."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:.2f}%"
