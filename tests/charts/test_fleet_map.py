"""The map of a fleet: every place is told, and none is told to be empty that nobody saw."""

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


def coverage(*places: tuple[int, str | None, str, int]) -> pd.DataFrame:
    """Return a coverage of accounts by number, regions, how they ended, and images."""
    return make_coverage(
        {
            "account_id": f"{account:012d}",
            "region": region,
            "status": status,
            "rows": rows,
            "error_code": "AuthFailure" if status in ("failed", "partial") else None,
        }
        for account, region, status, rows in places
    )


def tiles(figure: Any) -> dict[tuple[str, str], str]:
    """Return what is written on each tile: by account and region."""
    written = {}
    for layer in figure.data:
        for account, values, marks in zip(
            figure.layout.yaxis.ticktext, layer.z, layer.text, strict=True
        ):
            for region, value, mark in zip(
                figure.layout.xaxis.ticktext, values, marks, strict=True
            ):
                if value is not None:
                    assert (account, region) not in written, "two tiles in one place"
                    written[account, region] = mark
                else:
                    assert mark == ""
    return written


def test_a_tile_a_place() -> None:
    """Each way a read may have ended has a mark of its own; a number that is known is written."""
    figure = fl.fleet_map(
        coverage(
            (1, "us-east-1", "complete", 1200),
            (1, "eu-west-1", "complete", 0),
            (1, "sa-east-1", "partial", 200),
            (2, "us-east-1", "failed", 0),
            (2, "eu-west-1", "interrupted", 0),
            (2, "sa-east-1", "not-opted-in", 0),
        )
    )
    one, two = "000000000001", "000000000002"
    assert tiles(figure) == {
        (one, "us-east-1"): "1,200",
        (one, "eu-west-1"): "0",
        (one, "sa-east-1"): "200+",
        (two, "us-east-1"): "×",
        (two, "eu-west-1"): "?",
        (two, "sa-east-1"): "–",
    }
    assert figure.layout.title.text == "1,400 images in 1 account and 2 regions"
    words = fl.text(figure)
    assert "2 of 5 reads are complete" in words
    assert "sa-east-1: 200 images, partial (AuthFailure)" in words
    assert "us-east-1: failed (AuthFailure)" in words


places = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(REGIONS),
        st.sampled_from([*STATUSES]),
        st.integers(0, 9),
    ),
    unique_by=lambda place: place[:2],
    max_size=18,
)


@given(places)
@example([(n, REGIONS[n % 3], status, 0) for n, status in enumerate(STATUSES)])
@example([(1, "us-east-1", "complete", 3), (1, "eu-west-1", "failed", 0)])
@example([(1, "us-east-1", "partial", 0), (2, "us-east-1", "complete", 0)])
def test_nothing_unknown_is_drawn_as_none(found: list[tuple[int, str, str, int]]) -> None:
    """A 0 stands on complete reads without images, and on no other; no failure is left out."""
    figure = fl.fleet_map(coverage(*found))
    written = tiles(figure) if figure.data else {}
    for account, region, status, rows in found:
        mark = written.get((f"{account:012d}", region))
        if status == "complete":
            assert mark in ((f"{rows}",) if rows else ("0", None))
        elif status == "not-opted-in":
            assert mark in ("–", None)
        else:
            assert mark is not None
            assert mark != "0"


def test_what_has_nothing_to_tell_is_counted() -> None:
    """Accounts and regions without images and without failures are in the words, not drawn."""
    figure = fl.fleet_map(
        coverage(
            (1, "us-east-1", "complete", 3),
            (1, "eu-west-1", "not-opted-in", 0),
            (2, "us-east-1", "complete", 0),
        )
    )
    assert tiles(figure) == {("000000000001", "us-east-1"): "3"}
    under = figure.layout.title.subtitle.text
    assert "1 account without images not drawn · 1 region without images not drawn" in under


def test_an_account_that_did_not_open() -> None:
    """Where even the regions could not be listed, the account has a tile that says so."""
    figure = fl.fleet_map(coverage((1, "us-east-1", "complete", 3), (2, None, "failed", 0)))
    assert tiles(figure)["000000000002", "regions not listed"] == "×"


def test_accounts_of_one_name() -> None:
    """Two accounts may have the same name: their ids tell them apart; unknown ones share a row."""
    same = coverage((1, "us-east-1", "complete", 3), (2, "us-east-1", "complete", 5)).assign(
        account_name="build"
    )
    assert tiles(fl.fleet_map(same)) == {
        ("build · 000000000002", "us-east-1"): "5",
        ("build · 000000000001", "us-east-1"): "3",
    }
    lost = coverage((1, None, "failed", 0), (2, None, "failed", 0)).assign(account_id=None)
    assert tiles(fl.fleet_map(lost.astype(same.dtypes))) == {
        ("unknown account", "regions not listed"): "×"
    }


def test_no_image_anywhere() -> None:
    """A fleet without images is an empty figure that says why, and how complete the look was."""
    figure = fl.fleet_map(coverage((1, "us-east-1", "complete", 0)))
    assert not figure.data
    assert figure.layout.title.text == "No image in any account and region"
    assert "1 of 1 reads are complete" in fl.text(figure)
    assert "0 of 0 reads are complete" in fl.text(fl.fleet_map(coverage()))


@pytest.mark.parametrize(
    ("reads", "says"),
    [
        pytest.param([(1, "us-east-1", "failed", 0)], "Nothing could be read", id="all failed"),
        pytest.param(
            [(1, "us-east-1", "complete", 0), (1, "eu-west-1", "failed", 0)],
            "No image in what could be read",
            id="some failed",
        ),
    ],
)
def test_no_image_is_no_claim_of_what_failed(
    reads: list[tuple[int, str | None, str, int]], says: str
) -> None:
    """Where reads have failed, the title counts no images: it says what is known."""
    assert fl.fleet_map(coverage(*reads)).layout.title.text == says


def test_demo_data_is_marked(demo: Demo) -> None:
    """The demo's map says that it is one, and shows names, not ids."""
    swept = fl.sweep(fl.targets(profiles=demo.accounts.values()), regions=demo.regions)
    figure = fl.fleet_map(swept.coverage)
    assert "Demo data" in figure.layout.title.subtitle.text
    assert set(figure.layout.yaxis.ticktext) == set(demo.accounts.values())


def test_a_hostile_name_is_only_text() -> None:
    """An account's name is escaped wherever the figure has it."""
    named = coverage((1, "us-east-1", "failed", 0)).assign(account_name=HOSTILE)
    drawn = fl.fleet_map(named).to_json()
    assert "&lt;img" in drawn.replace("\\u0026", "&")
    assert "<img" not in drawn
    assert "\\u003cimg" not in drawn
    assert "</script>" not in drawn


@pytest.mark.parametrize("accounts", [300, pytest.param(1000, marks=pytest.mark.deep)])
def test_many_accounts_stay_one_figure(accounts: int) -> None:
    """Hundreds of accounts: no higher than a few screens, fewer names, no number on a tile."""
    names = range(accounts)
    figure = fl.fleet_map(
        coverage(*((n, region, "complete", n % 7 + 1) for n in names for region in REGIONS))
    )
    assert figure.layout.height < 2000
    assert len(figure.layout.yaxis.ticktext) <= 60
    assert figure.data[0].texttemplate is None


@pytest.mark.parametrize("wrong", [None, 5, pd.DataFrame({"status": ["complete"]})])
def test_refused(wrong: Any) -> None:
    """What is no coverage is refused, saying what was expected."""
    with pytest.raises(fl.InputError, match=r"Expected a coverage, such as sweep\(...\).coverage"):
        fl.fleet_map(wrong)
