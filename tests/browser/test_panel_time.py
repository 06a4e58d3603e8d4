"""The past, the changes and the time zone of the panel on a screen, by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

import fastlaunch_nb as fl
from tests.helpers.browser import find_violations, lab_folder
from tests.helpers.panel_screen import NEW, Host, Screen, open_dark_page, open_host, write_notebook

TOP = "element => element.getBoundingClientRect().top"
PAST = "2026-01-12 12:00 UTC"


@pytest.fixture(scope="module")
def host(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """JupyterLab in Berlin, with a notebook that shows panels with the demo's week."""
    root = tmp_path_factory.mktemp("root")
    with fl.demo() as demo:
        history = fl.History(lab_folder(root) / "history")
        images = demo.history.observations
        intervals = fl.intervals(images, demo.history.coverage)
        newest = images[images["observed_at"] == images["observed_at"].max()]
        images = newest.reset_index(drop=True).assign(image_name=newest["image_id"].array)
        data = {"images": images, "intervals": intervals, "findings": fl.findings(images)}
        write_notebook(root, data)
        history.record(demo.history)
    with open_host("lab", root, browser, "Europe/Berlin") as running:
        yield running


@pytest.fixture
def screen(host: Host) -> Screen:
    """A new panel, on a page 1280 pixels wide."""
    return Screen(host.page)


def show_past(screen: Screen) -> None:
    """Choose a scan three days ago."""
    screen.panel.get_by_role("button", name="As it was on").click()
    screen.panel.get_by_label("Day").select_option("2026-01-12 (4 scans)")
    screen.panel.get_by_role("button", name="Show", exact=True).click()
    expect(screen.panel.locator(".fl-is-past")).to_contain_text(PAST)


def test_the_past_moves_nothing(screen: Screen) -> None:
    """The fleet of a scan is there with its accent, at the same place, until Back to now."""
    body = screen.panel.locator(".fl-body")
    before = body.evaluate(TOP)
    rows = screen.panel.locator(".fl-headline").inner_text()
    show_past(screen)
    expect(screen.summary).to_contain_text("38 of 38 images")
    expect(screen.panel.locator(".fl-headline")).to_contain_text(PAST)
    assert body.evaluate(TOP) == before
    screen.find_box("State", "enabling-failed").check()
    expect(screen.rows).to_have_count(2)
    screen.panel.get_by_role("button", name="Back to now").click()
    expect(screen.summary).to_contain_text("3 of 42 images")
    expect(screen.panel.locator(".fl-is-past")).to_have_count(0)
    expect(screen.panel.locator(".fl-headline")).to_have_text(rows, use_inner_text=True)
    assert body.evaluate(TOP) == before


def test_the_past_is_reached_by_keys(screen: Screen) -> None:
    """Keys open the menu, choose a scan and return; the focus is always on a control."""
    keyboard = screen.page.keyboard
    menu = screen.panel.get_by_role("button", name="As it was on")
    menu.focus()
    keyboard.press("Enter")
    day = screen.panel.get_by_label("Day")
    expect(day).to_be_visible()
    keyboard.press("Escape")
    expect(day).to_have_count(0)
    expect(menu).to_be_focused()
    keyboard.press("Enter")
    expect(day).to_be_visible()
    screen.tab_to(day)
    keyboard.press("ArrowDown")
    screen.tab_to(screen.panel.get_by_role("button", name="Show", exact=True))
    keyboard.press("Enter")
    expect(screen.panel.locator(".fl-is-past")).to_contain_text("2026-01-14 12:00 UTC")
    expect(menu).to_be_focused()
    screen.tab_to(screen.panel.get_by_role("button", name="Back to now"))
    keyboard.press("Enter")
    expect(screen.panel.locator(".fl-past")).to_contain_text("Now")
    expect(menu).to_be_focused()


def test_times_are_those_of_the_browser(screen: Screen) -> None:
    """The browser's zone can be chosen: for the table, headline, past and slider, and back."""
    zone = screen.panel.get_by_label("Time zone")
    expect(zone).to_have_value("UTC")
    caption = screen.panel.locator(".fl-range", has_text="In its state since")
    expect(caption).to_contain_text("UTC")
    show_past(screen)
    zone.select_option("Europe/Berlin")
    expect(screen.table.locator("th", has_text="Since (Europe/Berlin)")).to_be_visible()
    expect(screen.panel.locator(".fl-is-past")).to_contain_text("2026-01-12 13:00 CET")
    expect(screen.panel.locator(".fl-headline")).to_contain_text("2026-01-12 13:00 CET")
    expect(caption).to_contain_text("Europe/Berlin")
    expect(caption).not_to_contain_text("UTC")
    screen.rows.first.click()
    expect(screen.panel.locator(".fl-detail")).to_contain_text("CET")
    zone.select_option("UTC")
    expect(screen.panel.locator(".fl-is-past")).to_contain_text(PAST)


def test_changes_are_counted_and_select(screen: Screen) -> None:
    """The tab counts changes by kind; a kind filters, and a row selects its image."""
    screen.open_tab("Changes")
    changes = screen.panel.locator(".fl-changes")
    rows = changes.locator("table.dataTable tbody tr")
    expect(rows.first).to_contain_text("enabling-failed")
    kind = changes.get_by_role("button", name="gone")
    kind.click()
    expect(kind).to_have_attribute("aria-pressed", "true")
    expect(kind).to_be_focused()
    expect(changes.get_by_role("status").first).to_contain_text(": 3 changes.")
    expect(rows).to_have_count(3)
    kind.click()
    rows.first.click()
    expect(screen.panel.locator(".fl-selection")).to_contain_text("1 selected")
    changes.get_by_label("Since").select_option("1 day before")
    expect(changes.get_by_role("status").first).to_contain_text("From 2026-01-14 12:00 UTC")


def test_axe_finds_nothing_in_the_past_and_the_changes(host: Host, browser: Browser) -> None:
    """axe-core finds nothing in the menu, the past and the changes, light and dark."""
    check_past_and_changes(Screen(host.page))
    with open_dark_page(host, browser) as page:
        check_past_and_changes(Screen(page))


def check_past_and_changes(screen: Screen) -> None:
    """Open the menu, the past and the changes, and check each of them."""
    menu = screen.panel.get_by_role("button", name="As it was on")
    menu.click()
    expect(screen.panel.get_by_label("Day")).to_be_visible()
    assert find_violations(screen.page, NEW) == []
    menu.click()
    show_past(screen)
    assert find_violations(screen.page, NEW) == []
    screen.open_tab("Changes")
    expect(screen.panel.locator(".fl-kinds button").first).to_be_visible()
    assert find_violations(screen.page, NEW) == []
