"""Speed and size of a timeline and of a fleet map, and until a timeline appears in a browser.

``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from playwright.sync_api import Browser

import fastlaunch_nb as fl
from benchmarks import cpu_seconds, growth_exponent
from fastlaunch_nb.charts.timeline import MOST_BARS
from fastlaunch_nb.schema.columns import COVERAGE, KEY, TEXT, TIME
from tests.helpers.browser import launch_browser

DAYS, DAY, START = 28, 86_400_000_000, 1_767_225_600_000_000  # in microseconds; 2026-01-01
STATES = ("enabled", "enabling", "disabling", "enabled-failed", "enabling-failed", "unknown")
SHARES = (0.7, 0.12, 0.08, 0.04, 0.02, 0.04)
RUNS = 5
REGIONS = [f"region-{number}" for number in range(20)]


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    many, few = history(images=5_000, each=20), history(images=MOST_BARS // 20, each=20)
    wide = history(images=100_000, each=1)
    sizes = [f"{len(rows):,} intervals of {rows['image_id'].nunique():,} images"
             for rows in (many, wide, few)]  # fmt: skip
    fl.timeline(few)  # plotly's parts are loaded when they are first needed
    for size, rows, goal in zip(sizes, (many, wide, few), ("1 s", "", ""), strict=True):
        print(f"| {size}: to build | {built(rows):.2f} s | {goal} |")
    compare_maps()
    compare_sizes()
    figures = [fl.timeline(rows, since=None) for rows in (many, few)]
    empty, *drawn = appeared([go.Figure(), *figures])
    print(f"| an empty figure: to appear in Chromium | {empty:.2f} s | |")
    print(f"| {sizes[0]}: to appear | {drawn[0] / empty:.2f} of that | 1.3 |")
    print(f"| {sizes[2]}, the most that are bars: to appear | {drawn[1] / empty:.2f} of that | |")


def compare_maps() -> None:
    """Print the time and size of maps of 20 regions, and how they grow."""
    times, sizes = {}, {}
    for accounts, goals in {1_250: ("1 s", ""), 5_000: ("5 s", "6 MB"), 20_000: ("", "")}.items():
        coverage = scan(accounts)
        times[accounts] = cpu_seconds(partial(fl.fleet_map, coverage))
        sizes[accounts] = len(fl.fleet_map(coverage).to_json())
        what = f"a fleet map of {accounts:,} accounts and {len(REGIONS)} regions"
        print(f"| {what}: to build | {times[accounts]:.2f} s CPU | {goals[0]} |")
        print(f"| {what}: its JSON | {sizes[accounts] / 1e6:.1f} MB | {goals[1]} |")
    print(f"| growth of the time, the exponent | {growth_exponent(times):.2f} | 1.1 |")
    print(f"| growth of the JSON, the exponent | {growth_exponent(sizes):.2f} | 1.1 |")


def compare_sizes() -> None:
    """Print the size of a timeline of bars, and that of plotly's own."""
    rows = history(images=500, each=6)
    ours = len(fl.timeline(rows, since=None).to_json())
    bars = px.timeline(
        rows.assign(end=rows["last_seen"]),
        x_start="start",
        x_end="end",
        y="image_id",
        color="state",
        hover_data=["account_id", "region", "state_transition_reason"],
    )
    print(f"| 500 images, 6 intervals each: the JSON of `px.timeline` | "
          f"{len(bars.to_json()) / 1e3:.0f} kB | |")  # fmt: skip
    print(f"| our timeline, with its text in words and a strip | {ours / 1e3:.0f} kB | 400 kB |")


def built(intervals: pd.DataFrame) -> float:
    """Return the median seconds that it takes to make the figure."""
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        fl.timeline(intervals, since=None)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def appeared(figures: list[Any]) -> list[float]:
    """Return the median seconds until each figure is drawn; they take turns."""
    runs: list[list[float]] = [[] for _ in figures]
    with tempfile.TemporaryDirectory() as folder, launch_browser() as browser:
        files = [Path(folder) / f"{number}.html" for number in range(len(figures))]
        for file, figure in zip(files, figures, strict=True):
            figure.write_html(file)  # with plotly.js in it
        for _ in range(RUNS):
            for file, took in zip(files, runs, strict=True):
                took.append(until_drawn(browser, file.as_uri()))
    return [statistics.median(took) for took in runs]


def until_drawn(browser: Browser, page: str) -> float:
    """Return the seconds from opening a page until the screen has what its script draws."""
    tab = browser.new_page(viewport={"width": 1280, "height": 1000})
    began = time.perf_counter()
    tab.goto(page)
    tab.locator(".main-svg").first.wait_for()
    tab.evaluate(_NEXT_PICTURE)
    took = time.perf_counter() - began
    tab.close()
    return took


_NEXT_PICTURE = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"


# --- data -----------------------------------------------------------------------------


def history(*, images: int, each: int) -> pd.DataFrame:
    """Return intervals of four weeks: so many of each image, one after the other."""
    draw, size = np.random.default_rng(0), images * each
    start = START + np.sort(draw.integers(0, DAYS * DAY, (images, each)), axis=1)
    end = np.concatenate([start[:, 1:], np.full((images, 1), START + DAYS * DAY)], axis=1)
    image = np.repeat(np.arange(images), each)
    over = pd.Series(pd.to_datetime(end.ravel(), unit="us", utc=True)).astype(TIME)
    texts = {
        **dict(zip(KEY, placed(image), strict=True)),
        "state": draw.choice(STATES, size=size, p=SHARES),
        "state_transition_reason": ["Client.UserInitiated"] * size,
    }
    return pd.DataFrame(texts).astype(TEXT).assign(
        start=pd.Series(pd.to_datetime(start.ravel(), unit="us", utc=True)).astype(TIME),
        end=over.mask(np.arange(size) % each == each - 1),
        last_seen=over,
        start_exact=draw.random(size) < 0.7,
    )  # fmt: skip


def scan(accounts: int) -> pd.DataFrame:
    """Return the coverage of a sweep of some accounts; in one of 100 regions it failed."""
    draw, size = np.random.default_rng(0), accounts * len(REGIONS)
    account = np.repeat(np.arange(accounts), len(REGIONS))
    status = np.where(draw.random(size) < 0.01, "failed", "complete")
    images = draw.choice([0, 0, 1, 3, 8, 40], size)
    columns = {
        "account_id": [f"{number:012}" for number in account],
        "account_name": [f"team-{number}" for number in account],
        "region": REGIONS * accounts,
        "status": status,
        "rows": np.where(status == "complete", images, 0),
    }
    return pd.DataFrame(columns).reindex(columns=[c.name for c in COVERAGE]).astype(
        {column.name: column.dtype for column in COVERAGE}
    )  # fmt: skip


def placed(image: Any) -> list[list[str]]:
    """Return account, region and id of images by their numbers."""
    return [
        [f"{1 + n % 8:012}" for n in image],
        [f"eu-west-{n % 5}" for n in image],
        [f"ami-{n:017x}" for n in image],
    ]


if __name__ == "__main__":
    main()
