"""Facet index: an encoded DataFrame of images, to select and count rows again and again.

Each column is encoded once: text becomes codes of its distinct values, and a
search reads only these. The rows that a filter excludes are cached until that
filter changes, so a typed letter costs one search and a ticked box none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filters.fields import (
    FACETS,
    RANGES,
    SEARCHED,
    ActiveFilters,
    get_facet_values,
    get_range_values,
    to_microseconds,
)
from fastlaunch_nb.number_checks import MAX_COUNT, parse_count
from fastlaunch_nb.schema.columns import COUNT, STATES, TEXT, TIME
from fastlaunch_nb.validation import EPOCH

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Integers: TypeAlias = np.ndarray[Any, np.dtype[np.integer[Any]]]


class Histogram(NamedTuple):
    """Row counts over the values of a range.

    Bin `i` has ``counts[i]`` rows, from ``edges[i]`` up to but excluding
    ``edges[i + 1]``; `unknown` rows have no value. Without any value there are no bins.
    """

    edges: pd.Index
    counts: Integers
    unknown: int


class FacetIndex:
    """A DataFrame of images, encoded for many selections, as a filter panel needs.

    The DataFrame is not copied, so do not change it.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> index = FacetIndex(fl.from_pages([
    ...     {"ImageId": "ami-0abcdef1234567890", "State": "enabled", "MaxParallelLaunches": 6},
    ...     {"ImageId": "ami-01234567890abcdef", "State": "enabling", "MaxParallelLaunches": 9}]))
    >>> active = fl.Filters(state="enabled").active()
    >>> index.keep(active).tolist()
    [True, False]
    >>> index.counts(active, ["state", "image_id"])
    {'state': {'enabling': 1, 'enabled': 1}, \
'image_id': {'ami-01234567890abcdef': 0, 'ami-0abcdef1234567890': 1}}
    >>> index.histogram(active, "max_parallel_launches", bins=2)
    Histogram(edges=Index([6, 8, 10], dtype='int64'), counts=array([1, 0]), unknown=0)
    """

    def __init__(self, images: pd.DataFrame) -> None:
        self._images = images
        self._texts: dict[str, _TextColumn] = {}
        self._numbers: dict[str, _NumberColumn] = {}
        self._excluded: dict[str, tuple[Any, Mask]] = {}

    def keep(self, active: ActiveFilters) -> Mask:
        """Return a mask of the rows that match."""
        excluded = np.zeros(len(self._images), dtype=np.bool_)
        for name, value in active.items():
            excluded |= self._exclude_rows(name, value)
        return ~excluded

    def counts(
        self, active: ActiveFilters, facets: Iterable[str] = FACETS
    ) -> dict[str, dict[str | None, int]]:
        """Count the rows of each value of some facets, as :meth:`Filters.counts` does."""
        return {
            facet: self._text(facet).value_counts(self._keep_without(facet, active))
            for facet in facets
        }

    def histogram(self, active: ActiveFilters, name: str, bins: int) -> Histogram:
        """Count the rows that all filters but one on `name` keep, in `bins` bins at most.

        `name` is one of ``fields.RANGES``. The bins have equal width and cover the values of the
        whole DataFrame, so that a selection does not move them; their edges are whole numbers,
        or times.

        Raises
        ------
        InputError
            If there is no such range, the DataFrame lacks its column, or `bins` is below 1.
        """
        if name not in RANGES:
            raise InputError(
                f"There is no range {name!r}. Expected {', '.join(map(repr, RANGES))}."
                f"{did_you_mean(str(name), RANGES)}"
            )
        bins = parse_count("bins", bins, least=1)
        return self._number(name).histogram(self._keep_without(name, active), bins)

    # --- rows that each filter excludes -----------------------------------------------

    def _keep_without(self, name: str, active: ActiveFilters) -> Mask:
        """Return a mask of the rows that match all filters but one."""
        return self.keep({other: active[other] for other in active if other != name})

    def _exclude_rows(self, name: str, value: Any) -> Mask:
        """Return the rows that a filter excludes, from the cache while its value is the same."""
        if name not in self._excluded or self._excluded[name][0] != value:
            if name == "text":
                matches = self._search(value.casefold().split())
            elif name in RANGES:
                matches = self._number(name).between(*value)
            else:
                matches = self._text(name).isin(value)
            self._excluded[name] = value, ~matches
        return self._excluded[name][1]

    def _search(self, words: Iterable[str]) -> Mask:
        """Return the rows that contain every word, each in any of the searched columns."""
        matches = np.ones(len(self._images), dtype=np.bool_)
        columns = [self._text(name) for name in SEARCHED if name in self._images]
        for word in words:
            in_any_column = np.zeros(len(self._images), dtype=np.bool_)
            for column in columns:
                in_any_column |= column.contains(word)
            matches &= in_any_column
        return matches

    # --- columns ----------------------------------------------------------------------

    def _text(self, name: str) -> _TextColumn:
        if name not in self._texts:
            values = get_facet_values(self._images, name)
            self._texts[name] = _TextColumn(values, STATES if name == "state" else ())
        return self._texts[name]

    def _number(self, name: str) -> _NumberColumn:
        if name not in self._numbers:
            self._numbers[name] = _NumberColumn(get_range_values(self._images, name), RANGES[name])
        return self._numbers[name]


class _TextColumn:
    """A text column, factorized: its sorted distinct texts, and a code for each row.

    A code is the position of a text, or for null the number of texts. So a mask of the texts,
    with one more entry for null, becomes a mask of rows by taking the codes.
    """

    def __init__(self, values: pd.Series, first: Sequence[str]) -> None:
        codes, texts = pd.factorize(values.astype(TEXT), sort=True)
        if first:  # which come before all others
            ranks = {text: rank for rank, text in enumerate(first)}
            order = np.argsort([ranks.get(text, len(first)) for text in texts], kind="stable")
            codes, texts = np.append(np.argsort(order), -1)[codes], texts[order]
        self._codes: Integers = np.where(codes < 0, len(texts), codes)
        self._texts: pd.Index = texts

    @cached_property
    def _values(self) -> list[str | None]:
        has_null = len(self._texts) in self._codes
        return [*self._texts.tolist(), *[None] * has_null]

    @cached_property
    def _search_texts(self) -> pd.Index:
        return self._texts.str.casefold()

    def isin(self, values: Sequence[str | None]) -> Mask:
        """Return the rows that have one of these values."""
        known = [value for value in values if value is not None]
        return np.append(self._texts.isin(known), None in values).take(self._codes)

    def contains(self, word: str) -> Mask:
        """Return the rows whose value contains a casefolded word, in any case."""
        matches = np.asarray(self._search_texts.str.contains(word, regex=False), dtype=np.bool_)
        return np.append(matches, np.False_).take(self._codes)

    def value_counts(self, keep: Mask) -> dict[str | None, int]:
        """Count the kept rows of each value of the whole column; null comes last."""
        numbers = np.bincount(self._codes[keep], minlength=len(self._values))
        return dict(zip(self._values, numbers.tolist(), strict=True))


class _NumberColumn:
    """A column of counts, or of times in microseconds, with a mask of its known values."""

    def __init__(self, values: pd.Series, dtype: str) -> None:
        filled = values.fillna(0 if dtype == COUNT else EPOCH)
        self._numbers: Integers = filled.astype("int64").to_numpy()
        self._known: Mask = values.notna().to_numpy()
        known = self._numbers[self._known]
        self._bounds = (int(known.min()), int(known.max())) if len(known) else None
        self._dtype = dtype

    def between(self, low: Any, high: Any) -> Mask:
        """Return the rows with a known value between both ends, which are included."""
        to_number = to_microseconds if self._dtype == TIME else int
        matches = self._known.copy()
        if low is not None:
            matches &= self._numbers >= to_number(low)
        if high is not None:
            matches &= self._numbers <= to_number(high)
        return matches

    def histogram(self, keep: Mask, bins: int) -> Histogram:
        """Count the kept rows, in at most so many bins of equal width."""
        width, size, first = 1, 0, 0
        if self._bounds:
            first, last = self._bounds
            width = -(-(last - first + 1) // bins)
            size = (last - first) // width + 1
        ends = range(first, first + (size + 1) * width, width) if size else ()
        edges = pd.Index([min(end, MAX_COUNT) for end in ends], dtype="int64")
        # Without a sign, the difference of any two numbers of 64 bits is right.
        offsets = self._numbers[keep & self._known].view("uint64") - np.uint64(first % 2**64)
        places = (offsets // np.uint64(width)).astype("int64")
        return Histogram(
            edges.astype(TIME) if self._dtype == TIME else edges,
            np.bincount(places, minlength=size),
            int((keep & ~self._known).sum()),
        )
