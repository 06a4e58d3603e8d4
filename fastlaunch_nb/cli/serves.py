"""The commands that serve until Ctrl-C: lab, serve and demo."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import webbrowser
from collections.abc import Callable
from contextlib import nullcontext

from fastlaunch_nb import servers
from fastlaunch_nb.cli.endings import say
from fastlaunch_nb.cli.reads import asked
from fastlaunch_nb.cli.words import FAULT_SWITCHES, FAULTS
from fastlaunch_nb.demo import Demo, demo, need_extra
from fastlaunch_nb.errors import InputError


def open_lab(options: argparse.Namespace) -> None:
    """Open JupyterLab on a copy of the notebooks."""
    servers.need_extra()
    reading = asked(options, usual=None)
    copies = servers.copy_notebooks(options.notebooks, options.folder, reading.parameters())
    for copy, original in copies.items():
        if original:
            say(f"Keeping your {copy}; delete it to get a fresh copy of {original}.")
    lab = servers.lab(options.folder, next(iter(copies)).name, options.port)
    behind = demo() if reading.profile is None else nullcontext()
    with servers.stop_signals() as stopped, behind as running:
        if running:  # every terminal and kernel of JupyterLab finds it
            say(f"{running!r} behind it.")
        servers.run(lab, stopped, _announced(options))
    say("Stopped.")


def serve_dashboard(options: argparse.Namespace) -> None:
    """Serve the dashboard."""
    servers.need_extra()
    if options.demo:  # the notebook's kernel starts it, where nobody would see that it can not
        need_extra()
    parameters = asked(options, usual="").parameters()
    dashboard = servers.dashboard(options.notebooks, parameters, options.port, options.theme)
    with servers.stop_signals() as stopped, dashboard as server:
        servers.run(server, stopped, _announced(options))
    say("Stopped.")


def _announced(options: argparse.Namespace) -> Callable[[str], None]:
    """Return what to do with the address of a server that answers."""

    def announce(address: str) -> None:
        print(address, flush=True)
        say("Ctrl-C stops it.")
        if not options.no_browser and _has_display():
            webbrowser.open(address)

    return announce


def _has_display() -> bool:
    """Tell a desktop from a terminal, where a text browser would take the screen over."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def serve_demo(options: argparse.Namespace) -> None:
    """Serve the embedded EC2."""
    known = {*FAULTS, *FAULT_SWITCHES, "unauthorized", "seed"}
    faults = {name: value for name, value in vars(options).items() if name in known}
    where = {"port": options.port, "host": options.host}
    with servers.stop_signals() as stopped, demo(options.seed, **where, faults=faults) as running:
        _set_speed(running, options.speed)
        print(_UNSET)
        for name, value in running.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        say(f"{running!r} at {running.endpoint_url}; Ctrl-C stops it.")
        stopped.wait()
    say("Stopped.")


def _set_speed(running: Demo, speed: float) -> None:
    try:
        running.clock.run(speed)
    except ValueError as error:
        raise InputError(str(error)) from None


# What a shell may have set already could lead elsewhere, or be sent as credentials.
_UNSET = r"unset $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p') no_proxy"
