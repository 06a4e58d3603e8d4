"""Fields that Filters can match: facets, ranges, searched columns, and what EC2 filters itself.

The functions take active filters as a dict, so that they work without the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.schema.columns import API_FILTERS, COLUMNS, COUNT, TIME
from fastlaunch_nb.schema.joins import (
    JOINED,
    JOINS,
    MISSING,
    STOCK_COLUMNS,
    count_missing_snapshots,
)
from fastlaunch_nb.validation import validate_column

FACETS: Final = (
    *("account_id", "region", "state", "launch_template"),
    *("image_id", "owner_id", "resource_type"),
)
"""Facets of Filters: a row matches if it has one of several values."""

RANGES: Final = {
    "target_resource_count": COUNT,
    "max_parallel_launches": COUNT,
    "available_snapshots": COUNT,
    MISSING: COUNT,
    "state_transition_time": TIME,
}
"""Ranges of Filters, with the dtype of each column."""

SEARCHED: Final = (
    *("account_name", "account_id", "region", "image_name", "image_id", "owner_id"),
    *("launch_template_name", "launch_template_id", "state", "state_transition_reason"),
)
"""Columns that a text filter searches."""

API_PATHS: Final = {column.name: column.path for column in COLUMNS if column.path}
"""The path of each column that an item of a response has."""

SEARCHED_PATHS: Final = [API_PATHS[name] for name in SEARCHED if name in API_PATHS]
"""Paths of what a text filter searches in an item."""

ActiveFilters: TypeAlias = Mapping[str, Any]
"""Values of the filters that exclude rows, by field, as ``Filters.active`` returns them."""


def get_facet_values(images: pd.DataFrame, facet: str) -> pd.Series:
    """Return the value of a facet in each row."""
    if facet == "launch_template":
        names = validate_column("images", images, "launch_template_name")
        return names.fillna(validate_column("images", images, "launch_template_id"))
    return validate_column("images", images, facet)


def get_range_values(images: pd.DataFrame, name: str) -> pd.Series:
    """Return the value of a range in each row; raise if its column is missing."""
    if name == MISSING and not set(STOCK_COLUMNS).isdisjoint(images):
        return count_missing_snapshots(images)
    column = STOCK_COLUMNS[0] if name == MISSING else name
    if column not in images:
        joins = [join for join, columns in JOINS.items() if column in [c.name for c in columns]]
        hint = f" The join {joins[0]!r} of fl.enrich adds it." if joins else ""
        raise InputError(f"The range {name} needs a column that this DataFrame lacks.{hint}")
    return validate_column("images", images, name)


def select_server_side(active: ActiveFilters) -> dict[str, tuple[str, ...]]:
    """Select the filters that EC2 applies itself; EC2 cannot match a missing value.

    Examples
    --------
    >>> select_server_side({"state": ("enabled",), "owner_id": (None,), "text": "runner"})
    {'state': ('enabled',)}
    """
    fields = {"image_id", *API_FILTERS.values()}
    return {name: active[name] for name in active if name in fields and None not in active[name]}


def select_client_side(active: ActiveFilters) -> dict[str, Any]:
    """Select the filters that EC2 does not apply."""
    server_side = select_server_side(active)
    return {name: value for name, value in active.items() if name not in server_side}


def make_request(active: ActiveFilters) -> dict[str, list[Any]]:
    """Make the parameters of DescribeFastLaunchImages for the filters that EC2 applies.

    There is no page size, which EC2 refuses together with image ids.
    """
    server_side = select_server_side(active)
    filters = [
        {"Name": name, "Values": list(server_side[field])}
        for name, field in API_FILTERS.items()
        if field in server_side
    ]
    image_ids = [*dict.fromkeys(server_side.get("image_id", ()))]
    request: dict[str, list[Any]] = {"Filters": filters, "ImageIds": image_ids}
    return {name: values for name, values in request.items() if values}


def check_answerable(active: ActiveFilters) -> None:
    """Refuse filters on joined columns, which no response of EC2 has."""
    for name in active.keys() & {MISSING, *JOINED}:
        raise InputError(
            f"Filters have the range {name}, which needs a join: no response of EC2 has it. "
            "Read without it, join it with fl.enrich, then use Filters.apply."
        )


def to_plain(active: ActiveFilters) -> dict[str, Any]:
    """Convert values to lists, numbers and text, for JSON and for Python literals.

    Examples
    --------
    >>> to_plain({"state": ("enabled",), "state_transition_time": (pd.Timestamp("2026"), None)})
    {'state': ['enabled'], 'state_transition_time': ('2026-01-01T00:00:00', None)}
    """
    plain: dict[str, Any] = {}
    for name, value in active.items():
        if name in RANGES:
            ends = (end.isoformat() if isinstance(end, pd.Timestamp) else end for end in value)
            plain[name] = tuple(ends)
        else:
            plain[name] = value if isinstance(value, str) else list(value)
    return plain


def to_microseconds(time: pd.Timestamp) -> int:
    """Return a time in microseconds since 1970."""
    return int(time.as_unit("us").asm8.astype("int64"))
