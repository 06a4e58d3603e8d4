"""Launches: when instances were launched, or will be, from whatever people have."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import tzinfo
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from fastlaunch_nb.errors import InputError, SourceError, warn
from fastlaunch_nb.frames import convert_times, is_frame, to_pandas_frame
from fastlaunch_nb.number_checks import parse_count
from fastlaunch_nb.pool.launch_pattern import MAX_DAYS, check_launch_count, parse_zone
from fastlaunch_nb.pool.launch_times import convert_datetimes, parse_launches
from fastlaunch_nb.schema.tables import LAUNCHES
from fastlaunch_nb.sources.documents import SourceItems
from fastlaunch_nb.sources.envelopes import Document, describe_kinds, describe_payload, unwrap
from fastlaunch_nb.sources.json_input import describe_value, is_text
from fastlaunch_nb.sources.powershell import check_depth, open_array, restore_value

_ROLE: Final = re.compile(r"ec2fastlaunch\.amazonaws\.com|AWSServiceRoleForEC2FastLaunch")
"""Marks RunInstances of Fast Launch itself, whose preparation instances are no launches."""
_FILE_NAME: Final = re.compile(r"\.(json|jsonl|ya?ml|csv|parquet|gz|log|txt)$", re.IGNORECASE)
_EXPECTED: Final = (
    "Expected launches: a frame of fl.metrics, RunInstances events of CloudTrail (log files, "
    "LookupEvents, Lake), DescribeScalingActivities, DescribeInstances, datetimes, or a pattern "
    "such as '10 an hour daily'."
)


class _Launch(NamedTuple):
    """Launches at one time, with the id of the event or activity that has them."""

    source_id: str | None
    time: Any
    number: int = 1
    account_id: str | None = None
    region: str | None = None
    image_id: str | None = None


def launches(
    source: Any, *, time_zone: str | tzinfo | None = None, days: int = 364, seed: int = 0
) -> pd.DataFrame:
    """Return when instances were launched, or will be, for :func:`fastlaunch_nb.right_size`.

    Real launches come from what AWS recorded, future ones from a schedule or a pattern. What
    Fast Launch itself launches to prepare snapshots does not count.

    Parameters
    ----------
    source : DataFrame of any library, str, path, open file, dict, datetimes, or iterable of dict
        One of these:

        - a frame of :func:`fastlaunch_nb.metrics`. CloudWatch's **sums lose the times**: `end`
          is then the end of the period, and 20 launches around a full hour are 10 and 10.
          ``right_size`` assumes that the launches of neighbouring periods came as close together
          as they can. Use short periods: 1 minute for 15 days, 5 minutes for 63.
        - CloudTrail's RunInstances events: log files or a folder of them, LookupEvents, results
          of a Lake query, or EventBridge's "AWS API Call via CloudTrail". Failed calls are left
          out. Lake needs the columns eventTime, eventName and responseElements, best also
          errorCode, userIdentity, eventID, awsRegion and recipientAccountId.
        - DescribeScalingActivities: what Auto Scaling launched, but for starts from a warm pool.
        - DescribeInstances: instances that still exist, so the past looks too quiet.
        - datetimes, an array or a pandas Series of them.
        - a pattern or schedule in words: ``"40 at 08:00 on weekdays"``, ``"10 an hour from 09:00
          to 17:00 on Mon-Fri"``, ``"10 an hour evenly"``, ``"every 15 minutes"``, ``"second
          Tuesday 08:00 Europe/Berlin"``, five fields of cron such as ``"0 8 * * 1-5"``, or
          EventBridge's ``"cron(0 8 ? * MON-FRI *)"`` and ``"rate(15 minutes)"``; a count before
          it, and ``;`` between several. ``fastlaunch_nb.pool.launch_pattern`` has the grammar.
          Counts a time come at random unless they are "evenly".

        What AWS recorded may be parsed, or JSON, YAML, CSV or Parquet as text, bytes, a path, a
        folder, an open file, or several of these; also compressed by gzip, from PowerShell's
        ``ConvertTo-Json -Depth 9``, and in the envelopes that :func:`fastlaunch_nb.from_events`
        opens. Files of a folder that cannot be read are left out, with a warning.
    time_zone : str or datetime.tzinfo, optional
        The zone of times that name none, such as ``"Europe/Berlin"``; by default UTC, as
        EventBridge rules have it. Local times follow daylight saving time.
    days : int, default 364
        The number of days of a pattern, the first Monday 5 January 2026.
    seed : int, default 0
        The seed of random launches of a pattern.

    Returns
    -------
    pandas.DataFrame
        A row for each launched instance, in the order of time, with the columns in
        ``fastlaunch_nb.schema.tables.LAUNCHES``, times in UTC. Account, region and image are
        null where the source does not name them. Choose one image before you size its pool.

    Raises
    ------
    SourceError
        If the source is something else, or cannot be read.
    InputError
        If a pattern, `time_zone`, `days` or `seed` is invalid.

    Examples
    --------
    >>> event = {"eventName": "RunInstances", "eventTime": "2026-01-05T08:00:03Z",
    ...          "awsRegion": "eu-west-1", "responseElements": {"instancesSet": {"items": [
    ...              {"instanceId": "i-1", "imageId": "ami-0abcdef1234567890"},
    ...              {"instanceId": "i-2", "imageId": "ami-0abcdef1234567890"}]}}}
    >>> launches({"Records": [event]})[["time", "region", "image_id"]]
                           time     region               image_id
    0 2026-01-05 08:00:03+00:00  eu-west-1  ami-0abcdef1234567890
    1 2026-01-05 08:00:03+00:00  eu-west-1  ami-0abcdef1234567890
    >>> launches("0 8 * * 1-5", time_zone="America/New_York")["time"].iloc[0]
    Timestamp('2026-01-05 13:00:00+0000', tz='UTC')
    """
    zone = parse_zone(time_zone) if isinstance(time_zone, str) else time_zone
    if zone is not None and not isinstance(zone, tzinfo):
        raise InputError(f"time_zone is {zone!r}. Expected a name such as 'Europe/Berlin'.")
    days = parse_count("days", days, least=1, most=MAX_DAYS)
    seed = parse_count("seed", seed)
    if is_frame(source):
        return _read_frame(to_pandas_frame(source, _EXPECTED))
    if isinstance(source, str) and not _is_document(source):
        return _make_frame(parse_launches(source, days, seed=seed, zone=zone).times)
    if is_text(source) or isinstance(source, Mapping):
        return _read_documents(source)
    if not isinstance(source, Iterable):
        raise SourceError(f"{_EXPECTED} Got {describe_value(source)}.")
    if hasattr(source, "dtype"):
        return _make_frame(np.sort(convert_datetimes(source, zone)))
    elements = list(source)
    if any(isinstance(element, Mapping) or _is_file(element) for element in elements):
        return _read_documents(elements)
    return _make_frame(np.sort(convert_datetimes(elements, zone)))


def _is_document(text: str) -> bool:
    """Return whether a text is JSON or names a file, and is no pattern."""
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") or '{"' in text:
        return True
    return bool(_FILE_NAME.search(text)) or os.path.exists(os.path.expanduser(text))


def _is_file(element: Any) -> bool:
    """Return whether an element is a path, an open file or text of a document, and no time."""
    return _is_document(element) if isinstance(element, str) else is_text(element)


def _make_frame(times: Any, **columns: Any) -> pd.DataFrame:
    """Return a frame with all columns; times are in microseconds, or datetimes in UTC."""
    index = pd.to_datetime(np.asarray(times).astype("datetime64[us]"), utc=True)
    return _set_columns(pd.DataFrame({"time": index, "end": index, **columns}))


def _set_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the columns of launches, null where it has none, and their dtypes."""
    dtypes: dict[Any, Any] = {column.name: column.dtype for column in LAUNCHES}
    return frame.reindex(columns=list(dtypes)).astype(dtypes)


# --- CloudWatch -----------------------------------------------------------------------


def _read_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return launches from a frame of metrics; a frame of launches stays as it is."""
    times = {name: convert_times(frame[name], name) for name in ("time", "end") if name in frame}
    frame = frame.assign(**{name: utc for name, utc in times.items() if utc is not None})
    if "time" in frame and "end" in frame:
        return frame
    counts = [name for name in ("fast_launches", "cold_launches") if name in frame]
    if not counts or "time" not in frame or "period" not in frame:
        columns = ", ".join(map(str, list(frame)[:8]))
        raise SourceError(f"{_EXPECTED} Got a DataFrame with the columns {columns}.")
    number = frame[counts].fillna(0).sum(axis=1).to_numpy(dtype=np.int64)
    check_launch_count(int(number.sum()))
    rows = frame.iloc[np.repeat(np.arange(len(frame)), number)]
    ends = rows["time"] + pd.to_timedelta(rows["period"].astype("int64"), unit="s")
    made = _set_columns(rows.assign(end=ends))
    return made.sort_values("time", kind="stable").reset_index(drop=True)


# --- records of AWS -------------------------------------------------------------------


def _read_documents(source: Any) -> pd.DataFrame:
    """Return launches from documents, each event or activity once."""
    items = SourceItems(source, _EXPECTED, _find_launches)
    frame = items.to_frame(_make_launches)
    if others := Counter(item for item in items.items() if isinstance(item, str)):
        warn(f"Skipped {describe_kinds(others)}, which have no launches.")
    return frame


def _make_launches(items: list[_Launch | str]) -> pd.DataFrame:
    found: dict[Any, _Launch] = {}
    for number, launch in enumerate(item for item in items if isinstance(item, _Launch)):
        found.setdefault(launch.source_id or number, launch)
    rows = list(found.values())
    check_launch_count(sum(row.number for row in rows))
    times = pd.DatetimeIndex([_parse_time(row.time) for row in rows], dtype="datetime64[us, UTC]")
    columns = {name: [getattr(row, name) for row in rows] for name in _Launch._fields[3:]}
    frame = _make_frame(times.tz_localize(None), **columns)
    frame = frame.loc[np.repeat(np.arange(len(rows)), [row.number for row in rows])]
    return frame.sort_values("time", kind="stable").reset_index(drop=True)


def _parse_time(value: Any) -> pd.Timestamp:
    """Return a time in UTC, from text, a datetime, or seconds since 1970."""
    time: object = None
    value = restore_value(value)
    with suppress(ValueError, TypeError, OverflowError):
        if isinstance(value, int | float):
            return pd.Timestamp(value, unit="s", tz="UTC")
        time = pd.Timestamp(value)
    if not isinstance(time, pd.Timestamp):  # NaT is not one
        raise SourceError(f"{_EXPECTED} Got the time {str(value)[:40]!r}, which is none.")
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")


def _find_launches(documents: Iterable[Document]) -> Iterator[_Launch | str]:
    """Yield the launches in documents, and the kind of whatever else is in an envelope."""
    for content, origin, is_inside in unwrap(documents, _is_record, _EXPECTED):
        if isinstance(content, Mapping) and _is_record(content):
            yield from _read_record(content, origin)
        elif is_inside and isinstance(content, str):
            yield describe_payload(content)
        else:
            raise SourceError(f"{_EXPECTED} Got {describe_payload(content)}{origin}.")


def _is_record(content: Mapping[Any, Any]) -> bool:
    return any(key in content for key in _READERS)


def _read_record(record: Mapping[str, Any], origin: str) -> list[_Launch]:
    """Return the launches of a record that one of the readers knows."""
    read = next(read for key, read in _READERS.items() if key in record)
    try:
        return [_check_names(launch) for launch in read(record)]
    except (AttributeError, KeyError, TypeError):  # a part is of another type
        check_depth(record, _EXPECTED, origin)
        raise SourceError(
            f"{_EXPECTED} Got {describe_value(record)}, parts of which are malformed{origin}."
        ) from None


def _check_names(launch: _Launch) -> _Launch:
    """Return a launch whose id and names are text or numbers; raise a TypeError for others."""
    names = (launch.source_id, launch.account_id, launch.region, launch.image_id)
    if not all(isinstance(name, str | int | None) for name in names):
        raise TypeError("a name is of another type")
    return launch


def _read_lookup(event: Mapping[str, Any]) -> Iterator[_Launch]:
    """Yield the launches of an event of LookupEvents, which has the record as text."""
    yield from _read_event(_parse_json(event["CloudTrailEvent"]))


def _read_event(event: Mapping[str, Any]) -> Iterator[_Launch]:
    """Yield the launches of an event of CloudTrail; of Lake, its fields may be text."""
    names = {str(name).lower(): value for name, value in event.items()}
    if "eventjson" in names:
        yield from _read_event(_parse_json(names["eventjson"]))
        return
    is_failed = names.get("errorcode") not in (None, "", "null")
    if names.get("eventname") != "RunInstances" or is_failed:
        return
    if _ROLE.search(str(names.get("useridentity"))):
        return
    images = _list_images(names.get("responseelements"))
    for image_id in dict.fromkeys(images):
        event_id = names.get("eventid")
        yield _Launch(
            source_id=event_id and f"{event_id} {image_id}",
            time=names.get("eventtime"),
            number=images.count(image_id),
            account_id=names.get("recipientaccountid"),
            region=names.get("awsregion"),
            image_id=image_id,
        )


def _list_images(response: Any) -> list[str | None]:
    """Return the image of each launched instance; of Lake's text, by its ``name=value`` form."""
    if isinstance(response, str) and not response.startswith('{"'):
        images = re.findall(r"imageId=(ami-[0-9a-f]+)", response)
        instances = re.findall(r"instanceId=i-[0-9a-f]+", response)
        return images if len(images) == len(instances) else [None] * len(instances)
    parsed = _parse_json(response) if isinstance(response, str) else response
    items = ((parsed or {}).get("instancesSet") or {}).get("items") or []
    return [item.get("imageId") for item in items]


def _read_lake(result: Mapping[str, Any]) -> Iterator[_Launch]:
    """Yield the launches of GetQueryResults, whose rows are lists of single columns."""
    for row in result["QueryResultRows"]:
        yield from _read_event({name: value for column in row for name, value in column.items()})


def _read_activity(activity: Mapping[str, Any]) -> Iterator[_Launch]:
    """Yield the launch of an activity of Auto Scaling; none if it failed, or started an old one."""
    text = str(activity.get("Description"))
    is_launch = text.startswith("Launching a new EC2 instance") and "from warm pool" not in text
    if is_launch and restore_value(activity.get("StatusCode")) not in ("Failed", "Cancelled"):
        arn = [*str(activity.get("AutoScalingGroupARN", "")).split(":"), *[""] * 5]
        yield _Launch(
            activity.get("ActivityId"), activity.get("StartTime"),
            account_id=arn[4] or None, region=arn[3] or None,
        )  # fmt: skip


def _read_reservation(reservation: Mapping[str, Any]) -> Iterator[_Launch]:
    """Yield the launches of a reservation: its instances that exist, but for preparation ones."""
    for instance in _list(reservation, "Instances"):
        tags = {tag.get("Key"): tag.get("Value") for tag in _list(instance, "Tags")}
        if tags.get("CreatedBy") == "EC2 Fast Launch":
            continue
        zone = str((instance.get("Placement") or {}).get("AvailabilityZone"))
        yield _Launch(
            instance.get("InstanceId"),
            _find_first_launch(instance),
            account_id=reservation.get("OwnerId"),
            region=zone[:-1] if re.fullmatch(r"[a-z]+(-[a-z]+)+-\d[a-z]", zone) else None,
            image_id=instance.get("ImageId"),
        )


def _find_first_launch(instance: Mapping[str, Any]) -> Any:
    """Return when an instance was first launched: LaunchTime changes when it starts again.

    The primary network interface stays attached from the first launch on (EC2 API Reference,
    Instance).
    """
    for interface in _list(instance, "NetworkInterfaces"):
        attachment = interface.get("Attachment") or {}
        if attachment.get("DeviceIndex") == 0 and attachment.get("AttachTime"):
            return attachment["AttachTime"]
    return instance.get("LaunchTime")


def _list(record: Mapping[str, Any], name: str) -> Any:
    """Return the values in a field, which Windows PowerShell may wrap; none if it is null."""
    values = record.get(name) or ()
    return open_array(values) if isinstance(values, Mapping) else values


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise SourceError(f"{_EXPECTED} Cannot parse an event as JSON: {error}.") from None


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[_Launch]]]] = {
    "QueryResultRows": _read_lake,
    "Activities": lambda page: chain.from_iterable(map(_read_activity, _list(page, "Activities"))),
    "Reservations": lambda page: chain.from_iterable(
        map(_read_reservation, _list(page, "Reservations"))
    ),
    "CloudTrailEvent": _read_lookup,
    "eventName": _read_event,
    "detail": lambda event: _read_event(event["detail"]),  # EventBridge, of any event
    "ActivityId": _read_activity,
    "Instances": _read_reservation,
    "InstanceId": lambda instance: _read_reservation({"Instances": [instance]}),
    "digestS3Object": lambda digest: iter(()),  # lies among CloudTrail's log files
}
"""A key of each kind of document, and what reads it."""
