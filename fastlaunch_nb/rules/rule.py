"""The rule type, the facts that a rule judges, and helpers that all rules share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration, format_time

SEVERITIES: Final = ("high", "medium", "low")
ACTIVE_STATES: Final = ("enabling", "enabled")
"""The states in which EC2 fills a pool."""
PREPARATION: Final = pd.Timedelta(minutes=30)
"""The time that a preparation instance takes (EC2 User Guide)."""
_OPTIONAL_FACTS: Final = ("intervals", "coverage", "snapshots")


@dataclass(frozen=True)
class RuleInput:
    """Facts about a fleet, the argument of every rule.

    Attributes
    ----------
    images : pandas.DataFrame
        The images, one row each, with every column that :func:`fastlaunch_nb.enrich` can
        join. An unknown value is null.
    stock : pandas.Series
        The number of available snapshots for each row of `images`, or null.
    at : pandas.Timestamp
        The time to judge by, in UTC; NaT if unknown.
    intervals, coverage, snapshots : pandas.DataFrame or None
        The arguments of :func:`fastlaunch_nb.findings`.
    """

    images: pd.DataFrame
    stock: pd.Series
    at: pd.Timestamp
    intervals: pd.DataFrame | None = None
    coverage: pd.DataFrame | None = None
    snapshots: pd.DataFrame | None = None

    @property
    def age(self) -> pd.Series:
        """The time that each image has been in its state."""
        return self.at - self.images["state_transition_time"]


Find = Callable[[RuleInput], pd.DataFrame]


@dataclass(frozen=True)
class Rule:
    """A rule: a function that finds one problem, with a name and a severity.

    Attributes
    ----------
    name : str
        The name of its findings.
    severity : str
        ``"high"``, ``"medium"`` or ``"low"``, unless a finding has its own.
    what : str
        The problem that it finds, in a sentence.
    source : str
        The evidence for the rule: a page of AWS's documentation, or a report.
    find : callable
        A function that takes :class:`RuleInput` and returns rows, such as some of
        ``facts.images``, with the columns ``evidence`` and ``remedy``. The columns
        ``severity`` and ``monthly_usd`` are optional: the ``monthly_usd`` of a finding is
        what the problem costs, that of ``facts.images`` is what the image costs.
    needs : tuple of str
        Arguments of :func:`fastlaunch_nb.findings` without which the rule is skipped:
        ``"intervals"``, ``"coverage"`` or ``"snapshots"``.

    Raises
    ------
    InputError
        If an attribute is invalid.
    """

    name: str
    severity: str
    what: str
    source: str
    find: Find
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for attribute in ("name", "what", "source"):
            text = getattr(self, attribute)
            if not isinstance(text, str) or not text:
                raise InputError(f"A rule's {attribute} is {text!r}. Expected text.")
        if self.severity not in SEVERITIES:
            raise InputError(
                f"The severity of {self.name!r} is {self.severity!r}. "
                f"Expected one of {', '.join(map(repr, SEVERITIES))}."
            )
        if not callable(self.find):
            raise InputError(
                f"The find of {self.name!r} is {self.find!r}. "
                "Expected a function that takes a RuleInput."
            )
        if not isinstance(self.needs, tuple) or not set(self.needs) <= set(_OPTIONAL_FACTS):
            raise InputError(
                f"The needs of {self.name!r} are {self.needs!r}. "
                f"Expected a tuple of {', '.join(map(repr, _OPTIONAL_FACTS))}."
            )


def rule(
    name: str, severity: str, what: str, *, source: str, needs: tuple[str, ...] = ()
) -> Callable[[Find], Rule]:
    """Return a decorator that makes a function the ``find`` of a rule.

    Examples
    --------
    >>> @rule("no-image", "low", "the fleet is empty", source="an example")
    ... def find_empty_fleet(facts):
    ...     return facts.images
    >>> find_empty_fleet.name
    'no-image'
    """
    return lambda find: Rule(name, severity, what, source, find, needs)


# --- helpers of rules -----------------------------------------------------------------


def where_true(images: pd.DataFrame, mask: pd.Series) -> pd.DataFrame:
    """Return the rows for which a condition is known to be true."""
    return images[mask.fillna(False).astype(bool)]


def map_rows(rows: pd.DataFrame, function: Callable[..., Any], *columns: str) -> list[Any]:
    """Return the result of a function for each row; its arguments are these columns."""
    values = zip(*(rows[name].tolist() for name in columns), strict=True)
    return [function(*row) for row in values]


def with_evidence(
    rows: pd.DataFrame, evidence: Sequence[str], remedy: Sequence[str], usd: Any = None
) -> pd.DataFrame:
    """Return rows with their evidence, their remedy, and their monthly cost if it is known."""
    return rows.assign(evidence=evidence, remedy=remedy, monthly_usd=usd)


def is_known(value: Any) -> bool:
    """Return whether a value is not null."""
    return bool(pd.notna(value))


def format_minutes(duration: pd.Timedelta) -> str:
    """Format a duration in complete minutes."""
    return format_duration(duration.floor("min"))


def format_since(start: Any, at: pd.Timestamp) -> str:
    """Format a start time and the duration from it until `at`, as far as both are known."""
    if not is_known(start):
        return "since an unknown time"
    duration = f" ({format_minutes(at - start)})" if is_known(at) else ""
    return f"since {format_time(start)}{duration}"
