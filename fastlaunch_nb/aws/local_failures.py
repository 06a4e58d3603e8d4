"""Explanations of failures on this machine: programs, files, prompts, profiles, configuration.

They name the program, the file, the variable or the profile, and never quote content: a line of
a credentials file, or the output of a program, may be a secret.
"""

from __future__ import annotations

import codecs
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import botocore.exceptions as failures
from botocore.compat import compat_shell_split
from botocore.httpsession import get_cert_path

if TYPE_CHECKING:
    import boto3

Profile: TypeAlias = tuple[str, Mapping[str, Any]]
"""The name of a profile, and its settings."""

_CREDENTIAL_MODULES = frozenset({"botocore.credentials", "botocore.tokens", "getpass"})
_PROCESS: Final = "custom-process"  # botocore's name for credential_process
_ENCODINGS = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_MAX_OUTPUT = 300  # characters of a program's message
_PLAIN_NAME = re.compile(r"[\w+=,.@/:-]+", re.ASCII)  # needs no quotes in any shell


# --- profiles -------------------------------------------------------------------------


def list_profiles(session: boto3.Session | None) -> list[Profile]:
    """Return the profile of a session, and those that it takes its credentials from, in order."""
    if session is None:
        return []
    profiles: dict[str, Any] = {}
    with suppress(failures.BotoCoreError):
        profiles = dict(session._session.full_config.get("profiles", {}))
    name: str | None = str(session.profile_name)
    found = []
    while name is not None:
        settings = profiles.pop(name, {})
        found.append((name, settings))
        source = settings.get("source_profile")
        name = str(source) if source in profiles else None
    return found


def format_login(session: boto3.Session | None, command: str) -> str:
    """Return the command that renews a login; a role's profile logs in with its source profile."""
    profiles = list_profiles(session) or [("default", {})]
    return f"aws {command} --profile {quote_name(profiles[-1][0])}"


def quote_name(name: str) -> str:
    """Quote a profile's name for POSIX shells, PowerShell and cmd.

    Double quotes work in all three. Single quotes, which cmd does not know, are for names in
    which double quotes would change a character.

    Examples
    --------
    >>> print(quote_name("build-farm"), quote_name("Team A"), quote_name("a $b"))
    build-farm "Team A" 'a $b'
    """
    if _PLAIN_NAME.fullmatch(name):
        return name
    return shlex.quote(name) if set(name) & set('$`"\\!') else f'"{name}"'


def describe_renewal(session: boto3.Session | None) -> str:
    """Describe how to renew the credentials of a session, as they come from."""
    method = getattr(getattr(session, "_session", None), "_credentials", None)
    settings = {key for _, profile in list_profiles(session) for key in profile}
    if getattr(method, "method", None) == "env":
        return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN again"
    if settings & {"sso_session", "sso_start_url"}:
        return f"run `{format_login(session, 'sso login')}`"
    if "login_session" in settings:
        return f"run `{format_login(session, 'login')}`"
    return f"renew them; for a profile with SSO, run `{format_login(session, 'sso login')}`"


# --- failures -------------------------------------------------------------------------


def is_about_credentials(error: BaseException) -> bool:
    """Return True if an exception was raised while botocore looked for credentials."""
    frames = traceback.walk_tb(error.__traceback__)
    modules = {frame.f_globals.get("__name__") for frame, _ in frames}
    return bool(modules & _CREDENTIAL_MODULES) or _is_prompt(error)


def explain_failure(error: BaseException, session: boto3.Session | None) -> str:
    """Explain a failure on this machine in a part of a sentence. It may have secrets of URLs."""
    profiles = list_profiles(session)
    if isinstance(error, failures.ConfigParseError):
        return _explain_configuration(error)
    if isinstance(error, failures.ProfileNotFound) and " " in str(error.kwargs["profile"]):
        return f'{error}: a name with spaces needs quotes there, as in [profile "Team A"]'
    if isinstance(error, failures.SSLError):
        return f"{error} (the file of CAs is {_find_ca_file(session)!r})"
    if _is_prompt(error):
        serials = [settings["mfa_serial"] for _, settings in profiles if "mfa_serial" in settings]
        return f"the code of the MFA device {' '.join(serials[:1])}".rstrip()
    program = next(_iter_programs(profiles), None)
    if program and _is_of_program(error):
        return _explain_program(error, *program)
    is_of_file = isinstance(error, OSError) and error.filename is not None
    return _explain_file(error, profiles) if is_of_file else str(error)


def _is_prompt(error: BaseException) -> bool:
    """Return True if a prompt for input found nobody to answer it."""
    frames = traceback.walk_tb(error.__traceback__)
    return (
        isinstance(error, EOFError)
        or type(error).__name__ == "StdinNotImplementedError"  # of IPython, which may be missing
        or any(frame.f_globals.get("__name__") == "getpass" for frame, _ in frames)
    )


def _find_ca_file(session: boto3.Session | None) -> str:
    """Return the file of CAs that a session's clients trust."""
    chosen = None
    if session is not None:
        with suppress(failures.BotoCoreError):
            chosen = session._session.get_config_variable("ca_bundle")
    return str(get_cert_path(chosen or True))


def _explain_configuration(error: failures.ConfigParseError) -> str:
    """Name the file and, if possible, the line that cannot be parsed, but not its content."""
    path, reason = str(error.kwargs["path"]), error.kwargs.get("error")
    with suppress(OSError), open(path, "rb") as file:
        start = file.read(3)
        for mark, encoding in _ENCODINGS.items():
            if start.startswith(mark):
                return f"{path} begins with a byte order mark of {encoding}, which boto3 refuses"
    numbers = [number for number, _ in getattr(reason, "errors", ())]
    line = getattr(reason, "lineno", None) or next(iter(numbers), None)
    where = f"line {line} of {path}" if line else path
    return f"{where} cannot be parsed" + (f" ({type(reason).__name__})" if reason else "")


def _iter_programs(profiles: list[Profile]) -> Iterator[tuple[str, str]]:
    """Yield profiles with a program for credentials, and the program without its arguments."""
    for name, settings in profiles:
        if command := settings.get("credential_process"):
            words = [command]
            with suppress(ValueError):
                words = compat_shell_split(command, sys.platform)
            yield name, next(iter(words), "")


def _is_of_program(error: BaseException) -> bool:
    """Return True if an exception is about the program of credential_process."""
    if isinstance(error, failures.BotoCoreError):
        return bool(error.kwargs.get("provider") == _PROCESS)
    return is_about_credentials(error)


def _explain_program(error: BaseException, profile: str, program: str) -> str:
    """Explain the failure of a program, with its words on stderr."""
    start = f"the program {program!r}, credential_process of profile {profile!r},"
    if isinstance(error, OSError):
        return f"{start} cannot be run: {error.strerror or type(error).__name__}"
    if isinstance(error, failures.BotoCoreError):
        output = " ".join(str(error.kwargs.get("error_msg", "")).split())
        return f"{start} failed: {output[-_MAX_OUTPUT:] or 'it wrote nothing to stderr'}"
    if isinstance(error, RuntimeError):
        return f"{start} printed credentials that have expired"
    return f"{start} printed no credentials in the form that boto3 reads"


def _explain_file(error: Any, profiles: list[Profile]) -> str:
    """Name a file that cannot be read, and the variable or setting that names it."""
    path = os.fspath(error.filename)
    names = [f"the variable {k}" for k, value in os.environ.items() if value and value == path]
    names += [
        f"{key} of profile {profile!r}"
        for profile, settings in profiles
        for key, value in settings.items()
        if value == path
    ]
    source = f", which {names[0]} names," if names else ""
    reason = error.strerror or type(error).__name__
    return f"the file {path!r}{source} cannot be read: {reason}"
