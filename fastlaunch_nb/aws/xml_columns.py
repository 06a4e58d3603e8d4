"""Columns of the items in the XML of an EC2 response.

botocore builds nested dicts for every item, which takes ten times as long and far
more memory. Here each field of an item becomes one list. botocore's service model
defines the fields, their tags and their types. A response that is not of the usual
form is left to botocore's parser, so that both always give the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from xml.etree import ElementTree

Path: TypeAlias = tuple[str, ...]
Columns: TypeAlias = Mapping[Path, Sequence[str | int | None]]
"""Path of a field in an item of the API, and its values: text, whole numbers, None if missing.

Times stay text, in ISO 8601 and UTC.
"""


_TIMES = re.compile(  # a time in each line
    r"(?:[12]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z\n)*", re.ASCII
)

_Texts: TypeAlias = list[str | None]
_Converter: TypeAlias = Callable[[_Texts], Sequence[str | int | None]]


class ExtractedColumns(NamedTuple):
    """The columns of a response, and the response without its items."""

    columns: Columns
    rest: bytes


def extract_columns(body: bytes, shape: Any, items: str) -> ExtractedColumns | None:
    """Extract the items of a response as columns.

    `shape` is the output shape of the operation in botocore's service model, and `items`
    its member that lists the items. Return None if botocore's parser is needed: the body is
    malformed or has not exactly one such list, an element is repeated in an item, or a number
    or a time does not have EC2's usual form.

    Examples
    --------
    >>> from botocore.session import get_session
    >>> model = get_session().get_service_model("ec2").operation_model("DescribeFastLaunchImages")
    >>> body = (b"<Answer><fastLaunchImageSet><item><imageId>ami-1</imageId>"
    ...         b"<state>enabled</state></item></fastLaunchImageSet></Answer>")
    >>> extracted = extract_columns(body, model.output_shape, "FastLaunchImages")
    >>> extracted.columns["ImageId",], extracted.columns["MaxParallelLaunches",]
    (['ami-1'], [None])
    >>> extracted.rest
    b'<Answer />'
    """
    member = shape.members[items]
    try:
        # As botocore does: UTF-8, whatever the document says. expat bounds entities.
        root = ElementTree.fromstring(body, ElementTree.XMLParser(encoding="utf-8"))  # noqa: S314
        tag = _tag_name(items, member)
        item_lists = [child for child in root if _strip_namespace(child.tag) == tag]
        if len(item_lists) != 1:
            return None
        converters: dict[Path, _Converter | None] = {}
        tags = _map_tags(member.member, (), converters)
        rows = [_read_row(item, tags, [None] * len(converters)) for item in item_lists[0]]
        columns = {
            path: converter([row[index] for row in rows])
            for index, (path, converter) in enumerate(converters.items())
            if converter
        }
        root.remove(item_lists[0])
        return ExtractedColumns(columns, ElementTree.tostring(root))
    except (ElementTree.ParseError, ValueError, RecursionError):
        return None


def _tag_name(name: str, shape: Any) -> str:
    return str(shape.serialization.get("name", name))


def _strip_namespace(tag: str) -> str:
    return tag.rpartition("}")[2]


class _Tags(dict[str, "int | _Tags | None"]):
    """Tags in a structure: the index of a field, or the tags inside another structure.

    Tags may have any namespace, or none, as for botocore. `index` is that of the structure.
    """

    index: int

    def __missing__(self, tag: str) -> int | _Tags | None:
        found = self[tag] = self.get(_strip_namespace(tag))
        return found


def _map_tags(shape: Any, parents: Path, converters: dict[Path, _Converter | None]) -> _Tags:
    """Map the tags of a structure, and add it and its fields to `converters`; skip lists."""
    tags = _Tags()
    tags.index = len(converters)
    converters[parents] = None
    for name, member in shape.members.items():
        path = (*parents, name)
        if member.type_name == "structure":
            tags[_tag_name(name, member)] = _map_tags(member, path, converters)
        elif member.type_name in _CONVERTERS:
            tags[_tag_name(name, member)] = len(converters)
            converters[path] = _CONVERTERS[member.type_name]
    return tags


def _check_times(column: _Texts) -> _Texts:
    lines = "".join([f"{text}\n" for text in column if text is not None])
    if not _TIMES.fullmatch(lines):
        raise ValueError("a time is not in ISO 8601 and UTC")
    return column


def _parse_counts(column: _Texts) -> list[int | None]:
    counts = [None if text is None else int(text) for text in column]
    if not all(count is None or -(2**63) <= count < 2**63 for count in counts):
        raise ValueError("a number has more than 64 bits")
    return counts


_CONVERTERS: Mapping[str, _Converter] = {
    "string": list,
    "timestamp": _check_times,
    "integer": _parse_counts,
    "long": _parse_counts,
}


def _read_row(node: ElementTree.Element, tags: _Tags, row: _Texts) -> _Texts:
    """Fill `row` with the text of each field inside `node`; return it."""
    for child in node:
        target = tags[child.tag]
        if target is None:
            continue
        if isinstance(target, _Tags):
            _read_row(child, target, row)
            target = target.index
        if row[target] is not None:
            raise ValueError(f"{child.tag} is repeated")
        row[target] = child.text or ""
    return row
