"""The embedded EC2's own pages, beside those of AWS: time and events, for other processes.

::

    GET  /fastlaunch/clock                    {"now": "2026-01-15T12:00:00+00:00"}
    POST /fastlaunch/clock  {"hours": 6}      moves on, and answers like GET
    GET  /fastlaunch/events                   a notification a line, as JSON
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from fastlaunch_nb.emulator.change_log import JOURNAL, json_lines
from fastlaunch_nb.emulator.clock import CLOCK

PREFIX = "/fastlaunch/"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Control:
    """A WSGI application that answers these pages, and leaves all others to another."""

    def __init__(self, others: Application) -> None:
        self._others = others

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            CLOCK.now()  # does what has become due, before any part of moto answers
            return self._others(environ, start)
        status, text = _answered(environ["REQUEST_METHOD"], path.removeprefix(PREFIX), environ)
        body = text.encode()
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _answered(method: str, page: str, environ: dict[str, Any]) -> tuple[str, str]:
    if (method, page) == ("GET", "events"):
        with CLOCK.still():  # after what has become due
            return "200 OK", json_lines(JOURNAL)
    if page != "clock" or method not in ("GET", "POST"):
        return "404 Not Found", _said("There is GET and POST clock, and GET events.")
    try:
        if method == "POST":
            CLOCK.advance(**json.loads(_body(environ)))
    except (ValueError, TypeError, OverflowError) as error:
        return "400 Bad Request", _said(f'{error}. Expected a duration such as {{"hours": 6}}.')
    return "200 OK", json.dumps({"now": CLOCK.now().isoformat()})


def _said(message: str) -> str:
    return json.dumps({"message": message})


def _body(environ: dict[str, Any]) -> bytes:
    content: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return content
