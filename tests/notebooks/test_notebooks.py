"""The committed notebooks: their contents, their parameters, and empty accounts.

nbval proves that their outputs are up to date; tests/browser/test_notebooks.py uses them.
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


def read_code_cells(path: Path) -> Iterator[nbformat.NotebookNode]:
    """Yield the code cells of a notebook."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            yield cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_has_run(path: Path) -> None:
    """Every code cell has run, in order; nbval would skip a cell without execution_count."""
    counts = [cell.execution_count for cell in read_code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_visible_everywhere(path: Path) -> None:
    """Every chart has a PNG; there is no widget state, no widget view and no local path."""
    text = path.read_text()
    assert "widget-state" not in text
    assert "widget-view" not in text
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    outputs = [output for cell in read_code_cells(path) for output in cell.outputs]
    assert all(output.output_type != "error" for output in some(outputs))
    charts = [o.data for o in outputs if PLOTLY in o.get("data", {})]
    assert charts or path.stem == "dashboard"  # which has its charts in a widget
    pictures = [Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) for data in charts]
    assert [picture.width for picture in pictures if picture.width > COLUMN] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_one_cell_selects_your_own_account(path: Path) -> None:
    """One cell, marked for people and tagged for papermill, has all the parameters."""
    marked = [
        cell for cell in read_code_cells(path) if "parameters" in cell.metadata.get("tags", ())
    ]
    assert len(marked) == 1
    assert marked[0].source.startswith("# YOUR OWN ACCOUNT")
    names: dict[str, Any] = {}
    exec(marked[0].source, names)  # noqa: S102  our own cell
    assert {"profile", "regions", "filters"} < names.keys()


OF_THE_DEMO = r"\bami-[0-9a-f]{8,}|\b\d{12}\b|\bwin20\d\d-|build-farm|game-servers|sandbox"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_text_is_true_of_every_account(path: Path) -> None:
    """No text names an image or an account of the demo: readers see it above their own data."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert re.findall(OF_THE_DEMO, text) == []


def read_first_title(path: Path, output: Path, **parameters: Any) -> str:
    """Run a notebook with parameters; return the title of its first chart."""
    notebook = papermill.execute_notebook(path, output, parameters, progress_bar=False)
    figures = [
        o.data[PLOTLY]
        for cell in notebook.cells
        for o in cell.get("outputs", ())
        if PLOTLY in o.get("data", {})
    ]
    return str(figures[0]["layout"]["title"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("parameters", "expected"),
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
def test_parameters_select_images(
    tmp_path: Path, demo: Demo, parameters: dict[str, Any], expected: str
) -> None:
    """The profile, the regions and the filters each select what a notebook reads."""
    timeline = ROOT / "notebooks" / "02_state_timeline.ipynb"
    assert expected in read_first_title(timeline, tmp_path / "out.ipynb", **parameters)


QUICK_TEXTS = ("01_explore", "02_state_timeline")  # which read the regions themselves


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in QUICK_TEXTS else pytest.mark.deep)
        for path in NOTEBOOKS
    ],
)
def test_a_text_stands_for_a_list(path: Path, shell: InteractiveShell) -> None:
    """`papermill -p regions us-east-1,eu-west-1` and a state alone mean the same as lists."""
    outputs = [
        run_cells(shell, path, f"regions, filters = {regions!r}, {{'state': {state!r}}}")
        for regions, state in (
            (["us-east-1", "eu-west-1"], ["enabled"]),
            ("us-east-1,eu-west-1", "enabled"),
        )
    ]
    texts, expected = (
        {name: re.sub(r"0x[0-9a-f]+|fl-[0-9a-f]+", "", text) for name, text in it.items()}
        for it in outputs
    )
    assert "Traceback" not in "".join(expected.values())
    assert texts == expected


# --- accounts without images ----------------------------------------------------------

DENIED, EXPIRED, EMPTY = "every read is denied", "the login has expired", "no image"
ACCOUNTS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    EMPTY: accounts.empty,
    DENIED: accounts.refusing,
    EXPIRED: lambda folder: accounts.refusing(folder, "ExpiredToken"),
}
EXPECTED_TEXTS = {
    EMPTY: "No image (has Fast Launch here|to show|in any account and region)",
    DENIED: "Allow the IAM action ec2:DescribeFastLaunchImages",
    EXPIRED: "expired",
}
REFUSED = f"{EXPECTED_TEXTS[DENIED]}|{EXPECTED_TEXTS[EXPIRED]}|not known to AWS"
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
    """A shell that runs cells in this process, as a kernel takes a second to start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))  # so that no picture is drawn
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    new = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield new
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(("path", "account"), CASES)
def test_an_account_without_images_is_explained(
    path: Path, account: str, shell: InteractiveShell, tmp_path: Path
) -> None:
    """Every cell runs; the notebook names the reason and shows no number of images or money."""
    parameters = f"profile, regions = {accounts.PROFILE!r}, [{accounts.REGION!r}]"
    with ACCOUNTS[account](tmp_path):
        texts = run_cells(shell, path, parameters)
        output = "\n".join([*texts.values(), *read_widgets(shell.user_ns)])
    numbers = {name: find_numbers(text) for name, text in texts.items() if name not in OWN_NUMBERS}
    assert {name: found for name, found in numbers.items() if found} == {}, texts
    assert re.search(EXPECTED_TEXTS[account], output), output
    assert "Traceback" not in output
    assert bool(re.search(REFUSED, output)) == (account != EMPTY), output


@pytest.mark.deep
def test_a_report_counts_the_reads_that_failed(shell: InteractiveShell, tmp_path: Path) -> None:
    """The web page, the Sphinx page and the Markdown report each name reads that failed."""
    embed = ROOT / "notebooks" / "04_embed.ipynb"
    with accounts.refusing(tmp_path):
        run_cells(shell, embed, f"profile, regions = {accounts.PROFILE!r}, [{accounts.REGION!r}]")
    for name in ("page.html", "sphinx/index.md", "report.md"):
        assert "0 of 1 reads are complete" in (tmp_path / "reports" / name).read_text("utf-8")


@pytest.mark.deep
def test_one_sweep_has_no_past(shell: InteractiveShell, demo: Demo) -> None:
    """In a history of one sweep nothing changed, and its images are those of now."""
    history = ROOT / "notebooks" / "06_history.ipynb"
    texts = run_cells(shell, history, "profile, regions = 'game-servers', ['eu-west-1']")
    assert "2026-01-15 12:00 now state enabled 5 5 disabling 1 1" in texts["06-07"]
    assert "Empty DataFrame" in texts["06-09"]
    assert texts["06-11"] == ""


@pytest.mark.deep
def test_unknown_costs_have_no_sum(shell: InteractiveShell, demo: Demo) -> None:
    """Where no finding has a known cost, the notebook prints no amount."""
    findings = ROOT / "notebooks" / "08_findings.ipynb"
    texts = run_cells(shell, findings, "profile, regions = 'game-servers', ['eu-west-1']")
    assert texts["08-03"] == "Findings: 1"
    assert texts["08-05"].endswith(" –")


@pytest.mark.deep
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_credentials_without_a_profile(path: Path, shell: InteractiveShell, demo: Demo) -> None:
    """Every cell runs with the credentials that boto3 finds, without an account name."""
    parameters = f"profile, regions = '', [{accounts.REGION!r}]"
    texts = run_cells(shell, path, parameters)
    output = " ".join([*texts.values(), *read_widgets(shell.user_ns)])
    assert "Nothing could be read" not in output


def run_cells(shell: InteractiveShell, path: Path, parameters: str) -> dict[str, str]:
    """Run a notebook with these parameters; return the output of each cell, by its id."""
    texts = {}
    for cell in read_code_cells(path):
        is_marked = "parameters" in cell.metadata.get("tags", ())
        texts[cell.id] = run_cell(
            shell, f"{cell.source}\n{parameters}" if is_marked else cell.source
        )
    return texts


OWN_NUMBERS = {  # cells with numbers of rules, or of launch patterns that the notebook invents
    *("07-09", "07-11", "07-13", "08-13")
}
READ_NUMBERS = (  # texts with numbers that describe the read itself
    r"Out\[\d+\]:|Sweep: 0 images, 1 (complete|failed)|FilterPanel: 0 of 0 images|0 of 0 images",
    r"1 read of an account and region: +1 (complete|failed)|[01] of 1 reads are complete",
    r"status (complete|failed) 1|(UnauthorizedOperation|ExpiredToken) 1|0 none",
    r"error_code 0|\[1 rows x 5 columns\]",  # the table of failures and its index
    r"ipywidgets 8",  # of the hint below a static form
    r"444455556666|us-east-1|r-1|\d{4}-\d\d-\d\d( \d\d:\d\d)?(:\d\d\+00:00)?",
)


def find_numbers(text: str) -> list[str]:
    """Return the numbers in a text, except those that describe the read itself."""
    return re.findall(r"(?<![\w/-])\d[\d,.]*(?!\w)", re.sub("|".join(READ_NUMBERS), "", text))


def run_cell(shell: InteractiveShell, source: str) -> str:
    """Run a cell, which must not fail; return its output as text."""
    with capture_output() as captured:
        done = shell.run_cell(source)
    assert done.success, f"{source}\nended with {done.error_in_exec!r}"
    texts = [captured.stdout, captured.stderr]
    for output in captured.outputs:
        if figure := output.data.get(PLOTLY):
            texts += read_figure(figure)
        elif page := output.data.get("text/html"):
            texts.append(unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)))
        elif "application/vnd.jupyter.widget-view+json" not in output.data:
            texts.append(output.data["text/plain"])
    return " ".join("\n".join(texts).split())


def read_widgets(names: dict[str, Any]) -> Iterator[str]:
    """Yield the text of a panel."""
    if panel := names.get("panel"):
        yield str(panel._repr_mimebundle_()["text/html"])


def read_figure(figure: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a figure: title, annotations and bars."""
    title, layout = figure["layout"]["title"], figure["layout"]
    yield re.sub("<[^>]*>", " ", f"{title['text']} {title['subtitle']['text']}")
    yield from (note.get("text", "") for note in layout.get("annotations", ()))
    yield from (str(trace.get("text")) for trace in figure["data"])
