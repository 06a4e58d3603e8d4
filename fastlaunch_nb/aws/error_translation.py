"""Translation of botocore's exceptions into this package's, with a remedy if one is known.

Whatever goes wrong between a call and the answer of AWS, on the network or on this machine,
becomes one of our errors here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.exceptions as failures
from botocore.compat import XMLParseError
from botocore.parsers import ResponseParserError

from fastlaunch_nb.aws.local_failures import (
    describe_renewal,
    explain_failure,
    format_login,
    is_about_credentials,
)
from fastlaunch_nb.aws.remedies import Remedy, collect_facts, find_remedy, give_advice
from fastlaunch_nb.errors import FastLaunchError, ReadError, SetupError, escape_unprintable, redact

if TYPE_CHECKING:
    import boto3

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
_SERVICES = {  # of operations by which botocore itself gets credentials; by default STS
    "CreateOAuth2Token": "signin",
    "CreateToken": "sso-oauth",
    "GetRoleCredentials": "sso",
}
_MAX_MESSAGE = 600  # characters; AWS names principals, resources and policies in up to 500


class _Request(NamedTuple):
    """A request to AWS; `service` is IAM's name."""

    operation: str
    region: str | None
    session: boto3.Session | None
    service: str

    def redact(self, text: str) -> str:
        """Remove secrets from text, also those of the session's proxies and endpoints."""
        return redact(text, [] if self.session is None else find_addresses(self.session))

    def find_remedy(self, code: str, text: str) -> Remedy | None:
        """Return the remedy for an error of this request."""
        return find_remedy(code, text, operation=self.operation, service=self.service)

    def fill_in(self, sentence: str, text: str) -> str:
        """Fill in a sentence of a remedy with facts of this request and of the error's text."""
        facts: dict[str, Any] = {
            "login": format_login(self.session, "sso login"),
            "console_login": format_login(self.session, "login"),
            "renewal": describe_renewal(self.session),
            **({"region": self.region} if self.region else {}),
        }
        facts = collect_facts(text, self.operation, self.service, facts)
        return escape_unprintable(sentence.format_map(facts))


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
    except (failures.BotoCoreError, OSError, EOFError) as error:
        raise _translate_failure(error, request) from None
    except (*_PARSER_ERRORS, RuntimeError) as error:
        if is_about_credentials(error):
            raise _translate_failure(error, request) from None
        if not isinstance(error, _PARSER_ERRORS):
            raise
        # If XML is malformed, botocore's own text quotes the whole response.
        reason = error.__context__ if isinstance(error.__context__, XMLParseError) else error
        raise _not_aws(request, f"{type(reason).__name__}: {reason}") from None


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
        remedy=give_advice("ResponseParserError"),
    )


def _translate_error_response(error: failures.ClientError, request: _Request) -> ReadError:
    details, metadata = (error.response.get(key, {}) for key in ("Error", "ResponseMetadata"))
    if not details.get("Code"):
        return _not_aws(request, f"no error code for {error.operation_name}")
    failed = request
    if error.operation_name != request.operation:  # botocore called it to get credentials
        service = _SERVICES.get(error.operation_name, "sts")
        failed = request._replace(operation=error.operation_name, service=service)
    code, message = str(details["Code"]), request.redact(str(details.get("Message", "")))
    remedy = failed.find_remedy(code, message)
    return ReadError(
        _shorten(message),
        operation=request.operation,
        failed_operation=failed.operation,
        region=request.region,
        code=code,
        request_id=metadata.get("RequestId"),
        remedy=failed.fill_in(remedy.advice, message) if remedy else "",
        date=metadata.get("HTTPHeaders", {}).get("date"),
    )


def _shorten(message: str) -> str:
    """Cut a long message at a space."""
    if len(message) <= _MAX_MESSAGE:
        return message
    return f"{message[:_MAX_MESSAGE].rsplit(' ', 1)[0]} …"


def _translate_failure(error: Exception, request: _Request) -> FastLaunchError:
    """Translate an exception without a response: of the network, or of this machine."""
    name, operation = type(error).__name__, request.operation
    text = request.redact(explain_failure(error, request.session)) or name
    names = (kind.__name__ for kind in type(error).__mro__)  # the most specific first
    remedy = next(filter(None, (request.find_remedy(it, text) for it in names)), None)
    advice = request.fill_in(remedy.advice, text) if remedy else ""
    if remedy and remedy.is_local:
        why = request.fill_in(remedy.why, text)
        end = "" if why.endswith((".", "!", "?")) else "."
        return SetupError(f"{operation}: {why}{end} {advice}")
    if isinstance(error, failures.BotoCoreError):
        return ReadError(text, operation=operation, region=request.region, code=name, remedy=advice)
    return SetupError(f"{operation}: {text}.")
