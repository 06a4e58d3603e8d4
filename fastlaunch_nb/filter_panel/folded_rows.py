"""Rows that a table folds into one line: images that are well, and have been for a while."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import ipywidgets as widgets
import numpy as np
import pandas as pd

from fastlaunch_nb.filter_panel.widget_helpers import make_toggle

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

FOLD_AGE: Final = pd.Timedelta(days=7)
"""How long an image is in its state until its row folds."""
_OWN_REASON: Final = "Client.UserInitiated"
"""The reason of what the owner of an image did: nothing that needs attention."""


class Fold(NamedTuple):
    """The rows that may fold, and the rows in the same state: folded only among others."""

    rows: Mask
    same_state: Mask
    label: str

    def find_folded(self, visible: Mask) -> Mask:
        """Return the visible rows that fold; none if all visible rows are in their state."""
        if not (visible & ~self.same_state).any():
            return np.zeros(len(visible), dtype=np.bool_)
        folded: Mask = visible & self.rows
        return folded


def fold_healthy(images: pd.DataFrame) -> Fold:
    """Find the images that were enabled for more than a week at the newest scan.

    A reason that is not the owner's own request keeps a row. One scan is enough, as AWS gives
    the time of the last transition.
    """
    is_enabled = images["state"].eq("enabled").fillna(False).to_numpy(np.bool_)
    reasons = images["state_transition_reason"].fillna("").str.strip()
    is_quiet = reasons.isin(["", _OWN_REASON]).to_numpy(np.bool_)
    age = images["observed_at"].max() - images["state_transition_time"]
    is_old = (age > FOLD_AGE).fillna(False).to_numpy(np.bool_)
    days = f"enabled for more than {FOLD_AGE.days} days"
    return Fold(is_enabled & is_quiet & is_old, is_enabled, days)


def make_fold_toggle() -> Any:
    """Make the line below a table that stands for the folded rows, and shows them."""
    return make_toggle("", layout=widgets.Layout(display="none"), _dom_classes=("fl-fold",))


def show_folded(toggle: Any, count: int, fold: Fold | None) -> None:
    """Show the count of folded rows on their line, or no line if there are none."""
    toggle.layout.display = None if count and fold else "none"
    if count and fold:
        toggle.description = f"{count:,} {fold.label} · {'Fold' if toggle.value else 'Show'}"
