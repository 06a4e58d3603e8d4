"""Layers: imports point down only, without circles, and packages export nothing."""

from __future__ import annotations

import ast
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.cases import some
from tests.helpers.samples import ROOT

PACKAGE = ROOT / "fastlaunch_nb"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def read_layers() -> dict[str, tuple[int, set[str]]]:
    """Return room -> its layer and the rooms that it may import, from docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)/?` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    return {
        room: (int(layer), set(re.findall(r"`(\w+)`", allowed))) for layer, room, allowed in rows
    }


def room_of(path: Path) -> str:
    """Return the room of a file: its module, or the folder that it is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(file: Path) -> set[str]:
    """Return the full names that a file imports anywhere: at its top, late, or for types.

    A relative import keeps its dots, so that no row of the table allows it.
    """
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package = f"{'.' * node.level}{node.module or ''}"
            names |= {f"{package}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {f"{alias.name}." for alias in node.names}
    return {name for name in names if name.startswith((".", "fastlaunch_nb."))}


def imported_rooms(file: Path) -> set[str]:
    """Return the rooms that a file imports; relative imports by their dotted name."""
    names = imported_modules(file) - {"fastlaunch_nb.__version__"}
    return {name if name.startswith(".") else name.split(".")[1] for name in names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A file imports only rooms of lower layers, and of those only what its row allows."""
    layers = read_layers()
    layer, allowed = layers[room_of(path)]
    rooms = imported_rooms(path) - {room_of(path)}
    assert rooms - allowed == set(), "docs/architecture.md does not allow these imports"
    assert {room for room in rooms if layers[room][0] >= layer} == set(), "not of a lower layer"


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
        pytest.param("import fastlaunch_nb as fl", "", id="the public API"),
        pytest.param("from fastlaunch_nb import describe", "describe", id="of the public API"),
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, upward: str, expected: str) -> None:
    """The test above notices every way to import something of a higher layer."""
    file = tmp_path / "schema.py"
    file.write_text(f"import json\n{upward}\n")
    assert imported_rooms(file) - read_layers()["schema"][1] == {expected}


def test_the_table_of_layers_is_complete() -> None:
    """docs/architecture.md lists every room, and no room that does not exist."""
    assert set(read_layers()) == {room_of(path) for path in FILES}


def import_graph() -> dict[str, set[str]]:
    """Return module -> the modules that it imports, by full name."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}

    def find_module(name: str) -> str:
        return name.rstrip(".") if name.rstrip(".") in modules else name.rpartition(".")[0]

    return {
        module: {find_module(name) for name in imported_modules(path)} & set(modules)
        for module, path in modules.items()
    }


def test_no_modules_import_each_other() -> None:
    """There is no circle of imports, inside rooms either; late imports count."""
    graph = import_graph()
    assert sum(map(len, graph.values())) > len(graph), "the graph should have edges"
    TopologicalSorter(graph).prepare()


def test_a_circle_is_found() -> None:
    """The sorter of the test above refuses modules that import each other."""
    with pytest.raises(CycleError, match="in a cycle"):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


@pytest.mark.parametrize(
    "path", some(PACKAGE.rglob("__init__.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_packages_export_nothing(path: Path) -> None:
    """A package has a docstring and no names: each is imported from the module that defines it."""
    body = ast.parse(path.read_text("utf-8")).body
    assert path.parent == PACKAGE or [type(node) for node in body] == [ast.Expr]


def test_no_file_name_stands_twice() -> None:
    """A module's name means one thing in the whole package."""
    counts = Counter(path.stem for path in FILES if not path.stem.startswith("__"))
    assert [name for name, count in counts.items() if count > 1] == []


def test_only_aws_imports_boto3() -> None:
    """boto3 and botocore are imported in one room, except for the names of types."""
    types = re.compile(r"if TYPE_CHECKING:\n(    .*\n|\n)+")
    code = {path: types.sub("", path.read_text("utf-8")) for path in FILES}
    importing = [
        path for path in FILES if re.search(r"^\s*(import|from) boto", code[path], re.MULTILINE)
    ]
    assert {room_of(path) for path in importing} == {"aws"}, importing


def test_warnings_are_raised_in_one_place() -> None:
    """Only errors.warn calls warnings.warn: it finds the line of the caller."""
    raising = [path.name for path in FILES if "warnings.warn(" in path.read_text("utf-8")]
    assert raising == ["errors.py"]


@pytest.mark.parametrize(
    "path",
    [*FILES, PACKAGE / "__init__.py", *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_file_has_a_docstring(path: Path) -> None:
    """Each file begins with a docstring, and has at most 600 lines."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert len(path.read_text().splitlines()) <= 600


# --- tests ----------------------------------------------------------------------------

TESTS = ROOT / "tests"
MIRRORS = [
    path for path in sorted(TESTS.rglob("test_*.py")) if (PACKAGE / path.parent.name).is_dir()
]
OF_A_ROOM = {"emulator/test_other_clients.py"}
"""Tests of a whole room."""


@pytest.mark.parametrize("path", MIRRORS, ids=lambda path: str(path.relative_to(TESTS)))
def test_tests_have_the_names_of_modules(path: Path) -> None:
    """``tests/room/test_module.py``, or one with an aspect appended, tests ``room/module.py``."""
    modules = [module.stem for module in (PACKAGE / path.parent.name).glob("*.py")]
    is_mirror = any(f"{path.stem}_".startswith(f"test_{module}_") for module in modules)
    assert is_mirror or path.relative_to(TESTS).as_posix() in OF_A_ROOM


def test_each_room_has_tests() -> None:
    """Every room of the package has a folder of tests, or a file."""
    tested = {path.parent.name for path in MIRRORS} | {
        path.stem.removeprefix("test_") for path in TESTS.glob("test_*.py")
    }
    assert {room_of(path) for path in FILES} - tested == {"__main__"}
