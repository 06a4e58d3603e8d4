"""Speed of filtering and counting, against plain masks of pandas. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

import fastlaunch_nb as fl
from benchmarks import seconds
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import FACETS, get_facet_values
from fastlaunch_nb.schema.columns import API_STATES, COLUMNS, COUNT

SIZES = (100_000, 1_000_000)
BEFORE = fl.Filters(state=["enabled", "enabling"], target_resource_count=(3, 30), text="runne")
CHANGES = {
    "a letter is typed": fl.Filters(
        state=["enabled", "enabling"], target_resource_count=(3, 30), text="runner"
    ),
    "an image's id is typed": fl.Filters(text="ami-0000000000000abc"),
    "a box is ticked": fl.Filters(
        state=["enabled", "enabling", "disabling"], target_resource_count=(3, 30), text="runne"
    ),
    "a slider is moved": fl.Filters(
        state=["enabled", "enabling"], target_resource_count=(4, 30), text="runne"
    ),
}
PICTURES = ("target_resource_count", "max_parallel_launches", "state_transition_time")
SEARCHED = [
    *("account_id", "region", "owner_id", "launch_template_name"),
    *("launch_template_id", "state", "state_transition_reason"),
]


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    for size in SIZES:
        images = fleet(size)
        made = seconds(partial(all_at_once, images), runs=1)
        print(f"| {size:,} images: made ready, with a first selection | {made:.2f} s | |")
        ready = FacetIndex(images)
        for words, filters in CHANGES.items():
            took = min(changed(ready, filters) for _ in range(3))
            goal = "50 ms" if size == SIZES[0] else ""
            what = "rows kept, 7 facets counted, 3 histograms"
            print(f"| {size:,} images, {words}: {what} | {took * 1000:.0f} ms | {goal} |")
        typed = CHANGES["a letter is typed"]
        four = min(changed(ready, typed, FACETS[:4]) for _ in range(3))
        print(f"| the same, rows kept and 4 facets counted | {four * 1000:.0f} ms | |")
        ratio = seconds(partial(masks, images, typed, FACETS[:4])) / four
        print(f"| the same, against masks of pandas | {ratio:.0f} times as fast | |")


def fleet(size: int) -> pd.DataFrame:
    """Return images in 200 accounts and 17 regions, each with an id of its own."""
    random = np.random.default_rng(0)
    number = np.arange(size)
    states = np.array(API_STATES)[random.integers(0, 6, size)]
    since = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
        random.integers(0, 10**7, size), "s"
    )
    columns = {
        "account_id": pd.Series(100_000_000_000 + number % 200).astype(str),
        "region": pd.Series("region-" + pd.Series(number % 17).astype(str)),
        "image_id": [f"ami-{n:017x}" for n in number],
        "state": states,
        "state_transition_reason": pd.Series("Client.UserInitiated", np.arange(size)).where(
            states == "enabled"
        ),
        "state_transition_time": since,
        "resource_type": "snapshot",
        "target_resource_count": pd.array(random.integers(0, 50, size), dtype=COUNT),
        "max_parallel_launches": pd.array(random.integers(6, 40, size), dtype=COUNT),
        "launch_template_id": [f"lt-{n:017x}" for n in number // 10],
        "launch_template_name": pd.Series("runner-" + pd.Series(number % 500).astype(str)),
        "launch_template_version": "1",
        "owner_id": pd.Series(100_000_000_000 + number % 7).astype(str),
        "observed_at": pd.Timestamp("2026-06-01", tz="UTC"),
    }
    images = pd.DataFrame(columns)
    return images.astype({c.name: c.dtype for c in COLUMNS if c.name in columns})


def all_at_once(images: pd.DataFrame) -> None:
    """Index a frame, and apply first filters."""
    apply_filters(FacetIndex(images), BEFORE)


def changed(ready: FacetIndex, filters: fl.Filters, facets: Sequence[str] = ()) -> float:
    """Return the time that a change of the filters takes."""
    apply_filters(ready, BEFORE, facets)
    return seconds(partial(apply_filters, ready, filters, facets), runs=1)


def apply_filters(ready: FacetIndex, filters: fl.Filters, facets: Sequence[str] = ()) -> None:
    """Filter, and count some facets, or all facets and histograms."""
    ready.keep(filters.active())
    ready.counts(filters.active(), facets or FACETS)
    for name in () if facets else PICTURES:
        ready.histogram(filters.active(), name, 40)


def masks(images: pd.DataFrame, filters: fl.Filters, facets: Sequence[str]) -> None:
    """Do the same with a mask for each filter, and a count for each facet."""
    text = images["image_id"].str.cat(images[SEARCHED].fillna(""), sep="\n").str.casefold()
    masks_by_name = {
        "state": images["state"].isin(list(filters.state)),
        "target_resource_count": images["target_resource_count"].between(3, 30),
        "text": text.str.contains(filters.text, regex=False),
    }
    for facet in facets:
        keep = pd.Series(True, index=images.index)
        for name, mask in masks_by_name.items():
            if name != facet:
                keep &= mask.astype(bool)
        get_facet_values(images, facet)[keep].value_counts().sort_index().to_dict()


if __name__ == "__main__":
    main()
