"""Intervals of one scan: the same as those of the pipeline."""

from __future__ import annotations

import fastlaunch_nb as fl
from fastlaunch_nb.state_intervals.one_scan import intervals_of_one_scan
from tests.helpers.histories import SECOND, START, assert_same
from tests.helpers.samples import item


def test_one_scan_has_the_intervals_of_the_pipeline() -> None:
    """Start, end and last sight are the same, wherever the transition lies."""
    observed_at = START + 0.25 * SECOND
    seconds_ahead = [None, -60, 0, 0.1, 0.999, 1, 5, 5.001, 6]
    times = [None if ahead is None else START + ahead * SECOND for ahead in seconds_ahead]
    items = [item(n, StateTransitionTime=time) for n, time in enumerate(times)]
    images = fl.from_pages(items, account_id="1" * 12, region="x-1", observed_at=observed_at)
    names = ["image_id", "start", "end", "last_seen", "start_exact"]
    intervals = intervals_of_one_scan(images)[names]
    assert_same(intervals, fl.intervals(images)[names])
    assert intervals["start_exact"].tolist() == [False, *[True] * 6, False, False]
