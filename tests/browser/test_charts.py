"""Charts as a browser draws them: words and marks keep apart, at every size."""

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
from tests.charts.test_capacity import metrics, stocked
from tests.charts.test_timeline import DAY, NOON, history, looks, told
from tests.helpers.browser import PLOT, opened, overlaps
from tests.helpers.cases import some
from tests.helpers.samples import item

LEVEL_TICKS = ".xtick text:not([transform*='rotate(45'])"  # those aslant have boxes of air
STATES = ("enabled", "enabling", "enabled-failed", "enabling-failed", "disabling", "some-new-state")


def fleet(count: int, states: tuple[str, ...], **fields: Any) -> pd.DataFrame:
    """Return images of two accounts: long names that differ in their middle, some the same."""
    items = [item(n, states[n % len(states)], **fields) for n in range(count)]
    images = fl.from_pages(items, region="ap-southeast-2", observed_at="2026-01-15T12:00:00Z")
    kinds = ("jenkins", "gitlab", "vs2022-build-tools")
    names = [f"windows-2022-{kinds[n % 3]}-agent-{n // 12}-x86_64" for n in range(count)]
    accounts = [("123456789012", "999988887777")[n % 2] for n in range(count)]
    images = images.assign(image_name=names, account_id=accounts)
    images["target_resource_count"] = images["target_resource_count"].where(images.index % 5 > 0)
    images["max_parallel_launches"] = [6 + n % 4 * 30 for n in range(count)]
    return images


FLEETS = {
    "5 images": fleet(5, STATES),
    "40 images": fleet(40, STATES),
    "500 images": fleet(500, STATES),
    "one state": fleet(12, STATES[:1]),
    "some stock": stocked(fleet(12, STATES)),
    "much stock": stocked(fleet(120, STATES)).assign(snapshots=50, snapshots_pending=2),
    "no target": fleet(6, STATES, SnapshotConfiguration={}).assign(max_parallel_launches=40),
    "no number": fl.from_pages([{"ImageId": "ami-00000001"}], observed_at="2026-01-15T12:00:00Z"),
    "nothing": fl.from_pages([]),
}


def page_with(folder: Path, *figures: Any) -> str:
    """Return the address of a page with these figures."""
    ways = ["inline", *["page"] * len(figures)]
    parts = [fl.embed(figure, plotlyjs=way) for figure, way in zip(figures, ways, strict=False)]  # type: ignore[call-overload]
    (folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{''.join(parts)}")
    return (folder / "page.html").as_uri()


def of_histories() -> list[Any]:
    """Return charts of histories: few images and many, in groups, as bars and as cells."""
    life = [
        ("enabling", 40_000),
        ("enabled", 90_000),
        ("enabled-failed", 9_000),
        ("unknown", 9_000),
    ]
    few, many = (history([life[n % 5 :] + life[: n % 5] for n in range(m)]) for m in (8, 600))
    accounts = [f"{int(image[-1]) % 3:012}" for image in few["image_id"]]
    few = few.assign(account_id=accounts, start_exact=False)
    few["image_name"] = "windows-2022-vs2022-build-tools-agent-x86_64 " + few["image_id"].str[-4:]
    covered = looks(9, 0)
    return [
        fl.timeline(few.head(1), coverage=covered),
        fl.timeline(few, coverage=covered, group="account"),
        fl.timeline(many, coverage=covered, group="state"),
        *(fl.state_mix(few, coverage=covered, by=by) for by in (None, "account", "image")),
    ]


def of_pools() -> list[Any]:
    """Return charts of pools: of groups, with all rows, over time, and of sizes."""
    images = stocked(fleet(120, STATES))
    seen = metrics(images, *[(n, k, 300, k % 6, 1, n % 3) for n in range(9) for k in range(99)])
    whole = "40 at 08:00 on weekdays"
    asked = ((whole, 0.99, 0.0), (whole, 0.9, 7200.0), (whole, 0.2, 7200.0), ("1 at 08:00", 1, 0.0))
    sizes = [(fl.right_size(text, warm=warm, spread=spread), warm) for text, warm, spread in asked]
    return [
        *(fl.capacity(images, by=by) for by in ("account", "region", "template")),
        fl.capacity(images, top=100),
        *(fl.capacity(images, metrics=seen, top=top) for top in (1, 9)),
        *(fl.sizing_curve(size, warm=warm) for size, warm in sizes),
    ]


@pytest.mark.parametrize("width", [1280, pytest.param(600, marks=pytest.mark.deep)])
def test_words_and_marks_keep_apart(browser: Browser, tmp_path: Path, width: int) -> None:
    """No label or note lies on another, on a mark or off the figure, whatever the fleet is."""
    figures = [chart(images) for images in FLEETS.values() for chart in (fl.timeline, fl.capacity)]
    figures += [*of_histories(), *of_pools()]
    with opened(browser, width) as page:
        page.goto(page_with(tmp_path, *figures))
        expect(page.locator(PLOT)).to_have_count(len(figures))
        for plot, figure in zip(page.locator(PLOT).all(), some(figures), strict=True):
            plot.scroll_into_view_if_needed()
            title = figure.layout.title.text
            expect(plot.locator(".gtitle").first).to_have_text(title)
            words = (
                ".gtitle, .gtitle-subtitle, .ytick text, .y2tick text, .annotation text, "
                ".selector-text, .textpoint text"
            )
            assert overlaps(plot, words) == [], title
            marks = ".point path, path.point, .heatmaplayer image"
            assert overlaps(plot, ".annotation text", ".point path, path.point") == [], title
            assert overlaps(plot, ".selector-rect, .gtitle-subtitle", marks) == [], title
            assert overlaps(plot, LEVEL_TICKS) == [], title


@pytest.mark.parametrize("colour", [255, 17])
def test_the_page_shines_through(page: Page, tmp_path: Path, colour: int) -> None:
    """On a light page and on a dark one a chart has the page's own background, and no other."""
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


@pytest.mark.parametrize("cells", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_times_are_utc_wherever_it_is_seen(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: bool
) -> None:
    """Across the start of summer time the axis, bars and words are those of UTC, in any zone."""
    monkeypatch.setattr(timeline, "MOST_BARS", 0 if cells else 3_000)
    runs = told((1, "enabling", 3, 1.5), (1, "enabled", 1.5, None))
    times = ["start", "end", "last_seen"]
    runs[times] += pd.Timestamp("2026-03-30T00:00:00Z") - NOON
    figure = fl.timeline(runs, since=None)
    seen = []
    for zone in ZONES:
        with opened(browser, zone=zone) as page:
            page.goto(page_with(tmp_path, figure))
            plot = page.locator(PLOT)
            ticks = plot.locator(".xtick text").all_text_contents()
            marks = plot.locator(".heatmaplayer image, .barlayer path")
            places = marks.evaluate_all("all => all.map(e => e.getBoundingClientRect().x)")
            box = plot.locator(".nsewdrag").first.bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
            seen.append((ticks, places, plot.locator(".hovertext").all_text_contents()))
            assert (
                page.evaluate("new Date(2026, 2, 30).toISOString()")[11:13] != "00" or zone == "UTC"
            )
    assert seen == [seen[-1]] * len(ZONES)
    assert any("00:00" in tick or "Mar 29" in tick for tick in seen[0][0])
    assert seen[0][1], "no bar and no cell is drawn"
    assert "2026-03-2" in seen[0][2][0]


@pytest.mark.parametrize("width", [1280, 600])
def test_buttons_show_the_last_days(browser: Browser, tmp_path: Path, width: int) -> None:
    """Each button shows that many days back from the last look, and the last one all of it."""
    figure = fl.timeline(told((1, "enabled", 40, None)), coverage=looks(40, 0), since=None)
    with opened(browser, width) as page:
        page.goto(page_with(tmp_path, figure))
        plot = page.locator(PLOT)
        for label, days in {"1 d": 1, "30 d": 30, "7 d": 7, "all": 40, "14 d": 14}.items():
            plot.locator(".button", has_text=re.compile(f"^{label}$")).click()
            shown = plot.evaluate("plot => plot.layout.xaxis.range")
            begin, end = (pd.Timestamp(moment, tz="UTC") for moment in shown)
            assert (end, end - begin) == (NOON, days * DAY), label


def test_the_strip_answers(page: Page, tmp_path: Path) -> None:
    """Hovering over the strip says when, and how many images were in which state."""
    runs = told((1, "enabling", 4, 2), (1, "enabled", 2, None), (2, "unknown", 4, None))
    page.goto(page_with(tmp_path, fl.timeline(runs, coverage=looks(4, 0))))
    box = page.locator(f"{PLOT} .nsewdrag").nth(1).bounding_box()
    assert box is not None
    for part, state in ((0.3, "1 enabling"), (0.7, "1 enabled")):
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] / 2)
        hover = page.locator(".hovertext")
        for words in ("2 images", "UTC", state, "1 unknown"):
            expect(hover).to_contain_text(words)


def test_cells_are_drawn_as_they_are(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """plotly.js draws the numbers that it is sent: each cell in its colour, and says its row."""
    monkeypatch.setattr(timeline, "MOST_BARS", 0)
    rows = [[("enabled", 86_400), ("enabling-failed", 86_400)], [("disabling", 2 * 86_400)]]
    figure = fl.timeline(history(rows), coverage=looks(4, 0), sort="name")
    page.goto(page_with(tmp_path, figure))
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
