"""Events: EventBridge notifications of state changes, converted to observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from fastlaunch_nb.errors import SourceError, warn
from fastlaunch_nb.schema.columns import EVENTS
from fastlaunch_nb.sources.documents import SourceItems
from fastlaunch_nb.sources.envelopes import Document, describe_kinds, describe_payload, unwrap
from fastlaunch_nb.sources.item_table import table_from_items

_SOURCE, _DETAIL_TYPE = "aws.ec2", "EC2 Fast Launch State-change Notification"
_PATHS = {  # to the fields of an event; all other columns are null
    "account_id": ("account",),
    "region": ("region",),
    "image_id": ("detail", "imageId"),
    "state": ("detail", "state"),
    "state_transition_reason": ("detail", "stateTransitionReason"),
    "state_transition_time": ("time",),
    "resource_type": ("detail", "resourceType"),
    "observed_at": ("time",),
    "event_id": ("id",),
}
_FIELDS = tuple(column._replace(path=_PATHS.get(column.name, ())) for column in EVENTS)
_ORDER = ["observed_at", "account_id", "region", "image_id", "event_id"]
_WITHOUT_DETAIL = " without detail"
_EXPECTED = (
    f"Expected EventBridge events of {_SOURCE}, {_DETAIL_TYPE!r}: one or many "
    "(dicts, JSON text, a path to a file or to a folder of files, an open file), also as SQS, SNS, "
    "Lambda, Kinesis, Firehose or CloudWatch Logs deliver them."
)


def from_events(source: object) -> pd.DataFrame:
    r"""Convert EventBridge notifications of state changes to observations.

    EventBridge delivers events on a best-effort basis, in any order and sometimes
    twice: order and repetition do not change the result.

    Parameters
    ----------
    source : dict, iterable of dict, str, bytes, path, open file, or iterable of these
        One or more events: dicts, or JSON (a document, an array, JSON lines, or
        documents without a separator, as Firehose writes them) as text, bytes, a
        path or an open file. Data compressed by gzip is recognized by its content.

        Events may be in envelopes, of any nesting up to 32 levels: messages of SQS and
        SNS, what a Lambda function receives, records of Kinesis and Firehose, and
        CloudWatch Logs: subscriptions, ``filter-log-events``, ``tail``, live tail,
        Insights, and exports to S3.

        A path to a folder reads all files in it and below, in the order of their names;
        hidden files are skipped, and links to folders are not followed. What cannot be
        read is left out, with a warning.

    Returns
    -------
    pandas.DataFrame
        A row for each event, sorted by time, with the columns and dtypes of
        :data:`fastlaunch_nb.schema.columns.EVENTS`: those of :func:`from_pages`, and
        ``event_id``. ``state_transition_time`` and ``observed_at`` are the event's
        time, in whole seconds; missing fields are null. Only events have the state
        ``disabled``. ``pandas.concat`` joins observations of scans and of events
        into one history for :func:`fastlaunch_nb.intervals`.

    Raises
    ------
    SourceError
        If the source is something else, or has only events of other kinds; if a file that
        you name cannot be read completely, or no file of a folder. No rows are returned.

    Warns
    -----
    FastLaunchWarning
        If events of other kinds, or without detail, are skipped; if files of a folder are
        left out.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> event = '''{"id": "01234567-0123-0123-0123-012345678901", "source": "aws.ec2",
    ...     "detail-type": "EC2 Fast Launch State-change Notification",
    ...     "account": "123456789012", "region": "us-east-1", "time": "2022-08-31T20:30:12Z",
    ...     "detail": {"imageId": "ami-123456789012", "resourceType": "snapshot",
    ...                "state": "enabling", "stateTransitionReason": "Client.UserInitiated"}}'''
    >>> events = fl.from_events(event + event)
    >>> events[["image_id", "state", "observed_at"]]
               image_id     state               observed_at
    0  ami-123456789012  enabling 2022-08-31 20:30:12+00:00
    """
    items = SourceItems(source, _EXPECTED, _find_events)
    found = items.items()
    others = Counter(item for item in found if isinstance(item, str))
    if others and others.total() == len(found):
        raise SourceError(f"{_EXPECTED} Got {describe_kinds(others)}. {_advise(others)}")
    events = items.to_frame(_make_observations)
    if others:
        warn(f"Skipped {describe_kinds(others)}, which are not of Fast Launch.")
    return deduplicate_events(events)


def _find_events(documents: Iterable[Document]) -> Iterator[Mapping[str, Any] | str]:
    """Yield the events of Fast Launch, and the kind of each other event."""
    for content, origin, is_inside in unwrap(documents, _is_event, _EXPECTED):
        if not isinstance(content, Mapping) or not _is_event(content):
            if not is_inside:
                raise SourceError(f"{_EXPECTED} Got {describe_payload(content)}{origin}.")
            yield describe_payload(content)
        elif (content.get("source"), content["detail-type"]) != (_SOURCE, _DETAIL_TYPE):
            yield f"{content.get('source')}: {content['detail-type']}"
        elif not content.get("detail"):
            yield f"{_SOURCE}: {_DETAIL_TYPE}{_WITHOUT_DETAIL}"
        else:
            yield content


def _is_event(content: Mapping[Any, Any]) -> bool:
    return "detail-type" in content


def _make_observations(items: list[Mapping[str, Any] | str]) -> pd.DataFrame:
    """Return a row for each event, without those of other kinds."""
    events = [item for item in items if isinstance(item, Mapping)]
    return table_from_items(events, _FIELDS, _EXPECTED)


def _advise(others: Counter[str]) -> str:
    """Return what to change if there are events, but none with a state of Fast Launch."""
    if any(kind.endswith(_WITHOUT_DETAIL) for kind in others):
        return "Deliver the whole event: remove the input transformer of the rule's target."
    return (
        f'Set the rule\'s event pattern to {{"source": ["{_SOURCE}"], '
        f'"detail-type": ["{_DETAIL_TYPE}"]}}.'
    )


def deduplicate_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return each event once, in an order that does not depend on the input's."""
    other_columns = [name for name in _PATHS if name not in _ORDER]
    events = events.sort_values(_ORDER + other_columns, kind="stable")
    is_repeated = events["event_id"].duplicated() & events["event_id"].notna()
    return events[~is_repeated].reset_index(drop=True)
