"""The range of the panel: what it means to Filters, and what it does in a real browser."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Locator, Page, expect

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.controls import RangeSlider, SuppressShortcuts
from fastlaunch_nb.filters.facet_index import FacetIndex, Histogram
from tests.helpers.control_page import Staged, sent_by
from tests.helpers.samples import HOSTILE, item

TIMES = st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01")).map(
    lambda moment: pd.Timestamp(moment, tz="UTC").as_unit("us")
)
VALUES: dict[str, Any] = {
    "max_parallel_launches": st.integers(0, 2**53),
    "state_transition_time": TIMES,
}


def spread(name: str, values: list[Any], bins: int = 10) -> tuple[FacetIndex, Histogram]:
    """Return a frame that has these values of a range, and how they spread."""
    field = name.title().replace("_", "")
    items = [item(place, **{field: value}) for place, value in enumerate(values)]
    faceted = FacetIndex(fl.from_pages(items))
    return faceted, faceted.histogram({}, name, bins)


def slider_of(name: str, values: list[Any], ends: Any = None, bins: int = 10) -> RangeSlider:
    slider = RangeSlider("Target snapshots")
    slider.show(spread(name, values, bins)[1], ends)
    return slider


# --- what a range means ---------------------------------------------------------------


@st.composite
def shown(draw: st.DrawFn) -> tuple[RangeSlider, Any]:
    """Give a slider that shows values of either kind, and any ends, and these ends."""
    name = draw(st.sampled_from(sorted(VALUES)))
    some = VALUES[name]
    between = st.lists(some, min_size=2, max_size=2).map(sorted).map(tuple)
    ends = draw(st.none() | between | st.tuples(some, st.none()) | st.tuples(st.none(), some))
    return slider_of(name, draw(st.lists(some, max_size=5)), ends), ends


@given(shown())
def test_showing_a_range_does_not_change_it(case: tuple[RangeSlider, Any]) -> None:
    """Whatever the ends are, to the microsecond and beyond all values: they come back as given."""
    slider, ends = case
    assert slider.chosen == ends


@given(shown(), st.sampled_from(["low", "high"]), st.integers(0, 2**40))
def test_a_move_changes_the_end_that_moved(
    case: tuple[RangeSlider, Any], end: str, number: int
) -> None:
    """One end moves, the other stays exactly what it was; whoever listens is called once."""
    slider, ends = case
    heard: list[Any] = []
    slider.on_change(lambda moved: heard.append(moved.chosen))
    slider.set_state({end: number})
    before, after = ends or (None, None), slider.chosen or (None, None)
    moved, other = (0, 1) if end == "low" else (1, 0)
    assert after[other] == before[other]
    assert heard == [slider.chosen] * (after[moved] != before[moved])


@pytest.mark.parametrize(
    ("end", "after"), [("low", (9, 2**63 - 1)), ("high", (2**62 + 1, 2**63 - 1024))]
)
def test_the_other_end_stays_though_the_browser_has_no_such_number(end: str, after: Any) -> None:
    """What a browser would round is not taken back from it, unless it has moved."""
    slider = slider_of("max_parallel_launches", [6, 20], (2**62 + 1, 2**63 - 1))
    slider.set_state({end: after[end == "high"]})
    assert slider.chosen == after


def test_two_ends_that_move_at_once_are_one_change() -> None:
    """A thumb that pushes the other one along is heard of once, with both ends as they are then."""
    slider = slider_of("max_parallel_launches", [6, 20])
    heard: list[Any] = []
    slider.on_change(lambda moved: heard.append(moved.chosen))
    slider.set_state({"low": 9, "high": 9})
    slider.set_state({"low": None, "high": None})
    assert heard == [(9, 9), None]


@given(st.lists(TIMES, min_size=1, max_size=30), st.integers(1, 12), st.data())
def test_bins_that_look_chosen_are_kept(
    values: list[pd.Timestamp], bins: int, data: st.DataObject
) -> None:
    """From an edge to just before another: the rows kept are those of the bins in between."""
    name = "state_transition_time"
    faceted, histogram = spread(name, values, bins)
    slider = RangeSlider("Since")
    slider.show(histogram, None)
    low = data.draw(st.integers(0, len(histogram.counts) - 1))
    high = data.draw(st.integers(low + 1, len(histogram.counts)))
    end = (round(slider.edges[high] * 1000) - 1) / 1000  # as range_slider.js says it
    slider.set_state({"low": slider.edges[low], "high": end})
    filters = fl.Filters(state_transition_time=slider.chosen)
    assert faceted.keep(filters.active()).sum() == histogram.counts[low:high].sum()


def test_it_is_shown_in_one_message() -> None:
    """Histogram and ends reach the browser together; what it has already is not sent again."""
    slider = slider_of("max_parallel_launches", [6, 20])
    sent = sent_by(slider)
    histogram = spread("max_parallel_launches", [6, None, 9])[1]
    slider.show(histogram, (7, None))
    ((message, _),) = sent
    assert message["state"].keys() == {"edges", "counts", "unknown", "low"}
    assert message["state"]["counts"] == [1, 0, 0, 1]
    slider.show(histogram, (7, None))
    assert len(sent) == 1


# --- a range in a browser -------------------------------------------------------------


class Shown(Staged):
    """A slider on a page."""

    @property
    def saved(self) -> list[dict[str, Any]]:
        """What the kernel was told, a change each."""
        saved: list[dict[str, Any]] = self.page.evaluate("model.saved")
        return saved

    def thumb(self, end: str) -> Locator:
        """Return the thumb of an end: "from" or "to"."""
        return self.page.get_by_role("slider", name=f"Target snapshots, {end}")

    def said(self, end: str) -> str | None:
        """Return what a screen reader says of an end."""
        return self.thumb(end).get_attribute("aria-valuetext")

    @property
    def words(self) -> str:
        """The line below the thumbs."""
        return self.page.locator(".fl-said").inner_text()

    def grab(self, end: str) -> tuple[float, float]:
        """Put the mouse on a thumb, and press; return where that was."""
        box = self.thumb(end).bounding_box()
        assert box
        value, most = (float(self.thumb(end).evaluate(f"e => e.{n}")) for n in ("value", "max"))
        x = box["x"] + 10 + value / most * (box["width"] - 20)
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        return x, y


def counts(page: Page, ends: Any = None, *, still: bool = False) -> Shown:
    """Show a slider over counts from 1 to 10, of which 5 rows have no value."""
    values: list[Any] = [1, 1, 2, 5, 10, *[None] * 5]
    return Shown(page, slider_of("max_parallel_launches", values, ends), still=still)


def test_keys_move_a_thumb(page: Page) -> None:
    """Arrows, Home and End move the ends; each press is told at once, and only what changed."""
    shown = counts(page)
    shown.thumb("from").press("ArrowRight")
    shown.thumb("to").press("ArrowLeft")
    shown.thumb("from").press("Home")
    shown.thumb("to").press("End")
    assert shown.saved == [{"low": 2}, {"high": 9}, {"low": None}, {"high": None}]


def test_it_says_the_range_in_words(page: Page) -> None:
    """Each thumb says where it is, "any" where it is open; a line says the range."""
    shown = counts(page)
    assert (shown.said("from"), shown.said("to")) == ("any", "any")
    assert shown.words.split("\n") == ["all", "5 unknown"]
    shown.told(low=3)
    assert (shown.said("from"), shown.words.split("\n")[0]) == ("3", "from 3")
    shown.told(high=3)
    assert shown.words.split("\n")[0] == "3"
    shown.told(low=None)
    assert shown.words.split("\n")[0] == "up to 3"
    shown.told(edges=[1000, 4000, 7000], counts=[3, 2], low=4000, high=6998, unknown=0)
    assert (shown.said("from"), shown.said("to")) == ("4,000", "6,998")
    assert shown.words.strip() == "4,000 – 6,998"
    assert page.locator("h4").inner_text() == "Target snapshots"


def test_it_says_times_in_utc(page: Page) -> None:
    """Times are said to the minute, in UTC, wherever the viewer is."""
    moments = [pd.Timestamp(f"2026-01-0{day}T09:30:15Z") for day in (1, 2, 5)]
    exact = pd.Timestamp("2026-01-02T03:04:05Z")
    slider = slider_of("state_transition_time", moments, (exact, None), bins=4)
    shown = Shown(page, slider)
    assert shown.said("from") == "2026-01-02 03:04 UTC"
    assert shown.words.strip() == "since 2026-01-02 03:04 UTC"
    assert shown.thumb("from").input_value() == "0"  # it is in the first of four bins
    shown.thumb("to").press("ArrowLeft")
    assert shown.words.strip() == "2026-01-02 03:04 – 2026-01-04 09:30 UTC"
    ends = page.locator(".fl-said span span")
    page.locator("main").evaluate("e => { e.style.width = '210px'; }")
    tops = "e => new Set([...e.getClientRects()].map(box => box.top)).size"
    assert ends.evaluate_all(f"all => all.map({tops})") == [1, 1]  # no line ends within a time
    assert shown.saved == [{"high": (round(slider.edges[3] * 1000) - 1) / 1000}]


def test_thumbs_never_cross(page: Page) -> None:
    """A thumb that reaches the other one pushes it along; both are told in one message."""
    shown = counts(page, (3, 4))
    for _ in range(3):
        shown.thumb("from").press("ArrowRight")
    assert shown.saved == [{"low": 4}, {"low": 5, "high": 5}, {"low": 6, "high": 6}]
    shown.thumb("from").press("End")
    assert shown.saved[-1] == {"low": 10, "high": None}
    shown.thumb("to").press("Home")
    assert shown.saved[-1] == {"low": None, "high": 1}
    shown.told(low=7, high=9)
    shown.thumb("to").press("ArrowLeft")
    assert shown.saved[-1] == {"high": 8}
    shown.told(low=None, high=0)
    assert shown.thumb("to").input_value() == "1"


@pytest.mark.parametrize("end", ["from", "to"])
def test_a_drag_is_told_when_it_pauses(page: Page, end: str) -> None:
    """While dragging, the page follows at once; the kernel is told once, after 200 ms."""
    shown = counts(page, still=True)
    x, y = shown.grab(end)
    step = 60 if end == "from" else -60
    page.mouse.move(x + 3 * step, y)
    page.clock.run_for(150)
    page.mouse.move(x + 4 * step, y)
    assert shown.said(end) != "any"
    page.clock.run_for(199)
    assert shown.saved == []
    page.clock.run_for(1)
    assert len(shown.saved) == 1
    page.mouse.up()
    page.clock.run_for(1000)
    assert len(shown.saved) == 1
    (message,) = shown.saved
    assert [f"{value:,}" for value in message.values()] == [shown.said(end)]


def test_letting_go_tells_at_once(page: Page) -> None:
    """Whoever lets go of a thumb waits for nothing; one that came back tells nothing."""
    shown = counts(page, still=True)
    x, y = shown.grab("from")
    page.mouse.move(x + 300, y)
    page.mouse.up()
    assert len(shown.saved) == 1
    x, y = shown.grab("from")
    page.mouse.move(x + 300, y)
    page.mouse.move(x, y)
    page.mouse.up()
    page.clock.run_for(1000)
    assert len(shown.saved) == 1


def test_the_kernel_is_not_told_what_it_said(page: Page) -> None:
    """Whatever the kernel changes is drawn, and nothing is sent back."""
    shown = counts(page, still=True)
    shown.told(low=3, high=7)
    shown.told(counts=[0, 9, 0, 0, 0, 0, 0, 0, 0, 1])
    shown.told(edges=[0, 1, 2, 3], counts=[1, 1, 1])
    page.clock.run_for(1000)
    assert shown.saved == []
    assert page.locator(".fl-strong i").count() == 3


def test_what_a_person_drags_stays_in_hand(page: Page) -> None:
    """What the kernel says of an earlier move does not pull the thumb away under the hand."""
    shown = counts(page, still=True)
    x, y = shown.grab("from")
    page.mouse.move(x + 400, y)
    before = shown.said("from")
    shown.told(low=2, counts=[1] * 5 + [0] * 5)
    assert shown.said("from") == before
    page.mouse.up()
    assert [f"{message['low']:,}" for message in shown.saved] == [before]


def test_bars_between_the_thumbs_are_strong(page: Page) -> None:
    """The strong bars reach from one thumb to the other, and are as high as their counts."""
    shown = counts(page, (3, 7))
    strong = page.locator(".fl-strong")
    assert strong.evaluate("e => getComputedStyle(e).clipPath") == "inset(0px 30% 0px 20%)"
    bars = strong.locator("i")
    heights = bars.evaluate_all("all => all.map(e => e.style.height)")
    assert heights[:2] == ["max(2px, 100%)", "max(2px, 50%)"]
    assert heights[2] == "0px"
    assert bars.nth(0).get_attribute("title") == "1: 2"
    edges = [shown.thumb(end).bounding_box() for end in ("from", "to")]
    box = strong.bounding_box()
    assert box
    assert [edge and edge["x"] for edge in edges] == [box["x"] - 20, box["x"]]


def test_a_wide_span_steps_in_bins(page: Page) -> None:
    """Counts over more than a thousand whole numbers are chosen by bins, fewer one by one."""
    shown = Shown(page, slider_of("max_parallel_launches", [1, 1000]))
    assert shown.thumb("from").get_attribute("max") == "1000"
    edges = [0, 1000, 2000]
    shown.told(edges=edges, counts=[1, 1])
    assert shown.thumb("from").get_attribute("max") == "2"
    shown.thumb("from").press("ArrowRight")
    assert shown.saved == [{"low": 1000}]


@pytest.mark.parametrize("values", [[], [None], [7]])
def test_nothing_to_choose(page: Page, values: list[Any]) -> None:
    """Where no row has a value it says so; where all have the same, no thumb can move."""
    shown = Shown(page, slider_of("max_parallel_launches", values))
    assert shown.words.split("\n")[0].strip() == ("all" if values == [7] else "no values")
    assert shown.thumb("from").is_disabled()
    assert shown.thumb("to").is_disabled()
    clip = page.locator(".fl-strong").evaluate("e => getComputedStyle(e).clipPath")
    assert clip.endswith(" 100%)") == (values != [7])


def test_text_stays_text(page: Page, alerts: list[str]) -> None:
    """A label is shown as it is, whatever it would like to be."""
    slider = RangeSlider(HOSTILE)
    slider.show(spread("max_parallel_launches", [1, 9])[1], None)
    Shown(page, slider)
    assert page.locator("h4").text_content() == HOSTILE
    assert alerts == []


def test_a_view_that_goes_leaves_nothing(page: Page) -> None:
    """A closed view listens no more, and tells first what was moved last."""
    shown = counts(page)
    page.evaluate("document.querySelector('.fl-from').value = 4")
    shown.thumb("from").dispatch_event("input")
    page.evaluate("cleanup()")
    assert page.evaluate("Object.values(model.heard).flat().length") == 0
    assert page.locator(".fl-slider").count() == 0
    assert shown.saved == [{"low": 5}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(page: Page, scheme: Any) -> None:
    """axe finds nothing serious, light or dark."""
    page.emulate_media(color_scheme=scheme)
    counts(page, (3, None))
    page.add_style_tag(content=":root { color-scheme: light dark; }")
    found = Axe().run(page).response["violations"]
    assert [f for f in found if f["impact"] in ("serious", "critical")] == []


def test_a_thumb_is_large_and_shows_where_keys_go(page: Page) -> None:
    """A finger finds a thumb within 20 pixels, nothing beside it; keys on it draw a ring."""
    shown = Shown(page, slider_of("max_parallel_launches", [1, 9]))
    box = shown.thumb("from").bounding_box()
    assert box
    at = "([x, y]) => document.elementFromPoint(x, y).className"
    middle = box["y"] + box["height"] / 2
    hit = [page.evaluate(at, [box["x"] + x, middle]) == "fl-from" for x in range(30)]
    assert hit == [True] * 20 + [False] * 10
    before = page.screenshot()
    page.keyboard.press("Tab")
    assert shown.thumb("from").evaluate("e => e.matches(':focus-visible')")
    assert page.screenshot() != before


def test_keys_are_left_to_what_needs_them(page: Page) -> None:
    """JupyterLab leaves keys to what bears its attribute: all that takes focus, later parts too."""
    Staged(page, SuppressShortcuts())
    marked = page.locator("[data-lm-suppress-shortcuts]")
    html = "<button></button><select></select><input><p></p><table><tr tabindex=0></table>"
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", html)
    expect(marked).to_have_count(4)
