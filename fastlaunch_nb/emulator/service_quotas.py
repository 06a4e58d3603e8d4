"""Service Quotas of the emulator: moto's quotas, the quota of Fast Launch, requests to raise it."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ec2.models import ec2_backends
from moto.servicequotas.models import ServiceQuotasBackend

from fastlaunch_nb.emulator.assumptions import PARALLEL_QUOTA
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import find_backend
from fastlaunch_nb.emulator.ids import IDS

SERVICE, QUOTA = "ec2fastlaunch", "L-DC79B53E"
_moto_get_service_quota = ServiceQuotasBackend.get_service_quota


def get_service_quota(quotas: Any, service_code: str, quota_code: str) -> dict[str, Any]:
    """Answer GetServiceQuota for parallel instance launches; moto answers for all others."""
    if (service_code, quota_code) != (SERVICE, QUOTA):
        return _moto_get_service_quota(quotas, service_code, quota_code)
    ec2 = find_backend(quotas.account_id, quotas.region_name)
    return {
        **_describe_quota(quotas.account_id, quotas.region_name),
        "Value": float(ec2.parallel_quota if ec2 else PARALLEL_QUOTA),
        "Adjustable": True,
    }


def _describe_quota(account_id: str, region: str) -> dict[str, Any]:
    return {
        "ServiceCode": SERVICE,
        "ServiceName": "EC2 Fast Launch",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account_id}:{SERVICE}/{QUOTA}",
        "QuotaCode": QUOTA,
        "QuotaName": "Parallel instance launches",
        "Unit": "None",
        "GlobalQuota": False,
    }


def request_service_quota_increase(request: Any) -> str:
    """Answer RequestServiceQuotaIncrease: AWS has not decided yet, and the quota stays."""
    parameters = json.loads(request.body)
    account_id, region = request.current_account, request.region
    quota = request.backend.get_service_quota(parameters["ServiceCode"], parameters["QuotaCode"])
    pending = _find_requests(account_id, region)
    desired = float(parameters["DesiredValue"])
    if desired <= quota["Value"]:
        message = f"DesiredValue is {desired:g}. Expected more than the quota, {quota['Value']:g}."
        raise JsonRESTError("IllegalArgumentException", message)
    if any(entry["QuotaCode"] == quota["QuotaCode"] for entry in pending):
        message = f"A request for the quota {quota['QuotaCode']} is open already."
        raise JsonRESTError("ResourceAlreadyExistsException", message)
    now = CLOCK.now().timestamp()
    described = {
        name: value for name, value in quota.items() if name not in ("Value", "Adjustable")
    }
    entry = {
        **described,
        "Id": IDS.make_id("request").removeprefix("request-"),
        "DesiredValue": desired,
        "Status": "PENDING",
        "Created": now,
        "LastUpdated": now,
    }
    pending.append(entry)
    return json.dumps({"RequestedQuota": entry})


def list_requested_changes(request: Any) -> str:
    """Answer ListRequestedServiceQuotaChangeHistory, by service and status, on one page."""
    parameters = json.loads(request.body or "{}")
    wanted = {name: parameters.get(name) for name in ("ServiceCode", "Status")}
    entries = [
        entry
        for entry in _find_requests(request.current_account, request.region)
        if all(value in (None, entry[name]) for name, value in wanted.items())
    ]
    return json.dumps({"RequestedQuotas": entries})


def _find_requests(account_id: str, region: str) -> list[dict[str, Any]]:
    """Return the list of requests of an account and region; it belongs to the EC2 backend."""
    ec2: Any = ec2_backends[account_id][region]
    entries: list[dict[str, Any]] = ec2.quota_requests
    return entries
