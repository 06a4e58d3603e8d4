"""Recycle Bin and Image Builder of the emulator: the reads that moto lacks.

A WSGI application answers them in place of moto. Their data belongs to the EC2 backend of an
account and region, so that a reset removes it: retention rules and distribution configurations,
under the names of the API. Results of lists are in the order in which they were added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.iam.models import get_account_id_from
from werkzeug.wrappers import Request, Response

from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.fast_launch_backend import (
    find_backend,
    make_page_token,
    parse_page_token,
)

CREDENTIAL: Final = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/\d+/(?P<region>[^/]*)/(?P<service>[^/]+)/"
)
"""The credential in the signature of a request: access key, region and service."""
_ACCOUNT_HEADER = "HTTP_X_MOTO_ACCOUNT_ID"  # with which moto, too, takes another account
_NOT_FOUND = ("ResourceNotFoundException", 404)
_INVALID = ("ValidationException", 400)
_TAG_FIELDS = ("ResourceTags", "ExcludeResourceTags")
_SUMMARY = ("RuleArn", "Identifier", "Description", "RetentionPeriod", "LockState")

Answer: TypeAlias = dict[str, Any]


class _Error(Exception):
    """An error as a REST service answers it: code and HTTP status, message."""

    def __init__(self, code: tuple[str, int], message: str) -> None:
        super().__init__(message)
        self.code, self.status = code
        self.message = message


class RestJsonApi:
    """A WSGI application that answers these services and passes all other requests on."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if credential is None or credential["service"] not in _OPERATIONS:
            return self._application(environ, start)
        request = Request(environ)
        account_id = environ.get(_ACCOUNT_HEADER) or get_account_id_from(credential["key"])
        try:
            action, parameters = _find_operation(credential["service"], request)
            answer = action(find_backend(account_id, credential["region"]), parameters)
            response = Response(json.dumps(answer), mimetype="application/json")
        except _Error as error:
            response = make_error_response(error.code, error.message, error.status)
        return response(environ, start)


def make_error_response(code: str, message: str, status: int) -> Response:
    """Return an error in the form of the protocol rest-json."""
    headers = {"x-amzn-ErrorType": code}
    return Response(json.dumps({"message": message}), status, headers, "application/json")


def _find_operation(
    service: str, request: Request
) -> tuple[Callable[[Any, Mapping[str, Any]], Answer], dict[str, Any]]:
    """Return the function of a request's operation, and the request's parameters."""
    method, path = request.method, request.path.rstrip("/")
    for (its_method, pattern), action in _OPERATIONS[service].items():
        match = re.fullmatch(pattern, path)
        if method == its_method and match:
            parameters = {**request.args.to_dict(), **match.groupdict(), **_read_body(request)}
            return action, parameters
    message = f"The emulator has no operation {method} {path} of {service}."
    raise _Error(("UnknownOperationException", 404), message)


def _read_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _Error(_INVALID, "The body of the request is not a JSON object.")
    return body


def _make_page(
    result: str, items: list[Answer], parameters: Mapping[str, Any], size: str, token: str
) -> Answer:
    """Return a page of items, and the token of the next page if there is one.

    `result`, `size` and `token` are the names of these values in the API.
    """
    try:
        text = parameters.get(token)
        start = int(parse_page_token(text)) if text is not None else 0
    except (EC2Error, ValueError):
        raise _Error(_INVALID, f"{token} is not valid.") from None
    end = start + (parameters.get(size) or len(items))
    page: Answer = {result: items[start:end]}
    return {**page, token: make_page_token(str(end))} if end < len(items) else page


# --- Recycle Bin ----------------------------------------------------------------------


def _list_rules(ec2: Any, parameters: Mapping[str, Any]) -> Answer:
    """Return the retention rules for a type of resource, without their tags."""
    if not parameters.get("ResourceType"):
        raise _Error(_INVALID, "The request must contain the parameter ResourceType.")
    rules = [
        {name: rule[name] for name in _SUMMARY if name in rule}
        for rule in (ec2.retention_rules.values() if ec2 else ())
        if rule["ResourceType"] == parameters["ResourceType"]
        and all(tag in rule[field] for field in _TAG_FIELDS for tag in parameters.get(field) or ())
    ]
    return _make_page("Rules", rules, parameters, "MaxResults", "NextToken")


def _get_rule(ec2: Any, parameters: Mapping[str, Any]) -> Answer:
    """Return a retention rule with its tags."""
    identifier = unquote(parameters["identifier"])
    rule = ec2.retention_rules.get(identifier) if ec2 else None
    if rule is None:
        raise _Error(_NOT_FOUND, f"The retention rule {identifier} does not exist.")
    return dict(rule)


# --- Image Builder --------------------------------------------------------------------


def _list_distribution_configurations(ec2: Any, parameters: Mapping[str, Any]) -> Answer:
    """Return a summary of each distribution configuration."""
    wanted = {entry.get("name"): entry.get("values", ()) for entry in parameters.get("filters", ())}
    if not wanted.keys() <= {"name"}:
        raise _Error(_INVALID, f"The filters are {sorted(wanted)}. Expected name.")
    summaries = [
        {
            **{name: configuration[name] for name in ("arn", "name", "dateCreated", "tags")},
            "regions": [entry["region"] for entry in configuration["distributions"]],
        }
        for configuration in (ec2.distribution_configurations.values() if ec2 else ())
        if "name" not in wanted or configuration["name"] in wanted["name"]
    ]
    result = "distributionConfigurationSummaryList"
    return _make_page(result, summaries, parameters, "maxResults", "nextToken")


def _get_distribution_configuration(ec2: Any, parameters: Mapping[str, Any]) -> Answer:
    """Return a distribution configuration."""
    arn = parameters.get("distributionConfigurationArn", "")
    configuration = ec2.distribution_configurations.get(arn) if ec2 else None
    if configuration is None:
        raise _Error(_NOT_FOUND, f"The distribution configuration {arn} does not exist.")
    return {"distributionConfiguration": configuration}


_OPERATIONS: Mapping[str, Mapping[tuple[str, str], Callable[[Any, Mapping[str, Any]], Answer]]] = {
    "rbin": {
        ("POST", "/list-rules"): _list_rules,
        ("GET", "/rules/(?P<identifier>[^/]+)"): _get_rule,
    },
    "imagebuilder": {
        ("POST", "/ListDistributionConfigurations"): _list_distribution_configurations,
        ("GET", "/GetDistributionConfiguration"): _get_distribution_configuration,
    },
}

SERVICES: Final = frozenset(_OPERATIONS)
"""Services that are answered here, by the names with which requests are signed."""
