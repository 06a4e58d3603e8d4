"""Image rows: rows with our own columns, as the toolkit writes them, back to items of the API.

``show --json``, ``show --csv`` and ``sweep --out`` write them as JSON, CSV and Parquet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fastlaunch_nb.schema.columns import COLUMNS, COUNT

_NEEDED: Final = frozenset({"image_id", "state"})
_OF_OTHERS: Final = frozenset({"event_id", "finding", "start"})
"""Columns of events, findings and intervals, whose rows are no images."""
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}(\.0+)?")


def is_image_row(content: Mapping[Any, Any]) -> bool:
    """Return whether a dict is a row of images."""
    return content.keys() >= _NEEDED and not _OF_OTHERS & content.keys()


def restore_item(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item of the API that a row was made from.

    Examples
    --------
    >>> restore_item({"image_id": "ami-1", "target_resource_count": "5", "state": None})
    {'ImageId': 'ami-1', 'SnapshotConfiguration': {'TargetResourceCount': 5}}
    """
    item: dict[str, Any] = {}
    for column in COLUMNS:
        value = row.get(column.name)
        if column.path and value is not None:
            *parents, name = column.path
            fields = item
            for parent in parents:
                fields = fields.setdefault(parent, {})
            fields[name] = _restore_count(value) if column.dtype == COUNT else value
    return item


def _restore_count(value: Any) -> Any:
    """Return an integer from text of CSV, or from a float, which some writers make of it."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value.partition(".")[0])
    return int(value) if isinstance(value, float) and value.is_integer() else value
