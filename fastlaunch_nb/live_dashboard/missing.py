"""The gaps of a dashboard, in one fold: reads that failed, joins that were denied, silent rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import pandas as pd

from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.live_dashboard.fleet_reader import FleetRead
from fastlaunch_nb.schema.columns import ACCOUNT_REGION

_PLAIN = "tex2jax_ignore mathjax_ignore"  # so that no name becomes a formula
_MAX_REGIONS = 3  # listed before "and N more"


def render_missing(read: FleetRead) -> str:
    """Return the HTML of the fold, open if nothing could be read; empty if nothing is missing."""
    failures = [read.sweep._repr_html_()] if len(read.sweep.failures) else []
    rules = [] if read.gaps is None else list(_describe_gaps(read.gaps))
    parts = (*failures, *_render_list("Not read", read.notes), *_render_list("Not checked", rules))
    if not parts:
        return ""
    is_open = "" if read.has_answer else " open"
    summary = f"<summary>{_summarize(read)}</summary>"
    return f"<details class='{_PLAIN}'{is_open}>{summary}{''.join(parts)}</details>"


def _summarize(read: FleetRead) -> str:
    failed, total = len(read.sweep.failures), len(read.sweep.coverage)
    if not read.has_answer:
        return "Nothing could be read"
    if failed:
        return f"{failed:,} of {total:,} accounts and regions could not be read"
    return "Not everything could be read" if read.notes else "What is not known"


def _render_list(title: str, lines: Iterable[str]) -> list[str]:
    items = "".join(f"<li>{escape(to_single_line(line))}</li>" for line in lines)
    return [f"<div class='fl-title'>{title}</div><ul>{items}</ul>"] if items else []


def _describe_gaps(gaps: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each reason: the rules that could not judge all images, where, and why."""
    for how, rows in gaps.groupby("how", sort=False):
        rules = ", ".join(rows["rule"].unique())
        regions = rows[list(ACCOUNT_REGION)].dropna().drop_duplicates().agg(" ".join, axis=1)
        more = f" and {len(regions) - _MAX_REGIONS:,} more" if len(regions) > _MAX_REGIONS else ""
        where = f" in {', '.join(regions[:_MAX_REGIONS])}{more}" if len(regions) else ""
        yield f"{rules}{where}: {how}"
