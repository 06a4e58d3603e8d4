"""The command line: parse arguments, call the package, print results."""

from fastlaunch_nb.cli.main import run as run  # the entry point in pyproject.toml
