"""Benchmarks: each claim about speed, measured against an alternative. ``make bench`` runs them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object], runs: int = 2) -> float:
    """Return the shortest time of some runs."""
    return _measure(time.perf_counter, work, runs)


def cpu_seconds(work: Callable[[], object], runs: int = 1) -> float:
    """Return the least CPU time of some runs."""
    return _measure(time.process_time, work, runs)


def _measure(clock: Callable[[], float], work: Callable[[], object], runs: int) -> float:
    took = []
    for _ in range(runs):
        began = clock()
        work()
        took.append(clock() - began)
    return min(took)


def growth_exponent(costs: Mapping[int, float]) -> float:
    """Return the exponent by which a cost grows, from the least to the largest size."""
    least, largest = min(costs), max(costs)
    return math.log(costs[largest] / costs[least]) / math.log(largest / least)
