"""Documents: files, folders and lists of them, read alike; what cannot be read, and its name."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from tests.helpers.samples import item, make_event

DETAIL_TYPE = "EC2 Fast Launch State-change Notification"
EVENTS = [make_event(n, time=f"2026-01-1{n}T00:00:00Z") for n in range(6)]
PAGES = [{"FastLaunchImages": [item(n, StateTransitionTime=None)]} for n in range(6)]
READERS = {"pages": (fl.from_pages, PAGES), "events": (fl.from_events, EVENTS)}
each_reader = pytest.mark.parametrize(("read", "documents"), READERS.values(), ids=READERS)


def write_files(folder: Path, documents: list[Any]) -> list[Path]:
    """Write each document to a file of its own, named in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02}.json" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return paths


# --- files, lines and lists -----------------------------------------------------------

FORMS: dict[str, Callable[[list[Any]], bytes]] = {
    "lines": lambda parts: "\n".join(map(json.dumps, parts)).encode(),
    "concatenated": lambda parts: "".join(map(json.dumps, parts)).encode(),
    "array": lambda parts: json.dumps(parts).encode(),
    "indented": lambda parts: "\n".join(json.dumps(it, indent=4) for it in parts).encode(),
    "UTF-16": lambda parts: "\r\n".join(map(json.dumps, parts)).encode("utf-16"),
    "appended UTF-8": lambda parts: b"".join(json.dumps(it).encode("utf-8-sig") for it in parts),
    "gzip": lambda parts: b"".join(gzip.compress(json.dumps(it).encode()) for it in parts),
    "gzip of gzip": lambda parts: gzip.compress(FORMS["gzip"](parts)),
}


@given(
    st.sampled_from(sorted(READERS)),
    st.lists(st.integers(1, 5), max_size=3, unique=True).map(sorted),
    st.lists(st.sampled_from(sorted(FORMS)), min_size=4, max_size=4),
    st.sampled_from(["paths", "folder", "open files", "bytes"]),
)
@example("pages", [2, 3, 5], ["gzip of gzip", "UTF-16", "appended UTF-8", "array"], "folder")
@example("events", [], ["lines"] * 4, "paths")
def test_splitting_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    cuts: list[int],
    forms: list[str],
    given_as: str,
) -> None:
    """Law: documents in one file, in lines, or in many files and forms give the same rows."""
    read, documents = READERS[kind]
    folder = tmp_path_factory.mktemp("split")
    starts, ends = [0, *cuts], [*cuts, len(documents)]
    parts = [documents[start:end] for start, end in zip(starts, ends, strict=True)]
    contents = [FORMS[form](part) for form, part in zip(forms, parts, strict=False)]
    paths = [folder / f"{number}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    sources: dict[str, Any] = {
        "paths": paths,
        "folder": folder,
        "open files": [io.BytesIO(content) for content in contents],
        "bytes": iter(contents),
    }
    pd.testing.assert_frame_equal(read(sources[given_as]), read(documents))


@each_reader
def test_files_and_values_mix(read: Any, documents: list[Any], tmp_path: Path) -> None:
    """Paths, folders, text and parsed documents may stand in one list, in any order."""
    paths = write_files(tmp_path / "a", documents[:2])
    source = [*map(str, paths), documents[2], tmp_path / "a", json.dumps(documents[3]), *EVENTS[:0]]
    order = [0, 1, 2, 0, 1, 3]
    pd.testing.assert_frame_equal(read(source), read([documents[n] for n in order]))


@each_reader
def test_a_folder_is_read_in_order(read: Any, documents: list[Any], tmp_path: Path) -> None:
    """Files come in the order of their names, those of folders inside after them."""
    write_files(tmp_path / "b", documents[4:])
    write_files(tmp_path / "a", documents[2:4])
    write_files(tmp_path, documents[:2])
    (tmp_path / ".DS_Store").write_text("hidden")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("hidden")
    pd.testing.assert_frame_equal(read(tmp_path), read(documents))
    pd.testing.assert_frame_equal(read(str(tmp_path)), read(documents))


# --- what cannot be read --------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (json.dumps(EVENTS[0])[:-40].encode(), "Cannot parse {} as JSON: "),
        (gzip.compress(b"[]" * 99)[:-9], "Cannot decompress {}: "),
        (b'{"rawData": ""}', "Got a dict with the keys 'rawData' in {}."),
        (b"PAR1", "Cannot parse {} as Parquet: "),
        (b"PK\x03\x04", "Got {}, which is a ZIP archive or an Excel workbook."),
        (b"\x89PNG\r\n", "Cannot parse {} as JSON: "),
        (b"Permission Check Successful", "Cannot parse {} as JSON: "),
        (b'[{"detail-type": 1, "ImageId": 3}, 5]', "Got int in {}."),
    ],
    ids=range(8),
)
@each_reader
def test_a_damaged_file(
    read: Any, documents: list[Any], tmp_path: Path, content: bytes, problem: str
) -> None:
    """A damaged file of a folder is left out and named; given itself, it is an error."""
    write_files(tmp_path, documents)
    damaged = tmp_path / "00-damaged"
    damaged.write_bytes(content)
    expected = problem.format(f"the file {str(damaged)!r}")
    with pytest.warns(fl.FastLaunchWarning) as caught:
        rows = read(tmp_path)
    pd.testing.assert_frame_equal(rows, read(documents))
    [warning] = caught
    start = "Left out 1 file that could not be read. "
    assert str(warning.message).startswith(f"{start}{expected}")
    assert warning.filename == __file__
    for source in (damaged, [damaged, *documents]):
        with pytest.raises(fl.SourceError) as refused:
            read(source)
        assert expected in str(refused.value)


WRONG = {
    "pages": ({"ImageId": 3}, "Got ImageId with int, not str."),
    "events": (make_event(account=5), "Got account with int, not str."),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_with_a_wrong_value(kind: str, tmp_path: Path) -> None:
    """A value of another type is reported with its file, and leaves out that file only."""
    read, documents = READERS[kind]
    document, problem = WRONG[kind]
    paths = write_files(tmp_path, [*documents, document])
    named = f"In the file {str(paths[-1])!r}: {problem}"
    with pytest.warns(fl.FastLaunchWarning, match="Left out 1 file") as caught:
        rows = read(tmp_path)
    pd.testing.assert_frame_equal(rows, read(documents))
    assert str(caught[0].message).endswith(named)
    with pytest.raises(fl.SourceError) as refused:
        read(paths)
    assert str(refused.value).endswith(f" {named}")
    with pytest.raises(fl.SourceError) as refused:
        read([*documents, document])
    assert str(refused.value).endswith(f" {problem}")
    assert "In the file" not in str(refused.value)


WORDS = re.findall(
    r"\S+",
    """FastLaunchImages ImageId State StateTransitionTime SnapshotConfiguration Value value Count
    us-east-1 111122223333 image_id state region ResponseMetadata HTTPHeaders detail-type detail
    source time id account Records body Sns Message data awslogs logEvents message field results
    Instances InstanceId Activities ActivityId Description eventName eventTime responseElements
    CloudTrailEvent Tags""",
)
VALUES = ["aws.ec2", DETAIL_TYPE, "/Date(9)/", "RunInstances", "H4sIAAAA", "[1]", "@{a=1}"]
ANYTHING = st.recursive(
    st.none() | st.integers() | st.floats() | st.sampled_from([*VALUES, *WORDS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS), inner, min_size=1, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("read", [fl.from_pages, fl.from_events, fl.launches])
@pytest.mark.filterwarnings("ignore::fastlaunch_nb.FastLaunchWarning")
@given(content=ANYTHING)
@example(content={"InstanceId": {}, "LaunchTime": "2026-01-05"})
@example(content={"FastLaunchImages": [{"StateTransitionTime": 5, "State": {"Value": {}}}]})
@example(content={"detail-type": DETAIL_TYPE, "source": "aws.ec2", "detail": {"imageId": [1]}})
def test_any_content_is_read_or_refused(read: Any, content: Any) -> None:
    """Law: whatever JSON a file holds, it gives a frame, or an error that has its type."""
    with suppress(fl.SourceError):
        assert isinstance(read(json.dumps(content).encode()), pd.DataFrame)


@each_reader
def test_many_damaged_files_are_counted(read: Any, documents: list[Any], tmp_path: Path) -> None:
    """One warning names the first five files that were left out, and counts the others."""
    write_files(tmp_path, documents)
    for number in range(8):
        (tmp_path / f"notes-{number}.txt").write_text("no JSON")
    with pytest.warns(fl.FastLaunchWarning) as caught:
        read(tmp_path)
    [message] = [str(warning.message) for warning in caught]
    assert message.startswith("Left out 8 files that could not be read. Cannot parse the file ")
    assert [f"notes-{number}" in message for number in range(8)] == [True] * 5 + [False] * 3
    assert message.endswith(" And 3 more.")


@each_reader
def test_a_folder_without_any_readable_file(
    read: Any, documents: list[Any], tmp_path: Path
) -> None:
    """If nothing of a folder can be read, the error has the reasons."""
    (tmp_path / "notes.txt").write_text("no JSON")
    with pytest.raises(fl.SourceError, match=r"Nothing could be read\. Cannot parse .*notes\.txt"):
        read(tmp_path)
    [path] = write_files(tmp_path, [WRONG["pages" if read is fl.from_pages else "events"][0]])
    with pytest.raises(fl.SourceError, match=f"In the file '.*{path.name}': Got"):
        read(tmp_path)


def test_an_empty_folder_has_no_pages(tmp_path: Path) -> None:
    """A folder without files, and a file without content, are no page: a command has failed."""
    with pytest.raises(fl.SourceError, match="a folder without files"):
        fl.from_pages(tmp_path)
    [path] = write_files(tmp_path, PAGES[:1])
    (tmp_path / "failed.json").write_text("\ufeff\r\n", "utf-16")
    with pytest.warns(fl.FastLaunchWarning, match=r"failed\.json' as JSON\. It is empty\."):
        assert len(fl.from_pages(tmp_path)) == 1
    assert len(fl.from_pages(path)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
def test_a_pipe_in_a_folder_is_left_out(tmp_path: Path) -> None:
    """A named pipe, whose other end may never write, is never opened; the warning names it."""
    write_files(tmp_path, EVENTS)
    os.mkfifo(tmp_path / "pipe")
    with pytest.warns(fl.FastLaunchWarning, match=r"pipe', a pipe or a device\. Move it\."):
        assert len(fl.from_events(tmp_path)) == len(EVENTS)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subfolder without read permission is left out; the warning names it."""
    write_files(tmp_path, EVENTS)
    (tmp_path / "closed").mkdir()
    real_scandir = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real_scandir(path)

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.warns(fl.FastLaunchWarning, match=r"Cannot read '.*closed': Permission denied"):
        assert len(fl.from_events(tmp_path)) == len(EVENTS)
