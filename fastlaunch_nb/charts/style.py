"""What all charts look like: a colour for each state, the figure around the data, its rows.

A figure is transparent and its grey text reads on white and on black, so that
it fits any theme it is put into. The legend is text under the title: plotly's
own takes the width that row labels leave, and climbs over the title on a narrow
screen. plotly's button that uploads the data is off, and those that select nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text
from fastlaunch_nb.charts.alt_text import LegendEntry, Line
from fastlaunch_nb.formatting import (
    DEMO_MARK,
    account_labels,
    empty_message,
    image_labels,
    is_demo,
)
from fastlaunch_nb.schema.columns import STATES


class StateStyle(NamedTuple):
    """How a state is drawn: a colour, and a pattern so that colour is never the only sign.

    The swatch is the pattern once more, as a letter of a legend. What is not
    `solid` shows the page through: nothing was seen there.
    """

    colour: str
    pattern: str = ""
    swatch: str = "■"
    solid: bool = True
    height: float = 0.72  # of a row

    @property
    def cell(self) -> str:
        """The colour of a cell that is too small for a pattern."""
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
colour vision tell apart; failures carry a pattern as well."""
UNSEEN = StateStyle("#b0b0b0", "+", "▦")
"""How a state is drawn that AWS has added since."""

GREY: Final = "#7f7f7f"
"""Of text. No grey has a contrast of 4.5 on white and on a dark page's #212121; this has 4.0."""
CLEAR: Final = "rgba(0,0,0,0)"
_FAINT = "rgba(128,128,128,0.22)"
_ROW, _TALLEST, _HEAD, _LINE, _FOOT, _LETTER = 19, 1400, 48, 17, 44, 6.3  # pixels
_MARK = 8  # pixels beside the data for what goes on
_READABLE = 14  # pixels a row needs for a mark or words of its own


def state_style(state: object) -> StateStyle:
    """Return how a state is drawn, also one that nobody has seen yet."""
    return STATE_STYLES.get(str(state), UNSEEN)


def state_marker(state: object) -> dict[str, Any]:
    """Return how a bar of a state is drawn."""
    drawn = state_style(state)
    pattern = {"shape": drawn.pattern, "size": 6, "solidity": 0.35}
    if drawn.solid:
        pattern["fgcolor"] = "white"
        return {"color": drawn.colour, "line": {"width": 0}, "pattern": pattern}
    pattern |= {"fgcolor": drawn.colour, "bgcolor": CLEAR}
    return {"color": CLEAR, "line": {"width": 1, "color": drawn.colour}, "pattern": pattern}


def ink_on(state: object) -> str:
    """Return the colour of words on a bar of a state."""
    return "white" if state_style(state).solid else GREY


def state_fill(state: object) -> dict[str, Any]:
    """Return how an area of a state is drawn."""
    drawn = state_style(state)
    if not drawn.pattern:
        return {"fillcolor": drawn.cell}
    behind, before = (drawn.colour, "white") if drawn.solid else (CLEAR, drawn.colour)
    shape = {"shape": drawn.pattern, "size": 5, "solidity": 0.35}
    return {"fillpattern": {**shape, "bgcolor": behind, "fgcolor": before}}


# --- the figure around the data -------------------------------------------------------


def base_figure(
    title: str,
    under: Sequence[Line],
    data: pd.DataFrame,
    *,
    rows: int = 0,
    legend: Sequence[LegendEntry] = (),
    marks: Sequence[str] = (),
) -> go.Figure:
    """Return a figure without data: its head, with the legend in lines of three, and its look.

    What explains marks stands in a line of its own below the legend, and not in the text of
    the figure, where words stand for them.
    """
    if is_demo(data):
        under = [[DEMO_MARK, *under[0]], *under[1:]]
    lines = [
        *map(alt_text.draw_line, under),
        *(alt_text.draw_legend(legend[start : start + 3]) for start in range(0, len(legend), 3)),
        *([f"<i>{alt_text.SPACE.join(marks)}</i>"] if marks else []),
    ]
    head = _HEAD + _LINE * len(lines)
    figure = go.Figure()
    names = [part for entry in legend for part in entry.parts]
    alt_text.attach_text(figure, title, [*under, *([names] if names else [])])
    figure.update_layout(
        title={
            "text": alt_text.escape_markup(title),
            "font": {"size": 16, "weight": 600},
            "subtitle": {"text": "<br>".join(lines), "font": {"size": 12}},
            "x": 0,
            "xref": "container",
            "pad": {"l": 12, "t": 12},
            "yref": "container",
            "y": 1,
            "yanchor": "top",
        },
        height=min(_TALLEST, head + _FOOT + _ROW * max(rows, 3)),
        margin={"l": 12, "r": 16, "t": head, "b": _FOOT},
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
        showgrid=False, zeroline=False, ticks="outside", tickcolor=CLEAR, ticklen=_MARK
    )
    return figure


def has_room(figure: go.Figure, rows: int) -> bool:
    """Tell whether a row is high enough for a mark or words of its own."""
    layout = figure.layout
    return bool(rows * _READABLE <= layout.height - layout.margin.t - layout.margin.b)


def name_rows(
    figure: go.Figure, labels: Sequence[str], places: Sequence[int] | None = None, total: int = 0
) -> None:
    """Name the rows; fewer labels where it is tight.

    They are in these places of a `total`, else one after the other.
    """
    total = total or len(labels)
    every = label_every(figure, total)
    make_room(figure, labels)
    named = [*zip(places or range(total), labels, strict=True)][::every]
    figure.update_yaxes(
        range=[-total + 0.4, 0.6],
        tickmode="array",
        tickvals=[-place for place, _ in named],
        ticktext=[alt_text.escape_markup(label) for _, label in named],
        tickfont={"size": 11},
    )


def label_every(figure: go.Figure, rows: int) -> int:
    """Return how many rows share a label, so that labels do not stand too close."""
    room = int(_TALLEST - _FOOT - figure.layout.margin.t)
    return max(1, -(-rows * 13 // room))


def make_room(figure: go.Figure, labels: Iterable[str]) -> None:
    """Give labels of rows the room that the longest of them needs."""
    figure.update_layout(margin_l=16 + _MARK + round(_LETTER * max(map(len, labels))))


def row_labels(rows: pd.DataFrame) -> list[str]:
    """Return an image's name and region for each row; where these are alike, what tells it apart.

    That is the account, else the image's id, or both: as little as will do.
    """
    named = zip(_shown(image_labels(rows), 30), _shown(rows["region"], 20), strict=True)
    labels = [" · ".join(filter(None, parts)) for parts in named]
    accounts, ids = _shown(account_labels(rows), 12), _shown(rows["image_id"], 12)
    both = [f"{account} · {image_id}" for account, image_id in zip(accounts, ids, strict=True)]
    for places in alt_text.places_alike(labels):
        more = next(
            (m for m in (accounts, ids) if len({m[n] for n in places}) == len(places)), both
        )
        for place in places:
            labels[place] += f" · {more[place]}"
    return labels


def _shown(values: pd.Series, room: int) -> list[str]:
    texts = values.fillna("").tolist()
    short = alt_text.shorten_labels(texts, room)
    return [short[text] for text in texts]


def empty_figure(chart: str, data: pd.DataFrame, why: tuple[str, str] | None = None) -> go.Figure:
    """Return an empty figure that says why it is empty: in its title, and what helps under it.

    It is no other chart's, so that two on a page are two: what is the same has the same id there.
    """
    title, help_line = why or empty_message()
    figure = base_figure(title, [[help_line]], data)
    figure.update_layout(height=figure.layout.margin.t, margin_b=0)  # there is no more to see
    alt_text.attach_name(figure, chart)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def state_in_legend(state: str, *parts: str) -> LegendEntry:
    """Return a state's entry of a legend."""
    drawn = state_style(state)
    return LegendEntry(drawn.colour, drawn.swatch, parts)


assert STATE_STYLES.keys() == set(STATES)  # noqa: S101  every state has its look
