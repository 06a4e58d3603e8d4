"""The table: its columns, dtypes, units and states, how it is made, how it is filtered.

One row for each account, region and image, as a plain pandas DataFrame. Columns
are declared once, in :data:`COLUMNS`; the documentation is generated from them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.errors import InputError, SourceError, did_you_mean

TEXT: Final = "string"
COUNT: Final = "Int64"
TIME: Final = "datetime64[us, UTC]"


class Column(NamedTuple):
    """One column of the frame; `path` leads to its field in an item of the API."""

    name: str
    dtype: Any  # one of TEXT, COUNT and TIME
    meaning: str
    path: tuple[str, ...] = ()


COLUMNS = (
    Column("account_id", TEXT, "the account that was asked, 12 digits as text"),
    Column("region", TEXT, "the region that was asked"),
    Column("image_id", TEXT, "the AMI", ("ImageId",)),
    Column("state", TEXT, "state of Fast Launch for this AMI", ("State",)),
    Column("state_transition_reason", TEXT, "why it is in this state", ("StateTransitionReason",)),
    Column(
        "state_transition_time", TIME, "since when it is in this state", ("StateTransitionTime",)
    ),
    Column("resource_type", TEXT, "what is pre-provisioned: `snapshot`", ("ResourceType",)),
    Column(
        "target_resource_count",
        COUNT,
        "snapshots to keep in stock",
        ("SnapshotConfiguration", "TargetResourceCount"),
    ),
    Column(
        "max_parallel_launches",
        COUNT,
        "instances that may prepare snapshots at once",
        ("MaxParallelLaunches",),
    ),
    Column(
        "launch_template_id",
        TEXT,
        "template of the preparation instances",
        ("LaunchTemplate", "LaunchTemplateId"),
    ),
    Column("launch_template_name", TEXT, "its name", ("LaunchTemplate", "LaunchTemplateName")),
    Column("launch_template_version", TEXT, "its version", ("LaunchTemplate", "Version")),
    Column(
        "owner_id",
        TEXT,
        "owner of the AMI; empty for AMIs shared with you",
        ("OwnerId",),
    ),
    Column("observed_at", TIME, "when AWS answered, by its clock, in whole seconds"),
)

KEY = ("account_id", "region", "image_id")
"""The columns that name a row."""

API_STATES = (
    "enabling",
    "enabling-failed",
    "enabled",
    "enabled-failed",
    "disabling",
    "disabling-failed",
)
STATES = (*API_STATES, "disabled", "absent", "unknown")
"""The API's six states in the order of an image's life, then the three of ours."""

WORST_FIRST = (
    "enabling-failed",
    "enabled-failed",
    "disabling-failed",
    "unknown",
    "disabling",
    "enabling",
    "enabled",
    "disabled",
    "absent",
)

EXAMPLE_ACCOUNTS = frozenset({"111122223333", "123456789012"})
"""Accounts of AWS's own documentation: nobody's, so their rows are demo data."""

API_FILTERS = {"state": "state", "owner-id": "owner_id", "resource-type": "resource_type"}
"""The filters of DescribeFastLaunchImages, and the column each is about."""

_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ITEM_FIELDS = frozenset(column.path[0] for column in COLUMNS if column.path)
_PAGE_FIELDS = frozenset({"FastLaunchImages", "NextToken", "ResponseMetadata"})
_EXPECTED = (
    "Expected a DescribeFastLaunchImages result: a page or pages of boto3's paginator, "
    "a list of items, or what `aws ec2 describe-fast-launch-images` prints "
    "(a dict, JSON text, a path, an open file)."
)


# --- making a frame -------------------------------------------------------------------


def from_pages(
    source: object,
    *,
    account_id: str | None = None,
    region: str | None = None,
    observed_at: datetime | str | None = None,
) -> pd.DataFrame:
    """Make the frame from pages that you read yourself.

    Parameters
    ----------
    source : dict, iterable of dict, str, bytes, path or open file
        A page, pages (such as boto3's ``PageIterator``), a list of items, or
        what ``aws ec2 describe-fast-launch-images`` prints: parsed, as text, as
        a path, or as an open file.
    account_id : str, optional
        The account that was asked, 12 digits. A page does not say; null if not given.
    region : str, optional
        The region that was asked. A page does not say; null if not given.
    observed_at : datetime or str, optional
        When AWS answered; UTC where it names no time zone. By default the
        ``Date`` header of the first response, where the source has one, else null.

    Returns
    -------
    pandas.DataFrame
        A row an item, in the order of the source, with the columns and dtypes
        of :data:`COLUMNS`; a field that is missing is null, a state that is new
        is kept. ``attrs["next_token"]`` continues a read that stopped early, as
        ``starting_token`` of :func:`fastlaunch_nb.describe`; None when complete.

    Raises
    ------
    SourceError
        The source is something else. Nothing of it is returned.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> page = {"FastLaunchImages": [{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}]}
    >>> images = fl.from_pages(page, region="eu-west-1")
    >>> images[["region", "image_id", "state"]].values.tolist()
    [['eu-west-1', 'ami-0abcdef1234567890', 'enabled']]
    """
    check_account_id(account_id)
    check_region(region)
    pages = list(_pages(source))
    when = _moment(observed_at) if observed_at is not None else _first_date(pages)
    items = [item for page in pages for item in _items(page)]
    images = _table(items, account_id=account_id, region=region, observed_at=when)
    last_token = pages[-1].get("NextToken") if pages else None
    images.attrs["next_token"] = getattr(source, "resume_token", last_token)
    return images


def empty() -> pd.DataFrame:
    """Return the frame without rows: the same columns, the same dtypes."""
    return from_pages([])


def _pages(source: object) -> Iterator[Mapping[str, Any]]:
    """Bring every accepted kind of source into one form, pages."""
    if isinstance(source, pd.DataFrame):
        raise SourceError(f"{_EXPECTED} Got a DataFrame: it is a frame already.")
    if isinstance(source, (str, bytes, os.PathLike)) or hasattr(source, "read"):
        source = _json(source)
    if isinstance(source, Mapping):
        source = [source]
    if not isinstance(source, Iterable):
        raise SourceError(f"{_EXPECTED} Got {_described(source)}.")
    for element in source:
        if _is_page(element):
            yield element
        elif isinstance(element, Mapping) and _ITEM_FIELDS & element.keys():
            yield {"FastLaunchImages": [element]}
        else:
            raise SourceError(f"{_EXPECTED} Got {_described(element)}.")


def _is_page(element: object) -> bool:
    """Tell a page. One without images is told by having nothing that is not a page's."""
    return isinstance(element, Mapping) and (
        "FastLaunchImages" in element or (bool(element) and element.keys() <= _PAGE_FIELDS)
    )


def _items(page: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    items = page.get("FastLaunchImages") or []
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        raise SourceError(f"{_EXPECTED} Got FastLaunchImages with {_described(items)}.")
    return items


def _json(source: Any) -> object:
    """Read and parse JSON. Bytes tell their encoding: PowerShell's ``>`` writes UTF-16."""
    text, name = source, "the text"
    if hasattr(source, "read"):
        text, name = source.read(), "the file"
    elif isinstance(source, os.PathLike) or not _looks_like_json(source):
        text, name = _file(source), f"the file {os.fspath(source)!r}"
    if isinstance(text, str):
        text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        empty = " It is empty." if not text.strip() else ""
        raise SourceError(f"{_EXPECTED} In {name} is no JSON: {error}.{empty}") from None


def _looks_like_json(text: str | bytes) -> bool:
    return isinstance(text, bytes) or text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[", "")


def _file(path: Any) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        shown = str(path) if len(str(path)) <= 80 else f"{str(path)[:77]}..."
        raise SourceError(
            f"{_EXPECTED} Got {shown!r}, which is neither JSON text nor a readable file "
            f"({error.strerror})."
        ) from None


def _described(value: object) -> str:
    """Say what came, without repeating values that may be long or secret."""
    if isinstance(value, Mapping):
        keys = ", ".join(map(repr, list(value)[:5]))
        return f"a dict with the keys {keys}" if keys else "an empty dict"
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _first_date(pages: Sequence[Mapping[str, Any]]) -> pd.Timestamp | None:
    """Return AWS's own time of the first response, from its Date header."""
    metadata = (pages[0].get("ResponseMetadata") or {}) if pages else {}
    date = (metadata.get("HTTPHeaders") or {}).get("date")
    return _moment(parsedate_to_datetime(date)) if date else None


def _moment(value: datetime | str) -> pd.Timestamp:
    moment: object = None
    with suppress(ValueError, TypeError):
        moment = pd.to_datetime(value, utc=True)
    if not isinstance(moment, pd.Timestamp):  # NaT is none
        raise InputError(
            f"observed_at is {value!r}. Expected a datetime, or text such as "
            "'2026-01-15T12:00:00Z'."
        )
    return moment.as_unit("us")


def _table(
    items: Sequence[Mapping[str, Any]],
    *,
    account_id: str | None,
    region: str | None,
    observed_at: pd.Timestamp | None,
) -> pd.DataFrame:
    asked = {"account_id": account_id, "region": region, "observed_at": observed_at}
    return pd.DataFrame(
        {
            column.name: _array(
                column,
                [_field(item, column.path) for item in items]
                if column.path
                else [asked[column.name]] * len(items),
            )
            for column in COLUMNS
        }
    )


def _field(item: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = item
    for name in path:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise SourceError(f"{_EXPECTED} Above {'.'.join(path)} stands {_described(value)}.")
        value = value.get(name)
    return value


def _array(column: Column, values: list[Any]) -> Any:
    kinds: tuple[type, ...] = {TEXT: (str,), COUNT: (int,), TIME: (datetime, str)}[column.dtype]
    for value in values:
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise SourceError(
                f"{_EXPECTED} Got {'.'.join(column.path)} with {_described(value)}, "
                f"not {' or '.join(kind.__name__ for kind in kinds)}."
            )
    if column.dtype != TIME:
        return pd.array(values, dtype=column.dtype)
    try:
        return pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601").astype(
            TIME
        )
    except ValueError:
        raise SourceError(
            f"{_EXPECTED} Got {'.'.join(column.path)} with what is no ISO 8601 time."
        ) from None


# --- checking what was asked ----------------------------------------------------------


def check_account_id(account_id: str | None) -> None:
    """Refuse what is no account id; None is fine."""
    if account_id is not None and not _matches(_ACCOUNT_ID, account_id):
        raise InputError(f"account_id is {account_id!r}. Expected 12 digits as text.")


def check_region(region: str | None) -> None:
    """Refuse what is no region's name; None is fine."""
    if region is not None and not _matches(_REGION, region):
        raise InputError(f"region is {region!r}. Expected a region's name, such as 'eu-west-1'.")


def check_image_ids(image_ids: str | Iterable[str]) -> list[str]:
    """Return the ids as a list (one may come alone); refuse malformed ones and none at all."""
    ids = [image_ids] if isinstance(image_ids, str) else list(image_ids)
    if not ids:
        raise InputError(
            "image_ids is empty, which EC2 would read as: all images. "
            "Leave it out, or pass None, to read all of them."
        )
    for image_id in ids:
        if not _matches(_IMAGE_ID, image_id):
            raise InputError(
                f"image_ids has {image_id!r}. "
                "Expected 'ami-' and 8 to 17 hexadecimal digits in lower case."
            )
    return ids


def check_columns(images: object, *columns: str) -> None:
    """Refuse what is no frame of images, or one that lacks some of these columns."""
    expected = "Expected a frame as describe and from_pages make it."
    if not isinstance(images, pd.DataFrame):
        raise InputError(f"{expected} Got a {type(images).__name__}.")
    missing = [column for column in columns if column not in images]
    if missing:
        raise InputError(f"{expected} This one lacks {', '.join(missing)}.")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def api_filters(
    filters: Mapping[str, Any] | Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return filters in boto3's form; refuse unknown names and missing values.

    Examples
    --------
    >>> api_filters({"state": ["enabled", "enabling"]})
    [{'Name': 'state', 'Values': ['enabled', 'enabling']}]
    """
    if isinstance(filters, Mapping):
        filters = [{"Name": name, "Values": values} for name, values in filters.items()]
    checked = []
    for entry in filters:
        if not isinstance(entry, Mapping) or entry.keys() != {"Name", "Values"}:
            raise InputError(
                f"filters has {entry!r}. Expected {{'Name': ..., 'Values': [...]}}, a dict such "
                "as {'state': ['enabled']}, or Filters."
            )
        name, values = entry["Name"], _values(entry["Name"], entry["Values"])
        if name not in API_FILTERS:
            raise InputError(
                f"filters has the name {name!r}. DescribeFastLaunchImages knows "
                f"{', '.join(map(repr, API_FILTERS))}.{did_you_mean(str(name), API_FILTERS)}"
            )
        if not values or None in values:
            raise InputError(f"filters has no values for {name!r}. Expected at least one, as text.")
        checked.append({"Name": name, "Values": list(values)})
    return checked


# --- filtering ------------------------------------------------------------------------


def _values(name: object, values: object) -> tuple[str | None, ...]:
    """Return a facet's values as a tuple; one value may come alone."""
    if values is None or isinstance(values, str):
        values = (values,)
    found = tuple(values) if isinstance(values, Iterable) else (values,)
    if not all(value is None or isinstance(value, str) for value in found):
        raise InputError(f"The filter {name!r} has {values!r}. Expected text, or a list of text.")
    return found


Chosen: TypeAlias = str | Iterable[str | None] | None
"""Values of a facet as one may give them: one, or several; None is one of them."""


@dataclass(frozen=True, init=False)
class Filters:
    """A selection of rows: facets, ANDed; within a facet its values, ORed; and a text.

    Parameters
    ----------
    account_id, region, state, launch_template, image_id, owner_id, resource_type : \
str or iterable of str, optional
        The values to keep; none means all. None among the values stands for
        rows without one. Case-sensitive, like EC2's. `launch_template` is the
        template's name, or its id where it has no name.
    text : str, optional
        Words that must all occur, in any case, anywhere in ids, names,
        templates, states and reasons.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"},
    ...                         {"ImageId": "ami-01234567890abcdef", "State": "enabling"}])
    >>> filters = fl.Filters(state="enabled")
    >>> filters.apply(images)["image_id"].tolist()
    ['ami-0abcdef1234567890']
    >>> filters.counts(images)["state"]
    {'enabling': 1, 'enabled': 1}
    """

    account_id: tuple[str | None, ...] = ()
    region: tuple[str | None, ...] = ()
    state: tuple[str | None, ...] = ()
    launch_template: tuple[str | None, ...] = ()
    image_id: tuple[str | None, ...] = ()
    owner_id: tuple[str | None, ...] = ()
    resource_type: tuple[str | None, ...] = ()
    text: str = ""

    def __init__(
        self,
        *,
        account_id: Chosen = (),
        region: Chosen = (),
        state: Chosen = (),
        launch_template: Chosen = (),
        image_id: Chosen = (),
        owner_id: Chosen = (),
        resource_type: Chosen = (),
        text: str = "",
    ) -> None:
        if not isinstance(text, str):
            raise InputError(f"text is {text!r}. Expected words as text.")
        given = locals()
        for facet in FACETS:
            object.__setattr__(self, facet, _values(facet, given[facet]))
        object.__setattr__(self, "text", text)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self != Filters()

    def apply(self, images: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that match, in their order and under their index labels."""
        keep = self._text_mask(images)
        for mask in self._facet_masks(images).values():
            keep &= mask
        return images[keep]

    def counts(self, images: pd.DataFrame) -> dict[str, dict[str | None, int]]:
        """Count, for every facet, the rows of each value that all *other* filters keep.

        Returns
        -------
        dict
            Facet to value to rows. Values of the whole frame, those with zero
            rows too; states in the order of :data:`STATES`, all else sorted,
            null (None) last.
        """
        masks, text = self._facet_masks(images), self._text_mask(images)
        counts = {}
        for facet in FACETS:
            keep = text.copy()
            for other, mask in masks.items():
                if other != facet:
                    keep &= mask
            counts[facet] = _counted(facet, facet_values(images, facet), keep)
        return counts

    def to_request(self) -> dict[str, Any]:
        """Return what EC2 itself can filter, as parameters of DescribeFastLaunchImages."""
        request: dict[str, Any] = {}
        if self._pushable("image_id"):
            request["ImageIds"] = check_image_ids(
                [value for value in self.image_id if value is not None]
            )
        chosen = {
            name: getattr(self, facet)
            for name, facet in API_FILTERS.items()
            if self._pushable(facet)
        }
        if chosen:
            request["Filters"] = api_filters(chosen)
        return request

    def local(self) -> Filters:
        """Return the part that EC2 can not filter."""
        pushed = ["image_id", *API_FILTERS.values()]
        nothing: dict[str, Any] = {facet: () for facet in pushed if self._pushable(facet)}
        return replace(self, **nothing)

    def _pushable(self, facet: str) -> bool:
        values = getattr(self, facet)
        return bool(values) and None not in values

    def _facet_masks(self, images: pd.DataFrame) -> dict[str, pd.Series]:
        return {
            facet: _is_in(facet_values(images, facet), chosen)
            for facet in FACETS
            if (chosen := getattr(self, facet))
        }

    def _text_mask(self, images: pd.DataFrame) -> pd.Series:
        keep = pd.Series(True, index=images.index)
        if words := self.text.casefold().split():
            haystack = _haystack(images)
            for word in words:
                keep &= haystack.str.contains(word, regex=False)
        return keep


FACETS = tuple(field.name for field in fields(Filters) if field.name != "text")
_SEARCHED = (
    *("account_name", "account_id", "region", "image_name", "image_id", "owner_id"),
    *("launch_template_name", "launch_template_id", "state", "state_transition_reason"),
)


def facet_values(images: pd.DataFrame, facet: str) -> pd.Series:
    """Return the values that a facet of :class:`Filters` is about, one a row."""
    if facet == "launch_template":
        return images["launch_template_name"].fillna(images["launch_template_id"])
    return images[facet]


def _is_in(values: pd.Series, chosen: Sequence[str | None]) -> pd.Series:
    mask = values.isin([value for value in chosen if value is not None])
    return (mask | values.isna() if None in chosen else mask).astype(bool)


def _counted(facet: str, values: pd.Series, keep: pd.Series) -> dict[str | None, int]:
    found = values[keep].value_counts()
    known = sorted(values.dropna().unique())
    if facet == "state":
        known.sort(key=lambda state: STATES.index(state) if state in STATES else len(STATES))
    counted: dict[str | None, int] = {value: int(found.get(value, 0)) for value in known}
    if values.isna().any():
        counted[None] = int((values.isna() & keep).sum())
    return counted


def _haystack(images: pd.DataFrame) -> pd.Series:
    """Return all searched text of each row in one, a line a column so that no word spans two."""
    searched = images[[name for name in _SEARCHED if name in images]]
    text = searched.astype(object).fillna("").astype(str)
    return text.iloc[:, 0].str.cat(text.iloc[:, 1:], sep="\n").str.casefold()
