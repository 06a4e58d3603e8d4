"""The rules that were silent for want of a value: where, why, and how to have it read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

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
    rows = [row for rule in chosen for row in _list_missing(rule, facts, {*map(str, given)})]
    return make_table(rows, UNCHECKED)


def _list_missing(rule: Rule, facts: RuleInput, given: set[str]) -> Iterator[dict[str, Any]]:
    absent = [name for name in rule.needs if getattr(facts, name) is None]
    if absent:
        yield {"rule": rule.name, "why": "join", "how": " ".join(_HOW[name] for name in absent)}
        return
    images = facts.images.assign(**{STOCK: facts.stock})
    for column in rule.reads:
        if column not in images:
            continue
        is_given = not given.isdisjoint(_STOCK_COLUMNS if column == STOCK else {column})
        unknown = images[images[column].isna()]
        for (account_id, region), rows in unknown.groupby(list(ACCOUNT_REGION), dropna=False):
            why, how = _explain(column, rows, is_given=is_given)
            key = {"account_id": account_id, "region": region}
            yield {"rule": rule.name, **key, "why": why, "how": how}
        if not unknown.empty:
            return


def _explain(column: str, rows: pd.DataFrame, *, is_given: bool) -> tuple[str, str]:
    """Return why a column is null in the rows of a region, and how to have it read."""
    join = _JOIN_OF_COLUMN.get(column, "")
    reasons = _parse_refusals(rows["not_read"].iloc[0] if "not_read" in rows else None)
    if join in reasons:
        return (
            "permission",
            f'The join "{join}" was refused: {reasons[join]}. Allow it, join again.',
        )
    if join and not is_given:
        return "join", f'Join "{join}": fl.enrich(images, "{join}").'
    images = format_count(len(rows))
    if join:
        return "value", f'The join "{join}" could not determine {column} of {images}.'
    return "value", f"AWS's answer lacks {column} of {images}. Read it again."


def _parse_refusals(text: Any) -> dict[str, str]:
    """Return the joins that could not be read, with their error codes."""
    parts = str(text).split("; ") if is_known(text) and text else []
    return dict(part.split(": ", 1) for part in parts if ": " in part)
