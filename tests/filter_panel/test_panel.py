"""The panel: the controls show what Filters decides, and set it."""

from __future__ import annotations

import asyncio
import io
import re
from html import unescape
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.facet import MOST
from fastlaunch_nb.filter_panel.static_html import ROWS
from fastlaunch_nb.filter_panel.table import PAGES, keys_of
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.filter_panel.widget_helpers import PAUSE
from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import HOSTILE, item


def boxes(panel: Any, title: str) -> dict[str, Any]:
    """Return a facet's boxes by their label without the count."""
    facet = next(f for f in panel._facets.values() if title in f.children[0].value)
    return {label_of(box): box for box in facet._values.children}


def label_of(box: Any) -> str:
    return words(box.description).rsplit(" ", 1)[0]


def page(panel: Any) -> str:
    """Return the HTML of the page that the panel's table shows, or of what it says instead."""
    table: Any = panel._views._table
    empty: str = table._empty.value
    rows = table._itable.df
    return empty or " ".join([*rows.columns, *rows.to_numpy().ravel()])


def words(html: str) -> str:
    """Return what is read of some HTML."""
    return unescape(re.sub("<[^>]*>", "", html))


def chips(panel: Any) -> list[str]:
    return [chip.description.removesuffix(" ×") for chip in panel._chips.children]


def counts(panel: Any, title: str) -> dict[str, int]:
    return {
        label: int(re.findall(r"[(]([0-9,]+)[)]", box.description)[-1].replace(",", ""))
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
    """A part of the selection that has no control here stays, and has a chip like any other."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(image_id="ami-00000000000000001")
    assert chips(panel) == ["Image id: ami-00000000000000001"]
    boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters.image_id == ("ami-00000000000000001",)
    assert panel.filtered["state"].tolist() == ["enabled-failed"]


def test_ranges_are_kept_and_said(images: pd.DataFrame) -> None:
    """A range is in its slider and a chip, stays when a box is ticked, and goes by its chip."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(target_resource_count=(1, None), max_parallel_launches=(None, 50))
    assert chips(panel) == ["Target snapshots: from 1", "Max parallel launches: to 50"]
    boxes(panel, "Region")["eu-west-1"].value = True
    assert panel.filters.target_resource_count == (1, None)
    assert panel.filtered["target_resource_count"].tolist() == [5, 5]
    panel._chips.children[1].click()
    assert panel.filters == fl.Filters(region="eu-west-1", max_parallel_launches=(None, 50))


def test_a_slider_filters(images: pd.DataFrame) -> None:
    """Moving an end of a range keeps the rows in it; where a column is not, there is no range."""
    panel = fl.panel(images)
    assert "available_snapshots" not in panel._ranges
    panel._ranges["target_resource_count"].set_state({"low": 2.0})
    assert panel.filters.target_resource_count == (2, None)
    assert panel.filtered["target_resource_count"].tolist() == [5] * 6
    stocked = fl.panel(images.assign(available_snapshots=pd.array([3] * len(images), "Int64")))
    assert "available_snapshots" in stocked._ranges


def test_each_chip_takes_one_thing_away(images: pd.DataFrame) -> None:
    """Removing all chips, one by one, takes the whole selection away."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(
        state=["enabled", None], region="eu-west-1", text="ami", max_parallel_launches=(1, 9)
    )
    for left in (5, 4, 3, 2, 1):
        assert len(panel._chips.children) == left
        panel._chips.children[0].click()
    assert panel.filters == fl.Filters()


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
    size = PAGES[0]
    panel = fl.panel(many(2 * size + 3))
    table = panel._views._table
    seen: list[str] = []
    assert table._back.disabled
    while True:
        seen += [key[2] for key in table._page]
        if table._on.disabled:
            break
        table._on.click()
    assert seen == panel.filtered["image_id"].tolist()
    assert f"{2 * size + 1}–{2 * size + 3} of {2 * size + 3}" in table._where.value
    table._back.click()
    assert f"{size + 1}–{2 * size}" in table._where.value


def test_filtering_goes_back_to_the_first_page() -> None:
    """A new selection is shown from its first row."""
    panel = fl.panel(many(2 * PAGES[0] + 1))
    panel._views._table._on.click()
    panel.filters = fl.Filters(state="enabled")
    assert panel._views._table._where.value.startswith(f"1–{PAGES[0]}")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", ["image_id", "state_transition_time", "target_resource_count"])
def test_sorting_is_over_all_rows(images: pd.DataFrame, column: str, descending: bool) -> None:
    """Law: pages are those of pandas' own sort of all filtered rows, nulls last either way."""
    many_rows = pd.concat([images] * 4, ignore_index=True)
    panel = fl.panel(many_rows, filters=fl.Filters(region=["eu-west-1", "us-east-1"]))
    table = panel._views._table
    table._sort.value, table._descending.value = column, descending
    expected = panel.filtered.sort_values(column, ascending=not descending, kind="stable")
    _, text = table._taken(",")
    shown = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert shown["image_id"].tolist() == expected["image_id"].fillna("").tolist()
    assert table._page == keys_of(expected.head(PAGES[0]))


def test_a_heading_sorts(images: pd.DataFrame) -> None:
    """A heading sorts from the first page on, pressed again the other way; it bears a sign."""
    table: Any = fl.panel(pd.concat([images] * 4, ignore_index=True))._views._table
    table._on.click()
    for signs in ("Target ▲", "Target ▼", "Target ▲"):
        table._headings._handle_custom_msg({"by": "target_resource_count"}, [])
        assert signs in [words(heading) for heading in table._itable.df.columns]
        assert table._where.value.startswith("1–")
    table._descending.value = True
    table._headings._handle_custom_msg({"by": "state"}, [])
    assert (table._sort.value, table._descending.value) == ("state", False)
    table._headings._handle_custom_msg({"by": "of a table before"}, [])
    assert table._sort.value == "state"


def test_csv_is_all_rows_and_the_chosen_columns() -> None:
    """Copy and CSV have every filtered row, not a page, of the columns that are chosen."""
    panel: Any = fl.panel(many(40), filters=fl.Filters(state="enabled"))
    table: Any = panel._views._table
    name, text = table._taken(",")
    assert name == "fast-launch-images.csv"
    assert len(pd.read_csv(io.StringIO(text))) == len(panel.filtered) > PAGES[0]
    for box in table._boxes.children:
        box.value = box.description in ("Image", "Owner ID")
    assert table._taken("\t")[1].splitlines()[0] == "image_id\towner_id"
    assert [words(heading) for heading in table._itable.df.columns] == ["Image", "Owner ID"]


def test_rows_of_the_table_are_selected(images: pd.DataFrame) -> None:
    """Rows are selected by key: sorting, filtering and other pages leave the selection alone."""
    panel = fl.panel(images)
    heard: list[Any] = []
    panel.observe(lambda change: heard.append(change["new"]), "selected")
    table = panel._views._table
    first = table._page[0]
    table._itable.selected_rows = [0]
    assert panel.selected == (first,)
    assert heard == [(first,)]
    table._sort.value = "image_id"
    table._descending.value = True
    assert [table._page[place] for place in table._itable.selected_rows] == [first]
    panel.filters = fl.Filters(text="zebra")
    assert panel.selected == (first,)
    assert "1 selected" in panel._summary.value
    panel.filters = fl.Filters()
    table._itable.selected_rows = []
    assert panel.selected == ()


def test_selected_is_settable_and_checked(images: pd.DataFrame) -> None:
    """Keys of rows select them in every view; what is no key of a row is refused."""
    panel: Any = fl.panel(images)
    key = keys_of(images)[2]
    panel.selected = (list(key), key)
    assert list(panel.selected) == [key]
    assert panel._views._table._itable.selected_rows == [panel._views._table._page.index(key)]
    for wrong in ("ami-1", [("111122223333", "eu-west-1", "ami-none")], [3], 7):
        with pytest.raises(InputError, match="Expected keys of rows"):
            panel.selected = wrong
    assert list(panel.selected) == [key]
    panel._clear.click()
    assert panel.selected == ()


def test_update_keeps_filters_and_selection(images: pd.DataFrame) -> None:
    """Other data come under the same filters; what is selected stays as far as it is there."""
    panel = fl.panel(images, filters=fl.Filters(region="eu-west-1"))
    keys = keys_of(panel.filtered)
    panel.selected = tuple(keys)
    controls = {**panel._facets, **panel._ranges}
    panel.update(images[images["image_id"] != keys[0][2]])
    assert panel.filters == fl.Filters(region="eu-west-1")
    assert panel.selected == tuple(key for key in keys if key[2] != keys[0][2])
    assert panel._views._table._where.value.endswith(f"of {len(panel.filtered)}")
    assert controls.items() <= {**panel._facets, **panel._ranges}.items()  # as they were left
    before = repr(panel)
    with pytest.raises(InputError, match="lacks"):
        panel.update(images.drop(columns="state"))
    assert repr(panel) == before


def test_a_long_facet_is_searched() -> None:
    """Of many values those of most images are shown; a search finds others; ticked ones stay."""
    frames = [
        many(1 + (number == 7)).assign(launch_template_name=f"template-{number:02}")
        for number in range(30)
    ]
    panel = fl.panel(pd.concat(frames, ignore_index=True))
    facet = panel._facets["launch_template"]
    assert next(iter(counts(panel, "Launch template"))) == "template-07"
    assert len(facet._values.children) == MOST
    assert "22 more" in facet._more.value
    facet._find.value = "TEMPLATE-29"
    boxes(panel, "Launch template")["template-29"].value = True
    assert panel.filters == fl.Filters(launch_template="template-29")
    facet._find.value = ""
    assert next(iter(boxes(panel, "Launch template"))) == "template-29"
    assert len(facet._values.children) == MOST + 1
    assert counts(panel, "Launch template")["template-07"] == 2
    facet._find.value = "zebra"
    assert list(boxes(panel, "Launch template")) == ["template-29"]
    assert facet._more.value == "no launch template with these words"


def test_typing_is_waited_for() -> None:
    """While somebody types nothing is filtered; a moment after the last letter all is, once."""
    panel = fl.panel(many(3))
    heard: list[Any] = []
    panel.observe(lambda change: heard.append(change["new"].text), "filters")

    class Clock(asyncio.SelectorEventLoop):
        now = 0.0

        def time(self) -> float:
            return self.now

    loop = Clock()

    async def type_() -> None:
        for text in ("a", "am", "ami"):
            panel._search.value = text
            loop.now += PAUSE / 2
            await asyncio.sleep(0)
            assert heard == []
        loop.now += PAUSE
        for _ in range(3):
            await asyncio.sleep(0)

    loop.run_until_complete(type_())
    loop.close()
    assert heard == ["ami"]


def test_without_a_kernel_there_are_rows(images: pd.DataFrame) -> None:
    """The stored output has a stable text and a table of rows beside the live view."""
    panel = fl.panel(images)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == "FilterPanel: 8 of 8 images"
    rows = bundle["text/html"].split("fl-scroll'")[1]
    assert rows.count("<tr>") == 1 + len(images)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == fl.panel(images)._repr_mimebundle_()["text/html"]
    more = fl.panel(many(ROWS + 4))._repr_mimebundle_()["text/html"]
    assert "and 4 more" in more


def test_hostile_text_is_text(images: pd.DataFrame) -> None:
    """Markup in names, templates, reasons and headings is escaped in the table, live and stored."""
    panel = fl.panel(images.assign(image_name=HOSTILE, account_name=HOSTILE, **{HOSTILE: 1}))
    for box in panel._views._table._boxes.children:
        box.value = True
    panel.filters = fl.Filters(text="<img")
    shown = page(panel) + panel._summary.value
    assert "&lt;img" in shown
    stored = panel._repr_mimebundle_()["text/html"]
    assert "&lt;img" in stored
    for html in (shown, stored):
        assert "<img" not in html
        assert "</script>" not in html
    labels = [box.description for box in boxes(panel, "Account").values()]
    assert [label for label in labels if "&lt;img" in label]
    assert [label for label in labels if re.search("<(?!/?span)", label)] == []


@pytest.mark.parametrize("name", ["\u05d0\u05d1 12", "\u0627 b", "12 \u0661 3"])
def test_text_that_runs_leftwards_turns_nothing_around(images: pd.DataFrame, name: str) -> None:
    """A name with right-to-left letters or numbers stands apart from counts and other words."""
    panel = fl.panel(images.assign(launch_template_name=name, image_name=name))
    panel.filters = fl.Filters(launch_template=name, text=name)
    (label,) = boxes(panel, "Launch template")
    for shown in (label, *chips(panel), page(panel), repr(panel)):
        assert re.search(f"\u2068{name}\u2069", shown)
    assert panel.filtered["image_name"].tolist() == [name] * len(images)


@given(st.text(st.sampled_from("a1 \u05d0\u202e\u2066\u2067\u2068\u2069\n\u2029")))
def test_no_text_leaves_its_isolate(text: str) -> None:
    """Law: what runs leftwards is in an isolate, and no mark that would end it is left in there."""
    begin, end = ("\u2068", "\u2069") if "\u05d0" in text else ("", "")
    shown = single_line(text)
    assert (shown[: len(begin)], shown[len(shown) - len(end) :]) == (begin, end)
    inside = shown[len(begin) : len(shown) - len(end)]
    assert inside.isprintable()
    assert inside == " ".join(text.split()) or not text.isprintable()


def test_formulas_are_text(images: pd.DataFrame) -> None:
    """Names with dollars are no formulas: escaped where JupyterLab would typeset, else as is."""
    panel = fl.panel(images.assign(account_name=r"$x^2$ \(y\)", image_name="$x^2$"))
    assert r"\$x^2\$ \\(y\\)" in boxes(panel, "Account")
    assert "mathjax_ignore" in panel._repr_mimebundle_()["text/html"]
    assert "$x^2$" in page(panel)
    one = fl.panel(images.assign(account_name=r"US$ CORP\team"))
    assert r"US$ CORP\team" in boxes(one, "Account")


def test_names_over_ids(images: pd.DataFrame) -> None:
    """Known names of images and accounts are shown; the image's id stays beside its name."""
    accounts = images["account_id"].map({"111122223333": "build"})
    named = images.assign(image_name="base", account_name=accounts)
    panel = fl.panel(named)
    assert list(counts(panel, "Account")) == ["999988887777", "build", "(none)"]
    assert "base<br><small>ami-" in page(panel)
    panel.filters = fl.Filters(account_id="111122223333")
    assert repr(panel) == "FilterPanel: 4 of 8 images (account: build)"
    assert chips(panel) == ["Account: build"]


def test_demo_data_is_marked(images: pd.DataFrame) -> None:
    """Rows of the demo's accounts carry the mark, live and stored; others do not."""
    assert "Demo data" in fl.panel(images)._repr_mimebundle_()["text/html"]
    assert "Demo data" in fl.panel(images)._summary.value
    real = images[images["account_id"] == "999988887777"]
    assert "Demo data" not in fl.panel(real)._repr_mimebundle_()["text/html"]


def test_no_images() -> None:
    """A frame without rows makes a panel that says why, with nothing to tick or to type."""
    panel = fl.panel(empty_images())
    for shown in (page(panel), panel._repr_mimebundle_()["text/html"]):
        assert "No image to show." in shown
    assert repr(panel) == "FilterPanel: 0 of 0 images"
    table = panel._views._table
    for control in (panel._search, panel._reset, panel._side, table._tools, table._pager):
        assert control.layout.display == "none"


def test_no_image_that_matches(images: pd.DataFrame) -> None:
    """Where the filters keep nothing, that is what the panel says."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(text="zebra")
    assert "No image matches" in page(panel)
    for title in ("Timeline", "Capacity"):
        panel._views.selected_index = TITLES.index(title)
        [shown] = panel._views.children[panel._views.selected_index].children
        assert "No image matches the filters. Remove a filter" in shown.value
    panel.filters = fl.Filters()
    [_hint, chart] = panel._views.children[panel._views.selected_index].children
    assert chart.rows == len(images)


def test_one_page_has_no_pager(images: pd.DataFrame) -> None:
    """Buttons that turn pages are there only where there is more than one."""
    panel = fl.panel(many(PAGES[0] + 1))
    assert panel._views._table._pager.layout.display is None
    panel.filters = fl.Filters(image_id=item(1)["ImageId"])
    assert panel._views._table._pager.layout.display == "none"


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
