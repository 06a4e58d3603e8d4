"""Hover labels: what a trace's template and its cells say together."""

from __future__ import annotations

from html import unescape
from types import SimpleNamespace

from hypothesis import example, given
from hypothesis import strategies as st

from fastlaunch_nb.charts import markup
from fastlaunch_nb.formatting import to_single_line
from tests.charts.chart_helpers import read_hover_labels
from tests.helpers.samples import HOSTILE

PART = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [*HOSTILE, "a · b", "%{customdata[0]}", "100%", "{x}", "<b>", "<br>", "$x$", ""]
    ),
)
SHAPE = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@st.composite
def labels(draw: st.DrawFn) -> list[list[list[str]]]:
    """Draw labels of the same lines and parts; the first part of each is not empty."""
    shape = draw(SHAPE)
    made = st.tuples(*(st.lists(PART, min_size=n, max_size=n) for n in shape))
    drawn = draw(st.lists(made, min_size=1, max_size=5))
    return [[["n" + first[0], *first[1:]], *map(list, rest)] for first, *rest in map(list, drawn)]


@example([[["n", "\x85"]]])
@given(labels())
def test_a_label_has_every_part(drawn: list[list[list[str]]]) -> None:
    """Law: a filled-in label is what draw_row draws, and reads back as the same parts."""
    trace = markup.draw_hover_labels(drawn)
    filled = read_hover_labels(SimpleNamespace(type="bar", **trace))
    assert len(filled) == len(drawn)
    for label, lines, cells in zip(filled, drawn, trace["customdata"], strict=True):
        parts = [to_single_line(part) for line in lines for part in line]
        read = [*markup.read_hover_label(trace["hovertemplate"], cells)]
        assert [*map(unescape, read)] == [part for part in parts if part]
        assert unescape(label.replace("<br>", "")).count("</b>") == 1 + str(parts).count("</b>")


def test_what_all_labels_repeat_is_stored_once() -> None:
    """A cell has only what differs between the labels of its trace."""
    rows = [
        [[f"ami-{n}"], ["123456789012", "eu-west-1"], [f"since 2026-01-1{n} UTC"]] for n in "12"
    ]
    drawn = markup.draw_hover_labels(rows)
    assert drawn["customdata"] == [("1", "1"), ("2", "2")]
    assert drawn["hovertemplate"] == (
        "<b>ami-%{customdata[0]}</b><br>123456789012 · eu-west-1"
        "<br>since 2026-01-1%{customdata[1]} UTC<extra></extra>"
    )


def test_a_missing_part_leaves_no_placeholder() -> None:
    """A part that some labels lack is an invisible text there, and no part when read back."""
    drawn = markup.draw_hover_labels([[["name"], ["id-1"]], [["name"], [""]]])
    assert [*map(list, drawn["customdata"])] == [["id-1"], [markup.INVISIBLE]]
    assert [*markup.read_hover_label(drawn["hovertemplate"], drawn["customdata"][1])] == ["name"]
