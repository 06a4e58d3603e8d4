"""Charts in a browser: nothing overlaps, times are in UTC, and hover labels work."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import fastlaunch_nb as fl
from fastlaunch_nb.charts import style, timeline
from tests.charts.chart_helpers import DAY, NOON, SCAN, make_coverage, make_intervals, make_lives
from tests.charts.test_capacity import stocked
from tests.charts.test_capacity_over_time import make_metrics
from tests.helpers.browser import PLOT, find_overlaps, open_page
from tests.helpers.cases import some
from tests.helpers.samples import item

LEVEL_TICKS = ".xtick text:not([transform*='rotate(45'])"  # boxes of slanted ones are too large
STATES = ("enabled", "enabling", "enabled-failed", "enabling-failed", "disabling", "some-new-state")


def make_fleet(count: int, states: tuple[str, ...], **fields: Any) -> pd.DataFrame:
    """Return images of two accounts with long names that differ in their middle, or not at all."""
    items = [item(n, states[n % len(states)], **fields) for n in range(count)]
    images = fl.from_pages(items, region="ap-southeast-2", observed_at=SCAN)
    kinds = ("jenkins", "gitlab", "vs2022-build-tools")
    names = [f"windows-2022-{kinds[n % 3]}-agent-{n // 12}-x86_64" for n in range(count)]
    accounts = [("123456789012", "999988887777")[n % 2] for n in range(count)]
    images = images.assign(image_name=names, account_id=accounts)
    images["target_resource_count"] = images["target_resource_count"].where(images.index % 5 > 0)
    images["max_parallel_launches"] = [6 + n % 4 * 30 for n in range(count)]
    return images


FLEETS = {
    "5 images": make_fleet(5, STATES),
    "40 images": make_fleet(40, STATES),
    "500 images": make_fleet(500, STATES),
    "one state": make_fleet(12, STATES[:1]),
    "some stock": stocked(make_fleet(12, STATES)),
    "much stock": stocked(make_fleet(120, STATES)).assign(snapshots=50, snapshots_pending=2),
    "no target": make_fleet(6, STATES, SnapshotConfiguration={}).assign(max_parallel_launches=40),
    "no number": fl.from_pages([{"ImageId": "ami-00000001"}], observed_at=SCAN),
    "nothing": fl.from_pages([]),
}


def write_page(folder: Path, *figures: Any) -> str:
    """Write a page with these figures, and return its URL."""
    first, *others = figures
    fragments = [fl.embed(first), *(fl.embed(figure, plotlyjs="page") for figure in others)]
    (folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{''.join(fragments)}")
    return (folder / "page.html").as_uri()


def draw_histories() -> list[Any]:
    """Return charts of intervals: few images and many, in groups, as bars and as cells."""
    life = [
        ("enabling", 40_000),
        ("enabled", 90_000),
        ("enabled-failed", 9_000),
        ("unknown", 9_000),
    ]
    few, many = (make_lives([life[n % 5 :] + life[: n % 5] for n in range(m)]) for m in (8, 600))
    accounts = [f"{int(image[-1]) % 3:012}" for image in few["image_id"]]
    few = few.assign(account_id=accounts, start_exact=False)
    few["image_name"] = "windows-2022-vs2022-build-tools-agent-x86_64 " + few["image_id"].str[-4:]
    coverage = make_coverage(9, 0)
    return [
        fl.timeline(few.head(1), coverage=coverage),
        fl.timeline(few, coverage=coverage, group="account"),
        fl.timeline(many, coverage=coverage, group="state"),
        *(fl.state_mix(few, coverage=coverage, by=by) for by in (None, "account", "image")),
    ]


def draw_pools() -> list[Any]:
    """Return charts of pools: of groups, with all rows, over time, and of sizes."""
    images = stocked(make_fleet(120, STATES))
    numbers = make_metrics(
        images, *[(n, k, 300, k % 6, 1, n % 3) for n in range(9) for k in range(99)]
    )
    many, one = "40 at 08:00 on weekdays", "1 at 08:00"
    cases = ((many, 0.99, 0.0), (many, 0.9, 7200.0), (many, 0.2, 7200.0), (one, 1, 0.0))
    sizes = [
        (fl.right_size(text, min_warm_share=warm, jitter=spread), warm)
        for text, warm, spread in cases
    ]
    return [
        *(fl.capacity(images, by=by) for by in ("account", "region", "template")),
        fl.capacity(images, top=100),
        *(fl.capacity(images, metrics=numbers, top=top) for top in (1, 9)),
        *(fl.sizing_curve(size, min_warm_share=warm) for size, warm in sizes),
        *(
            fl.sizing_curve(size, current_target=size.target_count + more)
            for (size, _), more in zip(sizes, (0, 1, 30, 0), strict=True)
        ),
    ]


@pytest.mark.deep
@pytest.mark.parametrize("width", [1280, 600])
def test_text_and_marks_do_not_overlap(browser: Browser, tmp_path: Path, width: int) -> None:
    """No label or note lies on another, on a mark or off the figure, for any fleet."""
    figures = [chart(images) for images in FLEETS.values() for chart in (fl.timeline, fl.capacity)]
    figures += [*draw_histories(), *draw_pools()]
    with open_page(browser, width) as page:
        page.goto(write_page(tmp_path, *figures))
        expect(page.locator(PLOT)).to_have_count(len(figures))
        for plot, figure in zip(page.locator(PLOT).all(), some(figures), strict=True):
            plot.scroll_into_view_if_needed()
            title = figure.layout.title.text
            expect(plot.locator(".gtitle").first).to_have_text(title)
            texts = (
                ".gtitle, .gtitle-subtitle, .ytick text, .y2tick text, .annotation text, "
                ".selector-text, .textpoint text"
            )
            assert find_overlaps(plot, texts) == [], title
            marks = ".point path, path.point, .heatmaplayer image"
            assert find_overlaps(plot, ".annotation text", ".point path, path.point") == [], title
            assert find_overlaps(plot, ".selector-rect, .gtitle-subtitle", marks) == [], title
            assert find_overlaps(plot, LEVEL_TICKS) == [], title


@pytest.mark.parametrize("colour", [255, 17])
def test_a_chart_is_transparent(page: Page, tmp_path: Path, colour: int) -> None:
    """A chart has the background of its page, on a light page and on a dark one."""
    fragment = fl.embed(fl.timeline(FLEETS["5 images"]))
    css = f"background: rgb({colour}, {colour}, {colour})"
    (tmp_path / "page.html").write_text(f"<!doctype html><body style='{css}'>{fragment}")
    page.goto((tmp_path / "page.html").as_uri())
    plot = page.locator(PLOT)
    plot.locator(".ytick text").first.wait_for()
    picture = Image.open(io.BytesIO(plot.screenshot())).convert("RGB")
    colours = picture.getcolors(1 << 24)
    assert colours is not None
    assert max(colours)[1] == (colour, colour, colour)
    assert picture.getpixel((2, 2)) == picture.getpixel((picture.width - 3, picture.height - 3))


ZONES = ("Europe/Berlin", "America/New_York", "UTC")


@pytest.mark.deep
@pytest.mark.parametrize("cells", [False, True])
def test_times_are_utc_in_every_time_zone(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: bool
) -> None:
    """The axis, bars and labels are in UTC in any zone, also when summer time begins."""
    monkeypatch.setattr(timeline, "MOST_BARS", 0 if cells else 3_000)
    intervals = make_intervals((1, "enabling", 3, 1.5), (1, "enabled", 1.5, None))
    times = ["start", "end", "last_seen"]
    intervals[times] += pd.Timestamp("2026-03-30T00:00:00Z") - NOON
    figure = fl.timeline(intervals, since=None)
    views = []
    for zone in ZONES:
        with open_page(browser, zone=zone) as page:
            page.goto(write_page(tmp_path, figure))
            plot = page.locator(PLOT)
            ticks = plot.locator(".xtick text").all_text_contents()
            marks = plot.locator(".heatmaplayer image, .barlayer path")
            positions = marks.evaluate_all("all => all.map(e => e.getBoundingClientRect().x)")
            box = plot.locator(".nsewdrag").first.bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
            views.append((ticks, positions, plot.locator(".hovertext").all_text_contents()))
            local_hour = page.evaluate("new Date(2026, 2, 30).toISOString()")[11:13]
            assert local_hour != "00" or zone == "UTC"
    assert views == [views[-1]] * len(ZONES)
    ticks, positions, labels = views[0]
    assert any("00:00" in tick or "Mar 29" in tick for tick in ticks)
    assert positions, "no bar and no cell is drawn"
    assert "2026-03-2" in labels[0]


@pytest.mark.parametrize("width", [600, pytest.param(1280, marks=pytest.mark.deep)])
def test_buttons_show_the_last_days(browser: Browser, tmp_path: Path, width: int) -> None:
    """Each button zooms to that many days before the last scan, and the last one to all of them."""
    intervals = make_intervals((1, "enabled", 40, None))
    figure = fl.timeline(intervals, coverage=make_coverage(40, 0), since=None)
    with open_page(browser, width) as page:
        page.goto(write_page(tmp_path, figure))
        plot = page.locator(PLOT)
        for label, days in {"1 d": 1, "30 d": 30, "7 d": 7, "all": 40, "14 d": 14}.items():
            plot.locator(".button", has_text=re.compile(f"^{label}$")).click()
            axis = plot.evaluate("plot => plot.layout.xaxis.range")
            begin, end = (pd.Timestamp(time, tz="UTC") for time in axis)
            assert (end, end - begin) == (NOON, days * DAY), label


def test_the_strip_has_hover_labels(page: Page, tmp_path: Path) -> None:
    """The hover label of the strip gives the time, and the number of images in each state."""
    intervals = make_intervals(
        (1, "enabling", 4, 2), (1, "enabled", 2, None), (2, "unknown", 4, None)
    )
    page.goto(write_page(tmp_path, fl.timeline(intervals, coverage=make_coverage(4, 0))))
    box = page.locator(f"{PLOT} .nsewdrag").nth(1).bounding_box()
    assert box is not None
    for across, state in ((0.3, "1 enabling"), (0.7, "1 enabled")):
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] / 2)
        label = page.locator(".hovertext")
        for text in ("2 images", "UTC", state, "1 unknown"):
            expect(label).to_contain_text(text)


def test_cells_have_their_colours(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """plotly.js draws each cell in the colour of its state, with its row in the hover label."""
    monkeypatch.setattr(timeline, "MOST_BARS", 0)
    lives = [[("enabled", 86_400), ("enabling-failed", 86_400)], [("disabling", 2 * 86_400)]]
    figure = fl.timeline(make_lives(lives), coverage=make_coverage(4, 0), sort="name")
    page.goto(write_page(tmp_path, figure))
    image = page.locator(f"{PLOT} .heatmaplayer image").first
    image.wait_for()
    picture = Image.open(io.BytesIO(page.locator(PLOT).screenshot())).convert("RGB")
    box, plot = (
        page.locator(f"{PLOT} .nsewdrag").first.bounding_box(),
        page.locator(PLOT).bounding_box(),
    )
    assert box is not None
    assert plot is not None

    def at(across: float, down: float) -> tuple[float, float]:
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    for across, down, expected in (
        (0.2, 0.25, "#ffffff"),
        (0.6, 0.25, style.state_style("enabled").colour),
        (0.9, 0.25, style.state_style("enabling-failed").colour),
        (0.9, 0.75, style.state_style("disabling").colour),
    ):
        x, y = at(across, down)
        pixel: Any = picture.getpixel((round(x - plot["x"]), round(y - plot["y"])))
        assert "#{:02x}{:02x}{:02x}".format(*pixel) == expected, (across, down)
    page.mouse.move(*at(0.9, 0.25))
    expect(page.locator(".hovertext")).to_contain_text("ami-00000000000000000")
    expect(page.locator(".hovertext")).to_contain_text("2026-01-15")
