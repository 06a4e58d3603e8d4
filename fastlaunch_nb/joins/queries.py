"""Queries: the requests of each join to one account and region, and the rows they return."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.aws.clients import get_partition
from fastlaunch_nb.aws.paginate import RegionClient
from fastlaunch_nb.errors import FastLaunchError, ReadError, escape_unprintable
from fastlaunch_nb.sources.pages import parse_response_time

Row: TypeAlias = dict[str, Any]

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ami": ("ec2:DescribeImages",),
    "siblings": ("ec2:DescribeImages", "ec2:DescribeFastLaunchImages"),
    "template": ("ec2:DescribeLaunchTemplateVersions",),
    "snapshots": ("ec2:DescribeSnapshots",),
    "metrics": ("cloudwatch:ListMetrics", "cloudwatch:GetMetricData"),
    "launches": (
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "ec2:DescribeSnapshots",
    ),
    "quota": ("servicequotas:GetServiceQuota",),
    "cost": ("ec2:DescribeSnapshots",),
    "recycle_bin": ("rbin:ListRules", "rbin:GetRule"),
    "leftovers": ("ec2:DescribeVolumes", "ec2:DescribeNetworkInterfaces"),
    "launchers": (
        "ec2:DescribeImages",
        "ec2:DescribeLaunchTemplateVersions",
        "autoscaling:DescribeAutoScalingGroups",
    ),
    "kms": ("ec2:DescribeImages", "ec2:DescribeSnapshots", "kms:DescribeKey", "kms:ListGrants"),
    "imds": ("ec2:GetInstanceMetadataDefaults",),
    "intent": (
        "ec2:DescribeImages",
        "imagebuilder:ListDistributionConfigurations",
        "imagebuilder:GetDistributionConfiguration",
    ),
}
"""The IAM actions that each join needs; ``cost`` needs none if images have the snapshots."""

_HIDDEN_AMIS = {"IncludeDeprecated": True, "IncludeDisabled": True}
_MAX_FILTER_VALUES = 200  # EC2 API Reference, Filter
_PAGE_SIZE = 1000  # the maximum of DescribeSnapshots and DescribeInstances
_AMIS_PAGE_SIZE = 500  # EC2 names no maximum of DescribeImages; that of most lists is 1000
_VOLUMES_PAGE_SIZE = 500  # the maximum of DescribeVolumes
FAST_LAUNCH_TAG: Final = {"Key": "CreatedBy", "Value": "EC2 Fast Launch"}
"""The tag on everything that Fast Launch creates (EC2 User Guide)."""
TAG_FILTER: Final = {"Name": f"tag:{FAST_LAUNCH_TAG['Key']}", "Values": [FAST_LAUNCH_TAG["Value"]]}
"""The filter of EC2 for that tag."""
_IMAGE_ID = re.compile(r"for image (ami-[0-9a-f]+)")  # in the description of a snapshot
_UNTAGGABLE = ("network-interface", "elastic-gpu", "spot-instances-request")
_NOT_TERMINATED = ["pending", "running", "shutting-down", "stopping", "stopped"]
_QUOTA = {"ServiceCode": "ec2fastlaunch", "QuotaCode": "L-DC79B53E"}


class Template(NamedTuple):
    """A launch template, as the columns of an image name it."""

    launch_template_id: str | None
    launch_template_name: str | None
    launch_template_version: str


@dataclass
class AccountRegion:
    """One account and region: its client, its images, and the errors of its queries."""

    account_id: str
    client: RegionClient
    image_ids: Sequence[str] = ()
    templates: Sequence[Template] = ()
    until: pd.Timestamp | None = None  # the end of the window of metrics, by AWS's clock
    since: pd.Timestamp | None = None  # its start, once it is known
    snapshots_time: pd.Timestamp | None = None  # when EC2 listed the snapshots, by its clock
    errors: list[tuple[str, FastLaunchError]] = field(default_factory=list)

    @property
    def key(self) -> Row:
        """The columns that identify it."""
        return {"account_id": self.account_id, "region": self.client.region}

    @property
    def partition(self) -> str:
        """The partition of the region."""
        return get_partition(self.client.region)

    @cached_property
    def amis(self) -> list[Row]:
        """The rows of its images that EC2 lists as AMIs."""
        images = self.list_matching(
            "DescribeImages", "Images", "image-id", self.image_ids, **_HIDDEN_AMIS
        )
        return [{**self.key, **_make_ami_row(image)} for image in images]

    def list_own_amis(self) -> list[Row]:
        """Return the account's own Windows AMIs; `has` is 1 for those with Fast Launch."""
        request = {
            "Owners": ["self"],
            "Filters": [_make_filter("platform", ["windows"])],
            **_HIDDEN_AMIS,
        }
        images = list(
            self.client.iter_items("ec2", "DescribeImages", "Images", request, _AMIS_PAGE_SIZE)
        )
        if not images:
            return []
        enabled = {
            item.get("ImageId")
            for item in self.client.iter_items(
                "ec2", "DescribeFastLaunchImages", "FastLaunchImages", {}
            )
            if item.get("State") != "disabled"
        }
        return [
            {**self.key, **_make_ami_row(image), "has": int(image.get("ImageId") in enabled)}
            for image in images
        ]

    def list_matching(
        self,
        operation: str,
        result_key: str,
        name: str,
        values: Sequence[str],
        *filters: Mapping[str, Any],
        page_size: int | None = None,
        **request: Any,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the items of EC2 with one of the values of a filter, which match all `filters`."""
        for batch in split_batches(values, _MAX_FILTER_VALUES):
            batch_request = {**request, "Filters": [_make_filter(name, batch), *filters]}
            yield from self.client.iter_items(
                "ec2", operation, result_key, batch_request, page_size
            )


def split_batches(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    """Yield values in lists of at most `size`.

    Examples
    --------
    >>> list(split_batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _make_filter(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Return a filter of EC2 with its wildcards escaped."""
    return {"Name": name, "Values": [re.sub(r"[*?\\]", r"\\\g<0>", value) for value in values]}


# --- AMIs and launch templates --------------------------------------------------------


def _make_ami_row(image: Mapping[str, Any]) -> Row:
    root = _find_root(image)
    return {
        "image_id": image.get("ImageId"),
        "image_name": image.get("Name"),
        "image_state": image.get("State"),
        "image_creation_time": _parse_time(image.get("CreationDate")),
        "image_deprecation_time": _parse_time(image.get("DeprecationTime")),
        "image_owner_id": image.get("OwnerId"),
        "image_last_launched_time": _parse_time(image.get("LastLaunchedTime")),
        "image_source_id": image.get("SourceImageId"),
        "image_source_region": image.get("SourceImageRegion"),
        "source_instance_id": image.get("SourceInstanceId"),
        "root_volume_gib": root.get("VolumeSize"),
        "root_snapshot_id": root.get("SnapshotId"),
        "root_device_name": image.get("RootDeviceName"),
        "is_encrypted": root.get("Encrypted"),
    }


def _find_root(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the root volume of an AMI or of an instance."""
    name = item.get("RootDeviceName")
    devices = item.get("BlockDeviceMappings", ())
    return next((it.get("Ebs") or {} for it in devices if it.get("DeviceName") == name), {})


def _parse_time(text: str | None) -> pd.Timestamp | None:
    time = pd.to_datetime(text, utc=True, errors="coerce") if text else None
    return None if time is None or pd.isna(time) else time.as_unit("us")


def fetch_templates(region: AccountRegion) -> list[Row]:
    """Return the settings of each template; each that fails adds its own error.

    AWS itself resolves the versions ``$Latest`` and ``$Default``.
    """
    rows = []
    for template in region.templates:
        try:
            rows.append({**region.key, **_fetch_template(region, template)})
        except FastLaunchError as error:
            region.errors.append(("template", error))
    return rows


def _fetch_template(region: AccountRegion, template: Template) -> Row:
    template_id, name, version = template
    identity = {"LaunchTemplateId": template_id} if template_id else {"LaunchTemplateName": name}
    operation, result_key = "DescribeLaunchTemplateVersions", "LaunchTemplateVersions"
    request = {**identity, "Versions": [version]}
    versions = list(region.client.iter_items("ec2", operation, result_key, request))
    if not versions:
        raise ReadError(
            f"AWS lists no version {escape_unprintable(version)}.",
            operation=operation,
            region=region.client.region,
            code="NoSuchVersion",
        )
    settings = versions[0].get("LaunchTemplateData") or {}
    return {
        **template._asdict(),
        "template_forbidden": ", ".join(list_forbidden(settings)),
        "template_http_tokens": settings.get("MetadataOptions", {}).get("HttpTokens") or "",
        "template_instance_type": settings.get("InstanceType") or "",
    }


def list_forbidden(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings of a launch template that Fast Launch forbids.

    Source: EC2 User Guide, "Prerequisites for EC2 Fast Launch", which lists them all.

    Examples
    --------
    >>> list(list_forbidden({"DisableApiTermination": True, "UserData": "aGVsbG8="}))
    ['user data', 'termination protection']
    """
    if settings.get("UserData"):
        yield "user data"
    if settings.get("DisableApiTermination"):
        yield "termination protection"
    if settings.get("MetadataOptions", {}).get("HttpEndpoint") == "disabled":
        yield "metadata disabled"
    if settings.get("InstanceMarketOptions", {}).get("MarketType") == "spot":
        yield "Spot"
    if settings.get("InstanceInitiatedShutdownBehavior") == "terminate":
        yield "terminate on shutdown"
    types = {it.get("ResourceType") for it in settings.get("TagSpecifications", ())}
    yield from (f"tags for {name}" for name in _UNTAGGABLE if name in types)


# --- snapshots and instances ----------------------------------------------------------


def fetch_snapshots(region: AccountRegion) -> list[Row]:
    """Return every snapshot that Fast Launch has created in an account and region."""
    request = {"OwnerIds": ["self"], "Filters": [TAG_FILTER]}
    rows: list[Row] = []
    time: pd.Timestamp | None = None
    for page in region.client.iter_pages(
        "ec2", "DescribeSnapshots", "Snapshots", request, _PAGE_SIZE
    ):
        time = region.snapshots_time = time or parse_response_time(page).time
        key = {**region.key, "observed_at": time}
        rows += [{**key, **_make_snapshot_row(item)} for item in page.get("Snapshots", ())]
    return rows


def _make_snapshot_row(snapshot: Mapping[str, Any]) -> Row:
    tags = {tag.get("Key"): tag.get("Value") for tag in snapshot.get("Tags", ())}
    match = _IMAGE_ID.search(snapshot.get("Description") or "")
    return {
        "snapshot_id": snapshot.get("SnapshotId"),
        "image_id": match[1] if match else None,
        "snapshot_state": snapshot.get("State"),
        "snapshot_time": snapshot.get("StartTime"),
        "volume_gib": snapshot.get("VolumeSize"),
        "full_snapshot_bytes": snapshot.get("FullSnapshotSizeInBytes") or None,  # 0: not known yet
        "launch_template_id": tags.get("CreatedByLaunchTemplateId"),
        "launch_template_name": tags.get("CreatedByLaunchTemplateName"),
        "launch_template_version": tags.get("CreatedByLaunchTemplateVersion"),
    }


def fetch_instances(region: AccountRegion) -> list[Row]:
    """Return the instances of the images; `fast` and `cold` follow from their root volumes."""
    own = {row["image_id"]: row["root_snapshot_id"] for row in region.amis}
    instances = list(_list_instances(region))
    volume_ids = sorted({row["volume_id"] for row in instances if row["volume_id"]})
    volumes = region.list_matching(
        "DescribeVolumes", "Volumes", "volume-id", volume_ids, page_size=_VOLUMES_PAGE_SIZE
    )
    sources = {volume.get("VolumeId"): volume.get("SnapshotId") or None for volume in volumes}
    origins = [(row, row["image_id"], sources.get(row["volume_id"])) for row in instances]
    others = {source for _, image_id, source in origins if source and source != own.get(image_id)}
    snapshots = region.list_matching(
        "DescribeSnapshots", "Snapshots", "snapshot-id", sorted(others), page_size=_PAGE_SIZE
    )
    from_pool = {
        item.get("SnapshotId"): FAST_LAUNCH_TAG in item.get("Tags", ()) for item in snapshots
    }
    return [
        {**region.key, **row, **_classify_launch(source, own.get(image_id), from_pool)}
        for row, image_id, source in origins
    ]


def _list_instances(region: AccountRegion) -> Iterator[Row]:
    """Yield the image, the root volume and the first launch of each instance."""
    states = _make_filter("instance-state-name", _NOT_TERMINATED)
    operation, result_key = "DescribeInstances", "Reservations"
    for item in region.list_matching(
        operation, result_key, "image-id", region.image_ids, states, page_size=_PAGE_SIZE
    ):
        for instance in item.get("Instances", ()):
            yield {
                "image_id": instance.get("ImageId"),
                "volume_id": _find_root(instance).get("VolumeId"),
                "launch_time": _find_first_launch(instance),
            }


def _find_first_launch(instance: Mapping[str, Any]) -> pd.Timestamp | None:
    """Return the time of the first launch: a start sets LaunchTime anew, but attaches nothing."""
    times = [instance.get("LaunchTime"), _find_root(instance).get("AttachTime")]
    times += [
        interface.get("Attachment", {}).get("AttachTime")
        for interface in instance.get("NetworkInterfaces", ())
    ]
    return min((pd.Timestamp(time) for time in times if time is not None), default=None)


def _classify_launch(
    source: str | None, own: str | None, from_pool: Mapping[str | None, bool]
) -> Row:
    """Return whether an instance was launched from the pool: its snapshot is then deleted.

    So a snapshot that does not exist was from the pool, unless the AMI does not exist either.
    """
    if source is None or (own is None and source not in from_pool):
        return {"fast": 0, "cold": 0}
    fast = source != own and from_pool.get(source, True)
    return {"fast": int(fast), "cold": int(not fast)}


# --- the quota ------------------------------------------------------------------------


def fetch_quota(region: AccountRegion) -> list[Row]:
    """Return the quota of parallel launches."""
    [answer] = region.client.iter_pages("service-quotas", "GetServiceQuota", "Quota", _QUOTA)
    value = answer.get("Quota", {}).get("Value")
    return [{**region.key, "parallel_launches_quota": None if value is None else int(value)}]
