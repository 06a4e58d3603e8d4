"""The emulator's record of an image with Fast Launch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
        """Return the image under the API's names; missing fields are None."""
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
