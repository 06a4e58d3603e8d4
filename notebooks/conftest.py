"""What running the notebooks leaves behind: removed, but never what was there before."""

from __future__ import annotations

import shutil
from pathlib import Path

REPORTS = Path(__file__).parent / "reports"  # where 04_embed writes
THERE_BEFORE = REPORTS.exists()


def pytest_sessionfinish() -> None:
    """Remove the folder that comparing the notebooks made."""
    if not THERE_BEFORE:
        shutil.rmtree(REPORTS, ignore_errors=True)
