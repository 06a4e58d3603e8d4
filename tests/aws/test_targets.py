"""Targets: how they are listed, that they hold no secret, and the accounts they open."""

from __future__ import annotations

import pickle
from typing import Any

import boto3
import botocore.client
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.targets import AccountCache, Target, make_portable
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.samples import deny_operations

READER = "FastLaunchReader"


# --- profiles and roles ---------------------------------------------------------------


def test_the_default_target_is_boto3s() -> None:
    """Without arguments the one target has the credentials that boto3 finds."""
    assert fl.targets() == [fl.Target()]


def test_an_empty_profile_is_boto3s() -> None:
    """An empty name stands for no profile, as on the command line and in the notebooks."""
    assert fl.targets(profiles="") == fl.targets(profiles=[""]) == [fl.Target()]
    [target] = fl.targets(profiles="", accounts="111122223333", role=READER)
    assert target.profile is None


def test_profiles_keep_their_order() -> None:
    """Each profile is one target, with the profile's name."""
    found = fl.targets(profiles=["b", "a", "b"])
    assert [(target.profile, target.account_name) for target in found] == [("b", "b"), ("a", "a")]


def test_accounts_have_a_role() -> None:
    """Each account has the role, its path, the profile and the external id."""
    found = fl.targets(
        profiles="hub", accounts=["111122223333"], role=f"ops/{READER}", external_id="x-1"
    )
    assert found == [fl.Target("hub", "111122223333", None, f"ops/{READER}", "x-1")]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"accounts": ["111122223333"]}, "need role"),
        ({"organization": True}, "need role"),
        ({"role": READER}, "are for accounts or organization"),
        ({"external_id": "x"}, "are for accounts or organization"),
        ({"accounts": ["1"], "role": READER}, "12 digits"),
        ({"accounts": [111122223333], "role": READER}, "accounts is"),
        ({"accounts": [], "role": READER}, "accounts is"),
        ({"accounts": "111122223333", "role": "arn:aws:iam::1:role/x"}, "a role's name"),
        ({"profiles": ["a", "b"], "accounts": "111122223333", "role": READER}, "assumed from one"),
        ({"accounts": "111122223333", "role": "ops//Reader"}, "a role's name"),
        ({"accounts": "111122223333", "role": READER, "external_id": 5}, "is malformed"),
        ({"profiles": 5}, "profiles is 5"),
        ({"profiles": [None]}, "profiles is"),
        ({"skip": ["111122223333"]}, "pass organization"),
        ({"organization": ["nonsense"], "role": READER}, "no part of an organization"),
        ({"organization": True, "role": READER, "skip": "us-east-1"}, "no part of an organization"),
    ],
)
def test_an_invalid_argument_is_refused(wrong: dict[str, Any], message: str) -> None:
    """Arguments that are malformed or do not go together are refused before any request."""
    with pytest.raises(fl.InputError, match=message):
        fl.targets(**wrong)


def test_a_role_needs_an_account() -> None:
    """A Target with a role and no account is refused when it is made."""
    with pytest.raises(fl.InputError, match="account_id is None"):
        fl.Target(role=READER)


def test_a_role_may_begin_with_a_slash() -> None:
    """The path of a role may begin with a slash, as in its ARN."""
    [target] = fl.targets(accounts="111122223333", role="/ops/Reader")
    assert target.role == "ops/Reader"


def test_a_target_has_no_secret(demo: Demo) -> None:
    """A target can be pickled and printed, and its repr hides the external id."""
    found = fl.targets(accounts=list(demo.accounts), role=READER, external_id="planted-external-id")
    assert pickle.loads(pickle.dumps(found)) == found
    assert "planted-external-id" not in repr(found)


# --- an organization ------------------------------------------------------------------


@pytest.fixture
def units(demo: Demo) -> dict[str, str]:
    """Ids of the root, of a unit in it, and of a unit in that unit with one account."""
    client = demo.session.client("organizations")
    [root] = client.list_roots()["Roots"]
    ids = {"root": root["Id"]}
    for name, parent in (("outer", "root"), ("inner", "outer")):
        response = client.create_organizational_unit(ParentId=ids[parent], Name=name)
        ids[name] = response["OrganizationalUnit"]["Id"]
    [parent] = client.list_parents(ChildId="111122223333")["Parents"]
    client.move_account(
        AccountId="111122223333", SourceParentId=parent["Id"], DestinationParentId=ids["inner"]
    )
    return ids


def account_ids(found: list[Target]) -> list[str | None]:
    return [target.account_id for target in found]


def test_a_whole_organization_is_listed(demo: Demo) -> None:
    """Every active account has its name; the account that lists them needs no role."""
    found = {target.account_id: target for target in fl.targets(organization=True, role=READER)}
    assert found.keys() >= set(demo.accounts)
    assert found["111122223333"].account_name == "game-servers"
    assert found["111122223333"].role == READER
    assert found["123456789012"].role is None


def test_a_closed_account_is_left_out(demo: Demo) -> None:
    """An account that is closed is no target, although the organization still lists it."""
    before = account_ids(fl.targets(organization=True, role=READER))
    demo.session.client("organizations").close_account(AccountId="111122223333")
    after = account_ids(fl.targets(organization=True, role=READER))
    assert [account for account in before if account != "111122223333"] == after


@pytest.mark.parametrize("unit", ["outer", "inner"])
def test_a_unit_includes_the_units_in_it(demo: Demo, units: dict[str, str], unit: str) -> None:
    """A unit stands for its accounts, and for those of the units in it."""
    found = fl.targets(organization=units[unit], role=READER)
    assert account_ids(found) == ["111122223333"]


def test_units_and_accounts_can_be_skipped(demo: Demo, units: dict[str, str]) -> None:
    """Units and accounts can be left out of the whole organization, or of a part."""
    everything = set(account_ids(fl.targets(organization=True, role=READER)))
    found = fl.targets(organization=True, role=READER, skip=units["outer"])
    assert set(account_ids(found)) == everything - {"111122223333"}
    found = fl.targets(organization=units["root"], role=READER, skip=["123456789012"])
    assert set(account_ids(found)) == everything - {"123456789012"}


def test_accounts_may_join_an_organization(demo: Demo, units: dict[str, str]) -> None:
    """Accounts from elsewhere are listed as well, each once."""
    found = fl.targets(
        accounts=["999988887777", "111122223333"], organization=units["outer"], role=READER
    )
    assert account_ids(found) == ["999988887777", "111122223333"]


def test_an_account_outside_the_organization_is_refused(demo: Demo) -> None:
    """An account that is no active one of the organization is refused, with its id."""
    with pytest.raises(fl.InputError, match="999988887777, which is no active account"):
        fl.targets(organization=["999988887777"], role=READER)


def test_a_denied_list_names_its_action(demo: Demo) -> None:
    """If the organization may not be listed, the error names the action to allow."""
    message = r"Allow the IAM action organizations:ListAccounts\."
    with deny_operations("ListAccounts"), pytest.raises(fl.ReadError, match=message):
        fl.targets(organization=True, role=READER)


def test_a_denied_unit_names_its_action(demo: Demo, units: dict[str, str]) -> None:
    """Each action of Organizations has its own name in the error."""
    operation = "ListAccountsForParent"
    with (
        deny_operations(operation),
        pytest.raises(fl.ReadError, match=f"organizations:{operation}"),
    ):
        fl.targets(organization=units["outer"], role=READER)


# --- opening --------------------------------------------------------------------------


def test_an_account_is_opened_once(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role is assumed once, however often its account is opened."""
    calls: list[str] = []
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, request: Any) -> Any:
        calls.append(name)
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    cache = AccountCache()
    [target] = fl.targets(accounts="111122223333", role=READER)
    assert cache.open(target) is cache.open(target)
    assert calls == ["AssumeRole"]
    assert cache.open(target).get_account_id() == "111122223333"


def test_a_denied_role_names_permission_and_trust(demo: Demo) -> None:
    """If a role cannot be assumed, the error names the permission and the trust policy."""
    [target] = fl.targets(accounts="111122223333", role=READER)
    message = r"sts:AssumeRole.*trust policy.*external id"
    with deny_operations("AssumeRole"), pytest.raises(fl.ReadError, match=message):
        AccountCache().open(target)


# --- other processes ------------------------------------------------------------------


def test_a_session_with_keys_is_not_portable() -> None:
    """Keys never leave this process: the error says why, and what to do instead."""
    session = boto3.Session("planted-key", "planted-secret", region_name="eu-west-1")
    with pytest.raises(fl.InputError, match="must not leave this process") as caught:
        make_portable(session)
    assert "planted" not in str(caught.value)


def test_a_session_of_a_profile_is_portable(demo: Demo) -> None:
    """A session of a profile becomes a target with its profile, account and region."""
    session = boto3.Session(profile_name="game-servers", region_name="eu-west-1")
    found = make_portable(session)
    assert found == fl.Target("game-servers", "111122223333", "game-servers", home="eu-west-1")
