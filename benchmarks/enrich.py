"""Speed of joins, against a loop over images. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import seconds
from fastlaunch_nb.joins import merge
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.columns import COLUMNS, COUNT, TEXT, TIME

SNAPSHOTS, IMAGES, PART = 500_000, 25_000, 200
POINTS = 500_000
START = pd.Timestamp("2026-01-01", tz="UTC")


def main() -> None:
    """Measure, and print a Markdown table."""
    rng = np.random.default_rng(0)
    images = fleet()
    made = snapshots(images, rng)
    points = numbers(images, rng)
    there = merge.match_regions(
        images, set(images[merge.ACCOUNT_REGION].itertuples(index=False, name=None))
    )
    windows = images[merge.ACCOUNT_REGION].drop_duplicates()
    windows = windows.assign(metrics_since=START, metrics_until=START + pd.Timedelta(days=14))
    windows["snapshots_time"] = START
    print("| what | measured | alternative | ratio | goal |\n|---|---|---|---|---|")
    what = f"join {SNAPSHOTS:,} snapshots to {IMAGES:,} images"
    ours = partial(merge.join_snapshots, images, made, windows, there)
    theirs = partial(loop, images, made)
    assert_same(ours(), theirs())
    row(what, ours, theirs, "5 s")
    what = f"join {POINTS:,} numbers of CloudWatch to them"
    row(
        what,
        partial(merge.join_metrics, images, points, windows, there),
        partial(sums, images, points),
    )


def row(what: str, ours: Callable[[], Any], theirs: Callable[[], Any], goal: str = "") -> None:
    """Print a row of the table: the loop is over some of the images, and scaled to all."""
    took, looped = seconds(ours), seconds(theirs) * IMAGES / PART
    naive = f"a loop in pandas: {looped:.0f} s ({PART} images, scaled)"
    print(f"| {what} | {took:.2f} s | {naive} | {looped / took:.0f} | {goal} |", flush=True)


def loop(images: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Count the snapshots of the first images, one image after the other."""
    found = []
    for image in images.head(PART).itertuples():
        own = made[
            (made["image_id"] == image.image_id)
            & (made["account_id"] == image.account_id)
            & (made["region"] == image.region)
        ]
        found.append((len(own), own["volume_gib"].sum(), own["snapshot_time"].min()))
    return pd.DataFrame(found, columns=["snapshots", "snapshot_gib", "oldest_snapshot_time"])


def sums(images: pd.DataFrame, points: pd.DataFrame) -> list[Any]:
    """Summarize the metrics of the first images, one image after the other."""
    found = []
    for image in images.head(PART).itertuples():
        own = points[
            (points["image_id"] == image.image_id)
            & (points["account_id"] == image.account_id)
            & (points["region"] == image.region)
        ].sort_values("time")
        short = own[own["available_snapshots"] < 5]
        found.append((own["available_snapshots"].tail(1), short["time"].min()))
    return found


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Check that both have the same values for the first images."""
    for name in theirs:
        assert ours[name].head(PART).tolist() == theirs[name].tolist(), name  # noqa: S101


# --- data -----------------------------------------------------------------------------


def fleet() -> pd.DataFrame:
    """Return images in many accounts and regions."""
    number = np.arange(IMAGES)
    columns: dict[str, list[Any]] = {
        "account_id": [f"{200_000_000_000 + n // 250}" for n in number],
        "region": [f"eu-west-{n % 10}" for n in number],
        "image_id": [f"ami-{n:017x}" for n in number],
        "state": ["enabled"] * IMAGES,
        "target_resource_count": [5] * IMAGES,
    }
    declared = [column for column in COLUMNS if column.name in merge.NEEDED]
    return merge.select_rows(
        make_table(
            (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)),
            declared,
        )
    )


def snapshots(images: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return snapshots of them."""
    made = images[merge.KEY].iloc[rng.integers(0, IMAGES, SNAPSHOTS)].reset_index(drop=True)
    hours = pd.to_timedelta(rng.integers(0, 300, SNAPSHOTS), unit="h")
    made["snapshot_state"] = pd.array(["completed"] * SNAPSHOTS, dtype=TEXT)
    made["snapshot_time"] = (START + hours).astype(TIME)
    made["volume_gib"] = pd.array(rng.integers(30, 100, SNAPSHOTS), dtype=COUNT)
    made["full_snapshot_bytes"] = made["volume_gib"] * 2**29
    return made


def numbers(images: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return numbers of them."""
    seen = images[merge.KEY].iloc[rng.integers(0, IMAGES, POINTS)].reset_index(drop=True)
    minutes = pd.to_timedelta(rng.integers(0, 14 * 288, POINTS) * 5, unit="min")
    seen["time"] = (START + minutes).astype(TIME)
    for name in ("available_snapshots", "fast_launches", "cold_launches"):
        seen[name] = pd.array(rng.integers(0, 8, POINTS), dtype=COUNT)
    return seen


if __name__ == "__main__":
    main()
