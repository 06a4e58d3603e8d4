"""Tests. pytest says what is on each side of an assert that fails, in what tests share as well."""

import pytest

SHARED = ("browser", "cases", "joins", "reckoning", "screen", "stage", "worlds")
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in SHARED))
