"""What one would know of the demo fleet after a week of looking, and of listening.

Made from the embedded EC2's own journal, and not by asking it: a week of real
reads would take most of a minute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import product
from operator import getitem
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from fastlaunch_nb import frame
from fastlaunch_nb.demo.fleet import ACCOUNTS, REGIONS

if TYPE_CHECKING:
    from fastlaunch_nb.emulator import Change

_LOOKS = timedelta(hours=6)
_WEEK = timedelta(days=7)


class History(NamedTuple):
    """What was seen of the fleet: rows, what was covered, and what EventBridge told.

    Attributes
    ----------
    observations : pandas.DataFrame
        The rows of every look, with the columns of :func:`fastlaunch_nb.from_pages`;
        `observed_at` tells the looks apart.
    coverage : pandas.DataFrame
        A row for each account, region and look, with the columns of a sweep's
        coverage. A look that saw no image is here as well.
    events : pandas.DataFrame
        A row for each state-change notification: event_id, time, account_id,
        region, image_id, resource_type, state, state_transition_reason.
    """

    observations: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame


def history_of(emulator: Any, now: datetime) -> History:
    """Make the history of a week from the embedded EC2's own journal."""
    times = [now - _WEEK + _LOOKS * look for look in range(_WEEK // _LOOKS + 1)]
    observations, coverage = looks(emulator.JOURNAL, times)
    told = [change for change in emulator.JOURNAL if change.time >= times[0]]
    return History(observations, coverage, _events(emulator.notifications(told)))


_EVENT_COLUMNS = {  # column of the events: where a notification has it
    "event_id": ("id",),
    "time": ("time",),
    "account_id": ("account",),
    "region": ("region",),
    "image_id": ("detail", "imageId"),
    "resource_type": ("detail", "resourceType"),
    "state": ("detail", "state"),
    "state_transition_reason": ("detail", "stateTransitionReason"),
}


def _events(notifications: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    rows = [
        [reduce(getitem, path, notification) for path in _EVENT_COLUMNS.values()]
        for notification in notifications
    ]
    events = pd.DataFrame(rows, columns=list(_EVENT_COLUMNS)).astype(frame.TEXT)
    return events.assign(time=pd.to_datetime(events["time"], utc=True).astype(frame.TIME))


def looks(
    journal: Sequence[Change], times: Sequence[datetime]
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
        sweep_id = f"demo-{answered:%Y%m%dT%H%MZ}"
        for place, images in there.items():
            seen += [(*place, answered, images[name].to_api()) for name in sorted(images)]
            covered.append(
                {
                    "sweep_id": sweep_id,
                    **dict(zip(("account_id", "region"), place, strict=True)),
                    "scope": "",
                    "status": frame.COMPLETE,
                    "rows": len(images),
                    "observed_at": answered,
                }
            )
    return _observations(seen), frame.coverage(covered)


def _apply(change: Change, there: dict[tuple[str, str], dict[str, Any]]) -> None:
    images = there.setdefault((change.account_id, change.region), {})
    if change.image.state == "disabled":
        del images[change.image.image_id]
    else:
        images[change.image.image_id] = change.image


def _observations(seen: Sequence[tuple[str, str, datetime, dict[str, Any]]]) -> pd.DataFrame:
    rows = frame.from_pages([item for *_, item in seen])
    return rows.assign(
        account_id=pd.array([account for account, *_ in seen], dtype=frame.TEXT),
        region=pd.array([region for _, region, *_ in seen], dtype=frame.TEXT),
        observed_at=pd.Series([time for _, _, time, _ in seen]).astype(frame.TIME),
    )
