"""How a command ends: its exit code, and what it says on stderr about trouble."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from fastlaunch_nb.errors import FastLaunchError, FastLaunchWarning, InputError, SweepError

ENDED_BY_CTRL_C = 130  # as a shell says it


class PartialError(FastLaunchError):
    """Not all that was asked could be read; what could be is printed. A line a failure."""

    def __init__(self, lines: Iterable[str], *, nothing: bool) -> None:
        super().__init__("\n".join(lines))
        self.code = 1 if nothing else 3


def exit_code(error: FastLaunchError) -> int:
    """Return the exit code of a command that ends so."""
    if isinstance(error, PartialError):
        return error.code
    return 2 if isinstance(error, InputError) else 1


@contextmanager
def warnings_in_words() -> Iterator[None]:
    """Say each of our warnings once, as a line of text, without its place in the code."""
    said = set()

    def say_once(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in said:
            said.add(str(message))
            complain(message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", FastLaunchWarning)
        warnings.showwarning = say_once
        yield


def complain(trouble: Exception | str) -> None:
    """Say what went wrong, on one line, or one a failure: it may quote what AWS sent."""
    from fastlaunch_nb.formatting import single_line  # which loads pandas: not for --help

    many = isinstance(trouble, SweepError | PartialError)
    for line in str(trouble).splitlines() if many else [trouble]:
        say(f"fastlaunch-nb: {single_line(line)}")


def say(text: str) -> None:
    """Say something to who is watching, besides the result."""
    print(text, file=sys.stderr, flush=True)
