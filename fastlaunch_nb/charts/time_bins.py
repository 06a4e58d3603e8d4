"""Time bins of equal width, and the states in each; the worst state of an image counts.

All functions work on whole arrays, to stay fast for 100,000 segments.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from fastlaunch_nb.charts.time_window import TimeWindow
from fastlaunch_nb.validation import EPOCH

Numbers: TypeAlias = npt.NDArray[Any]

_MOST: Final = 400  # bins: a screen has few more pixels for them
_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 40_320)
_WIDTHS: Final = [pd.Timedelta(minutes, "min") for minutes in _MINUTES]
_MICROSECOND: Final = pd.Timedelta(1, "us")


class TimeBins(NamedTuple):
    """Bins of time: the begin of the first, their width, and their number."""

    begin: pd.Timestamp
    width: pd.Timedelta
    total: int


def time_bins(
    begin: pd.Timestamp, end: pd.Timestamp, *, most: int = _MOST, least: pd.Timedelta = _MICROSECOND
) -> TimeBins:
    """Divide a time into bins with borders at round times in UTC.

    There are at most `most` bins, and each is at least `least` wide.
    """
    minimum = max((end - begin) / most, least)
    width = next((width for width in _WIDTHS if width >= minimum), None)
    if width is None:
        width = _WIDTHS[-1] * -(-minimum // _WIDTHS[-1])
    start = EPOCH + (begin - EPOCH) // width * width
    return TimeBins(start, width, max(1, -((start - end) // width)))


def find_worst_states(window: TimeWindow, bins: TimeBins, rows: Numbers, row_count: int) -> Numbers:
    """Find the worst state in each row and bin, counted from 1; 0 if there is none.

    `rows` has the row of each segment of the window.
    """
    worst = np.zeros((row_count, bins.total), dtype=np.uint8)
    first, last = _find_bin_ranges(window, bins)
    states = window.state_numbers
    for state in np.unique(states)[::-1]:
        mask = states == state
        counts = _count_ranges(rows[mask], first[mask], last[mask] + 1, worst.shape)
        worst[counts > 0] = state + 1
    return worst


def count_states(window: TimeWindow, bins: TimeBins) -> Numbers:
    """Count the images by worst state in each bin: a row for each state.

    Segments of an image do not overlap, so a bin can have several of them only where one
    begins or ends. All other bins are inner bins, and are counted without a comparison.
    """
    shape = (len(window.states), bins.total)
    first, last = _find_bin_ranges(window, bins)
    images, states = window.segments["image"].to_numpy(), window.state_numbers
    inner = last - first > 1
    inner_counts = _count_ranges(states[inner], first[inner] + 1, last[inner], shape)

    edges = np.concatenate([images * bins.total + first, images * bins.total + last])
    edge_states = np.concatenate([states, states])
    order = np.lexsort((edge_states, edges))
    worst = order[np.unique(edges[order], return_index=True)[1]]
    cells = edge_states[worst] * bins.total + edges[worst] % bins.total
    return inner_counts + np.bincount(cells, minlength=inner_counts.size).reshape(shape)


def _count_ranges(rows: Numbers, first: Numbers, end: Numbers, shape: tuple[int, ...]) -> Numbers:
    """Count the ranges that cover each bin of each row: from bin `first` to before `end`."""
    width = shape[1] + 1
    size = shape[0] * width
    changes = np.bincount(rows * width + first, minlength=size)
    changes -= np.bincount(rows * width + end, minlength=size)
    return np.cumsum(changes).reshape(-1, width)[:, :-1]


def _find_bin_ranges(window: TimeWindow, bins: TimeBins) -> tuple[Numbers, Numbers]:
    """Find the first and last bin of each segment; one that ends as a bin begins is not in it."""
    width = bins.width // _MICROSECOND
    start, end = (
        ((window.segments[name] - bins.begin) // _MICROSECOND).to_numpy(dtype=np.int64)
        for name in ("visible_start", "visible_end")
    )
    first = np.clip(start // width, 0, bins.total - 1)
    return first, np.clip((end - 1) // width, first, bins.total - 1)
