"""Copies of the notebooks: a user's edits stay, and parameters are set as papermill does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from fastlaunch_nb.cli.notebook_copies import NOTEBOOKS, copy_notebooks, make_folder_name
from fastlaunch_nb.errors import InputError
from tests.helpers.cases import some
from tests.helpers.samples import ROOT

NAME = "01_first.ipynb"


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A folder with a notebook that has run; its first cell is tagged for parameters."""
    cells = [
        nbformat.v4.new_code_cell(source, execution_count=1)
        for source in ("profile = None", "print(profile)")
    ]
    cells[0].metadata["tags"] = ["parameters"]
    cells[-1].outputs = [nbformat.v4.new_output("stream", text="of the demo")]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / NAME)
    return folder


def read_cells(path: Path) -> list[nbformat.NotebookNode]:
    """Return the cells of a notebook."""
    cells: list[nbformat.NotebookNode] = nbformat.read(path, as_version=4).cells
    return cells


def test_the_notebooks_of_a_checkout_are_found() -> None:
    """By default the notebooks of a checkout are copied, wherever the command runs."""
    assert NOTEBOOKS == ROOT / "notebooks"


# --- edits ----------------------------------------------------------------------------


def test_an_edited_notebook_is_not_overwritten(notebooks: Path, tmp_path: Path) -> None:
    """Missing notebooks are copied; one that the user has edited stays and is reported."""
    folder = tmp_path / "lab"
    copy = folder / NAME
    assert copy_notebooks(notebooks, folder, {}) == {copy: False}
    assert copy.read_bytes() == (notebooks / NAME).read_bytes()
    copy.write_text("mine")
    assert copy_notebooks(notebooks, folder, {}) == {copy: True}
    assert copy.read_text() == "mine"


@pytest.mark.parametrize(
    "starts",
    [
        pytest.param([{"profile": "a"}, {"profile": "b"}, {}], id="other parameters, then none"),
        pytest.param([{}, {}], id="none"),
        pytest.param([{"profile": "a"}, {"profile": "a"}], id="the same"),
    ],
)
def test_an_unedited_notebook_is_replaced(
    notebooks: Path, tmp_path: Path, starts: list[dict[str, Any]]
) -> None:
    """Parameters of an earlier start are no edits: the copy is like a first one."""
    for parameters in some(starts):
        copies = copy_notebooks(notebooks, tmp_path / "lab", parameters)
        assert copies == {tmp_path / "lab" / NAME: False}
    copy_notebooks(notebooks, tmp_path / "new", starts[-1])
    assert (tmp_path / "lab" / NAME).read_text() == (tmp_path / "new" / NAME).read_text()


def test_a_start_without_parameters_removes_them(notebooks: Path, tmp_path: Path) -> None:
    """Without options an edited notebook reads what its own cell sets."""
    (copy,) = copy_notebooks(notebooks, tmp_path / "lab", {"regions": ["us-east-1"]})
    copy.write_text(copy.read_text().replace("print(profile)", "print(profile, 1)"))
    copy_notebooks(notebooks, tmp_path / "lab", {})
    assert [cell.source for cell in read_cells(copy)] == ["profile = None", "print(profile, 1)"]


def test_a_file_that_is_not_a_notebook_is_refused(notebooks: Path, tmp_path: Path) -> None:
    """Such a file is named and stays as it is."""
    (copy,) = copy_notebooks(notebooks, tmp_path / "lab", {})
    copy.write_text("[]")
    with pytest.raises(InputError, match=r"01_first.ipynb is not a notebook"):
        copy_notebooks(notebooks, tmp_path / "lab", {"profile": "a"})
    assert copy.read_text() == "[]"


# --- folders --------------------------------------------------------------------------

PROFILES = [
    *("Team A", "team a", "team-a", "TEAM-A", "a/b", "a-b", "a\\b", "build-farm"),
    *("CON", "con", "com1", "nul.txt", "demo", "own-account", "..", ".", "-x", "~", "$(id)"),
    *("日本", "日", "\n", "x" * 300, "x" * 299, "AdministratorAccess-123456789012", "", None),
]


def test_every_profile_has_its_own_folder() -> None:
    """No two profiles share a folder, even if case is ignored; a plain name is unchanged."""
    names = [make_folder_name(profile) for profile in PROFILES]
    assert len({name.casefold() for name in names}) == len(PROFILES)
    assert make_folder_name("build-farm") == "build-farm"
    assert make_folder_name(None) == "demo"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_folder_name_is_safe(profile: str | None) -> None:
    """A folder name is one short part of a path, and not a device on Windows."""
    name = make_folder_name(profile)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name), f"{profile!r} got {name!r}"
    assert not re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", name), f"{profile!r} got {name!r}"


# --- parameters -----------------------------------------------------------------------


def test_parameters_follow_the_tagged_cell(notebooks: Path, tmp_path: Path) -> None:
    """A copy sets the parameters in a cell after the tagged one; old outputs are removed."""
    parameters = {
        "profile": 'it\'s "mine"',
        "regions": ["eu-west-1"],
        "filters": {"state": ["enabled"]},
    }
    (copy,) = copy_notebooks(notebooks, tmp_path / "lab", parameters)
    cells = read_cells(copy)
    assert [cell.get("outputs") for cell in cells] == [[], [], []]
    names: dict[str, Any] = {}
    for cell in cells[:2]:
        exec(cell.source, names)  # noqa: S102  our own cells
    assert parameters == {name: names[name] for name in parameters}


def test_papermill_replaces_our_cell(notebooks: Path, tmp_path: Path) -> None:
    """papermill replaces the cell of a copy with parameters by its own."""
    (copy,) = copy_notebooks(notebooks, tmp_path / "lab", {"profile": "first"})
    output = tmp_path / "output.ipynb"
    papermill.execute_notebook(
        copy,
        output,
        {"profile": "second"},
        prepare_only=True,
        kernel_name="python3",
        language="python",
    )
    sources = [cell.source for cell in read_cells(output)]
    assert sources == ["profile = None", '# Parameters\nprofile = "second"\n', "print(profile)"]


def test_new_parameters_replace_only_the_old_ones(notebooks: Path, tmp_path: Path) -> None:
    """New parameters replace the last ones; a user's cells and outputs stay."""
    folder = tmp_path / "lab"
    (copy,) = copy_notebooks(notebooks, folder, {"profile": "first"})
    copy.write_text(copy.read_text().replace("print(profile)", "print(profile, 1)"))
    before = read_cells(copy)
    copy_notebooks(notebooks, folder, {"profile": "second"})
    after = read_cells(copy)
    assert [cell.source for cell in after] == [
        "profile = None",
        "# From the command line\nprofile = 'second'",
        "print(profile, 1)",
    ]
    assert after[2] == before[2]


def test_a_notebook_without_a_tagged_cell_is_refused(notebooks: Path, tmp_path: Path) -> None:
    """Parameters are never dropped silently: a notebook that takes none is named."""
    text = (notebooks / NAME).read_text().replace('"parameters"', '"other"')
    (notebooks / NAME).write_text(text)
    with pytest.raises(InputError, match=r"01_first.ipynb has no cell tagged 'parameters'"):
        copy_notebooks(notebooks, tmp_path / "lab", {"profile": "mine"})
