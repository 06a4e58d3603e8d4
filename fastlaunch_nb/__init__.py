"""EC2 Fast Launch in Jupyter.

The pages of DescribeFastLaunchImages as DataFrames, filter panels, state timelines and capacity
charts. Each public name loads its module when it is first used, so the import is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastlaunch_nb.aws.targets import Target as Target
    from fastlaunch_nb.aws.targets import targets as targets
    from fastlaunch_nb.charts.alt_text import alt_text as alt_text
    from fastlaunch_nb.charts.alt_text import text as text
    from fastlaunch_nb.charts.capacity import capacity as capacity
    from fastlaunch_nb.charts.fleet_map import fleet_map as fleet_map
    from fastlaunch_nb.charts.sizing_curve import sizing_curve as sizing_curve
    from fastlaunch_nb.charts.state_mix import state_mix as state_mix
    from fastlaunch_nb.charts.timeline import timeline as timeline
    from fastlaunch_nb.collect.describe import describe as describe
    from fastlaunch_nb.collect.result import Sweep as Sweep
    from fastlaunch_nb.collect.sweep import sweep as sweep
    from fastlaunch_nb.demo_fleet.demo import demo as demo
    from fastlaunch_nb.errors import FastLaunchError as FastLaunchError
    from fastlaunch_nb.errors import FastLaunchWarning as FastLaunchWarning
    from fastlaunch_nb.errors import InputError as InputError
    from fastlaunch_nb.errors import MissingExtraError as MissingExtraError
    from fastlaunch_nb.errors import ReadError as ReadError
    from fastlaunch_nb.errors import SetupError as SetupError
    from fastlaunch_nb.errors import SourceError as SourceError
    from fastlaunch_nb.errors import StoreError as StoreError
    from fastlaunch_nb.errors import SweepError as SweepError
    from fastlaunch_nb.export import embed as embed
    from fastlaunch_nb.filter_panel.image_table import table as table
    from fastlaunch_nb.filter_panel.panel import panel as panel
    from fastlaunch_nb.filters.filters import Filters as Filters
    from fastlaunch_nb.history.history import History as History
    from fastlaunch_nb.joins.enrich import enrich as enrich
    from fastlaunch_nb.joins.enrich import metrics as metrics
    from fastlaunch_nb.joins.enrich import snapshots as snapshots
    from fastlaunch_nb.live_dashboard.dashboard import dashboard as dashboard
    from fastlaunch_nb.pool.fill_time import measure_fill_time as measure_fill_time
    from fastlaunch_nb.pool.model import Pool as Pool
    from fastlaunch_nb.pool.sizing import right_size as right_size
    from fastlaunch_nb.rules.cli_commands import render_command as render_command
    from fastlaunch_nb.rules.evaluate import RULES as RULES
    from fastlaunch_nb.rules.evaluate import findings as findings
    from fastlaunch_nb.rules.rule import Rule as Rule
    from fastlaunch_nb.rules.unchecked import unchecked as unchecked
    from fastlaunch_nb.schema.prices import Prices as Prices
    from fastlaunch_nb.sources.events import from_events as from_events
    from fastlaunch_nb.sources.launches import launches as launches
    from fastlaunch_nb.sources.pages import from_pages as from_pages
    from fastlaunch_nb.sources.table_input import load as load
    from fastlaunch_nb.state_intervals.pipeline import intervals as intervals

__version__ = "0.1.0"

_HOME = {
    "FastLaunchError": "errors",
    "FastLaunchWarning": "errors",
    "Filters": "filters.filters",
    "History": "history.history",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "Pool": "pool.model",
    "Prices": "schema.prices",
    "RULES": "rules.evaluate",
    "ReadError": "errors",
    "Rule": "rules.rule",
    "SetupError": "errors",
    "SourceError": "errors",
    "StoreError": "errors",
    "Sweep": "collect.result",
    "SweepError": "errors",
    "Target": "aws.targets",
    "alt_text": "charts.alt_text",
    "capacity": "charts.capacity",
    "dashboard": "live_dashboard.dashboard",
    "demo": "demo_fleet.demo",
    "describe": "collect.describe",
    "embed": "export",
    "enrich": "joins.enrich",
    "findings": "rules.evaluate",
    "fleet_map": "charts.fleet_map",
    "from_events": "sources.events",
    "from_pages": "sources.pages",
    "intervals": "state_intervals.pipeline",
    "launches": "sources.launches",
    "load": "sources.table_input",
    "measure_fill_time": "pool.fill_time",
    "metrics": "joins.enrich",
    "panel": "filter_panel.panel",
    "render_command": "rules.cli_commands",
    "right_size": "pool.sizing",
    "sizing_curve": "charts.sizing_curve",
    "snapshots": "joins.enrich",
    "state_mix": "charts.state_mix",
    "sweep": "collect.sweep",
    "table": "filter_panel.image_table",
    "targets": "aws.targets",
    "text": "charts.alt_text",
    "timeline": "charts.timeline",
    "unchecked": "rules.unchecked",
}
"""Each public name, and the module that defines it."""

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
