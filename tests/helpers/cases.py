"""Cases of tests: the name that a failing one has, that there are any, and how many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from hypothesis import settings

Law = TypeVar("Law", bound=Callable[..., None])
Value = TypeVar("Value")
HEAD, TAIL = 40, 17


def some(values: Iterable[Value]) -> list[Value]:
    """Return the values, of which there must be one: asserts about none prove nothing."""
    found = list(values)
    assert found, "Expected at least one to look at, got none"
    return found


def costly(law: Law, part: int = 5) -> Law:
    """Have a law tried on a fifth of the examples of the profile, or less: one takes a second."""
    made: Law = settings(max_examples=max(2, settings().max_examples // part))(law)
    return made


def case_id(value: Any, name: str) -> str | None:
    """Return what a value is called in the name of a test; None where pytest's own name will do.

    It is the same in each process: no address in memory, no order of a set, no compressed bytes.
    """
    if isinstance(value, str):
        return None if len(value) <= HEAD + TAIL else _shortened(value)
    if value is None or isinstance(value, bool | int | float):
        return None
    if getattr(value, "__name__", None):
        return name if "<lambda>" in value.__name__ else None
    if isinstance(value, dict) and value:
        return _shortened(", ".join(f"{key}={_written(each)}" for key, each in value.items()))
    return _shortened(_written(value))


def _shortened(text: str) -> str:
    """Return a text in ASCII: of a long one its beginning and its end."""
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= HEAD + TAIL else f"{plain[:HEAD]}...{plain[-TAIL:]}"


def _written(value: Any) -> str:
    """Return a value as Python writes it, but for what differs from run to run."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(each)}' for key, each in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_written, value)))}}}"
    if type(value) in (list, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes) and not (value.isascii() and value.decode("ascii").isprintable()):
        return f"{len(value)} bytes"
    text = str(getattr(value, "__name__", repr(value)))
    is_plain = "\n" not in text and " at 0x" not in text and not isinstance(value, tuple)
    return text if is_plain else type(value).__name__
