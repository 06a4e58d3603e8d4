"""The tests themselves: each can fail, and says by its name and its message what broke."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest

from .cases import case_id, some

Test: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
FILES = sorted(Path(__file__).parent.glob("*.py"))
LOUD = {"raises", "warns", "fail", "wait_for", "expect", "expect_download"}
CHANGES = {"append", "clear", "extend", "sort", "update"}
KEEPING = {
    "enumerate",
    "zip",
    "sorted",
    "reversed",
    "list",
    "set",
    "map",
    "items",
    "values",
    "keys",
}


# --- what Python says of a test -------------------------------------------------------


def called(node: ast.AST) -> str:
    """Return the last part of the name of what is called, or nothing."""
    if not isinstance(node, ast.Call):
        return ""
    return ast.unparse(node.func).split(".")[-1].split("(")[0]


def functions(tree: ast.AST) -> Iterator[Test]:
    """Yield all functions and methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def tests_of(path: Path) -> Iterator[Test]:
    """Yield the tests of a file."""
    yield from (it for it in functions(ast.parse(path.read_text())) if it.name.startswith("test_"))


def is_law(test: Test) -> bool:
    """Tell whether Hypothesis draws the cases of a test, of which some may be empty."""
    return any(called(mark) == "given" for mark in test.decorator_list)


def loud(trees: list[ast.Module]) -> set[str]:
    """Return the names of all that fails where something is wrong: asserts, and what has some."""
    bodies = {it.name: it for tree in trees for it in functions(tree)}
    names = {*LOUD}
    while True:
        more = {name for name, it in bodies.items() if asserts(it, names)} - names
        if not more:
            return names
        names |= more


def asserts(node: ast.AST, names: set[str]) -> bool:
    """Tell whether something is asserted in here."""
    return any(
        isinstance(it, ast.Assert)
        or (isinstance(it, ast.Call) and (called(it) in names or "assert_" in called(it)))
        for it in ast.walk(node)
    )


def is_some(node: ast.AST, known: dict[str, ast.AST]) -> bool:
    """Tell whether it is plain to see that there is at least one value in it."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(not isinstance(it, ast.Starred) or is_some(it.value, known) for it in node.elts)
    if isinstance(node, ast.Dict):
        return bool(node.keys)
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Name):
        return node.id.isupper() or (node.id in known and is_some(known[node.id], {}))
    if isinstance(node, ast.Attribute):
        return node.attr.isupper()
    if isinstance(node, ast.Call) and called(node) in KEEPING:
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return any(is_some(it, known) for it in (*node.args, *owner))
    if called(node) == "range" and isinstance(node, ast.Call):
        return all(is_some(it, known) for it in node.args[:1])
    return called(node) == "some"


def assigned(test: Test) -> dict[str, ast.AST]:
    """Return what each name of a test stands for, where that is said once."""
    known: dict[str, ast.AST] = {}
    for node in ast.walk(test):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = node.value
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            known[node.target.id] = node.value
    return known


# --- what is wrong with one -----------------------------------------------------------


def faults(test: Test, names: set[str]) -> Iterator[str]:
    """Yield why a test may be green whatever the code does."""
    if not asserts(test, names):
        yield "asserts nothing"
    known = assigned(test)
    for node in ast.walk(test):
        if isinstance(node, ast.If):
            yield from faults_of_if(node, names)
        elif isinstance(node, ast.ExceptHandler):
            yield f"line {node.lineno}: takes an exception: use pytest.raises"
        elif isinstance(node, ast.With):
            yield from faults_of_with(node)
        elif isinstance(node, ast.For) and not is_law(test):
            if asserts(ast.Module(node.body, []), names) and not is_some(node.iter, known):
                yield f"line {node.lineno}: asserts in a loop over what may be empty: use some()"
        elif isinstance(node, ast.Assert):
            yield from faults_of_assert(node, known, law=is_law(test))


def faults_of_if(node: ast.If, names: set[str]) -> Iterator[str]:
    """Yield why asserts below a condition may never run."""
    then, other = (asserts(ast.Module(part, []), names) for part in (node.body, node.orelse))
    if then and not other:
        yield f"line {node.lineno}: asserts under an if without an else that does"
    if not then and any(isinstance(it, ast.Return) for it in node.body):
        yield f"line {node.lineno}: may end before it asserts"


def faults_of_with(node: ast.With) -> Iterator[str]:
    """Yield why an expected exception may be another one."""
    for item in node.items:
        call = item.context_expr
        if called(call) == "raises" and isinstance(call, ast.Call):
            if len(node.body) > 1:
                yield f"line {node.lineno}: several statements may raise it"
            if not item.optional_vars and "match" not in {it.arg for it in call.keywords}:
                yield f"line {node.lineno}: raises without match: which error was it?"


def faults_of_assert(node: ast.Assert, known: dict[str, ast.AST], *, law: bool) -> Iterator[str]:
    """Yield why an assert holds of nothing, or of anything."""
    for it in ast.walk(node.test):
        if (
            called(it) in CHANGES
            and isinstance(it, ast.Call)
            and isinstance(it.func, ast.Attribute)
        ):
            yield f"line {node.lineno}: changes in an assert what it compares"
        if isinstance(it, ast.Compare) and ast.dump(it.left) in map(ast.dump, it.comparators):
            if not any(isinstance(part, ast.Call) for part in ast.walk(it.left)):
                yield f"line {node.lineno}: compares something with itself"
        if law:
            continue
        if called(it) == "all" and isinstance(it, ast.Call) and isinstance(it.func, ast.Attribute):
            yield f"line {node.lineno}: .all() holds of no rows: compare a set or a list"
        if called(it) in ("all", "any") and isinstance(it, ast.Call) and it.args:
            part = it.args[0]
            if isinstance(part, ast.GeneratorExp) and not is_some(part.generators[0].iter, known):
                if called(it) == "all" or isinstance(node.test, ast.UnaryOp):
                    yield f"line {node.lineno}: holds of what may be empty: use some()"


NAMES = loud([ast.parse(path.read_text()) for path in FILES])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_test_can_fail(path: Path) -> None:
    """No test is green whatever the code does: it asserts, unconditionally, about something."""
    wrong = [f"{it.name}: {fault}" for it in tests_of(path) for fault in faults(it, NAMES)]
    assert wrong == [], "\n".join([path.name, *wrong])
