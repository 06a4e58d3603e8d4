"""Filters: what they keep, count and spread; as JSON."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import fastlaunch_nb as fl
from fastlaunch_nb.filters.facet_index import FACETS, RANGES, SEARCHED, FacetIndex, facet_values
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.columns import COUNT, STATES, TEXT, TIME
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.samples import HOSTILE, SINCE, ZOO, item

ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["runner", HOSTILE, "'", '"', "`", "\\", "\\`", "$(id)", "ß", "SS", "İ", "a\u0130", "", "\0"]
)


def zoo() -> pd.DataFrame:
    """Return the zoo, with times and counts that differ, and what metrics join to it."""
    frames = [fl.from_pages(items, account_id=a, region=r) for a, r, items in ZOO]
    images = pd.concat(frames, ignore_index=True)
    rows = pd.Series(range(len(images)), dtype=COUNT)
    return images.assign(
        target_resource_count=images["target_resource_count"] + rows % 3,
        state_transition_time=images["state_transition_time"] + pd.to_timedelta(rows, "min"),
        available_snapshots=(rows * 7 % 5).where(rows != 4),
        image_name=pd.Series(["Straße", None, "gitlab RUNNER", HOSTILE] * 2, dtype=TEXT),
    )


IMAGES = zoo()
TIMES = [None, *(pd.Timestamp(SINCE) + pd.Timedelta(minutes=n) for n in (-1, 0, 2, 3.5))]


@st.composite
def spans(draw: st.DrawFn, ends: Any) -> Any:
    """Any range that is one, as it is given."""
    low, high = draw(ends), draw(ends)
    if low is None or high is None:
        return low, high
    return sorted((low, high))


@st.composite
def selections(draw: st.DrawFn, names: Any = None, texts: Any = None) -> Filters:
    """Any selection of which the zoo has some; and often nothing."""
    chosen: dict[str, Any] = {}
    for facet in FACETS:
        known = [None, *facet_values(IMAGES, facet).dropna().unique(), "no such"]
        values = st.sampled_from(known) if names is None else st.sampled_from(known) | names
        chosen[facet] = draw(st.just([]) | st.lists(values, max_size=3))
    for name, dtype in RANGES.items():
        ends = TIMES if dtype == TIME else [None, 0, 2, 5, 6, 7, 2**63 - 1]
        if draw(st.booleans()):
            chosen[name] = draw(spans(st.sampled_from(ends)))
    words = st.sampled_from(["", "runner", "US-east", "ami", "strasse", "ß", "  ", "r 000", "5"])
    return Filters(**chosen, text=draw(words if texts is None else words | texts))


def kept(images: pd.DataFrame, filters: Filters, but: str = "") -> list[bool]:
    """Decide it row by row, in plain Python."""
    rows = images.astype(object).where(images.notna(), None).to_dict("records")
    said = {name: value for name, value in vars(filters).items() if name != but}
    return [all(matches(row, name, value) for name, value in said.items()) for row in rows]


def matches(row: Any, name: str, said: Any) -> bool:
    """Decide it for one row and one filter."""
    if name == "text":
        searched = [str(v) for c, v in row.items() if v is not None and c in SEARCHED]
        return all(any(w in v.casefold() for v in searched) for w in said.casefold().split())
    if name in RANGES:
        low, high = said or (None, None)
        value = row.get(name)
        return said is None or (
            value is not None
            and (low is None or low <= value)
            and (high is None or value <= high)
        )  # fmt: skip
    if name == "launch_template":
        name_or_id = row["launch_template_name"]
        return not said or (row["launch_template_id"] if name_or_id is None else name_or_id) in said
    return not said or row[name] in said


# --- ranges ---------------------------------------------------------------------------


def test_a_range_includes_its_ends_and_leaves_out_what_is_unknown() -> None:
    """Both ends belong to it, an open end ends nowhere, and a null is in none."""
    targets: list[dict[str, int]] = [{"TargetResourceCount": n} for n in (1, 2, 3)]
    counts = fl.from_pages([item(1, SnapshotConfiguration=target) for target in [*targets, {}]])

    def found(low: int | None, high: int | None) -> list[int]:
        return Filters(target_resource_count=(low, high)).apply(counts).index.tolist()

    assert found(1, 2) == [0, 1]
    assert found(2, None) == [1, 2]
    assert found(None, 2) == [0, 1]
    assert found(2, 2) == [1]
    assert found(None, None) == [0, 1, 2, 3]


def test_times_are_compared_in_utc() -> None:
    """A moment is the same in every zone and form; without a zone UTC is meant."""
    noon = Filters(state_transition_time=("2026-01-14T09:30:15.552Z", None))
    assert noon == Filters(state_transition_time=[SINCE, None])
    assert noon == Filters(state_transition_time=("2026-01-14 10:30:15.552+01:00", None))
    assert noon == Filters(state_transition_time=("2026-01-14 09:30:15.552", None))
    there = IMAGES.assign(
        state_transition_time=IMAGES["state_transition_time"].dt.tz_convert("Asia/Tokyo")
    )
    minute = Filters(state_transition_time=(None, "2026-01-14T09:31:15.552Z"))
    assert minute.apply(there).index.tolist() == [0, 1]


def test_a_range_that_ends_nowhere_is_none() -> None:
    """Two open ends leave nothing out, so that they equal no range at all."""
    assert Filters(max_parallel_launches=(None, None)) == Filters()
    assert not Filters(max_parallel_launches=[None, None])
    assert Filters(max_parallel_launches=(0, None))


def test_filters_are_values() -> None:
    """Equal filters have one hash, survive pickling, and can not be changed."""
    filters = Filters(
        state="enabled", target_resource_count=[1, 3], state_transition_time=(SINCE, None)
    )
    same = Filters(
        state=["enabled"], target_resource_count=(1, 3), state_transition_time=(SINCE, None)
    )
    assert {filters} == {same} == {pickle.loads(pickle.dumps(filters))}
    assert filters != replace(filters, target_resource_count=(1, 4))
    with pytest.raises(AttributeError, match="state"):
        filters.state = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"target_resource_count": (3, 2)}, "swap them"),
        ({"target_resource_count": (True, 2)}, "target_resource_count is True"),
        ({"target_resource_count": (-1, 2)}, "is -1"),
        ({"target_resource_count": (1.0, 2)}, "is 1.0"),
        ({"target_resource_count": (None, 2**63)}, "whole number"),
        ({"max_parallel_launches": "12"}, "a pair"),
        ({"max_parallel_launches": ("1", None)}, "is '1'"),
        ({"max_parallel_launches": (1, 2, 3)}, "a pair"),
        ({"max_parallel_launches": 6}, "a pair"),
        ({"available_snapshots": {1, 2}}, "a pair"),
        ({"state_transition_time": (5, None)}, "state_transition_time is 5"),
        ({"state_transition_time": ("soon", None)}, "'soon'"),
        ({"state_transition_time": ("2026-02-01", "2026-01-01")}, "swap them"),
        ({"text": "\ud800"}, "no Unicode text"),
        ({"state": "\ud800"}, "no Unicode text"),
    ],
)
def test_bad_ranges_are_refused(wrong: dict[str, Any], why: str) -> None:
    """What is no pair of ends, in order and of the right kind, is refused by its name."""
    with pytest.raises(fl.InputError, match=why) as refused:
        Filters(**wrong)
    assert next(iter(wrong)) in str(refused.value)


def test_a_range_of_a_column_that_is_not_there() -> None:
    """It is refused rather than empty, and the join that brings the column is named."""
    with pytest.raises(fl.InputError, match=r"lacks.*the join 'metrics'"):
        Filters(available_snapshots=(0, 1)).apply(empty_images())
    with pytest.raises(fl.InputError, match="max_parallel_launches is string, not Int64"):
        Filters(max_parallel_launches=(0, 1)).apply(
            IMAGES.assign(max_parallel_launches=pd.Series("6", IMAGES.index, dtype="string"))
        )


# --- what is kept, counted and spread -------------------------------------------------

EVERYTHING: dict[str, Any] = {
    "account_id": ["111122223333", None],
    "region": ["us-east-1", None],
    "state": ["enabled", "enabling", None],
    "launch_template": ["runner", None],
    "target_resource_count": (5, 6),
    "max_parallel_launches": (None, 6),
    "available_snapshots": (0, 3),
    "state_transition_time": (TIMES[1], TIMES[3]),
    "text": "RUNNER us-east",
}
SOME = [
    *(Filters(**{name: value}) for name, value in EVERYTHING.items()),
    Filters(state=[None]),
    Filters(owner_id="no such"),
    Filters(launch_template=HOSTILE, region="eu-west-1"),
    Filters(launch_template="lt-0123456789abcdef0"),
    Filters(state_transition_time=(TIMES[2], TIMES[2])),
    Filters(text="strasse"),
    Filters(**EVERYTHING),
]
"""One selection for each part, with a null where there may be one, some odd ones, and all."""


@pytest.mark.parametrize("filters", SOME)
def test_one_part_at_a_time(filters: Filters) -> None:
    """The rows are those that plain Python finds, and the counts those that pandas finds."""
    assert FacetIndex(IMAGES).keep(filters).tolist() == kept(IMAGES, filters)
    for facet, counted in some(filters.counts(IMAGES).items()):
        values = facet_values(IMAGES, facet)[kept(IMAGES, filters, but=facet)]
        found = {None if pd.isna(value) else value for value in values}
        assert {value for value, number in counted.items() if number} == found
        assert sum(counted.values()) == len(values)


@given(filters=selections())
def test_a_row_is_kept_if_every_filter_keeps_it(filters: Filters) -> None:
    """Law: the rows are those that plain Python finds, in their order."""
    assert_frame_equal(filters.apply(IMAGES), IMAGES[kept(IMAGES, filters)])


@given(several=st.lists(selections(), min_size=2, max_size=4))
@example(several=[Filters(state="enabled"), Filters(state="enabling"), Filters(state="enabled")])
@example(several=[Filters(text="runner"), Filters(), Filters(text="runner", region="eu-west-1")])
def test_what_is_ready_forgets_nothing_and_remembers_nothing_wrong(several: list[Filters]) -> None:
    """Law: asked for one selection after another, it answers as if each were its first."""
    ready = FacetIndex(IMAGES)
    for filters in several:
        assert ready.keep(filters).tolist() == kept(IMAGES, filters)
        assert ready.counts(filters) == filters.counts(IMAGES)


@given(filters=selections())
def test_counts_leave_out_their_own_filter(filters: Filters) -> None:
    """Law: they are those of pandas over the rows that all other filters keep, zeros included."""
    for facet, counted in some(filters.counts(IMAGES).items()):
        values = facet_values(IMAGES, facet)
        left = values[kept(IMAGES, filters, but=facet)]
        nulls = {None: left.isna().sum()} if left.isna().any() else {}
        assert {v: n for v, n in counted.items() if n} == {**left.value_counts(), **nulls}
        assert list(counted)[: values.nunique()] == sorted(
            values.dropna().unique(),
            key=lambda value: (
                STATES.index(value) if value in STATES else 99 * (facet == "state"),
                value,
            ),
        )
        assert (None in counted) == values.isna().any()


@given(filters=selections(), name=st.sampled_from(list(RANGES)), bins=st.integers(1, 9))
def test_a_bin_is_the_range_between_its_edges(filters: Filters, name: str, bins: int) -> None:
    """Law: each bin has as many rows as its range would keep; with the unknown none is missing."""
    edges, counts, unknown = FacetIndex(IMAGES).histogram(filters, name, bins)
    step = pd.Timedelta("1us") if RANGES[name] == TIME else 1
    for low, after, count in zip(edges[:-1], edges[1:], counts, strict=True):
        alone: dict[str, Any] = {name: (low, after - step)}
        assert len(replace(filters, **alone).apply(IMAGES)) == count
    assert len(counts) <= bins
    assert counts.sum() + unknown == sum(kept(IMAGES, filters, but=name))
    assert edges[0] == IMAGES[name].min()
    assert edges[-2] <= IMAGES[name].max() < edges[-1]


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
def test_bins_are_as_narrow_as_may_be(bins: int, edges: list[int], counts: list[int]) -> None:
    """Of whole numbers from 1 to 10, and a null: equal widths, all of them, none empty behind."""
    targets = [1, 1, 2, 5, 10, None]
    images = fl.from_pages(
        [item(1, SnapshotConfiguration={"TargetResourceCount": target}) for target in targets]
    )
    found = FacetIndex(images).histogram(Filters(), "target_resource_count", bins)
    assert found.edges.tolist() == edges
    assert found.counts.tolist() == counts
    assert found.unknown == 1


def test_nothing_is_hidden_in_a_frame() -> None:
    """What filters keep is what plain pandas would keep, with no more in ``attrs``."""
    kept = Filters(state="enabled").apply(IMAGES)
    assert kept.attrs == IMAGES[IMAGES["state"] == "enabled"].attrs == IMAGES.attrs


def test_bins_stay_where_they_are_and_are_refused() -> None:
    """No selection moves an edge; a frame without values has no bins; nonsense is refused."""
    ready = FacetIndex(IMAGES)
    edges = ready.histogram(Filters(), "state_transition_time", 4).edges
    assert edges.dtype == TIME
    assert edges.equals(ready.histogram(Filters(text="zzz"), "state_transition_time", 4).edges)
    nothing = FacetIndex(empty_images()).histogram(Filters(), "max_parallel_launches", 4)
    assert (len(nothing.edges), len(nothing.counts), nothing.unknown) == (0, 0, 0)
    alone = Filters(max_parallel_launches=(0, 0))
    free, bound = (
        ready.histogram(filters, "max_parallel_launches", 1) for filters in (Filters(), alone)
    )
    assert (
        (free.counts.tolist(), free.unknown) == (bound.counts.tolist(), bound.unknown) == ([6], 2)
    )
    with pytest.raises(fl.InputError, match="Did you mean 'max_parallel_launches'"):
        ready.histogram(Filters(), "max_parallel_launch", 4)
    for bins in (0, True, 2.5):
        with pytest.raises(fl.InputError, match="bins is"):
            ready.histogram(Filters(), "max_parallel_launches", bins)  # type: ignore[arg-type]


@given(word=ODD)
@example(word="ß")
@example(word="\u0130")
@example(word="a\\b `c` $(d)")
def test_text_is_found_in_any_case(word: str) -> None:
    """Law: whatever is written in a reason is found by its words, in capitals too."""
    images = fl.from_pages([item(1, StateTransitionReason=f"x {word} y"), item(2)])
    same = {t for t in (word, word.upper(), word.casefold()) if t.casefold() == word.casefold()}
    left = {text: Filters(text=text).apply(images).index[0] for text in same if text.split()}
    assert set(left.values()) == ({0} if word.split() else set())


# --- as JSON --------------------------------------------------------------------------


@given(filters=selections(names=ODD, texts=ODD))
def test_json_keeps_all_of_it(filters: Filters) -> None:
    """Law: what JSON says is the same selection, and its keys are in one order."""
    text = filters.to_json()
    assert Filters.from_json(text) == filters
    assert Filters.from_json(text).to_json() == text
    order = [*FACETS, *RANGES, "text"]
    assert list(json.loads(text)) == [name for name in order if name in json.loads(text)]


@given(filters=selections(names=ODD, texts=ODD))
def test_repr_makes_it_again(filters: Filters) -> None:
    """Law: what Python shows of it is Python that makes it."""
    assert eval(repr(filters), {"Filters": Filters}) == filters  # noqa: S307


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"stat": ["enabled"]}', "Did you mean 'state'"),
        ('{"self": 1}', "no filter"),
        ("[]", "something else"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (b"{}", "Got a bytes"),
        (None, "Got a NoneType"),
        ('{"state": [1]}', "'state'"),
        ('{"text": null}', "text is None"),
        ('{"target_resource_count": [true, null]}', "target_resource_count is True"),
        ('{"target_resource_count": [1.0, null]}', "is 1.0"),
        ('{"state_transition_time": ["soon", null]}', "'soon'"),
        ('{"state": ["\\ud800"]}', "no Unicode text"),
    ],
)
def test_other_json_is_refused(text: Any, why: str) -> None:
    """What is no JSON of filters is refused, with what is wrong with it."""
    with pytest.raises(fl.InputError, match=why):
        Filters.from_json(text)
