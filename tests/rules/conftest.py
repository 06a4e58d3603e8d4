"""The fixture of the tests of rules: the findings of all cases of a module."""

from __future__ import annotations

import pytest

from tests.helpers.rules import Finding, find_per_case


@pytest.fixture(scope="module")
def findings_by_case(request: pytest.FixtureRequest) -> dict[str, list[Finding]]:
    """The findings of each case in the module's ``CASES``, by its id."""
    return find_per_case(request.module.CASES)
