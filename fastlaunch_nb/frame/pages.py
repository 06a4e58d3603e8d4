"""From pages to the frame: every accepted source, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.frame.asked import check_account_id, check_region, moment
from fastlaunch_nb.frame.columns import COLUMNS, COUNT, TEXT, TIME, Column

_ITEM_FIELDS = frozenset(column.path[0] for column in COLUMNS if column.path)
_PAGE_FIELDS = frozenset({"FastLaunchImages", "NextToken", "ResponseMetadata"})
_EXPECTED = (
    "Expected a DescribeFastLaunchImages result: a page or pages of boto3's paginator, "
    "a list of items, or what `aws ec2 describe-fast-launch-images` prints "
    "(a dict, JSON text, a path, an open file)."
)


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
        Of a read with MaxItems only boto3's ``PageIterator`` itself knows where in
        a page it stopped: hand over that, not a list of its pages.

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
    when = moment("observed_at", observed_at) if observed_at is not None else _first_date(pages)
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
    return date_of((metadata.get("HTTPHeaders") or {}).get("date"))


def date_of(header: Any) -> pd.Timestamp | None:
    """Return the time of a ``Date`` header; None where there is none, or another text."""
    with suppress(ValueError, TypeError):
        return moment("Date", parsedate_to_datetime(header))
    return None


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
