"""The guard of the demo: foreign keys get AWS's error, in the protocol of each service."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.cases import some

CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ec2": ("describe_fast_launch_images", "AuthFailure", {}),
    "sts": ("get_caller_identity", "InvalidClientTokenId", {}),
    "organizations": ("list_accounts", "UnrecognizedClientException", {}),
    "service-quotas": (
        "get_service_quota",
        "UnrecognizedClientException",
        {"ServiceCode": "ec2fastlaunch", "QuotaCode": "L-DC79B53E"},
    ),
    "cloudwatch": ("list_metrics", "UnrecognizedClientException", {}),
    "s3": ("list_buckets", "InvalidAccessKeyId", {}),
    "kms": ("list_keys", "UnrecognizedClientException", {}),
    "autoscaling": ("describe_auto_scaling_groups", "InvalidClientTokenId", {}),
    "rbin": ("list_rules", "UnrecognizedClientException", {"ResourceType": "EBS_SNAPSHOT"}),
    "imagebuilder": ("list_distribution_configurations", "UnrecognizedClientException", {}),
}


@pytest.mark.parametrize("service", CALLS)
def test_foreign_keys_are_refused(demo: Demo, service: str) -> None:
    """Each service answers keys of another account as AWS does, and its own keys with a result."""
    method, code, parameters = CALLS[service]
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "secret"}
    foreign = boto3.client(service, "us-east-1", aws_session_token="token", **keys)
    with pytest.raises(ClientError) as error:
        getattr(foreign, method)(**parameters)
    assert error.value.response["Error"]["Code"] == code
    assert "not the demo's" in error.value.response["Error"]["Message"]
    assert getattr(demo.session.client(service, "us-east-1"), method)(**parameters)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "127.0.0.1.example.com"}, 403),
        ({"Host": "example.com:80"}, 403),
        ({"Host": ""}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://example.com"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_other_pages_are_refused(demo: Demo, headers: dict[str, str], status: int) -> None:
    """Requests that name another host, or come from a page of another one, get no answer."""
    assert request(demo, "/fastlaunch/clock", headers) == status


def test_a_page_of_its_own_is_answered(demo: Demo) -> None:
    """The demo's own origin may ask."""
    assert request(demo, "/fastlaunch/clock", {"Origin": demo.endpoint_url}) == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/moto-api/", {}),
        ("/moto-api/recorder/download-recording", {}),
        ("/", {"Authorization": "AWS4-HMAC-SHA256 Credential=demo/20260115/us-east-1/batch/aws4"}),
        ("/", {"Authorization": "AWS4-HMAC-SHA256 Credential=demo/20260115/us-east-1/lambda/aws4"}),
    ],
)
def test_other_services_do_not_exist(demo: Demo, path: str, headers: dict[str, str]) -> None:
    """moto's other services and its own pages are not found."""
    assert request(demo, path, headers) == 404


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_form_moves_no_clock(demo: Demo, content_type: str) -> None:
    """The clock takes JSON only, which a form of another page cannot send."""
    before = demo.clock.now()
    headers = {"Content-Type": content_type}
    assert request(demo, "/fastlaunch/clock", headers, b'{"hours": 6}') == 415
    assert demo.clock.now() == before


def request(demo: Demo, path: str, headers: dict[str, str], body: bytes | None = None) -> int:
    """Send a request to the demo; return the status."""
    sent = urllib.request.Request(demo.endpoint_url + path, body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(sent) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_rows_of_the_demo_are_never_those_of_another_account(demo: Demo) -> None:
    """A session with keys of its own gets an error from the demo, and no row."""
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", "token", demo.regions[0])
    with pytest.raises(fl.ReadError, match="AuthFailure"):
        fl.describe(session)
    swept = fl.sweep(session, regions=demo.regions, progress=False)
    assert swept.images.empty
    assert set(swept.coverage["status"]) == {"failed"}


def test_assumed_roles_are_its_own(demo: Demo) -> None:
    """Keys of a role that was assumed in the demo are accepted."""
    for profile in some(demo.accounts.values()):
        identity = boto3.Session(profile_name=profile).client("sts").get_caller_identity()
        assert demo.accounts[identity["Account"]] == profile
