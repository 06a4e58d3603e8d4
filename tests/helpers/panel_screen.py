"""A panel on a screen: what it is of, the hosts that show it, and where its parts are."""

from __future__ import annotations

import json
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
    darkened,
    lab_folder,
    lab_started,
    notebook_started,
    opened,
    run_all,
    run_all_in_notebook,
    voila_started,
)
from tests.helpers.samples import HOSTILE, SINCE, item

HOSTS = ("lab", "notebook", "voila")
NEW = ".fl-panel[class*=of-]"
KEY = ["account_id", "region", "image_id"]
PLACES = [(account, region) for account in ("111122223333", "999988887777")
          for region in ("eu-west-1", "us-east-1", "ap-south-1")]  # fmt: skip
STATES = ("enabled", "enabled", "enabled", "enabling", "enabling-failed", "disabling-failed")
TABS = ("Table", "Timeline", "Capacity", "Findings", "Code")
HIDDEN = {"jupyter": {"source_hidden": True}}
NOTEBOOK = """
    import json
    from html import escape

    import ipywidgets as widgets
    import pandas as pd

    import fastlaunch_nb as fl

    names = ("images", "intervals", "findings")
    images, intervals, findings = (pd.read_pickle(f"{name}.pkl") for name in names)
    said, place = widgets.HTML(), widgets.VBox()
    new = widgets.Button(description="New panel")


    def say(_change=None):
        told = {"filters": panel.filters.to_dict(), "selected": panel.selected}
        said.value = f"<pre class='said'>{escape(json.dumps(told))}</pre>"


    def begin(_button=None):
        global panel
        panel = fl.panel(images, intervals=intervals, findings=findings)
        panel.add_class(f"of-{len(begun)}")
        begun.append(panel)
        panel.observe(say, ["filters", "selected"])
        place.children = (panel,)
        say()


    begun = []
    new.on_click(begin)
    begin()
    display(new, place, said)
"""


# --- what is shown --------------------------------------------------------------------


def fleet() -> pd.DataFrame:
    """Return 60 images in six places, of ten templates and some states; one is all hostile."""
    frames = [
        fl.from_pages(
            [_item(number) for number in range(place, 60, len(PLACES))],
            account_id=account,
            region=region,
            observed_at="2026-01-15T12:00:00Z",
        )
        for place, (account, region) in enumerate(PLACES)
    ]
    images = pd.concat(frames, ignore_index=True)
    names = [f"windows-{int(image_id[4:], 16):02}" for image_id in images["image_id"]]
    names[0] = HOSTILE
    stock = pd.array([None if place % 7 == 0 else place % 6 for place in range(60)], dtype="Int64")
    return images.assign(image_name=pd.array(names, dtype="string"), available_snapshots=stock)


def _item(number: int) -> dict[str, Any]:
    name = HOSTILE if number == 0 else f"runner-{number % 10}"
    return item(
        number,
        STATES[number % 11 % len(STATES)],
        LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
        SnapshotConfiguration={"TargetResourceCount": 1 + number % 12},
        StateTransitionReason=HOSTILE if number == 0 else "Client.UserInitiated",
        StateTransitionTime=SINCE - pd.Timedelta(hours=7 * number),
    )


def prepared(home: Path, told: dict[str, pd.DataFrame]) -> Path:
    """Return a folder whose folder lab has a notebook that shows panels, and what they are of."""
    folder = lab_folder(home)
    folder.mkdir(parents=True)
    for name, rows in told.items():
        rows.to_pickle(folder / f"{name}.pkl")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(NOTEBOOK, metadata=HIDDEN)],
        metadata={"kernelspec": {"display_name": "Python 3", "name": "python3"}},
    )
    nbformat.write(notebook, folder / "panel.ipynb")
    return home


# --- where it is shown ----------------------------------------------------------------


class Host(NamedTuple):
    """A program that shows notebooks, and the page of it that tests share."""

    name: str
    page: Page
    address: str


@contextmanager
def hosted(name: str, home: Path, browser: Browser) -> Iterator[Host]:
    """Give a page of a host with the notebook run in it."""
    start: dict[str, Callable[[Path], Any]] = {
        "lab": lab_started,
        "notebook": notebook_started,
        "voila": lambda home: voila_started(lab_folder(home)),
    }
    with start[name](home) as root, opened(browser) as page:
        addresses = {
            "lab": root.replace("01_explore", "panel"),
            "notebook": root.replace("/tree", "/notebooks/panel.ipynb"),
            "voila": f"{root}/voila/render/panel.ipynb",
        }
        show(name, page, addresses[name])
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield Host(name, page, addresses[name])


def show(name: str, page: Page, address: str) -> None:
    """Open the notebook in a host, and have it run."""
    if name == "lab":
        run_all(page, address)
    elif name == "notebook":
        run_all_in_notebook(page, address)
    else:
        page.goto(address, timeout=SLOW)
    page.locator(NEW).wait_for(timeout=SLOW)


@contextmanager
def dark(host: Host, browser: Browser) -> Iterator[Page]:
    """Give a dark page of a host: the same one, but of Voila another."""
    if host.name == "voila":
        with opened(browser) as page:
            show(host.name, page, f"{host.address}?theme=dark")
            yield page
    else:
        with darkened(host.page):
            yield host.page


class Screen:
    """A new panel on a host's page, and where its parts are."""

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
        self.chosen = self.table.locator("table.dataTable tbody tr.selected")
        self.pager = self.table.locator(".fl-pager")
        self.focused = page.locator("*:focus")
        self.plot = self.panel.locator(PLOT)
        expect(self.rows.first).to_be_visible()

    def facet(self, title: str) -> Locator:
        """Return a facet, by what stands above it."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return self.panel.locator(".fl-facet").filter(has=heading)

    def value(self, title: str, value: str) -> Locator:
        """Return the line of a value of a facet."""
        return self.facet(title).locator(".fl-values > *").filter(has_text=value)

    def box(self, title: str, value: str) -> Locator:
        """Return the box to tick of a value of a facet."""
        return self.value(title, value).get_by_role("checkbox")

    def open(self, title: str) -> None:
        """Open a tab."""
        self.panel.get_by_role("tab", name=title, exact=True).click()

    def open_drawn(self, title: str) -> None:
        """Open a tab, and wait until what it shows is there."""
        self.open(title)
        there = {"Timeline": f"{PLOT} .ytick text", "Capacity": f"{PLOT} .ytick text",
                 "Code": "pre.fl-code"}  # fmt: skip
        part = there.get(title, "table.dataTable tbody tr")
        expect(self.panel.locator(f"{part}:visible").first).to_be_visible()

    def size(self) -> int:
        """Return how many rows a page of the table has."""
        return int(self.table.get_by_label("Rows").evaluate("list => list.selectedOptions[0].text"))

    def tab_to(self, place: Locator) -> None:
        """Press Tab until this has the focus, which is seen wherever it is on the way."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            assert self._focus_is_seen(), self.focused.evaluate("it => it.outerHTML.slice(0, 300)")
            if place.count() and place.first.evaluate("it => it === document.activeElement"):
                return
        pytest.fail(f"60 times Tab do not lead to {place}")

    def _focus_is_seen(self) -> bool:
        """Tell whether what has the focus has a ring, or else looks in any way as without."""
        ring = self.focused.evaluate(
            """it => {
                const style = getComputedStyle(it);
                return style.outlineStyle !== "none" || style.boxShadow !== "none";
            }"""
        )
        if ring:
            return True
        place = self.focused.element_handle()
        focused = place.screenshot(animations="disabled")
        place.evaluate("it => it.blur()")
        without = place.screenshot(animations="disabled")
        place.focus()
        return focused != without

    def in_the_kernel(self, **told: Any) -> None:
        """See that the panel in the kernel says this of itself."""
        expect(self.page.locator("pre.said")).to_have_text(json.dumps(told))

    def names(self) -> list[str]:
        """Return what the images on the page of the table are called."""
        lines: list[str] = self.rows.locator("td:first-child").all_inner_texts()
        return [line.split("\n")[0].strip() for line in lines]

    def bar(self, name: str) -> Locator:
        """Return the first bar in the row of a chart that has this image's name."""
        at = self.plot.evaluate(
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
        assert at >= 0
        return self.plot.locator(".bars path").nth(at)


def key_of(images: pd.DataFrame, name: str) -> list[str]:
    """Return the key of the image with this name."""
    return [str(part) for part in images.loc[images["image_name"] == name, KEY].iloc[0]]


def named(images: pd.DataFrame) -> list[str]:
    """Return the names of images, in their order."""
    return [str(name) for name in images["image_name"]]
