"""What was read, joined to images: a function a join. Pure, and a whole fleet at once.

Each takes `rows` (images with an index of 0, 1, …, with the columns of
:data:`NEEDED`), a table of what was read, and `read`: of which rows it was read.
It returns the columns of its join for these rows. Of what was not read it says
nothing: null. Of what was read, and was not there, it says 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import COLUMNS, COUNT, NUMBER, TEXT, Column
from fastlaunch_nb.schema.joins import JOINS, Prices
from fastlaunch_nb.validation import validate_columns

KEY, PLACE = list(columns.KEY), list(columns.KEY[:2])
_TEMPLATE, _TARGET = ["launch_template_id", "launch_template_name"], "target_resource_count"
_SETTINGS = [*_TEMPLATE, "launch_template_version", _TARGET, "max_parallel_launches"]
NEEDED: Final = (*KEY, "state", *_SETTINGS, "observed_at")
"""The columns of images that joins, and reads for them, look at."""

_MONTH = pd.Timedelta(days=30)

_KEYS = tuple(column for column in COLUMNS if column.name in KEY)
LISTED = (
    *_KEYS,
    *JOINS["ami"],
    Column("root_snapshot_id", TEXT, "what its root volume is made of"),
)
"""The columns of AMIs that EC2 lists."""
SIBLINGS = (*_KEYS, Column("image_name", TEXT, "the AMI's name"), Column("has", COUNT, "1, or 0"))
"""The columns of AMIs of some names, and whether they have Fast Launch."""
TEMPLATES = (
    *_KEYS[:2],
    *(column for column in COLUMNS if column.name in _SETTINGS[:3]),
    *JOINS["template"],
)
"""The columns of launch templates, as images name them."""
INSTANCES = (*_KEYS, Column("fast", COUNT, "1, or 0"), Column("cold", COUNT, "1, or 0"))
"""The columns of instances; neither fast nor cold is not known."""
QUOTAS = (*_KEYS[:2], *JOINS["quota"])
"""The columns of quotas."""
WINDOWS = (*_KEYS[:2], *(column for column in JOINS["metrics"] if "metrics_" in column.name))
"""The columns of the windows in which metrics were asked for."""


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Return rows as a frame with these columns and their dtypes."""
    made = pd.DataFrame(list(rows), columns=[column.name for column in columns])
    return made.astype({column.name: column.dtype for column in columns})


def rows_of(images: object) -> pd.DataFrame:
    """Return what is needed of images, as rows 0, 1, …; refuse what is no frame of images.

    Examples
    --------
    >>> from fastlaunch_nb.sources.pages import empty_images
    >>> rows_of(empty_images()).shape
    (0, 10)
    """
    fit = validate_columns("images", images, *KEY).reset_index(drop=True)
    declared = {column.name: column.dtype for column in COLUMNS}
    for name in NEEDED:
        if name not in fit:
            fit[name] = pd.array([None] * len(fit), dtype=declared[name])
    return fit[list(NEEDED)]


def places_in(rows: pd.DataFrame, places: Iterable[tuple[str, str]]) -> pd.Series:
    """Return which rows are of these places, and name an image."""
    there = pd.MultiIndex.from_tuples(list(places), names=PLACE)
    of_rows = pd.MultiIndex.from_frame(rows[PLACE])
    return rows["image_id"].notna() & pd.Series(of_rows.isin(there), index=rows.index)


# --- joins ----------------------------------------------------------------------------


def ami(rows: pd.DataFrame, listed: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return what EC2 says of each AMI; one that it does not list is absent."""
    found = _matched(rows, listed.drop_duplicates(KEY))
    found["image_state"] = found["image_state"].fillna("absent")
    return _joined("ami", found, read)


def siblings(
    rows: pd.DataFrame, names: pd.Series, found: pd.DataFrame, read: pd.Series
) -> pd.DataFrame:
    """Return how many other AMIs have a row's name, and which of them lack Fast Launch.

    An AMI of the row's own place is none, and neither is the row's own AMI, as
    the account sees it that shares it.
    """
    named = rows[KEY].assign(image_name=names)
    others = _count(named, found, ["image_name"]) - _counted_here(named, found)
    lacking = found[found["has"].eq(0)]
    lacking = lacking.assign(label=_labels(lacking))
    by_name = lacking.groupby("image_name", sort=False)["label"].agg(", ".join)
    text = named["image_name"].map(by_name).astype(TEXT).fillna("")
    also_here = named[_counted_here(named, lacking) > 0]
    text.loc[also_here.index] = _elsewhere(also_here, lacking)
    columns = {"siblings": others, "siblings_without_fast_launch": text}
    return _joined("siblings", pd.DataFrame(columns), read & names.notna())


def template(rows: pd.DataFrame, read_ones: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return what is forbidden in a row's template: nothing, in one that it does not have.

    A row that says nothing of its settings, such as an event's, may have one.
    """
    forbidden = _matched(rows, read_ones, [*PLACE, *_SETTINGS[:3]])["template_forbidden"]
    without = rows[_TEMPLATE].isna().all(axis=1) & rows[_SETTINGS].notna().any(axis=1)
    return _joined("template", pd.DataFrame({forbidden.name: forbidden.mask(without, "")}), read)


def snapshots(rows: pd.DataFrame, made: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return how many snapshots each image has, how large they are, and how many are too many."""
    pending = made["snapshot_state"].ne("completed").fillna(value=True)
    counted = made.assign(pending=pending.astype(COUNT), unknown=made["volume_gib"].isna())
    sums = counted.groupby(KEY, sort=False).agg(
        snapshots=("pending", "size"),
        snapshots_pending=("pending", "sum"),
        snapshot_gib=("volume_gib", "sum"),
        oldest_snapshot_time=("snapshot_time", "min"),
        unknown=("unknown", "any"),
    )
    sums["snapshot_gib"] = sums["snapshot_gib"].mask(sums.pop("unknown"))
    found = _matched(rows, sums.reset_index())
    none = found["snapshots"].isna()
    numbers = ["snapshots", "snapshots_pending", "snapshot_gib"]
    found[numbers] = found[numbers].astype(COUNT).mask(none, 0)
    above = (found["snapshots"] - rows[_TARGET]).clip(lower=0)
    left = rows["state"].eq("disabling-failed").fillna(value=False)
    found["leftover_snapshots"] = above.mask(left, found["snapshots"])
    return _joined("snapshots", found, read)


def metrics(
    rows: pd.DataFrame, numbers: pd.DataFrame, windows: pd.DataFrame, read: pd.Series
) -> pd.DataFrame:
    """Return the stock and the launches of each image; null of one without any number.

    One that has numbers, and none of launches, had no launches.
    """
    stock = numbers.dropna(subset=["available_snapshots"]).sort_values("time", kind="stable")
    last = stock.drop_duplicates(KEY, keep="last")
    last = last[[*KEY, "time", "available_snapshots"]]
    sums = numbers.groupby(KEY, sort=False)[["fast_launches", "cold_launches"]].sum()
    parts = [
        _matched(rows, last.rename(columns={"time": "available_snapshots_time"})),
        _matched(rows, sums.reset_index()),
        _matched(rows, windows, PLACE),
    ]
    found = pd.concat(parts, axis=1)
    return _joined("metrics", found.assign(below_target_since=_below_target(rows, stock)), read)


def launches(rows: pd.DataFrame, instances: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return how many instances each AMI has, and how they were launched."""
    counts = instances.groupby(KEY, sort=False).agg(
        instances=("fast", "size"), instances_fast=("fast", "sum"), instances_cold=("cold", "sum")
    )
    found = _matched(rows, counts.reset_index())
    return _joined("launches", found.astype(COUNT).fillna(0), read)


def quota(rows: pd.DataFrame, quotas: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return the quota of each row's place."""
    return _joined("quota", _matched(rows, quotas, PLACE), read)


def cost(images: pd.DataFrame, prices: Prices) -> pd.DataFrame:
    """Return what each image costs a month, from its snapshots and its launches.

    Every fast launch takes a snapshot, in whose place another is prepared.
    """
    gib = images["snapshot_gib"].astype(NUMBER)
    kept = gib * prices.snapshot_gib_month
    prepared = _launches_a_month(images) * prices.preparation
    columns = {
        "snapshots_monthly_usd": kept,
        "preparation_monthly_usd": prepared,
        "monthly_usd": kept + prepared.fillna(0.0),
    }
    return _joined("cost", pd.DataFrame(columns), pd.Series(data=True, index=images.index))


# --- their parts ----------------------------------------------------------------------


def _matched(rows: pd.DataFrame, found: pd.DataFrame, on: Sequence[str] = KEY) -> pd.DataFrame:
    """Return what was found for each row, in their order; null where nothing was."""
    matched = rows[list(on)].merge(found, on=list(on), how="left", validate="m:1")
    return matched.drop(columns=list(on))


def _joined(join: str, found: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return the columns of a join, with their dtypes; null of what was not read."""
    columns = JOINS[join]
    return pd.DataFrame({c.name: found[c.name].astype(c.dtype).where(read) for c in columns})


def _count(rows: pd.DataFrame, found: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return how many were found that are as a row is in these columns."""
    counts = found.groupby(by, sort=False).size().astype(COUNT).rename("count").reset_index()
    return _matched(rows, counts, by)["count"].fillna(0)


def _counted_here(named: pd.DataFrame, found: pd.DataFrame) -> pd.Series:
    """Return how many of a row's name are of its own place, or its own AMI."""
    of_place = _count(named, found, [*PLACE, "image_name"])
    of_ami = _count(named, found, ["region", "image_id", "image_name"])
    return of_place + of_ami - _count(named, found, [*KEY, "image_name"])


def _labels(found: pd.DataFrame) -> pd.Series:
    return found["account_id"] + "/" + found["region"] + "/" + found["image_id"]


def _elsewhere(named: pd.DataFrame, lacking: pd.DataFrame) -> pd.Series:
    """Return the labels of a row's siblings but for those that are counted here."""
    pairs = named.reset_index().merge(lacking, on="image_name", suffixes=("", "_there"))
    same_region = pairs["region"] == pairs["region_there"]
    here = pairs["account_id"] == pairs["account_id_there"]
    own = pairs["image_id"] == pairs["image_id_there"]
    left = pairs[~(same_region & (here | own)).fillna(value=False)]
    return left.groupby("index")["label"].agg(", ".join).reindex(named.index).fillna("")


def _below_target(rows: pd.DataFrame, stock: pd.DataFrame) -> pd.Series:
    """Return the first time since which every number of the stock is below a row's target."""
    by = [*KEY, _TARGET]
    numbers = stock[[*KEY, "time", "available_snapshots"]]
    seen = rows[by].dropna().drop_duplicates().merge(numbers, on=KEY)
    enough = seen[seen["available_snapshots"] >= seen[_TARGET]].groupby(by)["time"].max()
    seen = seen.merge(enough.rename("enough").reset_index(), on=by, how="left")
    short = seen[seen["enough"].isna() | (seen["time"] > seen["enough"])]
    since = short.groupby(by)["time"].min().rename("below_target_since").reset_index()
    return _matched(rows, since, by)["below_target_since"]


def _launches_a_month(images: pd.DataFrame) -> pd.Series:
    """Return the fast launches of 30 days, where the metrics say any."""
    if not {"fast_launches", "metrics_since", "metrics_until"} <= set(images):
        return pd.Series(pd.array([None] * len(images), dtype=NUMBER), index=images.index)
    window = images["metrics_until"] - images["metrics_since"]
    months: pd.Series = (window.dt.total_seconds() / _MONTH.total_seconds()).astype(NUMBER)
    return images["fast_launches"].astype(NUMBER) / months
