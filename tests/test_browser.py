"""The notebooks in a real browser: JupyterLab and Voila, as a person would use them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from .browser import launched

ROOT = Path(__file__).parent.parent
SLOW = 90_000  # milliseconds: how long a kernel may take to start and run everything
OUTSIDE = re.compile(r"^https?://(?!127\.0\.0\.1[:/])")
VOILAS_OWN = re.compile("fontawesome")  # Voila's page template asks a CDN for its icons
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


@contextmanager
def opened(browser: Browser, width: int = 1280) -> Iterator[Page]:
    """Give a page of some width; nothing outside this machine is reached, or asked for by us."""
    context = browser.new_context(viewport={"width": width, "height": 1000})
    page = context.new_page()
    outside: list[str] = []

    def refuse(route: Route) -> None:
        outside.append(route.request.url)
        route.abort()

    page.route(OUTSIDE, refuse)
    yield page
    context.close()
    assert [url for url in outside if not VOILAS_OWN.search(url)] == []


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[str]:
    """Start a server and give the first address it prints; stop it politely afterwards."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    assert process.stdout is not None
    printed = (re.search(r"http://127\.0\.0\.1:\S+", line) for line in process.stdout)
    try:
        yield next(address[0] for address in printed if address)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that `fastlaunch-nb lab` prints; JupyterLab has no earlier settings."""
    home = tmp_path_factory.mktemp("home")
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(home), "JUPYTERLAB_WORKSPACES_DIR": str(home)}
    command = [sys.executable, "-m", "fastlaunch_nb.cli", "lab", "--no-browser"]
    folders = ["--notebooks", str(ROOT / "notebooks"), "--folder", str(home / "lab")]
    with started([*command, *folders], env={**os.environ, **settings}) as address:
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


def run_all(page: Page, address: str) -> None:
    """Open a notebook in JupyterLab, close the file browser, and run all cells."""
    page.goto(address)
    page.locator(".jp-Notebook").wait_for(timeout=SLOW)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=SLOW)
    page.locator('[data-id="filebrowser"]').first.click()
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".fl-facet input[type=checkbox]").first.wait_for(timeout=SLOW)


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
