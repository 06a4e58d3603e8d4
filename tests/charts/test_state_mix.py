"""The state mix: shares of the covered time, the worst groups first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from tests.charts.chart_helpers import (
    FLEET,
    LIVES,
    SCAN,
    make_coverage,
    make_intervals,
    make_lives,
    read_labels,
    read_subtitle,
)


def test_shares_are_of_the_covered_time() -> None:
    """A share is of the covered time, not of intervals; unknown time is a share of its own."""
    intervals = make_intervals(
        *[(1, "enabling", 900, 3), (1, "enabled", 3, 1), (1, "unknown", 1, None)],
        (2, "enabled", 2, None),
    )
    figure = fl.state_mix(intervals, coverage=make_coverage(4, 0), by="image")
    assert read_labels(figure)[0] == "all images"
    shares = {trace.name: list(trace.x) for trace in figure.data}
    assert shares["unknown"] == pytest.approx([100 / 6, 25, 0], abs=0.001)
    assert shares["enabled"] == pytest.approx([400 / 6, 50, 100], abs=0.001)
    assert shares["enabling"] == pytest.approx([100 / 6, 25, 0], abs=0.001)
    timeline = fl.timeline(intervals, coverage=make_coverage(4, 0))
    assert "unknown 1 · 17 %" in read_subtitle(timeline)


@given(LIVES, st.sampled_from([None, "region", "image"]))
def test_shares_add_up(lives: list[list[tuple[str, int]]], by: str | None) -> None:
    """Law: the shares of each bar are 100 % together, whatever the history is."""
    figure = fl.state_mix(make_lives(lives), coverage=make_coverage(7, 0), by=by)
    sums = np.sum([trace.x for trace in figure.data], axis=0).tolist()
    assert sums == pytest.approx([100] * len(read_labels(figure)), abs=0.1)


def test_the_worst_groups_are_on_top() -> None:
    """Below all images are the groups that failed the longest, up to a maximum."""
    assert read_labels(fl.state_mix(FLEET, by="account")) == ["all images", "b", "a"]
    figure = fl.state_mix(make_lives([[("enabled", 3600)]] * 600), by="image")
    assert len(figure.data[0].y) == 501
    assert "the worst 500 of 600 images are drawn" in fl.alt_text(figure)


def test_a_single_scan_is_mentioned() -> None:
    """The text of a single scan explains that it knows only the time since each state began."""
    images = fl.from_pages([{"ImageId": "ami-00000001"}], observed_at=SCAN)
    assert "one scan: only the time since each state began" in fl.alt_text(fl.state_mix(images))
    assert not fl.state_mix(fl.from_pages([])).data


@pytest.mark.parametrize("count", [7_000, 8_000])
def test_the_times_of_a_large_fleet_may_exceed_what_pandas_knows(count: int) -> None:
    """All images together are drawn, also beyond the 292 years of a Timedelta of pandas."""
    figure = fl.state_mix(make_lives([[("enabled", 14 * 86_400)]] * count), by="region")
    assert f"{count * 14:,} d in total" in fl.alt_text(figure)
