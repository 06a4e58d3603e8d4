"""Targets: accounts to read, described without secrets; and the accounts they open."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import boto3

from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.read_limits import DEFAULT_TIMEOUT, TimeLimit
from fastlaunch_nb.aws.sessions import has_literal_keys, open_profile_session, open_session
from fastlaunch_nb.errors import FastLaunchError, InputError, SetupError
from fastlaunch_nb.validation import check_account_id, split_text

_ROLE = re.compile(r"/?[\w+=,.@-]+(/[\w+=,.@-]+)*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_PART_ID = re.compile(r"(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12})")


@dataclass(frozen=True)
class Target:
    """An account to read: where its credentials come from, and which role they assume.

    Made by :func:`targets`. It holds no secret: you can print, compare and pickle
    it. Credentials are resolved where and when the target is used.

    Attributes
    ----------
    profile : str or None
        The profile of the AWS configuration to start from; None for boto3's
        default session, or else the credentials that boto3 finds.
    account_id : str or None
        The account; None if only AWS knows it (GetCallerIdentity).
    account_name : str or None
        The name of the account in views.
    role : str or None
        The name and path of the role to assume in the account; None for no role.
    external_id : str or None
        The external id that the role's trust policy requires.
    home : str or None
        The region for requests about the account itself; None for the profile's.
    """

    profile: str | None = None
    account_id: str | None = None
    account_name: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)
    home: str | None = None

    def __post_init__(self) -> None:
        if self.role and not self.account_id:
            raise InputError(
                f"role is {self.role!r} and account_id is None. Expected the id of the account "
                "that has the role: pass account_id."
            )


TargetLike: TypeAlias = Target | boto3.Session
"""A target, or an open session, which has one account as well."""


def targets(
    *,
    profiles: str | Iterable[str] | None = None,
    accounts: str | Iterable[str] | None = None,
    role: str | None = None,
    external_id: str | None = None,
    organization: bool | str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
) -> list[Target]:
    """List the accounts to read, without any secret.

    Without arguments: the account of boto3's own credentials. Only for an
    organization are requests sent to AWS, from its management account or a
    delegated administrator. They need ``organizations:ListAccounts``,
    ``organizations:ListAccountsForParent``,
    ``organizations:ListOrganizationalUnitsForParent`` and
    ``sts:GetCallerIdentity``.

    Parameters
    ----------
    profiles : str or iterable of str, optional
        Profiles of the AWS configuration, one for each account; an empty name
        stands for the credentials that boto3 finds. With `accounts` or
        `organization`: the one profile to start from.
    accounts : str or iterable of str, optional
        The ids of accounts in which to assume `role`.
    role : str, optional
        The role's name, with its path if it has one.
    external_id : str, optional
        The external id that the role's trust policy requires.
    organization : bool, str or iterable of str, optional
        True for every active account of the organization; or its roots,
        organizational units (with everything below them) and accounts to read.
        The account that lists the organization is read with its own credentials.
    skip : str or iterable of str, optional
        Organizational units and accounts to leave out.

    Returns
    -------
    list of Target
        In the order of the arguments; those of an organization, by account id.

    Raises
    ------
    InputError
        If an argument is malformed, or does not go with another.
    SetupError, ReadError
        If the organization cannot be listed.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> fl.targets(profiles=["build-farm", "game-servers"])[0].profile
    'build-farm'
    >>> [target] = fl.targets(accounts="111122223333", role="FastLaunchReader")
    >>> target.account_id, target.role
    ('111122223333', 'FastLaunchReader')
    """
    profile_names = _parse_texts("profiles", profiles, min_length=0)
    account_ids, skipped = _parse_ids("accounts", accounts), _parse_ids("skip", skip)
    parts = None if organization is True else _parse_ids("organization", organization)
    _check_role(profile_names, bool(account_ids or organization), role, external_id)
    _check_parts(account_ids, organization, parts or [], skipped)
    if not account_ids and not organization:
        found = [Target(name or None, account_name=name or None) for name in profile_names]
        return found or [Target()]
    profile = (profile_names[0] or None) if profile_names else None
    role = str(role).removeprefix("/")
    found = [Target(profile, account_id, None, role, external_id) for account_id in account_ids]
    if organization:
        with TimeLimit(DEFAULT_TIMEOUT).watch():
            found += _list_organization(profile, role, external_id, parts, skipped)
    unique = {target.account_id: target for target in found}
    return [target for target in unique.values() if target.account_id not in skipped]


def _parse_ids(name: str, value: object) -> list[str]:
    return _parse_texts(name, split_text(value))


def _parse_texts(name: str, value: object, min_length: int = 1) -> list[str]:
    """Return one text or several as a list without duplicates; refuse shorter ones."""
    values = [value] if isinstance(value, str) else value
    if values is None or values is False:
        return []
    if not isinstance(values, Iterable) or isinstance(values, bytes):
        raise InputError(f"{name} is {value!r}. Expected text, a list of text, or None.")
    texts = list(values)
    if not texts or not all(isinstance(text, str) and len(text) >= min_length for text in texts):
        raise InputError(f"{name} is {texts!r}. Expected text, a list of text, or None.")
    return list(dict.fromkeys(texts))


def _check_role(
    profiles: Collection[str], needs_role: bool, role: object, external_id: str | None
) -> None:
    """Check the arguments about a role, and that at most one profile assumes it."""
    if needs_role and not role:
        raise InputError(
            "accounts and organization need role: the name of a role to assume in each account, "
            "such as role='FastLaunchReader'."
        )
    if needs_role and len(profiles) > 1:
        raise InputError(
            f"profiles has {len(profiles)} names, and roles are assumed from one. Pass that one."
        )
    if not needs_role and (role or external_id):
        raise InputError(
            "role and external_id are for accounts or organization. Pass one of these, or neither "
            "role nor external_id."
        )
    if role is not None and not (isinstance(role, str) and _ROLE.fullmatch(role)):
        raise InputError(f"role is {role!r}. Expected a role's name, such as 'FastLaunchReader'.")
    if external_id is not None and not (
        isinstance(external_id, str) and _EXTERNAL_ID.fullmatch(external_id)
    ):
        raise InputError("external_id is malformed. Expected text of 2 to 1,224 characters.")


def _check_parts(
    accounts: Collection[str], organization: object, parts: Collection[str], skip: Collection[str]
) -> None:
    """Check the ids of accounts and of parts of an organization."""
    if skip and not organization:
        raise InputError("skip leaves out parts of an organization: pass organization as well.")
    for account_id in accounts:
        check_account_id(account_id)
    for part in (*parts, *skip):
        if not _PART_ID.fullmatch(part):
            raise InputError(
                f"{part!r} is no part of an organization. Expected an organizational unit "
                "('ou-…'), a root ('r-…') or an account's 12 digits."
            )


# --- an organization ------------------------------------------------------------------


def _list_organization(
    profile: str | None,
    role: str | None,
    external_id: str | None,
    parts: Collection[str] | None,
    skip: Collection[str],
) -> list[Target]:
    """Return a target for each active account of the parts, or of all, by account id."""
    account_session = AccountCache().open(Target(profile))
    client = RegionClient(account_session, account_session.home)
    caller = account_session.get_account_id()
    names = {
        account["Id"]: account.get("Name")
        for account in client.iter_items("organizations", "ListAccounts", "Accounts", {})
        if account.get("State", account.get("Status")) == "ACTIVE"
    }
    unknown = {part for part in parts or () if part.isdigit()} - names.keys()
    if unknown:
        raise InputError(
            f"organization has {', '.join(sorted(unknown))}, which is no active account of it. "
            "Leave it out, or pass it as accounts."
        )
    account_ids = set(names) if parts is None else _list_accounts(client, parts) & names.keys()
    return [
        Target(profile, account_id, names[account_id])
        if account_id == caller
        else Target(profile, account_id, names[account_id], role, external_id)
        for account_id in sorted(account_ids - _list_accounts(client, skip))
    ]


def _list_accounts(client: RegionClient, parts: Collection[str]) -> set[str]:
    """Return the ids of the accounts in some parts of an organization, at any depth."""
    account_ids = {part for part in parts if part.isdigit()}
    parents = [part for part in parts if not part.isdigit()]
    iter_items = partial(client.iter_items, "organizations")
    while parents:
        request = {"ParentId": parents.pop()}
        accounts = iter_items("ListAccountsForParent", "Accounts", request)
        account_ids |= {account["Id"] for account in accounts}
        units = iter_items("ListOrganizationalUnitsForParent", "OrganizationalUnits", request)
        parents += [unit["Id"] for unit in units]
    return account_ids


# --- opening --------------------------------------------------------------------------


class AccountCache:
    """Open accounts of this process, each opened once; thread-safe.

    At most `connections` clients may use one region at the same time.
    """

    def __init__(self, connections: int = 10) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._target_locks: dict[TargetLike, threading.Lock] = {}
        self._account_sessions: dict[TargetLike, AccountSession] = {}

    def open(self, target: TargetLike, region: str | None = None) -> AccountSession:
        """Open an account, or return it if it is open already; after an error, try again.

        `region` is for requests about the account if its configuration has no region.
        """
        with self._lock:
            lock = self._target_locks.setdefault(target, threading.Lock())
        with lock:
            if target not in self._account_sessions:
                self._account_sessions[target] = self._open_new(target, region)
            return self._account_sessions[target]

    def _open_new(self, target: TargetLike, region: str | None) -> AccountSession:
        if isinstance(target, boto3.Session):
            session, home = target, None
        elif target.role and target.account_id:
            base = self.open(Target(target.profile, home=target.home), region)
            return base.assume_role(target.account_id, target.role, target.external_id)
        else:
            profile, home = target.profile, target.home
            session = open_session() if profile is None else open_profile_session(profile)
        home = home or session.region_name or region
        return AccountSession(session, home=home, connections=self._connections)


_running_sweeps: list[None] = []  # one entry each: changing a list is safe in any thread


@contextmanager
def mark_sweep() -> Iterator[None]:
    """Let :func:`is_sweep_running` know that a sweep opens and reads accounts."""
    _running_sweeps.append(None)
    try:
        yield
    finally:
        _running_sweeps.pop()


def is_sweep_running() -> bool:
    """Return True while a sweep of this process opens and reads accounts."""
    return bool(_running_sweeps)


def make_portable(target: TargetLike) -> Target:
    """Return a target that works in another process; refuse credentials that only this one has.

    It names the account of a session's credentials, so that other credentials
    found in the other process are an error.
    """
    if isinstance(target, boto3.Session):
        return _session_target(target)
    default = boto3.DEFAULT_SESSION
    if target.profile is not None or default is None:
        return target
    portable = _session_target(default)
    return replace(
        target,
        profile=portable.profile,
        home=target.home or portable.home,
        account_id=target.account_id or portable.account_id,
    )


def _session_target(session: boto3.Session) -> Target:
    if has_literal_keys(session):
        raise InputError(
            "The session has keys of its own, which must not leave this process, so an executor "
            "outside it cannot use them. Pass targets(profiles=...) or targets(accounts=..., "
            "role=...), or leave executor out."
        )
    account_id = None
    with suppress(FastLaunchError):  # the scans will report it
        account_id = AccountSession(session).get_account_id()
    profile: str | None = session._session.profile
    return Target(profile, account_id, profile, home=session.region_name)


def get_account_id(target: TargetLike) -> str | None:
    """Return the id of the account that a target names; a session names none."""
    return target.account_id if isinstance(target, Target) else None


def get_account_name(target: TargetLike) -> str | None:
    """Return the name of a target's account; of a session, its profile."""
    return target.account_name if isinstance(target, Target) else target._session.profile


def identify_account(account_session: AccountSession, target: TargetLike) -> str:
    """Return the id of an open account; refuse one that the target does not name."""
    expected = get_account_id(target)
    if isinstance(target, Target) and expected and target.role:
        return expected
    account_id = account_session.get_account_id()
    if expected not in (None, account_id):
        raise SetupError(
            f"The credentials belong to account {account_id}, not to {expected}. Check the "
            f"profile, or pass targets for {expected}."
        )
    return account_id


def parse_targets(targets: Any) -> tuple[TargetLike, ...]:
    """Return targets and sessions as a tuple without duplicates; None is boto3's credentials."""
    if targets is None:
        return (Target(),)
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        targets = [targets]
    parsed = tuple(targets)
    for target in parsed:
        if not isinstance(target, Target | boto3.Session):
            raise InputError(
                f"targets has a {type(target).__name__}. Expected what targets(...) returns, or "
                "boto3.Session objects; for profiles, targets(profiles=[...])."
            )
    if not parsed:
        raise InputError("targets is empty. Expected at least one account to read.")
    return tuple(dict.fromkeys(parsed))
