"""Launch templates of Fast Launch: those of requests, and the default one of each region.

moto stores launch templates. Its times of them follow the virtual clock (see
``moto_extension``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from moto.core.utils import get_service_model
from moto.ec2.utils import parse_user_data
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator import assumptions
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.ids import seed_moto_ids

DEFAULT_NAME: Final = "EC2FastLaunchDefaultResourceCreation-"
"""The beginning of the name of the launch template that AWS creates if a request has none."""
_FORBIDDEN_TAGS = ("network-interface", "elastic-gpu", "spot-instances-request")


def resolve_template(ec2: Any, requested: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the id, name and version of a launch template, or raise if Enable refuses it."""
    if not requested:
        return {}
    version = requested.get("Version")
    if not (requested.get("LaunchTemplateId") or requested.get("LaunchTemplateName")) or (
        not version
    ):
        message = "A launch template needs LaunchTemplateId or LaunchTemplateName, and Version."
        raise EC2Error("MissingParameter", message)
    template = _find_template(ec2, requested)
    numbers = [str(existing.number) for existing in template.versions]
    if version not in ("$Latest", "$Default", *numbers):
        raise EC2Error(
            assumptions.UNKNOWN_VERSION_CODE,
            f"Could not find the specified version {version} for the launch template with "
            f"ID {template.id}.",
        )
    if forbidden := list(_find_forbidden(template.get_version(version).data)):
        message = f"Version {version} of {template.name} has settings that EC2 Fast Launch does "
        raise EC2Error(
            assumptions.FORBIDDEN_TEMPLATE_CODE, f"{message}not support: {', '.join(forbidden)}."
        )
    return _describe(template, version)


def _find_template(ec2: Any, requested: Mapping[str, str]) -> Any:
    template_id, name = requested.get("LaunchTemplateId"), requested.get("LaunchTemplateName")
    if template_id and name:
        message = "LaunchTemplateId and LaunchTemplateName cannot be given together."
        raise EC2Error("InvalidParameterCombination", message)
    if name:
        template_id = ec2.launch_template_name_to_ids.get(name)
    template = ec2.launch_templates.get(template_id or "")
    if template is None:
        kind = "Name.NotFoundException" if name else "Id.NotFound"
        message = f"The specified launch template, with {name or template_id}, does not exist."
        raise EC2Error(f"InvalidLaunchTemplate{kind}", message)
    return template


def _find_forbidden(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings that a launch template must not have (EC2 User Guide, prerequisites)."""
    if data.get("UserData"):
        yield "UserData"
    if data.get("DisableApiTermination"):
        yield "DisableApiTermination"
    if data.get("MetadataOptions", {}).get("HttpEndpoint") == "disabled":
        yield "MetadataOptions.HttpEndpoint"
    if data.get("InstanceMarketOptions", {}).get("MarketType") == "spot":
        yield "InstanceMarketOptions"
    if data.get("InstanceInitiatedShutdownBehavior") == "terminate":
        yield "InstanceInitiatedShutdownBehavior"
    for specification in data.get("TagSpecifications") or ():
        if specification.get("ResourceType") in _FORBIDDEN_TAGS:
            yield f"TagSpecifications of {specification['ResourceType']}"


def get_default_template(ec2: Any) -> dict[str, Any]:
    """Return the id, name and version of the default stack's launch template, a new one if needed.

    Its stack, with a VPC, is one of each account and region.
    """
    for name, template_id in ec2.launch_template_name_to_ids.items():
        if name.startswith(DEFAULT_NAME):
            return _describe(ec2.launch_templates[template_id], "1")
    with seed_moto_ids(f"default of {ec2.account_id} in {ec2.region_name}"):
        name = f"{DEFAULT_NAME}{mock_random.uuid4()}"
        data = to_moto_data(assumptions.DEFAULT_TEMPLATE_DATA)
        template = ec2.create_launch_template(name, "", data, {})
    return _describe(template, "1")


def _describe(template: Any, version: str) -> dict[str, Any]:
    return {
        "launch_template_id": template.id,
        "launch_template_name": template.name,
        "launch_template_version": version,
    }


def to_moto_data(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of launch template data as moto stores it, or raise on unknown settings."""
    if not data:
        return {}  # without loading the service model
    allowed = get_service_model("ec2").shape_for("RequestLaunchTemplateData").members
    if unknown := sorted(data.keys() - allowed.keys()):
        raise ValueError(f"data has {unknown}. Expected settings of LaunchTemplateData.")
    copy = deepcopy(dict(data))
    if "UserData" in copy:
        copy["UserData"] = parse_user_data(copy["UserData"])
    return copy
