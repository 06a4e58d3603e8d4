"""Commands that read AWS: show, sweep and record."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, make_notifications
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.schema.columns import TIME
from tests.helpers.command_line import run_command
from tests.helpers.emulator import add_fast_launch_images, inject_faults
from tests.helpers.processes import run_in_terminal

COMMAND = [sys.executable, "-m", "fastlaunch_nb"]


# --- show -----------------------------------------------------------------------------


def test_show_prints_a_line_for_each_image(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """The table with all columns is on stdout; its summary is on stderr."""
    out, err = run_command(capsys, "show", "--region", *demo.regions)
    heading, *lines = out.splitlines()
    assert heading.split("  ")[0] == "Account"
    assert heading.strip().endswith("Reason")
    assert len(lines) == 24
    assert "enabling-failed" in lines[0]
    assert re.fullmatch(r"24 images \(demo data\): (\d+ [a-z-]+(, |\n))+", err), err


def test_json_and_csv_equal_the_frame(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV have every row and column of describe in EC2's order; pandas reads both."""
    images = fl.describe(region="eu-west-1")
    out, _ = run_command(capsys, "show", "--region", "eu-west-1", "--json")
    records = json.loads(out)
    assert [list(record) for record in records] == [list(images)] * len(images)
    frame = pd.DataFrame(records).astype({"state_transition_time": TIME, "observed_at": TIME})
    pd.testing.assert_frame_equal(frame.astype(images.dtypes), images, check_flags=False)
    out, _ = run_command(capsys, "show", "--region", "eu-west-1", "--csv")
    frame = pd.read_csv(io.StringIO(out), dtype=str, keep_default_na=False)
    assert frame["image_id"].tolist() == images["image_id"].tolist()
    assert list(frame) == list(images)


@pytest.mark.parametrize(
    "filters",
    [
        ["state=enabling,enabled-failed"],
        ["state=enabling", "state=enabled-failed"],
        ["Name=state,Values=enabling,enabled-failed"],
    ],
)
def test_filters_have_two_forms(
    demo: Demo, filters: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Our short form and the form of the AWS CLI are the same filter."""
    arguments = ["--region", *demo.regions, "--json", "--filters", *filters]
    out, _ = run_command(capsys, "show", *arguments)
    assert {record["state"] for record in json.loads(out)} == {"enabling", "enabled-failed"}


def test_show_reads_the_region_of_a_profile(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --region a profile reads its own account in its own region."""
    out, _ = run_command(capsys, "show", "--profile", "game-servers", "--json")
    scopes = {(record["account_id"], record["region"]) for record in json.loads(out)}
    assert scopes == {("111122223333", "us-east-1")}


def test_show_reads_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """--demo needs no credentials and reads both accounts in all regions."""
    out, err = run_command(capsys, "show", "--demo", "--csv")
    assert len(out.splitlines()) == 43
    assert err.startswith("42 images (demo data): 3 enabling-failed, ")


def test_show_without_images(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Without images there is no table, an empty JSON list, and the header of the CSV."""
    show = ("show", "--region", "sa-east-1")
    assert run_command(capsys, *show) == ("", "No image has Fast Launch here.\n")
    assert run_command(capsys, *show, "--json")[0] == "[]\n"
    assert run_command(capsys, *show, "--csv")[0].startswith("account_id,region,")


def test_a_region_that_is_not_opted_in_is_not_empty(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in such a region is unknown; the code is 1 if nothing else was read."""
    both = ("show", "--region", "sa-east-1", "ap-east-1")
    assert run_command(capsys, *both) == ("", "No image has Fast Launch in what could be read.\n")
    _, err = run_command(capsys, "show", "--region", "ap-east-1", code=1)
    assert "ap-east-1: not-opted-in: the account has not opted in to the region" in err
    assert "No image has Fast Launch here" not in err


def test_show_without_matches(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A filter that matches nothing is named, with one suggestion for a probable typo."""
    arguments = ["--region", "us-east-1", "eu-west-1", "--filters", "state=enabledd"]
    out, err = run_command(capsys, "show", *arguments)
    assert out == ""
    warning, summary = err.splitlines()
    assert "'enabledd'" in warning
    assert warning.endswith("Did you mean 'enabled'?")
    assert summary == "No image matches the filters."


def test_show_reports_failed_reads(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """If some reads fail, the others are printed and the code is 3; if all fail, it is 1."""
    regions = ["--region", "us-east-1", "xx-nowhere-1"]
    out, err = run_command(capsys, "show", *regions, "--json", code=3)
    assert {record["region"] for record in json.loads(out)} == {"us-east-1"}
    assert "xx-nowhere-1: failed: " in err.splitlines()[-1]
    with inject_faults(unauthorized=["123456789012"]):
        out, err = run_command(capsys, "show", "--region", "us-east-1", "--json", code=1)
    assert out == ""
    assert "Allow the IAM action ec2:DescribeFastLaunchImages" in err


def test_a_failure_names_its_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown region has a line for each profile, with a suggestion."""
    _, err = run_command(capsys, "show", "--demo", "--region", "us-east-11", code=1)
    lines = err.splitlines()
    assert len(lines) == 2
    for line, profile in zip(lines, ("build-farm", "game-servers"), strict=True):
        assert line.startswith(f"fastlaunch-nb: {profile} · ")
        assert "us-east-11: failed: " in line
        assert line.endswith("AWS lists no region 'us-east-11'. Did you mean 'us-east-1'?")


@pytest.mark.parametrize("terminal", [True, False])
def test_csv_run_in_terminal_is_escaped(
    terminal: bool, demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters are unchanged in a file, and escaped in a terminal."""
    image = FastLaunchImage("ami-00000001", state_transition_reason="\x9b2J\u202eback")
    add_fast_launch_images(get_backend("123456789012", "eu-north-1"), [image])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    out, _ = run_command(capsys, "show", "--region", "eu-north-1", "--csv")
    assert len(out.splitlines()) == 2
    assert ("\\x9b2J\\u202eback" in out) == terminal
    assert ("\x9b2J\u202eback" in out) != terminal


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of Unix")
def test_a_table_fits_into_the_terminal() -> None:
    """In a terminal no line is too wide, states have colors, and omitted columns are named."""
    command = [*COMMAND, "show", "--demo", "--region", "us-east-1"]
    out, err = run_in_terminal(command, COLUMNS="90", TERM="xterm-256color")
    assert "\x1b[" in out
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert len(lines) == 15
    assert max(map(len, lines)) <= 90
    hint = "Use --json or --csv to print all columns."
    assert f"No room for Target, Parallel, Template, Reason. {hint}" in err


# --- sweep ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Excel knows no time zones:fastlaunch_nb.FastLaunchWarning")
@pytest.mark.parametrize("form", ["parquet", "csv", "json", "xlsx", "CSV"])
def test_sweep_writes_files(
    demo: Demo, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images and coverage are written in the format of the ending, in any case, for `fl.load`."""
    folder = tmp_path / "out"
    folder.mkdir()
    images, coverage = folder / f"images.{form}", folder / f"coverage.{form}"
    source = ["--profile", *demo.accounts.values(), "--region", *demo.regions]
    files = ["--out", str(images), "--coverage", str(coverage)]
    out, err = run_command(capsys, "sweep", *source, *files)
    assert out == ""
    assert err == "Sweep: 42 images, 6 complete\n"
    assert len(fl.load(images)) == 42
    assert fl.load(coverage)["rows"].sum() == 42
    assert {path.name for path in folder.iterdir()} == {images.name, coverage.name}


def test_sweep_prints_a_table(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the images are printed as a table, with account names."""
    out, _ = run_command(capsys, "sweep", "--demo", "--region", "us-east-1")
    assert "build-farm" in out
    assert "game-servers" in out


def test_sweep_reads_an_organization(capsys: pytest.CaptureFixture[str]) -> None:
    """A role reads all accounts of an organization, without skipped ones, or named accounts."""
    sweep = ("sweep", "--demo", "--region", "us-east-1", "--role", "FastLaunchReader")
    out, _ = run_command(capsys, *sweep, "--organization")
    assert "build-farm" in out
    assert "game-servers" in out
    out, _ = run_command(capsys, *sweep, "--organization", "--skip", "123456789012")
    assert "build-farm" not in out
    out, _ = run_command(capsys, *sweep, "--accounts", "111122223333", "--external-id", "x-1")
    assert "111122223333" in out


@pytest.mark.parametrize("other", ["./images.csv", "link.csv", "folder/images.csv", "IMAGES.csv"])
def test_two_results_need_two_files(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file by two paths, or as on Windows in another case, is refused before any read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "normcase", str.lower)
    (tmp_path / "link.csv").symlink_to("images.csv")
    (tmp_path / "folder").symlink_to(".")
    arguments = ["sweep", "--demo", "--out", "images.csv", "--coverage", other]
    _, err = run_command(capsys, *arguments, code=2)
    assert err == (
        "fastlaunch-nb: --out and --coverage are both images.csv. Choose two different files.\n"
    )
    assert not (tmp_path / "images.csv").exists()


def test_a_partial_sweep_exits_with_3(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Successful reads are written and failed ones listed; with --strict nothing is written."""
    sweep = ["sweep", "--profile", *demo.accounts.values(), "--region", *demo.regions]
    with inject_faults(unauthorized=["111122223333"]):
        images = tmp_path / "images.csv"
        _, err = run_command(capsys, *sweep, "--out", str(images), code=3)
        assert set(pd.read_csv(images)["account_id"]) == {123456789012}
        lines = [line for line in err.splitlines() if "failed: " in line]
        checks = [("game-servers" in line, "Allow the IAM action" in line) for line in lines]
        assert checks == [(True, True)] * 3, lines
        strict = tmp_path / "strict.csv"
        out, err = run_command(capsys, *sweep, "--strict", "--out", str(strict), code=1)
        assert out == ""
        assert len([line for line in err.splitlines() if "failed: " in line]) == 3
        assert not strict.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "images.xls"], "ends in none of .parquet, .csv, .json, .xlsx"),
        (["--out", "nowhere/images.csv"], "There is no folder 'nowhere'"),
        (["--out", "a.csv", "--coverage", "a.csv"], "are both a.csv. Choose two different files"),
        (["--accounts", "111122223333"], "need role"),
        (["--organization", "--role", "x", "--skip", "?"], "no part of an organization"),
        (["--region", "US EAST"], "a region's name"),
        (["--workers", "0"], "max_workers is 0"),
    ],
)
def test_an_invalid_sweep_sends_nothing(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Invalid options of sweep exit with 2 before any request is sent."""
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", lambda *_: pytest.fail("sent"))
    _, err = run_command(capsys, "sweep", *arguments, code=2)
    assert message in err


# --- record ---------------------------------------------------------------------------


def test_record_prints_one_line(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of name=value pairs is on stdout, and the store has the sweep that it names."""
    source = ["--profile", *demo.accounts.values(), "--region", *demo.regions]
    out, err = run_command(capsys, "record", str(tmp_path / "store"), *source, "--compact")
    values = dict(pair.split("=") for pair in out.removeprefix("recorded ").split())
    assert (out.count("\n"), err) == (1, "")
    history = fl.History(tmp_path / "store")
    assert history.coverage()["sweep_id"].unique().tolist() == [values.pop("sweep_id")]
    assert len(history.images()) == 42
    counts = {"images": "42", "reads": "6", "complete": "6", "partial": "0", "failed": "0"}
    assert values == {**counts, "not-opted-in": "0", "interrupted": "0"}


def test_record_records_failed_reads(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failed reads are recorded; the code is 3, or 1 if all of them failed."""
    source = ["--profile", *demo.accounts.values(), "--region", "eu-west-1"]
    for unauthorized, code in ((["123456789012"], 3), (list(demo.accounts), 1)):
        store, count = tmp_path / str(code), len(unauthorized)
        with inject_faults(unauthorized=unauthorized):
            out, err = run_command(capsys, "record", str(store), *source, code=code)
        assert f" failed={count} " in out
        assert err.count("Allow the IAM action") == count
        assert fl.History(store).coverage()["status"].eq("failed").sum() == count


def test_record_records_events(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events in a folder are recorded only once, and AWS is not read."""
    events = make_notifications(CHANGE_LOG)
    folder, store = tmp_path / "events", str(tmp_path / "store")
    folder.mkdir()
    (folder / "1").write_text("".join(map(json.dumps, events)))
    with inject_faults(unauthorized=list(demo.accounts)):
        for _ in range(2):
            out, _ = run_command(capsys, "record", store, "--events", str(folder))
            assert out == f"recorded events={len(events)}\n"
    assert len(fl.History(store).observations()) == len(events)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gs://bucket/x"], "Expected a folder, or s3://bucket/prefix"),
        (["store", "--region", "Mars"], "region is 'Mars'"),
        (["store", "--demo", "--events", "x"], "--events does not read AWS, so --demo has no"),
        (["store", "--external-id", "x", "--events", "x"], "so --external-id has no effect"),
        (["store", "--events", "nowhere"], "neither JSON text nor a readable file"),
    ],
)
def test_an_invalid_record_writes_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Invalid options of record exit with 2 before anything is read or written."""
    monkeypatch.chdir(tmp_path)
    _, err = run_command(capsys, "record", *arguments, code=2)
    assert message in err
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_written_exits_with_1(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the store cannot be written, nothing is on stdout."""
    (tmp_path / "file").touch()
    source = ["--profile", "build-farm", "--region", "eu-west-1"]
    store = str(tmp_path / "file" / "store")
    out, err = run_command(capsys, "record", store, *source, code=1)
    assert out == ""
    assert "could not be written" in err
