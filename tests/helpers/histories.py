"""Histories for tests: sweeps made from lists of images, and comparisons of all answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, TEXT
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import item

START = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight and a change of clocks follow soon
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
ACCOUNT_REGIONS = (
    ("111122223333", "eu-west-1"),
    ("111122223333", "us-east-1"),
    ("123456789012", "x-1"),
)


class SweepData(NamedTuple):
    """The parts of a sweep that a history records."""

    sweep_id: str
    images: pd.DataFrame
    coverage: pd.DataFrame
    started_at: pd.Timestamp


class Sweeps(NamedTuple):
    """Many sweeps in one, and events."""

    images: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame | None


def make_sweep(
    minute: float, *regions: tuple[tuple[str, str], list[dict[str, Any]] | str], sweep_id: str = ""
) -> SweepData:
    """Return a sweep at a minute: for each account and region its items, or the status."""
    time = pd.Timestamp(START + minute * MINUTE)
    sweep_id = sweep_id or f"sweep-{minute:07.2f}"
    items: list[dict[str, Any]] = []
    owners: list[tuple[str, str]] = []
    scans = []
    for (account_id, region), result in regions:
        status, listed = (result, []) if isinstance(result, str) else ("complete", result)
        items += listed
        owners += [(account_id, region)] * len(listed)
        scan = {"sweep_id": sweep_id, "account_id": account_id, "region": region, "scope": ""}
        size = {"rows": len(listed), "pages": 1}
        scans.append({**scan, **size, "status": status, "observed_at": time.floor("s")})
    images = fl.from_pages(items, observed_at=time.floor("s")) if items else empty_images()
    for number, name in enumerate(ACCOUNT_REGION):
        images[name] = pd.array([owner[number] for owner in owners], dtype=TEXT)
    return SweepData(sweep_id, images, make_coverage(scans), time)


def make_small_sweep(minute: float, sweep_id: str = "") -> SweepData:
    """Return a sweep of two images in each of two regions."""
    items = [
        {"ImageId": f"ami-{number:017x}", "State": "enabled", "MaxParallelLaunches": 6}
        for number in (1, 2)
    ]
    regions = ((account_region, items) for account_region in ACCOUNT_REGIONS[:2])
    return make_sweep(minute, *regions, sweep_id=sweep_id)


def join_sweeps(sweeps: Sequence[SweepData], events: pd.DataFrame | None = None) -> Sweeps:
    """Return sweeps as one, which is faster to record."""
    images = pd.concat([sweep.images for sweep in sweeps], ignore_index=True)
    coverage = pd.concat([sweep.coverage for sweep in sweeps], ignore_index=True)
    return Sweeps(images, coverage, events)


def make_event(
    account_region: tuple[str, str], number: int, state: str, time: datetime
) -> dict[str, Any]:
    """Return an EventBridge notification."""
    return {
        "id": f"{account_region}{number}{time}",
        "source": "aws.ec2",
        "detail-type": "EC2 Fast Launch State-change Notification",
        "account": account_region[0],
        "region": account_region[1],
        "time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "detail": {"imageId": f"ami-{number:017x}", "resourceType": "snapshot", "state": state},
    }


def make_history(folder: Path) -> fl.History:
    """Return a history of three small sweeps and an event."""
    history = fl.History(folder)
    for minute in range(3):
        history.record(make_small_sweep(minute))
    event = make_event(ACCOUNT_REGIONS[0], 1, "enabling", START)
    history.record(fl.from_events([event]))
    return history


def make_varied_history(folder: Path) -> fl.History:
    """Return a history with many states, and with files that dead writers left."""
    first, second, third = ACCOUNT_REGIONS
    history = fl.History(folder)
    history.record(make_sweep(0, (first, [item(1), item(2, "enabling")]), (second, [])))
    history.record(make_sweep(30, (first, [item(1, "enabling-failed")]), (third, [item(3)])))
    history.record(make_sweep(70, (first, "failed"), (second, [item(4, None)])))
    history.record(make_sweep(90, (first, [item(1), item(2)]), (third, "partial")))
    for kind in ("images", "coverage"):
        path = list_files(folder, kind)[0]
        path.with_name(f".{path.name}.0a1b2c3d").write_bytes(path.read_bytes())
    lost = make_small_sweep(9, "without-coverage")
    fl.History(folder).record(lost)
    for path in list_files(folder, "coverage"):
        if lost.sweep_id in path.name:
            path.unlink()
    return history


def query_all(history: fl.History) -> list[pd.DataFrame]:
    """Return the answers to all queries of a history."""
    first, last = START + 2 * MINUTE, START + 7 * MINUTE
    return [
        history.observations(),
        history.coverage(),
        history.intervals(),
        history.images(),
        history.images(at=first),
        history.diff(first, last),
    ]


def assert_same_answers(left: list[pd.DataFrame], right: list[pd.DataFrame]) -> None:
    """Compare the answers of two histories."""
    for left_frame, right_frame in zip(left, right, strict=True):
        assert_same(left_frame, right_frame)


def assert_same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Compare two DataFrames, with their dtypes."""
    pd.testing.assert_frame_equal(left, right, check_index_type=False)


def count_images(history: fl.History) -> dict[str, int]:
    """Return the number of images of each sweep."""
    counts = history.observations()["sweep_id"].value_counts()
    return {str(sweep_id): count for sweep_id, count in counts.items()}


def list_files(folder: Path, kind: str = "*") -> list[Path]:
    """Return the files of a store, without hidden ones."""
    return sorted(folder.glob(f"{kind}/date=*/[!.]*.parquet"))


def write_duckdb_source(folder: Path) -> str:
    """Return the SQL by which DuckDB reads the images of a store in place."""
    return (
        f"from read_parquet('{folder}/images/*/*.parquet', hive_partitioning=true) semi join "
        f"'{folder}/coverage/*/*.parquet' using (sweep_id, record_id)"
    )
