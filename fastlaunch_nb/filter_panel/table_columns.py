"""The columns of the panel's tables: what each is called, shows, is sorted by and copied as."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.filters.fields import facet_values
from fastlaunch_nb.formatting import account_labels, image_labels, single_line, state_rank
from fastlaunch_nb.rules.rule import SEVERITIES

Rows: TypeAlias = Sequence[Mapping[Any, Any]]
Cell: TypeAlias = Callable[[Mapping[Any, Any]], str]
Rank: TypeAlias = Callable[[pd.DataFrame], pd.Series]


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    name, heading : str
        What it is called: in the frame, and for the eye.
    cell : callable
        The HTML of a row's cell. All that came from AWS is escaped in it.
    rank : callable
        Of a frame, what its rows are sorted by.
    fields : tuple of str
        The columns of the frame that it is made of: these are copied.
    """

    name: str
    heading: str
    cell: Cell
    rank: Rank
    fields: tuple[str, ...]


def of_images(images: pd.DataFrame) -> list[Column]:
    """Return the columns that tell of images: these first, then all others of the frame."""
    first = [column for column in _IMAGES if column.fields[-1] in images]
    return [*first, *_others(images, first)]


def of_findings(findings: pd.DataFrame) -> list[Column]:
    """Return the columns that tell of findings."""
    return [*_FINDINGS, *_others(findings, _FINDINGS)]


def shown_rows(rows: pd.DataFrame) -> Rows:
    """Return rows as cells take them: with what their images, accounts and templates are called."""
    shown = rows.assign(_image=image_labels(rows), _account=account_labels(rows))
    if "launch_template_name" in rows:
        shown["_template"] = facet_values(rows, "launch_template")
    records: Rows = shown.to_dict("records")
    return records


def _others(rows: pd.DataFrame, told: Iterable[Column]) -> list[Column]:
    fields = {field for column in told for field in column.fields}
    return [_plain(str(name)) for name in rows if name not in fields]


def _plain(name: str) -> Column:
    """Return a column that shows one of the frame's as it is."""
    heading = name.replace("_", " ").capitalize().replace(" id", " ID").replace("usd", "USD")
    return _column(name, heading)


def _column(
    name: str,
    heading: str,
    cell: Cell | None = None,
    rank: Rank | None = None,
    fields: tuple[str, ...] = (),
) -> Column:
    """Return a column; where nothing else is said, it is one of the frame's, as it is there."""
    return Column(
        name,
        heading,
        cell or (lambda row: text(row[name])),
        rank or (lambda rows: rows[name]),
        fields or (name,),
    )


# --- cells ----------------------------------------------------------------------------


def text(value: Any) -> str:
    """Return a value for a cell: on one line and escaped; a null is a dash."""
    if not isinstance(value, list | tuple | dict) and pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return escape(single_line(value))


def two(main: str, below: str = "") -> str:
    """Return what is in a cell, and what is small below it."""
    return f"<div>{main}{f'<br><small>{below}</small>' if below else ''}</div>"


def swatch(state: Any) -> str:
    """Return the sign of a state, which its word stands beside."""
    if state is None or pd.isna(state):
        return ""
    look = state_style(state)
    return f"<span aria-hidden='true' style='color:{look.colour}'>{look.swatch}</span>"


def _reason(row: Mapping[Any, Any]) -> str:
    return f"<div class='fl-long fl-cut'>{text(row['state_transition_reason'])}</div>"


def _image(row: Mapping[Any, Any]) -> str:
    below = "" if row["_image"] == row["image_id"] else text(row["image_id"])
    return two(text(row["_image"]), below)


def _state(row: Mapping[Any, Any]) -> str:
    return two(f"{swatch(row['state'])} {text(row['state'])}")


def _account(row: Mapping[Any, Any]) -> str:
    return two(text(row["_account"]), text(row["region"]))


def _template(row: Mapping[Any, Any]) -> str:
    version = row["launch_template_version"]
    return two(text(row["_template"]), "" if pd.isna(version) else f"version {text(version)}")


def _since(row: Mapping[Any, Any]) -> str:
    since = row["state_transition_time"]
    return two("–") if pd.isna(since) else two(f"{since:%Y-%m-%d}", f"{since:%H:%M}")


def _severity(row: Mapping[Any, Any]) -> str:
    sign = {"high": "▲", "medium": "■", "low": "●"}.get(row["severity"], "?")
    return f"<span class='fl-{escape(str(row['severity']))}'>{sign}</span> {text(row['severity'])}"


def _evidence(row: Mapping[Any, Any]) -> str:
    """Return what was found, and below it what to do."""
    remedy = f"<small class='fl-cut'>{text(row['remedy'])}</small>"
    return f"<div class='fl-long'>{text(row['evidence'])}{remedy}</div>"


# --- ranks ----------------------------------------------------------------------------


def _by_state(rows: pd.DataFrame) -> pd.Series:
    worst = {state: state_rank(state) for state in rows["state"].dropna().unique()}
    return rows["state"].map(worst).fillna(state_rank("unknown"))


def _by_account(rows: pd.DataFrame) -> pd.Series:
    return account_labels(rows).str.cat(rows["region"].fillna(""), sep="\0")


def _by_severity(rows: pd.DataFrame) -> pd.Series:
    worst = {severity: place for place, severity in enumerate(SEVERITIES)}
    return rows["severity"].map(worst)


def _by_template(rows: pd.DataFrame) -> pd.Series:
    return facet_values(rows, "launch_template")


_NAMED = (
    _column("image_id", "Image", _image, image_labels, ("image_name", "image_id")),
    _column("account_id", "Account, region", _account, _by_account,
            ("account_name", "account_id", "region")),
)  # fmt: skip
_IMAGES = (
    _NAMED[0],
    _column("state", "State", _state, _by_state),
    _NAMED[1],
    _column("target_resource_count", "Target"),
    _column("available_snapshots", "In stock"),
    _column("max_parallel_launches", "Max parallel"),
    _column("launch_template_name", "Launch template", _template, _by_template,
            ("launch_template_id", "launch_template_name", "launch_template_version")),
    _column("state_transition_time", "Since (UTC)", _since),
    _column("state_transition_reason", "Reason", _reason),
)  # fmt: skip
IMAGES = tuple(column.name for column in _IMAGES)
"""The columns that are shown of images until others are chosen."""

_FINDINGS = (
    _column("severity", "Severity", _severity, _by_severity),
    _column("finding", "Finding"),
    *_NAMED,
    _column("evidence", "Evidence, what to do", _evidence, fields=("evidence", "remedy")),
    _column("monthly_usd", "USD a month"),
)
FINDINGS = tuple(column.name for column in _FINDINGS)
"""The columns that are shown of findings until others are chosen."""
NUMBERS = ("target_resource_count", "available_snapshots", "max_parallel_launches", "monthly_usd")
"""The columns whose numbers stand one below the other."""
