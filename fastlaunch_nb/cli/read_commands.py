"""Commands that read AWS: show, sweep and record."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console

from fastlaunch_nb import export
from fastlaunch_nb.aws.sessions import open_profile_session, resolve_region
from fastlaunch_nb.aws.targets import Target, targets
from fastlaunch_nb.cli.exit_codes import PartialError, print_status
from fastlaunch_nb.collect.result import Sweep, format_failures
from fastlaunch_nb.collect.sweep import sweep
from fastlaunch_nb.demo_fleet.demo import Demo, demo
from fastlaunch_nb.errors import InputError, escape_unprintable
from fastlaunch_nb.formatting import to_csv
from fastlaunch_nb.history.history import History
from fastlaunch_nb.schema.columns import COMPLETE, FAILURES, NOT_OPTED_IN, STATUSES
from fastlaunch_nb.sources.events import from_events
from fastlaunch_nb.validation import check_region, parse_api_filters

_READ_OPTIONS = ("profile", "demo", "region", "filters", "timeout")
_ROLE_OPTIONS = ("accounts", "organization", "skip", "role", "external_id")
_AWS_CLI_FILTER = re.compile(r"^Name=(.*?),Values=(.*)$")
_UNLIMITED_WIDTH = 100_000  # characters per line of a file

# --- options --------------------------------------------------------------------------


class ReadOptions(NamedTuple):
    """Account, regions and filters, named like the parameters of the notebooks."""

    profile: str | None  # None means the demo fleet, "" the credentials that boto3 finds
    regions: list[str] | None  # None means all regions of the demo
    filters: dict[str, list[str]] | None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of a notebook that reads the demo fleet by default."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def parse_read_options(options: argparse.Namespace, *, default_profile: str | None) -> ReadOptions:
    """Return the account, regions and filters of a command, validated."""
    filters = _parse_filters(options)
    profile = default_profile if options.profile is None else options.profile
    if options.demo or profile is None:
        return ReadOptions(None, options.region, filters)
    session = open_profile_session(profile)
    return ReadOptions(profile, options.region or [resolve_region(session, None)], filters)


def _parse_filters(options: argparse.Namespace) -> dict[str, list[str]] | None:
    """Return the filters, or None if there are none; validate them and the regions."""
    for region in options.region or ():
        check_region(region)
    filters: dict[str, list[str]] = {}
    for word in options.filters or ():
        name, _, values = _AWS_CLI_FILTER.sub(r"\1=\2", word).partition("=")
        filters.setdefault(name, []).extend(filter(None, values.split(",")))
    parse_api_filters(filters)
    return filters or None


# --- commands -------------------------------------------------------------------------


def show_images(options: argparse.Namespace) -> None:
    """Print the images of an account."""
    source = parse_read_options(options, default_profile="")
    with demo() if source.profile is None else nullcontext() as running:
        accounts = targets(
            profiles=running.accounts.values() if running else [source.profile or ""]
        )
        regions = source.regions or (running.regions if running else None)
        result = sweep(accounts, regions=regions, filters=source.filters, progress=False)
    if not len(result.failures) or len(result.images):
        _print_images(result, options)
    raise_failures(result)


def sweep_accounts(options: argparse.Namespace) -> None:
    """Read many accounts; print the images or write them to a file."""
    for path in filter(None, (options.out, options.coverage)):
        export.check_file(path)
    paths = [options.out, options.coverage]
    if None not in paths and len({os.path.normcase(os.path.realpath(path)) for path in paths}) == 1:
        raise InputError(
            f"--out and --coverage are both {options.out}. Choose two different files."
        )
    result = run_sweep(options, strict=options.strict)
    if options.coverage is not None:
        export.save(result.coverage, options.coverage)
    if options.out is not None:
        export.save(result.images, options.out)
    elif len(result.images):
        _print_table(result.images, "Use --out to write all columns to a file.")
    print_status(repr(result))
    raise_failures(result)


def record_sweep(options: argparse.Namespace) -> None:
    """Record a sweep or events in a store; print one line that monitoring tools can parse."""
    history, merges_one_day = open_store(options), options.compact is None
    result = None
    if options.events is None:
        result = run_sweep(options)
        history.record(result, compact=merges_one_day)
        statuses = result.coverage["status"].value_counts()
        counts = {
            "sweep_id": result.sweep_id,
            "images": len(result.images),
            "reads": len(result.coverage),
            **{status: statuses.get(status, 0) for status in STATUSES},
        }
    else:
        refuse_source_options(options, "--events")
        events = from_events(options.events)
        history.record(events, compact=merges_one_day)
        counts = {"events": len(events)}
    print("recorded", *(f"{name}={count}" for name, count in counts.items()), flush=True)
    if options.compact:
        history.compact()
    if result is not None:
        raise_failures(result)


def open_store(options: argparse.Namespace) -> History:
    """Open the store that an option names: on S3 with a profile, by default that of --profile."""
    if not check_store_profile(options):
        return History(options.store)
    profiles = [options.store_profile] if options.store_profile else options.profile or [None]
    if len(profiles) > 1:
        raise InputError(
            f"--profile has {len(profiles)} names. Name the one that opens the store with "
            "--store-profile."
        )
    return History(options.store, target=Target(profiles[0] or None))


def check_store_profile(options: argparse.Namespace) -> bool:
    """Return whether a store is on S3; refuse a profile for any other one."""
    is_remote = (options.store or "").lower().startswith("s3://")
    if options.store_profile is not None and not is_remote:
        raise InputError("--store-profile is for a store on S3. Leave it out.")
    return is_remote


def refuse_source_options(options: argparse.Namespace, option: str) -> None:
    """Raise InputError for an option that has no effect together with one that reads files."""
    for name in (*_READ_OPTIONS, *_ROLE_OPTIONS):
        if getattr(options, name) not in (None, False):
            raise InputError(
                f"{option} does not read AWS, so --{name.replace('_', '-')} has no effect. "
                "Leave one of them out."
            )


def run_sweep(options: argparse.Namespace, *, strict: bool = False) -> Sweep:
    """Validate the options, then sweep the accounts that they name."""
    with open_targets(options) as (accounts, _):
        return sweep_targets(options, accounts, strict=strict)


@contextmanager
def open_targets(options: argparse.Namespace) -> Iterator[tuple[list[Target], Demo | None]]:
    """Validate the options; yield the accounts that they name, and the demo that runs meanwhile."""
    _parse_filters(options)
    with demo() if options.demo else nullcontext() as running:
        yield _list_targets(options, running), running


def sweep_targets(
    options: argparse.Namespace, accounts: list[Target], *, strict: bool = False
) -> Sweep:
    """Sweep accounts as the options have it."""
    return sweep(
        accounts,
        regions=options.region,
        filters=_parse_filters(options),
        max_workers=options.workers,
        timeout=options.timeout,
        progress=False if options.no_progress else sys.stderr.isatty(),
        strict=strict,
    )


def _list_targets(options: argparse.Namespace, running: Demo | None) -> list[Target]:
    """Return the accounts to sweep: by default, all accounts of a running demo."""
    if running and all(getattr(options, name) is None for name in _ROLE_OPTIONS):
        return targets(profiles=running.accounts.values())
    return targets(
        profiles=options.profile,
        accounts=options.accounts,
        organization=True if options.organization == [] else options.organization,
        skip=options.skip,
        role=options.role,
        external_id=options.external_id,
    )


def raise_failures(result: Sweep) -> None:
    """Raise an error that lists the failed reads of a sweep, if there are any.

    If nothing at all was read, regions that are not opted in count as well.
    """
    if result.was_interrupted:
        raise KeyboardInterrupt
    without_answer = result.coverage["status"].isin([*FAILURES, NOT_OPTED_IN])
    nothing_read = bool(without_answer.all()) and result.images.empty
    rows = result.coverage if nothing_read else result.failures
    if len(rows):
        raise PartialError(format_failures(rows), nothing_read=nothing_read)


# --- output ---------------------------------------------------------------------------


def print_rows(rows: pd.DataFrame, options: argparse.Namespace) -> bool:
    """Print rows as JSON or CSV if an option wants it; return whether one does."""
    if options.json:
        print(export.to_json(rows))
    elif options.csv:
        text = to_csv(rows)
        if sys.stdout.isatty():  # so that a terminal executes no control characters
            text = "\n".join(map(escape_unprintable, text.split("\n")))
        print(text, end="")
    return bool(options.json or options.csv)


def _print_images(result: Sweep, options: argparse.Namespace) -> None:
    images, is_complete = result.images, bool(result.coverage["status"].eq(COMPLETE).all())
    if not print_rows(images, options) and len(images):
        _print_table(images, "Use --json or --csv to print all columns.")
    sys.stdout.flush()
    filtered = bool(options.filters)
    print_status(export.summarize(images, filtered=filtered, is_complete=is_complete))


class _Console(Console):
    """A terminal or a pipe; rich would end the process without a word if a reader closes it."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console() -> Console:
    """Return a console as wide as the terminal, or without limit for a file."""
    return _Console(width=None if sys.stdout.isatty() else _UNLIMITED_WIDTH)


def _print_table(images: pd.DataFrame, hint: str) -> None:
    """Print as many columns as fit into the terminal; print all of them to a file."""
    console = make_console()
    table = export.to_table(images, console.width if sys.stdout.isatty() else None)
    console.print(table)
    if omitted := export.HEADINGS[len(table.columns) :]:
        print_status(f"No room for {', '.join(omitted)}. {hint}")
