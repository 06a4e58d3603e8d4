"""Commands that serve until Ctrl-C: lab, serve and demo."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import webbrowser
from contextlib import nullcontext
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

from fastlaunch_nb.cli import jupyter, notebook_copies
from fastlaunch_nb.cli.exit_codes import print_status
from fastlaunch_nb.cli.parser import FAULTS
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.shells import format_environment, get_native_format

if TYPE_CHECKING:
    from fastlaunch_nb.cli.read_commands import ReadOptions
    from fastlaunch_nb.demo_fleet.demo import Demo


def open_lab(options: argparse.Namespace) -> None:
    """Open JupyterLab on a copy of the notebooks."""
    jupyter.require_extra()
    print_status("Starting JupyterLab ...")  # before the imports that take seconds
    from fastlaunch_nb.cli.read_commands import parse_read_options
    from fastlaunch_nb.demo_fleet.demo import demo

    source = parse_read_options(options, default_profile=None)
    folder = options.folder / notebook_copies.make_folder_name(source.profile)
    copies = notebook_copies.copy_notebooks(options.notebooks, folder, source.parameters())
    if edited := sum(copies.values()):
        noun, verb, one = ("notebook", "is", "it") if edited == 1 else ("notebooks", "are", "one")
        print_status(
            f"{edited} edited {noun} in {folder} {verb} unchanged; delete {one} to get a new copy."
        )
    lab = jupyter.prepare_lab(folder, next(iter(copies)).name, options.port)
    fleet = demo() if source.profile is None else nullcontext()
    with jupyter.catch_stop_signals() as stopped, fleet as running, lab as server:
        title = _describe_fleet(running) if running else _describe_account(source)
        jupyter.run_server(server, stopped, partial(_announce, options, title))
    print_status("Stopped.")


def serve_dashboard(options: argparse.Namespace) -> None:
    """Serve the dashboard."""
    jupyter.require_extra()
    print_status("Starting the dashboard ...")  # before the imports that take seconds
    from fastlaunch_nb.cli.read_commands import parse_read_options
    from fastlaunch_nb.demo_fleet.demo import require_extra

    if options.demo:  # the notebook's kernel starts it, where nobody would see the error
        require_extra()
    source = parse_read_options(options, default_profile="")
    parameters = source.parameters()
    if options.views is not None:
        parameters["views"] = str(options.views.resolve())  # the pages run in another folder
    dashboard = jupyter.prepare_dashboard(
        options.notebooks, parameters, options.port, options.theme
    )
    with jupyter.catch_stop_signals() as stopped, dashboard as server:
        jupyter.run_server(server, stopped, partial(_announce, options, _describe_account(source)))
    print_status("Stopped.")


def serve_demo(options: argparse.Namespace) -> None:
    """Serve the demo fleet to other processes."""
    from fastlaunch_nb.demo_fleet.demo import demo

    faults = {name: value for name, value in vars(options).items() if name in (*FAULTS, "seed")}
    with (
        jupyter.catch_stop_signals() as stopped,
        demo(options.seed, port=options.port, host=options.host, faults=faults) as running,
    ):
        try:
            running.clock.run(options.speed)
        except ValueError as error:
            raise InputError(str(error)) from None
        form = options.format or get_native_format()
        print(format_environment(running.environment, form), flush=True)
        _print_visitors(options.host)
        print_status(f"{_describe_fleet(running)} at {running.endpoint_url}; press Ctrl-C to stop.")
        stopped.wait()
    print_status("Stopped.")


def _print_visitors(host: str) -> None:
    """Print who can use a demo that does not listen for this machine only."""
    address = ip_address(socket.gethostbyname(host))
    if not address.is_loopback:
        where = "any address of this machine" if address.is_unspecified else host
        print_status(
            f"Whoever can reach {where} can read and change this demo fleet: it takes no secret, "
            "and has only generated data."
        )


def _describe_fleet(running: Demo) -> str:
    """Describe a running demo in one line."""
    accounts, regions = len(running.accounts), len(running.regions)
    return f"Demo fleet: {running.images} images in {accounts} accounts and {regions} regions"


def _describe_account(source: ReadOptions) -> str:
    """Describe an account and its regions in one line."""
    if source.profile is None:
        return "Demo fleet"
    account = f"Profile {source.profile}" if source.profile else "Your own account"
    regions = source.regions or []
    return f"{account}: {'region' if len(regions) == 1 else 'regions'} {', '.join(regions)}"


def _announce(options: argparse.Namespace, title: str, server: jupyter.Server) -> None:
    """Print the address of a server and open it in a browser."""
    print_status(title)
    print(server.address, flush=True)
    print_status("Press Ctrl-C to stop.")
    # Without a display, a text browser would take over the terminal.
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not options.no_browser and (sys.platform in ("darwin", "win32") or has_display):
        webbrowser.open(server.write_redirect())
