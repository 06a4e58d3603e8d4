"""The fleet map: the number of images in each account and region, and failed scans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.charts import alt_text, markup, style
from fastlaunch_nb.charts.markup import LegendEntry
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
_EXPLANATIONS = {kind: STATUSES[kind] for kind in (PARTIAL, FAILED, INTERRUPTED, NOT_OPTED_IN)}
# All in pixels; the last two are the room below the tiles for region names:
_ROW_HEIGHT, _MAX_HEIGHT, _FLAT_MARGIN, _SLANTED_MARGIN = 26, 1400, 44, 100
_MAX_FLAT_NAMES: Final = 4  # more regions have slanted names
_MAX_MARKED_ROWS: Final = 60  # more rows are too low for marks and for a name each
_MAX_LARGE_COLUMNS: Final = 10  # more columns are too narrow for large marks
_HOVER: Final = "<b>%{customdata} · %{x}</b><br>%{hovertext}<extra></extra>"
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
    tiles = _place_tiles(scans, accounts, regions)
    legend, shape = _make_legend({*tiles["status"]}), (len(accounts), len(regions))
    figure = style.base_figure(
        _make_title(scans), [subtitle], coverage, rows=len(accounts), legend=legend
    )
    figure.add_traces([*_make_traces(tiles, shape)])
    _label_axes(figure, accounts, regions)
    texts = zip(accounts, _make_grid(tiles, tiles["_text"], shape, None), strict=True)
    alt_text.attach_table(figure, regions, ([account, *row] for account, row in texts))
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


def _describe_scan(count: int, status: str, error_code: Any) -> str:
    images = format_count(count)
    if status == COMPLETE:
        return images
    error = "" if alt_text.is_missing(error_code) else f" ({error_code})"
    return f"{images}, {status}{error}" if count else f"{status}{error}"


# --- tiles and axes -------------------------------------------------------------------


def _place_tiles(scans: pd.DataFrame, accounts: list[str], regions: list[str]) -> pd.DataFrame:
    """Return the scans that have a tile, by row and column, with the text of each."""
    rows, columns = (
        pd.Index(names).get_indexer(pd.Index(scans[name]))
        for name, names in (("_account", accounts), ("_region", regions))
    )
    tiles = scans.assign(_row=rows, _column=columns)[(rows >= 0) & (columns >= 0)]
    values = zip(tiles["_rows"], tiles["status"], tiles["error_code"], strict=True)
    return tiles.assign(_text=[_describe_scan(*scan) for scan in values])


def _make_traces(tiles: pd.DataFrame, shape: tuple[int, int]) -> Iterator[go.Heatmap]:
    """Yield the tiles of each kind, which has marks of its own; without marks, all at once."""
    kinds = [kind for kind in _TILES if (tiles["_kind"] == kind).any()]
    if shape[0] > _MAX_MARKED_ROWS:
        yield _make_trace(tiles, kinds, shape)
        return
    size = 12 if shape[1] <= _MAX_LARGE_COLUMNS else 10
    for kind in kinds:
        tile, of_kind = _TILES[kind], tiles[tiles["_kind"] == kind]
        marks = [tile.mark.format(f"{count:,}") for count in of_kind["_rows"]]
        trace = _make_trace(of_kind, [kind], shape)
        yield trace.update(
            text=_make_grid(of_kind, marks, shape, ""),
            texttemplate="%{text}",
            textfont={"size": size, "color": tile.text_colour},
            ygap=2,
        )


def _make_trace(tiles: pd.DataFrame, kinds: list[str], shape: tuple[int, int]) -> go.Heatmap:
    """Return tiles of these kinds; all other cells are empty."""
    flat = [kind for kind in kinds if kind != _SOME]
    codes = {kind: number - len(flat) for number, kind in enumerate(flat)}  # all below 0
    counts, darkest = tiles["_rows"], max(2, int(tiles["_rows"].max()))
    colours = [(codes[kind] + end, _TILES[kind].colour) for kind in flat for end in (-0.5, 0.5)]
    if _SOME in kinds:
        colours += [(-0.5, _FEW)] * bool(flat) + [(1, _FEW), (darkest, _MANY)]
    least, most = colours[0][0], colours[-1][0]
    names = zip(tiles["account_name"], tiles["account_id"], strict=True)
    origins = [
        markup.draw_line([name for name in pair if not alt_text.is_missing(name)]) for pair in names
    ]
    hover = [
        "<br>".join(map(markup.escape_markup, filter(None, (text, _EXPLANATIONS.get(kind)))))
        for text, kind in zip(tiles["_text"], tiles["_kind"], strict=True)
    ]
    return go.Heatmap(
        z=_make_grid(tiles, tiles["_kind"].map(codes).fillna(counts).astype(int), shape, None),
        customdata=_make_grid(tiles, origins, shape, ""),
        hovertext=_make_grid(tiles, hover, shape, ""),
        hovertemplate=_HOVER,
        colorscale=[[(end - least) / (most - least), colour] for end, colour in colours],
        zmin=least,
        zmax=most,
        showscale=False,
        hoverongaps=False,
        xgap=2,
        ygap=0,
    )


def _make_grid(
    tiles: pd.DataFrame, values: Iterable[Any], shape: tuple[int, int], default: str | None
) -> list[list[Any]]:
    """Return a value for each row and column."""
    grid = np.full(shape, default, dtype=object)
    grid[tiles["_row"], tiles["_column"]] = [*values]
    rows: list[list[Any]] = grid.tolist()
    return rows


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
        ticktext=[markup.escape_markup(labels[row]) for row in rows],
    )
    figure.update_xaxes(
        range=[-0.5, len(regions) - 0.5],
        tickvals=list(range(len(regions))),
        ticktext=[markup.escape_markup(region) for region in regions],
        tickangle=-45 if is_slanted else 0,
        showgrid=False,
        nticks=None,
    )
