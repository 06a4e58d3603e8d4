"""What stands where the panel was, without a kernel: a picture in letters, and a table.

GitHub strips styles, classes and pictures; JupyterLab, of a file that it does not
trust, style sheets and pictures. So bars are block characters of Unicode: wherever
text is, they are. What remains of the styles colours them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.charts.style import row_labels, state_style
from fastlaunch_nb.filter_panel import table_columns
from fastlaunch_nb.filter_panel.style import COMMON, LINE
from fastlaunch_nb.filter_panel.table_columns import Column
from fastlaunch_nb.formatting import empty_message, state_rank
from fastlaunch_nb.schema.joins import known_stock
from fastlaunch_nb.validation import validate_columns

ROWS: Final = 10
"""How many rows the table has."""
_STATES, _LARGEST = 6, 7  # lines of the picture; with a heading each, 15
_WIDE = 16  # letters of the longest bar
_LEFT = "style='text-align:left'"
_LINE = "nowrap style='text-align:left;white-space:nowrap'"  # one or the other survives
_RIGHT = "nowrap style='text-align:right;white-space:nowrap'"
_EIGHTHS: Sequence[str] = ("", *"▏▎▍▌▋▊▉")


def stored_html(images: pd.DataFrame, filtered: pd.DataFrame, summary_html: str) -> str:
    """Return what stands where the panel was: its summary, a picture, and the first rows.

    Parameters
    ----------
    images : pandas.DataFrame
        All images of the panel.
    filtered : pandas.DataFrame
        Those that its filters keep.
    summary_html : str
        What the panel says above them, escaped.

    Returns
    -------
    str
        HTML that is still readable where all styles are stripped. Everything in the
        picture and in the table that came from AWS is escaped.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}])
    >>> "████" in stored_html(images, images, "<b>1 of 1</b> images")
    True
    """
    return (
        f"{_STYLE}<div class='fl-panel fl-stored tex2jax_ignore mathjax_ignore'>{summary_html}"
        f"{_picture(images, filtered)}{_table(images, filtered)}"
        f"{_more(len(filtered) - ROWS)}</div>"
    )


# --- the picture ----------------------------------------------------------------------


class _Line(NamedTuple):
    """A line of the picture: what it is about, its number in words, and its bar."""

    state: str | None  # which gives the colour
    label: str
    said: str
    bar: str


def _picture(images: pd.DataFrame, filtered: pd.DataFrame) -> str:
    """Draw how many images are in each state, and the largest targets, side by side."""
    if filtered.empty:
        return ""
    largest, heading = _largest(validate_columns("images", filtered).reset_index(drop=True))
    parts = [_drawn(("State", "Images"), _states(images, filtered))]
    parts += [_drawn(("Largest targets", heading), largest)] if largest else []
    return f"<div class='fl-picture'>{''.join(parts)}</div>"


def _states(images: pd.DataFrame, filtered: pd.DataFrame) -> list[_Line]:
    """Return a line a state, the worst first; beyond the last line, what is left of them."""
    every, kept = (_counts(rows["state"]) for rows in (images, filtered))
    order = sorted(kept, key=lambda state: (state_rank(state), state))
    shown = order if len(order) <= _STATES else order[: _STATES - 1]
    rest = order[len(shown) :]
    most = max(every.values())
    lines = [_Line(s, s, _of(kept[s], every[s]), _blocks(kept[s] / most)) for s in shown]
    if rest:
        counts = [sum(of[state] for state in rest) for of in (kept, every)]
        lines.append(_Line(None, f"{len(rest)} more states", _of(*counts), ""))
    return lines


def _counts(states: pd.Series) -> dict[str, int]:
    counts = states.fillna("unknown").value_counts()
    return dict(zip(counts.index.tolist(), counts.tolist(), strict=True))


def _of(kept: int, every: int) -> str:
    return f"{kept:,}" if kept == every else f"{kept:,} of {every:,}"


def _largest(rows: pd.DataFrame) -> tuple[list[_Line], str]:
    """Return a line for each of the largest targets, and what their numbers are.

    Where the stock is known of any of them, a bar is what is in stock, and
    then lightly what is missing; else it is the target.
    """
    rows = rows.loc[rows["target_resource_count"].dropna().nlargest(_LARGEST).index]
    targets = rows["target_resource_count"].tolist()
    held: list[Any] = known_stock(rows).tolist()
    told = not all(map(pd.isna, held))
    most = max([1, *targets, *(count for count in held if not pd.isna(count))])
    stocks = [_stock(*pair, most) for pair in zip(held, targets, strict=True)]
    plain = [(f"{target:,}", _blocks(target / most)) for target in targets]
    shown = zip(rows["state"], row_labels(rows), stocks if told else plain, strict=True)
    lines = [
        _Line("unknown" if pd.isna(state) else state, label, *drawn)
        for state, label, drawn in shown
    ]
    return lines, "In stock" if told else "Snapshots"


def _stock(held: Any, target: int, most: int) -> tuple[str, str]:
    """Say and draw what is in stock of a target; of what is unknown, only the target."""
    unknown = pd.isna(held)
    filled = "" if unknown else _blocks(held / most)
    missing = max(0, round(target / most * _WIDE) - len(filled))
    return f"{'?' if unknown else f'{held:,}'} of {target:,}", filled + "░" * missing


def _blocks(share: float) -> str:
    """Draw a share of the longest bar, to an eighth of a letter; what there is, is seen."""
    eighths: int = max(1 if share else 0, round(share * _WIDE * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def _drawn(headings: Sequence[str], lines: Iterable[_Line]) -> str:
    """Return lines as a table: what, how many, and the bar, which says nothing more."""
    head = "".join(f"<th scope='col' {_LEFT}>{heading}</th>" for heading in headings)
    body = "".join(
        f"<tr><td {_LEFT}>{table_columns.swatch(line.state)} {table_columns.text(line.label)}</td>"
        f"<td {_RIGHT}>{line.said}</td>"
        f"<td {_LEFT}>{_bar(line)}</td></tr>"
        for line in lines
    )
    return f"<table><thead><tr>{head}<td></td></tr></thead><tbody>{body}</tbody></table>"


def _bar(line: _Line) -> str:
    style = f"color:{state_style(line.state).colour};font-family:monospace"
    return f"<span aria-hidden='true' class='fl-bar' style='{style}'>{line.bar}</span>"


# --- the table ------------------------------------------------------------------------


def _table(images: pd.DataFrame, filtered: pd.DataFrame) -> str:
    if filtered.empty:
        message = empty_message(filtered=not images.empty)
        return f"<p class='fl-empty'>{' '.join(message)}</p>"
    return table_html(filtered.head(ROWS))


def table_html(rows: pd.DataFrame) -> str:
    """Return rows as an HTML table. Everything in it that came from AWS is escaped."""
    shown = [
        column for column in table_columns.of_images(rows) if column.name in table_columns.IMAGES
    ]
    head = "".join(f"<th scope='col' {_LEFT}>{column.heading}</th>" for column in shown)
    body = "".join(
        f"<tr>{''.join(_cell(column, row) for column in shown)}</tr>"
        for row in table_columns.shown_rows(validate_columns("images", rows))
    )
    return (
        "<div class='fl-scroll' tabindex='0' role='region' aria-label='Images'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(column: Column, row: Mapping[Any, Any]) -> str:
    if column.name in table_columns.NUMBERS:
        return f"<td class='fl-number'>{column.cell(row)}</td>"
    how = _LINE if column.name in ("state", "state_transition_time") else _LEFT
    return f"<td {how}>{column.cell(row)}</td>"


def _more(rows: int) -> str:
    return f"<p class='fl-empty'>and {rows:,} more</p>" if rows > 0 else ""


_STYLE = f"""<style>{COMMON}
.fl-stored .fl-active {{ margin-left: 10px; opacity: 0.8; overflow-wrap: anywhere; }}
.fl-stored table {{ border: 0; border-collapse: collapse; table-layout: auto; margin: 0;
  font-size: 13px; line-height: 1.35; }}
.fl-stored tr {{ background: none !important; }}
.fl-stored .fl-picture {{ display: flex; flex-wrap: wrap; gap: 8px 40px; align-items: flex-start;
  margin: 8px 0 14px; overflow-x: auto; }}
.fl-stored .fl-picture thead {{ border: 0; }}
.fl-stored .fl-picture :is(th, td) {{ padding: 1px 12px 1px 4px; white-space: nowrap; border: 0;
  max-width: none; font-variant-numeric: tabular-nums; }}
.fl-stored .fl-picture th {{ font-weight: 600; }}
.fl-stored .fl-picture th:nth-child(2) {{ text-align: right !important; }}
.fl-stored .fl-bar {{ line-height: 1; white-space: pre; }}
.fl-stored .fl-scroll {{ overflow-x: auto; }}
.fl-stored .fl-scroll:focus-visible {{ outline: 2px solid #2b8fd9; outline-offset: -1px; }}
.fl-stored .fl-scroll table {{ width: 100%; }}
.fl-stored .fl-scroll :is(th, td) {{ max-width: none; vertical-align: top;
  padding: 5px 12px 5px 4px; border: 0; border-bottom: 1px solid {LINE}; white-space: nowrap; }}
.fl-stored .fl-scroll td > div {{ width: max-content; max-width: 260px; white-space: normal;
  overflow-wrap: anywhere; }}
</style>"""
