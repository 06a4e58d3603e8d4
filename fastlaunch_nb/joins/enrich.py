"""What may be asked: joins to images, and the snapshots and metrics that two are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.targets import Target, TargetLike, target_list
from fastlaunch_nb.errors import FastLaunchError, InputError, did_you_mean, warn
from fastlaunch_nb.joins import cloudwatch, fetch, merge, queries
from fastlaunch_nb.joins.cloudwatch import MetricQuery
from fastlaunch_nb.joins.fetch import Accounts, Failure, FetchResult
from fastlaunch_nb.joins.merge import PLACE, table
from fastlaunch_nb.joins.queries import AccountRegion, Template
from fastlaunch_nb.schema.joins import JOINS, METRICS, SNAPSHOTS, Prices
from fastlaunch_nb.validation import (
    check_region,
    check_regions,
    check_workers,
    validate_columns,
)

if TYPE_CHECKING:
    import boto3

    Targets: TypeAlias = Target | boto3.Session | Iterable[Target | boto3.Session] | None

_READS: Mapping[str, Any] = {
    "ami": queries.listed,
    "siblings": queries.listed,  # of which they have the names
    "template": queries.templates,
    "snapshots": queries.made_snapshots,
    "launches": queries.instances,
    "quota": queries.quotas,
}
_JOINS: Mapping[str, Any] = {  # what makes its columns, of rows with which columns
    "ami": (merge.ami, merge.LISTED),
    "siblings": (merge.ami, merge.LISTED),
    "template": (merge.template, merge.TEMPLATES),
    "snapshots": (merge.snapshots, SNAPSHOTS),
    "launches": (merge.launches, merge.INSTANCES),
    "quota": (merge.quota, merge.QUOTAS),
}
_TEMPLATE = ["launch_template_id", "launch_template_name", "launch_template_version"]


def enrich(
    images: pd.DataFrame,
    *joins: str,
    targets: Targets = None,
    regions: str | Iterable[str] | None = None,
    prices: Prices | None = None,
    window: timedelta | str = "14 days",
    max_workers: int = 32,
) -> pd.DataFrame:
    """Join to images what other operations of AWS say of them: the same rows, more columns.

    What can not be read is null, with a warning that says where and why; what was
    read and is not there is 0. The IAM actions that each join needs are in
    ``fastlaunch_nb.joins.ACTIONS``; roles need ``sts:AssumeRole``.

    Parameters
    ----------
    images : pandas.DataFrame
        Images, as :func:`fastlaunch_nb.collect` and :func:`fastlaunch_nb.describe`
        make them. A row without an account is taken to be of the one that
        `targets` leads to, if they are one target.
    *joins : {"ami", "siblings", "template", "snapshots", "metrics", "launches", "quota", "cost"}
        What to join; all if none is named. Columns that are there already are
        replaced. ``"cost"`` joins the snapshots first, if they are not there;
        launches count where the metrics are there.
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.collect`. Of two that lead to the
        same account the first is taken.
    regions : str or iterable of str, optional
        Where to look for siblings, in every account of `targets`: AMIs of the
        same name. The regions of the images if not given.
    prices : Prices, optional
        What AWS charges, for ``"cost"``; those of us-east-1 if not given.
    window : str or datetime.timedelta, default "14 days"
        How far back metrics go, from the last look at each account and region;
        it begins at a full hour.
    max_workers : int, default 32
        How many accounts and regions may be asked at once.

    Returns
    -------
    pandas.DataFrame
        The same rows, in the same order, with the same index and ``attrs``; and the
        columns of ``fastlaunch_nb.schema.joins.JOINS[join]``.

    Raises
    ------
    InputError
        There is no such join, or something else asked can not be asked. Nothing
        was sent.

    Warns
    -----
    FastLaunchWarning
        Something could not be read; or no target leads to the account of a row.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo():
    ...     images = fl.describe(region="us-east-1", filters={"state": ["disabling-failed"]})
    ...     images = fl.enrich(images, "ami", "snapshots")
    >>> images["leftover_snapshots"].equals(images["snapshots"])
    True
    """
    rows = merge.rows_of(images)
    chosen = _chosen(joins, images)
    sources = target_list(targets)
    elsewhere = None if regions is None else check_regions(regions)
    prices = _prices(prices)
    asked = cloudwatch.summary("window", window)
    workers = check_workers(max_workers)
    _check_regions_of(rows)
    columns: dict[str, pd.DataFrame] = {}
    if chosen != {"cost"}:
        accounts, rows = _opened(rows, sources, workers, everyone="siblings" in chosen)
        columns, failures = _read(rows, chosen, accounts, asked, workers)
        if "siblings" in chosen:
            where = accounts.places(elsewhere or _regions_of(rows))
            columns["siblings"] = _siblings(rows, columns["siblings"], where, workers, failures)
        for message in [*_told(rows, accounts), *fetch.told(failures)]:
            warn(message)
    return _with(images, columns, prices if "cost" in chosen else None)


def snapshots(
    targets: Targets = None, *, regions: str | Iterable[str], max_workers: int = 32
) -> pd.DataFrame:
    """Read every snapshot that Fast Launch has made, those of AMIs that are gone too.

    They are known by the tag ``CreatedBy``. Needs ``ec2:DescribeSnapshots``; for
    roles, ``sts:AssumeRole``.

    Parameters
    ----------
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.collect`.
    regions : str or iterable of str
        The regions; of each account those in its own partition.
    max_workers : int, default 32
        How many accounts and regions may be asked at once.

    Returns
    -------
    pandas.DataFrame
        A row a snapshot, with the columns of ``fastlaunch_nb.schema.joins.SNAPSHOTS``: in
        the order of the targets, then of the regions, then in EC2's.

    Raises
    ------
    InputError
        Something asked can not be asked. Nothing was sent.
    SetupError, ReadError
        Nothing could be read.

    Warns
    -----
    FastLaunchWarning
        An account, or a region of one, could not be read. The rest is there.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     found = fl.snapshots(regions="us-east-1")
    >>> found["snapshot_state"].unique().tolist()
    ['completed']
    """
    sources, named = target_list(targets), check_regions(regions)
    workers = check_workers(max_workers)
    accounts = fetch.open_accounts(sources, None, named[0], workers)
    brought = fetch.fetch_all(
        accounts.places(named), {"snapshots": queries.made_snapshots}, workers
    )
    _raise_if_nothing(accounts, brought)
    for message in [*fetch.told_unopened(accounts), *fetch.told(brought.failures)]:
        warn(message)
    return table(brought.rows.get("snapshots", ()), SNAPSHOTS)


def metrics(
    images: pd.DataFrame,
    *,
    targets: Targets = None,
    since: timedelta | str = "14 days",
    period: timedelta | str = "1 hour",
    max_workers: int = 32,
) -> pd.DataFrame:
    """Read what CloudWatch has of images, period by period.

    Needs ``cloudwatch:ListMetrics`` and ``cloudwatch:GetMetricData``; for roles,
    ``sts:AssumeRole``.

    Parameters
    ----------
    images : pandas.DataFrame
        Images, as for :func:`fastlaunch_nb.joins`.
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.collect`.
    since : str or datetime.timedelta, default "14 days"
        How far back, from the last look at each account and region.
    period : str or datetime.timedelta, default "1 hour"
        How long each period is: a multiple of a minute; of five for what is older
        than 15 days, and of an hour for what is older than 63.
    max_workers : int, default 32
        How many accounts and regions may be asked at once.

    Returns
    -------
    pandas.DataFrame
        A row an image and period that there is a number for, with the columns of
        ``fastlaunch_nb.schema.joins.METRICS``: by place as the images have them, by image,
        by time.

    Raises
    ------
    InputError
        Something asked can not be asked. Nothing was sent.
    SetupError, ReadError
        Nothing could be read.

    Warns
    -----
    FastLaunchWarning
        Something could not be read; or no target leads to the account of a row.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo():
    ...     images = fl.describe(region="us-east-1")
    ...     found = fl.metrics(images, since="1 day")
    >>> list(found)[:5]
    ['account_id', 'region', 'image_id', 'time', 'period']
    """
    rows = merge.rows_of(images)
    sources = target_list(targets)
    asked = cloudwatch.metric_query("since", since, period)
    workers = check_workers(max_workers)
    _check_regions_of(rows)
    accounts, rows = _opened(rows, sources, workers)
    read = partial(cloudwatch.fetch_metrics, asked=asked)
    brought = fetch.fetch_all(_places(rows, accounts), {"metrics": read}, workers)
    _raise_if_nothing(accounts, brought)
    for message in [*_told(rows, accounts), *fetch.told(brought.failures)]:
        warn(message)
    return table(brought.rows.get("metrics", ()), METRICS)


# --- what is asked --------------------------------------------------------------------


def _chosen(joins: Sequence[str], images: pd.DataFrame) -> set[str]:
    """Return the joins to make; cost needs the snapshots. Refuse what is none."""
    for join in joins:
        if join not in JOINS:
            raise InputError(
                f"{join!r} can not be joined. Expected some of {', '.join(map(repr, JOINS))}."
                f"{did_you_mean(str(join), JOINS)}"
            )
    chosen = set(joins or JOINS)
    return chosen | {"snapshots"} if "cost" in chosen and "snapshot_gib" not in images else chosen


def _prices(prices: Any) -> Prices:
    if prices is not None and not isinstance(prices, Prices):
        raise InputError(f"prices is a {type(prices).__name__}. Expected Prices(...).")
    return prices or Prices()


def _regions_of(rows: pd.DataFrame) -> list[str]:
    return [str(region) for region in rows["region"].dropna().unique()]


def _check_regions_of(rows: pd.DataFrame) -> None:
    for region in _regions_of(rows):
        check_region(region)


def _opened(
    rows: pd.DataFrame, sources: Sequence[TargetLike], workers: int, *, everyone: bool = False
) -> tuple[Accounts, pd.DataFrame]:
    """Open the accounts of rows; rows without one are of the one that the one target leads to."""
    if rows.empty:
        return Accounts({}, []), rows
    unnamed = rows["account_id"].isna()
    alone = len(sources) == 1 and bool(unnamed.any())
    wanted = None if everyone or alone else set(rows["account_id"].dropna())
    accounts = fetch.open_accounts(sources, wanted, next(iter(_regions_of(rows)), None), workers)
    if alone and accounts.opened:
        rows = rows.assign(account_id=rows["account_id"].fillna(next(iter(accounts.opened))))
    return accounts, rows


def _places(rows: pd.DataFrame, accounts: Accounts) -> list[AccountRegion]:
    """Return the places that rows are of and targets lead to, and what to ask of each."""
    found: Iterable[tuple[Any, pd.DataFrame]] = rows.groupby(PLACE, sort=False)
    return [
        AccountRegion(
            account_id,
            RegionClient(accounts.opened[account_id], region),
            list(part["image_id"].dropna().unique()),
            _templates(part),
            None if part["observed_at"].isna().all() else part["observed_at"].max(),
        )
        for (account_id, region), part in found
        if account_id in accounts.opened
    ]


def _templates(rows: pd.DataFrame) -> list[Template]:
    """Return the templates that rows name, with a version."""
    named = rows[_TEMPLATE].drop_duplicates()
    named = named[named[_TEMPLATE[:2]].notna().any(axis=1) & named[_TEMPLATE[2]].notna()]
    plain = named.astype(object).where(named.notna(), None)
    return [Template(*template) for template in plain.itertuples(index=False)]


# --- what came of it ------------------------------------------------------------------


def _read(
    rows: pd.DataFrame, chosen: set[str], accounts: Accounts, asked: MetricQuery, workers: int
) -> tuple[dict[str, pd.DataFrame], list[Failure]]:
    """Return the columns of what is read of each row's own place, and what could not be."""
    here = _places(rows, accounts)
    wanted = {**_READS, "metrics": partial(cloudwatch.fetch_metrics, asked=asked)}
    brought = fetch.fetch_all(
        here, {join: wanted[join] for join in wanted if join in chosen}, workers
    )
    joins = {**_JOINS, "metrics": (partial(merge.metrics, windows=_windows(here)), METRICS)}
    columns = {
        join: make(rows, table(brought.rows.get(join, ()), declared), read=brought.of(join, rows))
        for join, (make, declared) in joins.items()
        if join in chosen
    }
    return columns, brought.failures


def _windows(here: Iterable[AccountRegion]) -> pd.DataFrame:
    windows = (
        {**place.key, "metrics_since": place.since, "metrics_until": place.until} for place in here
    )
    return table(windows, merge.WINDOWS)


def _siblings(
    rows: pd.DataFrame,
    own: pd.DataFrame,
    where: Sequence[AccountRegion],
    workers: int,
    failures: list[Failure],
) -> pd.DataFrame:
    """Look for AMIs of the same names; note what could not be read."""
    names = own["image_name"]
    named = sorted(names.dropna().unique())
    reads = {"siblings": lambda place: place.of_names(named)}
    found = fetch.fetch_all(where if named else (), reads, workers)
    failures += found.failures
    there = table(found.rows.get("siblings", ()), merge.SIBLINGS)
    read = names.notna() & bool(found.read)
    return merge.siblings(rows, names, there, read)


def _with(
    images: pd.DataFrame, columns: Mapping[str, pd.DataFrame], prices: Prices | None
) -> pd.DataFrame:
    """Return images with columns, in the order they are declared; and what they then cost."""
    found = {
        str(name): values.array
        for join in JOINS
        if join in columns
        for name, values in columns[join].items()
    }
    joined = images.assign(**found)
    if prices is None:
        return joined
    fit = validate_columns("images", joined, "snapshot_gib").reset_index(drop=True)
    costs = merge.cost(fit, prices)
    return joined.assign(**{str(name): values.array for name, values in costs.items()})


def _told(rows: pd.DataFrame, accounts: Accounts) -> list[str]:
    """Return what there is to know of the accounts of rows."""
    named = rows["account_id"].dropna().unique()
    unreached = sorted(set(named) - accounts.opened.keys())
    nameless = int(rows[PLACE].isna().any(axis=1).sum())
    return [*fetch.told_unopened(accounts), *fetch.told_unreached(unreached, nameless)]


def _raise_if_nothing(accounts: Accounts, brought: FetchResult) -> None:
    """Raise the first error, where nothing could be read because of any."""
    errors: list[FastLaunchError] = [error for _, error in accounts.failed]
    errors += [failure.error for failure in brought.failures]
    if errors and not brought.read:
        raise errors[0]
