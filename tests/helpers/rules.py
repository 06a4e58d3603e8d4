"""Cases of rules: what differs from a healthy image, and every finding that comes of it.

A case is judged by all rules, so it also says which of them stay silent. All cases of a file
are judged in one call. Each has accounts of its own there, so that no case affects another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, KEY, Column
from fastlaunch_nb.schema.joins import JOINED, SNAPSHOTS

AT = pd.Timestamp("2026-01-15T12:00:00Z")
"""The time of every look, and so of all findings."""
ACCOUNT, OTHER = "111122223333", "444455556666"
"""Two accounts. A case may name them wherever a row has text."""
REGION, IMAGE_ID = "eu-west-1", "ami-0abcdef1234567890"
SECOND = pd.Timedelta(seconds=1)


def ago(**duration: float) -> pd.Timestamp:
    """Return a time so long before :data:`AT`."""
    return AT - timedelta(**duration)


HEALTHY: Mapping[str, Any] = {
    "account_id": ACCOUNT,
    "region": REGION,
    "image_id": IMAGE_ID,
    "state": "enabled",
    "state_transition_reason": "Client.UserInitiated",
    "state_transition_time": ago(days=30),
    "resource_type": "snapshot",
    "target_resource_count": 10,
    "max_parallel_launches": 6,
    "launch_template_id": "lt-0abcdef1234567890",
    "launch_template_name": "agent",
    "launch_template_version": "4",
    "owner_id": ACCOUNT,
    "observed_at": AT,
    "image_name": "win2022",
    "image_state": "available",
    "image_creation_time": ago(days=60),
    "image_deprecation_time": AT + pd.Timedelta(days=600),
    "image_owner_id": ACCOUNT,
    "root_volume_gib": 50,
    "siblings": 1,
    "siblings_without_fast_launch": "",
    "template_forbidden": "",
    "snapshots": 10,
    "snapshots_pending": 0,
    "snapshot_gib": 500,
    "oldest_snapshot_time": ago(days=2),
    "leftover_snapshots": 0,
    "available_snapshots": 10,
    "available_snapshots_time": AT,
    "below_target_since": None,
    "fast_launches": 40,
    "cold_launches": 0,
    "metrics_since": ago(days=14),
    "metrics_until": AT,
    "instances": 2,
    "instances_fast": 2,
    "instances_cold": 0,
    "parallel_launches_quota": 40,
    "snapshots_monthly_usd": 25.0,
    "preparation_monthly_usd": 4.3,
    "monthly_usd": 29.3,
}
"""An image with all joins, about which no rule has anything to say."""
DTYPES = {**{column.name: column.dtype for column in COLUMNS}, **JOINED}

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One row of findings."""

    rule: str
    severity: str
    evidence: str
    remedy: str
    usd: float | None = None
    account_id: str | None = ACCOUNT
    region: str | None = REGION
    image_id: str | None = IMAGE_ID


@dataclass(frozen=True)
class Case:
    """What differs from a healthy image, or from several, and all findings of these.

    `also` names rules whose findings another case spells out.
    """

    rule: str
    name: str
    given: Row | Sequence[Row] = field(default_factory=dict)
    expected: Finding | Sequence[Finding] = ()
    also: tuple[str, ...] = ()
    intervals: Sequence[Row] = ()
    coverage: Sequence[Row] = ()
    snapshots: Sequence[Row] = ()

    def __str__(self) -> str:
        """Return what names it in a report."""
        return f"{self.rule}: {self.name}"

    @property
    def images(self) -> list[Row]:
        """The rows of its images."""
        given = [self.given] if isinstance(self.given, Mapping) else self.given
        return [{**HEALTHY, **row} for row in given]


def unknown(rule: str, given: Row, *columns: str, also: Sequence[str] = ()) -> list[Case]:
    """Return a case a column: what makes the rule speak, and that column unknown."""
    return [
        Case(rule, f"{column} is unknown", {**given, column: None}, also=tuple(also))
        for column in columns
    ]


# --- judging --------------------------------------------------------------------------


def fleet(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as images with all joins."""
    return pd.DataFrame(list(rows), columns=list(DTYPES)).astype(DTYPES)


def frames(cases: Sequence[Case]) -> dict[str, Any]:
    """Return what findings are asked with, of all cases together."""
    return {
        "images": fleet(_everything(cases, "images")),
        "intervals": pd.DataFrame(_everything(cases, "intervals"), columns=[*KEY, "state"]),
        "coverage": _declared(_everything(cases, "coverage"), COVERAGE),
        "snapshots": _declared(_everything(cases, "snapshots"), SNAPSHOTS),
    }


def judge(cases: Sequence[Case]) -> dict[str, list[Finding]]:
    """Return what all rules find of each case, by its name."""
    found = fl.findings(**frames(cases))
    judged: dict[str, list[Finding]] = {str(case): [] for case in cases}
    assert len(judged) == len(cases), "Two cases have the same name."
    for row in found.astype(object).where(found.notna(), None).to_dict("records"):
        number, finding = _finding(row)
        judged[str(cases[number])].append(finding)
    return judged


def check(case: Case, got: Sequence[Finding]) -> None:
    """Compare what a case expects with what was found."""
    expected = [case.expected] if isinstance(case.expected, Finding) else list(case.expected)
    spelt = [finding for finding in got if finding.rule not in case.also]
    others = {finding.rule for finding in got} - {finding.rule for finding in expected}
    assert (expected, {*case.also}) == (spelt, others), (
        f"{case}\ngiven: {case.given}\nexpected: {expected}, and of {case.also}\ngot: {got}"
    )


def params(cases: Iterable[Case]) -> list[Any]:
    """Return cases for pytest, each by its name."""
    return [pytest.param(case, id=str(case)) for case in cases]


def _everything(cases: Sequence[Case], part: str) -> list[dict[str, Any]]:
    return [
        {name: _renamed(value, _accounts(number)) for name, value in row.items()}
        for number, case in enumerate(cases)
        for row in getattr(case, part)
    ]


def _accounts(number: int) -> dict[str, str]:
    """Return the accounts of a case, by those that it names."""
    return {ACCOUNT: f"1{number:011}", OTHER: f"2{number:011}"}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, other in names.items():
            value = value.replace(name, other)
    return value


def _finding(row: Mapping[Any, Any]) -> tuple[int, Finding]:
    """Return the number of a row's case, and its finding as the case names it."""
    number = int(row["account_id"][1:])
    back = {other: name for name, other in _accounts(number).items()}
    values: Iterator[Any] = (
        _renamed(row[name], back)
        for name in ("finding", "severity", "evidence", "remedy", "monthly_usd", *KEY)
    )
    rule, severity, evidence, remedy, usd, *key = values
    return number, Finding(rule, severity, evidence, remedy, usd and round(usd, 9), *key)


def _declared(rows: list[dict[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    dtypes = {column.name: column.dtype for column in columns}
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


# --- the commands in remedies ---------------------------------------------------------

_IMAGE = f"--region {REGION} --image-id {IMAGE_ID}"
_OF_IMAGE = f"Name=image-id,Values={IMAGE_ID}"
TEMPLATE = "LaunchTemplateId=lt-0abcdef1234567890,Version=4"
DISABLE = f"aws ec2 disable-fast-launch {_IMAGE}"
FORCE = f"{DISABLE} --force"
INSTANCES = f"aws ec2 describe-instances --region {REGION} --filters {_OF_IMAGE}"
PREPARATIONS = (
    f"aws ec2 describe-instances --region {REGION} --filters "
    f"'Name=tag:CreatedBy,Values=EC2 Fast Launch' {_OF_IMAGE}"
)
CONSOLE = "Enable it again in the EC2 console: its launch template's version is unknown"


def snapshots_of(image_id: str = IMAGE_ID) -> str:
    """Return the command that lists the snapshots of an image."""
    return (
        f"aws ec2 describe-snapshots --region {REGION} --owner-ids self --filters "
        "'Name=tag:CreatedBy,Values=EC2 Fast Launch' "
        f"'Name=description,Values=This is Fast Launch snapshot for image {image_id}*'"
    )


def enable(
    target: int | None = 10,
    parallel: int | None = 6,
    template: str | None = TEMPLATE,
    image: str = _IMAGE,
) -> str:
    """Return the command that enables an image; what is None is left out."""
    words = [f"aws ec2 enable-fast-launch {image} --resource-type snapshot"]
    if target is not None:
        words.append(f"--snapshot-configuration TargetResourceCount={target}")
    if parallel is not None:
        words.append(f"--max-parallel-launches {parallel}")
    if template is not None:
        words.append(f"--launch-template {template}")
    return " ".join(words)
