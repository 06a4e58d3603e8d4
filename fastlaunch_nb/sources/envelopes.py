"""Envelopes: what AWS services and PowerShell wrap around documents, opened to any depth.

SQS, SNS, Lambda, Kinesis, Firehose and CloudWatch Logs deliver a document inside of others: as
JSON in text, as base64, compressed, and in lists.
"""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.formatting import format_count, to_single_line
from fastlaunch_nb.sources import json_input
from fastlaunch_nb.sources.json_input import (
    SourceText,
    decompress,
    describe_value,
    is_log_line,
    parse_documents,
    raise_source_errors,
    skip_space,
)
from fastlaunch_nb.sources.powershell import check_depth, open_array

MAX_DEPTH = 32  # dicts, lists and texts: eight queues with a Lambda function behind each
_MAX_KINDS = 5  # that a message names
_CONTENT: Final = (
    "records",  # of Lambda, of Kinesis, of a transformation of Firehose; log files of CloudTrail
    "logevents",  # of a subscription to CloudWatch Logs
    "events",  # FilterLogEvents, GetLogEvents, LookupEvents
    "sessionupdate",  # StartLiveTail
    "sessionresults",
    "results",  # of a query of CloudWatch Logs Insights
    "messages",  # ReceiveMessage
    "awslogs",  # a subscription with a Lambda function
    "sns",
    "kinesis",
    "requestpayload",  # a destination of Lambda
    "body",  # SQS
    "@message",
    "message",  # SNS, an event of a log
    "data",  # Kinesis, Firehose, a subscription
)
"""Keys of what an envelope contains, in lower case; of several, the first one."""


class Document(NamedTuple):
    """A parsed document, and where it is from, such as `` in the file 'x'``."""

    content: Any
    origin: str = ""


class Payload(NamedTuple):
    """The content of an envelope: a document of the wanted kind, or something else."""

    content: Any
    origin: str
    is_inside: bool
    """True inside of an envelope, where other things may be, too."""


def unwrap(
    documents: Iterable[Document], is_wanted: Callable[[Mapping[Any, Any]], bool], expected: str
) -> Iterator[Payload]:
    """Yield what is in envelopes, of any nesting up to MAX_DEPTH, in order."""
    reader = _EnvelopeReader(is_wanted, expected)
    for content, origin in documents:
        yield from reader.open(Payload(content, origin, False), 0)


def describe_payload(content: Any) -> str:
    """Describe what was found in an envelope."""
    return "text without JSON" if isinstance(content, str) else describe_value(content)


def describe_kinds(others: Counter[str]) -> str:
    """Return the number of other events, and of each kind."""
    kinds = sorted(others, key=lambda kind: (-others[kind], kind))
    named = [f"{others[kind]:,} of {to_single_line(kind)[:120]}" for kind in kinds[:_MAX_KINDS]]
    more = len(kinds) - len(named)
    named += [f"and {format_count(more, 'more kind')}"] if more else []
    return f"{format_count(others.total(), 'other event')} ({', '.join(named)})"


class _EnvelopeReader:
    """Opens the envelopes of one file, whose compressed parts share one limit."""

    def __init__(self, is_wanted: Callable[[Mapping[Any, Any]], bool], expected: str) -> None:
        self._is_wanted = is_wanted
        self._expected = expected
        self._remaining = json_input.MAX_BYTES

    def open(self, payload: Payload, depth: int) -> Iterator[Payload]:
        """Yield a payload, or those inside of it."""
        content = payload.content
        is_document = isinstance(content, Mapping) and self._is_wanted(content)
        inner = None if is_document else self._open_once(payload)
        if inner is None:
            yield payload
            return
        if depth == MAX_DEPTH:
            raise SourceError(
                f"{self._expected} Got envelopes nested more than {MAX_DEPTH} levels "
                f"deep{payload.origin}. Take the documents out of them."
            )
        is_inside = payload.is_inside or not isinstance(content, list | tuple)
        for each in inner:
            yield from self.open(Payload(each, payload.origin, is_inside), depth + 1)

    def _open_once(self, payload: Payload) -> Iterable[Any] | None:
        """Return what is directly inside; None if it is no envelope."""
        content = payload.content
        if isinstance(content, Mapping):
            return _open_mapping(content)
        if isinstance(content, str | bytes):
            return self._open_text(content, payload.origin)
        return content if isinstance(content, list | tuple) else None

    def _open_text(self, content: str | bytes, origin: str) -> list[Any] | None:
        """Return the documents in text or binary data; None if there are none."""
        if isinstance(content, str):
            check_depth(content, self._expected, origin)
        text = content if _is_json(content) else self._decode(content, origin)
        if not isinstance(text, str) or not _is_json(text):
            return None
        try:
            return list(parse_documents(SourceText(text, "the text"), ""))
        except SourceError:
            return None

    def _decode(self, content: str | bytes, origin: str) -> str | None:
        """Return the text in base64 or bytes, decompressed; None if there is none."""
        try:
            data = _decode_base64(content) if isinstance(content, str) else content
        except ValueError:
            return None
        with raise_source_errors(f"an envelope{origin}", self._expected):
            decompressed: bytes = decompress(data, self._remaining)
        self._remaining -= len(decompressed)
        try:
            return decompressed.decode()
        except UnicodeDecodeError:
            return None


def _decode_base64(text: str) -> bytes:
    return binascii.a2b_base64("".join(text.split()), strict_mode=True)


def _is_json(content: Any) -> bool:
    """Return whether text begins like JSON or a line of a log."""
    if not isinstance(content, str):
        return False
    start = skip_space(content)
    return content[start : start + 1] in ("{", "[", '"') or is_log_line(content, start)


def _open_mapping(content: Mapping[Any, Any]) -> list[Any] | None:
    """Return the content of an envelope; None if it is none."""
    keys = {str(key).lower(): key for key in content}
    if content.get("messageType") == "CONTROL_MESSAGE" or "sessionstart" in keys:
        return []
    if content.keys() == {"value", "Count"}:
        return [open_array(content)]
    if {"field", "value"} <= keys.keys():  # a column of CloudWatch Logs Insights
        return [content["value"]] if content["field"] == "@message" else []
    for name in _CONTENT:
        if name in keys:
            return [content[keys[name]]]
    return None
