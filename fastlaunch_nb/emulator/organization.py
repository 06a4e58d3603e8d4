"""Accounts of one organization, as AWS Organizations and STS of moto answer for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.organizations.models import organizations_backends

from fastlaunch_nb.emulator.clock import CLOCK


def organize(accounts: Mapping[str, str]) -> None:
    """Make an organization of accounts, id to name; the first manages it.

    ListAccounts then lists them, and AssumeRole leads into each.
    """
    (manager, manager_name), *members = accounts.items()
    backend = organizations_backends[manager]["aws"]
    backend.create_organization("us-east-1")
    _settle(backend.accounts[0], manager, manager_name)
    for account_id, name in members:
        backend.create_account(AccountName=name, Email=f"{name}@example.com")
        made_up = backend.accounts[-1].id  # moto leaves no choice
        masters = organizations_backends.master_accounts
        masters[account_id] = masters.pop(made_up)
        _settle(backend.accounts[-1], account_id, name)


def _settle(account: Any, account_id: str, name: str) -> None:
    account.id, account.name, account.email = account_id, name, f"{name}@example.com"
    account.create_time = CLOCK.now().replace(tzinfo=None)  # moto's own is the wall clock's
