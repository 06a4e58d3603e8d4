"""The checks of browser tests: each one detects what it looks for."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.helpers.browser import find_overlaps, find_violations, open_page

LABELS = """
    <div id="plot" style="position: relative; width: 300px; height: 100px">
        <span style="position: absolute; left: 0">first</span>
        <span style="position: absolute; left: {left}px">second</span>
    </div>
"""


@pytest.mark.parametrize(
    ("left", "expected"), [(4, ["first / second"]), (100, []), (290, ["cut: second"])]
)
def test_overlapping_labels_are_reported(page: Page, left: int, expected: list[str]) -> None:
    """Labels that overlap are reported, and so is one that extends beyond its chart."""
    page.set_content(LABELS.format(left=left))
    assert find_overlaps(page.locator("#plot"), "span") == expected


def test_axe_reports_an_image_without_alt_text(page: Page) -> None:
    """An image without alternative text is a violation, with its rule and element."""
    page.set_content("<html lang=en><title>A page</title><main><img src='data:,'></main>")
    [violation] = find_violations(page, "main")
    assert violation.startswith("image-alt (critical): <img")


def test_alerts_are_recorded(page: Page, alerts: list[str]) -> None:
    """The dialog of a script that runs on a page is recorded."""
    page.set_content("<img src=x onerror=alert(1)>")
    page.evaluate("alert(2)")
    assert "2" in alerts


def test_a_request_to_another_machine_fails_its_test(browser: Browser) -> None:
    """A page that requests something from another machine fails its test and gets nothing."""
    with (
        pytest.raises(AssertionError, match=r"https://example\.com/a.png"),
        open_page(browser) as page,
    ):
        page.set_content("<img src='https://example.com/a.png'>")
