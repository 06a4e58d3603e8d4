"""The words of the command line: commands, options, and the help on each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeAlias

from fastlaunch_nb import __version__
from fastlaunch_nb.cli import jupyter

# --- the words ------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each leaves in `command` what is to be run."""
    parser = argparse.ArgumentParser(
        prog="fastlaunch-nb", description="EC2 Fast Launch in Jupyter.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_show(commands)
    _add_sweep(commands)
    _add_record(commands)
    _add_serve(commands)
    _add_lab(commands)
    _add_demo(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(
    commands: _Commands,
    name: str,
    run: str,
    help_line: str,
    description: str,
    *examples: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=help_line,
        description=description,
        epilog="\n  ".join(["examples:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(command=run)  # by its name: who asks for help waits for no pandas
    return command


def _add_show(commands: _Commands) -> None:
    command = _add(
        commands,
        "show",
        "read_commands.show_images",
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
        "sweep",
        "read_commands.sweep_accounts",
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
    group = _add_sweeping(command)
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


def _add_record(commands: _Commands) -> None:
    command = _add(
        commands,
        "record",
        "read_commands.record_sweep",
        "keep a sweep, or events, in a history's store; for cron",
        "Read as sweep does, and keep what was seen in a store that fastlaunch_nb.History reads.\n"
        "Prints one line that says what was kept. What could not be read is kept as unknown and\n"
        "named on stderr, and the exit code is then 3, or 1 where there was nothing else.",
        "fastlaunch-nb record store --demo",
        "fastlaunch-nb record s3://fleet/history --profile build-farm --region us-east-1 eu-west-1",
        "fastlaunch-nb record s3://fleet/history --organization --role FastLaunchReader --compact",
        "fastlaunch-nb record store --events firehose/2026/01",
    )
    command.add_argument("store", metavar="STORE", help="a folder, or s3://bucket/prefix")
    group = _add_sweeping(command)
    group.add_argument(
        "--events",
        type=Path,
        metavar="PATH",
        help="keep EventBridge's notifications, of a file or a folder, and read nothing of AWS",
    )
    group.add_argument(
        "--compact",
        action="store_true",
        help="then merge the store's small files, such as once a day",
    )


def _add_sweeping(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add what says whom to sweep; return the group for what to do with it."""
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
        "--workers", type=int, default=32, help="reads under way at once (default: %(default)s)"
    )
    group.add_argument("--no-progress", action="store_true", help="no bar, also on a terminal")
    return group


def _add_serve(commands: _Commands) -> None:
    command = _add(
        commands,
        "serve",
        "serve_commands.serve_dashboard",
        "serve a dashboard of the panel and the charts, for people who do not code",
        "Serve notebooks/dashboard.ipynb as a page, by Voila, on this machine, until Ctrl-C.\n"
        "Opening the page reads the images; loading it again reads them again.",
        "fastlaunch-nb serve --demo",
        "fastlaunch-nb serve --profile build-farm --region us-east-1 eu-west-1 --theme dark",
    )
    _add_reading(command)
    _add_serving(command, jupyter.DASHBOARD_PORT)
    command.add_argument(
        "--theme", choices=("light", "dark"), default="light", help="default: %(default)s"
    )


def _add_lab(commands: _Commands) -> None:
    command = _add(
        commands,
        "lab",
        "serve_commands.open_lab",
        "open JupyterLab on a copy of the notebooks",
        "Start JupyterLab on a copy of the notebooks, on this machine, until Ctrl-C. They read\n"
        "the demo fleet, with no AWS credentials, unless --profile names another account.",
        "fastlaunch-nb lab --port 8890 --no-browser",
        "fastlaunch-nb lab --profile build-farm --region eu-west-1",
    )
    _add_reading(command)
    _add_serving(command, jupyter.LAB_PORT)
    command.add_argument(
        "--folder",
        type=Path,
        default=Path("lab"),
        help="where to, a folder in it for each profile (default: %(default)s)",
    )


def _add_demo(commands: _Commands) -> None:
    command = _add(
        commands,
        "demo",
        "serve_commands.serve_demo",
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


FAULTS = {
    "throttle_rate": (float, "share of requests, 0 to 1, that get RequestLimitExceeded"),
    "bucket": (int, "requests an account and region may send at once, before they get it"),
    "refill": (float, "requests a second that a bucket gets back"),
    "error_rate": (float, "share of requests that get InternalError or Unavailable"),
    "latency": (float, "seconds that every answer takes longer"),
    "drop_rate": (float, "share of connections that are closed without an answer"),
    "truncate_rate": (float, "share of answers that end half-way"),
}
FAULT_SWITCHES = {
    "expire_tokens": "refuse every page token, as one that has expired",
    "repeat_token": "give each page the token that it was asked with",
}


def _add_faults(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what goes wrong on purpose")
    for name, (kind, meaning) in FAULTS.items():
        group.add_argument(_option(name), type=kind, default=argparse.SUPPRESS, help=meaning)
    for name, meaning in FAULT_SWITCHES.items():
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
        default=jupyter.NOTEBOOKS,
        metavar="FOLDER",
        help="where the notebooks are (default: those of fastlaunch_nb)",
    )
