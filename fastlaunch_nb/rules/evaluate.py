"""The table of findings: every rule applied to the facts, the worst findings first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.errors import InputError, describe_exception
from fastlaunch_nb.rules import cost_rules, pool_rules, setting_rules, state_rules
from fastlaunch_nb.rules.rule import SEVERITIES, TEXTS, Problems, Rule, RuleInput
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, KEY, TEXT
from fastlaunch_nb.schema.joins import FINDINGS, JOINED, SNAPSHOTS, coalesce_stock
from fastlaunch_nb.schema.prices import Prices
from fastlaunch_nb.validation import parse_time, validate_columns

RULES: tuple[Rule, ...] = tuple(
    rule
    for module in (state_rules, pool_rules, cost_rules, setting_rules)
    for rule in vars(module).values()
    if isinstance(rule, Rule)
)
"""The rules of :func:`findings`, in the order of their modules and definitions."""
RULE_FAILED: Final = "rule-failed"
"""The finding that a rule has failed."""
_MAX_REASON: Final = 500
"""Characters of an error in a finding: an error may quote a whole table."""
_BLOCK: Final = 1_000  # rows
_DTYPES = {column.name: column.dtype for column in FINDINGS}


def findings(
    images: IntoDataFrame,
    *,
    intervals: IntoDataFrame | None = None,
    coverage: IntoDataFrame | None = None,
    snapshots: IntoDataFrame | None = None,
    rules: Iterable[Rule] | None = None,
    at: datetime | str | None = None,
    prices: Prices | None = None,
) -> pd.DataFrame:
    """Find what is wrong with Fast Launch, what it costs, and what to do about it.

    A rule stays silent where a value that it needs is unknown: a column that
    :func:`fastlaunch_nb.enrich` did not join is unknown, and an unknown stock costs nothing.
    :func:`fastlaunch_nb.unchecked` lists what could not be judged. Where two rules find the same
    cause, the more specific one counts. A rule that fails is a finding of its own,
    ``rule-failed``; the others stand.

    Parameters
    ----------
    images : DataFrame
        Images, best with every column that :func:`fastlaunch_nb.enrich` can join.
    intervals : DataFrame, optional
        State intervals, as :func:`fastlaunch_nb.intervals` returns them, to count how often
        an image has failed.
    coverage : DataFrame, optional
        The coverage of a sweep. Snapshots count as orphaned only in an account and region
        that was read completely, with as many images as `images` has there.
    snapshots : DataFrame, optional
        Snapshots, as :func:`fastlaunch_nb.snapshots` returns them, to find orphaned ones.
    rules : iterable of Rule, optional
        The rules to apply; ``[*fl.RULES, mine]`` adds one. Default: ``fl.RULES``.
    at : datetime or str, optional
        The time to judge by. Default: the last time that an image was observed. If that is
        unknown too, rules about time find nothing.
    prices : Prices, optional
        The prices for what images do not have a cost for, such as orphaned snapshots. Default:
        the public prices.

    Returns
    -------
    pandas.DataFrame
        One row per finding, the most severe and most expensive first: ``severity``
        (``high``, ``medium``, ``low`` or ``info``), ``finding`` (the name of the rule),
        ``account_id``, ``region``, ``image_id`` (null if the finding is about a region),
        ``evidence``, ``advice``, ``command`` (for a POSIX shell such as AWS CloudShell; it runs
        only in the finding's account; null if there is none), ``monthly_usd_low`` and
        ``monthly_usd_high`` (the cost, null if unknown). Until the next release also ``remedy``
        (advice and command) and ``monthly_usd`` (the higher cost).
        :func:`fastlaunch_nb.render_command` renders a command for PowerShell or cmd.

    Raises
    ------
    InputError
        If a DataFrame lacks columns, or a rule is invalid or has the name of another one.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabling-failed",
    ...                          "StateTransitionReason": "VPC limit exceeded"}])
    >>> fl.findings(images)[["severity", "finding", "evidence"]].values.tolist()
    [['high', 'failed', 'enabling-failed since an unknown time: VPC limit exceeded']]

    The function of your own rule returns rows with evidence and advice:

    >>> def default_size(facts):
    ...     rows = facts.images[facts.images["target_resource_count"].eq(5).fillna(False)]
    ...     return rows.assign(evidence="the default of 5", advice="Think about it.")
    >>> mine = fl.Rule("default-size", "low", "the default size", "our team", default_size)
    >>> images = fl.from_pages([{"SnapshotConfiguration": {"TargetResourceCount": 5}}])
    >>> fl.findings(images, rules=[mine])["finding"].tolist()
    ['default-size']
    """
    chosen = check_rules(RULES if rules is None else rules)
    facts = prepare_facts(images, intervals, coverage, snapshots, at=at, prices=prices)
    return Evaluation(facts, chosen, composed=True).rows[list(_DTYPES)]


class Evaluation:
    """The findings of rules; unless they are `composed`, without evidence, advice and command.

    `rows` has the columns of :func:`findings`, and more that :meth:`compose` reads.
    """

    def __init__(self, facts: RuleInput, rules: Sequence[Rule], *, composed: bool = False) -> None:
        self._facts, self._composed = facts, composed
        self._sources: list[tuple[Rule, Problems | None]] = []
        tables = [
            self._apply_rule(rule)
            for rule in rules
            if all(getattr(facts, name) is not None for name in rule.needs)
        ]
        none = make_table([], FINDINGS).assign(_source=0, _position=0)
        found = pd.concat([none, *tables], ignore_index=True).astype(_DTYPES)
        self.rows = _sort_findings(_drop_less_specific(found, rules))

    def compose(self, rows: pd.DataFrame, names: Sequence[str] = TEXTS) -> pd.DataFrame:
        """Return some of the rows with these texts."""
        texts = [rows[list(names)].iloc[:0]]
        for source in rows["_source"].unique():
            part = rows[rows["_source"] == source]
            rule, problems = self._sources[source]
            composed = part
            if problems is not None:
                positions = part["_position"].to_numpy(int)
                try:
                    composed = problems.compose(problems.rows.iloc[positions], names)
                except Exception as error:
                    composed = part.assign(**_describe_failure(rule, error))
            texts.append(composed[list(names)].set_axis(part.index).astype(TEXT))
        return rows.assign(**pd.concat(texts).reindex(rows.index))

    def has_commands(self) -> bool:
        """Return whether a finding has a command; usually the first ones do."""
        starts = range(0, len(self.rows), _BLOCK)
        blocks = (self.rows.iloc[start : start + _BLOCK] for start in starts)
        return any(self.compose(rows, ["command"])["command"].notna().any() for rows in blocks)

    def _apply_rule(self, rule: Rule) -> pd.DataFrame:
        """Return the findings of a rule, or one that says that it failed, so that others stand."""
        problems = None
        try:
            rows: Any = rule.find(self._facts)
            if isinstance(rows, Problems) and self._composed:
                rows = rows.compose(rows.rows)
            elif isinstance(rows, Problems):
                problems, rows = rows, rows.rows.assign(**dict.fromkeys(TEXTS))
            rows = _complete_rows(rule, rows)
        except Exception as error:
            problems, rows = None, make_table([_describe_failure(rule, error)], FINDINGS)
        self._sources.append((rule, problems))
        placed: pd.DataFrame = rows.assign(
            _source=len(self._sources) - 1, _position=np.arange(len(rows))
        )
        return placed


def _sort_findings(found: pd.DataFrame) -> pd.DataFrame:
    """Sort findings, the most severe and most expensive first."""
    ranks = found["severity"].map(SEVERITIES.index)
    found = found.assign(_rank=ranks, _usd=-found["monthly_usd_high"])
    order = ["_rank", "_usd", "finding", *KEY]
    return found.sort_values(order, kind="stable", ignore_index=True).drop(columns=order[:2])


def _drop_less_specific(found: pd.DataFrame, rules: Iterable[Rule]) -> pd.DataFrame:
    """Drop each finding on an image that has one of a more specific rule."""
    key = list(KEY)
    is_dropped = pd.Series(data=False, index=found.index)
    images = pd.MultiIndex.from_frame(found[key])
    for rule in rules:
        specific = images[found["finding"].isin(rule.yields_to) & found["image_id"].notna()]
        is_dropped |= found["finding"].eq(rule.name) & images.isin(specific)
    return found[~is_dropped]


def check_rules(rules: Any) -> list[Rule]:
    """Return the rules as a list; refuse other objects, and two rules of the same name."""
    chosen = list(rules) if isinstance(rules, Iterable) else [rules]
    for rule in chosen:
        if not isinstance(rule, Rule):
            raise InputError(
                f"rules has a {type(rule).__name__}. Expected fl.Rule, as in fl.RULES."
            )
    names = [rule.name for rule in chosen]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise InputError(
            f"rules has {', '.join(map(repr, duplicates))} more than once. "
            "Expected a different name for each rule."
        )
    return chosen


def prepare_facts(
    images: Any,
    intervals: Any,
    coverage: Any,
    snapshots: Any,
    *,
    at: datetime | str | None = None,
    prices: Prices | None = None,
) -> RuleInput:
    """Check the arguments of :func:`findings`, and return them as facts."""
    if prices is not None and not isinstance(prices, Prices):
        raise InputError(f"prices is a {type(prices).__name__}. Expected Prices(...).")
    rows = validate_columns("images", images, *(column.name for column in COLUMNS))
    rows = rows.reset_index(drop=True)
    missing = [name for name in JOINED if name not in rows]
    nulls = {dtype: pd.Series(index=rows.index, dtype=dtype) for dtype in {*JOINED.values()}}
    rows = rows.assign(**{name: nulls[JOINED[name]] for name in missing})
    if intervals is not None:
        intervals = validate_columns("intervals", intervals, *KEY, "state")
    if coverage is not None:
        coverage = validate_columns("coverage", coverage, *(column.name for column in COVERAGE))
    if snapshots is not None:
        snapshots = validate_columns("snapshots", snapshots, *(column.name for column in SNAPSHOTS))
    time = rows["observed_at"].max() if at is None else parse_time("at", at)
    stock = coalesce_stock(rows)
    return RuleInput(rows, stock, time, intervals, coverage, snapshots, prices or Prices())


def _describe_failure(rule: Rule, error: Exception) -> dict[str, str]:
    """Return the finding that a rule failed."""
    reason = describe_exception(error)[:_MAX_REASON]
    advice = "Correct the rule, or leave it out of rules=. The other findings stand."
    return {
        "severity": rule.severity,  # of what it could not find
        "finding": RULE_FAILED,
        "evidence": f"The rule {rule.name!r} failed: {reason}",
        "advice": advice,
        "remedy": advice,
    }


def _complete_rows(rule: Rule, rows: Any) -> pd.DataFrame:
    """Return the rows of a rule with the columns and dtypes of findings; refuse all else."""
    if not isinstance(rows, pd.DataFrame):
        raise TypeError(f"it returned a {type(rows).__name__}. Expected a DataFrame.")
    missing = {*KEY, "evidence", "advice"} - set(rows) - ({"advice"} if "remedy" in rows else set())
    if missing:
        raise TypeError(f"it returned rows without {sorted(missing)}.")
    rows = rows.assign(finding=rule.name)
    if "severity" not in rows:
        rows["severity"] = rule.severity
    wrong = rows["severity"][~rows["severity"].isin(SEVERITIES)].unique().tolist()
    if wrong:
        expected = ", ".join(map(repr, SEVERITIES))
        raise ValueError(f"it returned the severity {wrong}. Expected one of {expected}.")
    complete: pd.DataFrame = _translate_old_columns(rows)[list(_DTYPES)].astype(_DTYPES)
    return complete


def _translate_old_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the old columns of findings, or make the new ones from those of an older rule."""
    if "advice" not in rows:
        usd = rows.get("monthly_usd")
        rows = rows.assign(advice=rows["remedy"], monthly_usd_low=None, monthly_usd_high=usd)
    names = ("command", "monthly_usd_low", "monthly_usd_high")
    rows = rows.assign(**dict.fromkeys(name for name in names if name not in rows))
    advice, command = rows["advice"].astype(TEXT), rows["command"].astype(TEXT)
    remedy = (advice + " " + command).fillna(advice)
    return rows.assign(remedy=remedy, monthly_usd=rows["monthly_usd_high"])
