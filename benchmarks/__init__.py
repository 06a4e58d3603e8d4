"""Benchmarks: each claim about speed, measured against an alternative. ``make bench`` runs them."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(work: Callable[[], object], runs: int = 2) -> float:
    """Return the shortest time of some runs."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)
