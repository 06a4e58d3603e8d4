"""The panel's tabs: table, timeline, capacity, findings and code; each draws when it opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from html import escape
from typing import Any, Final, NamedTuple, TypeAlias

import ipywidgets as widgets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fastlaunch_nb.charts.capacity import capacity
from fastlaunch_nb.charts.timeline import timeline
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel import table_columns
from fastlaunch_nb.filter_panel.chart import ChartWidget
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.table import Key, OnSelect, Table, get_keys
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_box,
    make_dropdown,
    make_html,
    make_row,
    render_message,
    share,
)
from fastlaunch_nb.formatting import empty_message
from fastlaunch_nb.rules.evaluate import RULES, Evaluation, prepare_facts
from fastlaunch_nb.rules.rule import RuleInput
from fastlaunch_nb.rules.unchecked import list_unchecked_rules
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.shells import get_native_shell

TITLES: Final = ("Table", "Timeline", "Capacity", "Findings", "Code")
_TIMELINE, _CAPACITY = TITLES.index("Timeline"), TITLES.index("Capacity")
_CODE_KINDS: Final = (
    ("fastlaunch_nb", "fastlaunch"),
    ("boto3", "boto3"),
    ("AWS CLI", "cli"),
    ("pandas", "pandas"),
)
_SHELLS: Final = (
    ("POSIX (CloudShell, macOS, Linux)", "posix"),
    ("PowerShell", "powershell"),
    ("Command Prompt", "cmd"),
)
_HINT: Final = (
    "<p class='fl-hint'>Click a bar to select its image; hold Ctrl, ⌘ or Shift to select more. "
    "In the table you can also select with the keyboard.</p>"
)
ToCode: TypeAlias = Callable[[str, str], str]
_SELECT_HINT: Final = "<p class='fl-hint'>Select a row to read its advice and command in full.</p>"
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


class _ImageRows(NamedTuple):
    """Rows about images, and the position of each row's image; -1 if it is not in the panel."""

    rows: pd.DataFrame
    positions: np.ndarray[Any, np.dtype[np.int64]]

    def match(self, mask: Mask) -> Mask:
        """Return a mask of the rows about images in a mask; all rows if it has all images."""
        if mask.all():  # rows of images that no longer exist count, too
            return np.ones(len(self.rows), dtype=np.bool_)
        matches: Mask = mask[self.positions] & (self.positions >= 0)
        return matches


class PanelData:
    """Images, intervals and findings of a panel, filtered by a mask of the images."""

    def __init__(
        self, images: pd.DataFrame, intervals: pd.DataFrame | None, findings: pd.DataFrame | None
    ) -> None:
        self.images, self._intervals, self._findings = images, intervals, findings

    @cached_property
    def keys(self) -> frozenset[Key]:
        """The keys of all images: those that can be selected."""
        return frozenset(get_keys(self.images))

    def filter_intervals(self, mask: Mask) -> pd.DataFrame:
        """Return the intervals of the images in a mask; these images if there are no intervals."""
        if self._intervals is None:
            return self.images[mask]
        return self._interval_rows.rows.loc[self._interval_rows.match(mask)]

    @property
    def findings(self) -> pd.DataFrame:
        """The findings with the names of their images, but without texts unless passed."""
        return self._finding_rows.rows

    def compose_findings(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return some of the findings with evidence, advice and command."""
        return rows if self._evaluation is None else self._evaluation.compose(rows)

    @property
    def has_commands(self) -> bool:
        """True if a finding has a command."""
        if self._evaluation is None:
            return bool(self.findings["command"].notna().any())
        return self._evaluation.has_commands()

    def list_unchecked(self) -> list[str]:
        """Return the names of the rules that could not judge all images.

        Rules that need other tables are left out of findings that were passed: those may have
        had these tables.
        """
        is_own = self._findings is None
        rules = [rule for rule in RULES if is_own or not rule.needs]
        return list_unchecked_rules(self._facts, rules)

    def match_findings(self, mask: Mask) -> Mask:
        """Return a mask of the findings about the images in a mask, or about their regions."""
        matches, findings = self._finding_rows.match(mask), self.findings
        is_regional = findings["image_id"].isna().to_numpy()
        if is_regional.any():
            scope = ["account_id", "region"]
            scopes = pd.MultiIndex.from_frame(self.images.loc[mask, scope].drop_duplicates())
            matches |= is_regional & pd.MultiIndex.from_frame(findings[scope]).isin(scopes)
        return matches

    @cached_property
    def _interval_rows(self) -> _ImageRows:
        return self._locate_images(self._intervals)

    @cached_property
    def _finding_rows(self) -> _ImageRows:
        evaluation = self._evaluation
        return self._locate_images(self._findings if evaluation is None else evaluation.rows)

    @cached_property
    def _facts(self) -> RuleInput:
        return prepare_facts(self.images, self._intervals, None, None)

    @cached_property
    def _evaluation(self) -> Evaluation | None:
        """The findings of all rules, unless findings were passed."""
        return Evaluation(self._facts, RULES) if self._findings is None else None

    def _locate_images(self, rows: Any) -> _ImageRows:
        """Add the names and the positions of their images to rows."""
        keys = list(KEY)
        images = self.images[keys].assign(_position=np.arange(len(self.images)))
        # pandas' own isin makes a list of all ids first.
        ids, searched = (pa.array(it["image_id"], pa.large_string()) for it in (images, rows))
        has_rows = pc.is_in(ids, searched)
        images = images[has_rows.to_numpy(zero_copy_only=False)].drop_duplicates(keys)
        positions = rows[keys].merge(images, how="left", on=keys)["_position"]
        names = [n for n in ("image_name", "account_name") if n in self.images and n not in rows]
        named = self.images[names].reset_index(drop=True).reindex(positions).set_axis(rows.index)
        return _ImageRows(rows.assign(**named), positions.fillna(-1).to_numpy(np.int64))


class PanelTabs(widgets.Tab):  # type: ignore[misc]
    """The table, timeline, capacity, findings and code of a selection.

    `on_select` gets the keys of images that the user selects in a tab, and of those that the
    user deselects. `to_code` returns the selection as code of a kind, for a shell.
    """

    def __init__(self, on_select: OnSelect, to_code: ToCode) -> None:
        self._table = Table("fast-launch-images", on_select, sort="state")
        self._findings = _FindingsView(on_select)
        self._chart = ChartWidget(on_select)
        self._hint = make_html()
        self._code = _CodeView(to_code)
        self._outdated: set[int] = set()
        self._draw_tab = (
            lambda: self._table.show(self._mask),
            self._draw_chart,
            self._draw_chart,
            lambda: self._findings.show(self._mask),
            self._code.show,
        )
        tabs = (self._table, make_box(), make_box(), self._findings, self._code)
        super().__init__(tabs, titles=TITLES, selected_index=0, _dom_classes=("fl-views",))
        self.observe(self._draw_open_tab, "selected_index")

    def set_data(self, data: PanelData) -> None:
        """Replace the data; :meth:`show` then draws it."""
        self._data = data
        columns = table_columns.make_image_columns(data.images)
        self._table.set_rows(data.images, columns, table_columns.DEFAULT_IMAGE_COLUMNS)
        self._findings.set_data(data)

    def show(self, mask: Mask) -> None:
        """Show the images in a mask: in the open tab now, in the others when they open."""
        self._mask = mask
        self._outdated = set(range(len(self._draw_tab)))
        self._draw_open_tab()

    def select(self, selected: tuple[Key, ...]) -> None:
        """Mark the images with these keys as selected."""
        keys = frozenset(selected)
        for view in (self._table, self._findings, self._chart):
            view.select(keys)

    def _draw_open_tab(self, _change: object = None) -> None:
        tab = self.selected_index
        if tab in self._outdated:
            self._outdated.discard(tab)
            self._draw_tab[tab]()

    def _draw_chart(self) -> None:
        """Draw the chart of the open tab; both share one widget, so the other is then outdated."""
        tab = self.selected_index
        (other,) = {_TIMELINE, _CAPACITY} - {tab}
        self._outdated.add(other)
        self.children[other].children = ()
        if len(self._mask) and not self._mask.any():
            self._hint.value = render_message(" ".join(empty_message(filtered=True)))
            self.children[tab].children = (self._hint,)
            return
        if tab == _TIMELINE:
            self._chart.draw(timeline(self._data.filter_intervals(self._mask)))
        else:
            self._chart.draw(capacity(self._data.images[self._mask]))
        self._hint.value = _HINT if self._chart.rows else ""
        self.children[tab].children = (self._hint, self._chart)


class _FindingsView(widgets.VBox):  # type: ignore[misc]
    """The findings of a selection, for a shell; its widgets are made when it first shows."""

    def __init__(self, on_select: OnSelect) -> None:
        self._on_select, self._selected = on_select, frozenset[Key]()
        self._table: Any = None
        super().__init__(layout=share(widgets.Layout))

    def set_data(self, data: PanelData) -> None:
        """Replace the data; :meth:`show` then checks it for problems."""
        self._data, self._is_checked = data, False

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the findings on the images with these keys as selected."""
        self._selected = keys
        if self._table is not None:
            self._table.select(keys)

    def show(self, mask: Mask) -> None:
        """Show the findings about the images in a mask."""
        self._mask = mask
        if self._table is None:
            self._make_widgets()
        if not self._is_checked:
            self._table.show_message("Checking for problems …")
            self._set_rows()
            self._shells.layout.display = None if self._data.has_commands else "none"
            self._unchecked.value = _render_unchecked(self._data.list_unchecked())
            self._is_checked = True
        self._table.show(self._data.match_findings(mask))

    def _make_widgets(self) -> None:
        self._table = Table("fast-launch-findings", self._on_select)
        self._table.select(self._selected)
        self._shell = _make_shell_dropdown()
        self._shell.observe(self._change_shell, "value")
        self._shells = make_row("fl-tools", self._shell, make_html(_SELECT_HINT))
        self._unchecked = make_html()  # the rules that could not judge
        self.children = (self._shells, self._table, self._unchecked)

    def _set_rows(self) -> None:
        rows, compose = self._data.findings, self._data.compose_findings
        columns = table_columns.make_finding_columns(rows, self._shell.value, compose)
        self._table.set_rows(rows, columns, table_columns.DEFAULT_FINDING_COLUMNS, compose)

    def _change_shell(self, _change: object) -> None:
        self._set_rows()
        self.show(self._mask)


def _make_shell_dropdown() -> Any:
    """Make a choice of the shell for commands; at first, that of this machine."""
    return make_dropdown(
        "Commands for", _SHELLS, value=get_native_shell(), layout={"width": "auto"}
    )


def _render_unchecked(names: Sequence[str]) -> str:
    """Return the HTML of a note that opens to the rules that could not judge all images."""
    if not names:
        return ""
    count = f"{len(names)} of {len(RULES)} rules could not judge all images"
    how = "fl.unchecked(images) lists where, why, and how to have the values read."
    return f"<details><summary>{count}</summary>{escape(', '.join(names))}. {how}</details>"


class _CodeView(widgets.VBox):  # type: ignore[misc]
    """The selection as code of a kind; its widgets are made when it first shows."""

    def __init__(self, to_code: ToCode) -> None:
        self._to_code = to_code
        self._kind: Any = None
        super().__init__(layout=share(widgets.Layout))

    def _make_controls(self) -> None:
        self._kind, self._shell = make_dropdown("Code for", _CODE_KINDS), _make_shell_dropdown()
        for control in (self._kind, self._shell):
            control.observe(self.show, "value")
        copy = TextButton("Copy", lambda: ("code.txt", self._write_code()))
        self._html = make_html()
        self.children = (make_row("fl-tools", self._kind, self._shell, copy), self._html)

    def _write_code(self) -> str:
        return self._to_code(self._kind.value, self._shell.value)

    def show(self, _change: object = None) -> None:
        """Show the code of the current selection."""
        if self._kind is None:
            self._make_controls()
        self._shell.layout.display = None if self._kind.value == "cli" else "none"
        try:
            code = escape(self._write_code())
        except InputError as error:  # such as a region with a name that no region has
            self._html.value = render_message(escape(str(error)))
            return
        self._html.value = (
            f"<pre class='fl-code tex2jax_ignore mathjax_ignore' tabindex='0' role='region' "
            f"aria-label='The selection as code'>{code}</pre>"
        )
