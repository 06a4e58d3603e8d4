"""The table of findings: every rule asked, what it found in one order, the worst on top."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from fastlaunch_nb.errors import FastLaunchError, InputError
from fastlaunch_nb.rules import cost_rules, pool_rules, setting_rules, state_rules
from fastlaunch_nb.rules.rule import SEVERITIES, Rule, RuleInput
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, KEY, NUMBER
from fastlaunch_nb.schema.joins import FINDINGS, JOINED, SNAPSHOTS, known_stock
from fastlaunch_nb.validation import parse_time, require_columns, validate_columns

RULES: tuple[Rule, ...] = (
    *state_rules.RULES,
    *pool_rules.RULES,
    *cost_rules.RULES,
    *setting_rules.RULES,
)
"""The rules of :func:`findings`."""


def findings(
    images: pd.DataFrame,
    *,
    intervals: pd.DataFrame | None = None,
    coverage: pd.DataFrame | None = None,
    snapshots: pd.DataFrame | None = None,
    rules: Iterable[Rule] | None = None,
    at: datetime | str | None = None,
) -> pd.DataFrame:
    """Find what is wrong with Fast Launch, what it costs, and what to do about it.

    A rule speaks only of what is known: what :func:`fastlaunch_nb.joins` did not
    bring is unknown, and an unknown stock is never said to cost anything.

    Parameters
    ----------
    images : pandas.DataFrame
        Images, best with all that :func:`fastlaunch_nb.joins` can join.
    intervals : pandas.DataFrame, optional
        What :func:`fastlaunch_nb.state_intervals` returns: how often an image has failed.
    coverage : pandas.DataFrame, optional
        A sweep's coverage. Snapshots are orphans only where it says that all images of
        their account and region were read, and `images` has as many there.
    snapshots : pandas.DataFrame, optional
        What :func:`fastlaunch_nb.snapshots` returns, for orphans among them.
    rules : iterable of Rule, optional
        The rules to ask; ``[*fl.RULES, mine]`` adds one. All of ``fl.RULES`` if not given.
    at : datetime or str, optional
        The time of it all; the last look at an image if not given. Where there is
        neither, rules about time find nothing.

    Returns
    -------
    pandas.DataFrame
        A row a finding, the worst and the dearest on top: ``severity`` (``high``, ``medium``
        or ``low``), ``finding`` (the rule's name), ``account_id``, ``region``, ``image_id``
        (null where it is about a region), ``evidence``, ``remedy`` (what to do: commands are
        for a person to run, and nothing here runs them), ``monthly_usd`` (what it costs, null
        where that is not known).

    Raises
    ------
    InputError
        It is no frame of images, or a rule is none or has the name of another.
    FastLaunchError
        A rule failed; the message names it.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabling-failed",
    ...                          "StateTransitionReason": "VPC limit exceeded"}])
    >>> fl.findings(images)[["severity", "finding", "evidence"]].values.tolist()
    [['high', 'failed', 'enabling-failed since when is unknown: VPC limit exceeded']]

    A rule of your own is a function that returns rows with evidence and remedy:

    >>> def default_size(facts):
    ...     rows = facts.images[facts.images["target_resource_count"].eq(5).fillna(False)]
    ...     return rows.assign(evidence="the default of 5", remedy="Think about it.")
    >>> mine = fl.Rule("default-size", "low", "nobody chose a size", "we", default_size)
    >>> images = fl.from_pages([{"SnapshotConfiguration": {"TargetResourceCount": 5}}])
    >>> fl.findings(images, rules=[mine])["finding"].tolist()
    ['default-size']
    """
    asked = _checked(RULES if rules is None else rules)
    facts = _facts(images, intervals, coverage, snapshots, at)
    found = pd.concat([_empty(), *(_ask(rule, facts) for rule in asked)], ignore_index=True)
    return _in_order(found.astype({column.name: column.dtype for column in FINDINGS}))


def rules_table(rules: Iterable[Rule] = RULES) -> str:
    """Return a table of rules in Markdown: what each finds, how bad that is, who says so."""
    head = "| finding | severity | what it finds | source |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{rule.name}` | {rule.severity} | {rule.what} | {rule.source} |\n" for rule in rules
    )


def _checked(rules: Any) -> list[Rule]:
    asked = list(rules) if isinstance(rules, Iterable) else [rules]
    for rule in asked:
        if not isinstance(rule, Rule):
            raise InputError(
                f"rules has a {type(rule).__name__}. Expected fl.Rule, as in fl.RULES."
            )
    names = [rule.name for rule in asked]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"rules has {', '.join(twice)} more than once. Each needs its own name.")
    return asked


def _facts(
    images: Any, intervals: Any, coverage: Any, snapshots: Any, at: datetime | str | None
) -> RuleInput:
    shown = validate_columns("images", images, *(column.name for column in COLUMNS))
    shown = shown.reset_index(drop=True)
    missing = {
        name: pd.array([None] * len(shown), dtype=dtype)
        for name, dtype in JOINED.items()
        if name not in shown
    }
    shown = shown.assign(**missing)
    needed = {
        "coverage": [column.name for column in COVERAGE],
        "intervals": [*KEY, "state"],
        "snapshots": [column.name for column in SNAPSHOTS],
    }
    for kind, given in {
        "intervals": intervals,
        "coverage": coverage,
        "snapshots": snapshots,
    }.items():
        if given is not None:
            require_columns(kind, given, *needed[kind])
    now = shown["observed_at"].max() if at is None else parse_time("at", at)
    return RuleInput(shown, known_stock(shown), now, intervals, coverage, snapshots)


def _ask(rule: Rule, facts: RuleInput) -> pd.DataFrame:
    """Return what a rule finds, with the columns of findings."""
    try:
        rows = rule.find(facts)
    except Exception as error:
        raise FastLaunchError(f"The rule {rule.name!r} failed: {error!r}") from error
    if not isinstance(rows, pd.DataFrame):
        raise FastLaunchError(
            f"The rule {rule.name!r} returned a {type(rows).__name__}. Expected a DataFrame."
        )
    missing = {*KEY, "evidence", "remedy"} - set(rows)
    if missing:
        raise FastLaunchError(f"The rule {rule.name!r} returned rows without {sorted(missing)}.")
    usual = {"severity": rule.severity, "monthly_usd": None}
    rows = rows.assign(
        finding=rule.name, **{name: value for name, value in usual.items() if name not in rows}
    )
    odd = [bad for bad in rows["severity"].unique() if pd.isna(bad) or bad not in SEVERITIES]
    if odd:
        raise FastLaunchError(f"The rule {rule.name!r} returned the severity {odd}.")
    try:
        return rows[[column.name for column in FINDINGS]].astype(
            {column.name: column.dtype for column in FINDINGS}
        )
    except (TypeError, ValueError) as error:
        raise FastLaunchError(f"The rule {rule.name!r} failed: {error}") from error


def _in_order(found: pd.DataFrame) -> pd.DataFrame:
    ranks = found["severity"].map(SEVERITIES.index).astype("int64")
    order = found.assign(_rank=ranks, _usd=-found["monthly_usd"].astype(NUMBER))
    order = order.sort_values(["_rank", "_usd", "finding", *KEY], kind="stable")
    return found.loc[order.index].reset_index(drop=True)


def _empty() -> pd.DataFrame:
    return pd.DataFrame({column.name: pd.array([], dtype=column.dtype) for column in FINDINGS})
