"""The rule type, the facts that a rule judges, and helpers that all rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration, format_time
from fastlaunch_nb.schema.prices import Prices

SEVERITIES: Final = ("high", "medium", "low", "info")
ACTIVE_STATES: Final = ("enabling", "enabled")
"""The states in which EC2 fills a pool."""
ENABLED_STATES: Final = (*ACTIVE_STATES, "enabling-failed", "enabled-failed")
"""The states of images that Fast Launch is on for, even if it has failed."""
ENDING_RULES: Final = ("image-gone", "image-deprecated", "unused")
"""Rules that advise to end Fast Launch: others do not advise to improve it for the same image."""
STOCK: Final = "stock"
"""The name of the stock in the `reads` of a rule: two joins know it."""
TEXTS: Final = ("evidence", "advice", "command")
"""The columns of findings that are composed from others."""
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
    prices : Prices
        The prices of AWS.
    """

    images: pd.DataFrame
    stock: pd.Series
    at: pd.Timestamp
    intervals: pd.DataFrame | None = None
    coverage: pd.DataFrame | None = None
    snapshots: pd.DataFrame | None = None
    prices: Prices = field(default_factory=Prices)

    @property
    def age(self) -> pd.Series:
        """The time that each image has been in its state."""
        return self.at - self.images["state_transition_time"]


class RowText:
    """A text for each of some rows: a function whose arguments are columns."""

    def __init__(self, function: Callable[..., str | None], *columns: str) -> None:
        self._function, self._columns = function, columns

    def compose(self, rows: pd.DataFrame) -> list[str | None]:
        """Return the text of each row."""
        values = zip(*(rows[name].tolist() for name in self._columns), strict=True)
        return [self._function(*row) for row in values]


class Problems(NamedTuple):
    """Rows with a problem, and their texts, which are composed when somebody reads them.

    Rows are like those that the function of a rule returns, but without evidence, advice and
    command. They also have the columns that these texts are made from.
    """

    rows: pd.DataFrame
    evidence: RowText
    advice: RowText | str
    command: RowText | None = None

    def compose(self, rows: pd.DataFrame, names: Iterable[str] = TEXTS) -> pd.DataFrame:
        """Return some of the rows with these texts."""
        texts = {name: getattr(self, name) for name in names}
        composed: dict[str, Any] = {
            name: text.compose(rows) if isinstance(text, RowText) else text
            for name, text in texts.items()
        }
        return rows.assign(**composed)


Find = Callable[[RuleInput], pd.DataFrame | Problems]


@dataclass(frozen=True)
class Rule:
    """A rule: a function that finds one problem, with a name and a severity.

    Attributes
    ----------
    name : str
        The name of its findings.
    severity : str
        ``"high"``, ``"medium"``, ``"low"`` or ``"info"``, unless a finding has its own.
    what : str
        The problem that it finds, in a sentence.
    source : str
        The evidence for the rule: a page of AWS's documentation, or a report.
    find : callable
        A function that takes :class:`RuleInput` and returns rows, such as some of
        ``facts.images``, with the column ``evidence``. The columns ``advice``, ``command``,
        ``severity``, ``monthly_usd_low`` and ``monthly_usd_high`` are optional. The money of a
        finding is what the problem costs, that of ``facts.images`` is what the image costs.
        The rules of this package return ``Problems``, which compose their texts later.
    needs : tuple of str
        Arguments of :func:`fastlaunch_nb.findings` without which the rule is skipped:
        ``"intervals"``, ``"coverage"`` or ``"snapshots"``.
    statement : str
        What the source states.
    reads : tuple of str
        Columns of images without which the rule is silent, or ``"stock"``.
    silent : str
        When the rule is silent although the problem may exist.
    advises : str
        What it advises, in a few words.
    yields_to : tuple of str
        Names of more specific rules: of an image with a finding of one of them, this rule has none.

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
    statement: str = ""
    reads: tuple[str, ...] = ()
    silent: str = ""
    advises: str = ""
    yields_to: tuple[str, ...] = ()

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
        for attribute in ("reads", "yields_to"):
            names = getattr(self, attribute)
            if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
                raise InputError(
                    f"The {attribute} of {self.name!r} are {names!r}. Expected a tuple of names."
                )


def rule(
    name: str, severity: str, what: str, *, source: str, **others: Any
) -> Callable[[Find], Rule]:
    """Return a decorator that makes a function the ``find`` of a rule.

    `others` are further attributes of the rule. The docstring of the function gets the source
    and what it states.

    Examples
    --------
    >>> @rule("no-image", "low", "the fleet is empty", source="an example", statement="It may be.")
    ... def find_empty_fleet(facts):
    ...     \"\"\"Find an empty fleet.\"\"\"
    ...     return facts.images
    >>> find_empty_fleet.name, find_empty_fleet.find.__doc__.splitlines()[-1]
    ('no-image', 'Source: an example. It may be.')
    """

    def make_rule(find: Find) -> Rule:
        made = Rule(name, severity, what, source, find, **others)
        find.__doc__ = f"{find.__doc__}\n\nSource: {source}. {made.statement}"
        return made

    return make_rule


# --- helpers of rules -----------------------------------------------------------------


def where_true(images: pd.DataFrame, mask: pd.Series) -> pd.DataFrame:
    """Return the rows for which a condition is known to be true."""
    return images[mask.fillna(False).astype(bool)]


def make_problems(
    rows: pd.DataFrame,
    evidence: RowText,
    advice: RowText | str,
    command: RowText | None = None,
    *,
    severity: Any = None,
    usd: tuple[pd.Series, pd.Series] | None = None,
) -> Problems:
    """Return rows with a problem, with a severity and a monthly cost if these are known."""
    low, high = usd or (None, None)
    rows = rows.assign(monthly_usd_low=low, monthly_usd_high=high)
    if severity is not None:
        rows = rows.assign(severity=severity)
    return Problems(rows, evidence, advice, command)


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
