"""The line of a panel with a history: the time that the panel shows, and the way to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, tzinfo
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from fastlaunch_nb.filter_panel.history_reads import HistoryLike, Past, list_scans, read_past
from fastlaunch_nb.filter_panel.latest_read import LatestRead
from fastlaunch_nb.filter_panel.menu import Menu
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_button,
    make_dropdown,
    make_html,
    make_row,
    read_file,
    share,
)
from fastlaunch_nb.formatting import format_count, format_time

_PICK: Final = "<p class='fl-hint'>Days and times with a scan. The panel shows what was then.</p>"


class PastLine(widgets.Box):  # type: ignore[misc]
    """The time that a panel shows, and a menu of the scans of its history; empty without one.

    `on_change` gets the past that the user chose once it is read, or None for now. A choice ends
    the read of an earlier one.
    """

    def __init__(self, on_change: Callable[[Past | None], None]) -> None:
        self._on_change = on_change
        self.history: HistoryLike | None = None
        self._zone: tzinfo = UTC
        self._past: Past | None = None
        self._scans: list[pd.Timestamp] | None = None  # None until they are read
        self._scan_read, self._past_read = LatestRead(), LatestRead()
        self._notice, self._problem, self._is_waiting = "", "", False
        self._reading: pd.Timestamp | None = None  # the time of the read that is under way
        self._menu: Any = None
        super().__init__(layout=share(widgets.Layout), _dom_classes=("fl-past",))

    @property
    def at(self) -> pd.Timestamp | None:
        """The time in the past that the panel shows; None for now."""
        return None if self._past is None else self._past.at

    def set_history(self, history: HistoryLike) -> None:
        """Replace the history."""
        self.history, self._scans = history, None
        if self._menu is None:
            self._menu = Menu("As it was on ▾", self._make_picker, "Show the fleet of another time")
            self._text = make_html("", "tex2jax_ignore", "mathjax_ignore")
            self._back = make_button("", layout=widgets.Layout(width="auto"))
            self._back.on_click(self._leave)
            style = make_html(f"<style>{read_file('past_line.css')}</style>")
            self.children = (style, self._menu, self._text, self._back)
        self._draw()

    def set_zone(self, zone: tzinfo) -> None:
        """Show all times in a zone."""
        self._zone = zone
        self._draw()
        if self._menu is not None:
            self._menu.draw()

    def show_now(self, *, is_new: bool = False) -> None:
        """Return to now, and end a read that is under way; `is_new` if now is another one."""
        self._past_read.cancel()
        self._notice, self._reading = "", None
        was_past, self._past = self._past is not None, None
        if is_new:
            self._scan_read.cancel()
            self._scans = None
        elif was_past:
            self._on_change(None)
        self._draw()

    def show(self, at: pd.Timestamp) -> None:
        """Read the fleet of a time, and show it then; until then all stays as it is."""
        history = self.history
        if history is None:
            return
        self._notice, self._reading = "", at
        self._draw()
        self._past_read.start(lambda: read_past(history, at), self._show_past, self._fail)

    def close(self) -> None:
        """End the reads that are under way, and close the line."""
        self._scan_read.close()
        self._past_read.close()
        super().close()

    def _leave(self, _button: object) -> None:
        """Return to now; the button hides, so the focus goes to the menu."""
        self.show_now()
        self._menu.focus()

    def _show_past(self, past: Past) -> None:
        self._past, self._notice, self._reading = past, " ".join(past.notes), None
        self._on_change(past)
        self._draw()

    def _fail(self, problem: str) -> None:
        self._notice, self._reading = f"Not shown: {problem}", None
        self._draw()

    # --- the line ---------------------------------------------------------------------

    def _draw(self) -> None:
        """Show the time, or that it is being read, or what went wrong, on one line."""
        if self._menu is None:
            return
        is_reading, is_past = self._reading is not None, self._past is not None
        (self.add_class if is_past else self.remove_class)("fl-is-past")
        text = self._describe_time()
        if self._reading is not None:
            text = f"{text} · Reading the fleet of {self._format(self._reading)} …"
        notice = escape(self._notice)
        problem = f" · <span title='{notice}'>{notice}</span>" if notice else ""
        self._text.value = f"<div role='status'>{text}{problem}</div>"
        self._back.description = "Cancel" if is_reading and not is_past else "Back to now"
        self._back.layout.display = None if is_reading or is_past else "none"

    def _describe_time(self) -> str:
        if self._past is None:
            return "Now"
        text = f"<span class='fl-unseen'>As it was on </span><b>{self._format(self._past.at)}</b>"
        last = self._past.last_scan
        if pd.isna(last) or last.floor("min") != self._past.at.floor("min"):
            scan = "no scan until then" if pd.isna(last) else f"last scan {self._format(last)}"
            text = f"{text}, {scan}"
        return text

    def _format(self, time: pd.Timestamp) -> str:
        return format_time(time.tz_convert(self._zone))

    # --- the menu ---------------------------------------------------------------------

    def _make_picker(self) -> Sequence[Any]:
        """Make the choices of a day with scans and of a scan on it, once the scans are known."""
        history = self.history
        if history and self._scans is None and not (self._problem or self._scan_read.is_running):
            self._scan_read.start(lambda: list_scans(history), self._show_scans, self._fail_scans)
        problem, self._problem = self._problem, ""
        self._is_waiting = self._scans is None and not problem
        if self._scans is None:
            text = problem or "Reading which days have scans …"
            return (make_html(f"<p role='status'>{escape(text)}</p>"),)
        days = self._group_scans()
        if not days:
            return (make_html("<p role='status'>The history has no scan yet.</p>"),)
        current = (self.at or next(iter(days.values()))[0]).tz_convert(self._zone)
        nearest = min(days, key=lambda day: abs(day - current.date()))
        options = [(f"{day} ({format_count(len(days[day]), 'scan')})", day) for day in days]
        day, scan = (
            make_dropdown("Day", options, value=nearest),
            make_dropdown("Scan", [("", None)]),
        )

        def show_scans(_change: object = None) -> None:
            chosen = _find_nearest(days[day.value], scan.value or current)
            scan.options = [(f"{time:%H:%M %Z}", time) for time in days[day.value]]
            scan.value = chosen

        show_scans()
        day.observe(show_scans, "value")
        show = make_button("Show")
        show.on_click(lambda _: self._choose(scan.value))
        return (make_row("fl-tools", day, scan, show), make_html(_PICK))

    def _show_scans(self, scans: list[pd.Timestamp]) -> None:
        self._scans = scans
        self._draw_waiting_menu()

    def _fail_scans(self, problem: str) -> None:
        self._problem = f"The history could not be read: {problem}"
        self._draw_waiting_menu()

    def _draw_waiting_menu(self) -> None:
        """Draw the menu again if it waits for the scans; when it next opens, it reads again."""
        if self._is_waiting:
            self._menu.draw()
            self._problem = ""

    def _group_scans(self) -> dict[date, list[pd.Timestamp]]:
        """Return the scans of each day of the zone, the newest day and scan first."""
        days: dict[date, list[pd.Timestamp]] = {}
        for time in reversed(self._scans or []):
            local = time.tz_convert(self._zone)
            days.setdefault(local.date(), []).append(local)
        return days

    def _choose(self, at: pd.Timestamp) -> None:
        self._menu.is_open = False
        self.show(at.tz_convert("UTC"))


def _find_nearest(scans: Sequence[pd.Timestamp], current: pd.Timestamp) -> pd.Timestamp:
    """Return the scan of a day that is nearest to a time of day."""
    return min(scans, key=lambda scan: abs(_time_of_day(scan) - _time_of_day(current)))


def _time_of_day(time: pd.Timestamp) -> pd.Timedelta:
    return pd.Timedelta(hours=time.hour, minutes=time.minute)
