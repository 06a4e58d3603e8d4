"""A stub of RegionClient that records its requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastlaunch_nb.joins.queries import AccountRegion
from tests.helpers.samples import ACCOUNT, REGION


class StubRegionClient:
    """A client whose every response has one page, as a function of the request."""

    region = REGION
    account_session = None

    def __init__(self, respond: Callable[[str, dict[str, Any]], Sequence[Any]]) -> None:
        self.respond = respond
        self.requests: list[tuple[str, dict[str, Any], int | None]] = []

    def iter_pages(
        self,
        _service: str,
        operation: str,
        result_key: str,
        request: Any,
        page_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the one page."""
        self.requests.append((operation, dict(request), page_size))
        yield {result_key: self.respond(operation, request)}

    def iter_items(self, *arguments: Any) -> Iterator[Any]:
        """Yield the items of the page."""
        for page in self.iter_pages(*arguments):
            yield from page[arguments[2]]

    def sizes(self, operation: str, values: Callable[[dict[str, Any]], Sequence[Any]]) -> list[int]:
        """Return the number of values in each request of an operation."""
        return [len(values(request)) for name, request, _ in self.requests if name == operation]

    def page_sizes(self, operation: str) -> set[int | None]:
        """Return the page sizes in the requests of an operation."""
        return {size for name, _, size in self.requests if name == operation}


class CannedRegionClient:
    """A client with whole pages for each operation; a function makes them of the request."""

    region = REGION
    account_session = None

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def iter_pages(
        self, _service: str, operation: str, _result_key: str, request: Any, _size: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the pages, or raise an error that is one."""
        self.requests.append((operation, dict(request)))
        answer = self.answers[operation]
        pages = answer(request) if callable(answer) else answer
        for page in pages if isinstance(pages, list) else [pages]:
            if isinstance(page, Exception):
                raise page
            yield page

    def iter_items(self, *arguments: Any) -> Iterator[Any]:
        """Yield the items of all pages."""
        for page in self.iter_pages(*arguments):
            yield from page.get(arguments[2]) or ()

    @property
    def operations(self) -> list[str]:
        """The operations of all requests, in order."""
        return [operation for operation, _ in self.requests]


def create_account_region(client: Any, count: int) -> AccountRegion:
    """Create an account and region with a number of images."""
    return AccountRegion(ACCOUNT, client, [f"ami-{number}" for number in range(count)])
