"""Queries about accounts and regions: which rules, volumes, interfaces and defaults count."""

from __future__ import annotations

from typing import Any

import pytest

from fastlaunch_nb.joins import account_queries
from tests.helpers.region_client import CannedRegionClient, create_account_region

TAG = {"ResourceTagKey": "CreatedBy", "ResourceTagValue": "EC2 Fast Launch"}
ANY_VALUE = {"ResourceTagKey": "CreatedBy"}
OTHER_VALUE = {"ResourceTagKey": "CreatedBy", "ResourceTagValue": "Terraform"}
OTHER_KEY = {"ResourceTagKey": "Owner", "ResourceTagValue": "EC2 Fast Launch"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, True),
        ({"ExcludeResourceTags": [TAG]}, False),
        ({"ExcludeResourceTags": [OTHER_KEY, TAG]}, False),
        ({"ExcludeResourceTags": [ANY_VALUE]}, False),
        ({"ExcludeResourceTags": [OTHER_VALUE]}, True),
        ({"ExcludeResourceTags": [OTHER_KEY]}, True),
        ({"ResourceTags": [TAG]}, True),
        ({"ResourceTags": [OTHER_KEY, ANY_VALUE]}, True),
        ({"ResourceTags": [OTHER_VALUE]}, False),
        ({"ResourceTags": [OTHER_KEY]}, False),
        ({"ResourceTags": [TAG], "Status": "pending"}, False),
        ({"Status": "available"}, True),
        ({"Status": "pending"}, False),
    ],
)
def test_rules_that_keep_used_snapshots(rule: dict[str, Any], expected: bool) -> None:
    """A rule for all snapshots keeps them unless it excludes their tag; others if they name it."""
    assert account_queries.keeps_snapshots(rule) is expected


def test_each_rule_is_read() -> None:
    """One request lists the rules for snapshots, another reads the tags of each."""
    client = CannedRegionClient(
        ListRules=[{"Rules": [{"Identifier": "a"}, {"Identifier": "b"}]}, {"Rules": []}],
        GetRule=lambda request: {
            **request,
            "ExcludeResourceTags": [TAG] if request["Identifier"] == "a" else [],
        },
    )
    region = create_account_region(client, 1)
    assert account_queries.fetch_recycle_bin(region) == [{**region.key, "recycle_bin_rules": "b"}]
    assert client.requests[0] == ("ListRules", {"ResourceType": "EBS_SNAPSHOT"})
    assert client.operations == ["ListRules", "GetRule", "GetRule"]
    client.answers["ListRules"] = {"Rules": []}
    assert account_queries.fetch_recycle_bin(region) == [{**region.key, "recycle_bin_rules": ""}]


def test_leftovers_are_counted() -> None:
    """Those with the tag count if they are available, even if EC2 hides them; pages add up."""
    client = CannedRegionClient(
        DescribeVolumes=[{"Volumes": [{"Size": 50}]}, {"Volumes": [{"Size": 30}]}],
        DescribeNetworkInterfaces={"NetworkInterfaces": [{}]},
    )
    region = create_account_region(client, 1)
    [row] = account_queries.fetch_leftovers(region)
    numbers = {"leftover_volumes": 2, "leftover_volume_gib": 80, "leftover_interfaces": 1}
    assert row == {**region.key, **numbers}
    filters = [
        {"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]},
        {"Name": "status", "Values": ["available"]},
    ]
    operations = ("DescribeVolumes", "DescribeNetworkInterfaces")
    request = {"IncludeManagedResources": True, "Filters": filters}
    assert client.requests == [(operation, request) for operation in operations]
    client.answers["DescribeVolumes"] = {"Volumes": [{"Size": 50}, {}]}
    assert account_queries.fetch_leftovers(region)[0]["leftover_volume_gib"] is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"AccountLevel": {"HttpTokensEnforced": "enabled"}}, "enabled"),
        ({"AccountLevel": {"HttpTokensEnforced": "disabled"}}, "disabled"),
        ({"AccountLevel": {"HttpTokens": "required"}}, "no-preference"),
        ({"AccountLevel": {}}, "no-preference"),
        ({}, "no-preference"),
    ],
)
def test_enforcement_of_imdsv2(answer: dict[str, Any], expected: str) -> None:
    """A default of `required` is not enforced: a launch may still say otherwise."""
    region = create_account_region(CannedRegionClient(GetInstanceMetadataDefaults=answer), 1)
    [row] = account_queries.fetch_metadata_defaults(region)
    assert row == {**region.key, "imds_http_tokens_enforced": expected}
