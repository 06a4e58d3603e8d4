"""What a single look tells: since when each image has been in its state."""

from __future__ import annotations

from typing import Any, cast

import narwhals.stable.v2 as nw
from narwhals.stable.v2.typing import IntoFrameT

from fastlaunch_nb.state_intervals.inputs import UTC, instant, transition


def intervals_of_one_scan(images: IntoFrameT) -> IntoFrameT:
    """Return the one interval of each image that a single look tells.

    Parameters
    ----------
    images : DataFrame
        A frame of :func:`fastlaunch_nb.from_pages`: one look at each image.

    Returns
    -------
    DataFrame
        The same rows and columns, and of an interval's: ``start``, the
        transition's time where AWS gave one that can be believed (``start_exact``), else
        the look itself; ``end``, null, because the state still holds; ``last_seen``, the
        look, or the transition where that was seen ahead.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}],
    ...                        observed_at="2026-01-15T12:00:00Z")
    >>> first = intervals_of_one_scan(images).iloc[0]
    >>> first["state"], first["start"].isoformat(), first["end"], first["start_exact"]
    ('enabled', '2026-01-15T12:00:00+00:00', NaT, np.False_)
    """
    look: Any = nw.from_native(cast("Any", images))
    told: IntoFrameT = look.with_columns(
        start=nw.coalesce(transition(), instant()),
        end=nw.lit(None, dtype=UTC),
        last_seen=instant(),
        start_exact=~transition().is_null(),
    ).to_native()
    return told
