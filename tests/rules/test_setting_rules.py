"""Rules about settings: what is forbidden, what differs, and where the setting is missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    CONSOLE,
    OTHER,
    REGION,
    Case,
    Finding,
    ago,
    check,
    enable,
    params,
    unknown,
)

# --- without-fast-launch --------------------------------------------------------------

THERE = "ami-0123456789abcdef0"
SIBLING = {"siblings_without_fast_launch": f"{ACCOUNT}/us-east-1/{THERE}"}


def without(
    region: str = "us-east-1",
    account_id: str = ACCOUNT,
    name: str = "win2022",
    home: str = REGION,
    **settings: Any,
) -> Finding:
    """Return the finding of an AMI without Fast Launch."""
    return Finding(
        "without-fast-launch",
        "medium",
        f"{name} has Fast Launch in account {ACCOUNT} in {home}, but not here",
        enable(template=None, image=f"--region {region} --image-id {THERE}", **settings),
        account_id=account_id,
        region=region,
        image_id=THERE,
    )


WITHOUT_FAST_LAUNCH = [
    Case("without-fast-launch", "no sibling lacks it"),
    Case("without-fast-launch", "one sibling lacks it", SIBLING, without()),
    Case(
        "without-fast-launch",
        "two siblings lack it, of which one is of another account",
        {"siblings_without_fast_launch": f"{OTHER}/us-west-2/{THERE}, {ACCOUNT}/us-east-1/{THERE}"},
        [without(), without("us-west-2", OTHER)],
    ),
    Case(
        "without-fast-launch",
        "as large as here, without the template of here",
        {
            **SIBLING,
            "target_resource_count": 7,
            "max_parallel_launches": 9,
            "available_snapshots": 7,
        },
        without(target=7, parallel=9),
    ),
    Case(
        "without-fast-launch",
        "two images have it under the name, and it is told once",
        [SIBLING, {**SIBLING, "region": "ap-south-1"}],
        without(home="ap-south-1"),
    ),
    Case(
        "without-fast-launch",
        "its name is unknown",
        {**SIBLING, "image_name": None},
        without(name="An AMI with this name"),
    ),
    Case(
        "without-fast-launch",
        "its name is of two lines",
        {**SIBLING, "image_name": "win\n2022"},
        without(name="win 2022"),
    ),
    *(
        Case(
            "without-fast-launch",
            f"it is {state} here",
            {**SIBLING, "state": state, "state_transition_time": ago(minutes=1)},
            without() if speaks else (),
            also=also,
        )
        for state, speaks, also in (
            ("enabling", True, ()),
            ("enabling-failed", False, ("failed",)),
            ("enabled-failed", False, ("failed",)),
            ("disabling", False, ()),
            ("disabling-failed", False, ("failed",)),
        )
    ),
    *unknown("without-fast-launch", SIBLING, "siblings_without_fast_launch", "state"),
]

# --- forbidden-template ---------------------------------------------------------------

FORBIDDEN = {"template_forbidden": "user data, Spot"}


def forbidden(where: str, which: str, command: str) -> Finding:
    """Return the finding of a template with forbidden settings."""
    look = f"aws ec2 describe-launch-template-versions --region {REGION} --launch-template-{which}"
    return Finding(
        "forbidden-template",
        "high",
        f"forbidden in {where}: user data, Spot",
        f"Create a version without these settings ({look}), and enable Fast Launch with the new "
        f"version: {command}",
    )


BY_ID = "id=lt-0abcdef1234567890"
FORBIDDEN_TEMPLATE = [
    Case("forbidden-template", "nothing is forbidden"),
    Case(
        "forbidden-template",
        "two settings are",
        FORBIDDEN,
        forbidden("version 4 of agent", BY_ID, enable()),
    ),
    Case(
        "forbidden-template",
        "in a template without a name",
        {**FORBIDDEN, "launch_template_name": None},
        forbidden("version 4 of lt-0abcdef1234567890", BY_ID, enable()),
    ),
    Case(
        "forbidden-template",
        "in a template without an id",
        {**FORBIDDEN, "launch_template_id": None},
        forbidden(
            "version 4 of agent",
            "name=agent",
            enable(template="LaunchTemplateName=agent,Version=4"),
        ),
    ),
    Case(
        "forbidden-template",
        "in a version that is unknown",
        {**FORBIDDEN, "launch_template_version": None},
        forbidden("an unknown version of agent", BY_ID, CONSOLE),
    ),
    *unknown("forbidden-template", FORBIDDEN, "template_forbidden"),
]

# --- drift ----------------------------------------------------------------------------

REGIONS = ("ap-south-1", "ca-west-1", REGION)
LARGER = {"target_resource_count": 20, "available_snapshots": 20, "snapshots": 20}


def three(odd: dict[str, Any], *, all_of: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return an image in three regions, of which the last is odd."""
    alike = [{**(all_of or {}), "region": region} for region in REGIONS]
    return [*alike[:2], {**alike[2], **odd}]


def drift(evidence: str, command: str, **key: Any) -> Finding:
    """Return the finding of settings that differ."""
    return Finding("drift", "low", evidence, command, **key)


TEN = drift("target 20, elsewhere 10", enable(target=10))
BY_NAME = {"launch_template_id": None}
MADE = "EC2FastLaunchDefaultResourceCreation"
DRIFT = [
    Case("drift", "the same in three regions", three({})),
    Case("drift", "another target", three(LARGER), TEN),
    Case(
        "drift",
        "another number at once",
        three({"max_parallel_launches": 7}),
        drift("max parallel launches 7, elsewhere 6", enable(parallel=6)),
    ),
    Case(
        "drift",
        "another template",
        three({"launch_template_name": "other"}, all_of=BY_NAME),
        drift(
            "launch template other, elsewhere agent",
            enable(template="LaunchTemplateName=agent,Version=4"),
        ),
    ),
    Case(
        "drift",
        "another version of the template",
        three({"launch_template_version": "5"}),
        drift("template version 5, elsewhere 4", enable()),
    ),
    Case(
        "drift",
        "all of them",
        three(
            {
                **LARGER,
                "max_parallel_launches": 7,
                "launch_template_name": "a\nb",
                "launch_template_version": "$Latest",
            },
            all_of=BY_NAME,
        ),
        drift(
            "target 20, elsewhere 10; max parallel launches 7, elsewhere 6; "
            "launch template a b, elsewhere agent; template version $Latest, elsewhere 4",
            enable(template="LaunchTemplateName=agent,Version=4"),
        ),
    ),
    Case(
        "drift",
        "of two values that are as common the lesser is the usual one",
        [{"region": "ap-south-1", **LARGER}, {}],
        drift(
            "target 20, elsewhere 10",
            enable(image="--region ap-south-1 --image-id ami-0abcdef1234567890"),
            region="ap-south-1",
        ),
    ),
    Case(
        "drift",
        "the most common value is the usual one, though it is not the least",
        [{"region": "ap-south-1", **LARGER}, {"region": "ca-west-1", **LARGER}, {}],
        drift("target 10, elsewhere 20", enable(target=20)),
    ),
    Case("drift", "of two accounts", [{**LARGER, "account_id": OTHER}, {}]),
    Case("drift", "of two names", [{**LARGER, "region": "us-east-1", "image_name": "x"}, {}]),
    Case("drift", "an image without a name", three({**LARGER, "image_name": None})),
    Case("drift", "all without a name", three(LARGER, all_of={"image_name": None})),
    # AWS makes a template for each image that has none of its own.
    Case(
        "drift",
        "templates that AWS made",
        three({"launch_template_name": f"{MADE}-2"}, all_of={"launch_template_name": f"{MADE}-1"}),
    ),
    Case(
        "drift",
        "versions of templates that AWS made",
        three(
            {"launch_template_name": f"{MADE}-2", "launch_template_version": "5"},
            all_of={"launch_template_name": f"{MADE}-1"},
        ),
    ),
    *(
        Case(
            "drift",
            f"another target while it is {state}",
            three({**LARGER, "state": state, "state_transition_time": ago(minutes=1)}),
            TEN if speaks else (),
            also=also,
        )
        for state, speaks, also in (
            ("enabling", True, ()),
            ("enabling-failed", False, ("failed",)),
            ("enabled-failed", False, ("failed",)),
            ("disabling", False, ()),
            ("disabling-failed", False, ("failed",)),
        )
    ),
    *(
        Case("drift", f"{column} is unknown of one", three({column: None}))
        for column in (
            *("target_resource_count", "max_parallel_launches"),
            *("launch_template_name", "launch_template_version", "state"),
        )
    ),
]

CASES = [*WITHOUT_FAST_LAUNCH, *FORBIDDEN_TEMPLATE, *DRIFT]


@pytest.mark.parametrize("case", params(CASES))
def test_rules_about_settings(case: Case, judged: dict[str, list[Finding]]) -> None:
    """A case has the findings that it spells out, and no other."""
    check(case, judged[str(case)])
