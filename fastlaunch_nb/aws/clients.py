"""Sessions, and clients that can only read.

:data:`READ_ONLY` lists every AWS operation the toolkit calls. The loader keeps
only those in botocore's service models, so that a client of ours has no method
that could change an account, and is cheap to make.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials, create_assume_role_refresher
from botocore.exceptions import UnknownRegionError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserFactory
from botocore.regions import EndpointResolver
from botocore.utils import parse_timestamp

from fastlaunch_nb.aws.error_translation import (
    UNREADABLE,
    require_aws_response,
    translate_botocore_errors,
)
from fastlaunch_nb.errors import InputError, SetupError, redact

READ_ONLY: Mapping[str, tuple[str, ...]] = {
    "cloudwatch": ("GetMetricData", "ListMetrics"),
    "ec2": (
        "DescribeFastLaunchImages",
        "DescribeImages",
        "DescribeInstances",
        "DescribeLaunchTemplateVersions",
        "DescribeRegions",
        "DescribeSnapshots",
        "DescribeVolumes",
    ),
    "organizations": (
        "ListAccounts",
        "ListAccountsForParent",
        "ListOrganizationalUnitsForParent",
    ),
    "service-quotas": ("GetServiceQuota",),
    "sts": ("AssumeRole", "GetCallerIdentity"),
}
"""Service, by boto3's name, to the operations that are called; nothing else can be."""
_IAM_SERVICES = {"service-quotas": "servicequotas"}  # where IAM has another name than boto3


def iam_action(service: str, operation: str) -> str:
    """Return what IAM calls an operation.

    Examples
    --------
    >>> iam_action("ec2", "DescribeImages"), iam_action("service-quotas", "GetServiceQuota")
    ('ec2:DescribeImages', 'servicequotas:GetServiceQuota')
    """
    return f"{_IAM_SERVICES.get(service, service)}:{operation}"


# --- service models -------------------------------------------------------------------


class ReadOnlyLoader(Loader):  # type: ignore[misc, unused-ignore]
    """botocore's loader, with service models cut down to :data:`READ_ONLY`.

    Examples
    --------
    >>> model = ReadOnlyLoader().load_service_model("sts", "service-2")
    >>> sorted(model["operations"])
    ['AssumeRole', 'GetCallerIdentity']
    """

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        """Return the model `type_name` of a service, cut down."""
        key = ("read-only", service_name, type_name, api_version)
        if key not in self._cache:
            # A loader of its own reads the full model, which is then forgotten:
            # EC2's is more than a hundred times the size of what is kept.
            full = Loader().load_service_model(service_name, type_name, api_version)
            self._cache[key] = _trim_model(full, type_name, READ_ONLY.get(service_name, ()))
        return self._cache[key]


def _trim_model(
    model: Mapping[str, Any], type_name: str, operations: tuple[str, ...]
) -> dict[str, Any]:
    part = {"service-2": "operations", "paginators-1": "pagination"}.get(type_name)
    if part is None:
        return dict(model)
    kept = {name: value for name, value in model[part].items() if name in operations}
    cut = {**model, part: kept}
    if type_name == "service-2":
        reached: dict[str, Any] = {}
        _collect_shapes(model["shapes"], kept, reached)
        cut["shapes"] = reached
    return cut


def _collect_shapes(shapes: Mapping[str, Any], node: Any, reached: dict[str, Any]) -> None:
    """Collect into `reached` every shape that `node` mentions, at any depth."""
    if isinstance(node, list):
        for value in node:
            _collect_shapes(shapes, value, reached)
    elif isinstance(node, dict):
        name = node.get("shape")
        if isinstance(name, str) and name in shapes and name not in reached:
            reached[name] = shapes[name]
            _collect_shapes(shapes, shapes[name], reached)
        for value in node.values():
            _collect_shapes(shapes, value, reached)


_LOADER = ReadOnlyLoader()


# --- sessions -------------------------------------------------------------------------


def open_session(session: boto3.Session | None = None) -> boto3.Session:
    """Return the session to use: the one given, else boto3's default, else a new one."""
    if session is None:
        with translate_botocore_errors("a session", None):
            return boto3.DEFAULT_SESSION or boto3.Session()
    if not isinstance(session, boto3.Session):
        raise InputError(
            f"session is a {type(session).__name__}. Expected a boto3.Session, such as "
            "boto3.Session(profile_name='...'); hand pages of a client of your own to from_pages."
        )
    return session


def named_session(profile: str | None) -> boto3.Session:
    """Return a new session of a profile, or of what boto3 finds where none is named."""
    with translate_botocore_errors("a session", None):
        return boto3.Session(profile_name=profile or None)


def swap_default_session(session: boto3.Session | None) -> boto3.Session | None:
    """Make a session boto3's default; return the one that was."""
    previous: boto3.Session | None = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = session
    return previous


def keyed_session(access_key: str, secret_key: str, region: str) -> boto3.Session:
    """Return a session with these keys, whatever the environment comes to say later."""
    return boto3.Session(
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region
    )


def has_literal_keys(session: boto3.Session) -> bool:
    """Tell a session whose keys were handed to it: there is no recipe to find them again."""
    with translate_botocore_errors("credentials", None, session):
        return getattr(session.get_credentials(), "method", None) == "explicit"


def region_of(session: boto3.Session, region: str | None) -> str:
    """Return the region to ask; say how to give one where there is none."""
    found = region or session.region_name
    if not found:
        raise SetupError(
            f"No region was given, and profile {session.profile_name!r} and AWS_DEFAULT_REGION "
            "name none. Pass region='us-east-1' (or another), or set AWS_DEFAULT_REGION."
        )
    return found


# --- access ---------------------------------------------------------------------------

_FIRST_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""The region of a partition that every account has, where nothing names another."""
_ATTEMPTS = 8  # where the user's configuration does not say how many
_CONNECT_TIMEOUT = (
    10  # seconds; botocore's own 60, times the attempts, is too long for a dead region
)
_MAKING = threading.Lock()  # botocore's sessions are not for several threads at once


class _FixedCredentials:
    """Hands on credentials that were found already, refreshing as they do."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


class AccountSession:
    """The way into one account: its credentials, and clients that use them and only read.

    A client has the operations of :data:`READ_ONLY`, and the configuration,
    event hooks and default client config of the session, which stays as it is.

    Parameters
    ----------
    session : boto3.Session
        Whose settings to use, and whose credentials where no others are given.
    credentials : botocore credentials, optional
        Those of an assumed role.
    home : str, optional
        The region to ask about the account itself; the session's own if not given.
    connections : int, default 10
        How many clients may be at work at once with one region.
    """

    def __init__(
        self,
        session: boto3.Session,
        *,
        credentials: Any = None,
        home: str | None = None,
        connections: int = 10,
    ) -> None:
        self.session = session
        self.home = home or session.region_name or _FIRST_REGIONS["aws"]
        self.partition = partition_of(self.home)
        self._connections = connections
        self._connected: dict[str, Any] = {}  # an address to its pool of connections
        with translate_botocore_errors("credentials", None, session):
            # Before anybody waits for _MAKING: to find them may take a program or a network.
            self._credentials = credentials or session.get_credentials()
        self._core = _botocore_session(session, self._credentials)

    def client(self, service: str, region: str) -> Any:
        """Return a client. Those of one address share their connections: TLS is dear."""
        try:
            config = Config(max_pool_connections=self._connections, **self._patience())
            with _MAKING:
                client = self._core.create_client(service, region_name=region, config=config)
        except ValueError as error:  # botocore's word for an address or a number it can not read
            raise SetupError(UNREADABLE.format(redact(str(error)))) from None
        endpoint = client._endpoint  # botocore's before-send would go past whoever mocks it
        address = client.meta.endpoint_url  # for each its own: NO_PROXY may tell them apart
        endpoint.http_session = self._connected.setdefault(address, endpoint.http_session)
        return client

    def _patience(self) -> dict[str, Any]:
        """Return how long to try, where the user's configuration does not say."""
        theirs = self.session._session
        given = theirs.get_default_client_config()
        patience: dict[str, Any] = {"user_agent_extra": "fastlaunch_nb"}
        if theirs.get_config_variable("max_attempts") is None and not getattr(
            given, "retries", None
        ):
            patience["retries"] = {"total_max_attempts": _ATTEMPTS}
        if given is None:
            patience["connect_timeout"] = _CONNECT_TIMEOUT
        return patience

    def assume(self, account_id: str, role: str, external_id: str | None) -> AccountSession:
        """Return the way into another account, by a role that these credentials may assume."""
        asked = {
            "RoleArn": f"arn:{self.partition}:iam::{account_id}:role/{role}",
            "RoleSessionName": "fastlaunch_nb",
            **({"ExternalId": external_id} if external_id else {}),
        }

        def refresh() -> Any:  # by a client that goes again: a thousand accounts keep none
            return create_assume_role_refresher(self.client("sts", self.home), asked)()

        with translate_botocore_errors("AssumeRole", self.home, self.session, service="sts"):
            credentials = RefreshableCredentials.create_from_metadata(
                refresh(),  # now: who may not assume it is told so at once
                refresh_using=refresh,
                method="sts-assume-role",
            )
        access = AccountSession(
            self.session, credentials=credentials, home=self.home, connections=self._connections
        )
        access._connected = self._connected
        return access

    def account_id(self) -> str:
        """Return the id of the account that the credentials belong to."""
        with translate_botocore_errors("GetCallerIdentity", self.home, self.session, service="sts"):
            known = getattr(self._credentials, "account_id", None)
            if known:
                return str(known)
            answer = self.client("sts", self.home).get_caller_identity()
            require_aws_response(answer, "Account" in answer)
            return str(answer["Account"])

    def regions(self) -> dict[str, bool]:
        """Return every region of the account's partition, and whether it can use it."""
        with translate_botocore_errors("DescribeRegions", self.home, self.session):
            answer = self.client("ec2", self.home).describe_regions(AllRegions=True)
            require_aws_response(answer, bool(answer.get("Regions")))
            return {
                region["RegionName"]: region.get("OptInStatus") != "not-opted-in"
                for region in answer["Regions"]
                if partition_of(region["RegionName"]) == self.partition
            }


def _botocore_session(session: boto3.Session, credentials: Any) -> botocore.session.Session:
    """Return a session of botocore's that makes read-only clients with these credentials."""
    theirs = session._session
    core = botocore.session.Session(include_builtin_handlers=False)
    core.register_component("event_emitter", _prune_handlers(theirs.get_component("event_emitter")))
    core.register_component("config_store", theirs.get_component("config_store"))
    core.register_component("credential_provider", _FixedCredentials(credentials))
    core.register_component("data_loader", _LOADER)
    core.register_component("response_parser_factory", _PARSERS)
    core.set_default_client_config(theirs.get_default_client_config())
    return core


def parse_response_time(value: str | float) -> datetime:
    """Parse a time of an answer, in UTC; leave to botocore what is rarely seen.

    Examples
    --------
    >>> parse_response_time("2026-01-15T12:00:00.000Z").isoformat()
    '2026-01-15T12:00:00+00:00'
    >>> parse_response_time(1768478400.0) == parse_response_time("2026-01-15T12:00:00Z")
    True
    """
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    with contextlib.suppress(ValueError):
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo:
            return parsed.astimezone(UTC)
    rare: datetime = parse_timestamp(value)
    return rare.astimezone(UTC)


_PARSERS = ResponseParserFactory()
_PARSERS.set_parser_defaults(timestamp_parser=parse_response_time)  # much faster than botocore's


def _prune_handlers(hooks: Any) -> Any:
    """Return a copy of a session's event hooks without those of services that we never call.

    botocore copies them for each client, and hooks nine in ten for other services:
    to copy them and to collect them as garbage is a third of what a read costs.
    Where botocore's insides are not as they were, all are kept: dear, but right.
    """
    lean = copy.copy(hooks)
    try:
        emitter = lean._emitter  # below what translates services' old names
        kinds = emitter._handlers._root["children"]
        for kind in kinds.values():
            for service in kind["children"].keys() - {"*", *READ_ONLY}:
                del kind["children"][service]
        kinds.pop("docs", None)  # what help() shows
    except (AttributeError, KeyError, TypeError):
        return copy.copy(hooks)
    return emitter


@functools.cache
def partition_of(region: str) -> str:
    """Return the partition of a region; of one whose name is of no known kind, AWS's main one.

    Examples
    --------
    >>> partition_of("eu-west-1"), partition_of("cn-north-1")
    ('aws', 'aws-cn')
    """
    try:
        return str(_partitions().get_partition_for_region(region))
    except UnknownRegionError:
        return "aws"


def in_partition(regions: Sequence[str], partition: str) -> Sequence[str]:
    """Return those regions that are of a partition; all, for AWS to refuse, where none is."""
    return [region for region in regions if partition_of(region) == partition] or regions


@functools.cache
def _partitions() -> EndpointResolver:
    return EndpointResolver(_LOADER.load_data("endpoints"))
