"""Encryption: the KMS key of each image's root snapshot, and whether Fast Launch may use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastlaunch_nb.errors import FastLaunchError
from fastlaunch_nb.joins.queries import AccountRegion, Row

_ROLE = "role/aws-service-role/ec2fastlaunch.amazonaws.com/AWSServiceRoleForEC2FastLaunch"


def fetch_keys(region: AccountRegion) -> list[Row]:
    """Return the key of each image; each key that cannot be read adds its own error.

    An image that is not encrypted needs no request, and neither does one that EC2 does not
    list. A key of AWS needs no grant.
    """
    encrypted = {
        row["image_id"]: row["root_snapshot_id"]
        for row in region.amis
        if row["is_encrypted"] is not False
    }
    snapshot_ids = sorted({snapshot_id for snapshot_id in encrypted.values() if snapshot_id})
    operation, result_key = "DescribeSnapshots", "Snapshots"
    snapshots = region.list_matching(operation, result_key, "snapshot-id", snapshot_ids)
    key_ids = {item.get("SnapshotId"): _get_key_id(item) for item in snapshots}
    ids = sorted({key_id for key_id in key_ids.values() if key_id})
    keys = {"": {"kms_key_id": ""}} | {key_id: _fetch_key(region, key_id) for key_id in ids}
    rows = []
    for row in region.amis:
        image_id = row["image_id"]
        key_id = key_ids.get(encrypted[image_id]) if image_id in encrypted else ""
        key = {} if key_id is None else keys[key_id]
        rows.append({**region.key, "image_id": image_id, **key})
    return rows


def _get_key_id(snapshot: Mapping[str, Any]) -> str | None:
    """Return the key of a snapshot; empty if it is not encrypted, None if that is unknown."""
    key_id: str | None = snapshot.get("KmsKeyId")
    return key_id if snapshot.get("Encrypted") else "" if "Encrypted" in snapshot else None


def _fetch_key(region: AccountRegion, key_id: str) -> Row:
    """Return the columns of a key: empty for a key of AWS, none if it cannot be read."""
    request = {"KeyId": key_id}
    try:
        [answer] = region.client.iter_pages("kms", "DescribeKey", "KeyMetadata", request)
        metadata = answer.get("KeyMetadata") or {}
        if metadata.get("KeyManager") == "AWS":
            return {"kms_key_id": ""}
        grant = "granted" if _has_grant(region, key_id) else "missing"
    except FastLaunchError as error:
        region.errors.append(("kms", error))
        return {}
    return {"kms_key_id": key_id, "kms_key_state": metadata.get("KeyState"), "kms_grant": grant}


def get_role_arn(partition: str, account_id: str) -> str:
    """Return the ARN of the service-linked role of Fast Launch, which a key's grant must name."""
    return f"arn:{partition}:iam::{account_id}:{_ROLE}"


def _has_grant(region: AccountRegion, key_id: str) -> bool:
    """Return True if a grant names the role of Fast Launch of this account."""
    arn = get_role_arn(region.partition, region.account_id)
    request = {"KeyId": key_id, "GranteePrincipal": arn}
    grants = region.client.iter_items("kms", "ListGrants", "Grants", request)
    return any(grant.get("GranteePrincipal") == arn for grant in grants)
