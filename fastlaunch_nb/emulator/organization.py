"""An organization, as AWS Organizations and STS of moto answer for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.organizations.models import organizations_backends

from fastlaunch_nb.emulator.clock import CLOCK


@dataclass(frozen=True)
class Account:
    """An account of an organization; one that is not active is suspended."""

    account_id: str
    name: str
    is_active: bool = True


@dataclass(frozen=True)
class Unit:
    """An organizational unit, or the root: accounts, and units below it."""

    name: str
    accounts: tuple[Account, ...] = ()
    units: tuple[Unit, ...] = ()

    def all_accounts(self) -> Iterator[Account]:
        """Yield its accounts, then those below it."""
        yield from self.accounts
        for unit in self.units:
            yield from unit.all_accounts()


def organize(root: Unit) -> None:
    """Make an organization; the first of its accounts manages it.

    ListAccounts then lists them, ListRoots, ListOrganizationalUnitsForParent and
    ListAccountsForParent lead through the tree, and AssumeRole into each account.
    They joined an hour after one another, the last of them now. Ids of the root and
    of the units are moto's, so that they follow from its seed.
    """
    accounts = list(root.all_accounts())
    backend: Any = organizations_backends[accounts[0].account_id]["aws"]
    backend.create_organization("us-east-1")
    for account in accounts[1:]:
        _join(backend, account)
    joined = CLOCK.now().replace(tzinfo=None)  # moto's own is the wall clock's
    for made, account in zip(reversed(backend.accounts), reversed(accounts), strict=True):
        made.id, made.name, made.email = account.account_id, account.name, _email(account)
        made.create_time = joined
        joined -= timedelta(hours=1)
    _settle(backend, root, backend.org.root_id)
    for account in accounts:
        if not account.is_active:
            backend.close_account(AccountId=account.account_id)


def _join(backend: Any, account: Account) -> None:
    backend.create_account(AccountName=account.name, Email=_email(account))
    made_up = backend.accounts[-1].id  # moto leaves no choice
    masters = organizations_backends.master_accounts
    masters[account.account_id] = masters.pop(made_up)


def _settle(backend: Any, unit: Unit, unit_id: str) -> None:
    """Move the accounts of a unit there, and make the units below it."""
    for account in unit.accounts:
        backend.get_account_by_id(account.account_id).parent_id = unit_id
    for below in unit.units:
        made = backend.create_organizational_unit(Name=below.name, ParentId=unit_id)
        _settle(backend, below, made["OrganizationalUnit"]["Id"])


def _email(account: Account) -> str:
    return f"{account.name}@example.com"
