"""The dashboard: what it reads and joins, what it says is missing, and what it refuses."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.filter_panel import static_html
from fastlaunch_nb.live_dashboard import fleet_reader
from fastlaunch_nb.live_dashboard.dashboard import Dashboard
from fastlaunch_nb.live_dashboard.fleet_reader import FleetRead
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers import accounts
from tests.helpers.cases import some
from tests.helpers.histories import START, make_history
from tests.helpers.joins import refuse_operations
from tests.helpers.panel_widgets import record_messages, strip_tags

REGION = "us-east-1"


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    """The dashboard of a region of the demo, with a history of its last week."""
    with fl.demo() as demo:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fl.History, "observations", lambda _: demo.history.observations)
            patch.setattr(fl.History, "coverage", lambda _: demo.history.coverage)
            page = fl.dashboard(demo=demo, regions=REGION, history="week")
        yield page


class StubReader:
    """A reader that returns, or waits for, a read that was made before."""

    def __init__(self, read: FleetRead) -> None:
        self.fleet_read = read
        self.may_end = threading.Event()
        self.may_end.set()
        self.stops: list[threading.Event] = []

    def read(self, report: Any, stop: threading.Event) -> FleetRead:
        """Report a step and return the read when it may end."""
        self.stops.append(stop)
        report("1 of 2 accounts and regions", 1, 2)
        self.may_end.wait()
        return self.fleet_read


@pytest.fixture
def reader(dashboard: Dashboard) -> Any:
    """A reader that returns at once what the dashboard has read."""
    assert dashboard._read is not None
    return StubReader(dashboard._read)


# --- what it reads --------------------------------------------------------------------


def test_everything_is_joined(dashboard: Dashboard) -> None:
    """The images have the columns of all joins, and of a demo nothing is denied."""
    assert dashboard.panel is not None
    images = dashboard.panel.filtered
    for join in some(JOINS):
        assert [column.name for column in JOINS[join] if column.name not in images] == []
    assert set(images["not_read"]) == {""}
    assert dashboard._read is not None
    assert list(dashboard._read.notes) == []


def test_no_rule_lacks_a_join(dashboard: Dashboard) -> None:
    """A rule that cannot judge all images lacks a value in AWS's answer, never a join."""
    assert dashboard._read is not None
    gaps = dashboard._read.gaps
    assert gaps is not None
    assert set(gaps["why"]) <= {"value"}
    for how in some(gaps["how"].unique()):
        assert how in strip_tags(dashboard._missing.value)


def test_the_timeline_has_the_past(dashboard: Dashboard) -> None:
    """Intervals begin in the history and end with this read; nothing is recorded."""
    assert dashboard._read is not None
    intervals = dashboard._read.intervals
    assert intervals is not None
    last = intervals["last_seen"].max()
    assert last == dashboard._read.sweep.coverage["observed_at"].max()
    assert last - intervals["start"].min() > pd.Timedelta(days=6)
    assert not Path("week").exists()


def test_a_denied_join_is_listed_with_its_action(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """What is denied stands in the fold with the IAM action, and is no warning."""
    monkeypatch.setattr(fleet_reader, "JOINS", ("ami", "quota", "snapshots"))
    with refuse_operations("GetServiceQuota"), refuse_operations("DescribeSnapshots"):
        page = fl.dashboard(demo=demo, regions=REGION)
    text = strip_tags(page._missing.value)
    assert "Not everything could be read" in text
    assert re.search(rf"quota could not be read in \d+ {REGION}, \d+ {REGION}: ", text)
    assert "Allow the IAM action servicequotas:GetServiceQuota" in text
    assert "Allow the IAM action ec2:DescribeSnapshots" in text
    assert re.search(rf"over-quota.* in \d+ {REGION}, \d+ {REGION}: The join \"quota\" was", text)
    assert [str(warning.message) for warning in recwarn] == []
    assert page.panel is not None
    assert page.panel.filtered["image_name"].notna().any()


def test_a_history_that_cannot_be_read_is_a_note(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its history the page has the images, and says what is wrong with the history."""
    monkeypatch.setattr(fleet_reader, "JOINS", ("ami",))
    page = fl.dashboard(demo=demo, regions=REGION, history=tmp_path / "none")
    assert page.panel is not None
    assert "The history could not be read" in strip_tags(page._missing.value)


def test_a_first_read_without_an_answer_shows_the_reason(tmp_path: Path) -> None:
    """If nothing can be read there is no panel but the reason, also in a stored notebook."""
    with accounts.refusing(tmp_path, code="ExpiredToken"):
        page = fl.dashboard(fl.targets(profiles=[accounts.PROFILE]), regions=accounts.REGION)
    assert page.panel is None
    assert repr(page) == "Dashboard: no image was read yet"
    stored = page._repr_mimebundle_()["text/html"]
    assert f"aws sso login --profile {accounts.PROFILE}" in stored


# --- refreshes ------------------------------------------------------------------------


def test_the_first_read_is_in_the_background(reader: Any) -> None:
    """Where an event loop runs, the page is there at once, with progress, and then the panel."""

    async def open_page() -> Dashboard:
        reader.may_end.clear()
        page = Dashboard(reader, None)
        assert page.children[1] is page._empty
        assert "Reading" in page._status.value
        assert "Run the notebook" in page._repr_mimebundle_()["text/html"]
        while page._bar.value != 1:
            await asyncio.sleep(0)
        assert "1 of 2 accounts and regions" in page._status.value
        reader.may_end.set()
        while page.panel is None:
            await asyncio.sleep(0)
        return page

    page = asyncio.run(open_page())
    assert not page._button.disabled
    assert strip_tags(page._status.value) == ""
    assert page.children == (page._head, page.panel)


def test_each_read_renews_the_stored_form(reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that is saved after a read has its images, in the output of the first view."""
    stored: list[str] = []

    class Handle:
        """A display of IPython, whose updates are collected."""

        def update(self, data: dict[str, str], raw: bool) -> None:
            """Collect the HTML."""
            assert raw
            stored.append(data["text/html"])

    monkeypatch.setattr(static_html, "display", lambda *_, **__: Handle())
    page = Dashboard(reader, None)
    page._ipython_display_()
    page.refresh()
    assert page.panel is not None
    page.panel.filters = fl.Filters(state="enabling-failed")
    page.refresh()
    assert "<b>14 of 14</b> images" in stored[0]
    assert "state: enabling-failed" in stored[1]
    assert len(stored) == 2


def test_a_closed_page_ignores_its_read(reader: Any) -> None:
    """Closing ends the read that is under way; its result makes no widget."""

    async def close_page() -> list[str]:
        reader.may_end.clear()
        page = Dashboard(reader, None)
        while not reader.stops:
            await asyncio.sleep(0)
        page.close()
        assert reader.stops[0].is_set()
        with record_messages() as messages:
            reader.may_end.set()
            page._thread.submit(int).cancel()
            for _ in range(100):
                await asyncio.sleep(0)
        page.refresh()
        assert page.panel is None
        return messages

    assert asyncio.run(close_page()) == []
    assert len(reader.stops) == 1


def test_a_mistake_of_ours_does_not_end_the_page(reader: Any) -> None:
    """An exception of any kind is shown and raised, and Refresh works afterwards."""
    page = Dashboard(reader, None)
    reader.fleet_read = None
    with pytest.raises(AttributeError, match="NoneType"):
        page.refresh()
    assert "Not read: AttributeError" in page._status.value
    assert not page._button.disabled


def test_a_refresh_returns_to_now(reader: Any, tmp_path: Path) -> None:
    """In the past, what other pages read waits; Refresh returns to now. Times have one zone."""
    page: Any = Dashboard(reader, None, None, make_history(tmp_path))
    page.panel.time_zone = "Asia/Tokyo"
    assert "Read at 2026-01-15 21:00 JST" in page._when.value
    page.panel.go_to(START)
    assert page.panel.at == START
    reader.read_news = lambda: pytest.fail("A page in the past takes no news.")
    page._watch(reader)
    assert page.panel.at == START
    page.refresh()
    assert page.panel.at is None
    assert len(page.panel.filtered) == 14


# --- arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"targets": "build-farm"}, "targets has a str"),
        ({"regions": "nowhere!"}, "nowhere"),
        ({"regions": []}, "regions"),
        ({"filters": {"stat": ["enabled"]}}, "stat"),
        ({"filters": fl.Filters(available_snapshots=(1, None))}, "needs a join"),
        ({"history": 5}, "path of the store is 5"),
        ({"prices": 5}, "prices is a int"),
        ({"demo": True}, "demo is a bool"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid argument raises before anything is read."""
    monkeypatch.setattr(Dashboard, "_start", lambda _: pytest.fail("it reads"))
    with pytest.raises(fl.InputError, match=problem):
        fl.dashboard(**arguments)
