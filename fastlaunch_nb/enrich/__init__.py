"""What other operations of AWS say of images, joined to them; the number of rows never changes.

Reading and joining are apart: what is asked of an account and region makes rows,
and pure functions make columns of these. Partial failure is null, and a warning.
"""

from fastlaunch_nb.enrich.asked import enrich, metrics, snapshots
from fastlaunch_nb.enrich.reads import ACTIONS

__all__ = ["ACTIONS", "enrich", "metrics", "snapshots"]
