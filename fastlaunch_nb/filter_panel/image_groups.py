"""Groups of images: how many, how many fail, their targets, stock and cost; pure.

A sum is over the values that are known, and null if none is; next to it is how many images lack
the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from fastlaunch_nb.filters.fields import get_facet_values
from fastlaunch_nb.formatting import label_accounts, state_rank
from fastlaunch_nb.schema.columns import COUNT, FAILED_STATES, NUMBER, UNKNOWN
from fastlaunch_nb.schema.joins import coalesce_stock
from fastlaunch_nb.validation import validate_column

TITLES: Final[Mapping[str, str]] = {
    "account_id": "Account",
    "region": "Region",
    "launch_template": "Launch template",
    "state": "State",
    "image_name": "Name",
}
"""What images can be grouped by, with the heading of the groups."""
SUMS: Final = {"target": COUNT, "stock": COUNT, "low": NUMBER, "high": NUMBER}
"""The columns of groups that are sums, with their dtypes; ``no_target`` counts unknown targets."""


class ImageGroups(NamedTuple):
    """Groups of images, the worst first, the sums over all of them, and each image's group.

    `rows` has the columns `value`, which is null for images without one, `label`, `images`,
    `failing`, those of :data:`SUMS`, and for each of these the number of images that lack it.
    """

    rows: pd.DataFrame
    total: Mapping[Any, Any]
    numbers: np.ndarray[Any, np.dtype[np.int64]]  # the position in `rows` of each image's group


def list_choices(images: pd.DataFrame) -> list[str]:
    """Return what these images can be grouped by: names only where there are some."""
    return [by for by in TITLES if by != "image_name" or by in images]


def group_images(images: pd.DataFrame, by: str) -> ImageGroups:
    """Group images by one of :data:`TITLES`; first the group with the most failing images.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"},
    ...                         {"ImageId": "ami-01234567890abcdef", "State": "enabling-failed"}])
    >>> group_images(images, "state").rows[["label", "images", "failing"]].to_numpy().tolist()
    [['enabling-failed', 1, 1], ['enabled', 1, 0]]
    """
    values = _get_values(images, by).reset_index(drop=True)
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    numbers = _count_images(images.reset_index(drop=True))
    sums = numbers.groupby(codes).sum(min_count=1).astype(numbers.dtypes)
    first = ~pd.Series(codes).duplicated().to_numpy()
    labels = label_accounts(images[first]) if by == "account_id" else values[first]
    rows = sums.assign(value=distinct, label=labels.array)
    worst = pd.Series(_rank_states(images)).groupby(codes).min()
    rows = rows.assign(_worst=worst).sort_values(
        ["failing", "_worst", "images", "label"], ascending=[False, True, False, True]
    )
    positions = np.argsort(rows.index.to_numpy())
    total = {name: values.sum(min_count=1) for name, values in numbers.items()}
    return ImageGroups(rows.drop(columns="_worst").reset_index(drop=True), total, positions[codes])


def _get_values(images: pd.DataFrame, by: str) -> pd.Series:
    if by == "launch_template":
        return get_facet_values(images, by)
    return validate_column("images", images, by)


def _count_images(images: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of each image that its group adds up."""
    values = {
        "target": images["target_resource_count"],
        "stock": coalesce_stock(images),
        **{end: images.get(f"monthly_usd_{end}") for end in ("low", "high")},
    }
    sums = pd.DataFrame(values, index=images.index).astype(SUMS)
    counts = sums.isna().astype(COUNT).add_prefix("no_")
    is_failing = images["state"].isin(FAILED_STATES).astype(COUNT)
    one = pd.Series(1, index=images.index, dtype=COUNT)
    return pd.concat([one.rename("images"), is_failing.rename("failing"), sums, counts], axis=1)


def _rank_states(images: pd.DataFrame) -> Any:
    """Return the rank of each image's state, 0 for the worst."""
    codes, states = pd.factorize(images["state"].fillna(UNKNOWN))
    return np.array([state_rank(state) for state in states], dtype=np.int64)[codes]
