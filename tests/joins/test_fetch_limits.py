"""Joins where AWS hangs: each ends, and accounts after the third need not wait."""

from __future__ import annotations

from collections import Counter

import pytest

import fastlaunch_nb as fl
from tests.helpers.fake_aws import (
    Chunks,
    LimitClock,
    Request,
    build_page,
    open_sessions,
    run_fake_aws,
)

LONGER = 180.5  # seconds: more than the limit of a read
JOINS = ["ami", "snapshots", "metrics"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> LimitClock:
    """The clock of this test's time limits."""
    return LimitClock(monkeypatch)


@pytest.mark.parametrize(("accounts", "tried"), [(3, 3), (6, 3)])
def test_a_service_that_hangs_is_left_out(clock: LimitClock, accounts: int, tried: int) -> None:
    """After three timeouts in a row of one service in a region, no account waits for it."""
    counts = Counter[str]()

    def hang(request: Request) -> Chunks:
        counts[request.service] += 1
        clock.advance(LONGER)
        return None

    sessions = open_sessions(accounts)
    with run_fake_aws(lambda _: build_page(["ami-00000001"])) as fake:
        images = fl.sweep(sessions, regions="us-east-1", progress=False).images
        fake.answer = hang
        with pytest.warns(fl.FastLaunchWarning) as caught:
            joined = fl.enrich(images, *JOINS, targets=sessions, max_workers=1)
    assert counts == {"ec2": tried, "monitoring": tried}
    codes = {str(warning.message).split(": ")[-2] for warning in caught}
    assert codes == {"Timeout", "Unresponsive"}
    assert joined["image_id"].tolist() == ["ami-00000001"] * accounts
    assert joined["image_name"].isna().tolist() == [True] * accounts


def test_accounts_that_cannot_be_opened_are_left_out(clock: LimitClock) -> None:
    """After three accounts in a row that cannot be opened in time, the others are left out."""
    sessions = open_sessions(5)

    def hang(_: Request) -> Chunks:
        clock.advance(LONGER)
        return None

    with run_fake_aws(lambda _: build_page(["ami-00000001"])) as fake:
        images = fl.sweep(sessions, regions="us-east-1", progress=False).images
        fake.requests.clear()
        fake.identify = hang
        with pytest.warns(fl.FastLaunchWarning) as caught:
            fl.enrich(images, "ami", targets=sessions, max_workers=1)
    texts = "\n".join(str(warning.message) for warning in caught)
    assert [texts.count(code) for code in ("Timeout", "Unresponsive")] == [3, 2]
    assert [request.action for request in fake.requests] == ["GetCallerIdentity"] * 3
