"""Translation of botocore's exceptions into this package's, with a remedy if one is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.exceptions as failures
from botocore.compat import XMLParseError
from botocore.parsers import ResponseParserError

from fastlaunch_nb.errors import FastLaunchError, ReadError, SetupError, redact

if TYPE_CHECKING:
    import boto3

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
_PARSER_ERRORS = (  # of botocore's parsers, if a response does not fit the service model
    ResponseParserError,
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
UNREADABLE = "The AWS configuration cannot be used: {}"
_ALLOW = "Allow the IAM action {service}:{operation}."
_TRUST = (
    " The role must exist, and its trust policy must allow this caller, with the external id "
    "that it requires."
)
_RENEW = "The credentials have expired: renew them; for a profile with SSO, run `{login}`."
_SLOWER = "AWS is throttling or busy: try again later, or with fewer readers at once."
_FROM_START = "Page tokens expire: read again from the start, without starting_token."
_REMEDIES = {
    **dict.fromkeys(("UnauthorizedOperation", "AccessDenied", "AccessDeniedException"), _ALLOW),
    "AuthFailure": "The credentials are not valid here, or the region is not enabled for this "
    "account: check `aws sts get-caller-identity` and "
    "`aws account get-region-opt-status --region-name {region}`.",
    "OptInRequired": "Enable the region or service for this account first.",
    "InvalidClientTokenId": "The credentials are not known to AWS: check the profile.",
    "SignatureDoesNotMatch": "The secret key does not fit the access key: check the profile.",
    "ExpiredToken": _RENEW,
    "RequestExpired": _RENEW + " Check this machine's clock.",
    **dict.fromkeys(("Throttling", "ThrottlingException", "RequestLimitExceeded"), _SLOWER),
    **dict.fromkeys(("Unavailable", "ServiceUnavailable", "InternalError"), _SLOWER),
    "TooManyRequestsException": _SLOWER,
    **dict.fromkeys(("InvalidNextToken", "InvalidPaginationToken"), _FROM_START),
    "InvalidAMIID.NotFound": "No such AMI in {region}: ids belong to one region.",
}


class _Request(NamedTuple):
    """A request to AWS; `service` is IAM's name."""

    operation: str
    region: str | None
    session: boto3.Session | None
    service: str

    def redact(self, text: str) -> str:
        """Remove secrets from text, also those of the session's proxies and endpoints."""
        return redact(text, [] if self.session is None else find_addresses(self.session))


def find_addresses(session: boto3.Session) -> list[str]:
    """Return the addresses of proxies and endpoints in the configuration of a session."""
    client_config = session._session.get_default_client_config()
    proxies = getattr(client_config, "proxies", None) or {}
    addresses = [proxy for proxy in proxies.values() if proxy]
    with suppress(failures.BotoCoreError):
        settings = [session._session.full_config]
        while settings:
            for name, value in settings.pop().items():
                if isinstance(value, dict):
                    settings.append(value)
                elif name == "endpoint_url":
                    addresses.append(value)
    return addresses


@contextmanager
def translate_botocore_errors(
    operation: str,
    region: str | None,
    session: boto3.Session | None = None,
    *,
    service: str = "ec2",
) -> Iterator[None]:
    """Translate botocore's exceptions while `operation` runs.

    `service` is IAM's name of the service. The original exception is not
    chained: its text may quote keys or signatures.
    """
    request = _Request(operation, region, session, service)
    try:
        yield
    except failures.ClientError as error:
        raise _translate_error_response(error, request) from None
    except FastLaunchError as error:
        raise _name_request(error, request) from None
    except _PARSER_ERRORS as error:
        # If XML is malformed, botocore's own text quotes the whole response.
        reason = error.__context__ if isinstance(error.__context__, XMLParseError) else error
        raise _not_aws(request, f"{type(reason).__name__}: {reason}") from None
    except failures.BotoCoreError as error:
        raise _translate_failure(error, request) from None


def _name_request(error: FastLaunchError, request: _Request) -> FastLaunchError:
    """Add the request to the error of a limit, which knows none."""
    if isinstance(error, ReadError) and not error.operation:
        error.operation = error.failed_operation = request.operation
        error.region = request.region
    return error


def require_aws_response(response: Mapping[str, Any], is_valid: bool) -> None:
    """Refuse a response that parses but is not from AWS, such as a proxy's login page."""
    if not is_valid:
        raise ResponseParserError(f"the response has only {', '.join(response) or 'nothing'}")


def _not_aws(request: _Request, reason: str) -> ReadError:
    return ReadError(
        f"the response is not from AWS, or was cut short ({request.redact(reason)[:200]})",
        operation=request.operation,
        region=request.region,
        code="ResponseParserError",
        remedy="Try again. If that does not help, check the proxy and the configured endpoint.",
    )


def _translate_error_response(error: failures.ClientError, request: _Request) -> ReadError:
    details, metadata = (error.response.get(key, {}) for key in ("Error", "ResponseMetadata"))
    if not details.get("Code"):
        return _not_aws(request, f"no error code for {error.operation_name}")
    code = str(details["Code"])
    failed = request
    if error.operation_name != request.operation:  # botocore called it to get credentials
        failed = request._replace(operation=error.operation_name, service="sts")
    remedy = _REMEDIES.get(code, "")
    if failed.operation == "AssumeRole" and code == "AccessDenied":
        remedy += _TRUST
    login = _login_command(request.session, "sso login")
    return ReadError(
        request.redact(str(details.get("Message", "")))[:300],
        operation=request.operation,
        failed_operation=failed.operation,
        region=request.region,
        code=code,
        request_id=metadata.get("RequestId"),
        remedy=remedy.format(**failed._asdict(), login=login),
        date=metadata.get("HTTPHeaders", {}).get("date"),
    )


def _login_command(session: boto3.Session | None, command: str) -> str:
    """Return the command that renews a login; a role's profile logs in with its source profile."""
    name, profiles = "default", {}
    if session is not None:
        name = str(session.profile_name)
        with suppress(failures.BotoCoreError):
            profiles = dict(session._session.full_config.get("profiles", {}))
    while source := profiles.pop(name, {}).get("source_profile"):
        name = str(source)
    return f"aws {command} --profile {name}"


def _translate_failure(error: failures.BotoCoreError, request: _Request) -> FastLaunchError:
    operation, name, text = request.operation, type(error).__name__, request.redact(str(error))
    if isinstance(error, (*_SSO, failures.LoginError)):
        command = "sso login" if isinstance(error, _SSO) else "login"
        login = _login_command(request.session, command)
        return SetupError(f"{operation}: the login is missing or has expired: run `{login}`.")
    if isinstance(error, _NO_CREDENTIALS):
        return SetupError(
            f"{operation}: no usable AWS credentials ({name}). Pass session="
            "boto3.Session(profile_name='...'), set AWS_PROFILE, or run `aws configure`; "
            "without an account, try fastlaunch_nb.demo()."
        )
    if isinstance(error, _CONFIGURATION):
        return SetupError(f"{operation}: {UNREADABLE.format(text)}")
    if isinstance(error, failures.ProfileNotFound):
        return SetupError(f"{operation}: {text}. `aws configure list-profiles` lists all profiles.")
    remedy = ""
    if isinstance(error, failures.HTTPClientError | failures.ConnectionError):
        remedy = "Check the network, the proxy and the region's name."
    return ReadError(text, operation=operation, region=request.region, code=name, remedy=remedy)
