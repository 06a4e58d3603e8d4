"""Exit codes of commands, and their messages on stderr."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from fastlaunch_nb.errors import FastLaunchError, FastLaunchWarning, InputError, SweepError

INTERRUPTED = 130  # as shells report Ctrl-C


class PartialError(FastLaunchError):
    """Some or all reads failed, one line for each; the command has printed the others."""

    def __init__(self, lines: Iterable[str], *, nothing_read: bool) -> None:
        super().__init__("\n".join(lines))
        self.code = 1 if nothing_read else 3


def get_exit_code(error: FastLaunchError) -> int:
    """Return the exit code of a command that raises an error."""
    if isinstance(error, PartialError):
        return error.code
    return 2 if isinstance(error, InputError) else 1


def explain_os_error(error: OSError) -> str:
    """Explain why a folder, a file or the output cannot be used."""
    if isinstance(error, BrokenPipeError):
        return "The program that reads the output has closed it, so the rest is not printed."
    try:
        os.getcwd()
    except FileNotFoundError:
        return "The current folder no longer exists. Change to another one."
    what = "The output" if error.filename is None else repr(str(error.filename))
    return f"{what} cannot be used: {error.strerror or error}."


@contextmanager
def print_warnings() -> Iterator[None]:
    """Print each of our warnings once, as a line of text without its place in the code."""
    printed = set()

    def print_once(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in printed:
            printed.add(str(message))
            print_error(message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", FastLaunchWarning)
        warnings.showwarning = print_once
        yield


@contextmanager
def print_requests(is_verbose: bool) -> Iterator[None]:
    """Print the log of requests on stderr; also that of processes that are started meanwhile."""
    if not is_verbose:
        yield
        return
    from fastlaunch_nb.aws.request_log import LOGGER, VERBOSE, make_printer

    printer, level, earlier = make_printer(), LOGGER.level, os.environ.get(VERBOSE)
    LOGGER.addHandler(printer)
    LOGGER.setLevel(logging.INFO)
    os.environ[VERBOSE] = "1"
    try:
        yield
    finally:
        LOGGER.removeHandler(printer)
        LOGGER.setLevel(level)
        os.environ.pop(VERBOSE)
        os.environ |= {VERBOSE: earlier} if earlier is not None else {}


def print_error(error: Exception | str) -> None:
    """Print an error on stderr, each failure on a single line, as it may quote AWS."""
    from fastlaunch_nb.formatting import to_single_line  # loads pandas, which --help does not need

    has_lines = isinstance(error, SweepError | PartialError)
    for line in str(error).splitlines() if has_lines else [error]:
        print_status(f"fastlaunch-nb: {to_single_line(line)}")


def print_status(text: str) -> None:
    """Print a message on stderr, next to the result on stdout, which matters more."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
