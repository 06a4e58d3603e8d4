"""Code for PowerShell: calls of Get-EC2FastLaunchImage of AWS.Tools.EC2, which reads all pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filters.fields import (
    API_PATHS,
    RANGES,
    SEARCHED_PATHS,
    ActiveFilters,
    make_request,
    select_client_side,
    to_plain,
)
from fastlaunch_nb.filters.scopes import NoCodeError, QueryScope, Read, list_commands
from fastlaunch_nb.schema.columns import COUNT
from fastlaunch_nb.shells import quote_powershell


def write_powershell(reads: Sequence[Read]) -> str:
    """Write a call for each account and region."""
    return list_commands(reads, "powershell", "-ProfileName", _write_call)


def _write_call(active: ActiveFilters, scope: QueryScope) -> str:
    try:
        call = " ".join(["Get-EC2FastLaunchImage", *_list_parameters(active, scope)])
        conditions = " -and ".join(_list_conditions(active, scope))
    except InputError as error:  # a text that no line can have
        raise NoCodeError(str(error)) from None
    return f"{call} | Where-Object {{ {conditions} }}" if conditions else call


def _list_parameters(active: ActiveFilters, scope: QueryScope) -> Iterator[str]:
    request = make_request(active)
    if filters := request.get("Filters"):
        entries = (f"@{{Name='{it['Name']}';Values={_quote_all(it['Values'])}}}" for it in filters)
        yield f"-Filter {','.join(entries)}"
    if image_ids := request.get("ImageIds"):
        yield f"-ImageId {_quote_all(image_ids)}"
    if scope.profile:
        yield f"-ProfileName {quote_powershell(scope.profile)}"
    if scope.region:
        yield f"-Region {quote_powershell(scope.region)}"


def _quote_all(values: Sequence[str]) -> str:
    return ",".join(map(quote_powershell, values))


def _list_conditions(active: ActiveFilters, scope: QueryScope) -> Iterator[str]:
    """Yield the conditions on an item that EC2 does not apply itself."""
    for name, value in to_plain(select_client_side(active)).items():
        if name == "text":
            yield from _search(value, scope)
        elif name in RANGES:
            yield from _list_ends(name, *value)
        elif name not in ("region", "account_id"):  # a call has these
            yield _match(name, value)


def _match(name: str, values: Sequence[str | None]) -> str:
    if name == "launch_template":
        name_field, id_field = (_write_field(f"launch_template_{end}") for end in ("name", "id"))
        field = f"$(if ($null -ne {name_field}) {{ {name_field} }} else {{ {id_field} }})"
    else:
        field = _write_field(name)
    known = [value for value in values if value is not None]
    conditions = [f"{field} -cin @({_quote_all(known)})"] if known else []
    conditions += [f"$null -eq {field}"] if None in values else []
    return conditions[0] if len(conditions) == 1 else f"({' -or '.join(conditions)})"


def _list_ends(name: str, low: Any, high: Any) -> Iterator[str]:
    """Yield the conditions on a range, which a missing value does not meet.

    AWS.Tools has 0, or the first year, for a missing number or time; from version 5 it has null.
    """
    field = _write_field(name)
    if RANGES[name] == COUNT:
        yield field
    else:
        yield f"{field} -gt [datetime]::MinValue"
        field = f"{field}.ToUniversalTime()"
        low, high = (end and f"[datetimeoffset]::Parse('{end}').UtcDateTime" for end in (low, high))
    for sign, end in (("-ge", low), ("-le", high)):
        if end is not None:
            yield f"{field} {sign} {end}"


def _search(text: str, scope: QueryScope) -> Iterator[str]:
    """Yield a condition for each word that the account and region do not have."""
    fields = ", ".join("$_." + ".".join(path) for path in SEARCHED_PATHS)
    for word in text.casefold().split():
        if None in (scope.account_id, scope.region) or not word.isascii():
            raise NoCodeError(
                "PowerShell selects exactly these rows only if the account and region are known "
                "and the text has ASCII characters alone."
            )
        if word not in f"{scope.account_id}\n{scope.region}":
            searched = f'(@({fields}) -join "`n").ToLowerInvariant()'
            yield f"{searched}.Contains({quote_powershell(word)})"


def _write_field(name: str) -> str:
    return "$_." + ".".join(API_PATHS[name])
