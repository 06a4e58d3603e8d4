"""The commands that read: show, sweep and record; and what they are asked to read."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import nullcontext
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console

from fastlaunch_nb import export
from fastlaunch_nb.aws.clients import named_session, region_of
from fastlaunch_nb.aws.targets import Target, targets
from fastlaunch_nb.cli.exit_codes import PartialError, say
from fastlaunch_nb.collect.result import Sweep, failure_lines
from fastlaunch_nb.collect.sweep import sweep
from fastlaunch_nb.demo_fleet.demo import Demo, demo
from fastlaunch_nb.errors import InputError, escape_unprintable
from fastlaunch_nb.formatting import to_csv
from fastlaunch_nb.history.history import History
from fastlaunch_nb.schema.columns import STATUSES
from fastlaunch_nb.sources.events import from_events
from fastlaunch_nb.validation import check_region, parse_api_filters

# --- what to read ---------------------------------------------------------------------


class ReadOptions(NamedTuple):
    """What to read; its names are those of the notebooks' marked cell."""

    profile: str | None  # None is the demo fleet, "" what boto3 finds by itself
    regions: list[str] | None  # None is all of the demo
    filters: dict[str, list[str]] | None

    def parameters(self) -> dict[str, Any]:
        """Return what a notebook that reads the demo fleet must be told."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def read_options(options: argparse.Namespace, *, usual: str | None) -> ReadOptions:
    """Return what to read, checked; `usual` is the profile where no option says."""
    filters = _filters(options)
    profile = usual if options.profile is None else options.profile
    if options.demo or profile is None:
        return ReadOptions(None, options.region, filters or None)
    session = named_session(profile)
    return ReadOptions(profile, options.region or [region_of(session, None)], filters or None)


def _filters(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the filters as they were typed; they are checked, and the regions with them."""
    for region in options.region or ():
        check_region(region)
    filters: dict[str, list[str]] = {}
    for word in options.filters or ():
        name, _, values = _SHORTHAND.sub(r"\1=\2", word).partition("=")
        filters.setdefault(name, []).extend(filter(None, values.split(",")))
    parse_api_filters(filters)
    return filters


_SHORTHAND = re.compile(r"^Name=(.*?),Values=(.*)$")  # as the AWS CLI has it


# --- show, sweep, record --------------------------------------------------------------


def show_images(options: argparse.Namespace) -> None:
    """Print the images of an account."""
    reading = read_options(options, usual="")
    with demo() if reading.profile is None else nullcontext() as running:
        accounts = targets(
            profiles=running.accounts.values() if running else [reading.profile or ""]
        )
        regions = reading.regions or (running.regions if running else None)
        swept = sweep(accounts, regions=regions, filters=reading.filters, progress=False)
    if not len(swept.failures) or len(swept.images):
        _print(swept.images, options.form, filtered=bool(reading.filters))
    _tell_failures(swept)


def sweep_accounts(options: argparse.Namespace) -> None:
    """Read many accounts; print the images, or write them to a file."""
    files = [path for path in (options.out, options.coverage) if path is not None]
    for path in files:
        export.check_file(path)
    if len(set(files)) < len(files):
        raise InputError("--out and --coverage name the same file. Name two.")
    swept = _swept(options, strict=options.strict)
    if options.coverage is not None:
        export.save(swept.coverage, options.coverage)
    if options.out is not None:
        export.save(swept.images, options.out)
    elif len(swept.images):
        _print_table(swept.images, "--out has")
    say(repr(swept))
    _tell_failures(swept)


def record_sweep(options: argparse.Namespace) -> None:
    """Keep a sweep, or events, in a store; print a line that says what was kept."""
    history = History(options.store)
    if options.events is not None:
        _refuse_reading(options)
        events = from_events(options.events)
        history.record(events)
        print(f"recorded events={len(events)}", flush=True)
    else:
        swept = _swept(options, strict=False)
        history.record(swept)
        print(f"recorded {_counted(swept)}", flush=True)
    if options.compact:
        history.compact()
    if options.events is None:
        _tell_failures(swept)


def _refuse_reading(options: argparse.Namespace) -> None:
    """Refuse to be told both to read AWS and to keep what EventBridge told."""
    names = ("profile", "demo", "region", "filters", "accounts", "organization", "skip", "role")
    given = [name for name in names if getattr(options, name) not in (None, False)]
    if given:
        raise InputError(
            f"--events reads nothing of AWS, so --{given[0]} has no use. Leave one out."
        )


def _counted(swept: Sweep) -> str:
    """Return what a sweep brought, in words that a monitor can read."""
    ended = swept.coverage["status"].value_counts()
    counts = {
        "sweep_id": swept.sweep_id,
        "images": len(swept.images),
        "reads": len(swept.coverage),
        **{status: ended.get(status, 0) for status in STATUSES},
    }
    return " ".join(f"{name}={count}" for name, count in counts.items())


def _swept(options: argparse.Namespace, *, strict: bool) -> Sweep:
    """Sweep what the options name, which are checked before anything is sent."""
    filters = _filters(options)
    with demo() if options.demo else nullcontext() as running:
        return sweep(
            _targets_of(options, running),
            regions=options.region,
            filters=filters or None,
            max_workers=options.workers,
            progress=False if options.no_progress else sys.stderr.isatty(),
            strict=strict,
        )


def _targets_of(options: argparse.Namespace, running: Demo | None) -> list[Target]:
    """Return whom a sweep is to read."""
    whole = options.organization == []  # the option alone, without any part of it
    elsewhere = (options.accounts, options.organization, options.role, options.skip)
    if running and elsewhere == (None, None, None, None):
        return targets(profiles=running.accounts.values())
    return targets(
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
    if swept.was_interrupted:
        raise KeyboardInterrupt
    nothing = len(swept.failures) == len(swept.coverage) and swept.images.empty
    raise PartialError(failure_lines(swept.failures), nothing=nothing)


def _print(images: pd.DataFrame, form: str | None, *, filtered: bool) -> None:
    if form == "json":
        print(export.to_json(images))
    elif form == "csv":
        text = to_csv(images)
        if sys.stdout.isatty():  # a file gets what AWS sent, a terminal nothing to obey
            text = "\n".join(map(escape_unprintable, text.split("\n")))
        print(text, end="")
    elif len(images):
        _print_table(images, "--json and --csv have")
    sys.stdout.flush()
    say(export.summarize(images, filtered=filtered))


_ENDLESS = 100_000  # letters a line: a file has no edge


def _print_table(images: pd.DataFrame, whole: str) -> None:
    """Print as many columns as the terminal has room for; into a file, all of them."""
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _ENDLESS)
    table = export.to_table(images, console.width if terminal else None)
    console.print(table)
    left_out = export.HEADINGS[len(table.columns) :]
    if left_out:
        say(f"No room for {', '.join(left_out)}: {whole} everything.")
