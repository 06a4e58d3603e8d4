"""Item table: items of the API, converted to columns of declared types.

Error messages begin with the text `expected`, in which a caller describes its input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME, Column
from fastlaunch_nb.sources.json_input import describe_value
from fastlaunch_nb.sources.powershell import check_depth, restore_value

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {TEXT: (str,), COUNT: (int,), TIME: (datetime, str)}
_PLAIN: Final[Mapping[str, frozenset[type]]] = {
    dtype: frozenset({types[0], type(None)}) for dtype, types in _TYPES.items()
}
"""Types that need no check."""


def table_from_items(
    items: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    expected: str,
    known: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """Make a DataFrame with a row for each item.

    A column without a path has its values in `known`, one for each item, or is null.
    """
    others = known or {}
    return pd.DataFrame(
        {
            column.name: _to_array(
                column,
                [_read_field(item, column.path, expected) for item in items]
                if column.path
                else others.get(column.name, [None] * len(items)),
                expected,
            )
            for column in columns
        }
    )


def _read_field(item: Mapping[str, Any], path: tuple[str, ...], expected: str) -> Any:
    value: Any = item
    for depth, key in enumerate(path):
        if value is None:
            return None
        if type(value) is not dict and not isinstance(value, Mapping):
            check_depth(value, expected)
            parent = ".".join(path[:depth])
            raise SourceError(f"{expected} Got {parent} with {describe_value(value)}, not a dict.")
        value = value.get(key)
    return value


def _to_array(column: Column, values: Sequence[Any], expected: str) -> Any:
    name = ".".join(column.path) or column.name
    plain = _PLAIN[column.dtype]
    checked = [
        value if type(value) in plain else _check(column, value, expected) for value in values
    ]
    try:
        if column.dtype != TIME:
            return pd.array(checked, dtype=column.dtype)
        times = pd.Series(checked, dtype=object)
        return pd.to_datetime(times, utc=True, format="ISO8601").astype(TIME)
    except (ValueError, TypeError, OverflowError):  # for text: a lone surrogate
        wrong = {
            TEXT: "text that is not Unicode text",
            COUNT: "a number of more than 64 bits",
            TIME: "text that is not an ISO 8601 time",
        }
        raise SourceError(f"{expected} Got {name} with {wrong[column.dtype]}.") from None


def _check(column: Column, value: Any, expected: str) -> Any:
    """Return a value of the column's type, also if PowerShell wrote it; refuse all others."""
    types, value = _TYPES[column.dtype], restore_value(value)
    if value is None or (isinstance(value, types) and not isinstance(value, bool)):
        return value
    check_depth(value, expected)
    raise SourceError(
        f"{expected} Got {'.'.join(column.path) or column.name} with {describe_value(value)}, "
        f"not {' or '.join(kind.__name__ for kind in types)}."
    )
