"""The error policy, and the exceptions and warnings that carry it out.

A call that reads one thing raises. A call that reads many returns what worked and reports the
failures as rows. Every message names the request, the answer, and what to do next. Invalid
arguments raise before any request is sent. Credentials, session tokens and signatures appear in
no message: text from AWS passes through :func:`redact` first. It leaves ARNs, principals and
policies, which a message must name.

::

    FastLaunchError
    ├── InputError (ValueError)         an argument is invalid; no request was sent
    │   └── SourceError                 a source is unreadable, or not of Fast Launch
    ├── SetupError                      no region, no credentials, an expired login
    ├── ReadError                       AWS, or the network, answered with an error
    ├── SweepError                      a strict sweep could not read everything
    ├── StoreError                      a history store cannot be read or written
    └── MissingExtraError (ImportError) an optional dependency is not installed

    FastLaunchWarning (UserWarning)     it worked, with something to know about the result
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial, wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

P = ParamSpec("P")
R = TypeVar("R")

_SECRETS = re.compile(
    r"(?P<arn>\barn:aws[\w-]*:[\w-]*:[\w-]*:\d*:[\w+=,.@:/*$-]+)"  # no secret
    r"|(?P<label>(?i:"  # whatever follows such a name
    r"(?:(?:secret[ _-]?(?:access[ _-]?)?key|(?:session|security|id|access|refresh)[ _-]?token"
    r"|signature|failure message)[\"']?\s*[:=]\s*[\"']?(?=[^\s\"',;}]{16}))"
    r"|(?:\b(?:password|passwd|client_?secret|token)(?:=|[\"']\s*:\s*)[\"']?)"
    r"|\bbearer\s+(?=\S{16})))[^\s\"',;}]+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}"  # access key ids
    r"|Signature=\S+"
    r"|\beyJ[\w-]+\.eyJ[\w-]+(?:\.[\w-]*)?"  # web identity tokens
    r"|(?<=//)\S+@"  # user and password in the address of an endpoint or a proxy
    r"|(?<=\?)[^\s\"'?=]+=[^\s\"']+"  # the query of an address
    r"|(?s:(?<=Invalid header value ).*)"  # what urllib3 refuses to send, in full
    # Secret access keys; session tokens, signatures and encoded messages.
    r"|(?P<opaque>(?<![\w+/=-])[A-Za-z0-9+/]{40}(?![\w+/=-])|[A-Za-z0-9+/=_%-]{60,})"
)
_HEX_ID = re.compile(
    r"(?<![A-Za-z0-9])(?=[a-f]*[0-9])[0-9a-f]{8,40}(?![A-Za-z0-9])"
)  # a signature has 64
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_KEY_LENGTH = 40  # of secret access keys; whatever is opaque and longer has 60 or more
_NAME_OF_KEY = (0.9, 3.2)  # least share of letters in words, and length of words, of a name
_NAME_OF_TOKEN = (0.75, 2.8)
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
_NAMES_ADDRESS = re.compile(r"^AWS_ENDPOINT_URL|^(https?|all)_proxy$", re.IGNORECASE)


class FastLaunchError(Exception):
    """Base of every exception that fastlaunch_nb raises on purpose."""

    def summary(self) -> str:
        """Return the text without region and request id, for tables that have columns of both."""
        return str(self)


class InputError(FastLaunchError, ValueError):
    """An argument is invalid. No request was sent."""


class SourceError(InputError):
    """A source is unreadable, or holds neither pages nor events of Fast Launch."""


class SetupError(FastLaunchError):
    """A region, credentials or a valid login is missing on this machine."""


class ReadError(FastLaunchError):
    """AWS, or the network, answered with an error.

    Its text has three parts: the request, the answer, and what to do next.

    Attributes
    ----------
    message : str
        The explanation in the answer, without secrets.
    code : str
        AWS's error code, or without an answer the name of botocore's exception.
    operation : str
        The requested operation, such as ``DescribeFastLaunchImages``.
    failed_operation : str
        The one that failed: `operation`, or a call for credentials, such as ``AssumeRole``.
    region : str or None
        The region of the request.
    request_id : str or None
        AWS's id of the request, for a support case.
    remedy : str
        What to do next; empty if no remedy is known.
    date : str or None
        The time of the answer, from its ``Date`` header.

    Examples
    --------
    >>> error = ReadError("You are not authorized.", code="UnauthorizedOperation",
    ...                   operation="DescribeImages", region="eu-west-1", request_id="1a2b3c",
    ...                   remedy="Allow the IAM action ec2:DescribeImages.")
    >>> print(error)  # doctest: +NORMALIZE_WHITESPACE
    DescribeImages in eu-west-1: AWS answered UnauthorizedOperation (request 1a2b3c):
    You are not authorized. Allow the IAM action ec2:DescribeImages.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        operation: str = "",
        failed_operation: str = "",
        region: str | None = None,
        request_id: str | None = None,
        remedy: str = "",
        date: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.operation = operation
        self.failed_operation = failed_operation or operation
        self.region = region
        self.request_id = request_id
        self.remedy = remedy
        self.date = date

    def __str__(self) -> str:
        return self._render(self.region, self.request_id)

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, as workers of a process pool return errors."""
        return partial(ReadError, code=self.code), self.args, vars(self)

    def summary(self) -> str:
        """Return the text without region and request id."""
        return self._render(None, None)

    def _render(self, region: str | None, request_id: str | None) -> str:
        request = f"{self.operation} in {region}" if region else self.operation
        answer = f"AWS answered {self.code}" if self.request_id else self.code
        if self.failed_operation != self.operation:
            answer += f" to {self.failed_operation}"
        if request_id:
            answer += f" (request {request_id})"
        text = ": ".join(filter(None, (request, redact(answer), self.message)))
        end = "" if text.endswith((".", "!", "?", "…")) else "."
        return f"{text}{end} {self.remedy}".rstrip()


class SweepError(FastLaunchError):
    """A strict sweep could not read everything; the message names each failure.

    Attributes
    ----------
    sweep : Sweep
        The rows that were read, and the failures.
    """

    def __init__(self, message: str, sweep: Any) -> None:
        super().__init__(message)
        self.sweep = sweep

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling."""
        return SweepError, (*self.args, self.sweep)


class StoreError(FastLaunchError):
    """A history store cannot be read or written; its files are unchanged."""


class MissingExtraError(FastLaunchError, ImportError):
    """An optional dependency is not installed; the message has the pip command."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs more: pip install "fastlaunch_nb[{extra}]"')


class FastLaunchWarning(UserWarning):
    """The call worked, but the reader of its result should know something."""


_MESSAGES: ContextVar[list[str] | None] = ContextVar("messages", default=None)
_INTERNAL = frozenset({"fastlaunch_nb", "contextlib", "functools"})


def warn(message: str, category: type[Warning] = FastLaunchWarning) -> None:
    """Warn at the line that called the toolkit, from any depth inside it."""
    if (messages := _MESSAGES.get()) is not None and category is FastLaunchWarning:
        messages.append(message)
        return
    level, caller = 1, sys._getframe()
    while caller.f_back and caller.f_globals.get("__name__", "").partition(".")[0] in _INTERNAL:
        level, caller = level + 1, caller.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect what :func:`warn` says in a block and in its thread, for a page that shows it.

    Python's own filters of warnings are those of all threads.

    Examples
    --------
    >>> with collect_warnings() as messages:
    ...     warn("The quota could not be read.")
    >>> messages
    ['The quota could not be read.']
    """
    messages: list[str] = []
    token = _MESSAGES.set(messages)
    try:
        yield messages
    finally:
        _MESSAGES.reset(token)


def warn_renamed(old: str, new: str) -> None:
    """Warn at the caller's line that a public name has a new one; the old one still works.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warn_renamed("fl.text", "fl.alt_text")
    >>> print(caught[0].message)
    fl.text is now fl.alt_text. The old name goes with the next release.
    """
    warn(f"{old} is now {new}. The old name goes with the next release.", DeprecationWarning)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?``, or an empty string if no known word is close.

    Examples
    --------
    >>> did_you_mean("stat", ["state", "owner-id"])
    " Did you mean 'state'?"
    >>> did_you_mean("colour", ["state", "owner-id"])
    ''
    """
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def redact(text: str, addresses: Iterable[str] = ()) -> str:
    r"""Remove keys, tokens and signatures from text of AWS, and put it on one line.

    Remove also users, passwords and queries of `addresses`, and of those of proxies and
    endpoints in the environment.

    Examples
    --------
    >>> redact("AKIAIOSFODNN7EXAMPLE is not known,\nSignature=1a2b3c")
    '*** is not known, ***'
    >>> redact("'pa' is no port of http://me:pa%2fss", ["http://me:pa/ss@proxy"])
    "'***' is no port of http://***"
    """
    return escape_unprintable(" ".join(remove_secrets(text, addresses).split()))


def describe_exception(error: BaseException, addresses: Iterable[str] = ()) -> str:
    """Return the type and the text of any exception, without secrets; some have no text.

    Examples
    --------
    >>> describe_exception(ValueError("no number")), describe_exception(EOFError())
    ('ValueError: no number', 'EOFError')
    """
    return ": ".join(filter(None, (type(error).__name__, redact(str(error), addresses))))


def remove_secrets(text: str, addresses: Iterable[str] = (), secrets: Iterable[str] = ()) -> str:
    """Remove what :func:`redact` removes, and these secrets; leave the rest of a text as it is.

    Examples
    --------
    >>> remove_secrets("two  spaces, hunter2", secrets=["hunter2"])
    'two  spaces, ***'
    """
    named = {value for name, value in os.environ.items() if _NAMES_ADDRESS.search(name)}
    pattern = _match_secrets(frozenset(named.union(addresses)), frozenset(secrets))
    return _SECRETS.sub(_mask, pattern.sub("***", text))


def _mask(match: re.Match[str]) -> str:
    """Return what replaces a match: itself if it is public, or else asterisks."""
    if match["arn"] or (match["opaque"] and _is_name(match["opaque"])):
        return match[0]
    return f"{match['label'] or ''}***"


def _is_name(text: str) -> bool:
    """Return True if text consists of words and ids, as long names and paths do.

    Of random keys of 40 characters, one in 600,000 does; of longer tokens, none.

    Examples
    --------
    >>> _is_name("role/ci/WindowsFleetImageBuilderReadOnlyAccess-0123456789abcdef")
    True
    >>> _is_name("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    False
    """
    words = _WORD.findall(_HEX_ID.sub("", text))
    letters = [word for word in words if word.isalpha()]
    spoken = [word for word in letters if 3 <= len(word) <= 20 and _VOWEL.search(word)]
    share, length = _NAME_OF_KEY if len(text) == _KEY_LENGTH else _NAME_OF_TOKEN
    is_spoken = _count(spoken) >= share * _count(letters)
    return is_spoken and _count(words) >= length * len(words)


def _count(words: Iterable[str]) -> int:
    return sum(map(len, words))


@lru_cache
def _match_secrets(addresses: frozenset[str], secrets: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern that matches secrets, and those of addresses, in any case and encoding."""
    patterns = {pattern for address in addresses for pattern in _list_secrets(address)}
    patterns |= {"".join(map(_match_character, secret)) for secret in secrets}
    longest_first = sorted(patterns, key=lambda pattern: (-len(pattern), pattern))
    return re.compile("|".join(longest_first) or "(?!)", re.IGNORECASE)


def _list_secrets(address: str) -> Iterator[str]:
    """Yield patterns of the user, the password and the query of an address, and of their parts.

    If a password has delimiters, each reader of the address takes another part for the host.
    Users, parts, and secrets of one to three characters match whole words only.
    """
    rest = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", address)
    userinfo, query = rest.rpartition("@")[0], rest.partition("?")[2]
    user, _, password = userinfo.partition(":")
    values = [pair.partition("=")[2] for pair in query.split("&")]
    for secret in (user, userinfo, password, query, *values):
        for form in {secret, unquote(secret)}:
            for part in filter(None, (form, *re.split(r"[][\\/?#@:]", form))):
                pattern = "".join(map(_match_character, part))
                is_whole = part == form != user and len(part) > 3
                yield pattern if is_whole else rf"(?<!\w){pattern}(?!\w)"


def _match_character(character: str) -> str:
    """Return a pattern that matches a character, also as a URL or Python's repr writes it."""
    forms = {" ": [r"\+"], "\\": [r"\\\\"], "'": [r"\\'"]}.get(character, [])
    forms += ["".join(f"%{byte:02x}" for byte in character.encode()), re.escape(character)]
    return f"(?:{'|'.join(forms)})"


def escape_unprintable(text: str) -> str:
    r"""Escape characters that a terminal would obey, reverse or hide.

    Unicode calls them not printable, such as control characters and direction marks.

    Examples
    --------
    >>> print(escape_unprintable("\x1b[31mred \u202eback"))
    \x1b[31mred \u202eback
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def accept_old_names(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keyword arguments under their old names as well.

    Examples
    --------
    >>> @accept_old_names(colour="color")
    ... def paint(*, color="white"):
    ...     return color
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     paint(colour="red")
    'red'
    >>> print(caught[0].message)
    paint(colour=) is now paint(color=). The old name goes with the next release.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in new_names.keys() & kwargs.keys():
                new = new_names[old]
                if new in kwargs:
                    raise InputError(f"{old} is now {new}. Expected {new} alone. Got both.")
                warn_renamed(f"{function.__name__}({old}=)", f"{function.__name__}({new}=)")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
