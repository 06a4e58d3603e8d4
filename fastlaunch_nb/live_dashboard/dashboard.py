"""``dashboard``: the panel on a page that reads the fleet, says what is missing, and refreshes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from html import escape
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import ipywidgets as widgets

from fastlaunch_nb.aws.targets import Target, parse_targets
from fastlaunch_nb.aws.targets import targets as make_targets
from fastlaunch_nb.collect.plan import Plan
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.errors import FastLaunchError, InputError, describe_exception
from fastlaunch_nb.filter_panel.panel import FilterPanel, panel
from fastlaunch_nb.filter_panel.static_html import display_with_static_form, render_static_message
from fastlaunch_nb.filter_panel.time_zone import parse_zone
from fastlaunch_nb.filter_panel.widget_helpers import (
    close_widgets,
    make_button,
    make_html,
    render_message,
    require_widgets,
)
from fastlaunch_nb.formatting import format_time
from fastlaunch_nb.history.history import History
from fastlaunch_nb.live_dashboard.fleet_reader import FleetRead, FleetReader
from fastlaunch_nb.live_dashboard.missing import render_missing
from fastlaunch_nb.live_dashboard.shared_reads import SharedReader, share_reads
from fastlaunch_nb.schema.prices import Prices
from fastlaunch_nb.threads import DaemonExecutor
from fastlaunch_nb.validation import parse_regions

if TYPE_CHECKING:
    import boto3

    from fastlaunch_nb.filters.filters import Filters

    Targets: TypeAlias = Target | boto3.Session | Iterable[Target | boto3.Session] | None

_TITLE: Final = "EC2 Fast Launch"
_PLAIN: Final = "tex2jax_ignore mathjax_ignore"  # so that no name becomes a formula
_CSS: Final = (Path(__file__).parent / "dashboard.css").read_text(encoding="utf-8")
_WATCH: Final = 5  # seconds between looks at what other pages have read
_STEP: Final = 10  # minutes that the clock of a demo moves before it is read again


def dashboard(
    targets: Targets = None,
    *,
    regions: str | Iterable[str] | None = None,
    filters: Filters | Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
    history: History | str | os.PathLike[str] | None = None,
    prices: Prices | None = None,
    views: str | os.PathLike[str] | None = None,
    demo: Demo | None = None,
) -> Dashboard:
    """Make a page that reads a fleet and shows the panel with all that may be read of it.

    It joins everything that :func:`fastlaunch_nb.enrich` can, and has the findings of all rules.
    What is denied or unknown is listed with the action that is missing. The button Refresh reads
    all of it again; meanwhile the page stays usable, and if nothing can be read, it stays as
    it is. In a notebook this returns at once and reads in the background, with its progress on
    the page. Where no event loop runs, as in a script, it returns after the first read.

    Parameters
    ----------
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as for :func:`fastlaunch_nb.sweep`. By default the account of boto3's
        default session, or those of `demo`.
    regions : str or iterable of str, optional
        The regions. By default all that the accounts have enabled, or those of `demo`.
    filters : Filters, dict or list of dict, optional
        The images to read, as for :func:`fastlaunch_nb.sweep`.
    history : History, str or path, optional
        A history, or its folder or ``s3://`` address, for the timeline, the fleet as it was, and
        what changed. Nothing is recorded. A refresh returns to now.
    prices : Prices, optional
        The prices, as for :func:`fastlaunch_nb.enrich`.
    views : path, optional
        A JSON file for views by name, as for :func:`fastlaunch_nb.panel`.
    demo : Demo, optional
        A running demo, ``fl.demo()``. Its clock moves ten minutes before each refresh.

    Returns
    -------
    Dashboard
        An ipywidget. ``panel`` is the panel, or None before the first answer; ``refresh()``
        reads again, and ``close()`` ends a read and removes the page.

    Raises
    ------
    InputError
        If an argument is invalid. No request is sent.
    SetupError
        If ipywidgets is older than version 8.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     dashboard = fl.dashboard(demo=demo, regions="us-east-1")
    >>> dashboard.panel.filters = fl.Filters(state="enabling")
    >>> dashboard
    Dashboard: as of 2026-01-15 12:00 UTC, FilterPanel: 0 of 14 images (state: enabling)
    """
    require_widgets("fl.dashboard")
    if not isinstance(demo, Demo | None):
        raise InputError(f"demo is a {type(demo).__name__}. Expected fl.demo().")
    if not isinstance(prices, Prices | None):
        raise InputError(f"prices is a {type(prices).__name__}. Expected Prices(...).")
    if demo is not None and targets is None:
        targets = make_targets(profiles=list(demo.accounts.values()))
    if demo is not None and regions is None:
        regions = demo.regions
    sources = parse_targets(targets)
    names = None if regions is None else list(parse_regions(regions))
    filters = list(filters) if isinstance(filters, Iterator) else filters
    Plan.create(sources, names, filters)  # refuses what a sweep would refuse
    past = history if isinstance(history, History | None) else History(history)
    reader = FleetReader(sources, names, filters, past, prices)
    if demo is not None:  # each page has its own
        return Dashboard(reader, demo, views, past)
    return Dashboard(share_reads(reader), None, views, past)


class Dashboard(widgets.VBox):  # type: ignore[misc]
    """A page that reads a fleet and shows its panel; made by :func:`dashboard`.

    Attributes
    ----------
    panel : FilterPanel or None
        The panel; None before the first answer.
    """

    panel: FilterPanel | None = None

    def __init__(
        self,
        reader: FleetReader | SharedReader,
        demo: Demo | None,
        views: Any = None,
        history: History | None = None,
    ) -> None:
        self._reader, self._demo, self._views, self._history = reader, demo, views, history
        self._read: FleetRead | None = None  # the last one with an answer
        self._renew_static_form: Callable[[], object] = lambda: None
        self._thread, self._stop = DaemonExecutor(1), Event()
        self._button = make_button("Refresh", "refresh", tooltip="Read everything again")
        self._button.on_click(lambda _: self.refresh())
        self._bar = widgets.IntProgress(layout={"display": "none"})
        self._status, self._when = make_html(), make_html()
        self._missing = make_html("", "fl-missing")
        title = make_html(f"<style>{_CSS}</style><div class='fl-dashboard-title'>{_TITLE}</div>")
        parts = (title, self._when, self._missing, self._bar, self._status, self._button)
        self._head = widgets.Box(parts, _dom_classes=("fl-dashboard-head",))
        self._empty = make_html(render_message("The images appear here when they are read."))
        super().__init__((self._head, self._empty), _dom_classes=("fl-dashboard",))
        self._start()
        if isinstance(reader, SharedReader):
            self._watch(reader)

    def refresh(self) -> None:
        """Read everything again, unless a read is under way."""
        if not self._button.disabled and not self._stop.is_set():
            if self._demo is not None:
                self._demo.clock.advance(minutes=_STEP)  # it does not move by itself
            self._start()

    def close(self) -> None:
        """End a read that is under way, and close the page with all of its widgets."""
        self._stop.set()
        self._thread.close()
        if self.panel is not None:
            self.panel.close()
        close_widgets(vars(self))
        super().close()

    def _start(self) -> None:
        """Read in a thread: in the background, or where no event loop runs, until it has ended."""
        self._button.disabled, self._bar.layout.display = True, None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._finish(self._thread.submit(self._reader.read, lambda *_: None, self._stop))
        else:
            self._show_progress("Reading …", 0, 1)

            def report(text: str, done: int, total: int) -> None:
                loop.call_soon_threadsafe(self._show_progress, text, done, total)

            future = self._thread.submit(self._reader.read, report, self._stop)
            asyncio.wrap_future(future, loop=loop).add_done_callback(self._finish)

    def _watch(self, reader: SharedReader) -> None:
        """Show what other pages of the server read, as long as this page is open."""
        if self._stop.is_set():
            return
        is_past = self.panel is not None and self.panel.at is not None  # there it stays
        if not (self._button.disabled or is_past) and (read := reader.read_news()):
            self._show(read)
        with suppress(RuntimeError):  # without an event loop, nobody looks at the page
            asyncio.get_running_loop().call_later(_WATCH, self._watch, reader)

    def _finish(self, done: Future[FleetRead] | asyncio.Future[FleetRead]) -> None:
        """Show the result of a read; whatever happened, another one may start."""
        try:
            read = done.result()
            if not self._stop.is_set():
                self._show(read)
                self._renew_static_form()
        except FastLaunchError as error:
            self._show_status(f"Not read: {error}")
        except Exception as error:
            self._show_status(f"Not read: {describe_exception(error)}")
            raise  # the kernel's log keeps the traceback
        except KeyboardInterrupt:
            self._stop.set()
            raise
        finally:
            if not self._stop.is_set():
                self._button.disabled, self._bar.layout.display = False, "none"

    def _show(self, read: FleetRead) -> None:
        """Show what was read; without any answer, keep what is there."""
        self._missing.value = render_missing(read)
        if not read.has_answer:
            rest = "; what is here was read before" if self._read else ""
            self._show_status(f"Nothing could be read{rest}.")
            self._empty.value = render_message("Press Refresh to read again.")
            return
        tables: dict[str, Any] = {
            "intervals": read.intervals,
            "findings": read.findings,
            "coverage": read.sweep.coverage,
        }
        if self.panel is None:
            self.panel = panel(read.images, **tables, views=self._views, history=self._history)
            self.panel.observe(self._show_time, "time_zone")
            self.children = (self._head, self.panel)
            close_widgets(self._empty)
        else:
            self.panel.update(read.images, **tables)
        self._read = read
        self._show_status("")
        self._show_time()

    def _show_time(self, _change: object = None) -> None:
        """Show when the fleet was read, in the zone of the panel."""
        if self._read is not None and self.panel is not None:
            time = self._read.time.tz_convert(parse_zone(self.panel.time_zone))
            exact = f"{time:%Y-%m-%d %H:%M:%S %Z}, by AWS's clock"
            self._when.value = f'<span title="{exact}">Read at {format_time(time)}</span>'

    def _show_status(self, text: str) -> None:
        self._status.value = f"<span role='status' class='{_PLAIN}'>{escape(text)}</span>"

    def _show_progress(self, text: str, done: int, total: int) -> None:
        if self._button.disabled and not self._stop.is_set():
            self._bar.max, self._bar.value = total, done
            self._show_status(text)

    def __repr__(self) -> str:
        if self._read is None:
            return "Dashboard: no image was read yet"
        return f"Dashboard: as of {format_time(self._read.time)}, {self.panel!r}"

    def _ipython_display_(self) -> None:
        """Show the page, and its static form, which later reads renew."""
        self._renew_static_form = display_with_static_form(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return the widget, and its text and static HTML for readers without a kernel."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        body = render_static_message("Run the notebook to read the images.")
        if self.panel is not None:
            body = self.panel._repr_mimebundle_()["text/html"]
        parts = (
            f"<div class='fl-dashboard-title'>{_TITLE}</div>",
            self._when.value,
            self._missing.value,
            body,
        )
        bundle["text/html"] = "".join(parts)
        return bundle
