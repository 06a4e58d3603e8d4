"""The code tab: code of each kind for the images on the screen, or the selected ones."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.code_tab import CODE_KINDS
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.filters.codegen import KINDS
from fastlaunch_nb.shells import SHELLS
from tests.helpers.cases import some

CODE = TITLES.index("Code")


def open_code(panel: Any) -> Any:
    """Open the code tab of a panel, and return it."""
    panel._tabs.selected_index = CODE
    return panel._tabs._code


def test_each_kind_of_code_can_be_chosen(images: pd.DataFrame) -> None:
    """The tab has every kind, and shows the code that the panel returns."""
    panel = fl.panel(images, filters=fl.Filters(state=["enabled"]))
    view = open_code(panel)
    assert {kind for _, kind in CODE_KINDS} == set(KINDS)
    for kind in some(KINDS):
        view._kind.value = kind
        shell = {"shell": view._shell.value}
        assert escape(panel.to_code(kind, **shell)) in view._html.value


def test_the_code_follows_the_selected_images(images: pd.DataFrame) -> None:
    """For selected images the code has their ids, and changes with the selection."""
    known = images.dropna(subset=["account_id", "region", "image_id"])
    panel = fl.panel(known)
    view = open_code(panel)
    view._rows.value = True
    assert "No image is selected." in view._html.value
    keys = list(known[["account_id", "region", "image_id"]].itertuples(index=False, name=None))
    panel.selected = keys[:1]
    assert keys[0][-1] in view._html.value
    assert panel.to_code(selected=True) in panel.to_code("fastlaunch", selected=True)
    names: dict[str, Any] = {"images": known}
    exec(panel.to_code("pandas", selected=True), names)  # noqa: S102  code of our own
    assert names["chosen"].equals(known.iloc[:1])


def test_code_for_the_aws_cli_is_for_the_chosen_shell(images: pd.DataFrame) -> None:
    """The choice of a shell is there for commands only, and changes their quotes."""
    panel = fl.panel(images, filters=fl.Filters(region="eu-west-1", state=["enabled"]))
    view = open_code(panel)
    assert view._shell.layout.display == "none"
    view._kind.value = "cli"
    assert view._shell.layout.display is None
    for shell in some(SHELLS):
        view._shell.value = shell
        assert escape(panel.to_code("cli", shell=shell)) in view._html.value
    assert "Name=state,Values=enabled" in view._html.value
