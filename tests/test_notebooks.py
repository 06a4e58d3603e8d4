"""The committed notebooks: what they hold, and that their parameters do what they say.

That they show what is committed, nbval proves; that people can use them, test_browser.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from PIL import Image

from fastlaunch_nb.demo import Demo

from .cases import some

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLOTLY = "application/vnd.plotly.v1+json"
COLUMN = 848  # pixels of JupyterLab's outputs in a window of 1280


def cells(path: Path) -> Iterator[nbformat.NotebookNode]:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            yield cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_compared(path: Path) -> None:
    """Every code cell was run, in order: nbval skips one whose execution_count is null."""
    counts = [cell.execution_count for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_hold_what_everyone_can_see(path: Path) -> None:
    """A chart has its PNG, and there is no widget state, no dangling view and no path of ours."""
    text = path.read_text()
    assert "widget-state" not in text
    assert "widget-view" not in text
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    outputs = [output for cell in cells(path) for output in cell.outputs]
    assert all(output.output_type != "error" for output in some(outputs))
    charts = [o.data for o in outputs if PLOTLY in o.get("data", {})]
    assert (
        charts or path.stem == "dashboard"
    )  # whose charts are in a widget, redrawn as one filters
    pictures = [Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) for data in charts]
    assert [picture.width for picture in pictures if picture.width > COLUMN] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_one_marked_cell_leads_to_your_own_account(path: Path) -> None:
    """One cell, marked for people and for papermill, has all there is to change."""
    marked = [cell for cell in cells(path) if "parameters" in cell.metadata.get("tags", ())]
    assert len(marked) == 1
    assert marked[0].source.startswith("# YOUR OWN ACCOUNT")
    names: dict[str, Any] = {}
    exec(marked[0].source, names)  # noqa: S102  a cell of our own
    assert {"profile", "regions", "filters"} < names.keys()


def told(path: Path, output: Path, **parameters: Any) -> str:
    """Run a notebook with parameters; return what its charts say they show."""
    ran = papermill.execute_notebook(path, output, parameters, progress_bar=False)
    figures = [
        o.data[PLOTLY]
        for cell in ran.cells
        for o in cell.get("outputs", ())
        if PLOTLY in o.get("data", {})
    ]
    return str(figures[0]["layout"]["title"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_parameters(tmp_path: Path, demo: Demo) -> None:
    """Profile, regions and filters each decide what a notebook reads."""
    timeline = ROOT / "notebooks" / "02_state_timeline.ipynb"
    output = tmp_path / "out.ipynb"
    failed = {"state": ["enabling-failed", "enabled-failed"]}
    assert " 6 images" in told(timeline, output, filters=failed)
    assert " 15 images" in told(timeline, output, regions=["eu-west-1"])
    assert " 6 images" in told(timeline, output, profile="game-servers", regions=["eu-west-1"])
