"""The rule type: validation, the decorator, renamed rules, and facts that no rule can change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.rules.rule import RuleInput, rule
from tests.helpers.rules import AT, make_images

VALID: dict[str, Any] = {
    "name": "x",
    "severity": "low",
    "what": "y",
    "source": "z",
    "find": make_images,
    "needs": ("coverage",),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"severity": "dire"},
            "severity of 'x' is 'dire'. Expected one of 'high', 'medium', 'low'",
        ),
        ({"severity": None}, "severity of 'x' is None"),
        ({"name": ""}, r"A rule's name is ''\. Expected text"),
        ({"name": 3}, "A rule's name is 3"),
        ({"what": ""}, "A rule's what is ''"),
        ({"source": None}, "A rule's source is None"),
        ({"find": 3}, "find of 'x' is 3. Expected a function"),
        ({"needs": "coverage"}, "needs of 'x' are 'coverage'. Expected a tuple of 'intervals'"),
        ({"needs": ("images",)}, r"needs of 'x' are \('images',\)"),
        ({"reads": "state"}, "reads of 'x' are 'state'. Expected a tuple of names"),
        ({"yields_to": (3,)}, r"yields_to of 'x' are \(3,\)"),
    ],
)
def test_an_invalid_rule_is_refused(change: dict[str, Any], message: str) -> None:
    """A rule has a name, a known severity, what it finds, a source, a function, and its needs."""
    assert fl.Rule(**VALID).needs == ("coverage",)
    with pytest.raises(InputError, match=message):
        fl.Rule(**{**VALID, **change})


def test_the_decorator_makes_a_rule() -> None:
    """The function becomes the `find` of a rule with the arguments of the decorator."""

    def find(facts: RuleInput) -> pd.DataFrame:
        return facts.images

    decorated = rule("x", "low", "y", source="z", needs=("snapshots",), statement="It is.")(find)
    assert decorated == fl.Rule("x", "low", "y", "z", find, ("snapshots",), "It is.")
    assert str(find.__doc__).endswith("Source: z. It is.")
    assert rule("x", "low", "y", source="z")(find) == fl.Rule("x", "low", "y", "z", find)


def test_rules_and_facts_cannot_be_changed() -> None:
    """No rule can change another rule, or the facts that the next one receives."""
    images = make_images([])
    facts = RuleInput(images, images["max_parallel_launches"], AT)
    for frozen, attribute in ((fl.RULES[0], "severity"), (facts, "at")):
        with pytest.raises(FrozenInstanceError, match=attribute):
            setattr(frozen, attribute, None)
