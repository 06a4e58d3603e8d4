"""Rules about settings: images without Fast Launch, forbidden templates, and drift."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    OTHER,
    REGION,
    USE_CONSOLE,
    Case,
    Finding,
    ago,
    check_case,
    enable_command,
    make_params,
    make_unknown_cases,
)

# --- without-fast-launch --------------------------------------------------------------

SIBLING_ID = "ami-0123456789abcdef0"
SIBLING = f"{ACCOUNT}/us-east-1/{SIBLING_ID}"
WITH_SIBLING = {"siblings_without_fast_launch": SIBLING}


def without(
    region: str = "us-east-1",
    account_id: str = ACCOUNT,
    name: str = "win2022",
    source: str = REGION,
    **settings: Any,
) -> Finding:
    """Return the finding of an AMI without Fast Launch."""
    return Finding(
        "without-fast-launch",
        "medium",
        f"{name} has Fast Launch in account {ACCOUNT} in {source}, but not here",
        enable_command(
            template=None, image=f"--region {region} --image-id {SIBLING_ID}", **settings
        ),
        account_id=account_id,
        region=region,
        image_id=SIBLING_ID,
    )


WITHOUT_FAST_LAUNCH = [
    Case("without-fast-launch", "no sibling is without it"),
    Case("without-fast-launch", "one sibling is without it", WITH_SIBLING, without()),
    Case(
        "without-fast-launch",
        "two siblings are without it, one of them in another account",
        {"siblings_without_fast_launch": f"{OTHER}/us-west-2/{SIBLING_ID}, {SIBLING}"},
        [without(), without("us-west-2", OTHER)],
    ),
    Case(
        "without-fast-launch",
        "the command has the same numbers, but no template",
        {
            **WITH_SIBLING,
            "target_resource_count": 7,
            "max_parallel_launches": 9,
            "available_snapshots": 7,
        },
        without(target=7, parallel=9),
    ),
    Case(
        "without-fast-launch",
        "two images with the name have it: one finding",
        [WITH_SIBLING, {**WITH_SIBLING, "region": "ap-south-1"}],
        without(source="ap-south-1"),
    ),
    Case(
        "without-fast-launch",
        "its name is unknown",
        {**WITH_SIBLING, "image_name": None},
        without(name="An AMI with this name"),
    ),
    Case(
        "without-fast-launch",
        "its name has two lines",
        {**WITH_SIBLING, "image_name": "win\n2022"},
        without(name="win 2022"),
    ),
    *(
        Case(
            "without-fast-launch",
            f"it is {state} here",
            {**WITH_SIBLING, "state": state, "state_transition_time": ago(minutes=1)},
            without() if has_finding else (),
            other_rules=other_rules,
        )
        for state, has_finding, other_rules in (
            ("enabling", True, ()),
            ("enabling-failed", False, ("failed",)),
            ("enabled-failed", False, ("failed",)),
            ("disabling", False, ()),
            ("disabling-failed", False, ("failed",)),
        )
    ),
    *make_unknown_cases(
        "without-fast-launch", WITH_SIBLING, "siblings_without_fast_launch", "state"
    ),
]

# --- forbidden-template ---------------------------------------------------------------

FORBIDDEN = {"template_forbidden": "user data, Spot"}


def forbidden(version: str, template: str, command: str) -> Finding:
    """Return the finding of a template with forbidden settings."""
    look = (
        f"aws ec2 describe-launch-template-versions --region {REGION} --launch-template-{template}"
    )
    return Finding(
        "forbidden-template",
        "high",
        f"forbidden in {version}: user data, Spot",
        f"Create a version without these settings ({look}), and enable Fast Launch with the new "
        f"version: {command}",
    )


BY_ID = "id=lt-0abcdef1234567890"
FORBIDDEN_TEMPLATE = [
    Case("forbidden-template", "nothing is forbidden"),
    Case(
        "forbidden-template",
        "two settings are forbidden",
        FORBIDDEN,
        forbidden("version 4 of agent", BY_ID, enable_command()),
    ),
    Case(
        "forbidden-template",
        "a template without a name",
        {**FORBIDDEN, "launch_template_name": None},
        forbidden("version 4 of lt-0abcdef1234567890", BY_ID, enable_command()),
    ),
    Case(
        "forbidden-template",
        "a template without an id",
        {**FORBIDDEN, "launch_template_id": None},
        forbidden(
            "version 4 of agent",
            "name=agent",
            enable_command(template="LaunchTemplateName=agent,Version=4"),
        ),
    ),
    Case(
        "forbidden-template",
        "an unknown version",
        {**FORBIDDEN, "launch_template_version": None},
        forbidden("an unknown version of agent", BY_ID, USE_CONSOLE),
    ),
    *make_unknown_cases("forbidden-template", FORBIDDEN, "template_forbidden"),
]

# --- drift ----------------------------------------------------------------------------

REGIONS = ("ap-south-1", "ca-west-1", REGION)
LARGER = {"target_resource_count": 20, "available_snapshots": 20, "snapshots": 20}


def make_rows(
    changes: dict[str, Any], *, common: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return an image in three regions, with changes in the last one."""
    first, second, third = ({**(common or {}), "region": region} for region in REGIONS)
    return [first, second, {**third, **changes}]


def drift(evidence: str, command: str, **key: Any) -> Finding:
    """Return the finding of settings that differ."""
    return Finding("drift", "low", evidence, command, **key)


TEN = drift("target 20, elsewhere 10", enable_command(target=10))
BY_NAME = {"launch_template_id": None}
AWS_TEMPLATE = "EC2FastLaunchDefaultResourceCreation"
DRIFT = [
    Case("drift", "the same in three regions", make_rows({})),
    Case("drift", "another target", make_rows(LARGER), TEN),
    Case(
        "drift",
        "another number of parallel launches",
        make_rows({"max_parallel_launches": 7}),
        drift("max parallel launches 7, elsewhere 6", enable_command(parallel=6)),
    ),
    Case(
        "drift",
        "another template",
        make_rows({"launch_template_name": "other"}, common=BY_NAME),
        drift(
            "launch template other, elsewhere agent",
            enable_command(template="LaunchTemplateName=agent,Version=4"),
        ),
    ),
    Case(
        "drift",
        "another version of the template",
        make_rows({"launch_template_version": "5"}),
        drift("template version 5, elsewhere 4", enable_command()),
    ),
    Case(
        "drift",
        "all of them",
        make_rows(
            {
                **LARGER,
                "max_parallel_launches": 7,
                "launch_template_name": "a\nb",
                "launch_template_version": "$Latest",
            },
            common=BY_NAME,
        ),
        drift(
            "target 20, elsewhere 10; max parallel launches 7, elsewhere 6; "
            "launch template a b, elsewhere agent; template version $Latest, elsewhere 4",
            enable_command(template="LaunchTemplateName=agent,Version=4"),
        ),
    ),
    Case(
        "drift",
        "of two equally common values, the lesser is the usual one",
        [{"region": "ap-south-1", **LARGER}, {}],
        drift(
            "target 20, elsewhere 10",
            enable_command(image="--region ap-south-1 --image-id ami-0abcdef1234567890"),
            region="ap-south-1",
        ),
    ),
    Case(
        "drift",
        "the most common value is the usual one, even if it is the greater",
        [{"region": "ap-south-1", **LARGER}, {"region": "ca-west-1", **LARGER}, {}],
        drift("target 10, elsewhere 20", enable_command(target=20)),
    ),
    Case("drift", "in two accounts", [{**LARGER, "account_id": OTHER}, {}]),
    Case("drift", "two names", [{**LARGER, "region": "us-east-1", "image_name": "x"}, {}]),
    Case("drift", "an image without a name", make_rows({**LARGER, "image_name": None})),
    Case("drift", "all without a name", make_rows(LARGER, common={"image_name": None})),
    # AWS creates a template for each image without one.
    Case(
        "drift",
        "templates that AWS created",
        make_rows(
            {"launch_template_name": f"{AWS_TEMPLATE}-2"},
            common={"launch_template_name": f"{AWS_TEMPLATE}-1"},
        ),
    ),
    Case(
        "drift",
        "versions of templates that AWS created",
        make_rows(
            {"launch_template_name": f"{AWS_TEMPLATE}-2", "launch_template_version": "5"},
            common={"launch_template_name": f"{AWS_TEMPLATE}-1"},
        ),
    ),
    *(
        Case(
            "drift",
            f"another target while it is {state}",
            make_rows({**LARGER, "state": state, "state_transition_time": ago(minutes=1)}),
            TEN if has_finding else (),
            other_rules=other_rules,
        )
        for state, has_finding, other_rules in (
            ("enabling", True, ()),
            ("enabling-failed", False, ("failed",)),
            ("enabled-failed", False, ("failed",)),
            ("disabling", False, ()),
            ("disabling-failed", False, ("failed",)),
        )
    ),
    *(
        Case("drift", f"{column} is unknown in one region", make_rows({column: None}))
        for column in (
            *("target_resource_count", "max_parallel_launches"),
            *("launch_template_name", "launch_template_version", "state"),
        )
    ),
]

CASES = [*WITHOUT_FAST_LAUNCH, *FORBIDDEN_TEMPLATE, *DRIFT]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_settings(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
