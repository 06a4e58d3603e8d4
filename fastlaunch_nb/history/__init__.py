"""The history of a fleet: an append-only store of sweeps and events, and the time machine.

The API has no memory. This is one, in Parquet files that any engine reads.
"""

from fastlaunch_nb.history.memory import History

__all__ = ["History"]
