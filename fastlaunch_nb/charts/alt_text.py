"""The text of a chart: kept in the figure as data, drawn from it, and given to people as it is.

Text of AWS goes through :func:`escape_markup`: plotly draws a bit of HTML, and formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.errors import InputError, escape_unprintable
from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.schema.columns import KEY

Line: TypeAlias = Sequence[str]
"""The parts of a line, as plain text: dots stand between them in a figure, commas in its text."""
RowText: TypeAlias = Sequence[Line]
"""What a row of a figure says: its name in the first line, in the others all that is known."""

_META: Final = "fastlaunch_nb"
"""The key of `layout.meta` that a figure's text is kept under."""
_EXPECTED: Final = (
    "Expected a figure of timeline, state_mix, capacity, fleet_map or sizing_curve, or any other "
    "figure of plotly that has a title."
)
SPACE: Final = "   "  # between the entries of a legend


class LegendEntry(NamedTuple):
    """An entry of a legend: a letter in a colour, and what it stands for."""

    colour: str
    swatch: str
    parts: Line

    def draw(self) -> str:
        """Return the entry as plotly draws it."""
        size = 17 if self.swatch in "■◆" else 12  # plain shapes are drawn smaller than all else
        style = f"color:{self.colour};font-size:{size}px"
        return f"<span style='{style}'>{self.swatch}</span> {draw_line(self.parts)}"


class FigureText(NamedTuple):
    """A figure in words, each of them plain text on one line."""

    title: str
    lines: list[str]  # what stands under the title; the legend is the last
    rows: list[str]  # from the top of the figure to its bottom


def text(figure: go.Figure) -> str:
    """Say what a figure shows in words and numbers, for people who cannot see it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        A figure of :func:`fastlaunch_nb.timeline`, :func:`fastlaunch_nb.state_mix`,
        :func:`fastlaunch_nb.capacity`, :func:`fastlaunch_nb.fleet_map` or
        :func:`fastlaunch_nb.sizing_curve`. Of any other, or of one whose ``meta`` was
        replaced, the title and the subtitle are all there is to say.

    Returns
    -------
    str
        Its title, also one of your own; what stands under it; and a line for each bar
        or row, from the top of the figure to its bottom. Plain text, with no markup.

    Raises
    ------
    InputError
        If it is no figure, or one of another origin without a title.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> print(fl.text(fl.capacity(images)))
    Target: 10 snapshots for 1 image, stock unknown
    1 image
    target snapshots, max parallel launches
    - ami-0abcdef1234567890, target 10 snapshots, at most 6 parallel launches, state unknown
    """
    title, lines, rows = figure_text(figure)
    return "\n".join([title, *lines, *(f"- {row}" for row in rows)])


def figure_text(figure: object) -> FigureText:
    """Return what a figure says, under the title that it has by now."""
    if not isinstance(figure, go.Figure):
        raise InputError(f"{_EXPECTED} Got a {type(figure).__name__}.")
    head, kept = figure.layout.title, _kept(figure)
    title, lines, rows = (kept.get(name, []) for name in FigureText._fields)
    said = FigureText(unescape(title or ""), [*map(unescape, lines)], [*map(unescape, rows)])
    if not kept:
        under = map(_without_markup, (head.subtitle.text or "").split("<br>"))
        said = said._replace(lines=[*filter(None, under)])
    if head.text and head.text != escape_markup(said.title):
        said = said._replace(title=_without_markup(head.text))
    if not said.title:
        raise InputError(
            f"{_EXPECTED} This one has none: give it one with figure.update_layout(title=...)."
        )
    return said


def attach_text(figure: go.Figure, title: str, lines: Iterable[Line]) -> None:
    """Keep in the figure itself what it says above its rows."""
    _keep(figure, title=escape_markup(title), lines=[*map(_say, lines)], rows=[])


def attach_name(figure: go.Figure, chart: str) -> None:
    """Keep of which chart it is, so that two that say the same are not the same."""
    _keep(figure, chart=chart)


def attach_rows(figure: go.Figure, rows: Iterable[RowText]) -> None:
    """Keep in the figure itself what its rows say, from the top to the bottom."""
    _keep(figure, rows=[_say([part for line in row for part in line]) for row in rows])


def attach_images(figure: go.Figure, rows: Iterable[Any], images: pd.DataFrame) -> None:
    """Keep which images are in which row of the figure, by what is on its y axis there.

    Each account and region is kept once, as there may be a hundred thousand images.
    """
    keys = images[list(KEY)].astype(object).where(images[list(KEY)].notna(), None)
    places: dict[tuple[str | None, ...], int] = {}
    about: dict[Any, list[tuple[int, str | None]]] = {}
    for row, key in zip(rows, keys.itertuples(index=False, name=None), strict=True):
        *place, image_id = (part if part is None else escape(part, quote=False) for part in key)
        number = places.setdefault(tuple(place), len(places))
        about.setdefault(row, []).append((number, image_id))
    _keep(figure, places=[*places], images=[*about.items()])


def without_images(figure: go.Figure) -> go.Figure:
    """Return a copy that looks the same, and does not say which images are in which row."""
    copied, kept = go.Figure(figure), _kept(figure)
    if "images" in kept:
        _keep(copied, places=[], images=[])
    return copied


def _keep(figure: go.Figure, **more: Any) -> None:
    meta = figure.layout.meta or {}
    figure.update_layout(meta={**meta, _META: {**_kept(figure), **more}})


def _kept(figure: go.Figure) -> dict[str, Any]:
    """Return what is kept in a figure; nothing where its `meta` is none of ours."""
    meta = figure.layout.meta
    kept = meta.get(_META) if isinstance(meta, dict) else None
    return kept if isinstance(kept, dict) else {}


def _say(line: Line) -> str:
    """Return a line as it is kept: escaped, for who draws what is in `meta`."""
    return ", ".join(escape_markup(part) for part in line if part)


def _without_markup(drawn: str) -> str:
    """Return a text of somebody else's as plain text: tags gone, escapes undone, on one line."""
    return single_line(unescape(re.sub(r"<[^<>]*>", " ", drawn)))


def images_of_rows(figure: go.Figure) -> dict[Any, list[tuple[Any, ...]]]:
    """Return which images are in which row of a figure that was just drawn.

    Returns
    -------
    dict
        What stands for a row on the y axis, to the keys of its images: account, region
        and image id, None where one is null. Nothing of a chart whose rows are groups.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890"}], region="eu-west-1")
    >>> images_of_rows(fl.capacity(images))
    {0: [(None, 'eu-west-1', 'ami-0abcdef1234567890')]}
    """
    kept = _kept(figure)

    def key(place: int, image_id: str | None) -> tuple[str | None, ...]:
        parts = (*kept["places"][place], image_id)
        return tuple(part if part is None else unescape(part) for part in parts)

    return {row: [key(*image) for image in images] for row, images in kept.get("images", [])}


# --- words that are drawn -------------------------------------------------------------


def draw_line(parts: Line) -> str:
    """Return a line as plotly draws it."""
    return " · ".join(escape_markup(part) for part in parts if part)


def draw_legend(entries: Sequence[LegendEntry]) -> str:
    """Return the entries of a legend side by side, as plotly draws them."""
    return SPACE.join(entry.draw() for entry in entries)


def draw_row(row: RowText) -> str:
    """Return what hovering over a row says, its first line in bold."""
    first, *others = (draw_line(line) for line in row)
    return "<br>".join([f"<b>{first}</b>", *others])


def row_text(row: dict[Any, Any], *lines: str) -> RowText:
    """Return what a row says: its name, id and place, then these lines."""
    names: Sequence[Any] = (row.get("image_name"), row.get("image_id"))
    places: Sequence[Any] = (row.get("account_name"), row.get("account_id"), row.get("region"))
    where = [str(value) for value in places if not is_missing(value)]
    known = [[str(value)] for value in names if not is_missing(value)]
    return [*known, *([where] if where else []), *([line] for line in lines)]


def is_missing(value: Any) -> bool:
    """Tell a null, or a text that is empty."""
    return bool(pd.isna(value)) or value == ""


def text_or_default(value: Any, otherwise: str = "?") -> str:
    """Return a value as text, or what stands for one that is missing."""
    return otherwise if is_missing(value) else str(value)


def escape_markup(value: Any, otherwise: str = "?") -> str:
    """Return text that plotly draws as it stands: its bit of HTML and its formulas are escaped."""
    return escape(single_line(text_or_default(value, otherwise)), quote=False).replace("$", "&#36;")


def shorten_labels(texts: Iterable[str], room: int = 30) -> dict[str, str]:
    """Return what stands for each text in a label of some letters; no two become alike.

    What is long is cut in its middle, as names differ at their ends. Where that
    makes two alike, they are cut so that their first difference is seen; where
    that is not enough, they are given more room.
    """
    whole = {text: escape_unprintable(" ".join(text.split())) for text in texts}
    lines = list(dict.fromkeys(whole.values()))
    labels = [_cut(line, room) for line in lines]
    for places in places_alike(labels):
        alike = [lines[place] for place in places]
        for place in places:
            labels[place] = _cut_to_difference(lines[place], alike, room)
    while groups := places_alike(labels):
        room += 10
        for place in chain.from_iterable(groups):
            labels[place] = _cut(lines[place], room)
    found = dict(zip(lines, labels, strict=True))
    return {text: found[line] for text, line in whole.items()}


def places_alike(labels: Sequence[str]) -> list[list[int]]:
    """Return the places of labels that are alike, a list for each such label."""
    sharing: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        sharing.setdefault(label, []).append(place)
    return [places for places in sharing.values() if len(places) > 1]


def _cut(line: str, room: int) -> str:
    keep = (room - 1) // 2
    return line if len(line) <= room else f"{line[:keep]}…{line[-keep:]}"


def _cut_to_difference(line: str, others: Sequence[str], room: int) -> str:
    begin = max(0, _alike_until(others) - 1)
    return f"{line[:5]}…{_cut(line[begin:], room - 6)}"


def _alike_until(lines: Sequence[str]) -> int:
    """Return how many letters all lines begin with in common."""
    columns = enumerate(zip(*lines, strict=False))
    return next((place for place, letters in columns if len(set(letters)) > 1), 0)


def count_images(count: int) -> str:
    """Say how many images."""
    return "1 image" if count == 1 else f"{count:,} images"


def plotly_time(moment: pd.Timestamp) -> str:
    """Return a time in UTC as plotly takes it: without a zone, so that no viewer's is applied."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def format_percent(share: float) -> str:
    """Say a share; only nothing is 0 %, and only all of it is 100 %."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")
