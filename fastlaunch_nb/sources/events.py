"""Events: EventBridge notifications of state changes, converted to observations."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fastlaunch_nb.errors import SourceError, warn
from fastlaunch_nb.formatting import format_count, to_single_line
from fastlaunch_nb.schema.columns import EVENTS
from fastlaunch_nb.sources.json_input import (
    describe_value,
    is_path,
    is_text,
    iter_elements,
    parse_documents,
    read_text,
    table_from_items,
)

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
_MAX_KINDS = 5  # that a message names
_EXPECTED = (
    f"Expected EventBridge events of {_SOURCE}, {_DETAIL_TYPE!r}: one or many "
    "(dicts, JSON text, a path to a file or to a folder of files, an open file)."
)


def from_events(source: object) -> pd.DataFrame:
    r"""Convert EventBridge notifications of state changes to observations.

    EventBridge delivers events on a best-effort basis, in any order and sometimes
    twice: order and repetition do not change the result.

    Parameters
    ----------
    source : dict, iterable of dict, str, bytes, path or open file
        One or more events: dicts, or JSON (a document, an array, JSON lines, or
        documents without a separator, as Firehose writes them) as text, bytes, a
        path or an open file. A path to a folder reads all files in it and below;
        hidden files are skipped, and links to folders are not followed. Data
        compressed by gzip is recognized by its content.

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
        If the source is something else, has only events of other kinds, or cannot
        be read completely. No rows are returned.

    Warns
    -----
    FastLaunchWarning
        If events of other kinds are skipped.

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
    events, others = [], Counter[str]()
    for event in _iter_events(source):
        if (event.get("source"), event["detail-type"]) == (_SOURCE, _DETAIL_TYPE):
            events.append(event)
        else:
            others[f"{event.get('source')}: {event['detail-type']}"] += 1
    if others and not events:
        raise SourceError(
            f"{_EXPECTED} Got {_describe_kinds(others)}. Set the rule's event pattern to "
            f'{{"source": ["{_SOURCE}"], "detail-type": ["{_DETAIL_TYPE}"]}}.'
        )
    if others:
        warn(f"Skipped {_describe_kinds(others)}, which are not of Fast Launch.")
    return deduplicate_events(table_from_items(events, _FIELDS, _EXPECTED))


def deduplicate_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return each event once, in an order that does not depend on the input's."""
    other_columns = [name for name in _PATHS if name not in _ORDER]
    events = events.sort_values(_ORDER + other_columns, kind="stable")
    is_repeated = events["event_id"].duplicated() & events["event_id"].notna()
    return events[~is_repeated].reset_index(drop=True)


def _describe_kinds(others: Counter[str]) -> str:
    """Return the number of other events, and of each kind."""
    kinds = sorted(others, key=lambda kind: (-others[kind], kind))
    named = [f"{others[kind]:,} of {to_single_line(kind)[:120]}" for kind in kinds[:_MAX_KINDS]]
    more = len(kinds) - len(named)
    named += [f"and {format_count(more, 'more kind')}"] if more else []
    total = others.total()
    return f"{format_count(total, 'other event')} ({', '.join(named)})"


# --- sources --------------------------------------------------------------------------


def _iter_events(source: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the events of any accepted source."""
    if not is_text(source):
        yield from _check_events(iter_elements(source, _EXPECTED), "")
        return
    folder = Path(os.path.expanduser(source)) if is_path(source) else None
    # Unlike Path.is_dir, os.path.isdir accepts any text.
    files = _iter_files(folder) if folder and os.path.isdir(folder) else [source]
    for file in files:
        text = read_text(file, _EXPECTED)
        for document in parse_documents(text, _EXPECTED):
            yield from _check_events(iter_elements(document, _EXPECTED), f" in {text.name}")


def _check_events(elements: Iterable[object], origin: str) -> Iterator[Mapping[str, Any]]:
    for event in elements:
        if not isinstance(event, Mapping) or "detail-type" not in event:
            raise SourceError(f"{_EXPECTED} Got {describe_value(event)}{origin}.")
        yield event


def _iter_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below, without hidden ones."""

    def raise_source_error(error: OSError) -> None:
        raise SourceError(f"{_EXPECTED} Cannot read {error.filename!r}: {error.strerror}.")

    for parent, folders, files in os.walk(folder, onerror=raise_source_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(files) if not name.startswith(".")):
            if path.exists() and not path.is_file():  # a pipe may never end
                raise SourceError(f"{_EXPECTED} Got {str(path)!r}, a pipe or a device. Move it.")
            yield path
