"""Tests: each can fail, and its cases have readable ids."""

from __future__ import annotations

import ast
import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest
from pytest_socket import SocketConnectBlockedError

from tests.helpers.cases import case_id

Test: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
TESTS = Path(__file__).parent.parent
FILES = sorted(TESTS.rglob("*.py"))
LOUD = {"raises", "warns", "fail", "wait_for", "expect", "expect_download"}
QUIET = {".wait"}  # fails for a process, but not for an event
CHANGES = {"append", "clear", "extend", "sort", "update"}
PRESERVING = {"enumerate", "items", "keys", "list", "map", "range", "reversed", "set", "sorted"}
PRESERVING |= {"values", "zip"}  # not empty if an argument is not empty


# --- syntax of tests ------------------------------------------------------------------


def get_call_name(node: ast.AST) -> str:
    """Return the last part of a called name, or an empty string."""
    if not isinstance(node, ast.Call):
        return ""
    return ast.unparse(node.func).split(".")[-1].split("(")[0]


def iter_functions(tree: ast.AST) -> Iterator[Test]:
    """Yield all functions and methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_law(test: Test) -> bool:
    """Return whether Hypothesis draws the cases of a test, which may be empty."""
    return any(get_call_name(mark) == "given" for mark in test.decorator_list)


def find_loud_names(tree: ast.Module, known: set[str]) -> set[str]:
    """Return the names of functions that can fail: those with asserts, and their callers.

    The name of a method begins with a dot. `known` names functions outside this tree.
    """
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    methods = {method for node in classes for method in node.body}
    bodies = {"." * (it in methods) + it.name: it for it in iter_functions(tree)}
    names = {*known}
    while more := {name for name, it in bodies.items() if asserts(it, names)} - names:
        names |= more
    return names - QUIET


def asserts(node: ast.AST, names: set[str]) -> bool:
    """Return whether a node contains an assert."""
    return any(isinstance(it, ast.Assert) or is_loud(it, names) for it in ast.walk(node))


def is_loud(node: ast.AST, names: set[str]) -> bool:
    """Return whether a node calls a function that can fail."""
    dot = "." if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    name = get_call_name(node)
    return name in LOUD or f"{dot}{name}" in names or "assert_" in name


def is_some(node: ast.AST, known: dict[str, ast.AST]) -> bool:
    """Return whether an expression evidently has at least one value."""
    match node:
        case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
            return any(not isinstance(it, ast.Starred) or is_some(it.value, known) for it in elts)
        case ast.Dict(keys=value) | ast.Constant(value=value):
            return bool(value)
        case ast.Name(id=name):
            return name.isupper() or is_some(known.get(name, ast.Tuple([])), {})
        case ast.ListComp(generators=[ast.comprehension(iter=source, ifs=[])]):
            return is_some(source, known)
        case ast.Call(func=func, args=arguments) if get_call_name(node) in PRESERVING:
            return any(is_some(it, known) for it in (*arguments, getattr(func, "value", func)))
    return get_call_name(node) == "some" or getattr(node, "attr", "").isupper()


def get_assignments(test: Test) -> dict[str, ast.AST]:
    """Return the assigned expression of each name in a test."""
    known: dict[str, ast.AST] = {}
    for node in ast.walk(test):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = node.value
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            known[node.target.id] = node.value
    return known


# --- faults of tests ------------------------------------------------------------------


def find_faults(test: Test, names: set[str]) -> Iterator[str]:
    """Yield the reasons why a test may pass whatever the code does."""
    if not asserts(test, names):
        yield "asserts nothing"
    known = get_assignments(test)
    nested = {it for inner in iter_functions(test) if inner is not test for it in ast.walk(inner)}
    for node in ast.walk(test):
        if isinstance(node, ast.If):
            yield from find_faults_of_if(node, names, is_nested=node in nested)
        elif isinstance(node, ast.ExceptHandler):
            yield f"line {node.lineno}: catches an exception: use pytest.raises"
        elif isinstance(node, ast.With):
            yield from find_faults_of_with(node)
        elif isinstance(node, ast.For) and not is_law(test):
            if asserts(ast.Module(node.body, []), names) and not is_some(node.iter, known):
                yield f"line {node.lineno}: asserts in a loop that may be empty: use some()"
        elif isinstance(node, ast.Assert):
            yield from find_faults_of_assert(node, known, law=is_law(test))


def find_faults_of_if(node: ast.If, names: set[str], *, is_nested: bool) -> Iterator[str]:
    """Yield the reasons why asserts under a condition may never run."""
    then, other = (asserts(ast.Module(part, []), names) for part in (node.body, node.orelse))
    if then and not other:
        yield f"line {node.lineno}: asserts under an if without an else that does"
    if not then and not is_nested and any(isinstance(it, ast.Return) for it in node.body):
        yield f"line {node.lineno}: may end before it asserts"


def find_faults_of_with(node: ast.With) -> Iterator[str]:
    """Yield the reasons why an expected exception may be another one."""
    for item in node.items:
        call = item.context_expr
        if get_call_name(call) == "raises" and isinstance(call, ast.Call):
            if len(node.body) > 1:
                yield f"line {node.lineno}: several statements may raise it"
            if not item.optional_vars and "match" not in {it.arg for it in call.keywords}:
                yield f"line {node.lineno}: raises without match: which error was it?"


def find_faults_of_assert(
    node: ast.Assert, known: dict[str, ast.AST], *, law: bool
) -> Iterator[str]:
    """Yield the reasons why an assert proves nothing."""
    for it in ast.walk(node.test):
        match it:
            case ast.Call(func=ast.Attribute(attr=name)) if name in CHANGES:
                yield f"line {node.lineno}: changes a compared value in an assert"
            case ast.Call(func=ast.Attribute(attr="all")) if not law:
                yield f"line {node.lineno}: .all() is true without rows: compare a set or a list"
            case ast.Compare(left=left, comparators=others) if is_same(left, others):
                yield f"line {node.lineno}: compares a value with itself"
            case (
                ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp() as part])
                | ast.UnaryOp(
                    op=ast.Not(),
                    operand=ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp() as part]),
                )
            ) if not law and not is_some(part.generators[0].iter, known):
                yield f"line {node.lineno}: is true of an empty iterable: use some()"


def is_same(left: ast.expr, others: list[ast.expr]) -> bool:
    """Return whether a value without calls is compared with itself."""
    is_plain = not any(isinstance(part, ast.Call) for part in ast.walk(left))
    return is_plain and ast.dump(left) in map(ast.dump, others)


def list_faults(source: str, names: set[str]) -> list[str]:
    """Return the faults of the tests in a file."""
    tests = (it for it in iter_functions(ast.parse(source)) if it.name.startswith("test_"))
    return [f"{test.name}: {fault}" for test in tests for fault in find_faults(test, names)]


PROGRAMS = {"pictures.py", "store_writers.py"}
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
    """The names of functions that can fail, in the files that tests share."""
    return find_loud_names(HELPERS, LOUD)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_each_test_can_fail(path: Path, loud_helpers: set[str]) -> None:
    """No test passes whatever the code does: every path asserts about at least one value."""
    source = path.read_text()
    found_faults = list_faults(source, find_loud_names(ast.parse(source), loud_helpers))
    assert found_faults == [], "\n".join(["These cannot fail:", *found_faults])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("call()", "asserts nothing"),
        ("if value: assert value == 1", "line 2: asserts under an if without an else that does"),
        ("if not value: return\nassert value == 1", "line 2: may end before it asserts"),
        ("try: call()\nexcept ValueError: assert 1 == x", "line 3: catches an exception"),
        ("for row in rows: assert row == 1", "line 2: asserts in a loop that may be empty"),
        ("with raises(E, match='x'):\n  call()\n  call()", "line 2: several statements may raise"),
        ("with raises(E): call()", "line 2: raises without match"),
        ("assert x == x.update(y)", "line 2: changes a compared value in an assert"),
        ("assert x.y == x.y", "line 2: compares a value with itself"),
        ("assert rows['a'].eq(1).all()", "line 2: .all() is true without rows"),
        ("assert all(row for row in rows)", "line 2: is true of an empty iterable"),
        ("assert not any(row for row in rows)", "line 2: is true of an empty iterable"),
    ],
)
def test_a_test_that_cannot_fail_is_found(body: str, fault: str) -> None:
    """Each kind of fault is found once, with its line."""
    [found_fault] = list_faults(make_test(body), LOUD)
    assert found_fault.startswith(f"test_it: {fault}")


@pytest.mark.parametrize(
    "body",
    [
        "assert call() == 1",
        "expect(page).to_have_text('x')",
        "pd.testing.assert_frame_equal(one, other)",
        "if value: assert value == 1\nelse: assert other == 1",
        "for row in [1, *rows]: assert row == 1",
        "for row in some(rows): assert row == 1",
        "rows = {1: 2}\nfor row in rows.items(): assert row == 1",
        "with raises(E) as caught: call()\nassert caught.value.code == 1",
        "assert call(5) == call(5)",
        "assert any(row for row in rows)",
        "assert all(row for row in ROWS)",
    ],
)
def test_a_test_that_can_fail_is_left_alone(body: str) -> None:
    """A test that proves something has no fault."""
    assert list_faults(make_test(body), LOUD) == []


def test_texts_of_several_elements_are_expected_as_a_list() -> None:
    """The text of rows or chips is a list: a single text fails while there are two elements."""
    at_once = re.compile(r"expect\(([\w.]*\.)?(rows|chips)\)\.to_(contain|have)_text\((?!\[)")
    assert [path.name for path in FILES if at_once.search(path.read_text())] == []


def make_test(body: str) -> str:
    """Return the source of a test whose body begins in its second line."""
    return "\n".join(["def test_it():", *(f"  {line}" for line in body.split("\n"))])


# --- ids of cases ---------------------------------------------------------------------


class Odd:
    """A class whose repr has a memory address."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", None),
        (5, None),
        (len, None),
        (lambda: 5, "argument"),
        ("x" * 99, f"{'x' * 40}...{'x' * 17}"),
        ({"warm": 0, "days": [1]}, "warm=0, days=[1]"),
        ({"b", "a"}, "{'a', 'b'}"),
        ({}, "{}"),
        (b"\x1f\x8b", "2 bytes"),
        (Odd(), "Odd"),
        (pd.DataFrame({"a": [1]}), "DataFrame"),
        ([len, None], "[len, None]"),
    ],
)
def test_a_case_has_an_id(value: object, expected: str | None) -> None:
    """The id of a case is its value, the same in each process; None leaves it to pytest."""
    assert case_id(value, "argument") == expected


def test_no_case_is_only_a_number(request: pytest.FixtureRequest) -> None:
    """No id of a collected case is only a number, like ``wrong0``, and none is too long."""
    cases = [item for item in request.session.items if isinstance(item, pytest.Function)]
    params = {item.callspec.id: item.callspec.params for item in cases if hasattr(item, "callspec")}
    numbered = [
        case
        for case, names in params.items()
        if re.search(rf"(^|-)({'|'.join(map(re.escape, names))})\d+(-|$)", case)
    ]
    assert numbered == []
    assert [case for case in params if len(case) > 200] == []


# --- network --------------------------------------------------------------------------


def test_tests_reach_this_machine_only() -> None:
    """A test that connects to another machine fails at once."""
    with (
        socket.socket() as new,
        warnings.catch_warnings(action="ignore"),
        pytest.raises(SocketConnectBlockedError, match=r"192\.0\.2\.1"),
    ):
        new.connect(("192.0.2.1", 443))
