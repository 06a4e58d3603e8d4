"""Everything that touches boto3 and botocore: sessions, read-only clients, paging, errors.

:data:`READ_ONLY` lists every AWS operation the toolkit calls. The loader keeps
only those in botocore's service models, so that a client of ours has no method
that could change an account, and is cheap to make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import boto3
import botocore.exceptions as failures
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader
from botocore.paginate import TokenDecoder, TokenEncoder
from botocore.parsers import ResponseParserError

from fastlaunch_nb.errors import FastLaunchError, InputError, ReadError, SetupError, redact

READ_ONLY: Mapping[str, tuple[str, ...]] = {
    "ec2": ("DescribeFastLaunchImages",),
    "sts": ("GetCallerIdentity",),
}
"""Service to the operations that are called; nothing else can be."""


# --- sessions and clients -------------------------------------------------------------


class ReadOnlyLoader(Loader):  # type: ignore[misc, unused-ignore]
    """botocore's loader, with service models cut down to :data:`READ_ONLY`.

    Examples
    --------
    >>> model = ReadOnlyLoader().load_service_model("ec2", "service-2")
    >>> list(model["operations"])
    ['DescribeFastLaunchImages']
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
            self._cache[key] = _cut(full, type_name, READ_ONLY.get(service_name, ()))
        return self._cache[key]


def _cut(model: Mapping[str, Any], type_name: str, operations: tuple[str, ...]) -> dict[str, Any]:
    part = {"service-2": "operations", "paginators-1": "pagination"}.get(type_name)
    if part is None:
        return dict(model)
    kept = {name: value for name, value in model[part].items() if name in operations}
    cut = {**model, part: kept}
    if type_name == "service-2":
        reached: dict[str, Any] = {}
        _reach(model["shapes"], kept, reached)
        cut["shapes"] = reached
    return cut


def _reach(shapes: Mapping[str, Any], node: Any, reached: dict[str, Any]) -> None:
    """Collect into `reached` every shape that `node` mentions, at any depth."""
    if isinstance(node, list):
        for value in node:
            _reach(shapes, value, reached)
    elif isinstance(node, dict):
        name = node.get("shape")
        if isinstance(name, str) and name in shapes and name not in reached:
            reached[name] = shapes[name]
            _reach(shapes, shapes[name], reached)
        for value in node.values():
            _reach(shapes, value, reached)


_LOADER = ReadOnlyLoader()


class _Borrowed:
    """Hands the credentials of a boto3 session on, refreshing as they do there."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session

    def load_credentials(self) -> Any:
        return self._session.get_credentials()


def open_session(session: boto3.Session | None = None) -> boto3.Session:
    """Return the session to use: the one given, else boto3's default, else a new one."""
    if session is None:
        with explained("a session", None):
            return boto3.DEFAULT_SESSION or boto3.Session()
    if not isinstance(session, boto3.Session):
        raise InputError(
            f"session is a {type(session).__name__}. Expected a boto3.Session, such as "
            "boto3.Session(profile_name='...'); hand pages of a client of your own to from_pages."
        )
    return session


def named_session(profile: str | None) -> boto3.Session:
    """Return a new session of a profile, or of what boto3 finds where none is named."""
    with explained("a session", None):
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


def region_of(session: boto3.Session, region: str | None) -> str:
    """Return the region to ask; say how to give one where there is none."""
    found = region or session.region_name
    if not found:
        raise SetupError(
            f"No region was given, and profile {session.profile_name!r} and AWS_DEFAULT_REGION "
            "name none. Pass region='us-east-1' (or another), or set AWS_DEFAULT_REGION."
        )
    return found


def client(session: boto3.Session, service: str, region: str) -> Any:
    """Return a client with the operations of :data:`READ_ONLY` and the session's credentials.

    Its configuration, event hooks and default client config are the session's
    too; the session, and clients made from it elsewhere, stay as they are.
    """
    theirs = session._session
    hooks = theirs.get_component("event_emitter")
    core = botocore.session.Session(event_hooks=hooks, include_builtin_handlers=False)
    core.register_component("config_store", theirs.get_component("config_store"))
    core.register_component("credential_provider", _Borrowed(session))
    core.register_component("data_loader", _LOADER)
    core.set_default_client_config(theirs.get_default_client_config())
    config = Config(user_agent_extra="fastlaunch_nb")
    try:
        return core.create_client(service, region_name=region, config=config)
    except ValueError as error:  # botocore's word for an address or a number it can not read
        raise SetupError(_UNREADABLE.format(redact(str(error)))) from None


def account_of(session: boto3.Session, region: str) -> str:
    """Return the id of the account that the session's credentials belong to."""
    with explained("GetCallerIdentity", region, session, service="sts"):
        known = getattr(session.get_credentials(), "account_id", None)
        if known:
            return str(known)
        answer = client(session, "sts", region).get_caller_identity()
        _check_answer(answer, "Account" in answer)
        return str(answer["Account"])


# --- reading --------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """What one read brought: its items, its first response, and how to go on."""

    items: list[Any]
    first_response: Mapping[str, Any]
    next_token: str | None


def read_fast_launch_images(
    session: boto3.Session,
    region: str,
    request: Mapping[str, Any],
    *,
    max_items: int | None = None,
    page_size: int | None = None,
    starting_token: str | None = None,
) -> Reading:
    """Read DescribeFastLaunchImages through botocore's paginator.

    botocore forgets the rest of what a resume token tells it to skip when the
    first page is shorter than that (a smaller page size than before is enough),
    and repeats rows. So it is asked from the page's own token, and the skipping
    is done here.
    """
    token, skip = _split(starting_token)
    paging = {
        "MaxItems": None if max_items is None else max_items + skip,
        "PageSize": page_size,
        "StartingToken": token,
    }
    with explained("DescribeFastLaunchImages", region, session):
        paginator = client(session, "ec2", region).get_paginator("describe_fast_launch_images")
        pages = paginator.paginate(PaginationConfig=paging, **request)
        responses = list(pages)
        for response in responses:
            metadata = response.get("ResponseMetadata", {})
            _check_answer(response, "FastLaunchImages" in response or "RequestId" in metadata)
    items = (item for response in responses for item in response.get("FastLaunchImages", ()))
    return Reading(list(islice(items, skip, None)), responses[0], pages.resume_token)


def _check_answer(answer: Mapping[str, Any], fits: bool) -> None:
    """Refuse what parses but is no answer of AWS's, such as the page of a proxy's login."""
    if not fits:
        raise ResponseParserError(f"the answer has only {', '.join(answer) or 'nothing'}")


def _split(starting_token: str | None) -> tuple[str | None, int]:
    """Split a resume token of botocore's into its page and the items to skip there.

    A service's own token, which botocore accepts as well, skips nothing.
    """
    if starting_token is None:
        return None, 0
    try:
        decoded = TokenDecoder().decode(starting_token)
        page, skip = decoded["NextToken"], int(decoded.get("boto_truncate_amount", 0))
    except (ValueError, TypeError, KeyError, AttributeError):
        # The service's own token, which may be base64 of JSON too; or botocore's old "token___2".
        head, _, tail = starting_token.rpartition("___")
        page, skip = (head, int(tail)) if head and tail.isdigit() else (starting_token, 0)
    return TokenEncoder().encode({"NextToken": page}) if page else None, max(0, skip)


# --- errors ---------------------------------------------------------------------------

_SSO = (failures.SSOError, failures.TokenRetrievalError)
_NO_CREDENTIALS = (
    failures.NoCredentialsError,
    failures.PartialCredentialsError,
    failures.CredentialRetrievalError,
)
_CONFIGURATION = (
    failures.ConfigParseError,
    failures.InvalidConfigError,
    failures.InvalidDefaultsMode,
    failures.InvalidRetryModeError,
    failures.InvalidSTSRegionalEndpointsConfigError,
    failures.MissingDependencyException,
)
_UNREADABLE = "the AWS configuration can not be used: {}"
_ALLOW = "Allow the IAM action {service}:{operation}."
_RENEW = "The credentials have expired: renew them; for a profile with SSO, {login}."
_SLOWER = "AWS is throttling or busy: try again later, or with fewer readers at once."
_FROM_START = "Page tokens expire: read again from the start, without starting_token."
_REMEDIES = {
    "UnauthorizedOperation": _ALLOW,
    "AccessDenied": _ALLOW,
    "AuthFailure": "The credentials are not valid here, or the region is not enabled for this "
    "account: check `aws sts get-caller-identity` and "
    "`aws account get-region-opt-status --region-name {region}`.",
    "OptInRequired": "Enable the region or service for this account first.",
    "InvalidClientTokenId": "The credentials are not known to AWS: check the profile.",
    "SignatureDoesNotMatch": "The secret key does not fit the access key: check the profile.",
    "ExpiredToken": _RENEW,
    "RequestExpired": _RENEW + " Check this machine's clock.",
    "RequestLimitExceeded": _SLOWER,
    "Unavailable": _SLOWER,
    "ServiceUnavailable": _SLOWER,
    "InternalError": _SLOWER,
    "InvalidNextToken": _FROM_START,
    "InvalidPaginationToken": _FROM_START,
    "InvalidAMIID.NotFound": "No such AMI in {region}: ids belong to one region.",
}


@contextmanager
def explained(
    operation: str,
    region: str | None,
    session: boto3.Session | None = None,
    *,
    service: str = "ec2",
) -> Iterator[None]:
    """Turn botocore's exceptions into ours: what was asked, what came, what to do next.

    The original is not chained: its text may quote keys or signatures.
    """
    words = {
        "service": service,
        "operation": operation,
        "region": region,
        "login": f"run `aws sso login --profile {_login_profile(session)}`",
    }
    asked = f"{operation} in {region}" if region else operation
    try:
        yield
    except failures.ClientError as error:
        raise _answered(error, asked, words) from None
    except FastLaunchError:
        raise
    except (ResponseParserError, KeyError, ValueError) as error:  # so botocore's parsers fail
        what = str(error).partition("\n")[0].rstrip(":")  # below it botocore quotes the answer
        raise _not_aws(asked, f"{type(error).__name__}: {what}") from None
    except failures.BotoCoreError as error:
        raise _unanswered(error, asked, words) from None


def _not_aws(asked: str, why: str) -> ReadError:
    message = (
        f"{asked}: what answered is not AWS, or was cut short ({redact(why)[:200]}). "
        "Try again; where that does not help, check the proxy, and the endpoint that is configured."
    )
    return ReadError(message, code="ResponseParserError")


def _sentence(text: str) -> str:
    """Return text that another sentence may follow."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _login_profile(session: boto3.Session | None) -> str:
    """Return the profile to log in with: the one a role's profile takes its credentials from."""
    if session is None:
        return "default"
    name, seen = str(session.profile_name), set()
    with suppress(failures.BotoCoreError):
        profiles = session._session.full_config.get("profiles", {})
        while name not in seen and "source_profile" in profiles.get(name, {}):
            seen.add(name)
            name = str(profiles[name]["source_profile"])
    return name


def _answered(error: failures.ClientError, asked: str, words: Mapping[str, Any]) -> ReadError:
    if not error.response.get("Error", {}).get("Code"):
        return _not_aws(asked, f"no error code in {error.operation_name}'s answer")
    code = str(error.response["Error"]["Code"])
    said = _sentence(redact(str(error.response.get("Error", {}).get("Message", "")))[:300])
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId")
    to = ""
    if error.operation_name != words["operation"]:  # botocore asked on the way: for credentials
        to = f" to {error.operation_name}"
        words = {**words, "operation": error.operation_name, "service": "sts"}
    remedy = _REMEDIES.get(code, "").format(**words)
    answer = redact(f"{code}{to} (request {request_id})")
    message = f"{asked}: AWS answered {answer}: {said} {remedy}"
    return ReadError(message.strip(), code=code, request_id=request_id)


def _unanswered(
    error: failures.BotoCoreError, asked: str, words: Mapping[str, Any]
) -> FastLaunchError:
    name, said = type(error).__name__, redact(str(error))
    if isinstance(error, (*_SSO, failures.LoginError)):
        login = words["login"]
        if not isinstance(error, _SSO):
            login = login.replace("aws sso login", "aws login")
        return SetupError(f"{asked}: the login is missing or has expired: {login}.")
    if isinstance(error, _NO_CREDENTIALS):
        return SetupError(
            f"{asked}: no usable AWS credentials ({name}). Pass session="
            "boto3.Session(profile_name='...'), set AWS_PROFILE, or run `aws configure`; "
            "without an account, try fastlaunch_nb.demo()."
        )
    if isinstance(error, _CONFIGURATION):
        return SetupError(f"{asked}: {_UNREADABLE.format(said)}")
    if isinstance(error, failures.ProfileNotFound):
        return SetupError(f"{asked}: {said}. `aws configure list-profiles` lists what there is.")
    if isinstance(error, failures.HTTPClientError | failures.ConnectionError):
        said = f"{_sentence(said)} Check the network, the proxy and the region's name."
    if isinstance(error, failures.PaginationError):
        said = f"{_sentence(said)} AWS's pages lead in a circle: try again later."
    return ReadError(f"{asked}: {name}: {said}", code=name)
