"""Limits of reads, of time and of pages: every read ends.

A server that answers byte by byte passes every limit of a single wait, and botocore's retries
multiply those limits. So a read has a time limit of its own, counted from its last whole page,
and a watchdog closes the connection of a read that exceeds it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from fastlaunch_nb.aws.remedies import give_advice
from fastlaunch_nb.errors import FastLaunchError, ReadError
from fastlaunch_nb.number_checks import parse_count, parse_number

DEFAULT_TIMEOUT: Final = 180.0
"""Seconds that a read may take from one whole page to the next, if the caller names none."""
TIMEOUT: Final = "Timeout"
"""The error code of a read that took longer."""
UNRESPONSIVE: Final = "Unresponsive"
"""The error code of a read that was left out, because others like it timed out."""
MAX_PAGES: Final = 10_000
"""The most pages of a read: two million images."""
_TIMEOUTS = frozenset({TIMEOUT, "ConnectTimeoutError", "ReadTimeoutError"})
_MAX_TIMEOUTS = 3  # in a row, until other reads are left out
_MAX_WORKERS = 1_000  # each needs a thread and a connection
_MAX_TIMEOUT = 86_400.0  # a day
_Page = TypeVar("_Page", bound=Mapping[str, Any])
_thread = threading.local()  # .limit: of the reads of this thread


def parse_timeout(timeout: float | None) -> float:
    """Return the seconds of a time limit; by default :data:`DEFAULT_TIMEOUT`.

    Examples
    --------
    >>> parse_timeout(None), parse_timeout(30)
    (180.0, 30.0)
    """
    if timeout is None:
        return DEFAULT_TIMEOUT
    expected = f"seconds above 0, at most {_MAX_TIMEOUT:,.0f}; or None for {DEFAULT_TIMEOUT:g}"
    return parse_number("timeout", timeout, expected, most=_MAX_TIMEOUT)


def parse_workers(max_workers: int) -> int:
    """Return the number of reads that may run at once."""
    return parse_count("max_workers", max_workers, least=1, most=_MAX_WORKERS)


# --- time -----------------------------------------------------------------------------


class TimeLimit:
    """The time limit of the reads of one thread. Any thread can end them earlier.

    Parameters
    ----------
    seconds : float
        How long the reads may take from one whole page to the next.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._start: float | None = None  # by time.monotonic(); None until the reads start
        self._error: ReadError | None = None
        self._socket: Any = None  # that the thread waits for
        self._lock = threading.Lock()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Limit the reads of this thread, and raise the limit's error in place of theirs."""
        outer = _get_limit()
        _thread.limit = self
        self.restart()
        _WATCHDOG.add(self)
        try:
            yield
        except FastLaunchError as error:
            own = self.find_error()
            if own is None:
                raise
            request = ("operation", "failed_operation", "region")
            vars(own).update({name: vars(error)[name] for name in request if name in vars(error)})
            raise own from None
        finally:
            _WATCHDOG.remove(self)
            _thread.limit = outer

    @property
    def seconds_left(self) -> float:
        """The seconds until the limit: all of them before the reads start."""
        return self.seconds - (0 if self._start is None else time.monotonic() - self._start)

    def restart(self) -> None:
        """Count from now, as a whole page has come."""
        self._start = time.monotonic()

    def find_error(self) -> ReadError | None:
        """Return the error that ends the reads, or None while they may go on."""
        if self._error is None and self.seconds_left <= 0:
            self._error = make_timeout_error(self.seconds)
        return self._error

    def end(self, error: ReadError | None = None) -> None:
        """End the reads with an error, by default the limit's own; close their connection."""
        self._error = self._error or error or make_timeout_error(self.seconds)
        with self._lock:
            self._end_wait()

    def hold(self, transport: Any) -> None:
        """Remember the socket that the thread waits for, or None; if all is over, end the wait."""
        with self._lock:
            self._socket = transport
            self._end_wait()

    def _end_wait(self) -> None:
        if self._error is not None and self._socket is not None:
            _shut_down(self._socket)


def make_timeout_error(seconds: float, operation: str = "", region: str | None = None) -> ReadError:
    """Make the error of a read that took too long."""
    return ReadError(
        f"no whole answer came within {seconds:g} seconds",
        code=TIMEOUT,
        operation=operation,
        region=region,
        remedy=give_advice(TIMEOUT),
    )


def make_unresponsive_error(operation: str, region: str | None) -> ReadError:
    """Make the error of a read that is left out, as others in its region timed out."""
    return ReadError(
        f"{_MAX_TIMEOUTS} reads in a row got no answer in time, so this one was left out",
        code=UNRESPONSIVE,
        operation=operation,
        region=region,
        remedy=give_advice(UNRESPONSIVE),
    )


def get_code(error: BaseException | None) -> str | None:
    """Return the code of an error; for one that is not of AWS, its type; None for none."""
    if isinstance(error, ReadError):
        return error.code
    return None if error is None else type(error).__name__


class Breaker:
    """Finds what times out in a row, so that other reads need not wait for it.

    A key is what these reads have in common, such as a region.
    """

    def __init__(self) -> None:
        self._timeouts: Counter[Hashable] = Counter()  # in a row
        self._broken: set[Hashable] = set()
        self._lock = threading.Lock()

    def is_broken(self, key: Hashable) -> bool:
        """Return True if other reads are to be left out."""
        return key in self._broken

    def record(self, key: Hashable, code: str | None) -> bool:
        """Record the error code of a read, or None; return True if it is the last to try."""
        with self._lock:
            if code == UNRESPONSIVE or key in self._broken:
                return False
            self._timeouts[key] = self._timeouts[key] + 1 if code in _TIMEOUTS else 0
            if self._timeouts[key] < _MAX_TIMEOUTS:
                return False
            self._broken.add(key)
            return True


def _get_limit() -> TimeLimit | None:
    return getattr(_thread, "limit", None)


def check_time(**_: Any) -> None:
    """Raise an error if the time limit of this thread's reads is over; a hook of botocore."""
    limit = _get_limit()
    if limit is not None and (error := limit.find_error()):
        raise error


def limit_requests(handlers: Any) -> None:
    """Let botocore's event handlers check the time limit before requests and their repetitions."""
    for event in ("before-send", "needs-retry"):
        handlers.register(event, check_time, unique_id="fastlaunch_nb-time-limit")  # only once


class _Watchdog:
    """The thread that ends the reads of others when their time is over."""

    def __init__(self) -> None:
        self._limits: set[TimeLimit] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wake = 0.0  # when the thread looks again, by time.monotonic()

    def add(self, limit: TimeLimit) -> None:
        """Watch a limit."""
        with self._changed:
            self._limits.add(limit)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif time.monotonic() + limit.seconds < self._wake:
                self._changed.notify()

    def remove(self, limit: TimeLimit) -> None:
        """Watch a limit no longer."""
        with self._changed:
            self._limits.discard(limit)

    def _run(self) -> None:
        with self._changed:
            while True:
                over = {limit for limit in self._limits if limit.seconds_left <= 0}
                self._limits -= over
                for limit in over:
                    limit.end()
                left = (limit.seconds_left for limit in self._limits)
                seconds = max(0.0, min(left, default=_MAX_TIMEOUT))
                self._wake = time.monotonic() + seconds
                self._changed.wait(seconds)


_WATCHDOG = _Watchdog()
if hasattr(os, "register_at_fork"):  # a child has the locks of other threads, and not them
    os.register_at_fork(after_in_child=_WATCHDOG.__init__)  # type: ignore[misc]


# --- connections ----------------------------------------------------------------------


def track_connections(http_session: Any) -> None:
    """Let time limits close the connections of one of botocore's HTTP sessions.

    If botocore's internals have changed, a read that makes no progress ends with
    the limits of its single waits only.
    """
    with suppress(AttributeError):
        http_session._pool_classes_by_scheme.update(http=_Pool, https=_TLSPool)
        http_session._manager.pool_classes_by_scheme = http_session._pool_classes_by_scheme


class _NamesSocket:
    """A connection that names its socket to the time limit of the thread that waits for it."""

    sock: Any

    def getresponse(self) -> Any:
        """Wait for the head of a response."""
        if limit := _get_limit():
            limit.hold(self.sock)
        return super().getresponse()  # type: ignore[misc]


class _Connection(_NamesSocket, AWSHTTPConnection):  # type: ignore[misc, unused-ignore]
    """A connection without TLS."""


class _TLSConnection(_NamesSocket, AWSHTTPSConnection):  # type: ignore[misc, unused-ignore]
    """A connection with TLS."""


class _ReleasesSocket:
    """A pool that takes connections back from the time limit of their thread."""

    def _put_conn(self, connection: Any) -> None:
        if limit := _get_limit():
            limit.hold(None)  # before other threads can take it
        super()._put_conn(connection)  # type: ignore[misc]


class _Pool(_ReleasesSocket, AWSHTTPConnectionPool):  # type: ignore[misc, unused-ignore]
    """Connections without TLS."""

    ConnectionCls = _Connection


class _TLSPool(_ReleasesSocket, AWSHTTPSConnectionPool):  # type: ignore[misc, unused-ignore]
    """Connections with TLS."""

    ConnectionCls = _TLSConnection


def _shut_down(transport: Any) -> None:
    """End another thread's wait for a socket, which that thread then closes."""
    transport = getattr(transport, "socket", transport)  # of TLS within TLS, to a proxy
    with suppress(OSError):  # it is closed
        socket.socket.shutdown(transport, socket.SHUT_RDWR)  # below TLS, whose end would wait


# --- pages ----------------------------------------------------------------------------


def limit_pages(
    pages: Iterable[_Page], token: str | None = None, *, next_key: str = "NextToken"
) -> Iterator[_Page]:
    """Yield the pages that follow a token; refuse pages in a circle and pages without end.

    Each page restarts the time limit of this thread. `next_key` is the key of a page's token.
    """
    seen = {token}
    for number, page in enumerate(pages, 1):
        if limit := _get_limit():
            limit.restart()
        yield page
        token = page.get(next_key)
        if token and token in seen:
            raise ReadError(
                "a page leads back to an earlier one",
                code="PaginationError",
                remedy=give_advice("PaginationError"),
            )
        if token and number == MAX_PAGES:
            raise ReadError(
                f"there are more than {MAX_PAGES:,} pages",
                code="TooManyPages",
                remedy=give_advice("TooManyPages"),
            )
        seen.add(token)
