"""Helpers for the panel's widgets: files, labels, small widgets, and a debounced call.

Each widget is a message to the browser, and so are its layout, its style and each later change.
So widgets share layouts and styles here, and get their CSS class as they are made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from fastlaunch_nb.errors import SetupError
from fastlaunch_nb.formatting import format_time, label_accounts, to_single_line
from fastlaunch_nb.shells import get_native_shell

TITLES = {
    "state": "State",
    "account_id": "Account",
    "region": "Region",
    "launch_template": "Launch template",
    "image_id": "Image ID",
    "owner_id": "Owner",
    "resource_type": "Resource type",
    "target_resource_count": "Target snapshots",
    "max_parallel_launches": "Max parallel launches",
    "available_snapshots": "Snapshots in stock",
    "missing_snapshots": "Missing snapshots",
    "state_transition_time": "In its state since",
    "text": "Search",
}
"""The title of each field of :class:`Filters`."""
TYPING_PAUSE = 0.25
"""Seconds without a keystroke after which the panel applies the text."""
_SHELLS: Final = (
    ("POSIX (CloudShell, macOS, Linux)", "posix"),
    ("PowerShell", "powershell"),
    ("Command Prompt", "cmd"),
)


def read_file(name: str) -> str:
    """Return the text of a .js or .css file of this package, without indentation.

    No text in quotes is longer than a line there, and each widget sends its files again.
    """
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return re.sub(r"\n\s+", "\n", text)


def require_widgets(name: str) -> None:
    """Raise a SetupError if ipywidgets is older than version 8, as in Google Colab.

    `name` is that of the function that needs it.
    """
    version = widgets.__version__
    if int(version.partition(".")[0]) < 8:
        raise SetupError(
            f"{name} needs ipywidgets 8, and {version} is installed. Where the notebook's page "
            'can show widgets of version 8, run pip install "ipywidgets>=8.1" and restart the '
            "kernel. Charts, such as fl.timeline, and DataFrames work as they are."
        )


class Debounce:
    """A callback that calls a function once its own calls have paused.

    Where no event loop runs, as in a script, nobody types: it calls the function at once, or not
    at all if `only_idle`.
    """

    def __init__(
        self, function: Callable[[], None], pause: float = TYPING_PAUSE, *, only_idle: bool = False
    ) -> None:
        self._function, self._pause, self._only_idle = function, pause, only_idle
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, _change: object = None) -> None:
        """Call the function after the pause, unless another call starts the pause again."""
        self.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if not self._only_idle:
                self._function()
        else:
            self._timer = loop.call_later(self._pause, self._function)

    def cancel(self) -> None:
        """Cancel the call that is waiting, if any."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# --- widgets --------------------------------------------------------------------------


_SHARED: dict[Any, Any] = {}


def share(kind: type[widgets.Widget], **options: Any) -> Any:
    """Return a layout or style that all widgets of a kernel share, so that nobody may change it.

    It stays when a panel is closed; if somebody else closed it, it is made anew.
    """
    key = (kind, *options.items())
    if key not in _SHARED or _SHARED[key].comm is None:
        _SHARED[key] = kind(**options)
        _SHARED[key].is_shared = True
    return _SHARED[key]


def make_html(value: str = "", *css_classes: str) -> Any:
    """Make a widget of HTML, which nobody hides."""
    looks = {"layout": share(widgets.Layout), "style": share(widgets.HTML.style.klass)}
    return widgets.HTML(value, tooltip="", _dom_classes=css_classes, **looks)


def make_box(*css_classes: str) -> Any:
    """Make an empty box for widgets one below the other, which nobody hides."""
    return widgets.VBox(_dom_classes=css_classes, layout=share(widgets.Layout))


def make_row(css_class: str, *children: Any) -> Any:
    """Make a box with widgets side by side, which wraps where it is narrow."""
    layout = {"flex_flow": "row wrap", "align_items": "center"}
    return widgets.Box(children, layout=layout, _dom_classes=(css_class,))


def make_text_box(description: str, placeholder: str, css_class: str) -> Any:
    """Make a text box that reports each keystroke."""
    return widgets.Text(
        description=description,
        placeholder=placeholder,
        style=share(widgets.Text.style.klass, description_width="initial"),
        _dom_classes=(css_class,),
    )


def make_button(description: str, icon: str = "", **options: Any) -> Any:
    """Make a button as wide as its text; one that hides has a `layout` of its own."""
    looks = {"layout": share(widgets.Layout, width="auto"), "style": share(widgets.ButtonStyle)}
    options = {"tooltip": ""} | options  # without it, browsers show "null"
    return widgets.Button(description=description, icon=icon, **looks | options)


def make_toggle(description: str, **options: Any) -> Any:
    """Make a toggle button as wide as its text; one that hides has a `layout` of its own."""
    looks = {
        "layout": share(widgets.Layout, width="auto"),
        "style": share(widgets.ToggleButton.style.klass),
    }
    options = {"tooltip": ""} | options
    return widgets.ToggleButton(description=description, **looks | options)


def make_checkbox(description: str = "", border_left: str | None = None, **options: Any) -> Any:
    """Make a checkbox as wide as its text."""
    options = {"tooltip": ""} | options
    return widgets.Checkbox(
        description=description,
        indent=False,
        layout=share(widgets.Layout, width="auto", border_left=border_left),
        style=share(widgets.Checkbox.style.klass),
        **options,
    )


def make_dropdown(description: str, values: Sequence[tuple[str, Any]], **options: Any) -> Any:
    """Make a dropdown as wide as its values; one that hides has a `layout` of its own."""
    looks = {
        "layout": share(widgets.Layout, width="auto"),
        "style": share(widgets.Dropdown.style.klass, description_width="initial"),
    }
    first = {"value": values[0][1]}
    return widgets.Dropdown(description=description, options=values, **looks | first | options)


def make_shell_dropdown() -> Any:
    """Make a choice of the shell for commands; at first, that of this machine."""
    return make_dropdown(
        "Commands for", _SHELLS, value=get_native_shell(), layout={"width": "auto"}
    )


def close_widgets(*values: Any) -> None:
    """Close widgets and all that they refer to: children, layouts, styles, hidden widgets."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, widgets.Widget) and value.comm and not hasattr(value, "is_shared"):
            waiting += vars(value).values()
            value.close()


# --- text -----------------------------------------------------------------------------


def render_message(text: str) -> str:
    """Return the HTML of a message that replaces an empty view."""
    return f"<p class='fl-empty tex2jax_ignore mathjax_ignore' role='status'>{text}</p>"


def format_label(value: str | None, names: Mapping[str, str]) -> str:
    """Return the label of a facet's value: its name if known, else the value."""
    return "(none)" if value is None else to_single_line(names.get(value, value))


def format_range(ends: tuple[Any, Any], zone: tzinfo = UTC) -> str:
    """Format a range of counts or times, either end of which may be open; times in a zone."""
    known = [end for end in ends if end is not None]
    texts = [
        format_time(end.tz_convert(zone)) if isinstance(end, pd.Timestamp) else f"{end:,}"
        for end in known
    ]
    prefix = "" if len(known) == 2 else "up to " if ends[0] is None else "from "
    return prefix + " to ".join(dict.fromkeys(texts))  # equal ends appear once


def map_account_names(images: pd.DataFrame) -> dict[str, str]:
    """Return the label of each account by its id."""
    labels = images[["account_id"]].assign(label=label_accounts(images))
    return dict(labels.dropna().drop_duplicates("account_id", keep="last").to_numpy())
