"""JSON input: text, bytes, open files and paths, parsed and converted to columns.

Error messages begin with the text `expected`, in which a caller describes its input.
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
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import pandas as pd

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.schema.columns import COUNT, TEXT, TIME, Column

_GZIP = b"\x1f\x8b"
MAX_BYTES = 1 << 30  # of decompressed data: a page of 200 images has some 150,000
_NOT_SPACE = re.compile(r"[^ \t\r\n]")


class SourceText(NamedTuple):
    """Text to parse, and its name for error messages."""

    content: str
    name: str


def iter_elements(source: object, expected: str) -> Iterable[Any]:
    """Return the elements of a source; a single dict is one element."""
    if isinstance(source, pd.DataFrame):
        raise SourceError(f"{expected} Got a DataFrame, which needs no conversion.")
    if isinstance(source, Mapping):
        return [source]
    if not isinstance(source, Iterable):
        raise SourceError(f"{expected} Got {describe_value(source)}.")
    return source


def describe_value(value: object) -> str:
    """Describe a value by its type or keys, because its content may be long or secret."""
    if isinstance(value, Mapping):
        keys = ", ".join(map(repr, list(value)[:5]))
        return f"a dict with the keys {keys}" if keys else "an empty dict"
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


# --- text -----------------------------------------------------------------------------


def is_text(source: object) -> bool:
    """Return whether a source is text, or has to be read to get text."""
    return isinstance(source, (str, bytes, os.PathLike)) or hasattr(source, "read")


def read_text(source: Any, expected: str) -> SourceText:
    """Read text from a string, bytes, a path or an open file; decompress gzip data.

    The encoding is detected: PowerShell's ``>`` writes UTF-16.
    """
    content, name = source, "the text"
    if hasattr(source, "read"):
        name = "the file"
        with _raise_source_errors(name, expected):
            content = source.read()
    elif is_path(source):
        content, name = _read_file(source, expected), f"the file {os.fspath(source)!r}"
    with _raise_source_errors(name, expected):
        if isinstance(content, bytes):
            content = _decompress(content) if content.startswith(_GZIP) else content
            content = content.decode(json.detect_encoding(content))
    return SourceText(content.removeprefix("\ufeff"), name)


def _decompress(content: bytes) -> bytes:
    with gzip.open(BytesIO(content)) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise gzip.BadGzipFile(f"it holds more than {MAX_BYTES:,} bytes")
    return data


def is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether a source is a path: a string is one unless it begins like JSON."""
    if isinstance(source, str):
        return source.lstrip("\ufeff \t\r\n")[:1] not in ("{", "[", "")
    return isinstance(source, os.PathLike)


def _read_file(path: Any, expected: str) -> bytes:
    try:
        return Path(os.path.expanduser(path)).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        short = str(path) if len(str(path)) <= 80 else f"{str(path)[:77]}..."
        raise SourceError(
            f"{expected} Got {short!r}, which is neither JSON text nor a readable file "
            f"({getattr(error, 'strerror', None) or error})."
        ) from None


def parse_document(text: SourceText, expected: str) -> object:
    """Parse a single JSON document."""
    with _raise_source_errors(text.name, expected, is_empty=not text.content.strip()):
        return json.loads(text.content)


def parse_documents(text: SourceText, expected: str) -> Iterator[object]:
    """Parse any number of JSON documents, with or without whitespace between them."""
    position, decode = 0, json.JSONDecoder().raw_decode
    while start := _NOT_SPACE.search(text.content, position):
        with _raise_source_errors(text.name, expected):
            document, position = decode(text.content, start.start())
        yield document


@contextmanager
def _raise_source_errors(name: str, expected: str, *, is_empty: bool = False) -> Iterator[None]:
    """Raise a SourceError with the name of a text that cannot be decompressed or parsed."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{expected} Cannot decompress {name}: {error}.") from None
    except (ValueError, RecursionError) as error:  # json and codecs raise ValueErrors
        hint = " It is empty." if is_empty else ""
        raise SourceError(f"{expected} Cannot parse {name} as JSON: {error}.{hint}") from None


# --- columns --------------------------------------------------------------------------


def table_from_items(
    items: Sequence[Mapping[str, Any]], columns: Sequence[Column], expected: str, **known: Any
) -> pd.DataFrame:
    """Make a DataFrame with a row for each item.

    A column without a path has its value in `known` in every row, or is null.
    """
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
    for depth, key in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            parent = ".".join(path[:depth])
            raise SourceError(f"{expected} Got {parent} with {describe_value(value)}, not a dict.")
        value = value.get(key)
    return value


def _to_array(column: Column, values: list[Any], expected: str) -> Any:
    types: tuple[type, ...] = {TEXT: (str,), COUNT: (int,), TIME: (datetime, str)}[column.dtype]
    for value in values:
        if value is not None and (not isinstance(value, types) or isinstance(value, bool)):
            raise SourceError(
                f"{expected} Got {'.'.join(column.path)} with {describe_value(value)}, "
                f"not {' or '.join(kind.__name__ for kind in types)}."
            )
    try:
        if column.dtype != TIME:
            return pd.array(values, dtype=column.dtype)
        times = pd.Series(values, dtype=object)
        return pd.to_datetime(times, utc=True, format="ISO8601").astype(TIME)
    except (ValueError, TypeError, OverflowError):  # for text: a lone surrogate
        wrong = {
            TEXT: "text that is not Unicode text",
            COUNT: "a number of more than 64 bits",
            TIME: "text that is not an ISO 8601 time",
        }
        raise SourceError(
            f"{expected} Got {'.'.join(column.path)} with {wrong[column.dtype]}."
        ) from None
