"""Copies of the notebooks for JupyterLab and Voila, with parameters from the command line."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.whole_files import write_file

DASHBOARD = "dashboard.ipynb"
_PACKAGE = Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "notebooks", _PACKAGE.parent / "notebooks")  # installed, or in a checkout
NOTEBOOKS = next(filter(Path.is_dir, _FOLDERS), Path("notebooks"))
_INJECTED = "injected-parameters"  # the tag that papermill uses, too
DEMO_FOLDER, OWN_ACCOUNT_FOLDER = "demo", "own-account"
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RESERVED = {  # all but our own names are devices on Windows
    *(DEMO_FOLDER, OWN_ACCOUNT_FOLDER, "con", "prn", "aux", "nul"),
    *(f"{device}{number}" for device in ("com", "lpt") for number in range(10)),
}


def make_folder_name(profile: str | None) -> str:
    """Return the folder name for a profile's notebooks: unique, and safe on every system.

    A name in lower case stays as it is. Any other is simplified and gets a hash, as
    ``Team`` and ``team`` are two profiles.

    Examples
    --------
    >>> make_folder_name(None), make_folder_name(""), make_folder_name("build-farm")
    ('demo', 'own-account', 'build-farm')
    >>> make_folder_name("a/b")
    'a-b-c14cddc0'
    """
    if not profile:
        return DEMO_FOLDER if profile is None else OWN_ACCOUNT_FOLDER
    if _PLAIN_NAME.fullmatch(profile) and profile not in _RESERVED:
        return profile
    plain = re.sub(r"[^a-z0-9]+", "-", profile.lower()).strip("-")[:31].strip("-")
    digest = hashlib.sha256(profile.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain or 'profile'}-{digest}"


def copy_notebooks(source: Path, folder: Path, parameters: Mapping[str, Any]) -> dict[Path, bool]:
    """Copy notebooks and set these parameters in them; never overwrite a user's edits.

    Return each copy, in order, and True if it is the user's edited version.
    """
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise InputError(
            f"No notebooks in {str(source)!r}. Give the folder that has them with --notebooks."
        )
    folder.mkdir(parents=True, exist_ok=True)
    copies = {}
    for notebook in notebooks:
        copy = folder / notebook.name
        is_edited = copies[copy] = copy.exists() and not _is_unedited(copy, notebook)
        if not is_edited:
            shutil.copyfile(notebook, copy)
        if parameters or (is_edited and _INJECTED in copy.read_text(encoding="utf-8")):
            _set_parameters(copy, parameters, clear_outputs=not is_edited)
    return copies


def copy_dashboard(source: Path, folder: Path, parameters: Mapping[str, Any]) -> Path:
    """Copy the dashboard into a folder and set these parameters in it; return the copy."""
    original = source / DASHBOARD
    if not original.is_file():
        raise InputError(
            f"No {DASHBOARD} in {str(source)!r}. Give the folder that has it with --notebooks."
        )
    copy = Path(shutil.copy(original, folder))
    _set_parameters(copy, parameters, clear_outputs=True)
    return copy


def _is_unedited(copy: Path, notebook: Path) -> bool:
    """Return True if a copy equals its notebook, apart from parameters that we set."""
    original = _read_notebook(notebook)
    try:
        current = _read_notebook(copy)
    except InputError:
        return False
    cells = [cell for cell in current["cells"] if not _has_tag(cell, _INJECTED)]
    if len(cells) < len(current["cells"]):
        _clear_outputs(original["cells"])
    return {**current, "cells": cells} == original


def _read_notebook(path: Path) -> dict[str, Any]:
    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["cell_type"], cell["metadata"]
    except (ValueError, LookupError, TypeError):
        raise InputError(f"{path} is not a notebook. Delete it to get a new copy.") from None
    return notebook


def _set_parameters(path: Path, parameters: Mapping[str, Any], *, clear_outputs: bool) -> None:
    """Insert a cell that sets parameters after the cell tagged 'parameters', as papermill does.

    It replaces the cell of an earlier start. Without parameters there is no such cell.
    """
    notebook = _read_notebook(path)
    cells = [cell for cell in notebook["cells"] if not _has_tag(cell, _INJECTED)]
    positions = [number for number, cell in enumerate(cells, 1) if _has_tag(cell, "parameters")]
    if parameters and not positions:
        raise InputError(
            f"{path} has no cell tagged 'parameters' to set {', '.join(parameters)}. "
            "Add the tag to the cell that sets them."
        )
    if parameters:
        cells.insert(positions[0], _make_parameters_cell(parameters))
    if clear_outputs:
        _clear_outputs(cells)
    text = json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False)
    write_file(path, f"{text}\n".encode())


def _make_parameters_cell(parameters: Mapping[str, Any]) -> dict[str, Any]:
    lines = ["# From the command line", *(f"{name} = {parameters[name]!r}" for name in parameters)]
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": _INJECTED,
        "metadata": {"tags": [_INJECTED]},
        "outputs": [],
        "source": "\n".join(lines).splitlines(keepends=True),
    }


def _clear_outputs(cells: Iterable[dict[str, Any]]) -> None:
    """Remove outputs in place, because they are those of other parameters."""
    for cell in cells:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])


def _has_tag(cell: Mapping[str, Any], tag: str) -> bool:
    return tag in cell["metadata"].get("tags", ())
