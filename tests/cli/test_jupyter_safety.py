"""JupyterLab and Voila as processes: foreign files in their folders, and a killed command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit

import pytest
from tornado.websocket import websocket_connect

from fastlaunch_nb.cli import end_with_parent
from fastlaunch_nb.cli.notebook_copies import NOTEBOOKS
from tests.helpers.browser import ROOT
from tests.helpers.processes import LIMIT, Process, process
from tests.helpers.samples import run

COMMAND = [sys.executable, "-m", "fastlaunch_nb"]
CONFIGURATION = [
    *("jupyter_config", "jupyter_server_config", "jupyter_notebook_config", "jupyter_lab_config"),
    *("jupyter_labapp_config", "labapp_config", "voila"),
]
"""Files that Jupyter looks for in its folders of configuration, as Python or as JSON."""
MODULES = [
    *("sitecustomize", "usercustomize", "argparse", "json", "asyncio", "pandas", "boto3", "moto"),
    *("zmq", "tornado", "traitlets", "jupyter_core", "jupyter_client", "jupyter_server"),
    *("jupyterlab", "notebook_shim", "voila", "ipykernel", "IPython"),
]
"""Modules of Python and of Jupyter that the command and its servers import."""


def make_settings(header: str) -> str:
    """Return a configuration with which JupyterLab and Voila answer with a header."""
    settings = {"tornado_settings": {"headers": {header: "yes"}}}
    return json.dumps({"ServerApp": settings, "Voila": settings})


def write_foreign_files(folder: Path, record: Path, *, modules: bool) -> None:
    """Write files that add a line to `record` if any program runs them, or answer with a header."""
    texts = {
        name: make_settings("X-Foreign")
        for place in (".", ".jupyter", ".jupyter/jupyter_server_config.d", "etc/jupyter")
        for name in (f"{place}/{configuration}.json" for configuration in CONFIGURATION)
    }
    program = f"open({str(record)!r}, 'a').write(__file__ + '\\n')\n"
    programs = [
        *(f"{place}/{name}.py" for place in (".", ".jupyter") for name in CONFIGURATION),
        *(f"{name}.py" for name in (MODULES if modules else MODULES[:2])),
        *("ipython_config.py", "ipython_kernel_config.py"),
        *(f"{place}/startup/00.py" for place in ("profile_default", ".ipython/profile_default")),
        ".ipython/profile_default/ipython_config.py",
    ]
    for name, text in {**texts, **dict.fromkeys(programs, program)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def start(*arguments: str) -> AbstractContextManager[Process]:
    """Start a server on a free port, without a browser."""
    return process([*COMMAND, *arguments, "--no-browser", "--port", "0"])


def send(address: str, path: str = "", content: Any = None) -> tuple[Any, str]:
    """Send a request to a server, with its token; return its headers and its text."""
    parts = urlsplit(address)
    request = urllib.request.Request(  # noqa: S310
        f"http://{parts.netloc}/{path}" if path else address,
        headers={"Authorization": f"token {parse_qs(parts.query)['token'][0]}"},
        data=None if content is None else json.dumps(content).encode(),
    )
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
        return answer.headers, answer.read().decode()


def start_kernel(address: str) -> None:
    """Start a kernel of JupyterLab in the notebooks' folder, and wait until it answers."""
    kernel = json.loads(send(address, "api/kernels", {"path": ""})[1])["id"]
    parts = urlsplit(address)
    header = {"msg_id": "1", "msg_type": "kernel_info_request", "session": "1", "version": "5.3"}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": {}}

    async def connect() -> None:
        url = f"ws://{parts.netloc}/api/kernels/{kernel}/channels?{parts.query}"
        connection = await websocket_connect(url)
        await connection.write_message(json.dumps({**message, "channel": "shell"}))
        answer: Any = {}
        while answer.get("msg_type") != "kernel_info_reply":
            answer = json.loads(await connection.read_message() or "")
        connection.close()
        while await connection.read_message():
            pass

    asyncio.run(asyncio.wait_for(connect(), LIMIT))


# --- foreign files --------------------------------------------------------------------


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own configuration, which counts; return the file that its programs write."""
    folder, record = tmp_path / "own", tmp_path / "record"
    folder.mkdir()
    for name in ("jupyter_server_config", "voila"):
        (folder / f"{name}.py").write_text(f"open({str(record)!r}, 'a').write('own\\n')\n")
        (folder / f"{name}.json").write_text(make_settings("X-Own"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return record


@pytest.mark.deep
def test_the_command_runs_no_module_of_the_current_folder(
    own_settings: Path, tmp_path: Path
) -> None:
    """`python -m fastlaunch_nb` loads its modules as `fastlaunch-nb` does: from nowhere else."""
    write_foreign_files(tmp_path, own_settings, modules=True)
    assert "game-servers" in run(*COMMAND, "show", "--demo", cwd=tmp_path).stdout
    assert not own_settings.exists()


@pytest.mark.deep
def test_lab_runs_no_file_of_its_folders(
    own_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the command, nor JupyterLab, nor a kernel that starts runs or reads a foreign file.

    They may lie in the current folder, in that of the copies, and in the notebooks' own.
    """
    current, folder = tmp_path / "current", tmp_path / "lab"
    for place, modules in ((current, True), (folder, True), (folder / "demo", False)):
        write_foreign_files(place, own_settings, modules=modules)
    monkeypatch.chdir(current)
    arguments = ["lab", "--notebooks", str(NOTEBOOKS), "--folder", str(folder)]
    with start(*arguments) as server:
        address = server.find(r"http://\S+")
        headers, text = send(address)
        assert "JupyterLab" in text
        assert (headers["X-Own"], headers["X-Foreign"]) == ("yes", None)
        start_kernel(address)
        assert server.end(signal.SIGINT).code == 0
    assert set(own_settings.read_text().splitlines()) == {"own"}


@pytest.mark.deep
def test_serve_runs_no_file_of_its_folders(
    own_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the command, nor Voila, nor the dashboard's kernel runs or reads a foreign file."""
    current, notebooks = tmp_path / "current", tmp_path / "notebooks"
    for place in (current, notebooks):
        write_foreign_files(place, own_settings, modules=True)
    (notebooks / "dashboard.ipynb").write_bytes((NOTEBOOKS / "dashboard.ipynb").read_bytes())
    monkeypatch.chdir(current)
    with start("serve", "--demo", "--notebooks", str(notebooks)) as server:
        headers, text = send(server.find(r"http://\S+"))
        assert "fl-summary" in text
        assert headers["X-Foreign"] is None
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert server.end(signal.SIGINT).code == 0
    assert set(own_settings.read_text().splitlines()) == {"own"}


# --- a killed command -----------------------------------------------------------------


@pytest.mark.deep
@pytest.mark.parametrize("command", ["lab", "serve"])
def test_a_killed_command_leaves_no_process(command: str, tmp_path: Path) -> None:
    """After kill -9 the server and its kernels end: the pipes that they inherited are closed."""
    folder = ["--folder", str(tmp_path)] if command == "lab" else []
    with start(command, "--demo", *folder) as server:
        address = server.find(r"http://\S+")
        uses: dict[str, Callable[[str], object]] = {"lab": start_kernel, "serve": send}
        uses[command](address)  # which starts a kernel
        assert server.end(signal.SIGKILL).code == -signal.SIGKILL
    with pytest.raises(URLError, match="refused"):
        send(address)


MODULE = """
import os, signal, sys
signals, wake_up = os.pipe()
os.set_blocking(wake_up, False)
signal.set_wakeup_fd(wake_up)
signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
print(sys.argv[1:], flush=True)
if sys.argv[1] == "end":
    sys.exit(3)
os.read(signals, 1)
"""
"""A program that ends by itself, or when it gets a signal."""


@pytest.mark.parametrize(
    ("argument", "expected"), [("end", (3, "", "")), ("stay", (1, "", "stopped\n"))]
)
def test_a_module_runs_until_its_pipe_is_closed(
    argument: str, expected: tuple[int, str, str], tmp_path: Path
) -> None:
    """A module gets its arguments, and ends by itself or when its standard input is closed."""
    (tmp_path / "module.py").write_text(MODULE)
    command = [sys.executable, end_with_parent.__file__, "module", argument]
    its_end, our_end = os.pipe()
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with open(our_end, "wb") as pipe, process(command, env=variables, stdin=its_end) as running:
        os.close(its_end)
        assert running.find(r"\[.*") == f"[{argument!r}]"
        if argument == "stay":
            pipe.close()
        assert running.wait() == expected
