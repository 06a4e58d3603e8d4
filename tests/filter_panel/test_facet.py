"""The facets: a checkbox for each value, and a search where there are many."""

from __future__ import annotations

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.facet import MAX_VALUES
from fastlaunch_nb.formatting import state_rank
from tests.helpers.panel_widgets import get_boxes, make_images, read_counts


def test_a_value_that_no_row_has_gets_a_box(images: pd.DataFrame) -> None:
    """The user can see and untick each value of the filters."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(state="disabled")
    assert read_counts(panel, "State")["disabled"] == 0
    assert panel.filtered.empty
    get_boxes(panel, "State")["disabled"].value = False
    assert panel.filters == fl.Filters()


def test_a_state_has_its_colour(images: pd.DataFrame) -> None:
    """The box of a state has the border that charts draw it with; other values have none."""
    panel = fl.panel(images)
    states, regions = get_boxes(panel, "State"), get_boxes(panel, "Region")
    assert states["enabled"].layout.border_left == "4px solid #009e73"
    assert states["some-new-state"].layout.border_left == "4px solid transparent"
    assert regions["eu-west-1"].layout.border_left == "4px solid transparent"


def test_a_long_facet_has_a_search() -> None:
    """A facet shows the values with the most rows; a search finds others; ticked ones stay."""
    templates = [
        make_images(1 + (number == 7)).assign(launch_template_name=f"template-{number:02}")
        for number in range(30)
    ]
    panel = fl.panel(pd.concat(templates, ignore_index=True))
    facet = panel._facets["launch_template"]
    assert next(iter(read_counts(panel, "Launch template"))) == "template-07"
    assert len(facet._values.children) == MAX_VALUES
    assert facet._more.value == "and 22 more; search to find them"
    facet._search.value = "TEMPLATE-29"
    get_boxes(panel, "Launch template")["template-29"].value = True
    assert panel.filters == fl.Filters(launch_template="template-29")
    facet._search.value = ""
    assert next(iter(get_boxes(panel, "Launch template"))) == "template-29"
    assert len(facet._values.children) == MAX_VALUES + 1
    assert read_counts(panel, "Launch template")["template-07"] == 2
    facet._search.value = "zebra"
    assert list(get_boxes(panel, "Launch template")) == ["template-29"]
    assert facet._more.value == "no launch template matches the search"


def test_the_worst_state_is_first(images: pd.DataFrame) -> None:
    """The facet of states begins with the worst, as the table does."""
    states = list(get_boxes(fl.panel(images), "State"))
    ranks = [state_rank(state) for state in states]
    assert len(ranks) > 3
    assert ranks == sorted(ranks)


def test_a_ticked_value_stays_where_it_is() -> None:
    """In a long facet, too, no box moves when the user ticks one."""
    panel = fl.panel(pd.concat([make_images(1).assign(region=f"region-{n:02}") for n in range(30)]))
    before = list(get_boxes(panel, "Region"))
    get_boxes(panel, "Region")[before[5]].value = True
    assert list(get_boxes(panel, "Region")) == before
