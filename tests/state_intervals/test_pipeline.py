"""Intervals: the oracle and all engines agree, and the laws of time are kept."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import KEY
from tests.helpers.image_stories import HOUR, MILLISECOND, SECOND, START
from tests.helpers.interval_oracle import (
    COMPLETE,
    STATES,
    AccountRegion,
    Case,
    Observation,
    Scan,
    compute_intervals,
    make_frames,
)
from tests.state_intervals.engines import ENGINES, NAMES, compute, convert_to_utc, list_rows

DELAYS = [
    *[timedelta(0)] * 6,
    *[3 * HOUR] * 3,
    300 * MILLISECOND,
    2 * SECOND,
    3 * SECOND,
    5 * SECOND,
]
END = START + 99 * HOUR
GAPS = [None, timedelta(hours=1), timedelta(hours=3, seconds=30), timedelta(hours=26)]


# --- cases ----------------------------------------------------------------------------


def draw_case(draw: random.Random, account_region: AccountRegion) -> Case:
    """Return observations and scans of two images in one region, contradictory at will."""
    hours, states = draw.choice([3, 6, 15]), draw.choice([2, len(STATES)])

    def draw_time(first: int = 0) -> datetime:
        return START + draw.randrange(first, hours) * HOUR

    observations = []
    for _ in range(draw.randrange(10)):
        observed_at = draw_time() + draw.choice([0, 0, 0, 250, 999, 2000, 4400]) * MILLISECOND
        near = [draw.choice([0, 0, 500, 999, 1000 * draw.randrange(8), 5001]), 0, 300]
        times = [
            None,
            *(observed_at + number * MILLISECOND for number in near),
            *(draw_time(-2) for _ in range(3)),
        ]
        transition = draw.choice(times)
        image, reason = draw.choice("ab"), draw.choice(["x", "y", None])
        state = draw.choice(STATES[:states])
        observations.append(
            Observation(account_region, image, state, reason, transition, observed_at)
        )
    statuses = ["complete"] * 4 + ["failed", "partial", "interrupted", "not-opted-in"]
    scans = [
        Scan(
            account_region,
            draw.choice(statuses),
            draw.choice(["", None, "", "{}"]),
            draw_time(-1) + delay,
        )
        for delay in (draw.choice(DELAYS) for _ in range(draw.randrange(14)))
    ]
    return Case(observations, scans)


def repeat_sights(draw: random.Random, case: Case) -> Case:
    """Return a case in which later scans see some of the same transitions again."""
    repeated = [
        seen._replace(
            observed_at=seen.observed_at + draw.randrange(1, 4) * HOUR,
            reason=draw.choice([seen.reason, "z"]),
        )
        for seen in case.observations
        if draw.random() < 0.5
    ]
    return case._replace(observations=case.observations + repeated)


def draw_regions(draw: random.Random, number: int) -> Case:
    """Return cases of so many regions as one; every two regions share an account.

    A few regions more have transitions that several scans saw.
    """
    regions: list[AccountRegion] = [
        (f"{n // 2:012}", draw.choice(["us-east-1", None]) if n % 2 else "eu-west-1")
        for n in range(number)
    ]
    cases = [draw_case(draw, region) for region in [*regions, (None, None)]]
    repeated = [(f"{n:012}", "repeated") for n in range(number // 3)]
    cases += [repeat_sights(draw, draw_case(draw, region)) for region in repeated]
    return Case(
        [observation for case in cases for observation in case.observations],
        [scan for case in cases for scan in case.scans],
    )


randoms = st.randoms(use_true_random=False)
gaps = st.sampled_from(GAPS)


# --- the oracle and the engines -------------------------------------------------------


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@example(random.Random(95), None)  # an exact start that a later scan of it hid
@example(random.Random(245), GAPS[1])  # a gap that only another image's sight shows
@given(randoms, gaps)
def test_intervals_are_those_of_the_oracle(draw: random.Random, max_gap: timedelta | None) -> None:
    """The intervals are those that plain Python finds scan by scan."""
    case = draw_regions(draw, 30)
    assert compute_intervals(case, max_gap) == list_rows(compute(case, max_gap))


@pytest.mark.parametrize(("convert", "read"), ENGINES, ids=NAMES)
@pytest.mark.parametrize("max_gap", [None, GAPS[2]], ids=str)
def test_every_engine_gives_the_same(
    convert: Callable[..., list[Any]], read: Callable[[Any], pa.Table], max_gap: timedelta | None
) -> None:
    """The result is a frame of the same kind, with the same rows in the same order."""
    case = draw_regions(random.Random(6), 200)
    native = convert(*make_frames(case))
    result = fl.intervals(*native, max_gap=max_gap)
    assert type(result) is type(native[0])
    assert compute_intervals(case, max_gap) == list_rows(convert_to_utc(read(result)))


@pytest.mark.deep
def test_spark_gives_the_same(spark: Any) -> None:
    """PySpark agrees as well, also on a day that its time zone makes an hour shorter."""
    case, max_gap = draw_regions(random.Random(7), 200), GAPS[-1]
    native = [
        spark.createDataFrame(pa.Table.from_pandas(table, preserve_index=False))
        for table in make_frames(case)
    ]
    result = fl.intervals(*native, max_gap=max_gap)
    assert type(result) is type(native[0])
    assert compute_intervals(case, max_gap) == list_rows(convert_to_utc(result.toArrow()))


# --- laws -----------------------------------------------------------------------------


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_intervals_leave_no_hole(draw: random.Random, max_gap: timedelta | None) -> None:
    """Each interval of an image follows the last, in another state, and only the last is open."""
    table = compute(draw_regions(draw, 20), max_gap)
    assert (table["end"].isna() | (table["start"] < table["end"])).all()
    for _, image in table.groupby(list(KEY), dropna=False):
        assert list(image["end"].iloc[:-1]) == list(image["start"].iloc[1:])
        assert image["end"].isna().tolist() == [False] * (len(image) - 1) + [True]
        assert (image["state"] != image["state"].shift()).all()


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_order_and_repetition_change_nothing(
    draw: random.Random, max_gap: timedelta | None
) -> None:
    """Rows may come in any order and more than once: the intervals are the same."""
    case = draw_regions(draw, 20)
    expected = list_rows(compute(case, max_gap))
    observations, scans = case
    if observations:
        observations = observations + draw.choices(observations, k=5)
    if scans:
        scans = scans + draw.choices(scans, k=5)
    draw.shuffle(observations)
    draw.shuffle(scans)
    assert expected == list_rows(compute(Case(observations, scans), max_gap))


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_intervals_agree_with_each_scan(draw: random.Random, max_gap: timedelta | None) -> None:
    """At each scan an image is in the state that it saw, or absent, unless later ones disprove it.

    Later scans may show that the state is unknown from this scan on, or that it missed the image.
    """
    case = draw_regions(draw, 20)
    table = list_rows(compute(case, max_gap))
    states: dict[Any, set[str]] = {}
    for seen in case.observations:
        key = (*seen.account_region, seen.image, seen.instant)
        states.setdefault(key, set()).add(seen.state or "unknown")
    certain = {key: values for key, values in states.items() if len(values) == 1}
    found = {key: {find_state(table, *key[:-1], time=key[-1])} for key in certain}
    unknown = {(*row[:3], row[4]) for row in table if row[3] == "unknown"}
    allowed = {key: certain[key] | ({"unknown"} if key in unknown else set()) for key in certain}
    assert [key for key in certain if not found[key] <= allowed[key]] == []
    missing = {
        (*scan.account_region, image, time)
        for scan in case.scans
        if scan.is_unfiltered(COMPLETE)
        for image, time in product("ab", [scan.time.replace(microsecond=0)])
        if not any(
            (seen.account_region, seen.image) == (scan.account_region, image)
            and seen.scanned <= time <= seen.instant_second
            for seen in case.observations
        )
    }
    missing = {key for key in missing - unknown if not was_missed_once(case, *key)}
    others = {find_state(table, *key[:-1], time=key[-1]) for key in missing}
    assert others <= {None, "absent", "disabled"}


def was_missed_once(
    case: Case, account: str | None, region: str | None, image: str, time: datetime
) -> bool:
    """Return whether no other scan missed the image between two sights of one transition."""
    of_region = [seen for seen in case.observations if seen.account_region == (account, region)]
    seen = sorted((seen for seen in of_region if seen.image == image), key=lambda it: it.sort_key)
    complete = {
        scan.time.replace(microsecond=0)
        for scan in case.scans
        if scan.account_region == (account, region) and scan.is_unfiltered(COMPLETE)
    }
    return any(
        first.instant_second < time < second.scanned
        and first.state == second.state
        and second.has_transition_of(first)
        and [at for at in complete if first.instant_second < at < second.scanned] == [time]
        for first, second in pairwise(seen)
    )


def find_state(table: list[tuple[Any, ...]], *image: str | None, time: datetime) -> str | None:
    """Return the state of an image at a time, or None if it was not seen until then."""
    for row in table:
        if row[:3] == image and row[4] <= time and (not row[5] or time < row[5]):
            return str(row[3])
    return None


@example(random.Random(1))
@given(randoms)
def test_only_a_complete_unfiltered_scan_proves_absence(draw: random.Random) -> None:
    """Filtered and failed scans, and those of a region not opted in, make no image absent."""
    case = draw_regions(draw, 20)
    filtered = [scan._replace(scope='{"state": "enabled"}') for scan in case.scans]
    failed = [scan._replace(status="failed") for scan in case.scans]
    opted_out = [scan._replace(status="not-opted-in") for scan in case.scans]
    for scans in (filtered, failed, opted_out, []):
        assert "absent" not in set(compute(Case(case.observations, scans))["state"])


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_a_region_that_is_not_opted_in_is_unknown(
    draw: random.Random, max_gap: timedelta | None
) -> None:
    """Where a region is not opted in, its images are in no state but one that is seen later.

    A sight counts for a second, and until the transition that it saw ahead.
    """
    case = draw_regions(draw, 20)
    table = list_rows(compute(case, max_gap))
    scans = [scan._replace(time=scan.time.replace(microsecond=0)) for scan in case.scans]
    read = {(scan.account_region, scan.time) for scan in scans if scan.status == "complete"}
    opted_out = {
        (*scan.account_region, image, scan.time)
        for scan in scans
        if scan.status == "not-opted-in" and (scan.account_region, scan.time) not in read
        for image in "ab"
    }
    wrong = []
    for *key, time in opted_out:
        later = [
            seen
            for seen in case.observations
            if [*seen.account_region, seen.image] == key and seen.instant + SECOND > time
        ]
        is_in_sight = any(seen.scanned <= time for seen in later)
        state = find_state(table, *key, time=time)
        if not is_in_sight and state not in {None, "unknown", *(seen.state for seen in later)}:
            wrong.append((key, time, state))
    assert wrong == []


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_a_newer_transition_ends_an_interval(
    draw: random.Random, max_gap: timedelta | None
) -> None:
    """No interval lasts from a scan to one that saw a transition to the same state since."""
    case = draw_regions(draw, 20)
    case = case._replace(observations=[it for it in case.observations if it.state == "enabled"])
    table = list_rows(compute(case, max_gap))
    too_long = []
    for key in {row[:3] for row in table}:
        seen = [it for it in case.observations if (*it.account_region, it.image) == key]
        seen.sort(key=lambda it: it.sort_key)
        transitions = sorted(it.transition for it in seen if it.transition)
        for first, second in pairwise(seen):
            since = next((it for it in transitions if it > first.instant), None)
            if since and since == second.transition and since > first.instant + SECOND:
                too_long += [
                    row
                    for row in table
                    if row[:3] == key and row[3] == "enabled"
                    if row[4] < first.instant < since < (row[5] or END)
                ]
    assert too_long == []
