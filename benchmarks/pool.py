"""How fast pools are played, beside the loop over one of them. ``make bench`` prints a table.

Figures of one run on one machine: compare them with each other, and with what is
to be reached, not with those of another day.
"""

from __future__ import annotations

from functools import partial

import numpy as np

import fastlaunch_nb as fl
from benchmarks import seconds
from fastlaunch_nb.pool.launch_pattern import launch_times
from fastlaunch_nb.pool.simulation import Whole, found

MORNINGS = "40 at 08:00 on weekdays"
ALL_DAY, NEVER_FULL = "1 an hour daily", "10 an hour daily"
TARGETS = np.arange(1, 41)
PARALLELS = np.full(40, 6)
FILL = 1_800_000_000


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | to reach |\n|---|---|---|")
    for words, spread in ((MORNINGS, 0), (MORNINGS, 7_200), (ALL_DAY, 0)):
        took = seconds(partial(fl.right_size, words, days=10_000, spread=spread))
        more = f", spread over {spread:,} s" if spread else ""
        print(f"| right size, {words}{more}: 10,000 days | {took:.1f} s | 5 s |")
    for words in (MORNINGS, NEVER_FULL):
        times = launch_times(words, 1_000)
        one_by_one = seconds(partial(loops, times))
        at_once = seconds(partial(found, times, TARGETS, PARALLELS, FILL))
        what = f"{words}, 1,000 days, {len(TARGETS)} targets: a loop over `Pool`"
        print(f"| {what} | {one_by_one:.2f} s | |")
        print(f"| the same, all at once | {one_by_one / at_once:.1f} times as fast | |")


def loops(times: Whole) -> list[list[bool]]:
    """Return for each target which launches find a snapshot."""
    return [loop(times, target) for target in TARGETS.tolist()]


def loop(times: Whole, target: int) -> list[bool]:
    """Return which launches find a snapshot, one event after the other."""
    pool, seen = fl.Pool(target, 6, FILL, stock=target), []
    for now in times.tolist():
        pool.advance(now)
        seen.append(pool.take())
    return seen


if __name__ == "__main__":
    main()
