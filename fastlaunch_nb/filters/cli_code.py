"""Code for shells: commands of the AWS CLI, each word quoted for its shell."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filters.fields import (
    API_PATHS,
    RANGES,
    SEARCHED_PATHS,
    ActiveFilters,
    make_request,
    select_client_side,
    to_microseconds,
)
from fastlaunch_nb.filters.scopes import NoCodeError, QueryScope, Read, list_commands
from fastlaunch_nb.schema.columns import COUNT
from fastlaunch_nb.shells import join_words

_SHORT = re.compile(r"[A-Za-z0-9_.-]+")  # what the short form of the AWS CLI takes as it is
_NAME_OR_ID = ", ".join(".".join(API_PATHS[f"launch_template_{end}"]) for end in ("name", "id"))
_SEARCHED_TEXT = f"join(' ', [{', '.join(map('.'.join, SEARCHED_PATHS))}][?@])"


def write_cli(reads: Sequence[Read], shell: str) -> str:
    """Write a command of the AWS CLI for each account and region."""
    return list_commands(reads, shell, "--profile", partial(_write_command, shell=shell))


def _write_command(active: ActiveFilters, scope: QueryScope, shell: str) -> str:
    try:
        return join_words(_list_words(active, scope, shell), shell)
    except InputError as error:  # the shell would change a word
        raise NoCodeError(str(error)) from None


def _list_words(active: ActiveFilters, scope: QueryScope, shell: str) -> list[str]:
    """Return the command for an account and region."""
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
                raise NoCodeError(
                    "No AWS CLI command selects exactly these rows: its search is case-sensitive "
                    "and covers no account or region. Clear the text filter, or use another kind "
                    "of code."
                )
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
    field = ".".join(API_PATHS[name]) if name in API_PATHS else f"not_null({_NAME_OR_ID})"
    known = [entry for entry in value if entry is not None]
    conditions = [f"contains({_write_literal(known, shell)}, {field})"] if known else []
    conditions += [f"{field} == `null`"] if None in value else []
    return conditions[0] if len(conditions) == 1 else f"({' || '.join(conditions)})"


def _write_jmespath_ends(name: str, low: Any, high: Any) -> list[str]:
    """Write the conditions for both ends of a range.

    The AWS CLI has times as text, in UTC and milliseconds. JMESPath compares them
    letter by letter, so any text after the milliseconds does not matter.
    """
    field, is_count = ".".join(API_PATHS[name]), RANGES[name] == COUNT
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
