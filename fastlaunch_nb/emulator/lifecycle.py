"""The life of Fast Launch for one image: enabled, prepared, filled, failed, disabled, gone.

Documented moves (EC2 User Guide, "Monitor EC2 Fast Launch"): enabling to enabled
or enabling-failed, enabled to enabled-failed, disabling to disabled or
disabling-failed. Each happens at its own time on the virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fastlaunch_nb.emulator.clock import CLOCK, START
from fastlaunch_nb.emulator.images import FastLaunchImage
from fastlaunch_nb.emulator.journal import GONE, JOURNAL, Change
from fastlaunch_nb.pool import Pool

# What AWS does not document; each choice stands here and nowhere else. An image
# that was enabled before is enabled again at once, whatever is in its pool, and a
# change of settings does not change its state. What was prepared stays after a
# failure; nothing more is prepared until the image is enabled again. A target that
# is lowered gives up what is above it at once. Snapshots all go at the end of the
# clean-up, and Force ends it in their absence of any error.
CLEAN_UP_TIME = timedelta(minutes=10)
PREPARATION_TIME = timedelta(minutes=30)
"""What the EC2 User Guide names for a preparation instance."""
ROOT_GIB = 50
"""The root volume of the example in AWS's page on the cost of EC2 Fast Launch."""
USER_INITIATED = "Client.UserInitiated"
UNABLE_TO_STOP = "Unable to stop instance ID={instance_id} for snapshot creation."
DESCRIPTION = "This is Fast Launch snapshot for image {image_id}"


@dataclass
class Pace:
    """How long things take, and what breaks, in one account and region.

    Attributes
    ----------
    preparation : timedelta
        What one preparation instance takes, for pools that are made from now on.
    clean_up : timedelta
        From disabling to disabled.
    broken_preparation, broken_clean_up : dict
        Image id to the reason why its next preparation, or its clean-up, fails.
    """

    preparation: timedelta
    clean_up: timedelta
    broken_preparation: dict[str, str]
    broken_clean_up: dict[str, str]


class Life:
    """Fast Launch for one image: from now on, or going on from a state that it is in.

    Attributes
    ----------
    pool : Pool
        Its snapshots, in seconds since :data:`START`.
    snapshots : list of str
        Ids of those snapshots that are real ones of moto, oldest first.
    """

    def __init__(self, ec2: Any, image: FastLaunchImage, forget: Callable[[str], None]) -> None:
        self.snapshots: list[str] = []
        self._image = image
        self._ec2 = ec2
        self._forget = forget
        self._was_enabled = image.state not in (None, "enabling", "enabling-failed")
        self._plan = 0  # numbers what was planned last: all that was planned before is void
        target = image.target_resource_count or 0
        self.pool = Pool(
            target,
            image.max_parallel_launches or 1,
            self._pace.preparation.total_seconds(),
            stock=target if self._was_enabled else 0,
            now=(CLOCK.now() - START).total_seconds(),
        )
        if image.state is None:
            self._become("enabling", USER_INITIATED)
            self._plan_preparation()

    @property
    def image(self) -> FastLaunchImage:
        """How EC2 answers it now, without what it leaves out."""
        left_out: dict[str, Any] = dict.fromkeys(self._ec2.left_out.get(self._image.image_id, ()))
        return replace(self._image, **left_out)

    @property
    def _pace(self) -> Pace:
        pace: Pace = self._ec2.pace
        return pace

    def enable_again(self, image: FastLaunchImage) -> None:
        """Take other settings; a failed one starts over."""
        before = self._image
        self._image = replace(
            image,
            state=before.state,
            state_transition_reason=before.state_transition_reason,
            state_transition_time=before.state_transition_time,
        )
        self.pool.advance(self._now())
        self.pool.resize(image.target_resource_count or 0, image.max_parallel_launches or 1)
        self._give_up(len(self.snapshots) - self.pool.stock)
        state = "enabled" if self._was_enabled else "enabling"
        if state != before.state:
            self._become(state, USER_INITIATED)
        else:
            self._tell(is_transition=False)
        self._plan_preparation()

    def disable(self, *, force: bool) -> None:
        """Begin to clean up."""
        self.pool.stop()
        self._become("disabling", USER_INITIATED)
        self._at(CLOCK.now() + self._pace.clean_up, lambda: self._clean_up(force=force))

    def take(self) -> bool:
        """Launch an instance: take a snapshot from the pool, and say whether there was one."""
        self.pool.advance(self._now())
        taken = self.pool.take()
        if taken:
            self._give_up(1)
            self._plan_preparation()
        return taken

    # --- what happens by itself -------------------------------------------------------

    def _plan_preparation(self) -> None:
        self._plan += 1
        due = self.pool.next_due
        if due is not None:
            self._at(START + timedelta(seconds=due), lambda: self._prepared(due))

    def _prepared(self, due: float) -> None:
        """One or more preparation instances have come to their end."""
        reason = self._pace.broken_preparation.pop(self._image.image_id, None)
        if reason is not None:
            self.pool.stop()
            self._become("enabled-failed" if self._was_enabled else "enabling-failed", reason)
            return
        for _ in self.pool.advance(due):
            self._add_snapshot()
        if self._image.state == "enabling":
            self._was_enabled = True
            self._become("enabled", self._image.state_transition_reason)
        self._plan_preparation()

    def _clean_up(self, *, force: bool) -> None:
        reason = self._pace.broken_clean_up.pop(self._image.image_id, None)
        if reason is not None and not force:
            self._become("disabling-failed", reason)
            return
        self._give_up(len(self.snapshots))
        self._forget(self._image.image_id)
        self._become(GONE, self._image.state_transition_reason)

    # --- its parts --------------------------------------------------------------------

    def _now(self) -> float:
        return max(self.pool.now, (CLOCK.now() - START).total_seconds())

    def _at(self, when: datetime, action: Callable[[], None]) -> None:
        """Have something done at a time, unless something else is planned before."""
        self._plan += 1
        plan = self._plan
        CLOCK.at(when, lambda: action() if plan == self._plan else None)

    def _become(self, state: str, reason: str | None) -> None:
        now = CLOCK.now()
        self._plan += 1
        self._image = replace(
            self._image,
            state=state,
            state_transition_reason=reason,
            state_transition_time=now.replace(microsecond=now.microsecond // 1000 * 1000),
        )
        self._tell(is_transition=True)

    def _tell(self, *, is_transition: bool) -> None:
        place = (self._ec2.account_id, self._ec2.region_name)
        JOURNAL.append(Change(CLOCK.now(), *place, self.image, is_transition))

    def _add_snapshot(self) -> None:
        """Make a snapshot of moto's, with the tags and the description that AWS documents."""
        volume = self._ec2.create_volume(ROOT_GIB, f"{self._ec2.region_name}a")
        description = DESCRIPTION.format(image_id=self._image.image_id)
        snapshot = self._ec2.create_snapshot(volume.id, description, self._ec2.account_id)
        del self._ec2.volumes[volume.id]  # it went with the preparation instance
        snapshot.start_time = CLOCK.now().replace(tzinfo=None)  # moto's own is the wall clock's
        snapshot.add_tags(self._tags())
        self.snapshots.append(snapshot.id)

    def _tags(self) -> dict[str, str]:
        tags = {
            "CreatedBy": "EC2 Fast Launch",
            "CreatedByLaunchTemplateVersion": self._image.launch_template_version,
            "CreatedByLaunchTemplateName": self._image.launch_template_name,
        }
        if self._image.launch_template_name is None:
            tags["CreatedByLaunchTemplateId"] = self._image.launch_template_id
        return {name: value for name, value in tags.items() if value is not None}

    def _give_up(self, count: int) -> None:
        for snapshot_id in self.snapshots[: max(0, count)]:
            self._ec2.snapshots.pop(snapshot_id, None)  # a user may have deleted it
        del self.snapshots[: max(0, count)]
