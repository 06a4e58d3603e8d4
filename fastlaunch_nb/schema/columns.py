"""Columns, dtypes, states, statuses and keys of images, events and coverage."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

TEXT: Final = "string"
COUNT: Final = "Int64"
NUMBER: Final = "Float64"
TIME: Final = "datetime64[us, UTC]"
FLAG: Final = "bool"


class Column(NamedTuple):
    """A column of a DataFrame; `path` leads to its field in an item of the API."""

    name: str
    dtype: Any  # one of TEXT, COUNT, NUMBER, TIME and FLAG
    meaning: str
    path: tuple[str, ...] = ()


COLUMNS = (
    Column("account_id", TEXT, "the account that was read, 12 digits as text"),
    Column("region", TEXT, "the region that was read"),
    Column("image_id", TEXT, "the AMI", ("ImageId",)),
    Column("state", TEXT, "state of Fast Launch for this AMI", ("State",)),
    Column("state_transition_reason", TEXT, "reason for this state", ("StateTransitionReason",)),
    Column("state_transition_time", TIME, "start of this state", ("StateTransitionTime",)),
    Column("resource_type", TEXT, "pre-provisioned resource: `snapshot`", ("ResourceType",)),
    Column(
        "target_resource_count",
        COUNT,
        "snapshots to keep available",
        ("SnapshotConfiguration", "TargetResourceCount"),
    ),
    Column(
        "max_parallel_launches",
        COUNT,
        "maximum of instances that prepare snapshots at once",
        ("MaxParallelLaunches",),
    ),
    Column(
        "launch_template_id",
        TEXT,
        "launch template of the preparation instances",
        ("LaunchTemplate", "LaunchTemplateId"),
    ),
    Column("launch_template_name", TEXT, "its name", ("LaunchTemplate", "LaunchTemplateName")),
    Column("launch_template_version", TEXT, "its version", ("LaunchTemplate", "Version")),
    Column("owner_id", TEXT, "owner of the AMI; empty for AMIs shared with you", ("OwnerId",)),
    Column("observed_at", TIME, "time of AWS's response, by its clock, in whole seconds"),
)

EVENTS = (*COLUMNS, Column("event_id", TEXT, "EventBridge's id of the event"))
"""Columns of events, each an observation at the time of the event."""

COVERAGE = (
    Column("sweep_id", TEXT, "the sweep"),
    Column("account_id", TEXT, "the account, 12 digits as text; null if it could not be opened"),
    Column("account_name", TEXT, "its name, or its profile"),
    Column("region", TEXT, "the region; null if the account's regions could not be listed"),
    Column(
        "scope",
        TEXT,
        "parameters and filters, as JSON, also the page it began at; empty: all images",
    ),
    Column("status", TEXT, "result of the scan: one of `STATUSES`"),
    Column("error_code", TEXT, "AWS's error code, or the name of an exception"),
    Column("error_message", TEXT, "the problem, and what to do"),
    Column("request_id", TEXT, "AWS's id of the failed request"),
    Column("pages", COUNT, "pages received"),
    Column("rows", COUNT, "images in them"),
    Column("seconds", NUMBER, "duration, including waits"),
    Column("retries", COUNT, "requests sent again"),
    Column(
        "observed_at",
        TIME,
        "time of AWS's first response, by its clock; without one, a time during the sweep",
    ),
    Column("checkpoint", TEXT, "page token to continue a partial scan"),
)
"""Columns of a coverage, which has a row for each account and region to read."""

COMPLETE, PARTIAL, FAILED = "complete", "partial", "failed"
NOT_OPTED_IN, INTERRUPTED = "not-opted-in", "interrupted"
STATUSES = {
    COMPLETE: "every page was read",
    PARTIAL: "it stopped early; its rows so far are present, and `sweep(resume=...)` continues",
    FAILED: "nothing was read",
    NOT_OPTED_IN: "the account has not opted in to the region: unknown, and billed on",
    INTERRUPTED: "the sweep was stopped before anything was read",
}
"""Statuses of a scan, with their meanings."""

FAILURES: Final = (PARTIAL, FAILED, INTERRUPTED)
"""Statuses of scans that failed. A region that is not opted in is no failure, but unknown."""

INTERVAL_TIMES: Final = {"start": TIME, "end": TIME, "last_seen": TIME}
"""Time columns that only intervals have."""

KEY = ("account_id", "region", "image_id")
"""Columns that identify an image."""

ACCOUNT_REGION: Final = KEY[:2]
"""Columns that identify an account and region."""

INTERVAL_COLUMNS: Final = (*KEY, "state", *INTERVAL_TIMES, "start_exact")
"""Columns that every view of intervals needs."""

API_STATES = (
    "enabling",
    "enabling-failed",
    "enabled",
    "enabled-failed",
    "disabling",
    "disabling-failed",
)
DISABLED, ABSENT, UNKNOWN = "disabled", "absent", "unknown"
STATES = (*API_STATES, DISABLED, ABSENT, UNKNOWN)
"""The API's six states in the order of an image's life cycle, then three that only we derive."""

FAILED_STATES = ("enabling-failed", "enabled-failed", "disabling-failed")
WORST_FIRST = (*FAILED_STATES, UNKNOWN, "disabling", "enabling", "enabled", DISABLED, ABSENT)

EXAMPLE_ACCOUNTS = frozenset({"111122223333", "123456789012", "444455556666", "777788889999"})
"""Accounts of AWS's documentation, which belong to nobody: their rows are demo data."""

API_FILTERS = {"state": "state", "owner-id": "owner_id", "resource-type": "resource_type"}
"""Filters of DescribeFastLaunchImages, with the column of each."""
