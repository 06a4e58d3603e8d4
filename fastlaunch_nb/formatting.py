"""Formatting: text for people, the same in every view and safe wherever it is shown."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import pandas as pd

from fastlaunch_nb.errors import escape_unprintable
from fastlaunch_nb.schema.columns import EXAMPLE_ACCOUNTS, TEXT, WORST_FIRST

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


def state_rank(state: str) -> int:
    """Return the place of a state among all, the worst first; a new one is unknown."""
    return WORST_FIRST.index(state) if state in WORST_FIRST else WORST_FIRST.index("unknown")


def empty_message(*, filtered: bool = False) -> tuple[str, str]:
    """Return what to show in place of rows: a sentence, and one more that helps.

    Only a caller that applied filters itself, to images that there are, knows that they kept
    none: `filtered`.
    """
    return _NO_MATCH if filtered else _NO_IMAGE


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


def single_line(value: object) -> str:
    """Return text for the eye: on one line, with nothing in it that a screen would obey.

    Letters that run from right to left stay, in an isolate of Unicode, so that
    they leave the order of what is beside them alone.
    """
    line = escape_unprintable(" ".join(str(value).split()))
    leftwards = not _LEFTWARDS.isdisjoint(map(unicodedata.bidirectional, line))
    return f"{_ISOLATE}{line}{_END_ISOLATE}" if leftwards else line


def format_time(moment: pd.Timestamp) -> str:
    """Say when, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def format_duration(span: pd.Timedelta) -> str:
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
    guarded = {str(name): _guard_formulas(values) for name, values in texts.items()}
    return images.assign(**guarded).to_csv(index=False, lineterminator="\n", sep=separator)


def _guard_formulas(values: pd.Series) -> pd.Series:
    one_kind_of_line_end = values.astype(TEXT).str.replace(r"\r\n?", "\n", regex=True)
    return one_kind_of_line_end.str.replace(_BEGINS_FORMULA, r"\1'", regex=True)
