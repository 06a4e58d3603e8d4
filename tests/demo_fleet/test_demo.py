"""The demo: what it owns and puts back, and that the same seed is the same fleet."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.demo_fleet.sample_history import Denial, looks
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from fastlaunch_nb.emulator.clock import Clock
from fastlaunch_nb.emulator.faults import inject_faults
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.schema.columns import API_STATES, COVERAGE, EVENTS, EXAMPLE_ACCOUNTS, KEY
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.samples import ROOT, run


def fleet(demo: Demo) -> pd.DataFrame:
    """Return all images of the demo."""
    frames = [
        fl.describe(boto3.Session(profile_name=profile), region=region)
        for profile in demo.accounts.values()
        for region in demo.regions
    ]
    return pd.concat(frames, ignore_index=True)


def test_the_fleet(demo: Demo) -> None:
    """Two accounts, three regions, 42 images, all six states, nulls included."""
    images = fleet(demo)
    assert set(images["account_id"]) == set(demo.accounts) < EXAMPLE_ACCOUNTS
    assert set(images["region"]) == set(demo.regions)
    assert len(images) == demo.images == 42
    assert set(images["state"]) == set(API_STATES)
    for column in ("owner_id", "target_resource_count", "launch_template_name"):
        assert 0 < images[column].isna().sum() < len(images)
    assert not images.duplicated(list(KEY)).any()


def test_a_shared_image(demo: Demo) -> None:
    """One AMI is build-farm's, and Fast Launch of it game-servers': AWS leaves its owner out."""
    images = fleet(demo)
    [shared] = images[images["owner_id"].isna()].to_dict("records")
    assert demo.accounts[shared["account_id"]] == "game-servers"
    user = boto3.Session(profile_name="game-servers").client("ec2", region_name=shared["region"])
    [ami] = user.describe_images(ExecutableUsers=["self"])["Images"]
    assert ami["ImageId"] == shared["image_id"]
    assert demo.accounts[ami["OwnerId"]] == "build-farm"
    owned = images.dropna(subset="owner_id")
    assert owned["owner_id"].tolist() == owned["account_id"].tolist() != []


def test_launch_templates_have_their_versions(demo: Demo) -> None:
    """The version that an image was enabled with is one of its template's."""
    images = fleet(demo).dropna(subset="launch_template_id")
    for image in some(images.drop_duplicates("launch_template_id").to_dict("records")):
        session = boto3.Session(profile_name=demo.accounts[image["account_id"]])
        ec2 = session.client("ec2", region_name=image["region"])
        asked = {"LaunchTemplateName": image["launch_template_name"]}
        found = ec2.describe_launch_template_versions(**asked)["LaunchTemplateVersions"]
        assert {version["LaunchTemplateId"] for version in found} == {image["launch_template_id"]}
        same = images["launch_template_id"] == image["launch_template_id"]
        used = set(images.loc[same, "launch_template_version"])
        assert used <= {str(version["VersionNumber"]) for version in found}


def test_images_have_names(demo: Demo) -> None:
    """DescribeImages, on the same endpoint, names every image but one that is deregistered."""
    images = fl.describe(region="eu-west-1")
    amis = demo.session.client("ec2", region_name="eu-west-1").describe_images(Owners=["self"])
    names = {ami["ImageId"]: ami["Name"] for ami in amis["Images"]}
    assert set(names) < set(images["image_id"])
    assert len(names) == len(images) - 1
    assert {name[:3] for name in names.values()} == {"win"}


SCRIPT = """
import sys, boto3, fastlaunch_nb as fl
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines

WHAT = ("fast_launch_images", "images", "snapshots", "launch_templates", "regions")

def ask(client, operation, **parameters):
    client.meta.events.register("before-parse", lambda response_dict, **_: print(response_dict))
    getattr(client, operation)(**parameters)

with fl.demo(int(sys.argv[1])) as demo:
    for profile in demo.accounts.values():
        for region in demo.regions:
            session = boto3.Session(profile_name=profile)
            for what in WHAT:
                ask(session.client("ec2", region_name=region), f"describe_{what}")
    for operation in ("list_accounts", "list_roots"):
        ask(demo.session.client("organizations"), operation)
    [root] = demo.session.client("organizations").list_roots()["Roots"]
    for operation in ("list_organizational_units_for_parent", "list_accounts_for_parent"):
        ask(demo.session.client("organizations"), operation, ParentId=root["Id"])
    print(to_json_lines(CHANGE_LOG))
    for frame in demo.history:
        print(frame.to_csv())
"""


@pytest.mark.deep
def test_the_same_seed_is_the_same_in_every_process() -> None:
    """Every kind of answer, headers and all, is the same byte for byte; another seed's is not."""

    def told(**variables: str) -> str:
        command = [sys.executable, "-c", SCRIPT, "7"]
        env = {**os.environ, **variables}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    here = told(PYTHONHASHSEED="1", TZ="UTC")
    assert told(PYTHONHASHSEED="2", TZ="Asia/Tokyo") == here
    times = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+", here)
    assert len(times) > 500
    assert max(times) <= "2026-01-15T12:00:00.000"  # none is the wall clock's
    with fl.demo(8):
        assert [image_id for image_id in some(fl.describe()["image_id"]) if image_id in here] == []


@pytest.mark.parametrize("wanted", [True, False])
def test_the_garbage_collector_is_as_it_was(wanted: bool) -> None:
    """It waits while the demo starts, and then collects, or does not, as before."""
    before = gc.isenabled()
    try:
        (gc.enable if wanted else gc.disable)()
        with fl.demo() as demo:
            assert gc.isenabled() is wanted
            assert len(demo.history.coverage)
            assert (gc.isenabled(), gc.get_freeze_count()) == (wanted, 0)
    finally:
        (gc.enable if before else gc.disable)()


def test_it_owns_and_restores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that leads boto3 elsewhere is taken away while it runs, and put back after."""
    mine = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_ENDPOINT_URL_EC2": "https://ec2.example.com",
        "AWS_CONFIG_FILE": "/home/me/.aws/config",
        "MOTO_ACCOUNT_ID": "999999999999",
        "HTTPS_PROXY": "http://proxy.example.com:3128",
        "https_proxy": "http://proxy.example.com:3128",
    }
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with fl.demo() as demo:
        assert boto3.DEFAULT_SESSION is None
        assert not mine.items() & os.environ.items()
        assert os.environ["AWS_ENDPOINT_URL"] == demo.endpoint_url
        assert boto3.client("ec2").meta.endpoint_url == demo.endpoint_url
        assert len(fl.describe()) > 0
        folder = os.path.dirname(os.environ["AWS_CONFIG_FILE"])
    assert dict(os.environ) == before
    assert boto3.DEFAULT_SESSION is session
    assert not os.path.exists(folder)


def test_its_session_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's session keeps the demo's keys and account, and is not to be had after the end."""
    with fl.demo() as demo:
        session = demo.session
        boto3.setup_default_session(profile_name="game-servers")
        assert fl.describe(demo.session)["account_id"].unique().tolist() == ["123456789012"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert session.get_credentials().access_key == "demo"
    with pytest.raises(fl.FastLaunchError, match="has stopped"):
        demo.session  # noqa: B018


def test_a_failed_start_restores_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo that can not start leaves the environment as it was."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    before = dict(os.environ)
    with fl.demo() as first:
        taken = int(first.endpoint_url.rsplit(":", 1)[1])
        first_environment = dict(os.environ)
        assert first_environment != before
        with pytest.raises(fl.InputError, match="port"):
            Demo(0, taken)
        assert dict(os.environ) == first_environment
    assert dict(os.environ) == before


@pytest.mark.parametrize("port", [-1, 70000, "8000"])
def test_wrong_port(port: Any) -> None:
    """A port that can not be one is refused."""
    with pytest.raises(fl.InputError, match="port is"):
        fl.demo(port=port)


def test_another_start_replaces_the_first() -> None:
    """Running the cell again is fine: the new demo replaces the old one, which stays stopped."""
    before = dict(os.environ)
    first = fl.demo(1)
    second = fl.demo(2)
    try:
        first.stop()
        assert os.environ["AWS_ENDPOINT_URL"] == second.endpoint_url
        assert len(fl.describe()) > 0
    finally:
        second.stop()
        second.stop()
    assert dict(os.environ) == before


def test_the_clock_moves_what_is_observed(demo: Demo) -> None:
    """Advancing the clock is seen in observed_at, and in what was on its way."""
    first = fl.describe(region="eu-west-1")
    demo.clock.advance(hours=6)
    second = fl.describe(region="eu-west-1")
    assert second["observed_at"].min() - first["observed_at"].min() == timedelta(hours=6)
    assert "enabling" in set(first["state"])
    assert "enabling" not in set(second["state"])


# --- its past -------------------------------------------------------------------------


def test_history_is_a_week(demo: Demo) -> None:
    """Looks six hours apart, of which three are denied; images that went; every state there is."""
    observations, coverage, events = demo.history
    looks = coverage["observed_at"].drop_duplicates()
    assert len(looks) == 29
    assert (looks.max(), looks.max() - looks.min()) == (demo.clock.now(), timedelta(days=7))
    assert len(coverage) == 29 * 6
    assert coverage["status"].value_counts().to_dict() == {"complete": 171, "failed": 3}
    assert list(coverage) == [column.name for column in COVERAGE]
    assert coverage["rows"].sum() == len(observations)
    assert observations.dtypes.equals(empty_images().dtypes)
    assert list(events) == [column.name for column in EVENTS]
    assert set(events["state"]) == {*API_STATES, "disabled"}
    assert events["observed_at"].is_monotonic_increasing
    gone = set(observations["image_id"]) - set(fleet(demo)["image_id"])
    assert set(events[events["state"] == "disabled"]["image_id"]) == gone
    assert len(gone) == 3


def test_history_is_as_fine_as_real_reads(demo: Demo) -> None:
    """Where the clock shows a fraction of a second, a look has whole ones, as AWS's clock does."""
    demo.clock.advance(seconds=90.25)
    for rows in (demo.history.observations, demo.history.coverage):
        assert set(rows["observed_at"].dt.microsecond) == {0}
    assert demo.history.observations["observed_at"].max() == fl.describe()["observed_at"].max()


def test_history_of_a_quiet_week(demo: Demo) -> None:
    """A week in which nothing happened has no events, with the columns that events have."""
    before = demo.history.events
    demo.clock.advance(days=30)
    _, coverage, events = demo.history
    assert len(coverage) == 29 * 6
    assert set(coverage["status"]) == {"complete"}
    assert len(events) == 0 < len(before)
    pd.testing.assert_frame_equal(events, before.head(0), check_index_type=False)


def test_history_is_what_real_sweeps_see(demo: Demo) -> None:
    """Over a window in which much happens, and is denied, it is what sweeps over HTTP give."""
    ec2 = demo.session.client("ec2", region_name="us-east-1")
    images = fl.describe(region="us-east-1")
    settled = images.loc[images["state"] == "enabled", "image_id"].tolist()
    get_backend("123456789012", "us-east-1").break_preparation(settled[1])
    elsewhere = demo.session.client("ec2", region_name="sa-east-1")
    get_backend("123456789012", "sa-east-1").add_windows_image(
        "ami-0123456789abcdef0", name="new", owner_id="123456789012"
    )
    sweeps, times = [], []
    start, end = (demo.clock.now() + timedelta(minutes=minutes) for minutes in (14, 35))
    denial = Denial("123456789012", "us-east-1", start, end)
    for number in range(8):
        if number == 1:
            ec2.disable_fast_launch(ImageId=settled[0])
            ec2.enable_fast_launch(
                ImageId=settled[1], SnapshotConfiguration={"TargetResourceCount": 60}
            )
            elsewhere.enable_fast_launch(ImageId="ami-0123456789abcdef0")
        times.append(demo.clock.now())
        sweeps += [*swept(demo, denial)]
        demo.clock.advance(minutes=7)
    seen, covered = looks(CHANGE_LOG, times, denial)
    assert seen["state"].nunique() == 6
    assert covered["error_code"].dropna().tolist() == ["UnauthorizedOperation"] * 3
    said = [*covered.dropna(axis="columns", how="all").drop(columns="sweep_id")]
    for made, what, columns in ((seen, "images", [*seen]), (covered, "coverage", said)):
        real = pd.concat([getattr(sweep, what) for sweep in sweeps])[columns]
        order = [name for name in ("observed_at", *KEY) if name in columns]
        one, other = (rows.sort_values(order, ignore_index=True) for rows in (real, made[columns]))
        pd.testing.assert_frame_equal(one, other, check_flags=False)


def swept(demo: Demo, denial: Denial) -> Iterator[fl.Sweep]:
    """Yield sweeps that together read each place the journal knows of; one may be denied now."""
    now = demo.clock.now()
    for account_id, profile in demo.accounts.items():
        there = {change.region for change in CHANGE_LOG if change.account_id == account_id}
        is_denied = account_id == denial.account_id and denial.start <= now < denial.end
        denied = there & {denial.region} if is_denied else set()
        for regions, unauthorized in ((denied, [account_id]), (there - denied, [])):
            with inject_faults(unauthorized=unauthorized):
                if regions:
                    target = fl.targets(profiles=[profile])
                    yield fl.sweep(target, regions=regions, progress=False)


RETRIED, SLOW = "win2022-gitlab-runner-2025.11", "win2025-game-server-2026.01"
GONE = {  # images of win2019-legacy-lobby-2025.09, which is deregistered
    "ap-southeast-2": "ami-ad138d1508557716a",
    "eu-west-1": "ami-c73f660d8e9f41cc0",
    "us-east-1": "ami-d79c147c719a5711b",
}


def test_the_week_tells_a_story(demo: Demo) -> None:
    """What the history's docstring tells is there: in looks, and to the second with events."""
    seen, covered, events = demo.history
    amis = {
        ami.name: image_id
        for account_id in demo.accounts
        for image_id, ami in get_backend(account_id, "us-east-1").amis.items()
    }
    looks = lives(fl.intervals(seen, covered))
    both = lives(fl.intervals(pd.concat([seen, events], ignore_index=True), covered))
    failed = "enabling 09 11:24, enabling-failed 09 11:54, enabling 09 18:24, enabled 09 18:54"
    assert looks[amis[RETRIED]] == "enabling-failed 09 11:54, enabled 09 18:54"
    assert both[amis[RETRIED]] == failed
    for told in (looks, both):
        assert told[amis[SLOW]] == "enabling 12 03:05, enabled 12 17:05"
        assert {name for name in told if "unknown" in told[name]} == {GONE["us-east-1"]}
    assert looks[GONE["us-east-1"]].endswith(", unknown 13 00:00, absent 13 18:00")
    for region, when in {"ap-southeast-2": "11 10:", "eu-west-1": "12 11:"}.items():
        assert re.search(r"enabled [^,]+, absent [^,]+$", looks[GONE[region]])
        assert re.search(rf"disabling {when}.., disabled {when}..$", both[GONE[region]])
    assert ", disabling 13 04:00, disabled 13 04:10, unknown" in both[GONE["us-east-1"]]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_seed_has_a_gap(seed: int) -> None:
    """Whatever the seed, the looks that were denied leave unknown when an image was disabled."""
    with fl.demo(seed) as demo:
        told = lives(fl.intervals(*demo.history[:2]))
    assert any(story.endswith(", unknown 13 00:00, absent 13 18:00") for story in told.values())


def lives(intervals: pd.DataFrame) -> dict[str, str]:
    """Return the life of each image in words: its states, and the day and time of each."""
    words = intervals["state"] + intervals["start"].dt.strftime(" %d %H:%M")
    return dict(words.groupby(intervals["image_id"]).agg(", ".join))


def test_events_are_notifications(demo: Demo) -> None:
    """Other processes read the events over HTTP, a notification a line, as AWS writes it."""
    lines = fetched(demo, "events").splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    first = events[0]
    arn = f"arn:aws:ec2:{first['region']}:{first['account']}:image/{first['detail']['imageId']}"
    assert first["resources"] == [arn]
    assert first["detail-type"] == "EC2 Fast Launch State-change Notification"
    assert list(first["detail"]) == ["imageId", "resourceType", "state", "stateTransitionReason"]
    told = demo.history.events
    assert [event["id"] for event in events][-len(told) :] == told["event_id"].tolist()


def test_other_processes_move_the_clock(demo: Demo) -> None:
    """Time is read and moved over HTTP; a wrong duration is refused and moves nothing."""
    before = demo.clock.now()
    assert json.loads(fetched(demo, "clock")) == {"now": before.isoformat()}
    fetched(demo, "clock", {"hours": 6})
    assert demo.clock.now() == before + timedelta(hours=6)
    for wrong in ({"hours": -1}, {"parsecs": 1}, 5):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            fetched(demo, "clock", wrong)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(demo, "nonsense")
    assert demo.clock.now() == before + timedelta(hours=6)


def test_curl_of_readme(demo: Demo, tmp_path: Path) -> None:
    """What README does with curl gives what README shows; the events are all there are."""
    [block] = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if not shutil.which("curl"):
        pytest.skip("There is no curl here.")
    for command, expected in some(re.findall(r"\$ (.+)\n([^$]*)", block)):
        assert run("sh", "-c", command, cwd=tmp_path).stdout.strip() == expected.strip(), command
    told = (tmp_path / "events.jsonl").read_text()
    assert told == to_json_lines(CHANGE_LOG)


def fetched(demo: Demo, page: str, content: object = None) -> str:
    """Return one of the embedded EC2's own pages; content is posted."""
    body = None if content is None else json.dumps(content).encode()
    address = f"{demo.endpoint_url}/fastlaunch/{page}"
    with urllib.request.urlopen(address, body) as answer:  # noqa: S310
        return str(answer.read().decode())


# --- its accounts and regions ---------------------------------------------------------


def test_the_organization(demo: Demo) -> None:
    """Its accounts are listed, those without images too; a role leads into each of the others."""
    listed = demo.session.client("organizations").list_accounts()["Accounts"]
    assert {account["Id"] for account in listed} == EXAMPLE_ACCOUNTS
    status = {account["Name"]: account["Status"] for account in listed}
    active = dict.fromkeys(("build-farm", "game-servers", "sandbox"), "ACTIVE")
    assert status == {**active, "retired": "SUSPENDED"}
    joined = [account["JoinedTimestamp"] for account in listed]
    assert max(joined) <= min(change.time for change in CHANGE_LOG)
    sts = demo.session.client("sts")
    for account_id in some(demo.accounts):
        role = f"arn:aws:iam::{account_id}:role/demo"
        keys = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        assert fl.describe(session)["account_id"].unique().tolist() == [account_id]


def test_the_units_of_the_organization(demo: Demo) -> None:
    """From the root, units lead to their accounts, each of which is in one place."""
    client = demo.session.client("organizations")
    [root] = client.list_roots()["Roots"]

    def accounts(parent_id: str) -> list[str]:
        found = client.list_accounts_for_parent(ParentId=parent_id)["Accounts"]
        return [account["Name"] for account in found]

    below = client.list_organizational_units_for_parent(ParentId=root["Id"])["OrganizationalUnits"]
    tree = {unit["Name"]: accounts(unit["Id"]) for unit in below}
    assert tree == {"Production": ["build-farm", "game-servers"], "Sandbox": ["sandbox", "retired"]}
    assert accounts(root["Id"]) == []


def test_a_region_that_is_not_opted_in(demo: Demo) -> None:
    """DescribeRegions says which are not; such a region answers AuthFailure, as EC2 does."""
    regions = demo.session.client("ec2").describe_regions(AllRegions=True)["Regions"]
    status = {region["RegionName"]: region["OptInStatus"] for region in regions}
    assert status["ap-east-1"] == "not-opted-in"
    assert {status[region] for region in demo.regions} == {"opt-in-not-required"}
    with pytest.raises(fl.ReadError, match="get-region-opt-status") as caught:
        fl.describe(region="ap-east-1")
    assert caught.value.code == "AuthFailure"


def test_a_region_that_is_none(demo: Demo, caplog: pytest.LogCaptureFixture) -> None:
    """A region that AWS does not have is refused as cleanly; nothing breaks in the embedded EC2."""
    with pytest.raises(fl.ReadError, match="AuthFailure") as caught:
        fl.describe(region="xx-nowhere-1")
    assert caught.value.code == "AuthFailure"
    assert "Traceback" not in caplog.text


def test_faults_of_the_demo() -> None:
    """Faults are on while the demo runs, and off after it; one that is none is refused by name."""
    with fl.demo(faults={"unauthorized": ["123456789012"]}):
        with pytest.raises(fl.ReadError, match="Allow the IAM action"):
            fl.describe()
        assert len(fl.describe(boto3.Session(profile_name="game-servers"))) > 0
    with fl.demo():
        assert len(fl.describe()) > 0
    for wrong in ({"throttle": 1}, {"throttle_rate": 30}):
        with pytest.raises(fl.InputError, match=r"faults: .*throttle"):
            fl.demo(faults=wrong)


def test_its_clock_can_run() -> None:
    """With real time what is due happens by itself; here a counter stands for the seconds."""
    seconds = 0.0
    clock = Clock(counter=lambda: seconds)
    happened: list[datetime] = []
    clock.at(clock.now() + timedelta(minutes=2), lambda: happened.append(clock.now()))
    start = clock.now()
    clock.run(speed=60)
    seconds = 1.5
    assert (clock.now() - start, happened) == (timedelta(seconds=90), [])
    seconds = 3
    assert clock.now() - start == timedelta(minutes=3)
    assert happened == [start + timedelta(minutes=2)]
    clock.run(speed=0)
    seconds = 99
    assert clock.now() - start == timedelta(minutes=3)
    with pytest.raises(ValueError, match="speed is -1"):
        clock.run(-1)
