"""A sweep: all that a user can reach, in one go, whoever does the reading."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from concurrent import futures
from multiprocessing import get_context
from threading import Event, get_ident
from typing import Any

import boto3
import botocore.session
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.targets import AccountCache
from fastlaunch_nb.collect.scheduler import SweepScheduler, _Queue
from fastlaunch_nb.collect.tasks import AccountTask, RegionScan
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.faults import FAULTS, inject_faults
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION

OTHER = "111122223333"


def fleet(demo: Demo) -> pd.DataFrame:
    """Return all images of the demo, read one account and region after the other."""
    frames = [
        fl.describe(boto3.Session(profile_name=profile), region=region)
        for profile in demo.accounts.values()
        for region in sorted(demo.regions)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def accounts(demo: Demo) -> list[fl.Target]:
    """The accounts of the demo, by their profiles."""
    return fl.targets(profiles=demo.accounts.values())


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare images in every column that a page has."""
    assert len(expected) > 0
    pd.testing.assert_frame_equal(
        found.drop(columns="account_name", errors="ignore"), expected, check_flags=False
    )


# --- what it brings -------------------------------------------------------------------


def test_the_same_rows_as_one_by_one(demo: Demo, accounts: list[fl.Target]) -> None:
    """Every image of every account and region, in order; the coverage says that it is all."""
    swept = fl.sweep(accounts, regions=demo.regions)
    assert_same(swept.images, fleet(demo))
    coverage = swept.coverage
    assert coverage["status"].tolist() == ["complete"] * 6
    assert coverage["rows"].sum() == len(swept.images)
    assert coverage["sweep_id"].unique().tolist() == [swept.sweep_id]
    assert coverage["pages"].tolist() == [1] * 6
    assert coverage["retries"].tolist() == [0] * 6
    assert coverage["checkpoint"].isna().tolist() == [True] * 6
    assert coverage["scope"].tolist() == [""] * 6
    assert coverage["seconds"].min() > 0
    assert (
        coverage["observed_at"].unique().tolist() == swept.images["observed_at"].unique().tolist()
    )
    assert swept.failures.empty
    assert swept.started_at <= swept.finished_at


def test_names_come_along(demo: Demo, accounts: list[fl.Target]) -> None:
    """Where a target has a name, so have its rows, and every view shows it."""
    swept = fl.sweep(accounts, regions="us-east-1")
    named = swept.images.drop_duplicates("account_id")
    assert dict(zip(named["account_id"], named["account_name"], strict=True)) == demo.accounts


def test_without_arguments(demo: Demo) -> None:
    """It reads the account of this session, in every region that it has enabled."""
    swept = fl.sweep()
    expected = fleet(demo)
    assert_same(swept.images, expected[expected["account_id"] == ACCOUNT].reset_index(drop=True))
    assert set(demo.regions) < set(swept.coverage["region"])


def test_a_region_that_is_not_opted_in_is_no_error(demo: Demo) -> None:
    """It is a row of the coverage, found out before it is asked, or after where it was named."""
    listed = fl.sweep().coverage.set_index("region")["status"]
    assert listed["ap-east-1"] == "not-opted-in"
    named = fl.sweep(regions=["ap-east-1", REGION])
    assert named.coverage["status"].tolist() == ["not-opted-in", "complete"]
    assert named.coverage["error_code"].isna().tolist() == [True, True]
    assert named.failures.empty


def test_regions_of_the_accounts_own_partition(demo: Demo) -> None:
    """No account is asked in a partition that it is not in; one that is in none of them is told."""
    listed = some(fl.sweep().coverage["region"])
    assert [region for region in listed if region.startswith(("cn-", "us-gov-"))] == []
    mixed = fl.sweep(regions=["cn-north-1", REGION])
    assert mixed.coverage["region"].tolist() == [REGION]
    elsewhere = fl.sweep(regions=["cn-north-1"])
    [message] = elsewhere.failures["error_message"]
    assert "not in the partition aws" in message


@pytest.mark.parametrize(
    ("filters", "scope"),
    [
        ({"state": "enabled"}, {"Filters": [{"Name": "state", "Values": ["enabled"]}]}),
        (fl.Filters(state="enabled"), {"Filters": [{"Name": "state", "Values": ["enabled"]}]}),
        (fl.Filters(text="gitlab"), {"Here": {"text": "gitlab"}}),
        (
            fl.Filters(
                owner_id=[None, ACCOUNT],
                max_parallel_launches=(6, None),
                state_transition_time=("2026-01-01", None),
            ),
            {
                "Here": {
                    "max_parallel_launches": [6, None],
                    "owner_id": [None, ACCOUNT],
                    "state_transition_time": ["2026-01-01T00:00:00+00:00", None],
                }
            },
        ),
    ],
)
def test_filters(demo: Demo, filters: Any, scope: dict[str, Any]) -> None:
    """Filters of every form; the coverage says what was not looked for."""
    swept = fl.sweep(regions=demo.regions, filters=filters)
    everything = fl.sweep(regions=demo.regions).images
    asked = filters if isinstance(filters, fl.Filters) else fl.Filters(**filters)
    assert swept.coverage["rows"].sum() == len(swept.images)
    assert_same(swept.images, asked.apply(everything).reset_index(drop=True))
    assert [json.loads(text) for text in swept.coverage["scope"]] == [scope] * 3


def test_an_account_is_read_once(demo: Demo) -> None:
    """Two ways into one account bring its rows once, and a warning."""
    twice = fl.targets(profiles=["default", "build-farm"])
    with pytest.warns(fl.FastLaunchWarning, match=f"Two targets lead to account {ACCOUNT}"):
        swept = fl.sweep(twice, regions=REGION)
    assert_same(swept.images, fl.describe(region=REGION))
    assert len(swept.coverage) == 1


def test_sessions_of_ones_own(demo: Demo) -> None:
    """A session is a target too, also one whose keys no configuration has."""
    swept = fl.sweep(demo.session, regions=[REGION])
    assert_same(swept.images, fl.describe(demo.session, region=REGION))


def test_nothing_there_is_an_empty_frame(demo: Demo) -> None:
    """No images: the same columns and dtypes, and a complete coverage."""
    swept = fl.sweep(regions=["eu-north-1"])
    pd.testing.assert_frame_equal(swept.images, empty_images(), check_flags=False)
    assert swept.coverage["status"].tolist() == ["complete"]


# --- bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"targets": []}, "targets is empty"),
        ({"targets": "build-farm"}, r"targets\(profiles="),
        ({"targets": [5]}, "targets has a int"),
        ({"targets": [["build-farm"]]}, "targets has a list"),
        ({"regions": []}, "regions is empty"),
        ({"regions": "US EAST"}, "a region's name"),
        ({"regions": [None]}, "regions has None"),
        ({"regions": 5}, "regions is 5"),
        ({"filters": {"stat": ["x"]}}, "Did you mean 'state'"),
        ({"executor": 5}, "concurrent.futures.Executor"),
        ({"max_workers": 0}, "max_workers is 0"),
        ({"max_workers": True}, "max_workers is True"),
        ({"progress": "yes"}, "progress is 'yes'"),
        ({"progress": 1}, "progress is 1"),
        ({"progress": lambda done: done}, r"called as progress\(done, total\)"),
        ({"strict": 1}, "strict is 1"),
        ({"resume": "20260115"}, "Expected a Sweep"),
    ],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], says: str) -> None:
    """What can not be asked is refused before anything is sent."""
    monkeypatch.setattr(SweepScheduler, "run", lambda *_: pytest.fail("something was sent"))
    with pytest.raises(fl.InputError, match=says):
        fl.sweep(**wrong)


def test_resume_keeps_what_was_asked(demo: Demo) -> None:
    """Regions and filters of a resumed sweep can not be changed."""
    swept = fl.sweep(regions=REGION)
    for change in ({"regions": REGION}, {"filters": {"state": "enabled"}}):
        with pytest.raises(fl.InputError, match="resume keeps the regions and filters"):
            fl.sweep(resume=swept, **change)


# --- executors ------------------------------------------------------------------------


def test_an_executor_of_threads(demo: Demo, accounts: list[fl.Target]) -> None:
    """An executor that is given is used, and stays open."""
    with futures.ThreadPoolExecutor(2, thread_name_prefix="mine") as mine:
        swept = fl.sweep(accounts, regions=demo.regions, executor=mine)
        assert mine.submit(lambda: 1).result() == 1
    assert_same(swept.images, fleet(demo))


@pytest.mark.deep
def test_an_executor_of_processes(demo: Demo, accounts: list[fl.Target]) -> None:
    """Other processes read the same: what crosses can be pickled."""
    roles = fl.targets(accounts=OTHER, role="FastLaunchReader")
    with futures.ProcessPoolExecutor(2, get_context("spawn")) as processes:
        swept = fl.sweep([accounts[0], *roles], regions=demo.regions, executor=processes)
    assert_same(swept.images, fleet(demo))


class Pickling(futures.Executor):
    """An executor that lets only pickles through, and keeps them."""

    def __init__(self) -> None:
        self.crossed: list[bytes] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> futures.Future[Any]:
        """Do it at once, with copies."""
        future: futures.Future[Any] = futures.Future()
        try:
            there = pickle.dumps((work, args, named))
            work, args, named = pickle.loads(there)
            back = pickle.dumps(work(*args, **named))
            self.crossed += [there, back]
            future.set_result(pickle.loads(back))
        except Exception as error:
            future.set_exception(error)
        return future


def test_nothing_secret_crosses(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a key, nor a token, nor a client is in what crosses or in what comes of it."""
    [target] = fl.targets(accounts=OTHER, role="FastLaunchReader")
    executor = Pickling()
    swept = fl.sweep([fl.Target(), target], regions=REGION, executor=executor)
    assert swept.coverage["status"].tolist() == ["complete"] * 2
    vault = AccountCache()
    secrets = set()
    for source in (fl.Target(), target):
        keys = vault.open(source)._credentials.get_frozen_credentials()
        every = (keys.access_key, keys.secret_key, keys.token)
        secrets |= {part for part in every if part and part != "demo"}
    whole = b"".join(executor.crossed) + pickle.dumps(swept)
    whole += (repr(swept) + swept._repr_html_() + swept.coverage.to_csv()).encode()
    assert executor.crossed
    assert secrets
    assert not [secret for secret in secrets if secret.encode() in whole]
    assert b"botocore" not in whole


def test_sessions_with_keys_stay_here(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session with keys of its own is refused outside this process; so is such a default one."""
    executor = Pickling()
    with pytest.raises(fl.InputError, match="must not leave this process"):
        fl.sweep(demo.session, regions=REGION, executor=executor)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", demo.session)
    with pytest.raises(fl.InputError, match="must not leave this process"):
        fl.sweep(regions=REGION, executor=executor)
    assert executor.crossed == []


def test_other_processes_read_the_same_account(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default session's profile is used elsewhere too; other credentials there are noticed."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(profile_name="game-servers"))
    swept = fl.sweep(regions=REGION, executor=Pickling())
    assert set(swept.images["account_id"]) == {OTHER}
    core = botocore.session.Session()
    role = AccountSession(boto3.Session()).assume(OTHER, "FastLaunchReader", None)
    core._credentials = role._credentials  # which no configuration explains
    made = boto3.Session(botocore_session=core, region_name=REGION)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    swept = fl.sweep(made, regions=REGION, executor=Pickling())
    assert swept.images.empty
    [message] = swept.failures["error_message"]
    assert f"account {ACCOUNT}, not to {OTHER}" in message
    assert_same(fl.sweep(made, regions=REGION).images, fl.describe(made, region=REGION))


def test_each_sweep_finds_credentials_anew(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process knew of credentials ends with the sweep: they may have been renewed."""
    first = fl.sweep(regions=REGION, executor=Pickling())
    monkeypatch.setenv("AWS_PROFILE", "game-servers")
    second = fl.sweep(regions=REGION, executor=Pickling())
    found = [set(swept.images["account_id"]) for swept in (first, second)]
    assert found == [{ACCOUNT}, {OTHER}]


def test_an_executor_that_is_broken(demo: Demo) -> None:
    """An executor that takes no work loses nothing: each account is a failure with its name."""
    gone = futures.ThreadPoolExecutor(1)
    gone.shutdown()
    swept = fl.sweep(regions=[REGION, "eu-west-1"], executor=gone)
    assert swept.failures["error_code"].tolist() == ["RuntimeError"] * 2
    again = fl.sweep(resume=swept)
    assert again.coverage["status"].tolist() == ["complete"] * 2


# --- the order ------------------------------------------------------------------------


def look(number: int, region: str) -> RegionScan:
    return RegionScan(None, number, region, {}, "")


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcd")), unique=True), st.data())
def test_no_look_is_lost_in_the_queue(places: list[tuple[int, str]], data: Any) -> None:
    """What goes in comes out, once, whatever ends when."""
    queue = _Queue()
    for place in places:
        queue.add(look(*place))
    out: list[RegionScan] = []
    under_way: list[RegionScan] = []
    while queue:
        job = queue.take()
        assert isinstance(job, RegionScan)
        out.append(job)
        under_way.append(job)
        if data.draw(st.booleans()):
            queue.done(under_way.pop(data.draw(st.integers(0, len(under_way) - 1))))
    assert sorted((job.number, str(job.region)) for job in out) == sorted(places)


def test_accounts_are_opened_first() -> None:
    """An account that waits to be opened goes before any look."""
    queue = _Queue()
    queue.add(look(0, "a"))
    queue.add(AccountTask(None, 1, None))
    assert isinstance(queue.take(), AccountTask)


def test_a_dead_region_holds_few_up() -> None:
    """Where looks at one region do not end, the others' go first, and all of them go."""
    queue = _Queue()
    regions = ["dead", "one", "two", "three"]
    for number in range(100):
        for region in regions:
            queue.add(look(number, region))
    waiting = 0
    for _ in range(200):
        job = queue.take()
        assert isinstance(job, RegionScan)
        if job.region == "dead":
            waiting += 1
        else:
            queue.done(job)
    assert waiting == 1


def test_a_slow_account_does_not_come_up_everywhere_at_once() -> None:
    """Each region takes the accounts in an order of its own."""
    queue = _Queue()
    for number in range(50):
        for region in "abcdefghij":
            queue.add(look(number, region))
    first: list[int] = []
    for _ in range(32):
        job = queue.take()
        first.append(job.number)
        queue.done(job)
    assert max(first.count(number) for number in range(50)) <= 4


def test_the_fast_are_not_held_up_by_the_slow(
    demo: Demo, accounts: list[fl.Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one account does not answer at all, the other's reads end."""
    workers, begun, ended, held = 4, Event(), Event(), list[str]()
    before = FAULTS.delay_or_refuse

    def wait(request: Any) -> None:
        if request.current_account != OTHER:
            begun.wait()  # so that the slow account comes first
        elif not ended.is_set():
            held.append(request.region)
            begun.set()
            if len(held) == workers:  # nobody is left for the fast account
                ended.set()
            ended.wait()
        before(request)

    monkeypatch.setattr(FAULTS, "delay_or_refuse", wait)
    fast = set(demo.regions)
    done = RegionScan.go

    def go(self: RegionScan, *args: Any) -> RegionScan:
        came = done(self, *args)
        if self.account_id == ACCOUNT:
            fast.discard(str(self.region))
            if not fast:
                ended.set()
        return came

    monkeypatch.setattr(RegionScan, "go", go)
    swept = fl.sweep(accounts, regions=demo.regions, max_workers=workers)
    assert swept.coverage["status"].tolist() == ["complete"] * 6
    assert 0 < len(held) < workers, f"the slow account held up all workers: {held}"


# --- how it shows itself --------------------------------------------------------------


def test_the_bar(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells done, failed and rows; it is quiet where nobody watches, and when told."""
    fl.sweep(regions=[REGION, "ap-east-1"], progress=True)
    bar = capsys.readouterr().err
    assert "failed=0" in bar
    assert "3/3" in bar
    assert f"rows={len(fl.describe(region=REGION))}" in bar
    for quiet in (None, False):
        fl.sweep(regions=REGION, progress=quiet)
    assert capsys.readouterr() == ("", "")


def test_what_progress_hears(demo: Demo, accounts: list[fl.Target]) -> None:
    """A callable hears 0, then each account and region as it ends, failed or not; no bar shows."""
    heard: list[tuple[int, int]] = []
    threads: set[int] = set()

    def hear(done: int, total: int) -> None:
        heard.append((done, total))
        threads.add(get_ident())

    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=[REGION, "ap-east-1", "cn-north-1"], progress=hear)
    assert set(swept.coverage["status"]) == {"complete", "failed", "not-opted-in"}
    assert threads == {get_ident()}
    done, totals = zip(*heard, strict=True)
    everything = len(accounts) + len(swept.coverage)
    assert done == tuple(range(everything + 1))
    assert (totals[0], totals[-1]) == (len(accounts), everything)
    assert list(totals) == sorted(totals)


def test_progress_of_what_can_not_be_opened(demo: Demo) -> None:
    """An account that can not be opened is done with: its regions are not waited for."""
    heard: list[tuple[int, int]] = []
    gone = futures.ThreadPoolExecutor(1)
    gone.shutdown()
    swept = fl.sweep(executor=gone, progress=lambda *told: heard.append(told))
    assert len(swept.failures) == 1
    assert heard == [(0, 1), (1, 1)]


def test_progress_hears_0_before_anything_is_sent(demo: Demo) -> None:
    """What it raises comes out of the sweep; at 0, nobody was asked anything."""

    def refuse(done: int, total: int) -> None:
        raise ZeroDivisionError(f"{done} of {total}")

    class Nobody(futures.Executor):
        def submit(self, *_: Any, **__: Any) -> futures.Future[Any]:
            pytest.fail("something was sent")

    with pytest.raises(ZeroDivisionError, match="0 of 1"):
        fl.sweep(regions=REGION, executor=Nobody(), progress=refuse)


def test_progress_can_stop_a_sweep(demo: Demo, accounts: list[fl.Target]) -> None:
    """KeyboardInterrupt from it is as Ctrl-C: what is there comes back, and can be resumed."""

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    swept = fl.sweep(accounts, regions=demo.regions, max_workers=1, progress=stop)
    assert swept.was_interrupted
    assert_same(fl.sweep(resume=swept).images, fleet(demo))


def test_it_says_how_much_and_how_complete(demo: Demo, accounts: list[fl.Target]) -> None:
    """In a notebook: images, how the reads ended, how fresh, what failed and what to do."""
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=[*demo.regions, "ap-east-1"])
    assert repr(swept) == f"Sweep: {len(swept.images)} images, 3 complete, 3 failed, 2 not-opted-in"
    html = swept._repr_html_()
    said = (
        f"{len(swept.images)} images</b> in 1 account and 3 regions",
        "Demo data",
        "8 reads of an account and region",
        "As of 2026-01-15 12:00 UTC",
        "UnauthorizedOperation",
        "<b>game-servers</b> ap-southeast-2, eu-west-1, us-east-1",
        "Allow the IAM action ec2:DescribeFastLaunchImages",
    )
    assert [words for words in said if words not in html] == []
    ids = swept.coverage["request_id"].dropna()
    assert len(ids) == 3
    assert not [request_id for request_id in ids if request_id in html]


NONE_MATCHES = {"filters": {"owner-id": ["999988887777"]}}


@pytest.mark.parametrize(
    ("read", "denied", "says"),
    [
        pytest.param({}, [], "No image has Fast Launch here.", id="none"),
        pytest.param(NONE_MATCHES, [], "No image matches the filters.", id="none that matches"),
        pytest.param({}, [ACCOUNT, OTHER], "Nothing could be read.", id="denied"),
        pytest.param(
            NONE_MATCHES, [ACCOUNT, OTHER], "Nothing could be read.", id="denied, with a filter"
        ),
        pytest.param(
            {}, [OTHER], "No image has Fast Launch in what could be read.", id="denied in part"
        ),
    ],
)
def test_it_says_whether_none_is_known(
    accounts: list[fl.Target], read: dict[str, Any], denied: list[str], says: str
) -> None:
    """Without images a sweep claims that there is none only where all could be read."""
    with inject_faults(unauthorized=denied):
        swept = fl.sweep(accounts, regions="sa-east-1", **read)
    assert f"<b>{says}</b>" in swept._repr_html_()
    assert fl.capacity(swept.images).layout.title.text == "No image to show."


def test_a_hostile_name_is_only_text(demo: Demo) -> None:
    """The name of an account, which its owner chooses, is markup nowhere."""
    with inject_faults(unauthorized=[ACCOUNT]):
        swept = fl.sweep(fl.Target(account_name=HOSTILE), regions=REGION)
    html = swept._repr_html_()
    assert "<img" not in html
    assert "</script>" not in html
    assert "&lt;img" in html
    assert "\u202e" not in html


@pytest.fixture
def many(ec2: Any) -> int:
    """Five hundred images in one region, in-process: three pages."""
    ec2.add_fast_launch_images(
        FastLaunchImage(f"ami-{number:017x}", state="enabled") for number in range(500)
    )
    return 500


def test_pages_are_as_large_as_can_be(many: int) -> None:
    """A sweep asks for the largest pages there are."""
    swept = fl.sweep(regions=REGION)
    assert swept.coverage[["pages", "rows"]].values.tolist() == [[3, many]]


def test_it_can_be_kept(demo: Demo, accounts: list[fl.Target]) -> None:
    """A sweep can be pickled, and goes on when it comes back."""
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=demo.regions)
    back = pickle.loads(pickle.dumps(swept))
    pd.testing.assert_frame_equal(back.images, swept.images)
    assert_same(fl.sweep(resume=back).images, fleet(demo))
