"""Facet index: masks of matching rows, counts, histograms, and its cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import RANGES, get_range_values
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.columns import TEXT, TIME
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import item
from tests.helpers.selections import EXAMPLES, IMAGES, find_matches, selections


@pytest.mark.parametrize("filters", EXAMPLES)
def test_one_field_at_a_time(filters: Filters) -> None:
    """The mask has the rows that plain Python finds."""
    index = FacetIndex(IMAGES)
    assert index.keep(filters.active()).tolist() == find_matches(IMAGES, filters)


@given(several=st.lists(selections(), min_size=2, max_size=4))
@example(several=[Filters(state="enabled"), Filters(state="enabling"), Filters(state="enabled")])
@example(several=[Filters(text="runner"), Filters(), Filters(text="runner", region="eu-west-1")])
def test_the_cache_changes_no_result(several: list[Filters]) -> None:
    """Law: one selection after another has the same results as each one alone."""
    index = FacetIndex(IMAGES)
    for filters in several:
        assert index.keep(filters.active()).tolist() == find_matches(IMAGES, filters)
        assert index.counts(filters.active()) == filters.counts(IMAGES)


def test_values_are_sorted_by_code_point_and_states_by_life_cycle() -> None:
    """Counts list texts as Python sorts them, known states before others, and null last."""
    names = ["b", "Ä", "a", "\U0001f5a5", "\ufb00", None, "B", "a"]
    states = ["zz", "unknown", "enabled", None, "aa", "enabling", "Enabled", "enabled"]
    images = fl.from_pages([item(n) for n in range(8)]).assign(
        owner_id=pd.Series(names, dtype=TEXT), state=pd.Series(states, dtype=TEXT)
    )
    counts = FacetIndex(images).counts({}, ["owner_id", "state"])
    assert list(counts["owner_id"]) == [*sorted(set(filter(None, names))), None]
    known = ["enabling", "enabled", "unknown", "Enabled", "aa", "zz"]
    assert list(counts["state"].items()) == [(s, 1 + (s == "enabled")) for s in [*known, None]]


# --- histograms -----------------------------------------------------------------------


@given(filters=selections(), name=st.sampled_from(list(RANGES)), bins=st.integers(1, 9))
def test_a_bin_is_the_range_between_its_edges(filters: Filters, name: str, bins: int) -> None:
    """Law: a bin counts the rows that its range would keep, and no row is lost."""
    edges, counts, unknown = FacetIndex(IMAGES).histogram(filters.active(), name, bins)
    step = pd.Timedelta("1us") if RANGES[name] == TIME else 1
    for low, after, count in zip(edges[:-1], edges[1:], counts, strict=True):
        bin_range: dict[str, Any] = {name: (low, after - step)}
        assert len(replace(filters, **bin_range).apply(IMAGES)) == count
    assert len(counts) <= bins
    assert counts.sum() + unknown == sum(find_matches(IMAGES, filters, ignore=name))
    values = get_range_values(IMAGES, name)
    assert edges[0] == values.min()
    assert edges[-2] <= values.max() < edges[-1]


@pytest.mark.parametrize(
    ("bins", "edges", "counts"),
    [
        (1, [1, 11], [5]),
        (2, [1, 6, 11], [4, 1]),
        (3, [1, 5, 9, 13], [3, 1, 1]),
        (9, [1, 3, 5, 7, 9, 11], [3, 0, 1, 0, 1]),
        (10, [*range(1, 12)], [2, 1, 0, 0, 1, 0, 0, 0, 0, 1]),
        (11, [*range(1, 12)], [2, 1, 0, 0, 1, 0, 0, 0, 0, 1]),
    ],
)
def test_bins_are_as_narrow_as_possible(bins: int, edges: list[int], counts: list[int]) -> None:
    """Bins of whole numbers have equal widths, and the last one is not beyond the values."""
    targets = [1, 1, 2, 5, 10, None]
    images = fl.from_pages(
        [item(1, SnapshotConfiguration={"TargetResourceCount": target}) for target in targets]
    )
    histogram = FacetIndex(images).histogram({}, "target_resource_count", bins)
    assert histogram.edges.tolist() == edges
    assert histogram.counts.tolist() == counts
    assert histogram.unknown == 1


def test_a_selection_moves_no_edge() -> None:
    """The edges cover the whole DataFrame, and are times for a range of times."""
    index = FacetIndex(IMAGES)
    edges = index.histogram({}, "state_transition_time", 4).edges
    assert edges.dtype == TIME
    no_match = Filters(text="zzz").active()
    assert edges.equals(index.histogram(no_match, "state_transition_time", 4).edges)


def test_a_histogram_ignores_the_filter_on_its_own_range() -> None:
    """A range does not change its own histogram, nor its number of unknown rows."""
    index = FacetIndex(IMAGES)
    own = Filters(max_parallel_launches=(0, 0)).active()
    for active in ({}, own):
        _, counts, unknown = index.histogram(active, "max_parallel_launches", 1)
        assert (counts.tolist(), unknown) == ([6], 2)


def test_a_column_without_values_has_no_bins() -> None:
    """The histogram of an empty DataFrame has no edge and no count."""
    edges, counts, unknown = FacetIndex(empty_images()).histogram({}, "max_parallel_launches", 4)
    assert (len(edges), len(counts), unknown) == (0, 0, 0)


def test_a_histogram_refuses_bad_arguments() -> None:
    """An unknown range, and a number of bins below 1, are refused."""
    index = FacetIndex(IMAGES)
    with pytest.raises(fl.InputError, match="Did you mean 'max_parallel_launches'"):
        index.histogram({}, "max_parallel_launch", 4)
    for bins in (0, True, 2.5):
        with pytest.raises(fl.InputError, match=f"bins is {bins}. Expected a whole number of 1"):
            index.histogram({}, "max_parallel_launches", bins)  # type: ignore[arg-type]
