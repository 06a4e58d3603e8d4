"""The parser of the command line: commands, options and help."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fastlaunch_nb import __version__
from fastlaunch_nb.cli.main import main

COMMANDS = ["show", "sweep", "findings", "record", "serve", "lab", "demo"]


def read_help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what --help or --version prints on stdout."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the name and the version on stdout."""
    assert read_help(capsys, "--version").strip() == f"fastlaunch-nb {__version__}"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "--port", "x"]])
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong arguments exit with 2 and print the usage on stderr only."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: fastlaunch-nb" in printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help of every command ends with examples of it."""
    help_text = read_help(capsys, command, "--help")
    assert re.search(rf"examples:\n  fastlaunch-nb {command}", help_text)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists the commands that are tested here, and no others."""
    listed = re.findall(r"^    (\w+) +\S", read_help(capsys, "--help"), re.MULTILINE)
    assert listed == COMMANDS


def test_help_does_not_load_pandas() -> None:
    """The parser loads neither pandas, boto3 nor plotly, so --help is fast."""
    code = "import sys; from fastlaunch_nb.cli import main, parser; parser.build_parser()"
    script = f"{code}; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "fastlaunch_nb.cli.main" in modules
    assert modules & {"pandas", "boto3", "plotly"} == set()
