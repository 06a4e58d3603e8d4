"""The map of a fleet: how many images each account has in each region, and what is not known."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry, Line, RowText
from fastlaunch_nb.schema.columns import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    NOT_OPTED_IN,
    PARTIAL,
    STATUSES,
)
from fastlaunch_nb.validation import require_columns


class _Tile(NamedTuple):
    """How a kind of place is drawn: a colour, what is written on it, and in which colour."""

    colour: str
    mark: str
    ink: str | None = None  # None is what reads best on that colour


_FEW, _MANY = "#a6d3f0", "#08528c"
_SOME, _NONE = _Tile(_FEW, "{}"), _Tile("rgba(128,128,128,0.16)", "0", style.GREY)
_TILES = {
    PARTIAL: _Tile("#e69f00", "{}+"),
    FAILED: _Tile("#d55e00", "×", "white"),
    INTERRUPTED: _Tile("#cc79a7", "?"),
    NOT_OPTED_IN: _Tile("rgba(128,128,128,0.06)", "–", style.GREY),
}
_UNLISTED: Final = "regions not listed"
_UNTOLD: Final = "unknown account"
_ROW, _LEVEL, _SLANTED = 26, 44, 100  # pixels: of a row of tiles, and below for the regions' names
_LEGIBLE, _ROOMY = 60, 10  # rows of tiles with a number on each; columns with a large one
_FEW_REGIONS = 4  # whose names have room beside each other
_NEEDED = ("account_id", "account_name", "region", "status", "error_code", "rows")


def fleet_map(coverage: pd.DataFrame) -> go.Figure:
    r"""Draw how many images each account has in each region, and what could not be read.

    Parameters
    ----------
    coverage : pandas.DataFrame
        The coverage of a :class:`fastlaunch_nb.Sweep`.

    Returns
    -------
    plotly.graph_objects.Figure
        A row an account, a column a region, the most images first; the darker
        a tile, the more of them. What failed, broke off or is not opted in has
        a mark of its own. Accounts and regions with nothing to tell are counted,
        not drawn.

    Raises
    ------
    InputError
        It is no coverage.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     swept = fl.sweep(fl.targets(profiles=demo.accounts.values()), regions=demo.regions)
    >>> print(fl.text(fl.fleet_map(swept.coverage)).partition("\n- ")[2])
    build-farm, ap-southeast-2: 8 images, eu-west-1: 8 images, us-east-1: 8 images
    - game-servers, ap-southeast-2: 6 images, eu-west-1: 6 images, us-east-1: 6 images
    """
    places = _places(coverage)
    told = places[places["_rows"].gt(0) | places["status"].isin([PARTIAL, FAILED, INTERRUPTED])]
    if told.empty:
        why = ("No image in any account and region", _read(places))
        return style.empty_figure("fleet_map", coverage, why)
    accounts, regions = _ranked(told, "_account"), _ranked(told, "_region")
    shown = places[places["_account"].isin(accounts) & places["_region"].isin(regions)]
    figure = style.base_figure(
        _title(places), _under(places, accounts, regions), coverage,
        rows=len(accounts), legend=_legend(shown),
    )  # fmt: skip
    for trace in _tiles(shown, accounts, regions):
        figure.add_trace(trace)
    _name_places(figure, accounts, regions)
    alt_text.attach_rows(figure, [_row_words(shown, account, regions) for account in accounts])
    return figure


def _places(coverage: object) -> pd.DataFrame:
    rows = require_columns("coverage", coverage, *_NEEDED)
    return rows.assign(
        _account=_accounts(rows),
        _region=rows["region"].fillna(_UNLISTED).astype(object),
        _rows=rows["rows"].fillna(0).astype(int),
    ).drop_duplicates(["_account", "_region"])


def _accounts(coverage: pd.DataFrame) -> pd.Series:
    """Return each row's account by its name; by its id as well where two have the same name."""
    ids = coverage["account_id"].fillna(_UNTOLD)
    names = coverage["account_name"].fillna(ids)
    shared = ids.groupby(names).transform("nunique") > 1
    return names.where(~shared, names + " · " + ids).astype(object)


def _ranked(places: pd.DataFrame, by: str) -> list[str]:
    """Return accounts or regions, the most images first, then by name."""
    images = places.groupby(by)["_rows"].sum()
    return sorted(images.index, key=lambda name: (-images[name], name))


# --- words ----------------------------------------------------------------------------


def _title(places: pd.DataFrame) -> str:
    there = places[places["_rows"] > 0]
    if there.empty:  # and something has failed
        read = places["status"].isin([COMPLETE, PARTIAL]).any()
        return "No image in what could be read" if read else "Nothing could be read"
    accounts, regions = there["_account"].nunique(), there["_region"].nunique()
    images = alt_text.count_images(int(there["_rows"].sum()))
    return (
        f"{images} in {accounts} account{'s' * (accounts != 1)} "
        f"and {regions} region{'s' * (regions != 1)}"
    )


def _read(places: pd.DataFrame) -> str:
    """Say how complete it is."""
    asked = places[places["status"] != NOT_OPTED_IN]
    complete = (asked["status"] == COMPLETE).sum()
    return f"{complete:,} of {len(asked):,} reads are complete"


def _under(places: pd.DataFrame, accounts: list[str], regions: list[str]) -> list[Line]:
    parts = [_read(places)]
    for name, drawn in (("account", accounts), ("region", regions)):
        left_out = places[f"_{name}"].nunique() - len(drawn)
        if left_out:
            parts.append(f"{left_out:,} {name}{'s' * (left_out != 1)} without images not drawn")
    return [parts]


def _legend(shown: pd.DataFrame) -> list[LegendEntry]:
    present = set(shown["status"])
    return [
        LegendEntry(_FEW, "■", ["few images"]),
        LegendEntry(_MANY, "■", ["many"]),
        LegendEntry(style.GREY, "0", ["none"]),
        *(
            LegendEntry(
                tile.ink if tile.ink == style.GREY else tile.colour, tile.mark[-1], [status]
            )
            for status, tile in _TILES.items()
            if status in present
        ),
    ]


def _row_words(shown: pd.DataFrame, account: str, regions: list[str]) -> RowText:
    rows = shown[shown["_account"] == account].set_index("_region")
    said = [
        f"{region}: {_said(rows.loc[region].to_dict())}"
        for region in regions
        if region in rows.index
    ]
    return [[account], *([line] for line in said)]


def _said(row: dict[Any, Any]) -> str:
    images = alt_text.count_images(row["_rows"])
    if row["status"] == COMPLETE:
        return images
    why = "" if alt_text.is_missing(row["error_code"]) else f" ({row['error_code']})"
    counted = f"{images}, " if row["_rows"] else ""
    return f"{counted}{row['status']}{why}"


# --- tiles ----------------------------------------------------------------------------


def _tiles(shown: pd.DataFrame, accounts: list[str], regions: list[str]) -> list[go.Heatmap]:
    """Return a layer of tiles for each way in which a read may have ended."""
    complete = shown["status"] == COMPLETE
    kinds = [
        (shown[complete & (shown["_rows"] > 0)], _SOME),
        (shown[complete & (shown["_rows"] == 0)], _NONE),
        *((shown[shown["status"] == status], tile) for status, tile in _TILES.items()),
    ]
    layers = [_layer(places, accounts, regions, tile) for places, tile in kinds if len(places)]
    if kinds[0][1] is _SOME and len(kinds[0][0]):
        layers[0].update(colorscale=[[0, _FEW], [1, _MANY]], zmin=1)
        layers[0].update(zmax=max(2, int(kinds[0][0]["_rows"].max())))
    return layers


def _layer(
    places: pd.DataFrame, accounts: list[str], regions: list[str], tile: _Tile
) -> go.Heatmap:
    """Return tiles of one kind; where there is none, the layer has a hole."""
    legible = len(accounts) <= _LEGIBLE
    marks = [tile.mark.format(f"{rows:,}") for rows in places["_rows"]]
    hovers = [_hover(row) for row in places.to_dict("records")]
    return go.Heatmap(
        z=_grid(places, accounts, regions, places["_rows"], None),
        text=_grid(places, accounts, regions, marks, ""),
        texttemplate="%{text}" if legible else None,
        textfont={"size": 12 if len(regions) <= _ROOMY else 10, "color": tile.ink},
        hovertext=_grid(places, accounts, regions, hovers, ""),
        hovertemplate="%{hovertext}<extra></extra>",
        colorscale=[[0, tile.colour], [1, tile.colour]],
        showscale=False,
        hoverongaps=False,
        xgap=2,
        ygap=2 if legible else 0,
    )


def _grid(
    places: pd.DataFrame, accounts: list[str], regions: list[str], values: Any, hole: Any
) -> list[list[Any]]:
    """Lay values out: a row an account, a column a region, a hole where there is no value."""
    table: list[list[Any]] = [[hole] * len(regions) for _ in accounts]
    across = {region: place for place, region in enumerate(regions)}
    down = {account: place for place, account in enumerate(accounts)}
    for account, region, value in zip(places["_account"], places["_region"], values, strict=True):
        table[down[account]][across[region]] = value
    return table


def _hover(row: dict[Any, Any]) -> str:
    meaning = STATUSES.get(row["status"], "")
    lines = [_said(row), *([meaning] if row["status"] != COMPLETE else [])]
    where = alt_text.row_text({**row, "image_name": None, "image_id": None}, *map(str, lines))
    return alt_text.draw_row(where)


def _name_places(figure: go.Figure, accounts: list[str], regions: list[str]) -> None:
    every = -(-len(accounts) // _LEGIBLE)
    rows = range(0, len(accounts), every)
    short = alt_text.shorten_labels(accounts, 30)
    names = [short[account] for account in accounts]
    height = min(_ROW, 1400 / len(accounts)) * len(accounts)
    slanted = len(regions) > _FEW_REGIONS
    room = _SLANTED if slanted else _LEVEL
    figure.update_layout(
        height=figure.layout.margin.t + height + room,
        margin={"b": room, "l": 16 + round(6.6 * max(map(len, names)))},
    )
    figure.update_yaxes(
        range=[len(accounts) - 0.5, -0.5],
        tickvals=list(rows),
        ticktext=[alt_text.escape_markup(names[row]) for row in rows],
    )
    figure.update_xaxes(
        range=[-0.5, len(regions) - 0.5],
        tickvals=list(range(len(regions))),
        ticktext=[alt_text.escape_markup(region) for region in regions],
        tickangle=-45 if slanted else 0,
        showgrid=False,
        nticks=None,
    )
