"""Of reads in threads only the latest counts, whatever order they end in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.latest_read import LatestRead


def refuse() -> str:
    """Fail as a store does."""
    raise fl.StoreError("No such folder.")


def run(
    story: Callable[[LatestRead, list[str]], object], until: Callable[[list[str]], bool]
) -> list[str]:
    """Run a story in an event loop until its results are such; return them."""

    async def tell_story() -> list[str]:
        latest, results = LatestRead(), list[str]()
        story(latest, results)
        while not until(results):
            await asyncio.sleep(0)
        latest.close()
        return results

    return asyncio.run(tell_story())


def test_the_latest_read_wins() -> None:
    """A read that hangs neither holds up the next one nor shows its result after it."""
    may_end = Event()

    def story(latest: LatestRead, results: list[str]) -> None:
        latest.start(lambda: "old" if may_end.wait() else "", results.append, results.append)
        latest.start(lambda: "new", results.append, results.append)

    assert run(story, bool) == ["new"]
    may_end.set()


def test_a_result_of_an_older_read_is_dropped() -> None:
    """An older read that ends or fails last changes nothing."""
    ended: list[bool] = []

    def story(latest: LatestRead, results: list[str]) -> None:
        def fail_late() -> str:
            ended.append(True)
            return refuse()

        latest.start(fail_late, results.append, results.append)
        while not ended:  # so that its thread cannot be cancelled
            pass
        latest.start(lambda: "new", results.append, results.append)

    assert run(story, bool) == ["new"]


def test_an_error_is_a_sentence() -> None:
    """What the toolkit refuses is reported, and the next read works."""

    def story(latest: LatestRead, results: list[str]) -> None:
        def again(problem: str) -> None:
            results.append(problem)
            assert not latest.is_running
            latest.start(lambda: "read", results.append, results.append)

        latest.start(refuse, results.append, again)
        assert latest.is_running

    assert run(story, lambda results: len(results) == 2) == ["No such folder.", "read"]


def test_without_an_event_loop_a_read_has_ended_at_once() -> None:
    """In a script, start() returns after the read; a mistake of ours is raised as well."""
    latest, results = LatestRead(), list[object]()
    latest.start(lambda: 7, results.append, results.append)
    with pytest.raises(ZeroDivisionError, match="division"):
        latest.start(lambda: 1 // 0, results.append, results.append)
    assert results == [7, "ZeroDivisionError: integer division or modulo by zero"]
    assert not latest.is_running


def test_a_closed_read_ends_without_effect() -> None:
    """After close() no result of a read that is under way is shown."""
    may_end = Event()

    async def close_early() -> list[str]:
        latest, results = LatestRead(), list[str]()
        latest.start(lambda: str(may_end.wait()), results.append, results.append)
        latest.close()
        may_end.set()
        while latest.is_running:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        return results

    assert asyncio.run(close_early()) == []
