"""Tests of the model against theory: Erlang's loss formula, and a simulation written with simpy."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import simpy

import fastlaunch_nb as fl
from fastlaunch_nb.pool.model import count_warm_launches

FILL = 1_800.0
LOADS = (1, 5, 20, 60)
"""Launches during one fill time, on average: Erlang's `a`."""


def erlang_b(servers: int, load: float) -> float:
    """Return the share of calls that random arrivals lose, by Erlang's recursion."""
    loss = 1.0
    for number in range(1, servers + 1):
        loss = load * loss / (number + load * loss)
    return loss


def smallest_target(load: float, loss: float) -> int:
    """Return the fewest servers that lose at most such a share."""
    return next(number for number in range(1, 1_000) if erlang_b(number, load) <= loss)


def draw_times(load: float, launches: int, seed: int = 0) -> list[float]:
    """Return random arrivals, so many in a fill time."""
    gaps = np.random.default_rng(seed).exponential(FILL / load, launches)
    times: list[float] = gaps.cumsum().tolist()
    return times


def simulate(times: list[float], target: int, max_parallel: int) -> int:
    """Return the number of warm launches in a simulation of processes, containers and queues."""
    environment = simpy.Environment()
    stock = simpy.Container(environment, capacity=target, init=target)
    instances = simpy.Resource(environment, capacity=max_parallel)
    warm = 0

    def prepare() -> Generator[simpy.Event, Any, None]:
        with instances.request() as instance:
            yield instance
            yield environment.timeout(FILL)
            yield stock.put(1)

    def launch() -> Generator[simpy.Event, Any, None]:
        nonlocal warm
        for time in times:
            yield environment.timeout(time - environment.now)
            if stock.level:
                yield stock.get(1)
                warm += 1
                environment.process(prepare())

    environment.process(launch())
    environment.run()
    return warm


def test_erlang_is_known() -> None:
    """The formula has the values of published tables: a = 5 and 11 servers lose 0.8 %."""
    assert erlang_b(11, 5) == pytest.approx(0.00829, abs=1e-5)
    assert erlang_b(1, 1) == 0.5
    assert [smallest_target(load, 0.01) for load in (5, 10, 5 / 3)] == [11, 18, 6]


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_with_ample_instances_the_pool_is_erlangs(load: int, factor: float) -> None:
    """The share of cold launches is Erlang's loss within half a percent, at any target."""
    launches = 200_000
    times = draw_times(load, launches)
    target = max(1, round(load * factor))
    cold = 1 - count_warm_launches(times, target, target, FILL) / launches
    assert cold == pytest.approx(erlang_b(target, load), abs=0.005)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(
    "share",
    [1.1, pytest.param(0.9, marks=pytest.mark.deep), pytest.param(2, marks=pytest.mark.deep)],
)
def test_with_few_instances_the_pool_is_the_simulation(load: int, share: float) -> None:
    """With fewer instances than the target, a simulation by simpy has the same warm launches."""
    times = draw_times(load, 4_000, seed=load)
    target, max_parallel = round(load * 1.5) + 1, max(1, round(load * share))
    warm = count_warm_launches(times, target, max_parallel, FILL)
    assert warm / 4_000 == pytest.approx(simulate(times, target, max_parallel) / 4_000, abs=0.005)


@pytest.mark.parametrize(
    ("pattern", "minutes", "target"),
    [("10 an hour daily", 30, 11), ("20 an hour daily", 30, 18), ("10 an hour daily", 10, 6)],
)
def test_random_launches_need_what_erlang_needs(pattern: str, minutes: int, target: int) -> None:
    """The smallest targets for 99 % are those of Erlang's formula."""
    size = fl.right_size(pattern, fill_time=60 * minutes, max_parallel=40)
    assert size.target_count == target


@pytest.mark.deep
@pytest.mark.parametrize("hourly", [2, 10, 20, 40, 60, 120])
@pytest.mark.parametrize("share", [0.9, 0.99])
@pytest.mark.parametrize("seed", [0, 1])
def test_right_sizes_of_random_patterns_are_near_erlangs(
    hourly: int, share: float, seed: int
) -> None:
    """Within one of Erlang's smallest target, and within 5 % above 20."""
    size = fl.right_size(
        f"{hourly} an hour",
        min_warm_share=share,
        fill_time=FILL,
        max_parallel=200,
        seed=seed,
        days=91,
    )
    expected = smallest_target(hourly / 2, 1 - share)
    assert abs(size.target_count - expected) <= max(1, 0.05 * expected)


def test_evenly_is_another_question() -> None:
    """Regular launches need five snapshots where random ones need eleven."""
    even = fl.right_size("10 an hour evenly", fill_time=FILL)
    assert (even.target_count, even.warm_share) == (5, 1)
