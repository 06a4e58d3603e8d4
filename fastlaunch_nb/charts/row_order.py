"""The rows of a chart: their order, their groups, and the headings of groups."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.charts import alt_text
from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.formatting import label_accounts, label_images, state_rank
from fastlaunch_nb.schema.columns import KEY

SORTS: Final = ("worst", "recent", "name", "account", "region")
GROUPS: Final = ("account", "region", "state")
_HEADING: Final = 0.015  # the minimum height of a heading, as a share of all rows


class Heading(NamedTuple):
    """The heading of a group: its name, number of images, first row, and height in rows."""

    name: str
    images: int
    row: int
    height: int


class RowOrder(NamedTuple):
    """The rows of a figure, counted from the top."""

    images: pd.DataFrame  # the last segment of each, in the order of rows, with a column `row`
    headings: list[Heading]  # none if there are no groups, or no room for headings
    rows: int  # including those of headings
    images_per_row: int  # the maximum

    def find_rows(self, segments: pd.DataFrame) -> pd.Series:
        """Return the row of each segment."""
        rows: pd.Series = segments["image"].map(self.images.set_index("image")["row"])
        return rows


def check_choice(name: str, value: object, known: Iterable[str | None]) -> None:
    """Raise an InputError if an argument is none of the known values."""
    if value not in (choices := list(known)):
        hint = did_you_mean(str(value), [choice for choice in choices if choice])
        raise InputError(
            f"{name} is {value!r}. Expected one of {', '.join(map(repr, choices))}.{hint}"
        )


def order_rows(segments: pd.DataFrame, sort: str, group: str | None, *, most: int) -> RowOrder:
    """Assign images to at most `most` rows; if there are more images, several share a row."""
    images = _sort_images(segments.drop_duplicates("image", keep="last"), sort)
    groups, names = group_images(images, group)
    images = images.iloc[groups.argsort(kind="stable")]
    groups = groups.loc[images.index]
    counts = groups.value_counts(sort=False).sort_index()
    per_row = -(-len(images) // most)
    rows_of_groups = -(-counts // per_row)
    height = _heading_height(int(rows_of_groups.sum()), len(names)) if group else 0
    ends = (rows_of_groups + height).cumsum()
    first = ends - rows_of_groups
    headings = [
        Heading(names[number], int(counts.loc[number]), int(first.loc[number]) - height, height)
        for number in range(len(names) if height else 0)
    ]
    rows = images.groupby(groups, sort=False).cumcount() // per_row + groups.map(first)
    return RowOrder(images.assign(row=rows), headings, int(ends.iloc[-1]), per_row)


def _heading_height(rows: int, groups: int) -> int:
    """Return the rows that a heading takes; 0 if headings would take half of the figure."""
    if rows + groups <= 1 / _HEADING:
        return 1
    share = groups * _HEADING
    return 0 if share > 0.5 else max(1, round(_HEADING * rows / (1 - share)))


def _sort_images(images: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Sort images by a key, then by time or name, then by id."""
    keys: dict[str, Any] = {
        "worst": images["state"].map(state_rank),
        "account": label_accounts(images).astype(object),
        "region": images["region"],
    }
    by = {"_sort": keys[sort]} if sort in keys else {}
    if sort in ("worst", "recent"):
        by["_newest"] = -images["start"].astype("int64")
    else:
        by["_name"] = label_images(images).astype(object)
    return images.assign(**by).sort_values([*by, *KEY], kind="stable").drop(columns=list(by))


def group_images(images: pd.DataFrame, group: str | None) -> tuple[pd.Series, list[str]]:
    """Return the group number of each image, in order of appearance, and the groups' names."""
    if group is None:
        return pd.Series(0, index=images.index), [""]
    keys = images["account_id" if group == "account" else group].astype(object).fillna("")
    numbers, values = pd.factorize(keys)
    # EC2 leaves the template out if an image has none.
    unknown = "no template named" if group == "template" else f"unknown {group}"
    names = [str(value) or unknown for value in values]
    if group == "account":
        labels = label_accounts(images).groupby(numbers).first().map(str).tolist()
        for position in chain.from_iterable(alt_text.find_duplicates(labels)):
            labels[position] += f" · {names[position]}"
        names = [labels[n] if values[n] else name for n, name in enumerate(names)]
    return pd.Series(numbers, index=images.index), names
