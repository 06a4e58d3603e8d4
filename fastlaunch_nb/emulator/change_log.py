"""The change log of the emulator: every change of an image, and its EventBridge notification.

The notification is the one in the EC2 User Guide ("EC2 Fast Launch State-change
Notification"): its time is in whole seconds, and its detail has the state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.image_index import ImageIndex

DISABLED = "disabled"
"""The state that only notifications report: DescribeFastLaunchImages then omits the image."""


class Change(NamedTuple):
    """One change: an image as it is from this time on."""

    time: datetime
    account_id: str
    region: str
    image: FastLaunchImage
    is_transition: bool  # of the state, so EventBridge is notified; False for other changes


CHANGE_LOG: list[Change] = []
"""All changes in this process's emulator, in the order of time."""


def index_images_at(account_id: str, region: str, time: datetime) -> ImageIndex:
    """Return the images of an account and region as they were at a time."""
    index = ImageIndex()
    for change in CHANGE_LOG:
        if change.time > time:
            break
        if change[1:3] != (account_id, region):
            continue
        if change.image.state == DISABLED:
            index.drop(change.image.image_id)
        else:
            index.put(change.image)
    return index


def make_notifications(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the notification of each state transition, in order."""
    return [_make_notification(change) for change in changes if change.is_transition]


def to_json_lines(changes: Iterable[Change]) -> str:
    """Return the notifications as JSON lines, as EventBridge's targets write them to files."""
    return "".join(
        json.dumps(event, separators=(",", ":")) + "\n" for event in make_notifications(changes)
    )


def _make_notification(change: Change) -> dict[str, Any]:
    image = change.image
    arn_scope = f"{change.region}:{change.account_id}"
    event = f"{arn_scope}:{image.image_id}:{image.state}:{change.time}"
    return {
        "version": "0",
        "id": str(uuid5(NAMESPACE_OID, event)),
        "detail-type": "EC2 Fast Launch State-change Notification",
        "source": "aws.ec2",
        "account": change.account_id,
        "time": f"{change.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": change.region,
        "resources": [f"arn:aws:ec2:{arn_scope}:image/{image.image_id}"],
        "detail": {
            "imageId": image.image_id,
            "resourceType": image.resource_type,
            "state": image.state,
            "stateTransitionReason": image.state_transition_reason,
        },
    }
