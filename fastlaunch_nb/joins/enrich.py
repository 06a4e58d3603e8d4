"""Public functions of joins: enrich images, and read snapshots and metrics themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.read_limits import parse_workers
from fastlaunch_nb.aws.targets import Target, TargetLike, parse_targets
from fastlaunch_nb.errors import FastLaunchError, InputError, did_you_mean, warn
from fastlaunch_nb.joins import account_queries, cloudwatch, fetch, merge, not_read, queries
from fastlaunch_nb.joins.cloudwatch import MetricQuery
from fastlaunch_nb.joins.encryption import fetch_keys
from fastlaunch_nb.joins.fetch import Accounts, Failure, FetchResult
from fastlaunch_nb.joins.intents import fetch_intents
from fastlaunch_nb.joins.launchers import fetch_launchers
from fastlaunch_nb.joins.merge import ACCOUNT_REGION
from fastlaunch_nb.joins.queries import AccountRegion, Template
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.joins import DEFAULT_JOINS, JOINS, METRICS, NOT_READ, SNAPSHOTS
from fastlaunch_nb.schema.prices import Prices
from fastlaunch_nb.validation import check_region, parse_regions, require_columns, validate_columns

if TYPE_CHECKING:
    import boto3

    Targets: TypeAlias = Target | boto3.Session | Iterable[Target | boto3.Session] | None

_JOINS: Mapping[str, Any] = {  # a query, the function that merges its rows, and their columns
    "ami": (attrgetter("amis"), merge.join_ami, merge.LISTED),
    "siblings": (attrgetter("amis"), merge.match_amis, merge.LISTED),  # completed in a second step
    "intent": (attrgetter("amis"), merge.match_amis, merge.LISTED),  # likewise
    "template": (queries.fetch_templates, merge.join_template, merge.TEMPLATES),
    "snapshots": (queries.fetch_snapshots, merge.join_snapshots, SNAPSHOTS),
    "launches": (queries.fetch_instances, merge.join_launches, merge.INSTANCES),
    **{
        join: (
            query,
            partial(merge.join_account_region, join=join),
            merge.list_result_columns(join),
        )
        for join, query in {
            "quota": queries.fetch_quota,
            "recycle_bin": account_queries.fetch_recycle_bin,
            "leftovers": account_queries.fetch_leftovers,
            "imds": account_queries.fetch_metadata_defaults,
        }.items()
    },
    **{
        join: (
            query,
            partial(merge.join_image, join=join),
            merge.list_result_columns(join, by_image=True),
        )
        for join, query in {"launchers": fetch_launchers, "kms": fetch_keys}.items()
    },
}
_FLEET_JOINS: Mapping[str, Any] = {  # likewise, read in all accounts and regions
    "siblings": (AccountRegion.list_own_amis, merge.join_siblings, merge.OWN_AMIS),
    "intent": (fetch_intents, merge.join_intent, merge.INTENTS),
}
_TEMPLATE = ["launch_template_id", "launch_template_name", "launch_template_version"]


def enrich(
    images: IntoDataFrame,
    *joins: str,
    targets: Targets = None,
    regions: str | Iterable[str] | None = None,
    prices: Prices | None = None,
    window: timedelta | str = "14 days",
    max_workers: int = 32,
) -> pd.DataFrame:
    """Add columns from other operations of AWS to images; the rows stay the same.

    A value that cannot be read is null, with a warning about where and why. A count of
    things that do not exist is 0. ``fastlaunch_nb.joins.queries.ACTIONS`` lists the IAM
    actions that each join needs; roles need ``sts:AssumeRole``.

    Parameters
    ----------
    images : DataFrame
        Images, as :func:`fastlaunch_nb.sweep` and :func:`fastlaunch_nb.describe` return
        them. If `targets` is one target, a row without an account belongs to its account.
    *joins : str
        Names of joins: ``"ami"``, ``"siblings"``, ``"template"``, ``"snapshots"``,
        ``"metrics"``, ``"launches"``, ``"quota"``, ``"cost"``, ``"recycle_bin"``,
        ``"leftovers"``, ``"launchers"``, ``"kms"``, ``"imds"`` and ``"intent"``. Default:
        the first eight. The others would nearly double the requests and need further
        permissions; ``fl.enrich(images, *fastlaunch_nb.schema.joins.JOINS)`` makes all.
        A join replaces its columns if they exist. ``"cost"`` joins the snapshots first if
        they are missing. It needs the metrics for the launches: without them, the cost of
        preparation and the high end of the total are null.
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.sweep`. Of two targets for one
        account, the first counts.
    regions : str or iterable of str, optional
        The regions in which to look for siblings (copies, and AMIs with the same name) and
        for distribution configurations, in every account of `targets`. Default: the regions
        of the images.
    prices : Prices, optional
        The prices for ``"cost"``. Default: public prices of a few regions; the cost of
        images in other regions is null.
    window : str or datetime.timedelta, default "14 days"
        The length of the window of metrics. It ends when each account and region was
        last observed, and starts at a full hour.
    max_workers : int, default 32
        The maximum number of accounts and regions to read at once.

    Returns
    -------
    pandas.DataFrame
        The same rows with the same order, index and ``attrs``, and the columns in
        ``fastlaunch_nb.schema.joins.JOINS[join]`` of each join. The column ``not_read``
        names the joins that could not be read for a row, with AWS's error codes.

    Raises
    ------
    InputError
        If a join does not exist, or another argument is invalid. No request is sent.

    Warns
    -----
    FastLaunchWarning
        If something cannot be read, or no target leads to the account of a row.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo():
    ...     images = fl.describe(region="us-east-1", filters={"state": ["disabling-failed"]})
    ...     images = fl.enrich(images, "ami", "snapshots")
    >>> images["leftover_snapshots"].equals(images["snapshots"])
    True
    """
    images = require_columns("images", images)
    rows = merge.select_rows(images)
    chosen = _check_joins(joins, images)
    sources = parse_targets(targets)
    named = None if regions is None else parse_regions(regions)
    if prices is not None and not isinstance(prices, Prices):
        raise InputError(f"prices is a {type(prices).__name__}. Expected Prices(...).")
    query = cloudwatch.make_summary_query(window)
    workers = parse_workers(max_workers)
    row_regions = _list_regions(rows)
    columns: dict[str, pd.DataFrame] = {}
    codes = not_read.get_codes(images, chosen)
    if chosen != {"cost"}:
        is_fleet_wide = not chosen.isdisjoint(_FLEET_JOINS)
        accounts, rows = _open_accounts(rows, sources, workers, everyone=is_fleet_wide)
        columns, failures = _fetch_columns(rows, chosen, accounts, query, workers)
        for join in filter(chosen.__contains__, _FLEET_JOINS):
            account_regions = accounts.list_regions(named or row_regions)
            columns[join], failed = _fetch_fleet_columns(
                join, rows, columns[join], account_regions, workers
            )
            failures += failed
        _warn_of_failures(accounts, failures, rows)
        codes = not_read.add_codes(codes, rows, columns, accounts, failures)
    return _add_columns(images, columns, codes, prices or Prices() if "cost" in chosen else None)


def snapshots(
    targets: Targets = None, *, regions: str | Iterable[str], max_workers: int = 32
) -> pd.DataFrame:
    """Read every snapshot that Fast Launch has created, including those of deleted AMIs.

    Fast Launch sets the tag ``CreatedBy`` on them. Needs ``ec2:DescribeSnapshots``, and
    ``sts:AssumeRole`` for roles.

    Parameters
    ----------
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.sweep`.
    regions : str or iterable of str
        The regions. Each account is read in those of its own partition.
    max_workers : int, default 32
        The maximum number of accounts and regions to read at once.

    Returns
    -------
    pandas.DataFrame
        One row per snapshot, with the columns in ``fastlaunch_nb.schema.joins.SNAPSHOTS``:
        in the order of the targets, then of the regions, then of EC2.

    Raises
    ------
    InputError
        If an argument is invalid. No request is sent.
    SetupError, ReadError
        If nothing could be read.

    Warns
    -----
    FastLaunchWarning
        If some accounts or regions cannot be read. The result has the others.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     snapshots = fl.snapshots(regions="us-east-1")
    >>> snapshots["snapshot_state"].unique().tolist()
    ['completed']
    """
    sources, named = parse_targets(targets), parse_regions(regions)
    workers = parse_workers(max_workers)
    accounts = fetch.open_accounts(sources, None, named[0], workers)
    query = {"snapshots": queries.fetch_snapshots}
    result = fetch.fetch_all(accounts.list_regions(named), query, workers)
    _raise_if_all_failed(accounts, result)
    _warn_of_failures(accounts, result.failures)
    return make_table(result.rows.get("snapshots", ()), SNAPSHOTS)


def metrics(
    images: IntoDataFrame,
    *,
    targets: Targets = None,
    since: timedelta | str = "14 days",
    period: timedelta | str = "1 hour",
    max_workers: int = 32,
) -> pd.DataFrame:
    """Read the CloudWatch metrics of images, period by period.

    Needs ``cloudwatch:ListMetrics`` and ``cloudwatch:GetMetricData``, and
    ``sts:AssumeRole`` for roles.

    Parameters
    ----------
    images : DataFrame
        Images, as for :func:`fastlaunch_nb.enrich`.
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.sweep`.
    since : str or datetime.timedelta, default "14 days"
        The length of the window, which ends when each account and region was last observed.
    period : str or datetime.timedelta, default "1 hour"
        The length of each period: a multiple of a minute; of 5 minutes if `since` is more
        than 15 days, and of an hour if it is more than 63 days.
    max_workers : int, default 32
        The maximum number of accounts and regions to read at once.

    Returns
    -------
    pandas.DataFrame
        One row per image and period with data, with the columns in
        ``fastlaunch_nb.schema.joins.METRICS``: accounts and regions in the order of the
        images, then by image and time.

    Raises
    ------
    InputError
        If an argument is invalid. No request is sent.
    SetupError, ReadError
        If nothing could be read.

    Warns
    -----
    FastLaunchWarning
        If something cannot be read, or no target leads to the account of a row.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo():
    ...     images = fl.describe(region="us-east-1")
    ...     metrics = fl.metrics(images, since="1 day")
    >>> list(metrics)[:5]
    ['account_id', 'region', 'image_id', 'time', 'period']
    """
    rows = merge.select_rows(images)
    sources = parse_targets(targets)
    query = cloudwatch.make_metric_query("since", since, period)
    workers = parse_workers(max_workers)
    accounts, rows = _open_accounts(rows, sources, workers)
    fetch_metrics = partial(cloudwatch.fetch_metrics, query=query)
    account_regions = _list_account_regions(rows, accounts)
    result = fetch.fetch_all(account_regions, {"metrics": fetch_metrics}, workers)
    _raise_if_all_failed(accounts, result)
    _warn_of_failures(accounts, result.failures, rows)
    return make_table(result.rows.get("metrics", ()), METRICS)


# --- arguments ------------------------------------------------------------------------


def _check_joins(joins: Sequence[str], images: pd.DataFrame) -> set[str]:
    """Return the joins to make, with the snapshots if the cost needs them; refuse others."""
    for join in joins:
        if join not in JOINS:
            raise InputError(
                f"{join!r} cannot be joined. Expected some of {', '.join(map(repr, JOINS))}."
                f"{did_you_mean(str(join), JOINS)}"
            )
    chosen = set(joins or DEFAULT_JOINS)
    return chosen | {"snapshots"} if "cost" in chosen and "snapshot_gib" not in images else chosen


def _list_regions(rows: pd.DataFrame) -> list[str]:
    """Return the regions of rows; refuse malformed ones."""
    regions = [str(region) for region in rows["region"].dropna().unique()]
    for region in regions:
        check_region(region)
    return regions


def _open_accounts(
    rows: pd.DataFrame, sources: Sequence[TargetLike], workers: int, *, everyone: bool = False
) -> tuple[Accounts, pd.DataFrame]:
    """Open the accounts of rows; if there is one target, rows without an account get its own."""
    if rows.empty:
        return Accounts({}, []), rows
    is_default = len(sources) == 1 and bool(rows["account_id"].isna().any())
    wanted = None if everyone or is_default else set(rows["account_id"].dropna())
    accounts = fetch.open_accounts(sources, wanted, next(iter(_list_regions(rows)), None), workers)
    if is_default and accounts.sessions:
        rows = rows.assign(account_id=rows["account_id"].fillna(next(iter(accounts.sessions))))
    return accounts, rows


def _list_account_regions(rows: pd.DataFrame, accounts: Accounts) -> list[AccountRegion]:
    """Return the accounts and regions of rows, with their images and launch templates."""
    groups: Iterable[tuple[Any, pd.DataFrame]] = rows.groupby(ACCOUNT_REGION, sort=False)
    return [
        AccountRegion(
            account_id,
            RegionClient(accounts.sessions[account_id], region),
            list(images["image_id"].dropna().unique()),
            _list_templates(images),
            None if images["observed_at"].isna().all() else images["observed_at"].max(),
        )
        for (account_id, region), images in groups
        if account_id in accounts.sessions
    ]


def _list_templates(rows: pd.DataFrame) -> list[Template]:
    """Return the launch templates of rows that have a name or an id, and a version."""
    rows = rows.dropna(subset=_TEMPLATE[:2], how="all").dropna(subset=_TEMPLATE[2:])
    templates = rows[_TEMPLATE].drop_duplicates().astype(object)
    return list(map(Template._make, templates.where(templates.notna(), None).to_numpy()))


# --- results --------------------------------------------------------------------------


def _fetch_columns(
    rows: pd.DataFrame, chosen: set[str], accounts: Accounts, query: MetricQuery, workers: int
) -> tuple[dict[str, pd.DataFrame], list[Failure]]:
    """Return the columns of each join, from each row's own account and region; and failures."""
    regions = _list_account_regions(rows, accounts)
    fetch_metrics = partial(cloudwatch.fetch_metrics, query=query)
    joins = {**_JOINS, "metrics": (fetch_metrics, merge.join_metrics, METRICS)}
    reads = {join: joins[join][0] for join in joins if join in chosen}
    result = fetch.fetch_all(regions, reads, workers)
    times = [
        {
            **it.key,
            "metrics_since": it.since,
            "metrics_until": it.until,
            "snapshots_time": it.snapshots_time,
        }
        for it in regions
    ]
    columns = {}
    for join in reads:
        _, merge_rows, declared = joins[join]
        if join in ("metrics", "snapshots"):
            merge_rows = partial(merge_rows, times=make_table(times, merge.READ_TIMES))
        results = make_table(result.rows.get(join, ()), declared)
        read = merge.match_regions(rows, result.read.get(join, ()))
        columns[join] = merge_rows(rows, results, read=read)
    return columns, result.failures


def _fetch_fleet_columns(
    join: str,
    rows: pd.DataFrame,
    images: pd.DataFrame,
    regions: Sequence[AccountRegion],
    workers: int,
) -> tuple[pd.DataFrame, list[Failure]]:
    """Return the columns of a join that reads all accounts and regions; and failures."""
    query, merge_rows, declared = _FLEET_JOINS[join]
    is_needed = images["image_name"].notna().any()
    result = fetch.fetch_all(regions if is_needed else [], {join: query}, workers)
    table = make_table(result.rows.get(join, ()), declared)
    read = frozenset(result.read.get(join, ()))
    return merge_rows(rows, images, table, read), result.failures


def _add_columns(
    images: pd.DataFrame,
    columns: Mapping[str, pd.DataFrame],
    codes: pd.Series,
    prices: Prices | None,
) -> pd.DataFrame:
    """Return images with columns in their declared order, and with their cost if prices are set."""
    arrays = {
        str(name): values.array
        for join in JOINS
        if join in columns
        for name, values in columns[join].items()
    }
    joined = images.assign(**arrays)
    if prices is not None:
        rows = validate_columns("images", joined, "snapshot_gib").reset_index(drop=True)
        costs = merge.join_cost(rows, prices)
        joined = joined.assign(**{str(name): values.array for name, values in costs.items()})
    return joined.assign(**{NOT_READ.name: codes.array})


def _warn_of_failures(
    accounts: Accounts, failures: Iterable[Failure], rows: pd.DataFrame | None = None
) -> None:
    """Warn of accounts that could not be opened, rows without one, and failed queries."""
    messages = fetch.describe_unopened(accounts)
    if rows is not None:
        unreached = sorted(set(rows["account_id"].dropna()) - accounts.sessions.keys())
        incomplete = int(rows[ACCOUNT_REGION].isna().any(axis=1).sum())
        messages += fetch.describe_unreached(unreached, incomplete)
    for message in [*messages, *fetch.describe_failures(failures)]:
        warn(message)


def _raise_if_all_failed(accounts: Accounts, result: FetchResult) -> None:
    """Raise the first error if there is one, and nothing could be read."""
    errors: list[FastLaunchError] = [error for _, error in accounts.failed]
    errors += [failure.error for failure in result.failures]
    if errors and not result.read:
        raise errors[0]
