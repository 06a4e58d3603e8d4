"""Old names of public arguments: they work for one release, with a warning."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from fastlaunch_nb.errors import InputError, warn_renamed

P = ParamSpec("P")
R = TypeVar("R")


def accept_old_names(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keyword arguments under their old names as well.

    Examples
    --------
    >>> @accept_old_names(colour="color")
    ... def paint(*, color="white"):
    ...     return color
    >>> import warnings
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     paint(colour="red")
    'red'
    >>> print(caught[0].message)
    paint(colour=) is now paint(color=). The old name goes with the next release.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in new_names.keys() & kwargs.keys():
                new = new_names[old]
                if new in kwargs:
                    raise InputError(f"{old} is now {new}. Expected {new} alone. Got both.")
                warn_renamed(f"{function.__name__}({old}=)", f"{function.__name__}({new}=)")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
