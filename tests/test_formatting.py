"""Text for people: safe on one line, in any direction."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.formatting import to_single_line


@given(st.text(st.sampled_from("a1 \u05d0\u202e\u2066\u2067\u2068\u2069\n\u2029")))
def test_no_text_leaves_its_isolate(text: str) -> None:
    """Law: right-to-left text is in an isolate, and contains no mark that would end it."""
    begin, end = ("\u2068", "\u2069") if "\u05d0" in text else ("", "")
    line = to_single_line(text)
    assert (line[: len(begin)], line[len(line) - len(end) :]) == (begin, end)
    inside = line[len(begin) : len(line) - len(end)]
    assert inside.isprintable()
    assert inside == " ".join(text.split()) or not text.isprintable()
