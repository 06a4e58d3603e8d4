"""Types: mypy checks the code, the tests, the notebooks and the benchmarks."""

from __future__ import annotations

import sys

from tests.helpers.samples import ROOT, run


def test_types() -> None:
    """Every file passes mypy in strict mode; as a test, it runs in parallel to the others."""
    assert run(sys.executable, "-m", "mypy", cwd=ROOT).stdout.startswith("Success: no issues")
