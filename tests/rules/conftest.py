"""What the tests of rules share: what all rules find of the cases of a file, judged at once."""

from __future__ import annotations

import pytest

from tests.helpers.rules import Finding, judge


@pytest.fixture(scope="module")
def judged(request: pytest.FixtureRequest) -> dict[str, list[Finding]]:
    """What all rules find of each of the module's ``CASES``."""
    return judge(request.module.CASES)
