"""Charts inside other documents: as HTML, as a picture, as Markdown."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from typing import Literal, overload

import plotly.graph_objects as go

from fastlaunch_nb import charts
from fastlaunch_nb.errors import InputError, MissingExtraError, SetupError, did_you_mean

WIDTH = 900
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
        A figure of :func:`fastlaunch_nb.timeline` or :func:`fastlaunch_nb.capacity`.
    form : {"html", "png", "svg", "md"}, default "html"
        A fragment of HTML that stays interactive; a picture; or Markdown with
        the picture and, under it, the same in words.
    plotlyjs : {"inline", "cdn", "page"}, default "inline"
        For HTML, where plotly.js comes from: in the fragment itself, some 4.5 MB
        that need no network; a CDN; or what is on the page already, for every
        figure after the first.
    width : int, default 900
        Pixels, for pictures. HTML takes the width that it is given.

    Returns
    -------
    str or bytes
        Text; PNG as bytes. The same figure gives the same HTML, with the same id.

    Raises
    ------
    InputError
        The figure, the form or where plotly.js comes from is none of these.
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
    words = charts.text(figure)  # refuses what is no figure of ours
    if form == "html":
        return _html(figure, plotlyjs)
    if form == "md":
        return _markdown(words, _picture(figure, "png", width))
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
    try:
        picture: bytes = figure.to_image(form, width=width, scale=2 if form == "png" else 1)
    except RuntimeError as error:
        if "Chrome" not in str(error):
            raise
        raise SetupError(
            f"A chart as {form.upper()} needs Chrome or Chromium, and none was found. "
            "Install one, or set BROWSER_PATH to where it is; HTML needs none."
        ) from None
    return picture


def _markdown(words: str, picture: bytes) -> str:
    """Return the picture and its words; characters that Markdown would read are escaped."""
    for character in "\\`*_{}[]<>#|!":
        words = words.replace(character, f"\\{character}")
    title, *lines = words.split("\n")
    data = base64.b64encode(picture).decode()
    return "\n".join(
        [f"![{title}](data:image/png;base64,{data})", "", f"**{title}**", "", *lines, ""]
    )
