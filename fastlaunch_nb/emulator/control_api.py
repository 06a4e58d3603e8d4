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

from werkzeug.wrappers import Request, Response

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
        if path.startswith(PREFIX):
            return _answer_page(Request(environ), path.removeprefix(PREFIX))(environ, start)
        CLOCK.now()  # runs the actions that are due before any part of moto answers
        return self._application(environ, start)


def _answer_page(request: Request, page: str) -> Response:
    if (request.method, page) == ("GET", "events"):
        with CLOCK.still():  # which first runs the actions that are due
            return Response(to_json_lines(CHANGE_LOG), mimetype="application/json")
    if page != "clock" or request.method not in ("GET", "POST"):
        return refuse("404 Not Found", "Expected GET or POST clock, or GET events.")
    try:
        if request.method == "POST":
            if request.mimetype != "application/json":
                message = "Expected the header Content-Type: application/json."
                return refuse("415 Unsupported Media Type", message)
            CLOCK.advance(**json.loads(request.get_data()))
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).removesuffix(".")
        return refuse("400 Bad Request", f'{reason}. Expected a duration like {{"hours": 6}}.')
    return Response(json.dumps({"now": CLOCK.now().isoformat()}), mimetype="application/json")


def refuse(status: str, message: str) -> Response:
    """Return a response that refuses a request, with a message as JSON."""
    return Response(json.dumps({"message": message}), status, mimetype="application/json")
