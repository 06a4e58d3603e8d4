"""The rooms of `make mutants` exist, with their tests and the lines of known survivors."""

from __future__ import annotations

import pytest

from tests.helpers.mutants import (
    KILLED,
    ROOMS,
    ROOT,
    SURVIVED,
    Change,
    Outcome,
    read_survivors,
    report,
)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_exists(name: str) -> None:
    """Each pattern of a room matches modules, and each of its tests is a file or folder."""
    room = ROOMS[name]
    assert [pattern for pattern in room.modules if not [*ROOT.glob(pattern)]] == []
    assert [test for test in room.tests if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("change", read_survivors(), ids=lambda change: change.after)
def test_a_known_survivor_is_in_the_code(change: Change) -> None:
    """A survivor's line is still in its module, and its reason is a sentence."""
    assert change.module in {str(path) for room in ROOMS.values() for path in room.list_modules()}
    lines = (ROOT / change.module).read_text("utf-8").splitlines()
    assert change.before in " ".join(filter(None, map(str.strip, lines)))
    assert read_survivors()[change].endswith(".")


@pytest.mark.parametrize(
    ("killed", "reasons", "passes"),
    [
        pytest.param(9, 1, True, id="one of ten, with a reason"),
        pytest.param(9, 0, False, id="one of ten, without a reason"),
        pytest.param(8, 1, False, id="one of nine, with a reason"),
    ],
)
def test_few_changes_survive_with_a_reason(
    capsys: pytest.CaptureFixture[str], killed: int, reasons: int, passes: bool
) -> None:
    """A room passes if at most a tenth survives, each with a reason; each survivor is printed."""
    change = Change("a.py", "x = 1", "x = 2")
    outcomes = [Outcome(change, 7, SURVIVED), *[Outcome(change, 7, KILLED)] * killed]
    assert report("a", outcomes, dict.fromkeys([change] * reasons, "No test can.")) is passes
    printed = capsys.readouterr().out
    assert printed.startswith("a.py:7: " + ("No test can." if reasons else "WITHOUT A REASON"))
    assert f"a: {killed + 1} sampled, {killed} killed (0 by the time limit), 1 survived" in printed
