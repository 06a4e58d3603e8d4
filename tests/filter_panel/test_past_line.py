"""The fleet as it was: read in the background, shown in all tabs, and left again for now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import warn
from fastlaunch_nb.filter_panel.tabs import TITLES
from tests.helpers.cases import some
from tests.helpers.panel_screen import KEY, make_fleet
from tests.helpers.panel_widgets import read_page, strip_tags

AT = pd.Timestamp("2026-01-10T12:00Z")
NOW = pd.Timestamp("2026-01-15T12:00Z")


@pytest.fixture(scope="module")
def images(week: fl.History) -> pd.DataFrame:
    """The fleet of now, with a joined stock."""
    images = week.images()
    return images.assign(available_snapshots=pd.array([3] * len(images), dtype="Int64"))


@pytest.fixture
def panel(images: pd.DataFrame, week: fl.History) -> Any:
    """A panel of the fleet of now with its history."""
    return fl.panel(images, history=week, intervals=week.intervals())


def read_line(panel: Any) -> str:
    """Return the text of the line with the time."""
    return strip_tags(panel._past._text.value)


# --- what is shown --------------------------------------------------------------------


def test_all_of_the_panel_shows_the_past(panel: Any, week: fl.History) -> None:
    """Rows, headline, summary, timeline and findings are those of then, under the same filters."""
    panel.filters = fl.Filters(state="enabled")
    panel.go_to("2026-01-10T12:00:00Z")
    then = week.images(at=AT)
    assert panel.at == AT
    assert panel.filters == fl.Filters(state="enabled")
    assert len(panel.filtered) == (then["state"] == "enabled").sum()
    assert read_line(panel) == "As it was on 2026-01-10 12:00 UTC"
    assert panel._headline.figures[-1]["value"] == "2026-01-10 12:00 UTC"
    assert panel._headline.figures[-1]["time"] is None
    assert "as it was on 2026-01-10 12:00 UTC" in repr(panel)
    assert "As it was on 2026-01-10 12:00 UTC" in panel._repr_mimebundle_()["text/html"]
    assert not (panel._data.filter_intervals(panel._index.keep({}))["start"] > AT).any()
    findings = panel._data.findings
    assert set(findings["command"].isna()) == {True}
    for tab in range(len(TITLES)):
        panel._tabs.selected_index = tab


def test_now_comes_back_as_it_was(panel: Any, images: pd.DataFrame) -> None:
    """Back to now has the same rows, headline and tables as before."""
    figures = panel._headline.figures
    panel.go_to(AT)
    panel._past._back.click()
    assert panel.at is None
    pd.testing.assert_frame_equal(panel.filtered, images)
    assert panel._headline.figures == figures
    assert read_line(panel) == "Now"
    assert "fl-is-past" not in panel._past._dom_classes


def test_new_data_return_to_now(panel: Any, images: pd.DataFrame, week: fl.History) -> None:
    """update() shows its images, and keeps the history or takes another."""
    panel.go_to(AT)
    panel.update(images.head(5))
    assert panel.at is None
    assert len(panel.filtered) == 5
    panel.go_to(AT)
    assert panel.at == AT
    with pytest.raises(fl.InputError, match=r"Expected fl\.History"):
        panel.update(images, history="week")  # the path is no history
    assert panel.at == AT
    panel.update(images, history=week)
    assert panel.at is None


def test_selected_images_stay_if_they_existed(panel: Any, week: fl.History) -> None:
    """Of the selected images those that were there stay selected."""
    old = week.images(at=AT)[KEY]
    keys = [tuple(key) for key in panel.filtered[KEY].to_numpy()]
    there = set(map(tuple, old.to_numpy()))
    panel.selected = keys
    panel.go_to(AT)
    assert list(panel.selected) == [key for key in keys if key in there]
    assert 0 < len(panel.selected) < len(keys)


def test_a_filter_on_the_stock_stays(panel: Any) -> None:
    """The stock of then is unknown: its filter stays and matches nothing, and no slider goes."""
    sliders = list(panel._sliders)
    panel.filters = fl.Filters(available_snapshots=(1, None))
    panel.go_to(AT)
    assert list(panel._sliders) == sliders
    assert len(panel.filtered) == 0
    assert panel._sliders["available_snapshots"].unknown == len(panel._data.images)
    panel.go_to()
    assert len(panel.filtered) == 42


def test_code_says_that_it_reads_now(panel: Any) -> None:
    """Code for rows of the past begins with a comment; pandas' selects them."""
    panel.go_to(AT)
    for kind, mark in {"boto3": "# ", "cli": "# ", "sql": "-- ", "fastlaunch": "# "}.items():
        first = panel.to_code(kind).partition("\n")[0]
        assert first.startswith(mark), kind
        assert "as of 2026-01-10 12" in first, kind
    assert "as of" not in panel.to_code("pandas")


def test_names_of_now_name_the_past(week: fl.History, images: pd.DataFrame) -> None:
    """A history without names shows those that the images of now have."""
    named = images.assign(image_name="name of " + images["image_id"])
    panel = fl.panel(named, history=week)
    panel.go_to(AT)
    past = panel.filtered.set_index("image_id")["image_name"]
    assert dict(past.dropna()) == {
        image_id: f"name of {image_id}" for image_id in set(past.index) & set(images["image_id"])
    }
    assert "name of ami-" in read_page(panel)


# --- the menu -------------------------------------------------------------------------


def open_menu(panel: Any) -> Any:
    """Open the menu; return the choices of the day and of the scan, and the button."""
    panel._past._menu.is_open = True
    return panel._past._menu._content.children[1].children


def test_only_scans_can_be_chosen(panel: Any) -> None:
    """The menu has the days and times of scans, in the panel's zone, and shows what is chosen."""
    day, scan, show = open_menu(panel)
    assert day.options[0][0] == "2026-01-15 (3 scans)"
    assert len(day.options) == 8
    assert [label for label, _ in scan.options] == ["12:00 UTC", "06:00 UTC", "00:00 UTC"]
    day.value = day.options[3][1]
    assert scan.label == "12:00 UTC"  # the time of day stays
    show.click()
    assert panel.at == pd.Timestamp("2026-01-12T12:00Z")
    assert not panel._past._menu.is_open
    panel.time_zone = "Asia/Tokyo"
    assert read_line(panel) == "As it was on 2026-01-12 21:00 JST"
    day, scan, _ = open_menu(panel)
    assert (day.label, scan.label) == ("2026-01-12 (4 scans)", "21:00 JST")


def test_a_time_between_scans_names_the_last_one(panel: Any) -> None:
    """For another time the line has the last scan until then, if there is one."""
    panel.go_to("2026-01-10T14:30Z")
    assert read_line(panel).endswith("2026-01-10 14:30 UTC, last scan 2026-01-10 12:00 UTC")
    panel.go_to("2026-01-01T00:00Z")
    assert read_line(panel).endswith("2026-01-01 00:00 UTC, no scan until then")


def test_without_a_history_there_is_no_past() -> None:
    """The line is empty and there is no tab of changes; update() can add a history."""
    panel: Any = fl.panel(make_fleet())
    assert panel._past.children == ()
    assert panel._tabs.titles == TITLES[:-1]
    with pytest.raises(fl.InputError, match="The panel has no history"):
        panel.go_to(AT)
    panel.go_to()
    panel.view = {"tab": "Changes"}  # of a panel that has it
    assert panel.view["tab"] == "Table"


# --- in the background ----------------------------------------------------------------


def run(story: Callable[[], Any]) -> None:
    """Run a story in an event loop."""
    asyncio.run(story())


async def wait_for(condition: Callable[[], object]) -> None:
    """Let the event loop run until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


def test_the_panel_stays_usable_while_it_reads(images: pd.DataFrame, waiting: Any) -> None:
    """Until the past is read the panel has now's rows, filters work, and Cancel ends the wait."""
    waiting.may_read["01-10"] = Event()

    async def story() -> None:
        panel: Any = fl.panel(images, history=waiting)
        panel.go_to(AT)
        await wait_for(lambda: waiting.begun)
        assert read_line(panel) == "Now · Reading the fleet of 2026-01-10 12:00 UTC …"
        assert panel._past._back.description == "Cancel"
        panel.filters = fl.Filters(state="enabled")
        assert len(panel.filtered) == (images["state"] == "enabled").sum()
        panel._past._back.click()
        assert read_line(panel) == "Now"
        waiting.may_read["01-10"].set()
        panel.go_to(AT + pd.Timedelta(days=1))
        await wait_for(lambda: panel.at is not None)
        assert panel.at == AT + pd.Timedelta(days=1)
        panel.close()

    run(story)


def test_a_newer_choice_wins(images: pd.DataFrame, waiting: Any) -> None:
    """A read that ends after a newer one changes nothing."""
    waiting.may_read["01-10"] = Event()

    async def story() -> None:
        panel: Any = fl.panel(images, history=waiting)
        panel.go_to(AT)
        await wait_for(lambda: waiting.begun)
        panel.go_to(AT + pd.Timedelta(days=2))
        await wait_for(lambda: panel.at is not None)
        before = repr(panel)
        waiting.may_read["01-10"].set()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert repr(panel) == before
        assert panel.at == AT + pd.Timedelta(days=2)
        panel.close()

    run(story)


@pytest.mark.parametrize("end", ["close", "update"])
def test_an_end_drops_the_read(images: pd.DataFrame, waiting: Any, end: str) -> None:
    """A panel that is closed, or has new data, is not changed by a read from before."""
    waiting.may_read["01-10"] = Event()

    async def story() -> None:
        panel: Any = fl.panel(images, history=waiting)
        panel.go_to(AT)
        await wait_for(lambda: waiting.begun)
        if end == "close":
            panel.close()
        else:
            panel.update(images.head(5))
        waiting.may_read["01-10"].set()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert panel.at is None
        assert len(panel._data.images) == (42 if end == "close" else 5)

    run(story)


def test_a_store_that_cannot_be_read_changes_nothing(images: pd.DataFrame, waiting: Any) -> None:
    """The line has one sentence, escaped, and the panel shows what it showed."""
    panel: Any = fl.panel(images, history=waiting)
    panel.go_to(AT)
    before = panel.filtered
    waiting.error = fl.StoreError("No <b>folder</b>.")
    panel.go_to(AT + pd.Timedelta(days=1))
    assert panel.at == AT
    assert "<b>folder" not in panel._past._text.value
    assert read_line(panel).endswith("2026-01-10 12:00 UTC · Not shown: No <b>folder</b>.")
    pd.testing.assert_frame_equal(panel.filtered, before)
    panel._past._menu.is_open = True
    text = panel._past._menu._content.children[1].value
    assert "The history could not be read: No &lt;b&gt;folder&lt;/b&gt;." in text
    panel._past._menu.is_open = False
    waiting.error = ValueError("a mistake of ours")
    with pytest.raises(ValueError, match="mistake"):
        panel.go_to(AT + pd.Timedelta(days=1))
    assert "Not shown: ValueError: a mistake of ours" in read_line(panel)
    waiting.error = None
    panel.go_to(AT + pd.Timedelta(days=1))
    assert read_line(panel) == "As it was on 2026-01-11 12:00 UTC"


def test_damaged_files_are_named(week: fl.History, images: pd.DataFrame, waiting: Any) -> None:
    """A warning of the history is part of the line, once, and no warning of Python."""

    def warn_and_read(*_: Any) -> pd.DataFrame:
        warn("A file is damaged: x.parquet.")
        return week.coverage()

    waiting.coverage = warn_and_read
    panel: Any = fl.panel(images, history=waiting)
    panel.go_to(AT)
    assert read_line(panel).endswith("2026-01-10 12:00 UTC · A file is damaged: x.parquet.")


def test_hostile_reasons_of_the_past_are_text(images: pd.DataFrame, waiting: Any) -> None:
    """Reasons and names of a history are escaped as those of now are."""
    evil = "<img src=x onerror=alert(1)>"
    read = waiting.images
    waiting.images = lambda at=None: read(at).assign(state_transition_reason=evil, image_name=evil)
    panel: Any = fl.panel(images, history=waiting)
    panel.go_to(AT)
    assert "&lt;img" in read_page(panel)
    assert [widget for widget in some([read_page(panel)]) if "<img" in widget] == []
