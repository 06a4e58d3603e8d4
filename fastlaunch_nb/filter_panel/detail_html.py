"""The details of selected images as HTML: one in full, two side by side, more as counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.console_links import link_image, link_launch_template, link_snapshots
from fastlaunch_nb.filter_panel.table_columns import (
    Record,
    format_value,
    label_field,
    render_severity,
    render_swatch,
)
from fastlaunch_nb.filter_panel.time_bar import Stay, find_stays, render_time_bar
from fastlaunch_nb.formatting import (
    format_count,
    format_duration,
    format_time,
    label_images,
    state_rank,
)
from fastlaunch_nb.rules.cli_commands import show_command
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.schema.joins import JOINS, coalesce_stock

_TEMPLATE: Final = ("launch_template_id", "launch_template_name", "launch_template_version")
_STOCK: Final = ("metrics", "snapshots", "launches", "quota")
_GROUPS: Final = {  # headings, and the fields below each; a field of none is below "More"
    "Fast Launch": [column.name for column in COLUMNS if column.name not in _TEMPLATE],
    "Launch template": [*_TEMPLATE, *(column.name for column in JOINS["template"])],
    "Stock and launches": [column.name for join in _STOCK for column in JOINS[join]],
    "Cost": [column.name for column in JOINS["cost"]],
    "AMI": [column.name for join in ("ami", "siblings") for column in JOINS[join]],
}
_MEANINGS: Final = {
    column.name: column.meaning for columns in (COLUMNS, *JOINS.values()) for column in columns
}
_OLD: Final = ("monthly_usd", "snapshots_monthly_usd", "preparation_monthly_usd")
"""Columns that repeat others until the next release."""


class SelectedImage(NamedTuple):
    """An image with its intervals, if the panel has any, and its findings, once these are known."""

    row: pd.DataFrame  # of one row
    intervals: pd.DataFrame | None
    findings: pd.DataFrame | None

    @property
    def record(self) -> Record:
        """The values of all fields."""
        record: Record = self.row.iloc[0].to_dict()
        return record

    @property
    def commands(self) -> list[str]:
        """The commands of its findings, for a POSIX shell."""
        return [] if self.findings is None else list(self.findings["command"].dropna())


# --- one, two and more ----------------------------------------------------------------


def render_image(image: SelectedImage, shell: str) -> str:
    """Render all of one image."""
    stays = find_stays(image.record, image.intervals)
    bar = render_time_bar(stays, *_span([stays])) if stays else ""
    record = image.record
    groups = "".join(
        f"<section><div class='fl-title'>{heading}</div>"
        f"<dl>{''.join(map(_render_field, fields))}</dl></section>"
        for heading, fields in _group_fields(record).items()
    )
    unknown = [label_field(name) for name in _list_fields(record) if _is_null(record[name])]
    note = f"<p class='fl-hint'>Unknown: {escape(', '.join(unknown))}.</p>" if unknown else ""
    return (
        f"{_render_heading(_render_title(image))}{_render_lead(record)}{_render_links(record)}"
        f"{_render_stock(image)}{bar}"
        f"{_render_findings(image, shell)}<div class='fl-fields'>{groups}</div>{note}"
    )


def render_pair(first: SelectedImage, second: SelectedImage, shell: str) -> str:
    """Render two images side by side; a sign and bold text mark the fields that differ."""
    pair, records = (first, second), (first.record, second.record)
    stays = [find_stays(image.record, image.intervals) for image in pair]
    known = [times for times in stays if times]
    bars = [render_time_bar(times, *_span(known)) if known else "–" for times in stays]
    rows = [
        ("Now", [_render_lead(record) for record in records]),
        ("Console", [_render_links(record) for record in records]),
        ("Time", bars),
        ("Findings", [_render_findings(image, shell) for image in pair]),
    ]
    body = "".join(_render_row(heading, cells) for heading, cells in rows)
    names = [name for name in _list_fields(records[0]) if name not in ("image_id", "image_name")]
    count = 0
    for name in names:
        values = [_format(record[name]) for record in records]
        if any(value != "–" for value in values):
            count += values[0] != values[1]
            body += _render_row(label_field(name), values, differs=values[0] != values[1])
    differing = f"{format_count(count, 'field')} differ{'s' if count == 1 else ''}"
    heads = "".join(f"<th scope='col'>{_render_title(image)}</th>" for image in pair)
    return (
        f"{_render_heading(f'{differing} (≠)')}"
        f"<table class='fl-pair'><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def render_counts(rows: pd.DataFrame) -> str:
    """Render the number of images in each state, worst first."""
    counts = rows["state"].value_counts(dropna=False)
    states = sorted(counts.items(), key=lambda item: state_rank(str(item[0])))
    lines = "".join(
        f"<li>{render_swatch(state)} {format_value(state)}: {count:,}</li>"
        for state, count in states
    )
    return (
        f"{_render_heading(f'{format_count(len(rows))} selected')}<ul class='fl-stays'>{lines}</ul>"
        "<p class='fl-hint'>Select one image to see all of it, or two to compare them.</p>"
    )


def _render_heading(html: str) -> str:
    """Render the first line; it is no heading element, whose level would depend on the page."""
    return f"<div class='fl-detail-title'>{html}</div>"


# --- parts ----------------------------------------------------------------------------


def _render_title(image: SelectedImage) -> str:
    record = image.record
    name, image_id = label_images(image.row).iloc[0], format_value(record["image_id"])
    small = "" if format_value(name) == image_id else f" <small>{image_id}</small>"
    return f"{format_value(name)}{small}"


def _render_lead(record: Record) -> str:
    """Render the state, its duration, and the account and region."""
    start, end = record["state_transition_time"], record["observed_at"]
    known = not _is_null(start) and not _is_null(end)
    duration = f" for {format_duration(end - start)}" if known else ""
    state = f"{render_swatch(record['state'])} <b>{format_value(record['state'])}</b>{duration}"
    where = f"account {format_value(record['account_id'])}, {format_value(record['region'])}"
    return f"<p class='fl-lead'>{state} · {where}</p>"


def _render_links(record: Record) -> str:
    """Render links to the console; it opens in the account that the browser is signed in to."""
    region = record["region"]
    links = {
        "AMI": link_image(region, record["image_id"]),
        "Launch template": link_launch_template(region, record["launch_template_id"]),
        "Snapshots": link_snapshots(region, record["image_id"]),
    }
    where = f"in the AWS console of account {format_value(record['account_id'])}"
    anchors = "".join(
        f"<a href='{escape(address)}' target='_blank' rel='noopener noreferrer' "
        f"title='{text} {where}'>{text} ↗</a>"
        for text, address in links.items()
        if address
    )
    return f"<div class='fl-links'>AWS console: {anchors}</div>" if anchors else ""


def _render_stock(image: SelectedImage) -> str:
    """Render the stock as a bar, where it and the target are known."""
    stock, target = coalesce_stock(image.row).iloc[0], image.record["target_resource_count"]
    if _is_null(stock) or _is_null(target) or target < 1:
        return ""
    share = min(100, round(100 * stock / target))
    return (
        f"<div class='fl-stock'><span class='fl-stock-bar' aria-hidden='true'>"
        f"<i style='width:{share}%'></i></span>{stock:,} of {target:,} snapshots in stock</div>"
    )


def _render_findings(image: SelectedImage, shell: str) -> str:
    findings = image.findings
    if findings is None:
        return "<p class='fl-hint' role='status'>Checking for problems …</p>"
    if findings.empty:
        return "<p class='fl-hint'>No finding on this image.</p>"
    items = (_render_finding(record, shell) for record in findings.to_dict("records"))
    return f"<ul class='fl-image-findings'>{''.join(items)}</ul>"


def _render_finding(finding: Mapping[Any, Any], shell: str) -> str:
    command = finding["command"]
    code = ""
    if isinstance(command, str):
        text = escape(show_command(command, shell))
        code = f"<pre class='fl-code' tabindex='0' aria-label='Command'>{text}</pre>"
    return (
        f"<li>{render_severity(finding)} <b>{format_value(finding['finding'])}</b>: "
        f"{format_value(finding['evidence'])}"
        f"<div class='fl-advice'>{format_value(finding['advice'])}</div>{code}</li>"
    )


def _render_row(heading: str, cells: Sequence[str], *, differs: bool = False) -> str:
    mark = "<span aria-label='differs'>≠</span> " if differs else ""
    kind = " class='fl-differs'" if differs else ""
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr{kind}><th scope='row'>{mark}{escape(heading)}</th>{columns}</tr>"


# --- fields ---------------------------------------------------------------------------


def _list_fields(record: Record) -> list[str]:
    """Return the fields of an image in the order of the groups, then all others."""
    ours = [name for names in _GROUPS.values() for name in names if name in record]
    return [name for name in dict.fromkeys([*ours, *record]) if name not in _OLD]


def _group_fields(record: Record) -> dict[str, list[tuple[str, Any]]]:
    """Return the known fields below each heading."""
    group_of = {name: heading for heading, names in _GROUPS.items() for name in names}
    groups: dict[str, list[tuple[str, Any]]] = {}
    for name in _list_fields(record):
        if not _is_null(record[name]):
            groups.setdefault(group_of.get(name, "More"), []).append((name, record[name]))
    return groups


def _render_field(field: tuple[str, Any]) -> str:
    name, value = field
    meaning = escape(_MEANINGS.get(name, ""), quote=True).replace("`", "")
    label = escape(label_field(name))
    return f"<div title='{meaning}'><dt>{label}</dt><dd>{_format(value)}</dd></div>"


def _format(value: Any) -> str:
    return format_time(value) if isinstance(value, pd.Timestamp) else format_value(value)


def _is_null(value: Any) -> bool:
    return not isinstance(value, list | tuple | dict) and bool(pd.isna(value))


def _span(bars: Iterable[Sequence[Stay]]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and the last time of bars, so that they have the same scale."""
    stays = [stay for bar in bars for stay in bar]
    return min(stay.start for stay in stays), max(stay.end for stay in stays)
