"""Pipeline from observations and scans to state intervals, in steps that every engine can do.

The scans of an account and region are never joined with its images one by one. Each
observation is joined with the scans around it and compared with the next one of its
image. Repeated observations go first, so that little is left for later steps.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd
from narwhals.stable.v2.typing import IntoFrameT

from fastlaunch_nb.frames import open_frame
from fastlaunch_nb.schema.columns import INTERVAL_TIMES, KEY, TEXT, TIME
from fastlaunch_nb.state_intervals.changes import find_changes, merge_changes
from fastlaunch_nb.state_intervals.inputs import Frame, prepare_inputs
from fastlaunch_nb.state_intervals.runs import find_runs


def intervals(
    observations: IntoFrameT,
    coverage: IntoFrameT | None = None,
    *,
    max_gap: str | timedelta | None = None,
) -> IntoFrameT:
    """Compute from when to when each image was in which state.

    Parameters
    ----------
    observations : DataFrame of pandas, Polars (lazy or not), DuckDB, PySpark or pyarrow
        A row for each image and scan: ``account_id``, ``region``, ``image_id``,
        ``state``, ``state_transition_reason``, ``state_transition_time`` and
        ``observed_at``, as :func:`fastlaunch_nb.describe` returns them; and a row for
        each event, with the event's time in both time columns. Rows may come in any
        order and more than once. Other columns, and rows without ``observed_at``, are
        ignored.
    coverage : DataFrame, optional
        A row for each scan of an account and region, in a DataFrame of the same library:
        ``account_id``, ``region``, ``scope``, ``status`` and ``observed_at``. Where
        ``observed_at`` is null, ``asked_at`` replaces it, if there is such a column.
        Without a coverage, no scan proves an absence, and none failed.
    max_gap : str or timedelta, optional
        The longest time between scans after which the state is still known, such as
        ``"1h"``. After a longer gap the state is unknown unless a later scan proves it.
        By default there is no limit.

    Returns
    -------
    DataFrame
        Of the same library, sorted by image and start: ``account_id``, ``region``,
        ``image_id``, ``state``, ``start``, ``end``, ``last_seen``, ``start_exact``,
        ``state_transition_reason``; times in UTC. The intervals of an image follow each
        other without a gap from its first observation on. The last one has no end.

    Raises
    ------
    InputError
        If an argument is not such a DataFrame, a column is missing or has another dtype,
        or `max_gap` is not a duration.

    Notes
    -----
    Three states come in addition to those of AWS:

    ``disabled``
        An event reported it. The state lasts until the image is observed again.
    ``absent``
        A complete, unfiltered scan did not list the image. EC2's answers are eventually
        consistent: one scan that missed an image between two sights of the same state and
        transition is no absence. Two or more scans in a row that missed it are one, even then.
    ``unknown``
        A scan failed, or the gap between scans was longer than `max_gap`. Where a region is not
        opted in, nothing can be read, and what is in it is billed on: the state is unknown from
        the last scan that proved one. It lasts until something is certain again. A later scan in
        the same state, with a transition from before the gap, proves that the state never
        changed: then there is no ``unknown``. A later scan in the same state with a newer
        transition proves that something happened: the state is unknown from the last scan to
        that transition. A state that began only at that last scan lasts a second.

    Two transitions in the same second are the same one, because events know only its second.

    An interval starts at the transition time (``start_exact``), or at the first scan that
    saw the state if AWS gave no time or an earlier scan contradicts it. The time of a scan
    is rounded down to whole seconds: what the scan saw holds at that time, and a transition
    in the same second that it did not see came later. A scan may see a transition up to
    five seconds after its own time. For that image it then counts as made at the
    transition, and scans in between prove nothing about the image. Of several states at
    one time the latest in the life cycle of an image counts.

    Examples
    --------
    >>> import pandas as pd
    >>> import fastlaunch_nb as fl
    >>> item = {"ImageId": "ami-0abcdef1234567890", "State": "enabled",
    ...         "StateTransitionTime": "2026-01-15T09:10:00Z"}
    >>> source = {"account_id": "111122223333", "region": "eu-west-1"}
    >>> images = fl.from_pages([item], **source, observed_at="2026-01-15T09:30:00Z")
    >>> scans = pd.DataFrame({**source, "scope": "", "status": ["complete", "complete", "failed"],
    ...                       "observed_at": pd.to_datetime(["2026-01-15T09:30:00Z",
    ...                           "2026-01-15T09:45:00Z", "2026-01-15T10:00:00Z"])})
    >>> fl.intervals(images, scans)[["state", "start", "end"]]
         state                     start                       end
    0  enabled 2026-01-15 09:10:00+00:00 2026-01-15 09:45:00+00:00
    1   absent 2026-01-15 09:45:00+00:00 2026-01-15 10:00:00+00:00
    2  unknown 2026-01-15 10:00:00+00:00                       NaT
    """
    inputs = prepare_inputs(observations, coverage, max_gap)
    changes = find_changes(find_runs(inputs), inputs)
    result: IntoFrameT = to_native_like(observations, merge_changes(changes).sort(*KEY, "start"))
    return result


def to_native_like(native: Any, result: Frame) -> Any:
    """Return a result as a frame of the same library, and lazy if that one was."""
    frame: Any = open_frame(native)
    if isinstance(frame, nw.LazyFrame):
        return result.to_native()
    table: Any = result.collect().to_native()
    if isinstance(table, pd.DataFrame):
        dtypes = {name: TIME if name in INTERVAL_TIMES else TEXT for name in table}
        table = table.astype({**dtypes, "start_exact": "bool"}).reset_index(drop=True)
    if frame.implementation in (nw.Implementation.PANDAS, result.implementation):
        return table
    rows = nw.from_native(table).to_arrow()  # of a library that has rows, but computes nothing
    return nw.from_arrow(rows, backend=frame.implementation).to_native()
