"""The log of requests, for people who must find out why: the logger ``fastlaunch_nb``.

Each answer, also to an attempt that is repeated, is a line at the level INFO: who calls, the
region, the operation and its page, the status or the error code, the seconds, and the request
id. No line has a parameter, a header or a body, and so no secret.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, TextIO

from fastlaunch_nb.errors import redact

LOGGER: Final = logging.getLogger("fastlaunch_nb")
VERBOSE: Final = "FASTLAUNCH_NB_VERBOSE"
"""The variable that prints the log of a process and of those that it starts, if it is 1."""
# In botocore's context of a request:
_START, _PAGE, _LOGGED = "fastlaunch_nb-start", "fastlaunch_nb-page", "fastlaunch_nb-logged"
_TOKENS = frozenset({"NextToken", "nextToken", "Marker", "ContinuationToken"})
_EVENTS = {
    "before-parameter-build": "count_page",
    "request-created": "start_timer",
    "response-received": "log_answer",
    "after-call-error": "log_exception",
}


class RequestLog:
    """Hooks of botocore that log the requests of one caller."""

    def __init__(self, caller: str) -> None:
        self._caller = caller
        self._pages: dict[tuple[str, str], int] = {}  # by region and event

    def count_page(
        self, params: Mapping[str, Any], context: dict[str, Any], event_name: str, **_: Any
    ) -> None:
        """Count the pages of an operation; a request without a token is the first."""
        key = str(context.get("client_region")), event_name
        has_token = not _TOKENS.isdisjoint(params)
        context[_PAGE] = self._pages.get(key, 0) + 1 if has_token else 1
        self._pages[key] = context[_PAGE]

    def start_timer(self, request: Any, **_: Any) -> None:
        """Remember when an attempt begins."""
        request.context |= {_START: time.perf_counter(), _LOGGED: False}

    def log_answer(
        self,
        context: dict[str, Any],
        event_name: str,
        response_dict: Mapping[str, Any] | None = None,
        parsed_response: Mapping[str, Any] | None = None,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Log the answer to an attempt, or the exception in its place."""
        parsed = parsed_response or {}
        answer = (
            (response_dict or {}).get("status_code"),
            parsed.get("Error", {}).get("Code"),
            type(exception).__name__ if exception else None,
        )
        request_id = parsed.get("ResponseMetadata", {}).get("RequestId")
        self._log(context, event_name, " ".join(str(it) for it in answer if it), request_id)

    def log_exception(
        self, exception: BaseException, context: dict[str, Any], event_name: str, **_: Any
    ) -> None:
        """Log what ended a request before its answer could be read, such as a login page."""
        if not context.get(_LOGGED):
            self._log(context, event_name, type(exception).__name__, None)

    def _log(
        self, context: dict[str, Any], event_name: str, answer: str, request_id: str | None
    ) -> None:
        context[_LOGGED] = True
        if not LOGGER.isEnabledFor(logging.INFO):
            return
        now = time.perf_counter()
        seconds = now - context.get(_START, now)
        service, operation = event_name.split(".")[1:3]
        line = (
            f"{self._caller} {context.get('client_region')} {service}:{operation} "
            f"page {context.get(_PAGE, 1)}: {answer} in {seconds:.3f} s"
            + (f", request {request_id}" if request_id else "")
        )
        LOGGER.info("%s", redact(line))


def log_requests(handlers: Any, caller: str) -> None:
    """Let botocore's event handlers log the requests of a caller, and of no earlier one."""
    log = RequestLog(caller)
    for event, method in _EVENTS.items():
        unique_id = f"fastlaunch_nb-{method}"
        handlers.unregister(event, unique_id=unique_id)
        # Last, so that the time to sign, and thus to renew credentials, does not count.
        handlers.register_last(event, getattr(log, method), unique_id=unique_id)


def describe_caller(profile: str, credentials: Any) -> str:
    """Describe a profile and the kind of its credentials.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> describe_caller("build-farm", SimpleNamespace(method="sso"))
    "profile 'build-farm' (sso)"
    """
    return f"profile {profile!r} ({getattr(credentials, 'method', None) or 'no credentials'})"


# --- printing -------------------------------------------------------------------------


def make_printer() -> logging.Handler:
    """Make a handler that prints the log on stderr; in a kernel, on that of its server.

    A page of Voila must not have it, so a kernel's own redirection is bypassed if possible.
    """
    stream: TextIO | None = sys.stderr
    descriptor = getattr(stream, "_original_stdstream_copy", None)  # of ipykernel
    if isinstance(descriptor, int):
        stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    printer = logging.StreamHandler(stream)
    printer.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return printer


if os.environ.get(VERBOSE) == "1":
    LOGGER.setLevel(logging.INFO)
    LOGGER.addHandler(make_printer())
