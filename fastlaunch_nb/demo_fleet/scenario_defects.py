"""The defects of the demo fleet: launches, and one image or region for each rule of findings.

Two weeks of launches, most of them ordinary. The seed decides which images and which region
have a defect. Defects change what DescribeFastLaunchImages answers only in the settings of
the drifted image and in the instance ids in reasons.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ids import draw_id
from fastlaunch_nb.emulator.moto_extension import get_backend

_PERIOD = timedelta(days=14)
_RUSH_HOUR = timedelta(hours=8)  # the time of day at which the rush begins
_DRIFTED_SETTINGS = {"target_resource_count": 150, "max_parallel_launches": 6}
_RAISED_QUOTA = 200  # of parallel launches, in all account regions but one
_STARVED_FOR = timedelta(hours=6)  # how long one image is launched faster than refilled
_SLOW_REFILL = timedelta(minutes=25)  # its preparation time since then
_LEFT = 7  # the snapshots that it has left now, or a few less
_LIMITS = ("target_resource_count", "max_parallel_launches")  # of instances at work at once
_ORPHANED_IN = ("111122223333", "us-east-1")

ScheduledAction: TypeAlias = tuple[datetime, Callable[[], Any]]
"""A time and the action to run then."""


class DefectAssignment:
    """An assignment of defects to images; it follows from the seed.

    Each attribute is the id of an image. These were enabled long ago:

    - `rushed` is launched all at once each weekday, more often than its pool holds
    - `starved` is below its target because it is launched faster than it is refilled
    - `unused` is never launched
    - `bypassed` is launched with volumes that bypass its pool
    - the AMIs of `gone` and `deprecated` are deregistered or deprecated
    - `drifted` has other settings than in the other regions

    These are only enabled; see ``scenario_surroundings``:

    - `floating` names the version ``$Latest`` of a launch template, which has become forbidden;
      the images of its name in other regions name it too
    - the template of `tokenless` does not require IMDSv2, which its account enforces
    - the key of `encrypted` is disabled
    - `threatened` has an Auto Scaling group that will bypass its pool
    - `succeeded` has a newer AMI of its family, without Fast Launch
    - `intended` has another target than Image Builder's configuration intends
    - snapshots of `tampered` were deleted by hand, which CloudWatch's stock does not show
    """

    def __init__(self, stories: Sequence[Any], now: datetime) -> None:
        long_ago = now - _PERIOD - timedelta(days=2)
        enabled = [story for story in stories if story.state == "enabled"]
        candidates = [
            story
            for story in enabled
            if story.since < long_ago and story.owner_id == story.account_id
        ]
        candidates.sort(key=lambda it: (it.settings["target_resource_count"], it.image_id))
        counts = Counter((story.account_id, story.name) for story in enabled)
        drifted = next(it for it in reversed(candidates) if counts[it.account_id, it.name] > 1)
        ids = [story.image_id for story in candidates if story is not drifted]
        self.drifted = drifted.image_id
        self.rushed, self.unused, self.gone, self.deprecated = ids[:4]
        self.starved, self.bypassed = ids[:-3:-1]
        self._assign_surroundings(stories)

    def _assign_surroundings(self, stories: Sequence[Any]) -> None:
        used = set(vars(self).values())
        free = [
            story
            for story in stories
            if story.state == "enabled"
            and story.owner_id == story.account_id
            and story.image_id not in used
        ]
        floating = next(story for story in free if "launch_template" in story.settings)
        self.floating = floating.image_id
        self.floating_name = floating.account_id, floating.name
        others = [story for story in free if (story.account_id, story.name) != self.floating_name]
        tokenless = next(story for story in others if _has_own_version(story, stories))
        self.tokenless = tokenless.image_id
        rest = [story.image_id for story in others if story is not tokenless]
        self.encrypted, self.threatened, self.succeeded, self.intended, self.tampered = rest[:5]

    @property
    def visible(self) -> tuple[str, ...]:
        """The images whose settings have to be in EC2's answers."""
        return self.drifted, self.floating, self.tokenless, self.intended


def _has_own_version(story: Any, stories: Sequence[Any]) -> bool:
    """Return True if no other image of its account and region uses its launch template's version.

    That of the latest version may become one that others use by ``$Latest``.
    """
    template = story.settings.get("launch_template")
    users = [
        other
        for other in stories
        if (other.account_id, other.region) == (story.account_id, story.region)
        and other.settings.get("launch_template") == template
    ]
    return template is not None and template["Version"] != "9" and users == [story]


def settings_of(story: Any, assignment: DefectAssignment) -> dict[str, Any]:
    """Return an image's settings; those of the drifted image differ, and are slow to fill."""
    changes: dict[str, Any] = {}
    if story.image_id == assignment.drifted:
        changes = _DRIFTED_SETTINGS
    elif (story.account_id, story.name) == assignment.floating_name:
        template = {**story.settings["launch_template"], "Version": "$Latest"}
        changes = {"launch_template": template}
    return {**story.settings, **changes}


def schedule_defects(
    stories: Sequence[Any], assignment: DefectAssignment, now: datetime, seed: int
) -> None:
    """Schedule launches and defects on the emulator's clock."""
    for number, story in enumerate(stories):
        ec2 = get_backend(story.account_id, story.region)
        if story.image_id in assignment.visible:
            ec2.omitted_fields.pop(story.image_id, None)
        # The launches follow from this text, so it must not change.
        rng = random.Random(f"launches of the demo, {seed}, {number}")
        for when, action in _plan_launches(ec2, story, assignment, now, rng):
            CLOCK.at(when, action)
    image_id = draw_id("ami", random.Random(seed))
    for when, action in _plan_orphan(now, image_id):
        CLOCK.at(when, action)
    for account_region in _rank_account_regions(stories)[1:]:
        get_backend(*account_region).parallel_quota = _RAISED_QUOTA


def _rank_account_regions(stories: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the accounts and regions, the one that may prepare the most at once first."""
    parallel: Counter[tuple[str, str]] = Counter()
    for story in stories:
        account_region = story.account_id, story.region
        omitted = get_backend(*account_region).omitted_fields.get(story.image_id, ())
        limits = [story.settings[name] for name in _LIMITS]
        if story.state in ("enabled", "enabling") and not set(omitted) & set(_LIMITS):
            parallel[account_region] += min(limits)
    return [account_region for account_region, _ in parallel.most_common()]


def _plan_launches(
    ec2: Any, story: Any, assignment: DefectAssignment, now: datetime, rng: random.Random
) -> Iterator[ScheduledAction]:
    """Yield the launches and the defect of one image."""
    image_id = story.image_id
    if story.state == "enabled" and image_id not in (assignment.unused, assignment.bypassed):
        for day in range(_PERIOD.days):
            when = now - timedelta(days=day, hours=2, minutes=rng.uniform(0, 600))
            if when > story.since + timedelta(days=1):  # when its pool is full
                yield when, partial(_launch, ec2, image_id)
        if rng.random() < 0.2:
            yield now - timedelta(hours=2), partial(_run_instances, ec2, image_id, 2)
    if image_id == assignment.rushed:
        yield from _plan_rushes(ec2, image_id, story.settings["target_resource_count"], now)
    if image_id == assignment.starved:
        yield from _plan_starving(ec2, image_id, story.settings, now)
    if image_id == assignment.bypassed:
        bypass = partial(_run_instances, ec2, image_id, 3, bypasses_pool=True)
        yield now - timedelta(days=5), bypass
    if image_id == assignment.gone:
        yield now - timedelta(hours=1), partial(ec2.deregister_image, image_id)


def _plan_rushes(ec2: Any, image_id: str, target: int, now: datetime) -> Iterator[ScheduledAction]:
    """Yield launches of 1.5 times the pool's target within minutes, each weekday."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (today - timedelta(days=days) for days in range(_PERIOD.days)):
        for number in range(target * 3 // 2 if day.weekday() < 5 else 0):
            when = day + _RUSH_HOUR + timedelta(seconds=20 * number)
            yield when, partial(_launch, ec2, image_id)


def _plan_starving(
    ec2: Any, image_id: str, settings: dict[str, Any], now: datetime
) -> Iterator[ScheduledAction]:
    """Yield launches, evenly spaced, that leave few snapshots of the pool, but never none."""
    begin = now - _STARVED_FOR
    yield begin, partial(ec2.pace.preparation_of.__setitem__, image_id, _SLOW_REFILL)
    refills = settings["max_parallel_launches"] * (_STARVED_FOR / _SLOW_REFILL - 1)
    count = int(refills + settings["target_resource_count"] - _LEFT)
    for number in range(count):
        yield begin + _STARVED_FOR * (number / count), partial(_launch, ec2, image_id)


def _plan_orphan(now: datetime, image_id: str) -> Iterator[ScheduledAction]:
    """Yield the past of an image that is gone, but whose snapshots remain."""
    ec2 = get_backend(*_ORPHANED_IN)
    name = {"name": "win2019-legacy-lobby-2025.05", "owner_id": _ORPHANED_IN[0]}
    begin = now - timedelta(days=50)
    yield begin, partial(ec2.add_windows_image, image_id, **name)
    yield begin, partial(ec2.enable_fast_launch, image_id, target_resource_count=3)
    yield begin + timedelta(days=9), partial(ec2.abandon, image_id)
    yield begin + timedelta(days=9), partial(ec2.deregister_image, image_id)


# --- actions --------------------------------------------------------------------------


def _launch(ec2: Any, image_id: str) -> None:
    """Launch an instance that no longer exists now."""
    lifecycle = ec2.find_pool_lifecycle(image_id)
    if lifecycle:
        lifecycle.launch()
        if image_id in ec2.amis:  # not those that another account shares
            ec2.amis[image_id].record_launch()


def _run_instances(ec2: Any, image_id: str, count: int, *, bypasses_pool: bool = False) -> None:
    """Run instances, optionally with block device mappings, which bypass the pool."""
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80, "DeleteOnTermination": True}}
    mappings = {"block_device_mappings": [disk]} if bypasses_pool else {}
    kind = {"instance_type": "m7i.large", "is_instance_type_default": False}
    ec2.run_instances(image_id, count, None, [], **kind, **mappings)
