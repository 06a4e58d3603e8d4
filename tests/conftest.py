"""What tests share: an embedded EC2, a running demo, a small zoo of items, a browser."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import kaleido
import pandas as pd
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from hypothesis import HealthCheck, Phase, settings
from moto import mock_aws
from playwright.sync_api import Browser, Dialog, Page

import fastlaunch_nb as fl
from fastlaunch_nb import emulator
from fastlaunch_nb.demo_fleet.demo import Demo

from .browser import find, launched, opened
from .cases import case_id
from .processes import restore_signals
from .scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401

settings.register_profile(
    "deep",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # laws begin by forgetting all
)
settings.register_profile(  # shrinking takes minutes
    "quick", settings.get_profile("deep"), max_examples=6, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("quick")

restore_signals()

if found := find():
    os.environ["BROWSER_PATH"] = found  # for Kaleido, here and in the kernels of notebooks

ROOT = Path(__file__).parent.parent
ACCOUNT, REGION = "123456789012", "us-east-1"
SINCE = datetime(2026, 1, 14, 9, 30, 15, 552000, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def _read_service_models_once() -> Iterator[None]:
    """Share one loader among all sessions of botocore, so that each model is parsed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(create_loader))
        yield


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name each case by its value."""
    return case_id(val, argname)


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Tests see no AWS account of the person who runs them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no terminal of the person who runs them, nor the make that does."""
    monkeypatch.setenv("COLUMNS", "80")
    terminals = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    for name in (*terminals, "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The embedded EC2 in-process: one account and region, empty."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    emulator.install()
    with mock_aws():
        emulator.forget_everything()
        yield emulator.backend(ACCOUNT, REGION)


Connect = Callable[..., Any]


@pytest.fixture(params=["in-process", "http"])
def connect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Make plain boto3 clients, of EC2 unless told, of an empty embedded EC2, by either way."""
    server = None
    if request.param == "in-process":
        request.getfixturevalue("ec2")
    else:
        monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        server = emulator.Server()
        emulator.forget_everything()
    endpoint = server.endpoint_url if server else None

    def client(service: str = "ec2", account_id: str = ACCOUNT, region: str = REGION) -> Any:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        made = boto3.client(service, region_name=region, endpoint_url=endpoint, **keys)
        made.meta.events.register(
            "before-sign",
            lambda request, **_: request.headers.add_header("x-moto-account-id", account_id),
        )
        return made

    yield client
    if server:
        server.stop()


@pytest.fixture
def demo() -> Iterator[Demo]:
    """The demo, over HTTP."""
    with fl.demo() as running:
        yield running


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local Spark, on this machine only, in a time zone that is not UTC."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=f"{home}/bin" if home else None):
        pytest.fail("Spark needs Java 17 or later: install one, or say where it is in JAVA_HOME.")
    from pyspark.sql import SparkSession

    options: dict[str, Any] = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "Europe/Berlin",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").config(map=options)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def images() -> pd.DataFrame:
    """A small fleet with everything awkward in it: nulls, a new state, hostile text."""
    frames = [
        fl.from_pages(items, account_id=account, region=region, observed_at="2026-01-15T12:00:00Z")
        for account, region, items in ZOO
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser."""
    with launched() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1280 pixels wide, that may not talk to anything but this machine."""
    with opened(browser) as new:
        yield new


@pytest.fixture(scope="session")
def drawing_browser() -> Iterator[None]:
    """One browser that draws all pictures, as Kaleido would else start one for each."""
    kaleido.start_sync_server(mathjax=False)
    yield
    kaleido.stop_sync_server()


@pytest.fixture
def alerts(page: Page) -> list[str]:
    """What scripts on the page have said in dialogs, none of which should ever run."""
    heard: list[str] = []

    def hear(dialog: Dialog) -> None:
        heard.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", hear)
    return heard


@contextmanager
def denied(*operations: str, code: str = "AccessDenied") -> Iterator[None]:
    """Have AWS refuse some operations for a while, and answer all others."""
    real = BaseClient._make_api_call

    def call(self: Any, name: str, asked: Any) -> Any:
        if name not in operations:
            return real(self, name, asked)
        error = {"Error": {"Code": code, "Message": "no"}}
        raise ClientError({**error, "ResponseMetadata": {"RequestId": "r-1"}}, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; where it fails, show what it said."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the checkout: what git knows of or would take, as it is in the tree."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def item(number: int, state: str | None = "enabled", **fields: Any) -> dict[str, Any]:
    """Return an item as boto3 gives it, with every field unless told otherwise."""
    template = {
        "LaunchTemplateId": f"lt-{number:017x}",
        "LaunchTemplateName": "runner",
        "Version": "1",
    }
    whole = {
        "ImageId": f"ami-{number:017x}",
        "ResourceType": "snapshot",
        "SnapshotConfiguration": {"TargetResourceCount": 5},
        "LaunchTemplate": template,
        "MaxParallelLaunches": 6,
        "OwnerId": ACCOUNT,
        "State": state,
        "StateTransitionReason": "Client.UserInitiated",
        "StateTransitionTime": SINCE,
    }
    return {name: value for name, value in {**whole, **fields}.items() if value is not None}


HOSTILE = "<img src=x onerror=alert(1)> </script> =cmd() \"quoted\" 'too' &amp;\n\x9b\u202eback"
ZOO: list[tuple[str | None, str | None, list[dict[str, Any]]]] = [
    (
        "111122223333",
        "us-east-1",
        [
            item(1),
            item(2, "enabling-failed", StateTransitionReason=HOSTILE),
            item(3, "enabling", SnapshotConfiguration={}, LaunchTemplate={}),
            item(4, "disabling", LaunchTemplate={"LaunchTemplateId": "lt-0123456789abcdef0"}),
        ],
    ),
    (
        "999988887777",
        "eu-west-1",
        [
            item(1, "enabled-failed", OwnerId="999988887777"),
            item(5, "some-new-state", MaxParallelLaunches=None, OwnerId=None),
            item(
                6,
                "disabling-failed",
                OwnerId="999988887777",
                LaunchTemplate={"LaunchTemplateName": HOSTILE},
            ),
        ],
    ),
    (None, None, [{"ImageId": "ami-00000007"}]),
]
