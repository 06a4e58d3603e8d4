"""Checks of numbers that users pass: counts, amounts and shares."""

from __future__ import annotations

import operator
import sys
from contextlib import suppress
from numbers import Real
from typing import Any

from fastlaunch_nb.errors import InputError

MAX_COUNT = 2**63 - 1
"""The largest number of a column of counts."""


def parse_count(name: str, value: object, *, least: int = 0, most: int = MAX_COUNT) -> int:
    """Return a whole number within bounds as an int.

    Examples
    --------
    >>> parse_count("max_workers", 8, least=1)
    8
    >>> parse_count("page_size", 500, most=200)
    Traceback (most recent call last):
    fastlaunch_nb.errors.InputError: page_size is 500. Expected a whole number from 0 to 200.
    """
    if not isinstance(value, bool):  # which Python counts as 0 or 1
        with suppress(TypeError):
            count = operator.index(value)  # type: ignore[arg-type]
            if least <= count <= most:
                return count
    bounds = f"of {least} or more" if most == MAX_COUNT else f"from {least} to {most}"
    raise InputError(f"{name} is {value!r}. Expected a whole number {bounds}.")


def parse_number(
    name: str,
    value: Any,
    expected: str,
    *,
    most: float = sys.float_info.max,
    allow_zero: bool = False,
) -> float:
    """Return a finite number above 0, and at most `most`, as a float.

    The error names the unit and the bounds as `expected`.

    Examples
    --------
    >>> parse_number("fill_time", 600, "seconds above 0")
    600.0
    """
    if type(value) is not bool and isinstance(value, Real):
        with suppress(OverflowError):  # by an int that is too large for a float
            number = float(value)
            if 0 < number <= most or (allow_zero and number == 0):
                return number
    raise InputError(f"{name} is {value!r}. Expected {expected}.")


def parse_share(name: str, value: object) -> float:
    """Return a share above 0, and at most 1, as a float."""
    return parse_number(name, value, "a share above 0, up to 1", most=1)
