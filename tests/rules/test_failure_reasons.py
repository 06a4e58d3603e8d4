"""Advice for failures: for each reason that EC2 documents, or that users reported."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from fastlaunch_nb.rules.failure_reasons import FIXES, find_advice

STOP, VPC, KEY, PERMISSION, CAPACITY, TEMPLATE = (fix.advice for fix in FIXES)
UNKNOWN_CAUSE = "The cause is unknown. Look at the preparation instances"
GAP = "x" * 20

REASONS: dict[str, list[Any]] = {
    "The preparation instance did not stop in time. Check that Sysprep ends with a shutdown, "
    "and that neither user data nor termination protection keeps it running": [
        "Unable to stop instance ID=i-0123456789abcdef0 for snapshot creation.",
        "unable to STOP INSTANCE",
        "The stop of i-01 timed out",
        "stop: timedout",
        "stop: time out",
        f"stop{GAP}timeout",
    ],
    "Without a launch template, Fast Launch creates a VPC, and the VPC limit is reached. Use a "
    "launch template with a subnet, or request a higher quota": [
        "The maximum number of VPCs has been reached.",
        "VPC limit exceeded",
        "VpcLimitExceeded",
        f"vpc{GAP}limit",
        f"limit{GAP}vpc",
    ],
    "The AMI is encrypted with a customer managed key. In the account of the key, allow the role "
    "AWSServiceRoleForEC2FastLaunch to use it": [
        "Client.InvalidKMSKey.InvalidState: The KMS key is not accessible",
        "customer managed key",
        "customer-managed key",
        "encrypted volume",
    ],
    "A permission was lost after enabling, as AWS checks permissions before it. Check that the "
    "role AWSServiceRoleForEC2FastLaunch exists, and what has changed: a policy, or the grant of "
    "a key": [
        "You are not authorized to perform this operation.",
        "Client.UnauthorizedOperation",
        "unauthorised",
        "You do not have permission",
        "AccessDenied",
        "Access denied",
        "no service-linked role",
        "Service Linked Role",
    ],
    "No preparation instance could start. Check the EC2 quotas of the region, and try again": [
        "You have requested more vCPU capacity than your limit of 32 allows",
        "instance limit",
        "InstanceLimitExceeded",
        "InsufficientInstanceCapacity",
        f"insufficient{GAP}capacity",
    ],
    "The launch template cannot be used. Check that it and its version exist, and that its "
    "instance type, subnet and security groups fit together": [
        "The specified launch template version does not exist",
        "InvalidLaunchTemplateName.NotFoundException",
    ],
    UNKNOWN_CAUSE: [
        None,
        pd.NA,
        "",
        "Client.UserInitiated",
        "Server.InternalError",
        f"stop {GAP}timeout",
        f"vpc {GAP}limit",
        f"limit {GAP}vpc",
        f"insufficient {GAP}capacity",
    ],
}

TWO_CAUSES = [  # the first in the catalogue counts
    ("unable to stop instance: VPC limit", STOP),
    ("the limit of the VPC and its KMS key", VPC),
    ("not authorized to use the KMS key", KEY),
    ("permission to use more vCPU", PERMISSION),
    ("instance limit of the launch template", CAPACITY),
]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(reason, fix) for fix, reasons in REASONS.items() for reason in reasons],
)
def test_each_reason_has_its_advice(reason: Any, expected: str) -> None:
    """The case of letters does not matter, and an unknown reason has advice too."""
    assert expected == find_advice(reason)


@pytest.mark.parametrize(("reason", "expected"), TWO_CAUSES)
def test_the_first_match_counts(reason: str, expected: str) -> None:
    """If a reason names two causes, the order of the catalogue decides."""
    assert expected == find_advice(reason)


def test_every_advice_has_a_reason_and_a_source() -> None:
    """The table above has reasons for every advice of the catalogue, and each has its source."""
    assert [*REASONS] == [*(fix.advice for fix in FIXES), UNKNOWN_CAUSE]
    assert [fix.source for fix in FIXES] == [
        "EC2 User Guide: Monitor EC2 Fast Launch",
        "EC2 User Guide: Monitor EC2 Fast Launch",
        "EC2 User Guide: Prerequisites for EC2 Fast Launch",
        "EC2 User Guide: Monitor EC2 Fast Launch",
        "EC2 User Guide: Troubleshoot instance launch issues",
        "EC2 User Guide: Prerequisites for EC2 Fast Launch",
    ]
