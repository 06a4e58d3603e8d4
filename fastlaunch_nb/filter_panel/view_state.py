"""A view: filters, sort, columns, groups, tab and zone of a panel, as data of a file or a link.

A view may come from a browser, a file or a link, so it is untrusted: all of it is checked, and a
bad one raises InputError before anything changes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filter_panel.image_groups import TITLES as GROUPS
from fastlaunch_nb.filter_panel.time_zone import parse_zone
from fastlaunch_nb.filters.fields import RANGES
from fastlaunch_nb.filters.filters import Filters

VERSION: Final = 1
"""The version of the form of a view."""
LINK_PARAMETER: Final = "view"
"""The parameter of a dashboard's address that has a view."""
MAX_LENGTH: Final = 100_000
"""Characters of a view as text; a longer one is not read."""
_KEYS: Final = ("version", "filters", "sort", "columns", "group", "tab", "time_zone")
_ORDERS: Final = ("ascending", "descending")
_EXAMPLE: Final = "Expected a view, such as panel.view or {'filters': {'state': ['enabled']}}."


class Arrangement(NamedTuple):
    """The visible columns of a table, in their order, its sort and its groups."""

    columns: tuple[str, ...] = ()
    sort: str = ""  # no column: the rows are in the order that they were read in
    descending: bool = False
    group: str = ""  # no groups


@dataclass(frozen=True)
class View:
    """The filters, the arrangement of the table, the open tab and the time zone of a panel."""

    filters: Filters
    arrangement: Arrangement
    tab: str
    time_zone: str = "UTC"

    def to_dict(self) -> dict[str, Any]:
        """Return the view as JSON has it; without columns, as in a link, the panel's own stay."""
        columns, sort, descending, group = self.arrangement
        return {
            "version": VERSION,
            "filters": json.loads(self.filters.to_json()),
            "sort": [sort, _ORDERS[descending]],
            "columns": list(columns),
            "group": group,
            "tab": self.tab,
            "time_zone": self.time_zone,
        }

    def change(self, value: object, tabs: Iterable[str]) -> View:
        """Return this view with all that a dict, or its JSON, sets; raise if it is no view.

        What it leaves out stays. Columns may be those of another panel.
        """
        data = _parse_object(value)
        for key in data:
            if key not in _KEYS:
                raise _refuse(f"This has {key!r}.{did_you_mean(str(key), _KEYS)}")
        if data.get("version", VERSION) != VERSION:
            raise _refuse(
                f"This has the version {data['version']!r}; this release reads {VERSION}."
            )
        arrangement = self.arrangement
        if "columns" in data:
            arrangement = arrangement._replace(columns=_parse_columns(data["columns"]))
        if "sort" in data:
            sort, order = _parse_sort(data["sort"])
            arrangement = arrangement._replace(sort=sort, descending=order == "descending")
        if "group" in data:
            arrangement = arrangement._replace(group=_parse_group(data["group"]))
        filters = _parse_filters(data["filters"]) if "filters" in data else self.filters
        tab = _parse_tab(data.get("tab", self.tab), tabs)
        zone = data.get("time_zone", self.time_zone)
        parse_zone(zone)
        return View(filters, arrangement, tab, zone)


def describe_missing(arrangement: Arrangement, names: Collection[str]) -> str:
    """Return a sentence on columns that a table lacks and so leaves out; else an empty text."""
    wanted = (*arrangement.columns, *filter(None, [arrangement.sort]))
    missing = [name for name in dict.fromkeys(wanted) if name not in names]
    if not missing:
        return ""
    hint = did_you_mean(missing[0], names)
    listed = ", ".join(map(repr, missing))
    return f"The view has columns that these images lack, and is shown without: {listed}.{hint}"


def find_moving_control(before: Filters, after: Filters) -> str:
    """Return the control that has moved, if it moves in bursts: a slider, or a word being typed."""
    changed = [n for n in (*RANGES, "text") if getattr(before, n) != getattr(after, n)]
    if changed == ["text"]:
        return f"word {len(after.text.split())}"
    return changed[0] if changed else ""


def can_link() -> bool:
    """Return whether the address of this page can have a view: Voila's can, a notebook's cannot."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")


def read_link_view() -> str | None:
    """Return the text of the view in the address of this page; None if there is none.

    Voila sets the query of the address as ``QUERY_STRING`` in the environment of the kernel.
    """
    if not can_link():
        return None
    try:
        query = parse_qs(os.environ.get("QUERY_STRING", ""), max_num_fields=100)
    except ValueError:  # more fields than any link of ours
        return None
    return query.get(LINK_PARAMETER, [None])[-1]


def _refuse(problem: str) -> InputError:
    return InputError(f"{_EXAMPLE} {problem}")


def _parse_object(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        if len(value) > MAX_LENGTH:
            raise _refuse(f"This text has more than {MAX_LENGTH:,} characters.")
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise _refuse(f"This is not JSON: {error}.") from None
    if not isinstance(value, Mapping):
        raise _refuse(f"This is a {type(value).__name__}.")
    return value


def _parse_filters(value: object) -> Filters:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _refuse(f"Its filters are not JSON: {error}.") from None
    return Filters.from_json(text)


def _parse_columns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise _refuse(f"Its columns are {value!r}, not a list of names.")
    return tuple(dict.fromkeys(value))


def _parse_sort(value: object) -> tuple[str, str]:
    match value:
        case [str(name), str(order)] if order in _ORDERS:
            return name, order
    raise _refuse(f"Its sort is {value!r}, not such as ['state', 'descending'].")


def _parse_group(value: object) -> str:
    names = ("", *GROUPS)
    if value not in names:
        raise _refuse(f"Its group is {value!r}, not one of {', '.join(map(repr, names))}.")
    return str(value)


def _parse_tab(value: object, tabs: Iterable[str]) -> str:
    names = tuple(tabs)
    if value not in names:
        raise _refuse(f"Its tab is {value!r}, not one of {', '.join(map(repr, names))}.")
    return str(value)
