"""An organization in moto's AWS Organizations, whose accounts STS can assume roles in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.organizations.models import organizations_backends

from fastlaunch_nb.emulator.clock import CLOCK


@dataclass(frozen=True)
class Account:
    """An account of an organization, active or suspended."""

    account_id: str
    name: str
    is_active: bool = True

    @property
    def email(self) -> str:
        """The email address of the account."""
        return f"{self.name}@example.com"


@dataclass(frozen=True)
class Unit:
    """An organizational unit or the root, with its accounts and the units below it."""

    name: str
    accounts: tuple[Account, ...] = ()
    units: tuple[Unit, ...] = ()

    def all_accounts(self) -> Iterator[Account]:
        """Yield the accounts of this unit, then those below it."""
        yield from self.accounts
        for unit in self.units:
            yield from unit.all_accounts()


def create_organization(root: Unit) -> None:
    """Create an organization, managed by the first of its accounts.

    ListAccounts then lists its accounts; ListRoots, ListOrganizationalUnitsForParent and
    ListAccountsForParent read its tree; AssumeRole works in each account. The accounts
    joined one hour apart, the last one now. moto generates the ids of the root and the
    units, so they follow from moto's seed.
    """
    accounts = list(root.all_accounts())
    backend: Any = organizations_backends[accounts[0].account_id]["aws"]
    backend.create_organization("us-east-1")
    masters = organizations_backends.master_accounts
    for account in accounts[1:]:
        backend.create_account(AccountName=account.name, Email=account.email)
        generated_id = backend.accounts[-1].id  # moto does not let us choose it
        masters[account.account_id] = masters.pop(generated_id)
    joined_at = CLOCK.now().replace(tzinfo=None)  # moto would use the wall clock
    for member, account in zip(reversed(backend.accounts), reversed(accounts), strict=True):
        member.id, member.name, member.email = account.account_id, account.name, account.email
        member.create_time = joined_at
        joined_at -= timedelta(hours=1)
    _fill_unit(backend, root, backend.org.root_id)
    for account in accounts:
        if not account.is_active:
            backend.close_account(AccountId=account.account_id)


def _fill_unit(backend: Any, unit: Unit, unit_id: str) -> None:
    """Move the accounts of a unit into it, and create the units below it."""
    for account in unit.accounts:
        backend.get_account_by_id(account.account_id).parent_id = unit_id
    for child in unit.units:
        created = backend.create_organizational_unit(Name=child.name, ParentId=unit_id)
        _fill_unit(backend, child, created["OrganizationalUnit"]["Id"])
