"""Columns of the items in the XML of an EC2 response.

botocore builds nested dicts for every item, which takes thirty times as long and far
more memory. Here numpy finds the tags, their depths prove how they are nested, and Arrow
copies the texts between them, a field at a time. botocore's service model defines the
fields, their tags and their types. A response that is not of the usual form is left to
botocore's parser, so that both always give the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Columns: TypeAlias = pa.RecordBatch
"""A column for each field of an item, named by its path in the API: `LaunchTemplate.Version`."""
_Numbers: TypeAlias = np.ndarray[Any, Any]

# The list is a child of the root, and after whole elements without attributes or elements.
_HEAD: Final = re.compile(
    rb'\s*(?:<\?xml [^<>]*\?>\s*)?<[A-Za-z][\w.-]*(?: xmlns="[^"<>]*")?>'
    rb"(?:\s*<([A-Za-z][\w.-]*)>[^<>]*</\1>)*\s*"
)
_TAG: Final = re.compile(r"<(/?)([A-Za-z][\w.-]*)(/?)>", re.ASCII)  # without attributes, prefixes
_MAX_DEPTH: Final = 100
_NONCHARACTERS: Final = re.compile("[\ufffe\uffff]")  # which XML must not have
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_OTHER_ENTITY: Final = re.compile(rb"&(?!(?:lt|gt|quot|apos|amp);)")
_TIMES: Final = re.compile(  # a time in each line
    r"(?:[12]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z\n)*", re.ASCII
)


class ExtractedColumns(NamedTuple):
    """The columns of a response, and the response without its items."""

    columns: Columns
    rest: bytes


def extract_columns(body: bytes, shape: Any, items: str) -> ExtractedColumns | None:
    """Extract the items of a response as columns.

    `shape` is the output shape of the operation in botocore's service model, and `items`
    its member that lists the items. Return None if botocore's parser is needed: the body is
    malformed or has not exactly one such list, an element is repeated in an item, a number
    or a time does not have EC2's usual form, or there is XML that EC2 does not write, such as
    comments.

    Examples
    --------
    >>> from botocore.session import get_session
    >>> model = get_session().get_service_model("ec2").operation_model("DescribeFastLaunchImages")
    >>> body = (b"<Answer><fastLaunchImageSet><item><imageId>ami-1</imageId>"
    ...         b"<state>enabled</state></item></fastLaunchImageSet></Answer>")
    >>> extracted = extract_columns(body, model.output_shape, "FastLaunchImages")
    >>> extracted.columns.select(["ImageId", "MaxParallelLaunches"]).to_pylist()
    [{'ImageId': 'ami-1', 'MaxParallelLaunches': None}]
    >>> extracted.rest
    b'<Answer><fastLaunchImageSet></fastLaunchImageSet></Answer>'
    """
    member = shape.members[items]
    tag = _tag_name(items, member).encode()
    head, opening, following = body.partition(b"<%b>" % tag)
    inside, closing, tail = following.rpartition(b"</%b>" % tag)
    if not closing or body.count(tag) != 2 or not _HEAD.fullmatch(head):
        return None
    try:
        columns = _read_items(inside, _list_fields(member.member))
    except (ValueError, OverflowError):
        return None
    return ExtractedColumns(columns, b"".join([head, opening, closing, tail]))


def _tag_name(name: str, shape: Any) -> str:
    return str(shape.serialization.get("name", name))


def _require(is_usual: Any) -> None:
    if not is_usual:
        raise ValueError("the response needs botocore's parser")


def _read_items(inside: bytes, fields: Sequence[_Field]) -> Columns:
    strings = _split_at_tags(inside)
    elements = _find_elements(strings)
    found = _find_fields(fields, elements)
    rows = (found == 0).cumsum() - 1
    size = int((found == 0).sum())
    texts = np.full(len(fields) * size, -1)  # of a field for each item, then of the next field
    is_field = found >= 0
    texts[found[is_field] * size + rows[is_field]] = elements.texts[is_field]
    is_missing = texts < 0
    _require(len(texts) - is_missing.sum() == is_field.sum())  # else one is repeated
    values = strings.take(pa.array(texts, mask=is_missing))
    if b"&" in inside:
        _require(not _OTHER_ENTITY.search(inside))
        values = _unescape(values)
    columns = {
        field.path: field.convert(values.slice(number * size, size))
        for number, field in enumerate(fields)
        if field.convert
    }
    return pa.RecordBatch.from_pydict(columns)


# --- elements -------------------------------------------------------------------------


class _Elements(NamedTuple):
    """The elements inside the list in their order; items have the depth 1."""

    depths: _Numbers
    names: _Numbers
    texts: _Numbers  # the positions of their texts
    numbers: Mapping[str, int]  # of the names


def _split_at_tags(inside: bytes) -> pa.LargeStringArray:
    """Split XML into its tags, each followed by a text, and an empty text at the end."""
    data = np.frombuffer(inside, np.uint8)
    bounds = ((data == ord("<")) | (data == ord(">"))).nonzero()[0]
    marks = data[bounds]
    _require(
        len(marks) % 2 == 0 and (marks[::2] == ord("<")).all() and (marks[1::2] == ord(">")).all()
    )
    controls = data[data < ord(" ")]
    _require(((controls == ord("\n")) | (controls == ord("\t"))).all())
    _require(inside.isascii() or not _NONCHARACTERS.search(inside.decode()))
    bounds[1::2] += 1
    offsets = np.concatenate([bounds, [len(inside)] * 2])
    buffers = pa.py_buffer(offsets), pa.py_buffer(inside)
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)


def _find_elements(strings: pa.LargeStringArray) -> _Elements:
    """Find the elements; refuse tags that are not nested as in XML."""
    tags = strings.take(pa.array(np.arange(0, len(strings) - 1, 2))).dictionary_encode()
    numbers: dict[str, int] = {}
    names_of_tags, steps_of_tags = [], []
    for tag in tags.dictionary.to_pylist():
        name, step = _parse_tag(tag)
        names_of_tags.append(numbers.setdefault(name, len(numbers)))
        steps_of_tags.append(step)
    codes = tags.indices.to_numpy()
    names = np.array(names_of_tags, np.int64)[codes]
    steps = np.array(steps_of_tags, np.int8)[codes]
    totals = steps.cumsum(dtype=np.int32)
    _require(steps.sum() == 0 <= totals.min(initial=0) and totals.max(initial=0) < _MAX_DEPTH)
    depths = (totals + (steps < 1)).astype(np.int8)
    # At each depth ends follow beginnings, and must have the same names.
    order = depths.argsort(kind="stable")
    pairs = names[order[steps[order] != 0]]
    _require((pairs[::2] == pairs[1::2]).all())
    elements = (steps >= 0).nonzero()[0]
    # An empty element has no text, whatever follows it.
    texts = np.where(steps[elements], 2 * elements + 1, len(strings) - 1)
    return _Elements(depths[elements], names[elements], texts, numbers)


@lru_cache(maxsize=256)
def _parse_tag(tag: str) -> tuple[str, int]:
    """Return the name of a tag, and its step: 1 opens an element, -1 closes it, 0 does both."""
    match = _TAG.fullmatch(tag)
    if not match or (match[1] and match[3]):
        raise ValueError("it is not a tag, or has attributes or a prefix")
    return match[2], -1 if match[1] else 0 if match[3] else 1


# --- fields ---------------------------------------------------------------------------


class _Field(NamedTuple):
    """An item (the first), a structure or a field in it."""

    path: str
    tag: str
    parent: int  # its position among the fields
    depth: int
    convert: Callable[[Any], Any] | None


@lru_cache(maxsize=8)
def _list_fields(shape: Any) -> list[_Field]:
    """List the fields of an item at any depth; skip lists."""
    fields = [_Field("", "", -1, 1, None)]
    structures = [(shape, 0)]
    for structure, parent in structures:
        above = fields[parent]
        for name, member in structure.members.items():
            kind = member.type_name
            if kind == "structure":
                structures.append((member, len(fields)))
            elif kind not in _CONVERTERS:
                continue
            path = f"{above.path}.{name}" if parent else name
            tag = _tag_name(name, member)
            fields.append(_Field(path, tag, parent, above.depth + 1, _CONVERTERS.get(kind)))
    return fields


def _find_fields(fields: Sequence[_Field], elements: _Elements) -> _Numbers:
    """Return the position of each element among `fields`; -1 for one that is not a field."""
    depths, names, _, numbers = elements
    children = np.full((len(fields) + 1, len(numbers)), -1)  # the last row for no field
    for number, field in enumerate(fields):
        if field.tag in numbers:
            children[field.parent, numbers[field.tag]] = number
    found = np.where(depths == 1, 0, -1)
    above = (depths == 1).nonzero()[0]
    for depth in range(2, fields[-1].depth + 1):
        here = (depths == depth).nonzero()[0]
        parents = above[above.searchsorted(here) - 1]
        found[here] = children[found[parents], names[here]]
        above = here
    return found


# --- values ---------------------------------------------------------------------------


def _unescape(values: Any) -> Any:
    for entity, character in _ENTITIES.items():  # & is the last
        values = pc.replace_substring(values, entity, character)
    return values


def _copy(values: Any) -> Any:
    return pa.concat_arrays([values])  # as a pickle of a slice has all that it is a slice of


def _parse_times(values: Any) -> Any:
    lines = "".join([f"{text}\n" for text in values.to_pylist() if text is not None])
    _require(_TIMES.fullmatch(lines))
    return values.cast(pa.timestamp("us", "UTC"))


def _parse_counts(values: Any) -> Any:
    counts = [None if text is None else int(text) for text in values.to_pylist()]
    return pa.array(counts, pa.int64())


_CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _copy,
    "timestamp": _parse_times,
    "integer": _parse_counts,
    "long": _parse_counts,
}
