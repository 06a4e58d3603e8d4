"""What running the notebooks leaves behind: removed, but never what was there before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

REPORTS = Path(__file__).parent / "reports"  # where 04_embed writes
THERE_BEFORE = REPORTS.exists()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the folder that comparing the notebooks made, once nobody compares any more."""
    is_worker = hasattr(session.config, "workerinput")  # of pytest-xdist
    if not THERE_BEFORE and not is_worker:
        shutil.rmtree(REPORTS, ignore_errors=True)
