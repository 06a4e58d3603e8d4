"""The virtual clock: the embedded EC2's only idea of time. It moves when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""Where a clock starts: fixed, so that everything made from it can be compared."""


class Clock:
    """A clock that stands still until it is advanced.

    Examples
    --------
    >>> clock = Clock()
    >>> clock.advance(hours=6).isoformat()
    '2026-01-15T18:00:00+00:00'
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Clock({self.now().isoformat()})"

    def now(self) -> datetime:
        """Return the time it shows, in UTC."""
        return self._now

    def advance(self, **duration: float) -> datetime:
        """Move on by a duration, named like those of :class:`datetime.timedelta`."""
        step = timedelta(**duration)
        if step < timedelta():
            raise ValueError(f"The clock was asked to go {-step} back. It only goes forward.")
        with self._lock:
            self._now += step
            return self._now

    def reset(self, now: datetime = START) -> None:
        """Start anew."""
        with self._lock:
            self._now = now


CLOCK = Clock()
"""The clock of this process's embedded EC2: moto's state is one a process, and so is time."""
