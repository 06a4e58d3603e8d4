"""An oracle of intervals: the same rules, look by look, in plain Python; and its cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd

from fastlaunch_nb.schema.columns import API_STATES, KEY, TEXT, TIME

MONDAY = datetime(2026, 1, 12, tzinfo=UTC)
AHEAD = timedelta(seconds=5)
STATES = ("enabling", "enabling-failed", "enabled", "disabling", "disabled", None)
COMPLETE = ("complete", "not-opted-in")
FAILED = ("failed", "partial", "interrupted")
LIFE = ["unknown", "absent", *API_STATES, "disabled"]


class Fact(NamedTuple):
    """An observation: where, what, and the three times of it."""

    place: tuple[str | None, str | None]
    image: str
    state: str | None
    reason: str | None
    since: datetime | None
    seen: datetime

    @property
    def at(self) -> datetime:
        """When the scan counts as made for this image: at the transition, where it saw it ahead."""
        return max(self.second, self.proven or self.second)

    @property
    def proven(self) -> datetime | None:
        """The time of the transition, where it can be."""
        return self.since if self.since and self.since <= self.second + AHEAD else None

    @property
    def second(self) -> datetime:
        """The scan's own time, as AWS tells it."""
        return self.seen.replace(microsecond=0)

    @property
    def until(self) -> datetime:
        """The second up to which other scans tell nothing of this image."""
        return self.at.replace(microsecond=0)

    @property
    def order(self) -> tuple[Any, ...]:
        """What comes first of facts."""
        state = self.state or "unknown"
        return (
            self.at,
            self.proven or datetime.min.replace(tzinfo=UTC),
            LIFE.index(state) if state in LIFE else len(LIFE),
            state,
            self.reason is None,
            self.reason or "",
        )


class Look(NamedTuple):
    """A row of coverage."""

    place: tuple[str | None, str | None]
    status: str
    scope: str | None
    at: datetime

    def is_one_of(self, statuses: Sequence[str]) -> bool:
        """Tell whether it asked for everything, and ended so."""
        return not self.scope and self.status in statuses


class Point(NamedTuple):
    """Something certain: a fact, or that the image was not there.

    Scans tell of it again after `seen`, and of what comes next from `scanned` on.
    """

    at: datetime
    scanned: datetime
    seen: datetime
    state: str
    fact: Fact | None


class Case(NamedTuple):
    """What is known of some places."""

    facts: list[Fact]
    looks: list[Look]


def oracle(case: Case, max_gap: timedelta | None = None) -> list[tuple[Any, ...]]:
    """Return the intervals, as rows."""
    facts = sorted(case.facts, key=lambda fact: (str(fact.place), fact.image, fact.order))
    rows = []
    for (place, image), seen in groupby(facts, lambda fact: (fact.place, fact.image)):
        looks = [
            look._replace(at=look.at.replace(microsecond=0))
            for look in case.looks
            if look.place == place
        ]
        there = [fact.second for fact in case.facts if fact.place == place]
        until = max([look.at for look in looks] + there)
        rows += [(*place, image, *rest) for rest in _of_image(list(seen), looks, until, max_gap)]
    return sorted(rows, key=lambda row: (*(text or "" for text in row[:3]), row[4]))


def _of_image(
    facts: list[Fact], looks: list[Look], until: datetime, max_gap: timedelta | None
) -> list[tuple[Any, ...]]:
    complete = sorted({look.at for look in looks if look.is_one_of(COMPLETE)})
    failed = sorted({look.at for look in looks if look.is_one_of(FAILED)})
    points = _points(facts, complete)
    pieces: list[list[Any]] = []  # start, state, exact, points

    def lost(point: Point, start: datetime | None, until: datetime, after: Point | None) -> bool:
        """Add that it is unknown from where `point` holds no more."""
        cuts = [f for f in failed if f > point.seen]
        if start and after:
            cuts = [f for f in cuts if f < min(start, after.scanned)]
        if max_gap is not None and point.at + max_gap < until:
            cuts.append(point.at + max_gap)
        if cuts and pieces:
            pieces.append([min(cuts), "unknown", False, []])
        return bool(cuts)

    for number, point in enumerate(points):
        start, exact = _start(points, number)
        before = points[number - 1] if number else None
        goes_on = before and before.fact and point.fact and before.state == point.state
        if before and lost(before, start, start, point):
            goes_on = False
        if goes_on:
            pieces[-1][3].append(point)
        elif point.fact or point.at > facts[0].at:
            pieces.append([start, point.state, exact, [point]])
    lost(points[-1], None, until, None)
    return _merged(pieces, facts)


def _points(facts: list[Fact], complete: list[datetime]) -> list[Point]:
    scanned = [min(later.second for later in facts[n:]) for n in range(len(facts))]
    points = [Point(c, c, c, "absent", None) for c in complete if c < scanned[0]]
    for fact, own, after in zip(facts, scanned, [*scanned[1:], None], strict=True):
        points.append(Point(fact.at, own, fact.until, fact.state or "unknown", fact))
        lack = "disabled" if fact.state == "disabled" else "absent"
        points += [
            Point(c, c, c, lack, None)
            for c in complete
            if fact.until < c and (after is None or c < after)
        ]
    return points


def _start(points: list[Point], number: int) -> tuple[datetime, bool]:
    """Return since when it is so; what was proven before goes on where its start is earlier."""
    point = points[number]
    if not point.fact:
        return point.at, False

    def alike(other: Point) -> bool:
        return other.fact is not None and other.state == point.state

    first = number
    while first and alike(points[first - 1]):
        first -= 1
    last = number
    while last + 1 < len(points) and alike(points[last + 1]):
        last += 1
    certain = points[first - 1].at if first else None
    facts = [p.fact for p in points[number : last + 1] if p.fact and p.fact.proven]
    if number == first and certain:
        facts = [f for f in facts if f.proven and (f.proven > certain or f.proven == f.at)]
    told = [fact.proven for fact in facts if fact.proven]
    earliest = min(told, default=None)
    if earliest is None or earliest > point.at:
        return point.at, False
    return earliest, True


def _merged(pieces: list[list[Any]], facts: Sequence[Fact]) -> list[tuple[Any, ...]]:
    kept: list[list[Any]] = []
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        if after and after[0] == piece[0] and after[1] != piece[1]:
            continue
        if kept and kept[-1][1] == piece[1]:
            kept[-1][3] += piece[3]
        else:
            kept.append(piece)
    rows = []
    for (start, state, exact, points), after in zip(kept, [*kept[1:], None], strict=True):
        seen = max((point.at for point in points), default=None) if state != "unknown" else None
        rows.append((state, start, after and after[0], seen, exact, _reason(points, state, facts)))
    return rows


def _reason(points: list[Point], state: str, facts: Sequence[Fact]) -> str | None:
    """Return the reason of the last fact in an interval; or that led to its being disabled."""
    if state in ("unknown", "absent"):
        return None
    own = [point.fact for point in points if point.fact]
    before = [fact for fact in facts if points and fact.at <= points[0].at]
    return (own or before)[-1].reason


# --- cases ----------------------------------------------------------------------------


def frames(case: Case) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a case as observations and coverage."""
    observations = pd.DataFrame(
        [(*f.place, f.image, f.state, f.reason, f.since, f.seen) for f in case.facts],
        columns=[
            *KEY,
            "state",
            "state_transition_reason",
            "state_transition_time",
            "observed_at",
        ],
    )
    coverage = pd.DataFrame(
        [(*look.place, look.scope, look.status, look.at) for look in case.looks],
        columns=["account_id", "region", "scope", "status", "observed_at"],
    )
    return _typed(observations), _typed(coverage)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    times = {"state_transition_time", "observed_at"}
    return table.astype({name: TIME if name in times else TEXT for name in table})
