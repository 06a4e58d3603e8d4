"""The code of the dashboard notebook: a refresh keeps the page usable and reports failures."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

import fastlaunch_nb as fl
from tests.helpers import accounts
from tests.helpers.emulator import inject_faults
from tests.helpers.samples import ROOT


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the dashboard's cells define when they run on the demo."""
    cells = nbformat.read(ROOT / "notebooks" / "dashboard.ipynb", as_version=4).cells
    names: dict[str, Any] = {"display": lambda *_: None}
    try:
        with warnings.catch_warnings():
            for cell in cells:
                if cell.cell_type == "code":
                    exec(cell.source, names)  # noqa: S102  our own cells
            yield names
    finally:
        if "demo" in names:
            names["demo"].stop()


def test_the_panel_is_usable_during_a_refresh(dashboard: dict[str, Any]) -> None:
    """During a refresh filters work and a second click reads nothing; the filters stay."""
    panel, button, read = dashboard["panel"], dashboard["button"], dashboard["read"]
    started, may_continue = threading.Event(), threading.Event()
    threads: list[int] = []

    def read_slowly(progress: Any) -> Any:
        threads.append(threading.get_ident())
        started.set()
        if threads[-1] != threading.main_thread().ident:  # which would wait for itself
            may_continue.wait()
        return read(progress)

    async def use_panel() -> None:
        button.click()
        await asyncio.to_thread(started.wait)
        try:
            button.click()
            assert button.disabled
            assert dashboard["bar"].layout.display is None
            panel.filters = fl.Filters(state="enabling-failed")
            assert len(panel.filtered) == 3
        finally:
            may_continue.set()
        await wait_until_enabled(button)

    dashboard["read"] = read_slowly
    asyncio.run(use_panel())
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().ident, "the page was blocked"
    assert panel.filters == fl.Filters(state="enabling-failed")
    assert len(panel.filtered) == 3
    assert "12:10:00 UTC" in dashboard["when"].value
    assert dashboard["bar"].layout.display == "none"


async def wait_until_enabled(button: Any) -> None:
    """Wait until the button is enabled, which is the end of a refresh."""
    enabled = asyncio.Event()
    button.observe(lambda _: enabled.set(), "disabled")
    if button.disabled:
        await enabled.wait()


def refresh(dashboard: dict[str, Any]) -> None:
    """Click Refresh and wait until it has ended."""

    async def click() -> None:
        dashboard["button"].click()
        await asyncio.sleep(0)
        assert dashboard["button"].disabled
        await wait_until_enabled(dashboard["button"])

    asyncio.run(click())


def test_a_failed_refresh_keeps_the_images(dashboard: dict[str, Any]) -> None:
    """If every read fails, images and time stay and a remedy appears; the next refresh works."""
    before = dashboard["panel"].filtered
    with inject_faults(unauthorized=dashboard["demo"].accounts):
        refresh(dashboard)
    (output,) = dashboard["failures"].outputs
    assert "6 failed" in output["data"]["text/plain"]
    assert "Allow the IAM action" in output["data"]["text/html"]
    pd.testing.assert_frame_equal(dashboard["panel"].filtered, before)
    assert "12:00:00 UTC" in dashboard["when"].value
    refresh(dashboard)
    assert dashboard["failures"].outputs == ()
    assert "12:20:00 UTC" in dashboard["when"].value


def test_a_refresh_reports_failed_reads(dashboard: dict[str, Any]) -> None:
    """If some reads fail, the page has the other images and the failures of the sweep."""
    with inject_faults(unauthorized=["111122223333"]):
        refresh(dashboard)
    (output,) = dashboard["failures"].outputs
    assert "3 complete, 3 failed" in output["data"]["text/plain"]
    assert set(dashboard["panel"].filtered["account_id"]) == {"123456789012"}


def test_an_error_is_shown_as_text(dashboard: dict[str, Any]) -> None:
    """An error appears as escaped text; the images stay and Refresh is enabled."""
    before = dashboard["panel"].filtered

    def raise_expired(_progress: Any) -> None:
        raise fl.SetupError("The login has expired. Run: aws sso login <b>")

    dashboard["read"] = raise_expired
    refresh(dashboard)
    assert "expired. Run: aws sso login &lt;b&gt;</span>" in dashboard["status"].value
    pd.testing.assert_frame_equal(dashboard["panel"].filtered, before)


def test_an_expired_login_is_explained(dashboard: dict[str, Any], tmp_path: Path) -> None:
    """Refresh shows the command that renews the login; images and their time stay; then it works.

    The time stays that of the images, also after several failures.
    """
    before, targets = dashboard["panel"].filtered, dashboard["targets"]
    with accounts.refusing(tmp_path, code="ExpiredToken"), pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL")  # the demo's
        dashboard["targets"] = fl.targets(profiles=[accounts.PROFILE])
        for _ in range(2):
            refresh(dashboard)
            (output,) = dashboard["failures"].outputs
            text = f"{dashboard['status'].value} {output['data']['text/html']}"
            assert f"aws sso login --profile {accounts.PROFILE}" in text
            assert dashboard["when"].value == "As of 2026-01-15 12:00:00 UTC"
    pd.testing.assert_frame_equal(dashboard["panel"].filtered, before)
    dashboard["targets"] = targets
    refresh(dashboard)
    assert dashboard["failures"].outputs == ()
    assert dashboard["when"].value == "As of 2026-01-15 12:30:00 UTC"
