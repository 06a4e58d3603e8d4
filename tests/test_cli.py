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
from pathlib import Path

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb import __version__, aws, cli, frame, sweep
from fastlaunch_nb.demo import Demo

COMMANDS = ["show", "serve", "lab", "demo"]
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
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert re.search(rf"examples:\n  fastlaunch-nb {command}", capsys.readouterr().out)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists the commands that are tested here, and no other."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
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


@pytest.mark.parametrize("command", ["serve", "lab"])
def test_a_missing_extra(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without JupyterLab and Voila the answer is the exact pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert cli.main([command, "--demo"]) == 1
    assert "pip install 'fastlaunch_nb[lab]'" in capsys.readouterr().err


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
    assert err == "24 images (demo data): " + err.split(": ")[1]


def test_show_json_and_csv_are_the_frame(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Both have every row and column of describe, in EC2's order; pandas reads them back."""
    images = fl.describe(region="eu-west-1")
    out, _ = shown(capsys, "--region", "eu-west-1", "--json")
    records = json.loads(out)
    assert [list(record) for record in records] == [list(images)] * len(images)
    back = pd.DataFrame(records).astype(
        {"state_transition_time": frame.TIME, "observed_at": frame.TIME}
    )
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


def test_what_could_not_be_read_is_said(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One region fails: the other's rows are printed, the failure is on stderr, the code is 1."""
    describe = sweep.describe

    def refused(session: boto3.Session, *, region: str, filters: object) -> pd.DataFrame:
        if region == "us-east-1":
            raise fl.ReadError("us-east-1 said no", code="UnauthorizedOperation")
        return describe(session, region=region)

    monkeypatch.setattr(sweep, "describe", refused)
    assert cli.main(["show", "--region", "us-east-1", "eu-west-1", "--json"]) == 1
    printed = capsys.readouterr()
    assert {record["region"] for record in json.loads(printed.out)} == {"eu-west-1"}
    assert printed.err.strip().endswith("fastlaunch-nb: us-east-1 said no")
    assert cli.main(["show", "--region", "us-east-1", "--json"]) == 1
    assert capsys.readouterr().out == ""


def test_a_warning_is_one_line(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning of ours is said in words, without the place in the code."""

    def unknown(*_: object) -> str:
        raise fl.SetupError("nobody knows")

    monkeypatch.setattr(aws, "account_of", unknown)
    _, err = shown(capsys, "--region", "eu-west-1")
    assert err.splitlines()[0] == "fastlaunch-nb: account_id is null: nobody knows"


def test_ctrl_c(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while reading ends with 130 and a word, not with a traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "describe", interrupted)
    assert cli.main(["show"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_a_reader_that_has_seen_enough() -> None:
    """Where the reader closes the pipe, such as `head`, nothing is said."""
    command = " ".join([*COMMAND, "show", "--demo", "--json", "|", "head", "-1"])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "[\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of Unix")
def test_a_terminal_gets_what_fits() -> None:
    """In a terminal no line is too wide, states have colours, and what is left out is named."""
    main, terminal = os.openpty()
    env = {**os.environ, "COLUMNS": "90", "TERM": "xterm-256color"}
    command = [*COMMAND, "show", "--demo", "--region", "us-east-1"]
    done = subprocess.run(
        command, stdout=terminal, stderr=subprocess.PIPE, text=True, check=True, env=env
    )
    os.close(terminal)
    printed = os.read(main, 100_000).decode()
    os.close(main)
    assert "\x1b[" in printed
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()
    assert len(lines) == 15
    assert max(map(len, lines)) <= 90
    assert "No room for Target, Parallel, Template, Reason" in done.stderr


# --- demo -----------------------------------------------------------------------------


def test_demo_serves_another_process() -> None:
    """What demo prints leads an AWS client to the fleet, whatever was set; SIGINT ends it."""
    process = subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    exports = [process.stdout.readline() for _ in range(10)]
    try:
        script = "".join(exports) + (
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
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == ""
    assert "demo data: 42 images" in err
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
    with pytest.raises(SystemExit):
        cli.main(["demo", "--help"])
    start, wait, aws, *_ = capsys.readouterr().out.split("examples:\n")[1].strip().splitlines()
    assert aws.strip() == "aws ec2 describe-fast-launch-images"
    start = start.replace("5001", "0").replace("fastlaunch-nb", " ".join(COMMAND))
    script = f"{start}\n{wait}\necho $AWS_ENDPOINT_URL\nkill -INT $!\nwait"
    command = ["sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("http://127.0.0.1:")
