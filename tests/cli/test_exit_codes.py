"""Exit codes of commands, and their messages on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastlaunch_nb.cli.exit_codes import print_requests
from fastlaunch_nb.cli.main import main
from fastlaunch_nb.collect.scheduler import SweepScheduler
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.faults import FAULTS
from tests.helpers.samples import ROOT

COMMAND = [sys.executable, "-m", "fastlaunch_nb"]


@pytest.mark.parametrize("command", ["show", "serve", "lab"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--region", "us-east-1", "Mars"], "region is 'Mars'"),
        (["--filters", "stat=enabled"], "Did you mean 'state'?"),
        (["--filters", "state"], "no values for 'state'"),
        (["--filters", "Name=stat,Values=enabled"], "Did you mean 'state'?"),
    ],
)
def test_invalid_regions_and_filters_exit_with_2(
    command: str, wrong: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that reads exits with 2 for invalid regions and filters, before it starts."""
    assert main([command, "--demo", *wrong]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err


@pytest.mark.parametrize("command", ["show", "serve", "lab"])
def test_an_unknown_profile_exits_with_1(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that reads exits with 1 for an unknown profile, and explains how to list them."""
    assert main([command, "--profile", "nobody", "--region", "us-east-1"]) == 1
    assert "aws configure list-profiles" in capsys.readouterr().err


def test_a_warning_is_one_line(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is printed as text, without its place in the code."""
    arguments = ["sweep", "--profile", "build-farm", "default", "--region", "eu-west-1"]
    assert main(arguments) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "fastlaunch-nb: Two targets lead to account 123456789012. It is read once."


def test_ctrl_c_exits_with_130(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C during a read prints "Stopped." and no traceback."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SweepScheduler, "_receive_results", interrupt)
    assert main(["show", "--json"]) == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")


CLOSED = "The program that reads the output has closed it, so the rest is not printed."
FULL = "The output cannot be used: No space left on device."
GONE = "The current folder no longer exists. Change to another one."


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        pytest.param("%s show --demo --json | true", CLOSED, marks=pytest.mark.deep),
        pytest.param("%s sweep --demo | true", CLOSED, marks=pytest.mark.deep),
        pytest.param("%s show --demo >/dev/full", FULL, marks=pytest.mark.deep),
        pytest.param("%s record store --demo >/dev/full", FULL, marks=pytest.mark.deep),
        ("%s --help >/dev/full", FULL),
        pytest.param(
            "%s show --demo --csv >&-",
            "The output cannot be used: not writable.",
            marks=pytest.mark.deep,
        ),
        ("mkdir gone && cd gone && rmdir ../gone && %s sweep --demo --out images.csv", GONE),
        pytest.param(
            "mkdir gone && cd gone && rmdir ../gone && %s record store --demo",
            GONE,
            marks=pytest.mark.deep,
        ),
        ("touch file && %s lab --folder file", "'file/demo' cannot be used: Not a directory."),
    ],
)
def test_a_failure_of_the_system_is_one_line(command: str, message: str, tmp_path: Path) -> None:
    """A closed or full output and a folder that is gone exit with 1 and one line, the last."""
    fastlaunch_nb = f"{' '.join(COMMAND)}"
    script = "set -o pipefail; " + command % fastlaunch_nb
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    *others, line = done.stderr.splitlines()
    assert line == f"fastlaunch-nb: {message}"
    assert [other for other in others if not other.startswith("Starting")] == []


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.deep
@pytest.mark.parametrize("closed", ["2>/dev/full", "2>&-"])
def test_without_stderr_the_result_is_printed(closed: str) -> None:
    """A full or closed stderr loses the summary, but not the result, and is no failure."""
    script = f"{' '.join(COMMAND)} show --demo --json {closed}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)) == 42


def test_an_error_of_aws_stays_on_one_line(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error message of AWS can neither forge a line nor control the terminal."""

    def refuse(_: object) -> None:
        raise EC2Error("X", "no\nfastlaunch-nb: all is well \x9b2J\u202e")

    monkeypatch.setattr(FAULTS, "delay_or_refuse", refuse)
    assert main(["show", "--region", "us-east-1", "eu-west-1"]) == 1
    lines = capsys.readouterr().err.splitlines()
    checks = [(line.isprintable(), line.startswith("fastlaunch-nb: ")) for line in lines]
    assert checks == [(True, True)] * 2, lines


# --- --verbose ------------------------------------------------------------------------


def test_verbose_prints_requests(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """--verbose prints each answer on stderr, for this command only; stdout stays as it is."""
    arguments = ["show", "--region", "eu-west-1", "--json"]
    outputs = {}
    for options in ((), ("--verbose",), ()):
        assert main([*arguments, *options]) == 0
        printed = capsys.readouterr()
        outputs[options] = printed.out
        count = printed.err.count(" eu-west-1 ec2:DescribeFastLaunchImages page 1: 200 in ")
        assert count == len(options)
    assert outputs[()] == outputs["--verbose",]
    assert "FASTLAUNCH_NB_VERBOSE" not in os.environ


@pytest.mark.parametrize("command", ["show", "sweep", "findings", "record", "serve", "lab"])
def test_every_command_that_reads_has_verbose(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command that reads AWS, or serves what does, takes --verbose."""
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert "--verbose" in capsys.readouterr().out


def test_processes_of_a_command_print_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels that serve and lab start get the variable, which later processes do not."""
    monkeypatch.setenv("FASTLAUNCH_NB_VERBOSE", "0")
    with print_requests(is_verbose=True):
        assert os.environ["FASTLAUNCH_NB_VERBOSE"] == "1"
    assert os.environ["FASTLAUNCH_NB_VERBOSE"] == "0"
