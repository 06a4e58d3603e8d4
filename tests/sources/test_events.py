"""Events: each source gives the same, order and repetition do no harm, nothing is lost silently."""

from __future__ import annotations

import gzip
import io
import json
import os
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

# The example of "Monitor EC2 Fast Launch" in the EC2 User Guide.
AWS_EXAMPLE = """{
    "version": "0",
    "id": "01234567-0123-0123-0123-012345678901",
    "detail-type": "EC2 Fast Launch State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2022-08-31T20:30:12Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:image/ami-123456789012"],
    "detail": {
        "imageId": "ami-123456789012",
        "resourceType": "snapshot",
        "state": "enabling",
        "stateTransitionReason": "Client.UserInitiated"
    }
}"""
WHEN = pd.Timestamp("2022-08-31T20:30:12Z")


def event(number: object = 1, **fields: Any) -> dict[str, Any]:
    """Return an event like AWS's example, with another id; None leaves a field out."""
    whole = {**json.loads(AWS_EXAMPLE), "id": f"e{number}", **fields}
    return {name: value for name, value in whole.items() if value is not None}


EC2_STATE = event(detail={"instance-id": "i-1"}) | {
    "detail-type": "EC2 Instance State-change Notification"
}


def in_one_line(*events: dict[str, Any]) -> str:
    """Return events as Firehose writes them: one after the other, with nothing between."""
    return "".join(json.dumps(one, separators=(",", ":")) for one in events)


def dtypes(events: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in events.dtypes.items()}


DTYPES = {column.name: column.dtype for column in EVENTS}


def test_every_field_has_its_place() -> None:
    """AWS's own example lands in its columns, its time in both; all that it lacks is null."""
    events = fl.from_events(AWS_EXAMPLE)
    assert dtypes(events) == DTYPES == dtypes(empty_images()) | {"event_id": TEXT}
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
    "nothing", [[], "", b"", "[]", "\n", io.StringIO()], ids=lambda it: str(it)[:9]
)
def test_no_events(nothing: Any) -> None:
    """Of nothing comes a frame without rows, with the same columns and dtypes."""
    events = fl.from_events(nothing)
    assert (len(events), dtypes(events)) == (0, DTYPES)


@pytest.mark.parametrize("name", ["id", "account", "region", "time", "detail", "resources"])
def test_what_an_event_does_not_say_is_null(name: str) -> None:
    """Without a field the dtypes stay, and its column is null, and never a guess."""
    events = fl.from_events(event(**{name: None}))
    known = set(fl.from_events(event()).dropna(axis="columns"))
    lost = known - set(events.dropna(axis="columns"))
    assert dtypes(events) == DTYPES
    assert len(lost) == {"time": 2, "detail": 4, "resources": 0}.get(name, 1)


# --- sources --------------------------------------------------------------------------

TWO = [event(1), event(2, region="eu-west-1")]
LINES = "".join(json.dumps(one) + "\n" for one in TWO)


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
        pytest.param(in_one_line(*TWO), id="Firehose"),
        pytest.param(LINES.encode(), id="bytes"),
        pytest.param(LINES.encode("utf-16"), id="UTF-16"),
        pytest.param(gzip.compress(LINES.encode()), id="gzip"),
        pytest.param(
            b"".join(gzip.compress(in_one_line(one).encode()) for one in TWO), id="two of gzip"
        ),
        pytest.param(io.StringIO(LINES), id="open file"),
        pytest.param(io.BytesIO(gzip.compress(LINES.encode())), id="open file of gzip"),
        pytest.param(
            gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(LINES.encode()))), id="open gzip"
        ),
    ],
)
def test_sources(source: object, tmp_path: Path) -> None:
    """Every accepted kind of source gives the same rows, and so does a file of it, by any name."""
    sources = [source]
    if isinstance(source, str | bytes):
        file = tmp_path / "events.txt"
        file.write_bytes(source if isinstance(source, bytes) else source.encode())
        sources += [file, str(file)]
    found = [fl.from_events(each)["event_id"].tolist() for each in sources]
    assert found == [["e2", "e1"]] * len(sources)


def firehose(folder: Path, events: list[dict[str, Any]], each: int = 7) -> Path:
    """Write events as Firehose does: a folder an hour, files without an ending, some compressed."""
    for first in range(0, len(events), each):
        part = events[first : first + each]
        hour = folder / part[0]["time"][:13].replace("-", "/").replace("T", "/")
        hour.mkdir(parents=True, exist_ok=True)
        content = in_one_line(*part).encode()
        if first % 2:
            (hour / f"stream-1-{first}.gz").write_bytes(gzip.compress(content))
        else:
            (hour / f"stream-1-{first}").write_bytes(content)
    return folder


def test_a_folder(tmp_path: Path) -> None:
    """All files of a folder are read, at any depth; hidden ones are not, empty ones do no harm."""
    folder = firehose(tmp_path, [event(n, time=f"2026-01-1{n}T00:00:00Z") for n in range(9)], 2)
    (folder / "empty").touch()
    (folder / ".DS_Store").write_text("hidden")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "file").write_text("hidden")
    assert fl.from_events(folder)["event_id"].tolist() == [f"e{n}" for n in range(9)]
    assert fl.from_events(str(folder)).equals(fl.from_events(folder))


def test_a_folder_without_events(tmp_path: Path) -> None:
    """An empty folder gives the frame without rows."""
    assert dtypes(fl.from_events(tmp_path)) == DTYPES


def test_duckdb_reads_the_same(demo: Demo, tmp_path: Path) -> None:
    """SQL over the files that Firehose writes gives the same rows, in the same order."""
    told = make_notifications(CHANGE_LOG)
    folder = firehose(tmp_path, [*told, *told[::3]])
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
    assert len(events) == len(told) > 100


# --- order, repetition ----------------------------------------------------------------

SOME = [
    event(number, time=f"2026-01-15T12:00:0{number % 3}Z", region=region, account=account)
    for number, (region, account) in enumerate(
        [("us-east-1", "1"), ("us-east-1", "2"), (None, "2"), ("eu-west-1", None)] * 3
    )
]


@given(
    st.permutations(SOME),
    st.lists(st.sampled_from(SOME), max_size=9),
    st.sampled_from([list, in_one_line]),
)
@example(SOME[::-1], SOME[:2], list)
@example([*SOME[6:], *SOME[:6]], [], in_one_line)
def test_order_and_repetition_do_no_harm(
    events: list[dict[str, Any]], again: list[dict[str, Any]], kind: Any
) -> None:
    """Law: in whatever order, and however often, events come, the frame is the same."""
    came = [*events, *again]
    found = fl.from_events(in_one_line(*came) if kind is in_one_line else came)
    pd.testing.assert_frame_equal(found, fl.from_events(SOME))
    assert len(found) == len(SOME)
    assert found["observed_at"].is_monotonic_increasing


def test_events_without_an_id_stay() -> None:
    """Events are one only where EventBridge says so: those without an id are all kept."""
    assert len(fl.from_events([event(id=None)] * 2 + [event(1)] * 2)) == 3


def test_many_of_one_kind_come_first() -> None:
    """Kinds are named by how many there are of each; a very long one is cut at 120 letters."""
    rare = event(source="a" * 200)
    with pytest.raises(fl.SourceError) as caught:
        fl.from_events([rare, *[EC2_STATE] * 1000])
    assert (
        "Got 1,001 other events (1,000 of aws.ec2: EC2 Instance State-change Notification, "
        f"1 of {'a' * 120}). "
    ) in str(caught.value)


def test_one_id_two_contents() -> None:
    """Where one id stands for two things, the order decides nothing: the first by value stays."""
    two = [event(1, detail={"state": state}) for state in ("enabling", "enabled")]
    assert fl.from_events(two).equals(fl.from_events(two[::-1]))


# --- what else there is ---------------------------------------------------------------


def test_other_events_are_left_out() -> None:
    """Events of another kind are left out, and counted by kind in one warning."""
    ours_by_name_only = event(source="my.app\x1b[31m")
    with pytest.warns(fl.FastLaunchWarning) as caught:
        events = fl.from_events([event(1), EC2_STATE, EC2_STATE, ours_by_name_only])
    assert events["event_id"].tolist() == ["e1"]
    [warning] = caught
    assert str(warning.message) == (
        "Left out what is not of Fast Launch: 3 other events "
        "(2 of aws.ec2: EC2 Instance State-change Notification, "
        "1 of my.app\\x1b[31m: EC2 Fast Launch State-change Notification)."
    )
    assert warning.filename == __file__


def test_other_events_only(tmp_path: Path) -> None:
    """Where nothing is of Fast Launch, the error says what was expected, what came, what to do."""
    (tmp_path / "events").write_text(in_one_line(EC2_STATE))
    many = [event(source=f"my.app{n}") for n in range(9)]
    for source, came in [
        (tmp_path, "1 other event (1 of aws.ec2: EC2 Instance"),
        (many, "9 other events (1 of my.app0: EC2 Fast"),
        (many, ", and 4 more kinds)"),
        (many[:6], ", and 1 more kinds)"),
        (many[:5], "1 of my.app4: EC2 Fast Launch State-change Notification)."),
    ]:
        with pytest.raises(fl.SourceError) as caught:
            fl.from_events(source)
        for part in ("Expected EventBridge's events of aws.ec2", came, "Have the rule match"):
            assert part in str(caught.value)


@pytest.mark.parametrize(
    ("source", "came"),
    [
        (None, "Got NoneType"),
        (5, "Got int"),
        ({}, "Got an empty dict"),
        ([event(), 1], "Got int"),
        ({"FastLaunchImages": []}, "Got a dict with the keys 'FastLaunchImages'"),
        (pd.DataFrame(), "a frame already"),
        ("[1]", "Got int in the text"),
        ('{"detail-type"', "In the text is no JSON: Expecting ':' delimiter: line 1 column 15"),
        (in_one_line(*TWO)[:-1], "In the text is no JSON: Expecting ',' delimiter: line 1 column"),
        ("[" * 100_000, "In the text is no JSON"),
        (b"\x1f\x8b and more", "In the text is no whole gzip"),
        (gzip.compress(LINES.encode())[:-9], "In the text is no whole gzip"),
        (b'"\xff"', "In the text is no JSON"),
        ("no-such-folder", "'no-such-folder', which is neither JSON text nor a readable file"),
        ("nobody\0", "neither JSON text nor a readable file"),
        (event(account=123456789012), "Got account with int, not str"),
        (event(time="soon"), "Got time with what is no ISO 8601 time"),
        (event(region="\ud800"), "Got region with what is no Unicode text"),
        (event(detail="enabled"), "Above detail.imageId stands str"),
    ],
)
def test_refused(source: object, came: str) -> None:
    """What is no such event, or can not be read, is refused: what was expected, and what came."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_events(source)
    assert "Expected EventBridge's events of aws.ec2" in str(caught.value)
    assert came in str(caught.value)
    assert "empty." not in str(caught.value)  # as the last line of pages may be


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (in_one_line(*TWO)[:-40].encode(), r"no JSON: .*line 1 column"),
        (gzip.compress(LINES.encode())[:-9], "no whole gzip"),
        (b'{"rawData": ""}', "a dict with the keys 'rawData' in the file"),
        (b"PAR1", "no JSON"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """One damaged file of a folder is an error that names it: no event is lost silently."""
    folder = firehose(tmp_path, [event(n, time=f"2026-01-1{n}T00:00:00Z") for n in range(9)], 2)
    damaged = folder / "2026" / "01" / "16" / "half-written"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(content)
    with pytest.raises(fl.SourceError, match=said) as caught:
        fl.from_events(folder)
    assert f"the file '{damaged}'" in str(caught.value)


def test_a_folder_that_can_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder below that this user may not read is an error that names it."""
    (tmp_path / "closed").mkdir()

    def closed(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    real = os.scandir
    monkeypatch.setattr("os.scandir", closed)
    with pytest.raises(fl.SourceError, match=r"closed' can not be read: Permission denied"):
        fl.from_events(tmp_path)


# --- polls and events -----------------------------------------------------------------


def test_polls_and_events_are_one_history(demo: Demo) -> None:
    """Together they tell all that happened, to the second; looks alone missed some of it."""
    seen, covered, told = demo.history
    both = fl.intervals(pd.concat([seen, told], ignore_index=True), covered)
    known = both[both["state"] != "unknown"]
    changed = known["state"] != known.groupby(list(KEY))["state"].shift(fill_value="")
    known = known[changed].assign(start=known["start"].dt.floor("s"))
    assert set(known["start_exact"]) == {True}
    assert len(fl.intervals(seen, covered)) < len(known)
    truth: dict[Any, list[Any]] = {}
    for time, account_id, region, image, is_transition in CHANGE_LOG:
        change = (image.state, pd.Timestamp(time).floor("s"))
        truth.setdefault((account_id, region, image.image_id), []).extend([change] * is_transition)
    for key, story in some(known.groupby(list(KEY))):
        changes = list(story[["state", "start"]].itertuples(index=False, name=None))
        assert changes == truth[key][-len(changes) :]
        assert len(changes) >= sum(told["observed_at"].min() <= start for _, start in truth[key])


def test_events_take_nothing_from_looks(demo: Demo) -> None:
    """At the time of each look the state is the one that it saw, with events and without."""
    seen, covered, _ = demo.history
    told = fl.from_events(make_notifications(CHANGE_LOG))
    both = fl.intervals(pd.concat([seen, told], ignore_index=True), covered)
    pairs = seen.merge(both, on=list(KEY), suffixes=("", "_told"))
    after = pairs["end"].isna() | (pairs["observed_at"] < pairs["end"])
    at_look = pairs[(pairs["start"] <= pairs["observed_at"]) & after]
    assert len(at_look) == len(seen)
    assert at_look["state"].tolist() == at_look["state_told"].tolist()
