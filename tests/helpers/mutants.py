"""Mutants: small changes to the code that the tests should notice.

``python -m tests.helpers.mutants [ROOM …]`` draws a sample of places in each room. At each place
it makes one change, in a copy of the tree, and runs the room's tests. cosmic-ray makes the
changes and runs the tests; this module has the rooms, the draw and the report.
`SURVIVORS` lists the changes that no test can notice, with the reason for each. The command
fails if another change survives, or more than `MAX_SURVIVORS` of a room.

The draw depends on the text of each line, not on its number, so edits elsewhere do not change it.
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
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

ROOT = Path(__file__).parent.parent.parent
SURVIVORS = ROOT / "tests" / "helpers" / "mutants.toml"
MAX_SURVIVORS = 0.1
"""The share of a sample that may survive."""
SAMPLE, SEED = 60, 17
EXCLUDED_OPERATORS = re.compile(
    r".*Replace(Comparison|Binary)Operator_(?!"
    r"(Eq|NotEq|Lt|LtE|Gt|GtE)_(Eq|NotEq|Lt|LtE|Gt|GtE)$|Is_IsNot$|IsNot_Is$|"
    r"Add_Sub$|Sub_Add$|Mul_Add$|Mul_FloorDiv$|Div_Mul$|FloorDiv_Mul$|FloorDiv_Div$|"
    r"Mod_FloorDiv$|BitOr_BitAnd$|BitAnd_BitOr$|LShift_RShift$|RShift_LShift$)"
)
"""Operators of cosmic-ray that nobody writes by mistake. Any test notices them, so they would
only make the share of survivors look better."""
KILLED, HUNG, SURVIVED = "killed", "hung", "survived"


class Room(NamedTuple):
    """Patterns of the modules to change, and the tests that should notice."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def list_modules(self) -> list[Path]:
        """Return the paths of the modules, relative to the tree."""
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
            *(
                f"tests/filters/test_{name}.py"
                for name in ("facet_index", "codegen", "row_code", "filters")
            ),
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
            *(f"tests/history/test_{name}.py" for name in ("file_schema", "compaction", "history")),
            "tests/history/test_store.py",
        ),
    ),
}


class Change(NamedTuple):
    """A change of one line of a module."""

    module: str
    before: str
    after: str


class Outcome(NamedTuple):
    """The result of a room's tests with a change: `KILLED`, `HUNG` (also killed) or `SURVIVED`."""

    change: Change
    line: int
    end: str


def read_survivors() -> dict[Change, str]:
    """Return the changes that may survive, with the reason for each."""
    entries = tomllib.loads(SURVIVORS.read_text("utf-8"))["survivor"]
    return {Change(e["module"], e["before"], e["after"]): e["reason"] for e in entries}


# --- the draw -------------------------------------------------------------------------


def draw_sample(room: Room, size: int, seed: int) -> list[Any]:
    """Return cosmic-ray's mutations at `size` places of a room, one for each place."""
    places: dict[tuple[object, ...], list[Any]] = {}
    for mutation in _iter_mutations(room):
        place = (mutation.module_path, mutation.start_pos, mutation.end_pos)
        places.setdefault(place, []).append(mutation)
    lines = {path: (ROOT / path).read_text("utf-8").splitlines() for path in room.list_modules()}

    def draw(mutation: Any, *more: object) -> str:
        row, column = mutation.start_pos
        text = lines[mutation.module_path][row - 1]
        identity = (
            seed,
            mutation.module_path.as_posix(),
            text.strip(),
            text[:column].strip(),
            *more,
        )
        return hashlib.sha256(repr(identity).encode()).hexdigest()

    drawn = (
        min(enumerate(mutations), key=lambda pair: draw(pair[1], pair[1].operator_name, pair[0]))[1]
        for mutations in sorted(places.values(), key=lambda mutations: draw(mutations[0]))
    )
    return list(itertools.islice(filter(_is_code, drawn), size))


def _iter_mutations(room: Room) -> Iterator[Any]:
    """Yield cosmic-ray's mutations of a room, without those of types and excluded operators."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(":memory:", WorkDB.Mode.create) as session:
        init(room.list_modules(), session, {})
        mutations = [item.mutations[0] for item in session.work_items]
    types = {path: _find_types((ROOT / path).read_text("utf-8")) for path in room.list_modules()}
    for mutation in mutations:
        spans = types[mutation.module_path]
        in_types = any(first <= mutation.start_pos < last for first, last in spans)
        if not (EXCLUDED_OPERATORS.match(mutation.operator_name) or in_types):
            yield mutation


def _is_code(mutation: Any) -> bool:
    """Return whether a mutation can be made and Python can compile the result."""
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


def _find_types(source: str) -> list[tuple[Position, Position]]:
    """Return the positions of the types in a module, which no test runs."""
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


def _enter_copy(parent: str) -> None:
    """Make a copy of the tree for this process, and change to it."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    for name in ("fastlaunch_nb", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)


def _make_command(room: Room) -> list[str]:
    options = ["-x", "-q", "-m", "not deep", "-p", "no:cacheprovider"]
    options += ["-p", "no:nbval", "-o", "addopts=--doctest-modules"]  # nbval takes 2 s to start
    return [sys.executable, "-m", "pytest", *options, *room.tests]


def _measure_tests(room: Room) -> float:
    """Return the seconds that a room's tests take without a change; fail if they fail."""
    start = time.monotonic()
    done = subprocess.run(_make_command(room), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Tests fail without any change:\n{done.stdout}{done.stderr}")
    return time.monotonic() - start


def _try_mutation(mutation: Any, *, room: Room, limit: float) -> Outcome:
    """Make a change in this process's copy, and run the tests of its room."""
    from cosmic_ray.mutating import mutate_and_test

    result = mutate_and_test([mutation], shlex.join(_make_command(room)), limit)
    if not result.diff:
        raise SystemExit(f"{mutation} could not be made:\n{result.output}")
    before, after = (_join_changed_lines(result.diff, sign) for sign in "-+")
    end = SURVIVED if not result.is_killed else HUNG if result.output == "timeout" else KILLED
    return Outcome(Change(str(mutation.module_path), before, after), mutation.start_pos[0], end)


def _join_changed_lines(diff: str, sign: str) -> str:
    lines = diff.splitlines()[3:]  # below the names of the files
    lines_of_sign = (line[1:].strip() for line in lines if line.startswith(sign))
    return " ".join(filter(None, lines_of_sign))


def run(names: Sequence[str], size: int, seed: int, jobs: int, limit: float | None) -> bool:
    """Draw and try changes of some rooms; report each room, and return whether all pass."""
    known, success = read_survivors(), True
    with (
        tempfile.TemporaryDirectory() as parent,
        ProcessPoolExecutor(jobs, initializer=_enter_copy, initargs=(parent,)) as pool,
    ):
        for name in names:
            mutations = draw_sample(ROOMS[name], size, seed)
            slowest = max(pool.map(_measure_tests, [ROOMS[name]] * jobs))
            trial = partial(_try_mutation, room=ROOMS[name], limit=limit or 30 + 4 * slowest)
            outcomes = tqdm(pool.map(trial, mutations), name, len(mutations), unit=" changes")
            success &= report(name, outcomes, known)
    return success


def report(name: str, outcomes: Iterable[Outcome], known: dict[Change, str]) -> bool:
    """Print the survivors of a room at once, and its summary at the end.

    Return whether only changes with a reason survive, and few.
    """
    ends: Counter[str] = Counter()
    unknown = 0
    for change, line, end in outcomes:
        ends[end] += 1
        if end == SURVIVED:
            unknown += change not in known
            reason = known.get(change, "WITHOUT A REASON")
            tqdm.write(f"{change.module}:{line}: {reason}\n  - {change.before}\n  + {change.after}")
    total = ends.total()
    tqdm.write(
        f"{name}: {total} sampled, {ends[KILLED] + ends[HUNG]} killed "
        f"({ends[HUNG]} by the time limit), {ends[SURVIVED]} survived, {unknown} without a reason"
    )
    return not unknown and ends[SURVIVED] <= MAX_SURVIVORS * total


def main() -> None:
    """Parse the command line and run; exit with 1 if a room fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.mutants", description=__doc__)
    parser.add_argument(
        "rooms", nargs="*", metavar="ROOM", help=f"some of {', '.join(ROOMS)}; default: all"
    )
    parser.add_argument("--sample", type=int, default=SAMPLE, help="number of places in each room")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="number of changes to try at once")
    parser.add_argument(
        "--limit", type=float, help="seconds for each change; default: 30 and four times the usual"
    )
    options = parser.parse_args()
    if unknown := set(options.rooms) - set(ROOMS):
        parser.error(f"there is no room {', '.join(sorted(unknown))}")
    os.chdir(ROOT)
    names = options.rooms or list(ROOMS)
    sys.exit(not run(names, options.sample, options.seed, options.jobs, options.limit))


if __name__ == "__main__":
    main()
