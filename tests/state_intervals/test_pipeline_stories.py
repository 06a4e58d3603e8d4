"""Stories of one image: which intervals follow from scans and events."""

from __future__ import annotations

from functools import cache
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.state_intervals.changes import list_kinds
from tests.helpers.cases import some
from tests.helpers.image_stories import (
    ACCOUNT_REGION,
    MINUTE,
    SECOND,
    START,
    STORIES,
    make_case,
    make_case_in_seconds,
)
from tests.helpers.interval_oracle import Case, Observation, compute_intervals, make_frames
from tests.state_intervals.engines import ENGINES, NAMES, compute, convert_to_utc, list_rows


def vary_case(case: Case) -> dict[str, Case]:
    """Return a case as it is, and without reasons, so that observations may be equal."""
    equal = [observation._replace(reason=None) for observation in case.observations]
    return {ACCOUNT_REGION[1]: case, "no-reasons": case._replace(observations=equal)}


@cache
def compute_stories(engine: str, max_gap: str | None) -> pd.DataFrame:
    """Return the intervals of all stories with this gap; the name of a story is its account."""
    convert, read = dict(zip(NAMES, ENGINES, strict=True))[engine]
    stories = Case([], [])
    for name, (case, gap, *_) in STORIES.items():
        if gap == max_gap:
            for region, variant in vary_case(case).items():
                key = (name, region)
                rows, scans = variant
                stories.observations.extend(row._replace(account_region=key) for row in rows)
                stories.scans.extend(scan._replace(account_region=key) for scan in scans)
    return convert_to_utc(read(fl.intervals(*convert(*make_frames(stories)), max_gap=max_gap)))


@pytest.mark.parametrize(
    "engine",
    ["pandas", *(pytest.param(name, marks=pytest.mark.deep) for name in ("polars", "duckdb"))],
)
@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str, engine: str) -> None:
    """A state starts and ends where scans and events prove it, and lasts until they contradict."""
    _, max_gap, expected, unit = STORIES[name]
    table = compute_stories(engine, max_gap)
    for region in (ACCOUNT_REGION[1], "no-reasons"):
        rows = table[table["account_id"].eq(name) & table["region"].eq(region)]
        intervals = [
            f"{row['state']} {'' if row['start_exact'] else '~'}{(row['start'] - START) / unit:g}"
            for row in rows.to_dict("records")
        ]
        assert expected == ", ".join(intervals), region


@pytest.mark.parametrize("name", STORIES)
def test_stories_agree_with_the_oracle(name: str) -> None:
    """Plain Python finds the same rows scan by scan: ends, reasons and last sights too."""
    case, max_gap, *_ = STORIES[name]
    table = compute_stories("polars", max_gap)
    gap = None if max_gap is None else pd.Timedelta(max_gap).to_pytimedelta()
    for region, variant in some(vary_case(case).items()):
        rows = table[table["account_id"].eq(name) & table["region"].eq(region)]
        rows = rows.assign(account_id=ACCOUNT_REGION[0], region=ACCOUNT_REGION[1])
        assert compute_intervals(variant, gap) == list_rows(rows), region


def test_a_transition_seen_ahead_makes_no_gap_for_other_images() -> None:
    """A scan counts as made later only for the image whose transition it saw ahead."""
    other = Observation(
        ACCOUNT_REGION, "b", "enabled", None, START + 12 * SECOND, START + 8 * SECOND
    )
    case = make_case_in_seconds((0, "enabled", None))
    table = compute(Case([*case.observations, other], []), "10s")
    assert table["state"].tolist() == ["enabled", "enabled"]


def test_an_interval_has_the_last_sight_and_the_last_reason() -> None:
    """`last_seen` is the last scan that saw the state; the reason is that of the last one."""
    case = make_case((1, "enabled", 0), (3, "enabled", 0), (6, "enabling", 6), scans=" c c  cccf")
    table = compute(case)
    last_seen = [*(START + minute * MINUTE for minute in (3, 6, 8)), pd.NaT]
    assert last_seen == table["last_seen"].tolist()
    reasons = table["state_transition_reason"].astype(object)
    assert reasons.where(reasons.notna(), None).tolist() == ["r1", "r2", None, None]


@pytest.mark.parametrize(("convert", "_"), ENGINES, ids=NAMES)
def test_each_kind_of_change_is_listed_once(convert: Any, _: Any) -> None:
    """However many observations there are, each kind of change has one row, in each engine."""
    case = make_case((1, "enabled", 0), (3, "enabled", 0))
    frame: Any = nw.from_native(convert(make_frames(case)[0])[0])
    kinds = list_kinds(frame.lazy()).collect()["kind"].to_list()
    assert len(kinds) == len(set(kinds)) == 7


def test_a_failed_scan_counts_at_asked_at() -> None:
    """Where a failed scan has no time of AWS, it counts from `asked_at`."""
    observations, coverage = make_frames(make_case((1, "enabled", 0), scans=" c f"))
    asked_at = coverage["observed_at"]
    coverage["observed_at"] = asked_at.where(coverage["status"] == "complete")
    assert fl.intervals(observations, coverage)["state"].tolist() == ["enabled"]
    table = fl.intervals(observations, coverage.assign(asked_at=asked_at))
    assert table["state"].tolist() == ["enabled", "unknown"]


@pytest.mark.parametrize(
    ("max_gap", "states"), [("4min", ["enabled"]), ("239s", ["enabled", "unknown"])]
)
def test_a_gap_is_counted_until_another_image_is_seen(max_gap: str, states: list[str]) -> None:
    """Without a coverage, the last sight of any image of the region shows how long a gap is."""
    case = make_case(*((minute, "enabled", 0) for minute in range(6)))
    other = case.observations[1]._replace(image="b")
    table = compute(case._replace(observations=[*case.observations, other]), max_gap)
    assert table.loc[table["image_id"].eq("b"), "state"].tolist() == states
