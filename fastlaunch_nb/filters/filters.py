"""Filters: the public class that selects rows of images, locally and in requests to EC2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import Any, Self, TypeAlias

import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.filters import fields
from fastlaunch_nb.filters.codegen import generate_code
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import FACETS, RANGES
from fastlaunch_nb.filters.python_code import format_filters
from fastlaunch_nb.number_checks import parse_count
from fastlaunch_nb.schema.columns import TIME
from fastlaunch_nb.validation import (
    check_unicode,
    parse_api_filters,
    parse_image_ids,
    parse_range,
    parse_time,
    parse_values,
    require_columns,
)

FacetLike: TypeAlias = str | Iterable[str | None] | None
"""Values of a facet as an argument: one, or several; None matches rows without a value."""
RangeLike: TypeAlias = Sequence[Any] | None
"""A range as an argument: a pair, or None."""
CountRange: TypeAlias = tuple[int | None, int | None]
TimeRange: TypeAlias = tuple[pd.Timestamp | None, pd.Timestamp | None]

_FIELDS = (*FACETS, *RANGES, "text")


@dataclass(frozen=True, init=False, repr=False)
class Filters:
    """A selection of rows: a row matches if it matches every field.

    Parameters
    ----------
    account_id, region, state, launch_template, image_id, owner_id, resource_type : \
str or iterable of str, optional
        The values to keep; no value keeps every row. None among the values matches rows
        without one. Case-sensitive, like EC2's filters. `launch_template` is the template's
        name, or its id if it has no name.
    text : str, optional
        Words that must all occur, in any case, in ids, names, templates, states and reasons.
    target_resource_count, max_parallel_launches, available_snapshots, missing_snapshots : \
pair of int, optional
        The lowest and the highest value to keep; None is an open end. A range never matches
        a null; with both ends open, it keeps every row. `available_snapshots` is a column of
        :func:`fastlaunch_nb.enrich`. `missing_snapshots` is what the stock, of its joins
        ``"metrics"`` and ``"snapshots"``, lacks of the target: ``(1, None)`` keeps pools
        that are short. It is unknown while Fast Launch is being disabled.
    state_transition_time : pair of datetime or str, optional
        The first and the last time to keep, in UTC unless they name a time zone.

    Raises
    ------
    InputError
        If a value is not text, an end is not a count or time, or a range ends before it begins.

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
    target_resource_count: CountRange | None = None
    max_parallel_launches: CountRange | None = None
    available_snapshots: CountRange | None = None
    missing_snapshots: CountRange | None = None
    state_transition_time: TimeRange | None = None
    text: str = ""

    def __init__(
        self,
        *,
        account_id: FacetLike = (),
        region: FacetLike = (),
        state: FacetLike = (),
        launch_template: FacetLike = (),
        image_id: FacetLike = (),
        owner_id: FacetLike = (),
        resource_type: FacetLike = (),
        text: str = "",
        target_resource_count: RangeLike = None,
        max_parallel_launches: RangeLike = None,
        available_snapshots: RangeLike = None,
        missing_snapshots: RangeLike = None,
        state_transition_time: Sequence[datetime | str | None] | None = None,
    ) -> None:
        if not isinstance(text, str):
            raise InputError(f"text is {text!r}. Expected words as text.")
        check_unicode("text", text)
        arguments = locals()
        for facet in FACETS:
            object.__setattr__(self, facet, parse_values(facet, arguments[facet]))
        for name, dtype in RANGES.items():
            parse_end: Callable[[str, Any], Any] = parse_time if dtype == TIME else parse_count
            object.__setattr__(self, name, parse_range(name, arguments[name], parse_end))
        object.__setattr__(self, "text", text)

    def __bool__(self) -> bool:
        """Return True if any filter is active."""
        return bool(self.active())

    def __repr__(self) -> str:
        return format_filters(self.active())

    def apply(self, images: IntoDataFrame) -> pd.DataFrame:
        """Return the rows that match, in their order and with their index labels.

        `images` is a DataFrame of pandas, or any eager one that narwhals knows.
        """
        rows = require_columns("images", images)
        return rows[FacetIndex(rows).keep(self.active())]

    def counts(self, images: IntoDataFrame) -> dict[str, dict[str | None, int]]:
        """Count, for each facet, the rows of each value that all *other* filters keep.

        Returns
        -------
        dict
            Facet to value to number of rows, for every value of the whole DataFrame, also if
            that is 0; states in the order of :data:`STATES`, all else sorted, null (None) last.
        """
        return FacetIndex(require_columns("images", images)).counts(self.active())

    def active(self) -> dict[str, Any]:
        """Return the filters that exclude rows, by field.

        Examples
        --------
        >>> Filters(state="enabled", max_parallel_launches=(6, None)).active()
        {'state': ('enabled',), 'max_parallel_launches': (6, None)}
        """
        return {name: value for name, value in vars(self).items() if value}

    def to_dict(self) -> dict[str, Any]:
        """Return the active filters as values that JSON and Python literals have."""
        return fields.to_plain(self.active())

    def to_json(self) -> str:
        """Return the filters as JSON, for a notebook's parameter or a file.

        Examples
        --------
        >>> filters = Filters(state=["enabled", None], state_transition_time=("2026-01-15", None))
        >>> filters.to_json()
        '{"state": ["enabled", null], "state_transition_time": ["2026-01-15T00:00:00+00:00", null]}'
        >>> Filters.from_json(filters.to_json()) == filters
        True
        """
        return dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the filters that :meth:`to_json` wrote.

        Raises
        ------
        InputError
            If it is not text, not JSON, or not the JSON of filters.
        """
        expected = 'Expected the text of Filters.to_json(), such as \'{"state": ["enabled"]}\'.'
        if not isinstance(text, str):
            raise InputError(f"{expected} Got a {type(text).__name__}.")
        try:
            arguments = loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{expected} This is not JSON: {error}.") from None
        if not isinstance(arguments, Mapping):
            raise InputError(f"{expected} This is JSON, but not an object.")
        for name in arguments:
            if name not in _FIELDS:
                raise InputError(
                    f"{expected} This has {name!r}, which is not a filter."
                    f"{did_you_mean(name, _FIELDS)}"
                )
        return cls(**arguments)

    def to_code(
        self,
        kind: str = "fastlaunch",
        *,
        regions: str | Iterable[str] | None = None,
        profiles: Mapping[str, str] | None = None,
        shell: str = "posix",
    ) -> str:
        """Return code that selects the same rows, to paste somewhere else.

        EC2 applies the filters that it can; the code applies the others to the response. If
        code of this kind cannot select exactly these rows, the result is a comment with the
        reason. A text filter searches joined names only in a DataFrame, and in SQL and
        PowerShell without regard to more than the case of letters: "ss" does not find "ß".

        Parameters
        ----------
        kind : {"fastlaunch", "boto3", "cli", "powershell", "pandas", "sql"}
            A call of this package, whose rows are `images`; a paginator of boto3, whose items
            are `chosen`, each with its ``Region``; commands of the AWS CLI, or of PowerShell's
            AWS.Tools.EC2, which print them; pandas code that selects `chosen` from `images`; or
            a query of DuckDB for the last complete scans in the store of a
            :class:`fastlaunch_nb.History`.
        regions : str or iterable of str, optional
            The regions to read if the filters choose none; by default your own region. Not
            for pandas and SQL, which send no request.
        profiles : dict of str, optional
            Account id to profile: the accounts to read. If the filters choose accounts, only
            those. Without it, code for several accounts finds the profile of each among all of
            your AWS configuration, and commands name the account id where your profile belongs.
            Not for pandas and SQL.
        shell : {"posix", "powershell", "cmd"}, default "posix"
            The shell for commands of the AWS CLI: PowerShell 5.1 or later, or the prompt of
            Windows.

        Raises
        ------
        InputError
            If there is no such kind or shell, pandas or SQL gets regions or profiles, or
            `profiles` lacks an account that the filters choose.

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
        return generate_code(self.active(), kind, regions, profiles, shell)

    def to_request(self) -> dict[str, Any]:
        """Return the filters that EC2 applies, as parameters of DescribeFastLaunchImages."""
        request: dict[str, Any] = fields.make_request(self.active())
        if "ImageIds" in request:
            request["ImageIds"] = parse_image_ids(request["ImageIds"])
        if "Filters" in request:
            request["Filters"] = parse_api_filters(request["Filters"])
        return request

    def server_side(self) -> dict[str, tuple[str, ...]]:
        """Return the active filters that EC2 applies itself."""
        return fields.select_server_side(self.active())

    def client_side(self) -> Filters:
        """Return the filters that EC2 does not apply."""
        return Filters(**fields.select_client_side(self.active()))

    def check_answerable(self) -> None:
        """Refuse filters on joined columns, which no response of EC2 has."""
        fields.check_answerable(self.active())
