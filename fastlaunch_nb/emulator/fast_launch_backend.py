"""State of the embedded EC2: its Fast Launch images, what may be asked of them, their pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import SimpleNamespace
from typing import Any

from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.utils import parse_user_data

from fastlaunch_nb.emulator.assumptions import (
    DEFAULT_PAGE,
    DEFAULT_PARALLEL,
    DEFAULT_TARGET,
    DRY_RUN_IS_LAST,
    NAMED_NOT_ENABLED,
    NO_DISABLING_FROM,
    NO_ENABLING_FROM,
    NO_SUCH_VERSION,
    NOT_ENABLED,
    NOT_WINDOWS,
    PAGE_OF_NAMED,
    PARALLEL_QUOTA,
    ROOT_GIB,
    STILL_CLEANING,
    TOKEN_LIFETIME,
    UNKNOWN_PAGE,
)
from fastlaunch_nb.emulator.change_log import GONE, JOURNAL, Change
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ids import IDS
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.image_index import FILTERED, Filters, ImageIndex
from fastlaunch_nb.emulator.lifecycle import UNABLE_TO_STOP, FastLaunchLifecycle, Timing
from fastlaunch_nb.emulator.metric_samples import PoolRecorder

MAX_RESULTS = 200
_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")


class EC2Error(Exception):
    """An error as EC2 answers it: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class WindowsAmi(Ami):
    """An AMI as moto has it, but with what DescribeImages says of its root volume."""

    deprecation_time: str | None = None

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """The root volume, as large as its snapshot says."""
        (root,) = super().block_device_mappings
        return [{**root, "Ebs": {**root["Ebs"], "VolumeSize": self.ebs_snapshot.volume_size}}]


class FastLaunchBackend:
    """Fast Launch in one account and region; a base of moto's EC2Backend, reset with it.

    Attributes
    ----------
    pace : Pace
        How long things take here, and what breaks.
    lives : dict
        Image id to the life of each image that was enabled by a request.
    left_out : dict
        Image id to the fields that EC2 leaves out of its answers, from the next
        change of the image on: any may be missing.
    shelf : Shelf
        The images as they are answered.
    meters : dict
        Image id to what CloudWatch knows of each image that had a life.
    parallel_quota : int
        What Service Quotas answers for parallel instance launches; nothing is held to it.
    """

    def __init__(self) -> None:
        self.pace = Timing()
        self.lives: dict[str, FastLaunchLifecycle] = {}
        self.left_out: dict[str, tuple[str, ...]] = {}
        self.shelf = ImageIndex()
        self.meters: dict[str, PoolRecorder] = {}
        self.parallel_quota = PARALLEL_QUOTA
        self._forget_the_past()

    def _forget_the_past(self) -> None:
        """Take out of the journal what was here before a reset: it can not be read any more."""
        ec2: Any = self
        here = (ec2.account_id, ec2.region_name)
        JOURNAL[:] = [change for change in JOURNAL if (change.account_id, change.region) != here]

    # --- what is there ----------------------------------------------------------------

    def add_fast_launch_image(self, image: FastLaunchImage) -> None:
        """Put an image there, as it is; it stays so until it is enabled again or disabled."""
        self.shelf.put(image)
        self._note([image])

    def add_fast_launch_images(self, images: Iterable[FastLaunchImage]) -> None:
        """Put many images there. Their snapshots are only numbers: none is made in EC2."""
        images = list(images)
        self.shelf.put_all(images)
        self._note(images)

    def _note(self, images: Iterable[FastLaunchImage]) -> None:
        ec2: Any = self
        here = (ec2.account_id, ec2.region_name)
        now = CLOCK.now()
        for image in images:
            if image.image_id in self.lives:
                self.lives.pop(image.image_id).end()
            JOURNAL.append(Change(now, *here, image, is_transition=False))

    def add_windows_image(
        self,
        image_id: str,
        *,
        name: str,
        owner_id: str,
        shared_with: Iterable[str] = (),
        deprecation_time: datetime | None = None,
    ) -> None:
        """Put a Windows AMI there, for DescribeImages to find; another's is one shared with it."""
        ec2: Any = self
        ami = ec2.amis[image_id] = WindowsAmi(
            ec2,
            image_id,
            name=name,
            owner_id=owner_id,
            platform="windows",
            architecture="x86_64",
            virtualization_type="hvm",
            root_device_type="ebs",
            creation_date=CLOCK.now(),
            region_name=f"{ec2.region_name}a",
        )
        ami.launch_permissions += [{"UserId": account_id} for account_id in shared_with]
        ami.deprecation_time = _time_text(deprecation_time) if deprecation_time else None
        snapshot = ec2.snapshots.pop(ami.ebs_snapshot.id)
        snapshot.id, snapshot.volume.id = IDS.of("snap"), IDS.of("vol")
        snapshot.volume.size = ROOT_GIB
        snapshot.start_time = _now()
        ec2.snapshots[snapshot.id] = snapshot

    def deregister(self, image_id: str) -> None:
        """Take an AMI away; as in EC2, its Fast Launch goes on, and its snapshots stay."""
        ec2: Any = self
        if image_id not in ec2.amis:
            raise ValueError(f"{image_id} is no AMI of {ec2.account_id} in {ec2.region_name}.")
        ec2.deregister_image(image_id)

    def abandon(self, image_id: str) -> None:
        """Know nothing more of the Fast Launch of an image, and leave its snapshots there.

        Nobody is told, so there is no event.
        """
        ec2: Any = self
        image = self.shelf.get(image_id)
        if image is None:
            raise ValueError(f"{image_id} has no Fast Launch in {ec2.region_name}.")
        self.forget(image_id)
        if image_id in self.meters:
            self.meters[image_id].end()
        here = (ec2.account_id, ec2.region_name)
        gone = replace(image, state=GONE)
        JOURNAL.append(Change(CLOCK.now(), *here, gone, is_transition=False))

    def add_launch_template(
        self, name: str, versions: int, data: Mapping[str, Any] | None = None
    ) -> None:
        """Put a launch template there, with versions 1 up to a number.

        `data` is what each version says, as CreateLaunchTemplate takes it (LaunchTemplateData).
        """
        ec2: Any = self
        template = ec2.create_launch_template(name, "", _template_data(data or {}), {})
        while len(template.versions) < versions:
            template.create_version(_template_data(data or {}), "")
        for made in (template, *template.versions):
            made.create_time = _now()

    def break_preparation(self, image_id: str, reason: str | None = None) -> None:
        """Have the next preparation instance of an image fail, once."""
        self.pace.broken_preparation[image_id] = reason or _unable_to_stop()

    def break_clean_up(self, image_id: str, reason: str | None = None) -> None:
        """Have the next clean-up of an image fail, once."""
        self.pace.broken_clean_up[image_id] = reason or _unable_to_stop()

    def forget(self, image_id: str) -> None:
        """Know nothing more of the Fast Launch of an image."""
        self.lives.pop(image_id, None)
        self.shelf.drop(image_id)

    # --- what may be asked ------------------------------------------------------------

    def describe_fast_launch_images(
        self,
        image_ids: Sequence[str],
        filters: Filters,
        max_results: int | None,
        next_token: str | None,
        *,
        dry_run: bool = False,
    ) -> tuple[list[FastLaunchImage], str | None]:
        """Return a page of images and the token of the next; raise what EC2 would answer.

        See DescribeFastLaunchImages in the EC2 API Reference.
        """
        _end_dry_run(dry_run and not DRY_RUN_IS_LAST)
        _check_request(image_ids, filters, max_results)
        after = _position(next_token) if next_token is not None else ""
        self._check_enabled(image_ids)
        _end_dry_run(dry_run)
        if image_ids:
            return self.shelf.named(image_ids, filters), None
        size = max_results or DEFAULT_PAGE
        page = list(islice(self.shelf.after(after, filters), size + 1))
        return page[:size], _token(page[size - 1].image_id) if len(page) > size else None

    def _check_enabled(self, image_ids: Iterable[str]) -> None:
        for image_id in image_ids:
            if NAMED_NOT_ENABLED and self.shelf.get(image_id) is None:
                raise EC2Error(NAMED_NOT_ENABLED, f"Fast Launch is not enabled for {image_id}.")

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
        """Enable an image, or change its settings; raise what EC2 would answer.

        See EnableFastLaunch in the EC2 API Reference.
        """
        _end_dry_run(dry_run and not DRY_RUN_IS_LAST)
        image = FastLaunchImage(
            image_id,
            resource_type=_resource_type(resource_type),
            target_resource_count=_number(
                "TargetResourceCount", target_resource_count, 1, DEFAULT_TARGET
            ),
            max_parallel_launches=_number(
                "MaxParallelLaunches", max_parallel_launches, 6, DEFAULT_PARALLEL
            ),
            owner_id=self._owner(image_id),
            **self._template(launch_template),
        )
        present = self.shelf.get(image_id)
        if present and present.state in NO_ENABLING_FROM:
            raise EC2Error(STILL_CLEANING, f"Snapshots of {image_id} are still being removed.")
        _end_dry_run(dry_run)
        life = self._life(present or image)
        if present:
            life.enable_again(image)
        else:
            life.begin()
        return life.image

    def life_for_launches(self, image_id: str) -> FastLaunchLifecycle | None:
        """Return the life of an image whose pool launches take from, or None where none is.

        One that was put there gets a life with that, where its state says that it has a
        stock: then its pool is full, though its snapshots are only numbers.
        """
        life, present = self.lives.get(image_id), self.shelf.get(image_id)
        if life is None and present and present.state in ("enabled", "enabled-failed"):
            life = self._life(present)
        return life if life and life.is_used else None

    def _life(self, image: FastLaunchImage) -> FastLaunchLifecycle:
        """Return the life of an image, which goes on from how it is where it has none."""
        life = self.lives.get(image.image_id)
        if life is None:
            life = self.lives[image.image_id] = FastLaunchLifecycle(self, image)
        return life

    def disable_fast_launch(
        self, image_id: str, *, force: bool = False, dry_run: bool = False
    ) -> FastLaunchImage:
        """Begin to disable an image; raise what EC2 would answer.

        See DisableFastLaunch in the EC2 API Reference.
        """
        _end_dry_run(dry_run and not DRY_RUN_IS_LAST)
        _check_image_id(image_id)
        present = self.shelf.get(image_id)
        if present is None:
            raise EC2Error(NOT_ENABLED, f"Fast Launch is not enabled for {image_id}.")
        if present.state in NO_DISABLING_FROM:
            raise EC2Error(STILL_CLEANING, f"Fast Launch of {image_id} is being disabled already.")
        _end_dry_run(dry_run)
        life = self._life(present)
        life.disable(force=force)
        return life.image

    def describe_available_images(
        self,
        image_ids: list[str],
        filters: dict[str, Any],
        owners: list[str],
        executable_by: Collection[str],
    ) -> list[Ami]:
        """Return AMIs as moto does, of all that the account may launch.

        See DescribeImages and "Shared AMI usage" in the EC2 documentation.
        """
        ec2: Any = self
        amis = self.available_images()
        if executable_by and not image_ids:
            users = {ec2.account_id if user == "self" else user for user in executable_by}
            amis = {name: ami for name, ami in amis.items() if _is_executable(ami, users)}
        there: Any = SimpleNamespace(
            amis=amis, deleted_amis=ec2.deleted_amis, account_id=ec2.account_id
        )
        return AmiBackend.describe_images(there, image_ids, filters, None, owners)

    def available_images(self) -> dict[str, Ami]:
        """Return the AMIs of this region that are the account's own, shared with it, or public."""
        ec2: Any = self
        users = {ec2.account_id, "all"}
        others = [backends.get(ec2.region_name) for backends in list(ec2_backends.values())]
        shared = {
            image_id: ami
            for other in others
            for image_id, ami in (other.amis.items() if other else ())
            if _is_executable(ami, users)
        }
        return {**ec2.amis, **{name: shared[name] for name in shared.keys() - ec2.amis.keys()}}

    def _owner(self, image_id: str) -> str | None:
        """Return the owner of a Windows AMI; None of one that another account has shared."""
        _check_image_id(image_id)
        ec2: Any = self
        ami = self.available_images().get(image_id)
        if ami is None:
            raise EC2Error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        if ami.platform != "windows":
            raise EC2Error(NOT_WINDOWS, f"{image_id} is not a Windows AMI.")
        return ec2.account_id if ami.owner_id == ec2.account_id else None

    def _template(self, given: Mapping[str, str] | None) -> dict[str, Any]:
        """Return a launch template's id, name and version; refuse one that is not there."""
        if not given:
            return {}
        ec2: Any = self
        template_id, name = given.get("LaunchTemplateId"), given.get("LaunchTemplateName")
        if template_id and name:
            raise EC2Error(
                "InvalidParameterCombination",
                "LaunchTemplateId and LaunchTemplateName cannot be given together.",
            )
        if not (template_id or name) or not given.get("Version"):
            raise EC2Error(
                "MissingParameter",
                "A launch template needs LaunchTemplateId or LaunchTemplateName, and Version.",
            )
        if name:
            template_id = ec2.launch_template_name_to_ids.get(name)
        template = ec2.launch_templates.get(template_id)
        if template is None:
            kind = "Name.NotFoundException" if name else "Id.NotFound"
            raise EC2Error(
                f"InvalidLaunchTemplate{kind}",
                f"The specified launch template, with {name or template_id}, does not exist.",
            )
        version = given["Version"]
        numbers = [str(existing.number) for existing in template.versions]
        if version not in ("$Latest", "$Default", *numbers):
            raise EC2Error(
                NO_SUCH_VERSION,
                f"Could not find the specified version {version} for the launch template with "
                f"ID {template.id}.",
            )
        return {
            "launch_template_id": template.id,
            "launch_template_name": template.name,
            "launch_template_version": version,
        }


def existing(account_id: str | None, region: str) -> Any:
    """Return the state of one account and region, or None: asking for it must not make it."""
    regions = ec2_backends.get(account_id or "")
    return regions.get(region) if regions else None


def _end_dry_run(dry_run: bool) -> None:
    """End a dry run that has got this far: it would have succeeded."""
    if dry_run:
        message = "Request would have succeeded, but DryRun flag is set."
        raise EC2Error("DryRunOperation", message, 412)


def _unable_to_stop() -> str:
    return UNABLE_TO_STOP.format(instance_id=IDS.of("i"))


def _now() -> datetime:
    """Return the time as moto keeps it, in place of that of the wall clock."""
    return CLOCK.now().replace(tzinfo=None)


def _time_text(time: datetime) -> str:
    """Return a time as DescribeImages has it, where it is text."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _template_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of what a launch template says, as moto keeps it; refuse unknown settings."""
    if not data:
        return {}  # at once: the demo has many
    known = get_service_model("ec2").shape_for("RequestLaunchTemplateData").members
    if unknown := sorted(data.keys() - known.keys()):
        raise ValueError(f"data has {unknown}. Expected settings of LaunchTemplateData.")
    kept = deepcopy(dict(data))
    if "UserData" in kept:
        kept["UserData"] = parse_user_data(kept["UserData"])
    return kept


def _is_executable(ami: Ami, users: Collection[str]) -> bool:
    """Say whether an AMI's launch permissions name one of these accounts, or `all`."""
    return any(
        permission.get("UserId", permission.get("Group")) in users
        for permission in ami.launch_permissions
    )


def _check_image_id(image_id: str) -> None:
    if not _IMAGE_ID.fullmatch(image_id):
        raise EC2Error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')


def _resource_type(given: str | None) -> str:
    if given not in (None, "snapshot"):
        raise EC2Error("InvalidParameterValue", f"The resource type '{given}' is not supported.")
    return "snapshot"


def _number(name: str, given: int | None, least: int, usual: int) -> int:
    if given is not None and given < least:
        raise EC2Error(
            "InvalidParameterValue", f"{name} is {given}. The least that is allowed is {least}."
        )
    return usual if given is None else given


def _check_request(image_ids: Sequence[str], filters: Filters, max_results: int | None) -> None:
    for image_id in image_ids:
        _check_image_id(image_id)
    for name, _ in filters:
        if name not in FILTERED:
            raise EC2Error("InvalidParameterValue", f"The filter '{name}' is invalid")
    if max_results is not None and not 0 <= max_results <= MAX_RESULTS:
        raise EC2Error(
            "InvalidParameterValue",
            f"Value ( {max_results} ) for parameter maxResults is invalid. "
            f"Expecting a value of at most {MAX_RESULTS}.",
        )
    if max_results is not None and image_ids:
        raise EC2Error(
            PAGE_OF_NAMED,
            "The parameter imageIds cannot be used with the parameter maxResults",
        )


# --- page tokens ----------------------------------------------------------------------

_SEAL_SIZE, _ISSUED_SIZE = 12, 6


def _token(image_id: str) -> str:
    """Return the token of the page after an image: opaque, and the same in every process.

    Base64 of JSON, as tokens of EC2's other actions are; botocore's own look the same.
    """
    issued = int(CLOCK.now().timestamp())
    content = issued.to_bytes(_ISSUED_SIZE, "big") + image_id.encode()
    sealed = {"v": "1", "c": base64.b64encode(_seal(content) + content).decode()}
    return base64.b64encode(json.dumps(sealed).encode()).decode()


def _position(token: str) -> str:
    """Return the image that a token's page comes after; refuse what is no token of ours."""
    try:
        raw = base64.b64decode(json.loads(base64.b64decode(token))["c"])
    except (ValueError, TypeError, KeyError):
        raw = b""
    seal, content = raw[:_SEAL_SIZE], raw[_SEAL_SIZE:]
    if not raw or seal != _seal(content):
        raise EC2Error(UNKNOWN_PAGE, "The token is not valid.")
    issued = int.from_bytes(content[:_ISSUED_SIZE], "big")
    age = timedelta(seconds=CLOCK.now().timestamp() - issued)
    if TOKEN_LIFETIME is not None and age > TOKEN_LIFETIME:
        raise EC2Error(UNKNOWN_PAGE, "The token has expired.")
    return content[_ISSUED_SIZE:].decode()


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(b"DescribeFastLaunchImages:" + content).digest()[:_SEAL_SIZE]
