"""The model of a snapshot pool: how it drains and refills; pure."""

from fastlaunch_nb.pool.model import Pool

__all__ = ["Pool"]
