"""Errors of botocore become errors of ours that name the request, the answer and a remedy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.awsrequest import AWSResponse

import fastlaunch_nb as fl
from tests.helpers.samples import REGION

SSO_PROFILE = (
    "[profile work]\nsso_start_url = https://example.com/start\nsso_region = us-east-1\n"
    "sso_account_id = 123456789012\nsso_role_name = reader\nregion = us-east-1\n"
)
DATE = "Thu, 15 Jan 2026 12:00:00 GMT"


class RawBody(io.BytesIO):
    """The body of a response, as botocore reads it."""

    def stream(self, **_: object) -> list[bytes]:
        """Return the whole body as one chunk."""
        return [self.read()]


def raise_for_every_call(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Make every call of a client raise an error."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", fail)


def client_error(
    code: str, message: str = "no", operation: str = "DescribeFastLaunchImages"
) -> botocore.exceptions.ClientError:
    """Return botocore's exception for an error response of AWS."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"RequestId": "11112222-3333", "HTTPHeaders": {"date": DATE}},
    }
    return botocore.exceptions.ClientError(response, operation)


def session_with_keys() -> boto3.Session:
    """Return a session that needs no configuration."""
    return boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")


# --- error responses of AWS -----------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_denied_read_has_all_fields(monkeypatch: pytest.MonkeyPatch, dry_run: bool) -> None:
    """A denied read, or dry run, has the request, the answer and the IAM action to allow."""
    raise_for_every_call(monkeypatch, client_error("UnauthorizedOperation", "You may not"))
    with pytest.raises(fl.ReadError) as caught:
        fl.describe(region=REGION, dry_run=dry_run)
    assert vars(caught.value) == {
        "message": "You may not",
        "code": "UnauthorizedOperation",
        "operation": "DescribeFastLaunchImages",
        "failed_operation": "DescribeFastLaunchImages",
        "region": REGION,
        "request_id": "11112222-3333",
        "remedy": "Allow the IAM action ec2:DescribeFastLaunchImages.",
        "date": DATE,
    }
    assert str(caught.value) == (
        "DescribeFastLaunchImages in us-east-1: AWS answered UnauthorizedOperation (request "
        "11112222-3333): You may not. Allow the IAM action ec2:DescribeFastLaunchImages."
    )


def test_a_denied_role_has_its_own_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a role for the read cannot be assumed, the remedy names sts:AssumeRole."""
    raise_for_every_call(monkeypatch, client_error("AccessDenied", operation="AssumeRole"))
    with pytest.raises(fl.ReadError, match=r"AccessDenied to AssumeRole \(request 1111") as caught:
        fl.describe(region=REGION)
    error = caught.value
    assert (error.operation, error.failed_operation) == ("DescribeFastLaunchImages", "AssumeRole")
    assert error.remedy.startswith("Allow the IAM action sts:AssumeRole. The role must exist")


def test_an_unknown_error_has_no_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no remedy is known, the error has none, and its text ends with AWS's message."""
    raise_for_every_call(monkeypatch, client_error("SomethingNew", "What now?"))
    with pytest.raises(fl.ReadError, match=r"answered SomethingNew \(.*\): What now\?$") as caught:
        fl.describe(region=REGION)
    assert caught.value.remedy == ""


def test_a_bad_token_has_a_remedy(ec2: Any) -> None:
    """For a token that EC2 does not know, the remedy is to read from the start."""
    with pytest.raises(fl.ReadError, match="without starting_token") as caught:
        fl.describe(starting_token="bogus")
    assert caught.value.code == "InvalidNextToken"


def test_no_secret_reaches_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, tokens and signatures in AWS's message are removed, from the cause as well."""
    secrets = ["AKIAIOSFODNN7EXAMPLE", "Signature=f00dfeed", "A" * 80, "hunter2", "Tok/en"]
    message = (
        f"{' '.join(secrets[:3])} http://me:hunter2@127.0.0.1 Invalid header value b'Tok/en\\n1'"
    )
    raise_for_every_call(monkeypatch, client_error("SignatureDoesNotMatch", message))
    with pytest.raises(fl.ReadError) as caught:
        fl.describe(region=REGION)
    text = f"{caught.value} {vars(caught.value)} {caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__
    assert [secret for secret in secrets if secret in text] == []


# --- responses that are not from AWS --------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"<html><body>Sign in<br></body></html>", "ParseError: mismatched tag"),
        (200, b"<html></html>", "the response has only "),
        (407, b"<html>proxy</html>", "no error code for DescribeFastLaunchImages"),
    ],
)
def test_a_page_of_a_proxy_is_an_error(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, reason: str
) -> None:
    """A page of a proxy or a hotel is an error that does not quote it, and not an empty fleet."""

    def respond(*_: object, **__: object) -> AWSResponse:
        return AWSResponse("http://127.0.0.1", status, {}, RawBody(body))

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", respond)
    with pytest.raises(fl.ReadError, match="the response is not from AWS") as caught:
        fl.describe(session_with_keys(), region=REGION)
    assert caught.value.code == "ResponseParserError"
    assert reason in caught.value.message
    assert "check the proxy" in caught.value.remedy
    assert "<" not in str(caught.value)


# --- errors without a response --------------------------------------------------------


def test_an_unreachable_endpoint_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a response, the code is the name of botocore's exception."""
    error = botocore.exceptions.EndpointConnectionError(endpoint_url="there")
    raise_for_every_call(monkeypatch, error)
    with pytest.raises(fl.ReadError) as caught:
        fl.describe(region=REGION)
    assert caught.value.code == "EndpointConnectionError"
    assert caught.value.request_id is None
    assert str(caught.value) == (
        "DescribeFastLaunchImages in us-east-1: EndpointConnectionError: Could not connect to the "
        'endpoint URL: "there". Check the network, the proxy and the region\'s name.'
    )


def test_missing_credentials_have_a_remedy() -> None:
    """Without credentials the message names three ways to provide them, and the demo."""
    with pytest.raises(
        fl.SetupError, match=r"profile_name=.*AWS_PROFILE.*aws configure`.*fastlaunch_nb\.demo\(\)"
    ):
        fl.describe(region=REGION)


def test_an_expired_sso_login_names_the_command(tmp_path: Path) -> None:
    """For an SSO login that is missing or has expired, the message has the command to renew it."""
    (tmp_path / "config").write_text(SSO_PROFILE)
    with pytest.raises(fl.SetupError, match="run `aws sso login --profile work`"):
        fl.describe(boto3.Session(profile_name="work"))


def test_a_login_behind_a_role_names_its_profile(tmp_path: Path) -> None:
    """If a role takes its credentials from an SSO profile, the command names that profile."""
    (tmp_path / "config").write_text(
        f"{SSO_PROFILE}[profile outer]\nrole_arn = arn:aws:iam::111122223333:role/reader\n"
        "source_profile = work\nregion = us-east-1\n"
    )
    with pytest.raises(fl.SetupError, match="aws sso login --profile work"):
        fl.describe(boto3.Session(profile_name="outer"))


def test_an_expired_console_login_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login other than SSO has another command."""
    raise_for_every_call(monkeypatch, botocore.exceptions.LoginError())
    with pytest.raises(fl.SetupError, match="run `aws login --profile default`"):
        fl.describe(region=REGION)


def test_an_unknown_profile_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a profile that does not exist, the message has the command that lists profiles."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(fl.SetupError, match="list-profiles"):
        fl.describe(region=REGION)


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_ENDPOINT_URL", "localhost:5001"), ("AWS_MAX_ATTEMPTS", "x"), ("AWS_RETRY_MODE", "nope")],
)
def test_an_invalid_setting_is_a_setup_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A variable that botocore cannot read is quoted in a SetupError."""
    monkeypatch.setenv(name, value)
    with pytest.raises(fl.SetupError, match=f"cannot be used: .*{value}"):
        fl.describe(session_with_keys(), region=REGION)


def test_a_malformed_configuration_is_a_setup_error(tmp_path: Path) -> None:
    """A configuration file that cannot be parsed is a SetupError."""
    (tmp_path / "config").write_text("this is no configuration")
    with pytest.raises(fl.SetupError, match="configuration cannot be used"):
        fl.describe(region=REGION)
