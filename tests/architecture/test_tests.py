"""The tests themselves: each can fail, and says by its name and its message what broke."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest

from tests.helpers.cases import case_id

Test: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
TESTS = Path(__file__).parent.parent
FILES = sorted(TESTS.rglob("*.py"))
LOUD = {"raises", "warns", "fail", "wait_for", "expect", "expect_download"}
QUIET = {".wait"}  # of a process it fails, of an event it does not
CHANGES = {"append", "clear", "extend", "sort", "update"}
KEEPING = {"enumerate", "items", "keys", "list", "map", "range", "reversed", "set", "sorted"}
KEEPING |= {"values", "zip"}  # of something, each of these is something


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


def is_law(test: Test) -> bool:
    """Tell whether Hypothesis draws the cases of a test, of which some may be empty."""
    return any(called(mark) == "given" for mark in test.decorator_list)


def loud(tree: ast.Module, known: set[str]) -> set[str]:
    """Return the names of all that fails where something is wrong: asserts, and what has some.

    That of a method begins with a dot. What is known to fail need not be in this tree.
    """
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    methods = {method for node in classes for method in node.body}
    bodies = {"." * (it in methods) + it.name: it for it in functions(tree)}
    names = {*known}
    while more := {name for name, it in bodies.items() if asserts(it, names)} - names:
        names |= more
    return names - QUIET


def asserts(node: ast.AST, names: set[str]) -> bool:
    """Tell whether something is asserted in here."""
    return any(isinstance(it, ast.Assert) or is_loud(it, names) for it in ast.walk(node))


def is_loud(node: ast.AST, names: set[str]) -> bool:
    """Tell whether what is called fails where something is wrong."""
    dot = "." if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    name = called(node)
    return name in LOUD or f"{dot}{name}" in names or "assert_" in name


def is_some(node: ast.AST, known: dict[str, ast.AST]) -> bool:
    """Tell whether it is plain to see that there is at least one value in it."""
    match node:
        case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
            return any(not isinstance(it, ast.Starred) or is_some(it.value, known) for it in elts)
        case ast.Dict(keys=there) | ast.Constant(value=there):
            return bool(there)
        case ast.Name(id=name):
            return name.isupper() or is_some(known.get(name, ast.Tuple([])), {})
        case ast.ListComp(generators=[ast.comprehension(iter=source, ifs=[])]):
            return is_some(source, known)
        case ast.Call(func=func, args=arguments) if called(node) in KEEPING:
            return any(is_some(it, known) for it in (*arguments, getattr(func, "value", func)))
    return called(node) == "some" or getattr(node, "attr", "").isupper()


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
    nested = {it for inner in functions(test) if inner is not test for it in ast.walk(inner)}
    for node in ast.walk(test):
        if isinstance(node, ast.If):
            yield from faults_of_if(node, names, is_nested=node in nested)
        elif isinstance(node, ast.ExceptHandler):
            yield f"line {node.lineno}: takes an exception: use pytest.raises"
        elif isinstance(node, ast.With):
            yield from faults_of_with(node)
        elif isinstance(node, ast.For) and not is_law(test):
            if asserts(ast.Module(node.body, []), names) and not is_some(node.iter, known):
                yield f"line {node.lineno}: asserts in a loop over what may be empty: use some()"
        elif isinstance(node, ast.Assert):
            yield from faults_of_assert(node, known, law=is_law(test))


def faults_of_if(node: ast.If, names: set[str], *, is_nested: bool) -> Iterator[str]:
    """Yield why asserts below a condition may never run."""
    then, other = (asserts(ast.Module(part, []), names) for part in (node.body, node.orelse))
    if then and not other:
        yield f"line {node.lineno}: asserts under an if without an else that does"
    if not then and not is_nested and any(isinstance(it, ast.Return) for it in node.body):
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
        match it:
            case ast.Call(func=ast.Attribute(attr=name)) if name in CHANGES:
                yield f"line {node.lineno}: changes in an assert what it compares"
            case ast.Call(func=ast.Attribute(attr="all")) if not law:
                yield f"line {node.lineno}: .all() holds of no rows: compare a set or a list"
            case ast.Compare(left=left, comparators=others) if is_same(left, others):
                yield f"line {node.lineno}: compares something with itself"
            case (
                ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp() as part])
                | ast.UnaryOp(
                    op=ast.Not(),
                    operand=ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp() as part]),
                )
            ) if not law and not is_some(part.generators[0].iter, known):
                yield f"line {node.lineno}: holds of what may be empty: use some()"


def is_same(left: ast.expr, others: list[ast.expr]) -> bool:
    """Tell whether something is compared with itself, though nothing is called in between."""
    is_plain = not any(isinstance(part, ast.Call) for part in ast.walk(left))
    return is_plain and ast.dump(left) in map(ast.dump, others)


def faults_in(source: str, names: set[str]) -> list[str]:
    """Return what is wrong with the tests of a file."""
    tests = (it for it in functions(ast.parse(source)) if it.name.startswith("test_"))
    return [f"{test.name}: {fault}" for test in tests for fault in faults(test, names)]


PROGRAMS = {"pictures.py", "writers.py"}
HELPERS = ast.Module(
    [
        statement
        for path in FILES
        if not path.name.startswith("test_") and path.name not in PROGRAMS
        for statement in ast.parse(path.read_text()).body
    ],
    [],
)


@pytest.fixture(scope="module")
def loud_helpers() -> set[str]:
    """The names of all that fails where something is wrong, in the files that tests share."""
    return loud(HELPERS, LOUD)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_each_test_can_fail(path: Path, loud_helpers: set[str]) -> None:
    """No test is green whatever the code does: it asserts, on every way, about something."""
    source = path.read_text()
    found = faults_in(source, loud(ast.parse(source), loud_helpers))
    assert found == [], "\n".join(["These cannot fail:", *found])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("ask()", "asserts nothing"),
        ("if found: assert found == 1", "line 2: asserts under an if without an else that does"),
        ("if not found: return\nassert found == 1", "line 2: may end before it asserts"),
        ("try: ask()\nexcept ValueError: assert 1 == x", "line 3: takes an exception"),
        ("for row in rows: assert row == 1", "line 2: asserts in a loop over what may be empty"),
        ("with raises(E, match='x'):\n  ask()\n  ask()", "line 2: several statements may raise"),
        ("with raises(E): ask()", "line 2: raises without match"),
        ("assert x == x.update(y)", "line 2: changes in an assert what it compares"),
        ("assert x.y == x.y", "line 2: compares something with itself"),
        ("assert rows['a'].eq(1).all()", "line 2: .all() holds of no rows"),
        ("assert all(row for row in rows)", "line 2: holds of what may be empty"),
        ("assert not any(row for row in rows)", "line 2: holds of what may be empty"),
    ],
)
def test_a_test_that_cannot_fail_is_found(body: str, fault: str) -> None:
    """Each kind of such a test is found, once, with its line."""
    [found] = faults_in(wrapped(body), LOUD)
    assert found.startswith(f"test_it: {fault}")


@pytest.mark.parametrize(
    "body",
    [
        "assert ask() == 1",
        "expect(page).to_have_text('x')",
        "pd.testing.assert_frame_equal(one, other)",
        "if found: assert found == 1\nelse: assert other == 1",
        "for row in [1, *rows]: assert row == 1",
        "for row in some(rows): assert row == 1",
        "rows = {1: 2}\nfor row in rows.items(): assert row == 1",
        "with raises(E) as caught: ask()\nassert caught.value.code == 1",
        "assert told(5) == told(5)",
        "assert any(row for row in rows)",
        "assert all(row for row in ROWS)",
    ],
)
def test_a_test_that_can_fail_is_left_alone(body: str) -> None:
    """What proves something is no fault."""
    assert faults_in(wrapped(body), LOUD) == []


def test_pages_are_waited_for_where_there_are_many_parts() -> None:
    """Text of rows or chips is expected as a list: as a word, it fails while there are two."""
    at_once = re.compile(r"expect\(([\w.]*\.)?(rows|chips)\)\.to_(contain|have)_text\((?!\[)")
    assert [path.name for path in FILES if at_once.search(path.read_text())] == []


def wrapped(body: str) -> str:
    """Return a test with this body, which begins in its second line."""
    return "\n".join(["def test_it():", *(f"  {line}" for line in body.split("\n"))])


# --- what a failing one is called -----------------------------------------------------


class Odd:
    """Something whose repr has an address."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", None),
        (5, None),
        (len, None),
        (lambda: 5, "asked"),
        ("x" * 99, f"{'x' * 40}...{'x' * 17}"),
        ({"warm": 0, "days": [1]}, "warm=0, days=[1]"),
        ({"b", "a"}, "{'a', 'b'}"),
        ({}, "{}"),
        (b"\x1f\x8b", "2 bytes"),
        (Odd(), "Odd"),
        (pd.DataFrame({"a": [1]}), "DataFrame"),
        ([len, None], "[len, None]"),
    ],
    ids=["text", "number", "function", "lambda", "long text", "dict", "set", "empty dict", "bytes",
         "object", "frame", "list"],
)  # fmt: skip
def test_a_case_has_a_name(value: object, expected: str | None) -> None:
    """A case is called by its value, the same in each process; where pytest can, by pytest."""
    assert case_id(value, "asked") == expected


def test_no_case_is_only_a_number(request: pytest.FixtureRequest) -> None:
    """Of all tests that are collected now no case is called ``wrong0``, and none is too long."""
    cases = [item for item in request.session.items if isinstance(item, pytest.Function)]
    named = {item.callspec.id: item.callspec.params for item in cases if hasattr(item, "callspec")}
    unnamed = [
        case
        for case, params in named.items()
        if re.search(rf"(^|-)({'|'.join(map(re.escape, params))})\d+(-|$)", case)
    ]
    assert unnamed == []
    assert [case for case in named if len(case) > 200] == []
