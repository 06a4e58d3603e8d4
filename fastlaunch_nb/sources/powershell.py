"""PowerShell: values as ``ConvertTo-Json`` writes them, restored; objects that it cut off.

AWS Tools return .NET objects. Windows PowerShell 5.1 writes a time as ``/Date(1768077012552)/``,
and either version writes a constant as ``{"Value": "enabled"}``. An object deeper than ``-Depth``
becomes the name of its class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastlaunch_nb.errors import SourceError

_DATE: Final = re.compile(r"/Date\((-?\d{1,17})(?:[+-]\d{4})?\)/")
_CLASS: Final = re.compile(r"(?:Amazon|System)(?:\.[A-Z][\w`]*)+(?:\[\S*\])?|@\{.*\}", re.DOTALL)
_MAX_NAMES: Final = 8  # of the classes in an array, joined by spaces
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_LEVELS: Final = 32


def restore_value(value: Any) -> Any:
    """Return a constant's text, and a time of 5.1 as a datetime; other values as they are.

    Examples
    --------
    >>> restore_value({"Value": "enabled"})
    'enabled'
    >>> restore_value("/Date(1768077012552)/").isoformat()
    '2026-01-10T20:30:12.552000+00:00'
    """
    if isinstance(value, str):
        if value.startswith("/Date(") and (date := _DATE.fullmatch(value)):
            with suppress(OverflowError):
                return _EPOCH + timedelta(milliseconds=int(date[1]))
    elif isinstance(value, Mapping):
        if value.keys() == {"Value"}:
            return value["Value"]
        if {"value", "DateTime"} <= value.keys():
            return restore_value(value["value"])
    return value


def open_array(content: Mapping[Any, Any]) -> Any:
    """Return the list in an array of Windows PowerShell; another object as a list of one.

    Examples
    --------
    >>> open_array({"value": [1, 2], "Count": 2}), open_array({"Value": "enabled"})
    ([1, 2], [{'Value': 'enabled'}])
    """
    return content["value"] if content.keys() == {"value", "Count"} else [content]


def check_depth(value: Any, expected: str, origin: str = "") -> None:
    """Raise a SourceError if a value is, or contains, the name of a class instead of an object."""
    if name := _find_class(value, _MAX_LEVELS):
        raise SourceError(
            f"{expected} Got {name[:80]!r} in place of an object{origin}: the -Depth of "
            "ConvertTo-Json was too small. Export it again with `| ConvertTo-Json -Depth 9`."
        )


def _find_class(value: Any, levels: int) -> str | None:
    """Return the first name of a class in a value."""
    if isinstance(value, str):
        names = [value] if value.startswith("@{") else value.split(maxsplit=_MAX_NAMES)[:_MAX_NAMES]
        return value if names and all(map(_CLASS.fullmatch, names)) else None
    inner: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
    if not levels or not isinstance(value, Mapping | list | tuple):
        return None
    return next(filter(None, (_find_class(each, levels - 1) for each in inner)), None)
