"""Speed of right sizing, and of the recurrence against events. ``make bench`` prints a table.

Compare the figures of one run with each other and with the goals, not with those of another day.
"""

from __future__ import annotations

from functools import partial

import fastlaunch_nb as fl
from benchmarks import seconds
from fastlaunch_nb.pool.launch_times import parse_launches
from fastlaunch_nb.pool.model import count_warm_launches

MORNINGS = "40 at 08:00 on weekdays"
ALL_DAY, NEVER_FULL = "1 an hour daily", "10 an hour daily"
TARGETS = range(1, 41)
FILL = 1_800_000_000


def main() -> None:
    """Measure, and print a Markdown table."""
    print("| what | measured | goal |\n|---|---|---|")
    for pattern, jitter in ((MORNINGS, 0), (MORNINGS, 7_200), (ALL_DAY, 0)):
        work = partial(fl.right_size, pattern, days=10_000, jitter=jitter)
        note = f", jitter {jitter:,} s" if jitter else ""
        print(f"| right size, {pattern}{note}: 10,000 days | {seconds(work):.1f} s | 5 s |")
    for pattern in (MORNINGS, NEVER_FULL):
        times = parse_launches(pattern, 1_000).times.tolist()
        by_event = seconds(partial(count_by_event, times))
        by_recurrence = seconds(partial(count_by_recurrence, times))
        what = f"{pattern}, 1,000 days, {len(TARGETS)} targets: a loop over `Pool`"
        print(f"| {what} | {by_event:.2f} s | |")
        print(f"| the same, by its recurrence | {by_event / by_recurrence:.1f} times as fast | |")


def count_by_event(times: list[int]) -> list[int]:
    """Return for each target how many launches find a snapshot, one event after the other."""
    counts = []
    for target in TARGETS:
        pool = fl.Pool(target, 6, FILL, stock=target)
        for now in times:
            pool.advance(now)
            pool.take()
        counts.append(pool.used)
    return counts


def count_by_recurrence(times: list[int]) -> list[int]:
    """Return for each target how many launches find a snapshot."""
    return [count_warm_launches(times, target, 6, FILL) for target in TARGETS]


if __name__ == "__main__":
    main()
