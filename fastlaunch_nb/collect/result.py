"""A sweep: what it brought, what it covered, what failed; and how it shows itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from fastlaunch_nb.collect.tasks import INTERRUPTION, RegionScan
from fastlaunch_nb.formatting import DEMO_MARK, account_labels, is_demo, single_line
from fastlaunch_nb.schema.columns import COMPLETE, FAILED, INTERRUPTED, NOT_OPTED_IN, PARTIAL

_HEALTHY = (COMPLETE, NOT_OPTED_IN)
_COLOURS = {
    COMPLETE: "#009e73",
    PARTIAL: "#e69f00",
    FAILED: "#d55e00",
    INTERRUPTED: "#cc79a7",
    NOT_OPTED_IN: "#9a9a9a",
}
_PLACES, _REGIONS, _CAUSES = 4, 3, 8  # that are named, before "and N more"


@dataclass(frozen=True, repr=False, eq=False)
class Sweep:
    """One look at many accounts and regions; made by :func:`fastlaunch_nb.collect`.

    Attributes
    ----------
    sweep_id : str
        Its name, which sorts by time.
    images : pandas.DataFrame
        A row an account, region and image, with the columns of
        :func:`fastlaunch_nb.from_pages`; and ``account_name``, where one is known.
    coverage : pandas.DataFrame
        A row an account and region that was to be read, with the columns of
        :data:`fastlaunch_nb.schema.columns.COVERAGE`.
    started_at, finished_at : pandas.Timestamp
        By the clock of this machine, in UTC.
    """

    sweep_id: str
    images: pd.DataFrame
    coverage: pd.DataFrame
    started_at: pd.Timestamp
    finished_at: pd.Timestamp
    _plan: Any  # what was to be read, without a secret
    _looks: Sequence[RegionScan]  # a look for each row of the coverage

    @property
    def failures(self) -> pd.DataFrame:
        """The rows of the coverage that are not complete, but for regions not opted in."""
        return self.coverage[~self.coverage["status"].isin(_HEALTHY)]

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C ended it early."""
        return bool(self.coverage["error_code"].eq(INTERRUPTION).any())

    def __repr__(self) -> str:
        return f"Sweep: {', '.join([self._images(), *self._statuses()])}"

    def _images(self) -> str:
        return _count(len(self.images), "image")

    def _statuses(self) -> list[str]:
        counts = self.coverage["status"].value_counts()
        return [f"{counts[status]} {status}" for status in _COLOURS if status in counts]

    def _repr_html_(self) -> str:
        mark = f" <span class='fl-mark'>{DEMO_MARK}</span>" if self._is_demo() else ""
        return (
            f"{_STYLE}<div class='fl-sweep tex2jax_ignore mathjax_ignore'>"
            f"<div>{self._headline()}{mark}</div>"
            f"{_meter(self.coverage)}<div class='fl-when'>{self._when()}</div>"
            f"{_table(self.failures)}</div>"
        )

    def _headline(self) -> str:
        """Say how many images were found; where there is none, whether that is known."""
        if len(self.images):
            return f"<b>{self._images()}</b> in {_where(self.images)}"
        if self.failures.empty:
            filtered = self.coverage["scope"].fillna("").ne("").any()
            return (
                f"<b>No image {'matches the filters' if filtered else 'has Fast Launch here'}.</b>"
            )
        if len(self.failures) == len(self.coverage):
            return "<b>Nothing could be read.</b>"
        return "<b>No image has Fast Launch in what could be read.</b>"

    def _is_demo(self) -> bool:
        return is_demo(self.images) or is_demo(self.coverage)

    def _when(self) -> str:
        answered = self.coverage["pages"] > 0
        if not answered.any():
            return "AWS answered no read."
        seen = self.coverage.loc[answered, "observed_at"]
        first, last = f"{seen.min():%Y-%m-%d %H:%M}", f"{seen.max():%Y-%m-%d %H:%M}"
        return f"As of {first if first == last else f'{first} to {last}'} UTC, by AWS's clock."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _where(rows: pd.DataFrame) -> str:
    accounts = _count(rows["account_id"].nunique(), "account")
    return f"{accounts} and {_count(rows['region'].nunique(), 'region')}"


def _meter(coverage: pd.DataFrame) -> str:
    """Draw how the reads ended: a bar, and the same in words."""
    counts = coverage["status"].value_counts()
    present = [(status, int(counts[status])) for status in _COLOURS if status in counts]
    bars = "".join(
        f"<i style='flex:{count};background:{_COLOURS[status]}'></i>" for status, count in present
    )
    words = "".join(
        f"<span><i style='background:{_COLOURS[status]}'></i>{count:,} {status}</span>"
        for status, count in present
    )
    reads = _count(len(coverage), "read")
    return (
        f"<div class='fl-meter' aria-hidden='true'>{bars}</div>"
        f"<div class='fl-statuses'><span>{reads} of an account and region:</span>{words}</div>"
    )


def _table(failures: pd.DataFrame) -> str:
    """Say what failed, where, and what to do: a row a cause."""
    if failures.empty:
        return ""
    causes = list(failures.groupby(["status", "error_code"], sort=False, dropna=False))
    rows = [
        f"<tr><td>{_text(status)}</td><td>{_text(code)}</td><td>{_places(same)}</td>"
        f"<td>{_text(same['error_message'].iloc[0])}</td></tr>"
        for (status, code), same in causes[:_CAUSES]
    ]
    more = len(causes) - _CAUSES
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("", "Error", "Where", "What to do"))
    return (
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        + (f"<div>and {more} more causes: see .failures</div>" if more > 0 else "")
    )  # fmt: skip


def _places(rows: pd.DataFrame) -> str:
    """Name some of the places: an account a line, with some of its regions."""
    regions = rows.groupby(account_labels(rows), sort=False, dropna=False)["region"]
    lines = [f"<b>{_text(account)}</b> {_some(list(names.dropna()))}" for account, names in regions]
    more = len(lines) - _PLACES
    return "<br>".join([*lines[:_PLACES], *([f"and {more:,} more accounts"] if more > 0 else [])])


def _some(regions: Sequence[str]) -> str:
    named = ", ".join(map(_text, regions[:_REGIONS]))
    more = len(regions) - _REGIONS
    return f"{named} and {more:,} more" if more > 0 else named


def _text(value: Any) -> str:
    return "–" if pd.isna(value) else escape(single_line(value))


def failure_lines(failures: pd.DataFrame) -> Iterable[str]:
    """Yield a line a failure: where, what, and what to do."""
    for row in failures.to_dict("records"):
        name = row["account_name"] if pd.notna(row["account_name"]) else None
        parts = (name, row["account_id"], row["region"])
        where = " · ".join(single_line(part) for part in parts if pd.notna(part))
        said = single_line(row["error_message"])
        yield f"{where or 'an account'}: {row['status']}: {said}"


_DIM = "color-mix(in srgb, currentColor 14%, transparent)"
_STYLE = f"""<style>
.fl-sweep {{ font-size: 13px; line-height: 1.6; max-width: 1000px; }}
.fl-sweep b {{ font-size: 15px; }}
.fl-sweep .fl-mark {{ margin-left: 8px; padding: 1px 8px; border-radius: 9px; background: {_DIM};
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
.fl-sweep table :is(th, td) {{ text-align: left; vertical-align: top; padding: 4px 14px 4px 0;
  border-bottom: 1px solid {_DIM}; max-width: none; white-space: normal; }}
.fl-sweep td b {{ font-size: inherit; }}
.fl-sweep table :is(th, td):nth-child(-n+2) {{ white-space: nowrap; }}
.fl-sweep td:nth-child(3) {{ min-width: 150px; }}
.fl-sweep td:last-child {{ overflow-wrap: anywhere; min-width: 220px; }}
</style>"""
