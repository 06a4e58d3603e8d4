"""Sweeps with other executors: the rows are the same, and no secret leaves the process."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent import futures
from multiprocessing import get_context
from threading import Event
from typing import Any

import boto3
import botocore.session
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws import read_limits
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.targets import AccountCache
from fastlaunch_nb.collect.tasks import RegionScan
from fastlaunch_nb.collect.workers import READS_PER_WORKER
from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers.emulator import inject_faults
from tests.helpers.samples import ACCOUNT, REGION
from tests.helpers.sweeps import OTHER, assert_same_images, read_fleet


def test_an_executor_of_threads_stays_open(demo: Demo, accounts: list[fl.Target]) -> None:
    """An executor of the caller is used, and is not shut down."""
    with futures.ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        swept = fl.sweep(accounts, regions=demo.regions, executor=executor)
        assert executor.submit(lambda: 1).result() == 1
    assert_same_images(swept.images, read_fleet(demo))


@pytest.mark.deep
def test_an_executor_of_processes_reads_the_same(demo: Demo, accounts: list[fl.Target]) -> None:
    """Everything that other processes receive and return can be pickled."""
    roles = fl.targets(accounts=OTHER, role="FastLaunchReader")
    with futures.ProcessPoolExecutor(2, get_context("spawn")) as executor:
        swept = fl.sweep([accounts[0], *roles], regions=demo.regions, executor=executor)
    assert_same_images(swept.images, read_fleet(demo))


class PicklingExecutor(futures.Executor):
    """An executor that pickles each task and each result, and records the pickles."""

    def __init__(self) -> None:
        self.pickles: list[bytes] = []

    def submit(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> futures.Future[Any]:
        """Call the function at once, with copies."""
        future: futures.Future[Any] = futures.Future()
        try:
            task = pickle.dumps((function, args, kwargs))
            function, args, kwargs = pickle.loads(task)
            result = pickle.dumps(function(*args, **kwargs))
            self.pickles += [task, result]
            future.set_result(pickle.loads(result))
        except Exception as error:
            future.set_exception(error)
        return future


def test_no_secret_leaves_the_process(demo: Demo) -> None:
    """No key, token or client is in a task, in a result, or in the sweep."""
    [target] = fl.targets(accounts=OTHER, role="FastLaunchReader")
    executor = PicklingExecutor()
    swept = fl.sweep([fl.Target(), target], regions=REGION, executor=executor)
    assert swept.coverage["status"].tolist() == ["complete"] * 2
    cache = AccountCache()
    secrets = set()
    for source in (fl.Target(), target):
        keys = cache.open(source)._credentials.get_frozen_credentials()
        values = (keys.access_key, keys.secret_key, keys.token)
        secrets |= {value for value in values if value and value != "demo"}
    content = b"".join(executor.pickles) + pickle.dumps(swept)
    content += (repr(swept) + swept._repr_html_() + swept.coverage.to_csv()).encode()
    assert executor.pickles
    assert secrets
    assert not [secret for secret in secrets if secret.encode() in content]
    assert b"botocore" not in content


def test_a_session_with_keys_is_refused(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session with keys, even the default one, is refused by an executor outside this process."""
    executor = PicklingExecutor()
    with pytest.raises(fl.InputError, match="must not leave this process"):
        fl.sweep(demo.session, regions=REGION, executor=executor)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", demo.session)
    with pytest.raises(fl.InputError, match="must not leave this process"):
        fl.sweep(regions=REGION, executor=executor)
    assert executor.pickles == []


def test_other_processes_read_the_same_account(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default session's profile is used in other processes; other credentials are an error."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(profile_name="game-servers"))
    swept = fl.sweep(regions=REGION, executor=PicklingExecutor())
    assert set(swept.images["account_id"]) == {OTHER}
    assumed = AccountSession(boto3.Session()).assume_role(OTHER, "FastLaunchReader", None)
    botocore_session = botocore.session.Session()
    botocore_session._credentials = assumed._credentials  # which are in no configuration
    session = boto3.Session(botocore_session=botocore_session, region_name=REGION)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    swept = fl.sweep(session, regions=REGION, executor=PicklingExecutor())
    assert swept.images.empty
    [message] = swept.failures["error_message"]
    assert f"account {ACCOUNT}, not to {OTHER}" in message
    expected = fl.describe(session, region=REGION)
    assert_same_images(fl.sweep(session, regions=REGION).images, expected)


def test_each_sweep_resolves_credentials_again(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker process drops its credentials after a sweep, because they may be renewed."""
    first = fl.sweep(regions=REGION, executor=PicklingExecutor())
    monkeypatch.setenv("AWS_PROFILE", "game-servers")
    second = fl.sweep(regions=REGION, executor=PicklingExecutor())
    found = [set(swept.images["account_id"]) for swept in (first, second)]
    assert found == [{ACCOUNT}, {OTHER}]


def test_a_broken_executor_loses_nothing(demo: Demo) -> None:
    """With an executor that accepts no task, each region is a failure that can be resumed."""
    executor = futures.ThreadPoolExecutor(1)
    executor.shutdown()
    swept = fl.sweep(regions=[REGION, "eu-west-1"], executor=executor)
    assert swept.failures["error_code"].tolist() == ["RuntimeError"] * 2
    resumed = fl.sweep(resume=swept)
    assert resumed.coverage["status"].tolist() == ["complete"] * 2


# --- several reads at once ------------------------------------------------------------


class CountingExecutor(PicklingExecutor):
    """An executor that records how many reads each of its tasks has."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def submit(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> futures.Future[Any]:
        """Record the number of reads, then run them."""
        self.sizes.append(len(args[0]))
        return super().submit(function, *args, **kwargs)


@pytest.mark.parametrize(
    ("max_workers", "workers", "size"),
    [(32, None, READS_PER_WORKER), (15, None, 15), (32, 2, 16), (33, 2, 17), (2, 4, 1)],
)
def test_a_worker_gets_its_share_of_the_reads(
    ec2: Any, max_workers: int, workers: int | None, size: int
) -> None:
    """`max_workers` reads are shared out among the workers; 16 each if their number is unknown."""
    executor = CountingExecutor()
    if workers:
        executor._max_workers = workers  # type: ignore[attr-defined]
    swept = fl.sweep(executor=executor, max_workers=max_workers)
    account, *scans = executor.sizes
    assert account == 1
    assert sum(scans) == len(swept.coverage[swept.coverage["status"] != "not-opted-in"])
    assert max(scans) == size


def test_what_one_read_raises_leaves_the_others(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the reads of one worker, the one that raised fails, and can be resumed."""
    read = RegionScan._read

    def read_or_raise(scan: RegionScan, cache: AccountCache) -> None:
        if scan.region == "eu-west-1":
            raise ZeroDivisionError("unexpected")
        read(scan, cache)

    with monkeypatch.context() as patch:
        patch.setattr(RegionScan, "_read", read_or_raise)
        swept = fl.sweep(regions=demo.regions, executor=PicklingExecutor())
    assert swept.failures[["region", "error_code"]].values.tolist() == [
        ["eu-west-1", "ZeroDivisionError"]
    ]
    assert_same_images(fl.sweep(resume=swept).images, fl.sweep(regions=demo.regions).images)


def test_a_read_that_nothing_ends_leaves_the_others(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker returns what it has when a read goes on long after its limit."""
    ended, overdue = Event(), []
    read = RegionScan._read

    def read_or_wait(scan: RegionScan, cache: AccountCache) -> None:
        if scan.region == "eu-west-1":
            overdue.append(read_limits._get_limit())
            ended.wait()
        read(scan, cache)

    monkeypatch.setattr(RegionScan, "_read", read_or_wait)
    monkeypatch.setattr("fastlaunch_nb.collect.workers.is_overdue", overdue.__contains__)
    swept = fl.sweep(regions=demo.regions, executor=PicklingExecutor())
    ended.set()
    assert swept.failures[["region", "error_code"]].values.tolist() == [["eu-west-1", "Timeout"]]


@pytest.mark.deep
def test_a_dask_cluster_reads_the_same(demo: Demo, accounts: list[fl.Target]) -> None:
    """A real cluster of two processes reads the same, also after a failure, and is resumed."""
    from distributed import Client, LocalCluster  # comes with `make test-deep`

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        executor = client.get_executor()
        with inject_faults(unauthorized=[OTHER]):
            swept = fl.sweep(accounts, regions=demo.regions, executor=executor)
        assert set(swept.failures["account_id"]) == {OTHER}
        swept = fl.sweep(resume=swept, executor=executor)
    assert_same_images(swept.images, read_fleet(demo))
