"""Charts in the documents of notebook 04, each opened without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Locator, Page, expect

import fastlaunch_nb as fl
from tests.helpers.browser import NBCONVERTS_OWN, ROOT, open_page
from tests.helpers.samples import HOSTILE, item, run

NOTEBOOK = ROOT / "notebooks" / "04_embed.ipynb"
TITLES = [
    "Fast Launch states at 2026-01-15 12:00 UTC",
    "Target: 240 snapshots for 13 images, stock unknown",
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the executed notebook and the documents that it wrote."""
    folder = tmp_path_factory.mktemp("reports")
    run_tool("papermill", NOTEBOOK, folder / NOTEBOOK.name, "-p", "folder", folder)
    return folder


def run_tool(module: str, *arguments: str | Path, **variables: str) -> None:
    """Run a tool as its users do; if it fails, show its output."""
    run(sys.executable, "-m", module, *arguments, cwd=ROOT, **variables)


def expect_live_charts(page: Page) -> None:
    """Expect both charts with their rows, and with hover labels."""
    plots = page.locator(".js-plotly-plot")
    expect(plots).to_have_count(2)
    for plot, title in zip(plots.all(), TITLES, strict=True):
        expect(plot.locator(".gtitle").first).to_have_text(title)
        expect(plot.locator(".gtitle-subtitle")).to_contain_text("Demo data")
        expect(plot.locator(".ytick text")).to_have_count(14)
        plot.locator(".bars path").first.hover(force=True)
        expect(plot.locator(".hovertext")).to_contain_text("win20")


def expect_pictures(pictures: Locator) -> None:
    """Expect two pictures that were loaded."""
    expect(pictures).to_have_count(2)
    assert all(pictures.evaluate_all("all => all.map(picture => picture.naturalWidth > 0)"))


@pytest.mark.deep
def test_a_page_draws_both_charts(reports: Path, page: Page) -> None:
    """The hand-written page draws both charts, and has the text of each."""
    assert (reports / "page.html").read_text("utf-8").count("* plotly.js v") == 1
    page.goto((reports / "page.html").as_uri())
    expect_live_charts(page)
    expect(page.locator("h1 + p")).to_contain_text("14 of 42 images")
    for text, title in zip(page.locator("pre").all(), TITLES, strict=True):
        expect(text).to_contain_text(title)


def test_a_page_escapes_hostile_text(
    images: pd.DataFrame, page: Page, tmp_path: Path, alerts: list[str]
) -> None:
    """Markup in a name or a reason is literal on the hand-written page, and runs nothing."""
    hostile = images.assign(account_name=HOSTILE, image_name=HOSTILE)
    complete = SimpleNamespace(failures=[])
    names = {"images": hostile, "sweep": complete, "fl": fl, "folder": str(tmp_path)}
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    for source in code[2:4]:  # the charts, then the page with them
        exec(source, names)  # noqa: S102  a cell of our own
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator("h1 + p")).to_contain_text("<img src=x onerror=alert(1)> </script>")
    expect(page.locator("pre").first).to_contain_text("<img src=x onerror=alert(1)> </script>")
    assert page.locator("img").count() == 0
    assert alerts == []


@pytest.mark.deep
def test_sphinx_draws_both_charts(reports: Path, page: Page) -> None:
    """Sphinx draws both charts without a warning, in a second build too, and hides the code."""
    html = reports / "sphinx" / "_build" / "html"
    for _ in range(2):  # the second build must not take files of the first one for pages
        run_tool("sphinx", "-W", "-b", "html", reports / "sphinx", html)
    page.goto((html / "index.html").as_uri())
    expect_live_charts(page)
    expect(page.locator("body")).not_to_contain_text("import")


@pytest.mark.deep
def test_a_markdown_report_has_pictures_and_text(reports: Path, page: Page) -> None:
    """The rendered Markdown report has both pictures, and a line of text for each row."""
    rendered = MarkdownIt().render((reports / "report.md").read_text("utf-8"))
    (reports / "report.html").write_text(f"<!doctype html><meta charset=utf-8>{rendered}", "utf-8")
    page.goto((reports / "report.html").as_uri())
    expect_pictures(page.locator("img"))
    expect(page.locator("strong")).to_have_text(TITLES)
    expect(page.locator("li")).to_have_count(2 * 14)
    expect(page.locator("li").first).to_contain_text("enabling-failed for 9 h 57 min")


MARKDOWN = [
    *("~~~", "```", "1. x", "1) x", "+ x", "- x", "* x", "# x", "> x", "===", "---", "| a |"),
    *("&lt;b&gt;", "~~x~~", "**x**", "_x_", "`x`", "[x](y)", "![x](y)", "<b>x</b>", "<!-- x"),
    *("https://example.com", "<https://example.com>", "a\\", "[x]: y", "$x^2$", "&#60;", "x  y"),
]


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_markdown_in_a_name_is_literal(
    page: Page, tmp_path: Path, alerts: list[str], chart: Any
) -> None:
    """Any Markdown in a name, a state or a reason is rendered literally, in its own row."""
    items = [item(n, text, StateTransitionReason=text) for n, text in enumerate(MARKDOWN)]
    rows = fl.from_pages(items, observed_at="2026-01-15T12:00:00Z")
    rows = rows.assign(image_name=MARKDOWN, account_name=MARKDOWN)
    markdown = fl.embed(chart(rows), "md", width=700)
    rendered = MarkdownIt().enable(["table", "strikethrough"]).render(markdown)
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{rendered}", "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    lines = fl.alt_text(chart(rows)).split("\n")
    expect(page.locator("li")).to_have_text([line.removeprefix("- ") for line in lines[3:]])
    expect(page.locator("p").nth(2)).to_have_text(f"{lines[1]} {lines[2]}")
    tags = page.locator("body *").evaluate_all("all => [...new Set(all.map(e => e.tagName))]")
    assert set(tags) == {"P", "IMG", "STRONG", "BR", "UL", "LI"}
    assert page.locator("img").evaluate("picture => picture.width") == 700
    assert alerts == []


@pytest.mark.deep
def test_without_chrome_a_report_has_only_text(tmp_path: Path) -> None:
    """Without Chrome the notebook explains that, runs to its end, and its Markdown has the text."""
    arguments = (NOTEBOOK, tmp_path / NOTEBOOK.name, "-p", "folder", tmp_path)
    run_tool("papermill", *arguments, BROWSER_PATH=str(tmp_path / "none"))
    assert "needs Chrome or Chromium" in (tmp_path / NOTEBOOK.name).read_text()
    rendered = MarkdownIt().render((tmp_path / "report.md").read_text("utf-8"))
    assert rendered.count("<pre>") == 3  # the summary and the two charts
    assert rendered.count("\n- ") == 2 * 14


@pytest.mark.deep
def test_nbconvert_keeps_the_pictures(reports: Path, browser: Browser) -> None:
    """The executed notebook has a picture of each chart after export by nbconvert."""
    run_tool("nbconvert", "--to", "html", reports / NOTEBOOK.name)
    with open_page(browser, templates_own=NBCONVERTS_OWN) as page:
        page.goto((reports / NOTEBOOK.name).with_suffix(".html").as_uri())
        expect_pictures(page.locator("img"))
        expect(page.locator("h1")).to_contain_text("How do I put a chart into a report?")
