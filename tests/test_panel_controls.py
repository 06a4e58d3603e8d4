"""The panel's own controls: what they mean to Filters, and what they do in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Locator, Page

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frame import Faceted, Histogram
from fastlaunch_nb.panel.controls import RangeSlider, Take

from .conftest import HOSTILE, item

TIMES = st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01")).map(
    lambda moment: pd.Timestamp(moment, tz="UTC").as_unit("us")
)
COUNTS = st.integers(0, 2**53)
VALUES: dict[str, Any] = {"max_parallel_launches": COUNTS, "state_transition_time": TIMES}
FIELDS = {
    "max_parallel_launches": "MaxParallelLaunches",
    "state_transition_time": "StateTransitionTime",
}


def spread(name: str, values: list[Any], bins: int = 10) -> tuple[Faceted, Histogram]:
    """Return a frame that has these values of a range, and how they spread."""
    items = [item(place, **{FIELDS[name]: value}) for place, value in enumerate(values)]
    faceted = Faceted(fl.from_pages(items))
    return faceted, faceted.histogram(fl.Filters(), name, bins)


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
    end = (round(slider.edges[high] * 1000) - 1) / 1000  # as range.js says it
    slider.set_state({"low": slider.edges[low], "high": end})
    filters = fl.Filters(state_transition_time=slider.chosen)
    assert faceted.keep(filters).sum() == histogram.counts[low:high].sum()


def sent_by(widget: Any) -> list[tuple[dict[str, Any], Any]]:
    """Return a list that gets whatever the widget sends to the browser from now on."""
    sent: list[tuple[dict[str, Any], Any]] = []
    widget.comm.send = lambda data, buffers=None: sent.append((data, buffers))
    return sent


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


def test_times_are_milliseconds() -> None:
    """The browser gets times as it counts them; a microsecond survives the way there and back."""
    moment = pd.Timestamp("2026-01-02 03:04:05.000007Z")
    slider = slider_of("state_transition_time", [moment], (moment, moment))
    assert slider.is_time
    assert slider.low == 1767323045000.007
    assert slider._end(slider.low) == moment


# --- what the button does in the kernel ------------------------------------------------


def ask(take: Take, mark: str) -> None:
    """Ask as a view does."""
    data = {"method": "custom", "content": {"ask": mark}}
    take.comm.handle_msg({"content": {"data": data}, "buffers": []})


def test_the_kernel_answers_the_view_that_asks() -> None:
    """What is made is sent as UTF-8, to the view that asked, and is made anew each time."""
    texts = iter(["é", "ü"])
    take = Take("CSV", lambda: ("images.csv", next(texts)), how="save")
    sent = sent_by(take)
    for mark in "ab":
        ask(take, mark)
    assert [(message["content"], buffers) for message, buffers in sent] == [
        ({"to": "a", "filename": "images.csv"}, ["é".encode()]),
        ({"to": "b", "filename": "images.csv"}, ["ü".encode()]),
    ]


def test_the_kernel_says_what_went_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """An error reaches the view, without keys that were in it, and the kernel's log with all."""

    def make() -> tuple[str, str]:
        raise ValueError("no rows of\nAKIAIOSFODNN7EXAMPLE")

    take = Take("Copy", make)
    sent = sent_by(take)
    ask(take, "a")
    ((message, _),) = sent
    assert message["content"] == {"to": "a", "error": "ValueError: no rows of ***"}
    assert "Traceback" in caplog.text


def test_there_are_two_ways_to_take() -> None:
    """Whoever asks for another way is told which there are."""
    with pytest.raises(InputError, match=r"how is 'print'\. Expected 'copy' or 'save'"):
        Take("Print", lambda: ("", ""), how="print")  # type: ignore[arg-type]


# --- a range in a browser -------------------------------------------------------------

HERE = "http://127.0.0.1:9/"  # never reached: the page is made up
PLAIN = "http://plain.invalid/"  # nor this, to whose pages browsers give no clipboard
MODEL = """async ([source, state]) => {
    const blob = new Blob([source], {type: "text/javascript"});
    const widget = (await import(URL.createObjectURL(blob))).default;
    const heard = {};
    let unsaved = {};
    const fire = (name, ...said) => [...(heard[name] || [])].forEach(hear => hear(...said));
    window.model = {
        state, heard, saved: [], sent: [],
        get: name => state[name],
        set(name, value) {
            if (state[name] === value) return;
            state[name] = unsaved[name] = value;
            fire(`change:${name}`);
        },
        save_changes() { this.saved.push(unsaved); unsaved = {}; },
        send(message) { this.sent.push(message); window.asked?.(message); },
        on(name, hear) { (heard[name] ||= []).push(hear); },
        off(name, hear) { heard[name] = heard[name].filter(other => other !== hear); },
        told(names) {  // by the kernel: all is set, and then all is said
            Object.assign(state, names);
            Object.keys(names).forEach(name => fire(`change:${name}`));
        },
        answer(message, text) {
            fire("msg:custom", message, text === null ? [] : [new TextEncoder().encode(text)]);
        },
    };
    const el = document.querySelector("main");
    window.cleanup = widget.render({model: window.model, el});
}"""


class Shown:
    """A control on a page, with a model that notes what is told to the kernel.

    Where it is to be still, time passes only when the test says so.
    """

    def __init__(
        self, page: Page, widget: Any, address: str = HERE, *, still: bool = False
    ) -> None:
        self.page = page
        if still:
            page.clock.install(time=0)
        html = (
            f"<!doctype html><html lang=en><title>A page</title><style>{widget._css}</style><main>"
        )
        page.route(address, lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(address)
        if still:
            page.clock.pause_at(3600)
        state = {name: getattr(widget, name) for name in widget.keys if name[0] != "_"}
        plain = {k: v for k, v in state.items() if isinstance(v, str | int | float | list | None)}
        page.evaluate(MODEL, [widget._esm, plain])

    def told(self, **names: Any) -> None:
        """Have the kernel change something."""
        self.page.evaluate("names => model.told(names)", names)

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
        return self.page.locator(".fl-said").inner_text().replace("\u00a0", " ")

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
    """Arrows, Home and End move the ends; each press is told at once, and only what changed.

    JupyterLab, which has other uses for arrows, leaves them to whatever has this attribute.
    """
    shown = counts(page)
    assert page.locator("input[data-lm-suppress-shortcuts]").count() == 2
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
    shown = Shown(page, slider_of("state_transition_time", moments, (exact, None), bins=4))
    assert shown.said("from") == "2026-01-02 03:04 UTC"
    assert shown.words.strip() == "since 2026-01-02 03:04 UTC"
    assert shown.thumb("from").input_value() == "0"  # it is in the first of four bins
    shown.thumb("to").press("ArrowLeft")
    assert shown.words.strip() == "2026-01-02 03:04 – 2026-01-04 09:30 UTC"


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


@pytest.mark.parametrize("end", ["from", "to"])
def test_a_drag_is_told_when_it_pauses(page: Page, end: str) -> None:
    """While dragging, the page follows at once; the kernel is told once, after 200 ms."""
    shown = counts(page, still=True)
    x, y = shown.grab(end)
    step = 60 if end == "from" else -60
    page.mouse.move(x + step, y)
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


# --- the button in a browser ----------------------------------------------------------

TEXT = "image_id,name\nami-1,\"ü, 'é' <b>\"\n"


class Pressed(Shown):
    """A button on a page, with a kernel that answers as soon as the test lets it."""

    def __init__(self, page: Page, how: Any, address: str = HERE, *, still: bool = False) -> None:
        def make() -> tuple[str, str]:
            if self.error:
                raise OSError(self.error)
            return "images.csv", TEXT

        self.error = ""
        self.widget = Take("Copy" if how == "copy" else "CSV", make, how=how)
        self.sent = sent_by(self.widget)
        super().__init__(page, self.widget, address, still=still)
        self.button = page.get_by_role("button")
        self.status = page.get_by_role("status")

    def click(self) -> None:
        """Click, and have the kernel answer."""
        self.button.click()
        self.answer()

    def answer(self) -> None:
        """Answer, from the kernel, what was asked last."""
        ask(self.widget, self.page.evaluate("model.sent.at(-1).ask"))
        message, buffers = self.sent[-1]
        text = buffers[0].decode() if buffers else None
        self.page.evaluate("said => model.answer(...said)", [message["content"], text])

    @property
    def clipboard(self) -> str:
        """What somebody would paste by now."""
        self.page.evaluate("document.body.append(document.createElement('textarea'))")
        area = self.page.locator("textarea")
        area.press("ControlOrMeta+v")
        return area.input_value()


@pytest.mark.parametrize("address", [HERE, PLAIN])
def test_it_copies(page: Page, address: str) -> None:
    """The text is on the clipboard as it was made, also where a page gets no clipboard."""
    pressed = Pressed(page, "copy", address)
    assert page.evaluate("isSecureContext") == (address == HERE)
    pressed.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert pressed.clipboard == TEXT


def test_it_saves(page: Page) -> None:
    """The file has its name, a mark by which Excel knows UTF-8, and the text as it was made."""
    pressed = Pressed(page, "save")
    with page.expect_download() as download:
        pressed.click()
    assert download.value.suggested_filename == "images.csv"
    assert Path(download.value.path()).read_bytes() == b"\xef\xbb\xbf" + TEXT.encode()
    page.get_by_role("button", name="Saved").wait_for()


def test_it_says_what_it_does(page: Page) -> None:
    """While the kernel works the button is busy; then it says for 2 s that it is done."""
    pressed = Pressed(page, "save", still=True)
    assert pressed.button.get_attribute("title") == "Save as a file"
    pressed.button.focus()
    page.keyboard.press("Enter")
    assert pressed.button.is_disabled()
    assert pressed.button.get_attribute("aria-busy") == "true"
    pressed.answer()
    page.get_by_role("button", name="Saved").wait_for()
    assert pressed.status.text_content() == "Saved"
    assert pressed.button.get_attribute("aria-busy") == "false"
    assert pressed.button.evaluate("e => e.matches(':focus')")
    page.clock.run_for(1999)
    assert pressed.button.inner_text() == "Saved"
    page.clock.run_for(1)
    assert (pressed.button.inner_text(), pressed.status.text_content()) == ("CSV", "")


@pytest.mark.parametrize("how", ["copy", "save"])
def test_it_says_what_went_wrong(page: Page, how: str) -> None:
    """An error is said on the button until somebody tries again, which they can at once."""
    pressed = Pressed(page, how, still=True)
    pressed.error = "disk <b>full</b>"
    pressed.click()
    said = "Failed: OSError: disk <b>full</b>"
    page.get_by_role("button", name=said).wait_for()
    page.clock.run_for(60_000)
    assert (pressed.button.inner_text(), pressed.status.text_content()) == (said, said)
    pressed.error = ""
    pressed.click()
    page.get_by_role("button", name="Copied" if how == "copy" else "Saved").wait_for()


def test_a_browser_that_refuses_is_told_of(page: Page) -> None:
    """Where the browser lets nothing be copied in any way, the button says so."""
    pressed = Pressed(page, "copy", PLAIN)
    page.evaluate("document.execCommand = () => false")
    pressed.click()
    page.get_by_role("button", name="Failed: The browser lets nothing be copied here.").wait_for()


def test_a_kernel_that_is_gone_is_told_of(page: Page) -> None:
    """Where nobody can be asked, as without a kernel, the button says so."""
    pressed = Pressed(page, "copy")
    page.evaluate("() => { model.send = () => { throw new Error('no kernel'); }; }")
    pressed.button.click()
    page.get_by_role("button", name="Failed: no kernel").wait_for()


def test_another_views_answer_is_not_taken(page: Page) -> None:
    """Two views of a button hear each other's answers, and only the one that asked takes it."""
    pressed = Pressed(page, "copy")
    pressed.button.click()
    page.evaluate("model.answer({to: 'another', filename: 'x'}, 'wrong')")
    assert pressed.button.is_disabled()
    pressed.answer()
    page.get_by_role("button", name="Copied").wait_for()
    assert pressed.clipboard == TEXT


def test_a_button_that_goes_leaves_nothing(page: Page) -> None:
    """A closed view listens no more."""
    pressed = Pressed(page, "copy")
    page.evaluate("cleanup()")
    assert page.evaluate("Object.values(model.heard).flat().length") == 0
    assert pressed.button.count() == 0
