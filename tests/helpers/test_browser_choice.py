"""The choice of the tests' browser: which one `find_browser` takes, and who gets its path."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers import browser
from tests.helpers.samples import ROOT, run_python


@pytest.fixture
def chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Chromium on PATH, without BROWSER_PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    (tmp_path / "chromium").touch(mode=0o755)
    return tmp_path / "chromium"


def test_a_headless_shell_comes_first(chromium: Path) -> None:
    """A browser without windows is preferred, because it needs less time."""
    shell = chromium.with_name("chromium-headless-shell")
    shell.touch(mode=0o755)
    assert browser.find_browser() == str(shell)


def test_browser_path_comes_first(chromium: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BROWSER_PATH sets the browser if it is a file; else it is one on PATH."""
    mine = chromium.with_name("mine")
    mine.touch(mode=0o755)
    assert browser.find_browser() == str(chromium)
    monkeypatch.setenv("BROWSER_PATH", str(mine))
    assert browser.find_browser() == str(mine)
    monkeypatch.setenv("BROWSER_PATH", str(mine.with_name("gone")))
    assert browser.find_browser() == str(chromium)


@pytest.mark.deep
def test_kaleido_uses_the_tests_browser(chromium: Path) -> None:
    """Kaleido draws with the tests' browser, also if pytest runs without make."""
    assert run_python("import os, tests.conftest; print(os.environ['BROWSER_PATH'])") == str(
        chromium
    )


@pytest.mark.parametrize("target", ["test", "notebooks", "pictures"])
def test_make_sets_the_browser_of_kaleido(target: str) -> None:
    """Every target that draws pictures uses the browser that make setup-browser found."""
    command = ["make", target, "--dry-run", "--always-make", "--no-print-directory"]
    commands = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m tests.helpers.browser" in commands
    assert commands.strip().splitlines()[-1].startswith('BROWSER_PATH="$(')
