"""The Fast Launch images of one account and region, in order, at hand for any page."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import TypeAlias

from fastlaunch_nb.emulator.assumptions import ORDER
from fastlaunch_nb.emulator.image import FastLaunchImage

Filters: TypeAlias = Sequence[tuple[str, Sequence[str]]]
"""Names and values as they came: a name may come twice, and both must hold."""

FILTERED = ("resource-type", "owner-id", "state")
"""What EC2 filters by."""

_Kind: TypeAlias = tuple[str | None, ...]


class ImageIndex:
    """Images in order, in as many piles as there are kinds of them to filters.

    Images that no filter can tell apart are on one pile. A page is taken from the
    piles that its filters want, from where the last page ended, and costs the same
    whether there are few images or many, and whether few of them match or all.

    Examples
    --------
    >>> index = ImageIndex()
    >>> index.put_all(FastLaunchImage(f"ami-{n}", state="enabled") for n in (3, 1))
    >>> index.put(FastLaunchImage("ami-2", state="enabling"))
    >>> [image.image_id for image in index.after("ami-1")]
    ['ami-2', 'ami-3']
    >>> [image.image_id for image in index.after("", [("state", ["enabling"])])]
    ['ami-2']
    """

    def __init__(self) -> None:
        self._images: dict[str, FastLaunchImage] = {}
        self._piles: defaultdict[_Kind, list[str]] = defaultdict(list)

    def get(self, image_id: str) -> FastLaunchImage | None:
        """Return an image, or None where it is not here."""
        return self._images.get(image_id)

    def put(self, image: FastLaunchImage) -> None:
        """Put an image here, in place of the one with its id."""
        before = self._images.get(image.image_id)
        if before is None or _kind(before) != _kind(image):
            self.drop(image.image_id)
            insort(self._piles[_kind(image)], image.image_id, key=ORDER)
        self._images[image.image_id] = image

    def put_all(self, images: Iterable[FastLaunchImage]) -> None:
        """Put many images here: each pile is sorted once, not each image put in its place."""
        coming = {image.image_id: image for image in images}
        for image_id in coming.keys() & self._images.keys():
            self.drop(image_id)
        touched = {}
        for image_id, image in coming.items():
            pile = touched[_kind(image)] = self._piles[_kind(image)]
            pile.append(image_id)
        for pile in touched.values():
            pile.sort(key=ORDER)
        self._images.update(coming)

    def drop(self, image_id: str) -> None:
        """Take an image away, where it is here."""
        image = self._images.pop(image_id, None)
        if image is not None:
            pile = self._piles[_kind(image)]
            del pile[bisect_left(pile, ORDER(image_id), key=ORDER)]
            if not pile:
                del self._piles[_kind(image)]

    def named(self, image_ids: Iterable[str], filters: Filters = ()) -> list[FastLaunchImage]:
        """Return those of some images that are here and match, in order."""
        found = map(self.get, sorted(set(image_ids), key=ORDER))
        return [image for image in found if image and _matches(_kind(image), filters)]

    def after(self, image_id: str, filters: Filters = ()) -> Iterator[FastLaunchImage]:
        """Yield the images that match and come after one, in order."""
        wanted = [pile for kind, pile in self._piles.items() if _matches(kind, filters)]
        ids = merge(*(_ids_after(image_id, pile) for pile in wanted), key=ORDER)
        return (self._images[image_id] for image_id in ids)


def _ids_after(image_id: str, pile: Sequence[str]) -> Iterator[str]:
    start = bisect_right(pile, ORDER(image_id), key=ORDER)
    return (pile[place] for place in range(start, len(pile)))


def _kind(image: FastLaunchImage) -> _Kind:
    """Return what filters see of an image, in the order of their names."""
    return image.resource_type, image.owner_id, image.state


def _matches(kind: _Kind, filters: Filters) -> bool:
    return all(kind[FILTERED.index(name)] in values for name, values in filters)
