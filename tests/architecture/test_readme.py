"""README cannot drift: its tables are made of the code, and every command and block of it runs."""

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


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """Return every command of README, each once: of its blocks, and of its sentences."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    inline = re.findall(r"`((?:make|fastlaunch-nb) [^`]+)`", README)
    found = [line.partition(" #")[0].strip() for line in (*lines, *inline)]
    return list(dict.fromkeys(filter(None, found)))


def test_readme_has_the_columns() -> None:
    """README's table of columns is the one that the frame declares."""
    rows = [f"| `{c.name}` | {c.dtype} | {c.meaning} | {'.'.join(c.path)} |" for c in COLUMNS]
    table = "\n".join(
        ["| column | dtype | meaning | field of the API |", "|---|---|---|---|", *rows]
    )
    assert table in README, f"README should have:\n{table}"


def test_readme_has_the_joins() -> None:
    """README's tables of joins are what the frame declares, and what joins ask for."""
    columns = [
        f"| `{join}` | `{c.name}` | {c.dtype} | {c.meaning} |"
        for join, joined in JOINS.items()
        for c in joined
    ]
    actions = [
        f"| `{join}` | {', '.join(f'`{action}`' for action in asked)} |"
        for join, asked in ACTIONS.items()
    ]
    for head, rows in (("| join | column | dtype | meaning |", columns),
                       ("| join | IAM actions |", actions)):  # fmt: skip
        table = "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows])
        assert table in README, f"README should have:\n{table}"


def test_readme_has_the_rules() -> None:
    """README's table of findings is made of the rules, with their sources."""
    assert rules_table() in README, f"README should have:\n{rules_table()}"


def test_readme_names_the_permissions() -> None:
    """README's IAM policy is made of the operations that the toolkit calls."""
    policy = json.loads(blocks("json")[0])
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    called = [iam_action(s, name) for s, names in READ_ONLY.items() for name in names]
    assert sorted(actions) == sorted(called)


def test_readme_code_runs(tmp_path: Path) -> None:
    """The Python of README runs, from top to bottom."""
    assert blocks("python")
    script = "\n".join([*blocks("python"), "demo.stop()"])
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)


# --- commands -------------------------------------------------------------------------


def test_readme_has_commands() -> None:
    """The two commands, and each of ours, are there for the tests below to run."""
    ours = ("show", "sweep", "record", "serve", "lab", "demo")
    expected = {
        "make lab",
        "make test",
        "uv run",
        *(f"fastlaunch-nb {command}" for command in ours),
    }
    assert {" ".join(command.split()[:2]) for command in commands()} == expected


def is_server(command: str) -> bool:
    """Tell a command that runs until Ctrl-C; those of uv run in test_install."""
    return command.split()[1] in ("lab", "serve", "demo")


@pytest.mark.deep
@pytest.mark.parametrize("command", [c for c in commands() if is_server(c)])
def test_servers_of_readme(command: str, demo: Demo, checkout: Path) -> None:
    """A command that serves prints its address and, at Ctrl-C, ends with a word."""
    words = shlex.split(command.partition(">")[0])
    if words[0] == "make":  # in a copy of the checkout, with what is installed here
        words += [f"BIN={PROGRAMS}", "--old-file=.venv/lab-ready"]
    alone = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "BROWSER": "true"}  # which opens nothing
    with process(words, cwd=checkout, env={**os.environ, **alone}) as server:
        server.find(r"http://127\.0\.0\.1:")
        assert "Stopped." in server.end(signal.SIGINT).err


SHOWS = [
    pytest.param(command, marks=() if "show" in command else pytest.mark.deep)
    for command in commands()
    if command.startswith(("fastlaunch-nb show", "fastlaunch-nb sweep"))
]


@pytest.mark.parametrize("command", SHOWS)
def test_shows_of_readme(command: str, demo: Demo, tmp_path: Path) -> None:
    """A command that shows something reads the demo's profiles, and ends well."""
    done = run("sh", "-c", command, cwd=tmp_path, PATH=f"{PROGRAMS}:{os.environ['PATH']}")
    assert done.stdout or [path.name for path in tmp_path.iterdir()] == ["fleet.csv"]


def noted(checkout: Path, folder: Path, fails: str) -> tuple[int, list[str]]:
    """Run `make test` with programs that only note what they are called with, and one that fails.

    Return how it ended, and the calls.
    """
    notes = folder / "notes"
    for name in ("python", "ruff", "mypy", "uv"):
        program = folder / name
        note = f'called="{name} $*"; echo "$called" >> "{notes}"'
        program.write_text(f'#!/bin/sh\n{note}\ncase "$called" in "{fails}"*) exit 1;; esac\n')
        program.chmod(0o755)
    words = ["make", "test", f"BIN={folder}", "--old-file=.venv/ready"]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=False)
    return done.returncode, notes.read_text().splitlines()


TESTS = ["ruff format --check .", "ruff check .", "python -m pytest"]


def test_make_test_runs_all_of_it(checkout: Path, tmp_path: Path) -> None:
    """`make test` is lint and this very run, in this order."""
    status, calls = noted(checkout, tmp_path, fails="nothing")
    found = [test for call in calls for test in TESTS if call.startswith(test)]
    assert (status, found) == (0, TESTS), calls


@pytest.mark.parametrize("fails", TESTS)
def test_make_test_fails_where_one_does(checkout: Path, tmp_path: Path, fails: str) -> None:
    """What fails within `make test` ends it, and make says so by its exit code."""
    status, calls = noted(checkout, tmp_path, fails)
    assert status != 0
    assert calls[-1].startswith(fails)
