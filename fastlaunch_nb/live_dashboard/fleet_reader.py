"""Read a fleet for a dashboard: a sweep, every join that is allowed, the past, the findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeAlias

import pandas as pd

from fastlaunch_nb.aws.targets import TargetLike
from fastlaunch_nb.collect.result import Sweep
from fastlaunch_nb.collect.sweep import sweep
from fastlaunch_nb.errors import FastLaunchError, collect_warnings
from fastlaunch_nb.history.history import History
from fastlaunch_nb.joins.enrich import enrich, snapshots
from fastlaunch_nb.rules.evaluate import findings
from fastlaunch_nb.rules.unchecked import unchecked
from fastlaunch_nb.schema.columns import COMPLETE
from fastlaunch_nb.schema.joins import JOINS
from fastlaunch_nb.schema.prices import Prices
from fastlaunch_nb.state_intervals.pipeline import intervals

Report: TypeAlias = Callable[[str, int, int], object]
"""A function that gets a step of a read as text, and how much of how much is done."""


@dataclass(frozen=True)
class FleetRead:
    """The result of a read: the sweep, the data of a panel, and what is missing in it.

    `notes` name all else that could not be read; `gaps` are the result of
    :func:`fastlaunch_nb.unchecked`. Without any answer, the rest is empty.
    """

    sweep: Sweep
    images: pd.DataFrame
    intervals: pd.DataFrame | None
    findings: pd.DataFrame | None
    gaps: pd.DataFrame | None
    notes: Sequence[str]

    @property
    def has_answer(self) -> bool:
        """True if anything could be read."""
        return len(self.sweep.failures) < len(self.sweep.coverage)

    @property
    def time(self) -> pd.Timestamp:
        """The time of the newest answer, by AWS's clock; a failed scan has that of this machine."""
        coverage = self.sweep.coverage
        answered = coverage[coverage["pages"] > 0]
        time: pd.Timestamp = (answered if len(answered) else coverage)["observed_at"].max()
        return time


@dataclass(frozen=True)
class FleetReader:
    """The arguments of a dashboard's reads, which are all alike."""

    targets: Sequence[TargetLike]
    regions: Sequence[str] | None
    filters: Any
    history: History | None
    prices: Prices | None

    def read(self, report: Report, stop: Event) -> FleetRead:
        """Read the fleet with all that belongs to it; end early when `stop` is set."""
        with collect_warnings() as notes:
            swept = sweep(
                self.targets,
                regions=self.regions,
                filters=self.filters,
                progress=lambda done, total: report(
                    f"{done} of {total} accounts and regions", done, 3 * total
                ),
                stop=stop,
            )
            read = FleetRead(swept, swept.images, None, None, None, notes)
            if stop.is_set() or not read.has_answer:
                return read
            report("Reading names, stock, launches and costs …", 1, 3)
            images = enrich(swept.images, *JOINS, targets=self.targets, prices=self.prices)
            tables: dict[str, Any] = {
                "snapshots": self._read_snapshots(swept, notes),
                "intervals": self._read_intervals(swept, notes),
                "coverage": swept.coverage,
            }
            report("Checking for problems …", 9, 10)
            found = findings(images, **tables, prices=self.prices)
            gaps = unchecked(images, **tables)
        return FleetRead(swept, images, tables["intervals"], found, gaps, notes)

    def _read_snapshots(self, swept: Sweep, notes: list[str]) -> pd.DataFrame | None:
        """Return all snapshots of Fast Launch, also those of images that are gone."""
        is_complete = swept.coverage["status"].eq(COMPLETE)
        regions = swept.coverage.loc[is_complete, "region"].dropna().unique().tolist()
        try:
            return snapshots(self.targets, regions=regions) if regions else None
        except FastLaunchError as error:
            notes.append(f"Snapshots of images that are gone could not be read: {error}")
            return None

    def _read_intervals(self, swept: Sweep, notes: list[str]) -> pd.DataFrame | None:
        """Return the intervals of the history, continued by this sweep; nothing is recorded."""
        if self.history is None:
            return None
        try:
            past = self.history.observations(), self.history.coverage()
        except FastLaunchError as error:
            notes.append(f"The history could not be read: {error}")
            return None
        now = swept.images, swept.coverage
        rows, coverage = (
            pd.concat(pair, ignore_index=True) for pair in zip(past, now, strict=True)
        )
        result: pd.DataFrame = intervals(rows, coverage)
        return result
