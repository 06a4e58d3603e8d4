"""Charts and rows in other places: each form, what it says, what is missing, what is defused."""

from __future__ import annotations

import copy
import csv
import io
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kaleido.errors
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect
from rich.console import Console

import fastlaunch_nb as fl
from fastlaunch_nb import export
from fastlaunch_nb.charts.alt_text import images_of_rows
from fastlaunch_nb.formatting import to_csv
from tests.helpers.samples import HOSTILE

CHARTS = [fl.timeline, fl.capacity]


@pytest.mark.parametrize("chart", CHARTS)
def test_text_says_what_is_drawn(images: pd.DataFrame, chart: Any) -> None:
    """A line for every image, from the top down, with what hovering over it would say."""
    said = fl.text(chart(images))
    lines = [line for line in said.splitlines() if line.startswith("- ")]
    assert len(lines) == len(images)
    assert [image_id for image_id in images["image_id"] if image_id not in said] == []
    assert "Demo data, 8 images" in said
    assert not re.search(r"</?(b|br|i|span)\b", said)


def test_text_says_what_is_unknown(images: pd.DataFrame) -> None:
    """A number that EC2 does not give is unknown in words too, and text is as it was, on a line."""
    assert fl.text(fl.capacity(images)).count("target unknown snapshots") == 2
    line = " ".join(HOSTILE.split()).replace("\x9b\u202e", r"\x9b\u202e")
    assert line in fl.text(fl.capacity(images.assign(image_name=HOSTILE)))


def test_text_of_nothing() -> None:
    """An empty figure says in text why it is empty."""
    assert "No image to show." in fl.text(fl.timeline(fl.from_pages([])))


@pytest.mark.parametrize("other", [go.Figure(), go.Figure(layout={"meta": "mine"}), 5, None])
def test_other_figures_are_refused(other: Any) -> None:
    """What is no figure of ours is refused, by text and by embed."""
    for take in (fl.text, fl.embed):
        with pytest.raises(
            fl.InputError, match="timeline, state_mix, capacity, fleet_map or sizing_curve"
        ):
            take(other)


AT = "Fast Launch states at 2026-01-15 12:00 UTC"
OWN_LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {  # what is changed, and the title then
    "title": ({"title": "My <b>fleet</b> &amp; yours"}, "My fleet & yours"),
    "title and subtitle": ({"title": {"text": "Mine", "subtitle": {"text": "x"}}}, "Mine"),
    "no title": ({"title": None}, AT),
    "no subtitle": ({"title_subtitle": None}, AT),
    "no text in the title": ({"title_text": ""}, AT),
}


@pytest.mark.parametrize(("layout", "title"), OWN_LAYOUTS.values(), ids=OWN_LAYOUTS)
def test_a_title_of_your_own(
    layout: dict[str, Any], title: str, images: pd.DataFrame, drawing_browser: None
) -> None:
    """Whoever changes the head of a figure keeps its text, under their own title, if any."""
    figure = fl.timeline(images)
    before = fl.text(figure).splitlines()
    figure.update_layout(**layout)
    assert fl.text(figure).splitlines() == [title, *before[1:]]
    assert fl.embed(figure).startswith("<div")
    assert f"**{export._escape_markdown(title)}**" in fl.embed(figure, "md")


def test_a_meta_of_your_own(images: pd.DataFrame) -> None:
    """What is added to meta stays beside the text; where meta is replaced, the head is left."""
    figure = fl.timeline(images)
    said = fl.text(figure)
    figure.update_layout(meta={**figure.layout.meta, "mine": 1})
    assert fl.text(figure) == said
    figure.update_layout(meta={"mine": 1})
    title, under = fl.text(figure).splitlines()[:2]
    assert title == AT
    assert "Demo data · 8 images" in under
    assert fl.embed(figure).startswith("<div")


COPIES: dict[str, Callable[[go.Figure], go.Figure]] = {
    "Figure": go.Figure,
    "deepcopy": copy.deepcopy,
    "pickle": lambda figure: pickle.loads(pickle.dumps(figure)),
    "JSON": lambda figure: pio.from_json(figure.to_json()),
}


@pytest.mark.parametrize("take_copy", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_copies_say_the_same(
    chart: Any, take_copy: Callable[[go.Figure], go.Figure], images: pd.DataFrame
) -> None:
    """A copy of a figure, of whatever kind, keeps its text and which image is in which row."""
    figure = chart(images)
    copied = take_copy(figure)
    assert fl.text(copied) == fl.text(figure)
    rows = images_of_rows(figure)
    assert images_of_rows(copied) == rows
    assert len(rows) == len(images)


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_a_document_lacks_what_only_the_panel_needs(images: pd.DataFrame, chart: Any) -> None:
    """Which images are in which row stays in the figure, and out of what is made of it."""
    figure = chart(images)
    rows = images_of_rows(figure)
    meta = json.loads(fl.embed(figure).partition('"meta":')[2].partition(',"modebar"')[0])
    assert meta["fastlaunch_nb"]["images"] == meta["fastlaunch_nb"]["places"] == []
    assert len(meta["fastlaunch_nb"]["rows"]) == len(images)
    assert images_of_rows(figure) == rows != {}


def test_subtitles_of_others_are_unescaped_once() -> None:
    """What stands in a figure of somebody else's is said as it is drawn there."""
    subtitle = {"text": "a &amp;lt; b<br><i>c</i>"}
    other = go.Figure(layout={"title": {"text": "Mine", "subtitle": subtitle}})
    assert fl.text(other) == "Mine\na &lt; b\nc"


def test_ids_of_rows_are_as_they_were(images: pd.DataFrame) -> None:
    """An id with markup in it is kept escaped, and found as it was."""
    evil = images.head(1).assign(image_id=HOSTILE)
    figure = fl.timeline(evil)
    assert "<img" not in str(figure.to_dict())
    assert [key[2] for [key] in images_of_rows(figure).values()] == [HOSTILE]


def test_html_is_the_same_each_time(images: pd.DataFrame) -> None:
    """The same figure gives the same fragment; two figures have two ids."""
    fragment = fl.embed(fl.capacity(images), plotlyjs="page")
    assert fragment == fl.embed(fl.capacity(images), plotlyjs="page")
    ids = [
        re.findall(r'id="(fastlaunch-\w+)"', html)[0]
        for html in (fragment, fl.embed(fl.timeline(images), plotlyjs="page"))
    ]
    assert len(set(ids)) == 2


def test_where_plotlyjs_comes_from(images: pd.DataFrame) -> None:
    """Inline needs no network, the CDN is one link, and page brings nothing."""
    inline, cdn, page = (
        fl.embed(fl.capacity(images), plotlyjs=way) for way in ("inline", "cdn", "page")
    )
    assert len(inline) > 1_000_000 > len(cdn) > len(page)
    assert "<script" in cdn
    assert re.search(r'src="https://cdn[^"]+"', cdn)
    assert not re.search(r"<script[^>]+src=", page)


def test_fragments_in_a_page(
    images: pd.DataFrame, tmp_path: Path, page: Page, alerts: list[str]
) -> None:
    """A hand-written page with two charts draws both without a network, plotly.js once in it."""
    named = images.assign(image_name=HOSTILE)
    first = fl.embed(fl.timeline(named))
    second = fl.embed(fl.capacity(named), plotlyjs="page")
    html = f"<!doctype html><meta charset=utf-8><h1>Report</h1>{first}<p>And</p>{second}"
    (tmp_path / "page.html").write_text(html)
    assert html.count("* plotly.js v") == 1
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".js-plotly-plot .bars")).not_to_have_count(0)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    titles = page.locator(".modebar-btn").evaluate_all("all => all.map(b => b.dataset.title)")
    assert "Zoom" in titles
    assert [title for title in titles if "hare" in (title or "")] == []
    assert page.locator("img").count() == 0
    assert alerts == []


@pytest.mark.usefixtures("drawing_browser")
def test_pictures(images: pd.DataFrame) -> None:
    """PNG is a picture of the width that was asked; SVG is text with the title."""
    png = fl.embed(fl.capacity(images), "png", width=500)
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 500
    svg = fl.embed(fl.capacity(images), "svg")
    assert svg.startswith("<svg")
    assert "Target: 30 snapshots" in svg


@pytest.mark.usefixtures("drawing_browser")
def test_markdown_has_the_picture_and_the_words(images: pd.DataFrame) -> None:
    """Markdown shows the picture, then the same in words; hostile text is escaped for Markdown."""
    markdown = fl.embed(fl.capacity(images.assign(image_name=HOSTILE)), "md")
    first, *_, last = markdown.strip().splitlines()
    assert first.startswith(r"![Target\: 30 snapshots")
    assert "](data:image/png;base64," in first
    assert last.startswith("- ")
    assert "\nDemo data\\, 8 images\\, target unknown for 2  \ntarget snapshots" in markdown
    assert "<img" not in markdown.replace("\\<", "")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"form": "pngg"}, "Did you mean 'png'?"),
        ({"form": None}, "form is None"),
        ({"plotlyjs": "web"}, "plotlyjs is 'web'"),
    ],
)
def test_refused(images: pd.DataFrame, wrong: dict[str, Any], says: str) -> None:
    """A form or source that is none is refused by name."""
    with pytest.raises(fl.InputError) as caught:
        fl.embed(fl.capacity(images), **wrong)
    assert says in str(caught.value)


def test_without_chrome(images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Kaleido finds no Chrome, the message says what to install and what needs none."""

    def none(*_: object, **__: object) -> bytes:
        raise kaleido.errors.ChromeNotFoundError

    monkeypatch.setattr("kaleido.calc_fig_sync", none)
    with pytest.raises(fl.SetupError, match=r"Chrome or Chromium.*HTML needs none"):
        fl.embed(fl.capacity(images), "png")


def test_a_picture_asks_for_nothing_outside(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kaleido is told to load no MathJax, which it would load from a CDN."""
    options: list[object] = []

    def draw(*_: object, kopts: object) -> bytes:
        options.append(kopts)
        return b"drawn"

    monkeypatch.setattr("kaleido.calc_fig_sync", draw)
    assert fl.embed(fl.capacity(images), "png") == b"drawn"
    assert options == [{"mathjax": False}]


def test_without_kaleido(images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the message is the exact pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(fl.MissingExtraError, match=r"pip install 'fastlaunch_nb\[image\]'"):
        fl.embed(fl.capacity(images), "svg")


# --- rows -----------------------------------------------------------------------------

FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", " =1", "\t=1", "\r=1", "a;=1", "a\n=1"]


def begins_formula(cell: str) -> bool:
    """Tell what a spreadsheet may take for a formula."""
    return cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


def cells(text: str, separator: str) -> list[str]:
    """Return the cells that a spreadsheet with this separator finds."""
    return [
        cell
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in row
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@given(st.text(alphabet="a1=+-@;,\t\r\n\"' ＝", max_size=8))
@example(';"=')
def test_no_cell_of_csv_is_a_formula(separator: str, hostile: str) -> None:
    """Law: whatever AWS says, and whatever separator a spreadsheet has, no cell begins one."""
    images = fl.from_pages([{"ImageId": hostile, "State": hostile}]).head(1)
    assert not any(map(begins_formula, cells(to_csv(images), separator)))


@pytest.mark.parametrize("formula", FORMULAS)
def test_csv_keeps_the_text(formula: str) -> None:
    """But for the apostrophe the text is all there, and what is harmless is as it was."""
    images = fl.from_pages([{"ImageId": "ami-1", "StateTransitionReason": formula}])
    back = pd.read_csv(io.StringIO(to_csv(images)), dtype=str)
    assert "'" in back["state_transition_reason"][0]
    unguarded = back["state_transition_reason"][0].replace("'", "")
    assert unguarded == formula.replace("'", "").replace("\r", "\n")
    assert back["image_id"].tolist() == ["ami-1"]


def test_a_table_is_for_eyes_only(images: pd.DataFrame) -> None:
    """In a terminal markup is text, and control characters and marks of direction are spelt out."""
    hostile = "\x1b[31mred\x07 [bold]\n\u202eback"
    lines = drawn(images.assign(state_transition_reason=hostile)).splitlines()
    last = "\\x1b[31mred\\x07 [bold]\\n\\u202eback"
    assert [line.rstrip()[-len(last) :] for line in lines[1:]] == [last] * len(images)


def test_a_table_has_the_worst_on_top(images: pd.DataFrame) -> None:
    """Failures stand first; names stand for ids where they are known."""
    lines = drawn(images.assign(image_name="lobby", account_name="games")).splitlines()
    assert "enabling-failed" in lines[1]
    assert lines[-1].startswith("games ")
    assert " enabled " in lines[-1]
    assert "ami-" not in "".join(lines)


@pytest.mark.parametrize("width", [10, 80, 100, 140, 1000])
def test_a_table_fits(images: pd.DataFrame, width: int) -> None:
    """No line is wider than the terminal; whole columns are left out, from the right."""
    table = export.to_table(images, width)
    headings = [column.header for column in table.columns]
    assert headings == list(export.HEADINGS[: len(headings)])
    assert bool(headings) == (width > 10)
    assert (len(headings) == len(export.HEADINGS)) == (width == 1000)
    assert max(map(len, drawn(images, width).splitlines())) <= width


def drawn(images: pd.DataFrame, width: int | None = None) -> str:
    """Return a table as it stands in a terminal of some width, or in a file."""
    console = Console(file=io.StringIO(), width=width or 100_000)
    console.print(export.to_table(images, width))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_summary(images: pd.DataFrame) -> None:
    """One line says how many, in which states, the worst first, and that it is a demo."""
    said = export.summarize(images)
    assert said.startswith("8 images (demo data): 1 enabling-failed, 1 enabled-failed, ")
    assert export.summarize(images.assign(account_id="999988887777", owner_id=None).head(1)) == (
        "1 image: 1 enabled"
    )


OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066\u2067]")
"""What a terminal obeys or turns around, but for the ends of lines that we write."""


@pytest.mark.parametrize("letter", ["\x1b", "\x9b", "\x85", "\r", "\u200f", "\u202e", "\u2067"])
def test_no_words_are_obeyed(images: pd.DataFrame, letter: str) -> None:
    """Whatever says a frame in words, a terminal finds nothing to obey in it, and no line more."""
    evil = f"a{letter}b"
    named = images.assign(image_name=evil, account_name=evil, state=evil, launch_template_name=evil)
    panel = fl.panel(named)
    panel.filters = fl.Filters(state=evil, text=evil)
    figures = fl.timeline(named), fl.capacity(named)
    for said in (export.summarize(named), repr(panel), drawn(named), *map(fl.text, figures)):
        assert OBEYED.findall(said) == [], said
    assert [len(fl.text(figure).split("\n")) for figure in figures] == [3 + len(images)] * 2
