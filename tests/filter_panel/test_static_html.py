"""What stands where the panel was: readable wherever HTML is, with or without its styles."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts.style import STATE_STYLES
from fastlaunch_nb.filter_panel.static_html import ROWS, _blocks, stored_html, table_html
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import HOSTILE, item


class Tables(HTMLParser):
    """The words of each table's rows, as a reader has them who gets no styles and no classes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a table, a row or a cell."""
        self.tags.add(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_data(self, data: str) -> None:
        """Add words to the cell that was begun last."""
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data


def stored(images: pd.DataFrame, filters: fl.Filters | None = None) -> str:
    """Return what stands where a panel of these images with these filters was."""
    return stored_html(images, (filters or fl.Filters()).apply(images), "<b>summary</b>")


def picture(images: pd.DataFrame, filters: fl.Filters | None = None) -> list[list[list[str]]]:
    """Return the tables that make the picture, each a list of rows."""
    return Tables(stored(images, filters)).tables[:-1]


def sized(*targets: int | None, **columns: Any) -> pd.DataFrame:
    """Return an image a target, none where it is None, with more columns."""
    whole = [
        {} if target is None else {"SnapshotConfiguration": {"TargetResourceCount": target}}
        for target in targets
    ]
    items = [
        item(number, SnapshotConfiguration=None) | more for number, more in enumerate(whole, 1)
    ]
    images = fl.from_pages(items, region="us-east-1", observed_at="2026-01-15T12:00:00Z")
    return images.assign(**{n: pd.array(values, dtype="Int64") for n, values in columns.items()})


# --- the picture ----------------------------------------------------------------------


def test_states_the_worst_first(images: pd.DataFrame) -> None:
    """Each state with its number of images, as pandas counts them, in the order of the charts."""
    head, *lines = picture(images.head(4))[0]
    assert head == ["State", "Images", ""]
    assert [line[:2] for line in lines] == [
        ["▩ enabling-failed", "1"],
        ["■ disabling", "1"],
        ["■ enabling", "1"],
        ["■ enabled", "1"],
    ]
    assert {line[2] for line in lines} == {"█" * 16}


def test_more_states_than_lines(images: pd.DataFrame) -> None:
    """The worst have a line each; what is left is said together, so that all images are counted."""
    _, *lines = picture(images)[0]
    assert len(lines) == 6
    assert lines[-1] == [" 3 more states", "3", ""]
    assert sum(int(line[1]) for line in lines) == len(images)


def test_what_filters_left_out_is_said(images: pd.DataFrame) -> None:
    """A state of which some images are left says of how many; its bar is as much shorter."""
    twice = pd.concat([images, images.assign(region="eu-west-1")], ignore_index=True)
    _, *lines = picture(twice, fl.Filters(region="us-east-1"))[0]
    assert ["▩ enabling-failed", "1 of 2", "█" * 8] in lines
    _, *lines = picture(twice, fl.Filters(state="enabling-failed"))[0]
    assert lines == [["▩ enabling-failed", "2", "█" * 16]]


def test_largest_targets_where_no_stock_is_known() -> None:
    """The seven largest targets, the largest first; one without a target is in no line."""
    largest = picture(sized(5, None, 40, 0, 8, 8, 8, 8, 8, 8))[1]
    assert largest[0] == ["Largest targets", "Snapshots", ""]
    assert [line[1] for line in largest[1:]] == ["40", "8", "8", "8", "8", "8", "8"]
    assert largest[1][2] == "█" * 16
    assert largest[2][2] == "███▎"
    assert picture(sized(0))[1][1][1:] == ["0", ""]


def test_stock_against_target() -> None:
    """Where stocks are known, a bar is what is there and what is missing; unknown is no number."""
    images = sized(16, 16, 8, 4, available_snapshots=[4, None, 0, 16])
    largest = picture(images)[1]
    assert largest[0] == ["Largest targets", "In stock", ""]
    assert [line[1:] for line in largest[1:]] == [
        ["4 of 16", "████░░░░░░░░░░░░"],
        ["? of 16", "░" * 16],
        ["0 of 8", "░" * 8],
        ["16 of 4", "█" * 16],
    ]


def test_no_target_at_all() -> None:
    """Where no image has a target there is no such table, and no empty one."""
    assert len(picture(sized(None, None))) == 1


def test_the_picture_is_small(images: pd.DataFrame) -> None:
    """At most fifteen lines, headings included, however many images and states there are."""
    items = [item(number, f"new-state-{number % 12}") for number in range(60)]
    assert sum(map(len, picture(fl.from_pages(items)))) == 15
    assert sum(map(len, picture(images))) <= 15


@given(st.floats(0, 1), st.floats(0, 1))
def test_bars_are_true(one: float, other: float) -> None:
    """Law: a bar is its share of sixteen letters, to an eighth; more is no shorter."""

    def length(bar: str) -> float:
        return sum("▏▎▍▌▋▊▉█".index(letter) + 1 for letter in bar) / 8

    assert length(_blocks(1)) == 16
    assert bool(_blocks(one)) == (one > 0)
    assert abs(length(_blocks(one)) - 16 * one) <= 1 / 8
    assert length(_blocks(min(one, other))) <= length(_blocks(max(one, other)))


def test_colours_are_those_of_the_charts(images: pd.DataFrame) -> None:
    """Where styles survive, each line has the colour of its state; the word stands beside."""
    html = stored(images)
    for state in ("enabling-failed", "enabled-failed", "disabling-failed"):
        colour = STATE_STYLES[state].colour
        assert re.search(f"color:{colour}'>.</span> {state}</td>", html)
        assert re.search(f"color:{colour};font-family:monospace'>█", html)


def test_screen_readers_hear_words_not_letters_of_bars(images: pd.DataFrame) -> None:
    """Bars and signs are hidden from them: the number stands beside, the state is a word."""
    spoken = re.sub(r"<span aria-hidden='true'[^>]*>[^<]*</span>", "", stored(images))
    assert not re.search("[█▏▎▍▌▋▊▉░■▩▨▧▒▦]", spoken)
    assert "enabling-failed" in spoken


# --- the whole ------------------------------------------------------------------------


def test_nothing_in_it_needs_what_is_stripped(images: pd.DataFrame) -> None:
    """No picture, script, drawing or form is in it: each is stripped somewhere."""
    assert Tables(stored(images)).tags <= {
        *("style", "div", "b", "table", "thead", "tbody", "tr", "th", "td"),
        *("span", "small", "br", "p"),
    }


def test_the_same_each_time(images: pd.DataFrame) -> None:
    """The same images give the same HTML, also in another order of memory or index."""
    again = images.copy().set_index(pd.Index([0] * len(images)))
    assert stored(images) == stored(again)


def test_rows_and_what_is_left_of_them() -> None:
    """The table has the first rows, and says how many more there are."""
    images = fl.from_pages(item(number) for number in range(1_234 + ROWS))
    html = stored(images)
    assert len(Tables(html).tables[-1]) == 1 + ROWS
    assert "and 1,234 more" in html
    assert " more<" not in stored(images.head(ROWS))


def test_nothing_to_show(images: pd.DataFrame) -> None:
    """Where there is no row it says why, and draws nothing."""
    assert "No image matches the filters." in stored(images, fl.Filters(text="zebra"))
    assert "<table" not in stored(images, fl.Filters(text="zebra"))
    assert "No image to show." in stored(empty_images())


def test_a_file_of_parquet_and_its_kinds(images: pd.DataFrame) -> None:
    """Counts that another writer made floats, and a column without a value, are no obstacle."""
    floats = images.assign(target_resource_count=images["target_resource_count"].astype("Float64"))
    assert stored(floats) == stored(images)
    nothing = images.assign(target_resource_count=None)
    assert len(picture(nothing)) == 1


def test_hostile_text_is_text(images: pd.DataFrame) -> None:
    """Markup in states, names, templates and reasons is escaped in the picture and the table."""
    evil = images.assign(
        **dict.fromkeys(("image_name", "account_name", "region", "state"), HOSTILE),
        launch_template_name=HOSTILE,
    )
    html = stored(evil)
    assert Tables(html).tags == Tables(stored(images)).tags
    assert "<img" not in html
    parts = html.split("<table")[1:]
    assert ["<img src=x" in unescape(part) for part in parts] == [True] * 3
    assert "\u202e" not in html


@pytest.mark.parametrize("name", ["\u05d0\u05d1 12", "\u0627 b", "12 \u0661 3"])
def test_text_that_runs_leftwards_turns_nothing_around(images: pd.DataFrame, name: str) -> None:
    """A name with right-to-left letters or numbers is in an isolate, in picture and table."""
    named = images.assign(image_name=name, state=name)
    states, largest, rows = Tables(stored(named)).tables
    for cell in (states[1][0], largest[1][0], rows[1][0], rows[1][1]):
        assert re.search(f"\u2068{name}.*\u2069", cell)


def test_what_is_unknown_is_a_dash() -> None:
    """A null is no number and no text in the table."""
    html = table_html(fl.from_pages([{"ImageId": "ami-00000007"}]))
    (_, row) = Tables(html).tables[0]
    assert [cell.strip() for cell in row] == [
        *("ami-00000007", "–", "?–", "–", "–", "–", "–", "–"),
    ]
