"""Tests of launches: from CloudWatch, CloudTrail, Auto Scaling, EC2, datetimes and patterns."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import yaml

import fastlaunch_nb as fl
from fastlaunch_nb.schema.tables import LAUNCHES

ACCOUNT, REGION = "111122223333", "eu-west-1"
AMI, OTHER = "ami-0aaaaaaaaaaaaaaa1", "ami-0bbbbbbbbbbbbbbb2"
EIGHT = pd.Timestamp("2026-01-05T08:00Z")


def make_event(number: int, images: list[str], **fields: Any) -> dict[str, Any]:
    """Return a RunInstances event of CloudTrail, so many seconds after eight."""
    items = [
        {"instanceId": f"i-{number:03x}{n:014x}", "imageId": ami} for n, ami in enumerate(images)
    ]
    return {
        "eventID": f"event-{number}",
        "eventName": "RunInstances",
        "eventTime": f"2026-01-05T08:00:{number:02}Z",
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "AssumedRole", "invokedBy": "autoscaling.amazonaws.com"},
        "responseElements": {"instancesSet": {"items": items}},
        **fields,
    }


EVENTS = [
    make_event(3, [OTHER]),
    make_event(1, [AMI, AMI]),
    make_event(2, [], eventName="StopInstances"),
    make_event(4, [AMI], errorCode="Client.InsufficientInstanceCapacity", responseElements=None),
    make_event(5, [AMI], userIdentity={"invokedBy": "ec2fastlaunch.amazonaws.com"}),
    make_event(
        6,
        [AMI],
        userIdentity={
            "sessionContext": {"sessionIssuer": {"userName": "AWSServiceRoleForEC2FastLaunch"}}
        },
    ),
]
EXPECTED = [(1, AMI), (1, AMI), (3, OTHER)]


def make_lake(event: dict[str, Any], *, is_json: bool) -> list[dict[str, str]]:
    """Return an event as a row of CloudTrail Lake: single columns, all of them text."""
    items = ((event["responseElements"] or {}).get("instancesSet") or {}).get("items", [])
    text = ", ".join(f"{{instanceId={it['instanceId']}, imageId={it['imageId']}}}" for it in items)
    response = f"{{requestId=1-2-3, instancesSet={{items=[{text}]}}}}"
    fields = {
        **event,
        "eventTime": event["eventTime"].replace("T", " ").replace("Z", ".000"),
        "responseElements": json.dumps(event["responseElements"]) if is_json else response,
        "userIdentity": str(event["userIdentity"]),
        "errorCode": event.get("errorCode", ""),
    }
    return [{name: value} for name, value in fields.items()]


LOOKUP = {
    "Events": [
        {"EventId": event["eventID"], "CloudTrailEvent": json.dumps(event), "EventName": "x"}
        for event in EVENTS
    ]
}
SOURCES: dict[str, Any] = {
    "log file": {"Records": EVENTS},
    "LookupEvents": LOOKUP,
    "Lake": {"QueryResultRows": [make_lake(event, is_json=False) for event in EVENTS]},
    "Lake with JSON": {"QueryResultRows": [make_lake(event, is_json=True) for event in EVENTS]},
    "Lake with eventJson": {"QueryResultRows": [[{"eventJson": json.dumps(e)}] for e in EVENTS]},
    "EventBridge": [{"detail-type": "AWS API Call via CloudTrail", "detail": e} for e in EVENTS],
    "events": iter(EVENTS),
    "pages": [{"Records": EVENTS[:2]}, {"Records": EVENTS[1:]}],
    "text": json.dumps({"Records": EVENTS}) + "\n" + json.dumps({"Records": EVENTS}),
    "bytes": gzip.compress(json.dumps(LOOKUP).encode()),
    "open file": io.StringIO("\n".join(map(json.dumps, EVENTS))),
}


def list_launches(frame: pd.DataFrame) -> list[tuple[int, Any]]:
    """Return the seconds after eight and the image of each launch."""
    seconds = (frame["time"] - EIGHT).dt.total_seconds().astype(int)
    return list(zip(seconds.tolist(), frame["image_id"].tolist(), strict=True))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_events_of_cloudtrail(source: Any) -> None:
    """All forms of CloudTrail's events give the launched instances, each event once.

    Other calls, failed ones, and those of Fast Launch itself are left out.
    """
    found = fl.launches(source)
    assert list_launches(found) == EXPECTED
    assert dict(found.dtypes) == {column.name: column.dtype for column in LAUNCHES}
    assert found["end"].tolist() == found["time"].tolist()
    assert found["account_id"].unique().tolist() == [ACCOUNT]
    assert found["region"].unique().tolist() == [REGION]


def test_files_and_folders(tmp_path: Path) -> None:
    """A file, a compressed one, and a folder of both are read; digests among them are no events."""
    plain, packed = tmp_path / "a.json", tmp_path / "b" / "c.json.gz"
    packed.parent.mkdir()
    plain.write_text(json.dumps({"Records": EVENTS[:1]}))
    packed.write_bytes(gzip.compress(json.dumps({"Records": EVENTS[1:]}).encode()))
    (tmp_path / "digest.json").write_text(json.dumps({"awsAccountId": "1", "digestS3Object": "x"}))
    (tmp_path / ".hidden").write_text("no JSON")
    assert list_launches(fl.launches(plain)) == [(3, OTHER)]
    assert list_launches(fl.launches(str(packed))) == [(1, AMI), (1, AMI)]
    assert (
        list_launches(fl.launches(tmp_path))
        == list_launches(fl.launches(str(tmp_path)))
        == EXPECTED
    )


ENVELOPES: dict[str, Any] = {
    "queue": [{"Records": [{"body": json.dumps({"detail": event})}]} for event in EVENTS],
    "log": {"events": [{"message": json.dumps(event), "timestamp": 1} for event in EVENTS]},
    "export to S3": "\n".join(f"2026-01-05T08:00:00.000Z {json.dumps(it)}" for it in EVENTS),
    "LookupEvents in a log": {"logEvents": [{"message": json.dumps(LOOKUP)}]},
    "Find-CTEvent": {"value": LOOKUP["Events"], "Count": len(EVENTS)},
    "YAML": yaml.dump({"Records": EVENTS}).encode(),
}


@pytest.mark.parametrize("source", ENVELOPES.values(), ids=ENVELOPES)
def test_events_in_envelopes(source: Any, tmp_path: Path) -> None:
    """Events may come through a queue, a log or PowerShell, and in a list of files."""
    assert list_launches(fl.launches(source)) == EXPECTED
    data = source if isinstance(source, bytes) else str(source).encode()
    if isinstance(source, dict | list):
        data = json.dumps(source).encode()
    path = tmp_path / "events.log"
    path.write_bytes(data)
    for files in (path, str(path), [path], [str(path), path]):
        assert list_launches(fl.launches(files)) == EXPECTED


def test_other_lines_of_a_log_are_counted() -> None:
    """Text in a log is skipped with a warning; events of other calls need none."""
    log = {"logEvents": [{"message": json.dumps(event)} for event in EVENTS]}
    assert list_launches(fl.launches(log)) == EXPECTED
    log["logEvents"].append({"message": "START RequestId: 1"})
    with pytest.warns(fl.FastLaunchWarning) as caught:
        assert list_launches(fl.launches(log)) == EXPECTED
    assert [str(each.message) for each in caught] == [
        "Skipped 1 other event (1 of text without JSON), which have no launches."
    ]


def test_exports_of_powershell() -> None:
    """Times and constants that ConvertTo-Json writes are those of boto3."""
    milliseconds = int(EIGHT.timestamp() * 1000) + 1000
    instance = {
        "InstanceId": "i-1", "ImageId": AMI, "LaunchTime": f"/Date({milliseconds})/",
        "State": {"Code": 16, "Name": {"Value": "running"}}, "Tags": {"value": [], "Count": 0},
    }  # fmt: skip
    reservation = {"OwnerId": ACCOUNT, "Instances": {"value": [instance], "Count": 1}}
    found = fl.launches(json.dumps({"value": [reservation], "Count": 1}))
    assert list_launches(found) == [(1, AMI)]
    activity = {"ActivityId": "a", "Description": "Launching a new EC2 instance: i-1"}
    activity["StartTime"] = f"/Date({milliseconds})/"
    failed: dict[str, Any] = {**activity, "ActivityId": "b", "StatusCode": {"Value": "Failed"}}
    text = json.dumps([activity, failed]).encode("utf-16")
    assert [second for second, _ in list_launches(fl.launches(text))] == [1]


def test_a_folder_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    """A damaged file of a folder is left out, and named in one warning."""
    (tmp_path / "a.json").write_text(json.dumps({"Records": EVENTS}))
    (tmp_path / "b.json").write_text('{"Records": [')
    (tmp_path / "c.json").write_text(json.dumps(make_event(9, [AMI], eventTime="noon-ish")))
    with pytest.warns(fl.FastLaunchWarning, match=r"Left out 2 files .*b\.json'.*c\.json'"):
        assert list_launches(fl.launches(tmp_path)) == EXPECTED


def test_an_event_without_images_still_counts() -> None:
    """Where Lake's text names instances but no images, the images are null."""
    row = [
        {"eventname": "RunInstances"},
        {"eventtime": "2026-01-05 08:00:01.000"},
        {"responseelements": "{instancesSet={items=[{instanceId=i-0a}, {instanceId=i-0b}]}}"},
    ]
    found = fl.launches({"QueryResultRows": [row]})
    assert found["time"].tolist() == [EIGHT + pd.Timedelta(seconds=1)] * 2
    assert found[["account_id", "region", "image_id"]].isna().sum().tolist() == [2, 2, 2]


def test_activities_of_auto_scaling() -> None:
    """Launches count; failed ones, terminations and starts from a warm pool do not."""
    arn = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/runners"

    def make_activity(number: int, text: str, status: str = "Successful") -> dict[str, Any]:
        time = datetime(2026, 1, 5, 8, 0, number, tzinfo=UTC)
        return {
            "ActivityId": f"a-{number}", "Description": text, "StatusCode": status,
            "StartTime": time, "AutoScalingGroupARN": arn,
        }  # fmt: skip

    activities = [
        make_activity(4, "Launching a new EC2 instance into warm pool: i-4"),
        make_activity(1, "Launching a new EC2 instance: i-1"),
        make_activity(2, "Terminating EC2 instance: i-2"),
        make_activity(3, "Launching a new EC2 instance from warm pool: i-3"),
        make_activity(5, "Launching a new EC2 instance.  Status Reason: no capacity", "Failed"),
        make_activity(6, "Launching a new EC2 instance: i-6", "Cancelled"),
    ]
    found = fl.launches({"Activities": activities + activities[:2]})
    assert [second for second, _ in list_launches(found)] == [1, 4]
    assert found[["account_id", "region"]].to_numpy().tolist() == [[ACCOUNT, REGION]] * 2
    assert found["image_id"].isna().tolist() == [True, True]
    as_json = json.dumps({"Activities": activities}, default=datetime.isoformat)
    pd.testing.assert_frame_equal(fl.launches(as_json), found)


def test_instances_of_ec2() -> None:
    """Instances count from their first launch; those that prepare snapshots do not."""
    zone = {"Placement": {"AvailabilityZone": f"{REGION}b"}}
    later = "2026-02-01T00:00:00+00:00"
    attached = {"Attachment": {"DeviceIndex": 0, "AttachTime": "2026-01-05T08:00:01+00:00"}}
    second = {"Attachment": {"DeviceIndex": 1, "AttachTime": "2026-01-09T08:00:01+00:00"}}
    instances = [
        {"InstanceId": "i-1", "ImageId": AMI, "LaunchTime": "2026-01-05T08:00:02+00:00", **zone},
        {"InstanceId": "i-2", "ImageId": OTHER, "LaunchTime": later,
         "NetworkInterfaces": [second, attached]},
        {"InstanceId": "i-3", "ImageId": AMI, "LaunchTime": later,
         "Tags": [{"Key": "CreatedBy", "Value": "EC2 Fast Launch"}]},
    ]  # fmt: skip
    found = fl.launches({"Reservations": [{"OwnerId": ACCOUNT, "Instances": instances}]})
    assert list_launches(found) == [(1, OTHER), (2, AMI)]
    assert found["account_id"].tolist() == [ACCOUNT, ACCOUNT]
    assert found["region"].fillna("?").tolist() == ["?", REGION]
    assert list_launches(fl.launches(instances)) == [(1, OTHER), (2, AMI)]


# --- CloudWatch -----------------------------------------------------------------------


def make_metrics(*counts: tuple[int | None, int | None], period: int = 3_600) -> pd.DataFrame:
    """Return metrics of one image, from eight on."""
    columns: dict[str, Any] = {"account_id": ACCOUNT, "region": REGION, "image_id": AMI}
    times = [EIGHT + pd.Timedelta(seconds=period * n) for n in range(len(counts))]
    frame = pd.DataFrame(counts, columns=["fast_launches", "cold_launches"], dtype="Int64")
    return frame.assign(**columns, period=period, time=times)


def test_sums_of_cloudwatch_have_a_start_and_an_end() -> None:
    """Each launch of a period has its start and its end; warm and cold ones count alike."""
    found = fl.launches(make_metrics((2, None), (0, 1), (None, None)).iloc[::-1])
    hour = pd.Timedelta(hours=1)
    assert found["time"].tolist() == [EIGHT, EIGHT, EIGHT + hour]
    assert (found["end"] - found["time"]).tolist() == [hour] * 3
    assert found["image_id"].unique().tolist() == [AMI]
    pd.testing.assert_frame_equal(fl.launches(found), found)


def test_launches_around_a_full_hour_are_together() -> None:
    """Twenty launches around a full hour, as hourly sums of 10 and 10, need 20 snapshots."""
    size = fl.right_size(fl.launches(make_metrics((4, 6), (7, 3))), fill_time=1800)
    assert size.target_count == 20
    assert size.warnings[0].startswith("The launches are sums by period, which lose their times")
    real = EIGHT + pd.Timedelta(hours=1) + pd.to_timedelta(np.arange(-10, 10), unit="s")
    assert fl.right_size(fl.launches(real), fill_time=1800).target_count == 20


def test_the_metrics_of_the_demo() -> None:
    """The launches of the demo's metrics are their sums, and size the pool of one image."""
    with fl.demo():
        images = fl.describe(region="us-east-1")
        metrics = fl.metrics(images, since="3 days", period="5 min")
    found = fl.launches(metrics)
    assert len(found) == metrics[["fast_launches", "cold_launches"]].sum().sum() > 10
    with pytest.raises(fl.InputError, match="Each has a pool of its own: choose one"):
        fl.right_size(found)
    busiest = found["image_id"].value_counts().index[0]
    size = fl.right_size(found[found["image_id"] == busiest], fill_time=metrics)
    assert size.fill_time_source.startswith("measured: ")
    assert size.launches == found["image_id"].value_counts().iloc[0]


# --- datetimes and patterns -----------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        [datetime(2026, 7, 1, 8), datetime(2026, 7, 1, 5, tzinfo=UTC)],
        pd.Series(pd.to_datetime(["2026-07-01T08:00", "2026-07-01T07:00"])),
        np.array(["2026-07-01T08:00", "2026-07-01T07:00"], dtype="datetime64[s]"),
    ],
    ids=["mixed", "Series", "array"],
)
def test_datetimes_may_be_in_a_time_zone(source: Any) -> None:
    """Times without a zone are in `time_zone`, and come out in UTC, in order."""
    found = fl.launches(source, time_zone="Europe/Berlin")
    assert [time.hour for time in found["time"]] == [5, 6]
    assert str(found["time"].dt.tz) == "UTC"
    same = fl.launches(source, time_zone=ZoneInfo("Europe/Berlin"))
    pd.testing.assert_frame_equal(same, found)


@pytest.mark.parametrize(
    ("pattern", "zone", "expected"),
    [
        ("cron(0 8 ? * MON-FRI *)", None, "2026-01-05T08:00Z"),
        ("cron(0 8 ? * MON-FRI *)", "Europe/Berlin", "2026-01-05T07:00Z"),
        ("second Tuesday 08:00 Europe/Berlin", "Asia/Tokyo", "2026-01-13T07:00Z"),
        ("every 15 minutes", timezone(timedelta(hours=-3)), "2026-01-05T03:00Z"),
        ("1 at 08:00", "UTC", "2026-01-05T08:00Z"),
    ],
)
def test_patterns_may_be_in_a_time_zone(pattern: str, zone: Any, expected: str) -> None:
    """A schedule is in UTC, as EventBridge has it, or in the zone that is given."""
    found = fl.launches(pattern, time_zone=zone)
    assert found["time"].iloc[0] == pd.Timestamp(expected)
    assert found["image_id"].notna().sum() == 0


def test_patterns_have_days_and_a_seed() -> None:
    """The days bound a pattern, and the seed chooses its random times."""
    one, same, other = (fl.launches("9 an hour", days=7, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert one["time"].tolist() != other["time"].tolist()
    assert one["time"].max() < pd.Timestamp("2026-01-12T00:00Z")
    assert fl.right_size(one, fill_time=600) == fl.right_size(
        "9 an hour", days=7, seed=1, fill_time=600
    )


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (5, "Expected launches: .* Got int"),
        ({"Buckets": []}, "Got a dict with the keys 'Buckets'"),
        ([{"Records": []}, 5], "Got int"),
        (pd.DataFrame({"a": [1], "b": [2]}), "Got a DataFrame with the columns a, b"),
        ("gone.json", "'gone.json', which is neither JSON text nor a readable file"),
        ('{"Records": [', "Cannot parse the text as JSON"),
        ({"Reservations": 5}, "Got a dict with the keys 'Reservations', parts of which are malf"),
        ({"Activities": [{"AutoScalingGroupARN": 1}, 5]}, "'Activities', parts of which are"),
        ([{**EVENTS[0], "responseElements": {"instancesSet": 1}}], "parts of which are malformed"),
        ([{"InstanceId": {}, "LaunchTime": "2026-01-05"}], "parts of which are malformed"),
        ([make_event(1, [AMI], awsRegion=[])], "parts of which are malformed"),
        ({"Records": [{"a": 1}]}, "Got a dict with the keys 'a'"),
        ({"Events": [{"CloudTrailEvent": "{"}]}, "Cannot parse an event as JSON"),
        ([make_event(1, [AMI], eventTime="yesterday-ish")], "Got the time 'yesterday-ish'"),
        ([make_event(1, [AMI], eventTime=None)], "Got the time 'None', which is none"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_other_sources_are_refused(source: Any, message: str) -> None:
    """The error has what was expected, and what was given without its content."""
    with pytest.raises(fl.SourceError, match=message):
        fl.launches(source)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time_zone": "Europe/Berlim"}, "time_zone is 'Europe/Berlim'. Expected a name"),
        ({"time_zone": 2}, "time_zone is 2"),
        ({"days": 0}, "days is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    """The error names the argument."""
    with pytest.raises(fl.InputError, match=message):
        fl.launches("1 at 08:00", **arguments)


def test_a_wrong_pattern_is_refused() -> None:
    """A text that is neither a file nor a pattern gets the error about patterns."""
    with pytest.raises(fl.InputError, match="Expected a pattern such as"):
        fl.launches("ten an hour")


@pytest.mark.parametrize("convert", [pa.Table.from_pandas, pl.from_pandas])
def test_frames_of_other_libraries(convert: Any) -> None:
    """Metrics of another library give the launches of pandas' own."""
    metrics = make_metrics((2, 1), (0, 3))
    pd.testing.assert_frame_equal(fl.launches(convert(metrics)), fl.launches(metrics))


def test_naive_times_of_a_frame_are_refused() -> None:
    """Times without a zone may be hours off: the error has the call that adds one."""
    metrics = make_metrics((2, 1))
    naive = metrics.assign(time=metrics["time"].dt.tz_localize(None))
    with pytest.raises(fl.InputError, match=r'tz_localize\("UTC"\)'):
        fl.launches(naive)


def test_nothing_launched_is_an_empty_frame() -> None:
    """Events without a launch give an empty frame with all columns, which has no size."""
    found = fl.launches({"Records": EVENTS[2:]})
    assert found.empty
    assert dict(found.dtypes) == {column.name: column.dtype for column in LAUNCHES}
    with pytest.raises(fl.InputError, match="no launch at all"):
        fl.right_size(found)
