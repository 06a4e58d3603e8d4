"""What is wrong with the demo fleet besides its failures: each finding has something to find.

Two weeks of launches, most of them in order, and one image or place for each thing
that is not: which one follows from the seed. What DescribeFastLaunchImages answers
is the same with them as without, but for the settings of the one that drifts, and
for the ids of instances in reasons.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

_WEEKS = timedelta(days=14)
_RUSH = timedelta(hours=8)  # when the day begins for those who launch all at once
_DRIFTED = {"target_resource_count": 60, "max_parallel_launches": 6}
_FORBIDDEN = {"DisableApiTermination": True, "InstanceMarketOptions": {"MarketType": "spot"}}
_FORBIDDEN_IN = ("build-agent", "us-east-1")
_RAISED = 200  # the quota of parallel launches, in all places but one
_HANGS = timedelta(hours=40)  # what preparation takes where it hangs
_ORPHANED = ("111122223333", "us-east-1")

ScheduledAction: TypeAlias = tuple[datetime, Callable[[], Any]]
"""What is done, and when."""


class DefectAssignment:
    """Who plays what, of the images that were enabled long ago; it follows from the seed.

    Attributes
    ----------
    rushed, starved, unused, bypassed, gone, deprecated, drifted : str
        Ids of images: launched all at once each weekday, and more than its pool holds;
        below its target because preparation hangs; never launched; launched beside its
        pool; deregistered; deprecated; with other settings than its siblings.
    """

    def __init__(self, stories: Sequence[Any], now: datetime) -> None:
        long_ago = now - _WEEKS - timedelta(days=2)
        able = [
            story
            for story in stories
            if story.state == "enabled" and story.since < long_ago
            if story.owner_id == story.account_id
        ]
        able.sort(key=lambda it: (it.settings["target_resource_count"], it.image_id))
        alike = Counter(_name(story) for story in stories if story.state == "enabled")
        drifted = next(story for story in reversed(able) if alike[_name(story)] > 1)
        ids = [story.image_id for story in able if story is not drifted]
        self.drifted = drifted.image_id
        self.rushed, self.unused, self.gone, self.deprecated = ids[:4]
        self.starved, self.bypassed = ids[:-3:-1]


def _name(story: Any) -> tuple[str, str]:
    return story.account_id, story.name


def settings_of(story: Any, cast: DefectAssignment) -> dict[str, Any]:
    """Return an image's settings: of one, others than those of its siblings, and slow to fill."""
    settings: dict[str, Any] = story.settings
    return {**settings, **_DRIFTED} if story.image_id == cast.drifted else settings


def template_data(name: str, region: str) -> dict[str, Any]:
    """Return what a launch template says: in one region, what Fast Launch does not allow."""
    return _FORBIDDEN if (name, region) == _FORBIDDEN_IN else {}


def plan(
    emulator: Any, stories: Sequence[Any], cast: DefectAssignment, now: datetime, seed: int
) -> None:
    """Put launches and defects into the clock of the embedded EC2."""
    for number, story in enumerate(stories):
        ec2 = emulator.backend(story.account_id, story.region)
        if story.image_id == cast.drifted:
            ec2.left_out.pop(story.image_id, None)  # or nobody would see that it has
        rng = random.Random(f"launches of the demo, {seed}, {number}")
        for when, do in _course(ec2, story, cast, now, rng):
            emulator.CLOCK.at(when, do)
    for when, do in _orphan(emulator, now, f"ami-{random.Random(seed).getrandbits(68):017x}"):
        emulator.CLOCK.at(when, do)
    for place in _places(emulator, stories)[1:]:
        emulator.backend(*place).parallel_quota = _RAISED


def _places(emulator: Any, stories: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the places, that first whose images tell of the most parallel launches."""
    asked: Counter[tuple[str, str]] = Counter()
    for story in stories:
        place = story.account_id, story.region
        untold = emulator.backend(*place).left_out.get(story.image_id, ())
        if story.state == "enabled" and "max_parallel_launches" not in untold:
            asked[place] += story.settings["max_parallel_launches"]
    return [place for place, _ in asked.most_common()]


def _course(
    ec2: Any, story: Any, cast: DefectAssignment, now: datetime, rng: random.Random
) -> Iterator[ScheduledAction]:
    """Yield what happens to one image."""
    image_id = story.image_id
    if story.state == "enabled" and image_id not in (cast.unused, cast.bypassed):
        for day in range(_WEEKS.days):
            when = now - timedelta(days=day, hours=2, minutes=rng.uniform(0, 600))
            if when > story.since + timedelta(days=1):  # its pool is full by then
                yield when, partial(_launch, ec2, image_id)
        if rng.random() < 0.2:
            yield now - timedelta(hours=2), partial(_run, ec2, image_id, 2)
    if image_id == cast.rushed:
        yield from _rushes(ec2, image_id, story.settings["target_resource_count"], now)
    if image_id == cast.starved:
        yield now - timedelta(hours=30), partial(_starve, ec2, image_id)
    if image_id == cast.bypassed:
        yield now - timedelta(days=5), partial(_run, ec2, image_id, 3, beside=True)
    if image_id == cast.gone:
        yield now - timedelta(hours=1), partial(ec2.deregister, image_id)


def _rushes(ec2: Any, image_id: str, target: int, now: datetime) -> Iterator[ScheduledAction]:
    """Yield launches half as many again as the pool holds, within minutes, each weekday."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (today - timedelta(days=back) for back in range(_WEEKS.days)):
        for number in range(target * 3 // 2 if day.weekday() < 5 else 0):
            yield day + _RUSH + timedelta(seconds=20 * number), partial(_launch, ec2, image_id)


def _orphan(emulator: Any, now: datetime, image_id: str) -> Iterator[ScheduledAction]:
    """Yield how an image came to go, and its snapshots to stay."""
    ec2 = emulator.backend(*_ORPHANED)
    name = {"name": "win2019-legacy-lobby-2025.05", "owner_id": _ORPHANED[0]}
    begin = now - timedelta(days=50)
    yield begin, partial(ec2.add_windows_image, image_id, **name)
    yield begin, partial(ec2.enable_fast_launch, image_id, target_resource_count=3)
    yield begin + timedelta(days=9), partial(ec2.abandon, image_id)
    yield begin + timedelta(days=9), partial(ec2.deregister, image_id)


# --- what is done ---------------------------------------------------------------------


def _launch(ec2: Any, image_id: str) -> None:
    """Launch an instance that is gone by now."""
    life = ec2.life_for_launches(image_id)
    if life:
        life.launch()


def _run(ec2: Any, image_id: str, count: int, *, beside: bool = False) -> None:
    """Run instances: with volumes of their own, beside the pool, or as they come."""
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80, "DeleteOnTermination": True}}
    given = {"block_device_mappings": [disk]} if beside else {}
    kind = {"instance_type": "m7i.large", "is_instance_type_default": False}
    ec2.run_instances(image_id, count, None, [], **kind, **given)


def _starve(ec2: Any, image_id: str) -> None:
    """Launch some, while preparation hangs: of no other image, as nothing else begins now."""
    usual, ec2.pace.preparation = ec2.pace.preparation, _HANGS
    for _ in range(5):
        _launch(ec2, image_id)
    ec2.pace.preparation = usual
