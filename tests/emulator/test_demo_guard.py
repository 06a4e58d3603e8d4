"""The guard of the demo: foreign keys get AWS's error, in the protocol of each service."""

from __future__ import annotations

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
