"""The browser that tests look through: where it is, and how to get one.

``make setup-browser`` runs this file: it finds a Chromium or Chrome, else gets
one, by Playwright's own download or by the system's package manager.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")


def find() -> str | None:
    """Return the path of a browser on this machine, Playwright's own download included."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (*PLACES, own) if Path(path).exists()), None)


def get() -> str | None:
    """Try to install one, in the way that asks least of the machine; return its path."""
    sudo = [] if os.name == "nt" or os.geteuid() == 0 else ["sudo", "-n"]
    ways = (
        [[sys.executable, "-m", "playwright", "install", "chromium"]],
        [[*sudo, "apt-get", "update", "-q"], [*sudo, "apt-get", "install", "-q", "-y", "chromium"]],
        [["brew", "install", "--cask", "google-chrome"]],
    )
    for way in ways:
        if all(_ran(command) for command in way) and (path := find()):
            return path
    return None


def _ran(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=900)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def launched() -> Iterator[Browser]:
    """Give a running browser; say how to get one where there is none."""
    path = find()
    if path is None:
        raise RuntimeError("No Chromium or Chrome was found. Get one: make setup-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


if __name__ == "__main__":
    found = find() or get()
    if found is None:
        sys.exit("No browser could be had. Install Chromium or Chrome by hand, then try again.")
    print(f"Browser: {found}")
