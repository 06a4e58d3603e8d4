"""Many pools at once, over the same launches: which launch finds a snapshot in which pool.

It is :class:`~fastlaunch_nb.pool.model.Pool`, which starts full, in another form. Number the
launches that found a snapshot 0, 1, 2 …, and with each the one that is prepared in its
place. With `m` preparation instances, each of which takes `fill_time`, that one is there at

    end[n] = max(taken[n], end[n - m]) + fill_time

since it begins when an instance is free, and they end in the order in which they began. After
`n` launches that found one, the next finds one exactly if `end[n - target]` has come.

**Stretches.** Were all launches to find one, the ends would be known at once. Where the
last of them has come before a launch, the pool is full there: also a pool that missed launches,
which had less to prepare. There all pools begin anew, so that all stretches between such
launches are played side by side.

**More is never worse.** Suppose that a pool with a larger target, or more instances, is behind
a smaller one for the first time: both have found `n`, and it misses what the other finds. It was
never behind before, so each of its `end` came no later, and it has at least as many snapshots: a
contradiction. So at every moment it has found at least as many launches (not: the same ones), and
the smallest target can be searched for between one that is too small and one that is enough.

Times are whole numbers, in any unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Whole: TypeAlias = NDArray[np.int64]

_LONG_AGO = np.iinfo(np.int64).min // 2
_CELLS = 1 << 22
"""How many times are held at once, about: more pools than fit are played after one another."""
_BLOCK = 1 << 10
"""After so many launches, what is no longer needed of them is given up."""


def warm_counts(times: Whole, targets: Whole, parallels: Whole, fill_time: int) -> Whole:
    """Return, for each pool, how many of the launches find a snapshot; as :func:`found`."""
    width = max(1, (1 << 26) // len(times))
    parts = [slice(at, at + width) for at in range(0, len(targets), width)]
    counts = [found(times, targets[p], parallels[p], fill_time).sum(axis=1) for p in parts]
    return np.concatenate(counts)


def found(times: Whole, targets: Whole, parallels: Whole, fill_time: int) -> NDArray[np.bool_]:
    """Return a row a pool, a column a launch: whether that launch finds a snapshot.

    Parameters
    ----------
    times : array of int64
        When the launches are, sorted, one or more; those at the same time one after the other.
    targets, parallels : array of int64
        `target` (1 or more) and `max_parallel` of each pool.
    fill_time : int
        What a preparation instance takes, 1 or more.

    Returns
    -------
    array of bool

    Examples
    --------
    Three launches at once, one a minute later: pools of one, two and three snapshots.

    >>> times = np.array([0, 0, 0, 60])
    >>> found(times, np.array([1, 2, 3]), np.array([6, 6, 6]), 60).astype(int)
    array([[1, 0, 0, 1],
           [1, 1, 0, 1],
           [1, 1, 1, 1]])
    """
    first = _stretches(times, ends(times, int(parallels.min()), fill_time))
    length = np.diff(np.append(first, len(times)))
    longest_first = np.argsort(-length, kind="stable")
    first, length = first[longest_first], length[longest_first]
    seen = np.empty((len(targets), len(times)), dtype=bool)
    parallels = np.minimum(parallels, targets)  # more are never at work
    for pools, some in _portions(targets, parallels, length):
        pair = (targets[pools][:, None], parallels[pools][:, None])
        _play(times, first[some], length[some], *pair, fill_time=fill_time, seen=seen[pools])
    return seen


def ends(times: Whole, max_parallel: int, fill_time: int) -> Whole:
    """Return when each launch's snapshot is replaced if every launch finds one, in order.

    Every `max_parallel`-th of them is a chain of its own, `end[k] = max(time[k],
    end[k - 1]) + fill_time`; less `k` times the fill time, that is a running maximum.

    Examples
    --------
    >>> ends(np.array([0, 0, 0, 500]), 2, 60)
    array([ 60,  60, 120, 560])
    """
    max_parallel = min(max_parallel, len(times))
    rows = -(-len(times) // max_parallel)
    chains = np.full(rows * max_parallel, times[-1])
    chains[: len(times)] = times
    before = np.arange(rows)[:, None] * fill_time
    latest = np.maximum.accumulate(chains.reshape(rows, max_parallel) - before, axis=0)
    replaced: Whole = (latest + before + fill_time).ravel()[: len(times)]
    return replaced


def full_target(times: Whole, max_parallel: int, fill_time: int) -> int:
    """Return the smallest target with which every launch finds a snapshot.

    Examples
    --------
    >>> full_target(np.array([0, 0, 0, 60, 60]), 1, 60)
    4
    """
    back = np.searchsorted(ends(times, max_parallel, fill_time), times, side="right")
    return int((np.arange(1, len(times) + 1) - back).max())


def _stretches(times: Whole, replaced: Whole) -> Whole:
    """Return at which launches every pool is full, so that they are a beginning."""
    return np.flatnonzero(np.append(True, replaced[:-1] <= times[1:]))


def _portions(targets: Whole, parallels: Whole, length: Whole) -> Iterator[tuple[slice, slice]]:
    """Yield pools and stretches to be played at once, so that what is held stays small."""
    depth = int(max(targets.max(), parallels.max()))
    columns = max(1, _CELLS // (depth + min(_BLOCK, int(length[0]))))
    wide = min(columns, len(length))
    high = max(1, columns // wide)
    for pool in range(0, len(targets), high):
        for stretch in range(0, len(length), wide):
            yield slice(pool, pool + high), slice(stretch, stretch + wide)


def _play(
    times: Whole,
    first: Whole,
    length: Whole,
    target: Whole,
    max_parallel: Whole,
    *,
    fill_time: int,
    seen: NDArray[Any],
) -> None:
    """Play stretches, the longest first, launch after launch, and fill in what was found.

    Each pool and stretch has a row of ends. What is asked for of before the first came long
    ago: the stock at the beginning. What is written after a cold launch is written over.
    """
    depth = int(max(target.max(), max_parallel.max()))
    shape = (len(target), len(first))
    block = min(_BLOCK, int(length[0]))
    rows = np.full((*shape, depth + block), _LONG_AGO)
    begins = np.arange(rows.size, step=depth + block).reshape(shape) + depth
    where = np.stack([begins - target, begins - max_parallel, begins])
    active = np.searchsorted(-length, -np.arange(length[0]), side="left")
    for step, many in enumerate(active):
        if step and step % block == 0:  # the rows are full: only the last ends are needed
            last = where[2, ..., None] + np.arange(-depth, 0)
            rows[..., :depth] = rows.take(last)
            where -= where[2] - begins
        at, here = first[:many] + step, where[..., :many]
        now = times[at]
        given, free = rows.take(here[:2])
        warm = given <= now
        rows.put(here[2], np.maximum(now, free) + fill_time)
        seen[:, at] = warm
        here += warm
