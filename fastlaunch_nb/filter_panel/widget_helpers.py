"""The small parts that the panel's controls share: buttons, boxes, labels, and waiting a moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd

from fastlaunch_nb.formatting import account_labels, format_time, single_line

TITLES = {
    "state": "State",
    "account_id": "Account",
    "region": "Region",
    "launch_template": "Launch template",
    "image_id": "Image id",
    "owner_id": "Owner",
    "resource_type": "Resource type",
    "target_resource_count": "Target snapshots",
    "max_parallel_launches": "Max parallel launches",
    "available_snapshots": "Snapshots in stock",
    "state_transition_time": "In its state since",
    "text": "Search",
}
"""What people call each part of :class:`Filters`."""
PAUSE = 0.25
"""Seconds: nobody is typing any more who has not typed for so long."""
_NONE = "(none)"
_FORMULA = re.compile(r"\$.*\$|\\[(\[]|\\begin")


class Debounce:
    """Calls a function as soon as nobody has asked for it for a while.

    Where no event loop runs, as in a script, nobody is typing: it is called at once.
    """

    def __init__(self, call: Callable[[], None], pause: float = PAUSE) -> None:
        self._call, self._pause = call, pause
        self._waiting: asyncio.TimerHandle | None = None

    def __call__(self, _change: object = None) -> None:
        """Ask for the call."""
        self.forget()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._call()
        else:
            self._waiting = loop.call_later(self._pause, self._call)

    def forget(self) -> None:
        """Take back what was asked for and has not been done."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def row(name: str, *children: Any) -> Any:
    """Return widgets side by side, on more lines where it is narrow."""
    layout = widgets.Layout(flex_flow="row wrap", align_items="center")
    return widgets.Box(list(children), layout=layout).add_class(name)


def text_box(description: str, placeholder: str, name: str) -> Any:
    """Return a line to type in, which tells of every letter."""
    return widgets.Text(
        description=description,
        placeholder=placeholder,
        continuous_update=True,
        style={"description_width": "initial"},
    ).add_class(name)


def button(description: str, icon: str = "", **more: Any) -> Any:
    """Return a button as wide as its words."""
    return widgets.Button(description=description, icon=icon, layout={"width": "auto"}, **more)


def choice(description: str, options: list[tuple[str, Any]], value: Any) -> Any:
    """Return a list to choose one from, as wide as it needs to be."""
    return widgets.Dropdown(
        description=description,
        options=options,
        value=value,
        layout={"width": "auto"},
        style={"description_width": "initial"},
    )


def message(text: str) -> str:
    """Return HTML of a message in the place of a view that has nothing to show."""
    return f"<p class='fl-empty' role='status'>{text}</p>"


def label(value: str | None, names: Mapping[str, str]) -> str:
    """Return a facet's value for the eye: its name where it is known."""
    return _NONE if value is None else single_line(names.get(value, value))


def said_range(ends: tuple[Any, Any]) -> str:
    """Say a range: from where, to where, or both."""
    low, high = (None if end is None else _said_end(end) for end in ends)
    if low is not None and high is not None:
        return low if low == high else f"{low} to {high}"
    return f"from {low}" if high is None else f"to {high}"


def _said_end(end: Any) -> str:
    return format_time(end) if isinstance(end, pd.Timestamp) else f"{end:,}"


def no_formula(text: str) -> str:
    """Escape what JupyterLab, which typesets the labels of tick boxes, would make a formula."""
    return re.sub(r"([$\\])", r"\\\1", text) if _FORMULA.search(text) else text


def account_names(images: pd.DataFrame) -> dict[str, str]:
    """Return the name for the eye of each account, by its id."""
    labels = images[["account_id"]].assign(label=account_labels(images))
    return dict(labels.dropna().drop_duplicates("account_id", keep="last").to_numpy())
