"""The panel: the controls show what Filters decides, and set it."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb import frame
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.panel import PAGE

from .conftest import HOSTILE, item


def boxes(panel: Any, title: str) -> dict[str, Any]:
    """Return a facet's boxes by their label without the count."""
    facet = next(f for f in panel._facets.values() if title in f.children[0].value)
    return {box.description.rsplit(" ", 1)[0]: box for box in facet._values.children}


def counts(panel: Any, title: str) -> dict[str, int]:
    return {
        label: int(box.description.rsplit("(", 1)[1].rstrip(")"))
        for label, box in boxes(panel, title).items()
    }


def many(count: int) -> pd.DataFrame:
    return fl.from_pages([item(n) for n in range(count)], observed_at="2026-01-15T12:00:00Z")


def test_it_starts_with_everything(images: pd.DataFrame) -> None:
    """A new panel shows all rows, with a count for every value."""
    panel = fl.panel(images)
    pd.testing.assert_frame_equal(panel.filtered, images)
    assert counts(panel, "Region") == {"eu-west-1": 3, "us-east-1": 4, "(none)": 1}
    assert sum(counts(panel, "State").values()) == len(images)


def test_ticking_filters(images: pd.DataFrame) -> None:
    """Ticking a box sets filters and filtered, and the counts of the other facets."""
    panel = fl.panel(images)
    boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters == fl.Filters(region="eu-west-1")
    assert panel.filtered["region"].unique().tolist() == ["eu-west-1"]
    assert counts(panel, "State")["enabled"] == 0
    assert counts(panel, "Region")["us-east-1"] == 4
    boxes(panel, "State")["enabled-failed"].value = True
    assert len(panel.filtered) == 1
    assert "<b>1 of 8</b>" in panel._summary.value


def test_setting_filters_moves_the_controls(images: pd.DataFrame) -> None:
    """The selection is settable: boxes and search follow, observers hear of it once."""
    panel = fl.panel(images)
    heard: list[Any] = []
    panel.observe(lambda change: heard.append(change["new"]), "filters")
    wanted = fl.Filters(state=["enabled", None], text="ami")
    panel.filters = wanted
    assert heard == [wanted]
    assert panel._search.value == "ami"
    ticked = [label for label, box in boxes(panel, "State").items() if box.value]
    assert ticked == ["enabled", "(none)"]


def test_filters_without_a_control_are_kept_and_said(images: pd.DataFrame) -> None:
    """A part of the selection that has no control here stays, and is said beside the count."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(image_id="ami-00000000000000001")
    assert "image id: ami-00000000000000001" in panel._summary.value
    boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters.image_id == ("ami-00000000000000001",)
    assert panel.filtered["state"].tolist() == ["enabled-failed"]


def test_ranges_are_kept_and_said(images: pd.DataFrame) -> None:
    """A range has no control here: it stays when a box is ticked, and is said beside the count."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(target_resource_count=(1, None), max_parallel_launches=(None, 50))
    assert "target resource count: from 1" in panel._summary.value
    assert "max parallel launches: to 50" in panel._summary.value
    boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters.target_resource_count == (1, None)
    assert panel.filtered["target_resource_count"].ge(1).all()


def test_it_begins_with_what_a_parameter_says(images: pd.DataFrame) -> None:
    """A panel begins with filters that came as JSON; what are none is refused."""
    chosen = fl.Filters(state="enabled", text="ami")
    panel = fl.panel(images, filters=fl.Filters.from_json(chosen.to_json()))
    assert panel.filters == chosen
    assert panel._search.value == "ami"
    pd.testing.assert_frame_equal(panel.filtered, chosen.apply(images))
    with pytest.raises(InputError, match="filters is a dict"):
        fl.panel(images, filters={"state": ["enabled"]})  # type: ignore[arg-type]


def test_the_selection_as_code(images: pd.DataFrame) -> None:
    """The panel's code keeps the panel's rows."""
    panel = fl.panel(images, filters=fl.Filters(state="enabled"))
    names: dict[str, Any] = {"images": images}
    exec(panel.to_code("pandas"), names)  # noqa: S102  code of our own
    pd.testing.assert_frame_equal(names["chosen"], panel.filtered)
    assert "--region eu-west-1" in panel.to_code("cli")


def test_a_value_that_no_row_has_gets_a_box(images: pd.DataFrame) -> None:
    """What filters hold can always be seen and unticked."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(state="disabled")
    assert counts(panel, "State")["disabled"] == 0
    assert panel.filtered.empty
    boxes(panel, "State")["disabled"].value = False
    assert panel.filters == fl.Filters()


def test_search_and_reset(images: pd.DataFrame) -> None:
    """Typing filters at once; reset shows everything again."""
    panel = fl.panel(images)
    panel._search.value = "EU-west"
    assert len(panel.filtered) == 3
    panel._reset.click()
    assert panel.filters == fl.Filters()
    assert panel._search.value == ""
    assert len(panel.filtered) == len(images)


def test_pages_show_every_row_once() -> None:
    """Turning the pages shows each row once, and stops at both ends."""
    panel = fl.panel(many(2 * PAGE + 3))
    table = panel._table
    seen: list[str] = []
    assert table._back.disabled
    while True:
        seen += re.findall(r"ami-\w+", table._html.value)
        if table._on.disabled:
            break
        table._on.click()
    assert seen == panel.filtered["image_id"].tolist()
    assert f"{2 * PAGE + 1}–{2 * PAGE + 3} of {2 * PAGE + 3}" in table._where.value
    table._back.click()
    assert f"{PAGE + 1}–{2 * PAGE}" in table._where.value


def test_filtering_goes_back_to_the_first_page() -> None:
    """A new selection is shown from its first row."""
    panel = fl.panel(many(2 * PAGE))
    panel._table._on.click()
    panel.filters = fl.Filters(state="enabled")
    assert panel._table._where.value.startswith(f"1–{PAGE}")


def test_without_a_kernel_there_are_rows(images: pd.DataFrame) -> None:
    """The stored output has a stable text and a table of rows beside the live view."""
    panel = fl.panel(images)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == "FilterPanel: 8 of 8 images"
    assert bundle["text/html"].count("<tr>") == 1 + len(images)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == fl.panel(images)._repr_mimebundle_()["text/html"]
    more = fl.panel(many(PAGE + 4))._repr_mimebundle_()["text/html"]
    assert "and 4 more" in more


def test_hostile_text_is_text(images: pd.DataFrame) -> None:
    """Markup in names, templates and reasons is escaped in the table, live and stored."""
    panel = fl.panel(images.assign(image_name=HOSTILE, account_name=HOSTILE))
    panel.filters = fl.Filters(text="<img")
    shown = panel._table._html.value + panel._summary.value
    assert "&lt;img" in shown
    for html in (shown, panel._repr_mimebundle_()["text/html"]):
        assert "<img" not in html
        assert "</script>" not in html
    assert not any(box.description_allow_html for box in boxes(panel, "Account").values())


@pytest.mark.parametrize("name", ["\u05d0\u05d1 12", "\u0627 b", "12 \u0661 3"])
def test_text_that_runs_leftwards_turns_nothing_around(images: pd.DataFrame, name: str) -> None:
    """A name with right-to-left letters or numbers stands apart from counts and other words."""
    panel = fl.panel(images.assign(launch_template_name=name, image_name=name))
    panel.filters = fl.Filters(launch_template=name, text=name)
    (label,) = boxes(panel, "Launch template")
    for shown in (label, panel._summary.value, panel._table._html.value, repr(panel)):
        assert re.search(f"\u2068{name}\u2069", shown)
    assert panel.filtered["image_name"].eq(name).all()


@given(st.text(st.sampled_from("a1 \u05d0\u202e\u2066\u2067\u2068\u2069\n\u2029")))
def test_no_text_leaves_its_isolate(text: str) -> None:
    """Law: what runs leftwards is in an isolate, and no mark that would end it is left in there."""
    shown = frame.one_line(text)
    if "\u05d0" in text:
        assert (shown[0], shown[-1]) == ("\u2068", "\u2069")
        shown = shown[1:-1]
    assert shown.isprintable()
    if text.isprintable():
        assert shown == " ".join(text.split())


def test_formulas_are_text(images: pd.DataFrame) -> None:
    """Names with dollars are no formulas: escaped where JupyterLab would typeset, else as is."""
    panel = fl.panel(images.assign(account_name=r"$x^2$ \(y\)", image_name="$x^2$"))
    assert r"\$x^2\$ \\(y\\)" in boxes(panel, "Account")
    assert "mathjax_ignore" in panel._repr_mimebundle_()["text/html"]
    assert "$x^2$" in panel._table._html.value
    one = fl.panel(images.assign(account_name=r"US$ CORP\team"))
    assert r"US$ CORP\team" in boxes(one, "Account")


def test_names_over_ids(images: pd.DataFrame) -> None:
    """Known names of images and accounts are shown; the image's id stays beside its name."""
    accounts = images["account_id"].map({"111122223333": "build"})
    named = images.assign(image_name="base", account_name=accounts)
    panel = fl.panel(named)
    assert list(counts(panel, "Account")) == ["999988887777", "build", "(none)"]
    assert "base<br><small>ami-" in panel._table._html.value
    panel.filters = fl.Filters(account_id="111122223333")
    assert repr(panel) == "FilterPanel: 4 of 8 images (account: build)"
    assert "account: build" in panel._summary.value


def test_demo_data_is_marked(images: pd.DataFrame) -> None:
    """Rows of the demo's accounts carry the mark, live and stored; others do not."""
    assert "Demo data" in fl.panel(images)._repr_mimebundle_()["text/html"]
    assert "Demo data" in fl.panel(images)._summary.value
    real = images[images["account_id"] == "999988887777"]
    assert "Demo data" not in fl.panel(real)._repr_mimebundle_()["text/html"]


def test_no_images() -> None:
    """A frame without rows makes a panel that says why, with nothing to tick or to type."""
    panel = fl.panel(frame.empty())
    for shown in (panel._table._html.value, panel._repr_mimebundle_()["text/html"]):
        assert "No image has Fast Launch here." in shown
    assert repr(panel) == "FilterPanel: 0 of 0 images"
    assert len(panel.children) == 3


def test_no_image_that_matches(images: pd.DataFrame) -> None:
    """Where the filters keep nothing, that is what the panel says."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(text="zebra")
    assert "No image matches" in panel._table._html.value


def test_one_page_has_no_pager(images: pd.DataFrame) -> None:
    """Buttons that turn pages are there only where there is more than one."""
    panel = fl.panel(many(PAGE + 1))
    assert panel._table._pager.layout.display is None
    panel.filters = fl.Filters(image_id=item(1)["ImageId"])
    assert panel._table._pager.layout.display == "none"


def test_refused(images: pd.DataFrame) -> None:
    """Something else than a frame of images, or than Filters, is refused."""
    with pytest.raises(fl.InputError, match="Got a list"):
        fl.panel([])  # type: ignore[arg-type]
    with pytest.raises(fl.InputError, match="lacks"):
        fl.panel(images.drop(columns="state"))
    with pytest.raises(fl.InputError, match="Expected Filters"):
        fl.panel(images).filters = {"state": ["enabled"]}


def test_the_callers_frame_is_not_changed(images: pd.DataFrame) -> None:
    """The panel changes nothing in the frame, and later changes of it do not reach the panel."""
    before = images.copy()
    panel = fl.panel(images)
    pd.testing.assert_frame_equal(images, before)
    images["state"] = "unknown"
    assert panel.filtered["state"].tolist() == before["state"].tolist()
