"""Remedies: each fits the code and the text of an error, and what fits none gets none."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.error_translation import translate_botocore_errors
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.aws.remedies import REMEDIES, collect_facts, find_remedy, give_advice
from tests.helpers.cases import some
from tests.helpers.fake_aws import Request, build_response, open_sessions, run_fake_aws
from tests.helpers.samples import REGION
from tests.helpers.tls import serve_tls, write_certificate

CALLER = "arn:aws:sts::111122223333:assumed-role/WindowsFleetReader/carol"
SCP = "arn:aws:organizations::999988887777:policy/o-fleet1234/service_control_policy/p-nofast99"
BOUNDARY = "arn:aws:iam::111122223333:policy/limits/DevelopersMayNotLook"
ACTION = "ec2:DescribeFastLaunchImages"


def deny(action: str, reason: str) -> str:
    """Return the text of a denial."""
    return f"User: {CALLER} is not authorized to perform: {action} {reason}"


def format_error(request: Request, code: str, text: str) -> bytes:
    """Return an error response in the form of the service of a request."""
    if request.service in ("kms", "servicequotas", "organizations"):
        return build_response(json.dumps({"__type": code, "message": text}), 400)
    error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    if request.service == "s3":
        return build_response(error, 403)
    if request.service == "ec2":
        error = f"<Errors>{error}</Errors>"
        return build_response(f"<Response>{error}<RequestID>r-9</RequestID></Response>", 403)
    return build_response(f"<ErrorResponse>{error}<RequestId>r-9</RequestId></ErrorResponse>", 403)


def read_ec2(session: boto3.Session) -> None:
    """Read Fast Launch images."""
    fl.describe(session)


def read_kms(session: boto3.Session) -> None:
    """List the grants of a key, by a service that answers in JSON."""
    client = RegionClient(AccountSession(session), REGION)
    list(client.iter_items("kms", "ListGrants", "Grants", {"KeyId": "k"}))


def assume_role(session: boto3.Session) -> None:
    """Assume a role."""
    AccountSession(session).assume_role("444455556666", "Reader", None)


def list_bucket(session: boto3.Session) -> None:
    """List a bucket, as the store on S3 does."""
    with translate_botocore_errors("ListObjectsV2", REGION, session, service="s3"):
        session.client("s3").list_objects_v2(Bucket="bucket", Prefix="store/")


def catch_error(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[boto3.Session], None], code: str, text: str
) -> fl.ReadError:
    """Return the error of a read that a fake AWS answers with a code and a text."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # retries would wait
    [session] = open_sessions(1)

    def answer(request: Request) -> bytes:
        return format_error(request, code, text)

    with run_fake_aws(answer, answer), pytest.raises(fl.ReadError) as caught:
        read(session)
    return caught.value


# --- denials --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "policy", "advice"),
    [
        (
            f"with an explicit deny in a service control policy: {SCP}",
            f"service control policy {SCP}",
            "manage the organization's policies",
        ),
        (
            "because no resource control policy allows the action",
            "the resource control policy",
            "manage the organization's policies",
        ),
        (
            f"with an explicit deny in a permissions boundary: {BOUNDARY}",
            f"permissions boundary {BOUNDARY}",
            "set the permissions boundary",
        ),
        (
            f"because no permissions boundary allows the {ACTION} action",
            "the permissions boundary",
            "set the permissions boundary",
        ),
        ("with an explicit deny in a session policy", "the session policy", "Assume the role"),
        ("because no VPC endpoint policy allows it", "VPC endpoint policy", "manage the VPC"),
        ("with an explicit deny in a resource-based policy", "resource-based", "own the resource"),
        ("with an explicit deny in an identity-based policy", "identity-based", "Deny statement"),
    ],
)
@pytest.mark.parametrize("is_long", [False, True])
def test_a_denial_names_the_caller_and_the_policy(
    monkeypatch: pytest.MonkeyPatch, reason: str, policy: str, advice: str, is_long: bool
) -> None:
    """A denial that no allowance can lift says so: who is denied what by which policy.

    It does so wherever in a long answer the policy is.
    """
    filler = "on resource: " + "arn:aws:ec2:us-east-1::image/ami-0123456789abcdef0 " * 20
    error = catch_error(
        monkeypatch, read_ec2, "UnauthorizedOperation", deny(ACTION, f"{filler * is_long}{reason}")
    )
    assert f"does not let {CALLER} call {ACTION}. " in error.remedy
    assert policy in error.remedy
    assert advice in error.remedy
    assert "cannot help" in error.remedy
    assert "Allow the IAM action" not in str(error)
    assert "***" not in str(error)
    assert error.message.endswith("…") is is_long


def test_an_explicit_deny_without_a_policy_is_no_missing_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An explicit deny of an unknown policy leads to Deny statements, and names the caller."""
    text = deny("kms:ListGrants", "with an explicit deny")
    error = catch_error(monkeypatch, read_kms, "AccessDeniedException", text)
    assert f"find the Deny statement that fits {CALLER}" in error.remedy


@pytest.mark.parametrize(
    ("read", "code", "reason", "advice"),
    [
        (read_ec2, "UnauthorizedOperation", "", f"Allow the IAM action {ACTION}."),
        (read_kms, "AccessDeniedException", "", "Allow the IAM action kms:ListGrants."),
        (read_kms, "AccessDeniedException", "because no resource-based policy allows it", "policy"),
        (assume_role, "AccessDenied", "", "Allow the IAM action sts:AssumeRole. The role must"),
        (list_bucket, "AccessDenied", "", "s3:ListBucket on the bucket and"),
    ],
)
def test_a_missing_permission_names_the_action(
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[boto3.Session], None],
    code: str,
    reason: str,
    advice: str,
) -> None:
    """Where allowing an action helps, the remedy names the action, in every kind of service."""
    actions = [(read_ec2, ACTION), (read_kms, "kms:ListGrants"), (assume_role, "sts:AssumeRole")]
    [action] = [name for it, name in actions if it is read] or ["s3:ListBucket"]
    error = catch_error(monkeypatch, read, code, deny(action, reason))
    assert advice in error.remedy
    assert (error.code, "cannot help" in error.remedy) == (code, False)


# --- clocks, credentials and limits ---------------------------------------------------

CLOCK = "Set this machine's clock"
RENEW = "The credentials have expired: "
UNKNOWN = "The credentials are not known to AWS"
LIMIT = "AWS is throttling or busy"


@pytest.mark.parametrize(
    ("read", "code", "text", "advice"),
    [
        (assume_role, "SignatureDoesNotMatch", "Signature expired: 1 is before 2", CLOCK),
        (assume_role, "SignatureDoesNotMatch", "Signature not yet current: 3 is after 2", CLOCK),
        (read_kms, "InvalidSignatureException", "Signature expired: 1 is before 2", CLOCK),
        (list_bucket, "RequestTimeTooSkewed", "too far apart", CLOCK),
        (read_ec2, "AuthFailure", "could not validate", "this machine's clock is wrong"),
        (read_ec2, "RequestExpired", "is old", "If they are new, check this machine's clock"),
        (read_ec2, "RequestExpired", "is old", RENEW),
        (assume_role, "ExpiredToken", "is old", RENEW),
        (read_kms, "ExpiredTokenException", "is old", RENEW),
        (list_bucket, "TokenRefreshRequired", "is old", RENEW),
        (read_kms, "OddException", "The security token has expired.", RENEW),
        (assume_role, "InvalidClientTokenId", "is not valid", UNKNOWN),
        (read_kms, "UnrecognizedClientException", "is not valid", UNKNOWN),
        (list_bucket, "InvalidAccessKeyId", "is not there", UNKNOWN),
        (list_bucket, "InvalidToken", "is malformed", "Copy access key, secret key and session"),
        (assume_role, "SignatureDoesNotMatch", "does not match", "The secret key does not fit"),
        (read_kms, "InvalidSignatureException", "does not match", "The secret key does not fit"),
        (read_kms, "IncompleteSignatureException", "lacks a part", "The secret key does not fit"),
        (read_ec2, "RequestLimitExceeded", "slower", LIMIT),
        (read_ec2, "Client.RequestLimitExceeded", "slower", LIMIT),
        (read_ec2, "EC2ThrottledException", "slower", LIMIT),
        (assume_role, "Throttling", "slower", LIMIT),
        (read_kms, "ThrottlingException", "slower", LIMIT),
        (read_kms, "TooManyRequestsException", "slower", LIMIT),
        (read_kms, "OddException", "Rate exceeded", LIMIT),
        (list_bucket, "SlowDown", "slower", LIMIT),
        (read_ec2, "InternalError", "oops", LIMIT),
        (list_bucket, "NoSuchBucket", "none", "Create the bucket first"),
        (list_bucket, "PermanentRedirect", "elsewhere", "Use the region of the bucket"),
        (list_bucket, "KMS.DisabledException", "disabled", "the KMS key of the bucket is enabled"),
        (read_ec2, "InvalidNextToken", "The token has expired.", "read again from the start"),
        (read_ec2, "Blocked", "no longer", "AWS Support"),
        (read_ec2, "OptInRequired", "not yet", "Enable the region or service"),
    ],
)
def test_one_cause_has_one_remedy_under_all_its_names(
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[boto3.Session], None],
    code: str,
    text: str,
    advice: str,
) -> None:
    """A wrong clock, old or wrong credentials, a limit: each service has other codes for it."""
    error = catch_error(monkeypatch, read, code, text)
    assert error.code == code
    assert advice in error.remedy
    assert error.remedy in str(error)


@pytest.mark.parametrize(
    ("code", "text", "operation", "service"),
    [
        ("SomethingNew", "Signature of the contract is missing", "DescribeImages", "ec2"),
        ("InvalidParameterValue", "no", "DescribeImages", "ec2"),
        ("NoSuchKey", "no", "GetObject", "s3"),
        ("PermanentRedirect", "no", "DescribeImages", "ec2"),
        ("AccessDeniedForAReason", "no", "DescribeImages", "ec2"),
        ("", "", "", ""),
    ],
)
def test_an_unknown_error_has_no_remedy(code: str, text: str, operation: str, service: str) -> None:
    """Advice that may be wrong is worse than none."""
    assert find_remedy(code, text, operation=operation, service=service) is None
    assert give_advice(code, text, operation=operation, service=service) == ""


@pytest.mark.parametrize(
    ("operation", "code", "advice"),
    [
        ("AssumeRoleWithWebIdentity", "AccessDenied", "the issuer, the audience and the subject"),
        ("AssumeRoleWithWebIdentity", "ExpiredTokenException", "Get a new token into the file"),
        ("AssumeRoleWithWebIdentity", "InvalidIdentityToken", "the token's issuer"),
        ("GetRoleCredentials", "ForbiddenException", "sso_role_name of the profile"),
        ("ListAccounts", "AccessDeniedException", "management account"),
    ],
)
def test_an_operation_may_have_a_remedy_of_its_own(operation: str, code: str, advice: str) -> None:
    """The same code has another cause where another operation was called."""
    services = {"ListAccounts": "organizations", "GetRoleCredentials": "sso"}
    service = services.get(operation, "sts")
    assert advice in give_advice(code, "no", operation=operation, service=service)


def test_a_wrong_mfa_code_is_no_missing_permission() -> None:
    """STS denies a role for a wrong code of the MFA device under the code of a denial."""
    text = "MultiFactorAuthentication failed with invalid MFA one time pass code."
    advice = give_advice("AccessDenied", text, operation="AssumeRole", service="sts")
    assert advice == "Wait for the next code of the device, and enter it once."


# --- TLS and the network --------------------------------------------------------------


def catch_network_error(monkeypatch: pytest.MonkeyPatch, address: str) -> fl.ReadError:
    """Return the error of a read from an address."""
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "*",
    }.items():
        monkeypatch.setenv(name, value)
    [session] = open_sessions(1)
    with pytest.raises(fl.ReadError) as caught:
        fl.describe(session)
    return caught.value


@pytest.mark.parametrize(
    ("certificate", "bundle", "advice"),
    [
        ({}, None, "Ask whoever runs the proxy for the certificates of its CA as a PEM file"),
        ({}, "gone.pem", "Set AWS_CA_BUNDLE (or ca_bundle in the profile) to a PEM file"),
        ({}, "der.pem", "lines that begin with -----BEGIN CERTIFICATE-----"),
        ({"address": "127.0.0.2"}, "proxy.pem", "where the name of the host leads"),
        ({"days": -1}, "proxy.pem", "Check this machine's clock first"),
        (None, None, "Use http:// instead of https://"),
    ],
)
def test_tls_that_fails_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    certificate: dict[str, Any] | None,
    bundle: str | None,
    advice: str,
) -> None:
    """A CA of a proxy, a file that is none, a wrong name or time: each has its own remedy.

    The message names the file of CAs that counts.
    """
    (tmp_path / "der.pem").write_text("not base64")
    file = None if certificate is None else write_certificate(tmp_path, **certificate)
    if bundle:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / bundle))
    with serve_tls(file) as address:
        error = catch_network_error(monkeypatch, address)
    assert error.code == "SSLError"
    assert advice in error.remedy
    assert f"the file of CAs is '{tmp_path / bundle if bundle else ''}" in error.message


def test_a_proxy_that_is_down_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the proxy does not answer, the remedy names its variables."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(fl.ReadError, match="HTTPS_PROXY and HTTP_PROXY, and NO_PROXY") as caught:
        fl.describe(open_sessions(1)[0])
    assert caught.value.code == "ProxyConnectionError"


# --- the table ------------------------------------------------------------------------


def test_each_entry_can_be_found() -> None:
    """No entry is hidden behind one before it."""
    for entry in some(REMEDIES):
        code = entry.codes[0].replace("*", "X")
        found = find_remedy(
            code,
            *entry.phrases[:1],
            operation=next(iter(entry.operations), "Read"),
            service=next(iter(entry.services), "ec2"),
        )
        assert found is entry


def test_each_sentence_can_be_filled_in() -> None:
    """Every name in braces has a value, and every sentence is complete."""
    facts = collect_facts()
    for entry in some(REMEDIES):
        names = {name for _, name, _, _ in string.Formatter().parse(entry.why + entry.advice)}
        assert names - {None} <= set(facts)
        assert entry.advice.endswith(".")
        assert entry.why.endswith(".") is not entry.is_local
