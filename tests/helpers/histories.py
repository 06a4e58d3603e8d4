"""What tests of a history share: sweeps made of what was there, and what a history says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.schema.arrow import make_coverage
from fastlaunch_nb.schema.columns import KEY, TEXT
from fastlaunch_nb.sources.pages import empty_images

START = datetime(2026, 3, 28, 23, tzinfo=UTC)  # a day ends within, and clocks are put forward
MINUTE = timedelta(minutes=1)
PLACE = KEY[:2]
PLACES = (("111122223333", "eu-west-1"), ("111122223333", "us-east-1"), ("123456789012", "x-1"))


class Swept(NamedTuple):
    """What a history needs of a sweep."""

    sweep_id: str
    images: pd.DataFrame
    coverage: pd.DataFrame
    started_at: pd.Timestamp


def looked(
    minute: float, *places: tuple[tuple[str, str], list[dict[str, Any]] | str], title: str = ""
) -> Swept:
    """Return a sweep at a minute: of each place the items that it found, or how it ended."""
    at = pd.Timestamp(START + minute * MINUTE)
    seen: list[dict[str, Any]] = []
    owners: list[tuple[str, str]] = []
    looks = []
    for (account, region), found in places:
        status = found if isinstance(found, str) else "complete"
        items = [] if isinstance(found, str) else found
        seen += items
        owners += [(account, region)] * len(items)
        look = {"account_id": account, "region": region, "scope": "", "status": status}
        looks.append({**look, "rows": len(items), "pages": 1, "observed_at": at.floor("s")})
    sweep_id = title or f"sweep-{minute:07.2f}"
    coverage = make_coverage({"sweep_id": sweep_id, **look} for look in looks)
    images = fl.from_pages(seen, observed_at=at.floor("s")) if seen else empty_images()
    for number, name in enumerate(PLACE):
        images[name] = pd.array([owner[number] for owner in owners], dtype=TEXT)
    return Swept(sweep_id, images, coverage, at)


def small(minute: float, name: str = "") -> Swept:
    """Return a sweep of two images in each of two places."""
    found = [
        {"ImageId": f"ami-{number:017x}", "State": "enabled", "MaxParallelLaunches": 6}
        for number in (1, 2)
    ]
    return looked(minute, (PLACES[0], found), (PLACES[1], found), title=name)


def eventful(store: Path) -> fl.History:
    """Return a history of three looks at two places, and of events."""
    history = fl.History(store)
    for minute in range(3):
        history.record(small(minute))
    detail = {"imageId": f"ami-{1:017x}", "resourceType": "snapshot", "state": "enabling"}
    told = {"source": "aws.ec2", "account": PLACES[0][0], "region": PLACES[0][1], "detail": detail,
            "detail-type": "EC2 Fast Launch State-change Notification"}  # fmt: skip
    history.record(fl.from_events([{**told, "id": "e", "time": f"{START:%Y-%m-%dT%H:%M:%SZ}"}]))
    return history


def answers(history: fl.History) -> list[pd.DataFrame]:
    """Return all that a history has to say."""
    first, last = START + 2 * MINUTE, START + 7 * MINUTE
    return [
        history.observations(),
        history.coverage(),
        history.intervals(),
        history.images(),
        history.images(at=first),
        history.diff(first, last),
    ]


def same_answers(left: list[pd.DataFrame], right: list[pd.DataFrame]) -> None:
    """Refuse answers that differ."""
    for one, other in zip(left, right, strict=True):
        same(one, other)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Refuse two frames that differ."""
    pd.testing.assert_frame_equal(left, right, check_index_type=False)


def counts(history: fl.History) -> dict[str, int]:
    """Return how many images each sweep has."""
    return {str(k): v for k, v in history.observations()["sweep_id"].value_counts().items()}


def files(store: Path, kind: str = "*") -> list[Path]:
    """Return the files of a store, without hidden ones."""
    return sorted(store.glob(f"{kind}/date=*/[!.]*.parquet"))


def in_place(store: Path) -> str:
    """Return how DuckDB reads the looks of a store where it is."""
    return (
        f"from read_parquet('{store}/images/*/*.parquet', hive_partitioning=true) semi join "
        f"'{store}/coverage/*/*.parquet' using (sweep_id, record_id)"
    )
