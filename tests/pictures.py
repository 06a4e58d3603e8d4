"""Take README's pictures from the demo: ``make pictures``, then look at them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from .browser import ROOT, lab_started, launched, opened, run_all

FOLDER = ROOT / "pictures"


def take(page: Page) -> None:
    """Take the panel as it stands in JupyterLab, and both charts."""
    page.set_viewport_size({"width": 1280, "height": 1400})
    panel = page.locator(".fl-panel").first
    panel.locator(".fl-facet label", has_text="build-agent").locator("input").click()
    expect(panel.locator(".fl-summary")).to_contain_text("6 of 42 images")
    page.mouse.move(0, 0)
    panel.screenshot(path=FOLDER / "panel.png")
    for number, name in enumerate(("timeline", "capacity")):
        plot = page.locator(".js-plotly-plot").nth(number)
        plot.scroll_into_view_if_needed()
        plot.locator(".ytick text").first.wait_for()
        plot.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        lab_started(Path(home)) as address,
        launched() as browser,
        opened(browser) as page,
    ):
        run_all(page, address)
        take(page)
