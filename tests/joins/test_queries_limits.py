"""Queries of joins: how many values a request has, and how large a page is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from fastlaunch_nb.joins import queries
from tests.helpers.region_client import StubRegionClient, create_account_region

# --- 200 values of a filter -----------------------------------------------------------

BATCHES = [
    (0, []),
    (1, [1]),
    (199, [199]),
    (200, [200]),
    (201, [200, 1]),
    (400, [200, 200]),
    (401, [200, 200, 1]),
]


def filter_values(request: dict[str, Any]) -> Sequence[str]:
    """Return the values of a request's first filter."""
    values: Sequence[str] = request["Filters"][0]["Values"]
    return values


@pytest.mark.parametrize(("count", "expected"), BATCHES)
def test_a_request_has_at_most_200_amis(count: int, expected: list[int]) -> None:
    """EC2 accepts 200 values of a filter: each image is in one request."""
    client = StubRegionClient(
        lambda _, request: [{"ImageId": value} for value in filter_values(request)]
    )
    account_region = create_account_region(client, count)
    assert [row["image_id"] for row in account_region.amis] == account_region.image_ids
    assert client.sizes("DescribeImages", filter_values) == expected


@pytest.mark.parametrize(("count", "reads"), [(0, 0), (1, 1), (401, 1)])
def test_own_amis_are_two_reads(count: int, reads: int) -> None:
    """All AMIs of an account are one read in large pages; all with Fast Launch are another."""
    items = {
        "DescribeImages": [{"ImageId": f"ami-{n}"} for n in range(count)],
        "DescribeFastLaunchImages": [{"ImageId": "ami-0"}, {"ImageId": "x"}],
    }
    client = StubRegionClient(lambda name, _: items[name])
    rows = create_account_region(client, 0).list_own_amis()
    assert client.page_sizes("DescribeImages") == {500}
    assert len(client.requests) == 1 + reads
    assert client.requests.count(("DescribeFastLaunchImages", {}, None)) == reads
    assert [row["has"] for row in rows] == [1, *[0] * (count - 1)][:count]


@pytest.mark.parametrize(("count", "expected"), BATCHES)
def test_a_request_has_at_most_200_instances(count: int, expected: list[int]) -> None:
    """Requests for instances, their volumes and snapshots have at most 200 ids."""
    responses: dict[str, Callable[[str], Any]] = {
        "DescribeImages": lambda value: {"ImageId": value},
        "DescribeInstances": lambda value: {"Instances": [build_instance(value)]},
        "DescribeVolumes": lambda value: {"VolumeId": value, "SnapshotId": f"snap-{value}"},
        "DescribeSnapshots": lambda value: {"SnapshotId": value, "Tags": [queries.FAST_LAUNCH_TAG]},
    }
    client = StubRegionClient(
        lambda name, request: [responses[name](value) for value in filter_values(request)]
    )
    rows = queries.fetch_instances(create_account_region(client, count))
    assert [row["fast"] for row in rows] == [1] * count
    for operation, size in (
        ("DescribeInstances", 1000),
        ("DescribeVolumes", 500),
        ("DescribeSnapshots", 1000),
    ):
        assert client.sizes(operation, filter_values) == expected, operation
        assert client.page_sizes(operation) <= {size}, operation


def build_instance(image_id: str) -> dict[str, Any]:
    device = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": f"vol-{image_id}"}}
    return {"ImageId": image_id, "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [device]}


def test_a_page_has_1000_snapshots() -> None:
    """Snapshots are read in the largest pages that EC2 allows."""
    client = StubRegionClient(lambda *_: [{"SnapshotId": "snap-1"}])
    assert len(queries.fetch_snapshots(create_account_region(client, 1))) == 1
    assert client.page_sizes("DescribeSnapshots") == {1000}
