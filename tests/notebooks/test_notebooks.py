"""The committed notebooks: what they hold, and that their parameters do what they say.

That they show what is committed, nbval proves; that people can use them, test_browser.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import papermill
import plotly.io
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from traitlets.config import Config

from fastlaunch_nb.demo_fleet.demo import Demo
from tests.helpers import accounts
from tests.helpers.cases import some

ROOT = Path(__file__).parent.parent.parent
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
@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        pytest.param(
            {"filters": {"state": ["enabling-failed", "enabled-failed"]}},
            " 6 images",
            id="filters",
            marks=pytest.mark.deep,
        ),
        pytest.param(
            {"regions": ["eu-west-1"]}, " 15 images", id="a region", marks=pytest.mark.deep
        ),
        pytest.param(
            {"profile": "game-servers", "regions": ["eu-west-1"]},
            " 6 images",
            id="a profile and a region",
            marks=pytest.mark.deep,
        ),
    ],
)
def test_parameters(tmp_path: Path, demo: Demo, parameters: dict[str, Any], says: str) -> None:
    """Profile, regions and filters each decide what a notebook reads."""
    timeline = ROOT / "notebooks" / "02_state_timeline.ipynb"
    assert says in told(timeline, tmp_path / "out.ipynb", **parameters)


# --- on an account with nothing to show -------------------------------------------------

DENIED, EXPIRED, EMPTY = "every read is denied", "the login has expired", "no image"
ACCOUNTS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    EMPTY: accounts.empty,
    DENIED: accounts.refusing,
    EXPIRED: lambda folder: accounts.refusing(folder, "ExpiredToken"),
}
SAYS = {
    EMPTY: "No image (has Fast Launch here|to show|in any account and region)",
    DENIED: "Allow the IAM action ec2:DescribeFastLaunchImages",
    EXPIRED: "expired",
}
QUICK = ("03_snapshot_capacity", "08_findings")
CASES = [
    pytest.param(
        path,
        account,
        id=f"{path.stem}: {account}",
        marks=() if path.stem in QUICK and account != EXPIRED else pytest.mark.deep,
    )
    for path in NOTEBOOKS
    for account in ACCOUNTS
]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell that runs cells in this process, without the second a kernel takes to start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))  # pictures are not the point here
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    new = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield new
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(("path", "account"), CASES)
def test_an_account_with_nothing_to_show(
    path: Path, account: str, shell: InteractiveShell, tmp_path: Path
) -> None:
    """Every cell runs; the notebook says what is missing, and no number of images or money."""
    parameters = f"profile, regions = {accounts.PROFILE!r}, [{accounts.REGION!r}]"
    with ACCOUNTS[account](tmp_path):
        texts = run_cells(shell, path, parameters)
        shown = [*texts.values(), *widget_texts(shell.user_ns)]
    of_nothing = {name: numbers(text) for name, text in texts.items() if name not in OWN_NUMBERS}
    assert {name: found for name, found in of_nothing.items() if found} == {}, texts
    assert re.search(SAYS[account], "\n".join(shown)), shown
    assert "Traceback" not in "\n".join(shown)


@pytest.mark.deep
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_credentials_without_a_profile(path: Path, shell: InteractiveShell, demo: Demo) -> None:
    """Every cell runs on the credentials that boto3 finds, whose account has no name."""
    parameters = f"profile, regions = '', [{accounts.REGION!r}]"
    texts = run_cells(shell, path, parameters)
    shown = [*texts.values(), *widget_texts(shell.user_ns)]
    assert "Nothing could be read" not in " ".join(shown)


def run_cells(shell: InteractiveShell, path: Path, parameters: str) -> dict[str, str]:
    """Run a notebook with these parameters; return what each cell shows, by its id."""
    texts = {}
    for cell in cells(path):
        is_marked = "parameters" in cell.metadata.get("tags", ())
        texts[cell.id] = ran(shell, f"{cell.source}\n{parameters}" if is_marked else cell.source)
    return texts


OWN_NUMBERS = {  # of rules, and of patterns that the notebook itself makes up and says so
    *("07-09", "07-11", "07-13", "08-13"),
}
TRUE = (  # a read that took place, and what it was of
    r"Out\[\d+\]:|Sweep: 0 images, 1 (complete|failed)|FilterPanel: 0 of 0 images|0 of 0 images",
    r"1 read of an account and region: +1 (complete|failed)|[01] of 1 reads are complete",
    r"status (complete|failed) 1|(UnauthorizedOperation|ExpiredToken) 1|0 none",
    r"error_code 0|\[1 rows x 5 columns\]",  # a table of what failed, and its index
    r"444455556666|us-east-1|r-1|\d{4}-\d\d-\d\d( \d\d:\d\d)?(:\d\d\+00:00)?",
)


def numbers(text: str) -> list[str]:
    """Return the numbers of a text but for those of the reads themselves."""
    return re.findall(r"(?<![\w/-])\d[\d,.]*(?!\w)", re.sub("|".join(TRUE), "", text))


def ran(shell: InteractiveShell, source: str) -> str:
    """Run a cell, which must not fail; return all that it shows, as text."""
    with capture_output() as captured:
        done = shell.run_cell(source)
    assert done.success, f"{source}\nended with {done.error_in_exec!r}"
    texts = [captured.stdout, captured.stderr]
    for output in captured.outputs:
        if figure := output.data.get(PLOTLY):
            texts += figure_texts(figure)
        elif page := output.data.get("text/html"):
            texts.append(unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)))
        elif "application/vnd.jupyter.widget-view+json" not in output.data:
            texts.append(output.data["text/plain"])
    return " ".join("\n".join(texts).split())


def widget_texts(names: dict[str, Any]) -> Iterator[str]:
    """Yield what the dashboard's widgets show."""
    yield str(getattr(names.get("failed"), "outputs", ""))
    if panel := names.get("panel"):
        yield str(panel._repr_mimebundle_()["text/html"])


def figure_texts(figure: dict[str, Any]) -> Iterator[str]:
    """Yield what a figure says in words, and its bars if it has any."""
    title, layout = figure["layout"]["title"], figure["layout"]
    yield re.sub("<[^>]*>", " ", f"{title['text']} {title['subtitle']['text']}")
    yield from (note.get("text", "") for note in layout.get("annotations", ()))
    yield from (str(trace.get("text")) for trace in figure["data"])
