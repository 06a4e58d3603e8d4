"""The embedded EC2: the same promises in-process and over HTTP, seen through plain boto3."""

from __future__ import annotations

import functools
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from fastlaunch_nb.emulator import fast_launch_backend
from fastlaunch_nb.emulator.change_log import CHANGE_LOG
from fastlaunch_nb.emulator.clock import CLOCK, Clock
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.image_index import ImageIndex
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.emulator.server import Server, make_application
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION, ROOT, SINCE, Connect, run

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


@pytest.fixture
def connect(connect: Connect) -> Connect:
    """Make plain boto3 clients of an embedded EC2 with two images, by either way."""
    ec2 = get_backend(ACCOUNT, REGION)
    for image in (FULL, BARE):
        ec2.add_fast_launch_image(image)

    def client(region: str = REGION, account_id: str = ACCOUNT) -> Any:
        return connect(region=region, account_id=account_id)

    return client


@pytest.fixture
def client(connect: Connect) -> Any:
    """A plain boto3 client of it."""
    return connect()


def ids(answer: dict[str, Any]) -> list[str]:
    return [image["ImageId"] for image in answer["FastLaunchImages"]]


def code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def refusal(ask: Callable[[], Any]) -> tuple[str, int]:
    """Return the code and the HTTP status with which a request is refused."""
    with pytest.raises(ClientError) as caught:
        ask()
    return code(caught)


def test_every_field_survives_the_wire(client: Any) -> None:
    """botocore's own parser gets back what was put there, to the millisecond."""
    bare, full = client.describe_fast_launch_images()["FastLaunchImages"]
    assert full == FULL.to_api()
    assert bare == {"ImageId": "ami-00000001", "SnapshotConfiguration": {}}


def test_text_survives_the_wire(client: Any) -> None:
    """Text that looks like markup comes back as it was."""
    image = FastLaunchImage("ami-00000002", state_transition_reason=HOSTILE)
    get_backend(ACCOUNT, REGION).add_fast_launch_image(image)
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
    get_backend(ACCOUNT, REGION).add_fast_launch_image(image)
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
    assert token_of_another_process() == token
    assert "ami" not in token


@functools.cache
def token_of_another_process() -> str:
    """Return the token that leads past the first image, as another process makes it."""
    module = "fastlaunch_nb.emulator.fast_launch_backend"
    other = f"from {module} import make_page_token as make; print(make('ami-00000001'))"
    return run(sys.executable, "-c", other, cwd=ROOT).stdout.strip()


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
    CLOCK.advance(hours=6)
    assert date() == datetime(2026, 1, 15, 18, 0, tzinfo=UTC)


def test_accounts_and_regions_are_apart(client: Any) -> None:
    """What is put into one region is not seen in another."""
    west = get_backend(ACCOUNT, "eu-west-1")
    west.add_fast_launch_image(FastLaunchImage("ami-00000005"))
    assert len(ids(client.describe_fast_launch_images())) == 2


def test_reset_forgets_the_images(client: Any) -> None:
    """Resetting moto's EC2 resets Fast Launch with it."""
    get_backend(ACCOUNT, REGION).reset()
    assert ids(client.describe_fast_launch_images()) == []


def test_one_date_header_over_http() -> None:
    """Over HTTP there is one Date header, not moto's and the server's."""
    server = Server()
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


# --- accounts and regions -------------------------------------------------------------

MINE, THEIRS, PUBLIC = (f"ami-{number:017x}" for number in (1, 2, 3))
OTHER = "111122223333"


@pytest.fixture
def shared(connect: Connect) -> Any:
    """A client of an account to which another has given one AMI, and one to everybody."""
    owner = get_backend(OTHER, REGION)
    for image_id in (THEIRS, PUBLIC):
        owner.add_windows_image(image_id, name="theirs", owner_id=OTHER)
    get_backend(ACCOUNT, REGION).add_windows_image(MINE, name="mine", owner_id=ACCOUNT)
    give(connect, "Add", THEIRS, {"UserId": ACCOUNT})
    give(connect, "Add", PUBLIC, {"Group": "all"})
    return connect()


def give(connect: Connect, how: str, image_id: str, permission: dict[str, str]) -> None:
    """Have the owner add a launch permission, or take it back."""
    permissions = {how: [permission]}
    owner = connect(account_id=OTHER)
    owner.modify_image_attribute(ImageId=image_id, LaunchPermission=permissions)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {MINE, THEIRS, PUBLIC}),
        ({"ImageIds": [THEIRS]}, {THEIRS}),
        ({"Owners": ["self"]}, {MINE}),
        ({"Owners": [OTHER]}, {THEIRS, PUBLIC}),
        ({"ExecutableUsers": ["self"]}, {THEIRS}),
        ({"ExecutableUsers": [ACCOUNT]}, {THEIRS}),
        ({"ExecutableUsers": ["all"]}, {PUBLIC}),
        ({"Filters": [{"Name": "name", "Values": ["theirs"]}]}, {THEIRS, PUBLIC}),
    ],
)
def test_images_that_are_shared(shared: Any, asked: dict[str, Any], expected: set[str]) -> None:
    """DescribeImages has what an account owns, what it may launch by name, and what all may."""
    assert {image["ImageId"] for image in shared.describe_images(**asked)["Images"]} == expected


def test_fast_launch_for_a_shared_image(shared: Any, connect: Connect) -> None:
    """A shared AMI is enabled like one's own, without an OwnerId; until it is shared no more."""
    assert "OwnerId" not in shared.enable_fast_launch(ImageId=THEIRS)
    assert THEIRS in ids(shared.describe_fast_launch_images())
    assert ids(connect(account_id=OTHER).describe_fast_launch_images()) == []
    give(connect, "Remove", THEIRS, {"UserId": ACCOUNT})
    asks: list[Callable[[], Any]] = [
        lambda: shared.enable_fast_launch(ImageId=THEIRS),
        lambda: shared.describe_images(ImageIds=[THEIRS]),
        lambda: connect("eu-west-1").enable_fast_launch(ImageId=PUBLIC),
    ]
    assert [refusal(ask) for ask in asks] == [("InvalidAMIID.NotFound", 400)] * 3


@pytest.mark.parametrize("region", ["ap-east-1", "us-nowhere-7"])
@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("describe_fast_launch_images", {}),
        ("enable_fast_launch", {"ImageId": MINE}),
        ("describe_images", {}),
        ("describe_snapshots", {}),
        ("describe_regions", {}),
        ("create_volume", {"Size": 1, "AvailabilityZone": "us-east-1a"}),
    ],
)
def test_closed_regions(
    connect: Connect, region: str, action: str, parameters: dict[str, Any]
) -> None:
    """No action is answered in a region that is not opted in, or unknown."""
    with pytest.raises(ClientError) as caught:
        getattr(connect(region), action)(**parameters)
    assert code(caught) == ("AuthFailure", 401)
    assert caught.value.response["ResponseMetadata"]["RequestId"].startswith("fa571a00-")


# --- requests that no SDK sends -------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"Action": "DescribeFastLaunchImages", "MaxResults": "many"}, "InvalidParameterValue"),
        ({"Action": "EnableFastLaunch", "MaxParallelLaunches": "6.5"}, "InvalidParameterValue"),
        ({"Action": "DescribeSnapshots", "MaxResults": ""}, "InvalidParameterValue"),
        ({"Action": "DescribeSlowLaunchImages"}, "InvalidAction"),
    ],
)
def test_what_can_not_be_parsed(ec2: Any, asked: dict[str, str], expected: str) -> None:
    """Text where a number is expected is refused by name, as is what is no action."""
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request"}
    answer = Client(make_application()).post("/", data=asked, headers=headers)
    assert answer.status_code == 400
    assert f"<Code>{expected}</Code>" in answer.text
    assert list(asked)[-1] in answer.text or asked["Action"] in answer.text


# --- what is not documented -----------------------------------------------------------


def test_another_choice_for_tokens(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token leads on for ever, unless a lifetime is chosen."""
    token = client.describe_fast_launch_images(MaxResults=1)["NextToken"]
    CLOCK.advance(days=400)
    assert ids(client.describe_fast_launch_images(NextToken=token)) == [FULL.image_id]
    monkeypatch.setattr(fast_launch_backend, "TOKEN_LIFETIME", timedelta(days=399))
    with pytest.raises(ClientError, match="has expired") as caught:
        client.describe_fast_launch_images(NextToken=token)
    assert code(caught) == ("InvalidNextToken", 400)


def test_another_choice_for_what_is_not_enabled(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named image without Fast Launch is left out, unless a code is chosen."""
    monkeypatch.setattr(fast_launch_backend, "NOT_ENABLED_ID_CODE", "InvalidAMIID.Unavailable")
    with pytest.raises(ClientError) as caught:
        client.describe_fast_launch_images(ImageIds=["ami-00000009"])
    assert code(caught) == ("InvalidAMIID.Unavailable", 400)


def test_another_choice_for_dry_runs(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run looks at the arguments first, unless that is chosen otherwise."""
    monkeypatch.setattr(fast_launch_backend, "VALIDATE_BEFORE_DRY_RUN", False)
    asks: list[Callable[[], Any]] = [
        lambda: client.describe_fast_launch_images(MaxResults=1000, DryRun=True),
        lambda: client.enable_fast_launch(ImageId="i-1", DryRun=True),
        lambda: client.disable_fast_launch(ImageId="i-1", DryRun=True),
    ]
    assert [refusal(ask) for ask in asks] == [("DryRunOperation", 412)] * 3


# --- what is made up ------------------------------------------------------------------


def test_reads_change_nothing_that_is_made_up_later(client: Any) -> None:
    """However much is read before, the same ids come afterwards; only requests are counted."""

    def made(reads: int) -> list[str]:
        reset_emulator()
        ec2 = get_backend(ACCOUNT, REGION)
        for _ in range(reads):
            client.describe_images()
            client.describe_fast_launch_images()
        ec2.add_windows_image(MINE, name="mine", owner_id=ACCOUNT)
        ec2.enable_fast_launch(MINE)
        CLOCK.advance(minutes=30)
        ec2.break_preparation(MINE)
        return [*sorted(ec2.snapshots), *ec2.pace.broken_preparation.values()]

    assert len(made(0)) == 7
    assert made(0) == made(3)


def test_request_ids_begin_again(client: Any) -> None:
    """Forgetting everything starts the requests at one."""

    def request_ids() -> list[str]:
        reset_emulator()
        answers = (client.describe_images(), client.describe_fast_launch_images())
        return [answer["ResponseMetadata"]["RequestId"] for answer in answers]

    first = request_ids()
    assert [request_id[-4:] for request_id in first] == ["0001", "0002"]
    assert request_ids() == first


def test_a_reset_over_http_ends_every_life(ec2: Any) -> None:
    """POST /moto-api/reset leaves nothing that happens later."""
    ec2.add_windows_image(MINE, name="mine", owner_id=ACCOUNT)
    ec2.enable_fast_launch(MINE)
    assert Client(make_application()).post("/moto-api/reset").status_code == 200
    CLOCK.advance(hours=1)
    assert CHANGE_LOG == []


# --- its parts ------------------------------------------------------------------------

STATES = st.sampled_from(["enabled", "enabling", None])
OWNERS = st.sampled_from([ACCOUNT, None])
CHANGES = st.lists(st.tuples(st.integers(0, 9), STATES, OWNERS, st.booleans()), max_size=30)
NAMES = {"state": "state", "owner-id": "owner_id", "resource-type": "resource_type"}
VALUES = st.lists(st.sampled_from(["enabled", "enabling", ACCOUNT, "snapshot"]), max_size=2)
FILTERS = st.lists(st.tuples(st.sampled_from(list(NAMES)), VALUES), max_size=2)


@given(CHANGES, FILTERS, st.integers(0, 9))
def test_a_shelf_is_a_sorted_dict(
    changes: list[tuple[int, str | None, str | None, bool]],
    filters: list[tuple[str, list[str]]],
    after: int,
) -> None:
    """Law: whatever was put there and taken away, it answers as the plainest loop does."""
    shelf, plain = ImageIndex(), dict[str, FastLaunchImage]()
    shelf.put_all([])
    for number, state, owner, stays in changes:
        image = FastLaunchImage(f"ami-{number}", state=state, owner_id=owner)
        (shelf.put if number % 2 else lambda image: shelf.put_all([image]))(image)
        plain[image.image_id] = image
        if not stays:
            shelf.drop(image.image_id)
            del plain[image.image_id]
    matching = [
        plain[image_id]
        for image_id in sorted(plain)
        if all(getattr(plain[image_id], NAMES[name]) in values for name, values in filters)
    ]
    later = [image for image in matching if image.image_id > f"ami-{after}"]
    assert list(shelf.iterate_after(f"ami-{after}", filters)) == later
    assert shelf.select(plain, filters) == matching


def test_time_stands_while_a_request_is_answered() -> None:
    """A clock that runs is read once for what belongs together, and goes on afterwards."""
    seconds = 0.0
    clock = Clock(counter=lambda: seconds)
    clock.run()
    start = clock.now()
    seconds = 5
    with clock.still() as now:
        seconds = 7
        assert clock.now() == now == start + timedelta(seconds=5)
        clock.advance(seconds=1)
        seconds = 9
        assert clock.now() == start + timedelta(seconds=6)
    seconds = 10
    assert clock.now() == start + timedelta(seconds=9)


def test_the_clock_only_goes_forward() -> None:
    """Asking the clock to go back is refused, and it stays where it is."""
    clock = Clock()
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(hours=-1)
    assert clock.now() == datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
