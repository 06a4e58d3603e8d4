"""A history of the demo's week, and one whose reads wait or fail, for panels."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> fl.History:
    """The history of the demo's last week."""
    with fl.demo() as demo:
        history = fl.History(tmp_path_factory.mktemp("week"))
        history.record(demo.history)
    return history


class WaitingHistory:
    """A history whose reads of the past wait, each until its own event, or fail."""

    def __init__(self, history: fl.History) -> None:
        self._history = history
        self.may_read: dict[str, Event] = {}
        self.begun: list[str] = []
        self.error: Exception | None = None
        for name in ("intervals", "coverage", "diff"):
            setattr(self, name, self._wrap(name))

    def _wrap(self, name: str) -> Any:
        def read(*args: Any) -> pd.DataFrame:
            if self.error is not None:
                raise self.error
            rows: pd.DataFrame = getattr(self._history, name)(*args)
            return rows

        return read

    def images(self, at: Any = None) -> pd.DataFrame:
        """Wait, and return the images at a time."""
        day = f"{at:%m-%d}"
        self.begun.append(day)
        if day in self.may_read:
            self.may_read[day].wait()
        if self.error is not None:
            raise self.error
        return self._history.images(at=at)


@pytest.fixture
def waiting(week: fl.History) -> Iterator[WaitingHistory]:
    """The week as a history whose reads can wait; at the end none waits any more."""
    history = WaitingHistory(week)
    yield history
    for event in history.may_read.values():
        event.set()
