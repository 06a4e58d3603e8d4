"""Targets: recipes for accounts, without a secret; and the accounts they open to."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import boto3
from botocore import xform_name

from fastlaunch_nb.aws.clients import (
    AccountSession,
    has_literal_keys,
    named_session,
    open_session,
)
from fastlaunch_nb.aws.error_translation import translate_botocore_errors
from fastlaunch_nb.errors import FastLaunchError, InputError, SetupError
from fastlaunch_nb.validation import check_account_id

_ROLE = re.compile(r"/?[\w+=,.@-]+(/[\w+=,.@-]+)*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_PART = re.compile(r"(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12})")


@dataclass(frozen=True)
class Target:
    """A recipe for one account: where credentials come from, and which role they assume.

    Made by :func:`targets`. There is no secret in it: print it, compare it,
    pickle it. What it leads to is found where and when it is used.

    Attributes
    ----------
    profile : str or None
        The profile of the AWS configuration to begin with; None is what boto3
        finds by itself, its default session where one is set.
    account_id : str or None
        The account; None where only AWS knows (GetCallerIdentity).
    account_name : str or None
        Its name, for the eye.
    role : str or None
        The role to assume in the account, by its name and path; None is none.
    external_id : str or None
        What the role's trust policy asks for.
    home : str or None
        The region to ask about the account itself; the profile's own if None.
    """

    profile: str | None = None
    account_id: str | None = None
    account_name: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)
    home: str | None = None

    def __post_init__(self) -> None:
        if self.role and not self.account_id:
            raise InputError(f"role is {self.role!r}, and account_id says not where it is.")


TargetLike: TypeAlias = Target | boto3.Session
"""What an account is opened from: a recipe, or a session that is open already."""


def targets(
    *,
    profiles: str | Iterable[str] | None = None,
    accounts: str | Iterable[str] | None = None,
    role: str | None = None,
    external_id: str | None = None,
    organization: bool | str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
) -> list[Target]:
    """List the accounts to read, as recipes without a secret.

    Without arguments: the account of boto3's own credentials. Nothing is asked
    of AWS, but for an organization: then ``organizations:ListAccounts``,
    ``organizations:ListAccountsForParent`` and
    ``organizations:ListOrganizationalUnitsForParent``, from its management
    account or a delegated administrator, and ``sts:GetCallerIdentity``.

    Parameters
    ----------
    profiles : str or iterable of str, optional
        Profiles of the AWS configuration, an account each; one with an empty
        name is what boto3 finds by itself. Together with `accounts` or
        `organization`: the one profile to begin with.
    accounts : str or iterable of str, optional
        Accounts in which to assume `role`, by their ids.
    role : str, optional
        The role's name, with its path where it has one.
    external_id : str, optional
        What the role's trust policy asks for.
    organization : bool, str or iterable of str, optional
        True for every active account of the organization; or the roots,
        organizational units (with all below them) and accounts of it to read.
        The account that asks is read with its own credentials.
    skip : str or iterable of str, optional
        Organizational units and accounts to leave out.

    Returns
    -------
    list of Target
        In the order given; of an organization, by account id.

    Raises
    ------
    InputError
        The arguments do not fit together, or one is malformed.
    SetupError, ReadError
        The organization can not be listed.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> fl.targets(profiles=["build-farm", "game-servers"])[0].profile
    'build-farm'
    >>> [target] = fl.targets(accounts="111122223333", role="FastLaunchReader")
    >>> target.account_id, target.role
    ('111122223333', 'FastLaunchReader')
    """
    named = _texts("profiles", profiles, least=0)
    listed, skipped = _texts("accounts", accounts), _texts("skip", skip)
    _check_role(named, bool(listed or organization), role, external_id)
    _check_parts(listed, organization, skipped)
    if not listed and not organization:
        found = [Target(name or None, account_name=name or None) for name in named] or [Target()]
    else:
        first = (named[0] or None) if named else None
        role = str(role).removeprefix("/")
        found = [Target(first, account_id, None, role, external_id) for account_id in listed]
        if organization:
            chosen = None if organization is True else _texts("organization", organization)
            found += _of_organization(first, role, external_id, chosen, skipped)
    unique = {target.account_id or target: target for target in found}
    return [target for target in unique.values() if target.account_id not in skipped]


def _texts(name: str, value: object, least: int = 1) -> list[str]:
    """Return one text or several as a list, each once; one has so many letters at least."""
    values = [value] if isinstance(value, str) else value
    if values is None or values is False:
        return []
    if not isinstance(values, Iterable) or isinstance(values, bytes):
        raise InputError(f"{name} is {value!r}. Expected text, or a list of text.")
    texts = list(values)
    if not texts or not all(isinstance(text, str) and len(text) >= least for text in texts):
        raise InputError(f"{name} is {texts!r}. Expected text, or a list of text; None is none.")
    return list(dict.fromkeys(texts))


def _check_role(
    profiles: Collection[str], elsewhere: bool, role: object, external_id: str | None
) -> None:
    """Refuse a role without accounts, accounts without one, and two places to begin from."""
    if elsewhere and not role:
        raise InputError(
            "accounts and organization need role: the name of a role to assume in each account, "
            "such as role='FastLaunchReader'."
        )
    if elsewhere and len(profiles) > 1:
        raise InputError(
            f"profiles names {len(profiles)}, and roles are assumed from one. Name that one."
        )
    if not elsewhere and (role or external_id):
        raise InputError("role and external_id go with accounts or organization: name either.")
    if role is not None and not (isinstance(role, str) and _ROLE.fullmatch(role)):
        raise InputError(f"role is {role!r}. Expected a role's name, such as 'FastLaunchReader'.")
    if external_id is not None and not (
        isinstance(external_id, str) and _EXTERNAL_ID.fullmatch(external_id)
    ):
        raise InputError("external_id is no such id. Expected text of 2 to 1,224 letters.")


def _check_parts(accounts: Collection[str], organization: Any, skip: Collection[str]) -> None:
    """Refuse what is no account, and no part of an organization."""
    if skip and not organization:
        raise InputError("skip leaves out parts of an organization: pass organization as well.")
    for account_id in accounts:
        check_account_id(account_id)
    parts = [] if isinstance(organization, bool) else _texts("organization", organization)
    for part in (*parts, *skip):
        if not _PART.fullmatch(part):
            raise InputError(
                f"{part!r} is no part of an organization. Expected an organizational unit "
                "('ou-…'), a root ('r-…') or an account's 12 digits."
            )


# --- an organization ------------------------------------------------------------------


def _of_organization(
    profile: str | None,
    role: str | None,
    external_id: str | None,
    chosen: Collection[str] | None,
    skip: Collection[str],
) -> list[Target]:
    """Return a target for each active account of the chosen parts, by account id."""
    access = AccountCache().open(Target(profile))
    caller = access.account_id()
    active = {
        account["Id"]: account.get("Name")
        for account in _listed(access, "ListAccounts", "Accounts")
        if account.get("State", account.get("Status")) == "ACTIVE"
    }
    left_out = _accounts_of(access, skip)
    wanted = set(active) if chosen is None else _accounts_of(access, chosen)
    unknown = {part for part in chosen or () if part.isdigit()} - active.keys()
    if unknown:
        raise InputError(
            f"organization names {', '.join(sorted(unknown))}, which is no active account of it."
        )
    return [
        Target(profile, account_id, active[account_id])
        if account_id == caller
        else Target(profile, account_id, active[account_id], role, external_id)
        for account_id in sorted((wanted & active.keys()) - left_out)
    ]


def _accounts_of(access: AccountSession, parts: Collection[str]) -> set[str]:
    """Return the accounts among some parts of an organization, and all below them."""
    found = {part for part in parts if part.isdigit()}
    waiting = [part for part in parts if not part.isdigit()]
    while waiting:
        parent = waiting.pop()
        accounts = _listed(access, "ListAccountsForParent", "Accounts", ParentId=parent)
        found |= {account["Id"] for account in accounts}
        operation = "ListOrganizationalUnitsForParent"
        units = _listed(access, operation, "OrganizationalUnits", ParentId=parent)
        waiting += [unit["Id"] for unit in units]
    return found


def _listed(
    access: AccountSession, operation: str, items: str, **asked: str
) -> list[dict[str, Any]]:
    with translate_botocore_errors(operation, access.home, access.session, service="organizations"):
        client = access.client("organizations", access.home)
        pages = client.get_paginator(xform_name(operation)).paginate(**asked)
        return [item for page in pages for item in page[items]]


# --- opening --------------------------------------------------------------------------


class AccountCache:
    """Accounts that were opened in this process, each once; safe for many threads.

    Parameters
    ----------
    connections : int, default 10
        How many clients may be at work at once with one region.
    """

    def __init__(self, connections: int = 10) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._locks: dict[Any, threading.Lock] = {}
        self._opened: dict[Any, AccountSession] = {}

    def open(self, source: TargetLike, region: str | None = None) -> AccountSession:
        """Return the way into an account; what goes wrong is raised, and tried anew next time.

        `region` is where to ask about it if its configuration names none.
        """
        with self._lock:
            lock = self._locks.setdefault(source, threading.Lock())
        with lock:
            if source not in self._opened:
                self._opened[source] = self._new(source, region)
            return self._opened[source]

    def _new(self, source: TargetLike, region: str | None) -> AccountSession:
        if isinstance(source, Target) and source.role and source.account_id:
            base = self.open(Target(source.profile, home=source.home), region)
            return base.assume(source.account_id, source.role, source.external_id)
        if isinstance(source, boto3.Session):
            session, home = source, None
        else:
            home = source.home
            session = open_session() if source.profile is None else named_session(source.profile)
        home = home or session.region_name or region
        return AccountSession(session, home=home, connections=self._connections)


def portable(source: TargetLike) -> Target:
    """Return a recipe that works in another process; refuse what only this one has.

    Where the credentials are of a session, it says whose they are, so that
    whoever finds others elsewhere notices.
    """
    if isinstance(source, boto3.Session):
        return _recipe(source)
    default = boto3.DEFAULT_SESSION
    if source.profile is not None or default is None:
        return source
    found = _recipe(default)
    whose = {} if source.account_id else {"account_id": found.account_id}
    return replace(source, profile=found.profile, home=source.home or found.home, **whose)


def _recipe(session: boto3.Session) -> Target:
    if has_literal_keys(session):
        raise InputError(
            "The session has keys of its own, which must not leave this process, so an executor "
            "outside it can not use them. Pass targets(profiles=...) or targets(accounts=..., "
            "role=...), or leave executor out."
        )
    account_id = None
    with suppress(FastLaunchError):  # which the read itself will tell
        account_id = AccountSession(session).account_id()
    profile: str | None = session._session.profile
    return Target(profile, account_id, profile, home=session.region_name)


def is_target_like(source: object) -> bool:
    """Tell what an account can be opened from."""
    return isinstance(source, Target | boto3.Session)


def target_name(source: TargetLike) -> str | None:
    """Return the name that a source has for its account; a session's is its profile."""
    if isinstance(source, Target):
        return source.account_name
    name: str | None = source._session.profile
    return name


def identify(access: AccountSession, source: TargetLike) -> str:
    """Return the id of an account that was opened; refuse one that is not the target's."""
    wanted = source.account_id if isinstance(source, Target) else None
    if wanted and isinstance(source, Target) and source.role:
        return wanted
    found = access.account_id()
    if wanted and found != wanted:
        raise SetupError(
            f"The credentials found lead to account {found}, not to {wanted}. Check the profile, "
            "or pass targets that lead there."
        )
    return found


def target_list(targets: Any) -> tuple[TargetLike, ...]:
    """Return targets as recipes and sessions, each once; None is boto3's own credentials."""
    if targets is None:
        return (Target(),)
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        targets = [targets]
    given = tuple(targets)
    for source in given:
        if not is_target_like(source):
            raise InputError(
                f"targets has a {type(source).__name__}. Expected what targets(...) returns, or "
                "boto3.Session objects; for profiles, targets(profiles=[...])."
            )
    if not given:
        raise InputError("targets is empty: there is no account to read.")
    return tuple(dict.fromkeys(given))
