"""The scenario of the demo fleet: its images, and the requests and failures of its past.

The emulator runs through the whole scenario, so the state of the fleet follows from it,
and the change log has its history.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product, starmap
from operator import attrgetter
from typing import Any

from fastlaunch_nb.demo_fleet import scenario_defects
from fastlaunch_nb.demo_fleet.account_regions import ACCOUNTS, REGIONS
from fastlaunch_nb.demo_fleet.scenario_surroundings import TEMPLATE_DATA, schedule_surroundings
from fastlaunch_nb.emulator.change_log import DISABLED
from fastlaunch_nb.emulator.clock import CLOCK, to_milliseconds
from fastlaunch_nb.emulator.ids import draw_id
from fastlaunch_nb.emulator.moto_extension import get_backend, reset_emulator
from fastlaunch_nb.emulator.organization import Account, Unit, create_organization
from fastlaunch_nb.emulator.surroundings import add_key
from fastlaunch_nb.pool.fill_time import DEFAULT_FILL_TIME, PREPARATION_LIMIT

_PRODUCTION = Unit("Production", tuple(starmap(Account, ACCOUNTS.items())))
_SANDBOX = Unit(  # accounts without images
    "Sandbox",
    (Account("444455556666", "sandbox"), Account("777788889999", "retired", is_active=False)),
)
_FAMILIES = {  # account name to its families of images, each with its launch template
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
_STATES = (  # one for each image
    *["enabled"] * 28,
    *["enabling"] * 3,
    *["enabled-failed"] * 3,
    *["enabling-failed"] * 3,
    *["disabling"] * 3,
    *["disabling-failed"] * 2,
)
_STATE_AGE_HOURS = {  # how many hours ago an image may have entered its state
    "enabled": (30, 1200),
    "enabling": (0.02, 0.15),
    "enabled-failed": (5, 90),
    "enabling-failed": (2, 300),
    "disabling": (0.02, 0.15),
    "disabling-failed": (20, 200),
}
_VERSIONS = 9  # of each launch template
_PREPARATION, _CLEAN_UP = timedelta(seconds=DEFAULT_FILL_TIME), timedelta(minutes=10)
_GIVEN_UP = timedelta(seconds=PREPARATION_LIMIT)  # from enabling to a failure
_SLOW = timedelta(minutes=28)  # the preparation time of two images: just within EC2's limit
_SLOW_SINCE = timedelta(minutes=24)  # the age of the longest enabling
_STUCK = timedelta(hours=9)  # the age of the longest disabling, for which AWS names no limit
_STUCK_CLEAN_UP = timedelta(hours=14)
_DEPRECATED = timedelta(days=10)  # the time since one image has been deprecated
_PAST = timedelta(days=60)  # the length of the scenario
_SHARED = ("us-east-1", "win2025-game-server-2026.01")  # build-farm's, shared with game-servers
_RETIRED = "win2019-legacy-lobby-2025.09"  # disabled within the last week
_OMITTED_FIELDS: tuple[tuple[str, ...], ...] = (  # of some images, as EC2 may omit any field
    ("launch_template_id", "launch_template_name", "launch_template_version"),
    ("target_resource_count",),
    ("max_parallel_launches",),
    ("state_transition_reason",),
)


@dataclass(frozen=True)
class _Story:
    """One image: its settings, its state now, and when it entered that state."""

    account_id: str
    region: str
    name: str
    image_id: str
    settings: dict[str, Any]
    state: str
    since: datetime
    preparation: timedelta = _PREPARATION
    clean_up: timedelta = _CLEAN_UP

    @property
    def owner_id(self) -> str:
        """The account that owns the AMI: the image's own, except for one shared AMI."""
        return next(iter(ACCOUNTS)) if (self.region, self.name) == _SHARED else self.account_id


def populate(seed: int) -> int:
    """Run the emulator through the scenario; return the number of images it has now."""
    reset_emulator(seed)
    now = CLOCK.now()
    CLOCK.reset(now - _PAST)
    create_organization(Unit("Root", units=(_PRODUCTION, _SANDBOX)))
    rng = random.Random(seed)
    fleet = _delay_three(list(_make_stories(rng, now)), now)
    assignment = scenario_defects.DefectAssignment(fleet, now)
    fleet = [
        replace(story, settings=scenario_defects.settings_of(story, assignment)) for story in fleet
    ]
    for story in fleet:
        _add_resources(story, assignment, now)
        _schedule_story(story, rng)
    schedule_surroundings(fleet, assignment, now)
    scenario_defects.schedule_defects(fleet, assignment, now, seed)
    CLOCK.advance(seconds=_PAST.total_seconds())
    return sum(story.state != DISABLED for story in fleet)


def _make_stories(rng: random.Random, now: datetime) -> Iterator[_Story]:
    """Yield a story for every family, release and region, and for the retired images.

    An image has the same settings in all regions of an account.
    """
    states = list(_STATES)
    rng.shuffle(states)
    settings: dict[tuple[str, str], dict[str, Any]] = {}
    for account_id, account in ACCOUNTS.items():
        for family, template in _FAMILIES[account].items():
            for release, region in product(_RELEASES, REGIONS):
                state, name = states.pop(), f"{family}-{release}"
                image_id, drawn = draw_id("ami", rng), _draw_settings(rng, template)
                age = timedelta(hours=rng.uniform(*_STATE_AGE_HOURS[state]))
                shared = settings.setdefault((account_id, name), drawn)
                since = to_milliseconds(now - age)
                yield _Story(account_id, region, name, image_id, shared, state, since)
    for day, region in enumerate(REGIONS, 2):  # each retired on another day of the last week
        since = to_milliseconds(now - timedelta(days=day, hours=rng.uniform(0, 8)))
        image_id, drawn = draw_id("ami", rng), _draw_settings(rng, None)
        shared = settings.setdefault(("111122223333", _RETIRED), drawn)
        yield _Story("111122223333", region, _RETIRED, image_id, shared, "disabled", since)


def _delay_three(fleet: list[_Story], now: datetime) -> list[_Story]:
    """Slow the preparation of two images, enabled last and still enabling; let one be stuck."""

    def find_oldest(state: str) -> _Story:
        return min((story for story in fleet if story.state == state), key=attrgetter("since"))

    last = max((story for story in fleet if story.state == "enabled"), key=attrgetter("since"))
    slow, stuck = find_oldest("enabling"), find_oldest("disabling")
    delayed = {
        last.image_id: replace(last, preparation=_SLOW),
        slow.image_id: replace(slow, preparation=_SLOW, since=to_milliseconds(now - _SLOW_SINCE)),
        stuck.image_id: replace(
            stuck, clean_up=_STUCK_CLEAN_UP, since=to_milliseconds(now - _STUCK)
        ),
    }
    return [delayed.get(story.image_id, story) for story in fleet]


def _draw_settings(rng: random.Random, template: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "target_resource_count": rng.choice((5, 5, 10, 20, 40)),
        "max_parallel_launches": rng.choice((6, 6, 6, 10, 20)),
    }
    if template:
        version = str(rng.randint(1, _VERSIONS))
        settings["launch_template"] = {"LaunchTemplateName": template, "Version": version}
    return settings


def _add_resources(story: _Story, roles: Any, now: datetime) -> None:
    """Add the AMI of an image, and all versions of its launch template."""
    ec2 = get_backend(story.account_id, story.region)
    template = story.settings.get("launch_template", {}).get("LaunchTemplateName")
    if template and template not in ec2.launch_template_name_to_ids:
        ec2.add_launch_template(template, _VERSIONS, TEMPLATE_DATA)
    get_backend(story.owner_id, story.region).add_windows_image(
        story.image_id,
        name=story.name,
        owner_id=story.owner_id,
        shared_with={story.account_id} - {story.owner_id},
        deprecation_time=now - _DEPRECATED if story.image_id == roles.deprecated else None,
        kms_key_id=add_key(ec2) if story.image_id == roles.encrypted else None,
    )


def _disable(story: _Story) -> None:
    """Disable an image, with its own clean-up time."""
    pace = get_backend(story.account_id, story.region).pace
    usual, pace.clean_up = pace.clean_up, story.clean_up  # of clean-ups that start now
    get_backend(story.account_id, story.region).disable_fast_launch(story.image_id)
    pace.clean_up = usual


def _schedule_story(story: _Story, rng: random.Random) -> None:
    """Schedule the requests and failures that bring an image into its state."""
    ec2 = get_backend(story.account_id, story.region)
    image_id, since = story.image_id, story.since
    if rng.random() < 0.2:
        ec2.omitted_fields[image_id] = rng.choice(_OMITTED_FIELDS)
    if story.preparation != _PREPARATION:
        ec2.pace.preparation_of[image_id] = story.preparation
    long_before = since - timedelta(days=rng.uniform(9, 9.5))
    given_up, requested, disabled = since - _GIVEN_UP, since - story.preparation, since - _CLEAN_UP
    enable = partial(ec2.enable_fast_launch, image_id, **story.settings)
    disable = partial(_disable, story)
    failed_enable = [(given_up, partial(ec2.break_preparation, image_id)), (given_up, enable)]
    failed_disable = [(disabled, partial(ec2.break_clean_up, image_id)), (disabled, disable)]
    deregister = partial(ec2.amis.pop, image_id)
    fails_first = rng.random() < 0.3 and story.preparation == _PREPARATION
    first_attempt = [(when - timedelta(hours=7), action) for when, action in failed_enable]
    actions: dict[str, Sequence[scenario_defects.ScheduledAction]] = {
        "enabling": [(since, enable)],
        "enabled": [*(first_attempt if fails_first else ()), (requested, enable)],
        "enabling-failed": failed_enable,
        "enabled-failed": [(long_before, partial(enable, target_resource_count=2)), *failed_enable],
        "disabling": [(long_before, enable), (since, disable)],
        "disabling-failed": [(long_before, enable), *failed_disable],
        "disabled": [(long_before, enable), (disabled, disable), (since, deregister)],
    }
    for when, action in actions[story.state]:
        CLOCK.at(when, action)
