"""Clients of one account: where their credentials, endpoints and connections come from.

:data:`READ_ONLY` lists every AWS operation that the toolkit calls. The loader
removes all others from botocore's service models. So a client has no method that
could change an account, and is cheap to create. Only a history store on S3 also
writes: its own files, with the operations of :data:`STORE`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import ConfiguredEndpointProvider, ConfigValueStore
from botocore.credentials import RefreshableCredentials, create_assume_role_refresher
from botocore.exceptions import UnknownRegionError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserFactory
from botocore.regions import EndpointResolver
from botocore.utils import get_environ_proxies, parse_timestamp

from fastlaunch_nb.aws.error_translation import (
    UNREADABLE,
    find_addresses,
    require_aws_response,
    translate_botocore_errors,
)
from fastlaunch_nb.aws.read_limits import limit_requests, track_connections
from fastlaunch_nb.aws.request_log import describe_caller, log_requests
from fastlaunch_nb.aws.sessions import TIMEOUTS, find_credentials, get_role_credentials
from fastlaunch_nb.errors import SetupError, redact
from fastlaunch_nb.threads import ForkSafeLock

READ_ONLY: Mapping[str, tuple[str, ...]] = {
    "autoscaling": ("DescribeAutoScalingGroups",),
    "cloudwatch": ("GetMetricData", "ListMetrics"),
    "ec2": (
        "DescribeFastLaunchImages",
        "DescribeImages",
        "DescribeInstances",
        "DescribeLaunchTemplateVersions",
        "DescribeNetworkInterfaces",
        "DescribeRegions",
        "DescribeSnapshots",
        "DescribeVolumes",
        "GetInstanceMetadataDefaults",
    ),
    "imagebuilder": ("GetDistributionConfiguration", "ListDistributionConfigurations"),
    "kms": ("DescribeKey", "ListGrants"),
    "organizations": ("ListAccounts", "ListAccountsForParent", "ListOrganizationalUnitsForParent"),
    "rbin": ("GetRule", "ListRules"),
    "service-quotas": ("GetServiceQuota",),
    "sts": ("AssumeRole", "GetCallerIdentity"),
}
"""boto3's name of each service, and the operations that clients of it have."""
STORE: Mapping[str, tuple[str, ...]] = {
    "s3": ("DeleteObject", "GetObject", "HeadBucket", "ListObjectsV2", "PutObject")
}
"""Likewise, for the files of a history store; botocore looks for a bucket's region itself."""
_IAM_SERVICES = {"service-quotas": "servicequotas"}  # IAM's name if it is not boto3's


def get_iam_action(service: str, operation: str) -> str:
    """Return IAM's name of an operation.

    Examples
    --------
    >>> get_iam_action("ec2", "DescribeImages"), get_iam_action("service-quotas", "GetServiceQuota")
    ('ec2:DescribeImages', 'servicequotas:GetServiceQuota')
    """
    return f"{_IAM_SERVICES.get(service, service)}:{operation}"


# --- service models -------------------------------------------------------------------


class ReadOnlyLoader(Loader):  # type: ignore[misc, unused-ignore]
    """A botocore loader that reduces service models to some operations, by default to READ_ONLY.

    Examples
    --------
    >>> model = ReadOnlyLoader().load_service_model("sts", "service-2")
    >>> sorted(model["operations"])
    ['AssumeRole', 'GetCallerIdentity']
    """

    def __init__(self, operations: Mapping[str, tuple[str, ...]] = READ_ONLY) -> None:
        super().__init__()
        self._operations = operations

    @property
    def services(self) -> Collection[str]:
        """The services that clients may be of."""
        return self._operations.keys()

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        """Return the reduced model `type_name` of a service."""
        key = ("read-only", service_name, type_name, api_version)
        if key not in self._cache:
            # A temporary loader reads the full model, so that no cache retains it:
            # EC2's is more than a hundred times the size of the reduced one.
            model = Loader().load_service_model(service_name, type_name, api_version)
            self._cache[key] = _trim_model(model, type_name, self._operations.get(service_name, ()))
        return self._cache[key]


def _trim_model(
    model: Mapping[str, Any], type_name: str, operations: tuple[str, ...]
) -> dict[str, Any]:
    section = {"service-2": "operations", "paginators-1": "pagination"}.get(type_name)
    if section is None:
        return dict(model)
    entries = {name: value for name, value in model[section].items() if name in operations}
    trimmed = {**model, section: entries}
    if type_name == "service-2":
        trimmed["shapes"] = {}
        _collect_shapes(model["shapes"], entries, trimmed["shapes"])
    return trimmed


def _collect_shapes(shapes: Mapping[str, Any], node: Any, collected: dict[str, Any]) -> None:
    """Add to `collected` every shape that `node` refers to, at any depth."""
    if isinstance(node, list):
        for value in node:
            _collect_shapes(shapes, value, collected)
    elif isinstance(node, dict):
        name = node.get("shape")
        if isinstance(name, str) and name in shapes and name not in collected:
            collected[name] = shapes[name]
            _collect_shapes(shapes, shapes[name], collected)
        for value in node.values():
            _collect_shapes(shapes, value, collected)


_LOADER, _STORE_LOADER = ReadOnlyLoader(), ReadOnlyLoader(STORE)


# --- accounts -------------------------------------------------------------------------

_DEFAULT_REGION = "us-east-1"  # every account of the main partition has it
_ATTEMPTS, _STORE_ATTEMPTS = 8, 3  # if the user's configuration has no number
_CREATE_LOCK = ForkSafeLock()  # botocore's sessions are not thread-safe


class _Endpoints:
    """The endpoints that the configuration and the environment name now, and not later.

    So a change of the environment, such as by a demo, redirects no account that is open.
    """

    def __init__(self, session: Any) -> None:
        self._config = session.full_config, session.get_scoped_config()
        self._environment = {
            k: v for k, v in os.environ.items() if k.startswith("AWS_ENDPOINT_URL")
        }
        config = session.get_default_client_config()
        ignored = getattr(config, "ignore_configured_endpoint_urls", None)
        if ignored is None:
            ignored = session.get_config_variable("ignore_configured_endpoint_urls")
        self._are_ignored = bool(ignored)

    def find(self, service: str) -> str | None:
        """Return the endpoint of a service; None for AWS's own."""
        if self._are_ignored:
            return None
        found = ConfiguredEndpointProvider(*self._config, service, self._environment).provide()
        return None if found is None else str(found)


class _Settings(ConfigValueStore):  # type: ignore[misc, unused-ignore]
    """The settings of a session, each looked up once: botocore looks up thirty for each client.

    As of endpoints, later changes of the environment count for accounts that are opened later.
    """

    def __init__(self, store: Any, values: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._store = store
        self._values: dict[str, Any] = {} if values is None else values

    def __copy__(self) -> _Settings:
        """Copy for a client, which sets providers of its own."""
        return _Settings(self._store, self._values)

    def get_config_variable(self, logical_name: str) -> Any:
        """Return a setting."""
        if super().get_config_provider(logical_name) is not None:
            return super().get_config_variable(logical_name)
        if logical_name not in self._values:
            self._values[logical_name] = self._store.get_config_variable(logical_name)
        return self._values[logical_name]

    def get_config_provider(self, logical_name: str) -> Any:
        """Return where a setting comes from; botocore adds defaults to it."""
        own = super().get_config_provider(logical_name)
        return self._store.get_config_provider(logical_name) if own is None else own


class _SharedState:
    """The state that the accounts of a session share, as when the first of them was opened."""

    def __init__(self, session: Any) -> None:
        self.endpoints = _Endpoints(session)
        self.settings = _Settings(session.get_component("config_store"))
        self.handlers = _prune_handlers(session.get_component("event_emitter"), _LOADER.services)
        self.http_sessions: dict[str, Any] = {}  # by endpoint
        self.configs: dict[tuple[str, str], Config] = {}  # by service and region


class AccountSession:
    """The credentials of one account, and read-only clients that use them.

    A client has the operations of :data:`READ_ONLY`, and the configuration, event
    hooks and default client config of `session`, which itself does not change.
    `credentials` are those of an assumed role; by default the session's. `home` is the
    region for requests about the account itself; by default the session's. At most
    `connections` clients may use one region at the same time. `name` is the account in
    the log; by default its profile. `base` is the account that assumed the role: both
    share all but credentials.
    """

    def __init__(
        self,
        session: boto3.Session,
        *,
        credentials: Any = None,
        home: str | None = None,
        connections: int = 10,
        name: str | None = None,
        base: AccountSession | None = None,
    ) -> None:
        self.session = session
        self.home = home or session.region_name or _DEFAULT_REGION
        self.partition = get_partition(self.home)
        self._connections = connections
        self._attempts = _ATTEMPTS
        with translate_botocore_errors("finding credentials", None, session):
            self._shared: _SharedState = base._shared if base else _SharedState(session._session)
            # Not under the lock: this may run a program or wait for the network.
            self._credentials = credentials or find_credentials(session)
        self._caller = name or describe_caller(session.profile_name, self._credentials)
        handlers = copy.copy(self._shared.handlers)
        self._client_session = self._create_client_session(_LOADER, handlers)

    def _create_client_session(
        self, loader: ReadOnlyLoader, handlers: Any
    ) -> botocore.session.Session:
        """Create a session of botocore whose clients have the operations of a loader only."""
        limit_requests(handlers)
        log_requests(handlers, self._caller)
        credentials = self._credentials  # which may renew themselves
        fixed = SimpleNamespace(load_credentials=lambda: credentials)
        created = botocore.session.Session(include_builtin_handlers=False)
        created.register_component("event_emitter", handlers)
        created.register_component("config_store", self._shared.settings)
        created.register_component("credential_provider", fixed)
        created.register_component("data_loader", loader)
        created.register_component("response_parser_factory", _PARSERS)
        created.set_default_client_config(self.session._session.get_default_client_config())
        return created

    def client(self, service: str, region: str) -> Any:
        """Create a client. Clients of one endpoint share connections, as TLS is expensive."""
        shared = self._shared
        try:
            config = shared.configs.get((service, region)) or self._create_config()
            endpoint_url = shared.endpoints.find(service)
            with _CREATE_LOCK:
                client = self._client_session.create_client(
                    service, region_name=region, endpoint_url=endpoint_url, config=config
                )
        except ValueError as error:  # of botocore, for an invalid endpoint or number
            text = redact(str(error), find_addresses(self.session))
            raise SetupError(UNREADABLE.format(text)) from None
        endpoint = client._endpoint  # a before-send hook would bypass tools that mock requests
        url = client.meta.endpoint_url  # NO_PROXY may treat each differently
        if client.meta.config.proxies is None:  # botocore would look them up for each client
            config = config.merge(Config(proxies=get_environ_proxies(url)))
        shared.configs[service, region] = config
        endpoint.http_session = shared.http_sessions.setdefault(url, endpoint.http_session)
        track_connections(endpoint.http_session)
        return client

    def _create_config(self) -> Config:
        """Return settings of a client, those that the user's configuration does not have."""
        user_session = self.session._session
        user_config = user_session.get_default_client_config()
        config: dict[str, Any] = {
            "max_pool_connections": self._connections,
            "user_agent_extra": "fastlaunch_nb",
            "ignore_configured_endpoint_urls": True,  # they are passed as arguments
        }
        has_attempts = user_session.get_config_variable("max_attempts") is not None
        if not has_attempts and not getattr(user_config, "retries", None):
            config["retries"] = {"total_max_attempts": self._attempts}
        chosen = getattr(user_config, "_user_provided_options", None) or {}
        return Config(**config, **{k: v for k, v in TIMEOUTS.items() if k not in chosen})

    def assume_role(self, account_id: str, role: str, external_id: str | None) -> AccountSession:
        """Open another account with a role that these credentials may assume."""
        request = {
            "RoleArn": f"arn:{self.partition}:iam::{account_id}:role/{role}",
            "RoleSessionName": "fastlaunch_nb",
            **({"ExternalId": external_id} if external_id else {}),
        }

        def refresh() -> Any:  # creates a client each time: a thousand accounts retain none
            return create_assume_role_refresher(self.client("sts", self.home), request)()

        def assume() -> RefreshableCredentials:
            return RefreshableCredentials.create_from_metadata(
                refresh(),  # now, so that a denial is raised at once
                refresh_using=refresh,
                method="sts-assume-role",
            )

        with translate_botocore_errors("AssumeRole", self.home, self.session, service="sts"):
            key = self.home, self._shared.endpoints.find("sts"), *request.items()
            credentials = get_role_credentials(self.session, key, assume)
        return AccountSession(
            self.session,
            credentials=credentials,
            home=self.home,
            connections=self._connections,
            name=f"account {account_id}",
            base=self,
        )

    def create_store_client(self, service: str) -> Any:
        """Create a client with the operations of :data:`STORE`, which write, in the home region."""
        writer = copy.copy(self)
        writer._attempts = _STORE_ATTEMPTS
        handlers = self.session._session.get_component("event_emitter")
        writer._client_session = self._create_client_session(
            _STORE_LOADER, _prune_handlers(handlers, STORE)
        )
        return writer.client(service, self.home)

    def get_account_id(self) -> str:
        """Return the id of the account that the credentials belong to."""
        with translate_botocore_errors("GetCallerIdentity", self.home, self.session, service="sts"):
            account_id = getattr(self._credentials, "account_id", None)
            if not account_id:
                response = self.client("sts", self.home).get_caller_identity()
                require_aws_response(response, "Account" in response)
                account_id = response["Account"]
            return str(account_id)

    def list_regions(self) -> dict[str, bool]:
        """Return every region of the account's partition, and whether it is enabled."""
        with translate_botocore_errors("DescribeRegions", self.home, self.session):
            response = self.client("ec2", self.home).describe_regions(AllRegions=True)
            require_aws_response(response, bool(response.get("Regions")))
            return {
                region["RegionName"]: region.get("OptInStatus") != "not-opted-in"
                for region in response["Regions"]
                if get_partition(region["RegionName"]) == self.partition
            }


def parse_response_time(value: str | float) -> datetime:
    """Parse a time of a response, in UTC; botocore parses rare formats.

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
    try:
        rarely_used: datetime = parse_timestamp(value)
    except RuntimeError as error:  # for a number out of range
        raise ValueError(str(error)) from None
    return rarely_used.astimezone(UTC)


_PARSERS = ResponseParserFactory()
_PARSERS.set_parser_defaults(timestamp_parser=parse_response_time)  # much faster than botocore's


def _prune_handlers(handlers: Any, services: Collection[str]) -> Any:
    """Return a copy of a session's event handlers without those of other services.

    botocore copies the handlers for each client, and nine in ten are for other
    services: copying and freeing them takes a third of the time of a read. If
    botocore's internals have changed, all handlers stay, which is slow but correct.
    """
    pruned = copy.copy(handlers)
    try:
        emitter = pruned._emitter  # without the layer that translates old service names
        event_types = emitter._handlers._root["children"]
        for event_type in event_types.values():
            for service in event_type["children"].keys() - {"*", *services}:
                del event_type["children"][service]
        event_types.pop("docs", None)  # for help()
    except (AttributeError, KeyError, TypeError):
        return copy.copy(handlers)
    return emitter


@functools.cache
def get_partition(region: str) -> str:
    """Return the partition of a region; ``aws`` if the name matches no partition.

    Examples
    --------
    >>> get_partition("eu-west-1"), get_partition("cn-north-1")
    ('aws', 'aws-cn')
    """
    resolver = EndpointResolver(_LOADER.load_data("endpoints"))  # cached by the loader
    try:
        return str(resolver.get_partition_for_region(region))
    except UnknownRegionError:
        return "aws"


def filter_by_partition(regions: Sequence[str], partition: str) -> Sequence[str]:
    """Return the regions of a partition; if there is none, all, which AWS will refuse."""
    return [region for region in regions if get_partition(region) == partition] or regions
