"""What is handed over: as text, bytes, an open file or a path; its JSON; columns of its items.

Each function is told what its caller `expected`, in words, to say so where it refuses.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME, Column

_GZIP = b"\x1f\x8b"
_SPACE = re.compile(r"[ \t\r\n]*")


class SourceText(NamedTuple):
    """Text that is to be parsed, and its name for who has to find it."""

    content: str
    name: str


def iter_elements(source: object, expected: str) -> Iterable[object]:
    """Return what a source consists of; a dict may come alone."""
    if isinstance(source, pd.DataFrame):
        raise SourceError(f"{expected} Got a DataFrame: it is a frame already.")
    if isinstance(source, Mapping):
        return [source]
    if not isinstance(source, Iterable):
        raise SourceError(f"{expected} Got {describe_value(source)}.")
    return source


def describe_value(value: object) -> str:
    """Say what came, without repeating values that may be long or secret."""
    if isinstance(value, Mapping):
        keys = ", ".join(map(repr, list(value)[:5]))
        return f"a dict with the keys {keys}" if keys else "an empty dict"
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


# --- text -----------------------------------------------------------------------------


def is_text(source: object) -> bool:
    """Tell what is to be read and parsed from what is parsed already."""
    return isinstance(source, (str, bytes, os.PathLike)) or hasattr(source, "read")


def read_text(source: Any, expected: str) -> SourceText:
    """Read text, which may be compressed by gzip, from where it is.

    Bytes tell their encoding: PowerShell's ``>`` writes UTF-16.
    """
    content, name = source, "the text"
    if hasattr(source, "read"):
        name = "the file"
        with _name_in_errors(name, expected):
            content = source.read()
    elif is_path(source):
        content, name = _read_file(source, expected), f"the file {os.fspath(source)!r}"
    with _name_in_errors(name, expected):
        if isinstance(content, bytes):
            content = gzip.decompress(content) if content.startswith(_GZIP) else content
            content = content.decode(json.detect_encoding(content))
    return SourceText(content.removeprefix("\ufeff"), name)


def is_path(source: object) -> bool:
    """Tell a path from JSON text; one that is text does not begin as JSON does."""
    if isinstance(source, str):
        return source.lstrip("\ufeff \t\r\n")[:1] not in ("{", "[", "")
    return isinstance(source, os.PathLike)


def _read_file(path: Any, expected: str) -> bytes:
    try:
        return Path(os.path.expanduser(path)).read_bytes()
    except (OSError, ValueError) as error:  # of a path that can be none
        shown = str(path) if len(str(path)) <= 80 else f"{str(path)[:77]}..."
        raise SourceError(
            f"{expected} Got {shown!r}, which is neither JSON text nor a readable file "
            f"({getattr(error, 'strerror', None) or error})."
        ) from None


def parse_document(text: SourceText, expected: str) -> object:
    """Parse text that is one JSON document."""
    with _name_in_errors(text.name, expected, empty=not text.content.strip()):
        return json.loads(text.content)


def parse_documents(text: SourceText, expected: str) -> Iterator[object]:
    """Parse text that is any number of JSON documents, with or without space between them."""
    content, decode = text.content, json.JSONDecoder().raw_decode
    place = _skip_space(content, 0)
    while place < len(content):
        with _name_in_errors(text.name, expected):
            parsed, end = decode(content, place)
        yield parsed
        place = _skip_space(content, end)


def _skip_space(content: str, place: int) -> int:
    space = _SPACE.match(content, place)
    return space.end() if space else place


@contextmanager
def _name_in_errors(name: str, expected: str, *, empty: bool = False) -> Iterator[None]:
    """Refuse by its name what can not be decompressed, decoded or parsed."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{expected} In {name} is no whole gzip: {error}.") from None
    except (ValueError, RecursionError) as error:  # those of json and of codecs are ValueErrors
        said = f"{expected} In {name} is no JSON: {error}.{' It is empty.' if empty else ''}"
        raise SourceError(said) from None


# --- columns --------------------------------------------------------------------------


def table_from_items(
    items: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    expected: str,
    **known: Any,
) -> pd.DataFrame:
    """Make a table of items: a column is what its path leads to, else what is `known`, or null."""
    return pd.DataFrame(
        {
            column.name: _to_array(
                column,
                [_read_field(item, column.path, expected) for item in items]
                if column.path
                else [known.get(column.name)] * len(items),
                expected,
            )
            for column in columns
        }
    )


def _read_field(item: Mapping[str, Any], path: tuple[str, ...], expected: str) -> Any:
    value: Any = item
    for name in path:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise SourceError(f"{expected} Above {'.'.join(path)} stands {describe_value(value)}.")
        value = value.get(name)
    return value


def _to_array(column: Column, values: list[Any], expected: str) -> Any:
    kinds: tuple[type, ...] = {TEXT: (str,), COUNT: (int,), TIME: (datetime, str)}[column.dtype]
    for value in values:
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise SourceError(
                f"{expected} Got {'.'.join(column.path)} with {describe_value(value)}, "
                f"not {' or '.join(kind.__name__ for kind in kinds)}."
            )
    try:
        if column.dtype != TIME:
            return pd.array(values, dtype=column.dtype)
        times = pd.Series(values, dtype=object)
        return pd.to_datetime(times, utc=True, format="ISO8601").astype(TIME)
    except ValueError:  # of text: half a pair of surrogates
        wanted = "ISO 8601 time" if column.dtype == TIME else "Unicode text"
        raise SourceError(
            f"{expected} Got {'.'.join(column.path)} with what is no {wanted}."
        ) from None
