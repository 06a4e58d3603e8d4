"""Controls that ipywidgets lacks: a range slider, buttons, shortcuts, table headings.

Each control's behaviour in the browser is in the JavaScript file of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import anywidget
import pandas as pd
import traitlets
from ipywidgets import Layout

from fastlaunch_nb.errors import FastLaunchError, InputError, describe_exception, redact
from fastlaunch_nb.filter_panel.widget_helpers import read_file, share
from fastlaunch_nb.filters.facet_index import Histogram
from fastlaunch_nb.validation import EPOCH

Ends: TypeAlias = tuple[Any, Any]
"""A range of :class:`fastlaunch_nb.Filters`: ints or times, both included; None is an open end."""

_TITLES: Final = {
    "copy": "Copy to the clipboard",
    "link": "Copy a link that opens this view",
    "save": "Save as a file",
}


class RangeSlider(anywidget.AnyWidget):
    """A slider with a thumb for each end of a range, and a histogram of the rows above it.

    Its CSS, ``range_slider.css``, comes with the panel: once, not with each slider.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> from fastlaunch_nb.filters.facet_index import FacetIndex
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6},
    ...                         {"ImageId": "ami-01234567890abcdef", "MaxParallelLaunches": 9}])
    >>> histogram = FacetIndex(images).histogram({}, "max_parallel_launches", bins=2)
    >>> slider = RangeSlider("Max parallel launches")
    >>> slider.show(histogram, (7, None))
    >>> slider.value
    (7, None)
    """

    _esm = read_file("range_slider.js")

    label = traitlets.Unicode().tag(sync=True)
    edges: Any = traitlets.List().tag(sync=True)
    counts: Any = traitlets.List().tag(sync=True)
    unknown = traitlets.Int().tag(sync=True)
    is_time = traitlets.Bool().tag(sync=True)
    zone = traitlets.Unicode("UTC").tag(sync=True)
    low = traitlets.Float(None, allow_none=True).tag(sync=True)
    high = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(
        self, label: str, on_change: Callable[[RangeSlider], None] = lambda _: None
    ) -> None:
        self._ends: Ends = (None, None)
        self.on_change = on_change  # called when the user has moved one end or both
        super().__init__(label=label, layout=share(Layout), _dom_classes=("fl-range",))

    @property
    def value(self) -> Ends | None:
        """The range as Filters takes it; None if both ends are open.

        An end that the user has not moved is exactly as :meth:`show` received it.
        """
        return None if self._ends == (None, None) else self._ends

    def show(self, histogram: Histogram, ends: Ends | None) -> None:
        """Show a histogram and a range."""
        edges = histogram.edges
        self._ends = ends or (None, None)
        with self.hold_sync():
            self.is_time = isinstance(edges, pd.DatetimeIndex)
            self.edges = [_to_number(edge) for edge in edges]
            self.counts = histogram.counts.tolist()
            self.unknown = histogram.unknown
            self.low, self.high = map(_to_number, self._ends)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Apply a change that comes from the browser, such as a moved thumb."""
        before = self.low, self.high
        super().set_state(sync_data)
        after = self.low, self.high
        if after != before:
            low, high = self._ends
            self._ends = (
                low if after[0] == before[0] else self._parse_end(after[0]),
                high if after[1] == before[1] else self._parse_end(after[1]),
            )
            self.on_change(self)

    def _parse_end(self, number: float | None) -> Any:
        """Convert a number from the browser to an end of the range."""
        if number is None:
            return None
        if not self.is_time:
            return round(number)
        return pd.Timestamp(round(number * 1000), unit="us", tz="UTC")


def _to_number(value: Any) -> Any:
    """Convert a value of a range to a number for the browser: a count, or milliseconds."""
    if isinstance(value, pd.Timestamp):
        return (value - EPOCH) / pd.Timedelta(milliseconds=1)
    return None if value is None else int(value)


class SuppressShortcuts(anywidget.AnyWidget):
    """An invisible widget that keeps JupyterLab's shortcuts out of its parent box, and names it.

    Screen readers then know the panel, and each facet, by name.
    """

    _esm = read_file("suppress_shortcuts.js")


class TableHeadings(anywidget.AnyWidget):
    """An invisible widget that reports clicks on and moves of the headings of its box's table.

    A heading is a button with the name of its column as ``data-by``. `on_sort` gets the name
    of a clicked heading; `on_move` that of a moved one, and that of the column to put it
    before, or None. The browser sends them: the caller checks these names.
    """

    _esm = read_file("table_headings.js")

    def __init__(
        self, on_sort: Callable[[object], None], on_move: Callable[[object, object], None]
    ) -> None:
        self._on_sort, self._on_move = on_sort, on_move
        super().__init__(layout=share(Layout))
        self.on_msg(self._handle_message)

    def _handle_message(
        self, _widget: object, message: Mapping[str, Any], _buffers: object
    ) -> None:
        if "sort" in message:
            self._on_sort(message["sort"])
        else:
            self._on_move(message.get("move"), message.get("before"))


class HtmlButtons(anywidget.AnyWidget):
    """An invisible widget that reports clicks on the buttons in the HTML of its parent box.

    `on_click` gets the ``data-do`` of the button, and whether a key for more was held.
    """

    _esm = read_file("html_buttons.js")

    def __init__(self, on_click: Callable[[str, bool], None]) -> None:
        super().__init__(layout=share(Layout))
        self.on_msg(
            lambda _widget, message, _buffers: on_click(
                str(message.get("do")), message.get("more") is True
            )
        )


class TextButton(anywidget.AnyWidget):
    r"""A button that copies a text, or saves a file; each click makes the content anew.

    If that fails, the button shows the error. `description` is the text on the button, and
    `make_content` returns the name of the file, and its text or its bytes. If `how` is "link",
    the button copies the address of the page with a parameter of this name and text. Unless it
    is that, "copy" or "save", it raises InputError.

    Examples
    --------
    >>> TextButton("CSV", lambda: ("images.csv", "image_id\n"), how="save").title
    'Save as a file'
    """

    _esm = read_file("text_button.js")
    _css = read_file("text_button.css")

    description = traitlets.Unicode().tag(sync=True)
    how = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        description: str,
        make_content: Callable[[], tuple[str, str | bytes]],
        how: Literal["copy", "link", "save"] = "copy",
    ) -> None:
        if how not in _TITLES:
            raise InputError(f"how is {how!r}. Expected 'copy', 'link' or 'save'.")
        self._make_content = make_content
        texts = {"description": description, "how": how, "title": _TITLES[how]}
        super().__init__(**texts, layout=share(Layout))
        self.on_msg(self._send_content)

    def _send_content(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """Send the content, or the error, to the view that requested it."""
        view = message["view"]
        try:
            name, content = self._make_content()
            buffer = content.encode() if isinstance(content, str) else content
        except FastLaunchError as error:  # a sentence for the user
            self.send({"view": view, "error": redact(str(error))})
            return
        except Exception as error:
            self.send({"view": view, "error": describe_exception(error)})
            raise  # the kernel's log keeps the traceback
        self.send({"view": view, "filename": name}, [buffer])
