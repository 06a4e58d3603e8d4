"""Checks of numbers: values on both sides of each bound."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.number_checks import parse_count, parse_number, parse_share
from tests.helpers.cases import some

parse_size = partial(parse_count, least=1, most=200)
parse_price = partial(parse_number, expected="USD, 0 or more", allow_zero=True)
parse_seconds = partial(parse_number, expected="seconds above 0")


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (parse_count, 0, 0),
        (parse_count, 2**63 - 1, 2**63 - 1),
        (parse_size, np.int64(1), 1),
        (parse_size, 200, 200),
        (parse_seconds, 0.001, 0.001),
        (parse_seconds, np.float32(0.5), 0.5),
        (parse_price, 0, 0.0),
        (parse_share, 1, 1.0),
    ],
)
def test_a_number_within_its_bounds_is_parsed(
    parse: Callable[[str, Any], float], value: Any, expected: float
) -> None:
    """Bounds are included, and numbers of numpy become Python's."""
    number = parse("x", value)
    assert (number, type(number)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("parse", "expected", "values"),
    [
        (parse_count, "a whole number of 0 or more", [-1, 2**63, 1.0, "1", True, None, pd.NA]),
        (parse_size, "a whole number from 1 to 200", [0, 201, False]),
        (parse_seconds, "seconds above 0", [0, -1, "1", True, None, np.bool_(True), Decimal(1)]),
        (parse_seconds, "seconds above 0", [float("nan"), float("inf"), 10**400, 1j, pd.NA]),
        (parse_price, "USD, 0 or more", [-0.01, False]),
        (parse_share, "a share above 0, up to 1", [0, 1.001]),
    ],
)
def test_other_values_are_refused(
    parse: Callable[[str, Any], float], expected: str, values: list[Any]
) -> None:
    """The error has the argument's name, its value, and the expected number."""
    for value in some(values):
        with pytest.raises(fl.InputError) as caught:
            parse("x", value)
        assert str(caught.value) == f"x is {value!r}. Expected {expected}."
