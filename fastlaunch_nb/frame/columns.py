"""The schema: columns, dtypes, meanings, states; and what a frame must be to be shown."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import InputError

TEXT: Final = "string"
COUNT: Final = "Int64"
NUMBER: Final = "Float64"
TIME: Final = "datetime64[us, UTC]"


class Column(NamedTuple):
    """One column of a frame; `path` leads to its field in an item of the API."""

    name: str
    dtype: Any  # one of TEXT, COUNT, NUMBER and TIME
    meaning: str
    path: tuple[str, ...] = ()


COLUMNS = (
    Column("account_id", TEXT, "the account that was asked, 12 digits as text"),
    Column("region", TEXT, "the region that was asked"),
    Column("image_id", TEXT, "the AMI", ("ImageId",)),
    Column("state", TEXT, "state of Fast Launch for this AMI", ("State",)),
    Column("state_transition_reason", TEXT, "why it is in this state", ("StateTransitionReason",)),
    Column(
        "state_transition_time", TIME, "since when it is in this state", ("StateTransitionTime",)
    ),
    Column("resource_type", TEXT, "what is pre-provisioned: `snapshot`", ("ResourceType",)),
    Column(
        "target_resource_count",
        COUNT,
        "snapshots to keep in stock",
        ("SnapshotConfiguration", "TargetResourceCount"),
    ),
    Column(
        "max_parallel_launches",
        COUNT,
        "instances that may prepare snapshots at once",
        ("MaxParallelLaunches",),
    ),
    Column(
        "launch_template_id",
        TEXT,
        "template of the preparation instances",
        ("LaunchTemplate", "LaunchTemplateId"),
    ),
    Column("launch_template_name", TEXT, "its name", ("LaunchTemplate", "LaunchTemplateName")),
    Column("launch_template_version", TEXT, "its version", ("LaunchTemplate", "Version")),
    Column(
        "owner_id",
        TEXT,
        "owner of the AMI; empty for AMIs shared with you",
        ("OwnerId",),
    ),
    Column("observed_at", TIME, "when AWS answered, by its clock, in whole seconds"),
)

EVENTS = (*COLUMNS, Column("event_id", TEXT, "EventBridge's id of the event"))
"""The columns of events, each of which is an observation at the time that it tells."""

COVERAGE = (
    Column("sweep_id", TEXT, "the sweep that looked"),
    Column("account_id", TEXT, "the account, 12 digits as text; null where it could not be opened"),
    Column("account_name", TEXT, "its name, or the profile that leads to it"),
    Column("region", TEXT, "the region; null where the account's regions could not be listed"),
    Column("scope", TEXT, "what was asked for, as JSON; empty: every image"),
    Column("status", TEXT, "how the read ended: one of `frame.STATUSES`"),
    Column("error_code", TEXT, "AWS's error code, or the name of what went wrong"),
    Column("error_message", TEXT, "what went wrong, and what to do"),
    Column("request_id", TEXT, "AWS's id of the request that failed"),
    Column("pages", COUNT, "pages that EC2 answered with"),
    Column("rows", COUNT, "images in them"),
    Column("seconds", NUMBER, "how long it took, waiting included"),
    Column("retries", COUNT, "requests that had to be sent again"),
    Column(
        "observed_at",
        TIME,
        "when AWS first answered, by its clock; where it did not, when the sweep was under way",
    ),
    Column("checkpoint", TEXT, "the page token where a partial read goes on"),
)
"""The columns of a coverage: a row for each account and region that was to be read."""

COMPLETE, PARTIAL, FAILED = "complete", "partial", "failed"
NOT_OPTED_IN, INTERRUPTED = "not-opted-in", "interrupted"
STATUSES = {
    COMPLETE: "every page was read",
    PARTIAL: "it broke off; what had come is there, and `sweep(resume=...)` goes on",
    FAILED: "nothing came",
    NOT_OPTED_IN: "the account has not opted in to the region, so it has no images there",
    INTERRUPTED: "the sweep was stopped before anything came",
}
"""How a read of an account and region ended; the first and the fourth are no failures."""

INTERVAL_TIMES: Final = {"start": TIME, "end": TIME, "last_seen": TIME}
"""The columns of time that an interval has beyond those."""

KEY = ("account_id", "region", "image_id")
"""The columns that name a row."""

API_STATES = (
    "enabling",
    "enabling-failed",
    "enabled",
    "enabled-failed",
    "disabling",
    "disabling-failed",
)
STATES = (*API_STATES, "disabled", "absent", "unknown")
"""The API's six states in the order of an image's life, then the three of ours."""

WORST_FIRST = (
    "enabling-failed",
    "enabled-failed",
    "disabling-failed",
    "unknown",
    "disabling",
    "enabling",
    "enabled",
    "disabled",
    "absent",
)

EXAMPLE_ACCOUNTS = frozenset({"111122223333", "123456789012", "444455556666", "777788889999"})
"""Accounts of AWS's own documentation: nobody's, so their rows are demo data."""

API_FILTERS = {"state": "state", "owner-id": "owner_id", "resource-type": "resource_type"}
"""The filters of DescribeFastLaunchImages, and the column each is about."""


def fit_to_show(images: object, *columns: str) -> pd.DataFrame:
    """Return a frame that views can rely on: these columns are there, times are in UTC.

    Refuse what is no frame of images, one that lacks columns, and one whose
    columns hold something else, as they do after a round trip through CSV.
    """
    expected = "Expected a frame as describe and from_pages make it."
    if not isinstance(images, pd.DataFrame):
        raise InputError(f"{expected} Got a {type(images).__name__}.")
    missing = [column for column in columns if column not in images]
    if missing:
        raise InputError(f"{expected} This one lacks {', '.join(missing)}.")
    declared = {**{column.name: column.dtype for column in COLUMNS}, **INTERVAL_TIMES}
    fitting = {}
    for name in declared.keys() & set(images):
        fitting[name] = _fitted(images[name], declared[name])
        if fitting[name] is None:
            raise InputError(
                f"{expected} In this one {name} is {images[name].dtype}, not {declared[name]}; "
                "a file of CSV keeps no types."
            )
    fit = images.assign(**fitting)
    fit.index.names = [None] * fit.index.nlevels  # an index may bear the name of a column
    return fit


def _fitted(values: pd.Series, dtype: Any) -> pd.Series | None:
    """Return values as this dtype; None where they are of another kind."""
    if values.isna().all():
        return pd.Series(pd.array([None] * len(values), dtype=dtype), index=values.index)
    if dtype == TIME:
        aware = isinstance(values.dtype, pd.DatetimeTZDtype)
        return values.dt.tz_convert("UTC").dt.as_unit("us") if aware else None
    if dtype == COUNT:
        # Other writers of Parquet make a count with nulls a float.
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        whole = number and bool((values.dropna() % 1 == 0).all())
        return values.astype(COUNT) if whole else None
    text = pd.api.types.is_string_dtype(values) or values.dtype == object
    return values.astype(TEXT) if text else None
