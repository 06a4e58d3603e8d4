"""Code generation: filters as a call of this package, as boto3, AWS CLI or pandas code.

Values come from AWS, so each is written as a literal of its language, and each
word of a shell command is quoted.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filters.fields import (
    RANGES,
    SEARCHED,
    ActiveFilters,
    check_answerable,
    make_request,
    select_client_side,
    to_microseconds,
    to_plain,
)
from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.schema.columns import COLUMNS, COUNT
from fastlaunch_nb.schema.joins import MISSING
from fastlaunch_nb.shells import check_shell, join_words
from fastlaunch_nb.validation import check_account_id, check_region, parse_image_ids, split_text

KINDS: Final = ("fastlaunch", "boto3", "cli", "pandas")
_PATHS = {column.name: column.path for column in COLUMNS if column.path}
_SEARCHED_PATHS = [_PATHS[name] for name in SEARCHED if name in _PATHS]
_SHORT = re.compile(r"[A-Za-z0-9_.-]+")  # what the short form of the AWS CLI takes as it is
_TEMPLATE_NAME, _TEMPLATE_ID = _PATHS["launch_template_name"], _PATHS["launch_template_id"]


class QueryScope(NamedTuple):
    """An account and region to query; None is the caller's own."""

    account_id: str | None
    profile: str | None
    region: str | None


def generate_code(
    active: ActiveFilters,
    kind: str,
    regions: str | Iterable[str] | None,
    profiles: Mapping[str, str] | None,
    shell: str = "posix",
) -> str:
    """Return the code of :meth:`Filters.to_code`."""
    check_shell(shell)
    if kind not in KINDS:
        raise InputError(
            f"kind is {kind!r}. Expected {', '.join(map(repr, KINDS))}."
            f"{did_you_mean(str(kind), KINDS)}"
        )
    if kind == "pandas":
        if regions is not None or profiles is not None:
            raise InputError(
                "Code for pandas sends no request, so it takes no account or region: "
                "leave regions and profiles out."
            )
        return _write_pandas(active)
    scopes = _list_scopes(active, _check_scope(regions, profiles), profiles)
    try:
        check_answerable(active)
        if image_ids := make_request(active).get("ImageIds"):
            parse_image_ids(image_ids)
    except InputError as error:  # EC2 has no such rows, or refuses the request
        return _comment(str(error))
    if not scopes:
        return _comment("Nothing to read: no account or region matches the filters.")
    note = ""
    if "account_id" in active and profiles is None:
        note = _comment(f"With credentials of {', '.join(_unique(active['account_id']))}") + "\n"
    writers: Mapping[str, Callable[[ActiveFilters, list[QueryScope]], str]] = {
        "fastlaunch": _write_fastlaunch,
        "boto3": _write_boto3,
        "cli": partial(_write_cli, shell=shell),
    }
    return note + writers[kind](active, scopes)


def format_filters(active: ActiveFilters) -> str:
    """Write filters as the Python expression that makes them."""
    arguments = (f"{name}={value!r}" for name, value in to_plain(active).items())
    return f"Filters({', '.join(arguments)})"


def _comment(text: str) -> str:
    return f"# {to_single_line(text)}"


def _unique(values: Iterable[str | None]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value is not None]


# --- accounts and regions -------------------------------------------------------------


def _check_scope(
    regions: str | Iterable[str] | None, profiles: Mapping[str, str] | None
) -> list[str | None]:
    """Return the regions, of which None is the caller's own; refuse bad regions and profiles."""
    if not isinstance(regions, Iterable | None):
        raise InputError(f"regions is {regions!r}. Expected names such as ['eu-west-1'].")
    names: list[str | None] = [None] if regions is None else list(split_text(regions))
    for region in names:
        check_region(region)
    if not isinstance(profiles, Mapping | None):
        raise InputError(f"profiles is {profiles!r}. Expected a dict, account id to profile.")
    for account_id, profile in (profiles or {}).items():
        check_account_id(account_id)
        if not isinstance(profile, str) or not profile.isprintable() or not profile:
            raise InputError(f"profiles has {profile!r}. Expected the name of a profile.")
    return names


def _list_scopes(
    active: ActiveFilters, regions: list[str | None], profiles: Mapping[str, str] | None
) -> list[QueryScope]:
    """Return each account and region that may have matching rows, in which neither is null."""
    if "region" in active:
        regions = [region for region in active["region"] if _is_valid(check_region, region)]
    accounts: list[tuple[str | None, str | None]] = [(None, None)]
    if profiles is not None:
        accounts = [*profiles.items()]
    if "account_id" in active:
        chosen = [value for value in active["account_id"] if _is_valid(check_account_id, value)]
        if profiles is not None:
            if missing := [value for value in chosen if value not in profiles]:
                raise InputError(
                    f"profiles has none for {missing[0]}, which the filters choose. Add it."
                )
            accounts = [(value, profiles[value]) for value in chosen]
        elif not chosen:
            accounts = []
    return [QueryScope(*account, region) for account in accounts for region in regions]


def _is_valid(check: Callable[[str | None], None], value: str | None) -> bool:
    try:
        check(value)
    except InputError:
        return False
    return value is not None


# --- this package ---------------------------------------------------------------------


def _write_fastlaunch(active: ActiveFilters, scopes: list[QueryScope]) -> str:
    profiles = _unique(scope.profile for scope in scopes)
    regions = _unique(scope.region for scope in scopes)
    call = "sweep" if profiles or regions else "describe"
    lines = ["import fastlaunch_nb as fl", "", f"images = fl.{call}("]
    lines += [f"    fl.targets(profiles={profiles!r}),"] if profiles else []
    lines += [f"    regions={regions!r},"] if regions else []
    lines += [f"    filters=fl.{format_filters(active)},"] if active else []
    return "\n".join([*lines, ").images" if call == "sweep" else ")"])


# --- boto3 ----------------------------------------------------------------------------

_CALLER_ACCOUNT = "session.client('sts').get_caller_identity()['Account']"
_WITHIN = """
def within(value, low, high):
    return value is not None and (low is None or value >= low) and (high is None or value <= high)

"""


def _write_boto3(active: ActiveFilters, scopes: list[QueryScope]) -> str:
    client_side = to_plain(select_client_side(active))
    has_profiles = scopes[0].profile is not None  # and with each its account
    needs_account = not has_profiles and not client_side.keys().isdisjoint({"account_id", "text"})
    loop = f"region in {[scope.region for scope in scopes]!r}"
    if has_profiles:
        loop = f"account_id, profile, region in {[tuple(scope) for scope in scopes]!r}"
    account = ", 'AccountId': account_id" * (has_profiles or needs_account)
    append = f"chosen.append({{**image, 'Region': session.region_name{account}}})"
    conditions = (
        _write_boto3_condition(*entry) for entry in client_side.items() if entry[0] != "region"
    )
    body = append
    if condition := "\n    and ".join(conditions):
        body = f"if (\n    {condition}\n):\n    {append}"
    arguments = ", ".join(f"{name}={value!r}" for name, value in make_request(active).items())
    lines = [
        *(["from datetime import datetime", ""] if "state_transition_time" in client_side else []),
        "import boto3",
        *(_WITHIN.splitlines() if client_side.keys() & RANGES.keys() else []),
        "",
        "chosen = []",
        f"for {loop}:",
        f"    session = boto3.Session({'profile_name=profile, ' * has_profiles}region_name=region)",
        *([f"    account_id = {_CALLER_ACCOUNT}"] if needs_account else []),
        "    paginator = session.client('ec2').get_paginator('describe_fast_launch_images')",
        f"    for page in paginator.paginate({arguments}):",
        "        for image in page['FastLaunchImages']:",
        textwrap.indent(body, " " * 12),
    ]
    return "\n".join(lines)


def _write_boto3_condition(name: str, value: Any) -> str:
    """Write a condition on `image`, an item of a page."""
    if name == "text":
        fields = ["account_id", "session.region_name", *map(_write_get, _SEARCHED_PATHS)]
        text = f"'\\n'.join(filter(None, [{', '.join(fields)}])).casefold()"
        return f"all(word in {text} for word in {value.casefold().split()!r})"
    if name in RANGES:
        ends = [
            f"datetime.fromisoformat({end!r})" if isinstance(end, str) else end for end in value
        ]
        return f"within({_write_get(_PATHS[name])}, {ends[0]}, {ends[1]})"
    if name == "account_id":
        return f"account_id in {value!r}"
    if name == "launch_template":
        return f"{_write_get(_TEMPLATE_NAME, _write_get(_TEMPLATE_ID))} in {value!r}"
    return f"{_write_get(_PATHS[name])} in {value!r}"


def _write_get(path: tuple[str, ...], default: str = "") -> str:
    parents = "".join(f".get({key!r}, {{}})" for key in path[:-1])
    return f"image{parents}.get({path[-1]!r}{default and f', {default}'})"


# --- the AWS CLI ----------------------------------------------------------------------


def _write_cli(active: ActiveFilters, scopes: list[QueryScope], shell: str) -> str:
    commands = [_list_words(active, scope, shell) for scope in scopes]
    if None in commands:
        return _comment(
            "No AWS CLI command selects exactly these rows: its search is case-sensitive and "
            "covers no account or region. Clear the text filter, or use another kind of code."
        )
    try:
        return "\n".join(join_words(words, shell) for words in commands if words is not None)
    except InputError as error:
        return _comment(str(error))


def _list_words(active: ActiveFilters, scope: QueryScope, shell: str) -> list[str] | None:
    """Return the command for an account and region; None if it cannot search for the text."""
    conditions = [
        _write_jmespath_condition(name, value, shell)
        for name, value in select_client_side(active).items()
        if name not in ("region", "account_id", "text")
    ]
    for word in active.get("text", "").casefold().split():
        if word not in (scope.region or "") and word not in (scope.account_id or ""):
            # Only a word without letters is the same in any case, and only a known
            # account and region are known not to contain it.
            has_letters = not word.isascii() or word.upper() != word
            if has_letters or None in (scope.region, scope.account_id):
                return None
            conditions.append(f"contains({_SEARCHED_TEXT}, {_write_literal(word, shell)})")
    request = make_request(active)
    words = ["aws", "ec2", "describe-fast-launch-images"]
    words += ["--profile", scope.profile] if scope.profile else []
    words += ["--region", scope.region] if scope.region else []
    words += ["--filters", *_write_api_filters(request["Filters"])] if "Filters" in request else []
    words += ["--image-ids", *request["ImageIds"]] if "ImageIds" in request else []
    words += ["--query", f"FastLaunchImages[?{' && '.join(conditions)}]"] if conditions else []
    return words


def _write_api_filters(filters: list[dict[str, Any]]) -> list[str]:
    """Write filters in the short form of the AWS CLI, which needs no quotes, or else as JSON."""
    if not all(_SHORT.fullmatch(value) for entry in filters for value in entry["Values"]):
        return [json.dumps(filters)]
    return [f"Name={entry['Name']},Values={','.join(entry['Values'])}" for entry in filters]


def _write_jmespath_condition(name: str, value: Any, shell: str) -> str:
    """Write a condition on an item, which is false or null for a missing value."""
    if name in RANGES:
        return " && ".join(_write_jmespath_ends(name, *value))
    field = ".".join(_PATHS[name]) if name in _PATHS else f"not_null({_NAME_OR_ID})"
    known = [entry for entry in value if entry is not None]
    conditions = [f"contains({_write_literal(known, shell)}, {field})"] if known else []
    conditions += [f"{field} == `null`"] if None in value else []
    return conditions[0] if len(conditions) == 1 else f"({' || '.join(conditions)})"


def _write_jmespath_ends(name: str, low: Any, high: Any) -> list[str]:
    """Write the conditions for both ends of a range.

    The AWS CLI has times as text, in UTC and milliseconds. JMESPath compares them
    letter by letter, so any text after the milliseconds does not matter.
    """
    field, is_count = ".".join(_PATHS[name]), RANGES[name] == COUNT
    conditions = []
    if low is not None:
        first = f"`{low}`" if is_count else _write_time(-(-to_microseconds(low) // 1_000))
        conditions.append(f"{field} >= {first}")
    if high is not None and is_count:
        conditions.append(f"{field} <= `{high}`")
    elif high is not None:
        conditions.append(f"{field} < {_write_time(to_microseconds(high) // 1_000 + 1)}")
    return conditions


def _write_time(milliseconds: int) -> str:
    """Write the beginning of a time's text, which has a fraction only if that is not 0."""
    time = str(np.datetime64(milliseconds, "ms")).removesuffix(".000")
    has_four_digits = len(time.partition("-")[0]) == 4
    return f"'{time}'" if has_four_digits else "':'"  # which sorts after every such year


_NAME_OR_ID = f"{'.'.join(_TEMPLATE_NAME)}, {'.'.join(_TEMPLATE_ID)}"
_SEARCHED_TEXT = f"join(' ', [{', '.join(map('.'.join, _SEARCHED_PATHS))}][?@])"


def _write_literal(value: str | list[str], shell: str) -> str:
    """Write a literal of JMESPath: JSON in ASCII and without a backtick inside, if the shell can.

    Other shells than POSIX take no double quotes, but the single quotes of plain text.
    """
    texts = [value] if isinstance(value, str) else value
    if shell == "posix" or not all(map(_is_plain_text, texts)):
        return f"`{json.dumps(value).replace('`', chr(92) + 'u0060')}`"
    literals = ", ".join(f"'{text}'" for text in texts)
    return literals if isinstance(value, str) else f"[{literals}]"


def _is_plain_text(text: str) -> bool:
    return text.isprintable() and "'" not in text and "\\" not in text


# --- pandas ---------------------------------------------------------------------------

_PANDAS_TEXT = f"""text = ''
for name in {list(SEARCHED)!r}:
    if name in images:
        text = text + images[name].astype('string').fillna('') + '\\n'
text = text.str.casefold()"""
_IMPORT_MISSING = "from fastlaunch_nb.schema.joins import count_missing_snapshots"


def _write_pandas(active: ActiveFilters) -> str:
    conditions: list[str] = []
    lines = [_IMPORT_MISSING] if MISSING in active else []
    for name, value in to_plain(active).items():
        if name != "text":
            conditions += _write_pandas_conditions(name, value)
        elif words := value.casefold().split():
            lines += _PANDAS_TEXT.splitlines()
            conditions += [f"text.str.contains({word!r}, regex=False)" for word in words]
    if not conditions:
        return "chosen = images"
    joined = "\n    & ".join(conditions)
    return "\n".join([*lines, "chosen = images[", f"    {joined}", "]"])


def _write_pandas_conditions(name: str, value: Any) -> list[str]:
    """Write conditions on `images`, which are false or null for a missing value."""
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
