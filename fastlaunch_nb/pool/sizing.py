"""The right size of a pool: the smallest with which enough launches find a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from fastlaunch_nb.errors import InputError, accept_old_names, warn_renamed
from fastlaunch_nb.number_checks import parse_count, parse_number, parse_share
from fastlaunch_nb.pool.fill_time import MAX_SECONDS, FillTime, parse_fill_time
from fastlaunch_nb.pool.launch_pattern import DAY, MAX_DAYS, IntArray
from fastlaunch_nb.pool.launch_times import Launches, list_readings, parse_launches, spread_launches
from fastlaunch_nb.pool.pool_search import MIN_PARALLEL, PoolSearch, Reading, format_share
from fastlaunch_nb.pool.uncertainty import (
    FEW_DAYS,
    HOLDOUT_DAYS,
    MIN_DAYS,
    DayBootstrap,
    ShareRange,
    find_trend,
    number_days,
)

DAYS_A_MONTH: Final = 365 / 12
"""Days of an average month, for monthly costs."""
_CURVE_POINTS = 64
_CURVE_LAUNCHES = 15_000_000  # to play for a curve, which takes seconds
_MOST_LAUNCHES_NEEDED = 1_000  # to judge a share above 99.9 %, also of 100 %


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


class Band(NamedTuple):
    """The interval of the warm share for each target of a curve."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Holdout(NamedTuple):
    """A check: the target that the first days need, played with the days after them.

    Attributes
    ----------
    target_count : int
        The smallest target for the first days.
    warm_share : float
        The share of the later days' launches that find a snapshot with it.
    days, launches : int
        The number of later days, and of their launches.
    """

    target_count: int
    warm_share: float
    days: int
    launches: int


class Cheapest(NamedTuple):
    """The target with the lowest cost of snapshots and of launches that have to wait.

    As many preparation instances as `max_parallel`, or else `quota`, allows may run.

    Attributes
    ----------
    target_count : int
        The cheapest target; 0 if no pool is worth its cost.
    warm_share : float
        The share of launches that find a snapshot with it.
    snapshots_monthly_usd, cold_monthly_usd : float
        What its snapshots cost at most, and what its cold launches cost.
    break_even_usd : float or None
        The value of a launch that need not wait from which this pool costs less than none. None
        for a target of 0.
    last_snapshot_usd : float or None
        What the last snapshot of the target costs for each launch that it makes warm.
    """

    target_count: int
    warm_share: float
    snapshots_monthly_usd: float
    cold_monthly_usd: float
    break_even_usd: float | None
    last_snapshot_usd: float | None


@dataclass(frozen=True)
class RightSize:
    """The size of a pool that is large enough, what it achieves, and how sure that is.

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
        are at most 64, else some 64 of them, and fewer for more than 200,000 launches.
    warm_share_range, target_range : tuple or None
        Where the share, and the needed target, lie in 95 of 100 samples of days (bootstrap).
        None if nothing is random, or fewer than 5 days have launches.
    band : Band or None
        The same for each target of the curve: arrays `low` and `high`.
    fill_time_range : tuple of float
        The shortest and the longest fill time to expect.
    fill_time_source : str
        How the fill time was found.
    fill_time_targets : tuple or None
        The targets for both ends of that range; None for an end that no target can serve, and
        in all if the fill time was given.
    target_if_spread : int or None
        The target if the launches of a period are spread over it at random, where only their
        sum by period is known. `target_count` then assumes that those of neighbouring periods
        come as close together as they can.
    holdout : Holdout or None
        A check with days that did not take part in the choice, where there are 12 days or more.
    cheapest : Cheapest or None
        The cheapest target, if `value_of_warm` was given.
    warnings : tuple of str
        What makes this result less sure than it looks.
    """

    target_count: int
    max_parallel: int
    warm_share: float
    launches: int
    cold: int
    fill_time: float
    curve: Curve = field(repr=False, compare=False)
    fill_time_range: tuple[float, float] = field(compare=False)
    warm_share_range: ShareRange | None = field(default=None, compare=False)
    target_range: tuple[int, int] | None = field(default=None, compare=False)
    band: Band | None = field(default=None, compare=False)
    fill_time_source: str = field(default="given", compare=False)
    fill_time_targets: tuple[int | None, int | None] | None = field(default=None, compare=False)
    target_if_spread: int | None = field(default=None, compare=False)
    holdout: Holdout | None = field(default=None, compare=False)
    cheapest: Cheapest | None = field(default=None, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        return "\n  ".join(_describe(self))

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
    fill_time: float | IntoDataFrame | FillTime | None = None,
    max_parallel: int | None = None,
    quota: int = 40,
    max_target: int = 1_000,
    days: int = 364,
    jitter: float = 0.0,
    seed: int = 0,
    value_of_warm: float | None = None,
    prices: Any = None,
    root_volume_gib: float = 50,
    region: str = "us-east-1",
) -> RightSize:
    """Return the smallest pool with which enough launches find a snapshot, and how sure that is.

    Every launch is played against a :class:`Pool` that is full at first. A launch that finds
    no snapshot is cold: it boots without one, and takes none later.

    Parameters
    ----------
    launches : str, DataFrame, or datetimes
        A pattern, a frame of :func:`fastlaunch_nb.launches`, or the times of real launches:
        datetimes, an array or a pandas Series of them, in UTC if they name no zone.
        A pattern is such as ``"40 at 08:00 on weekdays; 5 at 22:00 daily"``, ``"10 an hour from
        09:00 to 17:00 on Mon-Fri"``, ``"second Tuesday 08:00 Europe/Berlin"``, ``"every 15
        minutes"`` or ``"cron(0 8 ? * MON-FRI *)"``. "10 an hour" means random arrivals; add
        "evenly" for regular ones. :func:`fastlaunch_nb.launches` has the whole grammar.
    min_warm_share : float, default 0.99
        The share of launches that must find a snapshot, above 0 and up to 1.
    fill_time : float or DataFrame or FillTime, optional
        Seconds that a preparation instance takes, above 0 and up to a week; or a frame of
        :func:`fastlaunch_nb.metrics` or a result of :func:`fastlaunch_nb.measure_fill_time`, to
        measure it. Default: 10 minutes, and the result has the targets for 4 and for 30 minutes.
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
        if something is random, or if the pool does not fill up between two days.
    jitter : float, default 0
        Delay each launch by up to this many seconds, evenly at random.
    seed : int, default 0
        The seed of all that is random; the same seed gives the same result.
    value_of_warm : float, optional
        USD that it is worth if a launch need not wait, to find the cheapest target.
    prices : Prices or float, optional
        The monthly price of a GiB of snapshots in USD; needed for `value_of_warm`.
    root_volume_gib : float, default 50
        The size of the AMI's root volume, for `value_of_warm`.
    region : str, default "us-east-1"
        The region whose price counts, if `prices` has one for each region.

    Returns
    -------
    RightSize
        `target_count`, `max_parallel`, the `warm_share` that they achieve, the `curve`, and
        how sure all of it is.

    Raises
    ------
    InputError
        If an argument is invalid, or no target up to `max_target` is large enough.

    Examples
    --------
    Forty runners that start at eight: ten minutes are too long to prepare any in between.

    >>> right_size("40 at 08:00 on weekdays", fill_time=600)
    RightSize(target_count=40, max_parallel=6: 100.00% of 10,400 launches warm, 0 cold)

    If they start within two hours, and one in ten may boot slowly, fewer are enough:

    >>> size = right_size("40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200)
    >>> size.target_count, size.target_range, size.fill_time_targets
    (6, (6, 6), (3, 12))

    Ten launches an hour at random, and a snapshot that takes half an hour:

    >>> right_size("10 an hour daily", fill_time=1800).target_count
    11
    """
    share = parse_share("min_warm_share", min_warm_share)
    fill = parse_fill_time(fill_time)
    jitter = parse_number(
        "jitter", jitter, "seconds, 0 up to a week", most=MAX_SECONDS, allow_zero=True
    )
    days = parse_count("days", days, least=1, most=MAX_DAYS)
    max_target = parse_count("max_target", max_target, least=1)
    quota = parse_count("quota", quota, least=MIN_PARALLEL)
    seed = parse_count("seed", seed)
    costs = None
    if value_of_warm is not None:
        cold = parse_number("value_of_warm", value_of_warm, "USD for each launch, above 0")
        costs = _Costs(parse_snapshot_price(prices, root_volume_gib, region), cold)
    parallel = quota
    if max_parallel is not None:
        parallel = parse_count("max_parallel", max_parallel, least=MIN_PARALLEL)
    parsed = parse_launches(launches, days, seed=seed)
    job = _Job(
        parsed,
        share=share,
        fill=fill,
        parallel=parallel,
        max_target=max_target,
        jitter=jitter,
        seed=seed,
    )
    return job.run(find_parallel=max_parallel is None, costs=costs)


class _Costs(NamedTuple):
    """Monthly USD of a snapshot, and USD of a launch that has to wait."""

    snapshot: float
    cold: float


def parse_snapshot_price(prices: Any, root_volume_gib: Any, region: str) -> float:
    """Return the monthly USD of one snapshot, if its volume has no block in common with others."""
    gib = parse_number("root_volume_gib", root_volume_gib, "GiB, above 0")
    find_price = getattr(prices, "find_snapshot_price", None)  # of fl.Prices, a layer above
    price = find_price(region) if find_price else prices
    if price is None:
        raise InputError(
            f"prices is {prices!r}, without a price of snapshots in {region!r}. Expected USD for "
            "a GiB and month, such as 0.05, or Prices(snapshot_gib_month=0.05)."
        )
    expected = "USD for a GiB of snapshots and month, or Prices(snapshot_gib_month=...)"
    return gib * parse_number("prices", price, expected, allow_zero=True)


class _Job:
    """One search for a size, with all that says how sure it is."""

    def __init__(
        self,
        launches: Launches,
        *,
        share: float,
        fill: FillTime,
        parallel: int,
        max_target: int,
        jitter: float,
        seed: int,
    ) -> None:
        self.launches, self.share, self.fill, self.parallel = launches, share, fill, parallel
        self.max_target, self.seed = max_target, seed
        self.delays = _draw_delays(len(launches.times), jitter, seed)
        self.day_numbers = number_days(launches.times)
        self.by_day = np.bincount(self.day_numbers)
        span = int(launches.times[-1] - launches.times[0])
        self.days = launches.days or span // DAY + 1
        self.bootstrap = None
        is_random = launches.is_random or jitter > 0
        if is_random and min(self.days, int(np.count_nonzero(self.by_day))) >= MIN_DAYS:
            self.bootstrap = DayBootstrap(self.by_day, seed)
        self.readings = self.list_readings(fill.seconds)
        days = len(self.by_day) if self.bootstrap else None
        self.search = PoolSearch(self.readings, fill.seconds, max_target, days)

    def list_readings(self, fill_time: float) -> list[Reading]:
        """Return the readings of the launches that may be the worst for a fill time."""
        readings = list_readings(self.launches, fill_time, self.seed)
        return [self.make_reading(times) for times in readings]

    def make_reading(self, times: IntArray) -> Reading:
        """Return launches with their delays, in order."""
        late = times + self.delays
        order = np.argsort(late, kind="stable")
        return Reading(late[order], self.day_numbers[order])

    def make_search(self, readings: list[Reading], fill_time: float | None = None) -> PoolSearch:
        """Return a search under other launches, or with another fill time."""
        return PoolSearch(readings, fill_time or self.fill.seconds, self.max_target)

    def run(self, *, find_parallel: bool, costs: _Costs | None) -> RightSize:
        """Return the size."""
        target, parallel = self.search.find_target(self.share, self.parallel), self.parallel
        if find_parallel:
            parallel = self.search.find_parallel(self.share, target, self.parallel)
        curve = self.make_curve(target, parallel)
        spread = self.find_spread_target()
        return RightSize(
            target_count=target,
            max_parallel=parallel,
            warm_share=self.search.warm_share(target, parallel),
            launches=self.search.launches,
            cold=self.search.count_cold(target, parallel),
            fill_time=self.fill.seconds,
            curve=curve,
            warm_share_range=self.find_share_range(target, parallel),
            target_range=self.find_target_range(target),
            band=self.make_band(curve, parallel),
            fill_time_range=(self.fill.low, self.fill.high),
            fill_time_source=self.fill.source,
            fill_time_targets=self.find_fill_time_targets(),
            target_if_spread=spread,
            holdout=self.check_holdout(parallel),
            cheapest=costs and self.find_cheapest(costs),
            warnings=tuple(self.list_warnings(spread)),
        )

    # --- the curve and how sure it is -------------------------------------------------

    def make_curve(self, target: int, parallel: int) -> Curve:
        """Return the shares of targets evenly apart, of the chosen one, and of the one below."""
        top = self.search.top_target(parallel)
        points = min(max(_CURVE_LAUNCHES // self.search.launches, 16), _CURVE_POINTS)
        evenly_apart = np.linspace(0, top, points + 2)[1:-1].astype(np.int64)
        targets = np.unique([*evenly_apart[evenly_apart > 0], max(1, target - 1), target, top])
        shares = [self.search.warm_share(n, parallel) for n in targets.tolist()]
        return Curve(targets, np.array(shares))

    def find_share_range(self, target: int, parallel: int) -> ShareRange | None:
        """Return the interval of the warm share of a target."""
        if self.bootstrap is None:
            return None
        return self.bootstrap.find_share_range(self.search.count_cold_by_day(target, parallel))

    def make_band(self, curve: Curve, parallel: int) -> Band | None:
        """Return the interval of the warm share for each target of the curve."""
        ranges = [self.find_share_range(n, parallel) for n in curve.target_count.tolist()]
        return None if self.bootstrap is None else Band(*np.array(ranges).T)

    def find_target_range(self, target: int) -> tuple[int, int] | None:
        """Return the interval of the target that is needed."""
        if self.bootstrap is None:
            return None
        count_cold = partial(self.search.count_cold_by_day, parallel=self.parallel)
        top = self.search.top_target(self.parallel)
        low, high = self.bootstrap.find_target_range(count_cold, self.share, top)
        return min(low, target), max(high, target)

    # --- other assumptions ------------------------------------------------------------

    def find_fill_time_targets(self) -> tuple[int | None, int | None] | None:
        """Return the targets for the shortest and the longest fill time."""
        if self.fill.low == self.fill.high:
            return None
        low, high = (
            self.find_target_or_none(self.make_search(self.list_readings(seconds), seconds))
            for seconds in (self.fill.low, self.fill.high)
        )
        return low, high

    def find_target_or_none(self, search: PoolSearch) -> int | None:
        try:
            return search.find_target(self.share, self.parallel)
        except InputError:  # no target keeps up
            return None

    def find_spread_target(self) -> int | None:
        """Return the target if launches come at random within their periods, if these are known."""
        if self.launches.ends is None:
            return None
        spread = self.make_reading(spread_launches(self.launches, self.seed))
        return self.find_target_or_none(self.make_search([spread]))

    def check_holdout(self, parallel: int) -> Holdout | None:
        """Choose a target by the first two thirds of the days, and play the last third."""
        days = len(self.by_day)
        first = days - days // 3
        if not self.launches.is_sample or self.days < HOLDOUT_DAYS:
            return None
        if not self.by_day[:first].any() or not self.by_day[first:].any():
            return None
        early, late = (
            self.make_search([_select(reading, is_late, first) for reading in self.readings])
            for is_late in (False, True)
        )
        target = self.find_target_or_none(early)
        if target is None:
            return None
        return Holdout(target, late.warm_share(target, parallel), days - first, late.launches)

    def find_cheapest(self, costs: _Costs) -> Cheapest:
        """Return the target with the lowest cost."""
        search, parallel = self.search, self.parallel
        months = self.days / DAYS_A_MONTH
        target = search.find_cheapest(parallel, costs.snapshot * months, costs.cold)
        cold, snapshots = search.count_cold(target, parallel), target * costs.snapshot
        more = search.count_cold(max(target - 1, 0), parallel) - cold
        return Cheapest(
            target_count=target,
            warm_share=1 - cold / search.launches,
            snapshots_monthly_usd=snapshots,
            cold_monthly_usd=cold * costs.cold / months,
            break_even_usd=snapshots * months / (search.launches - cold) if target else None,
            last_snapshot_usd=costs.snapshot * months / more if more else None,
        )

    def list_warnings(self, spread: int | None) -> Iterator[str]:
        """Yield what makes the result less sure than it looks."""
        if self.launches.ends is not None:
            other = f"{spread:,} would do" if spread else "no target would do"
            yield (
                "The launches are sums by period, which lose their times: the target assumes that "
                "those of neighbouring periods came as close together as they can. "
                f"{other} if they are spread at random. Shorter periods, or CloudTrail, say more."
            )
        if not self.launches.is_sample:
            return
        if self.days < FEW_DAYS:
            yield f"Only {_format_days(self.days)}: other weeks may differ."
        needed = min(_MOST_LAUNCHES_NEEDED, round(1 / max(1 - self.share, 1e-9)))
        if self.search.launches < needed:
            yield (
                f"Only {self.search.launches:,} launches: too few to judge a share of "
                f"{format_share(self.share)}, for which {needed:,} are the least."
            )
        if trend := find_trend(self.by_day, self.seed):
            yield (
                f"The launches have a trend: {trend.before:,.1f} a day in the first half, "
                f"{trend.after:,.1f} in the second. Choose by the latest days."
            )


def _draw_delays(count: int, jitter: float, seed: int) -> IntArray:
    """Return a random delay for each launch, in microseconds."""
    if not jitter:
        return np.zeros(count, dtype=np.int64)
    return np.random.default_rng(seed).integers(0, round(jitter * 1e6), count, endpoint=True)


def _select(reading: Reading, is_late: bool, first: int) -> Reading:
    """Return the launches of a reading from a day on, or those before it."""
    chosen = (reading.days >= first) == is_late
    return Reading(reading.times[chosen], reading.days[chosen])


# --- text -----------------------------------------------------------------------------


def _describe(size: RightSize) -> Iterator[str]:
    """Yield the lines of a size."""
    yield (
        f"RightSize(target_count={size.target_count}, max_parallel={size.max_parallel}: "
        f"{format_share(size.warm_share)} of {size.launches:,} launches warm, {size.cold:,} cold)"
    )
    if size.warm_share_range and size.target_range:
        low, high = map(format_share, size.warm_share_range)
        yield (
            f"in 95 of 100 samples of days: {low} to {high} warm; "
            f"target {_format_range(size.target_range)} needed"
        )
    if size.fill_time_source != "given":
        ends = [
            f"{'no target is enough' if target is None else f'target {target:,}'} at "
            f"{_format_seconds(seconds)}"
            for target, seconds in zip(
                size.fill_time_targets or (), size.fill_time_range, strict=False
            )
        ]
        source = f"{_format_seconds(size.fill_time)}, {size.fill_time_source}"
        yield "; ".join([f"fill time {source}", *([", ".join(ends)] if ends else [])])
    if check := size.holdout:
        yield (
            f"held-out check: the earlier days need target {check.target_count:,}, with which "
            f"{format_share(check.warm_share)} of the last {_format_days(check.days)} are warm"
        )
    if size.cheapest:
        yield _describe_cheapest(size.cheapest)
    yield from (f"Caution: {warning}" for warning in size.warnings)


def _describe_cheapest(cheapest: Cheapest) -> str:
    if not cheapest.target_count:
        return "cheapest: no pool, as no snapshot is worth its cost"
    text = (
        f"cheapest: target {cheapest.target_count:,}, {format_share(cheapest.warm_share)} warm, "
        f"{cheapest.snapshots_monthly_usd:,.2f} USD a month at most; it pays from "
        f"{cheapest.break_even_usd:,.2f} USD a launch"
    )
    if cheapest.last_snapshot_usd is not None:
        text += f", its last snapshot from {cheapest.last_snapshot_usd:,.2f}"
    return text


def _format_days(days: int) -> str:
    return f"{days:,} day" + "s" * (days != 1)


def _format_range(ends: tuple[int, int]) -> str:
    return f"{ends[0]:,}" if ends[0] == ends[1] else f"{ends[0]:,} to {ends[1]:,}"


def _format_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.3g} min"
