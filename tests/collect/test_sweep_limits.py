"""Sweeps and reads that would not end: each does, in its limit, with what came and a reason."""

from __future__ import annotations

from collections import Counter
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from threading import Event
from typing import Any

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.targets import AccountCache
from tests.helpers import processes
from tests.helpers.cases import some
from tests.helpers.fake_aws import (
    Answer,
    Chunks,
    LimitClock,
    Request,
    build_page,
    drip,
    identify_caller,
    open_sessions,
    run_fake_aws,
)

HEALTHY, HUNG = "eu-west-1", "us-east-1"
REGIONS = [HEALTHY, HUNG]
LIMIT, LONGER = 180, 180.5  # seconds: the limit of a read, and more than that
SLOW, QUICK = "ami-00000000", "ami-11111111"
STARTS = {
    "no answer": None,
    "a status line that never ends": b"HTTP/1.1 200 ",
    "headers that never end": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "a body that never ends": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n<a>",
    "a body without a length that never ends": b"HTTP/1.1 200 OK\r\n\r\n<a>",
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> LimitClock:
    """The clock of this test's time limits."""
    return LimitClock(monkeypatch)


def read_healthy(_: Request) -> bytes:
    """Answer at once, with one image."""
    return build_page(["ami-1"])


def hang_in(region: str, clock: LimitClock, start: bytes | None = None) -> Answer:
    """Make an AWS that never ends an answer in a region, and lets the limits there pass."""

    def reply(request: Request) -> Chunks:
        if request.region != region:
            return read_healthy(request)
        clock.advance(LONGER)
        return None if start is None else drip(start)

    return reply


def count_codes(swept: fl.Sweep) -> Counter[str]:
    """Count the error codes of a coverage."""
    return Counter(swept.coverage["error_code"].fillna("none"))


# --- time limits ----------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_scan_without_a_whole_answer_ends(start: bytes | None, clock: LimitClock) -> None:
    """However a region withholds its answer, its scan fails in its limit, and can be resumed."""
    [session] = open_sessions(1)
    with run_fake_aws(hang_in(HUNG, clock, start)) as fake:
        swept = fl.sweep(session, regions=REGIONS, max_workers=1, progress=False)
        assert swept.coverage["status"].tolist() == ["complete", "failed"]
        [message] = swept.failures["error_message"]
        assert message == (
            "DescribeFastLaunchImages: Timeout: no whole answer came within 180 seconds. Check the "
            "network and the proxy, try again, or pass a longer timeout."
        )
        fake.answer = read_healthy
        again = fl.sweep(session, resume=swept, progress=False)
    assert again.coverage["status"].tolist() == ["complete"] * 2
    assert len(again.images) == 2


@pytest.mark.parametrize(
    ("seconds", "timeout", "expected"),
    [
        (LIMIT - 30, None, ["complete", 6]),
        (LONGER, None, ["failed", 0]),
        (LONGER, 400, ["complete", 6]),
        (400.5, 400, ["failed", 0]),
    ],
)
def test_each_page_restarts_the_limit(
    clock: LimitClock, seconds: float, timeout: float | None, expected: list[Any]
) -> None:
    """A scan of many slow pages is complete if each comes in time, however long all take."""
    numbers = iter(range(100))

    def answer(_: Request) -> Chunks:
        clock.advance(seconds)
        if "failed" in expected:
            return None
        number = next(numbers)
        return build_page([f"ami-{number}"], f"t{number}" if number < 5 else "")

    [session] = open_sessions(1)
    with run_fake_aws(answer):
        swept = fl.sweep(session, regions=HUNG, timeout=timeout, progress=False)
    assert swept.coverage[["status", "pages"]].values.tolist() == [expected]


def test_pages_before_the_limit_stay(clock: LimitClock) -> None:
    """A region that stops to answer is partial; a resumed sweep reads from there."""

    def answer(request: Request) -> Chunks:
        if "NextToken" not in request.parameters:
            return build_page(["ami-1"], "t1")
        clock.advance(LONGER)
        return None

    [session] = open_sessions(1)
    with run_fake_aws(answer) as fake:
        swept = fl.sweep(session, regions=HUNG, progress=False)
        assert swept.failures[["status", "error_code", "rows"]].values.tolist() == [
            ["partial", "Timeout", 1]
        ]
        fake.answer = lambda _: build_page(["ami-2"])
        again = fl.sweep(session, resume=swept, progress=False)
    assert again.images["image_id"].tolist() == ["ami-1", "ami-2"]


def test_an_account_that_cannot_be_opened_in_time_fails(clock: LimitClock) -> None:
    """The limit counts for the requests that open an account as well."""
    [session] = open_sessions(1)
    with run_fake_aws(hang_in(HUNG, clock)):
        swept = fl.sweep(session, progress=False)
    assert count_codes(swept) == {"Timeout": 1}
    assert "DescribeRegions: Timeout" in swept.failures["error_message"].item()


def test_a_wait_that_nothing_can_end_is_left_behind(
    clock: LimitClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that waits for something else than AWS, such as a name server, fails as well."""
    opened, unblocked = Event(), Event()
    real_open = AccountCache.open

    def wait_for_name(self: AccountCache, target: Any, region: str | None = None) -> Any:
        if opened.is_set():
            clock.advance(LONGER + 5)
            unblocked.wait(processes.LIMIT)
        opened.set()
        return real_open(self, target, region)

    monkeypatch.setattr(AccountCache, "open", wait_for_name)
    [session] = open_sessions(1)
    with run_fake_aws(read_healthy):
        swept = fl.sweep(session, regions=HUNG, progress=False)
    unblocked.set()
    assert swept.failures[["region", "error_code"]].values.tolist() == [[HUNG, "Timeout"]]


def test_describe_ends(clock: LimitClock) -> None:
    """describe raises an error that names the request and the limit."""
    [session] = open_sessions(1)
    with (
        run_fake_aws(hang_in(HUNG, clock)),
        pytest.raises(
            fl.ReadError, match=r"DescribeFastLaunchImages in us-east-1: Timeout: .* 170 seconds"
        ),
    ):
        fl.describe(session, timeout=170)


def test_joins_end(clock: LimitClock) -> None:
    """A join that gets no answer is a warning, and its columns are null."""
    [session] = open_sessions(1)
    with run_fake_aws(read_healthy) as fake:
        images = fl.describe(session)
        fake.answer = hang_in(HUNG, clock)
        with pytest.warns(fl.FastLaunchWarning, match=r"DescribeImages.*Timeout"):
            joined = fl.enrich(images, "ami", targets=[session])
    assert joined["image_id"].tolist() == ["ami-1"]
    assert joined["image_name"].isna().tolist() == [True]


def test_the_connection_of_a_read_that_ended_is_not_used_again(clock: LimitClock) -> None:
    """An answer that comes too late is not taken for the answer to the next request."""
    late = Event()

    def answer(request: Request) -> Chunks:
        if request.parameters.get("ImageId.1") != SLOW:
            return build_page([QUICK])
        clock.advance(LONGER)
        late.wait(processes.LIMIT)
        return build_page([SLOW])

    [session] = open_sessions(1)
    with run_fake_aws(answer):
        with pytest.raises(fl.ReadError, match="Timeout"):
            fl.describe(session, image_ids=SLOW)
        late.set()
        assert fl.describe(session, image_ids=QUICK)["image_id"].tolist() == [QUICK]


@pytest.mark.parametrize("timeout", [0, -1, 86_401, float("nan"), float("inf"), "3m", True])
def test_a_limit_is_a_number_of_seconds(timeout: Any) -> None:
    """Other limits are refused before any request."""
    with pytest.raises(fl.InputError, match=r"timeout is .* Expected seconds above 0, at most"):
        fl.sweep(timeout=timeout)
    with pytest.raises(fl.InputError, match=r"timeout is .* Expected seconds above 0, at most"):
        fl.describe(region=HUNG, timeout=timeout)


# --- the breaker ----------------------------------------------------------------------


def test_the_rest_of_a_region_that_hangs_is_left_out(clock: LimitClock) -> None:
    """After three accounts in a row, the others fail at once; a resumed sweep reads them."""
    sessions = open_sessions(6)
    with run_fake_aws(hang_in(HUNG, clock)) as fake:
        swept = fl.sweep(sessions, regions=HUNG, max_workers=1, progress=False)
        assert count_codes(swept) == {"Timeout": 3, "Unresponsive": 3}
        left_out = swept.failures[swept.failures["error_code"] == "Unresponsive"]
        assert left_out["status"].tolist() == ["failed"] * 3
        assert "3 reads in a row" in some(left_out["error_message"].tolist())[0]
        assert [it.action for it in fake.requests].count("DescribeFastLaunchImages") == 3
        fake.answer = read_healthy
        again = fl.sweep(sessions, resume=swept, progress=False)
    assert again.coverage["status"].tolist() == ["complete"] * 6
    assert len(again.images) == 6


def test_reads_that_hang_beside_three_others_end_with_them(clock: LimitClock) -> None:
    """Scans that run in a region when it is left out end before their own limit."""
    three_hang, numbers = Event(), iter(range(1, 100))

    def identify(request: Request) -> bytes:
        if request.account_id > "000000000003":
            three_hang.wait(processes.LIMIT)
        return identify_caller(request)

    def answer(_: Request) -> Chunks:
        number = next(numbers)
        if number == 3:
            clock.advance(100)
            three_hang.set()
        elif number == 6:
            clock.advance(LONGER - 100)
        return None

    with run_fake_aws(answer, identify):
        swept = fl.sweep(open_sessions(6), regions=HUNG, progress=False)
    codes = swept.coverage.set_index("account_id")["error_code"]
    assert codes.tolist() == ["Timeout"] * 3 + ["Unresponsive"] * 3


def test_accounts_that_cannot_be_opened_count_together(clock: LimitClock) -> None:
    """After three accounts in a row that cannot be opened in time, the others fail at once."""

    def answer(_: Request) -> Chunks:
        clock.advance(LONGER)
        return None

    with run_fake_aws(answer, answer):
        swept = fl.sweep(open_sessions(5), regions=HUNG, max_workers=1, progress=False)
    assert count_codes(swept) == {"Timeout": 3, "Unresponsive": 2}


# --- stopping -------------------------------------------------------------------------


def test_stop_ends_a_sweep_that_hangs() -> None:
    """The sweep returns what came, although the limit of its reads is far away."""
    stop = Event()

    def answer(request: Request) -> Chunks:
        if request.region == HEALTHY:
            return build_page(["ami-1"])
        stop.set()
        return None

    [session] = open_sessions(1)
    with run_fake_aws(answer):
        swept = fl.sweep(session, regions=REGIONS, max_workers=1, stop=stop, progress=False)
    assert swept.coverage["status"].tolist() == ["complete", "interrupted"]
    assert swept.was_interrupted
    assert len(swept.images) == 1


def test_a_stopped_sweep_starts_nothing() -> None:
    """If `stop` is set from the beginning, nothing is sent."""
    stop = Event()
    stop.set()
    with run_fake_aws(read_healthy) as fake:
        swept = fl.sweep(open_sessions(3), regions=REGIONS, stop=stop, progress=False)
    assert swept.coverage["status"].tolist() == ["interrupted"] * 6
    assert fake.requests == []


def test_stop_is_an_event() -> None:
    """Something else is refused before any request."""
    with pytest.raises(fl.InputError, match=r"stop is a bool\. Expected a threading\.Event"):
        fl.sweep(stop=True)  # type: ignore[arg-type]


# --- executors of the caller ----------------------------------------------------------


class Broken(futures.Executor):
    """An executor that does something else for the tasks of one region."""

    def __init__(self, behaviour: Any) -> None:
        self._behaviour = behaviour

    def submit(self, function: Any, /, *args: Any, **_: Any) -> futures.Future[Any]:
        """Run tasks at once."""
        future: futures.Future[Any] = futures.Future()
        if HUNG in [task.region for task in args[0]]:
            self._behaviour(future)
        else:
            future.set_result(function(*args))
        return future


def raise_os_error(_: Any) -> None:
    raise OSError("no space left")


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(raise_os_error, "OSError", id="submit raises"),
        pytest.param(lambda future: future.set_result(None), "TypeError", id="answers None"),
        pytest.param(lambda future: future.cancel(), "CancelledError", id="cancels"),
        pytest.param(
            lambda future: future.set_exception(BrokenProcessPool("died")),
            "BrokenProcessPool",
            id="dies",
        ),
        pytest.param(lambda future: future.set_exception(SystemExit()), "SystemExit", id="exits"),
    ],
)
def test_what_an_executor_does_not_do_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, behaviour: Any, code: str
) -> None:
    """The scans that it did not carry out fail, the others are complete, and nothing waits."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA000000000001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with run_fake_aws(read_healthy):
        swept = fl.sweep(regions=REGIONS, executor=Broken(behaviour), max_workers=1, progress=False)
    assert swept.coverage["status"].tolist() == ["complete", "failed"]
    assert swept.failures["error_code"].tolist() == [code]


def test_an_executor_that_is_shut_down_midway() -> None:
    """Tasks that it cancels are failures, and the sweep does not wait for them."""
    executor = futures.ThreadPoolExecutor(1)
    [session] = open_sessions(1)

    def answer(_: Request) -> bytes:
        executor.shutdown(wait=False, cancel_futures=True)
        return build_page(["ami-1"])

    regions = [HEALTHY, HUNG, "us-west-2"]
    with run_fake_aws(answer):
        swept = fl.sweep(session, regions=regions, executor=executor, progress=False)
    assert sorted(swept.coverage["status"]) == ["complete", "failed", "failed"]
    assert count_codes(swept) == {"none": 1, "CancelledError": 2}


@pytest.mark.parametrize("workers", [0, 1_001, 10**20, -1, 2.5, True])
def test_the_number_of_workers_has_limits(workers: Any) -> None:
    """Each worker needs a thread and a connection: 1,000 are the most."""
    images = fl.from_pages({"FastLaunchImages": []})
    message = rf"max_workers is {workers}\. Expected a whole number from 1 to 1000"
    for read in (
        lambda: fl.sweep(max_workers=workers),
        lambda: fl.enrich(images, "ami", max_workers=workers),
        lambda: fl.metrics(images, max_workers=workers),
        lambda: fl.snapshots(regions=HUNG, max_workers=workers),
    ):
        with pytest.raises(fl.InputError, match=message):
            read()


# --- pages without end ----------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 5])
def test_pages_in_a_circle_end_a_sweep(length: int) -> None:
    """A scan of pages that lead back is partial and has each row once, whatever the circle."""
    numbers = iter(range(1_000))

    def answer(_: Request) -> bytes:
        number = next(numbers)
        return build_page([f"ami-{number}"], f"t{number % length}")

    [session] = open_sessions(1)
    with run_fake_aws(answer):
        swept = fl.sweep(session, regions=HUNG, progress=False)
        with pytest.raises(fl.ReadError, match="lead in a circle"):
            fl.describe(session)
    assert swept.failures[["status", "error_code"]].values.tolist() == [
        ["partial", "PaginationError"]
    ]
    assert len(swept.images) == length + 1


@pytest.mark.parametrize(("pages", "code"), [(5, "none"), (6, "TooManyPages")])
def test_the_number_of_pages_has_a_limit(
    monkeypatch: pytest.MonkeyPatch, pages: int, code: str
) -> None:
    """A scan with more pages than the limit is partial; one with as many is complete."""
    monkeypatch.setattr("fastlaunch_nb.aws.read_limits.MAX_PAGES", 5)
    numbers = iter(range(1, 1_000))

    def answer(_: Request) -> bytes:
        number = next(numbers)
        return build_page([f"ami-{number}"], f"t{number}" if number < pages else "")

    [session] = open_sessions(1)
    with run_fake_aws(answer):
        swept = fl.sweep(session, regions=HUNG, progress=False)
    assert count_codes(swept) == {code: 1}
    assert len(swept.images) == 5
