"""What comes from AWS, as it is put before the eye: on a line, by its name, in its order.

Every view asks here, so that all of them say the same and are kept from the same tricks.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import pandas as pd

from fastlaunch_nb.frame.columns import EXAMPLE_ACCOUNTS, TEXT, WORST_FIRST

DEMO_MARK: Final = "Demo data"


def is_demo(images: pd.DataFrame) -> bool:
    """Tell whether any row is of an account of AWS's documentation, which is nobody's."""
    return any(
        images[column].isin(EXAMPLE_ACCOUNTS).any()
        for column in ("account_id", "owner_id")
        if column in images
    )


def severity(state: str) -> int:
    """Return the place of a state among all, the worst first; a new one is unknown."""
    return WORST_FIRST.index(state) if state in WORST_FIRST else WORST_FIRST.index("unknown")


# --- names ----------------------------------------------------------------------------


def image_labels(images: pd.DataFrame) -> pd.Series:
    """Return each row's name for the eye: ``image_name`` where it is known, else its id."""
    return _names_over_ids(images, "image_name", "image_id")


def account_labels(images: pd.DataFrame) -> pd.Series:
    """Return each row's account for the eye: ``account_name`` where known, else its id."""
    return _names_over_ids(images, "account_name", "account_id")


def _names_over_ids(images: pd.DataFrame, name: str, key: str) -> pd.Series:
    ids = images[key].fillna("?")
    return images[name].astype(TEXT).fillna(ids) if name in images else ids


# --- text -----------------------------------------------------------------------------

_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_BEGINS = {"LRI", "RLI", "FSI"}
_TURNS = {*_BEGINS, "PDI", "LRE", "RLE", "LRO", "RLO", "R", "AL", "AN"}
"""Bidirectional classes of Unicode (UAX 9) that may change the order of what is beside them."""


def one_line(value: object) -> str:
    """Return text for the eye: on one line, and leaving the order of what is beside it alone.

    Where it has letters or marks that run from right to left, it stands in an
    isolate of Unicode; in as many as it could end by itself, and one more.
    """
    line = " ".join(str(value).split())
    kinds = [unicodedata.bidirectional(letter) for letter in line]
    if _TURNS.isdisjoint(kinds):
        return line
    begins = 1 + kinds.count("PDI")
    ends = begins + sum(kind in _BEGINS for kind in kinds)
    return _ISOLATE * begins + line + _END_ISOLATE * ends
