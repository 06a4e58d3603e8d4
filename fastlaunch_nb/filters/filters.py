"""A selection of rows: what is kept, what is counted, what EC2 itself can filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from json import dumps, loads
from typing import Any, Self, TypeAlias

import pandas as pd

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filters.codegen import generate_code
from fastlaunch_nb.filters.facet_index import FACETS, RANGES, FacetIndex
from fastlaunch_nb.schema.columns import API_FILTERS, TIME
from fastlaunch_nb.schema.joins import JOINED
from fastlaunch_nb.validation import (
    check_image_ids,
    check_unicode,
    parse_api_filters,
    parse_count,
    parse_range,
    parse_time,
    parse_values,
)

Chosen: TypeAlias = str | Iterable[str | None] | None
"""Values of a facet as one may give them: one, or several; None is one of them."""
Counts: TypeAlias = tuple[int | None, int | None]
Times: TypeAlias = tuple[pd.Timestamp | None, pd.Timestamp | None]
"""Ranges, from one end to the other, both included; None is an open end."""
Given: TypeAlias = Sequence[Any] | None
"""A range as one may give it: a pair, or None."""


@dataclass(frozen=True, init=False, repr=False)
class Filters:
    """A selection of rows: facets, ranges and a text, ANDed; within a facet its values, ORed.

    Parameters
    ----------
    account_id, region, state, launch_template, image_id, owner_id, resource_type : \
str or iterable of str, optional
        The values to keep; none means all. None among the values stands for
        rows without one. Case-sensitive, like EC2's. `launch_template` is the
        template's name, or its id where it has no name.
    text : str, optional
        Words that must all occur, in any case, anywhere in ids, names,
        templates, states and reasons.
    target_resource_count, max_parallel_launches, available_snapshots : \
pair of int, optional
        From the first to the second, both included; None is an open end. A row
        whose value is null is never in a range, as nothing is known of it; with
        both ends open there is no range, and all rows stay. `available_snapshots`
        is joined to a frame.
    state_transition_time : pair of datetime or str, optional
        The same for a time, in UTC where it names no zone.

    Raises
    ------
    InputError
        A value is no text; an end is no count or time; a range ends before it begins.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": "enabled"},
    ...                         {"ImageId": "ami-01234567890abcdef", "State": "enabling"}])
    >>> filters = fl.Filters(state="enabled")
    >>> filters.apply(images)["image_id"].tolist()
    ['ami-0abcdef1234567890']
    >>> filters.counts(images)["state"]
    {'enabling': 1, 'enabled': 1}
    >>> fl.Filters(state_transition_time=("2026-01-15", None))
    Filters(state_transition_time=('2026-01-15T00:00:00+00:00', None))
    """

    account_id: tuple[str | None, ...] = ()
    region: tuple[str | None, ...] = ()
    state: tuple[str | None, ...] = ()
    launch_template: tuple[str | None, ...] = ()
    image_id: tuple[str | None, ...] = ()
    owner_id: tuple[str | None, ...] = ()
    resource_type: tuple[str | None, ...] = ()
    target_resource_count: Counts | None = None
    max_parallel_launches: Counts | None = None
    available_snapshots: Counts | None = None
    state_transition_time: Times | None = None
    text: str = ""

    def __init__(
        self,
        *,
        account_id: Chosen = (),
        region: Chosen = (),
        state: Chosen = (),
        launch_template: Chosen = (),
        image_id: Chosen = (),
        owner_id: Chosen = (),
        resource_type: Chosen = (),
        text: str = "",
        target_resource_count: Given = None,
        max_parallel_launches: Given = None,
        available_snapshots: Given = None,
        state_transition_time: Sequence[datetime | str | None] | None = None,
    ) -> None:
        if not isinstance(text, str):
            raise InputError(f"text is {text!r}. Expected words as text.")
        check_unicode("text", text)
        given = locals()
        for facet in FACETS:
            object.__setattr__(self, facet, parse_values(facet, given[facet]))
        for name, dtype in RANGES.items():
            value = given[name]
            if dtype == TIME:
                object.__setattr__(self, name, parse_range(name, value, parse_time))
            else:
                object.__setattr__(self, name, parse_range(name, value, parse_count))
        object.__setattr__(self, "text", text)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self != Filters()

    def __repr__(self) -> str:
        return f"Filters({', '.join(f'{name}={value!r}' for name, value in self.plain().items())})"

    def apply(self, images: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that match, in their order and under their index labels."""
        return images[FacetIndex(images).keep(self)]

    def counts(self, images: pd.DataFrame) -> dict[str, dict[str | None, int]]:
        """Count, for every facet, the rows of each value that all *other* filters keep.

        Returns
        -------
        dict
            Facet to value to rows. Values of the whole frame, those with zero
            rows too; states in the order of :data:`STATES`, all else sorted,
            null (None) last.
        """
        return FacetIndex(images).counts(self)

    def said(self) -> dict[str, Any]:
        """Return the parts that are given, by their names: what is not there leaves out nothing.

        Examples
        --------
        >>> Filters(state="enabled", max_parallel_launches=(6, None)).said()
        {'state': ('enabled',), 'max_parallel_launches': (6, None)}
        """
        return {name: value for name, value in vars(self).items() if value}

    def plain(self) -> dict[str, Any]:
        """Return :meth:`said` in values that JSON and Python's literals have."""
        return {
            name: tuple(map(_as_text, value)) if name in RANGES else _as_list(value)
            for name, value in self.said().items()
        }

    def to_json(self) -> str:
        """Return all of it as JSON, for a notebook's parameter or a file.

        Examples
        --------
        >>> filters = Filters(state=["enabled", None], state_transition_time=("2026-01-15", None))
        >>> filters.to_json()
        '{"state": ["enabled", null], "state_transition_time": ["2026-01-15T00:00:00+00:00", null]}'
        >>> Filters.from_json(filters.to_json()) == filters
        True
        """
        return dumps(self.plain())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the filters that :meth:`to_json` has written.

        Raises
        ------
        InputError
            It is not text, not JSON, or not the JSON of filters.
        """
        expected = 'Expected the text of Filters.to_json(), such as \'{"state": ["enabled"]}\'.'
        if not isinstance(text, str):
            raise InputError(f"{expected} Got a {type(text).__name__}.")
        try:
            given = loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{expected} This is no JSON: {error}.") from None
        if not isinstance(given, Mapping):
            raise InputError(f"{expected} Got JSON of something else.")
        for name in given:
            if name not in _PARTS:
                raise InputError(
                    f"{expected} This has {name!r}, which is no filter.{did_you_mean(name, _PARTS)}"
                )
        return cls(**given)

    def to_code(
        self,
        kind: str = "fastlaunch",
        *,
        regions: Iterable[str] | None = None,
        profiles: Mapping[str, str] | None = None,
    ) -> str:
        """Return code that keeps the same rows, to paste somewhere else.

        What EC2 can filter, EC2 is asked to; the rest is done with its answer.
        Where a kind can not keep exactly these rows, the code is a comment that
        says why. Names that were joined to a frame are searched in it alone.

        Parameters
        ----------
        kind : {"fastlaunch", "boto3", "cli", "pandas"}
            A call of this package, whose rows are `images`; a paginator of boto3,
            whose items are `chosen`, each with its ``Region``; commands of the AWS
            CLI, which print them; or a line of pandas that makes `chosen` of `images`.
        regions : iterable of str, optional
            Where to look if the filters choose no region; your own region if not
            given. Not for pandas, as `images` have been read.
        profiles : dict of str, optional
            Account id to the profile that leads to it: look there, and of these in
            the accounts that the filters choose. Not for pandas.

        Raises
        ------
        InputError
            There is no such kind, or pandas is told where to look; `profiles` lacks
            an account that the filters choose.

        Examples
        --------
        >>> print(Filters(region="eu-west-1", owner_id=[None]).to_code("cli"))
        aws ec2 describe-fast-launch-images --region eu-west-1 \
--query 'FastLaunchImages[?OwnerId == `null`]'
        >>> print(Filters(region="eu-west-1", state="enabled").to_code())
        import fastlaunch_nb as fl
        <BLANKLINE>
        images = fl.sweep(
            regions=['eu-west-1'],
            filters=fl.Filters(region=['eu-west-1'], state=['enabled']),
        ).images
        """
        return generate_code(self, kind, regions, profiles)

    def to_request(self) -> dict[str, Any]:
        """Return what EC2 itself can filter, as parameters of DescribeFastLaunchImages."""
        request: dict[str, Any] = {}
        if self._pushable("image_id"):
            request["ImageIds"] = check_image_ids(
                [value for value in self.image_id if value is not None]
            )
        if chosen := self.pushed():
            request["Filters"] = parse_api_filters(chosen)
        return request

    def pushed(self) -> dict[str, tuple[str | None, ...]]:
        """Return the filters of EC2 that are used, by its names for them."""
        return {
            name: getattr(self, facet)
            for name, facet in API_FILTERS.items()
            if self._pushable(facet)
        }

    def check_answerable(self) -> None:
        """Refuse what is about joined columns, of which EC2's answer has none."""
        for name in self.said().keys() & JOINED.keys():
            raise InputError(
                f"Filters have the range {name}, of a column that is joined to images when they "
                "have been read. Read without it, join, and then use Filters.apply."
            )

    def local(self) -> Filters:
        """Return the part that EC2 can not filter."""
        pushed = ["image_id", *API_FILTERS.values()]
        nothing: dict[str, Any] = {facet: () for facet in pushed if self._pushable(facet)}
        return replace(self, **nothing)

    def _pushable(self, facet: str) -> bool:
        values = getattr(self, facet)
        return bool(values) and None not in values


_PARTS = (*FACETS, *RANGES, "text")


def _as_text(end: int | pd.Timestamp | None) -> int | str | None:
    return end.isoformat() if isinstance(end, pd.Timestamp) else end


def _as_list(value: str | tuple[str | None, ...]) -> str | list[str | None]:
    return value if isinstance(value, str) else list(value)
