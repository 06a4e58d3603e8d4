"""The capacity chart: the stock of snapshots and its target, for each image or group."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.charts import alt_text, capacity_bars, markup, row_order, style
from fastlaunch_nb.charts.capacity_data import BY, CapacityRows, make_capacity_rows
from fastlaunch_nb.charts.capacity_over_time import capacity_over_time
from fastlaunch_nb.charts.markup import Line, RowText
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_count, format_time
from fastlaunch_nb.number_checks import parse_count
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.validation import validate_columns

_MAX_ROWS: Final = 50
_MAX_PANELS: Final = 6
_TEXT_HEIGHT: Final = 16  # pixels of a row with text only


def capacity(
    images: IntoDataFrame,
    *,
    by: str = "image",
    top: int | None = None,
    metrics: IntoDataFrame | None = None,
) -> go.Figure:
    """Draw the stock of snapshots against the target count, in a row for each image or group.

    Parameters
    ----------
    images : DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or ``describe``. The stock is its column
        ``available_snapshots``, or else ``snapshots`` minus ``snapshots_pending``. Labels use
        the columns ``image_name`` and ``account_name`` instead of ids if they exist.
    by : {"image", "account", "region", "template"}, default "image"
        What each row is. Templates with the same name share a row in any account and region.
    top : int, optional
        The maximum of rows, by default 50, or of panels over time, by default 6. One more
        row, or the subtitle, adds up the others.
    metrics : DataFrame, optional
        CloudWatch metrics of these images: the columns of ``fastlaunch_nb.metrics``.
        With them there is a panel over time for each image.

    Returns
    -------
    plotly.graph_objects.Figure
        Rows that lack the most snapshots are on top, those with an unknown stock or target
        last. A wide bar is the target. Inside it are the stock, the snapshots being filled
        (at most ``max_parallel_launches``, none after a failure), and those missing. If no
        stock is known, only targets are drawn, with a diamond for
        ``max_parallel_launches``. Panels over time have the stock, the current target and
        below them the launches, with a mark on cold ones; times are in UTC, and the most cold
        launches are on top. A number that AWS does not return is unknown, never drawn as 0.

    Raises
    ------
    InputError
        If `images` is no frame of images, `by` is none of these, `top` is no whole number
        above 0, or `metrics` is no frame of metrics or `by` is not "image" with it.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> [trace.name for trace in fl.capacity(images).data]
    ['target snapshots', 'max parallel launches']
    >>> print(fl.alt_text(fl.capacity(images.assign(available_snapshots=3))).splitlines()[0])
    Stock: 3 of 10 snapshots, 1 image below target
    """
    row_order.check_choice("by", by, BY)
    if top is not None:
        top = parse_count("top", top, least=1)
    images = validate_columns(
        "images", images, *KEY, "target_resource_count", "max_parallel_launches"
    )
    if metrics is not None:
        if by != "image":
            raise InputError(f"by is {by!r}. Expected 'image': with metrics, a panel is an image.")
        return capacity_over_time(images, metrics, top or _MAX_PANELS)
    if images.empty:
        return style.empty_figure("capacity", images)
    return _draw_rows(make_capacity_rows(images, by, top or _MAX_ROWS), images, by)


def _draw_rows(rows: CapacityRows, images: pd.DataFrame, by: str) -> go.Figure:
    count = len(rows.numbers)
    figure = style.base_figure(
        _write_title(rows),
        _write_subtitle(rows, by),
        images,
        rows=count + (rows.other_count > 0),
        legend=capacity_bars.legend_entries(rows),
    )
    has_room = style.has_room(figure, count)
    row_texts = [_describe_row(rows, row) for row in range(count)]
    hover = [markup.draw_row(text) for text in row_texts]
    figure.add_traces(capacity_bars.bar_traces(rows, hover, has_room=has_room))
    labels = alt_text.shorten_labels(rows.names) or style.row_labels(rows.images)
    style.name_rows(figure, labels)
    title, space = ("snapshots", 1.02) if rows.has_stock else ("snapshots · launches", 1.06)
    end = round(float(capacity_bars.bar_ends(rows).max()) * space, 2) or 1.0
    figure.update_xaxes(title=title, range=[0, end])
    if rows.has_stock and has_room:
        capacity_bars.add_bar_labels(figure, rows)
    _note_unknown_targets(figure, rows, end, has_room=has_room)
    if rows.other_count:
        row_texts.append(_add_others_row(figure, rows, by))
    alt_text.attach_rows(figure, row_texts)
    if by == "image":
        alt_text.attach_images(figure, -rows.images.index, rows.images)
    return figure


# --- text -----------------------------------------------------------------------------


def _write_title(rows: CapacityRows) -> str:
    total = rows.total
    known = total["images"] - total["no_target"]
    if not known:
        return f"Target unknown for {format_count(total['no_target'])}"
    if pd.isna(total["in_target"]):
        images = format_count(known)
        return f"Target: {total['target']:,} snapshots for {images}, stock unknown"
    target = int(total["in_target"]) + int(total["missing"])
    below = f"{format_count(total['below'])} below target" if total["below"] else "none missing"
    return f"Stock: {total['in_target']:,} of {target:,} snapshots, {below}"


def _write_subtitle(rows: CapacityRows, by: str) -> list[Line]:
    total, count = rows.total, len(rows.numbers)
    parts = [format_count(total["images"]) + ("" if by == "image" else f" by {by}")]
    unknown = {"stock": total["no_stock"] if rows.has_stock else 0, "target": total["no_target"]}
    parts += [f"{name} unknown for {images:,}" for name, images in unknown.items() if images]
    if rows.other_count:
        parts.append(f"{count:,} of {count + rows.other_count:,} rows are drawn")
    return [parts]


def _describe_row(rows: CapacityRows, row: int) -> RowText:
    numbers = rows.numbers.loc[row].to_dict()
    if rows.names:
        heading = [alt_text.text_or_default(rows.names[row]), format_count(numbers["images"])]
        return [[line] for line in (*heading, *_describe_numbers(numbers))]
    image = rows.images.loc[row].to_dict()
    state = f"state {alt_text.text_or_default(image.get('state'), 'unknown')}"
    lines = _describe_numbers(numbers, with_stock=rows.has_stock)
    return alt_text.row_text(image, *lines, *_describe_metrics(image), state)


def _describe_numbers(row: dict[Any, Any], *, with_stock: bool = True) -> list[str]:
    """Describe the target, the stock, their difference and the parallel launches of a row."""
    parallel = f"at most {row['parallel']} parallel launches"
    return [
        _describe_count(row, "target"),
        *([_describe_count(row, "stock")] if with_stock else []),
        *_describe_difference(row),
        parallel if pd.notna(row["parallel"]) else "max parallel launches unknown",
    ]


def _describe_count(row: dict[Any, Any], column: str) -> str:
    """Describe the target or stock of a row, and for how many images of a group it is unknown."""
    count, unknown = row[column], row[f"no_{column}"]
    if pd.isna(count):
        return f"{column} unknown"
    noun = f" snapshot{'s' * (count != 1)}" if column == "target" else ""
    images = f", unknown for {format_count(unknown)}" if unknown else ""
    return f"{column} {count}{noun}{images}"


def _describe_difference(row: dict[Any, Any]) -> list[str]:
    """Describe the snapshots missing from the target and beyond it, as far as they are known."""
    missing, excess = row["missing"], row["excess"]
    lines = []
    if pd.notna(missing) and missing > 0:
        images = f" in {format_count(row['below'])}" if row["images"] > 1 else ""
        filling = "an unknown number" if pd.isna(row["filling"]) else f"up to {row['filling']}"
        lines = [f"{missing} below target{images}", f"{filling} of these being filled"]
    elif pd.notna(missing):
        lines = ["no snapshot missing" if row["no_stock"] else "at its target"]
    if pd.notna(excess) and excess > 0:
        lines.append(f"{excess} beyond the target")
    return lines


def _describe_metrics(image: dict[Any, Any]) -> list[str]:
    """Describe the columns from CloudWatch that exist and are not null."""
    texts = {
        "fast_launches": "{} fast launches",
        "cold_launches": "{} cold launches",
        "available_snapshots_time": "stock as of {}",
        "below_target_since": "below target since {}",
    }
    known = {name: image[name] for name in texts if not alt_text.is_missing(image.get(name))}
    return [
        texts[name].format(format_time(value) if isinstance(value, pd.Timestamp) else value)
        for name, value in known.items()
    ]


# --- other rows and unknown targets ---------------------------------------------------


def _add_others_row(figure: go.Figure, rows: CapacityRows, by: str) -> RowText:
    """Add a row of text for the other rows, because a bar of their sum would dwarf all bars."""
    others, count = rows.others.to_dict(), len(rows.numbers)
    height = max(1, style.plot_height(figure) - _TEXT_HEIGHT)
    taken = max(1.0, count * _TEXT_HEIGHT / height)
    figure.update_yaxes(range=[-count - taken + 0.4, 0.6])
    heading = f"{rows.other_count:,} others"
    stock = f"{capacity_bars.format_snapshots(others, 'stock')} of" if rows.has_stock else "target"
    text = f"{heading}: {stock} {capacity_bars.format_snapshots(others, 'target')}"
    y = -count - taken / 2 + 0.5
    _add_note(figure, text, x=0, xanchor="left", xshift=2, y=y, yanchor="middle")
    images = [] if by == "image" else [format_count(others["images"])]
    return [[line] for line in (heading, *images, *_describe_numbers(others))]


def _note_unknown_targets(
    figure: go.Figure, rows: CapacityRows, end: float, *, has_room: bool
) -> None:
    """Write "target unknown" in each row without a target, where there is more room.

    If rows are too low for text, write it once, along a line in the margin of these last rows.
    """
    unknown = rows.numbers.index[rows.numbers["target"].isna()]
    if len(unknown) and not has_room:
        line = {"color": style.GREY, "width": 2}
        y = {"y0": -unknown[0] + 0.5, "y1": -unknown[-1] - 0.5}
        figure.add_shape(type="line", line=line, xref="paper", x0=1.0, x1=1.0, **y)
        figure.update_layout(margin_r=30)
        corner = {"x": 1, "xref": "paper", "xanchor": "left", "y": y["y1"], "yanchor": "bottom"}
        text = f"target unknown for {format_count(len(unknown))}"
        _add_note(figure, text, textangle=-90, xshift=4, **corner)
        return
    ends = capacity_bars.bar_ends(rows)[unknown].astype(float)
    for row, x in zip(unknown, ends, strict=True):
        anchor, shift = ("left", 9) if x <= end / 2 else ("right", -9)
        _add_note(figure, "target unknown", x=x, xanchor=anchor, xshift=shift, y=-row)


def _add_note(figure: go.Figure, text: str, **position: Any) -> None:
    figure.add_annotation(text=f"<i>{text}</i>", font={"size": 11}, showarrow=False, **position)
