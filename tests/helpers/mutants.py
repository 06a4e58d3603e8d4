"""Mutants: small changes to the code, each of which some test has to notice.

``python -m tests.helpers.mutants [ROOM …]`` draws a sample of places from each room. It makes one
change at each, one at a time, in a copy of the tree, and runs the room's tests on it. cosmic-ray
makes the changes and runs the tests; this module keeps the rooms, the draw and the verdict.
`SURVIVORS` lists the changes that no test can notice, each with the reason. The command fails if
another one survives, or more than `LIMIT` of a room.

The draw depends on the text of each line, not on its number: other code draws the same changes.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent.parent
SURVIVORS = ROOT / "tests" / "helpers" / "mutants.toml"
LIMIT = 0.1
"""The share of a sample that may survive."""
SAMPLE, SEED = 60, 17
LEFT_OUT = re.compile(
    r".*Replace(Comparison|Binary)Operator_(?!"
    r"(Eq|NotEq|Lt|LtE|Gt|GtE)_(Eq|NotEq|Lt|LtE|Gt|GtE)$|Is_IsNot$|IsNot_Is$|"
    r"Add_Sub$|Sub_Add$|Mul_Add$|Mul_FloorDiv$|Div_Mul$|FloorDiv_Mul$|FloorDiv_Div$|"
    r"Mod_FloorDiv$|BitOr_BitAnd$|BitAnd_BitOr$|LShift_RShift$|RShift_LShift$)"
)
"""Operators of cosmic-ray that nobody would take for those that they replace. Any test notices
them, so that they would only make the share of survivors look better."""
KILLED, HUNG, SURVIVED = "killed", "hung", "survived"


class Room(NamedTuple):
    """Modules that are changed, as patterns, and the tests that have to notice."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def paths(self) -> list[Path]:
        """Return the modules, relative to the tree."""
        found = (path for pattern in self.modules for path in ROOT.glob(pattern))
        return sorted(path.relative_to(ROOT) for path in found)


_XML = "fastlaunch_nb/aws/xml_columns.py"
ROOMS = {  # each with its doctests, and the quickest tests first
    "rules": Room(("fastlaunch_nb/rules/*.py",), ("fastlaunch_nb/rules", "tests/rules")),
    "pool": Room(("fastlaunch_nb/pool/*.py",), ("fastlaunch_nb/pool", "tests/pool")),
    "filters": Room(
        ("fastlaunch_nb/filters/*.py",),
        (
            "fastlaunch_nb/filters",
            *(f"tests/filters/test_{name}.py" for name in ("facet_index", "codegen", "filters")),
            "tests/test_validation.py",
        ),
    ),
    "sources": Room(
        ("fastlaunch_nb/sources/*.py", "fastlaunch_nb/schema/*.py", _XML),
        (
            *("fastlaunch_nb/sources", "fastlaunch_nb/schema", _XML),
            "tests/aws/test_xml_columns.py",
            "tests/schema",
            "tests/sources",
        ),
    ),
    "state_intervals": Room(
        ("fastlaunch_nb/state_intervals/*.py",),
        ("fastlaunch_nb/state_intervals", "tests/state_intervals"),
    ),
    "history": Room(
        ("fastlaunch_nb/history/*.py",),
        (
            "fastlaunch_nb/history",
            *(f"tests/history/test_{name}.py" for name in ("deduplicate", "thin", "as_of", "load")),
            *(f"tests/history/test_{name}.py" for name in ("file_schema", "history", "store")),
        ),
    ),
}


class Change(NamedTuple):
    """One change: a line of a module before and after it. How a survivor is kept, too."""

    module: str
    before: str
    after: str


class Outcome(NamedTuple):
    """How the tests of a room ended on a change: `KILLED`, `HUNG` (killed as well), `SURVIVED`."""

    change: Change
    line: int
    end: str


def survivors() -> dict[Change, str]:
    """Return the changes that may survive, and why."""
    entries = tomllib.loads(SURVIVORS.read_text("utf-8"))["survivor"]
    return {Change(e["module"], e["before"], e["after"]): e["reason"] for e in entries}


# --- the draw -------------------------------------------------------------------------


def sample(room: Room, size: int, seed: int) -> list[Any]:
    """Return cosmic-ray's mutations at so many places of a room, one a place."""
    places: dict[tuple[object, ...], list[Any]] = {}
    for mutation in _mutations(room):
        place = (mutation.module_path, mutation.start_pos, mutation.end_pos)
        places.setdefault(place, []).append(mutation)
    lines = {path: (ROOT / path).read_text("utf-8").splitlines() for path in room.paths()}

    def draw(mutation: Any, *more: object) -> str:
        row, column = mutation.start_pos
        text = lines[mutation.module_path][row - 1]
        named = (seed, mutation.module_path.as_posix(), text.strip(), text[:column].strip(), *more)
        return hashlib.sha256(repr(named).encode()).hexdigest()

    drawn = (
        min(enumerate(there), key=lambda pair: draw(pair[1], pair[1].operator_name, pair[0]))[1]
        for there in sorted(places.values(), key=lambda there: draw(there[0]))
    )
    return list(itertools.islice(filter(_is_code, drawn), size))


def _mutations(room: Room) -> Iterator[Any]:
    """Yield the mutations that cosmic-ray can make of a room, but for `LEFT_OUT` and for types."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(":memory:", WorkDB.Mode.create) as session:
        init(room.paths(), session, {})
        mutations = [item.mutations[0] for item in session.work_items]
    types = {path: _types((ROOT / path).read_text("utf-8")) for path in room.paths()}
    for one in mutations:
        in_types = any(first <= one.start_pos < last for first, last in types[one.module_path])
        if not (LEFT_OUT.match(one.operator_name) or in_types):
            yield one


def _is_code(mutation: Any) -> bool:
    """Tell whether a mutation can be made, and leaves what Python compiles."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    source = (ROOT / mutation.module_path).read_text("utf-8")
    try:
        compile(mutate_code(source, operator, mutation.occurrence), "", "exec")
    except (AttributeError, SyntaxError):  # a dotted exception; the star of a signature
        return False
    return True


Position = tuple[int, int]


def _types(source: str) -> list[tuple[Position, Position]]:
    """Return where a module has types, which no test runs."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.arg):
            found.append(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            is_alias = ast.unparse(node.annotation) == "TypeAlias"
            found += [node.annotation, node.value if is_alias else None]
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in found
        if node is not None
    ]


# --- the run --------------------------------------------------------------------------


def _enter_copy(above: str) -> None:
    """Make a copy of the tree for this process, and go there."""
    folder = Path(tempfile.mkdtemp(dir=above))
    for name in ("fastlaunch_nb", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)


def _command(room: Room) -> list[str]:
    options = ["-x", "-q", "-m", "not deep", "-p", "no:cacheprovider"]
    options += ["-p", "no:nbval", "-o", "addopts=--doctest-modules"]  # nbval takes 2 s to start
    return [sys.executable, "-m", "pytest", *options, *room.tests]


def _seconds(room: Room) -> float:
    """Return how long the tests of a room take as it is, which have to pass."""
    begun = time.monotonic()
    done = subprocess.run(_command(room), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Tests fail without any change:\n{done.stdout}{done.stderr}")
    return time.monotonic() - begun


def _outcome(mutation: Any, *, room: Room, limit: float) -> Outcome:
    """Make a change in this process's copy, and run the tests of its room."""
    from cosmic_ray.mutating import mutate_and_test

    result = mutate_and_test([mutation], shlex.join(_command(room)), limit)
    if not result.diff:
        raise SystemExit(f"{mutation} could not be made:\n{result.output}")
    before, after = (_changed(result.diff, sign) for sign in "-+")
    end = SURVIVED if not result.is_killed else HUNG if result.output == "timeout" else KILLED
    return Outcome(Change(str(mutation.module_path), before, after), mutation.start_pos[0], end)


def _changed(diff: str, sign: str) -> str:
    lines = diff.splitlines()[3:]  # below the names of the files
    changed = (line[1:].strip() for line in lines if line.startswith(sign))
    return " ".join(filter(None, changed))


def run(names: Sequence[str], size: int, seed: int, jobs: int, limit: float | None) -> bool:
    """Draw and try the changes of some rooms; print each room, and return whether all is well."""
    known, well = survivors(), True
    with (
        tempfile.TemporaryDirectory() as above,
        ProcessPoolExecutor(jobs, initializer=_enter_copy, initargs=(above,)) as pool,
    ):
        for name in names:
            mutations = sample(ROOMS[name], size, seed)
            slowest = max(pool.map(_seconds, [ROOMS[name]] * jobs))
            trial = partial(_outcome, room=ROOMS[name], limit=limit or 30 + 4 * slowest)
            well &= report(name, list(pool.map(trial, mutations)), known)
    return well


def report(name: str, outcomes: Sequence[Outcome], known: dict[Change, str]) -> bool:
    """Print how the changes of a room ended; return whether no more survive than may."""
    ends = Counter(outcome.end for outcome in outcomes)
    survived = [outcome for outcome in outcomes if outcome.end == SURVIVED]
    unknown = [outcome for outcome in survived if outcome.change not in known]
    print(
        f"{name}: {len(outcomes)} sampled, {ends[KILLED] + ends[HUNG]} killed "
        f"({ends[HUNG]} by the clock), {len(survived)} survived, {len(unknown)} without a reason"
    )
    for change, line, _ in survived:
        print(f"  {change.module}:{line}: {known.get(change, 'WITHOUT A REASON')}")
        print(f"    - {change.before}\n    + {change.after}", flush=True)
    return not unknown and len(survived) <= LIMIT * len(outcomes)


def main() -> None:
    """Parse the command line, and end with 1 where a change survives that may not."""
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.mutants", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}; else all")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="places a room")
    parser.add_argument("--seed", type=int, default=SEED, help="which places are drawn")
    parser.add_argument("--jobs", type=int, default=2, help="changes tried at once")
    parser.add_argument("--limit", type=float, help="seconds a change; else five times the usual")
    options = parser.parse_args()
    if wrong := set(options.rooms) - set(ROOMS):
        parser.error(f"there is no room {', '.join(sorted(wrong))}")
    os.chdir(ROOT)
    names = options.rooms or list(ROOMS)
    sys.exit(not run(names, options.sample, options.seed, options.jobs, options.limit))


if __name__ == "__main__":
    main()
