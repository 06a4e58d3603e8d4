"""Merging: the columns of each join, from the rows that its query returned. No request is sent.

Each function takes `rows` (images with the index 0, 1, … and the columns in
:data:`NEEDED`), a table of query results, and `read`: True for each row with an
account and region that could be read. It returns the columns of its join for these
rows: null where nothing could be read, 0 where nothing exists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import pandas as pd

from fastlaunch_nb.joins.families import Families, parse_ami
from fastlaunch_nb.joins.intents import match_intents
from fastlaunch_nb.pool.fill_time import DEFAULT_FILL_TIME
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import COLUMNS, COUNT, NUMBER, TEXT, TIME, Column
from fastlaunch_nb.schema.joins import DTYPES, JOINS
from fastlaunch_nb.schema.prices import EXAMPLE_SHARE, Prices
from fastlaunch_nb.validation import validate_columns

KEY, ACCOUNT_REGION = list(columns.KEY), list(columns.ACCOUNT_REGION)
_TEMPLATE, _TARGET = ["launch_template_id", "launch_template_name"], "target_resource_count"
_STATE = ["state", "state_transition_time"]
_SETTINGS = [*_TEMPLATE, "launch_template_version", _TARGET, "max_parallel_launches"]
NEEDED: Final = (*KEY, *_STATE, *_SETTINGS, "observed_at")
"""The columns of images that joins and their queries use."""

_GIB = 2**30
_MONTH = pd.Timedelta(days=30)

_KEYS = tuple(column for column in COLUMNS if column.name in KEY)
LISTED = (*_KEYS, *JOINS["ami"], Column("source_instance_id", TEXT, "its instance, if any"))
"""The columns of AMIs that EC2 lists."""
OWN_AMIS = (*LISTED, Column("has", COUNT, "1 if it has Fast Launch, else 0"))
"""The columns of an account's own AMIs."""
TEMPLATES = (
    *_KEYS[:2],
    *(column for column in COLUMNS if column.name in _SETTINGS[:3]),
    *JOINS["template"],
)
"""The columns of launch templates, with the names that images have for them."""
INSTANCES = (
    *_KEYS,
    Column("launch_time", TIME, "time of the first launch"),
    Column("fast", COUNT, "1, or 0"),
    Column("cold", COUNT, "1, or 0"),
)
"""The columns of instances; both counts are 0 if the kind of launch is unknown."""
INTENTS = (*_KEYS[:2], Column("name_pattern", TEXT, "pattern of names"), *JOINS["intent"])
"""The columns of intended settings, for the names of AMIs that match a pattern."""
READ_TIMES = (
    *_KEYS[:2],
    *(column for column in JOINS["metrics"] if "metrics_" in column.name),
    *(column for column in JOINS["snapshots"] if column.name == "snapshots_time"),
)
"""The columns of the times for which accounts and regions were read."""


def list_result_columns(join: str, *, by_image: bool = False) -> tuple[Column, ...]:
    """Return the columns of a query whose rows have the columns of a join, and a key."""
    return (*(_KEYS if by_image else _KEYS[:2]), *JOINS[join])


def select_rows(images: object) -> pd.DataFrame:
    """Return the needed columns of images, with the index 0, 1, …; refuse other objects.

    Examples
    --------
    >>> from fastlaunch_nb.sources.pages import empty_images
    >>> select_rows(empty_images()).shape
    (0, 11)
    """
    rows = validate_columns("images", images, *KEY).reset_index(drop=True)
    return rows.reindex(columns=list(NEEDED)).astype({name: DTYPES[name] for name in NEEDED})


def match_regions(rows: pd.DataFrame, account_regions: Iterable[tuple[str, str]]) -> pd.Series:
    """Return True for each row with an image and one of these accounts and regions."""
    expected = pd.MultiIndex.from_tuples(list(account_regions), names=ACCOUNT_REGION)
    actual = pd.MultiIndex.from_frame(rows[ACCOUNT_REGION])
    return rows["image_id"].notna() & pd.Series(actual.isin(expected), index=rows.index)


# --- joins ----------------------------------------------------------------------------


def join_ami(rows: pd.DataFrame, amis: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return the attributes of each AMI; an AMI that EC2 does not list is absent."""
    return _select_columns("ami", match_amis(rows, amis, read), read)


def match_amis(rows: pd.DataFrame, amis: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return the AMI of each row with the columns in :data:`LISTED`; null where it was not read."""
    matches = _match_rows(rows, amis.drop_duplicates(KEY))
    matches["image_state"] = matches["image_state"].fillna("absent")
    return rows[KEY].join(matches.where(read))


def join_siblings(
    rows: pd.DataFrame, images: pd.DataFrame, amis: pd.DataFrame, read: Collection[tuple[str, str]]
) -> pd.DataFrame:
    """Count the siblings of each image, list those without Fast Launch, find its successor.

    `images` are the AMIs of the rows, `amis` those of the accounts and regions in `read`.
    Siblings in the image's own account and region do not count, and neither does its own
    AMI as another account sees it. The successor is in its own account and region.
    """
    known = images["image_name"].notna()
    own = [parse_ami(row) for row in images[known].to_dict("records")]
    families = Families([parse_ami(row) for row in amis.to_dict("records")], own)
    found = [
        (
            families.find_siblings(image).count_others(image),
            families.find_siblings(image).label_others(image),
            families.find_successor(image) if image[:2] in read else None,
        )
        for image in own
    ]
    names = [column.name for column in JOINS["siblings"]]
    values = pd.DataFrame(found, columns=names, index=rows.index[known]).reindex(rows.index)
    return _select_columns("siblings", values, known & bool(read))


def join_template(rows: pd.DataFrame, templates: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return settings of each image's launch template: none are forbidden without a template.

    They are unknown for a row without any setting, such as that of an event.
    """
    matches = _match_rows(rows, templates, [*ACCOUNT_REGION, *_SETTINGS[:3]])
    has_none = rows[_TEMPLATE].isna().all(axis=1) & rows[_SETTINGS].notna().any(axis=1)
    matches["template_forbidden"] = matches["template_forbidden"].mask(has_none, "")
    return _select_columns("template", matches, read)


def join_snapshots(
    rows: pd.DataFrame, snapshots: pd.DataFrame, times: pd.DataFrame, read: pd.Series
) -> pd.DataFrame:
    """Return the number, size and age of each image's snapshots, and how many are in excess."""
    pending = snapshots["snapshot_state"].ne("completed").fillna(value=True)
    groups = snapshots.assign(pending=pending.astype(COUNT)).groupby(KEY, sort=False)
    sums = groups.agg(
        snapshots=("pending", "size"),
        snapshots_pending=("pending", "sum"),
        snapshot_gib=("volume_gib", "sum"),
        snapshot_full_gib=("full_snapshot_bytes", "sum"),
        oldest_snapshot_time=("snapshot_time", "min"),
        sizes=("volume_gib", "count"),
        full_sizes=("full_snapshot_bytes", "count"),
    )
    sums["snapshot_gib"] = sums["snapshot_gib"].where(sums.pop("sizes") == sums["snapshots"])
    full_gib = sums["snapshot_full_gib"].astype(NUMBER) / _GIB
    sums["snapshot_full_gib"] = full_gib.where(sums.pop("full_sizes") == sums["snapshots"])
    matches = _match_rows(rows, sums.reset_index())
    has_none = matches["snapshots"].isna()
    numbers = ["snapshots", "snapshots_pending", "snapshot_gib"]
    matches[numbers] = matches[numbers].astype(COUNT).mask(has_none, 0)
    matches["snapshot_full_gib"] = matches["snapshot_full_gib"].mask(has_none, 0.0)
    above_target = (matches["snapshots"] - rows[_TARGET]).clip(lower=0)
    is_failed = rows["state"].eq("disabling-failed").fillna(value=False)
    matches["leftover_snapshots"] = above_target.mask(is_failed, matches["snapshots"])
    matches["snapshots_time"] = _match_rows(rows, times, ACCOUNT_REGION)["snapshots_time"]
    return _select_columns("snapshots", matches, read)


def join_metrics(
    rows: pd.DataFrame, metrics: pd.DataFrame, times: pd.DataFrame, read: pd.Series
) -> pd.DataFrame:
    """Return the stock and the launches of each image; null for an image without any metric.

    An image with metrics, but none of launches, had no launches.
    """
    stock = metrics.dropna(subset=["available_snapshots"]).sort_values("time", kind="stable")
    last = stock.drop_duplicates(KEY, keep="last")[[*KEY, "time", "available_snapshots"]]
    sums = metrics.groupby(KEY, sort=False)[["fast_launches", "cold_launches"]].sum()
    parts = [
        _match_rows(rows, last.rename(columns={"time": "available_snapshots_time"})),
        _match_rows(rows, sums.reset_index()),
        _match_rows(rows, times, ACCOUNT_REGION),
        _find_below_target_since(rows, stock),
    ]
    return _select_columns("metrics", pd.concat(parts, axis=1), read)


def join_launches(rows: pd.DataFrame, instances: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return the number of instances of each image, by the kind and the time of their launch."""
    counts = instances.groupby(KEY, sort=False).agg(
        instances=("fast", "size"), instances_fast=("fast", "sum"), instances_cold=("cold", "sum")
    )
    matches = _match_rows(rows, counts.reset_index()).astype(COUNT).fillna(0)
    times = instances.groupby(KEY, sort=False)["launch_time"].max().reset_index()
    matches["last_instance_launch_time"] = _match_rows(rows, times)["launch_time"]
    return _select_columns("launches", matches.join(_count_since_enabled(rows, instances)), read)


def _count_since_enabled(rows: pd.DataFrame, instances: pd.DataFrame) -> pd.DataFrame:
    """Return the instances of each row that were launched since its state became `enabled`.

    They are unknown in other states, and where the time of a launch is unknown.
    """
    pairs = rows[[*KEY, *_STATE]].reset_index().merge(instances, on=KEY)
    later = pairs["launch_time"] > pairs["state_transition_time"]
    columns = {}
    for kind in ("fast", "cold"):
        sums = pairs[kind].where(later, 0).groupby(pairs["index"]).sum()
        columns[f"instances_{kind}_since_enabled"] = sums.reindex(rows.index).fillna(0)
    untimed = pairs.loc[pairs["launch_time"].isna(), "index"]
    is_known = rows["state"].eq("enabled").fillna(value=False)
    is_known &= rows["state_transition_time"].notna() & ~rows.index.isin(untimed)
    return pd.DataFrame(columns, index=rows.index).astype(COUNT).where(is_known)


def join_account_region(
    rows: pd.DataFrame, results: pd.DataFrame, read: pd.Series, *, join: str
) -> pd.DataFrame:
    """Return the columns of a join that each row's account and region has once."""
    return _select_columns(join, _match_rows(rows, results, ACCOUNT_REGION), read)


def join_image(
    rows: pd.DataFrame, results: pd.DataFrame, read: pd.Series, *, join: str
) -> pd.DataFrame:
    """Return the columns of a join that each image has once."""
    return _select_columns(join, _match_rows(rows, results), read)


def join_intent(
    rows: pd.DataFrame,
    images: pd.DataFrame,
    intents: pd.DataFrame,
    read: Collection[tuple[str, str]],
) -> pd.DataFrame:
    """Return the intended settings of each image; `images` are the AMIs of the rows."""
    known = images["image_name"].notna() & bool(read)
    return _select_columns("intent", match_intents(images, intents), known)


def join_cost(images: pd.DataFrame, prices: Prices) -> pd.DataFrame:
    """Return the monthly cost of each image as a range, from its snapshots and its launches.

    The high end of the snapshots is the full price of all their blocks, or of their
    volumes where the blocks are unknown. The low end is :data:`EXAMPLE_SHARE` of it,
    because blocks in common are stored once. Every fast launch uses up a snapshot, and
    EC2 prepares another: for nothing at the low end, on an instance at the high end.
    A region without a price has no cost.
    """
    gib = _get_column(images, "snapshot_full_gib").fillna(_get_column(images, "snapshot_gib"))
    regions = images["region"].astype(object)
    by_region = {region: prices.find_snapshot_price(region) for region in regions.dropna().unique()}
    stored = gib * regions.map(by_region).astype(NUMBER)
    prepared = _estimate_monthly_launches(images) * _price_preparations(images, prices)
    total = stored + prepared
    columns = {
        "snapshots_monthly_usd_low": stored * EXAMPLE_SHARE,
        "snapshots_monthly_usd_high": stored,
        "preparation_monthly_usd_low": prepared * 0,
        "preparation_monthly_usd_high": prepared,
        "monthly_usd_low": stored * EXAMPLE_SHARE,
        "monthly_usd_high": total,
        "snapshots_monthly_usd": stored,
        "preparation_monthly_usd": prepared,
        "monthly_usd": total,
    }
    return _select_columns("cost", pd.DataFrame(columns), pd.Series(data=True, index=images.index))


# --- helpers --------------------------------------------------------------------------


def _match_rows(rows: pd.DataFrame, results: pd.DataFrame, on: Sequence[str] = KEY) -> pd.DataFrame:
    """Return the matching result of each row, in the order of the rows; null without a match."""
    matches = rows[list(on)].merge(results, on=list(on), how="left", validate="m:1")
    return matches.drop(columns=list(on))


def _select_columns(join: str, values: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """Return the columns of a join with their dtypes; null where nothing could be read."""
    columns = JOINS[join]
    return pd.DataFrame({c.name: values[c.name].astype(c.dtype).where(read) for c in columns})


def _find_below_target_since(rows: pd.DataFrame, stock: pd.DataFrame) -> pd.Series:
    """Return the time since which every number of the stock is below a row's target."""
    on = [*KEY, _TARGET]
    numbers = stock[[*KEY, "time", "available_snapshots"]]
    points = rows[on].dropna().drop_duplicates().merge(numbers, on=KEY)
    is_enough = points["available_snapshots"] >= points[_TARGET]
    points["enough"] = points["time"].where(is_enough)
    is_earlier = points["time"] <= points.groupby(on)["enough"].transform("max")
    since = points[~is_earlier].groupby(on)["time"].min().rename("below_target_since")
    return _match_rows(rows, since.reset_index(), on)["below_target_since"]


def _get_column(images: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of numbers; nulls if it is missing."""
    return images.reindex(columns=[name])[name].astype(NUMBER)


def _price_preparations(images: pd.DataFrame, prices: Prices) -> pd.Series:
    """Return the price of preparing one snapshot on the instance type of each row's template."""
    columns = images.reindex(columns=["region", "template_instance_type"]).astype(TEXT).fillna("")
    keys = list(columns.itertuples(index=False, name=None))
    by_key = {
        (region, instance_type): prices.find_preparation_price(
            region, DEFAULT_FILL_TIME, instance_type or None
        )
        for region, instance_type in set(keys)
        if region
    }
    return pd.Series([by_key.get(key) for key in keys], dtype=NUMBER)


def _estimate_monthly_launches(images: pd.DataFrame) -> pd.Series:
    """Return the number of fast launches in 30 days; null without metrics."""
    if not {"fast_launches", "metrics_since", "metrics_until"} <= set(images):
        return pd.Series(index=images.index, dtype=NUMBER)
    window = images["metrics_until"] - images["metrics_since"]
    months: pd.Series = (window.dt.total_seconds() / _MONTH.total_seconds()).astype(NUMBER)
    return images["fast_launches"].astype(NUMBER) / months
