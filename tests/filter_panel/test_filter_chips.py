"""The filter chips: each shows a part of the selection, and removes it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.selection import get_keys
from tests.helpers.panel_widgets import get_boxes, make_images, read_chips


def test_filters_without_a_control_have_a_chip(images: pd.DataFrame) -> None:
    """A filter without a control stays when others change, and has a chip."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(image_id="ami-00000000000000001")
    assert read_chips(panel) == ["Image ID: ami-00000000000000001"]
    get_boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters.image_id == ("ami-00000000000000001",)
    assert panel.filtered["state"].tolist() == ["enabled-failed"]


def test_ranges_have_a_chip(images: pd.DataFrame) -> None:
    """A range has a chip, stays when the user ticks a box, and goes with its chip."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(target_resource_count=(1, None), max_parallel_launches=(None, 50))
    assert read_chips(panel) == ["Target snapshots: from 1", "Max parallel launches: up to 50"]
    get_boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters.target_resource_count == (1, None)
    assert panel.filtered["target_resource_count"].tolist() == [5, 5]
    panel._chips.children[1].click()
    assert panel.filters == fl.Filters(region="eu-west-1", max_parallel_launches=(None, 50))


def test_each_chip_removes_one_part(images: pd.DataFrame) -> None:
    """Removing all chips, one by one, removes the whole selection."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(
        state=["enabled", None], region="eu-west-1", text="ami", max_parallel_launches=(1, 9)
    )
    for count in (5, 4, 3, 2, 1):
        assert len(panel._chips.children) == count
        panel._chips.children[0].click()
    assert panel.filters == fl.Filters()


def test_a_chip_keeps_the_focus_for_the_next(images: pd.DataFrame) -> None:
    """The next chip takes the button of a removed one; after the last chip, focus moves on."""
    panel: Any = fl.panel(images, filters=fl.Filters(region=["eu-west-1", "us-east-1"], text="a"))
    focused: list[Any] = []
    buttons = panel._chips.children
    for widget in (*buttons, panel._search):
        widget.focus = partial(focused.append, widget)
    buttons[0].click()
    assert panel._chips.children == buttons[:2]
    assert read_chips(panel) == ["Region: us-east-1", "Search: a"]
    assert focused == []
    buttons[1].click()
    buttons[1].click()  # sent before the browser knew that there is no such chip any more
    assert focused == [buttons[0], buttons[0]]
    buttons[0].click()
    assert focused[-1] is panel._search
    assert panel.filters == fl.Filters()


def test_the_selection_has_a_chip(images: pd.DataFrame) -> None:
    """The chip counts the selected images, filters to them, and clears the selection."""
    rows = images.dropna(subset=["account_id", "region", "image_id"]).head(3)
    panel: Any = fl.panel(images, filters=fl.Filters(text="zebra"))
    assert panel._selection.layout.display == "none"
    panel.selected = get_keys(rows)
    assert panel._selection.layout.display is None
    assert panel._selection._filter.description == "3 selected"
    panel._selection._filter.click()
    assert set(panel.filtered["image_id"]) == set(rows["image_id"])
    panel._selection._clear.click()
    assert panel.selected == ()


def test_many_values_are_one_chip() -> None:
    """The ids of many images are one chip with their count, which removes them all."""
    images = make_images(50)
    panel = fl.panel(images)
    panel.selected = get_keys(images)
    panel._selection._filter.click()
    assert read_chips(panel) == ["Image ID: 50 values"]
    panel._chips.children[0].click()
    assert panel.filters == fl.Filters()
