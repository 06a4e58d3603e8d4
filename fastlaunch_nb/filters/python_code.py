"""Code in Python: a call of this package, a paginator of boto3, or a condition on a DataFrame.

Values come from AWS, so each is written as a literal of Python.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastlaunch_nb.filters.fields import (
    API_PATHS,
    RANGES,
    SEARCHED,
    SEARCHED_PATHS,
    ActiveFilters,
    make_request,
    select_client_side,
    to_plain,
)
from fastlaunch_nb.filters.scopes import Read, lacks_profiles, list_unique
from fastlaunch_nb.schema.joins import MISSING


def format_filters(active: ActiveFilters) -> str:
    """Write filters as the Python expression that makes them."""
    arguments = (f"{name}={value!r}" for name, value in to_plain(active).items())
    return f"Filters({', '.join(arguments)})"


# --- this package ---------------------------------------------------------------------

_ALL_PROFILES: Final = """# All profiles that you have; the filters keep the rows of these accounts.
accounts = fl.targets(profiles=boto3.Session().available_profiles)
"""


def write_fastlaunch(reads: Sequence[Read]) -> str:
    """Write a call of this package, whose rows are `images`."""
    searches_profiles = lacks_profiles(reads)
    calls = [_write_call(read, searches_profiles=searches_profiles) for read in reads]
    lines = ["import boto3"] if searches_profiles else []
    lines += ["import pandas as pd"] if len(calls) > 1 else []
    lines += ["import fastlaunch_nb as fl", ""]
    lines += [_ALL_PROFILES] if searches_profiles else []
    if len(calls) == 1:
        return "\n".join([*lines, f"images = {calls[0]}"])
    parts = textwrap.indent(",\n".join(calls), "    ")
    return "\n".join([*lines, f"images = pd.concat([\n{parts},\n], ignore_index=True)"])


def _write_call(read: Read, *, searches_profiles: bool) -> str:
    profiles = list_unique(scope.profile or None for scope in read.scopes)
    regions = list_unique(scope.region for scope in read.scopes)
    call = "sweep" if profiles or regions or searches_profiles else "describe"
    lines = [f"fl.{call}("]
    lines += ["    accounts,"] if searches_profiles else []
    lines += [f"    fl.targets(profiles={profiles!r}),"] if profiles else []
    lines += [f"    regions={regions!r},"] if regions else []
    lines += [f"    filters=fl.{format_filters(read.active)},"] if read.active else []
    return "\n".join([*lines, ").images" if call == "sweep" else ")"])


# --- boto3 ----------------------------------------------------------------------------

_CALLER_ACCOUNT: Final = "session.client('sts').get_caller_identity()['Account']"
_WITHIN: Final = """
def within(value, low, high):
    return value is not None and (low is None or value >= low) and (high is None or value <= high)

"""
_FIND_PROFILES: Final = """
profiles = {{}}  # the profile that has the credentials of each account
for name in boto3.Session().available_profiles:
    session = boto3.Session(profile_name=name)
    try:
        sts = session.client('sts', region_name=session.region_name or {region!r})
        profiles.setdefault(sts.get_caller_identity()['Account'], name)
    except (BotoCoreError, ClientError):
        pass  # a profile without valid credentials
"""


def write_boto3(reads: Sequence[Read]) -> str:
    """Write a paginator of boto3, whose items are `chosen`, each with its region."""
    searches_profiles = lacks_profiles(reads)
    client_side = {name for read in reads for name in select_client_side(read.active)}
    lines = ["from datetime import datetime", ""] * ("state_transition_time" in client_side)
    lines += ["import boto3"]
    if searches_profiles:
        region = next((it.region for it in reads[0].scopes if it.region), "us-east-1")
        lines += ["from botocore.exceptions import BotoCoreError, ClientError"]
        lines += _FIND_PROFILES.format(region=region).splitlines()
    lines += _WITHIN.splitlines() * bool(client_side & RANGES.keys())
    lines += ["", "chosen = []"]
    for read in reads:
        lines += _write_loop(read, searches_profiles=searches_profiles)
    return "\n".join(lines)


def _write_loop(read: Read, *, searches_profiles: bool) -> Iterator[str]:
    """Yield the lines that read each account and region."""
    scopes, client_side = read.scopes, to_plain(select_client_side(read.active))
    has_profiles = bool(scopes[0].profile)  # and with each its account
    has_accounts = has_profiles or searches_profiles
    finds_account = not has_accounts and not client_side.keys().isdisjoint({"account_id", "text"})
    names, session = "region", "region_name=region"
    values: list[Any] = [scope.region for scope in scopes]
    if has_profiles:
        names, session = "account_id, profile, region", f"profile_name=profile, {session}"
        values = [tuple(scope) for scope in scopes]
    elif searches_profiles:
        names, session = "account_id, region", f"profile_name=profiles[account_id], {session}"
        values = [(scope.account_id, scope.region) for scope in scopes]
    yield f"for {names} in {values!r}:"
    yield f"    session = boto3.Session({session})"
    if finds_account:
        yield f"    account_id = {_CALLER_ACCOUNT}"
    arguments = ", ".join(f"{name}={value!r}" for name, value in make_request(read.active).items())
    yield "    paginator = session.client('ec2').get_paginator('describe_fast_launch_images')"
    yield f"    for page in paginator.paginate({arguments}):"
    yield "        for image in page['FastLaunchImages']:"
    account = ", 'AccountId': account_id" * (has_accounts or finds_account)
    body = f"chosen.append({{**image, 'Region': session.region_name{account}}})"
    is_known = {"region"} | ({"account_id"} if has_accounts else set())
    conditions = [_write_condition(*it) for it in client_side.items() if it[0] not in is_known]
    if conditions:
        condition = "\n    and ".join(conditions)
        body = f"if (\n    {condition}\n):\n    {body}"
    yield textwrap.indent(body, " " * 12)


def _write_condition(name: str, value: Any) -> str:
    """Write a condition on `image`, an item of a page."""
    if name == "text":
        fields = ["account_id", "session.region_name", *map(_write_get, SEARCHED_PATHS)]
        text = f"'\\n'.join(filter(None, [{', '.join(fields)}])).casefold()"
        return f"all(word in {text} for word in {value.casefold().split()!r})"
    if name in RANGES:
        ends = [
            f"datetime.fromisoformat({end!r})" if isinstance(end, str) else end for end in value
        ]
        return f"within({_write_get(API_PATHS[name])}, {ends[0]}, {ends[1]})"
    if name == "account_id":
        return f"account_id in {value!r}"
    if name == "launch_template":
        first, second = (API_PATHS[f"launch_template_{end}"] for end in ("name", "id"))
        template = _write_get(first, _write_get(second))
        return f"{template} in {value!r}"
    return f"{_write_get(API_PATHS[name])} in {value!r}"


def _write_get(path: tuple[str, ...], default: str = "") -> str:
    parents = "".join(f".get({key!r}, {{}})" for key in path[:-1])
    return f"image{parents}.get({path[-1]!r}{default and f', {default}'})"


# --- pandas ---------------------------------------------------------------------------

_PANDAS_TEXT = f"""text = ''
for name in {list(SEARCHED)!r}:
    if name in images:
        text = text + images[name].astype('string').fillna('') + '\\n'
text = text.str.casefold()"""
_IMPORT_MISSING = "from fastlaunch_nb.schema.joins import count_missing_snapshots"


def write_pandas(selections: Sequence[ActiveFilters]) -> str:
    """Write code that selects `chosen` from `images`: the rows that match any of some filters."""
    groups = [
        [it for entry in to_plain(active).items() for it in _write_pandas_conditions(*entry)]
        for active in selections
    ]
    if not all(groups):
        return "chosen = images"
    lines = [_IMPORT_MISSING] if any(MISSING in active for active in selections) else []
    if any("text" in active for active in selections):
        lines += _PANDAS_TEXT.splitlines()
    if len(groups) == 1:
        joined = "\n    & ".join(groups[0])
    else:
        joined = "\n    | ".join(f"({' & '.join(conditions)})" for conditions in groups)
    return "\n".join([*lines, "chosen = images[", f"    {joined}", "]"])


def _write_pandas_conditions(name: str, value: Any) -> list[str]:
    """Write conditions on `images`, which are false or null for a missing value."""
    if name == "text":
        return [f"text.str.contains({word!r}, regex=False)" for word in value.casefold().split()]
    column = f"images[{name!r}]" if name != MISSING else "count_missing_snapshots(images)"
    if name in RANGES:
        ends = zip((">=", "<="), value, strict=True)
        return [f"({column} {sign} {end!r})" for sign, end in ends if end is not None]
    if name == "launch_template":
        column = "images['launch_template_name'].fillna(images['launch_template_id'])"
    known = [entry for entry in value if entry is not None]
    conditions = [f"{column}.isin({known!r})"] if known else []
    conditions += [f"{column}.isna()"] if None in value else []
    return conditions if len(conditions) == 1 else [f"({' | '.join(conditions)})"]
