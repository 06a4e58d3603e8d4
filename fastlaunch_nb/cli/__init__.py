"""The command line: parse, call, print; nothing else.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 it could
not be done, 2 it was asked wrongly, 3 a part of it could not be done, 130 Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from fastlaunch_nb.cli.exit_codes import (
    ENDED_BY_CTRL_C,
    complain,
    exit_code,
    say,
    warnings_in_words,
)
from fastlaunch_nb.cli.parser import build_parser
from fastlaunch_nb.errors import FastLaunchError

__all__ = ["main", "run"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options = build_parser().parse_args(arguments)
    room, _, name = options.command.partition(".")
    try:
        command = getattr(importlib.import_module(f"{__name__}.{room}"), name)
        with warnings_in_words():
            command(options)
            sys.stdout.flush()
    except FastLaunchError as error:
        complain(error)
        return exit_code(error)
    except KeyboardInterrupt:
        say("Stopped.")
        return ENDED_BY_CTRL_C
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def run() -> None:
    """Run a command and end: reads that get no answer do not hold the end up after Ctrl-C."""
    code = main()
    if code == ENDED_BY_CTRL_C:
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
