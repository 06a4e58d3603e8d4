"""Fault injection: the effect of each fault on a client, in-process and over HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, PaginationError
from botocore.parsers import ResponseParserError

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.faults import FAULTS, Faults
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.emulator.server import Server
from tests.helpers.emulator import add_fast_launch_images, inject_faults
from tests.helpers.samples import ACCOUNT, REGION, Connect

IDS = [f"ami-{n:017x}" for n in range(5)]
WINDOWS = "ami-0123456789abcdef0"
BOTH = pytest.mark.parametrize("transport", ["in-process", "http"])
HTTP = pytest.mark.parametrize("transport", ["http"])


@pytest.fixture
def connect(transport: str, request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Make boto3 clients of an emulator with five images and an AMI, in-process or over HTTP."""
    request.getfixturevalue("monkeypatch").setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    if transport == "in-process":
        request.getfixturevalue("ec2")
    server = Server() if transport == "http" else None
    reset_emulator()
    backend = get_backend(ACCOUNT, REGION)
    add_fast_launch_images(backend, [FastLaunchImage(image_id) for image_id in IDS])
    backend.add_windows_image(WINDOWS, name="windows", owner_id=ACCOUNT)

    def make_client(service: str = "ec2", *, region: str = REGION, attempts: int = 1) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=server.endpoint_url if server else None,
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
        )

    yield make_client
    FAULTS.clear()
    if server:
        server.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that botocore would wait before each of its retries."""
    seconds: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=seconds.append))
    return seconds


def get_outcome(call: Callable[[], Any]) -> str:
    """Return "ok", or the error code of a call."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def get_outcomes(client: Any, count: int) -> list[str]:
    return [get_outcome(client.describe_fast_launch_images) for _ in range(count)]


def get_ids(answer: dict[str, Any]) -> list[str]:
    return [image["ImageId"] for image in answer["FastLaunchImages"]]


# --- refusals -------------------------------------------------------------------------


@BOTH
def test_faults_are_off_by_default(connect: Connect) -> None:
    """Requests succeed without faults, and with faults that are all off."""
    assert get_ids(connect().describe_fast_launch_images()) == IDS
    with inject_faults():
        assert get_ids(connect().describe_fast_launch_images()) == IDS


REQUESTS: dict[str, dict[str, Any]] = {
    "describe_fast_launch_images": {},
    "enable_fast_launch": {"ImageId": WINDOWS},
    "disable_fast_launch": {"ImageId": IDS[0], "DryRun": True},
}


@BOTH
@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize(
    ("faults", "expected", "message"),
    [
        (Faults(throttle_rate=1), ("RequestLimitExceeded", 503), "throttled on ec2:{action}"),
        (Faults(error_rate=1), ("InternalError", 500), "internal error"),
        (Faults(unauthorized=[ACCOUNT]), ("UnauthorizedOperation", 403), "perform: ec2:{action}"),
    ],
    ids=["throttled", "failed", "unauthorized"],
)
@pytest.mark.http
def test_every_action_is_refused(
    connect: Connect, method: str, faults: Faults, expected: tuple[str, int], message: str
) -> None:
    """Each action and a dry run are refused with a code, status, reason and request id."""
    FAULTS.set(faults)
    with pytest.raises(ClientError) as caught:
        getattr(connect(), method)(**REQUESTS[method])
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    assert (error["Code"], metadata["HTTPStatusCode"]) == expected
    assert message.format(action=caught.value.operation_name) in error["Message"]
    assert metadata["RequestId"]


@BOTH
def test_a_refusal_changes_nothing(connect: Connect) -> None:
    """A refused request has no effect."""
    FAULTS.set(Faults(error_rate=1))
    assert get_outcome(lambda: connect().enable_fast_launch(ImageId=WINDOWS)) == "InternalError"
    FAULTS.clear()
    assert get_ids(connect().describe_fast_launch_images()) == IDS


@BOTH
@pytest.mark.http
def test_server_errors_take_turns(connect: Connect) -> None:
    """Requests that fail inside EC2 get a 500 and a 503 in turn."""
    with inject_faults(error_rate=1):
        assert get_outcomes(connect(), 3) == ["InternalError", "Unavailable", "InternalError"]


def test_only_the_unauthorized_account_is_refused(demo: Demo) -> None:
    """Only the unauthorized account gets UnauthorizedOperation."""
    with inject_faults(unauthorized=["111122223333"]):
        assert len(fl.describe(demo.session))
        with pytest.raises(fl.ReadError, match="Allow the IAM action") as caught:
            fl.describe(boto3.Session(profile_name="game-servers"))
    assert caught.value.code == "UnauthorizedOperation"


@HTTP
def test_other_actions_are_not_affected(connect: Connect) -> None:
    """Faults affect only the Fast Launch actions, not other actions or services."""
    faults = {"throttle_rate": 1, "drop_rate": 1, "truncate_rate": 1, "unauthorized": [ACCOUNT]}
    storage = connect("s3")
    with inject_faults(**faults):
        assert connect().describe_images(ImageIds=[WINDOWS])["Images"]
        assert connect("sts").get_caller_identity()["Account"] == ACCOUNT
        storage.create_bucket(Bucket="history")
        storage.put_object(Bucket="history", Key="some", Body=b"Action=DescribeFastLaunchImages")
        assert storage.get_object(Bucket="history", Key="some")["Body"].read().startswith(b"Action")


# --- rates, seeds and buckets ---------------------------------------------------------


def send_requests(client: Any, count: int = 20) -> str:
    """Return a dot for each request that succeeded, and an x for each that was refused."""
    return "".join("." if code == "ok" else "x" for code in get_outcomes(client, count))


SEED_0, SEED_1 = "...x........x..x....", "x..x....xx...x..x..x"


@BOTH
def test_a_seed_hits_the_same_requests(connect: Connect) -> None:
    """A seed always hits the same requests, in-process and over HTTP; another seed others."""
    for seed, expected in ((0, SEED_0), (0, SEED_0), (1, SEED_1)):
        with inject_faults(throttle_rate=0.3, seed=seed):
            assert send_requests(connect()) == expected, seed


@BOTH
def test_retries_succeed_despite_throttling(connect: Connect, waits: list[float]) -> None:
    """boto3's retries read all pages if three of ten requests are throttled."""
    with inject_faults(throttle_rate=0.3):
        paginator = connect(attempts=10).get_paginator("describe_fast_launch_images")
        pages = paginator.paginate(PaginationConfig={"PageSize": 1})
        assert [image_id for page in pages for image_id in get_ids(page)] == IDS
    assert waits


@BOTH
def test_a_bucket_empties_and_refills(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket admits as many requests as it has tokens; time refills it, up to its capacity."""
    now = 0.0
    monkeypatch.setattr(FAULTS, "counter", lambda: now)
    client = connect()
    with inject_faults(bucket=3, refill=2):
        assert get_outcomes(client, 4) == ["ok"] * 3 + ["RequestLimitExceeded"]
        now = 1.0
        assert send_requests(client, 3) == "..x"
        now = 100.0
        assert send_requests(client, 5) == "...xx"


@BOTH
def test_a_region_has_its_own_bucket(connect: Connect) -> None:
    """An empty bucket of one region does not affect another region."""
    client, other = connect(), connect(region="eu-west-1")
    with inject_faults(bucket=2):
        assert send_requests(client, 3) == "..x"
        assert send_requests(other, 3) == "..x"


def test_an_account_has_its_own_bucket(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty bucket of one account does not affect another account."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    other = boto3.Session(profile_name="game-servers")
    with inject_faults(bucket=2):
        assert send_requests(demo.session.client("ec2"), 3) == "..x"
        assert send_requests(other.client("ec2"), 3) == "..x"


@HTTP
def test_a_bucket_counts_concurrent_requests(connect: Connect) -> None:
    """Exactly as many concurrent requests succeed as the bucket has tokens."""
    client = connect()
    with inject_faults(bucket=10), ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: send_requests(client, 1), range(30)))
    assert sorted(results) == ["."] * 10 + ["x"] * 20


# --- latency and page tokens ----------------------------------------------------------


@BOTH
@pytest.mark.http
def test_latency_delays_every_answer(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is delayed by the latency, refusals included."""
    delays: list[float] = []
    monkeypatch.setattr(FAULTS, "sleep", delays.append)
    assert send_requests(connect(), 1) == "."
    with inject_faults(latency=0.25):
        assert send_requests(connect(), 2) == ".."
    with inject_faults(latency=0.5, throttle_rate=1):
        assert send_requests(connect(), 1) == "x"
    assert delays == [0.25, 0.25, 0.5]


@BOTH
@pytest.mark.http
def test_expired_tokens_are_refused(connect: Connect) -> None:
    """The first page is answered; a page that is requested by its token is refused."""
    client = connect()
    with inject_faults(expire_tokens=True):
        first = client.describe_fast_launch_images(MaxResults=2)
        with pytest.raises(ClientError, match="The token has expired") as caught:
            client.describe_fast_launch_images(MaxResults=2, NextToken=first["NextToken"])
    assert get_ids(first) == IDS[:2]
    assert caught.value.response["Error"]["Code"] == "InvalidNextToken"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@BOTH
@pytest.mark.parametrize("size", [2, 200])
@pytest.mark.http
def test_a_page_repeats_its_token(connect: Connect, size: int) -> None:
    """A page has the token that requested it as its next token, even a single page."""
    client = connect()
    with inject_faults(repeat_token=True):
        token = client.describe_fast_launch_images(MaxResults=size)["NextToken"]
        page = client.describe_fast_launch_images(MaxResults=size, NextToken=token)
        assert page["NextToken"] == token
        paginator = client.get_paginator("describe_fast_launch_images")
        with pytest.raises(PaginationError, match="same next token"):
            list(paginator.paginate(PaginationConfig={"PageSize": size}))
        assert "NextToken" not in client.enable_fast_launch(ImageId=WINDOWS)


# --- eventual consistency -------------------------------------------------------------


@BOTH
def test_answers_may_miss_an_image(connect: Connect) -> None:
    """A share of the answers misses one image of the page, and is complete otherwise."""
    client = connect()
    with inject_faults(omit_rate=0.5, seed=3):
        answers = [get_ids(client.describe_fast_launch_images()) for _ in range(40)]
        pages = client.get_paginator("describe_fast_launch_images").paginate(
            PaginationConfig={"PageSize": 2}
        )
        read = [image_id for page in pages for image_id in get_ids(page)]
    missing = [set(IDS) - set(answer) for answer in answers]
    assert {len(names) for names in missing} == {0, 1}
    assert 10 <= sum(map(len, missing)) <= 30
    assert set().union(*missing) == set(IDS)
    assert len(IDS) - 3 <= len(read) < len(IDS)
    with inject_faults(omit_rate=1):
        assert get_ids(client.describe_fast_launch_images(ImageIds=IDS[:1])) == []
        assert client.enable_fast_launch(ImageId=WINDOWS)["State"] == "enabling"


@BOTH
def test_answers_may_lag(connect: Connect) -> None:
    """Answers show the images of some seconds ago: new ones are missing, and ended ones are not."""
    client = connect()
    CLOCK.advance(minutes=5)
    client.enable_fast_launch(ImageId=WINDOWS)
    client.disable_fast_launch(ImageId=IDS[0])
    CLOCK.advance(minutes=20)

    def read_states() -> dict[str, Any]:
        images = client.describe_fast_launch_images()["FastLaunchImages"]
        return {image["ImageId"]: image.get("State") for image in images}

    now = read_states()
    assert (IDS[0] in now, now[WINDOWS]) == (False, "enabled")
    states = []
    for minutes in (9, 11, 19, 20, 21):
        with inject_faults(lag=60 * minutes):
            lagging = read_states()
            states.append((lagging.get(IDS[0]), lagging.get(WINDOWS)))
    begun = ("disabling", "enabling")
    assert states == [(None, "enabled"), begun, begun, begun, (None, None)]
    with inject_faults(lag=1260):
        lagging_ids = get_ids(client.describe_fast_launch_images(ImageIds=[IDS[0], WINDOWS]))
    assert lagging_ids == IDS[:1]


# --- connections ----------------------------------------------------------------------


@HTTP
@pytest.mark.http
def test_a_dropped_request_has_no_effect(connect: Connect) -> None:
    """A dropped connection closes without an answer, and the request has no effect."""
    client = connect()
    with (
        inject_faults(drop_rate=1),
        pytest.raises(ConnectionClosedError, match="closed before we received"),
    ):
        client.enable_fast_launch(ImageId=WINDOWS)
    assert get_ids(client.describe_fast_launch_images()) == IDS


@HTTP
@pytest.mark.http
def test_retries_succeed_despite_dropped_connections(connect: Connect, waits: list[float]) -> None:
    """boto3's retries succeed if half of the connections are dropped."""
    client = connect(attempts=10)
    with inject_faults(drop_rate=0.5):
        assert send_requests(client, 5) == "....."
    assert waits


@HTTP
@pytest.mark.http
def test_a_truncated_request_has_its_effect(connect: Connect) -> None:
    """boto3 cannot parse half an answer, but the request has changed the image."""
    client = connect()
    with inject_faults(truncate_rate=1), pytest.raises(ResponseParserError, match="invalid XML"):
        client.enable_fast_launch(ImageId=WINDOWS)
    assert WINDOWS in get_ids(client.describe_fast_launch_images())


@HTTP
@pytest.mark.http
def test_a_truncated_body_is_detectable(connect: Connect) -> None:
    """Content-Length is the length of the complete body, so a client can detect the truncation."""
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = b"Action=DescribeFastLaunchImages&Version=2016-11-15"
    address = connect().meta.endpoint_url
    request = urllib.request.Request(address, body, headers)  # noqa: S310
    with (
        inject_faults(truncate_rate=1),
        urllib.request.urlopen(request) as answer,  # noqa: S310
        pytest.raises(IncompleteRead) as caught,
    ):
        answer.read()
    assert len(caught.value.partial) == int(answer.headers["Content-Length"]) // 2


@pytest.mark.parametrize("transport", ["in-process"])
def test_connection_faults_have_no_effect_in_process(connect: Connect) -> None:
    """Faults of the connection have no effect in-process, where there is none."""
    with inject_faults(drop_rate=1, truncate_rate=1):
        assert get_ids(connect().describe_fast_launch_images()) == IDS


# --- errors of describe ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "code", "message"),
    [
        ({"throttle_rate": 1}, "RequestLimitExceeded", "limit. AWS is throttling or busy: try"),
        ({"bucket": 1}, "RequestLimitExceeded", "with fewer readers at once"),
        ({"error_rate": 1}, "InternalError", "occurred. AWS is throttling or busy: try again"),
        (
            {"unauthorized": [ACCOUNT]},
            "UnauthorizedOperation",
            "action. Allow the IAM action ec2:DescribeFastLaunchImages.",
        ),
        ({"expire_tokens": True}, "InvalidNextToken", "read again from the start"),
        ({"repeat_token": True}, "PaginationError", "lead in a circle: try again later."),
        ({"drop_rate": 1}, "ConnectionClosedError", '/". Check the network'),
        ({"truncate_rate": 1}, "ResponseParserError", "was cut short"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_describe_explains_each_fault(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, faults: dict[str, Any], code: str, message: str
) -> None:
    """describe turns each fault into a ReadError with AWS's code and a remedy."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with inject_faults(**faults), pytest.raises(fl.ReadError) as caught:
        fl.describe(demo.session, page_size=2)
    assert caught.value.code == code
    assert message in str(caught.value)
    assert "<?xml" not in str(caught.value)


# --- settings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"throttle_rate": 30}, "throttle_rate is 30. Expected a share of the requests"),
        ({"error_rate": -0.1}, "error_rate is -0.1."),
        ({"drop_rate": "0.3"}, "drop_rate is '0.3'."),
        ({"truncate_rate": float("nan")}, "from 0 to 1"),
        ({"latency": -1}, "latency is -1. Expected seconds, 0 or more"),
        ({"latency": float("inf")}, "latency is inf."),
        ({"bucket": 0.5}, "bucket is 0.5. Expected a whole number"),
        ({"bucket": -1}, "bucket is -1."),
        ({"bucket": 5, "refill": -1}, "refill is -1."),
        ({"refill": 20}, "there is no bucket to refill. Expected both, such as bucket=100"),
        ({"unauthorized": ACCOUNT}, "such as ['123456789012']"),
        ({"unauthorized": ["build-farm"]}, "12 digits"),
        ({"unauthorized": [123456789012]}, "12 digits"),
        ({"expire_tokens": 1}, "expire_tokens is 1. Expected True or False"),
        ({"repeat_token": "no"}, "repeat_token is 'no'."),
        ({"omit_rate": 1.1}, "omit_rate is 1.1. Expected a share"),
        ({"lag": -1}, "lag is -1. Expected seconds, from 0 to 1,000,000"),
        ({"lag": 1_000_001}, "lag is 1000001. Expected seconds, from 0 to 1,000,000"),
    ],
)
def test_invalid_faults_are_refused(wrong: dict[str, Any], message: str) -> None:
    """Invalid faults raise ValueError with the given value and the expected one."""
    with pytest.raises(ValueError, match="Expected") as caught:
        Faults(**wrong)
    assert message in str(caught.value)


@BOTH
def test_faults_end_with_their_block(connect: Connect) -> None:
    """After a block the previous faults are in effect again, or none."""
    client = connect()
    with inject_faults(bucket=2) as outer:
        assert outer == Faults(bucket=2)
        assert send_requests(client, 1) == "."
        with inject_faults(throttle_rate=1):
            assert send_requests(client, 2) == "xx"
        assert send_requests(client, 2) == ".x"
    assert send_requests(client, 2) == ".."


@BOTH
def test_faults_end_with_a_block_that_fails(connect: Connect) -> None:
    """Faults are off after a block that raises an exception."""
    with pytest.raises(ClientError, match="RequestLimitExceeded"), inject_faults(throttle_rate=1):
        connect().describe_fast_launch_images()
    assert send_requests(connect(), 1) == "."


def test_a_reset_turns_faults_off() -> None:
    """Resetting the emulator turns off all faults."""
    FAULTS.set(Faults(throttle_rate=1))
    reset_emulator()
    assert FAULTS.faults == Faults()
