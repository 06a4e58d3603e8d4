"""The plan of a sweep: the accounts to open, the request, and what an earlier sweep has read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.aws.targets import (
    Target,
    TargetLike,
    get_account_id,
    make_portable,
    parse_targets,
)
from fastlaunch_nb.collect.describe import split_filters
from fastlaunch_nb.collect.result import Sweep
from fastlaunch_nb.collect.tasks import AccountTask, RegionScan
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COVERAGE, STATUSES
from fastlaunch_nb.validation import parse_image_ids, parse_regions, validate_columns

_HERE: Final = "Here"  # in a scope: filters that EC2 does not support
_START: Final = "StartingToken"  # in a scope: the page token with which the read began
_NEEDED: Final = ("scope", "status", "checkpoint", "account_name", *ACCOUNT_REGION)
_ONE_SWEEP: Final = "Expected the coverage of one sweep."
_ZEROS: Final[Mapping[str, Any]] = {"pages": 0, "rows": 0, "retries": 0, "seconds": 0.0}
_EMPTY: Final = {**_ZEROS, "region": None, "scope": ""}  # fields of a scan in place of nulls


@dataclass(frozen=True)
class Plan:
    """The accounts to open, the request, the filters, and the scans of an earlier sweep.

    If it `is_part`, the result has what these scans lack, without what they have read.
    """

    account_tasks: tuple[AccountTask, ...]
    request: Mapping[str, Any]
    client_filters: Filters
    earlier_scans: tuple[RegionScan, ...] = ()
    is_part: bool = False

    @classmethod
    def create(cls, targets: Any, regions: Any, filters: Any) -> Plan:
        """Create the plan of a new sweep."""
        request, client_filters = split_filters(filters)
        requested = None if regions is None else parse_regions(regions)
        tasks = _create_account_tasks(dict(enumerate(parse_targets(targets))), requested)
        return cls(tasks, request, client_filters)

    @classmethod
    def resume(cls, earlier: Sweep, targets: Any) -> Plan:
        """Create the plan to complete an earlier sweep."""
        request, client_filters = _parse_scopes(earlier.coverage["scope"])
        scans = tuple(_list_scans(earlier.coverage, earlier._targets, request))
        numbers = {scan.number: None for scan in scans if scan.is_incomplete}
        if targets is None:
            tasks = tuple(_retry_account(number, scans) for number in numbers)
        else:
            tasks = _plan_targets(parse_targets(targets) if numbers else (), scans)
        return cls(tasks, request, client_filters, scans)

    @classmethod
    def resume_coverage(cls, table: Any, targets: Any) -> Plan:
        """Create the plan to read what is missing in a coverage, whose images are elsewhere."""
        coverage = validate_columns("coverage", table, *_NEEDED)
        _check_coverage(coverage)
        request, client_filters = _parse_scopes(coverage["scope"])
        plan = cls((), request, client_filters, is_part=True)
        unread = {**_ZEROS, "observed_at": None, "scope": plan.create_scan().scope}
        coverage = coverage.reindex(columns=[column.name for column in COVERAGE])
        scans = [
            replace(scan, **unread) if scan.is_incomplete else scan
            for scan in _list_scans(coverage, [None] * len(coverage), request)
        ]
        is_needed = any(scan.is_incomplete for scan in scans)
        tasks = _plan_targets(parse_targets(targets) if is_needed else (), scans)
        return replace(plan, account_tasks=tasks, earlier_scans=tuple(scans))

    def create_scan(self) -> RegionScan:
        """Create the scan that every scan is a copy of."""
        here = self.client_filters.to_dict()
        scope = _make_scope({**self.request, **({_HERE: here} if here else {})})
        return RegionScan(None, 0, None, request=self.request, scope=scope)

    def make_portable(self) -> Plan:
        """Return a plan for other processes, with targets in place of sessions."""
        tasks = (replace(task, target=make_portable(task.target)) for task in self.account_tasks)
        return replace(self, account_tasks=tuple(tasks))

    def finish(self, scans: Sequence[RegionScan]) -> Sequence[RegionScan]:
        """Return the scans of the result, with the scopes of what they have read."""
        scope = self.create_scan().scope
        scans = [replace(scan, scope=scope) if scan.is_restarted else scan for scan in scans]
        if not self.is_part:
            return scans
        complete = {scan.key for scan in self.earlier_scans if not scan.is_incomplete}
        starts = {scan.key: scan.checkpoint for scan in self.earlier_scans}
        missing = [scan for scan in scans if scan.key not in complete]
        return [_name_start(scan, starts.get(scan.key)) for scan in missing]


def _name_start(scan: RegionScan, token: str | None) -> RegionScan:
    """Add to a scope the page token with which the read began, if it has pages from there on."""
    if token is None or not scan.pages or scan.is_restarted:
        return scan
    conditions = {**json.loads(scan.scope or "{}"), _START: token}
    return replace(scan, scope=_make_scope(conditions))


# --- accounts -------------------------------------------------------------------------


def _create_account_tasks(
    targets: Mapping[int, TargetLike],
    regions: tuple[str, ...] | None,
    known_regions: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[AccountTask, ...]:
    return tuple(
        AccountTask(target, number, regions, known_regions or {}, account_id=get_account_id(target))
        for number, target in targets.items()
    )


def _plan_targets(
    targets: Sequence[TargetLike], scans: Sequence[RegionScan]
) -> tuple[AccountTask, ...]:
    """Create the tasks to open targets, of which AWS will tell the accounts."""
    first = max((scan.number for scan in scans), default=-1) + 1
    known: dict[str, tuple[str, ...]] = {}
    for scan in scans:
        if scan.account_id and scan.region:
            known[scan.account_id] = (*known.get(scan.account_id, ()), scan.region)
    unknown = _list_regions(scan for scan in scans if not scan.account_id)
    return _create_account_tasks(dict(enumerate(targets, first)), unknown, known)


def _retry_account(number: int, scans: Sequence[RegionScan]) -> AccountTask:
    """Create the task to open an account of an earlier sweep again."""
    own = [scan for scan in scans if scan.number == number]
    target, account_id = own[0].target, own[0].account_id
    if target is None:
        raise InputError(
            "resume needs targets: the earlier sweep read with a session, which it does not "
            "store. Pass it again."
        )
    return AccountTask(target, number, _list_regions(own), {}, account_id, account_id=account_id)


def _list_regions(scans: Iterator[RegionScan] | Sequence[RegionScan]) -> tuple[str, ...] | None:
    """Return the regions of scans; None if one is unknown, or if there are none."""
    regions = dict.fromkeys(scan.region for scan in scans)
    return None if not regions or None in regions else tuple(map(str, regions))


# --- an earlier coverage --------------------------------------------------------------


def _list_scans(
    coverage: pd.DataFrame, targets: Sequence[Target | None], request: Mapping[str, Any]
) -> Iterator[RegionScan]:
    """Yield the scan of each row; those of one target have one number."""
    numbers: dict[Any, int] = {}
    repeated: Counter[Any] = Counter()  # accounts without id and name have equal rows
    columns = [column.name for column in COVERAGE if column.name != "sweep_id"]
    values = coverage[columns].astype(object)
    rows: list[dict[Any, Any]] = values.where(values.notna(), None).to_dict("records")
    for row, target in zip(rows, targets, strict=True):
        account = target or (row["account_id"], row["account_name"])
        repeated[account, row["region"]] += 1
        key = account, repeated[account, row["region"]]
        known = {name: value for name, value in row.items() if value is not None}
        number = numbers.setdefault(key, len(numbers))
        yield RegionScan(target, number, request=request, **{**_EMPTY, **known})


def _check_coverage(coverage: pd.DataFrame) -> None:
    unknown = set(coverage["status"].dropna()) - set(STATUSES)
    if unknown or coverage["status"].isna().any():
        raise InputError(f"resume has the status {min(unknown, default=None)!r}. {_ONE_SWEEP}")
    known = coverage.dropna(subset=list(ACCOUNT_REGION))
    if known.duplicated(list(ACCOUNT_REGION)).any():
        raise InputError(f"resume has two rows for one account and region. {_ONE_SWEEP}")


def _parse_scopes(scopes: pd.Series) -> tuple[dict[str, Any], Filters]:
    """Return the request and the filters that all scopes have in common."""
    conditions: dict[str, dict[str, Any]]
    try:
        parsed = [json.loads(scope or "{}") for scope in scopes.fillna("").unique()]
        conditions = {_make_scope({**it, _START: None}): it for it in parsed}
    except (ValueError, TypeError):
        raise InputError(f"resume has a scope that is no JSON. {_ONE_SWEEP}") from None
    if len(conditions) > 1:
        raise InputError(f"resume has scans with different filters. {_ONE_SWEEP}")
    found = next(iter(conditions.values()), {})
    found.pop(_START, None)
    here = Filters.from_json(json.dumps(found.pop(_HERE, {})))
    return _parse_request(found), here


def _parse_request(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request of the parameters that a sweep sends; refuse others."""
    if set(conditions) - {"Filters", "ImageIds"}:
        raise InputError(f"resume has a scope with other parameters. {_ONE_SWEEP}")
    request, _ = split_filters(conditions.get("Filters"))
    if "ImageIds" in conditions:
        request["ImageIds"] = parse_image_ids(conditions["ImageIds"])
    return request


def _make_scope(conditions: Mapping[str, Any]) -> str:
    """Return conditions as JSON; empty if there are none."""
    known = {name: value for name, value in conditions.items() if value is not None}
    return json.dumps(known, sort_keys=True) if known else ""
