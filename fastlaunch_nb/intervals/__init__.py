"""State intervals: from what was seen to since when and until when it was so.

In narwhals and pure, so that the kind of frame that comes in goes out.
"""

from fastlaunch_nb.intervals.given import AHEAD, as_gap, made_at
from fastlaunch_nb.intervals.one_look import from_look
from fastlaunch_nb.intervals.reckoned import intervals

__all__ = ["AHEAD", "as_gap", "from_look", "intervals", "made_at"]
