"""The public functions of joins, over HTTP: the columns, rows and values that they return."""

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
from fastlaunch_nb.schema.columns import COUNT, NUMBER, TIME
from fastlaunch_nb.schema.joins import DEFAULT_JOINS, JOINED, JOINS, METRICS, SNAPSHOTS
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.joins import (
    COLUMNS,
    add_images,
    collect_warnings,
    get_ec2,
    put_metrics,
    record_requests,
    run_instance,
    use_test_namespace,
)
from tests.helpers.samples import ACCOUNT, REGION, deny_operations

OTHER, ELSEWHERE = "111122223333", "eu-west-1"
DEFAULT_COLUMNS = [name for join in DEFAULT_JOINS for name in COLUMNS[join]] + ["not_read"]
DEFAULT_DTYPES = {name: JOINED[name] for name in DEFAULT_COLUMNS}
EMPTY_REGION = "eu-north-1"  # the demo has nothing here


@pytest.fixture
def new_images(demo: Demo) -> pd.DataFrame:
    """Three images without launches, in a region of their own."""
    add_images(EMPTY_REGION, {f"ami-{number:08}": f"win-{number}" for number in range(3)})
    return fl.describe(demo.session, region=EMPTY_REGION)


@pytest.fixture
def unlisted_images(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Images that EC2 does not list; CloudWatch has only the metrics that a test writes."""
    use_test_namespace(monkeypatch)
    items = [
        {"ImageId": f"ami-{n:08}", "SnapshotConfiguration": {"TargetResourceCount": 4}}
        for n in range(4)
    ]
    now = demo.clock.now()
    return fl.from_pages(items, account_id=ACCOUNT, region=REGION, observed_at=now)


def list_new_columns(found: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    return [str(name) for name in found if name not in before]


def assert_unchanged(found: pd.DataFrame, before: pd.DataFrame) -> None:
    """Check that all columns of `before` are the same, row by row."""
    pd.testing.assert_frame_equal(found[list(before)], before)
    assert found.attrs == before.attrs


# --- the rows -------------------------------------------------------------------------


def test_the_default_joins_add_the_declared_columns(
    demo: Demo, targets: list[fl.Target], images: pd.DataFrame
) -> None:
    """The default is eight joins: their columns have the declared order and dtypes."""
    found = fl.enrich(images, targets=targets)
    assert_unchanged(found, images)
    assert list_new_columns(found, images) == DEFAULT_COLUMNS
    assert found[DEFAULT_COLUMNS].dtypes.astype(str).to_dict() == DEFAULT_DTYPES
    assert list(found)[: len(list(images))] == list(images)


@pytest.mark.parametrize("join", JOINS)
def test_a_join_adds_its_columns(demo: Demo, images: pd.DataFrame, join: str) -> None:
    """A join adds its own columns; cost adds those of the snapshots too if they are missing."""
    found = fl.enrich(images, join)
    expected = [*(COLUMNS["snapshots"] if join == "cost" else ()), *COLUMNS[join], "not_read"]
    assert list_new_columns(found, images) == expected
    again = fl.enrich(found, join)
    pd.testing.assert_frame_equal(again, found)


def test_no_rows_get_the_columns_too(demo: Demo) -> None:
    """Without rows, no request is sent, and the result has the columns."""
    with deny_operations("GetCallerIdentity", "AssumeRole"):
        found = fl.enrich(empty_images())
    assert found.empty
    assert found[DEFAULT_COLUMNS].dtypes.astype(str).to_dict() == DEFAULT_DTYPES


nulls = st.sampled_from([None, "account_id", "region", "image_id"])


@pytest.fixture
def six(ec2: Any) -> pd.DataFrame:
    """Six images that EC2 lists, in the order of their ids."""
    for number in range(6):
        image_id = f"ami-{number:017x}"
        ec2.add_windows_image(image_id, name=f"win-{number}", owner_id=ACCOUNT)
        ec2.enable_fast_launch(image_id)
    return fl.describe(region=REGION)


@given(
    picks=st.lists(st.tuples(st.integers(0, 5), nulls), max_size=10),
    index=st.lists(st.integers(0, 3), min_size=10, max_size=10),
)
def test_rows_do_not_change(
    six: pd.DataFrame, picks: list[tuple[int, str | None]], index: list[int]
) -> None:
    """Law: all rows stay, even twice or without a key, and each gets its own values."""
    images = six.iloc[[number for number, _ in picks]].copy()
    images.index = pd.Index(index[: len(images)], name="state")
    for row, (_, column) in enumerate(picks):
        if column:
            images.iat[row, list(images).index(column)] = None
    images.attrs["note"] = "text"
    before = images.copy()
    with collect_warnings():
        found = fl.enrich(images, "ami", "snapshots", "quota", targets=[boto3.Session()] * 1)
    assert_unchanged(found, before)
    pd.testing.assert_frame_equal(images, before)
    for row, (number, column) in enumerate(picks):
        known = column in (None, "account_id")  # which the one target has
        name = found["image_name"].iloc[row]
        assert name == f"win-{number}" if known else pd.isna(name)
        assert pd.isna(found["snapshots"].iloc[row]) == (not known)


# --- AMIs and their siblings ----------------------------------------------------------


def test_amis_are_as_ec2_lists_them(demo: Demo, images: pd.DataFrame) -> None:
    """Each row has its AMI's name, owner, age and size, equal to those that boto3 reads."""
    ami = get_ec2().amis[images["image_id"].iloc[0]]
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


def test_hidden_amis_are_requested(demo: Demo, images: pd.DataFrame) -> None:
    """The request includes deprecated and disabled AMIs, which EC2 leaves out by default."""
    with record_requests(demo) as calls:
        fl.enrich(images, "ami")
    [request] = [request for action, _, request in calls if action == "ec2:DescribeImages"]
    assert request["IncludeDeprecated"] == request["IncludeDisabled"] == "true"


def test_a_deregistered_ami_is_absent(demo: Demo, images: pd.DataFrame) -> None:
    """EC2 no longer lists it: its state is absent, and the other columns are null."""
    gone = images["image_id"].iloc[2]
    del get_ec2().amis[gone]
    found = fl.enrich(images, "ami").set_index("image_id")
    assert found.loc[gone, "image_state"] == "absent"
    assert found.loc[gone, COLUMNS["ami"]].isna().sum() == len(COLUMNS["ami"]) - 1
    assert set(found["image_state"].drop(gone)) == {"available"}


def test_batches_make_no_difference(
    demo: Demo, images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several requests for many images have the same result as one request."""
    client = demo.session.client("ec2")
    for image_id in images["image_id"][:3]:
        run_instance(client, image_id, "snap-0123")
    joins = ("ami", "siblings", "metrics", "launches")
    expected = fl.enrich(images, *joins)
    assert set(expected["available_snapshots"].notna()) == {True}
    assert expected["instances"].gt(0).sum() > 2
    monkeypatch.setattr(queries, "_MAX_FILTER_VALUES", 2)
    monkeypatch.setattr(cloudwatch, "_MAX_QUERIES", 5)
    pd.testing.assert_frame_equal(fl.enrich(images, *joins, max_workers=1), expected)


def test_siblings_without_fast_launch(demo: Demo, new_images: pd.DataFrame) -> None:
    """AMIs with the same name in other regions are counted; those without it are listed."""
    add_images("eu-west-3", {f"ami-{number:08}": f"win-{number}" for number in range(3)})
    get_ec2(region="sa-east-1").add_windows_image("ami-00000009", name="win-0", owner_id=ACCOUNT)
    found = fl.enrich(new_images, "siblings", regions=["eu-west-3", "sa-east-1", EMPTY_REGION])
    assert found["siblings"].tolist() == [2, 1, 1]
    without = [f"{ACCOUNT}/sa-east-1/ami-00000009", "", ""]
    assert found["siblings_without_fast_launch"].tolist() == without


def test_siblings_are_own_windows_amis(demo: Demo, images: pd.DataFrame) -> None:
    """An AMI of another platform, or one that another account shares, is not a sibling."""
    backend = get_ec2(ACCOUNT, "eu-north-1")
    name = get_ec2().amis[images["image_id"].iloc[0]].name
    for image_id, owner in (("ami-00000001", ACCOUNT), ("ami-00000002", OTHER)):
        backend.add_windows_image(image_id, name=name, owner_id=owner)
    backend.amis["ami-00000001"].platform = None
    found = fl.enrich(images, "siblings", regions="eu-north-1")
    assert set(found["siblings"]) == {0}


def test_siblings_are_searched_in_all_accounts(demo: Demo, images: pd.DataFrame) -> None:
    """For siblings, a target without rows is opened too."""
    name = get_ec2().amis[images["image_id"].iloc[0]].name
    backend = get_ec2(OTHER, "eu-north-1")
    backend.add_windows_image("ami-00000001", name=name, owner_id=OTHER)
    role = fl.targets(accounts=OTHER, role="Reader")
    found = fl.enrich(images, "siblings", targets=[demo.session, *role], regions="eu-north-1")
    label = f"{OTHER}/eu-north-1/ami-00000001"
    assert found["siblings_without_fast_launch"].iloc[0] == label


def test_wildcards_in_an_id_are_escaped(demo: Demo) -> None:
    """An id that EC2 would read as a pattern matches no other AMI."""
    rows = fl.from_pages([{"ImageId": "ami-*"}], account_id=ACCOUNT, region=REGION)
    with record_requests(demo) as calls:
        found = fl.enrich(rows, "ami")
    assert found["image_state"].tolist() == ["absent"]
    [request] = [request for action, _, request in calls if action == "ec2:DescribeImages"]
    assert request["Filter.1.Value.1"] == "ami-\\*"


# --- launch templates -----------------------------------------------------------------

SECRET = "aHVudGVyMg=="
FORBIDDEN: dict[str, dict[str, Any]] = {
    "user data": {"UserData": SECRET},
    "termination protection": {"DisableApiTermination": True},
    "metadata disabled": {"MetadataOptions": {"HttpEndpoint": "disabled"}},
    "Spot": {"InstanceMarketOptions": {"MarketType": "spot"}},
    "terminate on shutdown": {"InstanceInitiatedShutdownBehavior": "terminate"},
    **{
        f"tags for {name}": {
            "TagSpecifications": [{"ResourceType": name, "Tags": [{"Key": "a", "Value": "b"}]}]
        }
        for name in ("network-interface", "elastic-gpu", "spot-instances-request")
    },
}


def _make_rows_with_templates(images: pd.DataFrame, *templates: dict[str, str]) -> pd.DataFrame:
    """Return rows of images, one for each of these templates."""
    items = [
        {"ImageId": image_id, "State": "enabled", "LaunchTemplate": template}
        for image_id, template in zip(images["image_id"], templates, strict=False)
    ]
    return fl.from_pages(items, account_id=ACCOUNT, region=REGION)


def test_forbidden_settings_of_templates(demo: Demo, images: pd.DataFrame) -> None:
    """Each is found alone and with all others; a template is found by id or name, and version."""
    client = demo.session.client("ec2")
    all_settings = {key: data[key] for data in FORBIDDEN.values() for key in data}
    tags = [it for data in FORBIDDEN.values() for it in data.get("TagSpecifications", [])]
    all_settings["TagSpecifications"] = tags
    created = client.create_launch_template(
        LaunchTemplateName="risky", LaunchTemplateData={"InstanceType": "m5.large"}
    )["LaunchTemplate"]
    for data in (*FORBIDDEN.values(), all_settings):
        client.create_launch_template_version(LaunchTemplateName="risky", LaunchTemplateData=data)
    by_id, by_name = (
        {"LaunchTemplateId": created["LaunchTemplateId"]},
        {"LaunchTemplateName": "risky"},
    )
    versions = ["$Latest", "$Default", *map(str, range(2, len(FORBIDDEN) + 2))]
    templates = [{**(by_id, by_name)[n % 2], "Version": v} for n, v in enumerate(versions)]
    rows = _make_rows_with_templates(pd.concat([images] * 2), *templates)
    found = fl.enrich(rows, "template")
    assert found["template_forbidden"].tolist() == [", ".join(FORBIDDEN), "", *FORBIDDEN]
    assert SECRET not in found.to_csv()


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"MetadataOptions": {"HttpTokens": "required"}}, "required"),
        ({"MetadataOptions": {"HttpTokens": "optional"}}, "optional"),
        ({"MetadataOptions": {"HttpEndpoint": "enabled"}}, ""),
        ({}, ""),
    ],
)
def test_tokens_and_instance_type_of_a_template(
    demo: Demo, images: pd.DataFrame, settings: dict[str, Any], tokens: str
) -> None:
    """They are those of the version in use; empty if it does not set them."""
    client = demo.session.client("ec2")
    other = {"InstanceType": "m5.large", "MetadataOptions": {"HttpTokens": "required"}}
    for name, first, second in (("old", settings, other), ("new", other, settings)):
        client.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=first or other)
        client.create_launch_template_version(
            LaunchTemplateName=name, LaunchTemplateData={"KeyName": "key", **second}
        )
    templates = [
        {"LaunchTemplateName": "new", "Version": "$Latest"},
        {"LaunchTemplateName": "new", "Version": "$Default"},
        {"LaunchTemplateName": "old", "Version": "2"},
    ]
    found = fl.enrich(_make_rows_with_templates(images, *templates), "template")
    assert found["template_http_tokens"].tolist() == [tokens, "required", "required"]
    assert found["template_instance_type"].tolist() == ["", "m5.large", "m5.large"]


def test_a_template_that_does_not_exist(demo: Demo, images: pd.DataFrame) -> None:
    """Its value is null, with a warning; other templates are read; without one, it is empty."""
    one = {"LaunchTemplateName": "gitlab-runner", "Version": "1"}
    gone = {"LaunchTemplateName": "gone", "Version": "1"}
    rows = _make_rows_with_templates(images, gone, one, {})
    rows["max_parallel_launches"] = pd.array([6, 6, 6], dtype=COUNT)
    with collect_warnings() as messages:
        found = fl.enrich(rows, "template")
    assert found["template_forbidden"].isna().tolist() == [True, False, False]
    assert found["template_forbidden"].tolist()[1:] == ["", ""]
    [message] = messages
    assert "template could not be read in" in message
    assert "InvalidLaunchTemplateName.NotFoundException" in message


# --- snapshots ------------------------------------------------------------------------


def test_snapshots_are_as_ec2_lists_them(demo: Demo) -> None:
    """Every snapshot of Fast Launch is listed, equal to the one that boto3 reads."""
    client = demo.session.client("ec2", region_name="ap-southeast-2")
    expected = [
        snapshot
        for snapshot in client.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        if "Fast Launch" in snapshot["Description"]
    ]
    found = fl.snapshots(regions="ap-southeast-2")
    assert found.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in SNAPSHOTS}
    assert found["snapshot_id"].tolist() == [snapshot["SnapshotId"] for snapshot in expected]
    assert found["image_id"].tolist() == [it["Description"].split()[-1] for it in expected]
    assert found["snapshot_time"].tolist() == [it["StartTime"] for it in expected]
    assert found["volume_gib"].tolist() == [it["VolumeSize"] for it in expected]
    tags = [{tag["Key"]: tag["Value"] for tag in snapshot["Tags"]} for snapshot in expected]
    names = [tag.get("CreatedByLaunchTemplateName") for tag in tags]
    assert found["launch_template_name"].replace({pd.NA: None}).tolist() == names
    assert any(names)
    assert set(found["observed_at"]) == {demo.clock.now()}
    images = fl.describe(demo.session, region="ap-southeast-2")
    counts = Counter(found["image_id"])
    joined = fl.enrich(images, "snapshots").set_index("image_id")["snapshots"]
    assert joined.to_dict() == {image_id: counts[image_id] for image_id in images["image_id"]}


def test_snapshots_of_a_deleted_ami(demo: Demo) -> None:
    """They are listed too, with any description."""
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


def test_an_account_is_read_only_in_its_partition(demo: Demo) -> None:
    """No request goes to regions of China with the credentials of another partition."""
    found = fl.snapshots(regions=[REGION, "cn-north-1"])
    assert set(found["region"]) == {REGION}


# --- metrics --------------------------------------------------------------------------


def test_metrics_of_any_dimension_are_found(demo: Demo, unlisted_images: pd.DataFrame) -> None:
    """Images have their stock, when it fell below the target, and launches, or else nulls."""
    measured = unlisted_images.iloc[:2]
    put_metrics(demo, measured, {600: 9, 240: 1, 120: 4, 60: 3, 30: 2})
    put_metrics(
        demo, measured.iloc[:1], {60: 2, 61: 3, 30_000: 50}, "NumberOfInstancesFastLaunched"
    )
    found = fl.enrich(unlisted_images, "metrics")
    now = demo.clock.now()
    assert found["available_snapshots"].iloc[:2].tolist() == [2, 2]
    assert found["available_snapshots_time"].iloc[0] == now - timedelta(minutes=30)
    assert found["below_target_since"].iloc[0] == now - timedelta(minutes=60)
    assert found["fast_launches"].iloc[:2].tolist() == [5, 0]  # the 50 are too old
    assert found["cold_launches"].iloc[:2].tolist() == [0, 0]
    unknown = found[COLUMNS["metrics"][:5]].iloc[2:]
    assert unknown.isna().values.tolist() == [[True] * 5] * 2
    assert set(found["metrics_until"]) == {now}
    assert set(found["metrics_since"]) == {now - timedelta(days=14)}


def test_the_series_with_the_fewest_dimensions_counts(
    demo: Demo, unlisted_images: pd.DataFrame
) -> None:
    """If CloudWatch has series with more dimensions too, launches still count once."""
    put_metrics(
        demo, unlisted_images, {60: 2}, "NumberOfInstancesFastLaunched", InstanceType="m5.large"
    )
    put_metrics(demo, unlisted_images, {60: 5}, "NumberOfInstancesFastLaunched")
    put_metrics(
        demo, unlisted_images, {60: 3}, "NumberOfInstancesFastLaunched", InstanceType="m5.large"
    )
    assert fl.enrich(unlisted_images, "metrics")["fast_launches"].tolist() == [5] * len(
        unlisted_images
    )


def test_metrics_period_by_period(demo: Demo, unlisted_images: pd.DataFrame) -> None:
    """One row per image and period: the minimum stock, the sum of launches, the average times."""
    one = unlisted_images.iloc[:1]
    put_metrics(demo, one, {59: 7, 50: 3, 130: 4})
    put_metrics(demo, one, {59: 2, 50: 3}, "NumberOfInstancesNotFastLaunched")
    put_metrics(demo, one, {59: 10, 50: 20}, "FastLaunchSnapshotCreationTime")
    found = fl.metrics(unlisted_images, since="1 day", period="1 hour")
    assert found.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in METRICS}
    now = demo.clock.now()
    assert found["time"].tolist() == [now - timedelta(hours=3), now - timedelta(hours=1)]
    assert found["available_snapshots"].tolist() == [4, 3]
    assert found["cold_launches"].fillna(-1).tolist() == [-1, 5]
    assert found["snapshot_creation_time"].fillna(-1).tolist() == [-1, 15]
    assert found["image_id"].unique().tolist() == one["image_id"].tolist()
    assert fl.metrics(unlisted_images, since="2 hours")["available_snapshots"].tolist() == [3]


def test_windows_start_at_a_full_hour(demo: Demo, images: pd.DataFrame) -> None:
    """The minute of the last observation does not matter."""
    rows = images.assign(observed_at=images["observed_at"] + pd.Timedelta(minutes=17))
    found = fl.enrich(rows, "metrics", window="1 day")
    assert set(found["metrics_until"]) == {demo.clock.now() + pd.Timedelta(minutes=17)}
    assert set(found["metrics_since"]) == {demo.clock.now() - pd.Timedelta(days=1)}


def test_without_an_observation_the_window_ends_at_the_response(
    demo: Demo, unlisted_images: pd.DataFrame
) -> None:
    """If rows have no time, the time of CloudWatch's response is the end of the window."""
    put_metrics(demo, unlisted_images, {60: 3})
    untimed = unlisted_images.assign(
        observed_at=pd.Series(pd.NaT, unlisted_images.index, dtype=TIME)
    )
    found = fl.enrich(untimed, "metrics")
    assert set(found["metrics_until"]) == {demo.clock.now()}
    assert found["available_snapshots"].tolist() == [3] * len(unlisted_images)


def test_pages_of_metrics_make_no_difference(demo: Demo, unlisted_images: pd.DataFrame) -> None:
    """A series on several pages has the same result as on one page."""
    put_metrics(
        demo, unlisted_images.iloc[:1], {60: 1, 120: 2, 180: 4}, "NumberOfInstancesFastLaunched"
    )
    real = BaseClient._make_api_call

    def call(self: Any, name: str, request: Any) -> Any:
        if name != "GetMetricData":
            return real(self, name, request)
        page = int(request.get("NextToken", 0))
        answer = real(self, name, {key: request[key] for key in request if key != "NextToken"})
        for result in answer["MetricDataResults"]:
            for key in ("Timestamps", "Values"):
                result[key] = result[key][page : page + 1]
        return {**answer, **({"NextToken": str(page + 1)} if page < 2 else {})}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        found = fl.enrich(unlisted_images, "metrics")
    assert found["fast_launches"].iloc[0] == 7


# --- instances, quotas and cost -------------------------------------------------------


def test_how_instances_were_launched(demo: Demo, new_images: pd.DataFrame) -> None:
    """It follows from the snapshot of the root volume, though not always for a deleted AMI."""
    first, second = new_images["image_id"].iloc[:2]
    client = demo.session.client("ec2", region_name=EMPTY_REGION)
    volume = client.create_volume(AvailabilityZone=f"{EMPTY_REGION}a", Size=7)["VolumeId"]
    mapped = client.create_snapshot(VolumeId=volume)["SnapshotId"]
    tags = [{"Key": "CreatedBy", "Value": "EC2 Fast Launch"}]
    spec = [{"ResourceType": "snapshot", "Tags": tags}]
    pooled = client.create_snapshot(VolumeId=volume, TagSpecifications=spec)["SnapshotId"]
    listed = client.describe_images(ImageIds=[first])["Images"][0]["BlockDeviceMappings"]
    own_id = listed[0]["Ebs"]["SnapshotId"]
    for source in (own_id, own_id, mapped, "snap-0123", "snap-0456", pooled, None):
        run_instance(client, first, source)
    run_instance(client, first, "snap-0789", end=True)
    run_instance(client, second, "snap-0123")
    run_instance(client, second, pooled)
    get_ec2(region=EMPTY_REGION).deregister_image(second)
    found = fl.enrich(new_images, "launches")[COLUMNS["launches"][:3]].astype(int)
    assert found.values.tolist() == [[7, 3, 3], [2, 1, 0], [0, 0, 0]]


def test_instances_since_enabling(demo: Demo, new_images: pd.DataFrame) -> None:
    """An instance counts by its first launch, even if it was started again later."""
    image_id = new_images["image_id"].iloc[0]
    client = demo.session.client("ec2", region_name=EMPTY_REGION)
    rows = new_images.assign(state="enabled")
    demo.clock.advance(hours=1)
    run_instance(client, image_id, "snap-0123")
    rows["state_transition_time"] = demo.clock.now()
    demo.clock.advance(hours=1)
    for source in ("snap-0456", None):
        run_instance(client, image_id, source)
    launched = demo.clock.now()
    demo.clock.advance(hours=1)
    for instance in get_ec2(region=EMPTY_REGION).all_instances():
        instance.launch_time = demo.clock.now().replace(tzinfo=None)
    found = fl.enrich(rows, "launches").iloc[0]
    assert found["instances_fast"] == 2
    assert found["instances_fast_since_enabled"] == 1
    assert found["instances_cold_since_enabled"] == 0
    assert found["last_instance_launch_time"] == launched


def test_the_quota_of_each_region(demo: Demo, targets: list[fl.Target]) -> None:
    """Each row has the quota of its account and region, as an integer."""
    for account_id in demo.accounts:
        for region, quota in {REGION: 40, ELSEWHERE: 75}.items():
            get_ec2(account_id, region).parallel_quota = quota
    images = fl.sweep(targets, regions=[REGION, ELSEWHERE], progress=False).images
    found = fl.enrich(images, "quota", targets=targets)
    assert found.groupby("region")["parallel_launches_quota"].unique().map(list).to_dict() == {
        ELSEWHERE: [75],
        REGION: [40],
    }


def test_cost_uses_the_joined_columns(demo: Demo, unlisted_images: pd.DataFrame) -> None:
    """Snapshots that are joined are not read again; launches count where they are known."""
    put_metrics(demo, unlisted_images, {60: 14}, "NumberOfInstancesFastLaunched")
    joined = fl.enrich(unlisted_images, "snapshots", "metrics")
    assert joined["snapshots"].tolist() == [0] * 4
    joined["snapshot_full_gib"] = pd.array([0, 50, 100, 7], dtype=NUMBER)
    with deny_operations("DescribeSnapshots", "GetCallerIdentity"):
        found = fl.enrich(joined, "cost", prices=fl.Prices(0.1, instance_hour=3))
    expected = joined["snapshot_full_gib"] * 0.1
    assert (found["snapshots_monthly_usd_high"] - expected).abs().max() < 1e-9
    assert (found["preparation_monthly_usd_high"] - 14 * 30 / 14 * 0.5).abs().max() < 1e-9
    assert (found["monthly_usd_high"] - expected - 15).abs().max() < 1e-9
