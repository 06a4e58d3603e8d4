"""The model of one snapshot pool: launches take from it, preparation instances refill it.

Time is a number that the caller passes, and nothing is random. :class:`Pool` plays the model
event by event, as the embedded EC2 does; :func:`find_cold_launches` is the same in one loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf

from fastlaunch_nb.errors import InputError


class Pool:
    """Snapshots of one image, in stock and in preparation, as EC2 Fast Launch manages them.

    As many preparation instances run as the stock lacks snapshots, but never more than
    `max_parallel`; each takes `fill_time` and adds one snapshot.

    Parameters
    ----------
    target : int
        Snapshots to keep in stock (TargetResourceCount), 0 or more.
    max_parallel : int
        Preparation instances that may run at once (MaxParallelLaunches), 1 or more.
    fill_time : float
        Seconds that a preparation instance takes, above 0. It is also an attribute: a new
        value applies to instances that start from then on.
    stock : int, default 0
        Snapshots in stock at the start, at most `target`.
    now : float, default 0
        The time of the start, in seconds.

    Attributes
    ----------
    stock, used, missed : int
        Snapshots in stock; launches so far that took one, and launches that found none.
    in_preparation : int
        Preparation instances that run now.
    now : float
        The time that the pool has reached, in seconds.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    Ten snapshots, six at once, half an hour each: the first six, then the rest.

    >>> pool = Pool(target=10, max_parallel=6, fill_time=1800)
    >>> pool.advance(1800), pool.in_preparation
    ([1800, 1800, 1800, 1800, 1800, 1800], 4)
    >>> pool.take(), pool.stock, pool.in_preparation
    (True, 5, 5)
    """

    def __init__(
        self, target: int, max_parallel: int, fill_time: float, *, stock: int = 0, now: float = 0
    ) -> None:
        if not 0 <= stock <= max(target, 0):
            raise InputError(f"stock is {stock!r}. Expected 0 up to the target, {target!r}.")
        self.fill_time = fill_time
        self.now = now
        self.stock = stock
        self.used = self.missed = 0
        self._due: list[float] = []
        self.resize(target, max_parallel)

    def __repr__(self) -> str:
        return (
            f"Pool({self.stock} of {self.target} in stock, {self.in_preparation} in preparation, "
            f"{self.used} used, {self.missed} missed)"
        )

    @property
    def fill_time(self) -> float:
        """Seconds that a preparation instance takes if it starts now."""
        return self._fill_time

    @fill_time.setter
    def fill_time(self, seconds: float) -> None:
        if not seconds > 0:
            raise InputError(f"fill_time is {seconds!r}. Expected seconds above 0.")
        self._fill_time = seconds

    @property
    def in_preparation(self) -> int:
        """Number of preparation instances that run now."""
        return len(self._due)

    @property
    def next_due(self) -> float | None:
        """Time at which the next snapshot is ready; None if none is in preparation."""
        return self._due[0] if self._due else None

    def advance(self, now: float) -> list[float]:
        """Let time pass until `now`; return when each new snapshot came into stock."""
        if now < self.now:
            raise InputError(f"now is {now!r}, before {self.now!r}. Time only goes forward.")
        arrived = []
        while self._due and self._due[0] <= now:
            self.now = heappop(self._due)
            self.stock += 1
            arrived.append(self.now)
            self._refill()
        self.now = now
        return arrived

    def take(self) -> bool:
        """Launch an instance now: take a snapshot, and return whether there was one."""
        if not self.stock:
            self.missed += 1
            return False
        self.stock -= 1
        self.used += 1
        self._refill()
        return True

    def resize(self, target: int, max_parallel: int) -> None:
        """Change the target and the limit from now on; drop snapshots above the target.

        A pool that was stopped starts again. Preparations that are no longer needed are
        cancelled, those that started last first.
        """
        if target < 0 or max_parallel < 1:
            raise InputError(
                f"target is {target!r} and max_parallel {max_parallel!r}. "
                "Expected 0 or more, and 1 or more."
            )
        self.target = target
        self.max_parallel = max_parallel
        self._stopped = False
        self.stock = min(self.stock, target)
        self._due = sorted(self._due)[: min(target - self.stock, max_parallel)]
        self._refill()

    def stop(self) -> None:
        """Cancel all preparations and start no more; the stock stays."""
        self._due.clear()
        self._stopped = True

    def _refill(self) -> None:
        if self._stopped:
            return
        free = min(self.target - self.stock, self.max_parallel) - len(self._due)
        for _ in range(free):
            heappush(self._due, self.now + self._start_preparation())

    def _start_preparation(self) -> float:
        """Start a preparation instance; return the seconds that it takes."""
        return self._fill_time


def count_warm_launches(
    times: Sequence[float], target: int, max_parallel: int, fill_time: float
) -> int:
    """Count the launches that find a snapshot in a pool that is full at first.

    The arguments are those of :func:`find_cold_launches`.

    Examples
    --------
    Three launches at once and one a minute later, in a pool of two snapshots:

    >>> count_warm_launches([0, 0, 0, 60], target=2, max_parallel=6, fill_time=60)
    3
    """
    return len(times) - len(find_cold_launches(times, target, max_parallel, fill_time))


def find_cold_launches(
    times: Sequence[float], target: int, max_parallel: int, fill_time: float
) -> list[int]:
    """Return the indexes of the launches that find no snapshot in a pool that is full at first.

    `times` are in order, in the unit of `fill_time`; all other numbers are above 0. The result
    is that of :class:`Pool`, sooner. Number the warm launches 0, 1, 2, …
    The snapshot that replaces the one of launch `n` is ready at ::

        ready[n] = max(time[n], ready[n - max_parallel]) + fill_time

    because its preparation starts as soon as an instance is free, and preparations end in the
    order in which they start. After `n` warm launches, the next launch is warm if
    ``ready[n - target]`` has come, else it is cold.

    Examples
    --------
    >>> find_cold_launches([0, 0, 0, 60], target=2, max_parallel=6, fill_time=60)
    [2]
    """
    ready = [-inf] * target  # the initial stock: ready long ago
    append, queue = ready.append, target - min(max_parallel, target)
    cold: list[int] = []
    warm = 0
    for time in times:
        if ready[warm] <= time:
            free = ready[queue + warm]  # when an instance is free to replace this snapshot
            append((time if time > free else free) + fill_time)  # max() takes twice as long
            warm += 1
        else:
            cold.append(warm + len(cold))
    return cold
