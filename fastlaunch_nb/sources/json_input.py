"""JSON input: text, bytes, open files and paths, read, decompressed, decoded and parsed.

Error messages begin with the text `expected`, in which a caller describes its input.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import pandas as pd

from fastlaunch_nb.errors import SourceError

_GZIP = b"\x1f\x8b"
MAX_BYTES = 1 << 30  # of a file, also decompressed: a page of 200 images has some 150,000
MAX_GZIP_LAYERS = 3  # CloudWatch Logs compresses, and Firehose compresses that again
_BINARY = (bytes, bytearray, memoryview)
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")  # `>>` in Windows may put byte order marks between
_LOG_PREFIX = re.compile(  # a time, and up to three words such as the name of a log stream
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"(?:[ \t]+(?:[^\s{\[]\S*[ \t]+){0,3}|(?=[\r\n]|\Z))"
)
_NEXT_LOG_LINE = re.compile(rf"\n(?={_LOG_PREFIX.pattern})")


class SourceText(NamedTuple):
    """Text to parse, and its name for error messages."""

    content: str
    name: str


class SourceData(NamedTuple):
    """Text or decompressed bytes, and their name for error messages."""

    content: str | bytes
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


# --- data -----------------------------------------------------------------------------


def is_text(source: object) -> bool:
    """Return whether a source is text, or has to be read to get text."""
    return isinstance(source, (str, *_BINARY, os.PathLike)) or hasattr(source, "read")


def is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether a source is a path: a string is one unless it looks like data."""
    if isinstance(source, str):
        is_data = source.lstrip("\ufeff \t\r\n")[:1] in ("{", "[", "")
        return not (is_data or "\n" in source or '{"' in source)
    return isinstance(source, os.PathLike)


def read_text(source: Any, expected: str) -> SourceText:
    """Read text from a string, bytes, a path or an open file; decompress gzip data."""
    return decode_data(read_data(source, expected), expected)


def read_data(source: Any, expected: str) -> SourceData:
    """Read text or bytes from any of their sources; decompress gzip data."""
    content, name = source, "the text"
    if hasattr(source, "read"):
        name = "the file"
        with raise_source_errors(name, expected):
            content = _read_all(source)
    elif is_path(source):
        content, name = _read_file(source, expected), f"the file {os.fspath(source)!r}"
    elif isinstance(source, _BINARY):
        content = bytes(source)
    if len(content) > MAX_BYTES:
        raise SourceError(
            f"{expected} Got {name}, which holds more than {MAX_BYTES:,} bytes. Split it."
        )
    with raise_source_errors(name, expected):
        return SourceData(decompress(content, MAX_BYTES), name)


def decode_data(data: SourceData, expected: str) -> SourceText:
    """Decode bytes to text. The encoding is detected: PowerShell's ``>`` writes UTF-16."""
    content = data.content
    with raise_source_errors(data.name, expected):
        if isinstance(content, bytes):
            content = content.decode(json.detect_encoding(content))
    return SourceText(content.removeprefix("\ufeff"), data.name)


def decompress(content: Any, limit: int) -> Any:
    """Decompress bytes that are gzip data, also several layers; return others as they are."""
    for _ in range(MAX_GZIP_LAYERS):
        if not isinstance(content, bytes) or not content.startswith(_GZIP):
            return content
        with gzip.open(BytesIO(content)) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise gzip.BadGzipFile(f"it holds more than {limit:,} bytes")
    if content.startswith(_GZIP):
        raise gzip.BadGzipFile(f"it is compressed more than {MAX_GZIP_LAYERS} times")
    return content


def _read_all(file: Any) -> str | bytes:
    """Read an open file to its end, or until it is too large."""
    parts, size = [file.read(MAX_BYTES + 1)], 0
    while parts[-1] and size + len(parts[-1]) <= MAX_BYTES:
        size += len(parts[-1])
        parts.append(file.read(MAX_BYTES + 1 - size))
    content: str | bytes = parts[0][:0].join(parts)
    return content


def _read_file(path: Any, expected: str) -> bytes:
    try:
        with Path(os.path.expanduser(path)).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        short = str(path) if len(str(path)) <= 80 else f"{str(path)[:77]}..."
        raise SourceError(
            f"{expected} Got {short!r}, which is neither JSON text nor a readable file "
            f"({getattr(error, 'strerror', None) or error})."
        ) from None


# --- documents ------------------------------------------------------------------------


def parse_documents(text: SourceText, expected: str) -> Iterator[object]:
    """Parse any number of JSON documents, with or without whitespace between them.

    A line of a log becomes a dict with its message, as CloudWatch Logs has it: the document
    after the time, or text if there is none.
    """
    position, decode = 0, json.JSONDecoder().raw_decode
    content, end = text.content, len(text.content)
    while (position := skip_space(content, position)) < end:
        if is_log_line(content, position):
            message, position = _parse_log_line(content, position)
            yield {"message": message}
            continue
        with raise_source_errors(text.name, expected):
            document, position = decode(content, position)
        yield document


def skip_space(content: str, position: int = 0) -> int:
    """Return where the next text begins."""
    return _SPACE.match(content, position).end()  # type: ignore[union-attr]  # it always matches


def is_log_line(content: str, position: int = 0) -> bool:
    """Return whether a line of a log begins there, with its time."""
    return bool(_LOG_PREFIX.match(content, position))


def _parse_log_line(content: str, position: int) -> tuple[object, int]:
    """Return the message of a line, and where it ends: it may have several lines."""
    prefix = _LOG_PREFIX.match(content, position)
    start = prefix.end() if prefix else position
    following = _NEXT_LOG_LINE.search(content, start)
    end = following.start() if following else len(content)
    message = content[start:end].strip()
    if message.startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            return json.loads(message), end
    return message, end


@contextmanager
def raise_source_errors(name: str, expected: str, form: str = "JSON") -> Iterator[None]:
    """Raise a SourceError with the name of a text that cannot be decompressed or parsed."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{expected} Cannot decompress {name}: {error}.") from None
    except UnicodeDecodeError as error:
        hint = "Save it as UTF-8, or open it in binary mode."
        raise SourceError(f"{expected} Cannot parse {name} as {form}: {error}. {hint}") from None
    except (ValueError, RecursionError) as error:  # json and codecs raise ValueErrors
        raise SourceError(f"{expected} Cannot parse {name} as {form}: {error}.") from None
