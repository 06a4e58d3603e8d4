"""The commands that serve until Ctrl-C: lab, serve and demo."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import webbrowser
from collections.abc import Callable, Collection
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from fastlaunch_nb.cli import jupyter
from fastlaunch_nb.cli.exit_codes import say
from fastlaunch_nb.cli.parser import FAULT_SWITCHES, FAULTS
from fastlaunch_nb.errors import InputError

if TYPE_CHECKING:
    from fastlaunch_nb.cli.read_commands import ReadOptions
    from fastlaunch_nb.demo_fleet.demo import Demo


def open_lab(options: argparse.Namespace) -> None:
    """Open JupyterLab on a copy of the notebooks."""
    jupyter.need_extra()
    say("Starting JupyterLab ...")  # before what takes its time to load
    from fastlaunch_nb.cli.read_commands import read_options
    from fastlaunch_nb.demo_fleet.demo import demo

    reading = read_options(options, usual=None)
    folder = options.folder / jupyter.folder_name(reading.profile)
    copies = jupyter.copy_notebooks(options.notebooks, folder, reading.parameters())
    _tell_kept([copy for copy, kept in copies.items() if kept], folder)
    lab = jupyter.lab(folder, next(iter(copies)).name, options.port)
    behind = demo() if reading.profile is None else nullcontext()
    with jupyter.stop_signals() as stopped, behind as running, lab as server:
        what = _fleet(running) if running else _account(reading)
        jupyter.run(server, stopped, _announced(options, what))
    say("Stopped.")


def serve_dashboard(options: argparse.Namespace) -> None:
    """Serve the dashboard."""
    jupyter.need_extra()
    say("Starting the dashboard ...")
    from fastlaunch_nb.cli.read_commands import read_options
    from fastlaunch_nb.demo_fleet.demo import need_extra

    if options.demo:  # the notebook's kernel starts it, where nobody would see that it cannot
        need_extra()
    reading = read_options(options, usual="")
    parameters = reading.parameters()
    dashboard = jupyter.dashboard(options.notebooks, parameters, options.port, options.theme)
    with jupyter.stop_signals() as stopped, dashboard as server:
        jupyter.run(server, stopped, _announced(options, _account(reading)))
    say("Stopped.")


def _tell_kept(kept: Collection[Path], folder: Path) -> None:
    """Say in one line how many notebooks of the user's stayed as they are."""
    if kept:
        which, one = ("notebook", "it") if len(kept) == 1 else ("notebooks", "one")
        say(f"Kept your {len(kept)} {which} in {folder}; delete {one} to get a fresh copy.")


def _fleet(running: Demo) -> str:
    """Describe a running demo in a line."""
    accounts, regions = len(running.accounts), len(running.regions)
    return f"Demo fleet: {running.images} images in {accounts} accounts and {regions} regions"


def _account(reading: ReadOptions) -> str:
    """Describe in a line what is to be read."""
    if reading.profile is None:
        return "Demo fleet"
    whose = f"Profile {reading.profile}" if reading.profile else "Your own account"
    regions = reading.regions or []
    return f"{whose}: {'region' if len(regions) == 1 else 'regions'} {', '.join(regions)}"


def _announced(options: argparse.Namespace, what: str) -> Callable[[str], None]:
    """Return what to do with the address of a server that answers."""

    def announce(address: str) -> None:
        say(what)
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
    from fastlaunch_nb.demo_fleet.demo import demo

    known = {*FAULTS, *FAULT_SWITCHES, "unauthorized", "seed"}
    faults = {name: value for name, value in vars(options).items() if name in known}
    where = {"port": options.port, "host": options.host}
    with jupyter.stop_signals() as stopped, demo(options.seed, **where, faults=faults) as running:
        _set_speed(running, options.speed)
        print(_UNSET)
        for name, value in running.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        say(f"{_fleet(running)} at {running.endpoint_url}; Ctrl-C stops it.")
        stopped.wait()
    say("Stopped.")


def _set_speed(running: Demo, speed: float) -> None:
    try:
        running.clock.run(speed)
    except ValueError as error:
        raise InputError(str(error)) from None


# What a shell may have set already could lead elsewhere, or be sent as credentials.
_UNSET = r"unset $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p') no_proxy"
