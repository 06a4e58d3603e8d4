"""Commands of findings: valid for the AWS CLI, safe to paste, and only for their account."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.rules import cli_commands
from tests.helpers.cases import some
from tests.helpers.rules import ACCOUNT, LIST_INSTANCES, OTHER, REGION, Case, make_arguments
from tests.helpers.samples import HOSTILE
from tests.rules.test_cost_rules import CASES as COST_CASES
from tests.rules.test_pool_rules import CASES as POOL_CASES
from tests.rules.test_setting_rules import CASES as SETTING_CASES
from tests.rules.test_state_rules import CASES as STATE_CASES

CASES = [*STATE_CASES, *POOL_CASES, *COST_CASES, *SETTING_CASES]
WITH_FINDINGS: list[Case] = [case for case in CASES if case.expected]


@cache
def list_commands() -> list[str]:
    """Return the different commands of all cases."""
    findings = fl.findings(**make_arguments(WITH_FINDINGS))
    return findings["command"].dropna().drop_duplicates().tolist()


def split_calls(command: str) -> list[list[str]]:
    """Return the words of each call of the AWS CLI in a command, as a shell splits it."""
    calls = []
    for part in command.split(" && "):
        words = shlex.split(part)
        calls.append(shlex.split(words[1][2:-1]) if words[0] == "test" else words)
    return calls


# --- what they call -------------------------------------------------------------------


def test_commands_are_valid() -> None:
    """Every command has an operation and parameters of AWS, down to the keys of their values."""
    session = botocore.session.Session()
    calls = [call for command in list_commands() for call in split_calls(command)]
    assert len(calls) > 2 * len(list_commands()) - 1
    models = {service: session.get_service_model(service) for _, service, *_ in calls}
    wrong = [
        (operation, option, key)
        for _, service, operation, *words in calls
        for option, key in list_keys(words)
        if key not in list_valid_keys(models[service], operation, option)
    ]
    assert wrong == []


def list_keys(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each option of a command with each key of its value, or with its own name."""
    for number, word in enumerate(words):
        if word.startswith("--") and word not in ("--region", "--query", "--output"):
            option = word[2:].partition("=")[0]
            value = [*words, ""][number + 1]
            pairs = [pair.split("=")[0] for pair in value.split(",") if "=" in pair]
            yield from ((option, key) for key in pairs or [option])


def list_valid_keys(model: Any, operation: str, option: str) -> set[str]:
    """Return the keys that AWS knows for an option, or its own name if it has no keys."""
    name = {"list-rules": "ListRules"}.get(
        operation, "".join(part.capitalize() for part in operation.split("-"))
    )
    members = model.operation_model(name).input_shape.members
    options = {botocore.xform_name(member, "-"): shape for member, shape in members.items()}
    if option not in options:
        return set()
    shape = getattr(options[option], "member", options[option])  # a list has the shape of its items
    return set(getattr(shape, "members", ())) or {option}


def test_only_some_commands_change_anything() -> None:
    """A command that deletes or disables reads again first; none enables, and none forces."""
    reads = ("describe-", "get-", "list-")
    changes: dict[str, set[str]] = {}
    for command in some(list_commands()):
        *before, (_, _, last, *_) = split_calls(command)
        if not last.startswith(reads):
            changes.setdefault(last, set()).add(" ".join(call[2] for call in before))
        assert "--force" not in command
    assert {
        name: {text.split(" delete-")[0] for text in texts} for name, texts in changes.items()
    } == {
        "delete-snapshot": {"get-caller-identity describe-fast-launch-images"},
        "disable-fast-launch": {"get-caller-identity describe-images"},
        "request-service-quota-increase": {"get-caller-identity"},
    }


# --- hostile text ---------------------------------------------------------------------


def test_hostile_text_makes_no_command() -> None:
    """A value that a shell might interpret makes no command, and evidence stays on one line."""
    hostile = f"{HOSTILE}'; rm -rf $(HOME) `x`"
    arguments = make_arguments([case for case in WITH_FINDINGS if case.rule != "orphaned"])
    images = arguments["images"]
    ids = images["launch_template_id"].where(images["launch_template_name"].isna())
    names = dict.fromkeys(("launch_template_name", "image_name", "region"), hostile)
    image_state = images["image_state"].where(images["image_state"].eq("available"), hostile)
    findings = fl.findings(images.assign(**names, launch_template_id=ids, image_state=image_state))
    evidence = findings["evidence"].str.replace("[\u2068\u2069]", "", regex=True)
    assert [text for text in evidence if not text.isprintable()] == []
    assert evidence.str.contains("rm -rf", regex=False).any()
    regions = {
        call[call.index("--region") + 1]
        for command in findings["command"].dropna()
        for call in split_calls(command)
        if "--region" in call
    }
    assert regions <= {"us-east-1", "us-west-2"}  # of siblings


@given(st.text())
def test_a_word_is_safe_or_refused(word: str) -> None:
    """Law: a command with a word splits into that word again, or there is no command."""
    step = cli_commands.make_step("ec2", "describe-images", REGION, "--owners", word)
    command = cli_commands.format_command(ACCOUNT, step)
    if command is not None:
        assert split_calls(command)[1][-1] == word
        assert not set(word) & set("'\"`%!^&|<>;\\\n\r\t#~{}[]?")
    else:
        assert not word or not word.isascii() or not word.replace(" ", "").isalnum()


@pytest.mark.parametrize("account_id", [None, pd.NA, "", "12345678901", "1234567890123", "x" * 12])
def test_without_an_account_there_is_no_command(account_id: Any) -> None:
    """An account that is unknown or has no 12 digits makes no command."""
    step = cli_commands.make_step("ec2", "describe-images", REGION)
    assert cli_commands.format_command(account_id, step) is None
    assert cli_commands.format_command("123456789012", step) is not None


# --- the guard ------------------------------------------------------------------------

FAKE_AWS = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
if "get-caller-identity" in sys.argv:
    print(os.environ["ACCOUNT"])
elif "--query" in sys.argv:
    print(os.environ.get("FOUND", "0"))
"""


def run_command(command: str, folder: Path, **variables: str) -> list[str]:
    """Run a command in a POSIX shell with a fake AWS CLI; return the operations it called."""
    calls = folder / "calls"
    calls.write_text("")
    program = folder / "aws"
    program.write_text(FAKE_AWS)
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "CALLS": str(calls), **variables}
    subprocess.run(["sh", "-c", command], env=environment, check=False, timeout=60)
    return [json.loads(line)[1] for line in calls.read_text().splitlines()]


def find_command(operation: str) -> str:
    """Return a command that ends with an operation."""
    return next(it for it in list_commands() if split_calls(it)[-1][2] == operation)


def read_account(command: str) -> str:
    """Return the account that a command names."""
    return shlex.split(command)[3]


@pytest.mark.parametrize("operation", ["disable-fast-launch", "delete-snapshot"])
def test_a_command_runs_only_in_its_account(operation: str, tmp_path: Path) -> None:
    """With credentials of another account, or if something was found again, nothing changes."""
    command = find_command(operation)
    account = read_account(command)
    assert run_command(command, tmp_path, ACCOUNT=OTHER) == ["get-caller-identity"]
    assert run_command(command, tmp_path, ACCOUNT="") == ["get-caller-identity"]
    assert operation in run_command(command, tmp_path, ACCOUNT=account)
    found = run_command(command, tmp_path, ACCOUNT=account, FOUND="1")
    assert found[0] == "get-caller-identity"
    assert operation not in found


# --- other shells ---------------------------------------------------------------------

DELETE = (
    'test "$(aws sts get-caller-identity --query Account --output text)" = 111122223333 && '
    'test "$(aws ec2 describe-fast-launch-images --region eu-west-1 --image-ids ami-1 '
    "--query 'length(FastLaunchImages)' --output text)\" = 0 && "
    "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-1 && "
    "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-2"
)


def test_commands_for_powershell() -> None:
    """PowerShell 5.1 has no &&: each step is inside the condition of the one before."""
    assert fl.render_command(DELETE, "powershell") == (
        "if ((aws sts get-caller-identity --query Account --output text) -eq '111122223333') { "
        "if ((aws ec2 describe-fast-launch-images --region eu-west-1 --image-ids ami-1 --query "
        "'length(FastLaunchImages)' --output text) -eq '0') { "
        "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-1; "
        "if ($LASTEXITCODE -eq 0) { "
        "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-2 } } }"
    )
    assert "'Name=image-id,Values=ami-0abcdef1234567890'" in fl.render_command(LIST_INSTANCES)


def test_commands_for_cmd() -> None:
    """The prompt of Windows reads the output of a call in a loop of one line."""
    assert fl.render_command(DELETE, "cmd") == (
        "for /f \"delims=\" %a in ('aws sts get-caller-identity --query Account --output text') "
        'do @if "%a"=="111122223333" (for /f "delims=" %b in (\'aws ec2 '
        "describe-fast-launch-images --region eu-west-1 --image-ids ami-1 --query "
        '"length(FastLaunchImages)" --output text\') do @if "%b"=="0" ('
        "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-1 && "
        "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-2))"
    )


def test_loops_of_cmd_quote_what_they_would_drop() -> None:
    """In the calls whose output a loop reads, no comma and no equals sign is without quotes."""
    lines = [fl.render_command(command, "cmd") for command in list_commands()]
    calls = [call for line in lines for call in re.findall(r"in \('(.*?)'\) do", line)]
    with_filters = [call for call in calls if "Name=image-id" in call]
    assert [
        call for call in some(with_filters) if re.search("[=,]", re.sub('"[^"]*"', "", call))
    ] == []


def test_a_profile_is_part_of_each_call() -> None:
    """With a profile, each call names it; its name is quoted for the shell."""
    rendered = fl.render_command(DELETE, "posix", profile="Team A")
    assert [call[-2:] for call in split_calls(rendered)] == [["--profile", "Team A"]] * 4
    assert fl.render_command(DELETE, "cmd", profile="Team A").count('--profile "Team A"') == 4
    assert fl.render_command(DELETE, profile="Team A").count("--profile 'Team A'") == 4


def test_the_posix_form_stays_as_it_is() -> None:
    """Each command of a finding is read back step by step, and is the same again."""
    assert [fl.render_command(it, "posix") for it in list_commands()] == list_commands()
    for shell in ("powershell", "cmd"):
        assert all(fl.render_command(it, shell) for it in some(list_commands()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DELETE, "fish"), "shell is 'fish'. Expected one of 'posix', 'powershell', 'cmd'"),
        (("rm -rf /",), "command is 'rm -rf /'. Expected one from the column command"),
        ((f"{DELETE}; reboot",), "Expected one from the column command"),
        (("aws ec2 describe-images",), "Expected one from the column command"),
        (("test",), "Expected one from the column command"),
        (("",), "Expected one from the column command"),
        ((None,), "command is None"),
        (("'",), "Expected one from the column command"),
    ],
)
def test_other_text_is_refused(arguments: Any, message: str) -> None:
    """Only commands of findings are rendered: no other text passes as one."""
    with pytest.raises(InputError, match=message):
        fl.render_command(*arguments)


@pytest.mark.parametrize("profile", ["", "a'b", 'a"b', "$(x)`", "a%b", "a;b", 3])
def test_a_profile_that_a_shell_might_interpret_is_refused(profile: Any) -> None:
    """A name with quotes or other special characters is refused, for all shells alike."""
    with pytest.raises(InputError, match="profile is"):
        fl.render_command(DELETE, profile=profile)
