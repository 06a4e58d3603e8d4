"""The sample history of the demo fleet: a week of scans and events.

It is made from the emulator's change log and not by scanning, as a week of real scans would
take most of a minute. With the default seed, this week of January 2026 (times in UTC) has:

- a region that could not be read: the scans of us-east-1 of game-servers from the 13th,
  00:00, until 18:00 were denied. win2019-legacy-lobby-2025.09 was there before and not
  after, so in between it is unknown, except for the minutes that events report. For the
  other images there, a later scan proves that nothing had changed.
- a failed enable: win2022-gitlab-runner-2025.11 of build-farm in us-east-1, on the 9th,
  enabling from 11:24, enabling-failed from 11:54, at EC2's limit of 30 minutes; tried
  again at 18:44, and enabled from 18:54.
- a slow fill: win2025-game-server-2026.01 of game-servers in us-east-1, on the 12th,
  enabling for 28 minutes, from 16:37 to 17:05. No scan sees it, but events do.
- a disabled image: win2019-legacy-lobby-2025.09 of game-servers, disabling in
  ap-southeast-2 on the 11th from 10:45, in eu-west-1 on the 12th from 11:39, and in
  us-east-1 on the 13th from 04:00, and disabled ten minutes later. Scans see only that it
  is absent; and because it is deregistered, its name is no longer listed.
- an image that is stuck: win2022-game-server-2025.11 of game-servers in us-east-1,
  disabling since the 15th, 03:00. AWS names no limit for that.

Another seed has another week: the same scans are denied while the last of the three
retired images is disabled, the fill is slow for the image that was enabled last, and the
image that has been disabling for longest is stuck.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import pandas as pd

from fastlaunch_nb.demo_fleet.account_regions import ACCOUNTS, REGIONS
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, DISABLED, Change, make_notifications
from fastlaunch_nb.emulator.clock import START
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import COMPLETE, FAILED, TEXT, TIME
from fastlaunch_nb.sources.events import from_events
from fastlaunch_nb.sources.pages import from_pages

_SCAN_INTERVAL = timedelta(hours=6)
_WEEK = timedelta(days=7)
_SCAN_COLUMNS = {"account_id": TEXT, "region": TEXT, "observed_at": TIME}


class Denial(NamedTuple):
    """An account and region whose scans were denied from `start` on, until before `end`."""

    account_id: str
    region: str
    start: datetime
    end: datetime


DENIAL = Denial(
    "111122223333", "us-east-1", START - timedelta(hours=60), START - timedelta(hours=42)
)
"""The denial of the sample history. With every seed an image is disabled during it."""
_DENIAL_MESSAGE = (
    "DescribeFastLaunchImages: AWS answered UnauthorizedOperation: You are not "
    "authorized to perform this operation. User: arn:aws:sts::{account_id}:user/moto is not "
    "authorized to perform: ec2:DescribeFastLaunchImages because no identity-based policy allows "
    "the ec2:DescribeFastLaunchImages action. Allow the IAM action ec2:DescribeFastLaunchImages."
)


class SampleHistory(NamedTuple):
    """A history of the demo fleet: observations, coverage and events.

    Attributes
    ----------
    observations : pandas.DataFrame
        The rows of all scans, with the columns of :func:`fastlaunch_nb.from_pages`;
        `observed_at` is the time of the scan.
    coverage : pandas.DataFrame
        A row for each scan of an account and region, with the columns of a sweep's
        coverage. It includes scans that found no image, and scans that were denied.
    events : pandas.DataFrame
        A row for each state-change notification, as :func:`fastlaunch_nb.from_events`
        returns them.
    """

    observations: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame


def make_history(now: datetime) -> SampleHistory:
    """Make the history of the week before a time from the emulator's change log."""
    times = [now - _WEEK + _SCAN_INTERVAL * number for number in range(_WEEK // _SCAN_INTERVAL + 1)]
    observations, coverage = replay_scans(CHANGE_LOG, times, DENIAL)
    recent = [change for change in CHANGE_LOG if change.time >= times[0]]
    return SampleHistory(observations, coverage, from_events(make_notifications(recent)))


def replay_scans(
    changes: Sequence[Change], times: Sequence[datetime], denial: Denial
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the observations and the coverage of scans at these times.

    Scans have the time of AWS's answer, which is in whole seconds.
    """
    fleet: dict[tuple[str, str], dict[str, FastLaunchImage]] = {
        scope: {} for scope in product(ACCOUNTS, REGIONS)
    }
    observations: list[tuple[str, str, datetime, dict[str, Any]]] = []
    coverage = []
    pending = deque(changes)
    for time in times:
        while pending and pending[0].time <= time:
            change = pending.popleft()
            images = fleet.setdefault((change.account_id, change.region), {})
            if change.image.state == DISABLED:
                del images[change.image.image_id]
            else:
                images[change.image.image_id] = change.image
        observed_at = time.replace(microsecond=0)
        for scope, images in fleet.items():
            is_denied = scope == denial[:2] and denial.start <= time < denial.end
            if not is_denied:
                observations += [
                    (*scope, observed_at, images[image_id].to_api()) for image_id in sorted(images)
                ]
            coverage.append(_coverage_row(*scope, observed_at, None if is_denied else len(images)))
    scans = pd.DataFrame([scan for *scan, _ in observations], columns=list(_SCAN_COLUMNS))
    rows = from_pages([item for *_, item in observations])
    return rows.assign(**scans.astype(_SCAN_COLUMNS)), make_coverage(coverage)


def _coverage_row(
    account_id: str, region: str, observed_at: datetime, rows: int | None
) -> dict[str, Any]:
    """Return the coverage of one scan; `rows` is None if it was denied."""
    outcome: dict[str, Any] = {"status": COMPLETE, "rows": rows}
    if rows is None:
        message = _DENIAL_MESSAGE.format(account_id=account_id)
        error = {"error_code": "UnauthorizedOperation", "error_message": message}
        outcome = {"status": FAILED, "rows": 0, **error}
    return {
        "sweep_id": f"demo-{observed_at:%Y%m%dT%H%MZ}",
        "account_id": account_id,
        "region": region,
        "scope": "",
        "observed_at": observed_at,
        **outcome,
    }
