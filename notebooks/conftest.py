"""What running the notebooks leaves behind: removed, but never what was there before."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

REPORTS = Path(__file__).parent / "reports"  # where 04_embed writes


def pytest_configure(config: pytest.Config) -> None:
    """Remove at the end what 04_embed writes, and all temporary files of other processes.

    nbval kills its kernels, so these cannot remove their own files.
    """
    if not REPORTS.exists():
        config.add_cleanup(lambda: shutil.rmtree(REPORTS, ignore_errors=True))
    folder = tempfile.TemporaryDirectory(prefix="fastlaunch_nb-tests-", ignore_cleanup_errors=True)
    os.environ["TMPDIR"] = folder.name
    config.add_cleanup(folder.cleanup)
