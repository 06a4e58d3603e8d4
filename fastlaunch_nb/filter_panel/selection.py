"""Selected images: their keys, how these are checked, and how a view changes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Set
from typing import Any, TypeAlias

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.schema.columns import KEY

Key: TypeAlias = tuple[Any, ...]
"""The key of an image: account, region and image id."""
OnSelect: TypeAlias = Callable[[set[Key], set[Key]], None]
"""Called when the user selects in a view: the keys to select, and the keys to deselect."""
_EXPECTED = "Expected keys of images, each (account_id, region, image_id)."


def get_keys(rows: pd.DataFrame) -> list[Key]:
    """Return the key of each row: account, region and image id, None for a null."""
    keys = rows[list(KEY)].astype(object)
    return list(keys.where(keys.notna(), None).itertuples(index=False, name=None))


def parse_keys(keys: Any, known: Collection[Key]) -> tuple[Key, ...]:
    """Return distinct keys in their order; raise if one is not among the known ones."""
    if not _is_sequence(keys):
        raise InputError(f"selected is {keys!r}. {_EXPECTED}")
    unique = dict.fromkeys(tuple(key) if _is_sequence(key) else key for key in keys)
    for key in unique:
        if key not in known:
            raise InputError(f"selected has {key!r}, the key of no image here. {_EXPECTED}")
    return tuple(unique)


def change_keys(
    keys: Iterable[Key], added: Set[Key], removed: Set[Key], known: Set[Key]
) -> tuple[Key, ...]:
    """Return keys without some, and with those to add that are known."""
    rest = [key for key in keys if key not in removed]
    return (*rest, *sorted((added & known) - set(rest), key=str))


def _is_sequence(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)
