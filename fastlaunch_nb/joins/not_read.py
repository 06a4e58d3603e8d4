"""The column `not_read`: which joins could not be read for each row, and AWS's error codes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

import pandas as pd

from fastlaunch_nb.aws.read_limits import get_code
from fastlaunch_nb.aws.targets import get_account_id
from fastlaunch_nb.joins.fetch import Accounts, Failure
from fastlaunch_nb.schema.columns import KEY, TEXT
from fastlaunch_nb.schema.joins import JOINS, NOT_READ

Codes: TypeAlias = pd.Series
"""The text of the column for each row, by the rows' numbers."""

_FLEET_WIDE = ("siblings", "intent")  # a failure anywhere makes them incomplete for every row
_NO_KEY, _NO_TARGET = "NoKey", "NoTarget"


def get_codes(images: pd.DataFrame, chosen: Collection[str]) -> Codes:
    """Return the codes that images have already, except those of joins that are made again.

    Examples
    --------
    >>> images = pd.DataFrame({"not_read": ["quota: Timeout; ami: AccessDenied", None]})
    >>> get_codes(images, {"ami"}).tolist()
    ['quota: Timeout', '']
    """
    if NOT_READ.name not in images:
        return pd.Series("", index=range(len(images)), dtype=TEXT)
    texts = images[NOT_READ.name].astype(TEXT).fillna("")
    parts = [{k: v for k, v in _parse(text).items() if k not in chosen} for text in texts]
    return pd.Series(list(map(_format, parts)), dtype=TEXT)


def add_codes(
    codes: Codes,
    rows: pd.DataFrame,
    columns: Mapping[str, pd.DataFrame],
    accounts: Accounts,
    failures: Iterable[Failure],
) -> Codes:
    """Return the codes with those of joins that failed now.

    A join without a failure has none, whatever its columns have. One that reads several
    things of an account and region has them for the rows whose columns are all null.
    """
    missing = {join: values.isna().all(axis=1).tolist() for join, values in columns.items()}
    by_region: dict[tuple[str, str, str], dict[str, None]] = {}
    fleet: dict[str, dict[str, None]] = {}
    for failure in failures:
        by_region.setdefault(failure[:3], {})[failure.code] = None
        if failure.join in _FLEET_WIDE:
            fleet.setdefault(failure.join, {})[failure.code] = None
    unopened = {get_account_id(source): str(get_code(error)) for source, error in accounts.failed}
    texts = []
    for number, (text, key) in enumerate(
        zip(codes, rows[list(KEY)].itertuples(index=False, name=None), strict=True)
    ):
        found, code = _parse(text), _find_code(key, accounts, unopened)
        for join, is_missing in missing.items():
            errors = [code] if code else list(fleet.get(join, ()))
            if not errors and is_missing[number]:
                errors = list(by_region.get((join, *key[:2]), ()))
            if errors:
                found[join] = ", ".join(errors)
        texts.append(_format(found))
    return pd.Series(texts, dtype=TEXT)


def _find_code(
    key: tuple[str, str, str], accounts: Accounts, unopened: Mapping[str | None, str]
) -> str | None:
    """Return the reason for which no request was sent for a row; None if there is none."""
    if any(map(pd.isna, key)):
        return _NO_KEY
    return None if key[0] in accounts.sessions else unopened.get(key[0], _NO_TARGET)


def _parse(text: str) -> dict[str, str]:
    parts = (part.partition(": ") for part in text.split("; ") if part)
    return {join: code for join, _, code in parts}


def _format(codes: Mapping[str, str]) -> str:
    """Return codes in the order of the joins."""
    known = [join for join in JOINS if join in codes]
    others = [join for join in codes if join not in known]
    return "; ".join(f"{join}: {codes[join]}" for join in (*known, *others))
