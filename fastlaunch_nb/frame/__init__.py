"""The table: its columns, dtypes, units and states, how it is made, how it is filtered.

One row for each account, region and image, as a plain pandas DataFrame. Columns
are declared once, in :data:`COLUMNS`; the documentation is generated from them.
"""

from fastlaunch_nb.frame.asked import api_filters, check_account_id, check_image_ids, check_region
from fastlaunch_nb.frame.batches import Batch, batch, coverage, from_batches
from fastlaunch_nb.frame.columns import (
    API_FILTERS,
    API_STATES,
    COLUMNS,
    COMPLETE,
    COUNT,
    COVERAGE,
    EVENTS,
    EXAMPLE_ACCOUNTS,
    FAILED,
    INTERRUPTED,
    INTERVAL_TIMES,
    KEY,
    NOT_OPTED_IN,
    NUMBER,
    PARTIAL,
    STATES,
    STATUSES,
    TEXT,
    TIME,
    WORST_FIRST,
    Column,
    fit_to_show,
)
from fastlaunch_nb.frame.events import from_events
from fastlaunch_nb.frame.filters import FACETS, Filters, facet_values
from fastlaunch_nb.frame.pages import date_of, empty, from_pages
from fastlaunch_nb.frame.shown import (
    DEMO_MARK,
    FILTERED,
    account_labels,
    image_labels,
    is_demo,
    one_line,
    severity,
    why_empty,
)

__all__ = [
    "API_FILTERS",
    "API_STATES",
    "COLUMNS",
    "COMPLETE",
    "COUNT",
    "COVERAGE",
    "DEMO_MARK",
    "EVENTS",
    "EXAMPLE_ACCOUNTS",
    "FACETS",
    "FAILED",
    "FILTERED",
    "INTERRUPTED",
    "INTERVAL_TIMES",
    "KEY",
    "NOT_OPTED_IN",
    "NUMBER",
    "PARTIAL",
    "STATES",
    "STATUSES",
    "TEXT",
    "TIME",
    "WORST_FIRST",
    "Batch",
    "Column",
    "Filters",
    "account_labels",
    "api_filters",
    "batch",
    "check_account_id",
    "check_image_ids",
    "check_region",
    "coverage",
    "date_of",
    "empty",
    "facet_values",
    "fit_to_show",
    "from_batches",
    "from_events",
    "from_pages",
    "image_labels",
    "is_demo",
    "one_line",
    "severity",
    "why_empty",
]
