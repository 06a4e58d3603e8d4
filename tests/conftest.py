"""Fixtures and settings for all tests: the embedded EC2, a demo, a browser, Hypothesis."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pandas as pd
import pytest
from botocore.client import ClientCreator
from botocore.loaders import create_loader
from hypothesis import HealthCheck, Phase, settings
from moto import mock_aws
from playwright.sync_api import Browser, Dialog, Page

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.moto_extension import get_backend, install, reset_emulator
from fastlaunch_nb.emulator.server import Server
from tests.helpers.browser import find_browser, launch_browser, open_page
from tests.helpers.cases import case_id
from tests.helpers.processes import restore_signals
from tests.helpers.samples import ACCOUNT, REGION, ROOT, ZOO, Connect, run
from tests.helpers.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401

settings.register_profile(
    "deep",
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # laws reset the embedded EC2
)
settings.register_profile(  # shrinking takes minutes
    "quick", settings.get_profile("deep"), max_examples=3, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("quick")

restore_signals()

if browser_path := find_browser():
    os.environ["BROWSER_PATH"] = browser_path  # for Kaleido, here and in the kernels of notebooks


@pytest.fixture(scope="session", autouse=True)
def _read_service_models_once() -> Iterator[None]:
    """Share one loader and the classes of clients between botocore's sessions: 0.2 s a client."""
    classes: dict[Any, Any] = {}
    create_client_class = ClientCreator._create_client_class

    def get_client_class(creator: Any, service: str, model: Any) -> Any:
        key = service, *model.operation_names
        if key not in classes:
            classes[key] = create_client_class(creator, service, model)
        return classes[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(create_loader))
        patch.setattr(ClientCreator, "_create_client_class", get_client_class)
        yield


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Make the id of a case from its value."""
    return case_id(val, argname)


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Hide the AWS accounts of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the terminal and the make of the person who runs the tests."""
    monkeypatch.setenv("COLUMNS", "80")
    terminals = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    for name in (*terminals, "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty embedded EC2 in-process, with one account and region."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    install()
    with mock_aws():
        reset_emulator()
        yield get_backend(ACCOUNT, REGION)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of the embedded EC2 in-process, and over HTTP: those marked ``http`` always."""
    if "connect" in metafunc.fixturenames:
        is_marked = metafunc.definition.get_closest_marker("http")
        http = pytest.param("http", marks=() if is_marked else pytest.mark.deep)
        metafunc.parametrize("connect", ["in-process", http], indirect=True)


@pytest.fixture
def connect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """A function that makes boto3 clients of an empty embedded EC2, in-process and over HTTP."""
    server = None
    if request.param == "in-process":
        request.getfixturevalue("ec2")
    else:
        monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        server = Server()
        reset_emulator()
    endpoint = server.endpoint_url if server else None

    def client(service: str = "ec2", account_id: str = ACCOUNT, region: str = REGION) -> Any:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        new_client = boto3.client(service, region_name=region, endpoint_url=endpoint, **keys)
        new_client.meta.events.register(
            "before-sign",
            lambda request, **_: request.headers.add_header("x-moto-account-id", account_id),
        )
        return new_client

    yield client
    if server:
        server.stop()


@pytest.fixture
def demo() -> Iterator[Demo]:
    """A running demo, over HTTP."""
    with fl.demo() as running:
        yield running


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local Spark session, in a time zone other than UTC."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=f"{home}/bin" if home else None):
        pytest.fail("Spark needs Java 17 or later: install it, or set JAVA_HOME to its folder.")
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
    """A small fleet with awkward values: nulls, a new state, hostile text."""
    frames = [
        fl.from_pages(items, account_id=account, region=region, observed_at="2026-01-15T12:00:00Z")
        for account, region, items in ZOO
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser."""
    with launch_browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1280 pixels wide, that can reach only this machine."""
    with open_page(browser) as new:
        yield new


@pytest.fixture
def alerts(page: Page) -> list[str]:
    """The messages of dialogs that scripts on the page open; hostile text must open none."""
    messages: list[str] = []

    def record(dialog: Dialog) -> None:
        messages.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", record)
    return messages


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the checkout, with tracked files and untracked ones that are not ignored."""
    folder = tmp_path_factory.mktemp("checkout")
    result = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, result.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder
