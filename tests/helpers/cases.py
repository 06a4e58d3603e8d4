"""Test cases: their ids, their number, and a guard against having none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from hypothesis import settings

Law = TypeVar("Law", bound=Callable[..., None])
Value = TypeVar("Value")
HEAD, TAIL = 40, 17


def some(values: Iterable[Value]) -> list[Value]:
    """Return the values as a list; fail if there is none, because a loop would prove nothing."""
    listed = list(values)
    assert listed, "Expected at least one value, got none"
    return listed


def costly(law: Law, part: int = 5) -> Law:
    """Reduce the examples of a slow law to a fraction of the profile's."""
    limited: Law = settings(max_examples=max(1, settings().max_examples // part))(law)
    return limited


def case_id(value: Any, name: str) -> str | None:
    """Return the id of a parameter; None if pytest's own id is good enough.

    It is the same in each process: without memory addresses, the order of sets, or bytes.
    """
    if isinstance(value, str):
        return None if len(value) <= HEAD + TAIL else _shorten(value)
    if value is None or isinstance(value, bool | int | float):
        return None
    if getattr(value, "__name__", None):
        return name if "<lambda>" in value.__name__ else None
    if isinstance(value, dict) and value:
        return _shorten(", ".join(f"{key}={_format(entry)}" for key, entry in value.items()))
    return _shorten(_format(value))


def _shorten(text: str) -> str:
    """Return a text in ASCII; only the beginning and the end of a long one."""
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= HEAD + TAIL else f"{plain[:HEAD]}...{plain[-TAIL:]}"


def _format(value: Any) -> str:
    """Return the repr of a value, without parts that differ from run to run."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_format(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_format, value)))}}}"
    if type(value) in (list, tuple):
        return f"[{', '.join(map(_format, value))}]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes) and not (value.isascii() and value.decode("ascii").isprintable()):
        return f"{len(value)} bytes"
    text = str(getattr(value, "__name__", repr(value)))
    is_plain = "\n" not in text and " at 0x" not in text and not isinstance(value, tuple)
    return text if is_plain else type(value).__name__
