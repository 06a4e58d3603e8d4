"""Charts and tables for other places: HTML, pictures and Markdown; a terminal, JSON and CSV.

What came from AWS is text wherever it lands: a page runs nothing of it, a
terminal obeys no control character in it, a spreadsheet finds no formula.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
import secrets
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, overload

import pandas as pd
import plotly.graph_objects as go
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fastlaunch_nb.charts.alt_text import FigureText, figure_text, without_images
from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.errors import (
    InputError,
    MissingExtraError,
    SetupError,
    did_you_mean,
    escape_unprintable,
)
from fastlaunch_nb.filters.fields import facet_values
from fastlaunch_nb.formatting import (
    DEMO_MARK,
    account_labels,
    empty_message,
    image_labels,
    is_demo,
    single_line,
    state_rank,
    to_csv,
)
from fastlaunch_nb.schema.columns import COLUMNS, KEY
from fastlaunch_nb.validation import validate_columns

WIDTH = 900
_NO_FAST_LAUNCH = "No image has Fast Launch here."
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
    figure: go.Figure,
    form: str = "html",
    *,
    plotlyjs: str = "inline",
    width: int = WIDTH,
) -> str | bytes:
    """Make a figure into something that another document takes in.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Any figure of plotly with a title, such as one of :func:`fastlaunch_nb.timeline`.
    form : {"html", "png", "svg", "md"}, default "html"
        A fragment of HTML that stays interactive; a picture; or Markdown with
        the picture and, under it, the same in words.
    plotlyjs : {"inline", "cdn", "page"}, default "inline"
        For HTML, where plotly.js comes from: in the fragment itself, some 4.5 MB
        that need no network; a CDN; or what is on the page already, for every
        figure after the first.
    width : int, default 900
        Pixels of a picture, which a page shows as wide. HTML takes the width
        that it is given.

    Returns
    -------
    str or bytes
        Text; PNG as bytes. The same figure gives the same HTML, with the same id.

    Raises
    ------
    InputError
        If the figure, the form or where plotly.js comes from is none of these.
    MissingExtraError
        A picture was asked for, and Kaleido is not installed.
    SetupError
        A picture was asked for, and Kaleido finds no Chrome or Chromium.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6}])
    >>> fragment = fl.embed(fl.capacity(images), plotlyjs="page")
    >>> fragment.startswith("<div"), len(fragment) < 50_000
    (True, True)
    """
    if form not in _FORMS:
        meant = did_you_mean(str(form), _FORMS)
        raise InputError(f"form is {form!r}. Expected one of {', '.join(_FORMS)}.{meant}")
    text = figure_text(figure)  # refuses what is no figure
    figure = without_images(figure)  # which no document needs
    if form == "html":
        return _html(figure, plotlyjs)
    if form == "md":
        return _markdown(text, _picture(figure, "png", width))
    picture = _picture(figure, form, width)
    return picture if form == "png" else picture.decode()


def _html(figure: go.Figure, plotlyjs: str) -> str:
    if plotlyjs not in _SOURCES:
        raise InputError(f"plotlyjs is {plotlyjs!r}. Expected one of {', '.join(_SOURCES)}.")
    digest = hashlib.sha256(figure.to_json().encode()).hexdigest()
    fragment: str = figure.to_html(
        full_html=False,
        include_plotlyjs=_SOURCES[plotlyjs],
        div_id=f"fastlaunch-{digest[:12]}",
        config={"showSendToCloud": False, "responsive": True},
    )
    return fragment


def _picture(figure: go.Figure, form: str, width: int) -> bytes:
    if importlib.util.find_spec("kaleido") is None:
        raise MissingExtraError("image", f"A chart as {form.upper()}")
    import kaleido
    from kaleido.errors import ChromeNotFoundError

    figure.update_xaxes(rangeselector_visible=False)  # nobody can press a button of a picture
    size = {"format": form, "width": width, "scale": 1}  # as wide as was asked
    offline = {"mathjax": False}  # which Kaleido, by itself, loads from a CDN for each picture
    try:
        picture: bytes = kaleido.calc_fig_sync(figure.to_dict(), size, kopts=offline)
    except ChromeNotFoundError:
        raise SetupError(
            f"A chart as {form.upper()} needs Chrome or Chromium, and none was found. "
            "Install one, or set BROWSER_PATH to where it is; HTML needs none."
        ) from None
    return picture


def _markdown(said: FigureText, picture: bytes) -> str:
    """Return the picture and its words: nothing in them is Markdown."""
    title, data = _escape_markdown(said.title), base64.b64encode(picture).decode()
    return "\n".join(
        [
            *(f"![{title}](data:image/png;base64,{data})", "", f"**{title}**", ""),
            *(f"{_escape_markdown(line)}  " for line in said.lines),  # two spaces break the line
            *("", *(f"- {_escape_markdown(row)}" for row in said.rows), ""),
        ]
    )


_PUNCTUATION = re.compile(f"([{re.escape(string.punctuation)}])")


def _escape_markdown(text: str) -> str:
    """Return text as Markdown that says just that: all that could mean something is escaped.

    CommonMark lets a backslash stand before any punctuation of ASCII, and no
    other letter begins anything.
    """
    return _PUNCTUATION.sub(r"\\\1", text)


# --- rows -----------------------------------------------------------------------------

HEADINGS = (
    *("Account", "Region", "Image", "State", "Since (UTC)"),
    *("Target", "Parallel", "Template", "Reason"),
)
_NUMBERS = ("Target", "Parallel")
_GAP = 2


def to_table(images: pd.DataFrame, width: int | None = None) -> Table:
    """Return rows as a table for a terminal, the worst states on top.

    Of :data:`HEADINGS` as many columns as fit into `width` letters, from the
    left; all of them where none is given, as in a file.
    """
    rows = [_cells(row) for row in _worst_first(images).to_dict("records")]
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    room = width
    for column, heading in enumerate(HEADINGS):
        cells = [heading, *(row[column].plain for row in rows)]
        needed = max(map(cell_len, cells)) + (_GAP if column else 0)
        if room is not None and needed > room:
            break
        room = None if room is None else room - needed
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row[: len(table.columns)])
    return table


def summarize(images: pd.DataFrame, *, filtered: bool = False) -> str:
    """Say in a line how many rows there are and in which states, the worst first.

    All that was asked for was read; `filtered` tells whether filters were part of that.
    """
    if images.empty:
        return empty_message(filtered=True)[0] if filtered else _NO_FAST_LAUNCH
    counts = images["state"].fillna("unknown").value_counts()
    states = (
        f"{counts[state]} {single_line(state)}" for state in sorted(counts.index, key=state_rank)
    )
    mark = f" ({DEMO_MARK.lower()})" if is_demo(images) else ""
    return f"{len(images)} image{'s' * (len(images) > 1)}{mark}: {', '.join(states)}"


def _worst_first(images: pd.DataFrame) -> pd.DataFrame:
    shown = validate_columns("images", images, *(column.name for column in COLUMNS))
    shown = shown.assign(
        _image=image_labels(shown),
        _account=account_labels(shown),
        _template=facet_values(shown, "launch_template"),
        _worst=shown["state"].fillna("unknown").map(state_rank),
    )
    return shown.sort_values(["_worst", *KEY], kind="stable")


def _cells(row: Mapping[Any, Any]) -> list[Text]:
    since, look = row["state_transition_time"], state_style(row["state"])
    return [
        _printable(row["_account"]),
        _printable(row["region"]),
        _printable(row["_image"]),
        Text.assemble((look.swatch, look.colour), " ", _printable(row["state"])),
        Text("–" if pd.isna(since) else f"{since:%Y-%m-%d %H:%M}"),
        _printable(row["target_resource_count"]),
        _printable(row["max_parallel_launches"]),
        _printable(row["_template"]),
        _printable(row["state_transition_reason"]),
    ]


def _printable(value: Any) -> Text:
    """Return text on one line; what a terminal would obey, or turn around, is spelt out."""
    if pd.isna(value):
        return Text("–")
    return Text(escape_unprintable(str(value)))


def to_json(images: pd.DataFrame) -> str:
    """Return rows as JSON: a list of objects with the frame's columns, times in ISO 8601."""
    records = images.to_json(orient="records", date_format="iso", date_unit="us")
    return json.dumps(json.loads(records), indent=2)


_WRITERS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    ".parquet": lambda rows: rows.to_parquet(index=False),
    ".csv": lambda rows: to_csv(rows).encode(),
    ".json": lambda rows: f"{to_json(rows)}\n".encode(),
}


def check_file(path: Path) -> None:
    """Refuse a file whose ending names no form of rows, or whose folder is not there."""
    if path.suffix not in _WRITERS:
        raise InputError(f"{str(path)!r} ends in none of {', '.join(_WRITERS)}. Name the form so.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {str(path.parent)!r} to write {path.name!r} into.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Name a file.")


def save(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as Parquet, CSV or JSON, as the file's ending says: whole, or not at all."""
    check_file(path)
    plain = rows.copy(deep=False)
    plain.attrs = {}  # which Parquet would keep
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        new.write_bytes(_WRITERS[path.suffix](plain))
        new.replace(path)
    except OSError as error:
        raise SetupError(f"{str(path)!r} could not be written: {error.strerror}.") from None
    finally:
        new.unlink(missing_ok=True)
