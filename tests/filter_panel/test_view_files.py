"""Views by name in a file: whole, shared by processes, and checked when it is read."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.view_files import MAX_NAME, Views
from tests.helpers.panel_widgets import make_images
from tests.helpers.samples import ROOT, run

VIEW = {"filters": {"state": ["enabled"]}}
WRITER = """
import sys
from fastlaunch_nb.filter_panel.view_files import Views

for number in range(20):
    Views(sys.argv[1])[f"{sys.argv[2]} {number}"] = {"tab": "Code"}
"""


def test_views_are_kept_by_name(tmp_path: Path) -> None:
    """A view that one panel keeps is in the file for the next one, in the order of names."""
    path = tmp_path / "views.json"
    panel = fl.panel(make_images(2), views=path)
    assert list(panel.views) == []
    panel.views[" b "] = panel.view
    panel.views["Ä"] = VIEW
    panel.views["a"] = VIEW
    del panel.views["Ä"]
    other = fl.panel(make_images(2), views=str(path))
    assert list(other.views) == ["a", "b"]
    assert other.views["b"] == panel.view
    assert [file.name for file in tmp_path.glob("[!.]*")] == ["views.json"]


def test_without_a_file_views_stay_in_the_panel() -> None:
    """Without a path views are in the panel alone."""
    panel = fl.panel(make_images(2))
    panel.views["a"] = panel.view
    assert repr(panel.views) == "Views: a"
    assert repr(fl.panel(make_images(2)).views) == "Views: none"


def test_processes_lose_no_view(tmp_path: Path) -> None:
    """Processes that keep views at the same time lose none."""
    path = tmp_path / "views.json"
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    with ThreadPoolExecutor() as pool:
        writers = pool.map(lambda name: run(sys.executable, script, path, name, cwd=ROOT), "ab")
        assert len([*writers]) == 2
    assert len(Views(path)) == 40


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"views": []}', '{"version": 1, "views": {"a": 1}}', "[" * 100_000],
)
def test_another_file_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    """A file that has no views is refused at once, and never overwritten."""
    path = tmp_path / "notes.json"
    path.write_text(content)
    with pytest.raises(fl.InputError, match=r"notes\.json' is no file of views"):
        fl.panel(make_images(1), views=path)
    assert path.read_text() == content


def test_views_of_a_later_release_are_refused(tmp_path: Path) -> None:
    """A file of a later release is not read, so that nothing in it is lost."""
    path = tmp_path / "views.json"
    path.write_text(json.dumps({"version": 2, "views": {}}))
    with pytest.raises(fl.InputError, match="views of another release, 2"):
        Views(path)


def test_a_file_that_cannot_be_used_is_a_setup_error(tmp_path: Path) -> None:
    """A folder, or one that is missing, is an error that names the path."""
    with pytest.raises(fl.SetupError, match="could not be read"):
        Views(tmp_path)
    with pytest.raises(fl.SetupError, match="could not be written"):
        Views(tmp_path / "missing" / "views.json")["a"] = VIEW


@pytest.mark.parametrize("name", ["", " ", "a" * (MAX_NAME + 1), "a\nb", "\ud800", None])
def test_odd_names_are_refused(tmp_path: Path, name: Any) -> None:
    """A name has 1 to 80 printable characters."""
    views = Views(tmp_path / "views.json")
    with pytest.raises(fl.InputError, match="The name of a view is"):
        views[name] = VIEW
    assert len(views) == 0


def test_a_crash_leaves_the_old_views(tmp_path: Path) -> None:
    """If a write fails half-way, the file still has all that it had."""
    views = Views(tmp_path / "views.json")
    views["a"] = VIEW
    with (
        patch("os.fsync", side_effect=OSError(28, "No space left on device")),
        pytest.raises(fl.SetupError, match="No space left"),
    ):
        views["b"] = VIEW
    assert dict(views) == {"a": VIEW}
