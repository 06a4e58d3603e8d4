"""Speed of intervals, against handwritten SQL. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

import fastlaunch_nb as fl

IMAGES, PLACES, MAX_GAP = 1_000, 20, "1h"
MANY, FEW = 11_960, 1_196  # scans of each region: ten million observations, and one
SECOND, START = 1_000_000, 1_767_225_600_000_000  # in microseconds; 2026-01-01
STATES = ("enabling", "enabled", "enabled-failed", "disabling")
REASONS = ("Client.UserInitiated", "Server.Prepared", "Server.Failed", "Client.UserInitiated")
BY_HAND = Path(__file__).with_suffix(".sql").read_text()
RUNS = 3


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    tables = make_history(MANY)
    by_hand, ours = on_duckdb(tables)
    size = len(tables[0])
    print(f"| {size:,} observations on DuckDB, handwritten SQL | {by_hand:.1f} s | |")
    print(f"| the same, `fl.intervals` | {ours / by_hand:.2f} of that | 1.5 |")
    tables = make_history(FEW)
    by_hand, ours = on_duckdb(tables)
    print(f"| {len(tables[0]):,} observations on DuckDB, handwritten SQL | {by_hand:.1f} s | |")
    print(f"| the same, `fl.intervals` | {ours / by_hand:.2f} of that | |")
    for name, given_as in ENGINES.items():
        seconds = on_engine([given_as(table) for table in tables])
        print(f"| the same on {name} | {seconds / by_hand:.2f} of that | |")


def on_duckdb(tables: list[Any]) -> tuple[float, float]:
    """Return the seconds of handwritten SQL and of `fl.intervals`, for the same rows."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for name, table in zip(("observations", "coverage"), tables, strict=True):
        connection.from_arrow(table).create(name)

    def by_hand() -> None:
        connection.execute(f"create or replace table by_hand as {BY_HAND}")

    def ours() -> None:
        given = [connection.table(name) for name in ("observations", "coverage")]
        query = fl.intervals(given[0], given[1], max_gap=MAX_GAP).sql_query()
        connection.execute(f"create or replace table ours as {query}")

    seconds = measured(by_hand, ours)
    differing = (
        "from ((from by_hand except all from ours) union all (from ours except all from by_hand))"
    )
    if connection.execute(differing).fetchall():
        raise RuntimeError("The handwritten SQL and fl.intervals return different rows.")
    return seconds[0], seconds[1]


def on_engine(given: list[Any]) -> float:
    """Return the seconds that `fl.intervals` takes with frames in memory."""
    return measured(lambda: fl.intervals(given[0], given[1], max_gap=MAX_GAP))[0]


def measured(*ways: Callable[[], object]) -> list[float]:
    """Return the median seconds of each way, run in turn, so that all have the same load."""
    runs: list[list[float]] = [[] for _ in ways]
    for _ in range(RUNS):
        for way, took in zip(ways, runs, strict=True):
            began = time.perf_counter()
            way()
            took.append(time.perf_counter() - began)
    return [statistics.median(took) for took in runs]


def as_pandas(table: Any) -> Any:
    """Return a table as pandas reads it from a file."""
    return table.to_pandas()


def as_polars(table: Any) -> Any:
    """Return a table as a frame of Polars."""
    import polars

    return polars.from_arrow(table)


ENGINES: dict[str, Callable[[Any], Any]] = {"pandas": as_pandas, "Polars": as_polars}


# --- data -----------------------------------------------------------------------------


def make_history(scans: int, every: int = 300) -> list[Any]:
    """Return observations and coverage: a scan `every` so many seconds, failures, an outage."""
    draw = np.random.default_rng(0)
    times = START + (np.arange(scans) * every + draw.integers(0, 20, (PLACES, scans))) * SECOND
    times[:, scans // 3 :] += 6 * 3600 * SECOND
    fine = draw.random((PLACES, scans)) > 0.01
    seen = [
        [*image_seen(draw, times[place], fine[place]), place, image]
        for image in range(IMAGES)
        for place in [image % PLACES]
    ]
    size = [len(part[0]) for part in seen]
    at, since, state = (np.concatenate([part[n] for part in seen]) for n in range(3))
    place, image = (np.repeat([part[n] for part in seen], size) for n in (3, 4))
    order = np.argsort(at, kind="stable")  # as in a store: scan by scan
    observations = {
        **placed(place[order]),
        "image_id": texts(image[order], [f"ami-{n:017x}" for n in range(IMAGES)]),
        "state": texts(state[order], STATES),
        "state_transition_reason": texts(state[order], REASONS),
        "state_transition_time": moments(since[order]),
        "observed_at": moments(at[order]),
    }
    coverage = {
        **placed(np.repeat(np.arange(PLACES), scans)),
        "scope": pa.repeat("", PLACES * scans),
        "status": texts(fine.ravel().astype(int), ("failed", "complete")),
        "observed_at": moments(times.ravel()),
    }
    return [pa.table(observations), pa.table(coverage)]


def image_seen(draw: Any, times: Any, fine: Any) -> list[Any]:
    """Return the scans that list an image, with its states and transition times."""
    changes = draw.random(len(times)) < 0.001
    changes[0] = True
    run = np.cumsum(changes) - 1
    runs = run[-1] + 1
    since = times[changes] - draw.integers(1, 250 * SECOND, runs)
    state, gone = draw.integers(0, len(STATES), runs), draw.random(runs) < 0.15
    there = fine & ~gone[run]
    return [times[there], since[run][there], state[run][there]]


def placed(place: Any) -> dict[str, Any]:
    """Return the columns of account and region: four accounts with five regions each."""
    return {
        "account_id": texts(place, [f"{1 + n // 5:012}" for n in range(PLACES)]),
        "region": texts(place, [f"eu-west-{n % 5}" for n in range(PLACES)]),
    }


def texts(codes: Any, words: Any) -> Any:
    """Return texts by their codes."""
    return pa.DictionaryArray.from_arrays(codes.astype("int32"), list(words)).dictionary_decode()


def moments(microseconds: Any) -> Any:
    """Return times from microseconds."""
    return pa.array(microseconds, pa.timestamp("us", "UTC"))


if __name__ == "__main__":
    main()
