"""Accounts and their places: opened, asked many at once; and what is told of those that failed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

import pandas as pd

from fastlaunch_nb.aws.clients import AccountSession, in_partition
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.targets import AccountCache, Target, TargetLike, identify, target_name
from fastlaunch_nb.errors import FastLaunchError, escape_unprintable
from fastlaunch_nb.joins.merge import places_in
from fastlaunch_nb.joins.queries import AccountRegion, Row
from fastlaunch_nb.schema.joins import JOINS

A = TypeVar("A")
B = TypeVar("B")
Reads: TypeAlias = Mapping[str, Callable[[AccountRegion], list[Row]]]
"""What is read of a place, by the name of what it is for."""
_NAMED = 3  # places and accounts that a warning names, before "and N more"


def _at_once(workers: int, work: Callable[[A], B], jobs: Iterable[A]) -> list[B]:
    """Do jobs in threads; return what came of them, in their order. Ctrl-C waits for none."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fastlaunch_nb")
    try:
        return list(pool.map(work, jobs))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


# --- accounts -------------------------------------------------------------------------


class Accounts(NamedTuple):
    """The ways into accounts, by their ids, and the targets that led nowhere."""

    opened: Mapping[str, AccountSession]
    failed: Sequence[tuple[TargetLike, FastLaunchError]]

    def places(self, regions: Sequence[str]) -> list[AccountRegion]:
        """Return the places of all accounts: of each the regions of its own partition, if any."""
        return [
            AccountRegion(account_id, RegionClient(access, region))
            for account_id, access in self.opened.items()
            for region in in_partition(regions, access.partition)
        ]


def open_accounts(
    sources: Sequence[TargetLike], wanted: Collection[str] | None, region: str | None, workers: int
) -> Accounts:
    """Open the accounts that are wanted, as far as their ids are known before; None is all.

    Of two targets that lead to one account the first is taken.
    """
    vault = AccountCache(workers)

    def open_one(source: TargetLike) -> tuple[str, AccountSession] | FastLaunchError:
        try:
            access = vault.open(source, region)
            return identify(access, source), access
        except FastLaunchError as error:
            return error

    needed = [source for source in sources if _is_wanted(source, wanted)]
    ways: dict[str, AccountSession] = {}
    failed = []
    for source, found in zip(needed, _at_once(workers, open_one, needed), strict=True):
        if isinstance(found, FastLaunchError):
            failed.append((source, found))
        else:
            ways.setdefault(*found)
    return Accounts(ways, failed)


def _is_wanted(source: TargetLike, wanted: Collection[str] | None) -> bool:
    known = source.account_id if isinstance(source, Target) else None
    return wanted is None or known is None or known in wanted


# --- what they brought ----------------------------------------------------------------


@dataclass
class FetchResult:
    """What reading some places brought: rows and the places they are of, by what was read."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    read: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def of(self, join: str, rows: pd.DataFrame) -> pd.Series:
        """Return which rows are of a place of which this was read."""
        return places_in(rows, self.read.get(join, ()))

    def add(self, place: AccountRegion, found: Mapping[str, list[Row]]) -> None:
        """Add what one place brought."""
        for join, rows in found.items():
            self.rows.setdefault(join, []).extend(rows)
            self.read.setdefault(join, []).append(place.name)
        self.failures += [Failure(join, *place.name, error) for join, error in place.failed]


def fetch_all(places: Sequence[AccountRegion], reads: Reads, workers: int) -> FetchResult:
    """Read places, many at once; what fails in one takes nothing else with it."""

    def visit(place: AccountRegion) -> dict[str, list[Row]]:
        found = {}
        for join, read in reads.items():
            try:
                found[join] = read(place)
            except FastLaunchError as error:
                place.failed.append((join, error))
        return found

    brought = FetchResult()
    for place, found in zip(places, _at_once(workers, visit, places), strict=True):
        brought.add(place, found)
    return brought


# --- what is told ---------------------------------------------------------------------


class Failure(NamedTuple):
    """What could not be read of a place, and why."""

    join: str
    account_id: str
    region: str
    error: FastLaunchError

    @property
    def reason(self) -> tuple[int, str, str]:
        """The join, the error code and the operation: failures that share them are one message."""
        code = getattr(self.error, "code", type(self.error).__name__)
        return list(JOINS).index(self.join), code, getattr(self.error, "operation", "")


def told(failures: Iterable[Failure]) -> list[str]:
    """Return a sentence for each thing that could not be read, and each reason: where, and why."""
    reasons: dict[tuple[int, str, str], list[Failure]] = {}
    for failure in failures:
        reasons.setdefault(failure.reason, []).append(failure)
    return [
        f"{same[0].join} could not be read in {_some(_places(same))}: {same[0].error.summary()}"
        for _, same in sorted(reasons.items(), key=lambda item: item[0])
    ]


def _places(failures: Iterable[Failure]) -> list[str]:
    return list(dict.fromkeys(f"{it.account_id} {it.region}" for it in failures))


def told_unopened(accounts: Accounts) -> list[str]:
    """Return a sentence for each target that led nowhere."""
    return [f"{_name(source)} could not be opened: {error}" for source, error in accounts.failed]


def _name(source: TargetLike) -> str:
    known = source.account_id if isinstance(source, Target) else None
    named = known or target_name(source)
    return f"The account {named}" if named else "The account of boto3's own credentials"


def told_unreached(account_ids: Sequence[str], nameless: int) -> list[str]:
    """Return a sentence on rows of accounts that no target leads to, and one on rows of none."""
    said = []
    if account_ids:
        where = _some([escape_unprintable(account_id) for account_id in account_ids])
        said.append(
            f"No target leads to {where}: what is joined to images there is null. "
            "Pass targets that lead there."
        )
    if nameless:
        rows = "1 row does" if nameless == 1 else f"{nameless:,} rows do"
        said.append(
            f"{rows} not say of which account and region: what is joined there is null. "
            "from_pages takes account_id and region."
        )
    return said


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
