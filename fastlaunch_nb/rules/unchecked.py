"""The rules that were silent for want of a value: where, why, and how to have it read."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.rules.evaluate import RULES, check_rules, prepare_facts
from fastlaunch_nb.rules.rule import STOCK, Rule, RuleInput, is_known
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.columns import ACCOUNT_REGION
from fastlaunch_nb.schema.joins import JOINS, UNCHECKED
from fastlaunch_nb.validation import require_columns

_JOIN_OF_COLUMN = {column.name: join for join, columns in JOINS.items() for column in columns}
_JOIN_OF_COLUMN[STOCK] = "metrics"
_STOCK_COLUMNS = {"available_snapshots", "snapshots"}
_HOW = {
    "coverage": "Pass coverage=, as fl.sweep returns it.",
    "intervals": "Pass intervals=fl.intervals(...).",
    "snapshots": "Pass snapshots=fl.snapshots(...).",
}


def unchecked(
    images: IntoDataFrame,
    *,
    intervals: IntoDataFrame | None = None,
    coverage: IntoDataFrame | None = None,
    snapshots: IntoDataFrame | None = None,
    rules: Iterable[Rule] | None = None,
) -> pd.DataFrame:
    """List what :func:`fastlaunch_nb.findings` cannot judge with the same arguments.

    A rule without a finding means that all is well only where the rule was checked.

    Parameters
    ----------
    images, intervals, coverage, snapshots : DataFrame
        The arguments of :func:`fastlaunch_nb.findings`.
    rules : iterable of Rule, optional
        The rules. Default: ``fl.RULES``.

    Returns
    -------
    pandas.DataFrame
        One row for each rule and each account and region with an image that it cannot judge:
        ``rule``, ``account_id``, ``region`` (null: all), ``why`` (``join``: the value was not
        read; ``permission``: AWS refused it, or it could not be read; ``value``: AWS's answer
        lacks it), ``how`` (to have it read).

    Raises
    ------
    InputError
        If a DataFrame lacks columns, or a rule is invalid or has the name of another one.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}])
    >>> rows = fl.unchecked(images)
    >>> rows[rows["rule"].eq("over-quota")][["why", "how"]].values.tolist()
    [['join', 'Join "quota": fl.enrich(images, "quota").']]
    """
    chosen = check_rules(RULES if rules is None else rules)
    given = require_columns("images", images)
    facts = prepare_facts(given, intervals, coverage, snapshots)
    regions = _Regions(facts.images)
    rows = []
    for rule in chosen:
        if absent := _list_absent(rule, facts):
            how = " ".join(_HOW[name] for name in absent)
            rows.append({"rule": rule.name, "why": "join", "how": how})
        elif column := next(_iter_unknown(rule, facts), None):
            is_given = _is_given(column, given)
            gaps = regions.list_gaps(column, _get_values(facts, column), is_given=is_given)
            rows += [{"rule": rule.name, **gap} for gap in gaps]
    return make_table(rows, UNCHECKED)


class UncheckedRules(NamedTuple):
    """Rules that cannot judge all images for want of the same values, and how to have these read.

    `needs` are joins, or arguments of :func:`fastlaunch_nb.findings`; none if a value is unknown
    although its join was made.
    """

    needs: tuple[str, ...]
    how: str
    rules: list[str]


def group_unchecked_rules(
    facts: RuleInput, rules: Iterable[Rule], given: Container[str]
) -> list[UncheckedRules]:
    """Return the rules that cannot judge all images, those for one join first.

    `given` are the columns that the images had before they became facts.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    hows: dict[tuple[str, ...], str] = {}
    for rule in rules:
        if absent := _list_absent(rule, facts):
            needs, how = tuple(absent), " ".join(_HOW[name] for name in absent)
        elif unknown := list(_iter_unknown(rule, facts)):
            joins = [_JOIN_OF_COLUMN[it] for it in unknown if not _is_given(it, given)]
            needs = tuple(dict.fromkeys(joins))
            arguments = ", ".join(f'"{join}"' for join in needs)
            how = f"fl.enrich(images, {arguments})" if needs else "fl.unchecked(images)"
        else:
            continue
        groups.setdefault(needs, []).append(rule.name)
        hows[needs] = how
    ordered = sorted(groups, key=lambda needs: (len(needs) != 1, -len(groups[needs])))
    return [UncheckedRules(needs, hows[needs], groups[needs]) for needs in ordered]


def _list_absent(rule: Rule, facts: RuleInput) -> list[str]:
    """Return the arguments that a rule needs and does not get."""
    return [name for name in rule.needs if getattr(facts, name) is None]


def _iter_unknown(rule: Rule, facts: RuleInput) -> Iterator[str]:
    """Yield the columns that a rule reads and that are null for an image."""
    known = (name for name in rule.reads if name == STOCK or name in facts.images)
    return (name for name in known if _get_values(facts, name).isna().any())


def _is_given(column: str, given: Container[str]) -> bool:
    """Return whether the images had a column, or have none because no join adds it."""
    if column == STOCK:
        return any(name in given for name in _STOCK_COLUMNS)
    return column in given or column not in _JOIN_OF_COLUMN


def _get_values(facts: RuleInput, column: str) -> pd.Series:
    return facts.stock if column == STOCK else facts.images[column]


class _Regions:
    """The accounts and regions of images, each found once for all columns."""

    def __init__(self, images: pd.DataFrame) -> None:
        groups = images.groupby(list(ACCOUNT_REGION), dropna=False)
        self._numbers = groups.ngroup().to_numpy()
        self._columns = images[[*ACCOUNT_REGION, *{"not_read"}.intersection(images)]]

    def list_gaps(
        self, column: str, values: pd.Series, *, is_given: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield each account and region with nulls in a column: why, and how to have it read."""
        unknown = np.flatnonzero(values.isna())
        _, first, counts = np.unique(self._numbers[unknown], return_index=True, return_counts=True)
        examples: list[Any] = self._columns.iloc[unknown[first]].to_dict("records")
        for example, count in zip(examples, counts.tolist(), strict=True):
            why, how = _explain(column, example.pop("not_read", None), count, is_given=is_given)
            yield {**example, "why": why, "how": how}


def _explain(column: str, not_read: Any, count: int, *, is_given: bool) -> tuple[str, str]:
    """Return why a column is null in images of a region, and how to have it read."""
    join = _JOIN_OF_COLUMN.get(column, "")
    reasons = _parse_refusals(not_read)
    if join in reasons:
        return (
            "permission",
            f'The join "{join}" was refused: {reasons[join]}. Allow it, join again.',
        )
    if join and not is_given:
        return "join", f'Join "{join}": fl.enrich(images, "{join}").'
    images = format_count(count)
    if join:
        return "value", f'The join "{join}" could not determine {column} of {images}.'
    return "value", f"AWS's answer lacks {column} of {images}. Read it again."


def _parse_refusals(text: Any) -> dict[str, str]:
    """Return the joins that could not be read, with their error codes."""
    parts = str(text).split("; ") if is_known(text) and text else []
    return dict(part.split(": ", 1) for part in parts if ": " in part)
