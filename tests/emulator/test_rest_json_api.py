"""Recycle Bin and Image Builder of the emulator, through plain boto3 over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.emulator.server import Server
from tests.helpers.samples import ACCOUNT, REGION

pytestmark = pytest.mark.http

MINE = {"CreatedBy": "EC2 Fast Launch"}
TAG = {"ResourceTagKey": "CreatedBy", "ResourceTagValue": "EC2 Fast Launch"}
SNAPSHOTS = {"ResourceType": "EBS_SNAPSHOT"}
DISTRIBUTIONS = [
    {
        "region": "eu-west-1",
        "amiDistributionConfiguration": {"name": "win2022-{{imagebuilder:buildDate}}"},
        "fastLaunchConfigurations": [
            {
                "enabled": True,
                "snapshotConfiguration": {"targetResourceCount": 10},
                "maxParallelLaunches": 6,
                "launchTemplate": {"launchTemplateName": "runner", "launchTemplateVersion": "3"},
                "accountId": ACCOUNT,
            }
        ],
    }
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An empty emulator over HTTP."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    running = Server()
    reset_emulator()
    yield running
    running.stop()


def connect(server: Server, service: str, region: str = REGION) -> Any:
    """Return a client of a service in a region."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(service, region, endpoint_url=server.endpoint_url, **keys)


def get_error_code(error: ClientError) -> str:
    """Return the error code of an answer."""
    return str(error.response["Error"]["Code"])


# --- Recycle Bin ----------------------------------------------------------------------


def test_retention_rules(server: Server) -> None:
    """A rule is listed in its region for its type of resource, and answered with its tags."""
    ec2, client = get_backend(ACCOUNT, REGION), connect(server, "rbin")
    assert client.list_rules(**SNAPSHOTS)["Rules"] == []
    identifier = ec2.add_retention_rule(exclude_resource_tags=MINE, days=30, description="all")
    ec2.add_retention_rule(resource_type="EC2_IMAGE")
    [listed] = client.list_rules(**SNAPSHOTS)["Rules"]
    assert (listed["Identifier"], listed["Description"]) == (identifier, "all")
    rule = client.get_rule(Identifier=identifier)
    period = {"RetentionPeriodValue": 30, "RetentionPeriodUnit": "DAYS"}
    assert rule["RetentionPeriod"] == listed["RetentionPeriod"] == period
    assert (rule["ResourceTags"], rule["ExcludeResourceTags"]) == ([], [TAG])
    assert (rule["ResourceType"], rule["Status"]) == ("EBS_SNAPSHOT", "available")
    assert connect(server, "rbin", "eu-west-1").list_rules(**SNAPSHOTS)["Rules"] == []


def test_rules_are_filtered_by_tag(server: Server) -> None:
    """ListRules returns the rules that name a tag, or that exclude one."""
    ec2, client = get_backend(ACCOUNT, REGION), connect(server, "rbin")
    named = ec2.add_retention_rule(resource_tags=MINE)
    excluded = ec2.add_retention_rule(exclude_resource_tags=MINE)
    for field, expected in (("ResourceTags", named), ("ExcludeResourceTags", excluded)):
        answer = client.list_rules(**SNAPSHOTS, **{field: [TAG]})["Rules"]
        assert [rule["Identifier"] for rule in answer] == [expected], field


def test_rules_come_in_pages(server: Server) -> None:
    """A paginator reads every rule once, in order."""
    ec2, client = get_backend(ACCOUNT, REGION), connect(server, "rbin")
    expected = [ec2.add_retention_rule() for _ in range(5)]
    pages = list(client.get_paginator("list_rules").paginate(**SNAPSHOTS, MaxResults=2))
    assert [len(page["Rules"]) for page in pages] == [2, 2, 1]
    assert [rule["Identifier"] for page in pages for rule in page["Rules"]] == expected
    with pytest.raises(ClientError) as caught:
        client.list_rules(**SNAPSHOTS, NextToken="wrong")
    assert get_error_code(caught.value) == "ValidationException"


def test_an_unknown_rule_is_not_found(server: Server) -> None:
    """A rule that does not exist is an error, and so is an operation that only AWS has."""
    client = connect(server, "rbin")
    with pytest.raises(ClientError, match="0123456789a does not exist") as caught:
        client.get_rule(Identifier="0123456789a")
    assert get_error_code(caught.value) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as caught:
        client.delete_rule(Identifier="0123456789a")
    assert get_error_code(caught.value) == "UnknownOperationException"


# --- Image Builder --------------------------------------------------------------------


def test_distribution_configurations(server: Server) -> None:
    """A configuration is listed by its ARN, name and regions, and answered as it was added."""
    client = connect(server, "imagebuilder")
    arn = get_backend(ACCOUNT, REGION).add_distribution_configuration("agents", DISTRIBUTIONS)
    [listed] = client.list_distribution_configurations()["distributionConfigurationSummaryList"]
    assert (listed["arn"], listed["name"], listed["regions"]) == (arn, "agents", ["eu-west-1"])
    answer = client.get_distribution_configuration(distributionConfigurationArn=arn)
    assert answer["distributionConfiguration"]["distributions"] == DISTRIBUTIONS
    elsewhere = connect(server, "imagebuilder", "eu-west-1").list_distribution_configurations()
    assert elsewhere["distributionConfigurationSummaryList"] == []


def test_configurations_by_name_and_in_pages(server: Server) -> None:
    """The filter `name` selects configurations; the others come in pages."""
    ec2, client = get_backend(ACCOUNT, REGION), connect(server, "imagebuilder")
    arns = [ec2.add_distribution_configuration(name, []) for name in ("a", "b", "c")]

    def list_arns(**parameters: Any) -> tuple[list[str], str | None]:
        answer = client.list_distribution_configurations(**parameters)
        summaries = answer["distributionConfigurationSummaryList"]
        return [summary["arn"] for summary in summaries], answer.get("nextToken")

    assert list_arns(filters=[{"name": "name", "values": ["b"]}]) == (arns[1:2], None)
    first, token = list_arns(maxResults=2)
    assert (first, list_arns(nextToken=token)) == (arns[:2], (arns[2:], None))
    with pytest.raises(ClientError, match="Expected name") as caught:
        list_arns(filters=[{"name": "owner", "values": ["b"]}])
    assert get_error_code(caught.value) == "ValidationException"


def test_a_reset_removes_both(server: Server) -> None:
    """A reset of the emulator leaves no rule and no configuration."""
    ec2 = get_backend(ACCOUNT, REGION)
    ec2.add_retention_rule()
    arn = ec2.add_distribution_configuration("agents", DISTRIBUTIONS)
    reset_emulator()
    get_backend(ACCOUNT, REGION)
    assert connect(server, "rbin").list_rules(**SNAPSHOTS)["Rules"] == []
    with pytest.raises(ClientError) as caught:
        connect(server, "imagebuilder").get_distribution_configuration(
            distributionConfigurationArn=arn
        )
    assert get_error_code(caught.value) == "ResourceNotFoundException"
