"""Defects of the demo fleet: rules find each of them, and none in a fleet without defects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet import scenario_defects
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.assumptions import PARALLEL_QUOTA
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.schema.joins import JOINED, JOINS
from tests.helpers.rules import find_contradictions
from tests.helpers.samples import ACCOUNT, REGION

RULE_ROLES = {  # rule name to the roles in DefectAssignment of the images that it finds
    "cold-launches": ("rushed",),
    "unused": ("unused",),
    "pool-bypassed": ("bypassed",),
    "image-gone": ("gone",),
    "image-deprecated": ("deprecated",),
    "drift": ("drifted", "intended"),
    "slow-to-fill": ("drifted",),
    "forbidden-template": ("floating",),
}
SILENT = {"below-target", "excess-snapshots"}
"""Rules without a finding: the launches of the starved pool are warm, and no pool is too large."""


class Report(NamedTuple):
    """A demo fleet's enriched images, its defects, and the findings."""

    images: pd.DataFrame
    assignment: scenario_defects.DefectAssignment
    findings: pd.DataFrame

    def select(self, rule: str) -> pd.DataFrame:
        """Return the findings of a rule."""
        return self.findings[self.findings["finding"] == rule]


@pytest.fixture(
    scope="module",
    params=[pytest.param(0, id="seed 0"), pytest.param(1, id="seed 1", marks=pytest.mark.deep)],
)
def report(request: pytest.FixtureRequest) -> Report:
    """The findings of a demo fleet, read once for all tests."""
    assignments: list[scenario_defects.DefectAssignment] = []
    original = scenario_defects.schedule_defects

    def schedule_defects(
        stories: Any, assignment: scenario_defects.DefectAssignment, *arguments: Any
    ) -> None:
        assignments.append(assignment)
        original(stories, assignment, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario_defects, "schedule_defects", schedule_defects)
        with fl.demo(request.param) as demo:
            targets = fl.targets(profiles=demo.accounts.values())
            observations, coverage, _ = demo.history
            intervals = fl.intervals(observations, coverage)
            images, findings = find_defects(targets, demo.regions, intervals, JOINS)
    return Report(images, assignments[0], findings)


def find_defects(
    targets: Any,
    regions: tuple[str, ...],
    intervals: pd.DataFrame | None = None,
    joins: Iterable[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the enriched images of a fleet, and the findings."""
    sweep = fl.sweep(targets, regions=regions, progress=False)
    images = fl.enrich(sweep.images, *joins, targets=targets)
    snapshots = fl.snapshots(targets, regions=regions)
    findings = fl.findings(
        images, intervals=intervals, coverage=sweep.coverage, snapshots=snapshots
    )
    return images, findings


# --- the demo fleet -------------------------------------------------------------------


def test_every_rule_finds_something(report: Report) -> None:
    """Nearly every rule has findings in the demo fleet, and none but `failed` more than three."""
    counts = report.findings["finding"].value_counts()
    assert set(counts.index) == {rule.name for rule in fl.RULES} - SILENT
    assert counts.drop("failed").max() <= 3
    assert counts["failed"] == report.images["state"].str.endswith("failed").sum() == 8


@pytest.mark.parametrize("rule", RULE_ROLES)
def test_a_rule_finds_only_the_image_with_its_defect(report: Report, rule: str) -> None:
    """A rule finds the images to which its defect is assigned, and no other."""
    expected = sorted(getattr(report.assignment, role) for role in RULE_ROLES[rule])
    assert sorted(report.select(rule)["image_id"]) == expected


def test_a_busy_pool_is_not_short(report: Report) -> None:
    """The starved pool is below its target, but its launches are warm: that is no finding."""
    rows = report.images.set_index("image_id").loc[report.assignment.starved]
    assert rows["available_snapshots"] < rows["target_resource_count"]
    assert rows["cold_launches"] == 0
    assert rows["fast_launches"] > 0


def test_no_image_of_the_demo_gets_contradictory_advice(report: Report) -> None:
    """All images and all rules: none is advised to end Fast Launch and to go on with it."""
    assert find_contradictions(report.findings) == {}


def test_one_account_region_is_over_its_quota(report: Report) -> None:
    """The account and region with the most parallel launches has the default quota, others more."""
    [finding] = report.select("over-quota").to_dict("records")
    enabled = report.images[report.images["state"].isin(["enabling", "enabled"])]
    groups: Any = enabled.groupby(["account_id", "region"])
    launches = groups["max_parallel_launches"].sum()
    assert launches[finding["account_id"], finding["region"]] > PARALLEL_QUOTA
    quotas = groups["parallel_launches_quota"].first()
    assert quotas.pop((finding["account_id"], finding["region"])) == PARALLEL_QUOTA
    assert quotas.min() > launches.max()
    assert pd.isna(finding["image_id"])


def test_one_image_has_orphaned_snapshots(report: Report) -> None:
    """The orphaned snapshots are those of one image, which Fast Launch no longer lists."""
    [image_id] = report.select("orphaned")["image_id"]
    assert image_id not in set(report.images["image_id"])
    assert report.select("orphaned")["evidence"].iloc[0].startswith("3 snapshots since ")


def test_one_image_is_stuck(report: Report) -> None:
    """The image that has been disabling for longest is stuck."""
    disabling = report.images[report.images["state"] == "disabling"]
    longest = disabling.sort_values("state_transition_time")["image_id"].iloc[0]
    assert report.select("stuck")["image_id"].tolist() == [longest]


def test_launches_do_not_change_what_is_described(demo: Demo) -> None:
    """Without launches the images are the same, except for generated instance ids."""

    def describe_fleet() -> tuple[pd.DataFrame, int]:
        targets = fl.targets(profiles=demo.accounts.values())
        images = fl.sweep(targets, regions=demo.regions, progress=False).images
        instances = fl.enrich(images, "launches", targets=targets)["instances"]
        reasons = images["state_transition_reason"].str.replace(r"i-[0-9a-f]{17}", "i-", regex=True)
        return images.assign(state_transition_reason=reasons), int(instances.sum())

    images, instances = describe_fleet()
    assert instances > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario_defects, "schedule_defects", lambda *_: None)
        with fl.demo():
            images_without_launches, no_instances = describe_fleet()
    assert no_instances == 0
    pd.testing.assert_frame_equal(images_without_launches, images)


# --- a fleet without defects ----------------------------------------------------------

CLEAN_IMAGES = {REGION: "ami-00000000000000001", "eu-west-1": "ami-00000000000000002"}


ABSENT = [  # things that these images do not have, though they were read
    "below_target_since",
    "image_deprecation_time",
    "image_last_launched_time",
    "image_source_id",
    "image_source_region",
    "template_http_tokens",
    "template_instance_type",
    "snapshot_full_gib",
]


@pytest.fixture
def clean_fleet(ec2: Any) -> boto3.Session:
    """Three weeks of an image in two regions, launched once a day, with full pools now."""
    session = boto3.Session("x", "x")
    clients = {region: session.client("ec2", region_name=region) for region in CLEAN_IMAGES}
    for region, image_id in CLEAN_IMAGES.items():
        get_backend(ACCOUNT, region).add_windows_image(image_id, name="win2022", owner_id=ACCOUNT)
        clients[region].enable_fast_launch(ImageId=image_id)
    for _ in range(21):
        CLOCK.advance(days=1)
        for region, image_id in CLEAN_IMAGES.items():
            clients[region].run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    CLOCK.advance(hours=1)
    return session


def test_a_clean_fleet_has_no_findings(clean_fleet: boto3.Session) -> None:
    """All values of its images are known, and no rule finds anything."""
    images, findings = find_defects(clean_fleet, tuple(CLEAN_IMAGES))
    assert dict(zip(images["region"], images["image_id"], strict=True)) == CLEAN_IMAGES
    assert findings.empty
    full = images[["state", "snapshots", "available_snapshots", "instances_fast"]]
    assert full.values.tolist() == [["enabled", 5, 5, 21]] * 2
    joined = images[[name for name in JOINED if name in images]].drop(columns=ABSENT)
    assert joined.columns[joined.isna().any()].tolist() == []
    assert images["not_read"].tolist() == ["", ""]
    assert images["parallel_launches_quota"].tolist() == [40, 40]


@pytest.mark.parametrize("region", CLEAN_IMAGES)
def test_a_new_defect_is_the_only_finding(clean_fleet: boto3.Session, region: str) -> None:
    """A deregistered AMI and then lost Fast Launch are each found, and nothing else is."""
    ec2 = get_backend(ACCOUNT, region)
    for rule, change in {"image-gone": ec2.deregister_image, "orphaned": ec2.abandon}.items():
        change(CLEAN_IMAGES[region])
        _, findings = find_defects(clean_fleet, tuple(CLEAN_IMAGES))
        found = findings[["finding", "region", "image_id"]].values.tolist()
        assert found == [[rule, region, CLEAN_IMAGES[region]]]
