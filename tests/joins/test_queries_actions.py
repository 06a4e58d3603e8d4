"""The IAM actions of joins: exactly the operations that their queries call."""

from __future__ import annotations

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import READ_ONLY, get_iam_action
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.joins.queries import ACTIONS
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers.joins import prepare_every_read, record_requests


@pytest.mark.parametrize("join", JOINS)
def test_a_join_calls_exactly_its_actions(demo: Demo, images: pd.DataFrame, join: str) -> None:
    """The IAM actions of its requests are those in the table."""
    prepare_every_read(demo, images["image_id"].iloc[0])
    with record_requests(demo) as calls:
        fl.enrich(images, join)
    assert {name for name, *_ in calls} - {"sts:GetCallerIdentity"} == set(ACTIONS[join])


def test_the_actions_are_read_only() -> None:
    """Every action that a join needs is one that clients can call."""
    known = {get_iam_action(s, name) for s, names in READ_ONLY.items() for name in names}
    assert set(ACTIONS) == set(JOINS)
    assert {action for actions in ACTIONS.values() for action in actions} <= known
