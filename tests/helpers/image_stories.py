"""Stories of one image: observations and scans, and the intervals that follow from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from tests.helpers.interval_oracle import Case, Observation, Scan

START = datetime(2026, 3, 28, 12, tzinfo=UTC)  # clocks change within a day
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
ACCOUNT_REGION = ("111122223333", "eu-west-1")
_SCOPE = '{"state":"enabled"}'
_STATUSES = {
    "c": ("complete", ""),
    "f": ("failed", ""),
    "s": ("complete", _SCOPE),
    "n": ("not-opted-in", ""),
    "N": ("not-opted-in", _SCOPE),
}


def make_case(*observations: tuple[Any, ...], scans: str = "", unit: timedelta = MINUTE) -> Case:
    """Return a case of observations (time, state, transition time) and scans.

    Times are minutes. `scans` has a letter for each minute: ``c`` is a complete scan, ``f``
    a failed one, ``s`` one with a scope; ``n`` found the region not opted in, ``N`` so with a
    scope.
    """

    def convert(number: float | None) -> datetime | None:
        return None if number is None else START + number * unit

    return Case(
        [
            Observation(
                ACCOUNT_REGION, "a", state, f"r{n}", convert(transition), START + time * unit
            )
            for n, (time, state, transition) in enumerate(observations)
        ],
        [
            Scan(ACCOUNT_REGION, *_STATUSES[letter], START + n * unit)
            for n, letter in enumerate(scans)
            if letter in _STATUSES
        ],
    )


make_case_in_seconds = partial(make_case, unit=SECOND)


_IN_MINUTES: dict[str, tuple[Case, str | None, str]] = {
    "no time": (make_case((1, "enabled", None)), None, "enabled ~1"),
    "a time": (make_case((1, "enabled", -60)), None, "enabled -60"),
    "two states": (make_case((1, "enabling", 0), (5, "enabled", 3)), None, "enabling 0, enabled 3"),
    "a contradicted time": (
        make_case((1, "enabling", 0), (5, "enabled", 1)),
        None,
        "enabling 0, enabled ~5",
    ),
    "two states at one time, and the later one is seen again": (
        make_case((1, "enabling", 0), (1, "enabled", 1), (5, "enabled", 1)),
        None,
        "enabling 0, enabled 1",
    ),
    "a time that comes with the second scan": (
        make_case((1, "enabling", None), (3, "enabling", 0)),
        None,
        "enabling 0",
    ),
    "a failed scan, and the transition proves the state": (
        make_case((1, "enabled", 0), (5, "enabled", 0), scans=" c f c"),
        None,
        "enabled 0",
    ),
    "a failed scan, and nothing proves the state": (
        make_case((1, "enabled", None), (5, "enabled", None), scans=" c f c"),
        None,
        "enabled ~1, unknown ~3, enabled ~5",
    ),
    "a failed scan, and a later transition proves the state": (
        make_case((1, "enabled", None), (5, "enabled", None), (7, "enabled", 0), scans=" c f c c"),
        None,
        "enabled 0",
    ),
    "another state after a failed scan": (
        make_case((1, "enabled", 0), (5, "enabling", 4), scans=" c f c"),
        None,
        "enabled 0, unknown ~3, enabling 4",
    ),
    "a failed scan when the next state begins": (
        make_case((1, "enabled", 0), (5, "enabling", 4), scans=" c  fc"),
        None,
        "enabled 0, enabling 4",
    ),
    "a failed scan at the time of the observation": (
        make_case((1, "enabled", 0), scans=" f"),
        None,
        "enabled 0",
    ),
    "a failed scan at the end": (
        make_case((1, "enabled", 0), scans=" cf"),
        None,
        "enabled 0, unknown ~2",
    ),
    "a gap before a failed scan": (
        make_case((1, "enabled", 0), scans=" c f"),
        "1min",
        "enabled 0, unknown ~2",
    ),
    "no gap before a failed scan": (
        make_case((1, "enabled", 0), scans=" c f"),
        "2min",
        "enabled 0, unknown ~3",
    ),
    "a gap as long as allowed": (make_case((1, "enabled", 0), scans=" c s"), "2min", "enabled 0"),
    "a gap longer than allowed": (
        make_case((1, "enabled", 0), scans=" c s"),
        "119s",
        "enabled 0, unknown ~2.98333",
    ),
    "a gap in which filtered scans come": (
        make_case((1, "enabled", 0), scans=" css"),
        "1min",
        "enabled 0, unknown ~2",
    ),
    "missed by one scan, and absent later": (
        make_case((1, "enabled", 0), (6, "enabled", 0), scans=" c  c c c"),
        None,
        "enabled 0, absent ~8",
    ),
    "seen twice, and missed by one scan": (
        make_case((1, "enabled", 0), (2, "enabled", 0), (6, "enabled", 0), scans=" cc c c"),
        None,
        "enabled 0",
    ),
    "missed by one scan, and by one more": (
        make_case((1, "enabled", 0), (3, "enabled", 0), (5, "enabled", 0), scans=" ccccc"),
        None,
        "enabled 0",
    ),
    "missed by one scan, and another failed": (
        make_case((1, "enabled", 0), (6, "enabled", 0), scans=" c fc c"),
        None,
        "enabled 0",
    ),
    "missed by one scan, and another found the region not opted in": (
        make_case((1, "enabled", 0), (6, "enabled", 0), scans=" cnc  c"),
        None,
        "enabled 0",
    ),
    "missed by two scans": (
        make_case((1, "enabled", 0), (7, "enabled", 0), scans=" c  cc c c"),
        None,
        "enabled 0, absent ~4, enabled ~7, absent ~9",
    ),
    "missed by two scans, and one between them failed": (
        make_case((1, "enabled", 0), (6, "enabled", 0), scans=" ccfc c"),
        None,
        "enabled 0, absent ~2, unknown ~3, absent ~4, enabled ~6",
    ),
    "missed by one scan, and back since then": (
        make_case((1, "enabled", 0), (6, "enabled", 5), scans=" c  c c"),
        None,
        "enabled 0, absent ~4, enabled 5",
    ),
    "missed by one scan, and back with an older time": (
        make_case((1, "enabled", 0), (6, "enabled", -5), scans=" c  c c"),
        None,
        "enabled 0, absent ~4, enabled ~6",
    ),
    "missed by one scan, and nothing proves the state": (
        make_case((1, "enabled", None), (6, "enabled", None), scans=" c  c c"),
        None,
        "enabled ~1, absent ~4, enabled ~6",
    ),
    "missed by one scan, and another state of the same time": (
        make_case((1, "enabling", 0), (6, "enabled", 0), scans=" c  c c"),
        None,
        "enabling 0, absent ~4, enabled ~6",
    ),
    "a newer transition": (
        make_case((1, "enabled", 0), (7, "enabled", 5), scans=" c     c"),
        None,
        "enabled 0, unknown ~1, enabled 5",
    ),
    "a transition at the last scan": (
        make_case((1, "enabled", 0), (7, "enabled", 1), scans=" c     c"),
        None,
        "enabled 0",
    ),
    "a transition before the last scan": (
        make_case((3, "enabled", 0), (7, "enabled", 2), scans="   c   c"),
        None,
        "enabled 0",
    ),
    "newer transitions": (
        make_case((1, "enabled", 0), (5, "enabled", 3), (9, "enabled", 8)),
        None,
        "enabled 0, unknown ~1, enabled 3, unknown ~5, enabled 8",
    ),
    "a newer transition, and the old one again": (
        make_case((1, "enabled", 0), (7, "enabled", 5), (9, "enabled", 0)),
        None,
        "enabled 0, unknown ~1, enabled 5",
    ),
    "a newer transition after a failed scan": (
        make_case((1, "enabled", 0), (7, "enabled", 5), scans=" c f   c"),
        None,
        "enabled 0, unknown ~1, enabled 5",
    ),
    "a newer transition after a gap": (
        make_case((1, "enabled", 0), (7, "enabled", 5), scans=" c     c"),
        "2min",
        "enabled 0, unknown ~1, enabled 5",
    ),
    "a first transition after the last scan": (
        make_case((1, "enabled", None), (7, "enabled", 5)),
        None,
        "enabled ~1, unknown ~1.01667, enabled 5",
    ),
    "disabled twice": (
        make_case((1, "disabled", 1), (5, "disabled", 5)),
        None,
        "disabled 1, unknown ~1.01667, disabled 5",
    ),
    "not opted in": (make_case((1, "enabled", 0), scans=" c  n"), None, "enabled 0, unknown ~1"),
    "not opted in, in a sweep with filters": (
        make_case((1, "enabled", 0), scans=" c  N"),
        None,
        "enabled 0, unknown ~1",
    ),
    "a failed scan, then not opted in": (
        make_case((1, "enabled", 0), scans=" c f n"),
        None,
        "enabled 0, unknown ~1",
    ),
    "not opted in, then a failed scan": (
        make_case((1, "enabled", 0), scans=" c n f"),
        None,
        "enabled 0, unknown ~1",
    ),
    "not opted in, and gone when it is again": (
        make_case((1, "enabled", 0), scans=" c n c"),
        None,
        "enabled 0, unknown ~1, absent ~5",
    ),
    "not opted in, and the transition proves the state": (
        make_case((1, "enabled", 0), (5, "enabled", 0), scans=" c n c"),
        None,
        "enabled 0",
    ),
    "not opted in, and nothing proves the state": (
        make_case((1, "enabled", None), (2, "enabled", None), (5, "enabled", None), scans=" ccn c"),
        None,
        "enabled ~1, unknown ~2, enabled ~5",
    ),
    "not opted in, then another state": (
        make_case((1, "enabled", 0), (5, "enabling", 4), scans=" c n c"),
        None,
        "enabled 0, unknown ~1, enabling 4",
    ),
    "not opted in when the next state begins": (
        make_case((1, "enabled", 0), (5, "enabling", 4), scans=" c  nc"),
        None,
        "enabled 0, enabling 4",
    ),
    "not opted in at the time of the observation": (
        make_case((1, "enabled", 0), scans=" n"),
        None,
        "enabled 0",
    ),
    "seen once, then not opted in": (
        make_case((1, "enabled", None), scans=" c n"),
        None,
        "enabled ~1, unknown ~1.01667",
    ),
    "absent, then not opted in": (
        make_case((1, "enabled", 0), scans=" cc  n"),
        None,
        "enabled 0, absent ~2, unknown ~2.01667",
    ),
    "absent in two scans, then not opted in": (
        make_case((1, "enabled", 0), scans=" cc c n"),
        None,
        "enabled 0, absent ~2, unknown ~4",
    ),
    "not opted in between two absences": (
        make_case((1, "enabled", 0), scans=" cc n c"),
        None,
        "enabled 0, absent ~2, unknown ~2.01667, absent ~6",
    ),
    "absent, then not opted in, then back": (
        make_case((1, "enabled", 0), (7, "enabling", 6), scans=" c ccn c"),
        None,
        "enabled 0, absent ~3, unknown ~4, enabling 6",
    ),
    "disabled, then not opted in": (
        make_case((1, "enabled", 0), (3, "disabled", 3), scans=" c   n"),
        None,
        "enabled 0, disabled 3, unknown ~3.01667",
    ),
    "failed scans while it is absent": (
        make_case((1, "enabled", 0), scans=" ccfcfc"),
        None,
        "enabled 0, absent ~2, unknown ~3, absent ~4, unknown ~5, absent ~6",
    ),
    "a failed scan after an absence": (
        make_case((1, "enabled", 0), scans=" ccf"),
        None,
        "enabled 0, absent ~2, unknown ~3",
    ),
    "a failed scan before it is back": (
        make_case((1, "enabled", 0), (5, "enabling", 4), scans=" ccf c"),
        None,
        "enabled 0, absent ~2, unknown ~3, enabling 4",
    ),
    "disabled, then not listed": (
        make_case((1, "enabled", 0), (3, "disabled", 3), scans=" c  c c"),
        None,
        "enabled 0, disabled 3",
    ),
    "disabled and back": (
        make_case((1, "enabled", 0), (3, "disabled", 3), (6, "enabling", 5), scans=" c  c c"),
        None,
        "enabled 0, disabled 3, enabling 5",
    ),
    "no state": (make_case((1, None, None), (2, "enabled", 0)), None, "unknown ~1, enabled ~2"),
    "a time that an absence contradicts": (
        make_case((2, "enabled", 1), scans="cc"),
        None,
        "enabled ~2",
    ),
    "two at one time": (make_case((2, "enabling", 2), (2, "enabled", 2)), None, "enabled 2"),
    "a time when it was another": (
        make_case((2, "enabling", 1), (9, "enabled", 2)),
        None,
        "enabling 1, enabled ~9",
    ),
}
A, B = "enabling", "enabled"
_IN_SECONDS: dict[str, tuple[Case, str | None, str]] = {
    "seen in its second": (make_case_in_seconds((2, A, 2.5)), None, "enabling 2.5"),
    "seen at its second": (make_case_in_seconds((2, A, 2)), None, "enabling 2"),
    "in the second of a scan that did not see it": (
        make_case_in_seconds((2, A, 0), (9, B, 2.5), scans="  c      c"),
        None,
        "enabling 0, enabled 2.5",
    ),
    "in the second before a scan": (
        make_case_in_seconds((2, A, 0), (9, B, 1.999999)),
        None,
        "enabling 0, enabled ~9",
    ),
    "in the second of a scan that lacks it": (
        make_case_in_seconds((9, B, 2.5), scans="  c      c"),
        None,
        "enabled 2.5",
    ),
    "an event at the time of a scan": (
        make_case_in_seconds((2, A, 0), (2, "disabled", 2), scans="  c   c"),
        None,
        "enabling 0, disabled 2",
    ),
    "an event in the second that a scan saw": (
        make_case_in_seconds((2, A, 2.7), (2, A, 2), scans="  c   c"),
        None,
        "enabling 2, absent ~6",
    ),
    "an event, and a scan that lacks it": (
        make_case_in_seconds((2, B, 2), (9, B, 2.552), scans="     c   c"),
        None,
        "enabled 2",
    ),
    "an event, a scan that lacks it, and a transition of the next second": (
        make_case_in_seconds((2, B, 2), (9, B, 3.1), scans="     c   c"),
        None,
        "enabled 2, absent ~5, enabled ~9",
    ),
    "an event, and its transition with a fraction": (
        make_case_in_seconds((2, B, 2), (9, B, 2.999999)),
        None,
        "enabled 2",
    ),
    "an event, and a transition a second later": (
        make_case_in_seconds((2, B, 2), (9, B, 3)),
        None,
        "enabled 2",
    ),
    "an event, and a transition more than a second later": (
        make_case_in_seconds((2, B, 2), (9, B, 3.5)),
        None,
        "enabled 2, unknown ~3, enabled 3.5",
    ),
    "a newer transition in the second of the last scan": (
        make_case_in_seconds((2, B, 0), (9, B, 2.5)),
        None,
        "enabled 0, unknown ~2, enabled 2.5",
    ),
    "a newer transition, seen ahead": (
        make_case_in_seconds((2, B, 0), (10, B, 13)),
        None,
        "enabled 0, unknown ~2, enabled 13",
    ),
    "a newer transition after one that was seen ahead": (
        make_case_in_seconds((1, B, -5), (2, B, 5), (20, B, 13)),
        None,
        "enabled -5, unknown ~1, enabled 5, unknown ~6, enabled 13",
    ),
    "ahead, and missed by one scan": (
        make_case_in_seconds((10, B, 13), (20, B, 13), scans="          c    c    c"),
        None,
        "enabled 13",
    ),
    "ahead, and missed by one scan before and one after": (
        make_case_in_seconds((10, B, 13), (20, B, 13), scans="          c  c c    c"),
        None,
        "enabled 13",
    ),
    "ahead, and missed by two scans after": (
        make_case_in_seconds((10, B, 13), (20, B, 13), scans="          c   cc    c"),
        None,
        "enabled 13, absent ~14, enabled ~20",
    ),
    "three seconds ahead": (make_case_in_seconds((10, B, 13)), None, "enabled 13"),
    "five seconds ahead": (make_case_in_seconds((10, B, 15)), None, "enabled 15"),
    "a microsecond more than five seconds ahead": (
        make_case_in_seconds((10, B, 15.000001)),
        None,
        "enabled ~10",
    ),
    "five seconds ahead, rounded down": (make_case_in_seconds((10.9, B, 15)), None, "enabled 15"),
    "five seconds ahead, not rounded": (make_case_in_seconds((10.9, B, 15.9)), None, "enabled ~10"),
    "six seconds ahead": (make_case_in_seconds((10, B, 16)), None, "enabled ~10"),
    "ahead, of a complete scan": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c         c         c"),
        None,
        "enabling -9, enabled 13, absent ~20",
    ),
    "ahead, and a scan lacks it meanwhile": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c         c c"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, and a scan lacks it then": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c         c  c"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, and a scan lacks it after that": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c         c   c"),
        None,
        "enabling -9, enabled 13, absent ~14",
    ),
    "ahead, and a scan lacked it before": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c        cc"),
        None,
        "enabling -9, absent ~9, enabled 13",
    ),
    "ahead, and a scan fails meanwhile": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c          f"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, of a partial scan": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c         f"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, and a scan failed before": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c        fc"),
        None,
        "enabling -9, unknown ~9, enabled 13",
    ),
    "ahead, and a scan fails after an absence": (
        make_case_in_seconds((0, A, -9), (10, B, 13), scans="c c       f"),
        None,
        "enabling -9, absent ~2, enabled 13",
    ),
    "ahead, in two scans": (
        make_case_in_seconds((0, A, -9), (10, B, 14), (12, B, 14), scans="c         c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, and still another state after that": (
        make_case_in_seconds((0, A, -9), (10, B, 14), (12, A, -9), scans="c         c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, still another state, and absent before": (
        make_case_in_seconds((0, A, -9), (10, B, 14), (12, A, -9), scans="c   cc    c c"),
        None,
        "enabling -9, absent ~4, enabling ~12, enabled 14",
    ),
    "ahead, still another state, and missed by one scan before": (
        make_case_in_seconds((0, A, -9), (10, B, 14), (12, A, -9), scans="c    c    c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, still another state, and no scan before": (
        make_case_in_seconds((0, A, -9), (10, B, 14), (12, A, -9), scans="          c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, and the first observation": (
        make_case_in_seconds((12, A, 11), (10, B, 14), scans="     c    c c"),
        None,
        "enabling 11, enabled 14",
    ),
    "a gap as long as allowed after the transition": (
        make_case_in_seconds((10, B, 13), scans="          c            s"),
        "10s",
        "enabled 13",
    ),
    "a gap longer than allowed after the transition": (
        make_case_in_seconds((10, B, 13), scans="          c             s"),
        "10s",
        "enabled 13, unknown ~23",
    ),
    "a gap of seconds as long as allowed": (
        make_case_in_seconds((0, B, None), (10, B, None)),
        "10s",
        "enabled ~0",
    ),
    "a gap of seconds longer than allowed": (
        make_case_in_seconds((0, B, None), (10, B, None)),
        "9999999us",
        "enabled ~0, unknown ~10, enabled ~10",
    ),
    "absent, then a gap as long as allowed": (
        make_case_in_seconds((0, B, 0), scans="c c         s"),
        "10s",
        "enabled 0, absent ~2",
    ),
    "absent, then a gap longer than allowed": (
        make_case_in_seconds((0, B, 0), scans="c c          s"),
        "10s",
        "enabled 0, absent ~2, unknown ~12",
    ),
    "absent in two scans, as far apart as allowed": (
        make_case_in_seconds((0, B, 0), scans="c c         c"),
        "10s",
        "enabled 0, absent ~2",
    ),
    "absent in two scans, farther apart than allowed": (
        make_case_in_seconds((0, B, 0), scans="c c          c"),
        "10s",
        "enabled 0, absent ~2, unknown ~12, absent ~13",
    ),
    "absent after a gap as long as allowed": (
        make_case_in_seconds((0, B, 0), scans="c         c"),
        "10s",
        "enabled 0, absent ~10",
    ),
    "absent after a gap longer than allowed": (
        make_case_in_seconds((0, B, 0), scans="c          c"),
        "10s",
        "enabled 0, unknown ~10, absent ~11",
    ),
}
STORIES = {name: (*story, MINUTE) for name, story in _IN_MINUTES.items()}
STORIES |= {name: (*story, SECOND) for name, story in _IN_SECONDS.items()}
