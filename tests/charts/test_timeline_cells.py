"""Timelines as cells: the worst state of each, and few words and bytes for very many segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts import style, timeline
from fastlaunch_nb.formatting import state_rank
from tests.charts.chart_helpers import (
    FLEET,
    LIVES,
    find_bars,
    find_headings,
    find_trace,
    make_coverage,
    make_lives,
    read_bins,
    read_colours,
    read_subtitle,
    states_between,
)
from tests.helpers.cases import costly


@costly
@given(LIVES, st.integers(1, 3))
def test_a_cell_has_its_worst_state(lives: list[list[tuple[str, int]]], shared: int) -> None:
    """Law: each cell has the colour of its worst state, and is transparent without a state."""
    intervals = make_lives(lives)
    most = -(-len(lives) // shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline, "MOST_BARS", 0)
        patch.setattr(timeline, "MOST_ROWS", most)
        figure = fl.timeline(intervals, coverage=make_coverage(7, 0), sort="name")
    trace = find_trace(figure, "worst state")
    colours = read_colours(trace)
    per_row = -(-len(lives) // most)
    assert len(colours) == -(-len(lives) // per_row)
    assert min(map(len, colours)) > 100
    for number, row in enumerate(colours):
        images = [f"ami-{n:017x}" for n in range(number * per_row, (number + 1) * per_row)]
        of_row = intervals[intervals["image_id"].isin(images)]
        for column, (begin, end) in enumerate(read_bins(trace, len(row))):
            states = states_between(of_row, begin, end)
            least = min(map(state_rank, states), default=None)
            worst = {style.state_style(s).cell for s in states if state_rank(s) == least}
            if worst and (number + column) % 2 and "unknown" in states:
                worst |= {style.CLEAR}
            assert row[column] in (worst or {style.CLEAR})
    assert "each cell shows its worst state" in fl.alt_text(figure)


def test_very_many_segments_are_cells() -> None:
    """Thousands of segments become cells, with a note, and a text and JSON of limited length."""
    intervals = make_lives(
        [[("enabled", 3600), ("enabling-failed", 1800), ("enabled", 7200)]] * 1200
    )
    figure = fl.timeline(intervals)
    assert not find_bars(figure)
    lines = fl.alt_text(figure).split("\n")
    assert lines[0] == "Fast Launch states until 2026-01-15 12:00 UTC"
    assert lines[2].startswith("each row is up to 3 images, each column is")
    assert lines[-1] == "- and 1,180 more"
    assert len(lines) == 25
    assert len(figure.to_json()) < 500_000
    assert len(set(figure.data[0].y)) == len(figure.data[0].y) == 400
    assert find_bars(fl.timeline(intervals.head(timeline.MOST_ROWS)))


def test_cells_explain_no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few images with very many segments have no marks, and no explanation of marks."""
    assert "▶ ongoing" in read_subtitle(fl.timeline(FLEET))
    monkeypatch.setattr(timeline, "MOST_BARS", 0)
    assert "▶" not in read_subtitle(fl.timeline(FLEET))


def test_groups_share_no_row_of_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of two groups share no row, and the rows of headings have no cells."""
    monkeypatch.setattr(timeline, "MOST_BARS", 0)
    monkeypatch.setattr(timeline, "MOST_ROWS", 3)
    figure = fl.timeline(FLEET, group="region", sort="name", coverage=make_coverage(4, 0))
    colours = read_colours(find_trace(figure, "worst state"))
    assert [heading.y for heading in find_headings(figure)] == [0, 2]
    is_empty = [set(row) == {style.CLEAR} for row in colours]
    assert is_empty == [True, False, True, False]
