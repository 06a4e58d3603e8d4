"""What ipywidgets lacks: a range with its histogram, a button that gives a text, keys, headings.

What each does in the browser is in a file of JavaScript with its name; what it means is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import anywidget
import pandas as pd
import traitlets

from fastlaunch_nb.errors import InputError, redact
from fastlaunch_nb.filters.facet_index import Histogram

Ends: TypeAlias = tuple[Any, Any]
"""A range of :class:`fastlaunch_nb.Filters`: ints or times, both included; None is an open end."""
Make: TypeAlias = Callable[[], tuple[str, str]]
"""Makes a text when it is asked for: gives a name for its file, and the text."""

_HERE: Final = Path(__file__).parent
_EPOCH: Final = pd.Timestamp(0, tz="UTC").as_unit("us")  # in a coarser unit, for distant years
_TITLES: Final = {"copy": "Copy to the clipboard", "save": "Save as a file"}

_THUMB: Final = """
.fl-slider input::-BROWSER-thumb {
  -webkit-appearance: none; appearance: none; box-sizing: border-box; width: var(--fl-thumb);
  height: 20px; border: 1px solid transparent; background: var(--fl-accent);
  pointer-events: auto; cursor: ew-resize;
}
.fl-slider .fl-from::-BROWSER-thumb { border-radius: 10px 2px 2px 10px; }
.fl-slider .fl-to::-BROWSER-thumb { border-radius: 2px 10px 10px 2px; }
.fl-slider input:focus-visible::-BROWSER-thumb {
  outline: 2px solid currentColor; outline-offset: 2px;
}
.fl-slider input:disabled::-BROWSER-thumb { background: gray; opacity: 0.5; cursor: default; }
"""
"""The look of a thumb; a browser that does not know one selector of a rule skips all of it."""
_RANGE: Final = """
.fl-slider {
  --fl-accent: var(--jp-brand-color1, #2b8fd9);
  --fl-thumb: 20px;
  box-sizing: border-box; width: 100%; min-width: 120px; font-size: 12px; line-height: 1.4;
  color: var(--jp-ui-font-color1, inherit); font-variant-numeric: tabular-nums;
}
.fl-slider h4 { margin: 0; font-size: 13px; line-height: 1.5; font-weight: bold; color: inherit; }
.fl-slider .fl-bars { position: relative; height: 40px; margin: 4px var(--fl-thumb) 0; }
.fl-slider .fl-bars > div { position: absolute; inset: 0; display: flex; align-items: flex-end; }
.fl-slider .fl-bars i {
  flex: 1 1 0; min-width: 0; margin: 0 0.5px; border-radius: 1px 1px 0 0;
  background: color-mix(in srgb, currentColor 26%, transparent); transition: height 0.15s ease-out;
}
.fl-slider .fl-bars .fl-strong {
  clip-path: inset(0 var(--fl-right, 0%) 0 var(--fl-left, 0%));
}
.fl-slider .fl-strong i { background: var(--fl-accent); }
.fl-slider .fl-thumbs { position: relative; height: 26px; }
.fl-slider .fl-thumbs::before, .fl-slider .fl-thumbs::after {
  content: ""; position: absolute; top: 0; left: var(--fl-thumb); right: var(--fl-thumb);
  height: 2px; background: color-mix(in srgb, currentColor 26%, transparent);
}
.fl-slider .fl-thumbs::after {
  background: var(--fl-accent);
  clip-path: inset(0 var(--fl-right, 0%) 0 var(--fl-left, 0%));
}
.fl-slider input[type="range"] {
  -webkit-appearance: none; appearance: none; position: absolute; top: 0; z-index: 1;
  width: calc(100% - var(--fl-thumb)); height: 26px; margin: 0; padding: 0; border: none;
  background: none; pointer-events: none; touch-action: pan-y;
}
.fl-slider input.fl-from { left: 0; }
.fl-slider input.fl-to { right: 0; }
.fl-slider input[type="range"].fl-from:focus-visible,
.fl-slider input[type="range"].fl-to:focus-visible { outline: none !important; }
.fl-slider .fl-said { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 8px; }
.fl-slider .fl-said > :last-child { opacity: 0.8; }
.fl-slider .fl-said span span { white-space: nowrap; }
@media (prefers-reduced-motion: reduce) { .fl-slider .fl-bars i { transition: none; } }
@media (forced-colors: active) {
  .fl-slider { --fl-accent: Highlight; }
  .fl-slider .fl-bars i, .fl-slider .fl-thumbs::after { forced-color-adjust: none; }
}
""" + "".join(_THUMB.replace("BROWSER", browser) for browser in ("webkit-slider", "moz-range"))
_TAKE: Final = """
.fl-take { display: inline-block; position: relative; max-width: 100%; }
.fl-take > button {
  width: auto; min-width: 76px; max-width: 320px; overflow: hidden; text-overflow: ellipsis;
}
.fl-take > button[aria-busy="true"] { cursor: progress; }
.fl-take > span {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
"""


class RangeSlider(anywidget.AnyWidget):
    """A range to choose: how many rows have which value, and a thumb for either end.

    Parameters
    ----------
    label : str
        What it is a range of.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> from fastlaunch_nb.filters.facet_index import FacetIndex
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6},
    ...                         {"ImageId": "ami-01234567890abcdef", "MaxParallelLaunches": 9}])
    >>> spread = FacetIndex(images).histogram({}, "max_parallel_launches", bins=2)
    >>> slider = RangeSlider("Max parallel launches")
    >>> slider.show(spread, (7, None))
    >>> slider.chosen
    (7, None)
    """

    _esm = (_HERE / "range_slider.js").read_text(encoding="utf-8")
    _css = _RANGE

    label = traitlets.Unicode().tag(sync=True)
    edges: Any = traitlets.List().tag(sync=True)
    counts: Any = traitlets.List().tag(sync=True)
    unknown = traitlets.Int().tag(sync=True)
    is_time = traitlets.Bool().tag(sync=True)
    low = traitlets.Float(None, allow_none=True).tag(sync=True)
    high = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(self, label: str) -> None:
        self._ends: Ends = (None, None)
        self._callbacks: list[Callable[[RangeSlider], None]] = []
        super().__init__(label=label)

    @property
    def chosen(self) -> Ends | None:
        """The range as Filters takes it; None where both ends are open.

        An end that nobody has moved is exactly as it was shown.
        """
        return None if self._ends == (None, None) else self._ends

    def on_change(self, callback: Callable[[RangeSlider], None]) -> None:
        """Have a function called, once, whenever somebody has moved one end or both."""
        self._callbacks.append(callback)

    def show(self, histogram: Histogram, ends: Ends | None) -> None:
        """Show how rows spread, and the range that is chosen."""
        edges = histogram.edges
        self._ends = ends or (None, None)
        with self.hold_sync():
            self.is_time = isinstance(edges, pd.DatetimeIndex)
            self.edges = [_number(edge) for edge in edges]
            self.counts = histogram.counts.tolist()
            self.unknown = histogram.unknown
            self.low, self.high = map(_number, self._ends)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take what the browser says; this is how a move of a thumb arrives."""
        before = self.low, self.high
        super().set_state(sync_data)
        after = self.low, self.high
        if after != before:
            low, high = self._ends
            self._ends = (
                low if after[0] == before[0] else self._end(after[0]),
                high if after[1] == before[1] else self._end(after[1]),
            )
            for callback in self._callbacks:
                callback(self)

    def _end(self, number: float | None) -> Any:
        """Return what a number of the browser's stands for."""
        if number is None:
            return None
        if not self.is_time:
            return round(number)
        return pd.Timestamp(round(number * 1000), unit="us", tz="UTC")


def _number(value: Any) -> Any:
    """Return a value of a range as the browser has it: a count, or milliseconds."""
    if isinstance(value, pd.Timestamp):
        return (value - _EPOCH) / pd.Timedelta(milliseconds=1)
    return None if value is None else int(value)


class SuppressShortcuts(anywidget.AnyWidget):
    """Has JupyterLab leave keys to whatever has the focus in the box that this is in."""

    _esm = (_HERE / "suppress_shortcuts.js").read_text(encoding="utf-8")


class SortableHeadings(anywidget.AnyWidget):
    """Tells of clicks on the headings of the table that it is beside: buttons with ``data-by``.

    Parameters
    ----------
    sort_by : callable
        Is told what the heading that was clicked has as its ``data-by``.
    """

    _esm = (_HERE / "sortable_headings.js").read_text(encoding="utf-8")

    def __init__(self, sort_by: Callable[[str], None]) -> None:
        super().__init__()
        self.on_msg(lambda _widget, message, _buffers: sort_by(message["by"]))


class TextButton(anywidget.AnyWidget):
    r"""A button that has a text made when it is clicked, and copies it or saves it as a file.

    What goes wrong is said on the button.

    Parameters
    ----------
    description : str
        What is on the button.
    make : callable
        Makes the text: returns a name for its file, and the text.
    how : {"copy", "save"}, default "copy"
        Whether it goes to the clipboard, or to a file that the browser downloads.
    title : str, optional
        What the button does, for those who point at it.

    Raises
    ------
    InputError
        `how` is neither.

    Examples
    --------
    >>> TextButton("CSV", lambda: ("images.csv", "image_id\n"), how="save").title
    'Save as a file'
    """

    _esm = (_HERE / "text_button.js").read_text(encoding="utf-8")
    _css = _TAKE

    description = traitlets.Unicode().tag(sync=True)
    how = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, description: str, make: Make, how: Literal["copy", "save"] = "copy", title: str = ""
    ) -> None:
        if how not in _TITLES:
            raise InputError(f"how is {how!r}. Expected 'copy' or 'save'.")
        self._make = make
        super().__init__(description=description, how=how, title=title or _TITLES[how])
        self.on_msg(self._answer)

    def _answer(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """Send the text to the view that asks for it, or say why there is none."""
        mark = message["ask"]
        try:
            name, text = self._make()
            content = text.encode()
        except Exception as error:
            self.send({"to": mark, "error": redact(f"{type(error).__name__}: {error}")})
            raise  # where it is a mistake of ours, its traceback is wanted
        self.send({"to": mark, "filename": name}, [content])
