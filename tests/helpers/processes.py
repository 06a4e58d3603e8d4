"""The processes that tests start: with the signals of a terminal, and ended whatever happens."""

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

LIMIT = 300  # seconds after which a process that was asked to end is killed, and its test fails


def restore_signals() -> None:
    """Give processes that tests start the signals of a terminal, however pytest was started.

    A signal that is ignored, as under ``nohup`` or after a shell's ``&``, is ignored by every
    process that is started from here; one that has a handler is not.
    """
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


class Ended(NamedTuple):
    """How a process ended, and what it had printed that nobody had read."""

    code: int
    out: str
    err: str


class Process:
    """A process in a session of its own, and what it prints, which is read as it comes."""

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        text = {"encoding": "utf-8", "errors": "replace"}
        usual = {"stdin": subprocess.DEVNULL, "start_new_session": True, **text}
        self._process = subprocess.Popen(command, **{**usual, **pipes, **options})
        self.stdin: IO[str] | None = self._process.stdin
        self.out, self.err = _Lines(self._process.stdout), _Lines(self._process.stderr)
        self._ended: Ended | None = None

    def find(self, pattern: str) -> str:
        """Wait until a line it prints has this; return that part of it."""
        found = (re.search(pattern, line) for line in self.out)
        part = next((match[0] for match in found if match), None)
        assert part is not None, f"{pattern} was never printed: {self.end()}"
        return part

    def end(self, number: int = signal.SIGTERM) -> Ended:
        """End it by a signal, unless it has ended; wait until nobody holds its output.

        So nothing that it started is left either.
        """
        if self._ended is None:
            if self.stdin:
                self.stdin.close()
            obeyed = self._signal(number)
            if not obeyed and not self._signal(signal.SIGTERM):
                self._signal(signal.SIGKILL)
            code = self._process.wait()
            over = [lines.are_over() for lines in (self.out, self.err)]
            assert obeyed, f"signal {number} did not end it"
            assert all(over), "a process that it started has not ended"
            self._ended = Ended(code, "".join(self.out), "".join(self.err))
        return self._ended

    def wait(self) -> Ended:
        """Wait until it ends by itself."""
        return self.end(0)  # which is no signal

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self._process.poll() is None

    def _signal(self, number: int) -> bool:
        """Send a signal to its session; tell whether it ends."""
        if self.is_running():
            with suppress(ProcessLookupError, PermissionError):  # it may end at this moment
                os.killpg(self._process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LIMIT)
        return not self.is_running()


class _Lines(threading.Thread):
    """The lines of a pipe. Unread, they would stop who prints them."""

    def __init__(self, pipe: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self.start()

    def run(self) -> None:
        """Read until nobody holds the other end."""
        if self._pipe:
            with self._pipe:
                for line in self._pipe:
                    self._lines.put(line)
        self._lines.put(None)

    def __iter__(self) -> Iterator[str]:
        """Give each line that was not given before, as soon as it is there."""
        while (line := self._lines.get()) is not None:
            yield line
        self._lines.put(None)  # who asks again is told so again

    def are_over(self) -> bool:
        """Tell whether all is read."""
        self.join(LIMIT)
        return not self.is_alive()


@contextmanager
def process(command: Sequence[str | Path], **options: Any) -> Iterator[Process]:
    """Start a process, with the options of Popen; end it on leaving, whatever happens."""
    started = Process(command, **options)
    try:
        yield started
    finally:
        started.end()


def in_a_terminal(command: Sequence[str | Path], **variables: str) -> tuple[str, str]:
    """Run a command in a terminal with these variables; return what it and its errors show."""
    ours, its = os.openpty()
    printed: list[bytes] = []
    try:
        with process(command, stdout=its, env={**os.environ, **variables}) as shown:
            os.close(its)
            with suppress(OSError):  # nobody holds the other end any more
                printed.extend(iter(lambda: os.read(ours, 4096), b""))
            ended = shown.wait()
    finally:
        os.close(ours)
    assert ended.code == 0, ended.err
    return b"".join(printed).decode(), ended.err
