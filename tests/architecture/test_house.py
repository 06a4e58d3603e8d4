"""Architecture: floors and imports, public names, the tests' browser, links of documents."""

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


def read_floors() -> dict[str, tuple[int, set[str]]]:
    """Return the floor of each room, and the rooms it may import, from CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d) \| `(\w+)/?` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    return {
        name: (int(floor), set(re.findall(r"`(\w+)`", allowed))) for floor, name, allowed in rows
    }


def list_imports(file: Path) -> set[str]:
    """Return the rooms that a file imports anywhere: at its top, in functions, for types."""
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            package = f"{'.' * node.level}{node.module or ''}"
            names = [f"{package}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [f"{alias.name}." for alias in node.names]
        else:
            continue
        rooms |= {name for name in names if name.startswith(".")}  # in no row of the table
        rooms |= {name.split(".")[1] for name in names if name.split(".")[0] == "fastlaunch_nb"}
    return rooms - {"__version__"}


def get_room(path: Path) -> str:
    """Return the room of a file: its folder, or its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_only_downward(path: Path) -> None:
    """A file imports only rooms on lower floors, and only those that its row allows."""
    table = read_floors()
    floor, allowed = table[get_room(path)]
    rooms = list_imports(path) - {get_room(path)}
    assert rooms - allowed == set(), "CONTRIBUTING.md does not let it import these, by full name"
    assert {name for name in rooms if table[name][0] >= floor} == set(), "Not on a lower floor"


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
        pytest.param("import fastlaunch_nb as fl", "", id="the package"),
        pytest.param("from fastlaunch_nb import describe", "describe", id="of the package"),
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, upward: str, expected: str) -> None:
    """The test above finds every kind of import of a higher floor."""
    file = tmp_path / "schema.py"
    file.write_text(f"import json\n{upward}\n")
    assert list_imports(file) - read_floors()["schema"][1] == {expected}


def test_the_floor_table_is_complete() -> None:
    """The table in CONTRIBUTING.md lists every room, and no other."""
    assert set(read_floors()) == {get_room(path) for path in FILES}


@pytest.mark.parametrize(
    "path",
    [*FILES, PACKAGE / "__init__.py", *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_file_has_a_docstring(path: Path) -> None:
    """Each file begins with a docstring, and has at most 600 lines."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert len(path.read_text().splitlines()) <= 600


def test_only_aws_imports_boto3() -> None:
    """Only one room imports boto3 and botocore, except for types."""
    types = re.compile(r"if TYPE_CHECKING:\n(    .*\n|\n)+")
    code = {path: types.sub("", path.read_text()) for path in FILES}
    importing = [
        path for path in FILES if re.search(r"^\s*(import|from) boto", code[path], re.MULTILINE)
    ]
    assert {get_room(path) for path in importing} == {"aws"}, importing


def test_tests_reach_this_machine_only() -> None:
    """A test that connects to another machine fails at once."""
    with (
        socket.socket() as new,
        warnings.catch_warnings(action="ignore"),
        pytest.raises(SocketConnectBlockedError, match=r"192\.0\.2\.1"),
    ):
        new.connect(("192.0.2.1", 443))


def test_one_module_issues_warnings() -> None:
    """Only errors.warn issues warnings, because it finds the line of the caller."""
    names = [path.name for path in FILES if "warnings.warn(" in path.read_text()]
    assert names == ["errors.py"]


# --- public names ---------------------------------------------------------------------

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
    """The package exports exactly these names, sorted, and each of them exists."""
    assert fl.__all__ == PUBLIC
    assert set(PUBLIC) < set(dir(fl))
    for name in PUBLIC:
        assert name.isupper() or getattr(fl, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        fl.sweeep  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    """Every public name has a docstring; a function's has all sections."""
    sections = ("Parameters", "Returns", "Raises", "Examples") if name.islower() else ()
    assert inspect.isfunction(getattr(fl, name)) == name.islower()
    doc = inspect.getdoc(getattr(fl, name)) or ""
    assert doc
    assert [section for section in sections if f"{section}\n---" not in doc] == []


def run_python(script: str) -> str:
    """Return the output of a script in a new interpreter."""
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_no_room_is_named_like_a_public_function() -> None:
    """No module or subpackage has the name of a public function."""
    assert {get_room(path) for path in FILES} & set(PUBLIC) == set()


def test_every_module_can_be_imported_by_its_name() -> None:
    """``import fastlaunch_nb.room.module as m`` imports each module."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES]
    modules = [name.removesuffix(".__init__") for name in names if "__main__" not in name]
    script = "\n".join(
        f"import {name} as m; assert m.__name__ == {name!r}, {name!r}" for name in modules
    )
    assert run_python(script) == ""


def test_the_import_loads_nothing_heavy() -> None:
    """Importing the package does not load pandas, boto3, plotly, ipywidgets or moto."""
    script = "import sys, fastlaunch_nb; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = run_python(script).split()
    assert "fastlaunch_nb" in loaded
    assert not {"pandas", "boto3", "plotly", "ipywidgets", "moto"} & set(loaded)


# --- the browser ----------------------------------------------------------------------


@pytest.fixture
def chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Chromium on PATH, without BROWSER_PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    (tmp_path / "chromium").touch(mode=0o755)
    return tmp_path / "chromium"


def test_a_headless_shell_comes_first(chromium: Path) -> None:
    """A browser without windows is preferred, because it needs less time."""
    shell = chromium.with_name("chromium-headless-shell")
    shell.touch(mode=0o755)
    assert browser.find() == str(shell)


def test_browser_path_comes_first(chromium: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BROWSER_PATH sets the browser if it is a file; else it is one on PATH."""
    mine = chromium.with_name("mine")
    mine.touch(mode=0o755)
    assert browser.find() == str(chromium)
    monkeypatch.setenv("BROWSER_PATH", str(mine))
    assert browser.find() == str(mine)
    monkeypatch.setenv("BROWSER_PATH", str(mine.with_name("gone")))
    assert browser.find() == str(chromium)


def test_kaleido_uses_the_tests_browser(chromium: Path) -> None:
    """Kaleido draws with the tests' browser, also if pytest runs without make."""
    assert run_python("import os, tests.conftest; print(os.environ['BROWSER_PATH'])") == str(
        chromium
    )


@pytest.mark.parametrize("target", ["test", "notebooks", "pictures"])
def test_make_sets_the_browser_of_kaleido(target: str) -> None:
    """Every target that draws pictures uses the browser that make setup-browser found."""
    command = ["make", target, "--dry-run", "--always-make", "--no-print-directory"]
    commands = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m tests.helpers.browser" in commands
    assert commands.strip().splitlines()[-1].startswith('BROWSER_PATH="$(')


# --- documents ------------------------------------------------------------------------


def test_links_lead_to_files() -> None:
    """Every relative link and picture of a document is an existing file."""
    documents = sorted(ROOT.glob("*.md"))
    links = [
        (document.name, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)[)#]", document.read_text())
    ]
    assert ("README.md", "pictures/panel.png") in links
    assert [(name, target) for name, target in links if not (ROOT / target).is_file()] == []


def test_the_changelog_has_this_version() -> None:
    """CHANGELOG.md has a section for the current version."""
    assert f"## {fl.__version__}" in (ROOT / "CHANGELOG.md").read_text()
