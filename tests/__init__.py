"""Tests of fastlaunch_nb: a docstring is a promise; what they share explains its asserts, too."""

import pytest

SHARED = (
    "browser",
    "cases",
    "joins",
    "processes",
    "reckoning",
    "screen",
    "stage",
    "stories",
    "worlds",
)
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in SHARED))
