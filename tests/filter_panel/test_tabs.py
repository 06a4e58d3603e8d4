"""The views of the panel: charts and findings of what is kept, and what is chosen in them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.sources.pages import empty_images


@pytest.mark.parametrize("tab", [1, 2])
def test_a_click_in_a_chart_selects(images: pd.DataFrame, tab: int) -> None:
    """A click selects the image of a row, with a key one more, and again takes it away."""
    panel = fl.panel(images)
    panel._views.selected_index = tab
    plot = panel._views._plot
    (one, keys), (other, more) = list(plot._rows.items())[:2]

    def click(row: int, *, with_key: bool = False) -> None:
        plot._handle_custom_msg({"row": row, "more": with_key}, [])

    click(one)
    assert panel.selected == tuple(keys)
    assert len(plot.bands) == 1
    click(other, with_key=True)
    assert set(panel.selected) == {*keys, *more}
    click(one)
    assert panel.selected == tuple(keys)
    click(one)
    assert panel.selected == ()
    assert plot.bands == []
    click(12345)
    assert panel.selected == ()


def test_charts_share_one_plotly(images: pd.DataFrame) -> None:
    """A panel brings plotly.js when a chart is opened, all the same; closed, there is another."""
    panels = [fl.panel(images) for _ in range(2)]
    plots: Any = [panel._views._plot for panel in panels]
    assert [plot.library for plot in plots] == [None, None]
    for panel in panels:
        panel._views.selected_index = 1
    first, second = (plot.library for plot in plots)
    assert first is second
    assert "Plotly" in first.source
    first.close()
    panels[0]._views.selected_index = 2
    assert plots[0].library is not first


def test_views_follow_when_they_are_looked_at(images: pd.DataFrame) -> None:
    """A tab shows what is kept now, however it was changed while another was open."""
    panel = fl.panel(images)
    views = panel._views
    views.selected_index = 2
    assert len(views._plot._rows) == len(images)
    views.selected_index = 4
    panel.filters = fl.Filters(region="eu-west-1")
    assert "eu-west-1" in views._code._shown.value
    views.selected_index = 1
    assert len(views._plot._rows) == 3
    views.selected_index = 3
    about = views._findings._rows.iloc[views._findings._shown]
    expected = fl.findings(images)
    expected = expected[expected["region"] == "eu-west-1"]
    assert about["evidence"].tolist() == expected["evidence"].tolist()


def test_given_intervals_and_findings_are_shown(images: pd.DataFrame) -> None:
    """What was given is what is shown, as far as it is about images that are kept."""
    known = images.dropna(subset=["account_id", "region", "image_id"])
    intervals = fl.intervals(known.drop_duplicates(["account_id", "region", "image_id"]))
    found = fl.findings(known)
    panel = fl.panel(known, intervals=intervals, findings=found.head(2))
    views = panel._views
    views.selected_index = 3
    assert len(views._findings._shown) == 2
    views.selected_index = 1
    panel.filters = fl.Filters(region="eu-west-1")
    keys = {key for row in views._plot._rows.values() for key in row}
    assert keys
    assert {key[1] for key in keys} == {"eu-west-1"}
    panel.filters = fl.Filters()
    keys = {key for row in views._plot._rows.values() for key in row}
    assert keys == set(intervals[["account_id", "region", "image_id"]].itertuples(index=False))
    with pytest.raises(InputError, match="lacks"):
        fl.panel(known, intervals=known)
    with pytest.raises(InputError, match=r"fl\.findings"):
        fl.panel(known, findings=known)


def test_what_takes_time_is_said(images: pd.DataFrame) -> None:
    """Until findings are there, their tab does not look as if nothing were wrong."""
    views: Any = fl.panel(images)._views
    said: list[str] = []
    views._findings._empty.observe(lambda change: said.append(change["new"]), "value")
    views.selected_index = 3
    assert "Looking for what is wrong" in said[0]
    assert said[1:] == [""]
    assert views._findings._itable.layout.display is None


def test_views_say_names(images: pd.DataFrame) -> None:
    """Timeline and findings call images as the frame does, filtered or not, whoever gave them."""
    known = images.dropna(subset=["account_id", "region", "image_id"])
    named = known.assign(image_name=[f"image-{place}" for place in range(len(known))])
    one_each = known.drop_duplicates(["account_id", "region", "image_id"])
    panel = fl.panel(named, intervals=fl.intervals(one_each), findings=fl.findings(known))
    panel._views.selected_index = 1
    for filters in (fl.Filters(), fl.Filters(region="eu-west-1")):
        panel.filters = filters
        assert "image-" in panel._views._plot.figure
        assert set(panel._views._data.findings["image_name"].dropna()) <= set(named["image_name"])
    assert set(panel._views._data.findings["image_name"].notna()) == {True}


def test_what_is_said_of_other_images_is_shown_until_it_is_filtered(images: pd.DataFrame) -> None:
    """Findings of images that are not here are left out by filters alone; so where none is."""
    known = images[images["region"] == "us-east-1"]
    found = fl.findings(images)
    for rows, keeping in ((known, fl.Filters(region="us-east-1")), (empty_images(), fl.Filters())):
        panel = fl.panel(rows, findings=found)
        panel._views.selected_index = 3
        assert len(panel._views._findings._shown) == len(found)
        panel.filters = keeping
    assert len(found) > found["region"].eq("us-east-1").sum()


def test_a_finding_about_no_image_selects_none(images: pd.DataFrame) -> None:
    """A row that is about a region selects nothing, and does not stay chosen; others do."""
    found = fl.findings(images).head(2)
    found["image_id"] = pd.array([None, found["image_id"].iloc[1]], dtype="string")
    panel = fl.panel(images, findings=found)
    panel._views.selected_index = 3
    table = panel._views._findings
    table._itable.selected_rows = [0]
    assert panel.selected == ()
    assert table._itable.selected_rows == []
    table._itable.selected_rows = [0, 1]
    assert panel.selected == (table._page[1],)
    assert table._itable.selected_rows == [1]
