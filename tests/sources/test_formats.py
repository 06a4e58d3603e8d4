"""Formats: YAML, CSV and Parquet by their content, their limits, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import fastlaunch_nb as fl
from fastlaunch_nb.export import to_json
from fastlaunch_nb.formatting import to_csv
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import HOSTILE, item, make_event

PAGE = {
    "FastLaunchImages": [
        item(1, StateTransitionTime="2026-01-10T20:30:12.552000+00:00"),
        item(2, StateTransitionTime="2026-01-10T20:30:12.552000+00:00", LaunchTemplate={}),
        item(3, StateTransitionReason=HOSTILE, StateTransitionTime=None),
    ]
}

# --- YAML -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(yaml.dump(PAGE), id="yaml"),
        pytest.param(yaml.dump([PAGE]), id="yaml-stream"),
        pytest.param(yaml.dump(PAGE, default_flow_style=False, sort_keys=False), id="unsorted"),
        pytest.param(f"---\n{yaml.dump(PAGE)}...\n", id="marked"),
        pytest.param(f"# images\n\n{yaml.dump(PAGE)}", id="comment"),
        pytest.param(yaml.dump({**PAGE, "NextToken": None}, indent=4), id="indented"),
    ],
)
def test_yaml_gives_the_same_rows(text: str, tmp_path: Path) -> None:
    """YAML of a page gives the rows of the page: as text, bytes or a file of any name."""
    file = tmp_path / "images.txt"
    file.write_text(text, "utf-16")
    for source in (text, text.encode(), file, io.StringIO(text)):
        pd.testing.assert_frame_equal(fl.from_pages(source), fl.from_pages(PAGE))


def test_yaml_has_several_documents() -> None:
    """Documents of YAML come in order, pages of a stream too, and a map by region has regions."""
    text = yaml.dump_all([PAGE, {"FastLaunchImages": []}, PAGE], explicit_start=True)
    pd.testing.assert_frame_equal(fl.from_pages(text), fl.from_pages([PAGE, PAGE]))
    stream = yaml.dump([PAGE]) + yaml.dump([PAGE])
    pd.testing.assert_frame_equal(fl.from_pages(stream), fl.from_pages([PAGE, PAGE]))
    by_region = fl.from_pages(yaml.dump({"us-east-1": PAGE}))
    assert by_region["region"].tolist() == ["us-east-1"] * 3
    assert fl.from_pages("FastLaunchImages: []\nNextToken: null\n").empty
    pd.testing.assert_frame_equal(
        fl.from_events(yaml.dump([make_event(1)])), fl.from_events(make_event(1))
    )


def test_a_time_without_quotes_is_a_time() -> None:
    """YAML's own times, which other tools than the AWS CLI write, are times."""
    text = "ImageId: ami-1\nStateTransitionTime: 2026-01-10T21:30:12.5+01:00\n"
    [time] = fl.from_pages(text)["state_transition_time"]
    assert time == pd.Timestamp("2026-01-10T20:30:12.5Z")


@pytest.mark.parametrize(
    "word", ["off", "yes", "NO", "y", "12:30:45", "1_000", "0123", "0x1F", "=", "<<", ".inf", "1e3"]
)
def test_words_of_yaml_are_text(word: str) -> None:
    """Words that are text in YAML 1.2, as the AWS CLI writes it, are no truth values or numbers."""
    text = f"ImageId: ami-1\nStateTransitionReason: {word}\nMaxParallelLaunches: 6\nOwnerId:\n"
    [image] = fl.from_pages(text).to_dict("records")
    assert (image["state_transition_reason"], image["max_parallel_launches"]) == (word, 6)
    assert pd.isna(image["owner_id"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "it has an alias"),
        ("a:\n" + "- " * 70 + "x\n", "nested more than 64 levels"),
        ("a: " + "[" * 100_000 + "\n", "nest(ed more than 64 levels|ing depth)"),
        ("FastLaunchImages:\n- ImageId: [\n", "Cannot parse the text as YAML: while parsing"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("Images: []\n", "Got a dict with the keys 'Images' in the text"),
        ("a:\n", "Got a dict with the keys 'a'"),
    ],
)
def test_other_yaml_is_refused(text: str, problem: str) -> None:
    """Aliases and deep nesting, which can fill the memory, tags and damage are errors."""
    with pytest.raises(fl.SourceError, match=problem):
        fl.from_pages(text)


def test_large_yaml_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML beyond the limit, which would take minutes, is an error that has another way."""
    monkeypatch.setattr("fastlaunch_nb.sources.formats.MAX_YAML_BYTES", 20)
    assert len(fl.from_pages("ImageId: ami-1234\n  ")) == 1
    with pytest.raises(fl.SourceError, match=r"more than 20 characters\. .* --output json"):
        fl.from_pages("ImageId: ami-1234567\n")


def test_yaml_needs_an_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without PyYAML, the error names the file, JSON as another way, and what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    file = tmp_path / "images.yaml"
    file.write_text("FastLaunchImages: []\n")
    with pytest.raises(fl.MissingExtraError) as caught:
        fl.from_pages(file)
    (tmp_path / "other.json").write_text("[]")
    (tmp_path / "page.json").write_text('{"FastLaunchImages": []}')
    with pytest.warns(fl.FastLaunchWarning, match="Left out 1 file .* again as JSON"):
        assert fl.from_pages(tmp_path).empty
    assert str(caught.value) == (
        f"Export the file {str(file)!r} again as JSON, with --output json. To read its YAML "
        'fastlaunch_nb needs more: pip install "fastlaunch_nb[yaml]"'
    )


# --- CSV ------------------------------------------------------------------------------

ROWS = "image_id,state,target_resource_count\nami-1,enabled,5\nami-2,enabling,\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ROWS, id="comma"),
        pytest.param(ROWS.replace(",", ";"), id="semicolon"),
        pytest.param(ROWS.replace(",", "\t").replace("\n", "\r\n"), id="tab"),
        pytest.param("\ufeff" + ROWS.replace("image_id", '"image_id"'), id="quoted"),
        pytest.param("\n" + ROWS.replace("\n", "\n\n"), id="empty lines"),
        pytest.param(ROWS.replace(",5", ",5.0"), id="pandas' numbers"),
    ],
)
def test_csv_gives_rows(text: str) -> None:
    """Each row of CSV is an image, whatever separates its cells; an empty cell is null."""
    images = fl.from_pages(text)
    assert images["image_id"].tolist() == ["ami-1", "ami-2"]
    assert images["target_resource_count"].fillna(-1).tolist() == [5, -1]
    assert images["owner_id"].isna().tolist() == [True, True]


def test_csv_of_a_log_has_events() -> None:
    """Events of a log that the console saved as CSV are in its column of messages."""
    rows = pd.DataFrame({"timestamp": [1], "message": [json.dumps(make_event(1))]})
    pd.testing.assert_frame_equal(
        fl.from_events(rows.to_csv(index=False)), fl.from_events(make_event(1))
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ROWS + "ami-3,ena", r"Cannot parse the text as CSV: row 3 has 2 of 3 columns"),
        (ROWS + "ami-3,a,1,2\n", "row 3 has 4 of 3 columns"),
        (ROWS + '"ami-3,a,1\n', "Cannot parse the text as CSV: unexpected end of data"),
        (ROWS + '"ami-3"x,a,1\n', "Cannot parse the text as CSV: ',' expected after"),
        (ROWS.replace("5", "many"), "Got SnapshotConfiguration.TargetResourceCount with str"),
        (ROWS.replace("5", "9" * 19), "a number of more than 64 bits"),
        ("account,images\n1,2\n", "Got a dict with the keys 'account', 'images' in the text"),
        ("image_id,state,account_id\nami-1,enabled,1234\n", "account_id is '1234'. Expected 12"),
        ("image_id,state,region\nami-1,enabled,Ohio\n", "region is 'Ohio'. Expected a region's"),
        ("image_id,state,observed_at\nami-1,enabled,noon\n", "Got observed_at with text that"),
    ],
)
def test_other_csv_is_refused(text: str, problem: str) -> None:
    """A row that is cut off, a wrong value and another table are errors that state it."""
    with pytest.raises(fl.SourceError, match=problem):
        fl.from_pages(text)


def test_a_table_without_rows_is_no_error() -> None:
    """A file of a sweep that has no images gives no rows; a file without content is an error."""
    nothing = empty_images()
    for data in (to_csv(nothing), to_json(nothing), nothing.to_parquet()):
        pd.testing.assert_frame_equal(fl.from_pages(data), nothing)
    with pytest.raises(fl.SourceError, match="It is empty"):
        fl.from_pages(b"\n")


# --- others ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\x03\x04more", "a ZIP archive or an Excel workbook. Unpack it, or save as CSV"),
        (b"BZh91AY", "which is compressed by bzip2"),
        ("Größe".encode("cp1252"), "Save it as UTF-8, or open it in binary mode"),
        (base64.b64encode(b"x" * 99), "Cannot parse the text as JSON"),
        (b"ENABLED  ami-1\nENABLED  ami-2", "Cannot parse the text as JSON"),
    ],
)
def test_other_formats_are_refused(content: bytes, problem: str) -> None:
    """Archives, other encodings and text of no known format are errors that state it."""
    with pytest.raises(fl.SourceError, match=problem):
        fl.from_pages(content)
