"""JupyterLab and Voila on this machine: the notebooks they show, how they start and end.

Each is a program of its own, in a session of its own: Ctrl-C comes to us, and
we end it. They listen on loopback only, and ask for a token that neither the
list of processes nor a log shows.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from fastlaunch_nb.errors import FastLaunchError, InputError, MissingExtraError

HOST = "127.0.0.1"
LAB_PORT, DASHBOARD_PORT = 8888, 8866
DASHBOARD = "dashboard.ipynb"
PATIENCE = 120  # seconds that a server may take to answer
_DOUBTS = 50  # logins shown, 0.2 s apart, before who does not know our token is taken for ours
_HERE = Path(__file__).parent
NOTEBOOKS = next(  # where pip put them, or beside the package in a checkout
    (folder for folder in (_HERE / "notebooks", _HERE.parent / "notebooks") if folder.is_dir()),
    Path("notebooks"),
)


class Server(NamedTuple):
    """A program that serves pages, and where it will answer."""

    name: str
    command: list[str]
    variables: Mapping[str, str]  # beside those of this process
    address: str  # for people, with the token
    port: int
    token: str
    elsewhere: Callable[[], Server] | None  # the same at another port; None if the user named one


def need_extra() -> None:
    """Refuse where JupyterLab or Voila is not installed."""
    for module, name in (("jupyterlab", "JupyterLab"), ("voila", "Voila")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError("lab", name)


# --- notebooks ------------------------------------------------------------------------


def copy_notebooks(
    source: Path, folder: Path, parameters: Mapping[str, Any]
) -> dict[Path, Path | None]:
    """Copy notebooks, with these parameters in them, but never over a user's edits.

    Returns
    -------
    dict
        Each copy, in order; with the original that it is not like, where the
        user's own version stayed.
    """
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise InputError(f"No notebooks in {str(source)!r}. Name their folder with --notebooks.")
    folder.mkdir(parents=True, exist_ok=True)
    copies: dict[Path, Path | None] = {}
    for notebook in notebooks:
        copy = folder / notebook.name
        kept = copy.exists() and copy.read_bytes() != notebook.read_bytes()
        if not kept:
            shutil.copyfile(notebook, copy)
        if parameters:
            _inject(copy, parameters, forget_outputs=not kept)
        copies[copy] = notebook if kept else None
    return copies


def _inject(path: Path, parameters: Mapping[str, Any], *, forget_outputs: bool) -> None:
    """Put a cell that sets parameters after the one that is tagged so, as papermill does."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if not _tagged(cell, "injected-parameters")]
    after = [place for place, cell in enumerate(cells, 1) if _tagged(cell, "parameters")]
    if not after:
        raise InputError(f"{path} has no cell tagged 'parameters' to set {', '.join(parameters)}.")
    lines = ["# From the command line", *(f"{name} = {parameters[name]!r}" for name in parameters)]
    injected = {
        "cell_type": "code",
        "execution_count": None,
        "id": "injected-parameters",
        "metadata": {"tags": ["injected-parameters"]},
        "outputs": [],
        "source": "\n".join(lines).splitlines(keepends=True),
    }
    cells.insert(after[0], injected)
    for cell in cells if forget_outputs else ():
        if cell["cell_type"] == "code":  # they show what other parameters gave
            cell.update(execution_count=None, outputs=[])
    _write_whole(path, json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False))


def _tagged(cell: Mapping[str, Any], tag: str) -> bool:
    return tag in cell["metadata"].get("tags", ())


def _write_whole(path: Path, text: str) -> None:
    """Replace a file by another: at no moment is half of it there."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)


# --- the two programs -----------------------------------------------------------------


def lab(folder: Path, notebook: str, port: int | None) -> Server:
    """Return JupyterLab on a folder, opened at a notebook in it."""
    chosen, token = _free_port(port, LAB_PORT), secrets.token_urlsafe(24)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={chosen}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/",  # whatever the user's own configuration says
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return Server(
        "JupyterLab",
        command,
        {"JUPYTER_TOKEN": token, **_configured(folder / ".jupyter", "labconfig/page_config", news)},
        f"http://{HOST}:{chosen}/lab/tree/{notebook}?token={token}",
        chosen,
        token,
        None if port else lambda: lab(folder, notebook, port),
    )


@contextmanager
def dashboard(
    notebooks: Path, parameters: Mapping[str, Any], port: int | None, theme: str
) -> Iterator[Server]:
    """Give Voila on a copy of the dashboard with these parameters; remove the copy afterwards."""
    original = notebooks / DASHBOARD
    if not original.is_file():
        raise InputError(f"No {DASHBOARD} in {str(notebooks)!r}. Name its folder with --notebooks.")
    with tempfile.TemporaryDirectory(prefix="fastlaunch_nb-") as folder:
        copy = Path(shutil.copy(original, folder))
        _inject(copy, parameters, forget_outputs=True)
        yield _voila(copy, port, theme)


def _voila(notebook: Path, port: int | None, theme: str) -> Server:
    """Return Voila on a notebook."""
    chosen, token = _free_port(port, DASHBOARD_PORT), secrets.token_urlsafe(24)
    command = [
        *(sys.executable, "-m", "voila", str(notebook), "--no-browser"),
        f"--Voila.ip={HOST}",
        f"--port={chosen}",
        "--Voila.port_retries=0",  # or it would be elsewhere than its address says
        "--Voila.base_url=/",
        "--Voila.log_level=WARN",
        f"--theme={theme}",
    ]
    return Server(
        "Voila",
        command,
        _configured(notebook.parent, "voila", {"Voila": {"token": token}}),
        f"http://{HOST}:{chosen}/?token={token}",
        chosen,
        token,
        None if port else lambda: _voila(notebook, port, theme),
    )


def _configured(folder: Path, name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Write a configuration of Jupyter's; return the variable that leads to it first."""
    file = (folder.resolve() / name).with_suffix(".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings), encoding="utf-8")
    paths = [str(folder.resolve()), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def _free_port(asked: int | None, usual: int) -> int:
    """Return a port that is free at this moment."""
    for port in [asked] if asked is not None else range(usual, usual + 100):
        try:
            with socket.create_server((HOST, port)) as listener:
                return int(listener.getsockname()[1])
        except (OSError, OverflowError) as error:
            reason = error
    raise InputError(f"port {asked or usual} can not be used ({reason}). Name another.")


def _is_free(port: int) -> bool:
    """Tell whether a program could listen there."""
    try:
        return _free_port(port, port) == port
    except InputError:
        return False


# --- from start to end ----------------------------------------------------------------


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, a polite kill and a closed terminal set, to end cleanly."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)  # ignored means nohup: to go on is what was asked
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run(server: Server, stopped: threading.Event, ready: Callable[[str], None]) -> None:
    """Run a server until `stopped` is set; call `ready` with its address once it answers.

    Where another program came to its port while it started, it starts again elsewhere.
    """
    process = subprocess.Popen(  # noqa: S603  our own interpreter, with arguments of ours
        server.command,
        env={**os.environ, **server.variables},
        stdout=sys.stderr,
        start_new_session=True,
    )
    try:
        if answers := _answers(server, process, stopped):
            ready(server.address)
        elif process.poll() is None and not stopped.is_set():
            raise FastLaunchError(f"{server.name} did not answer in {PATIENCE} s.")
        while process.poll() is None and not stopped.wait(0.2):
            pass
    finally:
        _end(process)
    if stopped.is_set():
        return
    if answers or server.elsewhere is None or _is_free(server.port):
        raise FastLaunchError(f"{server.name} ended by itself with exit code {process.returncode}.")
    run(server.elsewhere(), stopped, ready)


def _answers(server: Server, process: subprocess.Popen[bytes], stopped: threading.Event) -> bool:
    """Wait until it answers, and not a Jupyter that came to its port before it.

    One that does not know our token shows its login. So may ours, if a user's configuration
    has another login: then the process stays, and in the end that will do.
    """
    deadline, strangers = time.monotonic() + PATIENCE, 0
    while process.poll() is None and not stopped.wait(0.2) and time.monotonic() < deadline:
        status = _login(server)
        strangers += status == HTTPStatus.OK
        if status not in (None, HTTPStatus.OK) or strangers > _DOUBTS:
            return True
    return False


def _login(server: Server) -> int | None:
    """Return the status of the answer to who logs in at its port; None if there is none."""
    url, login = f"http://{HOST}:{server.port}/login", {"Authorization": f"token {server.token}"}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with direct.open(urllib.request.Request(url, headers=login), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, HTTPException):
        return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Has an answer that sends us elsewhere come to us as it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Go nowhere."""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
