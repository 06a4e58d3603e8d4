"""botocore's exceptions in our words: what was asked, what came, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import botocore.exceptions as failures
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
UNREADABLE = "the AWS configuration can not be used: {}"
_ALLOW = "Allow the IAM action {service}:{operation}."
_TRUST = (
    " The role must be there, and its trust policy must allow this caller, with the external id "
    "that it asks for."
)
_RENEW = "The credentials have expired: renew them; for a profile with SSO, {login}."
_SLOWER = "AWS is throttling or busy: try again later, or with fewer readers at once."
_FROM_START = "Page tokens expire: read again from the start, without starting_token."
_REMEDIES = {
    "UnauthorizedOperation": _ALLOW,
    "AccessDenied": _ALLOW,
    "AccessDeniedException": _ALLOW,
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
    "Throttling": _SLOWER,
    "ThrottlingException": _SLOWER,
    "TooManyRequestsException": _SLOWER,
    "InvalidNextToken": _FROM_START,
    "InvalidPaginationToken": _FROM_START,
    "InvalidAMIID.NotFound": "No such AMI in {region}: ids belong to one region.",
}


@contextmanager
def translate_botocore_errors(
    operation: str,
    region: str | None,
    session: boto3.Session | None = None,
    *,
    service: str = "ec2",
) -> Iterator[None]:
    """Turn botocore's exceptions into ours: what was asked, what came, what to do next.

    `service` is IAM's name of it. The original is not chained: its text may quote
    keys or signatures.
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


def require_aws_response(answer: Mapping[str, Any], fits: bool) -> None:
    """Refuse what parses but is no answer of AWS's, such as the page of a proxy's login."""
    if not fits:
        raise ResponseParserError(f"the answer has only {', '.join(answer) or 'nothing'}")


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
    metadata = error.response.get("ResponseMetadata", {})
    request_id, date = metadata.get("RequestId"), metadata.get("HTTPHeaders", {}).get("date")
    to = ""
    if error.operation_name != words["operation"]:  # botocore asked on the way: for credentials
        to = f" to {error.operation_name}"
        words = {**words, "operation": error.operation_name, "service": "sts"}
    remedy = _REMEDIES.get(code, "").format(**words)
    if error.operation_name == "AssumeRole" and code == "AccessDenied":
        remedy += _TRUST
    answer = redact(f"{code}{to} (request {request_id})")
    message = f"{asked}: AWS answered {answer}: {said} {remedy}"
    return ReadError(message.strip(), code=code, request_id=request_id, date=date)


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
            "without an account, try fastlaunch_nb.demo_fleet()."
        )
    if isinstance(error, _CONFIGURATION):
        return SetupError(f"{asked}: {UNREADABLE.format(said)}")
    if isinstance(error, failures.ProfileNotFound):
        return SetupError(f"{asked}: {said}. `aws configure list-profiles` lists what there is.")
    if isinstance(error, failures.HTTPClientError | failures.ConnectionError):
        said = f"{_sentence(said)} Check the network, the proxy and the region's name."
    if isinstance(error, failures.PaginationError):
        said = f"{_sentence(said)} AWS's pages lead in a circle: try again later."
    return ReadError(f"{asked}: {name}: {said}", code=name)
