"""The panel as a whole: the selection, the controls that set it, the views that follow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd
import traitlets

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel import widget_helpers
from fastlaunch_nb.filter_panel.controls import RangeSlider, SuppressShortcuts
from fastlaunch_nb.filter_panel.facet import Facet
from fastlaunch_nb.filter_panel.filter_chips import Chips, in_words
from fastlaunch_nb.filter_panel.static_html import stored_html
from fastlaunch_nb.filter_panel.style import STYLE
from fastlaunch_nb.filter_panel.table import Key
from fastlaunch_nb.filter_panel.tabs import PanelData, PanelTabs
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import RANGES
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import DEMO_MARK, is_demo
from fastlaunch_nb.schema.columns import COLUMNS, INTERVAL_COLUMNS
from fastlaunch_nb.schema.joins import FINDINGS
from fastlaunch_nb.validation import require_columns, validate_columns

_FACETS: Final = ("state", "account_id", "region", "launch_template")
_RARE: Final = ("owner_id", "resource_type")
"""Facets that are there only where they tell images apart."""
_BINS: Final = 24


def panel(
    images: pd.DataFrame,
    *,
    intervals: pd.DataFrame | None = None,
    findings: pd.DataFrame | None = None,
    filters: Filters | None = None,
) -> FilterPanel:
    """Make a filter panel for a frame of images, with a table, charts, findings and code.

    Parameters
    ----------
    images : pandas.DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`.
        Columns ``image_name`` and ``account_name``, where they are there, are
        shown instead of ids; what :func:`fastlaunch_nb.joins` joins can be shown too.
    intervals : pandas.DataFrame, optional
        What :func:`fastlaunch_nb.state_intervals` returns, for the timeline; what the one look
        at `images` tells if not given.
    findings : pandas.DataFrame, optional
        What :func:`fastlaunch_nb.rules` returns; those of all rules if not given.
    filters : Filters, optional
        The selection to begin with, such as ``Filters.from_json(...)`` of a
        notebook's parameter; all images if not given.

    Returns
    -------
    FilterPanel
        An ipywidget. ``filters`` says which images are kept, a :class:`fastlaunch_nb.Filters`,
        and ``selected`` which of them are chosen, by their keys: set them, or observe them.
        ``filtered`` is the rows that are kept, and ``to_code()`` says the same as code.

    Raises
    ------
    InputError
        These are no frames of images, intervals or findings, or `filters` are none.

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
    """
    data = _checked(images, intervals, findings)
    return FilterPanel(data, Filters() if filters is None else filters)


def _checked(images: Any, intervals: Any, findings: Any) -> PanelData:
    """Return data that is ours from now on; refuse what views can not show."""
    validate_columns("images", images, *(column.name for column in COLUMNS))
    if intervals is not None:
        validate_columns("intervals", intervals, *INTERVAL_COLUMNS)
    if findings is not None:
        require_columns("findings", findings, *(column.name for column in FINDINGS))
    return PanelData(images.copy(), intervals, findings)


class FilterPanel(widgets.VBox):  # type: ignore[misc]
    """Controls, and the views that follow them; made by :func:`panel`.

    Attributes
    ----------
    filters : Filters
        Which images are kept. A trait: settable, observable.
    selected : tuple of tuple
        Which images are chosen, in the table or in a chart: the key of each, which is
        account, region and image id. A trait: settable, observable. Filters leave it alone.
    """

    filters = traitlets.Any()
    selected = traitlets.Any(())

    def __init__(self, data: PanelData, filters: Filters) -> None:
        self._showing = False
        self._search = widget_helpers.text_box(
            "Search", "name, id, template, reason …", "fl-search"
        )
        self._typed = widget_helpers.Debounce(self._take)
        self._search.observe(self._typed, "value")
        self._summary = widgets.HTML()
        self._reset = widget_helpers.button("Reset", "undo", tooltip="Show all images again")
        self._reset.on_click(lambda _: setattr(self, "filters", Filters()))
        self._clear = widget_helpers.button("Clear selection", tooltip="Select no image")
        self._clear.on_click(lambda _: setattr(self, "selected", ()))
        self._chips = Chips(partial(setattr, self, "filters"))
        self._side = widgets.VBox().add_class("fl-side")
        self._views = PanelTabs(self._chose, self.to_code)
        self._facets: dict[str, Facet] = {}
        self._ranges: dict[str, RangeSlider] = {}
        head = widget_helpers.row("fl-head", self._search, self._reset, self._summary, self._clear)
        body = widgets.Box([self._side, self._views]).add_class("fl-body")
        super().__init__([widgets.HTML(STYLE), SuppressShortcuts(), head, self._chips, body])
        self.add_class("fl-panel")
        self._fill(data)
        self.filters = filters

    def update(
        self,
        images: pd.DataFrame,
        *,
        intervals: pd.DataFrame | None = None,
        findings: pd.DataFrame | None = None,
    ) -> None:
        """Show other data, such as a later sweep's.

        The filters stay, and what is selected as far as it is still there.

        Parameters
        ----------
        images, intervals, findings : pandas.DataFrame
            As for :func:`panel`.

        Raises
        ------
        InputError
            These are no frames of images, intervals or findings; nothing has changed then.
        """
        self._fill(_checked(images, intervals, findings))
        self._show()
        self.selected = tuple(key for key in self.selected if key in self._data.keys)

    def _fill(self, data: PanelData) -> None:
        self._data = data
        images = data.images
        self._faceted = FacetIndex(images)
        self._names = {"account_id": widget_helpers.account_names(images)}
        self._is_demo = is_demo(images)
        rare = [name for name in _RARE if images[name].nunique(dropna=False) > 1]
        ranges = [name for name in RANGES if name in images]
        before: list[Any] = [*self._facets.values(), *self._ranges.values()]
        self._facets = {n: self._facets.get(n) or self._facet(n) for n in (*_FACETS, *rare)}
        self._ranges = {n: self._ranges.get(n) or self._range(n) for n in ranges}
        self._side.children = (*self._facets.values(), *self._ranges.values())
        for control in set(before) - set(self._side.children):
            control.close()
        for control in (self._search, self._reset, self._side):
            control.layout.display = None if len(images) else "none"
        self._views.fill(data)

    def _facet(self, name: str) -> Facet:
        return Facet(widget_helpers.TITLES[name], self._take)

    def _range(self, name: str) -> RangeSlider:
        slider = RangeSlider(widget_helpers.TITLES[name])
        slider.add_class("fl-range")
        slider.on_change(self._take)
        return slider

    # --- what is kept -----------------------------------------------------------------

    @property
    def filtered(self) -> pd.DataFrame:
        """The rows that the filters keep, as in the frame that was given."""
        return self._data.kept(self._faceted.keep(self.filters.active()))

    def to_code(
        self, kind: str = "fastlaunch", *, profiles: Mapping[str, str] | None = None
    ) -> str:
        """Return the selection as code that keeps the same rows.

        Parameters
        ----------
        kind : {"fastlaunch", "boto3", "cli", "pandas"}, default "fastlaunch"
            What the code is for; see :meth:`fastlaunch_nb.Filters.to_code`.
        profiles : dict, optional
            Account id to the profile of the AWS configuration that leads there; not for
            pandas, which asks nobody.

        Returns
        -------
        str
            The code. Where no region is chosen it reads those of the panel's images.
        """
        filters: Filters = self.filters
        if kind == "pandas":
            return filters.to_code(kind, profiles=profiles)
        regions = sorted(self._data.images["region"].dropna().unique()) or None
        return filters.to_code(kind, regions=regions, profiles=profiles)

    @traitlets.validate("filters")
    def _check(self, proposal: Mapping[str, Any]) -> Filters:
        if not isinstance(proposal["value"], Filters):
            raise InputError(
                f"filters is a {type(proposal['value']).__name__}. "
                "Expected Filters, such as fl.Filters(state='enabled')."
            )
        return proposal["value"]

    def _take(self, _change: object = None) -> None:
        """Take the selection from the controls, unless it is we who are moving them."""
        if self._showing:
            return
        self._typed.forget()
        chosen = {name: facet.chosen for name, facet in self._facets.items()}
        ranges = {name: slider.chosen for name, slider in self._ranges.items()}
        self.filters = replace(self.filters, text=self._search.value, **chosen, **ranges)

    @traitlets.observe("filters")
    def _show(self, _change: object = None) -> None:
        """Show the selection: in every control, in the counts and in the views."""
        filters: Filters = self.filters
        counts = self._faceted.counts(filters.active(), self._facets)
        keep = self._faceted.keep(filters.active())
        self._showing = True
        try:
            self._search.value = filters.text
            for name, facet in self._facets.items():
                facet.show(counts[name], getattr(filters, name), self._names.get(name, {}))
            for name, slider in self._ranges.items():
                spread = self._faceted.histogram(filters.active(), name, _BINS)
                slider.show(spread, getattr(filters, name))
        finally:
            self._showing = False
        self._chips.show(filters, self._names)
        self._reset.disabled = not filters
        self._kept = int(keep.sum())
        self._summarise()
        self._views.show(keep)

    # --- what is selected -------------------------------------------------------------

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Mapping[str, Any]) -> tuple[Key, ...]:
        keys = proposal["value"]
        expected = "Expected keys of rows: (account_id, region, image_id) of each."
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            raise InputError(f"{expected} Got {keys!r}.")
        chosen = tuple(dict.fromkeys(tuple(key) if _is_key(key) else key for key in keys))
        for key in chosen:
            if key not in self._data.keys:
                raise InputError(f"{expected} {key!r} is the key of none of these images.")
        return chosen

    @traitlets.observe("selected")
    def _show_selected(self, _change: object = None) -> None:
        self._summarise()
        self._views.select(self.selected)

    def _chose(self, chosen: set[Key], not_chosen: set[Key]) -> None:
        """Add what was chosen in a view, take away what was not, and leave all else.

        A finding may be about a region, or about an image that is not here: its row is let go.
        """
        left = [key for key in self.selected if key not in not_chosen]
        added = sorted((chosen & self._data.keys) - set(left), key=str)
        self.selected = (*left, *added)
        if not chosen <= self._data.keys:
            self._views.select(self.selected)

    # --- in words ---------------------------------------------------------------------

    def _summarise(self) -> None:
        self._summary.value = self._summary_html()
        self._clear.layout.display = None if self.selected else "none"

    def _summary_html(self) -> str:
        mark = ""
        if self._is_demo:
            mark = f" <span class='fl-demo'>{DEMO_MARK}</span>"
        chosen = f" · {len(self.selected):,} selected" if self.selected else ""
        return (
            f"<div role='status' class='fl-summary'><b>{self._kept:,} of "
            f"{len(self._data.images):,}</b> images{chosen}{mark}</div>"
        )

    def __repr__(self) -> str:
        words = in_words(self.filters, self._names)
        return (
            f"FilterPanel: {self._kept} of {len(self._data.images)} images"
            + (f" ({words})" if words else "")
        )  # fmt: skip

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Show the widget; where there is no kernel, its rows as text, as a picture, as a table."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        words = escape(in_words(self.filters, self._names))
        summary = f"{self._summary_html()}<span class='fl-active'>{words}</span>"
        bundle["text/html"] = stored_html(self._data.images, self.filtered, summary)
        return bundle


def _is_key(key: object) -> bool:
    return isinstance(key, Iterable) and not isinstance(key, str)
