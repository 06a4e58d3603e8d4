"""The processes of tests: none outlives its test, and none depends on how pytest was started."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import processes
from tests.helpers.processes import Ended, Process, in_a_terminal, process, restore_signals

TESTS = Path(__file__).parent.parent


def python(script: str) -> list[str]:
    """Return the command that runs a script."""
    return [sys.executable, "-u", "-c", script]


@contextmanager
def ignored(number: int) -> Iterator[None]:
    """Ignore a signal for a while, as nohup does."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_process_has_the_signals_of_a_terminal(name: str) -> None:
    """A process of a test ends at a signal that was ignored where pytest was started."""
    number = getattr(signal, name)
    with ignored(number):
        restore_signals()
        with process(python("import signal; print('up'); signal.pause()")) as started:
            started.find("up")
            ended = started.end(number)
    assert ended.code == -number


def test_it_is_given_what_it_says() -> None:
    """What is printed is found as it comes; the rest is there at the end, with the exit code."""
    script = "import sys; print('a\\nport 7\\nb'); print('c', file=sys.stderr); sys.exit(3)"
    with process(python(script)) as started:
        assert started.find(r"\d+") == "7"
        assert started.wait() == Ended(3, "b\n", "c\n")
        with pytest.raises(AssertionError, match="never printed: Ended"):
            started.find("more")


def test_it_ends_where_its_test_fails() -> None:
    """A test that fails leaves no process."""
    forever = python("import signal; signal.pause()")
    with pytest.raises(LookupError, match="mine"), process(forever) as it:
        raise LookupError("mine")
    assert not it.is_running()


def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not obey is ended all the same, and its test fails."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')"
    started = Process(python(f"{deaf}\nwhile True: signal.pause()"))
    started.find("up")
    monkeypatch.setattr(processes, "LIMIT", 0.1)
    with pytest.raises(AssertionError, match="signal 15 did not end it"):
        started.end()
    assert not started.is_running()


def test_one_that_leaves_another_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has started and not ended fails the test, wherever it may be."""
    other = "subprocess.Popen(['sleep', '600'], start_new_session=True)"
    started = Process(python(f"import subprocess; other = {other}; print(other.pid)"))
    left = int(started.find(r"\d+"))
    started._process.wait()
    monkeypatch.setattr(processes, "LIMIT", 0.1)
    try:
        with pytest.raises(AssertionError, match="has not ended"):
            started.end()
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_terminal() -> None:
    """In a terminal all that a process prints is seen, however much it is."""
    script = "import sys; print(sys.stdout.isatty(), 'x' * 100_000)"
    printed, err = in_a_terminal(python(script), TERM="dumb")
    assert (printed.split(), err) == (["True", "x" * 100_000], "")


@pytest.mark.parametrize(
    ("forbidden", "places"),
    [
        (r"Popen\(", ["processes.py"]),
        (r"expect\.set_options", ["browser.py"]),
        (r"\btime\.sleep\(", ["browser.py"]),
    ],
    ids=["starts a process", "sets a limit of the browser", "waits by the clock"],
)
def test_one_place(forbidden: str, places: list[str]) -> None:
    """Each of these is done in one place: elsewhere it would depend on order, load or luck."""
    files = [path for path in sorted(TESTS.rglob("*.py")) if path.name != Path(__file__).name]
    assert [path.name for path in files if re.search(forbidden, path.read_text("utf-8"))] == places
