"""The extension of moto through plain boto3: serialization, dates, regions, generated ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.serialize import XFormedAttributePicker
from moto.ec2.models import EC2Backend
from werkzeug.test import Client

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.change_log import CHANGE_LOG
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import (
    get_backend,
    moto_describe_tags,
    moto_get_possible_keys,
    reset_emulator,
)
from fastlaunch_nb.emulator.server import make_application
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION, SINCE, Connect

pytestmark = pytest.mark.http

FULL = FastLaunchImage(
    "ami-0123456789abcdef0",
    state="enabled",
    state_transition_reason="Client.UserInitiated",
    state_transition_time=SINCE,
    target_resource_count=5,
    max_parallel_launches=6,
    launch_template_id="lt-0123456789abcdef0",
    launch_template_name="runner",
    launch_template_version="3",
    owner_id=ACCOUNT,
)
BARE = FastLaunchImage("ami-00000001", resource_type=None)
AMI = "ami-00000000000000001"


@pytest.fixture
def client(connect: Connect) -> Any:
    """A boto3 client of an emulator with two images, in-process and over HTTP."""
    add_fast_launch_images(get_backend(ACCOUNT, REGION), [FULL, BARE])
    return connect()


# --- serialization --------------------------------------------------------------------


def test_every_field_is_returned_unchanged(client: Any) -> None:
    """botocore parses back what was added, with milliseconds; missing fields are missing."""
    bare, full = client.describe_fast_launch_images()["FastLaunchImages"]
    assert full == FULL.to_api()
    assert bare == {"ImageId": "ami-00000001", "SnapshotConfiguration": {}}


def test_hostile_text_is_returned_unchanged(client: Any) -> None:
    """Text with markup is escaped."""
    image = FastLaunchImage("ami-00000002", state_transition_reason=HOSTILE)
    add_fast_launch_images(get_backend(ACCOUNT, REGION), [image])
    answer = client.describe_fast_launch_images(ImageIds=["ami-00000002"])
    assert answer["FastLaunchImages"][0]["StateTransitionReason"] == HOSTILE


def test_times_are_returned_in_utc(client: Any) -> None:
    """A time in another time zone is returned as the same time."""
    tokyo = SINCE.astimezone(timezone(timedelta(hours=9)))
    image = FastLaunchImage("ami-00000002", state_transition_time=tokyo)
    add_fast_launch_images(get_backend(ACCOUNT, REGION), [image])
    answer = client.describe_fast_launch_images(ImageIds=["ami-00000002"])
    assert answer["FastLaunchImages"][0]["StateTransitionTime"] == SINCE


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("describe_images", {"Owners": ["self"]}),
        ("describe_instances", {}),
        ("describe_launch_template_versions", {"Versions": ["$Latest"]}),
        ("describe_snapshots", {"Filters": [{"Name": "tag-key", "Values": ["*"]}]}),
        ("describe_tags", {"Filters": [{"Name": "resource-id", "Values": ["snap-*"]}]}),
        ("describe_volumes", {}),
    ],
)
def test_the_faster_methods_change_no_answer(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, operation: str, parameters: dict[str, Any]
) -> None:
    """moto's own methods, which are slower, give the same answers."""
    read = getattr(demo.session.client("ec2"), operation)
    fast = read(**parameters)
    monkeypatch.setattr(EC2Backend, "describe_tags", moto_describe_tags)
    monkeypatch.setattr(XFormedAttributePicker, "get_possible_keys", moto_get_possible_keys)
    slow = read(**parameters)
    del fast["ResponseMetadata"], slow["ResponseMetadata"]
    assert fast == slow
    assert any(fast.values())


def test_dates_follow_the_virtual_clock(client: Any) -> None:
    """The Date header is the time of the virtual clock."""

    def read_date() -> datetime:
        answer = client.describe_fast_launch_images()
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    assert read_date() == datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
    CLOCK.advance(hours=6)
    assert read_date() == datetime(2026, 1, 15, 18, 0, tzinfo=UTC)


# --- accounts and regions -------------------------------------------------------------


def test_regions_are_separate(client: Any) -> None:
    """An image in one region is not listed in another."""
    add_fast_launch_images(get_backend(ACCOUNT, "eu-west-1"), [FastLaunchImage("ami-00000005")])
    assert len(client.describe_fast_launch_images()["FastLaunchImages"]) == 2


@pytest.mark.parametrize("region", ["ap-east-1", "us-nowhere-7"])
@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("describe_fast_launch_images", {}),
        ("enable_fast_launch", {"ImageId": AMI}),
        ("describe_images", {}),
        ("describe_snapshots", {}),
        ("describe_regions", {}),
        ("create_volume", {"Size": 1, "AvailabilityZone": "us-east-1a"}),
    ],
)
def test_closed_regions_are_refused(
    connect: Connect, region: str, action: str, parameters: dict[str, Any]
) -> None:
    """Every action is refused in a region that is unknown or not opted in to."""
    with pytest.raises(ClientError) as caught:
        getattr(connect(region=region), action)(**parameters)
    response = caught.value.response
    assert response["Error"]["Code"] == "AuthFailure"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert response["ResponseMetadata"]["RequestId"].startswith("fa571a00-")


def test_describe_explains_a_region_that_is_not_opted_in(demo: Demo) -> None:
    """DescribeRegions marks the region, and describe suggests how to check its status."""
    regions = demo.session.client("ec2").describe_regions(AllRegions=True)["Regions"]
    status = {region["RegionName"]: region["OptInStatus"] for region in regions}
    assert status["ap-east-1"] == "not-opted-in"
    assert {status[region] for region in demo.regions} == {"opt-in-not-required"}
    with pytest.raises(fl.ReadError, match="get-region-opt-status") as caught:
        fl.describe(region="ap-east-1")
    assert caught.value.code == "AuthFailure"


def test_describe_refuses_an_unknown_region(demo: Demo, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown region gets AuthFailure without an exception in the emulator."""
    with pytest.raises(fl.ReadError, match="AuthFailure") as caught:
        fl.describe(region="xx-nowhere-1")
    assert caught.value.code == "AuthFailure"
    assert "Traceback" not in caplog.text


# --- requests that no SDK sends -------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"Action": "DescribeFastLaunchImages", "MaxResults": "many"}, "InvalidParameterValue"),
        ({"Action": "EnableFastLaunch", "MaxParallelLaunches": "6.5"}, "InvalidParameterValue"),
        ({"Action": "DescribeSnapshots", "MaxResults": ""}, "InvalidParameterValue"),
        ({"Action": "DescribeSlowLaunchImages"}, "InvalidAction"),
    ],
)
def test_invalid_requests_are_refused(ec2: Any, parameters: dict[str, str], expected: str) -> None:
    """Text instead of a number is refused by parameter name, and an unknown action by name."""
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request"}
    answer = Client(make_application()).post("/", data=parameters, headers=headers)
    assert answer.status_code == 400
    assert f"<Code>{expected}</Code>" in answer.text
    assert list(parameters)[-1] in answer.text or parameters["Action"] in answer.text


# --- generated ids and resets ---------------------------------------------------------


def test_reads_do_not_change_later_ids(client: Any) -> None:
    """The ids of created resources do not depend on how many reads came before."""

    def create_ids(reads: int) -> list[str]:
        reset_emulator()
        ec2 = get_backend(ACCOUNT, REGION)
        for _ in range(reads):
            client.describe_images()
            client.describe_fast_launch_images()
        ec2.add_windows_image(AMI, name="mine", owner_id=ACCOUNT)
        ec2.enable_fast_launch(AMI)
        CLOCK.advance(minutes=30)
        ec2.break_preparation(AMI)
        return [*sorted(ec2.snapshots), *ec2.pace.broken_preparation.values()]

    assert len(create_ids(0)) == 7
    assert create_ids(0) == create_ids(3)


def test_a_reset_restarts_the_request_ids(client: Any) -> None:
    """Request ids count from one after a reset."""

    def read_request_ids() -> list[str]:
        reset_emulator()
        answers = (client.describe_images(), client.describe_fast_launch_images())
        return [answer["ResponseMetadata"]["RequestId"] for answer in answers]

    first = read_request_ids()
    assert [request_id[-4:] for request_id in first] == ["0001", "0002"]
    assert read_request_ids() == first


def test_a_reset_of_moto_removes_the_images(client: Any) -> None:
    """Resetting moto's EC2 resets Fast Launch with it."""
    get_backend(ACCOUNT, REGION).reset()
    assert client.describe_fast_launch_images()["FastLaunchImages"] == []


def test_a_reset_over_http_ends_every_lifecycle(ec2: Any) -> None:
    """POST /moto-api/reset cancels all scheduled actions."""
    ec2.add_windows_image(AMI, name="mine", owner_id=ACCOUNT)
    ec2.enable_fast_launch(AMI)
    assert Client(make_application()).post("/moto-api/reset").status_code == 200
    CLOCK.advance(hours=1)
    assert CHANGE_LOG == []


# --- reads of EC2 that moto lacks, or answers by the wall clock -------------------------


def test_metadata_defaults_of_an_account(connect: Connect) -> None:
    """GetInstanceMetadataDefaults answers nothing until an account sets a default in a region."""
    client = connect()
    assert client.get_instance_metadata_defaults()["AccountLevel"] == {}
    get_backend(ACCOUNT, REGION).metadata_defaults["HttpTokensEnforced"] = "enabled"
    answer = client.get_instance_metadata_defaults()["AccountLevel"]
    assert answer == {"HttpTokensEnforced": "enabled"}
    elsewhere = connect("ec2", region="eu-west-1").get_instance_metadata_defaults()
    assert elsewhere["AccountLevel"] == {}
    with pytest.raises(ClientError, match="DryRunOperation"):
        client.get_instance_metadata_defaults(DryRun=True)


def test_the_source_of_an_image(connect: Connect) -> None:
    """DescribeImages names the AMI from which one was made, and nothing for an original."""
    ec2, source = get_backend(ACCOUNT, REGION), ("ami-00000000000000009", "eu-west-1")
    ec2.add_windows_image(AMI, name="copy", owner_id=ACCOUNT, source=source)
    ec2.add_windows_image(BARE.image_id, name="original", owner_id=ACCOUNT)
    answer = connect().describe_images(Owners=["self"])["Images"]
    images = {image["ImageId"]: image for image in answer}
    copy, original = images[AMI], images[BARE.image_id]
    assert (copy["SourceImageId"], copy["SourceImageRegion"]) == source
    assert {"SourceImageId", "SourceImageRegion", "LastLaunchedTime"} & original.keys() == set()
