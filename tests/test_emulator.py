"""The embedded EC2: the same promises in-process and over HTTP, seen through plain boto3."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb import emulator
from fastlaunch_nb.emulator import FastLaunchImage

from .conftest import ACCOUNT, HOSTILE, REGION, SINCE

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


@pytest.fixture(params=["in-process", "http"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A plain boto3 client of an embedded EC2 with two images, by either way."""
    if request.param == "in-process":
        request.getfixturevalue("ec2")
        server = None
    else:
        monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        server = emulator.Server()
        emulator.forget_everything()
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    backend = emulator.backend(ACCOUNT, REGION)
    for image in (FULL, BARE):
        backend.add_fast_launch_image(image)
    endpoint = server.endpoint_url if server else None
    yield boto3.client("ec2", region_name=REGION, endpoint_url=endpoint, **keys)
    if server:
        server.stop()


def ids(answer: dict[str, Any]) -> list[str]:
    return [image["ImageId"] for image in answer["FastLaunchImages"]]


def code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_every_field_survives_the_wire(client: Any) -> None:
    """botocore's own parser gets back what was put there, to the millisecond."""
    bare, full = client.describe_fast_launch_images()["FastLaunchImages"]
    assert full == FULL.to_api()
    assert bare == {"ImageId": "ami-00000001", "SnapshotConfiguration": {}}


def test_text_survives_the_wire(client: Any) -> None:
    """Text that looks like markup comes back as it was."""
    image = FastLaunchImage("ami-00000002", state_transition_reason=HOSTILE)
    emulator.backend(ACCOUNT, REGION).add_fast_launch_image(image)
    answer = client.describe_fast_launch_images(ImageIds=["ami-00000002"])
    assert answer["FastLaunchImages"][0]["StateTransitionReason"] == HOSTILE


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"state": ["enabled"]}, [FULL.image_id]),
        ({"state": ["Enabled"]}, []),
        ({"state": ["enabling", "enabled"]}, [FULL.image_id]),
        ({"state": ["enabled"], "owner-id": ["1"]}, []),
        ({"owner-id": [ACCOUNT], "resource-type": ["snapshot"]}, [FULL.image_id]),
    ],
)
def test_filters(client: Any, filters: dict[str, list[str]], expected: list[str]) -> None:
    """Filters are ANDed, their values ORed, both case-sensitive."""
    given = [{"Name": name, "Values": values} for name, values in filters.items()]
    assert ids(client.describe_fast_launch_images(Filters=given)) == expected


def test_a_filter_given_twice_must_hold_twice(client: Any) -> None:
    """Two filters of one name are ANDed like any others."""
    twice = [{"Name": "state", "Values": [state]} for state in ("enabled", "enabling")]
    assert ids(client.describe_fast_launch_images(Filters=twice)) == []


def test_times_of_other_zones_are_the_same_moment(client: Any) -> None:
    """A time with another offset arrives as the same moment."""
    tokyo = SINCE.astimezone(timezone(timedelta(hours=9)))
    image = FastLaunchImage("ami-00000002", state_transition_time=tokyo)
    emulator.backend(ACCOUNT, REGION).add_fast_launch_image(image)
    answer = client.describe_fast_launch_images(ImageIds=["ami-00000002"])
    assert answer["FastLaunchImages"][0]["StateTransitionTime"] == SINCE


def test_image_ids_leave_out_what_is_not_enabled(client: Any) -> None:
    """A named image without Fast Launch is left out."""
    answer = client.describe_fast_launch_images(ImageIds=["ami-00000001", "ami-00000009"])
    assert ids(answer) == ["ami-00000001"]


def test_pages(client: Any) -> None:
    """Pages end with a token until the last; together they are everything."""
    first = client.describe_fast_launch_images(MaxResults=1)
    last = client.describe_fast_launch_images(MaxResults=1, NextToken=first["NextToken"])
    assert ids(first) + ids(last) == [BARE.image_id, FULL.image_id]
    assert "NextToken" not in last


def test_tokens_are_the_same_in_every_process(client: Any) -> None:
    """Another process makes the same token, so that any process may go on with it."""
    token = client.describe_fast_launch_images(MaxResults=1)["NextToken"]
    other = "from fastlaunch_nb.emulator.models import _token; print(_token('ami-00000001'))"
    made = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == token
    assert "ami" not in token


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"DryRun": True}, ("DryRunOperation", 412)),
        ({"ImageIds": ["i-1"]}, ("InvalidAMIID.Malformed", 400)),
        ({"ImageIds": ["i-1"], "DryRun": True}, ("InvalidAMIID.Malformed", 400)),
        ({"NextToken": "bogus", "DryRun": True}, ("InvalidNextToken", 400)),
        ({"NextToken": "bogus"}, ("InvalidNextToken", 400)),
        ({"NextToken": "Ym9ndXMgYm9ndXMgYm9ndXM="}, ("InvalidNextToken", 400)),
        ({"MaxResults": 1000}, ("InvalidParameterValue", 400)),
        (
            {"MaxResults": 5, "ImageIds": ["ami-00000001"]},
            ("InvalidParameterCombination", 400),
        ),
        ({"Filters": [{"Name": "colour", "Values": ["red"]}]}, ("InvalidParameterValue", 400)),
    ],
)
def test_errors(client: Any, parameters: dict[str, Any], expected: tuple[str, int]) -> None:
    """What EC2 refuses is refused with EC2's code, its HTTP status and a request id."""
    with pytest.raises(ClientError) as caught:
        client.describe_fast_launch_images(**parameters)
    assert code(caught) == expected
    assert caught.value.response["ResponseMetadata"]["RequestId"]


def test_date_follows_the_virtual_clock(client: Any) -> None:
    """The Date header is the virtual clock's, and moves when that is advanced."""

    def date() -> datetime:
        answer = client.describe_fast_launch_images()
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    assert date() == datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
    emulator.CLOCK.advance(hours=6)
    assert date() == datetime(2026, 1, 15, 18, 0, tzinfo=UTC)


def test_accounts_and_regions_are_apart(client: Any) -> None:
    """What is put into one region is not seen in another."""
    west = emulator.backend(ACCOUNT, "eu-west-1")
    west.add_fast_launch_image(FastLaunchImage("ami-00000005"))
    assert len(ids(client.describe_fast_launch_images())) == 2


def test_reset_forgets_the_images(client: Any) -> None:
    """Resetting moto's EC2 resets Fast Launch with it."""
    emulator.backend(ACCOUNT, REGION).reset()
    assert ids(client.describe_fast_launch_images()) == []


def test_one_date_header_over_http() -> None:
    """Over HTTP there is one Date header, not moto's and the server's."""
    server = emulator.Server()
    try:
        assert server.endpoint_url.startswith("http://127.0.0.1:")
        body = b"Action=DescribeFastLaunchImages&Version=2016-11-15"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        request = urllib.request.Request(server.endpoint_url, body, headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert len(answer.headers.get_all("Date")) == 1
    finally:
        server.stop()


def test_the_clock_only_goes_forward() -> None:
    """Asking the clock to go back is refused, and it stays where it is."""
    clock = emulator.Clock()
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(hours=-1)
    assert clock.now() == datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
