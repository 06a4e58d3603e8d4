"""JupyterLab and the dashboard, started and ended as a user does."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import nbformat
import pandas as pd
import papermill
import pytest
from playwright.sync_api import expect

import fastlaunch_nb as fl
from fastlaunch_nb import cli
from fastlaunch_nb.cli import jupyter
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.faults import inject_faults
from fastlaunch_nb.errors import InputError
from tests.helpers.browser import ROOT, SLOW, launched, opened
from tests.helpers.cases import some
from tests.helpers.processes import LIMIT, Process, process

COMMAND = [sys.executable, "-m", "fastlaunch_nb.cli"]


def test_the_notebooks_of_a_checkout_are_found() -> None:
    """Without --notebooks a checkout's own are copied, wherever the command is run."""
    assert jupyter.NOTEBOOKS == ROOT / "notebooks"


def notebook(*sources: str) -> str:
    """Return a notebook as text; its first cell is tagged for parameters, and all have run."""
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    cells[-1].outputs = [nbformat.v4.new_output("stream", text="of the demo")]
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    source = tmp_path / "notebooks"
    source.mkdir()
    (source / "01_first.ipynb").write_text(notebook("profile = None", "print(profile)"))
    return source


# --- copies ---------------------------------------------------------------------------


def test_copies_keep_a_users_edits(notebooks: Path, tmp_path: Path) -> None:
    """Missing notebooks are copied; one that the user has edited stays, and is named."""
    folder = tmp_path / "lab"
    copy = folder / "01_first.ipynb"
    assert jupyter.copy_notebooks(notebooks, folder, {}) == {copy: False}
    assert copy.read_bytes() == (notebooks / copy.name).read_bytes()
    copy.write_text("mine")
    assert jupyter.copy_notebooks(notebooks, folder, {}) == {copy: True}
    assert copy.read_text() == "mine"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([{"profile": "a"}, {"profile": "b"}, {}], id="other parameters, then none"),
        pytest.param([{}, {}], id="none"),
        pytest.param([{"profile": "a"}, {"profile": "a"}], id="the same"),
    ],
)
def test_a_copy_that_nobody_edited_is_made_again(
    notebooks: Path, tmp_path: Path, given: list[dict[str, Any]]
) -> None:
    """Parameters of an earlier start are no edits: such a copy is as if it were the first."""
    for parameters in some(given):
        copies = jupyter.copy_notebooks(notebooks, tmp_path / "lab", parameters)
        assert copies == {tmp_path / "lab" / "01_first.ipynb": False}
    jupyter.copy_notebooks(notebooks, tmp_path / "new", given[-1])
    (again, new) = (tmp_path / name / "01_first.ipynb" for name in ("lab", "new"))
    assert again.read_text() == new.read_text()


def test_parameters_leave_a_users_notebook_with_their_option(
    notebooks: Path, tmp_path: Path
) -> None:
    """Once no option is given, a notebook with edits reads what it says itself."""
    (copy,) = jupyter.copy_notebooks(notebooks, tmp_path / "lab", {"regions": ["us-east-1"]})
    copy.write_text(copy.read_text().replace("print(profile)", "print(profile, 1)"))
    jupyter.copy_notebooks(notebooks, tmp_path / "lab", {})
    cells = nbformat.read(copy, as_version=4).cells
    assert [cell.source for cell in cells] == ["profile = None", "print(profile, 1)"]


def test_what_is_not_a_notebook_takes_no_parameters(notebooks: Path, tmp_path: Path) -> None:
    """Such a file is named, and stays as it is."""
    (copy,) = jupyter.copy_notebooks(notebooks, tmp_path / "lab", {})
    copy.write_text("[]")
    with pytest.raises(InputError, match=r"01_first.ipynb is not a notebook"):
        jupyter.copy_notebooks(notebooks, tmp_path / "lab", {"profile": "a"})
    assert copy.read_text() == "[]"


AWKWARD = [
    *("Team A", "team a", "team-a", "TEAM-A", "a/b", "a-b", "a\\b", "build-farm"),
    *("CON", "con", "com1", "nul.txt", "demo", "own-account", "..", ".", "-x", "~", "$(id)"),
    *("日本", "日", "\n", "x" * 300, "x" * 299, "AdministratorAccess-123456789012", "", None),
]


def test_each_profile_has_a_folder_of_its_own() -> None:
    """No two share one, on a system that ignores case either; a plain name stays as it is."""
    names = [jupyter.folder_name(profile) for profile in AWKWARD]
    assert len({name.casefold() for name in names}) == len(AWKWARD)
    assert jupyter.folder_name("build-farm") == "build-farm"
    assert jupyter.folder_name(None) == "demo"


@pytest.mark.parametrize("profile", AWKWARD)
def test_a_profiles_folder_is_safe(profile: str | None) -> None:
    """Its name is one part of a path, short, and a device on no system."""
    name = jupyter.folder_name(profile)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name), f"{profile!r} got {name!r}"
    assert not re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", name), f"{profile!r} got {name!r}"


def test_parameters_reach_a_copy(notebooks: Path, tmp_path: Path) -> None:
    """A copy gets them in a cell after the marked one, as papermill does; old outputs go."""
    given = {"profile": 'it\'s "mine"', "regions": ["eu-west-1"], "filters": {"state": ["enabled"]}}
    (copy,) = jupyter.copy_notebooks(notebooks, tmp_path / "lab", given)
    cells = nbformat.read(copy, as_version=4).cells
    assert [cell.get("outputs") for cell in cells] == [[], [], []]
    names: dict[str, Any] = {}
    for cell in cells[:2]:
        exec(cell.source, names)  # noqa: S102  cells of our own
    assert given == {name: names[name] for name in given}


def test_papermill_knows_the_cell(notebooks: Path, tmp_path: Path) -> None:
    """papermill, given a copy with parameters, replaces our cell by its own."""
    (copy,) = jupyter.copy_notebooks(notebooks, tmp_path / "lab", {"profile": "first"})
    again = tmp_path / "again.ipynb"
    papermill.execute_notebook(
        copy,
        again,
        {"profile": "second"},
        prepare_only=True,
        kernel_name="python3",
        language="python",
    )
    sources = [cell.source for cell in nbformat.read(again, as_version=4).cells]
    assert sources == ["profile = None", '# Parameters\nprofile = "second"\n', "print(profile)"]


def test_parameters_are_replaced_and_nothing_else(notebooks: Path, tmp_path: Path) -> None:
    """The next ones take the place of the last ones; a user's cells and outputs stay."""
    folder = tmp_path / "lab"
    (copy,) = jupyter.copy_notebooks(notebooks, folder, {"profile": "first"})
    mine = copy.read_text().replace("print(profile)", "print(profile, 1)")
    copy.write_text(mine)
    before = nbformat.read(copy, as_version=4).cells
    jupyter.copy_notebooks(notebooks, folder, {"profile": "second"})
    after = nbformat.read(copy, as_version=4).cells
    assert [cell.source for cell in after] == [
        "profile = None",
        "# From the command line\nprofile = 'second'",
        "print(profile, 1)",
    ]
    assert after[2] == before[2]


def test_a_notebook_without_the_marked_cell(notebooks: Path, tmp_path: Path) -> None:
    """Parameters are never dropped silently: a notebook that takes none is named."""
    text = (notebooks / "01_first.ipynb").read_text().replace('"parameters"', '"other"')
    (notebooks / "01_first.ipynb").write_text(text)
    with pytest.raises(InputError, match=r"01_first.ipynb has no cell tagged 'parameters'"):
        jupyter.copy_notebooks(notebooks, tmp_path / "lab", {"profile": "mine"})


@pytest.mark.parametrize(("command", "says"), [("lab", "No notebooks"), ("serve", "No dashboard")])
def test_without_notebooks(
    command: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without notebooks is refused, and nothing is started."""
    assert cli.main([command, "--demo", "--notebooks", str(tmp_path)]) == 2
    assert f"{says}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "lab"])
def test_a_port_that_is_taken(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A taken port is an error in words, with exit code 2."""
    folder = ["--folder", str(tmp_path)] if command == "lab" else []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert cli.main([command, "--demo", "--port", str(port), *folder]) == 2
    assert f"port {port} can not be used" in capsys.readouterr().err


# --- the dashboard's own code -----------------------------------------------------------


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the dashboard's cells after they have run, on the demo."""
    cells = nbformat.read(ROOT / "notebooks" / "dashboard.ipynb", as_version=4).cells
    names: dict[str, Any] = {"display": lambda *_: None}
    try:
        with warnings.catch_warnings():
            for cell in cells:
                if cell.cell_type == "code":
                    exec(cell.source, names)  # noqa: S102  cells of our own
            yield names
    finally:
        if "demo" in names:
            names["demo"].stop()


def test_the_panel_is_usable_while_a_refresh_reads(dashboard: dict[str, Any]) -> None:
    """Meanwhile filters answer, and a second click reads nothing; both are as chosen afterwards."""
    panel, button, read = dashboard["panel"], dashboard["button"], dashboard["read"]
    begun, go_on = threading.Event(), threading.Event()
    readers: list[int] = []

    def slowly(progress: Any) -> Any:
        readers.append(threading.get_ident())
        begun.set()
        if readers[-1] != threading.main_thread().ident:  # who would wait for itself
            go_on.wait()
        return read(progress)

    async def use() -> None:
        button.click()
        await asyncio.to_thread(begun.wait)
        try:
            button.click()
            assert button.disabled
            assert dashboard["bar"].layout.display is None
            panel.filters = fl.Filters(state="enabling-failed")
            assert len(panel.filtered) == 3
        finally:
            go_on.set()
        await ended(button)

    dashboard["read"] = slowly
    asyncio.run(use())
    assert len(readers) == 1
    assert readers[0] != threading.main_thread().ident, "the page was blocked"
    assert panel.filters == fl.Filters(state="enabling-failed")
    assert len(panel.filtered) == 3
    assert "12:10:00 UTC" in dashboard["when"].value
    assert dashboard["bar"].layout.display == "none"


async def ended(button: Any) -> None:
    """Wait until a refresh is over: its button can be pressed again."""
    over = asyncio.Event()
    button.observe(lambda _: over.set(), "disabled")
    if button.disabled:
        await over.wait()


def refreshed(dashboard: dict[str, Any]) -> None:
    """Press Refresh, and wait until that is over."""

    async def press() -> None:
        dashboard["button"].click()
        await asyncio.sleep(0)
        assert dashboard["button"].disabled
        await ended(dashboard["button"])

    asyncio.run(press())


def test_a_refresh_that_reads_nothing_keeps_what_is_there(dashboard: dict[str, Any]) -> None:
    """Where every read fails, images and time stay, and what to do is said; then it goes on."""
    before = dashboard["panel"].filtered
    with inject_faults(unauthorized=dashboard["demo"].accounts):
        refreshed(dashboard)
    (said,) = dashboard["failed"].outputs
    assert "6 failed" in said["data"]["text/plain"]
    assert "Allow the IAM action" in said["data"]["text/html"]
    pd.testing.assert_frame_equal(dashboard["panel"].filtered, before)
    assert "12:00:00 UTC" in dashboard["when"].value
    refreshed(dashboard)
    assert dashboard["failed"].outputs == ()
    assert "12:20:00 UTC" in dashboard["when"].value


def test_a_refresh_says_what_failed(dashboard: dict[str, Any]) -> None:
    """Where some reads fail, the others' images are shown, and failures as a sweep says them."""
    with inject_faults(unauthorized=["111122223333"]):
        refreshed(dashboard)
    (said,) = dashboard["failed"].outputs
    assert "3 complete, 3 failed" in said["data"]["text/plain"]
    assert set(dashboard["panel"].filtered["account_id"]) == {"123456789012"}


def test_an_error_is_said_in_words(dashboard: dict[str, Any]) -> None:
    """An error stands on the page as text; what was there stays, and Refresh can be pressed."""
    before = dashboard["panel"].filtered

    def expired(_progress: Any) -> None:
        raise fl.SetupError("The login has expired. Run: aws sso login <b>")

    dashboard["read"] = expired
    refreshed(dashboard)
    assert "expired. Run: aws sso login &lt;b&gt;</span>" in dashboard["said"].value
    pd.testing.assert_frame_equal(dashboard["panel"].filtered, before)


# --- ports and signals ------------------------------------------------------------------

PROGRAM = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
port, status, asked = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status if self.headers["Authorization"] == "token ours" else 200)
        self.end_headers()
    def log_message(self, *_):
        pass
for file in asked:
    open(file).read()
try:
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
except OSError:
    sys.exit(7)
"""
"""A program that answers as Jupyter's login does; as it ends where its port is taken."""


def program(
    port: int, *first: Path, status: int = 302, elsewhere: jupyter.Server | None = None
) -> jupyter.Server:
    """Return a program that reads some files before it listens, and who starts in its place."""
    return jupyter.Server(
        "A program",
        [sys.executable, "-c", PROGRAM, str(port), str(status), *map(str, first)],
        ROOT,
        f"http://127.0.0.1:{port}/?token=ours",
        port,
        "ours",
        (lambda: elsewhere) if elsewhere else None,
    )


def run(server: jupyter.Server) -> list[str]:
    """Run a server until it answers; return the addresses that it was said to answer at."""
    stopped, addresses = threading.Event(), list[str]()

    def ready(address: str) -> None:
        addresses.append(address)
        stopped.set()

    jupyter.run(server, stopped, ready)
    return addresses


@contextmanager
def stranger(called: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Have another program at a port, which knows no token; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called()
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
def free() -> int:
    """A port below those that systems give out by themselves: nobody else comes to it."""
    return jupyter._free_port(None, random.randrange(20_000, 30_000))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_another_came_to_the_port(tmp_path: Path, free: int) -> None:
    """Another's answers are not taken for ours; ours ends, and starts again at the next port."""
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    answers = count(1)

    def called() -> None:
        if next(answers) == 2:
            go_on.write_text("you may try to listen now")

    with stranger(called) as taken:
        assert run(program(taken, go_on, elsewhere=program(free))) == [program(free).address]
    assert next(answers) > 2


def test_a_named_port_is_kept_to(free: int) -> None:
    """Where the user named the port that another came to, that is an error, not another port."""
    with stranger() as taken, pytest.raises(fl.FastLaunchError, match="with exit code 7"):
        run(program(taken))


def test_a_program_that_does_not_start(free: int) -> None:
    """Where the port is still free, another would not help."""
    broken = program(free, Path("no such file"), elsewhere=program(free))
    with pytest.raises(fl.FastLaunchError, match="A program ended by itself with exit code 1"):
        run(broken)


@pytest.mark.parametrize("status", [200, 404], ids=["another login", "no login"])
def test_a_login_of_the_users_own(monkeypatch: pytest.MonkeyPatch, free: int, status: int) -> None:
    """A server that does not know our token is announced too, once it has not gone away."""
    monkeypatch.setattr(jupyter, "_DOUBTS", 2)
    assert run(program(free, status=status)) == [program(free).address]


@pytest.mark.parametrize("make", [
    pytest.param(lambda folder, port: jupyter.lab(folder, "x", port), id="lab"),
    pytest.param(lambda folder, port: jupyter.dashboard(folder, {}, port, "light"), id="serve"),
])  # fmt: skip
def test_the_next_port(make: Any, notebooks: Path, free: int) -> None:
    """Without a named port the next is tried, with a token that nobody has seen; else none is."""
    shutil.copy(notebooks / "01_first.ipynb", notebooks / "dashboard.ipynb")
    with make(notebooks, free) as named:
        assert (named.port, named.elsewhere) == (free, None)
    for port in (None, 0):
        with make(notebooks, port) as first, socket.create_server(("127.0.0.1", first.port)):
            second = first.elsewhere()
        assert second.port != first.port
        assert second.token != first.token
        assert second.address == first.address.replace(str(first.port), str(second.port)).replace(
            first.token, second.token
        )
        assert any(str(second.port) in word for word in second.command)
        assert callable(second.elsewhere)


@pytest.mark.parametrize("ignored", [False, True], ids=["in a terminal", "under nohup"])
def test_signals_stop_a_server(ignored: bool) -> None:
    """Ctrl-C, a polite kill and, but for nohup, a closed terminal end it; then all is as it was."""
    heard: list[int] = []
    before = signal.SIG_IGN if ignored else lambda number, _: heard.append(number)
    previous = signal.signal(signal.SIGHUP, before)
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with jupyter.stop_signals() as stopped:
                signal.raise_signal(number)
                assert stopped.is_set() == (not ignored or number != signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == before
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert heard == []


# --- from start to end ----------------------------------------------------------------


def start(*arguments: str) -> AbstractContextManager[Process]:
    """Start a server without a browser, at a port of its own."""
    return process([*COMMAND, *arguments, "--no-browser", "--port", "0"])


def end(server: Process, number: int) -> str:
    """End a server by a signal; it must end well, and say so. Return what it said."""
    code, _, err = server.end(number)
    assert code == 0, err
    assert err.strip().endswith("Stopped.")
    return err


def page(address: str) -> str:
    """Return the page at an address."""
    with urllib.request.urlopen(address, timeout=LIMIT) as answer:  # noqa: S310
        assert answer.status == 200
        return str(answer.read().decode())


@pytest.mark.deep
def test_two_that_start_at_once(notebooks: Path, tmp_path: Path) -> None:
    """Two without a named port never end in an error: each has a port and an answer of its own."""
    command = [*COMMAND, "lab", "--no-browser", "--notebooks", str(notebooks), "--folder"]
    commands = [[*command, str(tmp_path / name)] for name in ("a", "b")]
    with process(commands[0]) as first, process(commands[1]) as second:
        addresses = [server.find(r"http://\S+") for server in (first, second)]
        assert len({address.split("/")[2] for address in addresses}) == 2
        for address in addresses:
            assert "JupyterLab" in page(address)
        for server in (first, second):
            end(server, signal.SIGINT)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGHUP, id="hang up", marks=pytest.mark.deep),
    ],
)
def test_lab_starts_headless_and_stops(notebooks: Path, tmp_path: Path, number: int) -> None:
    """lab prints an address that answers, works on a copy, and leaves nothing behind at its end."""
    where = ["--notebooks", str(notebooks), "--folder", str(tmp_path / "lab")]
    with start("lab", *where) as server:
        address = server.find(r"http://\S+")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab/tree/01_first.ipynb\?token=.+", address)
        assert "JupyterLab" in page(address)
        err = end(server, number)
    assert err.splitlines()[:3] == [
        "Starting JupyterLab ...",
        "Demo fleet: 42 images in 2 accounts and 3 regions",
        "Ctrl-C stops it.",
    ]
    assert "Warning" not in err
    assert "[W " not in err
    assert address.partition("token=")[2] not in err
    (folder,) = (tmp_path / "lab").iterdir()
    assert [path.name for path in folder.iterdir()] == ["01_first.ipynb"]
    copy = tmp_path / "lab" / "demo" / "01_first.ipynb"
    assert copy.read_bytes() == (notebooks / "01_first.ipynb").read_bytes()


@pytest.mark.deep
def test_lab_on_your_own_account(
    notebooks: Path, tmp_path: Path, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a profile no demo is started, and the copy reads that profile in its own region.

    A token is asked for, whatever a configuration of the user's or in the folder says.
    """
    for folder in (tmp_path / "mine", tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / "jupyter_server_config.json").write_text('{"IdentityProvider": {"token": ""}}')
    (tmp_path / "voila.py").write_text("raise SystemExit('read')")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    where = ["--notebooks", str(notebooks), "--folder", str(tmp_path / "lab")]
    profile = ["--profile", "game-servers"]
    with start("lab", *profile, *where) as server:
        address = server.find(r"http://\S+")
        assert "JupyterLab" in page(address)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            page(f"{address.partition('/lab')[0]}/api/contents")
        err = end(server, signal.SIGINT)
    assert err.splitlines()[1] == "Profile game-servers: region us-east-1"
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["game-servers"]
    copy = json.loads((tmp_path / "lab" / "game-servers" / "01_first.ipynb").read_text())
    assert "".join(copy["cells"][1]["source"]).splitlines()[1:] == [
        "profile = 'game-servers'",
        "regions = ['us-east-1']",
    ]


@pytest.mark.deep
def test_the_dashboard_of_an_account(demo: Demo) -> None:
    """serve shows what was asked to who has the token, and to nobody else."""
    asked = ["--profile", "game-servers", "--region", "eu-west-1", "--filters", "state=enabled"]
    expected = demo_count("game-servers", "eu-west-1", "enabled")
    with start("serve", *asked) as server:
        address = server.find(r"http://\S+")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=.+", address)
        assert "Password or token" in page(address.partition("?")[0])
        with launched() as browser, opened(browser) as shown:
            shown.goto(address, timeout=SLOW)
            expect(shown.locator(".fl-summary")).to_contain_text(
                f"{expected} of {expected} images", timeout=SLOW
            )
        end(server, signal.SIGTERM)


def demo_count(profile: str, region: str, state: str) -> int:
    """Return how many images boto3's own client finds."""
    client = boto3.Session(profile_name=profile).client("ec2", region_name=region)
    chosen = [{"Name": "state", "Values": [state]}]
    return len(client.describe_fast_launch_images(Filters=chosen)["FastLaunchImages"])
