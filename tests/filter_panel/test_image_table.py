"""The table alone: columns, pages, selection, its static form, and what it refuses."""

from __future__ import annotations

from typing import Any

import ipywidgets
import polars as pl
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError, SetupError
from fastlaunch_nb.filter_panel.selection import get_keys
from tests.helpers.panel_widgets import export, make_images, read_table, strip_tags
from tests.helpers.samples import HOSTILE
from tests.helpers.selections import IMAGES


def test_it_shows_the_chosen_columns() -> None:
    """Each name shows the column that has its values, once and in this order."""
    table: Any = fl.table(IMAGES, columns=["image_id", "account_id", "region", "owner_id"])
    headings = [strip_tags(html) for html in table._table._itable.df.columns]
    assert headings == ["Image", "Where", "Owner ID"]
    assert len(table._table._itable.df) == len(IMAGES)


def test_a_page_has_as_many_rows_as_asked_for() -> None:
    """Pages have `page_size` rows, whatever the sizes to choose from."""
    table: Any = fl.table(make_images(20), page_size=7)
    assert [len(table._table._page), table._table._size.value] == [7, 7]
    table._table._next.click()
    assert table._table._position.value == "8–14 of 20"
    assert len(fl.table(make_images(3), page_size=7)._table._page) == 3


def test_it_selects() -> None:
    """A click in a row changes `selected`, and setting it marks the row."""
    table: Any = fl.table(IMAGES)
    table._table._itable.selected_rows = [1]
    assert table.selected == (table._table._page[1],)
    table.selected = get_keys(IMAGES)[:1]
    assert [table._table._page[n] for n in table._table._itable.selected_rows] == [*table.selected]
    with pytest.raises(InputError, match="selected has 'x', the key of no image here"):
        table.selected = ["x"]
    assert len(export(table._table, "Copy rows")[1].splitlines()) == 2


def test_it_takes_other_frames() -> None:
    """Any DataFrame that narwhals knows is shown, and changes to it later are not."""
    images = make_images(2)
    table: Any = fl.table(pl.from_pandas(images))
    assert "ami-" in read_table(table._table)
    own = fl.table(images)
    images["state"] = "changed"
    assert "changed" not in read_table(own._table)


def test_without_a_kernel_its_rows_stay() -> None:
    """The static form has the first rows in the visible columns, escaped, and how to use it."""
    images = make_images(12).assign(state_transition_reason=HOSTILE)
    bundle = fl.table(images, columns=["image_id", "state_transition_reason"])._repr_mimebundle_()
    html = bundle["text/html"]
    assert html.count("<tr>") == 1 + 10
    assert "and 2 more" in html
    assert "This is a picture of the table." in html
    assert "<img" not in html
    assert "Target" not in html
    assert bundle["text/plain"] == "ImageTable: 12 images"
    assert "No image to show" in fl.table(images.head(0))._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": "stat"}, "columns has 'stat', which these images lack"),
        ({"columns": 5}, "columns is 5. Expected names of columns"),
        (
            {"columns": ["stat"]},
            "columns has 'stat', which these images lack. Did you mean 'state'",
        ),
        ({"page_size": 0}, "page_size is 0. Expected"),
        ({"page_size": "ten"}, "page_size is 'ten'. Expected"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, message: str) -> None:
    """An argument that is invalid is named, with what is expected."""
    with pytest.raises(InputError, match=message):
        fl.table(IMAGES, **arguments)


@pytest.mark.parametrize("name", ["panel", "table", "dashboard"])
def test_old_widgets_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ipywidgets 7, as in Colab, one sentence says what to do; charts work as they are."""
    monkeypatch.setattr(ipywidgets, "__version__", "7.7.1")
    function: Any = getattr(fl, name)
    with pytest.raises(SetupError, match=rf"fl\.{name} needs ipywidgets 8, and 7\.7\.1 is inst"):
        function(IMAGES)
    assert fl.alt_text(fl.timeline(IMAGES))


def test_a_closed_table_leaves_no_widget() -> None:
    """Closing the table closes all of its widgets."""
    table: Any = fl.table(IMAGES)
    parts = [table._table, table._table._itable, table._table.export]
    table.close()
    assert [part.comm for part in parts] == [None, None, None]
