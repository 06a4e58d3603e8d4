"""The house: floors, public names, documents that cannot drift."""

from __future__ import annotations

import ast
import inspect
import re
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

import fastlaunch_nb as fl
from tests.helpers import browser

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "fastlaunch_nb"


# --- floors ---------------------------------------------------------------------------


def floors() -> dict[str, tuple[int, set[str]]]:
    """Return module -> floor and the modules it may import, from CONTRIBUTING's table."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d) \| `(\w+)/?` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    return {
        name: (int(floor), set(re.findall(r"`(\w+)`", allowed))) for floor, name, allowed in rows
    }


def imported(file: Path) -> set[str]:
    """Return the modules of ours that a file imports anywhere: at its top, late, for types."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            package = f"{'.' * node.level}{node.module or ''}"
            names = [f"{package}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [f"{alias.name}." for alias in node.names]
        else:
            continue
        found |= {name for name in names if name.startswith(".")}  # which are not in any row
        found |= {name.split(".")[1] for name in names if name.split(".")[0] == "fastlaunch_nb"}
    return found - {"__version__"}


def room(path: Path) -> str:
    """Return the room of a file: its module, or the folder it is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_only_downward(path: Path) -> None:
    """A file imports only rooms below its own, and of those only what its row allows."""
    table = floors()
    floor, allowed = table[room(path)]
    names = imported(path) - {room(path)}
    assert names - allowed == set(), "CONTRIBUTING.md does not let it import these, by full name"
    assert {name for name in names if table[name][0] >= floor} == set(), "Not below its own floor"


@pytest.mark.parametrize(
    ("upward", "expected"),
    [
        pytest.param(
            "def late():\n    from fastlaunch_nb import filter_panel", "filter_panel", id="late"
        ),
        pytest.param("from fastlaunch_nb.charts import timeline", "charts", id="of a room"),
        pytest.param("import fastlaunch_nb.charts", "charts", id="a room"),
        pytest.param("from . import filter_panel", "..filter_panel", id="relative"),
        pytest.param(
            "from .filter_panel import table", ".filter_panel.table", id="relative, of a room"
        ),
        pytest.param("import fastlaunch_nb as fl", "", id="the public face"),
        pytest.param("from fastlaunch_nb import describe", "describe", id="of the public face"),
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, upward: str, expected: str) -> None:
    """The test above sees every way to import something that stands above."""
    file = tmp_path / "schema.py"
    file.write_text(f"import json\n{upward}\n")
    assert imported(file) - floors()["schema"][1] == {expected}


def test_the_floor_table_is_complete() -> None:
    """CONTRIBUTING's table lists every room, and no room that is not there."""
    assert set(floors()) == {room(path) for path in FILES}


@pytest.mark.parametrize(
    "path",
    [*FILES, PACKAGE / "__init__.py", *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_file_says_what_it_owns(path: Path) -> None:
    """Each file opens with a docstring, and stays below 600 lines."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert len(path.read_text().splitlines()) <= 600


def test_only_aws_knows_boto3() -> None:
    """boto3 and botocore are imported in one place, but for the names of types."""
    types = re.compile(r"if TYPE_CHECKING:\n(    .*\n|\n)+")
    code = {path: types.sub("", path.read_text()) for path in FILES}
    importing = [
        path for path in FILES if re.search(r"^\s*(import|from) boto", code[path], re.MULTILINE)
    ]
    assert {room(path) for path in importing} == {"aws"}, importing


def test_tests_reach_this_machine_only() -> None:
    """A test that tried to reach anything beyond loopback would fail at once."""
    with (
        socket.socket() as new,
        warnings.catch_warnings(action="ignore"),
        pytest.raises(SocketConnectBlockedError, match=r"192\.0\.2\.1"),
    ):
        new.connect(("192.0.2.1", 443))


def test_warnings_are_given_in_one_place() -> None:
    """Only errors.warn knows which line a warning is about: that of the caller."""
    giving = [path.name for path in FILES if "warnings.warn(" in path.read_text()]
    assert giving == ["errors.py"]


# --- the public face ------------------------------------------------------------------

PUBLIC = [
    "FastLaunchError",
    "FastLaunchWarning",
    "Filters",
    "History",
    "InputError",
    "MissingExtraError",
    "Pool",
    "Prices",
    "RULES",
    "ReadError",
    "Rule",
    "SetupError",
    "SourceError",
    "StoreError",
    "Sweep",
    "SweepError",
    "Target",
    "alt_text",
    "capacity",
    "demo",
    "describe",
    "embed",
    "enrich",
    "findings",
    "fleet_map",
    "from_events",
    "from_pages",
    "intervals",
    "metrics",
    "panel",
    "right_size",
    "sizing_curve",
    "snapshots",
    "state_mix",
    "sweep",
    "targets",
    "text",
    "timeline",
]


def test_public_names() -> None:
    """The exported names are exactly these, sorted, and all of them are there."""
    assert fl.__all__ == PUBLIC
    assert set(PUBLIC) < set(dir(fl))
    for name in PUBLIC:
        assert name.isupper() or getattr(fl, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        fl.sweeep  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    """Every public name has a docstring; a function's has parameters, returns and an example."""
    parts = ("Parameters", "Returns", "Raises", "Examples") if name.islower() else ()
    assert inspect.isfunction(getattr(fl, name)) == name.islower()
    doc = inspect.getdoc(getattr(fl, name)) or ""
    assert doc
    assert [part for part in parts if f"{part}\n---" not in doc] == []


def printed(script: str) -> str:
    """Return what a new interpreter prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_room_is_named_like_a_public_function() -> None:
    """A child of the package never stands in the way of a public name."""
    assert {room(path) for path in FILES} & set(PUBLIC) == set()


def test_every_module_can_be_imported_by_its_name() -> None:
    """``import fastlaunch_nb.room.module as m`` works for each module, and gives the module."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES]
    modules = [name.removesuffix(".__init__") for name in names if "__main__" not in name]
    script = "\n".join(
        f"import {name} as m; assert m.__name__ == {name!r}, {name!r}" for name in modules
    )
    assert printed(script) == ""


def test_importing_it_loads_nothing_heavy() -> None:
    """The import loads neither pandas, boto3, plotly, ipywidgets nor moto."""
    script = "import sys, fastlaunch_nb; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = printed(script).split()
    assert "fastlaunch_nb" in loaded
    assert not {"pandas", "boto3", "plotly", "ipywidgets", "moto"} & set(loaded)


# --- the browser ----------------------------------------------------------------------


@pytest.fixture
def chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Chromium on PATH; nothing says which browser to take."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    (tmp_path / "chromium").touch(mode=0o755)
    return tmp_path / "chromium"


def test_a_headless_shell_comes_before_windows(chromium: Path) -> None:
    """Of two browsers that are there the one without windows is taken: it needs less time."""
    shell = chromium.with_name("chromium-headless-shell")
    shell.touch(mode=0o755)
    assert browser.find() == str(shell)


def test_browser_path_comes_first(chromium: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser that BROWSER_PATH names is taken, if it is one; else one that is on PATH."""
    mine = chromium.with_name("mine")
    mine.touch(mode=0o755)
    assert browser.find() == str(chromium)
    monkeypatch.setenv("BROWSER_PATH", str(mine))
    assert browser.find() == str(mine)
    monkeypatch.setenv("BROWSER_PATH", str(mine.with_name("gone")))
    assert browser.find() == str(chromium)


def test_the_tests_tell_kaleido_their_browser(chromium: Path) -> None:
    """Whoever starts pytest, with or without make, has Kaleido draw with the tests' browser."""
    assert printed("import os, tests.conftest; print(os.environ['BROWSER_PATH'])") == str(chromium)


@pytest.mark.parametrize("target", ["test", "notebooks", "pictures"])
def test_make_tells_kaleido_the_browser(target: str) -> None:
    """Whatever draws pictures gets the browser that make setup-browser found, wherever it is."""
    command = ["make", target, "--dry-run", "--always-make", "--no-print-directory"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m tests.helpers.browser" in planned
    assert planned.strip().splitlines()[-1].startswith('BROWSER_PATH="$(')


# --- documents ------------------------------------------------------------------------


def test_links_lead_somewhere() -> None:
    """Every link and picture of a document is a file that is there."""
    documents = sorted(ROOT.glob("*.md"))
    links = [
        (document.name, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)[)#]", document.read_text())
    ]
    assert ("README.md", "pictures/panel.png") in links
    assert [(name, target) for name, target in links if not (ROOT / target).is_file()] == []


def test_changelog_knows_this_version() -> None:
    """CHANGELOG has a section of the version that is here."""
    assert f"## {fl.__version__}" in (ROOT / "CHANGELOG.md").read_text()
