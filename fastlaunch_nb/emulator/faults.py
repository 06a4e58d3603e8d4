"""Faults on demand: what goes wrong with the Fast Launch actions of the embedded EC2, and when.

All are off until they are set. Which requests are hit is decided in their order,
by random numbers that start from a seed.

Clients wait and try again in real time, so latency and the refill of a token
bucket are real time too: by a counter that nobody can set, not the wall clock,
and not the virtual one, which may stand still. Dropped connections and truncated
bodies exist over HTTP only, as there is no connection in-process.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from threading import Lock
from typing import Any
from urllib.parse import parse_qs

from fastlaunch_nb.emulator.assumptions import UNKNOWN_PAGE
from fastlaunch_nb.emulator.fast_launch_backend import EC2Error, _token

_SERVER_ERRORS = (
    ("InternalError", "An internal error has occurred", 500),
    ("Unavailable", "The service is unavailable. Please try again shortly.", 503),
)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Counter = Callable[[], float]


# --- what may go wrong ----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is to go wrong: nothing, unless it is asked for.

    Codes and HTTP statuses are those of "Error codes for the Amazon EC2 API" in
    the EC2 Developer Guide. What AWS does not document is called our choice.

    Parameters
    ----------
    throttle_rate : float, default 0
        Share of the requests, 0 to 1, that get RequestLimitExceeded (503).
    bucket : int, default 0
        Requests that a full token bucket lets through; the next gets
        RequestLimitExceeded (503). Each account and region has its own, as in
        "Request throttling for the Amazon EC2 API", whose example holds 100.
        0 is no bucket.
    refill : float, default 0
        Tokens a second that a bucket gets back; 20 in that example.
    error_rate : float, default 0
        Share of the requests that fail inside EC2 before they change anything:
        with InternalError (500) and Unavailable (503) in turns, by our choice.
    latency : float, default 0
        Seconds that every answer takes longer.
    drop_rate : float, default 0
        Share of the HTTP connections that are closed without an answer, before
        the request changes anything.
    truncate_rate : float, default 0
        Share of the HTTP answers that end half-way through the body that their
        Content-Length announces. What the request changed stays changed.
    unauthorized : collection of str, default ()
        Ids of accounts that get UnauthorizedOperation (403), for a dry run too.
    expire_tokens : bool, default False
        Refuse every page token as one that has expired. That tokens expire is
        documented; the code they get is our choice, as ``choices`` has it.
    repeat_token : bool, default False
        Give each page the token it was asked with for the next one, and a first
        page one that leads on even where it is all there is. AWS documents no
        such thing; botocore has a PaginationError for it.
    seed : int, default 0
        The same seed hits the same requests, if they come in the same order.

    Raises
    ------
    ValueError
        A fault can not be as it was given.

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
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (holds, expected) in _EXPECTED.items():
            given = getattr(self, name)
            if not holds(given):
                raise ValueError(f"{name} is {given!r}. Expected {expected}.")
        if self.refill and not self.bucket:
            raise ValueError(
                f"refill is {self.refill!r}, and there is no bucket to fill. "
                "Expected both, such as bucket=100 and refill=20."
            )


def _is_share(given: object) -> bool:
    return _is_amount(given, most=1)


def _is_amount(given: object, most: float = sys.float_info.max) -> bool:
    return isinstance(given, int | float) and 0 <= given <= most


def _is_count(given: object) -> bool:
    return isinstance(given, int) and given >= 0


def _is_switch(given: object) -> bool:
    return isinstance(given, bool)


def _are_accounts(given: object) -> bool:
    return (
        isinstance(given, Collection)
        and not isinstance(given, str)
        and all(isinstance(entry, str) and re.fullmatch("[0-9]{12}", entry) for entry in given)
    )


_SHARE = (_is_share, "a share of the requests, from 0 to 1")
_SWITCH = (_is_switch, "True or False")
_EXPECTED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "throttle_rate": _SHARE,
    "bucket": (_is_count, "a whole number of requests, 0 or more"),
    "refill": (_is_amount, "tokens a second, 0 or more"),
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
}


# --- whom it hits ---------------------------------------------------------------------


class Bucket:
    """Tokens for requests, which come back with time.

    Examples
    --------
    >>> seconds = iter([0, 0, 0, 0.5])
    >>> bucket = Bucket(1, 2, lambda: next(seconds))
    >>> bucket.take(), bucket.take(), bucket.take()
    (True, False, True)
    """

    def __init__(self, capacity: int, refill: float, counter: Counter = time.monotonic) -> None:
        self._capacity = capacity
        self._refill = refill
        self._counter = counter
        self._left = float(capacity)
        self._counted_at = counter()

    def take(self) -> bool:
        """Take a token, and say whether there was one."""
        now = self._counter()
        gained = (now - self._counted_at) * self._refill
        self._left = min(self._capacity, self._left + gained)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Course:
    """Faults at work: which request is hit next, and what is left in the buckets."""

    def __init__(self, faults: Faults, counter: Counter) -> None:
        self.faults = faults
        self._counter = counter
        self._lock = Lock()
        self._random = random.Random(faults.seed)
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._errors = cycle(_SERVER_ERRORS)

    def hits(self, rate: float) -> bool:
        """Say whether a fault of this rate hits the present request.

        What is off takes no number: throttling alone hits the same requests
        in-process and over HTTP.
        """
        with self._lock:
            return rate > 0 and self._random.random() < rate

    def admits(self, account_id: str, region: str) -> bool:
        """Take a token from the bucket of an account and region; say whether there was one."""
        if not self.faults.bucket:
            return True
        with self._lock:
            bucket = self._buckets.get((account_id, region))
            if bucket is None:
                bucket = Bucket(self.faults.bucket, self.faults.refill, self._counter)
                self._buckets[account_id, region] = bucket
            return bucket.take()

    def server_error(self) -> EC2Error:
        """Return the server error whose turn it is."""
        with self._lock:
            return EC2Error(*next(self._errors))


class Switch:
    """Turns faults on and off, and has them happen.

    Attributes
    ----------
    counter, sleep : callable
        Real seconds, and waiting for some of them.
    """

    def __init__(self) -> None:
        self.counter: Counter = time.monotonic
        self.sleep: Callable[[float], None] = time.sleep
        self.course: _Course | None = None

    def set(self, faults: Faults) -> None:
        """Turn these faults on, from the start, in place of those that were."""
        self.course = _Course(faults, self.counter)

    def clear(self) -> None:
        """Turn all faults off."""
        self.course = None

    def before(self, request: Any) -> None:
        """Do to one of moto's requests what happens to it before it is handled.

        Throttling comes first and page tokens last: what is refused for how often
        or by whom it was asked is not looked into.
        """
        course = self.course
        if course is None:
            return
        if course.faults.latency:
            self.sleep(course.faults.latency)
        _throttle(course, request)
        if course.hits(course.faults.error_rate):
            raise course.server_error()
        if request.current_account in course.faults.unauthorized:
            raise _unauthorized(request)
        if course.faults.expire_tokens and request._get_param("NextToken") is not None:
            raise EC2Error(UNKNOWN_PAGE, "The token has expired.")

    def after(self, request: Any, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is to be answered in place of a result."""
        course = self.course
        if course is None or not course.faults.repeat_token or "NextToken" not in result:
            return result
        token = request._get_param("NextToken") or result["NextToken"] or _token("")
        return {**result, "NextToken": token}


def _throttle(course: _Course, request: Any) -> None:
    account_id, action = request.current_account, request._get_action()
    admitted = course.admits(account_id, request.region)
    if not admitted or course.hits(course.faults.throttle_rate):
        raise EC2Error(
            "RequestLimitExceeded",
            f"Request limit exceeded. Account {account_id} has been throttled on "
            f"ec2:{action} because it exceeded its request rate limit.",
            503,
        )


def _unauthorized(request: Any) -> EC2Error:
    caller = f"arn:aws:sts::{request.current_account}:user/moto"  # as GetCallerIdentity says
    action = f"ec2:{request._get_action()}"
    return EC2Error(
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. User: {caller} is not authorized "
        f"to perform: {action} because no identity-based policy allows the {action} action",
        403,
    )


FAULTS = Switch()
"""The faults of this process's embedded EC2, as its clock is one a process."""


@contextmanager
def faulty(**faults: Any) -> Iterator[Faults]:
    """Turn faults on for a while; afterwards all is as it was.

    Parameters
    ----------
    **faults
        As :class:`Faults` takes them.

    Examples
    --------
    >>> with faulty(latency=0.2) as faults:
    ...     faults.latency
    0.2
    """
    before = FAULTS.course
    wanted = Faults(**faults)
    FAULTS.set(wanted)
    try:
        yield wanted
    finally:
        FAULTS.course = before


# --- the connection -------------------------------------------------------------------


class Unreliable:
    """A WSGI application whose connections break when a fault says so.

    One that is to be dropped ends in a ConnectionAbortedError: the server closes
    it without an answer.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, or a part of it, or not."""
        course = FAULTS.course
        if course is None or "FastLaunch" not in _action(environ):
            return self._application(environ, start)
        if course.hits(course.faults.drop_rate):
            raise ConnectionAbortedError
        whole = self._application(environ, start)
        return _half(whole) if course.hits(course.faults.truncate_rate) else whole


def _half(parts: Any) -> list[bytes]:
    with closing(parts):
        body: bytes = b"".join(parts)
    return [body[: len(body) // 2]]


def _action(environ: dict[str, Any]) -> str:
    """Return the action that a request asks for; its body can be read again."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return ""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
