"""Reading DescribeFastLaunchImages: all of a read at once, or page by page as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.paginate import TokenDecoder, TokenEncoder

from fastlaunch_nb.aws import xml_columns
from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.error_translation import require_aws_response, translate_botocore_errors

MAX_PAGE_SIZE = 200
"""The largest MaxResults of DescribeFastLaunchImages (botocore's service model)."""
EXPIRED_TOKEN = frozenset({"InvalidNextToken", "InvalidPaginationToken"})
"""What AWS answers to a page token that it does not know, or no longer."""
NOT_OPEN = frozenset({"AuthFailure", "OptInRequired"})
"""What AWS answers where a region is not opted in; the first also to bad credentials."""
_OPERATION, _PAGINATOR = "DescribeFastLaunchImages", "describe_fast_launch_images"
_COLUMNS = "FastLaunchColumns"  # what a page of ours has in the place of its items


@dataclass(frozen=True)
class ReadResult:
    """What one read brought: its items, its first response, and how to go on."""

    items: list[Any]
    first_response: Mapping[str, Any]
    next_token: str | None


def read_fast_launch_images(
    access: AccountSession,
    region: str,
    request: Mapping[str, Any],
    *,
    max_items: int | None = None,
    page_size: int | None = None,
    starting_token: str | None = None,
) -> ReadResult:
    """Read DescribeFastLaunchImages through botocore's paginator.

    botocore forgets the rest of what a resume token tells it to skip when the
    first page is shorter than that (a smaller page size than before is enough),
    and repeats rows. So it is asked from the page's own token, and the skipping
    is done here.
    """
    token, skip = split_token(starting_token)
    paging = {
        "MaxItems": None if max_items is None else max_items + skip,
        "PageSize": page_size,
        "StartingToken": token,
    }
    with translate_botocore_errors(_OPERATION, region, access.session):
        paginator = access.client("ec2", region).get_paginator(_PAGINATOR)
        pages = paginator.paginate(PaginationConfig=paging, **request)
        responses = list(pages)
        for response in responses:
            _check_page(response)
    items = (item for response in responses for item in response.get("FastLaunchImages", ()))
    return ReadResult(list(islice(items, skip, None)), responses[0], pages.resume_token)


def _check_page(page: Mapping[str, Any]) -> None:
    metadata = page.get("ResponseMetadata", {})
    require_aws_response(page, "FastLaunchImages" in page or "RequestId" in metadata)


def split_token(starting_token: str | None) -> tuple[str | None, int]:
    """Split a resume token of botocore's into its page and the items to skip there.

    A service's own token, which botocore accepts as well, skips nothing.
    """
    if starting_token is None:
        return None, 0
    try:
        decoded = TokenDecoder().decode(starting_token)
        page, skip = decoded["NextToken"], int(decoded.get("boto_truncate_amount", 0))
    except (ValueError, TypeError, KeyError, AttributeError):
        # The service's own token, which may be base64 of JSON too; or botocore's old "token___2".
        head, _, tail = starting_token.rpartition("___")
        page, skip = (head, int(tail)) if head and tail.isdigit() else (starting_token, 0)
    return TokenEncoder().encode({"NextToken": page}) if page else None, max(0, skip)


# --- page by page ---------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A page as columns: API path to values. `next_token` is None on the last one."""

    columns: xml_columns.Columns
    next_token: str | None
    date: str | None  # AWS's clock, as its header has it


class PageReader:
    """Reads an account and region page by page, and counts what it sends.

    Attributes
    ----------
    sent : int
        Requests so far, those of botocore's retries included.
    """

    def __init__(self, access: AccountSession, region: str) -> None:
        self.sent = 0
        self._region = region
        self._session = access.session
        with translate_botocore_errors(_OPERATION, region, access.session):
            self._client = access.client("ec2", region)
        events = self._client.meta.events
        events.register(f"before-send.ec2.{_OPERATION}", self._count)
        events.register(f"before-parse.ec2.{_OPERATION}", _parse)

    def pages(self, request: Mapping[str, Any], token: str | None) -> Iterator[Page]:
        """Yield the pages from a page's token on; from the first where there is none."""
        start = TokenEncoder().encode({"NextToken": token}) if token else None
        size = None if "ImageIds" in request else MAX_PAGE_SIZE
        with translate_botocore_errors(_OPERATION, self._region, self._session):
            paginator = self._client.get_paginator(_PAGINATOR)
            config = {"PageSize": size, "StartingToken": start}
            for page in paginator.paginate(PaginationConfig=config, **request):
                _check_page(page)
                headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
                columns = page.get(_COLUMNS, {})
                yield Page(columns, page.get("NextToken") or None, headers.get("date"))

    def _count(self, **_: Any) -> None:
        self.sent += 1


def _parse(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Take the items out of an answer before botocore parses it, ten times as slowly.

    What is not as it should be is left to botocore, which says why.
    """
    if response_dict["status_code"] != 200:
        return
    taken = xml_columns.extract_columns(
        response_dict["body"], operation_model.output_shape, "FastLaunchImages"
    )
    if taken:
        customized_response_dict[_COLUMNS] = taken.columns
        response_dict["body"] = taken.rest
