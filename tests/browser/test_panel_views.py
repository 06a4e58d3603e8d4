"""Groups, files, details, undo, views and links of the panel on a screen, by mouse and keys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import fastlaunch_nb as fl
from tests.helpers.browser import SLOW, find_violations, start_server
from tests.helpers.panel_screen import (
    NEW,
    Host,
    Screen,
    make_fleet,
    open_dark_page,
    open_host,
    write_notebook,
)

TOP = "element => element.getBoundingClientRect().top"


@pytest.fixture(scope="module")
def host(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """JupyterLab with a notebook that shows panels."""
    root = tmp_path_factory.mktemp("root")
    images = make_fleet()
    data = {"images": images, "intervals": fl.intervals(images), "findings": fl.findings(images)}
    write_notebook(root, data)
    with open_host("lab", root, browser) as running:
        yield running


@pytest.fixture
def screen(host: Host) -> Screen:
    """A new panel, on a page 1280 pixels wide."""
    return Screen(host.page)


def test_excel_gets_a_workbook(screen: Screen, tmp_path: Path) -> None:
    """Excel saves a workbook, byte for byte, of all images that match the filters."""
    screen.find_box("State", "enabled").check()
    expect(screen.summary).to_contain_text("33 of 60 images")
    screen.table.get_by_role("button", name="Export").click()
    expect(screen.panel.locator(".fl-popover")).to_be_visible()
    assert find_violations(screen.page, NEW) == []
    with screen.page.expect_download() as download:
        screen.panel.get_by_role("button", name="Excel").click()
    assert download.value.suggested_filename == "fast-launch-images.xlsx"
    download.value.save_as(tmp_path / "rows.xlsx")
    assert pd.read_excel(tmp_path / "rows.xlsx")["state"].tolist() == ["enabled"] * 33


def test_a_group_opens_in_place(screen: Screen) -> None:
    """By keys alone, a group opens to its images below its line, which stays where it is."""
    screen.table.get_by_label("Group by").select_option("Region")
    groups = screen.table.locator(".fl-image-groups button")
    expect(groups).to_have_count(3)
    offset = "(line, panel) => line.getBoundingClientRect().y - panel.getBoundingClientRect().y"
    panel = screen.panel.element_handle()
    before = groups.nth(1).evaluate(offset, panel)
    screen.search.focus()
    screen.tab_to(groups.nth(1))
    screen.page.keyboard.press("Enter")
    expect(screen.rows).to_have_count(screen.get_page_size())
    expect(groups.nth(1)).to_have_attribute("aria-expanded", "true")
    expect(groups.nth(1)).to_be_focused()
    assert groups.nth(1).evaluate(offset, panel) == before
    assert find_violations(screen.page, NEW) == []
    screen.rows.nth(1).click()
    expect(screen.summary).to_contain_text("1 selected")
    groups.nth(1).click()
    expect(screen.rows.first).not_to_be_visible()
    screen.page.keyboard.press("Control+z")
    expect(groups).to_have_count(0)
    expect(screen.selected_rows.or_(screen.rows.first).first).to_be_visible()


def test_details_open_below_and_move_nothing(screen: Screen) -> None:
    """The details of a selected row open below the panel; Close gives the focus to the table."""
    before = screen.rows.first.evaluate(TOP)
    screen.rows.nth(2).click()
    details = screen.panel.locator(".fl-detail")
    expect(details).to_contain_text(screen.read_names()[2])
    assert screen.rows.first.evaluate(TOP) == before
    assert details.evaluate(TOP) > screen.pager.evaluate(TOP)
    screen.rows.nth(3).click(modifiers=["Control"])
    expect(details.locator(".fl-pair")).to_be_visible()
    close = details.get_by_role("button", name="Close")
    close.focus()
    screen.page.keyboard.press("Enter")
    expect(details).to_have_count(0)
    expect(screen.table.locator("tbody :focus, tbody:focus")).to_have_count(1)
    expect(screen.selected_rows).to_have_count(2)


def test_keys_undo_and_redo(screen: Screen) -> None:
    """Ctrl+Z takes a filter back and Ctrl+Shift+Z sets it again; in a text box they edit text."""
    keyboard = screen.page.keyboard
    box = screen.find_box("State", "enabling-failed")
    box.check()
    expect(screen.summary).to_contain_text("11 of 60 images")
    keyboard.press("Control+z")
    expect(screen.summary).to_contain_text("60 of 60 images")
    expect(box).not_to_be_checked()
    keyboard.press("Control+Shift+Z")
    expect(screen.summary).to_contain_text("11 of 60 images")
    screen.search.fill("windows")
    expect(screen.chips).to_have_count(2)
    screen.search.press("?")
    expect(screen.panel.locator(".fl-keys")).to_have_count(0)
    screen.search.press("Control+z")
    expect(screen.chips.filter(has_text="enabling-failed")).to_have_count(1)


def test_a_view_is_saved_and_opened_by_keys(screen: Screen) -> None:
    """Keys save a view and open it again; Escape and a click outside close the menu."""
    keyboard, popover = screen.page.keyboard, screen.panel.locator(".fl-popover")
    screen.find_box("Region", "us-east-1").check()
    menu = screen.panel.get_by_role("button", name="Views")
    menu.focus()
    keyboard.press("Enter")
    name = popover.get_by_label("Name", exact=True)
    expect(name).to_be_visible()
    screen.tab_to(name)
    keyboard.type("east")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(popover).to_contain_text("Saved east.")
    expect(menu).to_be_focused()
    keyboard.press("Escape")
    expect(popover).to_have_count(0)
    screen.reset.click()
    expect(screen.summary).to_contain_text("60 of 60 images")
    menu.click()
    popover.get_by_role("button", name="east", exact=True).click()
    expect(screen.summary).to_contain_text("20 of 60 images")
    expect(menu).to_be_focused()
    menu.click()
    expect(popover).to_be_visible()
    screen.summary.click()
    expect(popover).to_have_count(0)


def test_a_question_mark_lists_the_keys(screen: Screen) -> None:
    """? opens the list of keys and Escape closes it; the focus stays where it is."""
    box = screen.find_box("State", "enabled")
    box.focus()
    screen.page.keyboard.press("?")
    expect(screen.panel.locator(".fl-keys")).to_contain_text("Ctrl+Z")
    expect(box).to_be_focused()
    screen.page.keyboard.press("Escape")
    expect(screen.panel.locator(".fl-keys")).to_have_count(0)


def test_axe_finds_nothing_in_details_and_menus(host: Host, browser: Browser) -> None:
    """axe-core finds nothing in the details, the views and the keys, light and dark."""
    check_details_and_menus(Screen(host.page))
    with open_dark_page(host, browser) as page:
        check_details_and_menus(Screen(page))


def check_details_and_menus(screen: Screen) -> None:
    """Open the details of one and two images, and each menu, and check all of them."""
    for position in (1, 4):
        screen.rows.nth(position).click(modifiers=["Control"])
        expect(screen.panel.locator(".fl-detail .fl-image-findings").first).to_be_visible()
        assert find_violations(screen.page, NEW) == []
    for name in ("Views", "?"):
        screen.panel.get_by_role("button", name=name).click()
        expect(screen.panel.locator(".fl-popover")).to_be_visible()
        assert find_violations(screen.page, NEW) == [], name


@pytest.mark.deep
def test_a_link_opens_a_view_without_the_token(page: Page, tmp_path: Path) -> None:
    """Copy link has the page with the view and no token; who opens it sees the same images."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    command = [sys.executable, "-m", "fastlaunch_nb", "serve", "--demo", "--no-browser"]
    with start_server([*command, "--port", "0"]) as address:
        page.goto(address, timeout=SLOW)
        panel = page.locator(".fl-panel:has(.fl-body)")
        panel.locator(".fl-facet label", has_text="enabling-failed").locator("input").click()
        expect(panel.locator(".fl-summary")).to_contain_text("3 of 42 images", timeout=SLOW)
        panel.get_by_role("button", name="Views").click()
        panel.get_by_role("button", name="Copy link").click()
        expect(panel.get_by_role("button", name="Copied", exact=True)).to_be_visible()
        link = page.evaluate("navigator.clipboard.readText()")
        assert link.startswith(f"{address.partition('?')[0]}?view=%7B")
        assert "token" not in link
        page.goto(link, timeout=SLOW)
        expect(panel.locator(".fl-summary")).to_contain_text("3 of 42 images", timeout=SLOW)
        expect(panel.locator(".fl-chips")).to_contain_text("State: enabling-failed")
        bad = quote('{"filters": {"stat": ["<img src=x onerror=alert(1)>"]}}')
        page.goto(f"{link.partition('?')[0]}?view={bad}", timeout=SLOW)
        expect(panel.locator(".fl-summary")).to_contain_text("42 of 42 images", timeout=SLOW)
        expect(panel.get_by_role("alert")).to_contain_text("Did you mean 'state'?")
