"""The surroundings of the demo fleet: what other services have, for a rule of findings each.

Each belongs to one image or region, without launches and without a change of the images. Rules
of Recycle Bin and leftovers belong to a region, the others to images, each with one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from fastlaunch_nb.demo_fleet.account_regions import REGIONS
from fastlaunch_nb.emulator import surroundings
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.moto_extension import get_backend

TEMPLATE_DATA = {"MetadataOptions": {"HttpTokens": "required"}}
"""The settings of the launch templates of the fleet."""
_FORBIDDEN = {
    **TEMPLATE_DATA,
    "DisableApiTermination": True,
    "InstanceMarketOptions": {"MarketType": "spot"},
}
_FAST_LAUNCH_TAG = {"CreatedBy": "EC2 Fast Launch"}
_KEEPING_IN, _EXCLUDING_IN = ("123456789012", "ap-southeast-2"), ("123456789012", "eu-west-1")
_LEFT_OVER_IN = ("111122223333", "us-east-1")
_INTENDED_MORE = 5  # snapshots, above the target of one image


def schedule_surroundings(stories: Sequence[Any], roles: Any, now: datetime) -> None:
    """Schedule what surrounds the images; `roles` has the ids of those that it belongs to."""
    get_backend(*_KEEPING_IN).add_retention_rule(days=14, description="keep all snapshots")
    get_backend(*_EXCLUDING_IN).add_retention_rule(exclude_resource_tags=_FAST_LAUNCH_TAG)
    leave = partial(surroundings.add_leftovers, volumes=2, gib=50, interfaces=1)
    CLOCK.at(now - timedelta(days=20), partial(leave, get_backend(*_LEFT_OVER_IN)))
    actions = {
        roles.floating: _forbid_latest,
        roles.tokenless: _enforce_tokens,
        roles.encrypted: _disable_key,
        roles.threatened: _add_group,
        roles.succeeded: _add_successor,
        roles.tampered: _delete_snapshots,
    }
    by_id = {story.image_id: story for story in stories}
    for image_id, plan in actions.items():
        for when, action in plan(by_id[image_id], now):
            CLOCK.at(when, action)
    intended = by_id[roles.intended]
    same = [
        story
        for story in stories
        if (story.account_id, story.name) == (intended.account_id, intended.name)
    ]
    _add_intent(intended, same)


_Plan = Iterator[tuple[datetime, Any]]


def _forbid_latest(story: Any, now: datetime) -> _Plan:
    """Yield a new version of its launch template, which Enable would refuse."""
    ec2 = get_backend(story.account_id, story.region)
    name = story.settings["launch_template"]["LaunchTemplateName"]
    when = max(now - timedelta(days=5), story.since + timedelta(hours=1))
    yield when, partial(ec2.add_template_version, name, _FORBIDDEN)


def _enforce_tokens(story: Any, now: datetime) -> _Plan:
    """Yield that its account enforces IMDSv2 in its region, which its template is unaware of."""
    ec2 = get_backend(story.account_id, story.region)
    template = story.settings["launch_template"]
    versions = ec2.get_launch_template_by_name(template["LaunchTemplateName"]).versions
    versions[int(template["Version"]) - 1].data = {}
    enforced = {"HttpTokens": "required", "HttpTokensEnforced": "enabled"}
    yield now - timedelta(hours=1), partial(ec2.metadata_defaults.update, enforced)


def _disable_key(story: Any, now: datetime) -> _Plan:
    """Yield that the key of its AMI is disabled, after the last launch."""
    ec2 = get_backend(story.account_id, story.region)
    arn = ec2.amis[story.image_id].ebs_snapshot.kms_key_id
    yield now - timedelta(hours=1), partial(surroundings.disable_key, ec2, arn)


def _add_group(story: Any, now: datetime) -> _Plan:
    """Yield an Auto Scaling group whose launches will bypass its pool; none has been yet."""
    ec2 = get_backend(story.account_id, story.region)
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}
    data = {**TEMPLATE_DATA, "ImageId": story.image_id, "BlockDeviceMappings": [disk]}
    template = {"LaunchTemplateName": "night-shift", "Version": "$Latest"}
    add = partial(surroundings.add_auto_scaling_group, ec2, "night-shift", template, most=20)
    yield now - timedelta(days=1), partial(ec2.add_launch_template, "night-shift", 1, data)
    yield now - timedelta(days=1), add


def _add_successor(story: Any, now: datetime) -> _Plan:
    """Yield a newer AMI of its family, which is launched without Fast Launch."""
    ec2 = get_backend(story.account_id, story.region)
    image_id = f"{story.image_id[:-2]}{int(story.image_id[-2:], 16) ^ 1:02x}"
    name = f"{story.name}.1"
    add = partial(ec2.add_windows_image, image_id, name=name, owner_id=story.account_id)
    yield now - timedelta(days=6), add
    yield now - timedelta(days=2), partial(_launch_elsewhere, ec2, image_id)


def _launch_elsewhere(ec2: Any, image_id: str) -> None:
    """Launch an instance in an account that is not read."""
    ec2.amis[image_id].record_launch()


def _delete_snapshots(story: Any, now: datetime) -> _Plan:
    """Yield that somebody deletes ten snapshots of its pool, after the last launch."""
    ec2 = get_backend(story.account_id, story.region)
    yield now - timedelta(hours=1), partial(_delete_oldest, ec2, story.image_id)


def _delete_oldest(ec2: Any, image_id: str) -> None:
    for snapshot_id in ec2.lives[image_id].snapshots[:10]:
        ec2.delete_snapshot(snapshot_id)


def _add_intent(intended: Any, same: Sequence[Any]) -> None:
    """Add a distribution configuration; one image's target differs from it, the others agree."""
    distributions = []
    for story in same:
        target = story.settings["target_resource_count"]
        settings = {
            "enabled": True,
            "snapshotConfiguration": {
                "targetResourceCount": target + _INTENDED_MORE * (story is intended)
            },
            "maxParallelLaunches": story.settings["max_parallel_launches"],
            "accountId": story.account_id,
        }
        if template := story.settings.get("launch_template"):
            settings["launchTemplate"] = {
                "launchTemplateName": template["LaunchTemplateName"],
                "launchTemplateVersion": template["Version"],
            }
        distributions.append(
            {
                "region": story.region,
                "amiDistributionConfiguration": {"name": story.name},
                "fastLaunchConfigurations": [settings],
            }
        )
    ec2 = get_backend(intended.account_id, REGIONS[0])
    ec2.add_distribution_configuration(intended.name.replace(".", "-"), distributions)
