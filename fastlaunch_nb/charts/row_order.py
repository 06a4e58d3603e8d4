"""Which image is in which row: the order of rows, their groups, and what the rows are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.charts import alt_text
from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.formatting import account_labels, image_labels, state_rank
from fastlaunch_nb.schema.columns import KEY

SORTS: Final = ("worst", "recent", "name", "account", "region")
GROUPS: Final = ("account", "region", "state")
_UNNAMED = {"template": "no template named"}  # which EC2 leaves out where there is none
_NEWEST_ON_TOP = ("worst", "recent")


class Heading(NamedTuple):
    """What stands above the rows of a group, from which row on, and how many rows it takes."""

    name: str
    images: int
    row: int
    height: int


class RowOrder(NamedTuple):
    """The rows of a figure, counted from its top.

    Attributes
    ----------
    images : DataFrame
        The last run of each image, in the order of rows, with `row`.
    headings : list of Heading
        None where there are no groups, or no room for headings.
    rows : int
        How many there are, with those that headings take.
    per_row : int
        How many images share a row at most.
    """

    images: pd.DataFrame
    headings: list[Heading]
    rows: int
    per_row: int

    def of(self, runs: pd.DataFrame) -> pd.Series:
        """Return the row of each run."""
        rows: pd.Series = runs["image"].map(self.images.set_index("image")["row"])
        return rows


def check_choice(name: str, value: object, known: Iterable[str | None]) -> None:
    """Refuse what is none of the known values."""
    if value not in (names := list(known)):
        meant = did_you_mean(str(value), [text for text in names if text])
        raise InputError(
            f"{name} is {value!r}. Expected one of {', '.join(map(repr, names))}.{meant}"
        )


def order_rows(
    runs: pd.DataFrame, sort: str, group: str | None, *, most: int, heading: float
) -> RowOrder:
    """Put images into rows.

    Parameters
    ----------
    most : int
        How many rows there may be; where there are more images, some share a row.
    heading : float
        What part of all rows a heading takes at least.
    """
    images = _sorted(runs.drop_duplicates("image", keep="last"), sort)
    of, names = group_images(images, group)
    images = images.iloc[of.argsort(kind="stable")]
    of = of.loc[images.index]
    counts = of.value_counts(sort=False).sort_index()
    per_row = -(-len(images) // most)
    in_group = images.groupby(of, sort=False).cumcount() // per_row
    sizes = -(-counts // per_row)
    gap = _gap(int(sizes.sum()), len(names) if group else 0, heading)
    first = (sizes + gap).cumsum() - sizes
    rows = int((sizes + gap).sum())
    headings = [
        Heading(names[place], int(counts.loc[place]), int(first.loc[place]) - gap, gap)
        for place in range(len(names) if gap else 0)
    ]
    return RowOrder(images.assign(row=in_group + of.map(first)), headings, rows, per_row)


def _gap(rows: int, groups: int, heading: float) -> int:
    """Return how many rows a heading takes; none where headings would take half of the figure."""
    if groups and rows + groups <= 1 / heading:
        return 1
    if not groups or groups * heading > 0.5:
        return 0
    return max(1, round(heading * rows / (1 - groups * heading)))


def _sorted(images: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Return images in their order; by what else they are called where they are alike in that."""
    names = image_labels(images).astype(object)
    keys: dict[str, Any] = {
        "worst": images["state"].map(state_rank),
        "account": account_labels(images).astype(object),
        "region": images["region"],
    }
    by = {"_sort": keys[sort]} if sort in keys else {}
    if sort in _NEWEST_ON_TOP:
        by["_newest"] = -images["start"].astype("int64")
    else:
        by["_name"] = names
    return images.assign(**by).sort_values([*by, *KEY], kind="stable").drop(columns=list(by))


def group_images(images: pd.DataFrame, group: str | None) -> tuple[pd.Series, list[str]]:
    """Return the group of each image by its number, in the order of first images, and the names."""
    if group is None:
        return pd.Series(0, index=images.index), [""]
    keys = images["account_id" if group == "account" else group].astype(object).fillna("")
    numbers, found = pd.factorize(keys)
    names = [str(key) or _UNNAMED.get(group, f"unknown {group}") for key in found]
    if group == "account":
        shown = account_labels(images).groupby(numbers).first()
        told = [str(name) for name in shown]
        for place in {place for alike in alt_text.places_alike(told) for place in alike}:
            told[place] += f" · {names[place]}"
        names = [name if key else "unknown account" for name, key in zip(told, found, strict=True)]
    return pd.Series(numbers, index=images.index), names
