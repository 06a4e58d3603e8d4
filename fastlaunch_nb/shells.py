"""Quoting for the shells that people paste commands into.

A command means the same in its shell as its words do, or there is no command: a shell that would
interpret a character even in quotes refuses the word.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Final

from fastlaunch_nb.errors import InputError

SHELLS: Final = ("posix", "powershell", "cmd")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/-]+")  # without = and ,: a loop of cmd drops them
_SINGLE_QUOTES: Final = re.compile("['\u2018-\u201b]")
_NOT_HARMLESS: Final = re.compile(r"[^A-Za-z0-9_.:,/@+ -]")
_NAMES: Final = {"powershell": "PowerShell", "cmd": "the Command Prompt"}
# PowerShell 5.1 and 7 pass double quotes on in different ways, and 5.1 takes typographic quotes
# for plain ones. A backslash before the closing quote would quote that. The Command Prompt
# replaces variables in quotes, and cannot have lines in a word.
_REFUSED: Final = {
    "powershell": re.compile('["\0\r\n\u2018-\u201f]|\\\\$'),
    "cmd": re.compile('["%!\0\r\n]|\\\\$'),
}


def get_native_shell() -> str:
    """Return the shell that people most likely use on this machine."""
    return "powershell" if sys.platform == "win32" else "posix"


def check_shell(shell: str) -> None:
    """Raise InputError for a shell that is not known."""
    if shell not in SHELLS:
        expected = ", ".join(map(repr, SHELLS))
        raise InputError(f"shell is {shell!r}. Expected one of {expected}.")


def join_words(words: Iterable[str], shell: str) -> str:
    """Join the words of a command for a shell, those in quotes that need it.

    Raises
    ------
    InputError
        If the shell would interpret a character of a word even in quotes.

    Examples
    --------
    >>> words = ["aws", "ec2", "describe-images", "--owners", "it's mine"]
    >>> print(join_words(words, "posix"))
    aws ec2 describe-images --owners 'it'"'"'s mine'
    >>> print(join_words(words, "powershell"))
    aws ec2 describe-images --owners 'it''s mine'
    >>> print(join_words(words, "cmd"))
    aws ec2 describe-images --owners "it's mine"
    """
    check_shell(shell)
    return shlex.join(words) if shell == "posix" else " ".join(_quote(w, shell) for w in words)


def _quote(word: str, shell: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    if _REFUSED[shell].search(word):
        raise InputError(
            f"A word has a character that {_NAMES[shell]} changes even in quotes: {word!r}. "
            "Use another shell."
        )
    return f'"{word}"' if shell == "cmd" else quote_powershell(word)


def quote_powershell(text: str) -> str:
    r"""Quote text as a literal of PowerShell, with each of its single quotes doubled.

    PowerShell takes typographic quotes for plain ones.

    Raises
    ------
    InputError
        If it has a line break or another character that controls a screen.

    Examples
    --------
    >>> print(quote_powershell("it's"))
    'it''s'
    """
    if not text.isprintable():
        raise InputError(f"No line of PowerShell can have this text: {text!r}.")
    doubled = _SINGLE_QUOTES.sub(lambda match: match[0] * 2, text)
    return f"'{doubled}'"


def format_comment(text: str, shell: str) -> str:
    """Format text as a comment line.

    An interactive zsh runs comments as commands, so that all characters but harmless ones become
    question marks.

    Examples
    --------
    >>> format_comment("windows 2022 $(reboot)", "posix")
    '# windows 2022 ??reboot?'
    >>> format_comment("windows 2022", "cmd")
    'REM windows 2022'
    """
    check_shell(shell)
    mark = "REM" if shell == "cmd" else "#"
    return f"{mark} {_NOT_HARMLESS.sub('?', text)}"


# --- variables ------------------------------------------------------------------------

FORMATS: Final = ("sh", "fish", "powershell", "cmd")
"""The shells that :func:`format_environment` writes for."""
_REMOVALS: Final = {
    "sh": r"unset $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p') no_proxy",
    "fish": "for name in (set --names --export | string match 'AWS_*') no_proxy; "
    "set --erase $name; end",
    "powershell": "Remove-Item Env:AWS_*, Env:no_proxy -ErrorAction Ignore",
    "cmd": '@for /f "delims==" %%v in (\'set AWS_ 2^>nul\') do @set "%%v="',
}


def get_native_format() -> str:
    """Return the format of variables for :func:`get_native_shell`."""
    return "powershell" if get_native_shell() == "powershell" else "sh"


def format_environment(variables: Mapping[str, str], form: str) -> str:
    """Write a script that sets variables and removes all others of AWS, which could lead elsewhere.

    The script for ``cmd`` is a batch file, which ``call`` runs.

    Examples
    --------
    >>> print(format_environment({"AWS_REGION": "eu-west-1"}, "powershell"))
    Remove-Item Env:AWS_*, Env:no_proxy -ErrorAction Ignore
    $env:AWS_REGION = 'eu-west-1'
    """
    lines = [_format_variable(name, value, form) for name, value in variables.items()]
    return "\n".join([_REMOVALS[form], *lines])


def _format_variable(name: str, value: str, form: str) -> str:
    if form == "sh":
        return f"export {name}={shlex.quote(value)}"
    if form == "fish":
        return f"set -gx {name} {_quote_fish(value)}"
    if form == "powershell":
        return f"$env:{name} = {quote_powershell(value)}"
    escaped = value.replace("%", "%%")
    return f'@set "{name}={escaped}"'


def _quote_fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
