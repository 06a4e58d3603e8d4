"""The command line: parse, call, print; nothing else.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 it could
not be done, 2 it was asked wrongly, 3 a part of it could not be done, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import warnings
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from fastlaunch_nb import __version__, aws, servers
from fastlaunch_nb.demo import Demo, demo, need_extra
from fastlaunch_nb.errors import (
    FastLaunchError,
    FastLaunchWarning,
    InputError,
    SweepError,
    spelt_out,
)

if TYPE_CHECKING:
    import pandas as pd

    from fastlaunch_nb.sweep import Sweep


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        with _warnings_in_words():
            command(options)
            sys.stdout.flush()
    except FastLaunchError as error:
        _complain(error)
        return _exit_code(error)
    except KeyboardInterrupt:
        _say("Stopped.")
        return _ENDED_BY_CTRL_C
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


_ENDED_BY_CTRL_C = 130  # as a shell says it


class _PartialError(FastLaunchError):
    """Not all that was asked could be read; what could be is printed. A line a failure."""

    def __init__(self, lines: Iterable[str], *, nothing: bool) -> None:
        super().__init__("\n".join(lines))
        self.code = 1 if nothing else 3


def _exit_code(error: FastLaunchError) -> int:
    if isinstance(error, _PartialError):
        return error.code
    return 2 if isinstance(error, InputError) else 1


@contextmanager
def _warnings_in_words() -> Iterator[None]:
    """Say each of our warnings once, as a line of text, without its place in the code."""
    said = set()

    def say_once(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in said:
            said.add(str(message))
            _complain(message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", FastLaunchWarning)
        warnings.showwarning = say_once
        yield


def _complain(trouble: Exception | str) -> None:
    """Say what went wrong, on one line, or one a failure: it may quote what AWS sent."""
    from fastlaunch_nb.frame import one_line  # which loads pandas: not for --help

    many = isinstance(trouble, SweepError | _PartialError)
    for line in str(trouble).splitlines() if many else [trouble]:
        _say(f"fastlaunch-nb: {one_line(line)}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- the words ------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastlaunch-nb", description="EC2 Fast Launch in Jupyter.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_show(commands)
    _add_sweep(commands)
    _add_serve(commands)
    _add_lab(commands)
    _add_demo(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(
    commands: _Commands,
    run: Callable[[argparse.Namespace], None],
    help_line: str,
    description: str,
    *examples: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        run.__name__.removeprefix("_"),
        help=help_line,
        description=description,
        epilog="\n  ".join(["examples:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(command=run)
    return command


def _add_show(commands: _Commands) -> None:
    command = _add(
        commands,
        _show,
        "print the images as a table, as JSON or as CSV",
        "Read the Fast Launch images of an account and print them, the worst states on top.\n"
        "Regions that could not be read are named on stderr, and the exit code is then 3, or 1\n"
        "where there was nothing else.",
        "fastlaunch-nb show --demo",
        "fastlaunch-nb show --region us-east-1 eu-west-1 --filters state=enabled,enabling",
        "fastlaunch-nb show --profile build-farm --csv > images.csv",
    )
    _add_reading(command)
    forms = command.add_mutually_exclusive_group()
    forms.add_argument(
        "--json", action="store_const", dest="form", const="json", help="all columns, as JSON"
    )
    forms.add_argument(
        "--csv",
        action="store_const",
        dest="form",
        const="csv",
        help="all columns, as CSV; an apostrophe keeps a spreadsheet from reading a formula",
    )


def _add_sweep(commands: _Commands) -> None:
    command = _add(
        commands,
        _sweep,
        "read many accounts and regions at once, into a file",
        "Read the Fast Launch images of many accounts, in all the regions that each has enabled,\n"
        "and print them, or write them to a file. What could not be read is named on stderr, and\n"
        "the exit code is then 3, or 1 where there was nothing else.",
        "fastlaunch-nb sweep --demo",
        "fastlaunch-nb sweep --profile build-farm game-servers --region us-east-1 eu-west-1",
        "fastlaunch-nb sweep --accounts 111122223333 --role FastLaunchReader --out images.csv",
        "fastlaunch-nb sweep --organization --role FastLaunchReader --out images.parquet \\",
        "                    --coverage coverage.parquet",
    )
    _add_reading(command, several=True)
    group = command.add_argument_group("other accounts, by a role that is assumed in each")
    group.add_argument("--accounts", nargs="+", metavar="ID", help="accounts, 12 digits each")
    group.add_argument(
        "--organization",
        nargs="*",
        metavar="PART",
        help="all active accounts of the organization; or its units, roots and accounts named here",
    )
    group.add_argument("--skip", nargs="+", metavar="PART", help="units and accounts to leave out")
    group.add_argument("--role", metavar="NAME", help="the role, by its name and path")
    group.add_argument("--external-id", metavar="ID", help="what the role's trust policy asks for")
    group = command.add_argument_group("what to do with it")
    group.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="where to write the images: .parquet, .csv or .json; default: a table on stdout",
    )
    group.add_argument(
        "--coverage", type=Path, metavar="FILE", help="where to write what was covered, likewise"
    )
    group.add_argument(
        "--strict", action="store_true", help="print and write nothing unless all could be read"
    )
    group.add_argument(
        "--workers", type=int, default=32, help="reads under way at once (default: %(default)s)"
    )
    group.add_argument("--no-progress", action="store_true", help="no bar, also on a terminal")


def _add_serve(commands: _Commands) -> None:
    command = _add(
        commands,
        _serve,
        "serve a dashboard of the panel and the charts, for people who do not code",
        "Serve notebooks/dashboard.ipynb as a page, by Voila, on this machine, until Ctrl-C.\n"
        "Opening the page reads the images; loading it again reads them again.",
        "fastlaunch-nb serve --demo",
        "fastlaunch-nb serve --profile build-farm --region us-east-1 eu-west-1 --theme dark",
    )
    _add_reading(command)
    _add_serving(command, servers.DASHBOARD_PORT)
    command.add_argument(
        "--theme", choices=("light", "dark"), default="light", help="default: %(default)s"
    )


def _add_lab(commands: _Commands) -> None:
    command = _add(
        commands,
        _lab,
        "open JupyterLab on a copy of the notebooks",
        "Start JupyterLab on a copy of the notebooks, on this machine, until Ctrl-C. They read\n"
        "the demo fleet, with no AWS credentials, unless --profile names another account.",
        "fastlaunch-nb lab --port 8890 --no-browser",
        "fastlaunch-nb lab --profile build-farm --region eu-west-1",
    )
    _add_reading(command)
    _add_serving(command, servers.LAB_PORT)
    command.add_argument(
        "--folder", type=Path, default=Path("lab"), help="where to (default: %(default)s)"
    )


def _add_demo(commands: _Commands) -> None:
    command = _add(
        commands,
        _demo,
        "serve the embedded EC2 with the demo fleet to any AWS client",
        "Serve the embedded EC2 with the demo fleet on this machine until Ctrl-C.\n"
        "Prints the variables that point an AWS client at it.",
        "fastlaunch-nb demo --port 5001 > demo.env &",
        "until grep -sq no_proxy= demo.env; do sleep 1; done; . ./demo.env",
        "aws ec2 describe-fast-launch-images",
        "curl $AWS_ENDPOINT_URL/fastlaunch/clock -d '{\"hours\": 6}'  # moves its clock; "
        "without -d, reads it",
        "curl $AWS_ENDPOINT_URL/fastlaunch/events  # what EventBridge has told, a line each",
        "fastlaunch-nb demo --speed 60 --throttle-rate 0.3",
    )
    command.add_argument("--port", type=int, default=0, help="default: a free one")
    command.add_argument("--host", default="127.0.0.1", help="default: %(default)s, loopback")
    command.add_argument("--seed", type=int, default=0, help="which fleet (default: %(default)s)")
    command.add_argument(
        "--speed",
        type=float,
        default=0,
        help="seconds of its clock a real second (default: %(default)s, it stands still)",
    )
    _add_faults(command)


_FAULTS = {
    "throttle_rate": (float, "share of requests, 0 to 1, that get RequestLimitExceeded"),
    "bucket": (int, "requests an account and region may send at once, before they get it"),
    "refill": (float, "requests a second that a bucket gets back"),
    "error_rate": (float, "share of requests that get InternalError or Unavailable"),
    "latency": (float, "seconds that every answer takes longer"),
    "drop_rate": (float, "share of connections that are closed without an answer"),
    "truncate_rate": (float, "share of answers that end half-way"),
}
_FAULT_SWITCHES = {
    "expire_tokens": "refuse every page token, as one that has expired",
    "repeat_token": "give each page the token that it was asked with",
}


def _add_faults(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what goes wrong on purpose")
    for name, (kind, meaning) in _FAULTS.items():
        group.add_argument(_option(name), type=kind, default=argparse.SUPPRESS, help=meaning)
    for name, meaning in _FAULT_SWITCHES.items():
        group.add_argument(
            _option(name), action="store_true", default=argparse.SUPPRESS, help=meaning
        )
    group.add_argument(
        "--unauthorized",
        nargs="+",
        metavar="ACCOUNT",
        default=argparse.SUPPRESS,
        help="accounts that get UnauthorizedOperation",
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add_reading(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    group = command.add_argument_group("what to read")
    whose = group.add_mutually_exclusive_group()
    many: dict[str, Any] = {"nargs": "+", "action": "extend"} if several else {}
    whose.add_argument(
        "--profile",
        metavar="NAME",
        help="a profile of your AWS configuration; '' is what boto3 finds by itself",
        **many,
    )
    whose.add_argument("--demo", action="store_true", help="the demo fleet, in an embedded EC2")
    group.add_argument(
        "--region",
        nargs="+",
        action="extend",
        metavar="REGION",
        help="default: all that an account has enabled"
        if several
        else "default: the profile's own; of the demo, all",
    )
    group.add_argument(
        "--filters",
        nargs="+",
        action="extend",
        metavar="NAME=VALUE,...",
        help="state, owner-id or resource-type; also as the AWS CLI has it, "
        "Name=state,Values=enabled,enabling",
    )


def _add_serving(command: argparse.ArgumentParser, port: int) -> None:
    command.add_argument("--port", type=int, help=f"default: {port}, or the next one that is free")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.add_argument(
        "--notebooks",
        type=Path,
        default=servers.NOTEBOOKS,
        metavar="FOLDER",
        help="where the notebooks are (default: those of fastlaunch_nb)",
    )


# --- what to read ---------------------------------------------------------------------


class _Asked(NamedTuple):
    """What to read; its names are those of the notebooks' marked cell."""

    profile: str | None  # None is the demo fleet, "" what boto3 finds by itself
    regions: list[str] | None  # None is all of the demo
    filters: dict[str, list[str]] | None

    def parameters(self) -> dict[str, Any]:
        """Return what a notebook that reads the demo fleet must be told."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def _asked(options: argparse.Namespace, *, usual: str | None) -> _Asked:
    """Return what to read, checked; `usual` is the profile where no option says."""
    from fastlaunch_nb import frame  # which loads pandas: not for --help

    for region in options.region or ():
        frame.check_region(region)
    filters = _filters(options)
    profile = usual if options.profile is None else options.profile
    if options.demo or profile is None:
        return _Asked(None, options.region, filters or None)
    session = aws.named_session(profile)
    return _Asked(profile, options.region or [aws.region_of(session, None)], filters or None)


def _filters(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the filters as they were typed, checked."""
    from fastlaunch_nb import frame

    filters: dict[str, list[str]] = {}
    for word in options.filters or ():
        name, _, values = _SHORTHAND.sub(r"\1=\2", word).partition("=")
        filters.setdefault(name, []).extend(filter(None, values.split(",")))
    frame.api_filters(filters)
    return filters


_SHORTHAND = re.compile(r"^Name=(.*?),Values=(.*)$")  # as the AWS CLI has it


# --- show, sweep ----------------------------------------------------------------------


def _show(options: argparse.Namespace) -> None:
    from fastlaunch_nb.sweep import sweep

    asked = _asked(options, usual="")
    with demo() if asked.profile is None else nullcontext() as running:
        profiles = running.accounts.values() if running else [asked.profile or ""]
        regions = asked.regions or (running.regions if running else None)
        swept = sweep(
            aws.targets(profiles=profiles), regions=regions, filters=asked.filters, progress=False
        )
    if not len(swept.failures) or len(swept.images):
        _print(swept.images, options.form)
    _tell_failures(swept)


def _sweep(options: argparse.Namespace) -> None:
    from fastlaunch_nb import frame, report
    from fastlaunch_nb.sweep import sweep

    filters = _filters(options)
    for region in options.region or ():
        frame.check_region(region)
    files = [path for path in (options.out, options.coverage) if path is not None]
    for path in files:
        report.check_file(path)
    if len(set(files)) < len(files):
        raise InputError("--out and --coverage name the same file. Name two.")
    with demo() if options.demo else nullcontext() as running:
        swept = sweep(
            _targets(options, running),
            regions=options.region,
            filters=filters or None,
            max_workers=options.workers,
            progress=False if options.no_progress else sys.stderr.isatty(),
            strict=options.strict,
        )
    if options.coverage is not None:
        report.save(swept.coverage, options.coverage)
    if options.out is not None:
        report.save(swept.images, options.out)
    elif len(swept.images):
        _print_table(swept.images, "--out has")
    _say(repr(swept))
    _tell_failures(swept)


def _targets(options: argparse.Namespace, running: Demo | None) -> list[aws.Target]:
    """Return whom a sweep is to read."""
    whole = options.organization == []  # the option alone, without any part of it
    elsewhere = (options.accounts, options.organization, options.role, options.skip)
    if running and elsewhere == (None, None, None, None):
        return aws.targets(profiles=running.accounts.values())
    return aws.targets(
        profiles=options.profile,
        accounts=options.accounts,
        organization=True if whole else options.organization,
        skip=options.skip,
        role=options.role,
        external_id=options.external_id,
    )


def _tell_failures(swept: Sweep) -> None:
    if not len(swept.failures):
        return
    from fastlaunch_nb.sweep import failure_lines

    if swept.was_interrupted:
        raise KeyboardInterrupt
    nothing = len(swept.failures) == len(swept.coverage) and swept.images.empty
    raise _PartialError(failure_lines(swept.failures), nothing=nothing)


def _print(images: pd.DataFrame, form: str | None) -> None:
    from fastlaunch_nb import report

    if form == "json":
        print(report.to_json(images))
    elif form == "csv":
        text = report.to_csv(images)
        if sys.stdout.isatty():  # a file gets what AWS sent, a terminal nothing to obey
            text = "\n".join(map(spelt_out, text.split("\n")))
        print(text, end="")
    elif len(images):
        _print_table(images, "--json and --csv have")
    sys.stdout.flush()
    _say(report.summary(images))


_ENDLESS = 100_000  # letters a line: a file has no edge


def _print_table(images: pd.DataFrame, whole: str) -> None:
    """Print as many columns as the terminal has room for; into a file, all of them."""
    from rich.console import Console

    from fastlaunch_nb import report

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _ENDLESS)
    table = report.to_table(images, console.width if terminal else None)
    console.print(table)
    left_out = report.HEADINGS[len(table.columns) :]
    if left_out:
        _say(f"No room for {', '.join(left_out)}: {whole} everything.")


# --- lab, serve, demo -----------------------------------------------------------------


def _lab(options: argparse.Namespace) -> None:
    servers.need_extra()
    asked = _asked(options, usual=None)
    copies = servers.copy_notebooks(options.notebooks, options.folder, asked.parameters())
    for copy, original in copies.items():
        if original:
            _say(f"Keeping your {copy}; delete it to get a fresh copy of {original}.")
    lab = servers.lab(options.folder, next(iter(copies)).name, options.port)
    behind = demo() if asked.profile is None else nullcontext()
    with servers.stop_signals() as stopped, behind as running:
        if running:  # every terminal and kernel of JupyterLab finds it
            _say(f"{running!r} behind it.")
        servers.run(lab, stopped, _announced(options))
    _say("Stopped.")


def _serve(options: argparse.Namespace) -> None:
    servers.need_extra()
    if options.demo:  # the notebook's kernel starts it, where nobody would see that it can not
        need_extra()
    parameters = _asked(options, usual="").parameters()
    dashboard = servers.dashboard(options.notebooks, parameters, options.port, options.theme)
    with servers.stop_signals() as stopped, dashboard as server:
        servers.run(server, stopped, _announced(options))
    _say("Stopped.")


def _announced(options: argparse.Namespace) -> Callable[[str], None]:
    """Return what to do with the address of a server that answers."""

    def announce(address: str) -> None:
        print(address, flush=True)
        _say("Ctrl-C stops it.")
        if not options.no_browser and _has_display():
            webbrowser.open(address)

    return announce


def _has_display() -> bool:
    """Tell a desktop from a terminal, where a text browser would take the screen over."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _demo(options: argparse.Namespace) -> None:
    known = {*_FAULTS, *_FAULT_SWITCHES, "unauthorized", "seed"}
    faults = {name: value for name, value in vars(options).items() if name in known}
    where = {"port": options.port, "host": options.host}
    with servers.stop_signals() as stopped, demo(options.seed, **where, faults=faults) as running:
        _set_speed(running, options.speed)
        print(_UNSET)
        for name, value in running.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        _say(f"{running!r} at {running.endpoint_url}; Ctrl-C stops it.")
        stopped.wait()
    _say("Stopped.")


def _set_speed(running: Demo, speed: float) -> None:
    try:
        running.clock.run(speed)
    except ValueError as error:
        raise InputError(str(error)) from None


# What a shell may have set already could lead elsewhere, or be sent as credentials.
_UNSET = r"unset $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p') no_proxy"


def run() -> None:
    """Run a command and end: reads that get no answer do not hold the end up after Ctrl-C."""
    code = main()
    if code == _ENDED_BY_CTRL_C:
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
