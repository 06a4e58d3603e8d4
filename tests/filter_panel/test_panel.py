"""The panel: its controls set the filters, and show filters that code sets."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from ipywidgets import HTML
from ipywidgets.widgets.widget import _instances

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel import static_html, widget_helpers
from fastlaunch_nb.filter_panel.chart import PlotlyLibrary
from fastlaunch_nb.filter_panel.selection import get_keys
from fastlaunch_nb.filter_panel.static_html import MAX_ROWS
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.panel_screen import make_fleet
from tests.helpers.panel_widgets import (
    get_boxes,
    make_images,
    read_chips,
    read_counts,
    read_page,
    record_messages,
)
from tests.helpers.samples import HOSTILE

# --- filters --------------------------------------------------------------------------


def test_a_new_panel_shows_everything(images: pd.DataFrame) -> None:
    """A new panel shows all rows, with a count for every value."""
    panel = fl.panel(images)
    pd.testing.assert_frame_equal(panel.filtered, images)
    assert read_counts(panel, "Region") == {"eu-west-1": 3, "us-east-1": 4, "(none)": 1}
    assert sum(read_counts(panel, "State").values()) == len(images)


def test_ticking_filters(images: pd.DataFrame) -> None:
    """Ticking a box sets filters and filtered, and the counts of the other facets."""
    panel = fl.panel(images)
    get_boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters == fl.Filters(region="eu-west-1")
    assert panel.filtered["region"].unique().tolist() == ["eu-west-1"]
    assert read_counts(panel, "State")["enabled"] == 0
    assert read_counts(panel, "Region")["us-east-1"] == 4
    get_boxes(panel, "State")["enabled-failed"].value = True
    assert len(panel.filtered) == 1
    assert "<b>1 of 8</b>" in panel._summary.value


def test_setting_filters_moves_the_controls(images: pd.DataFrame) -> None:
    """Boxes and search follow filters that code sets; observers get one notification."""
    panel = fl.panel(images)
    notifications: list[Any] = []
    panel.observe(lambda change: notifications.append(change["new"]), "filters")
    filters = fl.Filters(state=["enabled", None], text="ami")
    panel.filters = filters
    assert notifications == [filters]
    assert panel._search.value == "ami"
    ticked = [label for label, box in get_boxes(panel, "State").items() if box.value]
    assert sorted(ticked) == ["(none)", "enabled"]


def test_a_slider_filters(images: pd.DataFrame) -> None:
    """Moving an end of a range keeps the rows in it; without its column there is no slider."""
    panel = fl.panel(images)
    assert "available_snapshots" not in panel._sliders
    panel._sliders["target_resource_count"].set_state({"low": 2.0})
    assert panel.filters.target_resource_count == (2, None)
    assert panel.filtered["target_resource_count"].tolist() == [5] * 6
    stock = pd.array([3] * len(images), "Int64")
    assert "available_snapshots" in fl.panel(images.assign(available_snapshots=stock))._sliders


def test_search_and_reset(images: pd.DataFrame) -> None:
    """Typing filters at once; reset shows everything again."""
    panel = fl.panel(images)
    panel._search.value = "EU-west"
    assert len(panel.filtered) == 3
    panel._reset.click()
    assert panel.filters == fl.Filters()
    assert panel._search.value == ""
    assert len(panel.filtered) == len(images)


def test_it_begins_with_given_filters(images: pd.DataFrame) -> None:
    """A panel begins with filters from JSON, and refuses what is not Filters."""
    filters = fl.Filters(state="enabled", text="ami")
    panel = fl.panel(images, filters=fl.Filters.from_json(filters.to_json()))
    assert panel.filters == filters
    assert panel._search.value == "ami"
    pd.testing.assert_frame_equal(panel.filtered, filters.apply(images))
    with pytest.raises(InputError, match="filters is a dict"):
        fl.panel(images, filters={"state": ["enabled"]})  # type: ignore[arg-type]


def test_the_selection_as_code(images: pd.DataFrame) -> None:
    """The panel's code returns the panel's rows."""
    panel = fl.panel(images, filters=fl.Filters(state="enabled"))
    names: dict[str, Any] = {"images": images}
    exec(panel.to_code("pandas"), names)  # noqa: S102  code of our own
    pd.testing.assert_frame_equal(names["chosen"], panel.filtered)
    assert "--region eu-west-1" in panel.to_code("cli")


def test_a_panel_opens_with_few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first panel of a kernel is at most 250 messages and 0.9 MB; the next one is fewer."""
    monkeypatch.setattr(widget_helpers, "_SHARED", {})
    with record_messages() as first:
        fl.panel(make_fleet())
    with record_messages() as second:
        fl.panel(make_fleet())
    assert len(second) < len(first) <= 250
    assert sum(map(len, first)) <= 900_000


# --- selected images and new data -----------------------------------------------------


def test_selected_is_settable_and_checked(images: pd.DataFrame) -> None:
    """Setting keys selects their rows in every view; the key of no image is refused."""
    panel: Any = fl.panel(images)
    key = get_keys(images)[2]
    panel.selected = (list(key), key)
    assert list(panel.selected) == [key]
    assert panel._tabs._table._itable.selected_rows == [panel._tabs._table._page.index(key)]
    for wrong in ("ami-1", [("111122223333", "eu-west-1", "ami-none")], [3], 7):
        with pytest.raises(InputError, match="Expected keys of images"):
            panel.selected = wrong
    assert list(panel.selected) == [key]
    panel._selection._clear.click()
    assert panel.selected == ()


def test_update_keeps_filters_and_selected_images(images: pd.DataFrame) -> None:
    """New data get the same filters; images that still exist stay selected."""
    panel = fl.panel(images, filters=fl.Filters(region="eu-west-1"))
    keys = get_keys(panel.filtered)
    panel.selected = tuple(keys)
    controls = panel._controls
    panel.update(images[images["image_id"] != keys[0][2]])
    assert panel.filters == fl.Filters(region="eu-west-1")
    assert panel.selected == tuple(key for key in keys if key[2] != keys[0][2])
    assert panel._tabs._table._position.value.endswith(f"of {len(panel.filtered)}")
    assert controls.items() <= panel._controls.items()  # the same widgets
    before = repr(panel)
    with pytest.raises(InputError, match="lacks"):
        panel.update(images.drop(columns="state"))
    assert repr(panel) == before


def test_a_closed_panel_leaves_no_widget(images: pd.DataFrame) -> None:
    """close() closes all widgets: of tabs, charts and filters, hidden ones, and replaced ones."""
    PlotlyLibrary.get()  # which all panels share, as well as layouts and styles
    fl.panel(images.assign(owner_id="1"))
    before = set(_instances)
    panel = fl.panel(images)
    for tab in range(len(panel._tabs.children)):
        panel._tabs.selected_index = tab
    panel.filters = fl.Filters(state="enabled", text="ami")
    panel.filters = fl.Filters()
    panel.update(images.assign(owner_id="1"))
    panel.close()
    assert set(_instances) == before
    panel.close()  # again has no effect


def test_wrong_input_is_refused(images: pd.DataFrame) -> None:
    """A panel refuses anything but a DataFrame of images, and anything but Filters."""
    with pytest.raises(fl.InputError, match="Got a list"):
        fl.panel([])  # type: ignore[arg-type]
    with pytest.raises(fl.InputError, match="lacks"):
        fl.panel(images.drop(columns="state"))
    with pytest.raises(fl.InputError, match="Expected Filters"):
        fl.panel(images).filters = {"state": ["enabled"]}


def test_panel_and_caller_share_no_data(images: pd.DataFrame) -> None:
    """The panel does not change the caller's DataFrame, nor see later changes of it."""
    before = images.copy()
    panel = fl.panel(images)
    pd.testing.assert_frame_equal(images, before)
    images["state"] = "unknown"
    assert panel.filtered["state"].tolist() == before["state"].tolist()


# --- text -----------------------------------------------------------------------------


def test_without_a_kernel_there_are_rows(images: pd.DataFrame) -> None:
    """The stored output has a stable text and a table of rows besides the live view."""
    panel = fl.panel(images)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == "FilterPanel: 8 of 8 images"
    rows = bundle["text/html"].split("fl-scroll'")[1]
    assert rows.count("<tr>") == 1 + len(images)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == fl.panel(images)._repr_mimebundle_()["text/html"]
    more = fl.panel(make_images(MAX_ROWS + 4))._repr_mimebundle_()["text/html"]
    assert "and 4 more" in more


def test_the_static_form_is_an_output_of_its_own(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A displayed panel has two outputs: its live view, and the static form, which it hides."""
    outputs: list[dict[str, str]] = []
    monkeypatch.setattr(static_html, "display", lambda data, **_: outputs.append(data))
    panel = fl.panel(images)
    panel._ipython_display_()
    live, static = outputs
    assert list(live) == ["application/vnd.jupyter.widget-view+json"]
    assert static["text/plain"] == "FilterPanel: 8 of 8 images"
    assert panel._repr_mimebundle_()["text/html"] in static["text/html"]
    assert "To use it, run the cell" in static["text/html"]
    (name,) = re.findall(r"has\(\.([\w-]+)\)", static["text/html"])[:1]
    assert name in panel._dom_classes


def test_hostile_text_is_text(images: pd.DataFrame) -> None:
    """Markup in names, templates, reasons and headings is escaped, live and static."""
    panel = fl.panel(images.assign(image_name=HOSTILE, account_name=HOSTILE, **{HOSTILE: 1}))
    panel._tabs._table.columns = tuple(panel._tabs._table._all_columns)
    panel.filters = fl.Filters(text="<img")
    live = read_page(panel) + panel._summary.value
    assert "&lt;img" in live
    static = panel._repr_mimebundle_()["text/html"]
    assert "&lt;img" in static
    for html in (live, static):
        assert "<img" not in html
        assert "</script>" not in html
    labels = [box.description for box in get_boxes(panel, "Account").values()]
    assert [label for label in labels if "&lt;img" in label]
    assert [label for label in labels if re.search("<(?!/?span)", label)] == []


@pytest.mark.parametrize("name", ["\u05d0\u05d1 12", "\u0627 b", "12 \u0661 3"])
def test_right_to_left_text_is_isolated(images: pd.DataFrame, name: str) -> None:
    """A name with right-to-left letters or numbers does not reorder counts or other text."""
    panel = fl.panel(images.assign(launch_template_name=name, image_name=name))
    panel.filters = fl.Filters(launch_template=name, text=name)
    (label,) = get_boxes(panel, "Launch template")
    for text in (label, *read_chips(panel), read_page(panel), repr(panel)):
        assert re.search(f"\u2068{name}\u2069", text)
    assert panel.filtered["image_name"].tolist() == [name] * len(images)


def test_formulas_are_text(images: pd.DataFrame) -> None:
    """Names with dollars are unchanged, and marked as no formulas for JupyterLab."""
    panel = fl.panel(images.assign(account_name=FORMULAS, image_name="$x^2$"))
    box = get_boxes(panel, "Account")[FORMULAS]
    assert box.description.startswith("<span class='tex2jax_ignore mathjax_ignore'>$x$")
    assert "mathjax_ignore" in panel._repr_mimebundle_()["text/html"]
    assert "$x^2$" in read_page(panel)
    panel = fl.panel(images.assign(account_name=r"US$ CORP\team"))
    assert r"US$ CORP\team" in get_boxes(panel, "Account")


def test_no_widget_shows_a_formula(images: pd.DataFrame) -> None:
    r"""Each HTML widget with text from AWS makes MathJax leave $x$ and \(y\) alone."""
    before, known = set(_instances), images.dropna(subset=["account_id"])
    panel = fl.panel(known.assign(region=FORMULAS, image_name=FORMULAS, account_name=FORMULAS))
    for tab in range(len(panel._tabs.children)):
        panel._tabs.selected_index = tab
    html = [
        widget.value
        for model, widget in _instances.items()
        if model not in before and isinstance(widget, HTML) and "$x$" in widget.value
    ]
    assert len(html) == 3  # an advice, a table of findings, and code with such a region
    assert [text for text in html if "mathjax_ignore" not in text] == []


FORMULAS = r"$x$ \(y^2\)"


def test_names_replace_ids(images: pd.DataFrame) -> None:
    """The panel shows known names of images and accounts; the image's id stays below its name."""
    accounts = images["account_id"].map({"111122223333": "build"})
    panel = fl.panel(images.assign(image_name="base", account_name=accounts))
    assert list(read_counts(panel, "Account")) == ["999988887777", "build", "(none)"]
    assert "base<br><small>ami-" in read_page(panel)
    panel.filters = fl.Filters(account_id="111122223333")
    assert repr(panel) == "FilterPanel: 4 of 8 images (account: build)"
    assert read_chips(panel) == ["Account: build"]


def test_demo_data_is_marked(images: pd.DataFrame) -> None:
    """Rows of the demo's accounts carry the mark, live and static; others do not."""
    assert "Demo data" in fl.panel(images)._repr_mimebundle_()["text/html"]
    assert "Demo data" in fl.panel(images)._summary.value
    real = images[images["account_id"] == "999988887777"]
    assert "Demo data" not in fl.panel(real)._repr_mimebundle_()["text/html"]


def test_no_images() -> None:
    """Without rows the panel shows why, and hides all controls."""
    panel = fl.panel(empty_images())
    for html in (read_page(panel), panel._repr_mimebundle_()["text/html"]):
        assert "No image to show." in html
    assert repr(panel) == "FilterPanel: 0 of 0 images"
    table = panel._tabs._table
    for control in (panel._search, panel._reset, panel._side, table._tools, table._pager):
        assert control.layout.display == "none"


def test_no_image_that_matches(images: pd.DataFrame) -> None:
    """Where no image matches the filters, each tab shows this."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(text="zebra")
    assert "No image matches" in read_page(panel)
    for title in ("Timeline", "Capacity"):
        panel._tabs.selected_index = TITLES.index(title)
        [message] = panel._tabs.children[panel._tabs.selected_index].children
        assert "No image matches the filters. Remove a filter" in message.value
    panel.filters = fl.Filters()
    [_hint, chart] = panel._tabs.children[panel._tabs.selected_index].children
    assert chart.rows == len(images)
