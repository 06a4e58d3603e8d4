"""Sweeps with failures: no row is lost or repeated, and every failure is in the coverage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import SimpleNamespace
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import fastlaunch_nb as fl
from fastlaunch_nb.aws import sessions
from fastlaunch_nb.collect.scheduler import SweepScheduler
from fastlaunch_nb.collect.tasks import RegionScan
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.faults import FAULTS
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.cases import some
from tests.helpers.emulator import add_fast_launch_images, inject_faults
from tests.helpers.processes import LIMIT
from tests.helpers.samples import ACCOUNT, REGION, deny_operations
from tests.helpers.sweeps import OTHER

REGIONS = ["eu-west-1", "us-east-1"]


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays of botocore's retries, which go on at once."""
    seconds: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture
def images(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[pd.DataFrame]:
    """The images of two regions, 23 in each, in pages of 5, in-process."""
    monkeypatch.setattr("fastlaunch_nb.aws.fast_launch_pages.MAX_PAGE_SIZE", 5)
    for region in REGIONS:
        add_fast_launch_images(
            get_backend(ACCOUNT, region),
            (FastLaunchImage(f"ami-{number:017x}", state="enabled") for number in range(23)),
        )
    yield fl.sweep(regions=REGIONS).images
    FAULTS.clear()


def assert_complete(swept: fl.Sweep, expected: pd.DataFrame) -> None:
    """Check that a sweep has every row once, in order, and a complete coverage."""
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)
    assert swept.coverage["status"].tolist() == ["complete"] * 2
    assert swept.coverage["rows"].sum() == len(expected)


# --- failures that retries solve ------------------------------------------------------


def test_throttled_requests_are_retried(images: pd.DataFrame, delays: list[float]) -> None:
    """If three of ten requests are throttled, all is read, and the coverage has the retries."""
    with inject_faults(throttle_rate=0.3, seed=3):
        swept = fl.sweep(regions=REGIONS)
    assert_complete(swept, images)
    assert delays
    assert swept.coverage["retries"].sum() == len(delays)


def test_server_errors_and_dropped_connections_are_retried(demo: Demo, delays: list[float]) -> None:
    """Over HTTP, all is read despite server errors and connections without a response."""
    accounts = fl.targets(profiles=demo.accounts.values())
    expected = fl.sweep(accounts, regions=demo.regions).images
    with inject_faults(error_rate=0.2, drop_rate=0.2, seed=5):
        swept = fl.sweep(accounts, regions=demo.regions)
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)
    assert delays


# --- failures that remain -------------------------------------------------------------


def test_a_denied_account_does_not_affect_the_other(demo: Demo) -> None:
    """The other account is complete, and the failures of the denied one say what to allow."""
    accounts = fl.targets(profiles=demo.accounts.values())
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=demo.regions)
    assert set(swept.images["account_id"]) == {ACCOUNT}
    failures = swept.failures
    assert failures["account_id"].tolist() == [OTHER] * 3
    assert failures["status"].tolist() == ["failed"] * 3
    assert failures["error_code"].tolist() == ["UnauthorizedOperation"] * 3
    assert failures["request_id"].str.contains("fa571a00").tolist() == [True] * 3
    [message] = failures["error_message"].unique()
    assert message.startswith("DescribeFastLaunchImages: AWS answered UnauthorizedOperation: You")
    assert message.endswith("Allow the IAM action ec2:DescribeFastLaunchImages.")
    assert failures[["pages", "rows"]].values.tolist() == [[0, 0]] * 3
    assert failures["observed_at"].tolist() == [CLOCK.now()] * 3


def test_every_scan_has_a_time(demo: Demo) -> None:
    """A scan without a response has the latest time of the sweep, by AWS's clock if possible."""
    demo.clock.advance(hours=3)
    swept = fl.sweep(regions=[REGION, "ap-east-1", "cn-north-1"])
    assert swept.coverage["observed_at"].tolist() == [demo.clock.now()] * len(swept.coverage)
    with inject_faults(unauthorized=[ACCOUNT]):
        denied_sweep = fl.sweep(regions=REGION)
    demo.clock.advance(hours=1)
    assert set(fl.sweep(resume=denied_sweep).images["observed_at"]) == {demo.clock.now()}
    nowhere = fl.sweep(fl.targets(profiles="default"), regions=["cn-north-1"])
    assert nowhere.coverage["observed_at"].tolist() == [nowhere.started_at]


def test_strict_names_every_failure(demo: Demo) -> None:
    """strict raises one error with every failure, and with the rows that were read."""
    accounts = fl.targets(profiles=demo.accounts.values())
    with inject_faults(unauthorized=[OTHER]), pytest.raises(fl.SweepError) as caught:
        fl.sweep(accounts, regions=demo.regions, strict=True)
    lines = str(caught.value).splitlines()
    expected = [f"game-servers · {OTHER} · {region}: failed" for region in sorted(demo.regions)]
    assert [line.partition(": ")[0] + ": failed" for line in lines] == expected
    assert set(caught.value.sweep.images["account_id"]) == {ACCOUNT}
    again = fl.sweep(resume=caught.value.sweep, strict=True)
    assert len(again.images) == demo.images


def test_a_role_that_cannot_be_assumed_is_a_failure(demo: Demo) -> None:
    """It is a failure in every requested region, or one row if no region was requested."""
    role = fl.targets(accounts=OTHER, role="FastLaunchReader")
    with deny_operations("AssumeRole"):
        requested, listed = fl.sweep(role, regions=REGIONS), fl.sweep(role)
    failures = requested.failures[["account_id", "region"]]
    assert failures.values.tolist() == [[OTHER, region] for region in REGIONS]
    assert listed.failures["account_id"].tolist() == [OTHER]
    assert listed.failures["region"].isna().tolist() == [True]
    assert "trust policy" in listed.failures["error_message"].item()
    again = fl.sweep(resume=listed)
    assert again.failures.empty
    assert len(again.images) > 0
    assert set(again.coverage["region"].notna()) == {True}


def test_an_unreachable_region_is_a_failure(images: pd.DataFrame, delays: list[float]) -> None:
    """An unreachable region is tried several times; the others are complete."""
    session = boto3.Session(region_name=REGION)

    def fail(request: Any, **_: Any) -> None:
        if "eu-west-1" in request.url:
            raise EndpointConnectionError(endpoint_url=request.url)

    session.events.register("before-send.ec2", fail)
    swept = fl.sweep(session, regions=REGIONS)
    assert swept.coverage["status"].tolist() == ["failed", "complete"]
    assert swept.failures["error_code"].tolist() == ["EndpointConnectionError"]
    assert swept.failures["retries"].tolist() == [7]
    assert len(swept.images) == 23
    assert_complete(fl.sweep(boto3.Session(region_name=REGION), resume=swept), images)


def test_a_session_must_be_passed_again(images: pd.DataFrame) -> None:
    """A sweep does not store a session: to resume the sweep, pass the session again."""
    with inject_faults(unauthorized=[ACCOUNT]):
        swept = fl.sweep(boto3.Session(), regions=REGIONS)
    with pytest.raises(fl.InputError, match="Pass it again"):
        fl.sweep(resume=swept)
    assert_complete(fl.sweep(boto3.Session(), resume=swept), images)


def test_some_targets_can_be_resumed_first(demo: Demo) -> None:
    """If one account of several is resumed, the others stay as they are for a later resume."""
    profiles = list(demo.accounts.values())
    with deny_operations("GetCallerIdentity", "AssumeRole", "DescribeRegions", code="ExpiredToken"):
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


def test_targets_are_matched_by_account(demo: Demo) -> None:
    """Targets of a resumed sweep may have any order: AWS identifies their accounts."""
    accounts = fl.targets(profiles=demo.accounts.values())
    expected = fl.sweep(accounts, regions=REGIONS).images
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(accounts, regions=REGIONS)
        swept = fl.sweep(accounts[::-1], resume=swept)
        assert set(swept.failures["account_id"]) == {OTHER}
    swept = fl.sweep(resume=swept)
    assert swept.failures.empty
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)


def test_an_account_is_never_mistaken_for_another(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the credentials now lead to another account, that is a failure without rows."""
    with inject_faults(unauthorized=[ACCOUNT]):
        swept = fl.sweep(regions=REGIONS)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(profile_name="game-servers"))
    again = fl.sweep(resume=swept)
    assert again.images.empty
    assert again.failures["account_id"].tolist() == [ACCOUNT] * 2
    for message in some(again.failures["error_message"]):
        assert f"account {OTHER}, but the sweep" in message
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert fl.sweep(resume=again).failures.empty
    wrong = fl.sweep(fl.Target(account_id=OTHER), regions=REGIONS)
    assert wrong.images.empty
    for message in some(wrong.failures["error_message"]):
        assert f"not to {OTHER}" in message


def test_rows_survive_a_failed_resume(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that no longer opens keeps its rows, and the page to continue from."""
    role = fl.targets(accounts=OTHER, role="FastLaunchReader")
    expected = fl.sweep(role, regions=REGIONS)
    with monkeypatch.context() as patch:
        FailingRequests(patch, "InternalFailure", {1})
        swept = fl.sweep(role, regions=[*REGIONS, "cn-north-1"], max_workers=1)
    assert sorted(swept.coverage["status"]) == ["complete", "failed"]
    monkeypatch.setattr(sessions, "_profiles", {})  # as in another process, without the role
    with deny_operations("AssumeRole"):
        again = fl.sweep(resume=swept)
    assert sorted(again.coverage["status"]) == ["complete", "failed"]
    assert len(again.images) == len(swept.images) > 0
    assert again.failures["error_code"].tolist() == ["AccessDenied"]
    pd.testing.assert_frame_equal(fl.sweep(resume=again).images, expected.images, check_flags=False)


def test_an_opened_account_loses_regions_of_other_partitions(demo: Demo) -> None:
    """Before it opens, an account fails in every requested region; then it has only its own."""
    regions = ["cn-north-1", REGION]
    with deny_operations("AssumeRole"):
        swept = fl.sweep(fl.targets(accounts=OTHER, role="FastLaunchReader"), regions=regions)
    assert swept.failures["region"].tolist() == regions
    assert fl.sweep(resume=swept).coverage["region"].tolist() == [REGION]


# --- interrupted and resumed ----------------------------------------------------------


class FailingRequests:
    """A hook that makes the embedded EC2 refuse the requests with some numbers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: str, numbers: set[int]) -> None:
        self.code, self.numbers, self.count = code, numbers, 0
        monkeypatch.setattr(FAULTS, "delay_or_refuse", self)

    def __call__(self, request: Any) -> None:
        """Count a request, and refuse it if its number is one of those."""
        self.count += 1
        if self.count in self.numbers:
            raise EC2Error(self.code, f"{self.code} at request {self.count}", 400)


@given(st.lists(st.sets(st.integers(1, 12), max_size=6), max_size=4), st.booleans())
def test_resumed_sweeps_equal_one_sweep(
    images: pd.DataFrame, failures: list[set[int]], one_worker: bool
) -> None:
    """However often and wherever a sweep fails, resumed to its end it equals one sweep."""
    with pytest.MonkeyPatch.context() as patch:
        failing = FailingRequests(patch, "RequestExpired", set())
        swept = None
        for numbers in [*failures, set()]:
            failing.numbers, failing.count = numbers, 0
            swept = fl.sweep(
                regions=None if swept else REGIONS, resume=swept, max_workers=1 if one_worker else 4
            )
            assert not swept.images.duplicated(["account_id", "region", "image_id"]).any()
            assert swept.coverage["rows"].sum() == len(swept.images)
    assert swept is not None
    assert_complete(swept, images)


def test_expired_credentials_lose_no_page(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep has its pages and where to continue; new credentials request no page again."""
    failing = FailingRequests(monkeypatch, "ExpiredToken", set(range(4, 1000)))
    swept = fl.sweep(regions=REGIONS, max_workers=1)
    assert swept.coverage["status"].tolist() == ["partial", "failed"]
    assert swept.coverage["pages"].tolist() == [3, 0]
    assert swept.failures["error_code"].tolist() == ["ExpiredToken"] * 2
    assert swept.coverage["checkpoint"].notna().tolist() == [True, False]
    assert len(swept.images) == 15
    failing.numbers, failing.count = set(), 0
    again = fl.sweep(boto3.Session(), resume=swept)
    assert failing.count == 2 + 5
    assert_complete(again, images)
    assert again.sweep_id == swept.sweep_id
    assert again.started_at == swept.started_at


def test_a_resume_requests_only_what_is_missing(demo: Demo) -> None:
    """Resuming requests neither a complete region nor the list of regions."""
    with inject_faults(unauthorized=[OTHER]):
        swept = fl.sweep(fl.targets(organization=True, role="FastLaunchReader"))
    calls: list[str] = []
    boto3.DEFAULT_SESSION = session = boto3.Session()

    def record(model: Any, **_: Any) -> None:
        calls.append(model.name)

    session.events.register("before-call", record)
    again = fl.sweep(resume=swept)
    assert again.failures.empty
    assert len(again.images) == demo.images
    left = len(swept.failures)
    assert sorted(calls) == ["AssumeRole", *["DescribeFastLaunchImages"] * left]
    assert fl.sweep(resume=again).images.equals(again.images)
    assert len(calls) == 1 + left


def test_a_truncated_page_is_read_again(demo: Demo) -> None:
    """If responses end early, resuming reads the missing rows."""
    expected = fl.sweep(regions=demo.regions).images
    with inject_faults(truncate_rate=0.5, seed=1):
        swept = fl.sweep(regions=demo.regions)
        assert not swept.failures.empty
        for _ in range(20):
            swept = fl.sweep(resume=swept)
    assert swept.failures.empty
    pd.testing.assert_frame_equal(swept.images, expected, check_flags=False)


def test_an_expired_token_restarts_the_scan(images: pd.DataFrame) -> None:
    """A token that has expired ends a scan as partial; resuming starts it again."""
    with inject_faults(expire_tokens=True):
        swept = fl.sweep(regions=REGIONS)
        assert swept.coverage["status"].tolist() == ["partial"] * 2
        assert swept.failures["error_code"].tolist() == ["InvalidNextToken"] * 2
        assert len(swept.images) == 10
        still = fl.sweep(resume=swept)
        assert len(still.images) == 10
    again = fl.sweep(resume=still)
    assert_complete(again, images)


def test_a_restarted_scan_drops_its_earlier_rows(images: pd.DataFrame) -> None:
    """A restarted scan has its new rows only: an image that has gone is gone."""
    with inject_faults(expire_tokens=True):
        swept = fl.sweep(regions=REGIONS)
    gone = swept.images["image_id"].iloc[0]
    real = FAULTS.delay_or_refuse
    get_backend(ACCOUNT, "eu-west-1").disable_fast_launch(gone)
    CLOCK.advance(hours=2)

    def expire(request: Any) -> None:
        if request.region == "eu-west-1" and not expired:
            expired.append(True)
            raise EC2Error("InvalidNextToken", "The token has expired.")
        real(request)

    expired: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FAULTS, "delay_or_refuse", expire)
        again = fl.sweep(resume=swept)
    assert expired
    left = again.images[again.images["region"] == "eu-west-1"]
    assert gone not in set(left["image_id"])
    assert len(left) == 22


def test_a_repeated_token_ends_the_scan(images: pd.DataFrame) -> None:
    """Pages that lead in a circle end a scan as partial, without repeated rows; it can resume."""
    with inject_faults(repeat_token=True):
        swept = fl.sweep(regions=REGIONS)
        assert swept.failures["error_code"].tolist() == ["PaginationError"] * 2
        assert not swept.images.duplicated(["region", "image_id"]).any()
        swept = fl.sweep(resume=swept)
        assert not swept.images.duplicated(["region", "image_id"]).any()
    again = fl.sweep(resume=swept)
    pd.testing.assert_frame_equal(again.images, images, check_flags=False)


# --- Ctrl-C ---------------------------------------------------------------------------


class Results(SimpleQueue[Any]):
    """The results that a scheduler waits for; Ctrl-C comes with one of the waits."""

    waits = 0
    interrupted_at: frozenset[int] = frozenset()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Wait for a result."""
        self.waits += 1
        if self.waits in self.interrupted_at:
            raise KeyboardInterrupt
        return super().get(block, timeout)


@pytest.mark.parametrize("wait", [1, 2, 3])
def test_ctrl_c_returns_the_rows_so_far(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, wait: int
) -> None:
    """Whenever it comes, the coverage has every region, and the sweep can be resumed."""
    queue = type("Interrupted", (Results,), {"interrupted_at": {wait}})
    monkeypatch.setattr("fastlaunch_nb.collect.scheduler.SimpleQueue", queue)
    swept = fl.sweep(regions=REGIONS, max_workers=1)
    assert swept.was_interrupted
    assert swept.coverage["region"].tolist() == REGIONS
    assert swept.coverage["rows"].sum() == len(swept.images)
    assert set(swept.failures["status"]) <= {"partial", "interrupted"}
    assert set(swept.failures["error_code"]) == {"Interrupted"}
    monkeypatch.undo()
    assert_complete(fl.sweep(resume=swept), images)


def test_a_read_that_does_not_end_is_left_behind(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `stop`, the pages of a scan that cannot be ended are in the sweep, and it returns."""
    stop, unblocked, real_record = Event(), Event(), RegionScan._record_page

    def record_page(self: RegionScan, page: Any) -> None:
        real_record(self, page)
        if self.pages == 2:
            stop.set()
            unblocked.wait(LIMIT)

    monkeypatch.setattr(RegionScan, "_record_page", record_page)
    try:
        swept = fl.sweep(regions=REGIONS[:1], max_workers=1, stop=stop)
    finally:
        unblocked.set()
    assert swept.coverage[["status", "pages", "rows"]].values.tolist() == [["partial", 2, 10]]
    assert len(swept.images) == 10
    assert swept.was_interrupted


# --- resumed from a coverage that was saved -------------------------------------------


def save_and_load(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return a table as it comes back from a Parquet file."""
    table.to_parquet(folder / "table.parquet")
    return pd.read_parquet(folder / "table.parquet")


@given(st.lists(st.sets(st.integers(1, 12), max_size=6), max_size=4))
def test_parts_of_a_sweep_are_the_whole(
    images: pd.DataFrame, tmp_path: Path, failures: list[set[int]]
) -> None:
    """Law: resumed from the saved coverage until nothing is missing, each row is read once."""
    with pytest.MonkeyPatch.context() as patch:
        failing = FailingRequests(patch, "RequestExpired", set())
        part = fl.sweep(regions=REGIONS)
        parts, left = [part.images.head(0)], part.coverage.assign(status="failed", checkpoint=None)
        for numbers in [*failures, set()]:
            failing.numbers, failing.count = numbers, 0
            part = fl.sweep(resume=save_and_load(left, tmp_path))
            parts.append(part.images)
            left = part.coverage
    assert part.failures.empty
    whole = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(
        whole.sort_values(["region", "image_id"], ignore_index=True), images, check_flags=False
    )


def test_a_part_has_the_missing_rows_only(
    images: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request is repeated; complete regions are left out; a second part has another id."""
    failing = FailingRequests(monkeypatch, "RequestExpired", {9, 10})
    swept = fl.sweep(regions=REGIONS, max_workers=1)
    assert swept.coverage["status"].tolist() == ["complete", "partial"]
    failing.numbers, failing.count = set(), 0
    part = fl.sweep(resume=save_and_load(swept.coverage, tmp_path))
    assert failing.count == 2
    assert part.coverage[["region", "status", "pages", "rows"]].values.tolist() == [
        ["us-east-1", "complete", 2, 8]
    ]
    assert part.sweep_id != swept.sweep_id
    assert_frame_equal(pd.concat([swept.images, part.images], ignore_index=True), images)
    assert fl.sweep(resume=part.coverage).coverage.empty


def test_a_part_proves_no_absence(images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that began at a later page has not listed every image: its scope names the page."""
    failing = FailingRequests(monkeypatch, "RequestExpired", {4, 5})
    swept = fl.sweep(regions=REGION)
    failing.numbers = set()
    CLOCK.advance(hours=1)
    part = fl.sweep(resume=swept.coverage)
    [scope] = part.coverage["scope"]
    assert json.loads(scope) == {"StartingToken": swept.coverage["checkpoint"][0]}
    seen = pd.concat([swept.images, part.images])
    scans = pd.concat([swept.coverage, part.coverage])
    assert set(fl.intervals(seen, scans)["state"]) == {"enabled"}
    assert "absent" in set(fl.intervals(seen, scans.assign(scope=""))["state"])


def test_a_part_with_an_expired_token_is_the_whole_region(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that starts again has all rows of its region, and the scope of a whole read."""
    failing = FailingRequests(monkeypatch, "InvalidNextToken", {4, 5})
    swept = fl.sweep(regions=REGION)
    assert swept.coverage["pages"].tolist() == [3]
    whole = [["", "complete", 23]]
    part = fl.sweep(resume=swept.coverage)
    assert part.coverage[["scope", "status", "rows"]].values.tolist() == whole
    failing.numbers, failing.count = {2}, 0
    part = fl.sweep(resume=swept.coverage)
    assert part.coverage[["status", "rows"]].values.tolist() == [["partial", 5]]
    assert json.loads(part.coverage["scope"][0]).keys() == {"StartingToken"}
    for unread in (part, part.coverage):
        failing.numbers, failing.count = {1}, 0
        again = fl.sweep(resume=unread)
        assert again.coverage[["scope", "status", "rows"]].values.tolist() == whole


def test_a_part_that_reads_nothing_is_a_failed_whole(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part without a page has the scope of the sweep, and where to go on."""
    failing = FailingRequests(monkeypatch, "RequestExpired", {4, 6, 7})
    swept = fl.sweep(regions=REGION)
    first = fl.sweep(resume=swept.coverage)
    assert first.coverage["pages"].tolist() == [1]
    part = fl.sweep(resume=first.coverage)
    assert failing.count == 7
    assert part.coverage[["scope", "status"]].values.tolist() == [["", "failed"]]
    assert part.coverage["checkpoint"].notna().tolist() == [True]


def test_a_part_has_the_filters_of_the_sweep(demo: Demo) -> None:
    """Request and filters come from the scope, also for the whole: those that EC2 lacks as well."""
    filters = fl.Filters(state=["enabled", "enabling"], target_resource_count=(6, None))
    expected = fl.sweep(regions=demo.regions, filters=filters)
    assert len(expected.images)
    failed = expected.coverage.assign(status="failed")
    part = fl.sweep(resume=failed)
    assert_frame_equal(part.images, expected.images)
    assert part.coverage["scope"].tolist() == expected.coverage["scope"].tolist()
    with inject_faults(unauthorized=[ACCOUNT]):
        refused = fl.sweep(regions=demo.regions, filters=filters)
    assert_frame_equal(fl.sweep(resume=refused).images, expected.images)


def test_an_account_that_did_not_open_is_read_with_new_targets(demo: Demo) -> None:
    """Targets of a saved coverage are passed again; AWS identifies their accounts."""
    accounts = fl.targets(profiles=["missing", *demo.accounts.values()])
    swept = fl.sweep(accounts, regions=demo.regions)
    assert swept.failures["account_name"].tolist() == ["missing"] * 3
    part = fl.sweep(fl.targets(profiles=demo.accounts.values()), resume=swept.coverage)
    assert part.images.empty
    assert part.coverage["account_name"].tolist() == ["missing"] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "done"}, "resume has the status 'done'"),
        ({"status": None}, "resume has the status None"),
        ({"region": REGION}, "two rows for one account and region"),
        ({"scope": ["", '{"Filters": []}']}, "scans with different filters"),
        ({"scope": "{"}, "a scope that is no JSON"),
        ({"scope": '{"DryRun": true}'}, "a scope with other parameters"),
        ({"scope": '{"ImageIds": ["x"]}'}, "'x'"),
        ({"pages": "many"}, "pages is"),
    ],
)
def test_another_table_is_refused(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    """A table that is not the coverage of one sweep is refused before any request is sent."""
    coverage = fl.sweep(regions=REGIONS).coverage.assign(**change)
    monkeypatch.setattr(SweepScheduler, "run", lambda *_: pytest.fail("something was sent"))
    with pytest.raises(fl.InputError, match=message):
        fl.sweep(resume=coverage)
    with pytest.raises(fl.InputError, match="checkpoint"):
        fl.sweep(resume=coverage.drop(columns="checkpoint"))
