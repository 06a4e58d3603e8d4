"""A panel on a screen: its data, the programs that show it, and locators of its widgets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import fastlaunch_nb as fl
from tests.helpers.browser import (
    PLOT,
    SLOW,
    lab_folder,
    open_page,
    run_all,
    run_all_in_notebook,
    start_lab,
    start_notebook,
    start_voila,
    use_dark_theme,
)
from tests.helpers.samples import HOSTILE, SINCE, item

HOSTS = ("lab", "notebook", "voila")
NEW = ".fl-panel[class*=of-]"
KEY = ["account_id", "region", "image_id"]
ACCOUNT_REGIONS = [
    (account, region)
    for account in ("111122223333", "999988887777")
    for region in ("eu-west-1", "us-east-1", "ap-south-1")
]
STATES = ("enabled", "enabled", "enabled", "enabling", "enabling-failed", "disabling-failed")
TABS = ("Table", "Timeline", "Capacity", "Findings", "Code")
HIDDEN = {"jupyter": {"source_hidden": True}}
NOTEBOOK = """
    import json
    from html import escape
    from pathlib import Path

    import ipywidgets as widgets
    import pandas as pd

    import fastlaunch_nb as fl

    names = ("images", "intervals", "findings")
    images, intervals, findings = (pd.read_pickle(f"{name}.pkl") for name in names)
    history = fl.History("history") if Path("history").exists() else None
    state, box = widgets.HTML(), widgets.VBox()
    new = widgets.Button(description="New panel")


    def show_state(_change=None):
        traits = {"filters": panel.filters.to_dict(), "selected": panel.selected}
        state.value = f"<pre class='state'>{escape(json.dumps(traits))}</pre>"


    def show_panel(_button=None):
        global panel
        panel = fl.panel(images, intervals=intervals, findings=findings, history=history)
        panel.add_class(f"of-{len(panels)}")
        panels.append(panel)
        panel.observe(show_state, ["filters", "selected"])
        box.children = (panel,)
        show_state()


    panels = []
    new.on_click(show_panel)
    show_panel()
    display(new, box, state)
"""


# --- data -----------------------------------------------------------------------------


def make_fleet() -> pd.DataFrame:
    """Return 60 images in six regions, with ten templates; one has hostile text everywhere."""
    frames = [
        fl.from_pages(
            [_make_item(number) for number in range(first, 60, len(ACCOUNT_REGIONS))],
            account_id=account,
            region=region,
            observed_at="2026-01-15T12:00:00Z",
        )
        for first, (account, region) in enumerate(ACCOUNT_REGIONS)
    ]
    images = pd.concat(frames, ignore_index=True)
    names = [f"windows-{int(image_id[4:], 16):02}" for image_id in images["image_id"]]
    names[0] = HOSTILE
    stock = pd.array([None if row % 7 == 0 else row % 6 for row in range(60)], dtype="Int64")
    return images.assign(image_name=pd.array(names, dtype="string"), available_snapshots=stock)


def _make_item(number: int) -> dict[str, Any]:
    name = HOSTILE if number == 0 else f"runner-{number % 10}"
    return item(
        number,
        STATES[number % 11 % len(STATES)],
        LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
        SnapshotConfiguration={"TargetResourceCount": 1 + number % 12},
        StateTransitionReason=HOSTILE if number == 0 else "Client.UserInitiated",
        StateTransitionTime=SINCE - pd.Timedelta(hours=7 * number),
    )


def write_notebook(root: Path, data: dict[str, pd.DataFrame]) -> None:
    """Write a notebook that shows panels, and their data, to the lab's folder below a root."""
    folder = lab_folder(root)
    folder.mkdir(parents=True)
    for name, rows in data.items():
        rows.to_pickle(folder / f"{name}.pkl")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(NOTEBOOK, metadata=HIDDEN)],
        metadata={"kernelspec": {"display_name": "Python 3", "name": "python3"}},
    )
    nbformat.write(notebook, folder / "panel.ipynb")


# --- hosts ----------------------------------------------------------------------------


class Host(NamedTuple):
    """A program that shows notebooks, and its page, which the tests share."""

    name: str
    page: Page
    address: str


@contextmanager
def open_host(name: str, root: Path, browser: Browser, zone: str | None = None) -> Iterator[Host]:
    """Start a host, and run the notebook in a page of it, in some time zone."""
    start: dict[str, Callable[[Path], Any]] = {
        "lab": start_lab,
        "notebook": start_notebook,
        "voila": lambda root: start_voila(lab_folder(root)),
    }
    with start[name](root) as address, open_page(browser, zone=zone) as page:
        addresses = {
            "lab": address.replace("01_explore", "panel"),
            "notebook": address.replace("/tree", "/notebooks/panel.ipynb"),
            "voila": f"{address}/voila/render/panel.ipynb",
        }
        run_notebook(name, page, addresses[name])
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield Host(name, page, addresses[name])


def run_notebook(name: str, page: Page, address: str) -> None:
    """Open the notebook in a host, and run it."""
    if name == "lab":
        run_all(page, address)
    elif name == "notebook":
        run_all_in_notebook(page, address)
    else:
        page.goto(address, timeout=SLOW)
    page.locator(NEW).wait_for(timeout=SLOW)


@contextmanager
def open_dark_page(host: Host, browser: Browser) -> Iterator[Page]:
    """Make a host's page dark; for Voila, open another page."""
    if host.name == "voila":
        with open_page(browser) as page:
            run_notebook(host.name, page, f"{host.address}?theme=dark")
            yield page
    else:
        with use_dark_theme(host.page):
            yield host.page


class Screen:
    """A new panel on a host's page, with locators of its widgets."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_viewport_size({"width": 1280, "height": 1000})
        before = page.locator(NEW).get_attribute("class")
        page.get_by_role("button", name="New panel").click()
        page.wait_for_function(
            """([panels, before]) => {
                const now = document.querySelectorAll(panels);
                return now.length === 1 && now[0].className !== before;
            }""",
            arg=[NEW, before],
        )
        self.panel = page.locator(NEW)
        self.summary = self.panel.locator(".fl-summary")
        self.search = self.panel.get_by_role("textbox", name="Search", exact=True)
        self.chips = self.panel.locator(".fl-chips button")
        self.reset = self.panel.get_by_role("button", name="Reset")
        self.table = self.panel.locator(".fl-table").first
        self.rows = self.table.locator("table.dataTable tbody tr")
        self.selected_rows = self.table.locator("table.dataTable tbody tr.selected")
        self.pager = self.table.locator(".fl-pager")
        self.focused = page.locator("*:focus")
        self.plot = self.panel.locator(PLOT)
        expect(self.rows.first).to_be_visible()

    def find_facet(self, title: str) -> Locator:
        """Return a facet by its title."""
        return self.panel.get_by_role("group", name=title, exact=True)

    def find_value(self, title: str, value: str) -> Locator:
        """Return the line of a value in a facet."""
        return self.find_facet(title).locator(".fl-values > *").filter(has_text=value)

    def find_box(self, title: str, value: str) -> Locator:
        """Return the checkbox of a value in a facet."""
        return self.find_value(title, value).get_by_role("checkbox")

    def sort_by(self, column: str, *, descending: bool = False) -> None:
        """Sort the table with the controls below it."""
        columns = self.table.get_by_role("button", name="Columns", exact=True)
        if not self.table.locator(".fl-chooser").is_visible():
            columns.click()
        self.table.get_by_label("Sort by").select_option(column)
        if descending:
            self.table.get_by_role("button", name="Descending").click()

    def open_tab(self, title: str) -> None:
        """Open a tab."""
        name = re.compile(rf"^{title}( \([\d,]+\))?$")  # findings have a count
        self.panel.get_by_role("tab", name=name).click()

    def open_drawn_tab(self, title: str) -> None:
        """Open a tab, and wait until it has drawn."""
        self.open_tab(title)
        chart = f"{PLOT} .ytick text"
        content = {
            "Table": "table.dataTable tbody tr",
            "Timeline": chart,
            "Capacity": chart,
            "Findings": ".fl-group-rows tbody tr",
            "Code": "pre.fl-code",
        }
        selector = content[title]
        expect(self.panel.locator(f"{selector}:visible").first).to_be_visible()

    def get_page_size(self) -> int:
        """Return the number of rows on a page of the table."""
        return int(self.table.get_by_label("Rows").evaluate("list => list.selectedOptions[0].text"))

    def tab_to(self, target: Locator) -> None:
        """Press Tab until an element has the focus, which is visible at each step."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            assert self._is_focus_visible(), self.focused.evaluate("e => e.outerHTML.slice(0, 300)")
            if target.count() and target.first.evaluate("e => e === document.activeElement"):
                return
        pytest.fail(f"Tab, pressed 60 times, does not reach {target}")

    def _is_focus_visible(self) -> bool:
        """Return True if the focused element has a ring, or looks different without the focus."""
        ring = self.focused.evaluate(
            """element => {
                const style = getComputedStyle(element);
                return style.outlineStyle !== "none" || style.boxShadow !== "none";
            }"""
        )
        if ring:
            return True
        element = self.focused.element_handle()
        focused = element.screenshot(animations="disabled")
        element.evaluate("element => element.blur()")
        blurred = element.screenshot(animations="disabled")
        element.focus()
        return focused != blurred

    def expect_in_kernel(self, **traits: Any) -> None:
        """Expect these traits of the panel in the kernel."""
        expect(self.page.locator("pre.state")).to_have_text(json.dumps(traits))

    def read_names(self) -> list[str]:
        """Return the names of the images on the page of the table."""
        headings = self.table.locator("th").all_inner_texts()
        position = next(n for n, text in enumerate(headings, 1) if text.startswith("Image"))
        lines: list[str] = self.rows.locator(f"td:nth-child({position})").all_inner_texts()
        return [line.split("\n")[0].strip() for line in lines]

    def find_bar(self, name: str) -> Locator:
        """Return the first bar in the row of an image in a chart."""
        index = self.plot.evaluate(
            """(plot, name) => {
                const middle = box => (box.top + box.bottom) / 2;
                const label = [...plot.querySelectorAll(".ytick text")]
                    .find(text => text.textContent.startsWith(name)).getBoundingClientRect();
                return [...plot.querySelectorAll(".bars path")].findIndex(path => {
                    const box = path.getBoundingClientRect();
                    return box.width > 2 && box.top < middle(label) && middle(label) < box.bottom;
                });
            }""",
            name,
        )
        assert index >= 0
        return self.plot.locator(".bars path").nth(index)


def get_key(images: pd.DataFrame, name: str) -> list[str]:
    """Return the key of the image with a name."""
    return [str(value) for value in images.loc[images["image_name"] == name, KEY].iloc[0]]


def get_names(images: pd.DataFrame) -> list[str]:
    """Return the names of images, in their order."""
    return [str(name) for name in images["image_name"]]
