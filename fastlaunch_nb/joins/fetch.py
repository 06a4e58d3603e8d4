"""Fetching: open accounts, run queries in many regions at once, describe what failed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, TypeAlias, TypeVar

from fastlaunch_nb.aws.clients import AccountSession, filter_by_partition
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.read_limits import (
    DEFAULT_TIMEOUT,
    Breaker,
    TimeLimit,
    get_code,
    make_unresponsive_error,
)
from fastlaunch_nb.aws.targets import (
    AccountCache,
    TargetLike,
    get_account_id,
    get_account_name,
    identify_account,
)
from fastlaunch_nb.errors import FastLaunchError, escape_unprintable
from fastlaunch_nb.joins.queries import AccountRegion, Row
from fastlaunch_nb.schema.joins import JOINS
from fastlaunch_nb.threads import DaemonExecutor

A = TypeVar("A")
B = TypeVar("B")
Queries: TypeAlias = Mapping[str, Callable[[AccountRegion], list[Row]]]
"""The query of each join, by the name of the join."""
_SERVICES = {  # of joins, if it is not EC2 alone
    "intent": "imagebuilder",
    "kms": "kms",
    "launchers": "autoscaling",
    "metrics": "cloudwatch",
    "quota": "service-quotas",
    "recycle_bin": "rbin",
}
_MAX_NAMES = 3  # in a warning, before "and N more"


def _run_parallel(workers: int, work: Callable[[A], B], jobs: Iterable[A]) -> list[B]:
    """Return the results of jobs that run in threads, in order; Ctrl-C does not wait for them."""
    with closing(DaemonExecutor(workers)) as pool:
        return list(pool.map(work, jobs))


@contextmanager
def _limit_read(
    breaker: Breaker, key: Hashable, operation: str, region: str | None
) -> Iterator[None]:
    """Limit the time of a read, and leave it out if others with this key took too long."""
    if breaker.is_broken(key):
        raise make_unresponsive_error(operation, region)
    try:
        with TimeLimit(DEFAULT_TIMEOUT).watch():
            yield
    except FastLaunchError as error:
        breaker.record(key, get_code(error))
        raise
    breaker.record(key, None)


# --- accounts -------------------------------------------------------------------------


class Accounts(NamedTuple):
    """The sessions of accounts by their ids, and the targets that could not be opened."""

    sessions: Mapping[str, AccountSession]
    failed: Sequence[tuple[TargetLike, FastLaunchError]]

    def list_regions(self, regions: Sequence[str]) -> list[AccountRegion]:
        """Return every account with each of these regions that is in its partition."""
        return [
            AccountRegion(account_id, RegionClient(session, region))
            for account_id, session in self.sessions.items()
            for region in filter_by_partition(regions, session.partition)
        ]


def open_accounts(
    sources: Sequence[TargetLike], wanted: Collection[str] | None, region: str | None, workers: int
) -> Accounts:
    """Open the accounts of targets, except those with the id of an account that is not wanted.

    If `wanted` is None, all are. Of two targets for one account the first counts.
    """
    cache, breaker = AccountCache(workers), Breaker()

    def open_account(source: TargetLike) -> tuple[str, AccountSession] | FastLaunchError:
        try:
            with _limit_read(breaker, None, "GetCallerIdentity", None):
                session = cache.open(source, region)
                return identify_account(session, source), session
        except FastLaunchError as error:
            return error

    if wanted is not None:
        expected = {None, *wanted}
        sources = [source for source in sources if get_account_id(source) in expected]
    sessions: dict[str, AccountSession] = {}
    failed = []
    for source, result in zip(sources, _run_parallel(workers, open_account, sources), strict=True):
        if isinstance(result, FastLaunchError):
            failed.append((source, result))
        else:
            sessions.setdefault(*result)
    return Accounts(sessions, failed)


# --- results --------------------------------------------------------------------------


@dataclass
class FetchResult:
    """The rows of each query, the accounts and regions that it could read, and the failures."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    read: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def fetch_all(regions: Sequence[AccountRegion], queries: Queries, workers: int) -> FetchResult:
    """Run queries in many accounts and regions at once; a failure affects no other query."""
    breaker = Breaker()

    def fetch(region: AccountRegion) -> dict[str, list[Row]]:
        rows, name = {}, region.client.region
        for join, query in queries.items():
            try:
                with _limit_read(breaker, (_SERVICES.get(join, "ec2"), name), "", name):
                    rows[join] = query(region)
            except FastLaunchError as error:
                region.errors.append((join, error))
        return rows

    result = FetchResult()
    for region, rows_by_join in zip(regions, _run_parallel(workers, fetch, regions), strict=True):
        name = (region.account_id, region.client.region)
        for join, rows in rows_by_join.items():
            result.rows.setdefault(join, []).extend(rows)
            result.read.setdefault(join, []).append(name)
        result.failures += [Failure(join, *name, error) for join, error in region.errors]
    return result


# --- warnings -------------------------------------------------------------------------


class Failure(NamedTuple):
    """A query that failed in one account and region, with its error."""

    join: str
    account_id: str
    region: str
    error: FastLaunchError

    @property
    def code(self) -> str:
        """The error code."""
        return str(get_code(self.error))

    @property
    def reason(self) -> tuple[int, str, str]:
        """The join, the error code and the operation: failures that share them are one message."""
        return list(JOINS).index(self.join), self.code, getattr(self.error, "operation", "")


def describe_failures(failures: Iterable[Failure]) -> list[str]:
    """Return one warning for each join and reason: where it could not be read, and why."""
    reason = attrgetter("reason")
    warnings = []
    for _, group in groupby(sorted(failures, key=reason), reason):
        same = list(group)
        regions = dict.fromkeys(f"{it.account_id} {it.region}" for it in same)
        where, first = _shorten_names([*regions]), same[0]
        warnings.append(f"{first.join} could not be read in {where}: {first.error.summary()}")
    return warnings


def describe_unopened(accounts: Accounts) -> list[str]:
    """Return one warning for each target that could not be opened."""
    warnings = []
    for source, error in accounts.failed:
        name = get_account_id(source) or get_account_name(source)
        account = f"The account {name}" if name else "The account of boto3's own credentials"
        warnings.append(f"{account} could not be opened: {error}")
    return warnings


def describe_unreached(account_ids: Sequence[str], incomplete: int) -> list[str]:
    """Return a warning about accounts without a target, and one about rows without a key."""
    warnings = []
    if account_ids:
        names = _shorten_names([escape_unprintable(account_id) for account_id in account_ids])
        warnings.append(
            f"No target leads to {names}: the joined columns of images there are null. "
            "Pass targets that lead there."
        )
    if incomplete:
        rows = "1 row has" if incomplete == 1 else f"{incomplete:,} rows have"
        warnings.append(
            f"{rows} no account or no region: the joined columns are null there. "
            "Pass account_id and region to from_pages."
        )
    return warnings


def _shorten_names(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")
