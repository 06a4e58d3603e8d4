"""Words: names and texts in the field's own words, in plain English."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from tests.helpers.cases import some
from tests.helpers.samples import ROOT

PACKAGE = ROOT / "fastlaunch_nb"
FILES = sorted(PACKAGE.rglob("*.py"))
CODE = [
    *FILES,
    *(path for name in ("tests", "benchmarks") for path in sorted((ROOT / name).rglob("*.py"))),
]
CODE.remove(Path(__file__))  # it has to name the words
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "binder").glob("*.md")]
NOT_IN_PROSE = frozenset(
    ["asked", "asks", "beside", "brought", "lest", "reckon", "reckoned", "said", "tells", "told"]
)
"""Words that named a dozen things each. A sentence has a better one."""
NOT_IN_NAMES = NOT_IN_PROSE | {"held", "kept", "says", "shown", "whose"}
"""Words that name nothing: a function is a verb and a noun, a variable is what it holds."""
IRREGULAR = re.compile(
    "asked|brought|built|cut|done|drawn|found|given|gone|held|kept|known|left|lost|made|meant|"
    "said|seen|sent|shown|spelt|spent|taken|told|written"
)
NO_PARTICIPLE = frozenset(["cut", "embed", "feed", "put", "read", "seed", "set"])
RIDDLE = re.compile(r"(What|Which|Whose|How|Whether|That|Where|Who)\b")


class Definition(NamedTuple):
    """A function or class of the package, with the first line of its docstring."""

    path: Path
    name: str
    summary: str
    is_function: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE).as_posix()}: {self.name}: {self.summary}"


def find_definitions() -> Iterator[Definition]:
    """Yield every module, class and function of the package."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                summary = (ast.get_docstring(node) or "").partition("\n")[0]
                is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                yield Definition(path, getattr(node, "name", "<module>"), summary, is_function)


def find_names(source: str) -> set[str]:
    """Return the names that a file gives: functions, classes, arguments, variables, attributes."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def split_words(name: str) -> list[str]:
    """Return the words of a name, in lower case.

    Examples
    --------
    >>> split_words("_AskedOnce_twice")
    ['asked', 'once', 'twice']
    """
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]


def find_prose(source: str) -> str:
    """Return the docstrings and comments of a file, without the code in them."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return re.sub(r"`+[^`]*`+", "", "\n".join([*comments, *strings]))


# --- names ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_have_no_private_words(path: Path) -> None:
    """A name says what it holds or does, in words that every reader knows.

    The name of a test is a sentence, and `asked_at` a column that a coverage may have.
    """
    names = find_names(path.read_text("utf-8")) - {"asked_at"}
    private = {name for name in names if NOT_IN_NAMES & set(split_words(name))}
    assert [name for name in sorted(private) if not name.startswith("test_")] == []


def begins_with_participle(name: str) -> bool:
    """Return whether the first word of a name is a past participle."""
    first, *_ = [*split_words(name), ""]
    is_regular = len(first) > 3 and first.endswith("ed")
    return first not in NO_PARTICIPLE and (bool(IRREGULAR.fullmatch(first)) or is_regular)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_told", True),
        ("merged_rows", True),
        ("merge", False),
        ("read_file", False),
        ("red", False),
    ],
)
def test_a_participle_is_found(name: str, expected: bool) -> None:
    """The test below knows names such as `told` and `merged_rows`."""
    assert begins_with_participle(name) is expected


def test_functions_are_verbs() -> None:
    """At most 2 of 100 functions begin with a past participle."""
    functions = [definition for definition in find_definitions() if definition.is_function]
    participles = [str(f) for f in functions if begins_with_participle(f.name)]
    assert len(participles) <= len(functions) / 50, participles


# --- sentences ------------------------------------------------------------------------


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_has_no_private_words(path: Path) -> None:
    """Docstrings and comments have none of the words that only this project used."""
    words = set(re.findall(r"[a-z]+", find_prose(path.read_text("utf-8")).lower()))
    assert sorted(words & NOT_IN_PROSE) == []


def test_summaries_are_no_riddles() -> None:
    """No docstring begins with What, Which, Whose, How, Whether, That, Where or Who."""
    definitions = some(find_definitions())
    assert [str(found) for found in definitions if RIDDLE.match(found.summary)] == []


def notebook_text(path: Path) -> str:
    """Return the cells of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    return "\n".join(cell.source for cell in notebook.cells)


TEXTS = {
    **{path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS},
    **{
        path.relative_to(ROOT).as_posix(): notebook_text(path)
        for path in ROOT.glob("notebooks/*.ipynb")
    },
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_documents_have_no_private_words(text: str) -> None:
    """README, docs and notebooks have none of these words either."""
    assert sorted(NOT_IN_PROSE & set(re.findall(r"[a-z]+", text.lower()))) == []


# --- spelling -------------------------------------------------------------------------


def test_words_are_spelled_right(tmp_path: Path) -> None:
    """codespell knows no better spelling for any word of code, tests or documents."""
    for name, text in TEXTS.items():
        (tmp_path / name.replace("/", "-")).write_text(text, "utf-8")
    folders = ["fastlaunch_nb", "tests", "benchmarks", "Makefile", "pyproject.toml"]
    command = [sys.executable, "-m", "codespell_lib", *folders, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_wrong_spelling_is_found(tmp_path: Path) -> None:
    """codespell fails for a word that it knows as misspelled."""
    file = tmp_path / "wrong.md"
    file.write_text("teh end")  # codespell:ignore
    command = [sys.executable, "-m", "codespell_lib", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "teh ==> the" in done.stdout  # codespell:ignore


def test_nothing_outside_is_cited() -> None:
    """The repository speaks of itself alone: no file names one that is not in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    outside = "../" + "shared"
    names = [
        name
        for name in some(listed.split("\0"))
        if name.endswith((".py", ".md", ".toml", ".ipynb", ".js", ".css", "Makefile"))
    ]
    citing = [name for name in names if outside in (ROOT / name).read_text("utf-8")]
    assert citing == []
