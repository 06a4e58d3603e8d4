"""Code in SQL: a query of DuckDB for the rows in a store of :class:`fastlaunch_nb.History`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastlaunch_nb.filters.fields import RANGES, SEARCHED, ActiveFilters, to_plain
from fastlaunch_nb.filters.scopes import NoCodeError
from fastlaunch_nb.schema.columns import COLUMNS, COUNT

_NAMES: Final = frozenset(column.name for column in COLUMNS)
_QUERY: Final = """-- DuckDB: the rows of the last complete scan of each account and region.
-- 'history' is the folder of your fl.History, or its address on S3.
WITH scans AS (
    FROM read_parquet('history/coverage/*/*.parquet', union_by_name = true)
    SELECT account_id, region, sweep_id, record_id
    WHERE status = 'complete' AND coalesce(scope, '') = ''
    QUALIFY row_number() OVER (
        PARTITION BY account_id, region
        ORDER BY observed_at DESC, sweep_id DESC, record_id DESC
    ) = 1
)
SELECT DISTINCT ON (account_id, region, image_id) images.*
FROM read_parquet('history/images/*/*.parquet', union_by_name = true) AS images
SEMI JOIN scans USING (account_id, region, sweep_id, record_id)"""
_SEARCHED_TEXT: Final = (
    f"lower(concat_ws(chr(10), {', '.join(name for name in SEARCHED if name in _NAMES)}))"
)


def write_sql(selections: Sequence[ActiveFilters]) -> str:
    """Write a query for the rows that match any of some filters."""
    conditions = [" AND ".join(_list_conditions(active)) for active in selections]
    if not all(conditions):
        return _QUERY
    return "\n".join([_QUERY, "WHERE " + "\n    OR ".join(conditions)])


def _list_conditions(active: ActiveFilters) -> Iterator[str]:
    for name, value in to_plain(active).items():
        if name == "text":
            for word in value.casefold().split():
                yield _search(word)
        elif name in RANGES:
            yield from _list_ends(name, *value)
        else:
            yield _match(name, value)


def _match(name: str, values: Sequence[str | None]) -> str:
    column = name
    if name == "launch_template":
        column = "coalesce(launch_template_name, launch_template_id)"
    known = [_quote(value) for value in values if value is not None]
    conditions = [f"{column} IN ({', '.join(known)})"] if known else []
    conditions += [f"{column} IS NULL"] if None in values else []
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def _list_ends(name: str, low: Any, high: Any) -> Iterator[str]:
    for sign, end in ((">=", low), ("<=", high)):
        if end is not None:
            literal = str(end) if RANGES[name] == COUNT else f"TIMESTAMPTZ '{end}'"
            yield f"{name} {sign} {literal}"


def _search(word: str) -> str:
    if not word.isascii():
        raise NoCodeError("SQL selects exactly these rows only for text of ASCII characters.")
    return f"contains({_SEARCHED_TEXT}, {_quote(word)})"


def _quote(text: str) -> str:
    """Quote text as a literal; no literal can have a null character."""
    doubled = text.replace("'", "''")
    if "\0" in text:
        raise NoCodeError("No text in SQL can have a null character.")
    return f"'{doubled}'"
