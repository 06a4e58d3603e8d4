"""Benchmarks: each claim about speed, measured against an alternative. ``make bench`` runs them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object], runs: int = 2) -> float:
    """Return the shortest time of some runs."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of one run."""
    began = time.process_time()
    work()
    return time.process_time() - began


def growth(costs: Mapping[int, float]) -> float:
    """Return the exponent by which a cost grows, from the least to the largest size."""
    least, largest = min(costs), max(costs)
    return math.log(costs[largest] / costs[least]) / math.log(largest / least)
