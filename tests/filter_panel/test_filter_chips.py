"""The filter chips: each shows a part of the selection, and removes it."""

from __future__ import annotations

import pandas as pd

import fastlaunch_nb as fl
from tests.helpers.panel_widgets import get_boxes, read_chips


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
