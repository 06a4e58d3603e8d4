"""Cases of rules: the differences from a healthy image, and all findings that they cause.

Every rule is applied to every case, so a case also proves which rules stay silent. One call of
`findings` takes all cases of a file. Each case has its own accounts, so none affects another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeAlias

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.rules.evaluate import RULE_FAILED
from fastlaunch_nb.rules.rule import ENDING_RULES
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, KEY, Column
from fastlaunch_nb.schema.joins import JOINED, SNAPSHOTS

AT = pd.Timestamp("2026-01-15T12:00:00Z")
"""The time of every observation, and so of all findings."""
ACCOUNT, OTHER = "111122223333", "444455556666"
"""Two accounts, which a case may use in any text of a row."""
REGION, IMAGE_ID = "eu-west-1", "ami-0abcdef1234567890"
SECOND = pd.Timedelta(seconds=1)
USD = ("monthly_usd_low", "monthly_usd_high")


def ago(**duration: float) -> pd.Timestamp:
    """Return the time that is this long before :data:`AT`."""
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
    "image_last_launched_time": ago(days=2),
    "successor_in_use": "",
    "siblings": 1,
    "siblings_without_fast_launch": "",
    "template_forbidden": "",
    "template_http_tokens": "required",
    "snapshots": 10,
    "snapshots_pending": 0,
    "snapshot_gib": 500,
    "oldest_snapshot_time": ago(days=2),
    "leftover_snapshots": 0,
    "available_snapshots": 10,
    "available_snapshots_time": ago(hours=2),
    "below_target_since": None,
    "fast_launches": 40,
    "cold_launches": 0,
    "metrics_since": ago(days=14),
    "metrics_until": AT,
    "instances": 2,
    "instances_fast": 2,
    "instances_cold": 0,
    "instances_fast_since_enabled": 2,
    "instances_cold_since_enabled": 0,
    "parallel_launches_quota": 40,
    "recycle_bin_rules": "",
    "leftover_volumes": 0,
    "leftover_volume_gib": 0,
    "leftover_interfaces": 0,
    "bypassing_launchers": "",
    "kms_key_id": "1234abcd",
    "kms_key_state": "Enabled",
    "kms_grant": "granted",
    "imds_http_tokens_enforced": "enabled",
    "intended_fast_launch": None,
    "intended_target_resource_count": None,
    "intended_max_parallel_launches": None,
    "intended_by": "arn:aws:imagebuilder:eu-west-1:111122223333:distribution-configuration/x",
    "snapshots_monthly_usd_low": 5.0,
    "snapshots_monthly_usd_high": 25.0,
    "monthly_usd_low": 6.0,
    "monthly_usd_high": 29.3,
    "not_read": "",
}
"""An image with all joins, for which no rule has a finding."""
DTYPES = {**{column.name: column.dtype for column in COLUMNS}, **JOINED}

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One row of findings."""

    rule: str
    severity: str
    evidence: str
    command: str | None = None
    usd: tuple[float | None, float | None] = (None, None)
    advice: str | None = None  # None: any
    account_id: str | None = ACCOUNT
    region: str | None = REGION
    image_id: str | None = IMAGE_ID


@dataclass(frozen=True)
class Case:
    """Differences from one or more healthy images, and the findings that they cause.

    `other_rules` names rules with a finding too, which other cases check.
    """

    rule: str
    name: str
    changes: Row | Sequence[Row] = field(default_factory=dict)
    expected: Finding | Sequence[Finding] = ()
    other_rules: tuple[str, ...] = ()
    intervals: Sequence[Row] = ()
    coverage: Sequence[Row] = ()
    snapshots: Sequence[Row] = ()

    def __str__(self) -> str:
        """Return the id of the case in a report."""
        return f"{self.rule}: {self.name}"

    @property
    def images(self) -> list[Row]:
        """The rows of its images."""
        rows = [self.changes] if isinstance(self.changes, Mapping) else self.changes
        return [{**HEALTHY, **row} for row in rows]


def make_unknown_cases(
    rule: str, changes: Row, *columns: str, other_rules: Sequence[str] = ()
) -> list[Case]:
    """Return one silent case per column: changes that cause a finding, with the column unknown."""
    return [
        Case(
            rule, f"{column} is unknown", {**changes, column: None}, other_rules=tuple(other_rules)
        )
        for column in columns
    ]


# --- findings of cases ----------------------------------------------------------------


def make_images(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as a DataFrame of images with all joins."""
    return pd.DataFrame(list(rows), columns=list(DTYPES)).astype(DTYPES)


def make_arguments(cases: Sequence[Case]) -> dict[str, Any]:
    """Return the arguments of `findings` for all cases together."""
    return {
        "images": make_images(_collect_rows(cases, "images")),
        "intervals": pd.DataFrame(_collect_rows(cases, "intervals"), columns=[*KEY, "state"]),
        "coverage": _make_table(_collect_rows(cases, "coverage"), COVERAGE),
        "snapshots": _make_table(_collect_rows(cases, "snapshots"), SNAPSHOTS),
    }


def find_per_case(cases: Sequence[Case]) -> dict[str, list[Finding]]:
    """Return the findings of each case, by its id."""
    table = fl.findings(**make_arguments(cases))
    failures = table[table["finding"].eq(RULE_FAILED)]
    assert failures.empty, failures["evidence"].tolist()
    findings_by_case: dict[str, list[Finding]] = {str(case): [] for case in cases}
    assert len(findings_by_case) == len(cases), "Two cases have the same name."
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        number, finding = _read_finding(row)
        findings_by_case[str(cases[number])].append(finding)
    return findings_by_case


def check_case(case: Case, actual: Sequence[Finding]) -> None:
    """Compare the expected findings of a case with its actual ones."""
    expected = [case.expected] if isinstance(case.expected, Finding) else list(case.expected)
    own = [finding for finding in actual if finding.rule not in case.other_rules]
    own = [_forget_advice(finding, expected) for finding in own]
    others = {finding.rule for finding in actual} - {finding.rule for finding in expected}
    assert (expected, {*case.other_rules}) == (own, others), (
        f"{case}\nchanges: {case.changes}\n"
        f"expected: {expected}, and {case.other_rules}\nactual: {actual}"
    )


def make_params(cases: Iterable[Case]) -> list[Any]:
    """Return cases as parameters of pytest, each with its id."""
    return [pytest.param(case, id=str(case)) for case in cases]


def _collect_rows(cases: Sequence[Case], kind: str) -> list[dict[str, Any]]:
    return [
        {name: _replace_accounts(value, _map_accounts(number)) for name, value in row.items()}
        for number, case in enumerate(cases)
        for row in getattr(case, kind)
    ]


def _map_accounts(number: int) -> dict[str, str]:
    """Return the accounts that a case has in `findings`, by those in its rows."""
    return {ACCOUNT: f"1{number:011}", OTHER: f"2{number:011}"}


def _replace_accounts(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, other in names.items():
            value = value.replace(name, other)
    return value


def _read_finding(row: Mapping[Any, Any]) -> tuple[int, Finding]:
    """Return the number of a row's case, and the finding with the accounts of the case."""
    number = int(row["account_id"][1:])
    back = {other: name for name, other in _map_accounts(number).items()}
    values: Iterator[Any] = (
        _replace_accounts(row[name], back)
        for name in ("finding", "severity", "evidence", "command", *USD, "advice", *KEY)
    )
    rule, severity, evidence, command, low, high, advice, *key = values
    usd: Any = tuple(None if value is None else round(value, 9) for value in (low, high))
    return number, Finding(rule, severity, evidence, command, usd, advice, *key)


def _forget_advice(finding: Finding, expected: Sequence[Finding]) -> Finding:
    """Return a finding without its advice if it equals an expected one of any advice."""
    without = replace(finding, advice=None)
    return without if without in expected else finding


def _make_table(rows: list[dict[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    dtypes = {column.name: column.dtype for column in columns}
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


# --- contradictions -------------------------------------------------------------------

_GOES_ON = re.compile(r"enable Fast Launch again|Raise the|Let fl\.right_size", re.IGNORECASE)


def find_contradictions(findings: pd.DataFrame) -> dict[Any, list[str]]:
    """Return the images that are advised to end Fast Launch and to go on with it, with rules."""
    contradictory = {}
    for key, rows in findings.dropna(subset=["image_id"]).groupby(list(KEY)):
        ends = rows["finding"].isin(ENDING_RULES)
        goes_on = rows["advice"].str.contains(_GOES_ON) & rows["finding"].ne("failed")
        if ends.any() and goes_on.any():
            contradictory[key] = rows["finding"].tolist()
    return contradictory


# --- commands -------------------------------------------------------------------------

_GUARD = f'test "$(aws sts get-caller-identity --query Account --output text)" = {ACCOUNT} && '
_CREATED_BY = "'Name=tag:CreatedBy,Values=EC2 Fast Launch'"


def command(text: str, region: str = REGION) -> str:
    """Return a command of the AWS CLI with its guard and its region.

    `text` is the service, the operation and the options.
    """
    service, operation, *options = text.split(" ")
    return f"{_GUARD}aws {service} {operation} --region {region} {' '.join(options)}"


LIST_INSTANCES = command(f"ec2 describe-instances --filters Name=image-id,Values={IMAGE_ID}")
LIST_PREPARATIONS = command(
    f"ec2 describe-instances --filters {_CREATED_BY} Name=image-id,Values={IMAGE_ID}"
)
LIST_VERSIONS = command(
    "ec2 describe-launch-template-versions --launch-template-id lt-0abcdef1234567890"
)


def list_snapshots(image_id: str = IMAGE_ID) -> str:
    """Return the command that lists the snapshots of an image."""
    return command(
        f"ec2 describe-snapshots --owner-ids self --filters {_CREATED_BY} "
        f"'Name=description,Values=This is Fast Launch snapshot for image {image_id}*'"
    )
