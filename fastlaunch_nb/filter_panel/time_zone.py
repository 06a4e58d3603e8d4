"""The time zone of a panel: UTC, or that of the browser, in which people see times.

A zone comes from a browser or a view, so its name is checked. Times keep their instants: a
DataFrame whose times are in a zone shows them there, wherever its values are formatted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import anywidget
import pandas as pd
import traitlets
from ipywidgets import Layout

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.widget_helpers import read_file, share

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*")
_MAX_LENGTH: Final = 60  # the longest name of a zone has 32 characters


def parse_zone(name: object) -> tzinfo:
    """Return the time zone of a name; raise if it is no name of one.

    On Windows, which has no such zones, they come with pandas.

    Examples
    --------
    >>> str(parse_zone("Europe/Berlin"))
    'Europe/Berlin'
    """
    if name == "UTC":
        return UTC
    if isinstance(name, str) and len(name) <= _MAX_LENGTH and _NAME.fullmatch(name):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    short = repr(name)[:_MAX_LENGTH]
    raise InputError(f"There is no time zone {short}. Expected a name such as 'Europe/Berlin'.")


def convert_times(rows: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
    """Return rows with all of their times in a zone."""
    if zone is UTC:
        return rows
    converted = rows.copy(deep=False)
    for name in rows.select_dtypes("datetimetz"):
        converted[name] = rows[name].dt.tz_convert(zone)
    return converted


class ZoneChoice(anywidget.AnyWidget):
    """A choice of UTC or the browser's own time zone; it hides where these are the same.

    `on_change` gets the name of a zone that exists.
    """

    _esm = read_file("zone_choice.js")

    zone = traitlets.Unicode("UTC").tag(sync=True)

    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        super().__init__(layout=share(Layout), _dom_classes=("fl-zone",))
        self.on_msg(self._choose)

    def _choose(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """Choose a zone that the browser sends; refuse it if it does not exist here."""
        name = message.get("zone")
        try:
            parse_zone(name)
        except InputError as error:
            self.send({"error": str(error)})
        else:
            self._on_change(str(name))
