"""A kernel that has ended: the panel on the page says so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect

import fastlaunch_nb as fl
from tests.helpers.panel_screen import make_fleet, open_host, write_notebook


def is_kernel_below(process: psutil.Process, folder: Path) -> bool:
    """Say whether a process is a running kernel in a folder below this one."""
    try:
        return "ipykernel_launcher" in process.cmdline() and Path(process.cwd()).is_relative_to(
            folder
        )
    except psutil.NoSuchProcess:  # earlier tests' processes can end, or be zombies, meanwhile
        return False


def kill_kernels(folder: Path) -> int:
    """Kill the kernels that run in a folder below this one; return their number."""
    children = psutil.Process().children(recursive=True)
    kernels = [child for child in children if is_kernel_below(child, folder)]
    for kernel in kernels:
        os.kill(kernel.pid, signal.SIGKILL)
    return len(kernels)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["lab", "voila"])
def test_a_panel_says_that_its_kernel_has_ended(
    name: str, tmp_path: Path, browser: Browser
) -> None:
    """After its kernel was killed, a panel requests to load the page again, and not before."""
    images = make_fleet()
    data = {"images": images, "intervals": fl.intervals(images), "findings": fl.findings(images)}
    write_notebook(tmp_path, data)
    with open_host(name, tmp_path, browser) as host:
        note = host.page.get_by_role("alert").filter(has_text="Not connected. Load the page again.")
        expect(note).to_have_count(0)
        assert kill_kernels(tmp_path) == 1
        expect(note.first).to_be_visible()
