"""Filters: arguments, matching rows, counts, requests to EC2, JSON."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from pandas.testing import assert_frame_equal

import fastlaunch_nb as fl
from fastlaunch_nb.filters.fields import FACETS, RANGES, get_facet_values
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.columns import API_FILTERS, STATES
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.samples import SINCE, item
from tests.helpers.selections import EXAMPLES, IMAGES, ODD_TEXT, find_matches, selections

# --- matching rows --------------------------------------------------------------------


def test_filters_keep_rows_and_labels(images: pd.DataFrame) -> None:
    """A row matches every facet by any of its values; None matches a row without a value."""
    selected = Filters(region="us-east-1", state=["enabled", "enabling"]).apply(images)
    assert selected.index.tolist() == [0, 2]
    assert Filters(state=[None]).apply(images)["image_id"].tolist() == ["ami-00000007"]
    assert Filters(state=["Enabled"]).apply(images).empty


def test_launch_template_is_its_name_or_its_id(images: pd.DataFrame) -> None:
    """A template without a name is found by its id."""
    selected = Filters(launch_template="lt-0123456789abcdef0").apply(images)
    assert selected["state"].tolist() == ["disabling"]


def test_text_finds_words_in_any_case(images: pd.DataFrame) -> None:
    """All words must occur, in any searched column, and are not patterns."""
    assert Filters(text="RUNNER eu-west").apply(images).index.tolist() == [4, 5]
    assert Filters(text="onerror=alert(1)").apply(images)["state"].tolist() == [
        "enabling-failed",
        "disabling-failed",
    ]
    assert Filters(text=".*").apply(images).empty


@given(word=ODD_TEXT)
@example(word="ß")
@example(word="\u0130")
@example(word="a\\b `c` $(d)")
def test_text_is_found_in_any_case(word: str) -> None:
    """Law: any text in a reason is found by its words, in capitals too."""
    images = fl.from_pages([item(1, StateTransitionReason=f"x {word} y"), item(2)])
    texts = {t for t in (word, word.upper(), word.casefold()) if t.casefold() == word.casefold()}
    first = {text: Filters(text=text).apply(images).index[0] for text in texts if text.split()}
    assert set(first.values()) == ({0} if word.split() else set())


@given(filters=selections())
def test_a_row_matches_if_it_matches_every_filter(filters: Filters) -> None:
    """Law: the rows are those that plain Python finds, in their order."""
    assert_frame_equal(filters.apply(IMAGES), IMAGES[find_matches(IMAGES, filters)])


def test_apply_adds_nothing_to_attrs() -> None:
    """The result has the ``attrs`` that a plain selection of pandas has."""
    selected = Filters(state="enabled").apply(IMAGES)
    assert selected.attrs == IMAGES[IMAGES["state"] == "enabled"].attrs == IMAGES.attrs


# --- counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("filters", EXAMPLES)
def test_counts_of_one_field_at_a_time(filters: Filters) -> None:
    """A facet's counts are those of the rows that all other filters keep."""
    for facet, counts in some(filters.counts(IMAGES).items()):
        values = get_facet_values(IMAGES, facet)[find_matches(IMAGES, filters, ignore=facet)]
        expected = {None if pd.isna(value) else value for value in values}
        assert {value for value, number in counts.items() if number} == expected
        assert sum(counts.values()) == len(values)


@given(filters=selections())
def test_counts_ignore_their_own_filter(filters: Filters) -> None:
    """Law: counts are those of pandas over the rows that other filters keep, with zeros."""
    for facet, counts in some(filters.counts(IMAGES).items()):
        values = get_facet_values(IMAGES, facet)
        others = values[find_matches(IMAGES, filters, ignore=facet)]
        nulls = {None: others.isna().sum()} if others.isna().any() else {}
        assert {v: n for v, n in counts.items() if n} == {**others.value_counts(), **nulls}
        assert list(counts)[: values.nunique()] == sorted(
            values.dropna().unique(),
            key=lambda value: (
                STATES.index(value) if value in STATES else 99 * (facet == "state"),
                value,
            ),
        )
        assert (None in counts) == values.isna().any()


# --- ranges ---------------------------------------------------------------------------


def test_a_range_includes_its_ends_and_excludes_nulls() -> None:
    """Both ends are included, an open end has no bound, and a null matches no range."""
    targets: list[dict[str, int]] = [{"TargetResourceCount": n} for n in (1, 2, 3)]
    images = fl.from_pages([item(1, SnapshotConfiguration=target) for target in [*targets, {}]])

    def select(low: int | None, high: int | None) -> list[int]:
        return Filters(target_resource_count=(low, high)).apply(images).index.tolist()

    assert select(1, 2) == [0, 1]
    assert select(2, None) == [1, 2]
    assert select(None, 2) == [0, 1]
    assert select(2, 2) == [1]
    assert select(None, None) == [0, 1, 2, 3]


def test_times_are_compared_in_utc() -> None:
    """A time is the same in every time zone and form; without a time zone it is in UTC."""
    filters = Filters(state_transition_time=("2026-01-14T09:30:15.552Z", None))
    assert filters == Filters(state_transition_time=[SINCE, None])
    assert filters == Filters(state_transition_time=("2026-01-14 10:30:15.552+01:00", None))
    assert filters == Filters(state_transition_time=("2026-01-14 09:30:15.552", None))
    in_tokyo = IMAGES.assign(
        state_transition_time=IMAGES["state_transition_time"].dt.tz_convert("Asia/Tokyo")
    )
    minute_later = Filters(state_transition_time=(None, "2026-01-14T09:31:15.552Z"))
    assert minute_later.apply(in_tokyo).index.tolist() == [0, 1]


def test_a_range_with_two_open_ends_is_no_filter() -> None:
    """Two open ends exclude nothing, so they equal no range at all."""
    assert Filters(max_parallel_launches=(None, None)) == Filters()
    assert not Filters(max_parallel_launches=[None, None])
    assert Filters(max_parallel_launches=(0, None))


def test_a_range_of_a_missing_column_is_refused() -> None:
    """The error names the join that adds the column, or the dtype that the column has."""
    with pytest.raises(fl.InputError, match=r"lacks.*The join 'metrics'"):
        Filters(available_snapshots=(0, 1)).apply(empty_images())
    with pytest.raises(fl.InputError, match=r"missing_snapshots.*lacks.*The join 'metrics'"):
        Filters(missing_snapshots=(0, 1)).apply(empty_images())
    with pytest.raises(fl.InputError, match="max_parallel_launches is string, not Int64"):
        Filters(max_parallel_launches=(0, 1)).apply(
            IMAGES.assign(max_parallel_launches=pd.Series("6", IMAGES.index, dtype="string"))
        )


# --- arguments ------------------------------------------------------------------------


def test_filters_are_values() -> None:
    """Equal filters have one hash, survive pickling, and cannot be changed."""
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
    ("arguments", "problem"),
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
        ({"text": "\ud800"}, "not Unicode text"),
        ({"state": "\ud800"}, "not Unicode text"),
        ({"state": [1]}, "'state'"),
        ({"text": 3}, "text is 3"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], problem: str) -> None:
    """A bad value, or a bad pair of ends, is refused with the name of its argument."""
    with pytest.raises(fl.InputError, match=problem) as caught:
        Filters(**arguments)
    assert next(iter(arguments)) in str(caught.value)


# --- requests to EC2 ------------------------------------------------------------------


def test_to_request_has_the_filters_that_ec2_applies() -> None:
    """EC2 gets its own filters; the others stay; none is in both and none is lost."""
    filters = Filters(
        state=["enabled"], owner_id=[None], region="us-east-1", image_id="ami-00000001", text="x"
    )
    assert filters.to_request() == {
        "ImageIds": ["ami-00000001"],
        "Filters": [{"Name": "state", "Values": ["enabled"]}],
    }
    assert filters.client_side() == Filters(owner_id=[None], region="us-east-1", text="x")


@pytest.mark.filterwarnings("ignore:filters has the state")
@given(filters=selections())
@example(filters=Filters(state=["enabled", "enabling"], region="us-east-1", text="runner"))
@example(filters=Filters(state=["some-new-state", None], launch_template=[None]))
def test_server_side_and_client_side_make_the_whole(filters: Filters) -> None:
    """Law: the filters of EC2, then the others, keep the same rows as all at once."""
    request = replace(filters, image_id=()).to_request()
    arguments = {API_FILTERS[f["Name"]]: f["Values"] for f in request.get("Filters", [])}
    server_side = Filters(**arguments, image_id=filters.server_side().get("image_id", ()))
    selected = filters.client_side().apply(server_side.apply(IMAGES))
    assert_frame_equal(selected, filters.apply(IMAGES))


# --- JSON -----------------------------------------------------------------------------


@given(filters=selections(names=ODD_TEXT, texts=ODD_TEXT))
def test_json_restores_equal_filters(filters: Filters) -> None:
    """Law: JSON restores the same selection, and its keys are in a fixed order."""
    text = filters.to_json()
    assert Filters.from_json(text) == filters
    assert Filters.from_json(text).to_json() == text
    order = [*FACETS, *RANGES, "text"]
    assert list(json.loads(text)) == [name for name in order if name in json.loads(text)]


@given(filters=selections(names=ODD_TEXT, texts=ODD_TEXT))
def test_repr_restores_equal_filters(filters: Filters) -> None:
    """Law: the repr is Python code that makes equal filters."""
    assert eval(repr(filters), {"Filters": Filters}) == filters  # noqa: S307


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"stat": ["enabled"]}', "Did you mean 'state'"),
        ('{"self": 1}', "not a filter"),
        ("[]", "not an object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"{}", "Got a bytes"),
        (None, "Got a NoneType"),
        ('{"state": [1]}', "'state'"),
        ('{"text": null}', "text is None"),
        ('{"target_resource_count": [true, null]}', "target_resource_count is True"),
        ('{"target_resource_count": [1.0, null]}', "is 1.0"),
        ('{"state_transition_time": ["soon", null]}', "'soon'"),
        ('{"state": ["\\ud800"]}', "not Unicode text"),
    ],
)
def test_other_json_is_refused(text: Any, problem: str) -> None:
    """Text that is not the JSON of filters is refused, with the problem."""
    with pytest.raises(fl.InputError, match=problem):
        Filters.from_json(text)
