"""Intervals: an oracle agrees, so do all engines, and the laws of time hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import INTERVAL_TIMES, KEY
from tests.helpers.cases import some
from tests.helpers.image_stories import (
    HOUR,
    MINUTE,
    MS,
    PLACE,
    SECOND,
    START,
    STORIES,
    seconds,
    told,
)
from tests.helpers.interval_oracle import COMPLETE, STATES, Case, Fact, Look, frames, oracle

COLUMNS = [
    "account_id", "region", "image_id", "state", "start", "end", "last_seen", "start_exact",
    "state_transition_reason",
]  # fmt: skip
LATE = [*[timedelta(0)] * 6, *[3 * HOUR] * 3, 300 * MS, 2 * SECOND, 3 * SECOND, 5 * SECOND]
GAPS = [None, timedelta(hours=1), timedelta(hours=3, seconds=30), timedelta(hours=26)]


# --- cases ----------------------------------------------------------------------------


def case(draw: random.Random, place: tuple[str | None, str | None]) -> Case:
    """Return facts and looks of two images at one place, as contrary as they may come."""
    hours, some = draw.choice([3, 6, 15]), draw.choice([2, len(STATES)])

    def at(first: int = 0) -> datetime:
        return START + draw.randrange(first, hours) * HOUR

    facts = []
    for _ in range(draw.randrange(10)):
        seen = at() + draw.choice([0, 0, 0, 250, 999, 2000, 4400]) * MS
        near = [draw.choice([0, 0, 500, 999, 1000 * draw.randrange(8), 5001]), 0, 300]
        since = draw.choice([None, *(seen + ms * MS for ms in near), at(-2), at(-2), at(-2)])
        image, reason = draw.choice("ab"), draw.choice(["x", "y", None])
        facts.append(Fact(place, image, draw.choice(STATES[:some]), reason, since, seen))
    statuses = ["complete"] * 4 + ["failed", "partial", "interrupted", "not-opted-in"]
    looks = [
        Look(place, draw.choice(statuses), draw.choice(["", None, "", "{}"]), at(-1) + late)
        for late in (draw.choice(LATE) for _ in range(draw.randrange(14)))
    ]
    return Case(facts, looks)


def several(draw: random.Random, number: int) -> Case:
    """Return cases at so many places, as one; two of them are regions of an account."""
    places = [
        (f"{n // 2:012}", draw.choice(["us-east-1", None]) if n % 2 else "eu-west-1")
        for n in range(number)
    ]
    parts = [case(draw, place) for place in [*places, (None, None)]]
    return Case(
        [f for part in parts for f in part.facts], [k for part in parts for k in part.looks]
    )


randoms = st.randoms(use_true_random=False)
gaps = st.sampled_from(GAPS)


def rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return intervals as the oracle does."""
    assert list(table) == COLUMNS
    plain = table.astype(object).where(table.notna(), None)
    return [
        tuple(v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for v in row)
        for row in plain.itertuples(index=False, name=None)
    ]


def reckoned(known: Case, max_gap: Any = None) -> pd.DataFrame:
    """Return the intervals of a case, by way of Polars, which is the fastest with few rows."""
    observations, coverage = on_polars(*frames(known))
    table: pd.DataFrame = fl.intervals(observations, coverage, max_gap=max_gap).to_pandas()
    return table


# --- the oracle and the engines -------------------------------------------------------


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_the_oracle_agrees(draw: random.Random, max_gap: timedelta | None) -> None:
    """The intervals are those that plain Python finds look by look."""
    known = several(draw, 30)
    assert oracle(known, max_gap) == rows(reckoned(known, max_gap))


def on_polars(*tables: pd.DataFrame) -> list[Any]:
    return [pl.from_pandas(table) for table in tables]


def on_lazy_polars(*tables: pd.DataFrame) -> list[Any]:
    return [table.lazy() for table in on_polars(*tables)]


def on_duckdb(*tables: pd.DataFrame) -> list[Any]:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Europe/Berlin'")
    return [connection.from_arrow(pa.Table.from_pandas(table)) for table in tables]


ENGINES: list[tuple[Callable[..., list[Any]], Callable[[Any], pa.Table]]] = [
    (lambda *tables: list(tables), pa.Table.from_pandas),
    (on_polars, lambda table: table.to_arrow()),
    (on_lazy_polars, lambda table: table.collect().to_arrow()),
    (on_duckdb, lambda table: table.to_arrow_table()),
]
NAMES = ["pandas", "polars", "lazy polars", "duckdb"]


@pytest.mark.parametrize(("given_as", "read"), ENGINES, ids=NAMES)
@pytest.mark.parametrize("max_gap", [None, GAPS[2]], ids=str)
def test_every_engine_gives_the_same(
    given_as: Callable[..., list[Any]], read: Callable[[Any], pa.Table], max_gap: timedelta | None
) -> None:
    """The kind of frame that goes in comes out, with the same rows in the same order."""
    known = several(random.Random(6), 200)
    native = given_as(*frames(known))
    result = fl.intervals(*native, max_gap=max_gap)
    assert type(result) is type(native[0])
    assert oracle(known, max_gap) == rows(in_utc(read(result)))


@pytest.mark.deep
def test_spark_gives_the_same(spark: Any) -> None:
    """PySpark agrees as well, also on a day that its time zone makes an hour shorter."""
    known, max_gap = several(random.Random(7), 200), GAPS[-1]
    native = [
        spark.createDataFrame(pa.Table.from_pandas(table, preserve_index=False))
        for table in frames(known)
    ]
    result = fl.intervals(*native, max_gap=max_gap)
    assert type(result) is type(native[0])
    assert oracle(known, max_gap) == rows(in_utc(result.toArrow()))


def in_utc(table: pa.Table) -> pd.DataFrame:
    times = {name: table[name].cast(pa.timestamp("us", "UTC")) for name in COLUMNS[4:7]}
    read: pd.DataFrame = table.to_pandas()
    return read.assign(**{name: column.to_pandas() for name, column in times.items()})


# --- laws -----------------------------------------------------------------------------


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_time_has_no_hole(draw: random.Random, max_gap: timedelta | None) -> None:
    """An image's intervals follow each other, each in another state, and only the last is open."""
    table = reckoned(several(draw, 20), max_gap)
    assert (table["end"].isna() | (table["start"] < table["end"])).all()
    for _, image in table.groupby(list(KEY), dropna=False):
        assert list(image["end"].iloc[:-1]) == list(image["start"].iloc[1:])
        assert image["end"].isna().tolist() == [False] * (len(image) - 1) + [True]
        assert (image["state"] != image["state"].shift()).all()


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_order_and_repetition_do_no_harm(draw: random.Random, max_gap: timedelta | None) -> None:
    """However late, however often something comes in, the intervals are the same."""
    known = several(draw, 20)
    expected = rows(reckoned(known, max_gap))
    facts = known.facts + draw.choices(known.facts, k=5) if known.facts else []
    looks = known.looks + draw.choices(known.looks, k=5) if known.looks else []
    draw.shuffle(facts)
    draw.shuffle(looks)
    again = Case(facts, looks)
    assert expected == rows(reckoned(again, max_gap))


@example(random.Random(1), None)
@example(random.Random(2), GAPS[2])
@given(randoms, gaps)
def test_what_was_seen_stays(draw: random.Random, max_gap: timedelta | None) -> None:
    """At each look the image is in the state that it saw, whatever is told before and after."""
    known = several(draw, 20)
    table = rows(reckoned(known, max_gap))
    there: dict[Any, set[str]] = {}
    for fact in known.facts:
        there.setdefault((*fact.place, fact.image, fact.at), set()).add(fact.state or "unknown")
    single = {key: states for key, states in there.items() if len(states) == 1}
    assert {key: {state_at(table, *key[:-1], at=key[-1])} for key in single} == single
    looks = [look for look in known.looks if look.is_one_of(COMPLETE)]
    unseen = {
        (*look.place, name, at)
        for look in looks
        for name, at in product("ab", [look.at.replace(microsecond=0)])
        if not any(
            (fact.place, fact.image) == (look.place, name) and fact.second <= at <= fact.until
            for fact in known.facts
        )
    }
    states = {state_at(table, *key[:-1], at=key[-1]) for key in unseen}
    assert states <= {None, "absent", "disabled"}


def state_at(table: list[tuple[Any, ...]], *image: str | None, at: datetime) -> str | None:
    """Return the state of an image at a time; None where it was never seen, or not yet."""
    for row in table:
        if row[:3] == image and row[4] <= at and (not row[5] or at < row[5]):
            return str(row[3])
    return None


@example(random.Random(1))
@given(randoms)
def test_only_a_whole_look_proves_absence(draw: random.Random) -> None:
    """Of filtered reads, and of those that failed, none makes an image absent."""
    known = several(draw, 20)
    filtered = [look._replace(scope='{"state": "enabled"}') for look in known.looks]
    failed = [look._replace(status="failed") for look in known.looks]
    for looks in (filtered, failed, []):
        assert "absent" not in set(reckoned(Case(known.facts, looks))["state"])


# --- stories --------------------------------------------------------------------------


def told_twice(known: Case) -> dict[str, Case]:
    """Return a story as it is, and without reasons, so that looks may have told the same."""
    alike = [fact._replace(reason=None) for fact in known.facts]
    return {PLACE[1]: known, "alike": known._replace(facts=alike)}


@cache
def stories(engine: str, max_gap: str | None) -> pd.DataFrame:
    """Return the intervals of all stories with that gap, each at a place of its own name."""
    given_as, read = dict(zip(NAMES, ENGINES, strict=True))[engine]
    all_of_them = Case([], [])
    for name, (known, gap, *_) in STORIES.items():
        if gap == max_gap:
            for region, one in told_twice(known).items():
                place = (name, region)
                all_of_them.facts.extend(fact._replace(place=place) for fact in one.facts)
                all_of_them.looks.extend(look._replace(place=place) for look in one.looks)
    return in_utc(read(fl.intervals(*given_as(*frames(all_of_them)), max_gap=max_gap)))


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str, engine: str) -> None:
    """What is proven is told exactly; what is not is carried on until nothing speaks for it."""
    _, max_gap, expected, unit = STORIES[name]
    table = stories(engine, max_gap)
    for region in (PLACE[1], "alike"):
        own = table[table["account_id"].eq(name) & table["region"].eq(region)]
        found = [
            f"{row['state']} {'' if row['start_exact'] else '~'}{(row['start'] - START) / unit:g}"
            for row in own.to_dict("records")
        ]
        assert expected == ", ".join(found), region


@pytest.mark.parametrize("name", STORIES)
def test_stories_are_as_the_oracle_has_them(name: str) -> None:
    """What plain Python finds look by look has the same rows: ends, reasons and last sights too."""
    known, max_gap, *_ = STORIES[name]
    table = stories("polars", max_gap)
    given = None if max_gap is None else pd.Timedelta(max_gap).to_pytimedelta()
    for region, alike in some(told_twice(known).items()):
        one = table[table["account_id"].eq(name) & table["region"].eq(region)]
        one = one.assign(account_id=PLACE[0], region=PLACE[1])
        assert oracle(alike, given) == rows(one), region


def test_what_another_image_was_seen_ahead_of_is_no_silence() -> None:
    """A scan counts as made later for the one image only: the others were last looked at by it."""
    other = Fact(PLACE, "b", "enabled", None, START + 12 * SECOND, START + 8 * SECOND)
    known = seconds((0, "enabled", None))
    table = reckoned(Case([*known.facts, other], []), "10s")
    assert table["state"].tolist() == ["enabled", "enabled"]


def test_an_interval_says_what_was_last_known() -> None:
    """`last_seen` is the last look at the state, and the reason that of the last observation."""
    known = told((1, "enabled", 0), (3, "enabled", 0), (6, "enabling", 6), looks=" c c  cccf")
    seen, reasons = ["last_seen", "state_transition_reason"], ["r1", "r2", None, None]
    table = reckoned(known)
    expected = [START + minute * MINUTE for minute in (3, 6, 8)]
    assert [*expected, pd.NaT] == table[seen[0]].tolist()
    assert reasons == table[seen[1]].astype(object).where(table[seen[1]].notna(), None).tolist()


def test_a_failed_read_has_the_time_it_was_asked_at() -> None:
    """AWS gave a failed read no time: it counts where `asked_at` says when it was."""
    known = told((1, "enabled", 0), looks=" c f")
    observations, coverage = frames(known)
    asked_at = coverage["observed_at"]
    coverage["observed_at"] = asked_at.where(coverage["status"] == "complete")
    assert fl.intervals(observations, coverage)["state"].tolist() == ["enabled"]
    told_when = fl.intervals(observations, coverage.assign(asked_at=asked_at))
    assert told_when["state"].tolist() == ["enabled", "unknown"]


# --- what is handed in ----------------------------------------------------------------


@pytest.mark.parametrize(("given_as", "read"), ENGINES, ids=NAMES)
def test_nothing_is_nothing(
    given_as: Callable[..., list[Any]], read: Callable[[Any], pa.Table]
) -> None:
    """No observation makes no interval; no coverage is no look; columns and dtypes are there."""
    nothing = frames(Case([], []))
    for native in (given_as(*nothing), given_as(nothing[0])):
        assert rows(in_utc(read(fl.intervals(*native)))) == []
    observations, _ = frames(told((1, "enabled", 0), (2, "enabling", 2)))
    table = in_utc(read(fl.intervals(*given_as(observations))))
    assert table["state"].tolist() == ["enabled", "enabling"]


def test_pandas_gets_the_dtypes_of_the_frame(images: pd.DataFrame) -> None:
    """A frame of images will do: their columns keep their dtypes, times are in UTC."""
    shuffled = pd.concat([images.drop(columns="owner_id")] * 2)  # its index has no sense
    table = fl.intervals(shuffled)
    assert len(images) - images["observed_at"].isna().sum() == len(table)
    declared = {column.name: column.dtype for column in columns.COLUMNS}
    declared |= {**INTERVAL_TIMES, "start_exact": "bool"}
    assert {name: declared[name] for name in COLUMNS} == dict(table.dtypes.astype(str))
    pd.testing.assert_frame_equal(table, fl.intervals(images.iloc[::-1]))


def test_other_kinds_of_text_and_time_will_do(images: pd.DataFrame) -> None:
    """Categories, other zones, other units, Arrow's types and empty columns change nothing."""
    expected = fl.intervals(images)
    look = images["observed_at"].dt.tz_convert("Asia/Tokyo").astype("datetime64[ns, Asia/Tokyo]")
    other = images.assign(observed_at=look, state=images["state"].astype("category"))
    pd.testing.assert_frame_equal(expected, fl.intervals(other))
    arrow = images.convert_dtypes(dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(expected, fl.intervals(arrow))
    bare = images.assign(account_id=None, state_transition_time=None)
    assert not fl.intervals(bare)["start_exact"].any()


def test_a_column_of_nulls_is_still_text() -> None:
    """Where no account is known, Polars gets a column of text all the same."""
    facts = on_polars(frames(told((1, "enabled", 0)))[0])[0].with_columns(account_id=None)
    assert facts["account_id"].dtype == pl.Null
    assert fl.intervals(facts)["account_id"].dtype == pl.String


def test_the_shortest_silence_is_a_microsecond() -> None:
    """A gap of a microsecond, which is as fine as times are, can be asked for."""
    assert len(fl.intervals(GOOD, LOOKS, max_gap="1us"))


WRONG_GAPS: list[Any] = ["soon", 60, "0s", "-1h", "NaT", [], True]
GOOD, LOOKS = frames(told((1, "enabled", 0), looks=" c"))


@pytest.mark.parametrize(
    ("observations", "coverage", "max_gap", "said"),
    [
        ([], None, None, "observations is a list. Expected a DataFrame of pandas"),
        (pa.table({"a": [1]}), None, None, "observations is a frame of pyarrow"),
        (GOOD["state"], None, None, "observations is a Series"),
        (GOOD.drop(columns=["state", "region"]), None, None, "has no column region, state."),
        (GOOD.rename(columns={"state": "State"}), None, None, "Did you mean 'State'"),
        (GOOD.assign(observed_at="2026-01-15"), None, None, "observed_at is String. Expected time"),
        (GOOD.assign(account_id=1), None, None, "account_id is Int64. Expected text"),
        (GOOD.assign(observed_at=pd.Timestamp("2026-01-15")), None, None, "with a time zone"),
        (GOOD, LOOKS.drop(columns="scope"), None, "coverage has no column scope"),
        (GOOD, LOOKS.assign(asked_at=1.5), None, "In coverage, asked_at is Float64"),
        (GOOD, pl.from_pandas(LOOKS), None, "is a frame of pandas, coverage is a frame of polars"),
        *((GOOD, LOOKS, wrong, "max_gap is") for wrong in WRONG_GAPS),
    ],
)
def test_bad_input_is_refused(observations: Any, coverage: Any, max_gap: Any, said: str) -> None:
    """What is no such frame, or no duration, is named, and what was expected."""
    with pytest.raises(fl.InputError, match=said):
        fl.intervals(observations, coverage, max_gap=max_gap)


def test_a_lazy_frame_is_refused_before_it_is_computed() -> None:
    """A column of the wrong kind is found in the schema: nothing has run by then."""

    def never(_: Any) -> Any:
        raise AssertionError

    schema = {str(name): pl.String() for name in GOOD}
    lazy = pl.from_pandas(GOOD).lazy().map_batches(never, schema=schema)
    with pytest.raises(fl.InputError, match="observed_at is String"):
        fl.intervals(lazy)
