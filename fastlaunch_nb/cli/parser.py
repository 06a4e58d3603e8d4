"""The parser of the command line: commands, options and their help."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from fastlaunch_nb import __version__
from fastlaunch_nb.cli.jupyter import CULL_AFTER, CULL_INTERVAL, DASHBOARD_PORT, LAB_PORT
from fastlaunch_nb.cli.notebook_copies import NOTEBOOKS
from fastlaunch_nb.shells import FORMATS

# --- commands -------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; it stores the function of a command in `command`, by name."""
    parser = argparse.ArgumentParser(
        prog="fastlaunch-nb", description="EC2 Fast Launch in Jupyter.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add_command in _COMMANDS:
        add_command(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_command(
    commands: _Commands, name: str, function: str, help_line: str, description: str, *examples: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=help_line,
        description=description,
        epilog="\n  ".join(["examples:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(command=function)  # by name, so that --help does not load pandas
    return command


def _add_show(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "show",
        "read_commands.show_images",
        "print images as a table, JSON or CSV",
        "Read the Fast Launch images of an account and print them, the worst states first.\n"
        "Reads that failed are listed on stderr; the exit code is then 3, or 1 if nothing\n"
        "could be read.",
        "fastlaunch-nb show --demo",
        "fastlaunch-nb show --region us-east-1 eu-west-1 --filters state=enabled,enabling",
        "fastlaunch-nb show --profile build-farm --csv > images.csv",
    )
    _add_source_options(command)
    _add_format_options(command)


def _add_findings(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "findings",
        "findings_command.print_findings",
        "print what is wrong, what to do, and what was not checked",
        "Read the Fast Launch images of many accounts and all that the rules need, and print\n"
        "what is wrong, the evidence, advice and commands to check first. Nothing is changed.\n"
        "Reads that failed are listed on stderr; the exit code is then 3, or 1 if nothing\n"
        "could be read. Findings do not change the exit code.",
        "fastlaunch-nb findings --demo",
        "fastlaunch-nb findings --profile build-farm --severity high medium",
        "fastlaunch-nb findings --store s3://fleet/history --rule failed stuck --json",
        "fastlaunch-nb findings --demo --unchecked",
    )
    group = _add_sweep_options(command)
    add = group.add_argument
    add("--rule", nargs="+", metavar="NAME", help="names of rules (default: all)")
    add("--severity", nargs="+", metavar="NAME", help="high, medium, low or info (default: all)")
    add(
        "--shell",
        metavar="NAME",
        help="shell of the commands: posix, powershell or cmd (default: powershell on Windows, "
        "otherwise posix; always posix in JSON and CSV)",
    )
    add("--unchecked", action="store_true", help="print what the rules could not judge, and why")
    add(
        "--store",
        metavar="STORE",
        help="judge the last scans of a store, a folder or s3://bucket/prefix, instead of AWS",
    )
    add("--store-profile", metavar="NAME", help="profile that opens a store on S3")
    _add_format_options(group)


def _add_sweep(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "sweep",
        "read_commands.sweep_accounts",
        "read many accounts and regions at once, optionally into a file",
        "Read the Fast Launch images of many accounts, in all enabled regions of each, and\n"
        "print them or write them to a file. Reads that failed are listed on stderr; the exit\n"
        "code is then 3, or 1 if nothing could be read.",
        "fastlaunch-nb sweep --demo",
        "fastlaunch-nb sweep --profile build-farm game-servers --region us-east-1 eu-west-1",
        "fastlaunch-nb sweep --accounts 111122223333 --role FastLaunchReader --out images.csv",
        "fastlaunch-nb sweep --organization --role FastLaunchReader --out images.parquet \\",
        "                    --coverage coverage.parquet",
    )
    add = _add_sweep_options(command).add_argument
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the images to a .parquet, .csv, .json or .xlsx file (default: print a table)",
    )
    add(
        "--coverage",
        type=Path,
        metavar="FILE",
        help="write the coverage, a row for each read, to a file in one of these formats",
    )
    add("--strict", action="store_true", help="print and write nothing if any read fails")


def _add_record(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "record",
        "read_commands.record_sweep",
        "record a sweep or events in a history store, for example with cron",
        "Read like sweep, and record the result in a store that fastlaunch_nb.History opens.\n"
        "Print one line that summarizes the recording. Reads that failed are recorded as\n"
        "unknown and listed on stderr; the exit code is then 3, or 1 if nothing could be read.",
        "fastlaunch-nb record store --demo",
        "fastlaunch-nb record s3://fleet/history --profile build-farm --region us-east-1 eu-west-1",
        "fastlaunch-nb record s3://fleet/history --organization --role FastLaunchReader --compact",
        "fastlaunch-nb record store --events firehose/2026/01",
    )
    command.add_argument("store", metavar="STORE", help="a folder, or s3://bucket/prefix")
    command.add_argument(
        "--store-profile",
        metavar="NAME",
        help="profile that opens a store on S3 (default: the profile of --profile)",
    )
    add = _add_sweep_options(command).add_argument
    add(
        "--events",
        type=Path,
        metavar="PATH",
        help="record EventBridge notifications from a file or folder instead of reading AWS",
    )
    add(
        "--compact",
        action=argparse.BooleanOptionalAction,
        help="then merge the small files of all days, or none; by default, of one day that is over",
    )


def _add_serve(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "serve",
        "serve_commands.serve_dashboard",
        "serve a dashboard with the panel and the charts, for people who do not code",
        "Serve notebooks/dashboard.ipynb as a web page with Voila, on this machine, until\n"
        "Ctrl-C. Opening a page reads the images, unless another page has read them in the last\n"
        "five minutes; Refresh reads them again for all pages. Each page has a process of\n"
        f"its own, which ends within {(CULL_AFTER + CULL_INTERVAL) // 60} minutes after the page "
        "is closed.\nThe page loads nothing from other servers.",
        "fastlaunch-nb serve --demo",
        "fastlaunch-nb serve --profile build-farm --region us-east-1 eu-west-1 --theme dark",
    )
    _add_source_options(command)
    _add_server_options(command, DASHBOARD_PORT)
    command.add_argument(
        "--views",
        type=Path,
        metavar="FILE",
        help="JSON file for views by name, for all pages; it need not exist",
    )
    command.add_argument(
        "--theme",
        choices=("light", "dark"),
        default="light",
        help="color theme (default: %(default)s)",
    )


def _add_lab(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "lab",
        "serve_commands.open_lab",
        "open JupyterLab on a copy of the notebooks",
        "Start JupyterLab on a copy of the notebooks, on this machine, until Ctrl-C. They read\n"
        "the demo fleet, without AWS credentials, unless --profile names another account.",
        "fastlaunch-nb lab --port 8890 --no-browser",
        "fastlaunch-nb lab --profile build-farm --region eu-west-1",
    )
    _add_source_options(command)
    _add_server_options(command, LAB_PORT)
    command.add_argument(
        "--folder",
        type=Path,
        default=Path("lab"),
        help="folder for the copies, with a subfolder for each profile (default: %(default)s)",
    )


_COUNT, _NUMBER, _SWITCH = {"type": int}, {"type": float}, {"action": "store_true"}
FAULTS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "throttle_rate": (_NUMBER, "share of requests, 0 to 1, that get RequestLimitExceeded"),
    "bucket": (_COUNT, "number of requests that an account and region may send before throttling"),
    "refill": (_NUMBER, "number of requests per second that are added to a bucket"),
    "error_rate": (_NUMBER, "share of requests that get InternalError or Unavailable"),
    "latency": (_NUMBER, "number of seconds by which every answer is delayed"),
    "drop_rate": (_NUMBER, "share of connections that are closed without an answer"),
    "truncate_rate": (_NUMBER, "share of answers that end half-way"),
    "expire_tokens": (_SWITCH, "refuse every page token as expired"),
    "repeat_token": (_SWITCH, "answer each page with the token that requested it"),
    "omit_rate": (_NUMBER, "share of answers that miss an image, as EC2 is eventually consistent"),
    "lag": (_NUMBER, "number of seconds by which answers show an earlier state"),
    "unauthorized": (
        {"nargs": "+", "metavar": "ACCOUNT"},
        "accounts that get UnauthorizedOperation",
    ),
}
"""Options that inject faults: the settings and the help of each."""


def _add_demo(commands: _Commands) -> None:
    command = _add_command(
        commands,
        "demo",
        "serve_commands.serve_demo",
        "serve an EC2 emulator with the demo fleet to any AWS client",
        "Serve an EC2 emulator with the demo fleet on this machine until Ctrl-C.\n"
        "Print the variables that point an AWS client at it.",
        "fastlaunch-nb demo --port 5001 > demo.env &",
        "until grep -sq no_proxy= demo.env; do sleep 1; done; . ./demo.env",
        "aws ec2 describe-fast-launch-images",
        "curl $AWS_ENDPOINT_URL/fastlaunch/clock --json '{\"hours\": 6}'  # moves its "
        "clock; without --json, reads it",
        "curl $AWS_ENDPOINT_URL/fastlaunch/events  # EventBridge notifications, one per line",
        "fastlaunch-nb demo --format powershell > demo.ps1  # in another window: . .\\demo.ps1",
        "fastlaunch-nb demo --speed 60 --throttle-rate 0.3",
    )
    add = command.add_argument
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, for this machine only; 0.0.0.0: for "
        "every machine that can reach this one)",
    )
    add(
        "--format",
        choices=FORMATS,
        help="shell that the variables are for (default: powershell on Windows, otherwise sh)",
    )
    add("--seed", type=int, default=0, help="seed of the fleet (default: %(default)s)")
    add(
        "--speed",
        type=float,
        default=0,
        help="speed of its clock in seconds per real second (default: %(default)s, standing still)",
    )
    add = command.add_argument_group("faults to inject").add_argument
    for name, (settings, meaning) in FAULTS.items():
        option = f"--{name.replace('_', '-')}"
        add(option, default=argparse.SUPPRESS, help=meaning, **settings)


_COMMANDS = (_add_show, _add_sweep, _add_findings, _add_record, _add_serve, _add_lab, _add_demo)


# --- options --------------------------------------------------------------------------


def _add_source_options(command: argparse.ArgumentParser, *, many: bool = False) -> None:
    """Add the options for what to read; with `many`, several profiles and all their regions."""
    group = command.add_argument_group("accounts, regions and filters")
    account = group.add_mutually_exclusive_group()
    several: dict[str, Any] = {"nargs": "+", "action": "extend"} if many else {}
    account.add_argument(
        "--profile",
        metavar="NAME",
        help="profile of your AWS configuration; '' means the credentials that boto3 finds",
        **several,
    )
    account.add_argument("--demo", action="store_true", help="the demo fleet in an EC2 emulator")
    group.add_argument(
        "--region",
        nargs="+",
        action="extend",
        metavar="REGION",
        help="regions to read (default: all enabled regions of each account)"
        if many
        else "regions to read (default: the profile's region, or all of the demo)",
    )
    group.add_argument(
        "--filters",
        nargs="+",
        action="extend",
        metavar="NAME=VALUE,...",
        help="filters by state, owner-id or resource-type; the form of the AWS CLI also works: "
        "Name=state,Values=enabled,enabling",
    )
    command.add_argument(
        "--verbose",
        action="store_true",
        help="print a line on stderr for each answer of AWS: who calls, where, operation, page, "
        "status or error code, seconds, request id",
    )


def _add_sweep_options(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options for which accounts to sweep and how; return the group of the latter."""
    _add_source_options(command, many=True)
    add = command.add_argument_group("other accounts, by assuming a role in each").add_argument
    add("--accounts", nargs="+", metavar="ID", help="account ids of 12 digits")
    add(
        "--organization",
        nargs="*",
        metavar="PART",
        help="all active accounts of the organization, or those of the given units, roots and "
        "accounts",
    )
    add("--skip", nargs="+", metavar="PART", help="units and accounts to leave out")
    add("--role", metavar="NAME", help="name of the role, with its path")
    add("--external-id", metavar="ID", help="external id that the role's trust policy requires")
    group = command.add_argument_group("execution and output")
    add = group.add_argument
    add("--workers", type=int, default=32, help="number of parallel reads (default: %(default)s)")
    add(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="time that a read may take from one page to the next (default: 180)",
    )
    add("--no-progress", action="store_true", help="show no progress bar, even in a terminal")
    return group


def _add_format_options(group: argparse._ActionsContainer) -> None:
    add = group.add_mutually_exclusive_group().add_argument
    add("--json", action="store_true", help="print all columns as JSON")
    add(
        "--csv",
        action="store_true",
        help="print all columns as CSV; an apostrophe precedes values that a spreadsheet would "
        "read as formulas",
    )


def _add_server_options(command: argparse.ArgumentParser, port: int) -> None:
    add = command.add_argument
    add("--port", type=int, help=f"port to listen on (default: {port}, or the next free one)")
    add("--no-browser", action="store_true", help="print the address, but open no browser")
    add(
        "--notebooks",
        type=Path,
        default=NOTEBOOKS,
        metavar="FOLDER",
        help="folder of the notebooks (default: those of fastlaunch_nb)",
    )
