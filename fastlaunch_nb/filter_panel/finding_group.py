"""The findings of one rule: a line that opens to their advice, commands and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.selection import Key, get_keys
from fastlaunch_nb.filter_panel.table_columns import (
    Record,
    format_value,
    render_severity,
    to_records,
)
from fastlaunch_nb.filter_panel.widget_helpers import make_box, make_html, make_row, share
from fastlaunch_nb.formatting import format_count, label_accounts, label_images
from fastlaunch_nb.rules.cli_commands import render_command, show_command
from fastlaunch_nb.rules.evaluate import RULES
from fastlaunch_nb.rules.rule import TEXTS
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.shells import format_comment

PAGE_SIZE: Final = 10
"""Images of a rule on a page."""
_NO_FORMULA: Final = "tex2jax_ignore mathjax_ignore"
_HEADINGS: Final = ("Image", "Where", "Evidence", "USD a month")
_WHAT: Final = {rule.name: rule.what for rule in RULES}


class FindingSource:
    """All findings of a panel, and the function that adds their texts."""

    def __init__(
        self, rows: pd.DataFrame, compose: Callable[[pd.DataFrame, Sequence[str]], pd.DataFrame]
    ) -> None:
        self.rows, self._compose = rows, compose
        costs = (rows[f"monthly_usd_{end}"].fillna(0).to_numpy(float) for end in ("low", "high"))
        self.low, self.high = costs
        self.is_regional = rows["image_id"].isna().to_numpy()

    def compose(self, positions: Any, names: Sequence[str] = TEXTS) -> pd.DataFrame:
        """Return the findings at these positions with evidence, advice and command."""
        return self._compose(self.rows.iloc[positions], names)


class FindingGroup(widgets.VBox):  # type: ignore[misc]
    """The findings of a rule; the texts of those on its page are composed while it is open."""

    def __init__(self, rule: str, get_shell: Callable[[], str]) -> None:
        self._rule, self._get_shell = rule, get_shell
        self._page = pd.DataFrame(columns=list(KEY))
        self._first_row, self._is_open, self._current = 0, False, 0
        self._head = make_html()
        self._body: Any = None
        super().__init__([self._head], _dom_classes=("fl-group",), layout=share(widgets.Layout))

    @property
    def page_keys(self) -> list[Key]:
        """The keys of the images on the page."""
        return get_keys(self._page)

    def show(self, source: FindingSource, positions: Any, selected: frozenset[Key]) -> None:
        """Show the findings at some positions, from the first page."""
        self._source, self._positions, self._selected = source, positions, selected
        self._first_row = 0
        self._draw()

    def select(self, selected: frozenset[Key]) -> None:
        """Mark the findings on images with these keys."""
        if selected != self._selected:
            self._selected = selected
            self._draw()

    def toggle(self) -> None:
        """Open or close the group."""
        self._is_open = not self._is_open
        self._draw()

    def turn_page(self, step: int) -> None:
        """Show the next page, or with -1 the one before."""
        first = self._first_row + step * PAGE_SIZE
        if 0 <= first < len(self._positions):
            self._first_row = first
            self._draw()

    def _draw(self) -> None:
        self._head.value = self._render_head()
        if not self._is_open:
            self.children = [self._head]
            return
        if self._body is None:
            self._make_body()
        self._page = self._source.compose(self._positions[self._first_row :][:PAGE_SIZE])
        marked = [key in self._selected for key in self.page_keys]
        self._current = marked.index(True) if True in marked else 0
        records = to_records(self._page)
        self._advice.value = _render_text(self._render_advice(records[self._current]))
        self._table.value = _render_text(self._render_table(records, marked))
        self.children = [self._head, self._body]

    def _make_body(self) -> None:
        self._advice, self._table = make_html(), make_html()
        self._copy = TextButton("Copy command", lambda: ("command.txt", self._write_command()))
        self._copy_all = TextButton("Copy all", lambda: ("commands.txt", self._write_commands()))
        self._copies = make_row("fl-tools")
        self._body = make_box("fl-group-body")
        self._body.children = (self._advice, self._copies, self._table)

    # --- text -------------------------------------------------------------------------

    def _render_head(self) -> str:
        source, positions = self._source, self._positions
        severity = render_severity({"severity": source.rows["severity"].iloc[positions[0]]})
        noun = "finding" if source.is_regional[positions].any() else "image"
        low, high = source.low[positions].sum(), source.high[positions].sum()
        cost = f"{low:,.0f} – {high:,.0f} USD a month" if high >= 1 else ""
        return (
            f"<button type='button' class='fl-group-head {_NO_FORMULA}' "
            f"data-do='open {escape(self._rule)}' aria-expanded='{str(self._is_open).lower()}'>"
            f"<span class='fl-arrow' aria-hidden='true'>{'▾' if self._is_open else '▸'}</span>"
            f"<span>{severity}</span><b>{format_value(self._rule)}</b>"
            f"<span class='fl-what'>{escape(_WHAT.get(self._rule, ''))}</span>"
            f"<span class='fl-cost'>{cost}</span>"
            f"<span class='fl-size'>{format_count(len(self._positions), noun)}</span></button>"
        )

    def _render_advice(self, record: Record) -> str:
        """Render the advice and the command of a finding, and whose they are if others differ."""
        command: Any = record["command"]
        has_command, is_one = isinstance(command, str), len(self._positions) == 1
        differs = self._page["advice"].nunique() > 1
        self._copies.layout.display = None if has_command else "none"
        self._copies.children = [self._copy] if is_one else [self._copy, self._copy_all]
        self._copy_all.description = f"Copy all {len(self._positions):,} commands"
        name = format_value(record["_image"])
        topic = "advice and command" if differs and has_command else "advice"
        advice = f"<p class='fl-advice'>{format_value(record['advice'])}</p>"
        hint = f"<p class='fl-hint'>The {topic if differs else 'command'} for <b>{name}</b>"
        hint += ":</p>" if is_one else "; select another row for its own:</p>"
        if not has_command:
            return f"{hint}{advice}" if differs else advice
        code = (
            f"<pre class='fl-code fl-command' tabindex='0' role='region' aria-label='Command for "
            f"{name}'>{format_value(show_command(command, self._get_shell()))}</pre>"
        )
        return f"{hint}{advice}{code}" if differs else f"{advice}{hint}{code}"

    def _render_table(self, records: Sequence[Record], marked: Sequence[bool]) -> str:
        heads = "".join(f"<th scope='col'>{heading}</th>" for heading in _HEADINGS)
        rows = "".join(
            _render_row(f"select {number} {self._rule}", record, is_selected=is_selected)
            for number, (record, is_selected) in enumerate(zip(records, marked, strict=True))
        )
        return (
            f"<table class='fl-group-rows'><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
            f"</table>{self._render_pager()}"
        )

    def _render_pager(self) -> str:
        total, first = len(self._positions), self._first_row
        last = first + len(self._page)
        if total <= PAGE_SIZE:
            return ""
        buttons = (("previous", "‹ Previous", first == 0), ("next", "Next ›", last == total))
        previous, following = (
            f"<button type='button' data-do='{action} {escape(self._rule)}' "
            f"aria-disabled='{str(is_end).lower()}'>{label}</button>"
            for action, label, is_end in buttons
        )
        position = f"<span role='status'>{first + 1:,}–{last:,} of {total:,}</span>"
        return f"<div class='fl-group-pager'>{previous}{following}{position}</div>"

    # --- commands ---------------------------------------------------------------------

    def _write_command(self) -> str:
        command: str = self._page["command"].iloc[self._current]
        return show_command(command, self._get_shell())

    def _write_commands(self) -> str:
        return write_commands(self._source.compose(self._positions, ["command"]), self._get_shell())


def write_commands(findings: pd.DataFrame, shell: str) -> str:
    """Write the commands of findings for a shell, each below a comment with its image."""
    lines = []
    labels = zip(label_images(findings), label_accounts(findings), findings["region"], strict=True)
    for command, label in zip(findings["command"], labels, strict=True):
        if not isinstance(command, str):
            continue
        lines.append(format_comment(" ".join(map(str, label)), shell))
        try:
            lines.append(command if shell == "posix" else render_command(command, shell))
        except InputError:  # of a rule of the user's own
            lines.append(format_comment("This command is for a POSIX shell only.", shell))
    return "".join(f"{line}\n" for line in lines)


def _render_text(html: str) -> str:
    """Return HTML in which MathJax makes no formula of a name."""
    return f"<div class='{_NO_FORMULA}'>{html}</div>"


def _render_row(action: str, record: Record, *, is_selected: bool) -> str:
    """Render a row, whose button selects its image; a finding on a region has none."""
    image, image_id = format_value(record["_image"]), format_value(record["image_id"])
    small = "" if image == image_id else f"<br><small>{image_id}</small>"
    pressed = str(is_selected).lower()
    cells = (
        f"<button type='button' data-do='{escape(action)}' aria-pressed='{pressed}'>{image}"
        f"</button>{small}"
        if isinstance(record["image_id"], str)
        else "–",
        f"{format_value(record['_account'])}<br><small>{format_value(record['region'])}</small>",
        format_value(record["evidence"]),
        _render_cost(record),
    )
    css_class = " class='selected'" if is_selected else ""
    return f"<tr{css_class}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _render_cost(record: Record) -> str:
    """Render a range of cost; a cost without a known low end is one number."""
    low, high = (format_value(record[f"monthly_usd_{end}"]) for end in ("low", "high"))
    if high == "–":
        return "<span class='fl-dash'>–</span>"
    return high if low == "–" else f"{low} – {high}"
