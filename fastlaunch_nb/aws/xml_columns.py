"""Columns of the items in the XML of an EC2 response.

botocore builds nested dicts for every item, which takes ten times as long and far
more memory. Here each field of an item becomes one list. botocore's service model
defines the fields, their tags and their types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from xml.etree import ElementTree

Path: TypeAlias = tuple[str, ...]
Columns: TypeAlias = Mapping[Path, Sequence[str | int | None]]
"""Path of a field in an item of the API, and its values: text, whole numbers, None if missing.

Times stay text, in ISO 8601.
"""


class ExtractedColumns(NamedTuple):
    """The columns of a response, and the response without its items."""

    columns: Columns
    rest: bytes


class _Field(NamedTuple):
    path: Path
    convert: Callable[[str], Any]


_TagMap: TypeAlias = dict[str, "int | _TagMap"]
"""Tag to the index of its field, or to the tags inside it."""


def extract_columns(body: bytes, shape: Any, items: str) -> ExtractedColumns | None:
    """Extract the items of a response as columns.

    `shape` is the output shape of the operation in botocore's service model, and `items`
    its member that lists the items. Return None if the body is not XML, has no such list,
    or has text in place of a number.

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
        root = ElementTree.fromstring(body)  # noqa: S314  as botocore does; expat bounds entities
        namespace = root.tag[: root.tag.find("}") + 1]
        item_lists = root.findall(f"{namespace}{_tag_name(items, member)}")
        if not item_lists:
            return None
        fields: list[_Field] = []
        tag_map = _map_tags(member.member, namespace, (), fields)
        rows = [
            _read_row(item, tag_map, [None] * len(fields))
            for item_list in item_lists
            for item in item_list
        ]
        columns: dict[Path, list[Any]] = {}
        for index, (path, convert) in enumerate(fields):
            column: list[Any] = [row[index] for row in rows]
            if convert is not str:
                column = [None if text is None else convert(text) for text in column]
            columns[path] = column
    except (ElementTree.ParseError, ValueError):
        return None
    for item_list in item_lists:
        root.remove(item_list)
    return ExtractedColumns(columns, ElementTree.tostring(root))


def _tag_name(name: str, shape: Any) -> str:
    return str(shape.serialization.get("name", name))


def _map_tags(shape: Any, namespace: str, parents: Path, fields: list[_Field]) -> _TagMap:
    """Map the tags of a structure, and append its fields to `fields`; skip nested lists."""
    tag_map: _TagMap = {}
    for name, member in shape.members.items():
        tag = f"{namespace}{_tag_name(name, member)}"
        if member.type_name == "structure":
            tag_map[tag] = _map_tags(member, namespace, (*parents, name), fields)
        elif member.type_name in _CONVERT:
            tag_map[tag] = len(fields)
            fields.append(_Field((*parents, name), _CONVERT[member.type_name]))
    return tag_map


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "timestamp": str,
    "integer": int,
    "long": int,
}


def _read_row(
    node: ElementTree.Element, tag_map: _TagMap, row: list[str | None]
) -> list[str | None]:
    """Fill `row` with the text of each field inside `node`; return it."""
    for child in node:
        target = tag_map.get(child.tag)
        if isinstance(target, int):
            row[target] = child.text or ""
        elif target is not None:
            _read_row(child, target, row)
    return row
