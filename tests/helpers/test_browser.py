"""What the browser's tests look with: each sees what is wrong where something is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.helpers.browser import axe, opened, overlaps

LABELS = """
    <div id="plot" style="position: relative; width: 300px; height: 100px">
        <span style="position: absolute; left: 0">first</span>
        <span style="position: absolute; left: {left}px">second</span>
    </div>
"""


@pytest.mark.parametrize(
    ("left", "expected"), [(4, ["first / second"]), (100, []), (290, ["cut: second"])]
)
def test_overlaps_are_seen(page: Page, left: int, expected: list[str]) -> None:
    """Labels that lie on one another are told, and so is one that reaches out of its chart."""
    page.set_content(LABELS.format(left=left))
    assert overlaps(page.locator("#plot"), "span") == expected


def test_axe_sees_what_nobody_can_use(page: Page) -> None:
    """A picture without words is serious: axe tells its rule and its element."""
    page.set_content("<html lang=en><title>A page</title><main><img src='data:,'></main>")
    [found] = axe(page, "main")
    assert found.startswith("image-alt (critical): <img")


def test_alerts_are_heard(page: Page, alerts: list[str]) -> None:
    """A script that runs on a page is noticed by what it says."""
    page.set_content("<img src=x onerror=alert(1)>")
    page.evaluate("alert(2)")
    assert "2" in alerts


def test_no_page_asks_for_anything_outside(browser: Browser) -> None:
    """A page that asks another machine for something fails its test, and gets nothing."""
    with (
        pytest.raises(AssertionError, match=r"https://example\.com/a.png"),
        opened(browser) as page,
    ):
        page.set_content("<img src='https://example.com/a.png'>")
