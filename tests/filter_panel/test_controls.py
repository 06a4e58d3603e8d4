"""The range slider and the shortcuts: what Filters gets, and the behaviour in a browser."""

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
from tests.helpers.control_page import ControlPage, record_messages
from tests.helpers.samples import HOSTILE, item

TIMES = st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01")).map(
    lambda time: pd.Timestamp(time, tz="UTC").as_unit("us")
)
VALUES: dict[str, Any] = {
    "max_parallel_launches": st.integers(0, 2**53),
    "state_transition_time": TIMES,
}


def make_histogram(name: str, values: list[Any], bins: int = 10) -> tuple[FacetIndex, Histogram]:
    """Return the index of images with these values of a range, and their histogram."""
    field = name.title().replace("_", "")
    items = [item(number, **{field: value}) for number, value in enumerate(values)]
    index = FacetIndex(fl.from_pages(items))
    return index, index.histogram({}, name, bins)


def make_slider(name: str, values: list[Any], ends: Any = None, bins: int = 10) -> RangeSlider:
    """Return a slider that shows the histogram of these values, and a range."""
    slider = RangeSlider("Target snapshots")
    slider.show(make_histogram(name, values, bins)[1], ends)
    return slider


# --- the range ------------------------------------------------------------------------


@st.composite
def sliders(draw: st.DrawFn) -> tuple[RangeSlider, Any]:
    """Draw a slider that shows counts or times and any range, and this range."""
    name = draw(st.sampled_from(sorted(VALUES)))
    value = VALUES[name]
    pair = st.lists(value, min_size=2, max_size=2).map(sorted).map(tuple)
    ends = draw(st.none() | pair | st.tuples(value, st.none()) | st.tuples(st.none(), value))
    return make_slider(name, draw(st.lists(value, max_size=5)), ends), ends


@given(sliders())
def test_showing_a_range_does_not_change_it(case: tuple[RangeSlider, Any]) -> None:
    """A slider returns the ends it shows exactly, to the microsecond and beyond all values."""
    slider, ends = case
    assert slider.value == ends


@given(sliders(), st.sampled_from(["low", "high"]), st.integers(0, 2**40))
def test_a_move_changes_the_end_that_moved(
    case: tuple[RangeSlider, Any], end: str, number: int
) -> None:
    """One end moves, the other stays exactly as it was; the callback runs once."""
    slider, ends = case
    values: list[Any] = []
    slider.on_change = lambda changed: values.append(changed.value)
    slider.set_state({end: number})
    before, after = ends or (None, None), slider.value or (None, None)
    moved, other = (0, 1) if end == "low" else (1, 0)
    assert after[other] == before[other]
    assert values == [slider.value] * (after[moved] != before[moved])


@pytest.mark.parametrize(
    ("end", "after"), [("low", (9, 2**63 - 1)), ("high", (2**62 + 1, 2**63 - 1024))]
)
def test_an_end_that_the_browser_rounds_stays_exact(end: str, after: Any) -> None:
    """The slider does not take an end from the browser, which may round it, until it moves."""
    slider = make_slider("max_parallel_launches", [6, 20], (2**62 + 1, 2**63 - 1))
    slider.set_state({end: after[end == "high"]})
    assert slider.value == after


def test_two_ends_that_move_at_once_are_one_change() -> None:
    """A thumb that pushes the other one causes one callback, with both ends."""
    slider = make_slider("max_parallel_launches", [6, 20])
    values: list[Any] = []
    slider.on_change = lambda changed: values.append(changed.value)
    slider.set_state({"low": 9, "high": 9})
    slider.set_state({"low": None, "high": None})
    assert values == [(9, 9), None]


@given(st.lists(TIMES, min_size=1, max_size=30), st.integers(1, 12), st.data())
def test_a_range_of_bins_has_their_rows(
    values: list[pd.Timestamp], bins: int, data: st.DataObject
) -> None:
    """From an edge to just before another, exactly the rows of the bins in between match."""
    name = "state_transition_time"
    index, histogram = make_histogram(name, values, bins)
    slider = RangeSlider("Since")
    slider.show(histogram, None)
    low = data.draw(st.integers(0, len(histogram.counts) - 1))
    high = data.draw(st.integers(low + 1, len(histogram.counts)))
    end = (round(slider.edges[high] * 1000) - 1) / 1000  # as range_slider.js sends it
    slider.set_state({"low": slider.edges[low], "high": end})
    filters = fl.Filters(state_transition_time=slider.value)
    assert index.keep(filters.active()).sum() == histogram.counts[low:high].sum()


def test_one_message_shows_histogram_and_range() -> None:
    """The browser gets histogram and range together, and nothing that it already has."""
    slider = make_slider("max_parallel_launches", [6, 20])
    messages = record_messages(slider)
    histogram = make_histogram("max_parallel_launches", [6, None, 9])[1]
    slider.show(histogram, (7, None))
    ((message, _),) = messages
    assert message["state"].keys() == {"edges", "counts", "unknown", "low"}
    assert message["state"]["counts"] == [1, 0, 0, 1]
    slider.show(histogram, (7, None))
    assert len(messages) == 1


# --- the range slider in a browser ----------------------------------------------------


class SliderPage(ControlPage):
    """A page with a range slider."""

    @property
    def saved(self) -> list[dict[str, Any]]:
        """The changes that the kernel got."""
        saved: list[dict[str, Any]] = self.page.evaluate("model.saved")
        return saved

    def thumb(self, end: str) -> Locator:
        """Return the thumb of an end: "from" or "to"."""
        return self.page.get_by_role("slider", name=f"Target snapshots, {end}")

    def read_thumb(self, end: str) -> str | None:
        """Return the value of a thumb as screen readers get it."""
        return self.thumb(end).get_attribute("aria-valuetext")

    def read_caption(self) -> list[str]:
        """Return the texts below the thumbs: the range, and the number of unknown values."""
        return self.page.locator(".fl-caption").inner_text().strip().split("\n")

    def press(self, end: str) -> tuple[float, float]:
        """Press the mouse on a thumb; return its position."""
        box = self.thumb(end).bounding_box()
        assert box
        value, largest = (float(self.thumb(end).evaluate(f"e => e.{n}")) for n in ("value", "max"))
        x = box["x"] + 10 + value / largest * (box["width"] - 20)
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        return x, y


def open_counts(page: Page, ends: Any = None, *, pause_clock: bool = False) -> SliderPage:
    """Open a slider over counts from 1 to 10, with 5 rows of unknown value."""
    values: list[Any] = [1, 1, 2, 5, 10, *[None] * 5]
    slider = make_slider("max_parallel_launches", values, ends)
    return SliderPage(page, slider, pause_clock=pause_clock)


def test_keys_move_a_thumb(page: Page) -> None:
    """Arrows, Home and End move a thumb; each press saves at once the end that changed."""
    control = open_counts(page)
    control.thumb("from").press("ArrowRight")
    control.thumb("to").press("ArrowLeft")
    control.thumb("from").press("Home")
    control.thumb("to").press("End")
    assert control.saved == [{"low": 2}, {"high": 9}, {"low": None}, {"high": None}]


def test_it_shows_the_range_as_text(page: Page) -> None:
    """Each thumb has its value as text, "any" if it is open; a caption has both ends anyway."""
    control = open_counts(page)
    assert (control.read_thumb("from"), control.read_thumb("to")) == ("any", "any")
    assert control.read_caption() == ["1 – 10", "5 unknown"]
    control.receive(low=3)
    assert (control.read_thumb("from"), control.read_caption()[0]) == ("3", "3 – 10")
    control.receive(high=3)
    assert control.read_caption()[0] == "3"
    control.receive(low=None)
    assert control.read_caption()[0] == "1 – 3"
    control.receive(edges=[1000, 4000, 7000], counts=[3, 2], low=4000, high=6998, unknown=0)
    assert (control.read_thumb("from"), control.read_thumb("to")) == ("4,000", "6,998")
    assert control.read_caption() == ["4,000 – 6,998"]
    assert page.locator(".fl-title").inner_text() == "Target snapshots"


def test_it_shows_times_in_utc(page: Page) -> None:
    """Times appear to the minute, in UTC, in any time zone of the viewer."""
    times = [pd.Timestamp(f"2026-01-0{day}T09:30:15Z") for day in (1, 2, 5)]
    exact = pd.Timestamp("2026-01-02T03:04:05Z")
    slider = make_slider("state_transition_time", times, (exact, None), bins=4)
    control = SliderPage(page, slider)
    assert control.read_thumb("from") == "2026-01-02 03:04 UTC"
    assert control.read_caption() == ["2026-01-02 03:04 – 2026-01-05 09:30 UTC"]
    assert control.thumb("from").input_value() == "0"  # the time is in the first of four bins
    control.thumb("to").press("ArrowLeft")
    assert control.read_caption() == ["2026-01-02 03:04 – 2026-01-04 09:30 UTC"]
    ends = page.locator(".fl-caption span span")
    page.locator("main").evaluate("e => { e.style.width = '210px'; }")
    tops = "e => new Set([...e.getClientRects()].map(box => box.top)).size"
    assert ends.evaluate_all(f"all => all.map({tops})") == [1, 1]  # no time wraps
    assert control.saved == [{"high": (round(slider.edges[3] * 1000) - 1) / 1000}]


def test_thumbs_never_cross(page: Page) -> None:
    """A thumb that reaches the other one pushes it; one message has both ends."""
    control = open_counts(page, (3, 4))
    for _ in range(3):
        control.thumb("from").press("ArrowRight")
    assert control.saved == [{"low": 4}, {"low": 5, "high": 5}, {"low": 6, "high": 6}]
    control.thumb("from").press("End")
    assert control.saved[-1] == {"low": 10, "high": None}
    control.thumb("to").press("Home")
    assert control.saved[-1] == {"low": None, "high": 1}
    control.receive(low=7, high=9)
    control.thumb("to").press("ArrowLeft")
    assert control.saved[-1] == {"high": 8}
    control.receive(low=None, high=0)
    assert control.thumb("to").input_value() == "1"


@pytest.mark.parametrize("end", ["from", "to"])
def test_a_drag_is_saved_when_it_pauses(page: Page, end: str) -> None:
    """The page follows a drag at once; the kernel gets one message, after 200 ms."""
    control = open_counts(page, pause_clock=True)
    x, y = control.press(end)
    step = 60 if end == "from" else -60
    page.mouse.move(x + 3 * step, y)
    page.clock.run_for(150)
    page.mouse.move(x + 4 * step, y)
    assert control.read_thumb(end) != "any"
    page.clock.run_for(199)
    assert control.saved == []
    page.clock.run_for(1)
    assert len(control.saved) == 1
    page.mouse.up()
    page.clock.run_for(1000)
    assert len(control.saved) == 1
    (message,) = control.saved
    assert [f"{value:,}" for value in message.values()] == [control.read_thumb(end)]


def test_releasing_a_thumb_saves_at_once(page: Page) -> None:
    """Releasing the mouse saves a moved thumb without a wait, and not one that came back."""
    control = open_counts(page, pause_clock=True)
    x, y = control.press("from")
    page.mouse.move(x + 300, y)
    page.mouse.up()
    assert len(control.saved) == 1
    x, y = control.press("from")
    page.mouse.move(x + 300, y)
    page.mouse.move(x, y)
    page.mouse.up()
    page.clock.run_for(1000)
    assert len(control.saved) == 1


def test_a_change_from_the_kernel_is_not_sent_back(page: Page) -> None:
    """The page draws each change from the kernel and sends nothing."""
    control = open_counts(page, pause_clock=True)
    control.receive(low=3, high=7)
    control.receive(counts=[0, 9, 0, 0, 0, 0, 0, 0, 0, 1])
    control.receive(edges=[0, 1, 2, 3], counts=[1, 1, 1])
    page.clock.run_for(1000)
    assert control.saved == []
    assert page.locator(".fl-strong i").count() == 3


def test_the_kernel_does_not_move_a_thumb_during_a_drag(page: Page) -> None:
    """The kernel's answer to an earlier move leaves the thumb under the pointer."""
    control = open_counts(page, pause_clock=True)
    x, y = control.press("from")
    page.mouse.move(x + 400, y)
    before = control.read_thumb("from")
    control.receive(low=2, counts=[1] * 5 + [0] * 5)
    assert control.read_thumb("from") == before
    page.mouse.up()
    assert [f"{message['low']:,}" for message in control.saved] == [before]


def test_bars_between_the_thumbs_are_strong(page: Page) -> None:
    """The strong bars reach from one thumb to the other, and are as high as their counts."""
    control = open_counts(page, (3, 7))
    strong = page.locator(".fl-strong")
    assert strong.evaluate("e => getComputedStyle(e).clipPath") == "inset(0px 30% 0px 20%)"
    bars = strong.locator("i")
    heights = bars.evaluate_all("all => all.map(e => e.style.height)")
    assert heights[:2] == ["max(2px, 100%)", "max(2px, 50%)"]
    assert heights[2] == "0px"
    assert bars.nth(0).get_attribute("title") == "1: 2"
    edges = [control.thumb(end).bounding_box() for end in ("from", "to")]
    box = strong.bounding_box()
    assert box
    assert [edge and edge["x"] for edge in edges] == [box["x"] - 20, box["x"]]


def test_a_wide_range_has_a_stop_for_each_bin(page: Page) -> None:
    """Thumbs stop at bins over more than a thousand whole numbers, else at each number."""
    control = SliderPage(page, make_slider("max_parallel_launches", [1, 1000]))
    assert control.thumb("from").get_attribute("max") == "1000"
    control.receive(edges=[0, 1000, 2000], counts=[1, 1])
    assert control.thumb("from").get_attribute("max") == "2"
    control.thumb("from").press("ArrowRight")
    assert control.saved == [{"low": 1000}]


@pytest.mark.parametrize("values", [[], [None], [7]])
def test_nothing_to_choose(page: Page, values: list[Any]) -> None:
    """Without values, or with one alone, the caption says so and no thumb can move."""
    control = SliderPage(page, make_slider("max_parallel_launches", values))
    assert control.read_caption()[0] == ("7" if values == [7] else "no values")
    assert control.thumb("from").is_disabled()
    assert control.thumb("to").is_disabled()
    clip = page.locator(".fl-strong").evaluate("e => getComputedStyle(e).clipPath")
    assert clip.endswith(" 100%)") == (values != [7])


def test_markup_in_a_label_is_text(page: Page, alerts: list[str]) -> None:
    """A label appears as it is, and no script in it runs."""
    slider = RangeSlider(HOSTILE)
    slider.show(make_histogram("max_parallel_launches", [1, 9])[1], None)
    SliderPage(page, slider)
    assert page.locator(".fl-title").text_content() == HOSTILE
    assert alerts == []


def test_a_closed_slider_leaves_nothing(page: Page) -> None:
    """A closed view saves the last move, and removes its listeners."""
    control = open_counts(page)
    page.evaluate("document.querySelector('.fl-from').value = 4")
    control.thumb("from").dispatch_event("input")
    page.evaluate("cleanup()")
    assert control.count_listeners() == 0
    assert page.locator(".fl-slider").count() == 0
    assert control.saved == [{"low": 5}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(page: Page, scheme: Any) -> None:
    """axe finds nothing serious, light or dark."""
    page.emulate_media(color_scheme=scheme)
    open_counts(page, (3, None))
    page.add_style_tag(content=":root { color-scheme: light dark; }")
    violations = Axe().run(page).response["violations"]
    assert [v for v in violations if v["impact"] in ("serious", "critical")] == []


def test_a_thumb_is_wide_and_shows_the_focus(page: Page) -> None:
    """A thumb is 20 pixels wide for a finger, the track next to it is not; a ring shows focus."""
    control = SliderPage(page, make_slider("max_parallel_launches", [1, 9]))
    box = control.thumb("from").bounding_box()
    assert box
    class_at = "([x, y]) => document.elementFromPoint(x, y).className"
    middle = box["y"] + box["height"] / 2
    hits = [page.evaluate(class_at, [box["x"] + x, middle]) == "fl-from" for x in range(30)]
    assert hits == [True] * 20 + [False] * 10
    before = page.screenshot()
    page.keyboard.press("Tab")
    assert control.thumb("from").evaluate("e => e.matches(':focus-visible')")
    assert page.screenshot() != before


# --- shortcuts ------------------------------------------------------------------------


def test_all_that_takes_focus_suppresses_shortcuts(page: Page) -> None:
    """Each element that takes focus gets JupyterLab's attribute, even one that is added later."""
    ControlPage(page, SuppressShortcuts())
    marked = page.locator("[data-lm-suppress-shortcuts]")
    html = "<button></button><select></select><input><p></p><table><tr tabindex=0></table>"
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", html)
    expect(marked).to_have_count(4)
