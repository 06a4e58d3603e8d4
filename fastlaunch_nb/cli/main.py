"""The entry point of the command line.

Results go to stdout, everything else to stderr. Exit codes: 0 success, 1 failure,
2 wrong usage, 3 partial failure, 130 Ctrl-C. No failure of the system is a traceback.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from fastlaunch_nb.cli.exit_codes import (
    INTERRUPTED,
    explain_os_error,
    get_exit_code,
    print_error,
    print_requests,
    print_status,
    print_warnings,
)
from fastlaunch_nb.cli.output_encoding import accept_all_characters
from fastlaunch_nb.cli.parser import build_parser
from fastlaunch_nb.errors import FastLaunchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    try:
        try:
            options = build_parser().parse_args(arguments)
        finally:  # of --help
            sys.stdout.flush()
        module, _, name = options.command.partition(".")
        command = getattr(importlib.import_module(f"fastlaunch_nb.cli.{module}"), name)
        with print_warnings(), print_requests(getattr(options, "verbose", False)):
            command(options)
            sys.stdout.flush()
    except FastLaunchError as error:
        print_error(error)
        return get_exit_code(error)
    except KeyboardInterrupt:
        print_status("Stopped.")
        return INTERRUPTED
    except OSError as error:
        print_error(explain_os_error(error))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is in its buffer
        return 1
    return 0


def run() -> None:
    """Run a command and exit; after Ctrl-C do not wait for reads that get no answer."""
    if sys.stdout is None:  # closed, as by `>&-`
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: SIM115  cannot be written either
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    accept_all_characters()
    code = main()
    if code == INTERRUPTED:
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
