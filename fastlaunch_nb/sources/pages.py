"""From pages to the frame: every accepted source, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard

import pandas as pd

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.sources.json_input import (
    describe_value,
    is_text,
    iter_elements,
    parse_document,
    read_text,
    table_from_items,
)
from fastlaunch_nb.validation import check_account_id, check_region, parse_time

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
    when = parse_time("observed_at", observed_at) if observed_at is not None else _first_date(pages)
    items = [item for page in pages for item in _items(page)]
    asked = {"account_id": account_id, "region": region, "observed_at": when}
    images = table_from_items(items, COLUMNS, _EXPECTED, **asked)
    last_token = pages[-1].get("NextToken") if pages else None
    images.attrs["next_token"] = getattr(source, "resume_token", last_token)
    return images


def empty_images() -> pd.DataFrame:
    """Return the frame without rows: the same columns, the same dtypes."""
    return from_pages([])


def _pages(source: object) -> Iterator[Mapping[str, Any]]:
    """Bring every accepted kind of source into one form, pages."""
    if is_text(source):
        source = parse_document(read_text(source, _EXPECTED), _EXPECTED)
    for element in iter_elements(source, _EXPECTED):
        if _is_page(element):
            yield element
        elif isinstance(element, Mapping) and _ITEM_FIELDS & element.keys():
            yield {"FastLaunchImages": [element]}
        else:
            raise SourceError(f"{_EXPECTED} Got {describe_value(element)}.")


def _is_page(element: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell a page. One without images is told by having nothing that is not a page's."""
    return isinstance(element, Mapping) and (
        "FastLaunchImages" in element or (bool(element) and element.keys() <= _PAGE_FIELDS)
    )


def _items(page: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    items = page.get("FastLaunchImages") or []
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        raise SourceError(f"{_EXPECTED} Got FastLaunchImages with {describe_value(items)}.")
    return items


def _first_date(pages: Sequence[Mapping[str, Any]]) -> pd.Timestamp | None:
    """Return AWS's own time of the first response, from its Date header."""
    metadata = (pages[0].get("ResponseMetadata") or {}) if pages else {}
    return response_date((metadata.get("HTTPHeaders") or {}).get("date"))


def response_date(header: Any) -> pd.Timestamp | None:
    """Return the time of a ``Date`` header; None where there is none, or another text."""
    with suppress(ValueError, TypeError):
        return parse_time("Date", parsedate_to_datetime(header))
    return None
