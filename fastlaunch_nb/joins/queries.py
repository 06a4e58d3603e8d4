"""What is asked of one account and region for each join, and the rows that come of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from fastlaunch_nb.aws.fast_launch_pages import MAX_PAGE_SIZE, read_fast_launch_images
from fastlaunch_nb.aws.paginate import Answer, RegionClient
from fastlaunch_nb.errors import FastLaunchError, ReadError, escape_unprintable
from fastlaunch_nb.sources.pages import response_date

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
}
"""Join to the IAM actions that it needs; the last needs none where snapshots are joined already."""

_VALUES = 200  # of a filter of EC2's, at most (EC2 API Reference, Filter)
_PAGE = 1000  # what DescribeSnapshots and DescribeInstances return at once, at most
_VOLUMES_PAGE = 500  # and DescribeVolumes
_TAG = {"Key": "CreatedBy", "Value": "EC2 Fast Launch"}  # of what it creates (EC2 User Guide)
_BY_FAST_LAUNCH = {"Name": f"tag:{_TAG['Key']}", "Values": [_TAG["Value"]]}
_IMAGE_ID = re.compile(r"for image (ami-[0-9a-f]+)")  # in the description of a snapshot
_THERE = ["pending", "running", "shutting-down", "stopping", "stopped"]  # all but terminated
_QUOTA = {"ServiceCode": "ec2fastlaunch", "QuotaCode": "L-DC79B53E"}


class Template(NamedTuple):
    """A launch template, as an image has it."""

    launch_template_id: str | None
    launch_template_name: str | None
    launch_template_version: str


@dataclass
class AccountRegion:
    """One account and region: how to ask it, what about, and what could not be read."""

    account_id: str
    asker: RegionClient
    image_ids: Sequence[str] = ()
    templates: Sequence[Template] = ()
    until: pd.Timestamp | None = None  # where windows end, by AWS's clock
    since: pd.Timestamp | None = None  # where they begin, once that is known
    failed: list[tuple[str, FastLaunchError]] = field(default_factory=list)

    @property
    def key(self) -> Row:
        """The columns that name it."""
        return {"account_id": self.account_id, "region": self.asker.region}

    @property
    def name(self) -> tuple[str, str]:
        """Its account and its region."""
        return self.account_id, self.asker.region

    @cached_property
    def listed(self) -> list[Row]:
        """The AMIs that EC2 lists, of those that are asked about."""
        return [
            {**self.key, **_image(image)}
            for ids in batches(self.image_ids, _VALUES)
            for image in self._images({"Filters": [_filter("image-id", ids)]})
        ]

    def _images(self, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        also = {"IncludeDeprecated": True, "IncludeDisabled": True}
        return self.ec2("DescribeImages", "Images", {**request, **also})

    def ec2(
        self, operation: str, part: str, request: Mapping[str, Any], page_size: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield what EC2 lists."""
        return self.asker.items("ec2", operation, part, request, page_size)

    def filtered(
        self, operation: str, part: str, name: str, values: Sequence[str], page_size: int
    ) -> Iterator[Mapping[str, Any]]:
        """Yield what EC2 lists of which one of these values is true."""
        for some in batches(values, _VALUES):
            yield from self.ec2(operation, part, {"Filters": [_filter(name, some)]}, page_size)

    def of_names(self, names: Sequence[str]) -> list[Row]:
        """Return the account's own Windows AMIs of these names; say which have Fast Launch."""
        windows = _filter("platform", ["windows"])
        found = [
            {**self.key, "image_id": image.get("ImageId"), "image_name": image.get("Name")}
            for some in batches(names, _VALUES)
            for image in self._images(
                {"Owners": ["self"], "Filters": [_filter("name", some), windows]}
            )
        ]
        having = self._having([row["image_id"] for row in found if row["image_id"]])
        return [{**row, "has": int(row["image_id"] in having)} for row in found]

    def _having(self, image_ids: Sequence[str]) -> set[str | None]:
        """Return which images have Fast Launch: those that it lists, unless it is disabled."""
        reads = (
            read_fast_launch_images(self.asker.access, self.asker.region, {"ImageIds": ids})
            for ids in batches(image_ids, MAX_PAGE_SIZE)
        )
        items = [item for read in reads for item in read.items]
        return {item.get("ImageId") for item in items if item.get("State") != "disabled"}


def batches(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    """Yield values, so many at a time.

    Examples
    --------
    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _filter(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Return a filter of EC2's, in which wildcards are letters as all others."""
    return {"Name": name, "Values": [re.sub(r"[*?\\]", r"\\\g<0>", value) for value in values]}


def answered_at(answer: Answer) -> pd.Timestamp | None:
    """Return when AWS answered, by its clock."""
    metadata = answer.get("ResponseMetadata", {})
    return response_date(metadata.get("HTTPHeaders", {}).get("date"))


# --- AMIs and launch templates --------------------------------------------------------


def _image(image: Mapping[str, Any]) -> Row:
    root = _root(image)
    return {
        "image_id": image.get("ImageId"),
        "image_name": image.get("Name"),
        "image_state": image.get("State"),
        "image_creation_time": _time(image.get("CreationDate")),
        "image_deprecation_time": _time(image.get("DeprecationTime")),
        "image_owner_id": image.get("OwnerId"),
        "root_volume_gib": root.get("VolumeSize"),
        "root_snapshot_id": root.get("SnapshotId"),
    }


def _root(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the root volume of an AMI or of an instance."""
    name = thing.get("RootDeviceName")
    devices = thing.get("BlockDeviceMappings", ())
    return next((it.get("Ebs") or {} for it in devices if it.get("DeviceName") == name), {})


def _time(text: str | None) -> pd.Timestamp | None:
    found = pd.to_datetime(text, utc=True, errors="coerce") if text else None
    return None if found is None or pd.isna(found) else found.as_unit("us")


def listed(place: AccountRegion) -> list[Row]:
    """Return what EC2 says of the AMIs."""
    return place.listed


def templates(place: AccountRegion) -> list[Row]:
    """Return what is forbidden in each template; one that can not be read fails by itself."""
    rows = []
    for template in place.templates:
        try:
            rows.append({**place.key, **_template(place, template)})
        except FastLaunchError as error:
            place.failed.append(("template", error))
    return rows


def _template(place: AccountRegion, template: Template) -> Row:
    template_id, name, version = template
    which = {"LaunchTemplateId": template_id} if template_id else {"LaunchTemplateName": name}
    operation, part = "DescribeLaunchTemplateVersions", "LaunchTemplateVersions"
    found = list(place.ec2(operation, part, {**which, "Versions": [version]}))
    if not found:
        raise ReadError(
            f"AWS lists no version {escape_unprintable(version)}.",
            operation=operation,
            region=place.asker.region,
            code="NoSuchVersion",
        )
    settings = found[0].get("LaunchTemplateData") or {}
    return {**template._asdict(), "template_forbidden": ", ".join(forbidden(settings))}


def forbidden(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a template sets that Fast Launch forbids.

    Examples
    --------
    >>> list(forbidden({"DisableApiTermination": True, "UserData": "aGVsbG8="}))
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


# --- snapshots and instances ----------------------------------------------------------


def made_snapshots(place: AccountRegion) -> list[Row]:
    """Return every snapshot that Fast Launch has made in a place."""
    request = {"OwnerIds": ["self"], "Filters": [_BY_FAST_LAUNCH]}
    rows: list[Row] = []
    when: pd.Timestamp | None = None
    for page in place.asker.pages("ec2", "DescribeSnapshots", "Snapshots", request, _PAGE):
        when = when or answered_at(page)
        asked = {**place.key, "observed_at": when}
        rows += [{**asked, **_snapshot(one)} for one in page.get("Snapshots", ())]
    return rows


def _snapshot(snapshot: Mapping[str, Any]) -> Row:
    tags = {tag.get("Key"): tag.get("Value") for tag in snapshot.get("Tags", ())}
    of_image = _IMAGE_ID.search(snapshot.get("Description") or "")
    return {
        "snapshot_id": snapshot.get("SnapshotId"),
        "image_id": of_image[1] if of_image else None,
        "snapshot_state": snapshot.get("State"),
        "snapshot_time": snapshot.get("StartTime"),
        "volume_gib": snapshot.get("VolumeSize"),
        "launch_template_id": tags.get("CreatedByLaunchTemplateId"),
        "launch_template_name": tags.get("CreatedByLaunchTemplateName"),
        "launch_template_version": tags.get("CreatedByLaunchTemplateVersion"),
    }


def instances(place: AccountRegion) -> list[Row]:
    """Return the instances of the AMIs, and where their root volumes came from."""
    own = {row["image_id"]: row["root_snapshot_id"] for row in place.listed}
    there = [
        (instance.get("ImageId"), _root(instance).get("VolumeId"))
        for ids in batches(place.image_ids, _VALUES)
        for reservation in place.ec2(
            "DescribeInstances",
            "Reservations",
            {"Filters": [_filter("image-id", ids), _filter("instance-state-name", _THERE)]},
            _PAGE,
        )
        for instance in reservation.get("Instances", ())
    ]
    sources = _sources(place, sorted({volume for _, volume in there if volume}))
    origins = [(image_id, sources.get(volume)) for image_id, volume in there]
    others = {source for image_id, source in origins if source and source != own.get(image_id)}
    is_made = _are_made(place, sorted(others))
    return [
        {**place.key, "image_id": image_id, **_launched(source, own.get(image_id), is_made)}
        for image_id, source in origins
    ]


def _sources(place: AccountRegion, volumes: Sequence[str]) -> dict[str | None, str | None]:
    """Return the snapshot that each volume was made of."""
    found = place.filtered("DescribeVolumes", "Volumes", "volume-id", volumes, _VOLUMES_PAGE)
    return {volume.get("VolumeId"): volume.get("SnapshotId") or None for volume in found}


def _are_made(place: AccountRegion, snapshots: Sequence[str]) -> dict[str | None, bool]:
    """Return of the snapshots that are still there whether Fast Launch has made them."""
    found = place.filtered("DescribeSnapshots", "Snapshots", "snapshot-id", snapshots, _PAGE)
    return {snapshot.get("SnapshotId"): _TAG in snapshot.get("Tags", ()) for snapshot in found}


def _launched(source: str | None, own: str | None, is_made: Mapping[str | None, bool]) -> Row:
    """Tell a launch from the pool: its snapshot is deleted as soon as it is used.

    So one that is gone was of the pool, unless it was that of an AMI which is gone too.
    """
    if source is None or (own is None and source not in is_made):
        return {"fast": 0, "cold": 0}
    fast = source != own and is_made.get(source, True)
    return {"fast": int(fast), "cold": int(not fast)}


# --- the quota ------------------------------------------------------------------------


def quotas(place: AccountRegion) -> list[Row]:
    """Return the quota of parallel launches."""
    [answer] = place.asker.pages("service-quotas", "GetServiceQuota", "Quota", _QUOTA)
    value = answer.get("Quota", {}).get("Value")
    return [{**place.key, "parallel_launches_quota": None if value is None else int(value)}]
