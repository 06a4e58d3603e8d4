"""Documents that cannot drift: generated tables, and commands and code that run."""

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

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import READ_ONLY, get_iam_action
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.cases import some
from tests.helpers.processes import process
from tests.helpers.samples import ROOT, run
from tests.helpers.tables import DOCUMENTS, MARKED, TABLES, fill_tables

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS}
PROGRAMS = str(Path(sys.executable).parent)


def find_blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in all documents."""
    return [block for text in PAGES.values() for block in find_blocks_of(text, language)]


def find_blocks_of(text: str, language: str) -> list[str]:
    """Return the code blocks of a language in one document."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def find_commands() -> list[str]:
    """Return every command of the documents once, from blocks and from sentences."""
    lines = [line for block in find_blocks("sh") for line in block.splitlines()]
    inline = [
        command
        for text in PAGES.values()
        for command in re.findall(r"`((?:make|fastlaunch-nb) [^`]+)`", text)
    ]
    commands = [line.partition(" #")[0].strip() for line in (*lines, *inline)]
    return list(dict.fromkeys(filter(None, commands)))


# --- text and tables ------------------------------------------------------------------


def test_readme_is_short() -> None:
    """README fits on a few screens: the rest is in docs/."""
    assert len(PAGES["README.md"].splitlines()) <= 150


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_tables_are_those_of_the_code(text: str) -> None:
    """A table between markers is what the code declares."""
    assert fill_tables(text) == text, "Run `python -m tests.helpers.tables`."


def test_each_table_is_in_a_document() -> None:
    """Every table that the code can make stands in one document."""
    found = [name for text in PAGES.values() for _, name, _ in MARKED.findall(text)]
    assert sorted(found) == sorted(TABLES)


def test_documents_name_the_permissions() -> None:
    """The IAM policy lists exactly the operations that the toolkit calls."""
    policy = json.loads(find_blocks("json")[0])
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    calls = [get_iam_action(s, name) for s, names in READ_ONLY.items() for name in names]
    assert sorted(actions) == sorted(calls)


@pytest.mark.parametrize("name", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Every link and picture of a document is a file in the repository."""
    document = ROOT / name
    targets = re.findall(r"\]\(([^)#:]+)[)#]", document.read_text("utf-8"))
    assert [target for target in targets if not (document.parent / target).is_file()] == []


def test_readme_links_to_every_page() -> None:
    """README leads to each page of docs/."""
    links = re.findall(r"\]\((docs/[^)#]+)", PAGES["README.md"])
    assert sorted(links) == some(name for name in PAGES if name.startswith("docs/"))


def test_changelog_has_this_version() -> None:
    """CHANGELOG has a section for the version of the package."""
    assert f"## {fl.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# --- code -----------------------------------------------------------------------------

WITH_CODE = [name for name, text in PAGES.items() if find_blocks_of(text, "python")]


@pytest.fixture(scope="module")
def pages_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run the Python of each page by itself, all in one interpreter; return the errors."""
    script = """
import json, sys, traceback, warnings
warnings.simplefilter("error", DeprecationWarning)
errors = {}
for name, code in json.load(sys.stdin).items():
    names = {}
    try:
        exec(code, names)
    except Exception:
        errors[name] = traceback.format_exc()
    if "demo" in names:
        names["demo"].stop()
print(json.dumps(errors), file=sys.stderr)
"""
    code = {name: "\n".join(find_blocks_of(PAGES[name], "python")) for name in WITH_CODE}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(code),
        cwd=tmp_path_factory.mktemp("pages"),
        capture_output=True,
        text=True,
        check=True,
    )
    errors: dict[str, str] = json.loads(done.stderr.splitlines()[-1])
    return errors


@pytest.mark.deep
@pytest.mark.parametrize("name", some(WITH_CODE))
def test_code_of_a_page_runs(name: str, pages_run: dict[str, str]) -> None:
    """The Python of a page runs from top to bottom, without any other page."""
    assert pages_run.get(name, "") == ""


# --- commands -------------------------------------------------------------------------


def test_documents_have_find_commands() -> None:
    """The documents have the two commands of make and each of ours, for the tests below to run."""
    ours = ("show", "sweep", "findings", "record", "serve", "lab", "demo")
    expected = {
        "make lab",
        "make test",
        "uv run",
        *(f"fastlaunch-nb {command}" for command in ours),
    }
    assert {" ".join(command.split()[:2]) for command in find_commands()} == expected


def is_server(command: str) -> bool:
    """Return whether a command runs until Ctrl-C; tests of installing run those of uv."""
    return command.split()[1] in ("lab", "serve", "demo")


@pytest.mark.deep
@pytest.mark.parametrize("command", [c for c in find_commands() if is_server(c)])
def test_servers_of_documents(command: str, demo: Demo, checkout: Path) -> None:
    """A command that serves prints its address, and says at Ctrl-C that it has stopped."""
    words = shlex.split(command.partition(">")[0])
    if words[0] == "make":  # in a copy of the checkout, with what is installed here
        words += [f"BIN={PROGRAMS}", "--old-file=.venv/lab-ready"]
    alone = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "BROWSER": "true"}  # which opens nothing
    with process(words, cwd=checkout, env={**os.environ, **alone}) as server:
        server.find(r"http://127\.0\.0\.1:")
        assert "Stopped." in server.end(signal.SIGINT).err


SHOWS = [
    pytest.param(command, marks=() if "show" in command else pytest.mark.deep)
    for command in find_commands()
    if command.startswith(("fastlaunch-nb show", "fastlaunch-nb sweep"))
]


@pytest.mark.parametrize("command", SHOWS)
def test_shows_of_documents(command: str, demo: Demo, tmp_path: Path) -> None:
    """A command that prints or writes rows reads the demo's profiles, and succeeds."""
    done = run("sh", "-c", command, cwd=tmp_path, PATH=f"{PROGRAMS}:{os.environ['PATH']}")
    assert done.stdout or [path.name for path in tmp_path.iterdir()] == ["fleet.csv"]


def note_calls(checkout: Path, folder: Path, fails: str) -> tuple[int, list[str]]:
    """Run `make test` with programs that only record their calls, one of which fails.

    Return its exit code and the calls.
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
    """`make test` runs lint and then pytest."""
    status, calls = note_calls(checkout, tmp_path, fails="nothing")
    found = [test for call in calls for test in TESTS if call.startswith(test)]
    assert (status, found) == (0, TESTS), calls


@pytest.mark.parametrize("fails", TESTS)
def test_make_test_fails_where_one_does(checkout: Path, tmp_path: Path, fails: str) -> None:
    """A program that fails ends `make test` with a failure."""
    status, calls = note_calls(checkout, tmp_path, fails)
    assert status != 0
    assert calls[-1].startswith(fails)
