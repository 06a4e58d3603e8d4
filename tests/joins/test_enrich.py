"""Joins, over HTTP: what other operations say of images, and what is told where they do not."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.client import BaseClient
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.joins import cloudwatch, queries
from fastlaunch_nb.schema.columns import COUNT, TIME
from fastlaunch_nb.schema.joins import JOINED, JOINS, METRICS, SNAPSHOTS
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.joins import (
    COLUMNS,
    add_images,
    ec2_of,
    put,
    read_own_numbers,
    recorded,
    run_one,
    told,
)
from tests.helpers.samples import ACCOUNT, REGION, denied

ELSEWHERE = "eu-west-1"
QUIET = "eu-north-1"  # where the demo has nothing


@pytest.fixture
def images(demo: Demo) -> pd.DataFrame:
    """The images of one account and region."""
    return fl.describe(demo.session)


@pytest.fixture
def targets(demo: Demo) -> list[fl.Target]:
    """Both accounts of the demo."""
    return fl.targets(profiles=demo.accounts.values())


@pytest.fixture
def newcomers(demo: Demo) -> pd.DataFrame:
    """Three images in a region of their own, that nobody has launched yet."""
    add_images(QUIET, {f"ami-{number:08}": f"win-{number}" for number in range(3)})
    return fl.describe(demo.session, region=QUIET)


@pytest.fixture
def strangers(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Images that EC2 does not know; CloudWatch has no numbers of them but those of a test."""
    read_own_numbers(monkeypatch)
    items = [
        {"ImageId": f"ami-{n:08}", "SnapshotConfiguration": {"TargetResourceCount": 4}}
        for n in range(4)
    ]
    asked = {"account_id": ACCOUNT, "region": REGION, "observed_at": demo.clock.now()}
    return fl.from_pages(items, **asked)  # type: ignore[arg-type]


def new_columns(found: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    return [str(name) for name in found if name not in before]


def assert_unchanged(found: pd.DataFrame, before: pd.DataFrame) -> None:
    """Check that what was there is there, row for row."""
    pd.testing.assert_frame_equal(found[list(before)], before)
    assert found.attrs == before.attrs


# --- the rows -------------------------------------------------------------------------


def test_all_joins_bring_the_declared_columns(
    demo: Demo, targets: list[fl.Target], images: pd.DataFrame
) -> None:
    """Without a join named, all come: in the declared order, with the declared dtypes."""
    found = fl.enrich(images, targets=targets)
    assert_unchanged(found, images)
    assert found[new_columns(found, images)].dtypes.astype(str).to_dict() == dict(JOINED)
    assert list(found)[: len(list(images))] == list(images)


@pytest.mark.parametrize("join", JOINS)
def test_a_join_brings_its_columns(demo: Demo, images: pd.DataFrame, join: str) -> None:
    """A join brings its own columns; cost those of the snapshots too, if they are not there."""
    found = fl.enrich(images, join)
    expected = [*(COLUMNS["snapshots"] if join == "cost" else ()), *COLUMNS[join]]
    assert new_columns(found, images) == expected
    again = fl.enrich(found, join)
    pd.testing.assert_frame_equal(again, found)


def test_an_empty_frame_has_the_columns_too(demo: Demo) -> None:
    """Nothing is asked about no rows, and the columns are there."""
    with denied("GetCallerIdentity", "AssumeRole"):
        found = fl.enrich(empty_images())
    assert found.empty
    assert found[list(JOINED)].dtypes.astype(str).to_dict() == dict(JOINED)


nulls = st.sampled_from([None, "account_id", "region", "image_id"])


@pytest.fixture
def six(ec2: Any) -> pd.DataFrame:
    """Six images that EC2 knows, by their order."""
    for number in range(6):
        image_id = f"ami-{number:017x}"
        ec2.add_windows_image(image_id, name=f"win-{number}", owner_id=ACCOUNT)
        ec2.enable_fast_launch(image_id)
    return fl.describe(region=REGION)


@given(
    picks=st.lists(st.tuples(st.integers(0, 5), nulls), max_size=10),
    index=st.lists(st.integers(0, 3), min_size=10, max_size=10),
)
def test_rows_never_change(
    six: pd.DataFrame, picks: list[tuple[int, str | None]], index: list[int]
) -> None:
    """Law: whatever rows there are, twice or without a key, they stay, and have what is theirs."""
    images = six.iloc[[number for number, _ in picks]].copy()
    images.index = pd.Index(index[: len(images)], name="state")
    for place, (_, column) in enumerate(picks):
        if column:
            images.iat[place, list(images).index(column)] = None
    images.attrs["note"] = "kept"
    before = images.copy()
    with told():
        found = fl.enrich(images, "ami", "snapshots", "quota", targets=[boto3.Session()] * 1)
    assert_unchanged(found, before)
    pd.testing.assert_frame_equal(images, before)
    for place, (number, column) in enumerate(picks):
        known = column in (None, "account_id")  # which the one target says
        name = found["image_name"].iloc[place]
        assert name == f"win-{number}" if known else pd.isna(name)
        assert pd.isna(found["snapshots"].iloc[place]) == (not known)


# --- AMIs and their siblings ----------------------------------------------------------


def test_amis_are_as_ec2_lists_them(demo: Demo, images: pd.DataFrame) -> None:
    """Each row has its AMI's name, owner, age and size, as boto3's own client reads them."""
    ami = ec2_of().amis[images["image_id"].iloc[0]]
    ami.deprecation_time = "2027-01-15T12:00:00.000Z"
    found = fl.enrich(images, "ami").set_index("image_id")
    listed = demo.session.client("ec2").describe_images(ImageIds=images["image_id"].tolist())
    assert len(listed["Images"]) == len(found)
    for image in some(listed["Images"]):
        row = found.loc[image["ImageId"]]
        [device] = image["BlockDeviceMappings"]
        assert row["image_name"] == image["Name"]
        assert row["image_state"] == image["State"]
        assert row["image_owner_id"] == image["OwnerId"]
        assert row["image_creation_time"] == pd.Timestamp(image["CreationDate"])
        assert row["root_volume_gib"] == device["Ebs"]["VolumeSize"]


def test_amis_that_ec2_hides_are_asked_for(demo: Demo, images: pd.DataFrame) -> None:
    """Deprecated and disabled AMIs, which EC2 lists only when told to, are asked for."""
    with recorded(demo) as calls:
        fl.enrich(images, "ami")
    [asked] = [asked for action, _, asked in calls if action == "ec2:DescribeImages"]
    assert asked["IncludeDeprecated"] == asked["IncludeDisabled"] == "true"


def test_an_ami_that_is_gone_is_absent(demo: Demo, images: pd.DataFrame) -> None:
    """EC2 lists a deregistered AMI no more: its state says so, and the rest is unknown."""
    gone = images["image_id"].iloc[2]
    del ec2_of().amis[gone]
    found = fl.enrich(images, "ami").set_index("image_id")
    assert found.loc[gone, "image_state"] == "absent"
    assert found.loc[gone, COLUMNS["ami"]].isna().sum() == len(COLUMNS["ami"]) - 1
    assert set(found["image_state"].drop(gone)) == {"available"}


def test_batches_are_put_together(
    demo: Demo, images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many images are asked about in several requests, and that makes no difference."""
    client = demo.session.client("ec2")
    for image_id in images["image_id"][:3]:
        run_one(client, image_id, "snap-0123")
    joins = ("ami", "siblings", "metrics", "launches")
    whole = fl.enrich(images, *joins)
    assert set(whole["available_snapshots"].notna()) == {True}
    assert whole["instances"].gt(0).sum() > 2
    monkeypatch.setattr(queries, "_MAX_FILTER_VALUES", 2)
    monkeypatch.setattr(cloudwatch, "_MAX_QUERIES", 5)
    pd.testing.assert_frame_equal(fl.enrich(images, *joins, max_workers=1), whole)


def test_siblings_without_fast_launch(demo: Demo, newcomers: pd.DataFrame) -> None:
    """AMIs of the same name elsewhere are counted, and those without Fast Launch are named."""
    add_images("eu-west-3", {f"ami-{number:08}": f"win-{number}" for number in range(3)})
    ec2_of(region="sa-east-1").add_windows_image("ami-00000009", name="win-0", owner_id=ACCOUNT)
    found = fl.enrich(newcomers, "siblings", regions=["eu-west-3", "sa-east-1", QUIET])
    assert found["siblings"].tolist() == [2, 1, 1]
    lacking = [f"{ACCOUNT}/sa-east-1/ami-00000009", "", ""]
    assert found["siblings_without_fast_launch"].tolist() == lacking


def test_wildcards_in_a_name_are_letters(demo: Demo) -> None:
    """An id that EC2 would take for a pattern lists nobody else's AMI."""
    rows = fl.from_pages([{"ImageId": "ami-*"}], account_id=ACCOUNT, region=REGION)
    with recorded(demo) as calls:
        found = fl.enrich(rows, "ami")
    assert found["image_state"].tolist() == ["absent"]
    [asked] = [asked for name, _, asked in calls if name == "ec2:DescribeImages"]
    assert asked["Filter.1.Value.1"] == "ami-\\*"


# --- launch templates -----------------------------------------------------------------

SECRET = "aHVudGVyMg=="
FORBIDDEN: dict[str, dict[str, Any]] = {
    "user data": {"UserData": SECRET},
    "termination protection": {"DisableApiTermination": True},
    "metadata disabled": {"MetadataOptions": {"HttpEndpoint": "disabled"}},
    "Spot": {"InstanceMarketOptions": {"MarketType": "spot"}},
    "terminate on shutdown": {"InstanceInitiatedShutdownBehavior": "terminate"},
}


def _with_template(images: pd.DataFrame, *templates: dict[str, str]) -> pd.DataFrame:
    """Return rows that have these templates."""
    items = [
        {"ImageId": image_id, "State": "enabled", "LaunchTemplate": template}
        for image_id, template in zip(images["image_id"], templates, strict=False)
    ]
    return fl.from_pages(items, account_id=ACCOUNT, region=REGION)


def test_what_templates_forbid(demo: Demo, images: pd.DataFrame) -> None:
    """Each forbidden setting is found by itself and with all others, by id or name and version."""
    client = demo.session.client("ec2")
    every = {key: data[key] for data in FORBIDDEN.values() for key in data}
    made = client.create_launch_template(
        LaunchTemplateName="risky", LaunchTemplateData={"InstanceType": "m5.large"}
    )["LaunchTemplate"]
    for data in (*FORBIDDEN.values(), every):
        client.create_launch_template_version(LaunchTemplateName="risky", LaunchTemplateData=data)
    by_id, by_name = {"LaunchTemplateId": made["LaunchTemplateId"]}, {"LaunchTemplateName": "risky"}
    versions = ["$Latest", "$Default", *map(str, range(2, 7))]
    chosen = [{**(by_id, by_name)[n % 2], "Version": v} for n, v in enumerate(versions)]
    found = fl.enrich(_with_template(images, *chosen), "template")
    assert found["template_forbidden"].tolist() == [", ".join(FORBIDDEN), "", *FORBIDDEN]
    assert SECRET not in found.to_csv()


def test_a_template_that_is_gone(demo: Demo, images: pd.DataFrame) -> None:
    """It is unknown and told; other templates of the place are read, and none forbids nothing."""
    one = {"LaunchTemplateName": "gitlab-runner", "Version": "1"}
    gone = {"LaunchTemplateName": "gone", "Version": "1"}
    rows = _with_template(images, gone, one, {})
    rows["max_parallel_launches"] = pd.array([6, 6, 6], dtype=COUNT)
    with told() as messages:
        found = fl.enrich(rows, "template")
    assert found["template_forbidden"].isna().tolist() == [True, False, False]
    assert found["template_forbidden"].tolist()[1:] == ["", ""]
    [message] = messages
    assert "template could not be read in" in message
    assert "InvalidLaunchTemplateName.NotFoundException" in message


# --- snapshots ------------------------------------------------------------------------


def test_snapshots_are_as_ec2_lists_them(demo: Demo) -> None:
    """Every snapshot of Fast Launch is there, as boto3's own client reads it."""
    client = demo.session.client("ec2", region_name="ap-southeast-2")
    made = [
        snapshot
        for snapshot in client.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        if "Fast Launch" in snapshot["Description"]
    ]
    found = fl.snapshots(regions="ap-southeast-2")
    assert found.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in SNAPSHOTS}
    assert found["snapshot_id"].tolist() == [snapshot["SnapshotId"] for snapshot in made]
    assert found["image_id"].tolist() == [it["Description"].split()[-1] for it in made]
    assert found["snapshot_time"].tolist() == [it["StartTime"] for it in made]
    assert found["volume_gib"].tolist() == [it["VolumeSize"] for it in made]
    tags = [{tag["Key"]: tag["Value"] for tag in snapshot["Tags"]} for snapshot in made]
    names = [tag.get("CreatedByLaunchTemplateName") for tag in tags]
    assert found["launch_template_name"].replace({pd.NA: None}).tolist() == names
    assert any(names)
    assert set(found["observed_at"]) == {demo.clock.now()}
    images = fl.describe(demo.session, region="ap-southeast-2")
    counts = Counter(found["image_id"])
    joined = fl.enrich(images, "snapshots").set_index("image_id")["snapshots"]
    assert joined.to_dict() == {image_id: counts[image_id] for image_id in images["image_id"]}


def test_snapshots_of_an_ami_that_is_gone(demo: Demo) -> None:
    """They are there all the same, whatever their description says."""
    client = demo.session.client("ec2")
    volume = client.create_volume(AvailabilityZone=f"{REGION}a", Size=7)["VolumeId"]
    tags = [{"Key": "CreatedBy", "Value": "EC2 Fast Launch"}]
    for description in ("This is Fast Launch snapshot for image ami-0123", "another text"):
        client.create_snapshot(
            VolumeId=volume,
            Description=description,
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}],
        )
    found = fl.snapshots(regions=[REGION]).tail(2)
    assert found["image_id"].fillna("?").tolist() == ["ami-0123", "?"]


# --- metrics --------------------------------------------------------------------------


def test_metrics_are_found_under_any_dimension(demo: Demo, strangers: pd.DataFrame) -> None:
    """The stock, since when it is short, and launches; of an image without numbers nothing."""
    some = strangers.iloc[:2]
    put(demo, some, {600: 9, 240: 1, 120: 4, 60: 3, 30: 2})
    put(demo, some.iloc[:1], {60: 2, 61: 3, 30_000: 50}, "NumberOfInstancesFastLaunched")
    found = fl.enrich(strangers, "metrics")
    now = demo.clock.now()
    assert found["available_snapshots"].iloc[:2].tolist() == [2, 2]
    assert found["available_snapshots_time"].iloc[0] == now - timedelta(minutes=30)
    assert found["below_target_since"].iloc[0] == now - timedelta(minutes=60)
    assert found["fast_launches"].iloc[:2].tolist() == [5, 0]  # the fifty are too old
    assert found["cold_launches"].iloc[:2].tolist() == [0, 0]
    unknown = found[COLUMNS["metrics"][:5]].iloc[2:]
    assert unknown.isna().values.tolist() == [[True] * 5] * 2
    assert set(found["metrics_until"]) == {now}
    assert set(found["metrics_since"]) == {now - timedelta(days=14)}


def test_the_plainest_series_is_an_images(demo: Demo, strangers: pd.DataFrame) -> None:
    """Where CloudWatch has an image's numbers by more dimensions too, they count once."""
    put(demo, strangers, {60: 2}, "NumberOfInstancesFastLaunched", InstanceType="m5.large")
    put(demo, strangers, {60: 5}, "NumberOfInstancesFastLaunched")
    put(demo, strangers, {60: 3}, "NumberOfInstancesFastLaunched", InstanceType="m5.large")
    assert fl.enrich(strangers, "metrics")["fast_launches"].tolist() == [5] * len(strangers)


def test_metrics_period_by_period(demo: Demo, strangers: pd.DataFrame) -> None:
    """A row an image and period: the least stock, launches added up, times on average."""
    one = strangers.iloc[:1]
    put(demo, one, {59: 7, 50: 3, 130: 4})
    put(demo, one, {59: 2, 50: 3}, "NumberOfInstancesNotFastLaunched")
    put(demo, one, {59: 10, 50: 20}, "FastLaunchSnapshotCreationTime")
    found = fl.metrics(strangers, since="1 day", period="1 hour")
    assert found.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in METRICS}
    now = demo.clock.now()
    assert found["time"].tolist() == [now - timedelta(hours=3), now - timedelta(hours=1)]
    assert found["available_snapshots"].tolist() == [4, 3]
    assert found["cold_launches"].fillna(-1).tolist() == [-1, 5]
    assert found["snapshot_creation_time"].fillna(-1).tolist() == [-1, 15]
    assert found["image_id"].unique().tolist() == one["image_id"].tolist()
    assert fl.metrics(strangers, since="2 hours")["available_snapshots"].tolist() == [3]


def test_a_window_ends_when_aws_answered(demo: Demo, strangers: pd.DataFrame) -> None:
    """Where rows do not say when they were seen, CloudWatch's own answer does."""
    put(demo, strangers, {60: 3})
    unseen = strangers.assign(observed_at=pd.Series(pd.NaT, strangers.index, dtype=TIME))
    found = fl.enrich(unseen, "metrics")
    assert set(found["metrics_until"]) == {demo.clock.now()}
    assert found["available_snapshots"].tolist() == [3] * len(strangers)


def test_pages_of_numbers_are_put_together(demo: Demo, strangers: pd.DataFrame) -> None:
    """Numbers that come on several pages are of one series."""
    put(demo, strangers.iloc[:1], {60: 1, 120: 2, 180: 4}, "NumberOfInstancesFastLaunched")
    real = BaseClient._make_api_call

    def paged(self: Any, name: str, asked: Any) -> Any:
        if name != "GetMetricData":
            return real(self, name, asked)
        place = int(asked.get("NextToken", 0))
        answer = real(self, name, {key: asked[key] for key in asked if key != "NextToken"})
        for result in answer["MetricDataResults"]:
            for part in ("Timestamps", "Values"):
                result[part] = result[part][place : place + 1]
        return {**answer, **({"NextToken": str(place + 1)} if place < 2 else {})}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", paged)
        found = fl.enrich(strangers, "metrics")
    assert found["fast_launches"].iloc[0] == 7


# --- instances, quotas and cost -------------------------------------------------------


def test_how_instances_were_launched(demo: Demo, newcomers: pd.DataFrame) -> None:
    """The snapshot of the root volume tells; of an AMI that is gone not always."""
    first, second = newcomers["image_id"].iloc[:2]
    client = demo.session.client("ec2", region_name=QUIET)
    volume = client.create_volume(AvailabilityZone=f"{QUIET}a", Size=7)["VolumeId"]
    mapped = client.create_snapshot(VolumeId=volume)["SnapshotId"]
    tags = [{"Key": "CreatedBy", "Value": "EC2 Fast Launch"}]
    spec = [{"ResourceType": "snapshot", "Tags": tags}]
    pooled = client.create_snapshot(VolumeId=volume, TagSpecifications=spec)["SnapshotId"]
    listed = client.describe_images(ImageIds=[first])["Images"][0]["BlockDeviceMappings"]
    own_id = listed[0]["Ebs"]["SnapshotId"]
    for source in (own_id, own_id, mapped, "snap-0123", "snap-0456", pooled, None):
        run_one(client, first, source)
    run_one(client, first, "snap-0789", end=True)
    run_one(client, second, "snap-0123")
    run_one(client, second, pooled)
    ec2_of(region=QUIET).deregister(second)
    found = fl.enrich(newcomers, "launches")[COLUMNS["launches"]].astype(int)
    assert found.values.tolist() == [[7, 3, 3], [2, 1, 0], [0, 0, 0]]


def test_the_quota_of_each_region(demo: Demo, targets: list[fl.Target]) -> None:
    """Each row has the quota of its region, as a whole number."""
    for account_id in demo.accounts:
        for region, quota in {REGION: 40, ELSEWHERE: 75}.items():
            ec2_of(account_id, region).parallel_quota = quota
    images = fl.sweep(targets, regions=[REGION, ELSEWHERE], progress=False).images
    found = fl.enrich(images, "quota", targets=targets)
    assert found.groupby("region")["parallel_launches_quota"].unique().map(list).to_dict() == {
        ELSEWHERE: [75],
        REGION: [40],
    }


def test_cost_takes_what_is_there(demo: Demo, strangers: pd.DataFrame) -> None:
    """Snapshots that are joined already are not read again; launches count where they are known."""
    put(demo, strangers, {60: 14}, "NumberOfInstancesFastLaunched")
    joined = fl.enrich(strangers, "snapshots", "metrics")
    assert joined["snapshots"].tolist() == [0] * 4
    joined["snapshot_gib"] = pd.array([0, 50, 100, 7], dtype=COUNT)
    with denied("DescribeSnapshots", "GetCallerIdentity"):
        found = fl.enrich(joined, "cost", prices=fl.Prices(0.1, 0.5))
    expected = joined["snapshot_gib"] * 0.1
    assert (found["snapshots_monthly_usd"] - expected).abs().max() < 1e-9
    assert (found["preparation_monthly_usd"] - 14 * 30 / 14 * 0.5).abs().max() < 1e-9
    assert (found["monthly_usd"] - expected - 15).abs().max() < 1e-9
