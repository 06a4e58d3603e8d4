"""RunInstances of the embedded EC2: which instance boots from a pool, and which cold.

moto launches; what comes here beside is the root volume, and the snapshot that it was made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from moto.ec2.exceptions import InvalidAMIIdError, InvalidParameterValueError
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses import EC2Response
from moto.ec2.responses.instances import InstanceResponse
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import existing
from fastlaunch_nb.emulator.ids import IDS


def install() -> None:
    """Teach moto's EC2 to launch from pools, by RunInstances and by whatever else launches."""
    backend: Any = EC2Backend
    backend.run_instances = _run_instances
    response: Any = EC2Response
    response.run_instances = _answer_run_instances


def _answer_run_instances(request: Any) -> Any:
    """Answer RunInstances as moto does, but with as many instances as MaxCount says."""
    least, most = (request._get_param(name, 1) for name in ("MinCount", "MaxCount"))
    if not 1 <= least <= most:
        raise InvalidParameterValueError(f"MinCount {least} and MaxCount {most} cannot be.")
    ec2 = request.ec2_backend
    template = _template(ec2, request._get_param("LaunchTemplate"))
    image_id = request._get_param("ImageId") or template.get("ImageId")
    if image_id and image_id not in ec2.available_images():
        raise InvalidAMIIdError([image_id])
    request.params = {**request.params, "MinCount": most}
    return InstanceResponse.run_instances(request)


def _run_instances(
    ec2: Any, image_id: Any, count: int, user_data: Any, security_group_names: Any, **asked: Any
) -> Any:
    """Launch instances: each takes a snapshot from the pool of its AMI, where there is one.

    With block device mappings, the request's or its launch template's, none does. An instance
    that took none has its root volume from the AMI's own snapshot. What other parts of moto
    launch from AMIs that are not there is left to moto.
    """
    template = _template(ec2, asked.get("launch_template"))
    with CLOCK.still():  # after what has become due
        ami = ec2.available_images().get(image_id or template.get("ImageId"))
        given = _given_mappings(asked, template)
        if ami is not None:
            asked["block_device_mappings"] = _volumes(given, ami)
        with _ids_from_here():
            made = InstanceBackend.run_instances(
                ec2, image_id, count, user_data, security_group_names, **asked
            )
        for instance in made.instances if ami is not None else ():
            snapshot_id = _taken(ec2, ami, is_explicit=bool(given))
            _finish(ec2, instance, ami, snapshot_id or ami.ebs_snapshot.id)
    return made


# --- what is asked --------------------------------------------------------------------


def _template(ec2: Any, named: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the launch template says that a request names."""
    data: dict[str, Any] = ec2._get_template_from_args(named).data if named else {}
    return data


def _given_mappings(asked: Mapping[str, Any], template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the block device mappings that somebody gave; a request's are before a template's."""
    config = asked.get("launch_config")  # of Auto Scaling
    configured = config.block_device_mapping_dict if config else None
    requested = asked.get("block_device_mappings") or configured or []
    every = [*(template.get("BlockDeviceMappings") or []), *requested]
    return list({mapping["DeviceName"]: mapping for mapping in every}.values())


def _volumes(given: Sequence[dict[str, Any]], ami: Ami) -> list[dict[str, Any]]:
    """Return the mappings as moto takes them, with the root volume whether it was given or not."""
    size = ami.block_device_mappings[0]["Ebs"]["VolumeSize"]
    root = {"DeviceName": ami.root_device_name, "Ebs": {"DeleteOnTermination": True}}
    wanted = {mapping["DeviceName"]: {"Ebs": {}, **mapping} for mapping in (root, *given)}
    ebs = wanted[ami.root_device_name]["Ebs"]
    if not ebs.get("VolumeSize") and not ebs.get("SnapshotId"):
        wanted[ami.root_device_name]["Ebs"] = {**ebs, "VolumeSize": size}
    return [each for each in wanted.values() if each["Ebs"] or each.get("NoDevice") == ""]


@contextmanager
def _ids_from_here() -> Iterator[None]:
    """Have moto make up ids from ours: they follow from the launches, not from what was read."""
    before = mock_random.getstate()
    mock_random.seed(IDS.of("r"))
    try:
        yield
    finally:
        mock_random.setstate(before)


# --- what comes of it -----------------------------------------------------------------


def _taken(ec2: Any, ami: Ami, *, is_explicit: bool) -> str | None:
    """Take a snapshot for one instance: from the account's own pool, else from the owner's.

    See "Shared AMI usage" of EC2 Fast Launch in the EC2 User Guide.
    """
    places = [ec2]
    if ami.owner_id != ec2.account_id:
        places.append(existing(ami.owner_id, ec2.region_name))
    lives = [life for place in places if place and (life := place.life_for_launches(ami.id))]
    if not lives:
        return None
    if is_explicit:
        lives[0].launch_beside()
        return None
    filled = (life for life in lives if life.has_snapshot())
    taken: str | None = next(filled, lives[0]).launch()
    return taken


def _finish(ec2: Any, instance: Instance, ami: Ami, snapshot_id: str) -> None:
    """Set what moto has otherwise: times, which are the wall clock's, and the root's snapshot."""
    now = CLOCK.now().replace(tzinfo=None)
    instance.launch_time = now
    instance.platform = ami.platform  # moto does not know of AMIs that others share
    for nic in instance.nics.values():
        nic.attach_time = now
    for device, attached in instance.block_device_mapping.items():
        volume = ec2.volumes[attached.volume_id]
        volume.create_time = volume.attachment.attach_time = attached.attach_time = now
        if device == ami.root_device_name:
            volume.snapshot_id = volume.snapshot_id or snapshot_id
