"""Time in equal parts, and which states are in each: of a part, the worst one counts.

Arrays in and arrays out, so that a hundred thousand runs take no longer than a
look at them. A state is a number here, the worst one 0.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers: TypeAlias = npt.NDArray[Any]

MOST: Final = 400
"""How many parts there are at most: a screen has few pixels more to draw them with."""
_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 40_320)
_WIDTHS: Final = [pd.Timedelta(minutes, "min") for minutes in _MINUTES]
_MICROSECOND: Final = pd.Timedelta(1, "us")


class TimeBins(NamedTuple):
    """Parts of time: where the first begins, how long each is, how many there are."""

    begin: pd.Timestamp
    width: pd.Timedelta
    total: int

    def middle(self, of: int) -> pd.Timestamp:
        """Return the middle of a part."""
        return self.begin + self.width * of + self.width / 2


class Cells(NamedTuple):
    """Runs in parts of time: the first and the last part that each touches."""

    first: Numbers
    last: Numbers


def time_bins(
    begin: pd.Timestamp,
    end: pd.Timestamp,
    *,
    most: int = MOST,
    least: pd.Timedelta = _MICROSECOND,
) -> TimeBins:
    """Return parts that cover a time, with borders at round times of UTC.

    There are `most` at most, and each is as long as `least`, or longer.
    """
    asked = max((end - begin) / most, least)
    width = next((width for width in _WIDTHS if width >= asked), None)
    if width is None:
        width = _WIDTHS[-1] * -(-asked // _WIDTHS[-1])
    epoch = pd.Timestamp(0, tz="UTC")
    start = epoch + (begin - epoch) // width * width
    return TimeBins(start, width, max(1, -((start - end) // width)))


def cell_ranges(runs: pd.DataFrame, parts: TimeBins) -> Cells:
    """Return which parts runs touch; one that begins as another part does is not in the former."""
    width = parts.width // _MICROSECOND
    since, until = (
        ((runs[name] - parts.begin) // _MICROSECOND).to_numpy(dtype=np.int64)
        for name in ("shown_from", "shown_to")
    )
    first = np.clip(since // width, 0, parts.total - 1)
    return Cells(first, np.clip((until - 1) // width, first, parts.total - 1))


def worst_states(rows: Numbers, at: Cells, states: Numbers, shape: tuple[int, int]) -> Numbers:
    """Return the worst state of each row and part, counted from 1; 0 where there is none."""
    found = np.zeros(shape, dtype=np.uint8)
    width = shape[1] + 1
    for state in np.unique(states)[::-1]:
        same = states == state
        starts = rows[same] * width + at.first[same]
        ends = rows[same] * width + at.last[same] + 1
        size = shape[0] * width
        steps = np.bincount(starts, minlength=size) - np.bincount(ends, minlength=size)
        found[np.cumsum(steps).reshape(-1, width)[:, :-1] > 0] = state + 1
    return found


def count_states(images: Numbers, at: Cells, states: Numbers, shape: tuple[int, int]) -> Numbers:
    """Return how many images have which worst state in each part: a row a state.

    Runs of an image do not overlap: only where one begins or ends may there be others.
    """
    count = shape[1]
    inner = at.last - at.first > 1
    size = shape[0] * (count + 1)
    begin = states[inner] * (count + 1) + at.first[inner] + 1
    end = states[inner] * (count + 1) + at.last[inner]
    steps = np.bincount(begin, minlength=size) - np.bincount(end, minlength=size)
    within = np.cumsum(steps).reshape(-1, count + 1)[:, :-1]
    edges = np.concatenate([images * count + at.first, images * count + at.last])
    state = np.concatenate([states, states])
    in_turn = np.lexsort((state, edges))
    _, where = np.unique(edges[in_turn], return_index=True)
    chosen = in_turn[where]
    ends_in = np.bincount(state[chosen] * count + edges[chosen] % count, minlength=within.size)
    whole: Numbers = within + ends_in.reshape(within.shape)
    return whole
