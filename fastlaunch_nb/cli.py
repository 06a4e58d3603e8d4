"""The command line: parse, call, print; nothing else.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 it could
not be done, 2 it was asked wrongly.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from fastlaunch_nb import __version__
from fastlaunch_nb.demo import demo
from fastlaunch_nb.errors import FastLaunchError, InputError, MissingExtraError

HOST = "127.0.0.1"
LAB_PORT = 8888
PATIENCE = 120  # seconds that JupyterLab may take to answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except FastLaunchError as error:
        print(f"fastlaunch-nb: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastlaunch-nb", description="EC2 Fast Launch in Jupyter.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_lab(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "demo",
        help="serve the embedded EC2 with the demo fleet to any AWS client",
        description="Serve the embedded EC2 with the demo fleet on this machine until Ctrl-C. "
        "Prints the variables that point an AWS client at it.",
        epilog="example:\n  fastlaunch-nb demo --port 5001 > demo.env &\n"
        "  until grep -sq no_proxy= demo.env; do sleep 1; done; . ./demo.env\n"
        "  aws ec2 describe-fast-launch-images",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--port", type=int, default=0, help="default: a free one")
    command.add_argument("--seed", type=int, default=0, help="which fleet (default: %(default)s)")
    command.set_defaults(command=_demo)


def _add_lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "lab",
        help="open JupyterLab on a copy of the notebooks, with the demo fleet behind it",
        description="Start the embedded EC2 and JupyterLab on a copy of the notebooks, on this "
        "machine, until Ctrl-C. No AWS credentials are needed.",
        epilog="example:\n  fastlaunch-nb lab --port 8890 --no-browser",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--port", type=int, help=f"default: {LAB_PORT}, or the next one that is free"
    )
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.add_argument(
        "--notebooks",
        type=Path,
        default=Path("notebooks"),
        help="the notebooks to copy (default: %(default)s)",
    )
    command.add_argument(
        "--folder", type=Path, default=Path("lab"), help="where to (default: %(default)s)"
    )
    command.set_defaults(command=_lab)


# --- demo -----------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> None:
    with _stop_signals() as stopped, demo(options.seed, port=options.port) as running:
        print(_UNSET)
        for name, value in running.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        _say(f"{running!r} at {running.endpoint_url}; Ctrl-C stops it.")
        stopped.wait()
    _say("Stopped.")


# What a shell may have set already could lead elsewhere, or be sent as credentials.
_UNSET = r"unset $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p') no_proxy"


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- lab ------------------------------------------------------------------------------


def _lab(options: argparse.Namespace) -> None:
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError("lab", "JupyterLab")
    first = _copy_notebooks(options.notebooks, options.folder)
    port = _free_port(options.port)
    token = secrets.token_urlsafe(24)
    with _stop_signals() as stopped, demo() as running:
        _say(f"{running!r} behind it.")
        lab = _start_lab(options.folder, port, token)
        try:
            if _wait_until_up(f"http://{HOST}:{port}/api?token={token}", lab, stopped):
                address = f"http://{HOST}:{port}/lab/tree/{first}?token={token}"
                print(address, flush=True)
                _say("Ctrl-C stops it.")
                if not options.no_browser and _has_display():
                    webbrowser.open(address)
            elif lab.poll() is None and not stopped.is_set():
                raise FastLaunchError(f"JupyterLab did not answer in {PATIENCE} s.")
            while lab.poll() is None and not stopped.wait(0.2):
                pass
        finally:
            _end(lab)
    if not stopped.is_set():
        raise FastLaunchError(f"JupyterLab ended by itself with exit code {lab.returncode}.")
    _say("Stopped.")


def _copy_notebooks(source: Path, folder: Path) -> str:
    """Copy notebooks that are not there yet; a user's edits stay. Return the first one's name."""
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise InputError(f"No notebooks in {str(source)!r}. Name their folder with --notebooks.")
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in notebooks:
        copy = folder / notebook.name
        if not copy.exists():
            shutil.copyfile(notebook, copy)
        elif copy.read_bytes() != notebook.read_bytes():
            _say(f"Keeping your {copy}; delete it to get a fresh copy of {notebook}.")
    return notebooks[0].name


def _free_port(asked: int | None) -> int:
    for port in [asked] if asked is not None else range(LAB_PORT, LAB_PORT + 100):
        try:
            with socket.create_server((HOST, port)) as listener:
                return int(listener.getsockname()[1])
        except (OSError, OverflowError) as error:
            reason = error
    raise InputError(f"port {asked or LAB_PORT} can not be used ({reason}). Name another.")


def _start_lab(folder: Path, port: int, token: str) -> subprocess.Popen[bytes]:
    """Start JupyterLab in a session of its own: Ctrl-C comes to us, and we end it."""
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/",  # whatever the user's own configuration says
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    environment = {**os.environ, "JUPYTER_TOKEN": token, **_without_news(folder)}
    return subprocess.Popen(  # noqa: S603  our own interpreter, with arguments of ours
        command, env=environment, stdout=sys.stderr, start_new_session=True
    )


def _without_news(folder: Path) -> dict[str, str]:
    """Return the variables that lead JupyterLab to a setting of ours: do not ask about news."""
    config = folder.resolve() / ".jupyter"
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig").mkdir(parents=True, exist_ok=True)
    (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled))
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def _wait_until_up(url: str, process: subprocess.Popen[bytes], stopped: threading.Event) -> bool:
    deadline = time.monotonic() + PATIENCE
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and not stopped.wait(0.2) and time.monotonic() < deadline:
        try:
            with direct.open(url, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            continue
    return False


def _has_display() -> bool:
    """Tell a desktop from a terminal, where a text browser would take the screen over."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
