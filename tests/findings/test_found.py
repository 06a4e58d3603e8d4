"""Findings: every rule fires on what it is about, and on nothing else; unknown accuses nobody."""

from __future__ import annotations

import re
import shlex
from typing import Any

import botocore.session
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb import frame
from fastlaunch_nb.errors import FastLaunchError, InputError
from fastlaunch_nb.findings import RULES, rules_table
from fastlaunch_nb.findings.reasons import FIXES, advice

from .conftest import HOSTILE

AT = pd.Timestamp("2026-01-15T12:00:00Z")
HEALTHY: dict[str, Any] = {
    "account_id": "111122223333",
    "region": "eu-west-1",
    "image_id": "ami-0abcdef1234567890",
    "state": "enabled",
    "state_transition_reason": "Client.UserInitiated",
    "state_transition_time": AT - pd.Timedelta(days=30),
    "resource_type": "snapshot",
    "target_resource_count": 10,
    "max_parallel_launches": 6,
    "launch_template_id": "lt-0abcdef1234567890",
    "launch_template_name": "agent",
    "launch_template_version": "4",
    "owner_id": "111122223333",
    "observed_at": AT,
    "image_name": "win2022",
    "image_state": "available",
    "image_creation_time": AT - pd.Timedelta(days=60),
    "image_deprecation_time": AT + pd.Timedelta(days=600),
    "image_owner_id": "111122223333",
    "root_volume_gib": 50,
    "siblings": 1,
    "siblings_without_fast_launch": "",
    "template_forbidden": "",
    "snapshots": 10,
    "snapshots_pending": 0,
    "snapshot_gib": 500,
    "oldest_snapshot_time": AT - pd.Timedelta(days=2),
    "leftover_snapshots": 0,
    "available_snapshots": 10,
    "available_snapshots_time": AT,
    "below_target_since": None,
    "fast_launches": 40,
    "cold_launches": 0,
    "metrics_since": AT - pd.Timedelta(days=14),
    "metrics_until": AT,
    "instances": 2,
    "instances_fast": 2,
    "instances_cold": 0,
    "parallel_launches_quota": 40,
    "snapshots_monthly_usd": 25.0,
    "preparation_monthly_usd": 4.3,
    "monthly_usd": 29.3,
}
DTYPES = {**{column.name: column.dtype for column in frame.COLUMNS}, **frame.JOINED}
COVERAGE = frame.coverage(
    [
        {
            "account_id": "111122223333",
            "region": "eu-west-1",
            "status": "complete",
            "scope": "",
            "rows": 1,
            "observed_at": AT,
        }
    ]
)
SICK: dict[str, list[dict[str, Any]]] = {  # what makes an image sick: the rule to fleets
    "failed": [
        {"state": "enabling-failed", "state_transition_reason": "Unable to stop instance ID=i-1"},
        {"state": "enabled-failed"},
        {"state": "disabling-failed"},
    ],
    "stuck": [
        {"state": "enabling", "state_transition_time": AT - pd.Timedelta(hours=9)},
        {"state": "disabling", "state_transition_time": AT - pd.Timedelta(minutes=61)},
    ],
    "below-target": [
        {"available_snapshots": 4, "below_target_since": AT - pd.Timedelta(minutes=10)}
    ],
    "cold-launches": [{"cold_launches": 12}],
    "passed-by": [
        {"fast_launches": 0, "cold_launches": 3},
        {"fast_launches": None, "instances_cold": 2, "instances_fast": 0},
    ],
    "slow-to-fill": [
        {"target_resource_count": 60, "available_snapshots": 60, "max_parallel_launches": 6}
    ],
    "over-quota": [
        {"max_parallel_launches": 41},
        {"max_parallel_launches": 20, "parallel_launches_quota": 19},
    ],
    "unused": [{"fast_launches": 0}],
    "image-gone": [{"image_state": "absent"}, {"image_state": "deregistered"}],
    "image-deprecated": [{"image_deprecation_time": AT - pd.Timedelta(days=1)}],
    "left-over": [{"leftover_snapshots": 2}],
    "without-fast-launch": [
        {"siblings_without_fast_launch": "111122223333/us-east-1/ami-0123456789abcdef0"}
    ],
    "forbidden-template": [{"template_forbidden": "user data, Spot"}],
}


def fleet(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return images that are healthy, but for what each row says; each has its own id."""
    ids = (f"ami-{number:017x}" for number in range(1, len(rows) + 1))
    table = [
        {**HEALTHY, "image_id": image_id, "snapshots": row.get("available_snapshots", 10), **row}
        for image_id, row in zip(ids, rows, strict=True)
    ]
    return pd.DataFrame(table, columns=list(DTYPES)).astype(DTYPES)


def orphans(image_id: str = "ami-0fedcba9876543210", count: int = 2) -> pd.DataFrame:
    """Return snapshots that Fast Launch made for an image that has it no more."""
    row = {
        "account_id": "111122223333",
        "region": "eu-west-1",
        "image_id": image_id,
        "snapshot_time": AT - pd.Timedelta(days=40),
        "volume_gib": 50,
    }
    rows = [{**row, "snapshot_id": f"snap-{number:017x}"} for number in range(count)]
    dtypes = {column.name: column.dtype for column in frame.SNAPSHOTS}
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


DRIFT = [{"region": region, "target_resource_count": 10} for region in ("a-1", "b-1")]
DRIFT += [{"region": "c-1", "target_resource_count": 20, "available_snapshots": 20}]


def found(images: pd.DataFrame, **more: Any) -> list[str]:
    return sorted(set(fl.findings(images, coverage=COVERAGE, **more)["finding"]))


# --- each rule ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "sick"), [(rule, sick) for rule, fleets in SICK.items() for sick in fleets]
)
def test_each_rule_fires_alone(rule: str, sick: dict[str, Any]) -> None:
    """An image that is sick in one way has that finding, and its healthy neighbour none."""
    images = fleet(sick, {"region": "us-west-2", "image_name": "other"})
    told = fl.findings(images)
    assert told["finding"].tolist() == [rule]
    assert told["evidence"].str.len().gt(10).all()
    assert told["remedy"].str.contains("aws ", regex=False).all()


def test_settings_that_drift() -> None:
    """Of three regions the one that is unlike the others is told, with both values."""
    told = fl.findings(fleet(*DRIFT))
    assert told[["finding", "region"]].values.tolist() == [["drift", "c-1"]]
    assert told["evidence"].item() == "target 20, elsewhere 10"
    assert "TargetResourceCount=10" in told["remedy"].item()


def test_orphans() -> None:
    """Snapshots of an image that is listed no more are told once, with each to delete."""
    told = fl.findings(fleet({}), coverage=COVERAGE, snapshots=orphans())
    assert told[["finding", "image_id"]].values.tolist() == [["orphaned", "ami-0fedcba9876543210"]]
    assert told["monthly_usd"].item() == pytest.approx(100 * 0.05)
    assert told["remedy"].item().count("delete-snapshot") == 2
    assert found(fleet({}), snapshots=orphans(fleet({})["image_id"].item())) == []


@pytest.mark.parametrize(
    "change", [{"status": "partial"}, {"scope": '{"state": ["enabled"]}'}, {"rows": 2}]
)
def test_orphans_need_a_whole_look(change: dict[str, str]) -> None:
    """Where not all images were read, no snapshot is said to have none."""
    told = fl.findings(fleet({}), coverage=COVERAGE.assign(**change), snapshots=orphans())
    assert told.empty
    assert fl.findings(fleet({}), snapshots=orphans()).empty


def test_every_rule_is_tried() -> None:
    """There is no rule without an example above."""
    assert {rule.name for rule in RULES} == {*SICK, "drift", "orphaned"}


def test_a_clean_fleet_has_none() -> None:
    """Healthy images have no finding, however many, and neither have none at all."""
    places = [{"region": region, "image_name": f"n{n}"} for n in range(9) for region in "ab"]
    quota = [{**place, "parallel_launches_quota": 100} for place in places]
    assert fl.findings(fleet(*quota)).empty
    nothing = fl.findings(fleet())
    assert nothing.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in frame.FINDINGS}


def test_a_plain_frame_will_do() -> None:
    """What describe returns is enough: of what it does not say nothing is found."""
    plain = fleet({"state": "enabled-failed"}, {})[[column.name for column in frame.COLUMNS]]
    assert found(plain) == ["failed"]


# --- what they say --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "stock", "severity"),
    [(10, 4, "low"), (59, 4, "low"), (61, 4, "medium"), (89, 0, "low"), (91, 0, "high")],
)
def test_a_refill_is_no_fault(minutes: int, stock: int, severity: str) -> None:
    """A pool below its target is a fault where a refill should be over, and half an hour more."""
    since = AT - pd.Timedelta(minutes=minutes)
    told = fl.findings(fleet({"available_snapshots": stock, "below_target_since": since}))
    assert told["severity"].tolist() == [severity]
    assert f"{stock} of 10 snapshots in stock" in told["evidence"].item()


def test_how_often_it_failed() -> None:
    """Intervals tell how often an image has failed."""
    images = fleet({"state": "enabled-failed"})
    seen = images[[*frame.KEY, "state"]]
    told = fl.findings(images, intervals=pd.concat([seen] * 3))
    assert "; 3 times in what was seen: Client.UserInitiated" in told["evidence"].item()


def test_settings_are_kept() -> None:
    """A command to enable again keeps the target, the parallel launches and the template."""
    told = fl.findings(fleet({"state": "enabled-failed"}))
    command = told["remedy"].item().split("Then: ")[1]
    assert command == (
        "aws ec2 enable-fast-launch --region eu-west-1 --image-id ami-00000000000000001 "
        "--resource-type snapshot --snapshot-configuration TargetResourceCount=10 "
        "--max-parallel-launches 6 "
        "--launch-template LaunchTemplateId=lt-0abcdef1234567890,Version=4"
    )


def test_a_template_is_never_left_out() -> None:
    """Without the version of its template no command is given: it would enable without any."""
    told = fl.findings(fleet({"state": "enabled-failed", "launch_template_version": None}))
    assert "aws ec2 enable-fast-launch" not in told["remedy"].item()
    assert "in the EC2 console" in told["remedy"].item()


def test_templates_that_aws_makes_are_no_drift() -> None:
    """Each image without a template has one of AWS's own, with a name of its own."""
    names = [f"EC2FastLaunchDefaultResourceCreation-{n}" for n in range(3)]
    same = [{**row, "target_resource_count": 10, "available_snapshots": 10} for row in DRIFT]
    rows = [{**row, "launch_template_name": name} for row, name in zip(same, names, strict=True)]
    assert fl.findings(fleet(*rows)).empty


def test_the_worst_and_dearest_first() -> None:
    """Findings come by severity, then by what they cost."""
    rows = [{"fast_launches": 0, "monthly_usd": usd} for usd in (1.0, 9.0, 5.0)]
    told = fl.findings(fleet(*rows, {"template_forbidden": "Spot"}))
    assert told["severity"].tolist() == ["high", "medium", "medium", "medium"]
    assert told["monthly_usd"].tolist()[1:] == [9.0, 5.0, 1.0]


def test_the_time_may_be_given() -> None:
    """What is stuck by one time was not by an earlier one; without any, time finds nothing."""
    images = fleet(SICK["stuck"][0])
    assert found(images, at=AT - pd.Timedelta(hours=8)) == []
    assert found(fleet({**SICK["stuck"][0], "observed_at": None})) == []


def test_each_reason_has_its_fix() -> None:
    """Reasons that EC2 documents, or that were reported, are told apart."""
    reasons = [
        "Unable to stop instance ID=i-0123456789abcdef0 for snapshot creation.",
        "The maximum number of VPCs has been reached.",
        "Client.InvalidKMSKey.InvalidState: The KMS key is not accessible",
        "You are not authorized to perform this operation.",
        "Insufficient capacity",
        "The specified launch template version does not exist",
    ]
    assert [advice(reason) for reason in reasons] == [fix.advice for fix in FIXES]
    assert advice("Server.Odd") == advice(None)
    assert advice(None) not in [fix.advice for fix in FIXES]


# --- laws -----------------------------------------------------------------------------

EVERYTHING = [sick for fleets in SICK.values() for sick in fleets]
SOURCES = [*({column.name for column in frame.JOINS[join]} for join in frame.JOINS)]
SOURCES += [{name} for name in ("state", "target_resource_count", "max_parallel_launches")]


@given(st.sets(st.sampled_from(range(len(SOURCES)))))
def test_what_is_unknown_accuses_nobody(numbers: set[int]) -> None:
    """Law: with less known no image has a finding that had none before, but for the quota's."""
    columns = set().union(*(SOURCES[number] for number in numbers)) - {"parallel_launches_quota"}
    images = fleet({}, *EVERYTHING, *DRIFT)
    nulls = {name: pd.array([None] * len(images), dtype=DTYPES[name]) for name in columns}
    accused = set(fl.findings(images)["image_id"].fillna(""))
    assert set(fl.findings(images.assign(**nulls))["image_id"].fillna("")) <= accused


def test_an_unknown_stock_costs_nothing() -> None:
    """Where the stock is not known, no finding is about money, and none has any."""
    names = ["available_snapshots", "snapshots", "snapshots_pending", "leftover_snapshots"]
    images = fleet(*EVERYTHING)
    nulls = {name: pd.array([None] * len(images), dtype=frame.COUNT) for name in names}
    told = fl.findings(images.assign(**nulls))
    assert told["monthly_usd"].isna().all()
    assert not set(told["finding"]) & {"unused", "passed-by", "below-target", "left-over"}


@given(st.permutations(range(len(EVERYTHING) + len(DRIFT))))
def test_the_order_of_rows_is_nothing(order: list[int]) -> None:
    """Law: findings are the same, in the same order, however the images come."""
    images = fleet(*EVERYTHING, *DRIFT)
    pd.testing.assert_frame_equal(fl.findings(images.iloc[order]), fl.findings(images))


# --- commands -------------------------------------------------------------------------


def commands(remedies: pd.Series) -> list[list[str]]:
    """Return every command in some remedies, as a shell splits it."""
    ends = r" && |: (?=aws )| \((?=aws )| and then: |\), and enable"
    parts = [part for remedy in remedies for part in re.split(ends, remedy)]
    return [shlex.split(part) for part in parts if part.startswith("aws ")]


def test_commands_are_of_the_cli() -> None:
    """Every command names an operation and parameters that AWS has, down to their members."""
    images = fleet(*EVERYTHING, *DRIFT)
    told = fl.findings(images, coverage=COVERAGE, snapshots=orphans())
    session = botocore.session.Session()
    found = commands(told["remedy"])
    assert len(found) >= len(told)
    for _, service, operation, *words in found:
        model = session.get_service_model(service)
        name = "".join(part.capitalize() for part in operation.split("-"))
        shape = model.operation_model(name).input_shape
        options = {botocore.xform_name(member, "-"): member for member in shape.members}
        for place, word in enumerate(words):
            if word.startswith("--") and word != "--region":
                member = shape.members[options[word[2:].partition("=")[0]]]
                if member.type_name == "structure":
                    keys = [pair.split("=")[0] for pair in words[place + 1].split(",")]
                    assert set(keys) <= set(member.members)


def test_hostile_text_is_quoted() -> None:
    """Names from AWS can neither end a command nor begin another, and are on one line."""
    evil = f"{HOSTILE}'; rm -rf $(HOME) `x`"
    names = dict.fromkeys(("launch_template_name", "image_name", "region", "image_state"), evil)
    rows = [{**sick, **names, "launch_template_id": None} for sick in EVERYTHING]
    told = fl.findings(fleet(*rows, *[{**row, "image_name": evil} for row in DRIFT]))
    isolates = told["evidence"].str.replace("[\u2068\u2069]", "", regex=True)
    assert all(text.isprintable() for text in isolates)
    for command in commands(told["remedy"]):
        if "--region" in command:
            assert command[command.index("--region") + 1] in {
                evil,
                "us-east-1",
                "a-1",
                "b-1",
                "c-1",
            }


# --- rules of one's own ---------------------------------------------------------------


def test_a_rule_of_ones_own() -> None:
    """A user's rule stands beside ours, and may say how bad it is, and what it costs."""

    def old(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images[facts.age.gt(pd.Timedelta(days=7))]
        return rows.assign(evidence="old", remedy="renew", severity="high", monthly_usd=3.0)

    mine = fl.Rule("old", "low", "it is old", "we", old)
    told = fl.findings(fleet({"fast_launches": 0}), rules=[*fl.RULES, mine])
    assert told["finding"].tolist() == ["old", "unused"]
    assert told[["severity", "monthly_usd"]].values.tolist()[0] == ["high", 3.0]


def test_a_rule_that_fails_is_named() -> None:
    """What a rule does wrong is said with its name."""

    def rule(find: Any) -> fl.Rule:
        return fl.Rule("mine", "low", "x", "y", find)

    def dire(facts: Any) -> pd.DataFrame:
        rows: pd.DataFrame = facts.images
        return rows.assign(evidence="", remedy="", severity="dire")

    with pytest.raises(FastLaunchError, match="'mine' failed: KeyError"):
        fl.findings(fleet({}), rules=[rule(lambda facts: facts.images["nothing"])])
    with pytest.raises(FastLaunchError, match=r"'mine' returned rows without \['evidence'"):
        fl.findings(fleet({}), rules=[rule(lambda facts: facts.images)])
    with pytest.raises(FastLaunchError, match=r"'mine' returned the severity \['dire'\]"):
        fl.findings(fleet({}), rules=[rule(dire)])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rules": [1]}, "rules has a int"),
        ({"rules": [*RULES, RULES[0]]}, "rules has failed more than once"),
        ({"intervals": 3}, "intervals is a int"),
        ({"coverage": fleet({})}, "coverage lacks sweep_id"),
        ({"snapshots": fleet({})}, "snapshots lacks snapshot_id"),
        ({"at": 3}, "at is 3"),
    ],
)
def test_bad_input_is_refused(given: dict[str, Any], message: str) -> None:
    """What can not be asked is refused, with what was expected."""
    with pytest.raises(InputError, match=message):
        fl.findings(fleet({}), **given)


def test_bad_rules_are_refused() -> None:
    """A rule has a name, a severity that is known, and a function."""
    with pytest.raises(InputError, match="severity of 'x' is 'dire'"):
        fl.Rule("x", "dire", "y", "z", lambda facts: facts.images)
    with pytest.raises(InputError, match="name is ''"):
        fl.Rule("", "low", "y", "z", lambda facts: facts.images)
    with pytest.raises(InputError, match="find of 'x'"):
        fl.Rule("x", "low", "y", "z", 3)  # type: ignore[arg-type]


def test_each_rule_names_its_source() -> None:
    """The table of rules has a row for each, with where it comes from."""
    table = rules_table().splitlines()
    assert len(table) == 2 + len(RULES)
    assert all(rule.source in row for rule, row in zip(RULES, table[2:], strict=True))
