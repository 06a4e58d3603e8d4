"""The lifecycle of Fast Launch for one image, from enabling to disabled.

Documented transitions (EC2 User Guide, "Monitor EC2 Fast Launch"): enabling to enabled
or enabling-failed, enabled to enabled-failed, disabling to disabled or
disabling-failed. Each happens at its own time on the virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.ec2.models.elastic_block_store import Snapshot

from fastlaunch_nb.emulator.assumptions import (
    CLEAN_UP_TIME,
    FULL_SNAPSHOT_BYTES,
    ROOT_VOLUME_GIB,
    STATES_WITHOUT_POOL,
)
from fastlaunch_nb.emulator.change_log import DISABLED
from fastlaunch_nb.emulator.clock import CLOCK, START, to_milliseconds
from fastlaunch_nb.emulator.ids import IDS
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.metric_samples import PoolRecorder
from fastlaunch_nb.emulator.preparation_pool import PreparationPool
from fastlaunch_nb.pool.fill_time import DEFAULT_FILL_TIME

USER_INITIATED = "Client.UserInitiated"


@dataclass
class Timing:
    """Durations, and failures to inject, in one account and region.

    Attributes
    ----------
    preparation : timedelta
        The duration of a preparation instance, above 0. A new value applies to instances
        that start from then on, also for images that are already enabled. Instances that
        take longer than EC2's limit hang: the image fails at the limit.
    preparation_of : dict
        Image id to the duration of its own preparation instances, if it differs.
    clean_up : timedelta
        The time from disabling to disabled, 0 or more, for images disabled from then on.
    broken_preparation : dict
        Image id to the reason with which it fails when EC2 gives up at the limit, and to the
        number of preparation instances that hang of those that start next.
    broken_clean_up : dict
        Image id to the reason with which its next clean-up fails.

    Raises
    ------
    ValueError
        If a duration is out of range.
    """

    preparation: timedelta = timedelta(seconds=DEFAULT_FILL_TIME)
    preparation_of: dict[str, timedelta] = field(default_factory=dict)
    clean_up: timedelta = CLEAN_UP_TIME
    broken_preparation: dict[str, tuple[str, float]] = field(default_factory=dict)
    broken_clean_up: dict[str, str] = field(default_factory=dict)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "preparation" and not value > timedelta():
            raise ValueError(f"preparation is {value!r}. Expected a timedelta above 0.")
        if name == "clean_up" and not value >= timedelta():
            raise ValueError(f"clean_up is {value!r}. Expected a timedelta of 0 or more.")
        super().__setattr__(name, value)

    def preparation_seconds(self, image_id: str) -> float:
        """Return the duration of a preparation instance of an image, in seconds."""
        return self.preparation_of.get(image_id, self.preparation).total_seconds()


def describe_stop_failure() -> str:
    """Return the reason of a failure that EC2 documents, with an instance id of its own."""
    return f"Unable to stop instance ID={IDS.make_id('i')} for snapshot creation."


class FastLaunchLifecycle:
    """Fast Launch for one image, from its present state on or from the start.

    Attributes
    ----------
    pool : PreparationPool
        Its snapshots over time, in seconds since :data:`START`.
    snapshots : list of str
        Ids of the snapshots that exist in moto, oldest first. Snapshots that are only
        numbers, of an image that was added with Fast Launch, are older.
    """

    def __init__(self, ec2: Any, image: FastLaunchImage) -> None:
        self.snapshots: list[str] = []
        self._image = image
        self._ec2 = ec2
        self._timing: Timing = ec2.pace
        self._was_enabled = image.state not in (None, "enabling", "enabling-failed")
        self._plan = 0  # the number of the latest plan: all earlier plans are void
        self._failure: str | None = None  # the reason if EC2 gives up
        target = image.target_resource_count or 0
        self.pool = PreparationPool(
            target,
            image.max_parallel_launches or 1,
            self._timing.preparation_seconds(image.image_id),
            stock=target if self._was_enabled else 0,
            now=(CLOCK.now() - START).total_seconds(),
            hanging=self._take_broken(),
        )
        if image.state not in (None, "enabling", "enabled"):
            self.pool.stop()  # failed and disabling images prepare nothing
        self._recorder: PoolRecorder = ec2.meters.setdefault(image.image_id, PoolRecorder())
        self._recorder.record_pool(self.pool)

    @property
    def image(self) -> FastLaunchImage:
        """The image as EC2 answers it now, without the fields that answers omit."""
        names = self._ec2.omitted_fields.get(self._image.image_id, ())
        omitted: dict[str, Any] = dict.fromkeys(names)
        return replace(self._image, **omitted)

    def enable(self, image: FastLaunchImage) -> None:
        """Enable the image with these settings, or change them; start again if it failed."""
        self._catch_up()
        previous = self._image
        self._image = replace(
            image,
            state=previous.state,
            state_transition_reason=previous.state_transition_reason,
            state_transition_time=previous.state_transition_time,
        )
        self.pool.resize(image.target_resource_count or 0, image.max_parallel_launches or 1)
        self._recorder.record_pool(self.pool)
        self._delete_snapshots(len(self.snapshots) - self.pool.stock)
        state = "enabled" if self._was_enabled else "enabling"
        if state != previous.state:
            self._change_state(state, USER_INITIATED)
        else:
            self._publish_change()
        self._plan_preparation()

    def disable(self, *, force: bool) -> None:
        """Begin the clean-up."""
        self._catch_up()
        self.pool.stop()
        self._recorder.record_pool(self.pool)
        self._change_state("disabling", USER_INITIATED)
        self._schedule(
            CLOCK.now() + self._timing.clean_up, lambda: self._finish_clean_up(force=force)
        )

    @property
    def serves_launches(self) -> bool:
        """True if launches take snapshots from the pool while it has any."""
        return self._image.state not in STATES_WITHOUT_POOL

    def has_snapshot(self) -> bool:
        """Return True if a launch would take a snapshot now."""
        self._catch_up()
        return self.serves_launches and self.pool.stock > 0

    def launch(self) -> str | None:
        """Launch an instance; return the id of the oldest snapshot, which it takes, or None.

        None means a cold boot. A snapshot that is only a number gets an id now. EC2 deletes
        a snapshot when it is used.
        """
        self._catch_up()
        if not self.serves_launches:
            return None
        exists = self.pool.stock <= len(self.snapshots)
        is_fast = self.pool.take()
        self._recorder.count_launch(is_fast=is_fast)
        if not is_fast:
            return None
        snapshot_id = self.snapshots[0] if exists else IDS.make_id("snap")
        self._delete_snapshots(int(exists))
        self._recorder.record_pool(self.pool, used=True)
        self._plan_preparation()
        return snapshot_id

    def bypass_pool(self) -> None:
        """Launch an instance that defines its own volumes and so takes no snapshot."""
        self._catch_up()
        if self.serves_launches:
            self._recorder.count_launch(is_fast=False)

    def end(self) -> None:
        """End Fast Launch and delete all snapshots."""
        self._delete_snapshots(len(self.snapshots))
        self._recorder.end()

    # --- scheduled events -------------------------------------------------------------

    def _plan_preparation(self) -> None:
        when = self._next_due()
        if when is not None:
            self._schedule(when, self._catch_up)

    def _next_due(self) -> datetime | None:
        """Return when the next preparation instance ends, at the clock's resolution."""
        due = self.pool.next_due
        return None if due is None else START + timedelta(seconds=due)

    def _catch_up(self) -> None:
        """Finish what is due by now.

        A request may come at the very time at which a preparation is due, before the clock
        runs its action.
        """
        self.pool.fill_time = self._timing.preparation_seconds(self._image.image_id)
        self.pool.hanging = self._take_broken() or self.pool.hanging
        while (when := self._next_due()) is not None and when <= CLOCK.now():
            self._finish_preparations()
        self.pool.advance(max(self.pool.now, (CLOCK.now() - START).total_seconds()))

    def _finish_preparations(self) -> None:
        """End the preparation instances that are due next; at the limit, end all of them."""
        if self.pool.fails_next:
            reason, self._failure = self._failure or describe_stop_failure(), None
            self.pool.stop()
            self._recorder.record_pool(self.pool)
            state = "enabled-failed" if self._was_enabled else "enabling-failed"
            self._change_state(state, reason)
            return
        arrived = self.pool.advance(self.pool.next_due or self.pool.now)
        for _ in arrived:
            self._add_snapshot()
        self._recorder.record_pool(self.pool, arrived=len(arrived))
        if self._image.state == "enabling":
            self._was_enabled = True
            self._change_state("enabled", self._image.state_transition_reason)
        self._plan_preparation()

    def _finish_clean_up(self, *, force: bool) -> None:
        reason = self._timing.broken_clean_up.pop(self._image.image_id, None)
        if reason is not None and not force:
            self._change_state("disabling-failed", reason)
            return
        self.end()
        self._change_state(DISABLED, self._image.state_transition_reason)

    # --- helpers ----------------------------------------------------------------------

    def _take_broken(self) -> float:
        """Return the number of instances that are to hang from now on, and keep the reason."""
        broken = self._timing.broken_preparation.pop(self._image.image_id, None)
        if broken is None:
            return 0
        self._failure, count = broken
        return count

    def _schedule(self, when: datetime, action: Callable[[], None]) -> None:
        """Schedule an action; a later plan or a reset cancels it."""
        self._plan += 1
        plan, image_id, ec2 = self._plan, self._image.image_id, self._ec2

        def run_if_current() -> None:
            if plan == self._plan and ec2.lives.get(image_id) is self:
                action()

        CLOCK.at(when, run_if_current)

    def _change_state(self, state: str, reason: str | None) -> None:
        self._image = replace(
            self._image,
            state=state,
            state_transition_reason=reason,
            state_transition_time=to_milliseconds(CLOCK.now()),
        )
        self._publish_change(is_transition=True)

    def _publish_change(self, *, is_transition: bool = False) -> None:
        """Make the change visible to DescribeFastLaunchImages and in the change log."""
        if self._image.state == DISABLED:
            self._ec2.forget(self._image.image_id)
        else:
            self._ec2.image_index.put(self.image)
        self._ec2.log_change(self.image, is_transition=is_transition)

    def _add_snapshot(self) -> None:
        """Create a snapshot in moto, with the tags and the description that AWS documents."""
        image = self._image
        tags = {
            "CreatedBy": "EC2 Fast Launch",
            "CreatedByLaunchTemplateVersion": image.launch_template_version,
            "CreatedByLaunchTemplateName": image.launch_template_name,
        }
        if image.launch_template_name is None:
            tags["CreatedByLaunchTemplateId"] = image.launch_template_id
        ami = self._ec2.amis.get(image.image_id)  # None if another account shares it
        volume = SimpleNamespace(id=IDS.make_id("vol"), size=ROOT_VOLUME_GIB)  # deleted by now
        description = f"This is Fast Launch snapshot for image {image.image_id}"
        key_id = ami.ebs_snapshot.kms_key_id if ami else None
        snapshot = Snapshot(self._ec2, IDS.make_id("snap"), volume, description, kms_key_id=key_id)
        snapshot.start_time = CLOCK.now().replace(tzinfo=None)  # moto would use the wall clock
        snapshot.full_snapshot_size_in_bytes = FULL_SNAPSHOT_BYTES  # type: ignore[attr-defined]
        self._ec2.tags[snapshot.id] = {name: tag for name, tag in tags.items() if tag is not None}
        self._ec2.snapshots[snapshot.id] = snapshot
        self.snapshots.append(snapshot.id)

    def _delete_snapshots(self, count: int) -> None:
        for snapshot_id in self.snapshots[: max(0, count)]:
            self._ec2.snapshots.pop(snapshot_id, None)  # a user may have deleted it
            self._ec2.tags.pop(snapshot_id, None)
        del self.snapshots[: max(0, count)]
