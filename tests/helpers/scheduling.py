"""The order in which pytest-xdist runs tests: whole files, the longest first."""

from __future__ import annotations

import re
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

LONGEST = (
    "tests/architecture/test_types.py",
    "tests/browser/test_panel.py",
    "tests/packaging/test_install.py",
    "tests/history/test_history.py",
    "tests/browser/",
    "tests/joins/test_enrich.py",
    "tests/packaging/",
    "tests/state_intervals/",
    "tests/emulator/test_other_clients.py",
    "tests/architecture/test_documents.py",
    "tests/test_export.py",
    "notebooks/",
)
"""Files and folders that start first, so that no worker waits at the end for one of them."""


class FileAndHostScheduling(LoadFileScheduling):  # type: ignore[misc, unused-ignore]
    """A scheduler that keeps the tests of a file on one worker, split by Jupyter host if any.

    The tests of Spark, in whichever file, share a worker and so a session.
    """

    def _split_scope(self, nodeid: str) -> str:
        if "::test_spark" in nodeid:
            return "spark"
        file: str = super()._split_scope(nodeid)
        host = re.search(r"\[(lab|notebook|voila)\b", nodeid)
        return f"{file} {host[1]}" if host else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileAndHostScheduling:
    """Use this scheduler, whatever ``--dist`` says."""
    return FileAndHostScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""

    def rank(item: pytest.Item) -> int:
        ranks = (number for number, file in enumerate(LONGEST) if item.nodeid.startswith(file))
        return next(ranks, len(LONGEST))

    items.sort(key=rank)
