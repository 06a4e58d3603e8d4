"""What comes from AWS, as it is put before the eye: fit for it, on a line, by its name, in order.

Every view asks here, so that all of them say the same and are kept from the same tricks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import InputError, spelt_out
from fastlaunch_nb.frame.columns import (
    COLUMNS,
    COUNT,
    EXAMPLE_ACCOUNTS,
    INTERVAL_TIMES,
    NUMBER,
    TEXT,
    TIME,
    WORST_FIRST,
)
from fastlaunch_nb.frame.joined import JOINED

DEMO_MARK: Final = "Demo data"
_NO_IMAGE = (  # a DataFrame does not know why it is empty, so nothing is claimed
    "No image to show.",
    "The DataFrame is empty: nothing was found, nothing could be read, or a filter kept no row.",
)
_NO_MATCH = ("No image matches the filters.", "Remove a filter, or reset all of them, to see more.")


def is_demo(images: pd.DataFrame) -> bool:
    """Tell whether any row is of an account of AWS's documentation, which is nobody's."""
    return any(
        images[column].isin(EXAMPLE_ACCOUNTS).any()
        for column in ("account_id", "owner_id")
        if column in images
    )


def severity(state: str) -> int:
    """Return the place of a state among all, the worst first; a new one is unknown."""
    return WORST_FIRST.index(state) if state in WORST_FIRST else WORST_FIRST.index("unknown")


def empty_message(*, filtered: bool = False) -> tuple[str, str]:
    """Return what to show in place of rows: a sentence, and one more that helps.

    Only a caller that applied filters itself, to images that there are, knows that they kept
    none: `filtered`.
    """
    return _NO_MATCH if filtered else _NO_IMAGE


# --- what a frame must be --------------------------------------------------------------


_EXPECTED: Final = {
    "images": "Expected images: a DataFrame as describe, sweep and from_pages return it.",
    "intervals": "Expected state intervals: a DataFrame as fl.intervals returns it.",
    "coverage": "Expected a coverage, such as sweep(...).coverage.",
    "events": "Expected events: a DataFrame as fl.from_events returns it.",
    "findings": "Expected findings: a DataFrame as fl.findings returns it.",
    "metrics": "Expected metrics: a DataFrame as fl.metrics returns it.",
    "snapshots": "Expected snapshots: a DataFrame as fl.snapshots returns it.",
}


def validate_columns(kind: str, given: object, *columns: str) -> pd.DataFrame:
    """Return a DataFrame of some kind with these columns, and each column that we know as declared.

    Parameters
    ----------
    kind : str
        What it is of: "images", "intervals", "coverage", "events", "findings", "metrics"
        or "snapshots".
    given : object
        What a caller passed.
    *columns : str
        The columns that must be there.

    Raises
    ------
    InputError
        If it is no DataFrame, lacks columns, or holds something else in them, as after a
        round trip through CSV.
    """
    rows = require_columns(kind, given, *columns)
    declared = {**{column.name: column.dtype for column in COLUMNS}, **INTERVAL_TIMES, **JOINED}
    fitting = {}
    for name in declared.keys() & set(rows):
        fitting[name] = _fitted(rows[name], declared[name])
        if fitting[name] is None:
            raise wrong_rows(
                kind,
                f"In this one {name} is {rows[name].dtype}, not {declared[name]}; "
                "a file of CSV keeps no types.",
            )
    fit = rows.assign(**fitting)
    fit.index.names = [None] * fit.index.nlevels  # an index may bear the name of a column
    return fit


def require_columns(kind: str, given: object, *columns: str) -> pd.DataFrame:
    """Return a DataFrame of some kind as it is; refuse all else, and one without these columns."""
    if not isinstance(given, pd.DataFrame):
        raise wrong_rows(kind, f"Got a {type(given).__name__}.")
    missing = [column for column in columns if column not in given]
    if missing:
        raise wrong_rows(kind, f"{kind} lacks {', '.join(missing)}.")
    return given


def wrong_rows(kind: str, why: str) -> InputError:
    """Return the error that says which rows were expected, and what came."""
    return InputError(f"{_EXPECTED[kind]} {why}")


def _fitted(values: pd.Series, dtype: Any) -> pd.Series | None:
    """Return values as this dtype; None where they are of another kind."""
    if values.isna().all():
        return pd.Series(pd.array([None] * len(values), dtype=dtype), index=values.index)
    if dtype == TIME:
        aware = isinstance(values.dtype, pd.DatetimeTZDtype)
        return values.dt.tz_convert("UTC").dt.as_unit("us") if aware else None
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if dtype == COUNT:
        # Other writers of Parquet make a count with nulls a float.
        whole = number and bool((values.dropna() % 1 == 0).all())
        return values.astype(COUNT) if whole else None
    if dtype == NUMBER:
        return values.astype(NUMBER) if number else None
    text = pd.api.types.is_string_dtype(values) or values.dtype == object
    return values.astype(TEXT) if text else None


# --- names ----------------------------------------------------------------------------


def image_labels(images: pd.DataFrame) -> pd.Series:
    """Return each row's name for the eye: ``image_name`` where it is known, else its id."""
    return _names_over_ids(images, "image_name", "image_id")


def account_labels(images: pd.DataFrame) -> pd.Series:
    """Return each row's account for the eye: ``account_name`` where known, else its id."""
    return _names_over_ids(images, "account_name", "account_id")


def _names_over_ids(images: pd.DataFrame, name: str, key: str) -> pd.Series:
    ids = images[key].fillna("?")
    return images[name].astype(TEXT).fillna(ids) if name in images else ids


# --- text -----------------------------------------------------------------------------

_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_LEFTWARDS = {"R", "AL", "AN"}
"""Bidirectional classes of Unicode (UAX 9) that change the order of what is beside them."""


def one_line(value: object) -> str:
    """Return text for the eye: on one line, with nothing in it that a screen would obey.

    Letters that run from right to left stay, in an isolate of Unicode, so that
    they leave the order of what is beside them alone.
    """
    line = spelt_out(" ".join(str(value).split()))
    leftwards = not _LEFTWARDS.isdisjoint(map(unicodedata.bidirectional, line))
    return f"{_ISOLATE}{line}{_END_ISOLATE}" if leftwards else line


def minute(moment: pd.Timestamp) -> str:
    """Say when, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def lasted(span: pd.Timedelta) -> str:
    """Say how long something took, in two units at most."""
    minutes = max(0, round(span.total_seconds() / 60))
    parts = {"d": minutes // 1440, "h": minutes // 60 % 24, "min": minutes % 60}
    units = ("d", "h") if parts["d"] else ("h", "min")
    said = [f"{parts[unit]:,} {unit}" for unit in units if parts[unit]]
    return " ".join(said) or "0 min"


# --- for a spreadsheet -----------------------------------------------------------------

_BEGINS_FORMULA = re.compile(r"(^|[;\t\n])(?=[\s\"]*[=+\-@＝＋－＠])")


def to_csv(images: pd.DataFrame, separator: str = ",") -> str:
    """Return rows as CSV that a spreadsheet reads as text.

    A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for
    a formula; where its separator is another than ours, so it does what follows
    that one. An apostrophe goes before each, so that it stays text.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890",
    ...                          "StateTransitionReason": "=cmd|' /C calc'!A0"}])
    >>> print(to_csv(images[["image_id", "state_transition_reason"]]), end="")
    image_id,state_transition_reason
    ami-0abcdef1234567890,'=cmd|' /C calc'!A0
    """
    texts = images.select_dtypes(["string", "object"])
    guarded = {str(name): _as_text(values) for name, values in texts.items()}
    return images.assign(**guarded).to_csv(index=False, lineterminator="\n", sep=separator)


def _as_text(values: pd.Series) -> pd.Series:
    one_kind_of_line_end = values.astype(TEXT).str.replace(r"\r\n?", "\n", regex=True)
    return one_kind_of_line_end.str.replace(_BEGINS_FORMULA, r"\1'", regex=True)
