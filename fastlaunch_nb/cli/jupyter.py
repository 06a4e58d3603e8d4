"""JupyterLab and Voila on this machine: the notebooks they show, how they start and end.

Each is a program of its own, in a session of its own: Ctrl-C comes to us, and
we end it. They listen on loopback only, and ask for a token that neither the
list of processes nor a log shows: it is in a configuration file that only the
user can read, in a private folder that is removed at the end. Each program runs
in that folder, so it takes no configuration from the folder it is started in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
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
from collections.abc import Callable, Iterable, Iterator, Mapping
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
_PACKAGE = Path(__file__).parent.parent
NOTEBOOKS = next(  # where pip put them, or beside the package in a checkout
    (
        folder
        for folder in (_PACKAGE / "notebooks", _PACKAGE.parent / "notebooks")
        if folder.is_dir()
    ),
    Path("notebooks"),
)


class Server(NamedTuple):
    """A program that serves pages, and where it will answer."""

    name: str
    command: list[str]
    folder: Path  # where it runs: private, with its configuration, and removed afterwards
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

DEMO_FOLDER, OWN_FOLDER = "demo", "own-account"
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RESERVED = {  # the last ones by Windows, which opens a device for each of them
    *(DEMO_FOLDER, OWN_FOLDER, "con", "prn", "aux", "nul"),
    *(f"{device}{number}" for device in ("com", "lpt") for number in range(10)),
}


def folder_name(profile: str | None) -> str:
    """Return the name of the folder for a profile's notebooks: safe on every system, and its own.

    A name in lower case stays as it is. Any other is simplified, and a hash of it
    tells it apart from its neighbours: ``Team`` and ``team`` are two profiles.

    Examples
    --------
    >>> folder_name(None), folder_name(""), folder_name("build-farm")
    ('demo', 'own-account', 'build-farm')
    >>> folder_name("a/b")
    'a-b-c14cddc0'
    """
    if not profile:
        return DEMO_FOLDER if profile is None else OWN_FOLDER
    if _PLAIN_NAME.fullmatch(profile) and profile not in _RESERVED:
        return profile
    plain = re.sub(r"[^a-z0-9]+", "-", profile.lower()).strip("-")[:31].strip("-")
    digest = hashlib.sha256(profile.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain or 'profile'}-{digest}"


def copy_notebooks(source: Path, folder: Path, parameters: Mapping[str, Any]) -> dict[Path, bool]:
    """Copy notebooks, with these parameters in them, but never over a user's edits.

    Returns
    -------
    dict
        Each copy, in order, and whether it is the user's own version that stayed.
    """
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise InputError(f"No notebooks in {str(source)!r}. Name their folder with --notebooks.")
    folder.mkdir(parents=True, exist_ok=True)
    return {
        folder / notebook.name: _copy(notebook, folder / notebook.name, parameters)
        for notebook in notebooks
    }


def _copy(notebook: Path, copy: Path, parameters: Mapping[str, Any]) -> bool:
    """Copy one notebook, or keep the user's version; either has these parameters and no other."""
    kept = copy.exists() and not _is_unedited(copy, notebook)
    if not kept:
        shutil.copyfile(notebook, copy)
    if parameters or (kept and "injected-parameters" in copy.read_text(encoding="utf-8")):
        _inject(copy, parameters, forget_outputs=not kept)
    return kept


def _is_unedited(copy: Path, notebook: Path) -> bool:
    """Tell a copy that is as it was made, with parameters or without, from one with edits."""
    original = _read(notebook)
    try:
        cells = _read(copy)
    except InputError:
        return False
    as_made = [cell for cell in cells["cells"] if not _tagged(cell, "injected-parameters")]
    if len(as_made) < len(cells["cells"]):
        _forget_outputs(original["cells"])
    return {**cells, "cells": as_made} == original


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["cell_type"], cell["metadata"]
    except (ValueError, LookupError, TypeError):
        raise InputError(f"{path} is not a notebook. Delete it to get a fresh copy.") from None
    return notebook


def _inject(path: Path, parameters: Mapping[str, Any], *, forget_outputs: bool) -> None:
    """Put a cell that sets parameters after the one that is tagged so, as papermill does.

    It replaces the one that an earlier start has put there; without parameters there is none.
    """
    notebook = _read(path)
    cells = [cell for cell in notebook["cells"] if not _tagged(cell, "injected-parameters")]
    after = [place for place, cell in enumerate(cells, 1) if _tagged(cell, "parameters")]
    if parameters and not after:
        raise InputError(f"{path} has no cell tagged 'parameters' to set {', '.join(parameters)}.")
    if parameters:
        cells.insert(after[0], _parameters_cell(parameters))
    if forget_outputs:
        _forget_outputs(cells)
    _write_whole(path, json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False))


def _parameters_cell(parameters: Mapping[str, Any]) -> dict[str, Any]:
    lines = ["# From the command line", *(f"{name} = {parameters[name]!r}" for name in parameters)]
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "injected-parameters",
        "metadata": {"tags": ["injected-parameters"]},
        "outputs": [],
        "source": "\n".join(lines).splitlines(keepends=True),
    }


def _forget_outputs(cells: Iterable[dict[str, Any]]) -> None:
    """Remove outputs, in place: they show what other parameters gave."""
    for cell in cells:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])


def _tagged(cell: Mapping[str, Any], tag: str) -> bool:
    return tag in cell["metadata"].get("tags", ())


def _write_whole(path: Path, text: str) -> None:
    """Replace a file by another: at no moment is half of it there."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)


# --- the two programs -----------------------------------------------------------------


@contextmanager
def lab(folder: Path, notebook: str, port: int | None) -> Iterator[Server]:
    """Give JupyterLab on a folder, opened at a notebook in it."""
    with _private_folder() as private:
        yield _jupyterlab(private, folder, notebook, port)


def _jupyterlab(private: Path, folder: Path, notebook: str, port: int | None) -> Server:
    """Return JupyterLab, with its configuration in a private folder."""
    chosen, token = _free_port(port, LAB_PORT), secrets.token_urlsafe(24)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={chosen}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/",  # whatever the user's own configuration says
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        "--ServerApp.log_level=ERROR",  # its warnings are about its own settings
        "--LabApp.log_level=ERROR",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    _configure(private, "jupyter_server_config", _with_token(token))
    _configure(private, "labconfig/page_config", {"disabledExtensions": {_NEWS: True}})
    return Server(
        "JupyterLab",
        command,
        private,
        f"http://{HOST}:{chosen}/lab/tree/{notebook}?token={token}",
        chosen,
        token,
        None if port else lambda: _jupyterlab(private, folder, notebook, port),
    )


_NEWS = "@jupyterlab/apputils-extension:announcements"


def _with_token(token: str) -> dict[str, Any]:
    """Return the configuration of JupyterLab's server, which asks for a token.

    notebook_shim serves extensions of Notebook 6 only. It reads each setting of the
    server, old ones too, and users see the warnings that this gives.
    """
    return {
        "IdentityProvider": {"token": token},
        "ServerApp": {"jpserver_extensions": {"notebook_shim": False}},
        **_encryption(),
    }


def _encryption() -> dict[str, Any]:
    """Return the configuration of kernels that encrypt what they send, where this Jupyter can.

    Without it, each kernel that starts warns of other users on this machine.
    """
    import zmq
    from jupyter_client.manager import KernelManager

    able = hasattr(KernelManager, "transport_encryption") and zmq.has("curve")
    return {"KernelManager": {"transport_encryption": "auto"}} if able else {}


@contextmanager
def dashboard(
    notebooks: Path, parameters: Mapping[str, Any], port: int | None, theme: str
) -> Iterator[Server]:
    """Give Voila on a copy of the dashboard with these parameters; remove the copy afterwards."""
    original = notebooks / DASHBOARD
    if not original.is_file():
        raise InputError(f"No {DASHBOARD} in {str(notebooks)!r}. Name its folder with --notebooks.")
    with _private_folder() as private:
        copy = Path(shutil.copy(original, private))
        _inject(copy, parameters, forget_outputs=True)
        yield _voila(private, copy, port, theme)


def _voila(private: Path, notebook: Path, port: int | None, theme: str) -> Server:
    """Return Voila on a notebook, with its configuration in a private folder."""
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
    _configure(private, "voila", {"Voila": {"token": token}})
    return Server(
        "Voila",
        command,
        private,
        f"http://{HOST}:{chosen}/?token={token}",
        chosen,
        token,
        None if port else lambda: _voila(private, notebook, port, theme),
    )


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Give a folder that only the user can look into; remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="fastlaunch_nb-") as folder:
        yield Path(folder).resolve()


def _configure(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Write a configuration file of Jupyter's that only the user can read."""
    file = (folder / name).with_suffix(".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(settings), encoding="utf-8")


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
    usual = filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])
    process = subprocess.Popen(  # noqa: S603  our own interpreter, with arguments of ours
        server.command,
        cwd=server.folder,
        env={**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join([str(server.folder), *usual])},
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
