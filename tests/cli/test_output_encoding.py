"""Output in encodings of Windows: every command ends well, and no character is lost."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.charts.style import STATE_STYLES
from fastlaunch_nb.cli import output_encoding
from fastlaunch_nb.cli.main import main
from tests.helpers.cases import some

ENCODINGS = ("cp1252", "cp437", "cp850", "cp932", "ascii", "utf-8")


def write(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a terminal with an encoding shows of a text."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, newline="") for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        output_encoding.accept_all_characters()
        print(text, end="")
        sys.stdout.flush()
    buffer = streams[0].buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_mark_has_a_similar_one(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that lacks a mark shows one that it has; what it has stays."""
    text = write("■ enabled – 5 … ×3 → Zürich", encoding, monkeypatch)
    expected = "".join(
        mark if has_mark(mark, encoding) else MARKS.get(mark, mark)
        for mark in "■ enabled – 5 … ×3 → Zürich"
    )
    assert text == expected


MARKS = {"■": "#", "–": "-", "…": "...", "×": "x", "→": "->", "ü": r"\xfc"}


def has_mark(text: str, encoding: str) -> bool:
    """Return True if an encoding has every character of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.sampled_from(ENCODINGS))
def test_no_character_is_lost(text: str, encoding: str) -> None:
    """Every text can be written; those that an encoding has are written as they are."""
    with pytest.MonkeyPatch.context() as patch:
        written = write(text, encoding, patch)
    expected = text if has_mark(text, encoding) else written
    assert written == expected
    assert bool(written) == bool(text)


def test_every_mark_of_a_state_has_a_substitute() -> None:
    """No state is an escape on a terminal without its mark."""
    marks = {style.swatch for style in STATE_STYLES.values()}
    assert [mark for mark in some(marks) if "\\" in output_encoding.substitute(mark)] == []


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp850"])
def test_commands_print_in_encodings_of_windows(
    encoding: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings of a store, with all marks and names, are printed in an encoding of Windows."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    output_encoding.accept_all_characters()
    assert main(["findings", "--store", str(store), "--rule", "failed"]) == 0
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    text = buffer.getvalue().decode(encoding)
    assert len(re.findall("^high +failed", text, re.MULTILINE)) == 8


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a sweep of the demo."""
    folder = tmp_path_factory.mktemp("history") / "store"
    assert main(["record", str(folder), "--demo", "--no-progress"]) == 0
    return folder
