"""The command line of ``python -m fastlaunch_nb``."""

from fastlaunch_nb.cli.main import run

run()
