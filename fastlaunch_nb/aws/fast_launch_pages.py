"""Reads of DescribeFastLaunchImages: one result of all pages, or columns page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.paginate import TokenDecoder, TokenEncoder

from fastlaunch_nb.aws import xml_columns
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.error_translation import require_aws_response, translate_botocore_errors
from fastlaunch_nb.aws.read_limits import limit_pages

MAX_PAGE_SIZE = 200
"""The largest MaxResults of DescribeFastLaunchImages (botocore's service model)."""
EXPIRED_TOKEN = frozenset({"InvalidNextToken", "InvalidPaginationToken"})
"""AWS's error codes for a page token that is unknown or has expired."""
NOT_OPEN = frozenset({"AuthFailure", "OptInRequired"})
"""AWS's error codes for a region that is not opted in; the first also for bad credentials."""
_OPERATION, _PAGINATOR = "DescribeFastLaunchImages", "describe_fast_launch_images"
_COLUMNS = "FastLaunchColumns"  # the key of the extracted columns in a parsed page


@dataclass(frozen=True)
class ReadResult:
    """The items of a read, its first response, and the token that continues it."""

    items: list[Any]
    first_response: Mapping[str, Any]
    next_token: str | None


def read_fast_launch_images(
    account_session: AccountSession,
    region: str,
    request: Mapping[str, Any],
    *,
    max_items: int | None = None,
    page_size: int | None = None,
    starting_token: str | None = None,
) -> ReadResult:
    """Read DescribeFastLaunchImages through botocore's paginator.

    A resume token names a page and a number of items to skip there. If the page
    is now shorter than that number, because the page size is smaller, botocore
    repeats rows. So botocore gets the token of the page only, and this function
    skips the items.
    """
    page_token, skip = split_token(starting_token)
    paging = {
        "MaxItems": None if max_items is None else max_items + skip,
        "PageSize": page_size,
        "StartingToken": page_token,
    }
    with translate_botocore_errors(_OPERATION, region, account_session.session):
        paginator = account_session.client("ec2", region).get_paginator(_PAGINATOR)
        pages = paginator.paginate(PaginationConfig=paging, **request)
        responses = list(limit_pages(pages))
        for response in responses:
            _check_page(response)
    items = (item for response in responses for item in response.get("FastLaunchImages", ()))
    return ReadResult(list(islice(items, skip, None)), responses[0], pages.resume_token)


def _check_page(page: Mapping[str, Any]) -> None:
    has_images = "FastLaunchImages" in page or _COLUMNS in page
    require_aws_response(page, has_images or "RequestId" in page.get("ResponseMetadata", {}))


def split_token(starting_token: str | None) -> tuple[str | None, int]:
    """Split botocore's resume token into the token of a page and the number of items to skip.

    EC2's own token, which botocore also accepts, skips nothing.
    """
    if starting_token is None:
        return None, 0
    try:
        decoded = TokenDecoder().decode(starting_token)
        page, skip = decoded["NextToken"], int(decoded.get("boto_truncate_amount", 0))
    except (ValueError, TypeError, KeyError, AttributeError):
        # EC2's own token, which may be base64 of JSON as well, or botocore's old "token___2".
        head, _, tail = starting_token.rpartition("___")
        page, skip = (head, int(tail)) if head and tail.isdigit() else (starting_token, 0)
    return TokenEncoder().encode({"NextToken": page}) if page else None, max(0, skip)


# --- page by page ---------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A page as columns, or as botocore's items if the page does not have its usual form.

    `next_token` is None on the last page.
    """

    columns: xml_columns.Columns
    items: Sequence[Mapping[str, Any]]
    next_token: str | None
    date: str | None  # the Date header, which is AWS's clock


class PageReader:
    """A reader of one account and region, page by page, that counts its requests.

    `request_count` includes botocore's retries.
    """

    def __init__(self, account_session: AccountSession, region: str) -> None:
        self.request_count = 0
        self._region = region
        self._session = account_session.session
        with translate_botocore_errors(_OPERATION, region, self._session):
            self._client = account_session.client("ec2", region)
        events = self._client.meta.events
        events.register(f"before-send.ec2.{_OPERATION}", self._count_request)
        events.register(f"before-parse.ec2.{_OPERATION}", _replace_items)

    def iter_pages(self, request: Mapping[str, Any], token: str | None) -> Iterator[Page]:
        """Yield the pages that follow a page's token, or all pages if it is None."""
        start = TokenEncoder().encode({"NextToken": token}) if token else None
        size = None if "ImageIds" in request else MAX_PAGE_SIZE
        with translate_botocore_errors(_OPERATION, self._region, self._session):
            paginator = self._client.get_paginator(_PAGINATOR)
            config = {"PageSize": size, "StartingToken": start}
            pages = paginator.paginate(PaginationConfig=config, **request)
            for page in limit_pages(pages, token):
                _check_page(page)
                headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
                yield Page(
                    page.get(_COLUMNS, {}),
                    page.get("FastLaunchImages", ()),
                    page.get("NextToken") or None,
                    headers.get("date"),
                )

    def _count_request(self, **_: Any) -> None:
        self.request_count += 1


def _replace_items(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Move the items of a response into columns before botocore parses it, ten times as slowly.

    An unexpected response stays as it is, for botocore to parse or to report.
    """
    if response_dict["status_code"] >= 300:
        return
    extracted = xml_columns.extract_columns(
        response_dict["body"], operation_model.output_shape, "FastLaunchImages"
    )
    if extracted:
        customized_response_dict[_COLUMNS] = extracted.columns
        response_dict["body"] = extracted.rest
