"""The virtual clock: the embedded EC2's only idea of time, and what is due when.

It stands still and moves when it is told to, or runs with real time, measured
by a counter that nobody can set. The wall clock is never read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from threading import RLock

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""Where a clock starts: fixed, so that everything made from it can be compared."""


class Clock:
    """A clock that does what is due on its way forward, in order, each at its own time.

    Parameters
    ----------
    now : datetime, default START
        Where it starts.
    counter : callable, default time.monotonic
        Real seconds, for when it runs.

    Attributes
    ----------
    lock : RLock
        Held while time moves: who reads several things that belong together holds it too.

    Examples
    --------
    >>> clock = Clock()
    >>> clock.at(START + timedelta(hours=1), lambda: print("an hour later:", clock.now()))
    >>> clock.advance(hours=6).isoformat()
    an hour later: 2026-01-15 13:00:00+00:00
    '2026-01-15T18:00:00+00:00'
    """

    def __init__(
        self, now: datetime = START, counter: Callable[[], float] = time.monotonic
    ) -> None:
        self.lock = RLock()
        self._counter = counter
        self._order = count()
        self.reset(now)

    def __repr__(self) -> str:
        return f"Clock({self.now().isoformat()})"

    def now(self) -> datetime:
        """Return the time it shows, in UTC; where it runs, do what has become due."""
        with self.lock:
            if self._speed and not self._is_held:
                seconds = self._speed * (self._counter() - self._counted_from)
                self._go_on(self._ran_from + timedelta(seconds=seconds))
            return self._now

    @contextmanager
    def still(self) -> Iterator[datetime]:
        """Read the clock once for all that belongs together: it stands until that is done.

        What has become due is done before. It can be moved by a call meanwhile, but
        only from within.
        """
        with self.lock:
            now = self.now()
            with self._held():
                yield now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Have something done at a time; what is due at the same time goes in this order."""
        with self.lock:
            heappush(self._due, (when, next(self._order), action))

    def advance(self, **duration: float) -> datetime:
        """Move on by a duration, named like those of :class:`datetime.timedelta`."""
        step = timedelta(**duration)
        if step < timedelta():
            raise ValueError(f"The clock was asked to go {-step} back. It only goes forward.")
        with self.lock:
            self._go_on(self.now() + step)
            self._count_from_here()
            return self._now

    def run(self, speed: float = 1.0) -> None:
        """Go with real time from now on, `speed` seconds a second; 0 stands still again."""
        if not 0 <= speed < float("inf"):
            raise ValueError(f"speed is {speed!r}. Expected seconds a second, 0 or more.")
        with self.lock:
            self.now()
            self._speed = speed
            self._count_from_here()

    def reset(self, now: datetime = START) -> None:
        """Start anew: standing still, with nothing due."""
        with self.lock:
            self._now = now
            self._speed = 0.0
            self._is_held = False  # or it would go on with real time, where it runs
            self._due: list[tuple[datetime, int, Callable[[], None]]] = []
            self._count_from_here()

    def _go_on(self, until: datetime) -> None:
        with self._held():  # what is due finds the clock at its own time
            while self._due and self._due[0][0] <= until:
                when, _, action = heappop(self._due)
                self._now = max(self._now, when)
                action()
            self._now = max(self._now, until)

    @contextmanager
    def _held(self) -> Iterator[None]:
        before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before

    def _count_from_here(self) -> None:
        self._counted_from, self._ran_from = self._counter(), self._now


CLOCK = Clock()
"""The clock of this process's embedded EC2: moto's state is one a process, and so is time."""
