"""Text of charts as markup for plotly: lines, hover labels, and times.

Text from AWS passes through :func:`escape_markup`, because plotly renders some HTML and formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.formatting import to_single_line

Line: TypeAlias = Sequence[str]
"""The parts of a line as plain text: joined by dots in a figure, by commas in its text."""
RowText: TypeAlias = Sequence[Line]
"""The text of a row: its name in the first line, details in the others."""

INVISIBLE: Final = "\u200b"
"""A text that has no width, but is not empty."""
_DOT: Final = " · "
SPACE: Final = "   "  # between the entries of a legend


class LegendEntry(NamedTuple):
    """An entry of a legend: a coloured character and its meaning."""

    colour: str
    swatch: str
    parts: Line

    def draw(self) -> str:
        """Return the entry as markup for plotly."""
        size = 17 if self.swatch in "■◆" else 12  # fonts draw these two smaller
        style = f"color:{self.colour};font-size:{size}px"
        return f"<span style='{style}'>{self.swatch}</span> {draw_line(self.parts)}"


def draw_line(parts: Line) -> str:
    """Return a line as markup for plotly."""
    return _DOT.join(escape_markup(part) for part in parts if part)


def draw_row(row: RowText) -> str:
    """Return the text of a row as markup for a hover label, with its first line in bold."""
    first, *details = (draw_line(line) for line in row)
    return "<br>".join([f"<b>{first}</b>", *details])


def escape_markup(text: str) -> str:
    """Return text that plotly draws literally: escape its HTML and its formulas."""
    return escape(to_single_line(text or "?"), quote=False).replace("$", "&#36;")


def to_plotly_time(moment: pd.Timestamp) -> str:
    """Return a time in UTC without its time zone, so that plotly does not convert it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


# --- hover labels of many bars --------------------------------------------------------


def draw_hover_labels(labels: Sequence[RowText]) -> dict[str, Any]:
    """Return the part of a trace that draws hover labels: a template, and cells for each label.

    All labels have the same lines of the same parts; a missing part is an empty text. What all
    of them repeat is in the template: 3,000 labels in full are half a megabyte.

    Examples
    --------
    >>> first, second = [["ami-1"], ["enabled for 3 d"]], [["ami-2"], ["enabled for 5 h"]]
    >>> drawn = draw_hover_labels([first, second])
    >>> drawn["hovertemplate"]
    '<b>ami-%{customdata[0]}</b><br>enabled for %{customdata[1]}<extra></extra>'
    >>> drawn["customdata"]
    [('1', '3 d'), ('2', '5 h')]
    """
    cells: list[Sequence[str]] = []
    lines = [
        _DOT.join(_share_text(part, cells) for part in _iter_parts(line))
        for line in zip(*labels, strict=True)
    ]
    first, *rest = filter(None, lines)
    template = "<br>".join([f"<b>{first}</b>", *rest]) + "<extra></extra>"
    customdata = [*zip(*cells, strict=True)] if cells else [()] * len(labels)
    return {"hovertemplate": template, "customdata": customdata}


def _iter_parts(line: Sequence[Line]) -> Iterator[list[str]]:
    """Yield the escaped texts of each part of a line of all labels, if any of them is not empty."""
    for part in zip(*line, strict=True):
        texts = [_escape_part(text) if text else "" for text in part]
        if any(texts):
            yield texts


def _share_text(texts: Sequence[str], cells: list[Sequence[str]]) -> str:
    """Return the template of a part of all labels; append what differs to the cells."""
    begin = _find_common_start(texts)
    rest = [text[len(begin) :] for text in texts]
    end = _find_common_start([text[::-1] for text in rest])[::-1]
    if not any(rest):
        return begin
    cells.append([text[: len(text) - len(end)] or INVISIBLE for text in rest])
    return f"{begin}%{{customdata[{len(cells) - 1}]}}{end}"


def _find_common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    differences = (at for at, pair in enumerate(zip(first, last, strict=False)) if len({*pair}) > 1)
    return first[: next(differences, len(first))]


def _escape_part(text: str) -> str:
    """Escape a part of a label: a dot between spaces is then always ours, as is a placeholder."""
    return escape_markup(text).replace("·", "&#183;").replace("%{", "&#37;{")


def read_hover_label(template: str, cells: Sequence[str]) -> Iterator[str]:
    """Yield the parts of a hover label that :func:`draw_hover_labels` drew, still escaped."""
    label = re.sub(r"%\{customdata\[(\d+)\]\}", lambda found: cells[int(found[1])], template)
    for line in re.sub("</?b>|<extra></extra>", "", label).split("<br>"):
        yield from filter(None, (part.replace(INVISIBLE, "") for part in line.split(_DOT)))
