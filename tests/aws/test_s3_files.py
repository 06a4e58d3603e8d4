"""Files on S3: an error has the remedy of its code and text, for the profile that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.s3_files import S3Files
from fastlaunch_nb.aws.targets import Target
from tests.helpers.fake_aws import build_response, run_fake_aws

SCP = "arn:aws:organizations::999988887777:policy/o-fleet1234/service_control_policy/p-nobucket"
PROFILE = (
    "[profile Team]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = secret\n"
    "region = us-east-1\n"
)


def catch_error(folder: Path, code: str, text: str) -> fl.ReadError:
    """Return the error of a listing that S3 refuses."""
    (folder / "config").write_text(PROFILE)
    answer = build_response(f"<Error><Code>{code}</Code><Message>{text}</Message></Error>", 403)
    with run_fake_aws(lambda _: answer), pytest.raises(fl.ReadError) as caught:
        S3Files("bucket", Target("Team"), connections=1).list("store/")
    return caught.value


def test_a_denial_by_the_organization_names_its_policy(tmp_path: Path) -> None:
    """A bucket that the organization forbids needs no other action to be allowed."""
    text = (
        "User: arn:aws:iam::111122223333:user/carol is not authorized to perform: s3:ListBucket "
        f"with an explicit deny in a service control policy: {SCP}"
    )
    error = catch_error(tmp_path, "AccessDenied", text)
    assert f"service control policy {SCP} does not let arn:aws:iam::" in error.remedy
    assert "It takes s3:" not in error.remedy


def test_expired_credentials_are_those_of_the_profile(tmp_path: Path) -> None:
    """The remedy names the profile that the store is opened with."""
    error = catch_error(tmp_path, "ExpiredToken", "The provided token has expired.")
    assert "run `aws sso login --profile Team`" in error.remedy
