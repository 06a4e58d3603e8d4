"""JupyterLab and Voila as processes: ports, signals, start and end."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import nbformat
import pytest
from playwright.sync_api import Page, expect

import fastlaunch_nb as fl
from fastlaunch_nb.cli import jupyter
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.browser import ROOT, SLOW, launch_browser, open_page
from tests.helpers.processes import LIMIT, Process, process

COMMAND = [sys.executable, "-m", "fastlaunch_nb"]


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A folder with a notebook whose first cell is tagged for parameters."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("profile = None", "print(profile)")]
    cells[0].metadata["tags"] = ["parameters"]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01_first.ipynb")
    return folder


# --- ports ----------------------------------------------------------------------------

PROGRAM = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
port, status, files = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status if self.headers["Authorization"] == "token ours" else 200)
        self.end_headers()
    def log_message(self, *_):
        pass
for file in files:
    open(file).read()
try:
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
except OSError:
    sys.exit(7)
"""
"""A program that answers like Jupyter's login and ends if its port is in use."""


def make_server(
    port: int, *files: Path, status: int = 302, on_another_port: jupyter.Server | None = None
) -> jupyter.Server:
    """Return a server that reads some files before it listens, and its replacement."""
    return jupyter.Server(
        "A program",
        [sys.executable, "-c", PROGRAM, str(port), str(status), *map(str, files)],
        ROOT,
        f"http://127.0.0.1:{port}/?token=ours",
        port,
        "ours",
        (lambda: on_another_port) if on_another_port else None,
    )


def run_until_announced(server: jupyter.Server) -> list[str]:
    """Run a server until it is announced; return the announced addresses."""
    stopped, addresses = jupyter.StopFlag(), list[str]()

    def announce(announced: jupyter.Server) -> None:
        addresses.append(announced.address)
        stopped.set()

    jupyter.run_server(server, stopped, announce)
    return addresses


@contextmanager
def other_server(on_request: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Run another server, which knows no token; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            on_request()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def free_port() -> int:
    """A port below those that systems assign, so that nobody else takes it."""
    return jupyter._find_free_port(None, random.randrange(20_000, 30_000))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_a_port_that_another_server_took_is_replaced(tmp_path: Path, free_port: int) -> None:
    """The other server is not announced as ours; ours ends and starts on the next port."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    requests = count(1)

    def on_request() -> None:
        if next(requests) == 2:
            pipe.write_text("try to listen now")

    replacement = make_server(free_port)
    with other_server(on_request) as port:
        server = make_server(port, pipe, on_another_port=replacement)
        assert run_until_announced(server) == [replacement.address]
    assert next(requests) > 2


def test_a_chosen_port_is_not_replaced(free_port: int) -> None:
    """If another server took the port that the user chose, that is an error."""
    with other_server() as port, pytest.raises(fl.FastLaunchError, match="with exit code 7"):
        run_until_announced(make_server(port))


def test_a_program_that_fails_is_not_restarted(free_port: int) -> None:
    """If the port is still free, another port would not help."""
    broken = make_server(free_port, Path("no such file"), on_another_port=make_server(free_port))
    with pytest.raises(fl.FastLaunchError, match="A program ended unexpectedly with exit code 1"):
        run_until_announced(broken)


@pytest.mark.parametrize("status", [200, 404], ids=["another login", "no login"])
def test_a_server_with_its_own_login_is_announced(
    monkeypatch: pytest.MonkeyPatch, free_port: int, status: int
) -> None:
    """A server that does not know our token is announced, too, if its process keeps running."""
    monkeypatch.setattr(jupyter, "_MAX_LOGIN_PAGES", 2)
    server = make_server(free_port, status=status)
    assert run_until_announced(server) == [server.address]


@pytest.mark.parametrize("command", ["lab", "serve"])
def test_the_next_port_has_another_token(command: str, notebooks: Path, free_port: int) -> None:
    """Without a chosen port the next one is tried, with a new token."""
    shutil.copy(notebooks / "01_first.ipynb", notebooks / "dashboard.ipynb")

    def prepare(port: int | None) -> AbstractContextManager[jupyter.Server]:
        if command == "lab":
            return jupyter.prepare_lab(notebooks, "x", port)
        return jupyter.prepare_dashboard(notebooks, {}, port, "light")

    with prepare(free_port) as chosen:
        assert (chosen.port, chosen.on_another_port) == (free_port, None)
    for port in (None, 0):
        with prepare(port) as first, socket.create_server(("127.0.0.1", first.port)):
            assert first.on_another_port
            second = first.on_another_port()
        assert second.port != first.port
        assert second.token != first.token
        address = first.address.replace(str(first.port), str(second.port))
        assert second.address == address.replace(first.token, second.token)
        assert any(str(second.port) in word for word in second.command)
        assert callable(second.on_another_port)


# --- signals --------------------------------------------------------------------------


@pytest.mark.parametrize("ignored", [False, True], ids=["in a terminal", "under nohup"])
def test_signals_stop_a_server(ignored: bool) -> None:
    """Ctrl-C, SIGTERM and, except under nohup, a closed terminal stop it; handlers are restored."""
    unexpected: list[int] = []
    before = signal.SIG_IGN if ignored else lambda number, _: unexpected.append(number)
    previous = signal.signal(signal.SIGHUP, before)
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with jupyter.catch_stop_signals() as stopped:
                signal.raise_signal(number)
                assert stopped.is_set == (not ignored or number != signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == before
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert unexpected == []


@pytest.mark.parametrize("step", range(5))
def test_a_signal_ends_a_wait_whenever_it_comes(step: int) -> None:
    """Ctrl-C at any step of a wait ends it: also just when the wait begins."""
    steps = count()

    def interrupt(*_: Any) -> Any:
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return interrupt

    previous = sys.gettrace()
    with jupyter.catch_stop_signals() as stopped:
        sys.settrace(interrupt)
        try:
            assert stopped.wait()
        finally:
            sys.settrace(previous)


@pytest.mark.parametrize("is_set", [False, True])
def test_a_wait_ends_after_its_timeout(is_set: bool) -> None:
    """A wait with a timeout returns whether the flag is set."""
    stopped = jupyter.StopFlag()
    if is_set:
        stopped.set()
    assert stopped.wait(0) is is_set


# --- real servers ---------------------------------------------------------------------


def start(*arguments: str) -> AbstractContextManager[Process]:
    """Start a server on a free port, without a browser."""
    return process([*COMMAND, *arguments, "--no-browser", "--port", "0"])


def stop(server: Process, number: int) -> str:
    """Stop a server with a signal, check that it exits cleanly, and return its stderr."""
    code, _, err = server.end(number)
    assert code == 0, err
    assert err.strip().endswith("Stopped.")
    return err


def request_page(address: str) -> str:
    """Return the page at an address."""
    with urllib.request.urlopen(address, timeout=LIMIT) as answer:  # noqa: S310
        assert answer.status == 200
        return str(answer.read().decode())


@pytest.mark.deep
def test_two_labs_start_at_once(notebooks: Path, tmp_path: Path) -> None:
    """Two labs without a chosen port start on ports of their own."""
    command = [*COMMAND, "lab", "--no-browser", "--notebooks", str(notebooks), "--folder"]
    commands = [[*command, str(tmp_path / name)] for name in ("a", "b")]
    with process(commands[0]) as first, process(commands[1]) as second:
        addresses = [server.find(r"http://\S+") for server in (first, second)]
        assert len({address.split("/")[2] for address in addresses}) == 2
        for address in addresses:
            assert "JupyterLab" in request_page(address)
        for server in (first, second):
            stop(server, signal.SIGINT)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGHUP, id="hang up", marks=pytest.mark.deep),
    ],
)
def test_lab_serves_a_copy_and_stops(notebooks: Path, tmp_path: Path, number: int) -> None:
    """lab prints an address that answers, works on a copy, and leaves nothing else behind."""
    with start("lab", "--notebooks", str(notebooks), "--folder", str(tmp_path / "lab")) as server:
        address = server.find(r"http://\S+")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab/tree/01_first.ipynb\?token=.+", address)
        assert "JupyterLab" in request_page(address)
        err = stop(server, number)
    assert err.splitlines()[:3] == [
        "Starting JupyterLab ...",
        "Demo fleet: 42 images in 2 accounts and 3 regions",
        "Press Ctrl-C to stop.",
    ]
    assert "Warning" not in err
    assert "[W " not in err
    assert address.partition("token=")[2] not in err
    (folder,) = (tmp_path / "lab").iterdir()
    assert [path.name for path in folder.iterdir()] == ["01_first.ipynb"]
    copy = tmp_path / "lab" / "demo" / "01_first.ipynb"
    assert copy.read_bytes() == (notebooks / "01_first.ipynb").read_bytes()


@pytest.mark.deep
def test_lab_reads_your_own_account(
    notebooks: Path, tmp_path: Path, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a profile no demo starts, and the copy reads that profile in its own region.

    A token is required, whatever a configuration of the user or in the folder sets.
    """
    for folder in (tmp_path / "mine", tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / "jupyter_server_config.json").write_text('{"IdentityProvider": {"token": ""}}')
    (tmp_path / "voila.py").write_text("raise SystemExit('read')")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    folders = ["--notebooks", str(notebooks), "--folder", str(tmp_path / "lab")]
    with start("lab", "--profile", "game-servers", *folders) as server:
        address = server.find(r"http://\S+")
        assert "JupyterLab" in request_page(address)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            request_page(f"{address.partition('/lab')[0]}/api/contents")
        err = stop(server, signal.SIGINT)
    assert err.splitlines()[1] == "Profile game-servers: region us-east-1"
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["game-servers"]
    copy = json.loads((tmp_path / "lab" / "game-servers" / "01_first.ipynb").read_text())
    assert "".join(copy["cells"][1]["source"]).splitlines()[1:] == [
        "profile = 'game-servers'",
        "regions = ['us-east-1']",
    ]


@pytest.mark.deep
def test_serve_requires_its_token(demo: Demo) -> None:
    """serve shows the filtered images of an account only to those who have the token."""
    options = ["--profile", "game-servers", "--region", "eu-west-1", "--filters", "state=enabled"]
    expected = format_image_count("game-servers", "eu-west-1", "enabled")
    with start("serve", *options) as server:
        address = server.find(r"http://\S+")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=.+", address)
        assert "Password or token" in request_page(address.partition("?")[0])
        with launch_browser() as browser, open_page(browser) as page:
            page.goto(address, timeout=SLOW)
            expect(page.locator(".fl-summary")).to_contain_text(
                f"{expected} of {expected} images", timeout=SLOW
            )
        stop(server, signal.SIGTERM)


@pytest.mark.deep
def test_only_kernels_without_a_page_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed page's kernel ends, an open one's does not; no page loads from another server."""
    monkeypatch.setattr(jupyter, "CULL_AFTER", 8)  # a page that loads has no connection yet
    monkeypatch.setattr(jupyter, "CULL_INTERVAL", 1)
    with (
        jupyter.prepare_dashboard(ROOT / "notebooks", {}, 0, "light") as server,
        process(
            [word.replace("=WARN", "=INFO") for word in server.command],
            cwd=server.folder,
            env={**os.environ, "JUPYTER_CONFIG_PATH": str(server.folder)},
            stdin=subprocess.PIPE,  # Voila ends when it is closed
        ) as voila,
        launch_browser() as browser,
        open_page(browser, templates_own=NOTHING) as first,
    ):
        ended = (line for line in voila.err if "Culling 'idle'" in line)
        assert wait_for_line(voila.err, "is running at")
        open_dashboard(first, server.address)
        with open_page(browser, templates_own=NOTHING) as second:
            open_dashboard(second, server.address)
        assert "with 0 connections" in next(ended)
        first.locator(".fl-facet label", has_text="enabling-failed").locator("input").click()
        expect(first.locator(".fl-summary")).to_contain_text("3 of 42 images")
        icon = first.get_by_role("button", name="Refresh").locator("i")
        assert "Font" in icon.evaluate("icon => getComputedStyle(icon, '::before').fontFamily")


NOTHING = re.compile("(?!)")


def wait_for_line(lines: Iterable[str], text: str) -> bool:
    """Wait until a process prints a line with this text; return False if it never does."""
    return any(text in line for line in lines)


def open_dashboard(page: Page, address: str) -> None:
    """Open the dashboard of a demo, and wait for its images."""
    page.goto(address, timeout=SLOW)
    expect(page.locator(".fl-summary")).to_contain_text("42 of 42 images", timeout=SLOW)


def format_image_count(profile: str, region: str, state: str) -> int:
    """Return the number of images in a state, as boto3 reads them."""
    client = boto3.Session(profile_name=profile).client("ec2", region_name=region)
    filters = [{"Name": "state", "Values": [state]}]
    return len(client.describe_fast_launch_images(Filters=filters)["FastLaunchImages"])
