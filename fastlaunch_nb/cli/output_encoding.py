"""Marks of our texts on terminals whose encoding lacks them, such as those of Windows.

A mark gets a similar one that every encoding has. Any other character, such as one of an image's
name, is written as an escape, so that no character is lost and no command fails halfway.
"""

from __future__ import annotations

import codecs
import sys
from contextlib import suppress
from typing import Final

_ERRORS: Final = "fastlaunch_nb"
_SUBSTITUTES: Final = str.maketrans(
    {
        **dict.fromkeys("–—", "-"),
        **dict.fromkeys("■▒▦▧▨▩█", "#"),
        **dict.fromkeys("▭○", "o"),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”", '"'),
        "…": "...",
        "·": "-",
        "×": "x",
        "●": "*",
        "▲": "^",
        "▼": "v",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
    }
)


def substitute(text: str) -> str:
    r"""Return text in ASCII: with similar marks, and escapes for all other characters.

    Examples
    --------
    >>> print(substitute("■ enabled, Zürich …"))
    # enabled, Z\xfcrich ...
    """
    return text.translate(_SUBSTITUTES).encode("ascii", "backslashreplace").decode()


def _handle_error(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return substitute(error.object[error.start : error.end]), error.end


def accept_all_characters() -> None:
    """Let stdout and stderr write every character, each in their own encoding."""
    codecs.register_error(_ERRORS, _handle_error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a stream of the caller, or a closed one
            stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]
