"""The life of Fast Launch for one image: enabled, prepared, filled, failed, disabled, gone.

Documented moves (EC2 User Guide, "Monitor EC2 Fast Launch"): enabling to enabled
or enabling-failed, enabled to enabled-failed, disabling to disabled or
disabling-failed. Each happens at its own time on the virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from moto.ec2.models.elastic_block_store import Snapshot, Volume

from fastlaunch_nb.emulator.assumptions import CLEAN_UP_TIME, COLD_WHILE, ROOT_GIB
from fastlaunch_nb.emulator.change_log import GONE, JOURNAL, Change
from fastlaunch_nb.emulator.clock import CLOCK, START
from fastlaunch_nb.emulator.ids import IDS
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.metric_samples import PoolRecorder
from fastlaunch_nb.pool.model import Pool

PREPARATION_TIME = timedelta(minutes=30)
"""What the EC2 User Guide names for a preparation instance."""
USER_INITIATED = "Client.UserInitiated"
UNABLE_TO_STOP = "Unable to stop instance ID={instance_id} for snapshot creation."
DESCRIPTION = "This is Fast Launch snapshot for image {image_id}"


@dataclass
class Timing:
    """How long things take, and what breaks, in one account and region.

    Attributes
    ----------
    preparation : timedelta
        What a preparation instance takes, above 0. Another value is for those that
        begin from then on, of images that are enabled already too.
    clean_up : timedelta
        From disabling to disabled, 0 or more, for images that are disabled from then on.
    broken_preparation, broken_clean_up : dict
        Image id to the reason why its next preparation, or its clean-up, fails.

    Raises
    ------
    ValueError
        A time is set that can not be.
    """

    preparation: timedelta = PREPARATION_TIME
    clean_up: timedelta = CLEAN_UP_TIME
    broken_preparation: dict[str, str] = field(default_factory=dict)
    broken_clean_up: dict[str, str] = field(default_factory=dict)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "preparation" and not value > timedelta():
            raise ValueError(f"preparation is {value!r}. Expected a timedelta above 0.")
        if name == "clean_up" and not value >= timedelta():
            raise ValueError(f"clean_up is {value!r}. Expected a timedelta of 0 or more.")
        super().__setattr__(name, value)


class FastLaunchLifecycle:
    """Fast Launch for one image: going on from the state that it is in, or beginning.

    Attributes
    ----------
    pool : Pool
        Its snapshots, in seconds since :data:`START`.
    snapshots : list of str
        Ids of those snapshots that are real ones of moto, oldest first. Those that are
        only numbers, as an image was put there with them, are older.
    """

    def __init__(self, ec2: Any, image: FastLaunchImage) -> None:
        self.snapshots: list[str] = []
        self._image = image
        self._ec2 = ec2
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
        if image.state not in (None, "enabling", "enabled"):
            self.pool.stop()  # nothing is prepared after a failure, nor for one that goes
        self._meter: PoolRecorder = ec2.meters.setdefault(image.image_id, PoolRecorder())
        self._meter.follow(self.pool)

    @property
    def image(self) -> FastLaunchImage:
        """How EC2 answers it now, without what it leaves out."""
        left_out: dict[str, Any] = dict.fromkeys(self._ec2.left_out.get(self._image.image_id, ()))
        return replace(self._image, **left_out)

    @property
    def _pace(self) -> Timing:
        pace: Timing = self._ec2.pace
        return pace

    def begin(self) -> None:
        """Be enabled for the first time."""
        self._become("enabling", USER_INITIATED)
        self._plan_preparation()

    def enable_again(self, image: FastLaunchImage) -> None:
        """Take other settings; a failed one starts over."""
        self._catch_up()
        before = self._image
        self._image = replace(
            image,
            state=before.state,
            state_transition_reason=before.state_transition_reason,
            state_transition_time=before.state_transition_time,
        )
        self.pool.resize(image.target_resource_count or 0, image.max_parallel_launches or 1)
        self._meter.follow(self.pool)
        self._give_up(len(self.snapshots) - self.pool.stock)
        state = "enabled" if self._was_enabled else "enabling"
        if state != before.state:
            self._become(state, USER_INITIATED)
        else:
            self._tell(is_transition=False)
        self._plan_preparation()

    def disable(self, *, force: bool) -> None:
        """Begin to clean up."""
        self._catch_up()
        self.pool.stop()
        self._meter.follow(self.pool)
        self._become("disabling", USER_INITIATED)
        self._at(CLOCK.now() + self._pace.clean_up, lambda: self._clean_up(force=force))

    @property
    def is_used(self) -> bool:
        """Whether launches take from its pool, or would if anything were in it."""
        return self._image.state not in COLD_WHILE

    def has_snapshot(self) -> bool:
        """Say whether a launch finds a snapshot now."""
        self._catch_up()
        return self.is_used and self.pool.stock > 0

    def take(self) -> bool:
        """Launch an instance: take a snapshot from the pool, and say whether there was one."""
        return self.launch() is not None

    def launch(self) -> str | None:
        """Launch an instance: take the oldest snapshot, and return its id; None: it boots cold.

        One that was only a number gets an id now. In EC2 it is deleted as it is used.
        """
        self._catch_up()
        if not self.is_used:
            return None
        is_real = self.pool.stock <= len(self.snapshots)
        is_fast = self.pool.take()
        self._meter.launched(is_fast=is_fast)
        if not is_fast:
            return None
        snapshot_id = self.snapshots[0] if is_real else IDS.of("snap")
        self._give_up(int(is_real))
        self._meter.follow(self.pool, used=True)
        self._plan_preparation()
        return snapshot_id

    def launch_beside(self) -> None:
        """Launch an instance that says itself what its volumes are: it takes no snapshot."""
        self._catch_up()
        if self.is_used:
            self._meter.launched(is_fast=False)

    def end(self) -> None:
        """Be no more, and leave no snapshot."""
        self._give_up(len(self.snapshots))
        self._meter.end()

    # --- what happens by itself -------------------------------------------------------

    def _plan_preparation(self) -> None:
        self._plan += 1
        when = self._next_due()
        if when is not None:
            self._at(when, self._catch_up)

    def _next_due(self) -> datetime | None:
        """When the next preparation instance comes to its end, as fine as the clock tells."""
        due = self.pool.next_due
        return None if due is None else START + timedelta(seconds=due)

    def _catch_up(self) -> None:
        """Bring it up to now.

        Who asks may come at the very time at which something is due, and before the
        clock gets to it.
        """
        self.pool.fill_time = self._pace.preparation.total_seconds()
        while (when := self._next_due()) is not None and when <= CLOCK.now():
            self._prepared()
        self.pool.advance(max(self.pool.now, (CLOCK.now() - START).total_seconds()))

    def _prepared(self) -> None:
        """One or more preparation instances have come to their end."""
        reason = self._pace.broken_preparation.pop(self._image.image_id, None)
        if reason is not None:
            self.pool.stop()
            self._meter.follow(self.pool)
            self._become("enabled-failed" if self._was_enabled else "enabling-failed", reason)
            return
        arrived = self.pool.advance(self.pool.next_due or self.pool.now)
        for _ in arrived:
            self._add_snapshot()
        self._meter.follow(self.pool, arrived=len(arrived))
        if self._image.state == "enabling":
            self._was_enabled = True
            self._become("enabled", self._image.state_transition_reason)
        self._plan_preparation()

    def _clean_up(self, *, force: bool) -> None:
        reason = self._pace.broken_clean_up.pop(self._image.image_id, None)
        if reason is not None and not force:
            self._become("disabling-failed", reason)
            return
        self.end()
        self._become(GONE, self._image.state_transition_reason)

    # --- its parts --------------------------------------------------------------------

    def _at(self, when: datetime, action: Callable[[], None]) -> None:
        """Have something done at a time, unless something else is planned before, or a reset."""
        self._plan += 1
        plan, image_id, ec2 = self._plan, self._image.image_id, self._ec2

        def act() -> None:
            if plan == self._plan and ec2.lives.get(image_id) is self:
                action()

        CLOCK.at(when, act)

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
        """Have the change seen, by who describes the image and who listens to events."""
        if self._image.state == GONE:
            self._ec2.forget(self._image.image_id)
        else:
            self._ec2.shelf.put(self.image)
        place = (self._ec2.account_id, self._ec2.region_name)
        JOURNAL.append(Change(CLOCK.now(), *place, self.image, is_transition))

    def _add_snapshot(self) -> None:
        """Make a snapshot of moto's, with the tags and the description that AWS documents."""
        volume = Volume(self._ec2, IDS.of("vol"), ROOT_GIB, None)  # type: ignore[abstract]
        description = DESCRIPTION.format(image_id=self._image.image_id)
        snapshot = Snapshot(self._ec2, IDS.of("snap"), volume, description)
        snapshot.start_time = CLOCK.now().replace(tzinfo=None)  # moto's own is the wall clock's
        snapshot.add_tags(self._tags())
        self._ec2.snapshots[snapshot.id] = snapshot
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
