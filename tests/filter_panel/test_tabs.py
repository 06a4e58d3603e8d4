"""The tabs: charts and findings of the filtered images, and selecting in them."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.tabs import TITLES
from tests.helpers.panel_widgets import export

TIMELINE, CAPACITY, FINDINGS, CODE = (
    TITLES.index(title) for title in ("Timeline", "Capacity", "Findings", "Code")
)
KEY = ["account_id", "region", "image_id"]


def get_keys_of_chart(tabs: Any) -> set[Any]:
    """Return the keys of the images in the rows of the open chart."""
    return {key for keys in tabs._chart._rows.values() for key in keys}


@pytest.mark.parametrize("tab", [TIMELINE, CAPACITY])
def test_a_click_in_a_chart_selects(images: pd.DataFrame, tab: int) -> None:
    """A click selects a row's image, with a modifier one more; a second click deselects it."""
    panel = fl.panel(images)
    panel._tabs.selected_index = tab
    chart = panel._tabs._chart
    (row, keys), (other_row, other_keys) = list(chart._rows.items())[:2]

    def click(row: int, *, more: bool = False) -> None:
        chart._handle_custom_msg({"row": row, "more": more}, [])

    click(row)
    assert panel.selected == tuple(keys)
    assert len(chart.bands) == 1
    click(other_row, more=True)
    assert set(panel.selected) == {*keys, *other_keys}
    click(row)
    assert panel.selected == tuple(keys)
    click(row)
    assert panel.selected == ()
    assert chart.bands == []
    click(12345)
    assert panel.selected == ()


def test_charts_share_one_plotly(images: pd.DataFrame) -> None:
    """All panels share one plotly.js, made when a chart opens, and anew if it was closed."""
    panels = [fl.panel(images) for _ in range(2)]
    charts: Any = [panel._tabs._chart for panel in panels]
    assert [chart.library for chart in charts] == [None, None]
    for panel in panels:
        panel._tabs.selected_index = TIMELINE
    first, second = (chart.library for chart in charts)
    assert first is second
    assert "Plotly" in first.source
    first.close()
    panels[0]._tabs.selected_index = CAPACITY
    assert charts[0].library is not first


def test_a_tab_draws_the_current_filters(images: pd.DataFrame) -> None:
    """A tab shows the current filters when it opens, even if they changed under another tab."""
    panel = fl.panel(images)
    tabs = panel._tabs
    tabs.selected_index = CAPACITY
    assert len(tabs._chart._rows) == len(images)
    tabs.selected_index = CODE
    panel.filters = fl.Filters(region="eu-west-1")
    assert "eu-west-1" in tabs._code._html.value
    tabs.selected_index = TIMELINE
    assert len(tabs._chart._rows) == 3
    tabs.selected_index = FINDINGS
    expected = fl.findings(images)
    expected = expected[expected["region"] == "eu-west-1"]
    _, text = export(tabs._findings)
    exported = pd.read_csv(io.StringIO(text), dtype=str)
    texts = ["evidence", "advice", "command"]
    assert exported[texts].to_numpy().tolist() == expected[texts].to_numpy().tolist()


def test_given_intervals_and_findings_are_filtered(images: pd.DataFrame) -> None:
    """The tabs show the given intervals and findings, as far as their images match."""
    known = images.dropna(subset=KEY)
    intervals = fl.intervals(known.drop_duplicates(KEY))
    panel = fl.panel(known, intervals=intervals, findings=fl.findings(known).head(2))
    tabs = panel._tabs
    tabs.selected_index = FINDINGS
    assert tabs._findings._message.value == ""
    assert len(tabs._findings._positions) == 2
    tabs.selected_index = TIMELINE
    panel.filters = fl.Filters(region="eu-west-1")
    keys = get_keys_of_chart(tabs)
    assert keys
    assert {key[1] for key in keys} == {"eu-west-1"}
    panel.filters = fl.Filters()
    assert get_keys_of_chart(tabs) == set(intervals[KEY].itertuples(index=False))
    with pytest.raises(InputError, match="lacks"):
        fl.panel(known, intervals=known)
    with pytest.raises(InputError, match=r"fl\.findings"):
        fl.panel(known, findings=known)


def test_tabs_show_names(images: pd.DataFrame) -> None:
    """Timeline and findings show the names of images, filtered or not, given or computed."""
    known = images.dropna(subset=KEY)
    named = known.assign(image_name=[f"image-{number}" for number in range(len(known))])
    intervals = fl.intervals(known.drop_duplicates(KEY))
    panel = fl.panel(named, intervals=intervals, findings=fl.findings(known))
    panel._tabs.selected_index = TIMELINE
    for filters in (fl.Filters(), fl.Filters(region="eu-west-1")):
        panel.filters = filters
        assert "image-" in panel._tabs._chart.figure
    names = panel._tabs._data.findings["image_name"]
    assert set(names.dropna()) <= set(named["image_name"])
    assert set(names.notna()) == {True}
