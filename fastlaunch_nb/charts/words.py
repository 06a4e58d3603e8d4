"""The words of a chart: escaped for plotly where it draws them, and plain in its twin in text.

Whatever came from AWS goes through :func:`safe`: plotly draws a bit of HTML, and formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from itertools import chain
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.errors import InputError, spelt_out
from fastlaunch_nb.frame import KEY, one_line

BETWEEN: Final = "   "
"""What stands between the entries of a legend; no text of AWS's has it."""

MARKS: Final = "<i>"
"""What a line begins with that explains marks: in its twin in text, words stand for those."""


class Said(NamedTuple):
    """A figure in words, each of them plain text on one line."""

    title: str
    under: list[str]  # what stands under the title; the legend is the last
    rows: list[str]  # from the top of the figure to its bottom


def text(figure: go.Figure) -> str:
    """Say what a figure shows in words and numbers: the same, for who can not see it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        A figure of :func:`fastlaunch_nb.timeline`, :func:`fastlaunch_nb.state_mix`,
        :func:`fastlaunch_nb.capacity`, :func:`fastlaunch_nb.fleet_map` or
        :func:`fastlaunch_nb.sizing_curve`.

    Returns
    -------
    str
        Its title, what stands under it, and a line for each bar or row, from
        the top of the figure to its bottom. Plain text, with no markup.

    Raises
    ------
    InputError
        It is another figure.

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
    said = said_by(figure)
    return "\n".join([said.title, *said.under, *(f"- {row}" for row in said.rows)])


def said_by(figure: go.Figure) -> Said:
    """Return what a figure says; refuse one that is not ours."""
    meta = figure.layout.meta if isinstance(figure, go.Figure) else None
    if not isinstance(meta, dict) or "words" not in meta:
        raise InputError(
            "Expected a figure that timeline, state_mix, capacity, fleet_map or sizing_curve made."
        )
    head = figure.layout.title
    lines = [line for line in head.subtitle.text.split("<br>") if not line.startswith(MARKS)]
    legend = [line for line in lines if line.startswith("<span")]
    under = [*(line for line in lines if line not in legend), BETWEEN.join(legend)]
    return Said(
        _plain(head.text),
        [line for line in map(_plain, under) if line],
        [_plain(row) for row in meta["words"]],
    )


def remember(figure: go.Figure, words: Iterable[str], **more: str) -> None:
    """Keep the words of the rows in the figure itself, for its twin in text."""
    figure.update_layout(meta={"words": list(words), **more})


def remember_images(figure: go.Figure, rows: Iterable[Any], images: pd.DataFrame) -> None:
    """Keep which images are in which row of the figure, by what is on its y axis there.

    In the object alone: whatever else is made of the figure is as large as before.
    """
    about: dict[Any, list[tuple[Any, ...]]] = {}
    keys = images[list(KEY)].astype(object).where(images[list(KEY)].notna(), None)
    for row, key in zip(rows, keys.itertuples(index=False, name=None), strict=True):
        about.setdefault(row, []).append(key)
    figure._images_of_rows = about


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
    about: dict[Any, list[tuple[Any, ...]]] = getattr(figure, "_images_of_rows", {})
    return about


def _plain(drawn: str) -> str:
    """Return what plotly draws as plain text: lines joined, its markup gone, escapes undone."""
    joined = drawn.replace("<br>", ", ").replace(" · ", ", ").replace(BETWEEN, ", ")
    swatches = r"<span [^>]*>.</span> "
    return unescape(re.sub(r"</?[bi]>", "", re.sub(swatches, "", joined)))


# --- words that are drawn -------------------------------------------------------------


def hover(row: dict[Any, Any], *lines: str) -> str:
    """Return what hovering over a row says: its name, ids and place, then these lines."""
    names: Sequence[Any] = (row.get("image_name"), row.get("image_id"))
    places: Sequence[Any] = (row.get("account_name"), row.get("account_id"), row.get("region"))
    head = [f"<b>{safe(value)}</b>" for value in names if not missing(value)][:1]
    ids = [safe(value) for value in names if not missing(value)][1:]
    where = " · ".join(safe(value) for value in places if not missing(value))
    return "<br>".join(filter(None, [*head, *ids, where, *lines]))


def missing(value: Any) -> bool:
    """Tell a null, or a text that is empty."""
    return bool(pd.isna(value)) or value == ""


def safe(value: Any, otherwise: str = "?") -> str:
    """Return text that plotly draws as it stands: its bit of HTML and its formulas are escaped."""
    if missing(value):
        return otherwise
    return escape(one_line(value), quote=False).replace("$", "&#36;")


def short(texts: Iterable[str], room: int = 30) -> dict[str, str]:
    """Return what stands for each text in a label of some letters; no two become alike.

    What is long is cut in its middle, as names differ at their ends. Where that
    makes two alike, they are cut so that their first difference is seen; where
    that is not enough, they are given more room.
    """
    whole = {text: spelt_out(" ".join(text.split())) for text in texts}
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


def images(count: int) -> str:
    """Say how many images."""
    return "1 image" if count == 1 else f"{count:,} images"


def iso(moment: pd.Timestamp) -> str:
    """Return a time in UTC as plotly takes it: without a zone, so that no viewer's is applied."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def percent(share: float) -> str:
    """Say a share; only nothing is 0 %, and only all of it is 100 %."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")
