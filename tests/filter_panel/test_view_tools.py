"""The toolbar's buttons: undo, redo, the menu of views, and the list of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.selection import get_keys
from tests.helpers.cases import some
from tests.helpers.panel_widgets import get_boxes, make_images, strip_tags
from tests.helpers.samples import HOSTILE


def find_widgets(box: Any, kind: str) -> list[Any]:
    """Return all widgets of a kind in a box."""
    children = getattr(box, "children", ())
    inner = [widget for child in children for widget in find_widgets(child, kind)]
    return [*(child for child in children if type(child).__name__ == kind), *inner]


def find_button(panel: Any, description: str) -> Any:
    """Return a button of the menu of views."""
    buttons = find_widgets(panel._tools._menu, "Button")
    return next(button for button in buttons if button.description == description)


def open_menu(panel: Any) -> None:
    """Open the menu of views."""
    panel._tools._menu.is_open = True


def save_view(panel: Any, name: str) -> None:
    """Save the view under a name, as a user does."""
    (text,) = find_widgets(panel._tools._menu, "Text")
    text.value = name
    find_button(panel, "Save").click()


def read_menu(panel: Any) -> str:
    """Return the texts in the menu of views."""
    return " ".join(strip_tags(html.value) for html in find_widgets(panel._tools._menu, "HTML"))


def press(panel: Any, action: str) -> None:
    """Press the key of an action."""
    (keys,) = [child for child in panel.children if type(child).__name__ == "PanelKeys"]
    keys._handle_custom_msg({"action": action}, [])


# --- undo and redo --------------------------------------------------------------------


def test_undo_returns_through_filters_sort_and_columns(images: pd.DataFrame) -> None:
    """Undo takes back each change of filters, sort and columns; redo makes it again."""
    panel = fl.panel(images)
    views = [panel.view]
    get_boxes(panel, "State")["enabled"].value = True
    views.append(panel.view)
    panel._tabs.table._sort_by("image_id")
    views.append(panel.view)
    panel._tabs.table._move_column("image_id", "state")
    views.append(panel.view)
    assert len({str(view) for view in views}) == 4
    for view in some(views[-2::-1]):
        panel._tools._undo.click()
        assert panel.view == view
    assert panel._tools._undo.disabled
    for view in some(views[1:]):
        press(panel, "redo")
        assert panel.view == view
    assert panel._tools._redo.disabled
    assert not panel._tools._undo.disabled


def test_a_drag_and_a_word_are_one_step_each(images: pd.DataFrame) -> None:
    """A slider that moves is one step, each typed word is one, and a tick always is."""
    panel = fl.panel(images)
    for low in (1.0, 2.0, 3.0):
        panel._sliders["target_resource_count"].set_state({"low": low})
    for text in ("w", "wi", "win", "win s"):
        panel._search.value = text
    get_boxes(panel, "Region")["eu-west-1"].value = True
    get_boxes(panel, "Region")["us-east-1"].value = True
    steps = []
    while panel._history.can_undo:
        panel.undo()
        filters = panel.filters
        steps.append((filters.region, filters.text, filters.target_resource_count))
    assert steps == [
        (("eu-west-1",), "win s", (3, None)),
        ((), "win s", (3, None)),
        ((), "win", (3, None)),
        ((), "", (3, None)),
        ((), "", None),
    ]


def test_code_makes_a_step_each_time(images: pd.DataFrame) -> None:
    """Filters that code sets are a step each, however fast."""
    panel = fl.panel(images)
    for text in ("a", "b"):
        panel.filters = fl.Filters(text=text)
    panel.undo()
    assert panel.filters == fl.Filters(text="a")


# --- views ----------------------------------------------------------------------------


def test_the_menu_saves_opens_and_deletes_views(images: pd.DataFrame) -> None:
    """A view is saved under a name, opened, replaced, and deleted by a second click."""
    panel = fl.panel(images)
    panel.filters = fl.Filters(state="enabled")
    open_menu(panel)
    save_view(panel, HOSTILE.replace("\n", " ").replace("\x9b", "").replace("\u202e", ""))
    save_view(panel, "on")
    assert "Saved on." in read_menu(panel)
    panel.filters = fl.Filters()
    find_button(panel, "on").click()
    assert panel.filters == fl.Filters(state="enabled")
    assert not panel._tools._menu.is_open
    open_menu(panel)
    find_button(panel, "×").click()
    assert len(panel.views) == 2
    find_button(panel, "Delete?").click()
    assert len(panel.views) == 1


def test_the_button_says_that_it_replaces(images: pd.DataFrame) -> None:
    """A name that exists turns Save into a question; a second click replaces the view."""
    panel = fl.panel(images)
    panel.views["on"] = panel.view
    open_menu(panel)
    (text,) = find_widgets(panel._tools._menu, "Text")
    text.value = "on"
    panel.filters = fl.Filters(state="enabled")
    find_button(panel, "Save").click()
    assert panel.views["on"]["filters"] == {}
    find_button(panel, "Replace?").click()
    assert panel.views["on"]["filters"] == {"state": ["enabled"]}


def test_problems_are_sentences_in_the_menu(images: pd.DataFrame, tmp_path: Path) -> None:
    """A bad view, one that is gone, a bad name and a broken file are named in the menu."""
    path = tmp_path / "views.json"
    panel = fl.panel(images, views=path)
    panel.views["bad"] = {"filters": {"<b>": 1}}
    panel.views["gone"] = panel.view
    open_menu(panel)
    find_button(panel, "bad").click()
    assert "This has '<b>', which is not a filter." in read_menu(panel)
    del panel.views["gone"]
    find_button(panel, "gone").click()
    assert "somebody has deleted it" in read_menu(panel)
    save_view(panel, " ")
    assert "Expected 1 to 80 letters" in read_menu(panel)
    path.write_text("[]")
    save_view(panel, "a")
    assert "is no file of views" in read_menu(panel)


def test_a_view_of_other_columns_opens_with_a_sentence(images: pd.DataFrame) -> None:
    """A view with columns that are not here opens, and the menu says what is missing."""
    panel = fl.panel(images)
    panel.views["costs"] = {"columns": ["state", "monthly_usd_high"], "tab": "Code"}
    open_menu(panel)
    find_button(panel, "costs").click()
    assert panel.view["columns"] == ["state"]
    assert "shown without: 'monthly_usd_high'" in read_menu(panel)


def test_only_a_page_has_a_link(images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy link is there on a page of Voila alone, and sends the view."""
    panel = fl.panel(images)
    open_menu(panel)
    assert find_widgets(panel._tools._menu, "TextButton") == []
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    panel._tools._menu.draw()
    (link,) = find_widgets(panel._tools._menu, "TextButton")
    name, text = link._make_content()
    assert (name, link.how) == ("view", "link")
    panel.filters = fl.Filters(state="enabled")
    panel.view = text
    assert panel.filters == fl.Filters()


# --- keys and menus -------------------------------------------------------------------


def test_keys_open_and_close(images: pd.DataFrame) -> None:
    """? opens and closes the list of keys; Escape closes a menu, and then the details."""
    panel: Any = fl.panel(images)
    panel.selected = get_keys(images)[:1]
    open_menu(panel)
    press(panel, "keys")
    assert panel._tools._help.is_open
    assert not panel._tools._menu.is_open  # one menu at a time
    press(panel, "close")
    assert not panel._tools._help.is_open
    assert panel._detail.children
    press(panel, "close")
    assert not panel._detail.children
    assert len(panel.selected) == 1


def test_a_menu_leaves_no_widgets() -> None:
    """What a menu shows is made when it opens, and closed with it."""
    panel = fl.panel(make_images(1))
    open_menu(panel)
    panel._tools._menu.is_open = False
    before = len(_instances)
    for _ in range(3):
        open_menu(panel)
        panel._tools._menu.is_open = False
    assert len(_instances) == before
