"""Sessions of boto3: which profile, region and credentials, found once and then shared.

A process opens each profile once. So an MFA code is entered once, and a role is assumed once
until its credentials expire, and not once for each call. A change of AWS's environment variables
or configuration files opens a new session.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from fastlaunch_nb.aws.error_translation import translate_botocore_errors
from fastlaunch_nb.aws.read_limits import limit_requests
from fastlaunch_nb.aws.request_log import log_requests
from fastlaunch_nb.errors import InputError, SetupError
from fastlaunch_nb.threads import ForkSafeLock

TIMEOUTS: Final = {"connect_timeout": 10, "read_timeout": 20}  # seconds; botocore's 60 are long
_FILES: Final = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}


class _OpenProfile(NamedTuple):
    """A session, and the configuration that it was opened with."""

    configuration: Hashable
    session: boto3.Session


_profiles: dict[str, _OpenProfile] = {}
_LOCK = ForkSafeLock()  # of these, and of the roles of sessions
_ROLES: Final = "fastlaunch_nb-roles"
"""The name of a component of botocore's sessions: the credentials of roles that they assumed."""


# --- opening --------------------------------------------------------------------------


def open_session(session: boto3.Session | None = None) -> boto3.Session:
    """Return `session`, or boto3's default session, or that of the credentials it finds."""
    if session is None:
        return boto3.DEFAULT_SESSION or open_profile_session(None)
    if not isinstance(session, boto3.Session):
        raise InputError(
            f"session is a {type(session).__name__}. Expected a boto3.Session, such as "
            "boto3.Session(profile_name='...'). Pass pages of your own client to from_pages."
        )
    return session


def open_profile_session(profile: str | None) -> boto3.Session:
    """Return the session of a profile, or of the credentials that boto3 finds if it is empty."""
    configuration = _read_configuration()
    with _LOCK:
        found = _profiles.get(profile or "")
        if found is None or found.configuration != configuration:
            found = _OpenProfile(configuration, _create_session(profile or None))
            _profiles[profile or ""] = found
        return found.session


def _read_configuration() -> Hashable:
    """Return what decides on a session: the variables of AWS, and the state of its files."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return frozenset(variables.items()), *(
        _read_file_state(Path(variables.get(name, default)).expanduser())
        for name, default in _FILES.items()
    )


def _read_file_state(path: Path) -> Hashable:
    try:
        state = path.stat()
    except OSError:
        return None
    return path, state.st_mtime_ns, state.st_size


def _create_session(profile: str | None) -> boto3.Session:
    """Create a session; AWS_REGION counts first, as for the AWS CLI."""
    with translate_botocore_errors("opening a session", None):
        region = os.environ.get("AWS_REGION") or None
        session = boto3.Session(profile_name=profile, region_name=region)
        # For the clients with which botocore itself assumes the role of a profile.
        session._session.set_default_client_config(Config(**TIMEOUTS))
        limit_requests(session.events)
        log_requests(session.events, f"profile {session.profile_name!r}")
        return session


def swap_default_session(session: boto3.Session | None) -> boto3.Session | None:
    """Make a session boto3's default session; return the previous one."""
    previous: boto3.Session | None = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = session
    return previous


def create_session_with_keys(access_key: str, secret_key: str, region: str) -> boto3.Session:
    """Create a session with these keys, independent of later changes to the environment."""
    return boto3.Session(
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region
    )


# --- credentials and regions ----------------------------------------------------------


def find_credentials(session: boto3.Session) -> Any:
    """Return the credentials of a session; those of a program without a time limit only once."""
    credentials = session.get_credentials()
    may_renew = isinstance(credentials, RefreshableCredentials)
    if getattr(credentials, "method", None) == "custom-process" and not may_renew:
        with _LOCK:  # the program may return other ones later
            for profile, found in list(_profiles.items()):
                if found.session is session:
                    del _profiles[profile]
    return credentials


def get_role_credentials(
    session: boto3.Session, role: Hashable, assume: Callable[[], RefreshableCredentials]
) -> RefreshableCredentials:
    """Return the credentials of a role that a session assumes; assume it only the first time."""
    with _LOCK:
        roles = _get_roles(session)
    if role not in roles:  # not under the lock: this waits for the network
        roles[role] = assume()
    return roles[role]


def _get_roles(session: boto3.Session) -> dict[Hashable, RefreshableCredentials]:
    """Return the roles that a session has assumed; they end with the session."""
    components = session._session
    try:
        roles: dict[Hashable, RefreshableCredentials] = components.get_component(_ROLES)
    except ValueError:
        roles = {}
        components.register_component(_ROLES, roles)
    return roles


def has_literal_keys(session: boto3.Session) -> bool:
    """Return True if the session was created with keys, which no other process can find."""
    with translate_botocore_errors("finding credentials", None, session):
        return getattr(session.get_credentials(), "method", None) == "explicit"


def resolve_region(session: boto3.Session, region: str | None) -> str:
    """Return `region`, or the region of the session; refuse a session without one."""
    resolved = region or session.region_name
    if not resolved:
        raise SetupError(
            f"No region was given, and profile {session.profile_name!r}, AWS_REGION and "
            "AWS_DEFAULT_REGION name none. Pass region='us-east-1' (or another), or set AWS_REGION."
        )
    return resolved
