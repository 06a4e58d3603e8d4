"""The virtual clock: it stands, runs, and runs scheduled actions in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fastlaunch_nb.emulator.clock import Clock


def test_time_stands_still_in_a_block() -> None:
    """A running clock stands still in a block of code, unless moved there, and then goes on."""
    seconds = 0.0
    clock = Clock(counter=lambda: seconds)
    clock.run()
    start = clock.now()
    seconds = 5
    with clock.still() as now:
        seconds = 7
        assert clock.now() == now == start + timedelta(seconds=5)
        clock.advance(seconds=1)
        seconds = 9
        assert clock.now() == start + timedelta(seconds=6)
    seconds = 10
    assert clock.now() == start + timedelta(seconds=9)


def test_the_clock_only_moves_forward() -> None:
    """A negative duration is refused, and the clock does not move."""
    clock = Clock()
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(hours=-1)
    assert clock.now() == datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def test_a_running_clock_runs_due_actions() -> None:
    """A clock at a speed of 60 moves a minute per second, and runs actions at their own time."""
    seconds = 0.0
    clock = Clock(counter=lambda: seconds)
    times: list[datetime] = []
    clock.at(clock.now() + timedelta(minutes=2), lambda: times.append(clock.now()))
    start = clock.now()
    clock.run(speed=60)
    seconds = 1.5
    assert (clock.now() - start, times) == (timedelta(seconds=90), [])
    seconds = 3
    assert clock.now() - start == timedelta(minutes=3)
    assert times == [start + timedelta(minutes=2)]
    clock.run(speed=0)
    seconds = 99
    assert clock.now() - start == timedelta(minutes=3)
    with pytest.raises(ValueError, match="speed is -1"):
        clock.run(-1)
