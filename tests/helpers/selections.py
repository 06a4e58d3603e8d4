"""Selections for the tests of filters: images, a Hypothesis strategy, and a row-by-row oracle."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.filters.fields import FACETS, RANGES, SEARCHED, get_facet_values
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME
from tests.helpers.samples import HOSTILE, SINCE, ZOO

ODD_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["runner", HOSTILE, "'", '"', "`", "\\", "\\`", "$(id)", "ß", "SS", "İ", "a\u0130", "", "\0"]
)


def make_images() -> pd.DataFrame:
    """Return the zoo with distinct times and counts, a joined stock and image names."""
    frames = [fl.from_pages(items, account_id=a, region=r) for a, r, items in ZOO]
    images = pd.concat(frames, ignore_index=True)
    rows = pd.Series(range(len(images)), dtype=COUNT)
    return images.assign(
        target_resource_count=images["target_resource_count"] + rows % 3,
        state_transition_time=images["state_transition_time"] + pd.to_timedelta(rows, "min"),
        available_snapshots=(rows * 7 % 5).where(rows != 4),
        image_name=pd.Series(["Straße", None, "gitlab RUNNER", HOSTILE] * 2, dtype=TEXT),
    )


IMAGES = make_images()
TIMES = [None, *(pd.Timestamp(SINCE) + pd.Timedelta(minutes=n) for n in (-1, 0, 2, 3.5))]


@st.composite
def ranges(draw: st.DrawFn, ends: Any) -> Any:
    """Draw a range, as an argument of Filters."""
    low, high = draw(ends), draw(ends)
    if low is None or high is None:
        return low, high
    return sorted((low, high))


@st.composite
def selections(draw: st.DrawFn, names: Any = None, texts: Any = None) -> Filters:
    """Draw filters that often match some of `IMAGES`, and are often empty."""
    arguments: dict[str, Any] = {}
    for facet in FACETS:
        known = [None, *get_facet_values(IMAGES, facet).dropna().unique(), "no such"]
        values = st.sampled_from(known) if names is None else st.sampled_from(known) | names
        arguments[facet] = draw(st.just([]) | st.lists(values, max_size=3))
    for name, dtype in RANGES.items():
        ends = TIMES if dtype == TIME else [None, 0, 2, 5, 6, 7, 2**63 - 1]
        if draw(st.booleans()):
            arguments[name] = draw(ranges(st.sampled_from(ends)))
    words = st.sampled_from(["", "runner", "US-east", "ami", "strasse", "ß", "  ", "r 000", "5"])
    return Filters(**arguments, text=draw(words if texts is None else words | texts))


def find_matches(images: pd.DataFrame, filters: Filters, ignore: str = "") -> list[bool]:
    """Return whether each row matches, row by row in plain Python."""
    rows = images.astype(object).where(images.notna(), None).to_dict("records")
    values = {name: value for name, value in vars(filters).items() if name != ignore}
    return [all(matches(row, name, value) for name, value in values.items()) for row in rows]


def matches(row: Any, name: str, value: Any) -> bool:
    """Return whether a row matches the value of one filter."""
    if name == "text":
        texts = [str(v) for c, v in row.items() if v is not None and c in SEARCHED]
        return all(any(w in v.casefold() for v in texts) for w in value.casefold().split())
    if name in RANGES:
        row = {**row, "missing_snapshots": count_missing(row)}
        low, high = value or (None, None)
        number = row.get(name)
        is_inside = number is not None and (low is None or low <= number)
        return value is None or (is_inside and (high is None or number <= high))
    if name == "launch_template":
        template = row["launch_template_name"]
        return not value or (row["launch_template_id"] if template is None else template) in value
    return not value or row[name] in value


def count_missing(row: Any) -> int | None:
    """Return the snapshots that a row with CloudWatch's stock lacks; None if it is unknown."""
    target, stock = row["target_resource_count"], row.get("available_snapshots")
    if target is None or stock is None or str(row["state"]).startswith("disabling"):
        return None
    return max(0, int(target) - int(stock))


ALL_FIELDS: dict[str, Any] = {
    "account_id": ["111122223333", None],
    "region": ["us-east-1", None],
    "state": ["enabled", "enabling", None],
    "launch_template": ["runner", None],
    "target_resource_count": (5, 6),
    "max_parallel_launches": (None, 6),
    "available_snapshots": (0, 3),
    "missing_snapshots": (1, None),
    "state_transition_time": (TIMES[1], TIMES[3]),
    "text": "RUNNER us-east",
}
EXAMPLES = [
    *(Filters(**{name: value}) for name, value in ALL_FIELDS.items()),
    Filters(state=[None]),
    Filters(owner_id="no such"),
    Filters(launch_template=HOSTILE, region="eu-west-1"),
    Filters(launch_template="lt-0123456789abcdef0"),
    Filters(state_transition_time=(TIMES[2], TIMES[2])),
    Filters(text="strasse"),
    Filters(**ALL_FIELDS),
]
"""Filters on each field alone, some odd ones, and filters on all fields."""
