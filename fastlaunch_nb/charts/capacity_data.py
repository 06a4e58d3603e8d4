"""What there is of snapshots against what there is to be: in numbers, a row for each bar.

Whole columns at a time, so that a hundred thousand images take no longer than a look at them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pandas as pd

from fastlaunch_nb.charts import row_order
from fastlaunch_nb.formatting import image_labels
from fastlaunch_nb.schema.columns import COUNT, KEY
from fastlaunch_nb.schema.joins import known_stock

BY: Final = ("image", "account", "region", "template")
_NOT_FILLED: Final = ("enabling-failed", "enabled-failed", "disabling", "disabling-failed")
"""States in which Fast Launch prepares no more snapshots."""


class CapacityRows(NamedTuple):
    """The rows of a figure, those that lack the most on top, and what is left.

    Attributes
    ----------
    rows : DataFrame
        The numbers of each row. Where it can not be known, a number is null. Of the target,
        `within` is in stock, `short` is not, and of `unknown` nobody knows; of what is short,
        `filling` are being filled, at most. `stock` is all that there is of them,
        `beyond` what is above a target, or where no target is told. `parallel` are the
        launches at once. `images`, `below`, `no_stock` and `no_target` count images: all,
        those below their target, those of which the one or the other is unknown.
    images : DataFrame
        The image of each row or, of a group, one of its images.
    names : list of str
        What the groups are called; of images none.
    others, whole : Series
        The same numbers of the rows that are left, and of all together.
    left : int
        How many rows are left.
    """

    rows: pd.DataFrame
    images: pd.DataFrame
    names: list[str]
    others: pd.Series
    whole: pd.Series
    left: int

    @property
    def told(self) -> bool:
        """Whether the stock of any image is known."""
        return bool(self.whole["no_stock"] < self.whole["images"])


def capacity_rows(images: pd.DataFrame, by: str, top: int) -> CapacityRows:
    """Put images, or groups of them, into rows; of those beyond the first `top`, add up the rest.

    One that is left over alone has its own row.
    """
    numbers = _numbers(images)
    names: list[str] = []
    of = pd.Series(range(len(images)), index=images.index)
    labels = image_labels(images)
    if by != "image":
        of, names = _grouped(images, by)
        labels = of.map(dict(enumerate(names)))
        numbers = _summed(numbers, of)
    first = images.assign(_label=labels)[~of.duplicated()]
    order = _ordered(numbers.assign(_at=range(len(numbers))), first)
    shown = order[: top if len(order) > top + 1 else len(order)]
    rest = order[len(shown) :]
    return CapacityRows(
        numbers.iloc[shown].reset_index(drop=True),
        first.iloc[shown].drop(columns="_label").reset_index(drop=True),
        [names[place] for place in shown] if names else [],
        _total(numbers.iloc[rest]), _total(numbers), len(rest),
    )  # fmt: skip


def _numbers(images: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of each image."""
    target, parallel = images["target_resource_count"], images["max_parallel_launches"]
    held = known_stock(images)
    no_stock, no_target = held.isna(), target.isna()
    within = held.where((held <= target).fillna(False), target).mask(no_stock)
    short = target - within
    found = {
        "target": target,
        "stock": held,
        "within": within,
        "short": short,
        "filling": _filling(images, short),
        "unknown": target.where(no_stock),
        "beyond": held - within.fillna(0),
        "parallel": parallel,
        "images": 1,
        "below": short.gt(0).fillna(False),
        "no_stock": no_stock,
        "no_target": no_target,
    }
    return pd.DataFrame(found, index=images.index).astype(COUNT)


def _filling(images: pd.DataFrame, short: pd.Series) -> pd.Series:
    """Return how many snapshots are being filled at most; null where nobody knows.

    That is as many instances as may prepare some at once, or the snapshots that are pending, if
    these are more; never more than are short. An instance prepares for a while before its
    snapshot is pending. Where a state says that it came to an end, only what is pending counts.
    """
    filling = images["max_parallel_launches"]
    if "state" in images:
        filling = filling.mask(images["state"].isin(_NOT_FILLED), 0)
    if "snapshots_pending" in images:
        pending = images["snapshots_pending"]
        filling = filling.where((filling >= pending).fillna(True), pending)
    fitting = filling.where((filling <= short).fillna(False), short)
    return fitting.mask(filling.isna() & short.gt(0).fillna(False))


def _grouped(images: pd.DataFrame, by: str) -> tuple[pd.Series, list[str]]:
    if by != "template":
        return row_order.group_images(images, by)
    told = (
        images[name].astype(object)
        for name in ("launch_template_name", "launch_template_id")
        if name in images
    )
    template = pd.Series([None] * len(images), index=images.index, dtype=object)
    for names in told:
        template = template.fillna(names)
    return row_order.group_images(images.assign(template=template), "template")


def _summed(numbers: pd.DataFrame, of: pd.Series) -> pd.DataFrame:
    """Return sums of what is known, null where nothing is."""
    summed: pd.DataFrame = numbers.groupby(of, sort=True).sum(min_count=1).astype(COUNT)
    return summed


def _total(numbers: pd.DataFrame) -> pd.Series:
    return numbers.sum(min_count=1).astype(COUNT)


def _ordered(numbers: pd.DataFrame, first: pd.DataFrame) -> list[int]:
    """Return places in order: the most that is short, then unknown; of these the largest target."""
    named = {name: first[name].to_numpy() for name in ("_label", *KEY)}
    order = numbers.assign(**named).sort_values(
        ["short", "target", "_label", *KEY],
        ascending=[False, False, True, True, True, True],
        na_position="last",
    )
    return order["_at"].tolist()
