"""The panel: the selection, the controls that set it, and the tabs that follow it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd
import traitlets
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.errors import InputError, warn
from fastlaunch_nb.filter_panel.controls import RangeSlider, SuppressShortcuts
from fastlaunch_nb.filter_panel.detail import ImageDetail
from fastlaunch_nb.filter_panel.facet import Facet
from fastlaunch_nb.filter_panel.filter_chips import FilterChips, SelectionChip, summarize_filters
from fastlaunch_nb.filter_panel.headline import Headline
from fastlaunch_nb.filter_panel.history_reads import HistoryLike, Past, check_history
from fastlaunch_nb.filter_panel.panel_data import PanelData
from fastlaunch_nb.filter_panel.past_line import PastLine
from fastlaunch_nb.filter_panel.selection import Key, change_keys, parse_keys
from fastlaunch_nb.filter_panel.static_html import display_with_static_form, render_static_html
from fastlaunch_nb.filter_panel.tabs import TITLES as TABS
from fastlaunch_nb.filter_panel.tabs import PanelTabs
from fastlaunch_nb.filter_panel.time_zone import ZoneChoice, parse_zone
from fastlaunch_nb.filter_panel.undo_history import UndoHistory
from fastlaunch_nb.filter_panel.view_files import Views
from fastlaunch_nb.filter_panel.view_state import (
    Arrangement,
    View,
    describe_missing,
    find_moving_control,
    read_link_view,
)
from fastlaunch_nb.filter_panel.view_tools import ViewTools
from fastlaunch_nb.filter_panel.widget_helpers import (
    TITLES,
    Debounce,
    close_widgets,
    make_button,
    make_html,
    make_text_box,
    make_toggle,
    map_account_names,
    read_file,
    require_widgets,
)
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import RANGES
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.filters.row_code import generate_row_code
from fastlaunch_nb.formatting import DEMO_MARK, format_time, is_demo
from fastlaunch_nb.validation import parse_time

_CSS: Final = ("common.css", "panel.css", "range_slider.css", "headline.css", "zone_choice.css")
_STYLE: Final = f"<style>{''.join(map(read_file, _CSS))}</style>"
_FACETS: Final = ("state", "account_id", "region", "launch_template")
_OPTIONAL_FACETS: Final = ("owner_id", "resource_type")
"""Facets that the panel shows only if their values differ."""
_BINS: Final = 24


def panel(
    images: IntoDataFrame,
    *,
    intervals: IntoDataFrame | None = None,
    findings: IntoDataFrame | None = None,
    coverage: IntoDataFrame | None = None,
    history: HistoryLike | None = None,
    filters: Filters | None = None,
    views: str | os.PathLike[str] | None = None,
) -> FilterPanel:
    """Make a filter panel for a DataFrame of images, with a table, charts, findings and code.

    A headline answers first: how many images fail, change or are fine, how many pools are short
    of snapshots, what all of them cost, and when and how completely they were read.

    Parameters
    ----------
    images : DataFrame
        The images, as :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`
        returns them. The panel shows ``image_name`` and ``account_name`` instead of ids where
        there are such columns, and can show the columns that :func:`fastlaunch_nb.enrich` joins.
    intervals : DataFrame, optional
        The intervals of :func:`fastlaunch_nb.intervals`, for the timeline. By default the
        timeline shows what `images` proves, which is one scan.
    findings : DataFrame, optional
        The findings of :func:`fastlaunch_nb.findings`; by default those of all rules.
    coverage : DataFrame, optional
        The coverage of the sweep, for the headline: how completely the images were read.
    history : History, optional
        A :class:`fastlaunch_nb.History`. The panel then shows the fleet as it was at any scan,
        and in the tab "Changes" what changed. It is read when needed, in the background.
    filters : Filters, optional
        The initial selection, such as ``Filters.from_json(...)`` of a notebook's parameter;
        by default all images. A view in the address of a page of Voila comes first.
    views : path, optional
        A JSON file for views by name, which several panels and processes may share; it need not
        exist. By default, views stay until the kernel ends.

    Returns
    -------
    FilterPanel
        An ipywidget. Set or observe ``filters``, a :class:`fastlaunch_nb.Filters`, and
        ``selected``, the keys of the selected images. ``filtered`` has the rows that match the
        filters, and ``to_code()`` returns code for the same rows. ``view`` has the filters, the
        sort, columns, groups, the tab and the time zone, ``views`` those by name; ``undo()`` and
        ``redo()`` go through the changes. ``go_to("2026-01-12T09:00Z")`` shows the past.

    Raises
    ------
    InputError
        If `images`, `intervals`, `findings` or `coverage` lack columns or are no DataFrames,
        if `history` has not the methods of a ``History``, if `filters` is not a ``Filters``,
        or if the file in `views` has no views.
    SetupError
        If the file in `views` cannot be read, or if ipywidgets is older than version 8.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"},
    ...                         {"ImageId": "ami-01234567890abcdef", "State": "enabling"}],
    ...                        account_id="123456789012", region="eu-west-1")
    >>> panel = fl.panel(images)
    >>> panel.filters = fl.Filters(state="enabling")
    >>> panel
    FilterPanel: 1 of 2 images (state: enabling)
    >>> panel.filtered["image_id"].tolist()
    ['ami-01234567890abcdef']
    >>> panel.selected = [("123456789012", "eu-west-1", "ami-01234567890abcdef")]
    >>> rows = images.set_index(["account_id", "region", "image_id"]).loc[list(panel.selected)]
    >>> rows["state"].tolist()
    ['enabling']
    >>> panel.views["enabling now"] = panel.view  # also in the menu "Views"
    >>> panel.undo()
    >>> panel
    FilterPanel: 2 of 2 images
    >>> panel.view = panel.views["enabling now"]
    >>> panel.filters
    Filters(state=['enabling'])
    """
    require_widgets("fl.panel")
    data = PanelData.create(images, intervals, findings, coverage)
    past = None if history is None else check_history(history)
    made = FilterPanel(data, Filters() if filters is None else filters, Views(views), past)
    made.open_link()
    return made


class FilterPanel(widgets.VBox):  # type: ignore[misc]
    """Controls for a selection of images, and tabs that follow it; made by :func:`panel`.

    Attributes
    ----------
    filters : Filters
        The selection. A trait: set it or observe it.
    selected : tuple of tuple
        The keys of the images that are selected in the table or a chart: account, region and
        image id of each. A trait: set it or observe it. Filters do not change it.
    time_zone : str
        The zone in which the panel shows times, such as ``"Europe/Berlin"``. A trait: set it or
        observe it. Charts, findings, code and files have times in UTC.
    views : mapping
        Views by name: ``panel.views["failed"] = panel.view`` keeps one, ``del`` removes it.
    """

    children: Any  # ipywidgets has no types
    filters = traitlets.Any()
    selected = traitlets.Any(())
    time_zone = traitlets.Any("UTC")

    def __init__(
        self, data: PanelData, filters: Filters, views: Views, history: HistoryLike | None = None
    ) -> None:
        self._is_updating = self._is_restoring = False
        self._control = ""  # the one that is changing the filters, if it does so in bursts
        self.views = views
        self._detail = ImageDetail()
        self._past = PastLine(self._show_past)
        self._zone = ZoneChoice(partial(setattr, self, "time_zone"))
        self._tools = ViewTools(self, views, self._detail.close_panel)
        self._search = make_text_box("Search", "Search name, id, reason …", "fl-search")
        self._typing = Debounce(self._read_controls)
        self._search.observe(self._typing, "value")
        self._summary = make_html()
        self._reset = make_button(
            "Reset", "undo", tooltip="Show all images again", layout={"width": "auto"}
        )
        self._reset.on_click(lambda _: setattr(self, "filters", Filters()))
        self._chips = FilterChips(partial(setattr, self, "filters"), self._search)
        self._selection = SelectionChip(
            self._filter_selected, partial(setattr, self, "selected", ())
        )
        self._fold = make_toggle("Filters", _dom_classes=("fl-fold-facets",))
        self._fold.observe(self._fold_facets, "value")
        self._headline = Headline(partial(setattr, self, "filters"))
        self._side = widgets.VBox(_dom_classes=("fl-side",))
        self._tabs = PanelTabs(self._update_selection, self.to_code, lambda: self.filters)
        self._facets: dict[str, Facet] = {}
        self._sliders: dict[str, RangeSlider] = {}
        tools = (self._search, self._chips, self._summary, self._selection, self._reset)
        head = widgets.Box((self._fold, *tools, self._zone, self._tools), _dom_classes=("fl-head",))
        body = widgets.Box([self._side, self._tabs], _dom_classes=("fl-body",))
        invisible = (make_html(_STYLE), SuppressShortcuts(), self._tools.make_keys())
        children = [*invisible, self._headline, head, self._past, body, self._detail]
        super().__init__(children, _dom_classes=("fl-panel",))
        self._now = data
        self._set_history(history)
        self._set_data(data)
        self.filters = filters
        self._history = UndoHistory(self._get_state())
        self.observe(self._record, "filters")
        self._tabs.table.observe(self._record, ["columns", "order", "group"])

    def update(
        self,
        images: IntoDataFrame,
        *,
        intervals: IntoDataFrame | None = None,
        findings: IntoDataFrame | None = None,
        coverage: IntoDataFrame | None = None,
        history: HistoryLike | None = None,
    ) -> None:
        """Replace the data, for example by those of a later sweep.

        The filters stay, and selected images stay selected if they still exist. A panel that
        shows the past returns to now.

        Parameters
        ----------
        images, intervals, findings, coverage : DataFrame
            As for :func:`panel`.
        history : History, optional
            As for :func:`panel`; by default the panel keeps its history.

        Raises
        ------
        InputError
            If one of them lacks columns or is no DataFrame. The panel then keeps its data.
        """
        past = self._past.history if history is None else check_history(history)
        self._now = PanelData.create(images, intervals, findings, coverage)
        self._past.show_now(is_new=True)
        self._set_history(past)
        self._replace_data(self._now)

    def _replace_data(self, data: PanelData) -> None:
        """Replace the data; what is selected stays selected if it still exists."""
        self._set_data(data)
        self._show_filters()
        self.selected = tuple(key for key in self.selected if key in self._data.keys)
        self._detail.show(self._data, self.selected)

    def close(self) -> None:
        """Close the panel with all of its widgets, which frees their memory here and on the page.

        ipywidgets keeps every widget until it is closed.
        """
        close_widgets(vars(self))
        super().close()

    def _set_data(self, data: PanelData) -> None:
        """Replace the data; a facet or slider that is still needed stays as the user left it."""
        self._data = data
        images = data.images
        self._index = FacetIndex(images)
        self._show_headline()
        self._names = {"account_id": map_account_names(images)}
        self._is_demo = is_demo(images)
        optional = [name for name in _OPTIONAL_FACETS if images[name].nunique(dropna=False) > 1]
        before = self._controls
        self._facets = {
            name: self._facets.get(name) or Facet(TITLES[name], self._read_controls)
            for name in (*_FACETS, *optional)
        }
        self._sliders = {
            name: self._sliders.get(name) or RangeSlider(TITLES[name], self._read_controls)
            for name in RANGES
            if name in images
        }
        self._side.children = tuple(self._controls.values())
        close_widgets([before[name] for name in before.keys() - self._controls.keys()])
        for control in (self._search, self._reset, self._side):
            control.layout.display = None if len(images) else "none"
        self._tabs.set_data(data)

    @property
    def _controls(self) -> dict[str, Facet | RangeSlider]:
        """The facets and sliders, by the field of Filters that each sets."""
        return {**self._facets, **self._sliders}

    def _fold_facets(self, change: Any) -> None:
        """Show the facets, which fold where the panel is narrow, or fold them again."""
        (self.add_class if change["new"] else self.remove_class)("fl-unfolded")

    # --- time -------------------------------------------------------------------------

    @property
    def at(self) -> pd.Timestamp | None:
        """The time in the past that the panel shows; None for now."""
        return self._past.at

    def go_to(self, at: datetime | str | None = None) -> None:
        """Show the fleet as it was at a time, from the history, or that of now.

        In a notebook this returns at once and reads in the background. A later call ends an
        earlier one. If the history cannot be read, the panel says so and stays as it is.

        Parameters
        ----------
        at : datetime or str, optional
            The time, in UTC if it has no time zone. By default now.

        Raises
        ------
        InputError
            If the panel has no history, or `at` is not a time.
        """
        if at is None:
            self._past.show_now()
        elif self._past.history is None:
            raise InputError("The panel has no history. Expected fl.panel(images, history=…).")
        else:
            self._past.show(parse_time("at", at))

    def _set_history(self, history: HistoryLike | None) -> None:
        if history is not None:
            self._past.set_history(history)
            self._tabs.set_history(history, None)

    def _show_past(self, past: Past | None) -> None:
        """Show a past in place of now, or now again."""
        data = self._now if past is None else self._now.replace(past)
        self._tabs.set_history(self._past.history, self.at)
        self._replace_data(data)

    @traitlets.validate("time_zone")
    def _validate_time_zone(self, proposal: Mapping[str, Any]) -> str:
        parse_zone(proposal["value"])
        return str(proposal["value"])

    @traitlets.observe("time_zone")
    def _show_time_zone(self, _change: object) -> None:
        """Show all times in the zone."""
        zone = parse_zone(self.time_zone)
        self._zone.zone = self.time_zone
        self._show_headline()
        for slider in self._sliders.values():
            slider.zone = self.time_zone
        self._chips.show(self.filters, self._names, zone)
        self._tabs.set_zone(zone)
        self._past.set_zone(zone)
        self._detail.zone = zone
        self._detail.show(self._data, self.selected)

    def _show_headline(self) -> None:
        data, zone = self._data, parse_zone(self.time_zone)
        is_past = data is not self._now
        self._headline.set_data(data.images, self._index, data.coverage, zone, is_past=is_past)

    # --- filters ----------------------------------------------------------------------

    @property
    def filtered(self) -> pd.DataFrame:
        """The rows that match the filters, with the columns of `images`."""
        return self._data.images[self._index.keep(self.filters.active())]

    def to_code(
        self,
        kind: str = "fastlaunch",
        *,
        selected: bool = False,
        profiles: Mapping[str, str] | None = None,
        shell: str = "posix",
    ) -> str:
        """Return code that returns the rows on the screen, or the selected ones.

        Parameters
        ----------
        kind : {"fastlaunch", "boto3", "cli", "powershell", "pandas", "sql"}
            The library or tool that runs the code; see :meth:`fastlaunch_nb.Filters.to_code`.
        selected : bool, default False
            Return code for the selected images instead, by their ids.
        profiles : dict, optional
            The profile of the AWS configuration for each account id. Not for pandas and SQL,
            which send no request.
        shell : {"posix", "powershell", "cmd"}, default "posix"
            The shell for commands of the AWS CLI.

        Returns
        -------
        str
            The code, which reads the fleet of now. Without a region filter it reads the accounts
            and regions of the panel's images. Where filters cannot select the same rows, such as
            by a joined name, the code names up to 1,000 images; if no code can, it is a comment
            with the reason.
        """
        filters: Filters = self.filters
        active = None if selected else filters.active()
        rows = self._data.match_keys(self.selected) if selected else self._index.keep(active or {})
        images = self._data.images
        options: dict[str, Any] = {"profiles": profiles, "shell": shell, "as_of": self.at}
        return generate_row_code(images, rows, active, kind, **options)

    @traitlets.validate("filters")
    def _validate_filters(self, proposal: Mapping[str, Any]) -> Filters:
        if not isinstance(proposal["value"], Filters):
            raise InputError(
                f"filters is a {type(proposal['value']).__name__}. "
                "Expected Filters, such as fl.Filters(state='enabled')."
            )
        return proposal["value"]

    def _read_controls(self, _change: object = None) -> None:
        """Set the filters from the controls, unless the panel itself is updating these."""
        if self._is_updating:
            return
        self._typing.cancel()
        values = {name: control.value for name, control in self._controls.items()}
        filters = replace(self.filters, text=self._search.value, **values)
        self._control = find_moving_control(self.filters, filters)
        self.filters = filters
        self._control = ""

    @traitlets.observe("filters")
    def _show_filters(self, _change: object = None) -> None:
        """Show the filters in all controls, and the images that match in the tabs."""
        filters: Filters = self.filters
        active = filters.active()
        counts = self._index.counts(active, self._facets)
        mask = self._index.keep(active)
        self._is_updating = True
        try:
            self._search.value = filters.text
            for name, facet in self._facets.items():
                facet.show(counts[name], getattr(filters, name), self._names.get(name, {}))
            for name, slider in self._sliders.items():
                histogram = self._index.histogram(active, name, _BINS)
                slider.zone = self.time_zone
                slider.show(histogram, getattr(filters, name))
        finally:
            self._is_updating = False
        self._headline.show(filters)
        self._chips.show(filters, self._names, parse_zone(self.time_zone))
        self._fold.description = f"Filters ({len(self._chips.children)})" if filters else "Filters"
        self._reset.disabled = not filters
        self._count = int(mask.sum())
        self._update_summary()
        self._tabs.show(mask)

    # --- views, undo and redo ---------------------------------------------------------

    @property
    def view(self) -> dict[str, Any]:
        """The filters, sort, columns, groups, tab and time zone, as JSON; set it to open a view.

        It may be set to a dict like this one, or to its JSON. All that it leaves out stays.
        Columns that the images here lack are left out, with a warning. If it is no view,
        InputError is raised, and nothing changes.
        """
        return self._get_view().to_dict()

    @view.setter
    def view(self, view: Mapping[str, Any] | str) -> None:
        if missing := self.open_view(view):
            warn(missing)

    def open_view(self, view: Mapping[str, Any] | str) -> str:
        """Open a view; return a sentence on columns that it has and the images here lack."""
        new = self._get_view().change(view, TABS)
        self._index.keep(new.filters.active())  # refuses filters on columns that are not here
        self._restore((new.filters, new.arrangement))
        self._record()
        self._tabs.open_tab(new.tab)
        self.time_zone = new.time_zone
        return describe_missing(new.arrangement, self._tabs.table.column_names)

    def open_link(self) -> None:
        """Open the view in the address of this page, if it has one, as :func:`panel` does.

        A bad one changes nothing, and a sentence above the panel says so.
        """
        if (view := read_link_view()) is None:
            return
        try:
            notice = self.open_view(view)
        except InputError as error:
            notice = f"The link has no view that can be opened here. {error}"
        if notice:
            text = f"<p class='fl-notice' role='alert'>{escape(notice)}</p>"
            self.children = (make_html(text), *self.children)

    def undo(self) -> None:
        """Undo the last change of filters, sort, columns or groups, if there is one."""
        self._restore(self._history.undo())

    def redo(self) -> None:
        """Redo the change that was undone last, if there is one."""
        self._restore(self._history.redo())

    def _get_state(self) -> tuple[Filters, Arrangement]:
        """Return all that undo and redo change."""
        return self.filters, self._tabs.table.arrangement

    def _get_view(self) -> View:
        return View(*self._get_state(), TABS[self._tabs.selected_index], self.time_zone)

    def _record(self, _change: object = None) -> None:
        """Record a change, unless the panel itself is making it."""
        if not self._is_restoring:
            self._history.record(self._get_state(), self._control)
        self._tools.show(can_undo=self._history.can_undo, can_redo=self._history.can_redo)

    def _restore(self, state: tuple[Filters, Arrangement]) -> None:
        self._is_restoring = True
        try:
            self.filters, arrangement = state
            if arrangement != self._tabs.table.arrangement:
                self._tabs.table.arrange(arrangement)
        finally:
            self._is_restoring = False
        self._record()

    # --- selected images --------------------------------------------------------------

    @traitlets.validate("selected")
    def _validate_selected(self, proposal: Mapping[str, Any]) -> tuple[Key, ...]:
        return parse_keys(proposal["value"], self._data.keys)

    @traitlets.observe("selected")
    def _show_selected(self, _change: object = None) -> None:
        self._update_summary()
        self._tabs.select(self.selected)
        self._detail.show(self._data, self.selected)

    def _update_selection(self, added: set[Key], removed: set[Key]) -> None:
        """Select and deselect images that the user clicked in a tab.

        A finding may be about a region, or about an image that is not here: deselect its row.
        """
        self.selected = change_keys(self.selected, added, removed, self._data.keys)
        if not added <= self._data.keys:
            self._tabs.select(self.selected)

    def _filter_selected(self) -> None:
        """Filter to the selected images, whatever the filters were."""
        self.filters = Filters(image_id=tuple(dict.fromkeys(key[2] for key in self.selected)))

    # --- text -------------------------------------------------------------------------

    def _update_summary(self) -> None:
        self._summary.value = self._render_summary()
        self._selection.show(len(self.selected))

    def _render_summary(self) -> str:
        mark = f" · <span class='fl-demo'>{DEMO_MARK}</span>" if self._is_demo else ""
        count = len(self.selected)
        selected = f"<span class='fl-unseen'> · {count:,} selected</span>" if count else ""
        return (
            f"<div role='status' class='fl-summary'><b>{self._count:,} of "
            f"{len(self._data.images):,}</b> images{selected}{mark}</div>"
        )

    def __repr__(self) -> str:
        filters = summarize_filters(self.filters, self._names)
        count = f"FilterPanel: {self._count} of {len(self._data.images)} images"
        count += "" if self.at is None else f", as it was on {format_time(self.at)}"
        return f"{count} ({filters})" if filters else count

    def _ipython_display_(self) -> None:
        """Show the panel, and its static form below it for a page that has no kernel."""
        display_with_static_form(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return the widget, and its text and static HTML for readers without a kernel."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        filters = escape(summarize_filters(self.filters, self._names))
        time = "" if self.at is None else f"<b>As it was on {format_time(self.at)}</b>"
        summary = f"{self._render_summary()}{time}<span class='fl-active'>{filters}</span>"
        bundle["text/html"] = render_static_html(self._data.images, self.filtered, summary)
        return bundle
