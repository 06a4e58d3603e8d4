"""The model of a snapshot pool: how it drains and refills, and which size is right; pure."""

from fastlaunch_nb.pool.model import Pool
from fastlaunch_nb.pool.sizing import Curve, RightSize, right_size

__all__ = ["Curve", "Pool", "RightSize", "right_size"]
