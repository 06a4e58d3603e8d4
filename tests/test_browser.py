"""The notebooks in a real browser: JupyterLab and Voila, as a person would use them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

import fastlaunch_nb as fl

from .browser import ROOT, SLOW, lab_started, launched, opened, run_all, started
from .conftest import HOSTILE

PLOT = ".js-plotly-plot"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser."""
    with launched() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1280 pixels wide, that may not talk to anything but this machine."""
    with opened(browser) as new:
        yield new


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab on a copy of the notebooks."""
    with lab_started(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture(scope="module")
def voila() -> Iterator[str]:
    """The address of Voila on the first notebook."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    notebook = str(ROOT / "notebooks" / "01_explore.ipynb")
    where = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with started([sys.executable, "-m", "voila", notebook, *where]) as address:
        yield address


def use_the_panel(page: Page) -> None:
    """Click a facet, search, reset and turn the page, and see rows and numbers change."""
    panel = page.locator(".fl-panel").first
    summary, rows = panel.locator(".fl-summary"), panel.locator("tbody tr")
    expect(summary).to_contain_text("42 of 42 images")
    expect(summary).to_contain_text("Demo data")
    expect(rows).to_have_count(10)
    panel.locator(".fl-facet label", has_text="enabling-failed").locator("input").click()
    expect(summary).to_contain_text("3 of 42 images")
    expect(rows).to_have_count(3)
    expect(panel.locator(".fl-facet label", has_text="eu-west-1")).to_have_text("eu-west-1 (0)")
    panel.get_by_role("button", name="Reset").click()
    expect(summary).to_contain_text("42 of 42 images")
    panel.get_by_role("textbox", name="Search").fill("gitlab us-east")
    expect(summary).to_contain_text("2 of 42 images")
    panel.get_by_role("button", name="Reset").click()
    panel.get_by_role("button", name="Next").click()
    expect(panel.locator(".fl-pager")).to_contain_text("11–20 of 42")


def see_the_charts(page: Page) -> None:
    """See every row of both charts drawn, and no button that uploads them."""
    expect(page.locator(PLOT)).to_have_count(2, timeout=SLOW)
    for number in range(2):
        plot = page.locator(PLOT).nth(number)
        plot.scroll_into_view_if_needed()
        expect(plot.locator(".ytick text")).to_have_count(42)
        expect(plot.locator(".infolayer")).to_contain_text("Demo data")
    buttons = page.locator(".modebar-btn").evaluate_all("all => all.map(b => b.dataset.title)")
    assert "Zoom" in buttons
    assert not any("hare" in (title or "") or "cloud" in (title or "") for title in buttons)


def test_jupyterlab(page: Page, lab: str) -> None:
    """In JupyterLab all cells run, the panel answers to clicks and words, both charts appear."""
    run_all(page, lab)
    use_the_panel(page)
    see_the_charts(page)


def test_voila(page: Page, voila: str) -> None:
    """In Voila, without any code, the panel and the charts do the same."""
    page.goto(voila, timeout=SLOW)
    page.locator(".fl-facet input[type=checkbox]").first.wait_for(timeout=SLOW)
    use_the_panel(page)
    see_the_charts(page)


@pytest.mark.parametrize("width", [1280, 600])
def test_labels_do_not_overlap(browser: Browser, lab: str, width: int) -> None:
    """On a wide and on a narrow screen no label of a chart lies on another or off the figure."""
    with opened(browser, width) as page:
        run_all(page, lab)
        expect(page.locator(PLOT)).to_have_count(2, timeout=SLOW)
        for number in range(2):
            plot = page.locator(PLOT).nth(number)
            plot.scroll_into_view_if_needed()
            expect(plot.locator(".ytick text")).to_have_count(42)
            for part in (".ytick text", ".gtitle, .gtitle-subtitle, .ytick text"):
                assert _overlaps(plot, part) == []


def _overlaps(plot: Any, selector: str) -> list[str]:
    """Return pairs of texts whose boxes overlap, and texts that begin left of the figure."""
    found: list[str] = plot.evaluate(
        """(plot, selector) => {
            const left = plot.getBoundingClientRect().left;
            const texts = [...plot.querySelectorAll(selector)].map(t => {
                const box = t.getBoundingClientRect();
                return {text: t.textContent, box};
            });
            const wrong = texts.filter(t => t.box.left < left - 1).map(t => `cut: ${t.text}`);
            texts.forEach((a, i) => texts.slice(i + 1).forEach(b => {
                const across = Math.min(a.box.right, b.box.right) -
                    Math.max(a.box.left, b.box.left);
                const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
                if (across > 1 && down > 2) wrong.push(`${a.text} / ${b.text}`);
            }));
            return wrong;
        }""",
        selector,
    )
    return found


def test_hostile_text_is_drawn_as_text(page: Page, images: pd.DataFrame, tmp_path: Path) -> None:
    """Markup in names, templates and reasons runs nothing and makes no element, only text."""
    named = images.assign(image_name=HOSTILE, account_name=HOSTILE)
    parts = [
        fl.timeline(named).to_html(full_html=False),
        fl.capacity(named).to_html(full_html=False, include_plotlyjs=False),
        fl.panel(named)._repr_mimebundle_()["text/html"],
    ]
    (tmp_path / "page.html").write_text(f"<meta charset='utf-8'>{''.join(parts)}")
    alerts: list[str] = []

    def hear(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", hear)
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(f"{PLOT} .ytick text").first).to_contain_text("<img src=x")
    expect(page.locator("td").first).to_contain_text("<img src=x onerror=alert(1)> </script>")
    for number in range(2):
        page.locator(f"{PLOT} .bars path").nth(number).hover(force=True)
        expect(page.locator(".hovertext").first).to_contain_text("<img")
        page.mouse.move(0, 0)
    assert page.locator("img").count() == 0
    assert alerts == []
