"""From EventBridge's notifications to observations: every accepted source, and what is refused."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fastlaunch_nb.errors import SourceError, warn
from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.schema.columns import EVENTS
from fastlaunch_nb.sources.json_input import (
    SourceText,
    describe_value,
    is_path,
    is_text,
    iter_elements,
    parse_documents,
    read_text,
    table_from_items,
)

_SOURCE, _DETAIL_TYPE = "aws.ec2", "EC2 Fast Launch State-change Notification"
_PATHS = {  # where an event has what becomes a column; all other columns are null
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
_KINDS = 5  # that are named, before "and N more kinds"
_EXPECTED = (
    f"Expected EventBridge's events of {_SOURCE}, {_DETAIL_TYPE!r}: one or many "
    "(dicts, JSON text, a path to a file or to a folder of files, an open file)."
)


def from_events(source: object) -> pd.DataFrame:
    r"""Make observations of the notifications by which EventBridge tells each change of state.

    EventBridge delivers on a best-effort basis, at least once and in no order: the
    result is the same in whatever order, and however often, events come.

    Parameters
    ----------
    source : dict, iterable of dict, str, bytes, path or open file
        An event, or events: parsed, or as JSON (one, an array, JSON lines, or one
        after the other with nothing between, as Firehose writes them), as text, as
        bytes, as a path, or as an open file; of a folder, all files in it and below.
        Hidden ones are skipped, and links to folders not followed. What is
        compressed by gzip is told by its content.

    Returns
    -------
    pandas.DataFrame
        A row an event, by time, with the columns and dtypes of
        :data:`fastlaunch_nb.schema.columns.EVENTS`: those of :func:`from_pages`, and
        ``event_id``. ``state_transition_time`` and ``observed_at`` are the event's
        time, in whole seconds; what an event does not say is null. The state
        ``disabled`` is told by events only. Put after looks by ``pandas.concat``
        they make one history for :func:`fastlaunch_nb.state_intervals`.

    Raises
    ------
    SourceError
        The source is something else, or has events of other kinds only, or a part of
        it can not be read. Nothing of it is returned.

    Warns
    -----
    FastLaunchWarning
        Events of other kinds were among them, and are left out.

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
    ours, others = [], Counter[str]()
    for event in _iter_events(source):
        if (event.get("source"), event["detail-type"]) == (_SOURCE, _DETAIL_TYPE):
            ours.append(event)
        else:
            others[f"{event.get('source')}: {event['detail-type']}"] += 1
    if others and not ours:
        raise SourceError(
            f"{_EXPECTED} Got {_list_kinds(others)}. Have the rule match "
            f'{{"source": ["{_SOURCE}"], "detail-type": ["{_DETAIL_TYPE}"]}}.'
        )
    if others:
        warn(f"Left out what is not of Fast Launch: {_list_kinds(others)}.")
    return deduplicate_events(table_from_items(ours, _FIELDS, _EXPECTED))


def deduplicate_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return each event once, in an order that does not depend on that in which they came."""
    rest = [name for name in _PATHS if name not in _ORDER]
    events = events.sort_values(_ORDER + rest, kind="stable")
    again = events["event_id"].duplicated() & events["event_id"].notna()
    return events[~again].reset_index(drop=True)


def _list_kinds(others: Counter[str]) -> str:
    """Say how many events there are of which kinds."""
    kinds = sorted(others, key=lambda kind: (-others[kind], kind))
    named = ", ".join(f"{others[kind]:,} of {single_line(kind)[:120]}" for kind in kinds[:_KINDS])
    more = f", and {len(kinds) - _KINDS:,} more kinds" if len(kinds) > _KINDS else ""
    total = others.total()
    return f"{total:,} other event{'' if total == 1 else 's'} ({named}{more})"


# --- sources --------------------------------------------------------------------------


def _iter_events(source: object) -> Iterator[Mapping[str, Any]]:
    """Bring every accepted kind of source into one form, events."""
    if not is_text(source):
        yield from _validate(iter_elements(source, _EXPECTED), "")
        return
    for text in _iter_texts(source):
        for parsed in parse_documents(text, _EXPECTED):
            yield from _validate(iter_elements(parsed, _EXPECTED), f" in {text.name}")


def _validate(found: Iterable[object], place: str) -> Iterator[Mapping[str, Any]]:
    for event in found:
        if not isinstance(event, Mapping) or "detail-type" not in event:
            raise SourceError(f"{_EXPECTED} Got {describe_value(event)}{place}.")
        yield event


def _iter_texts(source: Any) -> Iterator[SourceText]:
    folder = Path(os.path.expanduser(source)) if is_path(source) else None
    if folder is None or not os.path.isdir(folder):  # which takes any text for a path
        yield read_text(source, _EXPECTED)
        return
    for path in _iter_files(folder):
        yield read_text(path, _EXPECTED)


def _iter_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and below, but for hidden ones."""

    def refuse(error: OSError) -> None:
        raise SourceError(f"{_EXPECTED} In {error.filename!r} can not be read: {error.strerror}.")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))
