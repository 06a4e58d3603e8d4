"""Families of AMIs: copies of one AMI elsewhere, and newer builds of it in its own region.

EC2 names the source of a copy, which is certain. Where it names none, AMIs with one name are
taken for siblings. AMIs whose names differ in a version or a date at the end only are taken for
builds of one family.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd

RegionalId: TypeAlias = tuple[str, str]
"""A region, and the id of an AMI there."""

_DATE = r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d"
_TIME = r"[-_. T]?[0-2]\d[-_.:]?[0-5]\d(?:[-_.:]?[0-5]\d)?(?:\.\d+)?Z?"
_SECONDS = r"\d{10,13}"  # since 1970
_VERSION = r"[vr]?(?!20(?:03|08|12|16|19|22|25)$)\d{1,9}(?:\.\d+)*"  # no release of Windows
_BUILD: Final = re.compile(rf"[-_. ]+(?:{_DATE}(?:{_TIME})?|{_SECONDS}|{_VERSION})$", re.IGNORECASE)


class Ami(NamedTuple):
    """An AMI as one account and region lists it."""

    account_id: str
    region: str
    image_id: str
    name: str | None
    created: Any  # a time, or None
    launched: Any  # the last time that it was launched, or None
    source: RegionalId | None  # if it is a copy: of which AMI
    has_fast_launch: bool = False

    @property
    def key(self) -> RegionalId:
        """The region and the id."""
        return self.region, self.image_id


def parse_ami(row: Mapping[Any, Any]) -> Ami:
    """Return the AMI of a row of a query.

    EC2 names a source for an AMI that was created from an instance too: the AMI of the
    instance. That one is no copy.
    """
    values: dict[str, Any] = {
        name: None if pd.isna(value) else value for name, value in row.items()
    }
    source: Any = values.get("image_source_region"), values.get("image_source_id")
    is_copy = None not in source and not values.get("source_instance_id")
    return Ami(
        values["account_id"],
        values["region"],
        values["image_id"],
        values.get("image_name"),
        values.get("image_creation_time"),
        values.get("image_last_launched_time"),
        source if is_copy else None,
        bool(values.get("has")),
    )


def get_family_name(name: str) -> str:
    """Return a name without the version, date or time of a build at its end.

    Examples
    --------
    >>> get_family_name("win2022-base-2026.01.14"), get_family_name("win2022-base-7")
    ('win2022-base', 'win2022-base')
    >>> get_family_name("win-2022"), get_family_name("golden 2026-01-14T12-30-15.912619Z")
    ('win-2022', 'golden')
    """
    return _BUILD.sub("", name) or name


class _Candidates(NamedTuple):
    """AMIs that are siblings of an image, except those that are the image itself."""

    amis: Sequence[Ami]
    by_region: Counter[tuple[str, str]]  # by account and region
    by_key: Counter[RegionalId]
    by_both: Counter[tuple[str, str, str]]

    def count_others(self, image: Ami) -> int:
        """Return the number of those in other accounts and regions, and with another key."""
        own = self.by_region[image.account_id, image.region] + self.by_key[image.key]
        return len(self.amis) - own + self.by_both[image[:3]]

    def label_others(self, image: Ami) -> str:
        """Return the labels of those without Fast Launch."""
        return ", ".join(
            "/".join(ami[:3])
            for ami in self.amis
            if not ami.has_fast_launch
            and ami.key != image.key
            and (ami.account_id, ami.region) != (image.account_id, image.region)
        )


class Families:
    """The AMIs that were read, by their copies and by their names."""

    def __init__(self, amis: Sequence[Ami], images: Iterable[Ami] = ()) -> None:
        self._sources = {ami.key: ami.source for ami in (*images, *amis) if ami.source}
        self._by_root: dict[RegionalId, list[Ami]] = defaultdict(list)
        self._by_name: dict[str, list[Ami]] = defaultdict(list)
        self._builds: dict[tuple[str, str, str], list[Ami]] = defaultdict(list)
        self._cache: dict[tuple[RegionalId, str | None, bool], _Candidates] = {}
        for ami in amis:
            self._by_root[self._find_root(ami.key)].append(ami)
            if ami.name is not None:
                self._by_name[ami.name].append(ami)
                family = (ami.account_id, ami.region, get_family_name(ami.name))
                self._builds[family].append(ami)

    def find_siblings(self, image: Ami) -> _Candidates:
        """Return the copies of an image's origin, and namesakes of which none is known to differ.

        Two copies of different AMIs are no siblings, whatever their names are.
        """
        root = self._find_root(image.key)
        key = (root, image.name, image.source is not None)
        if key not in self._cache:
            copies = self._by_root.get(root, [])
            namesakes = [
                ami
                for ami in self._by_name.get(image.name or "", ())
                if not (ami.source and image.source) and self._find_root(ami.key) != root
            ]
            amis = [*copies, *namesakes]
            self._cache[key] = _Candidates(
                amis,
                Counter((ami.account_id, ami.region) for ami in amis),
                Counter(ami.key for ami in amis),
                Counter(ami[:3] for ami in amis),
            )
        return self._cache[key]

    def find_successor(self, image: Ami) -> str:
        """Return the id of the newer build that is in use without Fast Launch; or an empty text.

        In use is the build that was launched last, of those that are newer than the image.
        """
        if image.name is None or image.created is None:
            return ""
        family = (image.account_id, image.region, get_family_name(image.name))
        newer = [
            ami
            for ami in self._builds.get(family, ())
            if ami.launched is not None and ami.created is not None and ami.created > image.created
        ]
        in_use = max(newer, key=lambda ami: (ami.launched, ami.created), default=None)
        return "" if in_use is None or in_use.has_fast_launch else in_use.image_id

    def _find_root(self, key: RegionalId) -> RegionalId:
        """Return the AMI from which a chain of copies began."""
        visited = {key}
        while (source := self._sources.get(key)) and source not in visited:
            visited.add(source)
            key = source
        return key
