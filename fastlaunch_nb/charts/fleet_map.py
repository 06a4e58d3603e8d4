"""The fleet map: the number of images in each account and region, and failed scans."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry, RowText
from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.schema.columns import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    NOT_OPTED_IN,
    PARTIAL,
    STATUSES,
)
from fastlaunch_nb.validation import validate_columns


class _TileStyle(NamedTuple):
    """The colour of a tile, and the format and colour of its number or mark."""

    colour: str
    mark: str
    text_colour: str | None = None  # None lets plotly choose a contrast


_FEW, _MANY = "#a6d3f0", "#08528c"
_SOME, _NONE = "some images", "no images"  # the kinds of complete scans
_TILES = {
    _SOME: _TileStyle(_FEW, "{}"),
    _NONE: _TileStyle("rgba(128,128,128,0.16)", "0", style.GREY),
    PARTIAL: _TileStyle("#e69f00", "{}+"),
    FAILED: _TileStyle("#d55e00", "×", "white"),
    INTERRUPTED: _TileStyle("#cc79a7", "?"),
    NOT_OPTED_IN: _TileStyle("rgba(128,128,128,0.06)", "–", style.GREY),
}
# All in pixels; the last two are the room below the tiles for region names:
_ROW_HEIGHT, _MAX_HEIGHT, _FLAT_MARGIN, _SLANTED_MARGIN = 26, 1400, 44, 100
_MAX_FLAT_NAMES: Final = 4  # more regions have slanted names
_MAX_MARKED_ROWS: Final = 60  # more rows are too low for marks and for a name each
_MAX_LARGE_COLUMNS: Final = 10  # more columns are too narrow for large marks
_NEEDED = ("account_id", "account_name", "region", "status", "error_code", "rows")


def fleet_map(coverage: IntoDataFrame) -> go.Figure:
    r"""Draw the number of images in each account and region, and the scans that failed.

    Parameters
    ----------
    coverage : DataFrame
        The coverage of a :class:`fastlaunch_nb.Sweep`.

    Returns
    -------
    plotly.graph_objects.Figure
        A row for each account and a column for each region, those with the most images
        first; a darker tile has more. Failed, partial and interrupted scans and regions that
        are not opted in have their own marks: what is in such a region is unknown and billed
        on. The subtitle counts them, and the accounts and regions that are not drawn, because
        no image and no failure was seen there.

    Raises
    ------
    InputError
        If `coverage` is no coverage.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     swept = fl.sweep(fl.targets(profiles=demo.accounts.values()), regions=demo.regions)
    >>> print(fl.alt_text(fl.fleet_map(swept.coverage)).partition("\n- ")[2])
    build-farm, ap-southeast-2: 8 images, eu-west-1: 8 images, us-east-1: 8 images
    - game-servers, ap-southeast-2: 6 images, eu-west-1: 6 images, us-east-1: 6 images
    """
    coverage = validate_columns("coverage", coverage, *_NEEDED)
    scans = _prepare_scans(coverage)
    relevant = scans[scans["_kind"].isin([_SOME, PARTIAL, FAILED, INTERRUPTED])]
    accounts, regions = (_sort_by_images(relevant, name) for name in ("_account", "_region"))
    subtitle = [_count_complete(scans), *_count_not_opted_in(scans)]
    if not accounts:
        message = (_make_title(scans), " · ".join(subtitle))
        return style.empty_figure("fleet_map", coverage, message)
    for noun, drawn in (("account", accounts), ("region", regions)):
        if omitted := scans[f"_{noun}"].nunique() - len(drawn):
            subtitle.append(f"{format_count(omitted, noun)} not drawn, as no image was seen there")
    drawn_scans = scans[scans["_account"].isin(accounts) & scans["_region"].isin(regions)]
    legend, rows = _make_legend({*drawn_scans["status"]}), len(accounts)
    figure = style.base_figure(_make_title(scans), [subtitle], coverage, rows=rows, legend=legend)
    for kind in _TILES:
        if (drawn_scans["_kind"] == kind).any():
            figure.add_trace(_tile_trace(drawn_scans, kind, accounts, regions))
    _label_axes(figure, accounts, regions)
    texts = [_describe_account(drawn_scans, account, regions) for account in accounts]
    alt_text.attach_rows(figure, texts)
    return figure


def _prepare_scans(rows: pd.DataFrame) -> pd.DataFrame:
    """Add columns for the account's label, the region's label, the count and the kind of tile."""
    counts, status = rows["rows"].fillna(0).astype(int), rows["status"].astype(object)
    return rows.assign(
        _account=_label_accounts(rows),
        _region=rows["region"].fillna("regions not listed").astype(object),
        _rows=counts,
        _kind=status.mask(status == COMPLETE, np.where(counts > 0, _SOME, _NONE)),
    ).drop_duplicates(["_account", "_region"])


def _label_accounts(coverage: pd.DataFrame) -> pd.Series:
    """Return the account's name for each row, with the id if accounts share the name."""
    ids = coverage["account_id"].fillna("unknown account")
    names = coverage["account_name"].fillna(ids)
    is_shared = ids.groupby(names).transform("nunique") > 1
    return names.where(~is_shared, names + " · " + ids).astype(object)


def _sort_by_images(scans: pd.DataFrame, column: str) -> list[str]:
    """Return accounts or regions, the most images first, then by name."""
    images = scans.groupby(column)["_rows"].sum()
    return sorted(images.index, key=lambda name: (-images[name], name))


# --- text -----------------------------------------------------------------------------


def _make_title(scans: pd.DataFrame) -> str:
    with_images = scans[scans["_rows"] > 0]
    if with_images.empty:
        was_read = scans["status"].isin([COMPLETE, PARTIAL])
        if was_read.all():
            return "No image in any account and region"
        return "No image in what could be read" if was_read.any() else "Nothing could be read"
    images = format_count(int(with_images["_rows"].sum()))
    accounts = format_count(with_images["_account"].nunique(), "account")
    regions = format_count(with_images["_region"].nunique(), "region")
    return f"{images} in {accounts} and {regions}"


def _count_complete(scans: pd.DataFrame) -> str:
    statuses = scans["status"][scans["status"] != NOT_OPTED_IN]
    return f"{(statuses == COMPLETE).sum():,} of {len(statuses):,} reads are complete"


def _count_not_opted_in(scans: pd.DataFrame) -> list[str]:
    count = int((scans["status"] == NOT_OPTED_IN).sum())
    return [f"{count:,} more not opted in: unknown"] * bool(count)


def _make_legend(statuses: set[str]) -> list[LegendEntry]:
    entries = [
        LegendEntry(_FEW, "■", ["few images"]),
        LegendEntry(_MANY, "■", ["many"]),
        LegendEntry(style.GREY, "0", ["none"]),
    ]
    for status, tile in _TILES.items():
        if status in statuses:
            colour = style.GREY if tile.text_colour == style.GREY else tile.colour
            entries.append(LegendEntry(colour, tile.mark[-1], [status]))
    return entries


def _describe_account(scans: pd.DataFrame, account: str, regions: list[str]) -> RowText:
    records = scans[scans["_account"] == account].to_dict("records")
    by_region = {record["_region"]: _describe_scan(record) for record in records}
    lines = [f"{region}: {by_region[region]}" for region in regions if region in by_region]
    return [[account], *([line] for line in lines)]


def _describe_scan(scan: dict[Any, Any]) -> str:
    images = format_count(scan["_rows"])
    if scan["status"] == COMPLETE:
        return images
    error = "" if alt_text.is_missing(scan["error_code"]) else f" ({scan['error_code']})"
    count = f"{images}, " if scan["_rows"] else ""
    return f"{count}{scan['status']}{error}"


# --- tiles and axes -------------------------------------------------------------------


def _tile_trace(
    scans: pd.DataFrame, kind: str, accounts: list[str], regions: list[str]
) -> go.Heatmap:
    """Return the tiles of one kind; all other cells are empty."""
    tile, scans = _TILES[kind], scans[scans["_kind"] == kind]
    has_marks = len(accounts) <= _MAX_MARKED_ROWS
    size = 12 if len(regions) <= _MAX_LARGE_COLUMNS else 10
    marks = [tile.mark.format(f"{count:,}") for count in scans["_rows"]]
    explanation = [] if kind in {_SOME, _NONE} else [STATUSES.get(kind, "")]
    hover_labels = [
        alt_text.draw_row(alt_text.row_text(scan, _describe_scan(scan), *explanation))
        for scan in scans.to_dict("records")
    ]

    def make_grid(values: Any, default: str | None) -> list[list[Any]]:
        table = scans.assign(value=pd.Series([*values], index=scans.index, dtype=object))
        grid = table.pivot(index="_account", columns="_region", values="value")
        grid = grid.reindex(index=accounts, columns=regions).astype(object)
        return list(grid.where(grid.notna(), default).to_numpy().tolist())

    trace = go.Heatmap(
        z=make_grid(scans["_rows"], None),
        text=make_grid(marks, ""),
        texttemplate="%{text}" if has_marks else None,
        textfont={"size": size, "color": tile.text_colour},
        hovertext=make_grid(hover_labels, ""),
        hovertemplate=style.HOVER,
        colorscale=[[0, tile.colour], [1, tile.colour]],
        showscale=False,
        hoverongaps=False,
        xgap=2,
        ygap=2 if has_marks else 0,
    )
    if kind == _SOME:
        darkest = max(2, int(scans["_rows"].max()))
        trace.update(colorscale=[[0, _FEW], [1, _MANY]], zmin=1, zmax=darkest)
    return trace


def _label_axes(figure: go.Figure, accounts: list[str], regions: list[str]) -> None:
    labels = alt_text.shorten_labels(accounts)
    rows = range(0, len(labels), -(-len(labels) // _MAX_MARKED_ROWS))
    is_slanted = len(regions) > _MAX_FLAT_NAMES
    bottom = _SLANTED_MARGIN if is_slanted else _FLAT_MARGIN
    height = min(_ROW_HEIGHT, _MAX_HEIGHT / len(labels)) * len(labels)
    figure.update_layout(
        height=figure.layout.margin.t + height + bottom,
        margin={"b": bottom, "l": 16 + round(6.6 * max(map(len, labels)))},
    )
    figure.update_yaxes(
        range=[len(labels) - 0.5, -0.5],
        tickvals=list(rows),
        ticktext=[alt_text.escape_markup(labels[row]) for row in rows],
    )
    figure.update_xaxes(
        range=[-0.5, len(regions) - 0.5],
        tickvals=list(range(len(regions))),
        ticktext=[alt_text.escape_markup(region) for region in regions],
        tickangle=-45 if is_slanted else 0,
        showgrid=False,
        nticks=None,
    )
