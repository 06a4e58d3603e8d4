"""Code for rows of a DataFrame: by filters where they select exactly these rows, else by ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fastlaunch_nb.filters.codegen import LOCAL_KINDS, write_code, write_reason
from fastlaunch_nb.filters.facet_index import FacetIndex, Mask
from fastlaunch_nb.filters.fields import SEARCHED, ActiveFilters
from fastlaunch_nb.filters.scopes import NoCodeError
from fastlaunch_nb.formatting import format_time
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COLUMNS, KEY

MAX_IDS: Final = 1_000
"""The most images that code names one by one."""
_READABLE: Final = frozenset(column.name for column in COLUMNS)
_CASELESS: Final = ("powershell", "sql")
"""Kinds whose text search knows the case of letters, but not that ß is ss."""
Write: TypeAlias = Callable[[list[ActiveFilters]], str]


def generate_row_code(
    images: pd.DataFrame,
    rows: Mask,
    active: ActiveFilters | None,
    kind: str,
    *,
    profiles: Mapping[str, str] | None = None,
    shell: str = "posix",
    as_of: pd.Timestamp | None = None,
) -> str:
    """Return code of a kind for some rows of `images`: those that `active` keeps, or chosen ones.

    Code reads the accounts and regions that `images` has. If filters cannot select exactly the
    rows, the code names their images. If that is impossible, too, it is a comment with the reason.
    Code for rows `as_of` a time in the past begins with a comment: it reads the fleet of now.
    """
    if as_of is not None and kind != "pandas":
        code = generate_row_code(images, rows, active, kind, profiles=profiles, shell=shell)
        note = f"The rows are as of {format_time(as_of)}. This reads the fleet of now."
        return f"{write_reason(NoCodeError(note), kind, shell)}\n{code}"
    regions = None if kind in LOCAL_KINDS else _list_values(images, "region") or None
    of_many = images["account_id"].nunique() > 1

    def write(selections: list[ActiveFilters]) -> str:
        return write_code(selections, kind, regions, profiles, shell, of_many=of_many)

    try:
        if kind != "pandas":
            _check_scopes(images, rows)
        if active is None:
            return write(_choose_images(images, rows, kind))
        return _write_filters(images, rows, active, kind, write)
    except NoCodeError as error:
        return write_reason(error, kind, shell)


def _write_filters(
    images: pd.DataFrame, rows: Mask, active: ActiveFilters, kind: str, write: Write
) -> str:
    """Write filters as code; if that cannot select the rows, name their images, if not too many."""
    if kind != "pandas":
        active = _add_scopes(images, active, kind)
    try:
        code = write([active])
        _check_search(images, rows, active, kind)
    except NoCodeError:
        if 0 < rows.sum() <= MAX_IDS:
            return write(_choose_images(images, rows, kind))
        raise
    return code


def _list_values(images: pd.DataFrame, name: str) -> list[str]:
    return sorted(images[name].dropna().unique())


def _check_scopes(images: pd.DataFrame, rows: Mask) -> None:
    """Refuse rows of which some have no account or region, as these cannot be read again."""
    for name, noun in (("account_id", "account id"), ("region", "region")):
        is_known = images[name].notna().to_numpy()
        if is_known.any() and not is_known[rows].all():
            raise NoCodeError(f"Some of these rows have no {noun}, so that no code can read them.")


def _add_scopes(images: pd.DataFrame, active: ActiveFilters, kind: str) -> dict[str, Any]:
    """Add the accounts of all images to filters; for a store, which may have more, also regions."""
    names = ACCOUNT_REGION if kind == "sql" else ACCOUNT_REGION[:1]
    scopes = {name: tuple(_list_values(images, name)) for name in names if name not in active}
    return {**{name: values for name, values in scopes.items() if values}, **active}


def _check_search(images: pd.DataFrame, rows: Mask, active: ActiveFilters, kind: str) -> None:
    """Refuse a text filter that finds other rows where code of a kind searches.

    Neither EC2 nor every store has the names that a DataFrame may have.
    """
    if kind == "pandas" or "text" not in active:
        return
    readable = images[[name for name in images if name in _READABLE]]
    is_same = bool((FacetIndex(readable).keep(active) == rows).all())
    if is_same and kind in _CASELESS:
        is_same = all(_is_ascii(readable[name]) for name in SEARCHED if name in readable)
    if not is_same:
        raise NoCodeError("The text filter searches names that this code does not have. Clear it.")


def _is_ascii(texts: pd.Series) -> bool:
    return bool(
        pc.all(pc.string_is_ascii(pa.array(texts.dropna(), pa.string()))).as_py() is not False
    )


def _choose_images(images: pd.DataFrame, rows: Mask, kind: str) -> list[ActiveFilters]:
    """Return filters for exactly these images: one for all, or one for each account and region.

    One for all would also find an image in another account that it is shared with.
    """
    if not rows.any():
        raise NoCodeError("No image is selected.")
    if rows.sum() > MAX_IDS:
        raise NoCodeError(f"More than {MAX_IDS:,} images are selected. Select fewer.")
    keys = images[list(KEY)]
    chosen = keys[rows].drop_duplicates()
    together = _list_keys(chosen)
    matches = FacetIndex(keys).keep(together)
    is_exact = pd.MultiIndex.from_frame(keys[matches]).isin(pd.MultiIndex.from_frame(chosen)).all()
    groups = chosen.groupby(list(ACCOUNT_REGION), dropna=False)
    selections = [together] if is_exact else [_list_keys(group) for _, group in groups]
    if kind == "pandas":
        return selections
    unknown = [name for name in ACCOUNT_REGION if images[name].isna().all()]
    return [{name: it[name] for name in it if name not in unknown} for it in selections]


def _list_keys(keys: pd.DataFrame) -> ActiveFilters:
    """Return filters with the values of the keys of images; None for a null."""
    columns = {name: keys[name].astype(object).drop_duplicates() for name in KEY}
    return {
        name: tuple(None if pd.isna(value) else value for value in values)
        for name, values in columns.items()
    }
