"""The model of one snapshot pool: launches take from it, preparation instances refill it.

Pure: time is a number of seconds that the caller says, and nothing is random.
The embedded EC2 plays this model; `played` plays many of them at once.
"""

from __future__ import annotations

from heapq import heappop, heappush

from fastlaunch_nb.errors import InputError


class Pool:
    """Snapshots in stock and on their way, as EC2 Fast Launch keeps them for one image.

    As many preparation instances are at work as the target lacks, but never
    more than `max_parallel`; each takes `fill_time` and leaves one snapshot.

    Parameters
    ----------
    target : int
        Snapshots to keep in stock (TargetResourceCount), 0 or more.
    max_parallel : int
        Preparation instances at work at once (MaxParallelLaunches), 1 or more.
    fill_time : float
        Seconds that one of them takes, above 0; an attribute as well, for those that
        begin from then on.
    stock : int, default 0
        Snapshots that are there at the start, at most `target`.
    now : float, default 0
        When that is, in seconds.

    Attributes
    ----------
    stock, used, missed : int
        Snapshots in stock; launches so far that took one, and that found none.
    in_preparation : int
        Preparation instances at work.
    now : float
        The time up to which all of this is so, in seconds.

    Raises
    ------
    InputError
        A number is out of its range.

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
        self,
        target: int,
        max_parallel: int,
        fill_time: float,
        *,
        stock: int = 0,
        now: float = 0,
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
        """Seconds that a preparation instance takes that begins from now on."""
        return self._fill_time

    @fill_time.setter
    def fill_time(self, seconds: float) -> None:
        if not seconds > 0:
            raise InputError(f"fill_time is {seconds!r}. Expected seconds above 0.")
        self._fill_time = seconds

    @property
    def in_preparation(self) -> int:
        """How many preparation instances are at work."""
        return len(self._due)

    @property
    def next_due(self) -> float | None:
        """When the next snapshot comes in; None where none is in preparation."""
        return self._due[0] if self._due else None

    def advance(self, now: float) -> list[float]:
        """Let time pass until `now`; return when each snapshot came in that did."""
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
        """Launch an instance now: take a snapshot, and say whether there was one."""
        if not self.stock:
            self.missed += 1
            return False
        self.stock -= 1
        self.used += 1
        self._refill()
        return True

    def resize(self, target: int, max_parallel: int) -> None:
        """Ask for other numbers from now on; what is above the target is given up.

        A pool that was stopped goes on. Work in progress is given up where it no
        longer has a place, what began last before what began first.
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
        """Give up what is in preparation, and prepare nothing more; what is in stock stays."""
        self._due.clear()
        self._stopped = True

    def _refill(self) -> None:
        if self._stopped:
            return
        free = min(self.target - self.stock, self.max_parallel) - len(self._due)
        for _ in range(free):
            heappush(self._due, self.now + self._fill_time)
