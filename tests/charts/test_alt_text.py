"""The text of a figure, however the figure was changed or copied; labels that stay different."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts import alt_text
from fastlaunch_nb.charts.alt_text import read_image_keys
from fastlaunch_nb.formatting import escape_markdown, to_single_line
from tests.helpers.samples import HOSTILE

CHARTS = [fl.timeline, fl.capacity]
TITLE = "Fast Launch states at 2026-01-15 12:00 UTC"


@pytest.mark.parametrize("chart", CHARTS)
def test_the_text_has_a_line_for_every_image(images: pd.DataFrame, chart: Any) -> None:
    """Every image has a line with what its hover label says, from the top down."""
    text = fl.alt_text(chart(images))
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(lines) == len(images)
    assert [image_id for image_id in images["image_id"] if image_id not in text] == []
    assert "Demo data, 8 images" in text
    assert not re.search(r"</?(b|br|i|span)\b", text)


def test_the_text_names_unknown_numbers(images: pd.DataFrame) -> None:
    """A number that EC2 does not give is unknown in the text; hostile text is literal in it."""
    assert fl.alt_text(fl.capacity(images)).count(", target unknown, ") == 2
    line = " ".join(HOSTILE.split()).replace("\x9b\u202e", r"\x9b\u202e")
    assert line in fl.alt_text(fl.capacity(images.assign(image_name=HOSTILE)))


def test_the_text_of_an_empty_figure_explains_it() -> None:
    """The text of an empty figure explains why it is empty."""
    assert "No image to show." in fl.alt_text(fl.timeline(fl.from_pages([])))


def test_the_old_name_warns_at_the_line_of_its_caller(images: pd.DataFrame) -> None:
    """``fl.text`` returns the same as ``fl.alt_text``, and warns at the line that calls it."""
    figure = fl.capacity(images)
    with pytest.warns(DeprecationWarning, match=r"^fl\.text is now fl\.alt_text\.") as caught:
        text = fl.text(figure)
    assert text == fl.alt_text(figure)
    [warning] = caught
    assert warning.filename == __file__
    code = test_the_old_name_warns_at_the_line_of_its_caller.__code__
    assert warning.lineno == code.co_firstlineno + 4


@pytest.mark.parametrize("other", [go.Figure(), go.Figure(layout={"meta": "mine"}), 5, None])
def test_figures_without_text_are_refused(other: Any) -> None:
    """Both alt_text and embed refuse a figure without text or title, and anything else."""
    for convert in (fl.alt_text, fl.embed):
        with pytest.raises(
            fl.InputError, match="timeline, state_mix, capacity, fleet_map or sizing_curve"
        ):
            convert(other)


OWN_LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {  # the change, and the title after it
    "title": ({"title": "My <b>fleet</b> &amp; yours"}, "My fleet & yours"),
    "title and subtitle": ({"title": {"text": "Mine", "subtitle": {"text": "x"}}}, "Mine"),
    "no title": ({"title": None}, TITLE),
    "no subtitle": ({"title_subtitle": None}, TITLE),
    "no text in the title": ({"title_text": ""}, TITLE),
}


@pytest.mark.parametrize(("layout", "title"), OWN_LAYOUTS.values(), ids=OWN_LAYOUTS)
def test_a_changed_title_is_the_title_of_the_text(
    layout: dict[str, Any], title: str, images: pd.DataFrame
) -> None:
    """A figure whose title was changed keeps its text, under the new title if there is one."""
    figure = fl.timeline(images)
    before = fl.alt_text(figure).splitlines()
    figure.update_layout(**layout)
    assert fl.alt_text(figure).splitlines() == [title, *before[1:]]
    assert fl.embed(figure).startswith("<div")
    assert f"**{escape_markdown(title)}**" in fl.embed(figure, "md")


def test_meta_can_be_extended_and_replaced(images: pd.DataFrame) -> None:
    """A figure with more in its meta keeps its text; with another meta it keeps its title."""
    figure = fl.timeline(images)
    text = fl.alt_text(figure)
    figure.update_layout(meta={**figure.layout.meta, "mine": 1})
    assert fl.alt_text(figure) == text
    figure.update_layout(meta={"mine": 1})
    title, subtitle = fl.alt_text(figure).splitlines()[:2]
    assert title == TITLE
    assert "Demo data · 8 images" in subtitle
    assert fl.embed(figure).startswith("<div")


COPIES: dict[str, Callable[[go.Figure], go.Figure]] = {
    "Figure": go.Figure,
    "deepcopy": copy.deepcopy,
    "pickle": lambda figure: pickle.loads(pickle.dumps(figure)),
    "JSON": lambda figure: pio.from_json(figure.to_json()),
}


@pytest.mark.parametrize("take_copy", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("chart", CHARTS)
def test_copies_have_the_same_text(
    chart: Any, take_copy: Callable[[go.Figure], go.Figure], images: pd.DataFrame
) -> None:
    """Any copy of a figure keeps its text and the images of its rows."""
    figure = chart(images)
    copied = take_copy(figure)
    assert fl.alt_text(copied) == fl.alt_text(figure)
    rows = read_image_keys(figure)
    assert read_image_keys(copied) == rows
    assert len(rows) == len(images)


def test_subtitles_of_other_figures_are_unescaped_once() -> None:
    """The text of somebody else's figure is what plotly draws."""
    subtitle = {"text": "a &amp;lt; b<br><i>c</i>"}
    other = go.Figure(layout={"title": {"text": "Mine", "subtitle": subtitle}})
    assert fl.alt_text(other) == "Mine\na &lt; b\nc"


def test_image_ids_survive_escaping(images: pd.DataFrame) -> None:
    """An image id with markup is stored escaped, and read back as it was."""
    figure = fl.timeline(images.head(1).assign(image_id=HOSTILE))
    assert "<img" not in str(figure.to_dict())
    assert [key[2] for [key] in read_image_keys(figure).values()] == [HOSTILE]


@given(
    st.lists(st.text("ab-\u05d0\u202e ", max_size=40), min_size=1, max_size=12), st.integers(12, 30)
)
def test_different_texts_have_different_labels(texts: list[str], width: int) -> None:
    """Law: texts that look different have different labels; short texts are not changed."""
    labels = dict(zip(texts, alt_text.shorten_labels(texts, width), strict=True))
    lines = {text: to_single_line(text) for text in texts}
    assert len({labels[text] for text in texts}) == len(set(lines.values()))
    short = {text for text in texts if len(lines[text]) <= width and text.isascii()}
    assert {text: labels[text] for text in short} == {text: lines[text] for text in short}
