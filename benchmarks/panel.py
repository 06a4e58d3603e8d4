"""What it takes to open a panel, and the speed of a click. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import nbformat
from itables.widget import ITable

import fastlaunch_nb as fl
from benchmarks import seconds
from benchmarks.filters import fleet
from tests.helpers.browser import ROOT, SLOW, launch_browser, open_page, start_voila
from tests.helpers.panel_screen import make_fleet
from tests.helpers.panel_widgets import record_messages

SIZES = (100_000, 1_000_000)
CLICKS = (
    fl.Filters(state="enabled"),
    fl.Filters(state=["enabled", "enabling"]),
    fl.Filters(state=["enabled", "enabling"], region="region-3"),
    fl.Filters(region="region-3", target_resource_count=(10, 30)),
    fl.Filters(),
)
CODE = """
import fastlaunch_nb as fl
from benchmarks.filters import fleet

fl.panel(fleet({size}))
"""
ANSWERED = """async label => {
    const panel = document.querySelector(".fl-panel");
    const summary = () => panel.querySelector(".fl-summary").textContent;
    const rows = () => panel.querySelector(".fl-table tbody").textContent;
    const box = [...panel.querySelectorAll(".fl-facet label")]
        .find(found => found.textContent.trim().startsWith(label)).querySelector("input");
    const [oldSummary, oldRows] = [summary(), rows()], begin = performance.now();
    box.click();
    while (summary() === oldSummary || rows() === oldRows) await new Promise(requestAnimationFrame);
    return performance.now() - begin;
}"""


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    table, opened = opening(lambda: ITable(fleet(1))), opening(lambda: fl.panel(make_fleet()))
    print(f"| itables' table of one image opens | {table} | |")
    print(f"| a panel of 60 images, which has such a table, opens | {opened} | 250, 0.9 MB |")
    for size in SIZES:
        images = fleet(size)
        took = seconds(partial(fl.panel, images), runs=1)
        print(f"| {size:,} images: a panel is made | {took:.2f} s | |")
        panel = fl.panel(images)
        clicks = [seconds(partial(choose, panel, filters), runs=1) for filters in CLICKS * 3]
        goal = "50 ms" if size == SIZES[0] else ""
        what = "a click: rows, all counts and histograms, the first page"
        times = f"{median(clicks) * 1000:.0f} ms, at most {max(clicks) * 1000:.0f} ms"
        print(f"| {size:,} images, {what} | {times} | {goal} |")
    for size, goal in zip(SIZES, ("300 ms", ""), strict=True):
        milliseconds = on_screen(size)
        times = f"{median(milliseconds):.0f} ms, at most {max(milliseconds):.0f} ms"
        print(
            f"| {size:,} images, a click until it is on the screen, in Voila | {times} | {goal} |"
        )


def opening(make: Callable[[], object]) -> str:
    """Return the messages to the browser until a widget is there, and their size."""
    with record_messages() as messages:
        make()
    return f"{len(messages)} messages, {sum(map(len, messages)) / 1e6:.3f} MB"


def choose(panel: Any, filters: fl.Filters) -> None:
    """Set the filters, as a click does."""
    panel.filters = filters


def on_screen(size: int) -> list[float]:
    """Return the milliseconds from each click until the count and the rows change."""
    cell = nbformat.v4.new_code_cell(CODE.format(size=size))
    kernel = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
    with tempfile.TemporaryDirectory() as folder:
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
        nbformat.write(notebook, Path(folder) / "panel.ipynb")
        with (
            start_voila(Path(folder), PYTHONPATH=str(ROOT)) as address,
            launch_browser() as browser,
            open_page(browser) as page,
        ):
            page.goto(f"{address}/voila/render/panel.ipynb", timeout=SLOW)
            page.locator(".fl-table tbody tr").first.wait_for(timeout=SLOW)
            labels = ["enabled", "enabled", "disabling", "disabling", "enabled"]
            return [float(page.evaluate(ANSWERED, label)) for label in labels]


if __name__ == "__main__":
    main()
