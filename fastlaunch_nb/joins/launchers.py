"""Launchers: launch templates and Auto Scaling groups whose volumes bypass the pool of an image.

A block device mapping for the root volume makes EC2 create it from the AMI, and not from a
snapshot of the pool. It is a mistake to find before the first launch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from fastlaunch_nb.joins.queries import AccountRegion, Row

_OPERATION, _RESULT_KEY = "DescribeLaunchTemplateVersions", "LaunchTemplateVersions"
_ALIASES = ("$Default", "$Latest")


class _Version(NamedTuple):
    """A version of a launch template that bypasses the pool of an image."""

    image_id: str
    template_id: str
    name: str
    number: str

    @property
    def label(self) -> str:
        """The version as text."""
        return f"launch-template/{self.name}:{self.number}"


class _Use(NamedTuple):
    """A version that an Auto Scaling group uses: a number, ``$Default`` or ``$Latest``."""

    group: str
    template_id: str
    version: str


def fetch_launchers(region: AccountRegion) -> list[Row]:
    """Return the launchers that bypass the pool of each image; an empty text for none.

    They are the default and the latest version of each launch template, and the version
    that an Auto Scaling group uses. An image whose root device is unknown has no row.
    """
    roots = {
        row["image_id"]: row["root_device_name"] for row in region.amis if row["root_device_name"]
    }
    by_alias = {
        alias: list(_find_bypassing(_list_versions(region, alias), roots)) for alias in _ALIASES
    }
    uses = list(_list_uses(region))
    numbers = {use[1:] for use in uses if use.version not in _ALIASES}
    pinned = list(_find_bypassing(_read_versions(region, numbers), roots))
    labels: dict[str, dict[str, None]] = {image_id: {} for image_id in roots}
    for version in (*by_alias["$Default"], *by_alias["$Latest"]):
        labels[version.image_id][version.label] = None
    for use in uses:
        for version in by_alias.get(use.version, pinned):
            is_alias = use.version in _ALIASES
            if use.template_id == version.template_id and (
                is_alias or use.version == version.number
            ):
                labels[version.image_id][f"auto-scaling-group/{use.group}"] = None
    return [
        {**region.key, "image_id": image_id, "bypassing_launchers": ", ".join(names)}
        for image_id, names in labels.items()
    ]


def _list_versions(region: AccountRegion, alias: str) -> Iterator[Mapping[str, Any]]:
    """Yield this version of every launch template that names one of the images."""
    return region.list_matching(
        _OPERATION, _RESULT_KEY, "image-id", region.image_ids, Versions=[alias]
    )


def _read_versions(
    region: AccountRegion, numbers: Iterable[tuple[str, str]]
) -> Iterator[Mapping[str, Any]]:
    """Yield versions of launch templates by their numbers, one request for each template."""
    by_template: dict[str, list[str]] = {}
    for template_id, number in sorted(numbers):
        by_template.setdefault(template_id, []).append(number)
    for template_id, versions in by_template.items():
        request = {"LaunchTemplateId": template_id, "Versions": versions}
        yield from region.client.iter_items("ec2", _OPERATION, _RESULT_KEY, request)


def _find_bypassing(
    versions: Iterable[Mapping[str, Any]], roots: Mapping[str, str]
) -> Iterator[_Version]:
    """Yield the versions that map the root volume of their image."""
    for version in versions:
        settings = version.get("LaunchTemplateData") or {}
        image_id = settings.get("ImageId", "")
        root = roots.get(image_id)
        mappings = settings.get("BlockDeviceMappings", ())
        if root is not None and any(it.get("DeviceName") == root for it in mappings):
            template_id = str(version.get("LaunchTemplateId"))
            name = version.get("LaunchTemplateName") or template_id
            yield _Version(image_id, template_id, name, str(version.get("VersionNumber")))


def _list_uses(region: AccountRegion) -> Iterator[_Use]:
    """Yield the launch templates of every Auto Scaling group."""
    operation, result_key = "DescribeAutoScalingGroups", "AutoScalingGroups"
    for group in region.client.iter_items("autoscaling", operation, result_key, {}):
        for template in _find_templates(group):
            template_id = template.get("LaunchTemplateId")
            if template_id:
                version = template.get("Version") or "$Default"
                yield _Use(group.get("AutoScalingGroupName", ""), template_id, version)


def _find_templates(group: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the launch template of a group, or those of its mixed instances."""
    yield group.get("LaunchTemplate") or {}
    mixed = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    yield mixed.get("LaunchTemplateSpecification") or {}
    for override in mixed.get("Overrides", ()):
        yield override.get("LaunchTemplateSpecification") or {}
