"""A process that repeats one activity, and reports what that has used up.

``python -m tests.helpers.wear demo 50`` prints the growth from the first rounds, which fill
caches, to the last one, as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable

from ipywidgets.widgets import widget

import fastlaunch_nb as fl
from tests.helpers.panel_widgets import make_images

WARM_UP = 10  # rounds


def run_demo() -> None:
    """Start a demo and stop it."""
    fl.demo().stop()


def use_panel() -> None:
    """Make a panel, show all of it, filter and replace its images, and close it."""
    panel = fl.panel(make_images(30))
    for tab in range(len(panel._tabs.children)):
        panel._tabs.selected_index = tab
    panel.selected = sorted(panel._data.keys, key=str)[:2]
    panel.undo()
    panel.filters = fl.Filters(state="enabled", text="ami")
    panel.update(make_images(20))
    panel.close()


def sweep_demo() -> None:
    """Sweep the running demo."""
    fl.sweep(regions=["us-east-1", "eu-west-1"], progress=False)


ACTIVITIES: dict[str, Callable[[], None]] = {
    "demo": run_demo,
    "panel": use_panel,
    "sweep": sweep_demo,
}


def measure() -> dict[str, int]:
    """Count what this process holds: blocks of memory, its peak in MB, files, threads, widgets."""
    gc.collect()
    return {
        "blocks": sys.getallocatedblocks(),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "files": len(os.listdir("/dev/fd")),
        "threads": threading.active_count(),
        "widgets": len(widget._instances),
    }


def measure_growth(name: str, rounds: int) -> dict[str, int]:
    """Repeat an activity in a process of its own; return the growth of each measure."""
    command = [sys.executable, "-m", __name__, name, str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    growth: dict[str, int] = json.loads(done.stdout)
    return growth


def repeat(name: str, rounds: int) -> dict[str, int]:
    """Repeat an activity here; return the growth of each measure after the warm-up."""
    before: dict[str, int] = {}
    for done in range(rounds):
        if done == WARM_UP:
            before = measure()
        ACTIVITIES[name]()
    return {what: value - before[what] for what, value in measure().items()}


if __name__ == "__main__":
    if sys.argv[1] == "sweep":
        fl.demo()
    print(json.dumps(repeat(sys.argv[1], int(sys.argv[2]))))
