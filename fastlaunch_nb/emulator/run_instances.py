"""RunInstances of the emulator: fast boots from a pool, and cold boots.

moto launches the instances. This module adds their root volumes and the snapshots from
which those are created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses.instances import InstanceResponse

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import WindowsAmi, find_backend
from fastlaunch_nb.emulator.ids import seed_moto_ids

_PERFORMANCE = {"VolumeType": "volume_type", "Iops": "iops"}
"""Settings of a volume, and moto's names: it passes only the type on, and refuses some types."""


def run_instances(request: Any) -> Any:
    """Answer RunInstances as moto does, but launch MaxCount instances."""
    least, most = (request._get_param(name, 1) for name in ("MinCount", "MaxCount"))
    if not 1 <= least <= most:
        message = f"MinCount is {least}, MaxCount is {most}. Expected 1 <= MinCount <= MaxCount."
        raise EC2ClientError("InvalidParameterValue", message)
    ec2 = request.ec2_backend
    template = _read_template(ec2, request._get_param("LaunchTemplate"))
    image_id = request._get_param("ImageId") or template.get("ImageId")
    if image_id and image_id not in ec2.list_available_images():
        raise InvalidAMIIdError([image_id])
    request.params = {**request.params, "MinCount": most}
    if image_id and "BlockDeviceMappings" in request.params:
        ami = ec2.list_available_images()[image_id]
        mappings = [_add_root_size(it, ami) for it in request.params["BlockDeviceMappings"]]
        request.params["BlockDeviceMappings"] = mappings  # moto would miss the size
    return InstanceResponse.run_instances(request)


def launch_instances(
    ec2: Any, image_id: Any, count: int, user_data: Any, security_group_names: Any, **options: Any
) -> Any:
    """Launch instances for any action, each from a snapshot of its AMI's pool if there is one.

    With block device mappings, of the request or its launch template, no instance takes a
    snapshot. The root volume of a cold boot is created from the AMI's own snapshot. Other
    parts of moto launch from AMIs that do not exist: that is left to moto.
    """
    template = _read_template(ec2, options.get("launch_template"))
    with CLOCK.still():  # which first runs the actions that are due
        ami = ec2.list_available_images().get(image_id or template.get("ImageId"))
        mappings = _merge_mappings(options, template)
        performance: dict[str, dict[str, Any]] = {}
        if ami is not None:
            devices, performance = _split_performance(_add_root_volume(mappings, ami))
            options["block_device_mappings"] = devices
        with seed_moto_ids():
            reservation = InstanceBackend.run_instances(
                ec2, image_id, count, user_data, security_group_names, **options
            )
        for instance in reservation.instances if ami is not None else ():
            snapshot_id = _take_snapshot(ec2, ami, bypasses_pool=bool(mappings))
            if isinstance(ami, WindowsAmi):
                ami.record_launch()
            _finish_launch(ec2, instance, ami, snapshot_id or ami.ebs_snapshot.id, performance)
    return reservation


# --- the request ----------------------------------------------------------------------


def _read_template(ec2: Any, launch_template: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the data of the launch template that a request names, if it names one."""
    return dict(ec2._get_template_from_args(launch_template).data) if launch_template else {}


def _merge_mappings(
    options: Mapping[str, Any], template: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return all requested block device mappings; a request's replace its template's."""
    config = options.get("launch_config")  # of Auto Scaling
    configured = config.block_device_mapping_dict if config else None
    requested = options.get("block_device_mappings") or configured or []
    mappings = [*(template.get("BlockDeviceMappings") or []), *requested]
    return list({mapping["DeviceName"]: mapping for mapping in mappings}.values())


def _add_root_volume(mappings: Sequence[dict[str, Any]], ami: Ami) -> list[dict[str, Any]]:
    """Return the mappings as moto takes them, with the root volume even if not requested."""
    root = {"DeviceName": ami.root_device_name, "Ebs": {"DeleteOnTermination": True}}
    devices = {
        mapping["DeviceName"]: {"Ebs": {}, **_add_root_size(mapping, ami)}
        for mapping in (root, *mappings)
    }
    return [device for device in devices.values() if device["Ebs"] or device.get("NoDevice") == ""]


def _add_root_size(mapping: dict[str, Any], ami: Ami) -> dict[str, Any]:
    """Return a mapping with the size of the AMI, if it is the root volume's and has none."""
    ebs = mapping.get("Ebs")
    if mapping.get("DeviceName") != ami.root_device_name or not ebs:
        return mapping
    if ebs.get("VolumeSize") or ebs.get("SnapshotId"):
        return mapping
    size = ami.block_device_mappings[0]["Ebs"]["VolumeSize"]
    return {**mapping, "Ebs": {**ebs, "VolumeSize": size}}


def _split_performance(
    mappings: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the mappings without what moto cannot launch with, and that for each device."""
    plain, performance = [], {}
    for mapping in mappings:
        ebs = dict(mapping["Ebs"])
        settings = {attribute: ebs.pop(name, None) for name, attribute in _PERFORMANCE.items()}
        performance[mapping["DeviceName"]] = settings
        plain.append({**mapping, "Ebs": ebs})
    return plain, performance


# --- the launch -----------------------------------------------------------------------


def _take_snapshot(ec2: Any, ami: Ami, *, bypasses_pool: bool) -> str | None:
    """Take a snapshot for one instance, from the account's own pool or else the owner's.

    See "Shared AMI usage" of EC2 Fast Launch in the EC2 User Guide.
    """
    backends = ec2, find_backend(ami.owner_id, ec2.region_name)  # both are the same for an own AMI
    pools = [backend.find_pool_lifecycle(ami.id) for backend in backends if backend]
    lifecycles = [lifecycle for lifecycle in pools if lifecycle]
    if not lifecycles:
        return None
    if bypasses_pool:
        lifecycles[0].bypass_pool()
        return None
    stocked = (lifecycle for lifecycle in lifecycles if lifecycle.has_snapshot())
    snapshot_id: str | None = next(stocked, lifecycles[0]).launch()
    return snapshot_id


def _finish_launch(
    ec2: Any,
    instance: Instance,
    ami: Ami,
    snapshot_id: str,
    performance: Mapping[str, Mapping[str, Any]],
) -> None:
    """Correct what moto sets: wall-clock times, the root's snapshot, and types of volumes."""
    now = CLOCK.now().replace(tzinfo=None)
    instance.launch_time = now
    for nic in instance.nics.values():
        nic.attach_time = now
    for device, attachment in instance.block_device_mapping.items():
        volume = ec2.volumes[attachment.volume_id]
        volume.create_time = volume.attachment.attach_time = attachment.attach_time = now
        for attribute, value in performance.get(device, {}).items():
            if value is not None:
                setattr(volume, attribute, value)
        if device == ami.root_device_name:
            volume.snapshot_id = volume.snapshot_id or snapshot_id
