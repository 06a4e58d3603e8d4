"""The capacity chart of targets only: known numbers are bars, unknown ones are notes."""

from __future__ import annotations

import pandas as pd

import fastlaunch_nb as fl


def test_known_targets_are_bars_and_unknown_ones_notes(images: pd.DataFrame) -> None:
    """A known target has a bar; an unknown one has a note in its row instead."""
    figure = fl.capacity(images)
    target, parallel = figure.data
    assert list(target.x) == [5] * 6
    assert list(parallel.x) == [6] * 6
    notes = [note for note in figure.layout.annotations if "target unknown" in note.text]
    assert len(notes) == 2
    assert not {note.y for note in notes} & set(target.y)
    assert figure.layout.title.text == "Target: 30 snapshots for 6 images, stock unknown"
    assert "8 images · target unknown for 2" in figure.layout.title.subtitle.text


def test_unknown_numbers_are_not_drawn_as_0() -> None:
    """A figure without any known number has no bar and no mark."""
    figure = fl.capacity(fl.from_pages([{"ImageId": "ami-00000001"}]))
    assert [list(trace.x) for trace in figure.data] == [[], []]
    assert figure.layout.title.text == "Target unknown for 1 image"
