"""The defects of the demo fleet: findings find each of them, and none in a fleet without any."""

from __future__ import annotations

from typing import Any, NamedTuple

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb import emulator
from fastlaunch_nb.demo_fleet import scenario_defects
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.schema.joins import DEFAULT_QUOTA, JOINED
from tests.helpers.samples import ACCOUNT, REGION

ROLES = {  # rule to who plays what it is about
    "cold-launches": "rushed",
    "below-target": "starved",
    "unused": "unused",
    "pool-bypassed": "bypassed",
    "image-gone": "gone",
    "image-deprecated": "deprecated",
    "drift": "drifted",
    "slow-to-fill": "drifted",
}


class Found(NamedTuple):
    """A demo's images with all that is joined to them, its cast, and what was found."""

    images: pd.DataFrame
    cast: scenario_defects.DefectAssignment
    findings: pd.DataFrame

    def of(self, rule: str) -> pd.DataFrame:
        """What a rule has found."""
        return self.findings[self.findings["finding"] == rule]


@pytest.fixture(
    scope="module",
    params=[pytest.param(0, id="seed 0"), pytest.param(1, id="seed 1", marks=pytest.mark.deep)],
)
def found(request: pytest.FixtureRequest) -> Found:
    """What is found in a demo fleet, which is asked once for all tests."""
    casts: list[scenario_defects.DefectAssignment] = []
    real = scenario_defects.plan

    def plan(
        emulator: Any, stories: Any, cast: scenario_defects.DefectAssignment, *more: Any
    ) -> None:
        casts.append(cast)
        real(emulator, stories, cast, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario_defects, "plan", plan)
        with fl.demo(request.param) as demo:
            targets = fl.targets(profiles=demo.accounts.values())
            seen, coverage, _ = demo.history
            lives = fl.intervals(seen, coverage)
            images, findings = asked(targets, demo.regions, lives)
    return Found(images, casts[0], findings)


def asked(
    targets: Any, regions: tuple[str, ...], intervals: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return images with all that is joined to them, and what is found."""
    sweep = fl.sweep(targets, regions=regions, progress=False)
    images = fl.enrich(sweep.images, targets=targets)
    made = fl.snapshots(targets, regions=regions)
    findings = fl.findings(images, intervals=intervals, coverage=sweep.coverage, snapshots=made)
    return images, findings


# --- the demo fleet -------------------------------------------------------------------


def test_every_rule_finds_something(found: Found) -> None:
    """The demo shows each rule at work, and of what each finds only a few."""
    counts = found.findings["finding"].value_counts()
    assert set(counts.index) == {rule.name for rule in fl.RULES}
    assert counts.drop("failed").max() <= 2
    assert counts["failed"] == found.images["state"].str.endswith("failed").sum() == 8


@pytest.mark.parametrize("rule", ROLES)
def test_who_plays_a_role_is_found(found: Found, rule: str) -> None:
    """A rule about a role finds the image that plays it, and no other."""
    assert found.of(rule)["image_id"].tolist() == [getattr(found.cast, ROLES[rule])]


def test_one_place_is_over_its_quota(found: Found) -> None:
    """That with the most asks for more than the default, which it has; all others were raised."""
    [place] = found.of("over-quota").to_dict("records")
    at_work = found.images[found.images["state"].isin(["enabling", "enabled"])]
    parts: Any = at_work.groupby(["account_id", "region"])
    asked = parts["max_parallel_launches"].sum()
    assert asked[place["account_id"], place["region"]] > DEFAULT_QUOTA
    quotas = parts["parallel_launches_quota"].first()
    assert quotas.pop((place["account_id"], place["region"])) == DEFAULT_QUOTA
    assert quotas.min() > asked.max()
    assert pd.isna(place["image_id"])


def test_one_image_has_left_snapshots_behind(found: Found) -> None:
    """Snapshots are orphans of one image, which EC2 does not have among those of Fast Launch."""
    [image_id] = found.of("orphaned")["image_id"]
    assert image_id not in set(found.images["image_id"])
    assert found.of("orphaned")["evidence"].iloc[0].startswith("3 snapshots of 150 GiB")


def test_one_image_is_stuck(found: Found) -> None:
    """It is the one that has been enabling for longest, and preparing hangs."""
    enabling = found.images[found.images["state"] == "enabling"]
    longest = enabling.sort_values("state_transition_time")["image_id"].iloc[0]
    assert found.of("stuck")["image_id"].tolist() == [longest]


def test_launches_do_not_change_what_is_described(demo: Demo) -> None:
    """The same is answered of a fleet without them, but for ids of instances that are made up."""

    def described() -> tuple[pd.DataFrame, int]:
        targets = fl.targets(profiles=demo.accounts.values())
        images = fl.sweep(targets, regions=demo.regions, progress=False).images
        instances = fl.enrich(images, "launches", targets=targets)["instances"]
        reasons = images["state_transition_reason"].str.replace(r"i-[0-9a-f]{17}", "i-", regex=True)
        return images.assign(state_transition_reason=reasons), int(instances.sum())

    images, instances = described()
    assert instances > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario_defects, "plan", lambda *_: None)
        with fl.demo():
            same, none = described()
    assert none == 0
    pd.testing.assert_frame_equal(same, images)


# --- a fleet without defects ----------------------------------------------------------

CLEAN = {REGION: "ami-00000000000000001", "eu-west-1": "ami-00000000000000002"}


@pytest.fixture
def clean(ec2: Any) -> boto3.Session:
    """Three weeks of an image in two regions: launched every day, and full again by now."""
    session = boto3.Session("x", "x")
    clients = {region: session.client("ec2", region_name=region) for region in CLEAN}
    for region, image_id in CLEAN.items():
        there = emulator.backend(ACCOUNT, region)
        there.add_windows_image(image_id, name="win2022", owner_id=ACCOUNT)
        clients[region].enable_fast_launch(ImageId=image_id)
    for _ in range(21):
        emulator.CLOCK.advance(days=1)
        for region, image_id in CLEAN.items():
            clients[region].run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    emulator.CLOCK.advance(hours=1)
    return session


def test_nothing_is_found_in_a_clean_fleet(clean: boto3.Session) -> None:
    """All is known of its images, and no rule finds anything."""
    images, findings = asked(clean, tuple(CLEAN))
    assert dict(zip(images["region"], images["image_id"], strict=True)) == CLEAN
    assert findings.empty
    full = images[["state", "snapshots", "available_snapshots", "instances_fast"]]
    assert full.values.tolist() == [["enabled", 5, 5, 21]] * 2
    known = images[[*JOINED]].drop(columns=["below_target_since", "image_deprecation_time"])
    assert known.columns[known.isna().any()].tolist() == []
    assert images["parallel_launches_quota"].tolist() == [40, 40]


@pytest.mark.parametrize("region", CLEAN)
def test_what_then_goes_wrong_is_found(clean: boto3.Session, region: str) -> None:
    """The AMI is deregistered, then its Fast Launch is lost: each is found, and nothing else."""
    there = emulator.backend(ACCOUNT, region)
    for rule, change in {"image-gone": there.deregister, "orphaned": there.abandon}.items():
        change(CLEAN[region])
        _, findings = asked(clean, tuple(CLEAN))
        told = findings[["finding", "region", "image_id"]].values.tolist()
        assert told == [[rule, region, CLEAN[region]]]
