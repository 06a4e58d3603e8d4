"""The rooms of `make mutants` exist, with their tests and the lines of known survivors."""

from __future__ import annotations

import pytest

from tests.helpers.mutants import ROOMS, ROOT, Change, read_survivors


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
