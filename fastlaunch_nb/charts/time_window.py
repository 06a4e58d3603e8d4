"""Time windows: intervals as segments of one state, clipped to the time that scans covered.

All charts over time are drawn from here, so that they have the same axis, count the same hours
and omit the same images.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import narwhals.stable.v2 as nw
import numpy.typing as npt
import pandas as pd

from fastlaunch_nb.charts import alt_text
from fastlaunch_nb.charts.markup import RowText
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration, format_time, state_rank
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, INTERVAL_COLUMNS, INTERVAL_TIMES, KEY
from fastlaunch_nb.state_intervals.inputs import UTC, instant, transition
from fastlaunch_nb.validation import parse_duration, require_columns, validate_columns

UNKNOWN: Final = "unknown"
_NEVER_OBSERVED: Final = "No row has an observation time: pass observed_at to from_pages."
_ENDED_BEFORE: Final = "No image was seen in this period. To see earlier ones, use since=None."
_NO_REASON = {"unknown": "no scan proves the state", "absent": "not listed by complete scans"}
_SHORTEST = pd.Timedelta("1h")  # the minimum length of the axis


class TimeWindow(NamedTuple):
    """The segments that a chart draws, and its time axis.

    A segment is a time that an image spent in one state. It has the columns of intervals; `image`,
    its number; `visible_start` and `visible_end`, clipped to the axis; and `duration`, the time
    between these two.
    """

    segments: pd.DataFrame  # ordered by image and time
    begin: pd.Timestamp  # of the axis, which does not extend beyond the scans
    end: pd.Timestamp
    single_scan: bool  # for each image, so nothing is known before its current state began
    never_observed: int  # images that are not drawn: no row has a time of observation
    ended_before: int  # images that are not drawn: they were last observed before `begin`

    @property
    def states(self) -> list[str]:
        """The states of all segments, the worst first."""
        return sorted(self.segments["state"].unique(), key=lambda state: (state_rank(state), state))

    @property
    def state_numbers(self) -> npt.NDArray[Any]:
        """The state of each segment as its position in `states`."""
        return pd.Index(self.states).get_indexer(pd.Index(self.segments["state"]))

    @property
    def shares(self) -> dict[str, float]:
        """The share of each state in the time of all images."""
        seconds = self.segments.groupby("state")["duration"].sum().dt.total_seconds()
        return dict(seconds / (seconds.sum() or 1))

    @property
    def image_count(self) -> int:
        """The number of images that are drawn."""
        return int(self.segments["image"].nunique())

    @property
    def length(self) -> str:
        """The length of the axis, as text."""
        return format_duration(self.end - self.begin)

    @property
    def omissions(self) -> list[str]:
        """The images that are not drawn, as text: how many, and why."""
        counts = {
            "never observed": self.never_observed,
            "not seen in this period": self.ended_before,
        }
        return [f"{count:,} not drawn: {reason}" for reason, count in counts.items() if count]

    def describe(self, segment: dict[Any, Any]) -> RowText:
        """Describe a segment in lines: three about the image, its state, its times, the reason.

        The lines of all segments have the same parts; a missing part is empty.
        """
        times = (segment["end"], segment["last_seen"], self.end)
        end = next(time for time in times if not pd.isna(time))
        start, until = format_time(segment["start"]), ""
        if not pd.isna(segment["end"]):
            until = f"until {format_time(end)}"
        elif not self.single_scan:
            until = f"ongoing at {format_time(end)}"
        no_reason = _NO_REASON.get(segment["state"], "no reason given")
        return [
            *alt_text.image_lines(segment),
            [f"{segment['state']} for {format_duration(end - segment['start'])}"],
            [f"since {start}" if segment["start_exact"] else f"first seen {start}", until],
            [alt_text.text_or_default(segment.get("state_transition_reason"), no_reason)],
        ]


def time_window(rows: object, coverage: object, since: Any) -> TimeWindow:
    """Validate the arguments of a chart, and clip its intervals to a time axis.

    Rows without interval columns are images, each observed by one scan. Without a coverage the
    axis begins at the first scan that the intervals prove.
    """
    limit = parse_duration("since", since, "14D", least=pd.Timedelta(1, "ns"))
    scans = _scan_times(coverage)
    given = require_columns("intervals", rows)
    intervals = _prepare_intervals(given)
    merged = _merge_intervals(intervals[intervals["observed"]])
    times = [merged[name] for name in ("start", "end", "last_seen")]
    end = pd.concat(times if scans is None else [merged["last_seen"], scans]).max()
    first_scan = _find_first_scan(merged) if scans is None else scans.min()
    single_scan = _are_images(given) or first_scan is None
    begin = merged["start"].min() if single_scan else first_scan
    if limit is not None:
        begin = max(begin, end - limit)
    begin = min(begin, end - _SHORTEST)
    # An open interval ends when it was last seen; an unknown one has no such time.
    ends = merged["end"].fillna(merged["last_seen"]).fillna(end)
    start, stop = merged["start"].clip(begin, end), ends.clip(begin, end)
    clipped = merged.assign(visible_start=start, visible_end=stop, duration=stop - start)
    segments = clipped[ends > begin].reset_index(drop=True)
    images, observed, drawn = (frame["image"].nunique() for frame in (intervals, merged, segments))
    return TimeWindow(segments, begin, end, single_scan, images - observed, observed - drawn)


def explain_empty(window: TimeWindow) -> tuple[str, str] | None:
    """Return a title and a hint for a chart without segments; None if there were no rows."""
    reason = _NEVER_OBSERVED if window.never_observed else _ENDED_BEFORE
    return ("No image to show.", reason) if window.omissions else None


# --- intervals ------------------------------------------------------------------------


def intervals_of_one_scan(images: pd.DataFrame) -> pd.DataFrame:
    """Return images with the columns of the intervals that a single scan of each proves.

    `start` is the transition's time if AWS gave a plausible one (`start_exact`), else the time
    of the scan. `end` is null, because the state is the current one. `last_seen` is the time of
    the scan, or of the transition if that is later.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}],
    ...                        observed_at="2026-01-15T12:00:00Z")
    >>> first = intervals_of_one_scan(images).iloc[0]
    >>> first["state"], first["start"].isoformat(), first["end"], first["start_exact"]
    ('enabled', '2026-01-15T12:00:00+00:00', NaT, np.False_)
    """
    scan: Any = nw.from_native(cast("Any", images))
    intervals: pd.DataFrame = scan.with_columns(
        start=nw.coalesce(transition(), instant()),
        end=nw.lit(None, dtype=UTC),
        last_seen=instant(),
        start_exact=~transition().is_null(),
    ).to_native()
    return intervals


def _are_images(rows: pd.DataFrame) -> bool:
    return not set(INTERVAL_TIMES) & set(rows)


def _prepare_intervals(rows: pd.DataFrame) -> pd.DataFrame:
    """Return intervals with numbers of images, and whether each was `observed`."""
    if _are_images(rows):
        intervals = intervals_of_one_scan(
            validate_columns("images", rows, *KEY, "state", "state_transition_time", "observed_at")
        )
        # A scan's time is in whole seconds, so a transition may be up to one second ahead of it.
        starts, last_seen = intervals["start"], intervals["last_seen"]
        intervals["start"] = starts.where(starts < last_seen, last_seen)
        observed = last_seen.notna()
    else:
        intervals = validate_columns("intervals", rows, *INTERVAL_COLUMNS)
        if intervals["start"].isna().any():
            raise InputError("An interval has no start. Expected one in each row of intervals.")
        observed = intervals["end"].notna() | intervals["last_seen"].notna()
        observed |= (intervals["state"] == UNKNOWN).fillna(value=True)
    return intervals.assign(
        image=intervals.groupby(list(KEY), dropna=False).ngroup(),
        observed=observed,
        state=intervals["state"].fillna(UNKNOWN),
        start_exact=intervals["start_exact"].fillna(value=False).astype(bool),
    )


def _merge_intervals(intervals: pd.DataFrame) -> pd.DataFrame:
    """Sort intervals by image and start, and merge those that continue the same state."""
    rows = intervals.sort_values(["image", "start"], kind="stable", ignore_index=True)
    image, state = rows["image"].to_numpy(), pd.factorize(rows["state"])[0]
    continues = (image[1:] == image[:-1]) & (state[1:] == state[:-1])
    start, end = (rows[name].to_numpy("datetime64[us]") for name in ("start", "end"))
    continues &= start[1:] <= end[:-1]
    if not continues.any():
        return rows
    first, last = rows[[True, *~continues]], rows[[*~continues, True]]
    names = {"end", "last_seen", "state_transition_reason"} & set(rows)
    return first.assign(**{name: last[name].array for name in names})


# --- scans ----------------------------------------------------------------------------


def _scan_times(coverage: object) -> pd.Series | None:
    """Return the times of all scans; None if no account and region was scanned twice."""
    if coverage is None:
        return None
    scans = validate_columns("coverage", coverage, *ACCOUNT_REGION, "observed_at")
    times = scans["observed_at"]
    if "asked_at" in scans:
        times = times.fillna(scans["asked_at"])
    known = scans.assign(time=times).dropna(subset="time")
    counts = known.groupby([*ACCOUNT_REGION], dropna=False)["time"].nunique()
    return times.dropna() if (counts > 1).any() else None


def _find_first_scan(intervals: pd.DataFrame) -> pd.Timestamp | None:
    """Return the earliest scan that the intervals prove; None if each image has only one.

    A start that is not exact is a scan, and so is the time that a state was last seen. Any
    interval of an image but its first begins after the first scan.
    """
    is_later = intervals["image"].duplicated()
    after_scan = intervals["start"].where(is_later | ~intervals["start_exact"])
    if not (is_later | (after_scan < intervals["last_seen"])).any():
        return None
    first: pd.Timestamp = pd.concat([after_scan, intervals["last_seen"]]).min()
    return first
