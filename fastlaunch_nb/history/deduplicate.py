"""Which rows of a store count: of a sweep its fullest recording, of a row one copy.

Rows are told apart by numbers: the looks of the coverage have one each.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.history.file_schema import PLACE, RECORD
from fastlaunch_nb.schema.columns import COMPLETE

Numbers: TypeAlias = "npt.NDArray[Any]"
LOOK: Final = (*(column.name for column in RECORD), *PLACE)
"""What names a look, in the images and in the coverage."""


class ScanRows(NamedTuple):
    """The images of a day that count, and the look of each, by its place in the coverage."""

    rows: pa.Table
    looks: Numbers


def counted_scans(coverage: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the coverage that count, in the order of their times.

    Of a sweep that was recorded again, because it was resumed or by mistake, the
    recording that read the most counts.
    """
    coverage = coverage.drop_duplicates()
    complete = coverage["status"].eq(COMPLETE)
    ids = [column.name for column in RECORD]
    reads = (
        coverage.assign(complete=complete, rows=coverage["rows"].fillna(0))
        .groupby(ids, as_index=False, dropna=False)[["complete", "rows"]]
        .sum()
    )
    fullest = reads.sort_values(["complete", "rows", "record_id"]).drop_duplicates(
        "sweep_id", keep="last"
    )
    chosen = coverage.merge(fullest[ids], on=ids)
    return chosen.sort_values(["observed_at", *PLACE, "sweep_id"], ignore_index=True)


class ScanIndex:
    """Tells which look has seen each row, and which rows count.

    Attributes
    ----------
    expected : numpy.ndarray
        How many images were recorded for each look of the coverage.
    """

    def __init__(self, coverage: pd.DataFrame) -> None:
        there = coverage[list(LOOK)].astype(object).itertuples(index=False, name=None)
        self._places = {look: place for place, look in enumerate(there)}
        self.expected: Numbers = coverage["images_recorded"].fillna(0).to_numpy(dtype="int64")

    def counting(self, rows: pa.Table) -> ScanRows:
        """Return the rows that some look of the coverage has seen, each once."""
        looks = self._looks_of(rows)
        known = looks >= 0
        if not known.all():
            rows, looks = rows.filter(pa.array(known)), looks[known]
        doubtful = self.found(looks) > self.expected
        if doubtful.any():  # a merged file and what it was merged from
            ids = codes(rows["image_id"])
            again = pd.DataFrame({"look": looks, "image": ids}).duplicated().to_numpy()
            again = again & doubtful[looks]
            rows, looks = rows.filter(pa.array(~again)), looks[~again]
        return ScanRows(rows, looks)

    def found(self, looks: Numbers) -> Numbers:
        """Return how many images each look has, of those whose looks these are."""
        return np.bincount(looks, minlength=len(self.expected))

    def _looks_of(self, rows: pa.Table) -> Numbers:
        """Return the place of each row's look in the coverage; -1 where that has none."""
        combined = np.zeros(len(rows), dtype="int64")
        words = [[*_coded(rows[name]).dictionary.to_pylist(), None] for name in LOOK]
        for name, known in zip(LOOK, words, strict=True):
            combined = combined * len(known) + codes(rows[name]) % len(known)  # a null is the last
        number, found = pd.factorize(combined)
        names = []
        for known in reversed(words):
            found, word = np.divmod(found, len(known))
            names.append([known[place] for place in word])
        looks = [self._places.get(look, -1) for look in zip(*reversed(names), strict=True)]
        return np.array(looks, dtype="int64")[number]


def copies(rows: pa.Table) -> Numbers:
    """Tell the rows that are copies of an earlier one."""
    columns = {
        name: codes(rows[name])
        if pa.types.is_dictionary(rows[name].type)
        else rows[name].to_pandas()
        for name in rows.column_names
    }
    return pd.DataFrame(columns).duplicated().to_numpy()


def codes(column: pa.ChunkedArray) -> Numbers:
    """Return the numbers that stand for the texts of a column; -1 is a null."""
    numbers: Numbers = _coded(column).indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
