"""The style of all charts: state colours and patterns, the base figure, and row labels.

A figure is transparent and its grey text is readable on white and on black, so it fits any
theme. The legend is text under the title, because plotly's own legend takes the width that
row labels leave and overlaps the title on a narrow screen. The mode bar has no button that
uploads the data, and none that only selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, markup
from fastlaunch_nb.charts.markup import LegendEntry, Line
from fastlaunch_nb.formatting import DEMO_MARK, empty_message, is_demo, label_accounts, label_images
from fastlaunch_nb.schema.columns import STATES


class StateStyle(NamedTuple):
    """A colour and a pattern for a state, so that colour is never the only sign.

    The swatch is a character for the legend that resembles the pattern. A style that is not
    `solid` is transparent, because nothing was observed there.
    """

    colour: str
    pattern: str = ""
    swatch: str = "■"
    solid: bool = True
    height: float = 0.72  # as a share of the row height

    @property
    def cell(self) -> str:
        """The colour of a cell, which is too small for a pattern."""
        return self.colour if self.solid or self.pattern else _FAINT


STATE_STYLES = {
    "enabling": StateStyle("#56b4e9"),
    "enabling-failed": StateStyle("#d55e00", "x", "▩"),
    "enabled": StateStyle("#009e73"),
    "enabled-failed": StateStyle("#cc79a7", "/", "▨"),
    "disabling": StateStyle("#e69f00"),
    "disabling-failed": StateStyle("#a6611a", "\\", "▧"),
    "disabled": StateStyle("#8a8a8a"),
    "absent": StateStyle("#8a8a8a", "", "▭", solid=False, height=0.2),
    "unknown": StateStyle("#767676", "/", "▒", solid=False),
}
"""The palette of Okabe and Ito (Color Universal Design, 2008), which people with any kind of
colour vision can distinguish; failures also have a pattern."""
NEW_STATE_STYLE = StateStyle("#b0b0b0", "+", "▦")
"""The style of a state that AWS added after this release."""

GREY: Final = "#7f7f7f"
"""The text colour. No grey has a contrast of 4.5 on both white and #212121; this one has 4.0."""
CLEAR: Final = "rgba(0,0,0,0)"
HOVER: Final = "%{hovertext}<extra></extra>"
"""The `hovertemplate` of a trace that has its own hover labels."""
_FAINT = "rgba(128,128,128,0.22)"
# All in pixels:
_ROW_HEIGHT, _TITLE_HEIGHT, _LINE_HEIGHT, _BOTTOM_MARGIN, _MAX_HEIGHT = 19, 48, 17, 44, 1400
_CHARACTER_WIDTH = 6.3
_MARK_WIDTH = 8  # between the labels and the data, for a mark at the edge
_READABLE_HEIGHT = 14  # of a row that has a mark or text of its own
_LABEL_HEIGHT = 13
TIME_TICKS: Final = (  # plotly's default repeats the year under each hour, with slanted labels
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%b %-d"},  # milliseconds
    {"dtickrange": [86_400_000, "M1"], "value": "%b %-d\n%Y"},
)


def state_style(state: object) -> StateStyle:
    """Return the style of a state, also of one that is not known yet."""
    return STATE_STYLES.get(str(state), NEW_STATE_STYLE)


def state_marker(state: object) -> dict[str, Any]:
    """Return plotly's `marker` for a bar of a state."""
    style = state_style(state)
    pattern = {"shape": style.pattern, "size": 6, "solidity": 0.35}
    if style.solid:
        pattern["fgcolor"] = "white"
        return {"color": style.colour, "line": {"width": 0}, "pattern": pattern}
    pattern |= {"fgcolor": style.colour, "bgcolor": CLEAR}
    return {"color": CLEAR, "line": {"width": 1, "color": style.colour}, "pattern": pattern}


def state_fill(state: object) -> dict[str, Any]:
    """Return plotly's fill arguments for an area of a state."""
    style = state_style(state)
    if not style.pattern:
        return {"fillcolor": style.cell}
    background, foreground = (style.colour, "white") if style.solid else (CLEAR, style.colour)
    shape = {"shape": style.pattern, "size": 5, "solidity": 0.35}
    return {"fillpattern": {**shape, "bgcolor": background, "fgcolor": foreground}}


def state_legend_entry(state: str, *parts: str) -> LegendEntry:
    """Return the legend entry of a state."""
    style = state_style(state)
    return LegendEntry(style.colour, style.swatch, parts)


# --- the base figure ------------------------------------------------------------------


def base_figure(
    title: str,
    subtitle: Sequence[Line],
    data: pd.DataFrame,
    *,
    rows: int = 0,
    legend: Sequence[LegendEntry] = (),
    marks: Sequence[str] = (),
) -> go.Figure:
    """Return a figure without traces: title, subtitle, legend in lines of three, and layout.

    The line that explains marks is not part of the figure's text, which describes them in words.
    """
    if is_demo(data):
        subtitle = [[DEMO_MARK, *subtitle[0]], *subtitle[1:]]
    legend_lines = (legend[start : start + 3] for start in range(0, len(legend), 3))
    lines = [
        *map(markup.draw_line, subtitle),
        *(markup.SPACE.join(entry.draw() for entry in line) for line in legend_lines),
        *([f"<i>{markup.SPACE.join(marks)}</i>"] if marks else []),
    ]
    top_margin = _TITLE_HEIGHT + _LINE_HEIGHT * len(lines)
    figure = go.Figure()
    names = [part for entry in legend for part in entry.parts]
    alt_text.attach_text(figure, title, [*subtitle, *([names] if names else [])])
    figure.update_layout(
        title={
            "text": markup.escape_markup(title),
            "font": {"size": 16, "weight": 600},
            "subtitle": {"text": "<br>".join(lines), "font": {"size": 12}},
            "x": 0,
            "xref": "container",
            "pad": {"l": 12, "t": 12},
            "yref": "container",
            "y": 1,
            "yanchor": "top",
        },
        height=min(_MAX_HEIGHT, top_margin + _BOTTOM_MARGIN + _ROW_HEIGHT * max(rows, 3)),
        margin={"l": 12, "r": 16, "t": top_margin, "b": _BOTTOM_MARGIN},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"color": GREY, "size": 12},
        barmode="overlay",
        showlegend=False,
        modebar={
            "remove": ["sendChartToCloud", "select2d", "lasso2d"],
            "bgcolor": CLEAR,
            "color": GREY,
        },
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(
        gridcolor=_FAINT, zeroline=False, linecolor=_FAINT, autotickangles=[0, 45], nticks=7
    )
    figure.update_yaxes(
        showgrid=False, zeroline=False, ticks="outside", tickcolor=CLEAR, ticklen=_MARK_WIDTH
    )
    return figure


def empty_figure(
    chart: str, data: pd.DataFrame, message: tuple[str, str] | None = None
) -> go.Figure:
    """Return an empty figure whose title and subtitle explain why it is empty.

    It has the name of its chart, because two figures with the same content get the same id on
    a page.
    """
    title, help_line = message or empty_message()
    figure = base_figure(title, [[help_line]], data)
    figure.update_layout(height=figure.layout.margin.t, margin_b=0)
    alt_text.attach_name(figure, chart)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


# --- rows -----------------------------------------------------------------------------


def has_room(figure: go.Figure, rows: int) -> bool:
    """Return True if a row is high enough for a mark or text of its own."""
    return rows * _READABLE_HEIGHT <= plot_height(figure)


def plot_height(figure: go.Figure) -> float:
    """Return the height between the margins, in pixels."""
    layout = figure.layout
    return float(layout.height - layout.margin.t - layout.margin.b)


def name_rows(
    figure: go.Figure, labels: Sequence[str], positions: Sequence[int] | None = None, total: int = 0
) -> None:
    """Label the rows on the y axis; only every few rows if space is tight.

    The labels belong to these positions of `total` rows, by default one after another.
    """
    total = total or len(labels)
    step = label_step(figure, total)
    widen_left_margin(figure, labels)
    ticks = [*zip(positions or range(total), labels, strict=True)][::step]
    figure.update_yaxes(
        range=[-total + 0.4, 0.6],
        tickmode="array",
        tickvals=[-position for position, _ in ticks],
        ticktext=[markup.escape_markup(label) for _, label in ticks],
        tickfont={"size": 11},
    )


def label_step(figure: go.Figure, rows: int) -> int:
    """Return the number of rows per label that keeps labels from overlapping."""
    available = int(_MAX_HEIGHT - _BOTTOM_MARGIN - figure.layout.margin.t)
    return max(1, -(-rows * _LABEL_HEIGHT // available))


def widen_left_margin(figure: go.Figure, labels: Iterable[str]) -> None:
    """Widen the left margin to fit the longest label."""
    width = round(_CHARACTER_WIDTH * max(map(len, labels)))
    figure.update_layout(margin_l=16 + _MARK_WIDTH + width)


def row_labels(rows: pd.DataFrame) -> list[str]:
    """Return a label for each row: the image's name and region.

    Equal labels also get the account, the image's id, or both: the first that makes them differ.
    """
    names = alt_text.shorten_labels(label_images(rows))
    regions = alt_text.shorten_labels(rows["region"].fillna(""), 20)
    labels = [" · ".join(filter(None, parts)) for parts in zip(names, regions, strict=True)]
    accounts = alt_text.shorten_labels(label_accounts(rows), 12)
    ids = alt_text.shorten_labels(rows["image_id"].fillna(""), 12)
    both = [f"{account} · {image_id}" for account, image_id in zip(accounts, ids, strict=True)]
    for positions in alt_text.find_duplicates(labels):
        candidates = [[texts[n] for n in positions] for texts in (accounts, ids, both)]
        suffixes = next(
            (texts for texts in candidates if len({*texts}) == len(texts)), candidates[-1]
        )
        for position, suffix in zip(positions, suffixes, strict=True):
            labels[position] += f" · {suffix}"
    return labels


assert STATE_STYLES.keys() == set(STATES)  # noqa: S101  every state has a style
