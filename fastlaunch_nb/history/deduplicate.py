"""Stored rows without duplicates: one recording of each sweep, and one copy of each row."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.history.file_schema import RECORD
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COMPLETE

Array: TypeAlias = "npt.NDArray[Any]"
SCAN_KEY: Final = (*(column.name for column in RECORD), *ACCOUNT_REGION)
"""Columns of images and coverage that identify a scan."""
IMAGE_KEY: Final = (*SCAN_KEY, "image_id")
"""Columns of images that identify a row of a scan."""


def select_recordings(coverage: pd.DataFrame) -> pd.DataFrame:
    """Return the coverage of the most complete recording of each sweep, sorted by time.

    A sweep has several recordings if it was resumed, or was recorded again by mistake. A row has
    two messages if History.redact() was killed.
    """
    is_known = coverage[list(ACCOUNT_REGION)].notna().all(axis=1)
    is_copy = coverage.duplicated() | (is_known & coverage.duplicated(list(SCAN_KEY)))
    coverage = coverage[~is_copy]
    keys = [column.name for column in RECORD]
    recordings = coverage.assign(complete=coverage["status"].eq(COMPLETE))
    recordings = recordings.groupby(keys, as_index=False, dropna=False)[["complete", "rows"]].sum()
    recordings = recordings.sort_values(["complete", "rows", "record_id"])
    selected = recordings.drop_duplicates("sweep_id", keep="last")[keys]
    selected = coverage.merge(selected, on=keys)
    return selected.sort_values(["observed_at", *ACCOUNT_REGION, "sweep_id"], ignore_index=True)


def index_scans(coverage: pd.DataFrame) -> pd.Series:
    """Return the position of each scan in the coverage, by SCAN_KEY."""
    index = pd.MultiIndex.from_frame(coverage[list(SCAN_KEY)])
    positions = pd.Series(np.arange(len(coverage)), index)
    return positions[~index.duplicated(keep="last")]


def select_rows(images: pa.Table, positions: pd.Series, expected: Array) -> pa.Table:
    """Return the rows of scans in the coverage, without copies.

    Text in `images` is dictionary-encoded. A new column, `scan`, has the position of each row's
    scan in the coverage, from `positions` of :func:`index_scans`. `expected` has the number of
    images that were recorded for each scan of the coverage.
    """
    numbers, keys = _number_keys(images.select(SCAN_KEY).to_pandas())
    scans = positions.reindex(keys, fill_value=-1).to_numpy()[numbers]
    images = images.append_column("scan", pa.array(scans))
    if (scans < 0).any():
        images = images.filter(pa.array(scans >= 0))
        scans = images["scan"].to_numpy()
    has_copies = (np.bincount(scans, minlength=len(expected)) > expected)[scans]
    if has_copies.any():  # a merged file, and the files that it replaces
        is_copy = images.select(["scan", "image_id"]).to_pandas().duplicated().to_numpy()
        images = images.filter(pa.array(~(has_copies & is_copy)))
    return images


def _number_keys(rows: pd.DataFrame) -> tuple[Array, pd.MultiIndex]:
    """Return a number for each row of categories, and the distinct rows by their number.

    There are many rows, and few distinct ones.
    """
    codes = np.zeros(len(rows), dtype="int64")
    for name in rows:
        codes *= len(rows[name].cat.categories) + 1
        codes += rows[name].cat.codes + 1
    numbers, distinct = pd.factorize(codes)
    first = np.zeros(len(distinct), dtype="int64")
    first[numbers[::-1]] = np.arange(len(rows))[::-1]
    return numbers, pd.MultiIndex.from_frame(rows.iloc[first])
