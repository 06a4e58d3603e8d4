"""Fault injection for the Fast Launch actions of the emulator.

All faults are off by default. Random numbers from a seed decide which requests are hit,
in the order of the requests.

Clients wait and retry in real time, so latency and the refill of a token bucket use real
time too: a monotonic counter, not the wall clock or the virtual clock, which may stand
still. Dropped connections and truncated bodies exist over HTTP only, as there is no
connection in-process.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import cycle
from threading import Lock
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from fastlaunch_nb.emulator.assumptions import INVALID_TOKEN_CODE
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.fast_launch_backend import make_page_token

_SERVER_ERRORS = (
    ("InternalError", "An internal error has occurred", 500),
    ("Unavailable", "The service is unavailable. Please try again shortly.", 503),
)


# --- settings -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Faults to inject; all are off by default.

    Error codes and HTTP statuses are those of "Error codes for the Amazon EC2 API" in
    the EC2 Developer Guide. What AWS does not document is marked as our choice.

    Parameters
    ----------
    throttle_rate : float, default 0
        Share of the requests, 0 to 1, that get RequestLimitExceeded (503).
    bucket : int, default 0
        Requests that a full token bucket admits, 0 for no bucket; the next one gets
        RequestLimitExceeded (503). Each account and region has its own bucket, as in
        "Request throttling for the Amazon EC2 API", whose example holds 100 tokens.
    refill : float, default 0
        Tokens that are added to a bucket per second; 20 in that example.
    error_rate : float, default 0
        Share of the requests that fail inside EC2 before they change anything:
        with InternalError (500) and Unavailable (503) in turn, our choice.
    latency : float, default 0
        Seconds by which every answer is delayed.
    drop_rate : float, default 0
        Share of the HTTP connections that close unanswered, before any change.
    truncate_rate : float, default 0
        Share of the HTTP answers that end half-way through the body that their
        Content-Length announces. Changes that the request made remain.
    unauthorized : collection of str, default ()
        Ids of accounts that get UnauthorizedOperation (403), also for a dry run.
    expire_tokens : bool, default False
        Refuse every page token as expired. AWS documents that tokens expire; the error
        code is our choice (see ``assumptions``).
    repeat_token : bool, default False
        Answer each page with the token that requested it as its NextToken, and give a
        first page a token even if it is the only page. AWS documents no such
        behavior; botocore has a PaginationError for it.
    omit_rate : float, default 0
        Share of the answers of DescribeFastLaunchImages that miss one of their images.
        Answers of EC2 are eventually consistent ("Eventual consistency in the Amazon EC2
        API"); that one image is missing is our choice.
    lag : float, default 0
        Seconds of the emulator's clock by which DescribeFastLaunchImages answers late: it
        shows the images as they were then, for the same reason.
    seed : int, default 0
        The same seed hits the same requests if they come in the same order.

    Raises
    ------
    ValueError
        If a value is out of range or has the wrong type.

    Examples
    --------
    >>> Faults(throttle_rate=30)
    Traceback (most recent call last):
    ValueError: throttle_rate is 30. Expected a share of the requests, from 0 to 1.
    """

    throttle_rate: float = 0.0
    bucket: int = 0
    refill: float = 0.0
    error_rate: float = 0.0
    latency: float = 0.0
    drop_rate: float = 0.0
    truncate_rate: float = 0.0
    unauthorized: Collection[str] = ()
    expire_tokens: bool = False
    repeat_token: bool = False
    omit_rate: float = 0.0
    lag: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (is_valid, expected) in _EXPECTED.items():
            value = getattr(self, name)
            if not is_valid(value):
                raise ValueError(f"{name} is {value!r}. Expected {expected}.")
        if self.refill and not self.bucket:
            raise ValueError(
                f"refill is {self.refill!r}, but there is no bucket to refill. "
                "Expected both, such as bucket=100 and refill=20."
            )


def _is_amount(value: object, maximum: float = sys.float_info.max) -> bool:
    return isinstance(value, int | float) and 0 <= value <= maximum


def _are_accounts(value: object) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, str)
        and all(isinstance(entry, str) and re.fullmatch("[0-9]{12}", entry) for entry in value)
    )


_MAX_LAG = 1_000_000
_Check = tuple[Callable[[object], bool], str]
_SHARE: _Check = (partial(_is_amount, maximum=1), "a share of the requests, from 0 to 1")
_SWITCH: _Check = (lambda value: isinstance(value, bool), "True or False")
_EXPECTED: Mapping[str, _Check] = {
    "throttle_rate": _SHARE,
    "bucket": (
        lambda value: isinstance(value, int) and value >= 0,
        "a whole number of requests, 0 or more",
    ),
    "refill": (_is_amount, "tokens per second, 0 or more"),
    "error_rate": _SHARE,
    "latency": (_is_amount, "seconds, 0 or more"),
    "drop_rate": _SHARE,
    "truncate_rate": _SHARE,
    "unauthorized": (
        _are_accounts,
        "a collection of account ids, 12 digits of text each, such as ['123456789012']",
    ),
    "expire_tokens": _SWITCH,
    "repeat_token": _SWITCH,
    "omit_rate": _SHARE,
    "lag": (partial(_is_amount, maximum=_MAX_LAG), f"seconds, from 0 to {_MAX_LAG:,}"),
}


# --- injection into requests ----------------------------------------------------------


class FaultInjector:
    """The faults in effect, and the hooks that inject them into requests and answers."""

    def __init__(self) -> None:
        self.counter = time.monotonic  # real seconds, as `sleep` waits for them
        self.sleep = time.sleep
        self._lock = Lock()
        self.clear()

    def set(self, faults: Faults) -> None:
        """Turn on these faults, from the start of their seed, instead of any others."""
        self.faults = faults
        self._random = random.Random(faults.seed)
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # tokens, counted when
        self._server_errors = cycle(_SERVER_ERRORS)

    def clear(self) -> None:
        """Turn off all faults."""
        self.set(Faults())

    def hits(self, rate: float) -> bool:
        """Return True if a fault with this rate hits the current request.

        A rate of 0 draws no random number, so throttling alone hits the same requests
        in-process and over HTTP.
        """
        with self._lock:
            return rate > 0 and self._random.random() < rate

    def delay_or_refuse(self, request: Any) -> None:
        """Apply the faults that hit a request before moto handles it.

        Throttling comes first and page tokens last: EC2 does not examine a request that it
        refuses for its rate or its caller.
        """
        faults = self.faults
        if faults.latency:
            self.sleep(faults.latency)
        if not self._admits(request) or self.hits(faults.throttle_rate):
            raise _throttling_error(request)
        if self.hits(faults.error_rate):
            raise EC2Error(*next(self._server_errors))
        if request.current_account in faults.unauthorized:
            raise _authorization_error(request)
        if faults.expire_tokens and request._get_param("NextToken") is not None:
            raise EC2Error(INVALID_TOKEN_CODE, "The token has expired.")

    def _admits(self, request: Any) -> bool:
        """Take a token from the bucket of an account and region; return False if it has none."""
        faults, account_region = self.faults, (request.current_account, request.region)
        if not faults.bucket:
            return True
        with self._lock:
            now = self.counter()
            tokens, counted_at = self._buckets.get(account_region, (faults.bucket, now))
            tokens = min(faults.bucket, tokens + (now - counted_at) * faults.refill)
            has_token = tokens >= 1
            self._buckets[account_region] = tokens - has_token, now
        return has_token

    def alter_result(self, request: Any, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the result to answer, without an image or with a repeated page token."""
        result = self._omit_image(result)
        if not self.faults.repeat_token or "NextToken" not in result:
            return result
        token = request._get_param("NextToken") or result["NextToken"] or make_page_token("")
        return {**result, "NextToken": token}

    def _omit_image(self, result: Mapping[str, Any]) -> Mapping[str, Any]:
        images = result.get("FastLaunchImages")
        if not images or not self.hits(self.faults.omit_rate):
            return result
        with self._lock:
            omitted = self._random.randrange(len(images))
        return {**result, "FastLaunchImages": images[:omitted] + images[omitted + 1 :]}


def _throttling_error(request: Any) -> EC2Error:
    return EC2Error(
        "RequestLimitExceeded",
        f"Request limit exceeded. Account {request.current_account} has been throttled on "
        f"ec2:{request._get_action()} because it exceeded its request rate limit.",
        503,
    )


def _authorization_error(request: Any) -> EC2Error:
    caller = f"arn:aws:sts::{request.current_account}:user/moto"  # as in GetCallerIdentity
    action = f"ec2:{request._get_action()}"
    return EC2Error(
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. User: {caller} is not authorized "
        f"to perform: {action} because no identity-based policy allows the {action} action",
        403,
    )


FAULTS = FaultInjector()
"""The fault injector of the emulator: one per process, like its clock."""


# --- injection into connections -------------------------------------------------------


class UnreliableConnections:
    """A WSGI application whose connections faults can break.

    A dropped connection raises ConnectionAbortedError, on which the server closes it
    without an answer.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request, or half of it, or drop the connection."""
        faults = FAULTS.faults
        may_break = faults.drop_rate or faults.truncate_rate
        if not may_break or "FastLaunch" not in _read_action(environ):
            return self._application(environ, start)
        if FAULTS.hits(faults.drop_rate):
            raise ConnectionAbortedError
        answer = self._application(environ, start)
        if not FAULTS.hits(faults.truncate_rate):
            return answer
        chunks: Any = answer  # of werkzeug, which has to be closed
        with closing(chunks):
            body = b"".join(chunks)
        return [body[: len(body) // 2]]


def _read_action(environ: WSGIEnvironment) -> str:
    """Return the action of a request, and leave its body to be read again."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return ""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
