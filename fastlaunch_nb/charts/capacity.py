"""The capacity chart: how many snapshots are in stock, and how many are to be."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, capacity_bars, row_order, style
from fastlaunch_nb.charts.alt_text import Line, RowText
from fastlaunch_nb.charts.capacity_data import BY, CapacityRows, capacity_rows
from fastlaunch_nb.charts.capacity_over_time import capacity_over_time
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_time
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.validation import validate_columns

_MOST: Final = 50  # rows
_MOST_PANELS: Final = 6
_OTHERS: Final = 16  # pixels that words need for a row of their own


def capacity(
    images: pd.DataFrame,
    *,
    by: str = "image",
    top: int | None = None,
    metrics: pd.DataFrame | None = None,
) -> go.Figure:
    """Draw how many snapshots are in stock, of how many that are to be.

    Parameters
    ----------
    images : pandas.DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`.
        It knows the stock where it has a column ``available_snapshots``, or
        ``snapshots`` and ``snapshots_pending``. Columns ``image_name`` and
        ``account_name``, where they are there, are shown instead of ids.
    by : {"image", "account", "region", "template"}, default "image"
        Of what there is a row each. Templates go by their names, whatever
        account and region they are in.
    top : int, optional
        How many rows there are, or panels over time; else 50 rows, or 6 panels. All
        that is left is told as others: in one more row, or under the title.
    metrics : pandas.DataFrame, optional
        CloudWatch's numbers of these images over time: the columns of
        ``fastlaunch_nb.metrics``. With them there is a panel an image.

    Returns
    -------
    plotly.graph_objects.Figure
        A row an image, or a group of them; those that lack the most snapshots on
        top, then those of which nobody knows. A wide bar is the target; in it stands
        what is in stock, what is being filled (as many as ``max_parallel_launches`` lets at
        once, unless it has failed), and what is missing. Without any stock it
        is the targets, with a diamond for ``max_parallel_launches``. With metrics it is
        the stock over time in UTC, the target of now, and below the launches, those
        marked that were cold; the most of these on top. A number that AWS does not
        give is said to be unknown, never drawn as 0.

    Raises
    ------
    InputError
        It is no frame of images, `by` is none of these, `top` no whole number above 0,
        `metrics` are none, or given where rows are groups.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> [trace.name for trace in fl.capacity(images).data]
    ['target snapshots', 'max parallel launches']
    >>> print(fl.text(fl.capacity(images.assign(available_snapshots=3))).splitlines()[0])
    Stock: 3 of 10 snapshots, 1 image below target
    """
    row_order.check_choice("by", by, BY)
    _check_top(top)
    images = validate_columns(
        "images", images, *KEY, "target_resource_count", "max_parallel_launches"
    )
    if metrics is not None:
        if by != "image":
            raise InputError(f"by is {by!r}. Expected 'image': with metrics a panel is an image.")
        return capacity_over_time(images, metrics, top or _MOST_PANELS)
    if images.empty:
        return style.empty_figure("capacity", images)
    return _bullets(images, by, top or _MOST)


def _check_top(top: Any) -> None:
    whole = isinstance(top, int) and not isinstance(top, bool)
    if top is not None and not (whole and top > 0):
        raise InputError(f"top is {top!r}. Expected how many rows: a whole number above 0.")


def _bullets(images: pd.DataFrame, by: str, top: int) -> go.Figure:
    there = capacity_rows(images, by, top)
    texts = [_words(there, place) for place in there.rows.index]
    said = [alt_text.draw_row(text) for text in texts]
    rows = len(there.rows)
    figure = style.base_figure(
        _title(there), _under(there, by), images,
        rows=rows + (there.left > 0), legend=capacity_bars.legend(there),
    )  # fmt: skip
    roomy = style.has_room(figure, rows)
    figure.add_trace(capacity_bars.target_trace(there, said, roomy=roomy))
    figure.add_traces(capacity_bars.traces(there, said))
    if not there.told:
        figure.add_trace(capacity_bars.parallel_trace(there, said, roomy=roomy))
    style.name_rows(figure, _labels(there), total=rows)
    last = max(map(float, capacity_bars.ends(there)), default=0.0)
    end = round(last * (1.02 if there.told else 1.06), 2) or 1.0
    figure.update_xaxes(title="snapshots" if there.told else "snapshots · launches", range=[0, end])
    if there.told and roomy:
        capacity_bars.write_numbers(figure, there)
    _say_unknown(figure, there, end)
    if there.left:
        texts.append(_say_others(figure, there, by))
    alt_text.attach_rows(figure, texts)
    if by == "image":
        alt_text.attach_images(figure, -there.images.index, there.images)
    return figure


# --- words ----------------------------------------------------------------------------


def _title(there: CapacityRows) -> str:
    whole = there.whole
    known = whole["images"] - whole["no_target"]
    if not known:
        return f"Target unknown for {alt_text.count_images(whole['no_target'])}"
    if not there.told or pd.isna(whole["within"]):
        target = f"Target: {whole['target']:,} snapshots for {alt_text.count_images(known)}"
        return f"{target}, stock unknown"
    of = whole["within"] + whole["short"]
    below = (
        f"{alt_text.count_images(whole['below'])} below target"
        if whole["below"]
        else "none missing"
    )
    return f"Stock: {whole['within']:,} of {of:,} snapshots, {below}"


def _under(there: CapacityRows, by: str) -> list[Line]:
    whole = there.whole
    said = [alt_text.count_images(whole["images"])]
    if by != "image":
        said[0] += f" by {by}"
    unknown = {"stock": whole["no_stock"] if there.told else 0, "target": whole["no_target"]}
    said += [f"{name} unknown for {count:,}" for name, count in unknown.items() if count]
    if there.left:
        said.append(f"{len(there.rows):,} of {len(there.rows) + there.left:,} rows are drawn")
    return [said]


def _labels(there: CapacityRows) -> list[str]:
    if not there.names:
        return style.row_labels(there.images)
    short = alt_text.shorten_labels(there.names)
    return [short[name] for name in there.names]


def _words(there: CapacityRows, place: int) -> RowText:
    row = there.rows.loc[place].to_dict()
    if there.names:
        head = [alt_text.text_or_default(there.names[place]), alt_text.count_images(row["images"])]
        return [[line] for line in (*head, *capacity_bars.sentences(row), _at_once(row))]
    image = there.images.loc[place].to_dict()
    told = capacity_bars.sentences(row) if there.told else capacity_bars.sentences(row)[:1]
    state = f"state {alt_text.text_or_default(image.get('state'), 'unknown')}"
    return alt_text.row_text(image, *told, _at_once(row), *_of_metrics(image), state)


def _at_once(row: Any) -> str:
    return f"at most {alt_text.text_or_default(row['parallel'], 'unknown')} parallel launches"


def _of_metrics(image: dict[Any, Any]) -> list[str]:
    """Say what was joined of CloudWatch's numbers, as far as it is known."""
    counts = {"fast_launches": "fast launches", "cold_launches": "cold launches"}
    times = {"available_snapshots_time": "stock seen", "below_target_since": "below target since"}
    return [
        *(f"{image[name]} {said}" for name, said in counts.items() if _known(image, name)),
        *(
            f"{said} {format_time(image[name])}"
            for name, said in times.items()
            if _known(image, name)
        ),
    ]


def _known(image: dict[Any, Any], name: str) -> bool:
    return not alt_text.is_missing(image.get(name))


# --- what is left, and what is unknown ------------------------------------------------


def _say_others(figure: go.Figure, there: CapacityRows, by: str) -> RowText:
    """Say in a row of its own what is left: a bar of their sum would dwarf all that are drawn."""
    row, rows = there.others.to_dict(), len(there.rows)
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    taken = max(1.0, rows * _OTHERS / max(1, inside - _OTHERS))
    figure.update_yaxes(range=[-rows - taken + 0.4, 0.6])
    held = f"{capacity_bars.held(row)} of" if there.told else "target"
    figure.add_annotation(
        text=f"<i>{there.left:,} others: {held} {capacity_bars.wanted(row)}</i>",
        font={"size": 11}, showarrow=False,
        x=0, xanchor="left", xshift=2, y=-rows - taken / 2 + 0.5, yanchor="middle",
    )  # fmt: skip
    images = [] if by == "image" else [alt_text.count_images(row["images"])]
    lines = [f"{there.left:,} others", *images, *capacity_bars.sentences(row), _at_once(row)]
    return [[line] for line in lines]


def _say_unknown(figure: go.Figure, there: CapacityRows, end: float) -> None:
    """Say of each row without a target that it has none: no bar stands for that.

    In the row itself, on that side of what it has where there is more room, at any
    width. Where rows are too tight for words, once for all of them, in the margin:
    they are the last.
    """
    unknown = [int(place) for place in there.rows.index[there.rows["target"].isna()]]
    if unknown and not style.has_room(figure, len(there.rows)):
        _say_in_margin(figure, unknown)
        return
    ends = capacity_bars.ends(there)
    for place in unknown:
        x = float(ends[place])
        after = x <= end / 2
        figure.add_annotation(
            text="<i>target unknown</i>", font={"size": 11}, showarrow=False,
            x=x, xanchor="left" if after else "right", xshift=9 if after else -9, y=-place,
        )  # fmt: skip


def _say_in_margin(figure: go.Figure, unknown: list[int]) -> None:
    """Draw a line beside the last rows, and words that go up along it."""
    last = -unknown[-1] - 0.5
    beside = {"xref": "paper", "x0": 1.0, "x1": 1.0, "y0": -unknown[0] + 0.5, "y1": last}
    figure.add_shape(type="line", line={"color": style.GREY, "width": 2}, **beside)
    figure.update_layout(margin_r=30)
    figure.add_annotation(
        text=f"<i>target unknown for {alt_text.count_images(len(unknown))}</i>", font={"size": 11},
        textangle=-90, showarrow=False,
        x=1, xref="paper", xanchor="left", xshift=4, y=last, yanchor="bottom",
    )  # fmt: skip
