"""Envelopes: any nesting of what AWS services wrap around an event gives the same rows."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.sources.envelopes import MAX_DEPTH, Document, unwrap
from tests.helpers.samples import OTHER_EVENT, make_event

EVENT = make_event(1, region="eu-west-1")
CONTROL = {
    "messageType": "CONTROL_MESSAGE",
    "logEvents": [{"id": "", "timestamp": 1, "message": "Checking health of destination."}],
}


def pack(content: Any) -> str:
    """Return content as a subscription of CloudWatch Logs has it: compressed, in base64."""
    return base64.b64encode(gzip.compress(json.dumps(content).encode())).decode()


def encode(content: Any) -> str:
    """Return content as Kinesis has it, in base64."""
    return base64.b64encode(json.dumps(content).encode()).decode()


def make_log(content: Any) -> dict[str, Any]:
    """Return what CloudWatch Logs sends to a subscription."""
    log_event = {"id": "1", "timestamp": 1, "message": json.dumps(content)}
    return {"messageType": "DATA_MESSAGE", "logGroup": "/aws/events/x", "logEvents": [log_event]}


def make_notification(content: Any) -> dict[str, Any]:
    """Return a message of SNS, as it arrives at a queue or an address."""
    return {"Type": "Notification", "TopicArn": "arn:x", "Message": json.dumps(content)}


# What AWS documents for each service; the number of levels that each adds.
ENVELOPES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "list": (lambda it: [it], 1),
    "text": (json.dumps, 1),
    "SQS with Lambda": (
        lambda it: {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(it)}]},
        4,
    ),
    "ReceiveMessage": (lambda it: {"Messages": [{"MessageId": "m", "Body": json.dumps(it)}]}, 4),
    "SNS": (make_notification, 2),
    "SNS with Lambda": (lambda it: {"Records": [{"Sns": make_notification(it)}]}, 5),
    "Kinesis with Lambda": (
        lambda it: {"Records": [{"kinesis": {"partitionKey": "k", "data": encode(it)}}]},
        5,
    ),
    "GetRecords": (lambda it: {"Records": [{"SequenceNumber": "1", "Data": encode(it)}]}, 4),
    "Firehose transformation": (lambda it: {"records": [{"recordId": "1", "data": encode(it)}]}, 4),
    "Lambda destination": (
        lambda it: {"version": "1.0", "requestPayload": it, "responsePayload": None},
        1,
    ),
    "CloudWatch Logs with Lambda": (lambda it: {"awslogs": {"data": pack(make_log(it))}}, 7),
    "subscription": (make_log, 4),
    "filter-log-events": (
        lambda it: {
            "events": [{"logStreamName": "s", "timestamp": 1, "message": json.dumps(it)}],
            "searchedLogStreams": [],
        },
        4,
    ),
    "live tail": (
        lambda it: {
            "sessionUpdate": {
                "sessionMetadata": {"sampled": False},
                "sessionResults": [{"message": json.dumps(it), "timestamp": 1}],
            }
        },
        5,
    ),
    "Insights": (
        lambda it: {
            "results": [
                [
                    {"field": "@timestamp", "value": "2026-01-10 20:30:12.000"},
                    {"field": "@message", "value": json.dumps(it)},
                    {"field": "@ptr", "value": "CmE="},
                ]
            ]
        },
        5,
    ),
    "Insights as JSON": (lambda it: [{"@timestamp": "2026-01-10", "@message": it}], 2),
    "PowerShell's array": (lambda it: {"value": [it, it], "Count": 2}, 2),
    "PowerShell's messages": (lambda it: [{"Body": json.dumps(it), "MessageId": "m"}], 3),
}


def wrap(names: list[str], content: Any = EVENT) -> Any:
    """Return an event in these envelopes, the first one outermost."""
    for name in reversed(names):
        content = ENVELOPES[name][0](content)
    return content


@pytest.mark.parametrize("name", ENVELOPES)
def test_each_envelope_is_opened(name: str) -> None:
    """Each envelope gives the event in it, parsed or as JSON; its levels are what they are."""
    expected = fl.from_events(EVENT)
    pd.testing.assert_frame_equal(fl.from_events([wrap([name])]), expected)
    pd.testing.assert_frame_equal(fl.from_events(json.dumps([wrap([name])])), expected)
    full = wrap(["list"] * (MAX_DEPTH - ENVELOPES[name][1]) + [name])
    assert next(unwrap([Document(full)], lambda it: "detail-type" in it, "")).content == EVENT
    with pytest.raises(fl.SourceError, match=f"nested more than {MAX_DEPTH} levels"):
        list(unwrap([Document([full])], lambda it: "detail-type" in it, "x"))


@given(st.lists(st.sampled_from(sorted(ENVELOPES)), max_size=8), st.integers(0, 2))
@example(["SQS with Lambda", "SNS", "CloudWatch Logs with Lambda"], 1)
@example(["subscription", "Kinesis with Lambda", "live tail", "Insights"], 2)
def test_any_nesting_gives_the_same_rows(names: list[str], others: int) -> None:
    """Law: envelopes in envelopes, up to the limit, give the rows of the events alone."""
    while sum(ENVELOPES[name][1] for name in names) > MAX_DEPTH:
        names = names[1:]
    events = [make_event(n) for n in range(others + 1)]
    wrapped = [wrap(names, event) for event in events]
    pd.testing.assert_frame_equal(fl.from_events(wrapped), fl.from_events(events))
    text = "\n".join(map(json.dumps, [wrapped, CONTROL]))
    pd.testing.assert_frame_equal(fl.from_events(text), fl.from_events(events))


def test_binary_records_are_opened() -> None:
    """Data of GetRecords is bytes in boto3, plain or compressed."""
    data = json.dumps(EVENT).encode()
    for record in (data, gzip.compress(data), gzip.compress(gzip.compress(data))):
        source = {"Records": [{"Data": record, "PartitionKey": "k"}]}
        pd.testing.assert_frame_equal(fl.from_events(source), fl.from_events(EVENT))


def test_control_messages_are_nothing() -> None:
    """A health check of CloudWatch Logs and the start of a live tail are no events."""
    assert fl.from_events([CONTROL, {"sessionStart": {"requestId": "1"}}]).empty


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("START RequestId: 1", "text without JSON"),
        (json.dumps(EVENT)[:-9], "text without JSON"),
        ("[INFO] started", "text without JSON"),
        ("aGVsbG8=", "text without JSON"),
        ("", "text without JSON"),
        (base64.b64encode(b"\xff\xfe\xfd").decode(), "text without JSON"),
        ('{"level": "info"}', "a dict with the keys 'level'"),
        (None, "NoneType"),
        (json.dumps(OTHER_EVENT), "aws.ec2: EC2 Instance State-change Notification"),
    ],
)
def test_other_messages_are_skipped(message: Any, kind: str) -> None:
    """What else a log or a queue has is skipped, and counted by its kind in one warning."""
    log = make_log(EVENT)
    log["logEvents"].append({"id": "2", "timestamp": 2, "message": message})
    with pytest.warns(fl.FastLaunchWarning) as caught:
        events = fl.from_events(log)
    assert events["event_id"].tolist() == ["e1"]
    assert [str(each.message) for each in caught] == [
        f"Skipped 1 other event (1 of {kind}), which are not of Fast Launch."
    ]


def test_a_log_without_events_is_an_error() -> None:
    """If a log has other messages only, the error counts them."""
    with pytest.raises(fl.SourceError, match=r"Got 1 other event \(1 of text without JSON\)"):
        fl.from_events({"logEvents": [{"message": "END"}]})


@pytest.mark.parametrize(("size", "count"), [(100, 2), (101, 1)])
def test_compressed_envelopes_share_a_limit(
    monkeypatch: pytest.MonkeyPatch, size: int, count: int
) -> None:
    """Compressed parts of a file together hold at most the limit; one byte more is an error."""
    monkeypatch.setattr("fastlaunch_nb.sources.json_input.MAX_BYTES", 200)
    data = base64.b64encode(gzip.compress(b"[]".ljust(size))).decode()
    source = [{"data": data} for _ in range(2)]
    opened = unwrap([Document(each) for each in source[:count]], lambda _: False, "")
    assert list(opened) == []
    opened = unwrap([Document(each, " in x") for each in [*source, *source]], lambda _: False, "")
    with pytest.raises(fl.SourceError, match="Cannot decompress an envelope in x: it holds more"):
        list(opened)


def test_a_damaged_envelope_is_an_error() -> None:
    """Compressed data that ends too early is an error: no event is lost silently."""
    data = base64.b64encode(gzip.compress(json.dumps(make_log(EVENT)).encode())[:-9]).decode()
    with pytest.raises(fl.SourceError, match="Cannot decompress an envelope"):
        fl.from_events([{"awslogs": {"data": data}}])


def test_deep_json_in_an_envelope_is_no_event() -> None:
    """Text that would exhaust the parser's stack is skipped as text."""
    with pytest.raises(fl.SourceError, match="1 of text without JSON"):
        fl.from_events([{"body": "[" * 100_000}])
