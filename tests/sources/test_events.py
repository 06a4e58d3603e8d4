"""Events: accepted sources, order and repetition, other events, errors, and intervals of them."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, make_notifications
from fastlaunch_nb.schema.columns import EVENTS, KEY, TEXT, TIME
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.samples import EVENT_EXAMPLE, OTHER_EVENT, list_dtypes, make_event

WHEN = pd.Timestamp("2022-08-31T20:30:12Z")


def join_events(*events: dict[str, Any]) -> str:
    """Return events as Firehose writes them: without a separator."""
    return "".join(json.dumps(event, separators=(",", ":")) for event in events)


DTYPES = {column.name: column.dtype for column in EVENTS}


def test_every_field_has_its_column() -> None:
    """Each field of AWS's example is in its column, its time in two; other columns are null."""
    events = fl.from_events(EVENT_EXAMPLE)
    assert list_dtypes(events) == DTYPES == list_dtypes(empty_images()) | {"event_id": TEXT}
    [row] = events.dropna(axis="columns").to_dict("records")
    assert row == {
        "account_id": "123456789012",
        "region": "us-east-1",
        "image_id": "ami-123456789012",
        "state": "enabling",
        "state_transition_reason": "Client.UserInitiated",
        "state_transition_time": WHEN,
        "resource_type": "snapshot",
        "observed_at": WHEN,
        "event_id": "01234567-0123-0123-0123-012345678901",
    }


@pytest.mark.parametrize(
    "source", [[], "", b"", "[]", "\n", io.StringIO()], ids=lambda source: str(source)[:9]
)
def test_an_empty_source_has_no_rows(source: Any) -> None:
    """An empty source gives a DataFrame without rows, with the same columns and dtypes."""
    events = fl.from_events(source)
    assert (len(events), list_dtypes(events)) == (0, DTYPES)


@pytest.mark.parametrize("name", ["id", "account", "region", "time", "resources"])
def test_a_missing_field_is_null(name: str) -> None:
    """Without a field the dtypes stay, and its columns are null."""
    events = fl.from_events(make_event(**{name: None}))
    all_columns = set(fl.from_events(make_event()).dropna(axis="columns"))
    null_columns = all_columns - set(events.dropna(axis="columns"))
    assert list_dtypes(events) == DTYPES
    assert len(null_columns) == {"time": 2, "resources": 0}.get(name, 1)


@pytest.mark.parametrize("detail", [None, {}])
def test_an_event_without_detail_is_no_row(detail: Any) -> None:
    """An event that names no image is skipped with a warning, or an error if there is no other."""
    without = make_event(2, detail=detail)
    with pytest.warns(fl.FastLaunchWarning, match="State-change Notification without detail"):
        assert fl.from_events([make_event(1), without])["event_id"].tolist() == ["e1"]
    with pytest.raises(fl.SourceError, match=r"Got 1 other event .* remove the input transformer"):
        fl.from_events(without)


def test_a_replay_of_an_archive_is_the_same() -> None:
    """An event that an archive of EventBridge replays has one more field, and the same row."""
    replayed = make_event(1, **{"replay-name": "last-week"})
    pd.testing.assert_frame_equal(fl.from_events(replayed), fl.from_events(make_event(1)))


# --- sources --------------------------------------------------------------------------

TWO = [make_event(1), make_event(2, region="eu-west-1")]
LINES = "".join(json.dumps(event) + "\n" for event in TWO)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(TWO, id="list"),
        pytest.param(iter(TWO), id="iterator"),
        pytest.param(json.dumps(TWO), id="array"),
        pytest.param(json.dumps(TWO[:1]) + json.dumps(TWO[1], indent=4), id="mixture"),
        pytest.param(LINES, id="JSON lines"),
        pytest.param(LINES.replace("\n", "\r\n"), id="JSON lines of Windows"),
        pytest.param("\ufeff" + LINES, id="byte order mark"),
        pytest.param(join_events(*TWO), id="Firehose"),
        pytest.param(LINES.encode(), id="bytes"),
        pytest.param(LINES.encode("utf-16"), id="UTF-16"),
        pytest.param(gzip.compress(LINES.encode()), id="gzip"),
        pytest.param(
            b"".join(gzip.compress(join_events(event).encode()) for event in TWO), id="two of gzip"
        ),
        pytest.param(io.StringIO(LINES), id="open file"),
        pytest.param(io.BytesIO(gzip.compress(LINES.encode())), id="open file of gzip"),
        pytest.param(
            gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(LINES.encode()))), id="open gzip"
        ),
    ],
)
def test_sources(source: object, tmp_path: Path) -> None:
    """Every accepted kind of source gives the same rows, as does a file with the same content."""
    sources = [source]
    if isinstance(source, str | bytes):
        file = tmp_path / "events.txt"
        file.write_bytes(source if isinstance(source, bytes) else source.encode())
        sources += [file, str(file)]
    ids = [fl.from_events(each_source)["event_id"].tolist() for each_source in sources]
    assert ids == [["e2", "e1"]] * len(sources)


def write_like_firehose(folder: Path, events: list[dict[str, Any]], size: int = 7) -> Path:
    """Write events as Firehose does: in a folder for each hour, some files compressed."""
    for first in range(0, len(events), size):
        batch = events[first : first + size]
        hour = folder / batch[0]["time"][:13].replace("-", "/").replace("T", "/")
        hour.mkdir(parents=True, exist_ok=True)
        content = join_events(*batch).encode()
        if first % 2:
            (hour / f"stream-1-{first}.gz").write_bytes(gzip.compress(content))
        else:
            (hour / f"stream-1-{first}").write_bytes(content)
    return folder


def test_a_folder_is_read_at_any_depth(tmp_path: Path) -> None:
    """All files of a folder are read, without hidden ones; empty files are allowed."""
    folder = write_like_firehose(
        tmp_path, [make_event(n, time=f"2026-01-1{n}T00:00:00Z") for n in range(9)], 2
    )
    (folder / "empty").touch()
    (folder / ".DS_Store").write_text("hidden")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "file").write_text("hidden")
    assert fl.from_events(folder)["event_id"].tolist() == [f"e{n}" for n in range(9)]
    assert fl.from_events(str(folder)).equals(fl.from_events(folder))


def test_an_empty_folder_has_no_rows(tmp_path: Path) -> None:
    """An empty folder gives a DataFrame without rows."""
    assert list_dtypes(fl.from_events(tmp_path)) == DTYPES


def test_duckdb_reads_the_same(demo: Demo, tmp_path: Path) -> None:
    """SQL on the files that Firehose writes gives the same rows, in the same order."""
    notifications = make_notifications(CHANGE_LOG)
    folder = write_like_firehose(tmp_path, [*notifications, *notifications[::3]])
    events = fl.from_events(folder)
    names = [name for name in DTYPES if events[name].notna().any()]
    table: Any = duckdb.sql(f"""
        SELECT DISTINCT account AS account_id, region, detail.imageId AS image_id,
            detail.state AS state, detail.stateTransitionReason AS state_transition_reason,
            epoch_us(time::TIMESTAMPTZ) AS state_transition_time,
            detail.resourceType AS resource_type,
            epoch_us(time::TIMESTAMPTZ) AS observed_at, id AS event_id
        FROM read_json('{folder}/**/*', format = 'unstructured', columns = {{
            account: 'VARCHAR', region: 'VARCHAR', time: 'VARCHAR', id: 'VARCHAR',
            detail: 'STRUCT(imageId VARCHAR, state VARCHAR, stateTransitionReason VARCHAR,
                            resourceType VARCHAR)'}})
        ORDER BY observed_at, account_id, region, image_id, event_id
    """)  # noqa: S608
    assert table.columns == names
    times = {name: events[name].astype("int64") for name in names if DTYPES[name] == TIME}
    plain = events[names].assign(**times).astype(object)
    rows = plain.where(plain.notna(), None).itertuples(index=False, name=None)
    assert table.fetchall() == list(rows)
    assert len(events) == len(notifications) > 100


# --- order and repetition -------------------------------------------------------------

EXAMPLES = [
    make_event(number, time=f"2026-01-15T12:00:0{number % 3}Z", region=region, account=account)
    for number, (region, account) in enumerate(
        [("us-east-1", "1"), ("us-east-1", "2"), (None, "2"), ("eu-west-1", None)] * 3
    )
]


@given(
    st.permutations(EXAMPLES),
    st.lists(st.sampled_from(EXAMPLES), max_size=9),
    st.sampled_from([list, join_events]),
)
@example(EXAMPLES[::-1], EXAMPLES[:2], list)
@example([*EXAMPLES[6:], *EXAMPLES[:6]], [], join_events)
def test_order_and_repetition_change_nothing(
    events: list[dict[str, Any]], repeated: list[dict[str, Any]], kind: Any
) -> None:
    """Law: the order and repetition of events do not change the result."""
    source = [*events, *repeated]
    observations = fl.from_events(join_events(*source) if kind is join_events else source)
    pd.testing.assert_frame_equal(observations, fl.from_events(EXAMPLES))
    assert len(observations) == len(EXAMPLES)
    assert observations["observed_at"].is_monotonic_increasing


def test_events_without_an_id_stay() -> None:
    """Only events with the same id are repetitions: those without an id all stay."""
    assert len(fl.from_events([make_event(id=None)] * 2 + [make_event(1)] * 2)) == 3


def test_frequent_kinds_come_first() -> None:
    """An error names kinds by their frequency, and cuts a long name at 120 letters."""
    rare = make_event(source="a" * 200)
    with pytest.raises(fl.SourceError) as caught:
        fl.from_events([rare, *[OTHER_EVENT] * 1000])
    assert (
        "Got 1,001 other events (1,000 of aws.ec2: EC2 Instance State-change Notification, "
        f"1 of {'a' * 120}). "
    ) in str(caught.value)


def test_one_id_with_two_contents() -> None:
    """If two events have one id, their order does not matter: the first by value stays."""
    two = [make_event(1, detail={"state": state}) for state in ("enabling", "enabled")]
    assert fl.from_events(two).equals(fl.from_events(two[::-1]))


# --- other events ---------------------------------------------------------------------


def test_other_events_are_skipped() -> None:
    """Events of other kinds are skipped, and counted by kind in one warning."""
    only_detail_type = make_event(source="my.app\x1b[31m")
    with pytest.warns(fl.FastLaunchWarning) as caught:
        events = fl.from_events([make_event(1), OTHER_EVENT, OTHER_EVENT, only_detail_type])
    assert events["event_id"].tolist() == ["e1"]
    [warning] = caught
    assert str(warning.message) == (
        "Skipped 3 other events (2 of aws.ec2: EC2 Instance State-change Notification, "
        "1 of my.app\\x1b[31m: EC2 Fast Launch State-change Notification), "
        "which are not of Fast Launch."
    )
    assert warning.filename == __file__


def test_other_events_only(tmp_path: Path) -> None:
    """The error has the expected events, the kinds of the others, and what to do."""
    (tmp_path / "events").write_text(join_events(OTHER_EVENT))
    many = [make_event(source=f"my.app{n}") for n in range(9)]
    for source, kinds in [
        (tmp_path, "1 other event (1 of aws.ec2: EC2 Instance"),
        (many, "9 other events (1 of my.app0: EC2 Fast"),
        (many, ", and 4 more kinds)"),
        (many[:6], ", and 1 more kind)"),
        (many[:5], "1 of my.app4: EC2 Fast Launch State-change Notification)."),
    ]:
        with pytest.raises(fl.SourceError) as caught:
            fl.from_events(source)
        for text in (
            "Expected EventBridge events of aws.ec2",
            kinds,
            "Set the rule's event pattern",
        ):
            assert text in str(caught.value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (None, "Got NoneType"),
        (5, "Got int"),
        ({}, "Got an empty dict"),
        ([make_event(), 1], "Got int"),
        ({"FastLaunchImages": []}, "Got a dict with the keys 'FastLaunchImages'"),
        (pd.DataFrame(), "a DataFrame, which needs no conversion"),
        ("[1]", "Got int in the text"),
        (
            '{"detail-type"',
            "Cannot parse the text as JSON: Expecting ':' delimiter: line 1 column 15",
        ),
        (join_events(*TWO)[:-1], "Cannot parse the text as JSON: Expecting ',' delimiter: line 1"),
        ("[" * 100_000, "Cannot parse the text as JSON"),
        (b"\x1f\x8b and more", "Cannot decompress the text"),
        (gzip.compress(LINES.encode())[:-9], "Cannot decompress the text"),
        (b'"\xff"', "Cannot parse the text as JSON"),
        ("no-such-folder", "'no-such-folder', which is neither JSON text nor a readable file"),
        ("nobody\0", "neither JSON text nor a readable file"),
        (make_event(account=123456789012), "Got account with int, not str"),
        (make_event(time="soon"), "Got time with text that is not an ISO 8601 time"),
        (make_event(region="\ud800"), "Got region with text that is not Unicode text"),
        (make_event(detail="enabled"), "Got detail with str, not a dict"),
    ],
)
def test_other_sources_are_refused(source: object, problem: str) -> None:
    """The error describes the accepted sources, and the problem of this one."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_events(source)
    assert "Expected EventBridge events of aws.ec2" in str(caught.value)
    assert problem in str(caught.value)
    assert "It is empty." not in str(caught.value)


def test_error_output_of_firehose_is_left_out(tmp_path: Path) -> None:
    """Of a folder of Firehose its own error output is left out, and named in one warning."""
    folder = write_like_firehose(tmp_path, TWO)
    failed = folder / "processing-failed" / "2026" / "stream-2"
    failed.parent.mkdir(parents=True)
    failed.write_text('{"attemptsMade": 4, "errorCode": "Lambda.FunctionError", "rawData": "e30="}')
    with pytest.warns(fl.FastLaunchWarning) as caught:
        events = fl.from_events(folder)
    assert events["event_id"].tolist() == ["e2", "e1"]
    assert [str(each.message) for each in caught] == [
        "Left out 1 file that could not be read. Got a dict with the keys 'attemptsMade', "
        f"'errorCode', 'rawData' in the file '{failed}'."
    ]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("2026-01-10T20:30:12.000Z {}", id="export to S3"),
        pytest.param("2026-01-10T20:30:12.000000+00:00 2026/01/10/a1b2 {}", id="tail"),
        pytest.param("2026-01-10T20:30:12 {}", id="tail, short"),
        pytest.param("2026-01-10T20:30:12.123000+00:00 2026/01/[$LATEST]a1 \n{}", id="tail, JSON"),
        pytest.param("2026-01-10T20:30:12.123+00:00 /aws/events/x a1b2 {}", id="live tail"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_lines_of_logs(line: str, indent: int | None, tmp_path: Path) -> None:
    """Lines of a log, also of several lines, give their events; other lines are counted."""
    lines = [line.replace("{}", json.dumps(event, indent=indent)) for event in TWO]
    file = tmp_path / "000000.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    for source in ("\n".join(lines), file, tmp_path):
        pd.testing.assert_frame_equal(fl.from_events(source), fl.from_events(TWO))
    text = line.replace("{}", "START\n  at line 3")
    with pytest.warns(fl.FastLaunchWarning, match=r"Skipped 1 other event \(1 of text without"):
        assert len(fl.from_events("\n".join([lines[0], text, lines[1]]))) == 2


# --- intervals of scans and events ----------------------------------------------------


def test_scans_and_events_make_one_history(demo: Demo) -> None:
    """Together they prove every transition, to the second; scans alone miss some of them."""
    observations, coverage, events = demo.history
    intervals = fl.intervals(pd.concat([observations, events], ignore_index=True), coverage)
    known = intervals[intervals["state"] != "unknown"]
    is_change = known["state"] != known.groupby(list(KEY))["state"].shift(fill_value="")
    known = known[is_change].assign(start=known["start"].dt.floor("s"))
    assert set(known["start_exact"]) == {True}
    assert len(fl.intervals(observations, coverage)) < len(known)
    truth: dict[Any, list[Any]] = {}
    for time, account_id, region, image, is_transition in CHANGE_LOG:
        change = (image.state, pd.Timestamp(time).floor("s"))
        truth.setdefault((account_id, region, image.image_id), []).extend([change] * is_transition)
    for key, rows in some(known.groupby(list(KEY))):
        changes = list(rows[["state", "start"]].itertuples(index=False, name=None))
        assert changes == truth[key][-len(changes) :]
        assert len(changes) >= sum(events["observed_at"].min() <= start for _, start in truth[key])


def test_events_do_not_contradict_scans(demo: Demo) -> None:
    """At the time of each scan the state is the one that it saw, with and without events."""
    observations, coverage, _ = demo.history
    events = fl.from_events(make_notifications(CHANGE_LOG))
    intervals = fl.intervals(pd.concat([observations, events], ignore_index=True), coverage)
    pairs = observations.merge(intervals, on=list(KEY), suffixes=("", "_interval"))
    is_open = pairs["end"].isna() | (pairs["observed_at"] < pairs["end"])
    at_scan = pairs[(pairs["start"] <= pairs["observed_at"]) & is_open]
    assert len(at_scan) == len(observations)
    assert at_scan["state"].tolist() == at_scan["state_interval"].tolist()
