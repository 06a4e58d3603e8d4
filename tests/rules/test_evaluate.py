"""What findings are: their columns and order, what they are asked with, and rules of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.errors import FastLaunchError, InputError
from fastlaunch_nb.rules.evaluate import RULES, rules_table
from fastlaunch_nb.rules.rule import SEVERITIES, RuleInput
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.schema.joins import FINDINGS, JOINED, JOINS
from tests.helpers.cases import costly, some
from tests.helpers.rules import (
    AT,
    DTYPES,
    HEALTHY,
    REGION,
    Case,
    ago,
    fleet,
    frames,
    judge,
)
from tests.rules.test_cli_commands import CASES, SICK

FAILED = {"state": "enabled-failed"}
STATE_RULES = [rule for rule in RULES if rule.name in ("failed", "stuck")]
COLUMNS = [column.name for column in FINDINGS]


def images(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return images that are healthy, but for what each row says; each has its own id."""
    ids = [{"image_id": f"ami-{number}"} for number in range(len(rows))]
    some = [{**HEALTHY, **i, **row} for i, row in zip(ids, rows, strict=True)]
    return fleet(some)


@cache
def everything() -> dict[str, Any]:
    """Return all that makes some rule speak."""
    return frames([Case("", "healthy"), *SICK])


@cache
def told() -> pd.DataFrame:
    """Return what all rules find of that."""
    return fl.findings(**everything())


def test_every_rule_speaks_and_stays_silent() -> None:
    """The tables have a case of each for every rule."""
    rules = {rule.name for rule in RULES}
    assert rules == {case.rule for case in SICK}
    assert rules == {case.rule for case in CASES if not case.expected}


# --- the frame of findings ------------------------------------------------------------


def test_findings_have_the_declared_columns() -> None:
    """Columns and dtypes are the same with findings, and without; so is the index."""
    declared = {column.name: column.dtype for column in FINDINGS}
    assert ["severity", "finding", *KEY, "evidence", "remedy", "monthly_usd"] == COLUMNS
    for found in (told(), fl.findings(images({})), fl.findings(images()), fl.findings(
        images(FAILED), rules=[])):  # fmt: skip
        assert declared == found.dtypes.astype(str).to_dict()
        assert [*range(len(found))] == found.index.tolist()
    assert fl.findings(images({})).empty


def test_a_clean_fleet_has_none() -> None:
    """Healthy images have no finding, however many."""
    places = [
        {"region": region, "image_name": f"n{n}", "parallel_launches_quota": 100}
        for n in range(9)
        for region in "ab"
    ]
    assert fl.findings(images(*places))["finding"].tolist() == []


def test_a_plain_frame_will_do() -> None:
    """What describe returns is enough: of what it does not say nothing is found."""
    plain = images(FAILED, {})[[column.name for column in columns.COLUMNS]]
    assert fl.findings(plain)["finding"].tolist() == ["failed"]


def test_what_is_given_stays_as_it_is() -> None:
    """The frames that are given are not changed, and their index does not matter."""
    given_frames = {name: part.copy() for name, part in everything().items()}
    odd = given_frames["images"].set_axis([7] * len(given_frames["images"]))
    found = fl.findings(**{**given_frames, "images": odd})
    pd.testing.assert_frame_equal(told(), found)
    for name, part in some(everything().items()):
        pd.testing.assert_frame_equal(part, given_frames[name], obj=name)


def test_a_case_alone_has_the_same_findings() -> None:
    """What is found of some images does not depend on others."""
    some = SICK[::9]
    assert {str(case): judge([case])[str(case)] for case in some[:3]} == {
        name: found for name, found in judge(some).items() if name in map(str, some[:3])
    }


ORDERED = [  # severity, monthly_usd, finding, account, region, image
    ("high", 1.0, "b", "1", "r", "i"),
    ("high", None, "a", "1", "r", "i"),
    ("medium", 100.0, "b", "1", "r", "i"),
    ("medium", 20.0, "b", "1", "r", "i"),
    ("medium", 20.0, "b", "1", "r", "j"),
    ("medium", 20.0, "b", "1", "s", "i"),
    ("medium", 20.0, "b", "2", "r", "i"),
    ("medium", 20.0, "b", "2", "r", None),
    ("medium", 20.0, "c", "1", "r", "i"),
    ("medium", 0.0, "b", "1", "r", "i"),
    ("medium", None, "b", "1", "r", "i"),
    ("low", 1000.0, "b", "1", "r", "i"),
]


@given(st.permutations(range(len(ORDERED))))
def test_the_worst_and_dearest_come_first(order: list[int]) -> None:
    """Law: by severity, then what costs most, then by name and key; unknown costs come last."""
    rows = pd.DataFrame(
        [ORDERED[number] for number in order],
        columns=["severity", "monthly_usd", "rule", *KEY],
    ).assign(evidence="e", remedy="r")

    def some(name: str) -> fl.Rule:
        return fl.Rule(name, "low", "x", "y", lambda _: rows[rows["rule"] == name])

    found = fl.findings(images({}), rules=[some(name) for name in "cba"])
    found = found.astype(object).where(found.notna(), None)
    columns = ["severity", "monthly_usd", "finding", *KEY]
    assert list(found[columns].itertuples(index=False, name=None)) == ORDERED


@costly
@given(st.integers(0, 2**32))
def test_the_order_of_rows_is_nothing(seed: int) -> None:
    """Law: findings are the same, in the same order, however the images come."""
    asked = everything()
    order = np.random.default_rng(seed).permutation(len(asked["images"]))
    found = fl.findings(**{**asked, "images": asked["images"].iloc[order]})
    pd.testing.assert_frame_equal(told(), found)


# --- what findings are asked with -----------------------------------------------------

STUCK = {"state": "enabling", "state_transition_time": ago(hours=9)}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (None, ["stuck"]),
        (ago(hours=7), []),
        (ago(hours=6), ["stuck"]),
        (datetime(2026, 1, 15, 5, 0, tzinfo=UTC), []),
        ("2026-01-15 05:00", []),
        ("2026-01-15T07:00:00+01:00", ["stuck"]),
    ],
)
def test_the_time_may_be_given(at: Any, expected: list[str]) -> None:
    """What is stuck by one time was not by an earlier one; a time without a zone is in UTC."""
    found = fl.findings(
        images({**STUCK, "state_transition_time": ago(hours=8, seconds=1)}),
        at=at,
        rules=STATE_RULES,
    )
    assert expected == found["finding"].tolist()


def test_the_last_look_is_the_time_where_none_is_given() -> None:
    """Of several looks the last; where no look has a time, rules about time find nothing."""
    rows = [{**STUCK, "observed_at": ago(hours=9)}, {}]
    assert fl.findings(images(*rows), rules=STATE_RULES)["finding"].tolist() == ["stuck"]
    assert fl.findings(images(rows[0]), rules=STATE_RULES)["finding"].tolist() == []
    nothing = images({**STUCK, "observed_at": None}, {**FAILED, "observed_at": None})
    found = fl.findings(nothing, rules=STATE_RULES)
    assert found["finding"].tolist() == ["failed"]
    [evidence] = found["evidence"]
    assert evidence == "enabled-failed since 2025-12-16 12:00 UTC: Client.UserInitiated"


@pytest.mark.parametrize("missing", ["coverage", "snapshots"])
def test_orphans_need_snapshots_and_a_coverage(missing: str) -> None:
    """Where one of them is not given, no snapshot is said to have no image."""
    orphans = {str(case): case for case in SICK}["orphaned: two snapshots"]
    asked = frames([orphans])
    assert fl.findings(**asked)["finding"].tolist() == ["orphaned"]
    del asked[missing]
    assert fl.findings(**asked)["finding"].tolist() == []


def test_intervals_need_only_the_key_and_the_state() -> None:
    """Intervals say how often an image has failed, and without them that is not said."""
    rows = images(FAILED)
    seen = pd.concat([rows[[*KEY, "state"]]] * 3)
    often = "; 3 times in the observed history: "
    assert fl.findings(rows, intervals=seen, rules=STATE_RULES)["evidence"].str.contains(
        often
    ).tolist() == [True]
    assert fl.findings(rows, rules=STATE_RULES)["evidence"].str.contains(
        "times"
    ).tolist() == [False]


def test_rules_may_be_chosen() -> None:
    """Some rules, one alone, those of a generator, in any order; or none."""
    rows = images({**FAILED, "image_state": "absent", "template_forbidden": "Spot"})
    rules = {rule.name: rule for rule in RULES}
    chosen = [rules["image-gone"], rules["failed"]]
    for given_rules in (chosen, tuple(chosen[::-1]), iter(chosen)):
        assert fl.findings(rows, rules=given_rules)["finding"].tolist() == ["failed", "image-gone"]
    alone: Any = rules["failed"]
    assert fl.findings(rows, rules=alone)["finding"].tolist() == ["failed"]
    assert len(fl.findings(rows)) == 3


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"images": 3}, "Got a int"),
        ({"images": images({}).drop(columns="state")}, "lacks state"),
        ({"rules": [1]}, r"rules has a int\. Expected fl\.Rule"),
        ({"rules": 1}, "rules has a int"),
        ({"rules": [*RULES, RULES[0]]}, "rules has 'failed' more than once"),
        ({"intervals": 3}, r"Expected state intervals: .* Got a int"),
        ({"intervals": images({}).drop(columns="state")}, "intervals lacks state"),
        ({"intervals": images({}).drop(columns="region")}, "intervals lacks region"),
        ({"coverage": images({})}, "coverage lacks sweep_id"),
        ({"snapshots": images({})}, "snapshots lacks snapshot_id"),
        ({"at": 3}, "at is 3"),
        ({"at": "yesterday evening"}, "at is 'yesterday evening'"),
    ],
)
def test_bad_input_is_refused(asked: dict[str, Any], message: str) -> None:
    """What cannot be asked is refused, with what was expected."""
    with pytest.raises(InputError, match=message):
        fl.findings(**{"images": images({}), **asked})


# --- what is unknown ------------------------------------------------------------------

SOURCES = [{column.name for column in columns} for columns in JOINS.values()]
SOURCES += [{name} for name in ("state", "target_resource_count", "max_parallel_launches")]


def without(*columns: str) -> pd.DataFrame:
    """Return everything, but for some columns, of which nothing is known."""
    rows: pd.DataFrame = everything()["images"]
    nulls = {name: pd.array([None] * len(rows), dtype=DTYPES[name]) for name in columns}
    return rows.assign(**nulls)


@costly
@given(st.sets(st.sampled_from(range(len(SOURCES)))))
def test_what_is_unknown_accuses_nobody(numbers: set[int]) -> None:
    """Law: with less known no image has a finding that had none before, but for the quota's."""
    columns = set().union(*(SOURCES[number] for number in numbers)) - {"parallel_launches_quota"}
    found = fl.findings(without(*columns))
    accused = set(told()[[*KEY]].itertuples(index=False, name=None))
    assert set() == set(found[[*KEY]].itertuples(index=False, name=None)) - accused


def test_an_unknown_stock_costs_nothing() -> None:
    """Where the stock is not known, no finding is about money, and none has any."""
    found = fl.findings(
        without("available_snapshots", "snapshots", "snapshots_pending", "leftover_snapshots")
    )
    assert found["monthly_usd"].dropna().tolist() == []
    about_stock = {"unused", "pool-bypassed", "below-target", "excess-snapshots"}
    assert set() == {*found["finding"]} & about_stock


# --- rules of one's own ---------------------------------------------------------------


def mine(find: Any, severity: str = "low") -> fl.Rule:
    """Return a rule."""
    return fl.Rule("mine", severity, "x", "y", find)


def test_a_rule_of_ones_own() -> None:
    """A user's rule stands beside ours, and may say how bad it is, and what it costs."""

    def old(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images[facts.age.gt(pd.Timedelta(days=7))]
        return rows.assign(evidence="old", remedy="renew", severity="high", monthly_usd=3.0)

    found = fl.findings(images({"fast_launches": 0}), rules=[*fl.RULES, mine(old)])
    assert found["finding"].tolist() == ["mine", "unused"]
    assert found[["severity", "monthly_usd"]].values.tolist() == [["high", 3.0], ["medium", 29.3]]


def test_a_rule_has_its_own_severity_and_no_cost_unless_it_says() -> None:
    """Rows that are not of the images need the key, evidence and remedy, and nothing else."""
    row = {**dict.fromkeys(KEY), "region": REGION, "evidence": "e", "remedy": "r"}
    for severity in SEVERITIES:
        found = fl.findings(images({}), rules=[mine(lambda _: pd.DataFrame([row]), severity)])
        found = found.astype(object).where(found.notna(), None)
        expected = [[severity, "mine", None, REGION, None, "e", "r", None]]
        assert expected == found.values.tolist()


def test_a_rule_is_given_the_facts() -> None:
    """All columns of all joins, the stock, the time, and what was given; and rows from 0 on."""
    seen: list[Any] = []

    def look(facts: Any) -> pd.DataFrame:
        seen.append(facts)
        rows: pd.DataFrame = facts.images
        return rows.head(0).assign(evidence="", remedy="")

    rows = images(FAILED, {"available_snapshots": 3})
    plain = rows.drop(columns=list(JOINED)).set_axis([5, 5])
    fl.findings(plain, rules=[mine(look)])
    fl.findings(rows, rules=[mine(look)], at=ago(days=1), intervals=rows, **{
        name: part for name, part in everything().items() if name in {"coverage", "snapshots"}
    })  # fmt: skip
    bare, full = seen
    assert set(DTYPES) == set(bare.images)
    assert bare.images.index.tolist() == [0, 1]
    assert bare.stock.astype(object).where(bare.stock.notna(), None).tolist() == [None, None]
    assert (bare.at, bare.intervals, bare.coverage, bare.snapshots) == (AT, None, None, None)
    assert full.stock.tolist() == [10, 3]
    assert ago(days=1) == full.at
    assert [pd.Timedelta(days=29)] * 2 == full.age.tolist()
    assert full.intervals is rows
    assert full.coverage is everything()["coverage"]
    assert full.snapshots is everything()["snapshots"]


def _rows(**columns: Any) -> Callable[[Any], Any]:
    """Return a rule's function that returns all images with these columns."""
    return lambda facts: facts.images.assign(**columns)


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda facts: facts.images["nothing"], "'mine' failed: KeyError"),
        (lambda: 1, "'mine' failed: TypeError"),
        (_rows(), r"'mine' returned rows without \['evidence', 'remedy'\]"),
        (_rows(evidence=""), r"'mine' returned rows without \['remedy'\]"),
        (
            lambda facts: facts.images[["account_id"]].assign(evidence="", remedy=""),
            r"'mine' returned rows without \['image_id', 'region'\]",
        ),
        (_rows(evidence="", remedy="", severity="dire"), r"'mine' returned the severity \['dire'"),
        (_rows(evidence="", remedy="", severity=None), r"'mine' returned the severity \[None\]"),
        (_rows(evidence="", remedy="", monthly_usd="dear"), "'mine' failed: .*dear"),
        (lambda facts: None, "'mine' returned a NoneType"),
        (lambda facts: [{"evidence": "", "remedy": ""}], "'mine' returned a list"),
    ],
)
def test_a_rule_that_fails_is_named(find: Any, message: str) -> None:
    """What a rule does wrong is said with its name."""
    with pytest.raises(FastLaunchError, match=message):
        fl.findings(images({}), rules=[mine(find)])


@pytest.mark.parametrize(
    ("part", "message"),
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
    ],
)
def test_bad_rules_are_refused(part: dict[str, Any], message: str) -> None:
    """A rule has a name, what it finds, a source, a severity that is known, and a function."""
    whole: dict[str, Any] = {
        "name": "x",
        "severity": "low",
        "what": "y",
        "source": "z",
        "find": fleet,
    }
    fl.Rule(**whole)
    with pytest.raises(InputError, match=message):
        fl.Rule(**{**whole, **part})


def test_rules_and_facts_stay_as_they_are() -> None:
    """No rule can change another, or what the next one is given."""
    facts = RuleInput(images(), images()["max_parallel_launches"], AT)
    for whole, part in ((RULES[0], "severity"), (facts, "at")):
        with pytest.raises(FrozenInstanceError, match=part):
            setattr(whole, part, None)


# --- the table of rules ---------------------------------------------------------------


def test_each_rule_names_its_source() -> None:
    """The table of rules has a row for each: what it finds, how bad that is, where it is from."""
    head, line, *rows = rules_table().splitlines()
    assert head == "| finding | severity | what it finds | source |"
    assert line == "|---|---|---|---|"
    assert [
        f"| `{rule.name}` | {rule.severity} | {rule.what} | {rule.source} |" for rule in RULES
    ] == rows
    assert rules_table([mine(len)]).count("mine") == 1


RANKS = {
    "high": ["failed", "pool-bypassed", "forbidden-template"],
    "medium": [
        *("stuck", "cold-launches", "unused", "image-gone", "orphaned", "without-fast-launch"),
    ],
    "low": ["below-target", "slow-to-fill", "over-quota", "image-deprecated", "excess-snapshots", "drift"],
}


def test_how_bad_each_rule_is() -> None:
    """Rules have the severity that the documentation gives; two may say otherwise of a case."""
    assert {
        severity: [rule.name for rule in RULES if rule.severity == severity]
        for severity in SEVERITIES
    } == RANKS
