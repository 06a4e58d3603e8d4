"""The scheduler: the order of its tasks, and its progress."""

from __future__ import annotations

from concurrent import futures
from threading import Event, get_ident
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.collect.scheduler import TaskQueue
from fastlaunch_nb.collect.tasks import AccountTask, RegionScan
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.faults import FAULTS
from tests.helpers.emulator import inject_faults
from tests.helpers.samples import ACCOUNT, REGION
from tests.helpers.sweeps import OTHER, assert_same_images, read_fleet

# --- queue ----------------------------------------------------------------------------


def create_scan(number: int, region: str) -> RegionScan:
    return RegionScan(None, number, region, {}, "")


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcd")), unique=True), st.data())
def test_the_queue_returns_each_scan_once(keys: list[tuple[int, str]], data: Any) -> None:
    """Whichever scan ends when, the queue returns each scan once."""
    queue = TaskQueue()
    for key in keys:
        queue.add(create_scan(*key))
    taken: list[RegionScan] = []
    running: list[RegionScan] = []
    while queue:
        scan = queue.take()
        assert isinstance(scan, RegionScan)
        taken.append(scan)
        running.append(scan)
        if data.draw(st.booleans()):
            queue.release(running.pop(data.draw(st.integers(0, len(running) - 1))))
    assert sorted((scan.number, str(scan.region)) for scan in taken) == sorted(keys)


def test_accounts_come_before_scans() -> None:
    """An account to open goes before any scan."""
    queue = TaskQueue()
    queue.add(create_scan(0, "a"))
    queue.add(AccountTask(fl.Target(), 1, None))
    assert isinstance(queue.take(), AccountTask)


def test_a_dead_region_occupies_few_workers() -> None:
    """If the scans of one region never end, all scans of the others go first."""
    queue = TaskQueue()
    regions = ["dead", "one", "two", "three"]
    for number in range(100):
        for region in regions:
            queue.add(create_scan(number, region))
    running = 0
    for _ in range(200):
        scan = queue.take()
        assert isinstance(scan, RegionScan)
        if scan.region == "dead":
            running += 1
        else:
            queue.release(scan)
    assert running == 1


def test_a_slow_account_is_not_scanned_everywhere_at_once() -> None:
    """Each region has its own order of accounts."""
    queue = TaskQueue()
    for number in range(50):
        for region in "abcdefghij":
            queue.add(create_scan(number, region))
    first: list[int] = []
    for _ in range(32):
        scan = queue.take()
        first.append(scan.number)
        queue.release(scan)
    assert max(first.count(number) for number in range(50)) <= 4


def test_a_slow_account_does_not_delay_the_others(
    demo: Demo, accounts: list[fl.Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one account does not respond at all, the scans of the other end."""
    workers, started, ended, blocked = 4, Event(), Event(), list[str]()
    before = FAULTS.delay_or_refuse

    def wait(request: Any) -> None:
        if request.current_account != OTHER:
            started.wait()  # so that the slow account comes first
        elif not ended.is_set():
            blocked.append(request.region)
            started.set()
            if len(blocked) == workers:  # no worker is left for the fast account
                ended.set()
            ended.wait()
        before(request)

    monkeypatch.setattr(FAULTS, "delay_or_refuse", wait)
    remaining = set(demo.regions)
    real = RegionScan.run

    def run(self: RegionScan, *args: Any) -> RegionScan:
        scan = real(self, *args)
        if self.account_id == ACCOUNT:
            remaining.discard(str(self.region))
            if not remaining:
                ended.set()
        return scan

    monkeypatch.setattr(RegionScan, "run", run)
    swept = fl.sweep(accounts, regions=demo.regions, max_workers=workers)
    assert swept.coverage["status"].tolist() == ["complete"] * 6
    assert 0 < len(blocked) < workers, f"the slow account blocked all workers: {blocked}"


# --- progress -------------------------------------------------------------------------


def test_the_bar_has_the_counts(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """The bar has tasks, failures and rows; there is none in a log or with progress=False."""
    fl.sweep(regions=[REGION, "ap-east-1"], progress=True)
    bar = capsys.readouterr().err
    assert "failed=0" in bar
    assert "3/3" in bar
    assert f"rows={len(fl.describe(region=REGION))}" in bar
    for progress in (None, False):
        fl.sweep(regions=REGION, progress=progress)
    assert capsys.readouterr() == ("", "")


def test_a_callback_gets_every_task(demo: Demo, accounts: list[fl.Target]) -> None:
    """A callback gets 0, then each account and region as it ends, in the caller's thread."""
    calls: list[tuple[int, int]] = []
    threads: set[int] = set()

    def record(done: int, total: int) -> None:
        calls.append((done, total))
        threads.add(get_ident())

    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=[REGION, "ap-east-1", "cn-north-1"], progress=record)
    assert set(swept.coverage["status"]) == {"complete", "failed", "not-opted-in"}
    assert threads == {get_ident()}
    done, totals = zip(*calls, strict=True)
    count = len(accounts) + len(swept.coverage)
    assert done == tuple(range(count + 1))
    assert (totals[0], totals[-1]) == (len(accounts), count)
    assert list(totals) == sorted(totals)


def test_an_account_that_does_not_open_has_no_other_tasks(demo: Demo) -> None:
    """An account that cannot be opened is done: its regions do not count."""
    calls: list[tuple[int, int]] = []
    executor = futures.ThreadPoolExecutor(1)
    executor.shutdown()
    swept = fl.sweep(executor=executor, progress=lambda *counts: calls.append(counts))
    assert len(swept.failures) == 1
    assert calls == [(0, 1), (1, 1)]


def test_a_callback_gets_0_before_the_first_request(demo: Demo) -> None:
    """At 0, nothing has been sent: Ctrl-C in the callback ends the sweep with nothing."""

    def refuse(done: int, total: int) -> None:
        raise KeyboardInterrupt(f"{done} of {total}")

    class Unused(futures.Executor):
        def submit(self, *_: Any, **__: Any) -> futures.Future[Any]:
            pytest.fail("something was sent")

    with pytest.raises(KeyboardInterrupt, match="0 of 1"):
        fl.sweep(regions=REGION, executor=Unused(), progress=refuse)


@pytest.mark.parametrize("last", [0, 1, 3])
def test_a_callback_that_raises_is_not_called_again(
    demo: Demo, accounts: list[fl.Target], last: int
) -> None:
    """An error of the callback is a warning, without secrets; the sweep reads everything."""
    calls: list[int] = []

    def count(done: int, _total: int) -> None:
        calls.append(done)
        if done == last:
            raise ZeroDivisionError("AKIAIOSFODNN7EXAMPLE")

    with pytest.warns(fl.FastLaunchWarning, match=r"progress raised ZeroDivisionError: \*\*\*"):
        swept = fl.sweep(accounts, regions=demo.regions, progress=count)
    assert calls == list(range(last + 1))
    assert_same_images(swept.images, read_fleet(demo))


def test_a_callback_can_stop_the_sweep(demo: Demo, accounts: list[fl.Target]) -> None:
    """KeyboardInterrupt in a callback is like Ctrl-C: the sweep returns and can be resumed."""

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    swept = fl.sweep(accounts, regions=demo.regions, max_workers=1, progress=stop)
    assert swept.was_interrupted
    assert_same_images(fl.sweep(resume=swept).images, read_fleet(demo))
