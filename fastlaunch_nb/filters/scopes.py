"""Scopes of generated code: the accounts and regions that it reads, and with whose credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filters.fields import ActiveFilters
from fastlaunch_nb.shells import format_comment
from fastlaunch_nb.validation import check_account_id, check_region, split_text


class NoCodeError(InputError):
    """No code of a kind selects exactly these rows; the message is the reason."""


class QueryScope(NamedTuple):
    """An account and region to query; None is the caller's own, an empty profile unknown."""

    account_id: str | None
    profile: str | None
    region: str | None


class Read(NamedTuple):
    """Filters, and the accounts and regions in which to read the rows that match them."""

    active: ActiveFilters
    scopes: Sequence[QueryScope]


_NOTE: Final = "After {option}, write the name of your profile in place of each account id."


def check_scope(
    regions: str | Iterable[str] | None, profiles: Mapping[str, str] | None
) -> list[str | None]:
    """Return the regions, of which None is the caller's own; refuse bad regions and profiles."""
    if not isinstance(regions, Iterable | None):
        raise InputError(f"regions is {regions!r}. Expected names such as ['eu-west-1'].")
    names: list[str | None] = [None] if regions is None else list(split_text(regions))
    for region in names:
        check_region(region)
    if not isinstance(profiles, Mapping | None):
        raise InputError(f"profiles is {profiles!r}. Expected a dict, account id to profile.")
    for account_id, profile in (profiles or {}).items():
        check_account_id(account_id)
        if not isinstance(profile, str) or not profile.isprintable() or not profile:
            raise InputError(f"profiles has {profile!r}. Expected the name of a profile.")
    return names


def list_scopes(
    active: ActiveFilters,
    regions: list[str | None],
    profiles: Mapping[str, str] | None,
    *,
    of_many: bool = False,
) -> list[QueryScope]:
    """Return each account and region that may have matching rows, in which neither is null.

    Without profiles, one account is read with the caller's credentials, unless it is one `of_many`.
    """
    if "region" in active:
        regions = [region for region in active["region"] if _is_valid(check_region, region)]
    accounts: list[tuple[str | None, str | None]] = [(None, None)]
    if profiles is not None:
        accounts = [*profiles.items()]
    if "account_id" in active:
        chosen = [value for value in active["account_id"] if _is_valid(check_account_id, value)]
        missing = [value for value in chosen if profiles is not None and value not in profiles]
        if missing:
            raise InputError(
                f"profiles has none for {missing[0]}, which the filters choose. Add it."
            )
        unknown = "" if of_many or len(chosen) > 1 else None
        accounts = [(value, unknown if profiles is None else profiles[value]) for value in chosen]
    return [QueryScope(*account, region) for account in accounts for region in regions]


def lacks_profiles(reads: Iterable[Read]) -> bool:
    """Return whether the profiles of some accounts are unknown."""
    return any(scope.profile == "" for read in reads for scope in read.scopes)


def list_commands(
    reads: Sequence[Read],
    shell: str,
    option: str,
    write: Callable[[ActiveFilters, QueryScope], str],
) -> str:
    """Return a command a line, one for each account and region; `option` takes the profile.

    If profiles are unknown, the id of each account stands for its profile: no profile has such a
    name, so that a command that nobody edited fails, and cannot show the rows of another account.
    """
    scopes = [(read.active, scope) for read in reads for scope in read.scopes]
    lines = []
    if lacks_profiles(reads):
        lines = [format_comment(_NOTE.format(option=option), shell)]
        scopes = [
            (active, it._replace(profile=it.profile or it.account_id)) for active, it in scopes
        ]
    return "\n".join([*lines, *(write(*entry) for entry in scopes)])


def list_unique(values: Iterable[str | None]) -> list[str]:
    """Return the distinct values that are not None, in their order."""
    return [value for value in dict.fromkeys(values) if value is not None]


def _is_valid(check: Callable[[str | None], None], value: str | None) -> bool:
    try:
        check(value)
    except InputError:
        return False
    return value is not None
