"""Processes of tests: they end with their test and do not depend on how pytest was started."""

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
from tests.helpers.processes import Ended, Process, process, restore_signals, run_in_terminal

TESTS = Path(__file__).parent.parent


def make_command(script: str) -> list[str]:
    """Return the command that runs a script."""
    return [sys.executable, "-u", "-c", script]


@contextmanager
def ignore_signal(number: int) -> Iterator[None]:
    """Ignore a signal in a block of code, as nohup does."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_process_receives_the_signals_of_a_terminal(name: str) -> None:
    """A signal ends a process of a test even if it was ignored when pytest started."""
    number = getattr(signal, name)
    with ignore_signal(number):
        restore_signals()
        command = make_command("import signal; print('up'); signal.pause()")
        with process(command) as running:
            running.find("up")
            ended = running.end(number)
    assert ended.code == -number


def test_output_is_found_while_it_is_printed() -> None:
    """Lines are found as they are printed; the end has the rest and the exit code."""
    script = "import sys; print('a\\nport 7\\nb'); print('c', file=sys.stderr); sys.exit(3)"
    with process(make_command(script)) as running:
        assert running.find(r"\d+") == "7"
        assert running.wait() == Ended(3, "b\n", "c\n")
        with pytest.raises(AssertionError, match="never printed: Ended"):
            running.find("more")


def test_a_process_ends_if_its_test_fails() -> None:
    """A test that fails leaves no process."""
    command = make_command("import signal; signal.pause()")
    with pytest.raises(LookupError, match="mine"), process(command) as running:
        raise LookupError("mine")
    assert not running.is_running()


def test_a_process_that_ignores_signals_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores a signal is killed, and its test fails."""
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')"
    running = Process(make_command(f"{ignore}\nwhile True: signal.pause()"))
    running.find("up")
    monkeypatch.setattr(processes, "LIMIT", 0.1)
    with pytest.raises(AssertionError, match="signal 15 did not end it"):
        running.end()
    assert not running.is_running()


def test_a_process_that_leaves_another_fails_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has started another one and not ended it fails its test."""
    child = "subprocess.Popen(['sleep', '600'], start_new_session=True)"
    running = Process(make_command(f"import subprocess; child = {child}; print(child.pid)"))
    child_id = int(running.find(r"\d+"))
    running._process.wait()
    monkeypatch.setattr(processes, "LIMIT", 0.1)
    try:
        with pytest.raises(AssertionError, match="has not ended"):
            running.end()
    finally:
        os.kill(child_id, signal.SIGKILL)


def test_a_terminal_returns_all_output() -> None:
    """A process in a terminal sees one, and its long output is returned completely."""
    script = "import sys; print(sys.stdout.isatty(), 'x' * 100_000)"
    out, err = run_in_terminal(make_command(script), TERM="dumb")
    assert (out.split(), err) == (["True", "x" * 100_000], "")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"Popen\(", ["processes.py"]),
        (r"expect\.set_options", ["browser.py"]),
        (r"\btime\.sleep\(", ["browser.py"]),
    ],
    ids=["starts a process", "sets a limit of the browser", "waits by the clock"],
)
def test_fragile_calls_are_in_one_file(pattern: str, expected: list[str]) -> None:
    """Each of these calls is in one file, as elsewhere it would depend on order, load or luck."""
    files = [path for path in sorted(TESTS.rglob("*.py")) if path.name != Path(__file__).name]
    names = [path.name for path in files if re.search(pattern, path.read_text("utf-8"))]
    assert names == expected
