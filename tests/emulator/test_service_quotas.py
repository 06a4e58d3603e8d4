"""Service Quotas of the emulator, through plain boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from fastlaunch_nb.emulator.moto_extension import get_backend
from tests.helpers.samples import ACCOUNT, REGION, Connect


def test_the_quota_of_parallel_launches(connect: Connect) -> None:
    """The quota is 40 unless set in an account and region; moto answers for other quotas."""
    client = connect("service-quotas")
    parameters = {"ServiceCode": "ec2fastlaunch", "QuotaCode": "L-DC79B53E"}
    quota = client.get_service_quota(**parameters)["Quota"]
    assert (quota["Value"], quota["QuotaName"]) == (40, "Parallel instance launches")
    get_backend(ACCOUNT, REGION).parallel_quota = 100
    assert client.get_service_quota(**parameters)["Quota"]["Value"] == 100
    other = connect("service-quotas", "999988887777")
    assert other.get_service_quota(**parameters)["Quota"]["Value"] == 40
    vpc = client.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]
    assert vpc["ServiceCode"] == "vpc"
    with pytest.raises(ClientError) as caught:
        client.get_service_quota(ServiceCode="ec2fastlaunch", QuotaCode="L-00000000")
    assert caught.value.response["Error"]["Code"] == "NoSuchResourceException"
