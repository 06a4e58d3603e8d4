"""The history: what is kept, what is told of it, and that no way of keeping changes an answer."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb import frame
from fastlaunch_nb.demo import Demo

from .conftest import item
from .worlds import MINUTE, PLACES, START, Swept, answers, looked, same, same_answers

COLUMNS = [column.name for column in frame.COLUMNS]
KEY = list(frame.KEY)


class Week(NamedTuple):
    """Many sweeps as one, and events."""

    observations: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame


# --- a world that is looked at --------------------------------------------------------


def world(draw: random.Random, looks: int = 25) -> tuple[list[Swept], pd.DataFrame]:
    """Return sweeps of places where little happens, as in life, and the events of it."""
    there: dict[tuple[str, str], dict[int, dict[str, Any]]] = {place: {} for place in PLACES}
    sweeps: list[Swept] = []
    told: list[dict[str, Any]] = []
    for minute in range(looks):
        for place, images in there.items():
            for _ in range(draw.choice([0, 0, 0, 0, 1, 2])):
                told += _happens(draw, place, images, START + (minute - draw.random()) * MINUTE)
        sweeps.append(looked(minute, *_seen(draw, there)))
    return sweeps, fl.from_events(told)


def _happens(
    draw: random.Random, place: tuple[str, str], images: dict[int, Any], when: datetime
) -> Iterator[dict[str, Any]]:
    """Let something happen to an image; yield the event, if EventBridge tells it."""
    number, kind = draw.randrange(4), draw.choice(["state", "state", "target", "gone", "back"])
    when = when.replace(microsecond=when.microsecond // 1000 * 1000)
    if number not in images or kind == "back":
        images[number] = item(number, draw.choice(["enabling", None]), StateTransitionTime=when)
    elif kind == "gone":
        del images[number]
    elif kind == "target":
        images[number] = {**images[number], "MaxParallelLaunches": draw.randrange(6, 9)}
    else:
        state, since = draw.choice(frame.API_STATES), draw.choice([when, None])
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


def _seen(draw: random.Random, there: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
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


randoms = st.randoms(use_true_random=False)
gaps = st.sampled_from([None, "1min", "2min", "7min"])


# --- laws -----------------------------------------------------------------------------


@settings(max_examples=6)
@given(randoms, gaps)
def test_leaving_out_what_tells_nothing_new_changes_no_interval(
    draw: random.Random, max_gap: str | None
) -> None:
    """A history's own intervals are those of all its observations and all its coverage."""
    with kept(all_of(*world(draw))) as history:
        quick = history.intervals(max_gap=max_gap)
        at_length = fl.intervals(history.observations(), history.coverage(), max_gap=max_gap)
    same(quick[list(at_length)], at_length)


@settings(max_examples=4)
@given(randoms)
def test_how_it_was_kept_changes_no_answer(draw: random.Random) -> None:
    """In any order, all of it twice, merged now and then: the answers are the same."""
    sweeps, told = world(draw, 9)
    parts: list[Any] = [*sweeps, told]
    again = [*parts, *parts]
    draw.shuffle(again)
    with kept(*parts) as plain, kept() as other:
        for part in again:
            other.record(part)
            if draw.random() < 0.2:
                other.compact()
        same_answers(answers(plain), answers(other))
        other.compact()
        same_answers(answers(plain), answers(other))


@settings(max_examples=6)
@given(randoms)
def test_the_time_machine_shows_what_a_look_saw(draw: random.Random) -> None:
    """Without events, the images at the moment of a complete look are those that it saw."""
    sweeps, _ = world(draw)
    with kept(all_of(sweeps, fl.from_events([]))) as history:
        for sweep in draw.sample(sweeps, 8):
            then = history.images(at=sweep.started_at)
            looks = sweep.coverage[sweep.coverage["status"] == "complete"]
            for place in looks[KEY[:2]].itertuples(index=False, name=None):
                found, saw = (
                    rows[(rows[KEY[0]] == place[0]) & (rows[KEY[1]] == place[1])][COLUMNS]
                    for rows in (then, sweep.images)
                )
                same(found.reset_index(drop=True), saw.sort_values(KEY, ignore_index=True))


@settings(max_examples=6)
@given(randoms)
def test_a_difference_leads_from_one_fleet_to_the_other(draw: random.Random) -> None:
    """Who has the images of one moment and what changed knows states and targets of the other."""
    first, last = sorted(START + draw.randrange(25) * MINUTE for _ in range(2))
    with kept(all_of(*world(draw))) as history:
        before, after = facts(history.images(at=first)), facts(history.images(at=last))
        changed = history.diff(first, last)
    for row in changed.to_dict("records"):
        image = tuple(row[name] for name in KEY)
        if row["change"] in ("gone", "not known after"):
            assert before.pop(image)
            if row["change"] == "gone":
                assert image not in after
            else:
                assert after.pop(image)[0] == "unknown"
        elif row["change"] in ("appeared", "not known before"):
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
