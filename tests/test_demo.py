"""The demo: what it owns and puts back, and that the same seed is the same fleet."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb import frame
from fastlaunch_nb.demo import Demo


def fleet(demo: Demo) -> pd.DataFrame:
    """Return all images of the demo."""
    frames = [
        fl.describe(boto3.Session(profile_name=profile), region=region)
        for profile in demo.accounts.values()
        for region in demo.regions
    ]
    return pd.concat(frames, ignore_index=True)


def test_the_fleet(demo: Demo) -> None:
    """Two accounts, three regions, about 40 images, all six states, nulls included."""
    images = fleet(demo)
    assert set(images["account_id"]) == set(demo.accounts) == frame.EXAMPLE_ACCOUNTS
    assert set(images["region"]) == set(demo.regions)
    assert 38 <= len(images) <= 44
    assert set(images["state"]) == set(frame.API_STATES)
    for column in ("owner_id", "target_resource_count", "launch_template_name"):
        assert 0 < images[column].isna().sum() < len(images)
    assert not images.duplicated(list(frame.KEY)).any()


def test_images_have_names(demo: Demo) -> None:
    """DescribeImages, on the same endpoint, names every image."""
    images = fl.describe(region="eu-west-1")
    amis = demo.session.client("ec2", region_name="eu-west-1").describe_images(Owners=["self"])
    names = {ami["ImageId"]: ami["Name"] for ami in amis["Images"]}
    assert set(names) == set(images["image_id"])
    assert all(name.startswith("win") for name in names.values())


def test_the_same_seed_is_the_same_fleet_in_every_process() -> None:
    """Another process with the same seed has the same rows; another seed has others."""
    script = (
        "import sys, fastlaunch_nb as fl\n"
        "with fl.demo(int(sys.argv[1])):\n"
        "    print(fl.describe(region='eu-west-1').to_csv())\n"
    )

    def made(seed: str) -> str:
        command = [sys.executable, "-c", script, seed]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with fl.demo(7):
        here = fl.describe(region="eu-west-1").to_csv().strip()
    assert made("7") == here
    with fl.demo(8):
        assert fl.describe(region="eu-west-1").to_csv().strip() != here


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
    first.stop()
    assert os.environ["AWS_ENDPOINT_URL"] == second.endpoint_url
    assert len(fl.describe()) > 0
    second.stop()
    second.stop()
    assert dict(os.environ) == before


def test_the_clock_moves_what_is_observed(demo: Demo) -> None:
    """Advancing the clock is seen in observed_at, and nowhere else."""
    first = fl.describe()
    demo.clock.advance(hours=6)
    second = fl.describe()
    assert (second["observed_at"] - first["observed_at"]).unique().tolist() == [timedelta(hours=6)]
    pd.testing.assert_frame_equal(
        first.drop(columns="observed_at"), second.drop(columns="observed_at")
    )
