"""What a rule is, and what it is given: facts, in which nothing is missing but only unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration, format_time
from fastlaunch_nb.schema.columns import TEXT

SEVERITIES: Final = ("high", "medium", "low")
PREPARATION: Final = pd.Timedelta(minutes=30)
"""What a preparation instance takes (EC2 User Guide)."""


@dataclass(frozen=True)
class RuleInput:
    """What is known of a fleet.

    Attributes
    ----------
    images : pandas.DataFrame
        The images, with all columns that :func:`fastlaunch_nb.joins` can bring:
        null where one is not known. Of them each is one row.
    stock : pandas.Series
        Snapshots in stock, a number for each row of images, or null.
    at : pandas.Timestamp
        The time of it all, in UTC; NaT where none is known.
    intervals, coverage, snapshots : pandas.DataFrame or None
        What :func:`fastlaunch_nb.rules` was given.
    """

    images: pd.DataFrame
    stock: pd.Series
    at: pd.Timestamp
    intervals: pd.DataFrame | None = None
    coverage: pd.DataFrame | None = None
    snapshots: pd.DataFrame | None = None

    @property
    def age(self) -> pd.Series:
        """For how long each image has been in its state."""
        return self.at - self.images["state_transition_time"]


Find = Callable[[RuleInput], pd.DataFrame]


@dataclass(frozen=True)
class Rule:
    """A rule: what it looks for, how bad that is, and who says so.

    Attributes
    ----------
    name : str
        What its findings are called.
    severity : str
        ``"high"``, ``"medium"`` or ``"low"``, where a finding does not say.
    what : str
        What it finds, in a sentence.
    source : str
        Where it comes from: a page of AWS's documentation, a report.
    find : callable
        Takes :class:`RuleInput` and returns rows, such as some of ``facts.images``, with the
        columns ``evidence`` and ``remedy``, and ``severity`` where it knows better. Their
        ``monthly_usd`` is what the finding costs; that of ``facts.images`` is the image's.

    Raises
    ------
    InputError
        A part of it is none of these.
    """

    name: str
    severity: str
    what: str
    source: str
    find: Find

    def __post_init__(self) -> None:
        for part in ("name", "what", "source"):
            if not isinstance(getattr(self, part), str) or not getattr(self, part):
                raise InputError(f"A rule's {part} is {getattr(self, part)!r}. Expected text.")
        if self.severity not in SEVERITIES:
            raise InputError(
                f"The severity of {self.name!r} is {self.severity!r}. "
                f"Expected one of {', '.join(map(repr, SEVERITIES))}."
            )
        if not callable(self.find):
            raise InputError(f"The find of {self.name!r} is no function of the facts.")


# --- what rules are made of -----------------------------------------------------------


def where_true(images: pd.DataFrame, mask: pd.Series) -> pd.DataFrame:
    """Return the rows of which a condition is known to hold."""
    return images[mask.fillna(False).astype(bool)]


def map_rows(rows: pd.DataFrame, say: Callable[..., Any], *columns: str) -> list[Any]:
    """Return what is to be said of each row, by its values in these columns."""
    return [say(*values) for values in zip(*(rows[name].tolist() for name in columns), strict=True)]


def with_evidence(
    rows: pd.DataFrame, evidence: Sequence[str], remedy: Sequence[str], usd: Any = None
) -> pd.DataFrame:
    """Return rows with their evidence and remedy, and what they cost a month if that is known."""
    texts = {"evidence": evidence, "remedy": remedy}
    made = {name: pd.array(list(text), TEXT) for name, text in texts.items()}
    return rows.assign(**made, monthly_usd=usd)


def is_known(value: Any) -> bool:
    """Tell a value from a null."""
    return bool(pd.notna(value))


def rounded_duration(lasted: pd.Timedelta) -> str:
    """Say how long something has lasted, in whole minutes that are over."""
    return format_duration(lasted.floor("min"))


def format_since(moment: Any, at: pd.Timestamp) -> str:
    """Say since when, and for how long; that it is unknown, where it is."""
    if not is_known(moment):
        return "since when is unknown"
    lasted = f" ({rounded_duration(at - moment)})" if is_known(at) else ""
    return f"since {format_time(moment)}{lasted}"
