"""Errors and warnings: their fields and texts, and the line that a warning is about."""

from __future__ import annotations

import copy
import pickle
import string
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.errors import describe_exception, redact
from tests.helpers.samples import OTHER_EVENT, REGION, deny_operations, make_event

UNKNOWN_STATE = {"state": ["enablin"]}
FIELDS: dict[str, Any] = {
    "message": "You are not authorized",
    "code": "AccessDenied",
    "operation": "DescribeImages",
    "failed_operation": "AssumeRole",
    "region": "eu-west-1",
    "request_id": "1a2b3c",
    "remedy": "Allow the IAM action sts:AssumeRole.",
    "date": "Thu, 15 Jan 2026 12:00:00 GMT",
}


# --- ReadError ------------------------------------------------------------------------


def test_the_text_of_a_read_error_has_its_fields() -> None:
    """The request, the answer and what to do next, in this order."""
    error = fl.ReadError(**FIELDS)
    assert vars(error) == FIELDS
    assert str(error) == (
        "DescribeImages in eu-west-1: AWS answered AccessDenied to AssumeRole (request 1a2b3c): "
        "You are not authorized. Allow the IAM action sts:AssumeRole."
    )


def test_the_summary_of_an_error_is_the_same_for_every_region() -> None:
    """A table has columns of the region and the request id, so its text has neither."""
    summary = fl.ReadError(**FIELDS).summary()
    assert summary == (
        "DescribeImages: AWS answered AccessDenied to AssumeRole: "
        "You are not authorized. Allow the IAM action sts:AssumeRole."
    )
    other = {**FIELDS, "region": "us-east-1", "request_id": "4d5e6f"}
    assert fl.ReadError(**other).summary() == summary
    assert fl.SetupError("No region was given.").summary() == "No region was given."


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "NoDate: No."),
        ({"operation": "ListMetrics"}, "ListMetrics: NoDate: No."),
        ({"message": "", "remedy": "Try again."}, "NoDate. Try again."),
        ({"message": "Why?"}, "NoDate: Why?"),
        ({"request_id": "AKIAIOSFODNN7EXAMPLE"}, "AWS answered NoDate (request ***): No."),
    ],
)
def test_missing_fields_leave_no_trace(fields: dict[str, Any], text: str) -> None:
    """Only `message` and `code` are required, and the text has no gap or secret."""
    assert str(fl.ReadError(**{"message": "No", "code": "NoDate", **fields})) == text


@pytest.mark.parametrize("duplicate", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_a_read_error_can_be_pickled(duplicate: Callable[[Any], Any]) -> None:
    """A copy from another process has the same fields, notes and text."""
    error = fl.ReadError(**FIELDS)
    error.add_note("in a worker")
    received = duplicate(error)
    assert type(received) is fl.ReadError
    assert vars(received) == {**FIELDS, "__notes__": ["in a worker"]}
    assert str(received) == str(error)


# --- secrets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AKIAIOSFODNN7EXAMPLE",
        "FwoGZXIvYXdzE" + "x" * 200 + "==",
    ],
)
def test_secrets_are_redacted(secret: str) -> None:
    """Keys, tokens, and a proxy's user and password are removed wherever they are."""
    text = redact(f"The request with '{secret}' and {secret}, by http://user:pa/ss@proxy:80 failed")
    assert secret not in text
    assert "pa/ss" not in text
    assert text.startswith("The request with '***' and ***, by http://")
    assert redact("ec2:DescribeFastLaunchImages in us-east-1") == (
        "ec2:DescribeFastLaunchImages in us-east-1"
    )


@pytest.mark.parametrize(
    ("address", "text", "expected"),
    [
        ("http://me:pass@proxy", "as me: password, meat, pass", "as ***: ***word, meat, ***"),
        ("http://me:a@proxy", "a map of http://me:a@proxy", "*** map of http://***proxy"),
        ("me:p4ss@proxy:80", "me%3Ap4ss%40proxy:80", "***%40proxy:80"),
        ("http://me:a/bc@proxy", "no port 'a' in me:A%2Fbc", "no port '***' in ***"),
        ("http://me:p%41ss@proxy", "pAss p%41ss p%2541ss", "*** *** ***"),
        ("http://me:it's\\@proxy", repr("it's\\ x' \"\\"), "'*** x\\' \"\\\\'"),
        ("https://host/?token=abcd&v=1", "token abcd of v 1 of 10", "token *** of v *** of 10"),
        ("http://proxy:3128", "proxy:3128", "proxy:3128"),
    ],
)
@pytest.mark.parametrize("place", ["argument", "AWS_ENDPOINT_URL_S3", "https_proxy"])
def test_secrets_of_addresses_are_redacted(
    monkeypatch: pytest.MonkeyPatch, place: str, address: str, text: str, expected: str
) -> None:
    """A password goes in every encoding; users, parts and short secrets, where they are words."""
    if place != "argument":
        monkeypatch.setenv(place, address)
    assert redact(text, [address] if place == "argument" else []) == expected


BASE64 = string.ascii_letters + string.digits + "+/"
SHAPES: dict[str, tuple[str, int]] = {
    "secret access key": (BASE64, 40),
    "session token": (BASE64, 356),
    "encoded message": (string.ascii_letters + string.digits + "-_", 412),
    "signature": ("0123456789abcdef", 64),
}
CONTEXTS = [
    "{}",
    "'{}'",
    "The key {}, of arn:aws:iam::111122223333:role/reader, is wrong.",
    'printed {{"SecretAccessKey": "{}", "Version": 1}}',
    "x-amz-security-token:{} host:ec2.amazonaws.com",
    "Encoded authorization failure message: {}",
    "Signature={}",
    "Authorization: Bearer {}",
]


@given(st.integers(0, 2**32), st.sampled_from([*SHAPES]), st.sampled_from(CONTEXTS))
def test_random_secrets_never_appear(seed: int, shape: str, context: str) -> None:
    """Law: no key, token, encoded message or signature stays, wherever it is in a text."""
    alphabet, length = SHAPES[shape]
    secret = "".join(Random(seed).choices(alphabet, k=length))
    text = redact(context.format(secret))
    assert secret not in text
    assert "***" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"SecretAccessKey":"MyOwnSecretKeyOfWordsAlone","Version":1}', '"***","Version":1}'),
        ("aws_secret_access_key = MyOwnSecretKeyOfWordsAlone", "aws_secret_access_key = ***"),
        ("password=hunter2 is wrong", "password=*** is wrong"),
        ('{"password": "hunter2"}', '{"password": "***"}'),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2ln", "***"),
        ("Signature expired: 20260115T120000Z", "Signature expired: 20260115T120000Z"),
        ("the session token: it has expired", "the session token: it has expired"),
    ],
)
def test_a_secret_is_known_by_its_name(text: str, expected: str) -> None:
    """Whatever follows the name of a secret is removed, also if it consists of words."""
    assert redact(text).endswith(expected)


ROLE = "AWSReservedSSO_WindowsFleetAdministratorAccess_0123456789abcdef"
PUBLIC = [
    f"arn:aws:sts::111122223333:assumed-role/{ROLE}/a.very.long.name-of-a-person@example.com",
    f"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-central-1/{ROLE}",
    "arn:aws:organizations::111122223333:policy/o-a1b2c3d4e5/service_control_policy/p-f6g7h8i9",
    "arn:aws-us-gov:iam::111122223333:instance-profile/x0/EC2x9FastzLaunch7q-" + "Kq7x" * 20,
    "arn:aws:kms:eu-west-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef",
    "policy/o-exampleorganization/service_control_policy/p-examplepolicynumber111",
    "MyCompanyProductionWindowsFleetBuilderXL",
    "/var/run/secrets/eks/amazonaws/com/serviceaccount/token/of/the/reader",
    "0123456789abcdef0123456789abcdef01234567",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_names_stay(name: str) -> None:
    """ARNs, principals, policies, profiles, paths and ids of any length are no secrets."""
    text = f"User: {name} is not authorized (policy '{name}')"
    assert redact(text) == text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EOFError(), "EOFError"),
        (OSError(2, "No such file", "/a/token"), "OSError: [Errno 2] No such file: '/a/token'"),
        (ValueError("AKIAIOSFODNN7EXAMPLE\nagain"), "ValueError: *** again"),
    ],
)
def test_any_exception_has_a_text(error: Exception, expected: str) -> None:
    """The text of an exception has its type, so it is never empty, and has no secret."""
    assert describe_exception(error).replace("FileNotFoundError", "OSError") == expected


# --- warnings -------------------------------------------------------------------------


def enrich_without_snapshots(demo: Demo) -> None:
    """Enrich images whose snapshots may not be read."""
    images = fl.describe(region=REGION)
    with deny_operations("DescribeSnapshots"):
        fl.enrich(images, "ami", "snapshots")


WARNING: dict[str, Callable[[Demo], Any]] = {
    "describe": lambda _: fl.describe(region=REGION, filters=UNKNOWN_STATE),
    "sweep": lambda _: fl.sweep(regions=REGION, filters=UNKNOWN_STATE),
    "two targets": lambda _: fl.sweep(
        fl.targets(profiles=["default", "build-farm"]), regions=REGION
    ),
    "enrich": enrich_without_snapshots,
    "from_events": lambda _: fl.from_events([make_event(1), OTHER_EVENT]),
}


@pytest.mark.parametrize("call", WARNING.values(), ids=WARNING)
def test_a_warning_is_about_the_line_that_called(call: Callable[[Demo], Any], demo: Demo) -> None:
    """A warning names the file of the caller, from any depth in the toolkit."""
    with pytest.warns(fl.FastLaunchWarning) as caught:
        call(demo)
    assert [warning.filename for warning in caught] == [__file__]
