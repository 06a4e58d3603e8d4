"""A frame made ready to be filtered again and again: what is kept, counted and spread.

Each column is looked at once: text becomes numbers of its distinct values, and
is searched among these. What every filter says of every row is kept until that
filter changes, so that a letter typed costs one search and a box ticked none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.schema.columns import COUNT, STATES, TEXT, TIME
from fastlaunch_nb.schema.joins import JOINS
from fastlaunch_nb.validation import parse_count, validate_columns

if TYPE_CHECKING:
    from fastlaunch_nb.filters.filters import Filters

FACETS: Final = (
    *("account_id", "region", "state", "launch_template"),
    *("image_id", "owner_id", "resource_type"),
)
"""What :class:`Filters` chooses values of."""

RANGES: Final = {
    "target_resource_count": COUNT,
    "max_parallel_launches": COUNT,
    "available_snapshots": COUNT,
    "state_transition_time": TIME,
}
"""What :class:`Filters` has ranges of, and the dtype of each."""

SEARCHED: Final = (
    *("account_name", "account_id", "region", "image_name", "image_id", "owner_id"),
    *("launch_template_name", "launch_template_id", "state", "state_transition_reason"),
)
"""The columns that a text is looked for in."""

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Whole: TypeAlias = np.ndarray[Any, np.dtype[np.integer[Any]]]


class Histogram(NamedTuple):
    """How the rows spread over the values of a range.

    Bin `i` has ``counts[i]`` rows, from ``edges[i]`` on and below ``edges[i + 1]``;
    the value of `unknown` rows is null. Where no row has one, there are no bins.
    """

    edges: pd.Index
    counts: Whole
    unknown: int


class _Fails(NamedTuple):
    """The rows that each part of the filters leaves out, and how many parts leave out each."""

    parts: Mapping[str, Mask]
    times: np.ndarray[Any, np.dtype[np.uint8]]

    def kept(self, but: str = "") -> Mask:
        """Return the rows that no part leaves out, or none but one."""
        allowed = self.parts.get(but, np.False_)
        kept: Mask = self.times == allowed
        return kept


class FacetIndex:
    """A frame of images that is asked for many selections, as a panel does.

    The frame is not copied: leave it as it is.

    Parameters
    ----------
    images : pandas.DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> index = FacetIndex(fl.from_pages([
    ...     {"ImageId": "ami-0abcdef1234567890", "State": "enabled", "MaxParallelLaunches": 6},
    ...     {"ImageId": "ami-01234567890abcdef", "State": "enabling", "MaxParallelLaunches": 9}]))
    >>> filters = fl.Filters(state="enabled")
    >>> index.keep(filters).tolist()
    [True, False]
    >>> index.counts(filters, ["state", "image_id"])
    {'state': {'enabling': 1, 'enabled': 1}, \
'image_id': {'ami-01234567890abcdef': 0, 'ami-0abcdef1234567890': 1}}
    >>> index.histogram(filters, "max_parallel_launches", bins=2)
    Histogram(edges=Index([6, 8, 10], dtype='int64'), counts=array([1, 0]), unknown=0)
    """

    def __init__(self, images: pd.DataFrame) -> None:
        self._images = images
        self._columns: dict[str, _Values] = {}
        self._numbers: dict[str, _Numbers] = {}
        self._failing: dict[str, tuple[object, Mask]] = {}

    def keep(self, filters: Filters) -> Mask:
        """Return which rows the filters keep."""
        return self._fails(filters).kept()

    def counts(
        self, filters: Filters, facets: Iterable[str] = FACETS
    ) -> dict[str, dict[str | None, int]]:
        """Count, for every facet, the rows of each value that all *other* filters keep.

        As :meth:`Filters.counts`, for those facets that are asked for.
        """
        fails = self._fails(filters)
        return {facet: self._values(facet).counted(fails.kept(but=facet)) for facet in facets}

    def histogram(self, filters: Filters, name: str, bins: int) -> Histogram:
        """Count the rows that all *other* filters keep, in bins of equal width.

        Parameters
        ----------
        filters : Filters
            The selection; what it says of `name` itself is left out.
        name : str
            Which of the ranges: ``target_resource_count``, ``max_parallel_launches``,
            ``available_snapshots`` or ``state_transition_time``.
        bins : int
            How many at most. They cover the values of the whole frame, so that
            they stay where they are when the selection changes; their edges are
            whole numbers, or times.

        Raises
        ------
        InputError
            There is no such range, or the frame lacks its column; `bins` is below 1.
        """
        if name not in RANGES:
            raise InputError(
                f"There is no range {name!r}. Expected {', '.join(map(repr, RANGES))}."
                f"{did_you_mean(str(name), RANGES)}"
            )
        if parse_count("bins", bins) < 1:
            raise InputError(f"bins is {bins!r}. Expected a whole number of 1 or more.")
        return self._range(name).spread(self._fails(filters).kept(but=name), bins)

    # --- what each filter says of each row --------------------------------------------

    def _fails(self, filters: Filters) -> _Fails:
        said = filters.said()
        parts = {name: self._fail(name, value) for name, value in said.items()}
        times = np.zeros(len(self._images), dtype=np.uint8)
        for fail in parts.values():
            times += fail
        return _Fails(parts, times)

    def _fail(self, name: str, said: Any) -> Mask:
        """Return the rows that a part of the filters leaves out, as long as it says the same."""
        before, fail = self._failing.get(name, (None, None))
        if fail is None or before != said:
            fail = ~self._found(name, said)
            self._failing[name] = said, fail
        return fail

    def _found(self, name: str, said: Any) -> Mask:
        if name == "text":
            return self._searched(said.casefold().split())
        if name in RANGES:
            return self._range(name).between(*said)
        return self._values(name).among(said)

    def _searched(self, words: Iterable[str]) -> Mask:
        """Return the rows that have every word, in any column: none has space in it."""
        found = np.ones(len(self._images), dtype=np.bool_)
        columns = [self._values(name) for name in SEARCHED if name in self._images]
        for word in words:
            somewhere = np.zeros(len(self._images), dtype=np.bool_)
            for column in columns:
                somewhere |= column.having(word)
            found &= somewhere
        return found

    # --- columns ----------------------------------------------------------------------

    def _values(self, name: str) -> _Values:
        if name not in self._columns:
            values = facet_values(self._images, name)
            self._columns[name] = _Values.of(values, STATES if name == "state" else ())
        return self._columns[name]

    def _range(self, name: str) -> _Numbers:
        if name not in self._numbers:
            self._numbers[name] = _Numbers.of(range_values(self._images, name), RANGES[name])
        return self._numbers[name]


def facet_values(images: pd.DataFrame, facet: str) -> pd.Series:
    """Return the values that a facet of :class:`Filters` is about, one a row."""
    if facet == "launch_template":
        return images["launch_template_name"].fillna(images["launch_template_id"])
    return images[facet]


def range_values(images: pd.DataFrame, name: str) -> pd.Series:
    """Return the values that a range of :class:`Filters` is about; refuse a frame without."""
    if name not in images:
        joins = [join for join, columns in JOINS.items() if name in [c.name for c in columns]]
        brought = f" It comes with the join {joins[0]!r}." if joins else ""
        raise InputError(f"The range {name} is of a column that this frame lacks.{brought}")
    return validate_columns("images", images[[name]], name)[name]


# --- text -----------------------------------------------------------------------------


class _Values:
    """A column of text: its distinct values in order, and the place of each row's among them.

    The place after the last is that of rows without a value.
    """

    def __init__(self, known: Any, places: Whole) -> None:
        self._known, self._places = known, places

    @classmethod
    def of(cls, values: pd.Series, first: Sequence[str] = ()) -> _Values:
        """Take in a column; some values come before the others, which are sorted."""
        encoded = _in_one_piece(
            pa.array(values.astype(TEXT), pa.large_string())
        ).dictionary_encode()
        known = encoded.dictionary
        order = pc.array_sort_indices(known).to_numpy()  # by code point, as Python sorts
        if first:
            texts, places = known.to_pylist(), {text: place for place, text in enumerate(first)}
            order = sorted(order, key=lambda place: places.get(texts[place], len(first)))
        rank = np.empty(len(known) + 1, dtype=np.int32)
        rank[order] = np.arange(len(known))
        rank[-1] = len(known)  # which is where -1 leads
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return cls(known.take(pa.array(order, pa.int64())), rank[codes])

    @cached_property
    def _texts(self) -> list[str | None]:
        texts: list[str | None] = self._known.to_pylist()
        return texts

    @cached_property
    def _folded(self) -> Any:
        folded = [text.casefold() for text in self._texts if text is not None]
        return pa.array(folded, pa.large_string())

    def among(self, chosen: Iterable[str | None]) -> Mask:
        """Return the rows that have one of these values."""
        chosen = list(chosen)
        wanted = np.zeros(len(self._known) + 1, dtype=np.bool_)
        some = pa.array([value for value in chosen if value is not None], pa.large_string())
        wanted[:-1] = pc.is_in(self._known, some).to_numpy(zero_copy_only=False)
        wanted[-1] = None in chosen
        return wanted.take(self._places)

    def having(self, word: str) -> Mask:
        """Return the rows whose value has a word in it, whatever its case."""
        wanted = np.zeros(len(self._known) + 1, dtype=np.bool_)
        found = pc.match_substring(self._folded, word)
        wanted[:-1] = found.to_numpy(zero_copy_only=False)
        return wanted.take(self._places)

    def counted(self, keep: Mask) -> dict[str | None, int]:
        """Count the rows that are kept, of each value that any row has; null last."""
        *some, nulls = np.bincount(self._places[keep], minlength=len(self._known) + 1).tolist()
        counted = dict(zip(self._texts, some, strict=True))
        return {**counted, None: nulls} if self._has_null else counted

    @cached_property
    def _has_null(self) -> bool:
        return bool((self._places == len(self._known)).any())


def _in_one_piece(values: Any) -> Any:
    """Return what Arrow may have in pieces, as after a concat, as one array."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


# --- numbers and times ----------------------------------------------------------------


class _Numbers:
    """A column of counts, or of times in microseconds, and which of them are known."""

    def __init__(self, numbers: Whole, known: Mask, dtype: str) -> None:
        self._numbers, self._known, self._dtype = numbers, known, dtype

    @classmethod
    def of(cls, values: pd.Series, dtype: str) -> _Numbers:
        """Take in a column of this dtype."""
        known = values.notna().to_numpy()
        filled = values.fillna(0 if dtype == COUNT else pd.Timestamp(0, tz="UTC"))
        return cls(filled.astype("int64").to_numpy(), known, dtype)

    def between(self, low: Any, high: Any) -> Mask:
        """Return the rows whose value is known, and not beyond either end."""
        found = self._known.copy()
        if low is not None:
            found &= self._numbers >= _whole(low)
        if high is not None:
            found &= self._numbers <= _whole(high)
        return found

    @cached_property
    def _ends(self) -> tuple[int, int]:
        known = self._numbers[self._known]
        return int(known.min()), int(known.max())

    def spread(self, keep: Mask, bins: int) -> Histogram:
        """Count the rows that are kept, in at most so many bins of equal width."""
        width, size, first = 1, 0, 0
        if self._known.any():
            first, last = self._ends
            width = -(-(last - first + 1) // bins)
            size = (last - first) // width + 1
        edges = pd.Index(first + width * np.arange(size + 1 if size else 0), dtype="int64")
        counted = (self._numbers[keep & self._known] - first) // width
        counts = np.bincount(counted, minlength=size)
        return Histogram(
            edges.astype(TIME) if self._dtype == TIME else edges,
            counts,
            int((keep & ~self._known).sum()),
        )


def _whole(end: int | pd.Timestamp) -> int:
    """Return an end as a number of the column's: a count, or microseconds."""
    return end if isinstance(end, int) else int(end.as_unit("us").asm8.astype("int64"))
