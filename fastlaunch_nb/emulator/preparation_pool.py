"""The pool of an emulated image: the model of a pool, with preparation instances that hang."""

from __future__ import annotations

from typing import Any

from fastlaunch_nb.pool.fill_time import PREPARATION_LIMIT
from fastlaunch_nb.pool.model import Pool


class PreparationPool(Pool):
    """A pool whose preparation instances may hang, until EC2 gives up at its time limit.

    An instance hangs if its fill time is above the limit, or if it was to hang when it started.
    At the limit EC2 ends all preparation instances: the caller then calls :meth:`stop`.

    Parameters
    ----------
    target, max_parallel, fill_time, stock, now
        As for :class:`Pool`.
    hanging : float, default 0
        The number of instances that hang of those that start next; ``inf`` for all of them.

    Attributes
    ----------
    hanging : float
        The number that is left of them.

    Examples
    --------
    >>> pool = PreparationPool(target=5, max_parallel=6, fill_time=600, hanging=1)
    >>> pool.advance(600), pool.in_preparation
    ([600, 600, 600, 600], 1)
    >>> pool.next_due, pool.fails_next
    (1800.0, True)
    """

    def __init__(self, *arguments: Any, hanging: float = 0, **named: Any) -> None:
        self.hanging = hanging
        self._limits: list[float] = []  # when each instance that hangs reaches the limit
        super().__init__(*arguments, **named)

    @property
    def fails_next(self) -> bool:
        """True if the next instance that is due hangs, so that EC2 ends all of them."""
        return self.next_due in self._limits

    def resize(self, target: int, max_parallel: int) -> None:
        """Change the target and the limit from now on, as :meth:`Pool.resize`."""
        super().resize(target, max_parallel)
        self._limits = [limit for limit in self._limits if limit in self._due]

    def stop(self) -> None:
        """Cancel all preparations and start no more; the stock stays."""
        super().stop()
        self.hanging = 0
        self._limits.clear()

    def _start_preparation(self) -> float:
        if self.hanging <= 0 and self.fill_time <= PREPARATION_LIMIT:
            return self.fill_time
        self.hanging = max(0, self.hanging - 1)
        self._limits.append(self.now + PREPARATION_LIMIT)
        return PREPARATION_LIMIT
