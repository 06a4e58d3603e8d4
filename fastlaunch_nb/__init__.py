"""fastlaunch_nb: EC2 Fast Launch in Jupyter.

The pages of DescribeFastLaunchImages as DataFrames, filter panels, state
timelines and capacity charts. Everything public is a name of this package;
each is loaded when it is first asked for, so that importing it costs nothing.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastlaunch_nb.aws.accounts import Target as Target
    from fastlaunch_nb.aws.accounts import targets as targets
    from fastlaunch_nb.charts.capacities import capacity as capacity
    from fastlaunch_nb.charts.fleets import fleet_map as fleet_map
    from fastlaunch_nb.charts.mixes import state_mix as state_mix
    from fastlaunch_nb.charts.sizings import sizing_curve as sizing_curve
    from fastlaunch_nb.charts.timelines import timeline as timeline
    from fastlaunch_nb.charts.words import text as text
    from fastlaunch_nb.demo.running import demo as demo
    from fastlaunch_nb.enrich.asked import enrich as enrich
    from fastlaunch_nb.enrich.asked import metrics as metrics
    from fastlaunch_nb.enrich.asked import snapshots as snapshots
    from fastlaunch_nb.errors import FastLaunchError as FastLaunchError
    from fastlaunch_nb.errors import FastLaunchWarning as FastLaunchWarning
    from fastlaunch_nb.errors import InputError as InputError
    from fastlaunch_nb.errors import MissingExtraError as MissingExtraError
    from fastlaunch_nb.errors import ReadError as ReadError
    from fastlaunch_nb.errors import SetupError as SetupError
    from fastlaunch_nb.errors import SourceError as SourceError
    from fastlaunch_nb.errors import StoreError as StoreError
    from fastlaunch_nb.errors import SweepError as SweepError
    from fastlaunch_nb.filters.filters import Filters as Filters
    from fastlaunch_nb.findings.found import RULES as RULES
    from fastlaunch_nb.findings.found import findings as findings
    from fastlaunch_nb.findings.rules import Rule as Rule
    from fastlaunch_nb.history.memory import History as History
    from fastlaunch_nb.intervals.reckoned import intervals as intervals
    from fastlaunch_nb.panel.linked import panel as panel
    from fastlaunch_nb.pool.model import Pool as Pool
    from fastlaunch_nb.pool.sizing import right_size as right_size
    from fastlaunch_nb.report import embed as embed
    from fastlaunch_nb.schema.joins import Prices as Prices
    from fastlaunch_nb.sources.events import from_events as from_events
    from fastlaunch_nb.sources.pages import from_pages as from_pages
    from fastlaunch_nb.sweep.fleet import sweep as sweep
    from fastlaunch_nb.sweep.one import describe as describe
    from fastlaunch_nb.sweep.result import Sweep as Sweep

__version__ = "0.1.0"

_HOME = {
    "FastLaunchError": "errors",
    "FastLaunchWarning": "errors",
    "Filters": "filters.filters",
    "History": "history",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "Pool": "pool",
    "Prices": "schema.joins",
    "RULES": "findings",
    "ReadError": "errors",
    "Rule": "findings",
    "SetupError": "errors",
    "SourceError": "errors",
    "StoreError": "errors",
    "Sweep": "sweep",
    "SweepError": "errors",
    "Target": "aws",
    "capacity": "charts",
    "demo": "demo",
    "describe": "sweep",
    "embed": "report",
    "enrich": "enrich",
    "findings": "findings",
    "fleet_map": "charts",
    "from_events": "sources.events",
    "from_pages": "sources.pages",
    "intervals": "intervals",
    "metrics": "enrich",
    "panel": "panel",
    "right_size": "pool",
    "sizing_curve": "charts",
    "snapshots": "enrich",
    "state_mix": "charts",
    "sweep": "sweep",
    "targets": "aws",
    "text": "charts",
    "timeline": "charts",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Face(types.ModuleType):
    """The package as Python sees it.

    Importing ``fastlaunch_nb.panel`` binds the submodule to the package under
    the very name of the public function that lives in it. The function wins.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, types.ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
