"""What a single look tells: since when each image has been in its state."""

from __future__ import annotations

from typing import Any, cast

import narwhals.stable.v2 as nw
from narwhals.stable.v2.typing import IntoFrameT

from fastlaunch_nb.intervals.given import UTC


def from_look(images: IntoFrameT) -> IntoFrameT:
    """Return the one interval of each image that a single look tells.

    Parameters
    ----------
    images : DataFrame
        A frame of :func:`fastlaunch_nb.from_pages`: one look at each image.

    Returns
    -------
    DataFrame
        The same rows and columns, and of an interval's: ``start``, the
        transition's time where AWS gave one (``start_exact``), else the look
        itself; ``end``, null, because the state still holds; ``last_seen``, the look.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}],
    ...                        observed_at="2026-01-15T12:00:00Z")
    >>> first = from_look(images).iloc[0]
    >>> first["state"], first["start"].isoformat(), first["end"], first["start_exact"]
    ('enabled', '2026-01-15T12:00:00+00:00', NaT, np.False_)
    """
    since, seen = nw.col("state_transition_time"), nw.col("observed_at")
    look: Any = nw.from_native(cast("Any", images))
    told: IntoFrameT = look.with_columns(
        start=nw.coalesce(since, seen),
        end=nw.lit(None, dtype=UTC),
        last_seen=seen,
        start_exact=~since.is_null(),
    ).to_native()
    return told
