"""The index of the Fast Launch images of one account and region, from which pages are read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import TypeAlias

from fastlaunch_nb.emulator.image import FastLaunchImage

Filters: TypeAlias = Sequence[tuple[str, Sequence[str]]]
"""Names and values in the order of the request; filters with the same name must all match."""

FILTER_NAMES = ("resource-type", "owner-id", "state")
"""The filters that EC2 supports."""

_FilterValues: TypeAlias = tuple[str | None, ...]


class ImageIndex:
    """Images in the order of their ids, grouped by the values that filters match.

    A page is merged from the groups that match its filters, starting after the last page.
    Its cost does not depend on the number of images, nor on the share of them that matches.

    Examples
    --------
    >>> index = ImageIndex()
    >>> for image_id, state in [("ami-3", "enabled"), ("ami-1", "enabled"), ("ami-2", "enabling")]:
    ...     index.put(FastLaunchImage(image_id, state=state))
    >>> [image.image_id for image in index.iterate_after("ami-1")]
    ['ami-2', 'ami-3']
    >>> [image.image_id for image in index.iterate_after("", [("state", ["enabling"])])]
    ['ami-2']
    """

    def __init__(self) -> None:
        self._images: dict[str, FastLaunchImage] = {}
        self._groups: defaultdict[_FilterValues, list[str]] = defaultdict(list)

    def get(self, image_id: str) -> FastLaunchImage | None:
        """Return an image, or None if it is not in the index."""
        return self._images.get(image_id)

    def put(self, image: FastLaunchImage) -> None:
        """Add an image, or replace the one with its id."""
        previous = self._images.get(image.image_id)
        if previous is None or _filter_values(previous) != _filter_values(image):
            self.drop(image.image_id)
            insort(self._groups[_filter_values(image)], image.image_id)
        self._images[image.image_id] = image

    def drop(self, image_id: str) -> None:
        """Remove an image if it is in the index."""
        image = self._images.pop(image_id, None)
        if image is not None:
            group = self._groups[_filter_values(image)]
            del group[bisect_left(group, image_id)]
            if not group:
                del self._groups[_filter_values(image)]

    def select(self, image_ids: Iterable[str], filters: Filters = ()) -> list[FastLaunchImage]:
        """Return the images with these ids that are in the index and match, in order."""
        images = map(self.get, sorted(set(image_ids)))
        return [image for image in images if image and _matches(_filter_values(image), filters)]

    def iterate_after(self, image_id: str, filters: Filters = ()) -> Iterator[FastLaunchImage]:
        """Yield the images that match and come after an id, in order."""
        ids = [
            map(group.__getitem__, range(bisect_right(group, image_id), len(group)))
            for values, group in self._groups.items()
            if _matches(values, filters)
        ]
        return (self._images[image_id] for image_id in merge(*ids))


def _filter_values(image: FastLaunchImage) -> _FilterValues:
    """Return the values that filters match, in the order of FILTER_NAMES."""
    return image.resource_type, image.owner_id, image.state


def _matches(values: _FilterValues, filters: Filters) -> bool:
    return all(values[FILTER_NAMES.index(name)] in allowed for name, allowed in filters)
