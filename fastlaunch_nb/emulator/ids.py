"""Generated ids of the emulator: for a seed always the same, however much is read in between.

moto uses one random generator for everything, request ids included, so with it each read
would change the ids of resources created later.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from moto.moto_api._internal import mock_random


class IdGenerator:
    """A generator of ids with random numbers of its own.

    Examples
    --------
    >>> ids = IdGenerator(seed=1)
    >>> ids.make_id("snap")
    'snap-6cc46d7c566942ee2'
    >>> ids.make_request_id(), ids.make_request_id()[-4:]
    ('fa571a00-0000-4000-8000-000000000001', '0002')
    """

    def __init__(self, seed: int = 0) -> None:
        self.restart(seed)

    def restart(self, seed: int = 0) -> None:
        """Start again from a seed."""
        self.seed = seed
        # Every generated id follows from this text, so it must not change.
        self._random = random.Random(f"ids of the embedded EC2, {seed}")
        self._requests = count(1)

    def make_id(self, kind: str) -> str:
        """Return the next id of a resource, such as `snap` or `i`."""
        return draw_id(kind, self._random)

    def make_request_id(self) -> str:
        """Return the id of the next request; requests are numbered."""
        return f"fa571a00-0000-4000-8000-{next(self._requests):012x}"


def draw_id(kind: str, rng: random.Random) -> str:
    """Return the id of a resource from random numbers."""
    return f"{kind}-{rng.getrandbits(68):017x}"


IDS = IdGenerator()
"""The id generator of this process's emulator."""


@contextmanager
def seed_moto_ids(name: str | None = None) -> Iterator[None]:
    """Seed the ids that moto makes in this block from ours, which no read changes.

    With the name of a resource, they follow from it, whatever was generated before.
    """
    state = mock_random.getstate()
    mock_random.seed(f"{name}, {IDS.seed}" if name else IDS.make_id("r"))
    try:
        yield
    finally:
        mock_random.setstate(state)
