"""The running demo: the environment that it owns and restores, seeds, ports, faults."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.threads import DaemonExecutor
from tests.helpers.cases import some
from tests.helpers.processes import LIMIT
from tests.helpers.samples import run_python

SCRIPT = """
import sys, boto3, fastlaunch_nb as fl
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines

RESOURCES = (
    "fast_launch_images",
    "images",
    "snapshots",
    "launch_templates",
    "regions",
    "volumes",
    "network_interfaces",
)

def call(client, operation, **parameters):
    client.meta.events.register("before-parse", lambda response_dict, **_: print(response_dict))
    getattr(client, operation)(**parameters)

with fl.demo(int(sys.argv[1])) as demo:
    for profile in demo.accounts.values():
        for region in demo.regions:
            session = boto3.Session(profile_name=profile)
            for resource in RESOURCES:
                call(session.client("ec2", region_name=region), f"describe_{resource}")
            call(session.client("kms", region_name=region), "list_keys")
            group = session.client("autoscaling", region_name=region)
            call(group, "describe_auto_scaling_groups")
    for operation in ("list_accounts", "list_roots"):
        call(demo.session.client("organizations"), operation)
    [root] = demo.session.client("organizations").list_roots()["Roots"]
    for operation in ("list_organizational_units_for_parent", "list_accounts_for_parent"):
        call(demo.session.client("organizations"), operation, ParentId=root["Id"])
    print(to_json_lines(CHANGE_LOG))
    for frame in demo.history:
        print(frame.to_csv())
"""


@pytest.mark.deep
def test_a_seed_gives_the_same_bytes_in_every_process() -> None:
    """Every answer, headers included, follows from the seed, and differs with another seed."""

    def run_script(**variables: str) -> str:
        command = [sys.executable, "-c", SCRIPT, "7"]
        env = {**os.environ, **variables}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    output = run_script(PYTHONHASHSEED="1", TZ="UTC")
    assert run_script(PYTHONHASHSEED="2", TZ="Asia/Tokyo") == output
    times = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+", output)
    assert len(times) > 500
    assert max(times) <= "2026-01-15T12:00:00.000"  # so no time is the wall clock's
    with fl.demo(8):
        image_ids = some(fl.describe()["image_id"])
        assert [image_id for image_id in image_ids if image_id in output] == []


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_garbage_collector_is_restored(is_enabled: bool) -> None:
    """While the demo runs, garbage collection is on or off as before, with nothing frozen."""
    was_enabled = gc.isenabled()
    try:
        (gc.enable if is_enabled else gc.disable)()
        with fl.demo() as demo:
            assert gc.isenabled() is is_enabled
            assert len(demo.history.coverage)
            assert (gc.isenabled(), gc.get_freeze_count()) == (is_enabled, 0)
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_the_environment_is_owned_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo removes everything that leads boto3 elsewhere, and restores it when it stops."""
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


def test_the_session_never_uses_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session has keys and an account of its own, and is not available after the demo."""
    with fl.demo() as demo:
        session = demo.session
        boto3.setup_default_session(profile_name="game-servers")
        assert fl.describe(demo.session)["account_id"].unique().tolist() == ["123456789012"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert session.get_credentials().access_key == "demo"
    with pytest.raises(fl.FastLaunchError, match=r"has stopped.*: fastlaunch_nb\.demo\(\)"):
        demo.session  # noqa: B018


def test_a_failed_start_restores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo that cannot start leaves the environment as it was."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    before = dict(os.environ)
    with fl.demo() as first:
        port = int(first.endpoint_url.rsplit(":", 1)[1])
        first_environment = dict(os.environ)
        assert first_environment != before
        with pytest.raises(fl.InputError, match=f"port {port} cannot be used"):
            Demo(0, port)
        assert dict(os.environ) == first_environment
    assert dict(os.environ) == before


@pytest.mark.parametrize("port", [-1, 70000, "8000"])
def test_an_invalid_port_is_refused(port: Any) -> None:
    """A port out of range or of the wrong type raises InputError."""
    with pytest.raises(fl.InputError, match="port is"):
        fl.demo(port=port)


def test_another_start_replaces_the_first() -> None:
    """A new demo replaces the running one, which stays stopped."""
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


def test_a_demo_does_not_start_while_a_sweep_runs(demo: Demo) -> None:
    """A demo that starts while a sweep runs is refused, and changes nothing."""
    before = dict(os.environ)
    refused: list[str] = []

    def start_another(_done: int, _total: int) -> None:
        with pytest.raises(fl.InputError) as error:
            fl.demo()
        refused.append(str(error.value))

    swept = fl.sweep(demo.session, regions=demo.regions, progress=start_another)
    assert swept.failures.empty
    assert {message.partition(" in this")[0] for message in refused} == {"A sweep is running"}
    assert dict(os.environ) == before
    with fl.demo() as other:
        assert len(fl.describe(other.session))


def test_a_demo_does_not_start_inside_of_mock_aws() -> None:
    """moto's mock_aws would answer in place of the demo, which says so."""
    before = dict(os.environ)
    with mock_aws(), pytest.raises(fl.InputError, match="mock_aws is active"):
        fl.demo()
    assert dict(os.environ) == before


def test_a_demo_that_mock_aws_emptied_says_so(demo: Demo) -> None:
    """After mock_aws, every read fails with a sentence, in place of a fleet without images."""
    with mock_aws():
        pass
    with pytest.raises(fl.ReadError, match="mock_aws has emptied the demo"):
        fl.describe(demo.session)
    coverage = fl.sweep(demo.session, regions=demo.regions, progress=False).coverage
    assert set(coverage["status"]) == {"failed"}


def test_the_clock_moves_what_is_observed(demo: Demo) -> None:
    """Advancing the clock moves observed_at, and finishes what was enabling."""
    first = fl.describe(region="eu-west-1")
    demo.clock.advance(hours=6)
    second = fl.describe(region="eu-west-1")
    assert second["observed_at"].min() - first["observed_at"].min() == timedelta(hours=6)
    assert "enabling" in set(first["state"])
    assert "enabling" not in set(second["state"])


def test_faults_last_as_long_as_the_demo() -> None:
    """Faults are on while the demo runs and off afterwards; an invalid fault is refused by name."""
    with fl.demo(faults={"unauthorized": ["123456789012"]}):
        with pytest.raises(fl.ReadError, match="Allow the IAM action"):
            fl.describe()
        assert len(fl.describe(boto3.Session(profile_name="game-servers"))) > 0
    with fl.demo():
        assert len(fl.describe()) > 0
    for wrong in ({"throttle": 1}, {"throttle_rate": 30}):
        with pytest.raises(fl.InputError, match=r"faults: .*throttle"):
            fl.demo(faults=wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.parametrize(
    "end", ["exit", *(pytest.param(end, marks=pytest.mark.deep) for end in ("stop", "another"))]
)
def test_a_fork_leaves_the_demo_to_its_parent(end: str) -> None:
    """However a fork ends, it does not hang, and the parent's demo works as before."""
    script = f"""
import gc, os, sys, fastlaunch_nb as fl
demo = fl.demo()
child = os.fork()
if child == 0:
    rows = len(fl.describe())
    if {end!r} == "stop":
        demo.stop()
    elif {end!r} == "another":
        with fl.demo():
            rows = len(fl.describe())
    sys.exit(rows)
rows = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
demo.clock.advance(hours=1)
print(rows, len(fl.describe()), os.path.exists(os.environ["AWS_CONFIG_FILE"]))
folder = os.path.dirname(os.environ["AWS_CONFIG_FILE"])
demo.stop()
print(os.path.exists(folder))
"""
    first, second = run_python(script).splitlines()
    rows, own, has_profiles = first.split()
    assert int(rows) == int(own) > 0
    assert (has_profiles, second) == ("True", "False")


def test_demos_that_start_at_once_follow_one_another() -> None:
    """Of demos that threads start at the same time, the last one runs, and none is half made."""
    with DaemonExecutor() as executor:
        started = [executor.submit(fl.demo, seed) for seed in range(3)]
        demos = [future.result(LIMIT) for future in started]
    [running] = [demo for demo in demos if demo._session is not None]
    try:
        assert os.environ["AWS_ENDPOINT_URL"] == running.endpoint_url
        assert len(fl.describe()) > 0
    finally:
        running.stop()
    assert "AWS_ENDPOINT_URL" not in os.environ


def test_an_empty_host_is_an_input_error() -> None:
    """An empty address, which a socket takes for every one, starts nothing and changes nothing."""
    before = dict(os.environ)
    with pytest.raises(fl.InputError, match="host is ''"):
        fl.demo(host="")
    assert dict(os.environ) == before
