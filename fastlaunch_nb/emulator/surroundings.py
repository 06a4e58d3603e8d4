"""Surroundings of Fast Launch in an account: resources of other services, for tests and the demo.

moto stores and answers all of them. Their ids follow from the emulator's seed, their times
from its virtual clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ids import seed_moto_ids

_TAGS = {"CreatedBy": "EC2 Fast Launch"}
_ROLE = "role/aws-service-role/ec2fastlaunch.amazonaws.com/AWSServiceRoleForEC2FastLaunch"
_OPERATIONS = ["Decrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]


def add_key(ec2: Any, *, is_granted: bool = True) -> str:
    """Add a customer managed key of KMS, by default with a grant to Fast Launch; return its ARN."""
    from moto.kms.models import kms_backends  # late, as it takes time and few need it

    kms = kms_backends[ec2.account_id][ec2.region_name]
    with seed_moto_ids():
        # moto makes an RSA key for a symmetric one, too, which takes 0.1 s.
        key = kms.create_key(None, "ENCRYPT_DECRYPT", "ECC_NIST_P256", "images", None)
        key.key_spec = "SYMMETRIC_DEFAULT"
        if is_granted:
            principal = f"arn:aws:iam::{ec2.account_id}:{_ROLE}"
            key.add_grant("fast-launch", principal, _OPERATIONS, {}, "")
    key.creation_date = CLOCK.now().timestamp()
    return str(key.arn)


def disable_key(ec2: Any, arn: str) -> None:
    """Disable a key of KMS."""
    from moto.kms.models import kms_backends

    kms_backends[ec2.account_id][ec2.region_name].disable_key(arn.rpartition("/")[2])


def add_auto_scaling_group(ec2: Any, name: str, template: Mapping[str, str], most: int) -> None:
    """Add an Auto Scaling group without instances, which a launch template of EC2 would launch."""
    from moto.autoscaling.models import autoscaling_backends

    group = autoscaling_backends[ec2.account_id][ec2.region_name].create_auto_scaling_group(
        name=name,
        availability_zones=[f"{ec2.region_name}a"],
        desired_capacity=0,
        max_size=most,
        min_size=0,
        launch_config_name="",
        launch_template=dict(template),
        vpc_zone_identifier=None,
        default_cooldown=None,
        health_check_period=None,
        health_check_type=None,
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=[],
    )
    group.created_time = CLOCK.now().isoformat()


def add_leftovers(ec2: Any, *, volumes: int, gib: int, interfaces: int) -> None:
    """Add volumes and network interfaces of Fast Launch that are attached to nothing."""
    zone = f"{ec2.region_name}a"
    with seed_moto_ids():
        for _ in range(volumes):
            volume = ec2.create_volume(size=gib, zone_name=zone)
            volume.create_time = CLOCK.now().replace(tzinfo=None)
            volume.add_tags(_TAGS)
        subnet = ec2.get_default_subnets()[zone]
        for _ in range(interfaces):
            ec2.create_network_interface(subnet, [], description="EC2 Fast Launch", tags=_TAGS)
