"""Pages: responses of DescribeFastLaunchImages, converted to a DataFrame of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import SourceError, warn
from fastlaunch_nb.formatting import format_count
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

MAX_CLOCK_LEAD: Final = timedelta(minutes=10)
"""How far AWS's clock, or that of a machine that recorded, may be ahead of this machine's."""
_ITEM_FIELDS = frozenset(column.path[0] for column in COLUMNS if column.path)
_PAGE_FIELDS = frozenset({"FastLaunchImages", "NextToken", "ResponseMetadata"})
_EXPECTED = (
    "Expected a DescribeFastLaunchImages result: a page or pages of boto3's paginator, "
    "a list of items, or the output of `aws ec2 describe-fast-launch-images` "
    "(a dict, JSON text, a path, an open file)."
)


def from_pages(
    source: object,
    *,
    account_id: str | None = None,
    region: str | None = None,
    observed_at: datetime | str | None = None,
) -> pd.DataFrame:
    """Convert pages that you read yourself to a DataFrame of images.

    Parameters
    ----------
    source : dict, iterable of dict, str, bytes, path or open file
        A page, pages (such as boto3's ``PageIterator``), a list of items, or the
        output of ``aws ec2 describe-fast-launch-images``: parsed, as text, as a
        path, or as an open file.
    account_id : str, optional
        The account that was read, 12 digits; by default null, because no page has it.
    region : str, optional
        The region that was read; by default null, because no page has it.
    observed_at : datetime or str, optional
        The time of the response, in UTC unless it names a time zone. By default the
        ``Date`` header of the first response; null if the source has none, and this machine's
        time, with a warning, if the header is more than 10 minutes ahead of it.

    Returns
    -------
    pandas.DataFrame
        A row for each item, in the order of the source, with the columns and dtypes
        of :data:`COLUMNS`. Missing fields are null, and unknown states stay.
        ``attrs["next_token"]`` continues a read that stopped early, as
        ``starting_token`` of :func:`fastlaunch_nb.describe`; None if it is complete.
        If you read with MaxItems, pass boto3's ``PageIterator`` itself instead of a
        list of its pages: only it knows where in a page the read stopped.

    Raises
    ------
    SourceError
        If the source is something else. No rows are returned.

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
    pages = list(_iter_pages(source))
    if observed_at is not None:
        observed_at = parse_time("observed_at", observed_at)
    elif pages:
        observed_at, refused_date = parse_response_time(pages[0])
        warn_of_refused_dates([refused_date])
    items = [item for page in pages for item in _get_items(page)]
    source_columns = {"account_id": account_id, "region": region, "observed_at": observed_at}
    images = table_from_items(items, COLUMNS, _EXPECTED, **source_columns)
    last_token = pages[-1].get("NextToken") if pages else None
    images.attrs["next_token"] = getattr(source, "resume_token", last_token)
    return images


def empty_images() -> pd.DataFrame:
    """Return a DataFrame without rows, with the columns and dtypes of images."""
    return from_pages([])


def _iter_pages(source: object) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of any accepted source."""
    if is_text(source):
        source = parse_document(read_text(source, _EXPECTED), _EXPECTED)
    for element in iter_elements(source, _EXPECTED):
        keys = element.keys() if isinstance(element, Mapping) else frozenset[str]()
        # A page without images has only fields of a page.
        if "FastLaunchImages" in keys or (keys and keys <= _PAGE_FIELDS):
            yield element
        elif _ITEM_FIELDS & keys:
            yield {"FastLaunchImages": [element]}
        else:
            raise SourceError(f"{_EXPECTED} Got {describe_value(element)}.")


def _get_items(page: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    items = page.get("FastLaunchImages") or []
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        raise SourceError(f"{_EXPECTED} Got FastLaunchImages with {describe_value(items)}.")
    return items


class ResponseTime(NamedTuple):
    """The time of a response, by AWS's clock; null if unknown.

    It is this machine's time if the ``Date`` header is more than MAX_CLOCK_LEAD ahead of it;
    then `refused` is the header's.
    """

    time: pd.Timestamp | None
    refused: pd.Timestamp | None = None


def parse_response_time(page: Mapping[str, Any]) -> ResponseTime:
    """Return the time of a response that botocore parsed."""
    metadata = page.get("ResponseMetadata") or {}
    return choose_response_time((metadata.get("HTTPHeaders") or {}).get("date"))


def choose_response_time(date_header: Any) -> ResponseTime:
    """Return the time of a response from its ``Date`` header.

    A time in the past is believed: AWS refuses requests of a machine whose clock is wrong. A
    time in the future would hide all later responses.
    """
    date = parse_date_header(date_header)
    if date is not None and date > find_latest_time():
        return ResponseTime(read_clock().floor("s"), date)
    return ResponseTime(date)


def find_latest_time() -> pd.Timestamp:
    """Return the latest time that is not in the future, give or take MAX_CLOCK_LEAD."""
    return read_clock() + MAX_CLOCK_LEAD


def read_clock() -> pd.Timestamp:
    """Return the time of this machine's clock, in UTC."""
    return pd.Timestamp.now("UTC").as_unit("us")


def warn_of_refused_dates(refused: Iterable[datetime | None]) -> None:
    """Warn if the ``Date`` headers of some responses were refused."""
    dates = [date for date in refused if date is not None]
    if dates:
        warn(
            f"{format_count(len(dates), 'response')} had a Date header of up to "
            f"{max(dates):%Y-%m-%d %H:%M:%S} UTC, but this machine's clock says "
            f"{read_clock():%Y-%m-%d %H:%M:%S}. The rows have this machine's time: "
            "check its clock, and a proxy if there is one."
        )


def parse_date_header(header: Any) -> pd.Timestamp | None:
    """Return the time of a ``Date`` header; None if it is missing or malformed."""
    with suppress(ValueError, TypeError):
        return parse_time("Date", parsedate_to_datetime(header))
    return None
