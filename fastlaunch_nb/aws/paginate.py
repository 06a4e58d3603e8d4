"""Asking one account and region what :data:`fastlaunch_nb.aws.READ_ONLY` lists, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from botocore import xform_name

from fastlaunch_nb.aws.clients import AccountSession, iam_action
from fastlaunch_nb.aws.error_translation import require_aws_response, translate_botocore_errors

Answer: TypeAlias = Mapping[str, Any]
"""A page as botocore parses it."""


class RegionClient:
    """Asks an account and region; a client a service, each made when it is first needed.

    For one thread at a time.

    Parameters
    ----------
    access : Access
        The way into the account.
    region : str
        The region.
    """

    def __init__(self, access: AccountSession, region: str) -> None:
        self.access = access
        self.region = region
        self._clients: dict[str, Any] = {}

    def pages(
        self,
        service: str,
        operation: str,
        part: str,
        request: Mapping[str, Any],
        page_size: int | None = None,
    ) -> Iterator[Answer]:
        """Yield every page of the answer, or the one there is; `part` is what each has."""
        iam_service = iam_action(service, operation).partition(":")[0]
        with translate_botocore_errors(
            operation, self.region, self.access.session, service=iam_service
        ):
            for answer in self._answers(service, xform_name(operation), request, page_size):
                known = part in answer or "RequestId" in answer.get("ResponseMetadata", {})
                require_aws_response(answer, known)
                yield answer

    def items(
        self,
        service: str,
        operation: str,
        part: str,
        request: Mapping[str, Any],
        page_size: int | None = None,
    ) -> Iterator[Any]:
        """Yield what all pages list under `part`."""
        for answer in self.pages(service, operation, part, request, page_size):
            yield from answer.get(part) or ()

    def _answers(
        self, service: str, method: str, request: Mapping[str, Any], page_size: int | None
    ) -> Iterator[Answer]:
        if service not in self._clients:
            self._clients[service] = self.access.client(service, self.region)
        client = self._clients[service]
        if not client.can_paginate(method):
            return iter([getattr(client, method)(**request)])
        config = {"PageSize": page_size}
        return iter(client.get_paginator(method).paginate(PaginationConfig=config, **request))
