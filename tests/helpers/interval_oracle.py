"""An oracle for intervals: the same rules in plain Python, scan by scan, and its cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.schema.columns import API_STATES, KEY, TEXT, TIME

MAX_AHEAD, SECOND = timedelta(seconds=5), timedelta(seconds=1)
NEVER = datetime.max.replace(tzinfo=UTC)
STATES = ("enabling", "enabling-failed", "enabled", "disabling", "disabled", None)
COMPLETE = ("complete",)
FAILED = ("failed", "partial", "interrupted")
NOT_OPTED_IN = "not-opted-in"
LIFE_CYCLE = ["unknown", "absent", *API_STATES, "disabled"]
AccountRegion: TypeAlias = "tuple[str | None, str | None]"


class Observation(NamedTuple):
    """An image in a scan, or an event."""

    account_region: AccountRegion
    image: str
    state: str | None
    reason: str | None
    transition_time: datetime | None
    observed_at: datetime

    @property
    def instant(self) -> datetime:
        """Time from which it counts: the transition if that was seen ahead, else the scan."""
        return max(self.scanned, self.transition or self.scanned)

    @property
    def transition(self) -> datetime | None:
        """Transition time, unless it is too far ahead."""
        time = self.transition_time
        return time if time and time <= self.scanned + MAX_AHEAD else None

    @property
    def scanned(self) -> datetime:
        """The scan's own time, in whole seconds."""
        return self.observed_at.replace(microsecond=0)

    @property
    def instant_second(self) -> datetime:
        """Second until which other scans prove nothing about the image."""
        return self.instant.replace(microsecond=0)

    def has_transition_of(self, other: Observation) -> bool:
        """Return whether both saw the same transition; events know only its second."""
        times = [
            seen.transition and seen.transition.replace(microsecond=0) for seen in (self, other)
        ]
        return None not in times and times[0] == times[1]

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """Order of the observations of an image."""
        state = self.state or "unknown"
        return (
            self.instant,
            self.transition or datetime.min.replace(tzinfo=UTC),
            LIFE_CYCLE.index(state) if state in LIFE_CYCLE else len(LIFE_CYCLE),
            state,
            self.reason is None,
            self.reason or "",
        )


class Scan(NamedTuple):
    """A row of coverage."""

    account_region: AccountRegion
    status: str
    scope: str | None
    time: datetime

    def is_unfiltered(self, statuses: Sequence[str]) -> bool:
        """Return whether it read all images, and ended with one of these statuses."""
        return not self.scope and self.status in statuses


class Point(NamedTuple):
    """A time at which the state is certain: an observation, or the image was absent.

    The state becomes uncertain after `seen`, and a next state counts from `scanned` on.
    """

    time: datetime
    scanned: datetime
    seen: datetime
    state: str
    observation: Observation | None

    def goes_on(self, before: Point) -> bool:
        """Return whether the point before shows the same, in an observation or an absence."""
        is_same_kind = (self.observation is None) == (before.observation is None)
        return is_same_kind and self.state == before.state

    def is_seam(self, before: Point) -> bool:
        """Return whether a transition to this same state came after the point before."""
        own, last = self.observation, before.observation
        if not own or not last or self.state != before.state or not own.transition:
            return False
        return own.transition > before.time and not own.has_transition_of(last)


class Case(NamedTuple):
    """Observations and scans of some accounts and regions."""

    observations: list[Observation]
    scans: list[Scan]


def compute_intervals(case: Case, max_gap: timedelta | None = None) -> list[tuple[Any, ...]]:
    """Return the intervals of a case, as rows."""
    observations = sorted(
        case.observations, key=lambda seen: (str(seen.account_region), seen.image, seen.sort_key)
    )
    rows = []
    for key, group in groupby(observations, lambda seen: (seen.account_region, seen.image)):
        account_region, image = key
        scans = [
            scan._replace(time=scan.time.replace(microsecond=0))
            for scan in case.scans
            if scan.account_region == account_region
        ]
        times = [s.scanned for s in case.observations if s.account_region == account_region]
        until = max([scan.time for scan in scans] + times)
        intervals = _compute_image(list(group), scans, until, max_gap)
        rows += [(*account_region, image, *interval) for interval in intervals]
    return sorted(rows, key=lambda row: (*(text or "" for text in row[:3]), row[4]))


def _compute_image(
    observations: list[Observation], scans: list[Scan], until: datetime, max_gap: timedelta | None
) -> list[tuple[Any, ...]]:
    complete = sorted({scan.time for scan in scans if scan.is_unfiltered(COMPLETE)})
    failed = sorted({scan.time for scan in scans if scan.is_unfiltered(FAILED)})
    opted_out = sorted({scan.time for scan in scans if scan.status == NOT_OPTED_IN})
    points = _find_points(observations, complete)
    pieces: list[list[Any]] = []  # start, state, start_exact, points

    def add_unknown(
        point: Point, start: datetime | None, until: datetime, following: Point | None
    ) -> bool:
        """Add an unknown piece from where `point` is no longer certain; return if there is one."""

        def select(times: list[datetime]) -> list[datetime]:
            """Return the times after the point and before what follows."""
            before = min(start, following.scanned) if start and following else NEVER
            return [time for time in times if point.seen < time < before]

        ends = select(failed)
        if select(opted_out) or (following and following.is_seam(point)):
            ends.append(point.time)
        if max_gap is not None and point.time + max_gap < until:
            ends.append(point.time + max_gap)
        if ends and pieces:
            end = min(ends)
            if end == pieces[-1][0]:  # the state began only then: it lasts a second
                end = min(end + SECOND, start or NEVER)
            pieces.append([end, "unknown", False, []])
        return bool(ends)

    for number, point in enumerate(points):
        if point.time < observations[0].scanned:
            continue
        start, exact = _find_start(points, number)
        before = points[number - 1] if number else None
        continues = bool(before and pieces and point.goes_on(before))
        if before and add_unknown(before, start, start, point):
            continues = False
        if continues:
            pieces[-1][3].append(point)
        else:
            pieces.append([start, point.state, exact, [point]])
    add_unknown(points[-1], None, until, None)
    return _merge_pieces(pieces, observations)


def _find_points(observations: list[Observation], complete: list[datetime]) -> list[Point]:
    scanned = [min(seen.scanned for seen in observations[n:]) for n in range(len(observations))]
    points = [Point(time, time, time, "absent", None) for time in complete if time < scanned[0]]
    neighbours = zip(
        observations, scanned, [*observations[1:], None], [*scanned[1:], None], strict=True
    )
    for seen, own, following, next_scanned in neighbours:
        points.append(Point(seen.instant, own, seen.instant_second, seen.state or "unknown", seen))
        missed = [
            time
            for time in complete
            if seen.instant_second < time and (next_scanned is None or time < next_scanned)
        ]
        is_proven = (
            following and following.state == seen.state and following.has_transition_of(seen)
        )
        if is_proven and len(missed) == 1:
            missed = []
        absence = "disabled" if seen.state == "disabled" else "absent"
        points += [Point(time, time, time, absence, None) for time in missed]
    return points


def _find_start(points: list[Point], number: int) -> tuple[datetime, bool]:
    """Return when a point's state began, and whether that is exact.

    A point that continues the state of the point before it may start earlier than that.
    """
    point = points[number]
    if not point.observation:
        return point.time, False
    first, last = number, number
    while first and _continues(points, first):
        first -= 1
    while last + 1 < len(points) and _continues(points, last + 1):
        last += 1
    other_until = points[first - 1].time if first else None
    block = [p.observation for p in points[number : last + 1] if p.observation]
    times = [(seen.transition, seen.instant) for seen in block if seen.transition]
    if number == first and other_until:
        times = [time for time in times if time[0] > other_until or time[0] == time[1]]
    earliest = min((transition for transition, _ in times), default=None)
    if earliest is None or earliest > point.time:
        return point.time, False
    return earliest, True


def _continues(points: list[Point], number: int) -> bool:
    """Return whether an observation continues the state of the point before it."""
    before, point = points[number - 1 : number + 1]
    return point.observation is not None and point.goes_on(before) and not point.is_seam(before)


def _merge_pieces(
    pieces: list[list[Any]], observations: Sequence[Observation]
) -> list[tuple[Any, ...]]:
    merged: list[list[Any]] = []
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        if following and following[0] == piece[0] and following[1] != piece[1]:
            continue
        if merged and merged[-1][1] == piece[1]:
            merged[-1][3] += piece[3]
        else:
            merged.append(piece)
    rows = []
    for piece, following in zip(merged, [*merged[1:], None], strict=True):
        start, state, exact, points = piece
        last_seen = max((point.time for point in points), default=None)
        end, reason = following and following[0], _find_reason(points, state, observations)
        rows.append((state, start, end, None if state == "unknown" else last_seen, exact, reason))
    return rows


def _find_reason(
    points: list[Point], state: str, observations: Sequence[Observation]
) -> str | None:
    """Return the reason of the last observation of an interval, or of the last one before it."""
    if state in ("unknown", "absent"):
        return None
    own = [point.observation for point in points if point.observation]
    before = [seen for seen in observations if points and seen.instant <= points[0].time]
    return (own or before)[-1].reason


# --- cases ----------------------------------------------------------------------------


def make_frames(case: Case) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a case as observations and coverage."""
    observations = pd.DataFrame(
        [(*seen.account_region, *seen[1:]) for seen in case.observations],
        columns=[*KEY, "state", "state_transition_reason", "state_transition_time", "observed_at"],
    )
    coverage = pd.DataFrame(
        [(*scan.account_region, scan.scope, scan.status, scan.time) for scan in case.scans],
        columns=["account_id", "region", "scope", "status", "observed_at"],
    )
    return _set_dtypes(observations), _set_dtypes(coverage)


def _set_dtypes(table: pd.DataFrame) -> pd.DataFrame:
    times = {"state_transition_time", "observed_at"}
    return table.astype({name: TIME if name in times else TEXT for name in table})
