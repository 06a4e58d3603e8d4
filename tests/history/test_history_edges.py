"""The edges of a history: which recordings, rows and looks count, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.charts.time_window import intervals_of_one_scan
from fastlaunch_nb.history.deduplicate import index_scans, select_recordings, select_rows
from fastlaunch_nb.history.file_schema import KINDS
from fastlaunch_nb.history.load import load_store, with_stable_listing
from fastlaunch_nb.history.store import StoredFile
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import COUNT, TIME
from fastlaunch_nb.state_intervals.inputs import MAX_AHEAD as AHEAD
from tests.helpers.histories import MINUTE, PLACES, START, looked, same
from tests.helpers.samples import item
from tests.history.test_history import event

KEY = list(columns.KEY)
SECOND = timedelta(seconds=1)
HERE = PLACES[0]


# --- which recording of a sweep counts ------------------------------------------------


def recorded(*rows: tuple[str, str, str, str, int | None]) -> pd.DataFrame:
    """Return a coverage of (sweep, recording, region, status, rows)."""
    names = ["sweep_id", "record_id", "region", "status", "rows"]
    table = pd.DataFrame(rows, columns=names).assign(account_id=HERE[0], observed_at=START)
    columns = {column.name: column.dtype for column in KINDS["coverage"]}
    return table.reindex(columns=list(columns)).astype(columns)


RECORDINGS: dict[str, tuple[list[tuple[str, str, str, str, int | None]], str]] = {
    "more regions complete": (
        [("s", "a", "x", "complete", 1), ("s", "a", "y", "complete", 0),
         ("s", "b", "x", "complete", 9), ("s", "b", "y", "failed", 9)],
        "a",
    ),
    "as many complete, more rows": (
        [("s", "a", "x", "complete", 3), ("s", "b", "x", "complete", 2)],
        "a",
    ),
    "rows of all regions together": (
        [("s", "a", "x", "complete", 3), ("s", "a", "y", "complete", 3),
         ("s", "b", "x", "complete", 5), ("s", "b", "y", "complete", 0)],
        "a",
    ),
    "partial rows count as rows": (
        [("s", "b", "x", "failed", None), ("s", "a", "x", "partial", 1)],
        "a",
    ),
    "unknown rows are none": (
        [("s", "a", "x", "complete", 1), ("s", "b", "x", "complete", None)],
        "a",
    ),
    "alike: the last by name": (
        [("s", "b", "x", "complete", 1), ("s", "a", "x", "complete", 1)],
        "b",
    ),
    "a copy of a row adds nothing": (
        [("s", "a", "x", "complete", 2), ("s", "a", "x", "complete", 2),
         ("s", "b", "x", "complete", 3)],
        "b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDINGS)
def test_which_recording_counts(name: str) -> None:
    """Of a sweep one recording counts, whole: of most complete regions, then of most rows."""
    rows, expected = RECORDINGS[name]
    for order in (rows, rows[::-1]):
        assert {expected} == set(select_recordings(recorded(*order))["record_id"])


def test_each_sweep_has_its_own_recording() -> None:
    """What one sweep has does not matter to another; each row that counts is there once."""
    rows = [("s", "a", "x", "complete", 9), ("t", "b", "x", "failed", 0),
            ("t", "c", "y", "complete", 1)]  # fmt: skip
    found = select_recordings(recorded(*rows, *rows))
    assert list(found[["record_id", "region"]].itertuples(index=False, name=None)) == [
        ("a", "x"),
        ("c", "y"),
    ]


def test_looks_are_in_the_order_of_their_times() -> None:
    """A look that came earlier is earlier, whichever sweep it is of."""
    rows = recorded(("s", "a", "x", "complete", 1), ("t", "b", "x", "complete", 1))
    rows["observed_at"] = pd.Series([START + SECOND, START], dtype=TIME)
    assert select_recordings(rows)["sweep_id"].tolist() == ["t", "s"]


# --- which rows count -----------------------------------------------------------------


def counted(expected: int, *images: tuple[str, str | None]) -> list[str | None]:
    """Return the images that count of rows (sweep, image), of one look that has so many."""
    coverage = recorded(("s", "a", "x", "complete", expected))
    coverage["images_recorded"] = pd.array([expected], dtype=COUNT)
    names = {"account_id": HERE[0], "region": "x", "record_id": "a"}
    columns = {
        **{name: [value] * len(images) for name, value in names.items()},
        "sweep_id": [sweep for sweep, _ in images],
        "image_id": [image for _, image in images],
    }
    rows = pa.table(
        {name: pa.array(texts, pa.string()).dictionary_encode() for name, texts in columns.items()}
    )
    found = select_rows(rows, index_scans(coverage), np.array([expected]))
    assert {0} >= set(found["scan"].to_pylist())
    ids: list[str | None] = found["image_id"].to_pylist()
    return ids


@pytest.mark.parametrize(
    ("expected", "given", "count"),
    [
        pytest.param(2, [("s", "1"), ("s", "2")], ["1", "2"], id="each once"),
        pytest.param(2, [("s", "1"), ("s", "2"), ("s", "1")], ["1", "2"], id="a copy"),
        pytest.param(2, [("s", "1"), ("s", "1")], ["1", "1"], id="as many as recorded"),
        pytest.param(1, [("t", "1"), ("s", "2")], ["2"], id="of another sweep"),
        pytest.param(0, [("t", "1")], [], id="of no look"),
        pytest.param(1, [("s", None), ("s", None)], [None], id="without an id"),
    ],
)
def test_which_rows_count(
    expected: int, given: list[tuple[str, str | None]], count: list[str | None]
) -> None:
    """A row counts if a look that counts saw it; more rows than it recorded are copies."""
    assert count == counted(expected, *given)


def test_a_row_is_copied_once(tmp_path: Path) -> None:
    """Recorded twice, merged, and with its files beside the merged one: each row counts once."""
    history = fl.History(tmp_path)
    sweep = looked(0, (HERE, [item(1), item(2)]))
    events = fl.from_events([event(HERE, 1, "enabled", START)])
    for _ in range(2):
        history.record(sweep)
        history.record(events)
    left = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    history.compact()
    for path, content in left.items():  # as if the merge had not come to take them away
        path.write_bytes(content)
    again = fl.History(tmp_path)
    assert len(again.observations()) == 3
    assert again.coverage()["status"].tolist() == ["complete"]


# --- which looks tell something new ---------------------------------------------------


class Thinned(NamedTuple):
    """Looks, a letter each; which of them stay; and what else matters to that."""

    looks: str
    stay: str
    unit: timedelta = MINUTE
    gap: timedelta | None = None
    events: Sequence[float] = ()
    place: tuple[str, str] = HERE


THINNED: dict[str, Thinned] = {
    "two": Thinned("AA", "kk"),
    "three": Thinned("AAA", "k.k"),
    "many": Thinned("AAAAAA", "k....k"),
    "another between": Thinned("ABA", "kkk"),
    "a change": Thinned("AAABBB", "k.kk.k"),
    "a failure": Thinned("AAAfAAA", "k.kkk.k"),
    "failures": Thinned("fff", "kkk"),
    "a partial look": Thinned("AAApAAA", "k.kkk.k"),
    "an interrupted look": Thinned("000i000", "k.kkk.k"),
    "partial looks": Thinned("ppp", "kkk"),
    "looks with a scope": Thinned("sss", "kkk"),
    "looks without an image": Thinned("000", "k.k"),
    "not opted in": Thinned("nnn", "k.k"),
    "gone": Thinned("AA00AA", "kkkkkk"),
    "no look meanwhile": Thinned("AA  AA", "k..k"),
    "an event between": Thinned("AAAAAA", "k.kk.k", events=[2.5]),
    "an event at a look": Thinned("AAAAAAA", "k.kkk.k", events=[3]),
    "an event in the second of a look": Thinned("AAAAAAA", "k.kkk.k", events=[3 + 1 / 120]),
    "an event a second after a look": Thinned("AAAAAA", "k.kk.k", events=[2 + 1 / 60]),
    "an event before all": Thinned("AAAA", "k..k", events=[-1]),
    "an event after all": Thinned("AAAA", "k..k", events=[9]),
    "an event elsewhere": Thinned("AAAA", "k..k", events=[1.5], place=PLACES[1]),
    "a gap": Thinned("AAAAAAAA", "k..kk..k", gap=4 * MINUTE),
    "a short gap": Thinned("AAAA", "kkkk", gap=2 * MINUTE),
    "a gap of less than a second": Thinned("AAAA", "kkkk", gap=SECOND / 2),
    "five seconds apart": Thinned("AAAA", "kkkk", unit=5 * SECOND),
    "six seconds apart": Thinned("AAAA", "k..k", unit=6 * SECOND),
    "two that are close": Thinned("A    AAAAA", "kkkkkk", unit=SECOND),
    "two of four in one second": Thinned(f"A{' ' * 19}AA{' ' * 19}A", "kkkk", unit=SECOND / 2),
    "in one second": Thinned("AAAA", "kkkk", unit=SECOND / 4),
}
STATUS = {"f": "failed", "p": "partial", "i": "interrupted", "n": "not-opted-in"}


@pytest.mark.parametrize("name", THINNED)
def test_which_looks_tell_something_new(name: str, tmp_path: Path) -> None:
    """A look stays unless the one before it and the next one saw the same, close by and whole."""
    case = THINNED[name]
    history = fl.History(tmp_path)
    sweeps = []
    for number, letter in enumerate(case.looks):
        if letter != " ":
            found: Any = {"0": [], "B": [item(2)], "n": []}.get(letter, [item(1)])
            found = STATUS[letter] if letter in "fi" else found
            sweep = looked(number * case.unit / MINUTE, (HERE, found), title=f"{number}")
            status = STATUS.get(letter, "complete")
            scope = '{"state": "enabled"}' if letter == "s" else ""
            sweeps.append(
                sweep._replace(coverage=sweep.coverage.assign(status=status, scope=scope))
            )
    for part in sweeps if case.unit < SECOND else [merged(sweeps)]:
        history.record(part)
    when = [START + minute * MINUTE for minute in case.events]
    if when:
        history.record(fl.from_events([event(case.place, 1, "enabled", at) for at in when]))
    told = load_store(
        history._store, history._store.list_files(), only_changes=True, max_gap=case.gap
    ).coverage["unchanged"]
    assert case.stay == "".join("." if stays else "k" for stays in told)


def merged(sweeps: list[Any]) -> Any:
    """Return sweeps as one, which is faster to keep."""
    images = pd.concat([sweep.images for sweep in sweeps], ignore_index=True)
    coverage = pd.concat([sweep.coverage for sweep in sweeps], ignore_index=True)
    return sweeps[0]._replace(images=images, coverage=coverage)


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
def test_any_field_is_something_new(field: str, value: Any, tmp_path: Path) -> None:
    """A look in which one field of one image differs stays, and so do those beside it."""
    history = fl.History(tmp_path)
    plain, other = [item(1), item(2)], [item(1), item(2, **{field: value})]
    looks = [plain, plain, plain, other, plain, plain, plain]
    history.record(
        merged([looked(n, (HERE, found), title=f"{n}") for n, found in enumerate(looks)])
    )
    told = load_store(history._store, history._store.list_files(), only_changes=True).coverage[
        "unchanged"
    ]
    assert told.tolist() == [False, True, False, False, False, True, False]


AT = START + 10 * MINUTE
AHEADS = {
    "gone at the next look": ([0, 5, 10, 15, 20], 5.0),
    "gone at the look of the transition": ([0, 3, 6, 8, 9, 12], 5.0),
    "gone while it is ahead": ([0, 2, 4, 11, 18, 25], 3.0),
}


@pytest.mark.parametrize("name", AHEADS)
def test_what_was_seen_ahead_is_not_left_out(name: str, tmp_path: Path) -> None:
    """Where a look saw a transition ahead, its intervals are those of all looks."""
    looks, ahead = AHEADS[name]
    first = item(1, StateTransitionTime=AT + ahead * SECOND)
    sweeps = [
        looked(10 + second / 60, (HERE, [] if second else [first]), title=f"{second}")
        for second in looks
    ]
    history = fl.History(tmp_path)
    history.record(merged(sweeps))
    told = history.intervals()
    at_length = fl.intervals(history.observations(), history.coverage())
    same(told[list(at_length)], at_length)
    gone = min(second for second in looks if second > ahead)
    assert [AT + ahead * SECOND, AT + gone * SECOND] == told["start"].tolist()


# --- the time machine -----------------------------------------------------------------


def states(history: fl.History, at: datetime) -> list[Any]:
    """Return the states of the images at a moment."""
    return history.images(at=at)["state"].tolist()


def test_a_transition_is_at_its_instant(tmp_path: Path) -> None:
    """Before it, and in the look of its second, the image is as it was; at it, and after, not."""
    history, since = fl.History(tmp_path), START + MINUTE + 0.4 * SECOND
    history.record(looked(0, (HERE, [item(1, "enabled")])))
    history.record(looked(1, (HERE, [item(1, "enabled")])))
    history.record(looked(2, (HERE, [item(1, "disabling", StateTransitionTime=since)])))
    moments = [START + MINUTE, since - timedelta(microseconds=1), since, START + MINUTE + SECOND]
    expected = [["enabled"], ["enabled"], ["disabling"], ["disabling"]]
    assert expected == [states(history, at) for at in moments]
    changes = history.diff(moments[0], moments[2])
    assert list(changes[["change", "before", "after"]].itertuples(index=False, name=None)) == [
        ("state", "enabled", "disabling")
    ]
    assert history.diff(moments[0], moments[1]).empty
    assert history.diff(moments[2], moments[3]).empty
    then = history.images(at=since)
    assert [since] == then["state_transition_time"].tolist()
    assert [since] == then["observed_at"].tolist()  # since when a later look tells it


def test_what_is_seen_ahead_is_so_from_then_on(tmp_path: Path) -> None:
    """Until its transition an image that was seen ahead is as before; a new one is not there."""
    history = fl.History(tmp_path)
    since = START + MINUTE + AHEAD
    now = {"StateTransitionTime": since, "MaxParallelLaunches": 9}
    history.record(looked(0, (HERE, [item(1, "enabled")])))
    history.record(looked(1, (HERE, [item(1, "disabling", **now), item(2, "enabling", **now)])))
    before, then = (history.images(at=at) for at in (since - timedelta(microseconds=1), since))
    assert list(before[["state", "max_parallel_launches"]].itertuples(index=False, name=None)) == [
        ("enabled", 6)
    ]
    assert before["observed_at"].tolist() == [START]
    assert list(then[["state", "max_parallel_launches"]].itertuples(index=False, name=None)) == [
        ("disabling", 9),
        ("enabling", 9),
    ]
    assert then["observed_at"].tolist() == [START + MINUTE] * 2
    same(history.images(), then)
    changes = history.diff(START + MINUTE, since)[["image_id", "change"]]
    assert changes["change"].tolist() == ["state", "parallel launches", "appeared"]


def test_six_seconds_ahead_is_not_believed(tmp_path: Path) -> None:
    """A transition that is further ahead is no time to go by: the look itself is."""
    history = fl.History(tmp_path)
    since = START + AHEAD + SECOND
    history.record(looked(0, (HERE, [item(1, "enabled", StateTransitionTime=since)])))
    assert states(history, START) == ["enabled"]
    assert history.intervals()["start_exact"].tolist() == [False]


def test_looks_that_were_left_out_have_seen_it(tmp_path: Path) -> None:
    """An image was last seen by the last look until then, though another kept its row."""
    history = fl.History(tmp_path)
    other = item(2, "enabling", StateTransitionTime=START + 5 * MINUTE + 3 * SECOND)
    found = [[item(1)]] * 5 + [[item(1), other]] * 3 + [[item(1, "disabling")]]
    history.record(
        merged([looked(n, (HERE, items), title=f"{n}") for n, items in enumerate(found)])
    )
    for minute in range(9):
        then = history.images(at=START + minute * MINUTE + SECOND)
        first = then[then["image_id"] == item(1)["ImageId"]]
        assert [START + minute * MINUTE] == first["observed_at"].tolist()
    assert history.images(at=START + 5 * MINUTE + 3 * SECOND).loc[
        1:, "observed_at"].tolist() == [START + 5 * MINUTE]  # fmt: skip


def test_a_state_that_came_back_has_its_own_time(tmp_path: Path) -> None:
    """If a later look tells since when it is so again, that is the time, not that of the first."""
    history = fl.History(tmp_path)
    since = START + 2 * MINUTE
    history.record(looked(0, (HERE, [item(1, "enabled")])))
    history.record(looked(1, (HERE, "failed")))
    history.record(looked(4, (HERE, [item(1, "enabled", StateTransitionTime=since)])))
    history.record(fl.from_events([event(HERE, 1, "enabling", START + 90 * SECOND)]))
    then = history.images(at=START + 3 * MINUTE)
    assert [since] == then["state_transition_time"].tolist()
    assert [since] == then["observed_at"].tolist()


def test_a_look_may_know_less_than_seconds(tmp_path: Path) -> None:
    """A look whose time has a fraction was made at its second."""
    history = fl.History(tmp_path)
    sweep = looked(1, (HERE, []))
    later = sweep.coverage.assign(observed_at=sweep.coverage["observed_at"] + SECOND / 4)
    history.record(sweep._replace(coverage=later))
    history.record(looked(2, (HERE, [item(1, StateTransitionTime=START + 90 * SECOND)])))
    found = history.diff(START + MINUTE, START + 2 * MINUTE)
    assert found["change"].tolist() == ["appeared"]
    found = history.diff(START + MINUTE - timedelta(microseconds=1), START + 2 * MINUTE)
    assert found["change"].tolist() == ["unknown before"]


def test_one_look_tells_what_the_intervals_do() -> None:
    """Of a single look the intervals are the same, by either way."""
    at = START + 0.25 * SECOND
    ahead = [None, -60, 0, 0.1, 0.999, 1, 5, 5.001, 6]
    times = [None if s is None else START + s * SECOND for s in ahead]
    items = [item(n, StateTransitionTime=time) for n, time in enumerate(times)]
    images = fl.from_pages(items, account_id="1" * 12, region="x-1", observed_at=at)
    names = ["image_id", "start", "end", "last_seen", "start_exact"]
    told = intervals_of_one_scan(images)[names]
    same(told, fl.intervals(images)[names])
    assert [False, *[True] * 6, False, False] == told["start_exact"].tolist()


# --- reading --------------------------------------------------------------------------


class Listings:
    """Files of which each listing is the next of these."""

    root = "a store"

    def __init__(self, *listings: Sequence[StoredFile]) -> None:
        self.left = [list(listing) for listing in listings]

    def list_files(self) -> list[StoredFile]:
        """Return the next listing; the last one again and again."""
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def stored(name: str) -> StoredFile:
    """Return a file of a listing."""
    return StoredFile("images", "2026-01-01", name, 1)


PLAIN, NEW, MERGED = stored("a.parquet"), stored("b.parquet"), stored("merged-c.parquet")


@pytest.mark.parametrize(
    ("listings", "expected"),
    [
        pytest.param([[PLAIN]], [PLAIN], id="steady"),
        pytest.param([[PLAIN], [PLAIN, NEW]], [PLAIN], id="a new file does not matter"),
        pytest.param([[PLAIN, NEW], [PLAIN]], [PLAIN], id="one is gone"),
        pytest.param([[PLAIN], [NEW]], [NEW], id="one is another"),
        pytest.param([[PLAIN], [PLAIN, MERGED]], [PLAIN, MERGED], id="a merged one is new"),
    ],
)
def test_a_listing_counts_if_the_next_has_all_of_it(
    listings: list[list[StoredFile]], expected: list[StoredFile]
) -> None:
    """A listing counts if nothing of it is gone by the next one, and nothing was merged."""
    assert {file: file.is_merged for file in (PLAIN, MERGED)} == {PLAIN: False, MERGED: True}
    files: Any = Listings(*listings)
    assert expected == with_stable_listing(files, lambda listing: listing)
