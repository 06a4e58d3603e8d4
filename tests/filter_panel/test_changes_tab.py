"""The changes tab: what a history says has changed, for the filters, worst first, by kind."""

from __future__ import annotations

import asyncio
import re
from datetime import date
from threading import Event
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.tabs import TITLES
from tests.helpers.cases import some
from tests.helpers.panel_screen import KEY
from tests.helpers.panel_widgets import read_table, strip_tags

NOW = pd.Timestamp("2026-01-15T12:00Z")
DAY = pd.Timedelta(days=1)


@pytest.fixture
def panel(week: fl.History) -> Any:
    """A panel with the tab open, of the changes of seven days."""
    panel: Any = fl.panel(week.images(), history=week)
    panel._tabs.open_tab("Changes")
    return panel


def read_kinds(tab: Any) -> dict[str, int]:
    """Return the count of each kind of change, in its order."""
    found = re.findall(r"data-do='([^']+)'[^>]*>[^<]+<span[^>]*>([0-9,]+)", tab._kinds.value)
    return {kind: int(count.replace(",", "")) for kind, count in found}


def get_rows(tab: Any) -> pd.DataFrame:
    """Return the visible changes."""
    rows: pd.DataFrame = tab._table._rows[tab._table._mask]
    return rows


def test_it_has_the_changes_of_the_history(panel: Any, week: fl.History) -> None:
    """All changes are there with before and after, counted by kind, the failed ones first."""
    tab = panel._tabs._changes
    expected = week.diff(NOW - 7 * DAY, NOW)
    assert len(get_rows(tab)) == len(expected) > 10
    assert read_kinds(tab) == dict(expected["change"].value_counts())
    text = strip_tags(tab._summary.value)
    assert text.startswith("From 2026-01-08 12:00 UTC to 2026-01-15 12:00 UTC: ")
    assert "enabling-failed" in get_rows(tab).iloc[0]["after"]
    headings = re.findall(r"data-by='(\w+)'", read_table(tab._table))
    assert headings == ["change", "before", "after", "image_id", "account_id"]


def test_a_kind_can_be_chosen(panel: Any) -> None:
    """A click shows one kind, a second one all; what a browser sends else does nothing."""
    tab = panel._tabs._changes
    kinds = read_kinds(tab)
    tab._choose_kind("gone", False)
    assert len(get_rows(tab)) == kinds["gone"]
    assert read_kinds(tab) == kinds
    assert "data-do='gone' aria-pressed='true'" in tab._kinds.value
    tab._choose_kind("<img>", False)
    tab._choose_kind("gone", False)
    assert len(get_rows(tab)) == sum(kinds.values())
    panel.filters = fl.Filters(image_id="ami-00000000000000000")
    tab._choose_kind("gone", False)
    assert read_kinds(tab) == {"gone": 0}
    assert "Nothing changed for these filters." in read_table(tab._table)


def test_filters_match_before_or_after(panel: Any, week: fl.History) -> None:
    """An image that was in a state or is in it now counts, and the tab says so."""
    tab = panel._tabs._changes
    for state in some(["enabled", "enabling-failed", "disabled"]):
        filters = fl.Filters(state=state)
        panel.filters = filters
        either = pd.concat([filters.apply(week.images(at=at)) for at in (NOW - 7 * DAY, NOW)])
        keys = pd.MultiIndex.from_frame(either[KEY])
        everything = week.diff(NOW - 7 * DAY, NOW)
        expected = pd.MultiIndex.from_frame(everything[KEY]).isin(keys).sum()
        visible = 0 if tab._table._message.value else len(get_rows(tab))
        assert visible == expected, state
        assert "what they were before or are after" in tab._summary.value
    panel.filters = fl.Filters()
    assert "before or are after" not in tab._summary.value


def test_a_filter_on_a_join_is_named(week: fl.History) -> None:
    """A history has no stock: this filter is left out, and the tab names it."""
    images = week.images().assign(available_snapshots=pd.array([1] * 42, dtype="Int64"))
    panel: Any = fl.panel(images, history=week)
    panel.filters = fl.Filters(region="us-east-1", available_snapshots=(1, None))
    panel._tabs.open_tab("Changes")
    tab = panel._tabs._changes
    assert "has no values for: Snapshots in stock." in strip_tags(tab._summary.value)
    assert set(get_rows(tab)["region"]) == {"us-east-1"}


def test_the_time_can_be_chosen(panel: Any, week: fl.History) -> None:
    """Since a day, a week, a month or a day of one's own, from midnight of the panel's zone."""
    tab = panel._tabs._changes
    tab._since.value = DAY
    assert len(get_rows(tab)) == len(week.diff(NOW - DAY, NOW))
    tab._since.value = pd.Timedelta(days=30)
    assert "The history begins at the first" in tab._summary.value
    tab._since.value = pd.Timedelta(0)
    assert tab._day.layout.display is None
    panel.time_zone = "Asia/Tokyo"
    tab._day.value = date(2026, 1, 13)
    since = pd.Timestamp("2026-01-12T15:00Z")
    assert tab._changes.since == since
    assert "From 2026-01-13 00:00 JST to 2026-01-15 21:00 JST" in tab._summary.value
    before = len(get_rows(tab))
    tab._day.value = date(2026, 2, 13)
    assert "Not read: Choose a day before" in tab._summary.value
    assert len(get_rows(tab)) == before


def test_in_the_past_changes_end_then(panel: Any, week: fl.History) -> None:
    """As it was on a day, the tab has the changes until that day; back to now, all."""
    tab, at = panel._tabs._changes, NOW - 3 * DAY
    panel.go_to(at)
    assert tab._changes.until == at
    assert len(get_rows(tab)) == len(week.diff(NOW - 7 * DAY, at))
    panel.go_to()
    assert tab._changes.until == NOW


def test_a_change_selects_its_image(panel: Any) -> None:
    """A click selects the image; the row of one that is gone is deselected again."""
    tab = panel._tabs._changes
    table, keys = tab._table, panel._data.keys
    row = next(n for n, key in enumerate(table._page) if key in keys)
    table._itable.selected_rows = [row]
    assert panel.selected == (table._page[row],)
    tab._choose_kind("gone", False)
    table._itable.selected_rows = [0]
    assert table._page[0] not in panel._data.keys
    assert table._itable.selected_rows == []


def test_a_store_that_cannot_be_read_is_a_sentence(week: fl.History, waiting: Any) -> None:
    """The tab says what is wrong, escaped, and reads again when it opens again."""
    panel: Any = fl.panel(week.images(), history=waiting)
    waiting.error = fl.StoreError("No <b>folder</b>.")
    panel._tabs.open_tab("Changes")
    tab = panel._tabs._changes
    assert "Not read: No &lt;b&gt;folder&lt;/b&gt;." in tab._summary.value
    waiting.error = None
    panel.filters = fl.Filters(state="enabled")
    assert "before or are after" in tab._summary.value


def test_a_newer_choice_wins(week: fl.History, waiting: Any) -> None:
    """The tab reads in the background, and shows the last choice whatever ends last."""
    waiting.may_read["01-14"] = Event()

    async def story() -> None:
        panel: Any = fl.panel(week.images(), history=waiting)
        panel._tabs.open_tab("Changes")
        tab = panel._tabs._changes
        assert "Reading the history …" in tab._summary.value
        tab._since.value = DAY
        while "01-14" not in waiting.begun:
            await asyncio.sleep(0)
        tab._since.value = 7 * DAY
        while tab._changes is None:
            await asyncio.sleep(0)
        waiting.may_read["01-14"].set()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert tab._changes.since == NOW - 7 * DAY
        panel.close()

    asyncio.run(story())


def test_hostile_text_is_text(week: fl.History, waiting: Any) -> None:
    """Names, states and values of a store are escaped, in cells and in buttons."""
    evil = "<img src=x onerror=alert(1)>'"
    waiting.diff = lambda *_: pd.DataFrame(
        {name: pd.array([evil], dtype="string") for name in (*KEY, "image_name", "change")}
        | {"account_name": pd.array([evil], dtype="string")}
        | {"before": pd.array([evil], dtype="string"), "after": pd.array([None], dtype="string")}
    )
    panel: Any = fl.panel(week.images(), history=waiting)
    panel._tabs.selected_index = TITLES.index("Changes")
    tab = panel._tabs._changes
    for html in (read_table(tab._table), tab._kinds.value):
        assert "&lt;img" in html
        assert "<img" not in html
