"""The bullets of a capacity chart: a wide bar for the target, in it what is there and what lacks.

After Stephen Few's bullet graph. What nobody knows has the look of unknown, and no length of
its own: it is the part of a target of which no stock is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry
from fastlaunch_nb.charts.capacity_data import CapacityRows

_BLUE, _EDGE, _SHORT, _BEYOND, _PARALLEL = "#0072b2", "#3392d1", "#d55e00", "#56b4e9", "#e69f00"
_FAINT, _CLEARER = "rgba(51,146,209,0.16)", "rgba(51,146,209,0.3)"  # the edge's colour, inside
_WIDE, _NARROW, _ALONE = 0.74, 0.4, 0.62  # of a row; a target alone is a bar of its own
_FILLING: Final = "being filled"


class _Part(NamedTuple):
    """A part of a bar: its name, where it begins, how long it is, and its look."""

    name: str
    begin: pd.Series
    length: pd.Series
    marker: dict[str, Any]
    swatch: tuple[str, str]


def target_trace(there: CapacityRows, said: Sequence[str], *, roomy: bool) -> go.Bar:
    """Return the wide bars of the targets; without any stock they are all there is to see."""
    edge = {"color": _EDGE, "width": 1 if roomy else 0}  # of tight rows edges hide the rest
    marker = {"color": _FAINT if there.told else _CLEARER, "line": edge}
    width = _WIDE if there.told else _ALONE
    return _bar("target snapshots", there.rows["target"], said, marker=marker, width=width)


def traces(there: CapacityRows, said: Sequence[str]) -> list[go.Bar]:
    """Return the narrow bars in the targets, a trace for each part that there is."""
    return [
        _bar(
            part.name,
            part.length.where(part.length > 0),
            said,
            begin=part.begin,
            marker=part.marker,
            width=_NARROW,
        )
        for part in _parts(there)
    ]


def legend(there: CapacityRows) -> list[LegendEntry]:
    """Return the legend of what is drawn."""
    wide = LegendEntry(_EDGE, "▭", ["target snapshots"])
    if not there.told:
        return [wide, LegendEntry(_PARALLEL, "◆", ["max parallel launches"])]
    return [wide, *(LegendEntry(*part.swatch, [part.name]) for part in _parts(there))]


def _parts(there: CapacityRows) -> list[_Part]:
    """Return the parts that are drawn, in the order in which they stand in a bar."""
    if not there.told:
        return []
    rows = there.rows.drop(columns=["target"]).fillna(0)
    target, zero = there.rows["target"].fillna(0), rows["short"] * 0
    known, here = target - rows["unknown"], rows["within"]
    hatched: dict[str, Any] = {"color": style.CLEAR, "line": {"width": 0}}
    hatched["pattern"] = {"shape": "/", "size": 5, "solidity": 0.4, "fgcolor": _EDGE}
    unknown = style.state_style("unknown")
    found = [
        _Part("in stock", zero, here, _plain(_BLUE), (_BLUE, "■")),
        _Part(_FILLING, here, rows["filling"], hatched, (_EDGE, "▨")),
        _Part("missing", here + rows["filling"], rows["short"] - rows["filling"],
              _plain(_SHORT), (_SHORT, "■")),
        _Part("stock unknown", known, rows["unknown"],
              style.state_marker("unknown"), (unknown.colour, unknown.swatch)),
        _Part("beyond the target", target, rows["beyond"],
              _plain(_BEYOND), ("#56b4e9", "■")),
    ]  # fmt: skip
    return [part for part in found if part.name == "in stock" or part.length.gt(0).any()]


def _plain(colour: str) -> dict[str, Any]:
    return {"color": colour, "line": {"width": 0}}


def parallel_trace(there: CapacityRows, said: Sequence[str], *, roomy: bool) -> go.Scatter:
    """Return diamonds for the launches at once, where there is no stock that they would hide."""
    known = there.rows["parallel"].dropna()
    line = {"color": "white", "width": 1 if roomy else 0}
    return go.Scatter(
        name="max parallel launches",
        mode="markers",
        marker={"color": _PARALLEL, "symbol": "diamond", "size": 9 if roomy else 5, "line": line},
        x=known.tolist(),
        y=[-place for place in known.index],
        hovertext=[said[place] for place in known.index],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def write_numbers(figure: go.Figure, there: CapacityRows) -> None:
    """Write beside each bar what is there of what is to be, and give the words their room."""
    rows = there.rows[there.rows["target"].notna()]
    written = [f"{held(row)} of {wanted(row)}" for row in rows.to_dict("records")]
    figure.add_trace(
        go.Scatter(
            name="stock of target",
            mode="text",
            x=ends(there)[rows.index].tolist(),
            y=[-place for place in rows.index],
            text=[f" {text}" for text in written],
            textposition="middle right",
            textfont={"size": 11, "color": style.GREY},
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    longest = max(map(len, written), default=0)
    figure.update_layout(margin_r=max(figure.layout.margin.r, 12 + 6 * longest))


def held(row: Any) -> str:
    """Say what is in stock for targets: with a + where more may be, and ? where nobody knows."""
    if pd.isna(row["stock"]):
        return "?"
    return f"{row['stock']:,}" + ("+" if row["no_stock"] else "")


def wanted(row: Any) -> str:
    """Say what is to be in stock: with a + where there are targets that nobody knows."""
    if pd.isna(row["target"]):
        return "?"
    return f"{row['target']:,}" + ("+" if row["no_target"] else "")


def ends(there: CapacityRows) -> pd.Series:
    """Return where the drawing of each row ends."""
    rows = there.rows
    last = rows["target"].fillna(0) + rows["beyond"].fillna(0)
    if there.told:
        return last
    return last.where(rows["parallel"].isna() | (last >= rows["parallel"]), rows["parallel"])


def _bar(
    name: str,
    length: pd.Series,
    said: Sequence[str],
    *,
    begin: pd.Series | None = None,
    marker: dict[str, Any],
    width: float,
) -> go.Bar:
    drawn = length.dropna()
    return go.Bar(
        name=name,
        orientation="h",
        x=drawn.tolist(),
        y=[-place for place in drawn.index],
        base=None if begin is None else begin[drawn.index].tolist(),
        width=width,
        marker=marker,
        hovertext=[said[place] for place in drawn.index],
        hovertemplate="%{hovertext}<extra></extra>",
    )


# --- words ----------------------------------------------------------------------------


def sentences(row: Any) -> list[str]:
    """Say the numbers of a row: the target, the stock, what is short, what is unknown."""
    target = f"target {alt_text.text_or_default(row['target'], 'unknown')} snapshots"
    several = row["images"] > 1
    said = [target + _unknown(row["no_target"] if several and pd.notna(row["target"]) else 0)]
    if pd.notna(row["stock"]):
        stock = f"stock {row['stock']}" + _unknown(row["no_stock"] if several else 0)
        said += [stock, *_short(row)]
        if row["beyond"]:
            said.append(f"{row['beyond']} beyond the target")
    else:
        said.append("stock unknown")
    return said


def _unknown(images: int) -> str:
    return f", unknown for {alt_text.count_images(images)}" if images else ""


def _short(row: Any) -> list[str]:
    if pd.isna(row["short"]):
        return []
    if not row["short"]:
        return ["no snapshot missing" if row["no_stock"] else "at its target"]
    of = f" in {alt_text.count_images(row['below'])}" if row["images"] > 1 else ""
    filling = alt_text.text_or_default(row["filling"], "an unknown number")
    return [f"{row['short']} below target{of}", f"of these up to {filling} {_FILLING}"]
