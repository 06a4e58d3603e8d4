"""A sweep where things go wrong: no row is lost, none comes twice, every failure has its name."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from types import SimpleNamespace
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.collect.tasks import RegionScan
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import EC2Error
from fastlaunch_nb.emulator.faults import FAULTS, inject_faults
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.cases import some
from tests.helpers.processes import LIMIT
from tests.helpers.samples import ACCOUNT, REGION, denied

OTHER = "111122223333"
REGIONS = ["eu-west-1", "us-east-1"]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let botocore's retries go on at once; what they would have waited is here."""
    waited: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def pages(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[pd.DataFrame]:
    """Two regions of 23 images each, in pages of 5, in-process; and what a sweep of them brings."""
    monkeypatch.setattr("fastlaunch_nb.aws.fast_launch_pages.MAX_PAGE_SIZE", 5)
    for region in REGIONS:
        get_backend(ACCOUNT, region).add_fast_launch_images(
            FastLaunchImage(f"ami-{number:017x}", state="enabled") for number in range(23)
        )
    yield fl.sweep(regions=REGIONS).images
    FAULTS.clear()


def assert_same(found: fl.Sweep, expected: pd.DataFrame) -> None:
    """Every row, in order, and none of them twice."""
    pd.testing.assert_frame_equal(found.images, expected, check_flags=False)
    assert found.coverage["status"].tolist() == ["complete"] * 2
    assert found.coverage["rows"].sum() == len(expected)


# --- what botocore's retries outlive --------------------------------------------------


def test_throttling(pages: pd.DataFrame, waits: list[float]) -> None:
    """Of ten calls three are throttled: all is read, and the coverage tells of the retries."""
    with inject_faults(throttle_rate=0.3, seed=3):
        swept = fl.sweep(regions=REGIONS)
    assert_same(swept, pages)
    assert waits
    assert swept.coverage["retries"].sum() == len(waits)


def test_server_errors_and_dropped_connections(demo: Demo, waits: list[float]) -> None:
    """Over HTTP, with errors of the server and connections that end without an answer."""
    accounts = fl.targets(profiles=demo.accounts.values())
    expected = fl.sweep(accounts, regions=demo.regions).images
    with inject_faults(error_rate=0.2, drop_rate=0.2, seed=5):
        swept = fl.sweep(accounts, regions=demo.regions)
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)
    assert waits


# --- what they do not -----------------------------------------------------------------


def test_an_account_without_permission(demo: Demo) -> None:
    """One account is refused: the other is complete, and the refusal says what to allow."""
    accounts = fl.targets(profiles=demo.accounts.values())
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=demo.regions)
    assert set(swept.images["account_id"]) == {ACCOUNT}
    failures = swept.failures
    assert failures["account_id"].tolist() == [OTHER] * 3
    assert failures["status"].tolist() == ["failed"] * 3
    assert failures["error_code"].tolist() == ["UnauthorizedOperation"] * 3
    for name, part in (("error_message", "Allow the IAM action ec2:"), ("request_id", "fa571a00")):
        assert failures[name].str.contains(part).tolist() == [True] * 3, name
    assert failures[["pages", "rows"]].values.tolist() == [[0, 0]] * 3
    assert failures["observed_at"].tolist() == [CLOCK.now()] * 3


def test_every_look_has_a_time(demo: Demo) -> None:
    """A look that AWS did not answer has the time of its sweep, by AWS's clock if any look has."""
    demo.clock.advance(hours=3)
    swept = fl.sweep(regions=[REGION, "ap-east-1", "cn-north-1"])
    assert swept.coverage["observed_at"].tolist() == [demo.clock.now()] * len(swept.coverage)
    with inject_faults(unauthorized=[ACCOUNT]):
        refused = fl.sweep(regions=REGION)
    demo.clock.advance(hours=1)
    assert set(fl.sweep(resume=refused).images["observed_at"]) == {demo.clock.now()}
    nowhere = fl.sweep(fl.targets(profiles="default"), regions=["cn-north-1"])
    assert nowhere.coverage["observed_at"].tolist() == [nowhere.started_at]


def test_strict_names_them_all(demo: Demo) -> None:
    """strict raises one error with every failure in it; what was read is not lost."""
    accounts = fl.targets(profiles=demo.accounts.values())
    with inject_faults(unauthorized=[OTHER]), pytest.raises(fl.SweepError) as caught:
        fl.sweep(accounts, regions=demo.regions, strict=True)
    lines = str(caught.value).splitlines()
    expected = [f"game-servers · {OTHER} · {region}: failed" for region in sorted(demo.regions)]
    assert [line.partition(": ")[0] + ": failed" for line in lines] == expected
    assert set(caught.value.sweep.images["account_id"]) == {ACCOUNT}
    again = fl.sweep(resume=caught.value.sweep, strict=True)
    assert len(again.images) == demo.images


def test_an_account_that_does_not_open(demo: Demo) -> None:
    """A role that can not be assumed is a failure in every region that was named, else one row."""
    role = fl.targets(accounts=OTHER, role="FastLaunchReader")
    with denied("AssumeRole"):
        named, listed = fl.sweep(role, regions=REGIONS), fl.sweep(role)
    assert named.failures[["account_id", "region"]].values.tolist() == [[OTHER, r] for r in REGIONS]
    assert listed.failures["account_id"].tolist() == [OTHER]
    assert listed.failures["region"].isna().tolist() == [True]
    assert "trust policy" in listed.failures["error_message"].item()
    again = fl.sweep(resume=listed)
    assert again.failures.empty
    assert len(again.images) > 0
    assert set(again.coverage["region"].notna()) == {True}


def test_a_dead_region(pages: pd.DataFrame, waits: list[float]) -> None:
    """A region that can not be reached is tried, then named; the others are complete."""
    session = boto3.Session(region_name=REGION)

    def dead(request: Any, **_: Any) -> None:
        if "eu-west-1" in request.url:
            raise EndpointConnectionError(endpoint_url=request.url)

    session.events.register("before-send.ec2", dead)
    swept = fl.sweep(session, regions=REGIONS)
    assert swept.coverage["status"].tolist() == ["failed", "complete"]
    assert swept.failures["error_code"].tolist() == ["EndpointConnectionError"]
    assert swept.failures["retries"].tolist() == [7]
    assert len(swept.images) == 23
    assert_same(fl.sweep(boto3.Session(region_name=REGION), resume=swept), pages)


def test_a_session_is_asked_for_again(pages: pd.DataFrame) -> None:
    """A sweep keeps no session: whoever resumes one that read with it passes it again."""
    with inject_faults(unauthorized=[ACCOUNT]):
        swept = fl.sweep(boto3.Session(), regions=REGIONS)
    with pytest.raises(fl.InputError, match="Pass it again"):
        fl.sweep(resume=swept)
    assert_same(fl.sweep(boto3.Session(), resume=swept), pages)


def test_resumed_with_some_of_the_targets(demo: Demo) -> None:
    """Whoever resumes one account of several leaves the others as they were, to be resumed too."""
    profiles = list(demo.accounts.values())
    with denied("GetCallerIdentity", "AssumeRole", "DescribeRegions", code="ExpiredToken"):
        swept = fl.sweep(fl.targets(profiles=profiles))
    assert swept.failures["account_name"].tolist() == profiles
    assert swept.failures["region"].isna().tolist() == [True, True]
    one = fl.sweep(boto3.Session(profile_name=profiles[1]), resume=swept)
    assert set(one.images["account_id"]) == {OTHER}
    assert profiles[0] in one.failures["account_name"].tolist()
    both = fl.sweep(resume=one)
    assert len(both.images) == demo.images
    assert both.coverage["region"].notna().sum() == 2 * len(
        fl.sweep(fl.targets(profiles=profiles[0])).coverage
    )


def test_given_targets_are_known_by_their_accounts(demo: Demo) -> None:
    """Targets of a resumed sweep come in any order: whose rows they bring is told by AWS."""
    accounts = fl.targets(profiles=demo.accounts.values())
    expected = fl.sweep(accounts, regions=REGIONS).images
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=REGIONS)
        swept = fl.sweep(accounts[::-1], resume=swept)
        assert set(swept.failures["account_id"]) == {OTHER}
    swept = fl.sweep(resume=swept)
    assert swept.failures.empty
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)


def test_no_account_is_taken_for_another(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the credentials have come to lead elsewhere, that is a failure, and no row of it."""
    with inject_faults(unauthorized=[ACCOUNT]):
        swept = fl.sweep(regions=REGIONS)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(profile_name="game-servers"))
    again = fl.sweep(resume=swept)
    assert again.images.empty
    assert again.failures["account_id"].tolist() == [ACCOUNT] * 2
    for message in some(again.failures["error_message"]):
        assert f"account {OTHER}, and the sweep" in message
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert fl.sweep(resume=again).failures.empty
    wrong = fl.sweep(fl.Target(account_id=OTHER), regions=REGIONS)
    assert wrong.images.empty
    for message in some(wrong.failures["error_message"]):
        assert f"not to {OTHER}" in message


def test_what_was_read_outlives_a_failed_resume(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that can not be opened any more keeps what it brought, and where to go on."""
    role = fl.targets(accounts=OTHER, role="FastLaunchReader")
    whole = fl.sweep(role, regions=REGIONS)
    with monkeypatch.context() as patch:
        Breaking(patch, "InternalFailure", {1})
        swept = fl.sweep(role, regions=[*REGIONS, "cn-north-1"], max_workers=1)
    assert sorted(swept.coverage["status"]) == ["complete", "failed"]
    with denied("AssumeRole"):
        again = fl.sweep(resume=swept)
    assert sorted(again.coverage["status"]) == ["complete", "failed"]
    assert len(again.images) == len(swept.images) > 0
    assert again.failures["error_code"].tolist() == ["AccessDenied"]
    pd.testing.assert_frame_equal(fl.sweep(resume=again).images, whole.images, check_flags=False)


def test_regions_of_another_partition_are_forgotten_once_it_is_known(demo: Demo) -> None:
    """An account that did not open failed in every region named; opened, it has only its own."""
    regions = ["cn-north-1", REGION]
    with denied("AssumeRole"):
        swept = fl.sweep(fl.targets(accounts=OTHER, role="FastLaunchReader"), regions=regions)
    assert swept.failures["region"].tolist() == regions
    assert fl.sweep(resume=swept).coverage["region"].tolist() == [REGION]


# --- broken off, and resumed ----------------------------------------------------------


class Breaking:
    """Has the embedded EC2 refuse every request that some numbers say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: str, numbers: set[int]) -> None:
        self.code, self.numbers, self.count = code, numbers, 0
        monkeypatch.setattr(FAULTS, "delay_or_refuse", self)

    def __call__(self, request: Any) -> None:
        """Count a request, and refuse it where its number is one of those."""
        self.count += 1
        if self.count in self.numbers:
            raise EC2Error(self.code, f"{self.code} at request {self.count}", 400)


@given(st.lists(st.sets(st.integers(1, 12), max_size=6), max_size=4), st.booleans())
def test_resumed_equals_read_at_once(
    pages: pd.DataFrame,
    breaks: list[set[int]],
    one: bool,
) -> None:
    """However often and wherever it breaks off: resumed to its end, it is as if read at once."""
    with pytest.MonkeyPatch.context() as patch:
        breaking = Breaking(patch, "RequestExpired", set())
        swept = None
        for numbers in [*breaks, set()]:
            breaking.numbers, breaking.count = numbers, 0
            swept = fl.sweep(
                regions=None if swept else REGIONS, resume=swept, max_workers=1 if one else 4
            )
            assert not swept.images.duplicated(["account_id", "region", "image_id"]).any()
            assert swept.coverage["rows"].sum() == len(swept.images)
    assert swept is not None
    assert_same(swept, pages)


def test_credentials_that_expire_halfway(
    pages: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is kept, with where to go on; fresh credentials ask for no page again."""
    breaking = Breaking(monkeypatch, "ExpiredToken", set(range(4, 1000)))
    swept = fl.sweep(regions=REGIONS, max_workers=1)
    assert swept.coverage["status"].tolist() == ["partial", "failed"]
    assert swept.coverage["pages"].tolist() == [3, 0]
    assert swept.failures["error_code"].tolist() == ["ExpiredToken"] * 2
    assert swept.coverage["checkpoint"].notna().tolist() == [True, False]
    assert len(swept.images) == 15
    breaking.numbers, breaking.count = set(), 0
    again = fl.sweep(boto3.Session(), resume=swept)
    assert breaking.count == 2 + 5
    assert_same(again, pages)
    assert again.sweep_id == swept.sweep_id
    assert again.started_at == swept.started_at


def test_nothing_known_is_asked_again(demo: Demo) -> None:
    """Resuming asks for no region that is complete, and for no list of regions."""
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(fl.targets(organization=True, role="FastLaunchReader"))
    asked: list[str] = []
    boto3.DEFAULT_SESSION = session = boto3.Session()

    def count(model: Any, **_: Any) -> None:
        asked.append(model.name)

    session.events.register("before-call", count)
    again = fl.sweep(resume=swept)
    assert again.failures.empty
    assert len(again.images) == demo.images
    left = len(swept.failures)
    assert sorted(asked) == ["AssumeRole", *["DescribeFastLaunchImages"] * left]
    assert fl.sweep(resume=again).images.equals(again.images)
    assert len(asked) == 1 + left


def test_a_connection_cut_inside_a_page(demo: Demo) -> None:
    """Answers end half-way: each read is named with what it has, and resuming brings the rest."""
    expected = fl.sweep(regions=demo.regions).images
    with inject_faults(truncate_rate=0.5, seed=1):
        swept = fl.sweep(regions=demo.regions)
        assert not swept.failures.empty
        for _ in range(20):
            swept = fl.sweep(resume=swept)
    assert swept.failures.empty
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)


def test_tokens_that_expire(pages: pd.DataFrame) -> None:
    """A token that is no longer known ends a read as partial; resuming starts that one anew."""
    with inject_faults(expire_tokens=True):
        swept = fl.sweep(regions=REGIONS)
        assert swept.coverage["status"].tolist() == ["partial"] * 2
        assert swept.failures["error_code"].tolist() == ["InvalidNextToken"] * 2
        assert len(swept.images) == 10
        still = fl.sweep(resume=swept)
        assert len(still.images) == 10
    again = fl.sweep(resume=still)
    assert_same(again, pages)


def test_what_had_to_start_anew_is_not_mixed(pages: pd.DataFrame) -> None:
    """Rows of a look that starts anew are the new ones only: an image that has gone is gone."""
    with inject_faults(expire_tokens=True):
        swept = fl.sweep(regions=REGIONS)
    gone = swept.images["image_id"].iloc[0]
    expiring = FAULTS.delay_or_refuse
    get_backend(ACCOUNT, "eu-west-1").disable_fast_launch(gone)
    CLOCK.advance(hours=2)

    def expire(request: Any) -> None:
        if request.region == "eu-west-1" and not over:
            over.append(True)
            raise EC2Error("InvalidNextToken", "The token has expired.")
        expiring(request)

    over: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FAULTS, "delay_or_refuse", expire)
        again = fl.sweep(resume=swept)
    assert over
    left = again.images[again.images["region"] == "eu-west-1"]
    assert gone not in set(left["image_id"])
    assert len(left) == 22


def test_a_page_that_repeats_its_token(pages: pd.DataFrame) -> None:
    """Pages that lead in a circle end a read as partial, with no row twice; resuming goes on."""
    with inject_faults(repeat_token=True):
        swept = fl.sweep(regions=REGIONS)
        assert swept.failures["error_code"].tolist() == ["PaginationError"] * 2
        assert not swept.images.duplicated(["region", "image_id"]).any()
        swept = fl.sweep(resume=swept)
        assert not swept.images.duplicated(["region", "image_id"]).any()
    again = fl.sweep(resume=swept)
    pd.testing.assert_frame_equal(again.images, pages, check_flags=False)


# --- Ctrl-C ---------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2])
def test_ctrl_c_returns_what_is_there(
    pages: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Whenever it comes: every place is covered, what was read is there, the rest resumes."""
    real, calls = futures.wait, iter(range(1000))

    def wait(*args: Any, **named: Any) -> Any:
        if next(calls) == after:
            raise KeyboardInterrupt
        return real(*args, **named)

    monkeypatch.setattr(futures, "wait", wait)
    swept = fl.sweep(regions=REGIONS, max_workers=1)
    assert swept.was_interrupted
    assert swept.coverage["region"].tolist() == REGIONS
    assert swept.coverage["rows"].sum() == len(swept.images)
    told = swept.failures
    assert set(told["status"]) <= {"partial", "interrupted"}
    assert set(told["error_code"]) == {"Interrupted"}
    assert_same(fl.sweep(resume=swept), pages)


def test_ctrl_c_twice_waits_for_nothing(
    pages: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second Ctrl-C gives up what is under way; the pages it had brought are there."""
    reached, go = futures.Future[None](), RegionScan._take
    blocked = futures.Future[None]()

    def take(self: RegionScan, page: Any) -> None:
        go(self, page)
        if self.pages == 2:
            reached.set_result(None)
            blocked.result()

    def wait(*_: Any, **__: Any) -> Any:
        if sent:
            reached.result(LIMIT)
            raise KeyboardInterrupt
        sent.append(True)
        return real(*_, **__)

    real, sent = futures.wait, list[bool]()
    monkeypatch.setattr(RegionScan, "_take", take)
    monkeypatch.setattr(futures, "wait", wait)
    try:
        swept = fl.sweep(regions=REGIONS[:1], max_workers=1)
    finally:
        blocked.set_result(None)
    assert swept.coverage[["status", "pages", "rows"]].values.tolist() == [["partial", 2, 10]]
    assert len(swept.images) == 10
