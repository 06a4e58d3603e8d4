"""Charts: frame in, plotly Figure out; a file for each, the look and the words they share.

Pure: no clock, no network, no state.
"""

from fastlaunch_nb.charts.capacities import capacity
from fastlaunch_nb.charts.fleets import fleet_map
from fastlaunch_nb.charts.look import STATE_LOOKS, UNSEEN, Look, state_look
from fastlaunch_nb.charts.mixes import state_mix
from fastlaunch_nb.charts.sizings import sizing_curve
from fastlaunch_nb.charts.timelines import timeline
from fastlaunch_nb.charts.words import FigureText, figure_text, images_of_rows, text

__all__ = [
    "STATE_LOOKS",
    "UNSEEN",
    "FigureText",
    "Look",
    "capacity",
    "figure_text",
    "fleet_map",
    "images_of_rows",
    "sizing_curve",
    "state_look",
    "state_mix",
    "text",
    "timeline",
]
