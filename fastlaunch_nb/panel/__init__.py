"""The filter panel, in plain ipywidgets. It has no logic of its own: Filters decides, it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as widgets
import pandas as pd
import traitlets

from fastlaunch_nb import charts, frame
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frame import FACETS, Filters

PAGE = 10
_FACETS = {
    "state": "State",
    "account_id": "Account",
    "region": "Region",
    "launch_template": "Launch template",
}
_NONE = "(none)"
_FORMULA = re.compile(r"\$.*\$|\\[(\[]|\\begin")
_DARKER = "color-mix(in srgb, currentColor 14%, transparent)"


def panel(images: pd.DataFrame, *, filters: Filters | None = None) -> FilterPanel:
    """Make a filter panel for a frame of images.

    Parameters
    ----------
    images : pandas.DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`.
        Columns ``image_name`` and ``account_name``, where they are there, are
        shown instead of ids.
    filters : Filters, optional
        The selection to begin with, such as ``Filters.from_json(...)`` of a
        notebook's parameter; all images if not given.

    Returns
    -------
    FilterPanel
        An ipywidget. ``filters`` is the selection, a :class:`fastlaunch_nb.Filters`:
        set it, or observe it; ``filtered`` is the rows it keeps, and ``to_code()``
        says the same as code.

    Raises
    ------
    InputError
        It is no frame of images, or `filters` are none.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"},
    ...                         {"ImageId": "ami-01234567890abcdef", "State": "enabling"}])
    >>> panel = fl.panel(images)
    >>> panel.filters = fl.Filters(state="enabling")
    >>> panel
    FilterPanel: 1 of 2 images (state: enabling)
    >>> panel.filtered["image_id"].tolist()
    ['ami-01234567890abcdef']
    """
    frame.fit_to_show(images, *(column.name for column in frame.COLUMNS))
    return FilterPanel(images, Filters() if filters is None else filters)


class FilterPanel(widgets.VBox):  # type: ignore[misc]
    """Facets with counts, a search, and the rows they keep; made by :func:`panel`.

    Attributes
    ----------
    filters : Filters
        The selection. A trait: settable, observable.
    """

    filters = traitlets.Any()

    def __init__(self, images: pd.DataFrame, filters: Filters) -> None:
        self._images = images.copy()
        self._faceted = frame.Faceted(self._images)
        self._names = {"account_id": _account_names(self._images)}
        self._is_demo = frame.is_demo(self._images)
        self._showing = False
        self._search = _search_box()
        self._search.observe(self._take, "value")
        self._facets = {name: _Facet(title, self._take) for name, title in _FACETS.items()}
        self._summary = widgets.HTML()
        self._reset = _button("Reset", "undo", tooltip="Show all images again")
        self._reset.on_click(lambda _: setattr(self, "filters", Filters()))
        self._table = _Table()
        head = _row("fl-head", self._search, self._reset, self._summary)
        facets = _row("fl-facets", *self._facets.values())
        above = [head, facets] if len(images) else [self._summary]
        super().__init__([widgets.HTML(_STYLE), *above, self._table])
        self.add_class("fl-panel")
        self.filters = filters

    @property
    def filtered(self) -> pd.DataFrame:
        """The rows that the filters keep, as in the frame that was given."""
        kept: pd.DataFrame = self._images[self._faceted.keep(self.filters)]
        if self.filters:
            kept.attrs[frame.FILTERED] = True
        return kept

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
        regions = sorted(self._images["region"].dropna().unique()) or None
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
        if not self._showing:
            chosen = {name: facet.chosen for name, facet in self._facets.items()}
            self.filters = replace(self.filters, text=self._search.value, **chosen)

    @traitlets.observe("filters")
    def _show(self, _change: object) -> None:
        """Show the selection: in every control, in the counts and in the table."""
        counts = self._faceted.counts(self.filters, self._facets)
        names = self._names
        self._showing = True
        try:
            self._search.value = self.filters.text
            for name, facet in self._facets.items():
                facet.show(counts[name], getattr(self.filters, name), names.get(name, {}))
        finally:
            self._showing = False
        filtered = self.filtered
        self._summary.value = self._summary_html(len(filtered))
        self._table.show(filtered)

    def _words(self) -> str:
        """Say the selection in words; every part of it, also what has no control here."""
        names = self._names
        parts = [
            f"{_title(facet).lower()}: {', '.join(_label(v, names.get(facet, {})) for v in values)}"
            for facet in FACETS
            if (values := getattr(self.filters, facet))
        ]
        parts += [
            f"{_title(name).lower()}: {_ends(*ends)}"
            for name in frame.RANGES
            if (ends := getattr(self.filters, name))
        ]
        text = self.filters.text
        return " · ".join(parts + ([f"text: {frame.one_line(text)}"] if text else []))

    def _summary_html(self, rows: int) -> str:
        mark = ""
        if self._is_demo:
            mark = f"<span class='fl-demo'>{frame.DEMO_MARK}</span>"
        return (
            f"<div role='status' class='fl-summary'><b>{rows} of {len(self._images)}</b> images"
            f"{mark}<span class='fl-active'>{escape(self._words())}</span></div>"
        )

    def __repr__(self) -> str:
        words = self._words()
        return (
            f"FilterPanel: {len(self.filtered)} of {len(self._images)} images"
            + (f" ({words})" if words else "")
        )  # fmt: skip

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Show the widget; where there is no kernel, its rows as text and as a table."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = (
            f"{_STYLE}<div class='fl-panel tex2jax_ignore mathjax_ignore'>"
            f"{self._summary_html(len(self.filtered))}"
            f"{_table_html(self.filtered.head(PAGE))}"
            f"{_more(len(self.filtered) - PAGE)}</div>"
        )
        return bundle


def _account_names(images: pd.DataFrame) -> dict[str, str]:
    """Return the name for the eye of each account, by its id."""
    labels = images[["account_id"]].assign(label=frame.account_labels(images))
    return dict(labels.dropna().drop_duplicates("account_id", keep="last").to_numpy())


class _Facet(widgets.VBox):  # type: ignore[misc]
    """One facet: a box to tick for each value, with its count; values with none are pale."""

    def __init__(self, title: str, changed: Callable[[object], None]) -> None:
        self._changed = changed
        self._boxes: dict[str | None, Any] = {}
        self._layout = widgets.Layout(width="auto", flex="0 0 auto")
        self._values = widgets.VBox().add_class("fl-values")
        super().__init__([widgets.HTML(f"<b>{escape(title)}</b>"), self._values])
        self.add_class("fl-facet")

    @property
    def chosen(self) -> tuple[str | None, ...]:
        return tuple(value for value, box in self._boxes.items() if box.value)

    def show(
        self,
        counts: Mapping[str | None, int],
        chosen: tuple[str | None, ...],
        names: Mapping[str, str],
    ) -> None:
        """Show counts and ticks; a chosen value that no row has gets a box as well."""
        known = sorted(counts, key=lambda value: (value is None, names.get(value or "", "")))
        values = [*known, *(value for value in chosen if value not in counts)]
        if values != list(self._boxes):
            self._boxes = {value: self._box(value) for value in values}
            self._values.children = tuple(self._boxes.values())
        for value, box in self._boxes.items():
            count = counts.get(value, 0)
            box.description = f"{_no_formula(_label(value, names))} ({count})"
            box.value = value in chosen
            (box.remove_class if count else box.add_class)("fl-none")

    def _box(self, value: str | None) -> Any:
        box = widgets.Checkbox(indent=False, layout=self._layout)
        box.observe(self._changed, "value")
        if value in charts.STATE_LOOKS:
            box.add_class(f"fl-{value}")
        return box


class _Table(widgets.VBox):  # type: ignore[misc]
    """Rows, a page at a time."""

    def __init__(self) -> None:
        self._rows = pd.DataFrame()
        self._first = 0
        self._html = widgets.HTML()
        self._where = widgets.HTML()
        self._back = _button("Previous", "chevron-left")
        self._on = _button("Next", "chevron-right")
        self._back.on_click(lambda _: self._turn(-PAGE))
        self._on.on_click(lambda _: self._turn(PAGE))
        self._pager = _row("fl-pager", self._back, self._on, self._where)
        super().__init__([self._html, self._pager])

    def show(self, rows: pd.DataFrame) -> None:
        """Show other rows, from their first page on."""
        self._rows, self._first = rows, 0
        self._pager.layout.display = None if len(rows) > PAGE else "none"
        self._turn(0)

    def _turn(self, step: int) -> None:
        self._first += step
        page = self._rows.iloc[self._first : self._first + PAGE]
        last = self._first + len(page)
        self._html.value = _table_html(page)
        self._where.value = f"{self._first + 1}–{last} of {len(self._rows)}" if len(page) else ""
        self._back.disabled = self._first == 0
        self._on.disabled = last >= len(self._rows)


def _row(name: str, *children: Any) -> Any:
    layout = widgets.Layout(flex_flow="row wrap", align_items="center")
    return widgets.Box(list(children), layout=layout).add_class(name)


def _search_box() -> Any:
    return widgets.Text(
        description="Search",
        placeholder="name, id, template, reason …",
        continuous_update=True,
        style={"description_width": "initial"},
    ).add_class("fl-search")


def _button(description: str, icon: str, **more: Any) -> Any:
    return widgets.Button(description=description, icon=icon, layout={"width": "auto"}, **more)


def _ends(low: Any, high: Any) -> str:
    """Say a range: from where, to where, or both."""
    parts = [("from", low), ("to", high)]
    return " ".join(f"{word} {frame.one_line(end)}" for word, end in parts if end is not None)


def _title(facet: str) -> str:
    return _FACETS.get(facet, facet.replace("_", " "))


def _label(value: str | None, names: Mapping[str, str]) -> str:
    """Return a facet's value for the eye: its name where it is known."""
    return _NONE if value is None else frame.one_line(names.get(value, value))


def _no_formula(label: str) -> str:
    """Escape what JupyterLab, which typesets the labels of tick boxes, would make a formula."""
    return re.sub(r"([$\\])", r"\\\1", label) if _FORMULA.search(label) else label


# --- rows as HTML ---------------------------------------------------------------------

_HEADINGS = (
    *("Image", "State", "Account, region", "Target", "Max parallel"),
    *("Launch template", "Since (UTC)", "Reason"),
)


def _table_html(rows: pd.DataFrame) -> str:
    """Return rows as an HTML table. Everything in it that came from AWS is escaped."""
    if rows.empty:
        return f"<p class='fl-empty'>{' '.join(frame.why_empty(rows))}</p>"
    shown = frame.fit_to_show(rows).assign(
        _image=frame.image_labels(rows),
        _account=frame.account_labels(rows),
        _template=frame.facet_values(rows, "launch_template"),
    )
    head = "".join(f"<th scope='col'>{heading}</th>" for heading in _HEADINGS)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in shown.to_dict("records"))
    return (
        "<div class='fl-scroll' tabindex='0' role='region' aria-label='Images'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Mapping[Any, Any]) -> str:
    image_id = "" if row["_image"] == row["image_id"] else _text(row["image_id"])
    version = row["launch_template_version"]
    since = row["state_transition_time"]
    colour = charts.state_look(row["state"]).colour
    return "".join(
        [
            _cell(_text(row["_image"]), image_id),
            _cell(f"<i style='background:{colour}'></i>{_text(row['state'])}"),
            _cell(_text(row["_account"]), _text(row["region"])),
            f"<td class='fl-number'>{_text(row['target_resource_count'])}</td>",
            f"<td class='fl-number'>{_text(row['max_parallel_launches'])}</td>",
            _cell(_text(row["_template"]), "" if pd.isna(version) else f"version {_text(version)}"),
            _cell("–") if pd.isna(since) else _cell(f"{since:%Y-%m-%d}", f"{since:%H:%M}"),
            f"<td class='fl-reason'>{_text(row['state_transition_reason'])}</td>",
        ]
    )


def _cell(main: str, below: str = "") -> str:
    return f"<td><div>{main}{f'<br><small>{below}</small>' if below else ''}</div></td>"


def _text(value: Any) -> str:
    return "–" if pd.isna(value) else escape(frame.one_line(value))


def _more(rows: int) -> str:
    return f"<p class='fl-empty'>and {rows} more</p>" if rows > 0 else ""


_STATE_STYLE = "".join(
    f".fl-panel .fl-{state} {{ border-left: 4px solid {look.colour}; }}\n"
    for state, look in charts.STATE_LOOKS.items()
)
_STYLE = f"""<style>
.fl-panel {{ font-size: 13px; }}
.fl-panel .fl-head {{ gap: 4px 16px; }}
.fl-panel .fl-search {{ flex: 1 1 260px; max-width: 420px; }}
.fl-panel .fl-summary {{ font-size: 14px; line-height: 1.6; }}
.fl-panel .fl-demo {{ margin-left: 10px; padding: 1px 8px; border-radius: 9px;
  background: {_DARKER};
  font-size: 12px; white-space: nowrap; }}
.fl-panel .fl-active {{ margin-left: 10px; opacity: 0.8; overflow-wrap: anywhere; }}
.fl-panel .fl-facets {{ gap: 10px; align-items: stretch !important; margin: 6px 0; }}
.fl-panel .fl-facet {{ flex: 1 1 200px; border: 1px solid {_DARKER}; border-radius: 6px;
  padding: 4px 10px 6px; }}
.fl-panel .fl-values {{ max-height: 166px; overflow: auto; }}
.fl-panel .fl-values > * {{ height: auto; min-height: 24px; margin: 0 0 2px; padding-left: 6px;
  border-left: 4px solid transparent; }}
.fl-panel .fl-values label {{ display: flex; flex: 1; line-height: 1.4; white-space: normal;
  overflow: visible; }}
.fl-panel .fl-values input {{ flex: none; align-self: start; margin: 3px 8px 0 0; }}
.fl-panel .fl-values label > span {{ flex: 1; min-width: 0; overflow-wrap: anywhere; }}
.fl-panel .fl-none {{ opacity: 0.68; }}
.fl-panel :is(button, [type=checkbox], .fl-scroll):focus-visible {{
  outline: 2px solid #2b8fd9 !important; outline-offset: -1px; }}
{_STATE_STYLE}.fl-panel .fl-scroll {{ overflow-x: auto; }}
.fl-panel .fl-scroll table {{ border-collapse: collapse; table-layout: auto; width: 100%; margin: 0;
  font-size: 13px; line-height: 1.35; }}
.fl-panel .fl-scroll th, .fl-panel .fl-scroll td {{ max-width: none; text-align: left;
  vertical-align: top; padding: 5px 12px 5px 4px; border-bottom: 1px solid {_DARKER};
  white-space: nowrap; }}
.fl-panel .fl-scroll td > div {{ width: max-content; max-width: 260px; white-space: normal;
  overflow-wrap: anywhere; }}
.fl-panel small {{ opacity: 0.75; font-size: 11px; }}
.fl-panel td i {{ display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  margin-right: 7px; }}
.fl-panel .fl-scroll .fl-number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.fl-panel .fl-scroll .fl-reason {{ min-width: 200px; white-space: normal;
  overflow-wrap: anywhere; }}
.fl-panel .fl-empty {{ opacity: 0.8; margin: 8px 4px; line-height: 1.5; }}
.fl-panel .fl-pager {{ gap: 8px; margin-top: 4px; }}
</style>"""
