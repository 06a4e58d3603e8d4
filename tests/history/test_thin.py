"""Thinning: a scan is left out if it shows the same as the scans before and after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.history.load import load_store
from tests.helpers.histories import (
    ACCOUNT_REGIONS,
    MINUTE,
    SECOND,
    START,
    assert_same,
    join_sweeps,
    make_event,
    make_sweep,
)
from tests.helpers.samples import item

REGION = ACCOUNT_REGIONS[0]


def list_unchanged(history: fl.History, max_gap: timedelta | None = None) -> list[bool]:
    """Return for each scan whether it is left out."""
    listing = history._store.list_files()
    contents = load_store(history._store, listing, only_changes=True, max_gap=max_gap)
    unchanged: list[bool] = contents.coverage["unchanged"].tolist()
    return unchanged


class Series(NamedTuple):
    """A series of scans, a letter each; in `expected`, ``k`` stays and a dot is left out."""

    scans: str
    expected: str
    unit: timedelta = MINUTE
    max_gap: timedelta | None = None
    events: Sequence[float] = ()
    region_of_events: tuple[str, str] = REGION


SERIES: dict[str, Series] = {
    "two": Series("AA", "kk"),
    "three": Series("AAA", "k.k"),
    "many": Series("AAAAAA", "k....k"),
    "another between": Series("ABA", "kkk"),
    "a change": Series("AAABBB", "k.kk.k"),
    "a failure": Series("AAAfAAA", "k.kkk.k"),
    "failures": Series("fff", "kkk"),
    "a partial scan": Series("AAApAAA", "k.kkk.k"),
    "an interrupted scan": Series("000i000", "k.kkk.k"),
    "partial scans": Series("ppp", "kkk"),
    "scans with a scope": Series("sss", "kkk"),
    "scans without an image": Series("000", "k.k"),
    "not opted in": Series("nnn", "k.k"),
    "opted in, and not": Series("AAAnnnAAA", "k.kk.kk.k"),
    "opted in without an image, and not": Series("000n000", "k.kkk.k"),
    "an absence": Series("AA00AA", "kkkkkk"),
    "no scan for a while": Series("AA  AA", "k..k"),
    "an event between": Series("AAAAAA", "k.kk.k", events=[2.5]),
    "an event at a scan": Series("AAAAAAA", "k.kkk.k", events=[3]),
    "an event in the second of a scan": Series("AAAAAAA", "k.kkk.k", events=[3 + 1 / 120]),
    "an event a second after a scan": Series("AAAAAA", "k.kk.k", events=[2 + 1 / 60]),
    "an event before all scans": Series("AAAA", "k..k", events=[-1]),
    "an event after all scans": Series("AAAA", "k..k", events=[9]),
    "an event in another region": Series(
        "AAAA", "k..k", events=[1.5], region_of_events=ACCOUNT_REGIONS[1]
    ),
    "a gap": Series("AAAAAAAA", "k..kk..k", max_gap=4 * MINUTE),
    "a short gap": Series("AAAA", "kkkk", max_gap=2 * MINUTE),
    "a gap of less than a second": Series("AAAA", "kkkk", max_gap=SECOND / 2),
    "five seconds apart": Series("AAAA", "kkkk", unit=5 * SECOND),
    "six seconds apart": Series("AAAA", "k..k", unit=6 * SECOND),
    "two that are close": Series("A    AAAAA", "kkkkkk", unit=SECOND),
    "two of four in one second": Series(f"A{' ' * 19}AA{' ' * 19}A", "kkkk", unit=SECOND / 2),
    "in one second": Series("AAAA", "kkkk", unit=SECOND / 4),
}
STATUSES = {"f": "failed", "p": "partial", "i": "interrupted", "n": "not-opted-in"}


@pytest.mark.parametrize("name", SERIES)
def test_an_unchanged_scan_is_left_out(name: str, tmp_path: Path) -> None:
    """A scan stays unless the scans before and after saw the same, both complete and near."""
    series = SERIES[name]
    history = fl.History(tmp_path)
    sweeps = []
    for number, letter in enumerate(series.scans):
        if letter != " ":
            result: Any = {"0": [], "B": [item(2)]}.get(letter, [item(1)])
            result = STATUSES[letter] if letter in "fin" else result
            sweep = make_sweep(
                number * series.unit / MINUTE, (REGION, result), sweep_id=f"{number}"
            )
            status = STATUSES.get(letter, "complete")
            scope = '{"state": "enabled"}' if letter == "s" else ""
            coverage = sweep.coverage.assign(status=status, scope=scope)
            sweeps.append(sweep._replace(coverage=coverage))
    # Scans of one second cannot be recorded as one sweep.
    for part in sweeps if series.unit < SECOND else [join_sweeps(sweeps)]:
        history.record(part)
    times = [START + minute * MINUTE for minute in series.events]
    if times:
        events = [make_event(series.region_of_events, 1, "enabled", time) for time in times]
        history.record(fl.from_events(events))
    unchanged = list_unchanged(history, series.max_gap)
    assert series.expected == "".join("." if is_left_out else "k" for is_left_out in unchanged)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("State", "enabling"),
        ("StateTransitionReason", "another"),
        ("StateTransitionTime", START),
        ("MaxParallelLaunches", 7),
        ("SnapshotConfiguration", {"TargetResourceCount": 6}),
        ("LaunchTemplate", {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"}),
        ("LaunchTemplate", {"LaunchTemplateName": "runner", "Version": "2"}),
        ("OwnerId", None),
        ("ResourceType", None),
    ],
)
def test_a_difference_in_any_field_counts(field: str, value: Any, tmp_path: Path) -> None:
    """A scan in which one field of one image differs stays, and so do its neighbours."""
    history = fl.History(tmp_path)
    plain, other = [item(1), item(2)], [item(1), item(2, **{field: value})]
    results = [plain, plain, plain, other, plain, plain, plain]
    sweeps = [make_sweep(n, (REGION, result), sweep_id=f"{n}") for n, result in enumerate(results)]
    history.record(join_sweeps(sweeps))
    assert list_unchanged(history) == [False, True, False, False, False, True, False]


TRANSITION = START + 10 * MINUTE
ABSENCES_AFTER_A_TRANSITION_AHEAD = {
    "absent in the next scan": ([0, 5, 10, 15, 20], 5.0),
    "absent at the transition": ([0, 3, 6, 8, 9, 12], 5.0),
    "absent before the transition": ([0, 2, 4, 11, 18, 25], 3.0),
}


@pytest.mark.parametrize("name", ABSENCES_AFTER_A_TRANSITION_AHEAD)
def test_scans_near_a_transition_seen_ahead_stay(name: str, tmp_path: Path) -> None:
    """Where a scan saw a transition ahead, the intervals are those of all scans."""
    scans, ahead = ABSENCES_AFTER_A_TRANSITION_AHEAD[name]
    transition = TRANSITION + ahead * SECOND
    first = item(1, StateTransitionTime=transition)
    sweeps = [
        make_sweep(10 + second / 60, (REGION, [] if second else [first]), sweep_id=f"{second}")
        for second in scans
    ]
    history = fl.History(tmp_path)
    history.record(join_sweeps(sweeps))
    intervals = history.intervals()
    expected = fl.intervals(history.observations(), history.coverage())
    assert_same(intervals[list(expected)], expected)
    absent = min(second for second in scans if second > ahead)
    assert [transition, TRANSITION + absent * SECOND] == intervals["start"].tolist()
