"""A catalogue of the reasons for which Fast Launch fails, with advice for each."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from fastlaunch_nb.rules.rule import is_known


class Fix(NamedTuple):
    """Advice for failures with a reason that matches a pattern."""

    pattern: str
    advice: str
    source: str


_MONITOR = "EC2 User Guide: Monitor EC2 Fast Launch"
_PREREQUISITES = "EC2 User Guide: Prerequisites for EC2 Fast Launch"

FIXES = (
    Fix(
        r"unable to stop instance|stop.{0,20}(timed? ?out|timeout)",
        "The preparation instance did not stop in time. Check that Sysprep ends with a "
        "shutdown, and that neither user data nor termination protection keeps it running",
        _MONITOR,
    ),
    Fix(
        r"vpc.{0,20}limit|limit.{0,20}vpc|maximum number of vpcs",
        "Without a launch template, Fast Launch creates a VPC, and the VPC limit is reached. "
        "Use a launch template with a subnet, or request a higher quota",
        _MONITOR,
    ),
    Fix(
        r"kms|customer.?managed key|encrypt",
        "The AMI is encrypted with a customer managed key. In the account of the key, allow "
        "the role AWSServiceRoleForEC2FastLaunch to use it",
        _PREREQUISITES,
    ),
    Fix(
        r"permission|unauthori[sz]ed|not authori[sz]ed|access.?denied|service.?linked role",
        "A permission was lost after enabling, as AWS checks permissions before it. Check that the "
        "role AWSServiceRoleForEC2FastLaunch exists, and what has changed: a policy, or the grant "
        "of a key",
        _MONITOR,
    ),
    Fix(
        r"vcpu|instance limit|InstanceLimitExceeded|insufficient.{0,20}capacity",
        "No preparation instance could start. Check the EC2 quotas of the region, and try again",
        "EC2 User Guide: Troubleshoot instance launch issues",
    ),
    Fix(
        r"launch ?template",
        "The launch template cannot be used. Check that it and its version exist, and that "
        "its instance type, subnet and security groups fit together",
        _PREREQUISITES,
    ),
)
"""The catalogue; of several patterns that match a reason, the first one counts."""

_UNKNOWN_REASON = "The cause is unknown. Look at the preparation instances"


def find_advice(reason: Any) -> str:
    """Return the advice for a failure with this reason."""
    text = str(reason) if is_known(reason) else ""
    fixes = (fix for fix in FIXES if re.search(fix.pattern, text, re.IGNORECASE))
    return next((fix.advice for fix in fixes), _UNKNOWN_REASON)
