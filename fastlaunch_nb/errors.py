"""The error policy, and the exceptions and warnings that carry it out.

Asking for one thing raises. Asking for many returns what worked and, as rows,
what did not. Every message says what was asked, what came instead, and what to
do next. Bad input is refused before a request leaves. Credentials, session
tokens and signatures appear in no message: text that AWS sent passes through
:func:`redact` first.

::

    FastLaunchError
    ├── InputError (ValueError)         what was asked can not be asked; nothing was sent
    │   └── SourceError                 what was handed over is nothing of Fast Launch
    ├── SetupError                      no region, no credentials, an expired login
    ├── ReadError                       AWS, or the way to it, answered with an error
    ├── SweepError                      of many reads some failed, and all were wanted
    ├── StoreError                      a history's store could not be read or written
    └── MissingExtraError (ImportError) an optional dependency is not installed

    FastLaunchWarning (UserWarning)     it worked, and there is something to know
"""

from __future__ import annotations

import difflib
import re
import sys
import warnings
from collections.abc import Iterable
from functools import partial
from typing import Any

_SECRETS = re.compile(
    r"(?:AKIA|ASIA)[A-Z0-9]{12,}"  # access key ids
    r"|Signature=\S+"
    r"|(?<=//)\S+@"  # user and password in the address of an endpoint or a proxy
    r"|(?s:(?<=Invalid header value ).*)"  # what urllib3 refuses to send, in full
    r"|(?<![\w+/=-])[A-Za-z0-9+/]{40}(?![\w+/=-])"  # secret access keys
    r"|[A-Za-z0-9+/=_%-]{60,}"  # session tokens, encoded authorization messages
)


class FastLaunchError(Exception):
    """Base of every exception that fastlaunch_nb raises on purpose."""


class InputError(FastLaunchError, ValueError):
    """What was asked can not be asked. Nothing was sent."""


class SourceError(InputError):
    """What was handed over is neither pages nor events of Fast Launch, or can not be read."""


class SetupError(FastLaunchError):
    """Something on this side is missing: a region, credentials, a valid login."""


class ReadError(FastLaunchError):
    """AWS, or the way to it, answered with an error.

    Attributes
    ----------
    code : str
        AWS's error code, such as ``UnauthorizedOperation``; where no answer
        came at all, the name of botocore's exception.
    request_id : str or None
        AWS's id of the request, for a support case.
    date : str or None
        When AWS answered, as its ``Date`` header has it.
    """

    def __init__(
        self, message: str, *, code: str, request_id: str | None = None, date: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id
        self.date = date

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle: it may come home from another process."""
        made = partial(ReadError, code=self.code, request_id=self.request_id, date=self.date)
        return made, self.args


class SweepError(FastLaunchError):
    """Of many reads some failed, and a strict sweep wanted all; the message names each.

    Attributes
    ----------
    sweep : Sweep
        What was read all the same, and what failed, as data.
    """

    def __init__(self, message: str, sweep: Any) -> None:
        super().__init__(message)
        self.sweep = sweep

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle: it may come home from another process."""
        return SweepError, (*self.args, self.sweep)


class StoreError(FastLaunchError):
    """A history's store could not be read or written; what was in it is still there."""


class MissingExtraError(FastLaunchError, ImportError):
    """An optional dependency is not installed; the message has the pip command."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs more: pip install 'fastlaunch_nb[{extra}]'")


class FastLaunchWarning(UserWarning):
    """It worked, and there is something the reader of the result should know."""


_OURS = frozenset({"fastlaunch_nb", "contextlib", "functools"})


def warn(message: str, category: type[Warning] = FastLaunchWarning) -> None:
    """Warn at the line that called the toolkit, however deep inside it the reason was found."""
    level, caller = 1, sys._getframe()
    while caller.f_back and caller.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, caller = level + 1, caller.f_back
    warnings.warn(message, category, stacklevel=level)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?``, or nothing where no known word is close.

    Examples
    --------
    >>> did_you_mean("stat", ["state", "owner-id"])
    " Did you mean 'state'?"
    >>> did_you_mean("colour", ["state", "owner-id"])
    ''
    """
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def redact(text: str) -> str:
    r"""Return text of AWS's as a message may have it: no keys, tokens or signatures, on one line.

    Examples
    --------
    >>> redact("AKIAIOSFODNN7EXAMPLE is not known,\nSignature=1a2b3c")
    '*** is not known, ***'
    """
    return spelt_out(" ".join(_SECRETS.sub("***", text).split()))


def spelt_out(text: str) -> str:
    r"""Return text in which what a screen would obey, turn around or hide is spelt out.

    That is what Unicode does not call printable, such as control characters and
    marks of direction.

    Examples
    --------
    >>> print(spelt_out("\x1b[31mred \u202eback"))
    \x1b[31mred \u202eback
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
