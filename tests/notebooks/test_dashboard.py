"""The dashboard of the notebook, on the demo: a refresh keeps the page and reports failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.live_dashboard import fleet_reader
from fastlaunch_nb.live_dashboard.fleet_reader import FleetReader
from tests.helpers import accounts
from tests.helpers.emulator import inject_faults
from tests.helpers.panel_widgets import strip_tags
from tests.helpers.samples import ROOT


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the notebook's cells define when they run on a region of the demo.

    Only one join is made: all of them take seconds.
    """
    monkeypatch.setattr(fleet_reader, "JOINS", ("ami",))
    cells = nbformat.read(ROOT / "notebooks" / "dashboard.ipynb", as_version=4).cells
    names: dict[str, Any] = {}
    try:
        for number, cell in enumerate(cell for cell in cells if cell.cell_type == "code"):
            exec(cell.source, names)  # noqa: S102  our own cells
            if number == 0:
                names["regions"] = ["us-east-1"]
        yield names
    finally:
        if "demo" in names:
            names["demo"].stop()


def wait_until_enabled(button: Any) -> Any:
    """Return what waits until the button is enabled, which is the end of a refresh."""
    enabled = asyncio.Event()
    button.observe(lambda _: enabled.set(), "disabled")
    if not button.disabled:
        enabled.set()
    return enabled.wait()


def refresh(dashboard: Any) -> None:
    """Click Refresh and wait until it has ended."""

    async def click() -> None:
        dashboard._button.click()
        assert dashboard._button.disabled
        await wait_until_enabled(dashboard._button)

    asyncio.run(click())


def test_the_panel_is_usable_during_a_refresh(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a refresh filters work and a second click reads nothing; the filters stay."""
    dashboard, read = names["dashboard"], FleetReader.read
    panel, button = dashboard.panel, dashboard._button
    started, may_continue = threading.Event(), threading.Event()
    threads: list[int] = []

    def read_slowly(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        started.set()
        if threads[-1] != threading.main_thread().ident:  # which would wait for itself
            may_continue.wait()
        return read(*arguments)

    async def use_panel() -> None:
        button.click()
        await asyncio.to_thread(started.wait)
        try:
            button.click()
            assert button.disabled
            assert dashboard._bar.layout.display is None
            panel.filters = fl.Filters(state="disabling-failed")
            assert len(panel.filtered) == 1
        finally:
            may_continue.set()
        await wait_until_enabled(button)

    monkeypatch.setattr(FleetReader, "read", read_slowly)
    asyncio.run(use_panel())
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().ident, "the page was blocked"
    assert dashboard.panel is panel
    assert panel.filters == fl.Filters(state="disabling-failed")
    assert len(panel.filtered) == 1
    assert "12:10 UTC" in dashboard._when.value
    assert dashboard._bar.layout.display == "none"


def test_a_failed_refresh_keeps_the_images(names: dict[str, Any]) -> None:
    """If every read fails, images and time stay and a remedy appears; the next refresh works."""
    dashboard = names["dashboard"]
    before = dashboard.panel.filtered
    with inject_faults(unauthorized=names["demo"].accounts):
        refresh(dashboard)
    assert "2 failed" in strip_tags(dashboard._missing.value)
    assert "Allow the IAM action" in dashboard._missing.value
    assert "Nothing could be read; what is here was read before." in dashboard._status.value
    pd.testing.assert_frame_equal(dashboard.panel.filtered, before)
    assert "12:00 UTC" in dashboard._when.value
    refresh(dashboard)
    assert "failed" not in strip_tags(dashboard._missing.value).replace("disabling-failed", "")
    assert "12:20 UTC" in dashboard._when.value


def test_a_refresh_reports_failed_reads(names: dict[str, Any]) -> None:
    """If some reads fail, the page has the other images and the failures of the sweep."""
    dashboard = names["dashboard"]
    with inject_faults(unauthorized=["111122223333"]):
        refresh(dashboard)
    assert "1 complete, 1 failed" in strip_tags(dashboard._missing.value)
    summary = "1 of 2 accounts and regions could not be read"
    assert strip_tags(dashboard._missing.value).startswith(summary)
    assert set(dashboard.panel.filtered["account_id"]) == {"123456789012"}
    labels = [figure["label"] for figure in dashboard.panel._headline.figures]
    assert "▲ 1 of 2 accounts and regions" in labels


def test_an_error_is_shown_as_text(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error appears as escaped text; the images stay and Refresh is enabled."""
    dashboard = names["dashboard"]
    before = dashboard.panel.filtered

    def raise_expired(*_: Any) -> None:
        raise fl.SetupError("The login has expired. Run: aws sso login <b>")

    monkeypatch.setattr(FleetReader, "read", raise_expired)
    refresh(dashboard)
    assert "expired. Run: aws sso login &lt;b&gt;</span>" in dashboard._status.value
    assert not dashboard._button.disabled
    pd.testing.assert_frame_equal(dashboard.panel.filtered, before)


def test_an_expired_login_is_explained(names: dict[str, Any], tmp_path: Path) -> None:
    """Refresh shows the command that renews the login; images and their time stay; then it works.

    The time stays that of the images, also after several failures.
    """
    dashboard = names["dashboard"]
    before, reader = dashboard.panel.filtered, dashboard._reader
    with accounts.refusing(tmp_path, code="ExpiredToken"), pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL")  # the demo's
        dashboard._reader = replace(reader, targets=fl.targets(profiles=[accounts.PROFILE]))
        for _ in range(2):
            refresh(dashboard)
            assert f"aws sso login --profile {accounts.PROFILE}" in dashboard._missing.value
            assert "Read at 2026-01-15 12:00 UTC" in dashboard._when.value
    pd.testing.assert_frame_equal(dashboard.panel.filtered, before)
    dashboard._reader = reader
    refresh(dashboard)
    assert "sso login" not in dashboard._missing.value
    assert "Read at 2026-01-15 12:30 UTC" in dashboard._when.value
