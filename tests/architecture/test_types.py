"""The types: all of the code, the tests, notebooks and benchmarks, as mypy sees them."""

from __future__ import annotations

import sys

from tests.helpers.samples import ROOT, run


def test_types() -> None:
    """Every file is typed, strictly. A test, so that mypy runs beside the other tests."""
    assert run(sys.executable, "-m", "mypy", cwd=ROOT).stdout.startswith("Success: no issues")
