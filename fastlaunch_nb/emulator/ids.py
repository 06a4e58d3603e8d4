"""Ids that the embedded EC2 makes up: the same for a seed, whatever is read in between.

moto has one generator for everything, and draws on it for each answer's request
id: with that, a read would change the ids of what is made after it.
"""

from __future__ import annotations

import random
from itertools import count


class Ids:
    """Makes ids up, in an order of its own.

    Examples
    --------
    >>> ids = Ids(seed=1)
    >>> ids.of("snap")
    'snap-6cc46d7c566942ee2'
    >>> ids.request(), ids.request()[-4:]
    ('fa571a00-0000-4000-8000-000000000001', '0002')
    """

    def __init__(self, seed: int = 0) -> None:
        self.restart(seed)

    def restart(self, seed: int = 0) -> None:
        """Begin again, from a seed."""
        self._random = random.Random(f"ids of the embedded EC2, {seed}")
        self._requests = count(1)

    def of(self, kind: str) -> str:
        """Return the next id of a resource, such as a `snap` or an `i`."""
        return f"{kind}-{self._random.getrandbits(68):017x}"

    def request(self) -> str:
        """Return the id of the next request: they are counted."""
        return f"fa571a00-0000-4000-8000-{next(self._requests):012x}"


IDS = Ids()
"""The ids of this process's embedded EC2."""
