"""README: its tables match the code, and its commands and code blocks run."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastlaunch_nb.aws.clients import READ_ONLY, iam_action
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.joins.queries import ACTIONS
from fastlaunch_nb.rules.evaluate import rules_table
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers.processes import process
from tests.helpers.samples import ROOT, run

README = (ROOT / "README.md").read_text()
PROGRAMS = str(Path(sys.executable).parent)


def list_blocks(language: str) -> list[str]:
    """Return the code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def list_commands() -> list[str]:
    """Return the commands of README, without duplicates, from its blocks and its sentences."""
    lines = [line for block in list_blocks("sh") for line in block.splitlines()]
    inline = re.findall(r"`((?:make|fastlaunch-nb) [^`]+)`", README)
    without_comments = [line.partition(" #")[0].strip() for line in (*lines, *inline)]
    return list(dict.fromkeys(filter(None, without_comments)))


def test_readme_has_the_columns() -> None:
    """README's table of columns matches the schema of images."""
    rows = [f"| `{c.name}` | {c.dtype} | {c.meaning} | {'.'.join(c.path)} |" for c in COLUMNS]
    table = "\n".join(
        ["| column | dtype | meaning | field of the API |", "|---|---|---|---|", *rows]
    )
    assert table in README, f"README should have:\n{table}"


def test_readme_has_the_joins() -> None:
    """README's tables of joins match the schema, and the IAM actions of each join."""
    columns = [
        f"| `{join}` | `{c.name}` | {c.dtype} | {c.meaning} |"
        for join, joined in JOINS.items()
        for c in joined
    ]
    actions = [
        f"| `{join}` | {', '.join(f'`{action}`' for action in names)} |"
        for join, names in ACTIONS.items()
    ]
    tables = {"| join | column | dtype | meaning |": columns, "| join | IAM actions |": actions}
    for head, rows in tables.items():
        table = "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows])
        assert table in README, f"README should have:\n{table}"


def test_readme_has_the_rules() -> None:
    """README's table of findings matches the rules and their sources."""
    assert rules_table() in README, f"README should have:\n{rules_table()}"


def test_readme_names_the_permissions() -> None:
    """README's IAM policy allows exactly the operations that the toolkit calls."""
    policy = json.loads(list_blocks("json")[0])
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    called = [iam_action(s, name) for s, names in READ_ONLY.items() for name in names]
    assert sorted(actions) == sorted(called)


def test_readme_code_runs(tmp_path: Path) -> None:
    """The Python code of README runs from top to bottom."""
    assert list_blocks("python")
    script = "\n".join([*list_blocks("python"), "demo.stop()"])
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)


# --- commands -------------------------------------------------------------------------


def test_readme_has_commands() -> None:
    """README has the commands that the tests below run."""
    subcommands = ("show", "sweep", "record", "serve", "lab", "demo")
    expected = {
        "make lab",
        "make test",
        "uv run",
        *(f"fastlaunch-nb {command}" for command in subcommands),
    }
    assert {" ".join(command.split()[:2]) for command in list_commands()} == expected


def is_server(command: str) -> bool:
    """Return whether a command runs until Ctrl-C; test_install covers those of uv."""
    return command.split()[1] in ("lab", "serve", "demo")


@pytest.mark.deep
@pytest.mark.parametrize("command", [c for c in list_commands() if is_server(c)])
def test_servers_of_readme_run(command: str, demo: Demo, checkout: Path) -> None:
    """A server prints its address, and a last message at Ctrl-C."""
    words = shlex.split(command.partition(">")[0])
    if words[0] == "make":  # in a copy of the checkout, with the installed packages
        words += [f"BIN={PROGRAMS}", "--old-file=.venv/lab-ready"]
    # The program `true` as a browser opens nothing.
    variables = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "BROWSER": "true"}
    with process(words, cwd=checkout, env={**os.environ, **variables}) as server:
        server.find(r"http://127\.0\.0\.1:")
        assert "Stopped." in server.end(signal.SIGINT).err


READ_COMMANDS = [
    pytest.param(command, marks=() if "show" in command else pytest.mark.deep)
    for command in list_commands()
    if command.startswith(("fastlaunch-nb show", "fastlaunch-nb sweep"))
]


@pytest.mark.parametrize("command", READ_COMMANDS)
def test_read_commands_of_readme_run(command: str, demo: Demo, tmp_path: Path) -> None:
    """A command that reads images reads those of the demo, and succeeds."""
    result = run("sh", "-c", command, cwd=tmp_path, PATH=f"{PROGRAMS}:{os.environ['PATH']}")
    assert result.stdout or [path.name for path in tmp_path.iterdir()] == ["fleet.csv"]


def record_make_test(checkout: Path, folder: Path, fails: str) -> tuple[int, list[str]]:
    """Run `make test` with programs that only record their arguments, and one that fails.

    Return the exit code and the calls.
    """
    notes = folder / "notes"
    for name in ("python", "ruff", "mypy", "uv"):
        program = folder / name
        note = f'called="{name} $*"; echo "$called" >> "{notes}"'
        program.write_text(f'#!/bin/sh\n{note}\ncase "$called" in "{fails}"*) exit 1;; esac\n')
        program.chmod(0o755)
    words = ["make", "test", f"BIN={folder}", "--old-file=.venv/ready"]
    result = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=False)
    return result.returncode, notes.read_text().splitlines()


TESTS = ["ruff format --check .", "ruff check .", "python -m pytest"]


def test_make_test_runs_all_of_it(checkout: Path, tmp_path: Path) -> None:
    """`make test` runs the linters, then the tests."""
    status, calls = record_make_test(checkout, tmp_path, fails="nothing")
    tests = [test for call in calls for test in TESTS if call.startswith(test)]
    assert (status, tests) == (0, TESTS), calls


@pytest.mark.parametrize("fails", TESTS)
def test_make_test_stops_at_a_failure(checkout: Path, tmp_path: Path, fails: str) -> None:
    """A failing step ends `make test`, with an exit code other than 0."""
    status, calls = record_make_test(checkout, tmp_path, fails)
    assert status != 0
    assert calls[-1].startswith(fails)
