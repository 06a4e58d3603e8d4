"""The export of charts and rows: every form, missing programs, and hostile text."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any

import kaleido.errors
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect
from rich.console import Console

import fastlaunch_nb as fl
from fastlaunch_nb import export
from fastlaunch_nb.charts.alt_text import read_image_keys
from fastlaunch_nb.formatting import remove_guards, to_csv
from tests.helpers.cases import some
from tests.helpers.samples import HOSTILE


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_documents_have_no_image_keys(images: pd.DataFrame, chart: Any) -> None:
    """The images of rows, which only the panel needs, stay in the figure and out of its HTML."""
    figure = chart(images)
    rows = read_image_keys(figure)
    meta = json.loads(fl.embed(figure).partition('"meta":')[2].partition(',"modebar"')[0])
    assert meta["fastlaunch_nb"]["images"] == meta["fastlaunch_nb"]["places"] == []
    assert len(meta["fastlaunch_nb"]["rows"]) == len(images)
    assert read_image_keys(figure) == rows != {}


def test_html_is_the_same_each_time(images: pd.DataFrame) -> None:
    """The same figure gives the same fragment; two figures have two ids."""
    html = fl.embed(fl.capacity(images), plotlyjs="page")
    assert html == fl.embed(fl.capacity(images), plotlyjs="page")
    other = fl.embed(fl.timeline(images), plotlyjs="page")
    ids = [re.findall(r'id="(fastlaunch-\w+)"', fragment)[0] for fragment in (html, other)]
    assert len(set(ids)) == 2


def test_plotlyjs_has_three_sources(images: pd.DataFrame) -> None:
    """Inline needs no network, the CDN is one link, and page adds nothing."""
    figure = fl.capacity(images)
    inline, cdn, page = (fl.embed(figure, plotlyjs=source) for source in ("inline", "cdn", "page"))
    assert len(inline) > 1_000_000 > len(cdn) > len(page)
    assert "<script" in cdn
    assert re.search(r'src="https://cdn[^"]+"', cdn)
    assert not re.search(r"<script[^>]+src=", page)


def test_a_page_draws_two_fragments(
    images: pd.DataFrame, tmp_path: Path, page: Page, alerts: list[str]
) -> None:
    """A hand-written page with two charts draws both without a network, with one plotly.js."""
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


def test_pictures_have_the_given_width(images: pd.DataFrame) -> None:
    """PNG is a picture of the given width; SVG is text with the title."""
    png = fl.embed(fl.capacity(images), "png", width=500)
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 500
    svg = fl.embed(fl.capacity(images), "svg")
    assert svg.startswith("<svg")
    assert "Target: 30 snapshots" in svg


def test_markdown_has_the_picture_and_its_text(images: pd.DataFrame) -> None:
    """Markdown has the picture, then the text of the figure, in which hostile text is escaped."""
    markdown = fl.embed(fl.capacity(images.assign(image_name=HOSTILE)), "md")
    first, *_, last = markdown.strip().splitlines()
    assert first.startswith(r"![Target\: 30 snapshots")
    assert "](data:image/png;base64," in first
    assert last.startswith("- ")
    assert "\nDemo data\\, 8 images\\, target unknown for 2  \ntarget snapshots" in markdown
    assert "<img" not in markdown.replace("\\<", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "pngg"}, "Did you mean 'png'?"),
        ({"form": None}, "form is None"),
        ({"plotlyjs": "web"}, "plotlyjs is 'web'"),
    ],
)
def test_unknown_forms_are_refused(
    images: pd.DataFrame, arguments: dict[str, Any], message: str
) -> None:
    """An unknown form or source of plotly.js is refused, with its name."""
    with pytest.raises(fl.InputError) as caught:
        fl.embed(fl.capacity(images), **arguments)
    assert message in str(caught.value)


def test_without_chrome_the_message_helps(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Chrome the message names the programs to install, and the form that needs none."""

    async def fail(*_: object, **__: object) -> bytes:
        raise kaleido.errors.ChromeNotFoundError

    monkeypatch.setattr("kaleido.calc_fig", fail)
    with pytest.raises(fl.SetupError, match=r"Chrome or Chromium.*HTML needs none"):
        fl.embed(fl.capacity(images), "png")


def test_pictures_need_no_network(images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaleido loads no MathJax, which it would load from a CDN by default."""
    options: list[object] = []

    async def draw(*_: object, kopts: object) -> bytes:
        options.append(kopts)
        return b"drawn"

    monkeypatch.setattr("kaleido.calc_fig", draw)
    assert fl.embed(fl.capacity(images), "png") == b"drawn"
    assert options == [{"mathjax": False}]


def test_diagnostics_of_kaleido_are_not_shown(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Kaleido logs or warns of reaches no notebook if it draws the picture in the end."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own

    async def draw(*_: object, **__: object) -> bytes:
        logging.getLogger("choreographer.channels.pipe").error("JSONError")
        warnings.warn("The temporary folder remains.", stacklevel=1)
        asyncio.get_running_loop().call_exception_handler({"message": "Task was destroyed"})
        return b"drawn"

    monkeypatch.setattr("kaleido.calc_fig", draw)
    assert fl.embed(fl.capacity(images), "png") == b"drawn"
    assert capsys.readouterr() == ("", "")


class HangingChrome:
    """A Chrome that does not draw, and ends at the second request to end, if at all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hangs: int, ends: bool = True) -> None:
        self.hangs, self.ends, self.cancels = hangs, ends, 0
        monkeypatch.setattr("kaleido.calc_fig", self.draw)
        monkeypatch.setattr(export, "_LIMIT", 0.05)
        monkeypatch.setattr(export, "_GRACE", 0.05)

    async def draw(self, *_: object, **__: object) -> bytes:
        """Hang as often as requested, then draw."""
        self.hangs -= 1
        for attempt in range(2 if self.ends else 1_000) if self.hangs >= 0 else ():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancels += 1
                if self.ends and attempt:
                    raise
        return b"drawn"


def test_a_hanging_chrome_is_ended_and_replaced(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Chrome hangs, it is closed, then killed, and the next one draws the picture."""
    chrome = HangingChrome(monkeypatch, hangs=1)
    assert fl.embed(fl.capacity(images), "png") == b"drawn"
    assert chrome.cancels == 2


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "never ends"])
def test_chrome_that_always_hangs_is_an_error(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """If two of them hang, the error says so; a Chrome that cannot be ended changes nothing."""
    HangingChrome(monkeypatch, hangs=2, ends=ends)
    with pytest.raises(
        fl.SetupError, match=r"A chart as PNG took Chrome more than .* two attempts"
    ):
        fl.embed(fl.capacity(images), "png")


def make_browser(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> Path:
    """Return a program that Kaleido takes for Chrome."""
    program = folder / "chrome"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(program))
    return program


def test_a_browser_that_is_not_there_is_not_found(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A path to no program is a browser that was not found: install one."""
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(fl.SetupError, match=r"none was found\. Install one"):
        fl.embed(fl.capacity(images), "png")


def test_a_browser_that_ends_at_once_did_not_start(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A browser that ends as it starts, as without its libraries, is named with its path."""
    program = make_browser(tmp_path, monkeypatch, "echo 'libnss3.so: no such file' >&2; exit 127")
    with pytest.raises(fl.SetupError, match="did not start, or ended at once") as caught:
        fl.embed(fl.capacity(images), "png")
    assert str(program) in str(caught.value)
    assert "Start it in a terminal" in str(caught.value)


def test_a_browser_that_hangs_as_it_starts_took_too_long(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A browser that starts but never answers is late, in two attempts, and no other error."""
    make_browser(
        tmp_path, monkeypatch, f"echo started >> {tmp_path}/starts; exec cat <&3 >/dev/null"
    )
    monkeypatch.setattr(export, "_LIMIT", 0.5)
    monkeypatch.setattr(export, "_GRACE", 0.5)
    with pytest.raises(fl.SetupError, match=r"more than .* s, in two attempts. Try again"):
        fl.embed(fl.capacity(images), "png")
    assert (tmp_path / "starts").read_text().split() == ["started"] * 2


def test_without_kaleido_the_message_helps(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra the message has the exact pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(fl.MissingExtraError, match=r'pip install "fastlaunch_nb\[image\]"'):
        fl.embed(fl.capacity(images), "svg")


# --- rows -----------------------------------------------------------------------------

FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", " =1", "\t=1", "\r=1", "a;=1", "a\n=1"]


def begins_formula(cell: str) -> bool:
    """Return True for a cell that a spreadsheet may take for a formula."""
    return cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


def list_cells(text: str, separator: str) -> list[str]:
    """Return the cells that a spreadsheet with this separator finds."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return [cell for row in rows for cell in row]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@given(st.text(alphabet="a1=+-@;,\t\r\n\"' ＝", max_size=8))
@example(';"=')
def test_no_cell_of_csv_is_a_formula(separator: str, hostile: str) -> None:
    """Law: no cell begins a formula, whatever the text and the separator of the spreadsheet."""
    images = fl.from_pages([{"ImageId": hostile, "State": hostile}]).head(1)
    assert not any(map(begins_formula, list_cells(to_csv(images), separator)))


FORMULA_START = re.compile(r"(^|[;\t\n])(?=[\s\"]*[=+\-@＝＋－＠])")


@given(st.text(st.sampled_from('a=+-@＝;\t\n \u2003"')))
@example('\n;\n"=')
def test_an_apostrophe_stands_wherever_a_cell_may_begin(text: str) -> None:
    """Law: each start of a cell is guarded if only space and quotes precede the formula."""
    images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "StateTransitionReason": text}])
    [_, row] = csv.reader(io.StringIO(to_csv(images), newline=""))
    assert row[images.columns.get_loc("state_transition_reason")] == (
        FORMULA_START.sub(r"\1'", text)
    )


def test_a_cell_of_a_million_lines_is_written_at_once() -> None:
    """The time to write a cell grows with its length, not with the square of it."""
    text = "\n" * 1_000_000
    images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "StateTransitionReason": text}])
    assert text in to_csv(images)


@pytest.mark.parametrize("formula", FORMULAS)
def test_csv_keeps_the_text(formula: str) -> None:
    """A guarded cell has its whole text after the apostrophe; harmless cells do not change."""
    images = fl.from_pages([{"ImageId": "ami-1", "StateTransitionReason": formula}])
    rows = pd.read_csv(io.StringIO(to_csv(images)), dtype=str)
    assert "'" in rows["state_transition_reason"][0]
    unguarded = rows["state_transition_reason"][0].replace("'", "")
    assert unguarded == formula.replace("'", "").replace("\r", "\n")
    assert rows["image_id"].tolist() == ["ami-1"]


def test_a_table_escapes_control_characters(images: pd.DataFrame) -> None:
    """In a terminal markup is text, and control characters and direction marks are escaped."""
    hostile = "\x1b[31mred\x07 [bold]\n\u202eback"
    lines = print_table(images.assign(state_transition_reason=hostile)).splitlines()
    last = "\\x1b[31mred\\x07 [bold]\\n\\u202eback"
    assert [line.rstrip()[-len(last) :] for line in lines[1:]] == [last] * len(images)


def test_a_table_has_the_worst_on_top(images: pd.DataFrame) -> None:
    """Failures come first, and known names replace ids."""
    lines = print_table(images.assign(image_name="lobby", account_name="games")).splitlines()
    assert "enabling-failed" in lines[1]
    assert lines[-1].startswith("games ")
    assert " enabled " in lines[-1]
    assert "ami-" not in "".join(lines)


@pytest.mark.parametrize("width", [10, 80, 100, 140, 1000])
def test_a_table_fits(images: pd.DataFrame, width: int) -> None:
    """No line is wider than the terminal, because columns are left out from the right."""
    table = export.to_table(images, width)
    headings = [column.header for column in table.columns]
    assert headings == list(export.HEADINGS[: len(headings)])
    assert bool(headings) == (width > 10)
    assert (len(headings) == len(export.HEADINGS)) == (width == 1000)
    assert max(map(len, print_table(images, width).splitlines())) <= width


def print_table(images: pd.DataFrame, width: int | None = None) -> str:
    """Return a table as printed to a terminal of some width, or to a file."""
    console = Console(file=io.StringIO(), width=width or 100_000)
    console.print(export.to_table(images, width))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_the_summary_is_one_line(images: pd.DataFrame) -> None:
    """The summary counts the images in each state, the worst first, and mentions demo data."""
    line = export.summarize(images)
    assert line.startswith("8 images (demo data): 1 enabling-failed, 1 enabled-failed, ")
    assert export.summarize(images.assign(account_id="999988887777", owner_id=None).head(1)) == (
        "1 image: 1 enabled"
    )


OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066\u2067]")
"""Characters that a terminal obeys or reverses, but for the line ends that we write."""


@pytest.mark.parametrize("letter", ["\x1b", "\x9b", "\x85", "\r", "\u200f", "\u202e", "\u2067"])
def test_no_text_controls_a_terminal(images: pd.DataFrame, letter: str) -> None:
    """A hostile character neither controls a terminal nor adds a line, in any text of a frame."""
    evil = f"a{letter}b"
    named = images.assign(image_name=evil, account_name=evil, state=evil, launch_template_name=evil)
    panel = fl.panel(named)
    panel.filters = fl.Filters(state=evil, text=evil)
    texts = [fl.alt_text(fl.timeline(named)), fl.alt_text(fl.capacity(named))]
    for text in (export.summarize(named), repr(panel), print_table(named), *texts):
        assert OBEYED.findall(text) == [], text
    assert [len(text.split("\n")) for text in texts] == [3 + len(images)] * 2


# --- files ----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".csv", ".CSV", ".Json", ".PARQUET", ".Xlsx"])
def test_endings_may_be_in_any_case(images: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    """An ending in any case chooses the format, and the file has the name that was given."""
    export.save(images, tmp_path / f"images{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"images{ending}"]


def test_unknown_endings_are_refused(tmp_path: Path) -> None:
    """The error lists the endings."""
    with pytest.raises(fl.InputError, match=r"none of \.parquet, \.csv, \.json, \.xlsx"):
        export.check_file(tmp_path / "images.xls")


def test_excel_is_checked_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, the path alone is refused: no sweep has to end for that."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(fl.MissingExtraError, match=r"fastlaunch_nb\[excel\]"):
        export.check_file(tmp_path / "images.XLSX")


def test_a_failed_workbook_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the rows do not fit into a workbook, there is no file, and an older one stays."""
    monkeypatch.setattr("fastlaunch_nb.excel.MAX_ROWS", 0)
    (tmp_path / "images.xlsx").write_bytes(b"older")
    with pytest.raises(fl.InputError, match="Excel holds 0 rows"):
        export.save(pd.DataFrame({"a": [1]}), tmp_path / "images.xlsx")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_has_every_digit_of_a_number(number: float) -> None:
    """Law: a number in JSON is exactly the number of the frame."""
    rows = pd.DataFrame({"a": pd.Series([number, None], dtype="Float64")})
    assert [record["a"] for record in json.loads(export.to_json(rows))] == [number, None]


@given(st.text("a=+-@＝;\t\n '\""))
@example("'=1")
@example("\n;'\"='=1")
def test_guards_are_removed_exactly(text: str) -> None:
    """Law: without its guards, a cell has the text that it was made from."""
    [row] = csv.reader(
        io.StringIO(to_csv(pd.DataFrame({"a": [text], "b": "b"})).partition("\n")[2])
    )
    assert remove_guards(row[0]) == text


def test_an_empty_text_is_no_null() -> None:
    """In CSV a null is an empty cell, and an empty text is quoted."""
    rows = pd.DataFrame({"a": ["", None, "x"], "b": [None, "", ""]})
    assert to_csv(rows) == 'a,b\n"",\n,""\nx,""\n'
    assert to_csv(rows, ";") == 'a;b\n"";\n;""\nx;""\n'
    hostile = pd.DataFrame({"a": ["", "\ue000=1", "\ue000", ",\ue000,"]})
    assert begins_formula(to_csv(hostile)) is False
    cells = list_cells(to_csv(hostile), ",")
    assert not any(map(begins_formula, some(cells)))
