"""What intervals tell of which time: runs of one state, cut to what was covered.

Whatever is drawn of time is drawn from here, so that every chart has the same
axis, counts the same hours and leaves out the same.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration, state_rank
from fastlaunch_nb.schema.columns import INTERVAL_COLUMNS, INTERVAL_TIMES, KEY
from fastlaunch_nb.state_intervals.one_scan import intervals_of_one_scan
from fastlaunch_nb.validation import parse_duration, validate_columns

UNKNOWN: Final = "unknown"
_UNSEEN = ("No image to show.", "No row says when it was seen: from_pages takes observed_at.")
_EARLIER = ("No image to show.", "None was seen in the time that is shown: since=None shows all.")
_SHORTEST = pd.Timedelta("1h")  # what the axis shows at least
_PLACE = list(KEY[:2])


class TimeWindow(NamedTuple):
    """What there is to draw.

    Attributes
    ----------
    runs : DataFrame
        A row a run of one state, those of an image after each other: the columns of
        intervals, `image`, its number, `shown_from` and `shown_to`, where it is cut to
        the axis, and `spent`, the time between.
    begin, end : Timestamp
        Of the axis: what was covered, and no more than was asked for.
    once : bool
        No image was looked at twice, so that the time before a state began is not told.
    unseen, earlier : int
        Images that are not drawn: of which no row says when they were seen, and which
        were not seen any more when the axis begins.
    """

    runs: pd.DataFrame
    begin: pd.Timestamp
    end: pd.Timestamp
    once: bool
    unseen: int
    earlier: int

    @property
    def states(self) -> list[str]:
        """The states that are drawn, the worst first."""
        return sorted(self.runs["state"].unique(), key=lambda state: (state_rank(state), state))

    @property
    def shares(self) -> dict[str, float]:
        """The share of each state in the time of all images."""
        spent = self.runs.groupby("state")["spent"].sum().dt.total_seconds()
        return dict(spent / (spent.sum() or 1))

    @property
    def images(self) -> int:
        """How many images are drawn."""
        return int(self.runs["image"].nunique())

    @property
    def span(self) -> str:
        """How long the time of the axis is, in words."""
        return format_duration(self.end - self.begin)

    @property
    def not_drawn(self) -> list[str]:
        """What is left out, in words."""
        why = {"never observed": self.unseen, "not seen in this time": self.earlier}
        return [f"{images:,} not drawn: {reason}" for reason, images in why.items() if images]


def time_window(intervals: object, coverage: object, since: Any) -> TimeWindow:
    """Read what is handed in to a chart, and refuse what is none of it.

    A frame of images is a look at each. Without a coverage the axis begins where the
    intervals themselves prove that somebody looked.
    """
    window = parse_duration("since", since, "14D", least=pd.Timedelta(1, "ns"))
    looks = _looks(coverage)
    given = _as_intervals(intervals)
    rows = _merged(given[given["told"]])
    moments = [rows[name] for name in ("start", "end", "last_seen")]
    end = pd.concat(moments if looks is None else [moments[-1], looks]).max()
    first = _first_look(rows) if looks is None else looks.min()
    once = _is_of_images(intervals) or first is None
    begin = rows["start"].min() if once else first
    if window is not None:
        begin = max(begin, end - window)
    begin = min(begin, end - _SHORTEST)
    runs = _cut(rows, begin, end)
    images = [part["image"].nunique() for part in (given, rows, runs)]
    return TimeWindow(runs, begin, end, once, images[0] - images[1], images[1] - images[2])


def explain_empty(there: TimeWindow) -> tuple[str, str] | None:
    """Say why no image is drawn; None where there is none."""
    if there.unseen:
        return _UNSEEN
    return _EARLIER if there.earlier else None


def _as_intervals(intervals: object) -> pd.DataFrame:
    """Return intervals, of a frame of images those that one look tells; none begins after it."""
    if not _is_of_images(intervals):
        fit = validate_columns("intervals", intervals, *INTERVAL_COLUMNS)
        if fit["start"].isna().any():
            raise InputError("An interval has no start. Expected one in each row of intervals.")
        seen = fit["end"].notna() | fit["last_seen"].notna() | (fit["state"] == UNKNOWN)
    else:
        images = validate_columns(
            "images", intervals, *KEY, "state", "state_transition_time", "observed_at"
        )
        told = intervals_of_one_scan(images)
        # Observed in whole seconds, a transition may seem to come up to one later.
        start = told["start"].where(told["start"] < told["last_seen"], told["last_seen"])
        fit, seen = told.assign(start=start), told["last_seen"].notna()
    return fit.assign(
        image=fit.groupby(list(KEY), dropna=False).ngroup(),
        told=seen.fillna(value=True),
        state=fit["state"].fillna(UNKNOWN),
        start_exact=fit["start_exact"].fillna(value=False).astype(bool),
    )


def _is_of_images(intervals: object) -> bool:
    return isinstance(intervals, pd.DataFrame) and not set(INTERVAL_TIMES) & set(intervals)


# --- what was covered -----------------------------------------------------------------


def _looks(coverage: object) -> pd.Series | None:
    """Return the times of all looks; None where no place was looked at twice, or none is told."""
    if coverage is None:
        return None
    looks = validate_columns("coverage", coverage, *_PLACE, "observed_at")
    at = looks["observed_at"]
    if "asked_at" in looks:
        at = at.fillna(pd.to_datetime(looks["asked_at"], utc=True))
    places = looks.assign(at=at).dropna(subset="at").groupby(_PLACE, dropna=False)["at"]
    return at.dropna() if (places.nunique() > 1).any() else None


def _first_look(rows: pd.DataFrame) -> pd.Timestamp | None:
    """Return the earliest look that the intervals prove; None where each image has but one.

    A start that is not exact is a look. So is the last sight of a state. What
    begins after the first interval of an image begins after the first look at it.
    """
    later = rows["image"].duplicated()
    looked = rows["start"].where(later | ~rows["start_exact"])
    if not (later | (looked < rows["last_seen"])).any():
        return None
    first: pd.Timestamp = pd.concat([looked, rows["last_seen"]]).min()
    return first


def _merged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by image and start; what goes on in the same state is one run."""
    rows = rows.sort_values(["image", "start"], kind="stable", ignore_index=True)
    image, state = rows["image"].to_numpy(), pd.factorize(rows["state"])[0]
    goes_on = (image[1:] == image[:-1]) & (state[1:] == state[:-1])
    start, end = (rows[name].to_numpy("datetime64[us]") for name in ("start", "end"))
    goes_on &= start[1:] <= end[:-1]
    if not goes_on.any():
        return rows
    first, last = rows[[True, *~goes_on]], rows[[*~goes_on, True]]
    ends = {name: last[name].array for name in ("end", "last_seen", "state_transition_reason")}
    return first.assign(**{name: ends[name] for name in ends if name in rows})


def clip_times(moments: pd.Series, begin: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
    """Return moments, those outside of a time at its begin or its end."""
    moments = moments.where(moments > begin, begin)
    return moments.where(moments < end, end)


def _cut(rows: pd.DataFrame, begin: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Cut runs to the axis: an open one ends when it was last seen, an unknown one with the axis.

    What ended before the axis begins is not there.
    """
    over = rows["end"].fillna(rows["last_seen"]).fillna(end)
    shown = rows.assign(
        shown_from=clip_times(rows["start"], begin, end), shown_to=clip_times(over, begin, end)
    )
    shown["spent"] = shown["shown_to"] - shown["shown_from"]
    return shown[over > begin].reset_index(drop=True)
