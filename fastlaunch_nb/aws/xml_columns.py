"""The wire: the body of an EC2 answer, its items as columns.

botocore makes a dict of dicts of every item, which takes ten times as long and
many times the memory. Here each leaf of the item's shape becomes one list. What
is a leaf, under which tag it stands and what kind it is, the output shape of
botocore's service model says, which the caller hands over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from xml.etree import ElementTree

Path: TypeAlias = tuple[str, ...]
Columns: TypeAlias = Mapping[Path, Sequence[str | int | None]]
"""Path to a field in an item of the API, to its values: text, whole numbers, None where missing.

Times are text, as they came: ISO 8601.
"""


class ExtractedColumns(NamedTuple):
    """What was taken out of an answer, and the answer without it."""

    columns: Columns
    rest: bytes


class _Leaf(NamedTuple):
    path: Path
    convert: Callable[[str], Any]


_Places: TypeAlias = dict[str, "int | _Places"]
"""Tag to the number of its leaf, or to the tags below it."""


def extract_columns(body: bytes, shape: Any, items: str) -> ExtractedColumns | None:
    """Take the items out of an answer, as columns.

    Parameters
    ----------
    body : bytes
        The answer, as EC2 sent it.
    shape : botocore.model.StructureShape
        The output shape of the operation.
    items : str
        The member of the shape that lists the items.

    Returns
    -------
    Taken or None
        The columns, and the answer without them. None where the body is not
        XML, has no such list, or a number in it is none.

    Examples
    --------
    >>> from botocore.session import get_session
    >>> model = get_session().get_service_model("ec2").operation_model("DescribeFastLaunchImages")
    >>> body = (b"<Answer><fastLaunchImageSet><item><imageId>ami-1</imageId>"
    ...         b"<state>enabled</state></item></fastLaunchImageSet></Answer>")
    >>> taken = extract_columns(body, model.output_shape, "FastLaunchImages")
    >>> taken.columns["ImageId",], taken.columns["MaxParallelLaunches",]
    (['ami-1'], [None])
    >>> taken.rest
    b'<Answer />'
    """
    member = shape.members[items]
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  as botocore does; expat bounds entities
        namespace = root.tag[: root.tag.find("}") + 1]
        found = root.findall(f"{namespace}{_tag(items, member)}")
        if not found:
            return None
        leaves: list[_Leaf] = []
        places = _places(member.member, namespace, (), leaves)
        rows = [_row(node, places, len(leaves)) for part in found for node in part]
        columns = dict(_columns(rows, leaves))
    except (ElementTree.ParseError, ValueError):
        return None
    for part in found:
        root.remove(part)
    return ExtractedColumns(columns, ElementTree.tostring(root))


def _tag(name: str, shape: Any) -> str:
    return str(shape.serialization.get("name", name))


def _places(shape: Any, namespace: str, above: Path, leaves: list[_Leaf]) -> _Places:
    """Return where each tag of a structure leads; add its leaves. Lists in items are left out."""
    places: _Places = {}
    for name, member in shape.members.items():
        tag = f"{namespace}{_tag(name, member)}"
        if member.type_name == "structure":
            places[tag] = _places(member, namespace, (*above, name), leaves)
        elif member.type_name in _CONVERT:
            places[tag] = len(leaves)
            leaves.append(_Leaf((*above, name), _CONVERT[member.type_name]))
    return places


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "timestamp": str,
    "integer": int,
    "long": int,
}


def _row(node: ElementTree.Element, places: _Places, size: int) -> list[str | None]:
    row: list[str | None] = [None] * size
    _fill(node, places, row)
    return row


def _fill(node: ElementTree.Element, places: _Places, row: list[str | None]) -> None:
    for child in node:
        place = places.get(child.tag)
        if isinstance(place, int):
            row[place] = child.text or ""
        elif place is not None:
            _fill(child, place, row)


def _columns(
    rows: Sequence[Sequence[str | None]], leaves: Sequence[_Leaf]
) -> Iterator[tuple[Path, list[Any]]]:
    for place, (path, convert) in enumerate(leaves):
        values = [row[place] for row in rows]
        if convert is not str:
            yield path, [None if value is None else convert(value) for value in values]
        else:
            yield path, values
