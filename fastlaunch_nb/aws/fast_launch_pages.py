"""Reads of DescribeFastLaunchImages, page by page, as columns: all pages, or a slice of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from botocore.paginate import TokenDecoder, TokenEncoder

from fastlaunch_nb.aws import xml_columns
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.error_translation import translate_botocore_errors
from fastlaunch_nb.aws.paginate import RegionClient

MAX_PAGE_SIZE = 200
"""The largest MaxResults of DescribeFastLaunchImages (botocore's service model)."""
EXPIRED_TOKEN = frozenset({"InvalidNextToken", "InvalidPaginationToken"})
"""AWS's error codes for a page token that is unknown or has expired."""
NOT_OPEN = frozenset({"AuthFailure", "OptInRequired"})
"""AWS's error codes for a region that is not opted in; the first also for bad credentials."""
_OPERATION, _ITEMS = "DescribeFastLaunchImages", "FastLaunchImages"
_COLUMNS = "FastLaunchColumns"  # the key of the extracted columns in a parsed page
_MIN_SIZE = 10_000  # bytes of a response; botocore's parser is the faster one for a few images
Images: TypeAlias = xml_columns.Columns | Sequence[Mapping[str, Any]]
"""Images of a page: columns, or botocore's items if they are few or not of the usual form."""


@dataclass(frozen=True)
class Page:
    """A page, or a part of one. `next_token` is None on the last page."""

    images: Images
    next_token: str | None
    date: str | None  # the Date header, which is AWS's clock


@dataclass(frozen=True)
class ReadResult:
    """The pages of a read, the first and the last cut, and the token that continues it."""

    pages: list[Page]
    next_token: str | None


class PageReader:
    """A reader of one account and region, page by page, that counts its requests.

    `request_count` includes botocore's retries.
    """

    def __init__(self, account_session: AccountSession, region: str) -> None:
        self.request_count = 0
        self._client = RegionClient(account_session, region)
        with translate_botocore_errors(_OPERATION, region, account_session.session):
            events = self._client.get_client("ec2").meta.events
        events.register(f"before-send.ec2.{_OPERATION}", self._count_request)
        events.register(f"before-parse.ec2.{_OPERATION}", _replace_items)

    def iter_pages(self, request: Mapping[str, Any], token: str | None) -> Iterator[Page]:
        """Yield the pages that follow a page's token, or all pages if it is None; in full size."""
        size = None if "ImageIds" in request else MAX_PAGE_SIZE
        return self._iter_pages(request, token, size)

    def _iter_pages(
        self, request: Mapping[str, Any], token: str | None, size: int | None
    ) -> Iterator[Page]:
        pages = self._client.iter_pages("ec2", _OPERATION, _ITEMS, request, size, token=token)
        for page in pages:
            headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            images = page.get(_COLUMNS, page.get(_ITEMS))
            yield Page(
                () if images is None else images, page.get("NextToken") or None, headers.get("date")
            )

    def read(
        self,
        request: Mapping[str, Any],
        *,
        max_items: int | None = None,
        page_size: int | None = None,
        starting_token: str | None = None,
    ) -> ReadResult:
        """Read as botocore's paginator does, with the same rows and the same resume token.

        A resume token names a page and a number of items to skip there. If the page is now
        shorter than that number, because the page size is smaller, botocore repeats rows;
        here the rest of them is skipped in the pages that follow.
        """
        token, skip = split_token(starting_token)
        end = None if max_items is None else skip + max_items
        pages: list[Page] = []
        seen = 0
        for page in self._iter_pages(request, token, page_size):
            count = len(page.images)
            stop = count if end is None else min(count, end - seen)
            images = page.images[min(skip - seen, count) if skip > seen else 0 : stop]
            pages.append(Page(images, page.next_token, page.date))
            if stop < count:
                return ReadResult(pages, _encode_token(token, stop))
            seen, token = seen + count, page.next_token
            if seen == end:
                break
        return ReadResult(pages, _encode_token(token) if token else None)

    def _count_request(self, **_: Any) -> None:
        self.request_count += 1


def _replace_items(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Move many items of a response into columns before botocore parses it, far more slowly.

    An unexpected response stays as it is, for botocore to parse or to report.
    """
    body = response_dict["body"]
    if response_dict["status_code"] >= 300 or len(body) < _MIN_SIZE:
        return
    extracted = xml_columns.extract_columns(body, operation_model.output_shape, _ITEMS)
    if extracted:
        customized_response_dict[_COLUMNS] = extracted.columns
        response_dict["body"] = extracted.rest


# --- resume tokens --------------------------------------------------------------------


def _encode_token(page: str | None, skip: int | None = None) -> str:
    """Encode botocore's resume token: the token of a page, and the number of items to skip."""
    token = {"NextToken": page} | ({} if skip is None else {"boto_truncate_amount": skip})
    return str(TokenEncoder().encode(token))


def split_token(starting_token: str | None) -> tuple[str | None, int]:
    """Split botocore's resume token into the token of a page and the number of items to skip.

    EC2's own token, which botocore also accepts, skips nothing.
    """
    if starting_token is None:
        return None, 0
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        decoded = TokenDecoder().decode(starting_token)
        page, skip = decoded["NextToken"], int(decoded.get("boto_truncate_amount", 0))
        if page is None or isinstance(page, str):
            return page or None, max(0, skip)
    # EC2's own token, which may be base64 of JSON as well, or botocore's old "token___2".
    head, _, tail = starting_token.rpartition("___")
    return (head, int(tail)) if head and tail.isdigit() else (starting_token, 0)
