"""Encryption: the key of an image's root snapshot, its state, and the grant of Fast Launch."""

from __future__ import annotations

from typing import Any

import pytest

from fastlaunch_nb.errors import ReadError
from fastlaunch_nb.joins.encryption import fetch_keys
from tests.helpers.region_client import CannedRegionClient, create_account_region
from tests.helpers.samples import ACCOUNT

KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b"
ROLES = "role/aws-service-role/ec2fastlaunch.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:{ROLES}/AWSServiceRoleForEC2FastLaunch"


def make_image(number: int, *, encrypted: bool | None = True) -> dict[str, Any]:
    """Return an AMI with a root snapshot."""
    ebs = {"SnapshotId": f"snap-{number}"}
    if encrypted is not None:
        ebs |= {"Encrypted": encrypted}  # type: ignore[dict-item]
    device = {"DeviceName": "/dev/sda1", "Ebs": ebs}
    return {
        "ImageId": f"ami-{number}",
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [device],
    }


def make_client(
    images: list[dict[str, Any]],
    snapshots: list[dict[str, Any]],
    *,
    state: Any = "Enabled",
    manager: str = "CUSTOMER",
    grantees: tuple[str, ...] = (ROLE,),
) -> CannedRegionClient:
    """Return a client for images with one key."""
    return CannedRegionClient(
        DescribeImages={"Images": images},
        DescribeSnapshots={"Snapshots": snapshots},
        DescribeKey={"KeyMetadata": {"KeyManager": manager, "KeyState": state}},
        ListGrants={"Grants": [{"GranteePrincipal": grantee} for grantee in grantees]},
    )


ENCRYPTED = {"SnapshotId": "snap-0", "Encrypted": True, "KmsKeyId": KEY}


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
def test_a_key_of_the_customer(state: str) -> None:
    """Its state is KMS's own, and one request is for the grants of the role alone."""
    client = make_client([make_image(0)], [ENCRYPTED], state=state)
    region = create_account_region(client, 1)
    key = {"kms_key_id": KEY, "kms_key_state": state, "kms_grant": "granted"}
    assert fetch_keys(region) == [{**region.key, "image_id": "ami-0", **key}]
    assert client.requests[2:] == [
        ("DescribeKey", {"KeyId": KEY}),
        ("ListGrants", {"KeyId": KEY, "GranteePrincipal": ROLE}),
    ]


@pytest.mark.parametrize(
    "grantees",
    [(), (ROLE.replace(ACCOUNT, "111122223333"),), (f"arn:aws:iam::{ACCOUNT}:role/Admin",)],
)
def test_a_key_without_the_grant(grantees: tuple[str, ...]) -> None:
    """A grant for another role, or for the role of another account, is none."""
    client = make_client([make_image(0)], [ENCRYPTED], grantees=grantees)
    [row] = fetch_keys(create_account_region(client, 1))
    assert row["kms_grant"] == "missing"


@pytest.mark.parametrize(
    ("image", "snapshots", "operations", "expected"),
    [
        (make_image(0, encrypted=False), [], [], ""),
        (make_image(0), [{**ENCRYPTED, "Encrypted": False}], ["DescribeSnapshots"], ""),
        (make_image(0, encrypted=None), [], ["DescribeSnapshots"], None),
        (make_image(0), [{"SnapshotId": "snap-0"}], ["DescribeSnapshots"], None),
        (make_image(0), [{"SnapshotId": "snap-0", "Encrypted": True}], ["DescribeSnapshots"], None),
    ],
)
def test_images_without_a_key(
    image: Any, snapshots: Any, operations: list[str], expected: str | None
) -> None:
    """Not encrypted is an empty text and costs no request; unknown is null."""
    client = make_client([image], snapshots)
    [row] = fetch_keys(create_account_region(client, 1))
    assert row.get("kms_key_id") == expected
    assert row.get("kms_key_state") is None
    assert client.operations == ["DescribeImages", *operations]


def test_a_key_of_aws_needs_no_grant() -> None:
    """Fast Launch may use it anyway, so its grants are not read."""
    client = make_client([make_image(0)], [ENCRYPTED], manager="AWS")
    [row] = fetch_keys(create_account_region(client, 1))
    assert row["kms_key_id"] == ""
    assert "ListGrants" not in client.operations


def test_images_share_the_requests_for_a_key() -> None:
    """A key is read once, however many images it encrypts."""
    snapshots = [{**ENCRYPTED, "SnapshotId": f"snap-{number}"} for number in range(3)]
    client = make_client([make_image(number) for number in range(3)], snapshots)
    rows = fetch_keys(create_account_region(client, 3))
    assert [row["kms_key_id"] for row in rows] == [KEY] * 3
    assert client.operations == ["DescribeImages", "DescribeSnapshots", "DescribeKey", "ListGrants"]


@pytest.mark.parametrize("operation", ["DescribeKey", "ListGrants"])
def test_a_key_that_cannot_be_read(operation: str) -> None:
    """Its images are unknown, with an error; those without a key are known."""
    images = [make_image(0), make_image(1, encrypted=False)]
    client = make_client(images, [ENCRYPTED])
    client.answers[operation] = ReadError("No.", code="AccessDeniedException", operation=operation)
    region = create_account_region(client, 2)
    encrypted, plain = fetch_keys(region)
    assert "kms_key_id" not in encrypted
    assert plain["kms_key_id"] == ""
    assert [(join, str(error)) for join, error in region.errors] == [
        ("kms", f"{operation}: AccessDeniedException: No.")
    ]
