"""Columns of the panel's table: the heading, the HTML, the sort key and the fields of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.filters.fields import get_facet_values
from fastlaunch_nb.formatting import (
    format_duration,
    label_accounts,
    label_images,
    state_rank,
    to_single_line,
)
from fastlaunch_nb.schema.joins import coalesce_stock
from fastlaunch_nb.validation import EPOCH

Record: TypeAlias = Mapping[Any, Any]


class Column(NamedTuple):
    """A column of a table."""

    name: str  # the DataFrame's column
    heading: str
    render: Callable[[Record], str]  # returns the HTML of a cell, with all text escaped
    sort_key: Callable[[pd.DataFrame], pd.Series]  # returns the values that rows are sorted by
    fields: tuple[str, ...]  # the DataFrame's columns that the cell shows; Copy and CSV have these


def make_image_columns(images: pd.DataFrame, zone: str = "UTC") -> list[Column]:
    """Return the columns of a table of images: ours first, then all others of the DataFrame.

    A heading names the zone of the times that the table shows.
    """
    known = (*_IMAGE_COLUMNS, *_MORE_IMAGE_COLUMNS)
    ours = [
        column._replace(heading=column.heading.replace("UTC", zone))
        for column in known
        if column.fields[-1] in images
    ]
    return [*ours, *_make_other_columns(images, ours)]


def to_records(rows: pd.DataFrame) -> Sequence[Record]:
    """Convert rows to records for cells, with labels of image, account, template, and stock."""
    labelled = rows.assign(_image=label_images(rows), _account=label_accounts(rows))
    if "launch_template_name" in rows:
        labelled["_template"] = get_facet_values(rows, "launch_template")
    if "available_snapshots" in rows or "snapshots" in rows:
        labelled["_stock"] = coalesce_stock(rows)
    records: Sequence[Record] = labelled.to_dict("records")
    return records


def _make_other_columns(rows: pd.DataFrame, ours: Iterable[Column]) -> list[Column]:
    """Make a column for each field that our columns leave out."""
    fields = {field for column in ours for field in column.fields}
    return [_make_column(str(name)) for name in rows if name not in fields]


def _make_column(
    name: str,
    heading: str = "",
    render: Callable[[Record], str] | None = None,
    sort_key: Callable[[pd.DataFrame], pd.Series] | None = None,
    fields: tuple[str, ...] = (),
) -> Column:
    """Make a column; by default it shows and sorts by the DataFrame's column of its name."""
    return Column(
        name,
        heading or label_field(name),
        render or (lambda row: format_value(row[name])),
        sort_key or (lambda rows: rows[name]),
        fields or (name,),
    )


def label_field(name: str) -> str:
    """Return the name of a field in words.

    Examples
    --------
    >>> label_field("launch_template_id")
    'Launch template ID'
    """
    words = name.replace("_", " ").capitalize()
    return words.replace(" id", " ID").replace("usd", "USD").replace(" gib", " GiB")


# --- cells ----------------------------------------------------------------------------


def format_value(value: Any) -> str:
    """Format a value for a cell, on one line and escaped; a null is a dash."""
    if not isinstance(value, list | tuple | dict) and pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return escape(to_single_line(value))


def render_swatch(state: Any) -> str:
    """Render the swatch of a state, which stands before its name."""
    if state is None or pd.isna(state):
        return ""
    style = state_style(state)
    return f"<span aria-hidden='true' style='color:{style.colour}'>{style.swatch}</span>"


def _render_lines(main: str, small: str = "") -> str:
    """Render a cell with small text below the main text."""
    return f"<div>{main}{f'<br><small>{small}</small>' if small else ''}</div>"


def _render_image(row: Record) -> str:
    small = "" if row["_image"] == row["image_id"] else format_value(row["image_id"])
    return _render_lines(format_value(row["_image"]), small)


def _render_template(row: Record) -> str:
    version = row["launch_template_version"]
    return _render_lines(
        format_value(row["_template"]),
        "" if pd.isna(version) else f"version {format_value(version)}",
    )


def _render_since(row: Record) -> str:
    """Render how long an image was in its state when it was read, and the time below."""
    since: Any = row["state_transition_time"]
    duration: Any = row["observed_at"] - since
    time = format_value(since)
    if pd.isna(duration):
        return _render_lines(time)
    return _render_lines(format_duration(duration), time)


def _render_target(row: Record) -> str:
    """Render the target count; where the stock is known, the stock of it, and a bar."""
    target: Any = row["target_resource_count"]
    stock: Any = row.get("_stock")
    if bool(pd.isna(target)) or bool(pd.isna(stock)):
        return format_value(target)
    share = min(1.0, stock / target) if target else 1.0
    bar = f"<span aria-hidden='true' class='fl-stock' style='--fl-share:{share:.0%}'></span>"
    return _render_lines(f"{format_value(stock)} of {format_value(target)}", bar)


def _render_reason(row: Record) -> str:
    """Render a reason on at most two lines; the tooltip has all of it."""
    reason = format_value(row["state_transition_reason"])
    return f"<div class='fl-reason' title='{reason}'>{reason}</div>"


def render_severity(row: Record) -> str:
    """Render the severity of a finding, with a sign of its own."""
    severity = row["severity"]
    sign = {"high": "▲", "medium": "■", "low": "●", "info": "○"}.get(severity, "?")
    css_class = f"fl-{escape(str(severity))}"
    return f"<span class='{css_class}' aria-hidden='true'>{sign}</span> {format_value(severity)}"


# --- sort keys ------------------------------------------------------------------------


def _rank_states(rows: pd.DataFrame) -> pd.Series:
    """Return numbers that sort by state, the worst first, then by time, the oldest first."""
    ranks = {state: state_rank(state) for state in rows["state"].dropna().unique()}
    rank = rows["state"].map(ranks).fillna(state_rank("unknown")).astype("int64")
    seconds = (rows["state_transition_time"] - EPOCH) // pd.Timedelta(seconds=1)
    return 2 * rank * _MAX_SECONDS + seconds.fillna(_MAX_SECONDS).astype("int64")  # unknown is last


_MAX_SECONDS = 10**12
"""More seconds than any year of datetime is from 1970."""
_IMAGE = _make_column("image_id", "Image", _render_image, label_images, ("image_name", "image_id"))
_PLACE = _make_column(
    "account_id",
    "Where",
    lambda row: _render_lines(format_value(row["region"]), format_value(row["_account"])),
    lambda rows: rows["region"].fillna("").str.cat(label_accounts(rows), sep="\0"),
    ("account_name", "account_id", "region"),
)
_IMAGE_COLUMNS = (
    _make_column(
        "state",
        "State",
        lambda row: _render_lines(f"{render_swatch(row['state'])} {format_value(row['state'])}"),
        _rank_states,
    ),
    _make_column("state_transition_time", "Since (UTC)", _render_since),
    _IMAGE,
    _PLACE,
    _make_column("state_transition_reason", "Reason", _render_reason),
    _make_column(
        "target_resource_count",
        "Target",
        _render_target,
        fields=("available_snapshots", "target_resource_count"),
    ),
    _make_column("max_parallel_launches", "Parallel"),
)
DEFAULT_IMAGE_COLUMNS = tuple(column.name for column in _IMAGE_COLUMNS)
"""The columns of images that a table shows until the user chooses others."""
_MORE_IMAGE_COLUMNS = (
    _make_column("available_snapshots", "In stock"),
    _make_column(
        "launch_template_name",
        "Launch template",
        _render_template,
        lambda rows: get_facet_values(rows, "launch_template"),
        ("launch_template_id", "launch_template_name", "launch_template_version"),
    ),
)
RIGHT_ALIGNED = ("target_resource_count", "available_snapshots", "max_parallel_launches")
"""The columns of numbers."""
LONG = ("state_transition_reason",)
"""The columns that take the width that the others leave."""
