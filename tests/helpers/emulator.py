"""The emulator as a test needs it: with images in any state, and with faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.faults import FAULTS, Faults
from fastlaunch_nb.emulator.image import FastLaunchImage


def add_fast_launch_images(ec2: Any, images: Iterable[FastLaunchImage]) -> None:
    """Add images as they are; they stay so until a request enables or disables them.

    Their snapshots are only numbers: EC2 has none of them.
    """
    with CLOCK.still():
        for image in images:
            ec2.image_index.put(image)
            if image.image_id in ec2.lives:
                ec2.lives.pop(image.image_id).end()
            ec2.log_change(image)


@contextmanager
def inject_faults(**settings: Any) -> Iterator[Faults]:
    """Turn on faults, which are fields of Faults, and restore the previous ones afterwards."""
    previous = dict(vars(FAULTS))
    faults = Faults(**settings)
    FAULTS.set(faults)
    try:
        yield faults
    finally:
        vars(FAULTS).update(previous)
