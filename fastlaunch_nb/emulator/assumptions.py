"""Choices of the emulator where AWS documents nothing; each is made only here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

# --- pages of DescribeFastLaunchImages ------------------------------------------------

DEFAULT_PAGE_SIZE = 200
"""Items on a page if MaxResults is missing or 0."""

INVALID_TOKEN_CODE = "InvalidNextToken"  # noqa: S105  an error code
"""The error code for an invalid or expired page token; not InvalidPaginationToken."""

TOKEN_LIFETIME: timedelta | None = None
"""The time after which a page token expires; None means never."""

MAX_RESULTS_WITH_IDS_CODE = "InvalidParameterCombination"
"""The error code for MaxResults together with ImageIds, following EC2's general paging rule."""

NOT_ENABLED_ID_CODE: str | None = None
"""The error code for describing an image without Fast Launch; None omits it from the answer."""

# Results are in the text order of their ids.

# --- enabling and disabling -----------------------------------------------------------

DEFAULT_TARGET, DEFAULT_PARALLEL = 5, 6
"""TargetResourceCount and MaxParallelLaunches if a request does not set them.

Sources differ on the target: the console's default is 5 launches an hour, and so 5 snapshots
(EC2 User Guide); AWS CLI's example without a SnapshotConfiguration is answered with 10.
"""

NOT_WINDOWS_CODE = "InvalidParameterValue"
"""The error code for an AMI of another platform."""

NOT_ENABLED_CODE = "InvalidParameterValue"
"""The error code for disabling an image that is not enabled."""

CLEANING_UP_CODE = "IncorrectState"
"""The error code for enabling or disabling while snapshots are being removed."""

STATES_REFUSING_ENABLE = frozenset({"disabling", "disabling-failed"})
"""States in which enabling is refused: all snapshots must be gone first."""

STATES_REFUSING_DISABLE = frozenset({"disabling"})
"""States in which disabling is refused. Every other state can move to disabling."""

UNKNOWN_VERSION_CODE = "InvalidLaunchTemplateId.VersionNotFound"
"""The error code for a launch template version that does not exist or is not a number."""

FORBIDDEN_TEMPLATE_CODE = "InvalidParameterValue"
"""The error code for a launch template with settings that Fast Launch forbids.

Enable refuses it (sloper-ai/cucina, measured); the code is our choice. A version that becomes
the default or the latest one later is not refused, and prepares snapshots as before: AWS does
not say what happens.
"""

DEFAULT_TEMPLATE_DATA: Mapping[str, Any] = {"MetadataOptions": {"HttpTokens": "required"}}
"""The settings of the default launch template: it works where an account enforces IMDSv2."""

ENABLE_WITHOUT_TEMPLATE: Mapping[str, Any] = {"LaunchTemplate": {}}
"""What Enable answers about the launch template if the request names none.

In AWS CLI's examples, Enable answers an empty one and Describe the default one, with the
version "1".
"""

# An answer contains both the id and the name of a launch template, whichever the request
# gave, and the version as the request gave it.

# --- any request ----------------------------------------------------------------------

VALIDATE_BEFORE_DRY_RUN = True
"""True if a dry run fails for every reason for which the real request would fail."""

NOT_A_NUMBER_CODE = "InvalidParameterValue"
"""The error code for text where a number is expected; not MalformedQueryString."""

# --- the lifecycle of an image --------------------------------------------------------

CLEAN_UP_TIME = timedelta(minutes=10)
"""The default time from disabling to disabled."""

ROOT_VOLUME_GIB = 50
"""The size of a root volume, as in the cost example of the EC2 User Guide."""

FULL_SNAPSHOT_BYTES = 24 * 2**30
"""FullSnapshotSizeInBytes of a snapshot of a root volume: the blocks that Windows has written."""

# A preparation instance that hangs does not disturb the others: EC2 ends all of them, and the
# image fails, only when the first of them has run for PREPARATION_LIMIT (pool/fill_time.py). The
# EC2 User Guide (Troubleshoot) describes nothing sooner, and the limit is given to each instance.
# Snapshots that the others made until then remain, so with at least one the image is enabled.

# An image that was enabled before becomes enabled again at once, whatever its pool contains.
# A change of settings does not change the state. Snapshots survive a failure; no more are
# prepared until the image is enabled again. Lowering the target deletes the excess snapshots
# at once. A clean-up deletes all snapshots at its end, and Force makes it succeed. Fast Launch
# stays enabled for an AMI that is no longer shared.

# --- launches -------------------------------------------------------------------------

STATES_WITHOUT_POOL = frozenset({"disabling", "disabling-failed"})
"""States in which launches take no snapshot and count in no metric, even if some are left."""

LAST_LAUNCH_DELAY = timedelta(hours=24)
"""How late DescribeImages reports a launch (EC2 API Reference: LastLaunchedTime of Image)."""

# Any block device mapping, of the request or of its launch template, bypasses the pool. Two
# accounts may enable Fast Launch for a shared AMI: a launch counts for the account that owned
# the snapshot it took. If it took none, it counts for the launching account, or else for the
# owner of the AMI.

# --- CloudWatch and Service Quotas ----------------------------------------------------

METRIC_DIMENSION = "ImageId"
"""The one dimension of the Fast Launch metrics."""

METRIC_PERIOD = 300
"""Seconds between two values of the stock, and the shortest period of all five metrics."""

METRIC_LISTED_FOR, METRIC_RECENT_FOR = timedelta(days=14), timedelta(hours=3)
"""How long CloudWatch lists a metric after its last value: by default, with RecentlyActive."""

PARALLEL_QUOTA = 40
"""The default of the quota "Parallel instance launches", from the EC2 User Guide."""

# A request to raise a quota stays pending, and the quota as it is: AWS decides it, in days.

# The stock does not notice that a user deletes snapshots of the pool: AWS does not say whether
# it would, and replace them.
# The stock has values from the request that enables an image, starting with 0, until Fast
# Launch is disabled. A period without launches or preparations has no value, not even 0. An
# image that a test adds with Fast Launch has metrics from the first request or launch for it.
