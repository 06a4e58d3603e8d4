"""Restoring of columns that another tool has changed: text, times, numbers, ids of accounts."""

from __future__ import annotations

import re
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frames import convert_times, make_naive_error
from fastlaunch_nb.schema.columns import COUNT, FLAG, TEXT, TIME
from fastlaunch_nb.validation import convert_column, is_text_column

_NULLS: Final = ("", "nan", "nat", "none", "null", "<na>")
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}
_HAS_ZONE: Final = r"(?i):\d\d(?:[.,]\d+)?\s?(?:z|utc|[+-]\d\d(?::?\d\d)?)$"
_WHOLE = re.compile(r"(\d+)(?:[.,]0*)?")
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d*))?[eE]\+?(\d{1,2})")
_DIGITS: Final = 12
_ROUNDED: Final = 10**6
"""Excel shows six digits of a number with more than eleven: the rest of an id is zeros then."""


def restore_column(values: pd.Series, dtype: Any, *, is_account: bool = False) -> pd.Series:
    """Return a column with a dtype of the schema, whatever another tool made of it.

    Examples
    --------
    >>> restore_column(pd.Series(["6", "", "7.0"], name="snapshots"), "Int64").tolist()
    [6, <NA>, 7]
    >>> restore_column(pd.Series([12345678901], name="account_id"), "string", is_account=True)[0]
    '012345678901'
    """
    if is_account:
        return restore_account_ids(values)
    converted = convert_column(values, dtype)
    if converted is None:
        values = _restore_text(values)
        if is_text_column(values) and dtype != TEXT:
            values = _parse_text(values, dtype)
        converted = convert_column(values, dtype)
    if converted is None:
        raise _make_error(values, dtype)
    return converted


def _make_error(values: pd.Series, dtype: Any) -> InputError:
    first = values.dropna().astype(object).iloc[0]
    example = repr(first) if isinstance(first, str) else first
    problem = f"The column {values.name} is {values.dtype}, such as {example}."
    return InputError(f"{problem} Expected {dtype}.")


# --- text and numbers -----------------------------------------------------------------


def _restore_text(values: pd.Series) -> pd.Series:
    """Return whole numbers as text again, as a launch template's version becomes one in CSV."""
    if is_text_column(values) or isinstance(values.dtype, pd.CategoricalDtype):
        return values
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if values.dtype != object and not is_number:
        return values
    texts = [_to_text(value) for value in values.astype(object)]
    return pd.Series(texts, index=values.index, name=values.name, dtype=object)


def _to_text(value: Any) -> Any:
    if isinstance(value, str) or pd.isna(value):
        return None if not isinstance(value, str) else value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _parse_text(values: pd.Series, dtype: Any) -> pd.Series:
    """Parse text as times, numbers or flags; refuse what is none."""
    texts = values.astype(TEXT).str.strip()
    texts = texts.mask(texts.str.lower().isin(_NULLS))
    if dtype == TIME:
        return _parse_times(texts)
    if dtype == FLAG:
        flags = texts.str.lower().map(_FLAGS, na_action="ignore")
        wrong = texts[flags.isna() & texts.notna()]
        parsed = flags.astype("boolean")
    else:
        parsed = _parse_numbers(texts, dtype)
        wrong = texts[parsed.isna() & texts.notna()]
    if len(wrong):
        raise _make_error(wrong, dtype)
    return parsed


def _parse_numbers(texts: pd.Series, dtype: Any) -> pd.Series:
    if dtype == COUNT and texts.str.fullmatch(r"[+-]?\d{1,18}").fillna(value=True).all():
        return texts.astype(COUNT)  # a float would round more than 16 digits
    is_number = pd.Series(pd.to_numeric(texts, errors="coerce")).notna()
    numbers = [float(text) for text in texts[is_number]]  # which rounds right, as pandas may not
    known = pd.Series(numbers, texts.index[is_number], dtype="Float64", name=texts.name)
    return known.reindex(texts.index)


# --- times ----------------------------------------------------------------------------


def _parse_times(texts: pd.Series) -> pd.Series:
    """Parse times in ISO 8601 that name their zone."""
    known = texts.dropna()
    plain = known.str.replace(r"(?i)\s?utc$", "Z", regex=True)
    times = pd.Series(pd.to_datetime(plain, utc=True, format="ISO8601", errors="coerce"))
    if times.isna().any():
        raise InputError(
            f"The column {texts.name} has {known[times.isna()].iloc[0]!r}. "
            "Expected times in ISO 8601, such as '2026-01-15T12:00:00Z'."
        )
    naive = known[~known.str.contains(_HAS_ZONE).to_numpy(dtype=bool)]
    if len(naive):
        raise make_naive_error(str(texts.name), naive.iloc[0], "text")
    return times.astype(TIME).reindex(texts.index)


def assume_utc(values: pd.Series) -> pd.Series | None:
    """Return times without a zone as times in UTC; None if the column has none of them."""
    is_object = values.dtype == object
    kind = pd.api.types.infer_dtype(values, skipna=True) if is_object else str(values.dtype)
    if not kind.startswith("datetime") or isinstance(values.dtype, pd.DatetimeTZDtype):
        return None
    if is_object and any(time.tzinfo is not None for time in values.dropna()):
        return None
    return convert_times(pd.Series(pd.to_datetime(values)).dt.tz_localize("UTC"), "")


# --- ids of accounts ------------------------------------------------------------------


def restore_account_ids(values: pd.Series) -> pd.Series:
    """Return ids of accounts as 12 digits again, where a tool took them for numbers.

    Text that is no number stays. Refuse a number whose digits were rounded away.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.dtype.categories.dtype)
    is_short = re.match(r"float(16|32)|(half)?float\[", str(values.dtype).lower())
    if is_short and values.dropna().gt(2**24).any():
        raise _make_rounded_error(values.name, values.dropna().iloc[0])
    known = values.dropna().unique()
    restored = {value: _restore_account_id(values.name, value) for value in known}
    texts = [None if pd.isna(value) else restored[value] for value in values]
    return pd.Series(texts, index=values.index, name=values.name, dtype=TEXT)


def _restore_account_id(name: Any, value: Any) -> str | None:
    is_text_value = isinstance(value, str)
    text = value.strip() if is_text_value else _to_text(value)
    digits = _find_digits(text)
    if digits is None and is_text_value and not _SCIENTIFIC.fullmatch(text):
        return value or None
    is_rounded = digits is None or (len(digits) == _DIGITS and int(digits) % _ROUNDED == 0)
    if is_rounded and not (is_text_value and text == digits) and _is_number(text):
        raise _make_rounded_error(name, value)
    if digits is None or len(digits) > _DIGITS:
        raise InputError(f"The column {name} has {value!r}. Expected an account id, 12 digits.")
    return digits.zfill(_DIGITS)


def _find_digits(text: str) -> str | None:
    """Return the digits of a whole number; None if the text is none, or has not all of them."""
    if whole := _WHOLE.fullmatch(text):
        return whole[1]
    if parts := _SCIENTIFIC.fullmatch(text):
        digits, power = parts[1] + (parts[2] or ""), int(parts[3])
        return digits[: power + 1] if len(digits) > power else None
    return None


def _is_number(text: str) -> bool:
    return bool(_WHOLE.fullmatch(text) or _SCIENTIFIC.fullmatch(text))


def _make_rounded_error(name: Any, value: Any) -> InputError:
    return InputError(
        f"The column {name} has {value!r}, a rounded number: a tool took the account id for a "
        "number and lost digits. Import the original file with this column as text."
    )
