"""Clients: what they can call, and the settings, connections and times they use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import READ_ONLY, AccountSession, parse_response_time
from fastlaunch_nb.aws.targets import AccountCache
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.cases import some
from tests.helpers.samples import REGION

AWS_FORMATS: list[Callable[[datetime], Any]] = [
    lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    datetime.isoformat,
    datetime.timestamp,
    lambda time: int(time.timestamp()),
    lambda time: str(int(time.timestamp())),
    lambda time: time.strftime("%a, %d %b %Y %H:%M:%S GMT"),
    lambda time: time.strftime("%Y%m%dT%H%M%SZ"),
]


# --- operations -----------------------------------------------------------------------


def test_the_session_of_the_caller_does_not_change(demo: Demo) -> None:
    """The caller's clients keep all their methods, and ours have none that change anything."""
    session = demo.session
    fl.describe(session)
    assert hasattr(session.client("ec2"), "enable_fast_launch")
    client = AccountSession(session).client("ec2", REGION)
    assert set(client.meta.method_to_api_mapping.values()) == set(READ_ONLY["ec2"])
    assert not hasattr(client, "enable_fast_launch")
    assert set(client.meta.service_model.operation_names) == set(READ_ONLY["ec2"])


def test_all_operations_only_read() -> None:
    """Every operation in READ_ONLY describes, gets or lists, or assumes a role."""
    names = some(name for operations in READ_ONLY.values() for name in operations)
    others = {name for name in names if not name.startswith(("Describe", "Get", "List"))}
    assert others == {"AssumeRole"}


# --- endpoints ------------------------------------------------------------------------

ENDPOINTS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:2",
    "AWS_ENDPOINT_URL_SERVICE_QUOTAS": "http://127.0.0.1:3",
}


@pytest.mark.parametrize("service", READ_ONLY)
@pytest.mark.parametrize("is_role", [False, True], ids=["account", "assumed role"])
def test_an_open_account_keeps_its_endpoints(
    monkeypatch: pytest.MonkeyPatch, ec2: Any, service: str, is_role: bool
) -> None:
    """Endpoints are those of the time when the account was opened, as botocore finds them."""

    def open_account() -> AccountSession:
        opened = AccountSession(boto3.Session("key", "secret", region_name=REGION))
        return opened.assume_role("111122223333", "Reader", None) if is_role else opened

    def find_endpoint(account: AccountSession | boto3.Session) -> str:
        return str(account.client(service, REGION).meta.endpoint_url)

    before, aws = open_account(), find_endpoint(boto3.Session("key", "secret"))
    for name, url in ENDPOINTS.items():
        monkeypatch.setenv(name, url)
    named = find_endpoint(boto3.Session("key", "secret"))
    assert find_endpoint(before) == aws != named
    after = AccountSession(boto3.Session("key", "secret", region_name=REGION))
    for name in ENDPOINTS:
        monkeypatch.delenv(name)
    assert find_endpoint(after) == named


def test_endpoints_may_be_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Endpoints of profiles count, and none does if the configuration says to ignore them."""
    (tmp_path / "config").write_text(
        f"[profile x]\nregion = {REGION}\nendpoint_url = http://127.0.0.1:9\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for ignored in ("false", "true"):
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ignored)
        session = boto3.Session("key", "secret", profile_name="x")
        expected = session.client("ec2").meta.endpoint_url
        assert AccountSession(session).client("ec2", REGION).meta.endpoint_url == expected
        assert ("127.0.0.1" in expected) == (ignored == "false")


# --- settings -------------------------------------------------------------------------


def test_a_client_has_the_settings_of_the_session(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration file, client defaults and event hooks of a session apply to our clients."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (tmp_path / "mine").write_text(
        "[profile corp]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111122223333:role/demo\n"
        "source_profile = default\n"
    )
    botocore_session = botocore.session.Session(profile="corp")
    botocore_session.set_config_variable("config_file", str(tmp_path / "mine"))
    botocore_session.set_default_client_config(Config(connect_timeout=3))
    session = boto3.Session(botocore_session=botocore_session)
    urls: list[str] = []
    session.events.register("before-send.ec2", lambda request, **_: urls.append(request.url))
    images = fl.describe(session)
    assert images["region"].unique().tolist() == ["eu-west-1"]
    assert images["account_id"].unique().tolist() == ["111122223333"]
    assert urls == [f"{demo.endpoint_url}/"]
    assert AccountSession(session).client("ec2", REGION).meta.config.connect_timeout == 3


@pytest.mark.parametrize("configured", [True, False])
def test_a_client_has_the_attempts_of_the_session(demo: Demo, configured: bool) -> None:
    """The session decides how often to try; without a setting, more often than boto3."""
    botocore_session = botocore.session.Session()
    if configured:
        botocore_session.set_default_client_config(Config(retries={"total_max_attempts": 2}))
    session = boto3.Session(botocore_session=botocore_session)
    client = AccountSession(session).client("ec2", "us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == (2 if configured else 8)


@pytest.mark.parametrize("mode", ["legacy", "standard", "in-region"])
def test_a_client_has_the_defaults_mode_of_the_session(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """botocore's defaults for a mode are those of our clients, the first and all others."""
    monkeypatch.setenv("AWS_DEFAULTS_MODE", mode)
    session = boto3.Session()
    account_session = AccountSession(session)
    expected = session.client("sts", REGION).meta
    for _ in range(2):
        meta = account_session.client("sts", REGION).meta
        assert meta.config.retries["mode"] == expected.config.retries["mode"]
        assert meta.endpoint_url == expected.endpoint_url


def test_an_open_account_keeps_its_settings(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting counts as when it was first looked up, for roles of the account as well."""
    base = AccountSession(boto3.Session())
    base.client("ec2", REGION)
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    for account in (base, base.assume_role("111122223333", "FastLaunchReader", None)):
        assert account.client("ec2", REGION).meta.config.retries["mode"] == "standard"
    changed = AccountSession(boto3.Session()).client("ec2", REGION)
    assert changed.meta.config.retries["mode"] == "adaptive"


def test_a_client_has_no_handlers_of_other_services(demo: Demo) -> None:
    """botocore's handlers for services that we never call are removed: copying them is slow."""
    session = boto3.Session()
    events = AccountSession(session).client("ec2", REGION).meta.events
    pruned, full = str(vars(events._handlers)), str(vars(session.events._emitter._handlers))
    assert "UploadPart" in full
    assert "UploadPart" not in pruned
    assert "decode_console_output" in pruned  # a handler for EC2
    assert len(pruned) < len(full) / 2


# --- connections ----------------------------------------------------------------------


def test_a_proxy_serves_only_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """If only some regions have a proxy, each region gets its own connections."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "ec2.us-east-1.amazonaws.com")
    account_session = AccountSession(boto3.Session("x", "y", region_name="us-east-1"))
    proxies = [
        account_session.client("ec2", region)._endpoint.http_session._proxy_config.proxy_url_for(
            "https://"
        )
        for region in ("us-east-1", "eu-west-1", "us-east-1")
    ]
    assert proxies == [None, "http://127.0.0.1:9", None]


def test_accounts_with_one_base_share_connections(demo: Demo) -> None:
    """Accounts that are read through roles share connections; each client signs for itself."""
    cache = AccountCache(connections=7)
    base = cache.open(fl.Target())
    base.client("ec2", "us-east-1")
    assumed = cache.open(fl.targets(accounts="111122223333", role="FastLaunchReader")[0])
    clients = [base.client("ec2", "us-east-1"), assumed.client("ec2", "us-east-1")]
    assert len({id(client._endpoint.http_session) for client in clients}) == 1
    assert clients[0].meta.config.max_pool_connections == 7
    assert len({client._request_signer._credentials.access_key for client in clients}) == 2


def test_a_role_has_the_partition_of_its_credentials(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ARN of a role has the partition of the credentials that assume it."""
    arns: list[str] = []
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, request: Any) -> Any:
        arns.append(request.get("RoleArn", ""))
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    for home in ("us-gov-west-1", "cn-north-1", "eu-west-1"):
        AccountCache().open(fl.Target(None, "111122223333", role="FastLaunchReader", home=home))
    assert [arn.split(":")[1] for arn in arns] == ["aws-us-gov", "aws-cn", "aws"]


# --- times ----------------------------------------------------------------------------


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), st.sampled_from(AWS_FORMATS))
@example(datetime(2026, 1, 15, 12, 0, 0, 123000), AWS_FORMATS[0])
def test_times_equal_those_of_botocore(
    time: datetime, format_time: Callable[[datetime], Any]
) -> None:
    """In every format that AWS uses, a time is the instant that botocore's parser returns."""
    value = format_time(time.replace(tzinfo=UTC))
    parsed = parse_response_time(value)
    assert parsed == parse_timestamp(value)
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("wrong", ["", "soon", "2026-13-01T00:00:00Z"])
def test_a_malformed_time_is_an_error_as_in_botocore(wrong: str) -> None:
    """A time that botocore cannot parse is a ValueError here too."""
    with pytest.raises(ValueError, match="Invalid timestamp"):
        parse_response_time(wrong)
