"""Fixtures of the tests of joins: images of the demo, and targets for its accounts."""

from __future__ import annotations

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo


@pytest.fixture
def images(demo: Demo) -> pd.DataFrame:
    """The images of one account and region."""
    return fl.describe(demo.session)


@pytest.fixture
def targets(demo: Demo) -> list[fl.Target]:
    """Targets for both accounts of the demo."""
    return fl.targets(profiles=demo.accounts.values())
