"""The command line, as a user meets it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb import __version__, cli
from fastlaunch_nb.cli import jupyter
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, make_notifications
from fastlaunch_nb.emulator.fast_launch_backend import EC2Error
from fastlaunch_nb.emulator.faults import FAULTS, inject_faults
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.schema.columns import TIME
from tests.helpers.processes import in_a_terminal, process

COMMANDS = ["show", "sweep", "record", "serve", "lab", "demo"]
COMMAND = [sys.executable, "-m", "fastlaunch_nb.cli"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version goes to stdout."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"fastlaunch-nb {__version__}"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "--port", "x"]])
def test_wrong_words(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What the parser does not know ends with 2, says so on stderr, and prints no result."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: fastlaunch-nb" in printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help of every command ends with an example of it."""
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert re.search(rf"examples:\n  fastlaunch-nb {command}", capsys.readouterr().out)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists the commands that are tested here, and no other."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    listed = re.findall(r"^    (\w+) +\S", capsys.readouterr().out, re.MULTILINE)
    assert listed == COMMANDS


@pytest.mark.parametrize("command", ["show", "serve", "lab"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--region", "us-east-1", "Mars"], "region is 'Mars'"),
        (["--filters", "stat=enabled"], "Did you mean 'state'?"),
        (["--filters", "state"], "no values for 'state'"),
        (["--filters", "Name=stat,Values=enabled"], "Did you mean 'state'?"),
    ],
)
def test_what_to_read_is_checked_first(
    command: str, wrong: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever something is read, bad regions and filters end with 2 before anything starts."""
    assert cli.main([command, "--demo", *wrong]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err


@pytest.mark.parametrize("command", ["show", "serve", "lab"])
def test_a_profile_that_is_none(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown profile ends with 1 wherever something is read, and says how to list them."""
    assert cli.main([command, "--profile", "nobody", "--region", "us-east-1"]) == 1
    assert "aws configure list-profiles" in capsys.readouterr().err


def test_lab_says_in_one_line_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many notebooks a user has edited; it says so before JupyterLab starts."""
    monkeypatch.setattr(jupyter, "run", lambda *_: None)
    words = ["lab", "--folder", str(tmp_path), "--port", "0"]
    assert cli.main(words) == 0
    assert capsys.readouterr().err == "Starting JupyterLab ...\nStopped.\n"
    for copy in (tmp_path / "demo").glob("*.ipynb"):
        copy.write_text(copy.read_text().replace("YOUR OWN", "MY OWN"))
    assert cli.main(words) == 0
    kept = f"Kept your 9 notebooks in {tmp_path / 'demo'}; delete one to get a fresh copy."
    assert capsys.readouterr().err.splitlines() == ["Starting JupyterLab ...", kept, "Stopped."]


def test_it_says_what_it_does_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """The first line comes before pandas, boto3 and moto are loaded, which takes seconds."""
    watch = (
        "import sys; from fastlaunch_nb.cli import main, exit_codes, serve_commands\n"
        "def say(text): print(text, *{'pandas', 'boto3', 'moto'} & {*sys.modules}); sys.exit()\n"
        "serve_commands.say = say; main([sys.argv[1], '--demo'])"
    )
    for command, says in (
        ("lab", "Starting JupyterLab ..."),
        ("serve", "Starting the dashboard ..."),
    ):
        words = [sys.executable, "-c", watch, command]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == f"{says}\n", command


@pytest.mark.parametrize("command", ["serve", "lab"])
def test_a_missing_extra(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without JupyterLab and Voila the answer is the exact pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert cli.main([command, "--demo"]) == 1
    assert "pip install 'fastlaunch_nb[lab]'" in capsys.readouterr().err


def test_serve_without_the_demo_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without moto serve --demo starts nothing: the answer is the exact pip command."""
    monkeypatch.setitem(sys.modules, "fastlaunch_nb.emulator", None)
    monkeypatch.delattr("fastlaunch_nb.emulator", raising=False)
    monkeypatch.setattr(jupyter, "run", lambda *_: pytest.fail("started"))
    assert cli.main(["serve", "--demo"]) == 1
    assert "pip install 'fastlaunch_nb[demo]'" in capsys.readouterr().err


# --- show -----------------------------------------------------------------------------


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """Run show, which must end with 0; return what it printed."""
    assert cli.main(["show", *arguments]) == 0
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_show_prints_a_line_an_image(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """The table alone is on stdout, whole lines with all columns; its summary is on stderr."""
    out, err = shown(capsys, "--region", *demo.regions)
    heading, *lines = out.splitlines()
    assert heading.split("  ")[0] == "Account"
    assert heading.strip().endswith("Reason")
    assert len(lines) == 24
    assert "enabling-failed" in lines[0]
    assert re.fullmatch(r"24 images \(demo data\): (\d+ [a-z-]+(, |\n))+", err), err


def test_show_json_and_csv_are_the_frame(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Both have every row and column of describe, in EC2's order; pandas reads them back."""
    images = fl.describe(region="eu-west-1")
    out, _ = shown(capsys, "--region", "eu-west-1", "--json")
    records = json.loads(out)
    assert [list(record) for record in records] == [list(images)] * len(images)
    back = pd.DataFrame(records).astype({"state_transition_time": TIME, "observed_at": TIME})
    pd.testing.assert_frame_equal(back.astype(images.dtypes), images, check_flags=False)
    out, _ = shown(capsys, "--region", "eu-west-1", "--csv")
    read = pd.read_csv(io.StringIO(out), dtype=str, keep_default_na=False)
    assert read["image_id"].tolist() == images["image_id"].tolist()
    assert list(read) == list(images)


@pytest.mark.parametrize(
    "filters",
    [
        ["state=enabling,enabled-failed"],
        ["state=enabling", "state=enabled-failed"],
        ["Name=state,Values=enabling,enabled-failed"],
    ],
)
def test_filters_as_one_types_them(
    demo: Demo, filters: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Our short form and the AWS CLI's own give EC2 the same filter."""
    out, _ = shown(capsys, "--region", *demo.regions, "--json", "--filters", *filters)
    assert {record["state"] for record in json.loads(out)} == {"enabling", "enabled-failed"}


def test_show_reads_a_profile_in_its_own_region(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    """A profile reads its own account, in its own region where none is given."""
    out, _ = shown(capsys, "--profile", "game-servers", "--json")
    found = {(record["account_id"], record["region"]) for record in json.loads(out)}
    assert found == {("111122223333", "us-east-1")}


def test_show_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """--demo needs no credentials, and reads both accounts in all regions."""
    out, err = shown(capsys, "--demo", "--csv")
    assert len(out.splitlines()) == 43
    assert err.startswith("42 images (demo data): 3 enabling-failed, ")


def test_show_nothing(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Without images the table is empty, JSON a list, CSV its header, and all is well."""
    assert shown(capsys, "--region", "sa-east-1") == ("", "No image has Fast Launch here.\n")
    assert shown(capsys, "--region", "sa-east-1", "--json")[0] == "[]\n"
    assert shown(capsys, "--region", "sa-east-1", "--csv")[0].startswith("account_id,region,")


def test_show_nothing_that_matches(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """With a filter that matches nothing, that is what is said, and once what may be meant."""
    typed = ["--region", "us-east-1", "eu-west-1", "--filters", "state=enabledd"]
    out, err = shown(capsys, *typed)
    assert out == ""
    doubt, summary = err.splitlines()
    assert doubt.endswith("'enabledd', which EC2 is not known to have. Did you mean 'enabled'?")
    assert summary == "No image matches the filters."


def test_what_could_not_be_read_is_said(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """One of several fails: the rest is printed, the code is 3; it is 1 where there is no rest."""
    regions = ["--region", "us-east-1", "xx-nowhere-1"]
    assert cli.main(["show", *regions, "--json"]) == 3
    printed = capsys.readouterr()
    assert {record["region"] for record in json.loads(printed.out)} == {"us-east-1"}
    assert "xx-nowhere-1: failed: " in printed.err.splitlines()[-1]
    with inject_faults(unauthorized=["123456789012"]):
        assert cli.main(["show", "--region", "us-east-1", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Allow the IAM action ec2:DescribeFastLaunchImages" in printed.err


def test_a_failure_names_whose_region_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a region is none, each profile that was asked has its line, and what may be meant."""
    assert cli.main(["show", "--demo", "--region", "us-east-11"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    for line, profile in zip(lines, ("build-farm", "game-servers"), strict=True):
        assert line.startswith(f"fastlaunch-nb: {profile} · ")
        assert "us-east-11: failed: " in line
        assert line.endswith("AWS lists no region 'us-east-11'. Did you mean 'us-east-1'?")


# --- record ---------------------------------------------------------------------------


def test_record_keeps_a_sweep_and_says_what_in_a_line(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of name=value is on stdout; the sweep that it names is in the store, whole."""
    words = ["--profile", *demo.accounts.values(), "--region", *demo.regions, "--compact"]
    assert cli.main(["record", str(tmp_path / "store"), *words]) == 0
    out, err = capsys.readouterr()
    said = dict(part.split("=") for part in out.removeprefix("recorded ").split())
    assert (out.count("\n"), err) == (1, "")
    history = fl.History(tmp_path / "store")
    assert history.coverage()["sweep_id"].unique().tolist() == [said.pop("sweep_id")]
    assert len(history.images()) == 42
    counts = {"images": "42", "reads": "6", "complete": "6", "partial": "0", "failed": "0"}
    assert said == {**counts, "not-opted-in": "0", "interrupted": "0"}


def test_record_keeps_what_failed(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What could not be read is kept as such; the code is 3, or 1 where there is nothing else."""
    words = ["--profile", *demo.accounts.values(), "--region", "eu-west-1"]
    for denied, code in ((["123456789012"], 3), (list(demo.accounts), 1)):
        store = tmp_path / str(code)
        with inject_faults(unauthorized=denied):
            assert cli.main(["record", str(store), *words]) == code
        out, err = capsys.readouterr()
        assert f" failed={len(denied)} " in out
        assert err.count("Allow the IAM action") == len(denied)
        assert fl.History(store).coverage()["status"].eq("failed").sum() == len(denied)


def test_record_keeps_events(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events of a folder are kept, once each however often they are recorded; AWS is not asked."""
    told = make_notifications(CHANGE_LOG)
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "1").write_text("".join(map(json.dumps, told)))
    with inject_faults(unauthorized=list(demo.accounts)):
        for _ in range(2):
            words = [str(tmp_path / "store"), "--events", str(tmp_path / "events")]
            assert cli.main(["record", *words]) == 0
    assert capsys.readouterr().out == f"recorded events={len(told)}\n" * 2
    assert len(fl.History(tmp_path / "store").observations()) == len(told)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gs://bucket/x"], "Expected a folder, or s3://bucket/prefix"),
        (["store", "--region", "Mars"], "region is 'Mars'"),
        (["store", "--demo", "--events", "x"], "--events reads nothing of AWS"),
        (["store", "--events", "nowhere"], "neither JSON text nor a readable file"),
    ],
)
def test_record_is_asked_wrongly(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What can not be done ends with 2 before anything is read or written."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["record", *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_store_that_can_not_be_written(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing could be kept nothing is said to be, and the code is 1."""
    (tmp_path / "file").touch()
    words = ["--profile", "build-farm", "--region", "eu-west-1"]
    assert cli.main(["record", str(tmp_path / "file" / "store"), *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "could not be written" in err


def test_help_waits_for_nothing() -> None:
    """Who asks for help does not wait until pandas is loaded."""
    code = (
        "import sys; from fastlaunch_nb import cli; cli.parser.build_parser(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "fastlaunch_nb.cli" in loaded
    assert loaded & {"pandas", "boto3", "plotly"} == set()


def test_a_warning_is_one_line(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning of ours is said in words, without the place in the code."""
    both = ["sweep", "--profile", "build-farm", "default", "--region", "eu-west-1"]
    assert cli.main(both) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "fastlaunch-nb: Two targets lead to account 123456789012. It is read once."


def test_ctrl_c(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while reading ends with 130 and a word, not with a traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.wait", interrupted)
    assert cli.main(["show", "--json"]) == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")


def test_a_reader_that_has_seen_enough() -> None:
    """Where the reader closes the pipe, such as `head`, nothing is said."""
    command = " ".join([*COMMAND, "show", "--demo", "--json", "|", "head", "-1"])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "[\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_no_line_is_forged(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What AWS says in an error stays in its line, and a terminal obeys none of it."""

    def refused(_: object) -> None:
        raise EC2Error("X", "no\nfastlaunch-nb: all is well \x9b2J\u202e")

    monkeypatch.setattr(FAULTS, "delay_or_refuse", refused)
    assert cli.main(["show", "--region", "us-east-1", "eu-west-1"]) == 1
    lines = capsys.readouterr().err.splitlines()
    said = [(line.isprintable(), line.startswith("fastlaunch-nb: ")) for line in lines]
    assert said == [(True, True)] * 2, lines


@pytest.mark.parametrize("terminal", [True, False])
def test_csv_in_a_terminal(
    terminal: bool, demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file gets what AWS sent as it is; in a terminal control characters are spelt out."""
    image = FastLaunchImage("ami-00000001", state_transition_reason="\x9b2J\u202eback")
    get_backend("123456789012", "eu-north-1").add_fast_launch_image(image)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    out, _ = shown(capsys, "--region", "eu-north-1", "--csv")
    assert len(out.splitlines()) == 2
    assert ("\\x9b2J\\u202eback" in out) == terminal
    assert ("\x9b2J\u202eback" in out) != terminal


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of Unix")
def test_a_terminal_gets_what_fits() -> None:
    """In a terminal no line is too wide, states have colours, and what is left out is named."""
    command = [*COMMAND, "show", "--demo", "--region", "us-east-1"]
    printed, err = in_a_terminal(command, COLUMNS="90", TERM="xterm-256color")
    assert "\x1b[" in printed
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()
    assert len(lines) == 15
    assert max(map(len, lines)) <= 90
    assert "No room for Target, Parallel, Template, Reason" in err


# --- demo -----------------------------------------------------------------------------


def test_demo_serves_another_process() -> None:
    """What demo prints leads an AWS client to the fleet, whatever was set; SIGINT ends it."""
    with process([*COMMAND, "demo"]) as server:
        script = "".join(islice(server.out, 10)) + (
            f'{sys.executable} -c "import boto3; print(len(boto3.Session(profile_name='
            "'game-servers').client('ec2').describe_fast_launch_images()['FastLaunchImages']))\""
        )
        led_elsewhere = {
            "PATH": os.environ["PATH"],
            "AWS_PROFILE": "production",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_ENDPOINT_URL_EC2": "https://ec2.example.com",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "https_proxy": "http://proxy.example.com:3128",
        }
        command = ["sh", "-c", script]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=led_elsewhere
        )
        assert done.stdout.strip() == "6"
        code, out, err = server.end(signal.SIGINT)
    assert code == 0
    assert out == ""
    assert "Demo fleet: 42 images in 2 accounts and 3 regions at http://127.0.0.1:" in err
    assert err.strip().endswith("Stopped.")


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """A taken port is an error in words, with exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert cli.main(["demo", "--port", str(port)]) == 2
    assert f"port {port} can not be used" in capsys.readouterr().err


def test_the_example_of_demo_works_as_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines that --help shows lead the shell they are typed into to the demo."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--help"])
    assert ended.value.code == 0
    start, wait, aws, *_ = capsys.readouterr().out.split("examples:\n")[1].strip().splitlines()
    assert aws.strip() == "aws ec2 describe-fast-launch-images"
    start = start.replace("5001", "0").replace("fastlaunch-nb", " ".join(COMMAND))
    script = f"{start}\n{wait}\necho $AWS_ENDPOINT_URL\nkill -INT $!\nwait"
    command = ["sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("http://127.0.0.1:")


# --- sweep ----------------------------------------------------------------------------


def swept(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    """Return what `sweep` prints on stdout and on stderr."""
    assert cli.main(["sweep", *words]) == code
    printed = capsys.readouterr()
    return printed.out, printed.err


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_sweep_into_a_file(
    demo: Demo, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images and coverage as the files' endings say; nothing on stdout, a line on stderr."""
    folder = tmp_path / "out"
    folder.mkdir()
    images, coverage = folder / f"images.{form}", folder / f"coverage.{form}"
    out, err = swept(
        capsys, "--profile", *demo.accounts.values(), "--region", *demo.regions,
        "--out", str(images), "--coverage", str(coverage),
    )  # fmt: skip
    assert out == ""
    assert err == "Sweep: 42 images, 6 complete\n"
    read: Any = getattr(pd, f"read_{form}")
    assert len(read(images)) == 42
    assert read(coverage)["rows"].sum() == 42
    assert {path.name for path in folder.iterdir()} == {images.name, coverage.name}


def test_sweep_to_stdout(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the images are a table, with the names of the accounts."""
    out, _ = swept(capsys, "--demo", "--region", "us-east-1")
    assert "build-farm" in out
    assert "game-servers" in out


def test_sweep_an_organization(capsys: pytest.CaptureFixture[str]) -> None:
    """Every account of an organization by a role; one unit or account less where that is said."""
    by_role = ["--demo", "--region", "us-east-1", "--role", "FastLaunchReader"]
    out, _ = swept(capsys, *by_role, "--organization")
    assert "build-farm" in out
    assert "game-servers" in out
    out, _ = swept(capsys, *by_role, "--organization", "--skip", "123456789012")
    assert "build-farm" not in out
    out, _ = swept(capsys, *by_role, "--accounts", "111122223333", "--external-id", "x-1")
    assert "111122223333" in out


def test_a_partial_sweep(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What could be read is written, what not is named, and the code is 3."""
    words = ["--profile", *demo.accounts.values(), "--region", *demo.regions]
    with inject_faults(unauthorized=["111122223333"]):
        _, err = swept(capsys, *words, "--out", str(tmp_path / "images.csv"), code=3)
        assert set(pd.read_csv(tmp_path / "images.csv")["account_id"]) == {123456789012}
        lines = [line for line in err.splitlines() if "failed: " in line]
        said = [("game-servers" in line, "Allow the IAM action" in line) for line in lines]
        assert said == [(True, True)] * 3, lines
        strictly = tmp_path / "strict.csv"
        out, err = swept(capsys, *words, "--strict", "--out", str(strictly), code=1)
        assert out == ""
        assert len([line for line in err.splitlines() if "failed: " in line]) == 3
        assert not strictly.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "images.xlsx"], "ends in none of .parquet, .csv, .json"),
        (["--out", "nowhere/images.csv"], "There is no folder 'nowhere'"),
        (["--accounts", "111122223333"], "need role"),
        (["--organization", "--role", "x", "--skip", "?"], "no part of an organization"),
        (["--region", "US EAST"], "a region's name"),
        (["--workers", "0"], "max_workers is 0"),
    ],
)
def test_sweep_refused(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What can not be asked is refused before anything is sent."""
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", lambda *_: pytest.fail("sent"))
    _, err = swept(capsys, *words, code=2)
    assert says in err
