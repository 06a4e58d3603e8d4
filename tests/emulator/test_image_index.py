"""The image index, compared with a sorted dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.image_index import ImageIndex
from tests.helpers.samples import ACCOUNT

STATES = st.sampled_from(["enabled", "enabling", None])
OWNERS = st.sampled_from([ACCOUNT, None])
CHANGES = st.lists(st.tuples(st.integers(0, 9), STATES, OWNERS, st.booleans()), max_size=30)
FIELDS = {"state": "state", "owner-id": "owner_id", "resource-type": "resource_type"}
VALUES = st.lists(st.sampled_from(["enabled", "enabling", ACCOUNT, "snapshot"]), max_size=2)
FILTERS = st.lists(st.tuples(st.sampled_from(list(FIELDS)), VALUES), max_size=2)


@given(CHANGES, FILTERS, st.integers(0, 9))
def test_the_index_is_a_sorted_dictionary(
    changes: list[tuple[int, str | None, str | None, bool]],
    filters: list[tuple[str, list[str]]],
    after: int,
) -> None:
    """Law: after any changes the index answers like a loop over a sorted dictionary."""
    index, images = ImageIndex(), dict[str, FastLaunchImage]()
    for number, state, owner, stays in changes:
        image = FastLaunchImage(f"ami-{number}", state=state, owner_id=owner)
        index.put(image)
        images[image.image_id] = image
        if not stays:
            index.drop(image.image_id)
            del images[image.image_id]
    matching = [
        images[image_id]
        for image_id in sorted(images)
        if all(getattr(images[image_id], FIELDS[name]) in values for name, values in filters)
    ]
    later = [image for image in matching if image.image_id > f"ami-{after}"]
    assert list(index.iterate_after(f"ami-{after}", filters)) == later
    assert index.select(images, filters) == matching
