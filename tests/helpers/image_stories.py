"""Stories of one image: what scans and events said of it, and the intervals that follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.helpers.interval_oracle import Case, Fact, Look

START = datetime(2026, 3, 28, 12, tzinfo=UTC)  # a clock is put forward within a day
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND, MS = timedelta(seconds=1), timedelta(milliseconds=1)
PLACE = ("111122223333", "eu-west-1")


def told(*facts: tuple[Any, ...], looks: str = "", unit: timedelta = MINUTE) -> Case:
    """Return a case of facts (seen, state, since) in minutes; of looks, marks at every minute.

    ``c`` is a complete one, ``f`` a failed one, ``s`` one with a scope.
    """

    def at(minute: float | None) -> datetime | None:
        return None if minute is None else START + minute * unit

    status = {"c": ("complete", ""), "f": ("failed", ""), "s": ("complete", '{"state":"enabled"}')}
    return Case(
        [
            Fact(PLACE, "a", s, f"r{n}", at(u), START + t * unit)
            for n, (t, s, u) in enumerate(facts)
        ],
        [Look(PLACE, *status[m], START + n * unit) for n, m in enumerate(looks) if m in status],
    )


def seconds(*facts: tuple[Any, ...], looks: str = "") -> Case:
    """Return a case as `told` does, in seconds."""
    return told(*facts, looks=looks, unit=SECOND)


MINUTES: dict[str, tuple[Case, str | None, str]] = {
    "no time": (told((1, "enabled", None)), None, "enabled ~1"),
    "a time": (told((1, "enabled", -60)), None, "enabled -60"),
    "two states": (told((1, "enabling", 0), (5, "enabled", 3)), None, "enabling 0, enabled 3"),
    "a time that is contradicted": (
        told((1, "enabling", 0), (5, "enabled", 1)),
        None,
        "enabling 0, enabled ~5",
    ),
    "a time that is learnt": (told((1, "enabling", None), (3, "enabling", 0)), None, "enabling 0"),
    "proven over a failure": (
        told((1, "enabled", 0), (5, "enabled", 0), looks=" c f c"),
        None,
        "enabled 0",
    ),
    "not proven over a failure": (
        told((1, "enabled", None), (5, "enabled", None), looks=" c f c"),
        None,
        "enabled ~1, unknown ~3, enabled ~5",
    ),
    "proven later over a failure": (
        told((1, "enabled", None), (5, "enabled", None), (7, "enabled", 0), looks=" c f c c"),
        None,
        "enabled 0",
    ),
    "another state after a failure": (
        told((1, "enabled", 0), (5, "enabling", 4), looks=" c f c"),
        None,
        "enabled 0, unknown ~3, enabling 4",
    ),
    "a failure when the next begins": (
        told((1, "enabled", 0), (5, "enabling", 4), looks=" c  fc"),
        None,
        "enabled 0, enabling 4",
    ),
    "a failure in the second of a look": (told((1, "enabled", 0), looks=" f"), None, "enabled 0"),
    "a failure at the end": (told((1, "enabled", 0), looks=" cf"), None, "enabled 0, unknown ~2"),
    "silence before a failure": (
        told((1, "enabled", 0), looks=" c f"),
        "1min",
        "enabled 0, unknown ~2",
    ),
    "no silence before a failure": (
        told((1, "enabled", 0), looks=" c f"),
        "2min",
        "enabled 0, unknown ~3",
    ),
    "as long as may be": (told((1, "enabled", 0), looks=" c s"), "2min", "enabled 0"),
    "longer than may be": (
        told((1, "enabled", 0), looks=" c s"),
        "119s",
        "enabled 0, unknown ~2.98333",
    ),
    "silence while others look": (
        told((1, "enabled", 0), looks=" css"),
        "1min",
        "enabled 0, unknown ~2",
    ),
    "gone and back": (
        told((1, "enabled", 0), (6, "enabled", 0), looks=" c  c c c"),
        None,
        "enabled 0, absent ~4, enabled ~6, absent ~8",
    ),
    "seen twice, gone and back": (
        told((1, "enabled", 0), (2, "enabled", 0), (6, "enabled", 0), looks=" cc c c"),
        None,
        "enabled 0, absent ~4, enabled ~6",
    ),
    "failures while it was gone": (
        told((1, "enabled", 0), looks=" ccfcfc"),
        None,
        "enabled 0, absent ~2, unknown ~3, absent ~4, unknown ~5, absent ~6",
    ),
    "a failure after it was gone": (
        told((1, "enabled", 0), looks=" ccf"),
        None,
        "enabled 0, absent ~2, unknown ~3",
    ),
    "a failure before it is back": (
        told((1, "enabled", 0), (5, "enabling", 4), looks=" ccf c"),
        None,
        "enabled 0, absent ~2, unknown ~3, enabling 4",
    ),
    "disabled, then not listed": (
        told((1, "enabled", 0), (3, "disabled", 3), looks=" c  c c"),
        None,
        "enabled 0, disabled 3",
    ),
    "disabled and back": (
        told((1, "enabled", 0), (3, "disabled", 3), (6, "enabling", 5), looks=" c  c c"),
        None,
        "enabled 0, disabled 3, enabling 5",
    ),
    "no state": (
        told((1, None, None), (2, "enabled", 0)),
        None,
        "unknown ~1, enabled ~2",
    ),
    "a time that an absence contradicts": (
        told((2, "enabled", 1), looks="cc"),
        None,
        "enabled ~2",
    ),
    "two at one time": (told((2, "enabling", 2), (2, "enabled", 2)), None, "enabled 2"),
    "a time when it was another": (
        told((2, "enabling", 1), (9, "enabled", 2)),
        None,
        "enabling 1, enabled ~9",
    ),
}
A, B = "enabling", "enabled"
SECONDS: dict[str, tuple[Case, str | None, str]] = {
    "seen in its second": (seconds((2, A, 2.5)), None, "enabling 2.5"),
    "seen at its second": (seconds((2, A, 2)), None, "enabling 2"),
    "in the second of a scan, unseen": (
        seconds((2, A, 0), (9, B, 2.5), looks="  c      c"),
        None,
        "enabling 0, enabled 2.5",
    ),
    "in the second before a scan": (
        seconds((2, A, 0), (9, B, 1.999999)),
        None,
        "enabling 0, enabled ~9",
    ),
    "in the second of a scan without it": (
        seconds((9, B, 2.5), looks="  c      c"),
        None,
        "enabled 2.5",
    ),
    "an event at the time of a scan": (
        seconds((2, A, 0), (2, "disabled", 2), looks="  c   c"),
        None,
        "enabling 0, disabled 2",
    ),
    "an event in the second that a scan saw": (
        seconds((2, A, 2.7), (2, A, 2), looks="  c   c"),
        None,
        "enabling 2, absent ~6",
    ),
    "three seconds ahead": (seconds((10, B, 13)), None, "enabled 13"),
    "five seconds ahead": (seconds((10, B, 15)), None, "enabled 15"),
    "five seconds and a bit ahead": (seconds((10, B, 15.000001)), None, "enabled ~10"),
    "five seconds ahead, rounded down": (seconds((10.9, B, 15)), None, "enabled 15"),
    "five seconds ahead, not rounded": (seconds((10.9, B, 15.9)), None, "enabled ~10"),
    "six seconds ahead": (seconds((10, B, 16)), None, "enabled ~10"),
    "ahead, of a complete scan": (
        seconds((0, A, -9), (10, B, 13), looks="c         c         c"),
        None,
        "enabling -9, enabled 13, absent ~20",
    ),
    "ahead, and another scan lacks it meanwhile": (
        seconds((0, A, -9), (10, B, 13), looks="c         c c"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, and another scan lacks it then": (
        seconds((0, A, -9), (10, B, 13), looks="c         c  c"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, and another scan lacks it after that": (
        seconds((0, A, -9), (10, B, 13), looks="c         c   c"),
        None,
        "enabling -9, enabled 13, absent ~14",
    ),
    "ahead, and another scan lacked it before": (
        seconds((0, A, -9), (10, B, 13), looks="c        cc"),
        None,
        "enabling -9, absent ~9, enabled 13",
    ),
    "ahead, and another scan fails meanwhile": (
        seconds((0, A, -9), (10, B, 13), looks="c          f"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, of a partial scan": (
        seconds((0, A, -9), (10, B, 13), looks="c         f"),
        None,
        "enabling -9, enabled 13",
    ),
    "ahead, and another scan failed before": (
        seconds((0, A, -9), (10, B, 13), looks="c        fc"),
        None,
        "enabling -9, unknown ~9, enabled 13",
    ),
    "ahead, and another scan fails when it was gone": (
        seconds((0, A, -9), (10, B, 13), looks="c c       f"),
        None,
        "enabling -9, absent ~2, enabled 13",
    ),
    "ahead, in two scans": (
        seconds((0, A, -9), (10, B, 14), (12, B, 14), looks="c         c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, and still another state after that": (
        seconds((0, A, -9), (10, B, 14), (12, A, -9), looks="c         c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, still another state, and gone before": (
        seconds((0, A, -9), (10, B, 14), (12, A, -9), looks="c    c    c c"),
        None,
        "enabling -9, absent ~5, enabling ~12, enabled 14",
    ),
    "ahead, still another state, and nobody looked before": (
        seconds((0, A, -9), (10, B, 14), (12, A, -9), looks="          c c"),
        None,
        "enabling -9, enabled 14",
    ),
    "ahead, and the first to be seen": (
        seconds((12, A, 11), (10, B, 14), looks="     c    c c"),
        None,
        "enabling 11, enabled 14",
    ),
    "silence from then on": (
        seconds((10, B, 13), looks="          c            s"),
        "10s",
        "enabled 13",
    ),
    "too long a silence from then on": (
        seconds((10, B, 13), looks="          c             s"),
        "10s",
        "enabled 13, unknown ~23",
    ),
    "silence as long as may be": (seconds((0, B, None), (10, B, None)), "10s", "enabled ~0"),
    "silence longer than may be": (
        seconds((0, B, None), (10, B, None)),
        "9999999us",
        "enabled ~0, unknown ~10, enabled ~10",
    ),
    "gone, silence as long as may be": (
        seconds((0, B, 0), looks="c c         s"),
        "10s",
        "enabled 0, absent ~2",
    ),
    "gone, silence longer than may be": (
        seconds((0, B, 0), looks="c c          s"),
        "10s",
        "enabled 0, absent ~2, unknown ~12",
    ),
    "gone, and as long as may be until it is gone": (
        seconds((0, B, 0), looks="c c         c"),
        "10s",
        "enabled 0, absent ~2",
    ),
    "gone, and longer than may be until it is gone": (
        seconds((0, B, 0), looks="c c          c"),
        "10s",
        "enabled 0, absent ~2, unknown ~12, absent ~13",
    ),
    "seen as late as may be, and gone": (
        seconds((0, B, 0), looks="c         c"),
        "10s",
        "enabled 0, absent ~10",
    ),
    "seen later than may be, and gone": (
        seconds((0, B, 0), looks="c          c"),
        "10s",
        "enabled 0, unknown ~10, absent ~11",
    ),
}
STORIES = {name: (*story, MINUTE) for name, story in MINUTES.items()}
STORIES |= {name: (*story, SECOND) for name, story in SECONDS.items()}
