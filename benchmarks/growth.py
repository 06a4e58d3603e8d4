"""Growth of every read and view with its data. ``make bench`` prints a table.

Each is measured at a size, at four and at sixteen times that size, in CPU seconds. The exponent is
1 if the time grows as the data does, and 2 if it grows with the square.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd

import fastlaunch_nb as fl
from benchmarks import cpu_seconds, growth_exponent
from benchmarks.filters import BEFORE, fleet
from benchmarks.replay import Replay
from benchmarks.sweep import ENVIRONMENT, HOME, ROLE
from fastlaunch_nb.excel import write_workbook
from fastlaunch_nb.export import to_json
from fastlaunch_nb.formatting import to_csv
from fastlaunch_nb.schema.arrow import make_coverage

Work = Callable[[], object]
GOAL = 1.1


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | rows | CPU s | exponent | goal |\n|---|---|---|---|---|")
    for what, (size, prepare) in VIEWS.items():
        taken = {rows: cpu_seconds(prepare(rows), runs=2) for rows in (size, 4 * size, 16 * size)}
        sizes, times = (", ".join(texts) for texts in zip(*map(write, taken.items()), strict=True))
        print(f"| {what} | {sizes} | {times} | {growth_exponent(taken):.2f} | {GOAL} |", flush=True)


def write(taken: tuple[int, float]) -> tuple[str, str]:
    """Return a number of rows and the seconds that they took as text."""
    rows, seconds = taken
    return f"{rows:,}", f"{seconds:.2f}"


# --- reads ----------------------------------------------------------------------------


def describe(rows: int) -> Work:
    """Read all images of one account and region over HTTP."""
    server = Replay(images=rows)  # ends with this process
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=server.url)
    return partial(fl.describe, boto3.Session(region_name=HOME), region=HOME)


def sweep(rows: int) -> Work:
    """Read accounts in 20 regions over HTTP, one in ten with images."""
    server = Replay(regions=20, every=10)
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=server.url)
    accounts = [f"{10**11 + number}" for number in range(rows // 20)]
    return partial(fl.sweep, fl.targets(accounts=accounts, role=ROLE), progress=False, strict=True)


def pages(rows: int) -> Work:
    """Convert pages of boto3."""
    items = [{"ImageId": f"ami-{number:017x}", "State": "enabled"} for number in range(rows)]
    listed = [{"FastLaunchImages": items[first : first + 200]} for first in range(0, rows, 200)]
    return partial(fl.from_pages, listed)


def events(rows: int) -> Work:
    """Convert events of EventBridge."""
    detail = {"imageId": "ami-0abcdef1234567890", "resourceType": "snapshot", "state": "enabled"}
    event = {
        "detail-type": "EC2 Fast Launch State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "region": HOME,
        "detail": detail,
        "time": "2026-01-15T12:00:00Z",
    }
    return partial(fl.from_events, [{**event, "id": f"{number:032x}"} for number in range(rows)])


def load(suffix: str, rows: int) -> Work:
    """Load a file."""
    path = Path(tempfile.mkdtemp()) / f"images{suffix}"
    fleet(rows).to_csv(path, index=False) if suffix == ".csv" else fleet(rows).to_parquet(path)
    return partial(fl.load, path)


# --- history and intervals ------------------------------------------------------------


def observe(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return observations of 100 images in scans every quarter of an hour, and the scans."""
    times = pd.date_range("2026-01-01", periods=rows // 100, freq="15min", tz="UTC")
    seen = pd.concat([fleet(100)] * len(times), ignore_index=True)
    seen = seen.assign(
        account_id="123456789012",
        region=HOME,
        observed_at=np.repeat(times.as_unit("us"), 100),
        state=np.where(np.arange(len(seen)) // 100 % 7 < 6, "enabled", "enabling"),
    )
    seen["state_transition_time"] = seen["observed_at"] - pd.Timedelta(hours=1)
    scan = {"account_id": "123456789012", "region": HOME, "scope": "", "status": "complete"}
    scans = make_coverage(
        {**scan, "sweep_id": f"{when:%Y%m%dT%H%M%S}", "rows": 100, "observed_at": when}
        for when in times
    )
    return seen.astype(fleet(1).dtypes), scans


def intervals(rows: int) -> Work:
    """Compute intervals of observations."""
    return partial(fl.intervals, *observe(rows))


class Recorded:
    """Observations and their scans, as a history records them."""

    def __init__(self, rows: int) -> None:
        self.images, self.coverage = observe(rows)


def record(rows: int) -> Work:
    """Record sweeps into an empty history."""
    sweeps = Recorded(rows)
    return lambda: fl.History(tempfile.mkdtemp()).record(sweeps)


def query(method: str, rows: int) -> Work:
    """Read a history that has one file a day."""
    folder = tempfile.mkdtemp()
    fl.History(folder).record(Recorded(rows))

    def read() -> object:  # by a new History, as another one keeps what it has read
        return getattr(fl.History(folder), method)()

    return read


# --- views ----------------------------------------------------------------------------


def states(rows: int) -> pd.DataFrame:
    """Return one interval of each image."""
    images = fleet(rows)
    return fl.intervals(images)


def launches(rows: int) -> Work:
    """Size a pool for launches at random times."""
    times = pd.date_range("2026-01-01", periods=rows, freq="min", tz="UTC")
    return partial(fl.right_size, times)


def view(show: Callable[[Any], object], rows: int) -> Work:
    """Show a fleet."""
    return partial(show, fleet(rows))


def show_map(rows: int) -> Work:
    """Draw a map of accounts in 20 regions."""
    accounts = rows // 20
    scan = {"sweep_id": "s", "scope": "", "status": "complete", "rows": 5}
    coverage = make_coverage(
        {**scan, "account_id": f"{10**11 + account}", "region": f"region-{region}"}
        for account in range(accounts)
        for region in range(20)
    )
    coverage["observed_at"] = pd.Timestamp("2026-06-01", tz="UTC")
    return partial(fl.fleet_map, coverage)


VIEWS: dict[str, tuple[int, Callable[[int], Work]]] = {
    "describe": (2_000, describe),
    "sweep": (100, sweep),
    "from_pages": (5_000, pages),
    "from_events": (2_000, events),
    "load of CSV": (5_000, partial(load, ".csv")),
    "load of Parquet": (20_000, partial(load, ".parquet")),
    "intervals": (20_000, intervals),
    "History.record": (20_000, record),
    **{f"History.{name}": (20_000, partial(query, name)) for name in ("coverage", "observations")},
    **{f"History.{name}": (20_000, partial(query, name)) for name in ("intervals", "images")},
    "Filters": (50_000, partial(view, BEFORE.apply)),
    "findings": (5_000, partial(view, fl.findings)),
    "panel": (5_000, partial(view, fl.panel)),
    "capacity": (5_000, partial(view, fl.capacity)),
    "state_mix": (5_000, lambda rows: partial(fl.state_mix, states(rows))),
    "timeline": (5_000, lambda rows: partial(fl.timeline, states(rows))),
    "fleet_map": (2_000, show_map),
    "right_size": (1_000, launches),
    "CSV": (10_000, partial(view, to_csv)),
    "JSON": (10_000, partial(view, to_json)),
    "Excel": (500, partial(view, write_workbook)),
}


if __name__ == "__main__":
    main()
