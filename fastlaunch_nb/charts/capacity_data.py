"""The numbers of a capacity chart: the stock, the target and what is missing in each row.

The arithmetic works on whole columns, so that it is fast for 100,000 images.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pandas as pd

from fastlaunch_nb.charts import row_order
from fastlaunch_nb.formatting import label_images
from fastlaunch_nb.schema.columns import COUNT, KEY, TEXT
from fastlaunch_nb.schema.joins import coalesce_stock

BY: Final = ("image", "account", "region", "template")
_NOT_FILLED: Final = ("enabling-failed", "enabled-failed", "disabling", "disabling-failed")
"""States in which Fast Launch prepares no more snapshots."""


class CapacityRows(NamedTuple):
    """The rows of a capacity chart, those that lack the most snapshots first.

    In their numbers, `target` is the sum of `in_target`, the snapshots in stock up to the target,
    of `missing`, and of `unknown`, the targets of images with an unknown stock. `filling` is the
    maximum of missing snapshots in preparation. `stock` is the sum of `in_target` and `excess`:
    the snapshots above the target, or without one. `parallel` is the maximum of parallel
    launches. `images`, `below`, `no_stock` and `no_target` count images: all, those below their
    target, those with an unknown stock, those with an unknown target.
    """

    numbers: pd.DataFrame  # of each row; null where unknown
    images: pd.DataFrame  # the image of each row, or the first image of each group
    names: list[str]  # of groups; empty if each row is an image
    others: pd.Series  # the numbers of all rows that are not drawn
    total: pd.Series  # the numbers of all rows
    other_count: int  # of rows that are not drawn

    @property
    def has_stock(self) -> bool:
        """True if the stock of any image is known."""
        return bool(self.total["no_stock"] < self.total["images"])


def make_capacity_rows(images: pd.DataFrame, by: str, top: int) -> CapacityRows:
    """Put images or groups of them into rows, and add up the rows after the first `top`.

    If only one row is left, it becomes a row of its own.
    """
    numbers, labels = _count_snapshots(images), label_images(images)
    groups, names = pd.Series(range(len(images)), index=images.index), list[str]()
    if by != "image":
        groups, names = _group_images(images, by)
        labels = groups.map(dict(enumerate(names)))
        numbers = numbers.groupby(groups).sum(min_count=1).astype(COUNT)
    numbers = numbers.reset_index(drop=True)
    first = images[~groups.duplicated()].reset_index(drop=True)
    keys = first[[*KEY]].assign(_label=labels[~groups.duplicated()].array)
    order = pd.concat([numbers, keys], axis=1).sort_values(
        ["missing", "target", "_label", *KEY], ascending=[False, False, True, True, True, True]
    )
    drawn = order.index[: top if len(order) > top + 1 else len(order)]
    others = order.index[len(drawn) :]
    return CapacityRows(
        numbers.loc[drawn].reset_index(drop=True),
        first.loc[drawn].reset_index(drop=True),
        [names[number] for number in drawn] if names else [],
        numbers.loc[others].sum(min_count=1).astype(COUNT),
        numbers.sum(min_count=1).astype(COUNT),
        len(others),
    )


def _count_snapshots(images: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of each image."""
    target, stock = images["target_resource_count"], coalesce_stock(images)
    in_target = stock.where((stock <= target).fillna(False), target).mask(stock.isna())
    missing = target - in_target
    numbers = {
        "target": target,
        "stock": stock,
        "in_target": in_target,
        "missing": missing,
        "filling": _count_filling(images, missing),
        "unknown": target.where(stock.isna()),
        "excess": stock - in_target.fillna(0),
        "parallel": images["max_parallel_launches"],
        "images": 1,
        "below": missing.gt(0).fillna(False),
        "no_stock": stock.isna(),
        "no_target": target.isna(),
    }
    return pd.DataFrame(numbers, index=images.index).astype(COUNT)


def _count_filling(images: pd.DataFrame, missing: pd.Series) -> pd.Series:
    """Return the maximum of missing snapshots in preparation; null if it is unknown.

    It is the maximum of parallel launches, or the number of pending snapshots if that is
    larger: an instance runs for a while before its snapshot is pending. In a state without
    further preparation, only pending snapshots count.
    """
    filling = images["max_parallel_launches"]
    if "state" in images:
        filling = filling.mask(images["state"].isin(_NOT_FILLED), 0)
    if "snapshots_pending" in images:
        pending = images["snapshots_pending"]
        filling = filling.where((filling >= pending).fillna(True), pending)
    limited = filling.where((filling <= missing).fillna(False), missing)
    return limited.mask(filling.isna() & missing.gt(0).fillna(False))


def _group_images(images: pd.DataFrame, by: str) -> tuple[pd.Series, list[str]]:
    """Return the group number of each image, and the names of groups."""
    if by == "template":
        columns = ["launch_template_name", "launch_template_id"]
        names, ids = (images.reindex(columns=columns).astype(TEXT)[name] for name in columns)
        images = images.assign(template=names.fillna(ids))
    return row_order.group_images(images, by)
