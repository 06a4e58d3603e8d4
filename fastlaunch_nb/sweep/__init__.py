"""Reading: one account and region, or all of them at once. Partial failure is data."""

from fastlaunch_nb.sweep.fleet import sweep
from fastlaunch_nb.sweep.one import describe
from fastlaunch_nb.sweep.result import Sweep, failure_lines

__all__ = ["Sweep", "describe", "failure_lines", "sweep"]
