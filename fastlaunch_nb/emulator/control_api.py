"""The emulator's own HTTP pages, with which other processes move time and read events.

::

    GET  /fastlaunch/clock                    {"now": "2026-01-15T12:00:00+00:00"}
    POST /fastlaunch/clock  {"hours": 6}      moves the clock, and answers like GET; the header
                                              Content-Type must be application/json
    GET  /fastlaunch/events                   one notification per line, as JSON
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK

PREFIX = "/fastlaunch/"


class ControlApi:
    """A WSGI application that answers these pages and passes all other requests on."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            CLOCK.now()  # runs the actions that are due before any part of moto answers
            return self._application(environ, start)
        status, text = _answer_page(environ["REQUEST_METHOD"], path.removeprefix(PREFIX), environ)
        body = text.encode()
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _answer_page(method: str, page: str, environ: WSGIEnvironment) -> tuple[str, str]:
    if (method, page) == ("GET", "events"):
        with CLOCK.still():  # which first runs the actions that are due
            return "200 OK", to_json_lines(CHANGE_LOG)
    if page != "clock" or method not in ("GET", "POST"):
        return "404 Not Found", _to_message("Expected GET or POST clock, or GET events.")
    try:
        if method == "POST":
            if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
                return "415 Unsupported Media Type", _to_message(
                    "Expected the header Content-Type: application/json."
                )
            length = int(environ.get("CONTENT_LENGTH") or 0)
            CLOCK.advance(**json.loads(environ["wsgi.input"].read(length)))
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).removesuffix(".")
        return "400 Bad Request", _to_message(f'{reason}. Expected a duration like {{"hours": 6}}.')
    return "200 OK", json.dumps({"now": CLOCK.now().isoformat()})


def _to_message(text: str) -> str:
    return json.dumps({"message": text})
