"""The capacity chart: how many snapshots are to be kept, how many may be prepared at once."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import look, words
from fastlaunch_nb.frame import KEY, fit_to_show, image_labels

_TARGET, _PARALLEL = "#0072b2", "#e69f00"


def capacity(images: pd.DataFrame) -> go.Figure:
    """Draw how many snapshots each image is to keep, and how many it may prepare at once.

    Parameters
    ----------
    images : pandas.DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`.
        Columns ``image_name`` and ``account_name``, where they are there, are
        shown instead of ids.

    Returns
    -------
    plotly.graph_objects.Figure
        A row an image, the largest target on top: a bar for
        ``target_resource_count``, a diamond for ``max_parallel_launches``.
        A number that AWS does not give is said to be unknown, never drawn as 0.

    Raises
    ------
    InputError
        It is no frame of images.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> [trace.name for trace in fl.capacity(images).data]
    ['target snapshots', 'max parallel launches']
    """
    images = fit_to_show(images, *KEY, "target_resource_count", "max_parallel_launches")
    if images.empty:
        return look.empty("capacity", images)
    rows = images.assign(_label=image_labels(images)).sort_values(
        ["target_resource_count", "_label", *KEY],
        ascending=[False, True, True, True, True],
        na_position="last",
    )
    said = [_words(row) for row in rows.to_dict("records")]
    legend = [
        look.in_legend(_TARGET, "■", "target snapshots"),
        look.in_legend(_PARALLEL, "◆", "max parallel launches"),
    ]
    figure = look.blank(_title(rows), words.images(len(rows)), rows, rows=len(rows), legend=legend)
    figure.add_trace(
        _counts(rows["target_resource_count"], said, go.Bar, "target snapshots",
                orientation="h", width=0.62, marker={"color": _TARGET, "line": {"width": 0}})
    )  # fmt: skip
    figure.add_trace(
        _counts(rows["max_parallel_launches"], said, go.Scatter, "max parallel launches",
                mode="markers", marker=_diamond(roomy=look.roomy(figure, len(rows))))
    )  # fmt: skip
    look.name_rows(figure, look.row_labels(rows))
    largest = rows[["target_resource_count", "max_parallel_launches"]].max().max()
    end = 1.0 if pd.isna(largest) else round(float(largest) * 1.06, 2)
    figure.update_xaxes(title="snapshots · launches", range=[0, end])
    _say_unknown(figure, rows, end)
    words.remember(figure, said)
    return figure


def _diamond(*, roomy: bool) -> dict[str, Any]:
    line = {"color": "white", "width": 1 if roomy else 0}
    return {"color": _PARALLEL, "symbol": "diamond", "size": 9 if roomy else 5, "line": line}


def _title(rows: pd.DataFrame) -> str:
    targets = rows["target_resource_count"]
    known, unknown = targets.count(), targets.isna().sum()
    if not known:
        return f"Target unknown for {words.images(unknown)}"
    title = f"Target: {targets.sum()} snapshots for {words.images(known)}"
    return title + (f", unknown for {unknown}" if unknown else "")


def _say_unknown(figure: go.Figure, rows: pd.DataFrame, end: float) -> None:
    """Say of each row without a target that it has none: no bar stands for that.

    In the row itself, on that side of its diamond where there is more room, at any
    width. Where rows are too tight for words, once for all of them, in the margin:
    they are the last.
    """
    unknown = [place for place, target in enumerate(rows["target_resource_count"].isna()) if target]
    if unknown and not look.roomy(figure, len(rows)):
        _say_in_margin(figure, unknown)
        return
    for place in unknown:
        parallel = rows["max_parallel_launches"].iloc[place]
        x = 0.0 if pd.isna(parallel) else float(parallel)
        after = x <= end / 2
        figure.add_annotation(
            text="<i>target unknown</i>", font={"size": 11}, showarrow=False,
            x=x, xanchor="left" if after else "right", xshift=9 if after else -9, y=-place,
        )  # fmt: skip


def _say_in_margin(figure: go.Figure, unknown: list[int]) -> None:
    """Draw a line beside the last rows, and words that go up along it."""
    last = -unknown[-1] - 0.5
    beside = {"xref": "paper", "x0": 1.0, "x1": 1.0, "y0": -unknown[0] + 0.5, "y1": last}
    figure.add_shape(type="line", line={"color": look.GREY, "width": 2}, **beside)
    figure.update_layout(margin_r=30)
    figure.add_annotation(
        text=f"<i>target unknown for {words.images(len(unknown))}</i>", font={"size": 11},
        textangle=-90, showarrow=False,
        x=1, xref="paper", xanchor="left", xshift=4, y=last, yanchor="bottom",
    )  # fmt: skip


def _counts(values: pd.Series, said: list[str], kind: Any, name: str, **drawn: Any) -> Any:
    known = [position for position, value in enumerate(values) if pd.notna(value)]
    return kind(
        name=name,
        x=[int(values.iloc[position]) for position in known],
        y=[-position for position in known],
        hovertext=[said[position] for position in known],
        hovertemplate="%{hovertext}<extra></extra>",
        **drawn,
    )


def _words(row: dict[Any, Any]) -> str:
    return words.hover(
        row,
        f"target {words.safe(row['target_resource_count'], 'unknown')} snapshots",
        f"at most {words.safe(row['max_parallel_launches'], 'unknown')} parallel launches",
        f"state {words.safe(row.get('state'), 'unknown')}",
    )
