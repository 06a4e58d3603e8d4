"""The backend of the emulator: the Fast Launch images of an account and region, and the actions."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami, AmiBackend

from fastlaunch_nb.emulator import assumptions, launch_templates
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, DISABLED, Change, index_images_at
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.ids import IDS, seed_moto_ids
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.image_index import FILTER_NAMES, Filters, ImageIndex
from fastlaunch_nb.emulator.lifecycle import FastLaunchLifecycle, Timing, describe_stop_failure
from fastlaunch_nb.emulator.metric_samples import PoolRecorder

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend as _Base
else:
    _Base = object  # at runtime this class becomes a base of EC2Backend

MAX_RESULTS = 200
_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")


class WindowsAmi(Ami):
    """An AMI of moto with a root volume of the right size in DescribeImages.

    Attributes
    ----------
    deprecation_time, source_image_id, source_image_region : str or None
        As DescribeImages answers them.
    """

    deprecation_time: str | None = None
    source_image_id: str | None = None
    source_image_region: str | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._launches: deque[datetime] = deque()  # the last one to report, and all after it

    @property
    def last_launched_time(self) -> str | None:
        """The time of the last launch that EC2 reports by now."""
        reported = CLOCK.now() - assumptions.LAST_LAUNCH_DELAY
        while len(self._launches) > 1 and self._launches[1] <= reported:
            self._launches.popleft()
        is_reported = self._launches and self._launches[0] <= reported
        return _format_time(self._launches[0]) if is_reported else None

    def record_launch(self) -> None:
        """Record that an instance is launched now."""
        self._launches.append(CLOCK.now())

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """The root volume, with the size and the encryption of its snapshot."""
        (root,) = super().block_device_mappings
        snapshot = self.ebs_snapshot
        ebs = {"VolumeSize": snapshot.volume_size, "Encrypted": snapshot.encrypted}
        return [{**root, "Ebs": {**root["Ebs"], **ebs}}]


class FastLaunchBackend(_Base):
    """Fast Launch in one account and region; a base of moto's EC2Backend, reset with it.

    Attributes
    ----------
    pace : Timing
        Durations, and failures to inject.
    lives : dict
        Image id to the lifecycle of each image that a request has enabled.
    omitted_fields : dict
        Image id to the fields that answers omit from the next change of the image on,
        as any field may be missing in EC2's answers.
    image_index : ImageIndex
        The images as the actions answer them.
    meters : dict
        Image id to the CloudWatch metrics of each image that has had a lifecycle.
    parallel_quota : int
        The answer of Service Quotas for parallel instance launches; it is not enforced.
    quota_requests : list of dict
        Requests to raise a quota, under the API's names.
    metadata_defaults : dict
        The account's defaults that GetInstanceMetadataDefaults answers, such as
        ``{"HttpTokensEnforced": "enabled"}``.
    retention_rules : dict
        Identifier to each rule of Recycle Bin, under the API's names.
    distribution_configurations : dict
        ARN to each distribution configuration of Image Builder, under the API's names.
    """

    def __init__(self) -> None:
        self.pace = Timing()
        self.lives: dict[str, FastLaunchLifecycle] = {}
        self.omitted_fields: dict[str, tuple[str, ...]] = {}
        self.image_index = ImageIndex()
        self.meters: dict[str, PoolRecorder] = {}
        self.parallel_quota = assumptions.PARALLEL_QUOTA
        self.quota_requests: list[dict[str, Any]] = []
        self.metadata_defaults: dict[str, Any] = {}
        self.retention_rules: dict[str, dict[str, Any]] = {}
        self.distribution_configurations: dict[str, dict[str, Any]] = {}
        scope = self.account_id, self.region_name  # a reset makes its earlier changes unreadable
        CHANGE_LOG[:] = [change for change in CHANGE_LOG if change[1:3] != scope]

    def log_change(self, image: FastLaunchImage, *, is_transition: bool = False) -> None:
        """Log an image as it is from now on."""
        change = Change(CLOCK.now(), self.account_id, self.region_name, image, is_transition)
        CHANGE_LOG.append(change)

    # --- setup by tests and the demo --------------------------------------------------

    def add_windows_image(
        self,
        image_id: str,
        *,
        name: str,
        owner_id: str,
        shared_with: Iterable[str] = (),
        deprecation_time: datetime | None = None,
        source: tuple[str, str] | None = None,
        kms_key_id: str | None = None,
    ) -> None:
        """Add a Windows AMI that DescribeImages lists, of this account or shared with it.

        `source` is the id and the region of the AMI from which it was copied or created. An
        AMI with a key is encrypted, and so are the snapshots of its pool.
        """
        ami = self.amis[image_id] = WindowsAmi(
            self,
            image_id,
            name=name,
            owner_id=owner_id,
            platform="windows",
            architecture="x86_64",
            virtualization_type="hvm",
            root_device_type="ebs",
            creation_date=CLOCK.now(),
            region_name=f"{self.region_name}a",
        )
        ami.launch_permissions += [{"UserId": account_id} for account_id in shared_with]
        if deprecation_time:
            ami.deprecation_time = _format_time(deprecation_time)
        if source:
            ami.source_image_id, ami.source_image_region = source
        snapshot: Any = self.snapshots.pop(ami.ebs_snapshot.id)
        snapshot.id, snapshot.volume.id = IDS.make_id("snap"), IDS.make_id("vol")
        snapshot.volume.size = assumptions.ROOT_VOLUME_GIB
        snapshot.encrypted, snapshot.kms_key_id = kms_key_id is not None, kms_key_id
        snapshot.start_time = CLOCK.now().replace(tzinfo=None)
        snapshot.full_snapshot_size_in_bytes = assumptions.FULL_SNAPSHOT_BYTES
        self.snapshots[snapshot.id] = snapshot

    def abandon(self, image_id: str) -> None:
        """Remove the Fast Launch of an image without an event, and leave its snapshots."""
        image = self.image_index.get(image_id)
        if image is None:
            raise ValueError(f"{image_id} does not have Fast Launch in {self.region_name}.")
        self.forget(image_id)
        if image_id in self.meters:
            self.meters[image_id].end()
        self.log_change(replace(image, state=DISABLED))

    def add_launch_template(
        self, name: str, versions: int, data: Mapping[str, Any] | None = None
    ) -> None:
        """Add a launch template with a number of versions, each with this LaunchTemplateData."""
        copy = launch_templates.to_moto_data(data)
        with seed_moto_ids(f"{name} of {self.account_id} in {self.region_name}"):
            template: Any = self.create_launch_template(name, "", copy, {})
        while len(template.versions) < versions:
            template.create_version(deepcopy(copy), "")

    def add_template_version(self, name: str, data: Mapping[str, Any]) -> None:
        """Add a version to a launch template, as somebody may after it is in use."""
        template = self.get_launch_template_by_name(name)
        template.create_version(launch_templates.to_moto_data(data), "")

    def add_retention_rule(
        self,
        *,
        resource_type: str = "EBS_SNAPSHOT",
        resource_tags: Mapping[str, str] | None = None,
        exclude_resource_tags: Mapping[str, str] | None = None,
        days: int = 7,
        description: str = "",
    ) -> str:
        """Add a rule of Recycle Bin, and return its identifier.

        With `resource_tags` it keeps resources with one of these tags; without, all resources
        of the region but those with one of `exclude_resource_tags`.
        """
        identifier = IDS.make_id("rule").removeprefix("rule-")[:11]
        self.retention_rules[identifier] = {
            "Identifier": identifier,
            "Description": description,
            "ResourceType": resource_type,
            "RetentionPeriod": {"RetentionPeriodValue": days, "RetentionPeriodUnit": "DAYS"},
            "ResourceTags": _to_tags(resource_tags),
            "ExcludeResourceTags": _to_tags(exclude_resource_tags),
            "Status": "available",
            "LockState": "unlocked",
            "RuleArn": f"arn:aws:rbin:{self.region_name}:{self.account_id}:rule/{identifier}",
        }
        return identifier

    def add_distribution_configuration(
        self, name: str, distributions: Sequence[Mapping[str, Any]]
    ) -> str:
        """Add a distribution configuration of Image Builder, and return its ARN.

        `distributions` are as in the API, with `region`, `amiDistributionConfiguration` and
        `fastLaunchConfigurations`.
        """
        scope = f"{self.region_name}:{self.account_id}"
        arn = f"arn:aws:imagebuilder:{scope}:distribution-configuration/{name}"
        self.distribution_configurations[arn] = {
            "arn": arn,
            "name": name,
            "distributions": deepcopy(list(distributions)),
            "timeoutMinutes": 720,
            "dateCreated": _format_time(CLOCK.now()),
            "tags": {},
        }
        return arn

    def break_preparation(
        self, image_id: str, reason: str | None = None, *, instances: float = inf
    ) -> None:
        """Make preparation instances of an image hang, so that it fails at EC2's limit, once.

        Of the instances that start from now on, this number hangs; by default all of them.
        """
        self.pace.broken_preparation[image_id] = reason or describe_stop_failure(), instances

    def break_clean_up(self, image_id: str, reason: str | None = None) -> None:
        """Make the next clean-up of an image fail, once."""
        self.pace.broken_clean_up[image_id] = reason or describe_stop_failure()

    def forget(self, image_id: str) -> None:
        """Remove the Fast Launch of an image."""
        self.lives.pop(image_id, None)
        self.image_index.drop(image_id)

    # --- actions, as in the EC2 API Reference: each may raise EC2's error --------------

    def describe_fast_launch_images(
        self,
        image_ids: Sequence[str],
        filters: Filters,
        max_results: int | None,
        next_token: str | None,
        *,
        dry_run: bool = False,
        lag: timedelta = timedelta(),
    ) -> tuple[list[FastLaunchImage], str | None]:
        """Return a page of images as they were before a lag, and the token of the next page."""
        _end_dry_run(dry_run and not assumptions.VALIDATE_BEFORE_DRY_RUN)
        _validate_describe(image_ids, filters, max_results)
        after = parse_page_token(next_token) if next_token is not None else ""
        index = self.image_index
        if lag:
            index = index_images_at(self.account_id, self.region_name, CLOCK.now() - lag)
        for image_id in image_ids:
            if assumptions.NOT_ENABLED_ID_CODE and index.get(image_id) is None:
                raise EC2Error(
                    assumptions.NOT_ENABLED_ID_CODE, f"Fast Launch is not enabled for {image_id}."
                )
        _end_dry_run(dry_run)
        if image_ids:
            return index.select(image_ids, filters), None
        size = max_results or assumptions.DEFAULT_PAGE_SIZE
        page = list(islice(index.iterate_after(after, filters), size + 1))
        return page[:size], make_page_token(page[size - 1].image_id) if len(page) > size else None

    def enable_fast_launch(
        self,
        image_id: str,
        *,
        resource_type: str | None = None,
        target_resource_count: int | None = None,
        launch_template: Mapping[str, str] | None = None,
        max_parallel_launches: int | None = None,
        dry_run: bool = False,
    ) -> FastLaunchImage:
        """Enable an image, or change its settings."""
        _end_dry_run(dry_run and not assumptions.VALIDATE_BEFORE_DRY_RUN)
        if resource_type not in (None, "snapshot"):
            message = f"The resource type '{resource_type}' is not supported."
            raise EC2Error("InvalidParameterValue", message)
        target = _validate_minimum("TargetResourceCount", target_resource_count, 1)
        parallel = _validate_minimum("MaxParallelLaunches", max_parallel_launches, 6)
        image = FastLaunchImage(
            image_id,
            target_resource_count=assumptions.DEFAULT_TARGET if target is None else target,
            max_parallel_launches=assumptions.DEFAULT_PARALLEL if parallel is None else parallel,
            owner_id=self._find_owner(image_id),
            **launch_templates.resolve_template(self, launch_template),
        )
        present = self.image_index.get(image_id)
        if present and present.state in assumptions.STATES_REFUSING_ENABLE:
            raise EC2Error(
                assumptions.CLEANING_UP_CODE, f"Snapshots of {image_id} are still being removed."
            )
        _end_dry_run(dry_run)
        if not launch_template:
            image = replace(image, **launch_templates.get_default_template(self))
        lifecycle = self._get_lifecycle(present or image)
        lifecycle.enable(image)
        return lifecycle.image

    def find_pool_lifecycle(self, image_id: str) -> FastLaunchLifecycle | None:
        """Return the lifecycle whose pool serves launches of an image, or None.

        An image that was added in a state that has a stock gets a lifecycle here: its pool
        is full, though its snapshots are only numbers.
        """
        lifecycle, present = self.lives.get(image_id), self.image_index.get(image_id)
        if lifecycle is None and present and present.state in ("enabled", "enabled-failed"):
            lifecycle = self._get_lifecycle(present)
        return lifecycle if lifecycle and lifecycle.serves_launches else None

    def _get_lifecycle(self, image: FastLaunchImage) -> FastLaunchLifecycle:
        """Return the lifecycle of an image; if it has none, a new one from its present state."""
        if image.image_id not in self.lives:
            self.lives[image.image_id] = FastLaunchLifecycle(self, image)
        return self.lives[image.image_id]

    def disable_fast_launch(
        self, image_id: str, *, force: bool = False, dry_run: bool = False
    ) -> FastLaunchImage:
        """Begin to disable an image."""
        _end_dry_run(dry_run and not assumptions.VALIDATE_BEFORE_DRY_RUN)
        _validate_image_id(image_id)
        present = self.image_index.get(image_id)
        if present is None:
            raise EC2Error(
                assumptions.NOT_ENABLED_CODE, f"Fast Launch is not enabled for {image_id}."
            )
        if present.state in assumptions.STATES_REFUSING_DISABLE:
            message = f"Fast Launch of {image_id} is being disabled already."
            raise EC2Error(assumptions.CLEANING_UP_CODE, message)
        _end_dry_run(dry_run)
        lifecycle = self._get_lifecycle(present)
        lifecycle.disable(force=force)
        return lifecycle.image

    def describe_available_images(
        self,
        ami_ids: list[str] | None = None,
        filters: dict[str, Any] | None = None,
        exec_users: Collection[str] | None = None,
        owners: list[str] | None = None,
    ) -> list[Ami]:
        """Return AMIs as moto does, but of all that the account may launch ("Shared AMI usage")."""
        amis = self.list_available_images()
        if exec_users and not ami_ids:
            users = {self.account_id if user == "self" else user for user in exec_users}
            amis = {name: ami for name, ami in amis.items() if _is_executable(ami, users)}
        backend: Any = SimpleNamespace(
            amis=amis, deleted_amis=self.deleted_amis, account_id=self.account_id
        )
        return AmiBackend.describe_images(backend, ami_ids, filters, None, owners)

    def list_available_images(self) -> dict[str, Ami]:
        """Return the AMIs of this region that are public, shared with the account, or its own."""
        users = {self.account_id, "all"}
        others = [backends.get(self.region_name) for backends in list(ec2_backends.values())]
        shared = {
            image_id: ami
            for other in others
            for image_id, ami in (other.amis.items() if other else ())
            if image_id not in self.amis and _is_executable(ami, users)
        }
        return {**self.amis, **shared}

    def _find_owner(self, image_id: str) -> str | None:
        """Return the owner of a Windows AMI, or None if another account shares it."""
        _validate_image_id(image_id)
        ami = self.list_available_images().get(image_id)
        if ami is None:
            raise EC2Error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        if ami.platform != "windows":
            raise EC2Error(assumptions.NOT_WINDOWS_CODE, f"{image_id} is not a Windows AMI.")
        return self.account_id if ami.owner_id == self.account_id else None


def find_backend(account_id: str | None, region: str) -> Any:
    """Return the backend of an account and region, or None; unlike moto, do not create one."""
    regions = ec2_backends.get(account_id or "")
    return regions.get(region) if regions else None


def _end_dry_run(dry_run: bool) -> None:
    """Raise DryRunOperation if this is a dry run: the request would have succeeded."""
    if dry_run:
        message = "Request would have succeeded, but DryRun flag is set."
        raise EC2Error("DryRunOperation", message, 412)


def _to_tags(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return tags in the form of Recycle Bin."""
    return [
        {"ResourceTagKey": key, "ResourceTagValue": value} for key, value in (tags or {}).items()
    ]


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _is_executable(ami: Ami, users: Collection[str]) -> bool:
    """Return True if an AMI's launch permissions name one of these accounts, or `all`."""
    return any(
        permission.get("UserId", permission.get("Group")) in users
        for permission in ami.launch_permissions
    )


def _validate_image_id(image_id: str) -> None:
    if not _IMAGE_ID.fullmatch(image_id):
        raise EC2Error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')


def _validate_minimum(name: str, value: int | None, minimum: int) -> int | None:
    if value is not None and value < minimum:
        raise EC2Error("InvalidParameterValue", f"{name} is {value}. The minimum is {minimum}.")
    return value


def _validate_describe(image_ids: Sequence[str], filters: Filters, max_results: int | None) -> None:
    for image_id in image_ids:
        _validate_image_id(image_id)
    for name, _ in filters:
        if name not in FILTER_NAMES:
            raise EC2Error("InvalidParameterValue", f"The filter '{name}' is invalid")
    if max_results is not None and not 0 <= max_results <= MAX_RESULTS:
        raise EC2Error(
            "InvalidParameterValue",
            f"Value ( {max_results} ) for parameter maxResults is invalid. "
            f"Expecting a value of at most {MAX_RESULTS}.",
        )
    if max_results is not None and image_ids:
        message = "The parameter imageIds cannot be used with the parameter maxResults"
        raise EC2Error(assumptions.MAX_RESULTS_WITH_IDS_CODE, message)


# --- page tokens ----------------------------------------------------------------------

_SEAL_SIZE, _ISSUED_SIZE = 12, 6


def make_page_token(item: str) -> str:
    """Return the token of the page after an item: opaque, and the same in every process.

    It is Base64 of JSON, like the tokens of other EC2 actions and of botocore.
    """
    issued = int(CLOCK.now().timestamp())
    content = issued.to_bytes(_ISSUED_SIZE, "big") + item.encode()
    sealed = {"v": "1", "c": base64.b64encode(_seal(content) + content).decode()}
    return base64.b64encode(json.dumps(sealed).encode()).decode()


def parse_page_token(token: str) -> str:
    """Return the item after which a token's page begins, or raise if the token is invalid."""
    try:
        raw = base64.b64decode(json.loads(base64.b64decode(token))["c"])
    except (ValueError, TypeError, KeyError):
        raw = b""
    seal, content = raw[:_SEAL_SIZE], raw[_SEAL_SIZE:]
    if not raw or seal != _seal(content):
        raise EC2Error(assumptions.INVALID_TOKEN_CODE, "The token is not valid.")
    issued = int.from_bytes(content[:_ISSUED_SIZE], "big")
    age = timedelta(seconds=CLOCK.now().timestamp() - issued)
    if assumptions.TOKEN_LIFETIME is not None and age > assumptions.TOKEN_LIFETIME:
        raise EC2Error(assumptions.INVALID_TOKEN_CODE, "The token has expired.")
    return content[_ISSUED_SIZE:].decode()


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(b"DescribeFastLaunchImages:" + content).digest()[:_SEAL_SIZE]
