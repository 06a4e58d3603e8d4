"""Warnings: each names the line of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.samples import OTHER_EVENT, REGION, denied, make_event

UNKNOWN_STATE = {"state": ["enablin"]}


def enrich_without_permission(demo: Demo) -> None:
    """Enrich images whose snapshots cannot be read."""
    images = fl.describe(region=REGION)
    with denied("DescribeSnapshots"):
        fl.enrich(images, "ami", "snapshots")


WARNING_CALLS: dict[str, Callable[[Demo], Any]] = {
    "describe": lambda _: fl.describe(region=REGION, filters=UNKNOWN_STATE),
    "sweep": lambda _: fl.sweep(regions=REGION, filters=UNKNOWN_STATE),
    "two targets": lambda _: fl.sweep(
        fl.targets(profiles=["default", "build-farm"]), regions=REGION
    ),
    "enrich": enrich_without_permission,
    "from_events": lambda _: fl.from_events([make_event(1), OTHER_EVENT]),
}


@pytest.mark.parametrize("call", WARNING_CALLS.values(), ids=WARNING_CALLS)
def test_a_warning_names_the_callers_line(call: Callable[[Demo], Any], demo: Demo) -> None:
    """A warning from any depth of the toolkit has the file of the caller."""
    with pytest.warns(fl.FastLaunchWarning) as caught:
        call(demo)
    assert [warning.filename for warning in caught] == [__file__]
