"""What happened in the embedded EC2: every change of an image, and EventBridge's word of it.

The notification is the one that the EC2 User Guide shows ("EC2 Fast Launch
State-change Notification"): a time in whole seconds, and the state in its detail.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from fastlaunch_nb.emulator.image import FastLaunchImage

GONE = "disabled"
"""The state that only a notification tells: DescribeFastLaunchImages has forgotten the image."""


class Change(NamedTuple):
    """One change: how the image is from this time on."""

    time: datetime
    account_id: str
    region: str
    image: FastLaunchImage
    is_transition: bool  # of its state: EventBridge tells; else it was put there, or its settings


JOURNAL: list[Change] = []
"""All changes of this process's embedded EC2, in the order of time."""


def notifications(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the notification of each change of state, in order."""
    return [_notification(change) for change in changes if change.is_transition]


def json_lines(changes: Iterable[Change]) -> str:
    """Return the notifications as JSON lines, as EventBridge's targets write them to files."""
    return "".join(
        json.dumps(event, separators=(",", ":")) + "\n" for event in notifications(changes)
    )


def _notification(change: Change) -> dict[str, Any]:
    image = change.image
    place = f"{change.region}:{change.account_id}"
    return {
        "version": "0",
        "id": str(uuid5(NAMESPACE_OID, f"{place}:{image.image_id}:{image.state}:{change.time}")),
        "detail-type": "EC2 Fast Launch State-change Notification",
        "source": "aws.ec2",
        "account": change.account_id,
        "time": f"{change.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": change.region,
        "resources": [f"arn:aws:ec2:{place}:image/{image.image_id}"],
        "detail": {
            "imageId": image.image_id,
            "resourceType": image.resource_type,
            "state": image.state,
            "stateTransitionReason": image.state_transition_reason,
        },
    }
