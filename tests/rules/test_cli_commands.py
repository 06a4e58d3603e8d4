"""Commands in remedies: valid for the AWS CLI, with every value quoted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import botocore.session
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.rules import cli_commands
from tests.helpers.rules import ACCOUNT, IMAGE_ID, REGION, Case, enable_command, make_arguments
from tests.helpers.samples import HOSTILE
from tests.rules.test_cost_rules import CASES as COST_CASES
from tests.rules.test_pool_rules import CASES as POOL_CASES
from tests.rules.test_setting_rules import CASES as SETTING_CASES
from tests.rules.test_state_rules import CASES as STATE_CASES

CASES = [*STATE_CASES, *POOL_CASES, *COST_CASES, *SETTING_CASES]
WITH_FINDINGS: list[Case] = [case for case in CASES if case.expected]
SETTINGS = (REGION, IMAGE_ID, 10, 6, "lt-0abcdef1234567890", "agent", "4")
"""The settings of a healthy image, in the order of `ENABLE_COLUMNS`."""


def split_commands(texts: Iterable[str]) -> list[list[str]]:
    """Return every command in these remedies, split into words as a shell does."""
    ends = r" && |: (?=aws )| \((?=aws )| and then: |\), and enable"
    parts = [part for text in texts for part in re.split(ends, text)]
    return [shlex.split(part) for part in parts if part.startswith("aws ")]


def test_commands_are_valid() -> None:
    """Every command has an operation and parameters of AWS, down to the keys of their values."""
    findings = fl.findings(**make_arguments(WITH_FINDINGS))
    session = botocore.session.Session()
    commands = split_commands(findings["remedy"])
    assert len(commands) >= len(findings)
    models = {service: session.get_service_model(service) for _, service, *_ in commands}
    wrong = [
        (operation, option, key)
        for _, service, operation, *words in commands
        for option, key in list_keys(words)
        if key not in list_valid_keys(models[service], operation, option)
    ]
    assert wrong == []


def list_keys(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each option of a command with each key of its value, or with its own name."""
    for number, word in enumerate(words):
        if word.startswith("--") and word != "--region":
            option = word[2:].partition("=")[0]
            value = [*words, ""][number + 1]
            pairs = [pair.split("=")[0] for pair in value.split(",") if "=" in pair]
            yield from ((option, key) for key in pairs or [option])


def list_valid_keys(model: Any, operation: str, option: str) -> set[str]:
    """Return the keys that AWS knows for an option, or its own name if it has no keys."""
    name = "".join(part.capitalize() for part in operation.split("-"))
    members = model.operation_model(name).input_shape.members
    options = {botocore.xform_name(member, "-"): shape for member, shape in members.items()}
    if option not in options:
        return set()
    shape = getattr(options[option], "member", options[option])  # a list has the shape of its items
    return set(getattr(shape, "members", ())) or {option}


def test_hostile_text_is_quoted() -> None:
    """A name from AWS can neither end a command nor start another, and stays on one line."""
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
    commands = split_commands(findings["remedy"])
    regions = {words[words.index("--region") + 1] for words in commands}
    assert {hostile} <= regions <= {hostile, "us-east-1", "us-west-2"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ec2", "stop", "eu-west-1"), "aws ec2 stop --region eu-west-1"),
        (("ec2", "stop", None), "aws ec2 stop"),
        (("ec2", "stop", pd.NA, "--ids", 7), "aws ec2 stop --ids 7"),
        (("ec2", "stop", "a b", "c;d", "e'f"), "aws ec2 stop --region 'a b' 'c;d' 'e'\"'\"'f'"),
    ],
)
def test_a_command_is_quoted_word_by_word(words: Any, expected: str) -> None:
    """Each word is quoted on its own; an unknown region is left out; a number becomes text."""
    assert expected == cli_commands.format_command(*words)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SETTINGS, enable_command()),
        (SETTINGS[:4], enable_command(template=None)),
        ((*SETTINGS[:3], None), enable_command(parallel=None, template=None)),
        ((*SETTINGS[:2], None, None), enable_command(target=None, parallel=None, template=None)),
        ((*SETTINGS[:3], 5, *SETTINGS[4:]), enable_command(parallel=6)),
        ((*SETTINGS[:3], 7, *SETTINGS[4:]), enable_command(parallel=7)),
        ((*SETTINGS[:2], 0, *SETTINGS[3:]), enable_command(target=0)),
        ((*SETTINGS[:4], None, None, "4"), enable_command(template=None)),
        ((None, *SETTINGS[1:]), enable_command(image=f"--image-id {IMAGE_ID}")),
    ],
)
def test_enabling_again_preserves_settings(settings: Any, expected: str) -> None:
    """The command has every known setting, and at least six parallel launches."""
    assert expected == cli_commands.format_enable(*settings)


def test_another_column_replaces_a_setting() -> None:
    """Each command has the settings of its row, except those with a column of new values."""
    rows = make_arguments([Case("", "one", [{}, {"target_resource_count": 20}])])["images"]
    rows = rows.assign(_parallel=pd.array([8, 9], "Int64"))
    commands = cli_commands.format_enable_rows(rows, {"max_parallel_launches": "_parallel"})
    assert [enable_command(parallel=8), enable_command(target=20, parallel=9)] == commands
    assert ACCOUNT not in "".join(commands)
