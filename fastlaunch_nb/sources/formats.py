"""Formats: the content of a file, parsed into documents by what it begins with.

JSON, JSON lines and logs; CSV and Parquet, of which each row is a dict; YAML as the AWS CLI
writes it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, Final

from fastlaunch_nb.errors import MissingExtraError, SourceError
from fastlaunch_nb.formatting import remove_guards
from fastlaunch_nb.sources.json_input import (
    SourceData,
    SourceText,
    decode_data,
    is_log_line,
    parse_documents,
    skip_space,
)

MAX_YAML_BYTES = 1 << 26
_MAX_YAML_LEVELS: Final = 64
_YAML_SCALARS: Final = {  # of YAML 1.2, where `off`, `yes` and `12:30:00` are text
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(?:0|[1-9][0-9]*)",
    "float": r"[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?",
    "timestamp": r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d*)?(?:Z|[-+]\d\d(?::?\d\d)?)?",
}
_MAX_HEADER: Final = 1 << 16
_CSV_HEADER: Final = re.compile(r"[\w@. \"-]+([,;\t])[\w@. \"-]*(?:\1[\w@. \"-]*)*\r?(?=\n|\Z)")
_YAML_START: Final = re.compile(r"---|%YAML|#|- |-\r?\n|\"?[\w-]+\"?:(?:\s|\Z)")
_ARCHIVES: Final = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"BZh": "compressed by bzip2",
}


def parse_formats(data: SourceData, expected: str) -> Iterator[Any]:
    """Yield the documents in text or bytes of any known format; none if it is blank."""
    if isinstance(data.content, bytes):
        if data.content.startswith(b"PAR1"):
            from fastlaunch_nb.sources.parquet_rows import parse_parquet  # takes 50 ms

            yield from parse_parquet(data.content, data.name, expected)
            return
        _refuse_archives(data.content, data.name, expected)
    text = decode_data(data, expected)
    start = skip_space(text.content)
    if text.content[start : start + 1] in ("{", "[", "") or is_log_line(text.content, start):
        yield from parse_documents(text, expected)
    elif header := _CSV_HEADER.match(text.content, start, start + _MAX_HEADER):
        yield from _parse_csv(text, header[1], expected)
    elif _YAML_START.match(text.content, start):
        yield from _parse_yaml(text, expected)
    else:
        yield from parse_documents(text, expected)


def _refuse_archives(content: bytes, name: str, expected: str) -> None:
    for start, kind in _ARCHIVES.items():
        if content.startswith(start):
            raise SourceError(f"{expected} Got {name}, which is {kind}. Unpack it, or save as CSV.")


def _parse_csv(text: SourceText, separator: str, expected: str) -> Iterator[Any]:
    """Yield rows; an empty cell is null, and the apostrophe before a formula goes."""
    lines = csv.reader(io.StringIO(text.content, newline=""), delimiter=separator, strict=True)
    try:
        header, *rows = filter(None, lines)
    except csv.Error as error:
        raise SourceError(f"{expected} Cannot parse {text.name} as CSV: {error}.") from None
    if not rows:
        yield []  # a table without rows is no empty file
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise SourceError(
                f"{expected} Cannot parse {text.name} as CSV: row {number:,} has {len(row)} of "
                f"{len(header)} columns."
            )
        cells = (remove_guards(cell) or None for cell in row)
        yield dict(zip(header, cells, strict=True))


# --- YAML -----------------------------------------------------------------------------


def _parse_yaml(text: SourceText, expected: str) -> Iterator[Any]:
    """Yield the documents of YAML without aliases, a few of which can fill the memory."""
    try:
        import yaml
    except ImportError:
        raise MissingExtraError(
            "yaml",
            f"Export {text.name} again as JSON, with --output json. To read its YAML fastlaunch_nb",
        ) from None
    if len(text.content) > MAX_YAML_BYTES:
        raise SourceError(
            f"{expected} Got {text.name}, YAML of more than {MAX_YAML_BYTES:,} characters. "
            "Export it again with --output json."
        )
    try:
        _check_yaml(yaml, text.content)
        documents = list(yaml.load_all(text.content, Loader=_make_yaml_loader(yaml)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = " ".join(str(error).split())
        raise SourceError(f"{expected} Cannot parse {text.name} as YAML: {message}.") from None
    yield from (document for document in documents if document is not None)


def _make_yaml_loader(yaml: Any) -> Any:
    """Return a loader of YAML 1.2, which the AWS CLI writes; PyYAML's own read 1.1."""
    loader = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.yaml_implicit_resolvers = {}  # type: ignore[attr-defined]
    for name, pattern in _YAML_SCALARS.items():
        whole = re.compile(f"(?:{pattern})\\Z")
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", whole, None)  # type: ignore[attr-defined]
        if whole.match(""):
            loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", whole, [""])  # type: ignore[attr-defined]
    return loader


def _check_yaml(yaml: Any, content: str) -> None:
    """Refuse aliases and deep nesting before anything is built."""
    level = 0
    for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, which the AWS CLI never writes")
        level += isinstance(event, yaml.CollectionStartEvent)
        level -= isinstance(event, yaml.CollectionEndEvent)
        if level > _MAX_YAML_LEVELS:
            raise yaml.YAMLError(f"it is nested more than {_MAX_YAML_LEVELS} levels deep")
