"""sweep: its images and its coverage, its filters, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.collect.scheduler import SweepScheduler
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, REGION
from tests.helpers.sweeps import assert_same_images, read_fleet

# --- images and coverage --------------------------------------------------------------


def test_a_sweep_equals_single_reads(demo: Demo, accounts: list[fl.Target]) -> None:
    """Every image of every account and region, in order, with a complete coverage."""
    swept = fl.sweep(accounts, regions=demo.regions)
    assert_same_images(swept.images, read_fleet(demo))
    coverage = swept.coverage
    assert coverage["status"].tolist() == ["complete"] * 6
    assert coverage["rows"].sum() == len(swept.images)
    assert coverage["sweep_id"].unique().tolist() == [swept.sweep_id]
    assert coverage["pages"].tolist() == [1] * 6
    assert coverage["retries"].tolist() == [0] * 6
    assert coverage["checkpoint"].isna().tolist() == [True] * 6
    assert coverage["scope"].tolist() == [""] * 6
    assert coverage["seconds"].min() > 0
    assert (
        coverage["observed_at"].unique().tolist() == swept.images["observed_at"].unique().tolist()
    )
    assert swept.failures.empty
    assert swept.started_at <= swept.finished_at


def test_rows_have_the_names_of_their_accounts(demo: Demo, accounts: list[fl.Target]) -> None:
    """If a target has an account name, its rows have it too."""
    swept = fl.sweep(accounts, regions="us-east-1")
    named = swept.images.drop_duplicates("account_id")
    assert dict(zip(named["account_id"], named["account_name"], strict=True)) == demo.accounts


def test_the_default_is_every_region_of_this_account(demo: Demo) -> None:
    """Without arguments, a sweep reads boto3's account in every region that it has enabled."""
    swept = fl.sweep()
    expected = read_fleet(demo)
    expected = expected[expected["account_id"] == ACCOUNT].reset_index(drop=True)
    assert_same_images(swept.images, expected)
    assert set(demo.regions) < set(swept.coverage["region"])


def test_a_region_that_is_not_opted_in_is_no_failure(demo: Demo) -> None:
    """Its status is in the coverage, whether the region was listed or requested."""
    listed = fl.sweep().coverage.set_index("region")["status"]
    assert listed["ap-east-1"] == "not-opted-in"
    requested = fl.sweep(regions=["ap-east-1", REGION])
    assert requested.coverage["status"].tolist() == ["not-opted-in", "complete"]
    assert requested.coverage["error_code"].isna().tolist() == [True, True]
    assert requested.failures.empty


def test_an_account_is_read_in_its_own_partition(demo: Demo) -> None:
    """Regions of other partitions are left out; if there is no other, that is a failure."""
    listed = some(fl.sweep().coverage["region"])
    assert [region for region in listed if region.startswith(("cn-", "us-gov-"))] == []
    mixed = fl.sweep(regions=["cn-north-1", REGION])
    assert mixed.coverage["region"].tolist() == [REGION]
    elsewhere = fl.sweep(regions=["cn-north-1"])
    [message] = elsewhere.failures["error_message"]
    assert "not in the partition aws" in message


@pytest.mark.parametrize(
    ("filters", "scope"),
    [
        ({"state": "enabled"}, {"Filters": [{"Name": "state", "Values": ["enabled"]}]}),
        (fl.Filters(state="enabled"), {"Filters": [{"Name": "state", "Values": ["enabled"]}]}),
        (fl.Filters(text="gitlab"), {"Here": {"text": "gitlab"}}),
        (
            fl.Filters(
                owner_id=[None, ACCOUNT],
                max_parallel_launches=(6, None),
                state_transition_time=("2026-01-01", None),
            ),
            {
                "Here": {
                    "max_parallel_launches": [6, None],
                    "owner_id": [None, ACCOUNT],
                    "state_transition_time": ["2026-01-01T00:00:00+00:00", None],
                }
            },
        ),
    ],
)
def test_the_scope_has_the_filters(demo: Demo, filters: Any, scope: dict[str, Any]) -> None:
    """Filters may have any form, and the coverage records them."""
    swept = fl.sweep(regions=demo.regions, filters=filters)
    everything = fl.sweep(regions=demo.regions).images
    expected = filters if isinstance(filters, fl.Filters) else fl.Filters(**filters)
    assert swept.coverage["rows"].sum() == len(swept.images)
    assert_same_images(swept.images, expected.apply(everything).reset_index(drop=True))
    assert [json.loads(text) for text in swept.coverage["scope"]] == [scope] * 3


def test_an_account_is_read_once(demo: Demo) -> None:
    """If two targets lead to one account, its rows come once, with a warning."""
    twice = fl.targets(profiles=["default", "build-farm"])
    with pytest.warns(fl.FastLaunchWarning, match=f"Two targets lead to account {ACCOUNT}"):
        swept = fl.sweep(twice, regions=REGION)
    assert_same_images(swept.images, fl.describe(region=REGION))
    assert len(swept.coverage) == 1


def test_a_session_is_a_target(demo: Demo) -> None:
    """A session may be a target, even with keys that are in no configuration."""
    swept = fl.sweep(demo.session, regions=[REGION])
    assert_same_images(swept.images, fl.describe(demo.session, region=REGION))


def test_no_image_is_an_empty_frame(demo: Demo) -> None:
    """Without images, the columns and dtypes are the same and the coverage is complete."""
    swept = fl.sweep(regions=["eu-north-1"])
    pd.testing.assert_frame_equal(swept.images, empty_images(), check_flags=False)
    assert swept.coverage["status"].tolist() == ["complete"]


def test_pages_have_the_maximum_size(ec2: Any) -> None:
    """A sweep requests the largest pages."""
    ids = [f"ami-{number:017x}" for number in range(500)]
    add_fast_launch_images(ec2, [FastLaunchImage(image_id, state="enabled") for image_id in ids])
    swept = fl.sweep(regions=REGION)
    assert swept.coverage[["pages", "rows"]].values.tolist() == [[3, 500]]


# --- refused before a request is sent -------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"targets": []}, "targets is empty"),
        ({"targets": "build-farm"}, r"targets\(profiles="),
        ({"targets": [5]}, "targets has a int"),
        ({"targets": [["build-farm"]]}, "targets has a list"),
        ({"regions": []}, "regions is empty"),
        ({"regions": "US EAST"}, "a region's name"),
        ({"regions": [None]}, "regions has None"),
        ({"regions": 5}, "regions is 5"),
        ({"filters": {"stat": ["x"]}}, "Did you mean 'state'"),
        ({"executor": 5}, "concurrent.futures.Executor"),
        ({"max_workers": 0}, "max_workers is 0"),
        ({"max_workers": True}, "max_workers is True"),
        ({"progress": "yes"}, "progress is 'yes'"),
        ({"progress": 1}, "progress is 1"),
        ({"progress": lambda done: done}, r"called as progress\(done, total\)"),
        ({"strict": 1}, "strict is 1"),
        ({"resume": "20260115"}, "Expected a Sweep"),
    ],
)
def test_an_invalid_argument_is_refused(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], message: str
) -> None:
    """An invalid argument is refused before any request is sent."""
    monkeypatch.setattr(SweepScheduler, "run", lambda *_: pytest.fail("something was sent"))
    with pytest.raises(fl.InputError, match=message):
        fl.sweep(**wrong)


def test_a_resumed_sweep_keeps_regions_and_filters(demo: Demo) -> None:
    """Regions and filters of a resumed sweep cannot be changed."""
    swept = fl.sweep(regions=REGION)
    for change in ({"regions": REGION}, {"filters": {"state": "enabled"}}):
        with pytest.raises(fl.InputError, match="resume keeps the regions and filters"):
            fl.sweep(resume=swept, **change)
