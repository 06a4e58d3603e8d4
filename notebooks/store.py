"""Run notebooks and store what they show, in the form that is committed.

Beside each chart goes a PNG of it, so that a reader without JavaScript, such as
GitHub, sees it. Left out is what differs from run to run or points to a kernel
that is gone: views of widgets, times, the kernel's exact version.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import nbformat
import plotly.graph_objects as go
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDTH = 840  # pixels: JupyterLab shows a picture in full size until its chart is touched


def store(path: Path) -> None:
    """Run one notebook and write it back."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _prepare(output)]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def _prepare(output: NotebookNode) -> bool:
    """Remove the view of a widget from an output, and add a chart's picture; False if empty."""
    if "data" not in output:
        return True
    output.data.pop(WIDGET, None)
    if PLOTLY in output.data:
        output.data["image/png"] = _draw_picture(output.data[PLOTLY])
    return bool(output.data)


def _draw_picture(figure: NotebookNode) -> str:
    still = go.Figure({"data": figure["data"], "layout": figure["layout"]}, skip_invalid=True)
    still.update_xaxes(rangeselector_visible=False)  # nobody can press a button of a picture
    png = still.to_image("png", width=WIDTH)
    small = io.BytesIO()
    colours = Image.Quantize.FASTOCTREE  # the method that keeps transparency
    Image.open(io.BytesIO(png)).quantize(256, colours).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        store(Path(name))
        print(name)
