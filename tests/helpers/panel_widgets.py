"""Functions that read what the widgets of a panel show, and a DataFrame to show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from unittest.mock import patch

import pandas as pd
from comm.base_comm import BaseComm

import fastlaunch_nb as fl
from tests.helpers.samples import item


def make_images(count: int) -> pd.DataFrame:
    """Return images that differ in nothing but their ids and templates."""
    return fl.from_pages([item(n) for n in range(count)], observed_at="2026-01-15T12:00:00Z")


@contextmanager
def record_messages() -> Iterator[list[str]]:
    """Record the messages of new widgets to the browser, as JSON and without binary parts."""
    messages: list[str] = []

    class Recorder(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_args: Any, **_keys: Any) -> None:
            messages.append(json.dumps(data, default=str))

    with patch("comm.create_comm", Recorder):
        yield messages


def strip_tags(html: str) -> str:
    """Return the text of some HTML."""
    return unescape(re.sub("<[^>]*>", "", html))


def get_boxes(panel: Any, title: str) -> dict[str, Any]:
    """Return the checkboxes of a facet by their labels without the counts."""
    facet = next(f for f in panel._facets.values() if title in f.children[0].value)
    return {strip_tags(box.description).rsplit(" ", 1)[0]: box for box in facet._values.children}


def read_counts(panel: Any, title: str) -> dict[str, int]:
    """Return the counts of a facet by its labels."""
    return {
        label: int(re.findall(r"[(]([0-9,]+)[)]", box.description)[-1].replace(",", ""))
        for label, box in get_boxes(panel, title).items()
    }


def read_chips(panel: Any) -> list[str]:
    """Return the texts of the filter chips."""
    return [chip.description.removesuffix(" ×") for chip in panel._chips.children]


def read_page(panel: Any) -> str:
    """Return the HTML of the page of a panel's images, or the message in its place."""
    return read_table(panel._tabs._table)


def read_table(table: Any) -> str:
    """Return the HTML of a table's page, or the message in its place."""
    message: str = table._message.value
    rows = table._itable.df
    return message or " ".join([*rows.columns, *rows.to_numpy().ravel()])


def open_export(view: Any) -> dict[str, Any]:
    """Open the export menu of a table or tab, and return its buttons by their texts."""
    view.export.is_open = False
    view.export.is_open = True
    rows = view.export.children[1].children
    buttons = (button for row in rows for button in getattr(row, "children", ()))
    return {button.description: button for button in buttons}


def export(view: Any, name: str = "CSV") -> tuple[str, Any]:
    """Return the name and the content that a button of a table's or tab's export menu sends."""
    made: tuple[str, Any] = open_export(view)[name]._make_content()
    return made
