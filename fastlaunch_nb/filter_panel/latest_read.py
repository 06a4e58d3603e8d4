"""Reads in threads that take seconds, of which only the latest counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from fastlaunch_nb.errors import FastLaunchError, describe_exception
from fastlaunch_nb.threads import DaemonExecutor

T = TypeVar("T")
_THREADS: Final = 2  # so that one read that hangs does not hold up the next


class LatestRead:
    """Calls functions in threads and hands on the result of the latest call alone.

    Where no event loop runs, as in a script, a read has ended when :meth:`start` returns.
    """

    def __init__(self) -> None:
        self._threads = DaemonExecutor(_THREADS)
        self._latest: Future[Any] | None = None

    @property
    def is_running(self) -> bool:
        """True while a read is under way whose result counts."""
        return self._latest is not None

    def start(
        self, read: Callable[[], T], show: Callable[[T], object], fail: Callable[[str], object]
    ) -> None:
        """Call `read` in a thread, then `show` with its result or `fail` with what went wrong."""
        self.cancel()
        future = self._latest = self._threads.submit(read)
        finish = partial(self._finish, future, show, fail)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            finish(future)
        else:
            asyncio.wrap_future(future, loop=loop).add_done_callback(finish)

    def cancel(self) -> None:
        """Drop the read that is under way, if any."""
        if self._latest is not None:
            self._latest.cancel()  # if no thread has begun it
            self._latest = None

    def close(self) -> None:
        """Drop the read that is under way, and end the threads after it."""
        self.cancel()
        self._threads.close()

    def _finish(
        self,
        future: Future[T],
        show: Callable[[T], object],
        fail: Callable[[str], object],
        done: Future[T] | asyncio.Future[T],
    ) -> None:
        if future is not self._latest:
            _ = done.cancelled() or done.exception()  # else asyncio would report it
            return
        try:
            result = done.result()
        except FastLaunchError as error:
            self._latest = None
            fail(str(error))
        except Exception as error:
            self._latest = None
            fail(describe_exception(error))
            raise  # the kernel's log keeps the traceback
        else:
            self._latest = None
            show(result)
