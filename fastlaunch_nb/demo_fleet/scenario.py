"""The demo fleet's story: who asks what of the embedded EC2 and when, and what breaks.

The embedded EC2 lives through it, so that the fleet is what came of it, and so
that its journal knows how.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from fastlaunch_nb.demo_fleet import scenario_defects

ACCOUNTS = {"123456789012": "build-farm", "111122223333": "game-servers"}
_WITHOUT_IMAGES = {"444455556666": "sandbox", "777788889999": "retired"}
_SUSPENDED = "777788889999"
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")

_FAMILIES = {  # account name: what its images are for, each with its launch template
    "build-farm": {
        "win2022-base": None,
        "win2025-base": None,
        "win2022-vs2022-agent": "build-agent",
        "win2022-gitlab-runner": "gitlab-runner",
    },
    "game-servers": {
        "win2022-game-server": "game-server",
        "win2025-game-server": "game-server",
        "win2019-legacy-lobby": None,
    },
}
_RELEASES = ("2025.11", "2026.01")
_STATES = (  # how many images are in each state
    *["enabled"] * 28,
    *["enabling"] * 3,
    *["enabled-failed"] * 3,
    *["enabling-failed"] * 3,
    *["disabling"] * 3,
    *["disabling-failed"] * 2,
)
_HOURS_AGO = {  # how long ago an image may have got into its state
    "enabled": (30, 1200),
    "enabling": (0.05, 0.45),
    "enabled-failed": (5, 90),
    "enabling-failed": (2, 300),
    "disabling": (0.02, 0.15),
    "disabling-failed": (20, 200),
}
_VERSIONS = 9  # of each launch template
_PREPARATION, _CLEAN_UP = timedelta(minutes=30), timedelta(minutes=10)
_SLOW = timedelta(hours=14)  # what preparation took the image that was enabled last
_STUCK = timedelta(hours=9)  # since when the image is enabling that has been for longest
_DEPRECATED = timedelta(days=10)  # since when the image is that has outlived its AMI
_BEFORE = timedelta(days=60)  # when the fleet's story begins, before now
_SHARED = ("us-east-1", "win2025-game-server-2026.01")  # build-farm's, shared with game-servers
_RETIRED = "win2019-legacy-lobby-2025.09"  # was disabled within the last week


@dataclass(frozen=True)
class _Story:
    """One image: its settings, and the state it has come to at a time."""

    account_id: str
    region: str
    name: str
    image_id: str
    settings: dict[str, Any]
    state: str
    since: datetime
    preparation: timedelta = _PREPARATION

    @property
    def owner_id(self) -> str:
        """The account that made the AMI: all but one are the account's own."""
        return next(iter(ACCOUNTS)) if (self.region, self.name) == _SHARED else self.account_id


def populate(emulator: Any, seed: int) -> int:
    """Have the embedded EC2 live through the fleet's story; return how many images it has now."""
    emulator.forget_everything(seed)
    clock, now = emulator.CLOCK, emulator.CLOCK.now()
    clock.reset(now - _BEFORE)
    _organize(emulator)
    rng = random.Random(seed)
    fleet = _slowed(_agreed([*_fleet(rng, now), *_retired(rng, now)]), now)
    cast = scenario_defects.DefectAssignment(fleet, now)
    fleet = [replace(story, settings=scenario_defects.settings_of(story, cast)) for story in fleet]
    for story in fleet:
        old = now - _DEPRECATED if story.image_id == cast.deprecated else None
        _provide(emulator, story, old)
        _tell(emulator, story, rng)
    scenario_defects.plan(emulator, fleet, cast, now, seed)
    clock.advance(seconds=_BEFORE.total_seconds())
    return sum(story.state != emulator.GONE for story in fleet)


def _organize(emulator: Any) -> None:
    """Make the organization: what is at work, and what is not."""

    def unit(name: str, accounts: dict[str, str]) -> Any:
        members = (
            emulator.Account(*account, account[0] != _SUSPENDED) for account in accounts.items()
        )
        return emulator.Unit(name, tuple(members))

    units = unit("Production", ACCOUNTS), unit("Sandbox", _WITHOUT_IMAGES)
    emulator.organize(emulator.Unit("Root", units=units))


def _fleet(rng: random.Random, now: datetime) -> Iterator[_Story]:
    """Yield the story of every family, release and region."""
    states = list(_STATES)
    rng.shuffle(states)
    for account_id, account in ACCOUNTS.items():
        for family, template in _FAMILIES[account].items():
            for release, region in product(_RELEASES, REGIONS):
                state = states.pop()
                yield _Story(
                    account_id,
                    region,
                    f"{family}-{release}",
                    f"ami-{rng.getrandbits(68):017x}",
                    _settings(rng, template),
                    state,
                    _moment(now - timedelta(hours=rng.uniform(*_HOURS_AGO[state]))),
                )


def _retired(rng: random.Random, now: datetime) -> Iterator[_Story]:
    """Yield images that are gone, each since another day of the last week."""
    for day, region in enumerate(REGIONS, 2):
        since = _moment(now - timedelta(days=day, hours=rng.uniform(0, 8)))
        image_id = f"ami-{rng.getrandbits(68):017x}"
        settings = _settings(rng, None)
        yield _Story("111122223333", region, _RETIRED, image_id, settings, "disabled", since)


def _agreed(fleet: list[_Story]) -> list[_Story]:
    """Return the stories with the same settings for the same name, in all of its regions."""
    first = {(it.account_id, it.name): it.settings for it in reversed(fleet)}
    return [replace(it, settings=first[it.account_id, it.name]) for it in fleet]


def _slowed(fleet: list[_Story], now: datetime) -> list[_Story]:
    """Return the stories; preparation is slow for the image enabled last, and for one stuck."""
    last = max((it for it in fleet if it.state == "enabled"), key=lambda it: it.since)
    stuck = min((it for it in fleet if it.state == "enabling"), key=lambda it: it.since)
    slow = {
        last.image_id: replace(last, preparation=_SLOW),
        stuck.image_id: replace(stuck, preparation=_SLOW, since=_moment(now - _STUCK)),
    }
    return [slow.get(it.image_id, it) for it in fleet]


def _settings(rng: random.Random, template: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "target_resource_count": rng.choice((5, 5, 10, 20, 40)),
        "max_parallel_launches": rng.choice((6, 6, 6, 10, 20)),
    }
    if template:
        version = str(rng.randint(1, _VERSIONS))
        settings["launch_template"] = {"LaunchTemplateName": template, "Version": version}
    return settings


def _moment(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)  # as fine as EC2 tells


def _provide(emulator: Any, story: _Story, deprecated: datetime | None) -> None:
    """Put there what an image needs: the AMI, and the launch template with all its versions."""
    ec2 = emulator.backend(story.account_id, story.region)
    template = story.settings.get("launch_template", {}).get("LaunchTemplateName")
    if template and template not in ec2.launch_template_name_to_ids:
        data = scenario_defects.template_data(template, story.region)
        ec2.add_launch_template(template, _VERSIONS, data)
    emulator.backend(story.owner_id, story.region).add_windows_image(
        story.image_id,
        name=story.name,
        owner_id=story.owner_id,
        shared_with={story.account_id} - {story.owner_id},
        deprecation_time=deprecated,
    )


def _tell(emulator: Any, story: _Story, rng: random.Random) -> None:
    """Put a story into the clock of the embedded EC2: what somebody asks, and what breaks."""
    ec2 = emulator.backend(story.account_id, story.region)
    image_id, since = story.image_id, story.since
    if rng.random() < 0.2:
        ec2.left_out[image_id] = rng.choice(_GAPS)

    def enable(target: int | None = None) -> None:
        wanted = target or story.settings["target_resource_count"]
        ec2.pace.preparation = story.preparation  # for what begins now, so for this image only
        ec2.enable_fast_launch(image_id, **{**story.settings, "target_resource_count": wanted})
        ec2.pace.preparation = _PREPARATION

    def enable_in_vain() -> None:
        ec2.break_preparation(image_id)
        enable()

    def disable() -> None:
        ec2.disable_fast_launch(image_id)

    def disable_in_vain() -> None:
        ec2.break_clean_up(image_id)
        disable()

    def deregister() -> None:
        del ec2.amis[image_id]

    long_before = since - timedelta(days=rng.uniform(9, 9.5))
    asked = since - story.preparation
    fails_first = rng.random() < 0.3 and story.preparation == _PREPARATION
    first_try = [(asked - timedelta(hours=7), enable_in_vain)] if fails_first else []
    script: dict[str, list[tuple[datetime, Callable[[], None]]]] = {
        "enabling": [(since, enable)],
        "enabled": [*first_try, (asked, enable)],
        "enabling-failed": [(asked, enable_in_vain)],
        "enabled-failed": [(long_before, lambda: enable(2)), (asked, enable_in_vain)],
        "disabling": [(long_before, enable), (since, disable)],
        "disabling-failed": [(long_before, enable), (since - _CLEAN_UP, disable_in_vain)],
        "disabled": [(long_before, enable), (since - _CLEAN_UP, disable), (since, deregister)],
    }
    for when, action in script[story.state]:
        emulator.CLOCK.at(when, action)


_GAPS: tuple[tuple[str, ...], ...] = (  # EC2 leaves a field out now and then: any may be missing
    (),
    ("target_resource_count",),
    ("max_parallel_launches",),
    ("state_transition_reason",),
)
