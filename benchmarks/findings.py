"""Speed of findings, against rules that read row by row. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import fastlaunch_nb as fl
from benchmarks import cpu_seconds, growth_exponent, seconds
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.rules.rule import ENABLED_STATES
from fastlaunch_nb.rules.state_rules import MAX_TIME_IN_STATE
from fastlaunch_nb.schema.columns import COLUMNS, FAILED_STATES
from fastlaunch_nb.schema.joins import JOINED

IMAGES = 100_000
SIZES = {62_500: "", 250_000: "", 1_000_000: "5 s"}
AT = pd.Timestamp("2026-01-15T12:00:00Z")


def main() -> None:
    """Measure, and print a Markdown table."""
    images = fleet(IMAGES)
    found = fl.findings(images)
    at_once = seconds(lambda: fl.findings(images))
    alone = {"failed", "stuck", "image-gone"}
    some = [rule for rule in fl.RULES if rule.name in alone]
    part = fl.findings(images, rules=some)
    one_by_one = seconds(lambda: naive(images))
    naively = naive(images)
    assert len(part) == len(naively), (len(part), len(naively))  # noqa: S101
    three = seconds(lambda: fl.findings(images, rules=some))
    print("| what | measured | goal |\n|---|---|---|")
    what = f"findings over {IMAGES:,} enriched images, {len(fl.RULES)} rules, {len(found):,} found"
    print(f"| {what} | {at_once:.2f} s | 2 s |")
    print(f"| three of the rules, row by row with `iterrows` | {one_by_one:.1f} s | |")
    print(f"| the same three here | {one_by_one / three:.0f} times as fast | |")
    times = {size: opened(fleet(size)) for size in (IMAGES, *SIZES)}
    print(
        f"| the findings tab of {IMAGES:,} images opens | {times.pop(IMAGES):.2f} s CPU | 0.5 s |"
    )
    for size, goal in SIZES.items():
        print(f"| of {size:,} | {times[size]:.2f} s CPU | {goal} |")
    print(f"| its growth: the exponent | {growth_exponent(times):.2f} | 1.1 |")


def opened(images: pd.DataFrame) -> float:
    """Return the CPU seconds until the findings of a panel are on its screen."""
    panel = fl.panel(images)
    return cpu_seconds(lambda: setattr(panel._tabs, "selected_index", TITLES.index("Findings")))


def fleet(count: int) -> pd.DataFrame:
    """Return enriched images; about one in ten has a problem."""
    rng = np.random.default_rng(0)
    target = rng.choice([5, 10, 20, 40], count)
    short = rng.random(count) < 0.02
    columns: dict[str, Any] = {
        "account_id": rng.choice([f"{n:012}" for n in range(200)], count),
        "region": rng.choice(["us-east-1", "eu-west-1", "ap-southeast-2"], count),
        "image_id": [f"ami-{n:017x}" for n in range(count)],
        "image_name": [f"win2022-{n // 3}" for n in range(count)],
        "image_state": np.where(rng.random(count) < 0.01, "absent", "available"),
        "state": rng.choice(["enabled"] * 48 + ["enabling", "enabled-failed"], count),
        "state_transition_time": [AT - pd.Timedelta(days=30)] * count,
        "observed_at": [AT] * count,
        "target_resource_count": target,
        "max_parallel_launches": rng.choice([6, 10], count),
        "available_snapshots": np.where(short, target // 2, target),
        "fast_launches": np.where(rng.random(count) < 0.02, 0, 9),
        "cold_launches": np.where(rng.random(count) < 0.01, 3, 0),
        "metrics_since": [AT - pd.Timedelta(days=14)] * count,
        "metrics_until": [AT] * count,
        "monthly_usd": target * 2.5,
    }
    dtypes = {**{column.name: column.dtype for column in COLUMNS}, **JOINED}
    return pd.DataFrame(columns).reindex(columns=list(dtypes)).astype(dtypes)


def naive(images: pd.DataFrame) -> list[tuple[str, str]]:
    """Return what three of the rules find, one row after the other."""
    found = []
    for _, row in images.iterrows():
        if row["state"] in FAILED_STATES:
            found.append(("failed", row["image_id"]))
        limit = MAX_TIME_IN_STATE.get(row["state"])
        if limit is not None and row["observed_at"] - row["state_transition_time"] > limit:
            found.append(("stuck", row["image_id"]))
        if row["image_state"] != "available" and row["state"] in ENABLED_STATES:
            found.append(("image-gone", row["image_id"]))
    return found


if __name__ == "__main__":
    main()
