"""The static form of the panel, for readers without a kernel: a picture of letters, and a table.

It is an output of its own next to the live panel: JupyterLab would not show it for a panel whose
kernel is gone if both were forms of one output. Where the live panel is on the page, it hides it.

GitHub strips styles, classes and images; JupyterLab strips style sheets and images from a
file that it does not trust. So bars are block characters of Unicode, which appear wherever
text does. The styles that remain colour them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

import ipywidgets as widgets
import pandas as pd
from IPython.display import display

from fastlaunch_nb.charts.style import row_labels, state_style
from fastlaunch_nb.filter_panel.table_columns import (
    DEFAULT_IMAGE_COLUMNS,
    RIGHT_ALIGNED,
    format_value,
    make_image_columns,
    render_swatch,
    to_records,
)
from fastlaunch_nb.filter_panel.widget_helpers import read_file, render_message
from fastlaunch_nb.formatting import ALIGN_LEFT, empty_message, state_rank
from fastlaunch_nb.schema.joins import coalesce_stock
from fastlaunch_nb.validation import validate_columns

MAX_ROWS: Final = 10
"""The number of rows of the table."""
_MAX_STATES, _MAX_TARGETS = 6, 7  # lines of the picture; with a heading each, 15
_BAR_WIDTH = 16  # characters of the longest bar
_ONE_LINE = "nowrap style='text-align:left;white-space:nowrap'"  # sites may strip one of the two
_RIGHT = "nowrap style='text-align:right;white-space:nowrap'"
_ALIGNMENTS = {"state": _ONE_LINE, "state_transition_time": _ONE_LINE} | dict.fromkeys(
    RIGHT_ALIGNED, "class='fl-number'"
)
_EIGHTHS: Sequence[str] = ("", *"▏▎▍▌▋▊▉")
_HINT: Final = (
    "<p class='fl-empty'>This is a picture of the {kind}. To use it, run the cell in JupyterLab, "
    "Notebook, VS Code or Voila, with ipywidgets 8.</p>"
)
_STYLE: Final = f"<style>{read_file('common.css')}{read_file('static_html.css')}</style>"


def render_static_html(images: pd.DataFrame, filtered: pd.DataFrame, summary_html: str) -> str:
    """Render the static form of a panel: its escaped summary, a picture, and the first rows.

    `images` are all images of the panel, `filtered` those that match its filters. The HTML is
    readable without any styles, and all text from AWS in it is escaped.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}])
    >>> "████" in render_static_html(images, images, "<b>1 of 1</b> images")
    True
    """
    if filtered.empty:
        message = " ".join(empty_message(filtered=not images.empty))
        body = f"<p class='fl-empty'>{message}</p>"
    else:
        picture = _render_lines("State", "Images", _make_state_lines(images, filtered))
        targets, heading = _make_target_lines(filtered)
        if targets:
            picture += _render_lines("Largest targets", heading, targets)
        body = f"<div class='fl-picture'>{picture}</div>{_render_first_rows(filtered)}"
    return _render_page(f"{summary_html}{body}", "panel")


def render_static_table(images: pd.DataFrame, names: Collection[str]) -> str:
    """Render the static form of a table: the first rows, in the columns with these names."""
    if images.empty:
        return _render_page(render_message(" ".join(empty_message())), "table")
    return _render_page(_render_first_rows(images, names), "table")


def _render_first_rows(images: pd.DataFrame, names: Collection[str] = DEFAULT_IMAGE_COLUMNS) -> str:
    more = len(images) - MAX_ROWS
    rest = f"<p class='fl-empty'>and {more:,} more</p>" if more > 0 else ""
    return f"{render_table(images.head(MAX_ROWS), names)}{rest}"


def _render_page(body: str, kind: str) -> str:
    css_classes = "fl-panel fl-static tex2jax_ignore mathjax_ignore"
    return f"{_STYLE}<div class='{css_classes}'>{body}{_HINT.format(kind=kind)}</div>"


def render_static_message(text: str) -> str:
    """Render the static form of a page without a panel yet."""
    return f"{_STYLE}<div class='fl-panel fl-static'>{render_message(text)}</div>"


def display_with_static_form(widget: widgets.DOMWidget) -> Callable[[], object]:
    """Display a widget, and its static form where no page shows the widget itself.

    Return a function that renews the static form, for example after the data has changed.
    """
    bundle = widget._repr_mimebundle_()
    name = f"fl-{hashlib.sha256(bundle['text/html'].encode()).hexdigest()[:12]}"
    static = _make_saved_form(bundle, name)
    widget.add_class(f"{name}-live")
    display(bundle, raw=True)
    handle = display(static, raw=True, display_id=True)  # None outside of IPython

    def renew() -> None:
        if handle is not None:
            handle.update(_make_saved_form(widget._repr_mimebundle_(), name), raw=True)

    return renew


def _make_saved_form(bundle: dict[str, Any], name: str) -> dict[str, str]:
    """Move the static form out of a bundle of a widget; a page with the widget hides it."""
    style = f"<style>body:has(.{name}-live) .{name} {{ display: none; }}</style>"
    static = f"{style}<div class='fl-saved {name}'>{bundle.pop('text/html')}</div>"
    return {"text/html": static, "text/plain": bundle.pop("text/plain")}


# --- the picture ----------------------------------------------------------------------


class _Line(NamedTuple):
    """A line of the picture: its label, its number as text, and its bar."""

    state: str | None  # gives the colour
    label: str
    number: str
    bar: str


def _make_state_lines(images: pd.DataFrame, filtered: pd.DataFrame) -> list[_Line]:
    """Make a line for each state, the worst first; the last line sums up those beyond it."""
    totals, counts = (rows["state"].fillna("unknown").value_counts() for rows in (images, filtered))
    states = sorted(counts.index, key=lambda state: (state_rank(state), state))
    first = states if len(states) <= _MAX_STATES else states[: _MAX_STATES - 1]
    rest = states[len(first) :]

    def make_line(state: str | None, label: str, count: int, total: int) -> _Line:
        number = f"{count:,}" if count == total else f"{count:,} of {total:,}"
        bar = "" if state is None else _draw_bar(count / totals.max())
        return _Line(state, label, number, bar)

    lines = [make_line(state, state, counts[state], totals[state]) for state in first]
    if rest:
        label = f"{len(rest)} more states"
        lines.append(make_line(None, label, counts[rest].sum(), totals[rest].sum()))
    return lines


def _make_target_lines(images: pd.DataFrame) -> tuple[list[_Line], str]:
    """Make a line for each of the largest targets; return them and the heading of the numbers.

    Where the stock of any of them is known, the bar shows the stock and then, lighter,
    what is missing; otherwise it shows the target.
    """
    images = validate_columns("images", images).reset_index(drop=True)
    rows = images.loc[images["target_resource_count"].dropna().nlargest(_MAX_TARGETS).index]
    states, targets = rows["state"].fillna("unknown"), rows["target_resource_count"].tolist()
    stocks: list[Any] = [None if pd.isna(stock) else stock for stock in coalesce_stock(rows)]
    known = [stock for stock in stocks if stock is not None]
    longest = max([1, *targets, *known])
    lines = []
    for state, label, target, stock in zip(states, row_labels(rows), targets, stocks, strict=True):
        number, bar = f"{target:,}", _draw_bar(target / longest)
        if known:
            number = f"{'?' if stock is None else f'{stock:,}'} of {target:,}"
            bar = _draw_bar((stock or 0) / longest)
            bar += "░" * max(0, round(target / longest * _BAR_WIDTH) - len(bar))
        lines.append(_Line(state, label, number, bar))
    return lines, "In stock" if known else "Snapshots"


def _draw_bar(share: float) -> str:
    """Draw a share of the longest bar, to an eighth of a character; only 0 draws nothing."""
    eighths: int = max(1 if share else 0, round(share * _BAR_WIDTH * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def _render_lines(label: str, number: str, lines: Sequence[_Line]) -> str:
    """Render lines as a table with two headings; the bar has none, as it repeats the number."""
    head = "".join(f"<th scope='col' {ALIGN_LEFT}>{heading}</th>" for heading in (label, number))
    body = "".join(
        f"<tr><td {ALIGN_LEFT}>{render_swatch(line.state)} {format_value(line.label)}</td>"
        f"<td {_RIGHT}>{line.number}</td>"
        f"<td {ALIGN_LEFT}><span aria-hidden='true' class='fl-bar' style='"
        f"color:{state_style(line.state).colour};font-family:monospace'>{line.bar}</span></td></tr>"
        for line in lines
    )
    return f"<table><thead><tr>{head}<td></td></tr></thead><tbody>{body}</tbody></table>"


# --- the table ------------------------------------------------------------------------


def render_table(images: pd.DataFrame, names: Collection[str] = DEFAULT_IMAGE_COLUMNS) -> str:
    """Render images as an HTML table. All text from AWS is escaped."""
    known = {column.name: column for column in make_image_columns(images)}
    columns = [known[name] for name in names if name in known]
    head = "".join(f"<th scope='col' {ALIGN_LEFT}>{column.heading}</th>" for column in columns)
    rows = (
        "".join(f"<td {_ALIGNMENTS.get(c.name, ALIGN_LEFT)}>{c.render(row)}</td>" for c in columns)
        for row in to_records(validate_columns("images", images))
    )
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return (
        "<div class='fl-scroll' tabindex='0' role='region' aria-label='Images'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
