"""The findings tab: the findings about a selection of images, by rule, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd

from fastlaunch_nb.filter_panel.controls import HtmlButtons
from fastlaunch_nb.filter_panel.export_menu import ExportMenu, ExportRows
from fastlaunch_nb.filter_panel.finding_group import FindingGroup, FindingSource
from fastlaunch_nb.filter_panel.folded_rows import Mask
from fastlaunch_nb.filter_panel.panel_data import PanelData
from fastlaunch_nb.filter_panel.selection import Key, OnSelect, get_keys
from fastlaunch_nb.filter_panel.table_columns import render_severity
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_box,
    make_dropdown,
    make_html,
    make_row,
    make_shell_dropdown,
    read_file,
    render_message,
    share,
)
from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.rules.evaluate import RULES
from fastlaunch_nb.rules.rule import SEVERITIES
from fastlaunch_nb.rules.unchecked import UncheckedRules

EXPORTED: Final = (
    *("severity", "finding", "image_name", "image_id", "account_name", "account_id", "region"),
    *("evidence", "advice", "command", "monthly_usd_low", "monthly_usd_high"),
)
"""The columns of copies and files, as far as the findings have them."""
_ALL: Final = ""  # the value of the choice of a rule that is none


class FindingsTab(widgets.VBox):  # type: ignore[misc]
    """The findings of a selection, for a shell; its widgets are made when it first shows."""

    def __init__(self, on_select: OnSelect) -> None:
        self._on_select, self._selected = on_select, frozenset[Key]()
        self._groups: dict[str, FindingGroup] = {}
        self._severity: str | None = None  # None for all
        self._message: Any = None
        self._is_updating = False
        super().__init__(layout=share(widgets.Layout))

    def set_data(self, data: PanelData) -> None:
        """Replace the data; :meth:`show` then checks it for problems."""
        self._data, self._is_checked = data, False

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the findings on the images with these keys as selected."""
        self._selected = keys
        for group in self._groups.values():
            group.select(keys)
        if self._message is not None:
            self.export.draw()

    def show(self, mask: Mask) -> None:
        """Show the findings about the images in a mask."""
        self._mask = mask
        if self._message is None:
            self._make_widgets()
        if not self._is_checked:
            self._message.value = render_message("Checking for problems …")
            self._list.children = ()
            self._set_findings()
            self._is_checked = True
        self._matches = self._data.match_findings(mask)
        self._draw()

    def _make_widgets(self) -> None:
        self._message, self._list = make_html(), make_box()
        self._severities = make_html()
        self._rule = make_dropdown("Rule", [("all", _ALL)])
        self._rule.observe(self._draw, "value")
        self._shell = make_shell_dropdown()
        self._shell.observe(self._draw, "value")
        rows = ExportRows(
            "fast-launch-findings", "finding", self._find_exported, self._take_rows, self._take_ids
        )
        self.export = ExportMenu(rows, self._select_visible)
        self._tools = make_row(
            "fl-finding-tools", self._severities, self._rule, self._shell, self.export
        )
        self._unchecked = make_html()  # the rules that could not judge
        style = make_html(f"<style>{read_file('findings.css')}</style>")
        buttons = HtmlButtons(self._handle_click)
        self.children = (style, self._tools, self._message, self._list, self._unchecked, buttons)

    def _set_findings(self) -> None:
        """Find the problems, and encode what the counts and groups need."""
        rows = self._data.findings
        self._source = FindingSource(rows, self._data.compose_findings)
        self._codes, rules = pd.factorize(rows["finding"])
        self._rules = list(rules)
        self._ranks = pd.Categorical(rows["severity"], SEVERITIES).codes
        self._shell.layout.display = None if self._data.has_commands else "none"
        self._unchecked.value = _render_unchecked(self._data.list_unchecked())

    # --- what is visible --------------------------------------------------------------

    def _draw(self, _change: object = None) -> None:
        """Show the groups that the choices keep, each with its findings, and the choices."""
        if self._is_updating:
            return
        severity = np.ones(len(self._ranks), np.bool_)
        if self._severity is not None:
            severity = self._ranks == SEVERITIES.index(self._severity)
        rule = np.ones(len(self._ranks), np.bool_)
        if self._rule.value in self._rules:
            rule = self._codes == self._rules.index(self._rule.value)
        self._show_severities(self._matches & rule)
        self._show_rules(self._matches & severity)
        self._positions = np.flatnonzero(self._matches & severity & rule)
        self._tools.layout.display = None if len(self._ranks) else "none"
        self._message.value = "" if len(self._positions) else render_message(self._explain_empty())
        self._list.children = self._update_groups()
        self.export.draw()

    def _show_severities(self, mask: Mask) -> None:
        counts = np.bincount(self._ranks[mask], minlength=len(SEVERITIES))
        buttons = "".join(
            f"<button type='button' class='fl-severity' data-do='severity {name}' "
            f"aria-pressed='{str(name == self._severity).lower()}'>"
            f"{render_severity({'severity': name})} "
            f"<span class='fl-count'>{count:,}</span></button>"
            for name, count in zip(SEVERITIES, counts, strict=True)
            if count or name == self._severity
        )
        self._severities.value = f"<div role='group' aria-label='Severity'>{buttons}</div>"

    def _show_rules(self, mask: Mask) -> None:
        counts = np.bincount(self._codes[mask], minlength=len(self._rules))
        chosen = self._rule.value
        options = [
            (f"{name} ({count:,})", name)
            for name, count in sorted(zip(self._rules, counts, strict=True))
            if count or name == chosen
        ]
        self._is_updating = True  # new options reset the value
        self._rule.options = [(f"all ({int(mask.sum()):,})", _ALL), *options]
        self._rule.value = chosen if chosen in self._rules else _ALL
        self._is_updating = False

    def _update_groups(self) -> list[FindingGroup]:
        """Return the groups of the visible findings: the most severe, most expensive first."""
        codes = self._codes[self._positions]
        members = {code: self._positions[codes == code] for code in np.unique(codes)}
        ordered = sorted(members, key=lambda code: self._rank_group(members[code]))
        is_first_time = not self._groups
        for code in ordered:
            name = self._rules[code]
            if name not in self._groups:
                self._groups[name] = FindingGroup(name, lambda: self._shell.value)
            self._groups[name].show(self._source, members[code], self._selected)
        groups = [self._groups[self._rules[code]] for code in ordered]
        if is_first_time and groups:
            groups[0].toggle()
        return groups

    def _rank_group(self, positions: Any) -> tuple[Any, ...]:
        return self._ranks[positions].min(), -self._source.high[positions].sum(), -len(positions)

    def _explain_empty(self) -> str:
        if len(self._ranks):
            return "No finding on these images. Remove a filter to see more."
        return "No rule found a problem."

    # --- what the user does -----------------------------------------------------------

    def _handle_click(self, what: str, more: bool) -> None:
        """Do what a button in our HTML is for; ignore anything else that a browser may send."""
        action, _, name = what.partition(" ")
        group = self._groups.get(name)
        if action == "severity" and name in SEVERITIES:
            self._severity = None if name == self._severity else name
            self._draw()
        elif group is not None and action == "open":
            group.toggle()
        elif group is not None and action in ("next", "previous"):
            group.turn_page(1 if action == "next" else -1)
        elif action == "select":
            self._select(*name.partition(" ")[::2], more=more)

    def _select(self, number: str, name: str, *, more: bool) -> None:
        """Select the image of a row alone, or with a key one more; a second click deselects it."""
        keys = self._groups[name].page_keys if name in self._groups else []
        if not number.isdecimal() or int(number) >= len(keys):
            return
        key = keys[int(number)]
        if more:
            is_new = key not in self._selected
            self._on_select({key} if is_new else set(), set() if is_new else {key})
        else:
            self._on_select({key} - self._selected, set(self._selected))

    # --- export -----------------------------------------------------------------------

    def _find_exported(self, is_selected: bool) -> Any:
        """Return the positions of all visible findings, or of those about selected images."""
        if not is_selected:
            return self._positions
        keys = get_keys(self._source.rows.iloc[self._positions]) if self._selected else ()
        return self._positions[[key in self._selected for key in keys]] if keys else keys

    def _take_rows(self, positions: Any) -> pd.DataFrame:
        rows = self._source.compose(positions)
        return rows[[name for name in EXPORTED if name in rows]]

    def _take_ids(self, positions: Any) -> list[str]:
        return list(self._source.rows["image_id"].iloc[positions].dropna().unique())

    def _select_visible(self) -> None:
        self._on_select(set(get_keys(self._source.rows.iloc[self._positions])), set())


def _render_unchecked(groups: Sequence[UncheckedRules]) -> str:
    """Return the HTML of a note that opens to the rules that could not judge, by join."""
    if not groups:
        return ""
    count = sum(len(group.rules) for group in groups)
    lines = "".join(f"<li>{_render_unchecked_line(group)}</li>" for group in groups)
    return (
        f"<details class='fl-unchecked'><summary>{count} of {len(RULES)} rules could not judge all "
        f"images: see what would let them</summary><ul>{lines}</ul></details>"
    )


def _render_unchecked_line(group: UncheckedRules) -> str:
    rules = escape(", ".join(group.rules))
    how = f"<code>{escape(group.how)}</code>"
    if not group.needs:
        return f"Some values are unknown, so these judged only a part: {rules}. {how} lists where."
    needs = " and ".join(f"<b>{escape(need)}</b>" for need in group.needs)
    return f"{needs} would check {format_count(len(group.rules), 'more rule')}: {rules}. {how}"
