"""Binder: the image that repo2docker plans for this checkout, and the same installation here."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from uv import find_uv_bin

from tests.helpers.browser import start_server
from tests.helpers.cases import some
from tests.helpers.processes import LIMIT
from tests.helpers.samples import run

ROOT = Path(__file__).parent.parent.parent
LINES = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
PYTHON = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOK = "notebooks/01_explore.ipynb"
LAST_CHART = "Target: 970 snapshots for 40 images"  # the title of the last chart in it


# --- requirements.txt -----------------------------------------------------------------


def read_pins() -> dict[str, Version]:
    """Return the pinned version of each package; fail on a line that is not a plain pin."""
    matches = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)", line) for line in LINES[1:-1]]
    assert all(matches), LINES
    return {match[1]: Version(match[2]) for match in matches if match}


def test_requirements_are_plain_pins() -> None:
    """The file has one comment, pins in order, and last the project; it has no URL."""
    assert LINES[0].startswith("# Made by `make binder`")
    assert list(read_pins()) == sorted(read_pins())
    assert LINES[-1] == "./"
    assert not any("//" in line for line in LINES)


def test_pins_match_pyproject() -> None:
    """Every dependency in pyproject.toml that a notebook uses is pinned in its range."""
    extras = PROJECT["optional-dependencies"]
    optional = [line for extra in ("demo", "lab", "image") for line in extras[extra]]
    for line in some([*PROJECT["dependencies"], *optional]):
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert read_pins()[name] in requirement.specifier, line
    assert f"Programming Language :: Python :: {PYTHON}" in PROJECT["classifiers"]


# --- repo2docker ----------------------------------------------------------------------


def test_repo2docker_understands_the_checkout(checkout: Path) -> None:
    """It uses our Python and requirements, installs after the copy, and starts Jupyter itself."""
    command = (sys.executable, "-m", "repo2docker", "--no-build", "--debug", ".")
    plan = run(*command, cwd=checkout)
    assert f"Building conda environment for python={PYTHON}\n" in plan.stderr
    pip = "${KERNEL_PYTHON_PREFIX}/bin/pip install"
    copy, install = r"^COPY .* src/ \$\{REPO_DIR\}/$", rf"^RUN {re.escape(pip)} .*$"
    steps = re.findall(f"{copy}|{install}", plan.stdout, re.MULTILINE)
    assert len(steps) == 2
    assert steps[0].startswith("COPY")
    assert steps[1] == f'RUN {pip} --no-cache-dir -r "binder/requirements.txt"'
    assert re.findall(r"^CMD (.*)$", plan.stdout, re.MULTILINE)[0].startswith('["jupyter", ')
    assert "R2D_ENTRYPOINT" not in plan.stdout
    # The image is based on Ubuntu, where Chromium is a snap, which does not run in a container.
    assert "chromium" not in plan.stdout


# --- the installation -----------------------------------------------------------------


def find_interpreter() -> str:
    """Return Binder's Python if this machine has it, or else the one that runs the tests."""
    command = (find_uv_bin(), "python", "find", "--no-project", "--system", PYTHON)
    variables = {"UV_PYTHON_DOWNLOADS": "never", "PYENV_VERSION": PYTHON}  # for pyenv's shims
    try:
        return run(*command, cwd=ROOT, **variables).stdout.strip()
    except AssertionError:
        return sys.executable


@pytest.fixture(scope="module")
def programs(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment, installed as Binder does."""
    folder = tmp_path_factory.mktemp("image")
    run(find_interpreter(), "-m", "venv", folder, cwd=folder)
    programs = folder / "bin"
    options = ("--quiet", "-r", "binder/requirements.txt")
    try:
        run(
            find_uv_bin(), "pip", "install", "--python", programs / "python", *options, cwd=checkout
        )
    except AssertionError:  # as in the Makefile: pip may use a mirror that uv does not
        run(programs / "pip", "install", *options, cwd=checkout)
    return programs


@pytest.mark.deep
def test_pins_are_complete(programs: Path, checkout: Path) -> None:
    """Only pinned packages and the project are installed, and they are compatible."""
    packages = json.loads(run(programs / "pip", "list", "--format=json", cwd=checkout).stdout)
    names = {canonicalize_name(package["name"]) for package in packages}
    assert names - {"pip", "setuptools"} == {*read_pins(), "fastlaunch-nb"}
    run(programs / "pip", "check", cwd=checkout)


@pytest.mark.deep
def test_the_package_includes_the_notebooks(programs: Path, checkout: Path, tmp_path: Path) -> None:
    """Installed without a clone, lab and serve find every notebook."""
    code = (
        "from fastlaunch_nb.cli.notebook_copies import NOTEBOOKS\n"
        "print(*sorted(NOTEBOOKS.glob('*.ipynb')))"
    )
    paths = run(programs / "python", "-c", code, cwd=tmp_path).stdout.split()
    expected = sorted(path.name for path in (checkout / "notebooks").glob("*.ipynb"))
    assert [Path(path).name for path in paths] == expected
    assert all(programs.parent in Path(path).parents for path in some(paths))


@pytest.mark.deep
def test_embed_names_what_binder_lacks(programs: Path, checkout: Path, tmp_path: Path) -> None:
    """Without Chrome, as on Binder, the notebook about reports runs, and names what is missing.

    The test uses the Python of runtime.txt if this machine has it.
    """
    convert = (programs / "jupyter", "nbconvert", "--to", "notebook", "--execute")
    variables = {"HOME": str(tmp_path), "BROWSER_PATH": str(tmp_path / "none")}
    notebook = checkout / "notebooks" / "04_embed.ipynb"
    run(*convert, "--output-dir", tmp_path, notebook, cwd=checkout, **variables)
    executed = json.loads((tmp_path / notebook.name).read_text())
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
    assert all(output["output_type"] != "error" for output in some(outputs))
    assert "needs Chrome or Chromium" in str(outputs)
    assert sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs) > 1


@contextmanager
def start_lab(programs: Path, folder: Path, home: Path) -> Iterator[str]:
    """Start JupyterLab with the program that BinderHub starts; yield its address."""
    options = ("--ip=127.0.0.1", "--port=0", "--no-browser", "--allow-root")
    command = [str(programs / "jupyter-lab"), *options, "--IdentityProvider.token="]
    with start_server(command, cwd=folder, env={**os.environ, "HOME": str(home)}) as address:
        yield re.findall(r"^http://127\.0\.0\.1:\d+/", address)[0]


@pytest.mark.deep
def test_the_launch_links_work(programs: Path, checkout: Path, tmp_path: Path) -> None:
    """Binder's two links open the tour in JupyterLab, and in Voila, which runs all its cells."""
    with start_lab(programs, checkout, tmp_path) as address:
        for path, text in (("lab/tree", "JupyterLab"), ("voila/render", LAST_CHART)):
            url = f"{address}{path}/{NOTEBOOK}"
            page = urllib3.request("GET", url, retries=False, timeout=LIMIT)
            assert page.status == 200, url
            assert text in page.data.decode(), url
