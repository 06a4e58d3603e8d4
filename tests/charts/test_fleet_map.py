"""The fleet map: every scan has a tile, and only a complete scan without images has a 0."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import STATUSES
from tests.helpers.samples import HOSTILE

REGIONS = ["eu-west-1", "sa-east-1", "us-east-1"]


def make_scans(*scans: tuple[int, str | None, str, int]) -> pd.DataFrame:
    """Return a coverage from account numbers, regions, statuses and numbers of images."""
    return make_coverage(
        {
            "account_id": f"{account:012d}",
            "region": region,
            "status": status,
            "rows": rows,
            "error_code": "AuthFailure" if status in ("failed", "partial") else None,
        }
        for account, region, status, rows in scans
    )


def read_tiles(figure: Any) -> dict[tuple[str, str], str]:
    """Return the text of each tile, by account and region."""
    tiles = {}
    for layer in figure.data:
        for account, values, marks in zip(
            figure.layout.yaxis.ticktext, layer.z, layer.text, strict=True
        ):
            for region, value, mark in zip(
                figure.layout.xaxis.ticktext, values, marks, strict=True
            ):
                if value is not None:
                    assert (account, region) not in tiles, "two tiles in one cell"
                    tiles[account, region] = mark
                else:
                    assert mark == ""
    return tiles


def test_every_scan_has_a_tile() -> None:
    """Each status has a mark of its own; a known number of images is on its tile."""
    figure = fl.fleet_map(
        make_scans(
            (1, "us-east-1", "complete", 1200),
            (1, "eu-west-1", "complete", 0),
            (1, "sa-east-1", "partial", 200),
            (2, "us-east-1", "failed", 0),
            (2, "eu-west-1", "interrupted", 0),
            (2, "sa-east-1", "not-opted-in", 0),
        )
    )
    one, two = "000000000001", "000000000002"
    assert read_tiles(figure) == {
        (one, "us-east-1"): "1,200",
        (one, "eu-west-1"): "0",
        (one, "sa-east-1"): "200+",
        (two, "us-east-1"): "×",
        (two, "eu-west-1"): "?",
        (two, "sa-east-1"): "–",
    }
    assert figure.layout.title.text == "1,400 images in 1 account and 2 regions"
    text = fl.alt_text(figure)
    assert "2 of 5 reads are complete" in text
    assert "sa-east-1: 200 images, partial (AuthFailure)" in text
    assert "us-east-1: failed (AuthFailure)" in text


SCANS = st.lists(
    st.tuples(
        st.integers(1, 6), st.sampled_from(REGIONS), st.sampled_from([*STATUSES]), st.integers(0, 9)
    ),
    unique_by=lambda scan: scan[:2],
    max_size=18,
)


@given(SCANS)
@example([(n, REGIONS[n % 3], status, 0) for n, status in enumerate(STATUSES)])
@example([(1, "us-east-1", "complete", 3), (1, "eu-west-1", "failed", 0)])
@example([(1, "us-east-1", "partial", 0), (2, "us-east-1", "complete", 0)])
def test_only_complete_scans_have_a_zero(scans: list[tuple[int, str, str, int]]) -> None:
    """Only a complete scan without images has a 0; every failure has a tile."""
    figure = fl.fleet_map(make_scans(*scans))
    tiles = read_tiles(figure) if figure.data else {}
    for account, region, status, rows in scans:
        mark = tiles.get((f"{account:012d}", region))
        if status == "complete":
            assert mark in ((f"{rows}",) if rows else ("0", None))
        elif status == "not-opted-in":
            assert mark in ("–", None)
        else:
            assert mark is not None
            assert mark != "0"


def test_accounts_and_regions_without_images_are_counted() -> None:
    """Accounts and regions where no image and no failure was seen are counted, and not drawn."""
    figure = fl.fleet_map(
        make_scans(
            (1, "us-east-1", "complete", 3),
            (1, "eu-west-1", "not-opted-in", 0),
            (2, "us-east-1", "complete", 0),
        )
    )
    assert read_tiles(figure) == {("000000000001", "us-east-1"): "3"}
    subtitle = figure.layout.title.subtitle.text
    expected = (
        "2 of 2 reads are complete · 1 more not opted in: unknown · "
        "1 account not drawn, as no image was seen there · "
        "1 region not drawn, as no image was seen there"
    )
    assert expected in subtitle


@pytest.mark.parametrize(
    ("statuses", "title"),
    [
        (("complete", "complete"), "No image in any account and region"),
        (("complete", "not-opted-in"), "No image in what could be read"),
        (("not-opted-in", "not-opted-in"), "Nothing could be read"),
    ],
)
def test_a_region_that_is_not_opted_in_may_have_images(
    statuses: tuple[str, str], title: str
) -> None:
    """Without images the title says so only of what could be read."""
    scans = zip(("us-east-1", "sa-east-1"), statuses, strict=True)
    figure = fl.fleet_map(make_scans(*((1, region, status, 0) for region, status in scans)))
    assert title in fl.alt_text(figure)
    unknown = statuses.count("not-opted-in")
    assert (f"{unknown} more not opted in: unknown" in fl.alt_text(figure)) == bool(unknown)


def test_an_account_without_a_region_list_has_a_tile() -> None:
    """An account whose regions could not be listed has a tile under `regions not listed`."""
    figure = fl.fleet_map(make_scans((1, "us-east-1", "complete", 3), (2, None, "failed", 0)))
    assert read_tiles(figure)["000000000002", "regions not listed"] == "×"


def test_accounts_with_the_same_name_get_their_ids() -> None:
    """Labels of accounts with the same name have their ids; unknown accounts share a row."""
    same_name = make_scans((1, "us-east-1", "complete", 3), (2, "us-east-1", "complete", 5)).assign(
        account_name="build"
    )
    assert read_tiles(fl.fleet_map(same_name)) == {
        ("build · 000000000002", "us-east-1"): "5",
        ("build · 000000000001", "us-east-1"): "3",
    }
    unknown = make_scans((1, None, "failed", 0), (2, None, "failed", 0)).assign(account_id=None)
    assert read_tiles(fl.fleet_map(unknown.astype(same_name.dtypes))) == {
        ("unknown account", "regions not listed"): "×"
    }


def test_a_fleet_without_images_gives_an_empty_figure() -> None:
    """The figure of a fleet without images gives the reason and the number of complete scans."""
    figure = fl.fleet_map(make_scans((1, "us-east-1", "complete", 0)))
    assert not figure.data
    assert figure.layout.title.text == "No image in any account and region"
    assert "1 of 1 reads are complete" in fl.alt_text(figure)
    assert "0 of 0 reads are complete" in fl.alt_text(fl.fleet_map(make_scans()))


@pytest.mark.parametrize(
    ("scans", "title"),
    [
        pytest.param([(1, "us-east-1", "failed", 0)], "Nothing could be read", id="all failed"),
        pytest.param(
            [(1, "us-east-1", "complete", 0), (1, "eu-west-1", "failed", 0)],
            "No image in what could be read",
            id="some failed",
        ),
    ],
)
def test_failed_scans_do_not_count_as_no_images(
    scans: list[tuple[int, str | None, str, int]], title: str
) -> None:
    """If scans failed and the others found no image, the title claims nothing about the failed."""
    assert fl.fleet_map(make_scans(*scans)).layout.title.text == title


def test_demo_data_is_marked(demo: Demo) -> None:
    """The map of the demo is marked as demo data, and has account names instead of ids."""
    swept = fl.sweep(fl.targets(profiles=demo.accounts.values()), regions=demo.regions)
    figure = fl.fleet_map(swept.coverage)
    assert "Demo data" in figure.layout.title.subtitle.text
    assert set(figure.layout.yaxis.ticktext) == set(demo.accounts.values())


def test_account_names_are_escaped() -> None:
    """Markup in an account's name is escaped everywhere in the figure."""
    scans = make_scans((1, "us-east-1", "failed", 0)).assign(account_name=HOSTILE)
    figure_json = fl.fleet_map(scans).to_json()
    assert "&lt;img" in figure_json.replace("\\u0026", "&")
    assert "<img" not in figure_json
    assert "\\u003cimg" not in figure_json
    assert "</script>" not in figure_json


@pytest.mark.parametrize("accounts", [300, pytest.param(1000, marks=pytest.mark.deep)])
def test_a_map_of_many_accounts_has_a_limited_height(accounts: int) -> None:
    """The map of hundreds of accounts is a few screens high, with fewer names and no numbers."""
    numbers = range(accounts)
    figure = fl.fleet_map(
        make_scans(*((n, region, "complete", n % 7 + 1) for n in numbers for region in REGIONS))
    )
    assert figure.layout.height < 2000
    assert len(figure.layout.yaxis.ticktext) <= 60
    assert figure.data[0].texttemplate is None


@pytest.mark.parametrize("value", [None, 5, pd.DataFrame({"status": ["complete"]})])
def test_a_value_that_is_no_coverage_is_refused(value: Any) -> None:
    """The error of a value that is no coverage names an example of one."""
    with pytest.raises(fl.InputError, match=r"Expected a coverage, such as sweep\(...\).coverage"):
        fl.fleet_map(value)
