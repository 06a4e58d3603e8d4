"""The table of findings: its columns, its order, its arguments, and rules of users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.rules.evaluate import RULES, Evaluation, prepare_facts
from fastlaunch_nb.rules.rule import SEVERITIES, STOCK, Problems, RowText
from fastlaunch_nb.schema import columns
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.schema.joins import FINDINGS, JOINED, JOINS
from tests.helpers.cases import costly, some
from tests.helpers.rules import (
    AT,
    DTYPES,
    HEALTHY,
    REGION,
    USD,
    Case,
    ago,
    find_contradictions,
    find_per_case,
    make_arguments,
    make_images,
)
from tests.rules.test_cli_commands import CASES, WITH_FINDINGS

FAILED = {"state": "enabled-failed"}
STATE_RULES = [rule for rule in RULES if rule.name in ("failed", "stuck")]
COLUMNS = [column.name for column in FINDINGS]


def make_fleet(*changes: Mapping[str, Any]) -> pd.DataFrame:
    """Return healthy images with these changes; each image has its own id."""
    rows = [{**HEALTHY, "image_id": f"ami-{n}", **row} for n, row in enumerate(changes)]
    return make_images(rows)


@cache
def make_all_arguments() -> dict[str, Any]:
    """Return arguments for which every rule has findings."""
    return make_arguments([Case("", "healthy"), *WITH_FINDINGS])


@cache
def find_all() -> pd.DataFrame:
    """Return the findings for these arguments."""
    return fl.findings(**make_all_arguments())


def test_every_rule_has_cases() -> None:
    """For every rule, the tables of cases have one with a finding and one without."""
    rules = {rule.name for rule in RULES}
    assert rules == {case.rule for case in WITH_FINDINGS}
    assert rules == {case.rule for case in CASES if not case.expected}


# --- the table ------------------------------------------------------------------------


def test_findings_have_the_declared_columns() -> None:
    """Columns, dtypes and index are the same with findings and without."""
    declared = {column.name: column.dtype for column in FINDINGS}
    new = ["severity", "finding", *KEY, "evidence", "advice", "command", *USD]
    assert [*new, "remedy", "monthly_usd"] == COLUMNS
    without = [fl.findings(images) for images in (make_fleet({}), make_fleet())]
    for found in (find_all(), *without, fl.findings(make_fleet(FAILED), rules=[])):
        assert declared == found.dtypes.astype(str).to_dict()
        assert [*range(len(found))] == found.index.tolist()
    assert fl.findings(make_fleet({})).empty


def test_a_healthy_fleet_has_no_findings() -> None:
    """Healthy images have no finding, however many they are."""
    changes = [
        {"region": region, "image_name": f"n{n}", "parallel_launches_quota": 100}
        for n in range(9)
        for region in "ab"
    ]
    assert fl.findings(make_fleet(*changes))["finding"].tolist() == []


def test_images_without_joins_are_enough() -> None:
    """Rules work on the columns of describe, and stay silent where others are missing."""
    plain = make_fleet(FAILED, {})[[column.name for column in columns.COLUMNS]]
    assert fl.findings(plain)["finding"].tolist() == ["failed"]


def test_arguments_are_not_changed() -> None:
    """The DataFrames that are passed stay as they are, and their index does not matter."""
    copies = {name: table.copy() for name, table in make_all_arguments().items()}
    images = copies["images"].set_axis([7] * len(copies["images"]))
    found = fl.findings(**{**copies, "images": images})
    pd.testing.assert_frame_equal(find_all(), found)
    for name, table in some(make_all_arguments().items()):
        pd.testing.assert_frame_equal(table, copies[name], obj=name)


def test_a_case_alone_has_the_same_findings() -> None:
    """The findings of some images do not depend on other images."""
    cases = WITH_FINDINGS[::9]
    together = find_per_case(cases)
    assert {str(case): find_per_case([case])[str(case)] for case in cases[:3]} == {
        str(case): together[str(case)] for case in cases[:3]
    }


ORDERED = [  # severity, monthly_usd_high, finding, account, region, image
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
    """Law: severity, then cost, then name and key decide; an unknown cost comes last."""
    rows = pd.DataFrame(
        [ORDERED[number] for number in order],
        columns=["severity", "monthly_usd_high", "rule", *KEY],
    ).assign(evidence="e", advice="a")

    def make_named_rule(name: str) -> fl.Rule:
        return fl.Rule(name, "low", "x", "y", lambda _: rows[rows["rule"] == name])

    found = fl.findings(make_fleet({}), rules=[make_named_rule(name) for name in "cba"])
    found = found.astype(object).where(found.notna(), None)
    columns = ["severity", "monthly_usd_high", "finding", *KEY]
    assert list(found[columns].itertuples(index=False, name=None)) == ORDERED


@costly
@given(st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    """Law: the findings and their order are the same for any order of the images."""
    arguments = make_all_arguments()
    order = np.random.default_rng(seed).permutation(len(arguments["images"]))
    found = fl.findings(**{**arguments, "images": arguments["images"].iloc[order]})
    pd.testing.assert_frame_equal(find_all(), found)


# --- arguments ------------------------------------------------------------------------

STUCK = {"state": "enabling", "state_transition_time": ago(hours=9)}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (None, ["stuck"]),
        (ago(hours=7, minutes=15), []),
        (ago(hours=7, minutes=14), ["stuck"]),
        (datetime(2026, 1, 15, 4, 45, tzinfo=UTC), []),
        ("2026-01-15 04:45", []),
        ("2026-01-15T05:46:00+01:00", ["stuck"]),
    ],
)
def test_at_is_the_time_to_judge_by(at: Any, expected: list[str]) -> None:
    """An image is stuck at one time but not at an earlier one; a time without a zone is UTC."""
    found = fl.findings(
        make_fleet({**STUCK, "state_transition_time": ago(hours=8)}), at=at, rules=STATE_RULES
    )
    assert expected == found["finding"].tolist()


def test_the_default_time_is_that_of_the_last_observation() -> None:
    """If no observation has a time, rules about time find nothing."""
    rows = [{**STUCK, "observed_at": ago(hours=9)}, {}]
    assert fl.findings(make_fleet(*rows), rules=STATE_RULES)["finding"].tolist() == ["stuck"]
    assert fl.findings(make_fleet(rows[0]), rules=STATE_RULES)["finding"].tolist() == []
    untimed = make_fleet({**STUCK, "observed_at": None}, {**FAILED, "observed_at": None})
    found = fl.findings(untimed, rules=STATE_RULES)
    assert found["finding"].tolist() == ["failed"]
    [evidence] = found["evidence"]
    assert evidence == "enabled-failed since 2025-12-16 12:00 UTC: Client.UserInitiated"


@pytest.mark.parametrize("missing", ["coverage", "snapshots"])
def test_orphans_need_snapshots_and_a_coverage(missing: str) -> None:
    """Without one of them, no snapshot counts as orphaned."""
    orphans = {str(case): case for case in WITH_FINDINGS}["orphaned: two snapshots"]
    arguments = make_arguments([orphans])
    assert fl.findings(**arguments)["finding"].tolist() == ["orphaned"]
    del arguments[missing]
    assert fl.findings(**arguments)["finding"].tolist() == []


def test_a_rule_is_skipped_without_what_it_needs() -> None:
    """A rule of a user is applied only if the arguments in its `needs` are passed."""

    def count_scans(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images
        return rows.assign(evidence=f"{len(facts.coverage)} scans", advice="none")

    rule = fl.Rule("mine", "low", "x", "y", count_scans, needs=("coverage",))
    assert fl.findings(make_fleet({}), rules=[rule]).empty
    coverage = make_all_arguments()["coverage"]
    found = fl.findings(make_fleet({}), rules=[rule], coverage=coverage)
    assert found["evidence"].tolist() == [f"{len(coverage)} scans"]


def test_intervals_need_only_the_key_and_the_state() -> None:
    """With intervals, the evidence has the number of failures; without them, it does not."""
    images = make_fleet(FAILED)
    intervals = pd.concat([images[[*KEY, "state"]]] * 3)
    [evidence] = fl.findings(images, intervals=intervals, rules=STATE_RULES)["evidence"]
    assert "; 3 times in the observed history: " in evidence
    [evidence] = fl.findings(images, rules=STATE_RULES)["evidence"]
    assert "times" not in evidence


def test_rules_chooses_the_rules() -> None:
    """It takes some rules in any order, an iterator, or one rule alone."""
    images = make_fleet({**FAILED, "image_state": "absent", "kms_grant": "missing"})
    rules = {rule.name: rule for rule in RULES}
    some_rules = [rules["image-gone"], rules["failed"]]
    for chosen in (some_rules, tuple(some_rules[::-1]), iter(some_rules)):
        assert fl.findings(images, rules=chosen)["finding"].tolist() == ["failed", "image-gone"]
    alone: Any = rules["failed"]
    assert fl.findings(images, rules=alone)["finding"].tolist() == ["failed"]
    assert fl.findings(images)["finding"].tolist() == ["failed", "image-gone"]
    assert fl.findings(images, rules=[rules["kms-key"]])["finding"].tolist() == ["kms-key"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": 3}, "Got a int"),
        ({"images": make_fleet({}).drop(columns="state")}, "lacks state"),
        ({"rules": [1]}, r"rules has a int\. Expected fl\.Rule"),
        ({"rules": 1}, "rules has a int"),
        ({"rules": [*RULES, RULES[0]]}, "rules has 'failed' more than once"),
        ({"intervals": 3}, r"Expected state intervals: .* Got a int"),
        ({"intervals": make_fleet({}).drop(columns="state")}, "intervals lacks state"),
        ({"intervals": make_fleet({}).drop(columns="region")}, "intervals lacks region"),
        ({"coverage": make_fleet({})}, "coverage lacks sweep_id"),
        ({"snapshots": make_fleet({})}, "snapshots lacks snapshot_id"),
        ({"at": 3}, "at is 3"),
        ({"at": "yesterday evening"}, "at is 'yesterday evening'"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], message: str) -> None:
    """The error has the value that was passed and what was expected."""
    with pytest.raises(InputError, match=message):
        fl.findings(**{"images": make_fleet({}), **arguments})


# --- unknown values -------------------------------------------------------------------

SOURCES = [{column.name for column in JOINS[join]} for join in JOINS if join != "intent"]
SOURCES += [{name} for name in ("state", "target_resource_count", "max_parallel_launches")]


def make_images_without(*columns: str) -> pd.DataFrame:
    """Return the images of all arguments, with nulls in some columns."""
    images: pd.DataFrame = make_all_arguments()["images"]
    nulls = {name: pd.array([None] * len(images), dtype=DTYPES[name]) for name in columns}
    return images.assign(**nulls)


@costly
@given(st.sets(st.sampled_from(range(len(SOURCES)))))
def test_unknown_values_cause_no_findings(numbers: set[int]) -> None:
    """Law: if more is unknown, no further image has findings.

    Without its intent, an image is compared with others, which may differ from it then.
    """
    columns = set().union(*(SOURCES[number] for number in numbers))
    found = fl.findings(make_images_without(*columns))
    images = set(find_all()[[*KEY]].itertuples(index=False, name=None))
    assert set() == set(found[[*KEY]].itertuples(index=False, name=None)) - images


@costly
@given(st.sets(st.sampled_from(range(len(SOURCES)))), st.integers(0, 20), st.integers(1, 20))
def test_texts_are_the_same_when_they_are_composed_later(
    numbers: set[int], first: int, step: int
) -> None:
    """Law: some rows with their texts are those rows of findings, whatever is unknown."""
    columns = set().union(*(SOURCES[number] for number in numbers))
    arguments = {**make_all_arguments(), "images": make_images_without(*columns)}
    found = fl.findings(**arguments)
    later = Evaluation(prepare_facts(**{"intervals": None, **arguments}), RULES)
    composed_early = later.rows.loc[later.rows["evidence"].notna(), "finding"]
    assert {*composed_early} <= {"drift"}
    for rows in (later.rows, later.rows.iloc[first::step], later.rows.iloc[:0]):
        composed = later.compose(rows).drop(columns=["remedy", "_source", "_position"])
        pd.testing.assert_frame_equal(composed, found.drop(columns="remedy").loc[rows.index])
    assert later.has_commands() == found["command"].notna().any()


def test_a_text_that_fails_later_is_a_finding() -> None:
    """If a text of a rule cannot be composed, the row names the rule and its error."""

    def fail(_state: str) -> str:
        raise ValueError("no text")

    rule = replace(
        STATE_RULES[0], find=lambda facts: Problems(facts.images, RowText(fail, "state"), "")
    )
    later = Evaluation(prepare_facts(make_fleet(FAILED), None, None, None), [rule, STATE_RULES[1]])
    [row] = later.compose(later.rows).to_dict("records")
    [expected] = fl.findings(make_fleet(FAILED), rules=[rule]).to_dict("records")
    assert "no text" in row["evidence"]
    assert [row[name] for name in ("evidence", "advice")] == [
        expected[name] for name in ("evidence", "advice")
    ]


def test_an_unknown_stock_costs_nothing() -> None:
    """With an unknown stock, no finding is about the stock, and none has a cost."""
    found = fl.findings(
        make_images_without(
            "available_snapshots", "snapshots", "snapshots_pending", "leftover_snapshots"
        )
    )
    assert found[[*USD]].dropna(how="all").empty
    about_stock = {
        *("unused", "pool-bypassed", "below-target", "excess-snapshots", "stock-differs")
    }
    assert set() == {*found["finding"]} & about_stock


# --- rules of users -------------------------------------------------------------------


def make_rule(find: Any, severity: str = "low") -> fl.Rule:
    """Return a rule of a user."""
    return fl.Rule("mine", severity, "x", "y", find)


def test_a_rule_of_a_user() -> None:
    """It works together with the built-in rules, and may set the severity and the cost."""

    def old(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images[facts.age.gt(pd.Timedelta(days=7))]
        money = dict(zip(USD, (2.0, 3.0), strict=True))
        return rows.assign(evidence="old", advice="renew", severity="high", **money)

    images = make_fleet({"image_state": "absent"})
    found = fl.findings(images, rules=[*fl.RULES, make_rule(old)])
    assert found["finding"].tolist() == ["mine", "image-gone"]
    assert found["severity"].tolist() == ["high", "medium"]
    assert found[[*USD]].values.tolist() == [[2.0, 3.0], [6.0, 29.3]]


def test_a_rule_of_an_older_version() -> None:
    """A rule that returns a remedy and one cost works: they are the advice and the high end."""
    images = make_fleet({})

    def old(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images
        return rows.assign(evidence="old", remedy="renew", monthly_usd=3.0)

    [found] = fl.findings(images, rules=[make_rule(old)]).to_dict("records")
    assert (found["advice"], found["remedy"]) == ("renew", "renew")
    assert (found["monthly_usd_high"], found["monthly_usd"]) == (3.0, 3.0)
    assert pd.isna(found["command"])
    assert pd.isna(found["monthly_usd_low"])


def test_the_old_columns_follow_from_the_new_ones() -> None:
    """Until the next release, a remedy is the advice and the command, and the cost the high end."""
    found = find_all()
    assert found["monthly_usd"].equals(found["monthly_usd_high"])
    with_command = found[found["command"].notna()]
    assert with_command["remedy"].equals(with_command["advice"] + " " + with_command["command"])
    others = found[found["command"].isna()]
    assert others["remedy"].equals(others["advice"])
    assert not with_command.empty
    assert not others.empty


def test_a_more_specific_rule_wins() -> None:
    """Of two rules that find the same cause of an image, the more specific one has the finding."""

    def find(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images
        return rows.assign(evidence="e", advice="a")

    def find_first(facts: Any) -> pd.DataFrame:
        return find(facts).head(1)

    def find_region(facts: Any) -> pd.DataFrame:
        return find_first(facts).assign(image_id=None)

    general = fl.Rule("general", "high", "x", "y", find, yields_to=("specific", "region"))
    specific = fl.Rule("specific", "low", "x", "y", find_first)
    region = fl.Rule("region", "low", "x", "y", find_region)
    found = fl.findings(make_fleet({}, {}), rules=[general, specific, region])
    pairs = found[["finding", "image_id"]].astype(object)
    assert pairs.where(pairs.notna(), None).values.tolist() == [
        ["general", "ami-1"],
        ["region", None],
        ["specific", "ami-0"],
    ]


def test_a_rule_has_a_default_severity_and_no_cost() -> None:
    """Rows from a rule need only the key, evidence and advice."""
    row = {**dict.fromkeys(KEY), "region": REGION, "evidence": "e", "advice": "a"}
    for severity in SEVERITIES:
        found = fl.findings(
            make_fleet({}), rules=[make_rule(lambda _: pd.DataFrame([row]), severity)]
        )
        found = found.astype(object).where(found.notna(), None)
        nulls = [None] * 3
        expected = [[severity, "mine", None, REGION, None, "e", "a", *nulls, "a", None]]
        assert expected == found.values.tolist()


def test_a_rule_receives_the_facts() -> None:
    """It gets images with all columns and an index from 0, the stock, the time, the arguments."""
    received: list[Any] = []

    def record(facts: Any) -> pd.DataFrame:
        received.append(facts)
        rows: pd.DataFrame = facts.images
        return rows.head(0).assign(evidence="", advice="")

    images = make_fleet(FAILED, {"available_snapshots": 3})
    fl.findings(images.drop(columns=list(JOINED)).set_axis([5, 5]), rules=[make_rule(record)])
    arguments = {**make_all_arguments(), "images": images, "intervals": images}
    fl.findings(**arguments, rules=[make_rule(record)], at=ago(days=1))
    bare, full = received
    assert set(DTYPES) == set(bare.images)
    assert bare.images.index.tolist() == [0, 1]
    assert bare.stock.astype(object).where(bare.stock.notna(), None).tolist() == [None, None]
    assert (bare.at, bare.intervals, bare.coverage, bare.snapshots) == (AT, None, None, None)
    assert full.stock.tolist() == [10, 3]
    assert ago(days=1) == full.at
    assert [pd.Timedelta(days=29)] * 2 == full.age.tolist()
    for name in ("intervals", "coverage", "snapshots"):
        pd.testing.assert_frame_equal(getattr(full, name), arguments[name])


def _return_columns(**columns: Any) -> Callable[[Any], Any]:
    """Return a function for a rule; it returns all images with these columns."""
    return lambda facts: facts.images.assign(**columns)


def _raise_secret(_facts: Any) -> Any:
    raise ValueError(f"AKIAIOSFODNN7EXAMPLE {'is long ' * 200}")


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda facts: facts.images["nothing"], "KeyError: 'nothing'"),
        (lambda: 1, "TypeError: "),
        (_return_columns(), "TypeError: it returned rows without ['advice', 'evidence']"),
        (_return_columns(evidence=""), "TypeError: it returned rows without ['advice']"),
        (
            lambda facts: facts.images[["account_id"]].assign(evidence="", advice=""),
            "TypeError: it returned rows without ['image_id', 'region']",
        ),
        (
            _return_columns(evidence="", advice="", severity="dire"),
            "ValueError: it returned the severity ['dire'",
        ),
        (
            _return_columns(evidence="", advice="", severity=None),
            "ValueError: it returned the severity [None]",
        ),
        (_return_columns(evidence="", advice="", monthly_usd_low="dear"), "ArrowInvalid: "),
        (lambda facts: None, "TypeError: it returned a NoneType"),
        (lambda facts: [{"evidence": "", "advice": ""}], "TypeError: it returned a list"),
        (_raise_secret, "ValueError: *** is long"),
    ],
)
def test_a_rule_that_fails_is_a_finding(find: Any, message: str) -> None:
    """The finding names the rule and its error without secrets; those of other rules stand."""
    rules = [make_rule(find), *STATE_RULES]
    found = fl.findings(make_fleet(FAILED), rules=rules).set_index("finding")
    [failure] = found.loc[["rule-failed"]].to_dict("records")
    assert failure["evidence"].startswith(f"The rule 'mine' failed: {message}")
    assert len(failure["evidence"]) < 600
    assert "leave it out of rules=" in failure["advice"]
    assert [name for name in (*KEY, *USD, "command") if pd.notna(failure[name])] == []
    assert sorted(found.index) == ["failed", "rule-failed"]
    pd.testing.assert_frame_equal(
        found.loc[["failed"]],
        fl.findings(make_fleet(FAILED), rules=STATE_RULES).set_index("finding"),
    )


# --- the rules ------------------------------------------------------------------------

BY_SEVERITY = {
    "high": ["failed", "pool-bypassed", "forbidden-template", "imds-v2", "kms-key"],
    "medium": [
        *("stuck", "below-target", "cold-launches", "bypass-ahead", "unused", "image-gone"),
        *("orphaned", "successor-without", "moving-template"),
    ],
    "low": [
        *("slow-to-fill", "over-quota", "image-deprecated", "excess-snapshots", "recycle-bin"),
        *("leftovers", "drift"),
    ],
    "info": ["stock-differs", "without-fast-launch"],
}


def test_severities() -> None:
    """Each built-in rule has its documented severity."""
    assert {
        severity: [rule.name for rule in RULES if rule.severity == severity]
        for severity in SEVERITIES
    } == BY_SEVERITY


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_states_its_source(rule: fl.Rule) -> None:
    """A rule names its source, what that states, what it reads or needs, and what it advises."""
    for text in (rule.source, rule.statement):
        assert text in str(rule.find.__doc__)
    assert rule.statement.endswith(".")
    assert rule.advises
    assert rule.reads or rule.needs
    assert set(rule.reads) <= {*DTYPES, STOCK}
    assert set(rule.yields_to) <= {other.name for other in RULES} - {rule.name}


def test_no_image_gets_contradictory_advice() -> None:
    """No image is advised both to end Fast Launch and to go on with better settings."""
    assert find_contradictions(find_all()) == {}
