"""Pages: responses of DescribeFastLaunchImages, converted to a DataFrame of images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import InputError, SourceError, warn
from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COLUMNS
from fastlaunch_nb.sources.documents import SourceItems
from fastlaunch_nb.sources.envelopes import Document, describe_payload, unwrap
from fastlaunch_nb.sources.image_rows import is_image_row, restore_item
from fastlaunch_nb.sources.item_table import table_from_items
from fastlaunch_nb.sources.json_input import describe_value
from fastlaunch_nb.sources.powershell import check_depth, open_array, restore_value
from fastlaunch_nb.validation import check_account_id, check_region, parse_time

MAX_CLOCK_LEAD: Final = timedelta(minutes=10)
"""How far AWS's clock, or that of a machine that recorded, may be ahead of this machine's."""
_ITEM_FIELDS = frozenset(column.path[0] for column in COLUMNS if column.path)
_PAGE_FIELDS = frozenset({"FastLaunchImages", "NextToken", "ResponseMetadata"})
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_ZONE: Final = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})\Z")
_NAME_CHECKS: Final = {"account_id": check_account_id, "region": check_region}
_REGION: Final = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
_EXPECTED = (
    "Expected a DescribeFastLaunchImages result: a page or pages of boto3's paginator, "
    "a list of items, the output of `aws ec2 describe-fast-launch-images` or of "
    "`Get-EC2FastLaunchImage | ConvertTo-Json`, a map of these by region, or images that this "
    "toolkit wrote (a dict, JSON, YAML, CSV, Parquet, a path, a folder, an open file)."
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
    source : dict, iterable of dict, str, bytes, path, open file, or iterable of these
        One of these, or any number of them:

        - pages (such as boto3's ``PageIterator``) or single items
        - the output of ``aws ec2 describe-fast-launch-images``, as JSON or YAML
        - PowerShell's ``Get-EC2FastLaunchImage | ConvertTo-Json -Depth 9``
        - a dict of these by region or by account
        - images that this toolkit wrote: the JSON and CSV of ``fastlaunch-nb show``, and the
          files of ``sweep --out``; their columns beyond :data:`COLUMNS` are left out

        They may be parsed, text, a path or an open file; several documents in a file, one
        after the other or one a line; compressed by gzip; in UTF-8, UTF-16 or UTF-32. A
        path to a folder reads all files in it and below, in the order of their names; what
        cannot be read is left out, with a warning.
    account_id : str, optional
        The account that was read, 12 digits; by default null, because no page has it.
    region : str, optional
        The region that was read; by default null, because no page has it. A source that has
        accounts or regions must not have others.
    observed_at : datetime or str, optional
        The time of the response, in UTC unless it names a time zone. By default the
        ``Date`` header of the first response; null if the source has none, and this machine's
        time, with a warning, if the header is more than 10 minutes ahead of it. Images that
        this toolkit wrote keep theirs.

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
        If the source is something else, or a file that you name or no file of a folder can
        be read. No rows are returned.

    Warns
    -----
    FastLaunchWarning
        If files of a folder are left out, or a region of several was not read to its end.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> page = {"FastLaunchImages": [{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}]}
    >>> images = fl.from_pages(page, region="eu-west-1")
    >>> images[["region", "image_id", "state"]].values.tolist()
    [['eu-west-1', 'ami-0abcdef1234567890', 'enabled']]
    >>> fl.from_pages({"eu-west-1": page, "us-east-1": page})["region"].tolist()
    ['eu-west-1', 'us-east-1']
    """
    check_account_id(account_id)
    check_region(region)
    if observed_at is not None:
        observed_at = parse_time("observed_at", observed_at)
    items = SourceItems(source, _EXPECTED, _find_pages, may_be_empty=False)
    known = {"account_id": account_id, "region": region, "observed_at": observed_at}
    images = items.to_frame(partial(_make_images, known=known))
    pages: list[_Page] = items.items()
    if observed_at is None:
        warn_of_refused_dates([time.refused for time in _find_response_times(pages).values()])
    images.attrs["next_token"] = getattr(source, "resume_token", _find_next_token(pages))
    return images


def empty_images() -> pd.DataFrame:
    """Return a DataFrame without rows, with the columns and dtypes of images."""
    return from_pages([])


# --- pages ----------------------------------------------------------------------------


class _Page(NamedTuple):
    """A page, or a row of our own as one, and what its source has beyond the API."""

    items: Sequence[Mapping[str, Any]]
    response: Mapping[str, Any]
    account_id: str | None = None
    region: str | None = None
    observed_at: Any = None

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """The account and region, as far as the source has them: one read of pages."""
        return self.account_id, self.region


def _find_pages(
    documents: Iterable[Document], account_id: str | None = None, region: str | None = None
) -> Iterator[_Page]:
    """Yield the pages in documents, and in maps by account and region."""
    is_wanted = partial(_is_wanted, account_id=account_id, region=region)
    for content, origin, _ in unwrap(documents, is_wanted, _EXPECTED):
        if not isinstance(content, Mapping) or not is_wanted(content):
            raise SourceError(f"{_EXPECTED} Got {describe_payload(content)}{origin}.")
        if _is_page(content):
            items = _get_items(content.get("FastLaunchImages") or [], origin)
            yield _Page(items, content, account_id, region)
        elif _is_map(content, account_id, region):
            for key, inner in content.items():
                if inner is None or inner == {}:  # PowerShell has no images so
                    continue
                names = (key, region) if _ACCOUNT.fullmatch(key) else (account_id, key)
                yield from _find_pages([Document(inner, f"{origin} in {key!r}")], *names)
        elif is_image_row(content):
            row = [content.get(name) for name in (*ACCOUNT_REGION, "observed_at")]
            yield _Page([restore_item(content)], {}, *row)
        else:
            yield _Page(_get_items([content], origin), {}, account_id, region)


def _is_wanted(
    content: Mapping[Any, Any], *, account_id: str | None = None, region: str | None = None
) -> bool:
    is_item = bool(_ITEM_FIELDS & content.keys())
    is_known = is_item or _is_page(content) or is_image_row(content)
    return is_known or _is_map(content, account_id, region)


def _is_page(content: Mapping[Any, Any]) -> bool:
    """Return whether a dict is a page; one without images has only fields of a page."""
    keys = content.keys()
    return "FastLaunchImages" in keys or bool(keys and keys <= _PAGE_FIELDS)


def _is_map(content: Mapping[Any, Any], account_id: str | None, region: str | None) -> bool:
    """Return whether the keys of a dict are regions, or accounts, which are not known yet."""
    patterns = [*([_ACCOUNT] if account_id is None else []), *([_REGION] if region is None else [])]
    return bool(content) and any(
        all(isinstance(key, str) and pattern.fullmatch(key) for key in content)
        for pattern in patterns
    )


def _get_items(items: Any, origin: str) -> list[Mapping[str, Any]]:
    items = open_array(items) if isinstance(items, Mapping) else items
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        check_depth(items, _EXPECTED, origin)
        raise SourceError(f"{_EXPECTED} Got FastLaunchImages with {describe_value(items)}{origin}.")
    return [_restore_nulls(item, origin) if _is_of_powershell(item) else item for item in items]


def _is_of_powershell(item: Mapping[str, Any]) -> bool:
    has_constant = any(isinstance(item.get(name), Mapping) for name in ("State", "ResourceType"))
    return has_constant or str(item.get("StateTransitionTime")).startswith("/Date(")


def _restore_nulls(item: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return an item without the zeros and times of the year 1 that .NET has for nulls.

    Refuse a time without a time zone: it is a local time of the machine that exported it.
    """
    restored = {name: restore_value(value) for name, value in item.items()}
    time = restored.get("StateTransitionTime")
    if str(time).startswith("0001-"):
        restored["StateTransitionTime"] = None
    elif isinstance(time, str) and not _ZONE.search(time):
        raise SourceError(
            f"{_EXPECTED} Got StateTransitionTime without a time zone{origin}. Export it again in "
            "UTC: Get-EC2FastLaunchImage | Select-Object *, @{n='StateTransitionTime'; "
            "e={$_.StateTransitionTime.ToUniversalTime()}} -ExcludeProperty StateTransitionTime "
            "| ConvertTo-Json -Depth 9."
        )
    if restored.get("MaxParallelLaunches") == 0:
        restored["MaxParallelLaunches"] = None
    if restored.get("SnapshotConfiguration") == {"TargetResourceCount": 0}:
        restored["SnapshotConfiguration"] = None
    return restored


def _make_images(pages: list[_Page], known: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row for each item, with what the source or the caller knows of its page."""
    times = _find_response_times(pages) if known["observed_at"] is None else {}
    columns: dict[str, list[Any]] = {name: [] for name in known}
    for page in pages:
        response_time = times.get(page.scope, ResponseTime(known["observed_at"])).time
        values = (
            *(_choose_name(name, getattr(page, name), known[name]) for name in ACCOUNT_REGION),
            response_time if page.observed_at is None else page.observed_at,
        )
        for column, value in zip(columns.values(), values, strict=True):
            column.extend([value] * len(page.items))
    items = [item for page in pages for item in page.items]
    return table_from_items(items, COLUMNS, _EXPECTED, columns)


def _choose_name(name: str, of_source: Any, of_caller: str | None) -> Any:
    """Return the account or region of a page; refuse a wrong one, and one that contradicts."""
    if not isinstance(of_source, str):
        return of_caller if of_source is None else of_source  # refused by its type
    try:
        _NAME_CHECKS[name](of_source)
    except InputError as error:
        raise SourceError(f"{_EXPECTED} {error}") from None
    if of_caller not in (None, of_source):
        raise SourceError(
            f"{_EXPECTED} Got images of the {name} {of_source!r}, but {name} is {of_caller!r}. "
            f"Leave out {name}: the source has its own."
        )
    return of_source


def _find_response_times(pages: Iterable[_Page]) -> dict[Any, ResponseTime]:
    """Return the time of the first response for each account and region of the source."""
    times: dict[Any, ResponseTime] = {}
    for page in pages:
        if page.scope not in times:
            times[page.scope] = parse_response_time(page.response)
    return times


def _find_next_token(pages: Iterable[_Page]) -> Any:
    """Return the token of the last page; of several regions, none continues them all."""
    tokens = {page.scope: page.response.get("NextToken") for page in pages}
    if len(tokens) <= 1:
        return next(iter(tokens.values()), None)
    if stopped := [scope for scope, token in tokens.items() if token]:
        names = ", ".join("/".join(filter(None, scope)) or "a page" for scope in stopped)
        warn(f"{names}: the read stopped early. There are more images: read again to the end.")
    return None


# --- times of responses ---------------------------------------------------------------


class ResponseTime(NamedTuple):
    """The time of a response, by AWS's clock; null if unknown.

    It is this machine's time if the ``Date`` header is more than MAX_CLOCK_LEAD ahead of it;
    then `refused` is the header's.
    """

    time: pd.Timestamp | None
    refused: pd.Timestamp | None = None


def parse_response_time(page: Mapping[str, Any]) -> ResponseTime:
    """Return the time of a response that botocore parsed."""
    metadata = page.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    return choose_response_time(headers.get("date") if isinstance(headers, Mapping) else None)


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
