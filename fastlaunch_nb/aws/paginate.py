"""Requests to one account and region for any operation of ``READ_ONLY``, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from botocore import xform_name
from botocore.paginate import TokenEncoder

from fastlaunch_nb.aws.clients import AccountSession, get_iam_action
from fastlaunch_nb.aws.error_translation import require_aws_response, translate_botocore_errors
from fastlaunch_nb.aws.read_limits import limit_pages

ResponsePage: TypeAlias = Mapping[str, Any]
"""A page as botocore parses it."""


class RegionClient:
    """A client of one account and region for all services; not thread-safe."""

    def __init__(self, account_session: AccountSession, region: str) -> None:
        self.account_session = account_session
        self.region = region
        self._clients: dict[str, Any] = {}

    def get_client(self, service: str) -> Any:
        """Return the client of a service, which is created when it is first needed."""
        if service not in self._clients:
            self._clients[service] = self.account_session.client(service, self.region)
        return self._clients[service]

    def iter_pages(
        self,
        service: str,
        operation: str,
        result_key: str,
        request: Mapping[str, Any],
        page_size: int | None = None,
        *,
        token: str | None = None,
    ) -> Iterator[ResponsePage]:
        """Yield every page of an operation, or its one response; `result_key` is in each.

        `token` is AWS's, of the first page to read; by default all pages are read.
        """
        iam_service, _, _ = get_iam_action(service, operation).partition(":")
        with translate_botocore_errors(
            operation, self.region, self.account_session.session, service=iam_service
        ):
            client, method = self.get_client(service), xform_name(operation)
            responses: Iterable[ResponsePage]
            if client.can_paginate(method):
                paginator = client.get_paginator(method)
                start = TokenEncoder().encode({"NextToken": token}) if token else None
                paging = {"PageSize": page_size, "StartingToken": start}
                responses = paginator.paginate(PaginationConfig=paging, **request)
            else:
                responses = [getattr(client, method)(**request)]
            for response in limit_pages(responses, token):
                has_id = "RequestId" in response.get("ResponseMetadata", {})
                require_aws_response(response, result_key in response or has_id)
                yield response

    def iter_items(
        self,
        service: str,
        operation: str,
        result_key: str,
        request: Mapping[str, Any],
        page_size: int | None = None,
    ) -> Iterator[Any]:
        """Yield the items under `result_key` of all pages."""
        for page in self.iter_pages(service, operation, result_key, request, page_size):
            yield from page.get(result_key) or ()
