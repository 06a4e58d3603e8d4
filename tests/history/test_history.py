"""The history: what is kept, what is told of it, and that no way of keeping changes an answer."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import API_STATES
from tests.helpers.cases import costly
from tests.helpers.histories import MINUTE, START, Swept, answers, looked, same, same_answers
from tests.helpers.samples import item

COLUMNS = [column.name for column in columns.COLUMNS]
KEY = list(columns.KEY)
SECOND, MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
AHEAD = timedelta(seconds=5)


class Week(NamedTuple):
    """Many sweeps as one, and events."""

    observations: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame


# --- a world that is looked at --------------------------------------------------------

Places = dict[tuple[str, str], dict[int, dict[str, Any]]]
REGIONS = ("eu-west-1", "us-east-1")
LOOKS = 12
"""How many sweeps a world has, a minute apart."""


def world(*draws: random.Random) -> tuple[list[Swept], pd.DataFrame]:
    """Return sweeps of places where little happens, as in life, and the events of it.

    Each source of chance has an account of its own, numbered as it comes: many worlds
    cost little more than one, and what differs says which.
    """
    there: list[Places] = [
        {(f"{number:012}", region): {} for region in REGIONS} for number in range(len(draws))
    ]
    sweeps: list[Swept] = []
    told: list[dict[str, Any]] = []
    for minute in range(LOOKS):
        seen: list[Any] = []
        for draw, places in zip(draws, there, strict=True):
            for place, images in places.items():
                for _ in range(draw.choice([0, 0, 0, 0, 1, 2])):
                    told += _happens(draw, place, images, _when(draw, minute))
            seen += _seen(draw, places)
        sweeps.append(looked(minute, *seen))
    return sweeps, fl.from_events(told)


def _when(draw: random.Random, minute: int) -> datetime:
    """Return when something happened that the look of a minute is the first to see.

    Often that is within the second of a look: of the one before, which did not see it, or
    of this one; or up to seven seconds ahead of it, because clocks differ.
    """
    look, ms = START + minute * MINUTE, timedelta(milliseconds=draw.randrange(1, 1000))
    before = look - draw.randrange(60) * SECOND - ms
    ahead = look + draw.randrange(8) * SECOND + draw.choice([0, 0, 1]) * ms
    return draw.choice([before, before, before, look - MINUTE + ms, look + ms, ahead])


def _happens(
    draw: random.Random, place: tuple[str, str], images: dict[int, Any], when: datetime
) -> Iterator[dict[str, Any]]:
    """Let something happen to an image; yield the event, if EventBridge tells it."""
    number, kind = draw.randrange(4), draw.choice(["state", "state", "target", "gone", "back"])
    if number not in images or kind == "back":
        images[number] = item(number, draw.choice(["enabling", None]), StateTransitionTime=when)
    elif kind == "gone":
        del images[number]
    elif kind == "target":
        images[number] = {**images[number], "MaxParallelLaunches": draw.randrange(6, 9)}
    else:
        state, since = draw.choice(API_STATES), draw.choice([when, when, None])
        target = images[number]["SnapshotConfiguration"]
        images[number] = {
            **item(number, state, SnapshotConfiguration=target, StateTransitionTime=since)
        }
    state = images[number].get("State") if number in images else "disabled"
    if state and draw.random() < 0.3:
        yield event(place, number, state, when)


def event(place: tuple[str, str], number: int, state: str, when: datetime) -> dict[str, Any]:
    """Return a notification of EventBridge's."""
    return {
        "id": f"{place}{number}{when}",
        "source": "aws.ec2",
        "detail-type": "EC2 Fast Launch State-change Notification",
        "account": place[0],
        "region": place[1],
        "time": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "detail": {"imageId": f"ami-{number:017x}", "resourceType": "snapshot", "state": state},
    }


def _seen(draw: random.Random, there: Places) -> Iterator[tuple[Any, Any]]:
    for place, images in there.items():
        if draw.random() < 0.9:
            yield place, draw.choice([[*images.values()]] * 12 + ["failed"])


def all_of(sweeps: list[Swept], events: pd.DataFrame) -> Week:
    """Return sweeps as one, which is faster to keep."""
    seen = pd.concat([sweep.images for sweep in sweeps], ignore_index=True)
    covered = pd.concat([sweep.coverage for sweep in sweeps], ignore_index=True)
    return Week(seen, covered, events)


@contextmanager
def kept(*parts: Any) -> Iterator[fl.History]:
    """Yield a history of these parts."""
    with tempfile.TemporaryDirectory() as folder:
        history = fl.History(Path(folder) / "store")
        for part in parts:
            history.record(part)
        yield history


def instants(draw: random.Random) -> list[datetime]:
    """Return some moments: of looks, within their seconds, and up to seven seconds later."""
    looks = [START + draw.randrange(LOOKS) * MINUTE for _ in range(4)]
    later = [0, 400_000, 999_999, draw.randrange(8_000_000)]
    return [look + timedelta(microseconds=us) for look, us in zip(looks, later, strict=True)]


# --- laws -----------------------------------------------------------------------------

randoms = st.randoms(use_true_random=False)
gaps = st.sampled_from([None, "1min", "2min", "7min"])
SEEDS = (2, 8, 10, 12, 14, 17, 21, 25, 34, 36, 41, 42)
"""Worlds in which one road through a history once led elsewhere than another."""


def draws() -> list[random.Random]:
    """Return the chance of the worlds that once broke a law."""
    return [random.Random(seed) for seed in SEEDS]


@costly
@given(randoms, gaps)
def test_leaving_out_what_tells_nothing_new_changes_no_interval(
    draw: random.Random, max_gap: str | None
) -> None:
    """A history's own intervals are those of all its observations and all its coverage."""
    check_intervals([draw], max_gap)


@pytest.mark.parametrize("max_gap", [None, "2min"])
def test_leaving_out_changed_no_interval_of_these(max_gap: str | None) -> None:
    """So it is in worlds where it was not."""
    check_intervals(draws(), max_gap)


def check_intervals(draws: list[random.Random], max_gap: str | None) -> None:
    """Refuse intervals of a history that are not those of all that it holds."""
    with kept(all_of(*world(*draws))) as history:
        quick = history.intervals(max_gap=max_gap)
        at_length = fl.intervals(history.observations(), history.coverage(), max_gap=max_gap)
    same(quick[list(at_length)], at_length)


@pytest.mark.deep
@partial(costly, part=20)  # five seconds an example
@given(randoms)
def test_how_it_was_kept_changes_no_answer(draw: random.Random) -> None:
    """In any order, all of it twice, merged now and then: the answers are the same."""
    check_answers(draw, [draw])


def test_how_these_were_kept_changes_no_answer() -> None:
    """So it is in worlds where it was not."""
    check_answers(random.Random(1), draws())


def check_answers(draw: random.Random, draws: list[random.Random]) -> None:
    """Refuse answers that depend on how a history was kept."""
    sweeps, told = world(*draws)
    parts: list[Any] = [*sweeps[:7], told]
    again = [*parts, *parts]
    draw.shuffle(again)
    with kept(*parts) as plain, kept() as other:
        expected = answers(plain)
        for number, part in enumerate(again):
            other.record(part)
            if number in (4, 9):
                other.compact()
        same_answers(expected, answers(other))
        other.compact()
        same_answers(expected, answers(other))


@costly
@given(randoms)
def test_the_time_machine_shows_what_a_look_saw(draw: random.Random) -> None:
    """Without events, at the time of a complete look the images are those that it saw.

    Those whose transition it saw ahead are so from that on.
    """
    check_looks(draw, [draw])


def test_the_time_machine_shows_what_these_looks_saw() -> None:
    """So it is in worlds where it was not."""
    check_looks(random.Random(1), draws())


def check_looks(draw: random.Random, draws: list[random.Random]) -> None:
    """Refuse a time machine that shows something else than what a look saw."""
    sweeps, _ = world(*draws)
    with kept(all_of(sweeps, fl.from_events([]))) as history:
        for sweep in draw.sample(sweeps, 3):
            saw = sweep.images
            ahead = saw["state_transition_time"] - saw["observed_at"]
            late = ahead.between(MICROSECOND, AHEAD)
            complete = sweep.coverage.loc[sweep.coverage["status"] == "complete", KEY[:2]]
            at_once = history.images(at=sweep.started_at).merge(complete, on=KEY[:2])
            at_once = at_once.merge(saw.loc[late, KEY], on=KEY, how="left", indicator=True)
            at_once = at_once.loc[at_once["_merge"] == "left_only", COLUMNS]
            same(at_once.reset_index(drop=True), saw[~late].sort_values(KEY, ignore_index=True))
            for since in saw.loc[late, "state_transition_time"].drop_duplicates().head(3):
                then = saw[saw["state_transition_time"] == since].sort_values(KEY)
                found = history.images(at=since).merge(then[KEY], on=KEY)[COLUMNS]
                same(found, then.reset_index(drop=True))


@costly
@given(randoms)
def test_the_time_machine_agrees_with_the_intervals(draw: random.Random) -> None:
    """At every instant the images are those, and in those states, that the intervals tell."""
    check_instants(draw, [draw])


def test_the_time_machine_agrees_with_these_intervals() -> None:
    """So it is in worlds where it did not."""
    check_instants(random.Random(1), draws())


def check_instants(draw: random.Random, draws: list[random.Random]) -> None:
    """Refuse a time machine that shows another state than the intervals, or another image."""
    with kept(all_of(*world(*draws))) as history:
        told = history.intervals()
        for at in instants(draw):
            now = told[(told["start"] <= at) & ~(told["end"] <= at)]
            now = now[~now["state"].isin(["absent", "disabled"])]
            found = history.images(at=at)
            state = found["state"].fillna("unknown")
            same(found[KEY].assign(state=state), now[[*KEY, "state"]].reset_index(drop=True))


@costly
@given(randoms)
def test_a_difference_leads_from_one_fleet_to_the_other(draw: random.Random) -> None:
    """Who has the images of one moment and what changed knows states and targets of the other."""
    check_difference(draw, [draw])


def test_a_difference_leads_from_one_of_these_to_the_other() -> None:
    """So it is in worlds where it did not."""
    check_difference(random.Random(1), draws())


def check_difference(draw: random.Random, draws: list[random.Random]) -> None:
    """Refuse a difference between two moments that does not lead from one to the other."""
    first, last = sorted(draw.sample(instants(draw), 2))
    with kept(all_of(*world(*draws))) as history:
        before, after = facts(history.images(at=first)), facts(history.images(at=last))
        changed = history.diff(first, last)
    for row in changed.to_dict("records"):
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
            place = ["state", "target", "parallel launches", "template"].index(row["change"])
            assert before[image][place] == row["before"] != row["after"]
            before[image] = (*before[image][:place], row["after"], *before[image][place + 1 :])
    unknown = {image for image, (state, *_) in after.items() if state == "unknown"}
    assert {k: v for k, v in before.items() if k not in unknown} == {
        k: v for k, v in after.items() if k not in unknown
    }


def facts(images: pd.DataFrame) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return what may change of each image, by its key, as text."""
    template = images["launch_template_name"] + ":" + images["launch_template_version"]
    told = images.assign(template=template, target=images["target_resource_count"].astype("string"),
                         parallel=images["max_parallel_launches"].astype("string"))  # fmt: skip
    told = told.astype(object).where(told.notna(), None)
    names = [*KEY, "state", "target", "parallel", "template"]
    return {row[:3]: row[3:] for row in told[names].itertuples(index=False, name=None)}


# --- what is kept ---------------------------------------------------------------------


def test_everything_that_a_sweep_saw_comes_back(demo: Demo, tmp_path: Path) -> None:
    """Rows come back with their dtypes and names; of the coverage, all but the page token."""
    swept = fl.sweep(
        fl.targets(profiles=demo.accounts.values()), regions=demo.regions, progress=False
    )
    history = fl.History(tmp_path)
    history.record(swept)
    by = ["observed_at", *KEY]
    seen = history.observations()
    expected = swept.images.sort_values(by, ignore_index=True)
    same(seen[list(expected)], expected)
    assert set(seen["sweep_id"]) == {swept.sweep_id}
    assert set(seen["event_id"].isna()) == {True}
    covered = swept.coverage.sort_values(["observed_at", *KEY[:2]], ignore_index=True)
    same(history.coverage(), covered.assign(checkpoint=pd.array([None] * 6, dtype="string")))
