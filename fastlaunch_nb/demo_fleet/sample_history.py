"""What one would know of the demo fleet after a week of looking, and of listening.

Made from the embedded EC2's own journal, and not by asking it: a week of real
reads would take most of a minute. With the seed that is the default one, and
times in UTC, this week of January 2026 tells of

- a region that could not be read: from the 13th, 00:00, until 18:00 the looks at
  us-east-1 of game-servers were denied. win2019-legacy-lobby-2025.09 was there
  before and not after: meanwhile it is unknown, but for the minutes that events
  tell of. Of the other images there a later look proves that nothing had changed.
- a failed enable: win2022-gitlab-runner-2025.11 of build-farm in us-east-1, on the
  9th, enabling from 11:24, enabling-failed from 11:54; tried again at 18:24, and
  enabled from 18:54.
- a slow fill: win2025-game-server-2026.01 of game-servers in us-east-1, on the
  12th, enabling for 14 hours, from 03:05 to 17:05.
- a disabled image: win2019-legacy-lobby-2025.09 of game-servers, in
  ap-southeast-2 on the 11th from 10:45, in eu-west-1 on the 12th from 11:39, and in
  us-east-1 on the 13th from 04:00 disabling, and disabled ten minutes later. Looks
  see only that it is absent; and as it is deregistered, its name is no longer listed.
- an image that is stuck: win2025-base-2025.11 of build-farm in ap-southeast-2, enabling
  since the 15th, 03:00.

Another seed has a week of its own: the same looks are denied, while the last of those
three is disabled, the fill is slow for the image that was enabled last, and that one is
stuck which has been enabling for longest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import pandas as pd

from fastlaunch_nb.demo_fleet.scenario import ACCOUNTS, REGIONS
from fastlaunch_nb.emulator.change_log import Change
from fastlaunch_nb.emulator.clock import START
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import COMPLETE, FAILED, TEXT, TIME
from fastlaunch_nb.sources.events import from_events
from fastlaunch_nb.sources.pages import from_pages

_LOOKS = timedelta(hours=6)
_WEEK = timedelta(days=7)


class Denial(NamedTuple):
    """A place that could not be read, from a time on until another: somebody took the permission.

    Attributes
    ----------
    account_id, region : str
        The place.
    start, end : datetime
        The time from which it could not be read, and that from which it could again.
    """

    account_id: str
    region: str
    start: datetime
    end: datetime


DENIAL = Denial(
    "111122223333", "us-east-1", START - timedelta(hours=60), START - timedelta(hours=42)
)
"""While it lasts, an image there is disabled in every seed's story: a gap that nothing heals."""
_DENIED: dict[str, Any] = {  # what a sweep's coverage says of it
    "status": FAILED,
    "error_code": "UnauthorizedOperation",
    "error_message": "DescribeFastLaunchImages: AWS answered UnauthorizedOperation: You are not "
    "authorized to perform this operation. User: arn:aws:sts::{account_id}:user/moto is not "
    "authorized to perform: ec2:DescribeFastLaunchImages because no identity-based policy allows "
    "the ec2:DescribeFastLaunchImages action. Allow the IAM action ec2:DescribeFastLaunchImages.",
    "rows": 0,
}


class SampleHistory(NamedTuple):
    """What was seen of the fleet: rows, what was covered, and what EventBridge told.

    Attributes
    ----------
    observations : pandas.DataFrame
        The rows of every look, with the columns of :func:`fastlaunch_nb.from_pages`;
        `observed_at` tells the looks apart.
    coverage : pandas.DataFrame
        A row for each account, region and look, with the columns of a sweep's
        coverage. A look that saw no image is here as well, and one that was denied.
    events : pandas.DataFrame
        A row for each state-change notification, as :func:`fastlaunch_nb.from_events`
        makes them.
    """

    observations: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame


def history_of(emulator: Any, now: datetime) -> SampleHistory:
    """Make the history of a week from the embedded EC2's own journal."""
    times = [now - _WEEK + _LOOKS * look for look in range(_WEEK // _LOOKS + 1)]
    observations, coverage = looks(emulator.JOURNAL, times, DENIAL)
    told = [change for change in emulator.JOURNAL if change.time >= times[0]]
    return SampleHistory(observations, coverage, from_events(emulator.notifications(told)))


def looks(
    journal: Sequence[Change], times: Sequence[datetime], denial: Denial
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what a reader who looks at these times sees, and what each look covers.

    AWS says in whole seconds when it answered.
    """
    there: dict[tuple[str, str], dict[str, Any]] = {
        place: {} for place in product(ACCOUNTS, REGIONS)
    }
    seen: list[tuple[str, str, datetime, dict[str, Any]]] = []
    covered = []
    changes = deque(journal)
    for time in times:
        while changes and changes[0].time <= time:
            _apply(changes.popleft(), there)
        answered = time.replace(microsecond=0)
        for place, images in there.items():
            denied = place == denial[:2] and denial.start <= time < denial.end
            if not denied:
                seen += [(*place, answered, images[name].to_api()) for name in sorted(images)]
            covered.append(_covered(*place, answered, None if denied else len(images)))
    return _observations(seen), make_coverage(covered)


def _covered(account_id: str, region: str, answered: datetime, rows: int | None) -> dict[str, Any]:
    """Return the row of the coverage for one look; without `rows` it was denied."""
    said: dict[str, Any] = {"status": COMPLETE, "rows": rows}
    if rows is None:
        message = _DENIED["error_message"].format(account_id=account_id)
        said = {**_DENIED, "error_message": message}
    return {
        "sweep_id": f"demo-{answered:%Y%m%dT%H%MZ}",
        "account_id": account_id,
        "region": region,
        "scope": "",
        "observed_at": answered,
        **said,
    }


def _apply(change: Change, there: dict[tuple[str, str], dict[str, Any]]) -> None:
    images = there.setdefault((change.account_id, change.region), {})
    if change.image.state == "disabled":
        del images[change.image.image_id]
    else:
        images[change.image.image_id] = change.image


def _observations(seen: Sequence[tuple[str, str, datetime, dict[str, Any]]]) -> pd.DataFrame:
    rows = from_pages([item for *_, item in seen])
    return rows.assign(
        account_id=pd.array([account for account, *_ in seen], dtype=TEXT),
        region=pd.array([region for _, region, *_ in seen], dtype=TEXT),
        observed_at=pd.Series([time for _, _, time, _ in seen]).astype(TIME),
    )
