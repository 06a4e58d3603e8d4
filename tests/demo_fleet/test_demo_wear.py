"""Wear: demos, panels and sweeps that have ended leave nothing behind in their process."""

from __future__ import annotations

import pytest

from tests.helpers.wear import WARM_UP, measure_growth

BLOCKS_PER_ROUND = 25  # of memory; a panel has 10,000, a demo 20,000
MEGABYTES = 8


@pytest.mark.deep
@pytest.mark.parametrize(("activity", "rounds"), [("demo", 50), ("panel", 50), ("sweep", 200)])
def test_nothing_wears_out(activity: str, rounds: int) -> None:
    """After a warm-up, memory, files, threads and widgets stay as they are."""
    growth = measure_growth(activity, rounds)
    assert growth.pop("blocks") < BLOCKS_PER_ROUND * (rounds - WARM_UP)
    assert growth.pop("megabytes") < MEGABYTES
    assert growth == dict.fromkeys(growth, 0)
    assert growth.keys() == {"files", "threads", "widgets"}
