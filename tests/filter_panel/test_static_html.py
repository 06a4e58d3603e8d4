"""The static form of the panel: readable with and without styles."""

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
from fastlaunch_nb.filter_panel.static_html import (
    MAX_ROWS,
    _draw_bar,
    render_static_html,
    render_table,
)
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import HOSTILE, item


class TableParser(HTMLParser):
    """The text of each table, cell by cell, as it appears without styles and classes."""

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
        """Add text to the last cell."""
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data


def render(images: pd.DataFrame, filters: fl.Filters | None = None) -> str:
    """Render the static form of a panel with these images and filters."""
    return render_static_html(images, (filters or fl.Filters()).apply(images), "<b>summary</b>")


def read_picture(images: pd.DataFrame, filters: fl.Filters | None = None) -> list[list[list[str]]]:
    """Return the tables of the picture, each a list of rows."""
    return TableParser(render(images, filters)).tables[:-1]


def make_images(*targets: int | None, **columns: Any) -> pd.DataFrame:
    """Return an image for each target, without one for None, and with more columns."""
    items = [
        item(
            number, SnapshotConfiguration={} if target is None else {"TargetResourceCount": target}
        )
        for number, target in enumerate(targets, 1)
    ]
    images = fl.from_pages(items, region="us-east-1", observed_at="2026-01-15T12:00:00Z")
    return images.assign(**{n: pd.array(values, dtype="Int64") for n, values in columns.items()})


# --- the picture ----------------------------------------------------------------------


def test_the_worst_states_come_first(images: pd.DataFrame) -> None:
    """Each state has a line with its number of images, in the order of the charts."""
    head, *lines = read_picture(images.head(4))[0]
    assert head == ["State", "Images", ""]
    assert [line[:2] for line in lines] == [
        ["▩ enabling-failed", "1"],
        ["■ disabling", "1"],
        ["■ enabling", "1"],
        ["■ enabled", "1"],
    ]
    assert {line[2] for line in lines} == {"█" * 16}


def test_more_states_than_lines(images: pd.DataFrame) -> None:
    """The worst states have a line each; the last line sums up the others."""
    _, *lines = read_picture(images)[0]
    assert len(lines) == 6
    assert lines[-1] == [" 3 more states", "3", ""]
    assert sum(int(line[1]) for line in lines) == len(images)


def test_a_filtered_state_shows_both_counts(images: pd.DataFrame) -> None:
    """A state with images that do not match shows how many it has; its bar is shorter."""
    twice = pd.concat([images, images.assign(region="eu-west-1")], ignore_index=True)
    _, *lines = read_picture(twice, fl.Filters(region="us-east-1"))[0]
    assert ["▩ enabling-failed", "1 of 2", "█" * 8] in lines
    _, *lines = read_picture(twice, fl.Filters(state="enabling-failed"))[0]
    assert lines == [["▩ enabling-failed", "2", "█" * 16]]


def test_largest_targets_without_stock() -> None:
    """The seven largest targets have a line, the largest first; no target, no line."""
    largest = read_picture(make_images(5, None, 40, 0, 8, 8, 8, 8, 8, 8))[1]
    assert largest[0] == ["Largest targets", "Snapshots", ""]
    assert [line[1] for line in largest[1:]] == ["40", "8", "8", "8", "8", "8", "8"]
    assert largest[1][2] == "█" * 16
    assert largest[2][2] == "███▎"
    assert read_picture(make_images(0))[1][1][1:] == ["0", ""]


def test_stock_against_target() -> None:
    """A bar shows the stock and what is missing; an unknown stock has no number."""
    images = make_images(16, 16, 8, 4, available_snapshots=[4, None, 0, 16])
    largest = read_picture(images)[1]
    assert largest[0] == ["Largest targets", "In stock", ""]
    assert [line[1:] for line in largest[1:]] == [
        ["4 of 16", "████░░░░░░░░░░░░"],
        ["? of 16", "░" * 16],
        ["0 of 8", "░" * 8],
        ["16 of 4", "█" * 16],
    ]


def test_no_target_at_all() -> None:
    """Without any target the picture has no table of targets."""
    assert len(read_picture(make_images(None, None))) == 1


def test_the_picture_is_small(images: pd.DataFrame) -> None:
    """Any number of images and states gives at most fifteen lines, headings included."""
    items = [item(number, f"new-state-{number % 12}") for number in range(60)]
    assert sum(map(len, read_picture(fl.from_pages(items)))) == 15
    assert sum(map(len, read_picture(images))) <= 15


@given(st.floats(0, 1), st.floats(0, 1))
def test_bars_are_proportional(one: float, other: float) -> None:
    """Law: a bar is its share of sixteen characters, to an eighth; a larger one is no shorter."""

    def length(bar: str) -> float:
        return sum("▏▎▍▌▋▊▉█".index(character) + 1 for character in bar) / 8

    assert length(_draw_bar(1)) == 16
    assert bool(_draw_bar(one)) == (one > 0)
    assert abs(length(_draw_bar(one)) - 16 * one) <= 1 / 8
    assert length(_draw_bar(min(one, other))) <= length(_draw_bar(max(one, other)))


def test_colours_are_those_of_the_charts(images: pd.DataFrame) -> None:
    """Where styles remain, each line has the colour of its state, and always its name."""
    html = render(images)
    for state in ("enabling-failed", "enabled-failed", "disabling-failed"):
        colour = STATE_STYLES[state].colour
        assert re.search(f"color:{colour}'>.</span> {state}</td>", html)
        assert re.search(f"color:{colour};font-family:monospace'>█", html)


def test_screen_readers_skip_bars_and_swatches(images: pd.DataFrame) -> None:
    """Bars and swatches are hidden from screen readers: number and state are text."""
    audible = re.sub(r"<span aria-hidden='true'[^>]*>[^<]*</span>", "", render(images))
    assert not re.search("[█▏▎▍▌▋▊▉░■▩▨▧▒▦]", audible)
    assert "enabling-failed" in audible


# --- the document ---------------------------------------------------------------------


def test_it_has_only_tags_that_sites_keep(images: pd.DataFrame) -> None:
    """It has no image, script, SVG or form: some sites strip each of these."""
    assert TableParser(render(images)).tags <= {
        *("style", "div", "b", "table", "thead", "tbody", "tr", "th", "td"),
        *("span", "small", "br", "p"),
    }


def test_equal_images_give_equal_html(images: pd.DataFrame) -> None:
    """The same images give the same HTML, whatever their index."""
    copy = images.copy().set_index(pd.Index([0] * len(images)))
    assert render(images) == render(copy)


def test_the_table_has_the_first_rows() -> None:
    """The table has the first rows; a line below it counts the others."""
    images = fl.from_pages(item(number) for number in range(1_234 + MAX_ROWS))
    html = render(images)
    assert len(TableParser(html).tables[-1]) == 1 + MAX_ROWS
    assert "and 1,234 more" in html
    assert " more<" not in render(images.head(MAX_ROWS))


def test_nothing_to_show(images: pd.DataFrame) -> None:
    """Without a row there is a message that explains it, and no table."""
    assert "No image matches the filters." in render(images, fl.Filters(text="zebra"))
    assert "<table" not in render(images, fl.Filters(text="zebra"))
    assert "No image to show." in render(empty_images())


def test_other_dtypes_of_counts(images: pd.DataFrame) -> None:
    """Counts may be floats, as from another program's Parquet file, or all null."""
    floats = images.assign(target_resource_count=images["target_resource_count"].astype("Float64"))
    assert render(floats) == render(images)
    nulls = images.assign(target_resource_count=None)
    assert len(read_picture(nulls)) == 1


def test_hostile_text_is_text(images: pd.DataFrame) -> None:
    """Markup in states, names, templates and reasons is escaped in the picture and the table."""
    hostile = images.assign(
        **dict.fromkeys(("image_name", "account_name", "region", "state"), HOSTILE),
        launch_template_name=HOSTILE,
    )
    html = render(hostile)
    assert TableParser(html).tags == TableParser(render(images)).tags
    assert "<img" not in html
    tables = html.split("<table")[1:]
    assert ["<img src=x" in unescape(table) for table in tables] == [True] * 3
    assert "\u202e" not in html


@pytest.mark.parametrize("name", ["\u05d0\u05d1 12", "\u0627 b", "12 \u0661 3"])
def test_right_to_left_text_is_isolated(images: pd.DataFrame, name: str) -> None:
    """A name with right-to-left letters or numbers is in an isolate, in picture and table."""
    named = images.assign(image_name=name, state=name)
    states, largest, rows = TableParser(render(named)).tables
    for cell in (states[1][0], largest[1][0], rows[1][0], rows[1][2]):
        assert re.search(f"\u2068{name}.*\u2069", cell)


def test_a_null_is_a_dash() -> None:
    """A null is a dash in the table, neither a number nor a text."""
    html = render_table(fl.from_pages([{"ImageId": "ami-00000007"}]))
    (_, row) = TableParser(html).tables[0]
    assert [cell.strip() for cell in row] == [*("–", "–", "ami-00000007", "–?", "–", "–", "–")]
