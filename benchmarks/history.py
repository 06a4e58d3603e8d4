"""Speed of a history: a month of sweeps every quarter of an hour. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
``python -m benchmarks.history --week`` records the first week of a fleet of 100 accounts with 20
regions each instead, in a few minutes.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import fastlaunch_nb as fl
from benchmarks import cpu_seconds, growth_exponent
from benchmarks.intervals import IMAGES, make_history
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.sources.pages import empty_images

A_DAY = 24 * 4  # sweeps, one every quarter of an hour
SWEEPS = 30 * A_DAY
SIZES = (2, 8, 30)  # days of stores that are compared: n, 4 n and about 16 n
ACCOUNTS, REGIONS = 100, 20
START = pd.Timestamp("2026-01-01T00:00:00Z")
NOON = "2026-01-01T12:00:00Z"
READS: dict[str, Callable[[fl.History], object]] = {
    "coverage()": lambda history: history.coverage(),
    "intervals()": lambda history: history.intervals(),
    "observations()": lambda history: history.observations(),
    "images(at=...)": lambda history: history.images(at=NOON),
    "diff(...)": lambda history: history.diff(NOON, "2026-01-02T00:00:00Z"),
}
GOALS = {"coverage()": "4 s", "intervals()": "2.5 s"}


class SweepData(NamedTuple):
    """A sweep that a history records."""

    images: pd.DataFrame
    coverage: pd.DataFrame


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        if "--week" in sys.argv[1:]:
            measure_week(Path(folder) / "store")
        else:
            measure_month(Path(folder))


# --- a month --------------------------------------------------------------------------


def measure_month(folder: Path) -> None:
    """Measure the reads of a month as it was recorded, after compact(), and of a part of it."""
    sweeps, store = month(), folder / "store"
    some_days = sweeps[: 4 * A_DAY]
    plain = cpu_seconds(lambda: record(folder / "plain", some_days, compact=False))
    merging = cpu_seconds(lambda: record(folder / "merging", some_days))
    print(f"| a sweep of {IMAGES:,} images recorded | {1000 * plain / len(some_days):.0f} ms | |")
    print(f"| the same, and each day merged | {merging / plain:.2f} of that | |")
    record(store, sweeps)
    print(f"| {SWEEPS:,} sweeps, as `record` leaves them | {describe_files(store)} | |")
    peaks = {name: peak(store, name) for name in READS}
    recorded = {name: measure(store, name) for name in READS}
    exponents = {name: measure_growth(store, name, folder) for name in READS}
    fl.History(store).compact()
    for name, took in recorded.items():
        print(f"| `{name}` of them | {took:.1f} s | {GOALS.get(name, '')} |")
        print(f"| the same, of its time after `compact()` | {took / measure(store, name):.2f} | |")
        print(f"| the same, memory at its peak | +{peaks[name]:.0f} MB | |")
        what = f"the same, growth from {SIZES[0]} to {SIZES[-1]} days"
        print(f"| {what} | n^{exponents[name]:.2f} | 1.1 |")
    history = fl.History(store)
    history.intervals()
    again = cpu_seconds(lambda: READS["images(at=...)"](history), runs=2)
    print(f"| `images(at=...)`, once it is read | {again:.2f} s | |")


def measure(store: Path, name: str, runs: int = 2) -> float:
    """Return the CPU time of a read of a newly opened store."""
    return cpu_seconds(lambda: READS[name](fl.History(store)), runs)


def measure_growth(store: Path, name: str, folder: Path) -> float:
    """Return the exponent with which the time of a read grows with the days."""
    times = {}
    for days in SIZES:
        part = folder / f"{days} days"
        if not part.exists():
            for path in sorted(store.glob("*/date=*")):
                if path.name < f"date={START + pd.Timedelta(days, 'D'):%Y-%m-%d}":
                    shutil.copytree(path, part / path.relative_to(store))
        times[days] = measure(part, name)
    return growth_exponent(times)


def peak(store: Path, name: str) -> float:
    """Return by how many MB a read raises the most memory that a new, small process had."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as executor:
        return executor.submit(_peak, store, name).result()


def _peak(store: Path, name: str) -> float:
    with tempfile.TemporaryDirectory() as folder:  # the first read loads Arrow and more
        history = fl.History(folder)
        for read in READS.values():
            read(history)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    READS[name](fl.History(store))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def describe_files(store: Path) -> str:
    """Return how many files a store has, and how large they are."""
    sizes = [file.stat().st_size for file in store.rglob("*.parquet")]
    return f"{len(sizes):,} files, {sum(sizes) / 1e6:.0f} MB"


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
    parts = images.groupby(sweep_number)
    return [SweepData(parts.get_group(n), coverage[number == n]) for n in range(SWEEPS)]


def record(store: Path, sweeps: Iterable[SweepData], *, compact: bool = True) -> None:
    """Record each sweep."""
    history = fl.History(store)
    for sweep in sweeps:
        history.record(sweep, compact=compact)


# --- the first week of a large fleet ---------------------------------------------------


def measure_week(store: Path) -> None:
    """Record a week of a large fleet, an image in each account and region, and read it."""
    history, sweeps = fl.History(store), 7 * A_DAY
    took = cpu_seconds(lambda: record(store, week(sweeps)))
    rows = ACCOUNTS * REGIONS
    print(f"| {sweeps:,} sweeps of {rows:,} scans and images | {describe_files(store)} | |")
    print(f"| a sweep recorded, and each day merged | {1000 * took / sweeps:.0f} ms | |")
    for kind in ("images", "coverage"):
        merged = sum(path.stat().st_size for path in store.glob(f"{kind}/*/merged-*"))
        print(f"| a row of {kind} in a merged file | {merged / (6 * A_DAY * rows):.1f} bytes | |")
    for name in ("coverage()", "intervals()"):
        print(f"| `{name}` | {measure(store, name, runs=1):.1f} s | |")
        print(f"| the same, memory at its peak | +{peak(store, name):.0f} MB | |")
    days = cpu_seconds(lambda: history.delete_before("2026-01-04"))
    print(f"| `delete_before` of three days | {days:.2f} s | |")


def week(sweeps: int) -> Iterator[SweepData]:
    """Yield sweeps of a fleet in which each image changes once in a week."""
    numbers = pd.Series(range(ACCOUNTS * REGIONS))
    where = {
        "account_id": (numbers // REGIONS).map("{:012}".format).astype("string"),
        "region": (numbers % REGIONS).map("region-{}".format).astype("string"),
    }
    images = empty_images().reindex(numbers).assign(**where)
    images["image_id"] = numbers.map("ami-{:017x}".format).astype("string")
    images = images.assign(resource_type="snapshot", target_resource_count=5)
    scans: Any = pd.DataFrame(where).assign(scope="", status="complete", rows=1, pages=1)
    coverage = make_coverage(scans.to_dict("records"))
    draw = np.random.default_rng(0)
    for number in range(sweeps):
        seconds = pd.Series(draw.integers(0, 60, len(numbers)))
        time = START + number * pd.Timedelta("15min") + pd.to_timedelta(seconds, "s")
        has_changed = numbers % sweeps <= number
        states = has_changed.map({True: "enabled", False: "enabling"}).astype("string")
        since = START + (numbers % sweeps).where(has_changed, 0) * pd.Timedelta("15min")
        yield SweepData(
            images.assign(state=states, state_transition_time=since, observed_at=time),
            coverage.assign(sweep_id=f"sweep-{number:05d}", observed_at=time),
        )


if __name__ == "__main__":
    main()
