"""Code generation: filters as code of this package, boto3, shells, pandas or SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filters.cli_code import write_cli
from fastlaunch_nb.filters.fields import ActiveFilters, check_answerable, make_request
from fastlaunch_nb.filters.powershell_code import write_powershell
from fastlaunch_nb.filters.python_code import write_boto3, write_fastlaunch, write_pandas
from fastlaunch_nb.filters.scopes import NoCodeError, Read, check_scope, list_scopes
from fastlaunch_nb.filters.sql_code import write_sql
from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.shells import check_shell, format_comment
from fastlaunch_nb.validation import parse_image_ids

KINDS: Final = ("fastlaunch", "boto3", "cli", "powershell", "pandas", "sql")
LOCAL_KINDS: Final = ("pandas", "sql")
"""Kinds of code that send no request to EC2."""
Regions = str | Iterable[str] | None
Profiles = Mapping[str, str] | None


def generate_code(
    active: ActiveFilters, kind: str, regions: Regions, profiles: Profiles, shell: str = "posix"
) -> str:
    """Return the code of :meth:`Filters.to_code`."""
    try:
        return write_code([active], kind, regions, profiles, shell)
    except NoCodeError as error:
        return write_reason(error, kind, shell)


def write_reason(error: NoCodeError, kind: str, shell: str) -> str:
    """Write the reason why there is no code, as a comment of that kind of code."""
    if kind == "cli":
        return format_comment(str(error), shell)
    return f"{'--' if kind == 'sql' else '#'} {to_single_line(error)}"


def write_code(
    selections: Sequence[ActiveFilters],
    kind: str,
    regions: Regions,
    profiles: Profiles,
    shell: str = "posix",
    *,
    of_many: bool = False,
) -> str:
    """Write code of a kind for the rows that match any of some filters, and none matches two.

    Without profiles, one account is read with the caller's credentials, unless it is one `of_many`.

    Raises
    ------
    NoCodeError
        If no such code selects exactly these rows.
    """
    check_shell(shell)
    if kind not in KINDS:
        raise InputError(
            f"kind is {kind!r}. Expected {', '.join(map(repr, KINDS))}."
            f"{did_you_mean(str(kind), KINDS)}"
        )
    if kind not in LOCAL_KINDS:
        names = check_scope(regions, profiles)
        reads = [
            Read(active, list_scopes(active, names, profiles, of_many=of_many))
            for active in selections
        ]
        return _write_reads(reads, kind, shell)
    if regions is not None or profiles is not None:
        raise InputError(
            f"Code for {kind} sends no request, so it takes no account or region: "
            "leave regions and profiles out."
        )
    if kind == "pandas":
        return write_pandas(selections)
    for active in selections:
        _check_columns(active)
    return write_sql(selections)


def _write_reads(reads: Sequence[Read], kind: str, shell: str) -> str:
    """Write code that sends requests."""
    for read in reads:
        _check_columns(read.active)
        _check_image_ids(read.active)
        if not read.scopes:
            raise NoCodeError("Nothing to read: no account or region matches the filters.")
    writers: Mapping[str, Callable[[Sequence[Read]], str]] = {
        "fastlaunch": write_fastlaunch,
        "boto3": write_boto3,
        "cli": partial(write_cli, shell=shell),
        "powershell": write_powershell,
    }
    code = writers[kind](reads)
    account_id, profile, _ = reads[0].scopes[0]
    if account_id is None or profile is not None:
        return code
    note = f"With credentials of {account_id}"
    return f"{format_comment(note, shell if kind == 'cli' else 'posix')}\n{code}"


def _check_columns(active: ActiveFilters) -> None:
    """Refuse filters on joined columns, which neither EC2 nor a store has."""
    try:
        check_answerable(active)
    except InputError as error:
        raise NoCodeError(str(error)) from None


def _check_image_ids(active: ActiveFilters) -> None:
    """Refuse image ids that EC2 refuses."""
    try:
        if image_ids := make_request(active).get("ImageIds"):
            parse_image_ids(image_ids)
    except InputError as error:
        raise NoCodeError(str(error)) from None
