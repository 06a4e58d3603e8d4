"""Commands in remedies: what AWS CLI takes, with every value quoted."""

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
from tests.helpers.rules import ACCOUNT, IMAGE_ID, REGION, Case, enable, frames
from tests.helpers.samples import HOSTILE
from tests.rules.test_cost_rules import CASES as COSTS
from tests.rules.test_pool_rules import CASES as POOLS
from tests.rules.test_setting_rules import CASES as SETTINGS
from tests.rules.test_state_rules import CASES as STATES

CASES = [*STATES, *POOLS, *COSTS, *SETTINGS]
SICK: list[Case] = [case for case in CASES if case.expected]
KEPT = (REGION, IMAGE_ID, 10, 6, "lt-0abcdef1234567890", "agent", "4")
"""The settings of a healthy image, as :func:`remedies.enable` takes them."""


def commands(texts: Iterable[str]) -> list[list[str]]:
    """Return every command in some remedies, as a shell splits it."""
    ends = r" && |: (?=aws )| \((?=aws )| and then: |\), and enable"
    parts = [part for text in texts for part in re.split(ends, text)]
    return [shlex.split(part) for part in parts if part.startswith("aws ")]


def test_commands_are_of_the_cli() -> None:
    """Every command names an operation and parameters that AWS has, down to their members."""
    told = fl.findings(**frames(SICK))
    session = botocore.session.Session()
    found = commands(told["remedy"])
    assert len(found) >= len(told)
    models = {service: session.get_service_model(service) for _, service, *_ in found}
    wrong = [
        (operation, option, key)
        for _, service, operation, *words in found
        for option, key in keys(words)
        if key not in known(models[service], operation, option)
    ]
    assert wrong == []


def keys(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each parameter of a command with each key of its value, or with itself."""
    for place, word in enumerate(words):
        if word.startswith("--") and word != "--region":
            option = word[2:].partition("=")[0]
            value = [*words, ""][place + 1]
            pairs = [pair.split("=")[0] for pair in value.split(",") if "=" in pair]
            yield from ((option, key) for key in pairs or [option])


def known(model: Any, operation: str, option: str) -> set[str]:
    """Return the keys that a parameter has; of one without keys, itself; of none, nothing."""
    name = "".join(part.capitalize() for part in operation.split("-"))
    members = model.operation_model(name).input_shape.members
    options = {botocore.xform_name(member, "-"): shape for member, shape in members.items()}
    if option not in options:
        return set()
    shape = getattr(options[option], "member", options[option])  # of a list, what it is of
    return set(getattr(shape, "members", ())) or {option}


def test_hostile_text_is_quoted() -> None:
    """Names from AWS can neither end a command nor begin another, and are on one line."""
    evil = f"{HOSTILE}'; rm -rf $(HOME) `x`"
    asked = frames([case for case in SICK if case.rule != "orphaned"])
    given = asked["images"]
    ids = given["launch_template_id"].where(given["launch_template_name"].isna())
    names = dict.fromkeys(("launch_template_name", "image_name", "region"), evil)
    bad = given["image_state"].where(given["image_state"].eq("available"), evil)
    told = fl.findings(given.assign(**names, launch_template_id=ids, image_state=bad))
    isolates = told["evidence"].str.replace("[\u2068\u2069]", "", regex=True)
    assert [text for text in isolates if not text.isprintable()] == []
    assert told["evidence"].str.contains("rm -rf", regex=False).any()
    found = commands(told["remedy"])
    regions = {words[words.index("--region") + 1] for words in found}
    assert {evil} <= regions <= {evil, "us-east-1", "us-west-2"}


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
    """A region that is unknown is left out, and numbers are text."""
    assert expected == cli_commands.format_command(*words)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (KEPT, enable()),
        (KEPT[:4], enable(template=None)),
        ((*KEPT[:3], None), enable(parallel=None, template=None)),
        ((*KEPT[:2], None, None), enable(target=None, parallel=None, template=None)),
        ((*KEPT[:3], 5, *KEPT[4:]), enable(parallel=6)),
        ((*KEPT[:3], 7, *KEPT[4:]), enable(parallel=7)),
        ((*KEPT[:2], 0, *KEPT[3:]), enable(target=0)),
        ((*KEPT[:4], None, None, "4"), enable(template=None)),
        ((None, *KEPT[1:]), enable(image=f"--image-id {IMAGE_ID}")),
    ],
)
def test_settings_are_kept(settings: Any, expected: str) -> None:
    """A command to enable again has what is known, and at least six launches at once."""
    assert expected == cli_commands.format_enable(*settings)


def test_what_is_enabled_may_have_other_settings() -> None:
    """Of each row its own settings are taken, but for those that come from another column."""
    rows = frames([Case("", "one", [{}, {"target_resource_count": 20}])])["images"]
    rows = rows.assign(_least=pd.array([8, 9], "Int64"))
    told = cli_commands.format_enable_rows(rows, {"max_parallel_launches": "_least"})
    assert [enable(parallel=8), enable(target=20, parallel=9)] == told
    assert ACCOUNT not in "".join(told)
