"""Export of charts and rows: HTML, pictures, Markdown; tables as text, JSON, CSV, Excel, Parquet.

Text from AWS stays text everywhere: a page runs none of it, a terminal obeys none of its
control characters, and a spreadsheet finds no formula in it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib.util
import json
import logging
import math
import re
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Literal, overload

import pandas as pd
import plotly.graph_objects as go
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fastlaunch_nb.charts.alt_text import FigureText, figure_text, remove_image_keys
from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.errors import (
    InputError,
    MissingExtraError,
    SetupError,
    did_you_mean,
    escape_unprintable,
)
from fastlaunch_nb.excel import check_excel, write_workbook
from fastlaunch_nb.filters.fields import get_facet_values
from fastlaunch_nb.formatting import (
    DEMO_MARK,
    empty_message,
    escape_markdown,
    is_demo,
    label_accounts,
    label_images,
    state_rank,
    to_csv,
    to_single_line,
)
from fastlaunch_nb.schema.columns import COLUMNS, KEY
from fastlaunch_nb.threads import InterruptibleFuture
from fastlaunch_nb.validation import validate_columns
from fastlaunch_nb.whole_files import write_file

WIDTH = 900
_LIMIT, _GRACE = 60.0, 5.0  # seconds for Chrome to draw, and to end
_NO_FAST_LAUNCH = "No image has Fast Launch here."
_NOT_ALL_READ = "No image has Fast Launch in what could be read."
_FORMS = ("html", "png", "svg", "md")
_SOURCES: dict[str, bool | str] = {"inline": True, "cdn": "cdn", "page": False}


@overload
def embed(figure: go.Figure, form: Literal["png"], *, width: int = ...) -> bytes: ...
@overload
def embed(
    figure: go.Figure,
    form: Literal["html", "svg", "md"] = ...,
    *,
    plotlyjs: Literal["inline", "cdn", "page"] = ...,
    width: int = ...,
) -> str: ...
def embed(
    figure: go.Figure, form: str = "html", *, plotlyjs: str = "inline", width: int = WIDTH
) -> str | bytes:
    """Convert a figure to HTML, a picture or Markdown for use in another document.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Any plotly figure with a title, such as one of :func:`fastlaunch_nb.timeline`.
    form : {"html", "png", "svg", "md"}, default "html"
        An interactive HTML fragment; a picture; or Markdown with the picture and its
        text below.
    plotlyjs : {"inline", "cdn", "page"}, default "inline"
        The source of plotly.js for HTML: the fragment itself, which adds 4.5 MB but
        needs no network; a CDN; or the page, for each figure after the first.
    width : int, default 900
        The width of a picture in pixels. HTML fills the width of its container.

    Returns
    -------
    str or bytes
        Text, or bytes for PNG. The same figure gives the same HTML, with the same id.

    Raises
    ------
    InputError
        If `figure` has no text, or `form` or `plotlyjs` is none of these.
    MissingExtraError
        If `form` needs a picture, and Kaleido is not installed.
    SetupError
        If `form` needs a picture, and Kaleido finds neither Chrome nor Chromium, or the
        one that it finds does not start, or does not draw it within a minute, twice.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6}])
    >>> fragment = fl.embed(fl.capacity(images), plotlyjs="page")
    >>> fragment.startswith("<div"), len(fragment) < 50_000
    (True, True)
    """
    if form not in _FORMS:
        hint = did_you_mean(str(form), _FORMS)
        raise InputError(f"form is {form!r}. Expected one of {', '.join(_FORMS)}.{hint}")
    if form == "html" and plotlyjs not in _SOURCES:
        raise InputError(f"plotlyjs is {plotlyjs!r}. Expected one of {', '.join(_SOURCES)}.")
    text = figure_text(figure)  # raises for anything else than a figure with a title
    figure = remove_image_keys(figure)  # a document has no use for their keys
    if form == "html":
        digest = hashlib.sha256(figure.to_json().encode()).hexdigest()
        html: str = figure.to_html(
            full_html=False,
            include_plotlyjs=_SOURCES[plotlyjs],
            div_id=f"fastlaunch-{digest[:12]}",
            config={"showSendToCloud": False, "responsive": True},
        )
        return html
    picture = _render_picture(figure, "png" if form == "md" else form, width)
    if form == "md":
        return _render_markdown(text, picture)
    return picture if form == "png" else picture.decode()


def _render_picture(figure: go.Figure, form: str, width: int) -> bytes:
    if importlib.util.find_spec("kaleido") is None:
        raise MissingExtraError("image", f"A chart as {form.upper()}")
    import kaleido

    figure.update_xaxes(rangeselector_visible=False)  # its buttons do nothing in a picture
    size = {"format": form, "width": width, "scale": 1}  # so that it is exactly that wide
    offline = {"mathjax": False}  # by default Kaleido loads it from a CDN for each picture
    draw = partial(kaleido.calc_fig, figure.to_dict(), size, kopts=offline)
    with _explain_browser(f"A chart as {form.upper()}"), _hide_diagnostics():
        with suppress(TimeoutError):  # rarely, Chrome hangs as it starts; the next one does not
            return _run_with_limit(draw)
        return _run_with_limit(draw)


@contextmanager
def _explain_browser(purpose: str) -> Iterator[None]:
    """Raise a SetupError for no browser, one that did not start, or one that was late."""
    from kaleido.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError

    try:
        yield
    except ChromeNotFoundError:
        raise SetupError(
            f"{purpose} needs Chrome or Chromium, and none was found. "
            "Install one, or set BROWSER_PATH to its path; HTML needs none."
        ) from None
    except (BrowserFailedError, BrowserClosedError) as error:
        raise SetupError(
            f"{purpose} needs Chrome or Chromium, and {_find_browser(error)} did not start, or "
            "ended at once. Start it in a terminal, where it names the reason, such as a library "
            "to install; or set BROWSER_PATH to another one. HTML needs none."
        ) from None
    except TimeoutError:
        raise SetupError(
            f"{purpose} took Chrome more than {_LIMIT:.0f} s, in two attempts. Try again, or set "
            "BROWSER_PATH to another Chrome or Chromium. HTML needs none."
        ) from None


def _find_browser(error: Exception) -> str:
    """Return the path of the browser that an error of Kaleido names, for a message."""
    path = re.search(r"located at (.+)\.$", "".join(map(str, error.args)))
    return repr(path[1]) if path else "the one here"


@contextmanager
def _hide_diagnostics() -> Iterator[None]:
    """Keep what Kaleido logs and warns of off the page: a picture comes, or our own error.

    A log that the user has configured still gets what it logs.
    """
    for name in ("kaleido", "choreographer"):
        if not logging.getLogger(name).handlers:
            logging.getLogger(name).addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _run_with_limit(draw: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
    """Run a coroutine in a thread with a loop of its own: a notebook's loop is busy."""
    picture: InterruptibleFuture[bytes] = InterruptibleFuture()

    def run() -> None:
        try:
            picture.set_result(asyncio.run(_cancel_late(draw())))
        except BaseException as error:
            picture.set_exception(error)

    Thread(target=run, daemon=True).start()
    return picture.result(_LIMIT + 3 * _GRACE)


async def _cancel_late(drawing: Coroutine[Any, Any, bytes]) -> bytes:
    """Await a picture until the limit. The first cancel closes Chrome, the second kills it.

    A Chrome that was canceled as it started is late: it did not fail to start, as Kaleido has it.
    """
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # as in _hide_diagnostics
    task = asyncio.ensure_future(drawing)
    for seconds in (_LIMIT, _GRACE, _GRACE):
        if (await asyncio.wait({task}, timeout=seconds))[0]:
            break
        task.cancel()
    is_late = task.cancelling() > 0
    if task.done() and not task.cancelled() and not (is_late and task.exception()):
        return task.result()
    raise TimeoutError


def _render_markdown(text: FigureText, picture: bytes) -> str:
    title, data = escape_markdown(text.title), base64.b64encode(picture).decode()
    return "\n".join(
        [
            *(f"![{title}](data:image/png;base64,{data})", "", f"**{title}**", ""),
            *(f"{escape_markdown(line)}  " for line in text.lines),  # two spaces break the line
            *("", *(f"- {escape_markdown(row)}" for row in text.rows), ""),
        ]
    )


# --- rows -----------------------------------------------------------------------------

_COLUMNS: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = {
    "Account": label_accounts,
    "Region": lambda images: images["region"],
    "Image": label_images,
    "State": lambda images: images["state"],
    "Since (UTC)": lambda images: images["state_transition_time"].dt.strftime("%Y-%m-%d %H:%M"),
    "Target": lambda images: images["target_resource_count"],
    "Parallel": lambda images: images["max_parallel_launches"],
    "Template": lambda images: get_facet_values(images, "launch_template"),
    "Reason": lambda images: images["state_transition_reason"],
}
HEADINGS = tuple(_COLUMNS)
_GAP = 2


def to_table(images: pd.DataFrame, width: int | None = None) -> Table:
    """Return images as a table for a terminal, the worst states first.

    The table has as many columns of :data:`HEADINGS` as fit into `width` characters, from the
    left; all of them without a width.
    """
    images = validate_columns("images", images, *(column.name for column in COLUMNS))
    ranks = images["state"].fillna("unknown").map(state_rank)
    images = images.assign(_rank=ranks).sort_values(["_rank", *KEY], kind="stable")
    table = make_table()
    available = math.inf if width is None else width + _GAP
    drawn: list[list[Text]] = []
    for heading, get_values in _COLUMNS.items():
        make_cell = _make_state if heading == "State" else make_printable
        cells = [make_cell(value) for value in get_values(images)]
        available -= _GAP + max(map(cell_len, (heading, *(cell.plain for cell in cells))))
        if available < 0:
            break
        is_number = heading in ("Target", "Parallel")
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=True)
        drawn.append(cells)
    for row in zip(*drawn, strict=True):
        table.add_row(*row)
    return table


def make_table() -> Table:
    """Make a table for a terminal, without lines, and without columns yet."""
    return Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")


def _make_state(state: Any) -> Text:
    style = state_style(state)
    return Text.assemble((style.swatch, style.colour), " ", make_printable(state))


def make_printable(value: Any) -> Text:
    """Return a value as text without characters that a terminal obeys or reverses."""
    return Text("–" if pd.isna(value) else escape_unprintable(str(value)))


def summarize(images: pd.DataFrame, *, filtered: bool = False, is_complete: bool = True) -> str:
    """Summarize in one line how many images are in each state, the worst first.

    `filtered` is True if the request had filters. `is_complete` is False if not all of it could be
    read: then no image may be there, or some that nothing shows.
    """
    if images.empty and not is_complete:
        return _NOT_ALL_READ
    if images.empty:
        return empty_message(filtered=True)[0] if filtered else _NO_FAST_LAUNCH
    counts = images["state"].fillna("unknown").value_counts()
    states = (
        f"{counts[state]} {to_single_line(state)}" for state in sorted(counts.index, key=state_rank)
    )
    mark = f" ({DEMO_MARK.lower()})" if is_demo(images) else ""
    return f"{len(images)} image{'s' * (len(images) > 1)}{mark}: {', '.join(states)}"


def to_json(images: pd.DataFrame) -> str:
    """Return rows as JSON: a list of objects with the frame's columns, times in ISO 8601."""
    text = images.to_json(orient="records", date_format="iso", date_unit="us")
    records = json.loads(text)
    for name in [name for name in images if pd.api.types.is_float_dtype(images[name])]:
        for record, value in zip(records, images[name], strict=True):  # pandas writes 10 digits
            is_number = not pd.isna(value) and math.isfinite(value)
            record[str(name)] = float(value) if is_number else None
    return json.dumps(records, indent=2)


_WRITERS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    ".parquet": lambda rows: rows.to_parquet(index=False),
    ".csv": lambda rows: to_csv(rows).encode(),
    ".json": lambda rows: f"{to_json(rows)}\n".encode(),
    ".xlsx": write_workbook,
}


def check_file(path: Path) -> None:
    """Refuse a file without a known ending, in any case, or without an existing folder.

    Raise a MissingExtraError if it is an ``.xlsx`` file, and openpyxl is not installed.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InputError(
            f"{str(path)!r} ends in none of {', '.join(_WRITERS)}. Use one of these endings."
        )
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"There is no folder {str(path.parent)!r} for {path.name!r}. Create it first."
        )
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Name a file.")
    if path.suffix.lower() == ".xlsx":
        check_excel()


def save(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as Parquet, CSV, JSON or Excel, by the ending: completely, or not at all."""
    check_file(path)
    plain = rows.copy(deep=False)
    plain.attrs = {}  # Parquet would store them
    content = _WRITERS[path.suffix.lower()](plain)
    try:
        write_file(path, content)
    except OSError as error:
        raise SetupError(f"{str(path)!r} could not be written: {error.strerror}.") from None
