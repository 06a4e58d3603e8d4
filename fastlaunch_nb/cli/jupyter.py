"""The processes of JupyterLab and Voila on this machine, from start to end.

Each process has a session of its own, so Ctrl-C reaches only us, and we stop the process; if we
are killed, it ends by itself. It listens only on loopback and requires a token. The token
appears neither in the list of processes nor in a log: it is in a configuration file that only
the user can read, in a private folder that is removed at the end. The process runs in that
folder, so it reads no configuration from the folder in which the command was started.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from html import escape
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from fastlaunch_nb.cli.notebook_copies import copy_dashboard
from fastlaunch_nb.errors import FastLaunchError, InputError, MissingExtraError
from fastlaunch_nb.whole_files import SHARED_FOLDER

HOST = "127.0.0.1"
LAB_PORT, DASHBOARD_PORT = 8888, 8866
START_TIMEOUT = 120  # seconds
_RUN = (sys.executable, "-P", str(Path(__file__).with_name("end_with_parent.py")))
CULL_AFTER, CULL_INTERVAL = 300, 60  # seconds without a page, before Voila ends a kernel
_OWN_SOURCES = (  # Voila's template loads icons from a CDN, but Voila has them itself
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'self'"
)
_REDIRECT = """<!doctype html>
<meta charset="utf-8"><meta http-equiv="refresh" content="0;url={0}">
<title>Opening …</title><p><a href="{0}">Continue</a></p>
"""
_MAX_LOGIN_PAGES = 50  # 0.2 s apart, before a server that rejects our token is taken for ours


class Server(NamedTuple):
    """A server that can be started, and its address."""

    name: str
    command: list[str]
    folder: Path  # its working directory: private, with its configuration
    address: str  # with the token
    port: int
    token: str
    on_another_port: Callable[[], Server] | None  # None if the user chose the port
    environment: Mapping[str, str] = {}

    def write_redirect(self) -> str:
        """Write a page that leads to the address; return its URL, which has no token.

        Other users see the command line of a browser, but cannot read the page.
        """
        page = _write_private_file(
            self.folder / "open.html", _REDIRECT.format(escape(self.address))
        )
        return page.as_uri()


def require_extra() -> None:
    """Raise MissingExtraError if JupyterLab or Voila is not installed."""
    for module, name in (("jupyterlab", "JupyterLab"), ("voila", "Voila")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError("lab", name)


# --- servers --------------------------------------------------------------------------


@contextmanager
def prepare_lab(folder: Path, notebook: str, port: int | None) -> Iterator[Server]:
    """Yield JupyterLab on a folder, with the address of a notebook in it."""
    with _private_folder() as private:
        yield _configure_lab(private, folder, notebook, port)


def _configure_lab(private: Path, folder: Path, notebook: str, port: int | None) -> Server:
    """Return JupyterLab, with its configuration in a private folder."""
    free_port, token = _find_free_port(port, LAB_PORT), secrets.token_urlsafe(24)
    command = [
        *(*_RUN, "jupyterlab", "--no-browser"),
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={free_port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/",  # this and the next two override the user's configuration
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        "--ServerApp.log_level=ERROR",  # its warnings are about its own settings
        "--LabApp.log_level=ERROR",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    _write_configuration(private, "jupyter_server_config", _make_server_configuration(token))
    news = "@jupyterlab/apputils-extension:announcements"
    _write_configuration(private, "labconfig/page_config", {"disabledExtensions": {news: True}})
    address = f"http://{HOST}:{free_port}/lab/tree/{notebook}?token={token}"
    retry = None if port else lambda: _configure_lab(private, folder, notebook, port)
    return Server("JupyterLab", command, private, address, free_port, token, retry)


def _make_server_configuration(token: str) -> dict[str, Any]:
    """Return the configuration of JupyterLab's server, which requires a token.

    It disables notebook_shim, which serves extensions of Notebook 6 only and shows users the
    warnings of deprecated settings. It encrypts the connections to kernels if this Jupyter can:
    otherwise every kernel that starts warns of other users on this machine.
    """
    import zmq
    from jupyter_client.manager import KernelManager

    can_encrypt = hasattr(KernelManager, "transport_encryption") and zmq.has("curve")
    encryption = {"KernelManager": {"transport_encryption": "auto"}} if can_encrypt else {}
    return {
        "IdentityProvider": {"token": token},
        "ServerApp": {"jpserver_extensions": {"notebook_shim": False}},
        **encryption,
    }


@contextmanager
def prepare_dashboard(
    notebooks: Path, parameters: Mapping[str, Any], port: int | None, theme: str
) -> Iterator[Server]:
    """Yield Voila on a copy of the dashboard with these parameters; remove the copy afterwards."""
    with _private_folder() as private:
        copy = copy_dashboard(notebooks, private, parameters)
        yield _configure_voila(private, copy, port, theme)


def _configure_voila(private: Path, notebook: Path, port: int | None, theme: str) -> Server:
    """Return Voila on a notebook, with its configuration in a private folder."""
    free_port, token = _find_free_port(port, DASHBOARD_PORT), secrets.token_urlsafe(24)
    command = [
        *(*_RUN, "voila", str(notebook), "--no-browser"),
        f"--Voila.ip={HOST}",
        f"--port={free_port}",
        "--Voila.port_retries=0",  # otherwise its address could differ from ours
        "--Voila.base_url=/",
        "--Voila.log_level=WARN",
        f"--theme={theme}",
    ]
    headers = {"Content-Security-Policy": _OWN_SOURCES}
    settings = {
        "Voila": {"token": token, "tornado_settings": {"headers": headers}},
        "MappingKernelManager": {"cull_idle_timeout": CULL_AFTER, "cull_interval": CULL_INTERVAL},
    }
    _write_configuration(private, "voila", settings)
    address = f"http://{HOST}:{free_port}/?token={token}"
    retry = None if port else lambda: _configure_voila(private, notebook, port, theme)
    shared = {SHARED_FOLDER: str(private)}
    return Server("Voila", command, private, address, free_port, token, retry, shared)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Yield a folder that only the user can read; remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="fastlaunch_nb-") as folder:
        yield Path(folder).resolve()


def _write_configuration(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Write a configuration file of Jupyter that only the user can read."""
    _write_private_file((folder / name).with_suffix(".json"), json.dumps(settings))


def _write_private_file(file: Path, content: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(content, encoding="utf-8")
    return file


def _find_free_port(chosen: int | None, default: int) -> int:
    """Return the chosen port, or the first one from the default on that is free."""
    for port in [chosen] if chosen is not None else range(default, default + 100):
        try:
            with socket.create_server((HOST, port)) as listener:
                return int(listener.getsockname()[1])
        except (OSError, OverflowError) as error:
            reason = error
    raise InputError(
        f"port {chosen or default} cannot be used ({reason}). Choose another with --port."
    )


# --- processes ------------------------------------------------------------------------


class StopFlag:
    """A flag that signals set and a server waits for.

    An Event would not do: if a signal sets it just when the main thread begins to wait for
    it, the handler waits forever for a lock that the same thread holds. And on Windows,
    Ctrl-C does not end a wait for a lock.
    """

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """Set the flag."""
        self.is_set = True

    def wait(self, timeout: float = math.inf) -> bool:
        """Wait until the flag is set, at most `timeout` seconds; return whether it is set."""
        end = time.monotonic() + timeout
        while not self.is_set and (remaining := end - time.monotonic()) > 0:
            time.sleep(min(remaining, 0.2))
        return self.is_set


@contextmanager
def catch_stop_signals() -> Iterator[StopFlag]:
    """Yield a flag that Ctrl-C, SIGTERM and a closed terminal set, for a clean end."""
    stopped = StopFlag()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)  # nohup ignores it, so that the server continues
    previous = {number: signal.signal(number, lambda *_: stopped.set()) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run_server(server: Server, stopped: StopFlag, announce: Callable[[Server], None]) -> None:
    """Run a server until `stopped` is set; call `announce` with it once it answers.

    If another program takes its port while it starts, it starts again on another port.
    """
    paths = filter(None, [str(server.folder), os.environ.get("JUPYTER_CONFIG_PATH")])
    process = subprocess.Popen(  # noqa: S603  our own interpreter, with our own arguments
        server.command,
        cwd=server.folder,
        env={**os.environ, **server.environment, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,  # closed by the system if this process is killed
        stdout=sys.stderr,
        start_new_session=True,
    )
    try:
        if answers := _wait_for_answer(server, process, stopped):
            announce(server)
        elif process.poll() is None and not stopped.is_set:
            raise FastLaunchError(f"{server.name} did not answer within {START_TIMEOUT} s.")
        while process.poll() is None and not stopped.wait(0.2):
            pass
    finally:
        _stop_process(process)
    if stopped.is_set:
        return
    if answers or server.on_another_port is None or _is_free(server.port):
        code = process.returncode
        raise FastLaunchError(f"{server.name} ended unexpectedly with exit code {code}.")
    run_server(server.on_another_port(), stopped, announce)


def _is_free(port: int) -> bool:
    with suppress(InputError):
        return _find_free_port(port, port) == port
    return False


def _wait_for_answer(server: Server, process: subprocess.Popen[bytes], stopped: StopFlag) -> bool:
    """Wait until the server answers; return False if it ends, is stopped or takes too long.

    Another Jupyter that took its port first does not know our token and shows its login page.
    So may our own server, if a user's configuration has another login. But our process ends
    if its port is taken, so if it is still running after many login pages, they are its own.
    """
    deadline, login_pages = time.monotonic() + START_TIMEOUT, 0
    while process.poll() is None and not stopped.wait(0.2) and time.monotonic() < deadline:
        status = _request_login(server)
        login_pages += status == HTTPStatus.OK
        if status not in (None, HTTPStatus.OK) or login_pages > _MAX_LOGIN_PAGES:
            return True
    return False


def _request_login(server: Server) -> int | None:
    """Log in at the server's port; return the status of the answer, or None if there is none."""
    try:
        with closing(HTTPConnection(HOST, server.port, timeout=5)) as connection:
            connection.request("GET", "/login", headers={"Authorization": f"token {server.token}"})
            return connection.getresponse().status
    except (OSError, HTTPException):
        return None


def _stop_process(process: subprocess.Popen[bytes]) -> None:
    with process:  # closes the pipe
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
