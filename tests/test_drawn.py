"""Charts as a browser draws them: words and marks keep apart, at every size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import fastlaunch_nb as fl

from .browser import PLOT, opened, overlaps
from .conftest import item

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
    "no target": fleet(6, STATES, SnapshotConfiguration={}).assign(max_parallel_launches=40),
    "no number": fl.from_pages([{"ImageId": "ami-00000001"}], observed_at="2026-01-15T12:00:00Z"),
    "no match": fl.Filters(text="zzz").apply(fleet(5, STATES)),
    "nothing": fl.from_pages([]),
}


@pytest.mark.parametrize("width", [1280, 600])
def test_words_and_marks_keep_apart(browser: Browser, tmp_path: Path, width: int) -> None:
    """No label or note lies on another, on a mark or off the figure, whatever the fleet is."""
    figures = [chart(images) for images in FLEETS.values() for chart in (fl.timeline, fl.capacity)]
    ways = ["inline", *["page"] * len(figures)]
    parts = [fl.embed(figure, plotlyjs=way) for figure, way in zip(figures, ways, strict=False)]  # type: ignore[call-overload]
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{''.join(parts)}")
    with opened(browser, width) as page:
        page.goto((tmp_path / "page.html").as_uri())
        expect(page.locator(PLOT)).to_have_count(len(figures))
        for plot, figure in zip(page.locator(PLOT).all(), figures, strict=True):
            plot.scroll_into_view_if_needed()
            title = figure.layout.title.text
            expect(plot.locator(".gtitle").first).to_have_text(title)
            words = ".gtitle, .gtitle-subtitle, .ytick text, .annotation text"
            assert overlaps(plot, words) == [], title
            assert overlaps(plot, ".annotation text", ".point path, path.point") == [], title
            assert overlaps(plot, LEVEL_TICKS) == [], title


@pytest.mark.parametrize("colour", [255, 17])
def test_the_page_shines_through(page: Page, tmp_path: Path, colour: int) -> None:
    """On a light page and on a dark one a chart has the page's own background, and no other."""
    fragment = fl.embed(fl.timeline(FLEETS["5 images"]))
    style = f"background: rgb({colour}, {colour}, {colour})"
    (tmp_path / "page.html").write_text(f"<!doctype html><body style='{style}'>{fragment}")
    page.goto((tmp_path / "page.html").as_uri())
    plot = page.locator(PLOT)
    plot.locator(".ytick text").first.wait_for()
    picture = Image.open(io.BytesIO(plot.screenshot())).convert("RGB")
    colours = picture.getcolors(1 << 24)
    assert colours is not None
    assert max(colours)[1] == (colour, colour, colour)
    assert picture.getpixel((2, 2)) == picture.getpixel((picture.width - 3, picture.height - 3))
