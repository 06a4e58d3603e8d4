"""Merging: for any query results, the columns equal those of a loop over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.joins import merge
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.columns import COLUMNS, KEY, TIME
from fastlaunch_nb.schema.joins import JOINS, METRICS, SNAPSHOTS
from tests.helpers.joins import assert_declared, list_values

START = datetime(2026, 1, 15, tzinfo=UTC)
ACCOUNTS, REGIONS = ("111122223333", "123456789012"), ("eu-west-1", "us-east-1")
IDS = tuple(f"ami-{number:017x}" for number in range(2))
STATES = ("enabled", "disabling-failed", None)
ACCOUNT_REGIONS = [(account, region) for account in ACCOUNTS for region in REGIONS]

KEYS = [
    (ACCOUNTS[0], REGIONS[0], IDS[0]),
    (ACCOUNTS[0], REGIONS[0], IDS[1]),
    (ACCOUNTS[0], REGIONS[1], IDS[0]),
    (ACCOUNTS[1], REGIONS[0], IDS[0]),
]
keys = st.sampled_from(KEYS)  # few, so that rows often match results
maybe_keys = keys | st.sampled_from([(None, *KEYS[0][1:]), (*KEYS[0][:2], None)])
images = st.lists(
    st.tuples(maybe_keys, st.sampled_from(STATES), st.none() | st.integers(1, 3)), max_size=8
)
account_regions = st.lists(st.sampled_from(ACCOUNT_REGIONS[:3]), unique=True, min_size=1)


def make_rows(drawn: list[Any]) -> pd.DataFrame:
    """Return rows as joins take them."""
    rows = [
        {**dict(zip(KEY, key, strict=True)), "state": state, "target_resource_count": target}
        for key, state, target in drawn
    ]
    columns = [column for column in COLUMNS if column.name in merge.NEEDED]
    return merge.select_rows(make_table(rows, columns))


def join_snapshots(
    rows: pd.DataFrame, table: pd.DataFrame, regions: Sequence[tuple[str, str]] = ACCOUNT_REGIONS
) -> pd.DataFrame:
    """Join snapshots that EC2 listed at the same time in all regions."""
    times = [{"account_id": a, "region": r, "snapshots_time": START} for a, r in regions]
    read = merge.match_regions(rows, regions)
    return merge.join_snapshots(rows, table, make_table(times, merge.READ_TIMES), read)


def list_keys(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return the key of each row, with None for null."""
    plain = rows[list(KEY)].astype(object)
    return [tuple(row) for row in plain.where(plain.notna(), None).itertuples(index=False)]


def is_read(key: tuple[Any, ...], regions: list[tuple[str, str]]) -> bool:
    return key[:2] in regions and key[2] is not None


# --- snapshots ------------------------------------------------------------------------

nameless = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(REGIONS), st.none())
snapshots = st.lists(
    st.tuples(
        keys | nameless,
        st.sampled_from(("completed", "pending", "error")),
        st.integers(0, 50),
        st.integers(1, 100),
        st.integers(1, 2**37) | st.just(None),
    ),
    max_size=20,
)


@given(images, snapshots, account_regions)
def test_snapshots_are_counted(
    drawn: list[Any], snapshots: list[Any], regions: list[tuple[str, str]]
) -> None:
    """Law: a row has the number, size and age of its image's snapshots; 0 is not null."""
    rows = make_rows(drawn)
    table = make_table(
        [
            {
                **dict(zip(KEY, key, strict=True)),
                "snapshot_state": state,
                "snapshot_time": START + timedelta(hours=hour),
                "volume_gib": gib,
                "full_snapshot_bytes": full,
            }
            for key, state, hour, gib, full in snapshots
        ],
        SNAPSHOTS,
    )
    found = join_snapshots(rows, table, regions)
    assert_declared("snapshots", found, rows)
    expected = [
        expect_snapshots(key, state, target, snapshots, regions) for key, state, target in drawn
    ]
    assert list_values(found) == expected


def expect_snapshots(
    key: tuple[Any, ...],
    state: str | None,
    target: int | None,
    snapshots: list[Any],
    regions: list[Any],
) -> dict[str, Any]:
    if not is_read(key, regions):
        return dict.fromkeys((column.name for column in JOINS["snapshots"]), None)
    own = [snapshot for snapshot in snapshots if snapshot[0] == key]
    excess = None if target is None else max(0, len(own) - target)
    times = [pd.Timestamp(START + timedelta(hours=hour)) for _, _, hour, *_ in own]
    full_sizes = [full for *_, full in own]
    return {
        "snapshots": len(own),
        "snapshots_pending": sum(status != "completed" for _, status, *_ in own),
        "snapshot_gib": sum(gib for *_, gib, _ in own),
        "snapshot_full_gib": None if None in full_sizes else sum(full_sizes) / 2**30,
        "oldest_snapshot_time": min(times, default=None),
        "leftover_snapshots": len(own) if state == "disabling-failed" else excess,
        "snapshots_time": START,
    }


def test_a_missing_size_makes_the_sum_unknown() -> None:
    """The total size is null if one size is; the number of snapshots is known."""
    key = dict(zip(KEY, KEYS[0], strict=True))
    table = make_table([{**key, "volume_gib": 50}, key], SNAPSHOTS)
    rows = make_rows([(KEYS[0], "enabled", 1)])
    [found] = list_values(join_snapshots(rows, table))
    assert (found["snapshots"], found["snapshot_gib"], found["leftover_snapshots"]) == (2, None, 1)


@pytest.mark.parametrize(
    ("state", "target", "count", "expected"),
    [
        ("enabled", 2, 1, 0),
        ("enabled", 2, 2, 0),
        ("enabled", 2, 3, 1),
        ("enabled", 0, 0, 0),
        ("enabled", None, 3, None),
        ("enabled-failed", 2, 3, 1),
        ("disabling", 2, 3, 1),
        (None, 2, 3, 1),
        ("disabling-failed", 2, 0, 0),
        ("disabling-failed", 2, 1, 1),
        ("disabling-failed", None, 3, 3),
    ],
)
def test_excess_snapshots(
    state: str | None, target: int | None, count: int, expected: int | None
) -> None:
    """Snapshots above the target; all of them after disabling failed; null without a target."""
    rows = make_rows([(KEYS[0], state, target)])
    key = dict(zip(KEY, KEYS[0], strict=True))
    table = make_table([key] * count, SNAPSHOTS)
    [found] = list_values(join_snapshots(rows, table))
    assert (found["snapshots"], found["leftover_snapshots"]) == (count, expected)


@pytest.mark.parametrize(
    ("states", "pending"),
    [(["completed"], 0), (["pending"], 1), (["error"], 1), ([None], 1), (["Completed"], 1)],
)
def test_snapshots_in_other_states_are_pending(states: list[str | None], pending: int) -> None:
    """Only a snapshot in the state `completed` is available."""
    rows = make_rows([(KEYS[0], "enabled", 1)])
    key = dict(zip(KEY, KEYS[0], strict=True))
    table = make_table([{**key, "snapshot_state": state} for state in states], SNAPSHOTS)
    [found] = list_values(join_snapshots(rows, table))
    assert found["snapshots_pending"] == pending


# --- metrics --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stock", "since"),
    [
        ([2], None),
        ([1], 0),
        ([3, 2, 2], None),
        ([2, 1], 1),
        ([1, 1, 1], 0),
        ([1, 2, 1, 0], 2),
        ([0, 1, 2], None),
        ([1, None, 1], 0),
        ([2, None, 1], 2),
        ([2, None, None], None),
        ([None], None),
    ],
)
def test_time_since_the_stock_is_below_the_target(
    stock: list[int | None], since: int | None
) -> None:
    """The time of the first number after the last that reached it; nulls are skipped."""
    rows = make_rows([(KEYS[0], "enabled", 2)])
    key = dict(zip(KEY, KEYS[0], strict=True))
    numbers = [
        {**key, "time": START + timedelta(hours=hour), "available_snapshots": number}
        for hour, number in enumerate(stock)
    ]
    found = merge.join_metrics(
        rows,
        make_table(numbers[::-1], METRICS),
        make_table([], merge.READ_TIMES),
        merge.match_regions(rows, ACCOUNT_REGIONS),
    )
    [row] = list_values(found)
    expected = None if since is None else START + timedelta(hours=since)
    assert row["below_target_since"] == expected


points = st.dictionaries(
    st.tuples(keys, st.integers(0, 6)),
    st.tuples(*[st.none() | st.integers(0, 3)] * 3).filter(lambda row: row != (None,) * 3),
    max_size=25,
)


@given(images, points, account_regions)
def test_metrics_are_summarized(
    drawn: list[Any], metrics: dict[Any, Any], regions: list[tuple[str, str]]
) -> None:
    """Law: a row has the last stock, when it fell below the target, and sums; or else nulls."""
    rows = make_rows(drawn)
    columns = ("available_snapshots", "fast_launches", "cold_launches")
    numbers = [
        {
            **dict(zip(KEY, key, strict=True)),
            "time": START + timedelta(hours=hour),
            **dict(zip(columns, row, strict=True)),
        }
        for (key, hour), row in metrics.items()
    ]
    since, until = START, START + timedelta(days=1)
    window = {"metrics_since": since, "metrics_until": until}
    windows = [{"account_id": a, "region": r, **window} for a, r in ACCOUNT_REGIONS]
    found = merge.join_metrics(
        rows,
        make_table(numbers, METRICS),
        make_table(windows, merge.READ_TIMES),
        merge.match_regions(rows, regions),
    )
    assert_declared("metrics", found, rows)
    expected = [
        {**expect_metrics(key, target, metrics), **window}
        if is_read(key, regions)
        else dict.fromkeys((column.name for column in JOINS["metrics"]), None)
        for key, _, target in drawn
    ]
    assert list_values(found) == expected


def expect_metrics(
    key: tuple[Any, ...], target: int | None, metrics: dict[Any, Any]
) -> dict[str, Any]:
    own = sorted((hour, row) for (of, hour), row in metrics.items() if of == key)
    stock = [(hour, row[0]) for hour, row in own if row[0] is not None]
    below = None
    for hour, number in stock:
        if target is None or number >= target:
            below = None
        elif below is None:
            below = START + timedelta(hours=hour)
    last = stock[-1] if stock else None
    return {
        "available_snapshots": last and last[1],
        "available_snapshots_time": last and START + timedelta(hours=last[0]),
        "below_target_since": below,
        "fast_launches": sum(row[1] or 0 for _, row in own) if own else None,
        "cold_launches": sum(row[2] or 0 for _, row in own) if own else None,
    }


# --- launches and templates -----------------------------------------------------------


hours = st.none() | st.integers(-3, 3)
kinds = st.sampled_from(((1, 0), (0, 1), (0, 0)))


@given(images, st.lists(st.tuples(keys, kinds, hours), max_size=12), st.none() | st.integers(-2, 2))
def test_launches_are_counted(drawn: list[Any], launched: list[Any], since: int | None) -> None:
    """Law: a row has its image's instances of any kind, and those launched while it is enabled."""
    rows = make_rows(drawn)
    rows["state_transition_time"] = pd.Series([make_time(since)] * len(rows)).astype(TIME)
    table = make_table(
        [
            {
                **dict(zip(KEY, key, strict=True)),
                "fast": fast,
                "cold": cold,
                "launch_time": make_time(hour),
            }
            for key, (fast, cold), hour in launched
        ],
        merge.INSTANCES,
    )
    found = merge.join_launches(rows, table, merge.match_regions(rows, ACCOUNT_REGIONS[:2]))
    assert_declared("launches", found, rows)
    expected = [
        expect_launches([row[1:] for row in launched if row[0] == key], state, since)
        if is_read(key, ACCOUNT_REGIONS[:2])
        else dict.fromkeys((column.name for column in JOINS["launches"]), None)
        for key, (_, state, _) in zip(list_keys(rows), drawn, strict=True)
    ]
    assert list_values(found) == expected


def make_time(hour: int | None) -> datetime | None:
    """Return the time that is some hours after the start."""
    return None if hour is None else START + timedelta(hours=hour)


def expect_launches(own: list[Any], state: str | None, since: int | None) -> dict[str, Any]:
    hours = [hour for _, hour in own]
    is_known = state == "enabled" and since is not None and None not in hours
    later = [kind for kind, hour in own if is_known and hour > since]
    return {
        "instances": len(own),
        "instances_fast": sum(fast for (fast, _), _ in own),
        "instances_cold": sum(cold for (_, cold), _ in own),
        "last_instance_launch_time": make_time(
            max((hour for hour in hours if hour is not None), default=None)
        ),
        "instances_fast_since_enabled": sum(fast for fast, _ in later) if is_known else None,
        "instances_cold_since_enabled": sum(cold for _, cold in later) if is_known else None,
    }


def test_settings_without_a_template() -> None:
    """A row with other settings has none forbidden; for a row without settings it is unknown."""
    rows = make_rows([(KEYS[0], "enabled", 5), (KEYS[1], "enabled", None)])
    table = make_table([], merge.TEMPLATES)
    found = merge.join_template(rows, table, merge.match_regions(rows, ACCOUNT_REGIONS))
    assert found["template_forbidden"].astype(object).replace(pd.NA, None).tolist() == ["", None]
    assert found["template_http_tokens"].isna().tolist() == [True, True]
