"""Sweep: its text and HTML, and that it can be stored."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.emulator import inject_faults
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION
from tests.helpers.sweeps import OTHER, assert_same_images, read_fleet


def test_a_sweep_has_counts_and_causes(demo: Demo, accounts: list[fl.Target]) -> None:
    """In a notebook: images, statuses, times, and for each cause where and what to do."""
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=[*demo.regions, "ap-east-1"])
    assert repr(swept) == f"Sweep: {len(swept.images)} images, 3 complete, 3 failed, 2 not-opted-in"
    html = swept._repr_html_()
    text = re.sub(r"<style>.*</style>|<[^>]*>", "", html, flags=re.DOTALL)
    expected = (
        f"{len(swept.images)} images in 1 account and 3 regions · Demo data",
        "8 reads of an account and region: 3 complete, 3 failed, 2 not-opted-in",
        "As of 2026-01-15 12:00 UTC",
        "UnauthorizedOperation",
        "game-servers ap-southeast-2, eu-west-1, us-east-1",
        "Allow the IAM action ec2:DescribeFastLaunchImages",
    )
    assert [words for words in expected if words not in text] == []
    ids = swept.coverage["request_id"].dropna()
    assert len(ids) == 3
    assert not [request_id for request_id in ids if request_id in html]


def test_a_long_list_of_regions_is_cut(demo: Demo) -> None:
    """A cause names three regions of an account, and the number of the others."""
    regions = ["eu-west-1", "eu-west-2", "eu-west-3", "us-east-1"]
    with inject_faults(unauthorized=[ACCOUNT]):
        html = fl.sweep(regions=regions)._repr_html_()
    assert f"<b>{ACCOUNT}</b> eu-west-1, eu-west-2, eu-west-3 and 1 more<" in html


NONE_MATCHES = {"filters": {"owner-id": ["999988887777"]}}


@pytest.mark.parametrize(
    ("arguments", "denied", "text"),
    [
        pytest.param({}, [], "No image has Fast Launch here.", id="none"),
        pytest.param(NONE_MATCHES, [], "No image matches the filters.", id="none that matches"),
        pytest.param({}, [ACCOUNT, OTHER], "Nothing could be read.", id="denied"),
        pytest.param(
            NONE_MATCHES, [ACCOUNT, OTHER], "Nothing could be read.", id="denied, with a filter"
        ),
        pytest.param(
            {}, [OTHER], "No image has Fast Launch in what could be read.", id="denied in part"
        ),
        pytest.param(
            {"regions": ["sa-east-1", "ap-east-1"]},
            [],
            "No image has Fast Launch in what could be read.",
            id="not opted in in part",
        ),
        pytest.param({"regions": "ap-east-1"}, [], "Nothing could be read.", id="not opted in"),
    ],
)
def test_an_empty_sweep_claims_only_what_is_known(
    accounts: list[fl.Target], arguments: dict[str, Any], denied: list[str], text: str
) -> None:
    """A sweep says that there is no image only if every region could be read."""
    with inject_faults(unauthorized=denied):
        swept = fl.sweep(accounts, **{"regions": "sa-east-1", **arguments})
    assert f"<b>{text}</b>" in swept._repr_html_()
    assert fl.capacity(swept.images).layout.title.text == "No image to show."


def test_a_hostile_name_is_escaped(demo: Demo) -> None:
    """The name of an account, which its owner chooses, is never markup."""
    with inject_faults(unauthorized=[ACCOUNT]):
        swept = fl.sweep(fl.Target(account_name=HOSTILE), regions=REGION)
    html = swept._repr_html_()
    assert "<img" not in html
    assert "</script>" not in html
    assert "&lt;img" in html
    assert "\u202e" not in html


def test_a_pickled_sweep_can_be_resumed(demo: Demo, accounts: list[fl.Target]) -> None:
    """A sweep can be pickled, and resumed after it is loaded."""
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=demo.regions)
    loaded = pickle.loads(pickle.dumps(swept))
    pd.testing.assert_frame_equal(loaded.images, swept.images)
    assert_same_images(fl.sweep(resume=loaded).images, read_fleet(demo))
