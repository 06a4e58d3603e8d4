"""Text of charts as data: attached to a figure, and read back as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape, unescape
from itertools import chain
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts.markup import Line, RowText, escape_markup, read_hover_label
from fastlaunch_nb.errors import InputError, escape_unprintable, warn_renamed
from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.schema.columns import KEY

_META: Final = "fastlaunch_nb"
"""The key of `layout.meta` that holds the text of a figure."""
_EXPECTED: Final = (
    "Expected a figure of timeline, state_mix, capacity, fleet_map or sizing_curve, or any other "
    "plotly figure with a title."
)


class FigureText(NamedTuple):
    """The text of a figure; every item is plain text on one line."""

    title: str
    lines: list[str]  # of the subtitle, then the legend
    rows: list[str]  # from top to bottom


def alt_text(figure: go.Figure) -> str:
    """Describe a figure in words and numbers, for people who cannot see it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        A chart of this package. Any other plotly figure, or one whose ``meta`` was
        replaced, has only its title and subtitle as text.

    Returns
    -------
    str
        Plain text: the title, also if you changed it; the lines below it; and a line for
        each bar or row, from top to bottom.

    Raises
    ------
    InputError
        If `figure` is not a plotly figure, or has neither text of its own nor a title.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> print(fl.alt_text(fl.capacity(images)))
    Target: 10 snapshots for 1 image, stock unknown
    1 image
    target snapshots, max parallel launches
    - ami-0abcdef1234567890, target 10 snapshots, at most 6 parallel launches, state unknown
    """
    title, lines, rows = figure_text(figure)
    return "\n".join([title, *lines, *(f"- {row}" for row in rows)])


def text(figure: go.Figure) -> str:
    """Describe a figure in words; the old name of :func:`fastlaunch_nb.alt_text`.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        As for ``alt_text``.

    Returns
    -------
    str
        The text of the figure, after a DeprecationWarning.

    Raises
    ------
    InputError
        As for ``alt_text``.

    Examples
    --------
    >>> import warnings
    >>> import fastlaunch_nb as fl
    >>> with warnings.catch_warnings(action="ignore"):
    ...     print(fl.text(go.Figure(layout={"title": "My fleet"})))
    My fleet
    """
    warn_renamed("fl.text", "fl.alt_text")
    return alt_text(figure)


def figure_text(figure: object) -> FigureText:
    """Return the text of a figure under its current title."""
    if not isinstance(figure, go.Figure):
        raise InputError(f"{_EXPECTED} Got a {type(figure).__name__}.")
    heading, meta = figure.layout.title, _read_meta(figure)
    title = unescape(meta.get("title") or "")
    lines, rows = [*map(unescape, meta.get("lines", []))], [*map(unescape, _read_rows(figure))]
    if not meta:
        subtitle = map(_strip_markup, (heading.subtitle.text or "").split("<br>"))
        lines = [*filter(None, subtitle)]
    if heading.text and heading.text != escape_markup(title):
        title = _strip_markup(heading.text)
    if not title:
        raise InputError(
            f"{_EXPECTED} This figure has none: set one with figure.update_layout(title=...)."
        )
    return FigureText(title, lines, rows)


def attach_text(figure: go.Figure, title: str, lines: Iterable[Line]) -> None:
    """Attach the title and the lines above the rows to a figure."""
    _update_meta(figure, title=escape_markup(title), lines=[*map(_escape_line, lines)], rows=[])


def attach_name(figure: go.Figure, chart: str) -> None:
    """Attach the name of the chart, so that two charts with the same text differ."""
    _update_meta(figure, chart=chart)


def attach_rows(figure: go.Figure, rows: Iterable[RowText]) -> None:
    """Attach the text of the rows to a figure, from top to bottom."""
    _update_meta(figure, rows=[_escape_line([*chain.from_iterable(row)]) for row in rows])


def attach_table(figure: go.Figure, columns: Iterable[str], rows: Iterable[Line]) -> None:
    """Attach the text of the rows to a figure: a name, and below each column a text or none.

    The name of a column is stored once, because there may be 100,000 cells.
    """
    cells = [[escape_markup(cell) if cell else None for cell in row] for row in rows]
    _update_meta(figure, columns=[*map(escape_markup, columns)], rows=cells)


def attach_bar_order(figure: go.Figure, order: Iterable[int]) -> None:
    """Attach the order of the bars, from top to bottom: their hover labels are the rows' text.

    A figure may have 3,000 bars, so each text is stored once, as :func:`draw_hover_labels` does.
    The numbers count the bars of all traces.
    """
    _update_meta(figure, rows=[*map(int, order)])


def _read_rows(figure: go.Figure) -> Iterator[str]:
    """Yield the text of each row: of a list, of a table, or of bars that still exist."""
    meta, bars = _read_meta(figure), [*_read_bars(figure)]
    for row in meta.get("rows", []):
        if isinstance(row, str):
            yield row
        elif isinstance(row, int):
            yield from bars[row : row + 1]
        else:
            name, *cells = row
            pairs = zip(meta["columns"], cells, strict=True)
            yield ", ".join([name, *(f"{column}: {cell}" for column, cell in pairs if cell)])


def _read_bars(figure: go.Figure) -> Iterator[str]:
    for trace in figure.select_traces({"type": "bar"}):
        for cells in () if trace.customdata is None else trace.customdata:
            yield ", ".join(read_hover_label(trace.hovertemplate, cells))


def attach_images(figure: go.Figure, rows: Iterable[Any], images: pd.DataFrame) -> None:
    """Attach the keys of the images to a figure, by their values on its y axis.

    Each account and region is stored once, because there may be 100,000 images.
    """
    keys = images[list(KEY)].astype(object).where(images[list(KEY)].notna(), None)
    account_regions: dict[tuple[str | None, ...], int] = {}
    images_by_row: dict[Any, list[tuple[int, str | None]]] = {}
    for row, key in zip(rows, keys.itertuples(index=False, name=None), strict=True):
        *account_region, image_id = (
            part if part is None else escape(part, quote=False) for part in key
        )
        number = account_regions.setdefault(tuple(account_region), len(account_regions))
        images_by_row.setdefault(row, []).append((number, image_id))
    _update_meta(figure, places=[*account_regions], images=[*images_by_row.items()])


def remove_image_keys(figure: go.Figure) -> go.Figure:
    """Copy a figure without the keys that :func:`attach_images` attached."""
    copied = go.Figure(figure)
    if "images" in _read_meta(figure):
        _update_meta(copied, places=[], images=[])
    return copied


def _update_meta(figure: go.Figure, **fields: Any) -> None:
    meta = figure.layout.meta or {}
    figure.update_layout(meta={**meta, _META: {**_read_meta(figure), **fields}})


def _read_meta(figure: go.Figure) -> dict[str, Any]:
    """Return the fields in the `meta` of a figure; none if somebody else replaced it."""
    meta = figure.layout.meta
    fields = meta.get(_META) if isinstance(meta, dict) else None
    return fields if isinstance(fields, dict) else {}


def _escape_line(line: Line) -> str:
    """Join the parts of a line, escaped in case somebody draws text from `meta`."""
    return ", ".join(escape_markup(part) for part in line if part)


def _strip_markup(markup: str) -> str:
    """Convert markup of somebody else's figure to plain text on one line."""
    return to_single_line(unescape(re.sub(r"<[^<>]*>", " ", markup)))


def read_image_keys(figure: go.Figure) -> dict[Any, list[tuple[Any, ...]]]:
    """Return the keys of the images in each row of a figure that was just drawn.

    A row is a value on the y axis. A key is an account, a region and an image id, with None
    for a null. A chart whose rows are groups has no keys.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890"}], region="eu-west-1")
    >>> read_image_keys(fl.capacity(images))
    {0: [(None, 'eu-west-1', 'ami-0abcdef1234567890')]}
    """
    meta = _read_meta(figure)

    def make_key(account_region: int, image_id: str | None) -> tuple[str | None, ...]:
        parts = (*meta["places"][account_region], image_id)
        return tuple(part if part is None else unescape(part) for part in parts)

    return {row: [make_key(*image) for image in images] for row, images in meta.get("images", [])}


# --- plain text -----------------------------------------------------------------------


def row_text(row: dict[Any, Any], *lines: str) -> RowText:
    """Return the text of an image's row: its name, id, account and region, then these lines."""
    own = ([part for part in line if part] for line in image_lines(row))
    return [line for line in (*own, *([line] for line in lines)) if line]


def image_lines(row: dict[Any, Any]) -> RowText:
    """Return three lines about an image: its name or id, its id if it has a name, its origin.

    A part is empty if it is missing, so that the lines of all images have the same parts.
    """
    name, image_id, *origin = (
        text_or_default(row.get(field), "")
        for field in ("image_name", "image_id", "account_name", "account_id", "region")
    )
    return [[name or image_id], [image_id if name else ""], origin]


def is_missing(value: Any) -> bool:
    """Return True for a null or an empty text."""
    return bool(pd.isna(value)) or value == ""


def text_or_default(value: Any, default: str = "?") -> str:
    """Return a value as text, or the default if it is missing."""
    return default if is_missing(value) else str(value)


def shorten_labels(texts: Iterable[str], width: int = 30) -> list[str]:
    """Shorten texts to labels of at most `width` characters; different texts stay different.

    A long text loses its middle, because names tend to differ at their ends. If two labels
    become equal, they are cut around their first difference; if that is not enough, they
    become longer than `width`.
    """
    clean = [escape_unprintable(" ".join(text.split())) for text in texts]
    lines = list(dict.fromkeys(clean))
    labels = [_cut_middle(line, width) for line in lines]
    for positions in find_duplicates(labels):
        columns = enumerate(zip(*(lines[position] for position in positions), strict=False))
        difference = next((column for column, letters in columns if len(set(letters)) > 1), 0)
        for position in positions:
            ending = lines[position][max(0, difference - 1) :]
            labels[position] = f"{lines[position][:5]}…{_cut_middle(ending, width - 6)}"
    while groups := find_duplicates(labels):
        width += 10
        for position in chain.from_iterable(groups):
            labels[position] = _cut_middle(lines[position], width)
    label_of = dict(zip(lines, labels, strict=True))
    return [label_of[line] for line in clean]


def find_duplicates(labels: Sequence[str]) -> list[list[int]]:
    """Return the positions of each label that occurs more than once."""
    positions: dict[str, list[int]] = {}
    for position, label in enumerate(labels):
        positions.setdefault(label, []).append(position)
    return [group for group in positions.values() if len(group) > 1]


def _cut_middle(line: str, width: int) -> str:
    end = (width - 1) // 2
    return line if len(line) <= width else f"{line[:end]}…{line[-end:]}"


def format_percent(share: float) -> str:
    """Format a share as a percentage; only 0 becomes 0 %, and only 1 becomes 100 %."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")
