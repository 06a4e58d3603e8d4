"""The notebooks in a real browser, in JupyterLab and in Voila."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import fastlaunch_nb as fl
from tests.helpers.browser import (
    PLOT,
    ROOT,
    SLOW,
    find_overlaps,
    find_violations,
    lab_folder,
    open_page,
    run_all,
    start_lab,
    start_server,
    start_voila,
)
from tests.helpers.cases import some
from tests.helpers.samples import HOSTILE, item

EVIL = f"{HOSTILE} $x^2$ \\(y^2\\) \u05d0\u05d1"
LINE = " ".join(EVIL.split()).replace("\x9b", r"\x9b").replace("\u202e", r"\u202e")
MARKUP = "img, script, mjx-container, .MathJax"
SERVE = [sys.executable, "-m", "fastlaunch_nb", "serve", "--no-browser", "--port", "0"]
DRAWN = {  # a tab of the panel, and what it has when it is drawn
    "Timeline": ".js-plotly-plot .ytick text",
    "Capacity": ".js-plotly-plot .ytick text",
    "Findings": ".fl-empty, table.dataTable tbody tr",
    "Code": "pre.fl-code",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Jupyter with the first notebook, and one that shows hostile text."""
    home = tmp_path_factory.mktemp("home")
    folder = lab_folder(home)
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "01_explore.ipynb", folder)
    hostile = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(hostile_code())],
        metadata={"kernelspec": {"display_name": "Python 3", "name": "python3"}},
    )
    nbformat.write(hostile, folder / "hostile.ipynb")
    return home


def hostile_code() -> str:
    """Return code that shows a panel and a timeline of images with hostile text in all columns."""
    evil = {"LaunchTemplate": {"LaunchTemplateName": EVIL}, "StateTransitionReason": EVIL}
    items = [item(number, EVIL if number == 0 else "enabled", **evil) for number in range(13)]
    page = json.dumps({"FastLaunchImages": items}, default=str)
    return f"""
        import fastlaunch_nb as fl

        images = fl.from_pages({page!r}, region="us-east-1", observed_at="2026-01-15T12:00:00Z")
        images = images.assign(image_name={EVIL!r}, account_id={EVIL!r}, account_name={EVIL!r})
        data = {{"intervals": fl.intervals(images), "findings": fl.findings(images)}}
        display(fl.panel(images, **data), fl.timeline(images))
    """


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[str]:
    """The address of the first notebook in JupyterLab."""
    with start_lab(home) as address:
        yield address


@pytest.fixture(scope="module")
def voila(home: Path) -> Iterator[str]:
    """The address of the first notebook in Voila."""
    with start_voila(lab_folder(home)) as address:
        yield f"{address}/voila/render/01_explore.ipynb"


def use_the_panel(page: Page) -> None:
    """Click a facet, search, reset and turn the page; check the rows and numbers."""
    panel = page.locator(".fl-panel").first
    summary, rows = (
        panel.locator(".fl-summary"),
        panel.locator(".fl-table").first.locator("tbody tr"),
    )
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
    panel.get_by_role("button", name="Search: gitlab us-east ×").click()
    expect(summary).to_contain_text("42 of 42 images")
    panel.get_by_role("button", name="Next").click()
    expect(panel.locator(".fl-pager").first).to_contain_text("11–17 of 17")


def check_the_charts(page: Page, *rows: int) -> None:
    """Check that every row of the charts is drawn, marked as demo data, and not uploadable."""
    expect(page.locator(PLOT)).to_have_count(len(rows), timeout=SLOW)
    for number, count in enumerate(rows):
        plot = page.locator(PLOT).nth(number)
        expect(plot.locator(".ytick text")).to_have_count(count)
        plot.scroll_into_view_if_needed()
        expect(plot.locator(".infolayer")).to_contain_text("Demo data")
    buttons = page.locator(".modebar-btn").evaluate_all("all => all.map(b => b.dataset.title)")
    assert "Zoom" in buttons
    assert not any("hare" in (title or "") or "cloud" in (title or "") for title in buttons)


@pytest.fixture(scope="module")
def explored(browser: Browser, lab: str) -> Iterator[Page]:
    """A page of JupyterLab in which the first notebook has run."""
    with open_page(browser) as page:
        run_all(page, lab)
        yield page


def test_a_notebook_works_in_jupyterlab(explored: Page) -> None:
    """In JupyterLab all cells run, the panel reacts to clicks and searches, both charts appear."""
    use_the_panel(explored)
    check_the_charts(explored, 42, 42)


@pytest.mark.deep
def test_a_notebook_works_in_voila(page: Page, voila: str) -> None:
    """In Voila, which shows no code, the panel and the charts work the same."""
    open_in_voila(page, voila)
    use_the_panel(page)
    check_the_charts(page, 42, 42)


@pytest.mark.deep
def test_timelines_in_jupyterlab(page: Page, lab: str) -> None:
    """A notebook with many charts runs without an error and draws all of them."""
    page.set_viewport_size({"width": 1280, "height": 4000})  # JupyterLab draws visible cells only
    notebook = lab.replace("01_explore", "02_state_timeline")
    run_all(page, notebook, until=f"{PLOT} .ytick text")
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=SLOW)
    check_the_charts(page, 45, 1, 8, 4)
    assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


@pytest.mark.deep
def test_the_dashboard_refreshes(page: Page) -> None:
    """Refresh on the page of `serve` shows its progress, keeps filters and updates the images."""
    with start_server([*SERVE, "--demo"]) as address:
        open_in_voila(page, address)
        summary = page.locator(".fl-summary")
        expect(summary).to_contain_text("42 of 42 images")
        expect(page.get_by_text("Read at 2026-01-15 12:00 UTC")).to_be_visible()
        assert find_violations(page, ".fl-dashboard-head, .fl-headline") == []
        page.locator(".fl-facet label", has_text="enabling-failed").locator("input").click()
        expect(summary).to_contain_text("3 of 42 images")
        bar = page.locator(".widget-hprogress")
        expect(bar).to_be_hidden()
        page.evaluate(REMEMBER_PROGRESS)
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("Read at 2026-01-15 12:10 UTC")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("button", name="Refresh")).to_be_enabled()
        expect(bar).to_be_hidden()
        progress = page.evaluate("window.progress")
        assert progress["0 of 2 accounts and regions"]  # while the bar was visible
        assert progress["8 of 8 accounts and regions"]
        expect(page.locator(".fl-dashboard-head")).not_to_contain_text("accounts and regions")
        expect(summary).to_contain_text("3 of 40 images")  # two that were disabling are gone
        expect(page.locator(".fl-chips")).to_contain_text("State: enabling-failed")


@pytest.mark.deep
def test_pages_share_a_read(page: Page, browser: Browser) -> None:
    """Refresh on one page of `serve` renews the other, which keeps its own filters."""
    with fl.demo() as demo:
        profile = next(iter(demo.accounts.values()))
        command = [*SERVE, "--profile", profile, "--region", "us-east-1"]
        with start_server(command) as address, open_page(browser) as other:
            for each in (page, other):
                open_in_voila(each, address)
                expect(each.get_by_text("Read at 2026-01-15 12:00 UTC")).to_be_visible(timeout=SLOW)
            other.locator(".fl-facet label", has_text="us-east-1").locator("input").click()
            demo.clock.advance(minutes=10)
            page.get_by_role("button", name="Refresh").click()
            for each in (page, other):
                expect(each.get_by_text("Read at 2026-01-15 12:10 UTC")).to_be_visible(timeout=SLOW)
            expect(other.locator(".fl-chips")).to_contain_text("Region: us-east-1")
            expect(page.locator(".fl-chips button")).to_have_count(0)


REMEMBER_PROGRESS = """() => {
    window.progress = {};
    new MutationObserver(() => {
        const bar = document.querySelector(".widget-hprogress");
        for (const status of document.querySelectorAll("[role=status]"))
            window.progress[status.textContent] ||= bar.offsetParent !== null;
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def open_in_voila(page: Page, address: str) -> None:
    """Open a notebook in Voila, and wait for its panel."""
    page.goto(address, timeout=SLOW)
    page.locator(".fl-facet input[type=checkbox]").first.wait_for(timeout=SLOW)


@pytest.mark.parametrize("width", [1280, 600])
def test_labels_do_not_overlap(explored: Page, width: int) -> None:
    """On a wide and a narrow screen no label of a chart overlaps another or leaves the figure."""
    explored.set_viewport_size({"width": width, "height": 1000})
    expect(explored.locator(PLOT)).to_have_count(2, timeout=SLOW)
    for plot in some(explored.locator(PLOT).all()):
        plot.scroll_into_view_if_needed()
        expect(plot.locator(".ytick text")).to_have_count(42)
        for selector in (".ytick text", ".gtitle, .gtitle-subtitle, .ytick text"):
            assert find_overlaps(plot, selector) == []


@pytest.mark.deep
def test_hostile_text_in_jupyterlab(page: Page, lab: str, alerts: list[str]) -> None:
    """Hostile text in the panel and chart runs no script, adds no element, reverses no text."""
    run_all(page, lab.replace("/tree/01_explore", "/workspaces/hostile/tree/hostile"))
    use_the_hostile_panel(page)
    assert alerts == []


@pytest.mark.deep
def test_hostile_text_in_voila(page: Page, voila: str, alerts: list[str]) -> None:
    """Hostile text is harmless in Voila, too."""
    open_in_voila(page, voila.replace("01_explore", "hostile"))
    use_the_hostile_panel(page)
    assert alerts == []


def use_the_hostile_panel(page: Page) -> None:
    """Select, search and page through hostile text; check that it appears as plain text."""
    panel = page.locator(".fl-panel").first
    summary, rows = (
        panel.locator(".fl-summary"),
        panel.locator(".fl-table").first.locator("tbody tr"),
    )
    chips = panel.locator(".fl-chips")
    for facet in panel.locator(".fl-facet").all():
        if (label := facet.locator("label", has_text="<img")).count():
            expect(label).to_contain_text(LINE)  # and no formula, after MathJax has run
            assert is_left_to_right(label, "(1")
    panel.locator(".fl-facet label", has_text="<img").first.locator("input").click()
    expect(summary).to_contain_text("1 of 13 images")
    expect(chips).to_contain_text([f"\u2068{LINE}"])
    panel.get_by_role("button", name="Reset").click()
    panel.get_by_role("textbox", name="Search").fill(" ".join(EVIL.split()))
    expect(chips).to_contain_text([f"Search: \u2068{LINE}"])
    panel.get_by_role("button", name="Next").click()
    expect(panel.locator(".fl-pager").first).to_contain_text("11–13 of 13")
    expect(rows).to_have_count(3)
    for column in (2, 3, 4):  # image, where, reason
        expect(rows.first.locator("td").nth(column)).to_contain_text(LINE)
    label = page.locator(f"{PLOT} .ytick text").first
    expect(label).to_contain_text("<img")
    assert is_left_to_right(label, "us-east-1")
    for title, drawn in DRAWN.items():
        panel.get_by_role("tab", name=re.compile(rf"^{title}( \(\d+\))?$")).click()
        expect(panel.locator(drawn).filter(visible=True).first).to_be_visible()
        assert panel.locator(MARKUP).count() == 0
    assert page.locator(f"{PLOT} .svg-container").locator(MARKUP).count() == 0


def is_left_to_right(element: Locator, word: str) -> bool:
    """Return True if a word is drawn from left to right, as it is written."""
    first, last = element.evaluate(
        """(element, word) => {
            const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
            let at = -1;
            while (at < 0 && walker.nextNode()) at = walker.currentNode.data.lastIndexOf(word);
            return [at, at + word.length - 1].map(letter => {
                const range = document.createRange();
                range.setStart(walker.currentNode, letter);
                range.setEnd(walker.currentNode, letter + 1);
                return range.getBoundingClientRect().left;
            });
        }""",
        word,
    )
    return bool(first < last)


def test_hostile_text_is_drawn_as_text(
    page: Page, images: pd.DataFrame, tmp_path: Path, alerts: list[str]
) -> None:
    """Markup in names, launch templates and reasons runs no script and adds no element."""
    named = images.assign(image_name=EVIL, account_name=EVIL)
    figures = [fl.timeline(named), fl.capacity(named)]
    fragments = [
        figures[0].to_html(full_html=False),
        figures[1].to_html(full_html=False, include_plotlyjs=False),
        fl.panel(named)._repr_mimebundle_()["text/html"],
    ]
    (tmp_path / "page.html").write_text(f"<meta charset='utf-8'>{''.join(fragments)}")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(f"{PLOT} .ytick text").first).to_contain_text("<img src=x")
    expect(page.locator(".fl-scroll tbody tr").first).to_contain_text(LINE)
    for number in range(2):
        page.locator(f"{PLOT} .bars path").nth(number).hover(force=True)
        expect(page.locator(".hovertext").first).to_contain_text("<img")
        page.mouse.move(0, 0)
    assert page.locator("img").count() == 0
    assert alerts == []
    for figure in figures:  # with MathJax, plotly makes formulas of text between dollar signs
        assert "$" not in figure.to_json()
        assert "$x^2$" in fl.alt_text(figure)


STOP_KERNELS = """async () => {
    const headers = {"X-XSRFToken": document.cookie.match(/_xsrf=([^;]*)/)[1]};
    for (const session of await (await fetch("/api/sessions")).json())
        await fetch(`/api/sessions/${session.id}`, {method: "DELETE", headers});
}"""


def test_a_panel_whose_kernel_is_gone(lab: str, browser: Browser) -> None:
    """A notebook that was saved with a panel reopens with its static form, and no error."""
    with open_page(browser) as page:
        run_all(page, lab)
        static = page.locator(".fl-saved").first
        expect(static).to_be_hidden()
        page.locator(".lm-MenuBar-itemLabel", has_text="File").click()
        page.get_by_text("Save Notebook", exact=True).click()
        expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
        page.evaluate(STOP_KERNELS)
        page.goto(f"{lab}&reset")
        expect(static).to_be_visible(timeout=SLOW)
        expect(static).to_contain_text("42 of 42 images")
        expect(page.get_by_text("model not found")).to_be_hidden()
