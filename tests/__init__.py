"""Tests of fastlaunch_nb, a folder for each room of the package. A docstring is a promise."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.helpers")  # so that their asserts explain themselves
