"""Service Quotas of the emulator: moto's quotas, and the quota of Fast Launch."""

from __future__ import annotations

from typing import Any

from moto.servicequotas.models import ServiceQuotasBackend

from fastlaunch_nb.emulator.assumptions import PARALLEL_QUOTA
from fastlaunch_nb.emulator.fast_launch_backend import find_backend

SERVICE, QUOTA = "ec2fastlaunch", "L-DC79B53E"
_moto_get_service_quota = ServiceQuotasBackend.get_service_quota


def get_service_quota(quotas: Any, service_code: str, quota_code: str) -> dict[str, Any]:
    """Answer GetServiceQuota for parallel instance launches; moto answers for all others."""
    if (service_code, quota_code) != (SERVICE, QUOTA):
        return _moto_get_service_quota(quotas, service_code, quota_code)
    region = quotas.region_name
    ec2 = find_backend(quotas.account_id, region)
    return {
        "ServiceCode": SERVICE,
        "ServiceName": "EC2 Fast Launch",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{quotas.account_id}:{SERVICE}/{QUOTA}",
        "QuotaCode": QUOTA,
        "QuotaName": "Parallel instance launches",
        "Value": float(ec2.parallel_quota if ec2 else PARALLEL_QUOTA),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
