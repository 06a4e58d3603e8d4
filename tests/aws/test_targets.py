"""Targets: recipes for accounts that hold no secret, and what they open to."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import AccountSession, parse_response_time
from fastlaunch_nb.aws.targets import AccountCache, Target, portable
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.samples import denied

READER = "FastLaunchReader"
WRITTEN: list[Callable[[datetime], Any]] = [  # the forms in which AWS writes a time
    lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    datetime.isoformat,
    datetime.timestamp,
    lambda time: int(time.timestamp()),
    lambda time: str(int(time.timestamp())),
    lambda time: time.strftime("%a, %d %b %Y %H:%M:%S GMT"),
    lambda time: time.strftime("%Y%m%dT%H%M%SZ"),
]


def test_this_session() -> None:
    """Without arguments there is one target: what boto3 finds by itself."""
    assert fl.targets() == [fl.Target()]


def test_an_empty_profile_is_what_boto3_finds() -> None:
    """An empty name stands for no profile, here as at the command line and in the notebooks."""
    assert fl.targets(profiles="") == fl.targets(profiles=[""]) == [fl.Target()]
    [target] = fl.targets(profiles="", accounts="111122223333", role=READER)
    assert target.profile is None


def test_profiles_in_order_and_once() -> None:
    """Each profile is a target, under its own name."""
    found = fl.targets(profiles=["b", "a", "b"])
    assert [(target.profile, target.account_name) for target in found] == [("b", "b"), ("a", "a")]


def test_accounts_by_a_role() -> None:
    """A role in a list of accounts, from one profile, with an external id."""
    found = fl.targets(
        profiles="hub", accounts=["111122223333"], role=f"ops/{READER}", external_id="x-1"
    )
    assert found == [fl.Target("hub", "111122223333", None, f"ops/{READER}", "x-1")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"accounts": ["111122223333"]}, "need role"),
        ({"organization": True}, "need role"),
        ({"role": READER}, "go with accounts or organization"),
        ({"external_id": "x"}, "go with accounts or organization"),
        ({"accounts": ["1"], "role": READER}, "12 digits"),
        ({"accounts": [111122223333], "role": READER}, "accounts is"),
        ({"accounts": [], "role": READER}, "accounts is"),
        ({"accounts": "111122223333", "role": "arn:aws:iam::1:role/x"}, "a role's name"),
        ({"profiles": ["a", "b"], "accounts": "111122223333", "role": READER}, "assumed from one"),
        ({"accounts": "111122223333", "role": "ops//Reader"}, "a role's name"),
        ({"accounts": "111122223333", "role": READER, "external_id": 5}, "external_id is no"),
        ({"profiles": 5}, "profiles is 5"),
        ({"profiles": [None]}, "profiles is"),
        ({"skip": ["111122223333"]}, "pass organization"),
        ({"organization": ["nonsense"], "role": READER}, "no part of an organization"),
        ({"organization": True, "role": READER, "skip": "us-east-1"}, "no part of an organization"),
    ],
)
def test_refused(wrong: dict[str, Any], says: str) -> None:
    """Arguments that do not fit together are refused before anything is sent."""
    with pytest.raises(fl.InputError, match=says):
        fl.targets(**wrong)


def test_a_target_made_by_hand_is_whole() -> None:
    """A role without an account is refused where it is made."""
    with pytest.raises(fl.InputError, match="account_id says not where"):
        fl.Target(role=READER)
    [target] = fl.targets(accounts="111122223333", role="/ops/Reader")
    assert target.role == "ops/Reader"


def test_there_is_no_secret_in_a_target(demo: Demo) -> None:
    """A target can be pickled and printed; nothing that opens an account is in it."""
    found = fl.targets(accounts=list(demo.accounts), role=READER, external_id="planted-external-id")
    assert pickle.loads(pickle.dumps(found)) == found
    assert "planted-external-id" not in repr(found)


# --- an organization ------------------------------------------------------------------


@pytest.fixture
def units(demo: Demo) -> dict[str, str]:
    """Two units of the demo's organization, one in the other: name to id."""
    client = demo.session.client("organizations")
    root = client.list_roots()["Roots"][0]["Id"]
    made = client.create_organizational_unit(ParentId=root, Name="games")
    outer = made["OrganizationalUnit"]["Id"]
    made = client.create_organizational_unit(ParentId=outer, Name="live")
    inner = made["OrganizationalUnit"]["Id"]
    client.move_account(
        AccountId="111122223333", SourceParentId=parent(client), DestinationParentId=inner
    )
    return {"root": root, "outer": outer, "inner": inner}


def parent(client: Any) -> str:
    """Return where the account is."""
    answer = client.list_parents(ChildId="111122223333")
    return str(answer["Parents"][0]["Id"])


def ids(found: list[Target]) -> list[str | None]:
    return [target.account_id for target in found]


def test_a_whole_organization(demo: Demo) -> None:
    """Every active account, by its name; the one that asks needs no role."""
    found = {target.account_id: target for target in fl.targets(organization=True, role=READER)}
    assert found.keys() >= set(demo.accounts)
    assert found["111122223333"].account_name == "game-servers"
    assert found["111122223333"].role == READER
    assert found["123456789012"].role is None


def test_suspended_accounts_are_left_out(demo: Demo) -> None:
    """An account that is closed is no target, though the organization still lists it."""
    before = ids(fl.targets(organization=True, role=READER))
    demo.session.client("organizations").close_account(AccountId="111122223333")
    after = ids(fl.targets(organization=True, role=READER))
    assert [account for account in before if account != "111122223333"] == after


@pytest.mark.parametrize("unit", ["outer", "inner"])
def test_a_unit_brings_all_below_it(demo: Demo, units: dict[str, str], unit: str) -> None:
    """A unit stands for its accounts, and for those of the units in it."""
    assert ids(fl.targets(organization=units[unit], role=READER)) == ["111122223333"]


def test_parts_to_skip(demo: Demo, units: dict[str, str]) -> None:
    """Units and accounts can be left out of the whole, or of a part."""
    whole = set(ids(fl.targets(organization=True, role=READER)))
    skipped = fl.targets(organization=True, role=READER, skip=units["outer"])
    assert set(ids(skipped)) == whole - {"111122223333"}
    part = fl.targets(organization=units["root"], role=READER, skip=["123456789012"])
    assert set(ids(part)) == whole - {"123456789012"}


def test_accounts_beside_an_organization(demo: Demo, units: dict[str, str]) -> None:
    """Accounts from elsewhere are read as well, each once."""
    found = fl.targets(
        accounts=["999988887777", "111122223333"], organization=units["outer"], role=READER
    )
    assert ids(found) == ["999988887777", "111122223333"]


def test_an_account_that_the_organization_lacks(demo: Demo) -> None:
    """A named account that is no active one of it is refused, by its id."""
    with pytest.raises(fl.InputError, match="999988887777, which is no active account"):
        fl.targets(organization=["999988887777"], role=READER)


def test_who_may_not_list_it_is_told(demo: Demo) -> None:
    """Without the permission the action is named."""
    said = r"Allow the IAM action organizations:ListAccounts\."
    with denied("ListAccounts"), pytest.raises(fl.ReadError, match=said):
        fl.targets(organization=True, role=READER)


def test_who_may_not_list_a_unit_is_told(demo: Demo, units: dict[str, str]) -> None:
    """Each action of Organizations is named as what it is."""
    operation = "ListAccountsForParent"
    with denied(operation), pytest.raises(fl.ReadError, match=f"organizations:{operation}"):
        fl.targets(organization=units["outer"], role=READER)


# --- opening --------------------------------------------------------------------------


def test_an_account_is_opened_once(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked for, its role is assumed once, and so is the base opened."""
    calls: list[str] = []
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, asked: Any) -> Any:
        calls.append(name)
        return real(self, name, asked)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    vault = AccountCache()
    [target] = fl.targets(accounts="111122223333", role=READER)
    assert vault.open(target) is vault.open(target)
    assert calls == ["AssumeRole"]
    assert vault.open(target).account_id() == "111122223333"


def test_a_role_that_can_not_be_assumed(demo: Demo) -> None:
    """The message names the permission here, and the trust there."""
    [target] = fl.targets(accounts="111122223333", role=READER)
    said = r"sts:AssumeRole.*trust policy.*external id"
    with denied("AssumeRole"), pytest.raises(fl.ReadError, match=said):
        AccountCache().open(target)


def test_each_partition_has_its_own_roles(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role's ARN is of the partition that the credentials belong to."""
    asked: list[str] = []
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, request: Any) -> Any:
        asked.append(request.get("RoleArn", ""))
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    for home in ("us-gov-west-1", "cn-north-1", "eu-west-1"):
        AccountCache().open(fl.Target(None, "111122223333", role=READER, home=home))
    assert [arn.split(":")[1] for arn in asked] == ["aws-us-gov", "aws-cn", "aws"]


def test_a_proxy_is_for_the_addresses_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one region is reached by a proxy and another without, neither goes the other's way."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "ec2.us-east-1.amazonaws.com")
    access = AccountSession(boto3.Session("x", "y", region_name="us-east-1"))
    ways = [
        access.client("ec2", region)._endpoint.http_session._proxy_config.proxy_url_for("https://")
        for region in ("us-east-1", "eu-west-1", "us-east-1")
    ]
    assert ways == [None, "http://127.0.0.1:9", None]


def test_clients_of_one_access_share_their_connections(demo: Demo) -> None:
    """Whoever reads many accounts by roles opens connections once."""
    vault = AccountCache(connections=7)
    base = vault.open(fl.Target())
    base.client("ec2", "us-east-1")
    role = vault.open(fl.targets(accounts="111122223333", role=READER)[0])
    clients = [base.client("ec2", "us-east-1"), role.client("ec2", "us-east-1")]
    pools = {id(client._endpoint.http_session) for client in clients}
    assert len(pools) == 1
    assert clients[0].meta.config.max_pool_connections == 7
    keys = {client._request_signer._credentials.access_key for client in clients}
    assert len(keys) == 2  # and yet each signs with its own


@pytest.mark.parametrize("configured", [True, False])
def test_patience_is_the_users(demo: Demo, configured: bool) -> None:
    """How often to try is what the session says; where it says nothing, more than boto3's own."""
    core = botocore.session.Session()
    if configured:
        core.set_default_client_config(Config(retries={"total_max_attempts": 2}))
    client = AccountSession(boto3.Session(botocore_session=core)).client("ec2", "us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == (2 if configured else 8)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), st.sampled_from(WRITTEN))
@example(datetime(2026, 1, 15, 12, 0, 0, 123000), WRITTEN[0])
def test_times_are_those_of_botocore(time: datetime, write: Callable[[datetime], Any]) -> None:
    """In whichever form AWS writes a time, it is the instant that botocore's own parser reads."""
    written = write(time.replace(tzinfo=UTC))
    parsed = parse_response_time(written)
    assert parsed == parse_timestamp(written)
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("wrong", ["", "soon", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused_as_botocore_does(wrong: str) -> None:
    """What botocore cannot parse is a ValueError here too."""
    with pytest.raises(ValueError, match="Invalid timestamp"):
        parse_response_time(wrong)


def test_a_session_with_keys_has_no_recipe() -> None:
    """What only this process has is refused elsewhere, saying why and what to do."""
    session = boto3.Session("planted-key", "planted-secret", region_name="eu-west-1")
    with pytest.raises(fl.InputError, match="must not leave this process") as caught:
        portable(session)
    assert "planted" not in str(caught.value)


def test_a_session_of_a_profile_has_one(demo: Demo) -> None:
    """A session that a configuration explains becomes a recipe with its profile and region."""
    session = boto3.Session(profile_name="game-servers", region_name="eu-west-1")
    found = portable(session)
    assert found == fl.Target("game-servers", "111122223333", "game-servers", home="eu-west-1")
