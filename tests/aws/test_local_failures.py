"""Failures on this machine: each names the program, file, variable or profile, and a remedy."""

from __future__ import annotations

import getpass
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions as failures
import pytest
from botocore.credentials import AssumeRoleProvider
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import StdinNotImplementedError

import fastlaunch_nb as fl
from fastlaunch_nb.aws.error_translation import translate_botocore_errors
from fastlaunch_nb.aws.local_failures import quote_name
from tests.helpers.fake_aws import build_response, run_fake_aws
from tests.helpers.samples import REGION

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SERIAL = "arn:aws:iam::111122223333:mfa/carol"


def catch_failure(profile: str | None = None) -> str:
    """Return the text of the SetupError that a read with a profile raises."""
    with pytest.raises(fl.SetupError) as caught:
        fl.describe(boto3.Session(profile_name=profile) if profile else None, region=REGION)
    assert caught.value.__suppress_context__
    return str(caught.value)


# --- credential_process ---------------------------------------------------------------


def write_program(folder: Path, script: str) -> str:
    """Write a program into the configuration as credential_process; return its name there."""
    file = folder / "get keys.py"
    file.write_text(script)
    (folder / "config").write_text(
        f'[profile build]\ncredential_process = "{sys.executable}" -S -E "{file}" --for {SECRET}\n'
        "[profile outer]\nrole_arn = arn:aws:iam::111122223333:role/reader\n"
        "source_profile = build\n"
    )
    return repr(sys.executable)


FAILS = "import sys; sys.stderr.write('Run the login of our company first.\\n'); sys.exit(1)"
OLD = {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": SECRET, "SessionToken": "t"}
OLD["Expiration"] = "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (FAILS, "failed: Run the login of our company first."),
        ("import sys; sys.exit(3)", "failed: it wrote nothing to stderr"),
        (f"import sys; sys.exit('SecretAccessKey={SECRET} is bad')", "SecretAccessKey=*** is bad"),
        ("import sys; sys.stderr.buffer.write(b'\\xe9'); sys.exit(1)", "no credentials in the"),
        (f"print('key: {SECRET}')", "no credentials in the form that boto3 reads"),
        (f"print('[\"{SECRET}\"]')", "no credentials in the form that boto3 reads"),
        ("print('{\"Version\": 2}')", "Unsupported version '2'"),
        (f"print({json.dumps(json.dumps(OLD))})", "printed credentials that have expired"),
    ],
)
@pytest.mark.parametrize("profile", ["build", "outer"])
def test_a_program_is_named_and_quoted(
    tmp_path: Path, script: str, reason: str, profile: str
) -> None:
    """Where credential_process fails, the message names it and has its words on stderr.

    It has neither its arguments nor its output, which may be secrets.
    """
    program = write_program(tmp_path, script)
    text = catch_failure(profile)
    assert f"the program {program}, credential_process of profile 'build'," in text
    assert reason in text
    assert "Run that program in a terminal" in text
    assert SECRET not in text


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A program that cannot be started is named as well."""
    (tmp_path / "config").write_text("[default]\ncredential_process = no-such-program --now\n")
    text = catch_failure()
    assert "the program 'no-such-program', credential_process of profile 'default'," in text
    assert "cannot be run: No such file or directory" in text


# --- files of tokens ------------------------------------------------------------------


def name_in_variable(monkeypatch: pytest.MonkeyPatch, folder: Path, path: str) -> None:
    """Name a token file in the variable for it."""
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/reader")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path)


def name_in_profile(monkeypatch: pytest.MonkeyPatch, folder: Path, path: str) -> None:
    """Name a token file in the profile."""
    (folder / "config").write_text(
        "[default]\nrole_arn = arn:aws:iam::111122223333:role/reader\n"
        f"web_identity_token_file = {path}\n"
    )


def name_for_container(monkeypatch: pytest.MonkeyPatch, folder: Path, path: str) -> None:
    """Name a token file for the credentials of a container."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/keys")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path)


@pytest.mark.parametrize(
    ("give_name", "variable"),
    [
        (name_in_variable, "the variable AWS_WEB_IDENTITY_TOKEN_FILE"),
        (name_in_profile, "web_identity_token_file of profile"),
        (name_for_container, "the variable AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    ],
)
def test_a_token_file_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    give_name: Callable[[pytest.MonkeyPatch, Path, str], None],
    variable: str,
) -> None:
    """The message names the file and the variable or setting that names it."""
    path = str(tmp_path / "var" / "token")
    give_name(monkeypatch, tmp_path, path)
    text = catch_failure()
    assert f"the file {path!r}, which {variable}" in text
    assert "cannot be read: No such file or directory" in text
    assert "Write the token into that file" in text


def test_a_failed_scan_has_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The row of a coverage has the same message, for each region."""
    name_in_variable(monkeypatch, tmp_path, str(tmp_path / "token"))
    swept = fl.sweep(regions=["us-east-1", "eu-west-1"], progress=False)
    messages = swept.failures["error_message"].tolist()
    assert len(messages) == 2
    assert {"which the variable AWS_WEB_IDENTITY_TOKEN_FILE names" in it for it in messages} == {
        True
    }


# --- MFA ------------------------------------------------------------------------------


def write_mfa_profile(folder: Path) -> None:
    """Write a profile whose role needs a code of an MFA device."""
    (folder / "config").write_text(
        f"[profile base]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = {SECRET}\n"
        "[profile mfa]\nrole_arn = arn:aws:iam::111122223333:role/reader\n"
        f"source_profile = base\nmfa_serial = {SERIAL}\n"
    )


def raise_error(error: Exception) -> Callable[[str], str]:
    """Return a prompt that raises an error."""

    def prompt(_: str) -> str:
        raise error

    return prompt


@pytest.mark.parametrize(
    "error",
    [EOFError(), StdinNotImplementedError("no input here")],
    ids=lambda it: type(it).__name__,
)
def test_a_code_that_nobody_can_enter_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    """Without a terminal, or in Voila and papermill, the message names the device and a way out."""
    write_mfa_profile(tmp_path)
    initialize: Any = AssumeRoleProvider.__init__
    defaults = tuple(
        raise_error(error) if it is getpass.getpass else it for it in initialize.__defaults__
    )
    monkeypatch.setattr(initialize, "__defaults__", defaults)
    text = catch_failure("mfa")
    assert f"nobody can enter the code of the MFA device {SERIAL}: this process has no" in text
    assert "aws sts get-session-token" in text


@pytest.mark.deep
def test_cron_has_nobody_to_enter_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command without a terminal prints one line about the code, and no traceback."""
    write_mfa_profile(tmp_path)
    command = [sys.executable, "-m", "fastlaunch_nb", "show", "--profile", "mfa"]
    done = subprocess.run(
        [*command, "--region", REGION],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"nobody can enter the code of the MFA device {SERIAL}: this process" in done.stderr
    assert "Traceback" not in done.stderr


# --- configuration --------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_byte_order_mark_is_named(tmp_path: Path, name: str, encoding: str) -> None:
    """A file that PowerShell or Notepad has saved with a byte order mark says so."""
    (tmp_path / name).write_text("[default]\nregion = us-east-1\n", encoding)
    text = catch_failure()
    assert f"{tmp_path / name} begins with a byte order mark of UTF-" in text
    assert "Save the file as UTF-8 without a byte order mark" in text


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"aws_secret_access_key = {SECRET}\n", "line 1 of "),
        (f"[default]\nregion = us-east-1\n{SECRET}\n", "line 3 of "),
        ("[default]\nregion = us-east-1\n[default]\n", "line 3 of "),
        (f"[default]\ns3 =\n  {SECRET}\n", ""),
    ],
)
def test_a_line_that_cannot_be_parsed_is_counted_and_not_quoted(
    tmp_path: Path, content: str, line: str
) -> None:
    """The message has the file and the number of the line, as its content may be a secret."""
    (tmp_path / "credentials").write_text(content)
    text = catch_failure()
    assert f"{line}{tmp_path / 'credentials'} cannot be parsed" in text
    assert "[profile NAME]" in text
    assert SECRET not in text


# --- other exceptions -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failures.RefreshWithMFAUnsupportedError(), "Open a new session"),
        (failures.NoRegionError(), "Pass region="),
        (failures.MissingDependencyException(msg="crt"), 'pip install "botocore[crt]"'),
        (failures.LoginInsufficientPermissions(), "signin:CreateOAuth2Token"),
        (failures.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]), "Correct"),
        (failures.InvalidRegionError(region_name="a b"), "Correct the setting"),
        (failures.UnknownServiceError(service_name="ec3", known_service_names=[]), "ec3"),
        (PermissionError(13, "Permission denied", "/etc/keys"), "the file '/etc/keys' cannot be"),
        (OSError(), "GetIt: OSError."),
        (EOFError(), "nobody can enter the code of the MFA device: this process"),
        (json.JSONDecodeError("no", "x", 0), "not from AWS"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "not from AWS"),
    ],
)
def test_no_bare_exception_reaches_a_user(error: Exception, expected: str) -> None:
    """Whatever the system or botocore raises is an error of ours, with a text."""
    with pytest.raises(fl.FastLaunchError) as caught, translate_botocore_errors("GetIt", None):
        raise error
    assert expected in str(caught.value)


def test_a_mistake_of_ours_stays_a_mistake() -> None:
    """An exception that neither AWS nor this machine has caused is not hidden."""
    with pytest.raises(RuntimeError, match="a mistake"), translate_botocore_errors("GetIt", None):
        raise RuntimeError("a mistake")


# --- profiles -------------------------------------------------------------------------

LOGIN = (
    "sso_start_url = https://example.com/start\nsso_region = us-east-1\n"
    "sso_account_id = 111122223333\nsso_role_name = reader\nregion = us-east-1\n"
)


def test_a_profile_with_spaces_is_quoted(tmp_path: Path) -> None:
    """The command to log in works as it stands in cmd, PowerShell and POSIX shells."""
    (tmp_path / "config").write_text(f'[profile "Team A"]\n{LOGIN}')
    assert 'run `aws sso login --profile "Team A"`' in catch_failure("Team A")


def test_a_profile_with_spaces_needs_quotes_in_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without quotes there, boto3 does not find the profile, and the message says why."""
    (tmp_path / "config").write_text(f"[profile Team A]\n{LOGIN}")
    monkeypatch.setenv("AWS_PROFILE", "Team A")
    text = catch_failure()
    assert "needs quotes there" in text
    assert "aws configure list-profiles" in text


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF), min_size=1))
def test_posix_shells_read_a_quoted_name(name: str) -> None:
    """Law: a shell reads the name that was quoted, whatever is in it."""
    assert shlex.split(f"--profile {quote_name(name)}") == ["--profile", name]


@pytest.mark.parametrize(
    ("settings", "variables", "renewal"),
    [
        (f"[default]\n{LOGIN}", {}, "expired: run `aws sso login --profile default`."),
        ("[default]\nlogin_session = x\n", {}, "expired: run `aws login --profile default`."),
        ("[default]\n", {"AWS_ACCESS_KEY_ID": "AKIA111122223333"}, "set AWS_ACCESS_KEY_ID,"),
        ("[default]\naws_access_key_id = AKIA111122223333\n", {}, "renew them; for a profile"),
    ],
)
def test_expired_credentials_are_renewed_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: str,
    variables: dict[str, str],
    renewal: str,
) -> None:
    """The remedy fits an SSO login, a console login, variables, or a profile with keys."""
    (tmp_path / "config").write_text(settings)
    keys = {"AWS_SECRET_ACCESS_KEY": SECRET} if variables else {}
    for name, value in (variables | keys).items():
        monkeypatch.setenv(name, value)
    own = {} if variables else {"aws_access_key_id": "AKIA111122223333"}
    session = boto3.Session(**own, **({"aws_secret_access_key": SECRET} if own else {}))
    if variables:
        session.get_credentials()
    error = "<Code>RequestExpired</Code><Message>old</Message>"
    body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>r</RequestID></Response>"
    with run_fake_aws(lambda _: build_response(body, 400)), pytest.raises(fl.ReadError) as caught:
        fl.describe(session, region=REGION)
    assert renewal in caught.value.remedy
