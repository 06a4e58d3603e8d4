"""Launchers: launch templates and Auto Scaling groups that bypass the pool of an image."""

from __future__ import annotations

from typing import Any

import pytest

from fastlaunch_nb.joins.launchers import fetch_launchers
from tests.helpers.region_client import CannedRegionClient, create_account_region

ROOT = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100}}
DATA = {"DeviceName": "xvdf", "Ebs": {"VolumeSize": 100}}


def make_version(
    number: int, *mappings: dict[str, Any], image_id: str = "ami-0", template: str = "web"
) -> dict[str, Any]:
    """Return a version of a launch template."""
    return {
        "LaunchTemplateId": f"lt-{template}",
        "LaunchTemplateName": template,
        "VersionNumber": number,
        "LaunchTemplateData": {"ImageId": image_id, "BlockDeviceMappings": list(mappings)},
    }


def make_group(version: str | None, template: str = "web") -> dict[str, Any]:
    """Return an Auto Scaling group with a launch template."""
    settings = {"LaunchTemplateId": f"lt-{template}", **({"Version": version} if version else {})}
    return {"AutoScalingGroupName": f"asg-{version}", "LaunchTemplate": settings}


def find_launchers(
    versions: list[dict[str, Any]], groups: list[dict[str, Any]], default: int = 1
) -> tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]:
    """Return the launchers of two images, and the requests for versions of templates.

    Of these versions, the one with the number `default` is the default; the last is the latest.
    """

    def list_versions(request: dict[str, Any]) -> dict[str, Any]:
        aliases = {"$Default": default, "$Latest": max(it["VersionNumber"] for it in versions)}
        numbers = {str(aliases.get(version, version)) for version in request["Versions"]}
        ids = {request.get("LaunchTemplateId", version["LaunchTemplateId"]) for version in versions}
        matches = [
            version
            for version in versions
            if str(version["VersionNumber"]) in numbers and version["LaunchTemplateId"] in ids
        ]
        return {"LaunchTemplateVersions": matches}

    images = [{"ImageId": f"ami-{n}", "RootDeviceName": "/dev/sda1"} for n in range(2)]
    client = CannedRegionClient(
        DescribeImages={"Images": images},
        DescribeLaunchTemplateVersions=list_versions,
        DescribeAutoScalingGroups={"AutoScalingGroups": groups},
    )
    rows = fetch_launchers(create_account_region(client, 2))
    requests = [it for it in client.requests if it[0] == "DescribeLaunchTemplateVersions"]
    return {row["image_id"]: row["bypassing_launchers"] for row in rows}, requests


@pytest.mark.parametrize(
    ("mappings", "expected"),
    [
        ([ROOT], "launch-template/web:1"),
        ([DATA, ROOT], "launch-template/web:1"),
        ([DATA], ""),
        ([], ""),
    ],
)
def test_a_template_that_maps_the_root_volume(
    mappings: list[dict[str, Any]], expected: str
) -> None:
    """Only a mapping of the image's root device is sure to bypass its pool."""
    found, _ = find_launchers([make_version(1, *mappings)], [])
    assert found == {"ami-0": expected, "ami-1": ""}


def test_the_default_and_the_latest_version_count() -> None:
    """Other versions launch nothing, unless a group uses them."""
    versions = [make_version(number, ROOT) for number in (1, 2, 3, 4)]
    found, requests = find_launchers(versions, [], default=2)
    assert found["ami-0"] == "launch-template/web:2, launch-template/web:4"
    assert [request["Versions"] for _, request in requests] == [["$Default"], ["$Latest"]]
    values = [{"Name": "image-id", "Values": ["ami-0", "ami-1"]}]
    assert [request["Filters"] for _, request in requests] == [values] * 2


@pytest.mark.parametrize(
    ("version", "expected"),
    [("$Default", False), (None, False), ("$Latest", True), ("2", True), ("1", False), ("3", True)],
)
def test_a_group_counts_by_its_version(version: str | None, expected: bool) -> None:
    """A group without a version uses the default one; a number is read if it is another."""
    versions = [make_version(1), make_version(2, ROOT), make_version(3, ROOT)]
    found, requests = find_launchers(versions, [make_group(version)])
    assert (f"auto-scaling-group/asg-{version}" in found["ami-0"]) is expected
    pinned = [request for _, request in requests if "LaunchTemplateId" in request]
    is_pinned = version in ("1", "2", "3")
    assert pinned == [{"LaunchTemplateId": "lt-web", "Versions": [version]}] * is_pinned


def test_versions_of_one_template_are_one_request() -> None:
    """Groups that share a launch template do not cost a request each."""
    versions = [make_version(number, ROOT) for number in range(1, 6)]
    groups = [make_group(str(number)) for number in (1, 2, 3, 3)]
    _, requests = find_launchers(versions, [*groups, make_group("1", "other")])
    pinned = [request["Versions"] for _, request in requests if "LaunchTemplateId" in request]
    assert pinned == [["1"], ["1", "2", "3"]]


def test_mixed_instances_count_too() -> None:
    """The template of a group may be in its policy, or in an override there."""
    specification = {"LaunchTemplateId": "lt-web", "Version": "1"}
    other = {"LaunchTemplateId": "lt-other", "Version": "1"}
    overrides = [{"InstanceType": "m5.large"}, {"LaunchTemplateSpecification": other}]
    policy = {
        "LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides}
    }
    group = {"AutoScalingGroupName": "mixed", "MixedInstancesPolicy": policy}
    versions = [make_version(1), make_version(1, ROOT, image_id="ami-1", template="other")]
    found, _ = find_launchers(versions, [group])
    assert found == {"ami-0": "", "ami-1": "launch-template/other:1, auto-scaling-group/mixed"}


def test_templates_of_other_images_do_not_count() -> None:
    """A version that a service returns without need is ignored, and so is one without settings."""
    versions = [make_version(1, ROOT, image_id="ami-9"), {"VersionNumber": 1}]
    versions[1]["LaunchTemplateId"] = "lt-web"
    assert find_launchers(versions, [])[0] == {"ami-0": "", "ami-1": ""}


def test_an_image_without_a_known_root_is_unknown() -> None:
    """EC2 may not list an image, or not say what its root device is."""
    client = CannedRegionClient(
        DescribeImages={"Images": [{"ImageId": "ami-0"}]},
        DescribeLaunchTemplateVersions={"LaunchTemplateVersions": [make_version(1, ROOT)]},
        DescribeAutoScalingGroups={"AutoScalingGroups": []},
    )
    assert fetch_launchers(create_account_region(client, 2)) == []
