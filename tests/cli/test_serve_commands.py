"""Commands that serve until Ctrl-C: lab, serve and demo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from fastlaunch_nb.cli import jupyter
from fastlaunch_nb.cli.main import main
from tests.helpers.processes import process

COMMAND = [sys.executable, "-m", "fastlaunch_nb"]


# --- lab and serve --------------------------------------------------------------------


def test_lab_reports_edited_notebooks_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line counts the notebooks that a user has edited, before JupyterLab starts."""
    monkeypatch.setattr(jupyter, "run_server", lambda *_: None)
    arguments, folder = ["lab", "--folder", str(tmp_path), "--port", "0"], tmp_path / "demo"
    assert main(arguments) == 0
    assert capsys.readouterr().err == "Starting JupyterLab ...\nStopped.\n"
    for copy in folder.glob("*.ipynb"):
        copy.write_text(copy.read_text().replace("YOUR OWN", "MY OWN"))
    assert main(arguments) == 0
    report = f"9 edited notebooks in {folder} are unchanged; delete one to get a new copy."
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Starting JupyterLab ...", report, "Stopped."]


@pytest.mark.parametrize("command", ["lab", "serve"])
def test_no_command_line_has_the_token(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The browser opens a page that leads to the address, in a folder of the user alone."""
    opened: list[str] = []

    def open_page(url: str) -> None:
        page = Path(url2pathname(urlsplit(url).path))
        text = page.read_text("utf-8")
        opened.append(url)
        assert unescape(text.partition("0;url=")[2].partition('"')[0]) == servers[0].address
        modes = [path.stat().st_mode & 0o777 for path in (page, page.parent)]
        assert os.name == "nt" or modes == [0o600, 0o700]

    servers: list[jupyter.Server] = []

    def run_server(server: jupyter.Server, _stopped: object, announce: Any) -> None:
        servers.append(server)
        announce(server)

    monkeypatch.setattr(jupyter, "run_server", run_server)
    monkeypatch.setattr("webbrowser.open", open_page)
    monkeypatch.setenv("DISPLAY", ":0")
    folder = ["--folder", str(tmp_path)] if command == "lab" else []
    assert main([command, "--demo", "--port", "0", *folder]) == 0
    assert [server.token in url for server, url in zip(servers, opened, strict=True)] == [False]
    assert servers[0].token in servers[0].address
    assert capsys.readouterr().out == f"{servers[0].address}\n"


def test_the_first_line_comes_before_slow_imports(tmp_path: Path) -> None:
    """The first line is printed before pandas, boto3 and moto are loaded, which takes seconds."""
    script = (
        "import sys; from fastlaunch_nb.cli import serve_commands; import fastlaunch_nb.cli.main\n"
        "def show(text): print(text, *{'pandas', 'boto3', 'moto'} & {*sys.modules}); sys.exit()\n"
        "serve_commands.print_status = show\n"
        "fastlaunch_nb.cli.main.main([sys.argv[1], '--demo'])"
    )
    for command, line in (
        ("lab", "Starting JupyterLab ..."),
        ("serve", "Starting the dashboard ..."),
    ):
        words = [sys.executable, "-c", script, command]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == f"{line}\n", command


@pytest.mark.parametrize("command", ["serve", "lab"])
def test_a_missing_lab_extra_is_named(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without JupyterLab and Voila the error has the exact pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main([command, "--demo"]) == 1
    assert 'pip install "fastlaunch_nb[lab]"' in capsys.readouterr().err


def test_a_missing_demo_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without moto serve --demo starts nothing, and the error has the exact pip command."""
    monkeypatch.setitem(sys.modules, "fastlaunch_nb.emulator.server", None)
    monkeypatch.setattr(jupyter, "run_server", lambda *_: pytest.fail("started"))
    assert main(["serve", "--demo"]) == 1
    assert 'pip install "fastlaunch_nb[demo]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"), [("lab", "No notebooks"), ("serve", "No dashboard")]
)
def test_a_folder_without_notebooks_is_refused(
    command: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without notebooks exits with 2, and nothing is started."""
    assert main([command, "--demo", "--notebooks", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "lab", "demo"])
def test_a_used_port_exits_with_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that is in use exits with 2 and is named."""
    options = {"serve": ["--demo"], "lab": ["--demo", "--folder", str(tmp_path)], "demo": []}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert main([command, *options[command], "--port", str(port)]) == 2
    assert f"port {port} cannot be used" in capsys.readouterr().err


# --- demo -----------------------------------------------------------------------------


def test_demo_serves_another_process() -> None:
    """The printed variables lead an AWS client to the fleet, whatever was set; Ctrl-C ends it."""
    with process([*COMMAND, "demo"]) as server:
        script = "".join(islice(server.out, 10)) + (
            f'{sys.executable} -c "import boto3; print(len(boto3.Session(profile_name='
            "'game-servers').client('ec2').describe_fast_launch_images()['FastLaunchImages']))\""
        )
        other_settings = {
            "PATH": os.environ["PATH"],
            "AWS_PROFILE": "production",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_ENDPOINT_URL_EC2": "https://ec2.example.com",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "https_proxy": "http://proxy.example.com:3128",
        }
        command = ["sh", "-c", script]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=other_settings
        )
        assert done.stdout.strip() == "6"
        code, out, err = server.end(signal.SIGINT)
    assert code == 0
    assert out == ""
    assert "Demo fleet: 42 images in 2 accounts and 3 regions at http://127.0.0.1:" in err
    assert err.strip().endswith("Stopped.")


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("127.0.0.1", []),
        ("localhost", []),
        ("127.1.2.3", []),
        ("0.0.0.0", ["any address of this machine"]),  # noqa: S104
        ("0", ["any address of this machine"]),
    ],
)
def test_demo_prints_who_can_use_it(
    host: str, where: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says who can reach a demo that others can reach; there is none for loopback."""
    monkeypatch.setattr(jupyter.StopFlag, "wait", lambda _: True)
    assert main(["demo", "--host", host]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "Whoever" in line]
    assert lines == [
        f"Whoever can reach {place} can read and change this demo fleet: it takes no secret, and "
        "has only generated data."
        for place in where
    ]


def test_an_empty_host_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty address, which a socket takes for every one, is refused."""
    assert main(["demo", "--host", ""]) == 2
    assert "host is ''. Expected an address to listen on" in capsys.readouterr().err


def test_the_example_of_demo_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example in --help leads the shell in which it is typed to the demo."""
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--help"])
    assert ended.value.code == 0
    start, wait, aws, *_ = capsys.readouterr().out.split("examples:\n")[1].strip().splitlines()
    assert aws.strip() == "aws ec2 describe-fast-launch-images"
    start = start.replace("5001", "0").replace("fastlaunch-nb", " ".join(COMMAND))
    script = f"{start}\n{wait}\necho $AWS_ENDPOINT_URL\nkill -INT $!\nwait"
    command = ["sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("http://127.0.0.1:")
