"""The strip above a timeline: each image counts once, and a single image is visible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import fastlaunch_nb as fl
from fastlaunch_nb.charts.markup import INVISIBLE
from fastlaunch_nb.formatting import state_rank
from tests.charts.chart_helpers import (
    LIVES,
    find_trace,
    make_coverage,
    make_intervals,
    make_lives,
    read_bins,
    read_hover_labels,
    states_between,
)
from tests.helpers.cases import costly


@costly
@given(LIVES)
def test_the_strip_counts_each_image_once(lives: list[list[tuple[str, int]]]) -> None:
    """Law: each column of the strip counts every image once, in its worst state."""
    intervals = make_lives(lives)
    trace = find_trace(fl.timeline(intervals, coverage=make_coverage(7, 0)), "all images")
    labels = read_hover_labels(trace)
    assert len(labels) > 100
    images = [of_image for _, of_image in intervals.groupby("image_id")]
    for label, (begin, end) in zip(labels, read_bins(trace, len(labels)), strict=True):
        expected: dict[int, int] = {}
        for of_image in images:
            if states := states_between(of_image, begin, end):
                worst = min(map(state_rank, states))
                expected[worst] = expected.get(worst, 0) + 1
        counts: dict[int, int] = {}
        parts = label.split("<br>")[2].replace(INVISIBLE, "")
        for part in parts.split(", ") if parts else ():
            count, state = part.split(" ", 1)
            counts[state_rank(state)] = counts.get(state_rank(state), 0) + int(count)
        assert counts == expected


def test_a_single_image_is_visible() -> None:
    """One failed image of a hundred is high enough to see, and the sum of heights stays 1."""
    intervals = make_intervals(
        *((n, "enabled", 5, None) for n in range(99)), (99, "enabled-failed", 5, None)
    )
    figure = fl.timeline(intervals, coverage=make_coverage(5, 0))
    failed, enabled = (
        next(t for t in figure.data if t.name == state and t.type == "scatter")
        for state in ("enabled-failed", "enabled")
    )
    assert min(failed.y) > 0.05
    assert np.asarray(failed.y) + np.asarray(enabled.y) == pytest.approx(1)
