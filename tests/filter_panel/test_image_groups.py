"""Groups of images: every image is in one group, and the groups add up to the whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.filter_panel.image_groups import SUMS, TITLES, group_images, list_choices
from fastlaunch_nb.filters.fields import get_facet_values
from fastlaunch_nb.schema.columns import FAILED_STATES
from tests.helpers.cases import some
from tests.helpers.selections import IMAGES

COSTS = st.none() | st.floats(0, 1e6)


@st.composite
def fleets(draw: st.DrawFn) -> pd.DataFrame:
    """Draw images, some more than once, with any index and with costs that may be unknown."""
    rows = draw(st.lists(st.integers(0, len(IMAGES) - 1), max_size=30))
    images = IMAGES.iloc[rows]
    for end in draw(st.sampled_from([(), ("low",), ("low", "high")])):
        costs = draw(st.lists(COSTS, min_size=len(rows), max_size=len(rows)))
        images = images.assign(**{f"monthly_usd_{end}": pd.array(costs, dtype="Float64")})
    return images


def add_up(values: list[Any]) -> Any:
    """Return the sum of the values that are known; None if none is."""
    known = [value for value in values if not pd.isna(value)]
    return sum(known) if known else None


@given(fleets(), st.sampled_from([*TITLES]))
def test_groups_add_up(images: pd.DataFrame, by: str) -> None:
    """Law: each image is in one group, that of its value, and each sum is that of all groups."""
    groups = group_images(images, by)
    assert len(groups.numbers) == len(images)
    assert np.bincount(groups.numbers, minlength=len(groups.rows)).tolist() == [
        *groups.rows["images"]
    ]
    values = get_facet_values(images, by) if by != "image_name" else images["image_name"]
    own = groups.rows["value"].take(groups.numbers).astype(object).fillna("?").tolist()
    assert own == values.astype(object).fillna("?").tolist()
    assert groups.rows["value"].fillna("?").is_unique
    for name in ("images", "failing", *SUMS, *(f"no_{name}" for name in SUMS)):
        total, parts = groups.total[name], add_up([*groups.rows[name]])
        assert (pd.isna(total) and parts is None) or total == pytest.approx(parts)


@given(fleets(), st.sampled_from([*TITLES]))
def test_a_sum_is_over_what_is_known(images: pd.DataFrame, by: str) -> None:
    """Law: a group's targets, costs and failing images are those of its rows, one by one."""
    groups = group_images(images, by)
    members: dict[int, list[Any]] = defaultdict(list)
    for number, row in zip(groups.numbers, images.to_dict("records"), strict=True):
        members[int(number)].append(row)
    columns = {"target": "target_resource_count", "low": "monthly_usd_low"}
    for number, row in enumerate(groups.rows.to_dict("records")):
        states = [image["state"] for image in members[number]]
        assert row["failing"] == sum(state in FAILED_STATES for state in states)
        for name, column in columns.items():
            values = [image.get(column) for image in members[number]]
            expected = add_up(values)
            assert row[f"no_{name}"] == sum(pd.isna(value) for value in values)
            assert pd.isna(row[name]) if expected is None else row[name] == pytest.approx(expected)


def test_the_worst_group_is_first() -> None:
    """Groups with the most failing images come first, then those with the worst state."""
    images = IMAGES.iloc[[0] * 6].reset_index(drop=True)
    images["state"] = ["enabled", "enabling", "enabling-failed", *["disabling-failed"] * 2, None]
    labels = group_images(images, "state").rows["label"]
    expected = ["disabling-failed", "enabling-failed", "?", "enabling", "enabled"]
    assert labels.fillna("?").tolist() == expected


def test_images_without_names_have_no_groups_of_names() -> None:
    """Only images with a column of names can be grouped by name."""
    assert list_choices(IMAGES) == [*TITLES]
    assert "image_name" not in some(list_choices(IMAGES.drop(columns="image_name")))
