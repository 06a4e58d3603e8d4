"""Queries about an account and region as a whole: Recycle Bin, leftovers, defaults of metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastlaunch_nb.joins.queries import FAST_LAUNCH_TAG, TAG_FILTER, AccountRegion, Row

_RULES = {"ResourceType": "EBS_SNAPSHOT"}
_AVAILABLE = {"Name": "status", "Values": ["available"]}
_PAGE_SIZE = 500  # of volumes and interfaces; EC2's maximum for volumes


def fetch_recycle_bin(region: AccountRegion) -> list[Row]:
    """Return the ids of retention rules that keep the snapshots which launches use up."""
    summaries = region.client.iter_items("rbin", "ListRules", "Rules", _RULES)
    ids = [rule.get("Identifier") for rule in summaries]
    requests = [{"Identifier": identifier} for identifier in ids if identifier]
    rules = [
        rule
        for request in requests
        for rule in region.client.iter_pages("rbin", "GetRule", "Identifier", request)
    ]
    names = [str(rule.get("Identifier")) for rule in rules if keeps_snapshots(rule)]
    return [{**region.key, "recycle_bin_rules": ", ".join(names)}]


def keeps_snapshots(rule: Mapping[str, Any]) -> bool:
    """Return True if a rule keeps snapshots with the tag of Fast Launch when they are deleted.

    A rule with tags keeps what has one of them. A rule without keeps everything but what has
    one of its exclusion tags. Only rules in the state `available` keep anything. A tag
    without a value matches every value.

    Examples
    --------
    >>> tag = {"ResourceTagKey": "CreatedBy", "ResourceTagValue": "EC2 Fast Launch"}
    >>> keeps_snapshots({"Status": "available", "ExcludeResourceTags": [tag]})
    False
    >>> keeps_snapshots({"Status": "available"})
    True
    """
    if rule.get("Status") not in (None, "available"):
        return False
    if rule.get("ResourceTags"):
        return _matches_tag(rule["ResourceTags"])
    return not _matches_tag(rule.get("ExcludeResourceTags") or ())


def _matches_tag(tags: Iterable[Mapping[str, Any]]) -> bool:
    return any(
        tag.get("ResourceTagKey") == FAST_LAUNCH_TAG["Key"]
        and tag.get("ResourceTagValue") in (None, "", FAST_LAUNCH_TAG["Value"])
        for tag in tags
    )


def fetch_leftovers(region: AccountRegion) -> list[Row]:
    """Return the number of volumes and interfaces of Fast Launch that are attached to nothing.

    EC2 hides resources that a service manages, unless a request includes them: they are billed.
    """
    request = {"IncludeManagedResources": True, "Filters": [TAG_FILTER, _AVAILABLE]}
    list_items = region.client.iter_items
    volumes = list(list_items("ec2", "DescribeVolumes", "Volumes", request, _PAGE_SIZE))
    operation, result_key = "DescribeNetworkInterfaces", "NetworkInterfaces"
    interfaces = list(list_items("ec2", operation, result_key, request, _PAGE_SIZE))
    sizes = [volume.get("Size") for volume in volumes]
    row = {
        "leftover_volumes": len(volumes),
        "leftover_volume_gib": None if None in sizes else sum(sizes),
        "leftover_interfaces": len(interfaces),
    }
    return [{**region.key, **row}]


def fetch_metadata_defaults(region: AccountRegion) -> list[Row]:
    """Return whether launches without IMDSv2 fail; an account without a setting has none."""
    operation, result_key = "GetInstanceMetadataDefaults", "AccountLevel"
    [answer] = region.client.iter_pages("ec2", operation, result_key, {})
    defaults = answer.get(result_key) or {}
    enforced = defaults.get("HttpTokensEnforced") or "no-preference"
    return [{**region.key, "imds_http_tokens_enforced": enforced}]
