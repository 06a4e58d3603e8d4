"""What AWS does not document, and how the embedded EC2 has it: each choice is here only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

# --- pages of DescribeFastLaunchImages ------------------------------------------------

DEFAULT_PAGE = 200
"""Items a page where a request names no MaxResults, or 0."""

ORDER: Callable[[str], str] = str
"""What results are sorted by: their ids, as text."""

UNKNOWN_PAGE = "InvalidNextToken"
"""The code for a token that is none, or has expired; not InvalidPaginationToken."""

TOKEN_LIFETIME: timedelta | None = None
"""How long a token leads on; None is for ever."""

PAGE_OF_NAMED = "InvalidParameterCombination"
"""The code for MaxResults together with ImageIds, as EC2's general rule for paging has it."""

NAMED_NOT_ENABLED: str | None = None
"""The code for naming an image without Fast Launch; None leaves it out of the answer."""

# --- enabling and disabling -----------------------------------------------------------

DEFAULT_TARGET, DEFAULT_PARALLEL = 5, 6
"""TargetResourceCount and MaxParallelLaunches where a request names none."""

NOT_WINDOWS = "InvalidParameterValue"
"""The code for an AMI of another platform."""

NOT_ENABLED = "InvalidParameterValue"
"""The code for disabling what is not enabled."""

STILL_CLEANING = "IncorrectState"
"""The code for enabling or disabling again while snapshots are being removed."""

NO_ENABLING_FROM = frozenset({"disabling", "disabling-failed"})
"""States that refuse to be enabled: all snapshots must be gone before. All others allow it."""

NO_DISABLING_FROM = frozenset({"disabling"})
"""States that refuse to be disabled. Any other state leads to disabling."""

NO_SUCH_VERSION = "InvalidLaunchTemplateId.VersionNotFound"
"""The code for a launch template's version that is not there, and for one that is no number."""

# A template is answered with its id and its name, whichever was given, and the version
# as it was given; where none was given, none is answered (AWS makes one and names it).

# --- any request ----------------------------------------------------------------------

DRY_RUN_IS_LAST = True
"""Whether a dry run is refused for all that the request itself would be refused for."""

NOT_A_NUMBER = "InvalidParameterValue"
"""The code for text where a number is expected; not MalformedQueryString."""

# --- the life of an image -------------------------------------------------------------

CLEAN_UP_TIME = timedelta(minutes=10)
"""From disabling to disabled, where nothing else is set."""

ROOT_GIB = 50
"""The root volume: as in the example of AWS's page on the cost of EC2 Fast Launch."""

# An image that was enabled before is enabled again at once, whatever is in its pool, and a
# change of settings does not change its state. What was prepared stays after a failure;
# nothing more is prepared until the image is enabled again. A target that is lowered gives
# up what is above it at once. Snapshots all go at the end of the clean-up, and Force ends
# it in their absence of any error. An AMI that is no longer shared keeps Fast Launch.

# --- launches -------------------------------------------------------------------------

COLD_WHILE = frozenset({"disabling", "disabling-failed"})
"""States in which nothing is taken from a pool, whatever is left in it, and nothing counted."""

# Any block device mapping, of the request or of its launch template, keeps a launch from the
# pool. Two accounts may have Fast Launch for a shared AMI: a launch counts in the metrics of
# that account whose snapshot it took; where none had one, of its own before the owner's.

# --- CloudWatch and Service Quotas ----------------------------------------------------

METRIC_DIMENSION = "ImageId"
"""The one dimension of the metrics of Fast Launch."""

METRIC_PERIOD = 300
"""Seconds between two values of the stock, and the shortest period of all five metrics."""

LISTED_FOR, LISTED_RECENT = timedelta(days=14), timedelta(hours=3)
"""How long ListMetrics lists what has no more values: by its documentation, plain and recent."""

PARALLEL_QUOTA = 40
"""The default of the quota "Parallel instance launches", by the EC2 User Guide."""

# The stock is counted from the request that enables an image, with 0, and until it is gone.
# Where nothing was launched or prepared there is no value, and no 0. An image that was put
# there with Fast Launch has metrics from the first request or launch on that concerns it.
