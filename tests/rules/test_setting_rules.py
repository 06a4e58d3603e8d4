"""Rules about settings: images without Fast Launch, launch templates, keys, and drift."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    LIST_VERSIONS,
    OTHER,
    REGION,
    Case,
    Finding,
    ago,
    check_case,
    command,
    make_params,
    make_unknown_cases,
)

NOT_ON = (("disabling", ()), ("disabling-failed", ("failed",)))
"""States in which Fast Launch is not on, and the rules with a finding then."""

# --- without-fast-launch --------------------------------------------------------------

SIBLING_ID = "ami-0123456789abcdef0"
SIBLING = f"{ACCOUNT}/us-east-1/{SIBLING_ID}"
WITH_SIBLING = {"siblings_without_fast_launch": SIBLING}


def without(
    region: str = "us-east-1",
    account_id: str = ACCOUNT,
    name: str = "win2022",
    source: str = REGION,
) -> Finding:
    """Return the finding of an AMI without Fast Launch: a question, and a look."""
    look = command(f"ec2 describe-instances --filters Name=image-id,Values={SIBLING_ID}", region)
    return Finding(
        "without-fast-launch",
        "info",
        f"{name} has Fast Launch in account {ACCOUNT} in {source}, but not here",
        look.replace(ACCOUNT, account_id),
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

# --- successor-without ----------------------------------------------------------------

NEWER = {"successor_in_use": SIBLING_ID}
AMI = f"--filters Name=image-id,Values={SIBLING_ID} --include-deprecated --include-disabled"
successor = partial(
    Finding, "successor-without", "medium", command=command(f"ec2 describe-images {AMI}")
)
SUCCESSOR = [
    Case(
        "successor-without",
        "a newer AMI is launched",
        NEWER,
        successor(
            f"{SIBLING_ID} is newer and was launched without Fast Launch; this one was last "
            "launched 2026-01-13 12:00 UTC"
        ),
    ),
    Case(
        "successor-without",
        "the last launch of this one is unknown",
        {**NEWER, "image_last_launched_time": None},
        successor(f"{SIBLING_ID} is newer and was launched without Fast Launch"),
    ),
    Case("successor-without", "none", {"successor_in_use": ""}),
    *(
        Case(
            "successor-without",
            f"while this one is {state}",
            {**NEWER, "state": state, "state_transition_time": ago(minutes=1)},
            other_rules=others,
        )
        for state, others in (*NOT_ON, ("enabled-failed", ("failed",)))
    ),
    *make_unknown_cases("successor-without", NEWER, "successor_in_use"),
]

# --- launch templates and keys --------------------------------------------------------

FORBIDDEN = {"template_forbidden": "user data, Spot"}
LIST_BY_NAME = LIST_VERSIONS.replace("id lt-0abcdef1234567890", "name agent")


def forbidden(version: str, look: str = LIST_VERSIONS) -> Finding:
    """Return the finding of a template with forbidden settings: it never enables with it."""
    evidence = f"forbidden in {version}: user data, Spot"
    return Finding("forbidden-template", "high", evidence, look)


FORBIDDEN_TEMPLATE = [
    Case("forbidden-template", "nothing is forbidden"),
    Case(
        "forbidden-template",
        "two settings are forbidden",
        FORBIDDEN,
        forbidden("version 4 of agent"),
    ),
    Case(
        "forbidden-template",
        "a template without a name",
        {**FORBIDDEN, "launch_template_name": None},
        forbidden("version 4 of lt-0abcdef1234567890"),
    ),
    Case(
        "forbidden-template",
        "a template without an id",
        {**FORBIDDEN, "launch_template_id": None},
        forbidden("version 4 of agent", LIST_BY_NAME),
    ),
    Case(
        "forbidden-template",
        "an unknown version",
        {**FORBIDDEN, "launch_template_version": None},
        forbidden("an unknown version of agent"),
    ),
    Case(
        "forbidden-template",
        "$Latest: the forbidden settings are the more specific finding",
        {**FORBIDDEN, "launch_template_version": "$Latest"},
        forbidden("version $Latest of agent"),
    ),
    *(
        Case(
            "forbidden-template",
            f"while it is {state}",
            {**FORBIDDEN, "state": state, "state_transition_time": ago(minutes=1)},
            other_rules=others,
        )
        for state, others in NOT_ON
    ),
    *make_unknown_cases("forbidden-template", FORBIDDEN, "template_forbidden", "state"),
]

MOVING_TEMPLATE = [
    *(
        Case(
            "moving-template",
            version,
            {"launch_template_version": version},
            Finding(
                "moving-template",
                "medium",
                f"version {version} of agent: AWS resolves it at each preparation",
                LIST_VERSIONS,
            ),
        )
        for version in ("$Latest", "$Default")
    ),
    *(
        Case(
            "moving-template",
            f"while it is {state}",
            {
                "launch_template_version": "$Latest",
                "state": state,
                "state_transition_time": ago(minutes=1),
            },
            other_rules=others,
        )
        for state, others in NOT_ON
    ),
    Case(
        "moving-template",
        "no template",
        {"launch_template_version": None, "launch_template_id": None, "launch_template_name": None},
    ),
]

OPTIONAL = {"template_http_tokens": "optional"}
IMDS = [
    Case(
        "imds-v2",
        "enforced, but optional in the template",
        OPTIONAL,
        Finding(
            "imds-v2",
            "high",
            "IMDSv2 is enforced; HttpTokens is optional in version 4 of agent",
            LIST_VERSIONS,
        ),
    ),
    Case(
        "imds-v2",
        "enforced, but not set in the template",
        {"template_http_tokens": ""},
        Finding(
            "imds-v2",
            "high",
            "IMDSv2 is enforced; HttpTokens is not set in version 4 of agent",
            LIST_VERSIONS,
        ),
    ),
    Case("imds-v2", "not enforced", {**OPTIONAL, "imds_http_tokens_enforced": "disabled"}),
    Case("imds-v2", "no preference", {**OPTIONAL, "imds_http_tokens_enforced": "no-preference"}),
    *(
        Case(
            "imds-v2",
            f"while it is {state}",
            {**OPTIONAL, "state": state, "state_transition_time": ago(minutes=1)},
            other_rules=others,
        )
        for state, others in NOT_ON
    ),
    *make_unknown_cases(
        "imds-v2", OPTIONAL, "template_http_tokens", "imds_http_tokens_enforced", "state"
    ),
]


def unusable(evidence: str, severity: str = "high") -> Finding:
    """Return the finding of a key that Fast Launch cannot use."""
    look = command("kms describe-key --key-id 1234abcd")
    return Finding("kms-key", severity, evidence, look)


NO_GRANT = unusable(
    "no grant of 1234abcd names AWSServiceRoleForEC2FastLaunch; its policy may", "medium"
)
KEYS = [
    *(
        Case(
            "kms-key", f"it is {state}", {"kms_key_state": state}, unusable(f"1234abcd is {state}")
        )
        for state in ("Disabled", "PendingDeletion", "PendingReplicaDeletion", "Unavailable")
    ),
    Case("kms-key", "it is being created", {"kms_key_state": "Creating"}),
    Case("kms-key", "no grant", {"kms_grant": "missing"}, NO_GRANT),
    Case(
        "kms-key",
        "no grant, and its state is unknown",
        {"kms_grant": "missing", "kms_key_state": None},
        NO_GRANT,
    ),
    Case(
        "kms-key",
        "disabled, and its grant is unknown",
        {"kms_grant": None, "kms_key_state": "Disabled"},
        unusable("1234abcd is Disabled"),
    ),
    *(
        Case(
            "kms-key",
            f"while it is {state}",
            {"kms_grant": "missing", "state": state, "state_transition_time": ago(minutes=1)},
            other_rules=others,
        )
        for state, others in NOT_ON
    ),
    *make_unknown_cases("kms-key", {}, "kms_grant", "kms_key_state"),
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


def drift(evidence: str, **key: Any) -> Finding:
    """Return the finding of settings that differ: a question, without a command."""
    return Finding("drift", "info", evidence, **key)


TEN = drift("target 20, elsewhere 10")
BY_NAME = {"launch_template_id": None}
AWS_TEMPLATE = "EC2FastLaunchDefaultResourceCreation"
DRIFT = [
    Case("drift", "the same in three regions", make_rows({})),
    Case("drift", "another target", make_rows(LARGER), TEN),
    Case(
        "drift",
        "another number of parallel launches",
        make_rows({"max_parallel_launches": 7}),
        drift("max parallel launches 7, elsewhere 6"),
    ),
    Case(
        "drift",
        "another template",
        make_rows({"launch_template_name": "other"}, common=BY_NAME),
        drift("launch template other, elsewhere agent"),
    ),
    # Each region numbers the versions of its own template.
    Case("drift", "another version of the template", make_rows({"launch_template_version": "5"})),
    Case(
        "drift",
        "all of them",
        make_rows(
            {**LARGER, "max_parallel_launches": 7, "launch_template_name": "a\nb"}, common=BY_NAME
        ),
        drift(
            "target 20, elsewhere 10; max parallel launches 7, elsewhere 6; "
            "launch template a b, elsewhere agent"
        ),
    ),
    Case(
        "drift",
        "of two equally common values, the lesser is the usual one",
        [{"region": "ap-south-1", **LARGER}, {}],
        drift("target 20, elsewhere 10", region="ap-south-1"),
    ),
    Case(
        "drift",
        "the most common value is the usual one, even if it is the greater",
        [{"region": "ap-south-1", **LARGER}, {"region": "ca-west-1", **LARGER}, {}],
        drift("target 10, elsewhere 20"),
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

INTENDED = {
    "intended_fast_launch": "enabled",
    "intended_target_resource_count": 9,
    "intended_max_parallel_launches": 6,
    "intended_by": "arn:aws:imagebuilder:eu-west-1:111122223333:distribution-configuration/x",
}


def deviation(evidence: str) -> Finding:
    """Return the finding of settings that differ from what Image Builder intends."""
    return Finding("drift", "low", f"{evidence}, by {INTENDED['intended_by']}")


DEVIATIONS = [
    Case("drift", "another target than intended", INTENDED, deviation("target 10, intended 9")),
    Case(
        "drift",
        "both numbers differ from the intent",
        {**INTENDED, "intended_max_parallel_launches": 7},
        deviation("target 10, intended 9; max parallel launches 6, intended 7"),
    ),
    Case("drift", "as intended", {**INTENDED, "intended_target_resource_count": 10}),
    # An image that is as intended needs no question.
    Case(
        "drift",
        "as intended, and different elsewhere",
        make_rows({**LARGER, **INTENDED, "intended_target_resource_count": 20}),
    ),
    Case(
        "drift",
        "another intended target, but disabled",
        {**INTENDED, "intended_fast_launch": "disabled"},
    ),
    Case(
        "drift",
        "the intended numbers are unknown",
        {
            **INTENDED,
            "intended_target_resource_count": None,
            "intended_max_parallel_launches": None,
        },
    ),
    Case("drift", "the target is unknown", {**INTENDED, "target_resource_count": None}),
    Case(
        "drift",
        "the pool is too small as it is: no advice to cut it",
        {**INTENDED, "cold_launches": 60},
        other_rules=("cold-launches",),
    ),
]

CASES = [
    *WITHOUT_FAST_LAUNCH,
    *SUCCESSOR,
    *FORBIDDEN_TEMPLATE,
    *MOVING_TEMPLATE,
    *IMDS,
    *KEYS,
    *DRIFT,
    *DEVIATIONS,
]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_settings(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
