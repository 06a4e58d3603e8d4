"""The headline: its figures, their clicks, and what it says where something is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.headline import Headline
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import STATUSES
from tests.helpers.cases import some
from tests.helpers.control_page import ControlPage
from tests.helpers.samples import HOSTILE, item
from tests.helpers.selections import IMAGES, selections

STATES = ("enabled", "enabling", "enabling-failed", "disabling", "disabling-failed", "new")


def make_images(states: tuple[str, ...] = STATES, **columns: Any) -> pd.DataFrame:
    """Return an image in each state, of an account that is not the demo's."""
    items = [item(number, state) for number, state in enumerate(states)]
    account = {"account_id": "999988887777", "region": "us-east-1"}
    images = fl.from_pages(items, **account, observed_at="2026-01-15T12:00:00Z")
    return images.assign(owner_id=None, **columns).astype({"owner_id": "string"})


def read_figures(images: pd.DataFrame, coverage: pd.DataFrame | None = None) -> dict[str, Any]:
    """Return the figures of a headline by their names."""
    headline = Headline(lambda _: None)
    headline.set_data(images, FacetIndex(images), coverage)
    return {figure["name"]: figure for figure in headline.figures}


def click(panel: Any, name: object) -> None:
    """Click a figure, as the browser reports it."""
    panel._headline._handle_custom_msg({"name": name}, [])


# --- figures of images ----------------------------------------------------------------


def test_states_are_counted() -> None:
    """Images that fail, change and are fine are counted; a new state is a figure of its own."""
    figures = read_figures(make_images())
    counts = {name: figures[name]["value"] for name in ("fail", "under-way", "fine", "other")}
    assert counts == {"fail": "2", "under-way": "2", "fine": "1", "other": "1"}
    assert "other" not in read_figures(make_images(STATES[:5]))
    assert "1 enabling-failed, 1 disabling-failed" in figures["fail"]["tip"]
    for name in some(counts):
        assert "Of all images here, whatever the filters." in figures[name]["tip"]


@given(filters=selections(), name=st.sampled_from(["fail", "under-way", "fine", "short", "other"]))
def test_a_click_shows_as_many_images_as_the_figure_says(filters: fl.Filters, name: str) -> None:
    """Law: alone, a click keeps the figure's number of images; a second one clears it again.

    It leaves all other filters as they are.
    """
    panel = fl.panel(IMAGES)
    values = {figure["name"]: figure["value"] for figure in panel._headline.figures}
    click(panel, name)
    assert len(panel.filtered) == int(values.get(name, len(IMAGES)))
    assert panel._headline.pressed == [name][: name in values]
    panel.filters = filters
    was_pressed = name in panel._headline.pressed
    click(panel, name)
    assert (name in panel._headline.pressed) == (name in values and not was_pressed)
    none: dict[str, Any] = {"missing_snapshots": None} if name == "short" else {"state": ()}
    assert replace(panel.filters, **none) == replace(filters, **none)


@pytest.mark.parametrize("name", ["cost", "read", "no such", None, 5, ["fail"], {"a": 1}])
def test_other_messages_change_nothing(name: object) -> None:
    """What is no figure of images, or no message of ours, filters nothing."""
    panel = fl.panel(make_images())
    click(panel, name)
    panel._headline._handle_custom_msg("fail", [])
    panel._headline._handle_custom_msg(None, [])
    assert panel.filters == fl.Filters()


def test_a_stock_that_is_not_known_is_no_number() -> None:
    """Without any stock the figure says so and is no button; of some, it counts the others."""
    figure = read_figures(make_images())["short"]
    assert (figure["value"], figure["label"], figure["kind"]) == ("–", "stock not known", "text")
    stock = pd.array([0, None, 5, 0, 0, 0], dtype="Int64")
    figure = read_figures(make_images(available_snapshots=stock))["short"]
    assert (figure["value"], figure["label"]) == ("2", "short, 1 not known")
    assert figure["kind"] == "button"


def test_a_cost_is_a_range() -> None:
    """The cost is the sum of both ends where both and the stock are known; else it is unknown."""
    assert read_figures(make_images())["cost"]["label"] == "cost not known"
    money: dict[str, Any] = {
        "available_snapshots": pd.array([5, 5, 5, 5, None, 5], dtype="Int64"),
        "snapshots": pd.array([5, 5, 0, 5, 5, 5], dtype="Int64"),  # EC2 does not list the third's
        "monthly_usd_low": pd.array([1000.0, 2, 4, 8, 16, 32], dtype="Float64"),
        "monthly_usd_high": pd.array([2000.0, 4, 8, None, 32, 64], dtype="Float64"),
    }
    figure = read_figures(make_images(**money))["cost"]
    assert figure["value"] == "USD 1,034–2,068"
    assert figure["label"] == "a month, 3 of 6 images"
    assert "estimate" in figure["tip"]
    few = make_images(("enabled",)).assign(**{name: values[1:2] for name, values in money.items()})
    assert read_figures(few)["cost"]["value"] == "USD 2.00–4.00"


# --- age and completeness -------------------------------------------------------------


def test_the_age_is_that_of_the_newest_read() -> None:
    """The page gets the time of the newest read, to show its age; the tip names it exactly."""
    images = make_images()
    later = pd.to_timedelta(pd.Series([5, 0, 0, 0, 0, 0]), "min")
    images["observed_at"] = images["observed_at"] + later
    figure = read_figures(images)["read"]
    assert figure["time"] == pd.Timestamp("2026-01-15T12:05:00Z").timestamp() * 1000
    assert "from 2026-01-15 12:00:00 UTC to 2026-01-15 12:05:00 UTC" in figure["tip"]
    assert "How complete the data is, is not known" in figure["tip"]


def test_demo_data_has_a_clock_of_its_own() -> None:
    """Data of the demo's virtual clock has a time instead of an age."""
    figure = read_figures(make_images().assign(account_id="123456789012"))["read"]
    assert (figure["time"], figure["value"]) == (None, "2026-01-15 12:00 UTC")


def test_unknown_times_have_no_age() -> None:
    """Without any time there is no age."""
    images = make_images()
    images["observed_at"] = images["observed_at"].mask(images["state"].notna())
    assert read_figures(images)["read"]["value"] == "–"


def make_scans(*scans: tuple[str | None, str | None, str], scope: str = "") -> pd.DataFrame:
    """Return a coverage with these accounts, regions and statuses, in the order of time."""
    time = pd.Timestamp("2026-01-15T12:00:00Z")
    rows = [
        {
            "account_id": account,
            "account_name": "name",
            "region": region,
            "scope": scope,
            "status": status,
            "pages": 1,
            "observed_at": time + pd.Timedelta(minutes=minute),
        }
        for minute, (account, region, status) in enumerate(scans)
    ]
    return make_coverage(rows)


@pytest.mark.parametrize("status", STATUSES)
def test_completeness_counts_the_newest_scans(status: str) -> None:
    """The newest scan of each account and region counts; a region that is closed is no failure."""
    scans = [
        ("1", "us-east-1", "failed"),
        ("1", "us-east-1", "complete"),
        ("1", "eu-west-1", status),
    ]
    label = read_figures(make_images(), make_scans(*scans))["read"]["label"]
    complete = 1 + (status == "complete")
    total = 2 - (status == "not-opted-in")
    mark = "" if complete == total else "▲ "
    assert label == f"{mark}{complete} of {total} accounts and regions"


def test_an_account_that_was_not_opened_counts() -> None:
    """A scan without account and region is one that is missing; filters of the read are named."""
    coverage = make_scans(("1", "us-east-1", "complete"), (None, None, "failed"), scope="{}")
    figure = read_figures(make_images(), coverage)["read"]
    assert figure["label"] == "▲ 1 of 2 accounts and regions"
    assert "filters of the read" in figure["tip"]


def test_without_images_only_the_read_is_shown() -> None:
    """Where a complete read found no image, no number claims anything of images."""
    empty = make_images().iloc[:0]
    coverage = make_scans(("1", "us-east-1", "complete"))
    assert list(read_figures(empty, coverage)) == ["read"]
    assert read_figures(empty) == {}


# --- in a browser ---------------------------------------------------------------------

HOUR = 3_600_000  # milliseconds; the paused clock of a page begins an hour after 1970


def open_headline(page: Page, **columns: Any) -> ControlPage:
    """Open a page with the headline of images that were read 90 minutes before its clock's time."""
    images = make_images(**columns)
    images["observed_at"] += pd.Timestamp("1969-12-31T23:30:00Z") - images["observed_at"].max()
    headline = Headline(lambda _: None)
    headline.set_data(images, FacetIndex(images))
    return ControlPage(page, headline, pause_clock=True)


def test_the_page_shows_an_age_that_grows(page: Page) -> None:
    """The age is that of the browser's clock, and grows while the page is open."""
    open_headline(page)
    age = page.locator("[data-name=read] b")
    expect(age).to_have_text("1 h ago")
    page.clock.run_for(30 * 60_000)
    expect(age).to_have_text("2 h ago")
    page.clock.run_for(48 * HOUR)
    expect(age).to_have_text("2 d ago")


def test_figures_are_pressed_by_keys_and_keep_the_focus(page: Page) -> None:
    """Enter sends a figure's name; when the kernel answers, it is pressed and has the focus."""
    control = open_headline(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="2 under way")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Enter")
    assert page.evaluate("model.sent") == [{"name": "under-way"}]
    control.receive(pressed=["under-way"])
    expect(button).to_have_attribute("aria-pressed", "true")
    control.receive(figures=page.evaluate("model.state.figures.slice()"))
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("width", [1280, 600])
def test_tips_open_with_the_keyboard_and_close_with_escape(page: Page, width: int) -> None:
    """Every figure has a tip that the focus opens, on the page, and Escape closes."""
    open_headline(page)
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelector('main').className = 'fl-panel'")
    for figure in some(page.locator(".fl-figure").all()):
        page.keyboard.press("Tab")
        expect(figure).to_be_focused()
        tip = page.locator(f"#{figure.get_attribute('aria-describedby')}")
        expect(tip).to_be_visible()
        box = tip.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
        expect(tip).to_be_hidden()


def test_a_headline_that_is_closed_leaves_nothing(page: Page) -> None:
    """When the page removes the headline, no listener and no timer stays."""
    control = open_headline(page)
    page.evaluate("window.cleanup()")
    assert control.count_listeners() == 0
    expect(page.locator(".fl-figure")).to_have_count(0)
    page.clock.run_for(HOUR)


def test_hostile_states_are_text(page: Page, alerts: list[str]) -> None:
    """A state that AWS did not document is text in a tip, whatever it is."""
    images = make_images((HOSTILE, "enabled"))
    headline = Headline(lambda _: None)
    headline.set_data(images, FacetIndex(images))
    ControlPage(page, headline)
    expect(page.locator("#fl-headline-1-other")).to_contain_text("<img")
    assert page.locator("img, script").count() == 0
    assert alerts == []


@pytest.mark.parametrize(("width", "height"), [(1280, 56), (850, 56), (600, 112)])
def test_the_headline_keeps_its_height(page: Page, width: int, height: int) -> None:
    """It is 56 px high, or two rows where it is narrow, whatever is pressed; no text is cut."""
    page.set_viewport_size({"width": width, "height": 800})
    stock = pd.array([0, 1, 2, 3, 4, 5], dtype="Int64")
    control = open_headline(page, available_snapshots=stock)
    page.evaluate("document.querySelector('main').className = 'fl-panel'")
    figures = page.locator(".fl-headline-figures")
    for pressed in some([[], ["fail", "short"], ["other"]]):
        control.receive(pressed=pressed)
        assert figures.evaluate("element => element.getBoundingClientRect().height") == height
        is_cut = "all => all.map(text => text.scrollWidth > text.clientWidth)"
        assert set(page.locator(".fl-figure > *").evaluate_all(is_cut)) == {False}
