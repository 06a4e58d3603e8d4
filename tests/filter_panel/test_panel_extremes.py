"""Extreme values: no value of an image takes a panel, a chart or the findings down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.rules.evaluate import RULE_FAILED
from fastlaunch_nb.schema.columns import COLUMNS, COUNT, NUMBER, STATES, TEXT, TIME
from fastlaunch_nb.schema.joins import DTYPES, JOINED
from tests.helpers.samples import HOSTILE

TIMES = [pd.Timestamp(year=year, month=12, day=31, tz="UTC") for year in (1, 1969, 2026, 9999)]
VALUES: dict[Any, tuple[Any, ...]] = {
    TEXT: (None, "", " ", "$x$", HOSTILE),
    COUNT: (None, -(2**63), -1, 0, 1, 2**62, 2**63 - 1),
    NUMBER: (None, -1.0, 0.0, 1e308),
    TIME: (None, *TIMES),
}
LONG = "x" * 100_000
MORE = {"state": STATES, "image_id": (LONG,), "state_transition_reason": (LONG,)}
NAMES = (*(column.name for column in COLUMNS), *JOINED)


@st.composite
def draw_images(draw: st.DrawFn) -> pd.DataFrame:
    """Draw one to three images with any values in all columns, joined or not."""
    rows = draw(st.integers(1, 3))
    values = {name: (*VALUES[DTYPES[name]], *MORE.get(name, ())) for name in NAMES}
    return pd.DataFrame(
        {
            name: pd.array([draw(st.sampled_from(some)) for _ in range(rows)], dtype=DTYPES[name])
            for name, some in values.items()
        }
    )


def use_panel(images: pd.DataFrame) -> None:
    """Open all tabs of a panel, filter and sort it, render its static HTML, and close it."""
    panel = fl.panel(images)
    for tab in (*range(len(panel._tabs.children)), 0):
        panel._tabs.selected_index = tab
    for name in ("image_id", "state_transition_time", "target_resource_count"):
        panel._tabs._table._sort.value = name
    panel.filters = fl.Filters(text="x")
    panel._repr_mimebundle_()
    panel.close()


def draw_charts(images: pd.DataFrame) -> None:
    """Draw each chart of images, and embed it."""
    figures = [fl.timeline(images), fl.timeline(fl.intervals(images)), fl.capacity(images)]
    for figure in (*figures, fl.capacity(images, by="account")):
        fl.embed(figure, "html")
        fl.alt_text(figure)


def apply_rules(images: pd.DataFrame) -> None:
    """Apply all rules, none of which may fail."""
    found = fl.findings(images)
    assert found.loc[found["finding"] == RULE_FAILED, "evidence"].tolist() == []


VIEWS = [
    pytest.param(use_panel, marks=pytest.mark.deep),
    pytest.param(draw_charts, marks=pytest.mark.deep),
    apply_rules,
]


@pytest.mark.parametrize("view", VIEWS)
@given(images=draw_images())
def test_no_value_takes_a_view_down(
    view: Callable[[pd.DataFrame], None], images: pd.DataFrame
) -> None:
    """Years 1 and 9999, nulls, negative and large numbers, empty and long text are shown."""
    view(images)
    assert list(images) == list(NAMES)
