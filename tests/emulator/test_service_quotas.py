"""Service Quotas of the emulator, through plain boto3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.samples import ACCOUNT, REGION, Connect

pytestmark = pytest.mark.http

QUOTA = {"ServiceCode": "ec2fastlaunch", "QuotaCode": "L-DC79B53E"}


def test_the_quota_of_parallel_launches(connect: Connect) -> None:
    """The quota is 40 unless set in an account and region; moto answers for other quotas."""
    client = connect("service-quotas")
    quota = client.get_service_quota(**QUOTA)["Quota"]
    assert (quota["Value"], quota["QuotaName"]) == (40, "Parallel instance launches")
    get_backend(ACCOUNT, REGION).parallel_quota = 100
    assert client.get_service_quota(**QUOTA)["Quota"]["Value"] == 100
    other = connect("service-quotas", "999988887777")
    assert other.get_service_quota(**QUOTA)["Quota"]["Value"] == 40
    vpc = client.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]
    assert vpc["ServiceCode"] == "vpc"
    with pytest.raises(ClientError) as caught:
        client.get_service_quota(ServiceCode="ec2fastlaunch", QuotaCode="L-00000000")
    assert caught.value.response["Error"]["Code"] == "NoSuchResourceException"


def test_an_increase_is_pending(connect: Connect) -> None:
    """A request to raise the quota is answered and listed as pending, and the quota stays."""
    client = connect("service-quotas")
    answer = client.request_service_quota_increase(**QUOTA, DesiredValue=100)["RequestedQuota"]
    assert (answer["Status"], answer["DesiredValue"]) == ("PENDING", 100)
    assert (answer["QuotaName"], answer["Created"]) == ("Parallel instance launches", CLOCK.now())
    listed = client.list_requested_service_quota_change_history(ServiceCode="ec2fastlaunch")
    assert listed["RequestedQuotas"] == [answer]
    approved = client.list_requested_service_quota_change_history(Status="APPROVED")
    assert approved["RequestedQuotas"] == []
    assert client.get_service_quota(**QUOTA)["Quota"]["Value"] == 40
    elsewhere = connect("service-quotas", region="eu-west-1")
    assert elsewhere.list_requested_service_quota_change_history()["RequestedQuotas"] == []


def test_increases_are_refused(connect: Connect) -> None:
    """A second request, a value that is no increase, and an unknown quota are refused."""
    client = connect("service-quotas")

    def get_code(**parameters: Any) -> str:
        with pytest.raises(ClientError) as caught:
            client.request_service_quota_increase(**{**QUOTA, **parameters})
        return str(caught.value.response["Error"]["Code"])

    assert get_code(DesiredValue=40) == "IllegalArgumentException"
    assert get_code(DesiredValue=41, QuotaCode="L-00000000") == "NoSuchResourceException"
    client.request_service_quota_increase(**QUOTA, DesiredValue=41)
    assert get_code(DesiredValue=42) == "ResourceAlreadyExistsException"
