"""RegionClient: pages are read to the end, whatever their size."""

from __future__ import annotations

from typing import Any, NamedTuple

import boto3
import pytest
from botocore.client import BaseClient

from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.paginate import RegionClient
from tests.helpers.samples import REGION


class Operation(NamedTuple):
    """A paginated operation, the key of its items, and the page size of our requests."""

    service: str
    name: str
    result_key: str
    page_size: int | None


OPERATIONS = [
    Operation("ec2", "DescribeSnapshots", "Snapshots", 1000),
    Operation("ec2", "DescribeInstances", "Reservations", 1000),
    Operation("ec2", "DescribeVolumes", "Volumes", 500),
    Operation("cloudwatch", "ListMetrics", "Metrics", None),
    Operation("cloudwatch", "GetMetricData", "MetricDataResults", None),
]


@pytest.mark.parametrize("sizes", [[500], [500, 0], [500, 1]], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
def test_only_the_token_ends_a_read(
    monkeypatch: pytest.MonkeyPatch, operation: Operation, sizes: list[int]
) -> None:
    """A full page may be the last, and a token is followed even to an empty page."""
    requests: list[dict[str, Any]] = []

    def respond(_self: object, name: str, request: dict[str, Any]) -> dict[str, Any]:
        assert name == operation.name
        requests.append(request)
        count = sizes[len(requests) - 1]
        token = {"NextToken": "more"} if len(requests) < len(sizes) else {}
        return {operation.result_key: [{"Id": "q0"}] * count, **token}

    monkeypatch.setattr(BaseClient, "_make_api_call", respond)
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    client = RegionClient(AccountSession(session), REGION)
    pages = client.iter_pages(
        operation.service, operation.name, operation.result_key, {}, operation.page_size
    )
    assert [len(page[operation.result_key]) for page in pages] == sizes
    assert [request.get("NextToken") for request in requests] == [None, "more"][: len(sizes)]
    assert {request.get("MaxResults") for request in requests} == {operation.page_size}
