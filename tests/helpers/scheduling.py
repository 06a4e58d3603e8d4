"""How pytest-xdist shares out the tests: whole files, the longest first, a host at a time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

LONGEST = (
    "tests/architecture/test_types.py",
    "tests/browser/test_panel.py",
    "tests/browser/test_notebooks.py",
    "tests/packaging/test_binder.py",
    "tests/emulator/test_other_clients.py",
    "tests/browser/test_export.py",
    "tests/cli/test_read_commands.py",
    "notebooks/",
)
"""Files that begin first, so that none of them is begun last, while the other worker waits."""


class FileAndHostScheduling(LoadFileScheduling):  # type: ignore[misc, unused-ignore]
    """Keep the tests of a file on one worker; where each runs in several hosts, those of a host."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        host = re.search(r"\[(lab|notebook|voila)\b", nodeid)
        return f"{file} {host[1]}" if host else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileAndHostScheduling:
    """Use this scheduler, whatever ``--dist`` says."""
    return FileAndHostScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    places = (n for n, file in enumerate(LONGEST) if nodeid.startswith(file))
    return next(places, len(LONGEST))
