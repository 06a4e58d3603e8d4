"""Binder: what repo2docker would build of this checkout, and the same recipe carried out here."""

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

from tests.helpers.browser import started
from tests.helpers.cases import some
from tests.helpers.processes import LIMIT
from tests.helpers.samples import run

ROOT = Path(__file__).parent.parent.parent
LINES = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
PYTHON = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOK = "notebooks/01_explore.ipynb"
FLEET = "42 images"  # what a chart of the demo says under its title


# --- the list -------------------------------------------------------------------------


def pins() -> dict[str, Version]:
    """Return name -> version of the list; a line that is no plain pin is an error."""
    found = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)", line) for line in LINES[1:-1]]
    assert all(found), LINES
    return {match[1]: Version(match[2]) for match in found if match}


def test_the_list_is_plain() -> None:
    """One comment, pins in order, and at last the project; no address of anything."""
    assert LINES[0].startswith("# Made by `make binder`")
    assert list(pins()) == sorted(pins())
    assert LINES[-1] == "./"
    assert not any("//" in line for line in LINES)


def test_the_list_keeps_to_pyproject() -> None:
    """Everything that pyproject asks for any use in the notebooks is pinned in range."""
    extras = PROJECT["optional-dependencies"]
    wanted = [line for extra in ("demo", "lab", "image") for line in extras[extra]]
    for line in some([*PROJECT["dependencies"], *wanted]):
        asked = Requirement(line)
        assert pins()[canonicalize_name(asked.name)] in asked.specifier, line
    assert f"Programming Language :: Python :: {PYTHON}" in PROJECT["classifiers"]


# --- what repo2docker makes of it -----------------------------------------------------


def test_repo2docker_understands_the_checkout(checkout: Path) -> None:
    """It takes our Python and our list, installs after the copy, and starts Jupyter, no script."""
    command = (sys.executable, "-m", "repo2docker", "--no-build", "--debug", ".")
    built = run(*command, cwd=checkout)
    assert f"Building conda environment for python={PYTHON}\n" in built.stderr
    pip = "${KERNEL_PYTHON_PREFIX}/bin/pip install"
    copy, install = r"^COPY .* src/ \$\{REPO_DIR\}/$", rf"^RUN {re.escape(pip)} .*$"
    steps = re.findall(f"{copy}|{install}", built.stdout, re.MULTILINE)
    assert len(steps) == 2
    assert steps[0].startswith("COPY")
    assert steps[1] == f'RUN {pip} --no-cache-dir -r "binder/requirements.txt"'
    assert re.findall(r"^CMD (.*)$", built.stdout, re.MULTILINE)[0].startswith('["jupyter", ')
    assert "R2D_ENTRYPOINT" not in built.stdout
    # Its image is an Ubuntu, whose only Chromium is a snap that no container runs.
    assert "chromium" not in built.stdout


# --- the recipe, carried out ----------------------------------------------------------


def interpreter() -> str:
    """Return Binder's Python if this machine has it, else the one that runs the tests."""
    command = (find_uv_bin(), "python", "find", "--no-project", "--system", PYTHON)
    local = {"UV_PYTHON_DOWNLOADS": "never", "PYENV_VERSION": PYTHON}  # pyenv's links need it
    try:
        return run(*command, cwd=ROOT, **local).stdout.strip()
    except AssertionError:
        return sys.executable


@pytest.fixture(scope="module")
def image(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with the list in it, installed as Binder does."""
    folder = tmp_path_factory.mktemp("image")
    run(interpreter(), "-m", "venv", folder, cwd=folder)
    programs = folder / "bin"
    wanted = ("--quiet", "-r", "binder/requirements.txt")
    try:
        run(find_uv_bin(), "pip", "install", "--python", programs / "python", *wanted, cwd=checkout)
    except AssertionError:  # as in Makefile: pip may know a mirror that uv does not
        run(programs / "pip", "install", *wanted, cwd=checkout)
    return programs


@pytest.mark.deep
def test_the_list_is_complete(image: Path, checkout: Path) -> None:
    """Nothing is installed but what is pinned and the project, and all of it goes together."""
    listed = json.loads(run(image / "pip", "list", "--format=json", cwd=checkout).stdout)
    names = {canonicalize_name(package["name"]) for package in listed}
    assert names - {"pip", "setuptools"} == {*pins(), "fastlaunch-nb"}
    run(image / "pip", "check", cwd=checkout)


@pytest.mark.deep
def test_the_package_brings_the_notebooks(image: Path, checkout: Path, tmp_path: Path) -> None:
    """Installed from a wheel, without a clone, lab and serve find every notebook there is."""
    code = "from fastlaunch_nb.cli.jupyter import NOTEBOOKS as n; print(*sorted(n.glob('*.ipynb')))"
    found = run(image / "python", "-c", code, cwd=tmp_path).stdout.split()
    expected = sorted(path.name for path in (checkout / "notebooks").glob("*.ipynb"))
    assert [Path(path).name for path in found] == expected
    assert all(image.parent in Path(path).parents for path in some(found))


@pytest.mark.deep
@pytest.mark.parametrize(
    ("notebook", "says"),
    [(NOTEBOOK, FLEET), ("notebooks/04_embed.ipynb", "needs Chrome or Chromium")],
)
def test_the_notebooks_run(
    image: Path, checkout: Path, tmp_path: Path, notebook: str, says: str
) -> None:
    """The tour shows the demo fleet, and without Chrome, as on Binder, embed says what is missing.

    In the Python of runtime.txt; where this machine does not have that, in the one of the tests.
    """
    convert = (image / "jupyter", "nbconvert", "--to", "notebook", "--execute")
    alone = {"HOME": str(tmp_path), "BROWSER_PATH": str(tmp_path / "none")}
    run(*convert, "--output-dir", tmp_path, notebook, cwd=checkout, **alone)
    shown = json.loads((tmp_path / Path(notebook).name).read_text())
    outputs = [output for cell in shown["cells"] for output in cell.get("outputs", [])]
    assert all(output["output_type"] != "error" for output in some(outputs))
    assert says in str(outputs)
    assert sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs) > 1


@contextmanager
def served(programs: Path, folder: Path, home: Path) -> Iterator[str]:
    """Give the address of JupyterLab, started by the program that BinderHub starts; stop it."""
    options = ("--ip=127.0.0.1", "--port=0", "--no-browser", "--allow-root")
    command = [str(programs / "jupyter-lab"), *options, "--IdentityProvider.token="]
    with started(command, cwd=folder, env={**os.environ, "HOME": str(home)}) as address:
        yield re.findall(r"^http://127\.0\.0\.1:\d+/", address)[0]


@pytest.mark.deep
def test_the_launch_links_work(image: Path, checkout: Path, tmp_path: Path) -> None:
    """Behind Binder's two links are the tour in JupyterLab and, run by Voila, the demo fleet."""
    with served(image, checkout, tmp_path) as address:
        for path, text in (("lab/tree", "JupyterLab"), ("voila/render", FLEET)):
            url = f"{address}{path}/{NOTEBOOK}"
            page = urllib3.request("GET", url, retries=False, timeout=LIMIT)
            assert page.status == 200, url
            assert text in page.data.decode(), url
