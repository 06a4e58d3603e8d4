"""The sample history: a week of scans and events, equal to what real sweeps return."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.demo_fleet.sample_history import Denial, replay_scans
from fastlaunch_nb.emulator.change_log import CHANGE_LOG
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.pool.fill_time import PREPARATION_LIMIT
from fastlaunch_nb.schema.columns import API_STATES, COVERAGE, EVENTS, KEY
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.emulator import inject_faults
from tests.helpers.samples import ACCOUNT


def test_the_history_covers_a_week(demo: Demo) -> None:
    """The week has a scan every six hours, three denied scans, every state, and retired images."""
    observations, coverage, events = demo.history
    times = coverage["observed_at"].drop_duplicates()
    assert len(times) == 29
    assert (times.max(), times.max() - times.min()) == (demo.clock.now(), timedelta(days=7))
    assert len(coverage) == 29 * 6
    assert coverage["status"].value_counts().to_dict() == {"complete": 171, "failed": 3}
    assert list(coverage) == [column.name for column in COVERAGE]
    assert coverage["rows"].sum() == len(observations)
    assert observations.dtypes.equals(empty_images().dtypes)
    assert list(events) == [column.name for column in EVENTS]
    assert set(events["state"]) == {*API_STATES, "disabled"}
    assert events["observed_at"].is_monotonic_increasing
    targets = fl.targets(profiles=demo.accounts.values())
    present = fl.sweep(targets, regions=demo.regions, progress=False).images
    retired = set(observations["image_id"]) - set(present["image_id"])
    assert set(events[events["state"] == "disabled"]["image_id"]) == retired
    assert len(retired) == 3


def test_scans_have_whole_seconds(demo: Demo) -> None:
    """A scan has a time in whole seconds, as AWS answers have, even between two seconds."""
    demo.clock.advance(seconds=90.25)
    for rows in (demo.history.observations, demo.history.coverage):
        assert set(rows["observed_at"].dt.microsecond) == {0}
    assert demo.history.observations["observed_at"].max() == fl.describe()["observed_at"].max()


def test_a_week_without_changes_has_no_events(demo: Demo) -> None:
    """A week in which nothing happened has an empty frame of events, with all columns."""
    events_before = demo.history.events
    demo.clock.advance(days=30)
    _, coverage, events = demo.history
    assert len(coverage) == 29 * 6
    assert set(coverage["status"]) == {"complete"}
    assert len(events) == 0 < len(events_before)
    pd.testing.assert_frame_equal(events, events_before.head(0), check_index_type=False)


def test_replayed_scans_equal_real_sweeps(demo: Demo) -> None:
    """In an hour with many changes and a denial, replayed scans equal sweeps over HTTP."""
    ec2 = demo.session.client("ec2", region_name="us-east-1")
    images = fl.describe(region="us-east-1")
    enabled = images.loc[images["state"] == "enabled", "image_id"].tolist()
    get_backend(ACCOUNT, "us-east-1").break_preparation(enabled[1])
    new_image = "ami-0123456789abcdef0"
    get_backend(ACCOUNT, "sa-east-1").add_windows_image(new_image, name="new", owner_id=ACCOUNT)
    sweeps, times = [], []
    start, end = (demo.clock.now() + timedelta(minutes=minutes) for minutes in (14, 35))
    denial = Denial(ACCOUNT, "us-east-1", start, end)
    for number in range(8):
        if number == 1:
            ec2.disable_fast_launch(ImageId=enabled[0])
            ec2.enable_fast_launch(
                ImageId=enabled[1], SnapshotConfiguration={"TargetResourceCount": 60}
            )
            other_region = demo.session.client("ec2", region_name="sa-east-1")
            other_region.enable_fast_launch(ImageId=new_image)
        times.append(demo.clock.now())
        sweeps += [*sweep_all(demo, denial)]
        demo.clock.advance(minutes=7)
    observations, coverage = replay_scans(CHANGE_LOG, times, denial)
    assert observations["state"].nunique() == 6
    assert coverage["error_code"].dropna().tolist() == ["UnauthorizedOperation"] * 3
    comparable = [*coverage.dropna(axis="columns", how="all").drop(columns="sweep_id")]
    for replayed, attribute, columns in (
        (observations, "images", [*observations]),
        (coverage, "coverage", comparable),
    ):
        real = pd.concat([getattr(sweep, attribute) for sweep in sweeps])[columns]
        order = [name for name in ("observed_at", *KEY) if name in columns]
        left, right = (
            rows.sort_values(order, ignore_index=True) for rows in (real, replayed[columns])
        )
        pd.testing.assert_frame_equal(left, right, check_flags=False)


def sweep_all(demo: Demo, denial: Denial) -> Iterator[fl.Sweep]:
    """Yield sweeps that together read every account and region; one may be denied now."""
    now = demo.clock.now()
    for account_id, profile in demo.accounts.items():
        regions = {change.region for change in CHANGE_LOG if change.account_id == account_id}
        is_denied = account_id == denial.account_id and denial.start <= now < denial.end
        denied = regions & {denial.region} if is_denied else set()
        for swept_regions, unauthorized in ((denied, [account_id]), (regions - denied, [])):
            with inject_faults(unauthorized=unauthorized):
                if swept_regions:
                    target = fl.targets(profiles=[profile])
                    yield fl.sweep(target, regions=swept_regions, progress=False)


RETRIED, SLOW = "win2022-gitlab-runner-2025.11", "win2025-game-server-2026.01"
STUCK = "win2022-game-server-2025.11"
RETIRED = {  # region to image id of win2019-legacy-lobby-2025.09, which is deregistered
    "ap-southeast-2": "ami-ad138d1508557716a",
    "eu-west-1": "ami-c73f660d8e9f41cc0",
    "us-east-1": "ami-d79c147c719a5711b",
}


def test_the_week_is_as_documented(demo: Demo) -> None:
    """The docstring of the history is true, for scans alone and to the second with events."""
    observations, coverage, events = demo.history
    amis = {
        ami.name: image_id
        for account_id in demo.accounts
        for image_id, ami in get_backend(account_id, "us-east-1").amis.items()
    }
    scans = format_stories(fl.intervals(observations, coverage))
    everything = pd.concat([observations, events], ignore_index=True)
    with_events = format_stories(fl.intervals(everything, coverage))
    failed = "enabling 09 11:24, enabling-failed 09 11:54, enabling 09 18:44, enabled 09 18:54"
    assert scans[amis[RETRIED]] == "enabling-failed 09 11:54, enabled 09 18:54"
    assert with_events[amis[RETRIED]] == failed
    assert scans[amis[SLOW]] == "enabled 12 17:05"
    assert with_events[amis[SLOW]] == "enabling 12 16:37, enabled 12 17:05"
    assert with_events[amis[STUCK]].endswith("disabling 15 03:00")
    for stories in (scans, with_events):
        unknown = {image_id for image_id in stories if "unknown" in stories[image_id]}
        assert unknown == {RETIRED["us-east-1"]}
    assert scans[RETIRED["us-east-1"]].endswith(", unknown 13 00:00, absent 13 18:00")
    for region, when in {"ap-southeast-2": "11 10:", "eu-west-1": "12 11:"}.items():
        assert re.search(r"enabled [^,]+, absent [^,]+$", scans[RETIRED[region]])
        story = with_events[RETIRED[region]]
        assert re.search(rf"disabling {when}.., disabled {when}..$", story)
    story = with_events[RETIRED["us-east-1"]]
    assert ", disabling 13 04:00, disabled 13 04:10, unknown" in story


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_seed_has_a_gap(seed: int) -> None:
    """With every seed the denied scans leave it unknown when an image was disabled."""
    with fl.demo(seed) as demo:
        observations, coverage, _ = demo.history
        stories = format_stories(fl.intervals(observations, coverage))
    assert any(story.endswith(", unknown 13 00:00, absent 13 18:00") for story in stories.values())


def test_no_image_is_enabling_for_longer_than_the_limit(demo: Demo) -> None:
    """With events, every time of enabling ends within EC2's limit of 30 minutes."""
    observations, coverage, events = demo.history
    everything = pd.concat([observations, events], ignore_index=True)
    intervals = fl.intervals(everything, coverage)
    enabling = intervals[intervals["state"] == "enabling"]
    ages = enabling["end"].fillna(pd.Timestamp(demo.clock.now())) - enabling["start"]
    assert len(ages) > 5
    assert ages.max() <= timedelta(seconds=PREPARATION_LIMIT)


def format_stories(intervals: pd.DataFrame) -> dict[str, str]:
    """Return the states of each image, each with its day and time, as one line of text."""
    words = intervals["state"] + intervals["start"].dt.strftime(" %d %H:%M")
    return dict(words.groupby(intervals["image_id"]).agg(", ".join))
