"""Take README's pictures from the demo: ``make pictures``, then look at them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect

from tests.helpers.browser import PLOT, ROOT, SLOW, launch_browser, open_page, run_all, start_lab

FOLDER = ROOT / "pictures"
CHARTS = (  # the notebook, which of its charts, and its name
    ("02_state_timeline", 0, "timeline"),
    ("03_snapshot_capacity", 0, "stock"),
    ("05_fleet", 0, "fleet"),
    ("07_right_size", 2, "sizing"),
)
TALL: ViewportSize = {"width": 1280, "height": 1400}


def take(page: Page) -> None:
    """Take the panel of 01_explore with JupyterLab around it, and the chart of its stock."""
    page.set_viewport_size(TALL)
    panel = page.locator(".fl-panel").first
    panel.locator(".fl-facet label", has_text="build-agent").locator("input").click()
    expect(panel.locator(".fl-summary")).to_contain_text("6 of 42 images")
    page.mouse.move(0, 0)
    page.set_viewport_size({**TALL, "height": 900})
    page.locator("h2", has_text="Filter").evaluate("heading => heading.scrollIntoView()")
    expect(panel.locator(".fl-table").first.locator("tbody tr").last).to_be_in_viewport()
    page.screenshot(path=FOLDER / "panel.png")
    page.set_viewport_size(TALL)
    take_chart(page, 1, "capacity")


def take_chart(page: Page, number: int, name: str) -> None:
    """Take a chart by its number on the page, but for JupyterLab's lines around it."""
    page.mouse.move(0, 0)
    page.add_style_tag(content=".modebar { display: none; }")  # its buttons fade slowly
    plot = page.locator(PLOT).nth(number)
    plot.scroll_into_view_if_needed()
    plot.locator(".ytick text").first.wait_for()
    picture = io.BytesIO(plot.screenshot())
    whole = Image.open(picture)
    whole.crop((0, 2, whole.width, whole.height - 2)).save(FOLDER / f"{name}.png")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        start_lab(Path(home)) as address,
        launch_browser() as browser,
        open_page(browser) as page,
    ):
        run_all(page, address)
        take(page)
        for notebook, number, name in CHARTS:
            run_all(page, address.replace("01_explore", notebook), until=f"{PLOT} .ytick text")
            page.get_by_text("(ipykernel) | Idle").wait_for(timeout=SLOW)
            take_chart(page, number, name)
