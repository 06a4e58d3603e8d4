"""Undo and redo: the states before and after the present one, a burst of changes as one step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
BURST: Final = 1.5
"""Seconds from one change by a control to the next, up to which both are one step."""
MAX_STEPS: Final = 100
"""How many steps can be undone."""


class UndoHistory(Generic[T]):
    """The states that a user can return to.

    Examples
    --------
    >>> history = UndoHistory("all")
    >>> history.record("enabled")
    >>> history.undo(), history.can_undo, history.redo()
    ('all', False, 'enabled')

    Changes by the same control that follow each other quickly, as of a slider that moves, are
    one step:

    >>> history.record("3 or more", control="slider")
    >>> history.record("4 or more", control="slider")
    >>> history.undo()
    'enabled'
    """

    def __init__(self, state: T, clock: Callable[[], float] = time.monotonic) -> None:
        self._state, self._clock = state, clock
        self._past: deque[T] = deque(maxlen=MAX_STEPS)
        self._future: list[T] = []
        self._control, self._time = "", 0.0

    @property
    def can_undo(self) -> bool:
        """True if there is a state before this one."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """True if a state was undone, and nothing has changed since."""
        return bool(self._future)

    def record(self, state: T, control: str = "") -> None:
        """Record a new state, and the control that changed it, if that can change it in bursts."""
        if state == self._state:
            return
        now = self._clock()
        is_burst = bool(control) and control == self._control and now - self._time < BURST
        if not (is_burst and self._past):
            self._past.append(self._state)
        self._state, self._control, self._time = state, control, now
        self._future.clear()

    def undo(self) -> T:
        """Return to the state before this one, if any, and return it."""
        if self._past:
            self._future.append(self._state)
            self._state, self._control = self._past.pop(), ""
        return self._state

    def redo(self) -> T:
        """Return to the state that was undone last, if any, and return it."""
        if self._future:
            self._past.append(self._state)
            self._state, self._control = self._future.pop(), ""
        return self._state
