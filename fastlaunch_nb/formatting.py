"""Formatting: labels, times, durations, single lines and CSV, safe in every view."""

from __future__ import annotations

import re
import string
import unicodedata
from datetime import timedelta
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import escape_unprintable
from fastlaunch_nb.schema.columns import EXAMPLE_ACCOUNTS, TEXT, UNKNOWN, WORST_FIRST

ALIGN_LEFT: Final = "style='text-align:left'"
"""For each cell of an HTML table: a notebook that is not trusted has no style sheets."""
DEMO_MARK: Final = "Demo data"
_NO_IMAGE = (  # a DataFrame does not know why it is empty
    "No image to show.",
    "The DataFrame is empty: nothing was found, nothing could be read, or a filter kept no row.",
)
_NO_MATCH = ("No image matches the filters.", "Remove a filter, or reset all of them, to see more.")


def is_demo(images: pd.DataFrame) -> bool:
    """Return whether any row belongs to an example account of AWS's documentation."""
    return any(
        images[column].isin(EXAMPLE_ACCOUNTS).any()
        for column in ("account_id", "owner_id")
        if column in images
    )


def state_rank(state: str) -> int:
    """Return the rank of a state, 0 for the worst; a new state ranks as unknown."""
    return WORST_FIRST.index(state if state in WORST_FIRST else UNKNOWN)


def empty_message(*, filtered: bool = False) -> tuple[str, str]:
    """Return a title and a hint to show instead of rows.

    Set `filtered` only if you applied filters to existing images and none matched.
    """
    return _NO_MATCH if filtered else _NO_IMAGE


# --- names ----------------------------------------------------------------------------


def label_images(images: pd.DataFrame) -> pd.Series:
    """Return a label for each image: ``image_name`` if known, else its id."""
    return _fill_names(images, "image_name", "image_id")


def label_accounts(images: pd.DataFrame) -> pd.Series:
    """Return a label for each account: ``account_name`` if known, else its id."""
    return _fill_names(images, "account_name", "account_id")


def _fill_names(images: pd.DataFrame, name: str, key: str) -> pd.Series:
    ids = images[key].fillna("?")
    return images[name].astype(TEXT).fillna(ids) if name in images else ids


# --- text -----------------------------------------------------------------------------

_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
"""Bidirectional classes of Unicode (UAX 9) that reorder neighbouring text."""


def to_single_line(value: object) -> str:
    """Return text on one line, without characters that control a screen.

    A Unicode isolate keeps text with right-to-left letters from reordering its neighbours.
    """
    line = escape_unprintable(" ".join(str(value).split()))
    is_mixed = not _RIGHT_TO_LEFT.isdisjoint(map(unicodedata.bidirectional, line))
    return f"{_ISOLATE}{line}{_END_ISOLATE}" if is_mixed else line


def format_time(time: pd.Timestamp) -> str:
    """Format a time to the minute, with the abbreviation of its zone."""
    return f"{time:%Y-%m-%d %H:%M %Z}"


def format_duration(duration: timedelta) -> str:
    """Format a duration in at most two units."""
    minutes = max(0, round(duration.total_seconds() / 60))
    numbers = {"d": minutes // 1440, "h": minutes // 60 % 24, "min": minutes % 60}
    units = ("d", "h") if numbers["d"] else ("h", "min")
    texts = [f"{numbers[unit]:,} {unit}" for unit in units if numbers[unit]]
    return " ".join(texts) or "0 min"


def format_count(count: int, noun: str = "image") -> str:
    """Return a count with its noun, in the plural unless the count is 1.

    Examples
    --------
    >>> format_count(1), format_count(2000), format_count(0, "launch")
    ('1 image', '2,000 images', '0 launches')
    """
    ending = "" if count == 1 else "es" if noun.endswith("ch") else "s"
    return f"{count:,} {noun}{ending}"


# --- Markdown -------------------------------------------------------------------------

_PUNCTUATION = re.compile(f"([{re.escape(string.punctuation)}])")
_PLAIN = re.compile("[A-Za-z0-9 -]*")


def escape_markdown(text: str) -> str:
    """Escape ASCII punctuation, as CommonMark allows; no other character starts markup."""
    return _PUNCTUATION.sub(r"\\\1", text)


def to_markdown(rows: pd.DataFrame) -> str:
    r"""Return rows as a table in Markdown, in which no text is markup; a null is an empty cell.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["ami-0abcdef1234567890"], "image_name": ["*a|b*"]})
    >>> print(to_markdown(rows), end="")
    | image\_id | image\_name |
    | --- | --- |
    | ami-0abcdef1234567890 | \*a\|b\* |
    """
    cells = [[_to_markdown_cell(value) for value in values] for _, values in rows.items()]
    lines = [map(_to_markdown_cell, rows), ["---"] * rows.shape[1], *zip(*cells, strict=True)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _to_markdown_cell(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return format_time(value)
    if not isinstance(value, list | tuple | dict) and pd.isna(value):
        return ""
    text = to_single_line(value)
    return text if _PLAIN.fullmatch(text) else escape_markdown(text)


# --- CSV ------------------------------------------------------------------------------

_FORMULA = "=+-@＝＋－＠"
_MAY_BE_FORMULA = re.compile(rf"""[;\t\n]|^['\s"]*[{re.escape(_FORMULA)}]""")
_BEFORE_TEXT = re.compile(r"""^['\s";]*|['\s";]+""")  # what may precede the text of a cell
_EMPTY_TEXT = "\ue000"  # stands for an empty text until it is quoted; AWS never sends it


def to_csv(images: pd.DataFrame, separator: str = ",") -> str:
    """Return rows as CSV in which no cell is a formula, and only an empty text is quoted.

    A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@``, and may split cells
    at another separator than ours. An apostrophe before these characters keeps the cell text;
    :func:`remove_guards` removes it. A null is an empty cell, an empty text is ``""``.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890",
    ...                          "StateTransitionReason": "=cmd|' /C calc'!A0"}])
    >>> print(to_csv(images[["image_id", "state_transition_reason"]]), end="")
    image_id,state_transition_reason
    ami-0abcdef1234567890,'=cmd|' /C calc'!A0
    """
    texts = {name: values for name, values in images.items() if _may_be_text(values)}
    safe = {str(name): _make_safe(values) for name, values in texts.items()}
    text = images.assign(**safe).to_csv(index=False, lineterminator="\n", sep=separator)
    if _EMPTY_TEXT not in text:
        return text
    end = re.escape(separator)
    return re.sub(f"(^|{end}){_EMPTY_TEXT}(?={end}|$)", r'\1""', text, flags=re.MULTILINE)


def _may_be_text(values: pd.Series) -> bool:
    is_category = isinstance(values.dtype, pd.CategoricalDtype)
    return is_category or values.dtype == object or pd.api.types.is_string_dtype(values)


def _make_safe(values: pd.Series) -> pd.Series:
    """Guard the formulas of a column, and mark its empty texts; each distinct text once."""
    codes, distinct = pd.factorize(values.astype(TEXT))
    texts = pd.Series(distinct, dtype=TEXT).str.replace(r"\r\n?", "\n", regex=True)
    is_risky = texts.str.contains(_MAY_BE_FORMULA).to_numpy(bool)
    guarded = texts.mask(is_risky, texts[is_risky].map(_guard_cells))
    guarded = guarded.mask(texts.eq(""), _EMPTY_TEXT)
    return guarded.reindex(codes).set_axis(values.index)  # the code of a null is -1


def _guard_cells(text: str) -> str:
    """Put an apostrophe before each formula, wherever the text may be split into cells.

    A text that has apostrophes there itself gets one more, so that each of them can be removed.
    """
    return _change_guards(text, is_guarded=False)


def remove_guards(text: str) -> str:
    """Remove the apostrophes that :func:`to_csv` puts before formulas.

    Examples
    --------
    >>> remove_guards("'=1+1;'-2"), remove_guards("it's fine")
    ('=1+1;-2', "it's fine")
    """
    return _change_guards(text, is_guarded=True) if "'" in text else text


def _change_guards(text: str, *, is_guarded: bool) -> str:
    def change(before: re.Match[str]) -> str:
        is_formula = text[before.end() : before.end() + 1] in tuple(_FORMULA)
        if not is_formula:
            return before[0]
        return _change_starts(before[0], is_first=not before.start(), is_guarded=is_guarded)

    return _BEFORE_TEXT.sub(change, text)


def _change_starts(before: str, *, is_first: bool, is_guarded: bool) -> str:
    """Add or remove an apostrophe at each start of a cell in what precedes a formula.

    From the right: a start counts if only apostrophes, then space and quotes follow it.
    """
    reversed_text: list[str] = []
    apostrophes, counts = 0, True
    for position in range(len(before), -1, -1):
        is_start = before[position - 1] in ";\t\n" if position else is_first
        if is_start and counts and not is_guarded:
            reversed_text.append("'")
        elif is_start and counts and apostrophes:
            reversed_text.pop()
            apostrophes -= 1
        if position:
            character = before[position - 1]
            counts &= character == "'" or (character != ";" and not apostrophes)
            apostrophes += character == "'"
            reversed_text.append(character)
    return "".join(reversed(reversed_text))
