"""State of the embedded EC2: its Fast Launch images, how they are filtered and paged."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.ec2.models.amis import Ami

from fastlaunch_nb.emulator.clock import CLOCK

# What AWS does not document; each choice stands here and nowhere else.
DEFAULT_PAGE = 200  # items a page where the request names no MaxResults, or 0
UNKNOWN_PAGE = "InvalidNextToken"  # not InvalidPaginationToken
# Further choices: results come in the order of their ids; a named image that is
# not enabled is left out, not refused; MaxResults together with ImageIds is refused,
# as EC2's general rule for paging says.

MAX_RESULTS = 200
_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")


class EC2Error(Exception):
    """An error as EC2 answers it: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class FastLaunchImage:
    """An image with Fast Launch. Every field but the id may be missing, as in the API."""

    image_id: str
    state: str | None = None
    state_transition_reason: str | None = None
    state_transition_time: datetime | None = None
    resource_type: str | None = "snapshot"
    target_resource_count: int | None = None
    max_parallel_launches: int | None = None
    launch_template_id: str | None = None
    launch_template_name: str | None = None
    launch_template_version: str | None = None
    owner_id: str | None = None

    def to_api(self) -> dict[str, Any]:
        """Return it under the API's names; what is missing is None."""
        template = {
            "LaunchTemplateId": self.launch_template_id,
            "LaunchTemplateName": self.launch_template_name,
            "Version": self.launch_template_version,
        }
        return {
            "ImageId": self.image_id,
            "ResourceType": self.resource_type,
            "SnapshotConfiguration": {"TargetResourceCount": self.target_resource_count},
            "LaunchTemplate": template if any(template.values()) else None,
            "MaxParallelLaunches": self.max_parallel_launches,
            "OwnerId": self.owner_id,
            "State": self.state,
            "StateTransitionReason": self.state_transition_reason,
            "StateTransitionTime": self.state_transition_time,
        }


Filters = Sequence[tuple[str, Sequence[str]]]
"""Names and values as they came: a name may come twice, and both must hold."""
_FILTERED = {"resource-type": "resource_type", "owner-id": "owner_id", "state": "state"}


class FastLaunchBackend:
    """Fast Launch in one account and region; a base of moto's EC2Backend, reset with it."""

    fast_launch_images: dict[str, FastLaunchImage]

    def __init__(self) -> None:
        self.fast_launch_images = {}

    def add_fast_launch_image(self, image: FastLaunchImage) -> None:
        """Put an image there, as it is."""
        self.fast_launch_images[image.image_id] = image

    def add_windows_image(self, image_id: str, *, name: str, owner_id: str) -> None:
        """Put a Windows AMI there, for DescribeImages to find."""
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

    def describe_fast_launch_images(
        self,
        image_ids: Sequence[str],
        filters: Filters,
        max_results: int | None,
        next_token: str | None,
    ) -> tuple[list[FastLaunchImage], str | None]:
        """Return a page of images and the token of the next; raise what EC2 would answer."""
        _check_request(image_ids, filters, max_results)
        after = _position(next_token) if next_token is not None else ""
        found = [
            self.fast_launch_images[image_id]
            for image_id in sorted(self.fast_launch_images)
            if image_id > after
            and (not image_ids or image_id in image_ids)
            and _matches(self.fast_launch_images[image_id], filters)
        ]
        size = max_results or DEFAULT_PAGE
        page = found[:size]
        return page, _token(page[-1].image_id) if len(found) > size else None


def _check_request(image_ids: Sequence[str], filters: Filters, max_results: int | None) -> None:
    for image_id in image_ids:
        if not _IMAGE_ID.fullmatch(image_id):
            raise EC2Error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')
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
