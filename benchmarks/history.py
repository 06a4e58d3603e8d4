"""Speed of a history: a month of sweeps every quarter of an hour. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

import fastlaunch_nb as fl
from benchmarks import seconds
from benchmarks.intervals import IMAGES, make_history
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.sources.pages import empty_images

SWEEPS = 30 * 24 * 4  # a month, one every quarter of an hour


class SweepData(NamedTuple):
    """A sweep that a history records."""

    images: pd.DataFrame
    coverage: pd.DataFrame


def main() -> None:
    """Measure, and print a Markdown table."""
    sweeps = month()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        writing = seconds(lambda: record(store, sweeps), runs=1)
        print("| what | measured | goal |\n|---|---|---|")
        print(f"| a sweep of {IMAGES:,} images recorded | {1000 * writing / SWEEPS:.0f} ms | |")
        measure(store, f"{SWEEPS:,} sweeps, a file each")
        merging = seconds(fl.History(store).compact, runs=1)
        print(f"| `compact()` of them | {merging:.1f} s | |")
        measure(store, "the same after `compact()`")


def measure(store: Path, what: str) -> None:
    """Print the times of queries of a newly opened store."""
    whole = seconds(lambda: fl.timeline(fl.History(store).intervals(), since=None), runs=1)
    at_length = seconds(lambda: everything(fl.History(store)), runs=1)
    size = sum(file.stat().st_size for file in store.rglob("*.parquet")) / 1e6
    print(f"| {what} ({size:.0f} MB): timeline | {whole:.1f} s | 3 s |")
    print(
        f"| the same through `observations()` and `coverage()` | {at_length / whole:.1f} times | |"
    )
    history = fl.History(store)
    history.intervals()
    print(
        f"| `images(at=...)`, once it is read | {seconds(lambda: then(history), runs=1):.2f} s | |"
    )


def everything(history: fl.History) -> Any:
    """Draw the timeline of all rows, without the history's own intervals."""
    return fl.timeline(fl.intervals(history.observations(), history.coverage()), since=None)


def then(history: fl.History) -> pd.DataFrame:
    """Return the fleet at a time within the month."""
    return history.images(at="2026-01-15T12:00:00Z")


def month() -> list[SweepData]:
    """Return the sweeps of a month, in order."""
    observations, scans = (table.to_pandas() for table in make_history(SWEEPS, every=900))
    number = scans.groupby(["account_id", "region"]).cumcount()
    sweep_id = number.map("sweep-{:05d}".format)
    coverage = make_coverage(scans.assign(sweep_id=sweep_id, rows=0).to_dict("records"))
    by = ["account_id", "region", "observed_at"]
    sweep_number = observations[by].merge(scans[by].assign(number=number), on=by)["number"]
    columns = [column.name for column in COLUMNS]
    images = (
        empty_images()
        .reindex(observations.index)
        .assign(**{name: observations[name] for name in observations})
    )
    images = images.assign(resource_type="snapshot", target_resource_count=5)[columns]
    return [SweepData(images[sweep_number == n], coverage[number == n]) for n in range(SWEEPS)]


def record(store: Path, sweeps: list[SweepData]) -> None:
    """Record each sweep."""
    history = fl.History(store)
    for sweep in sweeps:
        history.record(sweep)


if __name__ == "__main__":
    main()
