"""``table``: the table of the panel alone, for the output of a notebook's cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd
import traitlets
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filter_panel.controls import SuppressShortcuts
from fastlaunch_nb.filter_panel.menu import Menu
from fastlaunch_nb.filter_panel.selection import Key, change_keys, get_keys, parse_keys
from fastlaunch_nb.filter_panel.static_html import display_with_static_form, render_static_table
from fastlaunch_nb.filter_panel.table import Table
from fastlaunch_nb.filter_panel.table_columns import (
    DEFAULT_IMAGE_COLUMNS,
    Column,
    make_image_columns,
)
from fastlaunch_nb.filter_panel.view_tools import PanelKeys
from fastlaunch_nb.filter_panel.widget_helpers import (
    close_widgets,
    make_html,
    read_file,
    require_widgets,
)
from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.number_checks import parse_count
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.validation import split_text, validate_columns

_STYLE: Final = f"<style>{read_file('common.css')}{read_file('panel.css')}</style>"
_MAX_ROWS: Final = 1000  # on a page


def table(
    images: IntoDataFrame, *, columns: str | Iterable[str] | None = None, page_size: int = 10
) -> ImageTable:
    """Make the table of the panel alone, for a DataFrame of images in a notebook's output.

    It pages, sorts and groups all rows, chooses columns, and copies or saves the rows as CSV,
    Parquet, Excel or Markdown. Without a kernel its first rows stay as HTML.

    Parameters
    ----------
    images : DataFrame
        The images, as :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`
        returns them, with all columns that were joined to them.
    columns : str or iterable of str, optional
        The names of the columns to show, in their order. By default state, time, image, account
        and region, reason, target and parallel launches. The table can show the others.
    page_size : int, default 10
        The number of rows on a page.

    Returns
    -------
    ImageTable
        An ipywidget. ``selected`` has the keys of the selected images; set or observe it.

    Raises
    ------
    InputError
        If `images` lacks columns or is no DataFrame, if it has no column with a name in
        `columns`, or if `page_size` is no number of rows.
    SetupError
        If ipywidgets is older than version 8.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}],
    ...                        account_id="123456789012", region="eu-west-1")
    >>> table = fl.table(images, columns=["image_id", "region", "state"], page_size=25)
    >>> table
    ImageTable: 1 image
    >>> table.selected = [("123456789012", "eu-west-1", "ami-0abcdef1234567890")]
    """
    require_widgets("fl.table")
    images = validate_columns("images", images, *(column.name for column in COLUMNS)).copy()
    names = _find_columns(columns, make_image_columns(images))
    return ImageTable(images, names, parse_count("page_size", page_size, least=1, most=_MAX_ROWS))


def _find_columns(names: Any, known: Iterable[Column]) -> tuple[str, ...]:
    """Return the table's columns that show some columns of the DataFrame."""
    if names is None:
        return DEFAULT_IMAGE_COLUMNS
    by_field = {field: column.name for column in known for field in (*column.fields, column.name)}
    if not isinstance(names, Iterable):
        raise InputError(f"columns is {names!r}. Expected names of columns, such as ['state'].")
    for name in (names := list(split_text(names))):
        if name not in by_field:
            hint = did_you_mean(str(name), by_field)
            raise InputError(f"columns has {name!r}, which these images lack.{hint}")
    return tuple(dict.fromkeys(by_field[name] for name in names)) or DEFAULT_IMAGE_COLUMNS


class ImageTable(widgets.VBox):  # type: ignore[misc]
    """A table of images; made by :func:`table`.

    Attributes
    ----------
    selected : tuple of tuple
        The keys of the selected images: account, region and image id of each. A trait: set it
        or observe it.
    """

    selected = traitlets.Any(())

    def __init__(self, images: pd.DataFrame, columns: tuple[str, ...], page_size: int) -> None:
        self._images, self._keys = images, frozenset(get_keys(images))
        self._table = Table(self._update_selection, "state", page_size)
        self._table.set_rows(images, make_image_columns(images), columns)
        self._table.show(np.ones(len(images), dtype=np.bool_))
        invisible = (make_html(_STYLE), SuppressShortcuts(), PanelKeys({"close": _close_menu}))
        super().__init__((*invisible, self._table), _dom_classes=("fl-panel",))

    def close(self) -> None:
        """Close the table with all of its widgets."""
        close_widgets(vars(self))
        super().close()

    @traitlets.validate("selected")
    def _validate_selected(self, proposal: Mapping[str, Any]) -> tuple[Key, ...]:
        return parse_keys(proposal["value"], self._keys)

    @traitlets.observe("selected")
    def _show_selected(self, _change: object) -> None:
        self._table.select(frozenset(self.selected))

    def _update_selection(self, added: set[Key], removed: set[Key]) -> None:
        self.selected = change_keys(self.selected, added, removed, self._keys)

    def __repr__(self) -> str:
        return f"ImageTable: {format_count(len(self._images))}"

    def _ipython_display_(self) -> None:
        """Show the table, and its static form for a page that has no kernel."""
        display_with_static_form(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return the widget, and its text and static HTML for readers without a kernel."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = render_static_table(self._images, self._table.columns)
        return bundle


def _close_menu() -> None:
    Menu.close_opened()
