"""The command line, as a user meets it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fastlaunch_nb import __version__, cli

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


@pytest.mark.parametrize("command", ["demo", "lab"])
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help of every command ends with an example."""
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert "example:\n  fastlaunch-nb" in capsys.readouterr().out


def test_demo_serves_another_process() -> None:
    """What demo prints leads an AWS client to the fleet, whatever was set; SIGINT ends it."""
    process = subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    exports = [process.stdout.readline() for _ in range(9)]
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
    start, wait, aws = capsys.readouterr().out.split("example:\n")[1].strip().splitlines()
    assert aws.strip() == "aws ec2 describe-fast-launch-images"
    start = start.replace("5001", "0").replace("fastlaunch-nb", " ".join(COMMAND))
    script = f"{start}\n{wait}\necho $AWS_ENDPOINT_URL\nkill -INT $!\nwait"
    command = ["sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("http://127.0.0.1:")


# --- lab ------------------------------------------------------------------------------


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    source = tmp_path / "notebooks"
    source.mkdir()
    empty = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (source / "01_first.ipynb").write_text(empty)
    return source


def test_copies_keep_a_users_edits(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing notebooks are copied; one that the user has edited stays, and that is said."""
    folder = tmp_path / "lab"
    assert cli._copy_notebooks(notebooks, folder) == "01_first.ipynb"
    assert capsys.readouterr().err == ""
    (folder / "01_first.ipynb").write_text("mine")
    cli._copy_notebooks(notebooks, folder)
    assert (folder / "01_first.ipynb").read_text() == "mine"
    assert "delete it to get a fresh copy" in capsys.readouterr().err


def test_lab_without_notebooks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without notebooks is refused, and nothing is started."""
    assert cli.main(["lab", "--notebooks", str(tmp_path)]) == 2
    assert "No notebooks in" in capsys.readouterr().err


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "hang up"])
def test_lab_starts_headless_and_stops(notebooks: Path, tmp_path: Path, end: int) -> None:
    """lab prints an address that answers, works on a copy, and leaves nothing behind at its end."""
    arguments = ["--no-browser", "--notebooks", str(notebooks), "--folder", str(tmp_path / "lab")]
    process = subprocess.Popen(
        [*COMMAND, "lab", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        assert "01_first.ipynb?token=" in address
        with urllib.request.urlopen(address, timeout=60) as page:  # noqa: S310
            assert page.status == 200
    finally:
        process.send_signal(end)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err.strip().endswith("Stopped.")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)  # noqa: S310
    config = tmp_path / "lab" / ".jupyter" / "labconfig" / "page_config.json"
    assert "announcements" in config.read_text()
    copy = tmp_path / "lab" / "01_first.ipynb"
    assert copy.read_bytes() == (notebooks / "01_first.ipynb").read_bytes()
