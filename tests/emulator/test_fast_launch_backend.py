"""The backend of the emulator through plain boto3: pages, filters, refusals, shared images."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.exceptions import EC2ClientError

from fastlaunch_nb.emulator import assumptions
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, DISABLED, to_json_lines
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.emulator import add_fast_launch_images
from tests.helpers.samples import ACCOUNT, REGION, ROOT, Connect, run

FULL = FastLaunchImage("ami-0123456789abcdef0", state="enabled", owner_id=ACCOUNT)
BARE = FastLaunchImage("ami-00000001", resource_type=None)
AMI, LINUX, SHARED, PUBLIC = (f"ami-{number:017x}" for number in range(11, 15))
OTHER = "111122223333"
CREATED = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]


@pytest.fixture
def client(connect: Connect) -> Any:
    """A boto3 client of an emulator with two images and two AMIs, in-process and over HTTP."""
    ec2 = get_backend(ACCOUNT, REGION)
    add_fast_launch_images(ec2, [FULL, BARE])
    for image_id in (AMI, LINUX):
        ec2.add_windows_image(image_id, name="own", owner_id=ACCOUNT)
    ec2.amis[LINUX].platform = None
    return connect()


def get_ids(answer: dict[str, Any]) -> list[str]:
    return [image["ImageId"] for image in answer["FastLaunchImages"]]


def get_refusal(request: Callable[[], Any]) -> tuple[str, int]:
    """Return the code and the HTTP status with which a request is refused."""
    with pytest.raises(ClientError) as caught:
        request()
    response = caught.value.response
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


# --- DescribeFastLaunchImages ---------------------------------------------------------


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
def test_filters_select_images(
    client: Any, filters: dict[str, list[str]], expected: list[str]
) -> None:
    """Filters are combined by AND, their values by OR, both case-sensitive."""
    parameters = [{"Name": name, "Values": values} for name, values in filters.items()]
    assert get_ids(client.describe_fast_launch_images(Filters=parameters)) == expected


def test_filters_with_the_same_name_must_all_match(client: Any) -> None:
    """Two filters with the same name are combined by AND like any others."""
    filters = [{"Name": "state", "Values": [state]} for state in ("enabled", "enabling")]
    assert get_ids(client.describe_fast_launch_images(Filters=filters)) == []


def test_an_image_without_fast_launch_is_omitted(client: Any) -> None:
    """An image id without Fast Launch is not in the answer."""
    answer = client.describe_fast_launch_images(ImageIds=["ami-00000001", "ami-00000009"])
    assert get_ids(answer) == ["ami-00000001"]


@pytest.mark.http
def test_pages_together_are_complete(client: Any) -> None:
    """Every page except the last has a token, and together they have all images."""
    first = client.describe_fast_launch_images(MaxResults=1)
    last = client.describe_fast_launch_images(MaxResults=1, NextToken=first["NextToken"])
    assert get_ids(first) + get_ids(last) == [BARE.image_id, FULL.image_id]
    assert "NextToken" not in last


def test_tokens_are_the_same_in_every_process(client: Any) -> None:
    """Another process makes the same token, so any process can continue with it."""
    token = client.describe_fast_launch_images(MaxResults=1)["NextToken"]
    assert make_token_in_another_process() == token
    assert "ami" not in token


@functools.cache
def make_token_in_another_process() -> str:
    """Return the token after the first image, made by another process."""
    module = "fastlaunch_nb.emulator.fast_launch_backend"
    script = f"from {module} import make_page_token as make; print(make('ami-00000001'))"
    return run(sys.executable, "-c", script, cwd=ROOT).stdout.strip()


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
        ({"MaxResults": 5, "ImageIds": ["ami-00000001"]}, ("InvalidParameterCombination", 400)),
        ({"Filters": [{"Name": "colour", "Values": ["red"]}]}, ("InvalidParameterValue", 400)),
    ],
)
def test_invalid_parameters_are_refused(
    client: Any, parameters: dict[str, Any], expected: tuple[str, int]
) -> None:
    """An invalid request is refused with EC2's code, its HTTP status and a request id."""
    assert get_refusal(lambda: client.describe_fast_launch_images(**parameters)) == expected


# --- EnableFastLaunch and DisableFastLaunch -------------------------------------------


@pytest.mark.parametrize("version", ["1", "2", "$Latest", "$Default"])
@pytest.mark.http
def test_launch_template_versions_are_accepted(client: Any, version: str) -> None:
    """A version that exists is accepted, by number or by EC2's alias."""
    get_backend(ACCOUNT, REGION).add_launch_template("two", 2)
    specification = {"LaunchTemplateName": "two", "Version": version}
    answer = client.enable_fast_launch(ImageId=AMI, LaunchTemplate=specification)
    assert answer["LaunchTemplate"]["Version"] == version


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"ImageId": "i-1"}, "InvalidAMIID.Malformed"),
        ({"ImageId": "ami-00000000000000001"}, "InvalidAMIID.NotFound"),
        ({"ImageId": LINUX}, "InvalidParameterValue"),
        ({"ImageId": AMI, "ResourceType": "volume"}, "InvalidParameterValue"),
        ({"ImageId": AMI, "MaxParallelLaunches": 5}, "InvalidParameterValue"),
        (
            {"ImageId": AMI, "SnapshotConfiguration": {"TargetResourceCount": 0}},
            "InvalidParameterValue",
        ),
        (
            {
                "ImageId": AMI,
                "LaunchTemplate": {
                    "LaunchTemplateId": "lt-0123456789abcdef0",
                    "LaunchTemplateName": "runner",
                    "Version": "1",
                },
            },
            "InvalidParameterCombination",
        ),
        (
            {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateName": "x", "Version": ""}},
            "MissingParameter",
        ),
        ({"ImageId": AMI, "LaunchTemplate": {"Version": "1"}}, "MissingParameter"),
        *(
            (
                {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateName": "two", "Version": wrong}},
                "InvalidLaunchTemplateId.VersionNotFound",
            )
            for wrong in ("0", "3", "99", "abc", "$latest", "01")
        ),
        (
            {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateName": "x", "Version": "1"}},
            "InvalidLaunchTemplateName.NotFoundException",
        ),
        (
            {"ImageId": AMI, "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "1"}},
            "InvalidLaunchTemplateId.NotFound",
        ),
    ],
)
def test_an_invalid_enable_is_refused(client: Any, parameters: dict[str, Any], code: str) -> None:
    """Parameters are validated before anything happens, also in a dry run."""
    get_backend(ACCOUNT, REGION).add_launch_template("two", 2)
    for dry_run in (False, True):
        request = functools.partial(client.enable_fast_launch, **parameters, DryRun=dry_run)
        assert get_refusal(request) == (code, 400), f"DryRun={dry_run}"
    assert to_json_lines(CHANGE_LOG) == ""


@pytest.mark.http
def test_the_state_of_an_image_may_refuse_a_request(client: Any) -> None:
    """An image cannot be disabled without Fast Launch, nor enabled during its clean-up."""

    def get_code(action: Any, **parameters: Any) -> str:
        return get_refusal(lambda: action(ImageId=AMI, **parameters))[0]

    assert get_code(client.disable_fast_launch) == "InvalidParameterValue"
    assert get_code(client.enable_fast_launch, DryRun=True) == "DryRunOperation"
    client.enable_fast_launch(ImageId=AMI)
    assert get_code(client.disable_fast_launch, DryRun=True) == "DryRunOperation"
    client.disable_fast_launch(ImageId=AMI)
    assert get_code(client.enable_fast_launch) == "IncorrectState"
    assert get_code(client.disable_fast_launch) == "IncorrectState"
    states = [change.image.state for change in CHANGE_LOG if change.is_transition]
    assert states == ["enabling", "disabling"]


# --- shared images --------------------------------------------------------------------


@pytest.fixture
def shared_client(client: Any, connect: Connect) -> Any:
    """The client of an account with which another shares one AMI, and one with everybody."""
    get_backend(ACCOUNT, REGION).deregister_image(LINUX)
    for image_id in (SHARED, PUBLIC):
        get_backend(OTHER, REGION).add_windows_image(image_id, name="theirs", owner_id=OTHER)
    change_permission(connect, "Add", SHARED, {"UserId": ACCOUNT})
    change_permission(connect, "Add", PUBLIC, {"Group": "all"})
    return client


def change_permission(
    connect: Connect, operation: str, image_id: str, permission: dict[str, str]
) -> None:
    """Add or remove a launch permission as the owner."""
    owner = connect(account_id=OTHER)
    owner.modify_image_attribute(ImageId=image_id, LaunchPermission={operation: [permission]})


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {AMI, SHARED, PUBLIC}),
        ({"ImageIds": [SHARED]}, {SHARED}),
        ({"Owners": ["self"]}, {AMI}),
        ({"Owners": [OTHER]}, {SHARED, PUBLIC}),
        ({"ExecutableUsers": ["self"]}, {SHARED}),
        ({"ExecutableUsers": [ACCOUNT]}, {SHARED}),
        ({"ExecutableUsers": ["all"]}, {PUBLIC}),
        ({"Filters": [{"Name": "name", "Values": ["theirs"]}]}, {SHARED, PUBLIC}),
    ],
)
def test_describe_images_lists_shared_images(
    shared_client: Any, parameters: dict[str, Any], expected: set[str]
) -> None:
    """DescribeImages lists AMIs that the account owns, AMIs shared with it, and public AMIs."""
    images = shared_client.describe_images(**parameters)["Images"]
    assert {image["ImageId"] for image in images} == expected


def test_a_shared_image_can_be_enabled(shared_client: Any, connect: Connect) -> None:
    """A shared AMI is enabled like an own one, without OwnerId, as long as it is shared."""
    assert "OwnerId" not in shared_client.enable_fast_launch(ImageId=SHARED)
    assert SHARED in get_ids(shared_client.describe_fast_launch_images())
    assert get_ids(connect(account_id=OTHER).describe_fast_launch_images()) == []
    change_permission(connect, "Remove", SHARED, {"UserId": ACCOUNT})
    requests: list[Callable[[], Any]] = [
        lambda: shared_client.enable_fast_launch(ImageId=SHARED),
        lambda: shared_client.describe_images(ImageIds=[SHARED]),
        lambda: connect(region="eu-west-1").enable_fast_launch(ImageId=PUBLIC),
    ]
    assert [get_refusal(it) for it in requests] == [("InvalidAMIID.NotFound", 400)] * 3


# --- assumptions ----------------------------------------------------------------------


def test_tokens_can_have_a_lifetime(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page token never expires unless the assumption is changed."""
    token = client.describe_fast_launch_images(MaxResults=1)["NextToken"]
    CLOCK.advance(days=400)
    assert get_ids(client.describe_fast_launch_images(NextToken=token)) == [FULL.image_id]
    monkeypatch.setattr(assumptions, "TOKEN_LIFETIME", timedelta(days=399))
    request = functools.partial(client.describe_fast_launch_images, NextToken=token)
    assert get_refusal(request) == ("InvalidNextToken", 400)
    with pytest.raises(ClientError, match="has expired"):
        request()


def test_ids_without_fast_launch_can_be_refused(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image id without Fast Launch is refused if the assumption is changed."""
    monkeypatch.setattr(assumptions, "NOT_ENABLED_ID_CODE", "InvalidAMIID.Unavailable")
    request = functools.partial(client.describe_fast_launch_images, ImageIds=["ami-00000009"])
    assert get_refusal(request) == ("InvalidAMIID.Unavailable", 400)


def test_dry_runs_can_skip_validation(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run validates its parameters unless the assumption is changed."""
    monkeypatch.setattr(assumptions, "VALIDATE_BEFORE_DRY_RUN", False)
    requests: list[Callable[[], Any]] = [
        lambda: client.describe_fast_launch_images(MaxResults=1000, DryRun=True),
        lambda: client.enable_fast_launch(ImageId="i-1", DryRun=True),
        lambda: client.disable_fast_launch(ImageId="i-1", DryRun=True),
    ]
    assert [get_refusal(request) for request in requests] == [("DryRunOperation", 412)] * 3


# --- setup ----------------------------------------------------------------------------


def test_launch_templates_have_their_settings(client: Any) -> None:
    """DescribeLaunchTemplateVersions returns each version's settings; unknown ones are refused."""
    settings = {
        "UserData": "aGVsbG8=",
        "DisableApiTermination": True,
        "MetadataOptions": {"HttpEndpoint": "disabled"},
        "InstanceMarketOptions": {"MarketType": "spot"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80}}],
    }
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_launch_template("runner", 2, settings)
    answer = client.describe_launch_template_versions(LaunchTemplateName="runner")
    versions = answer["LaunchTemplateVersions"]
    assert [version["LaunchTemplateData"] for version in versions] == [settings] * 2
    with pytest.raises(ValueError, match=r"Userdata.*Expected settings of LaunchTemplateData"):
        ec2.add_launch_template("wrong", 1, {"Userdata": "x"})


def test_images_can_be_deprecated(client: Any) -> None:
    """DescribeImages returns the deprecation time of an AMI that has one."""
    when = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    get_backend(ACCOUNT, REGION).add_windows_image(
        SHARED, name="old", owner_id=ACCOUNT, deprecation_time=when
    )
    images = client.describe_images(Owners=["self"])["Images"]
    times = {image["ImageId"]: image.get("DeprecationTime") for image in images}
    assert times == {AMI: None, LINUX: None, SHARED: "2027-01-02T03:04:05.000Z"}


def list_snapshots(client: Any) -> list[str]:
    """Return the ids of the snapshots that Fast Launch created."""
    snapshots = client.describe_snapshots(Filters=CREATED, OwnerIds=["self"])["Snapshots"]
    return [snapshot["SnapshotId"] for snapshot in snapshots]


@pytest.mark.http
def test_fast_launch_outlives_its_ami(client: Any) -> None:
    """Fast Launch continues for a deregistered AMI; deregistering an unknown AMI is refused."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    ec2.deregister_image(AMI)
    images = client.describe_images(Owners=["self"])["Images"]
    assert [image["ImageId"] for image in images] == [LINUX]
    answer = client.describe_fast_launch_images(ImageIds=[AMI])
    assert answer["FastLaunchImages"][0]["State"] == "enabled"
    assert len(list_snapshots(client)) == 5
    with pytest.raises(EC2ClientError, match=f"'.{AMI}.' is no longer available"):
        ec2.deregister_image(AMI)
    client.disable_fast_launch(ImageId=AMI)
    CLOCK.advance(minutes=10)
    assert list_snapshots(client) == []


def test_snapshots_can_be_orphaned(client: Any) -> None:
    """Abandoned Fast Launch disappears without an event, and its snapshots remain with tags."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.enable_fast_launch(AMI)
    CLOCK.advance(minutes=30)
    snapshots, events = ec2.lives[AMI].snapshots, to_json_lines(CHANGE_LOG)
    ec2.abandon(AMI)
    CLOCK.advance(hours=5)
    assert AMI not in get_ids(client.describe_fast_launch_images())
    assert list_snapshots(client) == snapshots
    (snapshot, *_) = client.describe_snapshots(Filters=CREATED)["Snapshots"]
    assert snapshot["Description"] == f"This is Fast Launch snapshot for image {AMI}"
    assert (snapshot["VolumeSize"], snapshot["State"]) == (50, "completed")
    assert to_json_lines(CHANGE_LOG) == events
    assert CHANGE_LOG[-1].image.state == DISABLED
    client.run_instances(ImageId=AMI, MinCount=1, MaxCount=1)
    (volume,) = client.describe_volumes()["Volumes"]
    (image,) = client.describe_images(ImageIds=[AMI])["Images"]
    assert volume["SnapshotId"] == image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    with pytest.raises(ValueError, match=f"{AMI} does not have Fast Launch in {REGION}"):
        ec2.abandon(AMI)
