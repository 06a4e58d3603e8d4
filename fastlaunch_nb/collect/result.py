"""``Sweep``: the images, the coverage and the failures of a sweep, with text and HTML views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from fastlaunch_nb.aws.targets import Target
from fastlaunch_nb.collect.tasks import INTERRUPTION
from fastlaunch_nb.formatting import (
    ALIGN_LEFT,
    DEMO_MARK,
    format_count,
    is_demo,
    label_accounts,
    to_single_line,
)
from fastlaunch_nb.schema.columns import (
    COMPLETE,
    FAILED,
    FAILURES,
    INTERRUPTED,
    NOT_OPTED_IN,
    PARTIAL,
    STATUSES,
)

_COLOURS = {
    COMPLETE: "#009e73",
    PARTIAL: "#e69f00",
    FAILED: "#d55e00",
    INTERRUPTED: "#cc79a7",
    NOT_OPTED_IN: "#9a9a9a",
}
_MAX_ACCOUNTS, _MAX_REGIONS, _MAX_CAUSES = 4, 3, 8  # listed before "and N more"


@dataclass(frozen=True, repr=False, eq=False)
class Sweep:
    """The result of :func:`fastlaunch_nb.sweep`: one scan of each account and region.

    Attributes
    ----------
    sweep_id : str
        The id of the sweep, which sorts by time.
    images : pandas.DataFrame
        One row per account, region and image, with the columns of
        :func:`fastlaunch_nb.from_pages`; and ``account_name``, if any is known.
    coverage : pandas.DataFrame
        One row per account and region to read, with the columns of
        :data:`fastlaunch_nb.schema.columns.COVERAGE`.
    started_at, finished_at : pandas.Timestamp
        By the clock of this machine, in UTC.
    """

    sweep_id: str
    images: pd.DataFrame
    coverage: pd.DataFrame
    started_at: pd.Timestamp
    finished_at: pd.Timestamp
    _targets: Sequence[Target | None]  # one for each row of the coverage; None for a session

    @property
    def failures(self) -> pd.DataFrame:
        """The rows of the coverage that failed: partial, failed or interrupted.

        A region that is not opted in is no failure, but what is in it stays unknown.
        """
        return self.coverage[self.coverage["status"].isin(FAILURES)]

    @property
    def was_interrupted(self) -> bool:
        """True if Ctrl-C ended the sweep early."""
        return bool(self.coverage["error_code"].eq(INTERRUPTION).any())

    def __repr__(self) -> str:
        counts = [f"{count} {status}" for status, count in _count_statuses(self.coverage)]
        return f"Sweep: {', '.join([format_count(len(self.images), 'image'), *counts])}"

    def _repr_html_(self) -> str:
        demo = is_demo(self.images) or is_demo(self.coverage)
        mark = f" · <span class='fl-mark'>{DEMO_MARK}</span>" if demo else ""
        return (
            f"{_STYLE}<div class='fl-sweep tex2jax_ignore mathjax_ignore'>"
            f"<div>{self._describe_images()}{mark}</div>"
            f"{_draw_statuses(self.coverage)}<div class='fl-when'>{self._describe_times()}</div>"
            f"{_draw_failures(self.failures)}</div>"
        )

    def _describe_images(self) -> str:
        """Return the number of images as HTML; without images, whether that is certain."""
        if len(self.images):
            accounts = format_count(self.images["account_id"].nunique(), "account")
            regions = format_count(self.images["region"].nunique(), "region")
            images = format_count(len(self.images), "image")
            return f"<b>{images}</b> in {accounts} and {regions}"
        was_read = self.coverage["status"].eq(COMPLETE)
        if was_read.all():
            filtered = self.coverage["scope"].fillna("").ne("").any()
            return (
                f"<b>No image {'matches the filters' if filtered else 'has Fast Launch here'}.</b>"
            )
        if not was_read.any():
            return "<b>Nothing could be read.</b>"
        return "<b>No image has Fast Launch in what could be read.</b>"

    def _describe_times(self) -> str:
        observed = self.coverage.loc[self.coverage["pages"] > 0, "observed_at"]
        if observed.empty:
            return "AWS answered none of the reads."
        first, last = f"{observed.min():%Y-%m-%d %H:%M}", f"{observed.max():%Y-%m-%d %H:%M}"
        return f"As of {first if first == last else f'{first} to {last}'} UTC, by AWS's clock."


def _count_statuses(coverage: pd.DataFrame) -> list[tuple[str, int]]:
    counts = coverage["status"].value_counts()
    return [(status, int(counts[status])) for status in _COLOURS if status in counts]


def _draw_statuses(coverage: pd.DataFrame) -> str:
    """Return the numbers of reads per status as HTML: a bar and a legend."""
    counts = _count_statuses(coverage)
    bars = "".join(
        f"<i style='flex:{count};background:{_COLOURS[status]}'></i>" for status, count in counts
    )
    legend = ", </span><span>".join(
        f"<i style='background:{_COLOURS[status]}'></i>{count:,} {status}"
        for status, count in counts
    )
    reads = format_count(len(coverage), "read")
    return (
        f"<div class='fl-meter' aria-hidden='true'>{bars}</div>"
        f"<div class='fl-statuses'><span>{reads} of an account and region: </span>"
        f"<span>{legend}</span></div>"
    )


def _draw_failures(failures: pd.DataFrame) -> str:
    """Return an HTML table with one row per cause: the error, where, and what to do."""
    if failures.empty:
        return ""
    causes = list(failures.groupby(["status", "error_code"], sort=False, dropna=False))
    rows = [
        f"<tr><td {ALIGN_LEFT}>{_escape(status)}</td><td {ALIGN_LEFT}>{_escape(code)}</td>"
        f"<td {ALIGN_LEFT}>{_list_accounts(cause)}</td>"
        f"<td {ALIGN_LEFT}>{_escape(cause['error_message'].iloc[0])}</td></tr>"
        for (status, code), cause in causes[:_MAX_CAUSES]
    ]
    more = len(causes) - _MAX_CAUSES
    causes_left = f"and {format_count(more, 'more cause')}: see .failures"
    footer = f"<div>{causes_left}</div>" if more > 0 else ""
    heads = "".join(
        f"<th scope='col' {ALIGN_LEFT}>{head}</th>" for head in ("", "Error", "Where", "What to do")
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>{footer}"


def _list_accounts(failures: pd.DataFrame) -> str:
    """Return some accounts and regions as HTML, one account per line."""
    lines = []
    groups = failures.groupby(label_accounts(failures), sort=False, dropna=False)["region"]
    for account, column in groups:
        regions = [_escape(region) for region in column.dropna()]
        more = len(regions) - _MAX_REGIONS
        rest = f" and {more:,} more" if more > 0 else ""
        lines.append(f"<b>{_escape(account)}</b> {', '.join(regions[:_MAX_REGIONS])}{rest}")
    more = len(lines) - _MAX_ACCOUNTS
    footer = [f"and {format_count(more, 'more account')}"] if more > 0 else []
    return "<br>".join([*lines[:_MAX_ACCOUNTS], *footer])


def _escape(value: Any) -> str:
    return "–" if pd.isna(value) else escape(to_single_line(value))


def format_failures(failures: pd.DataFrame) -> Iterable[str]:
    """Yield one line per scan without an answer: where, the status, and what to do."""
    for row in failures.to_dict("records"):
        name = row["account_name"] if pd.notna(row["account_name"]) else None
        message = (
            row["error_message"] if pd.notna(row["error_message"]) else STATUSES[row["status"]]
        )
        labels = (name, row["account_id"], row["region"])
        where = " · ".join(to_single_line(label) for label in labels if pd.notna(label))
        yield f"{where or 'an account'}: {row['status']}: {to_single_line(message)}"


_DIM = "color-mix(in srgb, currentColor 14%, transparent)"
_STYLE = f"""<style>
.fl-sweep {{ font-size: 13px; line-height: 1.6; max-width: 1000px; }}
.fl-sweep b {{ font-size: 15px; }}
.fl-sweep .fl-mark {{ padding: 1px 8px; border-radius: 9px; background: {_DIM};
  font-size: 12px; white-space: nowrap; }}
.fl-sweep .fl-meter {{ display: flex; gap: 2px; height: 8px; margin: 6px 0 4px; overflow: hidden;
  border-radius: 4px; }}
.fl-sweep .fl-meter i {{ min-width: 3px; }}
.fl-sweep .fl-statuses {{ display: flex; flex-wrap: wrap; gap: 0 14px; }}
.fl-sweep .fl-statuses i {{ display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  margin-right: 6px; }}
.fl-sweep .fl-when {{ opacity: 0.75; }}
.fl-sweep table {{ border-collapse: collapse; table-layout: auto; margin: 8px 0 0; font-size: 13px;
  line-height: 1.4; }}
.fl-sweep table :is(th, td) {{ vertical-align: top; padding: 4px 14px 4px 0;
  border-bottom: 1px solid {_DIM}; max-width: none; white-space: normal; }}
.fl-sweep td b {{ font-size: inherit; }}
.fl-sweep table :is(th, td):nth-child(-n+2) {{ white-space: nowrap; }}
.fl-sweep td:nth-child(3) {{ min-width: 110px; }}
.fl-sweep td:last-child {{ overflow-wrap: anywhere; min-width: 160px; }}
</style>"""
