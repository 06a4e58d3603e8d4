"""The helpers for widgets: a debounced call, and ranges as text."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.widget_helpers import TYPING_PAUSE, format_range
from tests.helpers.panel_widgets import make_images

TIME = pd.Timestamp("2026-01-15T12:00:30Z")


def test_typing_filters_once() -> None:
    """The panel filters once, after a pause, and not while the user types."""
    panel = fl.panel(make_images(3))
    texts: list[Any] = []
    panel.observe(lambda change: texts.append(change["new"].text), "filters")

    class FakeTimeLoop(asyncio.SelectorEventLoop):
        now = 0.0

        def time(self) -> float:
            return self.now

    loop = FakeTimeLoop()

    async def type_text() -> None:
        for text in ("a", "am", "ami"):
            panel._search.value = text
            loop.now += TYPING_PAUSE / 2
            await asyncio.sleep(0)
            assert texts == []
        loop.now += TYPING_PAUSE
        for _ in range(3):
            await asyncio.sleep(0)

    loop.run_until_complete(type_text())
    loop.close()
    assert texts == ["ami"]


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((1, 9000), "1 to 9,000"),
        ((7, 7), "7"),
        ((0, None), "from 0"),
        ((None, 0), "up to 0"),
        ((TIME, None), "from 2026-01-15 12:00 UTC"),
    ],
)
def test_ranges_as_text(ends: tuple[Any, Any], text: str) -> None:
    """A range shows its known ends; equal ends appear once."""
    assert format_range(ends) == text
