"""The command findings: what is wrong, what to do about it, and what was not checked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.table import Table

from fastlaunch_nb import export
from fastlaunch_nb.cli.exit_codes import print_error, print_status
from fastlaunch_nb.cli.read_commands import (
    check_store_profile,
    make_console,
    open_store,
    open_targets,
    print_rows,
    raise_failures,
    refuse_source_options,
    sweep_targets,
)
from fastlaunch_nb.collect.result import Sweep
from fastlaunch_nb.errors import FastLaunchError, InputError, did_you_mean
from fastlaunch_nb.formatting import format_count, label_accounts, label_images
from fastlaunch_nb.joins.enrich import enrich, snapshots
from fastlaunch_nb.rules.cli_commands import render_command, show_command
from fastlaunch_nb.rules.evaluate import RULE_FAILED, RULES, findings
from fastlaunch_nb.rules.rule import SEVERITIES
from fastlaunch_nb.rules.unchecked import unchecked
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.schema.joins import JOINS
from fastlaunch_nb.shells import SHELLS, get_native_shell
from fastlaunch_nb.state_intervals.pipeline import intervals

_RENAMED = {"passed-by": "pool-bypassed", "left-over": "excess-snapshots"}
"""Rules that had another name in the last release."""


def print_findings(options: argparse.Namespace) -> None:
    """Print what is wrong with the images of accounts or of a store, or what was not checked."""
    names = _parse_rule_names(options.rule)
    for severity in options.severity or ():
        _check_name("--severity", severity, SEVERITIES)
    if options.shell is not None:
        _check_name("--shell", options.shell, SHELLS)
    if options.store is None:
        check_store_profile(options)
        inputs, result = _read_accounts(options)
    else:
        refuse_source_options(options, "--store")
        inputs, result = _read_store(options), None
    found = findings(**inputs)
    is_chosen = found["finding"].isin([*names, RULE_FAILED])
    if options.severity:
        is_chosen &= found["severity"].isin(options.severity)
    found = found[is_chosen].reset_index(drop=True)
    missing = unchecked(**inputs, rules=[rule for rule in RULES if rule.name in names])
    if options.unchecked:
        _print_unchecked(missing, options)
    else:
        _print_findings(found, inputs["images"], options)
        print_status(_summarize(found, missing, len(inputs["images"])))
    if result is not None:
        raise_failures(result)


def _parse_rule_names(names: list[str] | None) -> list[str]:
    """Return the names of rules, by default of all; a name of the last release has a warning."""
    known = [rule.name for rule in RULES]
    chosen = []
    for name in names or known:
        if name in _RENAMED:
            print_error(f"The rule {name!r} is now {_RENAMED[name]!r}.")
        else:
            _check_name("--rule", name, known)
        chosen.append(_RENAMED.get(name, name))
    return chosen


def _check_name(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        hint = did_you_mean(value, known) or f" Expected one of {', '.join(known)}."
        raise InputError(f"{option} has {value!r}.{hint}")


# --- what the rules judge -------------------------------------------------------------


def _read_accounts(options: argparse.Namespace) -> tuple[dict[str, Any], Sweep]:
    """Sweep accounts and read all that rules need; return it with the sweep."""
    with open_targets(options) as (accounts, running):
        result = sweep_targets(options, accounts)
        images = result.images
        inputs: dict[str, Any] = {"coverage": result.coverage}
        if len(images) and not result.was_interrupted:
            images = enrich(images, *JOINS, targets=accounts, max_workers=options.workers)
            regions = options.region or sorted(images["region"].dropna().unique())
            try:
                inputs["snapshots"] = snapshots(
                    accounts, regions=regions, max_workers=options.workers
                )
            except FastLaunchError as error:  # then no rule judges orphaned snapshots
                print_error(error)
        if running:
            history = running.history
            inputs["intervals"] = intervals(history.observations, history.coverage)
    return {"images": images, **inputs}, result


def _read_store(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a store knows at its last scan."""
    history = open_store(options)
    return {"images": history.images(), "intervals": history.intervals()}


# --- output ---------------------------------------------------------------------------


def _print_findings(found: pd.DataFrame, images: pd.DataFrame, options: argparse.Namespace) -> None:
    shell = options.shell or get_native_shell()
    if options.json or options.csv:
        if options.shell:
            commands = found["command"].map(
                lambda text: render_command(text, shell), na_action="ignore"
            )
            found = found.assign(command=commands.astype(found["command"].dtype))
        print_rows(found.drop(columns=["remedy", "monthly_usd"]), options)
    elif len(found):
        named = found.assign(_image=_label_images(found, images), _account=label_accounts(found))
        console = make_console()
        console.print(_make_table(named), "")
        for line in _list_advice(named, shell):
            print(line)
    sys.stdout.flush()


def _label_images(found: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """Return the name of each finding's image, or its id; empty for a finding about a region."""
    names = [name for name in ("image_name",) if name in images]
    known = images[[*KEY, *names]].drop_duplicates(list(KEY))
    return label_images(found.merge(known, "left", list(KEY))).where(found["image_id"].notna(), "")


def _make_table(named: pd.DataFrame) -> Table:
    """Return findings as a table that wraps the evidence."""
    columns = {
        "Severity": "severity",
        "Finding": "finding",
        "Account": "_account",
        "Region": "region",
        "Image": "_image",
        "Evidence": "evidence",
    }
    table = export.make_table()
    for heading in columns:
        table.add_column(heading, no_wrap=heading in ("Severity", "Finding", "Region"))
    for values in named[list(columns.values())].itertuples(index=False):
        table.add_row(*map(export.make_printable, values))
    return table


def _list_advice(named: pd.DataFrame, shell: str) -> list[str]:
    """Return the advice of each rule once, as lines, with the commands of its findings."""
    lines = ["What to do. Each command runs only in the account that it names; check it first."]
    for (rule, advice), rows in named.groupby(["finding", "advice"], sort=False, dropna=False):
        lines += ["", f"{rule}: {export.make_printable(advice)}"]
        for command in rows["command"].dropna().drop_duplicates():
            lines.append(f"  {export.make_printable(show_command(command, shell))}")
    return lines


def _print_unchecked(missing: pd.DataFrame, options: argparse.Namespace) -> None:
    if not print_rows(missing, options) and len(missing):
        table = export.make_table()
        for heading in ("Rule", "Why", "Account, regions", "What to do"):
            table.add_column(heading)
        for (rule, why, how), rows in missing.groupby(["rule", "why", "how"], sort=False):
            table.add_row(*map(export.make_printable, (rule, why, _format_places(rows), how)))
        make_console().print(table)
    sys.stdout.flush()
    print_status(_format_unchecked(missing) or "All rules could judge all images.")


def _format_places(rows: pd.DataFrame) -> str:
    """Return the accounts and their regions that a rule could not judge."""
    accounts = rows.dropna(subset=["account_id"]).groupby("account_id", sort=False)["region"]
    return "; ".join(f"{name}: {', '.join(regions)}" for name, regions in accounts) or "all"


def _summarize(found: pd.DataFrame, missing: pd.DataFrame, images: int) -> str:
    """Return how much was found, and how many rules could not judge."""
    if not images:
        return "There are no images to check."
    counts = found["severity"].value_counts(sort=False)
    severities = ", ".join(f"{count} {name}" for name, count in counts.items())
    text = f"{format_count(len(found), 'finding')}: {severities}." if len(found) else "No finding."
    note = _format_unchecked(missing)
    return f"{text} {note} Use --unchecked to see why." if note else text


def _format_unchecked(missing: pd.DataFrame) -> str:
    count = missing["rule"].nunique()
    return f"{count} of {len(RULES)} rules could not judge all images." if count else ""
