"""The headline: the state, stock, cost, age and completeness of a fleet, at first glance.

Its figures are of all images of a panel, whatever the filters, and computed once for its data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

import anywidget
import pandas as pd
import traitlets
from ipywidgets import Layout

from fastlaunch_nb.charts.style import STATE_STYLES
from fastlaunch_nb.filter_panel.widget_helpers import read_file, share
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import FACETS
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import format_count, format_time, is_demo
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COMPLETE, FAILED_STATES, NOT_OPTED_IN
from fastlaunch_nb.schema.joins import MISSING, STOCK_COLUMNS, coalesce_stock
from fastlaunch_nb.schema.prices import PRICES_DATE
from fastlaunch_nb.validation import EPOCH

_UNDER_WAY: Final = ("enabling", "disabling")
_STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "fail": FAILED_STATES,
    "under way": _UNDER_WAY,
    "fine": ("enabled",),
}
_SHORT: Final = {MISSING: (1, None)}
_OF_ALL: Final = "Of all images here, whatever the filters."
_CLICK: Final = "Click to see only these, and again to see all."
_ASSUMED: Final = (
    f"An estimate: public prices of {PRICES_DATE}, or your own. The low end has what AWS's example "
    "pays for storage, the high end the full price of all snapshots and their preparation."
)


class Figure(NamedTuple):
    """A figure: a value, its label, a tip, and the filters of a click by their fields."""

    name: str
    value: str
    label: str
    tip: str
    filters: Mapping[str, Any] = {}
    colour: str = ""
    time: pd.Timestamp | None = None  # the page shows its age in place of the value

    def is_pressed(self, filters: Filters) -> bool:
        """Return whether these filters are those of the figure."""
        return bool(self.filters) and all(
            getattr(filters, field) == value
            or (field in FACETS and set(getattr(filters, field)) == set(value))  # in any order
            for field, value in self.filters.items()
        )

    def to_plain(self) -> dict[str, Any]:
        """Return what the page draws."""
        kind = "text" if not self.filters else "none" if self.value == "0" else "button"
        time = None if self.time is None else (self.time - EPOCH) / pd.Timedelta(milliseconds=1)
        return {**self._asdict(), "filters": None, "kind": kind, "time": time}


class Headline(anywidget.AnyWidget):
    """The figures of a panel's data; `on_change` gets the filters after a click on one.

    Its CSS, ``headline.css``, comes with the panel.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"},
    ...                         {"ImageId": "ami-01234567890abcdef", "State": "enabling"}])
    >>> headline = Headline(print)
    >>> headline.set_data(images, FacetIndex(images))
    >>> [(figure["value"], figure["label"]) for figure in headline.figures][:3]
    [('0', 'fail'), ('1', 'under way'), ('1', 'fine')]
    """

    _esm = read_file("headline.js")

    figures: Any = traitlets.List().tag(sync=True)
    pressed: Any = traitlets.List().tag(sync=True)

    def __init__(self, on_change: Callable[[Filters], None]) -> None:
        self._on_change = on_change
        self._figures: list[Figure] = []
        self._filters = Filters()
        super().__init__(layout=share(Layout), _dom_classes=("fl-headline",))
        self.on_msg(self._toggle)

    def set_data(
        self,
        images: pd.DataFrame,
        index: FacetIndex,
        coverage: pd.DataFrame | None = None,
        zone: tzinfo = UTC,
        *,
        is_past: bool = False,
    ) -> None:
        """Replace the data; `index` is that of the images.

        The past has its time, and no age.
        """
        self._figures = list(_make_figures(images, index))
        if len(images) or (coverage is not None and len(coverage)):
            self._figures.append(_make_read_figure(images, coverage, zone, is_past=is_past))
        self.figures = [figure.to_plain() for figure in self._figures]
        self.show(self._filters)

    def show(self, filters: Filters) -> None:
        """Mark the figures whose images the filters select."""
        self._filters = filters
        self.pressed = [figure.name for figure in self._figures if figure.is_pressed(filters)]

    def _toggle(self, _widget: object, message: Any, _buffers: object) -> None:
        """Set or clear the filters of the figure that was clicked."""
        name = message.get("name") if isinstance(message, Mapping) else None
        for figure in self._figures:
            if figure.name == name and figure.filters:
                none = {field: getattr(Filters(), field) for field in figure.filters}
                is_pressed = figure.is_pressed(self._filters)
                self._on_change(replace(self._filters, **(none if is_pressed else figure.filters)))


def _make_figures(images: pd.DataFrame, index: FacetIndex) -> Iterator[Figure]:
    if len(images):
        yield from _make_state_figures(index)
        yield _make_stock_figure(images, index)
        yield _make_cost_figure(images)


def _make_state_figures(index: FacetIndex) -> Iterator[Figure]:
    """Yield the number of images that fail, change or are fine; and of others, if there are any."""
    counts = {state: n for state, n in index.counts({}, ["state"])["state"].items() if n}
    known = {state for states in _STATES.values() for state in states}
    others = tuple(state for state in counts if state not in known)
    groups: dict[str, tuple[Any, ...]] = {**_STATES, **({"other": others} if others else {})}
    for label, states in groups.items():
        present = tuple(state for state in states if state in counts)
        count = sum(counts[state] for state in present)
        details = ", ".join(f"{counts[state]:,} {state or 'without a state'}" for state in present)
        tip = "\n".join(filter(None, [details, _OF_ALL, _CLICK if count else ""]))
        colour = STATE_STYLES[states[0]].colour if count and states[0] in STATE_STYLES else ""
        filters = {"state": present or states}
        yield Figure(label.replace(" ", "-"), f"{count:,}", label, tip, filters, colour)


def _make_stock_figure(images: pd.DataFrame, index: FacetIndex) -> Figure:
    """Return the number of pools below their target, as far as their stock is known."""
    unknown = len(images)
    if not set(STOCK_COLUMNS).isdisjoint(images):
        unknown = int(coalesce_stock(images).isna().sum())
    if unknown == len(images):
        tip = f'No stock is known. {_OF_ALL}\nThe joins "metrics" and "snapshots" read it.'
        return Figure("short", "–", "stock not known", tip)
    count = int(index.keep(_SHORT).sum())
    label = f"short, {unknown:,} not known" if unknown else "pools short"
    lines = [f"{format_count(count, 'pool')} with fewer snapshots than the target."]
    lines += [f"The stock of {format_count(unknown)} is not known."] * bool(unknown)
    tip = "\n".join([*lines, _OF_ALL, *[_CLICK] * bool(count)])
    return Figure("short", f"{count:,}", label, tip, _SHORT, "#e69f00" if count else "")


def _make_cost_figure(images: pd.DataFrame) -> Figure:
    """Return what all images cost a month, where the stock and both ends are known."""
    names = ["monthly_usd_low", "monthly_usd_high", "snapshots"]
    low, high, listed = (images.reindex(columns=names)[name].astype("Float64") for name in names)
    stock = coalesce_stock(images)
    is_hidden = ((listed == 0) & (stock > 0)).fillna(False)  # EC2 lists none of what is there
    is_known = stock.notna() & ~is_hidden & low.notna() & high.notna()
    count = int(is_known.sum())
    if not count:
        tip = f'No cost is known. {_OF_ALL}\nThe joins "cost" and "metrics" estimate it.'
        return Figure("cost", "–", "cost not known", tip)
    ends = _format_usd(low[is_known].sum()), _format_usd(high[is_known].sum())
    value = "–".join(dict.fromkeys(ends))
    label = "a month" if count == len(images) else f"a month, {count:,} of {len(images):,} images"
    return Figure("cost", f"USD {value}", label, f"{_ASSUMED}\n{_OF_ALL}")


def _format_usd(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:,.2f}"


# --- age and completeness -------------------------------------------------------------


def _make_read_figure(
    images: pd.DataFrame, coverage: pd.DataFrame | None, zone: tzinfo, *, is_past: bool
) -> Figure:
    """Return when the data was read, and how much of what was to be read."""
    label, lines = "newest read", ["How complete the data is, is not known: pass coverage=."]
    times = images["observed_at"]
    if coverage is not None:
        label, lines = _describe_coverage(coverage)
        times = pd.concat([times, coverage.loc[coverage["pages"] > 0, "observed_at"]])
    if times.isna().all():
        return Figure("read", "–", label, "\n".join(["When it was read is not known.", *lines]))
    ends = times.min().tz_convert(zone), times.max().tz_convert(zone)
    first, last = (f"{time:%Y-%m-%d %H:%M:%S %Z}" for time in ends)
    read = f"Read at {last}" if first == last else f"Read from {first} to {last}"
    has_own_clock = is_past or is_demo(images) or (coverage is not None and is_demo(coverage))
    tip = "\n".join([f"{read}, by AWS's clock.", *lines])
    time = None if has_own_clock else ends[1]  # the demo's clock is not that of the page
    return Figure("read", format_time(ends[1]), label, tip, time=time)


def _describe_coverage(coverage: pd.DataFrame) -> tuple[str, list[str]]:
    """Return how many accounts and regions were read, in a label and in lines."""
    accounts = coverage["account_id"].fillna(coverage["account_name"])  # of one not opened
    last = coverage.assign(account_id=accounts).sort_values("observed_at", kind="stable")
    last = last.drop_duplicates(list(ACCOUNT_REGION), keep="last")
    counts = last["status"].value_counts()
    complete, closed = int(counts.get(COMPLETE, 0)), int(counts.get(NOT_OPTED_IN, 0))
    total = len(last) - closed
    scope = f"{complete:,} of {total:,} accounts and regions"
    lines = [f"{scope} were read completely."]
    if closed:
        lines.append(f"{format_count(closed, 'region')} not opted in: unknown what is there.")
    if last["scope"].fillna("").ne("").any():
        lines.append("Only images that match the filters of the read are here.")
    return scope if complete == total else f"▲ {scope}", lines
