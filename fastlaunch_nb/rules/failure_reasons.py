"""Why Fast Launch fails, and what mends it: a catalogue of what EC2 gives as reasons."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from fastlaunch_nb.rules.rule import is_known


class Fix(NamedTuple):
    """What mends a failure whose reason matches a pattern."""

    pattern: re.Pattern[str]
    advice: str
    source: str


def _fix(pattern: str, advice: str, source: str) -> Fix:
    return Fix(re.compile(pattern, re.IGNORECASE), advice, source)


_MONITOR = "EC2 User Guide: Monitor EC2 Fast Launch"
_PREREQUISITES = "EC2 User Guide: Prerequisites for EC2 Fast Launch"

FIXES = (
    _fix(
        r"unable to stop instance|stop.{0,20}(timed? ?out|timeout)",
        "The preparation instance did not stop in time: see that Sysprep ends with a shutdown, "
        "and that neither user data nor termination protection keeps it running",
        _MONITOR,
    ),
    _fix(
        r"vpc.{0,20}limit|limit.{0,20}vpc|maximum number of vpcs",
        "Without a launch template Fast Launch makes a VPC of its own, and the limit of VPCs is "
        "reached: name a launch template with a subnet, or have the quota raised",
        _MONITOR,
    ),
    _fix(
        r"kms|customer.?managed key|encrypt",
        "The AMI is encrypted with a key of yours: grant it to the role "
        "AWSServiceRoleForEC2FastLaunch, in the key's own account",
        _PREREQUISITES,
    ),
    _fix(
        r"permission|unauthori[sz]ed|not authori[sz]ed|access.?denied|service.?linked role",
        "Fast Launch lacks a permission: see that the role AWSServiceRoleForEC2FastLaunch exists, "
        "and that who enables it has EC2FastLaunchFullAccess",
        _MONITOR,
    ),
    _fix(
        r"vcpu|instance limit|InstanceLimitExceeded|insufficient.{0,20}capacity",
        "No preparation instance could be started: see the EC2 quotas of the region, and try again",
        "EC2 User Guide: Troubleshoot instance launch issues",
    ),
    _fix(
        r"launch ?template",
        "The launch template can not be used: see that it and its version exist, with an instance "
        "type, a subnet and security groups that fit together",
        _PREREQUISITES,
    ),
)
"""The first whose pattern is found in a reason is the one."""

_OTHERWISE = "EC2 gives no reason that is known here: look at the preparation instances"


def advice(reason: Any) -> str:
    """Return what mends a failure that has this reason."""
    text = str(reason) if is_known(reason) else ""
    return next((fix.advice for fix in FIXES if fix.pattern.search(text)), _OTHERWISE)
