"""The rows of a timeline: their order, their groups and the headings of these."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import fastlaunch_nb as fl
from tests.charts.chart_helpers import (
    FLEET,
    find_bars,
    find_headings,
    make_intervals,
    read_image_numbers,
)


def test_the_worst_states_are_on_top(images: pd.DataFrame) -> None:
    """The rows begin with failures and end with enabled images."""
    traces = find_bars(fl.timeline(images))
    top = {name: max(trace.y) for name, trace in traces.items()}
    failures = [name for name in top if name.endswith("-failed")]
    assert min(top[name] for name in failures) > top["enabling"] > top["enabled"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("worst", [3, 1, 2, 4]),
        ("recent", [1, 4, 3, 2]),
        ("name", [1, 2, 3, 4]),
        ("account", [2, 4, 1, 3]),
        ("region", [3, 4, 1, 2]),
    ],
)
def test_rows_are_sorted(sort: str, order: list[int]) -> None:
    """Rows are in the requested order, whatever the order of the intervals."""
    assert read_image_numbers(fl.timeline(FLEET, sort=sort)) == order
    shuffled = FLEET.sample(frac=1, random_state=1)
    assert fl.timeline(shuffled, sort=sort) == fl.timeline(FLEET, sort=sort)


@pytest.mark.parametrize(
    ("group", "names", "order"),
    [
        ("account", ["b", "a"], [3, 1, 2, 4]),
        ("region", ["eu-west-1", "us-east-1"], [3, 4, 1, 2]),
        ("state", ["enabled-failed", "enabled", "absent"], [3, 1, 2, 4]),
    ],
)
def test_rows_of_a_group_are_together(group: str, names: list[str], order: list[int]) -> None:
    """Each group has a heading in a row of its own, above the rows of its images."""
    figure = fl.timeline(FLEET, group=group)
    assert read_image_numbers(figure) == order
    headings = find_headings(figure)
    assert [re.findall("<b>(.*)</b>", heading.text)[0] for heading in headings] == names
    rows = figure.layout.yaxis.tickvals
    assert sorted([*rows, *(heading.y for heading in headings)]) == list(
        range(-len(rows) - len(headings) + 1, 1)
    )
    assert headings[0].y == 0


def test_too_many_groups_have_no_headings() -> None:
    """Very many groups have no headings, which would take the room of rows; the text says so."""
    intervals = make_intervals(*((n, "enabled", 2, None) for n in range(80)))
    few = intervals.assign(account_id=[f"{n % 30:012}" for n in range(80)])
    assert len(fl.timeline(few, group="account").layout.annotations) == 30
    many = intervals.assign(account_id=[f"{n:012}" for n in range(80)])
    figure = fl.timeline(many, group="account")
    assert not figure.layout.annotations
    assert "by account, too many groups for headings" in fl.alt_text(figure)


def test_accounts_with_the_same_name_are_two_groups() -> None:
    """The headings of two accounts with the same name also have their ids."""
    same_name = FLEET.assign(account_name="build")
    headings = str(fl.timeline(same_name, group="account").layout.annotations)
    assert f"build · {'1' * 12}" in headings
    assert f"build · {'2' * 12}" in headings


def test_unknown_choices_are_refused() -> None:
    """An unknown sort, group or by is refused, with the closest known one."""
    with pytest.raises(fl.InputError, match=r"sort is 'wurst'.*Did you mean 'worst'"):
        fl.timeline(FLEET, sort="wurst")
    with pytest.raises(fl.InputError, match="group is 'image'"):
        fl.timeline(FLEET, group="image")
    with pytest.raises(fl.InputError, match="by is 'state'"):
        fl.state_mix(FLEET, by="state")
