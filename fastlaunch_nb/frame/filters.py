"""A selection of rows: what is kept, what is counted, what EC2 itself can filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frame.asked import api_filters, check_image_ids, values_of
from fastlaunch_nb.frame.columns import API_FILTERS, STATES
from fastlaunch_nb.frame.shown import FILTERED

Chosen: TypeAlias = str | Iterable[str | None] | None
"""Values of a facet as one may give them: one, or several; None is one of them."""


@dataclass(frozen=True, init=False)
class Filters:
    """A selection of rows: facets, ANDed; within a facet its values, ORed; and a text.

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
    """

    account_id: tuple[str | None, ...] = ()
    region: tuple[str | None, ...] = ()
    state: tuple[str | None, ...] = ()
    launch_template: tuple[str | None, ...] = ()
    image_id: tuple[str | None, ...] = ()
    owner_id: tuple[str | None, ...] = ()
    resource_type: tuple[str | None, ...] = ()
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
    ) -> None:
        if not isinstance(text, str):
            raise InputError(f"text is {text!r}. Expected words as text.")
        given = locals()
        for facet in FACETS:
            object.__setattr__(self, facet, values_of(facet, given[facet]))
        object.__setattr__(self, "text", text)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self != Filters()

    def apply(self, images: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that match, in their order and under their index labels.

        Where anything may be left out, ``attrs["filtered"]`` says so to the views.
        """
        keep = self._text_mask(images)
        for mask in self._facet_masks(images).values():
            keep &= mask
        kept = images[keep]
        if self:
            kept.attrs[FILTERED] = True
        return kept

    def counts(self, images: pd.DataFrame) -> dict[str, dict[str | None, int]]:
        """Count, for every facet, the rows of each value that all *other* filters keep.

        Returns
        -------
        dict
            Facet to value to rows. Values of the whole frame, those with zero
            rows too; states in the order of :data:`STATES`, all else sorted,
            null (None) last.
        """
        masks, text = self._facet_masks(images), self._text_mask(images)
        counts = {}
        for facet in FACETS:
            keep = text.copy()
            for other, mask in masks.items():
                if other != facet:
                    keep &= mask
            counts[facet] = _counted(facet, facet_values(images, facet), keep)
        return counts

    def to_request(self) -> dict[str, Any]:
        """Return what EC2 itself can filter, as parameters of DescribeFastLaunchImages."""
        request: dict[str, Any] = {}
        if self._pushable("image_id"):
            request["ImageIds"] = check_image_ids(
                [value for value in self.image_id if value is not None]
            )
        chosen = {
            name: getattr(self, facet)
            for name, facet in API_FILTERS.items()
            if self._pushable(facet)
        }
        if chosen:
            request["Filters"] = api_filters(chosen)
        return request

    def local(self) -> Filters:
        """Return the part that EC2 can not filter."""
        pushed = ["image_id", *API_FILTERS.values()]
        nothing: dict[str, Any] = {facet: () for facet in pushed if self._pushable(facet)}
        return replace(self, **nothing)

    def _pushable(self, facet: str) -> bool:
        values = getattr(self, facet)
        return bool(values) and None not in values

    def _facet_masks(self, images: pd.DataFrame) -> dict[str, pd.Series]:
        return {
            facet: _is_in(facet_values(images, facet), chosen)
            for facet in FACETS
            if (chosen := getattr(self, facet))
        }

    def _text_mask(self, images: pd.DataFrame) -> pd.Series:
        keep = pd.Series(True, index=images.index)
        if words := self.text.casefold().split():
            haystack = _haystack(images)
            for word in words:
                keep &= haystack.str.contains(word, regex=False)
        return keep


FACETS = tuple(field.name for field in fields(Filters) if field.name != "text")
_SEARCHED = (
    *("account_name", "account_id", "region", "image_name", "image_id", "owner_id"),
    *("launch_template_name", "launch_template_id", "state", "state_transition_reason"),
)


def facet_values(images: pd.DataFrame, facet: str) -> pd.Series:
    """Return the values that a facet of :class:`Filters` is about, one a row."""
    if facet == "launch_template":
        return images["launch_template_name"].fillna(images["launch_template_id"])
    return images[facet]


def _is_in(values: pd.Series, chosen: Sequence[str | None]) -> pd.Series:
    mask = values.isin([value for value in chosen if value is not None])
    return (mask | values.isna() if None in chosen else mask).astype(bool)


def _counted(facet: str, values: pd.Series, keep: pd.Series) -> dict[str | None, int]:
    found = values[keep].value_counts()
    known = sorted(values.dropna().unique())
    if facet == "state":
        known.sort(key=lambda state: STATES.index(state) if state in STATES else len(STATES))
    counted: dict[str | None, int] = {value: int(found.get(value, 0)) for value in known}
    if values.isna().any():
        counted[None] = int((values.isna() & keep).sum())
    return counted


def _haystack(images: pd.DataFrame) -> pd.Series:
    """Return all searched text of each row in one, a line a column so that no word spans two."""
    searched = images[[name for name in _SEARCHED if name in images]]
    text = searched.astype(object).fillna("").astype(str)
    return text.iloc[:, 0].str.cat(text.iloc[:, 1:], sep="\n").str.casefold()
