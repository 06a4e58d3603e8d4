"""State of the embedded EC2: its Fast Launch images, what may be asked of them, their pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from moto.ec2.models.amis import Ami
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.images import FastLaunchImage
from fastlaunch_nb.emulator.journal import JOURNAL, Change
from fastlaunch_nb.emulator.lifecycle import (
    CLEAN_UP_TIME,
    PREPARATION_TIME,
    UNABLE_TO_STOP,
    Life,
    Pace,
)

# What AWS does not document; each choice stands here and nowhere else.
DEFAULT_PAGE = 200  # items a page where the request names no MaxResults, or 0
UNKNOWN_PAGE = "InvalidNextToken"  # not InvalidPaginationToken
NOT_WINDOWS = "InvalidParameterValue"  # the AMI is of another platform
NOT_ENABLED = "InvalidParameterValue"  # there is nothing to disable
STILL_CLEANING = "IncorrectState"  # enabling or disabling again before all snapshots are gone
CLOSED_REGION = "AuthFailure"  # one that is not opted in to, or is none: AWS has no endpoint there
DEFAULT_TARGET, DEFAULT_PARALLEL = 5, 6  # where a request names none
# Further choices: results come in the order of their ids; a named image that is not
# enabled is left out, not refused; MaxResults together with ImageIds is refused, as
# EC2's general rule for paging says. A template is answered with its id and its name,
# whichever was given, and the version as it was given; where none was given, none is
# answered (AWS makes one and names it).

MAX_RESULTS = 200
_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")


class EC2Error(Exception):
    """An error as EC2 answers it: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


Filters = Sequence[tuple[str, Sequence[str]]]
"""Names and values as they came: a name may come twice, and both must hold."""
_FILTERED = {"resource-type": "resource_type", "owner-id": "owner_id", "state": "state"}


class FastLaunchBackend:
    """Fast Launch in one account and region; a base of moto's EC2Backend, reset with it.

    Attributes
    ----------
    pace : Pace
        How long things take here, and what breaks.
    lives : dict
        Image id to the life of each image that was enabled by a request.
    left_out : dict
        Image id to the fields that EC2 leaves out of its answers: any may be missing.
    """

    def __init__(self) -> None:
        self.pace = Pace(PREPARATION_TIME, CLEAN_UP_TIME, {}, {})
        self.lives: dict[str, Life] = {}
        self.left_out: dict[str, tuple[str, ...]] = {}
        self._still: dict[str, FastLaunchImage] = {}
        self._order: list[str] | None = None

    # --- what is there ----------------------------------------------------------------

    def add_fast_launch_image(self, image: FastLaunchImage) -> None:
        """Put an image there, as it is; it stays so until it is disabled."""
        self.add_fast_launch_images([image])

    def add_fast_launch_images(self, images: Iterable[FastLaunchImage]) -> None:
        """Put many images there. Their snapshots are only numbers: none is made in EC2."""
        ec2: Any = self
        now = CLOCK.now()
        for image in images:
            self._still[image.image_id] = image
            JOURNAL.append(Change(now, ec2.account_id, ec2.region_name, image, False))
        self._order = None

    def add_windows_image(self, image_id: str, *, name: str, owner_id: str) -> None:
        """Put a Windows AMI there, for DescribeImages to find; another's is one shared with it."""
        ec2: Any = self
        ec2.amis[image_id] = Ami(
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

    def break_preparation(self, image_id: str, reason: str | None = None) -> None:
        """Have the next preparation instance of an image fail, once."""
        self.pace.broken_preparation[image_id] = reason or _unable_to_stop()

    def break_clean_up(self, image_id: str, reason: str | None = None) -> None:
        """Have the next clean-up of an image fail, once."""
        self.pace.broken_clean_up[image_id] = reason or _unable_to_stop()

    def _image(self, image_id: str) -> FastLaunchImage | None:
        life = self.lives.get(image_id)
        return life.image if life else self._still.get(image_id)

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
        _check_request(image_ids, filters, max_results)
        after = _position(next_token) if next_token is not None else ""
        _end_dry_run(dry_run)
        size = max_results or DEFAULT_PAGE
        page: list[FastLaunchImage] = []
        for image in self._after(after, image_ids):
            if _matches(image, filters):
                if len(page) == size:
                    return page, _token(page[-1].image_id)
                page.append(image)
        return page, None

    def _after(self, after: str, image_ids: Sequence[str]) -> Iterator[FastLaunchImage]:
        """Yield the images whose ids come after one, in order; named ones only, where some are."""
        if self._order is None:
            self._order = sorted({*self._still, *self.lives})
        order = sorted(set(image_ids)) if image_ids else self._order
        for place in range(bisect_right(order, after), len(order)):
            image = self._image(order[place])
            if image:
                yield image

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
        present = self._image(image_id)
        if present and str(present.state).startswith("disabling"):
            raise EC2Error(STILL_CLEANING, f"Snapshots of {image_id} are still being removed.")
        _end_dry_run(dry_run)
        return self._enabled(image)

    def _enabled(self, image: FastLaunchImage) -> FastLaunchImage:
        present = self._image(image.image_id)
        life = self._life(present or image)
        if present:
            life.enable_again(image)
        return life.image

    def _life(self, image: FastLaunchImage) -> Life:
        """Return the life of an image, which begins now where it has none."""
        life = self.lives.get(image.image_id)
        if life is None:
            life = self.lives[image.image_id] = Life(self, image, self._forget)
            self._order = None
        return life

    def disable_fast_launch(
        self, image_id: str, *, force: bool = False, dry_run: bool = False
    ) -> FastLaunchImage:
        """Begin to disable an image; raise what EC2 would answer.

        See DisableFastLaunch in the EC2 API Reference.
        """
        _check_image_id(image_id)
        present = self._image(image_id)
        if present is None:
            raise EC2Error(NOT_ENABLED, f"Fast Launch is not enabled for {image_id}.")
        if present.state == "disabling":
            raise EC2Error(STILL_CLEANING, f"Fast Launch of {image_id} is being disabled already.")
        _end_dry_run(dry_run)
        life = self._life(present)
        life.disable(force=force)
        return life.image

    def _forget(self, image_id: str) -> None:
        del self.lives[image_id]
        self._still.pop(image_id, None)
        self._order = None

    def _owner(self, image_id: str) -> str | None:
        """Return the owner of a Windows AMI that is here; None of one that another shared."""
        _check_image_id(image_id)
        ec2: Any = self
        ami = ec2.amis.get(image_id)
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
        return {
            "launch_template_id": template.id,
            "launch_template_name": template.name,
            "launch_template_version": given["Version"],
        }


def _end_dry_run(dry_run: bool) -> None:
    """End a dry run that has got this far: it would have succeeded."""
    if dry_run:
        message = "Request would have succeeded, but DryRun flag is set."
        raise EC2Error("DryRunOperation", message, 412)


def _unable_to_stop() -> str:
    return UNABLE_TO_STOP.format(instance_id=f"i-{mock_random.getrandbits(68):017x}")


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
        if name not in _FILTERED:
            raise EC2Error("InvalidParameterValue", f"The filter '{name}' is invalid")
    if max_results is not None and not 0 <= max_results <= MAX_RESULTS:
        raise EC2Error(
            "InvalidParameterValue",
            f"Value ( {max_results} ) for parameter maxResults is invalid. "
            f"Expecting a value of at most {MAX_RESULTS}.",
        )
    if max_results is not None and image_ids:
        raise EC2Error(
            "InvalidParameterCombination",
            "The parameter imageIds cannot be used with the parameter maxResults",
        )


def _matches(image: FastLaunchImage, filters: Filters) -> bool:
    return all(getattr(image, _FILTERED[name]) in values for name, values in filters)


def _token(image_id: str) -> str:
    """Return the token of the page after an image: opaque, and the same in every process.

    Base64 of JSON, as tokens of EC2's other actions are; botocore's own look the same.
    """
    content = {"v": "1", "c": base64.b64encode(_seal(image_id) + image_id.encode()).decode()}
    return base64.b64encode(json.dumps(content).encode()).decode()


def _position(token: str) -> str:
    """Return the image that a token's page comes after; refuse what is no token of ours."""
    try:
        raw = base64.b64decode(json.loads(base64.b64decode(token))["c"])
        image_id = raw[_SEAL_SIZE:].decode()
    except (ValueError, TypeError, KeyError):
        raw, image_id = b"", ""
    if not raw or raw[:_SEAL_SIZE] != _seal(image_id):
        raise EC2Error(UNKNOWN_PAGE, "The token is not valid.")
    return image_id


_SEAL_SIZE = 12


def _seal(image_id: str) -> bytes:
    return hashlib.sha256(b"DescribeFastLaunchImages:" + image_id.encode()).digest()[:_SEAL_SIZE]
