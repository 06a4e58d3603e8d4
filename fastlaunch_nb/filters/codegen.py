"""Filters written as code that runs: a call of ours, boto3, the AWS CLI, pandas.

Values come from AWS, so each is written as a literal of the language it goes
into, and each word of a shell is quoted.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filters.facet_index import RANGES, SEARCHED
from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.schema.columns import COLUMNS, COUNT
from fastlaunch_nb.validation import check_account_id, check_image_ids, check_region

if TYPE_CHECKING:
    from fastlaunch_nb.filters.filters import Filters

KINDS: Final = ("fastlaunch", "boto3", "cli", "pandas")
_PATHS = {column.name: column.path for column in COLUMNS if column.path}
_FOUND = [name for name in SEARCHED if name in _PATHS]
_NAME, _ID = _PATHS["launch_template_name"], _PATHS["launch_template_id"]


class QueryScope(NamedTuple):
    """Where EC2 is asked; None is one's own region, or the account of one's own credentials."""

    account_id: str | None
    profile: str | None
    region: str | None


def generate_code(
    filters: Filters,
    kind: str,
    regions: Iterable[str] | None,
    profiles: Mapping[str, str] | None,
) -> str:
    """Return the code of :meth:`Filters.to_code`."""
    if kind not in KINDS:
        raise InputError(
            f"kind is {kind!r}. Expected {', '.join(map(repr, KINDS))}."
            f"{did_you_mean(str(kind), KINDS)}"
        )
    if kind == "pandas":
        if regions is not None or profiles is not None:
            raise InputError("Code of pandas asks nobody: leave regions and profiles out.")
        return _pandas(filters)
    places = _places(filters, _regions(regions), _profiles(profiles))
    try:
        filters.check_answerable()
        if _image_ids(filters):
            check_image_ids(_image_ids(filters))
    except InputError as error:  # no answer of EC2 has such rows, or all of what is asked
        return _comment(str(error))
    if not places:
        return _comment("Nothing to read: no account or region is like those that are chosen.")
    note = ""
    if filters.account_id and profiles is None:
        ids = ", ".join(_unique(filters.account_id))
        note = _comment(f"With credentials of {ids}") + "\n"
    return note + {"fastlaunch": _fastlaunch, "boto3": _boto3, "cli": _cli}[kind](filters, places)


def _comment(text: str) -> str:
    return f"# {single_line(text)}"


# --- where EC2 is asked ---------------------------------------------------------------


def _regions(regions: Iterable[str] | None) -> list[str] | None:
    if regions is None:
        return None
    if isinstance(regions, str) or not isinstance(regions, Iterable):
        raise InputError(f"regions is {regions!r}. Expected names such as ['eu-west-1'].")
    named = list(regions)
    for region in named:
        check_region(region)
    return named


def _profiles(profiles: Mapping[str, str] | None) -> Mapping[str, str] | None:
    if profiles is None:
        return None
    if not isinstance(profiles, Mapping):
        raise InputError(f"profiles is {profiles!r}. Expected a dict, account id to profile.")
    for account_id, profile in profiles.items():
        check_account_id(account_id)
        if not isinstance(profile, str) or not profile.isprintable() or not profile:
            raise InputError(f"profiles has {profile!r}. Expected the name of a profile.")
    return profiles


def _places(
    filters: Filters, regions: list[str] | None, profiles: Mapping[str, str] | None
) -> list[QueryScope]:
    """Return every place that may have such rows: what is read has an account and a region."""
    here: list[str | None] = [*regions] if regions is not None else [None]
    if filters.region:
        here = [region for region in filters.region if _passes(check_region, region)]
    accounts: list[tuple[str | None, str | None]] = [(None, None)]
    if profiles is not None:
        accounts = [*profiles.items()]
    if filters.account_id:
        chosen = [value for value in filters.account_id if _passes(check_account_id, value)]
        if profiles is not None:
            accounts = [(value, _profile(str(value), profiles)) for value in chosen]
        elif not chosen:
            accounts = []
    return [QueryScope(*account, region) for account in accounts for region in here]


def _passes(check: Callable[[str | None], None], value: str | None) -> bool:
    try:
        check(value)
    except InputError:
        return False
    return value is not None


def _profile(account_id: str, profiles: Mapping[str, str]) -> str:
    if account_id not in profiles:
        raise InputError(f"profiles has none for {account_id}, which the filters choose. Add it.")
    return profiles[account_id]


def _unique(values: Iterable[str | None]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value is not None]


# --- a call of ours -------------------------------------------------------------------


def _fastlaunch(filters: Filters, places: list[QueryScope]) -> str:
    profiles = _unique(place.profile for place in places)
    regions = _unique(place.region for place in places)
    call = "sweep" if profiles or regions else "describe"
    lines = ["import fastlaunch_nb as fl", "", f"images = fl.{call}("]
    lines += [f"    fl.targets(profiles={profiles!r}),"] if profiles else []
    lines += [f"    regions={regions!r},"] if regions else []
    lines += [f"    filters=fl.{filters!r},"] if filters else []
    return "\n".join([*lines, ").images" if call == "sweep" else ")"])


# --- boto3 ----------------------------------------------------------------------------

_WITHIN = """
def within(value, low, high):
    return value is not None and (low is None or value >= low) and (high is None or value <= high)

"""


def _boto3(filters: Filters, places: list[QueryScope]) -> str:
    local = filters.local().said()
    known = places[0].profile is not None  # and with it the account
    asks = not known and not local.keys().isdisjoint({"account_id", "text"})
    found = "{**image, 'Region': session.region_name}"
    if known or asks:
        found = "{**image, 'Region': session.region_name, 'AccountId': account_id}"
    conditions = [_python(name, said) for name, said in local.items() if name != "region"]
    keep = [f"chosen.append({found})"]
    if conditions:
        keep = ["if (", f"    {conditions[0]}", *(f"    and {c}" for c in conditions[1:])]
        keep += ["):", f"    chosen.append({found})"]
    lines = [
        *(["from datetime import datetime", ""] if "state_transition_time" in local else []),
        "import boto3",
        *(_WITHIN.splitlines() if local.keys() & RANGES.keys() else []),
        "",
        "chosen = []",
        f"for {_each(places, known)}:",
        f"    session = boto3.Session({'profile_name=profile, ' * known}region_name=region)",
        *(["    account_id = session.client('sts').get_caller_identity()['Account']"] * asks),
        "    paginator = session.client('ec2').get_paginator('describe_fast_launch_images')",
        f"    for page in paginator.paginate({_arguments(filters)}):",
        "        for image in page['FastLaunchImages']:",
        *(f"            {line}" for line in keep),
    ]
    return "\n".join(lines)


def _each(places: list[QueryScope], known: bool) -> str:
    if known:
        return f"account_id, profile, region in {[tuple(place) for place in places]!r}"
    return f"region in {[place.region for place in places]!r}"


def _arguments(filters: Filters) -> str:
    """Return EC2's parameters; never a size of pages, which EC2 refuses with image ids."""
    given = {"Filters": _api_filters(filters), "ImageIds": _image_ids(filters)}
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value)


def _api_filters(filters: Filters) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(said)} for name, said in filters.pushed().items()]


def _image_ids(filters: Filters) -> list[str]:
    return [] if None in filters.image_id else _unique(filters.image_id)


def _python(name: str, said: Any) -> str:
    """Return a condition on an item, `image`."""
    if name == "text":
        fields = ", ".join(["account_id", "session.region_name", *map(_item, _FOUND)])
        text = f"'\\n'.join(filter(None, [{fields}])).casefold()"
        return f"all(word in {text} for word in {said.casefold().split()!r})"
    if name in RANGES:
        ends = ", ".join(map(_python_end, said))
        return f"within({_item(name)}, {ends})"
    if name == "account_id":
        return f"account_id in {list(said)!r}"
    if name == "launch_template":
        return f"{_item_at(_NAME, _item_at(_ID))} in {list(said)!r}"
    return f"{_item(name)} in {list(said)!r}"


def _python_end(end: Any) -> str:
    return (
        f"datetime.fromisoformat({end.isoformat()!r})" if hasattr(end, "isoformat") else repr(end)
    )


def _item(name: str) -> str:
    return _item_at(_PATHS[name])


def _item_at(path: tuple[str, ...], otherwise: str = "") -> str:
    above = "".join(f".get({part!r}, {{}})" for part in path[:-1])
    return f"image{above}.get({path[-1]!r}{otherwise and f', {otherwise}'})"


# --- the AWS CLI ----------------------------------------------------------------------


def _cli(filters: Filters, places: list[QueryScope]) -> str:
    lines = [_command(filters, place) for place in places]
    if None in lines:
        return _comment(
            "No command keeps exactly these rows: the AWS CLI looks for text in its own case, and "
            "knows no account or region to look in. Clear the search, or take another kind of code."
        )
    return "\n".join(line for line in lines if line is not None)


def _command(filters: Filters, place: QueryScope) -> str | None:
    """Return the command for a place; None where a text is in the way."""
    said = filters.local().said()
    conditions = [
        _jmespath(name, value)
        for name, value in said.items()
        if name not in ("region", "account_id", "text")
    ]
    for word in filters.text.casefold().split():
        if word not in (place.region or "") and word not in (place.account_id or ""):
            # Only what no letter is in has no case; and it may be in what is not known here.
            if (
                not word.isascii()
                or word.upper() != word
                or None in (place.region, place.account_id)
            ):
                return None
            conditions.append(f"contains({_SEARCHED_TEXT}, {_literal(word)})")
    words = ["aws", "ec2", "describe-fast-launch-images"]
    words += ["--profile", place.profile] if place.profile else []
    words += ["--region", place.region] if place.region else []
    words += ["--filters", json.dumps(_api_filters(filters))] if filters.pushed() else []
    words += ["--image-ids", *_image_ids(filters)] if _image_ids(filters) else []
    words += ["--query", f"FastLaunchImages[?{' && '.join(conditions)}]"] if conditions else []
    return shlex.join(words)


def _jmespath(name: str, said: Any) -> str:
    """Return a condition on an item, which is false or null for what is not known."""
    if name in RANGES:
        ends = _count_ends(name, *said) if RANGES[name] == COUNT else _time_ends(name, *said)
        return " && ".join(ends)
    field = ".".join(_PATHS[name]) if name in _PATHS else f"not_null({_NAME_OR_ID})"
    some = [value for value in said if value is not None]
    found = [f"contains({_literal(some)}, {field})"] if some else []
    found += [f"{field} == {_literal(None)}"] if None in said else []
    return found[0] if len(found) == 1 else f"({' || '.join(found)})"


def _count_ends(name: str, low: int | None, high: int | None) -> list[str]:
    field = ".".join(_PATHS[name])
    return [
        f"{field} {sign} {_literal(end)}"
        for sign, end in ((">=", low), ("<=", high))
        if end is not None
    ]


def _time_ends(name: str, low: pd.Timestamp | None, high: pd.Timestamp | None) -> list[str]:
    """Return conditions on a time, which the AWS CLI has as text, in UTC and milliseconds.

    Text is compared letter by letter, however it goes on after the milliseconds.
    """
    field = ".".join(_PATHS[name])
    found = []
    if low is not None:
        found.append(f"{field} >= '{_prefix(-(-_microseconds(low) // 1_000))}'")
    if high is not None:
        found.append(f"{field} < '{_prefix(_microseconds(high) // 1_000 + 1)}'")
    return found


def _microseconds(time: pd.Timestamp) -> int:
    return int(time.as_unit("us").asm8.astype("int64"))


def _prefix(milliseconds: int) -> str:
    """Return how the text of a time begins, which has no fraction where that is 0."""
    time = str(np.datetime64(milliseconds, "ms")).removesuffix(".000")
    return time if len(time.partition("-")[0]) == 4 else ":"  # after every year of four digits


_NAME_OR_ID = f"{'.'.join(_NAME)}, {'.'.join(_ID)}"
_SEARCHED_TEXT = f'join(`"\\n"`, [{", ".join(".".join(_PATHS[name]) for name in _FOUND)}][?@])'


def _literal(value: Any) -> str:
    """Return JSON between the backticks of JMESPath, itself without one, and in ASCII."""
    return f"`{json.dumps(value).replace('`', chr(92) + 'u0060')}`"


# --- pandas ---------------------------------------------------------------------------


def _pandas(filters: Filters) -> str:
    lines, conditions = [], []
    for name, said in filters.said().items():
        if name != "text":
            conditions += _masks(name, said)
        elif words := said.casefold().split():
            lines = _PANDAS_TEXT.splitlines()
            conditions += [f"text.str.contains({word!r}, regex=False)" for word in words]
    if not conditions:
        return "chosen = images"
    joined = "\n    & ".join(conditions)
    return "\n".join([*lines, "chosen = images[", f"    {joined}", "]"])


_PANDAS_TEXT = f"""text = ''
for name in {list(SEARCHED)!r}:
    if name in images:
        text = text + images[name].astype('string').fillna('') + '\\n'
text = text.str.casefold()"""


def _masks(name: str, said: Any) -> list[str]:
    """Return conditions on `images`, which are false or null for what is not known."""
    column = f"images[{name!r}]"
    if name in RANGES:
        texts = [str(end.isoformat()) if hasattr(end, "isoformat") else end for end in said]
        signs = zip((">=", "<="), texts, strict=True)
        return [f"({column} {sign} {end!r})" for sign, end in signs if end is not None]
    if name == "launch_template":
        column = "images['launch_template_name'].fillna(images['launch_template_id'])"
    some = [value for value in said if value is not None]
    found = [f"{column}.isin({some!r})"] if some else []
    found += [f"{column}.isna()"] if None in said else []
    return found if len(found) == 1 else [f"({' | '.join(found)})"]
