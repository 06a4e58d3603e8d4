"""Families of AMIs: for any AMIs, siblings and successors equal those of a loop over pairs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.joins import merge
from fastlaunch_nb.joins.families import Ami, Families, get_family_name, parse_ami
from fastlaunch_nb.schema.arrow import make_table
from fastlaunch_nb.schema.columns import KEY
from tests.helpers.joins import assert_declared, list_values

ACCOUNTS, REGIONS, IDS = ("111122223333", "123456789012"), ("eu-west-1", "us-east-1"), "abc"
ACCOUNT_REGIONS = [(account, region) for account in ACCOUNTS for region in REGIONS]

keys = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(REGIONS), st.sampled_from(IDS))
names = st.sampled_from(["win-1", "win-2", "core", None])
regional_ids = st.tuples(st.sampled_from(REGIONS), st.sampled_from(IDS))
numbers = st.none() | st.integers(0, 3)
details = st.tuples(names, numbers, numbers, st.none() | regional_ids, st.booleans())
amis = st.dictionaries(keys, details, max_size=10)


def make_ami(key: tuple[str, str, str], detail: Any) -> Ami:
    return Ami(*key, *detail)


def make_row(key: tuple[str, str, str], detail: Any) -> dict[str, Any]:
    """Return an AMI as a row of a query."""
    name, created, launched, source, has = detail
    region, image_id = source or (None, None)
    times = {"image_creation_time": created, "image_last_launched_time": launched}
    days = {
        column: None if day is None else pd.Timestamp(2026, 1, 1 + day, tz="UTC")
        for column, day in times.items()
    }
    sources = {"image_source_region": region, "image_source_id": image_id}
    row = {**dict(zip(KEY, key, strict=True)), "image_name": name, "has": int(has)}
    return {**row, **days, **sources}


def find_root(key: Any, sources: dict[Any, Any]) -> Any:
    visited = []
    while key not in visited:
        visited.append(key)
        if sources.get(key) and sources[key] not in visited:
            key = sources[key]
    return key


@given(keys, details, amis)
def test_siblings_are_copies_or_namesakes_elsewhere(
    key: tuple[str, str, str], detail: Any, listed: dict[Any, Any]
) -> None:
    """Law: a copy of the same AMI counts under any name; a namesake if its origin may be it."""
    image, others = make_ami(key, detail), [make_ami(*item) for item in listed.items()]
    sources = {ami.key: ami.source for ami in (image, *others) if ami.source}
    siblings = [
        ami
        for ami in others
        if ami[:2] != image[:2]
        and ami.key != image.key
        and (
            find_root(ami.key, sources) == find_root(image.key, sources)
            or (ami.name == image.name is not None and not (ami.source and image.source))
        )
    ]
    found = Families(others, [image]).find_siblings(image)
    assert found.count_others(image) == len(siblings)
    labels = {"/".join(ami[:3]) for ami in siblings if not ami.has_fast_launch}
    assert set(filter(None, found.label_others(image).split(", "))) == labels


@given(keys, details, amis)
def test_a_successor_is_newer_and_in_use(
    key: tuple[str, str, str], detail: Any, listed: dict[Any, Any]
) -> None:
    """Law: of the newer builds in its region, it is the one launched last, without Fast Launch."""
    image, others = make_ami(key, detail), [make_ami(*item) for item in listed.items()]
    found = Families(others, [image]).find_successor(image)
    newer = {
        ami.image_id: (ami.launched, ami.created, ami.has_fast_launch)
        for ami in others
        if ami[:2] == image[:2]
        and None not in (ami.name, image.name, ami.created, image.created, ami.launched)
        and str(ami.name).rstrip("-12") == str(image.name).rstrip("-12")
        and ami.created > image.created
    }
    last = max((times[:2] for times in newer.values()), default=None)
    if found:
        assert newer[found][:2] == last
        assert not newer[found][2]
    else:
        assert not newer or any(has for *times, has in newer.values() if tuple(times) == last)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("win2022-base-2026.01.14", "win2022-base"),
        ("win2022-base-20260114", "win2022-base"),
        ("win2022-base-20260114123015", "win2022-base"),
        ("win2022-base 2026-01-14T12-30-15.912619Z", "win2022-base"),
        ("win2022-base-1768478400", "win2022-base"),
        ("win2022-base-v12", "win2022-base"),
        ("win2022_base_1.4.2", "win2022_base"),
        ("win-2022-7", "win-2022"),
        ("win-2022", "win-2022"),
        ("win-2019", "win-2019"),
        ("win2022", "win2022"),
        ("win2022-base", "win2022-base"),
        ("-7", "-7"),
    ],
)
def test_a_family_is_a_name_without_its_build(name: str, family: str) -> None:
    """A date, a time or a version at the end is the build; a release of Windows is not."""
    assert get_family_name(name) == family


def test_an_ami_of_an_instance_is_no_copy() -> None:
    """EC2 names a source for it too; many different AMIs come from one base in this way."""
    row = dict(zip(KEY, (ACCOUNTS[0], REGIONS[0], "a"), strict=True))
    row |= {"image_source_id": "b", "image_source_region": REGIONS[1]}
    assert parse_ami(row).source == (REGIONS[1], "b")
    assert parse_ami({**row, "source_instance_id": "i-1"}).source is None
    assert parse_ami({**row, "source_instance_id": pd.NA}).source == (REGIONS[1], "b")


@given(
    st.lists(st.tuples(keys, details), max_size=6), amis, st.sets(st.sampled_from(ACCOUNT_REGIONS))
)
def test_rows_get_the_families_of_their_amis(
    drawn: list[Any], listed: dict[Any, Any], read: set[tuple[str, str]]
) -> None:
    """Law: a row without a name is unknown, and so is a successor in a region that was not read."""
    images = make_table([make_row(*item) for item in drawn], merge.LISTED)
    others = {key: detail for key, detail in listed.items() if key[:2] in read}
    table = make_table([make_row(*item) for item in others.items()], merge.OWN_AMIS)
    found = merge.join_siblings(images, images, table, read)
    assert_declared("siblings", found, images)
    for (key, detail), row in zip(drawn, list_values(found), strict=True):
        is_known = detail[0] is not None and bool(read)
        assert (row["siblings"] is not None) == is_known
        assert (row["siblings_without_fast_launch"] is not None) == is_known
        assert (row["successor_in_use"] is not None) == (is_known and key[:2] in read)
