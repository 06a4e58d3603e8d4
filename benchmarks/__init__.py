"""What is claimed to be fast, measured beside its alternatives: ``make bench``."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(work: Callable[[], object], runs: int = 2) -> float:
    """Return how long it takes, the best of some runs."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)
