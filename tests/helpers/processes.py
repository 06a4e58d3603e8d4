"""Processes of tests: with the signals of a terminal, and always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, NamedTuple

LIMIT = 300  # seconds that a process may take to end before it is killed and its test fails


def restore_signals() -> None:
    """Make processes of tests receive the signals of a terminal, however pytest was started.

    A child process inherits an ignored signal, as under ``nohup`` or after a shell's ``&``,
    but it does not inherit a handler.
    """
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


class Ended(NamedTuple):
    """The exit code of a process, and the rest of its output."""

    code: int
    out: str
    err: str


class Process:
    """A process in a session of its own; its output is read while it runs."""

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        text = {"encoding": "utf-8", "errors": "replace"}
        defaults = {"stdin": subprocess.DEVNULL, "start_new_session": True, **text}
        self._process = subprocess.Popen(command, **{**defaults, **pipes, **options})
        self.stdin: IO[str] | None = self._process.stdin
        self.out, self.err = _Lines(self._process.stdout), _Lines(self._process.stderr)
        self._ended: Ended | None = None

    def find(self, pattern: str) -> str:
        """Wait until a line of its output matches a pattern; return the match."""
        matches = (re.search(pattern, line) for line in self.out)
        text = next((match[0] for match in matches if match), None)
        assert text is not None, f"{pattern} was never printed: {self.end()}"
        return text

    def end(self, number: int = signal.SIGTERM) -> Ended:
        """End it with a signal; wait until its output is closed.

        Then the processes that it started have ended, too.
        """
        if self._ended is None:
            if self.stdin:
                self.stdin.close()
            has_ended = self._send_signal(number)
            if not has_ended and not self._send_signal(signal.SIGTERM):
                self._send_signal(signal.SIGKILL)
            code = self._process.wait()
            are_closed = [lines.wait_until_closed() for lines in (self.out, self.err)]
            assert has_ended, f"signal {number} did not end it"
            assert all(are_closed), "a process that it started has not ended"
            self._ended = Ended(code, "".join(self.out), "".join(self.err))
        return self._ended

    def wait(self) -> Ended:
        """Wait until it ends by itself."""
        return self.end(0)  # which is no signal

    def is_running(self) -> bool:
        """Return True if it has not ended."""
        return self._process.poll() is None

    def _send_signal(self, number: int) -> bool:
        """Send a signal to its session; return True if it ends."""
        if self.is_running():
            with suppress(ProcessLookupError, PermissionError):  # it may have just ended
                os.killpg(self._process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LIMIT)
        return not self.is_running()


class _Lines(threading.Thread):
    """The lines of a pipe, read by a thread so that the pipe never fills up."""

    def __init__(self, pipe: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self.start()

    def run(self) -> None:
        """Read until the other end is closed."""
        if self._pipe:
            with self._pipe:
                for line in self._pipe:
                    self._lines.put(line)
        self._lines.put(None)

    def __iter__(self) -> Iterator[str]:
        """Yield each further line as soon as it is printed."""
        while (line := self._lines.get()) is not None:
            yield line
        self._lines.put(None)  # so that another iteration ends, too

    def wait_until_closed(self) -> bool:
        """Wait until the pipe is closed; return False if that takes too long."""
        self.join(LIMIT)
        return not self.is_alive()


@contextmanager
def process(command: Sequence[str | Path], **options: Any) -> Iterator[Process]:
    """Start a process with the options of Popen, and always end it afterwards."""
    started = Process(command, **options)
    try:
        yield started
    finally:
        started.end()


def run_in_terminal(command: Sequence[str | Path], **variables: str) -> tuple[str, str]:
    """Run a command in a terminal with these variables; return its stdout and its stderr."""
    our_end, its_end = os.openpty()
    chunks: list[bytes] = []
    try:
        with process(command, stdout=its_end, env={**os.environ, **variables}) as running:
            os.close(its_end)
            with suppress(OSError):  # raised when the other end is closed
                chunks.extend(iter(lambda: os.read(our_end, 4096), b""))
            ended = running.wait()
    finally:
        os.close(our_end)
    assert ended.code == 0, ended.err
    return b"".join(chunks).decode(), ended.err
