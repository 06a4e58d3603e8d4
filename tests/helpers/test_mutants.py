"""What `make mutants` goes by is there: rooms, their tests, and the lines of known survivors."""

from __future__ import annotations

import pytest

from tests.helpers.mutants import ROOMS, ROOT, Change, survivors


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_is_there(name: str) -> None:
    """Each pattern of a room leads to modules, and each of its tests to a file or folder."""
    room = ROOMS[name]
    assert [pattern for pattern in room.modules if not [*ROOT.glob(pattern)]] == []
    assert [test for test in room.tests if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("change", survivors(), ids=lambda change: change.after)
def test_a_known_survivor_is_of_the_code_as_it_is(change: Change) -> None:
    """A reason stays as long as its line does, and is given in a whole sentence."""
    assert change.module in {str(path) for room in ROOMS.values() for path in room.paths()}
    lines = (ROOT / change.module).read_text("utf-8").splitlines()
    assert change.before in " ".join(filter(None, map(str.strip, lines)))
    assert survivors()[change].endswith(".")
