"""Errors and warnings: what they say, and which line a warning is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.samples import REGION, denied
from tests.sources.test_events import EC2_STATE, event

UNKNOWN_STATE = {"state": ["enablin"]}


def enrich_where_all_is_denied(demo: Demo) -> None:
    """Enrich images of which nothing but their AMIs may be read."""
    images = fl.describe(region=REGION)
    with denied("DescribeSnapshots"):
        fl.enrich(images, "ami", "snapshots")


def read_events(demo: Demo) -> None:
    """Read events of which one is of another kind."""
    fl.from_events([event(1), EC2_STATE])


WARNING: dict[str, Callable[[Demo], Any]] = {
    "describe": lambda _: fl.describe(region=REGION, filters=UNKNOWN_STATE),
    "sweep": lambda _: fl.sweep(regions=REGION, filters=UNKNOWN_STATE),
    "two targets": lambda _: fl.sweep(
        fl.targets(profiles=["default", "build-farm"]), regions=REGION
    ),
    "enrich": enrich_where_all_is_denied,
    "from_events": read_events,
}


@pytest.mark.parametrize("call", WARNING.values(), ids=WARNING)
def test_a_warning_is_about_the_line_that_called(call: Callable[[Demo], Any], demo: Demo) -> None:
    """However deep in the toolkit it is given, it names the file of the caller."""
    with pytest.warns(fl.FastLaunchWarning) as caught:
        call(demo)
    assert [warning.filename for warning in caught] == [__file__]
