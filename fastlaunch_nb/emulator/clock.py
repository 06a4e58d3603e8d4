"""The virtual clock: the emulator's only source of time, and the queue of scheduled actions.

It stands still until a call moves it, or runs with real time as a monotonic counter
measures it. It never reads the wall clock.
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
"""The time at which a clock starts: fixed, so that results can be compared between runs."""


class Clock:
    """A clock that runs scheduled actions as it moves forward, in order, each at its own time.

    Parameters
    ----------
    now : datetime, default START
        The time at which it starts.
    counter : callable, default time.monotonic
        Returns real seconds, for a clock that runs.

    Attributes
    ----------
    lock : RLock
        Locked while time moves. Lock it to read several values at the same time.

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
        """Return the current time in UTC; if the clock runs, first run the actions now due."""
        with self.lock:
            if self._speed and not self._is_frozen:
                seconds = self._speed * (self._counter() - self._counter_start)
                self._move_to(self._time_at_start + timedelta(seconds=seconds))
            return self._now

    @contextmanager
    def still(self) -> Iterator[datetime]:
        """Stop the clock for a block of code, so that all of it happens at one time.

        Actions that are due run first. Only calls from within the block can move the clock.
        """
        with self.lock:
            now = self.now()
            with self._freeze():
                yield now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Schedule an action; actions with the same time run in the order of these calls."""
        with self.lock:
            heappush(self._scheduled, (when, next(self._order), action))

    def advance(self, **duration: float) -> datetime:
        """Move forward by a duration, in the units of :class:`datetime.timedelta`."""
        step = timedelta(**duration)
        if step < timedelta():
            raise ValueError(f"The clock cannot move back by {-step}. It only moves forward.")
        with self.lock:
            self._move_to(self.now() + step)
            self._restart_counter()
            return self._now

    def run(self, speed: float = 1.0) -> None:
        """Run with real time from now on, at `speed` seconds per second; 0 stops the clock."""
        if not 0 <= speed < float("inf"):
            raise ValueError(f"speed is {speed!r}. Expected seconds per second, 0 or more.")
        with self.lock:
            self.now()
            self._speed = speed
            self._restart_counter()

    def reset(self, now: datetime = START) -> None:
        """Set the time, stop the clock, and drop all scheduled actions."""
        with self.lock:
            self._now = now
            self._speed = 0.0
            self._is_frozen = False
            self._scheduled: list[tuple[datetime, int, Callable[[], None]]] = []
            self._restart_counter()

    def _move_to(self, until: datetime) -> None:
        with self._freeze():  # so that each action runs at its own time, even if the clock runs
            while self._scheduled and self._scheduled[0][0] <= until:
                when, _, action = heappop(self._scheduled)
                self._now = max(self._now, when)
                action()
            self._now = max(self._now, until)

    @contextmanager
    def _freeze(self) -> Iterator[None]:
        was_frozen, self._is_frozen = self._is_frozen, True
        try:
            yield
        finally:
            self._is_frozen = was_frozen

    def _restart_counter(self) -> None:
        self._counter_start, self._time_at_start = self._counter(), self._now


def to_milliseconds(time: datetime) -> datetime:
    """Round a time down to milliseconds, the resolution of EC2's answers."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


CLOCK = Clock()
"""The clock of the emulator: one per process, like moto's state."""
