"""The fleet at a time: transitions, scans ahead of them, and times with fractions."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.state_intervals.inputs import MAX_AHEAD
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
MICROSECOND = timedelta(microseconds=1)


def list_states(history: fl.History, time: datetime) -> list[Any]:
    """Return the states of the images at a time."""
    return history.images(at=time)["state"].tolist()


def list_tuples(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Return the rows of some columns."""
    return list(frame[list(columns)].itertuples(index=False, name=None))


def test_a_transition_counts_from_its_instant(tmp_path: Path) -> None:
    """Before it, also in a scan of the same second, the image has its old state; then the new."""
    history, transition = fl.History(tmp_path), START + MINUTE + 0.4 * SECOND
    history.record(make_sweep(0, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(1, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(2, (REGION, [item(1, "disabling", StateTransitionTime=transition)])))
    times = [START + MINUTE, transition - MICROSECOND, transition, START + MINUTE + SECOND]
    expected = [["enabled"], ["enabled"], ["disabling"], ["disabling"]]
    assert expected == [list_states(history, time) for time in times]
    changes = history.diff(times[0], times[2])
    assert changes.index.equals(pd.RangeIndex(1))
    assert list_tuples(changes, "change", "before", "after") == [("state", "enabled", "disabling")]
    assert history.diff(times[0], times[1]).empty
    assert history.diff(times[2], times[3]).empty
    images = history.images(at=transition)
    assert [transition] == images["state_transition_time"].tolist()
    assert [transition] == images["observed_at"].tolist()  # from then on, by a later scan


def test_a_transition_seen_ahead_counts_from_then_on(tmp_path: Path) -> None:
    """Until its transition an image that was seen ahead is as before; a new one is not there."""
    history = fl.History(tmp_path)
    transition = START + MINUTE + MAX_AHEAD
    ahead = {"StateTransitionTime": transition, "MaxParallelLaunches": 9}
    images = [item(1, "disabling", **ahead), item(2, "enabling", **ahead)]
    history.record(make_sweep(0, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(1, (REGION, images)))
    before, after = (history.images(at=time) for time in (transition - MICROSECOND, transition))
    columns = ["state", "max_parallel_launches"]
    assert list_tuples(before, *columns) == [("enabled", 6)]
    assert before["observed_at"].tolist() == [START]
    assert list_tuples(after, *columns) == [("disabling", 9), ("enabling", 9)]
    assert after["observed_at"].tolist() == [START + MINUTE] * 2
    assert_same(history.images(), after)
    changes = history.diff(START + MINUTE, transition)
    assert changes["change"].tolist() == ["state", "parallel launches", "appeared"]


def test_a_transition_six_seconds_ahead_is_ignored(tmp_path: Path) -> None:
    """A transition that is further ahead has no exact time: the state starts at the scan."""
    history = fl.History(tmp_path)
    transition = START + MAX_AHEAD + SECOND
    history.record(make_sweep(0, (REGION, [item(1, "enabled", StateTransitionTime=transition)])))
    assert list_states(history, START) == ["enabled"]
    assert history.intervals()["start_exact"].tolist() == [False]


def test_unchanged_scans_count_as_last_scans(tmp_path: Path) -> None:
    """`observed_at` is the last scan until then, also if its rows are those of another scan."""
    history = fl.History(tmp_path)
    other = item(2, "enabling", StateTransitionTime=START + 5 * MINUTE + 3 * SECOND)
    results = [[item(1)]] * 5 + [[item(1), other]] * 3 + [[item(1, "disabling")]]
    sweeps = [make_sweep(n, (REGION, items), sweep_id=f"{n}") for n, items in enumerate(results)]
    history.record(join_sweeps(sweeps))
    for minute in range(9):
        images = history.images(at=START + minute * MINUTE + SECOND)
        first = images[images["image_id"] == item(1)["ImageId"]]
        assert [START + minute * MINUTE] == first["observed_at"].tolist()
    images = history.images(at=START + 5 * MINUTE + 3 * SECOND)
    assert images.loc[1:, "observed_at"].tolist() == [START + 5 * MINUTE]


def test_a_state_that_came_back_has_its_own_time(tmp_path: Path) -> None:
    """If a later scan proves when the state began again, that time counts, not the first one."""
    history = fl.History(tmp_path)
    transition = START + 2 * MINUTE
    history.record(make_sweep(0, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(1, (REGION, "failed")))
    history.record(make_sweep(4, (REGION, [item(1, "enabled", StateTransitionTime=transition)])))
    history.record(fl.from_events([make_event(REGION, 1, "enabling", START + 90 * SECOND)]))
    images = history.images(at=START + 3 * MINUTE)
    assert [transition] == images["state_transition_time"].tolist()
    assert [transition] == images["observed_at"].tolist()


def test_a_scan_with_a_fraction_counts_from_its_second(tmp_path: Path) -> None:
    """A scan proves an absence from its second on, and nothing before."""
    history = fl.History(tmp_path)
    sweep = make_sweep(1, (REGION, []))
    later = sweep.coverage.assign(observed_at=sweep.coverage["observed_at"] + SECOND / 4)
    history.record(sweep._replace(coverage=later))
    appeared = item(1, StateTransitionTime=START + 90 * SECOND)
    history.record(make_sweep(2, (REGION, [appeared])))
    changes = history.diff(START + MINUTE, START + 2 * MINUTE)
    assert changes["change"].tolist() == ["appeared"]
    changes = history.diff(START + MINUTE - MICROSECOND, START + 2 * MINUTE)
    assert changes["change"].tolist() == ["unknown before"]


def test_an_image_of_a_failed_region_is_unknown_after(tmp_path: Path) -> None:
    """Where a scan failed and nothing proves the state, `diff` says so."""
    history = fl.History(tmp_path)
    history.record(make_sweep(0, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(1, (REGION, "failed")))
    changes = history.diff(START, START + MINUTE)
    assert changes["change"].tolist() == ["unknown after"]
    assert changes["before"].tolist() == ["enabled"]
    assert changes["after"].isna().tolist() == [True]


def test_a_scan_that_missed_an_image_is_healed(tmp_path: Path) -> None:
    """Until a later scan shows the same transition the image is absent, and then it never was."""
    history, image = fl.History(tmp_path), item(1, "enabled")
    history.record(make_sweep(0, (REGION, [image])))
    history.record(make_sweep(1, (REGION, [])))
    assert list_states(history, START + MINUTE) == []
    assert history.diff(START, START + MINUTE)["change"].tolist() == ["gone"]
    history.record(make_sweep(2, (REGION, [image])))
    times = [START + n * MINUTE / 2 for n in range(5)]
    assert [list_states(history, time) for time in times] == [["enabled"]] * 5
    assert history.diff(START, START + MINUTE).empty
    assert history.intervals()["state"].tolist() == ["enabled"]
    images = history.images(at=START + MINUTE)
    assert images["observed_at"].tolist() == [START]


def test_two_scans_that_missed_an_image_are_an_absence(tmp_path: Path) -> None:
    """Two scans in a row without the image show an absence, although its transition is the same."""
    history, image = fl.History(tmp_path), item(1, "enabled")
    for minute, listed in enumerate([[image], [], [], [image]]):
        history.record(make_sweep(minute, (REGION, listed)))
    times = [START + minute * MINUTE for minute in range(4)]
    expected: list[list[str]] = [["enabled"], [], [], ["enabled"]]
    assert [list_states(history, time) for time in times] == expected
    assert history.diff(times[1], times[3])["change"].tolist() == ["appeared"]


def test_a_newer_transition_leaves_the_time_before_it_unknown(tmp_path: Path) -> None:
    """From the last scan until a newer transition to its state, images and `diff` are unknown."""
    history, transition = fl.History(tmp_path), START + 3 * MINUTE + 0.5 * SECOND
    for minute in (0, 1):
        history.record(make_sweep(minute, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(5, (REGION, [item(1, "enabled", StateTransitionTime=transition)])))
    seam = START + MINUTE
    times = [seam - MICROSECOND, seam, transition - MICROSECOND, transition]
    expected = [["enabled"], ["unknown"], ["unknown"], ["enabled"]]
    assert [list_states(history, time) for time in times] == expected
    assert history.diff(times[0], times[1])["change"].tolist() == ["unknown after"]
    assert history.diff(times[2], times[3])["change"].tolist() == ["unknown before"]
    assert history.diff(times[0], times[3]).empty
    unknown = history.images(at=seam)
    assert unknown["state_transition_time"].isna().tolist() == [True]
    assert unknown["observed_at"].tolist() == [seam]
    images = history.images(at=transition)
    assert images["state_transition_time"].tolist() == [transition]


def test_an_image_of_a_region_that_is_not_opted_in_is_unknown(tmp_path: Path) -> None:
    """From the last scan on it is unknown; a later scan shows whether it is gone."""
    history = fl.History(tmp_path)
    history.record(make_sweep(1, (REGION, [item(1, "enabled")])))
    history.record(make_sweep(2, (REGION, "not-opted-in")))
    times = [START + MINUTE - MICROSECOND, START + MINUTE, START + 2 * MINUTE]
    expected = [["enabled"], ["unknown"], ["unknown"]]
    assert [list_states(history, time) for time in times] == expected
    assert history.diff(times[0], times[2])["change"].tolist() == ["unknown after"]
    history.record(make_sweep(3, (REGION, [])))
    assert list_states(history, START + 3 * MINUTE) == []
    changes = history.diff(times[2], START + 3 * MINUTE)
    assert list_tuples(changes, "change", "after") == [("unknown before", "absent")]


def test_an_image_that_appears_after_opting_in_was_unknown_before(tmp_path: Path) -> None:
    """A region that was not opted in may have had the image all the time."""
    history = fl.History(tmp_path)
    history.record(make_sweep(1, (REGION, [])))
    history.record(make_sweep(2, (REGION, "not-opted-in")))
    history.record(make_sweep(3, (REGION, [item(1, "enabled", StateTransitionTime=None)])))
    last = START + 3 * MINUTE
    assert history.diff(START + MINUTE, last)["change"].tolist() == ["appeared"]
    assert history.diff(START + 2 * MINUTE, last)["change"].tolist() == ["unknown before"]
