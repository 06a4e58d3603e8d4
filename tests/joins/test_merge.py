"""Joining alone: whatever was read, columns are what a loop over the rows would make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.joins import merge
from fastlaunch_nb.schema.columns import COLUMNS, COUNT, KEY, TEXT, TIME
from fastlaunch_nb.schema.joins import JOINS, METRICS, SNAPSHOTS, known_stock
from fastlaunch_nb.sources.pages import empty_images

START = datetime(2026, 1, 15, tzinfo=UTC)
ACCOUNTS, REGIONS = ("111122223333", "123456789012"), ("eu-west-1", "us-east-1")
IDS = tuple(f"ami-{number:017x}" for number in range(2))
STATES = ("enabled", "disabling-failed", None)
PLACES = [(account, region) for account in ACCOUNTS for region in REGIONS]

KEYS = [
    (ACCOUNTS[0], REGIONS[0], IDS[0]),
    (ACCOUNTS[0], REGIONS[0], IDS[1]),
    (ACCOUNTS[0], REGIONS[1], IDS[0]),
    (ACCOUNTS[1], REGIONS[0], IDS[0]),
]
keys = st.sampled_from(KEYS)  # few, so that what was read and rows often meet
maybe_keys = keys | st.sampled_from([(None, *KEYS[0][1:]), (*KEYS[0][:2], None)])
images = st.lists(
    st.tuples(maybe_keys, st.sampled_from(STATES), st.none() | st.integers(1, 3)), max_size=8
)
read_places = st.lists(st.sampled_from(PLACES[:3]), unique=True, min_size=1)


def rows_of(drawn: list[Any]) -> pd.DataFrame:
    """Return rows as joins take them."""
    made = [
        {**dict(zip(KEY, key, strict=True)), "state": state, "target_resource_count": target}
        for key, state, target in drawn
    ]
    columns = [column for column in COLUMNS if column.name in merge.NEEDED]
    return merge.rows_of(merge.table(made, columns))


def values(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows, with None for null."""
    return found.astype(object).where(found.notna(), None).to_dict("records")  # type: ignore[return-value]


def keyed(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return the key of each row, with None for null."""
    plain = rows[list(KEY)].astype(object)
    return [tuple(row) for row in plain.where(plain.notna(), None).itertuples(index=False)]


def is_read(key: tuple[Any, ...], places: list[tuple[str, str]]) -> bool:
    return key[:2] in places and key[2] is not None


def assert_declared(join: str, found: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Check that a join has the columns and dtypes that are declared, for just these rows."""
    assert found.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in JOINS[join]}
    assert found.index.equals(rows.index)


# --- snapshots ------------------------------------------------------------------------

nameless = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(REGIONS), st.none())
snapshots = st.lists(
    st.tuples(
        keys | nameless,
        st.sampled_from(("completed", "pending", "error")),
        st.integers(0, 50),
        st.integers(1, 100),
    ),
    max_size=20,
)


@given(images, snapshots, read_places)
def test_snapshots_are_counted(
    drawn: list[Any], made: list[Any], places: list[tuple[str, str]]
) -> None:
    """Law: a row has the count, sizes and age of its own image's snapshots; 0 is not null."""
    rows = rows_of(drawn)
    table = merge.table(
        [
            {
                **dict(zip(KEY, key, strict=True)),
                "snapshot_state": state,
                "snapshot_time": START + timedelta(hours=hour),
                "volume_gib": gib,
            }
            for key, state, hour, gib in made
        ],
        SNAPSHOTS,
    )
    found = merge.snapshots(rows, table, merge.places_in(rows, places))
    assert_declared("snapshots", found, rows)
    expected = [_of_snapshots(key, state, target, made, places) for key, state, target in drawn]
    assert values(found) == expected


def _of_snapshots(
    key: tuple[Any, ...], state: str | None, target: int | None, made: list[Any], places: list[Any]
) -> dict[str, Any]:
    if not is_read(key, places):
        return dict.fromkeys((column.name for column in JOINS["snapshots"]), None)
    own = [snapshot for snapshot in made if snapshot[0] == key]
    left = None if target is None else max(0, len(own) - target)
    times = [pd.Timestamp(START + timedelta(hours=hour)) for _, _, hour, _ in own]
    return {
        "snapshots": len(own),
        "snapshots_pending": sum(status != "completed" for _, status, _, _ in own),
        "snapshot_gib": sum(gib for *_, gib in own),
        "oldest_snapshot_time": min(times, default=None),
        "leftover_snapshots": len(own) if state == "disabling-failed" else left,
    }


def test_a_size_that_is_missing_makes_the_sum_unknown() -> None:
    """The size of several snapshots is null where that of one is; their number is not."""
    key = dict(zip(KEY, (*PLACES[0], IDS[0]), strict=True))
    table = merge.table([{**key, "volume_gib": 50}, key], SNAPSHOTS)
    rows = rows_of([((*PLACES[0], IDS[0]), "enabled", 1)])
    [found] = values(merge.snapshots(rows, table, merge.places_in(rows, PLACES)))
    assert (found["snapshots"], found["snapshot_gib"], found["leftover_snapshots"]) == (2, None, 1)


@pytest.mark.parametrize(
    ("state", "target", "made", "expected"),
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
def test_what_is_left_over(
    state: str | None, target: int | None, made: int, expected: int | None
) -> None:
    """What is above the target; all of it, once disabling has failed; unknown without a target."""
    rows = rows_of([(KEYS[0], state, target)])
    key = dict(zip(KEY, KEYS[0], strict=True))
    table = merge.table([key] * made, SNAPSHOTS)
    [found] = values(merge.snapshots(rows, table, merge.places_in(rows, PLACES)))
    assert (found["snapshots"], found["leftover_snapshots"]) == (made, expected)


@pytest.mark.parametrize(
    ("states", "pending"),
    [(["completed"], 0), (["pending"], 1), (["error"], 1), ([None], 1), (["Completed"], 1)],
)
def test_what_is_not_completed_is_pending(states: list[str | None], pending: int) -> None:
    """Only a snapshot that EC2 calls completed is in stock."""
    rows = rows_of([(KEYS[0], "enabled", 1)])
    key = dict(zip(KEY, KEYS[0], strict=True))
    table = merge.table([{**key, "snapshot_state": state} for state in states], SNAPSHOTS)
    [found] = values(merge.snapshots(rows, table, merge.places_in(rows, PLACES)))
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
def test_since_when_the_stock_is_below_the_target(
    stock: list[int | None], since: int | None
) -> None:
    """Since the first number after the last that reached it; what has no number says nothing."""
    rows = rows_of([(KEYS[0], "enabled", 2)])
    key = dict(zip(KEY, KEYS[0], strict=True))
    numbers = [
        {**key, "time": START + timedelta(hours=hour), "available_snapshots": number}
        for hour, number in enumerate(stock)
    ]
    found = merge.metrics(
        rows,
        merge.table(numbers[::-1], METRICS),
        merge.table([], merge.WINDOWS),
        merge.places_in(rows, PLACES),
    )
    [row] = values(found)
    expected = None if since is None else START + timedelta(hours=since)
    assert row["below_target_since"] == expected


points = st.dictionaries(
    st.tuples(keys, st.integers(0, 6)),
    st.tuples(*[st.none() | st.integers(0, 3)] * 3).filter(lambda row: row != (None,) * 3),
    max_size=25,
)


@given(images, points, read_places)
def test_metrics_are_summed_up(
    drawn: list[Any], seen: dict[Any, Any], places: list[tuple[str, str]]
) -> None:
    """Law: the last stock, since when it is below the target, and the sums; of no number, null."""
    rows = rows_of(drawn)
    columns = ("available_snapshots", "fast_launches", "cold_launches")
    numbers = [
        {
            **dict(zip(KEY, key, strict=True)),
            "time": START + timedelta(hours=hour),
            **dict(zip(columns, row, strict=True)),
        }
        for (key, hour), row in seen.items()
    ]
    since, until = START, START + timedelta(days=1)
    window = {"metrics_since": since, "metrics_until": until}
    windows = [{"account_id": a, "region": r, **window} for a, r in PLACES]
    found = merge.metrics(
        rows,
        merge.table(numbers, METRICS),
        merge.table(windows, merge.WINDOWS),
        merge.places_in(rows, places),
    )
    assert_declared("metrics", found, rows)
    expected = [
        {**_of_metrics(key, target, seen), **window}
        if is_read(key, places)
        else dict.fromkeys((column.name for column in JOINS["metrics"]), None)
        for key, _, target in drawn
    ]
    assert values(found) == expected


def _of_metrics(key: tuple[Any, ...], target: int | None, seen: dict[Any, Any]) -> dict[str, Any]:
    own = sorted((hour, row) for (of, hour), row in seen.items() if of == key)
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


# --- siblings -------------------------------------------------------------------------

amis = st.dictionaries(
    st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(REGIONS), st.sampled_from(IDS)),
    st.tuples(st.sampled_from("ab"), st.booleans()),
    max_size=10,
)


@given(images, st.lists(st.none() | st.sampled_from("abc"), min_size=8, max_size=8), amis)
def test_siblings_are_in_other_places(
    drawn: list[Any], named: list[str | None], there: dict[Any, Any]
) -> None:
    """Law: siblings have the row's name, and are neither of its place nor its own AMI."""
    rows = rows_of(drawn)
    names = pd.Series(named[: len(rows)], dtype=TEXT, index=rows.index)
    table = merge.table(
        [
            {**dict(zip(KEY, key, strict=True)), "image_name": name, "has": int(has)}
            for key, (name, has) in there.items()
        ],
        merge.SIBLINGS,
    )
    found = merge.siblings(rows, names, table, merge.places_in(rows, PLACES))
    assert_declared("siblings", found, rows)
    for key, name, row in zip(keyed(rows), named[: len(rows)], values(found), strict=True):
        others = [
            (other, has)
            for other, (their_name, has) in there.items()
            if their_name == name and other[:2] != key[:2] and other[1:] != key[1:]
        ]
        unknown = name is None or not is_read(key, PLACES)
        lacking = ", ".join("/".join(other) for other, has in others if not has)
        assert row["siblings"] == (None if unknown else len(others))
        assert row["siblings_without_fast_launch"] == (None if unknown else lacking)


# --- the rest -------------------------------------------------------------------------


@given(images, st.lists(st.tuples(keys, st.sampled_from(((1, 0), (0, 1), (0, 0)))), max_size=12))
def test_launches_are_counted(drawn: list[Any], launched: list[Any]) -> None:
    """Law: a row has its own image's instances; what is neither fast nor cold counts as one too."""
    rows = rows_of(drawn)
    table = merge.table(
        [
            {**dict(zip(KEY, key, strict=True)), "fast": fast, "cold": cold}
            for key, (fast, cold) in launched
        ],
        merge.INSTANCES,
    )
    found = merge.launches(rows, table, merge.places_in(rows, PLACES[:2]))
    assert_declared("launches", found, rows)
    for key, row in zip(keyed(rows), values(found), strict=True):
        own = [how for of, how in launched if of == key]
        counts = [len(own), *(sum(how[place] for how in own) for place in (0, 1))]
        assert list(row.values()) == (counts if is_read(key, PLACES[:2]) else [None] * 3)


whole = st.none() | st.integers(0, 1000)


@given(st.lists(st.tuples(whole, whole, st.integers(1, 90)), max_size=6))
def test_cost_is_of_snapshots_and_launches(drawn: list[Any]) -> None:
    """Law: what is not known adds nothing; without snapshots the sum is not known either."""
    images = pd.DataFrame(
        {
            "snapshot_gib": pd.array([gib for gib, _, _ in drawn], dtype=COUNT),
            "fast_launches": pd.array([fast for _, fast, _ in drawn], dtype=COUNT),
            "metrics_since": pd.Series([START] * len(drawn)).astype(TIME),
            "metrics_until": pd.Series(
                [START + timedelta(days=days) for *_, days in drawn]
            ).astype(TIME),
        }
    )  # fmt: skip
    found = merge.cost(images, fl.Prices(snapshot_gib_month=0.5, preparation=0.25))
    assert_declared("cost", found, images)
    for (gib, fast, days), row in zip(drawn, values(found), strict=True):
        kept = None if gib is None else gib * 0.5
        prepared = None if fast is None else fast / days * 30 * 0.25
        total = None if kept is None else kept + (prepared or 0)
        for name, expected in zip(row, (kept, prepared, total), strict=True):
            assert (row[name] is None) == (expected is None)
            assert expected is None or abs(row[name] - expected) < 1e-6


@pytest.mark.parametrize(
    ("gib", "fast", "days", "prices", "expected"),
    [
        (500, 40, 14, fl.Prices(), (25.0, 4.285714, 29.285714)),
        (500, 40, 30, fl.Prices(), (25.0, 2.0, 27.0)),
        (500, 40, 60, fl.Prices(), (25.0, 1.0, 26.0)),
        (500, 0, 30, fl.Prices(), (25.0, 0.0, 25.0)),
        (0, 40, 30, fl.Prices(), (0.0, 2.0, 2.0)),
        (500, None, 30, fl.Prices(), (25.0, None, 25.0)),
        (None, 40, 30, fl.Prices(), (None, 2.0, None)),
        (500, 40, None, fl.Prices(), (25.0, None, 25.0)),
        (500, 40, 30, fl.Prices(snapshot_gib_month=0.1), (50.0, 2.0, 52.0)),
        (500, 40, 30, fl.Prices(preparation=0.1), (25.0, 4.0, 29.0)),
        (500, 40, 30, fl.Prices(0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_what_an_image_costs(
    gib: int | None,
    fast: int | None,
    days: int | None,
    prices: fl.Prices,
    expected: tuple[float | None, ...],
) -> None:
    """Its gigabytes for a month, and a preparation for each fast launch of 30 days."""
    until = None if days is None else START + timedelta(days=days)
    images = pd.DataFrame(
        {
            "snapshot_gib": pd.array([gib], dtype=COUNT),
            "fast_launches": pd.array([fast], dtype=COUNT),
            "metrics_since": pd.Series([START]).astype(TIME),
            "metrics_until": pd.Series([until]).astype(TIME),
        }
    )
    [found] = values(merge.cost(images, prices))
    rounded = tuple(cost if cost is None else round(cost, 6) for cost in found.values())
    assert rounded == expected


@pytest.mark.parametrize("name", ["snapshot_gib_month", "preparation"])
@pytest.mark.parametrize(
    "price", [-0.01, -1, float("nan"), float("inf"), True, "0.05", None, [0.05]]
)
def test_prices_that_are_none(name: str, price: Any) -> None:
    """A price is a number of 0 or more."""
    with pytest.raises(InputError, match=f"^{name} is .* Expected USD, 0 or more"):
        fl.Prices(**{name: price})


def test_prices_of_aws() -> None:
    """The defaults are what AWS's pages name; 0 is a price, and so is a whole number."""
    assert fl.Prices() == fl.Prices(snapshot_gib_month=0.05, preparation=0.05)
    assert fl.Prices(0, 1) == fl.Prices(snapshot_gib_month=0.0, preparation=1.0)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, None),
        ({"available_snapshots": 3}, 3),
        ({"available_snapshots": 0, "snapshots": 5, "snapshots_pending": 1}, 0),
        ({"available_snapshots": None, "snapshots": 5, "snapshots_pending": 1}, 4),
        ({"snapshots": 5, "snapshots_pending": 1}, 4),
        ({"snapshots": 5, "snapshots_pending": None}, None),
        ({"snapshots": None, "snapshots_pending": 0}, None),
        ({"snapshots": 5}, None),
        ({"available_snapshots": None}, None),
    ],
)
def test_what_is_in_stock(columns: dict[str, int | None], expected: int | None) -> None:
    """What CloudWatch has; else the snapshots that are completed, where both numbers are known."""
    images = empty_images().reindex([0]).assign(
        **{name: pd.array([value], dtype=COUNT) for name, value in columns.items()}
    )  # fmt: skip
    [found] = known_stock(images).astype(object)
    assert (None if pd.isna(found) else found) == expected


def test_without_metrics_preparation_is_unknown() -> None:
    """A frame that no metrics were joined to has the cost of its snapshots, and says no more."""
    images = pd.DataFrame({"snapshot_gib": pd.array([100, None], dtype=COUNT)})
    found = merge.cost(images, fl.Prices())
    assert values(found[["monthly_usd"]]) == [{"monthly_usd": 5.0}, {"monthly_usd": None}]
    assert found["preparation_monthly_usd"].isna().tolist() == [True, True]


def test_no_template_forbids_nothing() -> None:
    """A row with settings and no template has nothing forbidden; one without settings may have."""
    rows = rows_of([((*PLACES[0], IDS[0]), "enabled", 5), ((*PLACES[0], IDS[1]), "enabled", None)])
    table = merge.table([], merge.TEMPLATES)
    found = merge.template(rows, table, merge.places_in(rows, PLACES))
    assert values(found) == [{"template_forbidden": ""}, {"template_forbidden": None}]
