"""History: its answers agree with each other and do not depend on how it was recorded."""

from __future__ import annotations

import copy
import pickle
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.history.store import ParquetStore
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import API_STATES
from tests.helpers.cases import costly
from tests.helpers.emulator import inject_faults
from tests.helpers.histories import (
    ACCOUNT_REGIONS,
    MINUTE,
    SECOND,
    START,
    SweepData,
    assert_same,
    assert_same_answers,
    count_images,
    join_sweeps,
    make_event,
    make_history,
    make_small_sweep,
    make_sweep,
    query_all,
)
from tests.helpers.samples import item

COLUMNS = [column.name for column in columns.COLUMNS]
KEY = list(columns.KEY)
MICROSECOND = timedelta(microseconds=1)
MAX_AHEAD = timedelta(seconds=5)


# --- random fleets --------------------------------------------------------------------

Fleet = dict[tuple[str, str], dict[int, dict[str, Any]]]
REGIONS = ("eu-west-1", "us-east-1")
SWEEPS = 12
"""Number of sweeps of a fleet, a minute apart."""


def draw_sweeps(*draws: random.Random) -> tuple[list[SweepData], pd.DataFrame]:
    """Return sweeps of a fleet in which little happens, as in life, and its events.

    Each source of chance has an account of its own. So many fleets cost little more than
    one, and a difference shows which of them it comes from.
    """
    fleets: list[Fleet] = [
        {(f"{number:012}", region): {} for region in REGIONS} for number in range(len(draws))
    ]
    sweeps: list[SweepData] = []
    events: list[dict[str, Any]] = []
    for minute in range(SWEEPS):
        results: list[Any] = []
        for draw, fleet in zip(draws, fleets, strict=True):
            for account_region, images in fleet.items():
                for _ in range(draw.choice([0, 0, 0, 0, 1, 2])):
                    events += _change_image(draw, account_region, images, _draw_time(draw, minute))
            results += _draw_results(draw, fleet)
        sweeps.append(make_sweep(minute, *results))
    return sweeps, fl.from_events(events)


def _draw_time(draw: random.Random, minute: int) -> datetime:
    """Return the time of a change that the scan of a minute is the first to see.

    Often that is within the second of a scan: of the one before, which did not see it, or
    of this one; or up to seven seconds ahead of it, because clocks differ.
    """
    scan, fraction = START + minute * MINUTE, timedelta(milliseconds=draw.randrange(1, 1000))
    before = scan - draw.randrange(60) * SECOND - fraction
    ahead = scan + draw.randrange(8) * SECOND + draw.choice([0, 0, 1]) * fraction
    return draw.choice([before, before, before, scan - MINUTE + fraction, scan + fraction, ahead])


def _change_image(
    draw: random.Random, account_region: tuple[str, str], images: dict[int, Any], time: datetime
) -> Iterator[dict[str, Any]]:
    """Change an image; yield the event if EventBridge reports one."""
    number, kind = draw.randrange(4), draw.choice(["state", "state", "target", "gone", "back"])
    if number not in images or kind == "back":
        images[number] = item(number, draw.choice(["enabling", None]), StateTransitionTime=time)
    elif kind == "gone":
        del images[number]
    elif kind == "target":
        images[number] = {**images[number], "MaxParallelLaunches": draw.randrange(6, 9)}
    else:
        state, transition = draw.choice(API_STATES), draw.choice([time, time, None])
        target = images[number]["SnapshotConfiguration"]
        images[number] = item(
            number, state, SnapshotConfiguration=target, StateTransitionTime=transition
        )
    state = images[number].get("State") if number in images else "disabled"
    if state and draw.random() < 0.3:
        yield make_event(account_region, number, state, time)


def _draw_results(draw: random.Random, fleet: Fleet) -> Iterator[tuple[Any, Any]]:
    """Yield the result of each scan of a sweep: usually all images."""
    for account_region, images in fleet.items():
        if draw.random() < 0.9:
            listed = [*images.values()]
            results = [listed] * 12 + [draw.sample(listed, len(listed) // 2), "failed"]
            yield account_region, draw.choice([*results, "not-opted-in"])


def draw_times(draw: random.Random) -> list[datetime]:
    """Return some times: of scans, within their seconds, and up to eight seconds later."""
    scans = [START + draw.randrange(SWEEPS) * MINUTE for _ in range(4)]
    later = [0, 400_000, 999_999, draw.randrange(8_000_000)]
    return [scan + us * MICROSECOND for scan, us in zip(scans, later, strict=True)]


@contextmanager
def open_history(*parts: Any) -> Iterator[fl.History]:
    """Yield a history with these parts recorded."""
    with tempfile.TemporaryDirectory() as folder:
        history = fl.History(Path(folder) / "store")
        for part in parts:
            history.record(part)
        yield history


# --- laws -----------------------------------------------------------------------------

randoms = st.randoms(use_true_random=False)
gaps = st.sampled_from([None, "1min", "2min", "7min"])
SEEDS = (2, 8, 10, 12, 14, 17, 21, 25, 34, 36, 41, 42)
"""Seeds of the fleets that once broke a law."""


def make_draws() -> list[random.Random]:
    """Return the chance of the fleets that once broke a law."""
    return [random.Random(seed) for seed in SEEDS]


@costly
@given(randoms, gaps)
def test_intervals_are_those_of_all_observations(draw: random.Random, max_gap: str | None) -> None:
    """Leaving out unchanged scans changes no interval."""
    check_intervals([draw], max_gap)


@pytest.mark.parametrize("max_gap", [None, "2min"])
def test_intervals_are_those_of_all_observations_in_old_cases(max_gap: str | None) -> None:
    """Leaving out unchanged scans changes no interval of fleets where it once did."""
    check_intervals(make_draws(), max_gap)


def check_intervals(draws: list[random.Random], max_gap: str | None) -> None:
    """Compare the intervals of a history with those of all that it holds."""
    with open_history(join_sweeps(*draw_sweeps(*draws))) as history:
        intervals = history.intervals(max_gap=max_gap)
        expected = fl.intervals(history.observations(), history.coverage(), max_gap=max_gap)
    assert_same(intervals[list(expected)], expected)


@pytest.mark.deep
@partial(costly, part=20)  # an example takes five seconds
@given(randoms)
def test_order_repetition_and_merges_change_no_answer(draw: random.Random) -> None:
    """Recorded in any order, twice, and merged now and then, a history answers the same."""
    check_answers(draw, [draw])


def test_order_repetition_and_merges_change_no_answer_in_old_cases() -> None:
    """A history answers the same about fleets where it once did not."""
    check_answers(random.Random(1), make_draws())


def check_answers(draw: random.Random, draws: list[random.Random]) -> None:
    """Compare the answers of histories that were recorded in different ways."""
    sweeps, events = draw_sweeps(*draws)
    parts: list[Any] = [*sweeps[:7], events]
    repeated = [*parts, *parts]
    draw.shuffle(repeated)
    with open_history(*parts) as plain, open_history() as other:
        expected = query_all(plain)
        for number, part in enumerate(repeated):
            other.record(part)
            if number in (4, 9):
                other.compact()
        assert_same_answers(expected, query_all(other))
        other.compact()
        assert_same_answers(expected, query_all(other))


@costly
@given(randoms)
def test_images_are_those_of_a_scan_at_its_time(draw: random.Random) -> None:
    """Without events, `images` at the time of a complete scan are those that it saw.

    Images whose transition it saw ahead are so from the transition on. Images are unknown from
    then on if a later scan shows that they left this state and came back, and there although
    the scan missed them if scans before and after it saw the same transition.
    """
    check_images_of_scans(draw, [draw])


def test_images_are_those_of_a_scan_at_its_time_in_old_cases() -> None:
    """`images` are those of a scan in fleets where they once were not."""
    check_images_of_scans(random.Random(1), make_draws())


def check_images_of_scans(draw: random.Random, draws: list[random.Random]) -> None:
    """Compare `images` with what a scan saw."""
    sweeps, _ = draw_sweeps(*draws)
    with open_history(join_sweeps(sweeps)) as history:
        intervals = history.intervals()
        unknown = intervals.loc[intervals["state"] == "unknown", [*KEY, "start"]]
        for number in draw.sample(range(SWEEPS), 3):
            sweep = sweeps[number]
            seams = unknown.loc[unknown["start"] == sweep.started_at, KEY]
            images = drop_images(sweep.images, seams)
            ahead = images["state_transition_time"] - images["observed_at"]
            is_ahead = ahead.between(MICROSECOND, MAX_AHEAD)
            complete = sweep.coverage.loc[sweep.coverage["status"] == "complete", KEY[:2]]
            result = drop_images(history.images(at=sweep.started_at), seams)
            result = result.merge(complete, on=KEY[:2])
            result = result.merge(images.loc[is_ahead, KEY], on=KEY, how="left", indicator=True)
            result = result.loc[result["_merge"] == "left_only", COLUMNS]
            missed = drop_images(result, images[KEY])
            for others in (sweeps[:number], sweeps[number + 1 :]) if len(missed) else ():
                proven = missed.merge(
                    join_sweeps(others).images, on=[*KEY, "state_transition_time"]
                )
                assert len(proven[KEY].drop_duplicates()) == len(missed)
            result = drop_images(result, missed[KEY])
            expected = images[~is_ahead].sort_values(KEY, ignore_index=True)
            assert_same(result.reset_index(drop=True), expected)
            times = images.loc[is_ahead, "state_transition_time"].drop_duplicates().head(3)
            for time in times:
                expected = images[images["state_transition_time"] == time].sort_values(KEY)
                result = history.images(at=time).merge(expected[KEY], on=KEY)[COLUMNS]
                assert_same(result, expected.reset_index(drop=True))


def drop_images(images: pd.DataFrame, dropped: pd.DataFrame) -> pd.DataFrame:
    """Return images without some of them."""
    origin = images.merge(dropped, on=KEY, how="left", indicator=True)["_merge"]
    return images[origin.eq("left_only").to_numpy()]


@costly
@given(randoms)
def test_images_agree_with_the_intervals(draw: random.Random) -> None:
    """At every instant the images and their states are those of the intervals."""
    check_images_of_intervals(draw, [draw])


def test_images_agree_with_the_intervals_in_old_cases() -> None:
    """The images are those of the intervals in fleets where they once were not."""
    check_images_of_intervals(random.Random(1), make_draws())


def check_images_of_intervals(draw: random.Random, draws: list[random.Random]) -> None:
    """Compare `images` with the intervals at some times."""
    with open_history(join_sweeps(*draw_sweeps(*draws))) as history:
        intervals = history.intervals()
        for time in draw_times(draw):
            current = intervals[(intervals["start"] <= time) & ~(intervals["end"] <= time)]
            current = current[~current["state"].isin(["absent", "disabled"])]
            images = history.images(at=time)
            states = images[KEY].assign(state=images["state"].fillna("unknown"))
            assert_same(states, current[[*KEY, "state"]].reset_index(drop=True))


@costly
@given(randoms)
def test_diff_leads_from_one_fleet_to_the_other(draw: random.Random) -> None:
    """The images of one time and `diff` together give states and targets of the other time."""
    check_diff(draw, [draw])


def test_diff_leads_from_one_fleet_to_the_other_in_old_cases() -> None:
    """`diff` leads to the other fleet where it once did not."""
    check_diff(random.Random(1), make_draws())


def check_diff(draw: random.Random, draws: list[random.Random]) -> None:
    """Apply the changes of `diff` to the images of the first time; compare with the second."""
    first, last = sorted(draw.sample(draw_times(draw), 2))
    with open_history(join_sweeps(*draw_sweeps(*draws))) as history:
        before = list_properties(history.images(at=first))
        after = list_properties(history.images(at=last))
        changes = history.diff(first, last)
    for row in changes.to_dict("records"):
        image = tuple(row[name] for name in KEY)
        if row["change"] in ("gone", "unknown after"):
            assert before.pop(image)
            if row["change"] == "gone":
                assert image not in after
            else:
                assert after.pop(image)[0] == "unknown"
        elif row["change"] in ("appeared", "unknown before"):
            assert before.pop(image, ("unknown",))[0] == "unknown"
            if row["after"] not in ("absent", "disabled"):
                before[image] = after[image]
                assert row["after"] == after[image][0]
            else:
                assert image not in after
        else:
            n = ["state", "target", "parallel launches", "template"].index(row["change"])
            assert before[image][n] == row["before"] != row["after"]
            before[image] = (*before[image][:n], row["after"], *before[image][n + 1 :])
    unknown = {image for image, (state, *_) in after.items() if state == "unknown"}
    assert {k: v for k, v in before.items() if k not in unknown} == {
        k: v for k, v in after.items() if k not in unknown
    }


def list_properties(images: pd.DataFrame) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return state, target, parallel launches and template of each image by its key, as text."""
    rows = images.assign(
        template=images["launch_template_name"] + ":" + images["launch_template_version"],
        target=images["target_resource_count"].astype("string"),
        parallel=images["max_parallel_launches"].astype("string"),
    )
    rows = rows.astype(object).where(rows.notna(), None)
    names = [*KEY, "state", "target", "parallel", "template"]
    return {row[:3]: row[3:] for row in rows[names].itertuples(index=False, name=None)}


# --- sweeps ---------------------------------------------------------------------------


def test_a_sweep_comes_back_completely(demo: Demo, tmp_path: Path) -> None:
    """Rows come back with their dtypes and names; of the coverage, all but the page token."""
    sweep = fl.sweep(
        fl.targets(profiles=demo.accounts.values()), regions=demo.regions, progress=False
    )
    history = fl.History(tmp_path)
    history.record(sweep)
    observations = history.observations()
    expected = sweep.images.sort_values(["observed_at", *KEY], ignore_index=True)
    assert_same(observations[list(expected)], expected)
    assert set(observations["sweep_id"]) == {sweep.sweep_id}
    assert set(observations["event_id"].isna()) == {True}
    coverage = sweep.coverage.sort_values(["observed_at", *KEY[:2]], ignore_index=True)
    coverage = coverage.assign(checkpoint=pd.array([None] * 6, dtype="string"))
    assert_same(history.coverage(), coverage)


@pytest.mark.deep
def test_a_resumed_sweep_counts_as_the_last_recording(demo: Demo, tmp_path: Path) -> None:
    """A sweep that was resumed and recorded each time counts as it ended, row by row."""
    accounts = fl.targets(profiles=demo.accounts.values())
    with inject_faults(unauthorized=["111122223333"]):
        broken = fl.sweep(accounts, regions=demo.regions, progress=False)
    complete = fl.sweep(resume=broken, progress=False)
    assert 0 < len(broken.images) < len(complete.images)
    once = fl.History(tmp_path / "once")
    once.record(complete)
    expected = query_all(once)
    for number, order in enumerate([[broken, complete], [complete, broken, complete]]):
        history = fl.History(tmp_path / str(number))
        for sweep in order:
            history.record(sweep)
        assert_same_answers(query_all(history), expected)
        history.compact()
        assert_same_answers(query_all(history), expected)


def test_a_sweep_without_images_proves_that_there_are_none(tmp_path: Path) -> None:
    """An image that a later sweep finds has appeared."""
    history = fl.History(tmp_path)
    history.record(make_sweep(0, (ACCOUNT_REGIONS[0], [])))
    assert [len(answer) for answer in query_all(history)] == [0, 1, 0, 0, 0, 0]
    history.record(make_sweep(4, (ACCOUNT_REGIONS[0], [item(1)])))
    assert history.diff(START, START + 5 * MINUTE)["change"].tolist() == ["appeared"]


def test_a_store_without_sweeps_answers(tmp_path: Path) -> None:
    """An empty folder holds no images; events alone make images and intervals."""
    history = fl.History(tmp_path)
    assert [len(answer) for answer in query_all(history)] == [0] * 6
    history.record(fl.from_events([make_event(ACCOUNT_REGIONS[0], 1, "enabled", START)]))
    assert history.images()["state"].tolist() == ["enabled"]
    assert history.intervals(max_gap="1h")["start"].tolist() == [START]


# --- the object -----------------------------------------------------------------------


def test_arguments_are_checked_before_the_store(tmp_path: Path) -> None:
    """Arguments are checked first; then, whether there is a store."""
    history = fl.History(tmp_path / "none")
    for wrong in ("yesterday", "", 5):
        with pytest.raises(fl.InputError, match="at is"):
            history.images(at=wrong)  # type: ignore[arg-type]
    with pytest.raises(fl.InputError, match="a is later than b"):
        history.diff("2026-01-02", "2026-01-01")
    with pytest.raises(fl.InputError, match="max_gap is 'x'"):
        history.intervals(max_gap="x")
    for method in (
        history.images,
        history.observations,
        history.coverage,
        history.intervals,
        history.compact,
        lambda: history.diff(START, START),
    ):
        with pytest.raises(fl.StoreError, match=r"There is no store at .*record\(\) makes one"):
            method()
    assert not (tmp_path / "none").exists()


def test_a_repr_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repr shows the path, and reads nothing from a disk or from S3."""
    history = make_history(tmp_path)
    for name in ("list_files", "read"):
        monkeypatch.setattr(ParquetStore, name, None)  # a call would fail
    assert repr(history) == f"History({str(tmp_path)!r})"


def test_a_relative_path_is_that_of_the_folder_in_which_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its meaning in copies and when the process changes its folder; ~ is expanded."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    relative, home = fl.History("a=b c/store"), fl.History("~/a=b c/store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    relative.record(make_small_sweep(0))
    assert relative.path == "a=b c/store"
    for history in (relative, home, fl.History(tmp_path / "a=b c" / "store" / "")):
        for copied in (history, copy.copy(history), pickle.loads(pickle.dumps(history))):
            assert count_images(copied) == {"sweep-0000.00": 4}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_intervals_are_cached_while_the_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second query lists the files only; changing an answer changes no later answer."""
    history = make_history(tmp_path)
    intervals = history.intervals()
    intervals.loc[:, "state"] = "broken"
    monkeypatch.setattr(ParquetStore, "read", lambda *_: pytest.fail("read again"))
    assert set(history.intervals()["state"]) == {"enabled", "enabling"}
    monkeypatch.undo()
    history.record(make_sweep(9, (ACCOUNT_REGIONS[0], [])))
    assert history.intervals()["state"].eq("absent").sum() == 2
