"""Fixtures of the tests of collect."""

from __future__ import annotations

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo


@pytest.fixture
def accounts(demo: Demo) -> list[fl.Target]:
    """The accounts of the demo, by their profiles."""
    return fl.targets(profiles=demo.accounts.values())
